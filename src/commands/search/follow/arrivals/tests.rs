use proptest::prelude::*;

use super::*;
use crate::model::TraceState;

const NOW: Ms = 1_800_000_000_000;
const DAY: Ms = 24 * HOUR;

/// A trace as time goes by.
#[derive(Debug, Clone)]
struct Made {
    id: String,
    began: Ms,
    ended: Ms,
    /// When the store has it, and when it has finished there.
    appears: Ms,
    finishes: Ms,
    /// When its metadata is there.
    whole: Ms,
}

/// A store of which pages are read one after the other, while time goes on.
struct Simulated {
    traces: Vec<Made>,
    now: Ms,
    page: usize,
    /// What each page takes.
    slow: Ms,
    /// Pages until one fails.
    fails_in: Option<usize>,
    asked: usize,
}

impl Simulated {
    fn of(traces: Vec<Made>) -> Self {
        Self {
            traces,
            now: NOW,
            page: 3,
            slow: 7,
            fails_in: None,
            asked: 0,
        }
    }

    fn turn(&mut self) -> Result<()> {
        self.asked += 1;
        self.now += self.slow;
        match &mut self.fails_in {
            Some(0) => {
                self.fails_in = None;
                anyhow::bail!("the server is gone")
            }
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    fn list(&self, passes: &dyn Fn(&Made) -> bool) -> Vec<TraceInfo> {
        let mut there: Vec<&Made> = self
            .traces
            .iter()
            .filter(|made| made.appears <= self.now && passes(made))
            .collect();
        there.sort_by(|a, b| (a.began, &a.id).cmp(&(b.began, &b.id)));
        there.into_iter().map(|made| made.info(self.now)).collect()
    }

    /// Page by page, each of which is an offset into what is there by then.
    fn pages(&mut self, passes: &dyn Fn(&Made, Ms) -> bool, each: Each<'_>) -> Result<()> {
        let mut at = 0;
        loop {
            self.turn()?;
            let now = self.now;
            let list = self.list(&|made| passes(made, now));
            let rest: Vec<_> = list.into_iter().skip(at).take(self.page).collect();
            at += self.page;
            let is_last = rest.len() < self.page;
            rest.into_iter().try_for_each(&mut *each)?;
            if is_last {
                return Ok(());
            }
        }
    }
}

impl Made {
    fn info(&self, now: Ms) -> TraceInfo {
        let mut info = TraceInfo::new(self.id.clone());
        info.request_time = Some(Timestamp::from_millis(self.began));
        if self.has_finished(now) {
            info.state = TraceState::Ok;
            info.execution_duration_ns = Some((self.ended - self.began) * 1_000_000);
        } else {
            info.state = TraceState::InProgress;
        }
        if self.whole <= now {
            let key = metadata::FINALIZED.to_owned();
            info.metadata.insert(key, "true".to_owned());
        }
        info
    }

    fn has_finished(&self, now: Ms) -> bool {
        self.finishes <= now
    }
}

impl Source for Simulated {
    fn newest(&mut self) -> Result<Option<Ms>> {
        self.turn()?;
        Ok(self.list(&|_| true).iter().map(began_at).max())
    }

    fn in_progress(&mut self, since: Ms, each: Each<'_>) -> Result<()> {
        self.pages(
            &|made, now| made.began >= since && !made.has_finished(now),
            each,
        )
    }

    fn started(&mut self, since: Ms, each: Each<'_>) -> Result<()> {
        self.in_progress(since, each)
    }

    fn finished(&mut self, window: Window, each: Each<'_>) -> Result<()> {
        let passes = |made: &Made, now| {
            made.has_finished(now)
                && made.began >= window.began
                && window.ended.is_none_or(|ended| made.ended >= ended)
        };
        self.pages(&passes, each)
    }

    fn finished_among(&mut self, ids: &[String], each: Each<'_>) -> Result<()> {
        self.pages(
            &|made, now| made.has_finished(now) && ids.contains(&made.id),
            each,
        )
    }
}

/// What was shown: `+` before those that start.
#[derive(Default)]
struct Shown(Vec<String>);

impl Shown {
    fn take(&mut self, traces: &[TraceInfo]) {
        self.0.extend(traces.iter().map(|info| match info.state {
            TraceState::InProgress => format!("+{}", info.trace_id),
            _ => info.trace_id.clone(),
        }));
    }
}

fn look(arrivals: &mut Arrivals, store: &mut Simulated, reach: Reach, shown: &mut Shown) -> bool {
    let now = store.now;
    let looked = arrivals.look(store, now, reach, &mut |traces| {
        shown.take(&traces);
        Ok(true)
    });
    looked.is_ok()
}

fn made(id: &str, began: Ms, ended: Ms) -> Made {
    Made {
        id: id.to_owned(),
        began: NOW + began,
        ended: NOW + ended,
        appears: NOW + ended,
        finishes: NOW + ended,
        whole: NOW + ended,
    }
}

#[test]
fn what_finishes_from_now_on_is_shown_in_the_order_of_its_end() {
    let mut store = Simulated::of(vec![
        made("before", -5 * MINUTE, -MINUTE),
        made("long", -20 * HOUR, 3 * SECOND),
        made("short", SECOND, 2 * SECOND),
        made("later", SECOND, MINUTE),
    ]);
    let mut arrivals = Arrivals::new(NOW, None, false, 100);
    let mut shown = Shown::default();
    assert!(look(&mut arrivals, &mut store, Reach::Whole, &mut shown));
    store.now = NOW + 10 * SECOND;
    look(&mut arrivals, &mut store, Reach::Whole, &mut shown);
    assert_eq!(shown.0, ["short", "long"]);
    store.now = NOW + 2 * MINUTE;
    look(&mut arrivals, &mut store, Reach::Near, &mut shown);
    assert_eq!(shown.0, ["short", "long", "later"]);
}

#[test]
fn thousands_in_a_millisecond_are_each_shown_once() {
    let mut all: Vec<Made> = (0..5_000)
        .map(|n| made(&format!("{n:04}"), SECOND, 2 * SECOND))
        .collect();
    for made in all.iter_mut().skip(2_500) {
        made.appears += SECOND;
        made.finishes += SECOND;
    }
    let mut store = Simulated::of(all);
    store.page = 500;
    let mut arrivals = Arrivals::new(NOW, None, false, 700);
    let mut shown = Shown::default();
    for at in [0, 2_500, 3_500, 4_500] {
        store.now = NOW + at;
        assert!(look(&mut arrivals, &mut store, Reach::Near, &mut shown));
    }
    shown.0.sort_unstable();
    let expected: Vec<String> = (0..5_000).map(|n| format!("{n:04}")).collect();
    assert_eq!(shown.0, expected);
}

#[test]
fn the_clock_here_may_be_wrong() {
    for off in [-2 * HOUR, 2 * HOUR] {
        let mut store = Simulated::of(vec![
            made("before", -5 * MINUTE, -MINUTE),
            made("after", SECOND, 2 * SECOND),
        ]);
        let mut arrivals = Arrivals::new(NOW + off, None, false, 100);
        let mut shown = Shown::default();
        for at in [0, 10 * SECOND] {
            store.now = NOW + at;
            let now = store.now + off;
            let mut show = |traces: Vec<TraceInfo>| {
                shown.take(&traces);
                Ok(true)
            };
            arrivals
                .look(&mut store, now, Reach::Near, &mut show)
                .unwrap();
        }
        assert_eq!(shown.0.last().map(String::as_str), Some("after"), "{off}");
    }
}

#[test]
fn a_trace_that_is_written_in_parts_is_waited_for_but_not_for_ever() {
    let mut parts = made("parts", 0, SECOND);
    parts.whole += SECOND;
    let mut bare = made("bare", 0, SECOND);
    bare.whole = Ms::MAX;
    let mut store = Simulated::of(vec![parts, bare]);
    let mut arrivals = Arrivals::new(NOW, None, false, 100);
    let mut shown = Shown::default();
    let mut at = |ms: Ms, shown: &mut Shown| {
        store.now = NOW + ms;
        look(&mut arrivals, &mut store, Reach::Whole, shown);
        arrivals.waits()
    };
    assert!(!at(0, &mut shown));
    assert!(at(1_500, &mut shown) && shown.0.is_empty());
    assert!(at(2_500, &mut shown));
    assert_eq!(shown.0, ["parts"]);
    assert!(!at(4_000, &mut shown));
    assert_eq!(shown.0, ["parts", "bare"]);
}

#[test]
fn starts_are_shown_once_and_before_ends() {
    let mut slow = made("slow", SECOND, MINUTE);
    slow.appears = NOW + SECOND;
    let mut old = made("old", -HOUR, MINUTE);
    old.appears = NOW - HOUR;
    let mut store = Simulated::of(vec![slow, old]);
    let mut arrivals = Arrivals::new(NOW, None, true, 100);
    let mut shown = Shown::default();
    for at in [0, 2 * SECOND, 4 * SECOND, 2 * MINUTE] {
        store.now = NOW + at;
        look(&mut arrivals, &mut store, Reach::Whole, &mut shown);
    }
    assert_eq!(shown.0, ["+slow", "old", "slow"]);
}

#[test]
fn what_was_before_is_caught_up_with_in_parts() {
    let all = (0..50).map(|n| made(&format!("{n:02}"), -DAY + n / 7, -DAY + 60_000 - n));
    let newest = made("50", -2 * MINUTE, -MINUTE);
    let mut store = Simulated::of(all.chain([newest]).collect());
    let mut since = NOW - 2 * DAY;
    let mut arrivals = Arrivals::new(NOW, Some(since), false, 10);
    let mut shown = Shown::default();
    let mut failures = 0;
    for fails_in in [Some(1), Some(8), Some(8), Some(8), None] {
        store.fails_in = fails_in;
        let now = store.now;
        let caught_up = arrivals.catch_up(&mut store, now, &mut since, &mut |traces| {
            shown.take(&traces);
            Ok(true)
        });
        failures += u32::from(caught_up.is_err());
    }
    assert_eq!(failures, 4);
    assert!(arrivals.shown.len() < 20, "{}", arrivals.shown.len());
    look(&mut arrivals, &mut store, Reach::Whole, &mut shown);
    shown.0.sort_unstable();
    let expected: Vec<String> = (0..=50).map(|n| format!("{n:02}")).collect();
    assert_eq!(shown.0, expected);
}

/// Traces of every kind that follow is to see, for an hour.
fn trace() -> impl Strategy<Value = Made> {
    let times = (0..HOUR, 0..20 * HOUR, 0..LATE - MINUTE, 0..3_000_i64);
    (times, 0..4_u8).prop_map(|((at, took, late, rest), kind)| {
        let at = NOW + at;
        let mut made = Made {
            id: String::new(),
            began: at - took,
            ended: at,
            appears: at,
            finishes: at,
            whole: at,
        };
        match kind {
            // Written when it had ended, and late.
            0 => {
                made.appears += late;
                made.finishes += late;
                made.whole += late;
            }
            // Span by span, and at last the rest.
            1 => {
                made.appears -= took / 2;
                made.whole += rest;
            }
            // Closed by somebody, with an end of long ago.
            2 => {
                made.appears = NOW.min(at) - took;
                made.ended = made.began + took / 10;
                made.finishes = at + 10 * MINUTE;
                made.whole = Ms::MAX;
            }
            // Short.
            _ => made.began = at - took / 10_000,
        }
        made
    })
}

/// Looks: after how long, how far, and after how many pages one fails.
fn looks() -> impl Strategy<Value = Vec<(Ms, bool, Option<usize>)>> {
    let pause = prop_oneof![4 => 500..5_000_i64, 1 => 5_000..300_000_i64];
    let fails = prop_oneof![4 => Just(None), 1 => (0..8_usize).prop_map(Some)];
    proptest::collection::vec((pause, any::<bool>(), fails), 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_is_shown_once_and_none_is_missed(
        mut traces in proptest::collection::vec(trace(), 0..60),
        looks in looks(),
        starts in any::<bool>(),
    ) {
        for (n, made) in traces.iter_mut().enumerate() {
            made.id = format!("{n:03}");
        }
        let mut store = Simulated::of(traces.clone());
        let mut arrivals = Arrivals::new(NOW, None, starts, 10);
        let mut shown = Shown::default();
        assert!(look(&mut arrivals, &mut store, Reach::Whole, &mut shown));
        for (pause, whole, fails_in) in looks {
            let reach = if whole { Reach::Whole } else { Reach::Near };
            store.now += pause;
            store.fails_in = fails_in;
            look(&mut arrivals, &mut store, reach, &mut shown);
        }
        store.fails_in = None;
        for _ in 0..4 {
            store.now += 5 * SECOND;
            look(&mut arrivals, &mut store, Reach::Whole, &mut shown);
        }
        // What is still to come.
        store.now = store.now.max(NOW + 3 * HOUR);
        for _ in 0..4 {
            store.now += 5 * SECOND;
            look(&mut arrivals, &mut store, Reach::Whole, &mut shown);
        }
        let (starts_shown, mut ends): (Vec<String>, Vec<String>) =
            shown.0.into_iter().partition(|id| id.starts_with('+'));
        ends.sort_unstable();
        let expected: Vec<String> = traces.iter().map(|made| made.id.clone()).collect();
        prop_assert_eq!(ends, expected);
        let mut once = starts_shown.clone();
        once.sort_unstable();
        once.dedup();
        prop_assert_eq!(once.len(), starts_shown.len());
        prop_assert!(starts || starts_shown.is_empty());
        prop_assert!(arrivals.pending.is_empty(), "{:?}", arrivals.pending);
    }
}

#[test]
fn the_page_of_limits_tells_what_holds() {
    const LIMITS: &str = include_str!("../../../limits.txt");
    for line in [
        format!("appearing after their end       {} minutes,", LATE / MINUTE),
        format!("having begun before now         {} hours,", LONG / HOUR),
        format!(
            "ids of what was shown           those of {} minutes",
            (LATE + REMEMBERED) / MINUTE
        ),
        format!("a trace without its metadata    {} s", GRACE / SECOND),
        format!("0.5 s to {} s,", super::super::pace::LONGEST.as_secs()),
    ] {
        assert!(LIMITS.contains(&line), "{line}");
    }
}
