//! GetSupportedDM: what objects, parameters, commands and events there can be. (R-GSP.0)

use std::borrow::Cow;

use usphere_datamodel::declare::{ParameterAccess, Rows};
use usphere_datamodel::model::{ResolvedKind, Sight};
use usphere_datamodel::path::{End, Segment};
use usphere_datamodel::schema::{Kind, Node, ParameterNode};
use usphere_datamodel::types::Base;
use usphere_datamodel::{Access, Fault, FaultKind, NodeId, Path, Rights, SchemaView, Transaction};
use usphere_proto::msg::{
    CmdType, GetSupportedDm, GetSupportedDmResp, ObjAccessType, ParamAccessType, ParamValueType,
    RequestedObjectResult, SupportedCommandResult, SupportedEventResult, SupportedObjectResult,
    SupportedParamResult, SupportedUniqueKeySet, ValueChangeType,
};

use super::Caller;
use super::room::Room;
use crate::codes::{Deed, code_of};

/// The data model that the declarations follow.
const DATA_MODEL_URI: &str = "urn:broadband-forum-org:tr-181-2-19-1-usp";

/// Answers a GetSupportedDM: one result per requested path, in the order asked.
pub(super) fn supported_dm(
    transaction: &mut Transaction<'_>,
    request: &GetSupportedDm,
    caller: &Caller,
) -> GetSupportedDmResp {
    let mut room = Room::new();
    let results = request.obj_paths.iter().map(|path| {
        let found = room.for_path(path).and_then(|left| {
            let mut listing = Listing {
                view: transaction.view(),
                access: &caller.access,
                request,
                objects: Vec::new(),
                room: left,
            };
            for start in starts(transaction, path, &caller.access)? {
                listing.start(&start);
            }
            room.settle(listing.room, path)?;
            Ok(listing.objects)
        });
        match found {
            Ok(supported_objs) => RequestedObjectResult {
                req_obj_path: path.clone(),
                data_model_inst_uri: DATA_MODEL_URI.to_owned(),
                supported_objs,
                ..RequestedObjectResult::default()
            },
            Err(fault) => RequestedObjectResult {
                req_obj_path: path.clone(),
                err_code: code_of(fault.kind, Deed::List).number(),
                err_msg: fault.to_string(),
                ..RequestedObjectResult::default()
            },
        }
    });
    GetSupportedDmResp {
        req_obj_results: results.collect(),
    }
}

/// Where a listing starts: a node, and the instance whose model is asked for, if one was named.
struct Start {
    node: NodeId,
    /// The object's path, which for a member is that of the object it belongs to.
    instance: Option<String>,
}

fn starts(
    transaction: &mut Transaction<'_>,
    text: &str,
    access: &Access,
) -> Result<Vec<Start>, Fault> {
    let path = Path::parse(text)
        .map_err(|error| Fault::new(FaultKind::PathInvalid, text, error.to_string()))?;
    if path.is_schema() {
        let node = find(transaction.view(), &path)
            .filter(|node| access.anywhere(node.id).grants(reading(node)))
            .ok_or_else(|| unsupported(text))?;
        let start = Start {
            node: node.id,
            instance: None,
        };
        return Ok(vec![start]);
    }
    if path.segments.contains(&Segment::Placeholder) {
        let text_of = "a path has either {i} for every instance, or instances";
        return Err(Fault::new(FaultKind::PathInvalid, text, text_of));
    }
    let resolved = transaction.resolve_text(text, Sight::Readable(access))?;
    let mut starts: Vec<Start> = Vec::new();
    for target in &resolved.targets {
        let instance = match resolved.kind {
            ResolvedKind::Table => None,
            _ => Some(transaction.path(target.object).to_owned()),
        };
        // A search may match many instances of one thing, whose models are the same unless they diverge.
        let known = starts.iter().any(|start| start.node == target.node);
        let diverges = transaction.view().divergent(target.node).next().is_some();
        if !known || diverges {
            starts.push(Start {
                node: target.node,
                instance,
            });
        }
    }
    Ok(starts)
}

