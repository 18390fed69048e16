//! Sessions within sessions. MLflow 3.17 and later keep the id of such a session as a JSON
//! array, the outermost one first, as in `["trip-2","ep-2"]`; what its levels are called
//! stands in a tag of the experiment.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

/// The names of the levels of sessions, the outermost first, by the ids of experiments.
pub type SessionLevels = BTreeMap<String, Vec<String>>;

/// The tag of an experiment with the names of the levels of its sessions.
pub const HIERARCHY: &str = "mlflow.experiment.sessionHierarchy";

/// The parts of a session's id, the outermost first, where it is within others.
pub fn session_path(session: &str) -> Option<Vec<String>> {
    if !session.starts_with('[') {
        return None;
    }
    let path: Vec<String> = serde_json::from_str(session).ok()?;
    (!path.is_empty()).then_some(path)
}

/// The session that this one is within, on the level with this number, the outermost being
/// 1: itself where it has no more levels than that.
pub fn session_on_level(session: &str, level: usize) -> Cow<'_, str> {
    match session_path(session) {
        Some(path) if path.len() > level => match serde_json::to_string(&path[..level]) {
            Ok(outer) => Cow::Owned(outer),
            Err(_) => Cow::Borrowed(session),
        },
        _ => Cow::Borrowed(session),
    }
}

/// Whether a session is the other one or within it.
pub fn is_within_session(session: &str, outer: &str) -> bool {
    session == outer
        || match (session_path(session), session_path(outer)) {
            (Some(path), Some(outer)) => path.starts_with(&outer),
            _ => false,
        }
}

/// The names of levels in the value of [`HIERARCHY`], the outermost first; none where it is
/// not as MLflow writes it.
pub fn level_names(hierarchy: &str) -> Vec<String> {
    let Ok(value) = serde_json::from_str::<Value>(hierarchy) else {
        return Vec::new();
    };
    let levels = value.get("levels").and_then(Value::as_array);
    let name = |level: &Value| level.get("name")?.as_str().map(str::to_owned);
    let names = levels.map(|levels| levels.iter().map(name).collect());
    names.flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: &str = r#"["trip-2","ep \"2\"","turn-1"]"#;

    #[test]
    fn a_session_is_within_those_that_its_id_begins_with() {
        assert_eq!(
            session_path(TURN).unwrap(),
            ["trip-2", "ep \"2\"", "turn-1"]
        );
        for plain in ["trip-2", "[]", "[1]", "[\"a\",2]", "[", "{}"] {
            assert_eq!(session_path(plain), None, "{plain}");
            assert_eq!(session_on_level(plain, 1), plain);
            assert!(is_within_session(plain, plain));
        }
        assert_eq!(session_on_level(TURN, 1), r#"["trip-2"]"#);
        assert_eq!(session_on_level(TURN, 2), r#"["trip-2","ep \"2\""]"#);
        assert_eq!(session_on_level(TURN, 3), TURN);
        assert_eq!(session_on_level(TURN, 9), TURN);
        assert!(is_within_session(TURN, r#"["trip-2"]"#));
        assert!(!is_within_session(TURN, r#"["trip"]"#));
        assert!(!is_within_session(TURN, "trip-2"));
        assert!(!is_within_session(r#"["trip-2"]"#, TURN));
    }

    #[test]
    fn levels_are_called_what_the_tag_says() {
        let tag = r#"{"version":1,"levels":[{"name":"trip"},{"name":"episode"}]}"#;
        assert_eq!(level_names(tag), ["trip", "episode"]);
        for broken in [
            "",
            "x",
            "[]",
            r#"{"levels":[{"name":"a"},{}]}"#,
            r#"{"levels":{}}"#,
        ] {
            assert!(level_names(broken).is_empty(), "{broken}");
        }
    }
}
