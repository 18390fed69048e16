//! MLflow's file store, made by real MLflow: read as a server over it would
//! answer, tagged so that MLflow reads it, damaged and moved about.

use std::fs;

use crate::support::mlflow::{FileStore, file_store};
use crate::support::{mlt, without_link};

fn answers_as_a_server_does(store: &FileStore) {
    let server = store.serve();
    for words in [
        vec!["search", "--all", "--include-spans", "-o", "jsonl"],
        vec!["search", "-x", "texts", "-o", "json"],
        vec!["search", "-x", "gone", "-o", "json"],
        vec!["search", "-x", "shop", "-n", "7", "-o", "json"],
        vec![
            "search",
            "-f",
            "name = 'order' AND tags.number != '3'",
            "-o",
            "json",
        ],
        vec!["search", "-f", "tags.`team name` = 'search'", "-o", "ids"],
        vec![
            "search",
            "--order-by",
            "execution_time_ms ASC",
            "--all",
            "-o",
            "ids",
        ],
        vec!["search", "--count"],
        vec!["get", store.case("text-breaks"), "-o", "json"],
        vec!["latency", "latest", "-o", "json"],
    ] {
        let mut expected = mlt().on(&server.uri).args(&words).run("");
        expected.stdout = without_link(&expected.stdout);
        let found = mlt().on(&store.uri()).args(&words).run("");
        assert_eq!(expected.code, Some(0), "{expected}");
        for (found, expected) in found.lines().into_iter().zip(expected.lines()) {
            assert_eq!(found, expected, "{words:?}");
        }
        assert!(found.stdout == expected.stdout, "{words:?}");
        assert_eq!(found.stderr, expected.stderr, "{words:?}");
    }
}

#[test]
fn a_file_store_of_mlflow_3_17_is_read_as_its_server_reads_it() {
    let store = file_store("3.17.2");
    answers_as_a_server_does(&store);
    let assessed = mlt()
        .on(&store.uri())
        .run(&format!("get {} -o json", store.case("assessed")))
        .json();
    let assessments = assessed["info"]["assessments"].as_array().unwrap();
    assert!(assessments.len() > 25, "{}", assessments.len());
}

#[test]
fn a_file_store_of_mlflow_2_22_is_read_as_its_server_reads_it() {
    answers_as_a_server_does(&file_store("2.22.5"));
}

#[test]
#[ignore = "extended run: installs a third MLflow; `cargo test -- --ignored`"]
fn a_file_store_of_mlflow_3_1_is_read_as_its_server_reads_it() {
    answers_as_a_server_does(&file_store("3.1.4"));
}

#[test]
fn filters_that_file_servers_refuse_work_as_on_exported_traces() {
    let store = file_store("3.17.2");
    let export = mlt()
        .on(&store.uri())
        .run("search --all --include-spans -o jsonl")
        .stdout;
    let mut found = 0;
    for filter in [
        "span.type = 'LLM' AND span.name = 'inner'",
        "trace.text LIKE '%question 7%'",
        "span.attributes.text LIKE '%one%'",
        "feedback.int >= 4",
        "feedback.`text-like-float` = '1e3'",
        "expectation.answer = '42'",
        "feedback.changed = 'new'",
    ] {
        let words = ["search", "--all", "-o", "ids", "-f", filter];
        let ids = mlt().on(&store.uri()).args(words).run("");
        let expected = mlt().on("-").stdin(export.as_str()).args(words).run("");
        assert_eq!(ids.stdout, expected.stdout, "{filter}");
        found += ids.lines().len();
    }
    assert!(found > 30, "{found}");
}

