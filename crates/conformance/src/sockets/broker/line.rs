//! Connections of the Agent to its server: bytes both ways, and nothing else.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use usphere_mtp::tls::Tls;

use super::super::{TOO_SLOW, Wire};
use crate::limits::HANDSHAKE;
use crate::peer::What;

/// Bytes that are read at once.
pub(super) const READ_BYTES: usize = 16 * 1024;

/// Something that happened on the wire.
pub(super) enum Raw {
    /// Something that happened beside the link.
    Beside(What),
    Bytes(u64, Bytes),
    Lost(u64, String),
    Opened(u64, UnboundedSender<Bytes>),
}

/// Lets in whoever dials, for as long as the bench is there.
pub(super) async fn keep(listener: TcpListener, tls: Option<Arc<Tls>>, told: Told) {
    let mut number = 0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                number += 1;
                tokio::spawn(run(stream, tls.clone(), told.clone(), number));
            }
            Err(error) => {
                tracing::debug!(%error, "nobody could be let in");
                tokio::time::sleep(HANDSHAKE / 10).await;
            }
        }
    }
}

/// Who is told what happens on the wire.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) began: Instant,
    pub(super) told: Sender<(Duration, Raw)>,
}

impl Told {
    pub(super) fn tell(&self, raw: Raw) {
        // Nobody is told once the bench is gone.
        drop(self.told.send((self.began.elapsed(), raw)));
    }
}

/// Carries bytes both ways until the end.
async fn run(stream: TcpStream, tls: Option<Arc<Tls>>, told: Told, number: u64) {
    // Small packets should not wait for more.
    drop(stream.set_nodelay(true));
    let mut stream: Box<dyn Wire> = match tls {
        None => Box::new(stream),
        Some(tls) => match timeout(HANDSHAKE, tls.accept_bare(stream)).await {
            Ok(Ok(stream)) => Box::new(stream),
            Ok(Err(error)) => return told.tell(Raw::Beside(What::NotLetIn(error.to_string()))),
            Err(_) => return told.tell(Raw::Beside(What::NotLetIn(TOO_SLOW.to_owned()))),
        },
    };
    let (orders, received) = unbounded_channel();
    told.tell(Raw::Opened(number, orders));
    let reason = carry(&mut stream, received, &told, number).await;
    told.tell(Raw::Lost(number, reason));
    // What was said last may still be on its way.
    drop(timeout(HANDSHAKE, stream.shutdown()).await);
}

/// Carries bytes both ways: why it has ended.
async fn carry(
    stream: &mut Box<dyn Wire>,
    mut orders: UnboundedReceiver<Bytes>,
    told: &Told,
    number: u64,
) -> String {
    let mut space = vec![0; READ_BYTES];
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                None => return "the connection was ended".to_owned(),
                Some(bytes) => {
                    let written = async {
                        stream.write_all(&bytes).await?;
                        stream.flush().await
                    };
                    if let Err(error) = written.await {
                        return error.to_string();
                    }
                }
            },
            read = stream.read(&mut space) => match read {
                Ok(0) => return "the connection has ended".to_owned(),
                Ok(count) => {
                    told.tell(Raw::Bytes(number, Bytes::copy_from_slice(&space[..count])));
                }
                Err(error) => return error.to_string(),
            },
        }
    }
}
