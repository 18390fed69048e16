//! Workspaces of a database: experiments belong to one of them, their names are
//! unique only within it, and whoever asks sees those of one. Databases before
//! MLflow 3.10 have none, and most later ones have nothing but the default one.

use super::{Dialect, Schema};
use crate::store::StoreError;

/// The workspace of those who choose none.
const DEFAULT: &str = "default";

/// The workspace that is looked at.
pub(in crate::store) struct Workspace {
    dialect: &'static dyn Dialect,
    name: String,
    /// Whether somebody asked for it.
    chosen: bool,
    /// Those that experiments are in that are not looked at.
    others: Vec<String>,
}

impl Workspace {
    /// The wanted workspace, or the default one; `list` gives the texts of a statement.
    ///
    /// # Errors
    /// One that is not there, and those of the database.
    pub(in crate::store) fn open(
        dialect: &'static dyn Dialect,
        store: &str,
        schema: &Schema,
        wanted: Option<&str>,
        mut list: impl FnMut(&str) -> Result<Vec<String>, StoreError>,
    ) -> Result<Self, StoreError> {
        let wanted = wanted.map(str::trim).filter(|name| !name.is_empty());
        let name = wanted.unwrap_or(DEFAULT).to_owned();
        let has_workspaces = schema.has("experiments", "workspace");
        let mut others = Vec::new();
        if has_workspaces {
            others = list(
                "SELECT DISTINCT workspace FROM experiments WHERE workspace IS NOT NULL ORDER BY 1",
            )?;
        }
        let mut known = others.clone();
        if schema.has("workspaces", "name") {
            known.extend(list("SELECT name FROM workspaces ORDER BY 1")?);
        }
        if name != DEFAULT && !known.contains(&name) {
            known.push(DEFAULT.to_owned());
            known.sort_unstable();
            known.dedup();
            return Err(StoreError::UnknownWorkspace {
                name,
                store: store.to_owned(),
                known,
            });
        }
        others.retain(|other| *other != name);
        Ok(Self {
            dialect,
            name,
            chosen: wanted.is_some(),
            others,
        })
    }

    /// Whether every experiment is in it.
    pub(in crate::store) fn is_all(&self) -> bool {
        self.others.is_empty()
    }

    /// The condition that an experiment is in it.
    pub(in crate::store) fn of_experiment(&self) -> String {
        if self.is_all() {
            return self.dialect.truth(true).to_owned();
        }
        let name = self.name.replace('\'', "''");
        format!("{} = '{name}'", self.dialect.exact("workspace"))
    }

    /// The condition that an id is that of one of its experiments.
    pub(in crate::store) fn of_experiment_id(&self, id: &str) -> String {
        if self.is_all() {
            return self.dialect.truth(true).to_owned();
        }
        format!(
            "{id} IN (SELECT experiment_id FROM experiments WHERE {})",
            self.of_experiment()
        )
    }

    /// What is left out, where nobody chose and it is more than nothing.
    pub(in crate::store) fn left_out(&self) -> Option<String> {
        (!self.chosen && !self.others.is_empty()).then(|| {
            format!(
                "looked only at the workspace {}, and not at {}; MLFLOW_WORKSPACE chooses one",
                self.name,
                self.others.join(", ")
            )
        })
    }
}
