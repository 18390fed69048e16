//! LlamaIndex: messages of blocks.

use serde_json::Value;

use super::chat::tool_call;
use super::{Format, message, parts, response};
use crate::messages::media;
use crate::messages::value::{Object, first_text, list, object, some, text};
use crate::model::{Message, Part, Role};

pub(super) const FORMAT: Format = Format {
    part,
    message: |_| None,
    request: |_| None,
    response: of_response,
};

fn part(from: &Object) -> Option<Vec<Part>> {
    let one = match text(from, "block_type")? {
        "text" => return Some(parts(some(from, "text").unwrap_or(&Value::Null))),
        "thinking" => Part::Reasoning(first_text(from, &["content"]).map(str::to_owned)),
        "tool_call" => tool_call(from),
        kind @ ("image" | "audio" | "video" | "document") => {
            let mime = [
                "image_mimetype",
                "audio_mimetype",
                "document_mimetype",
                "format",
            ];
            let mime = media::widened(first_text(from, &mime).unwrap_or(kind), kind).into_owned();
            let name = first_text(from, &["title"]);
            if let Some(data) = first_text(from, &["image", "audio", "video", "data"]) {
                media::of_data(data, &mime, name)
            } else {
                media::of_address(first_text(from, &["url", "path"])?, &mime, name)
            }
        }
        _ => return None,
    };
    Some(vec![one])
}

fn of_response(from: &Object) -> Option<Vec<Message>> {
    if let Some(inner) = object(from, "message").filter(|_| from.contains_key("raw")) {
        let mut found = message(inner)?;
        let finish = object(from, "raw").and_then(finish);
        if let Some(last) = found.last_mut() {
            last.finish_reason = finish.or(last.finish_reason.take());
        }
        return Some(found);
    }
    // A completion: the text, and what the vendor said.
    if from.contains_key("raw") && from.contains_key("text") {
        let mut found = Message::new(Role::Assistant, parts(from.get("text")?));
        found.finish_reason = object(from, "raw").and_then(finish);
        return Some(vec![found]);
    }
    // An agent's answer.
    let inner = object(from, "response").filter(|inner| inner.contains_key("blocks"))?;
    message(inner)
}

/// Why the vendor's own response ended.
fn finish(raw: &Object) -> Option<String> {
    let choice = list(raw, "choices").and_then(|choices| choices.first()?.as_object());
    if let Some(reason) = choice.and_then(|choice| first_text(choice, &["finish_reason"])) {
        return Some(reason.to_owned());
    }
    response(&Value::Object(raw.clone()))?.pop()?.finish_reason
}
