//! The names of experiments, which traces do not know: a file of traces has them, so that they
//! find the experiment of the same name in another store.

use std::collections::HashMap;

use anyhow::Result;

use crate::commands::Context;
use crate::model::TraceInfo;
use crate::store::{Scope, StoreError};

/// The names that were asked for.
pub(super) struct Names<'a> {
    context: &'a Context<'a>,
    known: HashMap<String, Option<String>>,
    /// Whether they are written.
    wanted: bool,
}

impl<'a> Names<'a> {
    pub(super) fn new(context: &'a Context<'a>, format: &str) -> Self {
        Self {
            context,
            known: HashMap::new(),
            wanted: matches!(format, "json" | "jsonl"),
        }
    }

    /// Tells a trace what its experiment is called.
    pub(super) fn tell(&mut self, info: &mut TraceInfo) -> Result<()> {
        let is_open = self.wanted && info.experiment_name.is_none();
        let Some(id) = info.experiment_id.as_ref().filter(|_| is_open) else {
            return Ok(());
        };
        if let Some(name) = self.known.get(id) {
            info.experiment_name.clone_from(name);
            return Ok(());
        }
        let found = match self.context.store()?.experiments(Scope::WithId(id)) {
            Ok(found) => found,
            // A store that is gone has more that is missing.
            Err(error)
                if error.may_pass() && !matches!(error, StoreError::NoSuchEndpoint { .. }) =>
            {
                return Err(error.into());
            }
            // A trace is worth more than what its experiment is called.
            Err(error) => {
                self.context.warn(format!(
                    "what experiment {id} is called is not known: {error}"
                ));
                Vec::new()
            }
        };
        let name = found.into_iter().next().map(|experiment| experiment.name);
        // What is called by its id has no other name there.
        let name = name.filter(|name| name != id);
        self.known.insert(id.clone(), name.clone());
        info.experiment_name = name;
        Ok(())
    }
}
