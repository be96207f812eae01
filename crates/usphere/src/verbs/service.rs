//! `usphere service`: the units with which systemd runs the server and the Agent.

use std::env;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::failure::{Exit, Failure};
use crate::print;

/// The path of the program in the units.
const PROGRAM: &str = "/usr/bin/usphere";

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// What to print
    #[arg(value_name = "WHAT")]
    what: What,
    /// The program that is to be run [default: this one]
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// The unit of the server, for /etc/systemd/system/usphere-server.service
    Server,
    /// The unit of the Agent, for /etc/systemd/system/usphere-agent.service
    Agent,
    /// The user that the server runs as, for /etc/sysusers.d/usphere.conf
    User,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let unit = match self.what {
            What::Server => include_str!("../../../../deploy/systemd/usphere-server.service"),
            What::Agent => include_str!("../../../../deploy/systemd/usphere-agent.service"),
            What::User => include_str!("../../../../deploy/systemd/usphere.sysusers"),
        };
        let program = match self.program {
            Some(program) => program,
            None => env::current_exe().map_err(|error| {
                Failure::local(format_args!(
                    "where this program lies is not known: {error}"
                ))
                .advise("--program says it")
            })?,
        };
        let program = program.display().to_string();
        if !program.starts_with('/') || program.contains(char::is_whitespace) {
            return Err(Failure::usage(format_args!(
                "--program {program}: a path from / on without blanks is expected"
            )));
        }
        print::text(unit.replace(PROGRAM, &program).trim_end())
    }
}
