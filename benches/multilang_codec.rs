//! Tuples per second through the codec of multilang, per framing and direction.
//!
//! A tuple is a word and a number. `host` is what a host does for a child that answers each tuple
//! with one emission: it writes a batch of tuples, and reads as many answers.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use storm_runtime::multilang::{
    ChildReader, ChildWriter, DEFAULT_MAX_MESSAGE_BYTES, Framing, HostReader, HostWriter,
    SourceTask, TupleId,
};
use storm_runtime::tuple::Value;

const FRAMINGS: [Framing; 3] = [Framing::Json, Framing::MessagePack, Framing::Binary];
const BATCH: i64 = 128;

fn values() -> [Value; 2] {
    ["overjumped".into(), 1_234_567i64.into()]
}

fn write_tuples(writer: &mut HostWriter, values: &[Value]) {
    let source = SourceTask { component: "lines", stream: "default", task: 3 };
    for id in 0..BATCH {
        writer.tuple(id, source, values).expect("it can be sent");
    }
}

fn write_answers(writer: &mut ChildWriter, values: &[Value]) {
    for id in 0..BATCH {
        writer.answered(&TupleId::Number(id), Some(values)).expect("it can be sent");
    }
}

fn bench(criterion: &mut Criterion) {
    let values = values();
    for framing in FRAMINGS {
        let mut group = criterion.benchmark_group(format!("multilang/{framing}"));
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function("host writes tuples", |bencher| {
            let mut writer = HostWriter::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
            bencher.iter(|| {
                write_tuples(&mut writer, &values);
                let bytes = black_box(writer.pending()).len();
                writer.sent(bytes);
            });
        });
        group.bench_function("host reads answers", |bencher| {
            let mut writer = ChildWriter::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
            write_answers(&mut writer, &values);
            let mut reader = HostReader::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
            bencher.iter(|| {
                reader.push(writer.pending());
                while let Some(message) = reader.next_message().expect("a message") {
                    black_box(message);
                }
            });
        });
        group.bench_function("child reads tuples", |bencher| {
            let mut writer = HostWriter::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
            write_tuples(&mut writer, &values);
            let mut reader = ChildReader::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
            bencher.iter(|| {
                reader.push(writer.pending());
                while let Some(message) = reader.next_message().expect("a message") {
                    black_box(message);
                }
            });
        });
        group.bench_function("child writes answers", |bencher| {
            let mut writer = ChildWriter::new(framing, DEFAULT_MAX_MESSAGE_BYTES);
            bencher.iter(|| {
                write_answers(&mut writer, &values);
                let bytes = black_box(writer.pending()).len();
                writer.sent(bytes);
            });
        });
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
