//! `usphere backup`, `usphere restore` and `usphere migrate`: a server's data folder as a whole.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use usphere_server::{BackupError, Manifest, Migrated, Restored};

use crate::data;
use crate::defaults::{DATA_VARIABLE, SERVER_ROLE};
use crate::failure::{Exit, Failure};
use crate::print::{self, clean};

#[derive(Args, Debug)]
struct DataOption {
    /// The server's data folder [env: USPHERE_DATA]
    /// [default: /var/lib/usphere/server for root, else ~/.local/state/usphere/server]
    #[arg(long, value_name = "DIR", verbatim_doc_comment)]
    data: Option<PathBuf>,
}

impl DataOption {
    fn folder(self) -> PathBuf {
        let named = || data::variable(DATA_VARIABLE).map(PathBuf::from);
        let given = self.data.or_else(named);
        given.unwrap_or_else(|| data::default_folder(SERVER_ROLE))
    }
}

#[derive(Args, Debug)]
pub(crate) struct Backup {
    /// The file to make; its folder is there, and the file is not
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    data: DataOption,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// A file that `usphere backup` made
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    data: DataOption,
    /// Put it in the place of the database that is there, which is kept aside
    #[arg(long)]
    replace: bool,
    /// Only look whether the backup is whole and can be used
    #[arg(long, conflicts_with = "replace")]
    check: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Migrate {
    /// The schema version to go to [default: the newest]
    #[arg(long, value_name = "VERSION")]
    to: Option<i64>,
    #[command(flatten)]
    data: DataOption,
    /// Do not keep the database as it was
    #[arg(long)]
    no_copy: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let made = usphere_server::backup(&self.data.folder(), &self.file).map_err(failed)?;
        if self.json {
            return print::json(&made);
        }
        print::text(&format!("{}: {}", self.file.display(), told(&made)))
    }
}

impl Restore {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        if self.check {
            let manifest = usphere_server::examine(&self.file).map_err(failed)?;
            if self.json {
                return print::json(&manifest);
            }
            let text = format!("{}: whole; {}", self.file.display(), told(&manifest));
            return print::text(&text);
        }
        let data = self.data.folder();
        let restored = usphere_server::restore(&self.file, &data, self.replace).map_err(failed)?;
        let Restored {
            manifest,
            replaced,
            tokens,
        } = restored;
        if self.json {
            return print::json(
                &json!({"restored": manifest, "replaced": replaced, "tokens": tokens}),
            );
        }
        let mut text = format!("restored to {}: {}", data.display(), told(&manifest));
        if let Some(replaced) = replaced {
            text.push_str(&format!(
                "\nwhat was there is kept in {}",
                replaced.display()
            ));
        }
        if !tokens.is_empty() {
            text.push_str(&format!(
                "\ntokens that are good again, also where they were revoked since: {}\n\
                 `usphere tokens revoke NAME` takes one back",
                print::clean(&tokens.join(", "))
            ));
        }
        print::text(&text)
    }
}

impl Migrate {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let migrated = usphere_server::migrate(&self.data.folder(), self.to, !self.no_copy);
        let Migrated { from, to, copy } = migrated.map_err(failed)?;
        if self.json {
            return print::json(&json!({"from": from, "to": to, "copy": copy}));
        }
        let mut text = match from == to {
            true => format!("the schema version is {to} already"),
            false => format!("from schema version {from} to {to}"),
        };
        if let Some(copy) = copy {
            text.push_str(&format!("\nas it was, it is kept in {}", copy.display()));
        }
        print::text(&text)
    }
}

fn told(manifest: &Manifest) -> String {
    let of = match &manifest.endpoint_id {
        Some(of) => clean(of),
        None => "a server that never started".to_owned(),
    };
    format!(
        "a backup of {of}, made by version {} with schema version {}",
        clean(&manifest.version),
        manifest.schema
    )
}

fn failed(error: BackupError) -> Failure {
    // It may tell what stands in a file that somebody made up.
    let told = clean(&error.to_string());
    let failure = match &error {
        BackupError::Exists { .. } => Failure::usage(told),
        BackupError::Broken { .. }
        | BackupError::Data(_)
        | BackupError::Io { .. }
        | BackupError::Store(_) => Failure::local(told),
    };
    match error {
        BackupError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
            failure.advise("--data names the data folder of the server")
        }
        _ => failure,
    }
}
