//! A topology's conf, parsed once into durations and counts.

use std::time::Duration;

use serde_json::{Map, Value};

use super::wait::{self, Wait, WaitProfile};
use super::{ConfErrors, ConfWarning, Reader, Scope, keys, known_key};

/// Which thread runs the executors of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum ComponentThread {
    /// One of the worker's threads, shared with other components.
    #[default]
    Shared,
    /// A thread of its own for each executor; for components that block.
    Own,
    /// One thread for all executors of all components that name this group.
    Group(String),
}

impl ComponentThread {
    fn from_word(word: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        match word {
            "shared" => Some(Self::Shared),
            "own" => Some(Self::Own),
            group if group.chars().all(plain) => Some(Self::Group(group.to_owned())),
            _ => None,
        }
    }
}

/// What a windowed bolt reads; whether the combination makes sense is the window's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowConf {
    /// Length in tuples.
    pub length_tuples: Option<u32>,
    /// Length in time.
    pub length: Option<Duration>,
    /// Tuples after which the window slides.
    pub sliding_interval_tuples: Option<u32>,
    /// Time after which the window slides.
    pub sliding_interval: Option<Duration>,
    /// Field with the tuple's own time in milliseconds since 1970; `None` is processing time.
    pub timestamp_field: Option<String>,
    /// How far a tuple may lag behind the newest of its stream; zero is not at all.
    pub max_lag: Duration,
    /// How often the watermark advances; never zero.
    pub watermark_interval: Duration,
    /// Stream for late tuples; `None` logs and counts them.
    pub late_tuple_stream: Option<String>,
}

/// What a shell component reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellConf {
    /// How the conversation with the child is framed, as `multilang::Serializer` knows it.
    pub serializer: String,
    /// Tuples that may wait for room in the pipe to a bolt's child; at least 1.
    pub max_pending_tuples: u32,
    /// Time for which a child may give no sign of life; never zero, `None` is what a supervisor
    /// grants its workers.
    pub subprocess_timeout: Option<Duration>,
    /// Most bytes of one message.
    pub max_message_bytes: u32,
}

/// A topology's conf, or what it is for one component, with Storm's defaults beneath it.
///
/// The fields are what the runtime reads; everything that was set, known or not, stays readable by
/// [`get`](Self::get). Reading a field costs nothing, so a conf is parsed at start and not again.
#[derive(Clone, Debug, PartialEq)]
pub struct TopologyConf {
    /// The topology's name, if it has one by now.
    pub name: Option<String>,
    /// Worker processes; at least 1.
    pub workers: u32,
    /// Executors of the acker; 0 tracks nothing.
    pub acker_executors: u32,
    /// Executors of the event logger, which have tasks and nothing to do: workers write events down
    /// themselves.
    pub event_logger_executors: u32,
    /// Files of a worker's event log; at least 1.
    pub event_log_files: u32,
    /// Mebibytes after which the file that is written to is renamed; at least 1.
    pub event_log_file_mib: u32,
    /// Tasks of the component, `None` for as many as executors.
    pub tasks: Option<u32>,
    /// Upper limit of a component's parallelism.
    pub max_task_parallelism: Option<u32>,
    /// Time within which a message must be acked; at least 1 s. See [`expiry`](Self::expiry).
    pub message_timeout: Duration,
    /// Whether messages time out at all.
    pub enable_message_timeouts: bool,
    /// Pending messages per spout task; `None` is no limit.
    pub max_spout_pending: Option<u32>,
    /// Interval of tick tuples; never zero, `None` is no ticks.
    pub tick_tuple_freq: Option<Duration>,
    /// Capacity of an executor's inbound queue in tuples; `None` leaves it to the runtime.
    pub executor_receive_buffer_tuples: Option<u32>,
    /// Most tuples in one batch between threads; `None` leaves it to the runtime.
    pub producer_batch_tuples: Option<u32>,
    /// Waiting of a spout with nothing to emit; its `poll` is for spouts without a waker.
    pub spout_wait: Wait,
    /// Waiting of a bolt for input.
    pub bolt_wait: Wait,
    /// Waiting for a full receiver.
    pub backpressure_wait: Wait,
    /// Waiting of the worker's threads: as set, else the most eager of the three above.
    pub wait_profile: WaitProfile,
    /// Silence after which a worker counts as dead; `None` leaves it to the supervisor.
    pub worker_timeout: Option<Duration>,
    /// Threads that run executors; `None` is one per core.
    pub worker_threads: Option<u32>,
    /// Thread for the component's executors.
    pub component_thread: ComponentThread,
    /// Without effect, for counters are exact; above 0 and up to 1.
    pub stats_sample_rate: f64,
    /// Whether every emitted tuple is logged.
    pub debug: bool,
    /// Whether tuples pass the wire codec even within a worker.
    pub testing_always_try_serialize: bool,
    /// Whether shuffle grouping ignores how full its targets are.
    pub disable_loadaware_messaging: bool,
    /// Interval to which the limit of error reports applies; zero is no limit.
    pub error_throttle_interval: Duration,
    /// Error reports of a component per interval; at least 1.
    pub max_error_report_per_interval: u32,
    /// What a shell component reads.
    pub shell: ShellConf,
    /// What a windowed bolt reads.
    pub window: WindowConf,
    warnings: Vec<ConfWarning>,
    set: Map<String, Value>,
}

