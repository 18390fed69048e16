//! The lines of an input, one at a time, each no longer than fits into memory, and
//! what can be told of one by those behind it.

use std::io::{self, BufRead as _, BufReader, Read};

use serde::de::IgnoredAny;

use super::scan::Position;
use crate::store::wire::{Want, read_documents};

/// So many lines behind one tell whether it breaks off.
const AHEAD: usize = 2;
const BUFFER: usize = 256 * 1024;

/// The lines from one position to the end.
pub(super) struct Lines<R, F> {
    open: F,
    input: BufReader<R>,
    longest: u64,
    here: Position,
    line: Vec<u8>,
    /// What was read behind the line.
    ahead: Option<Vec<u8>>,
}

impl<R: Read, F: Fn(u64) -> R> Lines<R, F> {
    /// Those of an input that can be opened at any place; none is read yet. They are read
    /// into this room, which may be that of lines before.
    pub(super) fn new(open: F, longest: u64, room: Vec<u8>) -> Self {
        Self {
            input: BufReader::with_capacity(BUFFER, open(0)),
            open,
            longest,
            here: Position {
                at: 0,
                line: 1,
                column: 0,
            },
            line: room,
            ahead: None,
        }
    }

    /// The room that the lines were read into.
    pub(super) fn into_room(self) -> Vec<u8> {
        self.line
    }

    /// Reads a line; `false` at the end.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        self.line.clear();
        let first = self.longest.min(BUFFER as u64);
        let read = (&mut self.input)
            .take(first)
            .read_until(b'\n', &mut self.line)?;
        if read as u64 == first && !self.line.ends_with(b"\n") {
            // Room that nothing is written to costs no memory; moving to more room does.
            let more = self.longest - first;
            self.line
                .reserve_exact(usize::try_from(more).unwrap_or_default());
            (&mut self.input)
                .take(more)
                .read_until(b'\n', &mut self.line)?;
        }
        if self.here.at == 0 && self.line.starts_with(b"\xef\xbb\xbf") {
            self.line[..3].fill(b' ');
        }
        Ok(!self.line.is_empty())
    }

    /// Where the line begins.
    pub(super) fn here(&self) -> Position {
        self.here
    }

    /// The line, with its end.
    pub(super) fn text(&self) -> &[u8] {
        &self.line
    }

    pub(super) fn len(&self) -> u64 {
        self.line.len() as u64
    }

    /// Whether nothing more of it follows.
    pub(super) fn is_whole(&self) -> bool {
        self.line.ends_with(b"\n") || self.len() < self.longest
    }

    /// The next line to read is the one behind this one.
    pub(super) fn advance(&mut self) {
        self.here = Position {
            at: self.here.at + self.len(),
            line: self.here.line + 1,
            column: 0,
        };
        if self.ahead.take().is_some() {
            self.input = self.open();
        }
    }

    /// The next line to read begins there.
    pub(super) fn go_to(&mut self, position: Position) {
        self.here = position;
        self.ahead = None;
        self.input = self.open();
    }

    /// All bytes from the beginning of the line on.
    pub(super) fn open(&self) -> BufReader<R> {
        BufReader::with_capacity(BUFFER, (self.open)(self.here.at))
    }

    /// Whether a line that ends within a document breaks off there: those behind it
    /// do not go on with it, and are documents of their own. Of a list, there may be
    /// whole elements, which are given one by one.
    pub(super) fn breaks_off(&mut self) -> io::Result<bool> {
        if self.line.trim_ascii_start().starts_with(b"[") || !self.documents_follow()? {
            return Ok(false);
        }
        let behind = self.ahead.as_deref().unwrap_or_default();
        let text = [&self.line, behind].concat();
        let Err(error) = serde_json::from_slice::<IgnoredAny>(&text) else {
            return Ok(false);
        };
        // The parser stumbles over the first thing on a line.
        let line = text.split(|b| *b == b'\n').nth(error.line() - 1);
        let before = line.unwrap_or_default();
        let before = &before[..error.column().saturating_sub(1).min(before.len())];
        Ok(!error.is_eof() && error.line() > 1 && before.trim_ascii().is_empty())
    }

    /// Whether one of the lines behind this one is a document by itself.
    pub(super) fn documents_follow(&mut self) -> io::Result<bool> {
        let mut ahead = Vec::new();
        let mut is_one = false;
        for _ in 0..AHEAD {
            let start = ahead.len();
            (&mut self.input)
                .take(self.longest)
                .read_until(b'\n', &mut ahead)?;
            is_one |= read_documents(&ahead[start..], Want::Infos).is_ok_and(|t| !t.is_empty());
        }
        self.ahead = Some(ahead);
        Ok(is_one)
    }
}
