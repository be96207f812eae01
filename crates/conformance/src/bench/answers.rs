//! Looking at answers: each helper says what was expected and what came.

use std::collections::BTreeMap;
use std::fmt::Debug;

use usphere_proto::msg::{
    AddOutcome, AddSuccess, CreatedObjectResult, DeleteOutcome, DeleteSuccess, DeletedObjectResult,
    OperateResp, OperationFailure, OperationOutcome, OperationResult, RequestedPathResult,
    SetFailure, SetOutcome, SetSuccess, UpdatedInstanceResult, UpdatedObjectResult,
};
use usphere_proto::{MsgType, code_name};

use super::{Bench, appropriate};
use crate::stop::{Done, Stop};

/// Fails with the reason unless the condition is met.
///
/// # Errors
/// It is not.
pub fn ensure(met: bool, reason: impl FnOnce() -> String) -> Done {
    match met {
        true => Ok(()),
        false => Err(Stop::Failed(reason())),
    }
}

/// Both are the same.
///
/// # Errors
/// They are not.
pub fn equal<T: PartialEq + Debug + ?Sized>(what: &str, came: &T, expected: &T) -> Done {
    ensure(came == expected, || {
        format!("{what}: {expected:?} was expected, {came:?} came")
    })
}

/// There are so many of them.
///
/// # Errors
/// There are more or fewer.
pub fn exactly<T>(what: &str, items: &[T], count: usize) -> Done {
    let came = items.len();
    ensure(came == count, || {
        format!("{what}: {count} were expected, {came} came")
    })
}

/// The one that there is.
///
/// # Errors
/// There is none, or another one beside it.
pub fn only<'a, T>(what: &str, items: &'a [T]) -> Result<&'a T, Stop> {
    exactly(what, items, 1)?;
    Ok(&items[0])
}

/// Whether two texts are the same value: `1` and `true` are.
pub fn same_value(one: &str, other: &str) -> bool {
    let plain = |text| match text {
        "1" => "true",
        "0" => "false",
        text => text,
    };
    one == other || plain(one) == plain(other)
}

/// The value of a parameter among those that came.
///
/// # Errors
/// It is not among them.
pub fn value_in<'a>(values: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str, Stop> {
    values.get(name).map(String::as_str).ok_or_else(|| {
        let came: Vec<&str> = values.keys().map(String::as_str).collect();
        Stop::Failed(format!("{name} was expected, only {came:?} came"))
    })
}

fn unset() -> Stop {
    Stop::failed("oper_status: oper_success or oper_failure was expected, neither came")
}

fn refused(path: &str, code: u32, text: &str) -> Stop {
    Stop::Failed(format!(
        "{path}: oper_success was expected, oper_failure {code} ({}) {text} came",
        code_name(code)
    ))
}

fn accepted(path: &str) -> Stop {
    Stop::Failed(format!(
        "{path}: oper_failure was expected, oper_success came"
    ))
}

/// One result of an Add.
pub trait CreatedResult {
    /// What was created.
    ///
    /// # Errors
    /// Nothing was.
    fn created(&self) -> Result<&AddSuccess, Stop>;

    /// Why nothing was created; the code is appropriate.
    ///
    /// # Errors
    /// Something was, or the code is none of an Add.
    fn failure(&self) -> Result<&OperationFailure, Stop>;
}

impl CreatedResult for CreatedObjectResult {
    fn created(&self) -> Result<&AddSuccess, Stop> {
        match self.outcome().ok_or_else(unset)? {
            AddOutcome::OperSuccess(success) => Ok(success),
            AddOutcome::OperFailure(failure) => Err(refused(
                &self.requested_path,
                failure.err_code,
                &failure.err_msg,
            )),
        }
    }

    fn failure(&self) -> Result<&OperationFailure, Stop> {
        match self.outcome().ok_or_else(unset)? {
            AddOutcome::OperSuccess(_) => Err(accepted(&self.requested_path)),
            AddOutcome::OperFailure(failure) => {
                appropriate(failure.err_code, MsgType::Add)?;
                Ok(failure)
            }
        }
    }
}

/// One result of a Set.
pub trait SetResult {
    /// What was changed.
    ///
    /// # Errors
    /// Nothing was.
    fn updated(&self) -> Result<&SetSuccess, Stop>;

    /// Why nothing was changed; the code is appropriate.
    ///
    /// # Errors
    /// Something was, or the code is none of a Set.
    fn failure(&self) -> Result<&SetFailure, Stop>;
}

