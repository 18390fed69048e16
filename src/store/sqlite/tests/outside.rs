//! Spans that are not in the table, or not where one would look for them there.

use super::*;

/// Four traces: in the table, in a file, archived without and with the archive at hand.
fn fixture() -> Fixture {
    let fixture = Fixture::new(NEWEST);
    let folder = fixture.path.parent().unwrap().to_owned();
    let file = folder.join("mlartifacts/1/traces/a");
    std::fs::create_dir_all(&file).unwrap();
    let json = r#"{"spans": [{"span_id": "0000000000000001", "name": "llm",
        "start_time_unix_nano": 1, "end_time_unix_nano": 2000000001,
        "attributes": {"mlflow.spanType": "\"LLM\"", "k": "7"}}]}"#;
    std::fs::write(file.join("traces.json"), json).unwrap();
    fixture.traces(4).sql(
        "INSERT INTO trace_tags (request_id, key, value) VALUES \
         ('tr-00000000000000000000000000000000', 'mlflow.trace.spansLocation', 'TRACKING_STORE'), \
         ('tr-00000000000000000000000000000001', 'mlflow.artifactLocation', 'mlflow-artifacts:/1/traces/a'), \
         ('tr-00000000000000000000000000000002', 'mlflow.trace.spansLocation', 'ARCHIVE_REPO'), \
         ('tr-00000000000000000000000000000002', 'mlflow.trace.archiveLocation', 's3://bucket/2'); \
         INSERT INTO trace_request_metadata (request_id, key, value) \
         SELECT request_id, 'mlflow.trace_schema.version', '3' FROM trace_info \
         WHERE request_id < 'tr-00000000000000000000000000000003'; \
         INSERT INTO spans (trace_id, experiment_id, span_id, name, type, status, \
         start_time_unix_nano, end_time_unix_nano, content) VALUES \
         ('tr-00000000000000000000000000000000', 0, '0000000000000001', 'llm', NULL, 'OK', 1, 5000001, \
          '{\"span_id\": \"AAAAAAAAAAE=\", \"name\": \"llm\", \"start_time_unix_nano\": 1, \
          \"end_time_unix_nano\": 5000001, \"attributes\": {\"mlflow.spanType\": \"\\\"LLM\\\"\", \"k\": \"7\"}}'), \
         ('tr-00000000000000000000000000000000', 0, '0000000000000002', 'tool', NULL, 'OK', 1, 5000001, \
          '{\"span_id\": \"AAAAAAAAAAI=\", \"name\": \"tool\", \"start_time_unix_nano\": 1, \
          \"end_time_unix_nano\": 5000001, \"attributes\": {\"k\": \"8\"}}'), \
         ('tr-00000000000000000000000000000002', 1, '0000000000000001', 'llm', 'LLM', 'OK', 1, 5000001, ''), \
         ('tr-00000000000000000000000000000002', 1, '0000000000000002', 'tool', 'TOOL', 'OK', 1, 5000001, '')",
    );
    fixture
}

#[test]
fn conditions_see_spans_wherever_they_are() {
    let fixture = fixture();
    let store = fixture.store();
    for (filter, expected) in [
        ("span.name = 'llm'", "012"),
        ("NOT span.name = 'llm'", "3"),
        ("NOT span.name = 'tool'", "13"),
        ("any(span.duration > 1s)", "1"),
        ("all(span.duration > 1s)", "13"),
        ("count(span.name LIKE '%') = 2", "02"),
        ("count(span.name LIKE '%') = 0", "3"),
        ("spans >= 2", "02"),
        ("spans < 2", "13"),
        ("status = 'OK' AND span.name = 'tool'", "02"),
        ("status = 'ERROR' OR span.name = 'tool'", "02"),
    ] {
        assert_eq!(found(&store, filter, None), expected, "{filter}");
        assert_eq!(found(&store, filter, Some(10)), expected, "{filter}");
    }
    assert!(store.shared.doubts.take().is_empty());
}

