//! The device-only binary: `usphere agent` under a name of its own, without anything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    usphere::usphere_agent()
}
