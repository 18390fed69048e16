//! From typed failures to what a person reads and a script sees: one sentence,
//! hints, and an exit code. The layers below say what happened; the words of
//! advice and the numbers are all in this file.

use std::io;

use crate::filter;
use crate::render::Style;
use crate::settings::SettingsError;
use crate::store::{
    BadBody, CertificateFault, ConnectionFault, DatabaseFault, DatabaseKind, Found, ProxyFault,
    Refusal, StoreError, Stranger,
};
use crate::text::Clean;

/// How a command ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Success,
    /// A condition that the user asked for failed.
    Condition,
    /// The command line or a filter is wrong.
    Usage,
    /// There is no such trace, span or experiment.
    NotFound,
    /// The server or the network failed.
    Server,
    /// The server wants a login, or refuses this one.
    Unauthorized,
    /// Local data cannot be read.
    Data,
    /// As the command that was run: with its exit status.
    OfCommand(u8),
    /// Done, but some traces could not be read.
    Unreadable,
}

impl Exit {
    /// The same, but for what was done and is not whole. What is worse goes before that.
    #[must_use]
    pub const fn but_incomplete(self, is_incomplete: bool) -> Self {
        match self {
            Self::Success if is_incomplete => Self::Unreadable,
            other => other,
        }
    }

    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Condition => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Server => 4,
            Self::Unauthorized => 5,
            Self::Data => 6,
            Self::OfCommand(code) => code,
            Self::Unreadable => 7,
        }
    }
}

/// A failure that a command found itself.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// What kind of failure.
    pub exit: Exit,
    /// One sentence in lower case without a full stop.
    pub message: String,
    /// What to do about it.
    pub hints: Vec<String>,
}

impl CommandError {
    /// A failure without hints.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// With one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// A filter that does not parse, with the text that it came from.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct FilterError {
    /// The filter.
    pub text: String,
    /// What is wrong with it.
    pub error: filter::ParseError,
}

/// A rule that does not parse, with where it stands and the text that it came from.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct RuleError {
    /// The file and the line, where it is in one.
    pub place: Option<String>,
    /// The rule.
    pub text: String,
    /// What is wrong with it.
    pub error: filter::ParseError,
}

/// What to print for an error, and how to exit. `None` for a closed pipe, which
/// is how `head` says that it has seen enough.
pub fn report(error: &anyhow::Error, style: Style, color: bool) -> Option<(Clean, Exit)> {
    if is_broken_pipe(error) {
        return None;
    }
    let (message, hints, exit) = if let Some(error) = error.downcast_ref::<FilterError>() {
        let drawn = filter::diagnostics::render(&error.text, &error.error, color);
        (drawn, Vec::new(), Exit::Usage)
    } else if let Some(error) = error.downcast_ref::<RuleError>() {
        let drawn = filter::diagnostics::render(&error.text, &error.error, color);
        let place = error.place.as_deref();
        let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
        (Clean::line(place).then(drawn), Vec::new(), Exit::Usage)
    } else {
        let (hints, exit) = advice(error);
        (Clean::line(error.to_string()), hints, exit)
    };
    let text = message.labelled(style.error(), "error:").end();
    let hints = hints.iter();
    let text = hints.fold(text, |text, hint| text.then(hint_line(hint, style)));
    Some((text, exit))
}

/// Whether nobody reads any more what was to be written.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

/// `hint: …` with a line feed.
pub fn hint_line(hint: &str, style: Style) -> Clean {
    Clean::line(hint).labelled(style.title(), "hint:").end()
}

