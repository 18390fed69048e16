//! The columns that a table may have, and finding them by what somebody typed.

use std::borrow::Cow;

use super::{Column, Rows};
use crate::text::sanitize;

/// The columns of one kind of row.
#[derive(Debug, Clone)]
pub struct Columns<R: Rows> {
    plain: Vec<Column<R>>,
    keyed: Vec<Keyed<R>>,
    above: &'static str,
}

/// Columns that take a key, such as `tags.env`.
#[derive(Debug)]
pub struct Keyed<R: Rows> {
    /// What stands before the key.
    pub prefix: &'static str,
    /// What may as well.
    pub aliases: &'static [&'static str],
    /// What the key is called in help texts.
    pub placeholder: &'static str,
    /// The column of a key.
    pub column: fn(&str) -> Column<R>,
}

impl<R: Rows> Columns<R> {
    /// Those without a key, in the order in which they are listed.
    pub const fn new(plain: Vec<Column<R>>) -> Self {
        Self {
            plain,
            keyed: Vec::new(),
            above: "",
        }
    }

    /// Each also with this before its name, as filters have it: `span.duration`.
    #[must_use]
    pub const fn below(mut self, above: &'static str) -> Self {
        self.above = above;
        self
    }

    /// And those with one.
    #[must_use]
    pub fn with_keyed(mut self, keyed: Vec<Keyed<R>>) -> Self {
        self.keyed = keyed;
        self
    }

    /// Those without a key.
    pub fn plain(&self) -> &[Column<R>] {
        &self.plain
    }

    /// All names for machines, those with a key at last.
    pub fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let keyed = self.keyed.iter();
        let keyed =
            keyed.map(|keyed| Cow::Owned(format!("{}.<{}>", keyed.prefix, keyed.placeholder)));
        let plain = self.plain.iter().map(|column| Cow::Borrowed(column.name()));
        plain.chain(keyed)
    }

    /// The column that a name asks for. Case does not matter, `-` is as good as `_`, and a
    /// key may stand in backticks, as in filters.
    pub fn find(&self, text: &str) -> Result<Column<R>, UnknownColumn> {
        let text = text.trim();
        let text = text.strip_prefix(self.above).unwrap_or(text);
        let wanted = simplified(text);
        let asked = |column: &&Column<R>| {
            let mut names = std::iter::once(column.name()).chain(column.aliases());
            names.any(|name| simplified(name) == wanted)
        };
        if let Some(column) = self.plain.iter().find(asked) {
            return Ok(column.clone());
        }
        self.find_keyed(text).ok_or_else(|| self.unknown(text))
    }

    fn find_keyed(&self, text: &str) -> Option<Column<R>> {
        let (prefix, key) = text.split_once(['.', ':'])?;
        let key = key
            .strip_prefix('`')
            .and_then(|k| k.strip_suffix('`'))
            .unwrap_or(key);
        let prefix = prefix.to_ascii_lowercase();
        let keyed = self
            .keyed
            .iter()
            .find(|keyed| keyed.prefix == prefix || keyed.aliases.contains(&prefix.as_str()))?;
        (!key.is_empty()).then(|| (keyed.column)(key))
    }

    /// The columns that a list of names asks for, each once.
    pub fn choose<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Column<R>>, UnknownColumn> {
        let mut chosen: Vec<Column<R>> = Vec::new();
        for text in texts {
            let column = self.find(text.as_ref())?;
            if !chosen.iter().any(|known| known.name() == column.name()) {
                chosen.push(column);
            }
        }
        Ok(chosen)
    }

    /// Some of the columns without a key, by their names for machines.
    pub fn some(&self, names: &[&str]) -> Vec<Column<R>> {
        let column = |name: &&str| {
            let found = self.plain.iter().find(|column| column.name() == *name);
            debug_assert!(found.is_some(), "there is no column {name}");
            found
        };
        names.iter().filter_map(column).cloned().collect()
    }

    fn unknown(&self, text: &str) -> UnknownColumn {
        let keyed = || {
            let (prefix, key) = text.split_once('.')?;
            let near = self
                .keyed
                .iter()
                .find(|known| strsim::damerau_levenshtein(prefix, known.prefix) <= 2)?;
            (!key.is_empty()).then(|| format!("{}.{key}", near.prefix))
        };
        let wanted = simplified(text);
        let plain = || {
            let spellings = self.plain.iter().flat_map(|column| {
                let names = std::iter::once(column.name()).chain(column.aliases());
                names.map(move |name| (column.name(), name))
            });
            spellings
                .map(|(name, spelt)| {
                    (
                        strsim::damerau_levenshtein(&wanted, &simplified(spelt)),
                        name,
                    )
                })
                .filter(|(distance, _)| {
                    *distance <= 2.max(text.len() / 4) && *distance < text.len()
                })
                .min_by_key(|(distance, _)| *distance)
                .map(|(_, name)| name.to_owned())
        };
        UnknownColumn {
            name: text.to_owned(),
            suggestion: keyed().or_else(plain),
            known: self.names().collect::<Vec<_>>().join(", "),
        }
    }
}

impl<R: Rows> Clone for Keyed<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Rows> Copy for Keyed<R> {}

