//! Devices that mean ill: bytes of a WebSocket, floods of notifications, and answers of a megabyte.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;
use usphere_mtp::websocket::{LinkEvent, Settings, Target, dial};
use usphere_proto::msg::{
    GetResp, MsgBody, Notification, Notify, Request, RequestType, RequestedPathResult,
    ResolvedPathResult, ValueChange,
};
use usphere_proto::{EndpointId, Limits, Msg, Record};

use super::crowd::{Member, Tally};
use super::measured::{Done, SERVER};

/// Notifications that are written together.
const TOGETHER: u32 = 16;

/// Objects of a large answer, and parameters of each: 1.4 MB.
const OBJECTS: usize = 2_000;
const PARAMETERS: usize = 10;

/// What is asked where the answer is large.
pub(crate) const LARGE: &str = "Device.X_Large.";

/// What the names of those who answer so begin with.
pub(crate) const LARGE_NAME: &str = "self::large-";

/// The request that opens a WebSocket.
pub(crate) fn upgrade(name: &str) -> Vec<u8> {
    format!(
        "GET /usp?eid={name} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: v1.usp\r\n\r\n"
    )
    .into_bytes()
}

/// The head of a frame of so many bytes. A mask of zeros leaves them as they are.
pub(crate) fn head(length: u64) -> Vec<u8> {
    let mut head = vec![0x82];
    match length {
        0..126 => head.push(0x80 | length as u8),
        126..0x1_0000 => {
            head.push(0x80 | 126);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend(length.to_be_bytes());
        }
    }
    head.extend([0; 4]);
    head
}

fn frame(record: &Record) -> Vec<u8> {
    let bytes = record.to_bytes();
    [head(bytes.len() as u64), bytes.to_vec()].concat()
}

/// Tells as much as is taken, with a pause after each few, for ever.
pub(crate) async fn flood(
    member: Member,
    name: String,
    door: SocketAddr,
    tally: Arc<Tally>,
    pause: Duration,
) -> Done {
    let stream = member.connect(door).await?;
    tally.opened.fetch_add(1, Ordering::Relaxed);
    let told = tell(stream, &name, &tally, pause).await;
    tally.ended.fetch_add(1, Ordering::Relaxed);
    told
}

async fn tell(mut stream: TcpStream, name: &str, tally: &Tally, pause: Duration) -> Done {
    let (us, them) = (EndpointId::parse(name)?, EndpointId::parse(SERVER)?);
    stream.write_all(&upgrade(name)).await?;
    let (mut reading, mut writing) = stream.into_split();
    // What is answered is read, so that more is taken.
    tokio::spawn(async move {
        let mut answers = vec![0; 64 << 10];
        while reading.read(&mut answers).await.is_ok_and(|read| read > 0) {}
    });
    let connect = Record::websocket_connect(&them, &us);
    writing.write_all(&frame(&connect)).await?;
    let mut number = 0_u32;
    loop {
        let mut frames = Vec::new();
        for _ in 0..TOGETHER {
            number += 1;
            let change = ValueChange {
                param_path: "Device.DeviceInfo.UpTime".into(),
                param_value: number.to_string(),
            };
            let notify = Notify {
                subscription_id: "flood".into(),
                send_resp: true,
                notification: Some(Notification::ValueChange(change)),
            };
            let msg = Msg::request(format!("{name}-{number}"), notify);
            frames.extend(frame(&Record::no_session(&them, &us, msg.into_payload())));
        }
        writing.write_all(&frames).await?;
        tally.sent.fetch_add(TOGETHER.into(), Ordering::Relaxed);
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
}

/// A device that has much to say where it is asked for it, for ever.
pub(crate) async fn large(number: usize, door: SocketAddr, tally: Arc<Tally>) -> Done {
    let (us, them) = (
        EndpointId::parse(&format!("{LARGE_NAME}{number}"))?,
        EndpointId::parse(SERVER)?,
    );
    let target: Target = format!("ws://{door}/usp").parse()?;
    let settings = Settings::new(us.clone());
    let mut link = dial(&target, &settings).await?;
    tally.opened.fetch_add(1, Ordering::Relaxed);
    link.sender
        .try_send(&Record::websocket_connect(&them, &us))?;
    while let Some(event) = link.receiver.recv().await {
        let LinkEvent::Record(record, _) = event else {
            continue;
        };
        let Some(payload) = record.payload() else {
            continue;
        };
        let msg = Msg::decode_bounded(payload.clone(), &Limits::DEFAULT)?;
        let msg_id = msg.msg_id().to_owned();
        let Some(MsgBody::Request(Request {
            req_type: Some(request),
        })) = msg.into_content()
        else {
            continue;
        };
        let answer = match request {
            RequestType::Get(get) if get.param_paths == [LARGE] => {
                tally.answered.fetch_add(1, Ordering::Relaxed);
                Msg::response(msg_id, much())
            }
            _ => Msg::error(msg_id, 7004_u32, "not here", Vec::new()),
        };
        link.sender
            .try_send(&Record::no_session(&them, &us, answer.into_payload()))?;
    }
    tally.ended.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// An answer of 1.4 MB.
fn much() -> GetResp {
    let object = |number: usize| {
        let parameter = |each: usize| {
            let name = format!("ParameterOfSomeLength{each}");
            (name, "a value of some thirty characters".to_owned())
        };
        ResolvedPathResult {
            resolved_path: format!("{LARGE}Row.{}.", number + 1),
            result_params: (0..PARAMETERS).map(parameter).collect::<BTreeMap<_, _>>(),
        }
    };
    GetResp {
        req_path_results: vec![RequestedPathResult {
            requested_path: LARGE.into(),
            resolved_path_results: (0..OBJECTS).map(object).collect(),
            ..RequestedPathResult::default()
        }],
    }
}
