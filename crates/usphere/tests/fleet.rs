//! The short form of `cargo xtask bench fleet`: the programs that a user starts, with few devices.

#[path = "../examples/fleet/measured/mod.rs"]
mod measured;

use std::path::Path;
use std::process::Command;

use measured::{Done, Folder, aboard, everyone, fleet, search};

const DEVICES: u32 = 150;

/// A fleet comes on board, answers to the last, and is back after the server was started anew.
#[tokio::test]
async fn a_fleet_comes_on_board_answers_and_comes_back() -> Done {
    let binary = Path::new(env!("CARGO_BIN_EXE_usphere"));
    let folder = Folder::new(DEVICES, false)?;
    let mut server = folder.server(binary)?;
    let api = folder.api(&server).await?;
    let simulator = folder.simulator(binary, 100)?;
    let mut simulators = [simulator, folder.witness(binary)?];
    aboard("cold start", &api, &mut server, &mut simulators, DEVICES).await?;
    everyone("a Get to all", &api, &server, DEVICES).await?;
    server.terminate().await?;
    let mut server = folder.server(binary)?;
    let api = folder.api(&server).await?;
    aboard("restart", &api, &mut server, &mut simulators, DEVICES).await?;
    everyone("a Get to all", &api, &server, DEVICES).await?;
    server.terminate().await?;
    for mut simulator in simulators {
        let summary = simulator.summary().await?;
        assert!(summary.contains("\"errors\": 0"), "{summary}");
    }
    Ok(())
}

/// The same within one process, without a socket between devices and server.
#[tokio::test]
async fn a_fleet_within_the_process_of_its_server_answers() -> Done {
    let binary = Path::new(env!("CARGO_BIN_EXE_usphere"));
    let folder = Folder::new(DEVICES, false)?;
    let mut house = folder.within(binary, 100)?;
    let api = folder.api(&house).await?;
    aboard("within", &api, &mut house, &mut [], DEVICES).await?;
    fleet("a Get to all in one", &api, &house, DEVICES).await?;
    let wanted = "Device.DeviceInfo.SerialNumber";
    let ran = Command::new(binary)
        .args(["get", "--all", wanted])
        .args(["--server", &format!("http://{}", api.address)])
        .args(["--token", &api.token])
        .output()?;
    let (out, err) = (
        String::from_utf8(ran.stdout)?,
        String::from_utf8(ran.stderr)?,
    );
    assert!(ran.status.success(), "{out}{err}");
    let mut lines: Vec<_> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), DEVICES as usize, "{out}");
    assert_eq!(
        lines[0],
        format!("os::012345-SIM000001  {wanted}  SIM000001")
    );
    assert!(err.contains(&format!("{DEVICES} answered")), "{err}");
    let summary = house.summary().await?;
    assert!(summary.contains("\"errors\": 0"), "{summary}");
    Ok(())
}

/// What one looks for among devices that are known and away is found.
#[tokio::test]
async fn devices_are_looked_for() -> Done {
    let folder = Folder::new(DEVICES, false)?;
    folder.fill()?;
    let server = folder.server(Path::new(env!("CARGO_BIN_EXE_usphere")))?;
    search(&folder.api(&server).await?).await
}
