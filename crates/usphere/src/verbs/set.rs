//! `usphere set`: write values.

use clap::Args;
use usphere_datamodel::operation::{ObjectSettings, Operation, Set, Setting};

use super::assignment;
use super::operations::Later;
use crate::cli::reach::Reach;
use crate::failure::{Exit, Failure};

const USAGE: &str = "usphere set DEVICE PATH=VALUE...
       usphere set --agent URL PATH=VALUE...
       usphere set --listen URL PATH=VALUE...";

#[derive(Args, Debug)]
#[command(override_usage = USAGE)]
pub(crate) struct Options {
    /// The device, then parameters with their values. A search writes to all that it finds
    #[arg(value_name = "DEVICE PATH=VALUE", required = true)]
    words: Vec<String>,
    /// Write each object on its own; without it, all or nothing
    #[arg(long)]
    allow_partial: bool,
    /// This parameter may fail without its object failing; may be given again
    #[arg(long, value_name = "PATH")]
    optional: Vec<String>,
    #[command(flatten)]
    later: Later,
    #[command(flatten)]
    reach: Reach,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (way, words) = self.reach.way(self.words)?;
        let words = super::at_least_one(words, "PATH=VALUE", USAGE)?;
        let operation = Operation::Set(Set {
            objects: objects(&words, &self.optional)?,
            allow_partial: self.allow_partial,
        });
        self.later.ask(way, self.reach.manner, operation)
    }
}

/// Gathers what is set by object, in the order in which each was named first.
fn objects(words: &[String], optional: &[String]) -> Result<Vec<ObjectSettings>, Failure> {
    let mut objects: Vec<ObjectSettings> = Vec::new();
    let mut unmatched: Vec<&String> = optional.iter().collect();
    for word in words {
        let (path, value) = assignment::split(word)?;
        let (object, name) = assignment::parameter(path)?;
        unmatched.retain(|optional| *optional != path);
        let setting = Setting {
            name: name.to_owned(),
            value: value.to_owned(),
            required: !optional.iter().any(|optional| optional == path),
        };
        match objects.iter_mut().find(|known| known.path == object) {
            Some(known) => known.parameters.push(setting),
            None => objects.push(ObjectSettings {
                path: object.to_owned(),
                parameters: vec![setting],
            }),
        }
    }
    match unmatched.first() {
        None => Ok(objects),
        Some(path) => Err(Failure::usage(format_args!(
            "--optional {path}: no value is given for it"
        ))
        .advise("name a parameter exactly as it stands before its =")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn values_are_gathered_by_object() {
        let objects = objects(
            &words(&["Device.A.X=1", "Device.B.[K==\"=\"].Y=2", "Device.A.Z=3"]),
            &words(&["Device.A.Z"]),
        )
        .unwrap();
        assert_eq!(
            objects,
            [
                ObjectSettings {
                    path: "Device.A.".into(),
                    parameters: vec![Setting::required("X", "1"), Setting::optional("Z", "3")],
                },
                ObjectSettings {
                    path: "Device.B.[K==\"=\"].".into(),
                    parameters: vec![Setting::required("Y", "2")],
                },
            ]
        );
    }

    #[test]
    fn an_optional_parameter_must_have_a_value() {
        let failure = objects(&words(&["Device.A.X=1"]), &words(&["Device.A.Y"])).unwrap_err();
        assert!(failure.message.contains("Device.A.Y"), "{failure}");
    }
}
