//! Sessions within sessions, as MLflow keeps them: the id is a JSON array, and a tag of the
//! experiment names the levels.

use std::fs;

use serde_json::{Value, json};

use crate::support::mlflow::empty;
use crate::support::mlt;

const SESSIONS: [&str; 6] = [
    r#"["o'brien","ep-1"]"#,
    r#"["trip-1","ep-1"]"#,
    r#"["trip-1","ep_2"]"#,
    r#"["trip-2","ep-1"]"#,
    r#"["trip-2","epX2"]"#,
    "trip-1",
];

#[test]
fn what_is_within_a_session_is_summed_up_and_told_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("traces.jsonl");
    let exported = mlt().run("-u demo: export --all -o jsonl");
    let mut lines = String::new();
    for (line, session) in exported.ok().lines().zip(SESSIONS) {
        let mut trace: Value = serde_json::from_str(line).unwrap();
        trace["info"]["trace_metadata"]["mlflow.trace.session"] = session.into();
        lines.push_str(&trace.to_string());
        lines.push('\n');
    }
    fs::write(&file, lines).unwrap();
    let file = file.to_str().unwrap();
    let seeded = empty();
    let taken = mlt()
        .on(&seeded.database_uri())
        .run(&format!("import {file} --experiment Default"));
    assert_eq!(taken.code, Some(0), "{taken}");
    let unnamed = mlt().on(seeded.uri()).run("sessions --level trip");
    assert!(
        unnamed
            .fails(2)
            .contains("calls a level of its sessions `trip`"),
        "{unnamed}"
    );
    let levels = json!({"version": 1, "levels": [{"name": "trip"}, {"name": "episode"}]});
    let answer = reqwest::blocking::Client::new()
        .post(format!(
            "{}/api/2.0/mlflow/experiments/set-experiment-tag",
            seeded.uri()
        ))
        .json(&json!({
            "experiment_id": "0",
            "key": "mlflow.experiment.sessionHierarchy",
            "value": levels.to_string(),
        }))
        .send()
        .unwrap();
    assert!(answer.status().is_success(), "{answer:?}");

    let database = seeded.database_uri();
    for (place, has_names) in [(seeded.uri(), true), (&database, true), (file, false)] {
        let on = || mlt().on(place);
        let turns = |words: &str| -> Vec<(String, i64)> {
            let all = on()
                .run(&format!("sessions --sort id -o json {words}"))
                .json();
            let all = all["sessions"].as_array().unwrap().iter();
            all.map(|one| {
                let id = one["session"].as_str().unwrap().to_owned();
                (id, one["turns"].as_i64().unwrap())
            })
            .collect()
        };
        let trips = vec![
            (r#"["o'brien"]"#.to_owned(), 1),
            (r#"["trip-1"]"#.to_owned(), 2),
            (r#"["trip-2"]"#.to_owned(), 2),
            ("trip-1".to_owned(), 1),
        ];
        assert_eq!(turns("--level 1"), trips, "{place}");
        assert_eq!(turns("--level 2"), turns(""), "{place}");
        let shown = on().run("sessions --level 2");
        assert!(!shown.stderr.contains("level"), "{shown}");
        let deeper = on().run("sessions --level 3");
        let said = "warning: no session has a level 3; the last is 2";
        assert!(deeper.stderr.contains(said), "{deeper}");
        assert_eq!(deeper.code, Some(0), "{deeper}");
        assert_eq!(deeper.stdout, on().run("sessions").ok(), "{place}");
        assert_eq!(turns("").len(), SESSIONS.len());
        let head = |session: &str| {
            let shown = on().args(["session", session]).run("");
            let text = shown.ok().to_owned();
            text.lines().take(2).collect::<Vec<_>>().join("\n")
        };
        if has_names {
            assert_eq!(turns("--level trip"), trips, "{place}");
            assert_eq!(turns("--level episode"), turns(""), "{place}");
            assert!(head(r#"["trip-2","epX2"]"#).contains("\ntrip trip-2, episode epX2 "));
            let unknown = on().run("sessions --level leg");
            let said = unknown.fails(2);
            assert!(said.contains("there are `episode`, `trip`"), "{unknown}");
        }
        let trip = head(r#"["trip-2"]"#);
        assert!(
            trip.contains(" 2 turns") && trip.contains("trip trip-2") == has_names,
            "{trip}"
        );
        // What a pattern finds besides is not of the session.
        for one in [r#"["trip-1","ep_2"]"#, "trip-1", r#"["o'brien"]"#] {
            let head = head(one);
            assert!(
                head.contains(" 1 turn") && !head.contains("turns"),
                "{head}"
            );
        }
        let none = on().args(["session", r#"["trip"]"#]).run("");
        assert_eq!(none.code, Some(3), "{none}");
    }
}
