//! A trace: how it ended, why it failed, what was asked and answered, its spans with
//! those of a name told together, and what was said.

use std::borrow::Cow;
use std::collections::HashMap;

use super::budget::{self, Again, Block, Budget, RestId, Share};
use super::fold::{Fold, by_importance, fold};
use super::{said, some, tokens};
use crate::analysis::{Conversation, LatencyReport, NodeId, Quantile, percentile};
use crate::field;
use crate::model::{Cost, SpanId, StatusCode, TokenUsage, Trace};
use crate::render::column::{assessment_value, state_word};
use crate::render::short_id::ShortIds;
use crate::render::{preview, summary};
use crate::text::Clean;
use crate::units::{self, Zone};

/// Folds of spans, and messages, before the rest of the others.
const FIRST_FOLDS: usize = 40;
const FIRST_MESSAGES: usize = 16;
/// Failures that are told of by themselves.
const FAILURES: usize = 5;
/// Deeper spans are not indented further.
const DEEPEST: usize = 24;
/// Fewest characters of the id of a span.
const LEAST_ID: usize = 4;

/// Traces, one below the other.
#[derive(Debug)]
pub struct Traces {
    budget: Budget,
    /// Where there are several.
    rest: Option<RestId>,
    ids: ShortIds,
    command: String,
    most_chars: usize,
}

impl Traces {
    /// Those with these ids, in so many tokens. `again` is what shows all of them,
    /// `command` how mlt is called to look into one.
    pub fn new(tokens: usize, ids: &[String], again: &str, command: &str) -> Self {
        let mut budget = Budget::new(tokens);
        let several = ids.len() > 1;
        let rest = several.then(|| budget.rest(0, budget::more_traces, Again::new(again)));
        Self {
            budget,
            rest,
            ids: ShortIds::among(ids.iter().map(String::as_str)),
            command: command.to_owned(),
            // No text has more to a token.
            most_chars: tokens.saturating_mul(16),
        }
    }

    /// Adds a trace.
    pub fn push(&mut self, report: &LatencyReport<'_>, conversation: &Conversation) {
        if let Some(rest) = self.rest {
            self.budget.add(rest, 1);
        }
        let id = self.ids.short(&report.trace.info.trace_id).to_owned();
        let command =
            |option: &str| Again::new(format!("{} get {id}{option}", self.command).trim());
        let (spans, chat) = (command(""), command(" --chat"));
        let mut block = self.budget.block();
        let shown = self.rest.map(|rest| Share { of: rest, count: 1 });
        block.level(0);
        block.line(HEAD, 0, head(report, &id), shown);
        block.level(1);
        let spans = block.rest(report.tree.len(), budget::more_spans, spans);
        let messages = said::messages(conversation, "", self.most_chars);
        let said = block.rest(said::count(&messages), budget::messages_left, chat);
        block.level(2);
        let short = short_span_ids(report.trace);
        let failures = failures(report, &short);
        let mut failures = failures.into_iter().enumerate();
        let add_failure = |block: &mut Block<'_>, (at, line)| block.line(FAILED, at, line, None);
        failures.by_ref().take(1).for_each(|one| {
            add_failure(&mut block, one);
        });
        for (at, line) in previews(report, &messages).into_iter().enumerate() {
            block.line(ASKED, at, line, None);
        }
        failures.by_ref().take(FAILURES - 1).for_each(|one| {
            add_failure(&mut block, one);
        });
        block.level(3);
        block.line(ABOUT, 0, about(report.trace), None);
        for (at, one) in report.trace.info.assessments.iter().enumerate() {
            let name = tokens::fit(&one.name, super::WORD);
            let value = tokens::fit(&assessment_value(one), super::NAME);
            let line = Clean::line("judged ").then(name).then(": ").then(value);
            block.line(ABOUT, 1 + at, line, None);
        }
        block.level(4);
        let folds = fold(report);
        let order = by_importance(&folds, report);
        let (first, more) = order.split_at(order.len().min(FIRST_FOLDS));
        let add_folds = |block: &mut Block<'_>, folds_at: &[usize]| {
            folds_at.iter().all(|at| {
                let fold = &folds[*at];
                let of = Some(Share {
                    of: spans,
                    count: fold.nodes.len(),
                });
                block.line(SPANS, 1 + fold.place, fold_line(report, fold, &short), of)
            })
        };
        if !folds.is_empty() {
            block.line(SPANS, 0, Clean::line(LEGEND), None);
        }
        add_folds(&mut block, first);
        block.level(5);
        let all = messages.len();
        let early = all.min(FIRST_MESSAGES);
        said::add_first(&mut block, SAID, &messages, 0..early, said);
        block.level(6);
        add_folds(&mut block, more);
        block.level(7);
        said::add_first(&mut block, SAID, &messages, early..all, said);
        block.level(8);
        said::add_more(&mut block, SAID, &messages, 0..all, said);
    }

    /// What there was room for.
    pub fn finish(self) -> Clean {
        self.budget.finish()
    }
}

