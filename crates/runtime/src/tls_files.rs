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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tokio::net::{TcpListener, TcpStream};
    use usphere_mtp::tls::{Authority, Holder, Term, TlsError};

    use super::*;

    const TERM: Term = Term {
        not_before: 1_700_000_000,
        not_after: 10_000_000_000,
    };

    /// What the CA in this folder gives to this Endpoint.
    fn issued(folder: &Path, name: &str, authority: &Authority) -> TlsFiles {
        let files = TlsFiles {
            certificate: folder.join(format!("{name}.pem")),
            key: folder.join(format!("{name}.key")),
            authorities: folder.join("ca.pem"),
        };
        let holder = Holder {
            endpoints: vec![format!("self::{name}").parse().unwrap()],
            addresses: vec![[127, 0, 0, 1].into()],
            ..Holder::default()
        };
        let issued = authority.issue(&holder, TERM).unwrap();
        issued.write(&files.certificate, &files.key).unwrap();
        files
    }

    /// The files of a server and of an Agent, both of a CA of their own.
    fn made(folder: &Path) -> [TlsFiles; 2] {
        fs::create_dir_all(folder).unwrap();
        let [pem, key] = ["ca.pem", "ca.key"].map(|name| folder.join(name));
        Authority::make("test", TERM)
            .unwrap()
            .write(&pem, &key)
            .unwrap();
        let authority = Authority::from_files(&pem, &key).unwrap();
        ["server", "agent"].map(|name| issued(folder, name, &authority))
    }

    /// What each end says of the other: the client, then the server.
    async fn meet(client: &Tls, server: &Tls) -> [Result<(), TlsError>; 2] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (accepted, _) = listener.accept().await.unwrap();
        let (dialled, accepted) = tokio::join!(
            client.connect_bare(stream.unwrap(), "127.0.0.1", None),
            server.accept_bare(accepted)
        );
        [dialled.map(drop), accepted.map(drop)]
    }

    /// Which certificate is shown and whose are believed: both as the files say since the last reload, and neither before.
    #[tokio::test]
    async fn a_reload_shows_the_new_certificate_and_believes_the_new_ca() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        let [server, old] = made(&first);
        let [renewed, new] = made(&second);
        let server = ControllerTls::open(server).unwrap();
        let [old, new] = [old, new].map(|files| ControllerTls::open(files).unwrap());
        let is_met = async |client: &ControllerTls| {
            meet(&client.tls, &server.tls)
                .await
                .map(|seen| seen.is_ok())
        };
        for (from, to) in [
            (&renewed.certificate, &server.files.certificate),
            (&renewed.key, &server.files.key),
            (&renewed.authorities, &server.files.authorities),
        ] {
            fs::copy(from, to).unwrap();
        }
        assert_eq!(is_met(&old).await, [true, true]);
        assert_eq!(is_met(&new).await, [false, false]);
        server.reload().unwrap();
        assert_eq!(is_met(&new).await, [true, true]);
        assert_eq!(is_met(&old).await, [false, false]);
        // Who takes the new certificate, and shows one of the old CA.
        let mixed = ControllerTls::open(TlsFiles {
            authorities: new.files.authorities.clone(),
            ..old.files.clone()
        });
        assert!(!is_met(&mixed.unwrap()).await[1]);
    }
}
