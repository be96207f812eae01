//! GetSupportedProtocol: which versions of USP this Agent speaks.

use usphere_proto::msg::GetSupportedProtocolResp;

/// The versions of USP that this Agent speaks, separated by commas.
pub(crate) const SUPPORTED_VERSIONS: &str = "1.0,1.1,1.2,1.3,1.4";

/// Answers a GetSupportedProtocol. What the Controller speaks makes no difference: the schema of the
/// Messages has only grown since 1.0.
pub(super) fn supported_protocol() -> GetSupportedProtocolResp {
    GetSupportedProtocolResp {
        agent_supported_protocol_versions: SUPPORTED_VERSIONS.to_owned(),
    }
}