/// Sections of a trace.
const HEAD: usize = 0;
const FAILED: usize = 1;
const ASKED: usize = 2;
const ABOUT: usize = 3;
const SPANS: usize = 4;
const SAID: usize = 5;

const LEGEND: &str = "spans: duration, self time and its share, * on the critical path";

fn head(report: &LatencyReport<'_>, id: &str) -> Clean {
    let info = &report.trace.info;
    let mut facts = Vec::new();
    if !report.tree.is_empty() {
        facts.push(summary::total_text(report));
        facts.extend(some(report.tree.len(), "span"));
        let failed = report
            .nodes()
            .filter(|(id, _)| report.span(*id).status == StatusCode::Error);
        let failed = failed.count();
        facts.extend((failed > 0).then(|| format!("{} failed", units::whole(failed))));
    }
    let used = report.usage();
    let tokens = used.tokens.value().and_then(TokenUsage::total);
    facts.extend(tokens.map(|tokens| format!("{} tokens", units::count(tokens))));
    let cost = used.cost.value().and_then(Cost::total);
    facts.extend(cost.map(units::cost));
    Clean::line("trace ")
        .then(tokens::fit(id, 40))
        .then(" ")
        .then(super::name(info, Some(report)))
        .then(" ")
        .then(tokens::fit(state_word(info), super::WORD))
        .then(if facts.is_empty() { "" } else { " " })
        .then(facts.join(", "))
}

/// What was asked, and what was answered.
fn previews(report: &LatencyReport<'_>, messages: &[said::Message]) -> Vec<Clean> {
    let [asked, answered] = preview::of(&report.trace.info, Some(report));
    let asked = asked.or_else(|| said::first_question(messages).map(Cow::Borrowed));
    let lines = [("asked: ", asked), ("answered: ", answered)];
    let lines = lines.into_iter().filter_map(|(word, text)| {
        let text = text.filter(|text| !text.trim().is_empty())?;
        Some(Clean::line(word).then(tokens::fit(text.trim(), super::SAID)))
    });
    lines.collect()
}

/// The whole id, and where the trace belongs.
fn about(trace: &Trace) -> Clean {
    let info = &trace.info;
    let mut line = Clean::line("id ").then(tokens::fit(&info.trace_id, 60));
    if let Some(time) = info.request_time {
        line = line.then(", ").then(units::time(time, Zone::Utc));
    }
    for (word, value) in [("session", info.session()), ("user", info.user())] {
        if let Some(value) = value {
            let value = tokens::fit(value, super::NAME);
            line = line.then(format!(", {word} ")).then(value);
        }
    }
    let prompts = field::prompts(info).join(", ");
    if !prompts.is_empty() {
        let prompts = tokens::fit(&prompts, super::SAID);
        line = line.then(", prompts ").then(prompts);
    }
    line
}

