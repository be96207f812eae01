//! What the engine wants dialled and opened, carried out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use usphere_agent::{DialId, ListenerId, Target};
use usphere_mtp::tls::Tls;
use usphere_mtp::websocket::{self, Door, Listener, ListenerLimits, Settings};
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
        if let Some(before) = self.listeners.remove(&listener) {
            before.abort();
        }
        let door = Door {
            address: SocketAddr::new(self.listen_address, target.port),
            path: rooted(&target.path),
            tls: target.encryption,
            insecure: self.insecure,
        };
        let (settings, post) = (self.settings(ping_interval), self.post.clone());
        let task = tokio::spawn(async move {
            match Listener::bind(door, settings, ListenerLimits::default()).await {
                Ok(mut open) => {
                    tell(&post, Event::Listening(listener, Ok(open.local_addr())));
                    while let Some(link) = open.accept().await {
                        tell(&post, Event::Accepted(listener, Box::new(link)));
                    }
                }
                Err(error) => tell(&post, Event::Listening(listener, Err(error.to_string()))),
            }
        });
        self.listeners.insert(listener, task);
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

/// A path as the WebSocket's request line wants it.
fn rooted(path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
}
