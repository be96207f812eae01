//! Requests and answers as the tests write and read them.

use std::collections::BTreeMap;

use usphere_proto::msg::{
    Add, AddOutcome, AddSuccess, CreateObject, CreateParamSetting, CurrInstance, Delete,
    DeleteOutcome, DeleteSuccess, Get, GetInstances, GetSupportedDm, Operate, OperationFailure,
    OperationOutcome, RequestType, RequestedObjectResult, ResponseType, Set, SetFailure,
    SetOutcome, SetSuccess, UpdateObject, UpdateParamSetting,
};

use crate::handlers::Answer;

pub(super) fn add(path: &str) -> Add {
    Add::default().and(path)
}

pub(super) fn set(path: &str) -> Set {
    Set::default().and(path)
}

pub(super) fn delete(paths: &[&str]) -> Delete {
    Delete {
        allow_partial: false,
        obj_paths: owned(paths),
    }
}

pub(super) fn get(paths: &[&str]) -> Get {
    Get {
        param_paths: owned(paths),
        max_depth: 0,
    }
}

pub(super) fn instances(paths: &[&str]) -> GetInstances {
    GetInstances {
        obj_paths: owned(paths),
        first_level_only: false,
    }
}

/// Everything that can be told of the paths.
pub(super) fn schema(paths: &[&str]) -> GetSupportedDm {
    GetSupportedDm {
        obj_paths: owned(paths),
        first_level_only: false,
        return_commands: true,
        return_events: true,
        return_params: true,
        return_unique_key_sets: true,
    }
}

pub(super) fn operate(command: &str, arguments: &[(&str, &str)]) -> Operate {
    Operate {
        command: command.to_owned(),
        command_key: "key".to_owned(),
        send_resp: true,
        input_args: texts(arguments),
    }
}

