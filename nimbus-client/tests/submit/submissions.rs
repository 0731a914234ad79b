//! Submissions to servers that do exactly what a script says.

use std::collections::BTreeMap;

use nimbus_client::TopologyName;
use nimbus_client::client::{ClientError, ClientOptions, NimbusClient};
use nimbus_client::submit::{Archive, Submission, SubmitError, SubmitStep, Submitted, submit};
use nimbus_client::thrift::{
    ComponentCommon, ComponentObject, InvalidTopologyException, JavaObject, NotAliveException,
    SpoutSpec, StormTopology, TopologySummary,
};
use nimbus_client::wire::ApplicationErrorKind;
use serde_json::Map;

use crate::script::{
    Server, Step, answer, exception, frame, hang_up, leader_is, leading, nothing, options, refuse,
    result, step, text,
};

/// A topology of one spout whose only argument has so many bytes.
fn submission(bytes: usize) -> Submission {
    let object = JavaObject::new("x".repeat(bytes), Vec::new());
    let common = ComponentCommon::new(BTreeMap::new(), BTreeMap::new(), None, None);
    let spout = SpoutSpec::new(ComponentObject::JavaObject(object), common);
    let spouts = BTreeMap::from([("words".to_owned(), spout)]);
    let (bolts, states) = (BTreeMap::new(), BTreeMap::new());
    Submission {
        name: TopologyName::new("words").expect("it is a name"),
        topology: StormTopology::new(
            spouts, bolts, states, None, None, None, None, None, None, None,
        ),
        conf: Map::new(),
        active: true,
        credentials: BTreeMap::new(),
    }
}

/// The result of `isTopologyNameAllowed`.
fn allowed(allowed: bool) -> Step {
    answer(vec![2, 0, 0, u8::from(allowed), 0])
}

fn alive() -> Step {
    let (id, status) = ("words-1-7".to_owned(), "ACTIVE".to_owned());
    answer(result(&TopologySummary::new(
        id,
        "words".to_owned(),
        1,
        1,
        1,
        0,
        status,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
    )))
}

fn not_alive() -> Step {
    answer(exception(1, &NotAliveException::new("words is not alive".to_owned())))
}

/// Takes an upload of one chunk.
fn upload() -> [Step; 3] {
    [answer(text("inbox/1")), answer(nothing()), answer(nothing())]
}

fn submit_to(
    server: &Server,
    options: ClientOptions,
) -> (Result<Submitted, SubmitError>, Vec<SubmitStep>) {
    let mut nimbus = NimbusClient::new(vec![server.address.clone()], options);
    let mut archive = Archive::new().pack().expect("there is room");
    let mut steps = Vec::new();
    let submitted =
        submit(&mut nimbus, &submission(10), &mut archive, &mut |step| steps.push(step));
    (submitted, steps)
}

/// The steps on the connection of a leader, from which an upload is taken.
fn connection(leader: Step, before: Vec<Step>, after: Vec<Step>) -> Vec<Step> {
    [leader].into_iter().chain(before).chain(upload()).chain(after).collect()
}

#[test]
fn a_topology_is_submitted_and_its_id_told() {
    let server = leading(|address| {
        vec![connection(leader_is(address), vec![allowed(true)], vec![answer(nothing()), alive()])]
    });
    let (submitted, steps) = submit_to(&server, options());
    let submitted = submitted.expect("it is taken");
    assert_eq!(submitted.id.as_deref(), Some("words-1-7"));
    assert_eq!(submitted.status.as_deref(), Some("ACTIVE"));
    assert_eq!(steps.first(), Some(&SubmitStep::AskingForName));
    assert_eq!(steps.last(), Some(&SubmitStep::Submitting));
    let expected = [
        "getLeader",
        "isTopologyNameAllowed",
        "beginFileUpload",
        "uploadChunk",
        "finishFileUpload",
        "submitTopologyWithOpts",
        "getTopologySummaryByName",
    ];
    assert_eq!(server.finish(), [expected]);
}

#[test]
fn the_configuration_that_travels_has_storms_secret() {
    let (sender, seen) = std::sync::mpsc::sync_channel(1);
    let server = leading(|address| {
        let look = step(move |peer| {
            let call = peer.call()?;
            sender.send(peer.arguments.clone()).expect("the test listens");
            peer.write(&frame(&call, ::thrift::protocol::TMessageType::Reply, &nothing()))
        });
        vec![connection(leader_is(address), vec![allowed(true)], vec![look, alive()])]
    });
    submit_to(&server, options()).0.expect("it is taken");
    server.finish();
    let arguments = String::from_utf8_lossy(&seen.recv().expect("it was sent")).into_owned();
    assert!(arguments.contains("\"storm.zookeeper.topology.auth.scheme\":\"digest\""));
    let payload = arguments.split("storm.zookeeper.topology.auth.payload\":\"").nth(1);
    let payload = payload.expect("there is a payload").split('"').next().expect("it ends");
    let (first, second) = payload.split_once(':').expect("two numbers");
    assert!(first.parse::<i64>().is_ok() && second.parse::<i64>().is_ok(), "{payload}");
}

