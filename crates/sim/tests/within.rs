//! A fleet within the process of its server, without a socket.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use usphere_agent::Target;
use usphere_datamodel::operation::{Get, Operation, Outcome};
use usphere_server::{Config, Server};
use usphere_sim::{Fleet, Plan, Rates, Way};

const PATIENCE: Duration = Duration::from_secs(30);

/// They come on board, answer, come back after their links were lost, and say goodbye.
#[tokio::test]
async fn a_fleet_lives_within_the_process_of_its_server() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(Config {
        api: ([127, 0, 0, 1], 0).into(),
        ws: ([127, 0, 0, 1], 0).into(),
        ..Config::new(data.path())
    })
    .await
    .unwrap();
    let handle = server.controller().handle().clone();
    let target = Target {
        host: "within".to_owned(),
        port: 80,
        path: "/usp".to_owned(),
        encryption: false,
    };
    let plan = Plan {
        starts_per_second: 0.0,
        rates: Rates {
            link_losses_per_hour: 3_600.0 / 5.0,
            ..Rates::default()
        },
        ..Plan::new(50, server.endpoint_id().clone(), target)
    };
    let way = Way::Within(server.controller().dialler());
    let fleet = Fleet::start(plan, way).unwrap();
    until(|| handle.arrivals() > 55 && fleet.counts().losses > 5).await;

    let agent = fleet.kit().endpoint_id(7).unwrap();
    until(|| handle.is_online(&agent)).await;
    let get = Operation::Get(Get::all(["Device.DeviceInfo.SerialNumber"]));
    let outcome = handle.request(&agent, get, PATIENCE).await;
    assert!(matches!(outcome, Ok(Outcome::Get(_))), "{outcome:?}");

    let counts = fleet.stop().await;
    assert_eq!((counts.errors, counts.refused), (0, 0), "{counts:?}");
    until(|| handle.online_count() == 0).await;
    server.shutdown().await;
}

async fn until(wanted: impl Fn() -> bool) {
    let waiting = async {
        while !wanted() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap();
}
