//! CrewAI: a task's output holds what its model was given, and beside it the answer.

use super::{Format, messages, parts};
use crate::messages::value::{Object, first, list, text};
use crate::model::{Message, Role};

pub(super) const FORMAT: Format = Format {
    part: |_| None,
    message: |_| None,
    request: |_| None,
    response,
};

fn response(object: &Object) -> Option<Vec<Message>> {
    text(object, "expected_output")?;
    let answer = first(object, &["raw"])?;
    let mut found = messages(list(object, "messages")?, &Role::Assistant)?;
    if found
        .last()
        .is_some_and(|last| last.role != Role::Assistant)
    {
        found.push(Message::new(Role::Assistant, parts(answer)));
    }
    Some(found)
}
