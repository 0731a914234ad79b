//! A topology's base as it stands in the shared state, Storm's `StormBase`.

use std::time::Duration;

use nimbus_client::thrift;
use nimbus_client::wire::OrderedFloat;
use serde_json::{Map, Value as Json};

use super::base::{DebugSampling, TopologyBase};
use super::lifecycle::{Status, Steady};
use super::rebalance::{Rebalance, Wish};
use crate::assignment::Amounts;

/// A base that no Nimbus writes.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The status is none that Storm has.
    #[error("topology {name} has the status {status}: expected 1 to 4")]
    UnknownStatus {
        /// The topology's name.
        name: String,
        /// The number of its status.
        status: i32,
    },
    /// Overrides of the conf are a JSON object.
    #[error("the conf overrides are no JSON object: {why}")]
    ConfOverrides {
        /// What the parser says.
        why: serde_json::Error,
    },
}

impl From<&TopologyBase> for thrift::StormBase {
    fn from(base: &TopologyBase) -> Self {
        let executors = base.component_to_executors.iter();
        let debug = base.component_to_debug.iter();
        let (options, prev_status) = options(&base.status);
        Self {
            name: base.name.clone(),
            status: status(&base.status),
            num_workers: count(base.wanted_workers),
            component_executors: Some(
                executors.map(|(id, executors)| (id.to_string(), count(*executors))).collect(),
            ),
            launch_time_secs: Some(base.launched_secs),
            owner: base.owner.clone(),
            topology_action_options: options,
            prev_status,
            component_debug: Some(debug.map(|(id, one)| (id.to_string(), (*one).into())).collect()),
            principal: base.principal.clone(),
            topology_version: base.version.clone(),
        }
    }
}

/// The number of a status on the wire.
fn status(status: &Status) -> thrift::TopologyStatus {
    match status {
        Status::Active => thrift::TopologyStatus::ACTIVE,
        Status::Inactive => thrift::TopologyStatus::INACTIVE,
        Status::Rebalancing { .. } => thrift::TopologyStatus::REBALANCING,
        Status::Killed { .. } => thrift::TopologyStatus::KILLED,
    }
}

impl From<&Status> for thrift::TopologyStatus {
    fn from(of: &Status) -> Self {
        status(of)
    }
}

fn options(of: &Status) -> (Option<thrift::TopologyActionOptions>, Option<thrift::TopologyStatus>) {
    match of {
        Status::Active | Status::Inactive => (None, None),
        Status::Killed { wait } => {
            let options = thrift::KillOptions { wait_secs: Some(secs(*wait)) };
            (Some(thrift::TopologyActionOptions::KillOptions(options)), None)
        }
        Status::Rebalancing { previous, wait, changes } => {
            let overrides = &changes.conf_overrides;
            let options = thrift::RebalanceOptions {
                wait_secs: Some(secs(*wait)),
                num_workers: changes.workers.map(count),
                num_executors: Some(
                    changes
                        .component_to_executors
                        .iter()
                        .map(|(id, n)| (id.to_string(), count(*n)))
                        .collect(),
                ),
                topology_resources_overrides: (!changes.component_to_resources.is_empty()).then(
                    || {
                        let resources = changes.component_to_resources.iter();
                        resources.map(|(id, amounts)| (id.to_string(), amounts.into())).collect()
                    },
                ),
                topology_conf_overrides: (!overrides.is_empty())
                    .then(|| Json::Object(overrides.clone()).to_string()),
                principal: changes.principal.clone(),
            };
            let options = thrift::TopologyActionOptions::RebalanceOptions(options);
            (Some(options), Some(status(&(*previous).into())))
        }
    }
}

impl TryFrom<&thrift::StormBase> for TopologyBase {
    type Error = RecordError;

    fn try_from(wire: &thrift::StormBase) -> Result<Self, RecordError> {
        let executors = wire.component_executors.iter().flatten();
        let debug = wire.component_debug.iter().flatten();
        Ok(Self {
            name: wire.name.clone(),
            status: read_status(wire)?,
            wanted_workers: whole(wire.num_workers),
            component_to_executors: executors
                .map(|(id, n)| (id.as_str().into(), whole(*n)))
                .collect(),
            launched_secs: wire.launch_time_secs.unwrap_or_default(),
            owner: wire.owner.clone(),
            principal: wire.principal.clone(),
            component_to_debug: debug.map(|(id, one)| (id.as_str().into(), one.into())).collect(),
            version: wire.topology_version.clone(),
        })
    }
}

fn read_status(wire: &thrift::StormBase) -> Result<Status, RecordError> {
    let options = wire.topology_action_options.as_ref();
    Ok(match wire.status {
        thrift::TopologyStatus::ACTIVE => Status::Active,
        thrift::TopologyStatus::INACTIVE => Status::Inactive,
        thrift::TopologyStatus::KILLED => {
            let wait = match options {
                Some(thrift::TopologyActionOptions::KillOptions(options)) => options.wait_secs,
                _ => None,
            };
            Status::Killed { wait: wait_of(wait).unwrap_or_default() }
        }
        thrift::TopologyStatus::REBALANCING => {
            let default = thrift::RebalanceOptions::default();
            let options = match options {
                Some(thrift::TopologyActionOptions::RebalanceOptions(options)) => options,
                _ => &default,
            };
            let is_inactive = wire.prev_status == Some(thrift::TopologyStatus::INACTIVE);
            Status::Rebalancing {
                previous: if is_inactive { Steady::Inactive } else { Steady::Active },
                wait: wait_of(options.wait_secs).unwrap_or_default(),
                changes: read_changes(options)?,
            }
        }
        thrift::TopologyStatus(status) => {
            return Err(RecordError::UnknownStatus { name: wire.name.clone(), status });
        }
    })
}