#[test]
fn tags_are_written_so_that_mlflow_reads_them() {
    let store = file_store("3.17.2");
    let id = store.case("shop-3");
    mlt()
        .on(&store.uri())
        .args([
            "tag",
            id,
            "team name=Ünï\ncode",
            "a/b=nested",
            "number=four",
        ])
        .run("")
        .ok();
    let told = format!(
        "import mlflow, json; print(json.dumps(mlflow.get_trace('{id}').info.tags, sort_keys=True))"
    );
    let tags: serde_json::Value = serde_json::from_str(&store.ask(&told)).unwrap();
    assert_eq!(tags["team name"], "Ünï\ncode");
    assert_eq!(tags["a/b"], "nested");
    assert_eq!(tags["number"], "four");
    mlt()
        .on(&store.uri())
        .args(["tag", id, "--delete", "number", "--delete", "a/b"])
        .run("")
        .ok();
    let tags: serde_json::Value = serde_json::from_str(&store.ask(&told)).unwrap();
    assert!(
        tags.get("number").is_none() && tags.get("a/b").is_none(),
        "{tags}"
    );
    assert_eq!(tags["team name"], "Ünï\ncode");

    for key in ["../escaped", "/tmp/escaped", "a//b", "."] {
        let refused = mlt()
            .on(&store.uri())
            .args(["tag", id, &format!("{key}=x")])
            .run("");
        assert_eq!(refused.code, Some(2), "{key}: {refused}");
    }
    let unknown = mlt()
        .on(&store.uri())
        .run("tag tr-00000000000000000000000000000000 a=b");
    assert_eq!(unknown.code, Some(3), "{unknown}");
}

#[test]
fn a_damaged_trace_is_named_and_hides_no_other() {
    let store = file_store("3.17.2");
    let count = |note: &str| {
        let outcome = mlt().on(&store.uri()).run("search --count");
        let code = if note.is_empty() { 0 } else { 7 };
        assert_eq!(outcome.code, Some(code), "{outcome}");
        assert_eq!(
            outcome.stderr.matches("warning: cannot read").count(),
            note.len(),
            "{outcome}"
        );
        outcome.stdout.trim().parse::<usize>().unwrap()
    };
    let all = count("");
    fs::write(
        store.trace("shop-1").join("trace_info.yaml"),
        "trace_id: 'tr\n",
    )
    .unwrap();
    assert_eq!(count("1"), all - 1);
    let link = store.trace("shop-2").join("tags/broken");
    std::os::unix::fs::symlink("/etc/hostname", link).unwrap();
    assert_eq!(count("12"), all - 2);
    // Like the folder of a trace that was just begun.
    fs::remove_file(store.trace("shop-3").join("trace_info.yaml")).unwrap();
    assert_eq!(count("12"), all - 3);
    let moved = store.trace("shop-4");
    fs::rename(&moved, moved.with_file_name("tr-another")).unwrap();
    assert_eq!(count("123"), all - 4);
    fs::create_dir(moved.with_file_name("empty")).unwrap();
    fs::write(moved.with_file_name("a file"), "").unwrap();
    assert_eq!(count("123"), all - 4);

    for (case, said) in [
        ("shop-1", "trace_info.yaml"),
        ("shop-2", "is a symbolic link"),
    ] {
        let outcome = mlt()
            .on(&store.uri())
            .run(&format!("get {}", store.case(case)));
        assert!(outcome.fails(6).contains(said), "{outcome}");
    }
    let experiment = moved.parent().unwrap().parent().unwrap();
    fs::write(experiment.join("meta.yaml"), "").unwrap();
    let outcome = mlt().on(&store.uri()).run("search --count");
    assert!(
        outcome.stderr.contains("left out an experiment"),
        "{outcome}"
    );
    assert!(
        outcome.stdout.trim().parse::<usize>().unwrap() < all - 4,
        "{outcome}"
    );
}

