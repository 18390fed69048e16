//! Traces deleted for good: on servers of either generation and from MLflow's folders, and
//! who is asked before.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::mlflow::{Seeded, file_store, of_its_own, python};
use crate::support::{Mlt, mlt};

fn on(seeded: &Seeded) -> Mlt {
    mlt().on(seeded.uri())
}

fn count(seeded: &Seeded, words: &str) -> usize {
    let count = on(seeded).run(&format!("search {words} --count"));
    count.ok().trim().parse().unwrap()
}

#[test]
fn a_server_deletes_what_a_filter_finds_in_several_requests() {
    let seeded = of_its_own("3.17.2");
    let all = count(&seeded, "--all");
    let filter = "-f tags.team='search'";
    let wanted = count(&seeded, filter);
    assert!(wanted > 200, "{wanted}");

    let unasked = on(&seeded).run(&format!("delete {filter}"));
    let said = unasked.fails(2);
    let expected = format!(
        "error: expected --yes to delete {wanted} traces, since nobody can be asked here; \
         nothing was deleted\nhint: --dry-run lists them\n"
    );
    assert!(said.ends_with(&expected), "{unasked}");
    assert!(
        said.starts_with(&format!("note: to delete: {wanted} traces, ")),
        "{unasked}"
    );
    assert!(said.contains(", all with tags.team=search\n"), "{unasked}");
    let too_many = on(&seeded).run(&format!("delete {filter} --max 10 --yes"));
    let expected = format!("--max allows 10, found {wanted} traces; nothing was deleted\n");
    assert!(too_many.fails(1).ends_with(&expected), "{too_many}");
    let dry = on(&seeded).run(&format!("delete {filter} --max 1000 --dry-run -o jsonl"));
    assert_eq!(dry.json_lines().len(), wanted);
    assert!(
        dry.json_lines()
            .iter()
            .all(|line| line["status"] == "would_delete"
                && line["before"]["request_time"].is_string())
    );
    assert_eq!(count(&seeded, "--all"), all);

    let done = on(&seeded).run(&format!("delete {filter} --max {wanted} --yes -o json -v"));
    let requests = done.stderr.matches("/traces/delete-traces -> 200").count();
    assert!((3..=6).contains(&requests), "{requests} for {wanted}");
    let told = done.json();
    assert_eq!(
        (&told["deleted"], &told["unchanged"], &told["failed"]),
        (&json!(wanted), &json!(0), &json!(0))
    );
    assert_eq!(told["results"][0]["status"], "deleted");
    assert_eq!(count(&seeded, "--all"), all - wanted);
    assert_eq!(count(&seeded, filter), 0);
    let again = on(&seeded).run(&format!("delete {filter} --yes"));
    assert_eq!(again.code, Some(0), "{again}");
    assert!(
        again.stderr.starts_with("note: no traces match\n"),
        "{again}"
    );

    // MLflow's own client finds none of it.
    let gone = told["results"][0]["trace_id"].as_str().unwrap();
    let program = format!(
        "import mlflow\n\
         client = mlflow.MlflowClient('{}')\n\
         print(len(client.search_traces(experiment_ids=['4'], filter_string=\"tag.team = 'search'\")))\n\
         try: client.get_trace('{gone}'); print('there')\n\
         except Exception as e: print('gone')",
        seeded.uri()
    );
    let output = Command::new(python())
        .args(["-c", &program])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().collect::<Vec<_>>(), ["0", "gone"], "{said}");
}

#[test]
fn named_traces_go_and_unknown_ones_are_said() {
    let seeded = of_its_own("3.17.2");
    let list = on(&seeded).run("search -n 4 -o ids").stdout;
    let ids: Vec<&str> = list.lines().collect();
    let unknown = "tr-00000000000000000000000000000000";
    let unasked = on(&seeded).run(&format!("delete {}", ids[0]));
    assert!(
        unasked
            .fails(2)
            .contains("expected --yes to delete 1 trace,"),
        "{unasked}"
    );
    let outcome = on(&seeded)
        .stdin(format!("{}\n{unknown}\n{}\n", ids[0], ids[1]))
        .run("delete - -y -o jsonl");
    assert_eq!(outcome.code, Some(3), "{outcome}");
    let told = |line: &&str| serde_json::from_str::<Value>(line).unwrap()["status"].clone();
    let states: Vec<Value> = outcome.lines().iter().map(told).collect();
    assert_eq!(states, ["deleted", "failed", "deleted"]);
    assert!(
        outcome.stderr.contains("1 of 3 traces cannot be deleted"),
        "{outcome}"
    );
    let latest = on(&seeded).run("delete latest --yes");
    assert!(
        latest.stdout.starts_with(&format!("{}  deleted: ", ids[2])),
        "{latest}"
    );
    let now = on(&seeded).run("search -n 1 -o ids");
    assert_eq!(now.ok().trim(), ids[3]);
    for (words, said) in [
        ("delete", "found neither"),
        ("delete latest --status OK", "found both"),
        ("delete -f '' --yes", "would match every trace"),
        ("delete latest --max 0", "--max"),
    ] {
        let args: Vec<&str> = words
            .split(' ')
            .map(|word| word.trim_matches('\''))
            .collect();
        let refused = on(&seeded).args(args).run("");
        assert!(refused.fails(2).contains(said), "{refused}");
    }
}

