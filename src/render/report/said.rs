//! What was said in a trace, as `--chat` tells it: each message once, with calls of tools
//! and their results, what was looked up, and what went wrong. Images are shown that are
//! small and what they claim to be; anything else is named.

use std::collections::HashMap;
use std::io;

use base64::Engine as _;
use serde_json::Value;

use super::{Section, short};
use crate::analysis::{Found, Lookup, NodeId, Said, conversation};
use crate::messages::{self, Document};
use crate::model::{Media, Part, Role, ToolCall};
use crate::render::transcript::{self, Numbers};
use crate::units;

/// The failures that stand above everything else; the rows have all.
const FAILURES: usize = 8;
/// Bytes of an image that is shown, and of all images of a page.
const IMAGE: usize = 256_000;
const IMAGES: usize = 8_000_000;
/// Longer arguments stand below their call.
const ARGUMENTS: usize = 100;
/// Agents within agents that are moved to the right.
const DEEPEST: usize = 16;

impl Section<'_, '_> {
    /// Writes what went wrong, and in which spans.
    pub(super) fn write_failures(&mut self) -> io::Result<()> {
        let failed = self.report.tree.failure_origins(self.report.trace);
        if failed.is_empty() {
            return Ok(());
        }
        self.html
            .raw("<section class=\"failures\" aria-label=\"Failures\">\n")?;
        for id in failed.iter().take(FAILURES) {
            self.html.raw("<div class=\"failure\"><b>✗ ")?;
            self.write_link(*id)?;
            self.html.raw("</b>")?;
            if let Some(text) = self.report.span(*id).failure() {
                self.write_text(&text)?;
            }
            self.html.raw("</div>\n")?;
        }
        if let Some(more) = failed.len().checked_sub(FAILURES).filter(|more| *more > 0) {
            let more = format!("and {} more", units::counted(more, "failed span"));
            self.html.element("p", &[("class", "note")], &more)?;
        }
        self.html.raw("</section>\n")
    }

    /// Writes what was said, where anything was.
    pub(super) fn write_said(&mut self) -> io::Result<()> {
        let conversation = conversation(self.report.trace, &self.report.tree);
        if conversation.said.is_empty() && conversation.lookups.is_empty() {
            return Ok(());
        }
        let rows = self.report.nodes().map(|(id, node)| (node.span, id));
        let rows: HashMap<usize, NodeId> = rows.collect();
        let mut numbers = Numbers::default();
        self.html
            .raw("<details class=\"said fold\" open><summary><h3>What was said</h3></summary>\n")?;
        let mut lookups = conversation.lookups.iter().peekable();
        for said in &conversation.said {
            while let Some(lookup) = lookups.next_if(|lookup| said.follows(lookup.time_ns)) {
                self.write_lookup(lookup, &rows)?;
            }
            self.write_message(said, &rows, &mut numbers)?;
        }
        for lookup in lookups {
            self.write_lookup(lookup, &rows)?;
        }
        if let Some(notes) = transcript::frame::notes(&conversation, "the inputs of spans have") {
            self.html.element("p", &[("class", "note")], &notes)?;
        }
        self.html.raw("</details>\n")
    }

