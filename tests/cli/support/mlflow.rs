//! Real MLflow servers on free ports. Traces are made once for each version,
//! kept under the target folder, and copied for each run; a server ends with
//! the test process, however that ends.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use mlt::store::{self, Connection, Location, Proxies, RetryPolicy, Store, Tls};

use super::{Mlt, mlt, venv};

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
    /// The folder with the server's database and artifacts, which ends with the server.
    pub(crate) dir: PathBuf,
    /// Trace ids by case, as the script that made them names them.
    pub(crate) cases: BTreeMap<String, String>,
}

impl Seeded {
    pub(crate) fn uri(&self) -> &str {
        &self.server.uri
    }

    /// The server's database.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join("mlflow.db")
    }

    /// The server's database, as mlt is told of it.
    pub(crate) fn database_uri(&self) -> String {
        format!("sqlite:///{}", self.database().display())
    }

    /// The id of a case.
    #[track_caller]
    pub(crate) fn case(&self, name: &str) -> &str {
        self.cases
            .get(name)
            .unwrap_or_else(|| panic!("no case {name} among {:?}", self.cases.keys()))
    }
}

/// What a server's store is filled with: by these scripts, after those of another seed.
struct Seed {
    name: &'static str,
    version: &'static str,
    base: Option<&'static Seed>,
    scripts: &'static [Script],
    /// Whether its server has workspaces.
    workspaces: bool,
}

static CURRENT: Seed = Seed {
    name: "seed-3.17.2",
    version: "3.17.2",
    base: None,
    scripts: &[
        Script::new("make_traces.py", &[]),
        Script::new("make_edges.py", &[]),
        Script::new("make_many.py", &["--traces", "1200"]),
    ],
    workspaces: false,
};
static EMPTY: Seed = Seed {
    name: "seed-3.17.2-empty",
    version: "3.17.2",
    base: None,
    scripts: &[],
    workspaces: false,
};
static RICH: Seed = Seed {
    name: "seed-3.17.2-rich",
    version: "3.17.2",
    base: Some(&CURRENT),
    scripts: &[Script::new("make_rich.py", &[])],
    workspaces: false,
};
static OUTSIDE: Seed = Seed {
    name: "seed-3.17.2-outside",
    version: "3.17.2",
    base: None,
    scripts: &[Script::new("make_outside.py", &[])],
    workspaces: false,
};
static WORKSPACES: Seed = Seed {
    name: "seed-3.17.2-workspaces",
    version: "3.17.2",
    base: None,
    scripts: &[Script::new("make_workspaces.py", &[])],
    workspaces: true,
};
static OLD: Seed = Seed {
    name: "seed-2.22.5",
    version: "2.22.5",
    base: None,
    scripts: &[Script::new("make_plain.py", &[])],
    workspaces: false,
};
static EARLY_V3: Seed = Seed {
    name: "seed-3.1.4",
    version: "3.1.4",
    base: None,
    scripts: &[Script::new("make_plain.py", &[])],
    workspaces: false,
};

impl Seed {
    /// What its server is started with besides.
    fn options(&self) -> &'static [&'static str] {
        if self.workspaces {
            &["--enable-workspaces"]
        } else {
            &[]
        }
    }
}

/// MLflow 3.17 with traces of every instrumentation, hard cases, and 1,200 small ones.
pub(crate) fn current() -> &'static Seeded {
    static SERVER: OnceLock<Seeded> = OnceLock::new();
    SERVER.get_or_init(|| seeded(&CURRENT))
}

/// mlt, asking [`current`].
pub(crate) fn on_server() -> Mlt {
    mlt().on(current().uri())
}

/// mlt, reading the database of [`current`].
pub(crate) fn on_database() -> Mlt {
    mlt().on(&current().database_uri())
}

/// mlt, reading the traces that are cases of [`current`] from a file.
pub(crate) fn on_cases() -> Mlt {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let ids: Vec<&str> = current().cases.values().map(String::as_str).collect();
        let export = on_server().stdin(ids.join("\n")).run("export - -o jsonl");
        assert_eq!(export.lines().len(), ids.len(), "{}", export.stderr);
        let file = current().dir.join("cases.jsonl");
        fs::write(&file, export.stdout).expect("the folder can be written to");
        file
    });
    mlt().on(&file.display().to_string())
}

