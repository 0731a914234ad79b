//! Storm's methods.

use nimbus_client::thrift::*;
use nimbus_client::wire::{OrderedFloat, ThriftResult};
use serde_json::Value;

use super::{Call, answer};
use crate::nimbus::error::{Declares, NimbusError};
use crate::nimbus::lifecycle::Event;
use crate::nimbus::rebalance::Wish;
use crate::nimbus::record::wait_of;
use crate::nimbus::submit::Submission;
use crate::nimbus::views::Errors;

/// Why a JVM cannot be looked into.
const NO_JVM: &str = "this engine's workers have no JVM to profile: use perf, or a debugger, on the \
                      worker's process";

impl NimbusSyncHandler for Call {
    fn handle_submit_topology(
        &self,
        name: String,
        uploaded_jar_location: String,
        json_conf: String,
        topology: StormTopology,
    ) -> ThriftResult<()> {
        let options = SubmitOptions { initial_status: TopologyInitialStatus::ACTIVE, creds: None };
        self.handle_submit_topology_with_opts(
            name,
            uploaded_jar_location,
            json_conf,
            topology,
            options,
        )
    }

    fn handle_submit_topology_with_opts(
        &self,
        name: String,
        uploaded_jar_location: String,
        json_conf: String,
        topology: StormTopology,
        options: SubmitOptions,
    ) -> ThriftResult<()> {
        let location = uploaded_jar_location;
        let submission = Submission { name, location, json_conf, topology, options };
        answer(Declares::Submit, || self.core.submit(&self.caller, submission))
    }

    fn handle_kill_topology(&self, name: String) -> ThriftResult<()> {
        self.handle_kill_topology_with_opts(name, KillOptions { wait_secs: None })
    }

    fn handle_kill_topology_with_opts(
        &self,
        name: String,
        options: KillOptions,
    ) -> ThriftResult<()> {
        answer(Declares::Alive, || {
            let entry = self.named(&name)?;
            self.core.transition(&entry.id, Event::Kill { wait: wait_of(options.wait_secs) })?;
            self.core.counts.killed.add(1);
            Ok(())
        })
    }

    fn handle_activate(&self, name: String) -> ThriftResult<()> {
        answer(Declares::Alive, || self.core.transition(&self.named(&name)?.id, Event::Activate))
    }

    fn handle_deactivate(&self, name: String) -> ThriftResult<()> {
        answer(Declares::Alive, || self.core.transition(&self.named(&name)?.id, Event::Deactivate))
    }

    fn handle_rebalance(&self, name: String, options: RebalanceOptions) -> ThriftResult<()> {
        answer(Declares::AliveAndValid, || {
            let entry = self.named(&name)?;
            let wish = Wish::try_from(&options)
                .map_err(|error| NimbusError::invalid(error.to_string()))?;
            crate::nimbus::validate::conf(&wish.conf_overrides)?;
            let declared = entry.plan.components.keys().cloned().collect();
            let principal = self.caller.principal.user().map(str::to_owned);
            let changes = wish.check(&entry.base.name, &declared, principal)?;
            let wait = wait_of(options.wait_secs);
            self.core.transition(&entry.id, Event::Rebalance { wait, changes })
        })
    }

    fn handle_upload_new_credentials(&self, name: String, creds: Credentials) -> ThriftResult<()> {
        answer(Declares::AliveAndValid, || {
            let entry = self.named(&name)?;
            if let Some(owner) = &creds.topo_owner
                && entry.base.owner.as_ref() != Some(owner)
            {
                let why = format!("{name} does not belong to {owner}: leave the owner out");
                return Err(NimbusError::invalid(why));
            }
            Ok(self.core.shared.with(|state| state.put_credentials(&entry.id, &creds))?)
        })
    }

    fn handle_is_topology_name_allowed(&self, name: String) -> ThriftResult<bool> {
        Ok(self.core.is_name_allowed(&name))
    }

    fn handle_begin_file_upload(&self) -> ThriftResult<String> {
        answer(Declares::Authorization, || Ok(self.core.inbox.begin_upload()?))
    }

    fn handle_upload_chunk(&self, location: String, chunk: Vec<u8>) -> ThriftResult<()> {
        answer(Declares::Authorization, || Ok(self.core.inbox.upload_chunk(&location, &chunk)?))
    }

    fn handle_finish_file_upload(&self, location: String) -> ThriftResult<()> {
        answer(Declares::Authorization, || Ok(self.core.inbox.finish_upload(&location)?))
    }

    fn handle_download_chunk(&self, id: String) -> ThriftResult<Vec<u8>> {
        answer(Declares::Authorization, || {
            let what = format!(
                "there is no file download {id}: Storm 2 has no way to begin one; download blobs \
                 with beginBlobDownload"
            );
            Err(NimbusError::Unsupported { what })
        })
    }

