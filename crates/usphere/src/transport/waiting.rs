//! A sign of life on stderr while something takes long.

use std::io::{self, IsTerminal};
use std::pin::pin;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::sleep;

use crate::defaults::SPINNER_AFTER;

const SPINNER_STEP: Duration = Duration::from_millis(120);

/// Waits for `work`, and shows what is waited for when it takes long and somebody is looking.
pub(crate) async fn patiently<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if !io::stderr().is_terminal() {
        return work.await;
    }
    tokio::select! {
        done = &mut work => return done,
        () = sleep(SPINNER_AFTER) => {}
    }
    let spinner = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        spinner.set_style(style);
    }
    spinner.set_message(what.to_owned());
    spinner.enable_steady_tick(SPINNER_STEP);
    let done = work.await;
    spinner.finish_and_clear();
    done
}
