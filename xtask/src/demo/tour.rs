//! The tour: what a newcomer would try first, shown as in a shell session.
//!
//! Each step is one command line of `usphere`; a step that fails ends the tour.

use std::io::{self, BufRead as _, BufReader};
use std::process::Stdio;

use super::Demo;

/// Counts the demos that this Agent has seen.
const NOTE: &str = "Device.DeviceInfo.ProvisioningCode";
const NOTE_PREFIX: &str = "demo-";

/// How long the tour waits for what it watches.
const WATCH_TIME: &str = "30s";

const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";

/// Runs every step against one device.
pub(super) fn run(demo: &Demo, device: &str) -> Result<(), String> {
    let tour = Tour { demo, device };
    tour.show("What is this device?", &["devices", "show", device])?;
    tour.show(
        "Its description and memory, live:",
        &["get", device, "Device.DeviceInfo.", "--max-depth", "2"],
    )?;

    let before = tour.quiet(&["get", device, NOTE, "--json"])?;
    let note = next_note(&before);
    if note != first_note() {
        println!("(an earlier demo has left its note; the Agent kept it)\n");
    }
    tour.show_watch(NOTE, &note)?;
    let after = tour.show("It reads so, too:", &["get", device, NOTE])?;
    if !after.contains(&note) {
        return Err(format!("{NOTE} was set to {note} and reads otherwise"));
    }

    tour.remove_leftover_role()?;
    tour.show("Add an object …", &["add", device, ROLES, "Name=demo"])?;
    tour.show(
        "… find it by what it is called, and see its key …",
        &["get", device, &role_path()],
    )?;
    tour.show("… and delete it:", &["delete", device, &role_path()])?;
    tour.show(
        "What can it do? (GetSupportedDM)",
        &["schema", device, "Device.", "--first-level"],
    )?;
    tour.show_command()
}

struct Tour<'a> {
    demo: &'a Demo,
    device: &'a str,
}

impl Tour<'_> {
    /// Shows a command and what it prints.
    fn show(&self, heading: &str, arguments: &[&str]) -> Result<String, String> {
        println!("# {heading}\n$ usphere {}", line(arguments));
        let printed = self.quiet(arguments)?;
        println!("{}\n", printed.trim_end());
        Ok(printed)
    }

    /// Shows how somebody who watches hears of what somebody else sets.
    fn show_watch(&self, path: &str, value: &str) -> Result<(), String> {
        let arguments = [
            "watch",
            self.device,
            path,
            "--count",
            "1",
            "--for",
            WATCH_TIME,
        ];
        println!("# Watch a parameter …\n$ usphere {} &\n", line(&arguments));
        let failed = |error: io::Error| format!("`usphere watch`: {error}");
        let mut command = self.demo.verb(&arguments);
        let mut watch = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        // Read on until the end: it may have more to say.
        let mut said = watch.stderr.take().map(BufReader::new);
        let mut first = String::new();
        if let Some(said) = &mut said {
            said.read_line(&mut first).map_err(failed)?;
        }
        if !first.starts_with("watching") {
            return Err(format!("`usphere watch` says: {first}"));
        }
        let set = format!("{path}={value}");
        self.show(
            "… have it set by somebody else …",
            &["set", self.device, &set],
        )?;
        let output = watch.wait_with_output().map_err(failed)?;
        let told = String::from_utf8_lossy(&output.stdout);
        println!("# … and see what the watch tells:\n{}\n", told.trim_end());
        match told.contains(value) {
            true => Ok(()),
            false => Err(format!("the watch did not tell {value}")),
        }
    }

    /// Shows a command that takes a while, where the device has one.
    fn show_command(&self) -> Result<(), String> {
        let heading = "Run a command that takes a while, and wait for its end:";
        let schema = self.quiet(&["schema", self.device, "Device.", "--json"])?;
        let has = |command: &str| schema.contains(&format!("\"{command}\""));
        if has("IPPing()") {
            let command = "Device.IP.Diagnostics.IPPing()";
            let arguments = [
                "Host=127.0.0.1",
                "ProtocolVersion=IPv4",
                "NumberOfRepetitions=3",
                "Timeout=1000",
                "DataBlockSize=32",
            ];
            let words = [&["operate", self.device, command], &arguments[..]].concat();
            // Not every host lets everybody send a ping.
            if let Err(error) = self.show(heading, &words) {
                println!("({error})\n");
            }
        } else if has("ScheduleTimer()") {
            let words = [
                "operate",
                self.device,
                "Device.ScheduleTimer()",
                "DelaySeconds=2",
            ];
            self.show(heading, &words)?;
        }
        Ok(())
    }

    fn quiet(&self, arguments: &[&str]) -> Result<String, String> {
        let shown = format!("usphere {}", line(arguments));
        let mut command = self.demo.verb(arguments);
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| format!("`{shown}`: {error}"))?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            Ok(printed)
        } else {
            Err(format!("`{shown}` ended with {}\n{printed}", output.status))
        }
    }

    /// A tour that was cut off may have left its role; Name is a unique key.
    fn remove_leftover_role(&self) -> Result<(), String> {
        self.quiet(&["delete", self.device, &role_path(), "--json"])
            .map(|_| ())
    }
}

fn role_path() -> String {
    format!("{ROLES}[Name==\"demo\"].")
}

fn first_note() -> String {
    format!("{NOTE_PREFIX}1")
}

/// The note after the one that is found in what a Get printed.
fn next_note(printed: &str) -> String {
    let number = printed.split(NOTE_PREFIX).nth(1).map(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest[..digits].parse().unwrap_or(0)
    });
    format!("{NOTE_PREFIX}{}", number.unwrap_or(0_u32).saturating_add(1))
}

/// Arguments as they would be typed.
fn line(arguments: &[&str]) -> String {
    let quoted = arguments.iter().map(|argument| {
        let is_plain = argument
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/=".contains(&byte));
        if is_plain {
            (*argument).to_owned()
        } else {
            format!("'{argument}'")
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_counts_the_demos() {
        assert_eq!(next_note("{\"value\":\"\"}"), "demo-1");
        assert_eq!(next_note("{\"value\":\"demo-41\"}"), "demo-42");
        assert_eq!(next_note("demo-x"), "demo-1");
    }

    #[test]
    fn commands_are_shown_as_they_are_typed() {
        assert_eq!(line(&["set", "os::a-1", "A.B=c"]), "set os::a-1 A.B=c");
        assert_eq!(
            line(&["delete", "d", "A.[N==\"x\"]."]),
            "delete d 'A.[N==\"x\"].'"
        );
    }
}
