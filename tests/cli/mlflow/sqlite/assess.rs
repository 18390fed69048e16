//! Assessments written into the database itself: the rows are those that MLflow writes.

use super::*;
use crate::mlflow::said;

/// Assessments of a trace but for their ids and times.
fn rows(store: &Database, id: &str) -> Vec<String> {
    store.rows(&format!(
        "SELECT {} FROM assessments WHERE trace_id = '{id}'",
        said::COLUMNS
    ))
}

#[test]
fn the_rows_are_those_that_mlflow_writes() {
    let (ours, theirs) = (Database::new(), Database::new());
    let (id, span): (String, String) = ours
        .sql()
        .query_row(said::FIRST, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    said::by_mlt(&|| ours.mlt(), &id, &span);
    theirs.python(&said::by_mlflow(&id, &span)).end();
    assert_eq!(rows(&ours, &id), rows(&theirs, &id));
    assert_eq!(rows(&ours, &id).len(), 10);
    let overridden = "SELECT count(*) FROM assessments n JOIN assessments o \
                      ON n.overrides = o.assessment_id AND n.trace_id = o.trace_id \
                      WHERE n.valid AND NOT o.valid AND o.name = 'helpful'";
    assert_eq!(ours.number(overridden), 1);

    // What replaced another one gives it back when it is deleted, as with MLflow.
    said::assess(&|| ours.mlt(), &id, &["--delete", "helpful"]);
    let told = ours.python(&said::program_that_tells(&id)).end();
    assert_eq!(told.trim(), "0.7 True True");
}

#[test]
fn a_filter_chooses_what_is_assessed_and_a_release_without_assessments_says_so() {
    let store = Database::new();
    let outcome = store
        .mlt()
        .run("assess -x many --tag team=search score=0.5 --source code --yes");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let found = store
        .mlt()
        .run("search -x many -f feedback.score=0.5 --count");
    let count = outcome.stdout.lines().count();
    assert_eq!(found.ok().trim(), count.to_string());
    assert_eq!(outcome.stderr, format!("note: changed {count} traces\n"));
    let old = Database::new().change("DROP TABLE assessments");
    let refused = old.mlt().run("assess latest a=1");
    assert!(
        refused.fails(2).contains("a release of MLflow before 3.2"),
        "{refused}"
    );
}

#[test]
fn a_span_is_one_of_the_trace_that_is_named() {
    let store = Database::new();
    let find = |sql: &str| -> (String, String, String) {
        let told = store
            .sql()
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        told.unwrap()
    };
    let (id, span, name) = find(
        "SELECT trace_id, min(span_id), name FROM spans GROUP BY 1, 3 HAVING count(*) = 1 \
         ORDER BY 1, 3",
    );
    // Ids that are piped in are read once.
    let piped = store.mlt().stdin(format!("{id}\n"));
    let told = piped.args(["assess", "-", "a=1", "--span", &name]).run("");
    assert_eq!(told.ok(), format!("{id}  a=1 (new)\n"));
    let listed = store
        .mlt()
        .run(&format!("assess --list {id} -o json"))
        .json();
    let rows = listed["assessments"].as_array().unwrap();
    let one = rows.iter().find(|row| row["name"] == "a").unwrap();
    assert_eq!(one["span_id"], span.as_str());
    let (_, several, twice) =
        find("SELECT count(*) || '', trace_id, name FROM spans GROUP BY 2, 3 HAVING count(*) > 1");
    let args = ["assess", &several, "a=1", "--span", &twice];
    let refused = store.mlt().args(args).run("");
    assert!(refused.fails(2).contains(" spans are named "), "{refused}");
}
