//! Operations to requests, and responses back to outcomes. The only place of the Controller that
//! knows both vocabularies; it must never keep state.

use usphere_datamodel::Path;
use usphere_datamodel::operation::{
    self, CommandKind, Completion, Failure, Notification, Notified, ObjectAccess, ObjectSettings,
    Operation, OperationError, OperationKind, Outcome, ParameterAccess, ParameterFailure,
    ParameterKind, PathFailure, Refusal, ValueChange,
};
use usphere_proto::msg::{
    self, AddOutcome, CmdType, DeleteOutcome, ObjAccessType, OperationOutcome, ParamAccessType,
    ParamValueType, RequestType, ResponseType, SetOutcome, ValueChangeType,
};

use crate::limits::SUPPORTED_VERSIONS;

/// The request that asks for `operation`.
pub(crate) fn request(operation: Operation) -> RequestType {
    match operation {
        Operation::Add(add) => RequestType::Add(msg::Add {
            allow_partial: add.allow_partial,
            create_objs: add.objects.into_iter().map(create_object).collect(),
        }),
        Operation::Delete(delete) => RequestType::Delete(msg::Delete {
            allow_partial: delete.allow_partial,
            obj_paths: tidy_all(delete.paths),
        }),
        Operation::Get(get) => RequestType::Get(msg::Get {
            param_paths: tidy_all(get.paths),
            max_depth: get.max_depth,
        }),
        Operation::Instances(instances) => RequestType::GetInstances(msg::GetInstances {
            obj_paths: tidy_all(instances.paths),
            first_level_only: instances.first_level_only,
        }),
        Operation::Operate(operate) => RequestType::Operate(msg::Operate {
            command: tidy(operate.command),
            command_key: operate.command_key,
            send_resp: operate.send_resp,
            input_args: operate.arguments,
        }),
        Operation::Set(set) => RequestType::Set(msg::Set {
            allow_partial: set.allow_partial,
            update_objs: set.objects.into_iter().map(update_object).collect(),
        }),
        Operation::SupportedModel(model) => RequestType::GetSupportedDm(msg::GetSupportedDm {
            obj_paths: model.paths,
            first_level_only: model.first_level_only,
            return_commands: model.commands,
            return_events: model.events,
            return_params: model.parameters,
            return_unique_key_sets: model.unique_keys,
        }),
        Operation::SupportedProtocol(protocol) => {
            let ours = SUPPORTED_VERSIONS.join(",");
            let versions = if protocol.versions.is_empty() {
                ours
            } else {
                protocol.versions.join(",")
            };
            RequestType::GetSupportedProtocol(msg::GetSupportedProtocol {
                controller_supported_protocol_versions: versions,
            })
        }
    }
}

/// The outcome that `response` tells, if it answers a request of `kind`.
pub(crate) fn outcome(
    kind: OperationKind,
    response: ResponseType,
) -> Result<Outcome, OperationError> {
    match (kind, response) {
        (OperationKind::Add, ResponseType::AddResp(resp)) => added(resp).map(Outcome::Add),
        (OperationKind::Delete, ResponseType::DeleteResp(resp)) => {
            deleted(resp).map(Outcome::Delete)
        }
        (OperationKind::Get, ResponseType::GetResp(resp)) => Ok(Outcome::Get(got(resp))),
        (OperationKind::Instances, ResponseType::GetInstancesResp(resp)) => {
            Ok(Outcome::Instances(listed(resp)))
        }
        (OperationKind::Operate, ResponseType::OperateResp(resp)) => {
            operated(resp).map(Outcome::Operate)
        }
        (OperationKind::Set, ResponseType::SetResp(resp)) => updated(resp).map(Outcome::Set),
        (OperationKind::SupportedModel, ResponseType::GetSupportedDmResp(resp)) => {
            supported(resp).map(Outcome::SupportedModel)
        }
        (OperationKind::SupportedProtocol, ResponseType::GetSupportedProtocolResp(resp)) => {
            Ok(Outcome::SupportedProtocol(spoken(&resp)))
        }
        (kind, other) => Err(invalid(format!(
            "it answers a {kind} with a {}",
            name(&other)
        ))),
    }
}

