//! Options that a command does not have, but another one does: what to type
//! instead. clap's own advice, to pass them behind `--`, leads astray, since no
//! trace is called like that.

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// Puts advice that helps in the place of clap's.
pub(super) fn explain(root: &Command, mut error: Error) -> Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let name = command(root, &error);
    // What is searched for may begin with a dash.
    if name.as_deref() == Some("search") {
        return error;
    }
    error.remove(ContextKind::Suggested);
    let tip = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(typed)) => tip(root, &name.unwrap_or_default(), typed),
        _ => None,
    };
    if let Some(tip) = tip {
        error.remove(ContextKind::SuggestedArg);
        let tips = ContextValue::StyledStrs(vec![tip.into()]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

/// The command that does not have the option, by the usage that clap shows.
fn command(root: &Command, error: &Error) -> Option<String> {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else {
        return None;
    };
    let usage = usage.to_string();
    let mut words = usage.split_whitespace();
    words.find(|word| *word == root.get_name())?;
    words.next().map(str::to_owned)
}

/// What to type for an option by which `mlt search` chooses traces.
fn tip(root: &Command, command: &str, typed: &str) -> Option<String> {
    let search = root.find_subcommand("search")?;
    let option = typed.split('=').next().unwrap_or(typed);
    let arg = search.get_arguments().find(|arg| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        let short = arg.get_short().map(|short| format!("-{short}"));
        [long, short].iter().flatten().any(|known| known == option)
    })?;
    let chooses = arg.get_help_heading() == Some("Which traces");
    if !chooses && !matches!(arg.get_id().as_str(), "all" | "limit") {
        return None;
    }
    let value = if arg.get_action().takes_values() {
        " …"
    } else {
        ""
    };
    match command {
        "get" => Some(format!(
            "mlt get takes trace ids: mlt search {option}{value} -o ids | mlt get -"
        )),
        "tag" => Some(format!(
            "ids may be piped in: mlt search {option}{value} -o ids | mlt tag - KEY=VALUE"
        )),
        "diff" => Some(
            "two sets are chosen by --base-filter FILTER and -f FILTER: all that match, or the newest -n N"
                .to_owned(),
        ),
        _ => None,
    }
}
