//! Looking the file through for damage: for a while when it is opened, and beside its use where that does not do.
//!
//! What is found beside its use cannot be mended then. A mark beside the file has the next who opens it look to the
//! end, and salvage.

use std::fs::{self, File};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, InterruptHandle};

use super::Place;
use crate::{Soundness, StoreError};

/// What comes after the name of a file of which is known that it is damaged.
const SUSPECT: &str = ".suspect";

/// How often somebody who looks is told to leave it, until he does.
const NUDGE_INTERVAL: Duration = Duration::from_millis(10);

/// What a look has found.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Look {
    Damaged(String),
    /// Not all was looked at.
    Interrupted,
    Sound,
}

/// Looks the file through, to the end or until it is interrupted.
pub(super) fn look(connection: &Connection) -> rusqlite::Result<Look> {
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match verdict {
        Ok(verdict) if verdict == "ok" => Ok(Look::Sound),
        Ok(verdict) => Ok(Look::Damaged(verdict)),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Ok(Look::Interrupted),
            _ => Err(error),
        },
    }
}

/// Looks the file through for at most so long.
pub(super) fn look_for(connection: &Connection, patience: Duration) -> rusqlite::Result<Look> {
    if patience.is_zero() {
        return Ok(Look::Interrupted);
    }
    let interrupt = connection.get_interrupt_handle();
    thread::scope(|scope| {
        let (done, waiting) = mpsc::channel::<()>();
        scope.spawn(move || {
            if waiting.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        });
        let found = look(connection);
        drop(done);
        found
    })
}

/// A look beside the use of the file. Ends when it is dropped.
pub(super) struct Looking {
    found: Arc<Mutex<Soundness>>,
    under_way: Option<(InterruptHandle, JoinHandle<()>)>,
}

impl Looking {
    /// There is nothing left to look at.
    pub(super) fn done(place: &Place) -> Self {
        drop(fs::remove_file(place.beside(SUSPECT)));
        Self {
            found: Arc::new(Mutex::new(Soundness::Sound)),
            under_way: None,
        }
    }

    /// Looks from now on.
    pub(super) fn begin(place: &Place) -> Result<Self, StoreError> {
        let connection = place.connect()?;
        let interrupt = connection.get_interrupt_handle();
        let found = Arc::new(Mutex::new(Soundness::Unknown));
        let (place, told) = (place.clone(), Arc::clone(&found));
        let looking = thread::Builder::new().name("store-look".to_owned());
        let thread = looking.spawn({
            let place = place.clone();
            move || {
                let soundness = soundness(&place, look(&connection));
                *told.lock().unwrap_or_else(PoisonError::into_inner) = soundness;
            }
        });
        let thread = thread.map_err(|error| place.failed("start a thread", error))?;
        Ok(Self {
            found,
            under_way: Some((interrupt, thread)),
        })
    }

    pub(super) fn found(&self) -> Soundness {
        let found = self.found.lock();
        found.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        if let Some((interrupt, thread)) = self.under_way.take() {
            // One that comes before the look begins is not heard.
            while !thread.is_finished() {
                interrupt.interrupt();
                thread::sleep(NUDGE_INTERVAL);
            }
            let _ = thread.join();
        }
    }
}

/// Whether an earlier look has found damage.
pub(super) fn is_suspect(place: &Place) -> bool {
    place.beside(SUSPECT).exists()
}

/// What the look at a file says of it; damage is remembered for the next who opens it.
fn soundness(place: &Place, look: rusqlite::Result<Look>) -> Soundness {
    let reason = match look {
        Ok(Look::Interrupted) => return Soundness::Unknown,
        Ok(Look::Sound) => return Soundness::Sound,
        Ok(Look::Damaged(reason)) => reason,
        Err(error) => match place.database("read it", &error) {
            StoreError::Damaged { reason, .. } => reason,
            _ => return Soundness::Unknown,
        },
    };
    drop(File::create(place.beside(SUSPECT)));
    Soundness::Damaged(reason)
}
