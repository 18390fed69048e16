//! `mlt check`: judge traces by rules, for a job that has to know. Traces are
//! given to the rules' aggregates one by one; where asked for, they are looked at
//! again until nothing is in progress any more.

mod baseline;
mod report;
mod rules;
mod wait;

use anyhow::Result;

use super::gather::{Gathered, Need, gather, with_usage};
use super::{Context, resolve};
use crate::analysis::{Change, Judgement, Noise, Problem, Ruling, Standing, Tally, Terms};
use crate::cli::{CheckArgs, SelectionArgs};
use crate::error::{CommandError, Exit, is_broken_pipe};
use crate::file::Target;
use crate::filter::aggregate::Unit;
use crate::model::Trace;
use crate::text::sanitize;
use crate::units::{Number, Percent};
use baseline::{Baseline, Lack};
use report::Report;
use rules::Rules;

pub(super) fn run(context: &Context, args: &CheckArgs) -> Result<Exit> {
    let mut args = args.clone();
    // Ids may stand behind the rules.
    let words = std::mem::take(&mut args.rules).into_iter();
    let (ids, rules): (Vec<_>, _) = words.partition(|word| resolve::names_a_trace(word));
    args.rules = rules;
    args.selection.traces.extend(ids);
    let args = &args;
    let report = Report::new(context)?;
    let mut rules = Rules::read(context, args)?;
    let moment = rules::moment(context);
    let read = |path| Baseline::read(path, &moment);
    let before = args.baseline.as_deref().map(read).transpose()?;
    let save = args.save.as_deref();
    let save = save.map(|path| Ok::<_, CommandError>((path, Target::create(path)?)));
    let save = save.transpose()?;
    rules.resolve_experiments(context)?;
    let aggregates: Vec<_> = rules.iter().map(|n| n.rule.aggregate.clone()).collect();
    let tally = Tally::new(&aggregates);
    let compares = args.baseline.is_some() || args.save.is_some();
    let judge = Judge {
        tally: if compares { tally.with_spread() } else { tally },
        rules: &rules,
        before,
        args,
    };
    let Looked {
        mut verdict,
        gathered,
    } = wait::until_settled(context, args, &judge)?;
    verdict.truncated = gathered.truncated();
    let reported = report.write(context, args, &verdict);
    note_comparison(context, &judge, &verdict);
    if let Some((path, target)) = save {
        baseline::save(context, path, target, args, &verdict)?;
    }
    match reported {
        // Who has read enough of it wants to know all the same what it came to.
        Err(error) if is_broken_pipe(&error) => {}
        reported => reported?,
    }
    // Rules that hold on a part of the traces may fail on the rest.
    let is_sure = args.ignore_unreadable || !gathered.lacks_usage();
    gathered.finish(context)?;
    let exit = if verdict.passed() {
        Exit::Success
    } else {
        Exit::Condition
    };
    Ok(exit.but_incomplete(!is_sure))
}

/// The rules with all that is needed to judge traces by them.
struct Judge<'a> {
    /// Of no trace yet.
    tally: Tally,
    rules: &'a Rules,
    before: Option<Baseline>,
    args: &'a CheckArgs,
}

/// One look at the traces.
struct Looked {
    verdict: Judgement,
    gathered: Gathered,
}

