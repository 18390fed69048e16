//! A MariaDB server of the tests' own, with MLflow's tables and the rows of a database that a
//! real MLflow server filled. To its collation, case, accents and spaces at the end are
//! nothing. It ends with the test process, however that ends.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::databases::copy_rich_to;
use super::postgres::GUARD;
use super::{Mlt, mlt, venv};

/// A running server.
pub(crate) struct Mysql {
    dir: PathBuf,
    port: u16,
    guard: Child,
}

/// The server with the rows of [`rich`], which no test changes.
pub(crate) fn mysql() -> &'static Mysql {
    static SERVER: OnceLock<Mysql> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Mysql::start();
        server.sql("", "CREATE USER mlflow; GRANT ALL ON *.* TO mlflow");
        server.create("rich");
        let uri = server.uri_with("mysql+pymysql", "mlflow", "rich") + "?charset=utf8mb4";
        copy_rich_to(&uri);
        server
    })
}

/// mlt, reading the database with the rows of [`rich`].
pub(crate) fn on_mysql() -> Mlt {
    mlt().on(&mysql().uri())
}

impl Mysql {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("mlt-my").tempdir();
        let dir = dir.expect("a temporary folder").keep();
        let data = dir.join("data");
        let id = |what: &str| {
            let output = Command::new("id").arg(what).output().expect("id runs");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        let user = format!("--user={}", id("-un"));
        let of_data = format!("--datadir={}", data.display());
        let made = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--skip-test-db", &user, &of_data])
            .args(["--auth-root-authentication-method=normal"])
            .arg("--innodb-log-file-size=8M")
            .output()
            .expect("mariadb-install-db starts");
        assert!(made.status.success(), "{made:?}");
        let key = Command::new("openssl")
            .args([
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
            ])
            .args(["-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", "server.key", "-out", "server.crt"])
            .current_dir(&dir)
            .output()
            .expect("openssl starts");
        assert!(key.status.success(), "{key:?}");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = port.expect("a free port").port();
        let log = fs::File::create(dir.join("server.log")).expect("the folder can be written to");
        let path = |name: &str| dir.join(name).display().to_string();
        let guard = Command::new("python3")
            .args(["-c", GUARD])
            .arg(&dir)
            .arg(program("mariadbd"))
            .args(["--no-defaults", &user, &of_data])
            .args([
                format!("--port={port}"),
                format!("--socket={}", path("socket")),
            ])
            .args([
                format!("--pid-file={}", path("pid")),
                "--bind-address=127.0.0.1".to_owned(),
            ])
            .args([format!("--ssl-cert={}", path("server.crt"))])
            .args([format!("--ssl-key={}", path("server.key"))])
            .args([
                "--innodb-log-file-size=8M",
                "--innodb-flush-log-at-trx-commit=0",
            ])
            .arg("--log-bin-trust-function-creators=1")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("Python starts");
        let server = Self { dir, port, guard };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !server.client("", "SELECT 1").status.success() {
            assert!(
                Instant::now() < deadline,
                "MariaDB does not start:\n{}",
                fs::read_to_string(server.dir.join("server.log")).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn create(&self, name: &str) {
        self.sql("", &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"));
    }

    /// The database with the rows of [`rich`], as mlt is told of it.
    pub(crate) fn uri(&self) -> String {
        self.uri_with("mysql", "mlflow", "rich")
    }

    /// Some database for a user.
    pub(crate) fn uri_with(&self, scheme: &str, login: &str, database: &str) -> String {
        format!("{scheme}://{login}@127.0.0.1:{}/{database}", self.port)
    }

    /// The server's certificate, which it signed itself for `localhost`.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.dir.join("server.crt")
    }

    /// The database with the rows of [`rich`], through its socket.
    pub(crate) fn uri_of_socket(&self) -> String {
        let socket = self.dir.join("socket");
        format!(
            "mysql+pymysql://mlflow@localhost/rich?unix_socket={}",
            socket.display()
        )
    }

    /// A copy of the database with the rows of [`rich`], which a test may change.
    pub(crate) fn copy(&self, name: &str) -> String {
        self.create(name);
        let rows = Command::new("mariadb-dump")
            .args(self.options())
            .args(["--skip-lock-tables", "rich"])
            .output()
            .expect("mariadb-dump starts");
        assert!(rows.status.success(), "{rows:?}");
        let path = self.dir.join(format!("{name}.sql"));
        fs::write(&path, rows.stdout).expect("the folder can be written to");
        let read = Command::new("mariadb")
            .args(self.options())
            .arg(name)
            .stdin(fs::File::open(&path).expect("it was written"))
            .output()
            .expect("mariadb starts");
        assert!(read.status.success(), "{read:?}");
        self.uri_with("mysql", "mlflow", name)
    }

    /// Runs a program of Python with MLflow on one of the databases; gives what it prints.
    pub(crate) fn python(&self, database: &str, program: &str) -> String {
        let uri = self.uri_with("mysql+pymysql", "mlflow", database) + "?charset=utf8mb4";
        let output = Command::new(venv::backends())
            .args(["-c", program])
            .env("MLFLOW_TRACKING_URI", uri)
            .env("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
            .current_dir(&self.dir)
            .output()
            .expect("Python starts");
        assert!(output.status.success(), "{program}: {output:?}");
        String::from_utf8(output.stdout).expect("Python writes UTF-8")
    }

    /// Keeps a table of a database to itself, for as long as this runs.
    pub(crate) fn keep(&self, database: &str, table: &str) -> Child {
        let sql = format!("LOCK TABLES {table} WRITE; SELECT 'kept'; SELECT sleep(600)");
        let mut keeper = Command::new("mariadb")
            .args(self.options())
            .args(["-N", "-B", "-n", database, "-e", &sql])
            .stdout(Stdio::piped())
            .spawn()
            .expect("mariadb starts");
        let mut said = [0; 4];
        let stdout = keeper.stdout.as_mut().expect("it is piped");
        stdout.read_exact(&mut said).expect("it says so");
        keeper
    }

    fn options(&self) -> [String; 4] {
        let socket = self.dir.join("socket").display().to_string();
        [
            "--no-defaults".to_owned(),
            "--user=root".to_owned(),
            format!("--socket={socket}"),
            "--default-character-set=utf8mb4".to_owned(),
        ]
    }

    /// Asks a database; gives the values of the rows, with tabs between them.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.client(database, sql);
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8(output.stdout).expect("the client writes UTF-8")
    }

    fn client(&self, database: &str, sql: &str) -> Output {
        let mut command = Command::new("mariadb");
        command.args(self.options()).args(["-N", "-B", "-r"]);
        if !database.is_empty() {
            command.arg(database);
        }
        command.args(["-e", sql]).output().expect("mariadb starts")
    }
}

impl Drop for Mysql {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A program of MariaDB, which Debian keeps out of the path of users.
fn program(name: &str) -> PathBuf {
    let own = Path::new("/usr/sbin").join(name);
    if own.exists() {
        own
    } else {
        PathBuf::from(name)
    }
}
