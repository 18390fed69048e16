//! MLflow's file store, the folder `mlruns`: a file for every tag and metadata
//! entry, YAML for the rest, spans among the artifacts. Filters are evaluated
//! here. A trace that cannot be read is named beside those that a search finds, and is
//! an error where it is asked for.

mod assess;
mod close;
mod delete;
mod folder;
mod tags;
mod write;
mod yaml;
mod yaml_write;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::artifact::{self, Artifacts};
use super::fetch::{self, Ways};
use super::judge::Judge;
use super::local::{Answers, Best, Doubts, Sessions, attach, plan_of};
use super::{
    Attempt, Change, Detail, Notice, OnChange, OnTrace, Page, Pages, Query, Scope, Store,
    StoreError, TraceRef, Want, overview,
};
use crate::filter::{Filter, Nothing};
use crate::model::{
    Experiment, ExperimentOverview, HIERARCHY, SessionLevels, Span, Trace, TraceInfo, level_names,
    tag,
};
use crate::parallel;

pub(super) use self::folder::is_store;
use super::file::folder::folders_of_files;

/// The folder of a file store.
pub(super) struct Mlruns {
    root: PathBuf,
    artifacts: Artifacts,
    answers: Answers<TraceInfo>,
    doubts: Doubts,
}

impl Mlruns {
    /// # Errors
    /// When there is no such folder, or it is not MLflow's.
    pub(super) fn open(root: &Path, artifacts: Artifacts) -> Result<Self, StoreError> {
        folder::experiment_folders(root)?;
        if !folder::is_store(root) {
            let within = if folder::is_store(&root.join("mlruns")) {
                Some("mlruns".to_owned())
            } else if root.join("mlflow.db").is_file() {
                Some("mlflow.db".to_owned())
            } else {
                folders_of_files(root).into_iter().next()
            };
            return Err(StoreError::NoExperiments {
                path: root.display().to_string(),
                within,
            });
        }
        Ok(Self {
            root: root.to_owned(),
            artifacts,
            answers: Answers::default(),
            doubts: Doubts::default(),
        })
    }

    /// Every experiment that can be read.
    fn all_experiments(&self) -> Result<Vec<Experiment>, StoreError> {
        let mut all = Vec::new();
        for (path, active) in folder::experiment_folders(&self.root)? {
            // Other folders are none of MLflow's business, and so none of ours.
            if folder::has_meta(&path) {
                match folder::experiment(&path, active) {
                    Ok(experiment) => all.push(experiment),
                    Err(error) => self.doubts.add(format!("left out an experiment: {error}")),
                }
            }
        }
        all.sort_by(|a, b| (a.id.len(), &a.id).cmp(&(b.id.len(), &b.id)));
        Ok(all)
    }

    /// The folders of the traces to look at.
    fn candidates(&self, query: &Query) -> Result<Vec<PathBuf>, StoreError> {
        let active: Vec<String> = if query.experiments.is_empty() {
            self.experiments(Scope::Active)?
                .into_iter()
                .map(|e| e.id)
                .collect()
        } else {
            Vec::new()
        };
        let mut folders = Vec::new();
        for (experiment, is_active) in folder::experiment_folders(&self.root)? {
            let id = experiment.file_name().unwrap_or_default().to_string_lossy();
            let wanted = if query.experiments.is_empty() {
                is_active && active.iter().any(|known| *known == id)
            } else {
                query.experiments.iter().any(|wanted| *wanted == id)
            };
            if wanted {
                match folder::trace_folders(&experiment) {
                    Ok(traces) => folders.extend(traces),
                    Err(error) => {
                        let doubt = format!("left out the traces of an experiment: {error}");
                        self.doubts.add(doubt);
                    }
                }
            }
        }
        Ok(folders)
    }

    /// A trace of a list; `None` where there is nothing to show.
    fn listed(&self, folder: &Path) -> Option<TraceInfo> {
        match folder::trace_info(folder) {
            Ok(info) => info,
            Err(error) => {
                let id = folder.file_name().unwrap_or_default().to_string_lossy();
                match error.into_unreadable(&id) {
                    Ok(one) => self.doubts.add_unreadable(one),
                    Err(error) => self.doubts.add(format!("left out a trace: {error}")),
                }
                None
            }
        }
    }

