//! Where state lies on this machine, and the small files in it.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// An environment variable that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The data folder of a role (`server`, `agent`) where none is given.
pub(crate) fn default_folder(role: &str) -> PathBuf {
    folder_for(
        role,
        geteuid().is_root(),
        variable("XDG_STATE_HOME"),
        variable("HOME"),
    )
}

fn folder_for(role: &str, is_root: bool, state: Option<String>, home: Option<String>) -> PathBuf {
    // Relative paths there are to be ignored, says the XDG specification.
    let state = state.map(PathBuf::from).filter(|path| path.is_absolute());
    let base = match (is_root, state, home) {
        (true, _, _) | (false, None, None) => PathBuf::from("/var/lib"),
        (false, Some(state), _) => state,
        (false, None, Some(home)) => Path::new(&home).join(".local/state"),
    };
    base.join("usphere").join(role)
}

/// Writes a file of one line that is wholly there or not at all, readable by its owner only.
pub(crate) fn write_line(path: &Path, line: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    writeln!(file, "{line}")?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Reads the line of such a file; `None` when there is no file.
pub(crate) fn read_line(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_lies_where_the_system_wants_it() {
        let folder = |is_root, state: Option<&str>, home: Option<&str>| {
            folder_for(
                "agent",
                is_root,
                state.map(str::to_owned),
                home.map(str::to_owned),
            )
        };
        let system = Path::new("/var/lib/usphere/agent");
        assert_eq!(folder(true, Some("/s"), Some("/h")), system);
        assert_eq!(folder(false, None, None), system);
        assert_eq!(
            folder(false, Some("/s"), Some("/h")),
            Path::new("/s/usphere/agent")
        );
        assert_eq!(
            folder(false, Some("s"), Some("/h")),
            Path::new("/h/.local/state/usphere/agent")
        );
    }

    #[test]
    fn a_line_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line");
        assert_eq!(read_line(&path).unwrap(), None);
        write_line(&path, "one").unwrap();
        write_line(&path, "two").unwrap();
        assert_eq!(read_line(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
