//! The one table of configuration keys: name, form, default, scope, meaning.
//!
//! [`TopologyConf`](super::TopologyConf) reads by it, error messages quote it, and
//! [`markdown`] prints it, so that code and documentation cannot disagree.
//!
//! **Invariants.** Names, forms and defaults of Storm's keys are those of Apache Storm 2.8
//! (`conf/defaults.yaml`); where ours differ, the meaning says so. [`ALL`] is sorted by name.
//!
//! **Not here.** Keys of daemons (`nimbus.*`, `supervisor.*`), which no topology reads.

use std::fmt::Write;

/// The form a value must have; numbers may come as JSON integers, floats or numeric strings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// An integer from `min` to 2147483647, which is as far as Storm's own check goes.
    Count {
        /// The least value that is accepted.
        min: u32,
    },
    /// A number above 0 and up to 1.
    Ratio,
    /// A length of time counted in `unit`.
    Span {
        /// What the number counts.
        unit: Unit,
        /// The least value that is accepted, in units.
        min: u32,
        /// Whether a fraction of a unit is refused, as Storm does for most keys.
        whole: bool,
    },
    /// A text that is not empty.
    Text,
    /// The class name of a wait strategy, with or without its package.
    WaitStrategy,
    /// `parked`, `spin-then-park` or `spin`.
    WaitProfile,
    /// `shared`, `own`, or the name of a group of components that share a thread.
    Thread,
}

impl Kind {
    /// The accepted form in words, as error messages and the documentation give it.
    pub fn accepted(&self) -> String {
        match self {
            Kind::Flag => "true or false".to_owned(),
            Kind::Count { min } => format!("an integer from {min} to {}", i32::MAX),
            Kind::Ratio => "a number above 0 and up to 1".to_owned(),
            Kind::Span { unit, min, whole } => {
                let number = if *whole { "an integer" } else { "a number" };
                format!("{number} of {} from {min} to {}", unit.plural(), i32::MAX)
            }
            Kind::Text => "a text that is not empty".to_owned(),
            Kind::WaitStrategy => "WaitStrategyProgressive or WaitStrategyPark".to_owned(),
            Kind::WaitProfile => "parked, spin-then-park or spin".to_owned(),
            Kind::Thread => "shared, own, or a group's name of letters, digits, - and _".to_owned(),
        }
    }
}

/// The unit in which a key counts time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A millionth of a second.
    Micros,
    /// A thousandth of a second.
    Millis,
    /// A second.
    Secs,
}

impl Unit {
    /// Seconds in one unit.
    pub(super) const fn in_secs(self) -> f64 {
        match self {
            Unit::Micros => 1e-6,
            Unit::Millis => 1e-3,
            Unit::Secs => 1.0,
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Unit::Micros => "microseconds",
            Unit::Millis => "milliseconds",
            Unit::Secs => "seconds",
        }
    }
}

/// What counts while a key is absent or null.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fallback {
    /// Nothing: the meaning says what follows from that.
    Unset,
    /// A truth value.
    Flag(bool),
    /// A whole number, in the key's unit.
    Whole(u32),
    /// A number that need not be whole.
    Real(f64),
    /// A text.
    Text(&'static str),
}

/// Who may set a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The topology alone; a component that sets it is not heard, and a warning says so.
    Topology,
    /// The topology, and a component for itself.
    Component,
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Apache Storm.
    Storm,
    /// This runtime; Apache Storm ignores it.
    Ours,
}

/// One configuration key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key {
    /// The name as it is written in a conf.
    pub name: &'static str,
    /// The form its value must have.
    pub kind: Kind,
    /// What counts while it is absent or null.
    pub default: Fallback,
    /// Who may set it.
    pub scope: Scope,
    /// Where it comes from.
    pub origin: Origin,
    /// What it does, in one or two sentences.
    pub meaning: &'static str,
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        self.name
    }
}

const COUNT: Kind = Kind::Count { min: 0 };
const POSITIVE: Kind = Kind::Count { min: 1 };
const MILLIS: Kind = span(Unit::Millis, 0);
const POSITIVE_MILLIS: Kind = span(Unit::Millis, 1);
const PARK: Kind = Kind::Span { unit: Unit::Micros, min: 0, whole: false };
const SLEEP: Kind = Kind::Span { unit: Unit::Millis, min: 0, whole: false };
const FRACTIONAL_SECS: Kind = Kind::Span { unit: Unit::Secs, min: 0, whole: false };
const PROGRESSIVE: Fallback = Fallback::Text("org.apache.storm.policy.WaitStrategyProgressive");

