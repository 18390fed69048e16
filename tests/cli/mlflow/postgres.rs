//! MLflow's tables in PostgreSQL, read and changed directly: what the same rows give in
//! SQLite, by any login, and refused in a sentence that holds no password.

mod changes;
mod elsewhere;
mod statistics;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::databases::answers_are_those_of_the_same_rows;
use crate::support::mlt;
use crate::support::postgres::{on_postgres, postgres};

/// The password of the role that may read and nothing else.
const PASSWORD: &str = "p@ss/w:rd";

/// Creates a role with that password.
fn role(name: &str, grants: &str) {
    let server = postgres();
    server.sql(
        "rich",
        &format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'; {grants}"),
    );
}

#[test]
fn every_answer_is_that_of_the_same_rows_in_sqlite() {
    answers_are_those_of_the_same_rows(&postgres().uri(), &[]);
}

#[test]
fn tags_are_changed_in_the_table_and_in_their_column() {
    let server = postgres();
    let uri = server.copy("tags");
    let here = || mlt().on(&uri);
    let id = here().newest();
    here()
        .run(&format!("tag {id} a=it's b= mlflow.traceName=new --yes"))
        .ok();
    let tags = format!(
        "SELECT key, value FROM trace_tags WHERE request_id = '{id}' AND key IN ('a', 'b', 'mlflow.traceName') ORDER BY 1"
    );
    assert_eq!(server.sql("tags", &tags), "a|it's\nb|\n");
    let name = format!("SELECT trace_name FROM trace_info WHERE request_id = '{id}'");
    assert_eq!(server.sql("tags", &name), "new\n");
    here()
        .run(&format!("tag {id} a=again --delete b --yes"))
        .ok();
    assert_eq!(server.sql("tags", &tags), "a|again\n");
    let some = here().run(&format!("tag {id} tr-none a=x --yes"));
    assert!(
        some.code == Some(3) && some.stderr.contains("no trace `tr-none`"),
        "{some}"
    );
    assert_eq!(server.sql("tags", &tags), "a|x\n");
    assert_eq!(server.sql("tags", &name), "new\n");
}

