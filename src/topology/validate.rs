//! Checks a drafted topology and finds all its mistakes at once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smol_str::SmolStr;

use super::builder::{Draft, TopologyBuilder};
use super::factory::{AnyGrouping, BoltInstance, Maker, Register};
use super::{ACKER, Component, CustomFactory, Grouping, Input, Role, Topology};
use super::{TopologyError, TopologyErrors, Warning};
use crate::component::{DeclaredStream, Declarer};
use crate::conf::{Conf, TopologyConf, nearest};
use crate::id::{ComponentId, TaskId};
use crate::tuple::Fields;
use crate::tuple::codec::{ObjectReader, ObjectReaders};

/// Most streams of a topology; a tuple carries its stream's number in 16 bits.
const MAX_STREAMS: usize = u16::MAX as usize;

pub(super) fn check(builder: &TopologyBuilder) -> Result<Topology, TopologyErrors> {
    let mut check = Check::default();
    let conf = check.conf(None, &builder.conf);
    for draft in &builder.drafts {
        check.component(draft, &conf, &builder.register);
    }
    check.inputs(&builder.drafts);
    check.object_readers(&builder.register.object_readers);
    check.object_readers(&builder.object_readers);
    check.whole(&conf);
    if !check.errors.is_empty() {
        return Err(TopologyErrors(check.errors));
    }
    check.warn_of_cycles();
    let readers = Arc::new(check.object_readers);
    Ok(Topology::new(check.components, conf, check.warnings, readers))
}

#[derive(Default)]
struct Check {
    errors: Vec<TopologyError>,
    warnings: Vec<Warning>,
    components: BTreeMap<ComponentId, Component>,
    object_readers: ObjectReaders,
}

impl Check {
    /// The configuration of the topology or of a component over it; defaults where it is wrong.
    fn conf(
        &mut self,
        component: Option<(&ComponentId, &TopologyConf)>,
        conf: &Conf,
    ) -> Arc<TopologyConf> {
        let parsed = match component {
            Some((_, base)) => base.for_component(conf.as_map()),
            None => TopologyConf::from_map(conf.as_map().clone()),
        };
        match parsed {
            Ok(parsed) => {
                let texts = parsed.warnings().iter().map(|warning| warning.to_string());
                self.warnings.extend(texts.map(|text| Warning::Conf { text }));
                Arc::new(parsed)
            }
            Err(errors) => {
                let component = component.map(|(id, _)| id.clone());
                self.errors.extend(
                    errors
                        .0
                        .into_iter()
                        .map(|error| TopologyError::Conf { component: component.clone(), error }),
                );
                Arc::new(TopologyConf::default())
            }
        }
    }

    fn component(&mut self, draft: &Draft, conf: &Arc<TopologyConf>, register: &Register) {
        let id = &draft.id;
        if id.is_reserved() {
            self.errors.push(TopologyError::ReservedComponent { component: id.clone() });
        }
        for (count, what) in
            [(draft.parallelism, "parallelism"), (draft.tasks.unwrap_or(1), "tasks")]
        {
            if count == 0 {
                self.errors.push(TopologyError::Zero { component: id.clone(), what });
            }
        }
        let inputs = self.groupings(draft, register);
        let Some(role) = self.role(draft, register) else { return };
        let mut declarer = Declarer::default();
        match &role {
            Role::Spout(make) => make().declare(&mut declarer),
            Role::Bolt(make) => match make() {
                BoltInstance::Bolt(bolt) => bolt.declare(&mut declarer),
                BoltInstance::Basic(bolt) => bolt.declare(&mut declarer),
            },
            Role::Acker => {}
        }
        self.outputs(id, &declarer.streams);
        let own = Conf::from(declarer.conf).overlaid_by(draft.conf.clone());
        let conf = match own.is_empty() {
            true => conf.clone(),
            false => self.conf(Some((id, conf)), &own),
        };
        let declared_tasks = conf.tasks.map(|tasks| tasks as usize);
        let tasks = draft.tasks.or(declared_tasks).unwrap_or(draft.parallelism);
        let tasks = conf.max_task_parallelism.map_or(tasks, |most| tasks.min(most as usize));
        let component = Component {
            id: id.clone(),
            role,
            named: match &draft.maker.0 {
                Maker::Named(named) | Maker::Portable(_, named) => Some(named.clone()),
                Maker::Spout(_) | Maker::Bolt(_) => None,
            },
            outputs: declarer.streams,
            inputs,
            executors: draft.parallelism.min(tasks),
            tasks,
            conf,
        };
        match self.components.entry(id.clone()) {
            Entry::Vacant(entry) => _ = entry.insert(component),
            Entry::Occupied(_) => {
                self.errors.push(TopologyError::DuplicateComponent { component: id.clone() });
            }
        }
    }

