//! Who leads, as a stock Nimbus writes it: one Java object in Java's serialization.
//!
//! ```text
//! ac ed 00 05 · object · class (name, id, flags, four fields) · bool · int · int · text
//! ```
//!
//! Only this one class with its four fields is read, and nothing else of Java's serialization.

/// The object up to its values: stream header, class name, `serialVersionUID`, and the fields
/// `isLeader`, `port`, `tlsPort` and `host`.
const HEADER: &[u8] = b"\xac\xed\x00\x05\
    sr\x00\x22org.apache.storm.nimbus.NimbusInfo\x1d\xfe\xff\xd3\x84\xd4\x37\x05\x02\x00\x04\
    Z\x00\x08isLeader\
    I\x00\x04port\
    I\x00\x07tlsPort\
    L\x00\x04hostt\x00\x12Ljava/lang/String;\
    xp";

/// What a text begins with.
const TEXT: u8 = b't';

/// A Nimbus as its peers know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaderInfo {
    /// Its host.
    pub host: String,
    /// Its Thrift port.
    pub port: i32,
    /// Its Thrift port for TLS; zero if it has none.
    pub tls_port: i32,
    /// What the leader thinks of itself; a stock one writes false.
    pub is_leader: bool,
}

/// Why bytes do not say who leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaderInfoError {
    /// They are another object.
    #[error("it is not Storm's NimbusInfo in Java's serialization")]
    OtherObject,
    /// They end too early, or something follows, or the host is not UTF-8.
    #[error("its values are broken")]
    Broken,
}

impl LeaderInfo {
    /// The object.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        bytes.push(self.is_leader.into());
        bytes.extend(self.port.to_be_bytes());
        bytes.extend(self.tls_port.to_be_bytes());
        bytes.push(TEXT);
        // A host's name has at most 253 characters.
        let host = &self.host.as_bytes()[..self.host.len().min(usize::from(u16::MAX))];
        bytes.extend((host.len() as u16).to_be_bytes());
        bytes.extend(host);
        bytes
    }

    /// Reads the object.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LeaderInfoError> {
        let values = bytes.strip_prefix(HEADER).ok_or(LeaderInfoError::OtherObject)?;
        Self::from_values(values).ok_or(LeaderInfoError::Broken)
    }

    fn from_values(values: &[u8]) -> Option<Self> {
        let (&is_leader, rest) = values.split_first()?;
        let (port, rest) = rest.split_first_chunk()?;
        let (tls_port, rest) = rest.split_first_chunk()?;
        let (&length, host) = rest.strip_prefix(&[TEXT])?.split_first_chunk()?;
        if host.len() != usize::from(u16::from_be_bytes(length)) {
            return None;
        }
        Some(Self {
            host: String::from_utf8(host.to_vec()).ok()?,
            port: i32::from_be_bytes(*port),
            tls_port: i32::from_be_bytes(*tls_port),
            is_leader: is_leader != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stump_and_every_addition_is_refused() {
        let leader =
            LeaderInfo { host: "nimbus-1".into(), port: 6627, tls_port: 6628, is_leader: true };
        let mut bytes = leader.to_bytes();
        assert_eq!(LeaderInfo::from_bytes(&bytes), Ok(leader));
        for length in 0..bytes.len() {
            assert!(LeaderInfo::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
        }
        bytes.push(0);
        assert_eq!(LeaderInfo::from_bytes(&bytes), Err(LeaderInfoError::Broken));
    }
}
