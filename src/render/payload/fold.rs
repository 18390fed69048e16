//! What of a payload is not worth the lines it takes, and what its texts hold.

use serde::de::IgnoredAny;

use crate::json;
use crate::messages;
use crate::units;

/// Beginning and end of what Python prints of the objects with which clients mark
/// arguments that were not given.
const UNSET: [&str; 2] = [".Omit object at 0x", ".NotGiven object at 0x"];

/// Whether a JSON text stands for an argument that was not given.
pub(super) fn is_unset(text: &str) -> bool {
    let inner = text.trim_matches('"');
    inner == "NOT_GIVEN"
        || inner.len() < 100
            && inner.starts_with('<')
            && inner.ends_with('>')
            && UNSET.iter().any(|mark| inner.contains(mark))
}

/// The list or object that a JSON text holds as text.
pub(super) fn json_in(text: &str) -> Option<String> {
    // The brackets may stand behind spaces, which may be escaped.
    let is_likely = text
        .get(1..)?
        .trim_start_matches([' ', '\\', 'n', 'r', 't'])
        .starts_with(['{', '[']);
    if !is_likely {
        return None;
    }
    decoded(text).filter(|inner| is_container(inner))
}

/// Whether a text is a list or an object, as JSON or as Python writes it.
pub(super) fn is_container(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
        && (serde_json::from_str::<IgnoredAny>(text).is_ok()
            || json::parse_at(text.as_bytes(), 0)
                .is_ok_and(|(_, end)| text[end..].trim().is_empty()))
}

/// `<iVBORw0KGgo… 12.3 kB of base64>` for a JSON text of data.
pub(super) fn data_in(text: &str) -> Option<String> {
    if text.len() < messages::DATA_FROM {
        return None;
    }
    shortened(&decoded(text)?)
}

/// The same for a text as it is.
pub(super) fn shortened(text: &str) -> Option<String> {
    let data = messages::long_data(text)?;
    let size = units::bytes(u64::try_from(data.size).unwrap_or(u64::MAX));
    Some(format!("<{}… {size} of {}>", data.head, data.kind))
}

/// The text of a JSON text that has several lines.
pub(super) fn lines_in(text: &str) -> Option<String> {
    if !text.contains("\\n") {
        return None;
    }
    decoded(text).filter(|text| {
        let with_text = text.lines().filter(|line| !line.trim().is_empty());
        with_text.take(2).count() == 2
    })
}

fn decoded(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}
