//! The lines that `mlt instrument` prints make traces, where their programs can run here.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::mlflow::{empty, of_its_own};
use crate::support::{mlt, venv};

fn names(uri: &str, experiment: &str) -> Vec<String> {
    let words = format!("-x {experiment} search --columns name -o tsv");
    let found = mlt().on(uri).run(&words);
    found.ok().lines().skip(1).map(str::to_owned).collect()
}

fn run_python(folder: &Path, words: &[&str]) {
    let output = Command::new(venv::clients())
        .args(words)
        .current_dir(folder)
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
}

#[test]
fn each_frameworks_lines_leave_its_traces() {
    let seeded = of_its_own("3.17.2");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let lines = |words: &str| mlt().on(seeded.uri()).run(words).ok().to_owned();
    let frameworks = [
        "openai",
        "anthropic",
        "gemini",
        "langchain",
        "langgraph",
        "decorator",
        "context",
    ];
    let script = venv::scripts().join("run_lines.py");
    let mut words = vec![script.to_str().unwrap().to_owned()];
    for name in frameworks {
        let printed = lines(&format!("-x lines-{name} instrument {name}"));
        fs::write(path(name), printed).unwrap();
        words.extend([name.to_owned(), path(name)]);
    }
    run_python(
        folder.path(),
        &words.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    for name in frameworks {
        let found = names(seeded.uri(), &format!("lines-{name}"));
        assert_eq!(found.len(), 1, "{name}: {found:?}");
    }

    // Clients of OpenTelemetry name the experiment by its id, and need no MLflow.
    let count = |span: &str| {
        let words = format!("-x shop-assistant search --count --span-name {span}");
        mlt().on(seeded.uri()).run(&words).ok().trim().to_owned()
    };
    assert_eq!(count("answer"), "0");
    fs::write(
        path("otel"),
        lines("-x shop-assistant instrument otel-python"),
    )
    .unwrap();
    run_python(folder.path(), &[&path("otel")]);
    assert_eq!(count("answer"), "1");
    let program = "
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
with provider.get_tracer('app').start_as_current_span('by-environment'):
    pass
";
    fs::write(path("program.py"), program).unwrap();
    let run = format!(
        "{}exec {} {}",
        lines("-x shop-assistant instrument otel-env"),
        venv::clients().display(),
        path("program.py")
    );
    assert!(
        Command::new("sh")
            .args(["-e", "-c", &run])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(count("by-environment"), "1");
    let none = run.replace("exec", "export OTEL_TRACES_SAMPLER_ARG=0\nexec");
    let sampled = lines("-x shop-assistant instrument otel-env --sample 0");
    assert!(sampled.contains("OTEL_TRACES_SAMPLER_ARG=0"), "{sampled}");
    let none = none.replace("exec", &format!("{sampled}exec"));
    assert!(
        Command::new("sh")
            .args(["-e", "-c", &none])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(count("by-environment"), "1", "none of the calls are traced");

    let other = format!(
        "{}\nfrom opentelemetry import trace\nwith trace.get_tracer('x').start_as_current_span('forwarded'):\n    pass\ntrace.get_tracer_provider().force_flush()\n",
        lines("-x lines-otel instrument otel")
    );
    fs::write(path("other.py"), other).unwrap();
    run_python(folder.path(), &[&path("other.py")]);
    assert_eq!(names(seeded.uri(), "lines-otel").len(), 1);
}

#[test]
fn lines_in_typescript_compile_and_leave_a_trace() {
    let seeded = empty();
    let node = venv::typescript();
    // Packages are looked for upwards from a program.
    let folder = tempfile::tempdir_in(&node).unwrap();
    let run = |program: &str, words: &[&str]| {
        let output = Command::new(node.join("node_modules/.bin").join(program))
            .args(words)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let compiler = "--noEmit --strict --skipLibCheck --module nodenext --target es2022";
    let mut words: Vec<&str> = compiler.split(' ').collect();
    let logins: [(&str, &[&str]); 3] = [
        ("none.mts", &[]),
        ("token.mts", &["MLFLOW_TRACKING_TOKEN"]),
        (
            "basic.mts",
            &["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"],
        ),
    ];
    for (name, variables) in logins {
        let on = mlt().on(seeded.uri());
        let on = variables.iter().fold(on, |on, name| on.env(name, "x"));
        let lines = on.run("instrument otel-typescript --sample 1");
        fs::write(folder.path().join(name), lines.ok()).unwrap();
        words.push(name);
    }
    run("tsc", &words);

    let count = || {
        let found = mlt().on(seeded.uri());
        let found = found.run("search --count --span-name answer");
        found.ok().trim().to_owned()
    };
    assert_eq!(run("tsx", &["none.mts"]), "");
    assert_eq!(count(), "1");
    let untraced = mlt()
        .on(seeded.uri())
        .run("instrument otel-typescript --sample 0");
    fs::write(folder.path().join("none.mts"), untraced.ok()).unwrap();
    run("tsx", &["none.mts"]);
    assert_eq!(count(), "1", "none of the calls are traced");
}

#[test]
fn lines_are_for_the_place_that_is_named_and_hold_no_secret() {
    let on = || mlt().env("MLFLOW_TRACKING_TOKEN", "s3cr3t-token");
    let printed = on()
        .on("https://user:hidden-password@host.example/prefix")
        .args([
            "-x",
            "it's \"odd\"\n",
            "instrument",
            "openai",
            "--sample",
            "25%",
        ])
        .run("");
    insta::assert_snapshot!(printed.stdout, @r#"
    # pip install 'mlflow>=3.4' openai
    import os

    os.environ["MLFLOW_TRACE_SAMPLING_RATIO"] = "0.25"

    import mlflow

    # MLflow logs in with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD
    mlflow.set_tracking_uri("https://host.example/prefix")
    mlflow.set_experiment("it's \"odd\"\n")
    mlflow.openai.autolog()
    "#);
    for name in [
        "otel-python",
        "otel-typescript",
        "otel-go",
        "otel-env",
        "openai",
    ] {
        let printed = on()
            .on("http://host:5000")
            .run(&format!("-x 3 instrument {name}"));
        for secret in ["s3cr3t", "hidden"] {
            assert!(!printed.ok().contains(secret), "{name}: {printed}");
        }
        assert!(
            printed.ok().contains("MLFLOW_TRACKING_TOKEN"),
            "{name}: {printed}"
        );
        assert!(printed.ok().contains('3'), "{name}: {printed}");
    }
    let database = mlt().on("sqlite:///a.db").run("instrument otel-go");
    assert!(
        database
            .fails(2)
            .contains("write to a server, found a database"),
        "{database}"
    );
    let file = mlt().on("-").run("instrument openai");
    assert!(file.fails(2).contains("found standard input"), "{file}");
    let unknown = mlt().on("http://h").run("instrument opnai");
    assert!(unknown.fails(2).contains("openai"), "{unknown}");
    let folder = tempfile::tempdir().unwrap();
    let usual = mlt().within(folder.path()).run("instrument decorator");
    assert_eq!(usual.code, Some(0), "{usual}");
    assert!(usual.stdout.contains("http://localhost:5000"), "{usual}");
    let said = "note: for a server at http://localhost:5000; -u names another place\n";
    assert_eq!(usual.stderr, said);
    let hooks = mlt().on("http://h:5001").run("-x 7 instrument claude-code");
    let last = hooks.ok().lines().last();
    assert_eq!(
        last,
        Some("mlflow autolog claude -u 'http://h:5001' -e '7'")
    );
}
