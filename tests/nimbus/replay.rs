//! The recorded calls of a stock cluster's clients, played to our Nimbus: each is answered as the
//! stock Nimbus answered it, by a result or by an exception of the same field.
//!
//! The recorded topologies are Java's, which this engine does not run, so our Nimbus has shell
//! topologies under their names. Sessions of uploads are exchanged for ours.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use nimbus_client::thrift::*;
use serde_json::json;

use crate::bench::*;

#[path = "../support/base64.rs"]
mod base64;
#[path = "../support/fixtures.rs"]
mod fixtures;

/// Calls whose answer depends on what cannot be had here, with the reason.
const APART: [(&str, &str); 8] = [
    ("submitTopology", "the components are serialized Java objects, which are refused"),
    ("uploadChunk", "locations are the other Nimbus' own"),
    ("finishFileUpload", "locations are the other Nimbus' own"),
    ("listBlobs", "sessions are the other Nimbus' own"),
    ("downloadBlobChunk", "sessions are the other Nimbus' own"),
    ("getBlobMeta", "some blobs are archives, which our submission does without"),
    ("beginBlobDownload", "some blobs are archives, which our submission does without"),
    ("isTopologyNameAllowed", "asked before the submission that is left out"),
];

/// Answers that the stock Nimbus gives as an internal error, and ours as an exception.
const BETTER: [&str; 2] = ["getSupervisorPageInfo", "getComponentPageInfo"];

/// Method, kind of message, and first field of an answer: 0 is the result, others are exceptions.
fn shape(message: &[u8]) -> (String, u8, Option<i16>) {
    let kind = message[3];
    let length = u32::from_be_bytes(message[4..8].try_into().expect("four bytes")) as usize;
    let method = String::from_utf8(message[8..8 + length].to_vec()).expect("a name");
    let field = match &message[12 + length..] {
        [0, ..] => None,
        [_, high, low, ..] => Some(i16::from_be_bytes([*high, *low])),
        _ => None,
    };
    (method, kind, field)
}

/// The recorded topology's components, as shells.
fn kinds() -> StormTopology {
    let mut kinds = topology(1);
    let words = kinds.spouts.remove("words").expect("the spout");
    let count = kinds.bolts.remove("count").expect("the bolt");
    let after = |source: &str, executors| {
        let mut bolt = count.clone();
        let grouping = Grouping::Fields(vec!["word".to_owned()]);
        let from = GlobalStreamId::new(source.to_owned(), "default".to_owned());
        bolt.common.inputs = BTreeMap::from([(from, grouping)]);
        bolt.common.parallelism_hint = Some(executors);
        bolt
    };
    kinds.bolts =
        BTreeMap::from([("fwd".to_owned(), after("src", 2)), ("end".to_owned(), after("fwd", 1))]);
    kinds.spouts.insert("src".to_owned(), words);
    kinds
}

fn ask(stream: &mut TcpStream, message: &[u8]) -> Vec<u8> {
    stream.write_all(&(message.len() as u32).to_be_bytes()).expect("sent");
    stream.write_all(message).expect("sent");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).expect("a whole answer");
    answer
}

/// The session that begins an upload of a blob.
fn session(answer: &[u8]) -> Option<String> {
    let (method, ..) = shape(answer);
    let text = answer.get(12 + method.len() + 7..answer.len() - 1)?;
    let begins = ["beginCreateBlob", "beginUpdateBlob"].contains(&method.as_str());
    begins.then(|| String::from_utf8_lossy(text).into_owned())
}

/// Ids of topologies and supervisors of one length, so that they can be exchanged in a message.
fn exchanged(message: &[u8], theirs: &str, ours: &str) -> Vec<u8> {
    assert_eq!(theirs.len(), ours.len(), "{theirs} {ours}");
    let (theirs, ours) = (theirs.as_bytes(), ours.as_bytes());
    let mut message = message.to_vec();
    let mut at = 0;
    while at + theirs.len() <= message.len() {
        if &message[at..at + theirs.len()] == theirs {
            message[at..at + theirs.len()].copy_from_slice(ours);
        }
        at += 1;
    }
    message
}

#[track_caller]
fn check(file: &str, stock_id: &str, supervisor: &str) -> usize {
    let bench = Bench::new();
    // The id has the form <name>-127.0.0.1, which the played supervisor completes.
    let host = supervisor.strip_suffix("-127.0.0.1").expect("an id of a stock supervisor");
    let played = Supervisor::join(&bench, host, 6700..6704);
    let mut client = bench.client();
    let conf = json!({"topology.workers": 2}).to_string();
    client.submit_topology("kinds".into(), String::new(), conf, kinds()).expect("submitted");
    let kinds = client.get_topology_summary_by_name("kinds".into()).expect("alive").id;
    submit(&mut client, "polyglot", json!({}));
    until("the assignment is pushed", || played.assigned(&kinds));
    let mut stream = TcpStream::connect(bench.address()).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut calls: BTreeMap<(u64, u64), Vec<u8>> = BTreeMap::new();
    let mut compared = 0;
    let mut sessions: Vec<(String, String)> = Vec::new();
    for (place, row) in fixtures::json_lines("storm", file) {
        let message = base64::base64(row["frame"].as_str().expect("a frame")).expect("base64");
        let number = |key: &str| row[key].as_u64().expect("a number");
        let key = (number("connection"), number("seqid"));
        if row["kind"] == "call" {
            calls.insert(key, message);
            continue;
        }
        let Some(call) = calls.remove(&key) else { continue };
        let (method, kind, field) = shape(&message);
        if APART.iter().any(|(apart, _)| *apart == method) {
            continue;
        }
        let call =
            sessions.iter().fold(exchanged(&call, stock_id, &kinds), |call, (theirs, ours)| {
                exchanged(&call, theirs, ours)
            });
        let bytes = ask(&mut stream, &call);
        sessions.extend(session(&message).zip(session(&bytes)));
        let answer = shape(&bytes);
        // An unknown name is unknown to both; a kill or the like of a topology that exists is done.
        if kind == 3 && BETTER.contains(&method.as_str()) {
            assert_eq!((answer.1, answer.2), (2, Some(1)), "{place} {method}");
        } else {
            assert_eq!(answer, (method, kind, field), "{place}");
        }
        compared += 1;
    }
    compared
}

#[test]
fn what_a_ui_and_a_monitor_ask_is_answered_alike() {
    let supervisor = "87422d5f-4f8f-4afc-8870-0000432d6924-127.0.0.1";
    let compared = check("nimbus-ui-thrift.jsonl", "kinds-1-1795266136", supervisor);
    assert!(compared >= 28, "{compared}");
}

#[test]
fn what_clients_supervisors_and_workers_call_is_answered_alike() {
    let supervisor = "b8c4cf87-c61e-47cb-b791-45aa36aebe71-127.0.0.1";
    let compared = check("nimbus-thrift.jsonl", "kinds-1-1795265305", supervisor);
    assert!(compared >= 25, "{compared}");
}
