//! The executor that stands for all executors of other workers.
//!
//! ```text
//!   links ──▶ inbox ──▶ encode ──▶ ┌────────────┐ ──▶ one write per peer and cycle
//!   acks  ──▶                      │  session   │
//!   local executors ◀── decode ◀── └────────────┘ ◀── read
//! ```
//!
//! Links lead to it as to any executor. It owns the sockets and does its work in the cycle of its
//! thread: reads before the executors run, writes after them; so a tuple between workers passes no
//! other thread. Acks go to the worker of the tree's spout, which keeps the tree, whoever does so
//! there.
//!
//! **Budget.** Beside encoding and decoding (`messaging::batch`), a block costs a look-up by its
//! link on either side. Per cycle with something to say: one write per peer, and fewer where the next
//! cycle follows at once; per reading: one read. A thread that is busy looks for bytes every
//! [`POLL_INTERVAL`], one that sleeps is woken by them.
//!
//! **Invariants.** A connection never waits for a slow task, because every block that comes has
//! been granted room before (`links`). What is for a peer that is not there is dropped and counted,
//! and its blocks come home; before the first connection tuples and acks are kept for
//! [`FIRST_CONNECTION`].
//! Nothing of one connection is carried over into the next but which blocks are occupied.
//!
//! **Runs on** one thread of the worker.
//!
//! **Not here:** how connections are made (`messaging::connector`).

mod control;
mod inbound;
mod links;
mod session;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use control::{ExchangeControl, ExchangeCounts, Peers, WorkerMap};
pub(crate) use links::Ends;

use links::{InLink, OutLink};
use session::{Session, SessionEnd};

use super::Rest;
use crate::clock::Time;
use crate::component::{ErrorLog, ReportedError, Waker};
use crate::id::{ExecutorId, RootId, TaskId};
use crate::messaging::batch::{self, Refused};
use crate::messaging::connector::Remote;
use crate::messaging::frame::{self, code};
use crate::messaging::line::{Connected, Line};
use crate::queue::{Interest, Poller, Unparker};
use crate::transfer::Transfer;
use crate::tuple::block::{Block, Kind};
use crate::tuple::codec::ObjectReaders;
use crate::tuple::{Anchor, Schema};

/// How often a busy thread looks whether something has come.
const POLL_INTERVAL: Duration = Duration::from_micros(10);
/// How long tuples wait for the first connection to a peer.
const FIRST_CONNECTION: Duration = Duration::from_secs(10);
/// Acks that are kept for a peer before the first connection: 16 MiB of them.
const MOST_WAITING_ACKS: usize = 1 << 20;
/// How often a peer is pinged.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// Marks a task without a peer.
const NO_PEER: u16 = u16::MAX;

/// What the thread did since the sockets were looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Since {
    /// It worked.
    Worked,
    /// It slept: the poller knows which sockets are ready.
    Slept,
    /// It found nothing to do and does not sleep.
    Spun,
}

/// Sends to executors of other workers, and receives from them.
pub(crate) struct Exchange {
    pub slot: u32,
    pub waker: Waker,
    peers: Vec<Peer>,
    task_to_peer: Vec<u16>,
    out_links: Vec<OutLink>,
    /// By thread and number of the link there: the position among `out_links`.
    link_to_out: Vec<Vec<u32>>,
    in_links: Vec<InLink>,
    /// Sorted, with positions among `out_links`.
    ends_to_out: Vec<(Ends, u32)>,
    /// Sorted, with positions among `in_links`.
    ends_to_in: Vec<(Ends, u32)>,
    /// By number of the inbound link: the position among `in_links`.
    link_to_in: Vec<u32>,
    /// Spout tasks of this worker, by task.
    keeps_task: Vec<bool>,
    /// Whether blocks wait because a connection has much unwritten.
    is_stalled: bool,
    next_poll: Time,
    since: Since,
    shared: Shared,
    /// Kept for the next use.
    returned: Vec<u32>,
    anchors: Vec<Anchor>,
    now: Time,
}

