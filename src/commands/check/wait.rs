//! Looking again until traces have arrived and ended. Programs export their
//! traces after the fact, so that a job that checks them at once may find none, or
//! halves.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::super::{Context, resolve};
use super::{Judge, Looked};
use crate::cli::{CheckArgs, SelectionArgs};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Looks at the traces until nothing is in progress, or the time is up.
pub(super) fn until_settled(
    context: &Context,
    args: &CheckArgs,
    judge: &Judge<'_>,
) -> Result<Looked> {
    let deadline = args.wait.map(|wait| Instant::now() + wait.duration());
    let mut selection = args.selection.clone();
    // Standard input can be read once only.
    let words = resolve::words(context, &selection.traces)?;
    selection.names_none = words.is_empty() && !selection.traces.is_empty();
    selection.traces = words;
    let mut pause = FIRST_PAUSE;
    let mut waits = false;
    loop {
        let left = deadline.map_or(Duration::ZERO, |deadline| {
            deadline.saturating_duration_since(Instant::now())
        });
        let looked =
            resolved(context, &mut selection).and_then(|()| judge.look(context, &selection));
        let settled = match &looked {
            Ok(looked) => !judge.may_change(looked),
            // What is missing may be there at the next look.
            Err(error) => !resolve::is_missing(error),
        };
        if settled || left.is_zero() {
            return looked;
        }
        if !waits {
            waits = true;
            context.note("waiting for traces to arrive and to end");
        }
        thread::sleep(pause.min(left));
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// Puts ids for what was typed, so that `latest` stays the same trace.
fn resolved(context: &Context, selection: &mut SelectionArgs) -> Result<()> {
    if !selection.traces.is_empty() && !selection.is_search() {
        selection.traces = resolve::trace_ids(context, &selection.traces)?;
    }
    Ok(())
}
