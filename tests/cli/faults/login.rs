//! How mlt logs in, and where from it takes what it needs for that.

use std::fs;

use insta::assert_snapshot;

use super::{BASIC, SECRET, USER, on, quick, with_password};
use crate::support::Mlt;
use crate::support::fake::{EXPERIMENTS, Fake, experiments};

fn fake() -> Fake {
    Fake::start().on("POST", EXPERIMENTS, experiments(&[]))
}

/// The `Authorization` header that a command sends.
fn sent(login: impl Fn(Mlt) -> Mlt) -> Option<String> {
    let fake = fake();
    let outcome = login(on(&fake)).run("search -o ids");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    fake.only_request()
        .header("authorization")
        .map(str::to_owned)
}

#[test]
fn nobody_logs_in_without_being_told() {
    assert_eq!(sent(|run| run), None);
    assert_eq!(sent(|run| run.env("MLFLOW_TRACKING_USERNAME", USER)), None);
}

#[test]
fn a_user_name_and_a_password_log_in() {
    assert_eq!(sent(with_password).as_deref(), Some(BASIC));
}

#[test]
fn a_token_logs_in() {
    let token = |run: Mlt| run.env("MLFLOW_TRACKING_TOKEN", "t0ken");
    assert_eq!(sent(token).as_deref(), Some("Bearer t0ken"));
}

#[test]
fn a_password_wins_over_a_token() {
    let both = |run: Mlt| with_password(run).env("MLFLOW_TRACKING_TOKEN", "t0ken");
    assert_eq!(sent(both).as_deref(), Some(BASIC));
}

#[test]
fn the_uri_may_hold_a_user_name_and_a_password() {
    for login in [format!("{USER}:{SECRET}"), format!("{USER}:%70a55w0rd")] {
        let fake = fake();
        let uri = fake.uri().replace("//", &format!("//{login}@"));
        let outcome = quick()
            .env("MLFLOW_TRACKING_TOKEN", "t0ken")
            .on(&uri)
            .run("search -o ids");
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert_eq!(fake.only_request().header("authorization"), Some(BASIC));
    }
}

#[test]
fn a_file_in_the_home_folder_logs_in_as_in_mlflow() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".mlflow")).unwrap();
    let text = format!(
        "[mlflow]\nmlflow_tracking_username = {USER}\nmlflow_tracking_password = {SECRET}\n"
    );
    fs::write(home.path().join(".mlflow/credentials"), text).unwrap();
    let home = home.path().to_str().unwrap();
    assert_eq!(sent(|run| run.env("HOME", home)).as_deref(), Some(BASIC));
    let other = sent(|run| run.env("HOME", home).env("MLFLOW_TRACKING_USERNAME", "bob"));
    assert_eq!(other.as_deref(), Some("Basic Ym9iOnBhNTV3MHJk"));
}

#[test]
fn a_broken_file_in_the_home_folder_is_not_quoted() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".mlflow")).unwrap();
    fs::write(
        home.path().join(".mlflow/credentials"),
        format!("[mlflow]\n{SECRET}\n"),
    )
    .unwrap();
    let home = home.path().to_str().unwrap();
    let outcome = on(&fake()).env("HOME", home).run("search");
    super::check(&outcome, 6);
    assert_snapshot!(outcome.to_string().replace(home, "HOME"), @"
    --- stderr
    error: cannot read HOME/.mlflow/credentials: line 3 is not INI (expected `key = value`)
    --- exit 6
    ");
}

#[test]
fn ways_to_log_in_that_mlt_lacks_are_usage_errors() {
    let outcome = on(&fake())
        .env("MLFLOW_TRACKING_AWS_SIGV4", "true")
        .run("search");
    assert_snapshot!(outcome, @"
    --- stderr
    error: mlt cannot log in by MLFLOW_TRACKING_AWS_SIGV4
    hint: log in with MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN
    --- exit 2
    ");
    let outcome = on(&fake())
        .env("MLFLOW_TRACKING_AUTH", "kerberos")
        .run("search");
    assert_eq!(outcome.code, Some(2), "{outcome}");
}

#[test]
fn a_workspace_is_named_only_when_one_is_set() {
    let sent = |run: Mlt, fake: &Fake| {
        assert_eq!(run.run("search -o ids").code, Some(0));
        fake.only_request()
            .header("x-mlflow-workspace")
            .map(str::to_owned)
    };
    let (with, without) = (fake(), fake());
    let run = on(&with).env("MLFLOW_WORKSPACE", "team-a");
    assert_eq!(sent(run, &with).as_deref(), Some("team-a"));
    assert_eq!(sent(on(&without), &without), None);
}

#[test]
fn a_header_that_cannot_be_sent_is_an_error_that_shows_no_secret() {
    for variable in ["MLFLOW_TRACKING_TOKEN", "MLFLOW_WORKSPACE"] {
        let value = format!("{SECRET}\nx");
        let outcome = on(&fake()).env(variable, &value).run("search");
        super::check(&outcome, 2);
        assert!(outcome.stderr.contains(variable), "{outcome}");
    }
}

#[test]
fn requests_say_who_asks_and_what_they_accept() {
    let fake = fake();
    on(&fake).run("search -o ids");
    let request = fake.only_request();
    let agent = format!("mlt/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(request.header("user-agent"), Some(agent.as_str()));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("origin"), None);
}
