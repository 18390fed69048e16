//! Completions as the shells themselves make them: bash, zsh and fish load the
//! script that is checked in, get a line typed, and are asked what they found.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::Command;
use tempfile::TempDir;

use crate::support::fake::{ANY, EXPERIMENTS, Fake, Reply, experiments};
use crate::support::mlt;

const SCRIPTS: [(&str, &str); 5] = [
    ("bash", "mlt.bash"),
    ("zsh", "_mlt"),
    ("fish", "mlt.fish"),
    ("powershell", "_mlt.ps1"),
    ("elvish", "mlt.elv"),
];

/// A shell that hangs must not take the tests with it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Wraps the function, so that readline calls it as it would call the script's
/// own, and keeps what it finds and what becomes of the line.
const BASH: &str = r#"source "$SCRIPTS/mlt.bash"
_kept() { _mlt "$@"; local IFS=$'\n'; printf '%s' "${COMPREPLY[*]}" >"$KEPT/found"; }
eval "$(complete -p mlt | sed 's/-F _mlt /-F _kept /')"
bind -x '"\C-t": printf %s "$READLINE_LINE" >"$KEPT/line"'
"#;

/// Types into a second zsh on a terminal of its own, which loads the script as
/// told, and hands over what it would offer.
const ZSH: &str = r#"
zmodload zsh/zpty || exit 9
cat >$KEPT/.zshrc <<'END'
PROMPT= RPROMPT=
fpath=($SCRIPTS $fpath)
autoload -Uz compinit && compinit -u -D
[[ -z $SOURCED ]] || { unset '_comps[mlt]'; source <(mlt completions zsh) }
compadd() {
    local -a kept
    if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
        builtin compadd -A kept "$@"
        print -rl -- $kept >>$KEPT/found
    fi
    builtin compadd "$@"
}
keep() { print -rn -- $BUFFER >$KEPT/line; BUFFER= }
zle -N keep && bindkey '^T' keep
zle-line-init() { print -n READY }
zle -N zle-line-init
END
export ZDOTDIR=$KEPT
zpty inner zsh -d -i
zpty -r inner output '*READY*' || exit 9
zpty -w -n inner "$LINE"$'\t\x14'
zpty -w inner exit
while zpty -r inner output; do :; done
"#;

const FISH: &str = r#"
source "$SCRIPTS/mlt.fish"
complete -C "$LINE" >"$KEPT/found"
"#;

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("completions")
}

/// What a shell made of a line.
struct Completed {
    candidates: Vec<String>,
    /// The line afterwards; empty for fish, which cannot be asked.
    line: String,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shell {
    Bash,
    /// Loads the script on demand, from a folder of functions.
    Zsh,
    /// Takes the script from mlt when it starts.
    ZshSourced,
    Fish,
}

const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

impl Shell {
    const fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh | Self::ZshSourced => "zsh",
            Self::Fish => "fish",
        }
    }

    /// Types `line` and the tab key.
    fn complete_on(self, uri: &str, line: &str) -> Completed {
        let kept = TempDir::new().expect("a temporary folder");
        let bin = Path::new(env!("CARGO_BIN_EXE_mlt"))
            .parent()
            .expect("it is in a folder");
        let mut path = bin.as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new(self.name());
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", kept.path())
            .env("TERM", "dumb")
            .env("LC_ALL", "C.UTF-8")
            .env("MLFLOW_TRACKING_URI", uri)
            .env("SCRIPTS", scripts())
            .env("KEPT", kept.path())
            .env("LINE", line)
            .current_dir(kept.path())
            .timeout(PATIENCE);
        match self {
            Self::Bash => command
                .args(["--norc", "--noprofile", "-i"])
                .write_stdin(format!("{BASH}{line}\t\u{14}\u{15}exit\n")),
            Self::Zsh => command.args(["-f", "-c", ZSH]),
            Self::ZshSourced => command.env("SOURCED", "yes").args(["-f", "-c", ZSH]),
            Self::Fish => command.args(["--no-config", "-c", FISH]),
        };
        let output = command.output().unwrap_or_else(|error| {
            panic!(
                "the tests of completions need {0}: install {0} ({error})",
                self.name()
            )
        });
        assert!(
            output.status.code().is_some(),
            "{self:?} hangs: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let read = |name: &str| fs::read_to_string(kept.path().join(name)).unwrap_or_default();
        let candidates = read("found")
            .lines()
            .map(|line| line.split('\t').next().unwrap_or_default().to_owned())
            .filter(|candidate| !candidate.is_empty())
            .collect();
        Completed {
            candidates,
            line: read("line"),
        }
    }

    fn candidates(self, line: &str) -> Vec<String> {
        self.complete_on("demo:", line).candidates
    }
}

