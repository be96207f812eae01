//! A server whose door is besieged: by crowds that never finish what they begin, and by devices that
//! say too much or too slowly. Those who behave are let in and served meanwhile.
//!
//! The crowds come from other addresses than those who behave, all of loopback.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::sleep;
use usphere_mtp::websocket::{DialError, Link, Settings, Target, dial};
use usphere_proto::msg::{Notification, Notify, ValueChange};
use usphere_proto::{Msg, Record};
use usphere_runtime::{ControllerTls, TlsFiles};

use super::api::{Api, is_asked};
use super::{BAD, Besieged, GOOD, PROMPT, SERVER};
use crate::common::{Program, eventually, free_port, ran, usphere};
use crate::support::bytes::{BINARY, Raw};
use crate::support::id;

/// Comes while others besiege the door.
const NEWCOMER: &str = "self::newcomer";

/// Most connections of a crowd: more than the handshakes that may be under way.
const CROWD: usize = 3_000;

/// Where it comes from.
const SOURCES: usize = 250;

/// Time between two of them: most of what the door lets in per second.
const STEP: Duration = Duration::from_micros(2_500);

/// A server, the Agent of this host, and the means to come by.
struct Fortress {
    server: Besieged,
    api: Api,
    folder: PathBuf,
    tls: bool,
    runtime: Runtime,
    _good: Program,
}

impl Fortress {
    fn new(folder: &Path, tls: bool, links: &str) -> Self {
        let (port, api) = (free_port(), free_port());
        let certs = folder.join("certs");
        if tls {
            let certify = |arguments: &[&str]| {
                ran(usphere()
                    .arg("certs")
                    .args(arguments)
                    .arg("--dir")
                    .arg(&certs))
                .ended(0);
            };
            certify(&["ca"]);
            certify(&["issue", SERVER, GOOD, NEWCOMER]);
        }
        let config = folder.join("server.toml");
        std::fs::write(&config, format!("[links]\n{links}\n")).unwrap();
        let mut command = usphere();
        command.args(["server", "--endpoint-id", SERVER, "--config"]);
        command
            .arg(&config)
            .arg("--data")
            .arg(folder.join("server"));
        command.args(["--ws", &format!("127.0.0.1:{port}")]);
        command.args(["--api", &format!("127.0.0.1:{api}")]);
        command.args(options(&certs, SERVER, tls));
        let mut program = Program::start(&mut command, folder.join("server.log"));
        program.wait_for("server started");
        let server = Besieged {
            program,
            port,
            api,
            memory_kib_max: 256 << 10,
        };
        let scheme = if tls { "wss" } else { "ws" };
        let mut command = usphere();
        command.args(["agent", "--endpoint-id", GOOD, "--data"]);
        command.arg(folder.join("agent"));
        let url = format!("{SERVER}={scheme}://127.0.0.1:{port}/usp");
        command.args(["--controller", &url]);
        command.args(options(&certs, GOOD, tls));
        let good = Program::start(&mut command, folder.join("agent.log"));
        let api = Api::new(&server, folder);
        eventually("the good Agent is on board", || {
            api.device(GOOD, "get").ok()
        });
        Self {
            server,
            api,
            folder: folder.to_owned(),
            tls,
            runtime: Runtime::new().unwrap(),
            _good: good,
        }
    }