#[test]
fn a_name_in_use_is_refused_with_whoever_has_it() {
    let server = leading(|address| vec![vec![leader_is(address), allowed(false), alive()]]);
    let error = submit_to(&server, options()).0.expect_err("the name is taken");
    assert_eq!(
        error.to_string(),
        "a topology named words is alive, as words-1-7 (ACTIVE): kill it first, or submit under \
         another name"
    );
    server.finish();
}

#[test]
fn a_name_that_the_cluster_refuses_is_told() {
    let server = leading(|address| vec![vec![leader_is(address), allowed(false), not_alive()]]);
    let error = submit_to(&server, options()).0.expect_err("the name is refused");
    assert!(matches!(error, SubmitError::NameRefused { .. }), "{error:?}");
    server.finish();
}

#[test]
fn an_answer_that_was_lost_is_asked_for_and_the_topology_not_sent_again() {
    let server = leading(|address| {
        vec![
            connection(leader_is(address), vec![allowed(true)], vec![hang_up()]),
            // It takes its time: first it is not alive, then it is.
            vec![leader_is(address), not_alive(), alive()],
        ]
    });
    let (submitted, steps) = submit_to(&server, options());
    assert_eq!(submitted.expect("it was taken").id.as_deref(), Some("words-1-7"));
    assert_eq!(steps.last(), Some(&SubmitStep::AskingWhetherItLives));
    let called = server.finish();
    let sent = called.concat().iter().filter(|name| *name == "submitTopologyWithOpts").count();
    assert_eq!(sent, 1, "{called:?}");
}

#[test]
fn a_topology_of_which_nobody_knows_is_told_as_such() {
    let server = leading(|address| {
        let never = vec![not_alive(), not_alive(), not_alive()];
        vec![
            connection(leader_is(address), vec![allowed(true)], vec![hang_up()]),
            [leader_is(address)].into_iter().chain(never).collect(),
        ]
    });
    let error = submit_to(&server, options()).0.expect_err("nobody knows");
    assert!(matches!(error, SubmitError::Unknown { .. }), "{error:?}");
    let told = error.to_string();
    assert!(told.starts_with("nobody knows whether words was submitted: the connection to "));
    assert!(told.ends_with("list the topologies before you submit it again"), "{told}");
    server.finish();
}

#[test]
fn a_refusal_is_told_in_the_servers_words() {
    for (refusal, told) in [
        (
            answer(exception(2, &InvalidTopologyException::new("words has no bolt".to_owned()))),
            "the topology is refused: words has no bolt",
        ),
        (refuse(ApplicationErrorKind::InternalError, "the disk is full"), "the disk is full"),
    ] {
        let server = leading(|address| {
            vec![connection(leader_is(address), vec![allowed(true)], vec![refusal])]
        });
        let error = submit_to(&server, options()).0.expect_err("it is refused").to_string();
        assert!(error.contains(told), "{error}");
        assert_eq!(server.finish().len(), 1, "nothing is asked after that");
    }
}

#[test]
fn a_connection_that_drops_during_the_upload_is_survived() {
    let server = leading(|address| {
        vec![
            vec![leader_is(address), allowed(true), answer(text("inbox/1")), hang_up()],
            connection(leader_is(address), vec![], vec![answer(nothing()), alive()]),
        ]
    });
    submit_to(&server, options()).0.expect("the second connection holds");
    assert_eq!(server.finish().len(), 2);
}

#[test]
fn a_topology_larger_than_a_frame_is_refused_before_anything_is_sent() {
    let nowhere = crate::script::nowhere();
    let mut nimbus = NimbusClient::new(vec![nowhere], options());
    let mut archive = Archive::new().pack().expect("there is room");
    let error = submit(&mut nimbus, &submission(1 << 20), &mut archive, &mut |_| {});
    let error = error.expect_err("it is too large");
    let told = error.to_string();
    assert!(told.contains("raise nimbus.thrift.max_buffer_size here and on the server"), "{told}");
    assert!(matches!(error, SubmitError::Client(ClientError::RequestTooLarge { .. })));
}

#[test]
fn a_topology_without_a_spout_is_refused_before_anything_is_sent() {
    let mut nimbus = NimbusClient::new(Vec::new(), options());
    let mut archive = Archive::new().pack().expect("there is room");
    let mut empty = submission(1);
    empty.topology.spouts.clear();
    let error = submit(&mut nimbus, &empty, &mut archive, &mut |_| {}).expect_err("it is empty");
    assert_eq!(error.to_string(), "words has no spout: a topology begins with at least one");
}
