//! What all commands do in the same way, on the demo store.

use crate::support::{Outcome, mlt};

fn demo(words: &str) -> Outcome {
    mlt().on("demo:").run(words)
}

#[test]
fn a_filter_that_finds_nothing_is_told_in_the_same_words() {
    let folder = tempfile::tempdir().unwrap();
    let run = |words: &str| mlt().on("demo:").within(folder.path()).run(words);
    for words in [
        "search",
        "search -o json",
        "stats",
        "stats --all",
        "errors",
        "errors -o json",
        "latency",
        "latency -o json",
        "export -o jsonl",
        "export -o jsonl --to traces.jsonl",
        "export -o json --to traces/",
        "tag a=b --dry-run",
    ] {
        let outcome = run(&format!("{words} --name nobody"));
        assert_eq!(outcome.code, Some(0), "{words}: {outcome}");
        let notes = outcome.stderr.matches("note: no traces match\n").count();
        assert_eq!(notes, 1, "{words}: {outcome}");
    }
    for (words, code, said) in [
        ("report --name nobody", 3, "error: no traces match\n"),
        (
            "diff --base-filter name='nobody' -f name='checkout'",
            3,
            "error: no traces match for the base\n",
        ),
        (
            "check --name nobody --require count()>=0",
            1,
            "error: no traces match\n",
        ),
    ] {
        let outcome = run(words);
        assert_eq!(outcome.code, Some(code), "{words}: {outcome}");
        assert!(outcome.stderr.contains(said), "{words}: {outcome}");
    }
    let unknown = "tr-00000000000000000000000000000000";
    for words in [
        "get",
        "latency",
        "latency --per trace",
        "errors",
        "report",
        "export -o json",
        "tag a=b --dry-run",
        "check --require count()>=0",
        "diff latest",
    ] {
        let outcome = run(&format!("{words} {unknown}"));
        assert_eq!(outcome.code, Some(3), "{words}: {outcome}");
        let said = format!("error: no trace `{unknown}` in the demo store\n");
        assert!(outcome.stderr.contains(&said), "{words}: {outcome}");
    }
}

#[test]
fn options_that_say_what_happens_anyway_are_taken_and_those_that_cannot_are_not() {
    assert_eq!(demo("stats --all").ok(), demo("stats").ok());
    for (words, said) in [
        (
            "stats --all -n 5",
            "'--all' cannot be used with '--limit <N>'",
        ),
        (
            "search -n 5 --count",
            "'--limit <N>' cannot be used with '--count'",
        ),
        (
            "stats latest",
            "error: `mlt stats` takes aggregates and a filter, and `latest` names a trace\n\
             hint: `mlt latency latest` tells where its time went, `mlt get latest` shows it\n",
        ),
        ("stats tr-3934", "`tr-3934` names a trace"),
        ("stats http://h/#/experiments/1", "names a trace"),
    ] {
        let outcome = demo(words);
        assert!(outcome.fails(2).contains(said), "{words}: {outcome}");
    }
    assert_eq!(demo("search --count --all").ok(), "38\n");
}

