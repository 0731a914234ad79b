//! What every backend of the shared state must do.
//!
//! Each case works below a folder of its own, so that all of them can use one server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use storm_runtime::cluster::{
    CreateMode, Durability, Expected, MAX_REQUEST_BYTES, NodeEvent, Op, OpResult, SessionState,
    StateBackend, StateError, StateStorage, WatchEvent, Watcher,
};

/// How long a watch may take to fire.
const PATIENCE: Duration = Duration::from_secs(20);

type Case = fn(&Place<'_>);
/// Tells whether an error is the one that a case is about.
type IsExpected = fn(&StateError) -> bool;

/// All cases with their names.
const CASES: &[(&str, Case)] = &[
    ("a-node-holds-data-and-counts-versions", a_node_holds_data_and_counts_versions),
    ("a-node-needs-a-folder-and-a-free-name", a_node_needs_a_folder_and_a_free_name),
    ("a-write-with-another-version-is-refused", a_write_with_another_version_is_refused),
    ("only-an-empty-node-is-deleted", only_an_empty_node_is_deleted),
    ("a-node-made-again-is-another-one", a_node_made_again_is_another_one),
    ("children-are-counted-and-in-order", children_are_counted_and_in_order),
    ("numbers-of-sequential-nodes-grow", numbers_of_sequential_nodes_grow),
    ("ephemeral-nodes-vanish-with-their-session", ephemeral_nodes_vanish_with_their_session),
    ("a-dropped-session-ends", a_dropped_session_ends),
    ("an-ephemeral-node-has-no-children", an_ephemeral_node_has_no_children),
    ("a-multi-happens-in-whole", a_multi_happens_in_whole),
    ("a-failed-multi-leaves-nothing", a_failed_multi_leaves_nothing),
    ("a-data-watch-fires-once", a_data_watch_fires_once),
    ("a-watch-on-a-missing-node-fires", a_watch_on_a_missing_node_fires),
    ("a-read-that-fails-leaves-no-watch", a_read_that_fails_leaves_no_watch),
    ("a-children-watch-sees-names-only", a_children_watch_sees_names_only),
    ("a-multi-fires-all-its-watches", a_multi_fires_all_its_watches),
    ("the-end-of-a-session-fires-watches", the_end_of_a_session_fires_watches),
    ("an-ended-session-does-nothing-more", an_ended_session_does_nothing_more),
    ("paths-follow-the-rules", paths_follow_the_rules),
    ("a-large-write-is-refused", a_large_write_is_refused),
    ("folders-are-made-with-all-above-them", folders_are_made_with_all_above_them),
    ("put-makes-or-sets", put_makes_or_sets),
    ("an-ephemeral-put-takes-over", an_ephemeral_put_takes_over),
    ("a-tree-is-deleted-in-whole", a_tree_is_deleted_in_whole),
    ("no-increment-of-many-threads-is-lost", no_increment_of_many_threads_is_lost),
    ("no-number-is-given-twice", no_number_is_given_twice),
];

/// Runs all cases.
pub fn check_all(backend: &dyn StateBackend) {
    for (name, case) in CASES {
        eprintln!("conformance: {name}");
        let session = backend.connect().expect("a session opens");
        let root = format!("/{name}");
        session.create(&root, b"", CreateMode::Persistent).expect("the case's folder is free");
        case(&Place { backend, session, root });
    }
}

/// Where a case works.
struct Place<'a> {
    backend: &'a dyn StateBackend,
    session: Arc<dyn StateStorage>,
    root: String,
}

impl Place<'_> {
    fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.root)
    }

    fn another(&self) -> Arc<dyn StateStorage> {
        self.backend.connect().expect("another session opens")
    }

    fn make(&self, rest: &str) -> String {
        let path = self.path(rest);
        self.session.create(&path, b"", CreateMode::Persistent).expect("a free name")
    }

    /// All that a watcher of the session was told of what happened before now: a change that is
    /// made last is told last.
    fn told(&self, watcher: &Watcher) -> BTreeSet<(String, NodeEvent)> {
        let last = self.path("last-of-all");
        self.session.exists(&last, Some(watcher)).expect("a look");
        self.session.create(&last, b"", CreateMode::Persistent).expect("a free name");
        let last = WatchEvent { path: last, event: NodeEvent::Created };
        let mut told = BTreeSet::new();
        while !told.contains(&last) {
            let changes = watcher.wait(PATIENCE);
            assert!(!changes.is_empty(), "nothing is told; so far {told:?}");
            told.extend(changes.events);
        }
        told.remove(&last);
        self.session.delete(&last.path, Expected::Any).expect("it is there");
        told.into_iter()
            .map(|WatchEvent { path, event }| (path[self.root.len()..].to_owned(), event))
            .collect()
    }
}

