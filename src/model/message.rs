//! What was said between people, models and tools: messages and their parts, in
//! one form for all frameworks. Parts are named as in OpenTelemetry's conventions
//! for generative AI.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Who says something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Role {
    /// The application, to the model: instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool, to the model: results.
    Tool,
    /// Whatever else the source says.
    Other(String),
}

impl Role {
    /// From any spelling that a framework uses.
    pub fn parse(text: &str) -> Self {
        let name = text.rsplit(['.', ':']).next().unwrap_or(text);
        match name.to_ascii_lowercase().as_str() {
            "system" | "developer" | "systemmessage" => Self::System,
            "user" | "human" | "humanmessage" | "humanmessagechunk" => Self::User,
            "assistant" | "ai" | "model" | "chatbot" | "aimessage" | "aimessagechunk" => {
                Self::Assistant
            }
            "tool" | "function" | "toolmessage" | "functionmessage" | "tool-call-response"
            | "tool-response" | "ipython" => Self::Tool,
            _ => Self::Other(text.to_owned()),
        }
    }

    /// `system`, `user`, `assistant`, `tool`, or what the source says.
    pub fn as_str(&self) -> &str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::Other(name) => name,
        }
    }
}

/// One thing that somebody said.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// Who among those of the same role: an agent, a participant.
    pub name: Option<String>,
    /// What is said, in its order.
    pub parts: Vec<Part>,
    /// Why the model ended here, in the source's words.
    pub finish_reason: Option<String>,
}

impl Message {
    /// A message without a name.
    pub const fn new(role: Role, parts: Vec<Part>) -> Self {
        Self {
            role,
            name: None,
            parts,
            finish_reason: None,
        }
    }
}

/// A piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Text to read.
    Text(String),
    /// What the model thought; `None` where it is kept from us.
    Reasoning(Option<String>),
    /// The model wants a tool to be called.
    Call(ToolCall),
    /// What a tool gave back.
    Result(ToolResult),
    /// An image, a sound, a file.
    Media(Media),
    /// The model declines, and why.
    Refusal(String),
    /// What is of no known kind.
    Json(Value),
}

/// A call of a tool that a model asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The call's id, which its result names.
    pub id: Option<String>,
    /// The tool.
    pub name: String,
    /// Mostly an object; text where that is no JSON.
    pub arguments: Value,
}

/// A tool as it is offered to a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolDefinition {
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The JSON Schema of its arguments.
    pub parameters: Option<Map<String, Value>>,
}

/// What a tool gave back.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult {
    /// The call's id.
    pub id: Option<String>,
    /// The tool, where the source says it.
    pub name: Option<String>,
    /// As recorded.
    pub response: Value,
    /// Whether the tool failed, where the source says so.
    pub is_error: Option<bool>,
}

/// How media are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// Within the message.
    Blob,
    /// By an address.
    Uri,
    /// By the id of a file at the vendor's.
    File,
}

impl MediaKind {
    /// `blob`, `uri` or `file`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Uri => "uri",
            Self::File => "file",
        }
    }
}

/// An image, a sound, a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// How it is given.
    pub kind: MediaKind,
    /// `image/png`, or as much of it as is known: `image`.
    pub mime_type: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
    /// The address or the file's id.
    pub uri: Option<String>,
    /// The file's name.
    pub name: Option<String>,
    /// The bytes of a blob as they were recorded: mostly base64, what Python
    /// prints of bytes, or a data URL that is not base64.
    pub data: Option<String>,
    /// The file that they were saved in.
    pub path: Option<String>,
}

/// What stands before the id of an attachment that MLflow took out of a payload.
pub const ATTACHMENT: &str = "mlflow-attachment://";

impl Media {
    /// The id of the attachment that holds the bytes.
    pub fn attachment(&self) -> Option<&str> {
        let rest = self.uri.as_deref()?.strip_prefix(ATTACHMENT)?;
        rest.split(['?', '#']).next()
    }
}

impl ToolCall {
    /// The tool's name where there is one.
    pub fn shown_name(&self) -> Cow<'_, str> {
        if self.name.is_empty() {
            Cow::Borrowed("(no name)")
        } else {
            Cow::Borrowed(&self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_many_spellings() {
        for (text, role) in [
            ("developer", Role::System),
            ("HumanMessage", Role::User),
            ("model", Role::Assistant),
            ("MessageRole.ASSISTANT", Role::Assistant),
            ("function", Role::Tool),
            ("critic", Role::Other("critic".into())),
        ] {
            assert_eq!(Role::parse(text), role, "{text}");
        }
    }

    #[test]
    fn an_attachment_is_named_by_its_id() {
        let media = Media {
            kind: MediaKind::Uri,
            mime_type: None,
            size: None,
            uri: Some(format!(
                "{ATTACHMENT}886e-1?content_type=image%2Fpng&size=75"
            )),
            name: None,
            data: None,
            path: None,
        };
        assert_eq!(media.attachment(), Some("886e-1"));
    }
}
