//! What was looked up: the documents of a retriever as a table with an excerpt of
//! each around the words of the question, those of a reranker before and after, and
//! the size of what was embedded.

use std::io;

use crate::analysis::{Found, Lookup};
use crate::messages::{Better, Document, Retrieval};
use crate::model::Span;
use crate::render::cell::Cell;
use crate::render::table::{Align, GAP, Table, TableColumn, natural_widths};
use crate::render::{Layout, text};
use crate::text::{Clean, Sheet};
use crate::units;

const HEADS: [&str; 4] = ["#", "SCORE", "SOURCE", "TEXT"];
/// Columns of an excerpt in a pipe, and the least on a terminal.
const EXCERPT: usize = 160;
const LEAST: usize = 20;
/// The widest column of sources on a terminal.
const SOURCE: usize = 32;

/// Writes one look-up.
pub(super) fn write(
    out: &mut Sheet<'_>,
    lookup: &Lookup,
    span: Option<&Span>,
    origin_ns: i64,
    layout: &Layout,
) -> io::Result<()> {
    let style = layout.style;
    let (role, what) = match &lookup.found {
        Found::Documents(one) if one.before.is_some() => ("RERANKED", documents(one)),
        Found::Documents(one) => ("RETRIEVED", documents(one)),
        Found::Vectors(size) => {
            let texts = units::counted(size.count, "vector");
            (
                "EMBEDDED",
                format!("{texts} × {} numbers", units::whole(size.dimensions)),
            )
        }
    };
    let mut head = Cell::new(style.heading(), role).and(style.text(), format!("  {what}"));
    if let Some(span) = span {
        head = head.and(style.name(), format!("  {}", span.name));
    }
    let offset = units::duration(lookup.time_ns.saturating_sub(origin_ns));
    head = head.and(style.muted(), format!("  +{offset}"));
    if let Some(duration) = lookup.duration_ns {
        head = head.and(style.muted(), format!("  {}", units::duration(duration)));
    }
    out.line(head.fit_if(layout.width))?;
    if let Some(error) = &lookup.error {
        let mark = layout.glyphs.pick("✗", "x");
        let room = layout.width.map(|width| width.saturating_sub(2).max(16));
        for line in Clean::line(format!("{mark} {error}")).wrapped(room) {
            let mut text = Clean::blank(2);
            text.push(style.error(), &line);
            out.line(text)?;
        }
    }
    let Found::Documents(retrieval) = &lookup.found else {
        return Ok(());
    };
    if let Some(query) = &retrieval.query {
        let query = Cell::new(style.muted(), "query  ").and(style.text(), query);
        let room = layout.width.map(|width| width.saturating_sub(2));
        out.line(Clean::from(query.fit_if(room)).indented(2))?;
    }
    if let Some(before) = &retrieval.before {
        out.line(Clean::blank(2).and(style.muted(), "before"))?;
        write_table(out, before, retrieval.query.as_deref(), layout)?;
        out.line(Clean::blank(2).and(style.muted(), "after"))?;
    }
    write_table(
        out,
        &retrieval.documents,
        retrieval.query.as_deref(),
        layout,
    )
}

fn documents(retrieval: &Retrieval) -> String {
    match retrieval.documents.len() {
        0 => "no documents".to_owned(),
        count => units::counted(count, "document"),
    }
}

fn write_table(
    out: &mut Sheet<'_>,
    documents: &[Document],
    query: Option<&str>,
    layout: &Layout,
) -> io::Result<()> {
    if documents.is_empty() {
        return Ok(());
    }
    let style = layout.style;
    let mut scored = documents
        .iter()
        .filter(|one| one.score.is_some())
        .peekable();
    let lower = scored.peek().is_some() && scored.all(|one| one.better == Better::Lower);
    let heads = [
        HEADS[0],
        if lower { "DISTANCE" } else { HEADS[1] },
        HEADS[2],
        HEADS[3],
    ];
    let mut rows: Vec<Vec<Cell>> = documents
        .iter()
        .enumerate()
        .map(|(at, one)| {
            let mark = if one.better == Better::Lower && !lower {
                " (distance)"
            } else {
                ""
            };
            let score = one.score.map_or_else(
                || units::NONE.to_owned(),
                |score| format!("{}{mark}", units::score(score)),
            );
            let source = one
                .source
                .as_deref()
                .or(one.id.as_deref())
                .unwrap_or(units::NONE);
            vec![
                Cell::new(style.muted(), (at + 1).to_string()),
                Cell::new(style.text(), score),
                Cell::new(style.text(), source)
                    .fit_if(layout.width.map(|width| SOURCE.min(width / 3))),
            ]
        })
        .collect();
    // A column without a value would only say so.
    let has_score = documents.iter().any(|one| one.score.is_some());
    let has_source = documents
        .iter()
        .any(|one| one.source.is_some() || one.id.is_some());
    let shown = [true, has_score, has_source, true];
    for row in &mut rows {
        let mut keep = shown.iter();
        row.retain(|_| keep.next().copied().unwrap_or(true));
    }
    let heads: Vec<&str> = heads
        .into_iter()
        .zip(shown)
        .filter(|(_, shown)| *shown)
        .map(|(head, _)| head)
        .collect();
    let widths = natural_widths(&heads[..heads.len() - 1], &rows);
    let taken: usize = widths.iter().sum::<usize>() + GAP * widths.len() + 2;
    let room = layout
        .width
        .map_or(EXCERPT, |width| width.saturating_sub(taken).max(LEAST));
    for (row, one) in rows.iter_mut().zip(documents) {
        row.push(Cell::new(style.text(), excerpt(&one.text, query, room)).fit(room));
    }
    let widths = natural_widths(&heads, &rows);
    let columns = heads.iter().zip(widths).map(|(head, width)| TableColumn {
        head: Cell::new(style.heading(), head),
        align: if matches!(*head, "#" | "SCORE" | "DISTANCE") {
            Align::Right
        } else {
            Align::Left
        },
        width,
    });
    let table = Table::new(columns.collect()).indented(2);
    table.write_head(out)?;
    for line in table.lines_of(&rows) {
        out.line(line.trim_end())?;
    }
    Ok(())
}

/// The text on one line, from a little before the first word of the question on where
/// that would not be shown otherwise.
fn excerpt(content: &str, query: Option<&str>, room: usize) -> String {
    let line = content.split_whitespace().collect::<Vec<_>>().join(" ");
    if text::width(&line) <= room {
        return line;
    }
    let lower = line.to_lowercase();
    // Letters that change their length in lower case would shift the places.
    let words = query
        .filter(|_| lower.len() == line.len())
        .unwrap_or_default()
        .to_lowercase();
    let words = words
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.chars().count() > 3);
    let first = words.filter_map(|word| lower.find(word)).min();
    match first {
        Some(at) if text::width(&line[..at]) > room / 2 => {
            let from = line[..at].char_indices().rev().take(room / 4).last();
            let from = from.map_or(at, |(from, _)| from);
            let from = line[from..]
                .find(' ')
                .map_or(from, |space| from + space + 1);
            format!("{}{}", text::ELLIPSIS, &line[from.min(at)..])
        }
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_shows_the_words_of_the_question() {
        let long = format!(
            "{} The opening hours are nine to six.",
            "Nothing of that. ".repeat(10)
        );
        let shown = excerpt(&long, Some("What are the opening hours?"), 40);
        assert!(
            shown.starts_with('…') && shown.contains("opening"),
            "{shown}"
        );
        assert_eq!(excerpt("short\n text", Some("text"), 40), "short text");
        assert!(excerpt(&long, None, 40).starts_with("Nothing"));
    }
}
