//! `mlt skill`: what it tells agents to type is what mlt takes.

use std::path::Path;
use std::process::Command;

use crate::alone::help::COMMANDS;
use crate::support::mlt;

fn skill() -> String {
    mlt().run("skill").ok().to_owned()
}

/// The lines of its blocks for a shell.
fn commands(text: &str) -> Vec<&str> {
    let blocks = text.split("```sh\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).collect()
}

#[test]
fn it_is_a_skill_of_this_version() {
    let text = skill();
    let head = text.strip_prefix("---\n").unwrap();
    let (head, _) = head.split_once("\n---\n").unwrap();
    let keys: Vec<&str> = head
        .lines()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(keys, ["name", "description"]);
    let described = head.lines().nth(1).unwrap();
    // What YAML would take for something else.
    assert_eq!(described.matches(": ").count(), 1, "{described}");
    assert!(
        !described.contains(" #") && described.len() < 1024,
        "{described}"
    );
    assert!(head.contains(concat!("mlt ", env!("CARGO_PKG_VERSION"))));
    assert!(text.lines().count() < 120 && !text.contains("{version}"));
}

#[test]
fn each_of_its_commands_runs_on_the_demo_store() {
    let bin = Path::new(env!("CARGO_BIN_EXE_mlt")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let text = skill();
    let commands = commands(&text);
    assert!(commands.len() > 25);
    for command in &commands {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new("bash")
            .args(["-c", command])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", &path)
            .env("HOME", folder.path())
            .env("TZ", "UTC")
            .env("MLFLOW_TRACKING_URI", "demo:")
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
    }
    for name in [
        "search", "get", "session", "latency", "stats", "diff", "check", "errors", "tag", "export",
        "keys",
    ] {
        assert!(COMMANDS.contains(&name));
        let begins = |command: &&&str| command.starts_with(&format!("mlt {name} "));
        assert!(commands.iter().any(|command| begins(&command)), "{name}");
    }
}
