//! Tries each step of a connection to a URL, and says which one fails and what to do about it.
//!
//! The same is done as by an Agent or a Controller that dials: nothing is sent beyond that.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use usphere_mtp::limits::ADDRESSES_MAX;
use usphere_mtp::tls::{Objection, TlsError};
use usphere_mtp::websocket::{
    self, CloseReason, DialError, DialStep, Link, LinkEvent, Settings, Target, close_code,
};
use usphere_proto::msg::{GetSupportedProtocol, ResponseType};
use usphere_proto::{EndpointId, Limits, Msg, Record, RecordType};
use usphere_trust::Distrust;

use super::tls::{Seen, visiting};
use crate::cli::reach::Manner;
use crate::defaults::CONTROLLER_ID;
use crate::failure::{Exit, Failure};
use crate::print;
use crate::tls::{ADVICE, TlsOptions};
use crate::transport::patiently;

/// How long the other end may take to speak first, which an Agent does at once.
const FIRST_WORD: Duration = Duration::from_secs(3);

/// The name of the message that is asked with.
const MSG_ID: &str = "doctor-1";

/// What is to be tried.
#[derive(Clone)]
pub(super) struct Visit {
    target: Target,
    /// Who we are, where that was given.
    own: Option<EndpointId>,
    tls: TlsOptions,
}

impl Visit {
    pub(super) fn new(target: Target, own: Option<EndpointId>, tls: TlsOptions) -> Self {
        Self { target, own, tls }
    }

    /// The same with TLS, where what is there speaks that and nothing else.
    pub(super) async fn with_tls_if_need_be(self, manner: Manner) -> Self {
        let mut secured = self.clone();
        secured.target.tls = true;
        match wants_tls(&self, &secured, manner.timeout).await {
            true => secured,
            false => self,
        }
    }
}

async fn wants_tls(plain: &Visit, secured: &Visit, patience: Duration) -> bool {
    let dialled = async |visit: &Visit| {
        let prober = Prober::new(visit.clone(), patience).ok()?;
        let dialled = websocket::dial(&prober.target, &prober.settings).await;
        Some(match dialled {
            Ok(mut link) => {
                leave(&mut link).await;
                Ok(())
            }
            Err(error) => Err(error),
        })
    };
    match dialled(plain).await {
        // A door with TLS says 400, or what no WebSocket says.
        Some(Err(DialError::Handshake { .. } | DialError::Refused { status: 400, .. })) => {}
        _ => return false,
    }
    !matches!(
        dialled(secured).await,
        None | Some(Err(DialError::Connect { .. }
            | DialError::Timeout { .. }
            | DialError::Tls(TlsError::NotTls | TlsError::Lost(_))))
    )
}

/// What was tried.
#[derive(Debug, Serialize)]
struct Report {
    url: String,
    /// Whether every step was good.
    ok: bool,
    steps: Vec<Step>,
}

