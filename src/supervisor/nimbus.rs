//! Calls from a supervisor to Nimbus.
//!
//! One connection at a time, made when it is needed, to the leader that one of the seeds names.
//! Everything called here may be repeated: downloads, reports and heartbeats.
//!
//! **Runs on** threads that may block.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use nimbus_client::native::{SupervisorGateSyncClient, TSupervisorGateSyncClient, WorkerReport};
use nimbus_client::thrift::{
    NimbusSyncClient, SupervisorWorkerHeartbeat, SupervisorWorkerHeartbeats, TNimbusSyncClient,
};
use thrift::protocol::{TBinaryInputProtocol, TBinaryOutputProtocol};
use thrift::transport::{
    ReadHalf, TFramedReadTransport, TFramedWriteTransport, TIoChannel, TTcpChannel, WriteHalf,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Nimbus may be busy with a large submission.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);

type Input = TBinaryInputProtocol<TFramedReadTransport<ReadHalf<TTcpChannel>>>;
type Output = TBinaryOutputProtocol<TFramedWriteTransport<WriteHalf<TTcpChannel>>>;

/// Why Nimbus could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum NimbusError {
    /// No seed can be reached.
    #[error("no Nimbus can be reached at {seeds}: {source}")]
    Unreachable {
        /// Those that were tried.
        seeds: String,
        /// What was said by the last one.
        source: io::Error,
    },
    /// A call failed.
    #[error("Nimbus did not carry out {call}: {source}")]
    Call {
        /// The method.
        call: &'static str,
        /// What it said.
        source: thrift::Error,
    },
}

/// Nimbus, as one user of a connection sees it.
#[derive(Clone, Debug)]
pub(super) struct Nimbus {
    seeds: Vec<String>,
    port: u16,
}

/// An open connection.
pub(super) struct Connection {
    stream: TcpStream,
    nimbus: NimbusSyncClient<Input, Output>,
    gate: SupervisorGateSyncClient<Input, Output>,
}

impl Nimbus {
    pub fn new(seeds: Vec<String>, port: u16) -> Self {
        Self { seeds, port }
    }

    /// Connects to the leader.
    pub fn connect(&self) -> Result<Connection, NimbusError> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for seed in &self.seeds {
            let (host, port) = seed
                .rsplit_once(':')
                .and_then(|(host, port)| Some((host, port.parse().ok()?)))
                .unwrap_or((seed.as_str(), self.port));
            let mut connection = match Connection::open(host, port) {
                Ok(connection) => connection,
                Err(error) => {
                    last = error;
                    continue;
                }
            };
            match connection.nimbus.get_leader() {
                Ok(leader) if leader.host == host && leader.port == i32::from(port) => {
                    return Ok(connection);
                }
                Ok(leader) => match Connection::open(&leader.host, leader.port as u16) {
                    Ok(connection) => return Ok(connection),
                    Err(error) => last = error,
                },
                Err(error) => last = io::Error::other(error),
            }
        }
        Err(NimbusError::Unreachable { seeds: self.seeds.join(", "), source: last })
    }
}

impl Connection {
    fn open(host: &str, port: u16) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (host, port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => return Self::over(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(CALL_TIMEOUT))?;
        stream.set_write_timeout(Some(CALL_TIMEOUT))?;
        // Two clients of one stream, used one after the other.
        let (input, output) = protocols(&stream)?;
        let nimbus = NimbusSyncClient::new(input, output);
        let (input, output) = protocols(&stream)?;
        Ok(Self { nimbus, gate: SupervisorGateSyncClient::new(input, output), stream })
    }

    /// Whether the other side has not closed it: an idle connection may have been.
    pub fn is_open(&self) -> bool {
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        let waits = matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.stream.set_nonblocking(false).is_ok() && waits
    }

    /// Version of a blob, and its bytes into `sink`.
    pub fn download(
        &mut self,
        key: &str,
        mut sink: impl io::Write,
    ) -> Result<Result<i64, io::Error>, NimbusError> {
        let begun = self.nimbus.begin_blob_download(key.to_owned());
        let begun = begun.map_err(calling("beginBlobDownload"))?;
        loop {
            let chunk = self.nimbus.download_blob_chunk(begun.session.clone());
            let chunk = chunk.map_err(calling("downloadBlobChunk"))?;
            if chunk.is_empty() {
                return Ok(Ok(begun.version));
            }
            if let Err(error) = sink.write_all(&chunk) {
                return Ok(Err(error));
            }
        }
    }

    /// Tells how workers do.
    pub fn report(
        &mut self,
        supervisor_id: &str,
        reports: Vec<WorkerReport>,
    ) -> Result<(), NimbusError> {
        let told = self.gate.report_workers(supervisor_id.to_owned(), reports);
        told.map_err(calling("reportWorkers"))
    }

    /// Tells which workers live.
    pub fn heartbeat(
        &mut self,
        supervisor_id: &str,
        workers: Vec<SupervisorWorkerHeartbeat>,
    ) -> Result<(), NimbusError> {
        let beats = SupervisorWorkerHeartbeats::new(supervisor_id.to_owned(), workers);
        let told = self.nimbus.send_supervisor_worker_heartbeats(beats);
        told.map_err(calling("sendSupervisorWorkerHeartbeats"))
    }
}

impl NimbusError {
    /// Whether this Nimbus does not know the method, as a stock one does not know ours.
    pub fn is_unknown_method(&self) -> bool {
        let Self::Call { source: thrift::Error::Application(error), .. } = self else {
            return false;
        };
        error.kind == thrift::ApplicationErrorKind::UnknownMethod
    }
}

fn protocols(stream: &TcpStream) -> io::Result<(Input, Output)> {
    let channel = TTcpChannel::with_stream(stream.try_clone()?);
    let (read, write) = channel.split().map_err(io::Error::other)?;
    let input = TBinaryInputProtocol::new(TFramedReadTransport::new(read), true);
    let output = TBinaryOutputProtocol::new(TFramedWriteTransport::new(write), true);
    Ok((input, output))
}

fn calling(call: &'static str) -> impl Fn(thrift::Error) -> NimbusError {
    move |source| NimbusError::Call { call, source }
}
