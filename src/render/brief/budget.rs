//! Lines within a budget of tokens. Each line has a rank, by which it is taken, and a
//! place, at which it is written. Lines are taken by rank until the first that does not
//! fit: so a larger budget loses none that a smaller one had. What tells of the rest has
//! a rank, too, by which its room is set aside, and is written where something was left
//! out.

use crate::text::Clean;
use crate::units;

use super::tokens;

/// More lines than this are thinned out.
const MOST_LINES: usize = 10_000;
/// Tokens that a command to show the rest may take; a longer one is cut.
const COMMAND: usize = 60;
/// Said where there is no room to tell of something that was left out.
pub(super) const UNTOLD: &str = "more with a larger --budget";

/// Level, number within the level, block: blocks take turns.
type Rank = (usize, usize, usize);
/// Block, section, number within the section, part.
type Place = (usize, usize, usize, usize);

/// Takes lines until its tokens are used up.
#[derive(Debug)]
pub struct Budget {
    tokens: usize,
    blocks: usize,
    lines: Vec<Line>,
    rests: Vec<Rest>,
}

#[derive(Debug)]
struct Line {
    rank: Rank,
    place: Place,
    text: Clean,
    cost: usize,
    of: Option<Share>,
    /// Whether the next part of its place goes on with what it says.
    goes_on: bool,
    /// It is the room for what tells of a rest.
    tells: Option<RestId>,
}

/// What a line tells of something that is counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) of: RestId,
    /// How many it tells of in whole.
    pub(super) count: usize,
}

/// What is told of as a whole, in lines that may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RestId(usize);

#[derive(Debug)]
struct Rest {
    all: usize,
    words: fn(usize) -> String,
    command: Again,
}

/// A command that shows more.
#[derive(Debug, Clone)]
pub struct Again(Clean);

impl Again {
    /// As it is typed.
    pub fn new(command: &str) -> Self {
        Self(tokens::fit(command, COMMAND))
    }
}

impl Rest {
    fn line(&self, left: usize) -> Clean {
        Clean::line((self.words)(left))
            .then(": ")
            .then(self.command.0.clone())
    }
}

impl Budget {
    /// Of so many tokens.
    pub fn new(tokens: usize) -> Self {
        Self {
            tokens,
            blocks: 0,
            lines: Vec::new(),
            rests: Vec::new(),
        }
    }

    /// Begins what goes together, such as a trace, below what was begun before.
    pub(super) fn block(&mut self) -> Block<'_> {
        if self.lines.len() > MOST_LINES {
            self.thin();
        }
        let number = self.blocks;
        self.blocks += 1;
        Block {
            budget: self,
            number,
            level: 0,
            next: 0,
            spent: 0,
        }
    }

    /// Counts something of all blocks together, of which `words` tells how many are left
    /// out; said below everything else.
    pub(super) fn rest(
        &mut self,
        all: usize,
        words: fn(usize) -> String,
        command: Again,
    ) -> RestId {
        let id = self.remember(all, words, command);
        self.set_aside(id, (0, id.0, 0), (usize::MAX, 0, id.0, 0));
        id
    }

    /// Whether what was added takes more than there is, which is of use where all of it
    /// came in the order of its ranks.
    pub(super) fn is_spent(&self) -> bool {
        self.lines.iter().map(|line| line.cost).sum::<usize>() > self.tokens
    }

    /// Counts more of it.
    pub(super) fn add(&mut self, id: RestId, more: usize) {
        self.rests[id.0].all += more;
    }

    fn remember(&mut self, all: usize, words: fn(usize) -> String, command: Again) -> RestId {
        self.rests.push(Rest {
            all,
            words,
            command,
        });
        RestId(self.rests.len() - 1)
    }

    fn set_aside(&mut self, id: RestId, rank: Rank, place: Place) {
        self.lines.push(Line {
            rank,
            place,
            text: Clean::default(),
            cost: 0,
            of: None,
            goes_on: false,
            tells: Some(id),
        });
    }

    /// What was taken, in its places, with what was left out.
    pub fn finish(mut self) -> Clean {
        self.thin();
        loop {
            let text = self.written();
            if tokens::at_most(text.as_str()) <= self.tokens || self.lines.pop().is_none() {
                return text;
            }
        }
    }

    /// Keeps the lines that fit, by rank. What comes later only takes room from others.
    fn thin(&mut self) {
        self.lines.sort_by_key(|line| line.rank);
        let mut used = cost(&Clean::line(UNTOLD));
        let lines = std::mem::take(&mut self.lines).into_iter();
        let fits = |line: &Line| {
            used += match line.tells {
                // Numbers with fewer digits take no more.
                Some(id) => {
                    let rest = &self.rests[id.0];
                    cost(&rest.line(rest.all)).max(cost(&rest.line(1)))
                }
                None => line.cost,
            };
            used <= self.tokens
        };
        self.lines = lines.take_while(fits).collect();
    }

    fn written(&self) -> Clean {
        let mut left: Vec<usize> = self.rests.iter().map(|rest| rest.all).collect();
        for share in self.lines.iter().filter_map(|line| line.of) {
            left[share.of.0] = left[share.of.0].saturating_sub(share.count);
        }
        let mut lines: Vec<&Line> = self.lines.iter().collect();
        lines.sort_by_key(|line| line.place);
        let mut text = Clean::default();
        let told: Vec<RestId> = lines.iter().filter_map(|line| line.tells).collect();
        let is_untold = |(id, left): (usize, &usize)| *left > 0 && !told.contains(&RestId(id));
        let some_untold = left.iter().enumerate().any(is_untold);
        for (at, line) in lines.iter().enumerate() {
            if let Some(id) = line.tells {
                if left[id.0] > 0 {
                    text.push_line(self.rests[id.0].line(left[id.0]));
                }
                continue;
            }
            let (block, section, number, part) = line.place;
            let next = lines.get(at + 1).map(|next| next.place);
            if line.goes_on && next != Some((block, section, number, part + 1)) {
                text.push_line(cut(&line.text));
            } else {
                text.push_line(&line.text);
            }
        }
        if some_untold {
            text.push_line(UNTOLD);
        }
        text
    }
}

