//! The engine in virtual time, through its public API alone.

mod commands;
mod dialling;
mod durability;
mod following;
mod links;
mod lockout;
mod notify;
mod operations;
mod owners;
mod records;
mod requests;
mod rights;
mod seeds;

use usphere_proto::msg::{
    Add, CreateObject, CreateParamSetting, Delete, Get, Set, UpdateObject, UpdateParamSetting,
};

use crate::scene::LiveAgent;
use crate::{LinkId, Notice};

const AGENT: &str = "Device.LocalAgent.";
const CONTROLLER_1: &str = "Device.LocalAgent.Controller.1.";
const CONTROLLER_2: &str = "Device.LocalAgent.Controller.2.";
const SOCKET_1: &str = "Device.LocalAgent.Controller.1.MTP.1.WebSocket.";

fn get(paths: &[&str]) -> Get {
    Get {
        param_paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        max_depth: 0,
    }
}

/// Sets parameters of one object; a failure of any is a failure of all.
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

/// Adds one row.
fn add(table: &str, values: &[(&str, &str)]) -> Add {
    let param_settings = values
        .iter()
        .map(|(param, value)| CreateParamSetting {
            param: (*param).to_owned(),
            value: (*value).to_owned(),
            required: true,
        })
        .collect();
    Add {
        allow_partial: false,
        create_objs: vec![CreateObject {
            obj_path: table.to_owned(),
            param_settings,
        }],
    }
}

fn delete(path: &str) -> Delete {
    Delete {
        allow_partial: false,
        obj_paths: vec![path.to_owned()],
    }
}

/// What was dropped on a link, as the log says it.
fn ignored(live: &LiveAgent, link: LinkId) -> Vec<String> {
    let dropped = live.notices.iter().filter_map(|notice| match notice {
        Notice::Ignored { link: on, why, .. } if *on == link => Some(why.to_string()),
        _ => None,
    });
    dropped.collect()
}