#[test]
fn spans_that_are_not_to_be_had_decide_nothing() {
    let fixture = fixture();
    let store = fixture.store();
    for (filter, expected) in [
        ("span.attributes.k = 7", "01"),
        ("NOT span.attributes.k = 7", "3"),
        ("all(span.attributes.k = 7)", "13"),
        ("count(span.attributes.k = 7) = 0", "3"),
        ("NOT (status = 'ERROR' AND span.attributes.k = 7)", "0123"),
        ("status = 'OK' OR span.attributes.k = 9", "0123"),
    ] {
        assert_eq!(found(&store, filter, None), expected, "{filter}");
        assert_eq!(found(&store, filter, Some(10)), expected, "{filter}");
    }
    let doubts = store.shared.doubts.take();
    assert_eq!(doubts.len(), 1, "{doubts:?}");
    assert!(
        doubts[0].contains(" 1 trace ") && doubts[0].contains("s3://bucket/2"),
        "{doubts:?}"
    );
}

#[test]
fn types_are_found_as_they_are_shown() {
    let fixture = fixture();
    let store = fixture.store();
    for (filter, expected) in [
        ("span.type = 'LLM'", "012"),
        ("NOT span.type = 'LLM'", "3"),
        ("span.type = 'UNKNOWN'", "0"),
        ("span.type != 'LLM'", "02"),
        ("span.type IN ('TOOL', 'UNKNOWN')", "02"),
        ("span.type NOT IN ('LLM', 'UNKNOWN')", "2"),
        ("span.type LIKE 'LL%'", "012"),
        ("span.type NOT LIKE 'L%'", "02"),
        ("span.type IS NULL", "0"),
        ("all(span.type IS NOT NULL)", "123"),
        ("span.type = 'LLM' AND span.status = 'OK'", "02"),
        ("any(span.type = 'UNKNOWN' AND span.name = 'tool')", "0"),
    ] {
        assert_eq!(found(&store, filter, None), expected, "{filter}");
        assert_eq!(found(&store, filter, Some(10)), expected, "{filter}");
    }
}

