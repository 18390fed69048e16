//! One file per subcommand: resolve what was asked for, ask the store, analyse,
//! render. What several of them need is beside them.

mod again;
mod assess;
mod attachments;
mod change;
mod check;
mod close;
mod columns;
mod completing;
mod completions;
mod delete;
mod diff;
mod errors;
mod event;
mod experiments;
mod export;
mod form;
mod gather;
mod get;
mod help;
mod import;
mod instrument;
mod keys;
mod latency;
mod link;
mod man;
mod no_match;
mod ordered;
mod prune;
mod report;
mod resolve;
mod run;
mod search;
mod selection;
mod session;
mod session_levels;
mod sessions;
mod skill;
mod stats;
mod tag;
mod unreadable;
mod usage;
mod waiting;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::analysis::MOST_INTERVALS;
use crate::cli::{Cli, Command, FilterArgs, GlobalArgs, OutputFormat};
use crate::error::{CommandError, Exit};
use crate::model::Timestamp;
use crate::render::{Layout, LeftOut, Style};
use crate::settings::{Env, RealDisk, Settings};
use crate::signals::{AtEnd, at_end};
use crate::store::{self, Location, Logged, Notice, RequestLog, Store};
use crate::terminal::{self, Terminal};
use crate::text::Clean;
use crate::units::{self, Zone};

/// Runs the subcommand.
///
/// # Errors
/// Whatever stopped it; [`crate::error::report`] puts it into words.
pub(crate) fn run(cli: &Cli, env: &Env, terminal: &Terminal) -> Result<Exit> {
    let flags = &cli.global;
    if flags.budget.is_some() && flags.output != OutputFormat::Brief {
        return Err(CommandError::usage("--budget goes with `-o brief` alone").into());
    }
    match &cli.command {
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(args),
        Command::Skill => skill::run(),
        Command::Help(args) => help::run(args, terminal),
        Command::Search(args) => with_context(flags, env, terminal, |c| search::run(c, args)),
        Command::Get(args) => with_context(flags, env, terminal, |c| get::run(c, args)),
        Command::Session(args) => with_context(flags, env, terminal, |c| session::run(c, args)),
        Command::Sessions(args) => with_context(flags, env, terminal, |c| sessions::run(c, args)),
        Command::Tag(args) => with_context(flags, env, terminal, |c| tag::run(c, args)),
        Command::Assess(args) => with_context(flags, env, terminal, |c| assess::run(c, args)),
        Command::Close(args) => with_context(flags, env, terminal, |c| close::run(c, args)),
        Command::Delete(args) => with_context(flags, env, terminal, |c| delete::run(c, args)),
        Command::Prune(args) => with_context(flags, env, terminal, |c| prune::run(c, args)),
        Command::Run(args) => run::run(flags, env, terminal, args),
        Command::Event(args) => event::run(args, env),
        Command::Instrument(args) => instrument::run(flags, env, terminal, args),
        Command::Stats(args) => with_context(flags, env, terminal, |c| stats::run(c, args)),
        Command::Errors(args) => with_context(flags, env, terminal, |c| errors::run(c, args)),
        Command::Experiments(args) => {
            with_context(flags, env, terminal, |c| experiments::run(c, args))
        }
        Command::Keys(args) => with_context(flags, env, terminal, |c| keys::run(c, args)),
        Command::Latency(args) => with_context(flags, env, terminal, |c| latency::run(c, args)),
        Command::Diff(args) => diff::run(flags, env, terminal, args),
        Command::Check(args) => with_context(flags, env, terminal, |c| check::run(c, args)),
        Command::Report(args) => with_context(flags, env, terminal, |c| report::run(c, args)),
        Command::Import(args) => import::run(flags, env, terminal, args),
        Command::Export(args) => with_context(flags, env, terminal, |c| export::run(c, args)),
    }
}

/// Runs a command that looks at traces, and says afterwards what the store had
/// to leave out of its answers.
fn with_context(
    flags: &GlobalArgs,
    env: &Env,
    terminal: &Terminal,
    command: impl FnOnce(&Context) -> Result<Exit>,
) -> Result<Exit> {
    const SHOWN: usize = 5;
    let context = Context::new(flags, env, terminal)?;
    let outcome = command(&context);
    let notices = context.store.get().map_or(Vec::new(), |s| s.notices());
    for notice in notices.iter().take(SHOWN) {
        context.warn(notice.untrusted());
    }
    if notices.len() > SHOWN {
        context.warn(format!(
            "{} like these",
            units::counted(notices.len() - SHOWN, "more warning")
        ));
    }
    let exit = no_match::explain(&context, outcome)?;
    Ok(exit.but_incomplete(notices.iter().any(Notice::leaves_out)))
}

/// What every command that looks at traces needs.
pub(crate) struct Context<'a> {
    flags: &'a GlobalArgs,
    settings: Settings,
    terminal: &'a Terminal,
    now: Timestamp,
    store: OnceCell<Arc<dyn Store>>,
    /// What was asked for and found nothing, for [`no_match`] to look into.
    unmatched: RefCell<Option<FilterArgs>>,
    /// Whether nothing was found since a list of ids is empty.
    names_none: Cell<bool>,
    /// How long it may take to find out why nothing was found.
    patience: Duration,
}

