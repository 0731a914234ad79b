//! From a checked topology to executors on threads: numbers the tasks, places the executors, lays
//! rings and links between them and compiles the groupings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tracing::Span;

use super::placement::{Wish, place};
use super::router::{Chooser, Receiver, Route, Router, Subscription, Tap, Watch, Wire};
use super::spout::Limits;
use super::thread::{CommandQueue, Duty, Order};
use super::{AckerExecutor, BoltExecutor, Core, Executor, SpoutExecutor, bolt};
use crate::acker::AckLedger;
use crate::bolt::Collector;
use crate::clock::{Clock, Time};
use crate::component::{
    ContextParts, DeclaredStream, ErrorLog, Metrics, TaskContext, ThreadSignal, Waker,
};
use crate::conf::{ComponentThread, TopologyConf};
use crate::counter::ExecutorCounts;
use crate::grouping::Grouper;
use crate::id::{ComponentId, ExecutorId, RootId, StreamId, TaskId};
use crate::queue::{Parker, Wanted, ring};
use crate::spout::SpoutCollector;
use crate::topology::{ACKER, Component, Input, Role, TaskPlan, Topology, is_feedback};
use crate::transfer::{Directory, Peer, Place, RING_BLOCKS, Transfer, blocks_of};
use crate::tuple::Keeper;
use crate::tuple::staging::{OutStream, Staging};

/// Tuples that may be under way from one executor to another unless
/// `topology.executor.receive.buffer.size` says otherwise: enough to keep both busy, few enough to
/// be processed within a millisecond at a microsecond each.
const DEFAULT_QUEUE_TUPLES: usize = 1024;

/// What an assembly needs to know beside the topology.
pub(crate) struct Options {
    pub name: Arc<str>,
    pub clock: Clock,
    /// Shared threads; none for one per core, or what the topology's conf says.
    pub threads: Option<usize>,
    /// All executors on one thread, in an order drawn from the seed.
    pub simulated: bool,
    pub seed: u64,
    /// Makes a tap for the emissions of each executor.
    pub tap: Option<Box<dyn Fn() -> Tap>>,
}

/// Executors ready to run, by thread, and what can be observed of them.
pub(crate) struct Assembly {
    pub threads: Vec<ThreadParts>,
    pub observed: Observed,
}

/// One thread's duty, and what others need to reach it.
pub(crate) struct ThreadParts {
    pub duty: Duty,
    pub parker: Parker,
    pub signal: Arc<ThreadSignal>,
    pub commands: Arc<CommandQueue>,
}

/// Counters, errors and metrics of a running topology.
#[derive(Clone)]
pub(crate) struct Observed {
    pub executors: Arc<[ObservedExecutor]>,
    pub errors: Arc<ErrorLog>,
    pub metrics: Metrics,
}

/// One executor as it is seen from outside.
pub(crate) struct ObservedExecutor {
    pub id: ExecutorId,
    pub component: ComponentId,
    pub is_spout: bool,
    pub thread: usize,
    pub outputs: Vec<StreamId>,
    pub inputs: Vec<(ComponentId, StreamId)>,
    pub counts: Arc<ExecutorCounts>,
    pub keeper: Arc<Keeper>,
}

/// An executor that is placed but not made yet.
struct Planned<'a> {
    id: ExecutorId,
    component: &'a Component,
    place: Place,
    /// Of a spout: the position of its acker, if trees are kept.
    acker: Option<usize>,
}

impl Planned<'_> {
    /// The acker on the same thread, whose trees the spout's executor keeps itself.
    fn acker_beside(&self, planned: &[Planned<'_>]) -> Option<usize> {
        self.acker.filter(|acker| planned[*acker].place.thread == self.place.thread)
    }
}

