//! Nobody locks everybody out: one Controller always keeps the right to give rights, and a way to use it.
//!
//! Such a Controller is enabled, not banned, and may write every Role and Permission that there is and is to
//! come, so that it can give itself and others whatever is missing; by the roles it was assigned, or by those of
//! the Credential that vouched for it last, which counts also while a restart has cleared what it inherited. As
//! long as nobody has come by a Credential with such a role, whoever will come by it counts. It has a way in: an
//! MTP by which it is dialled or dials in, and for TLS something that proves who it is.
//!
//! Work that would leave none is taken back as a whole, whatever it was. Where there was none before, nothing is
//! protected. An admission is not held up: it takes no assigned role, and what is inherited follows from the
//! Credentials alone, which are protected.

use usphere_datamodel::declare::ParameterAccess;
use usphere_datamodel::schema::Node;
use usphere_datamodel::types::list;
use usphere_datamodel::{Access, Fault, FaultKind, ObjectId, Rights, SchemaView, Transaction};
use usphere_proto::EndpointId;
use usphere_trust::{AllowedUses, Credential, Store};

use crate::engine::survey::{listeners, rows, ways};
use crate::engine::trust::store;
use crate::objects::VOUCHED_BY;
use crate::roles;

const AGENT: &str = "Device.LocalAgent.";
const TRUST: &str = "Device.LocalAgent.ControllerTrust.";
const CONTROLLERS: &str = "Device.LocalAgent.Controller.";
const CREDENTIALS: &str = "Device.LocalAgent.ControllerTrust.Credential.";
const ROLES: &str = "Device.LocalAgent.ControllerTrust.Role.";

/// Tables of which everything can matter.
const DECISIVE: [&str; 4] = [
    "Device.LocalAgent.Certificate.",
    "Device.LocalAgent.MTP.",
    CREDENTIALS,
    ROLES,
];

