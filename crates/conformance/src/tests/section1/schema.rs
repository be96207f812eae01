//! GetSupportedDM and GetSupportedProtocol. (R-GSP.0, R-GSP.1)

use super::{Test, test};
use crate::bench::{
    Bench, SUBSCRIPTIONS, SupportedDmOptions, appropriate, ensure, equal, exactly, only,
};
use crate::stop::{Done, Stop};
use usphere_proto::MsgType;
use usphere_proto::msg::{
    CmdType, ObjAccessType, ParamAccessType, ParamValueType, RequestedObjectResult,
    SupportedObjectResult, ValueChangeType,
};

/// The tests of this file.
pub(super) const TESTS: &[Test] = &[
    test(1, 72, all_levels),
    test(1, 73, one_level),
    test(1, 74, objects_alone),
    test(1, 75, two_objects),
    test(1, 76, everything),
    test(1, 77, no_such_object),
    test(1, 80, versions),
    test(1, 97, commands),
    test(1, 98, events),
    test(1, 99, unique_keys),
    test(1, 105, one_command),
    test(1, 106, one_event),
    test(1, 107, one_parameter),
];

const ROOT: &str = "Device.";
const LOCAL_AGENT: &str = "Device.LocalAgent.";
const CONTROLLER: &str = "Device.LocalAgent.Controller.";
const MTP: &str = "Device.LocalAgent.MTP.";

/// 1.72
fn all_levels(bench: &mut Bench) -> Done {
    bench.step("Ask for an object and all that is below it");
    let result = supported(bench, LOCAL_AGENT, false, SupportedDmOptions::All)?;
    are_valid(&result.supported_objs)?;
    let agent = object(&result, LOCAL_AGENT)?;
    ensure(!agent.supported_params.is_empty(), || {
        format!("{LOCAL_AGENT}: parameters were expected, none came")
    })?;
    let row = object(&result, &format!("{SUBSCRIPTIONS}{{i}}."))?;
    ensure(
        !row.supported_params.is_empty() && !row.unique_key_sets.is_empty(),
        || {
            format!(
                "{SUBSCRIPTIONS}{{i}}.: parameters and unique keys were expected, they did not come"
            )
        },
    )
}

/// 1.73
fn one_level(bench: &mut Bench) -> Done {
    bench.step("Ask for an object and its children");
    let result = supported(bench, LOCAL_AGENT, true, SupportedDmOptions::All)?;
    are_valid(&result.supported_objs)?;
    is_one_level(&result, LOCAL_AGENT)?;
    let agent = object(&result, LOCAL_AGENT)?;
    exactly("unique_key_sets", &agent.unique_key_sets, 0)
}

/// 1.74
fn objects_alone(bench: &mut Bench) -> Done {
    bench.step("Ask for an object and its children, without what they hold");
    let result = supported(bench, LOCAL_AGENT, true, SupportedDmOptions::None)?;
    is_level(&result, LOCAL_AGENT)?;
    result.supported_objs.iter().try_for_each(|object| {
        holds_nothing(object)?;
        exactly("unique_key_sets", &object.unique_key_sets, 0)
    })
}

/// 1.75
fn two_objects(bench: &mut Bench) -> Done {
    bench.step("Ask for two tables and their children");
    let paths = [CONTROLLER, MTP];
    let answer = bench
        .supported_dm(&paths, true, SupportedDmOptions::All)?
        .response()?;
    exactly("req_obj_results", &answer.req_obj_results, 2)?;
    for (result, path) in answer.req_obj_results.iter().zip(paths) {
        has_no_error(result, path)?;
        are_valid(&result.supported_objs)?;
        is_one_level(result, path)?;
        let row = object(result, path)?;
        ensure(!row.unique_key_sets.is_empty(), || {
            format!("{path}: unique keys were expected, none came")
        })?;
    }
    Ok(())
}

/// 1.76
fn everything(bench: &mut Bench) -> Done {
    bench.step("Ask for all that there can be");
    let result = supported(bench, ROOT, false, SupportedDmOptions::All)?;
    are_valid(&result.supported_objs)?;
    for path in [ROOT, LOCAL_AGENT, CONTROLLER, SUBSCRIPTIONS] {
        object(&result, path)?;
    }
    Ok(())
}

