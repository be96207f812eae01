//! The same test again inside a user-mode Linux, where this kernel lacks something that its modules have.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::namespace::Namespace;

/// Set for the test that runs inside.
const INSIDE: &str = "USPHERE_INSIDE_UML";

/// How long the whole may take.
const TIME_MAX: Duration = Duration::from_secs(120);

/// Runs `body` in a namespace in which VLANs can be made: here, or inside a user-mode Linux, which runs the test
/// called `test` of this same program. What is left out is said aloud.
pub(crate) fn with_vlans(test: &str, body: impl FnOnce(Namespace)) {
    let Some(namespace) = Namespace::new() else {
        return;
    };
    if namespace.can_make_vlans() {
        body(namespace);
        return;
    }
    drop(namespace);
    assert!(std::env::var_os(INSIDE).is_none(), "not even there");
    match run_inside(test) {
        Ok(output) => assert!(
            output.contains("test result: ok. 1 passed"),
            "inside the user-mode Linux:\n{output}"
        ),
        Err(trouble) => {
            println!("LEFT OUT: {test}: {trouble} (apt-get install user-mode-linux kmod)")
        }
    }
}

/// What the test printed.
fn run_inside(test: &str) -> Result<String, String> {
    let kernel = ["/usr/bin/linux.uml", "/usr/bin/linux"]
        .into_iter()
        .find(|path| fs::exists(path).unwrap_or(false));
    let kernel = kernel.ok_or("there is no user-mode Linux")?;
    let modprobe = ["/sbin/modprobe", "/usr/sbin/modprobe"]
        .into_iter()
        .find(|path| fs::exists(path).unwrap_or(false));
    let modprobe = modprobe.ok_or("there is no modprobe")?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let (init, report) = (folder.path().join("init"), folder.path().join("report"));
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let seed = std::env::var("SEED").unwrap_or_else(|_| std::process::id().to_string());
    let script = format!(
        "#!/bin/sh\n\
         mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs run /run; export TMPDIR=/run\n\
         mkdir -p /run/m/lib/modules; ln -s /usr/lib/uml/modules/$(uname -r) /run/m/lib/modules/$(uname -r)\n\
         for module in 8021q veth bridge dummy; do {modprobe} -d /run/m $module; done\n\
         ip link set lo up\n\
         {INSIDE}=1 SEED={seed} RUST_BACKTRACE=0 {} --exact {test} --nocapture >{} 2>&1\n\
         echo o >/proc/sysrq-trigger\n",
        program.display(),
        report.display(),
    );
    fs::write(&init, script).map_err(|error| error.to_string())?;
    let made = Command::new("chmod").arg("755").arg(&init).status();
    made.map_err(|error| error.to_string())?;
    let mut child = Command::new(kernel)
        .args([
            "mem=256M",
            "root=/dev/root",
            "rootfstype=hostfs",
            "rw",
            "quiet",
        ])
        .args(["con=null", "con0=null,null"])
        .arg(format!("init={}", init.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{kernel}: {error}"))?;
    let started = Instant::now();
    while child
        .try_wait()
        .map_err(|error| error.to_string())?
        .is_none()
    {
        if started.elapsed() > TIME_MAX {
            let _ = child.kill();
            let _ = child.wait();
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    fs::read_to_string(&report).map_err(|_| "the user-mode Linux did not come up".to_owned())
}
