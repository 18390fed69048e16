//! Servers on `PostgreSQL` and `MariaDB`: what an order or a statistic comes to is what an
//! export of the same traces says, whatever the database means by it. Filters are the
//! subject of `differential/backends.rs`.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::support::backends::{Backed, mariadb, postgres};
use crate::support::mlt;

const ORDERS: &[&str] = &[
    "name",
    "-name, execution_time_ms",
    "tag.team",
    "-tag.team, -name",
    "metadata.`mlflow.trace.session`",
    "run_id",
    "status, -name",
    "-execution_time_ms",
    "-request_id",
];

const STATISTICS: &[&str] = &[
    "stats",
    "stats p50(duration),p95(duration),p99(duration)",
    "stats p50(tokens)",
    "stats count() --by trace.name",
    "stats count() --by status",
    "stats p95(span.duration) --by span.name",
    "stats count(span) --by span.type",
    "stats count() --name a",
];

/// An export of the experiments with whole traces, which says what is right.
fn truth(backed: &Backed) -> PathBuf {
    let path = backed.dir.join("truth.jsonl");
    let exported = backed
        .mlt()
        .run(&format!("search --all --include-spans -o jsonl {SCOPE}"));
    std::fs::write(&path, exported.ok()).unwrap();
    path
}

const SCOPE: &str = "-x rich -x edges -x shop-assistant";

fn means_what_an_export_says(backed: &Backed, truth: &OnceLock<PathBuf>) {
    let file = truth.get_or_init(|| self::truth(backed)).to_str().unwrap();
    let (mut wrong, mut selective) = (Vec::new(), 0);
    let mut compare = |words: Vec<&str>| {
        let expected = mlt().on(file).args(&words).run("");
        let scope = SCOPE.split(' ');
        let found = backed
            .mlt()
            .args(words.iter().copied().chain(scope))
            .run("");
        let lines = |text: &str| -> Vec<String> {
            // Who computed it may differ.
            let lines = text.lines().filter(|line| !line.contains("\"via\""));
            lines.map(str::to_owned).collect()
        };
        selective += usize::from(!expected.stdout.is_empty());
        if (found.code, lines(&found.stdout)) != (expected.code, lines(&expected.stdout)) {
            wrong.push(format!("{words:?}\n{found}\nexpected:\n{expected}"));
        }
    };
    for order in ORDERS {
        compare(vec!["search", "-n", "40", "-o", "ids", "--order-by", order]);
        let either = "status = 'OK' OR name LIKE '%e%' OR tags.team = 'search'";
        compare(vec![
            "search",
            "-n",
            "40",
            "-o",
            "ids",
            "--order-by",
            order,
            "-f",
            either,
        ]);
    }
    for statistic in STATISTICS {
        compare(statistic.split(' ').chain(["-o", "json"]).collect());
    }
    assert!(
        wrong.is_empty(),
        "{} of them:\n{:.6000}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(selective > 15, "only {selective} find something");
}

#[test]
fn postgresql_means_what_an_export_says() {
    static TRUTH: OnceLock<PathBuf> = OnceLock::new();
    means_what_an_export_says(postgres(), &TRUTH);
}

#[test]
fn mariadb_means_what_an_export_says() {
    static TRUTH: OnceLock<PathBuf> = OnceLock::new();
    means_what_an_export_says(mariadb(), &TRUTH);
}

#[test]
fn what_is_sent_depends_on_the_database_and_is_asked_once() {
    let plan = |backed: &Backed, filter: &str| {
        let explained = backed
            .mlt()
            .args(["search", "-x", "rich", "--explain", "-f", filter]);
        explained.run("").ok().to_owned()
    };
    let escaped = plan(postgres(), r"name LIKE 'a\_b'");
    assert!(escaped.contains(r"asked:  name LIKE 'a\\_b'"), "{escaped}");
    assert!(escaped.contains("here:   nothing"), "{escaped}");
    let bytes = plan(mariadb(), "name LIKE 'a_b'");
    assert!(bytes.contains("asked:  name LIKE 'a%b'"), "{bytes}");
    assert!(bytes.contains("here:   name LIKE 'a_b'"), "{bytes}");
    assert!(
        bytes.contains("the server's MySQL means something else by it"),
        "{bytes}"
    );
    let sorted = postgres()
        .mlt()
        .run("search -x rich --order-by name --explain");
    assert!(sorted.ok().contains("sorted here by name"), "{sorted}");
    // What means the same everywhere costs no question.
    for (filter, requests) in [
        ("name = 'agent'", 2),
        ("name LIKE 'a%'", 2),
        (r"name RLIKE '\w'", 3),
    ] {
        for backed in [postgres(), mariadb()] {
            let found = backed
                .mlt()
                .args(["search", "-x", "rich", "-v", "-f", filter])
                .run("-o ids");
            let asked = found
                .stderr
                .lines()
                .filter(|line| line.contains(" -> "))
                .count();
            assert_eq!(asked, requests, "{filter}: {found}");
        }
    }
}

#[test]
fn no_sql_is_shown_and_a_database_that_refuses_is_not_busy() {
    for (backed, said) in [(postgres(), "not balanced"), (mariadb(), "Regex error")] {
        let raw = backed
            .mlt()
            .args(["search", "-x", "rich", "--raw-filter", "name RLIKE '('"]);
        let refused = raw.env("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5").run("");
        let message = refused.fails(4);
        assert!(
            message.contains("its database says") && message.contains(said),
            "{message}"
        );
        assert!(
            !message.contains("SELECT") && !message.contains("--retries"),
            "{message}"
        );
        assert!(message.len() < 400, "{message}");
    }
}

#[test]
fn a_key_that_is_another_one_to_mariadb_is_told_apart_before_it_is_replaced() {
    for (backed, planned) in [
        (postgres(), "TEAM=x (new)"),
        (mariadb(), "TEAM=x (was team=search)"),
    ] {
        let found = backed
            .mlt()
            .args([
                "search",
                "-x",
                "rich",
                "-n",
                "1",
                "-f",
                "tags.team = 'search'",
            ])
            .run("-o ids");
        let id = found.ok().trim();
        let dry = backed.mlt().run(&format!("tag {id} TEAM=x --dry-run"));
        assert!(dry.ok().contains(planned), "{dry}");
    }
}
