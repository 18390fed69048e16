//! MLflow 3.17 over a `PostgreSQL` and a `MariaDB` of its own, with the rows of a `SQLite`
//! database that the tests have, so that every id is the same. The databases are made once
//! and kept under the target folder, and copied for each run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::mlflow::{Server, copy, free_port, rich_store, wait_for};
use super::{Mlt, mlt, venv};

/// A server on another database than `SQLite`.
pub(crate) struct Backed {
    server: Server,
    /// A folder that ends with the server.
    pub(crate) dir: PathBuf,
}

impl Backed {
    pub(crate) fn uri(&self) -> &str {
        &self.server.uri
    }

    pub(crate) fn mlt(&self) -> Mlt {
        mlt().on(self.uri())
    }
}

/// On `PostgreSQL`, whose texts sort as in a dictionary.
pub(crate) fn postgres() -> &'static Backed {
    static SERVER: OnceLock<Backed> = OnceLock::new();
    SERVER.get_or_init(|| backed("postgres"))
}

/// On `MariaDB`, to which case and accents make no difference, nor bytes a character.
pub(crate) fn mariadb() -> &'static Backed {
    static SERVER: OnceLock<Backed> = OnceLock::new();
    SERVER.get_or_init(|| backed("mariadb"))
}

fn backed(kind: &str) -> Backed {
    let made = made(kind);
    let dir = tempfile::Builder::new()
        .prefix("mlt-backend-")
        .tempdir()
        .expect("a temporary folder")
        .keep();
    copy(&made, &dir);
    let port = free_port();
    let log = fs::File::create(dir.join("server.log")).expect("the folder can be written to");
    let guard = script(kind, &dir, &["serve", &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("Python starts");
    Backed {
        server: wait_for(port, guard, &dir),
        dir,
    }
}

/// The folder with a filled database that nobody runs.
fn made(kind: &str) -> PathBuf {
    let name = format!("backend-{kind}");
    // Outside of the lock, which is another one's too.
    let (source, made_from) = rich_store();
    venv::exclusively(&name, || {
        let dir = venv::cache().join(&name);
        let text = fs::read_to_string(program()).expect("the script is there");
        let (marker, expected) = (dir.join("complete"), text + &made_from);
        if fs::read_to_string(&marker).is_ok_and(|made| made == expected) {
            return dir;
        }
        let _ = fs::remove_dir_all(&dir);
        // The database's own user may not reach the target folder.
        let place = tempfile::tempdir().expect("a temporary folder");
        let output = Command::new(venv::backends())
            .arg(program())
            .arg(kind)
            .arg(source.join("mlflow.db"))
            .arg(place.path())
            .args(["made", "0"])
            .output()
            .expect("Python starts");
        assert!(
            output.status.success(),
            "no {kind}: {}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        fs::create_dir_all(&dir).expect("the target folder can be written to");
        copy(place.path(), &dir);
        let artifacts = dir.join("artifacts");
        fs::create_dir_all(&artifacts).expect("the target folder can be written to");
        copy(&source.join("artifacts"), &artifacts);
        fs::write(marker, expected).expect("the target folder can be written to");
        dir
    })
}

fn program() -> PathBuf {
    venv::scripts().join("on_database.py")
}

fn script(kind: &str, dir: &Path, task: &[&str]) -> Command {
    let mut command = Command::new(venv::backends());
    command
        .arg(program())
        .args([kind.as_ref(), "-".as_ref(), dir.as_os_str()])
        .args(task);
    command
}
