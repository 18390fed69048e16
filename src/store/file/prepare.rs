//! What is done with input before its traces are read: it is unpacked and turned into
//! UTF-8, spans that stand apart are put together into traces, and the files of a
//! folder become one. Plain files of traces, by far the most, are left as they are.

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::folder::{files_in, folders_of_files};
use super::source::{self, Source, Trouble};
use crate::model::Unreadable;
use crate::store::wire::{
    Collected, Flaw, Piece, Want, parts_from_protobuf, read_documents, read_parts, write_trace,
};

/// So much of an input tells what it is.
const HEAD: usize = 64 * 1024;

/// Input that can be read as traces.
pub(super) struct Prepared {
    pub(super) source: Source,
    /// The files that it was made of, where it was made of some.
    pub(super) origins: Origins,
    /// Traces of which a span cannot be read.
    pub(super) unreadable: Vec<Unreadable>,
}

/// Files, each with the line of the whole at which it begins.
#[derive(Default)]
pub(super) struct Origins(Vec<(String, usize)>);

impl Origins {
    /// The file, with the line there, of a line of the whole.
    pub(super) fn place_of(&self, line: usize) -> Option<(&str, usize)> {
        let (name, first) = self.0.iter().rfind(|(_, first)| *first <= line)?;
        Some((name, line - first + 1))
    }
}

impl Prepared {
    /// Input that is left as it is.
    pub(super) fn plain(source: Source) -> Self {
        Self {
            source,
            origins: Origins::default(),
            unreadable: Vec::new(),
        }
    }
}

const BROKEN_GZIP: &str = "it is compressed by gzip, and breaks off or is damaged";

/// A file, or all those of a folder.
///
/// # Errors
/// What cannot be read or kept, and what is of a kind that is not read.
pub(super) fn path(path: &Path) -> Result<Prepared, Trouble> {
    if path.is_dir() {
        let mut whole = Whole::new();
        for file in files_in(path).map_err(Trouble::Read)? {
            let opened = std::fs::File::open(&file).map_err(Trouble::Read)?;
            whole.add(&file.display().to_string(), opened, true)?;
        }
        for name in folders_of_files(path) {
            let name = path.join(name).display().to_string();
            whole.refuse(&name, "its files are read where it is named itself", true)?;
        }
        return whole.finish();
    }
    let name = path.display().to_string();
    let metadata = std::fs::metadata(path).map_err(Trouble::Read)?;
    if !metadata.is_file() {
        return stream(std::fs::File::open(path).map_err(Trouble::Read)?, &name);
    }
    source(Source::file(path)?, &name)
}

/// Everything that comes out of a pipe or device. What is no traces is refused by how it
/// begins: it may have no end.
///
/// # Errors
/// Those of [`path`].
pub(super) fn stream(mut from: impl Read, name: &str) -> Result<Prepared, Trouble> {
    let mut head = Vec::new();
    let mut beginning = (&mut from).take(HEAD as u64);
    beginning.read_to_end(&mut head).map_err(Trouble::Read)?;
    let refused = match Kind::of(&head) {
        Kind::Refused(what) => Some(what),
        Kind::Traces if head.len() == HEAD => no_text_of_traces(&head),
        _ => None,
    };
    if let Some(what) = refused {
        return Err(Trouble::Refused(what.to_owned()));
    }
    let whole = io::Cursor::new(head).chain(from);
    source(Source::pipe(source::Limited::new(whole))?, name)
}

/// Why no traces come behind the beginning of a stream.
fn no_text_of_traces(head: &[u8]) -> Option<&'static str> {
    let is_odd = |byte: &&u8| byte.is_ascii_control() && !byte.is_ascii_whitespace();
    if head.iter().filter(is_odd).count() > HEAD / 50 {
        return Some("it is binary data; expected traces as JSON");
    }
    let begins = |line: &[u8]| matches!(line.trim_ascii_start(), [b'{' | b'[', ..]);
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    (!head.split(|byte| *byte == b'\n').any(begins))
        .then_some("no line at its beginning is JSON; expected traces as JSON")
}

