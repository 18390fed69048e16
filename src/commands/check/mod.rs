//! `mlt check`: judge traces by rules, for a job that has to know. Traces are
//! given to the rules' aggregates one by one; where asked for, they are looked at
//! again until nothing is in progress any more.

mod baseline;
mod report;
mod rules;
mod wait;

use anyhow::Result;

use super::gather::{Gathered, Need, gather};
use super::{Context, resolve};
use crate::analysis::{Judgement, Problem, Ruling, Standing, Tally, Terms};
use crate::cli::{CheckArgs, Percent, SelectionArgs};
use crate::error::Exit;
use crate::filter::aggregate;
use crate::model::Trace;
use crate::store::Detail;
use baseline::Baseline;
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
    let before = args.baseline.as_deref().map(Baseline::read).transpose()?;
    rules.resolve_experiments(context)?;
    let judge = Judge {
        tally: Tally::new(
            &rules
                .iter()
                .map(|rule| rule.aggregate.clone())
                .collect::<Vec<_>>(),
        ),
        rules: &rules,
        before,
        args,
    };
    let Looked {
        mut verdict,
        gathered,
    } = wait::until_settled(context, args, &judge)?;
    verdict.truncated = gathered.truncated();
    report.write(context, args, &verdict)?;
    if let Some(path) = &args.save {
        baseline::save(context, path, args, &verdict)?;
    }
    // Rules that hold on a part of the traces may fail on the rest.
    gathered.finish(context)?;
    Ok(if verdict.passed() {
        Exit::Success
    } else {
        Exit::Condition
    })
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
            .any(|rule| rule.aggregate.measure.is_usage());
        let need = match self.tally.need() {
            aggregate::Need::Info => Need::INFO,
            aggregate::Need::Times if !usage => Need::with_spans(Detail::Times),
            aggregate::Need::Times | aggregate::Need::Measures => {
                Need::with_spans(Detail::Measures)
            }
            aggregate::Need::Whole => Need::with_spans(Detail::Whole),
        };
        Need { usage, ..need }
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
        } else if traces == 0 && gathered.failures.is_empty() && !self.args.allow_empty {
            Some(Problem::NoTraces)
        } else {
            None
        };
        let verdict = Judgement {
            traces,
            in_progress,
            problem,
            truncated: false,
            rulings: self.rulings(&tally),
        };
        Ok(Looked { verdict, gathered })
    }

    fn rulings(&self, tally: &Tally) -> Vec<Ruling> {
        let terms = Terms {
            allow_empty: self.args.allow_empty,
            max_regression: self.args.max_regression.map(Percent::share),
        };
        let rules = self.rules.iter().zip(tally.results());
        rules
            .map(|(rule, measured)| {
                let name = rule.aggregate.to_string();
                let before = self.before.as_ref().and_then(|file| file.value(&name));
                Ruling::new(rule, measured, before, terms)
            })
            .collect()
    }

    /// Whether another look may find more: no trace yet, one that cannot be had
    /// yet, one in progress, or a count that has to be larger.
    fn may_change(&self, looked: &Looked) -> bool {
        let verdict = &looked.verdict;
        let wants_more = || {
            let mut rules = self.rules.iter().zip(&verdict.rulings);
            rules.any(|(rule, ruling)| ruling.wants_more(rule))
        };
        verdict.traces == 0
            || !looked.gathered.failures.is_empty()
            || verdict.problem.is_some()
            || wants_more()
    }
}
