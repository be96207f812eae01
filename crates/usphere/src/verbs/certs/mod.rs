//! `usphere certs`: a CA of one's own, certificates for Endpoints, and what is wrong with one.
//!
//! All of it works on files; nobody is asked.

mod names;
mod show;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use serde::Serialize;
use usphere_mtp::tls::{Authority, Holder, Issued, Term, authorities};
use usphere_proto::EndpointId;
use usphere_runtime::TlsFiles;
use usphere_trust::{Certificate, EndpointName};

use crate::data;
use crate::defaults::{CA_DAYS, CA_NAME, CERTIFICATE_DAYS, CERTS_ROLE};
use crate::failure::{Exit, Failure};
use crate::print;
use names::Reached;

/// How long before now a certificate is valid already: clocks differ.
const LEEWAY_SECONDS: i64 = 3600;

const DAY_SECONDS: i64 = 24 * 3600;

/// The CA's files in its folder.
const CA_CERTIFICATE: &str = "ca.pem";
const CA_KEY: &str = "ca.key";

#[derive(Args, Debug)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a CA: everybody who trusts it trusts those that it issues certificates for
    Ca(Ca),
    /// Make keys and certificates for Endpoints, signed by that CA
    Issue(Issue),
    /// Show the certificates in a file, and whether USP would take them
    Show(show::Options),
}

#[derive(Args, Debug)]
struct Ca {
    /// The folder of the CA and of what it issues
    /// [default: /var/lib/usphere/certs for root, else ~/.local/state/usphere/certs]
    #[arg(long, value_name = "DIR", verbatim_doc_comment)]
    dir: Option<PathBuf>,
    /// What the CA is called
    #[arg(long, value_name = "NAME", default_value = CA_NAME)]
    name: String,
    /// How long it is valid
    #[arg(long, value_name = "DAYS", default_value_t = CA_DAYS, value_parser = days())]
    days: u32,
    /// Print JSON; the shapes stand in docs/cli.md
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Issue {
    /// Whom for: each gets a key and a certificate of its own. `*` in an instance-id of the schemes oui,
    /// cid, pen, os and ops makes it the certificate of many
    #[arg(value_name = "ENDPOINT-ID", required = true, value_parser = read_name)]
    endpoints: Vec<EndpointId>,
    /// A host name or address where they are reached, for peers that look at it; may be given again
    #[arg(long, value_name = "NAME", value_parser = names::read)]
    dns: Vec<Reached>,
    /// How long it is valid
    #[arg(long, value_name = "DAYS", default_value_t = CERTIFICATE_DAYS, value_parser = days())]
    days: u32,
    /// The folder of the CA, and of what it issues
    /// [default: /var/lib/usphere/certs for root, else ~/.local/state/usphere/certs]
    #[arg(long, value_name = "DIR", verbatim_doc_comment)]
    dir: Option<PathBuf>,
    /// Print JSON; the shapes stand in docs/cli.md
    #[arg(long)]
    json: bool,
}

/// What was made.
#[derive(Debug, Serialize)]
struct Made {
    subject: String,
    certificate: PathBuf,
    key: PathBuf,
    ca: PathBuf,
    not_after: String,
    sha256: String,
}

impl Options {
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        match self.what {
            What::Ca(ca) => ca.run(),
            What::Issue(issue) => issue.run(),
            What::Show(show) => show.run(),
        }
    }
}

