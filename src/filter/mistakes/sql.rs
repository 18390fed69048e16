//! What SQL has and a filter does not: clauses behind the condition, and
//! functions that give times.

use super::super::error::{ParseError, ParseErrorKind as Kind, quote};
use super::super::lexer::{Token, TokenKind};

/// `ORDER BY`, `LIMIT` and the like, where a condition or the end should be.
pub(super) fn clause(token: Token<'_>, next: Token<'_>) -> Option<ParseError> {
    if token.kind != TokenKind::Word {
        return None;
    }
    let upper = token.text.to_ascii_uppercase();
    let by = next.is_keyword("BY");
    let hint = match upper.as_str() {
        "ORDER" | "SORT" if by => {
            "traces are sorted by an option: --order-by time, --order-by 'duration DESC'"
        }
        "GROUP" if by => "traces are grouped by `mlt stats --by KEY`",
        "LIMIT" | "FETCH" | "TOP" if is_number(next) || next.is_keyword("FIRST") => {
            "how many traces are wanted, is said by an option: -n 10"
        }
        "OFFSET" if is_number(next) => {
            "there is no offset: -n 100 gives more traces at once, --all every one"
        }
        "HAVING" => "groups are chosen by `mlt check`, or from the output of `mlt stats -o json`",
        _ => return None,
    };
    let words = if by {
        format!("{upper} BY")
    } else {
        upper.clone()
    };
    let end = if by { next.end() } else { token.end() };
    Some(
        ParseError::new(
            Kind::UnexpectedToken,
            token.start..end,
            format!("a filter has no `{words}`"),
        )
        .hint(hint),
    )
}

fn is_number(token: Token<'_>) -> bool {
    token.kind == TokenKind::Number
}

/// A function that gives a time, such as `now()`: its name and what follows.
pub(super) fn time_function(name: Token<'_>, next: Token<'_>) -> Option<ParseError> {
    const FUNCTIONS: [&str; 16] = [
        "NOW",
        "TODAY",
        "YESTERDAY",
        "DATE",
        "DATETIME",
        "TIME",
        "TIMESTAMP",
        "STRFTIME",
        "UNIXEPOCH",
        "CURRENT_TIMESTAMP",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "GETDATE",
        "SYSDATE",
        "DATE_SUB",
        "INTERVAL",
    ];
    let upper = name.text.to_ascii_uppercase();
    let called = next.kind == TokenKind::OpenParen;
    let alone = upper.starts_with("CURRENT_") || upper == "SYSDATE" || upper == "INTERVAL";
    if name.kind != TokenKind::Word || !FUNCTIONS.contains(&upper.as_str()) || !(called || alone) {
        return None;
    }
    let end = if called { next.end() } else { name.end() };
    Some(
        ParseError::new(
            Kind::UnexpectedToken,
            name.start..end,
            format!("there is no function {}", quote(name.text)),
        )
        .expected("a time")
        .hint("a time before now is written -1h, as in `time > -1h`; a date '2026-11-22'"),
    )
}

#[cfg(test)]
mod tests {
    use crate::filter::parse;

    #[test]
    fn clauses_of_sql_are_options_here() {
        for (text, hint) in [
            ("status = 'OK' ORDER BY time DESC", "--order-by"),
            ("ORDER BY time", "--order-by"),
            ("status = 'OK' LIMIT 5", "-n 10"),
            ("limit 5", "-n 10"),
            ("status = 'OK' group by name", "mlt stats --by"),
            ("status = 'OK' OFFSET 10", "--all"),
            ("(status = 'OK' ORDER BY time)", "--order-by"),
            ("status = 'OK' AND LIMIT 5", "-n 10"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.hints[0].contains(hint), "{text}: {error:?}");
            assert!(error.message.starts_with("a filter has no `"), "{text}");
        }
        parse("tags.limit = '5' AND tags.order = 'by'").unwrap();
    }

    #[test]
    fn times_need_no_function() {
        for text in [
            "time > now()",
            "time > NOW() - 1h",
            "time > NOW() - INTERVAL '1 hour'",
            "time > current_timestamp",
            "time >= datetime('now', '-1 day')",
            "time BETWEEN today() AND now()",
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.hints[0].contains("time > -1h"), "{text}: {error:?}");
        }
        parse("time > now").unwrap();
        parse("time > now-1h").unwrap();
    }
}
