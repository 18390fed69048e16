//! The rules of a check, from the command line and from files.

use std::io;
use std::path::Path;

use anyhow::Result;

use super::super::Context;
use super::super::selection::warn_of_links;
use crate::cli::CheckArgs;
use crate::error::{CommandError, Exit, RuleError};
use crate::filter::aggregate::{Rule, Unit, parse_rule, without_comment};
use crate::filter::{Moment, Zone, diagnostics};
use crate::io_words::plain_io_reason;
use crate::regular;

/// The largest file of rules, in bytes.
const LARGEST: u64 = 16 << 20;
use crate::store::{Location, Scope};

/// Rules in their order: those of the command line first.
pub(super) struct Rules(Vec<Named>);

/// A rule with what it is called, which does not change with the store.
pub(super) struct Named {
    pub(super) rule: Rule,
    /// The rule, as it is printed.
    pub(super) text: String,
    /// Its aggregate, likewise.
    pub(super) aggregate: String,
    /// What it is known by in a baseline.
    pub(super) key: String,
}

/// A rule as it was written.
struct Written {
    place: Option<String>,
    text: String,
}

impl Rules {
    /// Reads all rules. Doubts about them go to standard error.
    ///
    /// # Errors
    /// A rule that does not parse, a file that cannot be read, and no rule at all.
    pub(super) fn read(context: &Context, args: &CheckArgs) -> Result<Self> {
        check_stdin(context, args)?;
        let mut written: Vec<Written> = args
            .rules
            .iter()
            .map(|text| Written {
                place: None,
                text: text.clone(),
            })
            .collect();
        for path in &args.files {
            written.extend(lines(context, path)?);
        }
        if written.is_empty() {
            let error = CommandError::usage("expected a rule, found none");
            return Err(error
                .hint("write for example --require 'p95(duration) <= 2s', or --rules FILE")
                .into());
        }
        let moment = moment(context);
        let may_be_bare = args.baseline.is_some() || args.save.is_some();
        let mut rules = Vec::with_capacity(written.len());
        for Written { place, text } in written {
            let rule = match parse_rule(&text, &moment) {
                Ok(rule) => rule,
                Err(error) => return Err(RuleError { place, text, error }.into()),
            };
            for warning in rule.aggregate.filter.warnings() {
                let color = context.terminal.error_color;
                context.warn(diagnostics::render_warning(&text, warning, color));
            }
            for note in rule.aggregate.filter.notes() {
                context.note(note);
            }
            warn_of_links(context, &rule.aggregate.filter);
            if let Some(note) = read_as(&rule, &text) {
                context.note(&note);
            }
            if rule.bound.is_none() && !may_be_bare {
                return Err(bare(&rule, place.as_deref()));
            }
            rules.push(Named {
                text: rule.to_string(),
                aggregate: rule.aggregate.to_string(),
                key: rule.aggregate.key(),
                rule,
            });
        }
        Ok(Self(rules))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Named> {
        self.0.iter()
    }

    /// Puts ids for the names of experiments that conditions mention.
    ///
    /// # Errors
    /// Those of the store.
    pub(super) fn resolve_experiments(&mut self, context: &Context) -> Result<()> {
        let names = |named: &Named| named.rule.aggregate.filter.names_experiments();
        if !self.0.iter().any(names) {
            return Ok(());
        }
        let known: Vec<(String, String)> = context
            .store()?
            .experiments(Scope::Active)?
            .into_iter()
            .map(|experiment| (experiment.id, experiment.name))
            .collect();
        for Named { rule, .. } in &mut self.0 {
            rule.aggregate.filter.resolve_experiments(&known);
        }
        Ok(())
    }
}

/// Standard input ends where it was read once.
fn check_stdin(context: &Context, args: &CheckArgs) -> Result<()> {
    let rules = args.files.iter().filter(|path| *path == Path::new("-"));
    let ids = args.selection.traces.iter().filter(|word| *word == "-");
    let traces = matches!(context.settings.location, Location::Stdin);
    if rules.clone().count() > 0 && rules.count() + ids.count() + usize::from(traces) > 1 {
        return Err(CommandError::usage(
            "standard input cannot hold both the rules and something else",
        )
        .into());
    }
    Ok(())
}

/// When and where rules are read.
pub(super) fn moment(context: &Context) -> Moment {
    Moment {
        now: context.now,
        zone: Zone::Local,
    }
}

/// How a time without a unit is read.
fn read_as(rule: &Rule, text: &str) -> Option<String> {
    let limit = rule.bound?.limit.as_f64();
    if rule.aggregate.unit() != Unit::Time || limit == 0.0 {
        return None;
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, '=' | '<' | '>');
    let number = text.trim_end().rsplit(ends).next()?;
    number
        .ends_with(|c: char| c.is_ascii_digit() || c == '.')
        .then(|| format!("`{number}` is read as {number} ms"))
}

/// An aggregate that is compared with nothing.
fn bare(rule: &Rule, place: Option<&str>) -> anyhow::Error {
    let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
    CommandError::usage(format!(
        "{place}the aggregate `{}` is compared with nothing",
        rule.aggregate
    ))
    .hint("write a comparator and a value after it, or compare it with --baseline FILE")
    .into()
}

fn stdin(context: &Context) -> io::Result<Vec<u8>> {
    context.terminal.leave_to_dialogue(true);
    let text = regular::read_up_to(io::stdin().lock(), LARGEST);
    context.terminal.leave_to_dialogue(false);
    text
}

/// The rules of a file, each with its place.
fn lines(context: &Context, path: &Path) -> Result<Vec<Written>> {
    let is_stdin = path == Path::new("-");
    let named = if is_stdin {
        Path::new("standard input")
    } else {
        path
    };
    let refuse = |reason: String| {
        let path = named.display();
        CommandError::new(
            Exit::Data,
            format!("cannot read the rules in {path}: {reason}"),
        )
    };
    let text = if is_stdin {
        stdin(context)
    } else {
        regular::read_any(path, LARGEST)
    };
    let text = text.map_err(|error| refuse(plain_io_reason(&error)))?;
    let text = String::from_utf8(text).map_err(|_| refuse("it is not UTF-8".to_owned()))?;
    let text = text.trim_start_matches('\u{feff}');
    let written = text.lines().enumerate().filter_map(|(at, line)| {
        let rule = without_comment(line).trim();
        (!rule.is_empty()).then(|| Written {
            place: Some(format!("{}:{}", named.display(), at + 1)),
            text: rule.to_owned(),
        })
    });
    Ok(written.collect())
}