impl Ca {
    fn run(self) -> Result<Exit, Failure> {
        let folder = folder(self.dir);
        let (certificate, key) = (folder.join(CA_CERTIFICATE), folder.join(CA_KEY));
        if let Some(there) = [&certificate, &key].into_iter().find(|path| path.exists()) {
            return Err(Failure::usage(format_args!("{}: there is a CA already", there.display()))
                .advise("--dir DIR makes one elsewhere; nobody would trust what this one has issued if it were replaced"));
        }
        make_folder(&folder)?;
        let issued = Authority::make(&self.name, term(self.days)?).map_err(Failure::usage)?;
        issued.write(&certificate, &key).map_err(Failure::local)?;
        let made = Made::of(&issued, certificate.clone(), key, certificate)?;
        if self.json {
            print::json(&made)?;
        } else {
            print::text(&format!(
                "{}\n  certificate  {}   for everybody: --tls-ca\n  key          {}   for nobody else\n  valid until  {}\n",
                print::clean(&made.subject),
                made.certificate.display(),
                made.key.display(),
                made.not_after,
            ))?;
        }
        Ok(Exit::Done)
    }
}

impl Issue {
    fn run(self) -> Result<Exit, Failure> {
        let folder = folder(self.dir);
        let ca = folder.join(CA_CERTIFICATE);
        let authority = Authority::from_files(&ca, &folder.join(CA_KEY)).map_err(|error| {
            let failure = Failure::local(error);
            match ca.exists() {
                true => failure,
                false => failure.advise("`usphere certs ca` makes a CA; --dir names its folder"),
            }
        })?;
        let term = within(term(self.days)?, &ca)?;
        let (mut addresses, mut dns_names) = (Vec::new(), Vec::new());
        for name in self.dns {
            match name {
                Reached::Address(address) => addresses.push(address),
                Reached::Name(name) => dns_names.push(name),
            }
        }
        for (index, id) in self.endpoints.iter().enumerate() {
            let (certificate, _) = files(&folder, id);
            let mut before = self.endpoints[..index].iter();
            let other = before.find(|other| *other != id && files(&folder, other).0 == certificate);
            not_of_another(&certificate, id, other)?;
        }
        let mut all = Vec::new();
        for id in self.endpoints {
            let (certificate, key) = files(&folder, &id);
            let holder = Holder {
                endpoints: vec![id],
                dns_names: dns_names.clone(),
                addresses: addresses.clone(),
            };
            let issued = authority.issue(&holder, term).map_err(Failure::usage)?;
            issued.write(&certificate, &key).map_err(Failure::local)?;
            all.push(Made::of(&issued, certificate, key, ca.clone())?);
        }
        if self.json {
            print::json(&all)?;
        } else {
            let text: String = all.iter().map(Made::text).collect();
            print::text(&text)?;
        }
        Ok(Exit::Done)
    }
}

impl Made {
    fn of(
        issued: &Issued,
        certificate: PathBuf,
        key: PathBuf,
        ca: PathBuf,
    ) -> Result<Self, Failure> {
        let read = Certificate::from_pem(&issued.certificate).map_err(Failure::local)?;
        Ok(Self {
            subject: show::subject(&read),
            certificate,
            key,
            ca,
            not_after: show::date_time(read.validity().not_after),
            sha256: show::sha256(&read),
        })
    }

    fn text(&self) -> String {
        format!(
            "{}\n  certificate  --tls-cert {}\n  key          --tls-key {}\n  its CA       --tls-ca {}\n  valid until  {}\n",
            print::clean(&self.subject),
            self.certificate.display(),
            self.key.display(),
            self.ca.display(),
            self.not_after,
        )
    }
}

/// Where the CA of a folder keeps its certificate.
pub(crate) fn ca_certificate(folder: &Path) -> PathBuf {
    folder.join(CA_CERTIFICATE)
}

/// The CA of a folder, where it has one, and the usual term of what it issues.
///
/// # Errors
/// Its key cannot be used.
pub(crate) fn authority(folder: &Path) -> Result<Option<(Authority, Term)>, Failure> {
    let (certificate, key) = (folder.join(CA_CERTIFICATE), folder.join(CA_KEY));
    if !key.exists() {
        return Ok(None);
    }
    let authority = Authority::from_files(&certificate, &key).map_err(Failure::local)?;
    let term = within(term(CERTIFICATE_DAYS)?, &certificate)?;
    Ok(Some((authority, term)))
}

