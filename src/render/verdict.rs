//! A check as people read it: one line for each rule, with what it came to, what
//! was asked, and which traces or spans are to blame. The words are shared with
//! the formats for other readers.

use std::io;

use super::cell::Cell;
use super::figures::{Figure, Figures};
use super::quantity::{exactly, quantity};
use super::{Layout, LeftOut, NO_MATCH, sanitize, text};
use crate::analysis::{Change, Failure, Judgement, MOST_BLAMED, Noise, Problem, Ruling, Sample};
use crate::filter::Number;
use crate::model::looks_like_trace_id;
use crate::text::{Clean, Sheet};
use crate::units::{self, change, change_beyond};

/// Said of an aggregate that was not computed when the baseline was saved.
const NO_BASELINE: &str = "not in the baseline";
/// Said of one that had nothing to measure then.
const NOTHING_BEFORE: &str = "nothing in the baseline";
const TO_BLAME: &str = "TO BLAME";
const BEFORE: &str = "BEFORE";
/// Before the lines below a rule: as wide as what became of it.
const INDENT: &str = "        ";
/// Ids of traces in progress that are named in a sentence.
const NAMED: usize = 5;

/// Writes the table and the summary below it; gives the columns left out. What
/// says why a rule failed is not left out: without a column it stands below the rule.
pub fn write(out: &mut Sheet<'_>, verdict: &Judgement, layout: &Layout) -> io::Result<LeftOut> {
    let style = layout.style;
    let room = layout.width.map(|width| {
        let shortest = rows(verdict, Some(0), layout);
        let blamed = shortest.numbers.iter().find(|f| f.title == TO_BLAME);
        let others = shortest.width() - blamed.map_or(0, Figure::width);
        width.saturating_sub(others)
    });
    let mut left_out = LeftOut::new();
    let table = Sheet::kept(|table| -> io::Result<()> {
        left_out = rows(verdict, room, layout).write(table, layout)?.left_out;
        Ok(())
    })?;
    let mut lines = table.lines().into_iter();
    out.line(lines.next().unwrap_or_default())?;
    for (line, below) in lines.zip(below(verdict, &left_out, layout)) {
        out.put(line.end().then(below))?;
    }
    let all_failed = verdict.failed() == verdict.rulings.len();
    left_out.retain(|title| match title.as_str() {
        // Only failed rules have somebody to blame.
        TO_BLAME => false,
        BEFORE => !all_failed,
        _ => true,
    });
    out.blank()?;
    let summary = summary(verdict);
    let meaning = if verdict.passed() {
        style.ok()
    } else {
        style.error()
    };
    out.styled(meaning, summary)?;
    if verdict.rulings.iter().any(is_rough) {
        let note = "~ a percentile of few samples: it stands for little more than the largest";
        out.styled(style.muted(), note)?;
    }
    let has_more = |r: &Ruling| !r.passed() && r.blamed.len() == MOST_BLAMED;
    if verdict.rulings.iter().any(has_more) {
        let note = format!("TO BLAME: {MOST_BLAMED} at the most, the worst first");
        out.styled(style.muted(), note)?;
    }
    Ok(left_out)
}

/// For each rule the lines below it: why it failed, as far as the columns for that
/// had no room.
fn below(verdict: &Judgement, left_out: &LeftOut, layout: &Layout) -> Vec<Clean> {
    let (muted, id) = (layout.style.muted(), layout.style.id());
    let lacks = |title: &str| left_out.iter().any(|left_out| left_out == title);
    let line = |label: &str, style: anstyle::Style, text: String| match text.as_str() {
        "" => Clean::default(),
        text => {
            let label = format!("{label}:").to_lowercase();
            let label = Clean::line(INDENT).and(muted, label);
            label.then(" ").and(style, text).end()
        }
    };
    let lines = |ruling: &Ruling| {
        let mut lines = Clean::default();
        if ruling.passed() {
            return lines;
        }
        if lacks(BEFORE) {
            let text = comparison(ruling).unwrap_or_default();
            lines = lines.then(line(BEFORE, layout.style.text(), text));
        }
        if lacks(TO_BLAME) {
            let taken = INDENT.len() + TO_BLAME.len() + ": ".len();
            let room = layout.width.map(|width| width.saturating_sub(taken));
            lines = lines.then(line(TO_BLAME, id, blame_within(ruling, room)));
        }
        lines
    };
    verdict.rulings.iter().map(lines).collect()
}

