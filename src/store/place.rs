//! How to reach a store, as plain values that it can be opened with. Whoever asks
//! makes them; nothing here reads flags, variables or files.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

/// A place that traces are kept in.
#[derive(Debug, Clone)]
pub enum Location {
    /// An MLflow tracking server.
    Server(Box<Connection>),
    /// A SQLite database that MLflow keeps traces in.
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// The workspace to look at; the default one otherwise.
        workspace: Option<String>,
    },
    /// A database server that MLflow keeps traces in.
    Database(Box<DatabasePlace>),
    /// A folder of MLflow's file store, usually called `mlruns`.
    Mlruns(PathBuf),
    /// A file of JSON or JSON lines.
    File(PathBuf),
    /// JSON or JSON lines on standard input.
    Stdin,
    /// The traces built into the program.
    Demo,
}

impl Location {
    /// A database, whose default workspace is looked at.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::Sqlite {
            path: path.into(),
            workspace: None,
        }
    }

    /// What kind of place it is: `a database`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Server(_) => "a server",
            Self::Sqlite { .. } => "a database",
            Self::Database(_) => "a database server",
            Self::Mlruns(_) => "a folder",
            Self::File(_) => "a file",
            Self::Stdin => "standard input",
            Self::Demo => "the demo store",
        }
    }

    /// Whether each question is a journey.
    pub fn is_far(&self) -> bool {
        matches!(self, Self::Server(_) | Self::Database(_))
    }

    /// The same place, where it has workspaces in this one of them.
    #[must_use]
    pub fn in_workspace(mut self, name: Option<&str>) -> Self {
        match &mut self {
            Self::Sqlite { workspace, .. } => *workspace = name.map(str::to_owned),
            Self::Database(place) => place.workspace = name.map(str::to_owned),
            _ => {}
        }
        self
    }
}

/// Which kind of database server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseKind {
    /// MySQL and MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
}

impl DatabaseKind {
    /// How its URIs begin.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Postgres => "postgresql",
        }
    }
}

/// How to talk to a database server.
#[derive(Debug, Clone)]
pub struct DatabasePlace {
    /// Which kind it is.
    pub kind: DatabaseKind,
    /// Where it may be, by name or address, or as the folder of a socket, each with a port;
    /// the first that answers is asked.
    pub hosts: Vec<(String, u16)>,
    /// Who asks.
    pub user: String,
    /// With which password.
    pub password: Option<Secret>,
    /// The database on it.
    pub database: String,
    /// Options of the session, as PostgreSQL's command line takes them.
    pub options: Option<String>,
    /// Whether and how the connection is encrypted.
    pub tls: DatabaseTls,
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// The longest that one statement may take.
    pub max_time: Duration,
    /// The workspace to look at; the default one otherwise.
    pub workspace: Option<String>,
}

impl DatabasePlace {
    /// What to call it, without the login.
    pub fn name(&self) -> String {
        // MySQL's sockets have no port.
        if let (DatabaseKind::Mysql, Some((socket, _))) = (self.kind, self.hosts.first())
            && socket.starts_with('/')
        {
            return format!("mysql:///{}?unix_socket={socket}", self.database);
        }
        let hosts: Vec<String> = self
            .hosts
            .iter()
            .map(|(host, port)| host_and_port(host, *port))
            .collect();
        format!(
            "{}://{}/{}",
            self.kind.scheme(),
            hosts.join(","),
            self.database
        )
    }

    /// Host and port.
    pub fn host(&self) -> String {
        match self.hosts.first() {
            None => String::new(),
            Some((socket, _)) if self.kind == DatabaseKind::Mysql && socket.starts_with('/') => {
                socket.clone()
            }
            Some((host, port)) => host_and_port(host, *port),
        }
    }
}

fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// How a connection with a database is encrypted, as its URI says.
#[derive(Debug, Clone)]
pub struct DatabaseTls {
    /// Whether it is at all.
    pub encrypted: Encrypted,
    /// What of the server's certificate is checked.
    pub checks: CertificateCheck,
    /// A PEM file of authorities to trust; otherwise those of the system.
    pub authorities: Option<PathBuf>,
    /// PEM files with the client's certificate and its key.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
}

/// When a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encrypted {
    /// Never.
    Never,
    /// Where the server can.
    IfPossible,
    /// Always.
    Always,
}

/// What of a certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CertificateCheck {
    /// Nothing.
    Nothing,
    /// That an authority that is trusted has signed it.
    Authority,
    /// The same, and that it is for this host.
    AuthorityAndName,
}

/// How to talk to a tracking server.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Scheme, host, port and base path, without a trailing slash and without credentials.
    pub base: Url,
    /// How to log in.
    pub credentials: Option<Credentials>,
    /// The workspace to name in a header.
    pub workspace: Option<String>,
    /// How to check the server's certificate.
    pub tls: Tls,
    /// The longest wait for the next sign of life from the server.
    pub timeout: Duration,
    /// The longest that one request may take as a whole, its redirects included.
    pub max_time: Duration,
    /// The most bytes of an answer's body, after decompression.
    pub max_body: u64,
    /// The proxies in between.
    pub proxies: Proxies,
    /// The longest wait for a connection.
    pub connect_timeout: Duration,
    /// How often and how patiently to repeat.
    pub retry: RetryPolicy,
    /// Whether redirects within the host may be followed.
    pub follow_redirects: bool,
}

/// How to log in to a tracking server.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// HTTP basic authentication.
    Basic {
        /// The user name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A bearer token.
    Token(Secret),
}

/// Certificates and how strictly to look at them.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Accept any certificate.
    pub insecure: bool,
    /// A PEM file of authorities to trust, with the setting that named it.
    pub authorities: Option<(&'static str, PathBuf)>,
    /// A PEM file with the client's certificate and key.
    pub client_certificate: Option<PathBuf>,
}

/// How often and how patiently a failed request is repeated.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Repetitions after the first try.
    pub max_retries: u32,
    /// The n-th repetition waits this long times 2^(n-1).
    pub backoff: Duration,
    /// Up to this much is added at random.
    pub jitter: Duration,
    /// No single wait is longer; a server that asks for more ends the retries.
    pub longest_wait: Duration,
    /// Whether the server's `Retry-After` replaces the wait.
    pub respect_retry_after: bool,
}

/// A proxy between mlt and a server.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// The variable that names it.
    pub variable: &'static str,
    /// Host and port.
    pub place: String,
    /// User name and password.
    pub login: Option<(String, Secret)>,
}

/// The proxies on the way to a server.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
}

impl Proxies {
    /// The proxies for URLs of either scheme.
    pub fn new(http: Option<Proxy>, https: Option<Proxy>) -> Self {
        Self { http, https }
    }

    /// The proxy for a URL of the server, by its scheme.
    pub fn on_the_way_to(&self, url: &Url) -> Option<&Proxy> {
        if url.scheme() == "https" {
            self.https.as_ref()
        } else {
            self.http.as_ref()
        }
    }

    /// Each of them.
    pub fn all(&self) -> impl Iterator<Item = &Proxy> {
        self.http.iter().chain(&self.https)
    }
}

/// Text that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
