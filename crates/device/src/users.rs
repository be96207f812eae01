//! Who may log in on the host, from `/etc/passwd`; shown, never changed, and never a password.

use core::time::Duration;
use std::collections::BTreeSet;

use usphere_datamodel::FaultKind;
use usphere_datamodel::declare::{
    BOOLEAN, Numbering, Object, Rows, STRING, UNSIGNED_INT, Unit, object, parameter,
};
use usphere_datamodel::model::{OwnerError, Snapshot, SnapshotObject};
use usphere_datamodel::types::ALIAS;

use crate::config::HostPaths;
use crate::files;
use crate::limits::USERS_MAX;
use crate::objects::SYSTEM;
use crate::snapshot::{row, value};

/// What the file says.
pub(crate) const UNIT: Unit = Unit {
    name: "host.users",
    max_age: Duration::from_secs(5),
    numbering: Numbering::Kept,
    poll: Duration::from_secs(60),
    ..SYSTEM
};

/// The users of the host.
pub(crate) const USERS: Object =
    object("Device.Users.")
        .parameters(&[parameter("UserNumberOfEntries", UNSIGNED_INT).counts("User")]);

/// One user. (TR-181 2.19)
pub(crate) const USER: Object = object("Device.Users.User.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Username"], &["Alias"], &["UserID"]])
    .live(&UNIT)
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable(),
        parameter("UserID", UNSIGNED_INT).writable(),
        parameter("Username", STRING.max(NAME_MAX)).writable(),
        parameter("StaticUser", BOOLEAN),
    ]);

const NAME_MAX: u32 = 64;

/// Where the rows are.
pub(crate) const TABLE: &str = "Device.Users.User.";

/// Every line of the file that is one.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn fetch(paths: &HostPaths) -> Result<Snapshot, OwnerError> {
    let text = files::table(&paths.etc.join("passwd"))?.unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut identifiers = BTreeSet::new();
    let users = text.lines().filter_map(User::parse);
    let users = users.filter(|user| seen.insert(user.name) && identifiers.insert(user.identifier));
    Ok(Snapshot {
        objects: users.take(USERS_MAX).map(User::show).collect(),
    })
}

/// Why nothing of a user can be changed.
pub(crate) fn refusal() -> OwnerError {
    OwnerError {
        kind: FaultKind::WriteForbidden,
        text: "users of the host are shown, but not changed by this Agent; no setting allows it"
            .to_owned(),
    }
}

#[derive(Debug, PartialEq)]
struct User<'a> {
    name: &'a str,
    identifier: u32,
    may_log_in: bool,
}

impl<'a> User<'a> {
    /// `name:password:uid:gid:comment:home:shell` (passwd(5))
    fn parse(line: &'a str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, identifier, _, _, _, shell] = fields.as_slice() else {
            return None;
        };
        let is_name = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_graphic())
            && !name.starts_with(['+', '-', '#']);
        let program = shell.rsplit('/').next().unwrap_or_default();
        Some(Self {
            name: Some(*name).filter(|_| is_name)?,
            identifier: identifier.parse().ok()?,
            may_log_in: !matches!(program, "false" | "halt" | "nologin" | "shutdown" | "sync"),
        })
    }

    fn show(self) -> SnapshotObject {
        row(
            &USER,
            vec![self.name.to_owned()],
            vec![
                value("Alias", format!("cpe-{}", self.identifier)),
                value("Enable", self.may_log_in.to_string()),
                value("UserID", self.identifier.to_string()),
                value("Username", self.name),
                value("StaticUser", "true"),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_a_shell_is_not_enabled() {
        let user = |line| User::parse(line).map(|user| (user.name, user.may_log_in));
        assert_eq!(
            user("root:x:0:0:root:/root:/bin/bash"),
            Some(("root", true))
        );
        assert_eq!(
            user("bin:x:2:2:bin:/bin:/usr/sbin/nologin"),
            Some(("bin", false))
        );
        assert_eq!(user("ftp:*:55:55:ftp:/:"), Some(("ftp", true)));
        for line in [
            "",
            "#root:x:0:0::/:/bin/sh",
            "+::::::",
            "a:x:-1:0::/:/bin/sh",
            "a b:x:1:0::/:/bin/sh",
        ] {
            assert_eq!(user(line), None, "{line}");
        }
    }
}
