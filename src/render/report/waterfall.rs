//! The waterfall: a row for each span in the order of the tree, with bars on a
//! common scale. A row opens the details of its span, and a button of its own
//! folds what is below it; both are plain `<details>`, so no script is needed.

use std::io;

use super::{Section, kind, name, short};
use crate::analysis::{Node, NodeId};
use crate::model::{Span, StatusCode};
use crate::render::summary::at_least;
use crate::render::trace;
use crate::units;

/// Steps of the scale.
const STEPS: i64 = 10_000;

/// Lists nested deeper than this are written flat: browsers bound how deep
/// elements may be nested, and a trace does not.
const NESTED: usize = 60;

/// Levels that are indented; deeper ones say which level they are of.
const INDENTED: usize = 24;

/// How many rows are unfolded at first.
const UNFOLDED_ROWS: usize = 400;

/// Where a time lies on the scale of a stretch of time.
pub(super) fn place(at_ns: i64, from_ns: i64, to_ns: i64) -> i64 {
    let length = i128::from(to_ns) - i128::from(from_ns);
    if length <= 0 {
        return 0;
    }
    let offset = (i128::from(at_ns) - i128::from(from_ns)).clamp(0, length);
    let step = (offset * i128::from(STEPS) + length / 2) / length;
    i64::try_from(step).unwrap_or(STEPS)
}

/// The sections of the critical path by the span they belong to, in order of time.
struct CriticalPath {
    sections: Vec<(NodeId, i64, i64)>,
    next: usize,
}

impl CriticalPath {
    /// The pieces of a span as the commands that draw them, joined where they
    /// touch at the resolution of the scale. Spans come in the order of the tree.
    fn draw(&mut self, id: NodeId) -> Option<String> {
        let own = &self.sections[self.next..];
        let own = &own[..own.partition_point(|(node, ..)| *node <= id)];
        self.next += own.len();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (_, from, to) in own {
            match joined.last_mut() {
                Some((_, end)) if from <= end => *end = *to,
                _ => joined.push((*from, *to)),
            }
        }
        let draw = |(from, to): &(i64, i64)| format!("M{from} 21H{}", (*to).max(from + 1));
        let drawn: String = joined.iter().map(draw).collect();
        (!drawn.is_empty()).then_some(drawn)
    }
}

impl Section<'_, '_> {
    /// Writes all rows.
    pub(super) fn write_waterfall(&mut self) -> io::Result<()> {
        let tree = &self.report.tree;
        let unfolded = self.unfolded_levels();
        let hidden = tree
            .preorder()
            .filter(|(_, node)| unfolded.is_some_and(|levels| node.depth >= levels))
            .count();
        self.html.raw(match unfolded {
            Some(_) => "<section class=\"waterfall large\">\n<h3>Waterfall</h3>\n",
            None => "<section class=\"waterfall\">\n<h3>Waterfall</h3>\n",
        })?;
        if let Some(levels) = unfolded {
            let note = format!(
                "{} of {} are folded at first: those below level {levels}. A number behind a name says how many are folded there.",
                units::whole(hidden),
                units::counted(tree.len(), "span"),
            );
            self.html.element("p", &[("class", "note")], &note)?;
        }
        self.write_legend()?;
        self.write_axis()?;
        self.html.raw("<ul class=\"tree\">\n")?;
        let mut path = self.critical_path();
        let mut open: usize = 0;
        for (id, node) in tree.preorder() {
            let level = node.depth.min(NESTED);
            while open > level {
                self.html.raw("</ul></details></li>\n")?;
                open -= 1;
            }
            self.write_item(id, node, path.draw(id))?;
            if node.subtree_len > 1 && level < NESTED {
                let folded = unfolded.is_some_and(|levels| node.depth + 1 >= levels);
                self.write_fold(id, node, !folded)?;
                open += 1;
            } else {
                self.html.raw("</li>\n")?;
            }
        }
        for _ in 0..open {
            self.html.raw("</ul></details></li>\n")?;
        }
        self.html.raw("</ul>\n</section>\n")
    }