#[test]
fn older_servers_delete_too() {
    for version in ["2.22.5", "3.1.4"] {
        let seeded = of_its_own(version);
        let all = count(&seeded, "--all");
        let done = on(&seeded).run(&format!("delete {} --yes", seeded.case("bad")));
        assert_eq!(done.code, Some(0), "{done}");
        assert_eq!(count(&seeded, "--all"), all - 1);
        let rest = on(&seeded).run("delete -x plain --name % --yes -q");
        assert_eq!(rest.ok().lines().count(), all - 1);
        assert_eq!(count(&seeded, "--all"), 0);
    }
}

#[test]
fn a_folder_of_mlflow_loses_the_trace_and_nothing_else() {
    let store = file_store("3.17.2");
    let on = || mlt().on(&store.uri());
    let folder = store.trace("shop-3");
    let others = fs::read_dir(folder.parent().unwrap()).unwrap().count();
    // A link within does not lead the deletion out of the store.
    let precious = store.folder().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "x").unwrap();
    std::os::unix::fs::symlink(&precious, folder.join("artifacts/link")).unwrap();
    let id = store.case("shop-3");
    let done = on().run(&format!("delete {id} --yes"));
    assert_eq!(done.code, Some(0), "{done}");
    assert!(!folder.exists() && precious.join("file").exists());
    assert_eq!(
        fs::read_dir(folder.parent().unwrap()).unwrap().count(),
        others - 1
    );
    let told = store.ask(&format!(
        "import mlflow\n\
         ids = [e.experiment_id for e in mlflow.search_experiments()]\n\
         found = mlflow.search_traces(ids, return_type='list', include_spans=False, max_results=500)\n\
         print(len(found), any(t.info.trace_id == '{id}' for t in found))"
    ));
    let left = on().run("search --count").stdout;
    assert_eq!(told.trim(), format!("{} False", left.trim()));
    // What is left of a deletion that was interrupted is no trace, and can be deleted.
    let half = store.trace("shop-4");
    fs::remove_file(half.join("trace_info.yaml")).unwrap();
    let id = store.case("shop-4");
    assert!(!on().run("search --all -o ids").stdout.contains(id));
    let done = on().run(&format!("delete {id} --yes -q"));
    assert_eq!((done.code, half.exists()), (Some(0), false), "{done}");
    // A link in the place of a trace is not followed.
    std::os::unix::fs::symlink(&precious, folder.parent().unwrap().join("tr-link")).unwrap();
    let refused = on().run("delete tr-link --yes -q");
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(precious.join("file").exists());
}

#[test]
fn on_a_terminal_somebody_is_asked() {
    let store = file_store("3.17.2");
    let binary = assert_cmd::cargo::cargo_bin("mlt");
    let ask = |answer: &str, words: &str| {
        let program = "import os, pty, sys\n\
             pid, fd = pty.fork()\n\
             if pid == 0: os.execv(sys.argv[1], ['mlt'] + sys.argv[3].split())\n\
             text = b''\n\
             try:\n\
             \x20   while True:\n\
             \x20       part = os.read(fd, 4096)\n\
             \x20       if not part: break\n\
             \x20       text += part\n\
             \x20       if b'[y/N]' in part: os.write(fd, sys.argv[2].encode() + b'\\n')\n\
             except OSError: pass\n\
             print(text.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))";
        let output = Command::new(python())
            .args(["-c", program])
            .arg(&binary)
            .args([answer, words])
            .env("MLFLOW_TRACKING_URI", store.uri())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let folder = store.trace("shop-5");
    let words = format!("delete {}", store.case("shop-5"));
    let refused = ask("n", &words);
    assert!(refused.contains("note: to delete: 1 trace, "), "{refused}");
    assert!(refused.contains("Delete 1 trace? [y/N] "), "{refused}");
    assert!(refused.contains("nothing was deleted"), "{refused}");
    assert!(
        refused.trim_end().ends_with('1') && folder.exists(),
        "{refused}"
    );
    let done = ask("y", &words);
    assert!(done.trim_end().ends_with('0') && !folder.exists(), "{done}");
}
