//! The levels of sessions that are within others, by their names or numbers.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;

use anyhow::Result;

use super::Context;
use crate::error::CommandError;
use crate::model::{SessionLevels, TraceInfo, session_on_level, session_path};

/// A level that was asked for, as each experiment has it.
pub(super) struct Levels<'a> {
    wanted: Wanted<'a>,
    names: SessionLevels,
    /// How many levels the sessions had that were looked at.
    deepest: Cell<usize>,
}

enum Wanted<'a> {
    Number(usize),
    Name(&'a str),
}

impl<'a> Levels<'a> {
    /// # Errors
    /// A number that no level has, a name that no experiment has for one, and those of
    /// asking.
    pub(super) fn new(context: &Context, level: &'a str) -> Result<Self> {
        let wanted = match level.parse() {
            Ok(0) => {
                let message = "--level: expected 1 for the outermost or more, found `0`";
                return Err(CommandError::usage(message).into());
            }
            Ok(number) => Wanted::Number(number),
            Err(_) => Wanted::Name(level),
        };
        let mut levels = Self {
            wanted,
            names: SessionLevels::new(),
            deepest: Cell::new(0),
        };
        if let Wanted::Name(wanted) = levels.wanted {
            levels.names = context.store()?.session_levels()?;
            levels.check(wanted)?;
        }
        Ok(levels)
    }

    /// The session on that level that one is within; itself where its experiment has no
    /// such level.
    pub(super) fn outer<'s>(&self, session: &'s str, info: &TraceInfo) -> Cow<'s, str> {
        let level = match self.wanted {
            Wanted::Number(number) => {
                let levels = session_path(session).map_or(1, |path| path.len());
                self.deepest.set(levels.max(self.deepest.get()));
                Some(number)
            }
            Wanted::Name(wanted) => {
                let id = info.experiment_id.as_deref();
                let names = id.and_then(|id| self.names.get(id));
                let at = names.and_then(|names| names.iter().position(|name| name == wanted));
                at.map(|at| at + 1)
            }
        };
        level.map_or(Cow::Borrowed(session), |level| {
            session_on_level(session, level)
        })
    }

    /// That no session had as many levels, where there were any.
    pub(super) fn missing(&self) -> Option<String> {
        let deepest = self.deepest.get();
        match self.wanted {
            Wanted::Number(number) if 0 < deepest && deepest < number => Some(format!(
                "no session has a level {number}; the last is {deepest}, and each is listed as it is"
            )),
            _ => None,
        }
    }

    fn check(&self, wanted: &str) -> Result<()> {
        let known: BTreeSet<&String> = self.names.values().flatten().collect();
        if known.iter().any(|name| *name == wanted) {
            return Ok(());
        }
        let message = format!("no experiment here calls a level of its sessions `{wanted}`");
        let hint = if known.is_empty() {
            "a number tells which, the outermost being 1; `mlflow.genai.set_session_hierarchy` names them"
                .to_owned()
        } else {
            let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            format!("there are {}", known.join(", "))
        };
        Err(CommandError::usage(message).hint(hint).into())
    }
}

/// What the parts of a session's id are, where it is within others and the levels of its
/// experiment have names: `trip trip-2, episode ep-2`.
pub(super) fn described(
    context: &Context,
    session: &str,
    experiment: Option<&str>,
) -> Option<String> {
    let path = session_path(session)?;
    // It is no more than a help to read the id.
    let levels = context.store().ok()?.session_levels().ok()?;
    let names = levels.get(experiment?)?;
    let parts = path.iter().zip(names);
    let parts: Vec<String> = parts.map(|(part, name)| format!("{name} {part}")).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
