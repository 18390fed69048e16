//! The place and the experiment that a command's own traces go to, as it is told to those that
//! begin traces of their own within it: in the environment, like the span that they run in.

use std::path::absolute;
use std::process::Command;

use crate::cli::GlobalArgs;
use crate::settings::{Env, Settings};
use crate::store::Location;
use crate::uri::{percent_encoded, without_credentials};

const PLACE: &str = "MLT_RUN_PLACE";
const EXPERIMENT: &str = "MLT_RUN_EXPERIMENT";

/// What is handed down.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Handed {
    /// The place; `None` where MLflow's variables say it, which everybody has.
    place: Option<String>,
    /// The experiment in it, as it was named.
    experiment: Option<String>,
}

/// The flags with what the surrounding command handed down: it is as if it had been said here.
pub(super) fn taken_over(flags: &GlobalArgs, env: &Env) -> GlobalArgs {
    let mut flags = flags.clone();
    // In another place, its experiment is another one.
    if flags.tracking_uri.is_none() {
        flags.tracking_uri = env.get(PLACE).map(Into::into);
        if flags.experiments.is_empty() {
            let experiment = env.get(EXPERIMENT).map(str::to_owned);
            flags.experiments.extend(experiment);
        }
    }
    flags
}

impl Handed {
    /// What is to be handed down by one with these flags; nothing where they name no place. A
    /// login is not, since whoever prints the environment would print it.
    pub(super) fn of(flags: &GlobalArgs, settings: &Settings) -> Self {
        let named = flags.tracking_uri.as_ref();
        let is_told = named.is_some() || settings.by_default;
        let place = match &settings.location {
            // Who is told may run in another folder.
            Location::Sqlite { path, .. } if is_told => {
                let path = absolute(path).ok();
                let path = path.as_ref().and_then(|path| path.to_str());
                path.map(|path| format!("sqlite:///{}", percent_encoded(path)))
            }
            _ => named.and_then(|uri| uri.to_str()).map(str::to_owned),
        };
        let place = place.filter(|uri| without_credentials(uri) == *uri);
        let experiment = flags.experiments.first().cloned();
        Self {
            experiment: experiment.filter(|_| place.is_some() || !is_told),
            place,
        }
    }

    /// Tells a command.
    pub(super) fn tell(&self, command: &mut Command) {
        for (name, value) in [(PLACE, &self.place), (EXPERIMENT, &self.experiment)] {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;
    use crate::settings::RealDisk;

    fn flags(words: &str) -> GlobalArgs {
        let words = format!("mlt {words} run true");
        Cli::try_parse_from(words.split(' ')).unwrap().global
    }

    fn handed(words: &str, env: &[(&str, &str)]) -> [Option<String>; 2] {
        let env = env.iter().copied().collect();
        let flags = taken_over(&flags(words), &env);
        let settings = Settings::resolve(&flags.settings(), &env, &RealDisk).unwrap();
        let Handed { place, experiment } = Handed::of(&flags, &settings);
        [place, experiment]
    }

    fn texts(place: &str, experiment: &str) -> [Option<String>; 2] {
        [place, experiment].map(|text| Some(text.to_owned()).filter(|text| !text.is_empty()))
    }

    #[test]
    fn flags_hold_further_down_until_others_are_there() {
        let outer = [(PLACE, "http://outer"), (EXPERIMENT, "shop")];
        for (words, env, expected) in [
            (
                "-x a",
                &[("MLFLOW_TRACKING_URI", "http://v")][..],
                texts("", "a"),
            ),
            ("-u http://h -x a", &[], texts("http://h", "a")),
            ("--quiet", &outer, texts("http://outer", "shop")),
            ("-x a", &outer, texts("http://outer", "a")),
            ("-u http://other", &outer, texts("http://other", "")),
            (
                "-u sqlite:////a%20b.db",
                &[],
                texts("sqlite:///%2Fa%20b.db", ""),
            ),
        ] {
            assert_eq!(handed(words, env), expected, "{words} {env:?}");
        }
    }

    #[test]
    fn a_login_is_not_handed_down_nor_what_would_be_looked_for_elsewhere() {
        for place in ["http://ann:secret@h", "http://token@h"] {
            let words = format!("-u {place} -x shop");
            assert_eq!(handed(&words, &[]), [None, None], "{place}");
        }
    }
}
