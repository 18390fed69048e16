//! One span in full, below its row.

use std::io;

use serde_json::{Map, Value};

use super::{FORM, Section};
use crate::analysis::{Node, NodeId};
use crate::model::{Event, Link, Span, StatusCode, Timestamp, attribute};
use crate::render::{Layout, payload, sanitize, text, trace, usage};
use crate::units::{self, Zone};

/// What is said of a span in a line.
enum Fact {
    Text(String),
    Id(String),
    /// A span of the same trace.
    Span(NodeId),
}

impl Section<'_, '_> {
    /// Writes everything about a span.
    pub(super) fn write_detail(&mut self, id: NodeId, node: &Node) -> io::Result<()> {
        let span = self.report.span(id);
        self.html.raw("<div class=\"detail\">\n")?;
        if self.is_large() {
            self.write_facts_as_text(id, node)?;
        } else {
            self.write_facts_as_list(id, node)?;
        }
        if super::short(&span.name) != span.name {
            self.write_folded("Name", &span.name)?;
        }
        if !span.status_message.is_empty() {
            self.html.raw(match span.status {
                StatusCode::Error => "<div class=\"failure\">",
                StatusCode::Ok | StatusCode::Unset => "<div>",
            })?;
            self.write_text(&span.status_message)?;
            self.html.raw("</div>\n")?;
        }
        for (title, value) in [("Inputs", span.inputs()), ("Outputs", span.outputs())] {
            if let Some(value) = value {
                self.write_folded(title, value)?;
            }
        }
        self.write_attributes(span)?;
        for event in &span.events {
            self.write_event(event)?;
        }
        if !span.links.is_empty() {
            self.write_links(&span.links)?;
        }
        self.html.raw("</div>")
    }

    fn span_facts(&self, id: NodeId, node: &Node) -> Vec<(&'static str, Fact)> {
        let (report, span) = (self.report, self.report.span(id));
        let text = |text: &str| Fact::Text(text.to_owned());
        let mut facts = vec![("span id", Fact::Id(span.span_id.as_str().to_owned()))];
        match (&span.parent_id, node.parent) {
            (_, Some(parent)) => facts.push(("parent", Fact::Span(parent))),
            (Some(parent), None) => {
                let what = match trace::place_mark(node) {
                    Some("orphan") => "not in the trace",
                    _ => "the edge closed a cycle and was cut",
                };
                facts.push(("parent", text(&format!("{parent}, {what}"))));
            }
            (None, None) => {}
        }
        facts.push(("type", text(&super::short(&span.span_type()))));
        let (_, status) = trace::status(span, node, &Layout::piped());
        facts.push(("status", text(status)));
        if node.detached {
            let outside = "detached: it ran outside its parent's time";
            facts.push(("note", text(outside)));
        }
        let time = |ns: i64| units::time_with_nanos(Timestamp::from_nanos(ns), Zone::Utc);
        let end = span.end_ns.filter(|_| !node.in_progress).map(time);
        let end = end.unwrap_or_else(|| "still in progress".to_owned());
        let offset = units::duration(report.tree.start_offset_ns(id));
        facts.extend([
            ("started", Fact::Text(time(span.start_ns))),
            ("ended", Fact::Text(end)),
            ("offset", Fact::Text(offset)),
        ]);
        for (term, ns) in [
            ("duration", node.duration_ns()),
            ("self time", report.self_ns(id)),
            ("critical path", report.critical_ns(id)),
        ] {
            facts.push((term, Fact::Text(self.with_share(ns))));
        }
        let tokens = report.tokens(id).and_then(|t| usage::usage(&t));
        let cost = report.cost(id).and_then(|c| c.total()).map(units::cost);
        let model = span.model().map(|model| super::short(&model));
        for (term, known) in [("model", model), ("tokens", tokens), ("cost", cost)] {
            facts.extend(known.map(|known| (term, Fact::Text(known))));
        }
        facts
    }

    fn write_facts_as_list(&mut self, id: NodeId, node: &Node) -> io::Result<()> {
        self.html.raw("<dl class=\"facts\">")?;
        for (term, fact) in self.span_facts(id, node) {
            match fact {
                Fact::Text(text) => self.html.fact(term, &text)?,
                Fact::Id(id) => self.html.id_fact(term, &id)?,
                Fact::Span(id) => {
                    self.html.element("dt", &[], term)?;
                    self.html.raw("<dd>")?;
                    self.write_link(id)?;
                    self.html.raw("</dd>")?;
                }
            }
        }
        self.html.raw("</dl>\n")
    }

