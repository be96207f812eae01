//! Working inside a namespace: with programs, and with sockets of this process.

use std::fs::File;
use std::process::Command;

use nix::sched::{CloneFlags, setns};

use crate::namespace::Namespace;

/// What a shell prints that carries out `line` inside; it sees the `/sys` of the namespace. It has to succeed.
pub(crate) fn output(namespace: &Namespace, line: &str) -> String {
    let output = Command::new("ip")
        .args(["netns", "exec", &namespace.name, "sh", "-c", line])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Does `work` on a thread of its own that is inside. Sockets stay there, wherever they are used later.
pub(crate) fn within<T: Send>(namespace: &Namespace, work: impl FnOnce() -> T + Send) -> T {
    let file = File::open(namespace.path()).unwrap();
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        inside.join().unwrap()
    })
}
