//! Times as they are shown, in every command, zone and width: pasted back, they
//! find the same traces.

use crate::support::{Mlt, mlt};

/// Zones west and east of Greenwich, and one that is not whole hours away.
const ZONES: [&str; 4] = ["UTC", "America/New_York", "Asia/Tokyo", "Asia/Kolkata"];

fn demo(zone: &str) -> Mlt {
    mlt().on("demo:").env("TZ", zone).env("NO_COLOR", "1")
}

/// The time in the column whose head begins where the head line says so, of each line.
fn column(text: &str, head: &str) -> Vec<String> {
    let mut lines = text.lines().skip_while(|line| !line.contains(head));
    let start = lines.next().unwrap().find(head).unwrap();
    let rows = lines.take_while(|line| !line.is_empty());
    rows.map(|line| {
        let rest = &line[start..];
        rest.split("  ").next().unwrap().to_owned()
    })
    .collect()
}

#[track_caller]
fn finds(zone: &str, args: &[&str], id: &str) {
    let outcome = demo(zone)
        .args(["search", "--all", "-o", "ids", "-q"])
        .args(args)
        .run("");
    assert!(outcome.ok().contains(id), "TZ={zone} {args:?}: {outcome}");
}

#[test]
fn a_time_of_a_list_finds_its_trace_in_every_zone() {
    let ids = demo("UTC").run("search -n 3 -o ids").stdout;
    let ids: Vec<&str> = ids.lines().collect();
    for shown_in in ZONES {
        let lists = [
            demo(shown_in).run("search -n 3").stdout,
            demo(shown_in).terminal(80).run("search -n 3").stdout,
            demo(shown_in).terminal(160).run("search -n 3").stdout,
            demo(shown_in)
                .run("search -n 3 -o csv --columns time")
                .stdout
                .replace("request_time\n", "TIME\n"),
        ];
        for list in lists {
            let times = column(&list, "TIME");
            assert_eq!(times.len(), 3, "{list}");
            for (time, id) in times.iter().zip(&ids) {
                for pasted_in in ZONES {
                    finds(pasted_in, &["--since", time], id);
                    finds(pasted_in, &["-f", &format!("time >= '{time}'")], id);
                }
            }
        }
        let piped = column(&demo(shown_in).run("search -n 3").stdout, "TIME");
        for (time, id) in piped.iter().zip(&ids) {
            for pasted_in in ZONES {
                finds(pasted_in, &["--since", time, "--until", time], id);
                finds(pasted_in, &["-f", &format!("time > '{time}'")], id);
            }
        }
    }
}

#[test]
fn times_of_other_commands_can_be_pasted_too() {
    let id = demo("UTC").run("search -n 1 -o ids").stdout;
    let id = id.trim();
    for zone in ZONES {
        for width in [None, Some(100)] {
            let show = |words: &str| match width {
                None => demo(zone).run(words).stdout,
                Some(width) => demo(zone).terminal(width).run(words).stdout,
            };
            let field = |text: &str, label: &str| {
                let line = text.lines().find(|line| line.starts_with(label)).unwrap();
                line[label.len()..].trim().to_owned()
            };
            let started = field(&show("get latest"), "started");
            finds("America/New_York", &["--since", &started], id);
            finds("Asia/Tokyo", &["-f", &format!("time = '{started}'")], id);
            let span = field(&show("get latest --span support-agent"), "started");
            finds(
                "America/New_York",
                &["-f", &format!("time <= '{span}'")],
                id,
            );
            finds("Asia/Tokyo", &["--since", &span], id);

            let slowest = show(&format!("latency --text {id} --slowest 1"));
            let started = column(&slowest, "STARTED").remove(0);
            finds(
                "America/New_York",
                &["--since", &started, "--until", &started],
                id,
            );
            let from = column(&show(&format!("stats --every 1h --text {id}")), "FROM").remove(0);
            finds("Asia/Kolkata", &["--since", &from], id);
            let from = column(&show(&format!("latency --every 1h --text {id}")), "FROM").remove(0);
            finds("Asia/Kolkata", &["--since", &from], id);
        }
    }
}

#[test]
fn a_second_that_is_named_belongs_to_what_it_ends() {
    let count = |until: &str| {
        let outcome = demo("UTC")
            .args(["search", "--count", "--until", until])
            .run("");
        outcome.ok().trim().parse::<usize>().unwrap()
    };
    // The newest began at 22:39:24.667.
    assert_eq!(count("2026-11-22 22:39:24Z"), 38);
    assert_eq!(count("2026-11-22 22:39:24.668Z"), 38);
    assert_eq!(count("2026-11-22 22:39:24.667Z"), 37, "a fraction is exact");
    assert_eq!(count("2026-11-22 22:39:23Z"), 37);
    assert_eq!(
        count("2026-11-22 22:39Z"),
        count("2026-11-22 22:38:59.999Z")
    );
}

#[test]
fn flags_take_the_times_and_durations_of_filters() {
    let count = |words: &[&str]| {
        let outcome = mlt()
            .on("demo:")
            .args(["search", "--count"])
            .args(words)
            .run("");
        assert_eq!(outcome.code, Some(0), "{outcome}");
        outcome.stdout
    };
    for time in [
        "1h30m",
        "-1h30m",
        "1h 30m ago",
        "now",
        "yesterday",
        "2026-11-22T08:00Z",
        "2026-11-22",
    ] {
        let filter = format!("time >= '{time}'");
        assert_eq!(count(&["--since", time]), count(&["-f", &filter]), "{time}");
    }
    assert_ne!(count(&["--since", "2026-11-22T08:00Z"]), "0\n");
    for duration in ["1s 500ms", "1.5s", "1500 ms", "0h0m1s500ms"] {
        let filter = format!("duration >= '{duration}'");
        let found = count(&["--min-duration", duration]);
        assert_eq!(found, count(&["-f", &filter]), "{duration}");
        assert_eq!(found, count(&["--min-duration", "1.5s"]), "{duration}");
    }
    let refused = mlt().on("demo:").run("search --since noon");
    let filter = mlt()
        .on("demo:")
        .args(["search", "-f", "time > 'noon'"])
        .run("");
    for outcome in [refused, filter] {
        let said = "a time is written 1h or -1h for an hour ago, yesterday, 2026-11-22";
        assert!(outcome.fails(2).contains(said), "{outcome}");
    }
}