/// What is said in several lines, the rest of which are not there.
fn cut(line: &Clean) -> Clean {
    line.clone().then(" …")
}

fn cost(line: &Clean) -> usize {
    tokens::at_most(line.clone().end().as_str())
}

/// Lines that go together. They are added in the order of their ranks.
#[derive(Debug)]
pub(super) struct Block<'b> {
    budget: &'b mut Budget,
    number: usize,
    level: usize,
    next: usize,
    spent: usize,
}

impl Block<'_> {
    /// What follows is of less importance than all before it, in all blocks.
    pub(super) fn level(&mut self, level: usize) {
        // Level 0 is what is said of all together.
        self.level = level + 1;
        self.next = 0;
    }

    fn rank(&mut self) -> Rank {
        self.next += 1;
        (self.level, self.next, self.number)
    }

    /// Counts something of this block, of which `words` tells how many are left out.
    pub(super) fn rest(
        &mut self,
        all: usize,
        words: fn(usize) -> String,
        command: Again,
    ) -> RestId {
        let id = self.budget.remember(all, words, command);
        let rank = self.rank();
        let place = (self.number, usize::MAX, id.0, 0);
        self.budget.set_aside(id, rank, place);
        id
    }

    /// Adds a line to a section, behind its others. Whether there is any use in more.
    pub(super) fn line(
        &mut self,
        section: usize,
        number: usize,
        text: Clean,
        of: Option<Share>,
    ) -> bool {
        self.part((section, number, 0), text, of, false)
    }

    /// Adds a part of what takes several lines.
    pub(super) fn part(
        &mut self,
        (section, number, part): (usize, usize, usize),
        text: Clean,
        of: Option<Share>,
        goes_on: bool,
    ) -> bool {
        if self.is_full() {
            return false;
        }
        // At the start of a line these would go together with the end of the one before.
        let text = if text.as_str().trim_start().is_empty() || text.as_str().starts_with('/') {
            Clean::line("- ").then(text)
        } else {
            text
        };
        let mut cost = cost(&text);
        if goes_on {
            cost = cost.max(self::cost(&cut(&text)));
        }
        self.spent += cost;
        let rank = self.rank();
        self.budget.lines.push(Line {
            rank,
            place: (self.number, section, number, part),
            text,
            cost,
            of,
            goes_on,
            tells: None,
        });
        true
    }

    /// Whether no more of this block can be shown, whatever there is of others.
    pub(super) fn is_full(&self) -> bool {
        self.spent > self.budget.tokens
    }
}

/// `23 more spans` and the like.
pub(super) fn more_spans(left: usize) -> String {
    units::counted(left, "more span")
}

/// The same of traces.
pub(super) fn more_traces(left: usize) -> String {
    units::counted(left, "more trace")
}

/// The same of rows.
pub(super) fn more_rows(left: usize) -> String {
    units::counted(left, "more row")
}

/// The same of turns.
pub(super) fn more_turns(left: usize) -> String {
    units::counted(left, "more turn")
}

/// The same of messages, which may be shown in part.
pub(super) fn messages_left(left: usize) -> String {
    format!("{} cut or left out", units::counted(left, "message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(tokens: usize) -> String {
        let mut budget = Budget::new(tokens);
        let all = budget.rest(2, more_traces, Again::new("mlt get a b"));
        for name in ["a", "b"] {
            let mut block = budget.block();
            block.level(0);
            block.line(
                0,
                0,
                Clean::line(format!("trace {name}")),
                Some(Share { of: all, count: 1 }),
            );
            let rest = block.rest(20, more_spans, Again::new("mlt get"));
            block.level(1);
            for at in (0..20).rev() {
                let one = Some(Share { of: rest, count: 1 });
                block.line(1, at, Clean::line(format!("- span {at} of {name}")), one);
            }
            block.level(2);
            block.part((2, 0, 0), Clean::line("said: once"), None, true);
            block.part((2, 0, 1), Clean::line("| twice"), None, false);
        }
        budget.finish().to_string()
    }

    #[test]
    fn lines_are_taken_by_rank_and_written_by_place() {
        insta::assert_snapshot!(written(60), @r"
        trace a
        - span 19 of a
        19 more spans: mlt get
        trace b
        20 more spans: mlt get
        ");
        insta::assert_snapshot!(written(12), @"more with a larger --budget");
        assert!(written(1000).ends_with("said: once\n| twice\n"));
        assert!(!written(1000).contains("more"));
    }

    #[test]
    fn more_tokens_lose_nothing_and_no_budget_is_exceeded() {
        let mut before = Vec::new();
        for tokens in 12..400 {
            let text = written(tokens);
            assert!(tokens::at_most(&text) <= tokens, "{tokens}: {text}");
            let lines = text.lines().filter(|line| !line.contains("more "));
            let lines: Vec<String> = lines
                .map(|line| line.trim_end_matches(" …").to_owned())
                .collect();
            assert!(
                before.iter().all(|line| lines.contains(line)),
                "{tokens}: {text}"
            );
            before = lines;
        }
    }
}
