//! What comes from other workers: frames into blocks, acks, credit.

use super::session::{Filled, SessionEnd};
use super::{Ends, Exchange, POLL_INTERVAL, Refused, Since, due, put_ping};
use crate::clock::Time;
use crate::id::{RootId, TaskId};
use crate::messaging::batch::{self, Checks};
use crate::messaging::frame::{Frame, FrameError, Reader, code};
use crate::queue::Poller;
use crate::transfer::Transfer;
use crate::tuple::Anchor;

/// Readings of one connection before others have their turn.
const MOST_READS: usize = 4;

impl Exchange {
    /// Begins a cycle: reads what has come, where something may have.
    #[inline]
    pub fn receive(&mut self, transfer: &mut Transfer, now: Time) {
        self.now = now;
        let due = due(self.since, self.shared.unparker.poller(), now, self.next_poll);
        if self.since == Since::Slept || due == u64::MAX {
            self.next_poll = now + POLL_INTERVAL;
        }
        self.since = Since::Worked;
        if due == 0 {
            return;
        }
        for index in 0..self.peers.len() {
            if due & Poller::bit(index) != 0
                && let Err(end) = self.read(index, transfer)
            {
                self.lose(index, &end, transfer);
            }
        }
    }

    fn read(&mut self, index: usize, transfer: &mut Transfer) -> Result<(), SessionEnd> {
        for _ in 0..MOST_READS {
            let Some(session) = &mut self.peers[index].session else { return Ok(()) };
            session.blocked = false;
            match session.read.fill(&session.stream) {
                Ok(Filled::Nothing) => return Ok(()),
                Ok(filled) => {
                    self.heed_frames(index, transfer)?;
                    if filled == Filled::Some {
                        return Ok(());
                    }
                }
                Err(end) => return Err(end),
            }
        }
        Ok(())
    }

    /// Does what the frames that have come ask for.
    pub(super) fn heed_frames(
        &mut self,
        index: usize,
        transfer: &mut Transfer,
    ) -> Result<(), SessionEnd> {
        let Some(session) = &mut self.peers[index].session else { return Ok(()) };
        let mut read = std::mem::take(&mut session.read);
        let mut heeded = Ok(());
        while heeded.is_ok() {
            heeded = match read.next() {
                Ok(Some(frame)) => self.heed(index, frame, transfer),
                Ok(None) => break,
                Err(error) => Err(error),
            };
        }
        if let Some(session) = &mut self.peers[index].session {
            session.read = read;
        }
        heeded.map_err(SessionEnd::from)
    }

    #[inline]
    fn heed(
        &mut self,
        index: usize,
        Frame { code, payload }: Frame<'_>,
        transfer: &mut Transfer,
    ) -> Result<(), FrameError> {
        match code {
            0.. => self.tuples(TaskId(code as u16), payload, transfer),
            code::END_OF_BATCH => Ok(()),
            code::ACKS => self.acks(payload, transfer),
            code::CREDIT => self.credit(payload, transfer),
            code::START => self.start(index, payload, transfer),
            code::PING => {
                let time_ns = Reader::new(payload, "a ping").u64()?;
                if let Some(session) = &mut self.peers[index].session {
                    put_ping(code::PONG, time_ns, &mut session.out);
                }
                Ok(())
            }
            code::PONG => {
                let sent = Time::from_nanos(Reader::new(payload, "a pong").u64()?);
                let round_trip = self.now.since(sent);
                self.shared.counts.ping_ns.set(round_trip.as_nanos() as u64);
                Ok(())
            }
            code => Err(FrameError::Unexpected { code }),
        }
    }

