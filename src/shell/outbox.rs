//! The way of messages into a child's pipe: written at once where there is room; what finds none stays
//! with the writer.
//!
//! **Invariants.** Writing never blocks. What waits is bounded by the users of this: no tuple is added
//! while `queued` has reached the limit, and nothing is read from the child while much waits.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;

/// Bytes not taken from which on the child is not listened to, because it does not listen either.
const MUCH_BYTES: usize = 1 << 20;

/// The way to a child.
#[derive(Debug)]
pub(super) struct Outbox {
    pipe: OwnedFd,
    /// Bytes that the pipe has taken in all.
    written_in_all: u64,
    /// Bytes that found no room when it was tried last.
    left: usize,
    /// Tuples that were written since everything found room.
    pub queued: u32,
}

impl Outbox {
    /// For the writing end of a pipe that does not block.
    pub fn new(pipe: OwnedFd) -> Self {
        Self { pipe, written_in_all: 0, left: 0, queued: 0 }
    }

    /// Writes what the pipe takes of `bytes`, which begin with what found no room before; answers
    /// how many it took.
    ///
    /// # Errors
    /// If nobody reads the pipe any more.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            match rustix::io::write(&self.pipe, &bytes[written..]) {
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.written_in_all += written as u64;
        self.left = bytes.len() - written;
        if self.left == 0 {
            self.queued = 0;
        }
        Ok(written)
    }

    /// Whether everything found room when it was tried last.
    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Whether so much waits for room that the child is not to be listened to.
    pub fn is_overfull(&self) -> bool {
        self.left > MUCH_BYTES
    }

    /// Bytes that the child has taken from the pipe so far.
    pub fn taken_bytes(&self) -> u64 {
        let in_pipe = rustix::io::ioctl_fionread(&self.pipe).unwrap_or(0);
        self.written_in_all.saturating_sub(in_pipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_finds_no_room_is_left_until_there_is_some() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        rustix::io::ioctl_fionbio(&writer, true).expect("it can be set");
        let mut outbox = Outbox::new(writer.into());
        outbox.queued = 3;
        let bytes = [7; 200_000];
        let mut written = outbox.write(&bytes).expect("somebody may read");
        assert!(written < bytes.len() && !outbox.is_empty());
        assert_eq!((outbox.queued, outbox.taken_bytes()), (3, 0));
        let mut read = vec![0; 50_000];
        reader.read_exact(&mut read).expect("it is there");
        assert_eq!(outbox.taken_bytes(), 50_000);
        let mut all = 50_000;
        while all < bytes.len() {
            written += outbox.write(&bytes[written..]).expect("somebody may read");
            all += reader.read(&mut read).expect("it is there");
        }
        assert!(outbox.is_empty());
        assert_eq!((outbox.queued, outbox.taken_bytes()), (0, 200_000));
        drop(reader);
        assert!(outbox.write(&[1]).is_err());
    }
}
