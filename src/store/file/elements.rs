//! The elements of large JSON documents, cut out one by one: lists of traces,
//! and objects that hold such a list. Only brackets and quotes are looked at
//! here; each element is then parsed as a document of its own.

use std::io::{self, BufRead};

use super::scan::{Place, ScanError, Sink, located};
use crate::store::wire::{Want, read_documents};

/// Cuts documents into elements.
pub(super) struct Elements<'a, 's, R> {
    input: R,
    want: Want<'a>,
    sink: &'a mut Sink<'s>,
    /// Bytes taken, from the beginning of the whole input.
    position: u64,
    line: usize,
    /// Where the line begins.
    line_start: u64,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Enough,
}

impl<'a, 's, R: BufRead> Elements<'a, 's, R> {
    /// Goes on with `input` at a position, which is the beginning of a line.
    pub(super) fn new(
        input: R,
        position: u64,
        line: usize,
        want: Want<'a>,
        sink: &'a mut Sink<'s>,
    ) -> Self {
        Self {
            input,
            want,
            sink,
            position,
            line,
            line_start: position,
        }
    }

    /// Gives out the traces of all documents up to the end.
    ///
    /// # Errors
    /// The first document that is not JSON or holds no trace.
    pub(super) fn documents(mut self) -> Result<(), ScanError> {
        while let Some(byte) = self.next_byte()? {
            let flow = match byte {
                b'[' => {
                    self.skip(1);
                    self.list()?
                }
                b'{' => self.object()?,
                _ => self.element()?,
            };
            if flow == Flow::Enough {
                break;
            }
        }
        Ok(())
    }

    /// After the opening bracket of a list.
    fn list(&mut self) -> Result<Flow, ScanError> {
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
    fn object(&mut self) -> Result<Flow, ScanError> {
        const OBJECT: &str = "an object";
        let (start, line, column) = (self.position, self.line, self.column());
        self.skip(1);
        let mut whole = vec![b'{'];
        let mut holds_traces = false;
        let mut is_open = self.expect(OBJECT)? != b'}';
        while is_open {
            if self.expect(OBJECT)? != b'"' {
                return Err(self.wrong("expected a key"));
            }
            let mut key = Vec::new();
            self.value(&mut key)?;
            if self.expect(OBJECT)? != b':' {
                return Err(self.wrong("expected `:`"));
            }
            self.skip(1);
            self.expect(OBJECT)?;
            if key == b"\"traces\"" || key == b"\"trace_infos\"" {
                holds_traces = true;
                if self.traces()? == Flow::Enough {
                    return Ok(Flow::Enough);
                }
            } else {
                if whole.len() > 1 {
                    whole.push(b',');
                }
                whole.append(&mut key);
                whole.push(b':');
                self.value(&mut whole)?;
            }
            match self.expect(OBJECT)? {
                b',' => self.skip(1),
                b'}' => is_open = false,
                _ => return Err(self.wrong("expected `,` or `}`")),
            }
        }
        self.skip(1);
        if holds_traces {
            return Ok(Flow::On);
        }
        whole.push(b'}');
        let place = Place {
            start,
            len: self.position - start,
        };
        self.give(&whole, place, line, column)
    }

    /// What stands where traces should.
    fn traces(&mut self) -> Result<Flow, ScanError> {
        if self.next_byte()? == Some(b'[') {
            self.skip(1);
            return self.list();
        }
        self.element()
    }

    /// One value that is a trace, or holds some.
    fn element(&mut self) -> Result<Flow, ScanError> {
        let (start, line, column) = (self.position, self.line, self.column());
        let mut json = Vec::new();
        self.value(&mut json)?;
        if !json.starts_with(b"{") && !json.starts_with(b"[") {
            let found: String = String::from_utf8_lossy(&json).chars().take(20).collect();
            return Err(ScanError::Json {
                reason: format!(
                    "expected a trace or a list of traces, found {found} at line {line} column {}",
                    column + 1
                ),
                cut: false,
            });
        }
        let place = Place {
            start,
            len: self.position - start,
        };
        self.give(&json, place, line, column)
    }

    fn give(
        &mut self,
        json: &[u8],
        place: Place,
        line: usize,
        column: usize,
    ) -> Result<Flow, ScanError> {
        let traces =
            read_documents(json, self.want).map_err(|error| located(&error, line, column))?;
        for trace in traces {
            if (self.sink)(trace, place).is_break() {
                return Ok(Flow::Enough);
            }
        }
        Ok(Flow::On)
    }

    /// Takes one value as far as brackets and quotes tell where it ends.
    fn value(&mut self, out: &mut Vec<u8>) -> Result<(), ScanError> {
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

    /// The next byte that is no space, not taken; `None` at the end.
    fn next_byte(&mut self) -> Result<Option<u8>, ScanError> {
        loop {
            let buffer = fill(&mut self.input)?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let spaces = buffer
                .iter()
                .take_while(|b| b.is_ascii_whitespace())
                .count();
            let next = buffer.get(spaces).copied();
            self.take(spaces);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// The next byte that is no space, within something that has to end.
    fn expect(&mut self, within: &str) -> Result<u8, ScanError> {
        self.next_byte()?.ok_or_else(|| self.cut(within))
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

    fn wrong(&self, what: &str) -> ScanError {
        ScanError::Json {
            reason: format!("{what} at line {} column {}", self.line, self.column() + 1),
            cut: false,
        }
    }

    fn cut(&self, within: &str) -> ScanError {
        ScanError::Json {
            reason: format!(
                "EOF while parsing {within} at line {} column {}",
                self.line,
                self.column()
            ),
            cut: true,
        }
    }
}

fn fill<R: BufRead>(input: &mut R) -> Result<&[u8], ScanError> {
    loop {
        match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ScanError::Io(error)),
            Ok(_) => break,
        }
    }
    input.fill_buf().map_err(ScanError::Io)
}
