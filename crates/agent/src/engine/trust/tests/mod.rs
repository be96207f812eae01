//! Trust in virtual time: doors, roles, certificates and challenges.

mod attacks;
mod bans;
mod certificates;
mod challenges;
mod doors;

use std::collections::BTreeMap;

use usphere_proto::msg::{
    Add, AddOutcome, CreateObject, CreateParamSetting, Delete, Operate, OperationOutcome,
    ResponseType, Set, UpdateObject, UpdateParamSetting,
};
use usphere_trust::testing::{Authority, Issued, NOW, authority, draft};
use usphere_trust::{AllowedUses, Certificate, Channel};

use crate::scene::{LiveAgent, Scene, id};
use crate::{Input, LinkId, Notice, TrustConfig, Utc};

const TRUST: &str = "Device.LocalAgent.ControllerTrust.";
const FULL_ACCESS: &str = "Device.LocalAgent.ControllerTrust.Role.1";
const UNTRUSTED: &str = "Device.LocalAgent.ControllerTrust.Role.2";
const CODE_1: &str = "Device.LocalAgent.Controller.1.ProvisioningCode";
const OWN_ID: &str = "Device.LocalAgent.EndpointID";

/// An Agent with an operator over loopback.
fn operated(trust: TrustConfig) -> LiveAgent {
    let mut live = Scene::new().controller("operator").trust(trust).agent();
    tell_time(&mut live);
    live.connect("operator");
    live
}

fn tell_time(live: &mut LiveAgent) {
    let utc = Utc {
        unix_micros: NOW * 1_000_000,
        reliable: true,
    };
    live.tell(Input::Clock {
        unix_micros: utc.unix_micros,
        reliable: utc.reliable,
    });
}

/// Trusts the Controllers that `authority` vouches for, with full access or without.
fn trusting(authority: &Authority, full_access: bool) -> TrustConfig {
    TrustConfig {
        authorities: vec![crate::Authority {
            certificate: authority.certificate.clone(),
            allowed_uses: AllowedUses::MtpAndUsp,
            full_access,
        }],
        ..TrustConfig::default()
    }
}

fn on_first_use() -> TrustConfig {
    TrustConfig {
        on_first_use: true,
        ..TrustConfig::default()
    }
}

fn own(name: &str) -> Issued {
    draft(name).endpoint(&id(name)).self_signed()
}

fn issued(name: &str, by: &Authority) -> Certificate {
    draft(name).endpoint(&id(name)).signed_by(by).certificate
}

fn set(object: &str, values: &[(&str, &str)]) -> Set {
    let param_settings = values
        .iter()
        .map(|(param, value)| UpdateParamSetting {
            param: (*param).to_owned(),
            value: (*value).to_owned(),
            required: true,
        })
        .collect();
    Set {
        allow_partial: false,
        update_objs: vec![UpdateObject {
            obj_path: object.to_owned(),
            param_settings,
        }],
    }
}

/// Adds a row and returns its path.
fn added(live: &mut LiveAgent, table: &str, values: &[(&str, &str)]) -> String {
    let param_settings = values
        .iter()
        .map(|(param, value)| CreateParamSetting {
            param: (*param).to_owned(),
            value: (*value).to_owned(),
            required: true,
        })
        .collect();
    let add = Add {
        allow_partial: false,
        create_objs: vec![CreateObject {
            obj_path: table.to_owned(),
            param_settings,
        }],
    };
    let ResponseType::AddResp(response) = live.response("operator", add) else {
        panic!("not an AddResp");
    };
    match response.created_obj_results[0].outcome() {
        Some(AddOutcome::OperSuccess(success)) => success.instantiated_path.clone(),
        failure => panic!("{failure:?}"),
    }
}

fn delete(path: &str) -> Delete {
    Delete {
        allow_partial: false,
        obj_paths: vec![path.to_owned()],
    }
}

/// Runs a command; the output arguments, or the code of the failure.
fn operate(
    live: &mut LiveAgent,
    name: &str,
    command: &str,
    arguments: &[(&str, &str)],
) -> Result<BTreeMap<String, String>, u32> {
    let request = Operate {
        command: command.to_owned(),
        command_key: "key".to_owned(),
        send_resp: true,
        input_args: arguments
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    };
    let ResponseType::OperateResp(response) = live.response(name, request) else {
        panic!("not an OperateResp");
    };
    let result = response.operation_results.into_iter().next().unwrap();
    match result.operation_resp.unwrap() {
        OperationOutcome::ReqOutputArgs(outputs) => Ok(outputs.output_args),
        OperationOutcome::CmdFailure(failure) => Err(failure.err_code),
        OperationOutcome::ReqObjPath(path) => panic!("{path}"),
    }
}

fn can_read(live: &mut LiveAgent, name: &str, path: &str) -> bool {
    !live.values(name, path).is_empty()
}

/// What the operator sees of the Controller called `name`; empty where there is no such row.
fn row_of(live: &mut LiveAgent, name: &str) -> BTreeMap<String, String> {
    let search = format!(
        "Device.LocalAgent.Controller.[EndpointID==\"{}\"].",
        id(name)
    );
    let found = live.values("operator", &search);
    found
        .into_iter()
        .filter_map(|(path, value)| {
            let rest = path.strip_prefix("Device.LocalAgent.Controller.")?;
            let (_, parameter) = rest.split_once('.')?;
            Some((parameter.to_owned(), value))
        })
        .collect()
}

/// Why somebody was not believed or let in, as the log says it.
fn distrusted(live: &LiveAgent) -> Vec<String> {
    let told = live.notices.iter().filter(|notice| {
        matches!(
            notice,
            Notice::Distrusted { .. } | Notice::NotAdmitted { .. }
        )
    });
    told.map(ToString::to_string).collect()
}
