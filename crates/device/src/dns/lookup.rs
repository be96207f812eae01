//! `Device.DNS.Diagnostics.NSLookupDiagnostics()`: does a DNS server know a name, and how soon?

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use usphere_datamodel::declare::{Command, Object, command, object};
use usphere_datamodel::model::{Outputs, OwnerError};
use usphere_datamodel::types::list;

use super::message::{Answer, Kind, Verdict};
use super::resolver::{Outcome, PORT, Resolver, ask};
use crate::diagnostics::target::{self, Arguments, Version, number, outputs};
use crate::limits::{DIAGNOSTICS_TIMEOUT_MAX, LOOKUPS_MAX};
use crate::objects::OWNER;

/// Finding out how DNS does. (TR-181 2.19)
pub(crate) const DNS_DIAGNOSTICS: Object = object("Device.DNS.Diagnostics.").commands(&[NS_LOOKUP]);

const NS_LOOKUP: Command = command("NSLookupDiagnostics()")
    .asynchronous()
    .by(OWNER)
    .input(&[
        "Interface",
        "HostName",
        "DNSServer",
        "Timeout",
        "NumberOfRepetitions",
    ])
    .mandatory(&["HostName", "Timeout", "NumberOfRepetitions"])
    .output(&[
        "Status",
        "SuccessCount",
        "Result.{i}.Status",
        "Result.{i}.AnswerType",
        "Result.{i}.HostNameReturned",
        "Result.{i}.IPAddresses",
        "Result.{i}.DNSServerIP",
        "Result.{i}.ResponseTime",
    ]);

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lookup {
    name: String,
    server: Option<String>,
    device: Option<String>,
    timeout: Duration,
    repetitions: u32,
}

/// What one repetition came to.
#[derive(Debug)]
struct Attempt {
    status: &'static str,
    answer_type: &'static str,
    name: String,
    addresses: Vec<IpAddr>,
    server: Option<IpAddr>,
    time: Duration,
}

impl Lookup {
    /// From the arguments of the command; `device` is the network device that `Interface` names.
    ///
    /// # Errors
    /// When an argument is out of its range.
    pub(crate) fn read(arguments: &Arguments, device: Option<String>) -> Result<Self, OwnerError> {
        let timeout = number(arguments, "Timeout", 1..=DIAGNOSTICS_TIMEOUT_MAX, 5000)?;
        let server = match target::text(arguments, "DNSServer") {
            "" => None,
            _ => Some(target::host(arguments, "DNSServer")?),
        };
        Ok(Self {
            name: target::host(arguments, "HostName")?,
            server,
            device,
            timeout: Duration::from_millis(timeout.into()),
            repetitions: number(arguments, "NumberOfRepetitions", 1..=LOOKUPS_MAX, 1)?,
        })
    }

    /// Does it; stops soon after `is_cancelled` says so.
    pub(crate) fn run(&self, resolver: &Resolver, is_cancelled: &dyn Fn() -> bool) -> Outputs {
        let servers = match &self.server {
            None => resolver.servers.clone(),
            Some(name) => match target::resolve(name, Version::Any, is_cancelled) {
                Some(address) => vec![SocketAddr::new(address, PORT)],
                None => return show("Error_DNSServerNotResolved", &[]),
            },
        };
        self.repeat(&servers, resolver.domain.as_deref(), is_cancelled)
    }