fn event(path: &str, event: NodeEvent) -> (String, NodeEvent) {
    (path.to_owned(), event)
}

#[track_caller]
fn no_node<T: std::fmt::Debug>(answer: Result<T, StateError>) {
    assert!(matches!(answer, Err(StateError::NoNode { .. })), "{answer:?}");
}

fn a_node_holds_data_and_counts_versions(place: &Place<'_>) {
    let path = place.path("a");
    let made = place.session.create(&path, b"one", CreateMode::Persistent);
    assert_eq!(made.expect("a free name"), path);
    let (data, stat) = place.session.get(&path, None).expect("it is there");
    assert_eq!((data.as_slice(), stat.version, stat.data_bytes), (&b"one"[..], 0, 3));
    assert!(!stat.is_ephemeral && stat.created == stat.modified);

    let set = place.session.set(&path, b"", Expected::Any).expect("it is there");
    assert_eq!((set.version, set.data_bytes), (1, 0));
    assert!(set.modified > set.created && set.created == stat.created);
    place.session.set(&path, b"three", Expected::Version(1)).expect("the version fits");
    let (data, stat) = place.another().get(&path, None).expect("others see it");
    assert_eq!((data.as_slice(), stat.version), (&b"three"[..], 2));
    assert_eq!(place.session.exists(&path, None).expect("a look"), Some(stat));
}

fn a_node_needs_a_folder_and_a_free_name(place: &Place<'_>) {
    no_node(place.session.create(&place.path("a/b"), b"", CreateMode::Persistent));
    let path = place.make("a");
    let again = place.session.create(&path, b"", CreateMode::Ephemeral);
    assert!(matches!(&again, Err(StateError::NodeExists { path: told }) if *told == path));
    let text = again.expect_err("taken").to_string();
    assert!(text.contains(&path), "{text}");
    no_node(place.session.set(&place.path("b"), b"", Expected::Any));
    no_node(place.session.get(&place.path("b"), None));
    no_node(place.session.children(&place.path("b"), None));
    no_node(place.session.delete(&place.path("b"), Expected::Any));
    assert_eq!(place.session.exists(&place.path("b"), None).expect("a look"), None);
}

fn a_write_with_another_version_is_refused(place: &Place<'_>) {
    let path = place.make("a");
    for wrong in [1, 7] {
        let set = place.session.set(&path, b"x", Expected::Version(wrong));
        assert!(matches!(set, Err(StateError::BadVersion { .. })), "{set:?}");
        let delete = place.session.delete(&path, Expected::Version(wrong));
        assert!(matches!(delete, Err(StateError::BadVersion { .. })), "{delete:?}");
    }
    place.session.set(&path, b"x", Expected::Version(0)).expect("the version fits");
    place.session.delete(&path, Expected::Version(1)).expect("the version fits");
}

fn only_an_empty_node_is_deleted(place: &Place<'_>) {
    let folder = place.make("a");
    let child = place.make("a/b");
    let deleted = place.session.delete(&folder, Expected::Any);
    assert!(matches!(deleted, Err(StateError::NotEmpty { .. })), "{deleted:?}");
    place.session.delete(&child, Expected::Any).expect("it is empty");
    place.session.delete(&folder, Expected::Any).expect("now it is empty");
    assert_eq!(place.session.exists(&folder, None).expect("a look"), None);
}

fn a_node_made_again_is_another_one(place: &Place<'_>) {
    let path = place.make("a");
    let before = place.session.exists(&path, None).expect("a look").expect("it is there");
    place.session.delete(&path, Expected::Any).expect("it is there");
    place.make("a");
    let after = place.session.exists(&path, None).expect("a look").expect("it is there");
    assert_eq!((before.version, after.version), (0, 0));
    assert!(after.created > before.created);
}