    fn write_message(
        &mut self,
        said: &Said,
        rows: &HashMap<usize, NodeId>,
        numbers: &mut Numbers,
    ) -> io::Result<()> {
        let role = match said.message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
            Role::Other(_) => "other",
        };
        let class = format!("message {role} d{}", said.depth.min(DEEPEST));
        self.html.open("article", &[("class", &class)])?;
        self.html.raw("<header>")?;
        self.html
            .element("b", &[], &short(said.message.role.as_str()))?;
        let is_answer = said.message.role == Role::Assistant;
        let agent = said.agent.as_deref().filter(|_| is_answer);
        let name = said.message.name.as_deref().or(agent);
        let model = said.model.as_deref().filter(|_| is_answer);
        for text in name.into_iter().chain(model) {
            self.html.raw(" ")?;
            self.html.element("bdi", &[], &short(text))?;
        }
        self.write_where(said.span, said.time_ns, said.duration_ns, rows)?;
        let mut facts = Vec::new();
        facts.extend(said.usage.as_ref().and_then(transcript::tokens));
        facts.extend(said.cost_usd.map(units::cost));
        if said.parallel && said.duration_ns.is_some() {
            facts.push("in parallel".to_owned());
        }
        if let Some((at, of)) = said.alternative {
            facts.push(format!("{at} of {of}"));
        }
        let end = said.message.finish_reason.as_deref();
        facts.extend(end.filter(|end| !transcript::is_usual_end(end)).map(short));
        self.write_small(&facts)?;
        self.html.raw("</header>\n")?;
        for part in &said.message.parts {
            self.write_part(part, said, numbers)?;
        }
        if let Some(error) = &said.error {
            self.html.raw("<div class=\"failure\">")?;
            self.write_text(error)?;
            self.html.raw("</div>")?;
        } else if said.message.parts.is_empty() {
            self.write_note(transcript::nothing(said))?;
        }
        self.html.raw("</article>\n")
    }

    /// The row of a span, when it began and how long it took.
    fn write_where(
        &mut self,
        span: Option<usize>,
        time_ns: Option<i64>,
        duration_ns: Option<i64>,
        rows: &HashMap<usize, NodeId>,
    ) -> io::Result<()> {
        if let Some(id) = span.and_then(|at| rows.get(&at)) {
            self.html.raw(" ")?;
            self.write_link(*id)?;
        }
        let origin_ns = self.report.tree.origin_ns;
        let offset = |time: i64| format!("+{}", units::duration(time.saturating_sub(origin_ns)));
        let facts = time_ns.map(offset).into_iter();
        let facts: Vec<String> = facts.chain(duration_ns.map(units::duration)).collect();
        self.write_small(&facts)
    }

    fn write_small(&mut self, facts: &[String]) -> io::Result<()> {
        for fact in facts {
            self.html.raw(" ")?;
            self.html.element("small", &[], fact)?;
        }
        Ok(())
    }

    fn write_note(&mut self, text: &str) -> io::Result<()> {
        self.html.element("p", &[("class", "note")], text)
    }

    fn write_part(&mut self, part: &Part, said: &Said, numbers: &mut Numbers) -> io::Result<()> {
        match part {
            Part::Text(text) => match &*messages::decoded(&Value::from(text.as_str())) {
                Value::String(_) => self.write_words(text),
                structure => self.write_value(&structure.to_string()),
            },
            Part::Reasoning(None) => self.write_note("(thought, not shown by the vendor)"),
            Part::Reasoning(Some(thought)) => {
                self.html
                    .raw("<details class=\"fold\"><summary>Reasoning</summary>")?;
                self.write_words(thought)?;
                self.html.raw("</details>\n")
            }
            Part::Call(call) => {
                let number = numbers.of_call(call);
                self.write_call(call, number)
            }
            Part::Result(result) => {
                let number = numbers.of_result(result.id.as_deref(), result.name.as_deref());
                self.html.raw("<p class=\"call\">")?;
                if let Some(number) = number {
                    self.html.text(&format!("{number} "))?;
                }
                let name = result.name.as_deref().unwrap_or("result");
                self.html.element("b", &[], &short(name))?;
                if result.is_error == Some(true) && said.error.is_none() {
                    self.html.raw(" <b class=\"failure\">✗ failed</b>")?;
                }
                self.html.raw("</p>")?;
                match &*messages::decoded(&result.response) {
                    Value::Null if said.error.is_some() => Ok(()),
                    Value::Null => self.write_note("(no result)"),
                    Value::String(text) if text.is_empty() => self.write_note("(empty)"),
                    Value::String(text) => self.write_words(text),
                    structure => self.write_value(&structure.to_string()),
                }
            }
            Part::Media(media) => self.write_media(media),
            Part::Refusal(text) => {
                self.html.raw("<p class=\"failure\">refused:</p>")?;
                self.write_words(text)
            }
            Part::Json(value) => self.write_value(&value.to_string()),
        }
    }

    /// Text as people read it, with its lines.
    fn write_words(&mut self, text: &str) -> io::Result<()> {
        self.html.raw("<div class=\"text\">")?;
        self.write_text(text)?;
        self.html.raw("</div>")
    }

    fn write_call(&mut self, call: &ToolCall, number: usize) -> io::Result<()> {
        let arguments = transcript::arguments(&call.arguments);
        let fits = arguments.chars().take(ARGUMENTS + 1).count() <= ARGUMENTS;
        self.html.raw("<p class=\"call\">")?;
        self.html.text(&format!("{number} "))?;
        self.html.element("b", &[], &short(&call.shown_name()))?;
        if fits {
            self.html.raw("(")?;
            self.write_line(&arguments)?;
            return self.html.raw(")</p>");
        }
        self.html.raw("</p>")?;
        match &call.arguments {
            Value::String(text) => self.write_text(text),
            structure => self.write_value(&structure.to_string()),
        }
    }

    fn write_media(&mut self, media: &Media) -> io::Result<()> {
        let about = transcript::placeholder(media);
        let shown = image(media).filter(|(_, bytes)| self.images + bytes.len() <= IMAGES);
        if let Some((mime, bytes)) = shown {
            self.images += bytes.len();
            let data = base64::engine::general_purpose::STANDARD.encode(bytes);
            let source = format!("data:{mime};base64,{data}");
            return self
                .html
                .open("img", &[("src", &source), ("alt", &short(&about))]);
        }
        self.html.raw("<p class=\"note\">")?;
        self.write_line(&about)?;
        self.html.raw("</p>")
    }

    fn write_lookup(&mut self, lookup: &Lookup, rows: &HashMap<usize, NodeId>) -> io::Result<()> {
        let (verb, what) = match &lookup.found {
            Found::Documents(found) => {
                let verb = match found.before {
                    Some(_) => "reranked",
                    None => "retrieved",
                };
                (verb, units::counted(found.documents.len(), "document"))
            }
            Found::Vectors(size) => {
                let vectors = units::counted(size.count, "vector");
                let numbers = units::whole(size.dimensions);
                ("embedded", format!("{vectors} × {numbers} numbers"))
            }
        };
        self.html
            .raw("<article class=\"message lookup\"><header>")?;
        self.html.element("b", &[], verb)?;
        self.html.raw(" ")?;
        self.html.text(&what)?;
        let time_ns = Some(lookup.time_ns);
        self.write_where(Some(lookup.span), time_ns, lookup.duration_ns, rows)?;
        self.html.raw("</header>\n")?;
        if let Some(error) = &lookup.error {
            self.html.raw("<div class=\"failure\">")?;
            self.write_text(error)?;
            self.html.raw("</div>")?;
        }
        if let Found::Documents(found) = &lookup.found {
            if let Some(query) = &found.query {
                self.write_words(query)?;
            }
            if let Some(before) = &found.before {
                self.html
                    .raw("<details class=\"fold\"><summary>Before</summary>")?;
                self.write_documents(before)?;
                self.html.raw("</details>\n")?;
            }
            self.write_documents(&found.documents)?;
        }
        self.html.raw("</article>\n")
    }

    fn write_documents(&mut self, documents: &[Document]) -> io::Result<()> {
        for (at, document) in documents.iter().enumerate() {
            let source = document.source.as_deref().or(document.id.as_deref());
            let score = document.score.map(units::score).unwrap_or_default();
            self.html.raw("<details class=\"fold\"><summary>")?;
            let head = format!("{}. {score} ", at + 1);
            self.html.text(&head)?;
            self.html
                .element("bdi", &[], &short(source.unwrap_or_default()))?;
            self.html.raw(" ")?;
            let words: Vec<&str> = document.text.split_whitespace().take(24).collect();
            self.html.element("small", &[], &short(&words.join(" ")))?;
            self.html.raw("</summary>")?;
            self.write_words(&document.text)?;
            self.html.raw("</details>\n")?;
        }
        Ok(())
    }
}