/// Input that is there already.
///
/// # Errors
/// Those of [`path`].
pub(super) fn source(source: Source, name: &str) -> Result<Prepared, Trouble> {
    let mut head = Vec::new();
    let mut reader = source.reader(0, HEAD as u64);
    reader.read_to_end(&mut head).map_err(Trouble::Read)?;
    if Kind::of(&head) == Kind::Traces {
        return Ok(Prepared::plain(source));
    }
    let mut whole = Whole::new();
    whole.add(name, source.reader(0, u64::MAX), false)?;
    whole.finish()
}

/// What an input is, by how it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Traces in JSON, or something that is refused where they are read.
    Traces,
    Gzip,
    Utf16 {
        is_little: bool,
    },
    /// Spans in JSON.
    Parts,
    /// Spans in protobuf.
    Protobuf,
    Refused(&'static str),
}

impl Kind {
    fn of(head: &[u8]) -> Self {
        const REFUSED: [(&[u8], &str); 9] = [
            (
                b"\x28\xb5\x2f\xfd",
                "it is compressed by zstd; unpack it with `zstd -d`",
            ),
            (
                b"\xfd7zXZ\0",
                "it is compressed by xz; unpack it with `unxz`",
            ),
            (
                b"BZh",
                "it is compressed by bzip2; unpack it with `bunzip2`",
            ),
            (b"PK\x03\x04", "it is a zip archive; unpack it"),
            (b"PAR1", "it is a Parquet file; expected JSON"),
            (
                b"SQLite format 3\0",
                "it is a database; name it as sqlite:///PATH",
            ),
            (b"\xff\xfe\0\0", "it is UTF-32; expected UTF-8"),
            (b"\0\0\xfe\xff", "it is UTF-32; expected UTF-8"),
            (b"\x80\x04", "it is a pickle of Python; expected JSON"),
        ];
        if let Some((_, what)) = REFUSED.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Self::Refused(what);
        }
        match head {
            [0x1f, 0x8b, ..] => return Self::Gzip,
            [0xff, 0xfe, ..] | [b'{' | b'[', 0, ..] => return Self::Utf16 { is_little: true },
            [0xfe, 0xff, ..] | [0, b'{' | b'[', ..] => return Self::Utf16 { is_little: false },
            // The first field of a request, and of the resource's spans in it.
            [0x0a, rest @ ..] if is_protobuf(rest) => return Self::Protobuf,
            _ => {}
        }
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
        let text = text.trim_ascii_start();
        match text.first() {
            Some(b'<') => Self::Refused("it is HTML or XML; expected JSON"),
            Some(_) if text.starts_with(b"Trace(") || text.starts_with(b"{'") => {
                Self::Refused("it is how Python prints an object; write it with `trace.to_json()`")
            }
            Some(b'{' | b'[') if are_parts(text) => Self::Parts,
            _ => Self::Traces,
        }
    }
}

/// Whether a length follows, and then another field of protobuf.
fn is_protobuf(rest: &[u8]) -> bool {
    let length = rest.iter().take(5).position(|byte| byte & 0x80 == 0);
    length.is_some_and(|at| matches!(rest.get(at + 1), Some(0x0a | 0x12)))
}

/// Whether the first document holds spans without their traces, by its first members.
fn are_parts(text: &[u8]) -> bool {
    const GROUPS: [&[u8]; 5] = [
        b"resourceSpans",
        b"resource_spans",
        b"batches",
        b"scopeSpans",
        b"scope_spans",
    ];
    const IDS: [&[u8]; 3] = [b"span_id", b"spanId", b"context"];
    const STARTS: [&[u8]; 6] = [
        b"start_time_unix_nano",
        b"startTimeUnixNano",
        b"start_time_ns",
        b"startTimeNs",
        b"start_time",
        b"startTime",
    ];
    let keys = first_keys(text);
    let has = |names: &[&[u8]], path: &[u8]| {
        keys.iter()
            .any(|(outer, key)| *outer == path && names.contains(key))
    };
    has(&GROUPS, b"") || has(&GROUPS, b"trace") || (has(&IDS, b"") && has(&STARTS, b""))
}

