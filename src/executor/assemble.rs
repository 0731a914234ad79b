//! From a checked topology to executors on threads: numbers the tasks, places the executors, lays
//! rings and links between them and compiles the groupings.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use tracing::Span;

use super::events::Events;
use super::exchange::{Ends, Exchange, ExchangeControl, ExchangeCounts, Shared, WorkerMap};
use super::plan::{Plan, Planned, Trees};
use super::router::{Chooser, Receiver, Route, Router, Subscription, Tap, Watch, Wire};
use super::spout::Limits;
use super::thread::{CommandQueue, Duty, Order};
use super::{AckerExecutor, BoltExecutor, Core, Executor, SpoutExecutor, bolt};
use crate::acker::AckLedger;
use crate::bolt::Collector;
use crate::clock::{Clock, Time};
use crate::component::{
    ContextParts, DeclaredStream, ErrorLog, Folders, Joints, TaskContext, ThreadSignal, Waker,
};
use crate::counter::ExecutorCounts;
use crate::grouping::Grouper;
use crate::id::{ComponentId, ExecutorId, RootId, StreamId, TaskId};
use crate::messaging::connector::Remote;
use crate::metrics::Metrics;
use crate::queue::{Parker, Wanted, ring};
use crate::spout::SpoutCollector;
use crate::topology::{ACKER, Component, Input, Role, TaskPlan, Topology, is_feedback};
use crate::transfer::{Peer, RING_BLOCKS, Transfer, blocks_of};
use crate::tuple::Keeper;
use crate::tuple::staging::{OutStream, Staging};

/// Tuples that may be under way from one executor to another unless
/// `topology.executor.receive.buffer.size` says otherwise: enough to keep both busy, few enough to
/// be processed within a millisecond at a microsecond each.
const DEFAULT_QUEUE_TUPLES: usize = 1024;

/// How many times as many it is between workers, where credit takes longer on its way.
const BETWEEN_WORKERS: usize = 4;

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
    /// None if this worker runs the whole topology.
    pub workers: Option<Workers>,
    /// None where there is no worker process.
    pub folders: Option<Arc<Folders>>,
}

/// The workers that share a topology, as one of them sees it.
pub(crate) struct Workers {
    /// Where the executors are.
    pub map: WorkerMap,
    /// Told of the peers; the caller starts it.
    pub connector: Remote,
}

