//! JSON text with line breaks and indentation. The text is laid out again, not
//! parsed and printed, so keys keep their order and numbers their digits. For
//! reading, what clients left unset goes, vectors and data are shortened, and
//! texts are shown as what they hold. Nothing here calls itself once for each
//! level of a text.

use super::fold;

/// A list or object that is no longer than this stays on one line.
const SHORT: usize = 60;
/// What is nested deeper than this stays on one line.
pub const DEEPEST: usize = 100;
/// So many bytes of indentation for each byte of a text, and some for good
/// measure; what goes beyond stays on one line.
const INDENTATION: usize = 8;
pub(super) const ANYWAY: usize = 1 << 16;
/// JSON in a text of JSON in a text is laid out down to this.
const DEEPEST_TEXT: usize = 3;
/// A list of so many numbers is a vector, of which this many are shown.
const VECTOR: usize = 16;
const SHOWN_NUMBERS: usize = 3;

/// Calls `each` with the lines of what is known to be JSON; gives how many unset
/// members were left out.
pub(super) fn lay_out(json: &str, is_raw: bool, each: &mut dyn FnMut(&str)) -> usize {
    let mut page = Page {
        line: String::new(),
        spaces: json.len().saturating_mul(INDENTATION) + ANYWAY,
        each,
        unset: 0,
        after_block: false,
    };
    Layer::new(json, is_raw, 0).write(0, 0, Mode::Spread, &mut page);
    page.flush();
    page.unset
}

/// Lines on their way out.
struct Page<'e> {
    line: String,
    /// How much indentation is still to be had.
    spaces: usize,
    each: &'e mut dyn FnMut(&str),
    unset: usize,
    /// The last value was a text in lines of its own, which no comma follows.
    after_block: bool,
}

impl Page<'_> {
    fn new_line(&mut self, depth: usize) {
        let Some(left) = self.spaces.checked_sub(2 * depth) else {
            self.line.push(' ');
            return;
        };
        self.spaces = left;
        self.flush();
        self.line.clear();
        self.line.extend(std::iter::repeat_n("  ", depth));
    }

    fn flush(&mut self) {
        let is_blank = self.line.bytes().all(|byte| byte == b' ');
        (self.each)(if is_blank { "" } else { &self.line });
    }
}

/// How a value is written.
#[derive(Clone, Copy)]
enum Mode {
    /// On lines of its own, where it is not short.
    Spread,
    /// On one line of at most so many bytes, or not at all.
    Line(usize),
}

/// A list or object that has not ended.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Open {
    is_object: bool,
    /// The null members of this object are left out.
    is_sparse: bool,
    /// Each value has a line of its own.
    is_spread: bool,
    is_empty: bool,
}

/// A JSON text, perhaps within another.
struct Layer<'t> {
    json: &'t str,
    is_raw: bool,
    level: usize,
    /// Where the objects begin of which the null members are left out.
    sparse: Vec<usize>,
}

impl<'t> Layer<'t> {
    fn new(json: &'t str, is_raw: bool, level: usize) -> Self {
        Self {
            json,
            is_raw,
            level,
            sparse: if is_raw {
                Vec::new()
            } else {
                sparse_objects(json)
            },
        }
    }