impl Judge<'_> {
    fn need(&self) -> Need {
        let usage = self
            .rules
            .iter()
            .any(|named| named.rule.aggregate.measure.is_usage());
        Need {
            usage,
            spans: with_usage(self.tally.detail(), usage),
            ..Need::INFO
        }
    }

    /// Looks at the traces once.
    fn look(&self, context: &Context, selection: &SelectionArgs) -> Result<Looked> {
        let mut tally = self.tally.clone();
        let mut traces = 0;
        let mut in_progress = Vec::new();
        let mut add = |trace: Trace| {
            if Standing::of(&trace) == Standing::InProgress {
                in_progress.push(trace.info.trace_id);
            } else {
                tally.add(&trace);
                traces += 1;
            }
            Ok(())
        };
        let gathered = gather(context, selection, self.need(), "checking", &mut add)?;
        let problem = if !in_progress.is_empty() && !self.args.ignore_in_progress {
            Some(Problem::InProgress)
        } else if !gathered.unreadable.is_empty() && !self.args.ignore_unreadable {
            Some(Problem::Unreadable)
        } else if traces == 0 && gathered.failures.is_empty() && !self.args.allow_empty {
            Some(Problem::NoTraces)
        } else {
            None
        };
        let verdict = Judgement {
            traces,
            in_progress,
            problem,
            unreadable: gathered.unreadable.clone(),
            truncated: false,
            rulings: self.rulings(&tally),
        };
        Ok(Looked { verdict, gathered })
    }

    fn rulings(&self, tally: &Tally) -> Vec<Ruling> {
        let terms = Terms {
            allow_empty: self.args.allow_empty,
            max_regression: self.args.max_regression.map(Percent::share),
            strict: self.args.strict,
        };
        let rules = self.rules.iter().zip(tally.results());
        rules
            .map(|(named, measured)| {
                let earlier = self.before.as_ref().and_then(|file| file.value(&named.key));
                Ruling {
                    rule: named.text.clone(),
                    aggregate: named.aggregate.clone(),
                    ..Ruling::new(&named.rule, measured, earlier, terms)
                }
            })
            .collect()
    }

    /// Whether another look may find more: no trace yet, one that cannot be had
    /// yet, one in progress, or a count that has to be larger.
    fn may_change(&self, looked: &Looked) -> bool {
        let verdict = &looked.verdict;
        let wants_more = || {
            let mut rules = self.rules.iter().zip(&verdict.rulings);
            rules.any(|(named, ruling)| ruling.wants_more(&named.rule))
        };
        verdict.traces == 0
            || !looked.gathered.failures.is_empty()
            || verdict
                .problem
                .is_some_and(|problem| problem != Problem::Unreadable)
            || wants_more()
    }
}

/// Says what the comparison with a baseline could not tell.
fn note_comparison(context: &Context, judge: &Judge<'_>, verdict: &Judgement) {
    let Some(before) = &judge.before else {
        return;
    };
    let named = |is: &dyn Fn(&Ruling, Change) -> bool| -> Vec<String> {
        let rulings = verdict.rulings.iter();
        rulings
            .filter(|ruling| ruling.change.is_some_and(|change| is(ruling, change)))
            .map(|ruling| format!("`{}`", sanitize::line(&ruling.aggregate)))
            .collect()
    };
    let list = |names: &[String]| {
        let are = if names.len() == 1 { "is" } else { "are" };
        format!("{} {are}", names.join(", "))
    };
    let missing = named(&|_, change| !change.known);
    if !missing.is_empty() {
        context.note(&format!(
            "{} not in the baseline, and not compared",
            list(&missing)
        ));
    }
    let nothing = named(&|ruling, change| {
        let is_none = |value: Option<Number>| value.is_none_or(|value| value.as_f64() == 0.0);
        let counts = ruling.unit == Unit::Amount && is_none(change.before);
        change.known && is_none(ruling.measured.value) && (counts || change.before.is_none())
    });
    if !nothing.is_empty() {
        context.note(&format!(
            "{} about nothing that is there, here and in the baseline",
            list(&nothing)
        ));
    }
    let few = named(&|ruling, change| {
        change.exceeds && ruling.passed() && matches!(change.noise, Some(Noise::TooFew { .. }))
    });
    if !few.is_empty() {
        context.note(&format!(
            "{} worse by more than is allowed, with too few samples to tell that from chance; --strict fails it",
            list(&few)
        ));
    }
    match before.lacks {
        None => {}
        Some(Lack::Spreads) => context.note(
            "the baseline is of an older mlt and does not say how far values are spread, so chance is left aside; write it anew with --save",
        ),
        Some(Lack::SpreadsOfSpans) => {
            let unknown = named(&|_, change| change.noise == Some(Noise::Unknown));
            if !unknown.is_empty() {
                context.note(&format!(
                    "the baseline is of an older mlt, which took each span for a sample of its own, so chance is left aside for {}; write it anew with --save",
                    unknown.join(", ")
                ));
            }
        }
    }
}
