//! Bytes chosen for the harm that they do to careless decoders.

use nimbus_client::thrift::{
    ComponentObject, Grouping, HBRecords, JavaObjectArg, KillOptions, SubmitOptions,
    SupervisorPageInfo, TopologyInitialStatus, TopologySummary, WorkerMetricList,
};
use nimbus_client::wire::{Limits, TSerializable, WireError, from_bytes, to_bytes};

use crate::decoders::BYTES_PER_INPUT_BYTE;
use crate::live_bytes::peak_of;

/// Live bytes that an error may cost. A list reserves a fixed number of elements at most.
const ALLOWED_BYTES: usize = 2 << 20;

/// Decodes `bytes` as a `T`, expects an error that contains `text`, and a small use of memory.
#[track_caller]
fn check<T: TSerializable>(bytes: &[u8], text: &str) {
    let limits = Limits::default().with_frame_bytes(100 << 20);
    let (result, peak_bytes) = peak_of(|| from_bytes::<T>(bytes, &limits).err());
    let error = result.expect("this is refused").to_string();
    assert!(error.contains(text), "{error}");
    assert!(peak_bytes <= ALLOWED_BYTES, "it took {peak_bytes} bytes");
}

/// Field 1 of a struct: its type, the bytes that follow it, and the end.
fn field(kind: u8, rest: &[&[u8]]) -> Vec<u8> {
    [&[kind, 0, 1], &rest.concat()[..], &[0]].concat()
}

const BINARY: u8 = 11;
const STRUCT: u8 = 12;
const LIST: u8 = 15;
const LARGEST: [u8; 4] = [0x7f, 0xff, 0xff, 0xff];
const NEGATIVE: [u8; 4] = [0xff, 0xff, 0xff, 0xff];

#[test]
fn a_text_of_two_gigabytes_is_refused_before_it_is_reserved() {
    check::<TopologySummary>(&field(BINARY, &[&LARGEST]), "exceeds maximum allowed size");
}

#[test]
fn a_text_of_negative_length_is_refused() {
    check::<TopologySummary>(&field(BINARY, &[&NEGATIVE]), "Negative");
}

#[test]
fn lists_of_two_billion_elements_are_refused() {
    for element in [STRUCT, BINARY, 2, 10] {
        let bytes = field(LIST, &[&[element], &LARGEST]);
        check::<WorkerMetricList>(&bytes, "exceed");
        check::<HBRecords>(&bytes, "exceed");
        check::<SupervisorPageInfo>(&bytes, "exceed");
    }
}

#[test]
fn a_list_of_negative_length_is_refused() {
    check::<WorkerMetricList>(&field(LIST, &[&[STRUCT], &NEGATIVE]), "Negative");
}

#[test]
fn a_list_of_a_hundred_million_structs_reserves_nothing_for_those_that_are_not_there() {
    let list = |count: u32| field(LIST, &[&[STRUCT], &count.to_be_bytes()]);
    check::<WorkerMetricList>(&list(100_000_000), "exceed");
    // So many bytes that the number is believed; they are no such structs.
    let mut bytes = list(1_000_000);
    bytes.resize(4_000_000, 0);
    check::<WorkerMetricList>(&bytes, "WorkerMetricPoint.metric_name");
}

#[test]
fn a_million_structs_within_structs_are_refused() {
    let bytes = [STRUCT, 0, 99].repeat(1_000_000);
    check::<KillOptions>(&bytes, "Maximum recursion depth 64 exceeded");
}

#[test]
fn a_million_lists_within_lists_are_refused() {
    let mut bytes = vec![LIST, 0, 99];
    bytes.extend([LIST, 0, 0, 0, 1].repeat(1_000_000));
    check::<KillOptions>(&bytes, "cannot parse past");
}

#[test]
fn a_union_with_an_unknown_member_is_refused() {
    let unknown = [BINARY, 0, 99, 0, 0, 0, 0, 0];
    check::<Grouping>(&unknown, "a union whose member is unknown");
    check::<ComponentObject>(&unknown, "a union whose member is unknown");
    check::<JavaObjectArg>(&unknown, "a union whose member is unknown");
}

#[test]
fn a_union_with_no_member_or_two_is_refused() {
    check::<JavaObjectArg>(&[0], "empty union");
    check::<JavaObjectArg>(&[2, 0, 4, 1, 2, 0, 4, 1, 0], "multiple fields");
}

#[test]
fn a_missing_field_is_told_by_name() {
    check::<TopologySummary>(&[0], "TopologySummary.id");
}

#[test]
fn a_type_that_does_not_exist_is_refused() {
    check::<KillOptions>(&[77, 0, 1, 0], "77");
}

#[test]
fn a_number_without_a_name_is_kept() {
    let bytes = field(8, &[&42_u32.to_be_bytes()]);
    let options: SubmitOptions = from_bytes(&bytes, &Limits::default()).expect("it is a number");
    assert_eq!(options.initial_status, TopologyInitialStatus(42));
    assert_eq!(to_bytes(&options).expect("it can be written"), bytes);
}

#[test]
fn what_follows_a_value_is_refused() {
    let error = from_bytes::<KillOptions>(&[0, 1, 2], &Limits::default()).expect_err("too long");
    assert_eq!(error.to_string(), "2 bytes follow after the KillOptions");
}

#[test]
fn more_bytes_than_the_limit_are_not_looked_at() {
    let limits = Limits::default().with_frame_bytes(9);
    let error = from_bytes::<KillOptions>(&[0; 10], &limits).expect_err("too large");
    assert!(matches!(error, WireError::TooLarge { bytes: 10, limit: 9 }), "{error}");
}

#[test]
fn structs_without_fields_take_no_more_memory_than_allowed() {
    let workers = |count: u32| {
        let mut bytes = vec![LIST, 0, 2, STRUCT];
        bytes.extend(count.to_be_bytes());
        // Elements, and bytes of an unknown field that make the message long enough for them.
        bytes.resize(bytes.len() + count as usize, 0);
        bytes.extend([BINARY, 0, 99]);
        bytes.extend((3 * count).to_be_bytes());
        bytes.resize(bytes.len() + 3 * count as usize, 0);
        bytes.push(0);
        bytes
    };
    for count in [1025, 250_000] {
        let bytes = workers(count);
        let (result, peak_bytes) =
            peak_of(|| from_bytes::<SupervisorPageInfo>(&bytes, &Limits::default()));
        assert_eq!(
            result.expect("so many may be").worker_summaries.map(|list| list.len()),
            Some(count as usize)
        );
        assert!(peak_bytes <= BYTES_PER_INPUT_BYTE * bytes.len(), "{count}: {peak_bytes} bytes");
    }
    let mut bytes = workers(0);
    bytes.splice(4..8, 200_000_u32.to_be_bytes());
    bytes.splice(8..8, vec![0; 200_000]);
    check::<SupervisorPageInfo>(&bytes, "Container size 200000 exceeds");
}
