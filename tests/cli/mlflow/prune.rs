//! Old traces that are deleted but for those worth keeping, as MLflow finds them afterwards.

use std::collections::BTreeSet;

use crate::support::mlflow::of_its_own;
use crate::support::{Mlt, mlt};

/// Ids in a column of a table.
fn ids(text: &str) -> BTreeSet<String> {
    let lines = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    lines.map(str::to_owned).collect()
}

/// The newest trace in a state, where there is one.
fn search_newest(on: &dyn Fn() -> Mlt, state: &str) -> BTreeSet<String> {
    ids(on()
        .run(&format!("search -n 1 -o ids --status {state}"))
        .stdout
        .as_str())
}

#[test]
fn a_dry_run_finds_what_the_real_one_deletes() {
    let seeded = of_its_own("3.17.2");
    let on = || mlt().on(seeded.uri());
    let search = |more: &str| ids(on().run(&format!("search --all -o ids {more}")).ok());
    let all = search("");
    let failed = search("--status ERROR");
    let slowest: BTreeSet<String> = ids(on().run("search -n 2 --order-by -duration -o ids").ok());
    let answers = search("--name rag-answer");
    let rules = "--older-than 0s --keep errors --keep slowest:2 --keep 1/name";
    let dry = on()
        .args(["prune", "--keep", "name = 'rag-answer'"])
        .run(&format!("{rules} --dry-run -o csv"));
    let doomed: BTreeSet<String> = ids(&dry.stdout)
        .into_iter()
        .filter_map(|row| Some(row.split_once(",would_delete")?.0.to_owned()))
        .collect();
    assert!(!doomed.is_empty() && doomed.is_subset(&all), "{dry}");
    for kept in [&failed, &slowest, &answers] {
        assert!(!kept.is_empty() && doomed.is_disjoint(kept), "{dry}");
    }
    // Of each name the newest one is left.
    let names = |ids: &BTreeSet<String>| -> BTreeSet<String> {
        let found = on()
            .args(["search", "--all", "--columns", "trace_id,name", "-o", "tsv"])
            .run("");
        let rows = found
            .ok()
            .lines()
            .skip(1)
            .filter_map(|row| row.split_once('\t'));
        let rows = rows.filter(|(id, _)| ids.contains(*id));
        rows.map(|(_, name)| name.to_owned()).collect()
    };
    let left: BTreeSet<String> = all.difference(&doomed).cloned().collect();
    assert_eq!(names(&left), names(&all));

    // The status is that of traces, too: the newest in each state stays.
    let newest: BTreeSet<String> = ["OK", "ERROR", "IN_PROGRESS"]
        .iter()
        .flat_map(|state| search_newest(&on, state))
        .collect();
    let dry = on().run("prune --older-than 0s --keep 1/status --dry-run -o csv");
    let doomed_but = |kept: &String| !dry.stdout.contains(kept.as_str());
    assert!(newest.len() >= 2 && newest.iter().all(doomed_but), "{dry}");
    let doomed_now = dry.stdout.matches(",would_delete,").count();
    assert_eq!(doomed_now, all.len() - newest.len(), "{dry}");

    let prune = || on().args(["prune", "--keep", "name = 'rag-answer'"]);
    let unasked = prune().run(rules);
    assert!(unasked.fails(2).contains("expected --yes"), "{unasked}");
    let belt = prune().run(&format!("{rules} --yes --max {}", doomed.len() - 1));
    assert!(belt.fails(1).contains("nothing was deleted"), "{belt}");
    assert_eq!(search(""), all);
    let done = prune().run(&format!("{rules} --yes"));
    assert_eq!(done.code, Some(0), "{done}");
    assert!(
        done.stderr
            .contains(&format!("deleted {} traces", doomed.len())),
        "{done}"
    );
    assert_eq!(search(""), left);
    // Once more there is nothing left to do.
    let again = prune().run(&format!("{rules} --yes"));
    assert_eq!(
        (&*again.stdout, again.code, search("")),
        ("", Some(0), left),
        "{again}"
    );
}

#[test]
fn what_is_too_new_or_kept_by_nothing_known_stays() {
    let on = || mlt().on("demo:");
    let new = on().run("prune --older-than 2000-01-01 --keep errors --dry-run");
    assert!(
        new.stdout.is_empty() && new.code == Some(0) && new.stderr.contains("no traces match"),
        "{new}"
    );
    for (words, said) in [
        ("prune --older-than 1d", "--keep"),
        ("prune --keep errors", "--older-than"),
        (
            "prune --older-than 1d --keep all",
            "expected what to keep, found `all`",
        ),
        (
            "prune --older-than 1d --keep slowest:5x",
            "expected a number or a share",
        ),
        (
            "prune --older-than 1d --keep slowest:500%",
            "expected a share",
        ),
        (
            "prune --older-than 1d --keep 0/name",
            "expected a number above 0",
        ),
        ("prune --older-than 1d --keep slowest:0", "a share above 0"),
        ("prune --older-than 1d --keep slowest:0%", "a share above 0"),
        (
            "prune --older-than 1d --keep 5/span.error",
            "expected a key of traces",
        ),
        (
            "prune --older-than 1d --keep errors --until 2d",
            "--older-than says already",
        ),
        ("prune --older-than 0s --keep errors", "it is read-only"),
    ] {
        let outcome = on().run(words);
        assert!(outcome.fails(2).contains(said), "{words}: {outcome}");
    }
    for (filter, said) in [
        ("nme = 'x'", "unknown key `nme`"),
        ("bad filter", "bad filter\n  ^^^"),
        ("status =", "there is no value after `=`"),
    ] {
        let outcome = on()
            .args(["prune", "--older-than", "0s", "--keep", filter])
            .run("");
        assert!(outcome.fails(2).contains(said), "{outcome}");
    }
}
