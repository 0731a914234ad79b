//! Connections that fail, at every moment of a call.

use std::io;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use ::thrift::protocol::TMessageType;
use nimbus_client::client::{
    Address, ClientError, ClientOptions, NimbusClient, NimbusMethods, SupervisorClient,
    SupervisorMethods,
};
use nimbus_client::thrift::ClusterSummary;

use crate::script::{
    Step, answer, client, frame, hang_up, leader_is, leading, nothing, nowhere, options, result,
    serve, silence, step,
};

fn nothing_there() -> Step {
    answer(result(&ClusterSummary::new(Vec::new(), Vec::new(), Vec::new())))
}

/// Announces 100 bytes, sends three of them and closes the connection.
fn half_an_answer() -> Step {
    step(|peer| {
        peer.call()?;
        peer.write(&[0, 0, 0, 100, 0x80, 1, 0])
    })
}

#[test]
fn a_question_is_asked_again_when_the_connection_ends_before_or_within_its_answer() {
    for broken in [hang_up, half_an_answer] {
        let server = leading(|address| {
            vec![vec![leader_is(address), broken()], vec![leader_is(address), nothing_there()]]
        });
        client(&server).cluster().expect("the second connection answers");
        assert_eq!(server.finish(), [["getLeader", "getClusterInfo"]; 2]);
    }
}

#[test]
fn an_order_is_not_given_again_when_it_may_have_arrived() {
    for broken in [hang_up, half_an_answer] {
        let server = leading(|address| vec![vec![leader_is(address), broken()], vec![]]);
        let error = client(&server).kill("words", None).expect_err("nobody knows");
        assert!(matches!(error, ClientError::Disconnected { sent: true, .. }), "{error:?}");
        assert!(error.is_retriable());
        assert!(error.may_have_taken_effect());
        let expected = format!(
            "the connection to {} ended during killTopologyWithOpts: the server closed it",
            server.address
        );
        assert_eq!(error.to_string(), expected);
        assert_eq!(server.finish(), [["getLeader", "killTopologyWithOpts"]]);
    }
}

#[test]
fn a_connection_that_ended_between_calls_is_replaced_unnoticed() {
    let (closed, is_closed) = sync_channel(1);
    let server = leading(|address| {
        let close = step(move |peer| {
            peer.close()?;
            closed.send(()).map_err(io::Error::other)
        });
        vec![vec![leader_is(address), nothing_there(), close], vec![answer(nothing())]]
    });
    let mut nimbus = client(&server);
    nimbus.cluster().expect("it answers");
    is_closed.recv().expect("the server closes");
    nimbus.kill("words", None).expect("another connection is made");
    assert_eq!(server.finish()[1], ["killTopologyWithOpts"]);
}

#[test]
fn an_answer_that_does_not_come_ends_with_its_deadline() {
    let half = || {
        step(|peer| {
            peer.call()?;
            peer.write(&[0, 0, 0, 100, 0x80, 1, 0])?;
            peer.wait_for_end()
        })
    };
    for broken in [silence(), half()] {
        let server = leading(|address| vec![vec![leader_is(address), broken]]);
        let after = Duration::from_millis(60);
        let error = client(&server)
            .call_within(after, |storm| {
                // The leader is found under the patient deadline, and this waits for the short one.
                storm.kill_topology("words".to_owned())
            })
            .expect_err("there is no answer");
        let expected = format!("{} did not answer killTopology within 60ms", server.address);
        assert_eq!(error.to_string(), expected);
        assert!(error.may_have_taken_effect());
        server.finish();
    }
}

#[test]
fn all_repetitions_together_have_a_deadline() {
    let server = leading(|address| vec![vec![leader_is(address), silence()], vec![]]);
    let options = ClientOptions { total: Duration::from_millis(200), ..options() };
    let mut nimbus = NimbusClient::new(vec![server.address.clone()], options);
    let error = nimbus.cluster().expect_err("there is no answer");
    assert!(matches!(error, ClientError::TimedOut { .. }), "{error:?}");
    server.finish();
}

#[test]
fn an_answer_larger_than_the_limit_names_the_key() {
    let large = step(|peer| {
        peer.call()?;
        peer.write(&(1_u32 << 20 | 1).to_be_bytes())?;
        peer.wait_for_end()
    });
    let server = leading(|address| vec![vec![leader_is(address), large], vec![]]);
    let error = client(&server).cluster().expect_err("it is too large");
    assert_eq!(
        error.to_string(),
        "the answer to getClusterInfo takes 1048577 bytes and a frame may have 1048576: \
         raise nimbus.thrift.max_buffer_size here"
    );
    assert_eq!(server.finish().len(), 1, "another try would be as large");
}

