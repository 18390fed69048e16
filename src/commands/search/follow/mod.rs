//! `mlt search --follow`: traces as they finish, until somebody has seen enough.

mod arrivals;
mod pace;
mod questions;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Result;

use self::arrivals::{Arrivals, Reach};
use self::pace::Pace;
use self::questions::{Questions, is_finished};
use super::printer::Printer;
use super::sample::Sample;
use crate::cli::{OutputFormat, SearchArgs};
use crate::commands::Context;
use crate::commands::usage::UsageLookup;
use crate::commands::waiting;
use crate::error::{CommandError, Exit};
use crate::model::{Timestamp, TraceInfo};
use crate::store::{FilterSource, Store};
use crate::units;

/// Traces that are sorted and shown together …
const TOGETHER: usize = 2_000;
/// … and where their spans are needed.
const WITH_SPANS: usize = 50;
/// Looks as far as traces may be late take one part of the time in so many.
const WHOLE_SHARE: u32 = 10;
/// Doubts that are told.
const MOST_DOUBTS: usize = 100;

/// The formats of which each line stands for itself.
const LINES: [OutputFormat; 5] = [
    OutputFormat::Table,
    OutputFormat::Jsonl,
    OutputFormat::Csv,
    OutputFormat::Tsv,
    OutputFormat::Ids,
];

pub(super) fn run(
    context: &Context,
    args: &SearchArgs,
    filter: FilterSource,
    text: Option<&str>,
) -> Result<Exit> {
    context.formats("search --follow", &LINES)?;
    let begun = Instant::now();
    let questions = Questions::new(context, filter)?;
    if !questions.store().grows() {
        let place = questions.store().describe();
        let message = format!("cannot follow {place}: no traces arrive there");
        let hint = "servers, databases and mlruns folders can be followed";
        return Err(CommandError::usage(message).hint(hint).into());
    }
    let mut out = context.terminal.streaming();
    let (ended, finished, unreadable) = {
        let mut printer =
            Printer::new(context, args, questions.query(), text, &mut out)?.streaming();
        printer.flush()?;
        let mut following = Following {
            context,
            args,
            deadline: args.period.map(|period| begun + period.duration()),
            sample: Sample::of(context, args),
            printer,
            finished: 0,
            doubts: HashSet::new(),
            unreadable: 0,
            is_over: false,
        };
        let ended = following.follow(questions)?;
        following.printer.finish(false, false, &[])?;
        (ended, following.finished, following.unreadable)
    };
    out.finish()?;
    if ended == Ended::Unread {
        return Ok(Exit::Success);
    }
    if let Some(wanted) = args.until_count
        && finished < wanted
    {
        let message = format!(
            "{finished} of {} finished in time",
            units::counted(usize::try_from(wanted).unwrap_or(usize::MAX), "trace")
        );
        return Err(CommandError::new(Exit::Condition, message).into());
    }
    let exit = if args.fail_empty && finished == 0 {
        Exit::Condition
    } else {
        Exit::Success
    };
    Ok(exit.but_incomplete(unreadable > 0))
}

/// Why it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// There was enough, or the time was up.
    Done,
    /// Nobody reads it any more.
    Unread,
}

/// What goes on from look to look, besides what is known of the traces.
struct Following<'a> {
    context: &'a Context<'a>,
    args: &'a SearchArgs,
    deadline: Option<Instant>,
    sample: Option<Sample>,
    printer: Printer<'a>,
    /// Traces that were shown and have finished.
    finished: u64,
    doubts: HashSet<String>,
    unreadable: usize,
    /// Whether this look is the last one.
    is_over: bool,
}

