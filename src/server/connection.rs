//! One connection: frames in, answers out, one call at a time.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::budget::{Budget, Share};
use super::counters::Ended;
use super::frame::{Incoming, read_frame};
use super::limits::Limits;
use super::listen::Common;
use super::message::{Fault, FaultKind, Message, MessageKind};
use super::principal::Principal;
use super::processor::{Caller, Reply};

/// How long a peer that was refused may take to read why.
const FAREWELL: Duration = Duration::from_secs(5);

/// Threads for calls: some run, some wait, the rest is busy.
#[derive(Debug)]
pub(super) struct Threads {
    /// Places for calls that run or wait.
    admitted: Arc<Semaphore>,
    /// Places for calls that run.
    running: Arc<Semaphore>,
}

impl Threads {
    pub fn new(limits: &Limits) -> Self {
        Self {
            admitted: Arc::new(Semaphore::new(limits.threads + limits.queue)),
            running: Arc::new(Semaphore::new(limits.threads)),
        }
    }
}

/// A connection under way.
pub(super) struct Connection {
    common: Arc<Common>,
    stream: TcpStream,
    peer: SocketAddr,
    /// Asked for when the first call comes, so that silent connections cost nothing.
    principal: Option<Arc<Principal>>,
    stop: watch::Receiver<bool>,
}

impl Connection {
    pub fn new(
        common: Arc<Common>,
        stream: TcpStream,
        peer: SocketAddr,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { common, stream, peer, principal: None, stop }
    }

    /// Serves the connection until its peer closes it, misbehaves, or the server stops.
    pub async fn serve(mut self, budget: Budget) {
        let mut served_any = false;
        loop {
            let Some(first) = self.first_byte(served_any).await else {
                return;
            };
            let mut share = budget.share();
            let incoming =
                read_frame(&mut self.stream, first, &self.common.limits, &mut share).await;
            match incoming {
                Incoming::Frame(frame) => {
                    if !self.answer(frame, share).await {
                        return;
                    }
                    served_any = true;
                }
                other => return self.part(other).await,
            }
        }
    }

    /// Waits for the next frame's first byte; `None` when the connection is to be closed.
    async fn first_byte(&mut self, served_any: bool) -> Option<u8> {
        let limits = &self.common.limits;
        let limit = if served_any { limits.idle } else { limits.first_frame };
        let idle = self.common.registry.idle();
        let counters = &self.common.counters;
        tokio::select! {
            biased;
            read = timeout(limit, self.stream.read_u8()) => match read {
                Ok(byte) => byte.ok(),
                Err(_) => {
                    counters.late.fetch_add(1, Ordering::Relaxed);
                    None
                }
            },
            () = idle.evicted() => {
                counters.evicted.fetch_add(1, Ordering::Relaxed);
                None
            }
            _ = self.stop.wait_for(|stop| *stop) => None,
        }
    }

    /// Carries out one call and writes its answer; `false` when the connection is to be closed.
    async fn answer(&mut self, frame: Vec<u8>, share: Share) -> bool {
        let Some(message) = Message::parse(&frame) else {
            self.garbage("a frame whose message cannot be read");
            return false;
        };
        let began = self.common.clock.now();
        let method = message.method.clone();
        let (reply, ended) = self.reply(message, frame, share).await;
        let took = self.common.clock.now().since(began);
        self.common.counters.count(&method, ended, took);
        reply.bytes.is_empty() || self.write(&reply.bytes).await
    }

    async fn reply(&mut self, message: Message, frame: Vec<u8>, share: Share) -> (Reply, Ended) {
        if !matches!(message.kind, MessageKind::Call | MessageKind::Oneway) {
            let sentence = "a client sends calls, not answers";
            let fault = Fault::new(FaultKind::InvalidMessageType, sentence);
            return failed(message.fault(&fault));
        }
        let principal = self.principal().await;
        let common = &self.common;
        let caller = Caller {
            principal,
            operation: message.method.clone(),
            authorizer: Arc::clone(&common.authorizer),
        };
        if let Err(refused) = caller.authorize(&common.conf) {
            tracing::warn!("refused: {refused}");
            let sentence = refused.to_string();
            let bytes = match common.processor.refusal_field(&message.method) {
                Some(field) => message.exception(field, &sentence),
                None => message.fault(&Fault::new(FaultKind::Unknown, sentence)),
            };
            return (Reply { bytes, is_error: true }, Ended::Refused);
        }
        self.call(caller, message, frame, share).await
    }

