//! A declaration as JSON, as `cargo xtask lint` reads it.

use serde_json::{Value, json};
use usphere_datamodel::declare::{Command, Event, Object, Parameter, ParameterAccess};

/// An object with all that it has.
pub(crate) fn show_object(object: &Object) -> Value {
    let access = if object.rows.addable || object.rows.deletable {
        "readWrite"
    } else {
        "readOnly"
    };
    json!({
        "path": object.path,
        "access": access,
        "unique_keys": object.unique,
        "parameters": object.parameters.iter().map(show_parameter).collect::<Vec<_>>(),
        "commands": object.commands.iter().map(show_command).collect::<Vec<_>>(),
        "events": object.events.iter().map(show_event).collect::<Vec<_>>(),
    })
}

fn show_parameter(parameter: &Parameter) -> Value {
    let access = match parameter.access {
        ParameterAccess::ReadOnly => "readOnly",
        ParameterAccess::ReadWrite => "readWrite",
        ParameterAccess::WriteOnce => "writeOnceReadOnly",
    };
    let of = parameter.value_type;
    json!({
        "name": parameter.name,
        "access": access,
        "type": of.base.name(),
        "list": of.list.is_some(),
        "max": of.size_max,
        "enum": of.choices,
        "secured": parameter.secured,
    })
}

fn show_command(command: &Command) -> Value {
    json!({
        "name": command.name,
        "async": command.asynchronous,
        "input": command.input,
        "output": command.output,
    })
}

fn show_event(event: &Event) -> Value {
    json!({ "name": event.name, "args": event.args })
}
