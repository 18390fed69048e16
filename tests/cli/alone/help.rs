//! What mlt says about itself: help, version, man pages, and what to type
//! instead of what is wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use insta::assert_snapshot;

use crate::support::mlt;

pub(crate) const COMMANDS: &[&str] = &[
    "search",
    "get",
    "session",
    "sessions",
    "tag",
    "assess",
    "close",
    "delete",
    "prune",
    "latency",
    "diff",
    "check",
    "report",
    "export",
    "import",
    "stats",
    "errors",
    "keys",
    "experiments",
    "run",
    "event",
    "instrument",
    "completions",
    "man",
    "skill",
];

#[test]
fn every_option_of_every_command_is_in_the_help() {
    let mut all = String::new();
    for command in std::iter::once("").chain(COMMANDS.iter().copied()) {
        let words = format!("{command} --help");
        let outcome = mlt().run(&words);
        all.extend(["$ mlt ", words.trim(), "\n", outcome.ok(), "\n"]);
    }
    assert_snapshot!("help", all);
}

#[test]
fn help_lists_every_command() {
    let outcome = mlt().run("--help");
    let listed: Vec<&str> = outcome
        .ok()
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert_eq!(listed, COMMANDS);
}

#[test]
fn short_help_fits_on_a_screen() {
    let outcome = mlt().run("-h");
    assert!(outcome.ok().lines().count() <= 40, "{outcome}");
    assert!(
        outcome.ok().lines().all(|line| line.chars().count() <= 100),
        "{outcome}"
    );
}

#[test]
fn help_has_no_colour_where_nobody_looks() {
    assert!(!mlt().run("--help").ok().contains('\u{1b}'));
}