/// What the exchange shares with other threads.
pub(crate) struct Shared {
    pub schema: Schema,
    pub readers: Arc<ObjectReaders>,
    pub errors: Arc<ErrorLog>,
    pub counts: Arc<ExchangeCounts>,
    pub next_peers: Arc<std::sync::Mutex<Option<Peers>>>,
    pub connector: Remote,
    /// Of this thread; it has a poller.
    pub unparker: Unparker,
}

/// One other worker.
struct Peer {
    line: Arc<Line>,
    session: Option<Session>,
    /// Until when tuples and acks are kept though there is no connection.
    keep_until: Time,
    /// Acks that wait for the first connection.
    waiting_acks: Vec<Anchor>,
    /// In-links with credit for this peer.
    creditors: Vec<u32>,
}

impl Peer {
    /// Whether acks wait for the first connection: a tuple may have come here over other workers
    /// before this one and the spout's know each other.
    #[cold]
    fn keeps_acks(&self, count: usize, now: Time) -> bool {
        now < self.keep_until && self.waiting_acks.len() + count <= MOST_WAITING_ACKS
    }
}

impl Exchange {
    pub fn new(slot: u32, waker: Waker, keeps_task: Vec<bool>, shared: Shared, now: Time) -> Self {
        Self {
            slot,
            waker,
            peers: Vec::new(),
            task_to_peer: Vec::new(),
            out_links: Vec::new(),
            link_to_out: Vec::new(),
            in_links: Vec::new(),
            ends_to_out: Vec::new(),
            ends_to_in: Vec::new(),
            link_to_in: Vec::new(),
            keeps_task,
            is_stalled: false,
            next_poll: Time::ZERO,
            since: Since::Worked,
            shared,
            returned: Vec::new(),
            anchors: Vec::new(),
            now,
        }
    }

    /// Adds link number `link` of a thread, which leads here.
    pub fn add_out(&mut self, thread: u16, link: u32, ends: Ends, limit: u32) {
        let thread = usize::from(thread);
        if self.link_to_out.len() <= thread {
            self.link_to_out.resize(thread + 1, Vec::new());
        }
        let links = &mut self.link_to_out[thread];
        links.resize(links.len().max(link as usize + 1), u32::MAX);
        let position = self.out_links.len() as u32;
        links[link as usize] = position;
        self.ends_to_out.push((ends, position));
        self.ends_to_out.sort_unstable();
        self.out_links.push(OutLink::new(ends, limit));
    }

    /// Adds inbound link number `link` of this thread, which leads to a local executor.
    pub fn add_in(&mut self, ends: Ends, receiver: ExecutorId, link: u32, thread: u16, limit: u32) {
        let position = self.in_links.len() as u32;
        self.link_to_in.resize(self.link_to_in.len().max(link as usize + 1), u32::MAX);
        self.link_to_in[link as usize] = position;
        self.in_links.push(InLink::new(ends, receiver, link, thread, limit));
        self.ends_to_in.push((ends, position));
        self.ends_to_in.sort_unstable();
    }

    /// Encodes what has come for other workers.
    pub fn run(&mut self, transfer: &mut Transfer, now: Time) -> Rest {
        self.now = now;
        if self.waker.take_woken() {
            self.heed_news(transfer, now);
        }
        while let Some(block) = transfer.next_block(self.slot) {
            match block.kind {
                Kind::Tuples => self.send_tuples(block, transfer),
                Kind::Acks => self.send_acks(block, transfer),
                Kind::Completions | Kind::Returned => transfer.finish(block),
            }
        }
        Rest::Until(self.timers(transfer, now))
    }

