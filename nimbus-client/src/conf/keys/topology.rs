//! Keys of topologies and their components.

use super::super::key::{Fallback, Key, Kind, Origin, Scope, Unit};
use super::{COUNT, MILLIS, POSITIVE, POSITIVE_MILLIS, POSITIVE_SECS, SECS};

const PARK: Kind = Kind::Span { unit: Unit::Micros, min: 0, whole: false };
const SLEEP: Kind = Kind::Span { unit: Unit::Millis, min: 0, whole: false };
const FRACTIONAL_SECS: Kind = Kind::Span { unit: Unit::Secs, min: 0, whole: false };
const PROGRESSIVE: Fallback = Fallback::Text("org.apache.storm.policy.WaitStrategyProgressive");

keys! {
    /// Every key of topologies that the runtime reads, sorted by name.
    TOPOLOGY;
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
    ERROR_THROTTLE_INTERVAL = "topology.error.throttle.interval.secs", SECS, Fallback::Whole(10), Topology, Storm,
        "Interval in which a component may report a limited number of errors; 0 reports all.";
    EVENT_LOGGER_EXECUTORS = "topology.eventlogger.executors", COUNT, Fallback::Whole(0), Topology, Storm,
        "Tasks of the event logger; null: as many as workers. They keep Storm's numbering: workers write events.log themselves, also without any.";
    EVENT_LOGGER_FILES = "topology.eventlogger.max.retained.files", POSITIVE, Fallback::Whole(5), Topology, Storm,
        "Files of a worker's event log, the one that is written to among them.";
    EVENT_LOGGER_FILE_MB = "topology.eventlogger.rotation.size.mb", POSITIVE, Fallback::Whole(10), Topology, Storm,
        "Mebibytes after which a worker's events.log is renamed.";
    EXECUTOR_RECEIVE_BUFFER = "topology.executor.receive.buffer.size", POSITIVE, Fallback::Unset, Topology, Storm,
        "Tuples that an executor's inbound queue holds, rounded up to a power of two. Unset: the runtime chooses (Storm: 32768).";
    MAX_ERROR_REPORT = "topology.max.error.report.per.interval", POSITIVE, Fallback::Whole(5), Topology, Storm,
        "Errors that a component may report in one throttle interval.";
    MAX_SPOUT_PENDING = "topology.max.spout.pending", POSITIVE, Fallback::Unset, Component, Storm,
        "Messages per spout task that may be pending at once. Unset: no limit. Without effect when nothing is tracked.";
    MAX_TASK_PARALLELISM = "topology.max.task.parallelism", POSITIVE, Fallback::Unset, Component, Storm,
        "Upper limit of a component's parallelism, for running a large topology in a small place.";
    MESSAGE_TIMEOUT = "topology.message.timeout.secs", POSITIVE_SECS, Fallback::Whole(30), Topology, Storm,
        "Time within which a message must be acked; then it fails.";
    MULTILANG_MAX_BYTES = "topology.multilang.message.max.bytes", POSITIVE, Fallback::Whole(16 << 20), Component, Ours,
        "Bytes of one message between a shell component and its child; a longer one is a fault.";
    MULTILANG_SERIALIZER = "topology.multilang.serializer", Kind::Text, Fallback::Text("org.apache.storm.multilang.JsonSerializer"), Component, Storm,
        "Framing of a shell component's conversation with its child: json or Storm's class, msgpack or binary where the child knows it, or a class ending in MessagePackSerializer for children that speak nothing else.";
    NAME = "topology.name", Kind::Text, Fallback::Unset, Topology, Storm,
        "The topology's name, given when it is submitted.";
    PRODUCER_BATCH = "topology.producer.batch.size", POSITIVE, Fallback::Unset, Topology, Storm,
        "Most tuples that travel to another thread in one batch, at most half the receive buffer. Unset: the runtime chooses (Storm: 1).";
    SHELLBOLT_MAX_PENDING = "topology.shellbolt.max.pending", POSITIVE, Fallback::Whole(100), Component, Storm,
        "Tuples that may wait for room in the pipe of a shell bolt's child; then the bolt takes no more.";
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
    SUBPROCESS_TIMEOUT = "topology.subprocess.timeout.secs", FRACTIONAL_SECS, Fallback::Unset, Component, Storm,
        "Time for which the child of a shell component may give no sign of life. Unset or 0: supervisor.worker.timeout.secs, else 30. Storm takes whole seconds only.";
    TASKS = "topology.tasks", POSITIVE, Fallback::Unset, Component, Storm,
        "Tasks of a component, fixed for the topology's life. Unset: as many as executors.";
    TESTING_ALWAYS_TRY_SERIALIZE = "topology.testing.always.try.serialize", Kind::Flag, Fallback::Flag(false), Topology, Storm,
        "Sends every tuple through the wire codec, also within one worker, to find values that have none.";
    TICK_TUPLE_FREQ = "topology.tick.tuple.freq.secs", FRACTIONAL_SECS, Fallback::Unset, Component, Storm,
        "Interval of tick tuples. Unset or 0: none. Storm takes whole seconds only.";
    WORKER_THREADS = "topology.worker.threads", POSITIVE, Fallback::Unset, Topology, Ours,
        "Threads that run a worker's executors. Unset: one per core.";
    WORKER_TIMEOUT = "topology.worker.timeout.secs", POSITIVE_SECS, Fallback::Unset, Topology, Storm,
        "Silence after which a worker counts as dead, at most worker.max.timeout.secs. Unset: supervisor.worker.timeout.secs.";
    WORKER_WAIT_PROFILE = "topology.worker.wait.profile", Kind::WaitProfile, Fallback::Unset, Topology, Ours,
        "How threads wait for work: sleep at once, spin for a while first, or never sleep. Unset: the most eager that Storm's wait strategies ask for, else parked.";
    WORKERS = "topology.workers", POSITIVE, Fallback::Whole(1), Topology, Storm,
        "Worker processes that run the topology.";
}
