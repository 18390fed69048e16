//! MLflow's tables in MariaDB, read and tagged directly: what the same rows give in SQLite,
//! by any login, and refused in a sentence that holds no password.

mod changes;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::databases::answers_are_those_of_the_same_rows;
use crate::support::mlt;
use crate::support::mysql::{mysql, on_mysql};

const PASSWORD: &str = "p@ss/w:rd";

/// Creates a user with that password.
fn user(name: &str, grants: &str) -> String {
    mysql().sql(
        "",
        &format!("CREATE USER {name} IDENTIFIED BY '{PASSWORD}'; {grants}"),
    );
    mysql().uri_with("mysql", name, "rich")
}

#[test]
fn every_answer_is_that_of_the_same_rows_in_sqlite() {
    let stretches = [
        // Stretch of time by stretch of time, to the end or not.
        "search -n 1100 -o ids",
        "search -n 1300 -o ids -f name\u{a0}NOT\u{a0}RLIKE\u{a0}'^a'",
        "search -n 5000 -o ids -f name\u{a0}NOT\u{a0}RLIKE\u{a0}'^b'",
    ];
    answers_are_those_of_the_same_rows(&mysql().uri(), &stretches);
}

/// Traces that MLflow makes there, alike to its collation and to nobody else.
const ALIKE: &str = r"
import mlflow
mlflow.set_experiment('alike')
for name, value in [('Straße', 'É'), ('strasse', 'e'), ('STRASSE', 'E'), ('strasse ', 'e '),
                    ('a_b', r'C:\x'), ('axb', 'C:x'), ('100%', '|'), ('🎉', 'ß'), ('\u212a', 'k')]:
    with mlflow.start_span(name) as span:
        mlflow.update_current_trace(tags={'Key': value}, metadata={'m': value})
        with mlflow.start_span(name, span_type='LLM'):
            pass
";

#[test]
fn texts_are_alike_where_their_characters_are() {
    let uri = mysql().copy("alike");
    mysql().python("alike", ALIKE);
    let found = |filter: &str| {
        let words = [
            "search",
            "-x",
            "alike",
            "--all",
            "--columns",
            "name",
            "-o",
            "csv",
        ];
        let found = mlt()
            .on(&uri)
            .args(
                words
                    .into_iter()
                    .chain(["--order-by", "name", "-f", filter]),
            )
            .run("");
        assert_eq!(found.code, Some(0), "{filter}: {found}");
        let lines = found.stdout.lines().skip(1).map(str::to_owned);
        lines.collect::<Vec<_>>().join(",")
    };
    let everything = "100%,STRASSE,Straße,a_b,axb,strasse,strasse ,\u{212a},🎉";
    for (filter, expected) in [
        ("time > 0", everything),
        ("name = 'strasse'", "strasse"),
        ("name = 'strasse '", "strasse "),
        ("name IN ('STRASSE', 'A_B')", "STRASSE"),
        (
            "name NOT LIKE '%s%'",
            "100%,STRASSE,Straße,a_b,axb,\u{212a},🎉",
        ),
        ("name LIKE 's%'", "strasse,strasse "),
        ("name LIKE 'a_b'", "a_b,axb"),
        ("name LIKE '_'", "\u{212a},🎉"),
        ("name ILIKE 'S%e'", "STRASSE,Straße,strasse"),
        ("name ILIKE 'k'", ""),
        ("tags.Key = 'e'", "strasse"),
        ("tags.key = 'e'", ""),
        (r"tags.Key LIKE '%\%'", "a_b"),
        ("tags.Key LIKE '%|%'", "100%"),
        ("metadata.m = 'E'", "STRASSE"),
        ("metadata.M IS NULL", everything),
        ("span.name = 'straSSe'", ""),
        (
            "count(span.name = 'strasse' AND span.type = 'LLM') = 1",
            "strasse",
        ),
        ("span.type = 'LLM' AND span.name LIKE '%🎉%'", "🎉"),
    ] {
        assert_eq!(found(filter), expected, "{filter}");
    }
    let named = mlt().on(&uri).run("search -x ALIKE");
    assert!(named.fails(3).contains("ALIKE"), "{named}");
}

