//! The life of a topology as one table: status and event → next status and effects; pure.
//!
//! ```text
//!              activate                     rebalance                  do rebalance
//!   INACTIVE ───────────▶ ACTIVE      both ───────────▶ REBALANCING ─────────────────▶ as before
//!            ◀───────────             │                      │
//!             deactivate              │ kill                 │ kill
//!                                     ▼                      ▼         remove
//!                                   KILLED ◀─────────────────┘   ─────────────▶ gone
//! ```
//!
//! **Invariants**
//! - A status that ends by itself says after what time, so that a new Nimbus can resume it. It starts
//!   the wait anew, as Storm does.
//! - A topology has one timer: a delay replaces the one before. So no event arrives from an earlier
//!   kill or rebalance.
//! - Events that change nothing are no errors: activating what is active, or a timer that is late.
//!
//! **Runs on** the thread that owns the topologies. Whoever applies a transition stores the new
//! status before it carries out the effects, except for [`Effect::Rebalance`], which comes first and
//! may be carried out twice.

use std::fmt;
use std::time::Duration;

use super::rebalance::Rebalance;

/// Where a topology is in its life.
#[derive(Clone, PartialEq, Debug)]
pub enum Status {
    /// Its spouts are asked for tuples.
    Active,
    /// Its spouts are not asked; everything else works on.
    Inactive,
    /// It waits for its pending tuples, to be dealt anew after that.
    Rebalancing {
        /// What it goes back to.
        previous: Steady,
        /// How long it waits.
        wait: Duration,
        /// What changes then.
        changes: Rebalance,
    },
    /// It waits for its pending tuples, to be removed after that.
    Killed {
        /// How long it waits.
        wait: Duration,
    },
}

/// A status that does not end by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Steady {
    /// [`Status::Active`].
    Active,
    /// [`Status::Inactive`].
    Inactive,
}

/// What happens to a topology.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// A user wants its spouts to go on.
    Activate,
    /// A user wants its spouts to pause.
    Deactivate,
    /// A user wants it to end.
    Kill {
        /// How long it may still work; none for its message timeout.
        wait: Option<Duration>,
    },
    /// A user wants it dealt anew.
    Rebalance {
        /// How long it may still work; none for its message timeout.
        wait: Option<Duration>,
        /// What changes then.
        changes: Rebalance,
    },
    /// This Nimbus has just become the one that decides.
    GainLeadership,
    /// The timer of a topology has run out.
    Due(Delayed),
}

/// What a timer leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delayed {
    /// The changes of a rebalance.
    Rebalance,
    /// The end of a killed topology.
    Remove,
}

/// What has to be done, in this order.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Set the topology's timer, in place of the one that it had.
    Delay {
        /// When it runs out.
        wait: Duration,
        /// The event to come then.
        then: Delayed,
    },
    /// Apply the changes, deal the executors anew and tell the supervisors.
    Rebalance(Rebalance),
    /// Delete everything of the topology and tell the supervisors.
    Remove,
}

/// What an event leads to.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Transition {
    /// The status from now on; none if it stays.
    pub next: Option<Status>,
    /// What has to be done.
    pub effects: Vec<Effect>,
}

/// A user's wish that does not fit the topology's status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// It is about to be dealt anew.
    #[error(
        "cannot {wish} a topology that is REBALANCING: wait until it is {previous} again, or kill it"
    )]
    Rebalancing {
        /// What the user wanted.
        wish: &'static str,
        /// What it goes back to.
        previous: Steady,
    },
    /// It is about to end.
    #[error("cannot {wish} a topology that is KILLED: submit it again when it is gone")]
    Killed {
        /// What the user wanted.
        wish: &'static str,
    },
}

