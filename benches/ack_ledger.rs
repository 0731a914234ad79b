//! The ledger of tuple trees: what an acker pays per tree.
//!
//! As many trees are pending as a busy spout has, so that the ledger's memory is walked through and
//! not hit at one place.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use storm_runtime::id::{RootId, TaskId};
use storm_runtime::measured::Ledger;

/// Trees pending at once, and trees per iteration.
const PENDING: u32 = 4_096;

fn ledger(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ack ledger");
    group.throughput(Throughput::Elements(PENDING.into()));
    group.bench_function("init and ack", |bencher| {
        run(bencher, |ledger, root, edge| ledger.ack(root, edge));
    });
    // The tuple is split in two, and both halves are consumed.
    group.bench_function("trees of 3 tuples", |bencher| {
        run(bencher, |ledger, root, edge| {
            let (one, other) = (edge.rotate_left(17), edge.rotate_left(43));
            ledger.ack(root, edge ^ one ^ other) | ledger.ack(root, one) | ledger.ack(root, other)
        });
    });
    group.finish();
}

/// Announces all trees, then has `complete` ack each of them.
fn run(bencher: &mut criterion::Bencher<'_>, complete: fn(&mut Ledger, RootId, u64) -> bool) {
    let mut ledger = Ledger::new(TaskId(1));
    let mut generation = 0;
    bencher.iter(|| {
        generation += 1;
        for slot in 0..PENDING {
            let root = ledger.root(generation, slot);
            black_box(ledger.init(root, edge(generation, slot)));
        }
        let mut completed = 0;
        for slot in 0..PENDING {
            let root = ledger.root(generation, slot);
            completed += u32::from(complete(&mut ledger, root, edge(generation, slot)));
        }
        assert_eq!(completed, PENDING);
    });
}

/// A number that is as good as random, and never zero.
fn edge(generation: u32, slot: u32) -> u64 {
    (u64::from(generation) << 32 | u64::from(slot)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = ledger
}
criterion_main!(benches);