/// Builds everything that runs the topology.
pub(crate) fn assemble(topology: &Topology, mut options: Options) -> Assembly {
    let plan = TaskPlan::new(topology);
    let planned = plan_executors(topology, &plan, &options);
    let threads = planned.iter().map(|one| usize::from(one.place.thread) + 1).max().unwrap_or(1);
    let directory = directory(&planned);
    let (parkers, unparkers): (Vec<_>, Vec<_>) = (0..threads).map(|_| Parker::new()).unzip();
    let signals: Vec<Arc<ThreadSignal>> = unparkers
        .iter()
        .map(|unparker| {
            let raised = AtomicBool::new(false);
            Arc::new(ThreadSignal { raised, unparker: unparker.clone() })
        })
        .collect();
    let mut transfers: Vec<Transfer> = lay_rings(threads, &signals)
        .into_iter()
        .enumerate()
        .map(|(thread, peers)| {
            let here = |one: &&Planned<'_>| usize::from(one.place.thread) == thread;
            let slots = planned.iter().filter(here).count();
            let seed = options.seed.wrapping_add(thread as u64).wrapping_mul(0x9e37_79b9);
            Transfer::new(thread as u16, slots, peers, &directory, seed)
        })
        .collect();
    let mut maker = Maker {
        topology,
        plan: &plan,
        planned: &planned,
        name: options.name.clone(),
        clock: options.clock.clone(),
        seed: options.seed,
        tap: options.tap.take(),
        observed: Vec::new(),
        counts: Vec::new(),
        errors: Arc::new(ErrorLog::new(
            topology.conf().error_throttle_interval,
            topology.conf().max_error_report_per_interval as usize,
        )),
        metrics: Metrics::default(),
    };
    maker.counts = planned.iter().map(|one| maker.counts_of(one.component)).collect();
    let mut executors: Vec<Vec<Executor>> = (0..threads).map(|_| Vec::new()).collect();
    for (position, one) in planned.iter().enumerate() {
        let thread = usize::from(one.place.thread);
        let executor = maker.executor(position, &mut transfers[thread], &signals[thread]);
        executors[thread].push(executor);
    }
    let observed =
        Observed { executors: maker.observed.into(), errors: maker.errors, metrics: maker.metrics };
    let order = |thread: u64| match options.simulated {
        true => Order::Random(options.seed.wrapping_add(thread)),
        false => Order::Flow,
    };
    let threads = executors
        .into_iter()
        .zip(transfers)
        .zip(parkers.into_iter().zip(signals))
        .enumerate()
        .map(|(thread, ((executors, transfer), (parker, signal)))| {
            let commands = Arc::new(CommandQueue::default());
            let clock = options.clock.clone();
            let order = order(thread as u64);
            let duty =
                Duty::new(executors, transfer, clock, signal.clone(), commands.clone(), order);
            ThreadParts { duty, parker, signal, commands }
        })
        .collect();
    Assembly { threads, observed }
}

/// All executors in flow order, ackers last, each with its thread and slot.
fn plan_executors<'a>(
    topology: &'a Topology,
    plan: &TaskPlan,
    options: &Options,
) -> Vec<Planned<'a>> {
    let depths = topology.depths();
    let mut executors: Vec<(ExecutorId, &Component)> = plan
        .executors
        .iter()
        .map(|(id, component)| (*id, &topology.components()[component]))
        .collect();
    executors.sort_by_key(|(id, component)| (depths[&component.id], *id));
    let spouts: Vec<usize> = (0..executors.len())
        .filter(|position| matches!(executors[*position].1.role, Role::Spout(_)))
        .collect();
    let mut ackers = 0;
    let wishes: Vec<Wish> = executors
        .iter()
        .map(|(_, component)| match (&component.role, &component.conf.component_thread) {
            _ if options.simulated => Wish::Shared,
            (Role::Acker, _) => {
                ackers += 1;
                Wish::With(spouts[(ackers - 1) % spouts.len()])
            }
            (_, ComponentThread::Shared) => Wish::Shared,
            (_, ComponentThread::Own) => Wish::Own,
            (_, ComponentThread::Group(group)) => Wish::Group(group.clone()),
        })
        .collect();
    let threads = if options.simulated { 1 } else { thread_count(topology.conf(), options) };
    let mut slots: BTreeMap<usize, u32> = BTreeMap::new();
    let planned = executors.into_iter().zip(place(&wishes, threads));
    let mut planned: Vec<Planned<'_>> = planned
        .map(|((id, component), thread)| {
            let slot = slots.entry(thread).or_default();
            *slot += 1;
            let place = Place { thread: thread as u16, slot: *slot - 1 };
            Planned { id, component, place, acker: None }
        })
        .collect();
    let ackers: Vec<usize> =
        (0..planned.len()).filter(|position| planned[*position].component.id == ACKER).collect();
    for (spout, acker) in spouts.into_iter().zip(ackers.iter().cycle()) {
        planned[spout].acker = Some(*acker);
    }
    planned
}

