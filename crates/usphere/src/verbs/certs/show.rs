//! `usphere certs show`: what stands in a certificate, and whether USP would take it.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use usphere_mtp::tls::authorities;
use usphere_trust::{
    AllowedUses, Certificate, Chain, Credential, Expected, FingerprintAlgorithm, Store, judge_mtp,
};

use crate::failure::{Exit, Failure};
use crate::print;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// A PEM file with one or more certificates, the Endpoint's own first
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Judge it as somebody does who trusts these CAs, PEM
    #[arg(long = "tls-ca", alias = "ca", value_name = "FILE")]
    authorities: Option<PathBuf>,
    /// Print JSON; the shapes stand in docs/cli.md
    #[arg(long)]
    json: bool,
}

/// A file of certificates.
#[derive(Debug, Serialize)]
struct Shown {
    certificates: Vec<One>,
    /// What the first of them is to USP.
    verdict: Verdict,
}

#[derive(Debug, Serialize)]
struct One {
    subject: String,
    issuer: String,
    serial_number: String,
    not_before: String,
    not_after: String,
    endpoint_ids: Vec<String>,
    dns_names: Vec<String>,
    addresses: Vec<IpAddr>,
    is_ca: bool,
    is_self_signed: bool,
    sha256: String,
    sha1: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// It is a CA's: it vouches for others.
    Ca,
    /// It is good for an Endpoint.
    Good,
    /// It is not, for these reasons.
    Bad(Vec<String>),
}

impl Options {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let certificates = authorities(&self.file).map_err(Failure::local)?;
        let trusted = self.authorities.as_ref().map(|file| authorities(file));
        let trusted = trusted.transpose().map_err(Failure::local)?;
        let shown = Shown {
            verdict: judge(&certificates, trusted.as_deref(), super::now()?)?,
            certificates: certificates.iter().map(One::of).collect(),
        };
        if self.json {
            print::json(&shown)?;
        } else {
            print::text(&shown.text())?;
        }
        match &shown.verdict {
            Verdict::Ca | Verdict::Good => Ok(Exit::Done),
            Verdict::Bad(reasons) => Err(Failure::new(
                Exit::Refused,
                format_args!(
                    "USP would not take it: {}",
                    print::clean(&reasons.join("; "))
                ),
            )),
        }
    }
}

/// What the first certificate is to USP now.
fn judge(
    certificates: &[Certificate],
    trusted: Option<&[Certificate]>,
    now: i64,
) -> Result<Verdict, Failure> {
    let chain = Chain::from_der(
        &certificates
            .iter()
            .map(Certificate::der)
            .collect::<Vec<_>>(),
    );
    let chain = chain.map_err(Failure::local)?;
    let leaf = chain.leaf();
    let is_ca = leaf.is_authority() && !leaf.names_an_endpoint();
    let mut reasons = Vec::new();
    if !is_ca && !leaf.names_an_endpoint() {
        let reason = "no Endpoint ID stands in its subjectAltName, neither as urn:bbf:usp:id:… nor, for the scheme fqdn, as a DNS name";
        reasons.push(reason.to_owned());
    }
    let store = Store {
        tofu_allowed: trusted.is_none(),
        credentials: credentials(trusted.unwrap_or_default()),
        ..Store::default()
    };
    if let Err(distrust) = judge_mtp(&chain, &store, &Expected::Anybody, Some(now)) {
        reasons.push(distrust.to_string());
    }
    Ok(match (reasons.is_empty(), is_ca) {
        (false, _) => Verdict::Bad(reasons),
        (true, true) => Verdict::Ca,
        (true, false) => Verdict::Good,
    })
}

fn credentials(trusted: &[Certificate]) -> Vec<Credential> {
    let trusted = (1..).zip(trusted);
    trusted
        .map(|(instance, certificate)| Credential {
            instance,
            certificate: certificate.clone(),
            allowed_uses: Some(AllowedUses::MtpAndUsp),
            roles: Vec::new(),
        })
        .collect()
}

impl One {
    fn of(certificate: &Certificate) -> Self {
        let names = certificate.endpoint_names().iter();
        Self {
            subject: certificate.subject().to_owned(),
            issuer: certificate.issuer().to_owned(),
            serial_number: certificate.serial_number(),
            not_before: date_time(certificate.validity().not_before),
            not_after: date_time(certificate.validity().not_after),
            endpoint_ids: names.map(ToString::to_string).collect(),
            dns_names: certificate.dns_names().to_vec(),
            addresses: certificate.addresses().to_vec(),
            is_ca: certificate.is_authority(),
            is_self_signed: certificate.is_self_signed(),
            sha256: sha256(certificate),
            sha1: certificate.fingerprint(FingerprintAlgorithm::Sha1),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{}\n", print::clean(&self.subject));
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<13}{}", print::clean(value));
        };
        let issuer = match self.is_self_signed {
            true => "itself",
            false => &self.issuer,
        };
        line("signed by", issuer);
        line("serial", &self.serial_number);
        line("valid from", &self.not_before);
        line("valid until", &self.not_after);
        for id in &self.endpoint_ids {
            line("endpoint ID", id);
        }
        for name in &self.dns_names {
            line("DNS name", name);
        }
        for address in &self.addresses {
            line("address", &address.to_string());
        }
        line("CA", if self.is_ca { "yes" } else { "no" });
        line("SHA-256", &self.sha256);
        line("SHA-1", &self.sha1);
        text
    }
}

impl Shown {
    fn text(&self) -> String {
        let mut text: String = self.certificates.iter().map(One::text).collect();
        match &self.verdict {
            Verdict::Ca => text.push_str("USP takes it as a CA\n"),
            Verdict::Good => text.push_str("USP takes it\n"),
            Verdict::Bad(_) => {}
        }
        text
    }
}

pub(super) fn subject(certificate: &Certificate) -> String {
    match certificate.endpoint_names() {
        [] => certificate.subject().to_owned(),
        [name, ..] => name.to_string(),
    }
}

pub(super) fn sha256(certificate: &Certificate) -> String {
    certificate.fingerprint(FingerprintAlgorithm::Sha256)
}

/// Seconds since 1970 as the date and time in UTC.
pub(super) fn date_time(seconds: i64) -> String {
    usphere_agent::date_time(seconds.saturating_mul(1_000_000))
}
