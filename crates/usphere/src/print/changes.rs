//! What was written, added, deleted and run.

use std::collections::BTreeMap;

use usphere_datamodel::operation::{
    AddOutcome, AddStatus, Created, DeleteOutcome, DeleteStatus, Deleted, OperateOutcome,
    OperateStatus, Operation, ParameterFailure, SetFailure, SetOutcome, SetStatus,
};

use super::{Rendered, clean, columns, failed, nothing, summary};

/// A line for each parameter that was written: its path and the value it has now.
pub(super) fn set(outcome: &SetOutcome) -> Rendered {
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    let mut notes = Vec::new();
    for result in &outcome.results {
        match &result.status {
            SetStatus::Failed(failure) => {
                failures.extend(not_set(&result.requested, failure));
            }
            SetStatus::Updated(objects) if objects.is_empty() => {
                notes.push(nothing(&result.requested));
            }
            SetStatus::Updated(objects) => {
                for object in objects {
                    rows.extend(object.parameters.iter().map(|(name, value)| {
                        vec![clean(&format!("{}{name}", object.path)), clean(value)]
                    }));
                    failures.extend(of_parameters(&object.path, &object.failures));
                }
            }
        }
    }
    Rendered {
        text: columns(&[], rows),
        notes,
        failures,
    }
}

fn not_set(requested: &str, failure: &SetFailure) -> Vec<String> {
    let causes = failure.objects.iter().flat_map(|object| &object.failures);
    let text = summary(&failure.text, causes);
    let mut lines = vec![failed(requested, failure.code, text)];
    for object in &failure.objects {
        lines.extend(of_parameters(&object.path, &object.failures));
    }
    lines
}

/// A line for each row that was added, with its unique keys.
pub(super) fn added(outcome: &AddOutcome) -> Rendered {
    let mut rendered = Rendered::default();
    for result in &outcome.results {
        match &result.status {
            AddStatus::Failed(failure) => {
                let line = failed(&result.requested, failure.code, &failure.text);
                rendered.failures.push(line);
            }
            AddStatus::Created(created) if created.path.is_empty() => {
                rendered.notes.push(nothing(&result.requested));
            }
            AddStatus::Created(created) => {
                rendered.text += &new_row(created);
                rendered
                    .failures
                    .extend(of_parameters(&created.path, &created.failures));
            }
        }
    }
    rendered
}

fn new_row(created: &Created) -> String {
    let keys = keys(&created.unique_keys);
    let line = format!("added {}  {keys}", clean(&created.path));
    format!("{}\n", line.trim_end())
}

/// A line for each object that is gone.
pub(super) fn deleted(outcome: &DeleteOutcome) -> Rendered {
    let mut rendered = Rendered::default();
    for result in &outcome.results {
        match &result.status {
            DeleteStatus::Failed(failure) => {
                let line = failed(&result.requested, failure.code, &failure.text);
                rendered.failures.push(line);
            }
            DeleteStatus::Deleted(Deleted { paths, failures }) => {
                for path in paths {
                    rendered.text += &format!("deleted {}\n", clean(path));
                }
                if paths.is_empty() && failures.is_empty() {
                    let note = nothing(&result.requested);
                    rendered
                        .notes
                        .push(format!("{note}, or what fits may not be read"));
                }
                let stayed = failures
                    .iter()
                    .map(|each| failed(&each.path, each.code, &each.text));
                rendered.failures.extend(stayed);
            }
        }
    }
    rendered
}

/// A line for each command, with its output arguments below. An answer without any does not say what was
/// asked; the operation does.
pub(super) fn operated(operation: &Operation, outcome: &OperateOutcome) -> Rendered {
    let mut rendered = Rendered::default();
    if let (Operation::Operate(operate), []) = (operation, outcome.results.as_slice()) {
        rendered.notes.push(nothing(&operate.command));
    }
    for result in &outcome.results {
        let command = clean(&result.command);
        match &result.status {
            OperateStatus::Completed(outputs) => {
                let rows = outputs
                    .iter()
                    .map(|(name, value)| vec![format!("  {}", clean(name)), clean(value)]);
                rendered.text += &format!("completed {command}\n{}", columns(&[], rows));
            }
            OperateStatus::Failed(failure) => {
                let line = failed(&result.command, failure.code, &failure.text);
                rendered.failures.push(line);
            }
            OperateStatus::Started(request) => {
                rendered.text += &format!("started {command}, see {}\n", clean(request));
            }
        }
    }
    rendered
}