fn thread_count(conf: &TopologyConf, options: &Options) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    options.threads.or(conf.worker_threads.map(|threads| threads as usize)).unwrap_or_else(cores)
}

fn directory(planned: &[Planned<'_>]) -> Directory {
    let is_acker = |one: &&Planned<'_>| one.component.id == ACKER;
    let mut keepers: Vec<Place> = planned.iter().filter(is_acker).map(|one| one.place).collect();
    let mut spouts = Vec::new();
    for one in planned.iter().filter(|one| matches!(one.component.role, Role::Spout(_))) {
        let keeper = match one.acker_beside(planned) {
            Some(_) => one.place,
            None => one.acker.map_or(one.place, |acker| planned[acker].place),
        };
        let known = keepers.iter().position(|known| *known == keeper);
        let keeper = known.unwrap_or(keepers.len());
        if known.is_none() && one.acker.is_some() {
            keepers.push(one.place);
        }
        spouts.push((one.place, one.id.tasks().collect(), keeper));
    }
    Directory { keepers, spouts }
}

/// A ring each way between every two threads.
#[allow(clippy::needless_range_loop, reason = "each pass writes into two rows")]
fn lay_rings(threads: usize, signals: &[Arc<ThreadSignal>]) -> Vec<Vec<Option<Peer>>> {
    let mut peers: Vec<Vec<Option<Peer>>> =
        (0..threads).map(|_| (0..threads).map(|_| None).collect()).collect();
    for one in 0..threads {
        for other in one + 1..threads {
            let (to_other, from_one) = ring(RING_BLOCKS);
            let (to_one, from_other) = ring(RING_BLOCKS);
            let unparker = |thread: usize| signals[thread].unparker.clone();
            let (one_wants, other_wants) = (Wanted::new(), Wanted::new());
            peers[one][other] = Some(Peer::new(
                to_other,
                from_other,
                unparker(other),
                one_wants.clone(),
                other_wants.clone(),
            ));
            peers[other][one] =
                Some(Peer::new(to_one, from_one, unparker(one), other_wants, one_wants));
        }
    }
    peers
}

/// Makes executors one after the other.
struct Maker<'a> {
    topology: &'a Topology,
    plan: &'a TaskPlan,
    planned: &'a [Planned<'a>],
    name: Arc<str>,
    clock: Clock,
    seed: u64,
    tap: Option<Box<dyn Fn() -> Tap>>,
    observed: Vec<ObservedExecutor>,
    /// By position among the planned executors.
    counts: Vec<Arc<ExecutorCounts>>,
    errors: Arc<ErrorLog>,
    metrics: Metrics,
}

