//! How mlt logs in, and where from it takes what it needs for that.

use std::fs;

use insta::assert_snapshot;

use super::{BASIC, SECRET, USER, on, quick, with_password};
use crate::support::Mlt;
use crate::support::fake::{EXPERIMENTS, Fake, Reply, experiments};

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

/// A home folder with these credentials.
fn home(credentials: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".mlflow")).unwrap();
    fs::write(home.path().join(".mlflow/credentials"), credentials).unwrap();
    home
}

#[test]
fn a_broken_file_in_the_home_folder_is_told_and_not_quoted() {
    let folder = home(&format!("[mlflow]\n{SECRET}\n"));
    let home = folder.path().to_str().unwrap();
    let fake = fake();
    let outcome = on(&fake)
        .env("HOME", home)
        .env("MLT_PATIENCE", "0")
        .run("search");
    super::assert_no_secret(&outcome);
    assert_snapshot!(outcome.to_string().replace(home, "HOME"), @"
    --- stderr
    warning: cannot read HOME/.mlflow/credentials: line 3 is not INI (expected `key = value`); going on without it
    note: no traces match
    --- exit 0
    ");
    assert_eq!(fake.only_request().header("authorization"), None);
}

#[test]
fn what_is_no_file_of_credentials_is_told_and_passed_over() {
    let folder = home("");
    let path = folder.path().join(".mlflow/credentials");
    let search = || {
        on(&fake())
            .env("HOME", folder.path().to_str().unwrap())
            .run("search")
    };
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let outcome = search();
    assert_eq!(outcome.code, Some(0), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("it is not a regular file, but a directory; going on"),
        "{outcome}"
    );
    fs::remove_dir(&path).unwrap();
    fs::write(&path, vec![b'#'; 2_000_000]).unwrap();
    let outcome = search();
    assert!(
        outcome.stderr.contains("it is larger than 1 MiB"),
        "{outcome}"
    );
    // With a login in the environment nobody looks.
    let outcome = with_password(on(&fake()))
        .env("HOME", folder.path().to_str().unwrap())
        .run("search -o ids");
    assert!(!outcome.stderr.contains("warning"), "{outcome}");
}

#[test]
fn a_password_on_the_command_line_is_warned_about() {
    let fake = fake();
    let uri = fake.uri().replace("//", &format!("//{USER}:{SECRET}@"));
    let outcome = quick().run(&format!("-u {uri} search"));
    super::assert_no_secret(&outcome);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let warning = "warning: everybody on this machine can see the password in --tracking-uri; ";
    assert!(outcome.stderr.starts_with(warning), "{outcome}");
    let quiet = quick().on(&uri).run("search");
    assert!(!quiet.stderr.contains("warning"), "{quiet}");
}

#[test]
fn a_mistaken_uri_does_not_show_its_password() {
    for uri in [
        format!("http//{USER}:{SECRET}@h"),
        format!("http:/{USER}:{SECRET}@h"),
        format!("//{USER}:{SECRET}@h"),
        format!("http://{USER}:1/{SECRET}@h"),
        format!("http://{USER}:{SECRET}/x@h"),
        format!("http://{USER}:{SECRET}@h:port"),
        format!("{USER}:{SECRET}@h:5000"),
    ] {
        for outcome in [
            quick().on(&uri).run("search"),
            quick().run(&format!("-u {uri} search")),
        ] {
            super::assert_no_secret(&outcome);
            assert_eq!(outcome.code, Some(2), "{uri}: {outcome}");
        }
    }
}

#[test]
fn what_a_server_repeats_of_a_login_is_hidden() {
    let repeats = |status: u16| {
        Fake::start().on_call("POST", EXPERIMENTS, move |request, _| {
            let heard = request.header("authorization").unwrap_or_default();
            let said = format!("{heard} is {USER}:{SECRET}, http://{USER}:{SECRET}@h");
            Reply::error(status, SECRET, &said)
        })
    };
    for status in [400, 403, 422, 500, 503] {
        super::fault(
            || repeats(status),
            "search",
            if status == 403 { 5 } else { 4 },
        );
    }
    let as_text = || {
        Fake::start().on_call("POST", EXPERIMENTS, |request, _| {
            let heard = request.header("authorization").unwrap_or_default();
            Reply::text("text/plain", format!("{heard} {SECRET}"))
        })
    };
    let text = super::fault(as_text, "search", 4);
    assert!(
        text.contains("the text `Basic [hidden] [hidden]`"),
        "{text}"
    );
    let token = "dapi 1/2+3";
    let fake = Fake::start().on(
        "POST",
        EXPERIMENTS,
        Reply::error(400, "X", "dapi%201%2F2%2B3?"),
    );
    let outcome = on(&fake).env("MLFLOW_TRACKING_TOKEN", token).run("search");
    assert!(outcome.fails(4).contains(" X: [hidden]?"), "{outcome}");
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
