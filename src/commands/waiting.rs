//! Looking again until something has settled, or the time is up. Programs export their
//! traces after the fact, so that whoever looks at once may find none, or halves.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Context;
use crate::store::StoreError;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Where nobody watches.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long it is worth to wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// At most; nothing for one look.
    pub(super) time: Duration,
    /// Between two looks, at most.
    pub(super) pause: Duration,
}

/// Whether what was not answered now may be answered at the next look.
pub(super) fn may_pass(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<StoreError>();
    error.is_some_and(StoreError::may_pass)
}

/// Looks until what is found has settled, or the time is up, and gives the last look.
/// What is waited for is said once.
pub(super) fn until<T>(
    context: &Context,
    patience: Patience,
    what: &str,
    mut look: impl FnMut() -> Result<T>,
    settled: impl Fn(&Result<T>) -> bool,
) -> Result<T> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut waits = false;
    loop {
        let left = patience.time.saturating_sub(begun.elapsed());
        if waits {
            context.store()?.refresh();
        }
        // What was not there at the look before is no news by now.
        context.unmatched.replace(None);
        let looked = look();
        if settled(&looked) || left.is_zero() {
            return looked;
        }
        if !waits {
            waits = true;
            context.note(&format!("waiting for {what}"));
        }
        thread::sleep(pause.min(left));
        pause = (pause * 3 / 2).min(patience.pause);
    }
}