impl Status {
    /// What an event does to a topology with this status.
    ///
    /// # Errors
    /// [`Refused`] for a wish that is not possible now. Events that come from Nimbus itself are never
    /// refused; those that come too late do nothing.
    pub fn on(&self, event: Event, message_timeout: Duration) -> Result<Transition, Refused> {
        use Event::{Activate, Deactivate, Due, GainLeadership, Kill, Rebalance};
        let transition = match (self, event) {
            (Self::Active, Activate) | (Self::Inactive, Deactivate) => Transition::default(),
            (Self::Active, Deactivate) => Transition::to(Self::Inactive),
            (Self::Inactive, Activate) => Transition::to(Self::Active),
            (Self::Active | Self::Inactive, Rebalance { wait, changes }) => {
                let wait = wait.unwrap_or(message_timeout);
                let previous = if self.is_active() { Steady::Active } else { Steady::Inactive };
                Transition::to(Self::Rebalancing { previous, wait, changes })
                    .and(Effect::Delay { wait, then: Delayed::Rebalance })
            }
            (_, Kill { wait }) => {
                let wait = wait.unwrap_or(message_timeout);
                Transition::to(Self::Killed { wait })
                    .and(Effect::Delay { wait, then: Delayed::Remove })
            }

            (Self::Rebalancing { previous, changes, .. }, Due(Delayed::Rebalance)) => {
                Transition::to((*previous).into()).and(Effect::Rebalance(changes.clone()))
            }
            (Self::Rebalancing { wait, .. }, GainLeadership) => {
                Transition::default().and(Effect::Delay { wait: *wait, then: Delayed::Rebalance })
            }
            (
                Self::Rebalancing { previous, .. },
                wish @ (Activate | Deactivate | Rebalance { .. }),
            ) => {
                return Err(Refused::Rebalancing { wish: wish.verb(), previous: *previous });
            }

            (Self::Killed { .. }, Due(Delayed::Remove)) => {
                Transition::default().and(Effect::Remove)
            }
            (Self::Killed { wait }, GainLeadership) => {
                Transition::default().and(Effect::Delay { wait: *wait, then: Delayed::Remove })
            }
            (Self::Killed { .. }, wish @ (Activate | Deactivate | Rebalance { .. })) => {
                return Err(Refused::Killed { wish: wish.verb() });
            }

            (_, GainLeadership | Due(_)) => Transition::default(),
        };
        Ok(transition)
    }

    /// Whether its spouts are asked for tuples.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Active)
    }
}

impl Transition {
    fn to(next: Status) -> Self {
        Self { next: Some(next), effects: Vec::new() }
    }

    fn and(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }
}

impl Event {
    fn verb(&self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Kill { .. } => "kill",
            Self::Rebalance { .. } => "rebalance",
            Self::GainLeadership => "resume",
            Self::Due(Delayed::Rebalance) => "deal out",
            Self::Due(Delayed::Remove) => "remove",
        }
    }
}

impl From<Steady> for Status {
    fn from(steady: Steady) -> Self {
        match steady {
            Steady::Active => Self::Active,
            Steady::Inactive => Self::Inactive,
        }
    }
}

/// As Storm writes it, `ACTIVE` say.
impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Rebalancing { .. } => "REBALANCING",
            Self::Killed { .. } => "KILLED",
        })
    }
}

/// As Storm writes it.
impl fmt::Display for Steady {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        Status::from(*self).fmt(out)
    }
}

#[cfg(test)]
mod tests {
    //! Each case gives a status and then events; `table` tries all events on all statuses.

    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::text_cases;

    const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

    #[test]
    fn topologies_live_as_the_cases_say() {
        let cases = include_str!("../../tests/data/lifecycle.txt");
        text_cases::check("lifecycle.txt", cases, run);
    }

    fn run(calls: &[&str]) -> String {
        let mut out = String::new();
        let mut status = Status::Active;
        for call in calls {
            let words: Vec<&str> = call.split_whitespace().collect();
            match words[..] {
                ["status", ref words @ ..] => status = read_status(words),
                ["table"] => write_table(&mut out),
                _ => {
                    let outcome = status.on(read_event(&words), MESSAGE_TIMEOUT);
                    writeln!(out, "{call}: {}", told(&outcome)).unwrap();
                    if let Some(next) = outcome.ok().and_then(|transition| transition.next) {
                        status = next;
                    }
                }
            }
        }
        out
    }

    fn write_table(out: &mut String) {
        let statuses = ["active", "inactive", "rebalancing inactive 7", "killed 9"];
        let events = [
            "activate",
            "deactivate",
            "rebalance",
            "kill",
            "gain leadership",
            "due rebalance",
            "due remove",
        ];
        for status in statuses {
            let status = read_status(&status.split(' ').collect::<Vec<_>>());
            for event in events {
                let event_words: Vec<&str> = event.split(' ').collect();
                let outcome = status.on(read_event(&event_words), MESSAGE_TIMEOUT);
                writeln!(out, "{status:<11} {event:<15} {}", told(&outcome)).unwrap();
            }
        }
    }

    fn told(outcome: &Result<Transition, Refused>) -> String {
        let transition = match outcome {
            Ok(transition) => transition,
            Err(refused) => return format!("refused: {refused}"),
        };
        let mut parts = Vec::new();
        match &transition.next {
            None => parts.push("stays".to_owned()),
            Some(next @ (Status::Killed { wait } | Status::Rebalancing { wait, .. })) => {
                parts.push(format!("{next} for {wait:?}"));
            }
            Some(next) => parts.push(next.to_string()),
        }
        for effect in &transition.effects {
            parts.push(match effect {
                Effect::Delay { wait, then: Delayed::Rebalance } => {
                    format!("rebalance in {wait:?}")
                }
                Effect::Delay { wait, then: Delayed::Remove } => format!("remove in {wait:?}"),
                Effect::Rebalance(changes) => {
                    format!("rebalance to {} workers", changes.workers.unwrap_or_default())
                }

                Effect::Remove => "remove".to_owned(),
            });
        }
        parts.join(", ")
    }