    /// How many levels are unfolded at first; `None` where all are.
    fn unfolded_levels(&self) -> Option<usize> {
        let tree = &self.report.tree;
        if !self.is_large() {
            return None;
        }
        let deepest = tree.preorder().map(|(_, node)| node.depth).max()?;
        let mut rows_of = vec![0usize; deepest + 1];
        for (_, node) in tree.preorder() {
            rows_of[node.depth] += 1;
        }
        let mut rows = 0;
        let fitting = rows_of.iter().take_while(|of_level| {
            rows += **of_level;
            rows <= UNFOLDED_ROWS
        });
        // What is not nested cannot be folded level by level.
        Some(fitting.count().clamp(1, NESTED))
    }

    /// Whether there are too many spans to unfold all of them at first, and to
    /// have many elements for each.
    pub(super) fn is_large(&self) -> bool {
        self.report.tree.len() > UNFOLDED_ROWS
    }

    fn critical_path(&self) -> CriticalPath {
        let (lo, hi) = self.report.tree.extent_ns;
        let origin = self.report.tree.origin_ns;
        let sections = self.report.sections.iter().filter_map(|section| {
            let from = origin.saturating_add(section.start_offset_ns);
            let to = from.saturating_add(section.duration_ns);
            Some((section.node?, place(from, lo, hi), place(to, lo, hi)))
        });
        let mut sections: Vec<_> = sections.collect();
        sections.sort_by_key(|(node, from, _)| (*node, *from));
        CriticalPath { sections, next: 0 }
    }

    fn write_legend(&mut self) -> io::Result<()> {
        self.html
            .raw("<p class=\"legend\" aria-label=\"Legend\">")?;
        for (class, text) in [
            ("type model", "model"),
            ("type tool", "tool"),
            ("type data", "retrieval"),
            ("type other", "other types"),
            ("type failed", "✗ failed"),
            ("type critical", "critical path"),
        ] {
            self.html.element("span", &[("class", class)], text)?;
        }
        self.html.raw("</p>\n")
    }

    fn write_axis(&mut self) -> io::Result<()> {
        const TICKS: i64 = 4;
        let (lo, hi) = self.report.tree.extent_ns;
        let start = lo - self.report.tree.origin_ns;
        self.html.raw("<div class=\"axis\" aria-hidden=\"true\"><span>Span</span><span>Type</span><span class=\"num\">Duration</span><span class=\"num\">%</span><span class=\"num\">Self</span><span class=\"ticks\">")?;
        for tick in 0..=TICKS {
            let at = start.saturating_add((hi - lo) / TICKS * tick);
            self.html.element("i", &[], &units::duration(at))?;
        }
        self.html.raw("</span></div>\n")
    }

    /// Opens the item of a span: its row, and its details.
    fn write_item(&mut self, id: NodeId, node: &Node, critical: Option<String>) -> io::Result<()> {
        let (report, span) = (self.report, self.report.span(id));
        let failed = span.status == StatusCode::Error;
        let mut class = format!("d{}", node.depth.min(INDENTED));
        if failed {
            class.push_str(" failed");
        }
        if node.in_progress {
            class.push_str(" running");
        }
        if critical.is_some() {
            class.push_str(" on-path");
        }
        let span_type = span.span_type();
        let anchor = self.row_id(id);
        self.html
            .open("li", &[("id", &anchor), ("class", &class)])?;
        self.html.raw("<details class=\"span\"><summary")?;
        self.html.attribute("title", &self.tip(id, node, span))?;
        self.html.raw("><span class=\"name\"")?;
        if node.subtree_len > 1 && node.depth < NESTED {
            let below = units::whole(node.subtree_len - 1);
            self.html.attribute("data-below", &below)?;
        }
        self.html.raw(">")?;
        if node.depth > INDENTED {
            let level = format!("⋯{} ", node.depth);
            self.html.element("small", &[], &level)?;
        }
        if failed {
            self.html.raw("<b class=\"failure\">✗</b> ")?;
        }
        self.html.element("bdi", &[], &short(name(span)))?;
        if let Some(mark) = trace::place_mark(node) {
            self.html.raw(" ")?;
            self.html.element("small", &[("class", "mark")], mark)?;
        }
        let kind = kind(&span_type);
        let class = format!("type {kind}");
        self.html.raw("</span>")?;
        self.html
            .element("span", &[("class", &class)], &short(&span_type))?;
        for text in [
            at_least(node.duration_ns(), node.in_progress),
            units::percent(node.duration_ns(), report.total_ns()),
            units::duration(report.self_ns(id)),
        ] {
            self.html.element("span", &[("class", "num")], &text)?;
        }
        self.write_bar(node, kind, critical)?;
        self.html.raw("</summary>\n")?;
        self.write_detail(id, node)?;
        self.html.raw("</details>")
    }

