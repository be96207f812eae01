//! HTTP connections, plain or over TLS: how many, how long, and how they end. What is said on them is `api`'s business.
//!
//! Where all places are taken, one of those that have no whole request makes room: clients that never finish one, its
//! body included, must not keep the others out. It is one of the largest crowd from one address; so a crowd does
//! not have others cut who are about to ask. Whose request is there already is never cut unread.

mod seats;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use usphere_mtp::tls::{CLIENT_HELLO, WebServer, WebStream};

use self::seats::{Doing, Seat, Seats};
use crate::forwarded::{Remote, TrustedProxies};
use crate::limits::{
    API_CONNECTIONS_MAX, API_HANDSHAKE_TIMEOUT, HEAD_TIMEOUT, READ_AHEAD_BYTES_MAX, ROOM_INTERVAL,
    SHUTDOWN_PATIENCE, UNREAD_TIMEOUT,
};
use crate::places::Place;

/// Pause after an accept failed for want of descriptors or memory.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How those who come are received.
#[derive(Clone, Debug)]
pub(crate) struct Reception {
    /// Present where TLS is spoken.
    pub(crate) tls: Option<Arc<WebServer>>,
    /// Who is believed that names whom a request comes from.
    pub(crate) proxies: Arc<TrustedProxies>,
    /// Time for the handshake of TLS.
    pub(crate) handshake: Duration,
}

impl Default for Reception {
    fn default() -> Self {
        Self {
            tls: None,
            proxies: Arc::default(),
            handshake: API_HANDSHAKE_TIMEOUT,
        }
    }
}

/// Serves until `stop` becomes true or is gone, then lets what is under way finish for a while.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    reception: Reception,
    stop: watch::Receiver<bool>,
) {
    serve_readers(listener, router, reception, UNREAD_TIMEOUT, stop).await;
}