fn children_are_counted_and_in_order(place: &Place<'_>) {
    for name in ["b", "a-last", "a", "B", "ä"] {
        place.make(name);
    }
    place.make("a/below");
    let children = place.session.children(&place.root, None).expect("it is there");
    assert_eq!(children, ["B", "a", "a-last", "b", "ä"]);
    place.session.delete(&place.path("b"), Expected::Any).expect("it is there");
    let stat = place.session.exists(&place.root, None).expect("a look").expect("it is there");
    assert_eq!((stat.children, stat.children_version, stat.version), (4, 6, 0));
    assert!(place.session.children(&place.path("B"), None).expect("it is there").is_empty());
}

fn numbers_of_sequential_nodes_grow(place: &Place<'_>) {
    let made = |mode, name| place.session.create(&place.path(name), b"", mode).expect("a name");
    assert_eq!(made(CreateMode::PersistentSequential, "e"), place.path("e0000000000"));
    place.make("other");
    assert_eq!(made(CreateMode::EphemeralSequential, "e"), place.path("e0000000002"));
    place.session.delete(&place.path("e0000000002"), Expected::Any).expect("it is there");
    assert_eq!(made(CreateMode::PersistentSequential, "x"), place.path("x0000000003"));
    place.make("folder");
    assert_eq!(made(CreateMode::PersistentSequential, "folder/"), place.path("folder/0000000000"));
}

fn ephemeral_nodes_vanish_with_their_session(place: &Place<'_>) {
    let other = place.another();
    let mine = place.path("mine");
    place.session.create(&mine, b"", CreateMode::Ephemeral).expect("a free name");
    other.create(&place.path("theirs"), b"", CreateMode::Ephemeral).expect("a free name");
    other.create(&place.path("stays"), b"", CreateMode::Persistent).expect("a free name");
    other.set(&mine, b"anybody sets", Expected::Version(0)).expect("it is there");
    let seen = other.exists(&mine, None).expect("a look").expect("it is there");
    assert!(seen.is_ephemeral && !seen.is_own);
    let own = place.session.exists(&mine, None).expect("a look").expect("it is there");
    assert!(own.is_ephemeral && own.is_own);

    other.close();
    other.close();
    let left = place.session.children(&place.root, None).expect("it is there");
    assert_eq!(left, ["mine", "stays"]);
    let stat = place.session.exists(&place.root, None).expect("a look").expect("it is there");
    assert_eq!((stat.children, stat.children_version), (2, 4));
}

fn a_dropped_session_ends(place: &Place<'_>) {
    let watcher = Watcher::new();
    let path = place.path("a");
    let other = place.another();
    other.create(&path, b"", CreateMode::Ephemeral).expect("a free name");
    place.session.get(&path, Some(&watcher)).expect("it is there");
    drop(other);
    let changes = watcher.wait(PATIENCE);
    assert!(changes.events.contains(&WatchEvent { path: path.clone(), event: NodeEvent::Deleted }));
    assert_eq!(place.session.exists(&path, None).expect("a look"), None);
}

fn an_ephemeral_node_has_no_children(place: &Place<'_>) {
    place.session.create(&place.path("a"), b"", CreateMode::Ephemeral).expect("a free name");
    for mode in [CreateMode::Persistent, CreateMode::Ephemeral, CreateMode::PersistentSequential] {
        let below = place.session.create(&place.path("a/b"), b"", mode);
        assert!(matches!(below, Err(StateError::NoChildrenForEphemerals { .. })), "{below:?}");
    }
}

fn a_multi_happens_in_whole(place: &Place<'_>) {
    let (a, b) = (place.path("a"), place.path("a/b"));
    let results = place
        .session
        .multi(
            &[
                Op::create(&a, "1", CreateMode::Persistent),
                Op::create(&b, "", CreateMode::PersistentSequential),
                Op::set(&a, "22", Expected::Version(0)),
                Op::check(&a, Expected::Version(1)),
                Op::delete(format!("{b}0000000000"), Expected::Any),
            ],
            Durability::Durable,
        )
        .expect("each sees what those before it did");
    assert_eq!(results[0], OpResult::Created { path: a.clone() });
    assert_eq!(results[1], OpResult::Created { path: format!("{b}0000000000") });
    assert!(matches!(results[2], OpResult::Set(stat) if stat.version == 1 && stat.data_bytes == 2));
    assert_eq!(results[3..], [OpResult::Checked, OpResult::Deleted]);
    let (data, stat) = place.session.get(&a, None).expect("it is there");
    assert_eq!((data.as_slice(), stat.children, stat.children_version), (&b"22"[..], 0, 2));
}

