//! `mlt event`: a note on the command that it runs in, which takes it along.

use std::path::Path;

use anyhow::Result;
use serde_json::{Map, Value};

use super::selection::key_value;
use crate::capture::spool::{self, Noted, Record, SPOOL};
use crate::capture::{Parent, TRACEPARENT};
use crate::cli::EventArgs;
use crate::error::{CommandError, Exit};
use crate::io_words::plain_io_reason;
use crate::model::Timestamp;
use crate::settings::Env;

pub(super) fn run(args: &EventArgs, env: &Env) -> Result<Exit> {
    let mut attributes = Map::new();
    for pair in &args.attributes {
        let (key, text) = key_value("event", pair)?;
        let value: Value = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        attributes.insert(key.to_owned(), value);
    }
    let parent = env.get(TRACEPARENT).and_then(Parent::parse);
    let (Some(parent), Some(folder)) = (parent, env.get(SPOOL)) else {
        // A trace that nobody keeps has no events.
        if env
            .get(TRACEPARENT)
            .and_then(Parent::parse)
            .is_some_and(|parent| !parent.sampled)
        {
            return Ok(Exit::Success);
        }
        let message = "expected a surrounding mlt run, found none";
        let hint = "`mlt run -- COMMAND` runs a command as a trace, and events within it are noted";
        return Err(CommandError::usage(message).hint(hint).into());
    };
    let note = Record::Event(Noted {
        span_id: parent.span,
        name: args.name.clone(),
        time_ns: Timestamp::now().nanos(),
        attributes,
    });
    spool::add(Path::new(folder), &note).map_err(|error| {
        let reason = plain_io_reason(&error);
        CommandError::new(
            Exit::Data,
            format!("cannot note the event in {folder}: {reason}"),
        )
        .hint("has the surrounding mlt run ended?")
    })?;
    Ok(Exit::Success)
}
