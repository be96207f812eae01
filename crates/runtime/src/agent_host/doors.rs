//! What the engine wants dialled and opened, carried out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::info;
use usphere_agent::{DialId, ListenerId, Target};
use usphere_mtp::tls::Tls;
use usphere_mtp::websocket::{self, DialError, Door, Listener, ListenerLimits, Settings};
use usphere_proto::EndpointId;

use super::{AgentHost, Event, tell};

impl AgentHost {
    /// Begins one attempt to reach `controller`.
    pub(super) fn dial(
        &mut self,
        dial: DialId,
        controller: EndpointId,
        target: &Target,
        ping_interval: Duration,
    ) {
        let settings = Settings {
            peer_id: Some(controller),
            ..self.settings(ping_interval)
        };
        let target = websocket::Target {
            host: target.host.clone(),
            port: target.port,
            path: rooted(&target.path),
            tls: target.encryption,
        };
        let post = self.post.clone();
        let task = tokio::spawn(async move {
            let result = websocket::dial(&target, &settings).await;
            if let Some(wait) = result.as_ref().err().and_then(DialError::retry_after) {
                // The engine's own back-off begins when it hears of the refusal.
                info!(%target, ?wait, "sent away for a while");
                sleep(wait).await;
            }
            let result = result.map(Box::new).map_err(|error| error.to_string());
            tell(&post, Event::Dialled(dial, result));
        });
        self.dials.insert(dial, task);
    }

    /// Opens a door, instead of what was opened as `listener` before.
    pub(super) fn listen(
        &mut self,
        listener: ListenerId,
        target: &Target,
        ping_interval: Duration,
    ) {
        self.close_door(listener);
        let closing = std::mem::take(&mut self.closing);
        let door = Door {
            address: SocketAddr::new(self.listen_address, target.port),
            path: rooted(&target.path),
            tls: target.encryption,
            insecure: self.insecure,
        };
        let (settings, post) = (self.settings(ping_interval), self.post.clone());
        let connections_max = self.connections_max;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            // The address may be one of theirs.
            closed(closing).await;
            let limits = ListenerLimits {
                connections_max,
                // Whoever it is must leave room for others.
                connections_per_source_max: connections_max.div_ceil(2),
                ..ListenerLimits::default()
            };
            match Listener::bind(door, settings, limits).await {
                Ok(open) => {
                    tell(&post, Event::Listening(listener, Ok(open.local_addr())));
                    serve(open, listener, &post, stopped).await;
                }
                Err(error) => tell(&post, Event::Listening(listener, Err(error.to_string()))),
            }
        });
        self.doors.insert(listener, OpenDoor { stop, task });
    }

    /// Lets nobody in there any more.
    pub(super) fn close_door(&mut self, listener: ListenerId) {
        if let Some(OpenDoor { stop, task }) = self.doors.remove(&listener) {
            drop(stop);
            self.closing.push(task);
        }
    }

    /// Ends everything that may still bring a connection, and waits until every address is free.
    pub(super) async fn close_all_doors(&mut self) {
        let open: Vec<ListenerId> = self.doors.keys().copied().collect();
        open.into_iter()
            .for_each(|listener| self.close_door(listener));
        let dials: Vec<_> = std::mem::take(&mut self.dials).into_values().collect();
        dials.iter().for_each(JoinHandle::abort);
        closed(std::mem::take(&mut self.closing)).await;
        closed(dials).await;
    }

    /// Where another certificate and key can be given to the Agent while it lives; `None` where it has
    /// no TLS.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.tls.clone()
    }

    fn settings(&self, ping_interval: Duration) -> Settings {
        Settings {
            ping_interval,
            tls: self.tls.clone(),
            ..Settings::new(self.our_id.clone())
        }
    }
}

/// A place that is listened at.
pub(super) struct OpenDoor {
    /// Dropped to close it.
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Lets in who knocks until it is `stopped`.
async fn serve(
    mut open: Listener,
    listener: ListenerId,
    post: &UnboundedSender<Event>,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        tokio::select! {
            link = open.accept() => match link {
                Some(link) => tell(post, Event::Accepted(listener, Box::new(link))),
                None => break,
            },
            _ = &mut stopped => break,
        }
    }
    open.close().await;
}

async fn closed(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        // It was aborted, or has ended by itself.
        let _ = task.await;
    }
}

/// A path as the WebSocket's request line wants it.
fn rooted(path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
}