#[test]
fn tags_are_changed_in_the_table_and_in_their_column() {
    let server = mysql();
    let uri = server.copy("tags");
    let here = || mlt().on(&uri);
    let id = here().newest();
    here()
        .run(&format!(r"tag {id} a=it's\b b= mlflow.traceName=new --yes"))
        .ok();
    let tags = format!(
        "SELECT `key`, value FROM trace_tags WHERE request_id = '{id}' \
         AND `key` IN ('a', 'b', 'mlflow.traceName') ORDER BY 1"
    );
    assert_eq!(server.sql("tags", &tags), "a\tit's\\b\nb\t\n");
    let name = format!("SELECT trace_name FROM trace_info WHERE request_id = '{id}'");
    assert_eq!(server.sql("tags", &name), "new\n");
    // The database has one key for what differs in case.
    let dry = here().run(&format!("tag {id} A=again --dry-run"));
    assert!(dry.ok().contains(r"A=again (was a=it's\b)"), "{dry}");
    here()
        .run(&format!("tag {id} A=again --delete B --yes"))
        .ok();
    assert_eq!(server.sql("tags", &tags), "A\tagain\n");
    let some = here().run(&format!("tag {id} tr-none a=x --yes"));
    assert!(
        some.code == Some(3) && some.stderr.contains("no trace `tr-none`"),
        "{some}"
    );
    assert_eq!(server.sql("tags", &tags), "a\tx\n");
    // So it has for what differs in accents or spaces at the end; of two such keys in one
    // command, nobody knows which is meant.
    for (key, said) in [("á=y", "á=y (was a=x)"), ("a =y", "a =y (was a=x)")] {
        let dry = here().args(["tag", &id, key]).run("--dry-run");
        assert!(dry.ok().contains(said), "{dry}");
    }
    for words in ["a=1 A=2", "a=1 --delete Á"] {
        let refused = here().run(&format!("tag {id} {words} --yes"));
        assert!(
            refused.fails(2).contains("are the same key of a tag"),
            "{refused}"
        );
    }
    assert_eq!(server.sql("tags", &tags), "a\tx\n");
    // Where the collation tells them apart, they are two keys.
    let apart = server.copy("tags_apart");
    server.sql(
        "tags_apart",
        "ALTER TABLE trace_tags MODIFY `key` VARCHAR(250) CHARACTER SET utf8mb4 \
         COLLATE utf8mb4_bin NOT NULL",
    );
    let both = mlt().on(&apart).run(&format!("tag {id} a=1 A=2 --yes"));
    assert!(both.ok().contains("a=1, A=2"), "{both}");
    assert_eq!(
        server.sql("tags_apart", &tags.replace("'b'", "'A'")),
        "A\t2\na\t1\n"
    );
    let upper = here().run(&format!("tag {} a=y --yes", id.to_uppercase()));
    assert_eq!(upper.code, Some(3), "{upper}");
    assert_eq!(server.sql("tags", &tags), "a\tx\n");
}

#[test]
fn a_user_who_may_only_read_reads_and_changes_nothing() {
    let by = user("reader", "GRANT SELECT ON rich.* TO reader");
    let by = || mlt().on(&by).env("MYSQL_PWD", PASSWORD);
    let id = by().newest();
    let refused = by().run(&format!("tag {id} never=x --yes"));
    assert!(
        refused.fails(5).contains("this user may only read"),
        "{refused}"
    );
    let found = mysql().sql(
        "rich",
        "SELECT count(*) FROM trace_tags WHERE `key` = 'never'",
    );
    assert_eq!(found, "0\n");
}

#[test]
fn what_a_user_may_not_read_is_not_taken_for_missing() {
    let tables = [
        "experiments",
        "trace_info",
        "trace_tags",
        "trace_request_metadata",
    ];
    let grants = tables.map(|table| format!("GRANT SELECT ON rich.{table} TO partly"));
    let by = user("partly", &grants.join("; "));
    let refused = mlt().on(&by).env("MYSQL_PWD", PASSWORD).run("search");
    assert!(
        refused
            .fails(5)
            .contains("this user may not read all of its tables: spans, assessments"),
        "{refused}"
    );
}

