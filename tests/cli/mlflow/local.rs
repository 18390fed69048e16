//! Places for traces other than servers: what is picked where nothing is named,
//! files of every kind and size, standard input, and Databricks workspaces.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::fake::{EXPERIMENTS, Fake, SEARCH, experiments, page};
use crate::support::mlflow::current;
use crate::support::mlt;

fn demo(words: &str) -> String {
    mlt().on("demo:").run(words).stdout
}

#[test]
fn an_empty_folder_has_no_default() {
    let dir = tempfile::tempdir().unwrap();
    let here = || mlt().within(dir.path());
    let outcome = here().run("search");
    let said = outcome.fails(2);
    for way in ["MLFLOW_TRACKING_URI", "mlflow server", "-u demo:"] {
        assert!(said.contains(way), "{outcome}");
    }
    // Folders for artifacts alone make no store.
    fs::create_dir_all(dir.path().join("mlruns/0/artifacts")).unwrap();
    fs::create_dir_all(dir.path().join("mlruns/models")).unwrap();
    fs::write(dir.path().join("mlruns/models/meta.yaml"), "").unwrap();
    here().run("search").fails(2);
}

#[test]
fn a_database_in_the_current_folder_is_the_default() {
    let dir = tempfile::tempdir().unwrap();
    let here = || mlt().within(dir.path());
    let database = dir.path().join("mlflow.db");
    fs::copy(current().database(), &database).unwrap();
    let expected = here().run("search -n 3 -o json");
    assert_eq!(expected.code, Some(0), "{expected}");
    let odd = dir.path().join("odd name.backup");
    fs::copy(&database, &odd).unwrap();
    for uri in [
        "mlflow.db".to_owned(),
        "sqlite:///mlflow.db".to_owned(),
        format!("sqlite:///{}", database.display()),
        "sqlite:///odd%20name.backup?timeout=3".to_owned(),
        "odd name.backup".to_owned(),
        format!("file://{}", odd.display()).replace(' ', "%20"),
    ] {
        let found = here().on(&uri).run("search -n 3 -o json");
        assert_eq!(found.stdout, expected.stdout, "{uri}: {found}");
    }
    // As MLflow does, an experiment in ./mlruns wins.
    fs::create_dir_all(dir.path().join("mlruns/7")).unwrap();
    fs::write(
        dir.path().join("mlruns/7/meta.yaml"),
        "experiment_id: '7'\nname: seven\nlifecycle_stage: active\n",
    )
    .unwrap();
    assert_eq!(here().run("search --count").ok(), "0\n");
}

#[test]
fn files_are_told_by_what_is_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let lines = demo("search --all --include-spans -o jsonl");
    let list = demo("search --all --include-spans -o json");
    let expected = demo("search --all -o json");
    for (name, text) in [
        ("export", lines.clone()),
        ("export.txt", format!("\u{feff}\r\n{lines}")),
        ("export.log", list.clone()),
        ("a b.json", list.lines().map(str::trim).collect()),
        ("mixed.jsonl", format!("{list}{lines}")),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        for uri in [
            path.to_owned(),
            format!("file://{}", path.replace(' ', "%20")),
        ] {
            let found = mlt().on(&uri).run("search --all -o json");
            assert_eq!(found.ok(), expected, "{uri}");
        }
    }
    for (name, bytes, code, said) in [
        ("a.gz", &b"\x1f\x8b\x08\0"[..], 6, "compressed by gzip"),
        ("a.txt", b"hello\n", 6, "at line 1 column"),
        (
            "cut.jsonl",
            b"{\"trace_id\":\"tr-1\"}\n{\"trace_id\":\"tr-",
            7,
            "the text ends within",
        ),
        (
            "cut.jsonl",
            b"{\"trace_id\":\"tr-1\"}\n{\"trace_id\":\"tr-",
            7,
            "line 2 of ",
        ),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let outcome = mlt().on(path.to_str().unwrap()).run("search");
        assert_eq!(outcome.code, Some(code), "{name}: {outcome}");
        assert!(outcome.stderr.contains(said), "{name}: {outcome}");
    }
}

#[test]
fn a_trace_that_comes_twice_counts_once_and_with_its_spans() {
    let dir = tempfile::tempdir().unwrap();
    let bare = demo("search --all -o jsonl");
    let whole = demo("search --all --include-spans -o jsonl");
    for text in [
        format!("{bare}{whole}"),
        format!("{whole}{bare}{whole}"),
        format!("{bare}{bare}{whole}"),
    ] {
        let path = dir.path().join("twice.jsonl");
        fs::write(&path, text).unwrap();
        let on = || mlt().on(path.to_str().unwrap());
        assert_eq!(on().run("search --count").stdout, demo("search --count"));
        let words = "search --all --span-type LLM -o ids";
        assert_eq!(on().run(words).stdout, demo(words));
        assert_eq!(
            on().run("search --all --include-spans -o jsonl").stdout,
            whole
        );
        assert_eq!(
            on().run("get latest -o json").stdout,
            demo("get latest -o json")
        );
    }
}

