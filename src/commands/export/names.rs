//! The names of experiments, which traces do not know: a file of traces has them, so that they
//! find the experiment of the same name in another store.

use std::collections::HashMap;

use anyhow::Result;

use crate::commands::Context;
use crate::model::TraceInfo;
use crate::store::{Location, Scope};

/// The names that were asked for.
pub(super) struct Names<'a> {
    context: &'a Context<'a>,
    known: HashMap<String, Option<String>>,
    /// Whether they are written.
    wanted: bool,
}

impl<'a> Names<'a> {
    pub(super) fn new(context: &'a Context<'a>, format: &str) -> Self {
        // Files say what they know themselves.
        let is_file = matches!(
            context.settings.location,
            Location::File(_) | Location::Stdin
        );
        Self {
            context,
            known: HashMap::new(),
            wanted: matches!(format, "json" | "jsonl") && !is_file,
        }
    }

    /// Tells a trace what its experiment is called.
    pub(super) fn tell(&mut self, info: &mut TraceInfo) -> Result<()> {
        let Some(id) = info.experiment_id.as_ref().filter(|_| self.wanted) else {
            return Ok(());
        };
        if let Some(name) = self.known.get(id) {
            info.experiment_name.clone_from(name);
            return Ok(());
        }
        // A trace is worth more than what its experiment is called.
        let found = self.context.store()?.experiments(Scope::WithId(id));
        let name = found.ok().and_then(|mut found| Some(found.pop()?.name));
        self.known.insert(id.clone(), name.clone());
        info.experiment_name = name;
        Ok(())
    }
}