/// One step, and what came of it.
#[derive(Debug, Serialize)]
struct Step {
    step: &'static str,
    ok: bool,
    detail: String,
    /// What to do about it, where it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

/// Why a step failed.
struct Failed {
    step: &'static str,
    detail: String,
    advice: String,
}

const NAME: &str = "name";
const CONNECTION: &str = "connection";
const TLS: &str = "tls";
const WEB_SOCKET: &str = "websocket";
const RECORDS: &str = "records";

/// Tries each step and prints what comes of it.
///
/// # Errors
/// `Absent` where a step fails.
pub(super) async fn run(visit: Visit, manner: Manner) -> Result<Exit, Failure> {
    let mut prober = Prober::new(visit, manner.timeout)?;
    let what = format!("trying {}", prober.target);
    let failed = patiently(&what, prober.try_all()).await.err();
    let ok = failed.is_none();
    let advice = failed.as_ref().map(|failed| failed.advice.clone());
    let message = failed.map(|failed| {
        let message = format!("{}: {}", failed.step, failed.detail);
        prober.steps.push(Step {
            step: failed.step,
            ok: false,
            detail: failed.detail,
            advice: Some(failed.advice),
        });
        message
    });
    let report = Report {
        url: prober.target.to_string(),
        ok,
        steps: prober.steps,
    };
    match manner.json {
        true => print::json(&report)?,
        false => print::text(&report.text())?,
    };
    match (message, advice) {
        (Some(message), Some(advice)) => {
            let message = format!("{}: {}", report.url, print::clean(&message));
            Err(Failure::new(Exit::Absent, message).advise(advice))
        }
        _ => Ok(Exit::Done),
    }
}

impl Report {
    fn text(&self) -> String {
        let lines = self.steps.iter().map(|step| {
            let mark = if step.ok { "ok" } else { "FAILED" };
            vec![
                mark.to_owned(),
                step.step.to_owned(),
                print::clean(&step.detail),
            ]
        });
        print::columns(&[], lines)
    }
}

struct Prober {
    target: Target,
    own: EndpointId,
    /// Whether to go on as a device where the other end is a Controller.
    goes_on: bool,
    settings: Settings,
    seen: Seen,
    patience: Duration,
    steps: Vec<Step>,
}

impl Prober {
    fn new(visit: Visit, patience: Duration) -> Result<Self, Failure> {
        let Visit { target, own, tls } = visit;
        let goes_on = own.is_some();
        let own = match own {
            Some(own) => own,
            None => EndpointId::parse(CONTROLLER_ID).map_err(Failure::usage)?,
        };
        let (tls, seen) = match target.tls {
            true => visiting(tls, &own).map(|(tls, seen)| (Some(Arc::new(tls)), seen))?,
            false => (None, Seen::default()),
        };
        let settings = Settings {
            // A server tells who it is where it is asked like this.
            legacy_extension: true,
            connect_timeout: patience,
            handshake_timeout: patience,
            tls,
            ..Settings::new(own.clone())
        };
        Ok(Self {
            target,
            own,
            goes_on,
            settings,
            seen,
            patience,
            steps: Vec::new(),
        })
    }

    async fn try_all(&mut self) -> Result<(), Failed> {
        let addresses = self.resolve().await?;
        self.connect(&addresses).await?;
        let link = self.dial().await?;
        self.talk(link).await
    }

    fn good(&mut self, step: &'static str, detail: impl Into<String>) {
        self.steps.push(Step {
            step,
            ok: true,
            detail: detail.into(),
            advice: None,
        });
    }

    async fn resolve(&mut self) -> Result<Vec<SocketAddr>, Failed> {
        let host = &self.target.host;
        let failed = |why: String| {
            Failed {
            step: NAME,
            detail: format!("{host}: {why}"),
            advice: "is the name spelt as it should be? Try `getent hosts NAME`, and look at /etc/resolv.conf".into(),
        }
        };
        let looked_up = lookup_host((host.as_str(), self.target.port));
        let found = timeout(self.patience, looked_up).await;
        let found = found
            .map_err(|_| failed("no answer of the name service in time".into()))?
            .map_err(|error| failed(error.to_string()))?;
        let addresses: Vec<_> = found.take(ADDRESSES_MAX).collect();
        if addresses.is_empty() {
            return Err(failed("the name has no address".into()));
        }
        let shown: Vec<_> = addresses.iter().map(|it| it.ip().to_string()).collect();
        let detail = match shown.len() == 1 && shown[0] == *host {
            true => format!("{host} is an address"),
            false => format!("{host} is {}", shown.join(", ")),
        };
        self.good(NAME, detail);
        Ok(addresses)
    }

