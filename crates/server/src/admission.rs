//! What a start refuses before it opens anything: the same, whether the server is to start or somebody only wants to
//! know.

use std::net::SocketAddr;

use usphere_mtp::tls::IdentityError;
use usphere_runtime::ControllerTls;

use crate::Config;
use crate::api_tls::ApiTls;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// A door without TLS off loopback that was not asked for by name. (R-SEC.0)
    #[error(
        "{address}: not a loopback address, and without TLS anyone there could read and change what is said; \
         {}, or set `insecure = true` to accept that",
        instead(key)
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
        /// The configuration key of the address.
        key: &'static str,
    },
    /// A file of TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] IdentityError),
}

/// What the doors speak TLS with, where they do.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) api: Option<ApiTls>,
    pub(crate) ws: Option<ControllerTls>,
}

impl Config {
    /// Whether a server would start with it, as far as that can be told without a door or the data folder. Reads the
    /// files of TLS.
    ///
    /// # Errors
    /// [`AdmissionError`] says what is in the way and what to do about it.
    pub fn admissible(&self) -> Result<(), AdmissionError> {
        self.admit().map(drop)
    }

    /// As [`admissible`](Self::admissible), with what was read.
    pub(crate) fn admit(&self) -> Result<Admitted, AdmissionError> {
        let doors = [
            ("api", Some(self.api), self.api_tls.is_some()),
            ("metrics", self.metrics, false),
            ("ws", Some(self.ws), self.tls.is_some()),
        ];
        for (key, address, is_tls) in doors {
            if let Some(address) = address.filter(|_| !is_tls) {
                self.loopback_or_insecure(address, key)?;
            }
        }
        let ws = self.tls.clone().map(ControllerTls::open).transpose()?;
        if let Some(ws) = ws.as_ref().filter(|_| self.takes_unproven()) {
            ws.tls().set_takes_unproven(true);
            tracing::warn!(
                "tls_client = \"optional\": devices may come without a certificate; who they are is their word, also when they are approved"
            );
        }
        Ok(Admitted {
            api: self.api_tls.clone().map(ApiTls::open).transpose()?,
            ws,
        })
    }

    /// Says what was asked for by `insecure`, at every start.
    fn loopback_or_insecure(
        &self,
        address: SocketAddr,
        key: &'static str,
    ) -> Result<(), AdmissionError> {
        if address.ip().to_canonical().is_loopback() {
            return Ok(());
        }
        if !self.insecure {
            return Err(AdmissionError::NotLoopback { address, key });
        }
        tracing::warn!(%address, "insecure = true: `{key}` is open to other hosts without TLS; anyone on the way can read and change what is said");
        Ok(())
    }
}

/// What to do about a plain door.
fn instead(key: &str) -> String {
    let tls = match key {
        "api" => "give it `api_tls_cert` and `api_tls_key`, ",
        "ws" => "give it `tls_cert`, `tls_key` and `tls_ca`, ",
        _ => "",
    };
    format!("{tls}use 127.0.0.1 or [::1] for `{key}`")
}
