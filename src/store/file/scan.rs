//! One trace after the other out of JSON of any length, with the place of each.
//! Lines are read whole; a document over many lines, or an endless one, is read
//! element by element, so that no more than one trace is in memory.

use std::io::{self, BufRead as _, BufReader, Cursor, Read};
use std::ops::ControlFlow;

use super::elements::Elements;
use crate::store::wire::{DocumentTrace, Want, read_documents};

/// A line that is longer is read element by element.
const LONGEST_LINE: u64 = 32 * 1024 * 1024;

/// Where the JSON of a trace is, perhaps among that of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) start: u64,
    pub(super) len: u64,
}

/// Why a scan ended early.
#[derive(Debug)]
pub(super) enum ScanError {
    /// The bytes cannot be had.
    Io(io::Error),
    /// They are not traces: what is wrong and where.
    Json {
        reason: String,
        /// The input ends within a document.
        cut: bool,
    },
    /// There is nothing but space.
    Empty,
}

/// Takes a trace, and says whether to go on.
pub(super) type Sink<'a> = dyn FnMut(DocumentTrace, Place) -> ControlFlow<()> + 'a;

/// Gives every trace of `input` to `sink`, in order.
///
/// # Errors
/// The first document that is not JSON or holds no trace.
pub(super) fn scan(
    input: impl Read,
    want: Want<'_>,
    longest_line: Option<u64>,
    sink: &mut Sink<'_>,
) -> Result<(), ScanError> {
    let longest_line = longest_line.unwrap_or(LONGEST_LINE);
    let mut input = BufReader::with_capacity(256 * 1024, input);
    let mut line = Vec::new();
    let (mut at, mut number, mut is_empty) = (0_u64, 1_usize, true);
    loop {
        line.clear();
        let read = (&mut input)
            .take(longest_line)
            .read_until(b'\n', &mut line)
            .map_err(ScanError::Io)?;
        if read == 0 {
            return if is_empty {
                Err(ScanError::Empty)
            } else {
                Ok(())
            };
        }
        if at == 0 && line.starts_with(b"\xef\xbb\xbf") {
            line[..3].fill(b' ');
        }
        let is_whole = line.ends_with(b"\n") || (read as u64) < longest_line;
        if is_whole {
            match read_documents(&line, want) {
                Ok(traces) => {
                    is_empty &= line.iter().all(u8::is_ascii_whitespace);
                    let place = Place {
                        start: at,
                        len: read as u64,
                    };
                    for trace in traces {
                        if sink(trace, place).is_break() {
                            return Ok(());
                        }
                    }
                    at += read as u64;
                    number += 1;
                    continue;
                }
                Err(error) if error.is_eof() => {}
                Err(error) if at == 0 && line.starts_with(b"\x1f\x8b") => {
                    return Err(ScanError::Json {
                        reason: "it is compressed by gzip; expected JSON".to_owned(),
                        cut: error.is_eof(),
                    });
                }
                Err(error) => return Err(located(&error, number, 0)),
            }
        }
        let rest = BufReader::with_capacity(256 * 1024, Cursor::new(line).chain(input));
        return Elements::new(rest, at, number, want, sink).documents();
    }
}

