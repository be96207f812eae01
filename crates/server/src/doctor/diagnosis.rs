//! From what happened to the reason that is told of it.

use usphere_mtp::tls::{Objection, TlsError};
use usphere_mtp::websocket::{CloseReason, DoorFault, DoorStep, RequestFault};
use usphere_proto::ErrorCode;
use usphere_runtime::controller_host::{ContactFault, HangupReason, Ignored};
use usphere_trust::Distrust;

use super::Reason;

/// Why a contact failed.
#[derive(Debug, PartialEq)]
pub(super) struct Diagnosis {
    pub(super) reason: Reason,
    /// What was wrong with this one, in words.
    pub(super) detail: String,
}

impl Diagnosis {
    pub(super) fn of(fault: &ContactFault) -> Self {
        match fault {
            ContactFault::AwaitsApproval => Self {
                reason: Reason::NotApproved,
                detail: "it is connected, and waits to be approved".to_owned(),
            },
            ContactFault::Closed(end) => Self {
                reason: of_end(end),
                detail: end.to_string(),
            },
            ContactFault::Door(fault) => of_door(fault),
            ContactFault::Doubled { before } => Self {
                reason: Reason::EndpointIdInUse,
                detail: format!(
                    "the connection from {before} in the same name was closed for this one"
                ),
            },
            ContactFault::HungUp(why) => Self {
                reason: match why {
                    HangupReason::OurEndpointId => Reason::OwnEndpointId,
                    _ => Reason::NoConnectRecord,
                },
                detail: why.to_string(),
            },
            ContactFault::Ignored(why) => Self {
                reason: of_ignored(why),
                detail: why.to_string(),
            },
            ContactFault::Left { code, text } => Self {
                reason: Reason::DisconnectedByDevice,
                detail: format!("its Disconnect Record says {code}: {text}"),
            },
            ContactFault::Refused { code, text } => Self {
                reason: match code {
                    ErrorCode::SessionContextNotAllowed => Reason::SessionContext,
                    _ => Reason::BadRequest,
                },
                detail: format!("answered with {code}: {text}"),
            },
            ContactFault::ShowsNothing => Self {
                reason: Reason::UntrustedRole,
                detail: "it is connected, and answers that it has no Device.DeviceInfo.".to_owned(),
            },
            ContactFault::TooManyAwaitApproval => Self {
                reason: Reason::TooManyNotApproved,
                detail: "it was sent away, for as many devices wait to be approved as may"
                    .to_owned(),
            },
            ContactFault::Unproven => Self {
                reason: Reason::CertificateMissing,
                detail:
                    "it comes without a certificate, and this Endpoint ID has proved itself by one"
                        .to_owned(),
            },
            ContactFault::UnknownVersion(version) => Self {
                reason: Reason::UnknownVersion,
                detail: format!("its Connect Record is of version {version:?}"),
            },
        }
    }
}

fn of_door(fault: &DoorFault) -> Diagnosis {
    let (reason, detail) = match fault {
        DoorFault::Broken { .. } => (Reason::ConnectionLost, fault.to_string()),
        DoorFault::Full { of_source: false } => (Reason::TooManyConnections, fault.to_string()),
        DoorFault::Full { of_source: true } => {
            (Reason::TooManyConnectionsOfAddress, fault.to_string())
        }
        DoorFault::NotTls => (Reason::PlainAtTlsDoor, fault.to_string()),
        DoorFault::Request { fault, text, .. } => (of_request(fault), told_of(fault, text)),
        DoorFault::Timeout {
            step: DoorStep::Request,
        } => (Reason::RequestTimeout, fault.to_string()),
        DoorFault::Timeout {
            step: DoorStep::Tls,
        } => (Reason::TlsTimeout, fault.to_string()),
        DoorFault::Tls(TlsError::Distrusted(distrust)) => {
            (of_distrust(distrust), distrusted(distrust))
        }
        DoorFault::Tls(error) => (of_tls(error), error.to_string()),
    };
    Diagnosis { reason, detail }
}

fn of_request(fault: &RequestFault) -> Reason {
    match fault {
        RequestFault::EndpointId => Reason::InvalidEndpointId,
        RequestFault::Browser | RequestFault::Method | RequestFault::NotWebSocket => {
            Reason::NotWebSocket
        }
        RequestFault::NotHttp => Reason::NotHttp,
        RequestFault::Path { .. } => Reason::WrongPath,
        RequestFault::Subprotocol { .. } => Reason::NoSubprotocol,
        RequestFault::Tls => Reason::TlsAtPlainDoor,
        RequestFault::TooLarge => Reason::RequestTooLarge,
        RequestFault::Version => Reason::WebSocketVersion,
    }
}

