//! Assessments of a trace made and deleted on the server, which has them since MLflow 3.2.

use reqwest::Method;
use serde_json::json;

use super::http::Call;
use super::{RestStore, ids};
use crate::model::Assessment;
use crate::store::assess::{as_json, none_are_kept};
use crate::store::fetch::Ways as _;
use crate::store::{AssessmentChanges, StoreError};

impl RestStore {
    /// Changes the assessments of a trace.
    ///
    /// # Errors
    /// A trace that is not there, and those of the server.
    pub(super) fn assess(
        &self,
        trace_id: &str,
        changes: &AssessmentChanges,
    ) -> Result<(), StoreError> {
        self.check_letters(trace_id)?;
        let now = if changes.replace || !changes.delete.is_empty() {
            self.info(trace_id)?.assessments
        } else {
            Vec::new()
        };
        for new in changes.made(&now) {
            // Ids and times are the server's own.
            let new = Assessment {
                id: None,
                create_time: None,
                last_update_time: None,
                ..new
            };
            let url = self
                .http
                .url(&["api", "3.0", "mlflow", "traces", trace_id, "assessments"]);
            let body = json!({"assessment": as_json(trace_id, &new)});
            // Sent twice it would be made twice.
            let call = Call {
                repeatable: false,
                ..Call::json(Method::POST, url, body)
            };
            self.ask_about_assessment(trace_id, &call)?;
        }
        for old in changes.doomed(&now) {
            let id = old.id.as_deref().unwrap_or_default();
            ids::check(id)?;
            let path = [
                "api",
                "3.0",
                "mlflow",
                "traces",
                trace_id,
                "assessments",
                id,
            ];
            let call = Call::json(Method::DELETE, self.http.url(&path), json!({}));
            self.ask_about_assessment(trace_id, &call)?;
        }
        Ok(())
    }

    fn ask_about_assessment(&self, trace_id: &str, call: &Call) -> Result<(), StoreError> {
        match self.http.send(call) {
            Ok(_) => Ok(()),
            Err(StoreError::NoSuchEndpoint { .. }) => Err(none_are_kept(self.http.host())),
            Err(error) => Err(self.of_trace(trace_id, error)),
        }
    }
}
