//! Where the Agent dials us.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::header::{
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL,
};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};
use usphere_mtp::websocket::{LEGACY_EXTENSION, SUBPROTOCOL};

use super::{Reach, Shared, TOO_SLOW, Wire, line};
use crate::limits::{HANDSHAKE, HANDSHAKES_MAX};
use crate::peer::{Seat, What};

/// Lets in whoever dials, for as long as the bench is there.
pub(super) async fn keep(listener: TcpListener, seat: Seat, shared: Arc<Shared>) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    while let Ok(permit) = Arc::clone(&handshakes).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "nobody could be let in");
                tokio::time::sleep(HANDSHAKE / 10).await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let opened = timeout(HANDSHAKE, open(stream, seat, &shared)).await;
            drop(permit);
            match opened {
                Ok(Ok(socket)) => {
                    let (number, orders) = shared.opened(seat);
                    line::run(socket, seat, number, orders, shared).await;
                }
                Ok(Err(None)) => tracing::debug!("nothing was said on a connection"),
                Ok(Err(Some(reason))) => shared.happen(seat, What::NotLetIn(reason)),
                Err(_) => shared.happen(seat, What::NotLetIn(TOO_SLOW.to_owned())),
            }
        });
    }
}

#[expect(
    clippy::result_large_err,
    reason = "the type of the answer is tungstenite's"
)]
async fn open(
    stream: TcpStream,
    seat: Seat,
    shared: &Shared,
) -> Result<WebSocketStream<Box<dyn Wire>>, Option<String>> {
    // Small answers should not wait for more.
    drop(stream.set_nodelay(true));
    let is_tls = matches!(&shared.reach, Reach::Listen(listen) if listen.tls);
    let stream: Box<dyn Wire> = match shared.tls(seat).filter(|_| is_tls) {
        None => Box::new(stream),
        Some(tls) => {
            let accepted = tls.accept_bare(stream).await;
            Box::new(accepted.map_err(|error| Some(error.to_string()))?)
        }
    };
    let judge = |request: &Request, response: Response| judge(request, response, seat, shared);
    let accepted = accept_hdr_async_with_config(stream, judge, Some(line::config())).await;
    accepted.map_err(|error| match error {
        // Some Agents look first whether somebody is there, and those that a test turns away are told of already.
        Error::Protocol(ProtocolError::HandshakeIncomplete) => None,
        Error::Http(_) if shared.turns_away.load(Ordering::Relaxed) => None,
        error => Some(error.to_string()),
    })
}

/// Answers a request. (R-WS.9, R-WS.11)
#[expect(
    clippy::result_large_err,
    reason = "the type of the answer is tungstenite's"
)]
fn judge(
    request: &Request,
    mut response: Response,
    seat: Seat,
    shared: &Shared,
) -> Result<Response, ErrorResponse> {
    let path = request.uri().path();
    if !matches!(&shared.reach, Reach::Listen(listen) if listen.path == path) {
        return Err(refusal(StatusCode::NOT_FOUND));
    }
    if shared.turns_away.load(Ordering::Relaxed) {
        shared.happen(seat, What::TurnedAway);
        return Err(refusal(StatusCode::SERVICE_UNAVAILABLE));
    }
    let offers = |name, wanted: &str| {
        let values = request.headers().get_all(name).into_iter();
        let mut values = values.filter_map(|value: &HeaderValue| value.to_str().ok());
        values.any(|value| value.contains(wanted))
    };
    if !offers(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL) {
        return Err(refusal(StatusCode::BAD_REQUEST));
    }
    let headers = response.headers_mut();
    headers.insert(
        SEC_WEBSOCKET_PROTOCOL,
        HeaderValue::from_static(SUBPROTOCOL),
    );
    let told = shared.tells_extension.load(Ordering::Relaxed);
    if told && offers(SEC_WEBSOCKET_EXTENSIONS, LEGACY_EXTENSION) {
        let own = shared.endpoint_id(seat);
        let value = HeaderValue::try_from(format!("{LEGACY_EXTENSION}; eid=\"{own}\""));
        if let Ok(value) = value {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, value);
        }
    }
    Ok(response)
}

fn refusal(status: StatusCode) -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = status;
    response
}
