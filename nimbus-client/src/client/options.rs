//! How patient a client is, and how much it takes.

use std::time::Duration;

use crate::conf::{Reader, keys};
use crate::wire::Limits;

/// How a client connects, waits and repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// Longest wait for a connection to one address. The system's resolver, which turns a host's
    /// name into numbers before that, has a limit of its own.
    pub connect: Duration,
    /// Longest wait for the answer to one call, sending included.
    pub call: Duration,
    /// Longest time for a call with all its repetitions and the pauses between.
    pub total: Duration,
    /// Largest message in either direction, without its length; the service's `max_buffer_size`.
    pub frame_bytes: usize,
    /// When a call is made again.
    pub retry: Retry,
}

/// When a call is made again that failed without harm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often at most; 0 for never.
    pub times: u32,
    /// The pause before the first repetition; it doubles from one to the next.
    pub interval: Duration,
    /// The longest pause.
    pub ceiling: Duration,
}

impl Default for ClientOptions {
    /// For a person who waits: 3 s to connect, 30 s for a call, two repetitions within a second.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            call: Duration::from_secs(30),
            total: Duration::from_secs(60),
            frame_bytes: Limits::default().frame_bytes,
            retry: Retry {
                times: 2,
                interval: Duration::from_millis(200),
                ceiling: Duration::from_secs(2),
            },
        }
    }
}

impl ClientOptions {
    /// What Storm's configuration says for clients of Nimbus: `nimbus.thrift.max_buffer_size`,
    /// `storm.thrift.socket.timeout.ms` and `storm.nimbus.retry.*`. Wrong values are left in
    /// `reader`.
    pub fn from_conf(reader: &mut Reader<'_>) -> Self {
        let call = reader.span(&keys::STORM_SOCKET_TIMEOUT);
        let frame_bytes = reader.bytes(&keys::NIMBUS_MAX_BUFFER_SIZE);
        let retry = Retry {
            times: reader.count(&keys::NIMBUS_RETRY_TIMES),
            interval: reader.span(&keys::NIMBUS_RETRY_INTERVAL),
            ceiling: reader.span(&keys::NIMBUS_RETRY_CEILING),
        };
        Self {
            call,
            total: call.saturating_mul(retry.times + 1),
            frame_bytes: usize::try_from(frame_bytes).unwrap_or(usize::MAX),
            retry,
            ..Self::default()
        }
    }

    /// These options without any repetition.
    pub fn without_retries(self) -> Self {
        Self { retry: Retry { times: 0, ..self.retry }, ..self }
    }
}

impl Retry {
    /// The pause before repetition `number`, which counts from 0.
    pub fn pause(&self, number: u32) -> Duration {
        self.interval.saturating_mul(2_u32.saturating_pow(number)).min(self.ceiling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::Layered;

    #[test]
    fn pauses_double_up_to_their_ceiling() {
        let retry = Retry {
            times: 9,
            interval: Duration::from_millis(100),
            ceiling: Duration::from_millis(700),
        };
        let pauses: Vec<u128> = (0..5).map(|number| retry.pause(number).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 700, 700]);
        assert_eq!(retry.pause(u32::MAX), retry.ceiling);
    }

    #[test]
    fn options_come_from_storms_keys() {
        let mut conf = Layered::new();
        conf.assign("storm.nimbus.retry.times=0").expect("it is a count");
        conf.assign("nimbus.thrift.max_buffer_size=2097152").expect("it is a size");
        let options = ClientOptions::from_conf(&mut conf.reader());
        assert_eq!(options.retry.times, 0);
        assert_eq!(options.frame_bytes, 2 << 20);
        assert_eq!(options.call, Duration::from_secs(600));
    }
}