/// What an Error Message tells about the request it answers.
pub(crate) fn refusal(error: msg::Error) -> OperationError {
    let parameters = error
        .param_errs
        .into_iter()
        .map(|each| ParameterFailure {
            parameter: each.param_path,
            code: each.err_code,
            text: each.err_msg,
        })
        .collect();
    OperationError::Refused(Refusal {
        code: error.err_code,
        text: error.err_msg,
        parameters,
    })
}

/// The outcome of an Operate that wants no answer.
pub(crate) fn unanswered() -> Outcome {
    Outcome::Operate(operation::OperateOutcome::default())
}

/// What an Agent says with a Notify; `None` where it says nothing, which no decoded one does.
pub(crate) fn notified(notify: msg::Notify) -> Option<Notified> {
    let notification = match notify.notification? {
        msg::Notification::Event(event) => Notification::Event {
            path: event.obj_path,
            event: event.event_name,
            arguments: event.params,
        },
        msg::Notification::ValueChange(change) => Notification::ValueChange {
            path: change.param_path,
            value: change.param_value,
        },
        msg::Notification::ObjCreation(creation) => Notification::ObjectCreation {
            path: creation.obj_path,
            unique_keys: creation.unique_keys,
        },
        msg::Notification::ObjDeletion(deletion) => Notification::ObjectDeletion {
            path: deletion.obj_path,
        },
        msg::Notification::OperComplete(complete) => Notification::OperationComplete {
            path: complete.obj_path,
            command: complete.command_name,
            command_key: complete.command_key,
            completion: match complete.operation_resp? {
                msg::CompletionOutcome::ReqOutputArgs(output) => {
                    Completion::Completed(output.output_args)
                }
                msg::CompletionOutcome::CmdFailure(failure) => Completion::Failed(Failure {
                    code: failure.err_code,
                    text: failure.err_msg,
                }),
            },
        },
        msg::Notification::OnBoardReq(request) => Notification::OnBoardRequest {
            oui: request.oui,
            product_class: request.product_class,
            serial_number: request.serial_number,
            versions: versions(&request.agent_supported_protocol_versions),
        },
    };
    Some(Notified {
        subscription: notify.subscription_id,
        notification,
    })
}

fn create_object(object: ObjectSettings) -> msg::CreateObject {
    let param_settings = object
        .parameters
        .into_iter()
        .map(|each| msg::CreateParamSetting {
            param: each.name,
            value: each.value,
            required: each.required,
        })
        .collect();
    msg::CreateObject {
        obj_path: tidy(object.path),
        param_settings,
    }
}

fn update_object(object: ObjectSettings) -> msg::UpdateObject {
    let param_settings = object
        .parameters
        .into_iter()
        .map(|each| msg::UpdateParamSetting {
            param: each.name,
            value: each.value,
            required: each.required,
        })
        .collect();
    msg::UpdateObject {
        obj_path: tidy(object.path),
        param_settings,
    }
}

fn tidy_all(paths: Vec<String>) -> Vec<String> {
    paths.into_iter().map(tidy).collect()
}

/// Writes a search path without blanks around its operators. (R-ARC.9b) What is no path is left as
/// it is: the Agent says what is wrong with it.
fn tidy(path: String) -> String {
    if !path.contains('[') {
        return path;
    }
    match Path::parse(&path) {
        Ok(parsed) => parsed.to_string(),
        Err(_) => path,
    }
}

fn got(resp: msg::GetResp) -> operation::GetOutcome {
    let results = resp.req_path_results.into_iter().map(|each| {
        let found = each
            .resolved_path_results
            .into_iter()
            .map(|object| operation::ObjectValues {
                path: object.resolved_path,
                parameters: object.result_params,
            });
        let status = match failure(each.err_code, each.err_msg) {
            Some(failure) => operation::GetStatus::Failed(failure),
            None => operation::GetStatus::Found(found.collect()),
        };
        operation::GetResult {
            requested: each.requested_path,
            status,
        }
    });
    operation::GetOutcome {
        results: results.collect(),
    }
}

