//! The name of the host: the kernel's, and the file that gives it back after a restart.

use std::fs;

use usphere_datamodel::FaultKind;
use usphere_datamodel::model::OwnerError;

use crate::config::HostPaths;
use crate::files;
use crate::limits::HOST_NAME_BYTES_MAX;
use crate::text::fit;

/// The name now; empty where the host has none.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read(paths: &HostPaths) -> Result<String, OwnerError> {
    let name = files::bytes(&paths.proc.join(KERNEL))?.unwrap_or_default();
    Ok(fit(&name, 255))
}

/// Whether the host could be called `name`. (RFC 1123 2.1, and what Linux takes)
///
/// # Errors
/// What is wrong with the name.
pub(crate) fn check(name: &str) -> Result<(), OwnerError> {
    let wrong = |text: String| OwnerError {
        kind: FaultKind::ValueInvalid,
        text,
    };
    if name.len() > HOST_NAME_BYTES_MAX {
        return Err(wrong(format!(
            "the name is {} bytes long, at most {HOST_NAME_BYTES_MAX} are allowed",
            name.len()
        )));
    }
    if name.split('.').all(is_label) {
        Ok(())
    } else {
        Err(wrong(format!(
            "{name:?} is not a name of a host: letters, digits and hyphens, with dots between"
        )))
    }
}

/// Calls the host `name`, now and after its next start; both or neither.
///
/// # Errors
/// When the host does not let us.
pub(crate) fn write(paths: &HostPaths, name: &str) -> Result<(), OwnerError> {
    let kernel = paths.proc.join(KERNEL);
    let before = read(paths)?;
    fs::write(&kernel, name)
        .map_err(|error| OwnerError::failed(format!("{}: {error}", kernel.display())))?;
    let file = paths.etc.join("hostname");
    files::replace(&file, &format!("{name}\n")).map_err(|error| {
        // It is back to its old name at the next start in any case.
        let _ = fs::write(&kernel, before);
        OwnerError::failed(format!("{}: {error}", file.display()))
    })
}

/// Below `/proc`; writing it is what sethostname(2) does.
const KERNEL: &str = "sys/kernel/hostname";

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_the_internet() {
        for name in ["a", "myhgw", "my-hgw.home.arpa", "3com", &"x".repeat(63)] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
        for name in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "a_b",
            "a b",
            "ä",
            "a\n",
            "a\0",
            &"x".repeat(64),
            &"x.".repeat(40),
        ] {
            assert_eq!(
                check(name).unwrap_err().kind,
                FaultKind::ValueInvalid,
                "{name}"
            );
        }
    }
}
