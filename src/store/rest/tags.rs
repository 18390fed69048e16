//! One tag of one trace, set or deleted on the server.

use reqwest::Method;
use serde_json::{Value, json};

use super::RestStore;
use super::http::Call;
use super::ids;
use crate::store::fetch::Ways as _;
use crate::store::{Refusal, StoreError};

impl RestStore {
    fn tag_call(&self, method: Method, trace_id: &str, body: Value) -> Result<Call, StoreError> {
        self.check_letters(trace_id)?;
        // The 2.0 path is the one that every version has.
        let url = self
            .http
            .url(&["api", "2.0", "mlflow", "traces", trace_id, "tags"]);
        Ok(Call::json(method, url, body))
    }

    /// Refuses an id that would change what a path says, and one in capitals, by which a
    /// server may know a trace that has another.
    ///
    /// # Errors
    /// Why, and those of the server.
    pub(super) fn check_letters(&self, trace_id: &str) -> Result<(), StoreError> {
        ids::check(trace_id)?;
        let prefix = trace_id.get(..3).unwrap_or_default();
        if ids::is_in_other_letters(prefix, "tr-") {
            self.info(trace_id)?;
        }
        Ok(())
    }

    /// Gives a trace a tag, in place of one that it may have.
    ///
    /// # Errors
    /// A trace that is not there, and those of the server.
    pub(super) fn set_tag(&self, trace_id: &str, key: &str, value: &str) -> Result<(), StoreError> {
        let call = self.tag_call(Method::PATCH, trace_id, json!({"key": key, "value": value}))?;
        let sent = self.http.send(&call).map(drop);
        sent.map_err(|error| self.of_trace(trace_id, error))
    }

    /// Why something about a trace was refused, where that is that there is none.
    pub(super) fn of_trace(&self, trace_id: &str, error: StoreError) -> StoreError {
        match error {
            StoreError::Refused { status: 404, .. }
            | StoreError::Refused {
                meaning: Refusal::NoSuchTrace,
                ..
            } => self.unknown_trace(trace_id),
            other => other,
        }
    }

    /// Deletes a tag; one that is not there is as good as deleted.
    ///
    /// # Errors
    /// A trace that is not there, and those of the server.
    pub(super) fn delete_tag(&self, trace_id: &str, key: &str) -> Result<(), StoreError> {
        let call = self.tag_call(Method::DELETE, trace_id, json!({"key": key}))?;
        match self.http.send(&call) {
            Ok(_) => Ok(()),
            // The server does not say whether the tag or the trace is missing.
            Err(StoreError::Refused { status: 404, .. }) => self.info(trace_id).map(drop),
            Err(error) => Err(error),
        }
    }
}