    async fn connect(&mut self, addresses: &[SocketAddr]) -> Result<(), Failed> {
        let mut failures = Vec::new();
        let mut last = None;
        for address in addresses {
            let kind = match timeout(self.patience, TcpStream::connect(address)).await {
                Ok(Ok(_)) => {
                    let before = match failures.is_empty() {
                        true => String::new(),
                        false => format!("; before it failed {}", failures.join(", ")),
                    };
                    self.good(CONNECTION, format!("{address} accepts{before}"));
                    return Ok(());
                }
                Ok(Err(error)) => {
                    failures.push(format!("{address}: {error}"));
                    error.kind()
                }
                Err(_) => {
                    failures.push(format!("{address}: no answer in time"));
                    io::ErrorKind::TimedOut
                }
            };
            last = Some(kind);
        }
        let advice = match last {
            Some(io::ErrorKind::ConnectionRefused) => {
                "nothing listens there: is it running, is the port right, and does it listen on this address (`ws` in the server's configuration)?"
            }
            Some(io::ErrorKind::TimedOut) => {
                "a firewall may drop what is sent there, or the host is down"
            }
            _ => "look at the network between: address, routes, firewalls",
        };
        Err(Failed {
            step: CONNECTION,
            detail: failures.join(", "),
            advice: advice.into(),
        })
    }

    /// TLS and WebSocket in one go, as they are dialled.
    async fn dial(&mut self) -> Result<Link, Failed> {
        let dialled = websocket::dial(&self.target, &self.settings).await;
        let is_tls_at_fault = matches!(
            &dialled,
            Err(DialError::Tls(_)
                | DialError::TlsNotConfigured { .. }
                | DialError::Connect { .. }
                | DialError::Resolve { .. }
                | DialError::Timeout {
                    step: DialStep::Tls | DialStep::Connect
                })
        );
        let presented = self.seen.presented();
        if self.target.tls && !is_tls_at_fault {
            let detail = presented.as_ref().map(|it| it.told());
            self.good(TLS, detail.unwrap_or_default());
        }
        match dialled {
            Ok(link) => {
                let detail = format!("{} speaks v1.usp", self.target.path);
                self.good(WEB_SOCKET, detail);
                Ok(link)
            }
            Err(error) => Err(Failed {
                step: match is_tls_at_fault {
                    true => TLS,
                    false => WEB_SOCKET,
                },
                detail: match presented.filter(|_| is_tls_at_fault) {
                    Some(presented) => format!("{error}; {}", presented.told()),
                    None => error.to_string(),
                },
                advice: self.advice(&error),
            }),
        }
    }

    fn advice(&self, error: &DialError) -> String {
        match error {
            DialError::Connect { .. } | DialError::Resolve { .. } => {
                "it could be reached a moment ago; try again".into()
            }
            DialError::Handshake { .. } => {
                "what answers is no WebSocket server: is the port right, and is ws:// or wss:// right?".into()
            }
            DialError::NoSubprotocol => {
                "it is a WebSocket server, but none of USP: is the path right?".into()
            }
            DialError::Refused { status, .. } => refused(*status, self.target.tls).into(),
            DialError::Timeout { step } => match step {
                DialStep::Connect => "it accepts no more connections; try again".into(),
                DialStep::Handshake => {
                    "what accepts there says nothing to a WebSocket's request: another program, or an overloaded one".into()
                }
                DialStep::Tls => {
                    "what accepts there says nothing to TLS: is it a plain ws:// door, or an overloaded server?".into()
                }
            },
            DialError::Tls(error) => self.tls_advice(error),
            DialError::TlsNotConfigured { .. } => ADVICE.into(),
        }
    }