/// A name without what does not matter in it: `tag:env` is as good as `tags.env`.
fn simplified(name: &str) -> String {
    for (short, long) in [("tag:", "tags."), ("metadata:", "metadata.")] {
        if let Some(key) = name.strip_prefix(short) {
            return simplified(&format!("{long}{key}"));
        }
    }
    let kept = name.chars().filter(|c| !c.is_whitespace());
    kept.map(|c| {
        if c == '-' {
            '_'
        } else {
            c.to_ascii_lowercase()
        }
    })
    .collect()
}

/// The names in a list with commas between, but for commas within parentheses, quotes
/// and backticks: `count(), p95(duration where name IN ('a', 'b'))`.
pub fn split_names(text: &str) -> Vec<String> {
    let (mut names, mut name) = (Vec::new(), String::new());
    let (mut depth, mut quote) = (0_usize, None);
    for c in text.chars() {
        match (c, quote) {
            (',', None) if depth == 0 => {
                names.push(std::mem::take(&mut name));
                continue;
            }
            (_, Some(open)) if c == open => quote = None,
            ('\'' | '"' | '`', None) => quote = Some(c),
            ('(', None) => depth += 1,
            (')', None) => depth = depth.saturating_sub(1),
            _ => {}
        }
        name.push(c);
    }
    names.push(name);
    names
}

/// A column name that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct UnknownColumn {
    /// What was asked for.
    pub name: String,
    /// An existing name that is close to it.
    pub suggestion: Option<String>,
    /// All that exist.
    pub known: String,
}

impl UnknownColumn {
    fn message(&self) -> String {
        let name = sanitize::line(&self.name);
        if let Some(near) = &self.suggestion {
            let near = sanitize::line(near);
            return format!("unknown column `{name}`, did you mean `{near}`?");
        }
        let known = sanitize::line(&self.known);
        format!("unknown column `{name}`, expected one of {known}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TraceInfo;
    use crate::table::{Datum, Kind};

    fn columns() -> Columns<TraceInfo> {
        type Column = super::Column<TraceInfo>;
        Columns::new(vec![
            Column::new("trace_id", Kind::Id, |info| Datum::text(&info.trace_id)).also(["id"]),
            Column::new("duration_ns", Kind::Duration, |info| {
                Datum::some(Datum::Duration, info.duration_ns())
            })
            .also(["duration", "execution_time"]),
            Column::new("p95(span.duration) ns", Kind::Duration, |_| Datum::Missing)
                .also(["p95(span.duration)"]),
        ])
        .with_keyed(vec![Keyed {
            prefix: "tags",
            aliases: &["tag"],
            placeholder: "key",
            column: |key| {
                let owned = key.to_owned();
                Column::new(format!("tags.{key}"), Kind::Text, move |info| {
                    Datum::of_key(&info.tags, &owned)
                })
            },
        }])
    }

    #[test]
    fn any_of_its_names_asks_for_a_column() {
        for (typed, name) in [
            ("duration_ns", "duration_ns"),
            ("Duration", "duration_ns"),
            ("trace-id", "trace_id"),
            (" ID ", "trace_id"),
            ("P95( span.duration )", "p95(span.duration) ns"),
            ("tags.a.b", "tags.a.b"),
            ("tag:a.b", "tags.a.b"),
            ("tags.`a b`", "tags.a b"),
        ] {
            assert_eq!(columns().find(typed).unwrap().name(), name, "{typed}");
        }
        let chosen = columns().choose(&["tags.env", "id", "trace_id"]).unwrap();
        let names: Vec<&str> = chosen.iter().map(Column::name).collect();
        assert_eq!(names, ["tags.env", "trace_id"]);
        let mut info = TraceInfo::new("tr-1");
        info.tags.insert("env".into(), "prod".into());
        assert_eq!(chosen[0].value(&info), Datum::text("prod"));
        assert_eq!(chosen[1].value(&info), Datum::text("tr-1"));
    }

    #[test]
    fn errors_suggest_near_names() {
        let error = |text: &str| columns().find(text).unwrap_err().to_string();
        for (text, message) in [
            (
                "durtion",
                "unknown column `durtion`, did you mean `duration_ns`?",
            ),
            (
                "tgs.env",
                "unknown column `tgs.env`, did you mean `tags.env`?",
            ),
            (
                "\u{1b}[31m",
                "unknown column `\\x1b[31m`, expected one of trace_id, duration_ns, p95(span.duration) ns, tags.<key>",
            ),
        ] {
            assert_eq!(error(text), message);
        }
        assert!(error("tags.").starts_with("unknown column `tags.`, expected one of"));
        assert!(error("").starts_with("unknown column ``, expected one of"));
    }

    #[test]
    fn commas_part_names_but_not_what_is_within_them() {
        assert_eq!(split_names("a,b"), ["a", "b"]);
        assert_eq!(
            split_names("count(),p95(duration where name IN ('a)', 'b')),n"),
            ["count()", "p95(duration where name IN ('a)', 'b'))", "n"]
        );
        assert_eq!(split_names("tags.`a,b`,c"), ["tags.`a,b`", "c"]);
        assert_eq!(split_names("a,"), ["a", ""]);
    }
}
