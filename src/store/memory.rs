//! A store over traces that are in memory already: what trace files and the
//! demo have in common. Filters are evaluated here, with the server's meaning.

use std::collections::HashMap;

use super::wire::Documents;
use super::{FilterSource, Page, Query, Store, StoreError};
use crate::model::{Assessment, Experiment, Span, Trace, TraceInfo, metadata};

/// Read-only traces.
pub(super) struct MemoryStore {
    name: String,
    read_only: &'static str,
    experiments: Vec<Experiment>,
    traces: Vec<(TraceInfo, Option<Vec<Span>>)>,
    /// Where each trace is, by its id.
    index: HashMap<String, usize>,
}

impl MemoryStore {
    /// `name` as in a message; `read_only` says why tags cannot change and what
    /// to do instead. Experiments that only traces mention are added.
    pub(super) fn new(
        name: String,
        read_only: &'static str,
        mut experiments: Vec<Experiment>,
        documents: Documents,
    ) -> Self {
        let mut traces: Vec<(TraceInfo, Option<Vec<Span>>)> = Vec::with_capacity(documents.len());
        let mut index: HashMap<String, usize> = HashMap::new();
        for document in documents {
            if let Some(id) = &document.info.experiment_id
                && !experiments.iter().any(|e| e.id == *id)
            {
                experiments.push(Experiment {
                    id: id.clone(),
                    name: id.clone(),
                    active: true,
                });
            }
            match index.get(&document.info.trace_id) {
                // The same trace again, perhaps from a search and then from a get: the fuller one stays.
                Some(&at) if traces[at].1.is_none() => {
                    traces[at] = (document.info, document.spans);
                }
                Some(_) => {}
                None => {
                    index.insert(document.info.trace_id.clone(), traces.len());
                    traces.push((document.info, document.spans));
                }
            }
        }
        Self {
            name,
            read_only,
            experiments,
            traces,
            index,
        }
    }

    fn find(&self, trace_id: &str) -> Result<&(TraceInfo, Option<Vec<Span>>), StoreError> {
        self.index
            .get(trace_id)
            .map(|at| &self.traces[*at])
            .ok_or_else(|| StoreError::UnknownTrace {
                id: trace_id.to_owned(),
                store: self.name.clone(),
            })
    }

    /// What was said of whole sessions: such assessments hang on one trace, name
    /// the session, and count for all of its traces.
    fn session_assessments(&self) -> SessionAssessments<'_> {
        let mut found = SessionAssessments::new();
        for (info, _) in &self.traces {
            for assessment in &info.assessments {
                if let Some(session) = assessment.metadata.get(metadata::SESSION) {
                    let said = found.entry(session.as_str()).or_default();
                    said.push((info.trace_id.as_str(), assessment));
                }
            }
        }
        found
    }

    fn read_only(&self) -> StoreError {
        StoreError::Unsupported {
            store: self.name.clone(),
            what: "tags to change: it is read-only",
            instead: self.read_only,
        }
    }
}

/// Assessments with the trace that each hangs on, by session.
type SessionAssessments<'a> = HashMap<&'a str, Vec<(&'a str, &'a Assessment)>>;

/// The trace with what was said of its session elsewhere; `None` where nothing was.
fn with_session(info: &TraceInfo, said: &SessionAssessments<'_>) -> Option<TraceInfo> {
    let elsewhere = said
        .get(info.session()?)?
        .iter()
        .filter(|(trace_id, _)| *trace_id != info.trace_id);
    let mut whole = info.clone();
    whole
        .assessments
        .extend(elsewhere.map(|(_, assessment)| (*assessment).clone()));
    Some(whole)
}

impl Store for MemoryStore {
    fn describe(&self) -> String {
        self.name.clone()
    }

    fn experiments(&self) -> Result<Vec<Experiment>, StoreError> {
        Ok(self.experiments.clone())
    }

    fn search(&self, query: &Query, size: usize, token: Option<&str>) -> Result<Page, StoreError> {
        let FilterSource::Parsed(filter) = &query.filter else {
            return Err(StoreError::Unsupported {
                store: self.name.clone(),
                what: "server to send a raw filter to",
                instead: "use `--filter`",
            });
        };
        if filter.needs_server().is_some() {
            return Err(StoreError::Unsupported {
                store: self.name.clone(),
                what: "look-around or back-references in regular expressions",
                instead: "write the RLIKE pattern without them",
            });
        }
        let matcher = filter.matcher();
        let said_of_sessions = if filter.needs_assessments() {
            self.session_assessments()
        } else {
            SessionAssessments::new()
        };
        let mut hits: Vec<&TraceInfo> = self
            .traces
            .iter()
            .filter(|(info, _)| {
                query.experiments.is_empty()
                    || info
                        .experiment_id
                        .as_ref()
                        .is_some_and(|id| query.experiments.contains(id))
            })
            .filter(|(info, spans)| {
                let spans = spans.as_deref().unwrap_or_default();
                let judged = with_session(info, &said_of_sessions);
                matcher.matches(judged.as_ref().unwrap_or(info), spans)
            })
            .map(|(info, _)| info)
            .collect();
        hits.sort_by(|a, b| query.order_by.compare(a, b));
        let start: usize = token.and_then(|t| t.parse().ok()).unwrap_or(0);
        let end = start.saturating_add(size).min(hits.len());
        Ok(Page {
            traces: hits
                .get(start..end)
                .unwrap_or_default()
                .iter()
                .map(|&info| info.clone())
                .collect(),
            next: (end < hits.len()).then(|| end.to_string()),
        })
    }

    fn info(&self, trace_id: &str) -> Result<TraceInfo, StoreError> {
        Ok(self.find(trace_id)?.0.clone())
    }

    fn trace(&self, trace_id: &str) -> Result<Trace, StoreError> {
        let (info, spans) = self.find(trace_id)?;
        match spans {
            Some(spans) => Ok(Trace {
                info: info.clone(),
                spans: spans.clone(),
            }),
            None => Err(StoreError::NoSpans {
                id: trace_id.to_owned(),
                tried: vec![super::Attempt {
                    way: "the file",
                    outcome: "it was written without spans".to_owned(),
                }],
            }),
        }
    }

    fn complete(&self, info: TraceInfo) -> Result<Trace, StoreError> {
        self.trace(&info.trace_id)
    }

    fn set_tag(&self, _trace_id: &str, _key: &str, _value: &str) -> Result<(), StoreError> {
        Err(self.read_only())
    }

    fn delete_tag(&self, _trace_id: &str, _key: &str) -> Result<bool, StoreError> {
        Err(self.read_only())
    }

    fn check_writable(&self) -> Result<(), StoreError> {
        Err(self.read_only())
    }
}
