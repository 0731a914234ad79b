//! What holds whatever happens to a slot, in any order.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::process::Ending;

/// What is outside of a slot: its process, its files, its workers' folders.
#[derive(Default)]
struct World {
    /// The worker whose process runs.
    alive: Option<WorkerNumber>,
    /// The worker whose folder is there.
    folder: Option<WorkerNumber>,
    last: u64,
    /// Workers that were told to end.
    told: BTreeSet<u64>,
    held: BTreeSet<TopologyId>,
    /// Files that were asked for, to be answered.
    asked: Vec<TopologyId>,
}

impl World {
    /// Carries out effects, and fails if one of them must not be.
    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Localize { topology } => {
                    self.held.insert(topology.clone());
                    self.asked.push(topology);
                }
                Effect::UpdateBlobs { topology } => {
                    assert!(self.held.contains(&topology), "files of {topology} are not here");
                    assert_eq!(self.alive, None, "files are replaced under a worker");
                    self.asked.push(topology);
                }
                Effect::Release { topology } => {
                    assert!(self.held.remove(&topology), "{topology} is released twice");
                }
                Effect::Launch { worker, assignment } => {
                    assert_eq!(self.alive, None, "two workers in one slot");
                    assert_eq!(self.folder, None, "the worker before was not cleaned up");
                    assert_eq!(worker.0, self.last + 1);
                    assert!(self.held.contains(&assignment.topology), "a worker without files");
                    self.last = worker.0;
                    self.alive = Some(worker);
                    self.folder = Some(worker);
                }
                Effect::Terminate { worker } => {
                    assert_eq!(self.alive, Some(worker));
                    assert!(self.told.insert(worker.0), "{worker} is asked to end twice");
                }
                Effect::Kill { worker } => {
                    assert_eq!(self.alive, Some(worker));
                    assert!(self.told.contains(&worker.0), "{worker} was not asked first");
                }
                Effect::CleanUp { worker } => {
                    assert_eq!(self.alive, None, "cleaned up under a worker");
                    assert_eq!(self.folder.take(), Some(worker));
                }
                Effect::Report(_) => {}
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Happening {
    Event(Event),
    /// The oldest question for files is answered, well or badly.
    Answer(bool),
    /// The process that is there is heard, or ends.
    Heard,
    Ended(i32),
    /// Time passes, with a tick.
    Later(u64),
}

fn topology(number: u8) -> TopologyId {
    format!("t{number}-{number}-1700000000").parse().expect("an id")
}

fn any_assignment() -> impl Strategy<Value = Option<LocalAssignment>> {
    let executors = (0_u8..3).prop_map(|count| {
        let executor = |task: u16| crate::assignment::text::executor(&task.to_string());
        (1..=u16::from(count) + 1).map(executor).collect()
    });
    let assignment = (0_u8..3, executors)
        .prop_map(|(number, executors)| LocalAssignment { topology: topology(number), executors });
    prop::option::weighted(0.8, assignment)
}

fn any_happening() -> impl Strategy<Value = Happening> {
    let any_topology = || (0_u8..3).prop_map(topology);
    let any_worker = || (1_u64..6).prop_map(WorkerNumber);
    let late = |worker| Event::Ended { worker, end: End::Process(Ending::Exited(0)) };
    prop_oneof![
        3 => any_assignment().prop_map(|wanted| Happening::Event(Event::Assign(wanted))),
        3 => prop::bool::weighted(0.8).prop_map(Happening::Answer),
        3 => Just(Happening::Heard),
        2 => (0_i32..2).prop_map(Happening::Ended),
        3 => prop_oneof![0_u64..5, 20_u64..200].prop_map(Happening::Later),
        1 => any_topology().prop_map(|topology| Happening::Event(Event::BlobChanged { topology })),
        1 => any_topology().prop_map(|topology| Happening::Event(Event::Restart { topology })),
        1 => any_worker().prop_map(|worker| Happening::Event(Event::Heartbeat { worker })),
        // An end is only told of a worker that has ended, as late and as often as it may be.
        1 => any_worker().prop_map(move |worker| Happening::Event(late(worker))),
        1 => any_topology().prop_map(|topology| {
            Happening::Event(Event::Localized { topology, worker_timeout: None })
        }),
    ]
}

struct Run {
    slot: Slot,
    world: World,
    now: Time,
}

impl Run {
    fn on(&mut self, event: Event) {
        if let Event::Ended { worker, .. } = &event
            && self.world.alive == Some(*worker)
        {
            self.world.alive = None;
        }
        let effects = self.slot.on(event, self.now);
        self.world.carry_out(effects);
        assert_eq!(self.slot.worker().is_some(), self.world.alive.is_some());
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            // Files are told to be there only after they were asked for.
            Happening::Event(Event::Localized { topology, .. })
                if !self.world.held.contains(&topology) => {}
            Happening::Event(event) => self.on(event),
            Happening::Answer(well) => {
                if !self.world.asked.is_empty() {
                    let topology = self.world.asked.remove(0);
                    self.on(if well {
                        Event::Localized { topology, worker_timeout: None }
                    } else {
                        let refused = topology.name().as_str().len().is_multiple_of(2);
                        Event::LocalizationFailed { topology, why: "no".to_owned(), refused }
                    });
                }
            }
            Happening::Heard => {
                if let Some(worker) = self.world.alive {
                    self.on(Event::Heartbeat { worker });
                }
            }
            Happening::Ended(code) => {
                if let Some(worker) = self.world.alive {
                    self.on(Event::Ended { worker, end: End::Process(Ending::Exited(code)) });
                }
            }
            Happening::Later(secs) => {
                self.now = self.now + Duration::from_secs(secs);
                self.on(Event::Tick);
            }
        }
    }

    /// Everything outside does what it should, until nothing is left to do or to wait for.
    fn settle(&mut self) {
        for _ in 0..100 {
            if !self.world.asked.is_empty() {
                self.happen(Happening::Answer(true));
            } else if let Some(worker) = self.world.alive
                && self.world.told.contains(&worker.0)
            {
                self.happen(Happening::Ended(0));
            } else if self.slot.state_name() == "WAITING_FOR_WORKER_START" {
                self.happen(Happening::Heard);
            } else if ["RUNNING", "EMPTY"].contains(&self.slot.state_name()) {
                return;
            } else {
                let due = self.slot.next_deadline().expect("somebody is waited for");
                self.now = self.now.max(due);
                self.on(Event::Tick);
            }
        }
        panic!("the slot does not settle: {:?}", self.slot);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_slot_has_one_worker_at_most_and_ends_as_it_should(
        happenings in prop::collection::vec(any_happening(), 0..60),
        wanted in any_assignment(),
    ) {
        let slot = Slot::new(Timeouts::default());
        let mut run = Run { slot, world: World::default(), now: Time::ZERO };
        for happening in happenings {
            run.happen(happening);
        }
        run.on(Event::Assign(wanted.clone()));
        run.settle();
        match wanted {
            Some(wanted) => {
                prop_assert_eq!(run.slot.state_name(), "RUNNING");
                prop_assert_eq!(run.slot.assignment(), Some(&wanted));
                prop_assert_eq!(&run.world.held, &BTreeSet::from([wanted.topology]));
            }
            None => prop_assert_eq!(run.slot.state_name(), "EMPTY"),
        }
        run.on(Event::Assign(None));
        run.settle();
        prop_assert_eq!(run.slot.state_name(), "EMPTY");
        prop_assert_eq!(run.world.folder, None);
        prop_assert!(run.world.held.is_empty(), "{:?} is kept for nobody", run.world.held);
    }
}