const fn span(unit: Unit, min: u32) -> Kind {
    Kind::Span { unit, min, whole: true }
}

/// Declares each key as a constant and lists all of them, so that none can be left out.
macro_rules! keys {
    ($($ident:ident = $name:literal, $kind:expr, $default:expr, $scope:ident, $origin:ident, $meaning:literal;)+) => {
        $(
            #[doc = concat!("`", $name, "`: ", $meaning)]
            pub const $ident: Key = Key {
                name: $name,
                kind: $kind,
                default: $default,
                scope: Scope::$scope,
                origin: Origin::$origin,
                meaning: $meaning,
            };
        )+

        /// Every key that the runtime reads, sorted by name.
        pub const ALL: &[Key] = &[$($ident),+];
    };
}

keys! {
    ACKER_EXECUTORS = "topology.acker.executors", COUNT, Fallback::Unset, Topology, Storm,
        "Executors of the acker. Unset: as many as workers. 0: tuples are not tracked, and a spout's message is acked when it is emitted.";
    BACKPRESSURE_PARK = "topology.backpressure.wait.park.microsec", PARK, Fallback::Whole(100), Topology, Storm,
        "How long WaitStrategyPark parks while a receiver is full; 0 spins.";
    BACKPRESSURE_LEVEL1 = "topology.backpressure.wait.progressive.level1.count", COUNT, Fallback::Whole(1), Topology, Storm,
        "Rounds that WaitStrategyProgressive spins first while a receiver is full. Heard only when set: our waiting ends by an event.";
    BACKPRESSURE_LEVEL2 = "topology.backpressure.wait.progressive.level2.count", COUNT, Fallback::Whole(1000), Topology, Storm,
        "Rounds of the shortest park that follow level 1. Heard only when set.";
    BACKPRESSURE_SLEEP = "topology.backpressure.wait.progressive.level3.sleep.millis", SLEEP, Fallback::Whole(1), Topology, Storm,
        "Sleep per round after level 2; 0 spins.";
    BACKPRESSURE_STRATEGY = "topology.backpressure.wait.strategy", Kind::WaitStrategy, PROGRESSIVE, Topology, Storm,
        "How an executor waits while a receiver is full.";
    BOLT_PARK = "topology.bolt.wait.park.microsec", PARK, Fallback::Whole(100), Topology, Storm,
        "How long WaitStrategyPark parks while a bolt has no input; 0 spins.";
    BOLT_LEVEL1 = "topology.bolt.wait.progressive.level1.count", COUNT, Fallback::Whole(1), Topology, Storm,
        "Rounds that WaitStrategyProgressive spins first while a bolt has no input. Heard only when set: our waiting ends by an event.";
    BOLT_LEVEL2 = "topology.bolt.wait.progressive.level2.count", COUNT, Fallback::Whole(1000), Topology, Storm,
        "Rounds of the shortest park that follow level 1. Heard only when set.";
    BOLT_SLEEP = "topology.bolt.wait.progressive.level3.sleep.millis", SLEEP, Fallback::Whole(1), Topology, Storm,
        "Sleep per round after level 2; 0 spins.";
    BOLT_STRATEGY = "topology.bolt.wait.strategy", Kind::WaitStrategy, PROGRESSIVE, Topology, Storm,
        "How a bolt waits for input.";
    LATE_TUPLE_STREAM = "topology.bolts.late.tuple.stream", Kind::Text, Fallback::Unset, Component, Storm,
        "Stream on which a windowed bolt emits late tuples. Unset: they are logged and counted.";
    TIMESTAMP_FIELD = "topology.bolts.tuple.timestamp.field.name", Kind::Text, Fallback::Unset, Component, Storm,
        "Field that holds a tuple's own time in milliseconds since 1970. Unset: windows go by processing time.";
    TIMESTAMP_MAX_LAG = "topology.bolts.tuple.timestamp.max.lag.ms", MILLIS, Fallback::Whole(0), Component, Storm,
        "How far a tuple's own time may lie behind the newest one of its stream before it is late.";
    WATERMARK_INTERVAL = "topology.bolts.watermark.event.interval.ms", POSITIVE_MILLIS, Fallback::Whole(1000), Component, Storm,
        "How often a windowed bolt advances its watermark.";
    WINDOW_LENGTH_COUNT = "topology.bolts.window.length.count", POSITIVE, Fallback::Unset, Component, Storm,
        "Length of a window in tuples.";
    WINDOW_LENGTH = "topology.bolts.window.length.duration.ms", POSITIVE_MILLIS, Fallback::Unset, Component, Storm,
        "Length of a window in time.";
    SLIDING_INTERVAL_COUNT = "topology.bolts.window.sliding.interval.count", POSITIVE, Fallback::Unset, Component, Storm,
        "Tuples after which a window slides. Without any interval it slides with every tuple.";
    SLIDING_INTERVAL = "topology.bolts.window.sliding.interval.duration.ms", POSITIVE_MILLIS, Fallback::Unset, Component, Storm,
        "Time after which a window slides. Without any interval it slides with every tuple.";
    COMPONENT_THREAD = "topology.component.thread", Kind::Thread, Fallback::Text("shared"), Component, Ours,
        "Thread that runs a component's executors: shared by all, one of its own for each executor, or one shared by the named group.";
    DEBUG = "topology.debug", Kind::Flag, Fallback::Flag(false), Component, Storm,
        "Logs every tuple that is emitted.";
    DISABLE_LOADAWARE = "topology.disable.loadaware.messaging", Kind::Flag, Fallback::Flag(false), Topology, Storm,
        "Makes shuffle grouping ignore how full its targets are.";
    ENABLE_MESSAGE_TIMEOUTS = "topology.enable.message.timeouts", Kind::Flag, Fallback::Flag(true), Topology, Storm,
        "Whether a message that is neither acked nor failed in time fails. Tests switch it off.";
    ERROR_THROTTLE_INTERVAL = "topology.error.throttle.interval.secs", span(Unit::Secs, 0), Fallback::Whole(10), Topology, Storm,
        "Interval in which a component may report a limited number of errors; 0 reports all.";
    EXECUTOR_RECEIVE_BUFFER = "topology.executor.receive.buffer.size", POSITIVE, Fallback::Unset, Topology, Storm,
        "Tuples that an executor's inbound queue holds, rounded up to a power of two. Unset: the runtime chooses (Storm: 32768).";
    MAX_ERROR_REPORT = "topology.max.error.report.per.interval", POSITIVE, Fallback::Whole(5), Topology, Storm,
        "Errors that a component may report in one throttle interval.";
    MAX_SPOUT_PENDING = "topology.max.spout.pending", POSITIVE, Fallback::Unset, Component, Storm,
        "Messages per spout task that may be pending at once. Unset: no limit. Without effect when nothing is tracked.";
    MAX_TASK_PARALLELISM = "topology.max.task.parallelism", POSITIVE, Fallback::Unset, Component, Storm,
        "Upper limit of a component's parallelism, for running a large topology in a small place.";
    MESSAGE_TIMEOUT = "topology.message.timeout.secs", span(Unit::Secs, 1), Fallback::Whole(30), Topology, Storm,
        "Time within which a message must be acked; then it fails.";
    NAME = "topology.name", Kind::Text, Fallback::Unset, Topology, Storm,
        "The topology's name, given when it is submitted.";
    PRODUCER_BATCH = "topology.producer.batch.size", POSITIVE, Fallback::Unset, Topology, Storm,
        "Most tuples that travel to another thread in one batch, at most half the receive buffer. Unset: the runtime chooses (Storm: 1).";
    SPOUT_PARK = "topology.spout.wait.park.microsec", PARK, Fallback::Whole(100), Topology, Storm,
        "How long WaitStrategyPark parks when a spout has nothing to emit; 0 spins.";
    SPOUT_LEVEL1 = "topology.spout.wait.progressive.level1.count", COUNT, Fallback::Whole(0), Topology, Storm,
        "Rounds that WaitStrategyProgressive spins first when a spout has nothing to emit. Heard only when set.";
    SPOUT_LEVEL2 = "topology.spout.wait.progressive.level2.count", COUNT, Fallback::Whole(0), Topology, Storm,
        "Rounds of the shortest park that follow level 1. Heard only when set.";
    SPOUT_SLEEP = "topology.spout.wait.progressive.level3.sleep.millis", SLEEP, Fallback::Whole(1), Topology, Storm,
        "Interval in which an idle spout that never took its waker is asked again; 0 spins.";
    SPOUT_STRATEGY = "topology.spout.wait.strategy", Kind::WaitStrategy, PROGRESSIVE, Component, Storm,
        "How a spout waits when it has nothing to emit.";
    STATS_SAMPLE_RATE = "topology.stats.sample.rate", Kind::Ratio, Fallback::Real(0.05), Topology, Storm,
        "Accepted for Storm's sake and without effect: our counters are exact.";
    TASKS = "topology.tasks", POSITIVE, Fallback::Unset, Component, Storm,
        "Tasks of a component, fixed for the topology's life. Unset: as many as executors.";
    TESTING_ALWAYS_TRY_SERIALIZE = "topology.testing.always.try.serialize", Kind::Flag, Fallback::Flag(false), Topology, Storm,
        "Sends every tuple through the wire codec, also within one worker, to find values that have none.";
    TICK_TUPLE_FREQ = "topology.tick.tuple.freq.secs", FRACTIONAL_SECS, Fallback::Unset, Component, Storm,
        "Interval of tick tuples. Unset or 0: none. Storm takes whole seconds only.";
    WORKER_THREADS = "topology.worker.threads", POSITIVE, Fallback::Unset, Topology, Ours,
        "Threads that run a worker's executors. Unset: one per core.";
    WORKER_WAIT_PROFILE = "topology.worker.wait.profile", Kind::WaitProfile, Fallback::Unset, Topology, Ours,
        "How threads wait for work: sleep at once, spin for a while first, or never sleep. Unset: the most eager that Storm's wait strategies ask for, else parked.";
    WORKERS = "topology.workers", POSITIVE, Fallback::Whole(1), Topology, Storm,
        "Worker processes that run the topology.";
}