/// Executors ready to run, by thread, and what can be observed of them.
pub(crate) struct Assembly {
    pub threads: Vec<ThreadParts>,
    pub observed: Observed,
    /// The way to the exchange, if there are other workers.
    pub exchange: Option<ExchangeControl>,
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
    pub events: Arc<Events>,
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

/// Builds everything that runs the topology, or this worker's part of it.
///
/// # Errors
/// If the system gives no descriptors to sleep in, which only a worker among others needs.
pub(crate) fn assemble(topology: &Topology, mut options: Options) -> io::Result<Assembly> {
    let tasks = TaskPlan::new(topology);
    let plan = Plan::new(topology, &tasks, &options);
    let workers = options.workers.take();
    let threads = plan.threads();
    let directory = plan.directory();
    let mut parkers = Vec::new();
    let mut signals: Vec<Arc<ThreadSignal>> = Vec::new();
    for thread in 0..threads {
        let has_sockets = plan.exchange.is_some_and(|place| usize::from(place.thread) == thread);
        let (parker, unparker) = if has_sockets { Parker::with_sockets()? } else { Parker::new() };
        parkers.push(parker);
        signals.push(Arc::new(ThreadSignal { raised: AtomicBool::new(false), unparker }));
    }
    let mut transfers: Vec<Transfer> = lay_rings(threads, &signals)
        .into_iter()
        .enumerate()
        .map(|(thread, peers)| {
            let seed = options.seed.wrapping_add(thread as u64).wrapping_mul(0x9e37_79b9);
            Transfer::new(thread as u16, plan.slots(thread), peers, &directory, seed)
        })
        .collect();
    let errors = Arc::new(ErrorLog::new(
        topology.conf().error_throttle_interval,
        topology.conf().max_error_report_per_interval as usize,
    ));
    let mut maker = Maker {
        topology,
        tasks: &tasks,
        plan: &plan,
        name: options.name.clone(),
        clock: options.clock.clone(),
        seed: options.seed,
        tap: options.tap.take(),
        folders: options.folders.take(),
        observed: Vec::new(),
        counts: Vec::new(),
        outbound: Vec::new(),
        errors: errors.clone(),
        metrics: Metrics::default(),
        events: Arc::default(),
    };
    maker.counts = plan.here.iter().map(|one| maker.counts_of(one.component)).collect();
    let mut executors: Vec<Vec<Executor>> = (0..threads).map(|_| Vec::new()).collect();
    for (position, one) in plan.here.iter().enumerate() {
        let thread = usize::from(one.place.thread);
        let executor = maker.executor(position, &mut transfers[thread], &signals[thread]);
        executors[thread].push(executor);
    }
    let mut control = None;
    if let (Some(place), Some(workers)) = (plan.exchange, workers) {
        let thread = usize::from(place.thread);
        let (exchange, made) = maker.exchange(workers, &mut transfers[thread], &signals[thread]);
        executors[thread].push(Executor::Exchange(Box::new(exchange)));
        control = Some(made);
    }
    let Maker { observed, metrics, events, .. } = maker;
    let observed = Observed { executors: observed.into(), errors, metrics, events };
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
    Ok(Assembly { threads, observed, exchange: control })
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

/// A link to an executor in another worker: its thread and number there, its ends and its blocks.
struct Outbound {
    thread: u16,
    link: u32,
    ends: Ends,
    limit: u32,
}

/// Makes executors one after the other.
struct Maker<'a> {
    topology: &'a Topology,
    tasks: &'a TaskPlan,
    plan: &'a Plan<'a>,
    name: Arc<str>,
    clock: Clock,
    seed: u64,
    tap: Option<Box<dyn Fn() -> Tap>>,
    folders: Option<Arc<Folders>>,
    observed: Vec<ObservedExecutor>,
    /// By position among the planned executors.
    counts: Vec<Arc<ExecutorCounts>>,
    /// Links that lead to the exchange.
    outbound: Vec<Outbound>,
    errors: Arc<ErrorLog>,
    metrics: Metrics,
    events: Arc<Events>,
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
        let one = &self.plan.here[position];
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
        let (routes, links, mut outbound) = self.routes(one, transfer);
        self.outbound.append(&mut outbound);
        let first_stream = self.first_stream(component);
        let watch = self.watch(component);
        let router = Router::new(component.id.clone(), first_stream, outputs, routes, watch);
        let waker = Waker::new(signal.clone(), one.place.slot);
        let core = Core {
            id: one.id,
            component: component.id.clone(),
            slot: one.place.slot,
            contexts: self.contexts(one, &waker),
            counts,
            errors: self.errors.clone(),
            events: self.events.clone(),
            waker,
            links,
            span: self.span(one),
        };
        let staging = Staging::new(component.id.clone(), self.out_streams(component, first_stream));
        match &component.role {
            Role::Spout(make) => {
                let limits = self.limits(component);
                let mut collector = SpoutCollector::new(staging, limits.tracked);
                collector.chooser = Some(Box::new(Chooser(self.chooser_routes(component))));
                let acker = self.acker_counts(one.trees);
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

    /// The counters of the acker whose work a spout's executor does.
    fn acker_counts(&self, trees: Trees) -> Option<Arc<ExecutorCounts>> {
        match trees {
            Trees::Itself(Some(acker)) => Some(self.counts[acker].clone()),
            Trees::Itself(None) => Some(Arc::new(ExecutorCounts::new(0, 0))),
            Trees::Acker(_) | Trees::Nobody => None,
        }
    }

    /// The executor that stands for those of other workers, once all others are made.
    fn exchange(
        &mut self,
        workers: Workers,
        transfer: &mut Transfer,
        signal: &Arc<ThreadSignal>,
    ) -> (Exchange, ExchangeControl) {
        let place = self.plan.exchange.expect("there are other workers");
        let waker = Waker::new(signal.clone(), place.slot);
        let counts = Arc::new(ExchangeCounts::default());
        let next_peers = Arc::default();
        let shared = Shared {
            schema: self.topology.schema().clone(),
            readers: self.topology.object_readers().clone(),
            errors: self.errors.clone(),
            counts: counts.clone(),
            next_peers: Arc::clone(&next_peers),
            connector: workers.connector.clone(),
            unparker: signal.unparker.clone(),
        };
        let mut keeps_task = Vec::new();
        for spout in self.plan.here.iter().filter(|one| one.trees != Trees::Nobody) {
            for task in spout.id.tasks() {
                let task = usize::from(task.0);
                keeps_task.resize(keeps_task.len().max(task + 1), false);
                keeps_task[task] = true;
            }
        }
        let now = self.clock.now();
        let mut exchange = Exchange::new(place.slot, waker.clone(), keeps_task, shared, now);
        for Outbound { thread, link, ends, limit } in self.outbound.drain(..) {
            exchange.add_out(thread, link, ends, limit);
        }
        for emitter in &self.plan.elsewhere {
            for receiver in &self.plan.here {
                let takes = |input: &Input| input.from == emitter.component.id;
                if !receiver.component.inputs.iter().any(takes) {
                    continue;
                }
                let limit = self.credit(emitter.component, receiver.component, true);
                let link = transfer.add_inbound_link(place.slot, receiver.place);
                let ends =
                    Ends { emitter: emitter.id.first_task, receiver: receiver.id.first_task };
                exchange.add_in(ends, receiver.id, link, receiver.place.thread, limit);
            }
        }
        let control = ExchangeControl {
            waker,
            connector: workers.connector,
            next_peers,
            counts,
            lines: Mutex::default(),
        };
        control.set_workers(&workers.map);
        (exchange, control)
    }

    fn acker(&self, one: &Planned<'_>, counts: Arc<ExecutorCounts>) -> Executor {
        let spouts = self.topology.components().values();
        let tasks: Vec<TaskId> = spouts
            .filter(|component| matches!(component.role, Role::Spout(_)))
            .flat_map(|component| self.tasks.tasks_of(component.id.as_str()).iter().copied())
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
        (tap.is_some() || wire.is_some()).then(|| Box::new(Watch { tap, wire, sampler: None }))
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
        takers.flat_map(|taker| self.tasks.tasks_of(taker.id.as_str())).copied().collect()
    }

    fn limits(&self, component: &Component) -> Limits {
        let conf = &component.conf;
        let most = RootId::MAX_PENDING;
        Limits {
            tracked: self.topology.components().contains_key(ACKER),
            max_pending: conf.max_spout_pending.map_or(most, |pending| most.min(pending as usize)),
            timeout: conf.expiry(),
            poll: conf.spout_wait.poll,
            first_generation: match self.plan.exchange {
                Some(_) => (self.seed >> 20) as u32,
                None => 0,
            },
        }
    }

    fn contexts(&self, one: &Planned<'_>, waker: &Waker) -> Vec<TaskContext> {
        let tasks = self.tasks.tasks_of(one.component.id.as_str());
        let inputs = one.component.inputs.iter();
        let sources: BTreeSet<(ComponentId, StreamId)> =
            inputs.map(|input| (input.from.clone(), input.stream.clone())).collect();
        let sources: Arc<[(ComponentId, StreamId)]> = sources.into_iter().collect();
        let outputs = one.component.outputs.iter();
        let streams: Arc<[StreamId]> = outputs.map(|output| output.stream.clone()).collect();
        let joints = Arc::new(self.joints(one.component));
        let context = |task: TaskId| {
            TaskContext::new(ContextParts {
                topology: self.name.clone(),
                component: one.component.id.clone(),
                executor: one.id,
                task,
                task_index: usize::from(task.0 - tasks[0].0),
                conf: one.component.conf.clone(),
                clock: self.clock.clone(),
                component_to_tasks: self.tasks.component_to_tasks.clone(),
                sources: sources.clone(),
                streams: streams.clone(),
                waker: waker.clone(),
                metrics: self.metrics.clone(),
                joints: joints.clone(),
                folders: self.folders.clone(),
            })
        };
        one.id.tasks().map(context).collect()
    }

    /// How a component is joined to others.
    fn joints(&self, component: &Component) -> Joints {
        let mut joints = Joints { outputs: component.outputs.clone(), ..Joints::default() };
        for taker in self.topology.components().values() {
            for input in taker.inputs.iter().filter(|input| input.from == component.id) {
                let form = input.grouping.form();
                joints.takers.push((input.stream.clone(), taker.id.clone(), form));
            }
        }
        for Input { from, stream, grouping } in &component.inputs {
            let index = self.topology.stream_index(from.as_str(), stream.as_str());
            let schema = &self.topology.schema()[usize::from(index.expect("validation found it"))];
            let source = (from.clone(), stream.clone(), grouping.form(), schema.fields.clone());
            joints.sources.push(source);
        }
        joints
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
    ) -> (Vec<Route>, std::ops::Range<u32>, Vec<Outbound>) {
        let mut executor_to_link: BTreeMap<ExecutorId, u32> = BTreeMap::new();
        let mut links: Option<std::ops::Range<u32>> = None;
        let mut outbound = Vec::new();
        let mut link_to = |to: &Planned<'_>| {
            *executor_to_link.entry(to.id).or_insert_with(|| {
                let is_remote = Some(to.place) == self.plan.exchange;
                let limit = self.credit(one.component, to.component, is_remote);
                let link = transfer.add_link(one.place.slot, to.place, limit);
                links.get_or_insert(link..link).end = link + 1;
                if is_remote {
                    let ends = Ends { emitter: one.id.first_task, receiver: to.id.first_task };
                    outbound.push(Outbound { thread: one.place.thread, link, ends, limit });
                }
                link
            })
        };
        let routes = self.routes_over(one.component, one.place.thread, &mut link_to);
        (routes, links.unwrap_or(0..0), outbound)
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
                route.sole_link = self.plan.everyone().find(alone).map(|_| only.receivers[0].link);
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
        let executors = self.plan.everyone().filter(|one| one.component.id == receiver.id);
        let mut receivers = Vec::new();
        for executor in executors {
            let link = link_to(executor);
            let is_here = Some(executor.place) != self.plan.exchange;
            receivers.extend(executor.id.tasks().map(|task| (Receiver { task, link }, is_here)));
        }
        receivers.sort_by_key(|(receiver, _)| receiver.task);
        let index = self
            .topology
            .stream_index(emitter.id.as_str(), input.stream.as_str())
            .expect("validation found every stream");
        let stream = &self.topology.schema()[usize::from(index)];
        let local: Vec<usize> =
            (0..receivers.len()).filter(|position| receivers[*position].1).collect();
        let receivers: Vec<Receiver> =
            receivers.into_iter().map(|(receiver, _)| receiver).collect();
        let seed = self.seed.wrapping_add(u64::from(thread)) >> 7;
        let grouper = Grouper::new(&input.grouping, stream, receivers.len(), &local, seed);
        Subscription { grouper, receivers }
    }

    /// Blocks of credit from one executor of `emitter` to one of `receiver`; 0 for no limit, on a
    /// way that leads back, because a full cycle would stand still for ever.
    fn credit(&self, emitter: &Component, receiver: &Component, is_remote: bool) -> u32 {
        if is_feedback(self.topology, &emitter.id, &receiver.id) {
            return 0;
        }
        let Some(buffer) = receiver.conf.executor_receive_buffer_tuples else {
            let factor = if is_remote { BETWEEN_WORKERS } else { 1 };
            return blocks_of(DEFAULT_QUEUE_TUPLES * factor);
        };
        let emits_to =
            |one: &&Planned<'_>| receiver.inputs.iter().any(|input| input.from == one.component.id);
        let emitters = self.plan.everyone().filter(emits_to).count().max(1);
        blocks_of(buffer as usize / emitters)
    }
}