    /// Lets a crowd come, each from one of many addresses.
    fn besiege<F: Future<Output = ()> + Send + 'static>(
        &self,
        each: impl Fn(SocketAddr, SocketAddr) -> F + Send + 'static,
    ) {
        let door = SocketAddr::from((Ipv4Addr::LOCALHOST, self.server.port));
        self.runtime.spawn(async move {
            for number in 0..CROWD {
                let host = u8::try_from(number % SOURCES).unwrap_or_default();
                let source = SocketAddr::from(([127, 0, 1, 1 + host], 0));
                tokio::spawn(each(source, door));
                sleep(STEP).await;
            }
        });
    }

    fn settings(&self) -> Settings {
        let files = || TlsFiles {
            certificate: self.folder.join("certs/self__newcomer.pem"),
            key: self.folder.join("certs/self__newcomer.key"),
            authorities: self.folder.join("certs/ca.pem"),
        };
        Settings {
            tls: self
                .tls
                .then(|| ControllerTls::open(files()).unwrap().tls()),
            peer_id: Some(id(SERVER)),
            ..Settings::new(id(NEWCOMER))
        }
    }

    fn target(&self) -> Target {
        let scheme = if self.tls { "wss" } else { "ws" };
        let url = format!("{scheme}://127.0.0.1:{}/usp", self.server.port);
        url.parse().unwrap()
    }

    /// Somebody who behaves is let in promptly; who is told to come back does so soon.
    #[track_caller]
    fn lets_in(&self, context: &str) -> Duration {
        let (target, settings) = (self.target(), self.settings());
        let began = Instant::now();
        let link: Link = self.runtime.block_on(async {
            loop {
                match dial(&target, &settings).await {
                    Ok(link) => return link,
                    Err(DialError::Refused { status: 503, .. }) => {
                        sleep(Duration::from_millis(50)).await;
                    }
                    Err(error) => panic!("{context}: {error}"),
                }
                assert!(began.elapsed() < PROMPT, "{context}: nobody is let in");
            }
        });
        drop(link);
        let took = began.elapsed();
        assert!(took < PROMPT, "{context}: a newcomer waited {took:?}");
        took
    }

    /// For some seconds those who behave are served, old and new.
    #[track_caller]
    fn stands(&self, context: &str, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds);
        let (mut asked, mut let_in) = (Vec::new(), Vec::new());
        while Instant::now() < until {
            let began = Instant::now();
            is_asked(&self.api, GOOD, context);
            asked.push(began.elapsed());
            let_in.push(self.lets_in(context));
            std::thread::sleep(Duration::from_millis(100));
        }
        asked.sort_unstable();
        let_in.sort_unstable();
        println!(
            "{context}: a device was asked {} times, median {:?}, worst {:?}; newcomers waited {:?}, worst {:?}",
            asked.len(),
            asked[asked.len() / 2],
            asked[asked.len() - 1],
            let_in[let_in.len() / 2],
            let_in[let_in.len() - 1],
        );
        self.server.is_sound(context);
    }
}

fn options(certs: &Path, endpoint: &str, tls: bool) -> Vec<String> {
    if !tls {
        return Vec::new();
    }
    let own = endpoint.replace(':', "_");
    let named = [
        ("--tls-cert", format!("{own}.pem")),
        ("--tls-key", format!("{own}.key")),
        ("--tls-ca", "ca.pem".to_owned()),
    ];
    let named = named.into_iter();
    named
        .flat_map(|(name, file)| [name.to_owned(), certs.join(file).display().to_string()])
        .collect()
}

async fn connect(source: SocketAddr, door: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(source)?;
    socket.connect(door).await
}

/// Says `first`, then one byte per second, until it is cut.
async fn dribble(source: SocketAddr, door: SocketAddr, first: Vec<u8>) {
    let Ok(mut stream) = connect(source, door).await else {
        return;
    };
    let mut said = stream.write_all(&first).await;
    while said.is_ok() {
        sleep(Duration::from_secs(1)).await;
        said = stream.write_all(b"x").await;
    }
}

#[test]
fn requests_that_never_end_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let fortress = Fortress::new(folder.path(), false, "");
    fortress.besiege(|source, door| dribble(source, door, b"GET /usp HTTP/1.1\r\nX: ".to_vec()));
    fortress.stands("slow requests", 10);
}

#[test]
fn heads_that_are_too_large_keep_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let fortress = Fortress::new(folder.path(), false, "");
    fortress.besiege(|source, door| async move {
        let head = format!("GET /usp HTTP/1.1\r\n{}", "X: y\r\n".repeat(16 << 10));
        if let Ok(mut stream) = connect(source, door).await {
            // It is refused before it has been read.
            let _ = stream.write_all(head.as_bytes()).await;
            let mut answer = [0; 64];
            let _ = stream.read(&mut answer).await;
        }
    });
    fortress.stands("heads of 96 KiB", 6);
}

/// Handshakes of TLS that stop where the client would prove who it is: the server has computed by then.
#[test]
fn half_of_a_tls_handshake_by_the_thousand_keeps_nobody_out() {
    let folder = tempfile::tempdir().unwrap();
    let fortress = Fortress::new(folder.path(), true, "");
    let hello = fortress.runtime.block_on(client_hello(fortress.settings()));
    fortress.besiege(move |source, door| {
        let hello = hello.clone();
        async move {
            if let Ok(mut stream) = connect(source, door).await
                && stream.write_all(&hello).await.is_ok()
            {
                let mut answer = vec![0; 4096];
                while stream.read(&mut answer).await.is_ok_and(|read| read > 0) {}
            }
        }
    });
    fortress.stands("half-open TLS", 10);
}

