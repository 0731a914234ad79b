//! `status`: Nimbus, supervisors and topologies.

use std::time::Duration;

use nimbus_client::thrift::{ClusterSummary, NimbusSummary, SupervisorSummary};
use serde_json::{Value, json};

use super::topologies;
use super::up;
use crate::clock::Deadline;
use crate::control::{self, Status};
use crate::error::Error;
use crate::nimbus::Nimbus;
use crate::output::Table;
use crate::process::workers_in;
use crate::session::{Session, SessionError};

/// What the whole takes at most, unless another time is set.
const LIMIT: Duration = Duration::from_secs(15);

/// Shows the cluster.
pub fn status(session: &Session) -> Result<(), Error> {
    let deadline = session.deadline(LIMIT);
    let local = if session.is_remote() { None } else { Some(local(session, deadline)?) };
    let cluster = match Nimbus::connect(session, deadline)?.cluster() {
        Ok(cluster) => cluster,
        Err(error) => {
            // What the daemon says is worth seeing although Nimbus says nothing.
            if let Some(local) = local.filter(|_| !session.output.json) {
                session.output.data(&up::table(&local).render())?;
            }
            return Err(error.into());
        }
    };
    if session.output.json {
        return Ok(session.output.document(&document(local.as_ref(), &cluster))?);
    }
    let parts = match &local {
        // The daemon knows ports that Nimbus does not tell.
        Some(local) => up::table(local),
        None => table(&cluster),
    };
    session.output.data(&parts.render())?;
    if cluster.topologies.is_empty() {
        session.output.remark("\nno topology runs");
        return Ok(());
    }
    Ok(session.output.data(&format!("\n{}", topologies::table(&cluster.topologies).render()))?)
}

fn local(session: &Session, deadline: Deadline) -> Result<Status, Error> {
    if session.state.wanted()?.is_none() {
        return Err(SessionError::NoCluster { state: session.state.path().to_owned() }.into());
    }
    let error = match control::status(&session.state, deadline) {
        Ok(status) => return Ok(status),
        Err(error) => error,
    };
    let daemon = session.state.daemon()?.map(|daemon| daemon.process);
    if daemon.is_some_and(|daemon| daemon.is_alive()) {
        return Err(error.into());
    }
    let many = workers_in(session.state.path()).len();
    if many > 0 {
        session.output.remark(&format!("{many} workers still run; up adopts them"));
    }
    Err(SessionError::Gone { state: session.state.path().to_owned(), daemon }.into())
}

fn table(cluster: &ClusterSummary) -> Table {
    let mut table =
        Table::new(&["component", "state", "address", "slots", "used", "uptime", "version"]);
    let none = || "-".to_owned();
    for nimbus in &cluster.nimbuses {
        let state = if nimbus.is_leader { "leader" } else { "ready" };
        let address = format!("{}:{}", nimbus.host, nimbus.port);
        let uptime = topologies::uptime(nimbus.uptime_secs);
        let version = nimbus.version.clone();
        table.row([
            "nimbus".to_owned(),
            state.to_owned(),
            address,
            none(),
            none(),
            uptime,
            version,
        ]);
    }
    for supervisor in &cluster.supervisors {
        let state = if supervisor.blacklisted == Some(true) { "blacklisted" } else { "ready" };
        table.row([
            format!("supervisor {}", supervisor.supervisor_id),
            state.to_owned(),
            supervisor.host.clone(),
            supervisor.num_workers.to_string(),
            supervisor.num_used_workers.to_string(),
            topologies::uptime(supervisor.uptime_secs),
            supervisor.version.clone().unwrap_or_else(none),
        ]);
    }
    table
}

fn document(local: Option<&Status>, cluster: &ClusterSummary) -> Value {
    let nimbus = |one: &NimbusSummary| {
        json!({"host": one.host, "port": one.port, "leader": one.is_leader,
               "uptime_secs": one.uptime_secs, "version": one.version})
    };
    let supervisor = |one: &SupervisorSummary| {
        json!({"id": one.supervisor_id, "host": one.host, "slots": one.num_workers,
               "used": one.num_used_workers, "uptime_secs": one.uptime_secs, "version": one.version,
               "blacklisted": one.blacklisted})
    };
    json!({
        "local": local,
        "nimbuses": cluster.nimbuses.iter().map(nimbus).collect::<Vec<_>>(),
        "supervisors": cluster.supervisors.iter().map(supervisor).collect::<Vec<_>>(),
        "topologies": cluster.topologies.iter().map(topologies::document).collect::<Vec<_>>(),
    })
}
