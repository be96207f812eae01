//! What is done to the server, by a process of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use super::crowd::{self, CROWD, Member, Tally, crowd, dribble, say};
use super::devices::{self, LARGE, LARGE_NAME, head, upgrade};
use super::measured::Done;

/// Lower than that nobody's is.
const NICENESS: i32 = 19;

/// Devices that flood.
const FLOODS: usize = 32;

/// Streams that one token is let open, and more.
const DEAF_PER_TOKEN: usize = 40;

/// Devices that tell something now and then while streams are open, and their pause: some 400 events per second.
const CHATTERING: usize = 8;
const CHAT_PAUSE: Duration = Duration::from_millis(320);

/// Bytes that a stream which is never read takes in the system of its client.
const DEAF_BUFFER_BYTES: u32 = 4096;

/// Devices with large answers.
const LARGE_DEVICES: usize = 100;

/// One way to besiege a server.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) enum Attack {
    ByteASecond,
    DeafReaders,
    Flood,
    HalfTls,
    LargeAnswers,
    LargeHeads,
    LargeHeadsApi,
    Slow,
    SlowApi,
    SlowBodies,
}

impl Attack {
    /// In the order in which they are made.
    pub(crate) const ALL: [Self; 10] = [
        Self::Slow,
        Self::SlowApi,
        Self::SlowBodies,
        Self::LargeHeads,
        Self::LargeHeadsApi,
        Self::ByteASecond,
        Self::Flood,
        Self::DeafReaders,
        Self::LargeAnswers,
        Self::HalfTls,
    ];

    /// For `--only`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ByteASecond => "byte-a-second",
            Self::DeafReaders => "deaf-readers",
            Self::Flood => "flood",
            Self::HalfTls => "half-tls",
            Self::LargeAnswers => "large-answers",
            Self::LargeHeads => "large-heads",
            Self::LargeHeadsApi => "large-heads-api",
            Self::Slow => "slow",
            Self::SlowApi => "slow-api",
            Self::SlowBodies => "slow-bodies",
        }
    }

    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::ByteASecond => "3,000 WebSockets say a byte per second",
            Self::DeafReaders => "128 live streams that nobody reads, 400 events per second",
            Self::Flood => "32 devices notify as fast as they can",
            Self::HalfTls => "3,000 handshakes of TLS stop half-way",
            Self::LargeAnswers => "100 devices answer 1.4 MB, over and over",
            Self::LargeHeads => "heads of 96 KiB at the devices' door",
            Self::LargeHeadsApi => "heads of 96 KiB at the API",
            Self::Slow => "3,000 requests of a byte per second at the devices' door",
            Self::SlowApi => "3,000 requests of a byte per second at the API",
            Self::SlowBodies => "bodies of a byte per second at the API, with 4 tokens",
        }
    }

    pub(crate) fn is_tls(self) -> bool {
        self == Self::HalfTls
    }

    /// How many tokens that may read the attackers have.
    pub(crate) fn tokens(self) -> usize {
        match self {
            Self::DeafReaders | Self::SlowBodies => 4,
            Self::LargeAnswers => 1,
            _ => 0,
        }
    }
}

/// What the attackers are told.
#[derive(Deserialize, Serialize)]
pub(crate) struct Siege {
    pub(crate) attack: Attack,
    pub(crate) door: SocketAddr,
    pub(crate) api: SocketAddr,
    pub(crate) tokens: Vec<String>,
    /// What a client of TLS says first.
    pub(crate) hello: Vec<u8>,
    pub(crate) seconds: u64,
}

/// Makes an attack for as long as it is told; says what came of it.
pub(crate) async fn besiege(siege: &Siege) -> Done {
    rustix::process::nice(NICENESS)?;
    usphere_runtime::descriptors::raise(2 * CROWD as u64);
    let tally = Arc::<Tally>::default();
    tokio::select! {
        ended = attack(siege, &tally) => return ended,
        () = sleep(Duration::from_secs(siege.seconds)) => {}
    }
    println!("{tally}");
    Ok(())
}