fn listed(resp: msg::GetInstancesResp) -> operation::InstancesOutcome {
    let results = resp.req_path_results.into_iter().map(|each| {
        let found = each.curr_insts.into_iter().map(|row| operation::Instance {
            path: row.instantiated_obj_path,
            unique_keys: row.unique_keys,
        });
        let status = match failure(each.err_code, each.err_msg) {
            Some(failure) => operation::InstancesStatus::Failed(failure),
            None => operation::InstancesStatus::Found(found.collect()),
        };
        operation::InstancesResult {
            requested: each.requested_path,
            status,
        }
    });
    operation::InstancesOutcome {
        results: results.collect(),
    }
}

fn added(resp: msg::AddResp) -> Result<operation::AddOutcome, OperationError> {
    let results = resp.created_obj_results.into_iter().map(|each| {
        let status = match each.oper_status.and_then(|status| status.oper_status) {
            Some(AddOutcome::OperFailure(failure)) => operation::AddStatus::Failed(Failure {
                code: failure.err_code,
                text: failure.err_msg,
            }),
            Some(AddOutcome::OperSuccess(success)) => {
                operation::AddStatus::Created(operation::Created {
                    path: success.instantiated_path,
                    unique_keys: success.unique_keys,
                    failures: parameter_failures(success.param_errs),
                })
            }
            None => return Err(undecided(&each.requested_path)),
        };
        Ok(operation::AddResult {
            requested: each.requested_path,
            status,
        })
    });
    Ok(operation::AddOutcome {
        results: results.collect::<Result<_, _>>()?,
    })
}

fn deleted(resp: msg::DeleteResp) -> Result<operation::DeleteOutcome, OperationError> {
    let results = resp.deleted_obj_results.into_iter().map(|each| {
        let status = match each.oper_status.and_then(|status| status.oper_status) {
            Some(DeleteOutcome::OperFailure(failure)) => operation::DeleteStatus::Failed(Failure {
                code: failure.err_code,
                text: failure.err_msg,
            }),
            Some(DeleteOutcome::OperSuccess(success)) => {
                let failures = success
                    .unaffected_path_errs
                    .into_iter()
                    .map(|each| PathFailure {
                        path: each.unaffected_path,
                        code: each.err_code,
                        text: each.err_msg,
                    });
                operation::DeleteStatus::Deleted(operation::Deleted {
                    paths: success.affected_paths,
                    failures: failures.collect(),
                })
            }
            None => return Err(undecided(&each.requested_path)),
        };
        Ok(operation::DeleteResult {
            requested: each.requested_path,
            status,
        })
    });
    Ok(operation::DeleteOutcome {
        results: results.collect::<Result<_, _>>()?,
    })
}

fn updated(resp: msg::SetResp) -> Result<operation::SetOutcome, OperationError> {
    let results = resp.updated_obj_results.into_iter().map(|each| {
        let status = match each.oper_status.and_then(|status| status.oper_status) {
            Some(SetOutcome::OperFailure(failure)) => {
                operation::SetStatus::Failed(set_failure(failure))
            }
            Some(SetOutcome::OperSuccess(success)) => {
                let objects =
                    success
                        .updated_inst_results
                        .into_iter()
                        .map(|object| operation::Updated {
                            path: object.affected_path,
                            parameters: object.updated_params,
                            failures: parameter_failures(object.param_errs),
                        });
                operation::SetStatus::Updated(objects.collect())
            }
            None => return Err(undecided(&each.requested_path)),
        };
        Ok(operation::SetResult {
            requested: each.requested_path,
            status,
        })
    });
    Ok(operation::SetOutcome {
        results: results.collect::<Result<_, _>>()?,
    })
}

fn set_failure(failure: msg::SetFailure) -> operation::SetFailure {
    let objects =
        failure
            .updated_inst_failures
            .into_iter()
            .map(|object| operation::InstanceFailure {
                path: object.affected_path,
                failures: parameter_failures(object.param_errs),
            });
    operation::SetFailure {
        code: failure.err_code,
        text: failure.err_msg,
        objects: objects.collect(),
    }
}