    fn read_status(words: &[&str]) -> Status {
        match words {
            ["active"] => Status::Active,
            ["inactive"] => Status::Inactive,
            ["killed", wait] => Status::Killed { wait: read_wait(wait) },
            ["rebalancing", previous, wait] => Status::Rebalancing {
                previous: if *previous == "active" { Steady::Active } else { Steady::Inactive },
                wait: read_wait(wait),
                changes: Rebalance { workers: Some(2), ..Rebalance::default() },
            },
            _ => panic!("no such status: {words:?}"),
        }
    }

    fn read_event(words: &[&str]) -> Event {
        let wait = |rest: &[&str]| rest.first().map(|wait| read_wait(wait));
        match words {
            ["activate"] => Event::Activate,
            ["deactivate"] => Event::Deactivate,
            ["kill", rest @ ..] => Event::Kill { wait: wait(rest) },
            ["rebalance", rest @ ..] => Event::Rebalance {
                wait: wait(rest),
                changes: Rebalance { workers: Some(3), ..Rebalance::default() },
            },
            ["gain", "leadership"] => Event::GainLeadership,
            ["due", "rebalance"] => Event::Due(Delayed::Rebalance),
            ["due", "remove"] => Event::Due(Delayed::Remove),
            _ => panic!("no such event: {words:?}"),
        }
    }

    fn read_wait(text: &str) -> Duration {
        Duration::from_secs(text.parse().expect("seconds"))
    }

    /// One topology, its timer, and what became of it.
    struct Life {
        status: Status,
        timer: Option<Delayed>,
        rebalances: usize,
        is_removed: bool,
    }

    impl Life {
        fn take(&mut self, event: Event) {
            let Ok(transition) = self.status.on(event, MESSAGE_TIMEOUT) else { return };
            self.status = transition.next.unwrap_or_else(|| self.status.clone());
            for effect in transition.effects {
                match effect {
                    Effect::Delay { then, .. } => self.timer = Some(then),
                    Effect::Rebalance(_) => self.rebalances += 1,
                    Effect::Remove => self.is_removed = true,
                }
            }
        }

        fn wait_for_timer(&mut self) {
            if let Some(then) = self.timer.take() {
                self.take(Event::Due(then));
            }
        }
    }

    /// A user's event, the timer, a late timer, or a new Nimbus that knows only what was stored.
    #[derive(Clone, Debug)]
    enum Happening {
        Event(Event),
        Timer,
        NewNimbus,
    }

    fn any_happening() -> impl Strategy<Value = Happening> {
        let wait = prop::option::of((0_u64..100).prop_map(Duration::from_secs));
        let rebalance = |wait| Event::Rebalance { wait, changes: Rebalance::default() };
        prop_oneof![
            Just(Happening::Event(Event::Activate)),
            Just(Happening::Event(Event::Deactivate)),
            Just(Happening::Event(Event::Due(Delayed::Rebalance))),
            Just(Happening::Timer),
            Just(Happening::NewNimbus),
            wait.clone().prop_map(move |wait| Happening::Event(rebalance(wait))),
            wait.prop_map(|wait| Happening::Event(Event::Kill { wait })),
        ]
    }

    proptest! {
        #[test]
        fn a_status_that_ends_has_a_timer_and_a_killed_topology_ends(
            happenings in prop::collection::vec(any_happening(), 0..20),
        ) {
            let mut life =
                Life { status: Status::Active, timer: None, rebalances: 0, is_removed: false };
            let mut was_killed = false;
            for happening in happenings {
                match happening {
                    Happening::Event(event) => life.take(event),
                    Happening::Timer => life.wait_for_timer(),
                    Happening::NewNimbus => {
                        life.timer = None;
                        life.take(Event::GainLeadership);
                    }
                }
                if life.is_removed {
                    break;
                }
                let expected = match life.status {
                    Status::Killed { .. } => Some(Delayed::Remove),
                    Status::Rebalancing { .. } => Some(Delayed::Rebalance),
                    Status::Active | Status::Inactive => life.timer,
                };
                prop_assert_eq!(life.timer, expected);
                was_killed |= matches!(life.status, Status::Killed { .. });
                prop_assert_eq!(was_killed, matches!(life.status, Status::Killed { .. }));
            }
            let before = life.rebalances;
            let was_rebalancing = matches!(life.status, Status::Rebalancing { .. });
            life.wait_for_timer();
            prop_assert_eq!(life.is_removed, was_killed);
            prop_assert_eq!(life.rebalances, before + usize::from(was_rebalancing));
        }
    }
}