/// Checks that every shell finds these candidates, in any order.
#[track_caller]
fn all_find(line: &str, expected: &[&str]) {
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    for shell in SHELLS {
        let mut found = shell.candidates(line);
        found.sort();
        assert_eq!(found, expected, "{shell:?} after `{line}`");
    }
}

#[test]
fn the_scripts_that_are_checked_in_are_those_that_mlt_prints() {
    for (shell, file) in SCRIPTS {
        let kept = fs::read_to_string(scripts().join(file)).expect("the script is there");
        let printed = mlt().run(&format!("completions {shell}"));
        assert!(
            printed.ok() == kept,
            "completions/{file} is out of date; `mlt completions {shell}` prints the new one"
        );
    }
}

#[test]
fn an_unknown_shell_is_a_usage_error() {
    let outcome = mlt().run("completions tcsh");
    assert!(
        outcome
            .fails(2)
            .contains("bash, elvish, fish, powershell, zsh"),
        "{outcome}"
    );
}

#[test]
fn commands_are_offered() {
    all_find("mlt la", &["latency"]);
    all_find("mlt t", &["tag"]);
}

#[test]
fn options_are_offered() {
    all_find("mlt search --inc", &["--include-spans"]);
    all_find("mlt get --max-c", &["--max-chars"]);
}

#[test]
fn zsh_may_take_the_script_from_mlt_when_it_starts() {
    assert_eq!(
        Shell::ZshSourced.candidates("mlt search -o js"),
        ["json", "jsonl"]
    );
}

#[test]
fn fixed_values_are_offered() {
    all_find(
        "mlt search -o ",
        &["brief", "csv", "ids", "json", "jsonl", "table", "tsv"],
    );
    all_find(
        "mlt check -o ",
        &["github", "json", "jsonl", "junit", "table"],
    );
    all_find("mlt search -o js", &["json", "jsonl"]);
    all_find("mlt search --status ", &["OK", "ERROR", "IN_PROGRESS"]);
    all_find(
        "mlt latency latest --by ",
        &[
            "name",
            "type",
            "status",
            "model",
            "path",
            "span",
            "trace",
            "models",
            "time",
            "duration",
            "end_time",
            "experiment",
            "session",
            "user",
            "tokens",
            "input_tokens",
            "output_tokens",
            "cost",
            "spans",
            "trace_id",
            "client_request_id",
            "run_id",
            "model_id",
            "error",
            "failed",
            "request",
            "response",
            "prompt",
            "tags.",
            "metadata.",
            "span.error",
            "span.attributes.",
            "feedback.",
            "expectation.",
            "assessments.",
            "issue.id",
        ],
    );
    all_find("mlt latency --all --by name,se", &["name,session"]);
    all_find("mlt stats --by trace,st", &["trace,status"]);
    all_find("mlt search --span-type RET", &["RETRIEVER"]);
    all_find("mlt --color ", &["auto", "always", "never"]);
}

#[test]
fn columns_of_every_table_are_offered() {
    all_find(
        "mlt latency --columns crit",
        &["critical_ns", "critical_ratio"],
    );
    all_find("mlt diff --columns critical_a", &["critical_after_ns"]);
    all_find("mlt stats --columns p9", &["p95", "p99"]);
    all_find("mlt errors --columns fir", &["first_time"]);
    all_find("mlt errors --kinds tool,l", &["tool,length"]);
    all_find(
        "mlt get latest --columns total_",
        &["total_ratio", "total_tokens"],
    );
    all_find("mlt export --columns tags.rel", &["tags.release"]);
}

#[test]
fn columns_are_offered() {
    all_find("mlt search --columns sta", &["state"]);
    for shell in SHELLS {
        let all = shell.candidates("mlt search --columns ");
        for column in ["time", "name", "state", "duration", "tokens"] {
            assert!(
                all.iter().any(|c| c == column),
                "{shell:?}: {column} in {all:?}"
            );
        }
    }
}

