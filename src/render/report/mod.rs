//! Traces as one page of HTML that needs nothing but a browser: no network, no
//! other file. The sections of the traces are written one by one, so that none
//! of them has to be kept; what goes before them, with a list of all, is known
//! at last. The page is complete without its script, which only adds keys, a
//! filter and sorting, and its security policy lets nothing run but that script.

mod detail;
mod head;
mod latency;
mod overview;
mod said;
mod waterfall;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use super::{html::Html, payload};
use crate::analysis::{LatencyReport, NodeId};
use crate::model::Span;
use crate::text::Clean;
use crate::units;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What the page may do: apply this style sheet and run this script. Both are
/// named by the SHA-256 of their text, which the tests compute again.
const POLICY: &str = "default-src 'none'; \
    style-src 'sha256-5Dt17eJR8oyE6aH+aX59RRB8mh2qhNZ4isd84A8mcAA='; \
    script-src 'sha256-uOf2k6fVqgDMdYKYzlDwrhkJFphJd2ofWXPHdSbByFI='; \
    base-uri 'none'; form-action 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// What it may do besides where it has images: show those that are in it.
const IMAGES: &str = "; img-src data:";

/// Longer names are cut in rows and tables; they are whole where a span is shown in full.
const NAME_CHARS: usize = 160;

/// A page in the making.
#[derive(Debug)]
pub struct Page {
    max_chars: Option<usize>,
    overview: overview::Overview,
    cuts: usize,
    /// Bytes of the images that are shown.
    images: usize,
}

impl Page {
    /// Without any trace yet. Texts are cut to `max_chars` characters each, where given.
    pub fn new(max_chars: Option<usize>) -> Self {
        Self {
            max_chars,
            overview: overview::Overview::new(),
            cuts: 0,
            images: 0,
        }
    }

    /// How many traces were added.
    pub fn traces(&self) -> usize {
        self.overview.len()
    }

    /// How many texts were cut.
    pub fn cuts(&self) -> usize {
        self.cuts
    }

    /// Writes the section of a trace, which belongs behind those of the traces before it.
    pub fn add(&mut self, out: &mut dyn Write, report: &LatencyReport<'_>) -> io::Result<()> {
        let number = self.overview.len() + 1;
        self.overview.add(report);
        let mut section = Section {
            html: Html::new(out),
            report,
            number,
            max_chars: self.max_chars,
            cuts: 0,
            images: self.images,
        };
        section.write()?;
        self.cuts += section.cuts;
        self.images = section.images;
        Ok(())
    }

    /// Writes what goes before the sections. `notes` say what the reader should
    /// know about the choice of traces.
    pub fn write_head(&self, out: &mut dyn Write, notes: &[String]) -> io::Result<()> {
        let html = &mut Html::new(out);
        html.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")?;
        html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"")?;
        html.raw(POLICY)?;
        if self.images > 0 {
            html.raw(IMAGES)?;
        }
        html.raw("\">\n<meta name=\"referrer\" content=\"no-referrer\">\n")?;
        html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")?;
        html.raw("<meta name=\"color-scheme\" content=\"light dark\">\n")?;
        html.raw("<meta name=\"generator\" content=\"")?;
        html.raw(concat!("mlt ", env!("CARGO_PKG_VERSION"), "\">\n"))?;
        html.element("title", &[], &self.title())?;
        html.raw("\n<style>")?;
        html.raw(STYLE)?;
        html.raw("</style>\n</head>\n<body>\n<header class=\"top\">\n")?;
        html.element("h1", &[], &self.heading())?;
        html.raw(TOOLS)?;
        html.raw("</header>\n<main>\n")?;
        if self.cuts > 0
            && let Some(max) = self.max_chars
        {
            let note = format!(
                "{} cut to {} each; the marks say by how much.",
                units::counted(self.cuts, "text"),
                units::counted(max, "character")
            );
            html.element("p", &[("class", "warning")], &note)?;
        }
        for note in notes {
            html.element("p", &[("class", "warning")], note)?;
        }
        if self.overview.len() > 1 {
            self.overview.write(html)?;
        }
        Ok(())
    }

    /// Writes what goes behind the sections.
    pub fn write_end(&self, out: &mut dyn Write) -> io::Result<()> {
        let html = &mut Html::new(out);
        html.raw("</main>\n<footer>Made by mlt ")?;
        html.raw(env!("CARGO_PKG_VERSION"))?;
        html.raw(". The critical path is inferred from times alone and claims no causality.")?;
        html.raw("</footer>\n")?;
        html.raw(KEYS)?;
        html.raw("<script>")?;
        html.raw(SCRIPT)?;
        html.raw("</script>\n</body>\n</html>\n")
    }

    fn title(&self) -> String {
        match self.overview.only() {
            Some(title) => title,
            None => units::counted(self.overview.len(), "trace"),
        }
    }

    fn heading(&self) -> String {
        match self.overview.len() {
            1 => "Trace report".to_owned(),
            many => format!("Trace report: {}", units::counted(many, "trace")),
        }
    }
}