/// 1.77
fn no_such_object(bench: &mut Bench) -> Done {
    let path = "Device.LocalAgent.UnsupportedObject.";
    bench.step("Ask for an object that there is not");
    let answer = bench
        .supported_dm(&[path], false, SupportedDmOptions::All)?
        .response()?;
    let result = only("req_obj_results", &answer.req_obj_results)?;
    ensure(result.err_code != 0, || {
        format!("{path}: an error was expected, none came")
    })?;
    appropriate(result.err_code, MsgType::GetSupportedDm)
}

/// 1.80
fn versions(bench: &mut Bench) -> Done {
    bench.step("Ask for the versions of USP that the Agent speaks");
    let answer = bench.supported_protocol()?.response()?;
    let versions = answer.agent_supported_protocol_versions;
    let is_version = |version: &str| {
        let parts = version.trim().split_once('.');
        parts.is_some_and(|(major, minor)| {
            major.parse::<u16>().is_ok() && minor.parse::<u16>().is_ok()
        })
    };
    ensure(
        !versions.is_empty() && versions.split(',').all(is_version),
        || format!("versions such as 1.3,1.4 were expected, {versions:?} came"),
    )
}

/// 1.97
fn commands(bench: &mut Bench) -> Done {
    let has_arguments = |object: &SupportedObjectResult| {
        let mut commands = object.supported_commands.iter();
        commands.any(|command| !command.input_arg_names.is_empty())
    };
    if !bench.features().objects().any(has_arguments) {
        let reason = "the Agent has no command with input arguments".to_owned();
        return Err(Stop::NotApplicable(reason));
    }
    bench.step("Ask for all commands, and nothing else");
    let result = supported(bench, ROOT, false, SupportedDmOptions::Commands)?;
    are_valid(&result.supported_objs)?;
    for object in &result.supported_objs {
        exactly("supported_params", &object.supported_params, 0)?;
        exactly("supported_events", &object.supported_events, 0)?;
        exactly("unique_key_sets", &object.unique_key_sets, 0)?;
        for command in &object.supported_commands {
            let names = command.input_arg_names.iter();
            are_arguments(names.chain(&command.output_arg_names))?;
            let kinds = [CmdType::Sync, CmdType::Async].map(|kind| kind as i32);
            ensure(kinds.contains(&command.command_type), || {
                format!(
                    "{}: synchronous or asynchronous was expected",
                    command.command_name
                )
            })?;
        }
    }
    let some = result.supported_objs.iter().any(has_arguments);
    ensure(some, || {
        "input_arg_names were expected, none came".to_owned()
    })
}

/// The names of arguments are relative paths.
fn are_arguments<'a>(mut names: impl Iterator<Item = &'a String>) -> Done {
    names.try_for_each(|name| {
        ensure(!name.is_empty() && !name.starts_with(ROOT), || {
            format!("the relative path of an argument was expected, {name:?} came")
        })
    })
}

/// 1.98
fn events(bench: &mut Bench) -> Done {
    let has_arguments = |object: &SupportedObjectResult| {
        let mut events = object.supported_events.iter();
        events.any(|event| !event.arg_names.is_empty())
    };
    if !bench.features().objects().any(has_arguments) {
        let reason = "the Agent has no event with arguments".to_owned();
        return Err(Stop::NotApplicable(reason));
    }
    bench.step("Ask for all events, and nothing else");
    let result = supported(bench, ROOT, false, SupportedDmOptions::Events)?;
    are_valid(&result.supported_objs)?;
    for object in &result.supported_objs {
        exactly("supported_params", &object.supported_params, 0)?;
        exactly("supported_commands", &object.supported_commands, 0)?;
        exactly("unique_key_sets", &object.unique_key_sets, 0)?;
        for event in &object.supported_events {
            are_arguments(event.arg_names.iter())?;
        }
    }
    let some = result.supported_objs.iter().any(has_arguments);
    ensure(some, || "arg_names were expected, none came".to_owned())
}