/// Names of Storm's topology keys that are accepted, kept and handed to components, but not read.
///
/// They are listed so that nobody is warned about them.
#[rustfmt::skip]
pub const UNREAD: &[&str] = &[
    "topology.acker.cpu.pcore.percent", "topology.acker.resources.offheap.memory.mb",
    "topology.acker.resources.onheap.memory.mb", "topology.auto-credentials", "topology.auto.task.hooks",
    "topology.backpressure.check.millis", "topology.backpressure.enable", "topology.batch.flush.interval.millis",
    "topology.blobstore.map", "topology.bolts.message.id.field.name", "topology.builtin.metrics.bucket.size.secs",
    "topology.classpath", "topology.classpath.beginning", "topology.component.cpu.pcore.percent",
    "topology.component.resources.map", "topology.component.resources.offheap.memory.mb",
    "topology.component.resources.onheap.memory.mb", "topology.enable.send.iconnection.metrics",
    "topology.enable.v2.metrics.tick", "topology.environment", "topology.event.logger.register",
    "topology.eventlogger.executors", "topology.eventlogger.max.retained.files",
    "topology.eventlogger.rotation.size.mb", "topology.executor.overflow.limit",
    "topology.fall.back.on.java.serialization", "topology.groups", "topology.isolate.machines",
    "topology.kryo.decorators", "topology.kryo.factory", "topology.kryo.register",
    "topology.localityaware.higher.bound", "topology.localityaware.lower.bound", "topology.logging.config",
    "topology.logging.sensitivity", "topology.max.replication.wait.time.sec",
    "topology.metrics.consumer.cpu.pcore.percent", "topology.metrics.consumer.register",
    "topology.metrics.consumer.resources.offheap.memory.mb", "topology.metrics.consumer.resources.onheap.memory.mb",
    "topology.metrics.reporters", "topology.min.replication.count", "topology.multilang.log.handler",
    "topology.multilang.serializer", "topology.priority", "topology.producer.batch.dynamic",
    "topology.ras.acker.executors.per.worker", "topology.ras.constraint.max.state.search",
    "topology.ras.constraint.max.time.secs", "topology.ras.constraints", "topology.ras.one.component.per.worker",
    "topology.ras.one.executor.per.worker", "topology.readonly.groups", "topology.readonly.users",
    "topology.scheduler.favored.nodes", "topology.scheduler.strategy", "topology.scheduler.unfavored.nodes",
    "topology.serialized.message.size.metrics", "topology.shellbolt.max.pending",
    "topology.skip.missing.kryo.registrations", "topology.sleep.spout.wait.strategy.time.ms",
    "topology.spout.recvq.skips", "topology.spread.components", "topology.state.checkpoint.interval.ms",
    "topology.state.kryo.register", "topology.state.provider", "topology.state.provider.config",
    "topology.state.synchronization.timeout.secs", "topology.stats.ewma.enable",
    "topology.stats.ewma.smoothing.factor", "topology.submitter.principal", "topology.submitter.user",
    "topology.subprocess.timeout.secs", "topology.transactional.id", "topology.transfer.batch.size",
    "topology.transfer.buffer.size", "topology.trident.batch.emit.interval.millis",
    "topology.trident.windowing.cache.tuple.limit", "topology.tuple.compression.enable",
    "topology.tuple.compression.max.decompressed.bytes", "topology.tuple.compression.threshold",
    "topology.tuple.serializer", "topology.upstream.feedback.enable", "topology.upstream.feedback.freq.secs",
    "topology.users", "topology.v2.metrics.tick.interval.seconds", "topology.version", "topology.worker.childopts",
    "topology.worker.gc.childopts", "topology.worker.logwriter.childopts", "topology.worker.max.heap.size.mb",
    "topology.worker.metrics", "topology.worker.nimbus.thrift.client.use.tls",
    "topology.worker.receiver.thread.count", "topology.worker.shared.thread.pool.size",
    "topology.worker.timeout.secs",
];