    /// Tuples for a local executor.
    #[inline]
    fn tuples(
        &mut self,
        receiver: TaskId,
        payload: &[u8],
        transfer: &mut Transfer,
    ) -> Result<(), FrameError> {
        let mut reader = Reader::new(payload, "tuples");
        let (emitter, is_last) = batch::head(&mut reader)?;
        let ends = Ends { emitter, receiver };
        let found = self.ends_to_in.binary_search_by_key(&ends, |(ends, _)| *ends);
        let position = found.map_err(|_| FrameError::Unknown {
            what: "a link to task",
            number: receiver.0.into(),
        })?;
        let link = &mut self.in_links[self.ends_to_in[position].1 as usize];
        let mut block = match link.partial.take() {
            Some(block) => block,
            None => {
                if !link.come() {
                    link.occupied -= 1;
                    return Err(FrameError::Credit { from: emitter, to: receiver });
                }
                transfer.inbound_block(link.link)
            }
        };
        let (shared, now) = (&self.shared, self.now);
        let checks =
            Checks { schema: &shared.schema, readers: &shared.readers, executor: link.receiver };
        let before = block.headers.len();
        let mut refused = |refused: Refused, anchors: &[Anchor]| {
            Self::report(shared, &refused, now);
            anchors.iter().for_each(|anchor| transfer.fail(anchor.root));
        };
        let decoded = batch::decode(&mut reader, &checks, &mut block, &mut refused);
        if let Err(error) = decoded {
            // Whatever stands in the block by now may be inconsistent.
            link.occupied -= 1;
            transfer.drop_inbound(link.link, block);
            return Err(error);
        }
        shared.counts.received_tuples.add((block.headers.len() - before) as u64);
        if !is_last {
            link.partial = Some(block);
            return Ok(());
        }
        if link.is_crowded() && !link.is_awaited && link.thread != transfer.thread() {
            link.is_awaited = true;
            transfer.await_returns(link.thread, 1);
        }
        transfer.send_inbound(link.link, block);
        Ok(())
    }

    /// Acks for trees of spouts in this worker.
    #[inline]
    fn acks(&mut self, payload: &[u8], transfer: &mut Transfer) -> Result<(), FrameError> {
        self.anchors.clear();
        batch::take_anchors(payload, &mut self.anchors)?;
        let keeps_task = &self.keeps_task;
        let count = self.anchors.len();
        self.anchors.retain(|anchor| {
            let task = RootId::of(anchor.root).spout_task();
            keeps_task.get(usize::from(task.0)).copied().unwrap_or(false)
        });
        self.shared.counts.dropped_acks.add((count - self.anchors.len()) as u64);
        transfer.ack_all(&self.anchors);
        Ok(())
    }

    /// Blocks that the peer has processed.
    fn credit(&mut self, payload: &[u8], transfer: &mut Transfer) -> Result<(), FrameError> {
        for_each_link(payload, "credit", |ends, blocks| {
            let Some(out) = self.out_of(ends) else { return };
            let home = self.out_links[out].credit(blocks);
            for _ in 0..home {
                if let Some(block) = self.out_links[out].take_held() {
                    transfer.finish(block);
                }
            }
            self.send_waiting(out, transfer);
        })
    }

    /// Blocks that the peer has not processed yet: from now on it takes tuples.
    #[cold]
    fn start(
        &mut self,
        index: usize,
        payload: &[u8],
        transfer: &mut Transfer,
    ) -> Result<(), FrameError> {
        match &mut self.peers[index].session {
            Some(session) if !session.started => session.started = true,
            _ => return Err(FrameError::Unexpected { code: code::START }),
        }
        for_each_link(payload, "a start", |ends, occupied| {
            if let Some(out) = self.out_of(ends) {
                self.out_links[out].begin(occupied);
            }
        })?;
        for out in 0..self.out_links.len() {
            self.send_waiting(out, transfer);
        }
        Ok(())
    }

    fn out_of(&self, ends: Ends) -> Option<usize> {
        let found = self.ends_to_out.binary_search_by_key(&ends, |(ends, _)| *ends);
        found.ok().map(|position| self.ends_to_out[position].1 as usize)
    }
}

fn for_each_link(
    payload: &[u8],
    what: &'static str,
    mut heed: impl FnMut(Ends, u32),
) -> Result<(), FrameError> {
    let mut reader = Reader::new(payload, what);
    while !reader.is_empty() {
        let ends = Ends { emitter: TaskId(reader.u16()?), receiver: TaskId(reader.u16()?) };
        heed(ends, reader.u32()?);
    }
    Ok(())
}