/// 1.99
fn unique_keys(bench: &mut Bench) -> Done {
    let has_alias = bench.features().has(&format!("{SUBSCRIPTIONS}{{i}}.Alias"));
    bench.step("Ask for the unique keys of Subscriptions, and nothing else");
    let result = supported(bench, SUBSCRIPTIONS, false, SupportedDmOptions::UniqueKeys)?;
    let row = object(&result, SUBSCRIPTIONS)?;
    holds_nothing(row)?;
    let mut sets: Vec<Vec<&str>> = Vec::new();
    for set in &row.unique_key_sets {
        let mut names: Vec<&str> = set.key_names.iter().map(String::as_str).collect();
        names.sort_unstable();
        sets.push(names);
    }
    sets.sort_unstable();
    let mut expected = vec![vec!["ID", "Recipient"]];
    if has_alias {
        expected.insert(0, vec!["Alias"]);
    }
    equal("unique_key_sets", &sets, &expected)
}

/// 1.105
fn one_command(bench: &mut Bench) -> Done {
    let command = bench.profile().reboot.command.clone();
    let row = one_element(bench, &command)?;
    let it = only("supported_commands", &row.supported_commands)?;
    let name = command.rsplit('.').next().unwrap_or_default();
    equal("command_name", it.command_name.as_str(), name)?;
    exactly("supported_events", &row.supported_events, 0)?;
    exactly("supported_params", &row.supported_params, 0)
}

/// 1.106
fn one_event(bench: &mut Bench) -> Done {
    let row = one_element(bench, "Device.Boot!")?;
    let it = only("supported_events", &row.supported_events)?;
    equal("event_name", it.event_name.as_str(), "Boot!")?;
    exactly("supported_commands", &row.supported_commands, 0)?;
    exactly("supported_params", &row.supported_params, 0)
}

/// 1.107
fn one_parameter(bench: &mut Bench) -> Done {
    let row = one_element(bench, "Device.LocalAgent.EndpointID")?;
    let it = only("supported_params", &row.supported_params)?;
    equal("param_name", it.param_name.as_str(), "EndpointID")?;
    exactly("supported_commands", &row.supported_commands, 0)?;
    exactly("supported_events", &row.supported_events, 0)
}

/// What is said of one command, event or parameter; it has no unique keys.
fn one_element(bench: &mut Bench, path: &str) -> Result<SupportedObjectResult, Stop> {
    bench.needs(path)?;
    bench.step(format_args!("Ask for {path} alone"));
    let result = supported(bench, path, false, SupportedDmOptions::All)?;
    are_valid(&result.supported_objs)?;
    let row = only("supported_objs", &result.supported_objs)?;
    exactly("unique_key_sets", &row.unique_key_sets, 0)?;
    Ok(row.clone())
}

/// The one result for a path, which has no error.
fn supported(
    bench: &mut Bench,
    path: &str,
    first_level_only: bool,
    options: SupportedDmOptions,
) -> Result<RequestedObjectResult, Stop> {
    let answer = bench
        .supported_dm(&[path], first_level_only, options)?
        .response()?;
    let result = only("req_obj_results", &answer.req_obj_results)?;
    has_no_error(result, path)?;
    Ok(result.clone())
}

fn has_no_error(result: &RequestedObjectResult, path: &str) -> Done {
    equal("req_obj_path", result.req_obj_path.as_str(), path)?;
    ensure(result.err_code == 0, || {
        format!(
            "{path}: no error was expected, {} {} came",
            result.err_code, result.err_msg
        )
    })
}

/// The object at a path; that of a table is its row.
fn object<'a>(
    result: &'a RequestedObjectResult,
    path: &str,
) -> Result<&'a SupportedObjectResult, Stop> {
    let row = format!("{path}{{i}}.");
    let is_it = |object: &&SupportedObjectResult| {
        [path, &row].contains(&object.supported_obj_path.as_str())
    };
    let found = result.supported_objs.iter().find(is_it);
    found.ok_or_else(|| {
        Stop::Failed(format!(
            "supported_obj_path: {path} was expected, it did not come"
        ))
    })
}

