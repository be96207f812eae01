//! How devices reach their Controller.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use usphere_agent::Target;
use usphere_mtp::tls::{Authority, Holder, Identity, IdentityError, Term, Tls};
use usphere_mtp::websocket::{self, DialError, Link, Settings};
use usphere_proto::EndpointId;
use usphere_runtime::Trusted;
use usphere_runtime::controller_host::Dialler;

use crate::limits::QUEUE_BYTES_MAX;

/// How devices reach their Controller.
#[derive(Clone)]
pub enum Way {
    /// Within the process, to this Controller.
    Within(Dialler),
    /// Over real WebSockets.
    Sockets(Sockets),
}

/// Real WebSockets.
#[derive(Clone, Default)]
pub struct Sockets {
    /// With what devices prove who they are; `None` without TLS.
    pub identities: Option<Arc<Identities>>,
    /// Whose servers they trust over TLS.
    pub trusted: Option<Trusted>,
}

/// With what devices prove who they are.
pub enum Identities {
    /// Each has its own: in files, or else of a CA that makes it, in memory, when the device begins.
    Own {
        /// Where they are, if they are there.
        files: FilesOf,
        /// Who makes them otherwise, and for how long.
        authority: Option<Box<(Authority, Term)>>,
    },
    /// One certificate for all, with a wildcard in its name.
    Shared(Identity),
}

/// Names the files of a certificate and of its key.
pub type FilesOf = Box<dyn Fn(&EndpointId) -> (PathBuf, PathBuf) + Send + Sync>;

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum NoLink {
    /// The server was not reached, or sent the device away.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The Controller of this process is gone.
    #[error("the Controller of this process is gone")]
    Gone,
    /// The device has no certificate.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl NoLink {
    /// How long the server does not want to see this device.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Dial(error) => error.retry_after(),
            Self::Gone | Self::Identity(_) => None,
        }
    }
}

impl Way {
    /// What the device `id` speaks TLS with, where it does.
    ///
    /// # Errors
    /// It has no certificate.
    pub(crate) fn tls(&self, id: &EndpointId) -> Result<Option<Arc<Tls>>, NoLink> {
        let Self::Sockets(Sockets {
            identities: Some(identities),
            trusted: Some(trusted),
        }) = self
        else {
            return Ok(None);
        };
        let identity = identities.of(id)?;
        Ok(Some(Arc::new(Tls::new(
            Some(identity),
            trusted.agents_verifier(),
        ))))
    }

    /// A link of the device `id` to `controller`.
    ///
    /// # Errors
    /// [`NoLink`].
    pub(crate) async fn link(
        &self,
        id: EndpointId,
        controller: EndpointId,
        target: Target,
        ping_interval: Duration,
        tls: Option<Arc<Tls>>,
    ) -> Result<Link, NoLink> {
        let settings = Settings {
            ping_interval,
            queue_bytes_max: QUEUE_BYTES_MAX,
            tls,
            peer_id: Some(controller),
            ..Settings::new(id)
        };
        if let Self::Within(dialler) = self {
            return dialler.link_within(&settings).await.ok_or(NoLink::Gone);
        }
        let target = websocket::Target {
            host: target.host,
            port: target.port,
            path: target.path,
            tls: target.encryption,
        };
        Ok(websocket::dial(&target, &settings).await?)
    }
}

impl Identities {
    fn of(&self, id: &EndpointId) -> Result<Identity, IdentityError> {
        match self {
            Self::Shared(identity) => Ok(identity.clone()),
            Self::Own { files, authority } => {
                let (certificate, key) = files(id);
                match authority.as_ref().filter(|_| !certificate.exists()) {
                    None => Identity::from_files(&certificate, &key),
                    Some(ca) => {
                        let (authority, term) = &**ca;
                        let holder = Holder {
                            endpoints: vec![id.clone()],
                            ..Holder::default()
                        };
                        authority.issue(&holder, *term)?.identity()
                    }
                }
            }
        }
    }
}

/// Asks a server who it is, by opening a link as `asking` and closing it at once. `None` where it does
/// not tell.
///
/// # Errors
/// [`NoLink`] when it is not reached.
pub async fn controller_at(
    target: &websocket::Target,
    asking: &EndpointId,
    sockets: &Sockets,
) -> Result<Option<EndpointId>, NoLink> {
    let settings = Settings {
        legacy_extension: true,
        tls: Way::Sockets(sockets.clone()).tls(asking)?,
        ..Settings::new(asking.clone())
    };
    let link = websocket::dial(target, &settings).await?;
    Ok(link.peer.endpoint_id)
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Within(_) => "Within",
            Self::Sockets(_) => "Sockets",
        })
    }
}