    /// One element instead of many: browsers take their time over a million of them.
    fn write_facts_as_text(&mut self, id: NodeId, node: &Node) -> io::Result<()> {
        const TERM: usize = "critical path".len() + 2;
        let line = |(term, fact)| {
            let text = match fact {
                Fact::Text(text) | Fact::Id(text) => text,
                Fact::Span(id) => super::short(super::name(self.report.span(id))),
            };
            format!("{}{}", text::pad_end(term, TERM), sanitize::line(&text))
        };
        let lines: Vec<String> = self.span_facts(id, node).into_iter().map(line).collect();
        self.html.block(&lines.join("\n"))
    }

    fn write_folded(&mut self, title: &'static str, value: &str) -> io::Result<()> {
        if self.is_large() {
            self.html.element("b", &[], title)?;
            return self.write_value(value);
        }
        self.html.raw("<details class=\"fold\" open><summary>")?;
        self.html.raw(title)?;
        self.html.raw("</summary>")?;
        self.write_value(value)?;
        self.html.raw("</details>\n")
    }

    fn with_share(&self, ns: i64) -> String {
        match units::percent(ns, self.report.total_ns()).as_str() {
            units::NONE => units::duration(ns),
            percent => format!("{}, {percent} % of trace", units::duration(ns)),
        }
    }

    fn write_attributes(&mut self, span: &Span) -> io::Result<()> {
        let shown = |key: &str| key == attribute::INPUTS || key == attribute::OUTPUTS;
        let others = span.attributes.iter().filter(|(key, _)| !shown(key));
        let others: Vec<_> = others.collect();
        if others.is_empty() {
            return Ok(());
        }
        if self.is_large() {
            self.html.raw("<b>Attributes</b>")?;
            let pairs = others
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str()));
            let (lines, note) = payload::limited_pairs(pairs, self.max_chars, FORM);
            return self.write_lines(&lines, note);
        }
        self.html
            .raw("<details class=\"fold\"><summary>Attributes <small>")?;
        self.html.text(&others.len().to_string())?;
        self.html.raw("</small></summary><dl class=\"pairs\">")?;
        let (unset, others): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|(_, value)| payload::is_unset(value));
        for (key, value) in others {
            self.html.element("dt", &[], key)?;
            self.html.raw("<dd>")?;
            // An attribute that is text reads better without its quotes.
            match serde_json::from_str::<String>(value) {
                Ok(text) if payload::is_plain(&text, FORM) => self.write_line(&text)?,
                _ => {
                    let (lines, note) = payload::limited_lines(value, self.max_chars, FORM);
                    if let [only] = lines.as_slice() {
                        self.html.text(only.as_str())?;
                        self.write_cut(note)?;
                    } else {
                        self.write_lines(&lines, note)?;
                    }
                }
            }
            self.html.raw("</dd>")?;
        }
        self.html.raw("</dl>")?;
        self.write_cut(FORM.note(unset.len()).map(|note| format!("… {note}")))?;
        self.html.raw("</details>\n")
    }

    fn write_event(&mut self, event: &Event) -> io::Result<()> {
        let exception = event.name == "exception";
        self.html.raw(if exception {
            "<details class=\"fold failure\" open><summary>"
        } else {
            "<details class=\"fold\"><summary>"
        })?;
        self.html
            .text(&super::short(crate::text::named(&event.name)))?;
        let offset = event.time_ns.saturating_sub(self.report.tree.origin_ns);
        let at = format!(" at {}", units::duration(offset));
        self.html.element("small", &[], &at)?;
        self.html.raw("</summary><dl class=\"pairs\">")?;
        for (key, value) in event.ordered_attributes() {
            self.html.element("dt", &[], key)?;
            self.html.raw("<dd>")?;
            self.write_json(value)?;
            self.html.raw("</dd>")?;
        }
        self.html.raw("</dl></details>\n")
    }

    fn write_json(&mut self, value: &Value) -> io::Result<()> {
        match value {
            Value::String(text) if text.contains('\n') => self.write_text(text),
            Value::String(text) => self.write_line(text),
            other => self.write_line(&other.to_string()),
        }
    }

    fn write_links(&mut self, links: &[Link]) -> io::Result<()> {
        self.html
            .raw("<details class=\"fold\"><summary>Links <small>")?;
        self.html.text(&links.len().to_string())?;
        self.html.raw("</small></summary><ul>")?;
        for link in links {
            self.html.raw("<li>trace ")?;
            self.html.element("code", &[], &link.trace_id)?;
            self.html.raw(" span ")?;
            self.html.element("code", &[], link.span_id.as_str())?;
            self.write_members(&link.attributes)?;
            self.html.raw("</li>")?;
        }
        self.html.raw("</ul></details>\n")
    }

    fn write_members(&mut self, members: &Map<String, Value>) -> io::Result<()> {
        if members.is_empty() {
            return Ok(());
        }
        self.html.raw(" ")?;
        self.write_line(&serde_json::to_string(members).unwrap_or_default())
    }
}
