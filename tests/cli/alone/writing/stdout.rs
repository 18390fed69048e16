//! Standard output that is full, read in part, or paged by something that breaks; and
//! paths that are `-` or no text.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::process::Command;

use super::Folder;
use crate::support::mlt;

const PRINTING: [&str; 34] = [
    "--version",
    "--help",
    "-h",
    "search --help",
    "help filter",
    "help search",
    "man",
    "completions bash",
    "completions fish",
    "search -n 3",
    "search -n 3 -o json",
    "search -n 3 -o csv",
    "get latest",
    "stats",
    "errors",
    "sessions",
    "latency latest",
    "keys tags",
    "experiments",
    "check --all --require 'count() >= 1'",
    "tag latest a=b --dry-run",
    "assess latest a=1 --dry-run",
    "close latest --dry-run",
    "delete latest --dry-run",
    "prune --older-than 0s --keep errors --dry-run",
    "instrument",
    "import demo: --dry-run",
    "report latest",
    "skill",
    "get latest -o brief",
    "session --latest -o brief",
    "latency latest -o brief",
    "search -n 3 -o brief",
    "errors -o brief",
];

const FORMATS: [&str; 10] = [
    "otlp",
    "otlp-proto",
    "chrome",
    "speedscope",
    "folded",
    "json",
    "jsonl",
    "csv",
    "tsv",
    "parquet",
];

#[cfg(target_os = "linux")]
#[test]
fn output_that_is_lost_is_said_and_output_that_nobody_wants_is_not() {
    let folder = Folder::new();
    let is_built = |format: &&str| cfg!(feature = "parquet") || *format != "parquet";
    let formats = FORMATS.into_iter().filter(is_built);
    let exports = formats.map(|format| format!("export -n 2 -o {format}"));
    let printing = PRINTING.iter().map(ToString::to_string).chain(exports);
    for words in printing {
        let full = folder.shell(&format!("$MLT {words} > /dev/full"));
        assert_eq!(full.code, Some(6), "{words}: {full}");
        let errors = full
            .stderr
            .lines()
            .filter(|line| line.starts_with("error: "));
        assert_eq!(
            errors.collect::<Vec<_>>(),
            ["error: cannot write to standard output: the disk is full"],
            "{words}: {full}"
        );
        // As a shell opens it, and as Python does.
        for unwanted in ["> /dev/null", "1<> /dev/null"] {
            let quiet = folder.shell(&format!("$MLT -q {words} {unwanted}"));
            assert_eq!(quiet.code, Some(0), "{words}: {quiet}");
        }
        let read = folder.shell(&format!("{{ $MLT -q {words}; echo $? > code; }} | true"));
        assert_eq!(read.stderr, "", "{words}");
        assert_eq!(folder.text("code"), "0\n", "{words}");
    }
}

