//! What a caller of the API waits for: `cargo run --release -p usphere-server --example operations [COUNT [FOLDER]]`
//!
//! A server and an Agent in one process, over real sockets, the database in FOLDER (a temporary one unless told
//! otherwise). Prints how long Operations take whose callers wait, one after the other and 32 at a time, and how
//! long it takes until one that nobody waits for is acknowledged.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use usphere_mtp::websocket::{self, Link, LinkEvent, Settings};
use usphere_proto::msg::{
    GetResp, GetSupportedProtocolResp, MsgBody, Request, RequestType, ResponseType, SetResp,
    SetSuccess, UpdatedObjectResult,
};
use usphere_proto::{EndpointId, Limits, Msg, Record};
use usphere_server::{Config, Server};

type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const AGENT: &str = "self::measured";

/// Callers at the same time.
const TOGETHER: usize = 32;

const GET: &str = r#"{"paths":["Device.DeviceInfo.SerialNumber"]}"#;
const SET: &str = r#"{"objects":[{"path":"Device.A.","parameters":[{"name":"B","value":"1"}]}]}"#;

#[tokio::main]
async fn main() -> Done {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().map_or(Ok(2000), |count| count.parse())?;
    let temporary = tempfile::tempdir()?;
    let folder = arguments
        .next()
        .map_or(temporary.path().to_owned(), PathBuf::from);
    let server = Server::start(Config {
        api: ([127, 0, 0, 1], 0).into(),
        ws: ([127, 0, 0, 1], 0).into(),
        ..Config::new(folder)
    })
    .await?;
    let us = EndpointId::parse(AGENT)?;
    let controller = server.endpoint_id().clone();
    let link = websocket::dial(&server.ws_url().parse()?, &Settings::new(us.clone())).await?;
    link.sender
        .try_send(&Record::websocket_connect(&controller, &us))?;
    tokio::spawn(serve(link, us, controller));
    let (api, token) = (server.api_addr(), server.token().to_owned());
    let mut client = Client::connect(api, &token).await?;
    while client.post("get", GET).await? != 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (name, path, body) in [
        ("get, waited for", "get", GET),
        ("set, waited for", "set", SET),
        ("get, not waited for", "get?wait=false", GET),
        ("set, not waited for", "set?wait=false", SET),
    ] {
        let mut times = Vec::new();
        let began = Instant::now();
        for _ in 0..count {
            times.push(client.timed(path, body).await?);
        }
        tell(name, 1, times, began.elapsed());
    }
    for (name, path, body) in [
        ("get, waited for", "get", GET),
        ("set, waited for", "set", SET),
    ] {
        let began = Instant::now();
        let mut callers = JoinSet::new();
        for _ in 0..TOGETHER {
            let token = token.clone();
            callers.spawn(async move {
                let mut client = Client::connect(api, &token).await?;
                let mut times = Vec::new();
                for _ in 0..count / TOGETHER {
                    times.push(client.timed(path, body).await?);
                }
                Done::Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(caller) = callers.join_next().await {
            times.extend(caller??);
        }
        tell(name, TOGETHER, times, began.elapsed());
    }
    server.shutdown().await;
    Ok(())
}

fn tell(name: &str, together: usize, mut times: Vec<Duration>, all: Duration) {
    times.sort_unstable();
    let at = |share: usize| {
        times
            .get(times.len() * share / 100)
            .copied()
            .unwrap_or_default()
    };
    let rate = times.len() as f64 / all.as_secs_f64();
    println!(
        "{name:22} {together:3} at a time: median {:?}, p99 {:?}, {rate:.0}/s",
        at(50),
        at(99)
    );
}

/// One connection to the API.
struct Client {
    stream: TcpStream,
    token: String,
    read: Vec<u8>,
}

impl Client {
    async fn connect(api: SocketAddr, token: &str) -> Done<Self> {
        let stream = TcpStream::connect(api).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            token: token.to_owned(),
            read: Vec::new(),
        })
    }

    async fn timed(&mut self, path: &str, body: &str) -> Done<Duration> {
        loop {
            let began = Instant::now();
            match self.post(path, body).await? {
                200 | 202 => return Ok(began.elapsed()),
                // The queue of the device is full.
                429 => tokio::time::sleep(Duration::from_millis(5)).await,
                status => return Err(format!("{path}: status {status}").into()),
            }
        }
    }

    /// The status.
    async fn post(&mut self, path: &str, body: &str) -> Done<u16> {
        let (token, length) = (&self.token, body.len());
        let request = format!(
            "POST /api/v1/devices/{AGENT}/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err("the server closed the connection".into());
            }
            let text = std::str::from_utf8(&self.read)?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let mut lines = head.lines();
            let length = lines.find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.ok_or("no length")?.parse()? {
                return Ok(head.split(' ').nth(1).ok_or("no status")?.parse()?);
            }
        }
    }
}

/// The Agent.
async fn serve(mut link: Link, us: EndpointId, controller: EndpointId) -> Done {
    while let Some(LinkEvent::Record(record, _)) = link.receiver.recv().await {
        let Some(payload) = record.payload() else {
            continue;
        };
        let msg =
            Msg::receive(payload.clone(), &Limits::DEFAULT).map_err(|error| error.to_string())?;
        let msg_id = msg.msg_id().to_owned();
        let Some(MsgBody::Request(Request {
            req_type: Some(request),
        })) = msg.into_content()
        else {
            continue;
        };
        let response: ResponseType = match request {
            RequestType::Set(set) => {
                let objects = set.update_objs.into_iter();
                let results = objects.map(|object| {
                    UpdatedObjectResult::success(object.obj_path, SetSuccess::default())
                });
                let updated_obj_results = results.collect();
                SetResp {
                    updated_obj_results,
                }
                .into()
            }
            RequestType::GetSupportedProtocol(_) => {
                let agent_supported_protocol_versions = "1.4".into();
                GetSupportedProtocolResp {
                    agent_supported_protocol_versions,
                }
                .into()
            }
            _ => GetResp::default().into(),
        };
        let answer = Msg::response(msg_id, response).into_payload();
        link.sender
            .try_send(&Record::no_session(&controller, &us, answer))?;
    }
    Ok(())
}