    fn tls_advice(&self, error: &TlsError) -> String {
        match error {
            TlsError::Distrusted(distrust) => match distrust {
                Distrust::OutOfDate { now, not_before, .. } if now < not_before => {
                    "its certificate is not valid yet: look at the clocks of both ends".into()
                }
                Distrust::OutOfDate { .. } => {
                    "its certificate has expired: give it a new one (`usphere certs issue`), or look at the clock of this machine".into()
                }
                Distrust::Untrusted { .. } => {
                    "--tls-ca names the CAs that vouch for it; without it those of `usphere certs` are taken. Devices need that CA, too".into()
                }
                Distrust::WrongServer { .. } => self.name_advice(),
                _ => "give it a certificate that USP can use: `usphere certs issue` makes one".into(),
            },
            TlsError::Refused { objection, .. } => match objection {
                Objection::Authority => {
                    "it does not trust the CA of our certificate: its tls_ca has to name it; --tls-cert and --tls-key give another".into()
                }
                Objection::Certificate => {
                    "it does not take our certificate; --tls-cert and --tls-key give another".into()
                }
                Objection::Dates => {
                    "it finds our certificate expired or not valid yet: look at its clock, and at `usphere certs show`".into()
                }
                Objection::NoCertificate | Objection::Other => format!(
                    "it demands a certificate of who comes: give one with --tls-cert and --tls-key; `usphere certs issue {}` makes one",
                    self.own
                ),
            },
            TlsError::NotTls => "it is a door without TLS: use ws://, or give the server a certificate".into(),
            TlsError::Lost(_) => {
                "it ends the connection in the middle of TLS: is the port right? A proxy or firewall may be between".into()
            }
            TlsError::Version => "update the TLS library of the other end".into(),
            TlsError::NoPeerCertificate | TlsError::Handshake(_) => {
                "the two ends do not agree on TLS; the log of the other end may say more".into()
            }
            TlsError::Name { .. } | TlsError::NoIdentity => ADVICE.into(),
        }
    }

    fn name_advice(&self) -> String {
        format!(
            "the certificate there has to be for {}: `usphere certs issue ENDPOINT-ID --dns {}`, or a URL with a name that it has",
            self.target.host, self.target.host
        )
    }

    /// Hears who is there, and exchanges Records.
    async fn talk(&mut self, mut link: Link) -> Result<(), Failed> {
        let patience = self.patience.min(FIRST_WORD);
        let heard = match timeout(patience, link.receiver.recv()).await {
            Err(_) => self.talk_to_controller(&mut link).await,
            Ok(Some(LinkEvent::Record(record, _))) => self.talk_to_agent(&mut link, record).await,
            Ok(Some(LinkEvent::Refused(refusal))) => Err(not_usp(refusal.to_string())),
            Ok(Some(LinkEvent::Closed(reason))) => Err(self.closed(&reason)),
            Ok(None) => Err(not_usp("the connection has ended".into())),
        };
        leave(&mut link).await;
        heard
    }

    /// An Agent speaks first: its Connect Record.
    async fn talk_to_agent(&mut self, link: &mut Link, record: Record) -> Result<(), Failed> {
        let Ok(agent) = EndpointId::from_wire(&record.from_id) else {
            return Err(not_usp(format!(
                "its from_id {:?} is no Endpoint ID",
                record.from_id
            )));
        };
        if record.to_id != self.own.as_str() {
            return Err(Failed {
                step: RECORDS,
                detail: format!(
                    "{agent} speaks to {}, and we are {}",
                    record.to_id, self.own
                ),
                advice: format!("--as {} takes the ID that the Agent expects", record.to_id),
            });
        }
        let ask = Msg::request(MSG_ID, GetSupportedProtocol::default());
        let ask = Record::no_session(&agent, &self.own, ask.into_payload());
        let unanswered = || Failed {
            step: RECORDS,
            detail: format!("{agent} is there, and does not answer {}", self.own),
            advice: format!(
                "its Controller table needs an enabled row with EndpointID {}; --as takes the ID of one that it has",
                self.own
            ),
        };
        link.sender.try_send(&ask).map_err(|_| unanswered())?;
        let answered = timeout(self.patience, answer(link)).await;
        let msg = answered.ok().flatten().ok_or_else(unanswered)?;
        let detail = match (msg.as_response(), msg.as_error()) {
            (Some(ResponseType::GetSupportedProtocolResp(versions)), _) => format!(
                "Agent {agent}, USP {}",
                versions.agent_supported_protocol_versions
            ),
            (_, Some(error)) => format!(
                "Agent {agent} answers with an error: {} ({})",
                error.err_msg, error.err_code
            ),
            _ => format!("Agent {agent} answers"),
        };
        self.good(RECORDS, detail);
        Ok(())
    }