#[test]
fn a_call_larger_than_the_limit_is_not_sent_and_names_the_key() {
    let server = leading(|address| vec![vec![leader_is(address), answer(nothing())]]);
    let mut nimbus = client(&server);
    let error = nimbus
        .call(|storm| storm.upload_chunk("place".to_owned(), vec![0; 1 << 20]))
        .expect_err("it is too large");
    assert_eq!(
        error.to_string(),
        "uploadChunk takes 1048619 bytes and a frame may have 1048576: raise \
         nimbus.thrift.max_buffer_size here and on the server, or make it smaller"
    );
    assert!(!error.may_have_taken_effect());
    nimbus.activate("words").expect("the connection is as good as before");
    assert_eq!(server.finish(), [["getLeader", "activate"]]);
}

#[test]
fn another_service_names_another_key() {
    let options = ClientOptions { frame_bytes: 64, ..options() };
    let server = serve(vec![vec![]]);
    let mut supervisor = SupervisorClient::new(server.address.clone(), options);
    let id = "x".repeat(100);
    let error = supervisor
        .call(|storm| storm.get_local_assignment_for_storm(id.clone()))
        .expect_err("it is too large");
    assert!(error.to_string().contains("supervisor.thrift.max_buffer_size"), "{error}");
    server.finish();
}

/// A step that answers as if to another call.
fn mistaken(method: Option<&'static str>, number: i32, kind: TMessageType) -> Step {
    step(move |peer| {
        let mut call = peer.call()?;
        call.method = method.map_or(call.method, str::to_owned);
        call.sequence_number += number;
        peer.write(&frame(&call, kind, &nothing()))
    })
}

#[test]
fn an_answer_to_something_else_is_refused_and_the_connection_dropped() {
    for wrong in [
        mistaken(None, 1, TMessageType::Reply),
        mistaken(Some("deactivate"), 0, TMessageType::Reply),
        mistaken(None, 0, TMessageType::Call),
    ] {
        let server = leading(|address| {
            vec![vec![leader_is(address), wrong], vec![leader_is(address), answer(nothing())]]
        });
        let mut nimbus = client(&server);
        let error = nimbus.activate("words").expect_err("that is no answer");
        assert!(matches!(error, ClientError::Garbled { .. }), "{error:?}");
        assert!(error.to_string().contains("answered activate with something else"), "{error}");
        nimbus.activate("words").expect("on another connection");
        assert_eq!(server.finish().len(), 2);
    }
}

#[test]
fn an_answer_that_cannot_be_decoded_says_why() {
    let broken = answer(vec![12, 0, 0, 0]);
    let server = leading(|address| vec![vec![leader_is(address), broken]]);
    let error = client(&server).cluster().expect_err("the summary lacks everything");
    assert!(error.to_string().contains("ClusterSummary.supervisors"), "{error}");
    server.finish();
}

#[test]
fn a_server_of_another_protocol_is_recognized() {
    for (bytes, told) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "it speaks HTTP"),
        (&[0x15, 3, 3, 0, 2, 2, 40], "it speaks TLS"),
        (&[0x80, 1, 0, 2, 0], "its frames have no length"),
    ] {
        let server = serve(vec![vec![step(move |peer| {
            peer.call()?;
            peer.write(bytes)
        })]]);
        let error = client(&server).cluster().expect_err("it is another protocol");
        assert!(error.to_string().ends_with(told), "{error}");
        server.finish();
    }
}

#[test]
fn a_refused_connection_says_where_and_what_to_do() {
    let address = nowhere();
    let mut nimbus = NimbusClient::new(vec![address.clone()], options().without_retries());
    let error = nimbus.cluster().expect_err("nothing listens");
    assert_eq!(
        error.to_string(),
        format!(
            "nothing listens on {address}: connection refused: start Nimbus there, or name the \
             address where it is"
        )
    );
    assert!(error.is_retriable());
    assert!(!error.may_have_taken_effect());
}

#[test]
fn an_unknown_host_is_told() {
    let address = Address::new("no-such-host.invalid", 6627);
    let mut nimbus = NimbusClient::new(vec![address], options().without_retries());
    let error = nimbus.call(NimbusMethods::get_cluster_info).expect_err("there is no such host");
    assert!(matches!(error, ClientError::UnknownHost { .. }), "{error:?}");
    assert!(error.to_string().starts_with("the host of no-such-host.invalid:6627 is not known"));
}
