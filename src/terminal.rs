//! The terminal questions, asked once: is there one, how wide, in colour, with a
//! pager; and progress for what takes longer than half a second.

use std::io::{self, IsTerminal, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::{ColorChoice, GlobalArgs, OutputFormat};
use crate::render::{number, sanitize};
use crate::settings::Env;

/// The width of a terminal that standard output is to be taken for.
pub(crate) fn forced_width(env: &Env) -> Option<usize> {
    let columns = env.get("MLT_FORCE_TTY")?.parse().ok()?;
    (columns > 0).then_some(columns)
}

/// What is known of the three standard streams.
#[derive(Debug, Clone)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each answers a question of its own"
)]
pub(crate) struct Terminal {
    /// Columns of standard output; `None` when it is not a terminal.
    pub(crate) width: Option<usize>,
    /// Whether standard output takes colour.
    pub(crate) color: bool,
    /// Whether standard error takes colour.
    pub(crate) error_color: bool,
    /// Whether somebody could answer a question.
    pub(crate) interactive: bool,
    /// Whether standard error shows progress.
    progress: bool,
    /// The pager to use.
    pager: Option<String>,
}

impl Terminal {
    /// Asks the streams and the environment.
    pub(crate) fn detect(flags: &GlobalArgs, env: &Env) -> Self {
        let forced = env.get("MLT_FORCE_TTY");
        let is_terminal = io::stdout().is_terminal();
        let width = (is_terminal || forced.is_some()).then(|| {
            forced_width(env)
                .or(env.get("COLUMNS").and_then(|columns| columns.parse().ok()))
                .or(terminal_size::terminal_size().map(|(w, _)| usize::from(w.0)))
                .filter(|columns| *columns > 0)
                .unwrap_or(80)
        });
        let color = |terminal: bool| match flags.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                env.get("NO_COLOR").is_none()
                    && (env.get("CLICOLOR_FORCE").is_some_and(|v| v != "0")
                        || (terminal
                            && env.get("CLICOLOR") != Some("0")
                            && env.get("TERM") != Some("dumb")))
            }
        };
        let pager = env
            .get("MLT_PAGER")
            .or(env.get("PAGER"))
            .unwrap_or("less -FRX")
            .to_owned();
        Self {
            width,
            color: color(width.is_some()),
            error_color: color(io::stderr().is_terminal()),
            interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
            progress: io::stderr().is_terminal() && env.get("TERM") != Some("dumb"),
            pager: (is_terminal
                && !flags.no_pager
                && flags.output == OutputFormat::Table
                && pager.trim() != "cat")
                .then_some(pager),
        }
    }

    /// Where data goes: standard output, buffered, or the pager.
    pub(crate) fn output(&self) -> Output {
        let Some(pager) = &self.pager else {
            return Output::Direct(io::BufWriter::with_capacity(1 << 16, io::stdout()));
        };
        Output::Buffered {
            pager: pager.clone(),
            height: terminal_size::terminal_size().map_or(24, |(_, h)| usize::from(h.0)),
            lines: 0,
            text: Vec::new(),
        }
    }

    /// Progress that appears once half a second has passed.
    pub(crate) fn progress(&self, message: &str) -> Progress {
        Progress {
            enabled: self.progress,
            started: Instant::now(),
            message: message.to_owned(),
            total: None,
            bar: None,
        }
    }
}

/// Standard output, or a pager that is started only when the text does not fit
/// on the screen.
pub(crate) enum Output {
    /// Straight to standard output.
    Direct(io::BufWriter<io::Stdout>),
    /// Kept until a screenful is there.
    Buffered {
        /// The command.
        pager: String,
        /// Lines of the screen.
        height: usize,
        /// Line feeds in the text.
        lines: usize,
        /// What was written until now.
        text: Vec<u8>,
    },
    /// To a pager that runs.
    Paged(Box<Child>),
}

impl Output {
    /// Writes out what is left and waits for the pager to be closed.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Direct(mut out) => out.flush(),
            Self::Buffered { text, .. } => {
                let mut out = io::stdout().lock();
                out.write_all(&text)?;
                out.flush()
            }
            Self::Paged(mut child) => {
                drop(child.stdin.take());
                child.wait().map(drop)
            }
        }
    }

    fn start_pager(&mut self) -> io::Result<()> {
        let Self::Buffered { pager, text, .. } = self else {
            return Ok(());
        };
        let text = std::mem::take(text);
        let mut command = Command::new("sh");
        command
            .args(["-c", pager])
            .env("LESSCHARSET", "utf-8")
            .stdin(Stdio::piped());
        if std::env::var_os("LESS").is_none() {
            // Without these, less shows colours as escapes.
            command.env("LESS", "FRX");
        }
        let child = if can_start(pager) {
            command.spawn().ok()
        } else {
            let _ = writeln!(
                io::stderr(),
                "warning: the pager `{}` cannot be started",
                sanitize::line(pager)
            );
            None
        };
        *self = match child {
            Some(child) => {
                // An interrupt is the pager's to handle; mlt ends when the pager does.
                let _ = ctrlc::set_handler(|| {});
                Self::Paged(Box::new(child))
            }
            None => Self::Direct(io::BufWriter::new(io::stdout())),
        };
        self.write_all(&text)
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Direct(out) => out.write(buf),
            Self::Buffered {
                text,
                height,
                lines,
                ..
            } => {
                text.extend_from_slice(buf);
                *lines += buf.split(|b| *b == b'\n').count() - 1;
                if *lines >= *height {
                    self.start_pager()?;
                }
                Ok(buf.len())
            }
            Self::Paged(child) => match &mut child.stdin {
                Some(stdin) => stdin.write(buf),
                None => Err(io::ErrorKind::BrokenPipe.into()),
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Direct(out) => out.flush(),
            Self::Buffered { .. } | Self::Paged(_) => Ok(()),
        }
    }
}

/// Whether the shell finds the program that a pager's command line begins with.
fn can_start(pager: &str) -> bool {
    let program = pager.split_whitespace().next().unwrap_or_default();
    Command::new("sh")
        .args(["-c", "command -v -- \"$1\"", "sh", program])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A line on standard error that says how far a command has come.
pub(crate) struct Progress {
    enabled: bool,
    started: Instant,
    message: String,
    total: Option<u64>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Nothing is shown of what ends sooner.
    const DELAY: Duration = Duration::from_millis(500);

    /// With a known end, a bar is drawn.
    #[must_use]
    pub(crate) fn of(mut self, total: usize) -> Self {
        self.total = u64::try_from(total).ok();
        self
    }

    /// Says how far it has come.
    pub(crate) fn at(&mut self, position: usize) {
        if !self.enabled || self.started.elapsed() < Self::DELAY {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let (bar, template) = match self.total {
                Some(total) => (
                    ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()),
                    "{msg} {wide_bar} {human_pos}/{human_len}",
                ),
                None => (
                    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
                    "{spinner} {msg} {human_pos}",
                ),
            };
            let style = ProgressStyle::with_template(template);
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_message(self.message.clone())
        });
        bar.set_position(u64::try_from(position).unwrap_or(u64::MAX));
    }

    /// Says how many were looked at to find those that match.
    pub(crate) fn found(&mut self, scanned: usize, matched: usize) {
        if scanned > matched {
            self.message = format!(
                "scanned {}, matched",
                number::count(i64::try_from(scanned).unwrap_or(i64::MAX))
            );
            if let Some(bar) = &self.bar {
                bar.set_message(self.message.clone());
            }
        }
        self.at(matched);
    }

    /// Takes the line away, before anything else is printed.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
