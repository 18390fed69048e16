//! Real MLflow servers on free ports. Traces are made once for each version,
//! kept under the target folder, and copied for each run; a server ends with
//! the test process, however that ends.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::venv;

/// Waits for its standard input to end, then ends the server and all its
/// workers, and removes the folder if it is a temporary one.
const GUARD: &str = "\
import os, shutil, signal, subprocess, sys
server = subprocess.Popen(sys.argv[2:], start_new_session=True, stdin=subprocess.DEVNULL)
sys.stdin.read()
os.killpg(server.pid, signal.SIGTERM)
server.wait()
if sys.argv[1]:
    shutil.rmtree(sys.argv[1], ignore_errors=True)
";

/// A running server.
pub(crate) struct Server {
    pub(crate) uri: String,
    guard: Child,
}

/// A server with traces.
pub(crate) struct Seeded {
    pub(crate) server: Server,
    /// Trace ids by case, as the script that made them names them.
    pub(crate) cases: BTreeMap<String, String>,
}

impl Seeded {
    pub(crate) fn uri(&self) -> &str {
        &self.server.uri
    }

    /// The id of a case.
    #[track_caller]
    pub(crate) fn case(&self, name: &str) -> &str {
        self.cases
            .get(name)
            .unwrap_or_else(|| panic!("no case {name} among {:?}", self.cases.keys()))
    }
}

/// MLflow 3.17 with traces of every instrumentation, hard cases, and 1,200 small ones.
pub(crate) fn current() -> &'static Seeded {
    static SERVER: OnceLock<Seeded> = OnceLock::new();
    let scripts = [
        Script::new("make_traces.py", &[]),
        Script::new("make_edges.py", &[]),
        Script::new("make_many.py", &["--traces", "1200"]),
    ];
    SERVER.get_or_init(|| seeded("3.17.2", &scripts))
}

/// MLflow 2.22, with the V2 endpoints only.
pub(crate) fn old() -> &'static Seeded {
    static SERVER: OnceLock<Seeded> = OnceLock::new();
    SERVER.get_or_init(|| seeded("2.22.5", &[Script::new("make_plain.py", &[])]))
}

/// MLflow 3.1: new clients' traces on a server without V3 endpoints.
pub(crate) fn early_v3() -> &'static Seeded {
    static SERVER: OnceLock<Seeded> = OnceLock::new();
    SERVER.get_or_init(|| seeded("3.1.4", &[Script::new("make_plain.py", &[])]))
}

/// Whether a server's folder goes away with it.
#[derive(Clone, Copy, PartialEq)]
enum Folder {
    Kept,
    Temporary,
}

struct Script {
    name: &'static str,
    args: &'static [&'static str],
}

impl Script {
    const fn new(name: &'static str, args: &'static [&'static str]) -> Self {
        Self { name, args }
    }
}

fn seeded(version: &str, scripts: &[Script]) -> Seeded {
    let python = venv::python(version);
    let seed = venv::exclusively(&format!("seed-{version}"), || {
        seed(version, &python, scripts)
    });
    let cases = fs::read_to_string(seed.join("cases.json")).expect("the seed has its cases");
    let dir = tempfile::Builder::new()
        .prefix("mlt-server-")
        .tempdir()
        .expect("a temporary folder")
        .keep();
    copy(&seed, &dir);
    Seeded {
        server: start(&python, &dir, Folder::Temporary),
        cases: serde_json::from_str(&cases).expect("cases are JSON"),
    }
}

/// The folder with a database and artifacts that the scripts filled.
fn seed(version: &str, python: &Path, scripts: &[Script]) -> PathBuf {
    let dir = venv::cache().join(format!("seed-{version}"));
    let sources = sources();
    let marker = dir.join("complete");
    if fs::read_to_string(&marker).is_ok_and(|made| made == sources) {
        return dir;
    }
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("the target folder can be written to");
    let server = start(python, &dir, Folder::Kept);
    let mut cases = BTreeMap::new();
    for script in scripts {
        let output = Command::new(python)
            .arg(venv::scripts().join(script.name))
            .args(["--tracking-uri", &server.uri])
            .args(script.args)
            .current_dir(&dir)
            .env("MLFLOW_TRACKING_URI", &server.uri)
            .output()
            .expect("Python starts");
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{} failed:\n{stdout}\n{}",
            script.name,
            String::from_utf8_lossy(&output.stderr)
        );
        let last = stdout.lines().last().unwrap_or_default();
        if let Ok(more) = serde_json::from_str::<BTreeMap<String, String>>(last) {
            cases.extend(more);
        }
    }
    stop(server);
    let text = serde_json::to_string(&cases).expect("cases are text");
    fs::write(dir.join("cases.json"), text).expect("the seed can be written to");
    fs::write(marker, sources).expect("the seed can be written to");
    dir
}

/// All that the seed is made from, so that a change makes it anew.
fn sources() -> String {
    let mut paths: Vec<PathBuf> = fs::read_dir(venv::scripts())
        .expect("the scripts are there")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    paths
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .collect()
}

/// Starts a server over the database and artifacts of a folder.
fn start(python: &Path, dir: &Path, folder: Folder) -> Server {
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a free port")
        .port();
    let log = fs::File::create(dir.join("server.log")).expect("the folder can be written to");
    let child = Command::new(python)
        .args(["-c", GUARD])
        .arg(if folder == Folder::Temporary {
            dir.as_os_str()
        } else {
            "".as_ref()
        })
        .arg(python)
        .args([
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--workers",
            "2",
        ])
        .args(["--port", &port.to_string()])
        .arg("--backend-store-uri")
        .arg(format!("sqlite:///{}", dir.join("mlflow.db").display()))
        .arg("--artifacts-destination")
        .arg(dir.join("artifacts"))
        // Seven more processes, for scheduled evaluations that nobody here asks for.
        .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("Python starts");
    let server = Server {
        uri: format!("http://127.0.0.1:{port}"),
        guard: child,
    };
    let deadline = Instant::now() + Duration::from_secs(120);
    while !healthy(port) {
        assert!(
            Instant::now() < deadline,
            "the MLflow server does not start:\n{}",
            fs::read_to_string(dir.join("server.log")).unwrap_or_default()
        );
        thread::sleep(Duration::from_millis(100));
    }
    server
}

fn healthy(port: u16) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let request = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

fn stop(server: Server) {
    let mut guard = server.guard;
    drop(guard.stdin.take());
    let _ = guard.wait();
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the seed can be read").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).expect("the temporary folder can be written to");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("the temporary folder can be written to");
        }
    }
}
