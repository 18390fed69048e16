//! What the scripts in `completions/` ask and are told. A script calls
//! `MLT_COMPLETE=N mlt -- WORD…`, where the word with the number N is being
//! typed, and gets a candidate a line, behind a tab what it is. Names come from
//! traces: a script has to quote what it inserts, and does not see what no
//! line could hold.

use std::ffi::OsString;

use clap_complete::CompletionCandidate;

use super::is_visible;
use crate::terminal;
use crate::text::sanitize;

/// The variable with the number of the word.
const NUMBER: &str = "MLT_COMPLETE";

/// Answers a script, and tells whether it was one that asked.
pub(crate) fn answer(words: &[OsString]) -> bool {
    // Not every line of a shell that happens to have the variable is a question.
    let (Some(number), [_, escape, line @ ..]) = (std::env::var_os(NUMBER), words) else {
        return false;
    };
    let number = number.to_str().and_then(|number| number.parse().ok());
    let (Some(number), true, false) = (number, escape == "--", line.is_empty()) else {
        return false;
    };
    let text: String = candidates(line, number).iter().map(told).collect();
    // A shell that went away has no use for it.
    let _ = terminal::print(text.as_bytes());
    true
}

fn candidates(line: &[OsString], number: usize) -> Vec<CompletionCandidate> {
    let mut line = line.to_vec();
    line.truncate(number.saturating_add(1));
    if line.len() == number {
        // Some shells do not pass empty words.
        line.push(OsString::new());
    }
    let folder = std::env::current_dir().ok();
    let mut command = crate::cli::completed();
    clap_complete::engine::complete(&mut command, line, number, folder.as_deref())
        .unwrap_or_default()
}

fn told(candidate: &CompletionCandidate) -> String {
    let Some(value) = candidate.get_value().to_str().filter(|v| is_visible(v)) else {
        return String::new();
    };
    let help = candidate.get_help().map(ToString::to_string);
    let help = help.as_deref().and_then(|help| help.lines().next());
    match help.map(sanitize::line) {
        Some(help) if !help.is_empty() => format!("{value}\t{help}\n"),
        _ => format!("{value}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &[&str], number: usize) -> Vec<String> {
        let line: Vec<OsString> = line.iter().map(OsString::from).collect();
        let all = candidates(&line, number);
        all.iter().map(told).collect()
    }

    #[test]
    fn a_candidate_is_a_line() {
        assert_eq!(
            of(&["mlt", "search", "--no-pa"], 2),
            ["--no-pager\tDo not page long output on a terminal\n"]
        );
    }

    #[test]
    fn empty_words_may_be_missing_and_others_may_follow() {
        let all = of(&["mlt", "completions"], 2);
        assert!(all.iter().any(|line| line.starts_with("bash")), "{all:?}");
        assert_eq!(of(&["mlt", "completions", "", "zsh"], 2), all);
        assert_eq!(of(&["mlt"], 7), Vec::<String>::new());
    }

    #[test]
    fn what_no_line_can_hold_is_left_out() {
        for value in ["a\nb", "a\tb", "a\u{1b}[31m", "a\u{202e}b"] {
            assert_eq!(told(&CompletionCandidate::new(value)), "");
        }
        let candidate = CompletionCandidate::new("a").help(Some("x\u{202e}\nmore".into()));
        assert_eq!(told(&candidate), "a\tx\\u{202e}\n");
    }
}
