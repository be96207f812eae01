//! What there can be, as a tree.

use usphere_datamodel::operation::{
    CommandKind, ObjectAccess, ParameterAccess, ParameterKind, SupportedCommand,
    SupportedModelOutcome, SupportedModelStatus, SupportedObject, ValueChange,
};

use super::{Rendered, clean, columns, failed};

/// Objects below their parents; below each, its parameters, commands and events.
pub(super) fn tree(outcome: &SupportedModelOutcome) -> Rendered {
    let mut rendered = Rendered::default();
    for result in &outcome.results {
        match &result.status {
            SupportedModelStatus::Failed(failure) => {
                let line = failed(&result.requested, failure.code, &failure.text);
                rendered.failures.push(line);
            }
            SupportedModelStatus::Supported(supported) => {
                let mut parents: Vec<&str> = Vec::new();
                for each in &supported.objects {
                    while parents
                        .last()
                        .is_some_and(|parent| !each.path.starts_with(parent))
                    {
                        parents.pop();
                    }
                    let parent = parents.last().copied().unwrap_or_default();
                    rendered.text += &object(each, parent, parents.len());
                    parents.push(&each.path);
                }
            }
        }
    }
    rendered
}

fn object(object: &SupportedObject, parent: &str, depth: usize) -> String {
    let name = object.path.strip_prefix(parent).unwrap_or(&object.path);
    let indent = "  ".repeat(depth);
    let mut text = format!("{indent}{}{}\n", clean(name), traits(object));
    let members = columns(&[], members(object));
    for line in members.lines() {
        text += &format!("{indent}  {line}\n");
    }
    text
}

/// What is to say about an object beside its name.
fn traits(object: &SupportedObject) -> String {
    let mut traits = Vec::new();
    match (object.multi_instance, object.access) {
        (false, _) => {}
        (true, ObjectAccess::AddDelete) => traits.push("table, add and delete".to_owned()),
        (true, ObjectAccess::AddOnly) => traits.push("table, add only".to_owned()),
        (true, ObjectAccess::DeleteOnly) => traits.push("table, delete only".to_owned()),
        (true, ObjectAccess::ReadOnly) => traits.push("table".to_owned()),
    }
    if !object.unique_keys.is_empty() {
        let keys = object.unique_keys.iter().map(|key| clean(&key.join("+")));
        traits.push(format!("unique {}", keys.collect::<Vec<_>>().join(", ")));
    }
    if !object.divergent_paths.is_empty() {
        let paths = clean(&object.divergent_paths.join(", "));
        traits.push(format!("differs at {paths}"));
    }
    match traits.is_empty() {
        true => String::new(),
        false => format!("  [{}]", traits.join("; ")),
    }
}

fn members(object: &SupportedObject) -> Vec<Vec<String>> {
    let parameters = object.parameters.iter().map(|parameter| {
        let note = match parameter.value_change {
            ValueChange::WillIgnore => "no value change",
            ValueChange::Allowed | ValueChange::Unknown => "",
        };
        [
            &clean(&parameter.name),
            type_name(parameter.kind),
            access_name(parameter.access),
            note,
        ]
        .map(str::to_owned)
        .to_vec()
    });
    let commands = object.commands.iter().map(|command| {
        let kind = match command.kind {
            CommandKind::Asynchronous => "asynchronous",
            CommandKind::Synchronous => "synchronous",
            CommandKind::Unknown => "",
        };
        vec![
            clean(&command.name),
            "command".to_owned(),
            kind.to_owned(),
            arguments(command),
        ]
    });
    let events = object.events.iter().map(|event| {
        vec![
            clean(&event.name),
            "event".to_owned(),
            String::new(),
            clean(&event.arguments.join(", ")),
        ]
    });
    parameters.chain(commands).chain(events).collect()
}

fn arguments(command: &SupportedCommand) -> String {
    let inputs = command.inputs.join(", ");
    let outputs = command.outputs.join(", ");
    clean(&match (inputs.as_str(), outputs.as_str()) {
        ("", "") => String::new(),
        (inputs, "") => format!("in: {inputs}"),
        ("", outputs) => format!("out: {outputs}"),
        (inputs, outputs) => format!("in: {inputs}; out: {outputs}"),
    })
}

fn type_name(kind: ParameterKind) -> &'static str {
    match kind {
        ParameterKind::Base64 => "base64",
        ParameterKind::Boolean => "boolean",
        ParameterKind::DateTime => "dateTime",
        ParameterKind::Decimal => "decimal",
        ParameterKind::HexBinary => "hexBinary",
        ParameterKind::Int => "int",
        ParameterKind::Long => "long",
        ParameterKind::String => "string",
        ParameterKind::Unknown => "unknown",
        ParameterKind::UnsignedInt => "unsignedInt",
        ParameterKind::UnsignedLong => "unsignedLong",
    }
}

fn access_name(access: ParameterAccess) -> &'static str {
    match access {
        ParameterAccess::ReadOnly => "read-only",
        ParameterAccess::ReadWrite => "read-write",
        ParameterAccess::WriteOnly => "write-only",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_stand_below_their_parents() {
        let json = r#"{"results": [{"requested": "Device.", "supported": {"model_uri": "", "objects": [
            {"path": "Device.A.", "access": "read_only", "multi_instance": false,
             "parameters": [{"name": "Name", "access": "read_write", "type": "string", "value_change": "allowed"},
                            {"name": "N", "access": "read_only", "type": "unsignedInt", "value_change": "will_ignore"}],
             "commands": [{"name": "C()", "kind": "sync", "inputs": ["I"], "outputs": ["O"]}],
             "events": [{"name": "E!", "arguments": ["X"]}]},
            {"path": "Device.A.T.{i}.", "access": "add_delete", "multi_instance": true, "unique_keys": [["Alias"], ["B", "C"]]},
            {"path": "Device.B.", "access": "read_only", "multi_instance": false}]}},
          {"requested": "Device.Z.", "failed": {"code": 7026, "text": "no"}}]}"#;
        let outcome: SupportedModelOutcome = serde_json::from_str(json).unwrap();
        let rendered = tree(&outcome);
        assert_eq!(
            rendered.text,
            "Device.A.\n\
             \x20 Name  string       read-write\n\
             \x20 N     unsignedInt  read-only    no value change\n\
             \x20 C()   command      synchronous  in: I; out: O\n\
             \x20 E!    event                     X\n\
             \x20 T.{i}.  [table, add and delete; unique Alias, B+C]\n\
             Device.B.\n"
        );
        assert_eq!(rendered.failures.len(), 1);
    }
}