/// The key of that name, if the runtime reads it.
pub fn find(name: &str) -> Option<&'static Key> {
    ALL.binary_search_by(|key| key.name.cmp(name)).ok().map(|at| &ALL[at])
}

/// Whether the name is one of Storm's or ours, read or not.
pub fn is_known(name: &str) -> bool {
    find(name).is_some() || UNREAD.binary_search(&name).is_ok()
}

/// The table of keys in Markdown, one row each.
pub fn markdown() -> String {
    let mut table =
        String::from("| key | accepts | default | set by | meaning |\n|---|---|---|---|---|\n");
    for key in ALL {
        let default = match key.default {
            Fallback::Unset => "unset".to_owned(),
            Fallback::Flag(flag) => flag.to_string(),
            Fallback::Whole(number) => number.to_string(),
            Fallback::Real(number) => number.to_string(),
            Fallback::Text(text) => format!("`{text}`"),
        };
        let scope = match key.scope {
            Scope::Topology => "topology",
            Scope::Component => "topology, component",
        };
        let ours = if key.origin == Origin::Ours { " *Not a key of Storm's.*" } else { "" };
        let accepted = key.kind.accepted();
        writeln!(
            table,
            "| `{}` | {accepted} | {default} | {scope} | {}{ours} |",
            key.name, key.meaning
        )
        .expect("writing to a String cannot fail");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique_because_they_are_searched_by_halving() {
        assert!(ALL.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(UNREAD.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(UNREAD.iter().all(|name| find(name).is_none()));
    }

    #[test]
    fn every_default_has_the_form_of_its_key() {
        for key in ALL {
            let fits = matches!(
                (key.kind, key.default),
                (_, Fallback::Unset)
                    | (Kind::Flag, Fallback::Flag(_))
                    | (Kind::Count { .. } | Kind::Span { .. }, Fallback::Whole(_))
                    | (Kind::Ratio, Fallback::Real(_))
                    | (
                        Kind::Text | Kind::WaitStrategy | Kind::WaitProfile | Kind::Thread,
                        Fallback::Text(_)
                    )
            );
            assert!(fits, "{}", key.name);
        }
    }

    #[test]
    fn the_printed_table_has_a_row_for_every_key() {
        let table = markdown();
        assert_eq!(table.lines().count(), ALL.len() + 2);
        assert!(
            table.contains(
                "| `topology.workers` | an integer from 1 to 2147483647 | 1 | topology |"
            )
        );
        assert!(
            table.contains("from 0 to 2147483647 | unset | topology, component | Interval of tick")
        );
    }

    #[test]
    fn a_key_is_found_by_its_name() {
        assert_eq!(find("topology.debug"), Some(&DEBUG));
        assert_eq!(find("topology.debugg"), None);
        assert!(is_known("topology.users"));
        assert!(!is_known("topology.user"));
    }

    #[test]
    fn the_documentation_shows_this_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        let text = std::fs::read_to_string(path).expect("the page is there");
        let (before, _) = text.split_once("| key |").expect("the page has the table");
        let expected = format!("{before}{}", markdown());
        #[expect(clippy::disallowed_methods, reason = "a test that can rewrite what it checks")]
        let update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
        if update {
            std::fs::write(path, &expected).expect("the page can be written");
        } else {
            assert_eq!(text, expected, "UPDATE=1 rewrites docs/configuration.md");
        }
    }
}