impl Following<'_> {
    /// Looks again and again.
    fn follow(&mut self, mut questions: Questions<'_>) -> Result<Ended> {
        let since = self.args.filter.since;
        let since = since.map(|point| point.resolve(self.context.now).millis());
        let batch = if self.printer.needs_spans(self.args.include_spans) {
            WITH_SPANS
        } else {
            TOGETHER
        };
        let now = self.context.now.millis();
        let mut arrivals = Arrivals::new(now, since, self.args.in_progress, batch);
        let mut missed = since;
        let mut pace = Pace::default();
        let mut whole: Option<(Instant, Duration)> = None;
        let (mut has_looked, mut fails) = (false, false);
        let mut said = Duration::ZERO;
        let mut progress = self.context.terminal.progress("waiting for traces");
        loop {
            self.is_over = self.deadline.is_some_and(|end| Instant::now() >= end);
            let is_due = whole.is_none_or(|(end, took)| end.elapsed() >= took * WHOLE_SHARE);
            let reach = if is_due || self.is_over {
                Reach::Whole
            } else {
                Reach::Near
            };
            let (begun, before) = (Instant::now(), self.finished);
            let looked = self.look(&mut questions, &mut arrivals, &mut missed, reach);
            self.tell_doubts(&mut questions);
            has_looked |= missed != since;
            let pause = match looked {
                Ok(goes_on) => {
                    if std::mem::take(&mut fails) {
                        let store = questions.store().describe();
                        self.context.note(&format!("{store} answers again"));
                    }
                    has_looked = true;
                    if reach == Reach::Whole {
                        whole = Some((Instant::now(), begun.elapsed()));
                    }
                    if !goes_on || self.is_over {
                        return Ok(Ended::Done);
                    }
                    let news = self.finished > before || arrivals.waits();
                    pace.after(news, begun.elapsed())
                }
                Err(error) if has_looked && !self.is_over && waiting::may_pass(&error) => {
                    if !std::mem::replace(&mut fails, true) {
                        let text = format!("{error}; looking again until that is over");
                        self.context.warn(text);
                    }
                    pace.after_failure()
                }
                Err(error) => return Err(error),
            };
            progress.at(usize::try_from(self.finished).unwrap_or(usize::MAX));
            if self.context.flags.verbose && pause != said {
                said = pause;
                let nanos = i64::try_from(pause.as_nanos()).unwrap_or(i64::MAX);
                let text = format!("looking again every {}", units::duration(nanos));
                self.context.note(&text);
            }
            let left = self.deadline.map_or(Duration::MAX, |end| {
                end.saturating_duration_since(Instant::now())
            });
            if !self.context.terminal.wait(pause.min(left)) {
                return Ok(Ended::Unread);
            }
        }
    }

    fn look(
        &mut self,
        questions: &mut Questions<'_>,
        arrivals: &mut Arrivals,
        missed: &mut Option<i64>,
        reach: Reach,
    ) -> Result<bool> {
        questions.refresh()?;
        let store = questions.shared_store();
        let now = Timestamp::now().millis();
        if self.is_over {
            arrivals.settle();
        }
        let mut unreadable = Vec::new();
        let mut show = |traces| self.show(store.as_ref(), traces, &mut unreadable);
        let mut goes_on = true;
        if let Some(since) = missed {
            goes_on = arrivals.catch_up(questions, now, since, &mut show)?;
            *missed = None;
        }
        let goes_on = goes_on && arrivals.look(questions, now, reach, &mut show)?;
        questions.add_unreadable(unreadable);
        Ok(goes_on)
    }

    /// Shows all of these traces or none, and says whether more are wanted.
    fn show(
        &mut self,
        store: &dyn Store,
        mut traces: Vec<TraceInfo>,
        unreadable: &mut Vec<crate::model::Unreadable>,
    ) -> Result<bool> {
        if let Some(sample) = &self.sample {
            traces.retain(|info| sample.keeps(&info.trace_id));
        }
        let mut room = self
            .args
            .until_count
            .map_or(u64::MAX, |most| most - self.finished);
        let fitting = traces.iter().take_while(|info| {
            let fits = room > 0;
            room -= u64::from(fits && is_finished(info));
            fits
        });
        let fitting = fitting.count();
        traces.truncate(fitting);
        if self.printer.shows_usage() {
            UsageLookup::new(self.context).complete(store, &mut traces);
        }
        let spans = self.args.include_spans;
        let traces = self.printer.completed(store, traces, spans, unreadable)?;
        for trace in &traces {
            self.printer.push_completed(trace, spans)?;
            self.finished += u64::from(is_finished(&trace.info));
        }
        self.printer.flush()?;
        let is_enough = self
            .args
            .until_count
            .is_some_and(|most| self.finished >= most);
        let is_late = !self.is_over && self.deadline.is_some_and(|end| Instant::now() >= end);
        Ok(!is_enough && !is_late)
    }

    /// Tells what could not be read, each once.
    fn tell_doubts(&mut self, questions: &mut Questions<'_>) {
        let unreadable = questions.take_unreadable();
        self.unreadable += unreadable.len();
        self.context.name_unreadable(&unreadable);
        for notice in questions.store().notices() {
            let text = notice.untrusted();
            if self.doubts.len() >= MOST_DOUBTS || !self.doubts.insert(text.to_owned()) {
                continue;
            }
            self.context.warn(text);
            if self.doubts.len() == MOST_DOUBTS {
                let most = units::counted(MOST_DOUBTS, "warning");
                self.context
                    .warn(format!("{most} like these; what comes now is not told"));
            }
        }
    }
}
