//! What there is to prove: requirement and test IDs, and the exceptions with their reasons.
//!
//! The lists hold facts and our own words; the texts they index are read elsewhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::project::Project;
use crate::trace::proofs::Proof;

const REQUIREMENTS: &str = "docs/requirements.tsv";
const TESTS: &str = "docs/tp469.tsv";
const EXCEPTIONS: &str = "docs/requirements-exceptions.toml";

/// All IDs in their order, and the reasons of those that are excepted.
pub(crate) struct Ledger {
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) exceptions: BTreeMap<String, String>,
}

/// One thing to prove: a requirement of TR-369, or a test of TP-469.
#[derive(Serialize)]
pub(crate) struct Requirement {
    pub(crate) id: String,
    pub(crate) section: String,
    pub(crate) clause: String,
    pub(crate) level: String,
    pub(crate) party: String,
    pub(crate) summary: String,
    pub(crate) is_active: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    #[serde(default)]
    exception: Vec<Exception>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    id: String,
    reason: String,
}

impl Ledger {
    /// Reads the three files of the project.
    pub(crate) fn read(project: &Project) -> Result<Self, String> {
        Self::parse(
            &project.read(REQUIREMENTS)?,
            &project.read(TESTS)?,
            &project.read(EXCEPTIONS)?,
        )
    }

    fn parse(requirements: &str, tests: &str, exceptions: &str) -> Result<Self, String> {
        let mut all = Vec::new();
        for (number, [id, clause, level, party, status, summary]) in
            rows(REQUIREMENTS, requirements)?
        {
            let prefix = id.strip_prefix("R-").and_then(|id| id.split('.').next());
            let section =
                prefix.ok_or_else(|| format!("{REQUIREMENTS}:{number}: `{id}` is no ID"))?;
            all.push(Requirement {
                id: id.to_owned(),
                section: section.to_owned(),
                clause: clause.to_owned(),
                level: level.to_owned(),
                party: party.to_owned(),
                summary: summary.to_owned(),
                is_active: status == "active",
            });
        }
        for (_, [id, title, clause, level, condition]) in rows(TESTS, tests)? {
            let chapter = id.split('.').next().unwrap_or(id);
            all.push(Requirement {
                id: format!("TP-469 {id}"),
                section: format!("TP-469-{chapter}"),
                clause: clause.to_owned(),
                level: level.to_owned(),
                party: "agent".to_owned(),
                summary: if condition.is_empty() {
                    title.to_owned()
                } else {
                    format!("{title} (if: {condition})")
                },
                is_active: level == "mandatory" || level == "conditional",
            });
        }
        let read: Exceptions =
            toml::from_str(exceptions).map_err(|error| format!("{EXCEPTIONS}: {error}"))?;
        let exceptions = read
            .exception
            .into_iter()
            .map(|exception| (exception.id, exception.reason))
            .collect();
        Ok(Self {
            requirements: all,
            exceptions,
        })
    }

    /// What is claimed or excepted and does not exist.
    pub(crate) fn check(&self, proofs: &[Proof]) -> Vec<String> {
        let is_known = |id: &String| {
            self.requirements
                .iter()
                .any(|requirement| requirement.id == *id)
        };
        let claims = proofs
            .iter()
            .flat_map(|proof| proof.ids.iter().map(move |id| (id, proof)));
        let mut errors: Vec<String> = claims
            .filter(|(id, _)| !is_known(id))
            .map(|(id, proof)| format!("{}: there is no requirement `{id}`", proof.place))
            .collect();
        let exceptions = self.exceptions.keys().filter(|id| !is_known(id));
        errors.extend(exceptions.map(|id| format!("{EXCEPTIONS}: there is no requirement `{id}`")));
        errors
    }
}

/// The rows of a table after its head, with their line numbers.
fn rows<'a, const N: usize>(
    file: &str,
    text: &'a str,
) -> Result<Vec<(usize, [&'a str; N])>, String> {
    let row = |(index, line): (usize, &'a str)| {
        let columns: Vec<&str> = line.split('\t').collect();
        let count = columns.len();
        let columns = columns
            .try_into()
            .map_err(|_| format!("{file}:{}: {count} columns, not {N}", index + 1))?;
        Ok((index + 1, columns))
    };
    text.lines().enumerate().skip(1).map(row).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Five requirements, one of them excepted and one inactive, and a test.
    pub(crate) fn ledger() -> Ledger {
        let mut requirements = "id\tclause\tlevel\tparty\tstatus\tsummary\n".to_owned();
        for (number, status) in [
            (1, "active"),
            (2, "active"),
            (3, "active"),
            (4, "active"),
            (9, "deprecated"),
        ] {
            requirements +=
                &format!("R-ADD.{number}\tmessages: Add\tMUST\tagent\t{status}\tWhat it says.\n");
        }
        let tests = "id\ttitle\tsection\tlevel\tcondition\n1.1\tAdd\t1 Messages\tmandatory\t\n";
        Ledger::parse(
            &requirements,
            tests,
            "[[exception]]\nid = \"R-ADD.3\"\nreason = \"optional\"\n",
        )
        .unwrap()
    }

    #[test]
    fn rows_with_a_wrong_number_of_columns_are_refused() {
        assert!(Ledger::parse("head\nR-ADD.1\tx", "head", "").is_err());
        assert!(Ledger::parse("head", "head", "[[exception]]\nid = \"x\"\n").is_err());
    }

    #[test]
    fn unknown_ids_are_told() {
        let mut ledger = ledger();
        assert!(ledger.check(&[]).is_empty());
        ledger
            .exceptions
            .insert("R-ADD.77".to_owned(), "typing".to_owned());
        assert_eq!(ledger.check(&[]).len(), 1);
    }
}
