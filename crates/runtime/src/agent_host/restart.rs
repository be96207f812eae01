//! Starting the Agent anew, after Reboot() or FactoryReset().
//!
//! The engine is dropped and made again of what the store has; owners, clock and identity stay. The host
//! itself starts anew only where a command for that is configured.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio::task::spawn_blocking;
use tracing::{info, warn};
use usphere_agent::{Agent, RestartAction, reset_store};
use usphere_datamodel::Entry;

use super::{AgentHost, AgentHostError, Committer, Event, Links, system, tell};
use crate::agent_store::AgentStore;

/// How long the host may take to go down before the Agent goes on without it.
const HOST_PATIENCE: Duration = Duration::from_secs(300);

/// The commands, with their arguments, that act on the whole host. Where there is none, only the Agent
/// starts anew.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostCommands {
    /// After Reboot().
    pub reboot: Vec<String>,
    /// After FactoryReset().
    pub factory_reset: Vec<String>,
}

impl HostCommands {
    fn of(&self, action: RestartAction) -> &[String] {
        match action {
            RestartAction::FactoryReset => &self.factory_reset,
            RestartAction::Reboot => &self.reboot,
        }
    }
}

impl AgentHost {
    /// Ends the engine, lets the host start anew if it is to, and otherwise makes another engine.
    ///
    /// # Errors
    /// When the store cannot be opened again.
    pub(super) async fn restart(&mut self, action: RestartAction) -> Result<(), AgentHostError> {
        info!("starting anew: {action:?}");
        self.say_goodbye().await;
        self.owners.begin_anew();
        self.committer.close();
        self.restart_host(action).await;
        while self.events.try_recv().is_ok() {
            // What was said to the engine that is gone.
        }
        self.links = Links::default();
        let (committer, entries) = open_store(&self.store, &self.post)?;
        self.committer = committer;
        self.lives += 1;
        let now = self.now();
        self.engine = Agent::new(
            self.config.clone(),
            self.schema.clone(),
            entries,
            self.seed.wrapping_add(self.lives),
            now,
        );
        self.clock.forget();
        self.drain();
        Ok(())
    }

    /// Runs the command that is configured for `action`, and waits for the host to go down. What goes
    /// wrong with it is for the log; the Agent goes on.
    async fn restart_host(&self, action: RestartAction) {
        let Some((program, arguments)) = self.host_commands.of(action).split_first() else {
            return;
        };
        let mut command = Command::new(program);
        command.args(arguments);
        let ended = spawn_blocking(move || command.status()).await;
        match ended {
            Ok(Ok(status)) if status.success() => {
                info!("{program} has ended, waiting for the host to go down");
                tokio::time::sleep(HOST_PATIENCE).await;
                warn!("the host has not gone down; the Agent goes on");
            }
            Ok(Ok(status)) => warn!("{program} failed ({status}); only the Agent starts anew"),
            Ok(Err(error)) => {
                warn!("{program} cannot be run ({error}); only the Agent starts anew")
            }
            Err(_) => warn!("{program} broke off; only the Agent starts anew"),
        }
    }
}

/// Opens the store of the Agent, emptied where a factory reset is due.
///
/// # Errors
/// When it cannot be opened, or not be emptied.
pub(super) fn open_store(
    path: &Path,
    post: &UnboundedSender<Event>,
) -> Result<(Committer, Vec<Entry>), AgentHostError> {
    let opened = AgentStore::open(path)?;
    if let Some(notice) = opened.notice {
        warn!("{notice}");
    }
    let (mut store, mut entries) = (opened.store, opened.entries);
    let removed = reset_store(&mut entries);
    if !removed.is_empty() {
        store.commit(&[(0, removed)])?;
        info!("factory reset: everything that was stored is gone");
    }
    let answers = post.clone();
    let committer = Committer::spawn(store, move |answer| tell(&answers, Event::Commit(answer)));
    let committer =
        committer.map_err(|source| system("starting the thread of the store", source))?;
    Ok((committer, entries))
}
