//! Workspaces of a real server, which hold experiments of the same name: the
//! server and its database have the same answers.

use crate::support::mlflow::workspaces;
use crate::support::{Mlt, Outcome, mlt};

/// What a command comes to on the server and on its database.
#[track_caller]
fn on_both(workspace: Option<&str>, command: &str) -> [Outcome; 2] {
    [workspaces().uri().to_owned(), workspaces().database_uri()].map(|uri| {
        let run = mlt().on(&uri);
        let run: Mlt = match workspace {
            Some(workspace) => run.env("MLFLOW_WORKSPACE", workspace),
            None => run,
        };
        run.run(command)
    })
}

#[test]
fn an_experiment_is_that_of_its_workspace() {
    for (workspace, names) in [
        ("team-a", vec!["team-a-0", "team-a-1", "team-a-2"]),
        ("team-b", vec!["team-b-0", "team-b-1"]),
    ] {
        for outcome in on_both(Some(workspace), "search -x chatbot --columns name -o csv") {
            let mut found: Vec<&str> = outcome.ok().lines().skip(1).collect();
            found.sort_unstable();
            assert_eq!(found, names, "{outcome}");
        }
    }
}

#[test]
fn no_experiment_of_another_workspace_is_found() {
    for outcome in on_both(None, "search -x chatbot") {
        assert_eq!(outcome.code, Some(3), "{outcome}");
        assert!(
            outcome.stderr.contains("no experiment `chatbot`"),
            "{outcome}"
        );
    }
    for outcome in on_both(Some("team-c"), "search -x chatbot") {
        assert_eq!(outcome.code, Some(3), "{outcome}");
        assert!(outcome.stderr.contains("team-c"), "{outcome}");
    }
}

#[test]
fn whole_stores_are_those_of_a_workspace() {
    for (workspace, count) in [(None, "1"), (Some("default"), "1"), (Some("team-a"), "3")] {
        for outcome in on_both(workspace, "search --count") {
            assert_eq!(outcome.stdout.trim(), count, "{outcome}");
        }
        for outcome in on_both(workspace, "stats count() -o csv") {
            assert!(outcome.stdout.contains(count), "{outcome}");
        }
    }
    // A database knows of the others, and who did not choose is told.
    let [_, database] = on_both(None, "search --count");
    assert_eq!(
        database.stderr,
        "warning: looked only at the workspace default, and not at team-a, team-b; \
         MLFLOW_WORKSPACE chooses one\n"
    );
    for outcome in on_both(Some("team-b"), "experiments -o csv") {
        assert!(
            outcome.ok().contains("chatbot") && !outcome.ok().contains("plain"),
            "{outcome}"
        );
    }
}

#[test]
fn a_trace_of_another_workspace_is_not_found() {
    let id = workspaces().case("team-a-0");
    for outcome in on_both(Some("team-a"), &format!("get {id} -o csv")) {
        assert!(outcome.ok().contains("team-a-0"), "{outcome}");
    }
    for outcome in on_both(Some("team-b"), &format!("get {id}")) {
        assert_eq!(outcome.code, Some(3), "{outcome}");
    }
    for outcome in on_both(Some("team-b"), &format!("tag {id} seen=yes")) {
        assert_eq!(outcome.code, Some(3), "{outcome}");
    }
    for outcome in on_both(Some("team-a"), "search --tag seen=yes --count -q") {
        assert_eq!(outcome.ok().trim(), "0", "{outcome}");
    }
}
