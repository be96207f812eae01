//! Who carries an Operation out: the server, or a Controller of our own.

pub(crate) mod access;
pub(crate) mod api;
mod connection;
mod direct;
pub(crate) mod feed;
pub(crate) mod log;
mod stream;
mod waiting;

use std::time::Duration;

use usphere_datamodel::operation::{Operation, OperationError, Outcome};

use crate::cli::reach::Way;
use crate::failure::Failure;

use self::api::{Api, Asking};
use self::direct::Direct;
use self::feed::Feed;

pub(crate) use self::waiting::patiently;

/// A way to one device, open.
pub(crate) enum Transport {
    /// We are its Controller.
    Direct(Box<Direct>),
    /// A server is, and this is its device.
    Server {
        api: Box<Api>,
        device: String,
        /// Whether the device is to be asked itself.
        fresh: bool,
    },
}

/// Why nothing came of an Operation.
#[derive(Debug)]
pub(crate) enum AskError {
    /// The device, or the way to it.
    Operation(OperationError),
    /// Anything before that.
    Other(Failure),
}

impl Transport {
    /// Opens the way. Each step may take as long as `patience`.
    pub(crate) async fn open(way: Way, patience: Duration) -> Result<Self, Failure> {
        Ok(match way {
            Way::Dial(to) => Self::Direct(Box::new(Direct::dial(to, patience).await?)),
            Way::Listen(at) => Self::Direct(Box::new(Direct::listen(at, patience).await?)),
            Way::Server {
                server,
                device,
                fresh,
            } => Self::Server {
                api: Box::new(Api::connect(&server, patience).await?),
                device,
                fresh,
            },
        })
    }

    /// Has an Operation carried out.
    pub(crate) async fn execute(&mut self, operation: Operation) -> Result<Outcome, AskError> {
        let what = format!("waiting for the answer to {}", operation.kind());
        patiently(&what, async {
            match self {
                Self::Direct(direct) => {
                    direct.execute(operation).await.map_err(AskError::Operation)
                }
                Self::Server { api, device, fresh } => {
                    let asking = if *fresh {
                        Asking::Fresh
                    } else {
                        Asking::Plainly
                    };
                    let carried = api.execute(device, &operation, asking).await?;
                    Ok(carried.outcome)
                }
            }
        })
        .await
    }

    /// What the device says of its own accord, from now on. A device that only listens is dialled again when
    /// its connection is lost.
    pub(crate) async fn follow(&mut self) -> Result<Feed, Failure> {
        match self {
            Self::Direct(direct) => Ok(Feed::Direct(Box::new(direct.follow()))),
            Self::Server { api, device, .. } => Feed::of_server(api.live(device)).await,
        }
    }

    /// The name of the device, as it was given or as it says.
    pub(crate) fn device(&self) -> &str {
        match self {
            Self::Direct(direct) => direct.agent(),
            Self::Server { device, .. } => device,
        }
    }

    /// Says goodbye where that is due.
    pub(crate) async fn close(self) {
        match self {
            Self::Direct(mut direct) => direct.close().await,
            Self::Server { .. } => {}
        }
    }
}