impl SetResult for UpdatedObjectResult {
    fn updated(&self) -> Result<&SetSuccess, Stop> {
        match self.outcome().ok_or_else(unset)? {
            SetOutcome::OperSuccess(success) => Ok(success),
            SetOutcome::OperFailure(failure) => Err(refused(
                &self.requested_path,
                failure.err_code,
                &failure.err_msg,
            )),
        }
    }

    fn failure(&self) -> Result<&SetFailure, Stop> {
        match self.outcome().ok_or_else(unset)? {
            SetOutcome::OperSuccess(_) => Err(accepted(&self.requested_path)),
            SetOutcome::OperFailure(failure) => {
                appropriate(failure.err_code, MsgType::Set)?;
                Ok(failure)
            }
        }
    }
}

/// One object that a Set has changed.
pub trait UpdatedResult {
    /// It is the object at `path`, and just this parameter was changed.
    ///
    /// # Errors
    /// Another, or others.
    fn is_only(&self, path: &str, name: &str) -> Done;
}

impl UpdatedResult for UpdatedInstanceResult {
    fn is_only(&self, path: &str, name: &str) -> Done {
        equal("affected_path", self.affected_path.as_str(), path)?;
        let names: Vec<&str> = self.updated_params.keys().map(String::as_str).collect();
        equal("the names in updated_params", names.as_slice(), &[name])
    }
}

/// One result of a Delete.
pub trait DeletedResult {
    /// What was deleted.
    ///
    /// # Errors
    /// The path failed.
    fn deleted(&self) -> Result<&DeleteSuccess, Stop>;

    /// Why nothing was deleted; the code is appropriate.
    ///
    /// # Errors
    /// Something was, or the code is none of a Delete.
    fn failure(&self) -> Result<&OperationFailure, Stop>;
}

impl DeletedResult for DeletedObjectResult {
    fn deleted(&self) -> Result<&DeleteSuccess, Stop> {
        match self.outcome().ok_or_else(unset)? {
            DeleteOutcome::OperSuccess(success) => Ok(success),
            DeleteOutcome::OperFailure(failure) => Err(refused(
                &self.requested_path,
                failure.err_code,
                &failure.err_msg,
            )),
        }
    }

    fn failure(&self) -> Result<&OperationFailure, Stop> {
        match self.outcome().ok_or_else(unset)? {
            DeleteOutcome::OperSuccess(_) => Err(accepted(&self.requested_path)),
            DeleteOutcome::OperFailure(failure) => {
                appropriate(failure.err_code, MsgType::Delete)?;
                Ok(failure)
            }
        }
    }
}

/// One result of a Get.
pub trait FoundResult {
    /// Itself, where it has no error.
    ///
    /// # Errors
    /// It has one.
    fn found(&self) -> Result<&Self, Stop>;

    /// Its error code, which is appropriate.
    ///
    /// # Errors
    /// It has none, or one that is none of a Get.
    fn failure(&self) -> Result<u32, Stop>;

    /// The values, by full path.
    fn values(&self) -> BTreeMap<String, String>;

    /// It is the answer to `path`, and holds this one parameter of this one object: the value.
    ///
    /// # Errors
    /// It is or holds something else.
    fn one_value(&self, path: &str, object: &str, name: &str) -> Result<&str, Stop>;

    /// The keys of all values are relative: names, and nothing before them.
    ///
    /// # Errors
    /// One is not.
    fn names_are_relative(&self) -> Done;
}

impl FoundResult for RequestedPathResult {
    fn found(&self) -> Result<&Self, Stop> {
        ensure(self.err_code == 0, || {
            let (code, text) = (self.err_code, &self.err_msg);
            let name = code_name(code);
            format!(
                "{}: no error was expected, {code} ({name}) {text} came",
                self.requested_path
            )
        })?;
        Ok(self)
    }

    fn failure(&self) -> Result<u32, Stop> {
        ensure(self.err_code != 0, || {
            format!("{}: an error was expected, none came", self.requested_path)
        })?;
        appropriate(self.err_code, MsgType::Get)?;
        Ok(self.err_code)
    }

    fn values(&self) -> BTreeMap<String, String> {
        let objects = self.resolved_path_results.iter();
        let values = objects.flat_map(|object| {
            let path = &object.resolved_path;
            let values = object.result_params.iter();
            values.map(move |(name, value)| (format!("{path}{name}"), value.clone()))
        });
        values.collect()
    }

