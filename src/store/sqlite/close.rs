//! Finishing traces in progress as MLflow finishes them.

use super::Shared;
use super::write::{self, Subject};
use crate::model::TraceState;
use crate::store::close::{Closed, Closing};
use crate::store::local::attach;
use crate::store::{Detail, StoreError};

/// Finishes each trace in one transaction; a result for each.
///
/// # Errors
/// When nothing was changed at all.
pub(super) fn all<T: AsRef<str>>(
    shared: &Shared,
    traces: &[T],
    closing: &Closing,
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let subject = Subject {
        to_do: "close traces",
        what: "the traces",
    };
    write::each(shared, traces, subject, |writer, trace_id| {
        let read = || {
            let info = shared.info(writer.connection(), trace_id)?;
            let spans = shared.spans(writer.connection(), &info, Detail::Times);
            attach(info, spans)
        };
        let trace = match read() {
            Ok(trace) => trace,
            Err(error) if error.is_about_one_trace() => return Ok(Err(error)),
            Err(error) => return Err(error),
        };
        match closing.of(&trace) {
            Closed::At { took_ms, .. } => {
                // A trace in progress has no state of an end, whoever wrote it meanwhile.
                let close = "UPDATE OR ABORT trace_info SET status = ?2, execution_time_ms = ?3 \
                             WHERE request_id = ?1 AND status = ?4";
                let (state, open) = (closing.state.as_str(), TraceState::InProgress.as_str());
                writer.run(close, &[&trace_id, &state, &took_ms, &open], 1..=1)?;
                Ok(Ok(()))
            }
            other => Ok(Err(StoreError::not_closed(trace_id, &other))),
        }
    })
}