/// Does `work`, which is done on a transaction and may be taken back and done twice.
///
/// # Errors
/// [`FaultKind::Denied`] when it was taken back, since it would leave no Controller with the right to give
/// rights.
pub(crate) fn prevent<T>(
    transaction: &mut Transaction<'_>,
    mut work: impl FnMut(&mut Transaction<'_>) -> T,
) -> Result<T, Fault> {
    let start = transaction.savepoint();
    let done = work(transaction);
    if !transaction.has_changed(start, concerns) || has_administrator(transaction) {
        return Ok(done);
    }
    transaction.rollback(start);
    if !has_administrator(transaction) {
        return Ok(work(transaction));
    }
    let text = "this would leave no enabled Controller that may write Roles and Permissions and has a way in, so \
                that nobody could ever change rights again; give another Controller such a Role first";
    Err(Fault::new(FaultKind::Denied, TRUST, text))
}

/// Whether a change of this row, or of this parameter of this object, can take rights or the last way in away.
fn concerns(path: &str, parameter: Option<&str>) -> bool {
    if DECISIVE.iter().any(|table| path.starts_with(table)) {
        return true;
    }
    match parameter {
        Some(name) if path == TRUST => name == "BannedRole",
        Some(name) => {
            path.starts_with(CONTROLLERS)
                && matches!(
                    name,
                    "AssignedRole"
                        | "Credential"
                        | "Enable"
                        | "EnableEncryption"
                        | "EndpointID"
                        | "Host"
                        | "Protocol"
                )
        }
        None => path.starts_with(CONTROLLERS),
    }
}

fn has_administrator(transaction: &mut Transaction<'_>) -> bool {
    let Some(agent) = transaction.find(AGENT) else {
        return false;
    };
    let ground = Ground::read(transaction, agent);
    let controllers = rows(transaction, agent, "Controller");
    controllers
        .iter()
        .any(|row| ground.administers(transaction, *row))
        || ground.awaits_administrator(transaction, &controllers)
}

/// What all Controllers have in common.
struct Ground {
    /// The BannedRole; empty where there is none.
    banned: String,
    trust: Store,
    /// Whether there is a place to dial in without TLS, and with it.
    plain_door: bool,
    tls_door: bool,
}

impl Ground {
    fn read(transaction: &mut Transaction<'_>, agent: ObjectId) -> Self {
        let banned = transaction
            .find(TRUST)
            .map(|trust| transaction.text(trust, "BannedRole").to_owned());
        let doors = listeners(transaction, agent);
        let mut doors = doors.iter().map(|(_, offer)| offer.target.encryption);
        Self {
            banned: banned.unwrap_or_default(),
            trust: store::compile(transaction),
            plain_door: doors.clone().any(|encryption| !encryption),
            tls_door: doors.any(|encryption| encryption),
        }
    }

    fn administers(&self, transaction: &mut Transaction<'_>, row: ObjectId) -> bool {
        let assigned: Vec<String> = list::items(transaction.text(row, "AssignedRole"))
            .map(|role| role.into_owned())
            .collect();
        let is_banned = !self.banned.is_empty() && assigned.contains(&self.banned);
        let is_named = EndpointId::from_wire(transaction.text(row, "EndpointID")).is_ok();
        if is_banned || !is_named || transaction.text(row, "Enable") != "true" {
            return false;
        }
        if !self.has_way_in(transaction, row) {
            return false;
        }
        let voucher = voucher_of(transaction, row);
        let voucher = self
            .vouchers()
            .find(|credential| Some(credential.instance) == voucher);
        let inherited = voucher.into_iter().flat_map(|voucher| voucher.roles.iter());
        let roles: Vec<String> = assigned.into_iter().chain(inherited.cloned()).collect();
        may_give_rights(transaction, &roles)
    }

    /// Whether somebody may come by a Credential that gives the right to give rights, which nobody has done yet.
    fn awaits_administrator(
        &self,
        transaction: &mut Transaction<'_>,
        controllers: &[ObjectId],
    ) -> bool {
        let used: Vec<u32> = controllers
            .iter()
            .filter_map(|row| voucher_of(transaction, *row))
            .collect();
        let mut unused = self
            .vouchers()
            .filter(|credential| self.tls_door && !used.contains(&credential.instance));
        unused.any(|credential| may_give_rights(transaction, &credential.roles))
    }

    /// Whether the Controller can reach the Agent, or be reached, such that its roles count.
    fn has_way_in(&self, transaction: &mut Transaction<'_>, row: ObjectId) -> bool {
        let ways = ways(transaction, row);
        let mut dialled = ways.iter().map(|way| way.target.encryption);
        let plain = self.plain_door || dialled.clone().any(|encryption| !encryption);
        let tls = self.tls_door || dialled.any(|encryption| encryption);
        let instance = transaction.instance(row);
        let mut peers = self.trust.peers.iter();
        let peer = peers.find(|peer| peer.instance == instance);
        let is_stored = peer.is_some_and(|peer| {
            let mut certificates = peer.certificates.iter();
            certificates.any(|certificate| !self.trust.bans(certificate))
        });
        let has_to_prove = peer.is_some_and(|peer| peer.inherits);
        let can_prove = is_stored || self.vouchers().next().is_some();
        (plain && !has_to_prove) || (tls && can_prove)
    }

    /// The Credentials that vouch for Controllers.
    fn vouchers(&self) -> impl Iterator<Item = &Credential> {
        let credentials = self.trust.credentials.iter();
        credentials.filter(|credential| {
            let vouches = matches!(
                credential.allowed_uses,
                Some(AllowedUses::MtpAndBroker | AllowedUses::MtpAndUsp)
            );
            vouches && !self.trust.bans(&credential.certificate)
        })
    }
}

/// The instance number of the Credential that vouched for the Controller last.
fn voucher_of(transaction: &mut Transaction<'_>, row: ObjectId) -> Option<u32> {
    let voucher = transaction
        .text(row, VOUCHED_BY)
        .strip_prefix(CREDENTIALS)?;
    voucher.trim_end_matches('.').parse().ok()
}

/// Whether who has these roles may write all of the Role table, and all that is in it.
fn may_give_rights(transaction: &mut Transaction<'_>, roles: &[String]) -> bool {
    let access = roles::access_by(transaction, roles);
    writes_roles(transaction.view(), &access)
}

fn writes_roles(view: &SchemaView, access: &Access) -> bool {
    let mut nodes = view.nodes().filter(|node| node.path.starts_with(ROLES));
    nodes.all(|node| access.everywhere(node.id).grants(writing(node)))
}

/// The rights that writing all of `node` takes.
fn writing(node: &Node) -> Rights {
    if let Some(parameter) = node.parameter() {
        return match parameter.access {
            ParameterAccess::ReadWrite => Rights::PARAMETER_WRITE,
            ParameterAccess::ReadOnly | ParameterAccess::WriteOnce => Rights::NONE,
        };
    }
    let Some(rows) = node.object().and_then(|object| object.rows) else {
        return Rights::NONE;
    };
    let mut rights = Rights::NONE;
    if rows.addable {
        rights = rights.or(Rights::OBJECT_WRITE);
    }
    if rows.deletable {
        rights = rights.or(Rights::INSTANCE_WRITE);
    }
    rights
}