/// A parser's error in text that begins at a line and, counted from zero, column.
pub(super) fn located(error: &serde_json::Error, line: usize, column: usize) -> ScanError {
    // The parser's words without ` at line 1 column 2`.
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let words = text.strip_suffix(&position).unwrap_or(&text);
    let column = if error.line() <= 1 { column } else { 0 } + error.column();
    let line = line + error.line().saturating_sub(1);
    ScanError::Json {
        reason: format!("{words} at line {line} column {column}"),
        cut: error.is_eof(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(json: &str, longest_line: Option<u64>) -> Result<Vec<(String, Place)>, ScanError> {
        let mut found = Vec::new();
        scan(
            json.as_bytes(),
            Want::Spans,
            longest_line,
            &mut |trace, place| {
                found.push((trace.info.trace_id, place));
                ControlFlow::Continue(())
            },
        )?;
        Ok(found)
    }

    fn trace(id: usize, space: &str) -> String {
        format!(
            r#"{{{space}"info": {{"trace_id": "tr-{id}", "tags": {{"k": "]}}\"{{"}}}},{space}"data": {{"spans": []}}{space}}}"#
        )
    }

    #[test]
    fn the_same_traces_come_out_of_every_layout() {
        let lines = (0..5).map(|n| trace(n, "") + "\n").collect::<String>();
        let tall = (0..5).map(|n| trace(n, "\n  ")).collect::<Vec<_>>();
        let compact = (0..5).map(|n| trace(n, "")).collect::<Vec<_>>().join(",");
        for json in [
            lines.clone(),
            format!("\u{feff}\r\n\n{}", lines.trim_end()),
            tall.join("\n"),
            tall.join(""),
            format!("[{compact}]"),
            format!("[\n{}\n]\n", tall.join(",\n")),
            format!(
                "{{\"traces\": [{}],\n\"truncated\": false}}",
                tall.join(" , ")
            ),
            format!("{{\n\"next_page_token\": null, \"traces\":\n[{compact}]}}"),
            format!("{lines}[{compact}]\n{}", tall.join(" ")),
        ] {
            for longest in [None, Some(40), Some(7)] {
                let found = places(&json, longest).unwrap();
                assert_eq!(found.len() % 5, 0, "{json}");
                for (n, (id, place)) in found.iter().enumerate() {
                    assert_eq!(*id, format!("tr-{}", n % 5), "{json}");
                    let start = usize::try_from(place.start).unwrap();
                    let part = &json.as_bytes()[start..][..usize::try_from(place.len).unwrap()];
                    let part = part.strip_prefix(b"\xef\xbb\xbf").unwrap_or(part);
                    let again = read_documents(part, Want::Infos).unwrap();
                    assert!(again.iter().any(|t| t.info.trace_id == *id), "{json}");
                }
            }
        }
        assert!(places("{\"traces\":\n []}", None).unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let good = trace(1, "");
        for (json, said, is_cut) in [
            (
                format!("{good}\n{{\"a\": 1}}\n"),
                "no trace in this object; expected `info` and `data`, `traces`, `spans` or a trace info at line 2 column",
                false,
            ),
            (
                format!("{good}\n{good}\nnot json\n"),
                "at line 3 column 2",
                false,
            ),
            (
                format!("{good}\n[{good},\n{good},\n{{\"a\": 1}}]"),
                "no trace in this object",
                false,
            ),
            (
                format!("{good}\n[{good},\n{good},\n{{\"a\": 1}}]"),
                "at line 4 column",
                false,
            ),
            (format!("{good}\n[{good},\n7]"), "found 7 at line 3", false),
            (
                format!("{good}\n{{\"info\": {{\"trace_id\""),
                "EOF while parsing",
                true,
            ),
            (
                format!("{good}\n{{\"info\": {{\"trace_id\""),
                "at line 2",
                true,
            ),
            ("[\n".to_owned(), "EOF while parsing a list at line 2", true),
            (
                "{\"traces\"\n : 7}".to_owned(),
                "found 7 at line 2 column 4",
                false,
            ),
            (
                "{\"traces\"\n; []}".to_owned(),
                "expected `:` at line 2 column 1",
                false,
            ),
            (
                format!("[{good}\n{good}]"),
                "expected `,` or `]` at line 2 column 1",
                false,
            ),
            ("[{\n\"a\": [}\n]".to_owned(), "at line 2 column 7", false),
            ("[\n1]".to_owned(), "found 1 at line 2 column 1", false),
            (
                "{\n\"a\": 1,}".to_owned(),
                "expected a key at line 2 column 8",
                false,
            ),
            (
                "{\n\"a\": 1 \"b\": 2}".to_owned(),
                "expected `,` or `}` at line 2 column 8",
                false,
            ),
            (
                "{\n7: 1}".to_owned(),
                "expected a key at line 2 column 1",
                false,
            ),
            ("\x1f\u{8b}".to_owned(), "line 1", false),
        ] {
            match places(&json, None) {
                Err(ScanError::Json { reason, cut }) => {
                    assert!(reason.contains(said), "{reason} for {json}");
                    assert_eq!(cut, is_cut, "{json}");
                }
                other => panic!("{other:?} for {json}"),
            }
        }
        assert!(matches!(places(" \n\n", None), Err(ScanError::Empty)));
        assert!(matches!(places("", None), Err(ScanError::Empty)));
    }

    #[test]
    fn a_scan_ends_when_told_to() {
        let list = format!("[{},\n{},\nnot json", trace(1, ""), trace(2, ""));
        for json in [
            list,
            format!("{}\n{}\nnot json", trace(1, ""), trace(2, "")),
        ] {
            let mut seen = 0;
            scan(json.as_bytes(), Want::Infos, None, &mut |_, _| {
                seen += 1;
                if seen == 2 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap();
            assert_eq!(seen, 2, "{json}");
        }
    }
}