/// The node of a path of the supported model; `{i}.` may be left out at its end.
fn find<'v>(view: &'v SchemaView, path: &Path) -> Option<&'v Node> {
    let mut segments = path.segments.iter();
    let Some(Segment::Name(root)) = segments.next() else {
        return None;
    };
    let mut at = view.root();
    if *at.name != **root {
        return None;
    }
    let mut in_table = false;
    for segment in segments {
        match segment {
            Segment::Name(name) if !in_table => {
                at = view.node(view.member(at.id, name, None)?);
                in_table = at.object()?.table;
            }
            Segment::Placeholder if in_table => in_table = false,
            _ => return None,
        }
    }
    match &path.end {
        End::Object => Some(at),
        End::Command(name) | End::Event(name) | End::Parameter(name) => {
            let member = view.node(view.member(at.id, name, None).filter(|_| !in_table)?);
            member.object().is_none().then_some(member)
        }
    }
}

fn unsupported(text: &str) -> Fault {
    let why = "the supported data model has no such path";
    Fault::new(FaultKind::PathUnsupported, text, why)
}

fn reading(node: &Node) -> Rights {
    match node.kind {
        Kind::Command(_) | Kind::Event(_) => Rights::COMMAND_READ,
        Kind::Object(_) => Rights::OBJECT_READ,
        Kind::Parameter(_) => Rights::PARAMETER_READ,
    }
}

/// How much of an object is told.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Detail {
    /// All that was asked for.
    Full,
    /// The object and its unique keys: what `first_level_only` tells of the children.
    Bare,
}

struct Listing<'a> {
    view: &'a SchemaView,
    access: &'a Access,
    request: &'a GetSupportedDm,
    objects: Vec<SupportedObjectResult>,
    room: Room,
}

impl Listing<'_> {
    fn start(&mut self, start: &Start) {
        let node = self.view.node(start.node);
        if node.object().is_some() {
            self.object(node.id, start.instance.as_deref(), Detail::Full);
        } else {
            self.member(node);
        }
    }

    /// Lists an object and what is below it. `instance` is the path of the instance that it is asked of.
    fn object(&mut self, id: NodeId, instance: Option<&str>, detail: Detail) {
        let node = self.view.node(id);
        let Some(object) = node.object().filter(|_| !self.room.is_full()) else {
            return;
        };
        let divergent: Vec<String> = match instance {
            Some(_) => Vec::new(),
            None => self.view.divergent(id).map(str::to_owned).collect(),
        };
        let is_divergent = !divergent.is_empty();
        if self.access.anywhere(id).grants(Rights::OBJECT_READ) {
            let mut result = bare(node);
            if is_divergent {
                result.divergent_paths = divergent;
            } else {
                self.describe(node, detail, &mut result);
            }
            self.push(result);
        }
        if is_divergent || detail == Detail::Bare {
            return;
        }
        let below = if self.request.first_level_only {
            Detail::Bare
        } else {
            Detail::Full
        };
        let children: Vec<NodeId> = self.view.objects(id, instance).collect();
        debug_assert!(children.len() >= object.objects.len());
        for child in children {
            let node = self.view.node(child);
            let is_table = node.object().is_some_and(|object| object.table);
            let path = match instance {
                Some(path) if !is_table => Some(Cow::Owned(format!("{path}{}.", node.name))),
                _ => None::<Cow<'_, str>>,
            };
            self.object(child, path.as_deref(), below);
        }
    }

    /// Adds what was asked for of the object's own members.
    fn describe(&self, node: &Node, detail: Detail, result: &mut SupportedObjectResult) {
        let Some(object) = node.object() else { return };
        if self.request.return_unique_key_sets {
            result.unique_key_sets = self.unique_keys(&object.unique);
        }
        if detail == Detail::Bare {
            return;
        }
        if self.request.return_params {
            result.supported_params = self.tell(&object.parameters, parameter);
        }
        if self.request.return_commands {
            result.supported_commands = self.tell(&object.commands, command);
        }
        if self.request.return_events {
            result.supported_events = self.tell(&object.events, event);
        }
    }

    /// Lists one parameter, command or event below its object; the flags make no difference.
    fn member(&mut self, member: &Node) {
        let Some(parent) = member.parent else { return };
        let mut result = bare(self.view.node(parent));
        result.supported_params.extend(parameter(member));
        result.supported_commands.extend(command(member));
        result.supported_events.extend(event(member));
        self.push(result);
    }

    /// The unique keys of which every part may be read.
    fn unique_keys(&self, keys: &[Vec<NodeId>]) -> Vec<SupportedUniqueKeySet> {
        let readable = keys.iter().filter(|key| {
            key.iter()
                .all(|part| self.access.anywhere(*part).grants(Rights::PARAMETER_READ))
        });
        readable
            .map(|key| SupportedUniqueKeySet {
                key_names: key.iter().map(|part| self.name(*part)).collect(),
            })
            .collect()
    }

    /// What `teller` says of each member that may be read.
    fn tell<T>(&self, members: &[NodeId], teller: fn(&Node) -> Option<T>) -> Vec<T> {
        let nodes = members.iter().map(|member| self.view.node(*member));
        let readable = nodes.filter(|node| self.access.anywhere(node.id).grants(reading(node)));
        // Nearly all may be read as a rule: made large enough at once.
        let mut told = Vec::with_capacity(members.len());
        told.extend(readable.filter_map(teller));
        told
    }

    fn name(&self, node: NodeId) -> String {
        self.view.node(node).name.clone().into_string()
    }

    fn push(&mut self, result: SupportedObjectResult) {
        if self.room.take_all(weight(&result), elements(&result)) {
            self.objects.push(result);
        }
    }
}

