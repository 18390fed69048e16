//! `mlt import`: traces of files and other stores are taken in by a server or a database.
//! Each trace stands for itself: it is there whole or not at all, one that is there already
//! stays as it is, and repeating the command finishes what is left.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::{Map, json};

use super::change::{Counts, Plan, Printer, Words, described, end};
use super::form::Form;
use super::gather::{Gathered, Need, gather_found};
use super::resolve::Failures;
use super::selection::{living_experiment, only_experiment};
use super::{Context, with_context};
use crate::cli::{GlobalArgs, ImportArgs};
use crate::error::{CommandError, Exit};
use crate::field::LINKED_PROMPTS;
use crate::io_words::plain_io_reason;
use crate::model::{ATTACHMENT, AssessmentKind, Detail, Experiment, Trace, TraceInfo, Unreadable};
use crate::settings::Env;
use crate::store::{Location, Put, PutMode, Query, Scope, Store, StoreError};
use crate::terminal::{Output, Terminal};
use crate::units::{self, Zone};

/// Traces that are taken in together, and so many bytes of their attributes.
const MOST_TRACES: usize = 200;
const MOST_BYTES: usize = 8_000_000;

const WORDS: Words = Words {
    verb: "import",
    doing: "importing",
    done: "imported",
    changed: "imported",
    would: "would import",
    nothing: "nothing to import",
    already: "there already",
};

pub(super) fn run(
    flags: &GlobalArgs,
    env: &Env,
    terminal: &Terminal,
    args: &ImportArgs,
) -> Result<Exit> {
    with_context(flags, env, terminal, |target| {
        let form = target.form("import")?;
        let store = target.store()?;
        let checked = store.can_put();
        let is_refused = checked.is_err();
        match checked {
            Err(refusal) if args.dry_run => {
                target.note(&format!("without --dry-run this fails: {refusal}"));
            }
            checked => checked?,
        }
        let chosen = chosen_experiment(target, store)?;
        let mut out = target.terminal.output();
        let mut import = Import::new(target, store, form, args.dry_run, chosen, &mut out)?;
        import.is_refused = is_refused;
        let env = env.without(&["MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"]);
        let mut broken = Vec::new();
        for word in &args.files {
            let from = |source: &Context| {
                import.read(source)?;
                Ok(Exit::Success)
            };
            let flags = GlobalArgs {
                tracking_uri: Some(word.clone()),
                experiments: Vec::new(),
                ..flags.clone()
            };
            let read = check_there(word)
                .and_then(|()| with_context(&flags, &env, terminal, from).map(drop));
            if let Err(error) = read {
                broken.push((word.to_string_lossy().into_owned(), error));
                if import.is_stopped {
                    break;
                }
            }
        }
        let ended = import.finish(broken.is_empty())?;
        out.finish()?;
        ended.tell(target, form, broken)
    })
}

/// A word that names nothing is no tracking URI with a mistake in it.
fn check_there(word: &OsStr) -> Result<()> {
    let text = word.to_string_lossy();
    if text == "-" || text.contains(':') {
        return Ok(());
    }
    fs::metadata(Path::new(word)).map(drop).map_err(|error| {
        StoreError::File {
            path: text.into_owned(),
            reason: plain_io_reason(&error),
        }
        .into()
    })
}

/// The experiment that was named for all traces.
fn chosen_experiment(target: &Context, store: &dyn Store) -> Result<Option<Experiment>> {
    let name = only_experiment(target, "import into")?;
    name.map(|name| living_experiment(store, name)).transpose()
}

/// Where traces go.
#[derive(Clone)]
struct Home {
    experiment: Experiment,
    /// Whether they go there for want of something better.
    is_last_resort: bool,
}

