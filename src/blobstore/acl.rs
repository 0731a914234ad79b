//! Who may do what with a blob: Storm's access control lists, pure.
//!
//! Each entry gives rights to one user or to all others; rights of several entries add up. Nimbus
//! itself and its administrators may do everything, supervisors may read everything.

use std::collections::BTreeSet;

use nimbus_client::thrift::{AccessControl, AccessControlType};

use super::{BlobError, BlobKey};

/// The right to read a blob's bytes.
pub const ACCESS_READ: i32 = 1;
/// The right to replace and to delete a blob.
pub const ACCESS_WRITE: i32 = 2;
/// The right to change a blob's access control list.
pub const ACCESS_ADMIN: i32 = 4;
/// All rights.
pub const ACCESS_ALL: i32 = ACCESS_READ | ACCESS_WRITE | ACCESS_ADMIN;

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The user, if the transport told one.
    pub user: Option<String>,
    /// The groups that the user is in.
    pub groups: Vec<String>,
    /// Nimbus itself, for its own blobs.
    pub is_nimbus: bool,
}

impl Caller {
    /// Nimbus itself.
    pub fn nimbus() -> Self {
        Self { is_nimbus: true, ..Self::default() }
    }

    /// A user in no group.
    pub fn user(name: &str) -> Self {
        Self { user: Some(name.to_owned()), ..Self::default() }
    }

    fn name(&self) -> &str {
        match &self.user {
            Some(user) => user,
            None if self.is_nimbus => "nimbus",
            None => "an unknown user",
        }
    }
}

/// Who is more than a user, and whether lists are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AclPolicy {
    /// `storm.blobstore.acl.validation.enabled`; without it everybody may do everything.
    pub is_enabled: bool,
    /// `nimbus.admins`.
    pub admins: BTreeSet<String>,
    /// `nimbus.admins.groups`.
    pub admin_groups: BTreeSet<String>,
    /// `nimbus.supervisor.users`.
    pub supervisors: BTreeSet<String>,
}

/// The list that gives everybody everything.
pub fn world() -> Vec<AccessControl> {
    vec![AccessControl::new(AccessControlType::OTHER, None, ACCESS_ALL)]
}

impl AclPolicy {
    /// Demands all of the wanted rights.
    pub fn require_all(
        &self,
        acl: &[AccessControl],
        wanted: i32,
        caller: &Caller,
        key: &BlobKey,
    ) -> Result<(), BlobError> {
        self.require(wanted, caller, key, wanted & !allowed(acl, caller))
    }

    /// Demands one of the wanted rights.
    pub fn require_any(
        &self,
        acl: &[AccessControl],
        wanted: i32,
        caller: &Caller,
        key: &BlobKey,
    ) -> Result<(), BlobError> {
        let missing = if allowed(acl, caller) & wanted == 0 { wanted } else { 0 };
        self.require(wanted, caller, key, missing)
    }

    fn require(
        &self,
        wanted: i32,
        caller: &Caller,
        key: &BlobKey,
        missing: i32,
    ) -> Result<(), BlobError> {
        if !self.is_enabled || missing == 0 || self.is_privileged(wanted, caller) {
            return Ok(());
        }
        let (user, rights) = (caller.name().to_owned(), words(missing));
        Err(BlobError::NotAllowed { user, rights, key: key.clone() })
    }

    fn is_privileged(&self, wanted: i32, caller: &Caller) -> bool {
        let is_one_of = |users: &BTreeSet<String>| {
            caller.user.as_ref().is_some_and(|user| users.contains(user))
        };
        caller.is_nimbus
            || is_one_of(&self.admins)
            || caller.groups.iter().any(|group| self.admin_groups.contains(group))
            || (wanted == ACCESS_READ && is_one_of(&self.supervisors))
    }
}

/// The list that is stored when a caller asks for one: he himself keeps `own` rights, an entry for
/// a user without a name is his, and where nobody is known everybody may do everything.
pub fn normalized(
    acl: &[AccessControl],
    caller: &Caller,
    own: i32,
    key: &BlobKey,
) -> Result<Vec<AccessControl>, BlobError> {
    let mut list: Vec<AccessControl> = acl
        .iter()
        .filter(|entry| entry.type_ != AccessControlType::OTHER || entry.access != 0)
        .cloned()
        .collect();
    match &caller.user {
        Some(user) => give(&mut list, user, own),
        None => {
            list.retain(|entry| !is_nameless_user(entry));
            let is_world = list
                .iter()
                .any(|entry| entry.type_ == AccessControlType::OTHER && entry.access == ACCESS_ALL);
            if !is_world {
                list.extend(world());
            }
        }
    }
    let mut users = BTreeSet::new();
    let named = list.iter().filter_map(|entry| entry.name.as_deref()).filter(|n| !n.is_empty());
    for user in named {
        if !users.insert(user) {
            return Err(BlobError::UserTwice { user: user.to_owned(), key: key.clone() });
        }
    }
    Ok(list)
}

fn give(list: &mut Vec<AccessControl>, user: &str, own: i32) {
    let is_own = |entry: &AccessControl| {
        entry.type_ == AccessControlType::USER && entry.name.as_deref() == Some(user)
    };
    if list.iter().any(is_own) {
        list.retain(|entry| !is_nameless_user(entry));
    }
    for entry in list.iter_mut().filter(|entry| is_nameless_user(entry)) {
        entry.name = Some(user.to_owned());
    }
    match list.iter_mut().find(|entry| is_own(entry)) {
        Some(entry) => entry.access |= own,
        None => list.push(AccessControl::new(AccessControlType::USER, user.to_owned(), own)),
    }
}

