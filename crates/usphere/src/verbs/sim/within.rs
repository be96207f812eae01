//! A server in the process of its devices: the same server, with links that are queues instead of sockets.

use std::net::SocketAddr;
use std::path::Path;

use usphere_agent::Target;
use usphere_server::{Config, Server};

use crate::failure::Failure;

/// Starts a server with its data in `folder`, and says where its API is.
pub(super) async fn start(folder: &Path, api: SocketAddr) -> Result<Server, Failure> {
    let server = Server::start(Config {
        api,
        ws: SocketAddr::from(([127, 0, 0, 1], 0)),
        ..Config::new(folder)
    });
    let server = server.await.map_err(Failure::local)?;
    eprintln!(
        "the API is at {}, its token in {}",
        server.api_url(),
        folder.join("token").display()
    );
    Ok(server)
}

/// What devices have for the address of a server in their own process.
pub(super) fn target() -> Target {
    Target {
        host: "within".to_owned(),
        port: 80,
        path: "/usp".to_owned(),
        encryption: false,
    }
}
