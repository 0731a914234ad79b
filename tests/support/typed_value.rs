//! Values as recorded files write them: JSON with the Java type beside each value.
//!
//! The form is described in `tests/fixtures/storm/README.md`.

use serde_json::Value as Json;
use storm_runtime::tuple::Value;

use super::base64::base64;

/// The value that a recorded one stands for.
///
/// # Panics
/// If it is not in the recorded form, with `place` (where it was read) in the message.
pub fn parse(recorded: &Json, place: &str) -> Value {
    let malformed = || -> ! { panic!("{place}: not a recorded value: {recorded}") };
    let text = || recorded["value"].as_str().unwrap_or_else(|| malformed());
    let elements = || recorded["value"].as_array().unwrap_or_else(|| malformed());
    match recorded["type"].as_str() {
        Some("null") => Value::null(),
        Some("bool") => Value::from(recorded["value"].as_bool().unwrap_or_else(|| malformed())),
        Some("int") => Value::from(text().parse::<i32>().unwrap_or_else(|_| malformed())),
        Some("long") => Value::from(text().parse::<i64>().unwrap_or_else(|_| malformed())),
        Some("double") => Value::from(double(recorded).unwrap_or_else(|| malformed())),
        Some("string") => Value::from(text()),
        Some("bytes") => Value::bytes(&base64(text()).unwrap_or_else(|| malformed())),
        Some("list") => {
            let elements: Vec<_> = elements().iter().map(|element| parse(element, place)).collect();
            Value::list(elements)
        }
        Some("map") => {
            let pair = |pair: &Json| match pair.as_array().map(Vec::as_slice) {
                Some([key, value]) => (parse(key, place), parse(value, place)),
                _ => malformed(),
            };
            let pairs: Vec<_> = elements().iter().map(pair).collect();
            Value::map(pairs)
        }
        _ => malformed(),
    }
}

/// The number with the recorded bits.
fn double(recorded: &Json) -> Option<f64> {
    let bits = recorded["bits"].as_str()?;
    u64::from_str_radix(bits, 16).ok().map(f64::from_bits)
}
