//! Finishing a trace in progress in MLflow's folders: its description says how it ended,
//! in the words of the release that wrote it.

use serde_json::json;

use super::Mlruns;
use super::folder::{self, is_link};
use super::write::replace;
use super::yaml_write;
use crate::store::close::{Closed, Closing};
use crate::store::local::attach;
use crate::store::{Detail, StoreError};

impl Mlruns {
    /// Finishes a trace.
    ///
    /// # Errors
    /// A trace that is not there or is not to be closed, and what the file system says.
    pub(super) fn close(&self, trace_id: &str, closing: &Closing) -> Result<(), StoreError> {
        let (info, folder) = self.read(trace_id)?;
        let path = folder.join(folder::TRACE_INFO);
        if is_link(&folder) || is_link(&path) {
            return Err(StoreError::NotWritten {
                path: path.display().to_string(),
                reason: "it is a symbolic link".to_owned(),
            });
        }
        let spans = self.spans(&info, &folder, Detail::Times);
        let took_ms = match closing.of(&attach(info, spans)?) {
            Closed::At { took_ms, .. } => took_ms,
            other => return Err(StoreError::not_closed(trace_id, &other)),
        };
        let mut all = folder::read_yaml(&path)?;
        let (state, took) = if all.get("state").is_some() {
            ("state", "execution_duration_ms")
        } else {
            ("status", "execution_time_ms")
        };
        all[state] = json!(closing.state.as_str());
        all[took] = json!(took_ms);
        replace(&folder, &path, &yaml_write::block(&all))
    }
}
