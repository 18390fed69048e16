//! Assessments written into the database itself: the rows are those that MLflow writes.

use super::*;

/// Assessments of a trace but for their ids and times.
fn rows(store: &Database, id: &str) -> Vec<String> {
    let sql = store.sql();
    let mut statement = sql
        .prepare(
            "SELECT name, assessment_type, value, error, source_type, source_id, run_id, span_id, \
             rationale, overrides IS NULL, valid, assessment_metadata, experiment_id, \
             trace_timestamp_ms, aggregate_value, is_numeric_value, length(assessment_id), \
             created_timestamp = last_updated_timestamp \
             FROM assessments WHERE trace_id = ?1",
        )
        .unwrap();
    let columns = statement.column_count();
    let mut rows: Vec<String> = statement
        .query_map([id], |row| {
            let values = (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at));
            Ok(format!("{:?}", values.collect::<Vec<_>>()))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    rows.sort_unstable();
    rows
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
