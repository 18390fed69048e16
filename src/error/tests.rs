//! Hints and exit codes.

use super::*;

/// The message and the hints, without escapes, and how to exit.
fn told(error: StoreError) -> (String, Exit) {
    let (text, exit) = report(&error.into(), Style::new(false), false).expect("a failure");
    (text.as_str().to_owned(), exit)
}

#[test]
fn what_a_folder_or_a_file_is_instead_decides_about_the_hint() {
    let folder = |within| StoreError::NoExperiments {
        path: "proj/".to_owned(),
        within,
    };
    let about = "it is a directory without experiments of MLflow (folders with a meta.yaml) \
                 and without files of traces";
    assert_eq!(
        told(folder(Some("mlruns".to_owned()))).0,
        format!(
            "error: cannot read proj/: {about}, but with mlruns in it\n\
             hint: name that: `-u proj/mlruns`\n"
        )
    );
    assert_eq!(
        told(folder(None)).0,
        format!(
            "error: cannot read proj/: {about}\n\
             hint: files of traces end in .json, .jsonl or .ndjson, perhaps with .gz, in .pb or .binpb\n"
        )
    );
    let reason = "expected a value at line 1 column 1".to_owned();
    let path = "notes.txt".to_owned();
    let damaged = StoreError::Data {
        path: path.clone(),
        reason: reason.clone(),
    };
    assert_eq!(told(damaged).0.lines().count(), 1);
    let (text, exit) = told(StoreError::NotTraces { path, reason });
    assert!(
        text.ends_with(
            "hint: a file of traces is JSON or JSON lines, as `mlt export -o jsonl` writes it\n"
        ),
        "{text}"
    );
    assert_eq!(exit, Exit::Data);
}

#[test]
fn words_of_the_system_are_shown_and_not_read() {
    let misleading = "it wants a client certificate and a login".to_owned();
    let (text, exit) = told(StoreError::Unreachable {
        host: "h".to_owned(),
        reason: ConnectionFault::Other(misleading),
    });
    assert!(
        text.ends_with("hint: check the tracking URI, and that the server runs\n"),
        "{text}"
    );
    assert_eq!(exit, Exit::Server);
}
