//! One trace after the other out of JSON of any length, with the place of each.
//! Lines are read whole; a document over many lines, or an endless one, is read
//! element by element, so that no more than one trace is in memory. What cannot be
//! read is given out in its turn, and the rest all the same.

use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;

use super::elements::{Elements, Trouble};
use super::lines::Lines;
use crate::store::wire::{DocumentTrace, Fault, Want, read_documents, trace_id_in};

/// A line that is longer is read element by element.
const LONGEST_LINE: u64 = 32 * 1024 * 1024;
/// What is wrong with a line that ends before its document does.
const BREAKS_OFF: &str = "the line breaks off";

/// Where something begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// In bytes, from the beginning of the input.
    pub(super) at: u64,
    /// From one.
    pub(super) line: usize,
    /// From zero.
    pub(super) column: usize,
}

/// Where the JSON of a trace is, perhaps among that of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) start: u64,
    pub(super) len: u64,
    line: u32,
    column: u32,
}

impl Place {
    /// So many bytes from a position on.
    pub(super) fn new(from: Position, len: u64) -> Self {
        Self {
            start: from.at,
            len,
            line: u32::try_from(from.line).unwrap_or(u32::MAX),
            column: u32::try_from(from.column).unwrap_or(u32::MAX),
        }
    }

    /// A fault of the JSON in this place, as one of the whole.
    pub(super) fn locate(self, fault: Fault) -> Fault {
        fault.within(self.line as usize, self.column as usize)
    }
}

/// What stands where a trace should be, and cannot be read.
#[derive(Debug)]
pub(super) struct Odd {
    pub(super) trace_id: Option<String>,
    pub(super) fault: Fault,
}

impl Odd {
    /// A trace, or what stands for it, with a fault.
    pub(super) fn new(json: &[u8], fault: Fault) -> Self {
        Self {
            trace_id: trace_id_in(json),
            fault,
        }
    }
}

