//! What a stock Storm cluster decided and said, against what is decided here.
//!
//! | file | what is compared |
//! |---|---|
//! | `multilang.rs` | conversations of a host and its children are read and written again as they were |
//! | `records.rs` | assignments and bases of topologies are read and written again as they were |
//! | `system.rs` | what is added to a topology, and how its tasks are numbered |

#[path = "../support/base64.rs"]
mod base64;
#[path = "../support/fixtures.rs"]
mod fixtures;

mod multilang;
mod records;
mod system;

use nimbus_client::wire::{Limits, TSerializable, from_bytes, message_header, state_from_bytes};

/// The fields of all messages of one method, as they stand behind the headers.
fn fields_of(file: &str, method: &str, kind: &str) -> Vec<Vec<u8>> {
    let rows = fixtures::json_lines("storm", file).into_iter();
    let wanted = rows.filter(|(_, row)| row["method"] == method && row["kind"] == kind);
    wanted
        .map(|(place, row)| {
            let message = base64::base64(row["frame"].as_str().expect("a frame"));
            let message = message.unwrap_or_else(|| panic!("{place}: not base64"));
            let (_, header) = message_header(&message, &Limits::default()).expect("a header");
            message[header..].to_vec()
        })
        .collect()
}

/// The values in all messages of one method: what a call sends first, or what a reply brings.
///
/// The first field of a message's struct is a struct of type `T`; nothing follows it.
fn messages<T: TSerializable>(file: &str, method: &str, kind: &str) -> Vec<T> {
    let fields = fields_of(file, method, kind).into_iter();
    fields
        .map(|fields| {
            // Kind and number of the field come first, the end of the struct around it last.
            let value = &fields[3..fields.len() - 1];
            from_bytes(value, &Limits::default())
                .unwrap_or_else(|error| panic!("{method}: {error}"))
        })
        .collect()
}

/// The values of all nodes of the running cluster's state below a path.
fn nodes<T: TSerializable>(below: &str) -> Vec<T> {
    let rows = fixtures::json_lines("storm", "znodes-2-running.jsonl").into_iter();
    let wanted = rows.filter(|(_, row)| row["path"].as_str().expect("a path").starts_with(below));
    wanted
        .filter_map(|(place, row)| {
            let data = base64::base64(row["data"].as_str().unwrap_or_default()).expect("base64");
            // Folders hold one byte.
            (data.len() > 1).then(|| {
                state_from_bytes(&data, &Limits::default())
                    .unwrap_or_else(|error| panic!("{place}: {error}"))
            })
        })
        .collect()
}
