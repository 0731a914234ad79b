//! Sampled emissions, for whoever debugs a topology: which ones are taken, and who gets them.
//!
//! ```text
//!   RunningTopology::sample ──▶ Events ── Command::Sample ──▶ Router: a watch with a Sampler
//!                                                                │ what the dice choose
//!                                      Receiver<Event> ◀─────────┘ a bounded channel
//! ```
//!
//! **Budget.** While nothing of a component is sampled its router has no watch and pays nothing.
//! While something is, every emission costs a random number, and each chosen one a copy of its values.
//!
//! **Invariants.** An executor never waits for who gets the events: what finds no room is counted and
//! forgotten. A component's own percentage goes before that of the topology, also where it is 0.
//!
//! **Not here:** the file that a worker writes them to (`worker`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::unix_time_ms;
use crate::id::{ComponentId, TaskId};
use crate::tuple::{MessageId, Value};

/// Events that may wait for their reader.
const WAITING: usize = 4096;

/// One emission that was chosen; Storm's `EventInfo`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// When it was routed, in milliseconds since 1970.
    pub at_ms: u64,
    pub component: ComponentId,
    pub task: TaskId,
    /// What a spout's author gave with it.
    pub message_id: Option<MessageId>,
    pub values: Vec<Value>,
}

/// How many of the emissions are wanted, in percent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sampling {
    pub component_to_percent: BTreeMap<ComponentId, f64>,
    /// Of components that have no percentage of their own.
    pub others: f64,
}

impl Sampling {
    fn percent_of(&self, component: &ComponentId) -> f64 {
        self.component_to_percent.get(component).copied().unwrap_or(self.others)
    }
}

/// Where executors put events.
#[derive(Clone, Debug)]
pub(crate) struct EventSink {
    events: SyncSender<Event>,
    lost: Arc<AtomicU64>,
}

/// Where events come out.
#[derive(Debug)]
pub(crate) struct EventSource {
    pub events: Receiver<Event>,
    lost: Arc<AtomicU64>,
}

impl EventSource {
    /// Events that found no room since this was asked last.
    pub fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

/// A bounded way for events.
pub(crate) fn event_channel() -> (EventSink, EventSource) {
    let (sender, receiver) = sync_channel(WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    (EventSink { events: sender, lost: lost.clone() }, EventSource { events: receiver, lost })
}

/// What is sampled of a running topology at present.
///
/// Whoever orders it writes, each executor reads it once after every order.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Option<(Sampling, EventSink)>>);

impl Events {
    /// Takes an order; executors follow it when they get [`Command::Sample`](super::Command).
    pub fn order(&self, sampling: Sampling, sink: EventSink) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((sampling, sink));
    }

    /// The dice of one executor; none if nothing of its component is wanted.
    pub fn sampler(&self, component: &ComponentId, seed: u64) -> Option<Sampler> {
        let ordered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sampling, sink) = ordered.as_ref()?;
        let percent = sampling.percent_of(component);
        (percent > 0.0).then(|| Sampler {
            most: (percent / 100.0 * u64::MAX as f64) as u64,
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            sink: sink.clone(),
        })
    }
}

/// Chooses emissions of one executor.
#[derive(Debug)]
pub(crate) struct Sampler {
    /// Random numbers up to this one choose.
    most: u64,
    state: u64,
    sink: EventSink,
}

impl Sampler {
    /// Throws the dice for one emission.
    pub fn look(
        &mut self,
        component: &ComponentId,
        task: TaskId,
        message_id: Option<&MessageId>,
        values: &[Value],
    ) {
        // Marsaglia's xorshift64*.
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        if self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) > self.most {
            return;
        }
        let event = Event {
            at_ms: unix_time_ms(),
            component: component.clone(),
            task,
            message_id: message_id.cloned(),
            values: values.to_vec(),
        };
        if self.sink.events.try_send(event).is_err() {
            self.sink.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(own: &[(&str, f64)], others: f64) -> Sampling {
        let own = own.iter().map(|(component, percent)| ((*component).into(), *percent));
        Sampling { component_to_percent: own.collect(), others }
    }

    /// How many of so many emissions of a component are chosen.
    fn chosen(sampling: &Sampling, component: &str, emissions: usize) -> usize {
        let events = Events::default();
        let (sink, source) = event_channel();
        events.order(sampling.clone(), sink);
        let component = ComponentId::from(component);
        let Some(mut sampler) = events.sampler(&component, 7) else { return 0 };
        for _ in 0..emissions {
            sampler.look(&component, TaskId(1), None, &[Value::from(1)]);
        }
        source.events.try_iter().count() + source.take_lost() as usize
    }

    #[test]
    fn as_many_are_chosen_as_percent_are_wanted() {
        assert_eq!(chosen(&sampling(&[], 100.0), "words", 1_000), 1_000);
        assert_eq!(chosen(&sampling(&[], 0.0), "words", 1_000), 0);
        let tenth = chosen(&sampling(&[], 10.0), "words", 10_000);
        assert!((900..1_100).contains(&tenth), "{tenth}");
    }

    #[test]
    fn a_components_own_percentage_goes_before_that_of_the_topology() {
        let sampling = sampling(&[("quiet", 0.0), ("loud", 100.0)], 50.0);
        assert_eq!(chosen(&sampling, "quiet", 100), 0);
        assert_eq!(chosen(&sampling, "loud", 100), 100);
        assert!((1..100).contains(&chosen(&sampling, "other", 100)));
    }

    #[test]
    fn what_finds_no_room_is_counted_and_nobody_waits() {
        let events = Events::default();
        let (sink, source) = event_channel();
        events.order(sampling(&[], 100.0), sink);
        let component = ComponentId::from("words");
        let mut sampler = events.sampler(&component, 1).expect("all are wanted");
        for _ in 0..WAITING + 3 {
            sampler.look(&component, TaskId(1), None, &[]);
        }
        assert_eq!((source.events.try_iter().count(), source.take_lost()), (WAITING, 3));
        assert_eq!(source.take_lost(), 0);
    }
}