/// Nothing came but the object and its children.
fn is_level(result: &RequestedObjectResult, path: &str) -> Done {
    let names = |path: &str| {
        path.split('.')
            .filter(|name| !name.is_empty() && *name != "{i}")
            .count()
    };
    let top = names(path);
    object(result, path)?;
    for object in &result.supported_objs {
        let path = &object.supported_obj_path;
        ensure(names(path) <= top + 1, || {
            format!("the object and its children alone were expected, {path} came")
        })?;
    }
    let children = result.supported_objs.iter();
    let children = children
        .filter(|object| names(&object.supported_obj_path) == top + 1)
        .count();
    ensure(children > 0 || path == MTP, || {
        format!("children of {path} were expected, none came")
    })
}

/// Nothing came but the object and its children, and of these only that they are there.
fn is_one_level(result: &RequestedObjectResult, path: &str) -> Done {
    is_level(result, path)?;
    let asked = object(result, path)?;
    let children = result.supported_objs.iter();
    let mut children =
        children.filter(|object| object.supported_obj_path != asked.supported_obj_path);
    children.try_for_each(holds_nothing)
}

/// No parameters, commands and events are told.
fn holds_nothing(object: &SupportedObjectResult) -> Done {
    let path = &object.supported_obj_path;
    let of = |stop: Stop| stop.of(path);
    exactly("supported_params", &object.supported_params, 0).map_err(of)?;
    exactly("supported_commands", &object.supported_commands, 0).map_err(of)?;
    exactly("supported_events", &object.supported_events, 0).map_err(of)
}

/// What is said of each object can be so.
fn are_valid(objects: &[SupportedObjectResult]) -> Done {
    ensure(!objects.is_empty(), || {
        "supported_objs were expected, none came".to_owned()
    })?;
    objects
        .iter()
        .try_for_each(|object| is_valid(object).map_err(|stop| stop.of(&object.supported_obj_path)))
}

fn is_valid(object: &SupportedObjectResult) -> Done {
    let known = |what: &str, is_known: bool| {
        ensure(is_known, || {
            format!("{what}: a value of the schema was expected")
        })
    };
    known("access", ObjAccessType::try_from(object.access).is_ok())?;
    ensure(
        object.supported_obj_path.ends_with("{i}.") == object.is_multi_instance,
        || {
            format!(
                "is_multi_instance: {} does not fit the path",
                object.is_multi_instance
            )
        },
    )?;
    for parameter in &object.supported_params {
        let name = &parameter.param_name;
        is_name(name, name)?;
        known(name, ParamAccessType::try_from(parameter.access).is_ok())?;
        known(name, ParamValueType::try_from(parameter.value_type).is_ok())?;
        known(
            name,
            ValueChangeType::try_from(parameter.value_change).is_ok(),
        )?;
    }
    for command in &object.supported_commands {
        let name = &command.command_name;
        is_name(name, name.strip_suffix("()").unwrap_or_default())?;
        known(name, CmdType::try_from(command.command_type).is_ok())?;
        let arguments = command
            .input_arg_names
            .iter()
            .chain(&command.output_arg_names);
        arguments
            .clone()
            .try_for_each(|argument| is_argument(argument))?;
    }
    for event in &object.supported_events {
        let name = &event.event_name;
        is_name(name, name.strip_suffix('!').unwrap_or_default())?;
        event
            .arg_names
            .iter()
            .try_for_each(|argument| is_argument(argument))?;
    }
    for set in &object.unique_key_sets {
        ensure(!set.key_names.is_empty(), || {
            "key_names were expected, none came".to_owned()
        })?;
        set.key_names
            .iter()
            .try_for_each(|name| is_argument(name))?;
    }
    Ok(())
}

/// A name without dots.
fn is_name(whole: &str, name: &str) -> Done {
    ensure(!name.is_empty() && !name.contains('.'), || {
        format!("a name was expected, {whole:?} came")
    })
}

/// A relative path, such as `RouteHops.{i}.Host`.
fn is_argument(name: &str) -> Done {
    ensure(!name.is_empty() && !name.starts_with(ROOT), || {
        format!("a relative path was expected, {name:?} came")
    })
}
