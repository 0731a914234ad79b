//! The wire codec: what a hop to another worker pays per tuple before any byte moves.
//!
//! Buffers are reused as the transfer reuses them, so encoding allocates nothing here, and decoding
//! only what the values themselves need.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use storm_runtime::tuple::Value;
use storm_runtime::tuple::codec::{Limits, ObjectReaders, decode, encode};

fn tuples() -> [(&'static str, Vec<Value>); 3] {
    let mixed = vec![
        "article-17".into(),
        "a sentence that does not fit into a value".into(),
        7i32.into(),
        1_763_740_800_000i64.into(),
        4.5f64.into(),
        true.into(),
        Value::bytes(&[9; 16]),
        Value::list(["storm".into(), 1i64.into(), Value::null()]),
    ];
    [
        ("one string", vec!["the cow jumped".into()]),
        ("word and count", vec!["word".into(), 1_042i64.into()]),
        ("eight mixed values", mixed),
    ]
}

fn codec(criterion: &mut Criterion) {
    let (limits, readers) = (Limits::default(), ObjectReaders::default());
    for (name, tuple) in tuples() {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        let mut bytes = Vec::new();
        group.bench_function("encode", |bencher| {
            bencher.iter(|| {
                bytes.clear();
                encode(black_box(&tuple), &mut bytes).expect("the tuple is encodable");
                black_box(&bytes);
            });
        });
        let mut bytes = Vec::new();
        encode(&tuple, &mut bytes).expect("the tuple is encodable");
        let mut values = Vec::new();
        group.bench_function("decode", |bencher| {
            bencher.iter(|| {
                values.clear();
                decode(black_box(&bytes), &limits, &readers, &mut values)
                    .expect("the bytes are an encoding");
                black_box(&values);
            });
        });
        group.finish();
    }
}

criterion_group!(benches, codec);
criterion_main!(benches);
