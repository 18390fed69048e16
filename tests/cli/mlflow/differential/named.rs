//! The differences between mlt and the server that are meant, one test each.

use mlt::filter;

use super::sides::{Answer, Question, Sides, sides};

fn ids(answer: Answer) -> Vec<String> {
    match answer {
        Answer::Found(ids, _) => ids,
        Answer::Refused(why) => panic!("{why}"),
    }
}

fn everything() -> (&'static Sides, Question) {
    let sides = sides();
    let question = Question {
        experiments: sides.experiments.clone(),
        ..Question::default()
    };
    (sides, question)
}

/// What the server makes of the text itself; `None` when it refuses it.
fn on_the_server(text: &str) -> Option<usize> {
    let (sides, question) = everything();
    match question.raw(&*sides.server, text) {
        Answer::Found(ids, _) => Some(ids.len()),
        Answer::Refused(_) => None,
    }
}

/// What mlt finds, through the server and in its database alike.
#[track_caller]
fn found(text: &str) -> usize {
    let (sides, question) = everything();
    let filter = filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let [server, sqlite] =
        [&sides.server, &sides.sqlite].map(|store| ids(question.parsed(&**store, &filter)));
    assert_eq!(server, sqlite, "{text}");
    server.len()
}

#[test]
fn an_attribute_equals_its_value() {
    let text = "span.attributes.model = 'claude'";
    assert_eq!(on_the_server(text), Some(0));
    let like = on_the_server("span.attributes.model LIKE '%claude%'").unwrap();
    assert!(found(text) > 0 && found(text) <= like);
    let different = "span.attributes.model != 'claude'";
    assert!(found(different) < on_the_server(different).unwrap());
}

#[test]
fn quotes_round_an_attributes_key_are_no_part_of_it() {
    let text = "span.attributes.\"model\" LIKE '%claude%'";
    assert_eq!(on_the_server(text), Some(0));
    assert_eq!(
        Some(found(text)),
        on_the_server("span.attributes.model LIKE '%claude%'")
    );
    assert!(found(text) > 0);
}

#[test]
fn a_quoted_number_equals_the_number() {
    let (as_text, as_number) = ("feedback.quality = '3'", "feedback.quality = 3");
    let texts = on_the_server(as_text).unwrap();
    assert!(texts > 0 && found(as_number) > 0);
    assert_eq!(found(as_text), texts + found(as_number));
    assert_eq!(on_the_server("feedback.quality = 3"), None);
    assert_eq!(on_the_server("feedback.quality > '0.5'"), None);
    assert_eq!(
        found("feedback.quality > '0.5'"),
        found("feedback.quality > 0.5")
    );
}

#[test]
fn what_is_said_of_a_session_counts_where_the_server_or_the_database_decides() {
    let (sides, question) = everything();
    let text = "feedback.session_mood IS NOT NULL";
    assert!(found(text) > 20 && on_the_server(text) == Some(found(text)));
    // Here a server can only be asked for candidates, and mlt sees what hangs on each trace itself.
    let number = filter::parse("feedback.session_mood = '4.0'").unwrap();
    assert_eq!(ids(question.parsed(&*sides.server, &number)).len(), 1);
    assert!(ids(question.parsed(&*sides.sqlite, &number)).len() > 10);
}

#[test]
fn a_run_that_traces_were_linked_to_is_unknown_to_an_export() {
    let (sides, question) = everything();
    let run = crate::support::mlflow::rich().case("run");
    let link = filter::parse(&format!("run_id = '{run}'")).unwrap();
    for store in [&sides.server, &sides.sqlite] {
        assert_eq!(ids(question.parsed(&**store, &link)), sides.linked);
    }
    assert_eq!(ids(question.parsed(&*sides.file, &link)).len(), 0);

    // What is checked here of a server's traces asks it for the links.
    let stores = [
        Some(&sides.server),
        Some(&sides.sqlite),
        sides.postgres.as_ref(),
        sides.mysql.as_ref(),
    ];
    for filter in [
        format!("NOT run_id = '{run}'"),
        format!("NOT run_id IN ('{run}', 'none')"),
        format!("NOT (run_id = '{run}' AND trace_id LIKE 'tr-%')"),
    ] {
        let others = filter::parse(&filter).unwrap();
        for store in stores.into_iter().flatten() {
            let found = ids(question.parsed(&**store, &others));
            assert!(found.len() > 10, "{filter}");
            assert!(
                !found.iter().any(|id| sides.linked.contains(id)),
                "{filter}"
            );
        }
    }
}

