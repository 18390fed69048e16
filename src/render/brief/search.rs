//! A list of traces, a line each.

use super::budget::{self, Again, Budget, RestId, Share};
use super::tokens;
use crate::field::Field;
use crate::model::{Cost, TokenUsage, Trace};
use crate::render::column::state_word;
use crate::render::preview;
use crate::render::short_id::ShortIds;
use crate::text::Clean;
use crate::units::{self, Zone};

/// Tokens of a question in a list.
const ASKED: usize = 40;

/// Traces that were found.
#[derive(Debug)]
pub struct Found {
    budget: Budget,
    rest: RestId,
    beyond: RestId,
    ids: ShortIds,
}

impl Found {
    /// In so many tokens; `again` lists all of them.
    pub fn new(tokens: usize, again: &str) -> Self {
        let mut budget = Budget::new(tokens);
        let rest = budget.rest(0, budget::more_traces, Again::new(again));
        let all = Again::new(&format!("{again} --all"));
        let beyond = budget.rest(0, |_| "more traces match than were listed".to_owned(), all);
        Self {
            budget,
            rest,
            beyond,
            ids: ShortIds::among(std::iter::empty()),
        }
    }

    /// Adds a trace.
    pub fn push(&mut self, trace: &Trace) {
        let info = &trace.info;
        self.budget.add(self.rest, 1);
        if self.budget.is_spent() {
            return;
        }
        let of = Some(Share {
            of: self.rest,
            count: 1,
        });
        let id = tokens::fit(self.ids.short(&info.trace_id), 40);
        let mut facts = vec![tokens::fit(state_word(info), super::WORD).to_string()];
        facts.extend(info.execution_duration_ns.map(units::server_duration));
        let used = info.usage().as_ref().and_then(TokenUsage::total);
        facts.extend(used.map(|tokens| format!("{} tokens", units::count(tokens))));
        facts.extend(info.cost().as_ref().and_then(Cost::total).map(units::cost));
        facts.extend(info.request_time.map(|time| units::time(time, Zone::Utc)));
        let mut line = Clean::line("trace ")
            .then(id)
            .then(" ")
            .then(super::name(info, None));
        line = line.then(" ").then(facts.join(", "));
        if let Some(request) = info.previews().0 {
            let asked = preview::asked(request);
            line = line
                .then(", asked: ")
                .then(tokens::fit(asked.trim(), ASKED));
        }
        // What failed is known where failures were asked for.
        if !trace.spans.is_empty() {
            for (word, field, most) in [
                (", failed in: ", Field::Failed, super::NAME),
                (", error: ", Field::Error, super::ERROR),
            ] {
                if let Some(value) = field.value(trace) {
                    line = line.then(word).then(tokens::fit(&value.into_text(), most));
                }
            }
        }
        let mut block = self.budget.block();
        block.level(0);
        block.line(0, 0, line, of);
    }

    /// What there was room for, and whether more match than were added.
    pub fn finish(mut self, more_match: bool) -> Clean {
        self.budget.add(self.beyond, usize::from(more_match));
        self.budget.finish()
    }
}