    fn one_value(&self, path: &str, object: &str, name: &str) -> Result<&str, Stop> {
        self.found()?;
        equal("requested_path", self.requested_path.as_str(), path)?;
        let resolved = only("resolved_path_results", &self.resolved_path_results)?;
        equal("resolved_path", resolved.resolved_path.as_str(), object)?;
        let names: Vec<&str> = resolved.result_params.keys().map(String::as_str).collect();
        equal("the names in result_params", names.as_slice(), &[name])?;
        value_in(&resolved.result_params, name)
    }

    fn names_are_relative(&self) -> Done {
        for object in &self.resolved_path_results {
            for name in object.result_params.keys() {
                ensure(!name.is_empty() && !name.starts_with("Device."), || {
                    format!(
                        "{}: a relative name was expected, {name:?} came",
                        object.resolved_path
                    )
                })?;
            }
        }
        Ok(())
    }
}

/// The answer to an Operate.
pub trait OperatedResult {
    /// The one result, which is of this command.
    ///
    /// # Errors
    /// There are more, or it is of another one.
    fn of(&self, command: &str) -> Result<&OperationResult, Stop>;

    /// The path of the one Request, which is of this command.
    ///
    /// # Errors
    /// The command has failed, or ended already.
    fn request_of(&self, command: &str) -> Result<&str, Stop>;

    /// The output arguments of the one result, which is of this command.
    ///
    /// # Errors
    /// The command has failed, or goes on.
    fn outputs_of(&self, command: &str) -> Result<&BTreeMap<String, String>, Stop>;

    /// The error code of the one result, which is of this command; it is appropriate.
    ///
    /// # Errors
    /// The command has not failed, or with a code that is none of an Operate.
    fn failure_of(&self, command: &str) -> Result<u32, Stop>;
}

impl OperatedResult for OperateResp {
    fn of(&self, command: &str) -> Result<&OperationResult, Stop> {
        let result = only("operation_results", &self.operation_results)?;
        equal(
            "executed_command",
            result.executed_command.as_str(),
            command,
        )?;
        Ok(result)
    }

    fn request_of(&self, command: &str) -> Result<&str, Stop> {
        match &self.of(command)?.operation_resp {
            Some(OperationOutcome::ReqObjPath(path)) => Ok(path),
            other => Err(unlike("req_obj_path", other.as_ref())),
        }
    }

    fn outputs_of(&self, command: &str) -> Result<&BTreeMap<String, String>, Stop> {
        match &self.of(command)?.operation_resp {
            Some(OperationOutcome::ReqOutputArgs(outputs)) => Ok(&outputs.output_args),
            other => Err(unlike("req_output_args", other.as_ref())),
        }
    }

    fn failure_of(&self, command: &str) -> Result<u32, Stop> {
        match &self.of(command)?.operation_resp {
            Some(OperationOutcome::CmdFailure(failure)) => {
                appropriate(failure.err_code, MsgType::Operate)?;
                Ok(failure.err_code)
            }
            other => Err(unlike("cmd_failure", other.as_ref())),
        }
    }
}

fn unlike(expected: &str, came: Option<&OperationOutcome>) -> Stop {
    let came = match came {
        None => "nothing".to_owned(),
        Some(OperationOutcome::ReqObjPath(path)) => format!("req_obj_path {path}"),
        Some(OperationOutcome::ReqOutputArgs(_)) => "req_output_args".to_owned(),
        Some(OperationOutcome::CmdFailure(failure)) => {
            format!("cmd_failure {} {}", failure.err_code, failure.err_msg)
        }
    };
    Stop::Failed(format!("{expected} was expected, {came} came"))
}

/// What is in the data model.
impl Bench {
    /// The object at `path` has these values.
    ///
    /// # Errors
    /// It has others, or lacks some.
    pub fn expect_values(&mut self, path: &str, expected: &[(&str, &str)]) -> Done {
        let values = self.values(path)?;
        for (name, value) in expected {
            let full = format!("{path}{name}");
            let came = value_in(&values, &full)?;
            ensure(same_value(came, value), || {
                format!("{full}: {value:?} was expected, {came:?} came")
            })?;
        }
        Ok(())
    }

    /// The table has just these rows, in whatever order.
    ///
    /// # Errors
    /// It has others.
    pub fn expect_rows(&mut self, table: &str, expected: &[String]) -> Done {
        let mut rows = self.rows(table)?;
        let mut expected = expected.to_vec();
        rows.sort();
        expected.sort();
        equal(&format!("the rows of {table}"), &rows, &expected)
    }
}
