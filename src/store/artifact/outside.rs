//! The spans of a trace in a database, wherever its tags say that they are.

use std::fs;

use super::{ARCHIVE_NAME, Artifacts, FILE_NAME};
use crate::model::{Span, TraceInfo, TraceState, tag};
use crate::store::local::Doubts;
use crate::store::sql::spans::Place;
use crate::store::{Attempt, Detail, StoreError};

impl Artifacts {
    /// The spans of a trace, of which the table of spans has those that are `here`; what
    /// its columns say of archived ones is asked for where nothing else is to be had.
    ///
    /// # Errors
    /// Those of reading a file, those of the database, and that there are none.
    pub(in crate::store) fn spans_of(
        &self,
        doubts: &Doubts,
        info: &TraceInfo,
        detail: Detail,
        here: Vec<Span>,
        columns: impl Fn() -> Result<Vec<Span>, StoreError>,
    ) -> Result<Vec<Span>, StoreError> {
        // A trace with spans in the table need not say so, as those of MLflow 3.4.
        if !here.is_empty() || Place::of(info) == Place::Table {
            return Ok(here);
        }
        if Place::of(info) != Place::Archive || detail == Detail::Whole {
            return self.spans_outside(info, detail);
        }
        // Of what is archived, the columns stay in the table.
        if detail == Detail::Times {
            let spans = columns()?;
            return if spans.is_empty() {
                self.spans_outside(info, detail)
            } else {
                Ok(spans)
            };
        }
        self.spans_outside(info, detail).or_else(|error| {
            let spans = columns()?;
            if spans.is_empty() {
                return Err(error);
            }
            doubts.archived(info, &error);
            Ok(spans)
        })
    }

    /// The spans of a trace that are not in the table.
    ///
    /// # Errors
    /// Those of reading a file, and that there is none.
    pub(in crate::store) fn spans_outside(
        &self,
        info: &TraceInfo,
        detail: Detail,
    ) -> Result<Vec<Span>, StoreError> {
        if Place::of(info) == Place::Archive {
            let Some(location) = info.tags.get(tag::ARCHIVE_LOCATION) else {
                return Err(unknown_place(info, ARCHIVE_NAME));
            };
            return self.archived(location);
        }
        let Some(location) = info.tags.get(tag::ARTIFACT_LOCATION) else {
            return Err(unknown_place(info, FILE_NAME));
        };
        let folder = match self.folder(location) {
            // Clients write the file when a trace ends.
            Err(StoreError::RemoteArtifact { location, .. }) if is_open(info) => {
                let outcome = format!("in progress, and then to be kept at {location}");
                return Err(no_spans(info, FILE_NAME, outcome));
            }
            answer => answer?,
        };
        match self.spans_in(&folder, detail) {
            Err(StoreError::File { .. }) if fs::metadata(folder.join(FILE_NAME)).is_err() => {
                let outcome = format!("not in {}", folder.display());
                Err(no_spans(info, FILE_NAME, outcome))
            }
            answer => answer,
        }
    }
}

/// Whether a trace has not ended, and nothing says that there are spans of it by now.
fn is_open(info: &TraceInfo) -> bool {
    info.state == TraceState::InProgress && !info.promises_spans()
}

fn unknown_place(info: &TraceInfo, way: &'static str) -> StoreError {
    no_spans(info, way, "its place is not known".to_owned())
}

fn no_spans(info: &TraceInfo, way: &'static str, outcome: String) -> StoreError {
    StoreError::NoSpans {
        id: info.trace_id.clone(),
        tried: vec![Attempt { way, outcome }],
    }
}
