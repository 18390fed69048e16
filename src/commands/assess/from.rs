//! `mlt assess --from`: assessments from lines of JSON, each with its own trace, as a scorer in
//! any language writes them. All lines are read and checked before anything is changed.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{carry_out, check_name, is_pair, metadata, source};
use crate::cli::{AssessArgs, FilterArgs};
use crate::commands::form::Form;
use crate::commands::{Context, resolve};
use crate::error::{CommandError, Exit};
use crate::io_words::plain_io_reason;
use crate::model::{Assessment, AssessmentKind, Source, SpanId};
use crate::regular;
use crate::settings::Env;
use crate::store::{AssessmentChanges, AssessmentPlan, Location};
use crate::units;

/// The largest file, in bytes.
const LARGEST: u64 = 256 << 20;

/// A line, as a scorer writes it or as `--list -o jsonl` does.
#[derive(Deserialize)]
struct Line {
    trace_id: String,
    #[serde(alias = "assessment_name")]
    name: String,
    value: Value,
    kind: Option<String>,
    rationale: Option<String>,
    source: Option<String>,
    source_type: Option<String>,
    source_id: Option<String>,
    span_id: Option<String>,
    metadata: Option<BTreeMap<String, Value>>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// What `--list` tells and a new assessment gets anew.
const ITS_OWN: [&str; 6] = [
    "assessment_id",
    "error",
    "time",
    "valid",
    "overrides",
    "note",
];

/// What is said on the command line for the lines that say nothing of it.
struct Defaults {
    source: Source,
    expectation: bool,
    rationale: Option<String>,
    metadata: BTreeMap<String, String>,
}

/// The assessments of a file.
#[derive(Default)]
struct Scores {
    /// The traces in the order in which they are first named, as they are named.
    traces: Vec<String>,
    of: HashMap<String, Vec<Assessment>>,
    /// Members that say nothing.
    others: BTreeSet<String>,
}

pub(super) fn run(context: &Context, args: &AssessArgs, from: &Path, form: Form) -> Result<Exit> {
    refuse_otherwise(context, args, from)?;
    let defaults = Defaults {
        source: source(args.source.as_deref(), &Env::from_process())?,
        expectation: args.expectation,
        rationale: args.rationale.clone(),
        metadata: metadata(args)?,
    };
    let mut scores = Scores::default();
    for (at, line) in text(from)?.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        scores.add(line, &defaults).map_err(|wrong| {
            CommandError::usage(format!("{} line {}: {wrong}", named(from), at + 1))
                .hint("a line is such as {\"trace_id\": \"tr-…\", \"name\": \"relevance\", \"value\": 0.7}")
        })?;
    }
    if !scores.others.is_empty() {
        let others: Vec<&str> = scores.others.iter().map(String::as_str).collect();
        context.note(&format!("left out of the lines: {}", others.join(", ")));
    }
    let (words, plan) = scores.plan(context, args)?;
    if words.is_empty() {
        context.note("there is nothing to assess");
        return Ok(Exit::Success);
    }
    carry_out(context, args, form, &words, plan)
}

fn refuse_otherwise(context: &Context, args: &AssessArgs, from: &Path) -> Result<()> {
    if let Some(pair) = args.words.iter().find(|word| is_pair(word)) {
        let message = format!("expected assessments from --from alone, found `{pair}`, too");
        return Err(CommandError::usage(message).into());
    }
    if args.filter != FilterArgs::default() {
        let message = "--from names the traces, and takes no filter";
        let hint = "`mlt search … -o ids | mlt assess - --from FILE` assesses those among them";
        return Err(CommandError::usage(message).hint(hint).into());
    }
    let reads_words = args.words.iter().any(|word| word == "-");
    let reads_traces = matches!(context.settings.location, Location::Stdin);
    if is_stdin(from) && (reads_words || reads_traces) {
        let other = if reads_words { "the ids" } else { "the traces" };
        let message = format!("standard input cannot hold both the assessments and {other}");
        return Err(CommandError::usage(message).into());
    }
    Ok(())
}

fn is_stdin(from: &Path) -> bool {
    from == Path::new("-")
}

fn named(from: &Path) -> String {
    if is_stdin(from) {
        "standard input".to_owned()
    } else {
        from.display().to_string()
    }
}

fn text(from: &Path) -> Result<String> {
    let read = if is_stdin(from) {
        regular::read_up_to(io::stdin().lock(), LARGEST)
    } else {
        regular::read_any(from, LARGEST)
    };
    let bytes = read.map_err(|error| {
        let reason = plain_io_reason(&error);
        CommandError::new(Exit::Data, format!("cannot read {}: {reason}", named(from)))
    })?;
    String::from_utf8(bytes).map_err(|_| {
        let message = format!("{} is no text in UTF-8", named(from));
        CommandError::new(Exit::Data, message).into()
    })
}