/// The keys of the first object, and those within its members, each with the member's.
fn first_keys(text: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut keys = Vec::new();
    let (mut depth, mut at, mut outer): (usize, usize, &[u8]) = (0, 0, b"");
    let (mut is_key, mut lists) = (false, 0_usize);
    while let Some(byte) = text.get(at) {
        match byte {
            b'{' => {
                depth += 1;
                is_key = true;
            }
            b'[' if depth == 0 => {}
            b'[' => lists += 1,
            b']' => lists = lists.saturating_sub(1),
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            b',' => is_key = true,
            b':' => is_key = false,
            b'"' => {
                let start = at + 1;
                let mut end = start;
                while text.get(end).is_some_and(|b| *b != b'"') {
                    end += if text[end] == b'\\' { 2 } else { 1 };
                }
                let Some(key) = text.get(start..end) else {
                    break;
                };
                at = end;
                if is_key && lists == 0 && depth == 1 {
                    keys.push((&b""[..], key));
                    outer = key;
                } else if is_key && lists == 0 && depth == 2 {
                    keys.push((outer, key));
                }
            }
            _ => {}
        }
        at += 1;
    }
    keys
}

/// Input that is put together anew, in a temporary place.
struct Whole {
    kept: tempfile::SpooledTempFile,
    lines: usize,
    origins: Origins,
    collected: Collected,
    unreadable: Vec<Unreadable>,
}

impl Whole {
    fn new() -> Self {
        Self {
            kept: source::temporary(),
            lines: 0,
            origins: Origins::default(),
            collected: Collected::default(),
            unreadable: Vec::new(),
        }
    }

    /// Takes in one input. In a folder one of a kind that is not read is left out, and
    /// named among what cannot be read.
    fn add(&mut self, name: &str, input: impl Read, is_of_folder: bool) -> Result<(), Trouble> {
        let mut input: Box<dyn Read + '_> = Box::new(input);
        let mut is_packed = false;
        loop {
            let mut head = Vec::new();
            match (&mut input).take(HEAD as u64).read_to_end(&mut head) {
                Err(_) if is_packed => return self.refuse(name, BROKEN_GZIP, is_of_folder),
                outcome => outcome.map_err(Trouble::Read)?,
            };
            let kind = Kind::of(&head);
            let all = io::Cursor::new(head).chain(input);
            match kind {
                Kind::Gzip => {
                    input = Box::new(source::Limited::new(MultiGzDecoder::new(all)));
                    is_packed = true;
                }
                Kind::Utf16 { is_little } => {
                    let text = utf8_of(all, is_little).map_err(Trouble::Read)?;
                    input = Box::new(io::Cursor::new(text));
                }
                Kind::Traces => return self.copy(name, all),
                Kind::Parts => return self.parts(name, BufReader::new(all)),
                Kind::Protobuf => return self.protobuf(name, all, is_of_folder),
                Kind::Refused(what) => return self.refuse(name, what, is_of_folder),
            }
        }
    }

    fn refuse(&mut self, name: &str, what: &str, is_of_folder: bool) -> Result<(), Trouble> {
        if !is_of_folder {
            return Err(Trouble::Refused(what.to_owned()));
        }
        self.unreadable.push(Unreadable {
            file: Some(name.to_owned()),
            ..odd(None, what.to_owned())
        });
        Ok(())
    }

    fn copy(&mut self, name: &str, input: impl Read) -> Result<(), Trouble> {
        self.origins.0.push((name.to_owned(), self.lines + 1));
        let mut input = BufReader::with_capacity(256 * 1024, input);
        let mut is_first = true;
        let mut last = b'\n';
        loop {
            let mut buffer = input.fill_buf().map_err(Trouble::Read)?;
            let taken = buffer.len();
            let Some(end) = buffer.last().copied() else {
                break;
            };
            if std::mem::take(&mut is_first) {
                buffer = buffer.strip_prefix(b"\xef\xbb\xbf").unwrap_or(buffer);
            }
            last = end;
            self.lines += buffer.split(|b| *b == b'\n').count() - 1;
            self.kept.write_all(buffer).map_err(Trouble::Keep)?;
            input.consume(taken);
        }
        if last != b'\n' {
            self.lines += 1;
            self.kept.write_all(b"\n").map_err(Trouble::Keep)?;
        }
        Ok(())
    }

