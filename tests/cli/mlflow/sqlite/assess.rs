//! Assessments written into the database itself: the rows are those that MLflow writes.

use super::*;

/// Assessments of a trace but for their ids and times.
fn rows(store: &Database, id: &str) -> Vec<String> {
    store.rows(&format!(
        "SELECT name, assessment_type, value, error, source_type, source_id, run_id, span_id, \
         rationale, overrides IS NULL, valid, assessment_metadata, experiment_id, \
         trace_timestamp_ms, aggregate_value, is_numeric_value, length(assessment_id), \
         created_timestamp = last_updated_timestamp \
         FROM assessments WHERE trace_id = '{id}'"
    ))
}

#[test]
fn the_rows_are_those_that_mlflow_writes() {
    let (ours, theirs) = (Database::new(), Database::new());
    let (id, span): (String, String) = ours
        .sql()
        .query_row(
            "SELECT trace_id, span_id FROM spans ORDER BY 1, 2",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let id = &id;
    let run = |args: &[&str]| {
        let all = ["assess", id.as_str()]
            .into_iter()
            .chain(args.iter().copied());
        ours.mlt()
            .env("USER", "ann")
            .args(all)
            .run("")
            .ok()
            .to_owned()
    };
    let why = "because é \u{1f6d2}\n'q' \"Q\"";
    let llm = ["--source", "llm:gpt"];
    run(&[
        &["helpful=0.7", "--rationale", why, "--set-metadata", "a é=b"],
        &llm[..],
    ]
    .concat());
    run(&[
        "n=5",
        "ok=true",
        "no=false",
        "said=yes",
        "text=it's \"5\"",
        "list=[1, \"é\", {\"a\": null}]",
        "--source",
        "code:score.sh",
        "--span",
        &span,
        "--set-metadata",
        "mlflow.assessment.sourceRunId=0123456789abcdef0123456789abcdef",
    ]);
    run(&["answer=30 days", "plan={\"days\": [3, 6]}", "--expectation"]);
    let replaced = run(&[&["helpful=0.9", "--replace"], &llm[..]].concat());
    assert_eq!(replaced, format!("{id}  helpful=0.9 (was 0.7)\n"));
    let again = run(&[&["helpful=0.9", "--replace"], &llm[..]].concat());
    assert_eq!(
        again,
        format!("{id}  nothing to change: helpful=0.9 (as it is)\n")
    );
    run(&["gone=1", "--source", "human:bob"]);
    run(&["--delete", "gone"]);
    theirs
        .python(&format!(
            "import mlflow, logging\n\
             from mlflow.entities import AssessmentSource as S\n\
             t, llm, code, ann = '{id}', S('LLM_JUDGE', 'gpt'), S('CODE', 'score.sh'), S('HUMAN', 'ann')\n\
             why = 'because é \u{1f6d2}\\n\\'q\\' \"Q\"'\n\
             first = mlflow.log_feedback(trace_id=t, name='helpful', value=0.7, rationale=why, metadata={{'a é': 'b'}}, source=llm)\n\
             meta = {{'mlflow.assessment.sourceRunId': '0123456789abcdef0123456789abcdef'}}\n\
             for name, value in [('n', 5), ('ok', True), ('no', False), ('said', 'yes'), ('text', 'it\\'s \"5\"'), ('list', [1, 'é', {{'a': None}}])]:\n\
             \x20   mlflow.log_feedback(trace_id=t, name=name, value=value, source=code, span_id='{span}', metadata=meta)\n\
             for name, value in [('answer', '30 days'), ('plan', {{'days': [3, 6]}})]:\n\
             \x20   mlflow.log_expectation(trace_id=t, name=name, value=value, source=ann)\n\
             mlflow.override_feedback(trace_id=t, assessment_id=first.assessment_id, value=0.9, source=llm)"
        ))
        .end();
    assert_eq!(rows(&ours, id), rows(&theirs, id));
    assert_eq!(rows(&ours, id).len(), 10);
    let overridden = "SELECT count(*) FROM assessments n JOIN assessments o \
                      ON n.overrides = o.assessment_id AND n.trace_id = o.trace_id \
                      WHERE n.valid AND NOT o.valid AND o.name = 'helpful'";
    assert_eq!(ours.number(overridden), 1);

    // What replaced another one gives it back when it is deleted, as with MLflow.
    run(&["--delete", "helpful"]);
    let told = ours
        .python(&format!(
            "from mlflow.tracking._tracking_service.utils import _get_store\n\
             for a in _get_store().get_trace_info('{id}').assessments:\n\
             \x20   if a.name == 'helpful': print(a.value, a.valid, a.rationale == 'because é \u{1f6d2}\\n\\'q\\' \"Q\"')"
        ))
        .end();
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
