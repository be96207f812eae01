//! What several handlers do alike.

use std::borrow::Cow;
use std::collections::BTreeMap;

use usphere_datamodel::{
    Access, Fault, FaultKind, NodeId, ObjectId, Rights, Transaction, limits::Clipped,
};
use usphere_proto::ErrorCode;
use usphere_proto::msg::{OperationFailure, ParamError, ParameterError};

use super::Answer;
use super::limits::{PARAM_ERRS_MAX, TARGETS_MAX};
use crate::codes::{Deed, code_of};

/// The path of an object as it came, with the dot at its end that some leave out.
pub(super) fn object_text(text: &str) -> Cow<'_, str> {
    if text.ends_with('.') {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{text}."))
    }
}

/// Whether `access` may read the parameter.
pub(super) fn is_readable(
    transaction: &mut Transaction<'_>,
    access: &Access,
    object: ObjectId,
    parameter: NodeId,
) -> bool {
    transaction
        .rights(access, parameter, object)
        .grants(Rights::PARAMETER_READ)
}

/// The value of a parameter as `access` gets to see it: secured ones are empty without a secured role.
///
/// # Errors
/// When its owner failed or did not answer.
pub(crate) fn shown<'t>(
    transaction: &'t mut Transaction<'_>,
    access: &Access,
    object: ObjectId,
    parameter: NodeId,
) -> Result<&'t str, Fault> {
    let secured = transaction
        .node(parameter)
        .parameter()
        .is_some_and(|parameter| parameter.secured);
    if secured && !access.is_secured() {
        return Ok("");
    }
    transaction.value(object, parameter)
}

/// The unique keys of a row that `access` may read, by name. (R-ADD.6, R-GIN.1)
pub(crate) fn unique_keys(
    transaction: &mut Transaction<'_>,
    access: &Access,
    row: ObjectId,
) -> BTreeMap<String, String> {
    let Some(object) = transaction.node_of(row).object() else {
        return BTreeMap::new();
    };
    let mut keys = BTreeMap::new();
    for parameter in object.unique.iter().flatten() {
        if is_readable(transaction, access, row, *parameter) {
            let name = transaction.node(*parameter).name.clone().into_string();
            let value = shown(transaction, access, row, *parameter).unwrap_or_default();
            keys.insert(name, value.to_owned());
        }
    }
    keys
}

/// The parameter `name` of `object`, or of a single object below it: `Stats.Reset`.
///
/// # Errors
/// [`FaultKind::ParameterUnsupported`] when there is none.
pub(super) fn relative(
    transaction: &mut Transaction<'_>,
    object: ObjectId,
    name: &str,
) -> Result<(ObjectId, NodeId), Fault> {
    let mut at = object;
    let mut steps = name.split('.').peekable();
    while let Some(step) = steps.next() {
        let found = if steps.peek().is_some() {
            let child = transaction.member(at, step);
            child.and_then(|child| transaction.single(at, child))
        } else {
            match transaction.parameter(at, step) {
                Some(parameter) => return Ok((at, parameter)),
                None => None,
            }
        };
        match found {
            Some(child) => at = child,
            None => break,
        }
    }
    let path = format!("{}{}", transaction.path(object), clip(name));
    Err(Fault::new(
        FaultKind::ParameterUnsupported,
        path,
        "the object has no such parameter",
    ))
}

/// Whether a path that means `number` objects may do so to them, which `deed` says: "updates".
///
/// # Errors
/// When they are too many.
pub(super) fn check_number(number: usize, path: &str, deed: &str) -> Result<(), Fault> {
    if number <= TARGETS_MAX {
        return Ok(());
    }
    let text = format!("this {deed} more than {TARGETS_MAX} objects");
    Err(Fault::new(FaultKind::ResourcesExceeded, path, text))
}

/// A name from the peer, short enough to repeat.
fn clip(name: &str) -> Cow<'_, str> {
    if name.len() <= 256 {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(Clipped::new(name).to_string())
    }
}

/// Something of a request that failed: an object, a path, or some of an object's parameters.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// The code of the whole.
    pub(super) code: ErrorCode,
    /// What went wrong, for people.
    pub(super) text: String,
    /// The objects and parameters at fault.
    pub(super) details: Vec<ParamError>,
}

impl Failure {
    /// The failure of the object at `path`, or of a path as it was asked for.
    pub(super) fn new(path: &str, fault: &Fault, deed: Deed) -> Self {
        let code = code_of(fault.kind, deed);
        Self {
            code,
            text: fault.to_string(),
            details: vec![ParamError::new(path, code, &*fault.text)],
        }
    }

    /// As part of a response.
    pub(super) fn into_operation_failure(self) -> OperationFailure {
        OperationFailure::new(self.code, self.text)
    }
}

/// The error of one parameter as part of a response. `name` is as it was asked for.
pub(super) fn parameter_error(name: &str, fault: &Fault, deed: Deed) -> ParameterError {
    ParameterError::new(name, code_of(fault.kind, deed), &*fault.text)
}

/// The Error Message of a request that fails as a whole because of `failures`: the first gives the code.
/// (R-ADD.1, R-SET.1, R-DEL.1)
pub(super) fn refusal(failures: Vec<Failure>) -> Answer {
    let more = failures.len().saturating_sub(1);
    let mut failures = failures.into_iter();
    let Some(first) = failures.next() else {
        return Answer::error(ErrorCode::MessageFailed, "the request failed");
    };
    let mut text = first.text;
    if more > 0 {
        text.push_str(&format!(" (and {more} more)"));
    }
    let mut param_errs = first.details;
    param_errs.extend(failures.flat_map(|failure| failure.details));
    param_errs.truncate(PARAM_ERRS_MAX);
    Answer::Error {
        code: first.code,
        text,
        param_errs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_mean_so_many_objects_and_no_more() {
        assert_eq!(check_number(TARGETS_MAX, "Device.", "updates"), Ok(()));
        for number in [TARGETS_MAX + 1, TARGETS_MAX + 2] {
            let fault = check_number(number, "Device.", "updates").unwrap_err();
            assert_eq!(fault.kind, FaultKind::ResourcesExceeded);
            assert_eq!(fault.text, "this updates more than 10000 objects");
        }
    }

    #[test]
    fn names_are_repeated_as_they_are_unless_they_are_long() {
        assert_eq!(clip("Nonsense"), "Nonsense");
        let most = "x".repeat(256);
        assert_eq!(clip(&most), most);
        let longer = "y".repeat(10_000);
        let clipped = clip(&longer);
        assert!(
            clipped.contains("yyy") && clipped.len() < 1_000,
            "{clipped}"
        );
    }

    #[test]
    fn a_refusal_says_how_many_reasons_it_has() {
        let failure = |name: &str| {
            let fault = Fault::new(FaultKind::ValueInvalid, name, "no");
            Failure::new(name, &fault, Deed::Set)
        };
        let text = |names: &[&str]| match refusal(names.iter().map(|name| failure(name)).collect())
        {
            Answer::Error {
                text, param_errs, ..
            } => (text, param_errs.len()),
            other => panic!("{other:?}"),
        };
        let (one, errors) = text(&["a"]);
        assert!(!one.contains("more") && errors == 1, "{one}");
        let (three, errors) = text(&["a", "b", "c"]);
        assert!(three.ends_with("(and 2 more)") && errors == 3, "{three}");
    }
}