    /// Ends a cycle: credit and what was encoded goes out, unless the thread is `busy`, so that the
    /// next cycle follows at once, and little is kept back until then. True if something went out.
    #[inline]
    pub fn send(&mut self, transfer: &mut Transfer, busy: bool) -> bool {
        transfer.take_returned(&mut self.returned);
        if !self.returned.is_empty() {
            self.count_returned(transfer);
        }
        let mut sent = false;
        for index in 0..self.peers.len() {
            if !self.peers[index].creditors.is_empty() {
                self.give_credit(index);
            }
            let Some(session) = &mut self.peers[index].session else { continue };
            if busy && session.keeps_back(self.now) {
                continue;
            }
            match session.write() {
                Ok(wrote) => {
                    sent |= wrote;
                    if session.blocked != session.watched_for_room {
                        self.watch(index);
                    }
                }
                Err(end) => self.lose(index, &end, transfer),
            }
        }
        if sent && self.is_stalled {
            self.is_stalled = false;
            for out in 0..self.out_links.len() {
                self.send_waiting(out, transfer);
            }
        }
        sent
    }

    /// Notes what the thread does next.
    pub fn note(&mut self, since: Since) {
        self.since = since;
    }

    /// Has the poller watch for room exactly while the socket has none.
    #[cold]
    fn watch(&mut self, index: usize) {
        let Some(poller) = self.shared.unparker.poller() else { return };
        let Some(session) = &mut self.peers[index].session else { return };
        session.watched_for_room = session.blocked;
        let interest = if session.blocked { Interest::ReadAndWrite } else { Interest::Read };
        if let Err(error) = poller.change(&session.stream, index, interest) {
            tracing::warn!("cannot watch a connection: {error}");
        }
    }

    /// Sends a block of tuples, keeps it until it can be sent, or drops it.
    #[inline]
    fn send_tuples(&mut self, block: Box<Block>, transfer: &mut Transfer) {
        let out = self.link_to_out[usize::from(block.home)][block.link as usize] as usize;
        let link = &mut self.out_links[out];
        let peer = self.task_to_peer.get(usize::from(link.ends.receiver.0)).copied();
        let peer = peer.and_then(|peer| self.peers.get_mut(usize::from(peer)));
        match peer.map(|peer| (&mut peer.session, peer.keep_until)) {
            Some((Some(session), _))
                if link.waiting.is_empty() && link.has_credit() && session.takes_tuples() =>
            {
                let counts = &self.shared.counts;
                counts.sent_tuples.add(block.headers.len() as u64);
                encode(link, block, session, &self.shared, transfer, self.now);
            }
            Some((Some(_), _)) => {
                self.is_stalled |= link.has_credit();
                link.waiting.push_back(block);
            }
            Some((None, keep_until)) if self.now < keep_until => link.waiting.push_back(block),
            _ => {
                self.shared.counts.dropped_tuples.add(block.headers.len() as u64);
                transfer.finish(block);
            }
        }
    }

    /// Sends waiting blocks of a link as far as it has credit.
    fn send_waiting(&mut self, out: usize, transfer: &mut Transfer) {
        let link = &mut self.out_links[out];
        let peer = self.task_to_peer.get(usize::from(link.ends.receiver.0)).copied();
        let Some(peer) = peer.and_then(|peer| self.peers.get_mut(usize::from(peer))) else {
            return;
        };
        let Some(session) = &mut peer.session else { return };
        while link.has_credit() {
            if !session.takes_tuples() {
                self.is_stalled |= !link.waiting.is_empty();
                return;
            }
            let Some(block) = link.waiting.pop_front() else { return };
            self.shared.counts.sent_tuples.add(block.headers.len() as u64);
            encode(link, block, session, &self.shared, transfer, self.now);
        }
    }

    /// Sends acks to the workers of their trees' spouts.
    #[inline]
    fn send_acks(&mut self, block: Box<Block>, transfer: &mut Transfer) {
        let peer_of = |anchor: &Anchor| {
            let task = RootId::of(anchor.root).spout_task();
            usize::from(self.task_to_peer.get(usize::from(task.0)).copied().unwrap_or(NO_PEER))
        };
        let mut left = &block.anchors[..];
        while let Some(first) = left.first() {
            let peer = peer_of(first);
            let run = left.iter().position(|anchor| peer_of(anchor) != peer).unwrap_or(left.len());
            let (same, rest) = left.split_at(run);
            left = rest;
            match self.peers.get_mut(peer) {
                Some(Peer { session: Some(session), .. }) => put_acks(same, session),
                Some(peer) if peer.keeps_acks(run, self.now) => {
                    peer.waiting_acks.extend_from_slice(same);
                }
                _ => self.shared.counts.dropped_acks.add(run as u64),
            }
        }
        transfer.finish(block);
    }