/// The files of an Endpoint that was issued a certificate into the default folder, if all are there.
pub(crate) fn kept(id: &EndpointId) -> Option<TlsFiles> {
    let folder = folder(None);
    let (certificate, key) = files(&folder, id);
    let authorities = folder.join(CA_CERTIFICATE);
    let all = [&certificate, &key, &authorities];
    let are_there = all.into_iter().all(|path| path.exists());
    are_there.then_some(TlsFiles {
        certificate,
        key,
        authorities,
    })
}

/// The folder of the CA and of what it issues.
pub(crate) fn folder(given: Option<PathBuf>) -> PathBuf {
    given.unwrap_or_else(|| data::default_folder(CERTS_ROLE))
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| Failure::local(format_args!("{}: {error}", folder.display())))
}

/// The certificate and key of an Endpoint. What a shell or a file system could misread becomes `_`.
pub(crate) fn files(folder: &Path, id: &EndpointId) -> (PathBuf, PathBuf) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._%".contains(c);
    let name: String = id
        .as_str()
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    (
        folder.join(format!("{name}.pem")),
        folder.join(format!("{name}.key")),
    )
}

/// Refuses to replace what another Endpoint was issued: names that a file system could misread look alike in
/// it. `other` is asked for at once and would have the same file.
fn not_of_another(
    certificate: &Path,
    id: &EndpointId,
    other: Option<&EndpointId>,
) -> Result<(), Failure> {
    let refused = |whose: String| {
        let certificate = certificate.display();
        let text = format_args!(
            "{}: its certificate would be {certificate}, which is that of {whose}",
            id.as_str()
        );
        Err(Failure::usage(text)
            .advise("--dir DIR with a copy of the CA in it issues into another folder"))
    };
    if let Some(other) = other {
        return refused(other.as_str().to_owned());
    }
    if !certificate.exists() {
        return Ok(());
    }
    let kept = authorities(certificate).map_err(Failure::local)?;
    let names: Vec<&EndpointName> = kept.iter().flat_map(|kept| kept.endpoint_names()).collect();
    match EndpointName::from_urn(&id.to_urn()) {
        Some(own) if names.contains(&&own) => Ok(()),
        _ => {
            let names = names.iter().map(ToString::to_string);
            refused(names.collect::<Vec<_>>().join(", "))
        }
    }
}

/// From a little before now on.
fn term(days: u32) -> Result<Term, Failure> {
    let now = now()?;
    Ok(Term {
        not_before: now - LEEWAY_SECONDS,
        not_after: now + i64::from(days) * DAY_SECONDS,
    })
}

/// As much of `term` as the CA itself is valid: nobody would trust it longer.
fn within(term: Term, ca: &Path) -> Result<Term, Failure> {
    let own = authorities(ca).map_err(Failure::local)?;
    let ends = own.first().map(|own| own.validity().not_after);
    let not_after = ends.map_or(term.not_after, |end| end.min(term.not_after));
    if not_after < term.not_before {
        return Err(
            Failure::local(format_args!("{}: the CA has expired", ca.display()))
                .advise("`usphere certs ca --dir DIR` makes another"),
        );
    }
    Ok(Term { not_after, ..term })
}

/// Seconds since 1970.
fn now() -> Result<i64, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .ok_or_else(|| Failure::local("the clock of this machine shows a time before 1970"))
}

/// An Endpoint ID that can stand in a certificate; wildcards where they are lawful.
fn read_name(text: &str) -> Result<EndpointId, String> {
    if !text.contains('*') {
        return EndpointId::parse(text).map_err(|error| error.to_string());
    }
    let id = EndpointId::from_wire(text).map_err(|error| error.to_string())?;
    match EndpointName::from_urn(&id.to_urn()) {
        Some(_) => Ok(id),
        None => Err(format!(
            "{text}: a wildcard may stand in the instance-id of the schemes oui, cid, pen, os and ops only, and not in the OUI there"
        )),
    }
}

fn days() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=36_500)
}
