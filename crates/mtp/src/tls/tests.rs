//! What only shows from within: which handshakes are resumed, and that a stolen certificate is of no
//! use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::HandshakeKind;
use rustls::sign::CertifiedKey;
use tokio::net::{TcpListener, TcpStream};
use usphere_trust::{Session, Store};

use super::*;

const TERM: Term = Term {
    not_before: 1_700_000_000,
    not_after: 1_900_000_000,
};

fn identity(name: &str) -> Identity {
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["a.pem", "a.key"].map(|name| folder.path().join(name));
    let issued = Issued::self_signed(&name.parse().unwrap(), TERM).unwrap();
    issued.write(&certificate, &key).unwrap();
    Identity::from_files(&certificate, &key).unwrap()
}

/// Lets everybody in, and counts them.
fn counting(judged: &Arc<AtomicUsize>) -> Verifier {
    let judged = Arc::clone(judged);
    let store = Store {
        tofu_allowed: true,
        ..Store::default()
    };
    Arc::new(move |chain, _| {
        judged.fetch_add(1, Ordering::Relaxed);
        Session::open(chain, &store, &Expected::Anybody, None)
    })
}

/// One connection: how it came about, and whom each end sees.
async fn meet(
    client: &Tls,
    server: &Tls,
) -> Result<(Option<HandshakeKind>, Arc<Session>, Arc<Session>), TlsError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stream = Metered::new(TcpStream::connect(address).await.unwrap());
    let (accepted, _) = listener.accept().await.unwrap();
    let dialling = client.connect(stream, "127.0.0.1", None);
    let (dialled, accepted) = tokio::join!(dialling, server.accept(Metered::new(accepted)));
    let ((mut dialled, seen_by_client), (mut accepted, channel)) =
        (dialled?, accepted.map_err(|unwelcome| unwelcome.error)?);
    let Channel::Tls(seen_by_server) = channel else {
        panic!("{channel:?}")
    };
    // Tickets come after the handshake, with the first bytes that are read.
    accepted.write_all(b"x").await.unwrap();
    accepted.flush().await.unwrap();
    dialled.read_u8().await.unwrap();
    let kind = dialled.get_ref().1.handshake_kind();
    Ok((kind, seen_by_client, seen_by_server))
}

#[tokio::test]
async fn a_resumed_session_carries_the_certificates_and_is_judged_again() {
    let (by_client, by_server) = (Arc::default(), Arc::default());
    let client = Tls::new(Some(identity("self::client")), counting(&by_client));
    let server = Tls::new(Some(identity("self::server")), counting(&by_server));
    let (first, server_before, client_before) = meet(&client, &server).await.unwrap();
    let (second, server_after, client_after) = meet(&client, &server).await.unwrap();
    assert_eq!(first, Some(HandshakeKind::Full));
    assert_eq!(second, Some(HandshakeKind::Resumed));
    assert_eq!(server_before, server_after);
    assert_eq!(client_before, client_after);
    assert_eq!(by_client.load(Ordering::Relaxed), 2);
    assert_eq!(by_server.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn another_identity_resumes_nothing_of_the_one_before() {
    let judged = Arc::default();
    let client = Tls::new(Some(identity("self::client")), counting(&judged));
    let server = Tls::new(Some(identity("self::server")), counting(&judged));
    meet(&client, &server).await.unwrap();
    client.set_identity(identity("self::other"));
    let (kind, _, seen) = meet(&client, &server).await.unwrap();
    assert_eq!(kind, Some(HandshakeKind::Full));
    assert!(
        seen.chain()
            .leaf()
            .authenticates(&"self::other".parse().unwrap())
    );
    server.set_identity(identity("self::server"));
    let (kind, ..) = meet(&client, &server).await.unwrap();
    assert_eq!(kind, Some(HandshakeKind::Full));
}

/// A certificate is public; only its key makes it somebody's.
///
/// Proves: R-MTP.1
#[tokio::test]
async fn a_certificate_without_its_key_is_worth_nothing() {
    let judged = Arc::default();
    let (victim, thief) = (identity("self::victim"), identity("self::thief"));
    let stolen = Identity {
        key: Arc::new(CertifiedKey::new(
            victim.key.cert.clone(),
            Arc::clone(&thief.key.key),
        )),
    };
    let honest = || Tls::new(Some(identity("self::honest")), counting(&judged));
    let as_client = Tls::new(Some(stolen.clone()), counting(&judged));
    meet(&as_client, &honest()).await.unwrap_err();
    let as_server = Tls::new(Some(stolen), counting(&judged));
    let error = meet(&honest(), &as_server).await.unwrap_err();
    assert!(
        error.to_string().contains("does not hold the key"),
        "{error}"
    );
}

/// The version before TLS 1.3 asks for the key in another way, and asks all the same.
///
/// Proves: R-MTP.1
#[tokio::test]
async fn a_certificate_without_its_key_is_worth_nothing_over_tls_1_2_either() {
    let victim = identity("self::victim");
    let stolen = || Identity {
        key: Arc::new(CertifiedKey::new(
            victim.key.cert.clone(),
            Arc::clone(&identity("self::thief").key.key),
        )),
    };
    for (shown, is_let_in) in [(victim.clone(), true), (stolen(), false)] {
        let met = meet_old_client(&shown).await;
        assert_eq!(met.is_ok(), is_let_in, "{met:?}");
        let met = meet_old_server(&shown).await;
        assert_eq!(met.is_ok(), is_let_in, "{met:?}");
        if let Err(error) = met {
            let told = error.to_string();
            assert!(told.contains("does not hold the key"), "{told}");
        }
    }
}

/// Whether our server lets in a client that shows this and speaks TLS 1.2 at most.
async fn meet_old_client(shown: &Identity) -> Result<(), TlsError> {
    let server = Tls::new(Some(identity("self::server")), counting(&Arc::default()));
    let bench = Bench::new(counting(&Arc::default()), Expected::Anybody);
    let provider = Arc::new(identity::provider());
    let verifier = OfServers::new(Arc::new(bench), &provider);
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_cert_resolver(resolver(shown));
    let (dialled, accepted) = connected().await;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let (_, accepted) = tokio::join!(
        TlsConnector::from(Arc::new(config)).connect(name, dialled),
        server.accept(Metered::new(accepted)),
    );
    accepted.map(drop).map_err(|unwelcome| unwelcome.error)
}

/// Whether our client takes a server that shows this and speaks TLS 1.2 at most.
async fn meet_old_server(shown: &Identity) -> Result<(), TlsError> {
    let client = Tls::new(Some(identity("self::client")), counting(&Arc::default()));
    let config = ServerConfig::builder_with_provider(Arc::new(identity::provider()))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(resolver(shown));
    let (dialled, accepted) = connected().await;
    let (dialled, _) = tokio::join!(
        client.connect(Metered::new(dialled), "127.0.0.1", None),
        TlsAcceptor::from(Arc::new(config)).accept(accepted),
    );
    dialled.map(drop)
}

/// Both ends of a connection.
async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialled = TcpStream::connect(listener.local_addr().unwrap()).await;
    (dialled.unwrap(), listener.accept().await.unwrap().0)
}