#[test]
fn nothing_says_where_the_spans_of_mlflow_3_4_are() {
    let fixture = fixture();
    fixture.sql("DELETE FROM trace_tags WHERE key = 'mlflow.trace.spansLocation'");
    let store = fixture.store();
    let first = "tr-00000000000000000000000000000000";
    for detail in [Detail::Times, Detail::Measures, Detail::Whole] {
        assert_eq!(store.trace(first, detail).unwrap().spans.len(), 2);
    }
    assert_eq!(found(&store, "span.attributes.k = 8", None), "0");
    let swept = std::cell::RefCell::new(0);
    let known = store.info(first).unwrap();
    store
        .sweep(vec![known], Detail::Times, &mut |_, trace| {
            *swept.borrow_mut() = trace.unwrap().spans.len();
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(swept.into_inner(), 2);
}

#[test]
fn times_of_archived_spans_stay_in_the_table() {
    let fixture = fixture();
    let store = fixture.store();
    let id = "tr-00000000000000000000000000000002";
    let times = store.trace(id, Detail::Times).unwrap();
    let known: Vec<_> = times
        .spans
        .iter()
        .map(|s| (s.name.as_str(), s.span_type(), s.raw_duration_ns()))
        .collect();
    assert_eq!(
        known,
        [
            ("llm", "LLM".into(), Some(5_000_000)),
            ("tool", "TOOL".into(), Some(5_000_000))
        ]
    );
    assert!(store.shared.doubts.take().is_empty());
    assert_eq!(store.trace(id, Detail::Events).unwrap(), times);
    let doubts = store.shared.doubts.take();
    assert!(
        doubts.len() == 1 && doubts[0].contains("1 trace"),
        "{doubts:?}"
    );
    let whole = store.trace(id, Detail::Whole).unwrap_err();
    assert!(
        matches!(whole, StoreError::RemoteArtifact { .. }),
        "{whole}"
    );
}

#[test]
fn experiments_are_those_of_one_workspace() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(3).sql(
        "UPDATE experiments SET workspace = 'team-a' WHERE experiment_id = 1; \
         INSERT INTO experiments (experiment_id, name, lifecycle_stage, workspace) VALUES \
         (7, 'shop', 'active', 'team-b'); \
         UPDATE trace_info SET experiment_id = 7 WHERE timestamp_ms = 1795000000002",
    );
    let inside = |name| open(&fixture.path, name).unwrap();
    let count = |store: &SqliteStore, experiments: &[&str]| {
        let query = Query {
            experiments: experiments.iter().map(|id| (*id).to_owned()).collect(),
            ..Query::default()
        };
        store.search(&query, 10, None).unwrap().traces.len()
    };
    let id = |store: &SqliteStore| {
        store
            .experiments(Scope::Named("shop"))
            .unwrap()
            .pop()
            .map(|e| e.id)
    };
    for (name, expected, own, other) in [
        (Some("team-a"), 2, "1", "7"),
        (Some(" team-b "), 1, "7", "1"),
    ] {
        let store = inside(name);
        assert_eq!(id(&store).as_deref(), Some(own));
        assert_eq!(count(&store, &[]), expected);
        assert_eq!(count(&store, &[own]), expected);
        assert_eq!(count(&store, &[other]), 0);
        assert_eq!(count(&store, &[own, other]), expected);
        assert!(!store.experiments(Scope::WithId(own)).unwrap().is_empty());
        assert!(store.experiments(Scope::WithId(other)).unwrap().is_empty());
        let last = "tr-00000000000000000000000000000002";
        assert_eq!(store.info(last).is_ok(), own == "7");
        let tags = TagChanges {
            set: vec![("k".to_owned(), "v".to_owned())],
            delete: Vec::new(),
        };
        let changed = tags::change(&store.shared, &[last.to_owned()], &tags.clone()).unwrap();
        assert_eq!(changed[0].is_ok(), own == "7");
        assert!(store.shared.doubts.take().is_empty());
    }
    let store = inside(None);
    assert_eq!((id(&store), count(&store, &[])), (None, 0));
    let doubts = store.shared.doubts.take();
    assert!(
        doubts.len() == 1 && doubts[0].contains("team-a, team-b"),
        "{doubts:?}"
    );
    let unknown = open(&fixture.path, Some("nope")).err().unwrap();
    assert!(
        matches!(&unknown, StoreError::UnknownWorkspace { known, .. } if known.len() == 3),
        "{unknown}"
    );
    let old = Fixture::new(OLDEST);
    assert!(open(&old.path, Some("default")).is_ok());
    assert!(open(&old.path, Some("team-a")).is_err());
}

#[test]
fn traces_of_a_catalog_are_found_by_their_digits() {
    let fixture = Fixture::new(NEWEST);
    fixture.traces(1).sql(
        "UPDATE trace_info SET request_id = 'trace:/main.obs/000000000000000000000000000000ab'",
    );
    let store = fixture.store();
    let id = "trace:/main.obs/000000000000000000000000000000ab";
    for asked in [
        id,
        "tr-000000000000000000000000000000ab",
        "000000000000000000000000000000ab",
    ] {
        assert_eq!(store.info(asked).unwrap().trace_id, id, "{asked}");
    }
    assert!(store.info("tr-000000000000000000000000000000ac").is_err());
}

#[test]
fn artifacts_are_read_beside_the_database_and_where_the_user_says() {
    let fixture = fixture();
    let beside = fixture.path.with_file_name("mlartifacts/1/traces/a");
    let other = tempfile::tempdir().unwrap();
    let place = other.path().join("1/traces/a");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::rename(beside, &place).unwrap();
    fixture.sql(&format!(
        "UPDATE trace_tags SET value = 'file://{}' WHERE value = 'mlflow-artifacts:/1/traces/a'",
        place.display()
    ));
    let store = fixture.store();
    assert_eq!(found(&store, "any(span.duration > 1s)", None), "");
    let doubts = store.shared.doubts.take().join("\n");
    let folder = std::fs::canonicalize(other.path()).unwrap();
    let flag = format!("`--allow-artifacts {}`", folder.display());
    assert!(doubts.contains(&flag), "{doubts}");
    let refused = store.trace("tr-00000000000000000000000000000001", Detail::Whole);
    assert!(refused.unwrap_err().to_string().contains(&flag));
    let mut artifacts = Artifacts::of_database(&fixture.path);
    artifacts.allow(&[other.path().to_owned()]);
    let store = super::super::open(&fixture.path, None, artifacts).unwrap();
    assert_eq!(found(&store, "any(span.duration > 1s)", None), "1");
}
