//! The options for TLS, the same wherever it is spoken.

use std::path::PathBuf;

use clap::Args;
#[cfg(feature = "cli")]
use usphere_proto::EndpointId;
#[cfg(feature = "cli")]
use usphere_runtime::TlsFiles;

#[cfg(feature = "cli")]
use crate::failure::Failure;
#[cfg(feature = "cli")]
use crate::verbs::certs;

/// What to say to somebody who has no certificates.
pub(crate) const ADVICE: &str = "two commands make them: `usphere certs ca` and `usphere certs issue ENDPOINT-ID…`; see docs/tls.md";

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "TLS (wss://)")]
pub(crate) struct TlsOptions {
    /// Our certificate, PEM, with those up to its CA after it
    #[arg(long = "tls-cert", alias = "cert", value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// Its private key, PEM, which only its owner may read
    #[arg(long = "tls-key", alias = "key", value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The CAs that vouch for those at the other end, PEM
    #[arg(long = "tls-ca", alias = "ca", value_name = "FILE")]
    pub(crate) authorities: Option<PathBuf>,
}

/// The same without the CAs, where another option names them.
#[cfg(feature = "cli")]
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "TLS (https://, wss://)")]
pub(crate) struct TlsPair {
    /// Our certificate, PEM, with those up to its CA after it
    #[arg(long = "tls-cert", alias = "cert", value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// Its private key, PEM, which only its owner may read
    #[arg(long = "tls-key", alias = "key", value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

#[cfg(feature = "cli")]
impl TlsPair {
    /// All of them together.
    pub(crate) fn with(self, authorities: Option<PathBuf>) -> TlsOptions {
        TlsOptions {
            certificate: self.certificate,
            key: self.key,
            authorities,
        }
    }
}

#[cfg(feature = "cli")]
impl TlsOptions {
    /// The files: flags over what `usphere certs` has put into its folder for `own`.
    ///
    /// # Errors
    /// Usage: not all are named, nor kept.
    pub(crate) fn or_kept(self, own: &EndpointId) -> Result<TlsFiles, Failure> {
        let kept = certs::kept(own);
        self.over(kept)?.ok_or_else(|| {
            Failure::usage("wss needs --tls-cert, --tls-key and --tls-ca").advise(ADVICE)
        })
    }

    /// The files: flags over `file`.
    ///
    /// # Errors
    /// Usage: some are named, and not all.
    pub(crate) fn over(self, file: Option<TlsFiles>) -> Result<Option<TlsFiles>, Failure> {
        let (certificate, key, authorities) = match file {
            Some(file) => (
                Some(file.certificate),
                Some(file.key),
                Some(file.authorities),
            ),
            None => (None, None, None),
        };
        let all = (
            self.certificate.or(certificate),
            self.key.or(key),
            self.authorities.or(authorities),
        );
        match all {
            (None, None, None) => Ok(None),
            (Some(certificate), Some(key), Some(authorities)) => Ok(Some(TlsFiles {
                certificate,
                key,
                authorities,
            })),
            _ => {
                Err(Failure::usage("--tls-cert, --tls-key and --tls-ca go together").advise(ADVICE))
            }
        }
    }
}