    /// A Controller waits for the Agent to speak.
    async fn talk_to_controller(&mut self, link: &mut Link) -> Result<(), Failed> {
        if let Some(presented) = self.seen.presented().filter(|it| it.is_for_another) {
            self.steps.retain(|step| step.step != TLS);
            return Err(Failed {
                step: TLS,
                detail: format!(
                    "devices do not take the certificate for {}: {}",
                    self.target.host,
                    presented.told()
                ),
                advice: self.name_advice(),
            });
        }
        let controller = link.peer.endpoint_id.clone();
        let shown = controller
            .as_ref()
            .map_or("a Controller", EndpointId::as_str);
        if !self.goes_on {
            self.good(
                RECORDS,
                format!(
                    "{shown} waits for a device to speak; --as ENDPOINT-ID goes on as that device"
                ),
            );
            return Ok(());
        }
        let Some(controller) = controller else {
            self.good(
                RECORDS,
                "it waits for a device to speak, and does not tell its Endpoint ID; not tried further",
            );
            return Ok(());
        };
        let connect = Record::websocket_connect(&controller, &self.own);
        let sent = link.sender.try_send(&connect);
        sent.map_err(|error| not_usp(error.to_string()))?;
        match timeout(self.patience.min(FIRST_WORD), link.receiver.recv()).await {
            Ok(Some(LinkEvent::Record(record, _))) => {
                if let Some(RecordType::Disconnect(disconnect)) = &record.record_type {
                    let words = format!("{} ({})", disconnect.reason, disconnect.reason_code);
                    return Err(Failed {
                        step: RECORDS,
                        detail: format!("{controller} lets {} go: {words}", self.own),
                        advice: "`usphere doctor` with the server shows why".into(),
                    });
                }
                self.good(
                    RECORDS,
                    format!("{controller} takes {} for a device and asks it", self.own),
                );
                Ok(())
            }
            Ok(Some(LinkEvent::Closed(reason))) => Err(self.closed(&reason)),
            Ok(Some(LinkEvent::Refused(refusal))) => Err(not_usp(refusal.to_string())),
            Ok(None) | Err(_) => {
                self.good(
                    RECORDS,
                    format!(
                        "{controller} was sent the Connect Record of {}, and asks nothing",
                        self.own
                    ),
                );
                Ok(())
            }
        }
    }

    fn closed(&self, reason: &CloseReason) -> Failed {
        Failed {
            step: RECORDS,
            detail: reason.to_string(),
            advice: format!(
                "it does not want {}: `usphere doctor` with the server, or the log of the other end, says why",
                self.own
            ),
        }
    }
}

/// Ends a link properly, which takes a moment; nobody waits long for it.
async fn leave(link: &mut Link) {
    link.sender.close(close_code::NORMAL, "");
    let end = async { while link.receiver.recv().await.is_some() {} };
    drop(timeout(FIRST_WORD, end).await);
}

/// The first Message that answers ours.
async fn answer(link: &mut Link) -> Option<Msg> {
    loop {
        let LinkEvent::Record(record, _) = link.receiver.recv().await? else {
            return None;
        };
        let msg = record
            .payload()
            .and_then(|payload| Msg::receive(payload.clone(), &Limits::DEFAULT).ok());
        if let Some(msg) = msg.filter(|msg| msg.msg_id() == MSG_ID) {
            return Some(msg);
        }
    }
}

fn refused(status: u16, is_tls: bool) -> &'static str {
    match status {
        404 => {
            "the path is wrong: a server of usphere has /usp, or what ws_path of its configuration says"
        }
        400 if !is_tls => "its words say what it wants; where it wants TLS, use wss://",
        401 | 403 => "something in front of it wants a password or forbids it: a proxy?",
        426 | 200..=299 => {
            "a web server answers, no WebSocket: is the port that for devices (8081), and not that of the API?"
        }
        429 | 503 => {
            "it has as many connections as it may have, or is being restarted; try again in a while"
        }
        500..=599 => "what is in front of it, or it itself, fails; its log says why",
        _ => "is the port right, and the path?",
    }
}

fn not_usp(detail: String) -> Failed {
    Failed {
        step: RECORDS,
        detail,
        advice: "what is there speaks WebSocket, but not USP: is the URL right?".into(),
    }
}
