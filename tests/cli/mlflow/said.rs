//! The same said of a trace by mlt and by MLflow itself, so that what two databases hold
//! afterwards can be compared.

use crate::support::Mlt;

/// A trace of which nothing is said yet, and a span of it.
pub(super) const FIRST: &str = "SELECT trace_id, span_id FROM spans \
    WHERE trace_id NOT IN (SELECT trace_id FROM assessments) ORDER BY 1, 2 LIMIT 1";

/// What there is to compare of assessments: all but their ids and times.
pub(super) const COLUMNS: &str = "name, assessment_type, value, error, source_type, source_id, \
    run_id, span_id, rationale, overrides IS NULL, valid, assessment_metadata, experiment_id, \
    trace_timestamp_ms, aggregate_value, is_numeric_value, length(assessment_id), \
    created_timestamp = last_updated_timestamp";

/// Says it with mlt, of a trace and one of its spans.
pub(super) fn by_mlt(on: &dyn Fn() -> Mlt, id: &str, span: &str) {
    let run = |args: &[&str]| assess(on, id, args);
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
        span,
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
    let list = r#"list=[1, "é", {"a": null}]"#;
    let code = ["--replace", "--source", "code:score.sh", "--span", span];
    let run_id = "mlflow.assessment.sourceRunId=0123456789abcdef0123456789abcdef";
    let list = run(&[&[list][..], &code, &["--set-metadata", run_id]].concat());
    assert!(list.contains("nothing to change: list="), "{list}");
    run(&["gone=1", "--source", "human:bob"]);
    run(&["--delete", "gone"]);
}

/// Assesses a trace.
pub(super) fn assess(on: &dyn Fn() -> Mlt, id: &str, args: &[&str]) -> String {
    let all = ["assess", id].into_iter().chain(args.iter().copied());
    on().env("USER", "ann").args(all).run("").ok().to_owned()
}

/// A program that says it with MLflow.
pub(super) fn by_mlflow(id: &str, span: &str) -> String {
    format!(
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
    )
}

/// A program that prints what MLflow finds said by the name `helpful`.
pub(super) fn program_that_tells(id: &str) -> String {
    format!(
        "from mlflow.tracking._tracking_service.utils import _get_store\n\
         for a in _get_store().get_trace_info('{id}').assessments:\n\
         \x20   if a.name == 'helpful': print(a.value, a.valid, a.rationale == 'because é \u{1f6d2}\\n\\'q\\' \"Q\"')"
    )
}
