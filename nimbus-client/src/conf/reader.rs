//! Reading single values by the table of keys, and collecting what is wrong.
//!
//! ```
//! use nimbus_client::conf::{Reader, keys};
//!
//! let set = serde_json::json!({"nimbus.monitor.freq.secs": "5", "nimbus.thrift.port": 70000});
//! let mut reader = Reader::new(set.as_object().unwrap());
//! assert_eq!(reader.span(&keys::NIMBUS_MONITOR_FREQ).as_secs(), 5);
//! assert_eq!(reader.port(&keys::NIMBUS_THRIFT_PORT), 6627);
//! assert_eq!(reader.into_errors().len(), 1);
//! ```
//!
//! **Invariants.** A wrong value is recorded once and replaced by the key's default, so that it
//! causes no second error.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Map, Value};

use super::error::ConfError;
use super::key::{Fallback, Key, Kind, Unit};

/// A value in the form of its key.
enum Parsed {
    Flag(bool),
    Count(u32),
    Bytes(u64),
    Real(f64),
    Port(u16),
    Ports(Vec<u16>),
    Span(Duration),
    Text(String),
    Texts(Vec<String>),
    Amounts(BTreeMap<String, f64>),
}

/// Why a value does not have the form of its key.
enum Fault {
    Type,
    Range,
}

/// Whether a value has the form of its key; null, which sets nothing, always has.
///
/// # Errors
/// What is accepted, if it is not this.
pub fn check(key: &Key, value: &Value) -> Result<(), ConfError> {
    if value.is_null() {
        return Ok(());
    }
    match parse(key.kind, value) {
        Ok(_) => Ok(()),
        Err(fault) => Err(fault.into_error(key, value)),
    }
}

impl Fault {
    fn into_error(self, key: &Key, found: &Value) -> ConfError {
        match self {
            Fault::Type => ConfError::wrong_type(key.name, found, key.kind.accepted()),
            Fault::Range => ConfError::out_of_range(key.name, found, key.kind.accepted()),
        }
    }
}

/// Reads a conf key by key.
///
/// Methods whose names end in `_if_set` are for keys that may have no default. To read a key as
/// something that the table does not say is a bug and panics.
#[derive(Debug)]
pub struct Reader<'a> {
    map: Cow<'a, Map<String, Value>>,
    errors: Vec<ConfError>,
}

impl<'a> Reader<'a> {
    /// Reads from what was set; defaults come from the table.
    pub fn new(map: &'a Map<String, Value>) -> Self {
        Self { map: Cow::Borrowed(map), errors: Vec::new() }
    }

    /// Reads from what was set and keeps it.
    pub fn owned(map: Map<String, Value>) -> Self {
        Self { map: Cow::Owned(map), errors: Vec::new() }
    }

    /// Whether the conf says anything about the key; null says nothing, as in Storm.
    pub fn is_set(&self, key: &Key) -> bool {
        self.map.get(key.name).is_some_and(|value| !value.is_null())
    }

    /// Whether the conf says null, which a few keys understand.
    pub fn is_null(&self, key: &Key) -> bool {
        self.map.get(key.name).is_some_and(Value::is_null)
    }

    /// A truth value.
    pub fn flag(&mut self, key: &Key) -> bool {
        match self.read(key) {
            Some(Parsed::Flag(flag)) => flag,
            _ => mismatch(key, "a flag with a default"),
        }
    }

    /// A whole number.
    pub fn count(&mut self, key: &Key) -> u32 {
        match self.read(key) {
            Some(Parsed::Count(count)) => count,
            _ => mismatch(key, "a count with a default"),
        }
    }

    /// A whole number, if there is one.
    pub fn count_if_set(&mut self, key: &Key) -> Option<u32> {
        match self.read(key)? {
            Parsed::Count(count) => Some(count),
            _ => mismatch(key, "a count"),
        }
    }

    /// A size in bytes.
    pub fn bytes(&mut self, key: &Key) -> u64 {
        match self.read(key) {
            Some(Parsed::Bytes(bytes)) => bytes,
            _ => mismatch(key, "a size with a default"),
        }
    }

