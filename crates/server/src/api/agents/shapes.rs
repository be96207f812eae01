//! The shapes of the Broadband Forum's interface.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::given;

/// Which Agent it is about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::api) struct OfAgent {
    /// The Endpoint ID
    #[serde(rename = "endpointID")]
    pub(super) id: String,
}

/// Which Service Element it is about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::api) struct OfElement {
    /// The supported path of the object, without instance numbers
    pub(super) name: String,
}

/// Which command that was started it is about.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(in crate::api) struct OfRequest {
    /// The `asyncRequestID` that it was started under
    #[serde(rename = "asyncRequestID")]
    pub(super) request: String,
}

/// The transports that the interface knows.
#[derive(Clone, Copy, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub(in crate::api) enum Mtp {
    CoAP,
    #[serde(rename = "STOMP")]
    Stomp,
    WebSockets,
    #[serde(rename = "MQTT")]
    Mqtt,
}

/// An Agent to be known before it connects.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = CreateAgentDetails)]
pub(in crate::api) struct Create {
    #[serde(rename = "endpointID")]
    #[schema(
        pattern = "^(cid|doc|fqdn|imei|ops|os|oui|pen|proto|self|user|uuid):[A-Za-z0-9._-]{0,10}:([A-Za-z0-9._-]|%[0-9A-Fa-f]{2}){1,50}$"
    )]
    pub(super) endpoint_id: String,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(super) mtp_to_use: Option<Mtp>,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(super) communications_address: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    pub(super) supported_service_elements: Option<Vec<String>>,
}

impl Create {
    /// The Endpoint ID, and how it is to be reached.
    pub(super) fn parts(self) -> (String, Details) {
        let details = Details {
            mtp_to_use: self.mtp_to_use,
            communications_address: self.communications_address,
            supported_service_elements: self.supported_service_elements,
        };
        (self.endpoint_id, details)
    }
}

/// How an Agent is reached. Agents connect to this server over WebSocket: nothing else can be set.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = AgentDetails)]
pub(in crate::api) struct Details {
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub(super) mtp_to_use: Option<Mtp>,
    /// From where it connected last.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub(super) communications_address: Option<String>,
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false)]
    pub(super) supported_service_elements: Option<Vec<String>>,
}

/// Agents that belong together.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgentSearchResults)]
pub(in crate::api) struct Associated {
    /// Their Endpoint IDs.
    pub(super) output_args: Vec<String>,
}

/// Whether an Agent can be asked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AgentStatus)]
pub(in crate::api) struct Status {
    pub(super) communications_status: Reachable,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CommunicationsStatus)]
pub(in crate::api) enum Reachable {
    Available,
    Unavailable,
}

/// One property of a Service Element: a parameter.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ServiceElementProperty)]
pub(in crate::api) struct Property {
    pub(super) element_property: String,
    pub(super) element_value: String,
}

/// Which row of a table it is; none for an object that is no table.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ServiceElementIdentifier)]
pub(in crate::api) struct Identifier {
    /// Its unique keys. Their values are compared as texts.
    #[serde(default)]
    pub(super) unique_key_list: Vec<Property>,
}

/// Which row of a table it is.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = RowIdentifier)]
pub(in crate::api) struct RowIdentifier {
    /// Its unique keys. Their values are compared as texts.
    #[serde(default)]
    #[schema(required = true, min_items = 1)]
    pub(super) unique_key_list: Vec<Property>,
}

/// A row to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = CreateServiceElementDetail)]
pub(in crate::api) struct NewElement {
    /// The supported path of the table.
    pub(super) name: String,
    #[serde(default)]
    pub(super) identifier: Identifier,
    #[serde(default)]
    pub(super) property_list: Vec<Property>,
}

/// An object with values.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ServiceElementDetail)]
pub(in crate::api) struct Element {
    #[serde(default)]
    pub(super) identifier: Identifier,
    #[serde(default)]
    pub(super) property_list: Vec<Property>,
}

/// An argument of a command.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ActionArgument)]
pub(in crate::api) struct Argument {
    pub(super) arg_name: String,
    pub(super) arg_value: String,
}

/// A command to be run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ServiceElementAction)]
pub(in crate::api) struct Action {
    /// The path of the command, with its `()`.
    pub(super) name: String,
    #[serde(default)]
    pub(super) input_args: Vec<Argument>,
}

/// What a command gave.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ActionResults)]
pub(in crate::api) struct Results {
    /// Absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) output_args: Option<Vec<Argument>>,
}

/// A command that was started.
#[derive(Serialize, ToSchema)]
#[schema(as = AsyncActionResults)]
pub(in crate::api) struct Started {
    /// What to ask for its results by.
    #[serde(rename = "asyncRequestID")]
    pub(super) async_request_id: String,
}
