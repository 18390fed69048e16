//! What is left when a command is told to end, or killed.

use std::os::unix::process::ExitStatusExt as _;

use super::{Folder, errors_of, send, slow_server, wait_for, well_server};
use crate::support::mlt;

#[test]
fn nothing_is_left_of_what_cannot_be_gone_on_with() {
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        for words in [
            "export --all -o json --to new",
            "export --all -o otlp-proto --force --to old",
            "export --all -o csv --to traces/",
            "report --all -o ./old",
            "check --all --require max(self)>0 --save old",
        ] {
            let folder = Folder::new();
            folder.put("old", "old");
            let slow = slow_server();
            let mut child = folder.begin(&slow, words);
            send(signal, &child);
            let status = child.wait().unwrap();
            assert_eq!(status.signal(), Some(number), "{words}: {status}");
            assert_eq!(folder.text("old"), "old", "{words}");
            let names = folder.names();
            let is_expected = |name: &String| name == "old" || name == "traces";
            assert!(names.iter().all(is_expected), "{words}: {names:?}");
        }
    }
}

#[test]
fn what_was_turned_off_is_not_turned_on() {
    let folder = Folder::new();
    let slow = slow_server();
    let script = format!(
        "trap '' HUP; $MLT -u {} export --all -o json --to out & child=$!;
         while [ ! -e out.part.state ]; do sleep 0.01; done; sleep 0.2;
         kill -HUP $child; sleep 0.2; kill -0 $child && ls -a; kill -TERM $child; wait $child; echo $?; ls -A",
        slow.uri()
    );
    let outcome = folder.shell(&script);
    assert!(outcome.stdout.contains("out.part.state\n"), "{outcome}");
    assert!(outcome.stdout.ends_with("143\n"), "{outcome}");
}

#[test]
fn json_lines_that_were_stopped_are_gone_on_with() {
    for signal in ["INT", "TERM", "HUP", "KILL"] {
        let folder = Folder::new();
        let slow = slow_server();
        let words = "export --all -o jsonl --to out";
        let mut child = folder.begin(&slow, words);
        let part = folder.at("out.part");
        wait_for(|| std::fs::metadata(&part).map_or(0, |file| file.len()) > 200_000);
        send(signal, &child);
        assert!(child.wait().unwrap().signal().is_some());
        let left = "note: what was fetched is in out.part; --resume goes on with it\n";
        let said = if signal == "KILL" { "" } else { left };
        assert_eq!(errors_of(&mut child), said, "{signal}");
        assert_eq!(folder.names(), ["out.part", "out.part.state"]);
        let state = folder.text("out.part.state");
        // The same store, as far as can be told.
        let well = well_server();
        std::fs::write(
            folder.at("out.part.state"),
            state.replace(&slow.host(), &well.host()),
        )
        .unwrap();
        let resumed = mlt()
            .on(&well.uri())
            .within(folder.path())
            .run(&format!("{words} --resume"));
        assert_eq!(resumed.code, Some(0), "{resumed}");
        assert_eq!(folder.names(), ["out"]);
        let fresh = mlt().on(&well.uri()).run("export --all -o jsonl");
        assert_eq!(folder.text("out"), fresh.stdout);
    }
}

#[test]
fn of_parts_that_were_stopped_the_whole_ones_stay() {
    for signal in ["INT", "KILL"] {
        let folder = Folder::new();
        let words = "export --all -o jsonl --to new/ --rows-per-file 1";
        let slow = slow_server();
        let mut child = folder.begin(&slow, words);
        wait_for(|| folder.at("new/part-00002.jsonl").exists());
        let well = well_server();
        let run = || mlt().on(&well.uri()).within(folder.path()).run(words);
        let second = run();
        assert!(
            second.stderr.contains("another mlt is writing there"),
            "{second}"
        );
        send(signal, &child);
        assert!(child.wait().unwrap().signal().is_some());
        let left = "note: what is complete is in new/; the same command adds what is missing\n";
        let said = if signal == "KILL" { "" } else { left };
        assert_eq!(errors_of(&mut child), said, "{signal}");
        let ledger = folder.at("new/_mlt_parts");
        let text = folder.text("new/_mlt_parts");
        // The same store, as far as can be told.
        std::fs::write(ledger, text.replace(&slow.host(), &well.host())).unwrap();
        assert_eq!(run().code, Some(0));
        let mut lines = Vec::new();
        for found in std::fs::read_dir(folder.at("new")).unwrap() {
            let path = found.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.starts_with("part-") {
                let text = std::fs::read_to_string(&path).unwrap();
                lines.extend(text.lines().map(str::to_owned));
            } else {
                let is_left = signal == "KILL" && name.starts_with(".mlt-");
                assert!(name == "_mlt_parts" || is_left, "{name}");
            }
        }
        let fresh = mlt().on(&well.uri()).run("export --all -o jsonl").stdout;
        let mut all: Vec<&str> = fresh.lines().collect();
        all.sort_unstable();
        lines.sort_unstable();
        assert_eq!(lines, all);
    }
}