/// The bytes of an image within the message, if they are few, and as whole as they are
/// what its type says.
fn image(media: &Media) -> Option<(&'static str, Vec<u8>)> {
    const TYPES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];
    let claimed = media.mime_type.as_deref()?.to_ascii_lowercase();
    let claimed = claimed.replace("image/jpg", "image/jpeg");
    let mime = TYPES.into_iter().find(|mime| *mime == claimed)?;
    // Four characters are three bytes, and what Python prints of one is up to four.
    media.data.as_ref().filter(|data| data.len() < 4 * IMAGE)?;
    let bytes = messages::bytes(media).ok()?;
    (bytes.len() < IMAGE && is_whole(mime, &bytes)).then_some((mime, bytes))
}

/// Whether a file begins and ends like an image of a type.
fn is_whole(mime: &str, bytes: &[u8]) -> bool {
    match mime {
        "image/png" => {
            bytes.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
                && bytes.ends_with(b"IEND\xae\x42\x60\x82")
        }
        "image/jpeg" => bytes.starts_with(b"\xff\xd8\xff") && bytes.ends_with(b"\xff\xd9"),
        "image/gif" => {
            (bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a")) && bytes.ends_with(b";")
        }
        "image/webp" => {
            let length = bytes.get(4..8).and_then(|four| four.try_into().ok());
            let length = length.map(u32::from_le_bytes).map(u64::from);
            bytes.starts_with(b"RIFF")
                && bytes.get(8..12) == Some(b"WEBP")
                && length.map(|length| length + 8) == u64::try_from(bytes.len()).ok()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MediaKind;

    fn shown(mime: &str, bytes: &[u8]) -> Option<&'static str> {
        let media = Media {
            kind: MediaKind::Blob,
            mime_type: Some(mime.to_owned()),
            size: None,
            uri: None,
            name: None,
            data: Some(base64::engine::general_purpose::STANDARD.encode(bytes)),
            path: None,
        };
        image(&media).map(|(mime, _)| mime)
    }

    #[test]
    fn images_are_shown_that_are_what_they_claim_to_be() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR....IEND\xae\x42\x60\x82";
        let webp = b"RIFF\x08\0\0\0WEBPVP8 ";
        for (mime, bytes, expected) in [
            ("image/png", &png[..], Some("image/png")),
            ("IMAGE/PNG", png, Some("image/png")),
            ("image/jpg", b"\xff\xd8\xff..\xff\xd9", Some("image/jpeg")),
            ("image/gif", b"GIF89a..;", Some("image/gif")),
            ("image/webp", webp, Some("image/webp")),
            ("image/png", &png[..20], None),
            ("image/jpeg", png, None),
            ("image/svg+xml", b"<svg/>", None),
            ("image/png", b"<svg/>", None),
            ("image/webp", &webp[..14], None),
            ("text/html", png, None),
            ("image", png, None),
        ] {
            assert_eq!(shown(mime, bytes), expected, "{mime} {bytes:?}");
        }
        let mut large = png.to_vec();
        large.splice(20..20, vec![0; IMAGE]);
        assert_eq!(shown("image/png", &large), None);
    }
}