/// Serves those who do not leave an answer unread for longer than `unread`.
async fn serve_readers(
    listener: TcpListener,
    router: Router,
    reception: Reception,
    unread: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(API_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut seats = Seats::default();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    limit_unread(&stream, unread);
                    let permit = tokio::select! {
                        permit = place(&room, &mut seats) => permit,
                        _ = stop.changed() => break,
                    };
                    let router = router.clone();
                    let reception = reception.clone();
                    let stop = stop.clone();
                    let seat = seats.take(remote.ip());
                    connections.spawn(async move {
                        let received = receive(stream, remote, router, &reception, stop, &seat);
                        seat.sit(std::pin::pin!(received)).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept an API connection");
                    sleep(ACCEPT_RETRY).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = stop.changed() => break,
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    drop(timeout(SHUTDOWN_PATIENCE, finished).await);
}

/// Marks an answer that goes on until one side ends it: its connection is never idle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endless;

/// A place for one more, for which another leaves where none is free.
async fn place(
    room: &Arc<Semaphore>,
    seats: &mut Seats,
) -> Result<OwnedSemaphorePermit, AcquireError> {
    loop {
        if room.available_permits() == 0 {
            seats.make_room();
        }
        // Whoever was to leave may have a request by now, and others none any more.
        if let Ok(permit) = timeout(ROOM_INTERVAL, Arc::clone(room).acquire_owned()).await {
            return permit;
        }
    }
}

/// A client that asks and never reads would hold its connection for ever.
fn limit_unread(stream: &TcpStream, unread: Duration) {
    let unread_ms = u32::try_from(unread.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = sockopt::set_tcp_user_timeout(stream, unread_ms) {
        tracing::debug!(%error, "the time-out of an API connection could not be set");
    }
}

/// Answers on one connection, when TLS is agreed on where that is spoken.
async fn receive(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    reception: &Reception,
    mut stop: watch::Receiver<bool>,
    seat: &Arc<Seat>,
) {
    let proxies = &reception.proxies;
    let Some(tls) = &reception.tls else {
        return connection(stream, peer, router, proxies, stop, seat).await;
    };
    let secured = tokio::select! {
        secured = timeout(reception.handshake, secure(stream, tls)) => secured,
        () = stopped(&mut stop) => return,
    };
    match secured {
        // Boxed: its room would be taken from the beginning, and twice.
        Ok(Some(stream)) => {
            Box::pin(connection(stream, peer, router, proxies, stop, seat)).await;
        }
        Ok(None) => {}
        Err(_) => tracing::debug!(%peer, "an API connection did not agree on TLS in time"),
    }
}

/// Does the handshake of TLS. Who comes without is told so.
async fn secure(mut stream: TcpStream, tls: &WebServer) -> Option<WebStream> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    if first != [CLIENT_HELLO] {
        // It may be gone already; nobody is left to tell then.
        drop(refuse_plain(&mut stream).await);
        return None;
    }
    match tls.accept(stream).await {
        Ok(stream) => Some(stream),
        Err(error) => {
            tracing::debug!(%error, "no TLS on an API connection");
            None
        }
    }
}

async fn refuse_plain(stream: &mut TcpStream) -> std::io::Result<()> {
    const PROBLEM: &str =
        r#"{"title":"Bad Request","status":400,"detail":"only TLS is spoken here, use https://"}"#;
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json\r\nContent-Length: {}\r\n\r\n{PROBLEM}",
        PROBLEM.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // What it has sent meanwhile would reset the connection before it has read why.
    let mut rest = stream.take(READ_AHEAD_BYTES_MAX as u64);
    let mut space = [0; 512];
    while rest.read(&mut space).await? > 0 {}
    Ok(())
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    proxies: &TrustedProxies,
    mut stop: watch::Receiver<bool>,
    seat: &Arc<Seat>,
) {
    let router = TowerToHyperService::new(router);
    let service = service_fn(|mut request: hyper::Request<_>| {
        let remote = Remote::of(peer, request.headers(), proxies);
        request.extensions_mut().insert(remote);
        let request = request.map(|body| Arriving::new(body, Arc::clone(seat)));
        let answer = router.call(request);
        async {
            let answer = answer.await;
            answer.map(|mut answer| {
                let endless: Option<&Endless> = answer.extensions().get();
                let doing = match endless {
                    Some(Endless) => Doing::Busy,
                    None => Doing::Answered,
                };
                let place = answer.extensions_mut().remove();
                answer.map(|body| Leaving::new(body, Arc::clone(seat), doing, place))
            })
        }
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(READ_AHEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "API connection ended");
    }
}

/// The body of a request. Only with its end the request is one that others have to wait for.
struct Arriving {
    body: Incoming,
    seat: Arc<Seat>,
}

impl Arriving {
    fn new(body: Incoming, seat: Arc<Seat>) -> Self {
        seat.set(match body.is_end_stream() {
            true => Doing::Busy,
            false => Doing::Nothing,
        });
        Self { body, seat }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.seat.set(Doing::Busy);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer. With its end its connection does nothing again, and its caller has a place more.
struct Leaving {
    body: axum::body::Body,
    seat: Arc<Seat>,
    _place: Option<Arc<Place>>,
}

impl Leaving {
    fn new(
        body: axum::body::Body,
        seat: Arc<Seat>,
        doing: Doing,
        place: Option<Arc<Place>>,
    ) -> Self {
        seat.set(doing);
        Self {
            body,
            seat,
            _place: place,
        }
    }
}

impl Body for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.seat.set(Doing::Nothing);
    }
}

/// Waits until the server ends.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is as good as stopped.
    drop(stop.wait_for(|stopped| *stopped).await);
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Extension;
    use axum::body::{Body, Bytes};
    use axum::routing::get;
    use futures_util::stream;
    use usphere_mtp::tls::{Holder, Issued, Term, WebClient};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    const CHUNK: [u8; 16 * 1024] = [b'x'; 16 * 1024];

    /// More than the system keeps for both ends of a connection, and what hyper holds.
    const BUFFERED_MAX: usize = 32 << 20;

    /// Bytes that were made for the answers so far. Each answer holds it as long as it goes on.
    type Made = Arc<AtomicUsize>;

    /// An answer that has always more to say, as a stream of events has while many come.
    fn endless(made: &Made) -> Router {
        let made = Arc::clone(made);
        let answer = move || {
            let body = stream::unfold(Arc::clone(&made), |made| async {
                made.fetch_add(CHUNK.len(), Ordering::Relaxed);
                Some((Ok::<_, Infallible>(Bytes::from_static(&CHUNK)), made))
            });
            async move { (Extension(Endless), Body::from_stream(body)) }
        };
        Router::new().route("/", get(answer))
    }

    /// Whoever says nothing, or only the beginning, is cut; whoever is in time is answered for as long as it likes.
    #[tokio::test]
    async fn a_handshake_has_its_time() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let term = Term {
            not_before: 1_700_000_000,
            not_after: 10_000_000_000,
        };
        let folder = tempfile::tempdir().unwrap();
        let [pem, key] = ["a.pem", "a.key"].map(|name| folder.path().join(name));
        let holder = Holder {
            addresses: vec![address.ip()],
            ..Holder::default()
        };
        let issued = Issued::self_signed_by(&"self::a".parse().unwrap(), &holder, term).unwrap();
        issued.write(&pem, &key).unwrap();
        let reception = Reception {
            tls: Some(Arc::new(
                WebServer::new(&issued.identity().unwrap()).unwrap(),
            )),
            handshake: Duration::from_millis(300),
            ..Reception::default()
        };
        let (_stop, stopped) = watch::channel(false);
        let made = Made::default();
        tokio::spawn(serve(listener, endless(&made), reception, stopped));
        // The last is told that TLS is spoken here, and goes on all the same.
        for begun in [&[][..], &[CLIENT_HELLO, 3, 1, 2, 0], b"GET"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begun).await.unwrap();
            let mut told = Vec::new();
            let reading = timeout(PATIENCE, stream.read_to_end(&mut told));
            drop(reading.await.unwrap());
            assert_eq!(told.is_empty(), begun != b"GET");
            let writing = async {
                while stream.write_all(b"x").await.is_ok() {
                    sleep(Duration::from_millis(20)).await;
                }
            };
            timeout(PATIENCE, writing).await.unwrap();
        }
        let stream = TcpStream::connect(address).await.unwrap();
        let client = WebClient::trusting(&pem).unwrap();
        let mut stream = client.connect(stream, "127.0.0.1").await.unwrap();
        sleep(Duration::from_millis(600)).await;
        let request = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut chunk = vec![0; CHUNK.len()];
        stream.read_exact(&mut chunk).await.unwrap();
    }

    async fn until(what: impl Fn() -> bool) {
        let waiting = async {
            while !what() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, waiting).await.unwrap();
    }

    /// Whoever reads keeps an answer for as long as it likes; whoever does not is given what fits into the
    /// buffers of the system, and is cut.
    #[tokio::test]
    async fn who_never_reads_an_endless_answer_is_given_little_and_cut() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let made = Made::default();
        let (_stop, stopped) = watch::channel(false);
        let unread = Duration::from_millis(500);
        let reception = Reception::default();
        tokio::spawn(serve_readers(
            listener,
            endless(&made),
            reception,
            unread,
            stopped,
        ));
        until(|| Arc::strong_count(&made) == 2).await;

        let ask = async || {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";
            stream.write_all(request).await.unwrap();
            stream
        };
        let unread = ask().await;
        until(|| Arc::strong_count(&made) == 3).await;
        until(|| Arc::strong_count(&made) == 2).await;
        let given = made.load(Ordering::Relaxed);
        assert!(given < BUFFERED_MAX, "{given} bytes");
        drop(unread);

        let mut reading = ask().await;
        let mut chunk = vec![0; CHUNK.len()];
        for _ in 0..30 {
            sleep(Duration::from_millis(50)).await;
            reading.read_exact(&mut chunk).await.unwrap();
        }
        assert_eq!(Arc::strong_count(&made), 3, "it is still answered");
    }

    /// A request whose body never comes to its end is none that others have to wait for.
    #[tokio::test]
    async fn bodies_that_never_end_keep_nobody_out() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let router = Router::new().route("/", get(|| async {}).post(|_: String| async {}));
        tokio::spawn(serve(listener, router, Reception::default(), stopped));
        let mut slow = Vec::new();
        for _ in 0..API_CONNECTIONS_MAX {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let begun = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n{";
            stream.write_all(begun).await.unwrap();
            slow.push(stream);
        }
        let ask = async |request: &[u8]| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request).await.unwrap();
            let mut answer = [0; 15];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200 OK");
        };
        let asked = async {
            for _ in 0..8 {
                ask(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await;
                ask(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n{}").await;
            }
        };
        timeout(HEAD_TIMEOUT / 2, asked).await.unwrap();
    }

    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";

    async fn asked(address: SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(GET).await.unwrap();
        stream
    }

    async fn is_answered(stream: &mut TcpStream) {
        let mut answer = [0; 15];
        let read = timeout(HEAD_TIMEOUT / 2, stream.read_exact(&mut answer));
        read.await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }

    /// Whoever comes while all are busy need not wait until one of them goes.
    #[tokio::test]
    async fn who_is_answered_makes_room_for_one_who_waits() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_stop, stopped) = watch::channel(false);
        let (begun, go_on) = (Arc::<AtomicUsize>::default(), Arc::new(Semaphore::new(0)));
        let (counted, waited) = (Arc::clone(&begun), Arc::clone(&go_on));
        let answer = async move || {
            counted.fetch_add(1, Ordering::Relaxed);
            waited.acquire().await.unwrap().forget();
        };
        let router = Router::new().route("/", get(answer));
        tokio::spawn(serve(listener, router, Reception::default(), stopped));
        let mut busy = Vec::new();
        for _ in 0..API_CONNECTIONS_MAX {
            busy.push(asked(address).await);
        }
        until(|| begun.load(Ordering::Relaxed) == API_CONNECTIONS_MAX).await;
        let mut late = asked(address).await;
        sleep(Duration::from_millis(100)).await;
        go_on.add_permits(API_CONNECTIONS_MAX + 1);
        is_answered(&mut late).await;
    }
}
