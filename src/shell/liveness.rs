//! Whether a silent child still lives, and when to look; pure.
//!
//! A child lives while it speaks. If it has not for a third of the timeout, it is asked for a word
//! (bolts alone can be), and looked at. If a timeout later it has not spoken, it is looked at again:
//! one that took bytes from its pipe or used processor time since the last look is busy, not dead.
//! What cannot be asked is looked at each timeout while it owes a word, so that its silence is found
//! out within two. One that goes on like
//! this for [`MOST_TIMEOUTS`] timeouts without a word is ended all the same: what spins for so long
//! does not come back.

use std::time::Duration;

use crate::clock::Time;

/// Timeouts for which a child may be busy without a word.
pub(super) const MOST_TIMEOUTS: u32 = 10;

/// A child is asked for a word after this part of the timeout.
const ASKS_PER_TIMEOUT: u32 = 3;

/// What is known of a child's life.
#[derive(Debug)]
pub(super) struct Liveness {
    timeout: Duration,
    /// When it last spoke, was asked for a word, or began to owe one.
    last_word: Time,
    /// When it last gave a sign of any kind.
    last_sign: Time,
    /// What was seen when it was looked at last.
    seen: Signs,
    /// Whether it was asked for a word since it spoke last.
    is_asked: bool,
    /// Whether it can be asked.
    can_be_asked: bool,
}

/// What is seen of a child from outside; each only grows while it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Signs {
    /// Bytes that it has taken from its pipe.
    pub taken_bytes: u64,
    /// Its time on a processor, in the system's ticks.
    pub cpu_ticks: u64,
}

/// What is to be done about a child now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Due {
    /// Nothing before this time.
    Later(Time),
    /// Ask it for a word.
    Ask,
    /// Look at it, and tell [`Liveness::look`].
    Look,
}

/// A child that is to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dead {
    /// No sign of life.
    Silent,
    /// Busy, and not a word.
    Spinning,
}

impl Liveness {
    /// Of a child that has just been started or spoken to.
    pub fn new(timeout: Duration, now: Time) -> Self {
        Self {
            timeout,
            last_word: now,
            last_sign: now,
            seen: Signs::default(),
            is_asked: false,
            can_be_asked: false,
        }
    }

    /// Has it be asked for a word from now on.
    pub fn ask_from_now_on(&mut self) {
        self.can_be_asked = true;
    }

    /// It spoke, or owes an answer only from now on.
    #[inline]
    pub fn spoke(&mut self, now: Time) {
        (self.last_word, self.last_sign, self.is_asked) = (now, now, false);
    }

    /// It was asked for a word, and looked at. Its time begins now: nobody may have had the time to
    /// ask it before.
    pub fn asked(&mut self, signs: Signs, now: Time) {
        (self.is_asked, self.seen) = (true, signs);
        (self.last_word, self.last_sign) = (now, now);
    }

    /// What is to be done now.
    pub fn due(&self, now: Time) -> Due {
        let may_be_asked = self.can_be_asked && !self.is_asked;
        let at = match may_be_asked {
            true => self.last_word + self.timeout / ASKS_PER_TIMEOUT,
            false => self.last_sign + self.timeout,
        };
        match may_be_asked {
            _ if now < at => Due::Later(at),
            true => Due::Ask,
            false => Due::Look,
        }
    }

    /// Takes in what is seen of it.
    ///
    /// # Errors
    /// [`Dead`] if it is to be ended.
    pub fn look(&mut self, signs: Signs, now: Time) -> Result<(), Dead> {
        let is_busy = signs != self.seen;
        self.seen = signs;
        if now.since(self.last_word) >= self.timeout * MOST_TIMEOUTS {
            return Err(if is_busy { Dead::Spinning } else { Dead::Silent });
        }
        if !is_busy {
            return Err(Dead::Silent);
        }
        self.last_sign = now;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn at(secs: u64) -> Time {
        Time::from_nanos(secs * 1_000_000_000)
    }

    fn signs(taken_bytes: u64, cpu_ticks: u64) -> Signs {
        Signs { taken_bytes, cpu_ticks }
    }

    #[test]
    fn a_silent_bolt_is_asked_once_and_then_looked_at() {
        let mut liveness = Liveness::new(TIMEOUT, at(0));
        assert_eq!(liveness.due(at(10)), Due::Later(at(30)), "it has not said its pid");
        liveness.ask_from_now_on();
        assert_eq!(liveness.due(at(9)), Due::Later(at(10)));
        assert_eq!(liveness.due(at(10)), Due::Ask);
        liveness.asked(signs(5, 5), at(11));
        assert_eq!(liveness.due(at(12)), Due::Later(at(41)));
        assert_eq!(liveness.due(at(41)), Due::Look);
        assert_eq!(liveness.look(signs(5, 5), at(41)), Err(Dead::Silent));
    }

    #[test]
    fn a_word_starts_everything_anew() {
        let mut liveness = Liveness::new(TIMEOUT, at(0));
        liveness.ask_from_now_on();
        liveness.asked(signs(0, 0), at(10));
        liveness.spoke(at(20));
        assert_eq!(liveness.due(at(29)), Due::Later(at(30)));
        assert_eq!(liveness.due(at(30)), Due::Ask);
    }

    #[test]
    fn nobody_is_looked_at_who_was_not_asked() {
        let mut liveness = Liveness::new(TIMEOUT, at(0));
        liveness.ask_from_now_on();
        assert_eq!(liveness.due(at(1_000)), Due::Ask, "the host had no time for it");
        liveness.asked(signs(0, 0), at(1_000));
        assert_eq!(liveness.due(at(1_029)), Due::Later(at(1_030)));
    }

    #[test]
    fn a_busy_child_lives_and_an_idle_one_dies() {
        let mut liveness = Liveness::new(TIMEOUT, at(0));
        assert_eq!(liveness.look(signs(0, 7), at(30)), Ok(()), "it used the processor");
        assert_eq!(liveness.due(at(59)), Due::Later(at(60)));
        assert_eq!(liveness.look(signs(9, 7), at(60)), Ok(()), "it took bytes");
        assert_eq!(liveness.look(signs(9, 7), at(90)), Err(Dead::Silent));
    }

    #[test]
    fn a_child_that_spins_for_ten_timeouts_is_ended() {
        let mut liveness = Liveness::new(TIMEOUT, at(0));
        for round in 1..10 {
            assert_eq!(liveness.look(signs(0, round), at(30 * round)), Ok(()));
        }
        assert_eq!(liveness.look(signs(0, 10), at(300)), Err(Dead::Spinning));
    }
}
