//! Tasks that belong together: they end together, and at the latest when nobody has them any more.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Some of the tasks of a server. Dropping it aborts them.
#[derive(Debug, Default)]
pub(crate) struct Tasks(Vec<JoinHandle<()>>);

impl Tasks {
    /// Runs one more.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(task));
    }

    /// Takes in those that run already.
    pub(crate) fn adopt(&mut self, tasks: impl IntoIterator<Item = JoinHandle<()>>) {
        self.0.extend(tasks);
    }

    /// Waits until all have ended by themselves. Whether they did so in time; the others are aborted.
    pub(crate) async fn finish(mut self, patience: Duration) -> bool {
        let all = async {
            for task in &mut self.0 {
                // A panic in a task was told by the runtime already.
                drop(task.await);
            }
        };
        let is_done = timeout(patience, all).await.is_ok();
        self.end().await;
        is_done
    }

    /// Aborts all, and waits until they are gone.
    pub(crate) async fn end(mut self) {
        self.abort();
        for task in &mut self.0 {
            if !task.is_finished() {
                drop(task.await);
            }
        }
    }

    fn abort(&self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.abort();
    }
}
