//! How a server's processor answers messages.

use ::thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TInputProtocol, TMessageIdentifier, TMessageType,
    TOutputProtocol,
};
use nimbus_client::thrift::{
    Assignment, AuthorizationException, NotAliveException, SupervisorAssignments,
    SupervisorSyncHandler, SupervisorSyncProcessor, SupervisorWorkerHeartbeat,
};
use nimbus_client::wire::{
    ApplicationError, ApplicationErrorKind, Limits, MessageKind, ThriftError, ThriftResult,
    WireError, answer, frame, message_header,
};

/// A supervisor that knows one topology.
struct Handler;

impl SupervisorSyncHandler for Handler {
    fn handle_send_supervisor_assignments(&self, _: SupervisorAssignments) -> ThriftResult<()> {
        Ok(())
    }

    fn handle_get_local_assignment_for_storm(&self, id: String) -> ThriftResult<Assignment> {
        match id.as_str() {
            "known" => Ok(Assignment::new("/dir".to_owned(), None, None, None, None, None, None)),
            "secret" => Err(ThriftError::User(Box::new(AuthorizationException::new(
                "alice may not read secret".to_owned(),
            )))),
            "strange" => Err(ThriftError::User("the disk is gone".into())),
            _ => Err(ThriftError::User(Box::new(NotAliveException::new(format!(
                "{id} is not alive"
            ))))),
        }
    }

    fn handle_send_supervisor_worker_heartbeat(
        &self,
        _: SupervisorWorkerHeartbeat,
    ) -> ThriftResult<()> {
        Err(ThriftError::Application(ApplicationError::new(
            ApplicationErrorKind::MissingResult,
            "not now",
        )))
    }
}

/// A call of `method` with one text as its first argument.
fn call(method: &str, argument: &str) -> Vec<u8> {
    let mut message = header(method, TMessageType::Call);
    message.extend([11, 0, 1]);
    message.extend((argument.len() as u32).to_be_bytes());
    message.extend(argument.as_bytes());
    message.push(0);
    message
}

fn header(method: &str, kind: TMessageType) -> Vec<u8> {
    let mut message = Vec::new();
    let mut output = TBinaryOutputProtocol::new(&mut message, true);
    let header = TMessageIdentifier::new(method, kind, 42);
    output.write_message_begin(&header).expect("memory takes it");
    message
}

fn ask(message: &[u8]) -> Result<Vec<u8>, WireError> {
    answer(&SupervisorSyncProcessor::new(Handler), message, &Limits::default())
}

/// The answer has the caller's number and is of `kind`; gives what follows its header.
#[track_caller]
fn check(message: &[u8], kind: MessageKind) -> Vec<u8> {
    let answer = ask(message).expect("there is an answer");
    let (header, length) = message_header(&answer, &Limits::default()).expect("it has a header");
    assert_eq!((header.sequence_number, header.kind), (42, kind));
    answer[length..].to_vec()
}

#[track_caller]
fn check_exception(message: &[u8], kind: ApplicationErrorKind, text: &str) {
    let fields = check(message, MessageKind::Exception);
    let mut input = TBinaryInputProtocol::new(&fields[..], true);
    let error = ThriftError::read_application_error_from_in_protocol(&mut input);
    let error = error.expect("it is an exception");
    assert_eq!(error.kind, kind, "{error:?}");
    assert!(error.message.contains(text), "{error:?}");
}

#[test]
fn a_call_is_answered_with_its_result() {
    let fields = check(&call("getLocalAssignmentForStorm", "known"), MessageKind::Reply);
    let mut input = TBinaryInputProtocol::new(&fields[..], true);
    input.read_struct_begin().expect("a struct");
    assert_eq!(input.read_field_begin().expect("a field").id, Some(0));
}

#[test]
fn a_declared_exception_is_a_reply_with_its_field() {
    for (id, field) in [("gone", 1), ("secret", 2)] {
        let fields = check(&call("getLocalAssignmentForStorm", id), MessageKind::Reply);
        let mut input = TBinaryInputProtocol::new(&fields[..], true);
        input.read_struct_begin().expect("a struct");
        assert_eq!(input.read_field_begin().expect("a field").id, Some(field), "{id}");
    }
}

#[test]
fn an_undeclared_error_is_an_exception_with_its_text() {
    let call = call("getLocalAssignmentForStorm", "strange");
    check_exception(&call, ApplicationErrorKind::Unknown, "the disk is gone");
}

#[test]
fn an_unknown_method_is_told_by_name() {
    check_exception(&call("fly", "x"), ApplicationErrorKind::UnknownMethod, "unknown method fly");
}

#[test]
fn arguments_that_cannot_be_decoded_are_told() {
    let mut message = call("getLocalAssignmentForStorm", "known");
    message.truncate(message.len() - 3);
    check_exception(
        &message,
        ApplicationErrorKind::ProtocolError,
        "the arguments of getLocalAssignmentForStorm cannot be decoded: ",
    );
}

#[test]
fn a_missing_argument_is_told_by_name() {
    let mut message = header("getLocalAssignmentForStorm", TMessageType::Call);
    message.push(0);
    check_exception(&message, ApplicationErrorKind::ProtocolError, "Args.id");
}

#[test]
fn an_answer_in_place_of_a_call_is_refused() {
    let mut message = header("getLocalAssignmentForStorm", TMessageType::Reply);
    message.push(0);
    check_exception(&message, ApplicationErrorKind::InvalidMessageType, "a server takes calls");
}

#[test]
fn a_call_that_wants_no_answer_gets_none() {
    let mut message = header("getLocalAssignmentForStorm", TMessageType::OneWay);
    message.extend(&call("getLocalAssignmentForStorm", "known")[message.len()..]);
    assert!(ask(&message).expect("it is handled").is_empty());
}

#[test]
fn bytes_without_a_header_have_no_answer() {
    for garbage in [&b""[..], b"\x80", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64], &[0; 64]] {
        let error = ask(garbage).expect_err("there is no number to answer to");
        assert!(matches!(error, WireError::Unreadable { .. }), "{garbage:?}: {error}");
    }
}

#[test]
fn a_message_without_a_version_is_understood_as_storm_does() {
    let method = "getLocalAssignmentForStorm";
    let mut message = (method.len() as u32).to_be_bytes().to_vec();
    message.extend(method.as_bytes());
    message.extend([1, 0, 0, 0, 42]);
    message.extend(&call(method, "known")[8 + method.len() + 4..]);
    check(&message, MessageKind::Reply);
}

#[test]
fn a_frame_has_the_length_of_its_message_before_it() {
    let limits = Limits::default().with_frame_bytes(5);
    assert_eq!(frame(b"12345", &limits).expect("it fits"), b"\0\0\0\x0512345");
    let error = frame(b"123456", &limits).expect_err("it is too large");
    assert_eq!(error.to_string(), "a message of 6 bytes is larger than the limit of 5 bytes");
}
