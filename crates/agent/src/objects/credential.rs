//! Whom the Agent trusts to vouch for others.

use usphere_datamodel::declare::{
    BOOLEAN, Object, Rows, object, one_of, parameter, strong_reference,
};
use usphere_datamodel::types::ALIAS;

use super::certificate::CERTIFICATE_TABLE;
use super::trust::ROLE_TABLE;

/// One row is one certificate whose owner is trusted: an authority, a broker, or a Controller itself. Where
/// the Role is the BannedRole, whoever it vouches for is banned. (TR-181 2.19)
pub(super) const CREDENTIAL: Object = object("Device.LocalAgent.ControllerTrust.Credential.{i}.")
    .rows(Rows::ADDABLE.and(Rows::DELETABLE))
    .unique(&[&["Credential"], &["Alias"]])
    .parameters(&[
        parameter("Alias", ALIAS).write_once().assigned(),
        parameter("Enable", BOOLEAN).writable().default("false"),
        parameter("Role", strong_reference(ROLE_TABLE).list()).writable(),
        parameter("Credential", strong_reference(CERTIFICATE_TABLE)).writable(),
        // The least of them, where none is given.
        parameter(
            "AllowedUses",
            one_of(&["MTP-only", "MTP-and-USP", "MTP-and-broker"]),
        )
        .writable()
        .default("MTP-only"),
    ]);
