//! Tuples in, tuples out: runs a topology to its end under a simulated clock.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{LocalCluster, MOST_CYCLES, SubmitError, TopologyStats};
use crate::component::{Declarer, ReportedError, Result};
use crate::executor::router::Tap;
use crate::id::{ComponentId, DEFAULT_STREAM, StreamId};
use crate::spout::{Next, Spout, SpoutCollector};
use crate::topology::{SpoutFactory, Topology};
use crate::tuple::{IntoValues, MessageId, Value};

/// Simulated time after which a topology that still has pending tuples is given up.
const MOST_TIME: Duration = Duration::from_secs(3_600);

/// The tuples that replace a topology's spouts in a test.
#[derive(Debug, Clone, Default)]
pub struct MockSources {
    spout_to_tuples: BTreeMap<ComponentId, Vec<(StreamId, Vec<Value>)>>,
}

impl MockSources {
    /// Replaces nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has a spout emit these tuples on its default stream instead of its own.
    #[must_use]
    pub fn tuples<V: IntoValues>(self, spout: &str, tuples: impl IntoIterator<Item = V>) -> Self {
        self.tuples_on(spout, DEFAULT_STREAM, tuples)
    }

    /// Has a spout emit these tuples on a stream instead of its own.
    #[must_use]
    pub fn tuples_on<V: IntoValues>(
        mut self,
        spout: &str,
        stream: &str,
        tuples: impl IntoIterator<Item = V>,
    ) -> Self {
        let list = self.spout_to_tuples.entry(spout.into()).or_default();
        for tuple in tuples {
            let mut values = Vec::new();
            tuple.append_to(&mut values);
            list.push((stream.into(), values));
        }
        self
    }
}

/// Emits given tuples once each, and wants to know what becomes of them.
struct FixedSpout {
    left: VecDeque<(StreamId, Vec<Value>)>,
    next_id: u64,
}

impl Spout for FixedSpout {
    /// The replaced spout's declarations stay in force.
    fn declare(&self, _declare: &mut Declarer) {}

    fn next_tuple(&mut self, out: &mut SpoutCollector) -> Result<Next> {
        let Some((stream, values)) = self.left.pop_front() else {
            return Ok(Next::Finished);
        };
        out.emit_to(stream.as_str(), values, Some(self.next_id));
        self.next_id += 1;
        Ok(Next::Emitted)
    }

    fn fail(&mut self, _id: MessageId, _out: &mut SpoutCollector) -> Result {
        Ok(())
    }
}

/// Everything that a completed topology emitted.
#[derive(Debug, Clone)]
pub struct Completed {
    emissions: BTreeMap<(ComponentId, StreamId), Vec<Vec<Value>>>,
    /// What was counted.
    pub stats: TopologyStats,
    /// The errors that components reported.
    pub errors: Vec<ReportedError>,
}

impl Completed {
    /// What a component emitted on its default stream, in order.
    pub fn tuples(&self, component: &str) -> &[Vec<Value>] {
        self.tuples_on(component, DEFAULT_STREAM)
    }

    /// What a component emitted on a stream, in order.
    pub fn tuples_on(&self, component: &str, stream: &str) -> &[Vec<Value>] {
        let key = (component.into(), stream.into());
        self.emissions.get(&key).map_or(&[], Vec::as_slice)
    }
}

/// A topology did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Incomplete {
    /// It could not be started.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A mocked component is not a spout of the topology.
    #[error("{spout} is mocked, but it is no spout of the topology: {known} are")]
    NoSuchSpout {
        /// The mocked name.
        spout: ComponentId,
        /// The spouts that there are.
        known: String,
    },
    /// It was still busy, or had tuples pending, after a long simulated time.
    #[error("after a simulated hour the topology still has work: {pending} tuples are pending")]
    StillBusy {
        /// Spout tuples neither acked nor failed.
        pending: u64,
    },
}

type Emissions = Arc<Mutex<BTreeMap<(ComponentId, StreamId), Vec<Vec<Value>>>>>;

