//! Requests of every kind over the Agent's own schema, most of them sensible.

use std::collections::BTreeMap;

use usphere_datamodel::schema::Kind;
use usphere_datamodel::{Schema, ValueType};
use usphere_proto::msg::*;

use crate::random::Script;
use crate::seeds;

/// What paths are made of: the supported data model, by kind.
pub(super) struct Words {
    objects: Vec<String>,
    parameters: Vec<String>,
    /// The type of each of `parameters`.
    types: Vec<ValueType>,
    commands: Vec<String>,
    events: Vec<String>,
}

/// What a path is to mean.
#[derive(Clone, Copy)]
enum Meaning {
    Command,
    Object,
    Parameter,
    Row,
    Table,
}

const VALUES: [&str; 24] = [
    "true",
    "false",
    "1",
    "0",
    "2",
    "a1",
    "a2",
    "cpe-1",
    "Living",
    "Device.Room.1",
    "Device.Room.2.",
    "Device.Room.1,Device.Room.2",
    "Device.LocalAgent.ControllerTrust.Role.1",
    "Device.LocalAgent.ControllerTrust.Role.2.",
    "Device.LocalAgent.ControllerTrust.Role.1,Device.LocalAgent.ControllerTrust.Role.2",
    "Device.LocalAgent.",
    "Device.Room.*.Name,Device.LocalAgent.Controller.[Enable==true].",
    "rw-n",
    "r---",
    "----",
    "self::c1",
    "self::c4",
    "WebSocket",
    "",
];

const ROWS: [&str; 12] = [
    "1",
    "2",
    "3",
    "*",
    "*",
    "[Alias==\"cpe-1\"]",
    "[Enable==true]",
    "[Alias!=\"a1\"&&Enable==false]",
    "[Name~=\"x\"]",
    "{i}",
    "4294967295",
    "",
];

impl Words {
    pub(super) fn of(schema: &Schema) -> Self {
        let mut words = Self {
            objects: Vec::new(),
            parameters: Vec::new(),
            types: Vec::new(),
            commands: Vec::new(),
            events: Vec::new(),
        };
        for node in schema.nodes() {
            let list = match &node.kind {
                Kind::Object(_) => &mut words.objects,
                Kind::Parameter(_) => &mut words.parameters,
                Kind::Command(_) => &mut words.commands,
                Kind::Event(_) => &mut words.events,
            };
            list.push(node.path.to_string());
            words
                .types
                .extend(node.parameter().map(|parameter| parameter.value_type));
        }
        words
    }

    /// A request of any kind.
    pub(super) fn request(&self, script: &mut Script<'_>) -> RequestType {
        match script.below(16) {
            0..=2 => Get {
                param_paths: self.paths(Meaning::Parameter, script),
                max_depth: script.below(4) as u32,
            }
            .into(),
            3..=5 => self.set(script).into(),
            6..=8 => self.add(script).into(),
            9 | 10 => Delete {
                allow_partial: script.chance(50),
                obj_paths: self.paths(Meaning::Row, script),
            }
            .into(),
            11 => self.operate(script).into(),
            12 => GetInstances {
                obj_paths: self.paths(Meaning::Table, script),
                first_level_only: script.chance(50),
            }
            .into(),
            13 => self.supported(script).into(),
            14 => GetSupportedProtocol {
                controller_supported_protocol_versions: "1.4,1.3".into(),
            }
            .into(),
            _ => self.unusual(script),
        }
    }

