//! Questions to a trace file, one after the other and at once.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;

use super::*;

fn trace(number: usize) -> String {
    format!(
        r#"{{"info":{{"trace_id":"tr-{number}","trace_location":{{"mlflow_experiment":{{"experiment_id":"{}"}}}}}},"data":{{"spans":[{{"name":"span {number}","span_id":"1","start_time_unix_nano":5}}]}}}}"#,
        number % 3
    )
}

fn store(text: &str) -> (tempfile::TempDir, FileStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("traces");
    fs::write(&path, text).unwrap();
    let store = FileStore::open(&path).unwrap();
    (dir, store)
}

fn lines(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{}", trace(number));
        text
    })
}

#[test]
fn a_last_line_that_is_still_being_written_is_left_out() {
    let cut = format!("{}{}", lines(3), &trace(3)[..20]);
    let (dir, store) = store(&cut);
    let ask = || store.search(&Query::default(), 10, None);
    // As long as nobody writes to it, it is broken.
    let page = ask().unwrap();
    assert_eq!((page.traces.len(), page.unreadable.len()), (3, 1));
    assert_eq!(page.unreadable[0].line, Some(4));
    let mut file = File::options()
        .append(true)
        .open(dir.path().join("traces"))
        .unwrap();
    file.write_all(b"more").unwrap();
    assert_eq!(ask().unwrap().traces.len(), 3);
    let doubts = store.doubts.take();
    assert!(doubts[0].contains("is being written to"), "{doubts:?}");
    assert!(store.doubts.take().is_empty());
}

#[test]
fn many_ask_for_single_traces_at_once() {
    for text in [
        lines(200),
        format!("[{}]", lines(200).trim().replace('\n', ",\n")),
    ] {
        let (_dir, store) = store(&text);
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let store = &store;
                scope.spawn(move || {
                    for number in (worker..200).step_by(8) {
                        let found = store.trace(&format!("tr-{number}"), Detail::Whole).unwrap();
                        assert_eq!(found.spans[0].name, format!("span {number}"));
                    }
                    let unknown = store.info("tr-200").unwrap_err();
                    assert!(matches!(unknown, StoreError::UnknownTrace { .. }));
                });
            }
        });
    }
}

#[test]
fn all_matches_come_page_by_page_and_whole() {
    let (_dir, store) = store(&lines(1200));
    let query = Query {
        experiments: vec!["1".to_owned()],
        ..Query::default()
    };
    let mut token = None;
    let mut seen = HashSet::new();
    loop {
        let page = store.search(&query, 150, token.as_deref()).unwrap();
        for info in page.traces {
            assert_eq!(info.experiment_id.as_deref(), Some("1"));
            assert!(seen.insert(info.trace_id));
        }
        match page.next {
            Some(next) => token = Some(next),
            None => break,
        }
    }
    assert_eq!(seen.len(), 400);
    let ids: Vec<String> = store
        .experiments(Scope::Active)
        .unwrap()
        .into_iter()
        .map(|e| e.id)
        .collect();
    assert_eq!(ids, ["0", "1", "2"]);
}

#[test]
fn what_is_no_file_of_traces_is_told_from_a_damaged_one() {
    let fault = |text: &str| {
        let (_dir, store) = store(text);
        store.search(&Query::default(), 10, None).unwrap_err()
    };
    for text in [
        "hello, world\n",
        "key: value\n",
        "3",
        "[1, 2]",
        "{name: 1}",
        r#"{"a" 1}"#,
        r#"{"a": 01}"#,
        r#""{\"a\" 1}""#,
    ] {
        let error = fault(text);
        assert!(
            matches!(error, StoreError::NotTraces { .. }),
            "{text}: {error:?}"
        );
    }
    let whole = trace(1);
    for text in [
        &whole[..whole.len() - 3],
        &format!("{}\n{}", &whole[..20], &whole[..20]),
        r#"{"info": 3}"#,
        r#"{"info": {"trace_id": []}}"#,
        r#"{"a": 1}"#,
        r#"{"traceEvents": []}"#,
    ] {
        let error = fault(text);
        assert!(
            matches!(error, StoreError::Data { .. }),
            "{text}: {error:?}"
        );
    }
}
