//! Runs the binary in an environment of its own, and keeps all that a user sees.

use std::fmt;
use std::sync::LazyLock;

use assert_cmd::Command;
use regex::Regex;
use serde_json::Value;

/// A command line in preparation.
pub(crate) struct Mlt {
    command: Command,
}

/// Starts a command line: no variables but those that are set, no home, UTC.
pub(crate) fn mlt() -> Mlt {
    let mut command = Command::cargo_bin("mlt").expect("the binary is built with the tests");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/nonexistent")
        .env("TZ", "UTC")
        // Other work on the machine must not decide what is found out in time.
        .env("MLT_PATIENCE", "30000");
    Mlt { command }
}

impl Mlt {
    pub(crate) fn on(self, uri: &str) -> Self {
        self.env("MLFLOW_TRACKING_URI", uri)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// The id of the newest trace.
    pub(crate) fn newest(self) -> String {
        self.run("search -n 1 -o ids").ok().trim().to_owned()
    }

    /// Runs in this folder.
    pub(crate) fn within(mut self, folder: &std::path::Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Pretends that standard output is a terminal so many columns wide.
    pub(crate) fn terminal(self, width: usize) -> Self {
        self.env("MLT_FORCE_TTY", &width.to_string())
            .env("PAGER", "cat")
    }

    pub(crate) fn args<S: AsRef<std::ffi::OsStr>>(
        mut self,
        args: impl IntoIterator<Item = S>,
    ) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.command.write_stdin(text);
        self
    }

    /// Runs `words`, split at spaces, after the arguments that were given before.
    pub(crate) fn run(self, words: &str) -> Outcome {
        let mut command = self.args(words.split_whitespace()).command;
        let output = command.output().expect("mlt starts");
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
        }
    }
}

/// JSON without what only a server adds: the address of a trace's page.
pub(crate) fn without_link(json: &str) -> String {
    static LINK: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"\s*"link":\s*"[^"]*","#).unwrap());
    LINK.replace_all(json, "").into_owned()
}

/// All that a user sees of a command.
#[derive(Clone)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Standard output, after the check that the command succeeded without a word.
    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self}");
        assert_eq!(self.stderr, "", "{self}");
        &self.stdout
    }

    /// Standard error, after the check of the exit code and that no data was printed.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self}");
        assert_eq!(self.stdout, "", "{self}");
        assert!(!self.stderr.contains("panicked"), "{self}");
        &self.stderr
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self}"))
    }

    /// Standard output as JSON lines.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        assert_eq!(self.code, Some(0), "{self}");
        self.lines()
            .iter()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }

    pub(crate) fn lines(&self) -> Vec<&str> {
        self.stdout.lines().collect()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stdout)?;
        if !self.stderr.is_empty() {
            write!(f, "--- stderr\n{}", self.stderr)?;
        }
        match self.code {
            Some(code) => write!(f, "--- exit {code}"),
            None => write!(f, "--- killed"),
        }
    }
}

/// Runs a line of a shell, in which `mlt` is ours, on the demo store and in an empty folder.
pub(crate) fn line_on_the_demo(line: &str) -> std::process::Output {
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_mlt"));
    let bin = bin.parent().expect("a binary is in a folder");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let folder = tempfile::tempdir().unwrap();
    std::process::Command::new("bash")
        .args(["-o", "pipefail", "-c", line])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder.path())
        .env("TZ", "UTC")
        .env("MLFLOW_TRACKING_URI", "demo:")
        .output()
        .unwrap()
}
