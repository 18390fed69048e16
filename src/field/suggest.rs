//! Finds the key that somebody may have meant.

use super::{FieldDef, Subject, Uses};

/// Keys of filters that need nothing before a dot: those by which they are best known first.
fn bare() -> impl Iterator<Item = &'static str> {
    let defs = || FieldDef::with(Uses::FILTER).filter(|def| def.prefix().is_none());
    let names = defs()
        .map(|def| def.name)
        .filter(|name| !name.contains('.'));
    let aliases = |of| {
        let defs = defs().filter(move |def| def.of == of);
        defs.flat_map(|def| def.aliases.iter().copied())
    };
    names
        .chain(aliases(Subject::Span))
        .chain(aliases(Subject::Trace))
}

/// Whether a key of filters needs nothing before a dot.
pub(crate) fn is_bare(name: &str) -> bool {
    bare().any(|known| known == name)
}

/// Names that stand before a dot.
pub(crate) const ENTITIES: [&str; 11] = [
    "tags",
    "metadata",
    "span",
    "feedback",
    "expectation",
    "trace",
    "issue",
    "tag",
    "request_metadata",
    "attribute",
    "attributes",
];

/// What other tools and MLflow's own fields call things, and what filters call them.
fn foreign() -> impl Iterator<Item = (&'static str, &'static str)> {
    FieldDef::with(Uses::FILTER).flat_map(|def| {
        let ours = match (def.of, def.aliases) {
            (Subject::Span, [short, ..]) if *short != "text" => short,
            _ => def.name,
        };
        def.foreign.iter().map(move |foreign| (*foreign, ours))
    })
}

const FOREIGN_ENTITIES: &[(&str, &str)] = &[
    ("traces", "trace"),
    ("attr", "trace"),
    ("attrs", "trace"),
    ("info", "trace"),
    ("spans", "span"),
    ("meta", "metadata"),
    ("trace_metadata", "metadata"),
    ("label", "tags"),
    ("labels", "tags"),
    ("assessment", "feedback"),
    ("assessments", "feedback"),
    ("feedbacks", "feedback"),
    ("score", "feedback"),
    ("scores", "feedback"),
    ("expectations", "expectation"),
    ("issues", "issue"),
    ("run", "run_id"),
];

/// What `key` may be meant for, as it is to be written.
pub(crate) fn attribute(key: &str) -> Option<&'static str> {
    let lower = key.to_ascii_lowercase();
    bare()
        .find(|name| *name == lower)
        .or_else(|| translate(foreign(), &lower))
        .or_else(|| nearest(&lower, bare()))
        .or_else(|| {
            nearest(&lower, foreign().map(|(foreign, _)| foreign))
                .and_then(|near| translate(foreign(), near))
        })
        .map(|key| if key == "text" { "trace.text" } else { key })
}

/// A hint at what `key` may be meant for, with the way to write it.
pub(crate) fn attribute_hint(key: &str) -> Option<String> {
    let meant = attribute(key)?;
    let foreign = translate(foreign(), &key.to_ascii_lowercase());
    Some(match foreign {
        // These are keys of no trace, but what they are about can be searched.
        Some("trace.text") => {
            "requests, responses and all other texts of the spans are searched with `trace.text`"
                .to_owned()
        }
        _ => format!("did you mean `{meant}`?"),
    })
}

/// The column that `name` may be meant for.
pub(crate) fn column(name: &str) -> Option<&'static str> {
    FieldDef::with(Uses::COLUMN)
        .filter(|def| def.prefix().is_none())
        .flat_map(|def| {
            let others = def.aliases.iter().chain(def.foreign).copied();
            let spelt = [def.name, def.machine].into_iter().chain(others);
            spelt.map(move |spelt| (def.column_name(), spelt))
        })
        .map(|(ours, spelt)| (strsim::damerau_levenshtein(name, spelt), ours))
        .filter(|(distance, _)| *distance <= 2.max(name.len() / 4) && *distance < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, ours)| ours)
}

/// What `entity` may be meant for.
pub(crate) fn entity(entity: &str) -> Option<&'static str> {
    let lower = entity.to_ascii_lowercase();
    let known = || ENTITIES.iter().copied();
    known()
        .find(|name| *name == lower)
        .or_else(|| translate(FOREIGN_ENTITIES.iter().copied(), &lower))
        .or_else(|| nearest(&lower, known()))
}

fn translate<'s>(
    mut table: impl Iterator<Item = (&'s str, &'static str)>,
    lower: &str,
) -> Option<&'static str> {
    table
        .find(|(foreign, _)| *foreign == lower)
        .map(|(_, ours)| ours)
}

/// The nearest of `known`, if it is only a slip or two away.
pub(crate) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let reach = if word.chars().count() < 4 { 1 } else { 2 };
    known
        .map(|name| (strsim::osa_distance(word, name), name))
        .filter(|(distance, _)| *distance <= reach)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