/// A line for each failure with the span in which it began, the first at the front, and
/// those that are the same as one.
fn failures(report: &LatencyReport<'_>, short: &ShortSpans) -> Vec<Clean> {
    let mut same: HashMap<(&str, String), usize> = HashMap::new();
    let mut found: Vec<(NodeId, String, usize)> = Vec::new();
    for id in report.tree.failure_origins(report.trace) {
        let span = report.span(id);
        let text = span.failure().unwrap_or_default();
        let at = *same.entry((&span.name, text.clone())).or_insert_with(|| {
            found.push((id, text, 0));
            found.len() - 1
        });
        found[at].2 += 1;
    }
    let line = |(id, text, count): (NodeId, String, usize)| {
        let span = report.span(id);
        let mut line = Clean::line("failed: ").then(tokens::fit(&span.name, super::NAME));
        if count > 1 {
            line = line.then(format!(" ×{}", units::whole(count)));
        }
        line = line.then(" ").then(short.of(&span.span_id));
        if text.is_empty() {
            return line;
        }
        line.then(": ").then(tokens::fit(&text, super::ERROR))
    };
    found.into_iter().map(line).collect()
}

fn fold_line(report: &LatencyReport<'_>, fold: &Fold, short: &ShortSpans) -> Clean {
    let span = report.span(fold.nodes[0]);
    let name = if span.name.is_empty() {
        Clean::line("(no name)")
    } else {
        tokens::fit(&span.name, super::NAME)
    };
    let mut line = Clean::line("- ")
        .indented(fold.depth.min(DEEPEST))
        .then(name);
    if fold.depth > DEEPEST {
        line = line.then(format!(" (depth {})", fold.depth));
    }
    if let Some(kind) = span.own_type() {
        line = line.then(" ").then(tokens::fit(&kind, super::WORD));
    }
    let status = match span.status {
        StatusCode::Ok => " ok",
        StatusCode::Unset => "",
        StatusCode::Error => " ERROR",
    };
    if let [only] = fold.nodes.as_slice() {
        let node = report.tree.node(*only);
        if fold.failed {
            line = line.then(status).then(" ").then(short.of(&span.span_id));
        }
        let took = summary::at_least(node.duration_ns(), node.in_progress);
        line = line.then(" ").then(took);
    } else {
        let count = units::whole(fold.nodes.len());
        line = line.then(format!(" ×{count}")).then(status);
        let nodes = fold.nodes.iter().map(|id| report.tree.node(*id));
        let ended = nodes.filter(|node| !node.in_progress);
        let mut durations: Vec<i64> = ended.map(crate::analysis::Node::duration_ns).collect();
        durations.sort_unstable();
        if let (Some(median), Some(most)) =
            (percentile(&durations, Quantile::P50), durations.last())
        {
            let [median, most] = [median, *most].map(units::duration);
            line = line.then(format!(" p50 {median} max {most}"));
        }
    }
    line = line.then(format!(", self {}", units::duration(fold.self_ns)));
    if let Some(ratio) = report.ratio(fold.self_ns) {
        line = line.then(format!(" {}", units::share(ratio)));
    }
    if fold.critical_ns > 0 {
        line = line.then(" *");
    }
    line
}

/// Beginnings of the ids of spans that tell them apart.
pub(super) struct ShortSpans(usize);

impl ShortSpans {
    pub(super) fn of(&self, id: &SpanId) -> Clean {
        let start: String = id.as_str().chars().take(self.0).collect();
        tokens::fit(&start, 20)
    }
}

pub(super) fn short_span_ids(trace: &Trace) -> ShortSpans {
    let mut ids: Vec<&str> = trace
        .spans
        .iter()
        .map(|span| span.span_id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let common = ids.windows(2).map(|pair| {
        let same = pair[0].chars().zip(pair[1].chars());
        1 + same.take_while(|(a, b)| a == b).count()
    });
    ShortSpans(common.max().unwrap_or(0).max(LEAST_ID))
}
