//! Windows: what an event pays from its arrival until it has left its last window.
//!
//! The bolt looks at what is new and what has expired, as one does that keeps a running result; a
//! bolt that looks at the whole window pays for that itself.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use storm_runtime::window::{Activation, EventWindow, Extent, ProcessingWindow, WindowSpec};

/// Events per iteration.
const EVENTS: u64 = 10_000;

fn windows(criterion: &mut Criterion) {
    let seconds = |seconds| Extent::Time(Duration::from_secs(seconds));
    let by_count = WindowSpec::sliding(Extent::Count(1_000), Extent::Count(100));
    let by_count = by_count.expect("a window");
    let by_time = WindowSpec::sliding(seconds(10), seconds(1)).expect("a window");
    let mut group = criterion.benchmark_group("window");
    group.throughput(Throughput::Elements(EVENTS));
    for (name, spec) in [("1,000 sliding by 100", by_count), ("10 s sliding by 1 s", by_time)] {
        group.bench_function(format!("{name}, processing time"), |bencher| {
            let mut window = ProcessingWindow::new(spec, 0);
            let mut now_ms = 0;
            bencher.iter(|| {
                for _ in 0..EVENTS {
                    now_ms += 1;
                    window.add(now_ms, now_ms);
                    while let Some(activation) = window.next_activation() {
                        look(&activation);
                    }
                    window.take_left().for_each(|event| {
                        black_box(event);
                    });
                }
            });
        });
    }
    // A watermark each second of the events' own time, and each event up to 7 ms out of order.
    group.bench_function("10 s sliding by 1 s, event time", |bencher| {
        let mut window = EventWindow::new(by_time);
        let mut latest_ms = 0;
        bencher.iter(|| {
            for _ in 0..EVENTS {
                latest_ms += 1;
                window.add(latest_ms, latest_ms - latest_ms * 5 % 8);
                if latest_ms % 1_000 == 0 {
                    window.on_watermark(latest_ms - 8);
                    while let Some(activation) = window.next_activation() {
                        look(&activation);
                    }
                    window.take_left().for_each(|event| {
                        black_box(event);
                    });
                }
            }
        });
    });
    group.finish();
}

fn look(activation: &Activation<'_, i64>) {
    let new: i64 = activation.new_events().sum();
    let expired: i64 = activation.expired_events().sum();
    black_box(new - expired);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = windows
}
criterion_main!(benches);