/// Shown by the script, which gives them their function.
const TOOLS: &str = r#"
<div class="tools" role="search" hidden>
<input id="find" type="search" placeholder="Filter spans  ( / )" aria-label="Filter spans by text" autocomplete="off" spellcheck="false">
<select id="type" aria-label="Filter spans by type"><option value="">all types</option></select>
<label><input id="failed" type="checkbox"> failed</label>
<label><input id="critical" type="checkbox"> critical path</label>
<output id="found" aria-live="polite"></output>
<button id="unfold" type="button">Unfold all</button>
<button id="fold" type="button">Fold all</button>
<button id="help" type="button" aria-label="Keys" title="Keys ( ? )">?</button>
</div>
"#;

const KEYS: &str = r#"<dialog id="keys" aria-labelledby="keys-title">
<h2 id="keys-title">Keys</h2>
<dl>
<dt><kbd>j</kbd> <kbd>↓</kbd></dt><dd>next row</dd>
<dt><kbd>k</kbd> <kbd>↑</kbd></dt><dd>row before</dd>
<dt><kbd>Enter</kbd></dt><dd>show or hide the details of a row</dd>
<dt><kbd>→</kbd> <kbd>←</kbd></dt><dd>unfold or fold what is below a row</dd>
<dt><kbd>n</kbd> <kbd>p</kbd></dt><dd>next failed span, failed span before</dd>
<dt><kbd>e</kbd> <kbd>c</kbd></dt><dd>unfold all, fold all</dd>
<dt><kbd>/</kbd></dt><dd>filter; <kbd>Esc</kbd> clears it</dd>
<dt><kbd>?</kbd></dt><dd>these keys</dd>
</dl>
<button id="close" type="button">Close</button>
</dialog>
"#;

/// A page has no room for everything, and no options.
const FORM: payload::Form = payload::Form::ReadableElsewhere;

/// The section of one trace.
struct Section<'w, 'a> {
    html: Html<'w>,
    report: &'a LatencyReport<'a>,
    /// From 1.
    number: usize,
    max_chars: Option<usize>,
    cuts: usize,
    images: usize,
}

impl Section<'_, '_> {
    fn write(&mut self) -> io::Result<()> {
        self.write_head()?;
        self.write_said()?;
        if self.report.tree.is_empty() {
            self.html
                .raw("<p class=\"note\">This trace has no spans.</p>\n")?;
        } else {
            self.write_waterfall()?;
            self.write_latency()?;
        }
        self.html.raw("</div>\n</details>\n")
    }

    /// A value in a box of its own, laid out when it is JSON.
    fn write_value(&mut self, value: &str) -> io::Result<()> {
        let (lines, note) = payload::limited_lines(value, self.max_chars, FORM);
        self.write_lines(&lines, note)
    }

    /// Text in a box of its own.
    fn write_text(&mut self, text: &str) -> io::Result<()> {
        let lines = text.trim_end().split('\n').map(str::to_owned).collect();
        let (lines, note) = payload::limited(lines, self.max_chars);
        self.write_box(&lines.join("\n"), lines.len(), note)
    }

    fn write_lines(&mut self, lines: &[Clean], note: Option<String>) -> io::Result<()> {
        let lines: Vec<&str> = lines.iter().map(Clean::as_str).collect();
        self.write_box(&lines.join("\n"), lines.len(), note)
    }

    fn write_box(&mut self, text: &str, lines: usize, note: Option<String>) -> io::Result<()> {
        const SHORT_LINES: usize = 16;
        const SHORT_CHARS: usize = 1000;
        if lines > SHORT_LINES || text.len() > SHORT_CHARS {
            self.html.long_block(text)?;
        } else {
            self.html.block(text)?;
        }
        self.write_cut(note)
    }

    /// Text of one line, cut where it is too long.
    fn write_line(&mut self, text: &str) -> io::Result<()> {
        let (lines, note) = payload::limited(vec![text.to_owned()], self.max_chars);
        for line in &lines {
            self.html.text(line)?;
        }
        self.write_cut(note)
    }

    fn write_cut(&mut self, note: Option<String>) -> io::Result<()> {
        let Some(note) = note else {
            return Ok(());
        };
        self.cuts += 1;
        self.html.raw(" ")?;
        self.html.element("mark", &[], &note)
    }

    /// A link to the row of a span.
    fn write_link(&mut self, id: NodeId) -> io::Result<()> {
        let href = format!("#{}", self.row_id(id));
        let name = short(name(self.report.span(id)));
        self.html.element("a", &[("href", &href)], &name)
    }

    fn row_id(&self, id: NodeId) -> String {
        format!("t{}s{}", self.number, id.index() + 1)
    }
}

/// The name, or what stands for it.
fn name(span: &Span) -> &str {
    crate::text::named(&span.name)
}

/// A name for a row, of a length that a row can hold.
fn short(name: &str) -> String {
    match name.char_indices().nth(NAME_CHARS) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.to_owned(),
    }
}

/// What kind of work a span does, as the class that gives it its colour.
fn kind(span_type: &str) -> &'static str {
    match span_type {
        "LLM" | "CHAT_MODEL" => "model",
        "TOOL" => "tool",
        "RETRIEVER" | "EMBEDDING" | "RERANKER" | "MEMORY" => "data",
        "UNKNOWN" => "unknown",
        _ => "other",
    }
}
