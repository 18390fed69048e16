//! What to type to see what a brief account left out: what was typed, without the limit,
//! or with another option. Logins in addresses are not told again.

use std::ffi::OsString;

use super::Context;
use crate::cli::OutputFormat;
use crate::error::CommandError;
use crate::render::brief::TOKENS;
use crate::uri::without_password;

impl Context<'_> {
    /// Whether a brief account is wanted.
    pub(super) fn is_brief(&self) -> bool {
        self.flags.output == OutputFormat::Brief
    }

    /// Tokens that it may have.
    pub(super) fn tokens(&self) -> usize {
        self.flags.budget.unwrap_or(TOKENS)
    }

    /// Refuses options that choose what is shown, which a brief account does by itself.
    ///
    /// # Errors
    /// The first of these that is given.
    pub(super) fn only_brief(&self, options: &[(bool, &str)]) -> anyhow::Result<()> {
        match options.iter().find(|(given, _)| *given && self.is_brief()) {
            None => Ok(()),
            Some((_, option)) => Err(CommandError::usage(format!(
                "{option} and `-o brief` cannot be used together"
            ))
            .hint("a brief account chooses by itself what it tells")
            .into()),
        }
    }

    /// What was typed, as a table for people.
    pub(super) fn again(&self) -> String {
        let words = without_options(self.flags.words.iter().skip(1));
        let words = words.iter().map(|word| quoted(word));
        std::iter::once("mlt".to_owned())
            .chain(words)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// How mlt is called for the same store.
    pub(super) fn called(&self) -> String {
        match &self.flags.tracking_uri {
            Some(uri) => format!("mlt -u {}", quoted(&uri.to_string_lossy())),
            None => "mlt".to_owned(),
        }
    }
}

/// Without `-o` and `--budget`, in each way to write them.
fn without_options<'w>(words: impl Iterator<Item = &'w OsString>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = words.next() {
        match word.as_str() {
            "-o" | "--output" | "--budget" => {
                words.next();
            }
            "--" => {
                kept.push(word);
                kept.extend(words.by_ref());
            }
            glued
                if ["--output=", "--budget=", "-obrief", "-o=brief"]
                    .iter()
                    .any(|start| glued.starts_with(start)) => {}
            _ => kept.push(word),
        }
    }
    kept
}

/// Where the URI begins in a word that is one, or an option with one; a filter may hold one,
/// and stays as it is.
fn address_in(word: &str) -> Option<usize> {
    let (before, _) = word.split_once("://")?;
    let at = match before.split_once('=') {
        Some((option, _)) if option.starts_with("--") => option.len() + 1,
        _ if before.starts_with("-u") => 2,
        _ => 0,
    };
    let of_scheme = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
    before[at..].chars().all(of_scheme).then_some(at)
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let word = if let Some(at) = address_in(word) {
        let (option, uri) = word.split_at(at);
        format!("{option}{}", without_password(uri))
    } else {
        word.to_owned()
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+~".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) && !word.starts_with('~') {
        return word;
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_what_a_shell_takes() {
        let words = [
            "-u",
            "http://anna:secret@host/",
            "search",
            "-o",
            "brief",
            "--budget=90",
            "-f",
            "name = 'a b'",
            "--budget",
            "7",
            "-obrief",
            "--",
            "-o",
        ];
        let words = words.map(OsString::from);
        let kept = without_options(words.iter());
        let kept: Vec<String> = kept.iter().map(|word| quoted(word)).collect();
        assert_eq!(
            kept.join(" "),
            r"-u http://host/ search -f 'name = '\''a b'\''' -- -o"
        );
    }

    #[test]
    fn only_addresses_lose_what_is_secret() {
        for (word, shown) in [
            (
                "postgresql://ann@h/db?password=pw&a=1",
                "'postgresql://ann@h/db?a=1'",
            ),
            (
                "--tracking-uri=postgresql://h/db?password=pw",
                "--tracking-uri=postgresql://h/db",
            ),
            ("-upostgresql://ann:pw@h/db", "-upostgresql://ann@h/db"),
            ("tokens>=500", "'tokens>=500'"),
            ("token=x", "token=x"),
            ("url=http://a@b/?token=1", "'url=http://a@b/?token=1'"),
            (
                "tags.u LIKE \"http://a@%\" AND tokens>=5",
                "'tags.u LIKE \"http://a@%\" AND tokens>=5'",
            ),
        ] {
            assert_eq!(quoted(word), shown);
        }
    }
}