    fn handle_begin_create_blob(
        &self,
        key: String,
        meta: SettableBlobMeta,
    ) -> ThriftResult<String> {
        answer(Declares::NewKey, || {
            Ok(self.core.blobs.store.begin_create(&key, &meta, &self.blob_caller())?)
        })
    }

    fn handle_begin_update_blob(&self, key: String) -> ThriftResult<String> {
        answer(Declares::Key, || {
            Ok(self.core.blobs.store.begin_update(&key, &self.blob_caller())?)
        })
    }

    fn handle_upload_blob_chunk(&self, session: String, chunk: Vec<u8>) -> ThriftResult<()> {
        answer(Declares::Authorization, || {
            Ok(self.core.blobs.store.upload_chunk(&session, &chunk)?)
        })
    }

    fn handle_finish_blob_upload(&self, session: String) -> ThriftResult<()> {
        answer(Declares::Authorization, || {
            self.core.blobs.store.finish_upload(&session)?;
            Ok(())
        })
    }

    fn handle_cancel_blob_upload(&self, session: String) -> ThriftResult<()> {
        answer(Declares::Authorization, || Ok(self.core.blobs.store.cancel_upload(&session)?))
    }

    fn handle_begin_blob_download(&self, key: String) -> ThriftResult<BeginDownloadResult> {
        answer(Declares::Key, || {
            Ok(self.core.blobs.store.begin_download(&key, &self.blob_caller())?)
        })
    }

    fn handle_download_blob_chunk(&self, session: String) -> ThriftResult<Vec<u8>> {
        answer(Declares::Authorization, || Ok(self.core.blobs.store.download_chunk(&session)?))
    }

    fn handle_get_blob_meta(&self, key: String) -> ThriftResult<ReadableBlobMeta> {
        answer(Declares::Key, || Ok(self.core.blobs.store.meta(&key, &self.blob_caller())?))
    }

    fn handle_set_blob_meta(&self, key: String, meta: SettableBlobMeta) -> ThriftResult<()> {
        answer(Declares::Key, || {
            Ok(self.core.blobs.store.set_meta(&key, &meta, &self.blob_caller())?)
        })
    }

    fn handle_delete_blob(&self, key: String) -> ThriftResult<()> {
        answer(Declares::KeyState, || self.core.delete_blob(&key, &self.blob_caller()))
    }

    fn handle_list_blobs(&self, session: String) -> ThriftResult<ListBlobsResult> {
        answer(Declares::Nothing, || Ok(self.core.blobs.store.list(&session)?))
    }

    fn handle_get_blob_replication(&self, key: String) -> ThriftResult<i32> {
        answer(Declares::Key, || {
            self.core.blobs.store.meta(&key, &self.blob_caller())?;
            Ok(REPLICAS)
        })
    }

    fn handle_update_blob_replication(&self, key: String, _replication: i32) -> ThriftResult<i32> {
        // One Nimbus holds one copy, whatever is wished; the answer says how many there are.
        self.handle_get_blob_replication(key)
    }

    fn handle_create_state_in_zookeeper(&self, _key: String) -> ThriftResult<()> {
        // It would tell other Nimbuses that this one holds the blob; there are none.
        Ok(())
    }

    fn handle_is_remote_blob_exists(&self, blob_key: String) -> ThriftResult<bool> {
        Ok(self.core.blobs.exists(&blob_key))
    }

    fn handle_get_leader(&self) -> ThriftResult<NimbusSummary> {
        Ok(self.core.leader())
    }

    fn handle_get_nimbus_conf(&self) -> ThriftResult<String> {
        Ok(Value::Object(self.core.merged_conf(&serde_json::Map::new())).to_string())
    }

    fn handle_get_cluster_info(&self) -> ThriftResult<ClusterSummary> {
        Ok(self.core.cluster_summary())
    }

    fn handle_get_supervisor_page_info(
        &self,
        id: String,
        host: String,
        is_include_sys: bool,
    ) -> ThriftResult<SupervisorPageInfo> {
        answer(Declares::Alive, || self.core.supervisor_page(&id, &host, is_include_sys))
    }

    fn handle_get_owner_resource_summaries(
        &self,
        owner: String,
    ) -> ThriftResult<Vec<OwnerResourceSummary>> {
        Ok(self.core.owners(Some(owner.as_str()).filter(|owner| !owner.is_empty())))
    }

    fn handle_get_topology_summaries(&self) -> ThriftResult<Vec<TopologySummary>> {
        Ok(self.core.topology_summaries())
    }

    fn handle_get_topology_summary_by_name(&self, name: String) -> ThriftResult<TopologySummary> {
        answer(Declares::Alive, || Ok(self.core.topology_summary(&*self.named(&name)?)))
    }

    fn handle_get_topology_summary(&self, id: String) -> ThriftResult<TopologySummary> {
        answer(Declares::Alive, || Ok(self.core.topology_summary(&*self.of_id(&id)?)))
    }

