//! `mlt skill`: what it tells agents to type is what mlt takes.

use crate::alone::help::COMMANDS;
use crate::support::{line_on_the_demo, mlt};

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
    let text = skill();
    let commands = commands(&text);
    assert!(commands.len() > 25);
    for command in &commands {
        let output = line_on_the_demo(command);
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