fn operated(resp: msg::OperateResp) -> Result<operation::OperateOutcome, OperationError> {
    let results = resp.operation_results.into_iter().map(|each| {
        let status = match each.operation_resp {
            Some(OperationOutcome::CmdFailure(failure)) => {
                operation::OperateStatus::Failed(Failure {
                    code: failure.err_code,
                    text: failure.err_msg,
                })
            }
            Some(OperationOutcome::ReqObjPath(path)) => operation::OperateStatus::Started(path),
            Some(OperationOutcome::ReqOutputArgs(output)) => {
                operation::OperateStatus::Completed(output.output_args)
            }
            None => return Err(undecided(&each.executed_command)),
        };
        Ok(operation::OperateResult {
            command: each.executed_command,
            status,
        })
    });
    Ok(operation::OperateOutcome {
        results: results.collect::<Result<_, _>>()?,
    })
}

fn supported(
    resp: msg::GetSupportedDmResp,
) -> Result<operation::SupportedModelOutcome, OperationError> {
    let results = resp.req_obj_results.into_iter().map(|each| {
        let status = match failure(each.err_code, each.err_msg) {
            Some(failure) => operation::SupportedModelStatus::Failed(failure),
            None => operation::SupportedModelStatus::Supported(operation::Supported {
                model_uri: each.data_model_inst_uri,
                objects: each
                    .supported_objs
                    .into_iter()
                    .map(supported_object)
                    .collect::<Result<_, _>>()?,
            }),
        };
        Ok(operation::SupportedModelResult {
            requested: each.req_obj_path,
            status,
        })
    });
    Ok(operation::SupportedModelOutcome {
        results: results.collect::<Result<_, _>>()?,
    })
}

fn supported_object(
    object: msg::SupportedObjectResult,
) -> Result<operation::SupportedObject, OperationError> {
    let path = object.supported_obj_path;
    let access = match ObjAccessType::try_from(object.access) {
        Ok(ObjAccessType::ReadOnly) => ObjectAccess::ReadOnly,
        Ok(ObjAccessType::AddDelete) => ObjectAccess::AddDelete,
        Ok(ObjAccessType::AddOnly) => ObjectAccess::AddOnly,
        Ok(ObjAccessType::DeleteOnly) => ObjectAccess::DeleteOnly,
        Err(_) => return Err(unknown_number(&path, "access", object.access)),
    };
    let parameters = object
        .supported_params
        .into_iter()
        .map(|each| supported_parameter(&path, each));
    let commands = object
        .supported_commands
        .into_iter()
        .map(|each| supported_command(&path, each));
    let events = object
        .supported_events
        .into_iter()
        .map(|each| operation::SupportedEvent {
            name: each.event_name,
            arguments: each.arg_names,
        });
    Ok(operation::SupportedObject {
        access,
        multi_instance: object.is_multi_instance,
        parameters: parameters.collect::<Result<_, _>>()?,
        commands: commands.collect::<Result<_, _>>()?,
        events: events.collect(),
        unique_keys: object
            .unique_key_sets
            .into_iter()
            .map(|set| set.key_names)
            .collect(),
        divergent_paths: object.divergent_paths,
        path,
    })
}

