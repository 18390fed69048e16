//! Tokens and cost of traces whose metadata has none, added up from their spans,
//! so that every command tells the same of a trace.

use std::ops::ControlFlow;

use super::Context;
use crate::analysis::roll_up;
use crate::model::TraceInfo;
use crate::store::{Detail, Store, TraceRefs, Want};
use crate::units;

/// Traces whose spans are looked at for nothing else, where they are far away.
const MOST_FAR_AWAY: usize = 100;

/// Looks for what metadata lacks.
#[derive(Debug, Default)]
pub(super) struct UsageLookup {
    is_far: bool,
    looked_up: usize,
    passed_over: usize,
    unreadable: usize,
}

impl UsageLookup {
    /// A look-up in the place of this command.
    pub(super) fn new(context: &Context) -> Self {
        Self {
            is_far: context.settings.location.is_far(),
            ..Self::default()
        }
    }

    /// Adds tokens and cost to the traces that have none, from their spans. Traces
    /// whose spans cannot be read stay as they are, and are counted.
    pub(super) fn complete(&mut self, store: &dyn Store, infos: &mut [TraceInfo]) {
        let lacks = |info: &&mut TraceInfo| info.may_lack_usage();
        let lacking: Vec<&mut TraceInfo> = infos.iter_mut().filter(lacks).collect();
        if lacking.is_empty() {
            return;
        }
        if self.is_far && self.looked_up + lacking.len() > MOST_FAR_AWAY {
            self.passed_over += lacking.len();
            return;
        }
        self.looked_up += lacking.len();
        let wanted: Vec<TraceInfo> = lacking.iter().map(|info| (**info).clone()).collect();
        let all = wanted.len();
        let mut lacking = lacking.into_iter();
        let mut known = 0;
        let want = Want::spans(Detail::Measures);
        // What is wrong with the store is no reason to show nothing.
        let _ = store.fetch_all(TraceRefs::Known(wanted), want, &mut |_, trace| {
            if let (Some(info), Ok(trace)) = (lacking.next(), trace) {
                info.rolled_up = roll_up(&trace);
                known += 1;
            }
            ControlFlow::Continue(())
        });
        self.unreadable += all - known;
    }

    /// Whether there are traces whose spans could not be read for them.
    pub(super) const fn lacks_some(&self) -> bool {
        self.unreadable > 0
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