fn told_of(fault: &RequestFault, text: &str) -> String {
    match fault {
        RequestFault::Path { asked, expected } => {
            format!("it asked for {asked}; Agents connect at {expected}")
        }
        RequestFault::Subprotocol { offered } if offered.is_empty() => {
            "it offers no WebSocket subprotocol, v1.usp is expected".to_owned()
        }
        RequestFault::Subprotocol { offered } => {
            format!("it offers the WebSocket subprotocol {offered}, v1.usp is expected")
        }
        _ => text.to_owned(),
    }
}

fn of_tls(error: &TlsError) -> Reason {
    match error {
        TlsError::Distrusted(distrust) => of_distrust(distrust),
        TlsError::Lost(_) => Reason::ConnectionLost,
        TlsError::NoPeerCertificate => Reason::NoCertificate,
        TlsError::NotTls => Reason::PlainAtTlsDoor,
        TlsError::Refused { objection, .. } => match objection {
            Objection::Authority => Reason::ServerCaUnknown,
            Objection::Certificate => Reason::ServerNameMismatch,
            Objection::Dates => Reason::ServerCertificateDates,
            Objection::NoCertificate | Objection::Other => Reason::TlsFailed,
        },
        TlsError::Version => Reason::TlsVersion,
        TlsError::Handshake(_) | TlsError::Name { .. } | TlsError::NoIdentity => Reason::TlsFailed,
    }
}

fn of_distrust(distrust: &Distrust) -> Reason {
    match distrust {
        Distrust::Banned { .. } | Distrust::Revoked { .. } => Reason::CertificateRevoked,
        Distrust::NotItsCertificate { .. } | Distrust::Unproven { .. } => {
            Reason::CertificateMismatch
        }
        Distrust::NothingPresented => Reason::NoCertificate,
        Distrust::OutOfDate {
            not_before, now, ..
        } if now < not_before => Reason::CertificateNotYetValid,
        Distrust::OutOfDate { .. } => Reason::CertificateExpired,
        Distrust::Untrusted {
            certificate,
            issuer,
        } if certificate == issuer => Reason::SelfSigned,
        Distrust::Untrusted { .. } => Reason::UnknownCa,
        Distrust::TooLong { .. }
        | Distrust::TooManySignatures
        | Distrust::Unreadable(_)
        | Distrust::UnknownExtension { .. }
        | Distrust::WrongServer { .. } => Reason::CertificateUnusable,
    }
}

/// As the verdict says it, but with dates, and without words that are for Agents.
fn distrusted(distrust: &Distrust) -> String {
    match distrust {
        Distrust::OutOfDate {
            certificate,
            not_before,
            not_after,
            now,
        } => format!(
            "the certificate of {certificate} is valid from {} to {}, and today is {}",
            date(*not_before),
            date(*not_after),
            date(*now)
        ),
        Distrust::Untrusted {
            certificate,
            issuer,
        } => format!(
            "the certificate of {certificate} was issued by {issuer}, for whom no CA among those of this server vouches"
        ),
        distrust => distrust.to_string(),
    }
}

/// The day of a moment in seconds since 1970, in UTC.
fn date(seconds: i64) -> String {
    match time::OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(moment) => moment.date().to_string(),
        Err(_) => format!("{seconds} s after 1970"),
    }
}

fn of_end(end: &CloseReason) -> Reason {
    match end {
        CloseReason::ByPeer { .. } => Reason::ClosedByDevice,
        CloseReason::ByUs { .. } | CloseReason::Lost(_) => Reason::ConnectionLost,
        CloseReason::NotARecord(what) if what.starts_with("a text message") => Reason::TextMessage,
        CloseReason::NotARecord(_) => Reason::NotARecord,
        CloseReason::Protocol(_) => Reason::WebSocketProtocol,
        CloseReason::Silent => Reason::NoPong,
        CloseReason::SlowReader => Reason::SlowReader,
        CloseReason::TooLarge { .. } => Reason::RecordTooLarge,
    }
}

fn of_ignored(why: &Ignored) -> Reason {
    match why {
        Ignored::BeforeConnect => Reason::BeforeConnect,
        Ignored::Erroneous(_) | Ignored::NotAsked(_) | Ignored::Repeated(_) => Reason::BadRecord,
        Ignored::Forbidden(_) => Reason::EndpointMismatch,
        Ignored::FromNobody(_) => Reason::InvalidEndpointId,
        Ignored::Misdirected(_) => Reason::WrongToId,
        Ignored::OtherAgent => Reason::OtherAgent,
        Ignored::Unproven(_) => Reason::CertificateMismatch,
        Ignored::Unverified => Reason::SignedRecord,
        Ignored::Version(_) => Reason::UnknownVersion,
        Ignored::WrongConnect => Reason::WrongConnect,
    }
}