#[test]
fn help_lists_the_formats_that_a_command_takes() {
    let listed = |command: &str| -> Vec<String> {
        let help = mlt().run(&format!("{command} --help"));
        let text = help.ok().split_whitespace().collect::<Vec<_>>().join(" ");
        let from = text.find("-o, --output").unwrap_or(text.len());
        let Some((_, values)) = text[from..].split_once("[possible values: ") else {
            return Vec::new();
        };
        let (values, _) = values.split_once(']').unwrap();
        values.split(", ").map(str::to_owned).collect()
    };
    let tabular = ["table", "json", "jsonl", "csv", "tsv"];
    let with_ids: Vec<&str> = tabular.into_iter().chain(["ids", "brief"]).collect();
    for command in ["tag", "diff", "stats"] {
        assert_eq!(listed(command), tabular, "{command}");
    }
    let with_markdown: Vec<&str> = tabular.into_iter().chain(["markdown", "brief"]).collect();
    assert_eq!(listed("get"), with_markdown);
    assert_eq!(
        listed("session"),
        ["table", "json", "jsonl", "markdown", "brief"]
    );
    let with_brief: Vec<&str> = tabular.into_iter().chain(["brief"]).collect();
    assert_eq!(listed("errors"), with_brief);
    for command in ["search", "latency"] {
        assert_eq!(listed(command), with_ids, "{command}");
    }
    assert_eq!(
        listed("check"),
        ["table", "json", "jsonl", "junit", "github"]
    );
    assert_eq!(listed("export").len(), 10);
    for command in ["report", "man", "completions"] {
        assert!(listed(command).is_empty(), "{command}");
    }
    // A format is taken before the command, too, and one that it lacks is refused.
    assert_eq!(
        demo("-o json search -n 1").json(),
        demo("search -n 1 -o json").json()
    );
    let refused = demo("get latest -o junit");
    insta::assert_snapshot!(refused.fails(2), @"
    error: `mlt get` has no `-o junit`
    hint: it has `table`, `json`, `jsonl`, `csv`, `tsv`
    ");
    let mistyped = demo("check --all -o jnit");
    insta::assert_snapshot!(mistyped.fails(2), @"
    error: invalid value 'jnit' for '--output <FORMAT|FILE>'
      [possible values: table, json, jsonl, junit, github]

      tip: a similar value exists: 'junit'
      tip: a name with an ending is a file: report.xml for JUnit, report.json for JSON

    For more information, try '--help'.
    ");
    let other_file = demo("check --all -o report.yml");
    insta::assert_snapshot!(other_file.fails(2), @"
    error: `mlt check` has no `-o report.yml`
    hint: a name with an ending is a file: report.xml for JUnit, report.json for JSON
    ");
    let no_file = demo("report latest -o html");
    insta::assert_snapshot!(no_file.fails(2), @"
    error: invalid value 'html' for '--output <FILE>': expected a file, the name of which has a dot or a slash in it, such as report.html

    For more information, try '--help'.
    ");
}

#[test]
fn a_report_is_not_written_into_a_file_that_promises_something_else() {
    let folder = tempfile::tempdir().unwrap();
    let report = |name: &str| {
        mlt()
            .on("demo:")
            .within(folder.path())
            .run(&format!("report latest -o {name}"))
    };
    insta::assert_snapshot!(report("report.json").fails(2), @"
    error: `mlt report` writes pages of HTML, and report.json has another ending
    hint: name a file, as in `-o report.html`
    ");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    for name in ["./page", "page.HTML", "page.htm"] {
        let written = format!("note: wrote 1 trace to {name}\n");
        assert_eq!(report(name).stderr, written);
        assert!(folder.path().join(name).exists(), "{name}");
    }
}

fn narrow(words: &[&str]) -> Outcome {
    mlt()
        .on("demo:")
        .terminal(80)
        .env("NO_COLOR", "1")
        .args(words)
        .run("")
}

#[test]
fn columns_without_room_are_named() {
    for (words, note) in [
        (
            vec!["latency", "--all", "--slowest", "2"],
            "note: there is no room for MAX, TOTAL, SELF; `-o csv` and `-o json` have all\n",
        ),
        (
            vec!["latency", "latest", "--critical-path"],
            "note: there is no room for TYPE; `-o csv` and `-o json` have all\n",
        ),
        (
            vec!["get", "latest", "tr-5bf"],
            "note: there is no room for SPAN ID, STATUS; `-o csv` and `-o json` have all\n",
        ),
        (
            vec!["diff", "tr-5bf", "tr-b5c7"],
            "note: there is no room for SELF BEFORE, SELF AFTER; `-o csv` and `-o json` have all\n",
        ),
        (
            vec!["stats", "--by", "trace,tag:release"],
            "note: there is no room for TOKENS, COST; `-o csv` and `-o json` have all\n",
        ),
    ] {
        let outcome = narrow(&words);
        assert!(outcome.stderr.contains(note), "{words:?}: {outcome}");
        let piped = mlt().on("demo:").args(&words).run("");
        assert!(!piped.stderr.contains("no room"), "{words:?}: {piped}");
    }
}

#[test]
fn a_mark_is_explained_where_it_stands_and_nowhere_else() {
    for words in [
        "stats p95(duration) --name nobody",
        "stats p95(duration),p95(cost) --by trace --name nightly-summary",
        "stats count(),p95(duration) --every 1s --name checkout",
        "latency --name checkout --every 1s",
        "latency --all",
        "latency --name checkout",
        "latency --name checkout --every 1s --plot",
        "latency --name checkout --what-if payment=0",
        "diff --base-filter tags.release='2026.11.2' -f tags.release='2026.12.0-rc1'",
        "diff --base-filter status='OK' -f status='OK'",
        "diff tr-5bf tr-b5c7",
        "check --name nobody --require p95(duration)<=1s",
        "check --name checkout --require p95(duration)<=1s",
    ] {
        for width in [40, 60, 80, 300] {
            let outcome = mlt().on("demo:").terminal(width).run(words);
            let is_note = |line: &&str| line.starts_with('~');
            let plain = anstream::adapter::strip_str(&outcome.stdout).to_string();
            let (notes, others): (Vec<&str>, Vec<&str>) = plain.lines().partition(is_note);
            let marked = others.iter().any(|line| line.contains('~'));
            assert_eq!(marked, !notes.is_empty(), "{words} at {width}: {plain}");
        }
    }
}

#[test]
fn one_trace_is_not_called_several() {
    let outcome = demo("latency latest --by span --what-if agent=0");
    assert!(
        outcome.fails(2).starts_with(
            "error: `--by span` is for one trace, and --what-if looks at traces as a set\n"
        ),
        "{outcome}"
    );
    let outcome = demo("latency --all --gaps");
    assert!(outcome.fails(2).contains("here are several"), "{outcome}");
}

#[test]
fn columns_of_errors_say_whose_they_are() {
    for (words, note) in [
        (vec!["latency", "--all"], "ERRORS: spans that failed.\n"),
        (
            vec!["latency", "--all", "--by", "trace"],
            "ERRORS: spans that failed.\n",
        ),
        (
            vec!["stats", "--by", "trace"],
            "ERRORS: the share of traces in the state ERROR.\n",
        ),
        (
            vec!["stats", "--by", "name"],
            "ERRORS: the share of spans with the status ERROR.\n",
        ),
        (
            vec!["diff", "tr-5bf", "tr-b5c7"],
            "SHARE %: the part of the change of the duration.\nERRORS: calls that failed.\n",
        ),
    ] {
        let outcome = narrow(&words);
        assert!(outcome.stdout.contains(note), "{words:?}: {outcome}");
    }
}

#[test]
fn requests_and_responses_are_cut_like_inputs_and_outputs() {
    let outcome = demo("get latest --io --max-chars 20");
    for line in [
        "request         I want to return the … 11 more characters\n",
        "response        I've opened return R … 98 more characters\n",
    ] {
        assert!(outcome.ok().contains(line), "{outcome}");
    }
    let long = demo("get latest --max-chars 1000");
    assert!(!long.ok().contains("more character"), "{long}");
}

#[test]
fn durations_without_a_unit_are_milliseconds_and_that_is_said() {
    let note = "note: `2` is read as 2 ms\n";
    for words in [
        vec!["search", "--count", "-f", "duration > 2"],
        vec!["search", "--count", "-f", "any(span.duration > 2)"],
        vec!["check", "--all", "--require", "p95(duration)>=2"],
        vec!["check", "--all", "--require", "max(self) >= 2"],
    ] {
        let outcome = mlt().on("demo:").args(&words).run("");
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert_eq!(outcome.stderr, note, "{words:?}: {outcome}");
    }
    for words in [
        vec!["search", "--count", "-f", "execution_time_ms > 2"],
        vec!["search", "--count", "-f", "duration > 2ms AND spans > 2"],
        vec!["check", "--all", "--require", "p95(duration) >= 0"],
        vec!["check", "--all", "--require", "p95(duration) >= 2ms"],
        vec!["check", "--all", "--require", "count() >= 2"],
    ] {
        mlt().on("demo:").args(&words).run("").ok();
    }
}

#[test]
fn what_cannot_be_is_said_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    let run = |uri: &str, words: &str| mlt().on(uri).within(folder.path()).run(words);
    run("demo:", "export --all -o json --to traces/");
    std::fs::write(folder.path().join("out.csv"), "a,b\n").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "a,b\n").unwrap();
    for (uri, words, code, said) in [
        (
            "demo:",
            "search --retries x",
            2,
            "'--retries <N>': expected a whole number such as 3, or 0\n",
        ),
        (
            "demo:",
            "search -n 0",
            2,
            "'--limit <N>': expected a whole number from 1 on\n",
        ),
        (
            "demo:",
            "stats --top x",
            2,
            "'--top <N>': expected a whole number from 1 on\n",
        ),
        (
            "demo:",
            "get latest --max-chars -1",
            2,
            "unexpected argument '-1'",
        ),
        (
            "demo:",
            "export latest -o json --to no/x",
            6,
            "error: cannot write no/x: there is no folder no\n",
        ),
        (
            "demo:",
            "report latest -o no/x.html",
            6,
            "error: cannot write no/x.html: there is no folder no\n",
        ),
        (
            "out.csv",
            "search",
            2,
            "error: cannot use the tracking URI `out.csv`: traces are read from .json and .jsonl files, and not from .csv\n",
        ),
        (
            "notes.txt",
            "search",
            6,
            "hint: a file of traces is JSON or JSON lines, as `mlt export -o jsonl` writes it\n",
        ),
        ("./traces/*.json", "search", 6, "error: cannot read"),
        (
            "demo:",
            "search --order-by durtion",
            2,
            "expected a field of traces, such as `time`, `duration`,",
        ),
        (
            "demo:",
            "search --order-by text",
            2,
            "expected a field of traces, such as `time`, `duration`,",
        ),
    ] {
        let outcome = run(uri, words);
        assert!(outcome.fails(code).contains(said), "{words}: {outcome}");
    }
    assert_eq!(run("traces/", "search --count").ok(), "38\n");
    // The way that the hint names.
    let mut all = Vec::new();
    for file in std::fs::read_dir(folder.path().join("traces")).unwrap() {
        all.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    assert_eq!(mlt().on("-").stdin(all).run("search --count").ok(), "38\n");
    let binary = mlt()
        .on("demo:")
        .terminal(80)
        .run("export --all -o parquet");
    insta::assert_snapshot!(binary.fails(2), @"
    error: `-o parquet` is binary and not for a terminal
    hint: write it into a file with --to FILE
    ");
}

#[test]
fn help_is_as_wide_as_the_terminal_up_to_a_hundred_columns() {
    let widest = |words: &str, width: usize| {
        let outcome = mlt().terminal(width).env("NO_COLOR", "1").run(words);
        let widths = outcome.ok().lines().map(|line| line.chars().count());
        widths.max().unwrap_or(0)
    };
    for words in ["search -h", "latency --help", "help stats"] {
        assert!(widest(words, 70) <= 70, "{words}");
        let wide = widest(words, 150);
        assert!((71..=100).contains(&wide), "{words}: {wide}");
    }
}

#[test]
fn the_reference_says_which_keys_always_have_a_value() {
    let reference = demo("help filter").ok().replace('\n', " ");
    let (_, said) = reference
        .split_once("span.content LIKE and ILIKE. ")
        .unwrap();
    let (keys, _) = said.split_once(" know no IS NULL").unwrap();
    let keys = keys.replace(" and ", ", ");
    for key in keys.split(", ") {
        let filter = format!("{key} IS NULL");
        let outcome = mlt().on("demo:").args(["search", "-f", &filter]).run("");
        assert!(outcome.fails(2).contains("does not work with"), "{outcome}");
    }
}
