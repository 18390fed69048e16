//! Workspaces of a database: experiments belong to one of them, their names are
//! unique only within it, and whoever asks sees those of one. Databases before
//! MLflow 3.10 have none, and most later ones have nothing but the default one.

use rusqlite::Connection;

use super::connection::Database;
use crate::store::StoreError;
use crate::store::sql::Schema;

/// The workspace of those who choose none.
const DEFAULT: &str = "default";

/// The workspace that is looked at.
pub(super) struct Workspace {
    name: String,
    /// Whether somebody asked for it.
    chosen: bool,
    /// Those that experiments are in that are not looked at.
    others: Vec<String>,
}

impl Workspace {
    /// The wanted workspace, or the default one.
    ///
    /// # Errors
    /// One that is not there, and those of SQLite.
    pub(super) fn open(
        database: &Database,
        connection: &Connection,
        schema: &Schema,
        wanted: Option<&str>,
    ) -> Result<Self, StoreError> {
        let wanted = wanted.map(str::trim).filter(|name| !name.is_empty());
        let name = wanted.unwrap_or(DEFAULT).to_owned();
        let has_workspaces = schema.has("experiments", "workspace");
        let list = |sql: &str| -> Result<Vec<String>, StoreError> {
            let list = || -> rusqlite::Result<Vec<String>> {
                let mut statement = connection.prepare(sql)?;
                statement.query_map([], |row| row.get(0))?.collect()
            };
            list().map_err(|e| database.error(&e))
        };
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
                store: database.path().display().to_string(),
                known,
            });
        }
        others.retain(|other| *other != name);
        Ok(Self {
            name,
            chosen: wanted.is_some(),
            others,
        })
    }

    /// Whether every experiment is in it.
    pub(super) fn is_all(&self) -> bool {
        self.others.is_empty()
    }

    /// The condition that an experiment is in it.
    pub(super) fn of_experiment(&self) -> String {
        if self.is_all() {
            return "1".to_owned();
        }
        format!("workspace = '{}'", self.name.replace('\'', "''"))
    }

    /// The condition that an id is that of one of its experiments.
    pub(super) fn of_experiment_id(&self, id: &str) -> String {
        if self.is_all() {
            return "1".to_owned();
        }
        format!(
            "{id} IN (SELECT experiment_id FROM experiments WHERE {})",
            self.of_experiment()
        )
    }

    /// What is left out, where nobody chose and it is more than nothing.
    pub(super) fn left_out(&self) -> Option<String> {
        (!self.chosen && !self.others.is_empty()).then(|| {
            format!(
                "looked only at the workspace {}, and not at {}; MLFLOW_WORKSPACE chooses one",
                self.name,
                self.others.join(", ")
            )
        })
    }
}