    fn repeat(
        &self,
        servers: &[SocketAddr],
        domain: Option<&str>,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Outputs {
        let name = qualified(&self.name, domain);
        let mut attempts = Vec::new();
        for _ in 0..self.repetitions {
            if is_cancelled() {
                break;
            }
            attempts.push(self.attempt(&name, servers, is_cancelled));
        }
        let is_any = attempts.iter().any(|attempt| attempt.status == SUCCESS);
        show(if is_any { "Complete" } else { "Error_Other" }, &attempts)
    }

    /// Asks the servers in turn until one says something; all of them have the time-out together.
    fn attempt(
        &self,
        name: &str,
        servers: &[SocketAddr],
        is_cancelled: &dyn Fn() -> bool,
    ) -> Attempt {
        let end = Instant::now() + self.timeout;
        let mut failed = Attempt::failed("Error_DNSServerNotAvailable", None);
        for (index, server) in servers.iter().enumerate() {
            let left = end.saturating_duration_since(Instant::now());
            let others = u32::try_from(servers.len() - index).unwrap_or(u32::MAX);
            let share = left / others.max(1);
            match self.both(*server, name, share, is_cancelled) {
                Ok(attempt) => return attempt,
                Err(status) => failed = Attempt::failed(status, Some(server.ip())),
            }
        }
        failed
    }

    /// Asks one server for the addresses of either version.
    fn both(
        &self,
        server: SocketAddr,
        name: &str,
        time: Duration,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Attempt, &'static str> {
        let ask = |kind, time| {
            let device = self.device.as_deref();
            match ask(server, name, kind, time, device, is_cancelled) {
                Outcome::Answered(answer, after) => Ok((answer, after)),
                Outcome::NoName => Err("Error_HostNameNotResolved"),
                Outcome::Silent => Err("Error_Timeout"),
                Outcome::Unavailable => Err("Error_DNSServerNotAvailable"),
            }
        };
        let (v4, after) = ask(Kind::A, time)?;
        let second = ask(Kind::Aaaa, time.saturating_sub(after));
        let v6 = second.ok().map(|(answer, _)| answer);
        Ok(Attempt::of(server.ip(), v4, v6, after))
    }
}

const SUCCESS: &str = "Success";

/// Most addresses of one result.
const ADDRESSES_MAX: usize = 10;

impl Attempt {
    fn of(server: IpAddr, v4: Answer, v6: Option<Answer>, time: Duration) -> Self {
        let found = |answer: &Answer| answer.verdict == Verdict::Found;
        let is_found = found(&v4) || v6.as_ref().is_some_and(found);
        let is_refused = v4.verdict == Verdict::Refused;
        let is_authoritative = v4.is_authoritative;
        let name = v4.name.unwrap_or_default();
        let v6 = v6.map(|answer| answer.addresses).unwrap_or_default();
        Self {
            status: match (is_found, is_refused) {
                (true, _) => SUCCESS,
                (false, true) => "Error_Other",
                (false, false) => "Error_HostNameNotResolved",
            },
            answer_type: match (is_found, is_authoritative) {
                (false, _) => "None",
                (true, false) => "NonAuthoritative",
                (true, true) => "Authoritative",
            },
            name: if is_found { name } else { String::new() },
            addresses: v4.addresses.into_iter().chain(v6).collect(),
            server: Some(server),
            time,
        }
    }

