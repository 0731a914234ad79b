//! The shared state in a real ZooKeeper server.

use std::time::Duration;

use storm_runtime::clock::{Clock, Time};
use storm_runtime::cluster::{
    CreateMode, SessionState, StateBackend, StateError, StateStorage, Watcher, ZooKeeperStore,
};

use crate::conformance;
use crate::support::zookeeper::{Server, free_port, skip};

const SESSION_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a session may take to be noticed as over.
const PATIENCE: Duration = Duration::from_secs(60);

fn store(server: &Server) -> ZooKeeperStore {
    let servers = format!("127.0.0.1:{}", server.port);
    ZooKeeperStore::new(&servers, SESSION_TIMEOUT).expect("a thread starts")
}

#[test]
fn a_real_zookeeper_conforms() {
    match Server::start() {
        Ok(server) => conformance::check_all(&store(&server)),
        Err(why) => skip(why),
    }
}

#[test]
fn a_server_that_is_gone_suspends_the_session_and_one_that_is_back_resumes_it() {
    let mut server = match Server::start() {
        Ok(server) => server,
        Err(why) => return skip(why),
    };
    let store = store(&server);
    let session = store.connect().expect("a session opens");
    let watcher = Watcher::new();
    session.watch_state(&watcher);
    session.create("/kept", b"1", CreateMode::Persistent).expect("a free name");
    server.stop();
    await_state(&*session, &watcher, SessionState::Suspended);
    let lost = session.get("/kept", None).expect_err("no server answers");
    assert!(
        matches!(lost, StateError::ConnectionLoss { .. } | StateError::SessionExpired),
        "{lost:?}"
    );
    server.restart();
    let fresh = store.connect().expect("a session opens");
    assert_eq!(fresh.get("/kept", None).expect("it is there").0, b"1");
}

#[test]
fn an_ensemble_that_does_not_answer_is_told_by_its_address() {
    let servers = format!("127.0.0.1:{}", free_port());
    let store = ZooKeeperStore::new(&servers, Duration::from_secs(1)).expect("a thread starts");
    let error = store.connect().map(|_| ()).expect_err("nobody listens there");
    assert!(matches!(error, StateError::Unreachable { .. }) && error.is_retriable(), "{error:?}");
    assert!(error.to_string().contains(&servers), "{error}");
}

fn await_state(session: &dyn StateStorage, watcher: &Watcher, expected: SessionState) {
    let deadline: Time = Clock::system().now() + PATIENCE;
    while session.state() != expected {
        assert!(Clock::system().now() < deadline, "the session stays {:?}", session.state());
        watcher.wait(Duration::from_millis(100));
    }
}
