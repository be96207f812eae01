//! Prints everything that is declared, the Agent's objects and this host's, as a JSON list;
//! `cargo xtask lint --tr181 DIR` compares it with TR-181.

use serde_json::{Value, json};
use usphere_datamodel::declare::{Command, Event, Object, Parameter, ParameterAccess};

fn main() -> Result<(), serde_json::Error> {
    let mut objects = usphere_agent::objects::objects();
    objects.extend(usphere_device::objects());
    objects.extend(usphere_device::net::objects());
    // Several declare the root, each what is theirs.
    let (additions, objects): (Vec<_>, Vec<_>) = objects
        .iter()
        .enumerate()
        .partition(|(index, object)| *index > 0 && object.path == objects[0].path);
    let mut list: Vec<Value> = objects
        .into_iter()
        .map(|(_, object)| show_object(object))
        .collect();
    for (_, addition) in additions {
        let mut addition = show_object(addition);
        for members in ["parameters", "commands", "events"] {
            let more = addition[members].as_array_mut().map(std::mem::take);
            if let Some(known) = list[0][members].as_array_mut() {
                known.extend(more.unwrap_or_default());
            }
        }
    }
    println!("{}", serde_json::to_string_pretty(&list)?);
    Ok(())
}

fn show_object(object: &Object) -> Value {
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