#[test]
fn a_login_comes_from_the_uri_or_a_variable_and_is_never_shown() {
    let plain = user("ann", "GRANT SELECT ON rich.* TO ann");
    let encoded = plain.replace("ann@", "ann:p%40ss%2Fw%3Ard@");
    let by_uri = mlt().on(&encoded).run("search -n 1 -o ids -v");
    assert_eq!(by_uri.code, Some(0), "{by_uri}");
    assert!(!by_uri.stderr.contains("p%40ss") && !by_uri.stderr.contains(PASSWORD));
    mlt()
        .on(&plain)
        .env("MYSQL_PWD", PASSWORD)
        .run("experiments")
        .ok();
    let without = mlt().on(&plain).run("experiments");
    assert!(
        without.fails(5).contains("it wants a password"),
        "{without}"
    );
    let wrong = mlt()
        .on(&plain)
        .env("MYSQL_PWD", "s3cret")
        .run("experiments");
    assert!(
        wrong
            .fails(5)
            .contains("does not take this user and password"),
        "{wrong}"
    );
    assert!(!wrong.stderr.contains("s3cret"), "{wrong}");
    let shown = mlt()
        .on(&plain.replace("ann@", "ann:p@ss/w@"))
        .run("experiments");
    assert!(
        shown.fails(2).contains("%2F") && !shown.stderr.contains("ss/w"),
        "{shown}"
    );
}

#[test]
fn what_stands_in_the_way_is_said_in_a_sentence() {
    let stranger = user("stranger", "").replace("stranger@", "stranger:p%40ss%2Fw%3Ard@");
    mysql().sql("", "CREATE DATABASE IF NOT EXISTS empty");
    let here = mysql().uri();
    for (uri, code, said) in [
        (
            here.replace("/rich", "/none"),
            4,
            "there is no such database",
        ),
        (
            here.replace("/rich", "/empty"),
            6,
            "it has no table `experiments`",
        ),
        (stranger.clone(), 5, "this user may not read its tables"),
        (
            stranger.replace("/rich", "/none"),
            5,
            "or there is no such database",
        ),
        (
            here.replace("mysql://", "postgresql://"),
            4,
            "MySQL answers there",
        ),
        (
            here.replace("mysql://mlflow@", "http://"),
            4,
            "MySQL answers there",
        ),
        (
            "mysql://a@127.0.0.1:1/x".to_owned(),
            4,
            "connection refused",
        ),
        (
            "mysql://a@nowhere.invalid/x".to_owned(),
            4,
            "nowhere.invalid",
        ),
        (format!("{here}?ssl_ca=/none"), 2, "ssl_ca"),
    ] {
        let refused = mlt().on(&uri).run("search");
        assert!(refused.fails(code).contains(said), "{uri}: {refused}");
        assert!(!refused.stderr.contains("FROM"), "{refused}");
    }
    mlt().on(&mysql().uri_of_socket()).run("experiments").ok();
}

#[test]
fn texts_that_a_column_does_not_take_are_told_with_it() {
    let server = mysql();
    let uri = server.copy("narrow");
    let narrow = "CHARACTER SET utf8mb3";
    server.sql(
        "narrow",
        &format!(
            "UPDATE trace_tags SET value = 'x' WHERE length(value) <> char_length(value); \
             ALTER TABLE trace_tags MODIFY value varchar(8000) {narrow}; \
             ALTER TABLE trace_info MODIFY client_request_id varchar(50) {narrow}"
        ),
    );
    let here = |words: &[&str]| mlt().on(&uri).args(words).run("");
    let id = here(&["search", "-n", "1", "-o", "ids"])
        .ok()
        .trim()
        .to_owned();
    let long = "k".repeat(70_000);
    for (words, said) in [
        (
            vec!["tag", &id, "a=\u{1f600}"],
            "trace_tags.value does not take every character of a text, such as emoji",
        ),
        (
            vec!["assess", &id, "a=x", "--rationale", &long],
            "a text is too long: assessments.rationale takes 65,535 bytes at most",
        ),
    ] {
        let refused = here(&words);
        assert!(refused.fails(6).contains(said), "{}", refused.stderr);
        assert!(!refused.stderr.contains("kkk"), "{}", refused.stderr);
    }
    let count = |filter: &str| here(&["search", "--count", "-f", filter]).ok().to_owned();
    let known = count("client_request_id IN ('crid-70', 'crid-1')");
    assert_ne!(known, "0\n");
    for filter in [
        "client_request_id IN ('crid-70', '\u{1f600}', 'crid-1')",
        "client_request_id IN ('crid-70', 'crid-1') AND client_request_id != '\u{1f600}'",
    ] {
        assert_eq!(count(filter), known, "{filter}");
    }
    assert_eq!(count("client_request_id = '\u{1f600}'"), "0\n");
}

