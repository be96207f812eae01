//! What the Agent puts into its data model by itself: who it is, and at the first start the roles and
//! rows that the configuration asks for.

use usphere_datamodel::model::Setting;
use usphere_datamodel::types::list;
use usphere_datamodel::{Fault, FaultKind, NodeId, ObjectId, Transaction};
use usphere_trust::{Certificate, FingerprintAlgorithm};

use super::notify;
use super::trust;
use crate::config::{Authority, Config, KnownController, Pin, Target};
use crate::handlers::challenges;
use crate::objects::{FULL_ACCESS_ROLE, SEEDED_CERTIFICATES, SEEDED_CONTROLLERS, WEBSOCKET};

const LOCAL_AGENT: &str = "Device.LocalAgent.";
const TRUST: &str = "Device.LocalAgent.ControllerTrust.";
const FULL_ACCESS: &str = "Full access";
const UNTRUSTED: &str = "Untrusted";

/// Everything, everywhere; secured parameters excepted.
const ALL_RIGHTS: [(&str, &str); 4] = [
    ("Param", "rw-n"),
    ("Obj", "rw-n"),
    ("InstantiatedObj", "rw-n"),
    ("CommandEvent", "r-xn"),
];

/// Enough to see with whom one speaks.
const UNTRUSTED_TARGETS: &str =
    "Device.RootDataModelVersion,Device.LocalAgent.EndpointID,Device.LocalAgent.SoftwareVersion";
const UNTRUSTED_RIGHTS: [(&str, &str); 4] = [
    ("Param", "r---"),
    ("Obj", "----"),
    ("InstantiatedObj", "----"),
    ("CommandEvent", "----"),
];

/// Seeds what `config` names and is not there. At the `first` start there is an untrusted role, too. A
/// row that is there stays as it is, whatever was made of it. Returns what could not be seeded.
pub(super) fn seed(transaction: &mut Transaction<'_>, config: &Config, first: bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut attempt = |transaction: &mut Transaction<'_>, step: Step<'_>| {
        let savepoint = transaction.savepoint();
        match step(transaction) {
            Ok(unheard) => faults.extend(unheard),
            Err(fault) => {
                transaction.rollback(savepoint);
                faults.push(fault);
            }
        }
    };
    attempt(transaction, &|transaction| {
        seed_identity(transaction, config).map(|()| None)
    });
    if first {
        attempt(transaction, &|transaction| {
            seed_roles(transaction).map(|()| None)
        });
    }
    notify::remove_transient(transaction);
    for known in &config.controllers {
        attempt(transaction, &|transaction| {
            seed_controller(transaction, known)
        });
    }
    for authority in &config.trust.authorities {
        attempt(transaction, &|transaction| {
            seed_authority(transaction, authority).map(|()| None)
        });
    }
    for pin in &config.trust.pins {
        attempt(transaction, &|transaction| seed_pin(transaction, pin));
    }
    if first && config.trust.on_first_use {
        attempt(transaction, &|transaction| {
            let trust = find(transaction, TRUST)?;
            set(transaction, trust, "TOFUAllowed", "true").map(|()| None)
        });
    }
    attempt(transaction, &|transaction| {
        lock_again(transaction).map(|()| None)
    });
    if let Some(target) = &config.listen {
        attempt(transaction, &|transaction| {
            seed_listener(transaction, target)
        });
    }
    faults
}