#[test]
fn standard_input_answers_more_than_one_question() {
    let lines = demo("search --all --include-spans -o jsonl");
    let ids = demo("search --all -o ids");
    let ids: Vec<&str> = ids.lines().collect();
    let piped = || mlt().on("-").stdin(lines.as_str());
    let last = ids[ids.len() - 1];
    for words in [
        format!("get {last} latest {} -o jsonl", &last[..12]),
        format!("latency {} -o json", ids[ids.len() / 2]),
        "search -x 1 --name rag% --include-spans -o json".to_owned(),
        format!("get {} -o jsonl", ids.join(" ")),
    ] {
        assert_eq!(piped().run(&words).stdout, demo(&words), "{words}");
    }
    let unknown = piped().run("get tr-00000000000000000000000000000000");
    assert!(unknown.fails(3).contains("in standard input"), "{unknown}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_long_input_takes_no_more_memory_than_a_short_one() {
    // The peak of the process, in kB, after it has read so many traces.
    let peak = |traces: usize| -> u64 {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("mlt"))
            .args(["-u", "-", "search", "-n", "2", "-o", "ids"])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let filler = "x".repeat(40_000);
        let mut input = child.stdin.take().unwrap();
        for number in 0..traces {
            writeln!(
                input,
                r#"{{"info": {{"trace_id": "tr-{number}", "request_preview": "{filler}"}}, "data": {{"spans": []}}}}"#
            )
            .unwrap();
        }
        drop(input);
        let status = format!("/proc/{}/status", child.id());
        let mut peak = 0;
        while child.try_wait().unwrap().is_none() {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with("VmHWM:"));
            let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
            peak = peak.max(kb.unwrap_or(0));
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(child.wait().unwrap().success());
        peak
    };
    let (short, long) = (peak(300), peak(1500));
    assert!(
        short > 0 && long < short + 20_000,
        "{short} kB for 12 MB, {long} kB for 60 MB"
    );
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_read_once_and_answers_all() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let lines = demo("search --all --include-spans -o jsonl");
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::write(pipe, lines).unwrap())
    };
    let found = mlt().on(pipe.to_str().unwrap()).run("get latest -o json");
    writer.join().unwrap();
    assert_eq!(found.stdout, demo("get latest -o json"), "{found}");
}

fn workspace() -> Fake {
    Fake::start()
        .on("POST", EXPERIMENTS, experiments(&[("1", "shop")]))
        .on("POST", SEARCH, page(1..3, None))
}

/// A home folder with this `.databrickscfg`.
fn home(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(".databrickscfg"), config).unwrap();
    dir
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_databricks_workspace_is_asked_with_its_token() {
    let (one, other) = (workspace(), workspace());
    let home = home(&format!(
        "[DEFAULT]\nhost = {}\ntoken = dapi-default\n\n[prod]\nhost={}/\ntoken=dapi-prod\n",
        one.uri(),
        other.uri()
    ));
    let run = || mlt().env("HOME", text(home.path()));
    let ask = |fake: &Fake, run: crate::support::Mlt| {
        let before = fake.requests().len();
        let outcome = run.run("search -x 1 -o ids");
        assert_eq!(outcome.code, Some(0), "{outcome}");
        let requests = fake.requests().split_off(before);
        assert_eq!(requests.len(), 1, "{requests:?}");
        assert_eq!(
            (requests[0].method.as_str(), requests[0].target.as_str()),
            ("POST", SEARCH)
        );
        requests[0]
            .header("authorization")
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(ask(&one, run().on("databricks")), "Bearer dapi-default");
    assert_eq!(
        ask(&other, run().on("databricks://prod")),
        "Bearer dapi-prod"
    );
    let profile = run()
        .on("databricks")
        .env("DATABRICKS_CONFIG_PROFILE", "prod");
    assert_eq!(ask(&other, profile), "Bearer dapi-prod");
    let variables = |run: crate::support::Mlt| {
        run.env("DATABRICKS_HOST", &one.uri())
            .env("DATABRICKS_TOKEN", "dapi-env")
            // Another server's login has no business here.
            .env("MLFLOW_TRACKING_TOKEN", "other")
    };
    assert_eq!(
        ask(&one, variables(run().on("databricks"))),
        "Bearer dapi-env"
    );
    assert_eq!(
        ask(&other, variables(run().on("databricks://prod"))),
        "Bearer dapi-prod"
    );
    let elsewhere = mlt().on("databricks://prod").env(
        "DATABRICKS_CONFIG_FILE",
        text(&home.path().join(".databrickscfg")),
    );
    assert_eq!(ask(&other, elsewhere), "Bearer dapi-prod");
}

#[test]
fn what_is_missing_for_databricks_is_said_without_secrets() {
    let home = home("[oauth]\nhost = https://h\nclient_secret = hunter2\n[broken]\nhunter2\n");
    for (uri, variable, code, said) in [
        ("databricks", ("X", "x"), 6, "line"),
        (
            "databricks",
            ("DATABRICKS_TOKEN", "hunter2"),
            2,
            "DATABRICKS_HOST is not",
        ),
        (
            "databricks",
            ("DATABRICKS_HOST", "https://h"),
            2,
            "DATABRICKS_TOKEN is not",
        ),
        ("databricks://a:b", ("X", "x"), 2, "secret scopes"),
        ("databricks-uc", ("X", "x"), 2, "Unity Catalog"),
    ] {
        let outcome = mlt()
            .on(uri)
            .env("HOME", text(home.path()))
            .env(variable.0, variable.1)
            .run("search");
        assert!(outcome.fails(code).contains(said), "{uri}: {outcome}");
        assert!(!outcome.stderr.contains("hunter2"), "{outcome}");
    }
    let nowhere = mlt().on("databricks").run("search");
    assert!(
        nowhere.fails(2).contains("personal access token")
            || nowhere.stderr.contains("DATABRICKS_HOST"),
        "{nowhere}"
    );
}