/// MLflow 3.17 with all of [`current`] and what filters can disagree about. No test changes it.
pub(crate) fn rich() -> &'static Seeded {
    static SERVER: OnceLock<Seeded> = OnceLock::new();
    SERVER.get_or_init(|| seeded(&RICH))
}

/// The folder in which the store of [`rich`] was made, and all that it is made from.
pub(super) fn rich_store() -> (PathBuf, String) {
    let dir = made(&RICH, &venv::python(RICH.version));
    (dir, sources(&RICH))
}

/// MLflow 3.17 with spans that its filters do not see: artifacts, an archive, OpenTelemetry's.
pub(crate) fn outside() -> &'static Seeded {
    static SERVER: OnceLock<Seeded> = OnceLock::new();
    SERVER.get_or_init(|| seeded(&OUTSIDE))
}

/// mlt, reading the database of [`outside`], and its archive where that was made.
pub(crate) fn on_outside_database() -> Mlt {
    let made = venv::cache().join(OUTSIDE.name).join("archive");
    mlt()
        .on(&outside().database_uri())
        .env("MLT_ALLOW_ARTIFACTS", &made.display().to_string())
}

/// MLflow 3.17 with all of [`current`], for tests that add to it.
pub(crate) fn growing() -> &'static Seeded {
    static SERVER: OnceLock<Seeded> = OnceLock::new();
    SERVER.get_or_init(|| seeded(&CURRENT))
}

/// A program that makes a trace bit by bit with MLflow's own client, and has begun.
pub(crate) fn slow_client(seeded: &Seeded, args: &[&str]) -> Child {
    let mut client = Command::new(python())
        .arg(script("slow_trace.py"))
        .args(args)
        .env("MLFLOW_TRACKING_URI", seeded.uri())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(client.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "started\n");
    client
}

/// The Python of [`current`], with MLflow's client.
pub(crate) fn python() -> PathBuf {
    venv::python(CURRENT.version)
}

/// A Python script of the tests.
pub(crate) fn script(name: &str) -> PathBuf {
    venv::scripts().join(name)
}

/// MLflow 3.17 without traces, to send some to.
pub(crate) fn empty() -> Seeded {
    seeded(&EMPTY)
}

/// A server over the database in a folder, which stays when it ends; on this port, or on
/// any that is free.
pub(crate) fn serve(dir: &Path, port: Option<u16>) -> Server {
    let port = port.unwrap_or_else(free_port);
    start_on(port, &python(), dir, &database(dir), Folder::Kept, &[])
}

/// Copies the store of a server without traces to a folder.
pub(crate) fn empty_store_copy(to: &Path) {
    copy(&made(&EMPTY, &venv::python(EMPTY.version)), to);
}

/// Copies the store of [`current`], as it was made, to a folder.
pub(crate) fn store_copy(to: &Path) {
    copy(&made(&CURRENT, &venv::python(CURRENT.version)), to);
}

/// MLflow 3.17 with an experiment of the same name in two workspaces.
pub(crate) fn workspaces() -> &'static Seeded {
    static SERVER: OnceLock<Seeded> = OnceLock::new();
    SERVER.get_or_init(|| seeded(&WORKSPACES))
}

/// MLflow 2.22, with the V2 endpoints only.
pub(crate) fn old() -> &'static Seeded {
    static SERVER: OnceLock<Seeded> = OnceLock::new();
    SERVER.get_or_init(|| seeded(&OLD))
}

/// MLflow 3.1: new clients' traces on a server without V3 endpoints.
pub(crate) fn early_v3() -> &'static Seeded {
    static SERVER: OnceLock<Seeded> = OnceLock::new();
    SERVER.get_or_init(|| seeded(&EARLY_V3))
}

/// A server of this version with traces, for one test alone.
pub(crate) fn of_its_own(version: &str) -> Seeded {
    let seeds = [&CURRENT, &OLD, &EARLY_V3];
    let seed = seeds.into_iter().find(|seed| seed.version == version);
    seeded(seed.expect("there is a seed of this version"))
}

/// The server as a store, without retries.
pub(crate) fn connect(uri: &str) -> Box<dyn Store> {
    let location = Location::Server(Box::new(Connection {
        base: uri.parse().expect("the server has a URL"),
        credentials: None,
        workspace: None,
        tls: Tls::default(),
        timeout: Duration::from_secs(120),
        max_time: Duration::from_secs(600),
        max_body: 1_000_000_000,
        proxies: Proxies::default(),
        connect_timeout: Duration::from_secs(30),
        retry: RetryPolicy {
            max_retries: 0,
            backoff: Duration::ZERO,
            jitter: Duration::ZERO,
            longest_wait: Duration::ZERO,
            respect_retry_after: false,
        },
        follow_redirects: false,
    }));
    store::open(&location, None).expect("a client can be made")
}