    async fn call(
        &self,
        caller: Caller,
        message: Message,
        frame: Vec<u8>,
        share: Share,
    ) -> (Reply, Ended) {
        let common = &self.common;
        let Ok(admitted) = Arc::clone(&common.threads.admitted).try_acquire_owned() else {
            return failed(self.busy(&message, "too many calls are waiting"));
        };
        let running = Arc::clone(&common.threads.running).acquire_owned().await;
        let processor = Arc::clone(&common.processor);
        let head = message.clone();
        let call = spawn_blocking(move || {
            let call = AssertUnwindSafe(|| processor.call(&caller, &message, &frame));
            let reply = catch_unwind(call);
            // The frame's share of memory and the places end with the call itself.
            drop((frame, share, running, admitted));
            reply
        });
        match call.await {
            Ok(Ok(reply)) => {
                let ended = if reply.is_error { Ended::InError } else { Ended::Well };
                (reply, ended)
            }
            Ok(Err(_)) | Err(_) => {
                tracing::error!("{} from {} panicked: this is a bug", head.method, self.peer);
                let sentence = format!(
                    "{} failed inside this daemon, which is a bug: its log says where",
                    head.method
                );
                failed(head.fault(&Fault::new(FaultKind::Internal, sentence)))
            }
        }
    }

    fn busy(&self, message: &Message, why: &str) -> Vec<u8> {
        let common = &self.common;
        common.counters.busy.fetch_add(1, Ordering::Relaxed);
        if let Some(times) = common.busy_log.pass(common.clock.now()) {
            tracing::warn!("busy: {why} ({times} since the last such line)");
        }
        let sentence = format!(
            "this daemon is busy: {why}; {} was not begun, try again later",
            message.method
        );
        message.fault(&Fault::new(FaultKind::Internal, sentence))
    }

    async fn principal(&mut self) -> Arc<Principal> {
        if let Some(principal) = &self.principal {
            return Arc::clone(principal);
        }
        let peer = self.peer;
        let principal = match self.stream.local_addr() {
            Ok(local) => spawn_blocking(move || super::peer::principal(peer, local)).await.ok(),
            Err(_) => None,
        };
        let principal = Arc::new(principal.unwrap_or(Principal::Untold));
        self.principal = Some(Arc::clone(&principal));
        principal
    }

    /// Ends a connection that did not send a frame, with an answer where one can be given.
    async fn part(mut self, incoming: Incoming) {
        let counters = &self.common.counters;
        match incoming {
            Incoming::Frame(_) | Incoming::Truncated => {}
            Incoming::Garbage(what) => self.garbage(what),
            Incoming::Late(what) => {
                counters.late.fetch_add(1, Ordering::Relaxed);
                tracing::debug!("closing {}: {what} did not come in time", self.peer);
            }
            Incoming::Oversized { bytes, head } => {
                counters.oversized.fetch_add(1, Ordering::Relaxed);
                let Limits { frame_bytes, frame_key, .. } = self.common.limits;
                let sentence = format!(
                    "{} of {bytes} bytes is above the limit of {frame_bytes} bytes: raise \
                     {frame_key}, which sets it, for this daemon and for the client",
                    head.method
                );
                tracing::warn!("refused from {}: {sentence}", self.peer);
                let fault = head.fault(&Fault::new(FaultKind::Protocol, sentence));
                self.say_and_close(&fault).await;
            }
            Incoming::NoMemory { head, bytes } => {
                if let Some(head) = head {
                    let why = format!("other calls hold the memory for a frame of {bytes} bytes");
                    let answer = self.busy(&head, &why);
                    self.say_and_close(&answer).await;
                }
            }
        }
    }

    fn garbage(&self, what: &str) {
        self.common.counters.garbage.fetch_add(1, Ordering::Relaxed);
        if self.common.garbage_log.first(self.peer.ip()) {
            tracing::warn!(
                "closed a connection from {}: it sent {what} (said once for this address)",
                self.peer
            );
        }
    }

    /// Writes a last answer and takes in what the peer still sends, since closing with unread bytes
    /// would take the answer away from it.
    async fn say_and_close(&mut self, answer: &[u8]) {
        let farewell = async {
            if self.write(answer).await && self.stream.shutdown().await.is_ok() {
                let mut rest = [0; 16 << 10];
                while matches!(self.stream.read(&mut rest).await, Ok(1..)) {}
            }
        };
        // Late or not, the connection ends here.
        let _ = timeout(FAREWELL, farewell).await;
    }

    /// Writes an answer; `false` when the peer does not take it.
    async fn write(&mut self, answer: &[u8]) -> bool {
        let Ok(length) = u32::try_from(answer.len()) else {
            return false;
        };
        let limit = self.common.limits.transfer(answer.len());
        let stream = &mut self.stream;
        let writing = async {
            if answer.len() <= 8 << 10 {
                let frame = [&length.to_be_bytes(), answer].concat();
                stream.write_all(&frame).await
            } else {
                stream.write_all(&length.to_be_bytes()).await?;
                stream.write_all(answer).await
            }
        };
        match timeout(limit, writing).await {
            Ok(written) => written.is_ok(),
            Err(_) => {
                self.common.counters.late.fetch_add(1, Ordering::Relaxed);
                false
            }
        }
    }
}

fn failed(bytes: Vec<u8>) -> (Reply, Ended) {
    (Reply { bytes, is_error: true }, Ended::InError)
}
