//! The server against peers that behave well, badly and not at all.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Map, Value};

use super::*;
use crate::clock::Clock;

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers "echo" with its own frame, waits in "wait" until it is let go, and panics in "panic".
#[derive(Default)]
struct Echo {
    waiting: AtomicUsize,
    go: (Mutex<bool>, Condvar),
}

impl Processor for Echo {
    fn methods(&self) -> &[&'static str] {
        &["echo", "wait", "panic"]
    }

    fn refusal_field(&self, method: &str) -> Option<i16> {
        (method == "echo").then_some(1)
    }

    fn call(&self, _: &Caller, message: &Message, frame: &[u8]) -> Reply {
        match message.method.as_str() {
            "panic" => panic!("as asked"),
            "wait" => {
                self.waiting.fetch_add(1, Ordering::AcqRel);
                let held = self.go.0.lock().expect("no holder panics");
                drop(self.go.1.wait_timeout_while(held, PATIENCE, |go| !*go));
            }
            _ => {}
        }
        Reply { bytes: frame.to_vec(), is_error: false }
    }
}

impl Echo {
    fn let_go(&self) {
        *self.go.0.lock().expect("no holder panics") = true;
        self.go.1.notify_all();
    }
}

struct Nobody;

impl Authorizer for Nobody {
    fn authorize(
        &self,
        who: &Principal,
        what: &str,
        _: &Map<String, Value>,
    ) -> Result<(), Refused> {
        let (principal, operation) = (who.to_string(), what.to_owned());
        Err(Refused { principal, operation, reason: "nobody may: ask somebody".to_owned() })
    }
}

struct Bench {
    runtime: tokio::runtime::Runtime,
    server: ServerHandle,
    echo: Arc<Echo>,
}

fn bench(limits: Limits) -> Bench {
    bench_for(limits, Arc::new(MachineUsers::new()))
}

fn bench_for(limits: Limits, authorizer: Arc<dyn Authorizer>) -> Bench {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let echo = Arc::new(Echo::default());
    let server = Server {
        processor: Arc::clone(&echo) as Arc<dyn Processor>,
        authorizer,
        conf: Arc::new(Map::new()),
        limits,
        port_key: "nimbus.thrift.port",
    };
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = server.start(runtime.handle(), address).expect("started");
    Bench { runtime, server, echo }
}

impl Bench {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream
    }

    fn count(&self, name: &str) -> u64 {
        let counts = self.server.counters().connections();
        counts.iter().find(|(found, ..)| *found == name).expect("a counter").2
    }

    #[track_caller]
    fn until(&self, what: impl Fn(&Self) -> bool) {
        let clock = Clock::system();
        let began = clock.now();
        while !what(self) {
            assert!(clock.now().since(began) < PATIENCE, "the condition does not come true");
            std::thread::yield_now();
        }
    }
}

fn call(method: &str, sequence: i32) -> Vec<u8> {
    let mut body = b"\x80\x01\0\x01".to_vec();
    body.extend((method.len() as u32).to_be_bytes());
    body.extend(method.as_bytes());
    body.extend(sequence.to_be_bytes());
    body.push(0);
    body
}

fn send(stream: &mut TcpStream, body: &[u8]) {
    stream.write_all(&(body.len() as u32).to_be_bytes()).expect("sent");
    stream.write_all(body).expect("sent");
}

fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut body).expect("a whole answer");
    body
}

#[track_caller]
fn check_answer(stream: &mut TcpStream, kind: MessageKind, sequence: i32, part: &str) {
    let answer = receive(stream);
    let head = Message::parse(&answer).expect("a head");
    assert_eq!((head.kind, head.sequence), (kind, sequence));
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert!(text.contains(part), "{text}");
}

#[track_caller]
fn check_closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // A connection that is reset is closed as well.
    let read = stream.read_to_end(&mut rest);
    let late = |kind| matches!(kind, std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
    assert!(!read.is_err_and(|error| late(error.kind())), "the connection stays open");
    assert_eq!(rest, b"");
}

#[test]
fn calls_on_one_connection_are_answered_in_order() {
    let bench = bench(Limits::default());
    let mut stream = bench.connect();
    for sequence in 1..=100 {
        send(&mut stream, &call("echo", sequence));
    }
    for sequence in 1..=100 {
        check_answer(&mut stream, MessageKind::Call, sequence, "echo");
    }
    let counts = bench.server.counters().methods();
    assert_eq!((counts.len(), counts[0].method, counts[0].calls), (1, "echo", 100));
}

#[test]
fn a_frame_above_the_limit_is_answered_with_the_key_and_the_size_and_then_closed() {
    let bench = bench(Limits { frame_bytes: 1 << 20, ..Limits::default() });
    let mut stream = bench.connect();
    let mut large = call("submitTopology", 9);
    large.resize(3 << 20, 0);
    let mut writer = stream.try_clone().expect("cloned");
    let writing = std::thread::spawn(move || send(&mut writer, &large));
    let told = "submitTopology of 3145728 bytes is above the limit of 1048576 bytes: raise \
                nimbus.thrift.max_buffer_size";
    check_answer(&mut stream, MessageKind::Exception, 9, told);
    writing.join().expect("the server took the rest");
    check_closed(stream);
    assert_eq!(bench.count("oversized"), 1);
}

#[test]
fn what_is_no_thrift_is_closed_at_once_and_others_are_served() {
    let bench = bench(Limits::default());
    let greetings: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\0\xf4\x01", b"\0\0\0\x10garbage!", &[0xff; 64]];
    for greeting in greetings {
        let mut stream = bench.connect();
        stream.write_all(greeting).expect("sent");
        check_closed(stream);
    }
    assert_eq!(bench.count("garbage"), 4);
    let mut stream = bench.connect();
    send(&mut stream, &call("echo", 1));
    check_answer(&mut stream, MessageKind::Call, 1, "echo");
}