fn a_failed_multi_leaves_nothing(place: &Place<'_>) {
    let a = place.make("a");
    let before = place.session.get(&a, None).expect("it is there");
    let failing: [(Op, IsExpected); 5] = [
        (Op::check(&a, Expected::Version(9)), |e| matches!(e, StateError::BadVersion { .. })),
        (Op::set(place.path("no"), "", Expected::Any), |e| e.is_no_node()),
        (Op::check(place.path("no"), Expected::Any), |e| e.is_no_node()),
        (Op::create(&a, "", CreateMode::Persistent), |e| {
            matches!(e, StateError::NodeExists { .. })
        }),
        (Op::delete(&place.root, Expected::Any), |e| matches!(e, StateError::NotEmpty { .. })),
    ];
    for (op, is_expected) in failing {
        let ops = [
            Op::set(&a, "changed", Expected::Any),
            Op::create(place.path("b"), "", CreateMode::Ephemeral),
            op.clone(),
            Op::delete(&a, Expected::Any),
        ];
        let error = place.session.multi(&ops, Durability::Durable).expect_err("it cannot be done");
        assert_eq!(error.index, Some(2), "{op:?}: {error}");
        assert!(is_expected(&error.source), "{op:?}: {error}");
        assert!(!error.source.may_have_taken_effect());
        assert_eq!(place.session.get(&a, None).expect("it is there"), before);
        let children = place.session.children(&place.root, None).expect("it is there");
        assert_eq!(children, ["a"], "{op:?}");
    }
}

fn a_data_watch_fires_once(place: &Place<'_>) {
    let (watcher, other) = (Watcher::new(), place.another());
    let a = place.make("a");
    place.session.get(&a, Some(&watcher)).expect("it is there");
    place.session.get(&a, Some(&watcher)).expect("the same watch again");
    other.set(&a, b"1", Expected::Any).expect("it is there");
    assert_eq!(place.told(&watcher), [event("/a", NodeEvent::DataChanged)].into());
    other.set(&a, b"2", Expected::Any).expect("it is there");
    assert!(place.told(&watcher).is_empty(), "a watch is used up when it fires");

    place.session.exists(&a, Some(&watcher)).expect("a look");
    place.make("a/child");
    place.session.delete(&place.path("a/child"), Expected::Any).expect("it is there");
    assert!(place.told(&watcher).is_empty(), "children are another watch");
    other.delete(&a, Expected::Any).expect("it is there");
    assert_eq!(place.told(&watcher), [event("/a", NodeEvent::Deleted)].into());
}

fn a_watch_on_a_missing_node_fires(place: &Place<'_>) {
    let watcher = Watcher::new();
    let a = place.path("a");
    assert_eq!(place.session.exists(&a, Some(&watcher)).expect("a look"), None);
    place.another().create(&a, b"", CreateMode::Persistent).expect("a free name");
    assert_eq!(place.told(&watcher), [event("/a", NodeEvent::Created)].into());
}

fn a_read_that_fails_leaves_no_watch(place: &Place<'_>) {
    let watcher = Watcher::new();
    let a = place.path("a");
    no_node(place.session.get(&a, Some(&watcher)));
    no_node(place.session.children(&a, Some(&watcher)));
    place.make("a");
    place.make("a/b");
    assert!(place.told(&watcher).is_empty());
}

fn a_children_watch_sees_names_only(place: &Place<'_>) {
    let watcher = Watcher::new();
    let a = place.make("a");
    place.session.children(&a, Some(&watcher)).expect("it is there");
    place.session.set(&a, b"data", Expected::Any).expect("it is there");
    assert!(place.told(&watcher).is_empty(), "data is another watch");
    let b = place.make("a/b");
    assert_eq!(place.told(&watcher), [event("/a", NodeEvent::ChildrenChanged)].into());
    place.session.children(&a, Some(&watcher)).expect("it is there");
    place.session.set(&b, b"data", Expected::Any).expect("it is there");
    assert!(place.told(&watcher).is_empty(), "a child's data is its own");
    place.session.delete(&b, Expected::Any).expect("it is there");
    assert_eq!(place.told(&watcher), [event("/a", NodeEvent::ChildrenChanged)].into());
    place.session.children(&a, Some(&watcher)).expect("it is there");
    place.session.delete(&a, Expected::Any).expect("it is empty");
    assert_eq!(place.told(&watcher), [event("/a", NodeEvent::Deleted)].into());
}

