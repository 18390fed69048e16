//! The terminal questions, asked once: is there one, how wide, in colour, with a
//! pager; and whether progress is shown.

#![allow(clippy::disallowed_methods, reason = "this is where output leaves")]

use std::io::{self, IsTerminal, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
#[cfg(unix)]
use std::time::Instant;

use crate::build_log::LogLines;
use crate::cli::{ColorChoice, GlobalArgs, OutputFormat};
use crate::io_words::plain_io_reason;
use crate::progress::{Progress, Spinner};
use crate::settings::Env;
use crate::signals;
use crate::text::{Clean, Sheet, sanitize};

/// From here on, exit codes of a shell stand for signals.
const KILLED: i32 = 128;

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
    /// What shows it.
    spinner: Spinner,
    /// Whether standard output is on the screen, too.
    on_screen: bool,
    /// The pager to use.
    pager: Option<String>,
    /// Whether text goes to the log of a machine that takes lines of it for commands.
    in_log: bool,
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
            // Requests that are shown are no silence.
            progress: io::stderr().is_terminal()
                && env.get("TERM") != Some("dumb")
                && !flags.verbose,
            spinner: Spinner::default(),
            on_screen: is_terminal,
            pager: (is_terminal
                && !flags.no_pager
                && flags.output == OutputFormat::Table
                && pager.trim() != "cat")
                .then_some(pager),
            in_log: matches!(flags.output, OutputFormat::Table | OutputFormat::Brief)
                && (env.get("GITHUB_ACTIONS").is_some() || env.get("TF_BUILD").is_some()),
        }
    }

    /// Where data goes: standard output, buffered, or the pager.
    pub(crate) fn output(&self) -> Output {
        let Some(pager) = &self.pager else {
            let out = io::BufWriter::with_capacity(1 << 16, self.screen());
            return self.unpaged(Box::new(out));
        };
        Output(Way::Buffered {
            pager: pager.clone(),
            height: height(),
            lines: 0,
            text: Vec::new(),
            screen: self.screen(),
        })
    }

    /// Where lines go one by one as they come: each is written at once, and to no pager.
    pub(crate) fn streaming(&self) -> Output {
        self.unpaged(Box::new(io::LineWriter::new(self.screen())))
    }

    fn unpaged(&self, out: Box<dyn Write + Send>) -> Output {
        Output(if self.in_log {
            Way::Logged(LogLines::new(out))
        } else {
            Way::Direct(out)
        })
    }

    /// Whether standard output is a screen, on which lines can be drawn anew.
    pub(crate) fn draws(&self) -> bool {
        self.on_screen && self.width.is_some()
    }

    /// Waits for so long, or until nobody reads standard output any more, which it then
    /// says by `false`.
    #[allow(clippy::unused_self, reason = "it is about the terminal")]
    pub(crate) fn wait(&self, time: Duration) -> bool {
        is_read_for(time)
    }

    fn screen(&self) -> Screen {
        Screen {
            spinner: (self.progress && self.on_screen).then(|| self.spinner.clone()),
            stdout: io::stdout(),
        }
    }

    /// Shows a sign of life from now on, whenever nothing was written for a second.
    pub(crate) fn show_progress(&self) {
        if self.progress {
            self.spinner.start();
        }
    }

    /// Says what is done from now on, for when it takes its time.
    pub(crate) fn progress(&self, message: &str) -> Progress {
        self.spinner.progress(message)
    }

    /// Says something on standard error, for which progress makes way.
    pub(crate) fn say(&self, text: &Clean) {
        self.spinner.make_way();
        tell(text);
    }

    /// What says something likewise, from wherever it is.
    pub(crate) fn teller(&self) -> impl Fn(&Clean) + Send + 'static {
        let spinner = self.spinner.clone();
        move |text| {
            spinner.make_way();
            tell(text);
        }
    }

    /// Whether standard error is left to a dialogue.
    pub(crate) fn leave_to_dialogue(&self, there_is_one: bool) {
        self.spinner.block(there_is_one);
    }

    /// Shows no progress any more.
    pub(crate) fn end_progress(&self) {
        self.spinner.end();
    }
}

/// Standard output, with a door for people and one for machines.
pub(crate) struct Output(Way);

impl Output {
    /// For people: takes only what is clean.
    pub(crate) fn text(&mut self) -> Sheet<'_> {
        Sheet::new(&mut self.0)
    }

    /// For formats that have escapes of their own.
    pub(crate) fn data(&mut self) -> &mut (dyn Write + Send) {
        &mut self.0
    }

    /// Writes out what is left and waits for the pager to be closed.
    ///
    /// # Errors
    /// Those of writing.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.0.finish()
    }
}

/// Standard output, or a pager that is started only when the text does not fit
/// on the screen.
enum Way {
    /// Straight to standard output.
    Direct(Box<dyn Write + Send>),
    /// To the log of a build.
    Logged(LogLines<Box<dyn Write + Send>>),
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
        /// Where it goes if it fits.
        screen: Screen,
    },
    /// To a pager that runs.
    Paged {
        /// The command.
        pager: String,
        /// The process.
        child: Box<Child>,
    },
}

