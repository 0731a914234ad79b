//! Every message of a stock cluster is understood, and is written again as it was.

use ::thrift::protocol::{TBinaryInputProtocol, TBinaryOutputProtocol};
use nimbus_client::catalogue::Method;
use nimbus_client::thrift;
use nimbus_client::wire::{Limits, MessageKind, message_header};

use crate::base64::base64;
use crate::canonical::canonical;
use crate::fixtures;

/// Reads all messages of a file and writes them again; gives how many there were.
#[track_caller]
fn check(file: &str, service: &str) -> usize {
    let rows = fixtures::json_lines("storm", file);
    for (place, row) in &rows {
        let text = row["frame"].as_str().unwrap_or_else(|| panic!("{place}: no frame"));
        let message = base64(text).unwrap_or_else(|| panic!("{place}: not base64"));
        let (header, length) = message_header(&message, &Limits::default())
            .unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(header.method, row["method"].as_str().expect("a method"), "{place}");
        assert_eq!(Some(i64::from(header.sequence_number)), row["seqid"].as_i64(), "{place}");
        let kind = match header.kind {
            MessageKind::Call => "call",
            MessageKind::Reply => "reply",
            MessageKind::Exception => "exception",
            MessageKind::OneWay => "oneway",
        };
        assert_eq!(kind, row["kind"].as_str().expect("a kind"), "{place}");
        let fields = &message[length..];
        let again = recode(service, &header.method, header.kind, fields);
        let again = again.unwrap_or_else(|error| panic!("{place}: {}: {error}", header.method));
        assert_eq!(canonical(&again), canonical(fields), "{place}: {} {kind}", header.method);
    }
    rows.len()
}

fn recode(
    service: &str,
    name: &str,
    kind: MessageKind,
    fields: &[u8],
) -> ::thrift::Result<Vec<u8>> {
    let is_wanted = |row: &&Method| row.service == service && row.name == name;
    let method = thrift::METHODS.iter().find(is_wanted).expect("the method is known");
    let mut rest = fields;
    let mut input = TBinaryInputProtocol::new(&mut rest, true);
    let mut again = Vec::new();
    let mut output = TBinaryOutputProtocol::new(&mut again, true);
    match kind {
        MessageKind::Call | MessageKind::OneWay => {
            (method.recode_arguments)(&mut input, &mut output)?;
        }
        MessageKind::Reply => (method.recode_result)(&mut input, &mut output)?,
        MessageKind::Exception => {
            let error = ::thrift::Error::read_application_error_from_in_protocol(&mut input)?;
            ::thrift::Error::write_application_error_to_out_protocol(&error, &mut output)?;
        }
    }
    assert!(rest.is_empty(), "{name}: {} bytes are left", rest.len());
    Ok(again)
}

#[test]
fn messages_of_a_stock_nimbus_are_written_as_they_were_read() {
    assert_eq!(check("nimbus-thrift.jsonl", "Nimbus"), 156);
}

#[test]
fn messages_for_a_user_interface_are_written_as_they_were_read() {
    assert_eq!(check("nimbus-ui-thrift.jsonl", "Nimbus"), 74);
}

#[test]
fn messages_of_a_stock_supervisor_are_written_as_they_were_read() {
    assert_eq!(check("supervisor-thrift.jsonl", "Supervisor"), 34);
}