    /// The subscriptions of a bolt, its registered groupings looked up.
    fn groupings(&mut self, draft: &Draft, register: &Register) -> Vec<Input> {
        let mut inputs = draft.inputs.clone();
        for input in &mut inputs {
            let Grouping::Custom(CustomFactory(AnyGrouping { make, named })) = &mut input.grouping
            else {
                continue;
            };
            let Some(named) = named.as_ref().filter(|_| make.is_none()) else { continue };
            let (component, name) = (draft.id.clone(), named.name.clone());
            match register.resolve_grouping(named) {
                Some(Ok(grouping)) => *make = grouping.make,
                Some(Err(source)) => {
                    self.errors.push(TopologyError::Arguments { component, name, source });
                }
                None => self.errors.push(TopologyError::GroupingNotRegistered {
                    component,
                    from: input.from.clone(),
                    known: listed(register.grouping_names()),
                    nearest: nearest(&name, register.grouping_names()).map(str::to_owned),
                    name,
                }),
            }
        }
        inputs
    }

    fn role(&mut self, draft: &Draft, register: &Register) -> Option<Role> {
        let maker = match &draft.maker.0 {
            Maker::Named(named) => {
                let component = draft.id.clone();
                let name = named.name.clone();
                let error = match register.resolve(named) {
                    Some(Ok(component)) => return self.resolved(draft, &name, component.0),
                    Some(Err(source)) => TopologyError::Arguments { component, name, source },
                    None => TopologyError::NotRegistered {
                        component,
                        known: listed(register.names()),
                        nearest: nearest(&name, register.names()).map(str::to_owned),
                        name,
                    },
                };
                self.errors.push(error);
                return None;
            }
            maker => maker.clone(),
        };
        self.resolved(draft, draft.id.as_str(), maker)
    }

    fn resolved(&mut self, draft: &Draft, name: &str, maker: Maker) -> Option<Role> {
        let (role, found) = match maker {
            Maker::Spout(factory) => (Role::Spout(factory), "spout"),
            Maker::Bolt(factory) => (Role::Bolt(factory), "bolt"),
            Maker::Portable(maker, _) => return self.resolved(draft, name, *maker),
            Maker::Named(_) => unreachable!("a register holds constructors"),
        };
        let wanted = if draft.spout { "spout" } else { "bolt" };
        if wanted != found {
            self.errors.push(TopologyError::WrongRole {
                component: draft.id.clone(),
                name: name.to_owned(),
                wanted,
                found,
            });
            return None;
        }
        Some(role)
    }

    fn outputs(&mut self, component: &ComponentId, outputs: &[DeclaredStream]) {
        let mut seen = BTreeSet::new();
        for DeclaredStream { stream, fields, .. } in outputs {
            let (component, stream) = (component.clone(), stream.clone());
            if !seen.insert(stream.clone()) {
                self.errors.push(TopologyError::DuplicateStream { component, stream });
                continue;
            }
            if let Some(field) = duplicate(fields) {
                let (component, stream) = (component.clone(), stream.clone());
                self.errors.push(TopologyError::DuplicateField { component, stream, field });
            }
            if fields.len() > Fields::MAX {
                let (component, stream) = (component.clone(), stream.clone());
                let count = fields.len();
                self.errors.push(TopologyError::TooManyFields { component, stream, count });
            }
            if stream.is_reserved() {
                self.errors.push(TopologyError::ReservedStream { component, stream });
            }
        }
    }

    fn inputs(&mut self, drafts: &[Draft]) {
        // A component that could not be made has unknown outputs; its own mistake is told already.
        let broken: BTreeSet<&ComponentId> = drafts
            .iter()
            .map(|draft| &draft.id)
            .filter(|id| !self.components.contains_key(*id))
            .collect();
        let mut errors = Vec::new();
        for draft in drafts.iter().filter(|draft| !draft.spout) {
            if draft.inputs.is_empty() {
                self.warnings.push(Warning::NoInput { component: draft.id.clone() });
            }
            let sound = draft.inputs.iter().filter(|input| !broken.contains(&input.from));
            errors.extend(sound.flat_map(|input| self.input(&draft.id, input)));
        }
        self.errors.append(&mut errors);
    }

    fn input(&self, component: &ComponentId, input: &Input) -> Vec<TopologyError> {
        let component = component.clone();
        let Input { from, stream, grouping } = input.clone();
        let Some(emitter) = self.components.get(&from) else {
            let names = || self.components.keys().map(ComponentId::as_str);
            // Hardly anybody means the bolt itself.
            let others = names().filter(|name| component != *name);
            return vec![TopologyError::UnknownComponent {
                nearest: nearest(from.as_str(), others).map(str::to_owned),
                known: listed(names()),
                component,
                from,
            }];
        };
        let Some(output) = emitter.outputs.iter().find(|output| output.stream == stream) else {
            let names = || emitter.outputs.iter().map(|output| output.stream.as_str());
            return vec![TopologyError::UnknownStream {
                component,
                known: listed(names()),
                nearest: nearest(stream.as_str(), names()).map(str::to_owned),
                from,
                stream,
            }];
        };
        match (&grouping, output.direct) {
            (Grouping::Direct, false) => {
                return vec![TopologyError::NotDirect { component, from, stream }];
            }
            (Grouping::Direct, true) | (_, false) => {}
            (grouping, true) => {
                let grouping = format!("{grouping:?}");
                return vec![TopologyError::OnlyDirect { component, from, stream, grouping }];
            }
        }
        grouping_fields(component, input, &output.fields)
    }

