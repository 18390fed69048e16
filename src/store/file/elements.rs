//! The elements of large JSON documents, cut out one by one: lists of traces,
//! and objects that hold such a list. Only brackets and quotes are looked at
//! here; each element is then parsed as a document of its own, and one that cannot
//! be read does not take the others with it.

use std::io::{self, BufRead};

use super::scan::{Found, Odd, Place, Position, Sink};
use crate::store::wire::{Fault, Want, read_documents};

/// Why no more elements can be cut out.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The bytes cannot be had.
    Io(io::Error),
    /// Brackets and quotes are not as in JSON.
    Json(Fault),
}

/// Cuts documents into elements.
pub(super) struct Elements<'a, 's, R> {
    input: R,
    want: Want<'a>,
    sink: &'a mut Sink<'s>,
    /// The document that is being read.
    pub(super) document: Position,
    /// How many elements of it were given out.
    pub(super) given: usize,
    /// Bytes taken, from the beginning of the whole input.
    position: u64,
    line: usize,
    /// Where the line begins.
    line_start: u64,
}

/// Whether to go on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Flow {
    On,
    Enough,
}

impl<'a, 's, R: BufRead> Elements<'a, 's, R> {
    /// Goes on with `input` at a position.
    pub(super) fn new(input: R, from: Position, want: Want<'a>, sink: &'a mut Sink<'s>) -> Self {
        Self {
            input,
            want,
            sink,
            document: from,
            given: 0,
            position: from.at,
            line: from.line,
            line_start: from.at - from.column as u64,
        }
    }