    /// Writes the value that begins at `at`; gives where it ends, or `None` where it
    /// does not fit on the one line that it is to take.
    fn write(&self, mut at: usize, depth: usize, mode: Mode, page: &mut Page<'_>) -> Option<usize> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            at = skip_space(self.json, at);
            let first = self.byte(at)?;
            match (open.last(), first) {
                (Some(ending), b'}' | b']') => {
                    if ending.is_spread && !ending.is_empty {
                        page.new_line(depth + open.len() - 1);
                    }
                    page.line.push(char::from(first));
                    page.after_block = false;
                    open.pop();
                    at += 1;
                    if open.is_empty() {
                        return mode.allows(&page.line).then_some(at);
                    }
                    continue;
                }
                (Some(_), b',') => {
                    at += 1;
                    continue;
                }
                _ => {}
            }
            let mut key = None;
            if open.last().is_some_and(|parent| parent.is_object) {
                let text = token(self.json, at);
                key = Some(text);
                let colon = skip_space(self.json, at + text.len());
                at = skip_space(self.json, colon + 1);
            }
            let depth_here = depth + open.len();
            if let Some(parent) = open.last_mut() {
                if !self.is_raw && key.is_some() && self.is_unset(at, parent.is_sparse) {
                    page.unset += 1;
                    at += token(self.json, at).len();
                    continue;
                }
                if !std::mem::take(&mut page.after_block) && !parent.is_empty {
                    page.line.push(',');
                }
                if parent.is_spread {
                    page.new_line(depth_here);
                } else if !parent.is_empty {
                    page.line.push(' ');
                }
                parent.is_empty = false;
            }
            if let Some(key) = key {
                page.line.push_str(key);
                page.line.push_str(": ");
            }
            let may_spread = open
                .last()
                .map_or(matches!(mode, Mode::Spread), |parent| parent.is_spread);
            match self.byte(at) {
                Some(bracket @ (b'{' | b'[')) => {
                    let is_spread = may_spread && depth_here < DEEPEST;
                    if let Some(end) = self.vector(at, page) {
                        at = end;
                    } else if let Some(end) = is_spread.then(|| self.short(at, page)).flatten() {
                        at = end;
                    } else {
                        page.line.push(char::from(bracket));
                        open.push(Open {
                            is_object: bracket == b'{',
                            is_sparse: self.sparse.binary_search(&at).is_ok(),
                            is_spread,
                            is_empty: true,
                        });
                        at += 1;
                        if mode.allows(&page.line) {
                            continue;
                        }
                        return None;
                    }
                }
                Some(b'"') => {
                    let text = token(self.json, at);
                    let mode = match mode {
                        Mode::Spread if !may_spread => Mode::Line(usize::MAX),
                        mode => mode,
                    };
                    self.write_text(text, key.is_some(), depth_here, mode, page)?;
                    at += text.len();
                }
                _ => {
                    let word = token(self.json, at);
                    page.line.push_str(word);
                    at += word.len();
                }
            }
            if !mode.allows(&page.line) {
                return None;
            }
            if open.is_empty() {
                return Some(at);
            }
        }
    }

    /// Writes a list or object that is short enough on the line; gives where it ends.
    fn short(&self, at: usize, page: &mut Page<'_>) -> Option<usize> {
        let limit = if is_short(&self.json[at..]) {
            // With all the spaces that it may get.
            4 * SHORT
        } else if self.is_raw {
            return None;
        } else {
            SHORT
        };
        let mut line = Page {
            line: String::new(),
            spaces: 0,
            each: &mut |_| {},
            unset: 0,
            after_block: false,
        };
        let end = self.write(at, 0, Mode::Line(limit), &mut line)?;
        page.line.push_str(&line.line);
        page.unset += line.unset;
        Some(end)
    }

    /// Writes the beginning of a long list of nothing but numbers; gives where it ends.
    fn vector(&self, start: usize, page: &mut Page<'_>) -> Option<usize> {
        if self.is_raw {
            return None;
        }
        let mut shown = [""; SHOWN_NUMBERS];
        let mut count = 0;
        let mut at = start;
        loop {
            if !matches!(self.byte(at), Some(b'[' | b',')) {
                break;
            }
            at = skip_space(self.json, at + 1);
            let word = token(self.json, at);
            if !word.starts_with(|c: char| c == '-' || c.is_ascii_digit())
                && !matches!(word, "NaN" | "Infinity")
            {
                return None;
            }
            if let Some(place) = shown.get_mut(count) {
                *place = word;
            }
            count += 1;
            at = skip_space(self.json, at + word.len());
        }
        if count < VECTOR || self.byte(at) != Some(b']') {
            return None;
        }
        let more = crate::units::counted(count - SHOWN_NUMBERS, "more number");
        for part in ["[", &shown.join(", "), ", … ", &more, "]"] {
            page.line.push_str(part);
        }
        Some(at + 1)
    }

    fn write_text(
        &self,
        text: &str,
        is_member: bool,
        depth: usize,
        mode: Mode,
        page: &mut Page<'_>,
    ) -> Option<()> {
        if self.is_raw {
            page.line.push_str(text);
            return Some(());
        }
        if let Some(inner) = fold::json_in(text).filter(|_| self.level < DEEPEST_TEXT) {
            page.line.push_str("(text) ");
            let layer = Layer::new(&inner, false, self.level + 1);
            return layer.write(0, depth, mode, page).map(|_| ());
        }
        if let Some(short) = fold::data_in(text) {
            page.line.push_str(&short);
            return Some(());
        }
        let lines = is_member.then(|| fold::lines_in(text)).flatten();
        match (lines, mode) {
            (Some(block), Mode::Spread) => {
                page.line.truncate(page.line.trim_end().len());
                for line in block.trim_end().split('\n') {
                    page.new_line(depth + 1);
                    page.line.push_str(line.strip_suffix('\r').unwrap_or(line));
                }
                page.after_block = true;
            }
            (Some(_), Mode::Line(limit)) if limit < usize::MAX => return None,
            _ => page.line.push_str(text),
        }
        Some(())
    }

    fn is_unset(&self, at: usize, is_sparse: bool) -> bool {
        let rest = &self.json[at..];
        is_sparse && rest.starts_with("null")
            || rest.starts_with('"') && fold::is_unset(token(self.json, at))
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.json.as_bytes().get(at).copied()
    }
}