    fn object_readers(&mut self, readers: &[(SmolStr, ObjectReader)]) {
        for (type_name, reader) in readers {
            if let Err(error) = self.object_readers.register(type_name.clone(), *reader) {
                self.errors.push(TopologyError::ObjectReader(error));
            }
        }
    }

    /// Adds the ackers, and checks what only the whole topology can tell.
    fn whole(&mut self, conf: &Arc<TopologyConf>) {
        let spouts = self.components.values().filter(|c| matches!(c.role, Role::Spout(_))).count();
        let broken = self.errors.iter().any(|error| {
            matches!(
                error,
                TopologyError::NotRegistered { .. }
                    | TopologyError::Arguments { .. }
                    | TopologyError::WrongRole { .. }
            )
        });
        if spouts == 0 && !broken {
            self.errors.push(TopologyError::NoSpout);
        }
        let ackers = conf.acker_executors as usize;
        if ackers > 0 {
            let acker = Component {
                id: ACKER.into(),
                role: Role::Acker,
                named: None,
                outputs: Vec::new(),
                inputs: Vec::new(),
                executors: ackers,
                tasks: ackers,
                conf: conf.clone(),
            };
            self.components.insert(ACKER.into(), acker);
        }
        for component in super::system::silent(conf) {
            self.components.insert(component.id.clone(), component);
        }
        let tasks = self.components.values().map(|component| component.tasks).sum();
        if tasks > usize::from(TaskId::MAX) {
            self.errors.push(TopologyError::TooManyTasks { count: tasks });
        }
        // One more stream carries the ticks.
        let streams = self.components.values().map(|c| c.outputs.len()).sum::<usize>() + 1;
        if streams > MAX_STREAMS {
            self.errors.push(TopologyError::TooManyStreams { count: streams, max: MAX_STREAMS });
        }
    }

    fn warn_of_cycles(&mut self) {
        for cycle in cycles(&self.components) {
            self.warnings.push(Warning::Cycle { components: cycle });
        }
    }
}

fn grouping_fields(component: ComponentId, input: &Input, known: &Fields) -> Vec<TopologyError> {
    let Input { from, stream, grouping } = input.clone();
    let (Grouping::Fields(fields) | Grouping::PartialKey(fields)) = grouping else {
        return Vec::new();
    };
    if fields.is_empty() {
        return vec![TopologyError::NoGroupingField { component, from, stream }];
    }
    let unknown = fields.iter().filter(|field| known.position(field).is_none());
    unknown
        .map(|field| TopologyError::UnknownField {
            component: component.clone(),
            from: from.clone(),
            stream: stream.clone(),
            field: field.to_owned(),
            known: known.clone(),
            nearest: nearest(field, known.iter()).map(str::to_owned),
        })
        .collect()
}

fn duplicate(fields: &Fields) -> Option<String> {
    let mut seen = BTreeSet::new();
    fields.iter().find(|field| !seen.insert(*field)).map(str::to_owned)
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// One cycle per strongly connected group, in flow order, found by walking from each component in
/// name order back to itself.
fn cycles(components: &BTreeMap<ComponentId, Component>) -> Vec<Vec<ComponentId>> {
    let mut from_to: BTreeMap<&ComponentId, Vec<&ComponentId>> = BTreeMap::new();
    for component in components.values() {
        for input in &component.inputs {
            from_to.entry(&input.from).or_default().push(&component.id);
        }
    }
    let mut reported = BTreeSet::new();
    let mut cycles = Vec::new();
    for start in components.keys() {
        if reported.contains(start) {
            continue;
        }
        if let Some(cycle) = way_back(start, &from_to) {
            reported.extend(cycle.iter().cloned());
            cycles.push(cycle);
        }
    }
    cycles
}

/// The shortest way from `start` back to it.
fn way_back(
    start: &ComponentId,
    from_to: &BTreeMap<&ComponentId, Vec<&ComponentId>>,
) -> Option<Vec<ComponentId>> {
    let mut reached_from: BTreeMap<&ComponentId, &ComponentId> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for &next in from_to.get(at).into_iter().flatten() {
            if next == start {
                let mut way = vec![at.clone()];
                let mut at = at;
                while at != start {
                    at = reached_from[at];
                    way.push(at.clone());
                }
                way.reverse();
                return Some(way);
            }
            if let Entry::Vacant(entry) = reached_from.entry(next) {
                entry.insert(at);
                queue.push_back(next);
            }
        }
    }
    None
}

/// Whether a subscription closes a cycle: tuples of `to` can reach `from` again.
pub(crate) fn is_feedback(topology: &Topology, from: &ComponentId, to: &ComponentId) -> bool {
    let mut reached = BTreeSet::from([to]);
    let mut queue = vec![to];
    while let Some(at) = queue.pop() {
        if at == from {
            return true;
        }
        for component in topology.components().values() {
            if component.inputs.iter().any(|input| input.from == *at)
                && reached.insert(&component.id)
            {
                queue.push(&component.id);
            }
        }
    }
    false
}