/// An import under way.
struct Import<'a> {
    target: &'a Context<'a>,
    store: &'a dyn Store,
    mode: PutMode,
    zone: Zone,
    form: Form,
    chosen: Option<Experiment>,
    /// Whether the store takes in nothing anyway.
    is_refused: bool,
    /// Of the experiments of the source that is read.
    homes: HashMap<(Option<String>, Option<String>), Home>,
    default: OnceCell<Experiment>,
    is_said: bool,
    printer: Printer<'a>,
    batch: Vec<Trace>,
    names: Vec<String>,
    bytes: usize,
    seen: HashSet<String>,
    ended: Ended,
    /// Whether the store takes in nothing any more.
    is_stopped: bool,
}

/// What became of the traces.
#[derive(Default)]
struct Ended {
    counts: Counts,
    failures: Failures,
    unreadable: Vec<Unreadable>,
    with_attachments: usize,
    issues: usize,
    odd_assessments: usize,
    with_relatives: usize,
}

impl<'a> Import<'a> {
    fn new(
        target: &'a Context<'a>,
        store: &'a dyn Store,
        form: Form,
        dry_run: bool,
        chosen: Option<Experiment>,
        out: &'a mut Output,
    ) -> Result<Self> {
        Ok(Self {
            target,
            store,
            mode: if dry_run {
                PutMode::Try
            } else {
                PutMode::Write
            },
            zone: target.layout().zone,
            form,
            chosen,
            is_refused: false,
            homes: HashMap::new(),
            default: OnceCell::new(),
            is_said: false,
            printer: Printer::new(
                target,
                form,
                (WORDS, Box::new(|_| Map::new())),
                dry_run,
                out,
            )?,
            batch: Vec::new(),
            names: Vec::new(),
            bytes: 0,
            seen: HashSet::new(),
            ended: Ended::default(),
            is_stopped: false,
        })
    }

    /// Takes in the traces of a source.
    fn read(&mut self, source: &Context) -> Result<()> {
        self.check_source(source)?;
        self.homes.clear();
        let need = Need {
            any_order: true,
            ..Need::with_spans(Detail::Whole)
        };
        let from = source.store()?;
        let gathered = gather_found(source, Query::default(), None, need, WORDS.doing, |trace| {
            self.add(from, trace)
        });
        let flushed = if self.is_stopped {
            Ok(())
        } else {
            self.flush()
        };
        let gathered = gathered?;
        flushed?;
        gathered.remark(source);
        let Gathered {
            failures,
            unreadable,
            ..
        } = gathered;
        self.ended.unreadable.extend(unreadable);
        for (id, error) in failures {
            self.failed(id, error)?;
        }
        Ok(())
    }

    fn check_source(&self, source: &Context) -> Result<()> {
        if matches!(source.settings.location, Location::Server(_)) {
            let message = "expected files, folders or databases to import from, found a server";
            return Err(CommandError::usage(message)
                .hint("`mlt -u SERVER export --all -o jsonl | mlt import -` imports from one")
                .into());
        }
        let places = [source, self.target].map(|context| &context.settings.location);
        if is_one_file(places) {
            let message = format!("{} would be imported into itself", self.store.describe());
            return Err(CommandError::usage(message)
                .hint("-u names where the traces go")
                .into());
        }
        Ok(())
    }

