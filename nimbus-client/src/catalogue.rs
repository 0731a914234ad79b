//! Tables of all types and methods of the protocol, for whatever treats them alike: tests, fuzzing,
//! and tools that look into recorded frames.
//!
//! The rows stand in the generated code: [`thrift::TYPES`](crate::thrift::TYPES) and
//! [`thrift::METHODS`](crate::thrift::METHODS), and the same of [`native`](crate::native).

use ::thrift::protocol::{TInputProtocol, TOutputProtocol};

/// Reads one value and writes it again.
pub type Recode = fn(&mut dyn TInputProtocol, &mut dyn TOutputProtocol) -> ::thrift::Result<()>;

/// What a type is in the IDL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Fields, of which some may be absent.
    Struct,
    /// Exactly one of several fields.
    Union,
    /// A number with names for some of its values.
    Enum,
    /// A struct that a method may throw.
    Exception,
}

/// A type of the protocol.
#[derive(Clone, Copy, Debug)]
pub struct Type {
    /// What it is.
    pub kind: Kind,
    /// Storm's name for it, as `StormTopology`.
    pub name: &'static str,
    /// Reads a value of it and writes it again.
    pub recode: Recode,
}

/// A method of a service.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// The service, as `Nimbus`.
    pub service: &'static str,
    /// The name on the wire, as `submitTopology`.
    pub name: &'static str,
    /// Reads what follows the header of a call and writes it again.
    pub recode_arguments: Recode,
    /// Reads what follows the header of a reply and writes it again.
    pub recode_result: Recode,
}

/// A row of `TYPES`.
macro_rules! type_entry {
    ($kind:ident, $name:ident) => {
        crate::catalogue::Type {
            kind: crate::catalogue::Kind::$kind,
            name: stringify!($name),
            recode: |input, output| {
                $name::read_from_in_protocol(input)?.write_to_out_protocol(output)
            },
        }
    };
}

/// A row of `METHODS`.
macro_rules! method_entry {
    ($service:literal, $name:literal, $arguments:ident, $result:ident) => {
        crate::catalogue::Method {
            service: $service,
            name: $name,
            recode_arguments: |input, output| {
                $arguments::read_from_in_protocol(input)?.write_to_out_protocol(output)
            },
            recode_result: |input, output| {
                $result::read_from_in_protocol(input)?.write_to_out_protocol(output)
            },
        }
    };
}

pub(crate) use {method_entry, type_entry};