/// Runs a topology with mocked spouts until everything is processed, and answers all that its
/// components emitted.
///
/// Time is simulated; ticks and windows of time come while there are tuples pending. Spouts that
/// are not mocked run as they are.
///
/// ```
/// use storm_runtime::local::{MockSources, complete_topology};
/// use storm_runtime::prelude::*;
///
/// struct Never;
///
/// impl Spout for Never {
///     fn declare(&self, declare: &mut Declarer) {
///         declare.output(["sentence"]);
///     }
///
///     fn next_tuple(&mut self, _out: &mut SpoutCollector) -> Result<Next> {
///         Ok(Next::Idle)
///     }
/// }
///
/// struct Split;
///
/// impl BasicBolt for Split {
///     fn declare(&self, declare: &mut Declarer) {
///         declare.output(["word"]);
///     }
///
///     fn execute(&mut self, tuple: TupleRef<'_>, out: &mut BasicCollector<'_>) -> Result {
///         for word in tuple.str("sentence")?.split(' ') {
///             out.emit([word]);
///         }
///         Ok(())
///     }
/// }
///
/// let mut builder = TopologyBuilder::new();
/// builder.spout("sentences", || Never);
/// builder.bolt("split", || Split).shuffle("sentences");
/// let topology = builder.build()?;
///
/// let sources = MockSources::new().tuples("sentences", [["the cow"]]);
/// let completed = complete_topology(&topology, &sources)?;
/// assert_eq!(completed.tuples("split"), [[Value::from("the")], [Value::from("cow")]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Incomplete`].
pub fn complete_topology(
    topology: &Topology,
    sources: &MockSources,
) -> Result<Completed, Incomplete> {
    let known: Vec<ComponentId> = topology.spout_ids().cloned().collect();
    if let Some(spout) = sources.spout_to_tuples.keys().find(|spout| !known.contains(spout)) {
        let known: Vec<&str> = known.iter().map(ComponentId::as_str).collect();
        return Err(Incomplete::NoSuchSpout { spout: spout.clone(), known: known.join(", ") });
    }
    let topology = topology.with_spouts(&mocks(sources));
    let emissions: Emissions = Arc::default();
    let tapped = emissions.clone();
    let tap = move || -> Tap {
        let emissions = tapped.clone();
        Box::new(move |component, stream, values| {
            let mut emissions = emissions.lock().unwrap_or_else(PoisonError::into_inner);
            let list = emissions.entry((component.clone(), stream.clone())).or_default();
            list.push(values.to_vec());
        })
    };
    let cluster = LocalCluster::simulated(0);
    let running = cluster.submit_tapped("complete-topology", &topology, Some(Box::new(tap)))?;
    let end = cluster.now() + MOST_TIME;
    let mut idle = cluster.run_until_idle(MOST_CYCLES);
    while idle && !running.stats().is_drained() && cluster.now() < end {
        idle = cluster.advance(Duration::from_secs(1), MOST_CYCLES);
    }
    let stats = running.stats();
    if !stats.is_drained() {
        return Err(Incomplete::StillBusy { pending: stats.pending() });
    }
    let errors = running.errors();
    drop(cluster);
    let emissions = emissions.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Completed { emissions, stats, errors })
}

fn mocks(sources: &MockSources) -> BTreeMap<ComponentId, SpoutFactory> {
    let mock = |(spout, tuples): (&ComponentId, &Vec<(StreamId, Vec<Value>)>)| {
        // The first task emits everything; others have nothing.
        let tuples = Mutex::new(VecDeque::from(tuples.clone()));
        let factory: SpoutFactory = Arc::new(move || {
            let mut tuples = tuples.lock().unwrap_or_else(PoisonError::into_inner);
            Box::new(FixedSpout { left: std::mem::take(&mut *tuples), next_id: 0 })
        });
        (spout.clone(), factory)
    };
    sources.spout_to_tuples.iter().map(mock).collect()
}

impl fmt::Debug for FixedSpout {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} tuples left", self.left.len())
    }
}
