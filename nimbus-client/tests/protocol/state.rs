//! The shared state of a stock cluster is understood, and is written again as it was.

use nimbus_client::thrift::{
    Assignment, ClusterWorkerHeartbeat, ErrorInfo, KillOptions, NimbusSummary, StormBase,
    SupervisorInfo,
};
use nimbus_client::wire::{
    Limits, TSerializable, WireError, gunzip, gzip, state_from_bytes, state_to_bytes, to_bytes,
};

use crate::base64::base64;
use crate::canonical::canonical;
use crate::fixtures;

/// Reads and writes `node`, if it holds a value at all.
fn check<T: TSerializable>(place: &str, node: &[u8]) {
    let limits = Limits::default();
    let value: T =
        state_from_bytes(node, &limits).unwrap_or_else(|error| panic!("{place}: {error}"));
    let plain = gunzip(node, limits.frame_bytes).expect("it was unpacked before");
    let again = to_bytes(&value).expect("it can be written");
    assert_eq!(canonical(&again), canonical(&plain), "{place}");
    let packed = state_to_bytes(&value).expect("it can be written");
    assert_eq!(gunzip(&packed, limits.frame_bytes).expect("it is ours"), again, "{place}");
}

#[test]
fn values_of_the_shared_state_are_written_as_they_were_read() {
    let mut counts = [0; 6];
    for (place, row) in fixtures::json_lines("storm", "znodes-2-running.jsonl") {
        let path = row["path"].as_str().expect("a path");
        let data = base64(row["data"].as_str().unwrap_or_default()).expect("base64");
        if data.len() <= 1 {
            continue;
        }
        let check: fn(&str, &[u8]) = match path.split('/').nth(2) {
            Some("storms") => (counts[0] += 1, check::<StormBase>).1,
            Some("assignments") => (counts[1] += 1, check::<Assignment>).1,
            Some("supervisors") => (counts[2] += 1, check::<SupervisorInfo>).1,
            Some("workerbeats") => (counts[3] += 1, check::<ClusterWorkerHeartbeat>).1,
            Some("nimbuses") => (counts[4] += 1, check::<NimbusSummary>).1,
            Some("errors") => (counts[5] += 1, check::<ErrorInfo>).1,
            _ => continue,
        };
        check(&place, &data);
    }
    assert_eq!(counts, [2, 2, 1, 3, 1, 14]);
}

#[test]
fn what_is_not_compressed_is_read_as_well() {
    let options = KillOptions { wait_secs: Some(3) };
    let plain = to_bytes(&options).expect("it can be written");
    let limits = Limits::default();
    assert_eq!(state_from_bytes::<KillOptions>(&plain, &limits).expect("it is one"), options);
}

#[test]
fn a_small_file_that_unpacks_to_a_huge_one_is_refused() {
    let bomb = gzip(&vec![0; 8 << 20]);
    assert!(bomb.len() < 20_000);
    let error = gunzip(&bomb, 1000).expect_err("it is too large");
    assert!(matches!(error, WireError::TooLarge { limit: 1000, .. }), "{error}");
}

#[test]
fn broken_compression_is_an_error() {
    let mut packed = gzip(b"something");
    packed.truncate(packed.len() - 3);
    let error = gunzip(&packed, 1000).expect_err("its end is missing");
    assert!(error.to_string().starts_with("the compressed bytes are broken: "), "{error}");
}
