//! Tokens and cost of traces whose metadata has none, added up from their spans,
//! so that every command tells the same of a trace.

use std::convert::Infallible;

use super::Context;
use super::completing::in_batches;
use crate::analysis::roll_up;
use crate::model::{Trace, TraceInfo};
use crate::store::{Detail, Store};
use crate::units;

/// Traces whose spans are looked at for nothing else, where they are far away.
const MOST_FAR_AWAY: usize = 100;

/// Looks for what metadata lacks.
#[derive(Debug, Default)]
pub(super) struct UsageLookup {
    looked_up: usize,
    passed_over: usize,
    unreadable: usize,
}

impl UsageLookup {
    /// Adds tokens and cost to the traces that have none, from their spans. Traces
    /// whose spans cannot be read stay as they are, and are counted.
    pub(super) fn complete(&mut self, store: &dyn Store, infos: &mut [TraceInfo]) {
        let lacks = |info: &&mut TraceInfo| info.may_lack_usage();
        let lacking: Vec<&mut TraceInfo> = infos.iter_mut().filter(lacks).collect();
        if lacking.is_empty() {
            return;
        }
        if !store.has_spans_at_hand() && self.looked_up + lacking.len() > MOST_FAR_AWAY {
            self.passed_over += lacking.len();
            return;
        }
        self.looked_up += lacking.len();
        let wanted: Vec<TraceInfo> = lacking.iter().map(|info| (**info).clone()).collect();
        let mut lacking = lacking.into_iter();
        let rolled_up = |trace: Trace| roll_up(&trace);
        let outcome: Result<(), Infallible> =
            in_batches(store, &wanted, Detail::Measures, rolled_up, |_, found| {
                match (lacking.next(), found) {
                    (Some(info), Ok(rolled_up)) => info.rolled_up = rolled_up,
                    (Some(_), Err(_)) => self.unreadable += 1,
                    (None, _) => {}
                }
                Ok(())
            });
        let Ok(()) = outcome;
    }

    /// Says of how many traces tokens and cost are not known for want of their spans.
    pub(super) fn note(&self, context: &Context) {
        for (traces, what) in [
            (self.passed_over, "were not looked at for them"),
            (self.unreadable, "could not be read for them"),
        ] {
            if traces > 0 {
                context.note_loss(&format!(
                    "{} without tokens or cost in their metadata: their spans {what}",
                    units::counted(traces, "trace")
                ));
            }
        }
    }
}