/// What was checked before it was stored, so that numbers need no second check.
fn read_changes(options: &thrift::RebalanceOptions) -> Result<Rebalance, RecordError> {
    let Wish { workers, component_to_executors, component_to_resources, conf_overrides } =
        options.try_into()?;
    Ok(Rebalance {
        workers: workers.map(whole),
        component_to_executors: component_to_executors
            .into_iter()
            .map(|(id, executors)| (id, whole(executors)))
            .collect(),
        component_to_resources,
        conf_overrides,
        principal: options.principal.clone(),
    })
}

/// What a user asks for, not checked yet. The wait stands beside it, see [`wait_of`].
impl TryFrom<&thrift::RebalanceOptions> for Wish {
    type Error = RecordError;

    fn try_from(options: &thrift::RebalanceOptions) -> Result<Self, RecordError> {
        let executors = options.num_executors.iter().flatten();
        let resources = options.topology_resources_overrides.iter().flatten();
        let overrides = options.topology_conf_overrides.as_deref().filter(|text| !text.is_empty());
        let conf_overrides: Map<String, Json> = overrides
            .map_or(Ok(Map::new()), serde_json::from_str)
            .map_err(|why| RecordError::ConfOverrides { why })?;
        Ok(Self {
            workers: options.num_workers,
            component_to_executors: executors.map(|(id, n)| (id.as_str().into(), *n)).collect(),
            component_to_resources: resources
                .map(|(id, amounts)| (id.as_str().into(), Amounts::from(amounts)))
                .collect(),
            conf_overrides,
        })
    }
}

/// A wait in whole seconds; one below 0 counts as 0.
pub fn wait_of(secs: Option<i32>) -> Option<Duration> {
    secs.map(|secs| Duration::from_secs(u64::try_from(secs).unwrap_or_default()))
}

fn secs(wait: Duration) -> i32 {
    i32::try_from(wait.as_secs()).unwrap_or(i32::MAX)
}

fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn whole(count: i32) -> usize {
    usize::try_from(count).unwrap_or_default()
}

impl From<DebugSampling> for thrift::DebugOptions {
    fn from(sampling: DebugSampling) -> Self {
        let DebugSampling { enabled, percent } = sampling;
        Self { enable: Some(enabled), samplingpct: Some(OrderedFloat(percent)) }
    }
}

impl From<&thrift::DebugOptions> for DebugSampling {
    fn from(options: &thrift::DebugOptions) -> Self {
        Self {
            enabled: options.enable.unwrap_or_default(),
            percent: options.samplingpct.map(|percent| percent.0).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn base(status: Status) -> TopologyBase {
        TopologyBase {
            name: "kinds".to_owned(),
            status,
            wanted_workers: 2,
            component_to_executors: BTreeMap::from([("__acker".into(), 1), ("__system".into(), 0)]),
            launched_secs: 1_795_265_305,
            owner: Some("root".to_owned()),
            principal: Some(String::new()),
            component_to_debug: BTreeMap::from([(
                "fwd".into(),
                DebugSampling { enabled: true, percent: 10.0 },
            )]),
            version: None,
        }
    }

    #[test]
    fn a_base_comes_back_from_the_wire_as_it_was_in_every_status() {
        let wait = Duration::from_secs(30);
        let overrides = json!({"topology.debug": true});
        let changes = Rebalance {
            workers: Some(3),
            component_to_executors: BTreeMap::from([("fwd".into(), 2)]),
            component_to_resources: BTreeMap::from([("fwd".into(), Amounts::from([("cpu", 5.0)]))]),
            conf_overrides: overrides.as_object().unwrap().clone(),
            principal: Some("me".to_owned()),
        };
        let nothing = Rebalance::default();
        for status in [
            Status::Active,
            Status::Inactive,
            Status::Killed { wait },
            Status::Rebalancing { previous: Steady::Active, wait, changes },
            Status::Rebalancing { previous: Steady::Inactive, wait, changes: nothing },
        ] {
            let base = base(status);
            let back = TopologyBase::try_from(&thrift::StormBase::from(&base));
            assert_eq!(back.expect("what was written is read"), base);
        }
    }

    #[test]
    fn a_base_of_another_kind_is_refused() {
        let mut wire = thrift::StormBase::from(&base(Status::Active));
        wire.status = thrift::TopologyStatus(9);
        let refused = TopologyBase::try_from(&wire).unwrap_err();
        assert_eq!(refused.to_string(), "topology kinds has the status 9: expected 1 to 4");
        wire.status = thrift::TopologyStatus::REBALANCING;
        let options = thrift::RebalanceOptions {
            topology_conf_overrides: Some("[]".to_owned()),
            ..thrift::RebalanceOptions::default()
        };
        wire.topology_action_options =
            Some(thrift::TopologyActionOptions::RebalanceOptions(options));
        let refused = TopologyBase::try_from(&wire).unwrap_err().to_string();
        assert!(refused.starts_with("the conf overrides are no JSON object: "), "{refused}");
    }
}
