//! Which calls may be made again when it is not known whether they took effect.

/// Whether a second call does no harm after a first one that may have taken effect.
///
/// Harmless are questions, and orders that say how something should be rather than what should
/// change. An unknown method is never repeated.
pub fn is_harmless_twice(method: &str) -> bool {
    HARMLESS.contains(&method)
}

/// Methods that may be called twice.
const HARMLESS: &[&str] = &[
    // Questions to Nimbus.
    "getBlobMeta",
    "getBlobReplication",
    "getClusterInfo",
    "getComponentPageInfo",
    "getComponentPendingProfileActions",
    "getLeader",
    "getLogConfig",
    "getNimbusConf",
    "getOwnerResourceSummaries",
    "getSupervisorAssignments",
    "getSupervisorPageInfo",
    "getTopology",
    "getTopologyConf",
    "getTopologyHistory",
    "getTopologyInfo",
    "getTopologyInfoByName",
    "getTopologyInfoByNameWithOpts",
    "getTopologyInfoWithOpts",
    "getTopologyPageInfo",
    "getTopologySummaries",
    "getTopologySummary",
    "getTopologySummaryByName",
    "getUserTopology",
    "isRemoteBlobExists",
    "isTopologyNameAllowed",
    "listBlobs",
    // Orders that say how something should be.
    "activate",
    "createStateInZookeeper",
    "deactivate",
    "debug",
    "sendSupervisorAssignments",
    "sendSupervisorWorkerHeartbeat",
    "sendSupervisorWorkerHeartbeats",
    "setBlobMeta",
    "setLogConfig",
    "setWorkerProfiler",
    "updateBlobReplication",
    "uploadNewCredentials",
    // Beginnings: one that is not gone on with is forgotten by the server.
    "beginBlobDownload",
    "beginFileUpload",
    "beginUpdateBlob",
    // Questions among the engine's own, and answers of DRPC, the second of which nobody waits for.
    "failRequest",
    "failRequestV2",
    "getLocalAssignmentForStorm",
    "orders",
    "result",
    "workerReports",
];

/// Methods that must not be called twice, and why.
#[cfg(test)]
const HARMFUL: &[(&str, &str)] = &[
    ("beginCreateBlob", "the second finds the key taken"),
    ("cancelBlobUpload", "the second finds no upload"),
    ("deleteBlob", "the second finds no blob"),
    ("downloadBlobChunk", "the second gives the next chunk"),
    ("downloadChunk", "the second gives the next chunk"),
    ("execute", "the function is called twice"),
    ("fetchRequest", "the first request is lost"),
    ("finishBlobUpload", "the second finds no upload"),
    ("finishFileUpload", "the second finds no upload"),
    ("killTopology", "the second finds it dead, or waits anew"),
    ("killTopologyWithOpts", "the second finds it dead, or waits anew"),
    ("processWorkerMetrics", "the second is counted too"),
    ("rebalance", "the second moves it again"),
    ("report", "the second is counted too"),
    ("reportWorkers", "the second is counted too"),
    ("submitTopology", "the second finds the name taken"),
    ("submitTopologyWithOpts", "the second finds the name taken"),
    ("uploadBlobChunk", "the second is appended"),
    ("uploadChunk", "the second is appended"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{native, thrift};

    #[test]
    fn every_method_of_every_service_is_judged_once() {
        let methods: BTreeSet<&str> =
            thrift::METHODS.iter().chain(native::METHODS).map(|method| method.name).collect();
        let harmful = HARMFUL.iter().map(|(method, _)| *method);
        let judged: Vec<&str> = HARMLESS.iter().copied().chain(harmful).collect();
        assert_eq!(judged.iter().copied().collect::<BTreeSet<_>>(), methods);
        assert_eq!(judged.len(), methods.len(), "a method is judged twice");
    }

    #[test]
    fn what_is_unknown_is_not_repeated() {
        assert!(!is_harmless_twice(""));
        assert!(!is_harmless_twice("launchRocket"));
        assert!(is_harmless_twice("getClusterInfo"));
    }
}