#[test]
fn filter_keys_are_offered() {
    all_find("mlt search -f stat", &["status"]);
    all_find("mlt search --order-by dur", &["duration"]);
}

#[test]
fn real_keys_and_values_are_offered() {
    all_find("mlt search -f tags.en", &["tags.env"]);
    all_find("mlt search --tag en", &["env="]);
    assert_eq!(
        Shell::Zsh.candidates("mlt search --tag env="),
        ["env=prod", "env=staging"]
    );
    all_find(
        "mlt search --session ",
        &["chat-5f21", "chat-81c4", "gw-3d90"],
    );
    all_find("mlt search --order-by tags.rel", &["tags.release"]);
    all_find("mlt search --columns tags.rel", &["tags.release"]);
    assert_eq!(
        Shell::Zsh.candidates("mlt latency --all --by tag:rel"),
        ["tag:release"]
    );
    all_find("mlt search --span-name looku", &["lookup_order"]);
    all_find("mlt keys sess", &["session"]);
    for shell in SHELLS {
        for line in [
            "mlt search -f ",
            "mlt search --columns ",
            "mlt search -f tags.",
        ] {
            let all = shell.candidates(line);
            assert!(!all.is_empty(), "{shell:?} after `{line}`");
            let placeholder = all.iter().find(|c| c.contains(['<', '`']));
            assert_eq!(placeholder, None, "{shell:?} after `{line}`");
        }
    }
    for shell in [Shell::Bash, Shell::Zsh] {
        let line = shell
            .complete_on("demo:", "mlt search -f \"tags.env = 'st")
            .line;
        assert_eq!(
            line.trim_end_matches([' ', '"']),
            "mlt search -f \"tags.env = 'staging'",
            "{shell:?}"
        );
    }
}

#[test]
fn commands_are_listed_by_their_names() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::ZshSourced, Shell::Fish] {
        let all = shell.candidates("mlt ");
        for command in ["search", "get", "tag", "latency", "keys"] {
            let times = all.iter().filter(|name| *name == command).count();
            assert_eq!(times, 1, "{shell:?}: {command} in {all:?}");
        }
        for alias in ["ls", "show"] {
            assert!(!all.iter().any(|name| name == alias), "{shell:?}: {all:?}");
        }
    }
    // They are known all the same.
    all_find("mlt ls --inc", &["--include-spans"]);
}

#[test]
fn filter_keys_are_offered_after_other_conditions() {
    for (shell, line) in [
        (Shell::Bash, "mlt search -f \"status = 'OK' AND nam"),
        (Shell::Zsh, "mlt search -f \"status = 'OK' AND nam"),
    ] {
        let after = shell.complete_on("demo:", line).line;
        let expected = format!("{line}e\"");
        assert_eq!(after.trim_end(), expected, "{shell:?}");
    }
}

#[test]
fn trace_ids_are_offered_from_the_store_on_the_line() {
    let all = mlt().run("-u demo: search --all -o ids");
    let wanted: Vec<&str> = all
        .lines()
        .into_iter()
        .filter(|id| id.starts_with("tr-a"))
        .collect();
    assert!(wanted.len() > 1, "{all}");
    for shell in SHELLS {
        for line in ["mlt -u demo: get tr-a", "mlt get --tracking-uri=demo: tr-a"] {
            let mut found = shell.complete_on("http://127.0.0.1:1", line).candidates;
            found.sort();
            let mut wanted = wanted.clone();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{shell:?} after `{line}`");
        }
    }
    all_find("mlt latency lat", &["latest"]);
}

#[test]
fn experiments_are_offered_from_the_store_of_the_environment() {
    all_find("mlt search -x sh", &["shop-assistant"]);
    all_find("mlt search -x ", &["nightly-evals", "shop-assistant"]);
}

#[test]
fn names_are_offered_from_a_server_whose_uri_is_on_the_line() {
    let fake = Fake::start().on(
        "POST",
        EXPERIMENTS,
        experiments(&[("1", "shop"), ("2", "other")]),
    );
    for shell in SHELLS {
        let line = format!("mlt -u {} search -x s", fake.uri());
        assert_eq!(
            shell.complete_on("demo:", &line).candidates,
            ["shop"],
            "{shell:?}"
        );
    }
}