fn owned(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

pub(super) fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Writing an Add or a Set down.
pub(super) trait Writing: Sized {
    /// With `allow_partial`.
    fn partial(self) -> Self;
    /// Another object; what is given next is given to it.
    fn and(self, path: &str) -> Self;
    fn given(self, name: &str, value: &str, required: bool) -> Self;

    fn with(self, name: &str, value: &str) -> Self {
        self.given(name, value, false)
    }

    fn required(self, name: &str, value: &str) -> Self {
        self.given(name, value, true)
    }
}

impl Writing for Add {
    fn partial(mut self) -> Self {
        self.allow_partial = true;
        self
    }

    fn and(mut self, path: &str) -> Self {
        self.create_objs.push(CreateObject {
            obj_path: path.to_owned(),
            ..CreateObject::default()
        });
        self
    }

    fn given(mut self, name: &str, value: &str, required: bool) -> Self {
        let (param, value) = (name.to_owned(), value.to_owned());
        let object = self.create_objs.last_mut().expect("an object comes first");
        object.param_settings.push(CreateParamSetting {
            param,
            value,
            required,
        });
        self
    }
}

impl Writing for Set {
    fn partial(mut self) -> Self {
        self.allow_partial = true;
        self
    }

    fn and(mut self, path: &str) -> Self {
        self.update_objs.push(UpdateObject {
            obj_path: path.to_owned(),
            ..UpdateObject::default()
        });
        self
    }

    fn given(mut self, name: &str, value: &str, required: bool) -> Self {
        let (param, value) = (name.to_owned(), value.to_owned());
        let object = self.update_objs.last_mut().expect("an object comes first");
        object.param_settings.push(UpdateParamSetting {
            param,
            value,
            required,
        });
        self
    }
}

/// A command that was run, with its outputs or the code of its failure.
pub(super) type Operated = (String, Result<BTreeMap<String, String>, u32>);

/// Reading an answer.
pub(super) trait Reading {
    /// The code of the Error Message, and the path and code of each of its errors.
    fn error(self) -> (u32, Vec<(String, u32)>);
    fn added(self) -> Vec<Result<AddSuccess, OperationFailure>>;
    fn updated(self) -> Vec<Result<SetSuccess, SetFailure>>;
    fn deleted(self) -> Vec<Result<DeleteSuccess, OperationFailure>>;
    /// Per requested path, `Object.Name=value` lines (`Object.` alone where it shows none), or the code.
    fn values(self) -> Vec<Result<Vec<String>, u32>>;
    fn instances(self) -> Vec<Result<Vec<CurrInstance>, u32>>;
    fn supported(self) -> Vec<RequestedObjectResult>;
    fn operated(self) -> Vec<Operated>;
}

impl Reading for Answer {
    fn error(self) -> (u32, Vec<(String, u32)>) {
        let Answer::Error {
            code,
            text,
            param_errs,
        } = self
        else {
            panic!("not an error: {self:?}")
        };
        assert!(!text.is_empty());
        assert!(param_errs.iter().all(|error| !error.err_msg.is_empty()));
        let errors = param_errs
            .into_iter()
            .map(|error| (error.param_path, error.err_code));
        (code.number(), errors.collect())
    }

    fn added(self) -> Vec<Result<AddSuccess, OperationFailure>> {
        let Answer::Response(ResponseType::AddResp(response)) = self else {
            panic!("not an AddResp: {self:?}")
        };
        let outcomes = response.created_obj_results.into_iter().map(|result| {
            match result.outcome().expect("an outcome").clone() {
                AddOutcome::OperSuccess(success) => Ok(success),
                AddOutcome::OperFailure(failure) => Err(failure),
            }
        });
        outcomes.collect()
    }

    fn updated(self) -> Vec<Result<SetSuccess, SetFailure>> {
        let Answer::Response(ResponseType::SetResp(response)) = self else {
            panic!("not a SetResp: {self:?}")
        };
        let outcomes = response.updated_obj_results.into_iter().map(|result| {
            match result.outcome().expect("an outcome").clone() {
                SetOutcome::OperSuccess(success) => Ok(success),
                SetOutcome::OperFailure(failure) => Err(failure),
            }
        });
        outcomes.collect()
    }

    fn deleted(self) -> Vec<Result<DeleteSuccess, OperationFailure>> {
        let Answer::Response(ResponseType::DeleteResp(response)) = self else {
            panic!("not a DeleteResp: {self:?}")
        };
        let outcomes = response.deleted_obj_results.into_iter().map(|result| {
            match result.outcome().expect("an outcome").clone() {
                DeleteOutcome::OperSuccess(success) => Ok(success),
                DeleteOutcome::OperFailure(failure) => Err(failure),
            }
        });
        outcomes.collect()
    }

    fn values(self) -> Vec<Result<Vec<String>, u32>> {
        let Answer::Response(ResponseType::GetResp(response)) = self else {
            panic!("not a GetResp: {self:?}")
        };
        let results = response.req_path_results.into_iter().map(|result| {
            if result.err_code != 0 {
                assert!(!result.err_msg.is_empty() && result.resolved_path_results.is_empty());
                return Err(result.err_code);
            }
            let mut lines = Vec::new();
            for object in result.resolved_path_results {
                let path = object.resolved_path;
                if object.result_params.is_empty() {
                    lines.push(path);
                    continue;
                }
                let values = object.result_params.into_iter();
                lines.extend(values.map(|(name, value)| format!("{path}{name}={value}")));
            }
            Ok(lines)
        });
        results.collect()
    }

    fn instances(self) -> Vec<Result<Vec<CurrInstance>, u32>> {
        let Answer::Response(ResponseType::GetInstancesResp(response)) = self else {
            panic!("not a GetInstancesResp: {self:?}")
        };
        let results = response.req_path_results.into_iter();
        results
            .map(|result| match result.err_code {
                0 => Ok(result.curr_insts),
                code => Err(code),
            })
            .collect()
    }

    fn supported(self) -> Vec<RequestedObjectResult> {
        let Answer::Response(ResponseType::GetSupportedDmResp(response)) = self else {
            panic!("not a GetSupportedDMResp: {self:?}")
        };
        response.req_obj_results
    }

    fn operated(self) -> Vec<Operated> {
        let Answer::Response(ResponseType::OperateResp(response)) = self else {
            panic!("not an OperateResp: {self:?}")
        };
        let results = response.operation_results.into_iter().map(|result| {
            let outcome = match result.operation_resp.expect("an outcome") {
                OperationOutcome::ReqOutputArgs(outputs) => Ok(outputs.output_args),
                OperationOutcome::CmdFailure(failure) => Err(failure.err_code),
                OperationOutcome::ReqObjPath(path) => panic!("{path}"),
            };
            (result.executed_command, outcome)
        });
        results.collect()
    }
}

/// The names and values of a map, for comparing.
pub(super) fn pairs(map: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
    map.iter()
        .map(|(name, value)| (&**name, &**value))
        .collect()
}

/// Each result names what was asked for, whatever came of it.
#[test]
fn every_result_names_the_path_that_was_asked_for() {
    let mut scene = super::scene::Scene::new();
    let paths = ["Device.LocalAgent.Controller.", "Device.Nothing."];
    let mut asked = |request: RequestType| match scene.ask(request) {
        Answer::Response(ResponseType::GetResp(response)) => {
            let results = response.req_path_results.into_iter();
            results.map(|result| result.requested_path).collect()
        }
        Answer::Response(ResponseType::GetInstancesResp(response)) => {
            let results = response.req_path_results.into_iter();
            results.map(|result| result.requested_path).collect()
        }
        Answer::Response(ResponseType::GetSupportedDmResp(response)) => {
            let results = response.req_obj_results.into_iter();
            results
                .map(|result| result.req_obj_path)
                .collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(get(&paths).into()), paths);
    assert_eq!(asked(instances(&paths).into()), paths);
    assert_eq!(asked(schema(&paths).into()), paths);
}