fn bare(node: &Node) -> SupportedObjectResult {
    let rows = node.object().and_then(|object| object.rows);
    let access = match rows.unwrap_or(Rows::FIXED) {
        Rows {
            addable: true,
            deletable: true,
        } => ObjAccessType::AddDelete,
        Rows {
            addable: true,
            deletable: false,
        } => ObjAccessType::AddOnly,
        Rows {
            addable: false,
            deletable: true,
        } => ObjAccessType::DeleteOnly,
        Rows {
            addable: false,
            deletable: false,
        } => ObjAccessType::ReadOnly,
    };
    SupportedObjectResult {
        supported_obj_path: node.path.clone().into_string(),
        access: access as i32,
        is_multi_instance: node.object().is_some_and(|object| object.table),
        ..SupportedObjectResult::default()
    }
}

fn parameter(node: &Node) -> Option<SupportedParamResult> {
    let parameter = node.parameter()?;
    let access = match parameter.access {
        ParameterAccess::ReadOnly => ParamAccessType::ReadOnly,
        // Being writable once has no word of its own here.
        ParameterAccess::ReadWrite | ParameterAccess::WriteOnce => ParamAccessType::ReadWrite,
    };
    let value_change = if parameter.value_change {
        ValueChangeType::Allowed
    } else {
        ValueChangeType::WillIgnore
    };
    Some(SupportedParamResult {
        param_name: node.name.clone().into_string(),
        access: access as i32,
        value_type: value_type(parameter) as i32,
        value_change: value_change as i32,
    })
}

fn value_type(parameter: &ParameterNode) -> ParamValueType {
    if parameter.value_type.list.is_some() {
        // A list travels as a string, whatever its items are.
        return ParamValueType::String;
    }
    match parameter.value_type.base {
        Base::Base64 => ParamValueType::Base64,
        Base::Boolean => ParamValueType::Boolean,
        Base::DateTime => ParamValueType::DateTime,
        Base::Decimal => ParamValueType::Decimal,
        Base::HexBinary => ParamValueType::HexBinary,
        Base::Int => ParamValueType::Int,
        Base::Long => ParamValueType::Long,
        Base::String => ParamValueType::String,
        Base::UnsignedInt => ParamValueType::UnsignedInt,
        Base::UnsignedLong => ParamValueType::UnsignedLong,
    }
}

fn command(node: &Node) -> Option<SupportedCommandResult> {
    let command = node.command()?;
    let kind = if command.asynchronous {
        CmdType::Async
    } else {
        CmdType::Sync
    };
    Some(SupportedCommandResult {
        command_name: node.name.clone().into_string(),
        input_arg_names: texts(&command.input),
        output_arg_names: texts(&command.output),
        command_type: kind as i32,
    })
}