    fn set(&self, script: &mut Script<'_>) -> Set {
        let update = |script: &mut Script<'_>| {
            let (obj_path, values) = self.object_and_values(Meaning::Row, script);
            let setting = |(param, value)| UpdateParamSetting {
                param,
                value,
                required: script.chance(50),
            };
            UpdateObject {
                obj_path,
                param_settings: values.into_iter().map(setting).collect(),
            }
        };
        let count = 1 + script.below(3);
        Set {
            allow_partial: script.chance(50),
            update_objs: (0..count).map(|_| update(script)).collect(),
        }
    }

    fn add(&self, script: &mut Script<'_>) -> Add {
        let create = |script: &mut Script<'_>| {
            let (obj_path, values) = self.object_and_values(Meaning::Table, script);
            let setting = |(param, value)| CreateParamSetting {
                param,
                value,
                required: script.chance(50),
            };
            CreateObject {
                obj_path,
                param_settings: values.into_iter().map(setting).collect(),
            }
        };
        let count = 1 + script.below(3);
        Add {
            allow_partial: script.chance(50),
            create_objs: (0..count).map(|_| create(script)).collect(),
        }
    }

    fn operate(&self, script: &mut Script<'_>) -> Operate {
        let mut input_args = BTreeMap::new();
        for name in ["Cause", "Wet", "Nonsense"] {
            if script.chance(40) {
                input_args.insert(name.to_owned(), value(script));
            }
        }
        Operate {
            command: self.path(Meaning::Command, script),
            command_key: value(script),
            send_resp: script.chance(70),
            input_args,
        }
    }

    fn supported(&self, script: &mut Script<'_>) -> GetSupportedDm {
        GetSupportedDm {
            obj_paths: self.paths(Meaning::Object, script),
            first_level_only: script.chance(50),
            return_commands: script.chance(50),
            return_events: script.chance(50),
            return_params: script.chance(50),
            return_unique_key_sets: script.chance(50),
        }
    }

    /// What a Controller does not ask an Agent, or seldom.
    fn unusual(&self, script: &mut Script<'_>) -> RequestType {
        match script.below(3) {
            0 => Deregister {
                paths: self.paths(Meaning::Object, script),
            }
            .into(),
            1 => Register {
                allow_partial: true,
                reg_paths: vec![RegistrationPath {
                    path: "Device.X.".into(),
                }],
            }
            .into(),
            _ => Notify {
                subscription_id: value(script),
                send_resp: true,
                notification: None,
            }
            .into(),
        }
    }

    fn paths(&self, meaning: Meaning, script: &mut Script<'_>) -> Vec<String> {
        let count = [1, 1, 1, 2, 3, 0][script.below(6)];
        (0..count).map(|_| self.path(meaning, script)).collect()
    }

    /// An object's path and values for some of its parameters, now and then for others.
    fn object_and_values(
        &self,
        meaning: Meaning,
        script: &mut Script<'_>,
    ) -> (String, Vec<(String, String)>) {
        let supported = one(&self.objects, script);
        let is_own = |path: &str| {
            path.strip_prefix(supported)
                .is_some_and(|name| !name.contains('.'))
        };
        let own: Vec<usize> = (0..self.parameters.len())
            .filter(|at| is_own(&self.parameters[*at]))
            .collect();
        let mut values = Vec::new();
        for _ in 0..script.below(4) {
            let at = if own.is_empty() || script.chance(5) {
                script.below(self.parameters.len())
            } else {
                own[script.below(own.len())]
            };
            let name = self.parameters[at].rsplit('.').next().unwrap_or_default();
            let value = if script.chance(80) {
                typed_value(&self.types[at], script)
            } else {
                value(script)
            };
            values.push((name.to_owned(), value));
        }
        (instantiate(supported, meaning, script), values)
    }

    fn path(&self, meaning: Meaning, script: &mut Script<'_>) -> String {
        if script.chance(6) {
            return seeds::WORDS[script.below(seeds::WORDS.len())].to_owned();
        }
        let list = match meaning {
            _ if script.chance(6) => &self.events,
            Meaning::Command => &self.commands,
            Meaning::Parameter if script.chance(60) => &self.parameters,
            _ => &self.objects,
        };
        instantiate(one(list, script), meaning, script)
    }
}

/// Puts rows in the place of `{i}`.
fn instantiate(supported: &str, meaning: Meaning, script: &mut Script<'_>) -> String {
    let keeps_last = matches!(meaning, Meaning::Table) && script.chance(90);
    let supported = match supported.strip_suffix("{i}.") {
        Some(table) if keeps_last => table,
        _ => supported,
    };
    let mut path = String::new();
    for (index, part) in supported.split("{i}").enumerate() {
        if index > 0 {
            let is_schema = matches!(meaning, Meaning::Object) && script.chance(80);
            path += if is_schema {
                "{i}"
            } else {
                ROWS[script.below(ROWS.len())]
            };
        }
        path += part;
    }
    if script.chance(4) {
        path = path
            .replacen(".AssignedRole", ".AssignedRole+.Name", 1)
            .replacen(".Next", ".Next+.Doors#*+.Name", 1);
    }
    if script.chance(3) {
        path.truncate(script.below(path.len() + 1));
    }
    path
}

fn value(script: &mut Script<'_>) -> String {
    if script.chance(12) {
        return seeds::WORDS[script.below(seeds::WORDS.len())].to_owned();
    }
    VALUES[script.below(VALUES.len())].to_owned()
}

/// The first value from a random one on that is of the type.
fn typed_value(value_type: &ValueType, script: &mut Script<'_>) -> String {
    if let Some(choice) = script.pick(value_type.choices) {
        return choice.to_owned();
    }
    let start = script.below(VALUES.len());
    let mut values = VALUES.iter().cycle().skip(start).take(VALUES.len());
    let found = values.find(|value| value_type.canonical(value).is_ok());
    (*found.unwrap_or(&"")).to_owned()
}

fn one<'a>(list: &'a [String], script: &mut Script<'_>) -> &'a str {
    list.get(script.below(list.len()))
        .map_or("Device.", String::as_str)
}
