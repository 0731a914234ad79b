//! Asks the supervisor for orders, again and again, each question waiting there until they change.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use nimbus_client::client::{ClientError, WorkerGateMethods};
use nimbus_client::native::WorkerOrders;

use super::{Ending, Event, WorkerArgs};

/// How long a question may wait at the supervisor.
const WAIT: Duration = Duration::from_secs(10);
/// Longest wait for an answer: that, and a supervisor that is busy.
pub(super) const CALL: Duration = Duration::from_secs(20);
/// Pauses while the supervisor is away, the first and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

/// The work of the thread that follows the orders.
pub(super) fn follow(args: Arc<WorkerArgs>, tell: SyncSender<Event>) -> impl FnOnce() + Send {
    move || {
        // The main thread ends the process when it has heard of an ending, or has ended itself.
        while let Some(event) = Orders::new(&args).next_ending(&tell) {
            if tell.send(event).is_err() {
                return;
            }
        }
    }
}

struct Orders<'a> {
    args: &'a WorkerArgs,
    gate: nimbus_client::client::SupervisorClient,
    seen: i64,
    pause: Duration,
}

impl<'a> Orders<'a> {
    fn new(args: &'a WorkerArgs) -> Self {
        // No orders have this version.
        Self { args, gate: args.gate(), seen: -1, pause: PAUSES[0] }
    }

    /// Passes orders on until they say that the worker has to end; none if nobody listens.
    fn next_ending(&mut self, tell: &SyncSender<Event>) -> Option<Event> {
        loop {
            match self.ask() {
                Ok(orders) => {
                    self.pause = PAUSES[0];
                    if orders.version != self.seen {
                        self.seen = orders.version;
                        tell.send(Event::Orders(Box::new(orders))).ok()?;
                    }
                }
                Err(ClientError::NotAlive { .. }) => return Some(Event::End(Ending::NotAlive)),
                Err(error) => {
                    tracing::debug!("the supervisor gives no orders: {error}");
                    if !self.args.folder().is_dir() {
                        return Some(Event::End(Ending::Orphaned));
                    }
                    pause(self.pause);
                    self.pause = (self.pause * 2).min(PAUSES[1]);
                }
            }
        }
    }

    fn ask(&mut self) -> Result<WorkerOrders, ClientError> {
        let (topology, port) = (self.args.topology.to_string(), i32::from(self.args.port));
        let (seen, wait_ms) = (self.seen, WAIT.as_millis() as i32);
        self.gate.call(|gate| gate.orders(topology.clone(), port, seen, wait_ms))
    }
}

/// Waits for a while; nobody ever sends.
pub(super) fn pause(span: Duration) {
    let (_kept, never) = sync_channel::<()>(0);
    let waited = never.recv_timeout(span);
    debug_assert_eq!(waited, Err(RecvTimeoutError::Timeout));
}