    /// A TCP port, 0 only where the key allows it.
    pub fn port(&mut self, key: &Key) -> u16 {
        match self.read(key) {
            Some(Parsed::Port(port)) => port,
            _ => mismatch(key, "a port with a default"),
        }
    }

    /// TCP ports.
    pub fn ports(&mut self, key: &Key) -> Vec<u16> {
        match self.read(key) {
            Some(Parsed::Ports(ports)) => ports,
            _ => mismatch(key, "ports with a default"),
        }
    }

    /// A number from 0 on.
    pub fn real(&mut self, key: &Key) -> f64 {
        match self.read(key) {
            Some(Parsed::Real(number)) => number,
            _ => mismatch(key, "a number with a default"),
        }
    }

    /// A number above 0 and up to 1.
    pub fn ratio(&mut self, key: &Key) -> f64 {
        match self.read(key) {
            Some(Parsed::Real(number)) => number,
            _ => mismatch(key, "a ratio with a default"),
        }
    }

    /// A length of time.
    pub fn span(&mut self, key: &Key) -> Duration {
        match self.read(key) {
            Some(Parsed::Span(span)) => span,
            _ => mismatch(key, "a span with a default"),
        }
    }

    /// A length of time, if there is one.
    pub fn span_if_set(&mut self, key: &Key) -> Option<Duration> {
        match self.read(key)? {
            Parsed::Span(span) => Some(span),
            _ => mismatch(key, "a span"),
        }
    }

    /// A text, if there is one.
    pub fn text_if_set(&mut self, key: &Key) -> Option<String> {
        match self.read(key)? {
            Parsed::Text(text) => Some(text),
            _ => mismatch(key, "a text"),
        }
    }

    /// A text.
    pub fn text(&mut self, key: &Key) -> String {
        match self.text_if_set(key) {
            Some(text) => text,
            None => mismatch(key, "a text with a default"),
        }
    }

    /// Several texts, if there are any.
    pub fn texts_if_set(&mut self, key: &Key) -> Option<Vec<String>> {
        match self.read(key)? {
            Parsed::Texts(texts) => Some(texts),
            _ => mismatch(key, "texts"),
        }
    }

    /// Numbers by name, if there are any.
    pub fn amounts_if_set(&mut self, key: &Key) -> Option<BTreeMap<String, f64>> {
        match self.read(key)? {
            Parsed::Amounts(amounts) => Some(amounts),
            _ => mismatch(key, "amounts"),
        }
    }

    /// A text that `accept` turns into something else, or `None` if neither set nor defaulted.
    pub fn word<T>(&mut self, key: &Key, accept: impl Fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text_if_set(key)?;
        let accepted = accept(&text);
        if accepted.is_none() {
            let found = Value::String(text);
            self.errors.push(ConfError::out_of_range(key.name, &found, key.kind.accepted()));
        }
        accepted.or_else(|| match key.default {
            Fallback::Text(text) => accept(text),
            _ => None,
        })
    }

    /// Records that a value which is fine by itself contradicts another one.
    pub fn contradiction(&mut self, key: &Key, accepted: String) {
        let found = self.map.get(key.name).unwrap_or(&Value::Null);
        self.errors.push(ConfError::out_of_range(key.name, found, accepted));
    }

    /// What was wrong with the values read so far.
    pub fn into_errors(self) -> Vec<ConfError> {
        self.errors
    }

    fn read(&mut self, key: &Key) -> Option<Parsed> {
        if self.is_set(key) {
            let found = &self.map[key.name];
            match parse(key.kind, found) {
                Ok(parsed) => return Some(parsed),
                Err(fault) => self.errors.push(fault.into_error(key, found)),
            }
        }
        default(key)
    }
}

fn mismatch(key: &Key, read_as: &str) -> ! {
    panic!("{} is read as {read_as}, which the table of keys does not say", key.name)
}

