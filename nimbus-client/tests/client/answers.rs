//! What servers answer, and how it reaches the caller.

use nimbus_client::client::{
    Client, ClientError, DrpcClient, DrpcInvocationsClient, DrpcInvocationsMethods, DrpcMethods,
    NimbusMethods, SupervisorClient, SupervisorGateMethods, WorkerGateMethods,
};
use nimbus_client::native::WorkerOrders;
use nimbus_client::thrift::{
    AlreadyAliveException, AuthorizationException, ClusterSummary, DRPCExceptionType,
    DRPCExecutionException, DRPCRequest, IllegalStateException, InvalidTopologyException,
    KeyAlreadyExistsException, KeyNotFoundException, NotAliveException, SettableBlobMeta,
    StormTopology, TopologyStatus,
};
use nimbus_client::wire::{ApplicationErrorKind, TSerializable};

use crate::script::{
    answer, client, exception, leader_is, leading, nothing, options, refuse, result, serve, step,
    text,
};

fn nothing_there() -> ClusterSummary {
    ClusterSummary::new(Vec::new(), Vec::new(), Vec::new())
}

#[test]
fn several_calls_share_a_connection() {
    let server = leading(|address| {
        vec![vec![leader_is(address), answer(result(&nothing_there())), answer(nothing())]]
    });
    let mut nimbus = client(&server);
    assert_eq!(nimbus.cluster().expect("it answers"), nothing_there());
    nimbus.activate("words").expect("it answers");
    assert_eq!(server.finish(), [["getLeader", "getClusterInfo", "activate"]]);
}

#[test]
fn an_answer_in_single_bytes_is_put_together() {
    let server = leading(|address| {
        let drip = step(|peer| {
            let call = peer.call()?;
            let fields = result(&nothing_there());
            let frame =
                crate::script::frame(&call, ::thrift::protocol::TMessageType::Reply, &fields);
            frame.chunks(1).try_for_each(|byte| peer.write(byte))
        });
        vec![vec![leader_is(address), drip]]
    });
    assert_eq!(client(&server).cluster().expect("it answers"), nothing_there());
    server.finish();
}

/// Calls a method that answers with `thrown` in field `id`, and gives the error.
#[track_caller]
fn check<T: TSerializable, R>(
    id: u8,
    thrown: &T,
    call: impl FnMut(
        &mut nimbus_client::client::Channel<nimbus_client::client::Nimbus>,
    ) -> ::thrift::Result<R>,
) -> ClientError {
    let fields = exception(id, thrown);
    let server =
        leading(|address| vec![vec![leader_is(address), answer(fields), answer(nothing())]]);
    let mut nimbus = client(&server);
    let error = nimbus.call(call).err().expect("an exception was thrown");
    assert!(!error.is_retriable(), "{error:?}");
    assert!(!error.may_have_taken_effect(), "{error:?}");
    nimbus.activate("words").expect("the connection is as good as before");
    assert_eq!(server.finish().len(), 1, "the call was made once, on the same connection");
    error
}

fn empty() -> StormTopology {
    StormTopology::new(
        Default::default(),
        Default::default(),
        Default::default(),
        None,
        None,
        None,
        None,
        None,
        None,
        None,
    )
}

#[test]
fn storms_exceptions_keep_their_names() {
    let submit = |storm: &mut nimbus_client::client::Channel<_>| {
        storm.submit_topology("t".into(), "jar".into(), "{}".into(), empty())
    };
    let says = || "says the server".to_owned();
    let error = check(1, &AlreadyAliveException::new(says()), submit);
    assert!(matches!(&error, ClientError::AlreadyAlive { message } if *message == says()));
    let error = check(2, &InvalidTopologyException::new(says()), submit);
    assert!(matches!(&error, ClientError::InvalidTopology { message } if *message == says()));
    let error = check(3, &AuthorizationException::new(says()), submit);
    assert!(matches!(&error, ClientError::Authorization { message } if *message == says()));
    let error = check(1, &NotAliveException::new(says()), |storm| storm.kill_topology("t".into()));
    assert!(matches!(&error, ClientError::NotAlive { message } if *message == says()));
    assert!(error.to_string().ends_with("list the topologies to see which are"), "{error}");
    let error = check(2, &KeyNotFoundException::new(says()), |storm| storm.delete_blob("k".into()));
    assert!(matches!(&error, ClientError::KeyNotFound { message } if *message == says()));
    let error =
        check(3, &IllegalStateException::new(says()), |storm| storm.delete_blob("k".into()));
    assert!(matches!(&error, ClientError::IllegalState { message } if *message == says()));
    let error = check(2, &KeyAlreadyExistsException::new(says()), |storm| {
        storm.begin_create_blob("k".into(), SettableBlobMeta::new(Vec::new(), None))
    });
    assert!(matches!(&error, ClientError::KeyAlreadyExists { message } if *message == says()));
}