    fn failed(status: &'static str, server: Option<IpAddr>) -> Self {
        Self {
            status,
            answer_type: "None",
            name: String::new(),
            addresses: Vec::new(),
            server,
            time: Duration::ZERO,
        }
    }
}

/// A name without a dot is one of the host's own domain.
fn qualified(name: &str, domain: Option<&str>) -> String {
    match domain {
        Some(domain) if !name.contains('.') && !domain.is_empty() => format!("{name}.{domain}"),
        _ => name.trim_end_matches('.').to_owned(),
    }
}

fn show(status: &str, attempts: &[Attempt]) -> Outputs {
    let successes = attempts.iter().filter(|attempt| attempt.status == SUCCESS);
    let mut all = outputs([
        ("Status", status.to_owned()),
        ("SuccessCount", successes.count().to_string()),
    ]);
    for (index, attempt) in attempts.iter().enumerate() {
        let addresses: Vec<String> = attempt
            .addresses
            .iter()
            .take(ADDRESSES_MAX)
            .map(ToString::to_string)
            .collect();
        let server = attempt.server.map(|server| server.to_string());
        let milliseconds = attempt.time.as_micros().div_ceil(1000);
        for (name, value) in [
            ("Status", attempt.status.to_owned()),
            ("AnswerType", attempt.answer_type.to_owned()),
            ("HostNameReturned", attempt.name.clone()),
            (
                "IPAddresses",
                list::join(addresses.iter().map(String::as_str)),
            ),
            ("DNSServerIP", server.unwrap_or_default()),
            ("ResponseTime", milliseconds.to_string()),
        ] {
            all.insert(format!("Result.{}.{name}", index + 1), value);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};
    use std::thread;

    use simple_dns::rdata::{A, AAAA, RData};
    use simple_dns::{CLASS, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

    use super::*;

    fn arguments(given: &[(&str, &str)]) -> Arguments {
        let mut all: Arguments = [("Timeout", "2000"), ("NumberOfRepetitions", "2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let given = given.iter();
        all.extend(given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        all
    }

    /// A server that knows `www.home.arpa` and is asked so often.
    fn server(questions: usize) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 512];
            for _ in 0..questions {
                let (length, asker) = socket.recv_from(&mut buffer).unwrap();
                let asked = Packet::parse(&buffer[..length]).unwrap();
                // Somebody else's answer comes first and counts for nothing.
                let mut forged = asked.clone().into_reply();
                forged.set_id(asked.id() ^ 1);
                socket
                    .send_to(&forged.build_bytes_vec().unwrap(), asker)
                    .unwrap();
                socket.send_to(&reply(asked), asker).unwrap();
            }
        });
        address
    }

    fn reply(asked: Packet<'_>) -> Vec<u8> {
        let question = asked.questions[0].clone();
        let mut reply = asked.into_reply();
        reply.questions = vec![question.clone()];
        reply.set_flags(PacketFlag::RESPONSE | PacketFlag::AUTHORITATIVE_ANSWER);
        let data = match question.qtype {
            QTYPE::TYPE(TYPE::A) => RData::A(A {
                address: 0xC000_0207,
            }),
            _ => RData::AAAA(AAAA { address: 7 }),
        };
        if question.qname.to_string() == "www.home.arpa" {
            let record = ResourceRecord::new(question.qname, CLASS::IN, 60, data);
            reply.answers.push(record);
        } else {
            *reply.rcode_mut() = RCODE::NameError;
        }
        reply.build_bytes_vec().unwrap()
    }

    fn lookup(name: &str, servers: &[SocketAddr]) -> Outputs {
        let lookup = Lookup::read(&arguments(&[("HostName", name)]), None).unwrap();
        lookup.repeat(servers, Some("home.arpa"), &|| false)
    }

    #[test]
    fn a_name_is_looked_up_as_often_as_asked() {
        let address = server(4);
        let outputs = lookup("www", &[address]);
        assert_eq!(outputs["Status"], "Complete", "{outputs:?}");
        assert_eq!(outputs["SuccessCount"], "2");
        for index in ["1", "2"] {
            let of = |name: &str| outputs[&format!("Result.{index}.{name}")].as_str();
            assert_eq!(of("Status"), "Success");
            assert_eq!(of("AnswerType"), "Authoritative");
            assert_eq!(of("HostNameReturned"), "www.home.arpa");
            assert_eq!(of("IPAddresses"), "192.0.2.7,::7");
            assert_eq!(of("DNSServerIP"), "127.0.0.1");
            assert!(of("ResponseTime").parse::<u64>().unwrap() >= 1);
        }
        assert_eq!(outputs.len(), 2 + 2 * 6);
    }

    #[test]
    fn a_name_that_nobody_knows_is_told_apart_from_a_server_that_is_not_there() {
        let outputs = lookup("nobody.example", &[server(4)]);
        assert_eq!(outputs["Status"], "Error_Other");
        assert_eq!(outputs["Result.1.Status"], "Error_HostNameNotResolved");
        assert_eq!(outputs["Result.1.AnswerType"], "None");

        let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let silent_address = silent.local_addr().unwrap();
        let lookup_within = |timeout: &str, servers: &[SocketAddr]| {
            let given = [("HostName", "www"), ("Timeout", timeout)];
            let lookup = Lookup::read(&arguments(&given), None).unwrap();
            lookup.repeat(servers, Some("home.arpa"), &|| false)
        };
        let outputs = lookup_within("200", &[silent_address]);
        assert_eq!(outputs["Result.2.Status"], "Error_Timeout");
        assert_eq!(outputs["Result.2.ResponseTime"], "0");
        // The next server is asked when one is silent.
        let outputs = lookup_within("2000", &[silent_address, server(4)]);
        assert_eq!(outputs["Status"], "Complete", "{outputs:?}");
        drop(silent);
        let outputs = lookup_within("200", &[silent_address]);
        assert_eq!(
            outputs["Result.1.Status"], "Error_DNSServerNotAvailable",
            "{outputs:?}"
        );
        let outputs = lookup_within("200", &[]);
        assert_eq!(outputs["Result.1.Status"], "Error_DNSServerNotAvailable");
    }

    #[test]
    fn a_lookup_that_is_cancelled_stops_soon() {
        let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let given = [
            ("HostName", "www"),
            ("Timeout", "60000"),
            ("NumberOfRepetitions", "100"),
        ];
        let lookup = Lookup::read(&arguments(&given), None).unwrap();
        let began = Instant::now();
        let is_cancelled = || began.elapsed() > Duration::from_millis(200);
        lookup.repeat(&[silent.local_addr().unwrap()], None, &is_cancelled);
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}