/// Why a scan gives nothing.
#[derive(Debug)]
pub(super) enum ScanError {
    /// The bytes cannot be had.
    Io(io::Error),
    /// They are of a kind that is not read at all.
    Refused(&'static str),
    /// There is nothing but space.
    Empty,
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A trace, or what stands in its place.
pub(super) type Found = Result<DocumentTrace, Odd>;
/// Takes what is found, and says whether to go on.
pub(super) type Sink<'a> = dyn FnMut(Found, Place) -> ControlFlow<()> + 'a;

/// Gives every trace of an input, which can be opened at any place, to `sink`, in order. Lines
/// are read into `room`.
///
/// # Errors
/// An input without any document, or of another kind.
pub(super) fn scan<R: Read>(
    open: impl Fn(u64) -> R,
    want: Want<'_>,
    longest_line: Option<u64>,
    room: &mut Vec<u8>,
    sink: &mut Sink<'_>,
) -> Result<(), ScanError> {
    let longest = longest_line.unwrap_or(LONGEST_LINE);
    let mut lines = Lines::new(open, longest, std::mem::take(room));
    let outcome = scan_lines(&mut lines, want, sink);
    *room = lines.into_room();
    outcome
}

fn scan_lines<R: Read, F: Fn(u64) -> R>(
    lines: &mut Lines<R, F>,
    want: Want<'_>,
    sink: &mut Sink<'_>,
) -> Result<(), ScanError> {
    let mut is_empty = true;
    while lines.read()? {
        is_empty &= lines.text().iter().all(u8::is_ascii_whitespace);
        let place = Place::new(lines.here(), lines.len());
        let read = lines.is_whole().then(|| read_documents(lines.text(), want));
        let fault = match read {
            Some(Ok(traces)) => {
                for trace in traces {
                    if sink(Ok(trace), place).is_break() {
                        return Ok(());
                    }
                }
                lines.advance();
                continue;
            }
            Some(Err(error)) => Some(Fault::of_flaw(&error, lines.text())),
            None => None,
        };
        if lines.here().at == 0 && lines.text().starts_with(b"\x1f\x8b") {
            let what = "it is compressed by gzip; expected JSON";
            return Err(ScanError::Refused(what));
        }
        let on_the_line = match fault {
            Some(fault) if !fault.cut || !begins_document(lines.text()) => {
                of_line(lines.text(), lines.here(), want, fault)
            }
            Some(_)
                if !holds_elements(lines.text(), lines.here(), want) && lines.breaks_off()? =>
            {
                Some(vec![(Err(broken_off(lines.text(), lines.here())), place)])
            }
            _ => None,
        };
        let (found, is_end) = match on_the_line {
            Some(found) => (found, false),
            None => of_documents(lines, want, sink)?,
        };
        for (found, place) in found {
            if sink(found, place).is_break() {
                return Ok(());
            }
        }
        if is_end {
            return Ok(());
        }
        lines.advance();
    }
    if is_empty {
        return Err(ScanError::Empty);
    }
    Ok(())
}

/// Whether there are whole elements on a line, of a list that goes on behind it.
fn holds_elements(line: &[u8], here: Position, want: Want<'_>) -> bool {
    let mut ignore = |_, _| ControlFlow::Continue(());
    let ignore: &mut Sink<'_> = &mut ignore;
    let mut elements = Elements::new(Cursor::new(line), here, want, ignore);
    elements.documents().is_err() && elements.given > 0
}

fn begins_document(line: &[u8]) -> bool {
    matches!(line.trim_ascii_start().first(), Some(b'{' | b'['))
}

/// A line on which a document begins that ends nowhere.
fn broken_off(line: &[u8], here: Position) -> Odd {
    let fault = Fault {
        member: None,
        reason: BREAKS_OFF.to_owned(),
        line: here.line,
        column: here.column + line.trim_ascii_end().len(),
        // Whoever writes at the end of the input does not mend it.
        cut: false,
        is_alien: false,
        is_end: false,
    };
    Odd::new(line, fault)
}

/// What is on a line with a fault; `None` for a document that goes on behind it.
fn of_line(
    line: &[u8],
    here: Position,
    want: Want<'_>,
    fault: Fault,
) -> Option<Vec<(Found, Place)>> {
    let mut found = Vec::new();
    let mut sink = |trace, place| {
        found.push((trace, place));
        ControlFlow::Continue(())
    };
    let sink: &mut Sink<'_> = &mut sink;
    let mut elements = Elements::new(Cursor::new(line), here, want, sink);
    match elements.documents() {
        Err(Trouble::Json(broken)) if broken.cut && elements.given > 0 => return None,
        // A text goes on behind the end of the line, which no text does.
        Err(Trouble::Json(broken)) if broken.cut && fault.line > 1 => {
            let place = Place::new(here, line.len() as u64);
            found.push((Err(broken_off(line, here)), place));
        }
        Ok(_) => {}
        Err(_) => {
            let place = Place::new(here, line.len() as u64);
            found.push((Err(Odd::new(line, place.locate(fault))), place));
        }
    }
    Some(found)
}

/// Gives out what follows element by element; gives the fault that ended this, and
/// whether the input can only be read up to there.
fn of_documents<R: Read, F: Fn(u64) -> R>(
    lines: &mut Lines<R, F>,
    want: Want<'_>,
    sink: &mut Sink<'_>,
) -> Result<(Vec<(Found, Place)>, bool), ScanError> {
    let mut elements = Elements::new(lines.open(), lines.here(), want, sink);
    let mut fault = match elements.documents() {
        Ok(_) => return Ok((Vec::new(), true)),
        Err(Trouble::Io(error)) => return Err(error.into()),
        Err(Trouble::Json(fault)) => fault,
    };
    let (document, is_fresh) = (elements.document, elements.given == 0);
    lines.go_to(document);
    lines.read()?;
    let place = Place::new(document, lines.len());
    // A document that does not end may have taken in others.
    if is_fresh && lines.documents_follow()? {
        let odd = broken_off(lines.text(), document);
        return Ok((vec![(Err(odd), place)], false));
    }
    if !fault.cut {
        fault.is_end = true;
    }
    Ok((vec![(Err(Odd::new(lines.text(), fault)), place)], true))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told = Result<(String, Place), String>;

    /// Ids with their places, and what is said of the others.
    fn found(json: &str, longest_line: Option<u64>) -> Result<Vec<Told>, ScanError> {
        let mut all = Vec::new();
        scan(
            |at| &json.as_bytes()[usize::try_from(at).unwrap()..],
            Want::Spans,
            longest_line,
            &mut Vec::new(),
            &mut |found, place| {
                all.push(match found {
                    Ok(trace) => Ok((trace.info.trace_id, place)),
                    Err(odd) => Err(format!(
                        "{}{}",
                        odd.trace_id.map(|id| id + ": ").unwrap_or_default(),
                        odd.fault
                    )),
                });
                ControlFlow::Continue(())
            },
        )?;
        Ok(all)
    }

    /// The ids, and what is said of the others, each on a line.
    fn told(json: &str) -> String {
        let told = found(json, None).unwrap().into_iter();
        let told = told.map(|found| found.map_or_else(|odd| odd, |(id, _)| id));
        told.collect::<Vec<_>>().join("\n")
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
                let found = found(&json, longest).unwrap();
                assert_eq!(found.len() % 5, 0, "{json}");
                for (n, found) in found.iter().enumerate() {
                    let (id, place) = found.as_ref().unwrap();
                    assert_eq!(*id, format!("tr-{}", n % 5), "{json}");
                    let start = usize::try_from(place.start).unwrap();
                    let part = &json.as_bytes()[start..][..usize::try_from(place.len).unwrap()];
                    let part = part.strip_prefix(b"\xef\xbb\xbf").unwrap_or(part);
                    let again = read_documents(part, Want::Infos).unwrap();
                    assert!(again.iter().any(|t| t.info.trace_id == *id), "{json}");
                }
            }
        }
        assert!(found("{\"traces\":\n []}", None).unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let good = trace(1, "");
        for (json, said) in [
            (
                format!("{good}\n{{\"a\": 1}}\n"),
                "no trace in this object; expected `info` and `data`, `traces`, `spans` or a trace info at line 2 column",
            ),
            (
                format!("{good}\n{good}\nnot json\n"),
                "found no JSON at line 3 column 1",
            ),
            (
                format!("{good}\n[{good},\n{good},\n{{\"a\": 1}}]"),
                "no trace in this object",
            ),
            (
                format!("{good}\n[{good},\n{good},\n{{\"a\": 1}}]"),
                "at line 4 column",
            ),
            (format!("{good}\n[{good},\n7]"), "found a number at line 3"),
            (
                format!("{good}\n{{\"info\": {{\"trace_id\""),
                "the text ends within",
            ),
            (format!("{good}\n{{\"info\": {{\"trace_id\""), "at line 2"),
            ("[\n".to_owned(), "the text ends within a list at line 1"),
            (
                "{\"traces\"\n : 7}".to_owned(),
                "found a number at line 2 column 4",
            ),
            (
                "{\"traces\"\n; []}".to_owned(),
                "expected `:` at line 2 column 1",
            ),
            (
                format!("[{good}\n{good}]"),
                "expected `,` or `]` at line 2 column 1",
            ),
            ("[{\n\"a\": [}\n]".to_owned(), "at line 2 column 7"),
            ("[\n1]".to_owned(), "found a number at line 2 column 1"),
            (
                "{\n\"a\": 1,}".to_owned(),
                "expected a key at line 2 column 8",
            ),
            (
                "{\n\"a\": 1 \"b\": 2}".to_owned(),
                "expected `,` or `}` at line 2 column 8",
            ),
            ("{\n7: 1}".to_owned(), "expected a key at line 2 column 1"),
        ] {
            let odd = found(&json, None)
                .unwrap()
                .into_iter()
                .find_map(Result::err);
            let odd = odd.unwrap_or_default();
            let odd = odd.replace("; nothing after that is read", "");
            assert!(odd.contains(said), "{odd} for {json}");
        }
        assert!(matches!(found(" \n\n", None), Err(ScanError::Empty)));
        assert!(matches!(found("", None), Err(ScanError::Empty)));
        let zipped = found("\x1f\u{8b}", None);
        assert!(zipped.is_ok_and(|all| all.len() == 1));
    }

    #[test]
    fn a_scan_ends_when_told_to() {
        let list = format!("[{},\n{},\nnot json", trace(1, ""), trace(2, ""));
        for json in [
            list,
            format!("{}\n{}\nnot json", trace(1, ""), trace(2, "")),
        ] {
            let mut seen = 0;
            let open = |at| &json.as_bytes()[usize::try_from(at).unwrap()..];
            scan(open, Want::Infos, None, &mut Vec::new(), &mut |_, _| {
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
    #[test]
    fn one_odd_trace_does_not_take_the_others() {
        let [a, b, c] = [1, 2, 3].map(|id| trace(id, ""));
        let odd = r#"{"info": {"trace_id": "tr-9", "tags": "hunter2"}, "data": {"spans": []}}"#;
        let cut = &b[..b.len() - 20];
        for (json, expected) in [
            (
                format!("{a}\n2026-11-26 WARNING hunter2\n{c}\n"),
                "tr-1|line 2|tr-3",
            ),
            (format!("{a}\n{odd}\n{c}"), "tr-1|tr-9: |tr-3"),
            (format!("{a}\n{b}}}\n{c}"), "tr-1|tr-2|line 2|tr-3"),
            (format!("[{a},{odd},{c}]"), "tr-1|tr-9: |tr-3"),
            (format!("[{a}, 7, {c}]"), "tr-1|line 1|tr-3"),
            (format!("[\n{a},\n{odd},\n{c}\n]"), "tr-1|line 3|tr-3"),
            (
                format!("{{\"traces\": [{a},{odd},{c}]}}"),
                "tr-1|tr-9: |tr-3",
            ),
            (
                format!("{{\"traces\": [\n{a},{odd},\n{c}]}}\n{b}"),
                "tr-1|line 2|tr-3|tr-2",
            ),
            // Broken off in the middle, and between two members.
            (
                format!("{a}\n{cut}\n{c}\n"),
                "tr-1|tr-2: the line breaks off at line 2|tr-3",
            ),
            (
                format!("{a}\n{{\"info\": {{\"trace_id\": \"tr-2\"}},\n{c}\n{a}"),
                "tr-1|tr-2: the line breaks off|tr-3|tr-1",
            ),
            (
                format!("{a}\n{{\"data\": {{\"spans\": [\n{c}\n"),
                "tr-1|the line breaks off|tr-3",
            ),
            (
                format!("{a}\n{cut}\n{cut}\n{c}"),
                "tr-1|breaks off at line 2|breaks off at line 3|tr-3",
            ),
            (format!("{a}\n{cut}"), "tr-1|the text ends within"),
            // What comes before the damage, and what is wrong.
            (
                format!("[{a},\n{b}\n{c}]"),
                "tr-1|tr-2|expected `,` or `]` at line 3 column 1; nothing after that is read",
            ),
            (
                format!("[\n{a},\n{b},\n"),
                "tr-1|tr-2|the text ends within a list",
            ),
            (
                format!("[{a},\n{b},\n{{\"info\""),
                "tr-1|tr-2|the text ends within",
            ),
            (
                trace(1, "\n  ") + "\nhunter2 hunter2\n" + &trace(2, "\n  "),
                "tr-1|line 5|tr-2",
            ),
        ] {
            let told = told(&json);
            assert!(!told.contains("hunter2"), "{told}");
            let lines: Vec<&str> = told.lines().collect();
            let expected: Vec<&str> = expected.split('|').collect();
            assert_eq!(lines.len(), expected.len(), "{told}\n for {json}");
            for (line, part) in lines.iter().zip(expected) {
                assert!(line.contains(part), "{told}\n for {json}");
            }
        }
    }

    #[test]
    fn a_document_that_breaks_off_is_said_once() {
        let tall = trace(1, "\n  ");
        for cut in [10, 40, tall.len() - 1] {
            let told = told(&tall[..cut]);
            assert_eq!(told.lines().count(), 1, "{told}");
            assert!(told.contains("the text ends"), "{told}");
        }
        let lines = "  \"k\": 7,\n".repeat(50);
        let told = told(&format!("{{\n{lines}  \"k\" 7\n}}\n"));
        assert_eq!(
            told,
            "expected `:` at line 52 column 7; nothing after that is read"
        );
    }
}