/// A copy of a file store (`mlruns`) that MLflow's client made without a server.
pub(crate) struct FileStore {
    dir: tempfile::TempDir,
    python: PathBuf,
    cases: BTreeMap<String, String>,
}

/// A file store of this version with what is hard to keep in files. Its traces'
/// spans are where they were made, as their tags say.
pub(crate) fn file_store(version: &str) -> FileStore {
    let python = venv::python(version);
    let name = format!("mlruns-{version}");
    let script = venv::scripts().join("make_mlruns.py");
    let made = made_without_server(&name, &python, &script, &[], |dir| {
        dir.join("mlruns").display().to_string()
    });
    let cases = fs::read_to_string(made.join("cases.json")).expect("the store has its cases");
    let dir = tempfile::tempdir().expect("a temporary folder");
    copy(&made, dir.path());
    FileStore {
        dir,
        python,
        cases: serde_json::from_str(&cases).expect("cases are JSON"),
    }
}

/// The folder in which a script made a store, once, without a server; `store` is how
/// MLflow is told of it. What it printed last is in `cases.json`.
pub(super) fn made_without_server(
    name: &str,
    python: &Path,
    script: &Path,
    args: &[&str],
    store: impl Fn(&Path) -> String,
) -> PathBuf {
    venv::exclusively(name, || {
        // Its traces name the folder that they were made in: one that it is found in
        // wherever the target folder is a link to it from.
        let cache = venv::cache().canonicalize();
        let dir = cache.expect("the cache is there").join(name);
        let source = fs::read_to_string(script).expect("the script is there");
        let source = source + &args.join(" ");
        let (marker, home) = (dir.join("complete"), dir.join("home"));
        let place = dir.display().to_string();
        let holds = |file: &Path, text: &str| fs::read_to_string(file).is_ok_and(|it| it == text);
        if holds(&marker, &source) && holds(&home, &place) {
            return dir;
        }
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("the target folder can be written to");
        let output = Command::new(python)
            .arg(script)
            .args(["--tracking-uri", &store(&dir)])
            .args(args)
            .current_dir(&dir)
            .env("MLFLOW_ALLOW_FILE_STORE", "true")
            .output()
            .expect("Python starts");
        let stdout = String::from_utf8_lossy(&output.stdout);
        let last = stdout.lines().last().filter(|_| output.status.success());
        let cases = last.unwrap_or_else(|| {
            panic!(
                "{} failed:\n{stdout}\n{}",
                script.display(),
                String::from_utf8_lossy(&output.stderr)
            )
        });
        fs::write(dir.join("cases.json"), cases).expect("the store can be written to");
        fs::write(home, place).expect("the store can be written to");
        fs::write(marker, source).expect("the store can be written to");
        dir
    })
}