#[test]
fn a_statement_takes_no_longer_than_it_may() {
    let begin = Instant::now();
    let ended = on_mysql()
        .args(["search", "-f", "span.content ILIKE '%a%b%c%d%'"])
        .run("--all --max-time 1ms");
    assert!(
        ended.fails(4).contains("whole answer within 0.001 s"),
        "{ended}"
    );
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn traces_are_found_by_their_indexes() {
    let newest = on_mysql().run("search -x rich -n 2 -o ids");
    let ids: Vec<&str> = newest.ok().lines().collect();
    for (filter, index) in [
        (
            format!("trace_id IN ('{}', '{}')", ids[0], ids[1]),
            "PRIMARY",
        ),
        ("session = 's-1'".to_owned(), "session"),
    ] {
        let explained = on_mysql()
            .args(["search", "--explain", "-x", "rich", "-f", &filter])
            .run("");
        let steps = explained.ok().lines().last().unwrap_or_default();
        assert!(steps.contains(index), "{filter}: {explained}");
    }
}

#[test]
fn a_certificate_is_checked_as_the_uri_says() {
    let by_address = mysql().uri();
    let by_name = by_address.replace("127.0.0.1", "localhost");
    let known = format!("ssl_ca={}", mysql().certificate().display());
    let untrusted = Some("its certificate cannot be trusted");
    for (uri, said) in [
        (format!("{by_address}?ssl_disabled=true"), None),
        (format!("{by_address}?ssl_mode=REQUIRED"), None),
        (format!("{by_name}?{known}"), None),
        (
            format!("{by_address}?{known}&ssl_check_hostname=false"),
            None,
        ),
        (format!("{by_address}?{known}"), untrusted),
        (format!("{by_name}?ssl_verify_cert=true"), untrusted),
    ] {
        let outcome = mlt().on(&uri).run("experiments");
        match said {
            None => assert!(outcome.ok().contains("rich"), "{uri}"),
            Some(said) => assert!(outcome.fails(4).contains(said), "{uri}: {outcome}"),
        }
    }
    let only = user("careful", "GRANT SELECT ON rich.* TO careful REQUIRE SSL");
    let by = |options: &str| {
        mlt()
            .on(&format!("{only}?{options}"))
            .env("MYSQL_PWD", PASSWORD)
            .run("experiments")
    };
    by("").ok();
    by("ssl_disabled=true").fails(5);
}

#[test]
fn a_search_goes_on_with_what_arrives_though_the_connection_ends() {
    let server = mysql();
    let uri = server.copy("arrivals");
    let mut follow = Command::new(env!("CARGO_BIN_EXE_mlt"))
        .args(["search", "--follow", "--for", "90s", "-o", "ids"])
        .args(["-f", "tags.late = 'x'"])
        .env("MLFLOW_TRACKING_URI", &uri)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let of_mlt = "FROM information_schema.processlist WHERE db = 'arrivals' AND user = 'mlflow'";
    let deadline = Instant::now() + Duration::from_secs(30);
    let connection = loop {
        let found = server.sql("", &format!("SELECT id {of_mlt} LIMIT 1"));
        if !found.is_empty() {
            break found;
        }
        assert!(Instant::now() < deadline, "it does not connect");
    };
    thread::sleep(Duration::from_secs(1));
    server.sql("", &format!("KILL {connection}"));
    server.sql(
        "arrivals",
        "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, execution_time_ms, status) \
         VALUES ('tr-late', 1, unix_timestamp() * 1000, 5, 'OK'); \
         INSERT INTO trace_tags (request_id, `key`, value) VALUES ('tr-late', 'late', 'x')",
    );
    let mut line = String::new();
    BufReader::new(follow.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    follow.kill().unwrap();
    follow.wait().unwrap();
    assert_eq!(line, "tr-late\n");
}

#[test]
#[cfg(unix)]
fn a_statement_ends_with_the_program() {
    let server = mysql();
    let uri = server.copy("locked");
    let slow = "SELECT count(*) FROM information_schema.processlist \
                WHERE db = 'locked' AND user = 'mlflow' AND command <> 'Sleep'";
    // Nothing is found before a table that somebody else keeps is to be had.
    let mut keeper = server.keep("locked", "trace_info");
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_mlt"))
        .args(["search", "-n", "1"])
        .env("MLFLOW_TRACKING_URI", &uri)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let wait_for = |count: &str| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while server.sql("", slow) != count {
            assert!(Instant::now() < deadline, "not {count}");
            thread::sleep(Duration::from_millis(50));
        }
    };
    wait_for("1\n");
    Command::new("kill")
        .args(["-INT", &waiting.id().to_string()])
        .status()
        .unwrap();
    waiting.wait().unwrap();
    wait_for("0\n");
    keeper.kill().unwrap();
    keeper.wait().unwrap();
}
