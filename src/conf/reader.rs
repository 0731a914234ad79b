//! Reading single values by the table of keys, and collecting what is wrong.
//!
//! **Invariants.** A wrong value is recorded once and replaced by the key's default, so that it
//! causes no second error.

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::ConfError;
use super::keys::{Fallback, Key, Kind, Unit};

/// A value in the form of its key.
enum Parsed {
    Flag(bool),
    Count(u32),
    Real(f64),
    Span(Duration),
    Text(String),
}

/// Why a value does not have the form of its key.
enum Fault {
    Type,
    Range,
}

/// Reads a conf key by key.
pub(super) struct Reader<'a> {
    map: &'a Map<String, Value>,
    errors: Vec<ConfError>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(map: &'a Map<String, Value>) -> Self {
        Self { map, errors: Vec::new() }
    }

    /// Whether the conf says anything about the key; null says nothing, as in Storm.
    pub(super) fn is_set(&self, key: &Key) -> bool {
        self.map.get(key.name).is_some_and(|value| !value.is_null())
    }

    pub(super) fn flag(&mut self, key: &Key) -> bool {
        match self.read(key) {
            Some(Parsed::Flag(flag)) => flag,
            _ => mismatch(key, "a flag with a default"),
        }
    }

    pub(super) fn count(&mut self, key: &Key) -> u32 {
        match self.read(key) {
            Some(Parsed::Count(count)) => count,
            _ => mismatch(key, "a count with a default"),
        }
    }

    pub(super) fn count_if_set(&mut self, key: &Key) -> Option<u32> {
        match self.read(key)? {
            Parsed::Count(count) => Some(count),
            _ => mismatch(key, "a count"),
        }
    }

    pub(super) fn ratio(&mut self, key: &Key) -> f64 {
        match self.read(key) {
            Some(Parsed::Real(number)) => number,
            _ => mismatch(key, "a ratio with a default"),
        }
    }

    pub(super) fn span(&mut self, key: &Key) -> Duration {
        match self.read(key) {
            Some(Parsed::Span(span)) => span,
            _ => mismatch(key, "a span with a default"),
        }
    }

    pub(super) fn span_if_set(&mut self, key: &Key) -> Option<Duration> {
        match self.read(key)? {
            Parsed::Span(span) => Some(span),
            _ => mismatch(key, "a span"),
        }
    }

    pub(super) fn text_if_set(&mut self, key: &Key) -> Option<String> {
        match self.read(key)? {
            Parsed::Text(text) => Some(text),
            _ => mismatch(key, "a text"),
        }
    }

    /// A text that `accept` turns into something else, or `None` if neither set nor defaulted.
    pub(super) fn word<T>(&mut self, key: &Key, accept: impl Fn(&str) -> Option<T>) -> Option<T> {
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
    pub(super) fn contradiction(&mut self, key: &Key, accepted: String) {
        let found = self.map.get(key.name).unwrap_or(&Value::Null);
        self.errors.push(ConfError::out_of_range(key.name, found, accepted));
    }

    pub(super) fn into_errors(self) -> Vec<ConfError> {
        self.errors
    }

    fn read(&mut self, key: &Key) -> Option<Parsed> {
        if self.is_set(key) {
            let found = &self.map[key.name];
            match parse(key.kind, found) {
                Ok(parsed) => return Some(parsed),
                Err(Fault::Type) => {
                    self.errors.push(ConfError::wrong_type(key.name, found, key.kind.accepted()));
                }
                Err(Fault::Range) => {
                    self.errors.push(ConfError::out_of_range(key.name, found, key.kind.accepted()));
                }
            }
        }
        default(key)
    }
}

fn mismatch(key: &Key, read_as: &str) -> ! {
    panic!("{} is read as {read_as}, which the table of keys does not say", key.name)
}

fn default(key: &Key) -> Option<Parsed> {
    let value = match key.default {
        Fallback::Unset => return None,
        Fallback::Flag(flag) => Value::from(flag),
        Fallback::Whole(number) => Value::from(number),
        Fallback::Real(number) => Value::from(number),
        Fallback::Text(text) => Value::from(text),
    };
    match parse(key.kind, &value) {
        Ok(parsed) => Some(parsed),
        Err(_) => panic!("the default of {} is not what the key accepts", key.name),
    }
}

fn parse(kind: Kind, value: &Value) -> Result<Parsed, Fault> {
    match kind {
        Kind::Flag => value.as_bool().map(Parsed::Flag).ok_or(Fault::Type),
        Kind::Count { min } => whole(value, min).map(Parsed::Count),
        Kind::Ratio => {
            let number = number(value)?;
            let inside = number > 0.0 && number <= 1.0;
            if inside { Ok(Parsed::Real(number)) } else { Err(Fault::Range) }
        }
        Kind::Span { unit, min, whole: true } => {
            whole(value, min).map(|count| Parsed::Span(whole_span(unit, count)))
        }
        Kind::Span { unit, min, whole: false } => {
            let number = ranged(value, min)?;
            Ok(Parsed::Span(Duration::from_secs_f64(number * unit.in_secs())))
        }
        Kind::Text | Kind::WaitStrategy | Kind::WaitProfile | Kind::Thread => {
            let text = value.as_str().ok_or(Fault::Type)?;
            if text.is_empty() { Err(Fault::Range) } else { Ok(Parsed::Text(text.to_owned())) }
        }
    }
}

fn whole_span(unit: Unit, count: u32) -> Duration {
    match unit {
        Unit::Micros => Duration::from_micros(count.into()),
        Unit::Millis => Duration::from_millis(count.into()),
        Unit::Secs => Duration::from_secs(count.into()),
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
