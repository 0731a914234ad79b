//! Base64, in which recorded files write bytes.

/// The bytes of base64 with padding (RFC 4648, the standard alphabet).
pub fn base64(text: &str) -> Option<Vec<u8>> {
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
