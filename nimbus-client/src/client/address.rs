//! Where a daemon listens.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::conf::{Fallback, keys};

/// Where Nimbus listens unless the configuration says otherwise.
const NIMBUS_PORT: u16 = match keys::NIMBUS_THRIFT_PORT.default {
    Fallback::Whole(port) => port as u16,
    _ => panic!("the table has a default for nimbus.thrift.port"),
};

/// A host, by name or number, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// A name or a number; an IPv6 number stands here without brackets.
    pub host: String,
    /// A TCP port.
    pub port: u16,
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is no address: write HOST or HOST:PORT, an IPv6 number as [::1]:6627")]
pub struct AddressError {
    /// The text.
    pub given: String,
}

impl Address {
    /// The address of a host and a port.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port }
    }

    /// Reads `HOST` or `HOST:PORT`; without a port it is `default_port`.
    ///
    /// # Errors
    /// If the host is empty or the port is no number from 1 to 65535.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let error = || AddressError { given: text.to_owned() };
        let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or_else(error)?)),
            // An IPv6 number without brackets has several colons and no port.
            None if text.matches(':').count() > 1 => (text, None),
            None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        let port = match port {
            None => default_port,
            Some(port) => port.parse().ok().filter(|port| *port > 0).ok_or_else(error)?,
        };
        let is_number = || host.parse::<Ipv6Addr>().is_ok();
        let is_name = || !host.is_empty() && !host.contains([' ', '\t', '\n', '[', ']', '/', ':']);
        if !(is_number() || (bracketed.is_none() && is_name())) {
            return Err(error());
        }
        Ok(Self::new(host, port))
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads `HOST:PORT`, with Nimbus' port if there is none.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, NIMBUS_PORT)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, u16)>) {
        let address = Address::parse(text, 6627);
        let expected = expected.map(|(host, port)| Address::new(host, port));
        assert_eq!(address.ok(), expected, "{text}");
    }

    #[test]
    fn an_address_has_a_host_and_may_have_a_port() {
        check("nimbus", Some(("nimbus", 6627)));
        check("nimbus.example:16627", Some(("nimbus.example", 16627)));
        check("::1", Some(("::1", 6627)));
        check("[::1]", Some(("::1", 6627)));
        check("[::1]:7", Some(("::1", 7)));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":6627",
            "a:",
            "a:0",
            "a:65536",
            "a:b",
            "a b",
            "[::1",
            "[::1]6627",
            "a:b:1",
            "[a]:1",
            "tcp://a",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn an_address_prints_as_it_is_read() {
        for text in ["a:1", "[::1]:7"] {
            assert_eq!(text.parse::<Address>().expect("it is one").to_string(), text);
        }
    }
}
