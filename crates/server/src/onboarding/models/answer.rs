//! An answer from a supported data model that is kept, as the device would give it.

use usphere_datamodel::operation::{
    Supported, SupportedModel, SupportedModelOutcome, SupportedModelResult, SupportedModelStatus,
    SupportedObject,
};

const ROW: &str = "{i}.";

/// What is asked; none where the device has to be asked, as for a path that is not in the model, a single parameter,
/// an instance, or a part that differs from instance to instance.
pub(super) fn answer(model: &Supported, request: &SupportedModel) -> Option<SupportedModelOutcome> {
    let results = request.paths.iter().map(|path| {
        let objects = objects(model, request, path)?;
        Some(SupportedModelResult {
            requested: path.clone(),
            status: SupportedModelStatus::Supported(Supported {
                model_uri: model.model_uri.clone(),
                objects,
            }),
        })
    });
    Some(SupportedModelOutcome {
        results: results.collect::<Option<_>>()?,
    })
}

fn objects(
    model: &Supported,
    request: &SupportedModel,
    path: &str,
) -> Option<Vec<SupportedObject>> {
    if !path.ends_with('.') {
        return None;
    }
    // A table may be named without its `{i}.`
    let row = format!("{path}{ROW}");
    let is_there = |path: &str| model.objects.iter().any(|object| object.path == path);
    let start = match is_there(path) {
        true => path,
        false if is_there(&row) => &row,
        false => return None,
    };
    let mut found = Vec::new();
    for object in &model.objects {
        let Some(below) = object.path.strip_prefix(start) else {
            continue;
        };
        if !object.divergent_paths.is_empty() {
            return None;
        }
        match (request.first_level_only, levels(below)) {
            (_, 0) | (false, _) => found.push(described(object, request)),
            (true, 1) => found.push(bare(object, request)),
            (true, _) => {}
        }
    }
    Some(found)
}

/// How many levels of objects a relative path goes down; a table and its rows are one.
fn levels(below: &str) -> usize {
    below
        .split_terminator('.')
        .filter(|segment| *segment != "{i}")
        .count()
}

fn described(object: &SupportedObject, request: &SupportedModel) -> SupportedObject {
    SupportedObject {
        parameters: wanted(request.parameters, &object.parameters),
        commands: wanted(request.commands, &object.commands),
        events: wanted(request.events, &object.events),
        ..bare(object, request)
    }
}

/// What `first_level_only` tells of the children.
fn bare(object: &SupportedObject, request: &SupportedModel) -> SupportedObject {
    SupportedObject {
        path: object.path.clone(),
        access: object.access,
        multi_instance: object.multi_instance,
        parameters: Vec::new(),
        commands: Vec::new(),
        events: Vec::new(),
        unique_keys: wanted(request.unique_keys, &object.unique_keys),
        divergent_paths: Vec::new(),
    }
}

fn wanted<T: Clone>(is_wanted: bool, all: &[T]) -> Vec<T> {
    if is_wanted { all.to_vec() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use usphere_datamodel::operation::{CommandKind, ObjectAccess, SupportedCommand};

    use super::*;

    fn object(path: &str) -> SupportedObject {
        SupportedObject {
            path: path.into(),
            access: ObjectAccess::ReadOnly,
            multi_instance: path.ends_with(ROW),
            parameters: Vec::new(),
            commands: vec![SupportedCommand {
                name: "Run()".into(),
                kind: CommandKind::Synchronous,
                inputs: Vec::new(),
                outputs: Vec::new(),
            }],
            events: Vec::new(),
            unique_keys: vec![vec!["Alias".into()]],
            divergent_paths: Vec::new(),
        }
    }

    fn model() -> Supported {
        let paths = [
            "Device.",
            "Device.IP.",
            "Device.IP.Interface.{i}.",
            "Device.IP.Interface.{i}.Stats.",
            "Device.IP.InterfaceExtra.",
            "Device.Services.{i}.",
        ];
        let mut objects = paths.map(object).to_vec();
        objects[5].divergent_paths = vec!["Device.Services.1.".into()];
        Supported {
            model_uri: "urn:model".into(),
            objects,
        }
    }

    fn told(request: &SupportedModel) -> Option<Vec<SupportedObject>> {
        let mut outcome = answer(&model(), request)?;
        match outcome.results.remove(0).status {
            SupportedModelStatus::Supported(supported) => Some(supported.objects),
            SupportedModelStatus::Failed(_) => None,
        }
    }

    fn paths(request: &SupportedModel) -> Option<Vec<String>> {
        let objects = told(request)?.into_iter();
        Some(objects.map(|object| object.path).collect())
    }

    #[test]
    fn a_part_is_told_with_all_below_it() {
        let below = Some(vec![
            "Device.IP.Interface.{i}.".to_owned(),
            "Device.IP.Interface.{i}.Stats.".to_owned(),
        ]);
        for path in ["Device.IP.Interface.", "Device.IP.Interface.{i}."] {
            assert_eq!(paths(&SupportedModel::all([path])), below);
        }
    }

    #[test]
    fn the_first_level_is_the_object_and_its_bare_children() {
        let request = SupportedModel {
            first_level_only: true,
            ..SupportedModel::all(["Device.IP."])
        };
        let told = told(&request).unwrap();
        let paths: Vec<&str> = told.iter().map(|object| &*object.path).collect();
        let expected = [
            "Device.IP.",
            "Device.IP.Interface.{i}.",
            "Device.IP.InterfaceExtra.",
        ];
        assert_eq!(paths, expected);
        assert_eq!(told[0].commands.len(), 1);
        assert!(told[1].commands.is_empty());
        assert_eq!(told[1].unique_keys.len(), 1);
    }

    #[test]
    fn only_what_was_asked_for_is_told() {
        let request = SupportedModel {
            commands: false,
            unique_keys: false,
            ..SupportedModel::all(["Device.IP."])
        };
        for object in told(&request).unwrap() {
            assert!(object.commands.is_empty() && object.unique_keys.is_empty());
        }
    }

    #[test]
    fn what_is_not_sure_is_left_to_the_device() {
        for path in [
            "Device.",
            "Device.Services.",
            "Device.IP.Interface.1.",
            "Device.Nothing.",
            "Device.IP.Run()",
            "",
        ] {
            assert_eq!(paths(&SupportedModel::all([path])), None, "{path}");
        }
        assert!(paths(&SupportedModel::all(["Device.IP.", "Device.Nothing."])).is_none());
    }
}
