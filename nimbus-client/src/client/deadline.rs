//! Time for clients: the one place of this package that reads a clock and that waits.

use std::time::{Duration, Instant};

/// A point in time until which something is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// The end of a span that begins now; a span beyond the clock's range never ends.
    #[expect(
        clippy::disallowed_methods,
        reason = "a blocking client's waits end by the real clock"
    )]
    pub fn after(span: Duration) -> Self {
        Self(Instant::now().checked_add(span))
    }

    /// The earlier of two.
    pub fn or_earlier(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Self(Some(a.min(b))),
            (a, b) => Self(a.or(b)),
        }
    }

    /// What is left, never zero; nothing if it has passed.
    #[expect(
        clippy::disallowed_methods,
        reason = "a blocking client's waits end by the real clock"
    )]
    pub fn left(self) -> Option<Duration> {
        let Some(at) = self.0 else {
            return Some(Duration::MAX);
        };
        Some(at.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// What is left as sockets take it; nothing if the deadline has passed.
    pub fn socket_timeout(self) -> Option<Duration> {
        // Sockets count microseconds, and zero would mean for ever.
        Some(self.left()?.clamp(Duration::from_millis(1), Duration::from_secs(1 << 31)))
    }
}

/// Waits before a call is made again.
#[expect(clippy::disallowed_methods, reason = "nothing tells a client that a server is back")]
pub fn pause(span: Duration) {
    std::thread::sleep(span);
}
