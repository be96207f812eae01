//! HTTP connections: how many, how long, and how they end. What is said on them is `api`'s business.
//!
//! Where all places are taken, whoever has waited longest without a whole request makes room: clients
//! that never finish one must not keep the others out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::limits::{
    API_CONNECTIONS_MAX, HEAD_TIMEOUT, READ_AHEAD_BYTES_MAX, SHUTDOWN_PATIENCE, UNREAD_TIMEOUT,
};

/// Pause after an accept failed for want of descriptors or memory.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves until `stop` becomes true or is gone, then lets what is under way finish for a while.
pub(crate) async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(API_CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut seats = Seats::default();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if room.available_permits() == 0 {
                        seats.make_room();
                    }
                    let permit = tokio::select! {
                        permit = Arc::clone(&room).acquire_owned() => permit,
                        _ = stop.changed() => break,
                    };
                    let router = router.clone();
                    let stop = stop.clone();
                    let seat = seats.take();
                    connections.spawn(async move {
                        tokio::select! {
                            () = connection(stream, router, stop, &seat) => {}
                            () = seat.leave.notified() => {}
                        }
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

/// The places of the connections that are open, the oldest first.
#[derive(Default)]
struct Seats(VecDeque<Arc<Seat>>);

/// The place of one connection.
#[derive(Default)]
struct Seat {
    /// Whether a request is being answered.
    busy: AtomicBool,
    /// Rung when somebody else is to have the place.
    leave: Notify,
}

impl Seats {
    fn take(&mut self) -> Arc<Seat> {
        self.0.retain(|seat| Arc::strong_count(seat) > 1);
        let seat = Arc::<Seat>::default();
        self.0.push_back(Arc::clone(&seat));
        seat
    }

    /// Ends the oldest connection that has no request under way, if there is one.
    fn make_room(&mut self) {
        self.0.retain(|seat| Arc::strong_count(seat) > 1);
        let idle = |seat: &Arc<Seat>| !seat.busy.load(Ordering::Relaxed);
        if let Some(seat) = self
            .0
            .iter()
            .position(idle)
            .and_then(|at| self.0.remove(at))
        {
            seat.leave.notify_one();
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    mut stop: watch::Receiver<bool>,
    seat: &Seat,
) {
    // A client that asks and never reads would hold its connection for ever.
    let unread_ms = u32::try_from(UNREAD_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = sockopt::set_tcp_user_timeout(&stream, unread_ms) {
        tracing::debug!(%error, "the time-out of an API connection could not be set");
    }
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        seat.busy.store(true, Ordering::Relaxed);
        let answer = router.call(request);
        async {
            let answer = answer.await;
            let is_endless = answer.as_ref().is_ok_and(|answer| {
                let endless: Option<&Endless> = answer.extensions().get();
                endless.is_some()
            });
            seat.busy.store(is_endless, Ordering::Relaxed);
            answer
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

/// Waits until the server ends.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is as good as stopped.
    drop(stop.wait_for(|stopped| *stopped).await);
}
