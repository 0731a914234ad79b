//! The one question that every call of every service passes.

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::log_once::LogOnce;
use super::principal::Principal;
use super::users::user_name;

/// Why a call is refused; becomes Storm's `AuthorizationException` where the method declares it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{principal} may not call {operation}: {reason}")]
pub struct Refused {
    /// Who asked.
    pub principal: String,
    /// The method.
    pub operation: String,
    /// Why, and what to do.
    pub reason: String,
}

/// Decides whether a principal may call a method.
///
/// It is asked once for every call of every service before the call's arguments are read, with the
/// daemon's conf, and once more with the topology's conf where a call names a topology. It must
/// answer without waiting.
pub trait Authorizer: Send + Sync {
    /// Whether `principal` may call `operation`.
    ///
    /// # Errors
    /// It may not.
    fn authorize(
        &self,
        principal: &Principal,
        operation: &str,
        conf: &Map<String, Value>,
    ) -> Result<(), Refused>;
}

/// Storm's keys that name users who may call a daemon beside its own user and root.
const USER_KEYS: [&str; 3] = ["nimbus.admins", "nimbus.users", "nimbus.supervisor.users"];

/// Lets in this process's own user, root, and users whom the conf names; other users of the
/// machine are refused.
///
/// Clients of other machines come in, since this transport cannot tell who they are: a daemon that
/// listens on loopback never sees one.
#[derive(Debug)]
pub struct MachineUsers {
    own_uid: u32,
    untold: LogOnce<IpAddr>,
}

impl MachineUsers {
    /// For the user that runs this process.
    pub fn new() -> Self {
        Self::of(rustix::process::getuid().as_raw())
    }

    /// For a user given by number.
    pub fn of(own_uid: u32) -> Self {
        Self { own_uid, untold: LogOnce::new() }
    }
}

impl Default for MachineUsers {
    fn default() -> Self {
        Self::new()
    }
}

impl Authorizer for MachineUsers {
    fn authorize(
        &self,
        principal: &Principal,
        operation: &str,
        conf: &Map<String, Value>,
    ) -> Result<(), Refused> {
        match principal {
            Principal::Local { uid, .. } if *uid == self.own_uid || *uid == 0 => Ok(()),
            Principal::Local { name, .. } if named_users(conf).contains(name.as_str()) => Ok(()),
            Principal::Local { .. } => Err(Refused {
                principal: principal.to_string(),
                operation: operation.to_owned(),
                reason: format!(
                    "this daemon belongs to user {}: name the user in nimbus.users, or start a \
                     cluster of its own",
                    user_name(self.own_uid)
                ),
            }),
            Principal::Untold => {
                if self.untold.first(IpAddr::from([127, 0, 0, 1])) {
                    tracing::warn!(
                        "the kernel does not tell which user owns a loopback connection, so other \
                         users of this machine are let in too"
                    );
                }
                Ok(())
            }
            Principal::Remote { .. } => Ok(()),
        }
    }
}

fn named_users(conf: &Map<String, Value>) -> HashSet<&str> {
    let lists = USER_KEYS.iter().filter_map(|key| conf.get(*key)?.as_array());
    lists.flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uid: u32, conf: Value, allowed: bool) {
        let principal = Principal::Local { uid, name: format!("u{uid}") };
        let conf = conf.as_object().expect("an object").clone();
        let answer = MachineUsers::of(1000).authorize(&principal, "killTopology", &conf);
        assert_eq!(answer.is_ok(), allowed, "{answer:?}");
    }

    #[test]
    fn own_user_root_and_named_users_come_in_and_others_do_not() {
        check(1000, serde_json::json!({}), true);
        check(0, serde_json::json!({}), true);
        check(1001, serde_json::json!({}), false);
        check(1001, serde_json::json!({"nimbus.users": ["u1001"]}), true);
        check(1001, serde_json::json!({"nimbus.admins": ["u7"]}), false);
    }

    #[test]
    fn a_refusal_says_who_what_why_and_what_to_do() {
        let principal = Principal::Local { uid: 7, name: "eve".to_owned() };
        let error = MachineUsers::of(0).authorize(&principal, "killTopology", &Map::new());
        assert_eq!(
            error.expect_err("refused").to_string(),
            "user eve (uid 7) of this machine may not call killTopology: this daemon belongs to \
             user root: name the user in nimbus.users, or start a cluster of its own"
        );
    }
}