impl FileStore {
    /// The folder that it is in, for a current directory.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn uri(&self) -> String {
        self.dir.path().join("mlruns").display().to_string()
    }

    /// The id of a case.
    #[track_caller]
    pub(crate) fn case(&self, name: &str) -> &str {
        self.cases
            .get(name)
            .unwrap_or_else(|| panic!("no case {name} among {:?}", self.cases.keys()))
    }

    /// The folder of a case's trace.
    pub(crate) fn trace(&self, name: &str) -> PathBuf {
        let root = self.dir.path().join("mlruns");
        [root.clone(), root.join(".trash")]
            .iter()
            .flat_map(|folder| fs::read_dir(folder).expect("the store can be read"))
            .flatten()
            .map(|experiment| experiment.path().join("traces").join(self.case(name)))
            .find(|folder| folder.is_dir())
            .expect("the trace has a folder")
    }

    /// A server over it.
    pub(crate) fn serve(&self) -> Server {
        start(
            &self.python,
            self.dir.path(),
            &self.uri(),
            Folder::Kept,
            &[],
        )
    }

    /// What a Python program prints that uses MLflow's client on this store.
    pub(crate) fn ask(&self, program: &str) -> String {
        let output = Command::new(&self.python)
            .args(["-c", program])
            .current_dir(self.dir.path())
            .env("MLFLOW_TRACKING_URI", self.uri())
            .env("MLFLOW_ALLOW_FILE_STORE", "true")
            .output()
            .expect("Python starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("the output is UTF-8")
    }
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

fn seeded(seed: &Seed) -> Seeded {
    let python = venv::python(seed.version);
    let made = made(seed, &python);
    let cases = fs::read_to_string(made.join("cases.json")).expect("the seed has its cases");
    let dir = tempfile::Builder::new()
        .prefix("mlt-server-")
        .tempdir()
        .expect("a temporary folder")
        .keep();
    copy(&made, &dir);
    // Where mlt expects the artifacts of a database.
    std::os::unix::fs::symlink(dir.join("artifacts"), dir.join("mlartifacts"))
        .expect("a link can be made");
    Seeded {
        server: start(
            &python,
            &dir,
            &database(&dir),
            Folder::Temporary,
            seed.options(),
        ),
        dir,
        cases: serde_json::from_str(&cases).expect("cases are JSON"),
    }
}

/// The folder with a database and artifacts that the scripts filled.
fn made(seed: &Seed, python: &Path) -> PathBuf {
    venv::exclusively(seed.name, || make(seed, python))
}

fn make(seed: &Seed, python: &Path) -> PathBuf {
    let dir = venv::cache().join(seed.name);
    let sources = sources(seed);
    let marker = dir.join("complete");
    if fs::read_to_string(&marker).is_ok_and(|made| made == sources) {
        return dir;
    }
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("the target folder can be written to");
    let mut cases = BTreeMap::new();
    if let Some(base) = seed.base {
        copy(&made(base, python), &dir);
        let text = fs::read_to_string(dir.join("cases.json")).expect("the base has its cases");
        cases = serde_json::from_str(&text).expect("cases are JSON");
        fs::remove_file(&marker).expect("the base is complete");
    }
    let server = start(python, &dir, &database(&dir), Folder::Kept, seed.options());
    for script in seed.scripts {
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

/// All that a seed is made from, so that a change makes it anew: its scripts,
/// and those beside them that they import.
fn sources(seed: &Seed) -> String {
    let mut names: Vec<String> = seed.scripts.iter().map(|s| s.name.to_owned()).collect();
    let mut text = seed.base.map(sources).unwrap_or_default();
    let mut next = 0;
    while let Some(name) = names.get(next) {
        next += 1;
        let Ok(source) = fs::read_to_string(venv::scripts().join(name)) else {
            continue;
        };
        for line in source.lines() {
            let mut words = line.split_whitespace();
            if let (Some("import" | "from"), Some(module)) = (words.next(), words.next()) {
                let module = format!("{module}.py");
                if !names.contains(&module) && venv::scripts().join(&module).exists() {
                    names.push(module);
                }
            }
        }
        text.push_str(&source);
    }
    text
}

pub(super) fn database(dir: &Path) -> String {
    format!("sqlite:///{}", dir.join("mlflow.db").display())
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a free port")
        .port()
}

/// Starts a server over a store, with its artifacts in a folder.
fn start(python: &Path, dir: &Path, store: &str, folder: Folder, options: &[&str]) -> Server {
    start_on(free_port(), python, dir, store, folder, options)
}

fn start_on(
    port: u16,
    python: &Path,
    dir: &Path,
    store: &str,
    folder: Folder,
    options: &[&str],
) -> Server {
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
        .args(["--backend-store-uri", store])
        .args(options)
        .arg("--artifacts-destination")
        .arg(dir.join("artifacts"))
        // Seven more processes, for scheduled evaluations that nobody here asks for.
        .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
        .env("MLFLOW_ALLOW_FILE_STORE", "true")
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("Python starts");
    wait_for(port, child, dir)
}

/// The server that a guard starts on a port, once it answers; its log is in the folder.
pub(super) fn wait_for(port: u16, guard: Child, dir: &Path) -> Server {
    let server = Server {
        uri: format!("http://127.0.0.1:{port}"),
        guard,
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

impl Server {
    /// Its port, for another one after it.
    pub(crate) fn port(&self) -> u16 {
        let port = self.uri.rsplit(':').next();
        port.and_then(|port| port.parse().ok())
            .expect("the address has a port")
    }
}

/// Ends a server and all its processes.
pub(crate) fn stop(server: Server) {
    let mut guard = server.guard;
    drop(guard.stdin.take());
    let _ = guard.wait();
}

pub(super) fn copy(from: &Path, to: &Path) {
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
