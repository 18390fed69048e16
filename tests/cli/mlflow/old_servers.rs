//! Servers before MLflow 3.2, which only have the V2 endpoints.

use serde_json::Value;

use crate::support::mlflow::{Seeded, early_v3, old};
use crate::support::mlt;

fn everything_works(seeded: &Seeded) {
    let server = || mlt().on(seeded.uri());
    let list = server().run("search -x plain --all -o ids");
    let mut ids: Vec<&str> = list.ok().lines().collect();
    let mut expected: Vec<&str> = seeded.cases.values().map(String::as_str).collect();
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    assert_eq!(server().run("search --count").ok(), "3\n");
    assert_eq!(
        server().run("search --status ERROR -o ids").ok().trim(),
        seeded.case("bad")
    );
    assert_eq!(
        server()
            .run("search --name answer --order-by timestamp_ms -o ids")
            .lines()[0],
        seeded.case("good")
    );
    let paged = server().run("search -n 1 -o ids");
    assert_eq!(paged.lines().len(), 1);

    let bad = server()
        .run(&format!("get {} -o json", seeded.case("bad")))
        .json();
    let spans = bad["data"]["spans"].as_array().unwrap();
    let names: Vec<&str> = spans.iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["answer", "lookup", "generate"]);
    assert_eq!(bad["info"]["state"], "ERROR");
    assert_eq!(bad["info"]["tags"]["mlflow.traceName"], "answer");
    assert!(bad["duration_ns"].as_i64().unwrap() > 50_000_000);
    assert!(
        spans
            .iter()
            .all(|s| s["span_id"].as_str().unwrap().len() == 16)
    );
    let drawn = server().run(&format!("get {}", seeded.case("bad"))).stdout;
    assert!(
        drawn.contains("ValueError: the model is overloaded"),
        "{drawn}"
    );

    let latency = server()
        .run(&format!("latency {} -o json", seeded.case("good")))
        .json();
    let critical: i64 = latency["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["critical_ns"].as_i64().unwrap())
        .sum();
    assert_eq!(critical, latency["total_ns"].as_i64().unwrap());

    server()
        .run(&format!("tag {} reviewed=yes", seeded.case("tagged")))
        .ok();
    assert_eq!(
        server().run("search --tag reviewed=yes -o ids").ok().trim(),
        seeded.case("tagged")
    );
    server()
        .run(&format!("tag {} --delete reviewed", seeded.case("tagged")))
        .ok();
    assert_eq!(
        server().run("search --tag reviewed=yes --count").ok(),
        "0\n"
    );

    let unknown = server().run("get tr-00000000000000000000000000000000");
    assert_eq!(unknown.code, Some(3), "{unknown}");
    // What the server does not understand is evaluated here.
    for filter in [
        "span.type = 'CHAT_MODEL' OR span.type = 'LLM'",
        "name LIKE 'ans%'",
        "any(span.status = 'ERROR')",
    ] {
        let found = server().args(["search", "-f", filter]).run("-o ids");
        assert!(!found.ok().is_empty(), "{filter}");
    }
    let latest: Value = server().run("get latest -o json").json();
    assert_eq!(latest["info"]["trace_id"], seeded.case("tagged"));
}

#[test]
fn mlflow_2_22_is_served_through_its_own_endpoints() {
    everything_works(old());
    let bare = old().case("good");
    assert_eq!(bare.len(), 32, "MLflow 2 has ids without a prefix");
    let once = mlt().on(old().uri()).run("search -x plain -v");
    let asked: Vec<&str> = once.stderr.lines().collect();
    assert_eq!(asked.len(), 3, "experiment, V3 search, V2 search: {once}");
}

#[test]
#[ignore = "extended run: installs a third MLflow; `cargo test -- --ignored`"]
fn mlflow_3_1_is_served_through_its_own_endpoints() {
    everything_works(early_v3());
}

#[test]
fn a_database_without_its_servers_artifacts_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("mlflow.db");
    std::fs::copy(old().database(), &database).unwrap();
    let mlt = || mlt().on(database.to_str().unwrap());
    let id = old().case("good");
    let place = format!("mlartifacts/1/traces/{id}/artifacts");
    let refused = mlt().run(&format!("get {id} -o json"));
    let said = refused.fails(3);
    assert!(said.contains(&place) && said.contains("hint: "), "{said}");
    let shown = mlt().run(&format!("get {id}"));
    assert_eq!(shown.code, Some(7), "{shown}");
    assert!(shown.stderr.contains(&place), "{shown}");
    assert!(shown.stdout.contains("case=good"), "{shown}");
    let many = mlt().run("latency --all -o json");
    assert_eq!(many.code, Some(6), "{many}");
    assert!(many.stderr.contains(&place), "{many}");
    let judged = mlt().run("search -f span.name='answer' -o ids");
    assert_eq!((judged.code, &*judged.stdout), (Some(7), ""), "{judged}");
    assert!(judged.stderr.contains(&place), "{judged}");
    // Beside the database, as MLflow has them by default, they are found.
    let artifacts = old().dir.join("artifacts");
    std::os::unix::fs::symlink(artifacts, folder.path().join("mlartifacts")).unwrap();
    let found: Value = mlt().run(&format!("get {id} -o json")).json();
    assert_eq!(found["data"]["spans"].as_array().unwrap().len(), 3);
    assert!(
        !mlt()
            .run("search -f span.name='answer' -o ids")
            .ok()
            .is_empty()
    );
}
