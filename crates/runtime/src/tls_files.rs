//! The files that mutual TLS needs, and taking them up again when they have changed.

use std::path::PathBuf;
use std::sync::Arc;

use usphere_mtp::tls::{Identity, IdentityError, Tls, authorities};

use crate::Trusted;

/// The files that mutual TLS needs, all PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFiles {
    /// Our certificate, with those up to its CA after it if the peers do not have them.
    pub certificate: PathBuf,
    /// Its private key, which only its owner may read.
    pub key: PathBuf,
    /// The certificates of the CAs that vouch for peers.
    pub authorities: PathBuf,
}

/// A Controller's TLS.
#[derive(Clone, Debug)]
pub struct ControllerTls {
    files: TlsFiles,
    trusted: Trusted,
    tls: Arc<Tls>,
}

impl ControllerTls {
    /// TLS with what is in these files.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and what is wrong with it.
    pub fn open(files: TlsFiles) -> Result<Self, IdentityError> {
        let identity = Identity::from_files(&files.certificate, &files.key)?;
        let trusted = Trusted::of_controller(authorities(&files.authorities)?);
        let tls = Tls::new(Some(identity), trusted.controllers_verifier());
        Ok(Self {
            files,
            trusted,
            tls: Arc::new(tls),
        })
    }

    /// Takes up what is in the files now, for the next handshakes. Open links stay. Where a file is
    /// wrong, all stays as it was.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and what is wrong with it.
    pub fn reload(&self) -> Result<(), IdentityError> {
        let identity = Identity::from_files(&self.files.certificate, &self.files.key)?;
        let authorities = authorities(&self.files.authorities)?;
        self.trusted.set_authorities(authorities);
        self.tls.set_identity(identity);
        Ok(())
    }

    /// What doors and dials are given.
    pub fn tls(&self) -> Arc<Tls> {
        Arc::clone(&self.tls)
    }
}