#[test]
fn a_check_whose_output_nobody_reads_still_fails_and_writes_its_files() {
    let folder = Folder::new();
    let check =
        "$MLT check --all --require 'count() < 1' --save base.json -o junit.xml --summary s.md";
    let outcome = folder.shell(&format!("{{ {check}; echo $? > code; }} | true"));
    assert_eq!(folder.text("code"), "1\n", "{outcome}");
    for name in ["base.json", "junit.xml", "s.md"] {
        assert!(!folder.text(name).is_empty(), "{name}");
    }
    let outcome = folder.shell(&format!("{check} > /dev/full"));
    assert_eq!(outcome.code, Some(6), "{outcome}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_pager_that_breaks_is_told_of_and_one_that_is_closed_is_not() {
    let folder = Folder::new();
    let on_terminal = |pager: &str| {
        let command =
            format!("NO_COLOR=1 MLT_PAGER='{pager}' $MLT search --all; echo ended with $?");
        folder.shell(&format!(
            "script -qec \"{}\" /dev/null",
            command.replace('$', "\\$")
        ))
    };
    let ended = |pager: &str| {
        let outcome = on_terminal(pager);
        let said = outcome.stdout.replace('\r', "");
        let errors = said.lines().filter(|line| {
            line.starts_with("error: ")
                || line.starts_with("warning: ")
                || line.starts_with("ended")
        });
        errors.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(ended("false"), @"
    error: the pager `false` failed with exit code 1, and may not have shown all; --no-pager goes without
    ended with 6
    ");
    insta::assert_snapshot!(ended("cat >&2; exit 3"), @"
    error: the pager `cat >&2; exit 3` failed with exit code 3, and may not have shown all; --no-pager goes without
    ended with 6
    ");
    insta::assert_snapshot!(ended("head -1"), @"ended with 0");
    insta::assert_snapshot!(ended("no-such-pager"), @"
    warning: the pager `no-such-pager` cannot be started
    ended with 0
    ");
    let shown = on_terminal("no-such-pager").stdout;
    assert!(shown.contains("tr-3934"), "{shown}");
}

#[test]
fn a_dash_is_a_standard_stream() {
    let folder = Folder::new();
    let rules = "count() >= 1 # some\nerror_rate() <= 100%\n";
    folder.put("rules", rules);
    let piped = folder.demo().stdin(rules).run("check --all --rules -");
    assert_eq!(piped.ok(), folder.run("check --all --rules rules").ok());
    let wrong = folder
        .demo()
        .stdin("\ncount( >= 1")
        .run("check --all --rules -");
    let said = wrong.fails(2);
    assert!(said.starts_with("error: standard input:2: "), "{said}");
    for words in [
        "check --rules - --rules -",
        "check --rules - -",
        "-u - check --all --rules -",
    ] {
        let twice = folder.demo().stdin(rules).run(words);
        insta::allow_duplicates! {
            insta::assert_snapshot!(twice.fails(2), @"error: standard input cannot hold both the rules and something else");
        }
    }
    let check = "check --all --require count()>=1";
    let summed = folder.run(&format!("{check} --summary -"));
    folder.done(&format!("{check} --summary file"));
    let both = format!("{}{}", folder.run(check).ok(), folder.text("file"));
    assert_eq!(summed.ok(), both);
    assert_eq!(
        folder.run("report latest -o -").ok(),
        folder.run("report latest").ok()
    );
    assert_eq!(
        folder.run("export latest -o json --to -").ok(),
        folder.run("export latest -o json").ok()
    );
    assert_eq!(folder.names(), ["file", "rules"]);
}

#[cfg(target_os = "linux")]
#[test]
fn paths_need_not_be_text() {
    let folder = Folder::new();
    let name = |ending: &str| {
        let mut name = OsString::from_vec(b"\xff\x1b[1m".to_vec());
        name.push(ending);
        name
    };
    let run = |words: &[&OsStr]| {
        let outcome = folder.demo().args(words).run("");
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert!(!outcome.stderr.contains('\u{1b}'), "{outcome}");
        outcome
    };
    let with = |line: &str, name: &OsStr| {
        let words = line.split(' ').map(OsStr::new);
        run(&words.chain([name]).collect::<Vec<_>>())
    };
    let export = with("export --all -o jsonl --to", &name(".jsonl"));
    assert!(
        export.stderr.contains("to \u{fffd}\\x1b[1m.jsonl"),
        "{export}"
    );
    with("report --all -o", &name(".html"));
    with("check --all --require count()>=1 --save", &name(".base"));
    with("check --all --require count()>=1 -o", &name(".xml"));
    with("check --all --require count()>=1 --summary", &name(".md"));
    with(
        "check --all --require count() --max-regression 1% --baseline",
        &name(".base"),
    );
    fs::write(folder.at("").join(name(".rules")), "count() >= 1").unwrap();
    with("check --all --rules", &name(".rules"));
    with("man --dir", &name(".d"));
    fs::create_dir(folder.at("").join(name(".traces"))).unwrap();
    with("export -n 2 -o json --to", &name(".traces"));
    let wanted = folder.done("search --all -o ids").stdout;
    let found = with("search --all -o ids -u", &name(".jsonl")).stdout;
    assert_eq!(found, wanted);
    let by_variable = Command::new(assert_cmd::cargo::cargo_bin("mlt"))
        .args(["search", "--all", "-o", "ids"])
        .current_dir(folder.path())
        .env_clear()
        .env("MLFLOW_TRACKING_URI", name(".jsonl"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(by_variable.stdout).unwrap(), wanted);
    let gone = mlt()
        .within(folder.path())
        .args([
            OsStr::new("search"),
            OsStr::new("-u"),
            OsStr::from_bytes(b"\xff\x1b.jsonl"),
        ])
        .run("");
    insta::assert_snapshot!(gone.fails(6), @r#"error: cannot read �\x1b.jsonl: no such file or directory"#);
}
