//! Spans that are found by reading all of them once.

use super::*;

/// Traces with two spans each; a few words are in the second one of some of them.
fn fixture() -> Fixture {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(9_000).sql(
        "INSERT INTO trace_tags (request_id, key, value) \
         SELECT request_id, 'mlflow.trace.spansLocation', 'TRACKING_STORE' FROM trace_info; \
         INSERT INTO spans (trace_id, experiment_id, span_id, name, type, status, \
         start_time_unix_nano, end_time_unix_nano, content) \
         SELECT t.request_id, 1, n.value, 'n', 'TOOL', 'OK', 1, 9, json_object('text', \
         iif(n.value = 2 AND t.timestamp_ms % 3001 = 5, 'a Needle [*] of it', 'usual')) \
         FROM trace_info t, json_each('[1, 2]') n ORDER BY t.timestamp_ms",
    );
    fixture
}

/// The same found without, as every trace is looked at.
fn slowly(store: &SqliteStore, filter: &str) -> Vec<String> {
    let always = format!("({filter}) AND timestamp_ms > 0");
    let mut wanted = query(&always, "");
    assert!(
        !store
            .explain(&wanted, Explain::Plan)
            .unwrap()
            .cost
            .contains("SCAN s")
    );
    wanted.limit = None;
    ids(store, &always, None)
}

#[test]
fn what_is_rare_is_found_by_reading_all_spans_once() {
    let fixture = fixture();
    let store = fixture.store();
    for (filter, expected) in [
        ("span.content ILIKE '%nEEDLE%'", 3),
        ("span.content LIKE '%Needle [*] of%'", 3),
        ("span.content LIKE '%needle%'", 0),
        ("span.content LIKE '%Needle %*_ of%'", 3),
        ("span.content LIKE '%Needle [a] of%'", 0),
        (
            "any(span.content ILIKE '%needle%' AND span.status = 'OK')",
            3,
        ),
        ("all(span.content NOT LIKE '%Needle%')", 8_997),
        ("NOT any(span.content ILIKE '%needle%')", 8_997),
        (
            "span.content ILIKE '%needle%' OR span.content ILIKE '%thread%'",
            3,
        ),
        (
            "any(span.content ILIKE '%needle%') AND any(span.content ILIKE '%usual%')",
            3,
        ),
    ] {
        let plan = store
            .explain(&query(filter, ""), Explain::Plan)
            .unwrap()
            .cost;
        assert!(plan.contains("SCAN s"), "{filter}: {plan}");
        let found = ids(&store, filter, None);
        assert_eq!(found.len(), expected, "{filter}");
        assert_eq!(found, slowly(&store, filter), "{filter}");
        for limit in [1, 2, 3, 4, 30] {
            let some = ids(&store, filter, Some(limit));
            assert_eq!(some, found[..limit.min(expected)], "{filter}: {limit}");
        }
    }
}

#[test]
fn what_is_common_or_asked_of_few_traces_is_looked_up() {
    let fixture = fixture();
    fixture.sql("UPDATE trace_info SET experiment_id = 0 WHERE timestamp_ms % 100 = 0");
    let store = fixture.store();
    for (filter, experiment) in [
        ("span.content ILIKE '%usual%'", None),
        ("span.content ILIKE '%needle%' AND status = 'OK'", None),
        ("span.content ILIKE '%needle%' OR status = 'ERROR'", None),
        ("span.content ILIKE '%needle%'", Some("0")),
    ] {
        let mut wanted = query(filter, "");
        wanted.experiments.extend(experiment.map(str::to_owned));
        let plan = store.explain(&wanted, Explain::Plan).unwrap().cost;
        assert!(!plan.contains("SCAN s"), "{filter}: {plan}");
    }
    assert_eq!(
        ids(&store, "span.content ILIKE '%usual%'", Some(700)).len(),
        700
    );
}

#[test]
fn filters_of_any_size_are_taken_or_refused_in_words() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(2);
    let store = fixture.store();
    let texts = |from: i32| {
        let texts: Vec<String> = (from..from + 2_400).map(|n| format!("'a{n}'")).collect();
        texts.join(", ")
    };
    for field in [
        "span.name",
        "span.type",
        "span.model",
        "name",
        "run_id",
        "tags.k",
    ] {
        let lists: Vec<String> = (0..6)
            .map(|n| format!("{field} IN ({})", texts(n)))
            .collect();
        assert!(ids(&store, &lists.join(" OR "), None).is_empty(), "{field}");
        assert!(
            ids(&store, &lists.join(" OR "), Some(1)).is_empty(),
            "{field}"
        );
    }
    fixture.sql("UPDATE trace_info SET trace_name = 'a\"7' WHERE timestamp_ms = 1795000000001");
    let quoted = format!("name IN ('a\"7', {})", texts(0));
    assert_eq!(ids(&store, &quoted, None).len(), 1);
    assert_eq!(
        ids(&store, &format!("name NOT IN ({}, 'a\"7')", texts(0)), None).len(),
        0
    );
    let stars = format!("span.content LIKE '{}'", "*".repeat(40_000));
    assert!(ids(&store, &stars, None).is_empty());
    // Each NOT asks what is in it in two ways.
    let nested = |levels: usize| {
        let open = "(status = 'OK' AND NOT (span.name = 'x' OR ".repeat(levels);
        format!("{open} span.name = 'z' {}", "))".repeat(levels))
    };
    ids(&store, &nested(4), None);
    let refused = store.search(&query(&nested(20), ""), 10, None).unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unsupported { what, .. } if what.contains("conditions on spans")),
        "{refused}"
    );
}