#[test]
fn spans_are_found_in_a_moved_store_and_elsewhere_are_named() {
    let store = file_store("3.17.2");
    let id = store.case("shop-5");
    let get = || mlt().on(&store.uri()).run(&format!("get {id} -o json"));
    let whole = get();
    let point_to = |place: &str| {
        fs::write(
            store.trace("shop-5").join("tags/mlflow.artifactLocation"),
            place,
        )
        .unwrap();
    };
    let spans = |outcome: &crate::support::Outcome| outcome.json()["data"]["spans"].clone();
    for gone in [
        "/gone/mlruns/1/traces/x/artifacts",
        "file:///gone",
        "mlflow-artifacts:/1/traces/x",
    ] {
        point_to(gone);
        assert_eq!(spans(&get()), spans(&whole), "{gone}");
    }
    // Its experiment was moved to the trash after the tag was written.
    let deleted = mlt()
        .on(&store.uri())
        .run(&format!("get {} -o json", store.case("deleted")));
    assert_eq!(spans(&deleted).as_array().unwrap().len(), 2);
    fs::remove_dir_all(store.trace("shop-5").join("artifacts")).unwrap();
    let lost = get();
    assert!(lost.fails(3).contains("no traces.json in"), "{lost}");
    point_to("s3://key:hunter2@bucket/1/x");
    let remote = get();
    let said = remote.fails(6);
    assert!(
        said.contains("s3://bucket/1/x") && !said.contains("hunter2"),
        "{remote}"
    );

    let beside = store.folder().join("mlartifacts/1/traces/x/artifacts");
    fs::create_dir_all(&beside).unwrap();
    let from = store.trace("shop-6").join("artifacts/traces.json");
    fs::copy(from, beside.join("traces.json")).unwrap();
    point_to("mlflow-artifacts:/1/traces/x/artifacts");
    assert_eq!(spans(&get()).as_array().unwrap().len(), 2);
}

#[test]
fn a_trace_that_was_just_begun_has_no_spans_yet() {
    let store = file_store("3.17.2");
    let folder = store.trace("shop-5");
    fs::remove_dir_all(folder.join("artifacts")).unwrap();
    fs::write(folder.join("tags/mlflow.artifactLocation"), "file:///gone").unwrap();
    let get = format!("get {} -o json", store.case("shop-5"));
    mlt().on(&store.uri()).run(&get).fails(3);
    let judged = || {
        mlt()
            .on(&store.uri())
            .run("search -f span.name='no_such' --count")
    };
    assert!(
        judged().stderr.contains("conditions on spans"),
        "{}",
        judged()
    );

    let _ = fs::remove_file(folder.join("request_metadata/mlflow.trace.sizeStats"));
    let info = folder.join("trace_info.yaml");
    let text = fs::read_to_string(&info).unwrap();
    fs::write(&info, text.replace("state: OK", "state: IN_PROGRESS")).unwrap();
    let begun = mlt().on(&store.uri()).run(&get);
    assert_eq!(
        begun.json()["data"]["spans"],
        serde_json::json!([]),
        "{begun}"
    );
    assert_eq!(judged().ok(), "0\n");
}

#[test]
fn the_store_of_the_current_folder_is_the_default() {
    let store = file_store("3.17.2");
    let here = || mlt().within(store.folder());
    let named = mlt().on(&store.uri()).run("search --count");
    assert_eq!(here().run("search --count").ok(), named.ok());
    for uri in [
        "mlruns",
        "./mlruns",
        "file:mlruns",
        &format!("file://{}", store.uri()),
    ] {
        assert_eq!(
            here().on(uri).run("search --count").ok(),
            named.ok(),
            "{uri}"
        );
    }
    let other = mlt()
        .on(&store.folder().display().to_string())
        .run("search");
    assert!(
        other
            .fails(6)
            .contains("it is a directory without experiments of MLflow"),
        "{other}"
    );
    let hint = format!(
        "hint: name that: `-u {}/mlruns`\n",
        store.folder().display()
    );
    assert!(other.stderr.ends_with(&hint), "{other}");
    let project = tempfile::tempdir().unwrap();
    std::fs::create_dir(project.path().join("proj")).unwrap();
    std::fs::write(project.path().join("proj/mlflow.db"), "").unwrap();
    let within = mlt().within(project.path()).on("proj").run("search");
    insta::assert_snapshot!(within.fails(6), @"
    error: cannot read proj: it is a directory without experiments of MLflow (folders with a meta.yaml) and without files of traces, but with mlflow.db in it
    hint: name that: `-u proj/mlflow.db`
    ");
    let gone = here().on("./gone").run("search");
    assert!(
        gone.fails(6).contains("no such file or directory"),
        "{gone}"
    );
}
