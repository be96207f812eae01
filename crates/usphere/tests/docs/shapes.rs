//! One example of every JSON shape, written by the types that are printed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};
use usphere_datamodel::operation::{
    AddOutcome, AddResult, AddStatus, CommandKind, Completion, Created, DeleteOutcome,
    DeleteResult, DeleteStatus, Deleted, Failure, GetOutcome, GetResult, GetStatus, Instance,
    InstanceFailure, InstancesOutcome, InstancesResult, InstancesStatus, Notification, Notified,
    ObjectAccess, ObjectValues, OperateOutcome, OperateResult, OperateStatus, OperationError,
    ParameterAccess, ParameterFailure, ParameterKind, PathFailure, Refusal, SetFailure, SetOutcome,
    SetResult, SetStatus, Supported, SupportedCommand, SupportedEvent, SupportedModelOutcome,
    SupportedModelResult, SupportedModelStatus, SupportedObject, SupportedParameter,
    SupportedProtocolOutcome, Updated, ValueChange,
};
use usphere_store::{Description, Device, DeviceState, Protocol};

pub(crate) fn all() -> String {
    let mut text = String::new();
    let mut section = |name: &str, note: &str, shape: Value| {
        let shape = serde_json::to_string_pretty(&shape).expect("plain data");
        let _ = writeln!(text, "### `{name}`\n\n{note}\n\n```json\n{shape}\n```\n");
    };
    section(
        "get --json",
        "A result is `found` or `failed`. `found` is empty where a search finds nothing.",
        json(get()),
    );
    section(
        "set --json",
        "A result is `updated` or `failed`; `failures` and `objects` are left out where there are none.",
        json(set()),
    );
    section(
        "add --json",
        "A result is `created` or `failed`.",
        json(add()),
    );
    section(
        "delete --json",
        "A result is `deleted` or `failed`.",
        json(delete()),
    );
    section(
        "operate --json",
        "A result is `completed` with the output arguments, `failed`, or `started` with the path of the Request object where its end was not waited for.",
        json(operate()),
    );
    section(
        "watch --json",
        "One line each, here with breaks. `at` is in milliseconds since 1970. `type` says which fields follow; the examples are in a list only here.",
        json(watched()),
    );
    section(
        "instances --json",
        "A result is `found` or `failed`.",
        json(instances()),
    );
    section("schema --json", SCHEMA_NOTE, json(schema()));
    section(
        "protocol --json",
        "The versions in the device's order.",
        json(protocol()),
    );
    section(
        "devices list --json, devices approve --json",
        "A list. Times are milliseconds since 1970; what the device did not tell is `null`.",
        json!([device()]),
    );
    section(
        "devices show --json, devices alias --json, devices tag --json, devices untag --json, devices remove --json",
        "One device; for `remove`, as it was.",
        device(),
    );
    section(
        "operations list --json",
        "A list, the newest first. Times are milliseconds since 1970. `state` is `queued`, `sent`, `waiting`, `done`, `failed` or `expired`; `outcome`, `outcome_bytes` (where the outcome was too large to be kept) and `error` are left out where there is none.",
        json!([operation()]),
    );
    section(
        "operations show --json, operations cancel --json, and any verb with --later --json",
        "One operation.",
        operation(),
    );
    section(
        "doctor --json",
        "A list of contacts that failed, those that came last first. `endpoint_id` is left out where nobody said who came. The reasons stand in [doctor.md](doctor.md).",
        json!([contact()]),
    );
    section(
        "doctor URL --json",
        "The steps are `name`, `connection`, `tls`, `websocket` and `records`, up to the first that fails.",
        visited(),
    );
    section(
        "log --json",
        "One line each, here with breaks. `type` is `received`, `sent`, `note` or `missed`; the examples are in a list only here.",
        said(),
    );
    section(
        "subscriptions list --json",
        "A list; for `add --json` the one that was added.",
        json!([{
            "name": "wan", "type": "ValueChange", "built_in": false, "created": 1_800_000_000_000_i64,
            "references": ["Device.IP.Interface.*.IPv4Address.*.IPAddress"],
        }]),
    );
    section(
        "tokens list --json",
        "A list. Times are milliseconds since 1970; `expires` is `null` for never. `tokens create --json` prints one of them with `token`, the secret.",
        json!([token()]),
    );
    section(
        "audit --json",
        "A list, the newest first. `operation` is left out where it became none, `status` where it is not known what came of it.",
        json!([audited()]),
    );
    section(
        "decode --json",
        "`record` or `msg`, with the names of the USP schema. The payload of a Record is the Message itself, where that can be read.",
        record(),
    );
    section(
        "certs ca --json, certs issue --json",
        "What was made; a list for `issue`.",
        json!([made()]),
    );
    section(
        "certs show --json",
        "`verdict` is `good`, `ca`, or `bad` with a list of reasons, for the first certificate of the file.",
        shown(),
    );
    section(
        "sim usp --json",
        "Printed at the end. `online` and `connecting` are those of the end, all else counts from the start. `all_online_after` is `null` where that never was.",
        simulated(),
    );
    section(
        "conformance list --json",
        "`level` is `mandatory`, `conditional`, `deprecated` or `placeholder`; `mtp` is `null` where any will do.",
        json!([json!({
            "id": "1.10",
            "title": "Add message with unique key addressing in path",
            "section": "1 Messages and Path Names",
            "level": "conditional",
            "condition": "Product supports at least one nested multi-instance object",
            "mtp": null,
        })]),
    );
    section(
        "conformance run --json, report.json",
        "`result` is `passed`, `failed`, `not-applicable` or `not-runnable`, with a `reason` for all but the first. `direction` is `sent`, `came` or `note`; times are in seconds since the test began. `profile` is as in conformance.md. `suite` is the version of the suite. `incomplete` is `null`, or has `from`, the first test that was not run since the run was cut short, and `reason`.",
        conformance(),
    );
    section(
        "what the device refused whole",
        "With `--json` any verb on a device prints this to stdout when nothing came of it; `error` is one of `disconnected`, `invalid_answer`, `not_connected`, `overloaded`, `refused`, `timed_out`, `unsupported`.",
        json(refused()),
    );
    text
}

