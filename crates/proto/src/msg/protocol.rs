//! GetSupportedProtocol: which versions of USP are spoken.

/// Asks for the versions of USP that an Agent speaks.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetSupportedProtocol {
    /// Versions that the Controller speaks, separated by commas.
    #[prost(string, tag = "1")]
    pub controller_supported_protocol_versions: String,
}

/// Answers a GetSupportedProtocol.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct GetSupportedProtocolResp {
    /// Versions that the Agent speaks, separated by commas.
    #[prost(string, tag = "1")]
    pub agent_supported_protocol_versions: String,
}