    fn handle_get_topology_info(&self, id: String) -> ThriftResult<TopologyInfo> {
        answer(Declares::Alive, || Ok(self.core.topology_info(&*self.of_id(&id)?, Errors::All)))
    }

    fn handle_get_topology_info_by_name(&self, name: String) -> ThriftResult<TopologyInfo> {
        answer(Declares::Alive, || Ok(self.core.topology_info(&*self.named(&name)?, Errors::All)))
    }

    fn handle_get_topology_info_with_opts(
        &self,
        id: String,
        options: GetInfoOptions,
    ) -> ThriftResult<TopologyInfo> {
        answer(Declares::Alive, || Ok(self.core.topology_info(&*self.of_id(&id)?, options.into())))
    }

    fn handle_get_topology_info_by_name_with_opts(
        &self,
        name: String,
        options: GetInfoOptions,
    ) -> ThriftResult<TopologyInfo> {
        answer(Declares::Alive, || {
            Ok(self.core.topology_info(&*self.named(&name)?, options.into()))
        })
    }

    fn handle_get_topology_page_info(
        &self,
        id: String,
        window: String,
        is_include_sys: bool,
    ) -> ThriftResult<TopologyPageInfo> {
        answer(Declares::Alive, || {
            Ok(self.core.topology_page(&*self.of_id(&id)?, &window, is_include_sys))
        })
    }

    fn handle_get_component_page_info(
        &self,
        topology_id: String,
        component_id: String,
        window: String,
        is_include_sys: bool,
    ) -> ThriftResult<ComponentPageInfo> {
        answer(Declares::Alive, || {
            let entry = self.of_id(&topology_id)?;
            self.core.component_page(&entry, &component_id, &window, is_include_sys)
        })
    }

    fn handle_get_topology_conf(&self, id: String) -> ThriftResult<String> {
        answer(Declares::Alive, || {
            let entry = self.of_id(&id)?;
            Ok(Value::Object(self.core.shown_conf(&entry.conf)).to_string())
        })
    }

    fn handle_get_topology(&self, id: String) -> ThriftResult<StormTopology> {
        answer(Declares::Alive, || self.core.system_topology(&*self.of_id(&id)?))
    }

    fn handle_get_user_topology(&self, id: String) -> ThriftResult<StormTopology> {
        answer(Declares::Alive, || self.core.blobs.topology(&self.of_id(&id)?.id))
    }

    fn handle_get_topology_history(&self, user: String) -> ThriftResult<TopologyHistoryInfo> {
        answer(Declares::Authorization, || self.core.history_of(&user))
    }

    fn handle_set_log_config(&self, name: String, config: LogConfig) -> ThriftResult<()> {
        answer(Declares::Nothing, || self.core.set_log_config(&*self.of_either(&name)?, config))
    }

    fn handle_get_log_config(&self, name: String) -> ThriftResult<LogConfig> {
        answer(Declares::Nothing, || self.core.log_config(&*self.of_either(&name)?))
    }

    fn handle_debug(
        &self,
        name: String,
        component: String,
        enable: bool,
        sampling_percentage: OrderedFloat<f64>,
    ) -> ThriftResult<()> {
        answer(Declares::Alive, || {
            let entry = self.of_either(&name)?;
            self.core.debug(&entry, &component, enable, sampling_percentage.0)
        })
    }

    fn handle_set_worker_profiler(&self, id: String, _request: ProfileRequest) -> ThriftResult<()> {
        answer(Declares::Nothing, || {
            self.of_either(&id)?;
            Err(NimbusError::Unsupported { what: NO_JVM.to_owned() })
        })
    }

    fn handle_get_component_pending_profile_actions(
        &self,
        id: String,
        _component_id: String,
        _action: ProfileAction,
    ) -> ThriftResult<Vec<ProfileRequest>> {
        answer(Declares::Nothing, || {
            self.of_either(&id)?;
            Ok(Vec::new())
        })
    }

    fn handle_get_supervisor_assignments(
        &self,
        node: String,
    ) -> ThriftResult<SupervisorAssignments> {
        Ok(self.core.assignments_of(&node.into()))
    }

    fn handle_send_supervisor_worker_heartbeats(
        &self,
        heartbeats: SupervisorWorkerHeartbeats,
    ) -> ThriftResult<()> {
        self.core.take_heartbeats(heartbeats);
        Ok(())
    }

    fn handle_send_supervisor_worker_heartbeat(
        &self,
        heartbeat: SupervisorWorkerHeartbeat,
    ) -> ThriftResult<()> {
        answer(Declares::Alive, || {
            self.of_id(&heartbeat.storm_id)?;
            self.core.take_heartbeat(None, &heartbeat);
            Ok(())
        })
    }

    fn handle_process_worker_metrics(&self, _metrics: WorkerMetrics) -> ThriftResult<()> {
        // Workers of this engine report more, by another way; those of Apache Storm are not kept.
        Ok(())
    }
}

/// Copies of each blob: there is one Nimbus.
const REPLICAS: i32 = 1;