const SCHEMA_NOTE: &str = "A result is `supported` or `failed`. Empty lists are left out. `access` of an object: `add_delete`, `add_only`, `delete_only`, `read_only`; of a parameter: `read_only`, `read_write`, `write_only`. `type` is a TR-106 name or `unknown`. `value_change`: `allowed`, `will_ignore`, `unknown`. `kind` of a command: `sync`, `async`, `unknown`.";

/// What a device says, as watch prints it.
#[derive(Serialize)]
struct Watched {
    at: i64,
    device: &'static str,
    #[serde(flatten)]
    notified: Notified,
}

fn watched() -> Vec<Watched> {
    let pairs = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let complete = |completion| Notification::OperationComplete {
        path: "Device.A.".into(),
        command: "Test()".into(),
        command_key: "k".into(),
        completion,
    };
    let notifications = [
        Notification::ValueChange {
            path: "Device.X.1.Name".into(),
            value: "a".into(),
        },
        Notification::ObjectCreation {
            path: "Device.X.2.".into(),
            unique_keys: pairs("Alias", "cpe-2"),
        },
        Notification::ObjectDeletion {
            path: "Device.X.2.".into(),
        },
        complete(Completion::Completed(pairs("Result", "ok"))),
        complete(Completion::Failed(failure())),
        Notification::Event {
            path: "Device.".into(),
            event: "Boot!".into(),
            arguments: pairs("Cause", "LocalReboot"),
        },
    ];
    let watched = notifications.into_iter().map(|notification| Watched {
        at: 1_700_000_000_000,
        device: "os::00256D-0123456789",
        notified: Notified {
            subscription: format!("usphere-1a2b3c4d-{}", notification.kind()),
            notification,
        },
    });
    watched.collect()
}

