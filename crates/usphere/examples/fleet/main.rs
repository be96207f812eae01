//! A fleet of simulated Agents over real WebSockets, beside its server: how long all of them take to come
//! on board, what each costs, and what others notice of it.
//!
//!     cargo xtask bench fleet --count 15000
//!
//! The server and the simulator are the programs that a user starts. Told are: the time of a cold start and
//! after a restart of the server, resident memory per idle Agent, how long the API takes to answer all the
//! while, and how long a Get takes that goes to every device. Nothing fails because a machine is slow; it
//! does when devices stay away or do not answer.

mod measured;

use std::time::{Duration, Instant};

use measured::{Cost, Done, Folder, aboard, everyone, fleet};

/// Descriptors that the server needs beside its links.
const BESIDE: u64 = 512;

/// Longer than what an arrival leaves behind takes to go.
const QUIET: Duration = Duration::from_secs(10);

/// For how long an idle fleet is watched.
const IDLE: Duration = Duration::from_secs(20);

struct Options {
    count: u32,
    binary: std::path::PathBuf,
    /// How many devices begin per second.
    rate: u32,
    tls: bool,
    /// Server and devices in one process, without sockets between them.
    within: bool,
    /// A server that knows the devices, and none of them: how long one looks for one.
    search: bool,
}

impl Options {
    fn read() -> Done<Self> {
        let mut options = Self {
            count: 15_000,
            binary: std::env::current_exe()?.with_file_name("../usphere"),
            rate: 1_000,
            tls: false,
            within: false,
            search: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            if name == "--tls" {
                options.tls = true;
                continue;
            }
            if name == "--within" {
                options.within = true;
                continue;
            }
            if name == "--search" {
                options.search = true;
                continue;
            }
            let value = arguments
                .next()
                .ok_or_else(|| format!("{name}: no value"))?;
            match name.as_str() {
                "--count" => options.count = value.parse()?,
                "--binary" => options.binary = value.into(),
                "--rate" => options.rate = value.parse()?,
                _ => {
                    return Err(format!(
                        "{name}: not known; --count N, --rate N, --tls, --within, --search"
                    )
                    .into());
                }
            }
        }
        Ok(options)
    }
}

#[tokio::main]
async fn main() -> Done {
    let options = Options::read()?;
    if options.search {
        return search(&options).await;
    }
    if options.within {
        return within(&options).await;
    }
    let allowed = usphere_runtime::descriptors::raise(u64::from(options.count) + BESIDE);
    let count = options.count;
    if u64::from(count) + BESIDE > allowed {
        return Err(format!(
            "{count} devices need {} descriptors in the server, and a process here may have {allowed}; --count {} fits",
            u64::from(count) + BESIDE,
            allowed.saturating_sub(BESIDE)
        )
        .into());
    }
    println!("{count} devices; a process may have {allowed} open files");
    let folder = Folder::new(count, options.tls)?;
    let mut server = folder.server(&options.binary)?;
    let api = folder.api(&server).await?;
    tokio::time::sleep(QUIET / 5).await;
    let empty = server.cost()?;
    println!(
        "server without devices: {} KiB resident",
        empty.resident_kib
    );

    let witness = folder.witness(&options.binary)?;
    let simulator = folder.simulator(&options.binary, options.rate)?;
    let mut simulators = [simulator, witness];
    aboard("cold start", &api, &mut server, &mut simulators, count).await?;

    tokio::time::sleep(QUIET).await;
    let idle = server.cost()?;
    let each = (idle.resident_kib - empty.resident_kib) as f64 / f64::from(count);
    let simulated = simulators[0].cost()?.resident_kib as f64 / f64::from(count);
    println!(
        "idle: server {} KiB resident, {each:.2} KiB for each device; the simulator {simulated:.2} KiB for each",
        idle.resident_kib
    );
    let began = Instant::now();
    tokio::time::sleep(IDLE).await;
    println!(
        "idle: {}",
        Cost::between(&idle, &server.cost()?, began.elapsed())
    );

    fleet("Get from the fleet", &api, &server, count + 1).await?;
    fleet("the same again", &api, &server, count + 1).await?;
    everyone("Get from each device", &api, &server, count).await?;

    let began = Instant::now();
    server.terminate().await?;
    println!(
        "restart: the server ended after {:.1} s",
        began.elapsed().as_secs_f64()
    );
    let mut server = folder.server(&options.binary)?;
    let api = folder.api(&server).await?;
    aboard("restart", &api, &mut server, &mut simulators, count).await?;
    tokio::time::sleep(QUIET).await;
    let idle = server.cost()?;
    println!(
        "idle after the restart: server {} KiB resident, {:.2} KiB for each device",
        idle.resident_kib,
        (idle.resident_kib - empty.resident_kib) as f64 / f64::from(count)
    );
    fleet("Get after the restart", &api, &server, count + 1).await?;
    println!("simulator: {}", simulators[0].summary().await?);
    server.terminate().await?;
    Ok(())
}

/// The inventory alone.
async fn search(options: &Options) -> Done {
    let folder = Folder::new(options.count, false)?;
    let began = Instant::now();
    folder.fill()?;
    println!(
        "{} devices written in {:.1} s",
        options.count,
        began.elapsed().as_secs_f64()
    );
    let began = Instant::now();
    let mut server = folder.server(&options.binary)?;
    let api = folder.api(&server).await?;
    println!("started in {:.2} s", began.elapsed().as_secs_f64());
    measured::search(&api).await?;
    server.terminate().await
}

/// As many as fit into the memory: nothing but that limits them.
async fn within(options: &Options) -> Done {
    let count = options.count;
    let folder = Folder::new(count, false)?;
    let mut house = folder.within(&options.binary, options.rate)?;
    let api = folder.api(&house).await?;
    aboard("within one process", &api, &mut house, &mut [], count).await?;
    tokio::time::sleep(QUIET).await;
    let idle = house.cost()?;
    println!(
        "idle: {} MiB resident, {:.2} KiB for each device with its end of the server",
        idle.resident_kib >> 10,
        idle.resident_kib as f64 / f64::from(count)
    );
    fleet("Get from the fleet", &api, &house, count).await?;
    fleet("the same again", &api, &house, count).await?;
    println!("{}", house.summary().await?);
    Ok(())
}
