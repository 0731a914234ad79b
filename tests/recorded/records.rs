//! Assignments and bases of topologies.

use nimbus_client::thrift;
use storm_runtime::assignment::Assignment;
use storm_runtime::nimbus::base::TopologyBase;

use crate::{messages, nodes};

#[test]
fn assignments_are_written_as_they_were_read() {
    let mut wire: Vec<thrift::Assignment> = nodes("/storm/assignments/");
    let pushed: Vec<thrift::SupervisorAssignments> =
        messages("supervisor-thrift.jsonl", "sendSupervisorAssignments", "call");
    wire.extend(
        pushed.into_iter().flat_map(|one| one.storm_assignment).flat_map(|all| all.into_values()),
    );
    assert!(wire.len() > 5, "{} assignments were recorded", wire.len());
    for wire in wire {
        let assignment = Assignment::try_from(&wire).expect("a stock assignment");
        assert_eq!(thrift::Assignment::from(&assignment), wire);
    }
}

#[test]
fn bases_are_written_as_they_were_read() {
    let wire: Vec<thrift::StormBase> = nodes("/storm/storms/");
    assert_eq!(wire.len(), 2);
    for wire in wire {
        let base = TopologyBase::try_from(&wire).expect("a stock base");
        assert_eq!(thrift::StormBase::from(&base), wire);
    }
}
