//! `status`: Nimbus, supervisors and topologies.

use std::time::Duration;

use serde_json::json;

use super::up::table;
use crate::control;
use crate::error::Error;
use crate::process::workers_in;
use crate::session::{Session, SessionError};

/// What the whole takes at most, unless another time is set.
const LIMIT: Duration = Duration::from_secs(15);

/// Shows the cluster.
pub fn status(session: &Session) -> Result<(), Error> {
    let deadline = session.deadline(LIMIT);
    if session.state.wanted()?.is_none() {
        return Err(SessionError::NoCluster { state: session.state.path().to_owned() }.into());
    }
    let status = control::status(&session.state, deadline).inspect_err(|_| {
        let many = workers_in(session.state.path()).len();
        if many > 0 {
            session.output.remark(&format!("{many} workers still run; up adopts them"));
        }
    })?;
    if session.output.json {
        return Ok(session.output.document(&json!({"local": status}))?);
    }
    Ok(session.output.data(&table(&status).render())?)
}
