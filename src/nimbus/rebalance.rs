//! What a rebalance may change, what is wrong with a wish for one, and how it is applied; pure.
//!
//! **Invariants.** Tasks are never added or taken away: a component's executors are bounded by its
//! tasks, which keep their numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};

use super::base::TopologyBase;
use crate::assignment::Amounts;
use crate::conf::WORKER_SECRET;
use crate::id::ComponentId;

/// Keys that a topology gets when it is submitted; a rebalance does not change them.
const FIXED_KEYS: [&str; 6] = [
    "storm.local.hostname",
    "storm.zookeeper.superACL",
    WORKER_SECRET,
    "storm.zookeeper.topology.auth.scheme",
    "topology.submitter.principal",
    "topology.submitter.user",
];

/// What changes when a topology is dealt anew.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Rebalance {
    /// How many workers it asks for from then on.
    pub workers: Option<usize>,
    /// New numbers of executors; other components keep theirs.
    pub component_to_executors: BTreeMap<ComponentId, usize>,
    /// New needs per executor; other components keep theirs.
    pub component_to_resources: BTreeMap<ComponentId, Amounts>,
    /// Keys of the topology's conf and their new values.
    pub conf_overrides: Map<String, Json>,
    /// The principal of the user who asked for it.
    pub principal: Option<String>,
}

/// A wish for a rebalance that cannot be met: Storm's `InvalidTopologyException`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidRebalance {
    /// The topology has no such component.
    #[error("Invalid component {component} for topology {topology}, valid values are {known}")]
    UnknownComponent {
        /// The component that was asked for.
        component: ComponentId,
        /// The topology's name.
        topology: String,
        /// The components that it has, by commas.
        known: String,
    },
    /// A component cannot have no executors.
    #[error(
        "Number of executors must be greater than 0, of {component} {executors} were asked for"
    )]
    NoExecutors {
        /// The component that was asked for.
        component: ComponentId,
        /// How many executors were asked for.
        executors: i32,
    },
    /// A topology cannot have no workers.
    #[error("Number of workers must be greater than 0, {workers} were asked for")]
    NoWorkers {
        /// How many workers were asked for.
        workers: i32,
    },
}

/// A wish for a rebalance as it comes from outside.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Wish {
    /// How many workers are wanted.
    pub workers: Option<i32>,
    /// How many executors are wanted.
    pub component_to_executors: BTreeMap<ComponentId, i32>,
    /// What an executor is said to need.
    pub component_to_resources: BTreeMap<ComponentId, Amounts>,
    /// Keys of the topology's conf and their new values.
    pub conf_overrides: Map<String, Json>,
}

impl Wish {
    /// Checks the wish against the components that the author of `topology` declared.
    ///
    /// Keys that nobody may change are left out of the overrides, as Storm does.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(
        self,
        topology: &str,
        declared: &BTreeSet<ComponentId>,
        principal: Option<String>,
    ) -> Result<Rebalance, InvalidRebalance> {
        let mut component_to_executors = BTreeMap::new();
        for (component, executors) in self.component_to_executors {
            if !component.as_str().starts_with("__") && !declared.contains(&component) {
                let known: Vec<&str> = declared.iter().map(ComponentId::as_str).collect();
                let (topology, known) = (topology.to_owned(), known.join(","));
                return Err(InvalidRebalance::UnknownComponent { component, topology, known });
            }
            match usize::try_from(executors) {
                Ok(count) if count > 0 => component_to_executors.insert(component, count),
                _ => return Err(InvalidRebalance::NoExecutors { component, executors }),
            };
        }
        let workers = match self.workers {
            None => None,
            Some(workers) => match usize::try_from(workers) {
                Ok(count) if count > 0 => Some(count),
                _ => return Err(InvalidRebalance::NoWorkers { workers }),
            },
        };
        let mut conf_overrides = self.conf_overrides;
        conf_overrides.retain(|key, _| !FIXED_KEYS.contains(&key.as_str()));
        let component_to_resources = self.component_to_resources;
        Ok(Rebalance {
            workers,
            component_to_executors,
            component_to_resources,
            conf_overrides,
            principal,
        })
    }
}

