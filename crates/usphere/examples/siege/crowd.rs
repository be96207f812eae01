//! Crowds: very many connections, each of which does the same until it is cut, and comes again.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{interval, sleep};

use super::measured::Done;

/// Connections that a crowd holds: more than the handshakes that may be under way.
pub(crate) const CROWD: usize = 3_000;

/// Addresses that they come from.
const SOURCES: usize = 250;

/// How many try to come in per second: twice what the door lets in.
const PER_SECOND: usize = 1_000;

/// Time between two looks whether more of them may come.
const STEP: Duration = Duration::from_millis(10);

/// What came of it.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) opened: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) sent: AtomicU64,
    pub(crate) answered: AtomicU64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(
            f,
            "{} connections, {} of them ended by the server",
            of(&self.opened),
            of(&self.ended)
        )?;
        for (count, what) in [
            (of(&self.sent), "messages were sent"),
            (of(&self.answered), "questions were answered"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// A member of a crowd, by its number and where it comes from.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    pub(crate) number: usize,
    pub(crate) source: SocketAddr,
}

impl Member {
    pub(crate) fn new(number: usize) -> Self {
        let host = u8::try_from(1 + number % SOURCES).unwrap_or(1);
        let source = SocketAddr::from(([127, 0, 1, host], 0));
        Self { number, source }
    }

    pub(crate) async fn connect(self, to: SocketAddr) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(self.source)?;
        socket.connect(to).await
    }
}

/// Comes in a crowd, for ever.
pub(crate) async fn crowd<F>(
    to: SocketAddr,
    tally: Arc<Tally>,
    each: impl Fn(Member, TcpStream) -> F + Clone + Send + 'static,
) -> Done
where
    F: Future<Output = std::io::Result<()>> + Send,
{
    let pace = Arc::new(Semaphore::new(0));
    for number in 0..CROWD {
        let (each, pace, tally) = (each.clone(), Arc::clone(&pace), Arc::clone(&tally));
        tokio::spawn(async move {
            let member = Member::new(number);
            loop {
                match pace.acquire().await {
                    Ok(turn) => turn.forget(),
                    Err(_) => return,
                }
                if let Ok(stream) = member.connect(to).await {
                    tally.opened.fetch_add(1, Ordering::Relaxed);
                    // However it ends, it comes again.
                    let _ = each(member, stream).await;
                    tally.ended.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    let each_step = PER_SECOND * STEP.as_millis() as usize / 1_000;
    let mut ticks = interval(STEP);
    loop {
        ticks.tick().await;
        if pace.available_permits() < PER_SECOND / 10 {
            pace.add_permits(each_step);
        }
    }
}

/// Says `first`, then a byte per second, until it is cut.
pub(crate) async fn dribble(mut stream: TcpStream, first: &[u8]) -> std::io::Result<()> {
    stream.write_all(first).await?;
    let (mut reading, mut writing) = stream.split();
    let mut answer = [0; 4096];
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            read = reading.read(&mut answer) => if read? == 0 {
                return Ok(());
            },
            _ = seconds.tick() => writing.write_all(b"x").await?,
        }
    }
}

/// Says this, and waits until it is cut.
pub(crate) async fn say(mut stream: TcpStream, what: &[u8]) -> std::io::Result<()> {
    // It may be refused before it was read.
    let said = stream.write_all(what).await;
    let mut answer = [0; 4096];
    while stream.read(&mut answer).await? > 0 {}
    said
}

/// Says this, and never reads.
pub(crate) async fn say_and_be_deaf(mut stream: TcpStream, what: &[u8]) -> std::io::Result<()> {
    stream.write_all(what).await?;
    sleep(Duration::from_secs(3600)).await;
    Ok(())
}