#[test]
fn a_topology_that_is_not_alive_is_none() {
    let fields = exception(1, &NotAliveException::new("t is not alive".to_owned()));
    let server = leading(|address| vec![vec![leader_is(address), answer(fields)]]);
    assert_eq!(client(&server).topology("t").expect("that is no error"), None);
    server.finish();
}

#[test]
fn an_undeclared_error_tells_method_server_and_text() {
    let server = leading(|address| {
        let refuse = refuse(ApplicationErrorKind::InternalError, "Internal error processing kill");
        vec![vec![leader_is(address), refuse]]
    });
    let error = client(&server).kill("t", None).expect_err("it failed");
    let expected = format!(
        "{} could not answer killTopologyWithOpts: Internal error processing kill \
         (InternalError); its log may say more",
        server.address
    );
    assert_eq!(error.to_string(), expected);
    assert!(error.may_have_taken_effect());
    assert_eq!(server.finish().len(), 1, "it was not called again");
}

#[test]
fn a_missing_result_is_told_as_such() {
    let server = leading(|address| {
        let missing = || answer(nothing());
        vec![vec![leader_is(address), missing(), missing(), missing()]]
    });
    let error = client(&server)
        .call(|storm| storm.get_supervisor_assignments("node".to_owned()))
        .expect_err("there is no result");
    assert!(matches!(error, ClientError::NoResult { .. }), "{error}");
    assert!(error.is_retriable());
    let called = server.finish();
    assert_eq!(called[0].len(), 1 + 3, "a question is asked again: {called:?}");
}

#[test]
fn drpc_is_called_and_answered() {
    let failed = DRPCExecutionException::new(
        "nobody answered".to_owned(),
        Some(DRPCExceptionType::SERVER_TIMEOUT),
    );
    let server = serve(vec![vec![answer(text("olleh")), answer(exception(1, &failed))]]);
    let mut drpc = DrpcClient::new(server.address.clone(), options());
    let reversed = drpc.call(|storm| storm.execute("reverse".into(), "hello".into()));
    assert_eq!(reversed.expect("it answers"), "olleh");
    let error = drpc.call(|storm| storm.execute("reverse".into(), "x".into())).expect_err("failed");
    let timeout = Some(DRPCExceptionType::SERVER_TIMEOUT);
    assert!(matches!(error, ClientError::Drpc { kind, .. } if kind == timeout), "{error}");
    server.finish();

    let request = DRPCRequest::new("hello".to_owned(), "1".to_owned());
    let server = serve(vec![vec![answer(result(&request)), answer(nothing())]]);
    let mut invocations = DrpcInvocationsClient::new(server.address.clone(), options());
    let fetched = invocations.call(|storm| storm.fetch_request("reverse".into()));
    assert_eq!(fetched.expect("it answers"), request);
    invocations.call(|storm| storm.result("1".into(), "olleh".into())).expect("it answers");
    server.finish();
}

#[test]
fn the_engines_own_services_share_the_ports() {
    let orders = WorkerOrders::new(7, TopologyStatus::ACTIVE, None, None, None, None);
    let server = serve(vec![vec![answer(result(&orders))]]);
    let mut supervisor: SupervisorClient = Client::new(server.address.clone(), options());
    let wait_ms = 10_000;
    let within = options().call;
    let told = supervisor
        .call_within(within, |storm| storm.orders("t-1-1".into(), 6700, 6, wait_ms))
        .expect("it answers");
    assert_eq!(told, orders);
    assert_eq!(server.finish(), [["orders"]]);

    let server = leading(|address| vec![vec![leader_is(address), answer(nothing())]]);
    client(&server)
        .call(|storm| storm.report_workers("supervisor".into(), Vec::new()))
        .expect("it answers");
    assert_eq!(server.finish(), [["getLeader", "reportWorkers"]]);
}