impl TopologyConf {
    /// Parses what was set, with defaults for the rest; null counts as not set.
    ///
    /// # Errors
    /// All values that cannot be used, not only the first.
    pub fn from_map(set: Map<String, Value>) -> Result<Self, ConfErrors> {
        let mut reader = Reader::new(&set);
        let conf = Self::read(&mut reader);
        let errors = reader.into_errors();
        if !errors.is_empty() {
            return Err(ConfErrors(errors));
        }
        let warnings = misspelt(&set);
        Ok(Self { warnings, set, ..conf })
    }

    /// What holds for one component, whose own conf lies over the topology's.
    ///
    /// Keys that only the topology may set are not heard, as in Storm; the result's
    /// [`warnings`](Self::warnings) name them, and are about the component's conf alone.
    ///
    /// # Errors
    /// All values of the component that cannot be used.
    pub fn for_component(&self, component: &Map<String, Value>) -> Result<Self, ConfErrors> {
        let mut merged = self.set.clone();
        let mut warnings = misspelt(component);
        for (key, value) in component {
            match keys::find(key) {
                Some(known) if known.scope == Scope::Topology => {
                    warnings.push(ConfWarning::NotPerComponent { key: known.name });
                }
                _ => {
                    merged.insert(key.clone(), value.clone());
                }
            }
        }
        Ok(Self { warnings, ..Self::from_map(merged)? })
    }

    /// What was set for a key, known or not; defaults are not seen here.
    pub fn get(&self, key: impl AsRef<str>) -> Option<&Value> {
        self.set.get(key.as_ref())
    }

