//! Python environments with pinned MLflow versions, and a folder of node's packages, made on
//! first use and kept under the target folder.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The folder for what is made once and kept between test runs.
pub(crate) fn cache() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let dir = tmp.parent().unwrap_or(tmp).join("mlflow");
    fs::create_dir_all(&dir).expect("the target folder can be written to");
    dir
}

/// The folder of the Python scripts.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mlflow")
}

/// Holds a lock file for as long as `work` takes, so that parallel test
/// binaries do not make the same thing twice.
pub(crate) fn exclusively<T>(name: &str, work: impl FnOnce() -> T) -> T {
    let lock = File::create(cache().join(format!("{name}.lock"))).expect("a lock file can be made");
    lock.lock().expect("locks work here");
    work()
}

/// The Python of an environment with this MLflow version.
pub(crate) fn python(version: &str) -> PathBuf {
    environment(version, None)
}

/// The Python of an environment with all of MLflow 3.17 and the other vendors' clients.
pub(crate) fn clients() -> PathBuf {
    environment("clients", Some(&python("3.17.2")))
}

/// The Python of an environment with all of MLflow 3.17 and drivers of other databases.
pub(crate) fn backends() -> PathBuf {
    environment("backends", Some(&python("3.17.2")))
}

/// The Python of an environment with what is required of this name, besides what another
/// one has.
fn environment(name: &str, base: Option<&Path>) -> PathBuf {
    let requirements = scripts().join(format!("requirements-{name}.txt"));
    let mut wanted = fs::read_to_string(&requirements).expect("the requirements are there");
    let packages_of_base = base.map(packages);
    wanted.extend(packages_of_base.clone());
    let dir = cache().join(format!("venv-{name}"));
    let python = dir.join("bin/python");
    exclusively(&format!("venv-{name}"), || {
        let marker = dir.join("complete");
        if fs::read_to_string(&marker).is_ok_and(|made| made == wanted) {
            return;
        }
        let _ = fs::remove_dir_all(&dir);
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&dir)
            .status();
        assert!(
            made.is_ok_and(|status| status.success()),
            "the tests run a real MLflow server, which needs Python 3.10 or later with its venv module: \
             install python3 and python3-venv"
        );
        if let Some(base) = packages_of_base {
            // Python looks for packages in the folders that such files name.
            let path = Path::new(&packages(&python)).join("base.pth");
            fs::write(path, base).expect("the environment can be written to");
        }
        let installed = Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "-r",
            ])
            .arg(&requirements)
            .status();
        assert!(
            installed.is_ok_and(|status| status.success()),
            "pip could not install {}: a package index must be in reach",
            requirements.display()
        );
        fs::write(marker, &wanted).expect("the environment can be written to");
    });
    python
}

/// The folder in which node finds OpenTelemetry's packages, with TypeScript and what runs it in
/// `node_modules/.bin`.
pub(crate) fn typescript() -> PathBuf {
    let wanted = fs::read(scripts().join("package-typescript.json"));
    let wanted = wanted.expect("the packages are listed");
    let dir = cache().join("node-typescript");
    exclusively("node-typescript", || {
        let marker = dir.join("complete");
        if fs::read(&marker).is_ok_and(|made| made == wanted) {
            return;
        }
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).expect("the target folder can be written to");
        fs::write(dir.join("package.json"), &wanted).expect("the folder can be written to");
        let installed = Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund"])
            .current_dir(&dir)
            .status();
        assert!(
            installed.is_ok_and(|status| status.success()),
            "npm could not install what package-typescript.json lists: node 18.19 or later and npm \
             must be there, and a registry in reach"
        );
        fs::write(marker, &wanted).expect("the folder can be written to");
    });
    dir
}

/// The folder of the packages of an environment.
fn packages(python: &Path) -> String {
    let output = Command::new(python)
        .args([
            "-c",
            "import sysconfig; print(sysconfig.get_path('purelib'), end='')",
        ])
        .output()
        .expect("Python starts");
    String::from_utf8(output.stdout).expect("the folder has a name in UTF-8")
}

/// What numpy makes of the durations of spans, by their names; `traces` are JSON lines.
pub(crate) fn percentiles(traces: &str) -> Value {
    let mut numpy = Command::new(python("3.17.2"))
        .arg(scripts().join("percentiles.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut stdin = numpy.stdin.take().expect("it is piped");
    stdin
        .write_all(traces.as_bytes())
        .expect("the script reads all of it");
    drop(stdin);
    let output = numpy.wait_with_output().expect("the script ends");
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).expect("the script prints JSON")
}
