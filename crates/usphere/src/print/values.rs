//! Values and instances.

use usphere_datamodel::operation::{
    GetOutcome, GetStatus, Instance, InstancesOutcome, InstancesStatus, ObjectValues,
};

use super::{Rendered, clean, columns, failed, nothing};

/// A line for each parameter: its path and its value.
pub(super) fn got(outcome: &GetOutcome) -> Rendered {
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    let mut notes = Vec::new();
    for result in &outcome.results {
        match &result.status {
            GetStatus::Failed(failure) => {
                failures.push(failed(&result.requested, failure.code, &failure.text));
            }
            GetStatus::Found(objects) if objects.is_empty() => {
                notes.push(nothing(&result.requested));
            }
            GetStatus::Found(objects) => rows.extend(objects.iter().flat_map(parameters)),
        }
    }
    Rendered {
        text: columns(&[], rows),
        notes,
        failures,
    }
}

fn parameters(object: &ObjectValues) -> impl Iterator<Item = Vec<String>> {
    object.parameters.iter().map(|(name, value)| {
        let path = format!("{}{name}", object.path);
        vec![clean(&path), clean(value)]
    })
}

/// A line for each row: its path and its unique keys.
pub(super) fn instances(outcome: &InstancesOutcome) -> Rendered {
    let mut rows = Vec::new();
    let mut failures = Vec::new();
    let mut notes = Vec::new();
    for result in &outcome.results {
        match &result.status {
            InstancesStatus::Failed(failure) => {
                failures.push(failed(&result.requested, failure.code, &failure.text));
            }
            InstancesStatus::Found(instances) if instances.is_empty() => {
                notes.push(nothing(&result.requested));
            }
            InstancesStatus::Found(instances) => rows.extend(instances.iter().map(instance)),
        }
    }
    Rendered {
        text: columns(&[], rows),
        notes,
        failures,
    }
}

fn instance(instance: &Instance) -> Vec<String> {
    vec![
        clean(&instance.path),
        super::changes::keys(&instance.unique_keys),
    ]
}