fn is_nameless_user(entry: &AccessControl) -> bool {
    entry.type_ == AccessControlType::USER && entry.name.is_none()
}

fn allowed(acl: &[AccessControl], caller: &Caller) -> i32 {
    acl.iter()
        .filter(|entry| match entry.type_ {
            AccessControlType::OTHER => true,
            AccessControlType::USER => entry.name.is_some() && entry.name == caller.user,
            _ => false,
        })
        .fold(0, |rights, entry| rights | entry.access)
}

fn words(rights: i32) -> String {
    let named = [(ACCESS_READ, "read"), (ACCESS_WRITE, "write"), (ACCESS_ADMIN, "administer")];
    let words: Vec<&str> =
        named.iter().filter(|(right, _)| rights & right != 0).map(|(_, word)| *word).collect();
    words.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> BlobKey {
        "k".parse().expect("a key")
    }

    fn user(name: &str, access: i32) -> AccessControl {
        AccessControl::new(AccessControlType::USER, name.to_owned(), access)
    }

    fn other(access: i32) -> AccessControl {
        AccessControl::new(AccessControlType::OTHER, None, access)
    }

    fn nameless(access: i32) -> AccessControl {
        AccessControl::new(AccessControlType::USER, None, access)
    }

    fn policy() -> AclPolicy {
        AclPolicy {
            is_enabled: true,
            admins: BTreeSet::from(["root".to_owned()]),
            admin_groups: BTreeSet::from(["ops".to_owned()]),
            supervisors: BTreeSet::from(["sup".to_owned()]),
        }
    }

    #[track_caller]
    fn check(acl: &[AccessControl], wanted: i32, caller: &Caller, expected: bool) {
        let answer = policy().require_all(acl, wanted, caller, &key());
        assert_eq!(answer.is_ok(), expected, "{answer:?}");
    }

    #[test]
    fn rights_of_entries_add_up() {
        let acl = [user("ann", ACCESS_WRITE), other(ACCESS_READ)];
        check(&acl, ACCESS_READ | ACCESS_WRITE, &Caller::user("ann"), true);
        check(&acl, ACCESS_READ, &Caller::user("bob"), true);
        check(&acl, ACCESS_WRITE, &Caller::user("bob"), false);
        check(&acl, ACCESS_ADMIN, &Caller::user("ann"), false);
        check(&acl, ACCESS_READ, &Caller::default(), true);
        check(&[], ACCESS_READ, &Caller::user("ann"), false);
    }

    #[test]
    fn nimbus_administrators_and_supervisors_need_no_entry() {
        check(&[], ACCESS_ALL, &Caller::nimbus(), true);
        check(&[], ACCESS_ALL, &Caller::user("root"), true);
        let in_group = Caller { groups: vec!["ops".into()], ..Caller::user("ann") };
        check(&[], ACCESS_ALL, &in_group, true);
        check(&[], ACCESS_READ, &Caller::user("sup"), true);
        check(&[], ACCESS_WRITE, &Caller::user("sup"), false);
        check(&[], ACCESS_READ | ACCESS_WRITE, &Caller::user("sup"), false);
    }

    #[test]
    fn a_refusal_names_user_right_and_key() {
        let refused =
            policy().require_all(&[], ACCESS_READ | ACCESS_ADMIN, &Caller::user("ann"), &key());
        let text = refused.expect_err("no right").to_string();
        assert!(
            text.contains("ann") && text.contains("read and administer") && text.contains("'k'")
        );
    }

    #[test]
    fn one_of_several_rights_is_enough_to_see_meta_data() {
        let acl = [user("ann", ACCESS_ADMIN)];
        assert!(policy().require_any(&acl, ACCESS_ALL, &Caller::user("ann"), &key()).is_ok());
        assert!(policy().require_any(&acl, ACCESS_ALL, &Caller::user("bob"), &key()).is_err());
    }

    #[test]
    fn without_validation_everybody_may_do_everything() {
        let open = AclPolicy::default();
        assert!(open.require_all(&[], ACCESS_ALL, &Caller::default(), &key()).is_ok());
    }

    #[test]
    fn a_stored_list_always_has_somebody_who_may_change_it() {
        let normal = |acl: &[AccessControl], caller: &Caller, own| {
            normalized(acl, caller, own, &key()).expect("no user twice")
        };
        let ann = Caller::user("ann");
        assert_eq!(normal(&[], &ann, ACCESS_ALL), [user("ann", 7)]);
        assert_eq!(normal(&[other(0), user("ann", 1)], &ann, ACCESS_ADMIN), [user("ann", 5)]);
        assert_eq!(normal(&[nameless(1)], &ann, ACCESS_ALL), [user("ann", 7)]);
        assert_eq!(normal(&[nameless(1), user("ann", 2)], &ann, 4), [user("ann", 6)]);
        assert_eq!(normal(&[user("bob", 1)], &ann, 7), [user("bob", 1), user("ann", 7)]);
        assert_eq!(normal(&[], &Caller::default(), ACCESS_ALL), world());
        assert_eq!(normal(&world(), &Caller::default(), ACCESS_ALL), world());
        assert_eq!(normal(&[other(1)], &Caller::nimbus(), ACCESS_ALL), [other(1), other(7)]);
    }

    #[test]
    fn a_user_named_twice_is_refused() {
        let twice = [user("bob", 1), user("bob", 2)];
        let refused = normalized(&twice, &Caller::user("ann"), 7, &key());
        assert!(matches!(refused, Err(BlobError::UserTwice { .. })), "{refused:?}");
    }
}
