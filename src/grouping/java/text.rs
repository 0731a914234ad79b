//! `String.valueOf` of a value, as Java 17 writes it.

use std::fmt::Write;

use super::decimal::{double_text, float_text};
use super::{bytes_hash, java_hash};
use crate::tuple::{Value, ValueRef};

/// Appends `String.valueOf(value)`: Java's `toString()`, and "null" for null.
///
/// A map is written in the order in which a `java.util.HashMap` iterates that was made with the
/// default capacity and filled with the pairs in the given order. Assumed are distinct keys and
/// fewer than nine keys in one bucket once the table has 64 buckets (beyond that Java turns the
/// bucket into a tree and its order depends on the history of the tree). Another kind of Java map,
/// or a `HashMap` presized or shrunk, may print in another order.
///
/// A byte array, whose Java text shows an identity, is `[B@` and its content hash in hexadecimal.
///
/// # Cost
/// Scalars and strings allocate only what `out` needs to grow; lists add nothing to that, a map
/// allocates its order.
pub fn java_text(value: &Value, out: &mut String) {
    match value.view() {
        ValueRef::Null => out.push_str("null"),
        ValueRef::Bool(truth) => out.push_str(if truth { "true" } else { "false" }),
        ValueRef::I32(number) => push_formatted(out, format_args!("{number}")),
        ValueRef::I64(number) => push_formatted(out, format_args!("{number}")),
        ValueRef::F32(number) => float_text(number, out),
        ValueRef::F64(number) => double_text(number, out),
        ValueRef::Str(text) => out.push_str(text),
        ValueRef::Bytes(bytes) => push_formatted(out, format_args!("[B@{:x}", bytes_hash(bytes))),
        ValueRef::List(elements) => list_text(elements, out),
        ValueRef::Map(entries) => map_text(entries, out),
        ValueRef::Object(object) => out.push_str(&object.java_text()),
    }
}

fn list_text(elements: &[Value], out: &mut String) {
    out.push('[');
    for (i, element) in elements.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        java_text(element, out);
    }
    out.push(']');
}

fn map_text(entries: &[(Value, Value)], out: &mut String) {
    out.push('{');
    for (i, position) in hash_map_order(entries).into_iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        let (key, value) = &entries[position];
        java_text(key, out);
        out.push('=');
        java_text(value, out);
    }
    out.push('}');
}

/// The positions of the entries in the order in which `java.util.HashMap` iterates.
fn hash_map_order(entries: &[(Value, Value)]) -> Vec<usize> {
    let hashes: Vec<u32> = entries
        .iter()
        .map(|(key, _)| {
            let hash = java_hash(key) as u32;
            hash ^ (hash >> 16)
        })
        .collect();
    let mask = hash_map_capacity(&hashes) as u32 - 1;
    let mut order: Vec<usize> = (0..entries.len()).collect();
    // The sort is stable, as a bucket keeps the order of insertion, also when the table grows.
    order.sort_by_key(|&position| hashes[position] & mask);
    order
}

/// Buckets of a `HashMap` after keys with these spread hashes were put into it, one by one.
fn hash_map_capacity(hashes: &[u32]) -> usize {
    const INITIAL_CAPACITY: usize = 16;
    const CROWDED_BUCKET: u32 = 8;
    const TREE_CAPACITY: usize = 64;

    let bucket_sizes = |capacity: usize, hashes: &[u32]| {
        let mut sizes = vec![0_u32; capacity];
        for hash in hashes {
            sizes[*hash as usize & (capacity - 1)] += 1;
        }
        sizes
    };
    let mut sizes = vec![0_u32; INITIAL_CAPACITY];
    for (put, hash) in hashes.iter().enumerate() {
        let bucket = *hash as usize & (sizes.len() - 1);
        let crowded = sizes[bucket] >= CROWDED_BUCKET && sizes.len() < TREE_CAPACITY;
        sizes[bucket] += 1;
        let put = put + 1;
        // A small table grows rather than turn a crowded bucket into a tree.
        if crowded {
            sizes = bucket_sizes(sizes.len() * 2, &hashes[..put]);
        }
        if put > sizes.len() / 4 * 3 {
            sizes = bucket_sizes(sizes.len() * 2, &hashes[..put]);
        }
    }
    sizes.len()
}

pub(super) fn push_formatted(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected texts were printed by OpenJDK 17.0.15.

    #[track_caller]
    fn check_text(value: impl Into<Value>, expected: &str) {
        let mut text = String::new();
        java_text(&value.into(), &mut text);
        assert_eq!(text, expected);
    }

    fn pairs<K: Into<Value>>(keys: impl IntoIterator<Item = K>) -> Value {
        let numbered = keys.into_iter().zip(1_i32..);
        let pairs: Vec<_> = numbered.map(|(key, n)| (key.into(), n.into())).collect();
        Value::map(pairs)
    }

    #[test]
    fn values_print_as_in_java() {
        check_text(
            Value::list(vec![
                Value::null(),
                true.into(),
                1.into(),
                (-1_i64).into(),
                1.5_f32.into(),
                2.0E-3.into(),
                "x".into(),
                Value::list(vec![]),
            ]),
            "[null, true, 1, -1, 1.5, 0.002, x, []]",
        );
        check_text(Value::map(vec![]), "{}");
    }

    #[test]
    fn equal_byte_arrays_print_alike() {
        check_text(Value::bytes(&[1, 2, 3]), "[B@7861");
        check_text(Value::bytes(&[]), "[B@1");
    }

    #[test]
    fn maps_print_in_the_order_of_a_hash_map() {
        let words = [
            "storm",
            "bolt",
            "spout",
            "tuple",
            "stream",
            "acker",
            "worker",
            "nimbus",
            "supervisor",
            "executor",
            "task",
            "grouping",
            "slot",
        ];
        check_text(
            pairs(words[..12].iter().copied()),
            "{tuple=4, nimbus=8, storm=1, acker=6, task=11, stream=5, executor=10, spout=3, bolt=2, \
             worker=7, grouping=12, supervisor=9}",
        );
        // The thirteenth pair doubles the table.
        check_text(
            pairs(words),
            "{nimbus=8, storm=1, slot=13, grouping=12, tuple=4, acker=6, task=11, stream=5, \
             executor=10, spout=3, bolt=2, worker=7, supervisor=9}",
        );
        let keys = [
            Value::null(),
            true.into(),
            (-1_i32).into(),
            (-1_i64).into(),
            1.5.into(),
            Value::list(vec![1.into(), 2.into()]),
        ];
        check_text(pairs(keys), "{null=1, -1=3, -1=4, [1, 2]=6, 1.5=5, true=2}");
    }

    #[test]
    fn a_crowded_bucket_of_a_small_map_doubles_the_table() {
        check_text(
            pairs([16, 3, 32, 48, 0, 64, 80, 96, 112, 128, 19]),
            "{32=3, 0=5, 64=6, 96=8, 128=10, 3=2, 16=1, 48=4, 80=7, 112=9, 19=11}",
        );
    }
}