impl Rebalance {
    /// The topology with its new numbers of workers and executors; applied twice it is the same.
    ///
    /// A component gets at most as many executors as it has tasks, and one at least if it has any.
    #[must_use]
    pub fn applied_to(
        &self,
        base: &TopologyBase,
        component_to_tasks: &BTreeMap<ComponentId, usize>,
    ) -> TopologyBase {
        let mut base = base.clone();
        base.wanted_workers = self.workers.unwrap_or(base.wanted_workers);
        for (component, wanted) in &self.component_to_executors {
            let Some(tasks) = component_to_tasks.get(component) else { continue };
            base.component_to_executors.insert(component.clone(), *wanted.min(tasks));
        }
        base
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nimbus::lifecycle::Status;

    fn ids(names: &[&str]) -> BTreeSet<ComponentId> {
        names.iter().map(|name| ComponentId::from(*name)).collect()
    }

    fn counts<T: Copy>(counts: &[(&str, T)]) -> BTreeMap<ComponentId, T> {
        counts.iter().map(|(name, count)| (ComponentId::from(*name), *count)).collect()
    }

    #[track_caller]
    fn check_refused(wish: Wish, sentence: &str) {
        let refused = wish.check("kinds", &ids(&["end", "fwd", "src"]), None);
        assert_eq!(refused.unwrap_err().to_string(), sentence);
    }

    #[test]
    fn a_wish_that_cannot_be_met_is_refused_in_storms_words() {
        check_refused(
            Wish { component_to_executors: counts(&[("fw", 2)]), ..Wish::default() },
            "Invalid component fw for topology kinds, valid values are end,fwd,src",
        );
        check_refused(
            Wish { component_to_executors: counts(&[("fwd", 0)]), ..Wish::default() },
            "Number of executors must be greater than 0, of fwd 0 were asked for",
        );
        check_refused(
            Wish { workers: Some(-1), ..Wish::default() },
            "Number of workers must be greater than 0, -1 were asked for",
        );
    }

    #[test]
    fn system_components_may_be_rebalanced_and_fixed_keys_are_left_out() {
        let overrides = json!({"topology.submitter.user": "eve", "topology.debug": true});
        let wish = Wish {
            component_to_executors: counts(&[("__acker", 2)]),
            conf_overrides: overrides.as_object().unwrap().clone(),
            ..Wish::default()
        };
        let rebalance = wish.check("kinds", &ids(&["src"]), Some("me".to_owned())).unwrap();
        assert_eq!(rebalance.component_to_executors, counts(&[("__acker", 2)]));
        assert_eq!(Json::from(rebalance.conf_overrides), json!({"topology.debug": true}));
        assert_eq!(rebalance.principal.as_deref(), Some("me"));
    }

    #[test]
    fn executors_are_bounded_by_tasks_and_unknown_components_change_nothing() {
        let base = TopologyBase {
            name: "kinds".to_owned(),
            status: Status::Active,
            wanted_workers: 2,
            component_to_executors: counts(&[("__acker", 1), ("fwd", 2), ("src", 1)]),
            launched_secs: 0,
            owner: None,
            principal: None,
            component_to_debug: BTreeMap::new(),
            version: None,
        };
        let tasks = counts(&[("__acker", 1), ("fwd", 3), ("src", 1)]);
        let rebalance = Rebalance {
            workers: Some(1),
            component_to_executors: counts(&[("fwd", 9), ("gone", 1)]),
            ..Rebalance::default()
        };
        let next = rebalance.applied_to(&base, &tasks);
        assert_eq!(next.wanted_workers, 1);
        let expected = counts(&[("__acker", 1), ("fwd", 3), ("src", 1)]);
        assert_eq!(next.component_to_executors, expected);
        assert_eq!(rebalance.applied_to(&next, &tasks), next);
        assert_eq!(Rebalance::default().applied_to(&base, &tasks), base);
    }
}