    /// Notes which inbound blocks were processed.
    fn count_returned(&mut self, transfer: &mut Transfer) {
        let mut returned = std::mem::take(&mut self.returned);
        for link in returned.drain(..) {
            let position = self.link_to_in[link as usize];
            let link = &mut self.in_links[position as usize];
            let had_credit = link.has_credit();
            link.processed();
            if link.is_awaited && !link.is_crowded() {
                link.is_awaited = false;
                transfer.await_returns(link.thread, -1);
            }
            let peer = self.task_to_peer.get(usize::from(link.ends.emitter.0)).copied();
            match peer.and_then(|peer| self.peers.get_mut(usize::from(peer))) {
                Some(peer) if peer.session.is_some() => {
                    if !had_credit && link.has_credit() {
                        peer.creditors.push(position);
                    }
                }
                // The next connection begins with what is occupied then.
                _ => _ = link.take_credit(),
            }
        }
        self.returned = returned;
    }

    /// Gives a peer its credit, where it may wait for it or when something goes there anyway.
    fn give_credit(&mut self, index: usize) {
        let Peer { session, creditors, .. } = &mut self.peers[index];
        let Some(session) = session else { return };
        let any = session.has_output();
        let links = &mut self.in_links;
        let is_urgent = creditors.iter().any(|link| links[*link as usize].is_urgent());
        if !any && !is_urgent {
            return;
        }
        session.is_awaited |= is_urgent;
        let open = frame::open(&mut session.out, code::CREDIT);
        for link in creditors.drain(..) {
            let link = &mut links[link as usize];
            put_link(link.ends, link.take_credit(), &mut session.out);
        }
        open.close(&mut session.out);
    }

    /// Takes over new connections, and other peers.
    #[cold]
    fn heed_news(&mut self, transfer: &mut Transfer, now: Time) {
        let next = self.shared.next_peers.lock();
        let next = next.unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(next) = next {
            self.replace_peers(next, transfer, now);
        }
        for index in 0..self.peers.len() {
            if let Some(connected) = self.peers[index].line.take() {
                self.end(index, transfer);
                self.begin(index, connected, transfer, now);
            }
        }
    }

    fn replace_peers(&mut self, next: Peers, transfer: &mut Transfer, now: Time) {
        let mut old = std::mem::take(&mut self.peers);
        let task_to_old = std::mem::replace(&mut self.task_to_peer, next.task_to_peer);
        let old_line = |task: TaskId| {
            let peer = task_to_old.get(usize::from(task.0)).copied().unwrap_or(NO_PEER);
            old.get(usize::from(peer)).map(|peer: &Peer| peer.line.clone())
        };
        let lines = &next.lines;
        let new_line = |task: TaskId| {
            let peer = self.task_to_peer.get(usize::from(task.0)).copied().unwrap_or(NO_PEER);
            lines.get(usize::from(peer))
        };
        let is_same = |one: Option<&Arc<Line>>, other: Option<&Arc<Line>>| match (one, other) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        for link in &mut self.out_links {
            let task = link.ends.receiver;
            if !is_same(old_line(task).as_ref(), new_line(task)) {
                let lost = link.end(|block| transfer.finish(block));
                self.shared.counts.dropped_tuples.add(lost as u64);
            }
        }
        let poller = self.shared.unparker.poller();
        self.peers = next
            .lines
            .into_iter()
            .enumerate()
            .map(|(index, line)| {
                let known = old.iter().position(|peer| Arc::ptr_eq(&peer.line, &line));
                match known.map(|known| old.swap_remove(known)) {
                    Some(peer) => {
                        if let (Some(session), Some(poller)) = (&peer.session, poller) {
                            let _ = poller.change(&session.stream, index, Interest::ReadAndWrite);
                        }
                        peer
                    }
                    None => Peer {
                        line,
                        session: None,
                        keep_until: now + FIRST_CONNECTION,
                        waiting_acks: Vec::new(),
                        creditors: Vec::new(),
                    },
                }
            })
            .collect();
        let lost: usize = old.iter().map(|peer| peer.waiting_acks.len()).sum();
        self.shared.counts.dropped_acks.add(lost as u64);
        for peer in &mut self.peers {
            peer.creditors.clear();
            if let Some(session) = &mut peer.session {
                // Has the poller told anew.
                session.watched_for_room = true;
            }
        }
        for position in 0..self.in_links.len() {
            let link = &mut self.in_links[position];
            let peer = self.task_to_peer.get(usize::from(link.ends.emitter.0)).copied();
            match peer.and_then(|peer| self.peers.get_mut(usize::from(peer))) {
                Some(peer) if link.has_credit() => peer.creditors.push(position as u32),
                Some(_) => {}
                None => _ = link.take_credit(),
            }
        }
    }