fn database_hint(store: &str, reason: &DatabaseFault) -> Vec<String> {
    let is_mysql = store.starts_with(DatabaseKind::Mysql.scheme());
    let hint = match reason {
        DatabaseFault::Login | DatabaseFault::NoPassword if is_mysql => {
            "the password comes from the URI or $MYSQL_PWD; in a URI, `/`, `@` and `#` are \
             written as %2F, %40 and %23"
        }
        DatabaseFault::NotFromHere if is_mysql => {
            "its users are let in from some hosts, and some only with TLS, `?ssl_mode=REQUIRED`"
        }
        DatabaseFault::NoTls if is_mysql => "`?ssl_mode=PREFERRED` does without it",
        DatabaseFault::Certificate(_) if is_mysql => {
            "`ssl_ca` names its authority; `ssl_mode=REQUIRED` encrypts and checks nothing"
        }
        DatabaseFault::Login | DatabaseFault::NoPassword => {
            "the password comes from the URI, $PGPASSWORD or ~/.pgpass; in a URI, `/`, `@` and \
             `#` are written as %2F, %40 and %23"
        }
        DatabaseFault::NotFromHere => "its pg_hba.conf may want TLS, `?sslmode=require`",
        DatabaseFault::NoTls => "`?sslmode=prefer` does without it",
        DatabaseFault::Certificate(_) => {
            "`sslrootcert` names its authority; `sslmode=require` encrypts and checks nothing"
        }
        DatabaseFault::NotNow | DatabaseFault::Ended | DatabaseFault::Conflict => "try again later",
        DatabaseFault::MayNotRead | DatabaseFault::MayNotReadAll(_) => {
            "it takes SELECT on MLflow's tables"
        }
        DatabaseFault::MayNotEnter => {
            "MySQL does not tell which of both; reading takes SELECT on MLflow's tables"
        }
        DatabaseFault::MayOnlyRead => "it takes INSERT, UPDATE and DELETE on MLflow's tables",
        DatabaseFault::Characters(_) => {
            "`ALTER TABLE … CONVERT TO CHARACTER SET utf8mb4` lets it take all"
        }
        DatabaseFault::OtherLogin
        | DatabaseFault::NoDatabase
        | DatabaseFault::TooLong { .. }
        | DatabaseFault::Nul
        | DatabaseFault::Code(_)
        | DatabaseFault::Answer => return Vec::new(),
    };
    vec![hint.to_owned()]
}

fn advice(error: &anyhow::Error) -> (Vec<String>, Exit) {
    if let Some(error) = error.downcast_ref::<CommandError>() {
        (error.hints.clone(), error.exit)
    } else if let Some(error) = error.downcast_ref::<StoreError>() {
        store_advice(error)
    } else if let Some(error) = error.downcast_ref::<SettingsError>() {
        settings_advice(error)
    } else if error.downcast_ref::<io::Error>().is_some() {
        (Vec::new(), Exit::Data)
    } else {
        (Vec::new(), Exit::Server)
    }
}

fn settings_advice(error: &SettingsError) -> (Vec<String>, Exit) {
    let hints: &[&str] = match error {
        SettingsError::NoTrackingUri => &[
            "name a server, database or file with MLFLOW_TRACKING_URI or `-u http://host:5000`",
            "or start a server with `mlflow server`",
            "or look at built-in traces with `-u demo:`",
        ],
        SettingsError::UnsupportedLogin { .. } => &[
            "log in with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
        ],
        SettingsError::Conflict { .. } => &["unset one of them"],
        SettingsError::CredentialsFile { .. } => {
            return (Vec::new(), Exit::Data);
        }
        SettingsError::Database { .. } => {
            &["start `mlflow server --backend-store-uri URI`, and use that server's URL"]
        }
        SettingsError::Databricks { .. } => &[
            "set DATABRICKS_HOST and DATABRICKS_TOKEN, or name a profile of ~/.databrickscfg with `-u databricks://profile`",
        ],
        SettingsError::DatabricksLogin { .. } => &[
            "mlt logs in by personal access token: set DATABRICKS_HOST and DATABRICKS_TOKEN, or host and token of the profile",
        ],
        SettingsError::Scheme { uri } if uri == "demo" => &["write `demo:`"],
        SettingsError::Scheme { uri } if names_a_host(uri) => {
            return (vec![format!("did you mean `http://{uri}`?")], Exit::Usage);
        }
        SettingsError::Scheme { .. }
        | SettingsError::Uri { .. }
        | SettingsError::Variable { .. } => &[],
    };
    (hints.iter().map(|h| (*h).to_owned()).collect(), Exit::Usage)
}