/// What a client says first.
async fn client_hello(settings: Settings) -> Vec<u8> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("wss://{}/usp", listener.local_addr().unwrap());
    let dialling = tokio::spawn(async move { dial(&url.parse().unwrap(), &settings).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut hello = vec![0; 16 << 10];
    let length = stream.read(&mut hello).await.unwrap();
    dialling.abort();
    hello.truncate(length);
    hello
}

/// Links that begin a Record and go on at one byte per second: they are cut, and hold little until then.
#[test]
fn links_that_say_a_byte_per_second_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let fortress = Fortress::new(folder.path(), false, "ping_seconds = 1\npong_seconds = 2");
    fortress.besiege(|source, door| async move {
        let name = format!("self::slow-{}", source.ip());
        let request = format!(
            "GET /usp?eid={name} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: v1.usp\r\n\r\n"
        );
        // A frame of a megabyte, of which nothing comes.
        let announced = [0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0];
        dribble(source, door, [request.as_bytes(), &announced].concat()).await;
    });
    fortress.stands("a byte per second", 10);
    // Nobody sits there any more.
    let connections = || {
        let (_, answer) = fortress.api.request("GET", "/api/v1/server", "");
        answer.contains("\"online\":1").then_some(())
    };
    eventually("only the good Agent is online", connections);
}

/// One device tells so much that its link fills; what others tell is taken as ever.
#[test]
fn a_device_that_floods_fills_its_own_link_only() {
    let folder = tempfile::tempdir().unwrap();
    let fortress = Fortress::new(folder.path(), false, "");
    let port = fortress.server.port;
    let floods: Vec<_> = (0..8)
        .map(|number| {
            let name = format!("{BAD}-{number}");
            let mut raw = Raw::open(port, &name);
            let stream = raw.stream.try_clone().unwrap();
            let flood = std::thread::spawn(move || {
                let connect = Record::websocket_connect(&id(SERVER), &id(&name));
                raw.send(BINARY, &connect.to_bytes());
                (0_u32..)
                    .take_while(|number| raw.send(BINARY, &told(&name, *number).to_bytes()))
                    .count()
            });
            (stream, flood)
        })
        .collect();
    let began = Instant::now();
    let mut modest = Raw::open(port, "self::modest");
    let connect = Record::websocket_connect(&id(SERVER), &id("self::modest"));
    assert!(modest.send(BINARY, &connect.to_bytes()));
    for number in 0..20 {
        let asked = Instant::now();
        let notify = told("self::modest", number);
        assert!(modest.send(BINARY, &notify.to_bytes()));
        let msg_id = number.to_string();
        while modest.message().msg_id() != msg_id {}
        let took = asked.elapsed();
        assert!(took < PROMPT, "a notification was answered after {took:?}");
        is_asked(&fortress.api, GOOD, "a flood of notifications");
        std::thread::sleep(Duration::from_millis(100));
    }
    let kept = events(&fortress.api, &format!("{BAD}-0"));
    let seconds = began.elapsed().as_secs() + 1;
    for (stream, flood) in floods {
        stream.shutdown(std::net::Shutdown::Both).unwrap();
        let sent = flood.join().unwrap();
        println!("{sent} notifications were sent");
        assert!(sent > 500, "{sent}");
    }
    println!("{kept} of one device were kept in {seconds} s");
    assert!(kept < 300 + 200 * seconds, "{kept} in {seconds} s");
    assert!(kept > 256, "{kept}");
    fortress.server.is_sound("a flood of notifications");
}

fn told(agent: &str, number: u32) -> Record {
    let change = ValueChange {
        param_path: "Device.DeviceInfo.UpTime".into(),
        param_value: number.to_string(),
    };
    let notify = Notify {
        subscription_id: "flood".into(),
        send_resp: true,
        notification: Some(Notification::ValueChange(change)),
    };
    let msg = Msg::request(number.to_string(), notify);
    Record::no_session(&id(SERVER), &id(agent), msg.into_payload())
}

/// How many events of a device there are.
fn events(api: &Api, device: &str) -> u64 {
    let (mut count, mut after) = (0, 0);
    loop {
        let path = format!("/api/v1/devices/{device}/events?limit=1000&after={after}");
        let (_, answer) = api.request("GET", &path, "");
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
        let page: serde_json::Value = serde_json::from_str(body.unwrap_or_default()).unwrap();
        let found = page["events"].as_array().cloned().unwrap_or_default();
        let Some(last) = found.last() else {
            return count;
        };
        count += found.len() as u64;
        after = last["id"].as_i64().unwrap();
    }
}