    /// Begins to use a connection: says which blocks are occupied still.
    fn begin(&mut self, index: usize, connected: Connected, transfer: &mut Transfer, now: Time) {
        let mut session = Session::new(connected, now + PING_INTERVAL);
        let open = frame::open(&mut session.out, code::START);
        for link in &mut self.in_links {
            let peer = self.task_to_peer.get(usize::from(link.ends.emitter.0)).copied();
            if peer.is_some_and(|peer| usize::from(peer) == index) {
                link.take_credit();
                if let Some(partial) = link.partial.take() {
                    link.occupied -= 1;
                    transfer.drop_inbound(link.link, partial);
                }
            }
            if link.occupied > 0 {
                put_link(link.ends, link.occupied, &mut session.out);
            }
        }
        open.close(&mut session.out);
        if let Some(poller) = self.shared.unparker.poller()
            && let Err(error) = poller.add(&session.stream, index)
        {
            tracing::error!("cannot watch a connection, its tuples will be late: {error}");
        }
        self.shared.counts.connections.add(1);
        put_acks(&std::mem::take(&mut self.peers[index].waiting_acks), &mut session);
        self.peers[index].session = Some(session);
        self.peers[index].creditors.clear();
        // Bytes may have come with the handshake.
        if let Err(end) = self.heed_frames(index, transfer) {
            self.lose(index, &end, transfer);
        }
    }

    /// Gives a connection up, and has the connector make another.
    #[cold]
    fn lose(&mut self, index: usize, end: &SessionEnd, transfer: &mut Transfer) {
        let peer = &self.peers[index];
        let Some(session) = &peer.session else { return };
        let worker = &peer.line.address.worker;
        match end {
            SessionEnd::Frame(_) => tracing::error!(worker, "gave up a connection: {end}"),
            _ => tracing::info!(worker, "lost a connection: {end}"),
        }
        peer.line.lose(session.number);
        self.end(index, transfer);
        self.shared.connector.wake();
    }

    /// Lets go of a connection; its blocks come home, and what waits for it is dropped.
    fn end(&mut self, index: usize, transfer: &mut Transfer) {
        if self.peers[index].session.take().is_none() {
            return;
        }
        self.peers[index].keep_until = Time::ZERO;
        self.peers[index].creditors.clear();
        self.drop_waiting(index, transfer);
        for link in &mut self.in_links {
            let peer = self.task_to_peer.get(usize::from(link.ends.emitter.0)).copied();
            if peer.is_some_and(|peer| usize::from(peer) == index) {
                link.take_credit();
            }
        }
    }

