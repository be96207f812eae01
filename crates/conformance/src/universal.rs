//! What the plan expects of everything that an Agent sends, whatever is tested.
//!
//! Records and Messages are valid, they come from the Agent and go to whom they should, and the paths in them
//! have instance numbers. (TP-469, universal test metrics; R-ARC.2 to R-ARC.5, R-ENC.0 to R-ENC.3, R-MSG.3)

use usphere_proto::msg::{
    AddOutcome, DeleteOutcome, MsgBody, Notification, OperationOutcome, RequestType, ResponseType,
    SetOutcome,
};
use usphere_proto::{EndpointId, Msg, Record};

/// What is wrong with a Record that came to `own` from the Agent, apart from its Message.
pub(crate) fn of_record(
    record: &Record,
    own: &EndpointId,
    agent: Option<&EndpointId>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Err(error) = record.check(own) {
        wrong.push(error.to_string());
    }
    match EndpointId::parse(&record.from_id) {
        Err(error) => wrong.push(format!(
            "from_id {:?} is no Endpoint ID: {error}",
            record.from_id
        )),
        Ok(from) => {
            if let Some(agent) = agent.filter(|agent| **agent != from) {
                wrong.push(format!("from_id is {from}, the Agent is {agent}"));
            }
        }
    }
    wrong
}

/// What is wrong with a Message of the Agent.
pub(crate) fn of_msg(msg: &Msg) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Err(error) = msg.check() {
        wrong.push(error.to_string());
        return wrong;
    }
    if let Some(named) = msg.misnamed_as() {
        wrong.push(format!("msg_type {named} does not fit the body"));
    }
    let paths = paths(msg).into_iter();
    wrong.extend(paths.filter_map(|path| wrong_with(path).map(|what| format!("{path:?}: {what}"))));
    wrong
}

/// What is wrong with a path that is to be in instance numbers.
fn wrong_with(path: &str) -> Option<&'static str> {
    if !path.starts_with("Device.") {
        return Some("a path begins with Device.");
    }
    let name = |name: &str| {
        let mut letters = name.trim_end_matches(['!']).trim_end_matches("()").chars();
        letters
            .next()
            .is_some_and(|first| first.is_alphanumeric() || first == '_')
            && letters.all(|letter| letter.is_alphanumeric() || "-_".contains(letter))
    };
    let is_whole = path.trim_end_matches('.').split('.').all(name);
    (!is_whole).then_some("names and instance numbers are expected, nothing else (R-MSG.3)")
}

/// Every path that a Message of an Agent says by itself, those aside that only repeat the request.
fn paths(msg: &Msg) -> Vec<&str> {
    match msg.content() {
        Some(MsgBody::Response(response)) => response.resp_type.as_ref().map(of_response),
        Some(MsgBody::Request(request)) => match &request.req_type {
            Some(RequestType::Notify(notify)) => notify.notification.as_ref().map(of_notification),
            _ => None,
        },
        _ => None,
    }
    .unwrap_or_default()
}

fn of_response(response: &ResponseType) -> Vec<&str> {
    let mut paths: Vec<&str> = Vec::new();
    match response {
        ResponseType::AddResp(response) => {
            for result in &response.created_obj_results {
                if let Some(AddOutcome::OperSuccess(success)) = result.outcome() {
                    paths.push(&success.instantiated_path);
                }
            }
        }
        ResponseType::DeleteResp(response) => {
            for result in &response.deleted_obj_results {
                if let Some(DeleteOutcome::OperSuccess(success)) = result.outcome() {
                    paths.extend(success.affected_paths.iter().map(String::as_str));
                }
            }
        }
        ResponseType::GetInstancesResp(response) => {
            for result in &response.req_path_results {
                let instances = result.curr_insts.iter();
                paths.extend(instances.map(|instance| instance.instantiated_obj_path.as_str()));
            }
        }
        ResponseType::GetResp(response) => {
            for result in &response.req_path_results {
                let objects = result.resolved_path_results.iter();
                paths.extend(objects.map(|object| object.resolved_path.as_str()));
            }
        }
        ResponseType::OperateResp(response) => {
            for result in &response.operation_results {
                paths.push(&result.executed_command);
                if let Some(OperationOutcome::ReqObjPath(path)) = &result.operation_resp {
                    paths.push(path);
                }
            }
        }
        ResponseType::SetResp(response) => {
            for result in &response.updated_obj_results {
                if let Some(SetOutcome::OperSuccess(success)) = result.outcome() {
                    let updated = success.updated_inst_results.iter();
                    paths.extend(updated.map(|instance| instance.affected_path.as_str()));
                }
            }
        }
        ResponseType::DeregisterResp(_)
        | ResponseType::GetSupportedDmResp(_)
        | ResponseType::GetSupportedProtocolResp(_)
        | ResponseType::NotifyResp(_)
        | ResponseType::RegisterResp(_) => {}
    }
    paths
}

fn of_notification(notification: &Notification) -> Vec<&str> {
    match notification {
        Notification::Event(event) => vec![&event.obj_path],
        Notification::ValueChange(change) => vec![&change.param_path],
        Notification::ObjCreation(creation) => vec![&creation.obj_path],
        Notification::ObjDeletion(deletion) => vec![&deletion.obj_path],
        Notification::OperComplete(complete) => vec![&complete.obj_path],
        Notification::OnBoardReq(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_an_agent_have_instance_numbers() {
        for good in [
            "Device.",
            "Device.LocalAgent.Subscription.1.",
            "Device.X_V-1.Y",
            "Device.Reboot()",
        ] {
            assert_eq!(wrong_with(good), None, "{good}");
        }
        for bad in [
            "",
            "LocalAgent.",
            "Device.A.*.B",
            "Device.A.[B==1].C",
            "Device.A.B[C",
            "Device.A..B",
        ] {
            assert!(wrong_with(bad).is_some(), "{bad}");
        }
    }
}
