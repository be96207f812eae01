//! What the Agent under test has, as it says itself.

use std::collections::{BTreeMap, BTreeSet};

use usphere_proto::msg::{CmdType, ObjAccessType, SupportedObjectResult};

/// What the Agent under test has: its supported data model, and the versions that it speaks.
#[derive(Clone, Debug, Default)]
pub struct Features {
    objects: BTreeMap<String, SupportedObjectResult>,
    /// Objects, parameters, commands and events by their paths with `{i}`.
    names: BTreeSet<String>,
    /// Versions of USP, separated by commas.
    pub versions: String,
    /// Version of the Agent's software.
    pub software: String,
    /// Instance number of the row of `Device.LocalAgent.Controller.` that is us.
    pub controller: String,
    /// Transports that it offers, of `Device.LocalAgent.SupportedProtocols`.
    pub protocols: Vec<String>,
}

impl Features {
    /// Of an Agent that supports these objects.
    pub fn new(objects: Vec<SupportedObjectResult>) -> Self {
        let mut features = Self::default();
        for object in objects {
            let path = object.supported_obj_path.clone();
            let parameters = object.supported_params.iter().map(|one| &one.param_name);
            let commands = object
                .supported_commands
                .iter()
                .map(|one| &one.command_name);
            let events = object.supported_events.iter().map(|one| &one.event_name);
            let all = parameters.chain(commands).chain(events);
            features
                .names
                .extend(all.map(|name| format!("{path}{name}")));
            features.names.insert(path.clone());
            features.objects.insert(path, object);
        }
        features
    }

    /// Whether there is such an object (with its dot), parameter, command (with `()`) or event (with `!`);
    /// `{i}` stands for instance numbers.
    pub fn has(&self, path: &str) -> bool {
        self.names.contains(&supported(path))
    }

    /// The object at this path.
    pub fn object(&self, path: &str) -> Option<&SupportedObjectResult> {
        self.objects.get(&supported(path))
    }

    /// Every object.
    pub fn objects(&self) -> impl Iterator<Item = &SupportedObjectResult> {
        self.objects.values()
    }

    /// Whether Controllers may add rows to the table, whose path may lack its `{i}.`
    pub fn can_add(&self, table: &str) -> bool {
        let row = self.object(table).filter(|object| object.is_multi_instance);
        let row = row.or_else(|| self.object(&format!("{table}{{i}}.")));
        row.is_some_and(|object| {
            [ObjAccessType::AddDelete, ObjAccessType::AddOnly]
                .map(|access| access as i32)
                .contains(&object.access)
        })
    }

    /// Whether the command is there, and how it ends.
    pub fn command(&self, path: &str) -> Option<CmdType> {
        let path = supported(path);
        let (object, name) = path.rsplit_once('.')?;
        let object = self.objects.get(&format!("{object}."))?;
        let command = object
            .supported_commands
            .iter()
            .find(|command| command.command_name == name)?;
        CmdType::try_from(command.command_type).ok()
    }
}

/// The path with `{i}` in place of instance numbers and search expressions.
fn supported(path: &str) -> String {
    let mut steps = Vec::new();
    for step in path.split('.') {
        let is_row = step.starts_with(|first: char| first.is_ascii_digit()) || step == "*";
        steps.push(if is_row { "{i}" } else { step });
    }
    steps.join(".")
}

#[cfg(test)]
mod tests {
    use usphere_proto::msg::SupportedParamResult;

    use super::*;

    #[test]
    fn what_an_agent_has_is_found_by_instance_and_supported_paths() {
        let object = SupportedObjectResult {
            supported_obj_path: "Device.A.{i}.".to_owned(),
            access: ObjAccessType::AddDelete as i32,
            is_multi_instance: true,
            supported_params: vec![SupportedParamResult {
                param_name: "B".to_owned(),
                ..SupportedParamResult::default()
            }],
            ..SupportedObjectResult::default()
        };
        let features = Features::new(vec![object]);
        assert!(features.has("Device.A.{i}.B") && features.has("Device.A.12.B"));
        assert!(features.has("Device.A.3.") && !features.has("Device.A.3.C"));
        assert!(features.can_add("Device.A.") && !features.can_add("Device.B."));
    }
}
