//! Looking at the traces again until they have arrived and ended.

use std::time::Duration;

use anyhow::Result;

use super::super::waiting::{self, LONGEST_PAUSE, Patience};
use super::super::{Context, resolve};
use super::{Judge, Looked};
use crate::cli::{CheckArgs, SelectionArgs};
use crate::units::Period;

/// Looks at the traces until nothing is in progress, or the time is up.
pub(super) fn until_settled(
    context: &Context,
    args: &CheckArgs,
    judge: &Judge<'_>,
) -> Result<Looked> {
    let mut selection = args.selection.clone();
    // Standard input can be read once only.
    let words = resolve::words(context, &selection.traces)?;
    selection.names_none = words.is_empty() && !selection.traces.is_empty();
    selection.traces = words;
    let patience = Patience {
        time: args.wait.map_or(Duration::ZERO, Period::duration),
        pause: LONGEST_PAUSE,
    };
    waiting::until(
        context,
        patience,
        "traces to arrive and to end",
        || resolved(context, &mut selection).and_then(|()| judge.look(context, &selection)),
        |looked| match looked {
            Ok(looked) => !judge.may_change(looked),
            // What is missing may be there at the next look.
            Err(error) => !resolve::is_missing(error),
        },
    )
}

/// Puts ids for what was typed, so that `latest` stays the same trace.
fn resolved(context: &Context, selection: &mut SelectionArgs) -> Result<()> {
    if !selection.traces.is_empty() && !selection.is_search() {
        selection.traces = resolve::trace_ids(context, &selection.traces)?;
    }
    Ok(())
}
