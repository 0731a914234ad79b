//! A process is killed while it writes; everything that it was told is written is there.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use storm_runtime::cluster::{
    CreateMode, Durability, EmbeddedStore, Expected, Op, StateBackend, StateStorage,
};

/// Names the folder in which the child writes; its test does nothing without it.
const FOLDER: &str = "STATE_WRITER_FOLDER";
const CHILD: &str = "crash::a_child_writes_until_it_is_killed";
/// What a line of the child begins with, before the number of the write that was acknowledged.
const WRITTEN: &str = "written ";
/// Writes after which the child is killed; odd, so that each round stops elsewhere.
const WRITES_PER_ROUND: usize = 37;
const ROUNDS: usize = 4;

/// Writes pairs of nodes, each pair in one multi, and volatile and ephemeral ones between them.
#[test]
fn a_child_writes_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let store = EmbeddedStore::open(Path::new(&folder)).expect("the file opens after a crash");
    let session = store.connect().expect("a session opens");
    session.make_folders("/left").expect("folders can be made");
    session.make_folders("/right").expect("folders can be made");
    session.put_ephemeral("/alive", b"").expect("the last one is gone");
    let first = session.children("/left", None).expect("it is there").len();
    // Bounded, in case nobody kills it.
    for number in first..first + 100_000 {
        write_pair(&*session, number);
        // Past the test harness, which would swallow what is printed.
        let mut out = std::io::stdout();
        if writeln!(out, "{WRITTEN}{number}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

fn write_pair(session: &dyn StateStorage, number: usize) {
    let data = vec![number as u8; number * 97 % 5000];
    let node = |folder: &str| {
        Op::create(format!("/{folder}/{number:08}"), data.clone(), CreateMode::Persistent)
    };
    session.put_ephemeral("/alive", &data).expect("the file takes it");
    session.put("/volatile", &data, Durability::Volatile).expect("the file takes it");
    session.multi(&[node("left"), node("right")], Durability::Durable).expect("it is written");
    if number % 5 == 4 {
        session.set("/left", &data, Expected::Any).expect("it is written");
    }
}

#[test]
fn what_was_acknowledged_survives_kill_minus_nine() {
    let folder = tempfile::tempdir().expect("there is a folder for temporary files");
    let mut expected = 0;
    for _ in 0..ROUNDS {
        let acknowledged = write_and_kill(folder.path(), expected + WRITES_PER_ROUND);
        expected = check(folder.path(), acknowledged);
    }
}

/// Runs the child until it has acknowledged that many pairs, kills it, and answers how many it had.
fn write_and_kill(folder: &Path, until: usize) -> usize {
    let mut child = Command::new(env::current_exe().expect("this test has a file"))
        .args(["--exact", CHILD, "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the child starts");
    let out = BufReader::new(child.stdout.take().expect("its output is a pipe"));
    let guard = Killed(child);
    let mut acknowledged = 0;
    let mut lines = out.lines();
    for line in lines.by_ref() {
        let line = line.expect("the pipe is read");
        if let Some((_, number)) = line.split_once(WRITTEN) {
            acknowledged = number.parse::<usize>().expect("a number") + 1;
        }
        if acknowledged >= until {
            break;
        }
    }
    assert!(acknowledged >= until, "the child ended after {acknowledged} pairs");
    drop(guard);
    // What it had said before it died counts as well.
    for line in lines.map_while(Result::ok) {
        if let Some(number) = line.strip_prefix(WRITTEN).and_then(|text| text.parse::<usize>().ok())
        {
            acknowledged = acknowledged.max(number + 1);
        }
    }
    acknowledged
}

/// Kills its process when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every acknowledged pair is there, no half of a pair is, and no ephemeral node.
fn check(folder: &Path, acknowledged: usize) -> usize {
    let store = EmbeddedStore::open(folder).expect("the file opens after a crash");
    let session = store.connect().expect("a session opens");
    let left = session.children("/left", None).expect("it is there");
    let right = session.children("/right", None).expect("it is there");
    assert_eq!(left, right, "a multi happens in whole");
    assert!(left.len() >= acknowledged, "{} of {acknowledged} are there", left.len());
    for (number, name) in left.iter().enumerate() {
        assert_eq!(*name, format!("{number:08}"), "none is missing in between");
        let (data, _) = session.get(&format!("/right/{name}"), None).expect("it was listed");
        assert_eq!(data, vec![number as u8; number * 97 % 5000]);
    }
    assert_eq!(session.exists("/alive", None).expect("a look"), None);
    left.len()
}