fn default(key: &Key) -> Option<Parsed> {
    let value = key.default.to_value()?;
    match parse(key.kind, &value) {
        Ok(parsed) => Some(parsed),
        Err(_) => panic!("the default of {} is not what the key accepts", key.name),
    }
}

fn parse(kind: Kind, value: &Value) -> Result<Parsed, Fault> {
    match kind {
        Kind::Flag => value.as_bool().map(Parsed::Flag).ok_or(Fault::Type),
        Kind::Count { min } => whole(value, min).map(Parsed::Count),
        Kind::Size { unit } => {
            whole(value, 1).map(|count| Parsed::Bytes(u64::from(count) * unit.in_bytes()))
        }
        Kind::Ratio => {
            let number = number(value)?;
            let inside = number > 0.0 && number <= 1.0;
            if inside { Ok(Parsed::Real(number)) } else { Err(Fault::Range) }
        }
        Kind::Real => {
            let number = number(value)?;
            if number >= 0.0 { Ok(Parsed::Real(number)) } else { Err(Fault::Range) }
        }
        Kind::Port { min } => port(value, min).map(Parsed::Port),
        Kind::Ports => ports(value).map(Parsed::Ports),
        Kind::Span { unit, min, whole: true } => {
            whole(value, min).map(|count| Parsed::Span(whole_span(unit, count)))
        }
        Kind::Span { unit, min, whole: false } => {
            let number = ranged(value, min)?;
            Ok(Parsed::Span(Duration::from_secs_f64(number * unit.in_secs())))
        }
        Kind::Text | Kind::WaitStrategy | Kind::WaitProfile | Kind::Thread => {
            text(value).map(Parsed::Text)
        }
        Kind::Texts => {
            let texts = value.as_array().ok_or(Fault::Type)?;
            texts.iter().map(text).collect::<Result<_, _>>().map(Parsed::Texts)
        }
        Kind::Amounts => {
            let object = value.as_object().ok_or(Fault::Type)?;
            let amount = |(name, value): (&String, &Value)| Ok((name.clone(), number(value)?));
            object.iter().map(amount).collect::<Result<_, _>>().map(Parsed::Amounts)
        }
    }
}

fn text(value: &Value) -> Result<String, Fault> {
    let text = value.as_str().ok_or(Fault::Type)?;
    if text.is_empty() { Err(Fault::Range) } else { Ok(text.to_owned()) }
}

fn port(value: &Value, min: u16) -> Result<u16, Fault> {
    u16::try_from(whole(value, min.into())?).map_err(|_| Fault::Range)
}

fn ports(value: &Value) -> Result<Vec<u16>, Fault> {
    let values = value.as_array().ok_or(Fault::Type)?;
    let ports: Vec<u16> = values.iter().map(|value| port(value, 1)).collect::<Result<_, _>>()?;
    let distinct: BTreeSet<&u16> = ports.iter().collect();
    if distinct.len() == ports.len() { Ok(ports) } else { Err(Fault::Range) }
}

fn whole_span(unit: Unit, count: u32) -> Duration {
    match unit {
        Unit::Micros => Duration::from_micros(count.into()),
        Unit::Millis => Duration::from_millis(count.into()),
        Unit::Secs => Duration::from_secs(count.into()),
        Unit::Mins => Duration::from_secs(u64::from(count) * 60),
    }
}

fn whole(value: &Value, min: u32) -> Result<u32, Fault> {
    let number = ranged(value, min)?;
    if number.fract() != 0.0 {
        return Err(Fault::Type);
    }
    // In range and without a fraction, so the conversion is exact.
    Ok(number as u32)
}

fn ranged(value: &Value, min: u32) -> Result<f64, Fault> {
    let number = number(value)?;
    let inside = number >= f64::from(min) && number <= f64::from(i32::MAX);
    if inside { Ok(number) } else { Err(Fault::Range) }
}

/// A number however it is written. Infinity and NaN, which JSON cannot say, are no numbers.
fn number(value: &Value) -> Result<f64, Fault> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite()).ok_or(Fault::Type)
}