    fn add(&mut self, source: &dyn Store, mut trace: Trace) -> Result<()> {
        let home = self.home(source, &trace.info)?;
        if home.is_last_resort && !std::mem::replace(&mut self.is_said, true) {
            self.target.note(&format!(
                "traces of experiments that are not here by the same name go into {}; \
                 -x names another one",
                home.experiment.name
            ));
        }
        if !self.seen.insert(trace.info.trace_id.clone()) {
            self.known(&trace.info.trace_id)?;
            return Ok(());
        }
        trace.info.experiment_id = Some(home.experiment.id);
        trace.info.experiment_name = None;
        trace.info.location = None;
        self.bytes += trace.spans.iter().map(bytes_of).sum::<usize>();
        self.batch.push(trace);
        self.names.push(home.experiment.name);
        if self.batch.len() >= MOST_TRACES || self.bytes >= MOST_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    /// Where the traces of an experiment of the source go.
    fn home(&mut self, source: &dyn Store, info: &TraceInfo) -> Result<Home> {
        if let Some(chosen) = &self.chosen {
            return Ok(Home {
                experiment: chosen.clone(),
                is_last_resort: false,
            });
        }
        let key = (info.experiment_id.clone(), info.experiment_name.clone());
        if let Some(home) = self.homes.get(&key) {
            return Ok(home.clone());
        }
        let home = self.find_home(source, info)?;
        self.homes.insert(key, home.clone());
        Ok(home)
    }

    fn find_home(&self, source: &dyn Store, info: &TraceInfo) -> Result<Home> {
        let id = info.experiment_id.as_deref();
        if let Some(id) = id {
            let name = if let Some(name) = &info.experiment_name {
                name.clone()
            } else {
                let known = source.experiments(Scope::WithId(id))?.pop();
                known.map_or_else(|| id.to_owned(), |known| known.name)
            };
            // Other files name none of their experiments, unless in the place of an id.
            let name = Some(name).filter(|name| name != id || !Experiment::is_id(id));
            if let Some(name) = name
                && let Some(found) = self.store.experiments(Scope::Named(&name))?.pop()
                && found.active
            {
                return Ok(Home {
                    experiment: found,
                    is_last_resort: false,
                });
            }
        }
        if let Some(default) = self.default.get() {
            return Ok(Home {
                experiment: default.clone(),
                is_last_resort: id != Some(Experiment::DEFAULT_ID),
            });
        }
        let found = self
            .store
            .experiments(Scope::WithId(Experiment::DEFAULT_ID))?
            .pop();
        let pretended = || Experiment {
            id: Experiment::DEFAULT_ID.to_owned(),
            name: "Default".to_owned(),
            active: true,
        };
        let found = found.or_else(|| self.is_refused.then(pretended));
        let Some(experiment) = found.filter(|experiment| experiment.active) else {
            let store = self.store.describe();
            let message = format!("expected -x, since {store} has no experiment Default");
            return Err(CommandError::usage(message).into());
        };
        Ok(Home {
            experiment: self.default.get_or_init(|| experiment).clone(),
            is_last_resort: id != Some(Experiment::DEFAULT_ID),
        })
    }

    /// Takes in what waits.
    fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        let names = std::mem::take(&mut self.names);
        self.bytes = 0;
        let mut at = 0;
        let (store, mode) = (self.store, self.mode);
        let taken = store.try_put(&batch, mode, |id, result| -> Result<()> {
            let (trace, name) = (&batch[at], &names[at]);
            at += 1;
            match result {
                Ok(Put::Taken) => self.taken(trace, name),
                Ok(Put::Known) => self.known(id),
                // Nobody is let in by asking again.
                Err(error @ (StoreError::Unauthorized { .. } | StoreError::Forbidden { .. })) => {
                    Err(error.into())
                }
                Err(error) => self.failed(id.to_owned(), error.into()),
            }
        });
        self.is_stopped = taken.is_err();
        if self.is_stopped {
            self.ended.counts.left += batch.len() - at;
        }
        taken
    }

    fn taken(&mut self, trace: &Trace, experiment: &str) -> Result<()> {
        let info = &trace.info;
        let what = described(info, self.zone);
        let refers = |span: &crate::model::Span| {
            let mut values = span.attributes.iter().map(|(_, json)| json);
            values.any(|json| json.contains(ATTACHMENT))
        };
        let ended = &mut self.ended;
        ended.with_attachments += usize::from(trace.spans.iter().any(refers));
        for one in &info.assessments {
            match one.kind {
                AssessmentKind::Issue { .. } => ended.issues += 1,
                AssessmentKind::Other => ended.odd_assessments += 1,
                AssessmentKind::Feedback { .. } | AssessmentKind::Expectation { .. } => {}
            }
        }
        let has_relatives = info.run_id().is_some() || info.tags.contains_key(LINKED_PROMPTS);
        ended.with_relatives += usize::from(has_relatives);
        let mut more = Map::new();
        more.insert("experiment_id".to_owned(), json!(info.experiment_id));
        let plan = Plan {
            changes: true,
            planned: format!("{what}  into {experiment}"),
            done: format!("imported: {what}  into {experiment}"),
            more,
            ..Plan::default()
        };
        if self.mode == PutMode::Try {
            ended.counts.planned += 1;
            return self.printer.planned(&info.trace_id, &plan);
        }
        ended.counts.changed += 1;
        self.printer.changed(&info.trace_id, &plan)
    }

