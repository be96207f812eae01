//! The reasons for which contacts fail, each with what mends it.

use serde::{Serialize, Serializer};

macro_rules! reasons {
    ($($variant:ident, $name:literal, $description:literal, $advice:literal;)*) => {
        /// Why a contact failed.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Reason {
            $(#[doc = $description] $variant,)*
        }

        impl Reason {
            /// Every reason, in the order of their names.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in the API. It is stable.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The reason of this name.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// What it means, in a sentence.
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$variant => $description,)*
                }
            }

            /// What to do about it.
            pub fn advice(self) -> &'static str {
                match self {
                    $(Self::$variant => $advice,)*
                }
            }
        }
    };
}

reasons! {
    BadRecord, "bad_record",
        "What came decodes, and breaks a rule of USP.",
        "The device's Agent makes Records that this server cannot use; `usphere log DEVICE --follow` shows them. Update its software, or tell its maker.";
    BadRequest, "bad_request",
        "A request of the device was answered with an Error.",
        "The detail has the code and what was wrong; `usphere log DEVICE --follow` shows the request. Update the device's software, or tell its maker.";
    BeforeConnect, "before_connect",
        "The device sent something before its Connect Record.",
        "An Agent opens each connection with a WebSocketConnectRecord. Update the device's software; if it speaks USP 1.0 or 1.1 only, it cannot be managed over this door.";
    CertificateExpired, "certificate_expired",
        "The device's certificate has expired.",
        "Give the device a new certificate: `usphere certs issue ENDPOINT-ID`, then install it there. If it should still be valid, look at this server's clock.";
    CertificateMismatch, "certificate_mismatch",
        "The device's certificate stands for another Endpoint than the one it speaks as.",
        "Give the device a certificate whose subjectAltName has urn:bbf:usp:id: and its own Endpoint ID (`usphere certs issue ENDPOINT-ID`), or set Device.LocalAgent.EndpointID to the ID in the certificate.";
    CertificateMissing, "certificate_missing",
        "Somebody without a certificate uses the Endpoint ID of a device that has proved itself by one.",
        "If the device has lost its certificate, give it a new one (`usphere certs issue ENDPOINT-ID`); or, when you are sure that it is the device, `usphere devices remove ENDPOINT-ID` has it begin anew. Else somebody else pretends to be it.";
    CertificateNotYetValid, "certificate_not_yet_valid",
        "The device's certificate is not valid yet.",
        "Look at the clock of this server, and of the machine that issued the certificate; else wait, or issue one that is valid now.";
    CertificateRevoked, "certificate_revoked",
        "The device's certificate is revoked.",
        "If the device is to be let in, give it a new certificate with a new key (`usphere certs issue ENDPOINT-ID`).";
    CertificateUnusable, "certificate_unusable",
        "The device's certificate cannot be used.",
        "The detail says why; `usphere certs show FILE` shows a certificate. Give the device one made by `usphere certs issue ENDPOINT-ID`.";
    ClosedByDevice, "closed_by_device",
        "The device closed the connection with a status that tells of an error.",
        "The detail has the status and the device's words; its log says more. 1003 and 1008 often mean that its Controller table does not have this server's Endpoint ID.";
    ConnectionLost, "connection_lost",
        "The connection ended before it was known who came.",
        "Look at the network between, at proxies and firewalls that cut connections, and at the device's log. A health check or port scan looks like this, too.";
    DisconnectedByDevice, "disconnected_by_device",
        "The device said goodbye with an error code.",
        "The detail has its code and words; look at the device's log.";
    EndpointIdInUse, "endpoint_id_in_use",
        "Two addresses use one Endpoint ID in turns.",
        "Where the device has just changed its address, all is well. If this is counted again and again, two devices have one Endpoint ID: set another Device.LocalAgent.EndpointID on one of them.";
    EndpointMismatch, "endpoint_mismatch",
        "The device opened the connection in another name than its Records bear.",
        "The `eid` of the URL and the from_id of Records have to be the same Endpoint ID. Correct Device.LocalAgent.EndpointID, or the URL that it dials.";
    InvalidEndpointId, "invalid_endpoint_id",
        "The Endpoint ID that the device names is none.",
        "Set Device.LocalAgent.EndpointID to an ID such as os::00256D-0123456789; in a URL each % is written %25.";
    NoCertificate, "no_certificate",
        "The device presents no certificate, and this door demands one.",
        "Make one with `usphere certs issue ENDPOINT-ID` and install it on the device, in the place where its Agent looks for its own certificate; or have devices without one wait for approval (tls_client = \"optional\"; docs/tls.md says what that is worth).";
    NoConnectRecord, "no_connect_record",
        "The device opened a WebSocket and sent no Connect Record in time.",
        "An Agent opens each connection with a WebSocketConnectRecord to this server's Endpoint ID. Is what connects an Agent? Does its Controller table have this server's Endpoint ID? Update its software if it speaks USP 1.0 or 1.1 only.";
    NoPong, "no_pong",
        "The device stopped answering.",
        "The device or the network between has died or sleeps. If many devices show this, a proxy or NAT between forgets idle connections: shorten the ping interval.";
    NoSubprotocol, "no_subprotocol",
        "The device does not offer the WebSocket subprotocol v1.usp.",
        "Have the device send `Sec-WebSocket-Protocol: v1.usp`. If a proxy is between, have it pass that header on.";
    NotARecord, "not_a_record",
        "What the device sent is no USP Record.",
        "Every binary message has to be one Record as TR-369 encodes it. Is what connects an Agent? Update its software, or tell its maker; `usphere decode` shows what bytes mean.";
    NotApproved, "not_approved",
        "The device is connected, and nobody has approved it yet.",
        "`usphere devices approve ENDPOINT-ID` lets it in, once you know that it is who it says; or give devices certificates, which let them in by themselves (first_contact in the configuration's [onboarding]).";
    NotHttp, "not_http",
        "What came is no HTTP request.",
        "Something that does not speak WebSocket uses this port: another program, another MTP (STOMP, MQTT), or a port scan. Correct the address or the MTP's protocol on the device.";
    NotWebSocket, "not_web_socket",
        "It is an HTTP request that does not ask for a WebSocket, or comes from a page in a browser.",
        "A browser, a health check or an HTTP client came to the port for devices; the API and the console are on another port. If a device did, a proxy between has taken out `Connection: Upgrade` and `Upgrade: websocket`: have it pass them on.";
    OtherAgent, "other_agent",
        "A second Endpoint speaks on a connection that belongs to another.",
        "Each Agent needs a connection of its own. A Broker or proxy that puts several into one is not supported.";
    OwnEndpointId, "own_endpoint_id",
        "The device uses this server's own Endpoint ID.",
        "Set Device.LocalAgent.EndpointID of the device to an ID of its own; this server's belongs into its Controller table only.";
    PlainAtTlsDoor, "plain_at_tls_door",
        "The device speaks without TLS at a door that demands it.",
        "Have the device use wss:// (Device.LocalAgent.Controller.{i}.MTP.{i}.WebSocket.EnableEncryption true), or take the tls_ keys out of this server's configuration.";
    RecordTooLarge, "record_too_large",
        "The device sent more in one Record than is accepted.",
        "Ask the device for less at a time (narrower paths, a max_depth).";
    RequestTimeout, "request_timeout",
        "The request for a WebSocket did not come in time.",
        "Something connected and said nothing, or too slowly: a health check, a port scan, a very slow network, or a client that expects the server to speak first.";
    RequestTooLarge, "request_too_large",
        "The request for a WebSocket is too large.",
        "Something puts large headers (cookies, for example) into the request: a proxy between, or the client. Take them out.";
    SelfSigned, "self_signed",
        "The device's certificate is signed by itself.",
        "Give the device a certificate of a CA that this server trusts (`usphere certs issue ENDPOINT-ID`), or add the certificate itself to the file of tls_ca.";
    ServerCaUnknown, "server_ca_unknown",
        "The device does not trust the CA of this server's certificate.",
        "Install the CA of this server's tls_cert on the device, among the CAs it trusts for Controllers (`usphere certs ca` has written it to ca.pem).";
    ServerCertificateDates, "server_certificate_dates",
        "The device finds this server's certificate expired, or not valid yet.",
        "Look at the device's clock first, then at the dates of tls_cert (`usphere certs show FILE`); a new one is taken up by SIGHUP.";
    ServerNameMismatch, "server_name_mismatch",
        "The device does not accept this server's certificate; most often it is not for the name that the device dials.",
        "The host in the device's URL has to be among the names of tls_cert: issue it with `usphere certs issue ENDPOINT-ID --dns NAME`, or have the device dial a name that it has (`usphere certs show FILE`).";
    SessionContext, "session_context",
        "The device speaks in a session context, which this server does not.",
        "Turn end-to-end session contexts off on the device; TLS on the connection protects what is said.";
    SignedRecord, "signed_record",
        "The device signs its Records, and this server cannot verify that.",
        "Turn the signing of Records (mac_signature) off on the device; TLS on the connection protects what is said.";
    SlowReader, "slow_reader",
        "The device does not read what it is sent.",
        "The device is overloaded or hangs, or the network is very slow. Ask it for less at a time; restart it if it stays so.";
    TextMessage, "text_message",
        "The device sent a text message.",
        "Records are sent as binary WebSocket messages. Is what connects an Agent? Update its software, or tell its maker.";
    TlsAtPlainDoor, "tls_at_plain_door",
        "The device speaks TLS at a door without.",
        "Give this server a certificate (tls_cert, tls_key and tls_ca; `usphere certs issue` makes them), or have the device use ws:// where that is safe.";
    TlsFailed, "tls_failed",
        "The two ends do not agree on TLS.",
        "The detail says why. `usphere doctor URL` tries this server's door as a device does.";
    TlsTimeout, "tls_timeout",
        "The handshake of TLS was not finished in time.",
        "Something connected and did not go on: a health check, a port scan, a very slow network, or an overloaded device.";
    TlsVersion, "tls_version",
        "The device speaks neither TLS 1.2 nor 1.3.",
        "Update the TLS library of the device; older versions of TLS are broken and not spoken here.";
    TooManyConnections, "too_many_connections",
        "There are as many connections as this server allows.",
        "Raise connections_max, and the number of file descriptors that the process may have.";
    TooManyConnectionsOfAddress, "too_many_connections_of_address",
        "There are as many connections from this address as this server allows.",
        "If many devices stand behind this address, raise connections_per_source_max; else one client opens connection after connection without closing them.";
    TooManyNotApproved, "too_many_not_approved",
        "The device was sent away: as many devices wait to be approved as may.",
        "Approve those that wait (`usphere devices list`, `usphere devices approve`) or remove them; if they are nobody's, somebody makes Endpoint IDs up.";
    UnknownCa, "unknown_ca",
        "No CA that this server trusts vouches for the device's certificate.",
        "Add the CA that has issued it to the file of tls_ca and send SIGHUP, or give the device a certificate of a CA that is there (`usphere certs issue ENDPOINT-ID`). If it is there, the device has to send the certificates between as well.";
    UnknownVersion, "unknown_version",
        "The device speaks a version of USP that this server does not know.",
        "This server speaks USP 1.0 to 1.4; the version of a Record is one of these. Update the software that is older.";
    UntrustedRole, "untrusted_role",
        "The device lets this server see nothing of it: most likely it gave it the role for those it does not trust.",
        "On the device, give this server's row in Device.LocalAgent.Controller an AssignedRole with rights; over wss, its certificate has to be vouched for by a Credential there. A door without TLS off loopback gives the untrusted role to everybody.";
    WebSocketProtocol, "web_socket_protocol",
        "The device broke the WebSocket protocol.",
        "The detail says how. If a proxy is between, look there first; else update the device's software.";
    WebSocketVersion, "web_socket_version",
        "The device speaks another version of HTTP or WebSocket.",
        "HTTP/1.1 and `Sec-WebSocket-Version: 13` are expected. If a proxy is between, have it speak HTTP/1.1 to this server; else update the device's software.";
    WrongConnect, "wrong_connect",
        "The Connect Record is that of another MTP.",
        "Over a WebSocket an Agent sends a WebSocketConnectRecord. Correct the protocol of the Controller's MTP on the device, or update its software.";
    WrongPath, "wrong_path",
        "The device asked for a path at which no Endpoint is.",
        "Set Device.LocalAgent.Controller.{i}.MTP.{i}.WebSocket.Path of the device to the path in the detail, or ws_path of this server to the path that the device asks for.";
    WrongToId, "wrong_to_id",
        "The device's Records are for another Endpoint than this server.",
        "Set Device.LocalAgent.Controller.{i}.EndpointID of the device to this server's Endpoint ID (the first line of `usphere doctor`), or start this server with --endpoint-id and the ID that the device expects.";
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_name_of_its_own_and_says_what_to_do() {
        let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        let count = names.len();
        assert!(names.is_sorted(), "{names:?}");
        names.dedup();
        assert_eq!(names.len(), count);
        for reason in Reason::ALL {
            assert_eq!(Reason::named(reason.name()), Some(*reason));
            let advice = reason.advice();
            assert!(advice.ends_with('.') && advice.len() > 40, "{reason:?}");
        }
        assert_eq!(Reason::named("nonsense"), None);
    }
}