impl Way {
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Direct(mut out) => out.flush(),
            Self::Logged(out) => out.finish(),
            Self::Buffered {
                text, mut screen, ..
            } => {
                screen.write_all(&text)?;
                screen.flush()
            }
            Self::Paged { pager, mut child } => closed(&pager, &mut child),
        }
    }

    fn start_pager(&mut self) -> io::Result<()> {
        let Self::Buffered {
            pager,
            text,
            screen,
            ..
        } = self
        else {
            return Ok(());
        };
        let text = std::mem::take(text);
        let screen = screen.clone();
        screen.leave();
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
            let warning = format!("warning: the pager `{pager}` cannot be started");
            tell(&Clean::line(warning).end());
            None
        };
        *self = match child {
            Some(child) => {
                signals::leave_to_pager(true);
                Self::Paged {
                    pager: pager.clone(),
                    child: Box::new(child),
                }
            }
            None => Self::Direct(Box::new(io::BufWriter::new(screen))),
        };
        self.write_all(&text)
    }
}

impl Write for Way {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Direct(out) => out.write(buf),
            Self::Logged(out) => out.write(buf),
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
            Self::Paged { pager, child } => {
                let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
                let stdin = child.stdin.as_mut().ok_or_else(gone);
                let written = stdin.and_then(|stdin| stdin.write(buf));
                if written.as_ref().is_err_and(is_gone) {
                    // Closed by its user, or broken?
                    closed(pager, child)?;
                }
                written
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Direct(out) => out.flush(),
            // A line that has begun waits for its end.
            Self::Logged(_) | Self::Buffered { .. } | Self::Paged { .. } => Ok(()),
        }
    }
}

/// Standard output, before which progress makes way.
#[derive(Debug)]
struct Screen {
    spinner: Option<Spinner>,
    stdout: io::Stdout,
}

impl Screen {
    /// Leaves it to a pager.
    fn leave(&self) {
        if let Some(spinner) = &self.spinner {
            spinner.block(true);
        }
    }
}

impl Clone for Screen {
    fn clone(&self) -> Self {
        Self {
            spinner: self.spinner.clone(),
            stdout: io::stdout(),
        }
    }
}

/// Lines of the screen.
pub(crate) fn height() -> usize {
    terminal_size::terminal_size().map_or(24, |(_, h)| usize::from(h.0))
}

#[cfg(unix)]
fn is_read_for(time: Duration) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let begun = Instant::now();
    let stdout = io::stdout();
    loop {
        let left = time.saturating_sub(begun.elapsed());
        // Nothing is asked for but what is told in any case: that the reader is gone.
        let mut streams = [PollFd::new(&stdout, PollFlags::empty())];
        match poll(&mut streams, Timespec::try_from(left).ok().as_ref()) {
            Ok(0) => return true,
            Ok(_) => return false,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => {
                std::thread::sleep(left);
                return true;
            }
        }
    }
}

#[cfg(not(unix))]
fn is_read_for(time: Duration) -> bool {
    std::thread::sleep(time);
    true
}

/// Writes to standard error, and nothing is done where that cannot be.
pub(crate) fn tell(text: &Clean) {
    let _ = io::stderr().write_all(text.as_str().as_bytes());
}

/// Writes to standard output, and to no pager, all of a text.
///
/// # Errors
/// Those of writing.
pub(crate) fn print(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let printed = out.write_all(text).and_then(|()| out.flush());
    printed.map_err(told)
}

/// An error of standard output, which says so. That nobody reads it is left as it is.
pub(crate) fn told(error: io::Error) -> io::Error {
    let reason = match error.kind() {
        io::ErrorKind::BrokenPipe => return error,
        io::ErrorKind::StorageFull => "the disk is full".to_owned(),
        _ => plain_io_reason(&error),
    };
    let message = format!("cannot write to standard output: {reason}");
    io::Error::new(error.kind(), message)
}

impl Write for Screen {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let Some(spinner) = &self.spinner else {
            return self.stdout.write(buf).map_err(told);
        };
        spinner.make_way();
        let written = self.stdout.write(buf).map_err(told)?;
        if let Some(last) = written.checked_sub(1) {
            spinner.line_is_open(buf[last] != b'\n');
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush().map_err(told)
    }
}

/// Waits until a pager ends.
///
/// # Errors
/// When it fails, since nobody knows what it has shown until then.
fn closed(pager: &str, child: &mut Child) -> io::Result<()> {
    drop(child.stdin.take());
    let status = child.wait()?;
    // By a signal, it was ended by its user.
    let failed = status.code().filter(|code| *code != 0 && *code < KILLED);
    let Some(code) = failed else {
        return Ok(());
    };
    let pager = sanitize::line(pager);
    Err(io::Error::other(format!(
        "the pager `{pager}` failed with exit code {code}, and may not have shown all; \
         --no-pager goes without"
    )))
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
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
