//! Files of properties as Java reads them: `name = value`, `name: value` or `name value`.
//!
//! A line that begins with `#` or `!` is a comment; a backslash at the end of a line continues it;
//! `\t`, `\n`, `\r`, `\f` and `\u0041` mean what they mean in Java, any other escaped character
//! itself. Unlike Java's reader, which expects Latin-1, the file is UTF-8.

use std::collections::BTreeMap;

/// Reads a text; nothing in it is an error, as in Java, except that the last of two equal names
/// counts.
pub fn parse_properties(text: &str) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    let mut lines = text.lines().map(str::trim_start);
    while let Some(line) = lines.next() {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut whole = line.to_owned();
        while is_continued(&whole) {
            whole.pop();
            let Some(next) = lines.next() else { break };
            whole.push_str(next);
        }
        let (name, value) = split(&whole);
        properties.insert(unescape(name), unescape(value));
    }
    properties
}

/// Whether a line ends in a backslash that is not itself escaped.
fn is_continued(line: &str) -> bool {
    let backslashes = line.len() - line.trim_end_matches('\\').len();
    backslashes % 2 == 1
}

/// Name and value, parted by the first `=`, `:` or blank that is not escaped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let ends = !escaped && (matches!(c, '=' | ':') || c.is_whitespace());
        escaped = c == '\\' && !escaped;
        ends
    });
    let (name, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (name, value.trim_start())
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                plain.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let properties = parse_properties(text);
        let properties: Vec<(&str, &str)> =
            properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(properties, expected);
    }

    #[test]
    fn the_three_ways_to_part_name_and_value_are_one() {
        check(
            "a=1\nb: 2\nc 3\n d  =  4 \ne",
            &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4 "), ("e", "")],
        );
        check("a.list.property: [\"x\", \"y\"]", &[("a.list.property", "[\"x\", \"y\"]")]);
        check("url=http://x:1/y=z", &[("url", "http://x:1/y=z")]);
    }

    #[test]
    fn comments_continued_lines_and_escapes_are_javas() {
        check("# a=1\n! b=2\n\n", &[]);
        check("a=one, \\\n   two\nb=3", &[("a", "one, two"), ("b", "3")]);
        check("a\\ b\\:c=d\\tE\\u0041\\\\", &[("a b:c", "d\tEA\\")]);
        check("a=\\ud800x\\", &[("a", "\u{fffd}x")]);
    }
}