/// A column for each thing to tell; one in which nothing stands is left out. The
/// samples to blame get so much room.
fn rows(verdict: &Judgement, room: Option<usize>, layout: &Layout) -> Figures<'static> {
    let style = layout.style;
    let column = |cell: &dyn Fn(&Ruling) -> Cell| verdict.rulings.iter().map(cell).collect();
    let plain = |text: String| Cell::new(style.text(), text);
    let limit = |ruling: &Ruling| ruling.bound.map(|bound| bound.text(ruling.unit));
    let names = vec![
        Figure {
            least: usize::MAX,
            ..Figure::words("", 0, column(&|ruling| outcome(ruling, layout)))
        },
        Figure::words(
            "AGGREGATE",
            0,
            column(&|ruling| Cell::new(style.name(), &ruling.aggregate)),
        ),
    ];
    let mut numbers = vec![
        Figure::numbers("VALUE", 0, column(&|ruling| plain(value(ruling)))),
        Figure::words("LIMIT", 0, column(&|r| plain(limit(r).unwrap_or_default()))),
        Figure::numbers(
            "N",
            3,
            column(&|r| Cell::new(style.text(), units::whole(r.measured.n))),
        ),
        Figure::words(
            BEFORE,
            1,
            column(&|r| plain(comparison(r).unwrap_or_default())),
        ),
        Figure::words(
            TO_BLAME,
            2,
            column(&|r| Cell::new(style.id(), blame_within(r, room))),
        ),
    ];
    numbers.retain(|figure| figure.cells.iter().any(|cell| !cell.is_empty()));
    Figures {
        names,
        numbers,
        bars: None,
    }
}

fn outcome(ruling: &Ruling, layout: &Layout) -> Cell {
    let style = layout.style;
    if ruling.skipped() {
        Cell::new(style.muted(), "skipped")
    } else if ruling.passed() {
        Cell::new(style.ok(), "passed")
    } else {
        Cell::new(style.error(), "FAILED")
    }
}

/// As much of what says who is to blame as there is room for: in full, with the
/// beginnings of ids, or at least the first and how many more there are.
fn blame_within(ruling: &Ruling, room: Option<usize>) -> String {
    let (false, Some((first, others))) = (ruling.passed(), ruling.blamed.split_first()) else {
        return String::new();
    };
    let whole = blame(ruling);
    let Some(room) = room else {
        return whole;
    };
    let short = |s: &Sample, with_path| blamed(s, &beginning(&s.trace_id), with_path, ruling);
    let named: Vec<String> = ruling.blamed.iter().map(|s| short(s, true)).collect();
    let count = match others.len() {
        0 => String::new(),
        more => format!(" +{more}"),
    };
    let ways = [whole, named.join(", "), short(first, true) + &count];
    let fitting = ways.into_iter().find(|way| text::width(way) <= room);
    fitting.unwrap_or_else(|| short(first, false) + &count)
}

/// So much of an id as tells it from millions of others.
fn beginning(trace_id: &str) -> String {
    const DIGITS: usize = 8;
    let is_long = looks_like_trace_id(trace_id) && trace_id.starts_with("tr-");
    let kept = if is_long {
        "tr-".len() + DIGITS
    } else {
        usize::MAX
    };
    trace_id.chars().take(kept).collect()
}

fn is_rough(ruling: &Ruling) -> bool {
    ruling.measured.rough && ruling.measured.value.is_some()
}