impl Mode {
    const fn allows(self, line: &str) -> bool {
        match self {
            Self::Spread => true,
            Self::Line(limit) => line.len() <= limit,
        }
    }
}

/// Where the objects begin in which at least half of four or more members are null:
/// what a client writes that puts down every field it has.
fn sparse_objects(json: &str) -> Vec<usize> {
    struct Object {
        start: usize,
        members: u32,
        nulls: u32,
    }
    let mut found = Vec::new();
    if !json.contains("null") {
        return found;
    }
    let mut open: Vec<Object> = Vec::new();
    let mut at = 0;
    while at < json.len() {
        let text = token(json, at);
        match text {
            "{" | "[" => open.push(Object {
                start: at,
                members: 0,
                nulls: 0,
            }),
            "}" | "]" => {
                if let Some(object) = open.pop()
                    && object.members >= 4
                    && object.nulls >= object.members.div_ceil(2)
                {
                    found.push(object.start);
                }
            }
            ":" => {
                if let Some(object) = open.last_mut() {
                    object.members = object.members.saturating_add(1);
                    let value = skip_space(json, at + 1);
                    object.nulls += u32::from(json[value..].starts_with("null"));
                }
            }
            _ => {}
        }
        at += text.len();
    }
    found.sort_unstable();
    found
}

fn skip_space(json: &str, at: usize) -> usize {
    let rest = json.as_bytes().get(at..).unwrap_or_default();
    let spaces = rest.iter().position(|byte| !b" \t\r\n".contains(byte));
    at.min(json.len()) + spaces.unwrap_or(rest.len())
}

/// A string, a bracket, a space, or a number or word. The text is known to be JSON.
fn token(json: &str, at: usize) -> &str {
    let rest = json.get(at..).unwrap_or_default();
    let bytes = rest.as_bytes();
    let end = match bytes.first() {
        None => 0,
        Some(b'"') => string_end(bytes),
        Some(b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n') => 1,
        Some(_) => bytes
            .iter()
            .position(|b| b"{}[],: \t\r\n".contains(b))
            .unwrap_or(bytes.len()),
    };
    &rest[..end]
}

fn string_end(bytes: &[u8]) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Whether the list or object that begins here ends soon.
fn is_short(rest: &str) -> bool {
    let bytes = rest.as_bytes();
    let (mut at, mut open) = (0, 0usize);
    while at < bytes.len().min(SHORT) {
        match bytes[at] {
            b'"' => {
                at += string_end(&bytes[at..bytes.len().min(SHORT + 1)]);
                continue;
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' => open -= 1,
            _ => {}
        }
        at += 1;
        if open == 0 {
            return at <= SHORT;
        }
    }
    false
}
