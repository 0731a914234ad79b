//! What this engine's own supervisors and tools ask besides Storm's methods.

use nimbus_client::native::{SupervisorGateSyncHandler, WorkerReport};
use nimbus_client::wire::ThriftResult;

use super::{Call, answer};
use crate::nimbus::error::Declares;

impl SupervisorGateSyncHandler for Call {
    fn handle_report_workers(
        &self,
        supervisor_id: String,
        reports: Vec<WorkerReport>,
    ) -> ThriftResult<()> {
        answer(Declares::Nothing, || self.core.take_reports(&supervisor_id, reports))
    }

    fn handle_worker_reports(&self, topology_id: String) -> ThriftResult<Vec<WorkerReport>> {
        answer(Declares::Alive, || {
            let entry = self.of_either(&topology_id)?;
            Ok(self.core.worker_reports(&entry))
        })
    }
}
