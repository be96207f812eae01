//! Something that happened and that Subscriptions may be about.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use usphere_datamodel::model::{Change, Outputs};
use usphere_datamodel::{NodeId, SchemaView};
use usphere_proto::msg::{
    CommandFailure, CompletionOutcome, Event, Notification, ObjectCreation, ObjectDeletion,
    OperationComplete, OutputArgs, ValueChange,
};

use super::Occurrence;

/// What a Subscription is about, its NotifType. (TR-181 2.19)
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Event,
    ObjectCreation,
    ObjectDeletion,
    OperationComplete,
    ValueChange,
}

impl Kind {
    pub(super) const COUNT: usize = 5;

    /// The NotifType that is written like this.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "Event" => Self::Event,
            "ObjectCreation" => Self::ObjectCreation,
            "ObjectDeletion" => Self::ObjectDeletion,
            "OperationComplete" => Self::OperationComplete,
            "ValueChange" => Self::ValueChange,
            _ => return None,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Event => "Event",
            Self::ObjectCreation => "ObjectCreation",
            Self::ObjectDeletion => "ObjectDeletion",
            Self::OperationComplete => "OperationComplete",
            Self::ValueChange => "ValueChange",
        })
    }
}

/// Something that happened.
#[derive(Debug)]
pub(super) struct Matter {
    /// The path of the object that it happened to.
    pub(super) object: String,
    /// The parameter, command or event, or the table whose row it is about.
    pub(super) node: NodeId,
    /// The instance numbers in the path.
    pub(super) rows: Vec<u32>,
    /// The one Controller that is to hear of it; `None` for all.
    pub(super) only: Option<u32>,
    /// How many Subscriptions in a row have triggered it.
    pub(super) depth: u8,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Completed {
        command: String,
        command_key: String,
        result: Result<Outputs, (u32, String)>,
    },
    /// A row was added; with it values that it was given, by name.
    Created(BTreeMap<String, String>),
    Deleted,
    Event {
        name: String,
        parameters: BTreeMap<String, String>,
    },
    Value(String),
}

impl Matter {
    fn new(object: String, node: NodeId, what: What) -> Self {
        Self {
            rows: rows_of(&object),
            object,
            node,
            only: None,
            depth: 0,
            what,
        }
    }

    /// What happened by an occurrence, if the supported model has such a thing.
    pub(super) fn of(occurrence: &Occurrence, view: &SchemaView) -> Option<Self> {
        let member = |object: &str, name: &str| {
            let node = view.find(object)?;
            view.member(node.id, name, Some(object))
        };
        match occurrence {
            Occurrence::Complete {
                object,
                command,
                command_key,
                result,
            } => {
                let node = member(object, command)?;
                let what = What::Completed {
                    command: command.clone(),
                    command_key: command_key.clone(),
                    result: result.clone(),
                };
                Some(Self::new(object.clone(), node, what))
            }
            Occurrence::Event {
                object,
                name,
                parameters,
                only,
            } => {
                let node = member(object, name)?;
                let what = What::Event {
                    name: name.clone(),
                    parameters: parameters.clone(),
                };
                Some(Self {
                    only: *only,
                    ..Self::new(object.clone(), node, what)
                })
            }
            Occurrence::OnBoard { .. } => None,
        }
    }

    /// What happened by changes of the data model that were made together. What a new row is given is part
    /// of its creation, and no change of a value.
    /// `depth` Subscriptions in a row have triggered them.
    pub(super) fn of_changes(changes: &[Change], depth: u8, view: &SchemaView) -> Vec<Self> {
        let added = changes.iter().filter_map(|change| match change {
            Change::Added { path, .. } => Some(&**path),
            Change::Deleted { .. } | Change::Set { .. } => None,
        });
        let mut added: HashMap<&str, BTreeMap<String, String>> =
            added.map(|path| (path, BTreeMap::new())).collect();
        for change in changes {
            if let Change::Set {
                object, node, new, ..
            } = change
                && let Some(given) = added.get_mut(&**object)
            {
                given.insert(view.node(*node).name.clone().into_string(), new.clone());
            }
        }
        let is_new =
            |object: &str| !added.is_empty() && prefixes(object).any(|at| added.contains_key(at));
        let is_told = |node: NodeId| {
            let parameter = view.node(node).parameter();
            parameter.is_some_and(|parameter| parameter.value_change)
        };
        let matters = changes.iter().filter_map(|change| match change {
            Change::Added { path, node } => {
                let given = added.get(&**path).cloned().unwrap_or_default();
                Some(Self::new(path.clone(), *node, What::Created(given)))
            }
            Change::Deleted { path, node } => Some(Self::new(path.clone(), *node, What::Deleted)),
            Change::Set {
                object, node, new, ..
            } => (!is_new(object) && is_told(*node))
                .then(|| Self::new(object.clone(), *node, What::Value(new.clone()))),
        });
        matters.map(|matter| Self { depth, ..matter }).collect()
    }

    pub(super) fn kind(&self) -> Kind {
        match self.what {
            What::Completed { .. } => Kind::OperationComplete,
            What::Created(_) => Kind::ObjectCreation,
            What::Deleted => Kind::ObjectDeletion,
            What::Event { .. } => Kind::Event,
            What::Value(_) => Kind::ValueChange,
        }
    }

    /// What a Notify says about it. `keys` are the unique keys of a new row that the recipient may read;
    /// what is `hidden` from it reads as empty.
    pub(super) fn notification(
        &self,
        view: &SchemaView,
        keys: BTreeMap<String, String>,
        hidden: bool,
    ) -> Notification {
        let obj_path = self.object.clone();
        match &self.what {
            What::Completed {
                command,
                command_key,
                result,
            } => Notification::OperComplete(OperationComplete {
                obj_path,
                command_name: command.clone(),
                command_key: command_key.clone(),
                operation_resp: Some(match result {
                    Ok(outputs) => {
                        CompletionOutcome::ReqOutputArgs(OutputArgs::from(outputs.clone()))
                    }
                    Err((code, text)) => {
                        CompletionOutcome::CmdFailure(CommandFailure::new(*code, &**text))
                    }
                }),
            }),
            What::Created(_) => Notification::ObjCreation(ObjectCreation {
                obj_path,
                unique_keys: keys,
            }),
            What::Deleted => Notification::ObjDeletion(ObjectDeletion { obj_path }),
            What::Event { name, parameters } => Notification::Event(Event {
                obj_path,
                event_name: name.clone(),
                params: parameters.clone(),
            }),
            What::Value(value) => Notification::ValueChange(ValueChange {
                param_path: format!("{}{}", self.object, view.node(self.node).name),
                param_value: if hidden { String::new() } else { value.clone() },
            }),
        }
    }
}

/// The instance numbers in a path.
fn rows_of(path: &str) -> Vec<u32> {
    path.split('.')
        .filter_map(|step| step.parse().ok())
        .collect()
}

/// The path itself and those of the objects above it.
pub(super) fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let dots = path.match_indices('.').map(|(at, _)| &path[..=at]);
    let whole = (!path.ends_with('.')).then_some(path);
    dots.chain(whole)
}
