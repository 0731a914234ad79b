//! Values as recorded files write them: JSON with the Java type beside each value.
//!
//! The form is described in `tests/fixtures/storm/README.md`.

use serde_json::Value as Json;
use storm_runtime::tuple::Value;

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

/// The bytes of base64 with padding (RFC 4648, the standard alphabet).
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut held_bits) = (0_u32, 0);
    for digit in digits.bytes() {
        let six_bits = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = held << 6 | u32::from(six_bits);
        held_bits += 6;
        if held_bits >= 8 {
            held_bits -= 8;
            bytes.push((held >> held_bits) as u8);
        }
    }
    Some(bytes)
}

#[test]
fn base64_reads_every_length_of_padding() {
    assert_eq!(base64(""), Some(vec![]));
    assert_eq!(base64("Zg=="), Some(b"f".to_vec()));
    assert_eq!(base64("Zm8="), Some(b"fo".to_vec()));
    assert_eq!(base64("Zm9v"), Some(b"foo".to_vec()));
    assert_eq!(base64("+/8="), Some(vec![0xfb, 0xff]));
    assert_eq!(base64("Zg"), None);
    assert_eq!(base64("Z-=="), None);
}
