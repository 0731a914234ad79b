//! What the table of keys says about each key: form, unit, default, who may set it.

/// The form a value must have; numbers may come as JSON integers, floats or numeric strings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// An integer from `min` to 2147483647, which is as far as Storm's own check goes.
    Count {
        /// The least value that is accepted.
        min: u32,
    },
    /// A size in `unit`, an integer from 1 to 2147483647.
    Size {
        /// What the number counts.
        unit: SizeUnit,
    },
    /// A number above 0 and up to 1.
    Ratio,
    /// A number from 0 on.
    Real,
    /// A TCP port from 1 to 65535; from 0 where 0 means that there is none.
    Port {
        /// The least value that is accepted, 0 or 1.
        min: u16,
    },
    /// A list of TCP ports without repetition.
    Ports,
    /// A length of time counted in `unit`.
    Span {
        /// What the number counts.
        unit: Unit,
        /// The least value that is accepted, in units.
        min: u32,
        /// Whether a fraction of a unit is refused, as Storm does for most keys.
        whole: bool,
    },
    /// A text that is not empty.
    Text,
    /// A list of texts that are not empty.
    Texts,
    /// An object whose values are numbers.
    Amounts,
    /// The class name of a wait strategy, with or without its package.
    WaitStrategy,
    /// `parked`, `spin-then-park` or `spin`.
    WaitProfile,
    /// `shared`, `own`, or the name of a group of components that share a thread.
    Thread,
}

impl Kind {
    /// The accepted form in words, as error messages and the documentation give it.
    pub fn accepted(&self) -> String {
        match self {
            Kind::Flag => "true or false".to_owned(),
            Kind::Count { min } => format!("an integer from {min} to {}", i32::MAX),
            Kind::Size { unit } => {
                format!("an integer of {} from 1 to {}", unit.plural(), i32::MAX)
            }
            Kind::Ratio => "a number above 0 and up to 1".to_owned(),
            Kind::Real => "a number from 0 on".to_owned(),
            Kind::Port { min } => format!("a port from {min} to {}", u16::MAX),
            Kind::Ports => format!("a list of ports from 1 to {}, each once", u16::MAX),
            Kind::Span { unit, min, whole } => {
                let number = if *whole { "an integer" } else { "a number" };
                format!("{number} of {} from {min} to {}", unit.plural(), i32::MAX)
            }
            Kind::Text => "a text that is not empty".to_owned(),
            Kind::Texts => "a list of texts that are not empty".to_owned(),
            Kind::Amounts => "an object of numbers".to_owned(),
            Kind::WaitStrategy => "WaitStrategyProgressive or WaitStrategyPark".to_owned(),
            Kind::WaitProfile => "parked, spin-then-park or spin".to_owned(),
            Kind::Thread => "shared, own, or a group's name of letters, digits, - and _".to_owned(),
        }
    }

    /// What a number counts: a unit of time or of size, if the key has one.
    pub fn unit(&self) -> Option<&'static str> {
        match self {
            Kind::Span { unit, .. } => Some(unit.plural()),
            Kind::Size { unit } => Some(unit.plural()),
            _ => None,
        }
    }
}

/// The unit in which a key counts time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A millionth of a second.
    Micros,
    /// A thousandth of a second.
    Millis,
    /// A second.
    Secs,
    /// Sixty seconds.
    Mins,
}

impl Unit {
    /// Seconds in one unit.
    pub(super) const fn in_secs(self) -> f64 {
        match self {
            Unit::Micros => 1e-6,
            Unit::Millis => 1e-3,
            Unit::Secs => 1.0,
            Unit::Mins => 60.0,
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Unit::Micros => "microseconds",
            Unit::Millis => "milliseconds",
            Unit::Secs => "seconds",
            Unit::Mins => "minutes",
        }
    }
}

/// The unit in which a key counts bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeUnit {
    /// One byte.
    Bytes,
    /// 1,048,576 bytes, which Storm calls MB.
    Mib,
}

impl SizeUnit {
    /// Bytes in one unit.
    pub(super) const fn in_bytes(self) -> u64 {
        match self {
            SizeUnit::Bytes => 1,
            SizeUnit::Mib => 1 << 20,
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            SizeUnit::Bytes => "bytes",
            SizeUnit::Mib => "MiB",
        }
    }
}

/// What counts while a key is absent or null.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fallback {
    /// Nothing: the meaning says what follows from that.
    Unset,
    /// A truth value.
    Flag(bool),
    /// A whole number, in the key's unit.
    Whole(u32),
    /// A number that need not be whole.
    Real(f64),
    /// A text.
    Text(&'static str),
    /// Several texts.
    Texts(&'static [&'static str]),
    /// Several whole numbers.
    Wholes(&'static [u32]),
}

impl Fallback {
    /// The default as a value, unless there is none.
    pub fn to_value(self) -> Option<serde_json::Value> {
        match self {
            Fallback::Unset => None,
            Fallback::Flag(flag) => Some(flag.into()),
            Fallback::Whole(number) => Some(number.into()),
            Fallback::Real(number) => Some(number.into()),
            Fallback::Text(text) => Some(text.into()),
            Fallback::Texts(texts) => Some(texts.into()),
            Fallback::Wholes(numbers) => Some(numbers.into()),
        }
    }
}

/// Who may set a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The cluster: daemons and clients read it from `storm.yaml`, a file or a command line.
    Cluster,
    /// The topology; a component that sets it is not heard, and a warning says so.
    Topology,
    /// The topology, and a component for itself.
    Component,
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Apache Storm.
    Storm,
    /// This runtime; Apache Storm ignores it.
    Ours,
}

/// One configuration key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// The name as it is written in a conf.
    pub name: &'static str,
    /// The form its value must have.
    pub kind: Kind,
    /// What counts while it is absent or null.
    pub default: Fallback,
    /// Who may set it.
    pub scope: Scope,
    /// Where it comes from.
    pub origin: Origin,
    /// What it does, in one or two sentences.
    pub meaning: &'static str,
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        self.name
    }
}
