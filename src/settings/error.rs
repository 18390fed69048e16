//! What can be wrong with flags, variables and files of credentials.

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Nothing says where the traces are, and MLflow's defaults are not there.
    #[error("no tracking URI is set, and there is neither ./mlruns nor ./mlflow.db here")]
    NoTrackingUri,
    /// A scheme that no store here has.
    #[error(
        "cannot use the tracking URI `{uri}`: expected http://, https://, sqlite:///, postgresql://, mysql://, databricks, an mlruns folder, a .json or .jsonl file, `-` or `demo:`"
    )]
    Scheme {
        /// As given, credentials removed.
        uri: String,
    },
    /// A database that mlt has no driver for.
    #[error(
        "cannot read the database `{uri}` directly: of databases, mlt only reads SQLite, PostgreSQL and MySQL"
    )]
    Database {
        /// As given, credentials removed.
        uri: String,
    },
    /// Not a URL.
    #[error("cannot use the tracking URI `{uri}`: {reason}")]
    Uri {
        /// As given, credentials removed.
        uri: String,
        /// Why.
        reason: String,
    },
    /// A variable with an unusable value.
    #[error("${name}: expected {expected}, found `{found}`")]
    Variable {
        /// The variable.
        name: &'static str,
        /// What it may hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// Two settings that exclude each other.
    #[error("{one} and {other} cannot both be set")]
    Conflict {
        /// One.
        one: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A way to log in that mlt does not have.
    #[error("mlt cannot log in by {what}")]
    UnsupportedLogin {
        /// The variable that asks for it.
        what: &'static str,
    },
    /// Host or token of a Databricks workspace are not to be had.
    #[error("cannot log in to Databricks: {reason}")]
    Databricks {
        /// What is missing where.
        reason: String,
    },
    /// A way to log in to Databricks that mlt does not have.
    #[error("mlt cannot log in to Databricks by {what}")]
    DatabricksLogin {
        /// The variable or profile entry that asks for it.
        what: String,
    },
    /// A credentials file that cannot be read.
    #[error("cannot read {path}: {reason}")]
    CredentialsFile {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}