fn json(value: impl Serialize) -> Value {
    serde_json::to_value(value).expect("plain data")
}

fn failure() -> Failure {
    Failure {
        code: 7026,
        text: "no such object".into(),
    }
}

fn parameter_failure() -> ParameterFailure {
    ParameterFailure {
        parameter: "Port".into(),
        code: 7012,
        text: "not a number".into(),
    }
}

fn values(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn get() -> GetOutcome {
    let found = ObjectValues {
        path: "Device.Time.".into(),
        parameters: values(&[("Enable", "true")]),
    };
    GetOutcome {
        results: vec![
            GetResult {
                requested: "Device.Time.".into(),
                status: GetStatus::Found(vec![found]),
            },
            GetResult {
                requested: "Device.Nothing.".into(),
                status: GetStatus::Failed(failure()),
            },
        ],
    }
}

fn set() -> SetOutcome {
    let updated = Updated {
        path: "Device.X.1.".into(),
        parameters: values(&[("Name", "a")]),
        failures: vec![parameter_failure()],
    };
    let failed = SetFailure {
        code: 7021,
        text: "required parameter failed".into(),
        objects: vec![InstanceFailure {
            path: "Device.X.2.".into(),
            failures: vec![parameter_failure()],
        }],
    };
    SetOutcome {
        results: vec![
            SetResult {
                requested: "Device.X.1.".into(),
                status: SetStatus::Updated(vec![updated]),
            },
            SetResult {
                requested: "Device.X.2.".into(),
                status: SetStatus::Failed(failed),
            },
        ],
    }
}

fn add() -> AddOutcome {
    let created = Created {
        path: "Device.X.3.".into(),
        unique_keys: values(&[("Alias", "cpe-3")]),
        failures: vec![parameter_failure()],
    };
    AddOutcome {
        results: vec![
            AddResult {
                requested: "Device.X.".into(),
                status: AddStatus::Created(created),
            },
            AddResult {
                requested: "Device.Nothing.".into(),
                status: AddStatus::Failed(failure()),
            },
        ],
    }
}

fn delete() -> DeleteOutcome {
    let stayed = PathFailure {
        path: "Device.X.4.".into(),
        code: 7024,
        text: "cannot be deleted".into(),
    };
    let deleted = Deleted {
        paths: vec!["Device.X.3.".into()],
        failures: vec![stayed],
    };
    DeleteOutcome {
        results: vec![
            DeleteResult {
                requested: "Device.X.*.".into(),
                status: DeleteStatus::Deleted(deleted),
            },
            DeleteResult {
                requested: "Device.Nothing.1.".into(),
                status: DeleteStatus::Failed(failure()),
            },
        ],
    }
}

fn operate() -> OperateOutcome {
    let result = |command: &str, status| OperateResult {
        command: command.into(),
        status,
    };
    OperateOutcome {
        results: vec![
            result(
                "Device.A()",
                OperateStatus::Completed(values(&[("Result", "ok")])),
            ),
            result(
                "Device.B()",
                OperateStatus::Started("Device.LocalAgent.Request.1.".into()),
            ),
            result("Device.C()", OperateStatus::Failed(failure())),
        ],
    }
}

fn instances() -> InstancesOutcome {
    let instance = Instance {
        path: "Device.X.1.".into(),
        unique_keys: values(&[("Alias", "cpe-1")]),
    };
    InstancesOutcome {
        results: vec![
            InstancesResult {
                requested: "Device.X.".into(),
                status: InstancesStatus::Found(vec![instance]),
            },
            InstancesResult {
                requested: "Device.Nothing.".into(),
                status: InstancesStatus::Failed(failure()),
            },
        ],
    }
}

fn schema() -> SupportedModelOutcome {
    let object = SupportedObject {
        path: "Device.X.{i}.".into(),
        access: ObjectAccess::AddDelete,
        multi_instance: true,
        parameters: vec![SupportedParameter {
            name: "Name".into(),
            access: ParameterAccess::ReadWrite,
            kind: ParameterKind::String,
            value_change: ValueChange::Allowed,
        }],
        commands: vec![SupportedCommand {
            name: "Test()".into(),
            kind: CommandKind::Synchronous,
            inputs: vec!["Count".into()],
            outputs: vec!["Result".into()],
        }],
        events: vec![SupportedEvent {
            name: "Done!".into(),
            arguments: vec!["Result".into()],
        }],
        unique_keys: vec![vec!["Alias".into()]],
        divergent_paths: vec!["Device.X.7.".into()],
    };
    let supported = Supported {
        model_uri: "urn:broadband-forum-org:tr-181-2-19-1-usp".into(),
        objects: vec![object],
    };
    SupportedModelOutcome {
        results: vec![
            SupportedModelResult {
                requested: "Device.X.".into(),
                status: SupportedModelStatus::Supported(supported),
            },
            SupportedModelResult {
                requested: "Device.Nothing.".into(),
                status: SupportedModelStatus::Failed(failure()),
            },
        ],
    }
}

fn protocol() -> SupportedProtocolOutcome {
    SupportedProtocolOutcome {
        versions: vec!["1.3".into(), "1.4".into()],
    }
}

/// A device as the API shows it; the end-to-end test compares its keys with a real one.
fn device() -> Value {
    let device = Device {
        endpoint_id: "os::00256D-0123456789".into(),
        alias: Some("kitchen".into()),
        protocol: Protocol::Usp,
        description: Description {
            manufacturer: Some("Example".into()),
            software_version: Some("1.2".into()),
            ..Description::default()
        },
        first_seen: 1_800_000_000_000,
        last_seen: 1_800_000_100_000,
        remote_address: Some("127.0.0.1:50000".into()),
        last_mtp: Some("WebSocket".into()),
        state: DeviceState::Approved,
        proven: false,
        subscriptions: Some("kept".into()),
        tags: vec!["site=attic".into()],
    };
    let mut json = json(device);
    json["online"] = true.into();
    json
}

fn operation() -> Value {
    json!({
        "id": "op-018bcfe568000001",
        "device": "os::00256D-0123456789",
        "kind": "get",
        "request": {"paths": ["Device.Time.Enable"], "max_depth": 0},
        "state": "failed",
        "created": 1_700_000_000_000_i64,
        "updated": 1_700_000_000_100_i64,
        "expires": 1_700_086_400_000_i64,
        "attempts": 1,
        "error": {"error": "timed_out", "detail": "the device did not answer in time"},
    })
}

fn contact() -> Value {
    json!({
        "id": 7,
        "at": 1_800_000_100_000_i64,
        "first": 1_800_000_000_000_i64,
        "count": 7,
        "remote": "192.0.2.17:40112",
        "mtp": "WebSocket",
        "endpoint_id": "os::00256D-0123456789",
        "reason": "wrong_path",
        "detail": "it asked for /cwmp; Agents connect at /usp",
        "advice": usphere_server::Reason::WrongPath.advice(),
    })
}

fn visited() -> Value {
    json!({
        "url": "ws://127.0.0.1:8081/usp",
        "ok": false,
        "steps": [
            {"step": "name", "ok": true, "detail": "127.0.0.1 is an address"},
            {
                "step": "connection",
                "ok": false,
                "detail": "127.0.0.1:8081: Connection refused (os error 111)",
                "advice": "nothing listens there: is it running, is the port right, and does it listen on this address (`ws` in the server's configuration)?",
            },
        ],
    })
}

fn said() -> Value {
    json!([
        {"at": 1_800_000_000_000_i64, "type": "note", "note": "connection from 127.0.0.1:50000 opened"},
        {"at": 1_800_000_000_001_i64, "type": "received", "record": record()["record"]},
        {"at": 1_800_000_000_002_i64, "type": "missed", "count": 3},
    ])
}

fn token() -> Value {
    json!({
        "name": "ci",
        "scope": "operate",
        "created": 1_800_000_000_000_i64,
        "created_by": "root",
        "expires": null,
        "last_used": 1_800_000_100_000_i64,
    })
}

fn audited() -> Value {
    json!({
        "id": 7,
        "at": 1_800_000_100_000_i64,
        "actor": "ci",
        "remote": "192.0.2.1:50000",
        "action": "set",
        "target": "os::00256D-0123456789",
        "what": "Device.Time.Enable",
        "operation": "op-018bcfe568000001",
        "status": 200,
    })
}

fn record() -> Value {
    use usphere_proto::msg::Get;
    use usphere_proto::{EndpointId, Msg, Record};
    let id = |text| EndpointId::parse(text).expect("valid");
    let get = Get {
        param_paths: vec!["Device.Time.".into()],
        ..Get::default()
    };
    let payload = Msg::request("1", get).into_payload();
    json!({ "record": Record::no_session(&id("self::to"), &id("self::from"), payload).to_readable_json() })
}

fn simulated() -> Value {
    json!({
        "server": "self::server.example",
        "devices": 2,
        "seed": 1,
        "seconds": 60.0,
        "all_online_after": 0.3,
        "online": 2,
        "connecting": 0,
        "started": 2,
        "links": 2,
        "received": 12,
        "sent": 14,
        "notifies": 2,
        "changes": 4,
        "losses": 0,
        "reboots": 0,
        "refused": 0,
        "lost": 0,
        "errors": 0,
    })
}

fn made() -> Value {
    json!({
        "subject": "self::usphere-cli",
        "certificate": "/var/lib/usphere/certs/self__usphere-cli.pem",
        "key": "/var/lib/usphere/certs/self__usphere-cli.key",
        "ca": "/var/lib/usphere/certs/ca.pem",
        "not_after": "2028-11-22T12:00:00Z",
        "sha256": "9F86D081…",
    })
}

fn shown() -> Value {
    json!({
        "certificates": [{
            "subject": "CN=self::usphere-cli",
            "issuer": "CN=usphere CA",
            "serial_number": "1B2C3D",
            "not_before": "2026-11-23T11:00:00Z",
            "not_after": "2028-11-22T12:00:00Z",
            "endpoint_ids": ["self::usphere-cli"],
            "dns_names": [],
            "addresses": ["192.0.2.7"],
            "is_ca": false,
            "is_self_signed": false,
            "sha256": "9F86D081…",
            "sha1": "A94A8FE5…",
        }],
        "verdict": { "bad": ["the certificate of CN=self::usphere-cli is not valid now"] },
    })
}

fn refused() -> OperationError {
    OperationError::Refused(Refusal {
        code: 7004,
        text: "invalid arguments".into(),
        parameters: vec![ParameterFailure {
            parameter: "Device.X.1.Port".into(),
            ..parameter_failure()
        }],
    })
}

fn conformance() -> Value {
    json!({
        "plan": "TP-469 1.4.0",
        "agent": "os::012345-6789AB",
        "software": "2.1",
        "versions": "1.3,1.4",
        "way": "WebSocket, which the Agent dials at ws://127.0.0.1:9001/usp",
        "date": "2026-11-23T12:00:00Z",
        "suite": "0.1.0",
        "incomplete": null,
        "summary": { "passed": 0, "failed": 1, "not-applicable": 0, "not-runnable": 0 },
        "profile": {},
        "tests": [{
            "id": "1.41",
            "title": "Get message with invalid parameter",
            "result": "failed",
            "reason": "Device.LocalAgent.InvalidParameter: an error was expected, none came",
            "section": "1 Messages and Path Names",
            "level": "mandatory",
            "condition": "",
            "seconds": 0.004,
            "steps": [{
                "text": "Get a parameter that there is not",
                "at": 0.0,
                "exchanges": [{
                    "at": 0.0,
                    "direction": "sent",
                    "title": "Get",
                    "text": "Record\n  version: \"1.4\"\n"
                }]
            }]
        }]
    })
}
