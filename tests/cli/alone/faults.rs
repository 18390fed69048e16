//! What happens when a server, a proxy or the network misbehaves: the exit code,
//! the words, what is sent again and to whom, and that no secret is ever shown.

mod answers;
mod closing;
pub(crate) mod corpus;
mod deleting;
mod importing;
mod limits;
mod login;
mod network;
mod paging;
mod proxies;
mod redirects;
mod requests;
mod retries;

use crate::support::fake::Fake;
use crate::support::{Mlt, Outcome, mlt};

const USER: &str = "ann";
const SECRET: &str = "pa55w0rd";
/// The secret as it stands in a basic `Authorization` header.
pub(crate) const BASIC: &str = "Basic YW5uOnBhNTV3MHJk";

/// mlt on a server, with retries that do not wait.
fn on(fake: &Fake) -> Mlt {
    quick().on(&fake.uri())
}

pub(crate) fn quick() -> Mlt {
    mlt()
        .env("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0.001")
        .env("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
}

pub(crate) fn with_password(run: Mlt) -> Mlt {
    run.env("MLFLOW_TRACKING_USERNAME", USER)
        .env("MLFLOW_TRACKING_PASSWORD", SECRET)
}

/// Runs `words` on servers with the same fault, logging in in every way, quietly
/// and with `--verbose`. Gives the outcome for one snapshot, after the checks
/// that hold for every fault: the exit code, one sentence with hints, nothing
/// that looks like data, and no secret.
#[track_caller]
fn fault(make: impl Fn() -> Fake, words: &str, code: i32) -> String {
    let fake = make();
    let shown = with_password(on(&fake)).run(words);
    check(&shown, code);
    assert_one_sentence(&shown.stderr);

    let other = make();
    let runs = [
        with_password(on(&other)).args(["--verbose"]).run(words),
        quick()
            .on(&other.uri().replace("//", &format!("//{USER}:{SECRET}@")))
            .args(["--verbose", "--output=json"])
            .run(words),
        on(&other)
            .env("MLFLOW_TRACKING_TOKEN", SECRET)
            .args(["--verbose", "--color=always"])
            .run(words),
    ];
    for outcome in &runs {
        check(outcome, code);
    }
    without_port(&shown, &fake)
}

#[track_caller]
fn check(outcome: &Outcome, code: i32) {
    outcome.fails(code);
    assert_no_secret(outcome);
}

#[track_caller]
pub(crate) fn assert_no_secret(outcome: &Outcome) {
    let text = outcome.to_string();
    for secret in [SECRET, BASIC.trim_start_matches("Basic ")] {
        assert!(!text.contains(secret), "{secret} is shown: {text}");
    }
}

#[track_caller]
fn assert_one_sentence(stderr: &str) {
    let mut lines = stderr.lines();
    let first = lines.next().unwrap_or_default();
    let sentence = first.strip_prefix("error: ").unwrap_or_default();
    let starts_low = sentence.starts_with(|c: char| !c.is_uppercase());
    assert!(starts_low && !sentence.ends_with('.'), "{stderr}");
    for line in lines {
        assert!(line.starts_with("hint: "), "{stderr}");
    }
}

/// The outcome with `HOST` for the server's address.
fn without_port(outcome: &Outcome, fake: &Fake) -> String {
    outcome.to_string().replace(&fake.host(), "HOST")
}
