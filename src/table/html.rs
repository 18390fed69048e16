//! Tables of a page: heads, and cells each with the figure that their column is sorted by.
//! What the cell of a column is besides its text, such as a link, is up to the page.

use std::io;

use super::{Column, Datum, Kind, Rows};
use crate::render::Layout;
use crate::render::html::Html;
use crate::units;

/// What a column says of a row.
#[derive(Debug)]
pub(crate) struct Entry {
    kind: Kind,
    /// What the column is sorted by; empty where there is no value.
    figure: String,
    text: String,
}

/// Opens a table: its caption, which may be for those who do not see the page alone, and
/// the heads of its columns. [`end`] closes it.
pub(crate) fn begin<'c, R: Rows + 'c>(
    html: &mut Html<'_>,
    caption: &str,
    is_seen: bool,
    columns: impl IntoIterator<Item = &'c Column<R>>,
) -> io::Result<()> {
    html.raw("<div class=\"scroll\"><table class=\"sortable\">\n")?;
    let unseen: &[_] = if is_seen { &[] } else { &[("class", "unseen")] };
    html.element("caption", unseen, caption)?;
    html.raw("\n<thead><tr>")?;
    for column in columns {
        let title = head(column.title());
        if column.kind().is_number() {
            html.element("th", &[("scope", "col"), ("class", "num")], &title)?;
        } else {
            html.element("th", &[("scope", "col")], &title)?;
        }
    }
    html.raw("</tr></thead>\n<tbody>\n")
}

/// Closes a table.
pub(crate) fn end(html: &mut Html<'_>) -> io::Result<()> {
    html.raw("</tbody>\n</table></div>\n")
}

/// A head as pages have it: `Self %` and not `SELF %`. What is in parentheses stays.
fn head(title: &str) -> String {
    let mut head = String::with_capacity(title.len());
    for (at, word) in title.split(' ').enumerate() {
        match word.chars().next() {
            Some(first) if at == 0 => {
                head.push(first);
                head.push_str(&word[first.len_utf8()..].to_lowercase());
            }
            Some('(') => head.extend([" ", word]),
            _ => head.extend([" ", &word.to_lowercase()]),
        }
    }
    head
}

impl Entry {
    /// What a column says of a row.
    pub(crate) fn new<'a, R: Rows>(column: &Column<R>, row: &'a R::Row<'a>) -> Self {
        let (datum, cell) = column.told(row, &Layout::piped());
        let figure = match &datum {
            _ if datum.is_missing() => String::new(),
            Datum::Time(time) => time.millis().to_string(),
            // Parts of one whole; as shares, some would lose digits.
            Datum::Part(part, _) => part.to_string(),
            other => other.raw().into_owned(),
        };
        Self {
            kind: column.kind(),
            figure,
            text: cell.plain().into_owned(),
        }
    }

    /// With other words for the text that it is.
    pub(crate) fn told(mut self, words: impl FnOnce(&str) -> String) -> Self {
        self.figure = words(&self.figure);
        self.text = match self.figure.as_str() {
            "" => units::NONE.to_owned(),
            words => words.to_owned(),
        };
        self
    }

    /// Whether the column says nothing of the row.
    pub(crate) const fn is_missing(&self) -> bool {
        self.figure.is_empty()
    }

    /// As people read it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The value as machines read it.
    pub(crate) fn figure(&self) -> &str {
        &self.figure
    }

    /// Writes the cell with its text.
    pub(crate) fn write(&self, html: &mut Html<'_>, class: &str) -> io::Result<()> {
        self.write_with(html, class, |html| html.text(&self.text))
    }

    /// Writes the cell with something in it that says the same.
    pub(crate) fn write_with(
        &self,
        html: &mut Html<'_>,
        class: &str,
        inside: impl FnOnce(&mut Html<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let own = match self.kind {
            kind if kind.is_number() => Some("num"),
            Kind::Time => Some("time"),
            _ => None,
        };
        html.raw("<td")?;
        match (own, class) {
            (None, "") => {}
            (None, class) | (Some(class), "") => html.attribute("class", class)?,
            (Some(own), class) => html.attribute("class", &format!("{own} {class}"))?,
        }
        if own.is_some() {
            html.attribute("data-value", &self.figure)?;
        }
        html.raw(">")?;
        inside(html)?;
        html.raw("</td>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Timestamp, TraceInfo};

    type C = Column<TraceInfo>;

    fn written(columns: &[C], info: &TraceInfo) -> String {
        let mut out = Vec::new();
        let html = &mut Html::new(&mut out);
        begin(html, "A & B", false, columns).unwrap();
        for column in columns {
            Entry::new(column, info).write(html, "").unwrap();
        }
        end(html).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn cells_have_the_figure_that_they_are_sorted_by() {
        let mut info = TraceInfo::new("<tr>");
        info.request_time = Some(Timestamp::from_nanos(1_795_380_996_791_000_000));
        let columns = [
            C::new("trace_id", Kind::Id, |info| Datum::text(&info.trace_id)),
            C::new("start_time", Kind::Time, |info| {
                Datum::some(Datum::Time, info.request_time)
            })
            .titled("STARTED (UTC)"),
            C::new("total_ns", Kind::Duration, |_| Datum::Duration(1_500_000)),
            C::new("total_ratio", Kind::Share, |_| Datum::Part(1, 3)).titled("TOTAL %"),
            C::new("cost_usd", Kind::Money, |_| Datum::Missing),
        ];
        insta::assert_snapshot!(written(&columns, &info), @r#"
        <div class="scroll"><table class="sortable">
        <caption class="unseen">A &amp; B</caption>
        <thead><tr><th scope="col">Trace id</th><th scope="col">Started (UTC)</th><th scope="col" class="num">Total ns</th><th scope="col" class="num">Total %</th><th scope="col" class="num">Cost usd</th></tr></thead>
        <tbody>
        <td>&lt;tr&gt;</td><td class="time" data-value="1795380996791">2026-11-22 20:56:36Z</td><td class="num" data-value="1500000">1.50 ms</td><td class="num" data-value="1">33.3</td><td class="num" data-value="">-</td></tbody>
        </table></div>
        "#);
    }
}