    fn known(&mut self, id: &str) -> Result<()> {
        self.ended.counts.unchanged += 1;
        let plan = Plan {
            planned: "it is there already".to_owned(),
            ..Plan::default()
        };
        self.printer.planned(id, &plan)
    }

    fn failed(&mut self, id: String, error: anyhow::Error) -> Result<()> {
        self.printer.failed(&id, &error.to_string())?;
        self.ended.failures.push((id, error));
        Ok(())
    }

    /// No more is read.
    fn finish(self, is_whole: bool) -> Result<Ended> {
        let ended = self.ended;
        // An import that comes to nothing says why, and nothing else.
        if is_whole
            || self.form == Form::Text
            || ended.counts.all() > 0
            || !ended.failures.is_empty()
        {
            let failed = ended.failures.len();
            self.printer
                .finish(ended.counts, failed, &ended.unreadable)?;
        }
        Ok(ended)
    }
}

/// Whether both are one database.
fn is_one_file(places: [&Location; 2]) -> bool {
    let paths = places.map(|place| match place {
        Location::Sqlite { path, .. } => fs::canonicalize(path).ok(),
        _ => None,
    });
    paths[0].is_some() && paths[0] == paths[1]
}

fn bytes_of(span: &crate::model::Span) -> usize {
    let attributes = span.attributes.iter();
    attributes.map(|(key, json)| key.len() + json.len()).sum()
}

impl Ended {
    /// Says what is to be known of it, and how to exit.
    fn tell(
        self,
        context: &Context,
        form: Form,
        mut broken: Vec<(String, anyhow::Error)>,
    ) -> Result<Exit> {
        for (count, one, several, what) in [
            (
                self.with_attachments,
                "refers",
                "refer",
                "attachments, whose bytes stay where they are",
            ),
            (
                self.with_relatives,
                "belongs",
                "belong",
                "a run or a prompt, which stay where they are",
            ),
        ] {
            if count > 0 {
                let traces = units::counted(count, "trace");
                let verb = if count == 1 { one } else { several };
                context.note_loss(&format!("{traces} {verb} to {what}"));
            }
        }
        if self.issues > 0 {
            let issues = units::counted(self.issues, "link");
            context.note_loss(&format!(
                "left out {issues} to issues, which stay where they are"
            ));
        }
        if self.odd_assessments > 0 {
            let odd = units::counted(self.odd_assessments, "assessment");
            context.note_loss(&format!("left out {odd} of a kind that mlt does not know"));
        }
        let is_nothing = self.counts.all() + self.failures.len() + self.unreadable.len() == 0;
        if is_nothing && broken.is_empty() {
            context.note("there are no traces in what was read");
        }
        if let Some((_, last)) = broken.pop() {
            for (name, error) in broken {
                context.warn(format!("{name}: {error}"));
            }
            if form == Form::Text {
                for (id, error) in &self.failures {
                    context.warn(format!("{id}: {error}"));
                }
            }
            context.name_unreadable(&self.unreadable);
            if self.counts.left > 0 || self.counts.changed > 0 {
                context.hint("the same command again goes on");
            }
            return Err(last);
        }
        let Self {
            counts,
            failures,
            unreadable,
            ..
        } = self;
        end(context, form, WORDS, counts, failures, &unreadable)
    }
}
