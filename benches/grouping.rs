//! Choosing a task: what each grouping pays per emitted tuple.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use storm_runtime::measured::Chooser;
use storm_runtime::topology::Grouping;
use storm_runtime::tuple::{Fields, Value};

/// Target tasks; no power of two, so that none divides cheaply.
const TARGETS: usize = 6;

/// Words as they come in a text, of one to twelve bytes.
const WORDS: [&str; 8] =
    ["a", "and", "firmament", "multitudes", "in", "the", "beginning", "generations."];

fn grouping(criterion: &mut Criterion) {
    let word = || Fields::from(["word"]);
    let groupings = [
        ("shuffle", Grouping::Shuffle),
        ("fields, one word", Grouping::Fields(word())),
        ("partial key, one word", Grouping::PartialKey(word())),
    ];
    let tuples: Vec<[Value; 1]> = WORDS.iter().map(|word| [Value::from(*word)]).collect();
    let mut group = criterion.benchmark_group("grouping");
    group.throughput(Throughput::Elements(tuples.len() as u64));
    for (name, grouping) in groupings {
        let mut chooser = Chooser::new(&grouping, word(), TARGETS);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for tuple in &tuples {
                    black_box(chooser.choose(black_box(tuple)));
                }
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = grouping
}
criterion_main!(benches);
