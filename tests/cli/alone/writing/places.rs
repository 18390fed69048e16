//! What stands at the place of a file: nothing, a file, a link, a device, a pipe.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::process::Command;

use super::{Folder, WRITERS};

#[test]
fn devices_and_pipes_take_a_stream_and_are_never_replaced() {
    let folder = Folder::new();
    let made = Command::new("mkfifo").arg(folder.at("pipe")).status();
    assert!(made.unwrap().success());
    symlink("/dev/null", folder.at("nowhere")).unwrap();
    for force in ["", " --force"] {
        let words = format!("export latest -o json --to nowhere{force}");
        assert!(
            folder
                .done(&words)
                .stderr
                .starts_with("note: wrote 1 trace to nowhere")
        );
        let script = format!("cat pipe > copy & $MLT export latest -o json --to pipe{force}; wait");
        let outcome = folder.shell(&script);
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert_eq!(
            folder.text("copy"),
            folder.done("export latest -o json").stdout
        );
    }
    folder.done("check --all --require count()>=1 --save nowhere");
    let script = "cat pipe > copy & $MLT report latest -o ./pipe; wait";
    assert_eq!(folder.shell(script).code, Some(0));
    assert_eq!(folder.text("copy"), folder.done("report latest").stdout);
    assert!(
        fs::metadata(folder.at("pipe"))
            .unwrap()
            .file_type()
            .is_fifo()
    );
    assert!(
        fs::symlink_metadata(folder.at("nowhere"))
            .unwrap()
            .is_symlink()
    );
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    let resumed = folder.run("export latest -o jsonl --to nowhere --resume");
    insta::assert_snapshot!(resumed.fails(2), @"error: nowhere is a device or pipe, which cannot be gone on with");
    assert_eq!(folder.names(), ["copy", "nowhere", "pipe"]);
    for to in ["nowhere", "file", "folder/"] {
        folder
            .done(&format!("-q export latest -o json --to {to}"))
            .ok();
    }
}

#[test]
fn what_is_named_as_an_open_file_goes_there_behind_what_it_has() {
    let folder = Folder::new();
    let export = "$MLT export latest -o folded";
    let wanted = folder.done("export latest -o folded").stdout;
    for to in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let outcome = folder.shell(&format!("(echo head; {export} --to {to}; echo tail) > out"));
        assert_eq!(outcome.stderr, "");
        assert_eq!(folder.text("out"), format!("head\n{wanted}tail\n"), "{to}");
    }
    folder.put("out", "head\n");
    let outcome = folder.shell(&format!("{export} --to /dev/fd/3 3>> out"));
    assert!(
        outcome.stderr.contains("wrote 1 trace to /dev/fd/3"),
        "{outcome}"
    );
    assert_eq!(folder.text("out"), format!("head\n{wanted}"));
    assert_eq!(folder.names(), ["out"]);
}

#[test]
fn links_stay_links_and_those_to_nothing_are_refused() {
    for (words, name) in WRITERS {
        let folder = Folder::new();
        let (_, ending) = name.rsplit_once('.').unwrap();
        let (link, gone) = (format!("link.{ending}"), format!("gone.{ending}"));
        folder.put("real", "old");
        symlink("real", folder.at(&link)).unwrap();
        symlink("nothing", folder.at(&gone)).unwrap();
        folder.done(&format!("{words} {link}"));
        assert!(fs::symlink_metadata(folder.at(&link)).unwrap().is_symlink());
        assert_ne!(folder.text("real"), "old");
        let refused = folder.run(&format!("{words} {gone}"));
        let said = refused.fails(6);
        let wanted =
            format!("error: cannot write {gone}: it is a link to nothing, which is not there\n");
        assert_eq!(said, wanted);
        assert_eq!(folder.names().len(), 3, "{:?}", folder.names());
    }
}

#[test]
fn a_file_keeps_its_permissions_and_is_not_replaced_when_it_is_read_only() {
    for (words, name) in WRITERS {
        let folder = Folder::new();
        folder.put(name, "old");
        let set = |mode| fs::set_permissions(folder.at(name), fs::Permissions::from_mode(mode));
        let mode = || fs::metadata(folder.at(name)).unwrap().permissions().mode() & 0o777;
        set(0o600).unwrap();
        folder.done(&format!("{words} {name}"));
        assert_ne!(folder.text(name), "old");
        assert_eq!(mode(), 0o600);
        folder.put(name, "old");
        // Also for root, whom the system lets write it.
        set(0o444).unwrap();
        let refused = folder.run(&format!("{words} {name}"));
        assert_eq!(
            refused.fails(6),
            format!("error: cannot write {name}: it is read-only\n")
        );
        assert_eq!(folder.text(name), "old");
        assert_eq!(folder.names(), [name]);
    }
}

#[test]
fn somebody_elses_part_is_left_alone() {
    let folder = Folder::new();
    folder.put("mine.json.part", "mine");
    folder.done("export latest -o json --to mine.json");
    folder.done("export latest -o json --to mine.json --force");
    assert_eq!(folder.text("mine.json.part"), "mine");
    folder.put("mine.jsonl.part", "mine");
    for way in ["", " --force", " --resume"] {
        let refused = folder.run(&format!("export latest -o jsonl --to mine.jsonl{way}"));
        insta::allow_duplicates! {
            insta::assert_snapshot!(refused.fails(6), @"
            error: mine.jsonl.part is in the way: `mlt export` did not leave it there
            hint: move it away, or choose another name with --to
            ");
        }
    }
    assert_eq!(folder.text("mine.jsonl.part"), "mine");
    assert_eq!(
        folder.names(),
        ["mine.json", "mine.json.part", "mine.jsonl.part"]
    );
}

#[test]
fn a_link_that_was_laid_in_a_folder_is_not_written_through() {
    let folder = Folder::new();
    folder.put("precious", "old");
    fs::create_dir(folder.at("pages")).unwrap();
    symlink("../precious", folder.at("pages/mlt-get.1")).unwrap();
    let refused = folder.run("man --dir pages");
    insta::assert_snapshot!(refused.fails(6), @"error: cannot write pages/mlt-get.1: it is a symbolic link");
    let id = folder.done("search -n 1 -o ids").stdout;
    fs::create_dir(folder.at("traces")).unwrap();
    symlink(
        "../precious",
        folder.at(&format!("traces/{}.json", id.trim())),
    )
    .unwrap();
    let passed_over = folder.done("export latest -o json --to traces");
    assert!(
        passed_over.stderr.contains("1 trace was there already"),
        "{passed_over}"
    );
    let refused = folder.run("export latest -o json --to traces --force");
    assert!(
        refused.fails(6).ends_with(".json: it is a symbolic link\n"),
        "{refused}"
    );
    assert_eq!(folder.text("precious"), "old");
    fs::remove_file(folder.at("pages/mlt-get.1")).unwrap();
    folder.done("man --dir pages");
    assert!(folder.text("pages/mlt-get.1").contains(".TH"));
}