#[test]
fn spans_that_are_kept_as_an_artifact_are_found_everywhere() {
    let (sides, question) = everything();
    let named = filter::parse("span.name = 'odd-attributes'").unwrap();
    let finds = |store: &dyn mlt::store::Store| ids(question.parsed(store, &named)).len();
    assert_eq!(
        (
            finds(&*sides.server),
            finds(&*sides.sqlite),
            finds(&*sides.file)
        ),
        (1, 1, 1)
    );
}

#[test]
fn types_that_were_worked_out_from_open_telemetry_are_found_everywhere() {
    let (sides, question) = everything();
    let typed =
        filter::parse("span.type = 'CHAT_MODEL' AND span.name = 'chat gpt-4o-mini'").unwrap();
    let finds = |store: &dyn mlt::store::Store| ids(question.parsed(store, &typed)).len();
    let exported = finds(&*sides.file);
    assert!(exported > 0);
    assert_eq!(
        (finds(&*sides.server), finds(&*sides.sqlite)),
        (exported, exported)
    );
}

#[test]
fn the_keys_of_an_object_are_in_any_order_in_an_export() {
    let (sides, question) = everything();
    let finds = |store: &dyn mlt::store::Store, pattern: &str| {
        let text = format!("feedback.listed LIKE '{pattern}'");
        ids(question.parsed(store, &filter::parse(&text).unwrap())).len()
    };
    let (first, last) = (r#"{"k": 1.0, %"#, r#"%, "k": 1.0}"#);
    let order = |store: &dyn mlt::store::Store| (finds(store, first), finds(store, last));
    // MLflow's client sends the members of an object in an order of its own each time.
    let stored = order(&*sides.server);
    assert!(matches!(stored, (1, 0) | (0, 1)), "{stored:?}");
    assert_eq!(order(&*sides.sqlite), stored);
    let exported = order(&*sides.file);
    assert!(matches!(exported, (1, 0) | (0, 1)), "{exported:?}");
}

#[test]
fn patterns_for_an_attribute_search_the_whole_span_of_which_its_key_is_a_part() {
    for text in [
        "span.attributes.MODEL ILIKE '%claude%'",
        "span.attributes.model RLIKE '^a|claude'",
        "span.attributes.mo_el LIKE '%claude%'",
    ] {
        assert!(found(text) > 0, "{text}");
        assert_eq!(on_the_server(text), Some(found(text)), "{text}");
    }
}

#[test]
fn some_spellings_that_the_server_refuses_are_read() {
    for (text, server) in [
        ("tags.case = 'deep'", "tags.`case` = 'deep'"),
        (
            "timestamp >= 1700000000000.0",
            "timestamp_ms >= 1700000000000.0",
        ),
        ("execution_time_ms >= +5", "execution_time_ms >= 5"),
        ("span.name like 'retr%'", "span.name LIKE 'retr%'"),
        ("state = 'ERROR'", "status = 'ERROR'"),
        ("text LIKE '%boom%'", "trace.text LIKE '%boom%'"),
        ("tags.team IS NOT  NULL", "tags.team IS NOT NULL"),
        ("status IN ('OK',\n'ERROR')", "status IN ('OK', 'ERROR')"),
        ("feedback.`is safe` = true", "feedback.`is safe` = 'true'"),
        ("execution_time_ms >= 2ms", "execution_time_ms >= 2"),
        (
            "timestamp_ms > '5' AND span.type = 'LLM'",
            "timestamp_ms > 5 AND span.type = 'LLM'",
        ),
        (
            "timestamp_ms < 99999999999999999 AND span.type = 'LLM'",
            "span.type = 'LLM'",
        ),
        ("status IN ('a)\n', 'ERROR')", "status = 'ERROR'"),
    ] {
        let same = on_the_server(server).unwrap();
        assert!(same > 0, "{server}");
        assert_eq!(found(text), same, "{text}");
    }
}

#[test]
fn some_spellings_that_the_server_takes_hide_a_mistake_and_are_refused() {
    for text in [
        "status = 'OK' name = 'x'",
        "status = 'OK' AND",
        "tags.a..b = 'x'",
        "tag.team name IS NULL",
        "name ILIKE 'x\\'",
        "timestamp_ms > 'abc'",
        "status IN ('O' 'K')",
        "trace.request_id NOT IN ('a\\0', 'b')",
        "execution_time_ms < 1e400",
    ] {
        assert!(on_the_server(text).is_some(), "{text}");
        assert!(filter::parse(text).is_err(), "{text}");
    }
}