    /// Spans in JSON: one document a line, or documents over many lines, which are
    /// read together.
    fn parts(&mut self, name: &str, mut input: impl BufRead) -> Result<(), Trouble> {
        let (mut text, mut line) = (Vec::new(), 1);
        loop {
            text.clear();
            let read = input.read_until(b'\n', &mut text).map_err(Trouble::Read)?;
            if read == 0 {
                return Ok(());
            }
            let blank = text.strip_prefix(b"\xef\xbb\xbf").map_or(0, |_| 3);
            text[..blank].fill(b' ');
            match read_parts(&text) {
                Err(flaw) if flaw.is_cut => {
                    input.read_to_end(&mut text).map_err(Trouble::Read)?;
                    match read_parts(&text) {
                        Ok(pieces) => self.collect(name, line, &text, pieces),
                        Err(flaw) => self.fault(name, line, &text, None, &flaw),
                    }
                    return Ok(());
                }
                Ok(pieces) => self.collect(name, line, &text, pieces),
                // A whole trace among spans.
                Err(_) if read_documents(&text, Want::Infos).is_ok_and(|t| !t.is_empty()) => {
                    self.copy(name, &*text)?;
                }
                Err(flaw) => self.fault(name, line, &text, None, &flaw),
            }
            line += 1;
        }
    }

    fn protobuf(
        &mut self,
        name: &str,
        mut input: impl Read,
        is_of_folder: bool,
    ) -> Result<(), Trouble> {
        let mut bytes = Vec::new();
        input.read_to_end(&mut bytes).map_err(Trouble::Read)?;
        match parts_from_protobuf(&bytes) {
            Ok(pieces) => self.collect(name, 0, &[], pieces),
            Err(flaw) => return self.refuse(name, &flaw.reason, is_of_folder),
        }
        Ok(())
    }

    fn collect(&mut self, name: &str, line: usize, text: &[u8], pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Span(part) => self.collected.add(part),
                Piece::Odd { trace_id, flaw } => self.fault(name, line, text, trace_id, &flaw),
            }
        }
    }

    fn fault(
        &mut self,
        name: &str,
        line: usize,
        text: &[u8],
        trace_id: Option<String>,
        flaw: &Flaw,
    ) {
        let (ahead, column) = flaw.place_in(text);
        let message = match column {
            0 => flaw.reason.clone(),
            column => format!("{} at column {column}", flaw.reason),
        };
        self.unreadable.push(Unreadable {
            file: Some(name.to_owned()),
            line: (line > 0).then_some(line + ahead),
            member: Some(flaw.member.clone()).filter(|member| !member.is_empty()),
            ..odd(trace_id, message)
        });
    }

    /// Puts the traces together behind those that are whole already.
    fn finish(mut self) -> Result<Prepared, Trouble> {
        let odd: HashSet<String> = self
            .unreadable
            .iter()
            .filter_map(|unreadable| unreadable.trace_id.clone())
            .collect();
        for trace in self.collected.into_traces() {
            if odd.contains(&format!("tr-{}", trace.spans[0].trace_id)) {
                continue;
            }
            write_trace(&mut self.kept, &trace).map_err(Trouble::Keep)?;
        }
        Ok(Prepared {
            source: Source::kept(self.kept).map_err(Trouble::Keep)?,
            origins: self.origins,
            unreadable: self.unreadable,
        })
    }
}

fn odd(trace_id: Option<String>, message: String) -> Unreadable {
    Unreadable {
        trace_id,
        file: None,
        line: None,
        member: None,
        message,
    }
}

/// Text of two bytes a unit as UTF-8; halves of pairs become U+FFFD.
fn utf8_of(mut input: impl Read, is_little: bool) -> io::Result<String> {
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    let units = bytes.chunks_exact(2).map(|pair| {
        let pair = [pair[0], pair[1]];
        if is_little {
            u16::from_le_bytes(pair)
        } else {
            u16::from_be_bytes(pair)
        }
    });
    let text: String = char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}
