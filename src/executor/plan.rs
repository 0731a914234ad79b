//! Which executors of a topology run in this worker, on which thread each of them, and who keeps the
//! trees of the spouts; pure.
//!
//! **Invariants.** The trees of a spout are kept in the spout's own worker: by one of its ackers, or
//! by the spout's executor where there is none. So an ack finds its way by the root's task alone,
//! and a worker that dies takes no trees of others with it.

use std::collections::BTreeMap;

use super::assemble::Options;
use super::placement::{Wish, place};
use crate::conf::{ComponentThread, TopologyConf};
use crate::id::ExecutorId;
use crate::topology::{ACKER, Component, Role, TaskPlan, Topology};
use crate::transfer::{Directory, Place};

/// An executor that is placed but not made yet.
pub(super) struct Planned<'a> {
    pub id: ExecutorId,
    pub component: &'a Component,
    /// Its own place, or that of the exchange if it runs in another worker.
    pub place: Place,
    pub trees: Trees,
}

/// Who keeps the trees of a spout's executor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trees {
    Nobody,
    /// The acker at this position, in the same worker.
    Acker(usize),
    /// The executor itself: there is no acker in its worker, or the one at this position is on its
    /// thread and lends its counters.
    Itself(Option<usize>),
}

/// All executors of the topology.
pub(super) struct Plan<'a> {
    /// Those of this worker, in flow order.
    pub here: Vec<Planned<'a>>,
    /// Those of other workers, each at the place of the exchange.
    pub elsewhere: Vec<Planned<'a>>,
    /// Where the exchange is, if there are other workers.
    pub exchange: Option<Place>,
}

impl<'a> Plan<'a> {
    pub fn everyone(&self) -> impl Iterator<Item = &Planned<'a>> {
        self.here.iter().chain(&self.elsewhere)
    }

    pub fn threads(&self) -> usize {
        let here = self.here.iter().map(|one| one.place).chain(self.exchange);
        here.map(|place| usize::from(place.thread) + 1).max().unwrap_or(1)
    }

    /// Executors on a thread, the exchange among them.
    pub fn slots(&self, thread: usize) -> usize {
        let here = self.here.iter().map(|one| one.place).chain(self.exchange);
        here.filter(|place| usize::from(place.thread) == thread).count()
    }
}

impl<'a> Plan<'a> {
    /// Places all executors.
    pub fn new(topology: &'a Topology, tasks: &TaskPlan, options: &Options) -> Self {
        let depths = topology.depths();
        let executors = match &options.workers {
            Some(workers) => tasks.executors_among(workers.map.executor_to_worker.keys()),
            None => tasks.executors.clone(),
        };
        let of_component = |(id, component)| (id, &topology.components()[&component]);
        let mut executors: Vec<(ExecutorId, &Component)> =
            executors.into_iter().map(of_component).collect();
        executors.sort_by_key(|(id, component)| (depths[&component.id], *id));
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            executors.into_iter().partition(|(id, _)| match &options.workers {
                Some(workers) => workers.map.is_local(*id),
                None => true,
            });
        let wishes = wishes(&here, options.simulated);
        let threads = if options.simulated { 1 } else { thread_count(topology.conf(), options) };
        let mut slots: BTreeMap<usize, u32> = BTreeMap::new();
        let threads = place(&wishes, threads);
        // A thread of its own may belong to a component that blocks.
        let beside = wishes.iter().position(|wish| *wish == Wish::Shared).map(|one| threads[one]);
        let mut here: Vec<Planned<'_>> = here
            .into_iter()
            .zip(&threads)
            .map(|((id, component), thread)| {
                let slot = slots.entry(*thread).or_default();
                *slot += 1;
                let place = Place { thread: *thread as u16, slot: *slot - 1 };
                Planned { id, component, place, trees: Trees::Nobody }
            })
            .collect();
        let tracked = topology.components().contains_key(ACKER);
        if tracked {
            assign_trees(&mut here);
        }
        let exchange = options.workers.as_ref().map(|_| {
            let next = || threads.iter().max().map_or(0, |last| last + 1);
            let thread = beside.unwrap_or_else(next);
            let slot = slots.get(&thread).copied().unwrap_or(0);
            Place { thread: thread as u16, slot }
        });
        let elsewhere = exchange.into_iter().flat_map(|place| {
            let remote = move |(id, component): &(ExecutorId, &'a Component)| Planned {
                id: *id,
                component,
                place,
                trees: Trees::Nobody,
            };
            elsewhere.iter().map(remote).collect::<Vec<_>>()
        });
        Self { elsewhere: elsewhere.collect(), here, exchange }
    }

    /// Where the trees of all spouts are kept.
    pub fn directory(&self) -> Directory {
        let is_acker = |one: &&Planned<'_>| one.component.id == ACKER;
        let mut keepers: Vec<Place> =
            self.here.iter().filter(is_acker).map(|one| one.place).collect();
        let mut spouts = Vec::new();
        let tracked = self.everyone().any(|one| one.component.id == ACKER);
        for (one, is_here) in self
            .here
            .iter()
            .map(|one| (one, true))
            .chain(self.elsewhere.iter().map(|one| (one, false)))
            .filter(|(one, _)| matches!(one.component.role, Role::Spout(_)))
        {
            let keeper = match one.trees {
                Trees::Acker(acker) => Some(self.here[acker].place),
                Trees::Itself(_) => Some(one.place),
                // The exchange finds the worker.
                Trees::Nobody => (!is_here && tracked).then_some(one.place),
            };
            let position = keeper.map_or(usize::from(u16::MAX), |keeper| {
                keepers.iter().position(|known| *known == keeper).unwrap_or_else(|| {
                    keepers.push(keeper);
                    keepers.len() - 1
                })
            });
            spouts.push((one.place, one.id.tasks().collect(), position));
        }
        Directory { keepers, spouts }
    }
}

fn wishes(executors: &[(ExecutorId, &Component)], simulated: bool) -> Vec<Wish> {
    let spouts: Vec<usize> = (0..executors.len())
        .filter(|position| matches!(executors[*position].1.role, Role::Spout(_)))
        .collect();
    let mut ackers = 0;
    let wish = |(_, component): &(ExecutorId, &Component)| match (
        &component.role,
        &component.conf.component_thread,
    ) {
        _ if simulated => Wish::Shared,
        (Role::Acker, _) if spouts.is_empty() => Wish::Shared,
        (Role::Acker, _) => {
            ackers += 1;
            Wish::With(spouts[(ackers - 1) % spouts.len()])
        }
        (_, ComponentThread::Shared) => Wish::Shared,
        (_, ComponentThread::Own) => Wish::Own,
        (_, ComponentThread::Group(group)) => Wish::Group(group.clone()),
    };
    executors.iter().map(wish).collect()
}

/// Shares the ackers out among the spouts.
fn assign_trees(here: &mut [Planned<'_>]) {
    let ackers: Vec<usize> =
        (0..here.len()).filter(|position| here[*position].component.id == ACKER).collect();
    let mut next = ackers.iter().cycle();
    for position in 0..here.len() {
        if !matches!(here[position].component.role, Role::Spout(_)) {
            continue;
        }
        here[position].trees = match next.next() {
            None => Trees::Itself(None),
            Some(acker) if here[*acker].place.thread == here[position].place.thread => {
                Trees::Itself(Some(*acker))
            }
            Some(acker) => Trees::Acker(*acker),
        };
    }
}

fn thread_count(conf: &TopologyConf, options: &Options) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    options.threads.or(conf.worker_threads.map(|threads| threads as usize)).unwrap_or_else(cores)
}