fn a_multi_fires_all_its_watches(place: &Place<'_>) {
    let watcher = Watcher::new();
    let (a, b) = (place.make("a"), place.path("b"));
    place.session.get(&a, Some(&watcher)).expect("it is there");
    place.session.exists(&b, Some(&watcher)).expect("a look");
    let failing = [Op::set(&a, "", Expected::Any), Op::check(&a, Expected::Version(7))];
    place.session.multi(&failing, Durability::Durable).expect_err("another version");
    assert!(place.told(&watcher).is_empty(), "what did not happen is not told");
    let ops = [Op::create(&b, "", CreateMode::Persistent), Op::set(&a, "", Expected::Any)];
    place.session.multi(&ops, Durability::Volatile).expect("both can be done");
    let expected = [event("/a", NodeEvent::DataChanged), event("/b", NodeEvent::Created)];
    assert_eq!(place.told(&watcher), expected.into());
}

fn the_end_of_a_session_fires_watches(place: &Place<'_>) {
    let (watcher, other) = (Watcher::new(), place.another());
    let folder = place.make("folder");
    let path = place.path("folder/a");
    other.create(&path, b"", CreateMode::Ephemeral).expect("a free name");
    place.session.exists(&path, Some(&watcher)).expect("a look");
    place.session.children(&folder, Some(&watcher)).expect("it is there");
    other.close();
    let expected =
        [event("/folder", NodeEvent::ChildrenChanged), event("/folder/a", NodeEvent::Deleted)];
    assert_eq!(place.told(&watcher), expected.into());
}

fn an_ended_session_does_nothing_more(place: &Place<'_>) {
    let (watcher, other) = (Watcher::new(), place.another());
    let a = place.make("a");
    other.get(&a, Some(&watcher)).expect("it is there");
    other.watch_state(&watcher);
    assert_eq!(other.state(), SessionState::Connected);
    other.close();
    while watcher.wait(PATIENCE).session != Some(SessionState::Ended) {}
    assert_eq!(other.state(), SessionState::Ended);

    let is_over = |error: &StateError| matches!(error, StateError::SessionExpired);
    assert!(other.get(&a, Some(&watcher)).is_err_and(|e| is_over(&e)));
    assert!(other.exists(&a, Some(&watcher)).is_err_and(|e| is_over(&e)));
    assert!(other.children(&a, Some(&watcher)).is_err_and(|e| is_over(&e)));
    assert!(other.set(&a, b"", Expected::Any).is_err_and(|e| is_over(&e)));
    assert!(other.sync(&a).is_err_and(|e| is_over(&e)));
    place.session.set(&a, b"1", Expected::Version(0)).expect("nothing was written");
    assert!(watcher.take().events.is_empty(), "its watches are gone");
}

fn paths_follow_the_rules(place: &Place<'_>) {
    for bad in ["", "a", "//a", "/a/", "/a//b", "/.", "/a/../b", "/a\0", "/a\u{1f}", "/\u{fff0}"] {
        let is_told = |error: StateError| {
            assert!(matches!(error, StateError::InvalidPath { .. }), "{bad:?}: {error}");
        };
        is_told(place.session.create(bad, b"", CreateMode::Persistent).expect_err("no path"));
        is_told(place.session.set(bad, b"", Expected::Any).expect_err("no path"));
        is_told(place.session.delete(bad, Expected::Any).expect_err("no path"));
        is_told(place.session.get(bad, None).expect_err("no path"));
        is_told(place.session.exists(bad, None).expect_err("no path"));
        is_told(place.session.children(bad, None).expect_err("no path"));
    }
    let root = place.session.delete("/", Expected::Any);
    assert!(matches!(root, Err(StateError::Root)), "{root:?}");
    for good in ["...", "a b", "127.0.0.1:6627:0-1", "名", "a%2Fb", "$checkpoint"] {
        let path = place.make(good);
        assert!(place.session.exists(&path, None).expect("a look").is_some());
    }
}

