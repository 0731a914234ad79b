//! Random operations on few paths, against a model that is as plain as can be: a map from path to
//! node, copied for each multi.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use storm_runtime::cluster::{
    CreateMode, Durability, EmbeddedStore, Expected, MultiError, Op, OpResult, StateBackend,
    StateError, StateStorage,
};

/// Sessions at a time.
const SESSIONS: usize = 3;

/// One step of a run.
#[derive(Clone, Debug)]
enum Step {
    /// A session writes.
    Write(usize, Vec<Op>, bool),
    /// A session ends and another takes its place.
    End(usize),
    /// The process ends in good order, and the next one opens the file.
    Reopen,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    data: Vec<u8>,
    version: i32,
    /// The run of the session that owns it.
    owner: Option<u32>,
    made: u32,
}

type Tree = BTreeMap<String, Node>;

fn path() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["/a", "/b", "/a/a", "/a/b", "/b/a", "/a/a/a"]).prop_map(str::to_owned)
}

fn expected() -> impl Strategy<Value = Expected> {
    prop_oneof![3 => Just(Expected::Any), 2 => (0..3).prop_map(Expected::Version)]
}

fn op() -> impl Strategy<Value = Op> {
    let data = || prop::collection::vec(any::<u8>(), 0..4);
    let mode = prop::sample::select(vec![
        CreateMode::Persistent,
        CreateMode::Persistent,
        CreateMode::Ephemeral,
        CreateMode::PersistentSequential,
        CreateMode::EphemeralSequential,
    ]);
    prop_oneof![
        5 => (path(), data(), mode).prop_map(|(path, data, mode)| Op::create(path, data, mode)),
        3 => (path(), data(), expected()).prop_map(|(path, data, e)| Op::set(path, data, e)),
        3 => (path(), expected()).prop_map(|(path, expected)| Op::delete(path, expected)),
        1 => (path(), expected()).prop_map(|(path, expected)| Op::check(path, expected)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let ops =
        prop_oneof![4 => prop::collection::vec(op(), 1..2), 1 => prop::collection::vec(op(), 2..5)];
    prop_oneof![
        20 => (0..SESSIONS, ops, any::<bool>()).prop_map(|(s, ops, d)| Step::Write(s, ops, d)),
        2 => (0..SESSIONS).prop_map(Step::End),
        1 => Just(Step::Reopen),
    ]
}

fn apply(tree: &mut Tree, session: u32, op: &Op) -> Result<String, &'static str> {
    let parent = |path: &str| match path.rsplit_once('/').expect("a path").0 {
        "" => "/".to_owned(),
        parent => parent.to_owned(),
    };
    let checked = |tree: &Tree, path: &str, expected: &Expected| {
        let node = tree.get(path).ok_or("no node")?;
        match *expected {
            Expected::Version(version) if version != node.version => Err("bad version"),
            _ => Ok(()),
        }
    };
    match op {
        Op::Create { path, data, mode } => {
            let folder = tree.get(&parent(path)).ok_or("no node")?.clone();
            let mut name = path.clone();
            if mode.is_sequential() {
                name += &format!("{:010}", folder.made);
            }
            if tree.contains_key(&name) {
                return Err("node exists");
            }
            if folder.owner.is_some() {
                return Err("no children for ephemerals");
            }
            tree.get_mut(&parent(path)).expect("it is there").made += 1;
            let owner = mode.is_ephemeral().then_some(session);
            tree.insert(name.clone(), Node { data: data.clone(), owner, ..Node::default() });
            Ok(name)
        }
        Op::Set { path, data, expected } => {
            checked(tree, path, expected)?;
            let node = tree.get_mut(path).expect("it is there");
            node.data.clone_from(data);
            node.version += 1;
            Ok(format!("version {}", node.version))
        }
        Op::Delete { path, expected } => {
            checked(tree, path, expected)?;
            if tree.keys().any(|other| other.starts_with(&format!("{path}/"))) {
                return Err("not empty");
            }
            tree.remove(path);
            Ok("deleted".to_owned())
        }
        Op::Check { path, expected } => {
            checked(tree, path, expected).map(|()| "checked".to_owned())
        }
    }
}

fn said(
    answer: Result<Vec<OpResult>, MultiError>,
) -> Result<Vec<String>, (Option<usize>, &'static str)> {
    let results = answer.map_err(|MultiError { index, source }| {
        let what = match source {
            StateError::NoNode { .. } => "no node",
            StateError::NodeExists { .. } => "node exists",
            StateError::BadVersion { .. } => "bad version",
            StateError::NotEmpty { .. } => "not empty",
            StateError::NoChildrenForEphemerals { .. } => "no children for ephemerals",
            other => panic!("unexpected: {other}"),
        };
        (index, what)
    })?;
    let text = |result| match result {
        OpResult::Created { path } => path,
        OpResult::Set(stat) => format!("version {}", stat.version),
        OpResult::Deleted => "deleted".to_owned(),
        OpResult::Checked => "checked".to_owned(),
    };
    Ok(results.into_iter().map(text).collect())
}

/// The store with its sessions beside the model.
struct Run {
    folder: tempfile::TempDir,
    store: EmbeddedStore,
    sessions: Vec<(Arc<dyn StateStorage>, u32)>,
    opened: u32,
    tree: Tree,
}

impl Run {
    fn begin() -> Self {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let store = EmbeddedStore::open(folder.path()).expect("the store opens");
        let tree = Tree::from([("/".to_owned(), Node::default())]);
        let mut run = Self { folder, store, sessions: Vec::new(), opened: 0, tree };
        run.fill();
        run
    }

    fn fill(&mut self) {
        while self.sessions.len() < SESSIONS {
            self.opened += 1;
            let session = self.store.connect().expect("a session opens");
            self.sessions.push((session, self.opened));
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Write(session, ops, durable) => {
                let (session, owner) = &self.sessions[*session];
                let mut tree = self.tree.clone();
                let expected: Result<Vec<_>, _> = ops
                    .iter()
                    .enumerate()
                    .map(|(i, op)| apply(&mut tree, *owner, op).map_err(|what| (Some(i), what)))
                    .collect();
                if expected.is_ok() {
                    self.tree = tree;
                }
                let durability = if *durable { Durability::Durable } else { Durability::Volatile };
                prop_assert_eq!(said(session.multi(ops, durability)), expected);
            }
            Step::End(index) => {
                let (session, ended) = self.sessions.remove(*index);
                session.close();
                self.tree.retain(|_, node| node.owner != Some(ended));
                self.fill();
            }
            Step::Reopen => {
                self.sessions.clear();
                self.tree.retain(|_, node| node.owner.is_none());
                let path = self.store.path().to_owned();
                // The first one has to let go of the file.
                let elsewhere = tempfile::tempdir().expect("a folder");
                self.store = EmbeddedStore::open(elsewhere.path()).expect("the store opens");
                self.store = EmbeddedStore::open(self.folder.path()).expect("the file opens again");
                prop_assert_eq!(self.store.path(), path);
                self.fill();
            }
        }
        Ok(())
    }

    /// Compares every node.
    fn compare(&self) -> Result<(), TestCaseError> {
        let (session, _) = &self.sessions[0];
        let mut open = vec!["/".to_owned()];
        let mut found = 0;
        while let Some(path) = open.pop() {
            found += 1;
            let (data, stat) = session.get(&path, None).expect("it was listed");
            let children = session.children(&path, None).expect("it was listed");
            let expected = self.tree.get(&path);
            prop_assert!(expected.is_some(), "{path} should not be there");
            let expected = expected.expect("just checked");
            prop_assert_eq!(&data, &expected.data, "data of {}", path);
            prop_assert_eq!(stat.version, expected.version, "version of {}", path);
            prop_assert_eq!(stat.is_ephemeral, expected.owner.is_some(), "kind of {}", path);
            prop_assert_eq!(stat.children as usize, children.len(), "children of {}", path);
            open.extend(children.into_iter().map(|name| match path.as_str() {
                "/" => format!("/{name}"),
                path => format!("{path}/{name}"),
            }));
        }
        prop_assert_eq!(found, self.tree.len(), "nodes in all");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_embedded_store_is_the_model(steps in prop::collection::vec(step(), 1..40)) {
        let mut run = Run::begin();
        for step in &steps {
            run.step(step)?;
            run.compare()?;
        }
    }
}
