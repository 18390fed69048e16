//! What was said, a line a message and more below it where there is room.

use std::borrow::Cow;

use serde_json::Value;

use super::budget::{Block, RestId, Share};
use super::tokens;
use crate::analysis::{Conversation, Said};
use crate::messages;
use crate::model::{Part, Role};
use crate::render::transcript::{arguments, is_usual_end, placeholder};
use crate::text::Clean;
use crate::units;

/// Tokens of the first line of a message, and of each that follows.
const FIRST: usize = 60;
const NEXT: usize = 100;

/// A message with all that is said in it, or several in a row that say the same.
#[derive(Debug)]
pub(super) struct Message {
    head: Clean,
    text: String,
    is_question: bool,
    count: usize,
}

/// How many messages there are.
pub(super) fn count(messages: &[Message]) -> usize {
    messages.iter().map(|message| message.count).sum()
}

/// What was asked first.
pub(super) fn first_question(messages: &[Message]) -> Option<&str> {
    let first = messages.iter().find(|message| message.is_question)?;
    Some(&first.text)
}

/// The messages of a trace, of each as many characters at most.
pub(super) fn messages(conversation: &Conversation, before: &str, most: usize) -> Vec<Message> {
    let mut before_it = None;
    let said = conversation.said.iter();
    let mut found: Vec<Message> = Vec::new();
    for one in said.map(|said| message(said, before, most, &mut before_it)) {
        match found.last_mut() {
            Some(last) if last.head == one.head && last.text == one.text => last.count += 1,
            _ => found.push(one),
        }
    }
    found
}

/// Adds the first line of each message, in this order, to a section.
pub(super) fn add_first(
    block: &mut Block<'_>,
    section: usize,
    messages: &[Message],
    order: impl Iterator<Item = usize>,
    rest: RestId,
) {
    for at in order {
        let message = &messages[at];
        let (line, left) = tokens::split(&message.text, FIRST);
        let goes_on = !left.is_empty();
        let count = message.count;
        let of = (!goes_on).then_some(Share { of: rest, count });
        let times = match count {
            1 => String::new(),
            _ => format!(" ×{}", units::whole(count)),
        };
        let text = message.head.clone().then(times).then(": ").then(line);
        if !block.part((section, at, 0), text, of, goes_on) {
            return;
        }
    }
}

/// Adds what else they say.
pub(super) fn add_more(
    block: &mut Block<'_>,
    section: usize,
    messages: &[Message],
    order: impl Iterator<Item = usize>,
    rest: RestId,
) {
    for at in order {
        let (_, mut left) = tokens::split(&messages[at].text, FIRST);
        let mut part = 0;
        while !left.is_empty() {
            part += 1;
            let (line, next) = tokens::split(left, NEXT);
            let goes_on = !next.is_empty();
            let count = messages[at].count;
            let of = (!goes_on).then_some(Share { of: rest, count });
            if !block.part(
                (section, at, part),
                Clean::line("| ").then(line),
                of,
                goes_on,
            ) {
                return;
            }
            left = next;
        }
    }
}

/// Who answers, and by which model.
type Speaker<'s> = (Option<&'s str>, Option<&'s str>);

/// A message; who speaks is said where that is not who spoke last.
fn message<'s>(
    said: &'s Said,
    before: &str,
    most: usize,
    last: &mut Option<Speaker<'s>>,
) -> Message {
    let message = &said.message;
    let is_answer = message.role == Role::Assistant;
    let agent = said.agent.as_deref().filter(|_| is_answer);
    let mut head = Clean::line(before).then(tokens::fit(message.role.as_str(), super::WORD));
    let named = message.name.as_deref().or(agent);
    let model = said.model.as_deref().filter(|_| is_answer);
    let is_new = !is_answer || last.replace((named, model)) != Some((named, model));
    for word in named.into_iter().chain(model).filter(|_| is_new) {
        head = head.then(" ").then(tokens::fit(word, super::NAME));
    }
    let mut texts: Vec<Cow<'_, str>> = message
        .parts
        .iter()
        .map(|part| part_text(part, said))
        .collect();
    if let Some(error) = &said.error {
        texts.push(Cow::Owned(format!("failed: {error}")));
    }
    let end = message.finish_reason.as_deref();
    if let Some(reason) = end.filter(|reason| !is_usual_end(reason)) {
        texts.push(Cow::Owned(format!("(ended by {reason})")));
    }
    let mut text = texts.join(" ");
    if text.trim().is_empty() {
        text.push_str("(nothing)");
    }
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
    }
    Message {
        is_question: message.role == Role::User,
        count: 1,
        head,
        text: text.trim().to_owned(),
    }
}

fn part_text<'s>(part: &'s Part, said: &Said) -> Cow<'s, str> {
    match part {
        Part::Text(text) => Cow::Borrowed(text),
        Part::Reasoning(Some(thought)) => Cow::Owned(format!("(thought: {thought})")),
        Part::Reasoning(None) => Cow::Borrowed("(thought)"),
        Part::Call(call) => Cow::Owned(format!(
            "calls {}({})",
            call.shown_name(),
            arguments(&call.arguments)
        )),
        Part::Result(result) => {
            let name = result.name.as_deref().unwrap_or("it");
            let failed = result.is_error == Some(true);
            let verb = if failed { "failed with" } else { "gives" };
            let response = match messages::decoded(&result.response).into_owned() {
                // The error of the span stands behind it.
                Value::Null if failed && said.error.is_some() => return Cow::Borrowed(name),
                Value::Null => "nothing".to_owned(),
                Value::String(text) => text,
                structure => structure.to_string(),
            };
            Cow::Owned(format!("{name} {verb} {response}"))
        }
        Part::Media(media) => Cow::Owned(placeholder(media)),
        Part::Refusal(text) => Cow::Owned(format!("refuses: {text}")),
        Part::Json(value) => Cow::Owned(value.to_string()),
    }
}
