//! `mlt experiments`, and the address of a trace's page, on servers, databases and
//! the demo store.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde_json::Value;

use crate::support::mlflow::{current, on_database, on_server};
use crate::support::{Mlt, mlt};

/// Each experiment's traces, first and last time, by name.
fn listed(mlt: Mlt) -> BTreeMap<String, (u64, Value, Value)> {
    let json = mlt.run("experiments -o json").json();
    let rows = json["experiments"].as_array().unwrap().clone();
    rows.into_iter()
        .map(|row| {
            let name = row["name"].as_str().unwrap().to_owned();
            let traces = row["traces"].as_u64().unwrap();
            (
                name,
                (traces, row["first_time"].clone(), row["last_time"].clone()),
            )
        })
        .collect()
}

#[test]
fn experiments_come_with_what_is_in_them() {
    assert_snapshot!(mlt().on("demo:").run("experiments -o csv").ok(), @"
    experiment_id,name,lifecycle_stage,traces,first_time,last_time
    2,shop-assistant,active,32,2026-11-22T22:39:07.985Z,2026-11-22T22:39:24.667Z
    1,nightly-evals,active,6,2026-11-22T22:38:55.494Z,2026-11-22T22:38:57.116Z
    ");
    let by_name = mlt().on("demo:").run("experiments --sort name -o csv");
    let names: Vec<&str> = by_name
        .lines()
        .iter()
        .skip(1)
        .map(|line| &line[..2])
        .collect();
    assert_eq!(names, ["1,", "2,"]);
    for width in [40, 60, 80] {
        let table = mlt()
            .on("demo:")
            .terminal(width)
            .env("NO_COLOR", "1")
            .run("experiments");
        assert!(
            table
                .lines()
                .iter()
                .all(|line| line.chars().count() <= width.max(60)),
            "{table}"
        );
        assert!(table.stdout.contains("shop-"), "{table}");
    }
}

#[test]
fn servers_and_databases_count_the_same() {
    let (server, database) = (listed(on_server()), listed(on_database()));
    assert_eq!(server, database);
    for (name, (traces, _, _)) in server {
        let counted = on_server().args(["search", "--count", "-x", &name]).run("");
        assert_eq!(counted.ok().trim(), traces.to_string(), "{name}");
    }
    let one = on_server().run("experiments -x many -o jsonl").json_lines();
    assert_eq!(one.len(), 1);
    assert_eq!(one[0]["traces"], 1200);
}

#[test]
fn a_link_leads_to_the_page_and_back() {
    let id = on_server().run("search -x many -n 1 -o ids").stdout;
    let id = id.trim();
    let link = on_server().run(&format!("get {id} --link"));
    let link = link.ok().trim().to_owned();
    let base = current().uri();
    assert!(
        link.starts_with(&format!("{base}/#/experiments/")),
        "{link}"
    );
    assert!(
        link.ends_with(&format!("/traces?selectedEvaluationId={id}")),
        "{link}"
    );
    let back = on_server()
        .args(["get", &link, "-o", "json"])
        .run("")
        .json();
    assert_eq!(back["info"]["trace_id"], id);
    assert_eq!(back["link"], link.as_str());
    let lines = on_server()
        .run("search -x many -n 2 -o ids")
        .stdout
        .lines()
        .collect::<Vec<_>>()
        .join(" ");
    let rows = on_server()
        .run(&format!("get {lines} -o jsonl"))
        .json_lines();
    assert!(rows.iter().all(|row| row["link"].is_string()), "{rows:?}");

    let nowhere = on_database().run(&format!("get {id} --link"));
    assert!(
        nowhere
            .fails(2)
            .contains("error: there are no pages for the traces in "),
        "{nowhere}"
    );
    assert!(nowhere.stderr.contains("-u http://HOST:PORT"), "{nowhere}");
    let plain = on_database().run(&format!("get {id} -o json")).json();
    assert!(plain.get("link").is_none());
    let missing = on_server().run("get tr-00000000000000000000000000000000 --link");
    missing.fails(3);
}
