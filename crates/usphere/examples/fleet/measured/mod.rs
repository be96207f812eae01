//! A fleet that comes on board, answers and comes back, measured from outside.

mod api;
mod process;
mod search;

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use api::Probe;

pub(crate) use api::{Api, Latencies};
pub(crate) use process::{Cost, Folder, Running};
pub(crate) use search::search;

pub(crate) type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Who the server is.
pub(crate) const SERVER: &str = "self::fleet-server";

/// What the devices' names begin with.
const PREFIX: &str = "os::012345-SIM";

/// What the name of the device begins with that has a simulator to itself: how long a Get to it takes is what the
/// server makes others wait, however busy the simulator of the fleet is.
const BESIDE: &str = "os::012345-WITNESS";

/// Its whole name.
const WITNESS: &str = "os::012345-WITNESS000001";

/// How long the fleet may take to come on board at all.
const PATIENCE: Duration = Duration::from_secs(900);

/// Requests of the whole-fleet Get that are on their way at the same time.
const TOGETHER: usize = 128;

/// Waits until all `count` devices are there and the server knows who they are, and tells what others noticed; where
/// the devices have `simulators`, the last is that of the witness.
pub(crate) async fn aboard(
    what: &str,
    api: &Api,
    server: &mut Running,
    simulators: &mut [Running],
    count: u32,
) -> Done {
    let (began, before) = (Instant::now(), server.cost()?);
    let witnesses = u32::from(!simulators.is_empty());
    let probe = Probe::start(api.clone(), count, witnesses > 0);
    let mut connected = None;
    loop {
        let info = api.get("/api/v1/server").await?;
        let online = info["online"].as_u64().unwrap_or_default();
        if online == u64::from(count + witnesses) && connected.is_none() {
            connected = Some(began.elapsed());
        }
        if connected.is_some() && api.described().await? >= count + witnesses {
            break;
        }
        if began.elapsed() > PATIENCE {
            let text = format!("{what}: only {online} of {count} devices came on board");
            return Err(text.into());
        }
        server.lives()?;
        for simulator in &mut *simulators {
            simulator.lives()?;
        }
        sleep(Duration::from_millis(250)).await;
    }
    let took = began.elapsed();
    let latencies = probe.end().await;
    println!(
        "{what}: all {count} connected after {:.1} s, known after {:.1} s; {}",
        connected.unwrap_or(took).as_secs_f64(),
        took.as_secs_f64(),
        Cost::between(&before, &server.cost()?, took)
    );
    latencies.tell();
    Ok(())
}

/// Asks the server to ask every device for its serial number.
pub(crate) async fn fleet(what: &str, api: &Api, server: &Running, count: u32) -> Done {
    let before = server.cost()?;
    let began = Instant::now();
    let body = r#"{"paths":["Device.DeviceInfo.SerialNumber"]}"#;
    let mut client = api.connect().await?;
    let (lines, last) = client.lines("/api/v1/fleet/get", body).await?;
    let took = began.elapsed();
    let summary = &last["summary"];
    if summary["answered"] != count {
        return Err(format!("{what}: {last}").into());
    }
    println!(
        "{what}: {lines} answers in one, after {:.2} s, {:.0}/s, {} ms by the server's own account; {}",
        took.as_secs_f64(),
        f64::from(count) / took.as_secs_f64(),
        summary["milliseconds"],
        Cost::between(&before, &server.cost()?, took)
    );
    Ok(())
}

/// Asks every device for its serial number, each in a request of its own.
pub(crate) async fn everyone(what: &str, api: &Api, server: &Running, count: u32) -> Done {
    let (began, before) = (Instant::now(), server.cost()?);
    let numbers = Arc::new(AtomicU32::new(0));
    let mut asking = JoinSet::new();
    for _ in 0..TOGETHER {
        let (api, numbers) = (api.clone(), Arc::clone(&numbers));
        asking.spawn(async move {
            let mut times = Vec::new();
            let mut client = api.connect().await?;
            loop {
                let number = 1 + numbers.fetch_add(1, Ordering::Relaxed);
                if number > count {
                    return Done::Ok(times);
                }
                let asked = Instant::now();
                let answer = client.serial_number(number).await?;
                let wanted = format!("\"SIM{number:06}\"");
                if !answer.contains(&wanted) {
                    return Err(format!("{wanted} is not in {answer}").into());
                }
                times.push(asked.elapsed());
            }
        });
    }
    let mut times = Vec::new();
    while let Some(asked) = asking.join_next().await {
        times.extend(asked??);
    }
    let took = began.elapsed();
    let latencies = Latencies::of("each", times);
    println!(
        "{what}: {count} answers after {:.2} s, {:.0}/s; {latencies}; {}",
        took.as_secs_f64(),
        f64::from(count) / took.as_secs_f64(),
        Cost::between(&before, &server.cost()?, took)
    );
    Ok(())
}
