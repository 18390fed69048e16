//! What may be done to traces, and how stores do it that change one after the other.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::assess::AssessmentPlan;
use super::close::Closing;
use super::fetch::in_order;
use super::{Store, StoreError, going_on};

/// What is to be done to traces.
#[derive(Debug, Clone)]
pub enum Change {
    /// Tags are set and deleted.
    Tags(TagChanges),
    /// Assessments are made and deleted.
    Assess(Arc<AssessmentPlan>),
    /// Those in progress are finished.
    Close(Closing),
    /// They are deleted, with all that belongs to them.
    Delete,
}

impl Change {
    /// What a store that is read-only lacks.
    pub(super) const fn lacking(&self) -> &'static str {
        match self {
            Self::Tags(_) => "tags to change: it is read-only",
            Self::Assess(_) => "assessments to change: it is read-only",
            Self::Close(_) => "traces to close: it is read-only",
            Self::Delete => "traces to delete: it is read-only",
        }
    }
}

/// A trace that is to be changed.
#[derive(Debug, Clone)]
pub struct TraceRef {
    /// Its id.
    pub id: String,
    /// Its experiment, where that is known: servers want it named.
    pub experiment_id: Option<String>,
}

impl TraceRef {
    /// Changes each by itself, so many at a time.
    pub(super) fn each_of(
        at_once: usize,
        traces: &[Self],
        change: impl Fn(&str) -> Result<(), StoreError> + Sync,
        each: OnChange<'_>,
    ) {
        let change = |trace: &Self| change(&trace.id);
        let _ = in_order(at_once, traces, change, |trace, result| {
            each(&trace.id, result)
        });
    }
}

impl AsRef<str> for TraceRef {
    fn as_ref(&self) -> &str {
        &self.id
    }
}

/// What is to be done to the tags of traces.
#[derive(Debug, Clone, Default)]
pub struct TagChanges {
    /// Keys with the values that they get, in place of those that they may have.
    pub set: Vec<(String, String)>,
    /// Keys to delete; one that a trace does not have is as good as deleted.
    pub delete: Vec<String>,
}

/// What is called with each trace by its id, and whether it was changed; it may break off.
pub type OnChange<'e> = &'e mut dyn FnMut(&str, Result<(), StoreError>) -> ControlFlow<()>;

impl dyn Store + '_ {
    /// Changes traces until `each` fails.
    ///
    /// # Errors
    /// Those of [`Store::change`], and that of `each`.
    pub fn try_change<E: From<StoreError>>(
        &self,
        traces: &[TraceRef],
        change: &Change,
        mut each: impl FnMut(&str, Result<(), StoreError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut outcome = Ok(());
        self.change(traces, change, &mut |id, result| {
            outcome = each(id, result);
            going_on(&outcome)
        })?;
        outcome
    }
}

impl TagChanges {
    /// Changes one tag of one trace after the other, until one of a trace fails, and so
    /// many traces at a time.
    pub(super) fn one_by_one(
        &self,
        at_once: usize,
        traces: &[TraceRef],
        set: impl Fn(&str, &str, &str) -> Result<(), StoreError> + Sync,
        delete: impl Fn(&str, &str) -> Result<(), StoreError> + Sync,
        each: OnChange<'_>,
    ) {
        let change = |trace_id: &str| {
            for (key, value) in &self.set {
                set(trace_id, key, value)?;
            }
            self.delete.iter().try_for_each(|key| delete(trace_id, key))
        };
        TraceRef::each_of(at_once, traces, change, each);
    }
}
