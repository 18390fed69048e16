//! Statements whose places have numbers, as MySQL takes them: with places that have none,
//! and the values in the order of these.

use crate::store::database::link::Arg;

/// A place with a number, which comes before anything else that looks like one.
pub(super) fn place(number: usize) -> String {
    format!("?{number}")
}

/// A statement with plain places, and a value for each. Several texts in one place are as
/// many places.
pub(super) fn with_values<'a>(sql: &str, values: &'a [Arg<'a>]) -> (String, Vec<Arg<'a>>) {
    let (mut out, mut all) = (String::with_capacity(sql.len()), Vec::new());
    let mut rest = sql;
    while let Some(at) = rest.find(['\'', '?']) {
        let (before, behind) = rest.split_at(at);
        out.push_str(before);
        if let Some(quoted) = behind.strip_prefix('\'') {
            // A quote within is two, which are the end of one text and the begin of another.
            let end = quoted.find('\'').map_or(behind.len(), |end| end + 2);
            let (text, behind) = behind.split_at(end);
            out.push_str(text);
            rest = behind;
            continue;
        }
        let behind = &behind[1..];
        let is_digit = |c: char| c.is_ascii_digit();
        let end = behind.find(|c| !is_digit(c)).unwrap_or(behind.len());
        let (number, behind) = behind.split_at(end);
        let number = number.parse::<usize>().unwrap_or_default();
        match number.checked_sub(1).and_then(|at| values.get(at)) {
            Some(Arg::Texts(texts)) if !texts.is_empty() => {
                let places = vec!["?"; texts.len()];
                out.push_str(&places.join(", "));
                all.extend(texts.iter().map(|text| Arg::Text(text)));
            }
            value => {
                out.push('?');
                all.push(value.cloned().unwrap_or(Arg::Null));
            }
        }
        rest = behind;
    }
    out.push_str(rest);
    (out, all)
}

/// The table that a statement writes to, where it does.
pub(super) fn written_table(sql: &str) -> Option<&str> {
    let rest = sql
        .strip_prefix("INSERT INTO ")
        .or_else(|| sql.strip_prefix("UPDATE "))?;
    rest.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_say_where_they_write() {
        let table = |sql| written_table(sql);
        assert_eq!(
            table("INSERT INTO trace_tags (a) VALUES (?1)"),
            Some("trace_tags")
        );
        assert_eq!(table("UPDATE assessments SET a = ?1"), Some("assessments"));
        assert_eq!(table("SELECT a FROM b"), None);
    }

    #[test]
    fn values_follow_their_places() {
        let values = [Arg::Text("a"), Arg::Texts(vec!["b", "c"]), Arg::Integer(7)];
        let (sql, all) = with_values(
            "x = ?3 AND y IN (?2) AND z = '?1 it''s ?' AND ?1 = ?3",
            &values,
        );
        assert_eq!(sql, "x = ? AND y IN (?, ?) AND z = '?1 it''s ?' AND ? = ?");
        assert_eq!(
            format!("{all:?}"),
            r#"[Integer(7), Text("b"), Text("c"), Text("a"), Integer(7)]"#
        );
    }
}