    /// The first `wanted` traces that match, in the query's order.
    fn find(
        &self,
        query: &Query,
        filter: &Filter,
        wanted: usize,
    ) -> Result<Vec<TraceInfo>, StoreError> {
        let folders = self.candidates(query)?;
        let mut sessions = Sessions::default();
        if filter.needs_assessments() {
            for info in folders.iter().filter_map(|folder| self.listed(folder)) {
                sessions.learn(&info);
            }
        }
        let judge = Judge::new(filter);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut best = Best::new(&query.order_by, wanted);
            while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some(info) = self.listed(folder) else {
                    continue;
                };
                if self.matches(&info, folder, &judge, &sessions) {
                    best.push(folder::cut(info), ());
                }
            }
            best
        };
        let workers = parallel::cores().clamp(2, 8).min(folders.len().max(1));
        let mut best = Best::new(&query.order_by, wanted);
        thread::scope(|scope| {
            let start = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
            let started: Vec<_> = (0..workers).map_while(start).collect();
            if started.is_empty() {
                best.merge(work());
            }
            for worker in started {
                match worker.join() {
                    Ok(part) => best.merge(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
        });
        Ok(best
            .into_sorted()
            .into_iter()
            .map(|(info, ())| info)
            .collect())
    }

    fn matches(&self, info: &TraceInfo, folder: &Path, judge: &Judge, sessions: &Sessions) -> bool {
        let judged = sessions.judged(info);
        let info = judged.as_ref().unwrap_or(info);
        judge.passes(info, &self.doubts, || {
            self.spans(info, folder, Detail::Whole)
        })
    }

    fn find_folder(&self, trace_id: &str) -> Result<PathBuf, StoreError> {
        folder::find_trace(&self.root, trace_id)?.ok_or_else(|| self.unknown(trace_id))
    }

    fn unknown(&self, trace_id: &str) -> StoreError {
        StoreError::UnknownTrace {
            id: trace_id.to_owned(),
            store: self.describe(),
        }
    }

    fn read(&self, trace_id: &str) -> Result<(TraceInfo, PathBuf), StoreError> {
        let folder = self.find_folder(trace_id)?;
        let info = folder::trace_info(&folder)?.ok_or_else(|| StoreError::Data {
            path: folder.display().to_string(),
            reason: "it has no trace_info.yaml".to_owned(),
        })?;
        Ok((info, folder))
    }

    /// The spans where the trace's tag says, or, as after the whole store was
    /// moved, where MLflow keeps them by default.
    fn spans(
        &self,
        info: &TraceInfo,
        folder: &Path,
        detail: Detail,
    ) -> Result<Vec<Span>, StoreError> {
        let own = folder.join("artifacts");
        let location = info.tags.get(tag::ARTIFACT_LOCATION);
        let named = location.map(|location| self.artifacts.folder(location));
        if let Some(Ok(named)) = &named
            && self.artifacts.has_spans(named)
        {
            return self.artifacts.spans_in(named, detail);
        }
        if fs::symlink_metadata(own.join(artifact::FILE_NAME)).is_ok() {
            return self.artifacts.spans_in(&own, detail);
        }
        // Only now does it matter that the place may be a remote one, or not be looked into.
        if let Some(named) = named {
            let named = named?;
            if fs::metadata(named.join(artifact::FILE_NAME)).is_ok() {
                return self.artifacts.spans_in(&named, detail);
            }
        }
        Err(StoreError::NoSpans {
            id: info.trace_id.clone(),
            tried: vec![Attempt {
                way: "its artifacts",
                outcome: match location {
                    Some(location) => format!("no {} in {location}", artifact::FILE_NAME),
                    None => format!("no {} in {}", artifact::FILE_NAME, own.display()),
                },
            }],
        })
    }
}

impl Ways for Mlruns {
    fn info(&self, trace_id: &str) -> Result<TraceInfo, StoreError> {
        Ok(folder::cut(self.read(trace_id)?.0))
    }

    fn trace(&self, trace_id: &str, detail: Detail) -> Result<Trace, StoreError> {
        let (info, folder) = self.read(trace_id)?;
        let spans = self.spans(&info, &folder, detail);
        attach(info, spans).map(|trace| Trace {
            info: folder::cut(trace.info),
            ..trace
        })
    }

    fn complete(&self, info: TraceInfo, detail: Detail) -> Result<Trace, StoreError> {
        // Nothing but the id is known of a trace without an experiment.
        if info.experiment_id.is_none() {
            let (known, folder) = self.read(&info.trace_id)?;
            let spans = self.spans(&known, &folder, detail);
            let spans = attach(known, spans)?.spans;
            return Ok(Trace { info, spans });
        }
        let folder = self.find_folder(&info.trace_id)?;
        let spans = self.spans(&info, &folder, detail);
        attach(info, spans)
    }
}

impl Store for Mlruns {
    fn describe(&self) -> String {
        self.root.display().to_string()
    }

    fn experiments(&self, scope: Scope<'_>) -> Result<Vec<Experiment>, StoreError> {
        let mut all = self.all_experiments()?;
        match scope {
            Scope::Active => all.retain(|one| one.active),
            // Those in the trash are found by name and id alone.
            Scope::Deleted => all.clear(),
            Scope::Named(name) => {
                all.retain(|one| one.name == name);
                all.sort_by_key(|one| !one.active);
                all.truncate(1);
            }
            Scope::WithId(id) => {
                all.retain(|one| one.id == id);
                all.truncate(1);
            }
        }
        Ok(all)
    }

    fn session_levels(&self) -> Result<SessionLevels, StoreError> {
        let mut levels = SessionLevels::new();
        for (path, _) in folder::experiment_folders(&self.root)? {
            let id = path.file_name().and_then(|name| name.to_str());
            if let Some(id) = id
                && let Some(tag) = folder::read(&path.join("tags").join(HIERARCHY))?
            {
                levels.insert(id.to_owned(), level_names(&tag));
            }
        }
        Ok(levels)
    }

    fn overview(
        &self,
        experiments: Vec<Experiment>,
    ) -> Result<Vec<ExperimentOverview>, StoreError> {
        Ok(overview::by_search(self, experiments, None)?.unwrap_or_default())
    }

    fn search(&self, query: &Query, size: usize, token: Option<&str>) -> Result<Page, StoreError> {
        let plan = plan_of(query, &self.describe(), &Nothing)?;
        let (traces, next) = self.answers.page(query, size, token, |wanted| {
            self.find(query, &plan.residual, wanted)
        })?;
        Ok(Page {
            scanned: traces.len(),
            traces,
            next,
            unreadable: self.doubts.take_unreadable(),
        })
    }

    fn fetch(&self, traces: Pages<'_>, want: Want, each: OnTrace<'_>) -> Result<(), StoreError> {
        fetch::in_rounds(self, traces, want, each)
    }

    fn attachment(&self, trace: &TraceInfo, id: &str) -> Result<Vec<u8>, StoreError> {
        let own = self.find_folder(&trace.trace_id)?.join("artifacts");
        let location = trace.tags.get(tag::ARTIFACT_LOCATION).map(String::as_str);
        self.artifacts.attachment(Some(&own), location, id)
    }

    fn change(
        &self,
        traces: &[TraceRef],
        change: &Change,
        each: OnChange<'_>,
    ) -> Result<(), StoreError> {
        match change {
            Change::Tags(changes) => {
                let set = |id: &str, key: &str, value: &str| {
                    tags::set(&self.find_folder(id)?, key, value)
                };
                let delete = |id: &str, key: &str| tags::delete(&self.find_folder(id)?, key);
                changes.one_by_one(parallel::cores(), traces, set, delete, each);
            }
            Change::Assess(plan) => {
                let assess = |id: &str| self.assess(id, plan.of(id));
                TraceRef::each_of(parallel::cores(), traces, assess, each);
            }
            Change::Close(closing) => {
                let close = |id: &str| self.close(id, closing);
                TraceRef::each_of(parallel::cores(), traces, close, each);
            }
            Change::Delete => {
                let delete = |id: &str| self.delete(id);
                TraceRef::each_of(parallel::cores(), traces, delete, each);
            }
        }
        Ok(())
    }

    fn notices(&self) -> Vec<Notice> {
        self.doubts.notices()
    }

    fn unjudged(&self) -> Vec<String> {
        self.doubts.unjudged()
    }
}