/// Seeds one thing. What the configuration asks for in vain, because somebody has decided otherwise, is
/// `Some`; what could not be seeded is an error, and leaves nothing.
type Step<'a> = &'a dyn Fn(&mut Transaction<'_>) -> Result<Option<Fault>, Fault>;

fn seed_identity(transaction: &mut Transaction<'_>, config: &Config) -> Result<(), Fault> {
    let agent = find(transaction, LOCAL_AGENT)?;
    assign(
        transaction,
        agent,
        "EndpointID",
        config.endpoint_id.as_str(),
    )?;
    assign(
        transaction,
        agent,
        "SoftwareVersion",
        &config.software_version,
    )
}

fn seed_roles(transaction: &mut Transaction<'_>) -> Result<(), Fault> {
    let trust = find(transaction, TRUST)?;
    full_access(transaction)?;
    if row_with(transaction, trust, "Role", "Name", UNTRUSTED)?.is_none() {
        let role = role(
            transaction,
            trust,
            UNTRUSTED,
            UNTRUSTED_TARGETS,
            UNTRUSTED_RIGHTS,
        )?;
        let role = transaction.path(role).to_owned();
        assign(transaction, trust, "UntrustedRole", &role)?;
    }
    Ok(())
}

fn seed_controller(
    transaction: &mut Transaction<'_>,
    known: &KnownController,
) -> Result<Option<Fault>, Fault> {
    let agent = find(transaction, LOCAL_AGENT)?;
    let id = known.endpoint_id.as_str();
    let seeded = transaction.text(agent, SEEDED_CONTROLLERS).to_owned();
    let before = list::items(&seeded).any(|seeded| seeded == id);
    let row = row_with(transaction, agent, "Controller", "EndpointID", id)?;
    if !before {
        let all = list::items(&seeded).map(|item| item.into_owned());
        let all: Vec<String> = all.chain([id.to_owned()]).collect();
        let all = list::join(all.iter().map(String::as_str));
        assign(transaction, agent, SEEDED_CONTROLLERS, &all)?;
    }
    match row {
        Some(row) => left_alone(transaction, row, known.target.as_ref()),
        None if before => Ok(Some(Fault::new(
            FaultKind::Denied,
            "Device.LocalAgent.Controller.",
            format!("{id} was deleted or renamed since it was seeded, and is not seeded again"),
        ))),
        None => new_controller(transaction, agent, known).map(|()| None),
    }
}

fn new_controller(
    transaction: &mut Transaction<'_>,
    agent: ObjectId,
    known: &KnownController,
) -> Result<(), Fault> {
    let role = full_access(transaction)?;
    let role = transaction.path(role).to_owned();
    let values = [
        ("EndpointID", known.endpoint_id.as_str()),
        ("Enable", "true"),
        // Whom the configuration names has the Agent on board.
        ("OnBoardingComplete", "true"),
        ("AssignedRole", &role),
    ];
    let row = add(transaction, agent, "Controller", &values)?;
    if let Some(target) = &known.target {
        let mtp = add(
            transaction,
            row,
            "MTP",
            &[("Enable", "true"), ("Protocol", WEBSOCKET)],
        )?;
        let socket = websocket(transaction, mtp)?;
        set(transaction, socket, "Host", &target.host)?;
        place(transaction, socket, target)?;
    }
    Ok(())
}

/// A certificate whose owner vouches for others, unless somebody has deleted it since it was seeded.
fn seed_authority(transaction: &mut Transaction<'_>, seed: &Authority) -> Result<(), Fault> {
    if !is_new(transaction, &seed.certificate)? {
        return Ok(());
    }
    let (agent, trust) = (find(transaction, LOCAL_AGENT)?, find(transaction, TRUST)?);
    let role = match seed.full_access {
        true => {
            let role = full_access(transaction)?;
            transaction.path(role).to_owned()
        }
        false => String::new(),
    };
    let certificate = trust::stored_or_new(transaction, agent, &seed.certificate)?;
    let certificate = transaction.path(certificate).to_owned();
    let values = [
        ("Enable", "true"),
        ("Role", &role),
        ("Credential", &certificate),
        ("AllowedUses", seed.allowed_uses.name()),
    ];
    add(transaction, trust, "Credential", &values).map(drop)
}

/// The certificate of a Controller, likewise.
fn seed_pin(transaction: &mut Transaction<'_>, seed: &Pin) -> Result<Option<Fault>, Fault> {
    let agent = find(transaction, LOCAL_AGENT)?;
    let id = seed.endpoint_id.as_str();
    let Some(row) = row_with(transaction, agent, "Controller", "EndpointID", id)? else {
        let text = format!("there is no Controller {id}, so its certificate is not kept");
        let path = "Device.LocalAgent.Controller.";
        return Ok(Some(Fault::new(FaultKind::Denied, path, text)));
    };
    if is_new(transaction, &seed.certificate)? {
        trust::remember(transaction, agent, row, &seed.certificate)?;
    }
    Ok(None)
}

/// Whether a certificate is seeded for the first time; from now on it is not.
fn is_new(transaction: &mut Transaction<'_>, certificate: &Certificate) -> Result<bool, Fault> {
    let agent = find(transaction, LOCAL_AGENT)?;
    let print = certificate.fingerprint(FingerprintAlgorithm::Sha256);
    let seeded = transaction.text(agent, SEEDED_CERTIFICATES).to_owned();
    if list::items(&seeded).any(|known| known == print) {
        return Ok(false);
    }
    let all = list::items(&seeded).chain([print.into()]);
    let all: Vec<_> = all.collect();
    let all = list::join(all.iter().map(|item| &**item));
    assign(transaction, agent, SEEDED_CERTIFICATES, &all)?;
    Ok(true)
}

/// A challenge that was failed too often stays locked over a restart: for the whole time, as the Agent does not
/// know how long it was gone. (R-SEC.16, R-SEC.17)
fn lock_again(transaction: &mut Transaction<'_>) -> Result<(), Fault> {
    let trust = find(transaction, TRUST)?;
    for row in super::survey::rows(transaction, trust, "Challenge") {
        challenges::lock_if_due(transaction, row)?;
    }
    Ok(())
}

fn seed_listener(
    transaction: &mut Transaction<'_>,
    target: &Target,
) -> Result<Option<Fault>, Fault> {
    let agent = find(transaction, LOCAL_AGENT)?;
    if row_with(transaction, agent, "MTP", "Protocol", WEBSOCKET)?.is_some() {
        return left_alone(transaction, agent, Some(target));
    }
    let mtp = add(
        transaction,
        agent,
        "MTP",
        &[("Enable", "true"), ("Protocol", WEBSOCKET)],
    )?;
    let socket = websocket(transaction, mtp)?;
    place(transaction, socket, target).map(|()| None)
}

/// The MTP of `parent` stays as it is. Where the configuration asks for another place, whoever wrote it is
/// to know that it has no effect.
fn left_alone(
    transaction: &mut Transaction<'_>,
    parent: ObjectId,
    target: Option<&Target>,
) -> Result<Option<Fault>, Fault> {
    let Some(target) = target else {
        return Ok(None);
    };
    let Some(mtp) = row_with(transaction, parent, "MTP", "Protocol", WEBSOCKET)? else {
        let path = format!("{}MTP.", transaction.path(parent));
        let text = "the configured address has no effect: there is a row of its owner already, without a \
                    WebSocket MTP; Add one";
        return Ok(Some(Fault::new(FaultKind::Denied, path, text)));
    };
    let socket = websocket(transaction, mtp)?;
    let same = transaction.text(socket, "Port") == target.port.to_string()
        && transaction.text(socket, "Path") == target.path
        && (target.host.is_empty() || transaction.text(socket, "Host") == target.host);
    if same {
        return Ok(None);
    }
    let text = format!(
        "the configured address has no effect: this row says {}:{}{}, Set it there",
        transaction.text(socket, "Host").to_owned(),
        transaction.text(socket, "Port").to_owned(),
        transaction.text(socket, "Path").to_owned(),
    );
    Ok(Some(Fault::new(
        FaultKind::Denied,
        transaction.path(socket).to_owned(),
        text,
    )))
}

fn place(
    transaction: &mut Transaction<'_>,
    socket: ObjectId,
    target: &Target,
) -> Result<(), Fault> {
    set(transaction, socket, "Port", &target.port.to_string())?;
    set(transaction, socket, "Path", &target.path)?;
    set(
        transaction,
        socket,
        "EnableEncryption",
        if target.encryption { "true" } else { "false" },
    )
}

/// The role that may do everything; it is made when it was never made or was deleted.
fn full_access(transaction: &mut Transaction<'_>) -> Result<ObjectId, Fault> {
    let trust = find(transaction, TRUST)?;
    let made = format!("{}.", transaction.text(trust, FULL_ACCESS_ROLE));
    if let Some(role) = transaction.find(&made) {
        return Ok(role);
    }
    let role = role(transaction, trust, FULL_ACCESS, "Device.", ALL_RIGHTS)?;
    let path = transaction.path(role).to_owned();
    assign(transaction, trust, FULL_ACCESS_ROLE, &path)?;
    Ok(role)
}

fn role(
    transaction: &mut Transaction<'_>,
    trust: ObjectId,
    name: &str,
    targets: &str,
    rights: [(&str, &str); 4],
) -> Result<ObjectId, Fault> {
    let role = add(
        transaction,
        trust,
        "Role",
        &[("Name", name), ("Enable", "true")],
    )?;
    let mut values = vec![("Enable", "true"), ("Order", "1"), ("Targets", targets)];
    values.extend(rights);
    add(transaction, role, "Permission", &values)?;
    Ok(role)
}

pub(super) fn add(
    transaction: &mut Transaction<'_>,
    parent: ObjectId,
    table: &str,
    values: &[(&str, &str)],
) -> Result<ObjectId, Fault> {
    let node = transaction
        .member(parent, table)
        .ok_or_else(|| missing(transaction, parent, table))?;
    let row = transaction.add_row(parent, node)?;
    for (name, value) in values {
        set(transaction, row, name, value)?;
    }
    transaction.finish_row(row)?;
    Ok(row)
}

pub(super) fn set(
    transaction: &mut Transaction<'_>,
    object: ObjectId,
    name: &str,
    value: &str,
) -> Result<(), Fault> {
    let parameter = parameter(transaction, object, name)?;
    transaction.set(object, parameter, value, Setting::Initial)
}

/// Gives a parameter a value of our own, also where only the Agent writes.
pub(crate) fn assign(
    transaction: &mut Transaction<'_>,
    object: ObjectId,
    name: &str,
    value: &str,
) -> Result<(), Fault> {
    let parameter = parameter(transaction, object, name)?;
    transaction.assign(object, parameter, value)
}

fn parameter(transaction: &Transaction<'_>, object: ObjectId, name: &str) -> Result<NodeId, Fault> {
    let found = transaction.parameter(object, name);
    found.ok_or_else(|| missing(transaction, object, name))
}

pub(super) fn row_with(
    transaction: &mut Transaction<'_>,
    parent: ObjectId,
    table: &str,
    name: &str,
    value: &str,
) -> Result<Option<ObjectId>, Fault> {
    let node = transaction
        .member(parent, table)
        .ok_or_else(|| missing(transaction, parent, table))?;
    let rows = transaction.rows(parent, node)?;
    Ok(rows
        .into_iter()
        .find(|row| transaction.text(*row, name) == value))
}

fn websocket(transaction: &mut Transaction<'_>, mtp: ObjectId) -> Result<ObjectId, Fault> {
    let node = transaction.member(mtp, "WebSocket");
    let socket = node.and_then(|node| transaction.single(mtp, node));
    socket.ok_or_else(|| missing(transaction, mtp, "WebSocket"))
}

/// The object at `path`, which is declared and always there.
pub(crate) fn find(transaction: &mut Transaction<'_>, path: &str) -> Result<ObjectId, Fault> {
    transaction
        .find(path)
        .ok_or_else(|| Fault::new(FaultKind::Internal, path, "this is not declared"))
}

fn missing(transaction: &Transaction<'_>, object: ObjectId, name: &str) -> Fault {
    let path = format!("{}{name}", transaction.path(object));
    Fault::new(FaultKind::Internal, path, "this is not declared")
}