/// What a rule came to; `~` marks a percentile of few samples.
pub fn value(ruling: &Ruling) -> String {
    let Some(value) = ruling.measured.value else {
        return units::NONE.to_owned();
    };
    let shown = shown(value, ruling);
    let mark = if is_rough(ruling) { "~" } else { "" };
    format!("{mark}{shown}")
}

/// A value, with all its digits where fewer look like what the rule fails by.
fn shown(value: Number, ruling: &Ruling) -> String {
    if misleads(ruling) {
        exactly(value, ruling.unit)
    } else {
        quantity(value, ruling.unit)
    }
}

/// Whether a rule fails by so little that the figures look the same.
fn misleads(ruling: &Ruling) -> bool {
    let failed = |failure| ruling.failures.contains(&failure);
    let limits = [
        ruling
            .bound
            .filter(|_| failed(Failure::Bound))
            .map(|b| b.limit),
        ruling
            .change
            .filter(|_| failed(Failure::Regression))
            .and_then(|change| change.before),
    ];
    let text = |value: Number| quantity(value, ruling.unit);
    let value = ruling.measured.value.map(text);
    let mut limits = limits.into_iter().flatten();
    limits.any(|limit| Some(text(limit)) == value)
}

/// The earlier value and the change since: `1.50 s, +9.3 %`.
pub fn before(ruling: &Ruling) -> Option<String> {
    let comparison = ruling.change?;
    let Some(before) = comparison.before else {
        let nothing = if comparison.known {
            NOTHING_BEFORE
        } else {
            NO_BASELINE
        };
        return Some(nothing.to_owned());
    };
    let before = shown(before, ruling);
    Some(match comparison.ratio {
        Some(ratio) if ruling.failures.contains(&Failure::Regression) => {
            format!("{before}, {}", change_beyond(ratio, comparison.allowed).0)
        }
        Some(ratio) => format!("{before}, {}", change(ratio)),
        None => before,
    })
}

/// Why a value that is worse by more than is allowed passes all the same.
fn excuse(ruling: &Ruling) -> Option<&'static str> {
    let change = ruling.change.filter(|change| change.exceeds)?;
    if ruling.failures.contains(&Failure::Regression) {
        return None;
    }
    Some(match change.noise {
        Some(Noise::TooFew { .. }) => "too few to tell",
        _ => "within noise",
    })
}

/// The same, and what was allowed where that is why the rule fails:
/// `111 ms, +350.9 % (max 20.0 %)`.
pub fn comparison(ruling: &Ruling) -> Option<String> {
    let before = before(ruling)?;
    if !ruling.failures.contains(&Failure::Regression) {
        return Some(match excuse(ruling) {
            Some(excuse) => format!("{before}, {excuse}"),
            None => before,
        });
    }
    Some(match from_nothing(ruling) {
        Some(direction) => format!("{before} (allows no {direction})"),
        None => format!("{before} (max {})", allowed(ruling)),
    })
}

fn allowed(ruling: &Ruling) -> String {
    let Some(Change { allowed, ratio, .. }) = ruling.change else {
        return String::new();
    };
    change_beyond(ratio.unwrap_or_default(), allowed).1
}

/// Which way a value went from 0, of which every share is 0.
fn from_nothing(ruling: &Ruling) -> Option<&'static str> {
    let before = ruling.change?.before?;
    if before.as_f64() != 0.0 {
        return None;
    }
    let rises = ruling.measured.value?.compare(before).is_gt();
    Some(if rises { "rise" } else { "fall" })
}

/// The samples to blame, safe to show: trace ids, paths of spans and values.
pub fn blame(ruling: &Ruling) -> String {
    let named = ruling.blamed.iter();
    let named = named.map(|sample| blamed(sample, &sample.trace_id, true, ruling));
    named.collect::<Vec<_>>().join(", ")
}

