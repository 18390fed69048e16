//! A PostgreSQL server of the tests' own, with MLflow's tables and the rows of a database
//! that a real MLflow server filled. Its collation is none of bytes. It ends with the test
//! process, however that ends.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::databases::copy_rich_to;
use super::{Mlt, mlt, venv};

/// Waits for its standard input to end, then ends a server and removes its folder.
pub(super) const GUARD: &str = "\
import shutil, signal, subprocess, sys
server = subprocess.Popen(sys.argv[2:], start_new_session=True, stdin=subprocess.DEVNULL)
sys.stdin.read()
server.send_signal(signal.SIGQUIT)
server.wait()
shutil.rmtree(sys.argv[1], ignore_errors=True)
";

/// A running server.
pub(crate) struct Postgres {
    dir: PathBuf,
    port: u16,
    guard: Child,
}

/// The server with the rows of [`rich`], which no test changes.
pub(crate) fn postgres() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Postgres::start();
        server.sql(
            "postgres",
            "CREATE DATABASE base TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'",
        );
        copy_rich_to(&server.uri_with("postgresql+psycopg2", "base"));
        server.sql("base", "ANALYZE");
        server.copy("rich");
        server
    })
}

/// mlt, reading the database with the rows of [`rich`].
pub(crate) fn on_postgres() -> Mlt {
    mlt().on(&postgres().uri())
}

impl Postgres {
    fn start() -> Self {
        let dir = tempfile::Builder::new().prefix("mlt-pg").tempdir();
        let dir = dir.expect("a temporary folder").keep();
        let is_root = Command::new("id").arg("-u").output().expect("id runs");
        // It does not run as root.
        let as_user: &[&str] = if is_root.stdout == b"0\n" {
            let owned = Command::new("chown").arg("postgres").arg(&dir).status();
            assert!(owned.expect("chown runs").success());
            &[
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
            ]
        } else {
            &["env"]
        };
        let data = dir.join("data");
        let made = Command::new(as_user[0])
            .args(&as_user[1..])
            .arg(program("initdb"))
            .args([
                "-U",
                "mlflow",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-N",
                "-D",
            ])
            .arg(&data)
            .current_dir(&dir)
            .output()
            .expect("initdb starts");
        assert!(made.status.success(), "{made:?}");
        let key = Command::new(as_user[0])
            .args(&as_user[1..])
            .args([
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
            ])
            .args([
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
            ])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", "data/server.key", "-out", "data/server.crt"])
            .current_dir(&dir)
            .output()
            .expect("openssl starts");
        assert!(key.status.success(), "{key:?}");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let port = port.expect("a free port").port();
        let log = fs::File::create(dir.join("server.log")).expect("the folder can be written to");
        let guard = Command::new("python3")
            .args(["-c", GUARD])
            .arg(&dir)
            .args(as_user)
            .arg(program("postgres"))
            .args([
                "-p",
                &port.to_string(),
                "-c",
                "fsync=off",
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "ssl=on",
            ])
            .args([
                "-k".as_ref(),
                dir.as_os_str(),
                "-D".as_ref(),
                data.as_os_str(),
            ])
            .current_dir(&dir)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("Python starts");
        let server = Self { dir, port, guard };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !server.try_sql("postgres", "SELECT 1") {
            assert!(
                Instant::now() < deadline,
                "PostgreSQL does not start:\n{}",
                fs::read_to_string(server.dir.join("server.log")).unwrap_or_default()
            );
            thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// The database with the rows of [`rich`], as mlt is told of it.
    pub(crate) fn uri(&self) -> String {
        self.uri_with("postgresql", "rich")
    }

    fn uri_with(&self, scheme: &str, database: &str) -> String {
        format!("{scheme}://mlflow@127.0.0.1:{}/{database}", self.port)
    }

    /// The same for another user.
    pub(crate) fn uri_of(&self, login: &str) -> String {
        format!("postgresql://{login}@127.0.0.1:{}/rich", self.port)
    }

    /// The server's certificate, which it signed itself for `localhost`.
    pub(crate) fn certificate(&self) -> PathBuf {
        let readable = self.dir.with_extension("crt");
        fs::copy(self.dir.join("data/server.crt"), &readable).expect("it has a certificate");
        readable
    }

    /// The same database, through its socket.
    pub(crate) fn uri_of_socket(&self) -> String {
        format!(
            "postgresql://mlflow@/rich?host={}&port={}",
            self.dir.display(),
            self.port
        )
    }

    /// A copy of the database with the rows of [`rich`], which a test may change.
    pub(crate) fn copy(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE base"));
        self.uri_with("postgresql", name)
    }

    /// From here on, a user needs a password.
    pub(crate) fn ask_for_password(&self, user: &str) {
        let rules = self.dir.join("data/pg_hba.conf");
        let others = fs::read_to_string(&rules).expect("it has rules");
        fs::write(
            &rules,
            format!("host all {user} 127.0.0.1/32 scram-sha-256\n{others}"),
        )
        .expect("its rules can be written");
        self.sql("postgres", "SELECT pg_reload_conf()");
        let deadline = Instant::now() + Duration::from_secs(10);
        let rule =
            format!("SELECT count(*) FROM pg_hba_file_rules WHERE '{user}' = ANY(user_name)");
        while self.sql("postgres", &rule) == "0\n" {
            assert!(Instant::now() < deadline, "the rules are not read");
        }
    }

    /// Asks a database; gives the values of the rows, with `|` between them.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.psql(database, sql);
        assert!(output.status.success(), "{sql}: {output:?}");
        String::from_utf8(output.stdout).expect("psql writes UTF-8")
    }

    /// Runs Python with MLflow on a database; gives what it prints.
    pub(crate) fn python(&self, database: &str, program: &str) -> String {
        let output = Command::new(venv::backends())
            .args(["-c", program])
            .env(
                "MLFLOW_TRACKING_URI",
                self.uri_with("postgresql+psycopg2", database),
            )
            .current_dir(&self.dir)
            .output()
            .expect("Python starts");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("Python writes UTF-8")
    }

    fn try_sql(&self, database: &str, sql: &str) -> bool {
        self.psql(database, sql).status.success()
    }

    fn psql(&self, database: &str, sql: &str) -> std::process::Output {
        Command::new(program("psql"))
            .args(["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-U", "mlflow"])
            .args(["-p", &self.port.to_string(), "-d", database, "-c", sql])
            .output()
            .expect("psql starts")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A program of PostgreSQL, which Debian keeps out of the path.
fn program(name: &str) -> PathBuf {
    let releases = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = releases
        .flatten()
        .map(|release| release.path().join("bin").join(name))
        .filter(|path| Path::exists(path))
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}
