//! What a child is told first.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::component::{GroupingForm, TaskContext};
use crate::id::DEFAULT_STREAM;
use crate::multilang::{Context, GroupingInfo, Handshake, Serializer};
use crate::tuple::Fields;

/// The handshake of a task's child.
pub(super) fn handshake(context: &TaskContext, serializer: Serializer, pids: &Path) -> Handshake {
    let framings = serializer.offered.iter().map(|framing| framing.name().to_owned()).collect();
    Handshake {
        conf: context.conf().as_map().clone(),
        pid_dir: pids.display().to_string(),
        context: surroundings(context),
        framings: Some(framings),
    }
}

fn surroundings(context: &TaskContext) -> Context {
    let joints = context.joints();
    let mut told = Context {
        task: context.task().0.into(),
        component: context.component().as_str().to_owned(),
        ..Context::default()
    };
    for (component, tasks) in context.component_to_tasks() {
        let name = component.as_str();
        told.task_to_component.extend(tasks.iter().map(|task| (task.0.into(), name.to_owned())));
    }
    for output in &joints.outputs {
        let stream = output.stream.as_str().to_owned();
        told.stream_to_fields.insert(stream.clone(), names(&output.fields));
        told.streams.push(stream);
    }
    told.streams.sort_by_key(|stream| (stream != DEFAULT_STREAM, stream.clone()));
    for (stream, taker, form) in &joints.takers {
        let targets = told.stream_to_targets.entry(stream.as_str().to_owned()).or_default();
        targets.insert(taker.as_str().to_owned(), info(form));
    }
    for (source, stream, form, fields) in &joints.sources {
        let (source, stream) = (source.as_str().to_owned(), stream.as_str().to_owned());
        let by_source = |all: &mut BTreeMap<_, BTreeMap<_, GroupingInfo>>| {
            all.entry(source.clone()).or_default().insert(stream.clone(), info(form));
        };
        by_source(&mut told.source_to_groupings);
        told.source_to_fields.entry(source).or_default().insert(stream, names(fields));
    }
    told
}

fn names(fields: &Fields) -> Vec<String> {
    fields.iter().map(str::to_owned).collect()
}

fn info(form: &GroupingForm) -> GroupingInfo {
    GroupingInfo { kind: form.kind.to_owned(), fields: form.fields.as_ref().map(names) }
}

/// Where children write files named by their pids: the worker's folder, or one of this process that
/// is removed with its last child.
#[derive(Debug)]
pub(super) enum PidFolder {
    OfWorker(PathBuf),
    Own(Arc<OwnFolder>),
}

#[derive(Debug)]
pub(super) struct OwnFolder(PathBuf);

impl PidFolder {
    /// # Errors
    /// If it cannot be made.
    pub fn of(context: &TaskContext) -> io::Result<Self> {
        if let Some(folders) = context.folders() {
            std::fs::create_dir_all(&folders.pids)?;
            return Ok(Self::OfWorker(folders.pids.clone()));
        }
        static OWN: Mutex<Weak<OwnFolder>> = Mutex::new(Weak::new());
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = own.upgrade() {
            return Ok(Self::Own(folder));
        }
        let random = RandomState::new().build_hasher().finish();
        let name = format!("storm-pids-{}-{:016x}", std::process::id(), random);
        let path = std::env::temp_dir().join(name);
        // Fails if somebody else made it.
        std::fs::create_dir(&path)?;
        let folder = Arc::new(OwnFolder(path));
        *own = Arc::downgrade(&folder);
        Ok(Self::Own(folder))
    }

    pub fn path(&self) -> &Path {
        match self {
            Self::OfWorker(path) => path,
            Self::Own(folder) => &folder.0,
        }
    }
}

impl Drop for OwnFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
