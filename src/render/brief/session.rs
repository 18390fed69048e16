//! A session: a line a turn, then what was said, the newest first to be shown.

use super::budget::{self, Again, Budget, Share};
use super::said::{self, Message};
use super::{some, tokens};
use crate::analysis::{LatencyReport, Quantile, Session, Turn, percentile};
use crate::model::{Cost, Timestamp, TokenUsage};
use crate::render::column::state_word;
use crate::render::short_id::ShortIds;
use crate::render::{preview, summary};
use crate::text::Clean;
use crate::units::{self, Zone};

/// Turns that have a line before anything that was said.
const FIRST_TURNS: usize = 40;
/// Tokens of the question of a turn.
const ASKED: usize = 40;

/// What is kept of a turn until all are known.
#[derive(Debug)]
pub struct KeptTurn {
    number: usize,
    trace_id: String,
    about: Clean,
    messages: Vec<Message>,
}

impl KeptTurn {
    /// Of each message no more than so many tokens may show.
    pub fn new(report: &LatencyReport<'_>, turn: &Turn, tokens: usize) -> Self {
        let info = &report.trace.info;
        let mut facts = vec![tokens::fit(state_word(info), super::WORD).to_string()];
        if !report.tree.is_empty() {
            facts.push(summary::total_text(report));
        }
        let used = turn.usage.tokens.value().and_then(TokenUsage::total);
        facts.extend(used.map(|tokens| format!("{} tokens", units::count(tokens))));
        let cost = turn.usage.cost.value().and_then(Cost::total);
        facts.extend(cost.map(units::cost));
        let mut about = Clean::line(facts.join(", "));
        let before = format!("{} ", turn.number);
        let most = tokens.saturating_mul(16);
        let messages = said::messages(&turn.conversation, &before, most);
        let [request, _] = preview::of(info, Some(report));
        let asked = request.as_deref().or(said::first_question(&messages));
        if let Some(asked) = asked {
            about = about
                .then(", asked: ")
                .then(tokens::fit(asked.trim(), ASKED));
        }
        Self {
            number: turn.number,
            trace_id: info.trace_id.clone(),
            about,
            messages,
        }
    }
}

/// A session with these turns of it; `command` shows all of it.
pub fn brief(
    tokens: usize,
    id: &str,
    session: &Session,
    turns: impl IntoIterator<Item = KeptTurn>,
    command: &str,
) -> Clean {
    let turns: Vec<KeptTurn> = turns.into_iter().collect();
    let mut ids = ShortIds::among(turns.iter().map(|turn| turn.trace_id.as_str()));
    let mut budget = Budget::new(tokens);
    let mut block = budget.block();
    block.level(0);
    block.line(0, 0, head(id, session), None);
    block.level(1);
    let again = Again::new(command);
    let rest = block.rest(turns.len(), budget::more_turns, again.clone());
    let mut lines: Vec<(usize, Clean)> = Vec::new();
    let mut messages = Vec::new();
    for turn in turns {
        let id = tokens::fit(ids.short(&turn.trace_id), 40);
        let line = Clean::line(format!("turn {} ", turn.number)).then(id);
        lines.push((turn.number, line.then(": ").then(turn.about)));
        messages.extend(turn.messages);
    }
    let said = block.rest(said::count(&messages), budget::messages_left, again);
    block.level(2);
    let early = lines.len().saturating_sub(FIRST_TURNS);
    let add = |lines: &[(usize, Clean)], block: &mut budget::Block<'_>| {
        lines.iter().rev().all(|(number, line)| {
            let of = Some(Share { of: rest, count: 1 });
            block.line(1, *number, line.clone(), of)
        })
    };
    add(&lines[early..], &mut block);
    block.level(3);
    said::add_first(&mut block, 2, &messages, (0..messages.len()).rev(), said);
    block.level(4);
    said::add_more(&mut block, 2, &messages, (0..messages.len()).rev(), said);
    block.level(5);
    add(&lines[..early], &mut block);
    budget.finish()
}

fn head(id: &str, session: &Session) -> Clean {
    let mut facts: Vec<String> = some(session.turns, "turn").into_iter().collect();
    facts.extend((session.failed > 0).then(|| format!("{} failed", units::whole(session.failed))));
    let used = session.usage.as_ref().and_then(TokenUsage::total);
    facts.extend(used.map(|tokens| format!("{} tokens", units::count(tokens))));
    facts.extend(session.cost.as_ref().and_then(Cost::total).map(units::cost));
    let mut durations = session.durations_ns.clone();
    durations.sort_unstable();
    let median = percentile(&durations, Quantile::P50);
    facts.extend(median.map(|ns| format!("median {}", units::duration(ns))));
    facts.extend(session.extent_ns.map(|(start, _)| {
        let time = Timestamp::from_nanos(start);
        format!("from {}", units::time(time, Zone::Utc))
    }));
    let id = tokens::fit(id, 40);
    Clean::line("session ")
        .then(id)
        .then(": ")
        .then(facts.join(", "))
}