    /// Gives out the traces of all documents up to the end.
    ///
    /// # Errors
    /// A document that does not end as one.
    pub(super) fn documents(&mut self) -> Result<Flow, Trouble> {
        while let Some(byte) = self.next_byte()? {
            self.document = self.here();
            self.given = 0;
            let flow = match byte {
                b'[' => {
                    self.skip(1);
                    self.list()?
                }
                b'{' => self.object()?,
                _ => self.line_without()?,
            };
            if flow == Flow::Enough {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::On)
    }

    /// The rest of a line on which no document begins.
    fn line_without(&mut self) -> Result<Flow, Trouble> {
        let from = self.here();
        let mut is_over = false;
        while !is_over {
            let buffer = fill(&mut self.input)?;
            let end = buffer.iter().position(|b| *b == b'\n');
            let count = end.unwrap_or(buffer.len());
            is_over = end.is_some() || buffer.is_empty();
            self.skip(count);
        }
        let reason = "expected a trace or a list of traces, found no JSON";
        Ok(self.refuse(b"", from, reason))
    }

    /// What is no trace.
    fn refuse(&mut self, json: &[u8], from: Position, reason: &str) -> Flow {
        let fault = Fault {
            member: None,
            reason: reason.to_owned(),
            line: from.line,
            column: from.column + 1,
            cut: false,
            is_alien: true,
            is_end: false,
        };
        let place = Place::new(from, self.position - from.at);
        self.pass_on(Err(Odd::new(json, fault)), place)
    }

    fn pass_on(&mut self, found: Found, place: Place) -> Flow {
        self.given += 1;
        if (self.sink)(found, place).is_break() {
            Flow::Enough
        } else {
            Flow::On
        }
    }

    /// After the opening bracket of a list.
    fn list(&mut self) -> Result<Flow, Trouble> {
        const LIST: &str = "a list";
        if self.expect(LIST)? == b']' {
            self.skip(1);
            return Ok(Flow::On);
        }
        loop {
            if self.element()? == Flow::Enough {
                return Ok(Flow::Enough);
            }
            match self.expect(LIST)? {
                b',' => self.skip(1),
                b']' => {
                    self.skip(1);
                    return Ok(Flow::On);
                }
                _ => return Err(self.wrong("expected `,` or `]`")),
            }
            self.expect(LIST)?;
        }
    }

    /// An object that is a trace, or holds a list of them.
    fn object(&mut self) -> Result<Flow, Trouble> {
        const OBJECT: &str = "an object";
        let from = self.here();
        self.skip(1);
        // Spaces too, so that lines and columns are those of the document.
        let mut whole = vec![b'{'];
        let mut holds_traces = false;
        let mut is_open = self.expect_after(OBJECT, &mut whole)? != b'}';
        while is_open {
            if self.expect_after(OBJECT, &mut whole)? != b'"' {
                return Err(self.wrong("expected a key"));
            }
            let key = whole.len();
            self.value(&mut whole)?;
            let is_list = matches!(&whole[key..], b"\"traces\"" | b"\"trace_infos\"");
            if self.expect_after(OBJECT, &mut whole)? != b':' {
                return Err(self.wrong("expected `:`"));
            }
            self.take_into(&mut whole);
            self.expect_after(OBJECT, &mut whole)?;
            if is_list {
                holds_traces = true;
                if self.traces()? == Flow::Enough {
                    return Ok(Flow::Enough);
                }
            } else {
                self.value(&mut whole)?;
            }
            match self.expect_after(OBJECT, &mut whole)? {
                b',' => self.take_into(&mut whole),
                b'}' => is_open = false,
                _ => return Err(self.wrong("expected `,` or `}`")),
            }
        }
        self.take_into(&mut whole);
        if holds_traces {
            return Ok(Flow::On);
        }
        Ok(self.give(&whole, from))
    }

    /// What stands where traces should.
    fn traces(&mut self) -> Result<Flow, Trouble> {
        if self.next_byte()? == Some(b'[') {
            self.skip(1);
            return self.list();
        }
        self.element()
    }

    /// One value that is a trace, or holds some.
    fn element(&mut self) -> Result<Flow, Trouble> {
        let from = self.here();
        let mut json = Vec::new();
        self.value(&mut json)?;
        if !json.starts_with(b"{") && !json.starts_with(b"[") {
            let found = match json.first() {
                Some(b'"') => "a text",
                Some(b't' | b'f') => "true or false",
                Some(b'-' | b'0'..=b'9') => "a number",
                Some(b'n') => "null",
                _ => "no JSON",
            };
            let reason = format!("expected a trace or a list of traces, found {found}");
            return Ok(self.refuse(&json, from, &reason));
        }
        Ok(self.give(&json, from))
    }

    fn give(&mut self, json: &[u8], from: Position) -> Flow {
        let place = Place::new(from, self.position - from.at);
        match read_documents(json, self.want) {
            Ok(traces) => {
                for trace in traces {
                    if self.pass_on(Ok(trace), place) == Flow::Enough {
                        return Flow::Enough;
                    }
                }
                Flow::On
            }
            Err(error) => {
                let fault = Fault {
                    // Its end is there.
                    cut: false,
                    ..place.locate(Fault::of_flaw(&error, json))
                };
                self.pass_on(Err(Odd::new(json, fault)), place)
            }
        }
    }

    /// Takes one value as far as brackets and quotes tell where it ends.
    fn value(&mut self, out: &mut Vec<u8>) -> Result<(), Trouble> {
        let first = out.len();
        let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
        loop {
            let buffer = fill(&mut self.input)?;
            if buffer.is_empty() {
                return Err(self.cut("a value"));
            }
            let mut at = 0;
            let mut is_done = false;
            while let Some(&byte) = buffer.get(at) {
                if in_text {
                    at += 1;
                    if is_escaped {
                        is_escaped = false;
                    } else if byte == b'\\' {
                        is_escaped = true;
                    } else if byte == b'"' {
                        in_text = false;
                        is_done = depth == 0;
                    }
                } else {
                    let ends_scalar =
                        matches!(byte, b',' | b':' | b']' | b'}') || byte.is_ascii_whitespace();
                    if depth == 0 && ends_scalar {
                        // A closing bracket with nothing before it is taken, to be refused.
                        if at == 0 && out.len() == first {
                            at += 1;
                        }
                        is_done = true;
                    } else {
                        at += 1;
                        match byte {
                            b'"' => in_text = true,
                            b'{' | b'[' => depth += 1,
                            b'}' | b']' => {
                                depth -= 1;
                                is_done = depth == 0;
                            }
                            _ => {}
                        }
                    }
                }
                if is_done {
                    break;
                }
            }
            out.extend_from_slice(&buffer[..at]);
            self.take(at);
            if is_done {
                return Ok(());
            }
        }
    }

    /// The next byte that is no space, not taken; `None` at the end. Spaces before it
    /// are put into `spaces`.
    fn next_byte_after(&mut self, spaces: &mut Vec<u8>) -> Result<Option<u8>, Trouble> {
        loop {
            let buffer = fill(&mut self.input)?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let count = buffer
                .iter()
                .take_while(|b| b.is_ascii_whitespace())
                .count();
            let next = buffer.get(count).copied();
            spaces.extend_from_slice(&buffer[..count]);
            self.take(count);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// The same within something that has to end.
    fn expect_after(&mut self, within: &str, spaces: &mut Vec<u8>) -> Result<u8, Trouble> {
        self.next_byte_after(spaces)?
            .ok_or_else(|| self.cut(within))
    }

    fn next_byte(&mut self) -> Result<Option<u8>, Trouble> {
        self.next_byte_after(&mut Vec::new())
    }

    fn expect(&mut self, within: &str) -> Result<u8, Trouble> {
        self.expect_after(within, &mut Vec::new())
    }

    /// Takes the next byte, which is no line end.
    fn take_into(&mut self, out: &mut Vec<u8>) {
        let next = self.input.fill_buf().unwrap_or_default().first().copied();
        out.extend(next);
        self.skip(1);
    }

    /// Takes bytes that are no line ends.
    fn skip(&mut self, count: usize) {
        self.input.consume(count);
        self.position += count as u64;
    }

    /// Takes bytes that are in the buffer.
    fn take(&mut self, count: usize) {
        let taken = self.input.fill_buf().unwrap_or_default();
        let taken = &taken[..count.min(taken.len())];
        if let Some(last) = taken.iter().rposition(|b| *b == b'\n') {
            self.line += taken.split(|b| *b == b'\n').count() - 1;
            self.line_start = self.position + last as u64 + 1;
        }
        self.skip(count);
    }

    /// Counted from zero.
    fn column(&self) -> usize {
        usize::try_from(self.position - self.line_start).unwrap_or(usize::MAX)
    }

    fn here(&self) -> Position {
        Position {
            at: self.position,
            line: self.line,
            column: self.column(),
        }
    }

    fn wrong(&self, what: &str) -> Trouble {
        self.trouble(what.to_owned(), self.column() + 1, false)
    }

    fn cut(&self, within: &str) -> Trouble {
        let mut trouble = self.trouble(
            format!("the text ends within {within}"),
            self.column(),
            true,
        );
        // Behind the end of the last line there is none.
        if let Trouble::Json(fault) = &mut trouble
            && fault.column == 0
        {
            fault.line = fault.line.saturating_sub(1).max(1);
        }
        trouble
    }

    fn trouble(&self, reason: String, column: usize, cut: bool) -> Trouble {
        Trouble::Json(Fault {
            member: None,
            reason,
            line: self.line,
            column,
            cut,
            is_alien: true,
            is_end: false,
        })
    }
}

fn fill<R: BufRead>(input: &mut R) -> Result<&[u8], Trouble> {
    loop {
        match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Trouble::Io(error)),
            Ok(_) => break,
        }
    }
    input.fill_buf().map_err(Trouble::Io)
}
