//! What is written and not sent yet, and the frame that is open at its end.
//!
//! **Invariants.** What cannot be written leaves nothing behind. A frame never exceeds the limit of a
//! message, and is closed when it is long enough that a longer one would save nothing.

use super::marshal;
use super::write::Budget;
use super::{Framing, NotSendable};
use crate::multilang::input::HEADER_BYTES;

/// From this length on a frame is closed.
const LONG_FRAME_BYTES: usize = 256 << 10;

/// Bytes that the buffer keeps when all was sent.
const KEPT_BYTES: usize = 1 << 20;

/// Bytes of a list's head, of which the last four are the count.
const LIST_HEAD_BYTES: usize = 5;

#[derive(Debug)]
pub(super) struct Output {
    pub framing: Framing,
    bytes: Vec<u8>,
    /// Bytes at the beginning that were sent.
    sent: usize,
    max_bytes: usize,
    frame: Option<Frame>,
}

/// The open frame of [`Framing::Binary`].
#[derive(Debug)]
struct Frame {
    /// Where its header begins.
    at: usize,
    items: u32,
    run: Option<Run>,
}

/// The last item, if it is one that may be continued.
#[derive(Debug)]
struct Run {
    /// Where the item and the list of its elements begin.
    at: usize,
    list_at: usize,
    count: u32,
    next_id: i64,
}

impl Output {
    pub fn new(framing: Framing, max_bytes: usize) -> Self {
        // A frame's length and a text's are written with 32 bits.
        let max_bytes = max_bytes.min(u32::MAX as usize);
        Self { framing, bytes: Vec::new(), sent: 0, max_bytes, frame: None }
    }

    /// What is to be sent, complete.
    pub fn pending(&mut self) -> &[u8] {
        self.close_frame();
        &self.bytes[self.sent..]
    }

    /// Bytes that are to be sent.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        assert!(self.sent <= self.bytes.len(), "no more was sent than there was");
        if self.sent == self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
            (self.sent, self.frame) = (0, None);
        } else if self.frame.is_none() && self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Writes a message that is no item.
    pub fn message(
        &mut self,
        write: impl FnOnce(Framing, &mut Vec<u8>, &mut Budget) -> Result<(), NotSendable>,
    ) -> Result<(), NotSendable> {
        self.close_frame();
        let start = self.bytes.len();
        let mut budget = Budget::new(start, self.max_bytes);
        let written = write(self.framing, &mut self.bytes, &mut budget)
            .and_then(|()| budget.room(&self.bytes, 0));
        if written.is_err() {
            self.bytes.truncate(start);
        }
        written
    }

    /// Writes an item; it may be written twice, where it goes into another frame.
    pub fn item(
        &mut self,
        write: impl Fn(&mut Vec<u8>, &mut Budget) -> Result<(), NotSendable>,
    ) -> Result<(), NotSendable> {
        loop {
            self.close_run();
            let frame_at = self.open_frame();
            let start = self.bytes.len();
            let mut budget = Budget::new(start, self.max_bytes);
            let written = write(&mut self.bytes, &mut budget);
            let fits = self.bytes.len() - frame_at - HEADER_BYTES <= self.max_bytes;
            if written.is_ok() && fits {
                if let Some(frame) = &mut self.frame {
                    frame.items += 1;
                }
                self.close_long_frame();
                return Ok(());
            }
            self.bytes.truncate(start);
            if !self.may_go_on(written)? {
                return Err(NotSendable::TooLong { limit: self.max_bytes });
            }
        }
    }

    /// Writes an element of an item whose elements have ids that count up. It continues the last item
    /// if that `is_same` and its ids go on with this one.
    pub fn element(
        &mut self,
        id: i64,
        is_same: bool,
        head: impl Fn(&mut Vec<u8>),
        write: impl Fn(&mut Vec<u8>, &mut Budget) -> Result<(), NotSendable>,
    ) -> Result<(), NotSendable> {
        loop {
            let goes_on = |run: &Run| is_same && run.next_id == id && run.count < u32::MAX;
            let frame = self.frame.as_ref();
            if !frame.and_then(|frame| frame.run.as_ref()).is_some_and(goes_on) {
                self.close_run();
                self.open_frame();
                let at = self.bytes.len();
                head(&mut self.bytes);
                let list_at = self.bytes.len();
                marshal::write_list_head(&mut self.bytes, 0);
                if let Some(frame) = &mut self.frame {
                    frame.items += 1;
                    frame.run = Some(Run { at, list_at, count: 0, next_id: id });
                }
            }
            let start = self.bytes.len();
            let mut budget = Budget::new(start, self.max_bytes);
            let written = write(&mut self.bytes, &mut budget);
            let Some(Frame { at, run: Some(run), .. }) = &mut self.frame else {
                unreachable!("a run was begun or is open")
            };
            let fits = self.bytes.len() - *at - HEADER_BYTES <= self.max_bytes;
            if written.is_ok() && fits {
                run.count += 1;
                match id.checked_add(1) {
                    Some(next_id) => run.next_id = next_id,
                    None => self.close_run(),
                }
                self.close_long_frame();
                return Ok(());
            }
            self.bytes.truncate(start);
            self.drop_empty_run();
            if !self.may_go_on(written)? {
                return Err(NotSendable::TooLong { limit: self.max_bytes });
            }
        }
    }

    /// After something was taken back: closes the frame or drops it if it is empty. Whether another
    /// try can do better, since it did not fit behind what the frame has already.
    fn may_go_on(&mut self, written: Result<(), NotSendable>) -> Result<bool, NotSendable> {
        let is_empty = self.frame.as_ref().is_some_and(|frame| frame.items == 0);
        if is_empty && let Some(frame) = self.frame.take() {
            self.bytes.truncate(frame.at);
        }
        written?;
        self.close_frame();
        Ok(!is_empty)
    }

    /// Where the open frame begins.
    fn open_frame(&mut self) -> usize {
        let at = self.bytes.len();
        let frame = self.frame.get_or_insert_with(|| {
            self.bytes.extend_from_slice(&[0; HEADER_BYTES]);
            marshal::write_list_head(&mut self.bytes, 0);
            Frame { at, items: 0, run: None }
        });
        frame.at
    }

    fn close_run(&mut self) {
        if let Some(run) = self.frame.as_mut().and_then(|frame| frame.run.take()) {
            self.set_count(run.list_at, run.count);
        }
    }

    fn drop_empty_run(&mut self) {
        if let Some(frame) = &mut self.frame
            && let Some(run) = frame.run.take_if(|run| run.count == 0)
        {
            frame.items -= 1;
            self.bytes.truncate(run.at);
        }
    }

    fn close_long_frame(&mut self) {
        if self.frame.as_ref().is_some_and(|frame| self.bytes.len() - frame.at > LONG_FRAME_BYTES) {
            self.close_frame();
        }
    }

    fn close_frame(&mut self) {
        self.close_run();
        let Some(frame) = self.frame.take() else { return };
        self.set_count(frame.at + HEADER_BYTES, frame.items);
        let length = self.bytes.len() - frame.at - HEADER_BYTES;
        self.bytes[frame.at..frame.at + HEADER_BYTES]
            .copy_from_slice(&(length as u32).to_be_bytes());
    }

    fn set_count(&mut self, list_at: usize, count: u32) {
        self.bytes[list_at + 1..list_at + LIST_HEAD_BYTES].copy_from_slice(&count.to_le_bytes());
    }
}