    /// Has all blocks of the links to a peer come home.
    fn drop_waiting(&mut self, index: usize, transfer: &mut Transfer) {
        for link in &mut self.out_links {
            let peer = self.task_to_peer.get(usize::from(link.ends.receiver.0)).copied();
            if peer.is_some_and(|peer| usize::from(peer) == index) {
                let lost = link.end(|block| transfer.finish(block));
                self.shared.counts.dropped_tuples.add(lost as u64);
            }
        }
    }

    /// Pings, and gives up waiting for connections; answers when that is due next.
    #[inline]
    fn timers(&mut self, transfer: &mut Transfer, now: Time) -> Time {
        let mut next = Time::NEVER;
        for index in 0..self.peers.len() {
            let peer = &mut self.peers[index];
            match &mut peer.session {
                Some(session) => {
                    if now >= session.next_ping {
                        session.next_ping = now + PING_INTERVAL;
                        put_ping(code::PING, now.as_nanos(), &mut session.out);
                    }
                    next = next.min(session.next_ping);
                }
                None if peer.keep_until == Time::ZERO => {}
                None if now >= peer.keep_until => {
                    peer.keep_until = Time::ZERO;
                    let lost = std::mem::take(&mut peer.waiting_acks).len();
                    self.shared.counts.dropped_acks.add(lost as u64);
                    self.drop_waiting(index, transfer);
                }
                None => next = next.min(peer.keep_until),
            }
        }
        next
    }

    /// Reports what cannot travel, as an error of the component that emitted it.
    #[cold]
    fn report(shared: &Shared, refused: &Refused, now: Time) {
        let Some(stream) = shared.schema.get(usize::from(refused.stream)) else { return };
        let message = format!(
            "a tuple on stream {} cannot go to another worker: {}",
            stream.stream, refused.why
        );
        let component = stream.component.clone();
        let task = refused.source;
        let error = ReportedError { component, task, at: now, message: message.clone() };
        if shared.errors.report(error) {
            tracing::error!(component = stream.component.as_str(), task = task.0, "{message}");
        }
    }
}

/// Encodes a block into a connection and keeps it with its link.
#[inline]
fn encode(
    link: &mut OutLink,
    mut block: Box<Block>,
    session: &mut Session,
    shared: &Shared,
    transfer: &mut Transfer,
    now: Time,
) {
    let Ends { emitter, receiver } = link.ends;
    let mut refused = |refused: Refused, anchors: &[Anchor]| {
        Exchange::report(shared, &refused, now);
        anchors.iter().for_each(|anchor| transfer.fail(anchor.root));
    };
    batch::encode(&block, emitter, receiver, &mut session.out, &mut refused);
    block.clear();
    transfer.reuse_lists(&mut block);
    if let Some(block) = link.sent(block) {
        transfer.finish(block);
    }
}

/// Appends acks, if there are any.
#[inline]
fn put_acks(acks: &[Anchor], session: &mut Session) {
    if !acks.is_empty() {
        let open = frame::open(&mut session.out, code::ACKS);
        batch::put_anchors(acks, &mut session.out);
        open.close(&mut session.out);
    }
}

/// Appends a link and a number of its blocks.
fn put_link(ends: Ends, blocks: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&ends.emitter.0.to_le_bytes());
    out.extend_from_slice(&ends.receiver.0.to_le_bytes());
    out.extend_from_slice(&blocks.to_le_bytes());
}

fn put_ping(code: i16, time_ns: u64, out: &mut Vec<u8>) {
    let open = frame::open(out, code);
    out.extend_from_slice(&time_ns.to_le_bytes());
    open.close(out);
}

/// The sockets that are to be looked at now, a bit for each.
fn due(since: Since, poller: Option<&Poller>, now: Time, next_poll: Time) -> u64 {
    let ready = poller.map_or(0, Poller::take_ready);
    match since {
        Since::Spun => u64::MAX,
        Since::Slept => ready,
        Since::Worked if now >= next_poll => u64::MAX,
        Since::Worked => ready,
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "exchange with {} workers", self.peers.len())
    }
}