#[test]
fn the_version_is_the_packages() {
    let expected = format!("mlt {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(mlt().run("--version").ok(), expected);
    assert_eq!(mlt().run("-V").ok(), expected);
}

#[test]
fn nothing_at_all_is_a_usage_error() {
    let outcome = mlt().run("");
    let stderr = outcome.fails(2);
    assert!(
        stderr.contains("Usage: mlt [OPTIONS] <COMMAND>"),
        "{outcome}"
    );
    assert!(
        stderr.contains("search") && stderr.contains("latency"),
        "{outcome}"
    );
}

#[test]
fn an_unknown_command_is_a_usage_error_with_a_suggestion() {
    assert_snapshot!(mlt().run("serach"), @"
    --- stderr
    error: unrecognized subcommand 'serach'

      tip: a similar subcommand exists: 'search'

    Usage: mlt [OPTIONS] <COMMAND>

    For more information, try '--help'.
    --- exit 2
    ");
    assert_snapshot!(mlt().run("frobnicate"), @"
    --- stderr
    error: unrecognized subcommand 'frobnicate'

    Usage: mlt [OPTIONS] <COMMAND>

    For more information, try '--help'.
    --- exit 2
    ");
}

#[test]
fn an_unknown_option_is_a_usage_error_with_a_suggestion() {
    assert_snapshot!(mlt().run("search --statsu OK"), @"
    --- stderr
    error: unexpected argument '--statsu' found

      tip: a similar argument exists: '--status'

    Usage: mlt search --status <STATE> [TEXT]

    For more information, try '--help'.
    --- exit 2
    ");
}

#[test]
fn an_unknown_value_is_a_usage_error_with_a_suggestion() {
    assert_snapshot!(mlt().run("search -o jsn"), @"
    --- stderr
    error: invalid value 'jsn' for '--output <FORMAT>'
      [possible values: table, json, jsonl, csv, tsv, ids, brief]

      tip: a similar value exists: 'json'

    For more information, try '--help'.
    --- exit 2
    ");
    assert_snapshot!(mlt().run("search --status FAILED"), @"
    --- stderr
    error: invalid value 'FAILED' for '--status <STATE>'
      [possible values: OK, ERROR, IN_PROGRESS]

    For more information, try '--help'.
    --- exit 2
    ");
    assert_snapshot!(mlt().run("search --timeout 5"), @"
    --- stderr
    error: invalid value '5' for '--timeout <TIME>': the unit is missing: a duration is written 2s, 500ms, 1.5h or 1h30m; the units are ns, us, ms, s, m, h, d, w

    For more information, try '--help'.
    --- exit 2
    ");
}

#[test]
fn an_option_that_another_command_has_is_answered_by_what_this_one_takes() {
    let tips = |words: &str| {
        let stderr = mlt().run(words).fails(2).to_owned();
        let tips = stderr.lines().filter(|line| line.starts_with("  tip: "));
        tips.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_snapshot!(mlt().run("get --all").fails(2), @"
    error: unexpected argument '--all' found

      tip: ids may be piped in: mlt search --all -o ids | mlt get -

    Usage: mlt get [OPTIONS] <TRACE>...
           mlt get [OPTIONS] --status ERROR [-n N]

    For more information, try '--help'.
    ");
    assert_eq!(
        tips("get latest --scan-limit 5"),
        ["  tip: ids may be piped in: mlt search --scan-limit … -o ids | mlt get -"]
    );
    assert_eq!(
        tips("tag --all a=b"),
        ["  tip: ids may be piped in: mlt search --all -o ids | mlt tag - KEY=VALUE"]
    );
    assert_eq!(
        tips("diff --all --name x"),
        [
            "  tip: two sets are chosen by --base-filter FILTER and -f FILTER: all that match, or the newest -n N"
        ]
    );
    assert!(tips("get latest --frobnicate").is_empty());
    assert!(tips("search --frobnicate").is_empty());
}

#[test]
fn the_place_of_traces_is_told_in_whole_sentences() {
    let short = mlt().run("search -h");
    let lines: Vec<&str> = short.ok().lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains("--tracking-uri"))
        .unwrap();
    let told = lines[at..].join(" ");
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("or - for standard input -x, --experiment"),
        "{told}"
    );
    let long = mlt().run("--help");
    let head = long.ok().lines().take(6).collect::<Vec<_>>().join(" ");
    assert!(head.contains("SQLite") && head.contains("mlruns"), "{head}");
}

#[test]
fn options_that_exclude_each_other_are_a_usage_error() {
    assert_snapshot!(mlt().run("search --all -n 5"), @"
    --- stderr
    error: the argument '--all' cannot be used with '--limit <N>'

    Usage: mlt search --all [TEXT]

    For more information, try '--help'.
    --- exit 2
    ");
}

#[test]
fn a_place_for_traces_must_be_named() {
    assert_snapshot!(mlt().run("search"), @"
    --- stderr
    error: no tracking URI is set, and there is neither ./mlruns nor ./mlflow.db here
    hint: name a server, database or file with MLFLOW_TRACKING_URI or `-u http://host:5000`
    hint: or start a server with `mlflow server`
    hint: or look at built-in traces with `-u demo:`
    --- exit 2
    ");
    assert_snapshot!(mlt().on("mssql://ann:pw@h/db").run("search"), @"
    --- stderr
    error: cannot read the database `mssql://h/db` directly: of databases, mlt only reads SQLite, PostgreSQL and MySQL
    hint: start `mlflow server --backend-store-uri URI`, and use that server's URL
    --- exit 2
    ");
    assert_snapshot!(mlt().on("http://").run("search"), @"
    --- stderr
    error: cannot use the tracking URI `http://`: empty host
    --- exit 2
    ");
}

#[test]
fn the_place_for_traces_is_named_without_its_password() {
    for uri in [
        "mssql://ann:hunter2@h/db",
        "mysql://ann:hunter2@h/db?ssl_mode=none",
        "postgresql://ann:hunter2@h/db?sslmode=none",
        "http://ann:hunter2@h:port/",
        "ann:hunter2@h",
    ] {
        let outcome = mlt().on(uri).run("search");
        assert_eq!(outcome.code, Some(2), "{outcome}");
        assert!(!outcome.stderr.contains("hunter2"), "{outcome}");
    }
}

#[test]
fn the_man_page_is_one() {
    let outcome = mlt().run("man");
    let page = outcome.ok();
    assert!(page.contains(".TH mlt 1"), "{outcome}");
    for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SUBCOMMANDS"] {
        assert!(
            page.contains(&format!(".SH {section}")),
            "{section}: {outcome}"
        );
    }
}

#[test]
fn there_is_a_man_page_for_every_command() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("man/man1");
    mlt().args(["man", "--dir"]).args([&target]).run("").ok();
    let mut names: Vec<String> = fs::read_dir(&target)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected: Vec<String> = COMMANDS.iter().map(|c| format!("mlt-{c}.1")).collect();
    expected.push("mlt.1".to_owned());
    expected.sort();
    assert_eq!(names, expected);
    for name in names {
        let path = target.join(&name);
        let title = format!(".TH {} 1", name.trim_end_matches(".1"));
        assert!(
            fs::read_to_string(&path).unwrap().contains(&title),
            "{title}"
        );
        assert_no_complaints(&path);
    }
}

/// The formatter of man pages has nothing to say about a page. Where there is
/// none, only the page's head is checked.
#[track_caller]
fn assert_no_complaints(page: &Path) {
    let formatted = Command::new("groff")
        .args(["-K", "utf8", "-man", "-Tutf8", "-z", "-ww"])
        .arg(page)
        .output();
    if let Ok(output) = formatted {
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && complaints.is_empty(),
            "{complaints}"
        );
    }
}

#[test]
fn man_pages_that_cannot_be_written_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let outcome = mlt().args(["man", "--dir"]).args([&file]).run("");
    let stderr = outcome.fails(6);
    assert!(
        stderr.starts_with(&format!("error: cannot write {}", file.display())),
        "{outcome}"
    );
}
