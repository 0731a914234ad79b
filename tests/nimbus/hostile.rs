//! Garbage, truncated and oversized frames, slow peers, very many connections: Nimbus goes on serving.

use std::io::{Read, Write};
use std::net::TcpStream;

use nimbus_client::thrift::*;
use rustix::process::{Resource, getrlimit};
use serde_json::json;

use crate::bench::*;

/// Connections at once, if this process may open that many files on both ends.
const CONNECTIONS: u64 = 10_000;

fn serves(bench: &Bench) {
    assert!(bench.client().get_leader().expect("nimbus serves").is_leader);
}

fn connect(bench: &Bench) -> TcpStream {
    let stream = TcpStream::connect(bench.address()).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream
}

/// What the peer sends until it closes.
fn until_closed(mut stream: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
    rest
}

#[test]
fn garbage_is_closed_without_an_answer() {
    let bench = Bench::new();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x16\x03\x01\0\xa5", &[0; 64], &[0xff; 64]] {
        let mut stream = connect(&bench);
        stream.write_all(garbage).expect("sent");
        assert_eq!(until_closed(stream), b"");
    }
    serves(&bench);
}

#[test]
fn a_truncated_frame_ends_its_connection_alone() {
    let bench = Bench::new();
    let mut stream = connect(&bench);
    stream.write_all(b"\0\0\x01\0\x80\x01\0\x01\0\0\0\x09getLeader").expect("sent");
    stream.shutdown(std::net::Shutdown::Write).expect("half closed");
    assert_eq!(until_closed(stream), b"");
    serves(&bench);
}

#[test]
fn a_frame_over_the_limit_is_refused_with_a_sentence() {
    let bench = Bench::with(json!({"nimbus.thrift.max_buffer_size": 100_000}));
    let mut large = topology(1);
    let chunk = vec![0; 200_000];
    large.spouts.get_mut("words").expect("the spout").spout_object =
        ComponentObject::SerializedJava(chunk);
    let answer = bench.client().submit_topology("wc".into(), String::new(), "{}".into(), large);
    check_refused(
        answer,
        "TApplicationException",
        "bytes is above the limit of 100000 bytes: raise nimbus.thrift.max_buffer_size",
    );
    serves(&bench);
}

#[test]
fn arguments_that_cannot_be_read_are_answered_and_the_connection_lives() {
    let bench = Bench::new();
    let mut stream = connect(&bench);
    for _ in 0..2 {
        // A list of 2 thousand million names where a name is expected.
        let body = b"\x80\x01\0\x01\0\0\0\x0ckillTopology\0\0\0\x07\x0f\0\x01\x0b\x7f\xff\xff\xff";
        stream.write_all(&(body.len() as u32).to_be_bytes()).expect("sent");
        stream.write_all(body).expect("sent");
        let mut length = [0; 4];
        stream.read_exact(&mut length).expect("an answer");
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        stream.read_exact(&mut answer).expect("an answer");
        let text = String::from_utf8_lossy(&answer);
        assert!(text.contains("the arguments of killTopology cannot be"), "{text:?}");
    }
    serves(&bench);
}

#[test]
fn an_unknown_method_is_answered() {
    let bench = Bench::new();
    let mut stream = connect(&bench);
    let body = b"\x80\x01\0\x01\0\0\0\x04nope\0\0\0\x07\0";
    stream.write_all(&(body.len() as u32).to_be_bytes()).expect("sent");
    stream.write_all(body).expect("sent");
    let mut answer = [0; 64];
    let read = stream.read(&mut answer).expect("an answer");
    assert!(String::from_utf8_lossy(&answer[..read]).contains("unknown method nope"));
    serves(&bench);
}

#[test]
fn very_many_connections_at_once_leave_nimbus_serving() {
    let bench = Bench::new();
    // Both ends are in this process.
    storm_runtime::server::raise_file_limit(2 * CONNECTIONS as usize + 500);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let wanted = CONNECTIONS.min(files.saturating_sub(500) / 2);
    if wanted < CONNECTIONS {
        // Past the test harness, which would swallow what a passing test prints.
        let why = format!("this process may open only {wanted} pairs");
        writeln!(std::io::stdout(), "skipped: {CONNECTIONS} connections: {why}").expect("said");
    }
    let open: Vec<TcpStream> = (0..wanted).map(|_| connect(&bench)).collect();
    for half_open in open.iter().step_by(100) {
        let mut half_open = half_open;
        half_open.write_all(b"\0\0").expect("sent");
    }
    serves(&bench);
    let text = bench.metrics();
    assert!(text.contains("nimbus_thrift_turned_away_total 0"), "{text}");
    drop(open);
    serves(&bench);
}