#[test]
fn parts_are_read_where_they_are_of_json_lines() {
    let folder = Folder::new();
    let demo = |words: &str| mlt().on("demo:").within(folder.path()).run(words);
    let all = demo("search --all -o ids").ok().to_owned();
    for (place, split) in [
        ("days", "--partition-by date --rows-per-file 0.01k"),
        ("rows", "--rows-per-file 10"),
    ] {
        let to = format!("export --all -o jsonl --to {place}/ {split}");
        assert_eq!(demo(&to).code, Some(0));
        let read = |words: &str| mlt().on(place).within(folder.path()).run(words);
        assert_eq!(read("search --all -o ids").ok(), all, "{place}");
        let whole = mlt().on("demo:").run("export latest -o json");
        assert_eq!(read("export latest -o json").ok(), whole.ok());
    }
    for format in ["parquet", "csv", "tsv"] {
        let to = format!("export --all -o {format} --to {format}/ --partition-by date");
        assert_eq!(demo(&to).code, Some(0));
        let refused = mlt().on(format).within(folder.path()).run("search");
        let said = format!(
            "error: cannot read {format}: it has parts of an export as {format}, and only those \
             of `mlt export -o jsonl` are read\n"
        );
        assert_eq!(refused.fails(6), said);
    }
    let refused = demo("export --all -o jsonl --to more/ --rows-per-file 1x");
    assert!(refused.fails(2).contains("such as 5000, 10k or 1M"));
}

#[test]
fn what_is_in_progress_is_left_out_of_parts_and_that_is_said() {
    let folder = Folder::new();
    let file = folder.at("in.json");
    let trace = serde_json::json!({
        "info": {"trace_id": "tr-1", "state": "IN_PROGRESS"},
        "data": {"spans": []},
    });
    std::fs::write(&file, trace.to_string()).unwrap();
    let export = mlt()
        .on("in.json")
        .within(folder.path())
        .run("export --all -o jsonl --to new/ --rows-per-file 5");
    assert_eq!(export.code, Some(0), "{export}");
    let said = &export.stderr;
    assert!(said.contains("left out 1 trace in progress"), "{export}");
    assert!(said.contains("wrote 0 traces to new/"), "{export}");
    assert!(!said.contains("no traces match"), "{export}");
    assert!(!folder.at("new").exists());
}

#[test]
fn two_exports_do_not_write_to_one_file_and_a_killed_one_is_not_in_the_way() {
    for format in ["json", "jsonl"] {
        let folder = Folder::new();
        let slow = slow_server();
        let words = format!("export --all -o {format} --to out --force");
        let mut first = folder.begin(&slow, &words);
        for way in ["", " --force"] {
            let second = folder.run(&format!("export --all -o {format} --to out{way}"));
            insta::allow_duplicates! {
                insta::assert_snapshot!(second.fails(6), @"error: cannot write out: another mlt is writing there");
            }
        }
        send("KILL", &first);
        first.wait().unwrap();
        let words = words.replace("--all", "latest");
        folder.done(&words);
        assert_eq!(
            folder.text("out"),
            folder.done(&format!("export latest -o {format}")).stdout
        );
        // Nobody can tell whose a file is that a kill left.
        let left = folder.names();
        let left = left.iter().filter(|name| !name.starts_with(".mlt-"));
        assert_eq!(left.collect::<Vec<_>>(), ["out"]);
    }
}
