//! Names from traces that a shell completes: whatever they hold, what is run
//! afterwards is mlt alone, and it gets the name as it is. The shells run on a
//! terminal, and a stand-in for mlt keeps what it was called with.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use assert_cmd::Command;
use serde_json::json;
use tempfile::TempDir;

use crate::support::mlt;

/// Answers the scripts as mlt does, and keeps a line for each other call.
const STAND_IN: &str = r#"#!/bin/sh
[ -z "$MLT_COMPLETE" ] || exec "$MLT" "$@"
{ printf '%s\0' "$@"; printf '\n'; } >>"$KEPT/calls"
"#;

/// Types one line after the other, each when mlt was called by the one before.
const TYPIST: &str = r#"
zmodload zsh/zpty zsh/zselect || exit 9
case $SHELL_NAME in
bash) zpty -b inner bash --norc --noprofile -i; load='set -H; source $SCRIPTS/mlt.bash' ;;
zsh) zpty -b inner zsh -f -i; load='fpath=($SCRIPTS $fpath); autoload -Uz compinit && compinit -u -D' ;;
fish) zpty -b inner fish --no-config -i; load='source $SCRIPTS/mlt.fish' ;;
esac
wait_for() {
    local -i tries
    for ((tries = 0; tries < 6000; tries++)); do
        while zpty -rt inner output; do done
        [[ -e $KEPT/calls ]] && (( $(wc -l <$KEPT/calls) >= $1 )) && return
        zselect -t 1
    done
    print -r -- "nothing ran after: $line"
    exit 8
}
line=$load
zpty -w inner "$load; mlt ready"
wait_for 1
integer calls=1
while IFS= read -r line; do
    zpty -w -n inner "$line"$'\t\r'
    wait_for $((++calls))
done <$KEPT/lines
"#;

/// Runs the lines with the tab key behind each, and gives the words that mlt got.
fn run(shell: &str, folder: &Path, lines: &[String]) -> Vec<Vec<String>> {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("mlt"), STAND_IN).unwrap();
    fs::set_permissions(bin.join("mlt"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.join("lines"), lines.join("\n") + "\n").unwrap();
    let calls = folder.join("calls");
    let _ = fs::remove_file(&calls);
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    let output = Command::new("zsh")
        .args(["-f", "-c", TYPIST])
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder)
        .env("TERM", "dumb")
        .env("LC_ALL", "C.UTF-8")
        .env("SHELL_NAME", shell)
        .env("SCRIPTS", scripts)
        .env("KEPT", folder)
        .env("MLT", env!("CARGO_BIN_EXE_mlt"))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{shell}: {output:?}");
    let calls = fs::read_to_string(calls).unwrap();
    let words = |line: &str| line.split_terminator('\0').map(str::to_owned).collect();
    calls.lines().skip(1).map(words).collect()
}

/// A file with a trace of that name.
fn store(folder: &Path, file: &str, name: &str) {
    let trace = json!({"info": {"trace_id": "tr-1", "tags": {"mlflow.traceName": name}}});
    fs::write(folder.join(file), trace.to_string()).unwrap();
}

/// A folder with files that wildcards in names would stand for.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    for file in ["zq1", "zq2"] {
        fs::write(folder.path().join(file), "").unwrap();
    }
    folder
}

const HOSTILE: [&str; 18] = [
    "$(touch RAN)",
    "`touch RAN`",
    "a\"b'c",
    "q\"",
    "q'",
    "\"",
    "'",
    "!!",
    "wow!x!",
    "zq*",
    "*",
    " a  b ",
    "~root",
    r"a\b\",
    "$HOME",
    "x;touch RAN",
    "x{a,b}&",
    "a:b=c#",
];

#[test]
fn a_name_is_inserted_as_text_in_whatever_quotes() {
    for shell in ["bash", "zsh", "fish"] {
        let kept = folder();
        let (mut lines, mut expected) = (Vec::new(), Vec::new());
        for (number, name) in HOSTILE.into_iter().enumerate() {
            let file = format!("{number}.json");
            store(kept.path(), &file, name);
            for quote in ["", "'", "\""] {
                // There it would stand for a folder, and fish offers nothing.
                if shell == "fish" && quote.is_empty() && name.starts_with('~') {
                    continue;
                }
                lines.push(format!("mlt -u {file} search --name {quote}"));
                expected.push(
                    ["-u", &file, "search", "--name", name]
                        .map(str::to_owned)
                        .to_vec(),
                );
            }
        }
        assert_eq!(run(shell, kept.path(), &lines), expected, "{shell}");
        assert!(!kept.path().join("RAN").exists(), "{shell}");
    }
}

