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
