//! What the server does not notice by itself: that nobody waits for an answer any more. When
//! the program is told to end while a statement runs, another connection ends that statement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::connected;
use crate::signals::{AtEnd, at_end};
use crate::store::DatabasePlace;

/// How long the end may wait for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether a connection has a statement that runs, which ends with the program.
pub(super) struct Running {
    is_running: Arc<AtomicBool>,
    _at_end: AtEnd,
}

impl Running {
    /// Of the connection with this number.
    pub(super) fn new(place: &DatabasePlace, connection: u32) -> Self {
        let is_running = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&is_running);
        let mut place = place.clone();
        place.connect_timeout = place.connect_timeout.min(PATIENCE);
        Self {
            is_running,
            _at_end: at_end(move || {
                if seen.load(Relaxed)
                    && let Ok((mut client, _)) = connected(&place)
                {
                    let _ = client.wait_for(PATIENCE);
                    let _ = client.run(&format!("KILL QUERY {connection}"));
                }
            }),
        }
    }

    pub(super) fn during<T>(&self, ask: impl FnOnce() -> T) -> T {
        self.is_running.store(true, Relaxed);
        let answer = ask();
        self.is_running.store(false, Relaxed);
        answer
    }
}