fn a_large_write_is_refused(place: &Place<'_>) {
    let path = place.make("a");
    let fits = vec![b'x'; MAX_REQUEST_BYTES - 4096];
    place.session.set(&path, &fits, Expected::Any).expect("it fits");
    assert_eq!(place.session.get(&path, None).expect("it is there").0, fits);
    let too_large = vec![b'x'; MAX_REQUEST_BYTES];
    let refused = place.session.set(&path, &too_large, Expected::Any);
    assert!(matches!(refused, Err(StateError::TooLarge { .. })), "{refused:?}");
    place.session.set(&path, b"", Expected::Version(1)).expect("the session lives on");
}

fn folders_are_made_with_all_above_them(place: &Place<'_>) {
    let deep = place.path("a/b/c");
    place.session.make_folders(&deep).expect("they can be made");
    place.session.make_folders(&deep).expect("they are there");
    let (data, stat) = place.session.get(&deep, None).expect("it is there");
    assert_eq!((data.as_slice(), stat.version), (&[7_u8][..], 0));
    place.session.create(&place.path("e"), b"", CreateMode::Ephemeral).expect("a free name");
    let below = place.session.make_folders(&place.path("e/f"));
    assert!(matches!(below, Err(StateError::NoChildrenForEphemerals { .. })), "{below:?}");
}

fn put_makes_or_sets(place: &Place<'_>) {
    let path = place.path("a/b");
    place.session.put(&path, b"1", Durability::Durable).expect("folders are made");
    place.session.put(&path, b"2", Durability::Volatile).expect("it is there");
    let (data, stat) = place.session.get(&path, None).expect("it is there");
    assert_eq!((data.as_slice(), stat.version, stat.is_ephemeral), (&b"2"[..], 1, false));
}

fn an_ephemeral_put_takes_over(place: &Place<'_>) {
    let other = place.another();
    let path = place.path("a");
    other.put_ephemeral(&path, b"theirs").expect("a free name");
    other.put_ephemeral(&path, b"again").expect("it is there");
    assert_eq!(other.get(&path, None).expect("it is there").1.version, 1);
    place.session.put_ephemeral(&path, b"mine").expect("it can be replaced");
    other.close();
    let (data, stat) =
        place.session.get(&path, None).expect("it lives as long as the one that took over");
    assert_eq!((data.as_slice(), stat.is_own), (&b"mine"[..], true));
}

fn a_tree_is_deleted_in_whole(place: &Place<'_>) {
    place.session.make_folders(&place.path("a/b/c")).expect("they can be made");
    place.session.make_folders(&place.path("a/d")).expect("they can be made");
    place.session.delete_tree(&place.path("a")).expect("it can be deleted");
    place.session.delete_tree(&place.path("a")).expect("it is gone already");
    assert!(place.session.children(&place.root, None).expect("it is there").is_empty());
}

fn no_increment_of_many_threads_is_lost(place: &Place<'_>) {
    const THREADS: i32 = 4;
    const INCREMENTS: i32 = 25;
    let path = place.make("counter");
    place.session.set(&path, b"0", Expected::Any).expect("it is there");
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let (session, path) = (place.another(), &path);
            scope.spawn(move || (0..INCREMENTS).for_each(|_| increment(&*session, path)));
        }
    });
    let (data, stat) = place.session.get(&path, None).expect("it is there");
    assert_eq!(data, (THREADS * INCREMENTS).to_string().into_bytes());
    assert_eq!(stat.version, THREADS * INCREMENTS + 1);
}

fn increment(session: &dyn StateStorage, path: &str) {
    loop {
        let (data, stat) = session.get(path, None).expect("it is there");
        let text = String::from_utf8(data).expect("digits");
        let next = text.parse::<i32>().expect("a number") + 1;
        match session.set(path, next.to_string().as_bytes(), Expected::Version(stat.version)) {
            Err(StateError::BadVersion { .. }) => {}
            answer => {
                answer.expect("only the version can be in the way");
                return;
            }
        }
    }
}

fn no_number_is_given_twice(place: &Place<'_>) {
    let names: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (session, path) = (place.another(), place.path("n"));
                let mode = CreateMode::PersistentSequential;
                let make = move || session.create(&path, b"", mode).expect("a free name");
                scope.spawn(move || (0..10).map(|_| make()).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it ends")).collect()
    });
    let expected: BTreeSet<String> =
        (0..40).map(|number| place.path(&format!("n{number:010}"))).collect();
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), expected);
}
