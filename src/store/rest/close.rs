//! Finishing a trace in progress on the server, by the endpoint with which MLflow 2 ends
//! traces and that every release has kept. It keeps tags and metadata as they are, unlike
//! that of MLflow 3, which writes a trace as a whole.

use reqwest::Method;
use serde_json::json;

use super::http::Call;
use super::{RestStore, ids};
use crate::store::close::{Closed, Closing};
use crate::store::fetch::Ways as _;
use crate::store::{Detail, StoreError};

impl RestStore {
    /// Finishes a trace.
    ///
    /// # Errors
    /// A trace that is not there or is not to be closed, and those of the server.
    pub(super) fn close(&self, trace_id: &str, closing: &Closing) -> Result<(), StoreError> {
        ids::check(trace_id)?;
        let end = match closing.of(&self.trace(trace_id, Detail::Times)?) {
            Closed::At { end, .. } => end,
            other => return Err(StoreError::not_closed(trace_id, &other)),
        };
        let url = self.http.url(&["api", "2.0", "mlflow", "traces", trace_id]);
        let body = json!({
            "timestamp_ms": end.millis(),
            "status": closing.state.as_str(),
            "request_metadata": [],
            "tags": [],
        });
        match self.http.send(&Call::json(Method::PATCH, url, body)) {
            Ok(_) => Ok(()),
            Err(StoreError::NoSuchEndpoint { .. }) => Err(StoreError::Unsupported {
                store: self.http.host(),
                what: "way to end traces from outside",
                instead: "close them in the database itself, with `-u sqlite:///mlflow.db`",
            }),
            Err(error) => Err(self.of_trace(trace_id, error)),
        }
    }
}