#[test]
fn a_peer_that_sends_too_slowly_is_cut_off() {
    let short = Duration::from_millis(50);
    let limits = Limits { header: short, body: short, first_frame: short, ..Limits::default() };
    let bench = bench(limits);
    let frame = [&20u32.to_be_bytes(), &call("echo", 1)[..]].concat();
    for sent in [0, 1, 3, 4, 6, 15] {
        let mut stream = bench.connect();
        stream.write_all(&frame[..sent]).expect("sent");
        check_closed(stream);
    }
    assert_eq!(bench.count("late"), 6);
}

#[test]
fn an_idle_connection_makes_room_for_a_new_one() {
    let bench = bench(Limits { connections: 4, ..Limits::default() });
    let idle: Vec<TcpStream> = (0..4).map(|_| bench.connect()).collect();
    bench.until(|bench| bench.count("open") == 4);
    for sequence in 1..=10 {
        let mut stream = bench.connect();
        send(&mut stream, &call("echo", sequence));
        check_answer(&mut stream, MessageKind::Call, sequence, "echo");
    }
    // Those that were served and closed make room as well, so not all idle ones have to go.
    assert!(bench.count("evicted") >= 1);
    assert_eq!(bench.count("turned_away"), 0);
    // Which was idle for the longest is known to the server alone: connections begin side by side.
    let is_closed = |stream: &TcpStream| {
        stream.set_nonblocking(true).expect("set");
        !stream.peek(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    bench.until(|bench| {
        let closed = idle.iter().filter(|stream| is_closed(stream)).count() as u64;
        closed == bench.count("evicted")
    });
}

#[test]
fn a_call_beyond_threads_and_queue_is_told_that_the_daemon_is_busy() {
    let bench = bench(Limits { threads: 1, queue: 1, ..Limits::default() });
    let mut waiting: Vec<TcpStream> = (0..2).map(|_| bench.connect()).collect();
    send(&mut waiting[0], &call("wait", 1));
    bench.until(|bench| bench.echo.waiting.load(Ordering::Acquire) == 1);
    send(&mut waiting[1], &call("wait", 1));
    bench.until(|bench| {
        let mut probe = bench.connect();
        send(&mut probe, &call("wait", 2));
        probe.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
        let mut length = [0; 4];
        // A probe that got the place in the queue itself is not answered.
        probe.read_exact(&mut length).is_ok()
    });
    assert!(bench.count("busy") >= 1);
    bench.echo.let_go();
    check_answer(&mut waiting[0], MessageKind::Call, 1, "wait");
}

#[test]
fn a_handler_that_panics_is_answered_and_the_connection_lives() {
    let bench = bench(Limits::default());
    let mut stream = bench.connect();
    send(&mut stream, &call("panic", 1));
    check_answer(&mut stream, MessageKind::Exception, 1, "panic failed inside this daemon");
    send(&mut stream, &call("echo", 2));
    check_answer(&mut stream, MessageKind::Call, 2, "echo");
}

#[test]
fn a_refused_call_is_answered_as_the_method_declares() {
    let bench = bench_for(Limits::default(), Arc::new(Nobody));
    let mut stream = bench.connect();
    send(&mut stream, &call("echo", 1));
    check_answer(&mut stream, MessageKind::Reply, 1, "may not call echo: nobody may");
    send(&mut stream, &call("wait", 2));
    check_answer(&mut stream, MessageKind::Exception, 2, "may not call wait: nobody may");
    let refused: u64 = bench.server.counters().methods().iter().map(|count| count.refused).sum();
    assert_eq!(refused, 2);
}

#[test]
fn a_stop_waits_for_calls_and_closes_the_rest() {
    let bench = bench(Limits::default());
    let idle = bench.connect();
    let mut stream = bench.connect();
    send(&mut stream, &call("wait", 1));
    bench.until(|bench| bench.echo.waiting.load(Ordering::Acquire) == 1);
    let address = bench.server.address();
    let echo = Arc::clone(&bench.echo);
    let stopping = std::thread::spawn(move || bench.server.stop(PATIENCE));
    check_closed(idle);
    echo.let_go();
    check_answer(&mut stream, MessageKind::Call, 1, "wait");
    assert!(stopping.join().expect("no panic"), "all calls ended in time");
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    drop(bench.runtime);
}

#[test]
fn a_port_in_use_is_named_with_its_key() {
    let bench = bench(Limits::default());
    let server = Server {
        processor: Arc::new(Echo::default()),
        authorizer: Arc::new(MachineUsers::new()),
        conf: Arc::new(Map::new()),
        limits: Limits::default(),
        port_key: "nimbus.thrift.port",
    };
    let outcome = server.start(bench.runtime.handle(), bench.server.address());
    let error = outcome.err().expect("the port is taken").to_string();
    assert!(error.contains("or set nimbus.thrift.port to another one"), "{error}");
}

#[test]
fn metrics_are_answered_over_http_and_nothing_else_is() {
    let bench = bench(Limits::default());
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let text: MetricsText = Arc::new(|| "storm_up 1\n".to_owned());
    let http = HttpServer::start(bench.runtime.handle(), address, "port", text).expect("started");
    let ask = |request: &str| {
        let mut stream = TcpStream::connect(http.address()).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    assert!(ask("GET /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\nstorm_up 1\n"));
    assert!(ask("GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
    assert!(ask("POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert_eq!(ask(&"x".repeat(8 << 10)), "");
}