fn event(node: &Node) -> Option<SupportedEventResult> {
    let event = node.event()?;
    Some(SupportedEventResult {
        event_name: node.name.clone().into_string(),
        arg_names: texts(&event.args),
    })
}

fn texts(names: &[Box<str>]) -> Vec<String> {
    let names = names.iter().cloned();
    names.map(str::into_string).collect()
}

/// About how many bytes a result takes on the wire.
fn weight(result: &SupportedObjectResult) -> usize {
    let sum = |names: &[String]| names.iter().map(|name| name.len() + 2).sum::<usize>();
    let params = &result.supported_params;
    let commands = result.supported_commands.iter().map(|command| {
        command.command_name.len()
            + sum(&command.input_arg_names)
            + sum(&command.output_arg_names)
            + 6
    });
    let events = result.supported_events.iter();
    let keys = result.unique_key_sets.iter();
    result.supported_obj_path.len()
        + 8
        + params
            .iter()
            .map(|param| param.param_name.len() + 10)
            .sum::<usize>()
        + commands.sum::<usize>()
        + events
            .map(|event| event.event_name.len() + sum(&event.arg_names) + 4)
            .sum::<usize>()
        + keys.map(|key| sum(&key.key_names) + 2).sum::<usize>()
        + sum(&result.divergent_paths)
}

/// How many list items and sub-messages a result is, with all in it.
fn elements(result: &SupportedObjectResult) -> usize {
    let commands = result.supported_commands.iter();
    let events = result.supported_events.iter();
    let keys = result.unique_key_sets.iter();
    1 + result.supported_params.len()
        + commands
            .map(|command| 1 + command.input_arg_names.len() + command.output_arg_names.len())
            .sum::<usize>()
        + events.map(|event| 1 + event.arg_names.len()).sum::<usize>()
        + keys.map(|key| 1 + key.key_names.len()).sum::<usize>()
        + result.divergent_paths.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// Each member counts with its texts and what frames them.
    #[test]
    fn a_result_weighs_what_is_in_it() {
        let bare = SupportedObjectResult {
            supported_obj_path: "Device.A.".to_owned(),
            ..SupportedObjectResult::default()
        };
        assert_eq!((weight(&bare), elements(&bare)), (17, 1));
        let check = |change: &dyn Fn(&mut SupportedObjectResult), bytes: usize, items: usize| {
            let mut result = bare.clone();
            change(&mut result);
            assert_eq!(
                (weight(&result), elements(&result)),
                (17 + bytes, 1 + items)
            );
            result
        };
        let params = |result: &mut SupportedObjectResult| {
            let names = texts(&["Abc", "Defgh"]).into_iter();
            let params = names.map(|param_name| SupportedParamResult {
                param_name,
                ..SupportedParamResult::default()
            });
            result.supported_params = params.collect();
        };
        let commands = |result: &mut SupportedObjectResult| {
            result.supported_commands = vec![SupportedCommandResult {
                command_name: "Go()".to_owned(),
                input_arg_names: texts(&["In", "Inner"]),
                output_arg_names: texts(&["Out", "Outer", "Outermost"]),
                ..SupportedCommandResult::default()
            }];
        };
        let events = |result: &mut SupportedObjectResult| {
            result.supported_events = vec![SupportedEventResult {
                event_name: "Gone!".to_owned(),
                arg_names: texts(&["Why", "When"]),
            }];
        };
        let keys = |result: &mut SupportedObjectResult| {
            let names = [texts(&["Alias"]), texts(&["Recipient", "ID"])];
            let keys = names.map(|key_names| SupportedUniqueKeySet { key_names });
            result.unique_key_sets = keys.into();
        };
        let divergent = |result: &mut SupportedObjectResult| {
            result.divergent_paths = texts(&["Device.A.1.", "Device.A.2."]);
        };
        check(&params, (3 + 10) + (5 + 10), 2);
        check(&commands, 4 + (4 + 7) + (5 + 7 + 11) + 6, 1 + 2 + 3);
        check(&events, 5 + (5 + 6) + 4, 1 + 2);
        check(&keys, (7 + 2) + (11 + 4 + 2), (1 + 1) + (1 + 2));
        check(&divergent, 13 + 13, 2);
    }
}