#[test]
fn a_name_is_completed_behind_what_was_typed_of_it() {
    let name = "zq$(touch RAN) \"it's\" `x`";
    for shell in ["bash", "zsh", "fish"] {
        let kept = folder();
        store(kept.path(), "a.json", name);
        let lines: Vec<String> = ["'zq$(tou", r#""zq\$(tou"#, r"zq\$\(tou", r#"zq"\$"'(tou"#]
            .into_iter()
            .flat_map(|typed| ["--name ", "--name="].map(|option| format!("{option}{typed}")))
            .map(|typed| format!("mlt -u a.json search {typed}"))
            .collect();
        for (line, words) in lines.iter().zip(run(shell, kept.path(), &lines)) {
            let passed = words[3..].join("=");
            assert_eq!(passed, format!("--name={name}"), "{shell} after {line}");
        }
        assert!(!kept.path().join("RAN").exists(), "{shell}");
    }
}

#[test]
fn values_in_a_filter_are_inserted_as_text_too() {
    for shell in ["bash", "zsh", "fish"] {
        let kept = folder();
        let tags = json!({"ab": "$(touch RAN)", "a!c": "\"x\""});
        let trace = json!({"info": {"trace_id": "tr-1", "tags": tags}});
        fs::write(kept.path().join("a.json"), trace.to_string()).unwrap();
        let lines = [
            "mlt -u a.json search -f \"tags.ab = '",
            "mlt -u a.json search --tag ab=",
            "mlt -u a.json search --tag 'a!c=",
        ];
        let expected = [
            ["-f", "tags.ab = '$(touch RAN)'"],
            ["--tag", "ab=$(touch RAN)"],
            ["--tag", "a!c=\"x\""],
        ]
        .map(|words| [&["-u", "a.json", "search"], &words[..]].concat());
        assert_eq!(
            run(shell, kept.path(), &lines.map(str::to_owned)),
            expected,
            "{shell}"
        );
        assert!(!kept.path().join("RAN").exists(), "{shell}");
    }
}

#[test]
fn names_that_are_options_or_more_than_a_line_are_not_offered() {
    let kept = folder();
    for (file, name) in [("1", "-uhttp://x"), ("2", "a\nb"), ("3", "a\u{1b}[31m")] {
        store(kept.path(), file, name);
        let outcome = mlt()
            .within(kept.path())
            .env("MLT_COMPLETE", "5")
            .args(["--", "mlt", "-u", file, "search", "--name", ""])
            .run("");
        assert_eq!(outcome.ok(), "", "{name:?}");
    }
}

/// There is no PowerShell to try: what its script may not do is looked for.
#[test]
fn the_script_for_powershell_evaluates_nothing() {
    let script = mlt().run("completions powershell").ok().to_owned();
    let script = script.to_lowercase();
    for word in [
        "invoke-expression",
        "iex",
        "scriptblock]::create",
        "expandstring",
    ] {
        assert!(!script.contains(word), "{word}: {script}");
    }
    assert!(
        script.contains("escapesinglequotedstringcontent"),
        "{script}"
    );
}

#[test]
fn a_variable_alone_makes_no_command_a_question() {
    let plain = mlt().run("-u demo: search -n 2 -o ids").ok().to_owned();
    for (name, value) in [
        ("COMPLETE", "bash"),
        ("MLT_COMPLETE", "1"),
        ("_CLAP_COMPLETE_INDEX", "1"),
    ] {
        let outcome = mlt().env(name, value).run("-u demo: search -n 2 -o ids");
        assert_eq!(outcome.ok(), plain, "{name}");
        let outcome = mlt().env(name, value).run("--version");
        assert!(outcome.ok().starts_with("mlt "), "{name}");
    }
}

#[test]
fn what_was_typed_is_escaped_in_errors() {
    for words in [
        &["search", "\u{1b}]0;x\u{7}"][..],
        &["\u{1b}[2J\u{202e}"],
        &["search", "--\u{1b}[31m=x"],
        &["search", "-n", "\u{1b}[31m"],
        &["search", "-o", "\u{1b}[31m\nerror: forged"],
        &["search", "--columns", "\u{1b}[31m"],
        &["stats", "--by", "\u{1b}[31m"],
        &["search", "--since", "\u{1b}[31m"],
        &["completions", "\u{1b}[31m"],
        &["help", "\u{1b}[31m"],
        &["search", "-f", "\u{1b}[31m"],
        &["-u", "\u{1b}[31m", "search"],
    ] {
        let outcome = mlt().args(words).run("");
        let told = &outcome.stderr;
        assert!(!told.is_empty(), "{words:?}");
        let unsafe_char = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!told.contains(unsafe_char), "{words:?}: {told:?}");
        assert!(!told.contains("\nerror: forged"), "{words:?}: {told:?}");
    }
}