#[test]
fn a_role_that_may_only_read_reads_and_changes_nothing() {
    role(
        "reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    );
    let by = postgres().uri_of("reader");
    let id = mlt().on(&by).newest();
    let refused = mlt().on(&by).run(&format!("tag {id} a=x --yes"));
    assert!(
        refused.stderr.contains("this user may only read"),
        "{}",
        refused.stderr
    );
    assert_ne!(refused.code, Some(0));
    let found = postgres().sql("rich", "SELECT count(*) FROM trace_tags WHERE key = 'a'");
    assert_eq!(found, "0\n");
}

#[test]
fn a_login_comes_from_the_uri_or_a_variable_and_is_never_shown() {
    role(
        "scram",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO scram",
    );
    postgres().ask_for_password("scram");
    let encoded = "scram:p%40ss%2Fw%3Ard";
    let by_uri = mlt()
        .on(&postgres().uri_of(encoded))
        .run("search -n 1 -o ids -v");
    assert_eq!(by_uri.code, Some(0), "{by_uri}");
    assert!(!by_uri.stderr.contains("p%40ss") && !by_uri.stderr.contains(PASSWORD));
    let secret = mlt()
        .on(&postgres().uri_of(encoded))
        .run("search --count -v -f tags.k='s3cret'");
    let said = regex::Regex::new(r"(?m)^SELECT .+\$1.* -> (begun|\d+ rows?) in ").unwrap();
    assert!(said.is_match(&secret.stderr), "{secret}");
    assert!(!secret.stderr.contains("s3cret"), "{secret}");
    let plain = postgres().uri_of("scram");
    mlt()
        .on(&plain)
        .env("PGPASSWORD", PASSWORD)
        .run("experiments")
        .ok();
    let without = mlt().on(&plain).run("experiments");
    assert!(
        without.fails(5).contains("it wants a password"),
        "{}",
        without.stderr
    );
    let wrong = mlt()
        .on(&plain)
        .env("PGPASSWORD", "s3cret")
        .run("experiments");
    assert!(
        wrong
            .fails(5)
            .contains("does not take this user and password"),
        "{}",
        wrong.stderr
    );
    assert!(!wrong.stderr.contains("s3cret"), "{}", wrong.stderr);
    let shown = mlt()
        .on(&postgres().uri_of("scram:p@ss/w"))
        .run("experiments");
    assert!(
        shown.fails(2).contains("%2F") && !shown.stderr.contains("ss/w"),
        "{}",
        shown.stderr
    );
}

#[test]
fn what_stands_in_the_way_is_said_in_a_sentence() {
    role("stranger", "");
    role(
        "guest",
        "GRANT SELECT ON trace_info, experiments, workspaces TO guest",
    );
    let host = postgres().uri_of("mlflow");
    for (uri, code, said) in [
        (
            host.replace("/rich", "/none"),
            4,
            "there is no such database",
        ),
        (
            host.replace("/rich", "/postgres"),
            6,
            "it has no table `experiments`",
        ),
        (
            postgres().uri_of("stranger"),
            5,
            "this user may not read its tables",
        ),
        (
            postgres().uri_of("guest"),
            5,
            "this user may not read all of its tables: assessments, entity_associations,",
        ),
        (
            host.replace("postgresql://", "mysql://"),
            4,
            "PostgreSQL answers there",
        ),
        (
            host.replace("postgresql://mlflow@", "http://"),
            4,
            "PostgreSQL answers there",
        ),
        (
            format!("{host}?options=-csearch_path%3Dnone"),
            6,
            "it has no table",
        ),
        (
            "postgresql://a@127.0.0.1:1/x".to_owned(),
            4,
            "connection refused",
        ),
    ] {
        let refused = mlt().on(&uri).run("search");
        assert!(
            refused.fails(code).contains(said),
            "{uri}: {}",
            refused.stderr
        );
        assert!(!refused.stderr.contains("FROM"), "{}", refused.stderr);
    }
    mlt()
        .on(&postgres().uri_of_socket())
        .run("experiments")
        .ok();
}

#[test]
fn a_statement_takes_no_longer_than_it_may() {
    let begin = Instant::now();
    let ended = on_postgres().run("search --all --max-time 1ms -f tokens>0");
    assert!(
        ended.fails(4).contains("whole answer within 0.001 s"),
        "{}",
        ended.stderr
    );
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn traces_are_found_by_their_indexes() {
    let plan = |filter: &str, more: &str| {
        let words = ["search", "--explain", "-f", filter].into_iter();
        let explained = on_postgres()
            .args(words.chain(more.split_whitespace()))
            .run("");
        explained.ok().to_owned()
    };
    let newest = plan("status = 'OK'", "-n 10 -x many");
    assert!(
        newest.contains("index_trace_info_experiment_id_timestamp_ms"),
        "{newest}"
    );
    let one = plan("trace_id = 'tr-1'", "");
    assert!(one.contains("trace_info_pk"), "{one}");
}

#[test]
fn a_certificate_is_checked_as_the_uri_says() {
    let certificate = postgres().certificate();
    let by_address = postgres().uri_of("mlflow");
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let known = format!("sslrootcert={}", certificate.display());
    for (uri, said) in [
        (format!("{by_address}?sslmode=disable"), None),
        (format!("{by_address}?sslmode=require"), None),
        (format!("{by_address}?sslmode=verify-ca&{known}"), None),
        (format!("{by_name}?sslmode=verify-full&{known}"), None),
        (
            format!("{by_address}?sslmode=verify-full&{known}"),
            Some("its certificate cannot be trusted"),
        ),
        (
            format!("{by_name}?sslmode=verify-full"),
            Some("its certificate cannot be trusted"),
        ),
        (
            format!("{by_name}?sslmode=verify-ca&sslrootcert=/none"),
            Some("sslrootcert"),
        ),
    ] {
        let outcome = mlt().on(&uri).run("experiments");
        match said {
            None => assert!(outcome.ok().contains("rich"), "{uri}"),
            Some(said) => assert!(outcome.stderr.contains(said), "{uri}: {outcome}"),
        }
    }
    let shown = postgres().sql("rich", "SHOW ssl");
    assert_eq!(shown, "on\n");
    std::fs::remove_file(certificate).unwrap();
}

#[test]
fn a_search_goes_on_with_what_arrives_though_the_connection_ends() {
    let server = postgres();
    let uri = server.copy("arrivals");
    let mut follow = Command::new(env!("CARGO_BIN_EXE_mlt"))
        .args([
            "search",
            "--follow",
            "--for",
            "90s",
            "-o",
            "ids",
            "-f",
            "tags.late = 'x'",
        ])
        .env("MLFLOW_TRACKING_URI", &uri)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_secs(1));
    server.sql(
        "arrivals",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = 'arrivals' AND pid <> pg_backend_pid()",
    );
    server.sql(
        "arrivals",
        "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status) \
         VALUES ('tr-late', 1, (extract(epoch FROM now()) * 1000)::bigint, 5, 'OK'); \
         INSERT INTO trace_tags (request_id, key, value) VALUES ('tr-late', 'late', 'x')",
    );
    let mut line = String::new();
    BufReader::new(follow.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    follow.kill().unwrap();
    follow.wait().unwrap();
    assert_eq!(line, "tr-late\n");
}