impl Maker<'_> {
    fn counts_of(&self, component: &Component) -> Arc<ExecutorCounts> {
        let inputs = self.inputs(component).0.len();
        Arc::new(ExecutorCounts::new(component.outputs.len(), inputs))
    }

    fn executor(
        &mut self,
        position: usize,
        transfer: &mut Transfer,
        signal: &Arc<ThreadSignal>,
    ) -> Executor {
        let one = &self.planned[position];
        let component = one.component;
        let (inputs, stream_to_input) = self.inputs(component);
        let outputs: Vec<StreamId> =
            component.outputs.iter().map(|output| output.stream.clone()).collect();
        let counts = self.counts[position].clone();
        let keeper = Arc::new(Keeper {
            schema: self.topology.schema().clone(),
            dropped_tuples: AtomicU64::new(0),
        });
        self.observed.push(ObservedExecutor {
            id: one.id,
            component: component.id.clone(),
            is_spout: matches!(component.role, Role::Spout(_)),
            thread: usize::from(one.place.thread),
            outputs: outputs.clone(),
            inputs,
            counts: counts.clone(),
            keeper: keeper.clone(),
        });
        if matches!(component.role, Role::Acker) {
            return self.acker(one, counts);
        }
        let (routes, links) = self.routes(one, transfer);
        let first_stream = self.first_stream(component);
        let watch = self.watch(component);
        let router = Router::new(component.id.clone(), first_stream, outputs, routes, watch);
        let waker = Waker::new(signal.clone());
        let core = Core {
            id: one.id,
            component: component.id.clone(),
            slot: one.place.slot,
            contexts: self.contexts(one, &waker),
            counts,
            errors: self.errors.clone(),
            waker,
            links,
            span: self.span(one),
        };
        let staging = Staging::new(component.id.clone(), self.out_streams(component, first_stream));
        match &component.role {
            Role::Spout(make) => {
                let limits = self.limits(component);
                let collector = SpoutCollector::new(staging, limits.tracked);
                let beside = one.acker_beside(self.planned);
                let acker = beside.map(|acker| self.counts[acker].clone());
                let spout =
                    SpoutExecutor::new(core, make.clone(), collector, router, limits, acker);
                Executor::Spout(Box::new(spout))
            }
            Role::Bolt(make) => {
                let mut collector = Collector::new(staging);
                collector.chooser = Some(Box::new(Chooser(self.chooser_routes(component))));
                let interval = component.conf.tick_tuple_freq;
                let ticks = bolt::Ticks {
                    interval,
                    stream: self.topology.tick_stream(),
                    next: interval.map_or(Time::NEVER, |interval| self.clock.now() + interval),
                };
                Executor::Bolt(Box::new(BoltExecutor::new(
                    core,
                    make.clone(),
                    collector,
                    router,
                    keeper,
                    stream_to_input,
                    ticks,
                )))
            }
            Role::Acker => unreachable!("ackers were made above"),
        }
    }

    fn acker(&self, one: &Planned<'_>, counts: Arc<ExecutorCounts>) -> Executor {
        let spouts = self.topology.components().values();
        let tasks: Vec<TaskId> = spouts
            .filter(|component| matches!(component.role, Role::Spout(_)))
            .flat_map(|component| self.plan.tasks_of(component.id.as_str()).iter().copied())
            .collect();
        let ledger = AckLedger::new(tasks);
        Executor::Acker(Box::new(AckerExecutor { slot: one.place.slot, ledger, counts }))
    }

    /// Says whose an author's log lines are. It is of the level of errors, so that it is there
    /// however little is logged.
    fn span(&self, one: &Planned<'_>) -> Span {
        let ExecutorId { first_task, last_task } = one.id;
        let is_single = first_task == last_task;
        tracing::error_span!(
            "executor",
            topology = &*self.name,
            component = one.component.id.as_str(),
            task = is_single.then_some(first_task.0),
            tasks =
                (!is_single).then(|| tracing::field::display(format!("{first_task}-{last_task}"))),
        )
    }

    fn watch(&self, component: &Component) -> Option<Box<Watch>> {
        let tap = self.tap.as_ref().map(|make| make());
        let wire = component.conf.testing_always_try_serialize;
        let wire = wire.then(|| Wire::new(self.topology.object_readers().clone()));
        (tap.is_some() || wire.is_some()).then(|| Box::new(Watch { tap, wire }))
    }

    fn out_streams(&self, component: &Component, first_stream: u16) -> Arc<[OutStream]> {
        let out = |(position, output): (usize, &DeclaredStream)| OutStream {
            index: first_stream + position as u16,
            stream: output.stream.clone(),
            fields: output.fields.len() as u8,
            direct: output.direct.then(|| self.subscribers(&component.id, &output.stream)),
        };
        component.outputs.iter().enumerate().map(out).collect()
    }

    /// The tasks of all bolts that take a stream.
    fn subscribers(&self, from: &ComponentId, stream: &StreamId) -> Arc<[TaskId]> {
        let takes = |input: &Input| input.from == *from && input.stream == *stream;
        let components = self.topology.components().values();
        let takers = components.filter(|component| component.inputs.iter().any(takes));
        takers.flat_map(|taker| self.plan.tasks_of(taker.id.as_str())).copied().collect()
    }

    fn limits(&self, component: &Component) -> Limits {
        let conf = &component.conf;
        let most = RootId::MAX_PENDING;
        Limits {
            tracked: self.topology.components().contains_key(ACKER),
            max_pending: conf.max_spout_pending.map_or(most, |pending| most.min(pending as usize)),
            timeout: conf.expiry(),
            poll: conf.spout_wait.poll,
        }
    }

    fn contexts(&self, one: &Planned<'_>, waker: &Waker) -> Vec<TaskContext> {
        let tasks = self.plan.tasks_of(one.component.id.as_str());
        let inputs = one.component.inputs.iter();
        let sources: BTreeSet<(ComponentId, StreamId)> =
            inputs.map(|input| (input.from.clone(), input.stream.clone())).collect();
        let sources: Arc<[(ComponentId, StreamId)]> = sources.into_iter().collect();
        let outputs = one.component.outputs.iter();
        let streams: Arc<[StreamId]> = outputs.map(|output| output.stream.clone()).collect();
        let context = |task: TaskId| {
            TaskContext::new(ContextParts {
                topology: self.name.clone(),
                component: one.component.id.clone(),
                executor: one.id,
                task,
                task_index: usize::from(task.0 - tasks[0].0),
                conf: one.component.conf.clone(),
                clock: self.clock.clone(),
                component_to_tasks: self.plan.component_to_tasks.clone(),
                sources: sources.clone(),
                streams: streams.clone(),
                waker: waker.clone(),
                metrics: self.metrics.clone(),
            })
        };
        one.id.tasks().map(context).collect()
    }

    /// The streams that a component takes, ticks last, and their positions by schema index.
    fn inputs(&self, component: &Component) -> (Vec<(ComponentId, StreamId)>, Box<[u16]>) {
        let schema = self.topology.schema();
        let mut stream_to_input = vec![u16::MAX; schema.len()].into_boxed_slice();
        let mut inputs = Vec::new();
        let named = component.inputs.iter().filter_map(|input| {
            self.topology.stream_index(input.from.as_str(), input.stream.as_str())
        });
        for index in named.chain([self.topology.tick_stream()]) {
            let position = &mut stream_to_input[usize::from(index)];
            if *position == u16::MAX {
                *position = inputs.len() as u16;
                let stream = &schema[usize::from(index)];
                inputs.push((stream.component.clone(), stream.stream.clone()));
            }
        }
        (inputs, stream_to_input)
    }

    fn first_stream(&self, component: &Component) -> u16 {
        let first = component.outputs.first().and_then(|output| {
            self.topology.stream_index(component.id.as_str(), output.stream.as_str())
        });
        first.unwrap_or(0)
    }

    /// The subscriptions to each output stream of an executor, and the links that they use.
    fn routes(
        &self,
        one: &Planned<'_>,
        transfer: &mut Transfer,
    ) -> (Vec<Route>, std::ops::Range<u32>) {
        let mut place_to_link: BTreeMap<(u16, u32), u32> = BTreeMap::new();
        let mut links: Option<std::ops::Range<u32>> = None;
        let mut link_to = |to: &Planned<'_>| {
            *place_to_link.entry((to.place.thread, to.place.slot)).or_insert_with(|| {
                let limit = self.credit(one.component, to.component);
                let link = transfer.add_link(one.place.slot, to.place, limit);
                links.get_or_insert(link..link).end = link + 1;
                link
            })
        };
        let routes = self.routes_over(one.component, one.place.thread, &mut link_to);
        (routes, links.unwrap_or(0..0))
    }

    /// Routes that only choose tasks; their links lead nowhere.
    fn chooser_routes(&self, component: &Component) -> Vec<Route> {
        self.routes_over(component, 0, &mut |_| u32::MAX)
    }

    fn routes_over(
        &self,
        emitter: &Component,
        thread: u16,
        link_to: &mut dyn FnMut(&Planned<'_>) -> u32,
    ) -> Vec<Route> {
        let mut routes = Vec::new();
        for output in &emitter.outputs {
            let mut route = Route::default();
            for receiver in self.topology.components().values() {
                let takes =
                    |input: &&Input| input.from == emitter.id && input.stream == output.stream;
                for input in receiver.inputs.iter().filter(takes) {
                    let subscription = self.subscription(emitter, input, receiver, thread, link_to);
                    route.subscriptions.push(subscription);
                }
            }
            if let [only] = &*route.subscriptions {
                route.single = only.grouper.is_single();
            }
            if let [only] = &*route.subscriptions
                && only.grouper.is_sole()
            {
                let task = only.receivers[0].task;
                let alone =
                    |one: &&Planned<'_>| one.id.tasks().len() == 1 && one.id.first_task == task;
                route.sole_link = self.planned.iter().find(alone).map(|_| only.receivers[0].link);
            }
            routes.push(route);
        }
        routes
    }

    fn subscription(
        &self,
        emitter: &Component,
        input: &Input,
        receiver: &Component,
        thread: u16,
        link_to: &mut dyn FnMut(&Planned<'_>) -> u32,
    ) -> Subscription {
        let executors = self.planned.iter().filter(|one| one.component.id == receiver.id);
        let mut receivers = Vec::new();
        for executor in executors {
            let link = link_to(executor);
            receivers.extend(executor.id.tasks().map(|task| Receiver { task, link }));
        }
        receivers.sort_by_key(|receiver| receiver.task);
        let index = self
            .topology
            .stream_index(emitter.id.as_str(), input.stream.as_str())
            .expect("validation found every stream");
        let stream = &self.topology.schema()[usize::from(index)];
        // All tasks are in this worker.
        let local: Vec<usize> = (0..receivers.len()).collect();
        let seed = self.seed.wrapping_add(u64::from(thread)) >> 7;
        let grouper = Grouper::new(&input.grouping, stream, receivers.len(), &local, seed);
        Subscription { grouper, receivers }
    }

    /// Blocks of credit from one executor of `emitter` to one of `receiver`; 0 for no limit, on a
    /// way that leads back, because a full cycle would stand still for ever.
    fn credit(&self, emitter: &Component, receiver: &Component) -> u32 {
        if is_feedback(self.topology, &emitter.id, &receiver.id) {
            return 0;
        }
        let Some(buffer) = receiver.conf.executor_receive_buffer_tuples else {
            return blocks_of(DEFAULT_QUEUE_TUPLES);
        };
        let emits_to =
            |one: &&Planned<'_>| receiver.inputs.iter().any(|input| input.from == one.component.id);
        let emitters = self.planned.iter().filter(emits_to).count().max(1);
        blocks_of(buffer as usize / emitters)
    }
}