    /// Everything that was set, as components receive it and as it travels to other workers.
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.set
    }

    /// What is legal and probably not meant.
    pub fn warnings(&self) -> &[ConfWarning] {
        &self.warnings
    }

    /// Time after which a pending message fails, `None` if never.
    pub fn expiry(&self) -> Option<Duration> {
        self.enable_message_timeouts.then_some(self.message_timeout)
    }

    fn read(reader: &mut Reader<'_>) -> Self {
        let workers = reader.count(&keys::WORKERS);
        let spout_wait = Wait::read(reader, &wait::SPOUT);
        let bolt_wait = Wait::read(reader, &wait::BOLT);
        let backpressure_wait = Wait::read(reader, &wait::BACKPRESSURE);
        let most_eager = spout_wait.profile.max(bolt_wait.profile).max(backpressure_wait.profile);
        let (executor_receive_buffer_tuples, producer_batch_tuples) = read_buffers(reader);
        Self {
            name: reader.text_if_set(&keys::NAME),
            workers,
            acker_executors: reader.count_if_set(&keys::ACKER_EXECUTORS).unwrap_or(workers),
            event_logger_executors: match reader.is_null(&keys::EVENT_LOGGER_EXECUTORS) {
                true => workers,
                false => reader.count(&keys::EVENT_LOGGER_EXECUTORS),
            },
            event_log_files: reader.count(&keys::EVENT_LOGGER_FILES),
            event_log_file_mib: reader.count(&keys::EVENT_LOGGER_FILE_MB),
            tasks: reader.count_if_set(&keys::TASKS),
            max_task_parallelism: reader.count_if_set(&keys::MAX_TASK_PARALLELISM),
            message_timeout: reader.span(&keys::MESSAGE_TIMEOUT),
            enable_message_timeouts: reader.flag(&keys::ENABLE_MESSAGE_TIMEOUTS),
            max_spout_pending: reader.count_if_set(&keys::MAX_SPOUT_PENDING),
            tick_tuple_freq: reader
                .span_if_set(&keys::TICK_TUPLE_FREQ)
                .filter(|interval| !interval.is_zero()),
            executor_receive_buffer_tuples,
            producer_batch_tuples,
            spout_wait,
            bolt_wait,
            backpressure_wait,
            wait_profile: reader
                .word(&keys::WORKER_WAIT_PROFILE, WaitProfile::from_word)
                .unwrap_or(most_eager),
            worker_timeout: reader.span_if_set(&keys::WORKER_TIMEOUT),
            worker_threads: reader.count_if_set(&keys::WORKER_THREADS),
            component_thread: reader
                .word(&keys::COMPONENT_THREAD, ComponentThread::from_word)
                .expect("the key has a default"),
            stats_sample_rate: reader.ratio(&keys::STATS_SAMPLE_RATE),
            debug: reader.flag(&keys::DEBUG),
            testing_always_try_serialize: reader.flag(&keys::TESTING_ALWAYS_TRY_SERIALIZE),
            disable_loadaware_messaging: reader.flag(&keys::DISABLE_LOADAWARE),
            error_throttle_interval: reader.span(&keys::ERROR_THROTTLE_INTERVAL),
            max_error_report_per_interval: reader.count(&keys::MAX_ERROR_REPORT),
            shell: ShellConf::read(reader),
            window: WindowConf::read(reader),
            warnings: Vec::new(),
            set: Map::new(),
        }
    }
}

impl Default for TopologyConf {
    fn default() -> Self {
        Self::from_map(Map::new()).expect("the defaults are what the keys accept")
    }
}

impl ShellConf {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            serializer: reader.text(&keys::MULTILANG_SERIALIZER),
            max_pending_tuples: reader.count(&keys::SHELLBOLT_MAX_PENDING),
            subprocess_timeout: reader
                .span_if_set(&keys::SUBPROCESS_TIMEOUT)
                .filter(|timeout| !timeout.is_zero()),
            max_message_bytes: reader.count(&keys::MULTILANG_MAX_BYTES),
        }
    }
}

impl WindowConf {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            length_tuples: reader.count_if_set(&keys::WINDOW_LENGTH_COUNT),
            length: reader.span_if_set(&keys::WINDOW_LENGTH),
            sliding_interval_tuples: reader.count_if_set(&keys::SLIDING_INTERVAL_COUNT),
            sliding_interval: reader.span_if_set(&keys::SLIDING_INTERVAL),
            timestamp_field: reader.text_if_set(&keys::TIMESTAMP_FIELD),
            max_lag: reader.span(&keys::TIMESTAMP_MAX_LAG),
            watermark_interval: reader.span(&keys::WATERMARK_INTERVAL),
            late_tuple_stream: reader.text_if_set(&keys::LATE_TUPLE_STREAM),
        }
    }
}

/// Receive buffer and batch, of which a batch may fill at most half the buffer.
fn read_buffers(reader: &mut Reader<'_>) -> (Option<u32>, Option<u32>) {
    let buffer = reader.count_if_set(&keys::EXECUTOR_RECEIVE_BUFFER);
    let batch = reader.count_if_set(&keys::PRODUCER_BATCH);
    if let (Some(buffer_tuples), Some(batch_tuples)) = (buffer, batch)
        && batch_tuples > 1
        && batch_tuples > buffer_tuples / 2
    {
        let half = (buffer_tuples / 2).max(1);
        let accepted = format!(
            "at most {half}, half of {} = {buffer_tuples}",
            keys::EXECUTOR_RECEIVE_BUFFER.name
        );
        reader.contradiction(&keys::PRODUCER_BATCH, accepted);
    }
    (buffer, batch)
}

fn misspelt(set: &Map<String, Value>) -> Vec<ConfWarning> {
    set.keys()
        .filter(|key| key.starts_with("topology.") && !keys::is_known(key))
        .filter_map(|key| {
            let nearest = known_key(key)?;
            Some(ConfWarning::Misspelt { key: key.clone(), nearest })
        })
        .collect()
}