impl Scores {
    /// Takes a line.
    ///
    /// # Errors
    /// What is wrong with it.
    fn add(&mut self, line: &str, defaults: &Defaults) -> Result<(), String> {
        if !line.trim_start().starts_with('{') {
            let start: String = line.trim().chars().take(20).collect();
            return Err(format!("expected a JSON object, found `{start}`"));
        }
        let line: Line = serde_json::from_str(line).map_err(|error| {
            let text = error.to_string();
            // It is the place within the line that the parser tells.
            let end = text.find(" at line ").unwrap_or(text.len());
            match &text[..end] {
                broken if broken.starts_with("EOF") => "the line breaks off".to_owned(),
                wrong => wrong.to_owned(),
            }
        })?;
        let trace = line.trace_id.trim().to_owned();
        if trace.is_empty() || trace == "-" || trace.starts_with("latest") {
            return Err(format!("expected the id of a trace, found `{trace}`"));
        }
        let others = line.others.keys();
        let others = others
            .filter(|key| !ITS_OWN.contains(&key.as_str()))
            .cloned();
        self.others.extend(others);
        let new = assessment(line, defaults)?;
        let all = self.of.entry(trace.clone()).or_default();
        if all.is_empty() {
            self.traces.push(trace);
        }
        all.push(new);
        Ok(())
    }

    /// The traces and what is to be done to them: to all of the file, or to those of them
    /// that are named.
    fn plan(
        mut self,
        context: &Context,
        args: &AssessArgs,
    ) -> Result<(Vec<String>, AssessmentPlan)> {
        if !args.words.is_empty() {
            let (ids, missing) = resolve::known_and_missing(context, &args.words)?;
            let wanted: HashSet<String> = ids
                .into_iter()
                .chain(missing.into_iter().map(|(id, _)| id))
                .collect();
            let all = self.traces.len();
            self.traces.retain(|id| wanted.contains(id));
            let left_out = all - self.traces.len();
            if left_out > 0 {
                let traces = units::counted(left_out, "trace");
                context.note(&format!(
                    "left out {traces} of the file that were not named"
                ));
            }
        }
        let mut plan = AssessmentPlan::default();
        for typed in &self.traces {
            // Ids may be written in more than one way.
            let id = match resolve::trace_id(context, typed) {
                Ok(id) => id,
                Err(error) if resolve::is_missing(&error) => typed.clone(),
                Err(error) => return Err(error),
            };
            let changes = plan.single.entry(id).or_insert_with(|| AssessmentChanges {
                replace: args.replace,
                ..AssessmentChanges::default()
            });
            changes
                .make
                .extend(self.of.remove(typed).unwrap_or_default());
        }
        Ok((self.traces, plan))
    }
}

fn assessment(line: Line, defaults: &Defaults) -> Result<Assessment, String> {
    check_name(&line.name).map_err(|error| error.to_string())?;
    if line.value.is_null() {
        return Err(format!("`{}` has no value: null says nothing", line.name));
    }
    let is_expectation = match line.kind.as_deref() {
        None => defaults.expectation,
        Some("feedback") => false,
        Some("expectation") => true,
        Some(other) => {
            return Err(format!(
                "kind: expected feedback or expectation, found `{other}`"
            ));
        }
    };
    let typed = match (&line.source, &line.source_type) {
        (Some(source), _) => Some(source.clone()),
        (None, Some(kind)) => {
            let id = line.source_id.as_deref().unwrap_or_default();
            Some(format!("{kind}:{id}"))
        }
        (None, None) => None,
    };
    let source = match typed {
        Some(typed) => source(Some(&typed), &Env::from_process())
            .map_err(|error| error.to_string().trim_start_matches('-').to_owned())?,
        None => defaults.source.clone(),
    };
    let span_id = line.span_id.filter(|id| !id.is_empty());
    let span_id = span_id.map(|id| SpanId::new(id.to_ascii_lowercase()));
    let mut metadata = defaults.metadata.clone();
    for (key, value) in line.metadata.unwrap_or_default() {
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        metadata.insert(key, text);
    }
    let value = line.value;
    Ok(Assessment {
        id: None,
        name: line.name,
        span_id,
        source,
        create_time: None,
        last_update_time: None,
        kind: if is_expectation {
            AssessmentKind::Expectation { value }
        } else {
            AssessmentKind::Feedback { value, error: None }
        },
        rationale: line.rationale.or_else(|| defaults.rationale.clone()),
        metadata,
        overrides: None,
        valid: true,
    })
}