/// `localhost:5000` and the like.
fn names_a_host(uri: &str) -> bool {
    let port = uri.split_once(':').map(|(_, rest)| rest.split('/').next());
    port.flatten()
        .is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

fn store_advice(error: &StoreError) -> (Vec<String>, Exit) {
    let one = |hint: &str| vec![hint.to_owned()];
    match error {
        StoreError::Unreachable {
            reason: ConnectionFault::Stranger(stranger),
            host,
        } => (vec![stranger_hint(*stranger, host)], Exit::Server),
        StoreError::Unreachable { reason, .. } => (
            one(if *reason == ConnectionFault::WantsCertificate {
                "name its PEM file, with the key in it, in MLFLOW_TRACKING_CLIENT_CERT_PATH"
            } else {
                "check the tracking URI, and that the server runs"
            }),
            Exit::Server,
        ),
        StoreError::Tls { reason, .. } => (one(certificate_hint(reason)), Exit::Server),
        StoreError::Timeout { .. } => (one("wait longer with `--timeout 2m`"), Exit::Server),
        StoreError::TooSlow { .. } => (one("wait longer with `--max-time 1h`"), Exit::Server),
        StoreError::TooLarge { .. } => (
            one("larger answers are read with a larger MLT_MAX_BODY, such as 2GB"),
            Exit::Server,
        ),
        StoreError::Proxy {
            variable, reason, ..
        } => {
            let hint = if *reason == ProxyFault::WantsLogin {
                format!("name it as http://user:password@host:port in {variable}")
            } else {
                format!("check {variable}, or list the server in NO_PROXY")
            };
            (vec![hint], Exit::Server)
        }
        StoreError::BrokenOff { .. } => (one("try again"), Exit::Server),
        // A server of another kind, which knows nothing of the method.
        StoreError::Refused {
            status: 405 | 501,
            code: None,
            ..
        } => (one(OTHER_SERVER), Exit::Server),
        StoreError::Refused {
            status,
            meaning,
            retry_after,
            ..
        } => (
            refused_hints(*status, *meaning, *retry_after),
            match meaning {
                Refusal::NotThere => Exit::NotFound,
                _ => Exit::Server,
            },
        ),
        StoreError::Unauthorized {
            had_credentials, ..
        } => (
            one(if *had_credentials {
                "the user name, password or token was not accepted"
            } else {
                "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            }),
            Exit::Unauthorized,
        ),
        StoreError::Forbidden { meaning, .. } => {
            let hint = match meaning {
                Refusal::CrossOrigin => {
                    "the server takes mlt for a web page; check its allowed hosts"
                }
                Refusal::UnknownHost => UNKNOWN_HOST,
                _ => "ask for permission, or log in as somebody else",
            };
            (one(hint), Exit::Unauthorized)
        }
        StoreError::NoSuchEndpoint { .. } => (
            one(
                "check the base path of the tracking URI; servers older than MLflow 2.14 have no traces",
            ),
            Exit::Server,
        ),
        StoreError::NotJson { found, .. } => (
            one(if *found == Found::Html {
                "this may be a login page or a proxy; check the tracking URI"
            } else {
                OTHER_SERVER
            }),
            Exit::Server,
        ),
        // Whole JSON is the server's own.
        StoreError::BadAnswer {
            reason: BadBody::NotJson { .. } | BadBody::OtherForm(_),
            ..
        } => (Vec::new(), Exit::Server),
        StoreError::BadAnswer {
            reason: BadBody::CutShort(_),
            ..
        }
        | StoreError::RepeatedPage { .. }
        | StoreError::BarrenPages { .. }
        | StoreError::OtherTrace { .. } => (
            one("a proxy may have changed the answer; see `--verbose`"),
            Exit::Server,
        ),
        StoreError::Redirect { hint, .. } => (one(hint), Exit::Server),
        other => data_advice(other),
    }
}

fn stranger_hint(stranger: Stranger, host: &str) -> String {
    match stranger {
        Stranger::Mysql => format!("name its database with `-u mysql://USER@{host}/DB`"),
        Stranger::Postgres => format!("name its database with `-u postgresql://USER@{host}/DB`"),
        Stranger::Http => format!("a tracking server is `-u http://{host}`"),
    }
}

/// What is wrong with the data, or with what was asked of it.
fn data_advice(error: &StoreError) -> (Vec<String>, Exit) {
    let one = |hint: &str| vec![hint.to_owned()];
    match error {
        StoreError::UnknownTrace { .. } => (one("`mlt search` lists traces"), Exit::NotFound),
        StoreError::UnknownWorkspace { known, .. } => (
            vec![format!(
                "MLFLOW_WORKSPACE chooses one of {}",
                known.join(", ")
            )],
            Exit::NotFound,
        ),
        StoreError::NoSpans { .. } if error.is_of_spans_elsewhere() => (
            one("ask the server that keeps its artifacts, with `-u http://HOST:PORT`"),
            Exit::NotFound,
        ),
        StoreError::NoSpans { .. } | StoreError::NoAttachment { .. } => {
            (Vec::new(), Exit::NotFound)
        }
        StoreError::RemoteArtifact { .. } => (
            one("start `mlflow server` over this store, and use its URL"),
            Exit::Data,
        ),
        StoreError::ArchivedElsewhere { .. } => (
            one(
                "a server over this store deletes archives too: start `mlflow server`, and use its URL",
            ),
            Exit::Data,
        ),
        StoreError::Unsupported { instead, .. } => (one(instead), Exit::Usage),
        StoreError::FilterNeedsServer { .. } => (
            one(
                "join that condition to the others by AND, or write the pattern without look-around",
            ),
            Exit::Usage,
        ),
        StoreError::Locked { .. } => (one("try again when that program is done"), Exit::Data),
        StoreError::Database { store, reason } if reason.is_of_login() => {
            (database_hint(store, reason), Exit::Unauthorized)
        }
        StoreError::Database { store, reason } => {
            let exit = if reason.is_of_data() {
                Exit::Data
            } else {
                Exit::Server
            };
            (database_hint(store, reason), exit)
        }
        StoreError::ReadOnly { .. } => (
            one("changes need write permission for the file and its folder"),
            Exit::Data,
        ),
        StoreError::TagKey { .. } | StoreError::TraceId { .. } | StoreError::Setting { .. } => {
            (Vec::new(), Exit::Usage)
        }
        StoreError::File { path, .. } | StoreError::Data { path, .. } => {
            (path_hint(path).into_iter().collect(), Exit::Data)
        }
        StoreError::NotTraces { path, .. } => {
            let hint = path_hint(path).unwrap_or_else(|| {
                "a file of traces is JSON or JSON lines, as `mlt export -o jsonl` writes it"
                    .to_owned()
            });
            (vec![hint], Exit::Data)
        }
        StoreError::NoExperiments { path, within } => {
            let folder = path.trim_end_matches('/');
            let hint = match within {
                Some(store) => format!("name that: `-u {folder}/{store}`"),
                None => "files of traces end in .json, .jsonl or .ndjson, perhaps with .gz, in .pb or .binpb"
                    .to_owned(),
            };
            (vec![hint], Exit::Data)
        }
        _ => (Vec::new(), Exit::Data),
    }
}

/// What to do about a file that cannot be read, where its path tells.
fn path_hint(path: &str) -> Option<String> {
    if let Some(absolute) = absolute_of(path) {
        return Some(format!(
            "a path behind three slashes is relative; this one is `-u sqlite:///{absolute}`, with four"
        ));
    }
    path.contains('*').then(|| one_after_the_other(path))
}

fn one_after_the_other(files: &str) -> String {
    format!("files of traces are read one after the other as in `cat {files} | mlt -u - search`")
}

/// What a relative path is from the root, where nothing is at the one and
/// something at the other.
fn absolute_of(path: &str) -> Option<String> {
    if path.starts_with('/') || path.starts_with('.') || std::path::Path::new(path).exists() {
        return None;
    }
    let absolute = format!("/{path}");
    let is_database = [".db", ".sqlite", ".sqlite3"];
    (is_database.iter().any(|ending| path.ends_with(ending))
        && std::path::Path::new(&absolute).is_file())
    .then_some(absolute)
}

fn certificate_hint(fault: &CertificateFault) -> &'static str {
    match fault {
        CertificateFault::OfAuthority => {
            "give the server a certificate of its own, or accept any with MLFLOW_TRACKING_INSECURE_TLS=true"
        }
        CertificateFault::UnknownAuthority => {
            "name the authority's PEM file in MLFLOW_TRACKING_SERVER_CERT_PATH"
        }
        _ => {
            "check the host in the tracking URI; MLFLOW_TRACKING_INSECURE_TLS=true accepts any certificate"
        }
    }
}

const OTHER_SERVER: &str = "check that the tracking URI is that of an MLflow server";

const UNKNOWN_HOST: &str = "the server does not know itself by this name; see its --allowed-hosts";

fn refused_hints(status: u16, meaning: Refusal, retry_after: Option<u64>) -> Vec<String> {
    let mut hints = Vec::new();
    let retry_after = retry_after.filter(|seconds| *seconds > 0);
    if let Some(seconds) = retry_after {
        hints.push(format!("the server asks to wait {seconds} s"));
    }
    match (status, meaning) {
        (_, Refusal::NoWorkspaces) => {
            hints.push("the server has no workspaces; unset MLFLOW_WORKSPACE".to_owned());
        }
        (_, Refusal::UnknownHost) => hints.push(UNKNOWN_HOST.to_owned()),
        (407, _) => hints.push(
            "the proxy wants a login; name it as http://user:password@host in HTTP_PROXY or HTTPS_PROXY"
                .to_owned(),
        ),
        (429, _) if retry_after.is_none() => {
            hints.push("the server is busy; try again later, or with more `--retries`".to_owned());
        }
        (_, Refusal::OfDatabase(_)) => {}
        // Seldom a matter of load: it starts, ends, or what it needs is not there.
        (503, _) if retry_after.is_none() => hints.push(
            "the server cannot answer now; look after it, or try again with more `--retries`"
                .to_owned(),
        ),
        _ => {}
    }
    hints
}

#[cfg(test)]
mod tests;