/// Text of a trace, which the runner of GitHub Actions may not take for a command
/// of its own wherever it stands.
fn safe(text: &str) -> String {
    sanitize::line(text).replace("##[", "# #[")
}

fn blamed(sample: &Sample, id: &str, with_path: bool, ruling: &Ruling) -> String {
    let mut text = safe(id);
    if let Some(span) = sample.span.as_ref().filter(|_| with_path) {
        text.push(' ');
        text.push_str(&safe(&span.path));
    }
    if let Some(value) = sample.value {
        text.push_str(" (");
        text.push_str(&shown(value, ruling));
        text.push(')');
    }
    text
}

/// What was found, what was expected, and who is to blame, as one sentence that
/// is safe to show.
pub fn sentence(ruling: &Ruling) -> String {
    let value = ruling.measured.value.map(|_| value(ruling));
    let mut parts: Vec<String> = value.into_iter().chain(reasons(ruling)).collect();
    let lacks_baseline = ruling.change.is_some_and(|change| change.before.is_none());
    if lacks_baseline && !ruling.failures.contains(&Failure::NoBaseline) {
        parts.extend(before(ruling));
    }
    if let (Some(excuse), Some(before)) = (excuse(ruling), before(ruling)) {
        parts.push(format!("the baseline had {before}, {excuse}"));
    }
    parts.push(format!("n = {}", units::whole(ruling.measured.n)));
    let sentence = parts.join(", ");
    if ruling.passed() || ruling.blamed.is_empty() {
        return sentence;
    }
    format!("{sentence}: {}", blame(ruling))
}

/// Why a rule fails, one after the other.
pub fn reasons(ruling: &Ruling) -> Vec<String> {
    let reason = |failure: &Failure| match failure {
        Failure::NoSamples => "there is nothing to measure".to_owned(),
        Failure::Bound => {
            let bound = ruling.bound.map(|bound| bound.text(ruling.unit));
            format!("expected {}", bound.unwrap_or_default())
        }
        Failure::Regression => {
            let before = before(ruling).unwrap_or_default();
            let allowed = match from_nothing(ruling) {
                Some(direction) => format!("a percentage of 0 allows no {direction}"),
                None => format!("at most {} allowed", allowed(ruling)),
            };
            format!("the baseline had {before}, {allowed}")
        }
        Failure::NoBaseline => before(ruling).unwrap_or_default(),
    };
    ruling.failures.iter().map(reason).collect()
}

/// `2 of 5 rules failed on 34 traces`.
pub fn summary(verdict: &Judgement) -> String {
    let traces = units::counted(verdict.traces, "trace");
    let rules = units::counted(verdict.rulings.len(), "rule");
    if verdict.failed() > 0 {
        let failed = units::whole(verdict.failed());
        return format!("{failed} of {rules} failed on {traces}");
    }
    match verdict.rulings.iter().filter(|r| r.skipped()).count() {
        0 => format!("{rules} passed on {traces}"),
        skipped => {
            let passed = verdict.rulings.len() - skipped;
            let passed = units::counted(passed, "rule");
            format!(
                "{passed} passed, {} skipped on {traces}",
                units::whole(skipped)
            )
        }
    }
}

/// Why a check fails whatever its rules say, safe to show.
pub fn problem(verdict: &Judgement) -> Option<String> {
    Some(match verdict.problem? {
        Problem::NoTraces => NO_MATCH.to_owned(),
        Problem::Unreadable => {
            let traces = units::counted(verdict.unreadable.len(), "trace");
            format!("{traces} could not be read")
        }
        Problem::InProgress => {
            let ids = &verdict.in_progress;
            let are = if ids.len() == 1 { "is" } else { "are" };
            let mut named: Vec<_> = ids.iter().take(NAMED).map(|id| safe(id)).collect();
            if ids.len() > NAMED {
                named.push("…".to_owned());
            }
            format!(
                "{} {are} still in progress: {}",
                units::counted(ids.len(), "trace"),
                named.join(", ")
            )
        }
    })
}
