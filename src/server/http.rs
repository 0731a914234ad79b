//! Answers `GET /metrics` on a loopback port with a text, and nothing else.
//!
//! **Invariants.** A request is read up to its blank line, at most 4 KiB of it and for at most 5 s;
//! at most eight are served at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, spawn_blocking};
use tokio::time::timeout;

use super::error::ServerError;

const REQUEST_BYTES: usize = 4 << 10;
const PATIENCE: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 8;

/// Makes the text of all metrics; it may block for a moment.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// A running answerer of metrics; dropping it stops it.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    task: AbortHandle,
}

impl HttpServer {
    /// Listens on `address`, port 0 for any, and answers on `runtime` from then on.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn start(
        runtime: &Handle,
        address: SocketAddr,
        port_key: &'static str,
        text: MetricsText,
    ) -> Result<Self, ServerError> {
        let refused = |source| ServerError::Listen { address, key: port_key, source };
        let listener = std::net::TcpListener::bind(address).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let _inside = runtime.enter();
        let listener = TcpListener::from_std(listener).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let task = runtime.spawn(answer_all(listener, text)).abort_handle();
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer_all(listener: TcpListener, text: MetricsText) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let text = Arc::clone(&text);
        tokio::spawn(async move {
            // A peer that is too slow or gone gets nothing.
            let _ = timeout(PATIENCE, answer(stream, text)).await;
            drop(place);
        });
    }
}

async fn answer(mut stream: TcpStream, text: MetricsText) -> std::io::Result<()> {
    let mut request = Vec::with_capacity(512);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 512];
        let read = stream.read(&mut piece).await?;
        if read == 0 || request.len() + read > REQUEST_BYTES {
            return Ok(());
        }
        request.extend_from_slice(&piece[..read]);
    }
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let (status, body) = match what(line) {
        Wanted::Metrics => {
            let body = spawn_blocking(move || text()).await.unwrap_or_default();
            ("200 OK", body)
        }
        Wanted::Other => ("404 Not Found", "ask for /metrics\n".to_owned()),
        Wanted::Change => ("405 Method Not Allowed", "ask with GET\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

enum Wanted {
    Metrics,
    Other,
    Change,
}

fn what(line: &[u8]) -> Wanted {
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    let path = target.split(|byte| *byte == b'?').next();
    match (method, path) {
        (Some(b"GET"), Some(b"/metrics")) => Wanted::Metrics,
        (Some(b"GET"), _) => Wanted::Other,
        _ => Wanted::Change,
    }
}
