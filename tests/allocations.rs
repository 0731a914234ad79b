//! In steady state a tuple costs no allocation: a counting allocator proves it.
//!
//! Each topology runs until it is warm; then every allocation and reallocation of the whole process
//! is counted while some hundred thousand tuples pass, and there must be none. A queue that once more
//! becomes longer than it ever was may spoil a measurement, not several in a row.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use storm_runtime::clock::Clock;
use storm_runtime::local::TopologyStats;
use storm_runtime::prelude::*;
use storm_runtime::tuple::IntoValues;

/// Counts what it is asked for.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tests take turns, since all of them count in one place.
static TURN: Mutex<()> = Mutex::new(());

const DEADLINE: Duration = Duration::from_secs(60);
/// Times that a topology which is still filling a queue higher than before is measured anew.
const TRIES: usize = 5;
const WARM: u64 = if cfg!(debug_assertions) { 100_000 } else { 400_000 };
const MEASURED: u64 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };

const FIELDS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Emits tuples of one value or of eight.
struct Constant {
    wide: bool,
    acked: bool,
    next: u64,
}

impl Spout for Constant {
    fn declare(&self, declare: &mut Declarer) {
        declare_width(self.wide, declare);
    }

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        self.next += 1;
        match (self.wide, self.acked) {
            (false, false) => out.emit(["sixteen byte text"]),
            (false, true) => out.emit_with_id(["sixteen byte text"], self.next),
            (true, false) => out.emit(wide(self.next as i64)),
            (true, true) => out.emit_with_id(wide(self.next as i64), self.next),
        }
        Ok(Next::Emitted)
    }
}

fn wide(number: i64) -> impl IntoValues {
    let bytes = Value::bytes(b"22 bytes live inside..");
    (number, "a text", 1.5, true, number as i32, "a text of 22 bytes len", bytes, Value::null())
}

fn declare_width(wide: bool, declare: &mut Declarer) {
    match wide {
        true => declare.output(FIELDS),
        false => declare.output(["a"]),
    };
}

/// Passes a tuple on.
struct Id {
    wide: bool,
}

impl BasicBolt for Id {
    fn declare(&self, declare: &mut Declarer) {
        declare_width(self.wide, declare);
    }

    fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
        out.emit(tuple.values());
        Ok(())
    }
}

/// Passes a tuple on, and acks it.
struct OwnedId {
    wide: bool,
}

impl Bolt for OwnedId {
    fn declare(&self, declare: &mut Declarer) {
        declare_width(self.wide, declare);
    }

    fn execute(&mut self, tuple: Tuple, out: &mut Collector) -> Result {
        out.emit(&tuple, tuple.values());
        out.ack(tuple);
        Ok(())
    }
}

/// Does nothing.
struct Null;

impl BasicBolt for Null {
    fn execute(&mut self, _tuple: TupleRef<'_>, _out: &mut BasicCollector<'_>) -> Result {
        Ok(())
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
struct Case {
    threads: usize,
    acked: bool,
    ackers: u64,
    wide: bool,
    middle: Middle,
    grouping: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum Middle {
    None,
    Basic,
    Owned,
}

const CASE: Case = Case {
    threads: 1,
    acked: true,
    ackers: 1,
    wide: false,
    middle: Middle::None,
    grouping: "shuffle",
};

#[track_caller]
fn check(case: Case) {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let Case { acked, wide, .. } = case;
    let mut builder = TopologyBuilder::new();
    builder
        .conf("topology.worker.threads", case.threads)
        .conf("topology.acker.executors", case.ackers)
        .conf("topology.max.spout.pending", 2_000);
    builder.spout("spout", move || Constant { wide, acked, next: 0 });
    let from = match case.middle {
        Middle::None => "spout",
        Middle::Basic => {
            builder.bolt("id", move || Id { wide }).shuffle("spout");
            "id"
        }
        Middle::Owned => {
            builder.bolt("id", move || OwnedId { wide }).shuffle("spout");
            "id"
        }
    };
    let null = builder.bolt("null", || Null);
    match case.grouping {
        "shuffle" => null.shuffle(from),
        "fields" => null.parallelism(2).fields(from, ["a"]),
        _ => null.parallelism(2).all(from),
    };
    let cluster = LocalCluster::new();
    let running = cluster.submit("allocations", &builder.build().expect("sound")).expect("free");
    let reach = |goal: u64| {
        let there = |stats: &TopologyStats| stats.executed("null") >= goal;
        assert!(running.wait_until(DEADLINE, there), "{case:?}: {:#?}", running.stats());
    };
    reach(WARM);
    let mut allocations = u64::MAX;
    for _ in 0..TRIES {
        let begin = running.stats().executed("null");
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        pass_tuples(MEASURED);
        let after = ALLOCATIONS.load(Ordering::Relaxed);
        let passed = running.stats().executed("null") - begin;
        assert!(passed > 1_000, "{case:?}: only {passed} tuples passed");
        allocations = allocations.min(after - before);
        if allocations == 0 {
            return;
        }
    }
    panic!("{case:?}: {allocations} allocations");
}

/// Waits as long as that many tuples take, and allocates nothing itself; reading statistics would.
fn pass_tuples(tuples: u64) {
    let clock = Clock::system();
    let per_tuple = Duration::from_nanos(if cfg!(debug_assertions) { 2_000 } else { 100 });
    let end = clock.now() + per_tuple * tuples as u32;
    while clock.now() < end {
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

#[test]
fn from_spout_to_bolt_nothing_is_allocated() {
    for threads in [1, 2] {
        for (acked, ackers) in [(false, 1), (true, 1), (true, 0)] {
            check(Case { threads, acked, ackers, ..CASE });
        }
    }
}

#[test]
fn through_a_basic_bolt_nothing_is_allocated() {
    for threads in [1, 2] {
        for acked in [false, true] {
            check(Case { threads, acked, middle: Middle::Basic, ..CASE });
        }
    }
}

#[test]
fn through_a_bolt_that_owns_its_tuples_nothing_is_allocated() {
    for threads in [1, 2] {
        for acked in [false, true] {
            check(Case { threads, acked, middle: Middle::Owned, ..CASE });
        }
    }
}

#[test]
fn tuples_of_eight_values_are_not_allocated() {
    for middle in [Middle::None, Middle::Basic, Middle::Owned] {
        check(Case { threads: 2, wide: true, middle, ..CASE });
    }
}

#[test]
fn groupings_with_several_targets_allocate_nothing() {
    for grouping in ["fields", "all"] {
        check(Case { threads: 2, grouping, middle: Middle::Basic, ..CASE });
    }
}
