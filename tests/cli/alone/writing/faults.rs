//! A disk that fills up and a kill at any moment, for every command that writes: the
//! old file stays whole, or the new one takes its place whole.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use super::{Folder, WRITERS, send};

/// What `words` write when nothing stops them.
fn whole(words: &str, name: &str) -> String {
    let folder = Folder::new();
    folder.done(&format!("{words} {name}"));
    folder.text(name)
}

/// Files that may be left of what was stopped.
fn is_documented(name: &str) -> bool {
    name.starts_with(".mlt-") || name.contains(".part")
}

#[test]
fn a_file_that_may_not_grow_any_more_leaves_the_old_one() {
    for (words, name) in WRITERS {
        let folder = Folder::new();
        let whole = whole(words, name);
        let command = format!("{words} {name}").replace("count()>=1", "'count()>=1'");
        // In blocks of 512 bytes.
        let mut refused = 0;
        for blocks in [0, 1, 2, 3, 8, 64, 500, 1_000, 2_000, 10_000] {
            folder.put(name, "old");
            let outcome = folder.shell(&format!("ulimit -f {blocks}; $MLT {command}"));
            let text = folder.text(name);
            if outcome.code == Some(0) {
                assert_eq!(text, whole, "{command}");
            } else {
                refused += 1;
                assert_eq!(outcome.code, Some(6), "{command}: {outcome}");
                assert_eq!(text, "old", "{command}");
                let mut said = outcome.stderr.lines();
                let said = said.find(|line| !line.starts_with("note: ")).unwrap();
                // The page is kept elsewhere until all of it is there.
                let is_said = said == format!("error: cannot write {name}: file too large")
                    || said.starts_with("error: cannot keep the page in ");
                assert!(is_said, "{said}");
            }
            let is_lines = words.contains("jsonl");
            let is_expected = |one: &String| one == name || (is_lines && is_documented(one));
            assert!(
                folder.names().iter().all(is_expected),
                "{command}: {:?}",
                folder.names()
            );
        }
        assert!(refused > 0, "{command}");
    }
}

#[test]
fn summaries_are_added_whole_or_not_at_all() {
    let folder = Folder::new();
    let before = "x".repeat(500);
    folder.put("summary.md", &before);
    let check = "$MLT check --all --require 'count() >= 1' --summary summary.md";
    let outcome = folder.shell(&format!("ulimit -f 1; {check}"));
    assert_eq!(outcome.code, Some(6), "{outcome}");
    assert_eq!(folder.text("summary.md"), before);
    folder.shell(check);
    assert!(folder.text("summary.md").len() > before.len());
}

#[test]
fn a_full_place_for_temporary_files_is_named() {
    let folder = Folder::new();
    folder.put("out.html", "old");
    let outcome = folder.shell("TMPDIR=no/such/folder $MLT report --all -o out.html");
    assert_eq!(outcome.code, Some(6), "{outcome}");
    let said = "error: cannot keep the page in no/such/folder: ";
    assert!(outcome.stderr.starts_with(said), "{outcome}");
    assert_eq!(folder.text("out.html"), "old");
    assert_eq!(folder.names(), ["out.html"]);
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_or_the_new() {
    for (words, name) in WRITERS {
        let folder = Folder::new();
        let whole = whole(words, name);
        let mut killed = 0;
        for millis in [2, 5, 10, 15, 20, 30, 40, 60, 80, 120] {
            folder.put(name, "old");
            let mut child = Command::new(assert_cmd::cargo::cargo_bin("mlt"))
                .args(words.split(' '))
                .arg(name)
                .current_dir(folder.path())
                .env_clear()
                .env("HOME", "/nonexistent")
                .env("MLFLOW_TRACKING_URI", "demo:")
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(Duration::from_millis(millis));
            if child.try_wait().unwrap().is_none() {
                send("KILL", &child);
                killed += 1;
            }
            child.wait().unwrap();
            let text = folder.text(name);
            assert!(text == "old" || text == whole, "{words} after {millis} ms");
            let left = folder.names();
            assert!(
                left.iter().all(|one| one == name || is_documented(one)),
                "{left:?}"
            );
        }
        assert!(killed > 0, "{words}");
        // Nothing that is left is in the way.
        folder.done(&format!("{words} {name}"));
        assert_eq!(folder.text(name), whole);
        let left = folder.names();
        assert!(
            left.iter()
                .all(|one| one == name || one.starts_with(".mlt-")),
            "{left:?}"
        );
    }
}

/// Runs as a user who is not root.
fn as_user(folder: &Folder, script: &str) -> crate::support::Outcome {
    let prefix =
        "if [ $(id -u) = 0 ]; then U='setpriv --reuid=65534 --regid=65534 --clear-groups'; fi;";
    folder.shell(&format!("{prefix} {}", script.replace("$MLT", "$U $MLT")))
}

#[test]
fn a_user_writes_what_a_user_may() {
    for (words, name) in WRITERS {
        let folder = Folder::new();
        let command = format!("$MLT {words} {name}").replace("count()>=1", "'count()>=1'");
        let open = |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode));
        open(0o777).unwrap();
        let outcome = as_user(&folder, &command);
        assert_eq!(outcome.code, Some(0), "{command}: {outcome}");
        let mode = fs::metadata(folder.at(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o111, 0);
        let again = as_user(&folder, &command);
        assert_eq!(again.code, Some(0), "{command}: {again}");
        assert_eq!(folder.names(), [name]);

        let old = folder.text(name);
        open(0o555).unwrap();
        let refused = as_user(&folder, &command);
        assert_eq!(refused.code, Some(6), "{command}: {refused}");
        let said = format!("error: cannot write {name}: permission denied\n");
        assert_eq!(refused.stderr, said, "{command}");
        assert_eq!(folder.text(name), old);
        assert_eq!(folder.names(), [name]);
        open(0o777).unwrap();
    }
}