    /// What a pointer or the keyboard's focus brings up.
    fn tip(&self, id: NodeId, node: &Node, span: &Span) -> String {
        let report = self.report;
        let share = |ns: i64| match units::percent(ns, report.total_ns()).as_str() {
            units::NONE => units::duration(ns),
            percent => format!("{} ({percent} %)", units::duration(ns)),
        };
        let status = match span.status {
            StatusCode::Error => "failed, ",
            _ if node.in_progress => "in progress, ",
            _ => "",
        };
        format!(
            "{status}starts at {}, takes {}, self {}, critical {}",
            units::duration(report.tree.start_offset_ns(id)),
            share(node.duration_ns()),
            share(report.self_ns(id)),
            share(report.critical_ns(id)),
        )
    }

    fn write_bar(&mut self, node: &Node, kind: &str, critical: Option<String>) -> io::Result<()> {
        let (lo, hi) = self.report.tree.extent_ns;
        let from = place(node.start_ns, lo, hi).min(STEPS - 1);
        let width = (place(node.end_ns, lo, hi) - from).max(1);
        self.html.raw(
            "<svg viewBox=\"0 0 10000 28\" preserveAspectRatio=\"none\" aria-hidden=\"true\"",
        )?;
        self.html.attribute("class", kind)?;
        self.html.raw("><rect y=\"8\" height=\"11\"")?;
        self.html.attribute("x", &from.to_string())?;
        self.html.attribute("width", &width.to_string())?;
        self.html.raw("/>")?;
        if let Some(critical) = critical {
            self.html.raw("<path")?;
            self.html.attribute("d", &critical)?;
            self.html.raw("/>")?;
        }
        self.html.raw("</svg>")
    }

    /// Opens the list of what is below a span.
    fn write_fold(&mut self, id: NodeId, node: &Node, open: bool) -> io::Result<()> {
        self.html.raw("<details class=\"below\"")?;
        self.html.raw(if open { " open" } else { "" })?;
        self.html.raw("><summary")?;
        let below = node.subtree_len - 1;
        let what = format!(
            "{} below {}",
            units::counted(below, "span"),
            short(name(self.report.span(id)))
        );
        self.html.attribute("aria-label", &what)?;
        self.html.raw("></summary><ul>\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_lie_on_the_scale() {
        for (at, step) in [(10, 0), (15, 5000), (20, 10_000), (0, 0), (99, 10_000)] {
            assert_eq!(place(at, 10, 20), step);
        }
        assert_eq!(place(5, 5, 5), 0);
        assert_eq!(place(0, i64::MIN, i64::MAX), 5000);
    }

    #[test]
    fn sections_that_touch_are_one_piece() {
        let id = |at: usize| {
            let trace = crate::render::sample::chain(3);
            let report = crate::analysis::analyse(&trace);
            let found = report.nodes().nth(at).map(|(id, _)| id);
            found.unwrap()
        };
        let mut path = CriticalPath {
            sections: vec![
                (id(0), 0, 10),
                (id(0), 10, 20),
                (id(0), 30, 30),
                (id(2), 20, 30),
            ],
            next: 0,
        };
        assert_eq!(path.draw(id(0)).as_deref(), Some("M0 21H20M30 21H31"));
        assert_eq!(path.draw(id(1)), None);
        assert_eq!(path.draw(id(2)).as_deref(), Some("M20 21H30"));
    }
}