impl<'a> Context<'a> {
    fn new(flags: &'a GlobalArgs, env: &Env, terminal: &'a Terminal) -> Result<Self> {
        let settings = Settings::resolve(&flags.settings(), env, &RealDisk)?;
        let is_typed = matches!(settings.location, Location::Stdin) && terminal.interactive;
        if !is_typed {
            terminal.show_progress();
        }
        let context = Self {
            flags,
            settings,
            terminal,
            now: Timestamp::from_millis(Timestamp::now().millis()),
            store: OnceCell::new(),
            unmatched: RefCell::new(None),
            names_none: Cell::new(false),
            patience: Duration::from_millis(
                env.get("MLT_PATIENCE")
                    .and_then(|millis| millis.parse().ok())
                    .unwrap_or(no_match::PATIENCE_MS),
            ),
        };
        for warning in &context.settings.warnings {
            context.warn(warning);
        }
        Ok(context)
    }

    /// The store, opened when it is first asked for.
    fn store(&self) -> Result<&dyn Store> {
        if let Some(store) = self.store.get() {
            return Ok(store.as_ref());
        }
        let store = self.opened()?;
        Ok(self.store.get_or_init(|| store).as_ref())
    }

    /// The store as it is now: servers are asked anew in any case, databases and folders are
    /// opened for that.
    fn store_anew(&self) -> Result<Arc<dyn Store>> {
        if !self.settings.location.is_far() {
            return self.opened();
        }
        self.store()?;
        match self.store.get() {
            Some(store) => Ok(Arc::clone(store)),
            None => self.opened(),
        }
    }

    fn opened(&self) -> Result<Arc<dyn Store>> {
        let log: RequestLog = self
            .flags
            .verbose
            .then(|| Arc::new(log) as Arc<dyn Fn(Logged<'_>) + Send + Sync>);
        let Settings {
            location,
            artifacts,
            ..
        } = &self.settings;
        Ok(Arc::from(store::open_with(location, artifacts, log)?))
    }

    /// How to draw on standard output.
    fn layout(&self) -> Layout {
        Layout {
            width: self.terminal.width,
            style: Style::new(self.terminal.color),
            zone: if self.terminal.width.is_some() {
                Zone::Local
            } else {
                Zone::Utc
            },
            ..Layout::piped()
        }
    }

    /// A doubt that does not stop the command.
    fn warn(&self, text: impl Into<Clean>) {
        self.say(text, Style::warning, "warning:");
    }

    /// Why a condition that was asked for failed, beside output that is complete.
    fn fail(&self, text: impl Into<Clean>) {
        self.say(text, Style::error, "error:");
    }

    fn say(&self, text: impl Into<Clean>, look: fn(Style) -> anstyle::Style, label: &str) {
        let style = look(Style::new(self.terminal.error_color));
        self.terminal.say(&text.into().labelled(style, label).end());
    }

    /// What to do about it.
    fn hint(&self, text: &str) {
        self.say(text, Style::title, "hint:");
    }

    /// Notes something where the command is ended by a signal before this is gone, if it is so
    /// then.
    fn note_at_end(
        &self,
        text: String,
        is_so: impl Fn() -> bool + Send + 'static,
    ) -> Option<AtEnd> {
        let style = Style::new(self.terminal.error_color).muted();
        let text = Clean::line(text).labelled(style, "note:").end();
        let tell = self.terminal.teller();
        (!self.flags.quiet).then(|| {
            at_end(move || {
                if is_so() {
                    tell(&text);
                }
            })
        })
    }

    /// Something worth knowing about the output, unless nobody wants to.
    fn note(&self, text: &str) {
        if !self.flags.quiet {
            self.note_loss(text);
        }
    }

    /// Something that the output lacks, which is said in any case.
    fn note_loss(&self, text: &str) {
        self.say(text, Style::muted, "note:");
    }
}

impl Context<'_> {
    /// Says that there are more rows than those shown.
    fn note_top(&self, shown: usize, all: usize) {
        if shown < all {
            let [shown, all] = [shown, all].map(units::whole);
            self.note(&format!("showing {shown} of {all} rows"));
        }
    }

    /// Says for which columns the terminal was too narrow, and what has them all.
    fn note_left_out(&self, mut left_out: LeftOut, all: &str) {
        let mut seen = HashSet::new();
        left_out.retain(|title| seen.insert(title.clone()));
        if !left_out.is_empty() {
            self.note(&format!(
                "there is no room for {}; {all}",
                left_out.join(", ")
            ));
        }
    }
}

/// What has every column, whatever the terminal.
const IN_TABLES: &str = "`-o csv` and `-o json` have all";

fn log(logged: Logged<'_>) {
    let record = match logged {
        Logged::Request(record) => record,
        Logged::Remark(text) => return terminal::tell(&Clean::line(text).end()),
    };
    let retry = match record.retry {
        0 => String::new(),
        n => format!(" (retry {n})"),
    };
    let elapsed = i64::try_from(record.elapsed.as_nanos()).unwrap_or(i64::MAX);
    let line = format!(
        "{} {} -> {} in {}, {}{retry}",
        record.method,
        record.url,
        record.outcome,
        units::duration(elapsed),
        units::bytes(u64::try_from(record.bytes).unwrap_or(u64::MAX)),
    );
    terminal::tell(&Clean::line(line).end());
}

/// Why traces are not shown over time.
fn too_many_intervals(count: i64) -> anyhow::Error {
    CommandError::usage(format!(
        "the traces span {} intervals, at most {} are shown",
        units::count(count),
        units::counted(MOST_INTERVALS, "interval"),
    ))
    .hint("choose a longer --every, or fewer traces with --since")
    .into()
}