/// Unique keys in one line.
pub(super) fn keys(keys: &BTreeMap<String, String>) -> String {
    let shown = keys
        .iter()
        .map(|(name, value)| format!("{}={}", clean(name), clean(value)));
    shown.collect::<Vec<_>>().join(" ")
}

fn of_parameters(object: &str, failures: &[ParameterFailure]) -> impl Iterator<Item = String> {
    failures.iter().map(move |failure| {
        failed(
            &format!("{object}{}", failure.parameter),
            failure.code,
            &failure.text,
        )
    })
}

#[cfg(test)]
mod tests {
    use usphere_datamodel::operation::{Operate, Outcome, Updated};

    use super::*;
    use crate::print::render;

    fn read(kind: &str, json: &str) -> Rendered {
        let kind = kind.parse().unwrap();
        let mut json = serde_json::Deserializer::from_str(json);
        let operation = Operation::Operate(Operate::new("Device.X.*.Go()"));
        render(&operation, &Outcome::from_json(kind, &mut json).unwrap())
    }

    #[test]
    fn a_set_shows_values_and_what_failed() {
        let updated = Updated {
            path: "Device.A.1.".into(),
            parameters: BTreeMap::from([("B".into(), "x\n".into())]),
            failures: vec![ParameterFailure {
                parameter: "C".into(),
                code: 7012,
                text: "bad".into(),
            }],
        };
        let json = serde_json::json!({"results": [
            {"requested": "Device.A.*.", "updated": [updated]},
            {"requested": "Device.Z.[A==1].", "updated": []}]});
        let rendered = read("set", &json.to_string());
        assert_eq!(rendered.text, "Device.A.1.B  x\\n\n");
        assert_eq!(rendered.notes, ["nothing fits Device.Z.[A==1]."]);
        assert_eq!(rendered.failures.len(), 1);
        assert!(rendered.failures[0].starts_with("Device.A.1.C: bad (7012, "));
    }

    #[test]
    fn rows_come_and_go_by_their_paths() {
        let added = read(
            "add",
            r#"{"results": [{"requested": "Device.A.", "created": {"path": "Device.A.3.", "unique_keys": {"Alias": "cpe-3"}}},
                {"requested": "Device.B.", "failed": {"code": 7004, "text": "no"}}]}"#,
        );
        assert_eq!(added.text, "added Device.A.3.  Alias=cpe-3\n");
        assert_eq!(added.failures.len(), 1);
        let deleted = read(
            "delete",
            r#"{"results": [{"requested": "Device.A.3.", "deleted": {"paths": ["Device.A.3."]}},
                {"requested": "Device.A.9.", "deleted": {"paths": []}}]}"#,
        );
        assert_eq!(deleted.text, "deleted Device.A.3.\n");
        assert_eq!(
            deleted.notes,
            ["nothing fits Device.A.9., or what fits may not be read"]
        );
        assert!(deleted.failures.is_empty());
    }

    #[test]
    fn a_search_that_finds_nothing_is_told() {
        let found = r#"{"results": [{"requested": "Device.A.*.", "found": []}]}"#;
        for (kind, json, expected) in [
            ("get", found, "nothing fits Device.A.*."),
            ("instances", found, "nothing fits Device.A.*."),
            (
                "operate",
                r#"{"results": []}"#,
                "nothing fits Device.X.*.Go()",
            ),
        ] {
            let rendered = read(kind, json);
            assert_eq!(rendered.notes, [expected]);
            assert!(rendered.text.is_empty() && rendered.failures.is_empty());
        }
    }

    #[test]
    fn a_command_shows_its_output() {
        let rendered = read(
            "operate",
            r#"{"results": [{"command": "Device.C()", "completed": {"Status": "OK"}},
                {"command": "Device.D()", "started": "Device.LocalAgent.Request.1."},
                {"command": "Device.E()", "failed": {"code": 7027, "text": "Cause is missing"}}]}"#,
        );
        assert_eq!(
            rendered.text,
            "completed Device.C()\n  Status  OK\nstarted Device.D(), see Device.LocalAgent.Request.1.\n"
        );
        assert_eq!(rendered.failures.len(), 1);
    }
}