#[test]
fn values_behind_an_equals_sign_are_completed() {
    for shell in [Shell::Bash, Shell::Zsh] {
        let line = shell.complete_on("demo:", "mlt search --output=ta").line;
        assert_eq!(line.trim_end(), "mlt search --output=table", "{shell:?}");
        let line = shell
            .complete_on("demo:", "mlt search --experiment=sh")
            .line;
        assert_eq!(
            line.trim_end(),
            "mlt search --experiment=shop-assistant",
            "{shell:?}"
        );
    }
    assert_eq!(
        Shell::Fish.candidates("mlt search --output=ta"),
        ["--output=table"]
    );
}

#[test]
fn the_only_candidate_is_typed_in_whole() {
    for shell in [Shell::Bash, Shell::Zsh] {
        let completed = shell.complete_on("demo:", "mlt -u demo: search -x nig");
        assert_eq!(
            completed.line, "mlt -u demo: search -x nightly-evals ",
            "{shell:?}"
        );
        let completed = shell.complete_on("demo:", "mlt search --columns name,sta");
        assert_eq!(
            completed.line.trim_end(),
            "mlt search --columns name,state",
            "{shell:?}"
        );
    }
}

#[test]
fn names_with_spaces_are_quoted() {
    let fake = Fake::start().on("POST", EXPERIMENTS, experiments(&[("1", "my shop: new")]));
    for shell in [Shell::Bash, Shell::Zsh] {
        let line = shell.complete_on(&fake.uri(), "mlt search -x my").line;
        assert!(
            line.trim_end() == r"mlt search -x my\ shop:\ new"
                || line.trim_end() == r"mlt search -x my\ shop\:\ new",
            "{shell:?}: {line}"
        );
    }
}

#[test]
fn names_that_would_draw_on_the_terminal_are_left_out() {
    let fake = Fake::start().on(
        "POST",
        EXPERIMENTS,
        experiments(&[("1", "shop"), ("2", "s\u{1b}]0;x\u{7}")]),
    );
    for shell in SHELLS {
        let found = shell.complete_on(&fake.uri(), "mlt search -x s").candidates;
        assert_eq!(found, ["shop"], "{shell:?}");
    }
}

#[test]
fn a_server_that_is_not_there_or_misbehaves_offers_nothing_and_says_nothing() {
    let silent = Fake::start().on(ANY, ANY, Reply::silence());
    let html = Fake::start().on(ANY, ANY, Reply::html(200));
    for uri in [
        "http://127.0.0.1:1",
        &silent.uri(),
        &html.uri(),
        "no-such.jsonl",
        "nonsense:",
    ] {
        for shell in SHELLS {
            let completed = shell.complete_on(uri, "mlt search -x s");
            assert_eq!(
                completed.candidates,
                Vec::<String>::new(),
                "{shell:?} on {uri}"
            );
        }
        let outcome = mlt()
            .on(uri)
            .env("MLT_COMPLETE", "3")
            .args(["--", "mlt", "search", "-x", "s"])
            .run("");
        assert_eq!(outcome.ok(), "", "{uri}");
    }
}

#[test]
fn the_help_has_the_line_for_each_shell() {
    let help = mlt().run("completions --help").ok().to_owned();
    let line = |name: &str| {
        let mut lines = help.lines().map(str::trim);
        let line = lines.find_map(|line| line.strip_prefix(name));
        let line = line.unwrap_or_else(|| panic!("{name}: {help}"));
        line.split("   ")
            .find(|part| !part.is_empty())
            .unwrap()
            .trim()
            .to_owned()
    };
    for (name, script) in [("PowerShell", "powershell"), ("elvish", "elvish")] {
        assert!(
            line(name).contains(&format!("mlt completions {script} |")),
            "{help}"
        );
    }
    let compinit = "autoload -Uz compinit; compinit -u -D;";
    for (name, before, after) in [
        ("bash", "", "complete -p mlt"),
        ("zsh", compinit, "print ${_comps[mlt]}"),
        ("fish", "", "complete -c mlt"),
    ] {
        let bin = Path::new(env!("CARGO_BIN_EXE_mlt")).parent().unwrap();
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let command = format!("{before} {}; {after}", line(name));
        let home = TempDir::new().unwrap();
        let output = Command::new(name)
            .args(["-c", &command])
            .env("PATH", path)
            .env("HOME", home.path())
            .timeout(PATIENCE)
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && told.contains("mlt"),
            "{command}: {output:?}"
        );
    }
}
