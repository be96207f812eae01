//! The TLS of the API: its certificate and key, and taking them up again when they have changed.

use std::path::PathBuf;
use std::sync::Arc;

use usphere_mtp::tls::{Identity, IdentityError, TlsError, WebServer};

/// The files that the API needs to speak TLS, both PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiTlsFiles {
    /// Its certificate, with those up to its CA after it if clients do not have them.
    pub certificate: PathBuf,
    /// Its private key, which only its owner may read.
    pub key: PathBuf,
}

/// What the API speaks TLS with.
#[derive(Clone, Debug)]
pub(crate) struct ApiTls {
    files: ApiTlsFiles,
    web: Arc<WebServer>,
}

impl ApiTls {
    /// TLS with what is in these files.
    pub(crate) fn open(files: ApiTlsFiles) -> Result<Self, IdentityError> {
        let identity = Identity::from_files(&files.certificate, &files.key)?;
        let web = WebServer::new(&identity).map_err(|error| unusable(&files, &error))?;
        Ok(Self {
            files,
            web: Arc::new(web),
        })
    }

    /// What is in the files now.
    pub(crate) fn read(&self) -> Result<Identity, IdentityError> {
        Identity::from_files(&self.files.certificate, &self.files.key)
    }

    /// Shows this from the next handshake on. Open connections stay.
    pub(crate) fn take_up(&self, identity: &Identity) -> Result<(), IdentityError> {
        let taken = self.web.set_identity(identity);
        taken.map_err(|error| unusable(&self.files, &error))
    }

    /// What the door is given.
    pub(crate) fn server(&self) -> Arc<WebServer> {
        Arc::clone(&self.web)
    }
}

fn unusable(files: &ApiTlsFiles, error: &TlsError) -> IdentityError {
    IdentityError::Content {
        path: files.certificate.clone(),
        reason: error.to_string(),
    }
}
