//! An MQTT server beside the link, at which the Agent publishes bulk data.
//!
//! It is opened when a test first follows a topic, and open until the run ends. It takes any client, and tells of all
//! that is published; Records never come this way.

use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::line::READ_BYTES;
use super::mqtt::Mqtt;
use super::{Answers, Does, Half as _};
use crate::brokered::MqttSaid;
use crate::limits::{HANDSHAKE, WEB_CONNECTIONS_MAX};
use crate::peer::{Address, Trouble, What};
use crate::publications::Publication;
use crate::sockets::Tell;

/// The server, once it was asked for.
#[derive(Debug, Default)]
pub(in crate::sockets) struct Collector {
    door: Option<SocketAddr>,
}

impl Collector {
    /// Where the Agent finds the server, which is opened at a free port of this address if it is not open yet.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(in crate::sockets) fn open(
        &mut self,
        runtime: &Runtime,
        address: IpAddr,
        tell: Tell,
    ) -> Result<Address, Trouble> {
        let door = match self.door {
            Some(door) => door,
            None => {
                let bound = runtime.block_on(TcpListener::bind((address, 0)));
                let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
                let (door, listener) = bound.map_err(|error| {
                    Trouble::Impossible(format!("the MQTT server cannot be started: {error}"))
                })?;
                runtime.spawn(keep(listener, tell));
                *self.door.insert(door)
            }
        };
        Ok(Address {
            host: door.ip().to_string(),
            port: door.port(),
            path: String::new(),
            encryption: false,
        })
    }
}

/// Lets in whoever dials, for as long as the bench is there.
async fn keep(listener: TcpListener, tell: Tell) {
    let places = Arc::new(Semaphore::new(WEB_CONNECTIONS_MAX));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let tell = Arc::clone(&tell);
                tokio::spawn(async move {
                    serve(stream, &tell).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "nobody could be let in");
                tokio::time::sleep(HANDSHAKE / 10).await;
            }
        }
    }
}

/// Answers one client until its connection ends, and tells of what it publishes.
async fn serve(mut stream: TcpStream, tell: &Tell) {
    // Small packets should not wait for more.
    drop(stream.set_nodelay(true));
    let mut mqtt = Mqtt::default();
    let mut space = vec![0; READ_BYTES];
    loop {
        let count = match stream.read(&mut space).await {
            Ok(0) | Err(_) => return,
            Ok(count) => count,
        };
        let mut topic = String::new();
        for does in mqtt.take(&space[..count], &Answers::default()) {
            match does {
                Does::End(reason) => return tracing::debug!(reason, "a client has gone"),
                // What a packet says comes before what it carries.
                Does::Say(What::Mqtt(MqttSaid::Publish(publish))) => topic = publish.topic,
                Does::Record(payload) => {
                    let topic = mem::take(&mut topic);
                    tell(What::Published(Box::new(Publication { topic, payload })));
                }
                Does::Send(bytes) => {
                    if stream.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Does::Say(_) | Does::Up => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use mqtt_protocol_core::mqtt::packet::{Qos, v5_0};
    use tokio::runtime::Builder;
    use tokio::time::timeout;

    use super::*;

    /// Two clients publish at the same time, and each is answered.
    #[test]
    fn what_clients_publish_is_told() {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (told, came) = channel();
        let tell: Tell = Arc::new(move |what| drop(told.send(what)));
        let mut collector = Collector::default();
        let home = IpAddr::from(Ipv4Addr::LOCALHOST);
        let place = collector.open(&runtime, home, Arc::clone(&tell)).unwrap();
        assert_eq!(collector.open(&runtime, home, tell).unwrap(), place);
        for (topic, payload) in [("bulk", "first"), ("other", "second")] {
            let said = runtime.block_on(publish(place.port, topic, payload));
            // The PUBACK of packet 7.
            assert_eq!(said[said.len() - 4..], [0x40, 2, 0, 7]);
            let What::Published(publication) = came.recv().unwrap() else {
                panic!("something else came");
            };
            assert_eq!(publication.topic, topic);
            assert_eq!(publication.payload, payload.as_bytes());
        }
    }

    /// Connects, publishes once with QoS 1, and hears what the server says.
    async fn publish(port: u16, topic: &str, payload: &str) -> Vec<u8> {
        let connect = v5_0::Connect::builder()
            .client_id("client")
            .unwrap()
            .clean_start(true)
            .build()
            .unwrap();
        let publish = v5_0::Publish::builder()
            .topic_name(topic)
            .unwrap()
            .qos(Qos::AtLeastOnce)
            .packet_id(7)
            .payload(payload.as_bytes().to_vec())
            .build()
            .unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        let whole = [
            connect.to_continuous_buffer(),
            publish.to_continuous_buffer(),
        ]
        .concat();
        stream.write_all(&whole).await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(&[0x40, 2, 0, 7]) {
            let read = stream.read_buf(&mut said);
            let count = timeout(Duration::from_secs(10), read)
                .await
                .unwrap()
                .unwrap();
            assert!(count > 0, "the server has hung up: {said:?}");
        }
        said
    }
}
