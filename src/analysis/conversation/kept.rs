//! Messages of many calls, of which equal ones are kept once. Each call of an agent is
//! given the history anew, so that the messages of all calls come to far more than the
//! conversation.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::fingerprint::Alike;
use crate::model::Message;

/// The messages that were read.
#[derive(Debug, Default)]
pub(super) struct Kept {
    alike: Alike,
    messages: HashMap<u128, Arc<Message>>,
}

impl Kept {
    /// Puts those that are there already in the place of equal ones.
    pub(super) fn share(&mut self, messages: &mut [Arc<Message>]) {
        for message in messages {
            let key = self.alike.of_messages(std::slice::from_ref(message));
            match self.messages.entry(key) {
                // What says the same may still differ in its ids.
                Entry::Occupied(known) if known.get() == message => {
                    *message = Arc::clone(known.get());
                }
                Entry::Occupied(mut known) => {
                    known.insert(Arc::clone(message));
                }
                Entry::Vacant(free) => {
                    free.insert(Arc::clone(message));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Part, Role, ToolCall};
    use serde_json::Value;

    fn call(id: &str) -> Arc<Message> {
        let call = ToolCall {
            id: Some(id.to_owned()),
            name: "search".to_owned(),
            arguments: Value::Null,
        };
        Arc::new(Message::new(Role::Assistant, vec![Part::Call(call)]))
    }

    #[test]
    fn equal_messages_are_one_and_others_stay_as_they_are() {
        let mut kept = Kept::default();
        let mut first = [call("a"), call("b")];
        let mut second = [call("b"), call("a")];
        kept.share(&mut first);
        kept.share(&mut second);
        assert!(Arc::ptr_eq(&first[1], &second[0]));
        assert_eq!(second, [call("b"), call("a")]);
    }
}