fn supported_parameter(
    object: &str,
    parameter: msg::SupportedParamResult,
) -> Result<operation::SupportedParameter, OperationError> {
    let place = || format!("{object}{}", parameter.param_name);
    let access = match ParamAccessType::try_from(parameter.access) {
        Ok(ParamAccessType::ReadOnly) => ParameterAccess::ReadOnly,
        Ok(ParamAccessType::ReadWrite) => ParameterAccess::ReadWrite,
        Ok(ParamAccessType::WriteOnly) => ParameterAccess::WriteOnly,
        Err(_) => return Err(unknown_number(&place(), "access", parameter.access)),
    };
    let kind = match ParamValueType::try_from(parameter.value_type) {
        Ok(ParamValueType::Unknown) => ParameterKind::Unknown,
        Ok(ParamValueType::Base64) => ParameterKind::Base64,
        Ok(ParamValueType::Boolean) => ParameterKind::Boolean,
        Ok(ParamValueType::DateTime) => ParameterKind::DateTime,
        Ok(ParamValueType::Decimal) => ParameterKind::Decimal,
        Ok(ParamValueType::HexBinary) => ParameterKind::HexBinary,
        Ok(ParamValueType::Int) => ParameterKind::Int,
        Ok(ParamValueType::Long) => ParameterKind::Long,
        Ok(ParamValueType::String) => ParameterKind::String,
        Ok(ParamValueType::UnsignedInt) => ParameterKind::UnsignedInt,
        Ok(ParamValueType::UnsignedLong) => ParameterKind::UnsignedLong,
        Err(_) => return Err(unknown_number(&place(), "value type", parameter.value_type)),
    };
    let value_change = match ValueChangeType::try_from(parameter.value_change) {
        Ok(ValueChangeType::Unknown) => ValueChange::Unknown,
        Ok(ValueChangeType::Allowed) => ValueChange::Allowed,
        Ok(ValueChangeType::WillIgnore) => ValueChange::WillIgnore,
        Err(_) => {
            return Err(unknown_number(
                &place(),
                "value change type",
                parameter.value_change,
            ));
        }
    };
    Ok(operation::SupportedParameter {
        name: parameter.param_name,
        access,
        kind,
        value_change,
    })
}

fn supported_command(
    object: &str,
    command: msg::SupportedCommandResult,
) -> Result<operation::SupportedCommand, OperationError> {
    let kind = match CmdType::try_from(command.command_type) {
        Ok(CmdType::Unknown) => CommandKind::Unknown,
        Ok(CmdType::Sync) => CommandKind::Synchronous,
        Ok(CmdType::Async) => CommandKind::Asynchronous,
        Err(_) => {
            let place = format!("{object}{}", command.command_name);
            return Err(unknown_number(&place, "command type", command.command_type));
        }
    };
    Ok(operation::SupportedCommand {
        name: command.command_name,
        kind,
        inputs: command.input_arg_names,
        outputs: command.output_arg_names,
    })
}

fn spoken(resp: &msg::GetSupportedProtocolResp) -> operation::SupportedProtocolOutcome {
    operation::SupportedProtocolOutcome {
        versions: versions(&resp.agent_supported_protocol_versions),
    }
}

fn versions(listed: &str) -> Vec<String> {
    let versions = listed.split(',').map(str::trim);
    let versions = versions.filter(|each| !each.is_empty());
    versions.map(str::to_owned).collect()
}

fn parameter_failures(errors: Vec<msg::ParameterError>) -> Vec<ParameterFailure> {
    errors
        .into_iter()
        .map(|each| ParameterFailure {
            parameter: each.param,
            code: each.err_code,
            text: each.err_msg,
        })
        .collect()
}

/// A result of a read failed if its code is not 0.
fn failure(code: u32, text: String) -> Option<Failure> {
    (code != 0).then_some(Failure { code, text })
}

fn invalid(text: String) -> OperationError {
    OperationError::InvalidAnswer { text }
}

/// A oneof that is not set. (R-ENC.3)
fn undecided(path: &str) -> OperationError {
    invalid(format!(
        "{path}: the result says neither success nor failure"
    ))
}

/// An enum with a number that no version of USP knows. (R-ENC.2)
fn unknown_number(path: &str, what: &str, number: i32) -> OperationError {
    invalid(format!("{path}: {number} is no {what}"))
}

fn name(response: &ResponseType) -> &'static str {
    match response {
        ResponseType::AddResp(_) => "AddResp",
        ResponseType::DeleteResp(_) => "DeleteResp",
        ResponseType::DeregisterResp(_) => "DeregisterResp",
        ResponseType::GetInstancesResp(_) => "GetInstancesResp",
        ResponseType::GetResp(_) => "GetResp",
        ResponseType::GetSupportedDmResp(_) => "GetSupportedDMResp",
        ResponseType::GetSupportedProtocolResp(_) => "GetSupportedProtocolResp",
        ResponseType::NotifyResp(_) => "NotifyResp",
        ResponseType::OperateResp(_) => "OperateResp",
        ResponseType::RegisterResp(_) => "RegisterResp",
        ResponseType::SetResp(_) => "SetResp",
    }
}