async fn attack(siege: &Siege, tally: &Arc<Tally>) -> Done {
    let (door, api) = (siege.door, siege.api);
    let counted = || Arc::clone(tally);
    match siege.attack {
        Attack::Slow => slow(door, "/usp", counted()).await,
        Attack::SlowApi => slow(api, "/api/v1/server", counted()).await,
        Attack::LargeHeads => large_heads(door, "/usp", counted()).await,
        Attack::LargeHeadsApi => large_heads(api, "/api/v1/server", counted()).await,
        Attack::SlowBodies => {
            let tokens: Arc<[String]> = siege.tokens.clone().into();
            crowd(api, counted(), move |member, stream| {
                let tokens = Arc::clone(&tokens);
                async move {
                    let token = &tokens[member.number % tokens.len()];
                    let request = format!(
                        "POST /api/v1/devices/x/get HTTP/1.1\r\nHost: x\r\n\
                         Authorization: Bearer {token}\r\nContent-Length: 1000\r\n\r\n{{"
                    );
                    dribble(stream, request.as_bytes()).await
                }
            })
            .await
        }
        Attack::HalfTls => {
            let hello: Arc<[u8]> = siege.hello.clone().into();
            crowd(door, counted(), move |_, stream| {
                let hello = Arc::clone(&hello);
                async move { say(stream, &hello).await }
            })
            .await
        }
        Attack::ByteASecond => {
            crowd(door, counted(), |member, stream| async move {
                let name = format!("self::slow-{}", member.number);
                // A frame of a megabyte, of which nothing comes.
                let begun = [upgrade(&name), head(1 << 20)].concat();
                dribble(stream, &begun).await
            })
            .await
        }
        Attack::Flood => {
            let floods = chatter("flood", FLOODS, door, tally, Duration::ZERO);
            floods.await
        }
        Attack::DeafReaders => deaf(siege, tally).await,
        Attack::LargeAnswers => large_answers(siege, tally).await,
    }
}

async fn slow(to: SocketAddr, path: &'static str, tally: Arc<Tally>) -> Done {
    crowd(to, tally, move |_, stream| async move {
        let begun = format!("GET {path} HTTP/1.1\r\nX: ");
        dribble(stream, begun.as_bytes()).await
    })
    .await
}

async fn large_heads(to: SocketAddr, path: &'static str, tally: Arc<Tally>) -> Done {
    let head = format!("GET {path} HTTP/1.1\r\n{}", "X: y\r\n".repeat(16 << 10));
    let head: Arc<[u8]> = head.into_bytes().into();
    crowd(to, tally, move |_, stream| {
        let head = Arc::clone(&head);
        async move { say(stream, &head).await }
    })
    .await
}

/// Devices that tell of changes, with a pause after each few of them.
async fn chatter(
    kind: &str,
    count: usize,
    door: SocketAddr,
    tally: &Arc<Tally>,
    pause: Duration,
) -> Done {
    for number in 0..count {
        let (name, tally) = (format!("self::{kind}-{number}"), Arc::clone(tally));
        tokio::spawn(async move {
            loop {
                let member = Member::new(number);
                // Who is cut comes again.
                drop(devices::flood(member, name.clone(), door, Arc::clone(&tally), pause).await);
                sleep(Duration::from_millis(100)).await;
            }
        });
    }
    std::future::pending().await
}

/// Streams of events that nobody reads, and something to tell on them.
async fn deaf(siege: &Siege, tally: &Arc<Tally>) -> Done {
    for (at, token) in siege.tokens.iter().enumerate() {
        for number in 0..DEAF_PER_TOKEN {
            let request = format!(
                "GET /api/v1/events/live HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
            );
            let (api, tally) = (siege.api, Arc::clone(tally));
            let member = Member::new(at * DEAF_PER_TOKEN + number);
            tokio::spawn(async move {
                let stream = deaf_stream(member, api).await?;
                tally.opened.fetch_add(1, Ordering::Relaxed);
                crowd::say_and_be_deaf(stream, request.as_bytes()).await
            });
        }
    }
    chatter("chatter", CHATTERING, siege.door, tally, CHAT_PAUSE).await
}

/// Its client takes in little.
async fn deaf_stream(member: Member, api: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(DEAF_BUFFER_BYTES)?;
    socket.bind(member.source)?;
    socket.connect(api).await
}

/// Devices with much to say, and somebody who asks all of them for it, again and again.
async fn large_answers(siege: &Siege, tally: &Arc<Tally>) -> Done {
    for number in 0..LARGE_DEVICES {
        let (door, tally) = (siege.door, Arc::clone(tally));
        tokio::spawn(async move { devices::large(number, door, tally).await });
    }
    sleep(Duration::from_secs(1)).await;
    let body = serde_json::json!({"paths": [LARGE], "devices": {"search": LARGE_NAME}}).to_string();
    let token = siege.tokens.first().ok_or("no token")?;
    let request = format!(
        "POST /api/v1/fleet/get HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut answer = vec![0; 256 << 10];
    loop {
        let mut stream = TcpStream::connect(siege.api).await?;
        stream.write_all(request.as_bytes()).await?;
        while stream.read(&mut answer).await? > 0 {}
    }
}
