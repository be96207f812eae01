//! `usphere add`: add a row to a table.

use clap::Args;
use usphere_datamodel::operation::{Add, ObjectSettings, Operation, Setting};

use super::assignment;
use super::operations::Later;
use crate::cli::reach::Reach;
use crate::failure::{Exit, Failure};

const USAGE: &str = "usphere add DEVICE OBJECT [PARAM=VALUE]...
       usphere add --agent URL OBJECT [PARAM=VALUE]...
       usphere add --listen URL OBJECT [PARAM=VALUE]...";

#[derive(Args, Debug)]
#[command(override_usage = USAGE)]
pub(crate) struct Options {
    /// The device, the table, and the values that the new row starts with
    #[arg(value_name = "DEVICE OBJECT PARAM=VALUE", required = true)]
    words: Vec<String>,
    /// Where OBJECT is a search, add to each table on its own; without it, all or nothing
    #[arg(long)]
    allow_partial: bool,
    /// This parameter may fail without the row failing; may be given again
    #[arg(long, value_name = "PARAM")]
    optional: Vec<String>,
    #[command(flatten)]
    later: Later,
    #[command(flatten)]
    reach: Reach,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let (way, words) = self.reach.way(self.words)?;
        let operation = Operation::Add(Add {
            objects: vec![row(&words, &self.optional)?],
            allow_partial: self.allow_partial,
        });
        self.later.ask(way, self.reach.manner, operation)
    }
}

fn row(words: &[String], optional: &[String]) -> Result<ObjectSettings, Failure> {
    let Some((table, values)) = words.split_first() else {
        return Err(super::missing("OBJECT", USAGE)
            .advise("such as Device.LocalAgent.ControllerTrust.Role."));
    };
    let parameters = values
        .iter()
        .map(|word| {
            let (name, value) = assignment::split(word)?;
            Ok(Setting {
                name: name.to_owned(),
                value: value.to_owned(),
                required: !optional.iter().any(|optional| optional == name),
            })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let is_given = |name: &str| parameters.iter().any(|given| given.name == name);
    if let Some(name) = optional.iter().find(|name| !is_given(name)) {
        return Err(Failure::usage(format_args!(
            "--optional {name}: no value is given for it"
        )));
    }
    Ok(ObjectSettings {
        path: table.clone(),
        parameters,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_table_and_values() {
        let words: Vec<String> = ["Device.A.", "X=1", "Y="].map(str::to_owned).into();
        let row = row(&words, &["Y".to_owned()]).unwrap();
        assert_eq!(row.path, "Device.A.");
        assert_eq!(
            row.parameters,
            [Setting::required("X", "1"), Setting::optional("Y", "")]
        );
        assert!(super::row(&words, &["Z".to_owned()]).is_err());
        assert!(super::row(&[], &[]).is_err());
    }
}
