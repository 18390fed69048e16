//! Conversations in one line each: who, how many turns, how long, at what price, and how
//! they stand. Traces come in any order; memory grows with the sessions.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::measure::score;
use crate::model::{Assessment, AssessmentKind, DecimalSum, Timestamp, TraceInfo, TraceState};

/// Sessions in the making.
#[derive(Debug, Default)]
pub struct Sessions(HashMap<String, SessionSummary>);

/// What the traces of a session come to.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionSummary {
    /// The session's id.
    pub id: String,
    /// The end user of its last turn that names one.
    pub user: Option<String>,
    /// Traces.
    pub turns: usize,
    /// When the first turn began.
    pub first: Option<Timestamp>,
    /// When the last turn began.
    pub last: Option<Timestamp>,
    /// Σ duration of the turns that say how long they took, in nanoseconds.
    pub duration_ns: Option<i64>,
    /// Tokens of the turns that say so.
    pub tokens: Option<i64>,
    /// US dollars of the turns that say so.
    pub cost: Option<f64>,
    /// Turns that ended in an error.
    pub errors: usize,
    /// How the last turn ended.
    pub state: TraceState,
    /// The last turn.
    pub trace_id: String,
    /// The valid feedback with the lowest value: numbers; true and yes are 1, false and no 0.
    pub worst: Option<Assessment>,
    /// When the turn was that names the user.
    user_at: Option<Timestamp>,
    costs: DecimalSum,
}

impl Sessions {
    /// Adds a trace; one without a session belongs to none.
    pub fn add(&mut self, info: &TraceInfo) {
        if let Some(id) = info.session() {
            self.add_to(id, info);
        }
    }

    /// Adds a trace to a session that it is in.
    pub fn add_to(&mut self, id: &str, info: &TraceInfo) {
        // Most traces are of a session that is known, whose id needs no copy.
        if !self.0.contains_key(id) {
            self.0.insert(id.to_owned(), SessionSummary::new(id));
        }
        if let Some(session) = self.0.get_mut(id) {
            session.add(info);
        }
    }

    /// All of them, that with the newest last turn first; ties by id.
    pub fn newest_first(self) -> Vec<SessionSummary> {
        let mut all: Vec<SessionSummary> = self.0.into_values().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.sort_by_key(|one| Reverse(one.last));
        all
    }
}

impl SessionSummary {
    fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            user: None,
            turns: 0,
            first: None,
            last: None,
            duration_ns: None,
            tokens: None,
            cost: None,
            errors: 0,
            state: TraceState::Unspecified,
            trace_id: String::new(),
            worst: None,
            user_at: None,
            costs: DecimalSum::default(),
        }
    }

    fn add(&mut self, info: &TraceInfo) {
        let time = info.request_time;
        // Of turns at the same time the one with the greatest id, whatever order they come in.
        let place = (time, info.trace_id.as_str());
        if self.turns == 0 || place > (self.last, self.trace_id.as_str()) {
            self.last = time;
            self.state = info.state.clone();
            info.trace_id.clone_into(&mut self.trace_id);
        }
        self.turns += 1;
        self.first = match (self.first, time) {
            (Some(known), Some(new)) => Some(known.min(new)),
            (known, new) => known.or(new),
        };
        if let Some(user) = info.user()
            && (self.user.is_none() || time > self.user_at)
        {
            self.user = Some(user.to_owned());
            self.user_at = time;
        }
        if let Some(ns) = info.execution_duration_ns {
            self.duration_ns = Some(self.duration_ns.unwrap_or(0).saturating_add(ns));
        }
        if let Some(tokens) = info.usage().and_then(|usage| usage.total()) {
            self.tokens = Some(self.tokens.unwrap_or(0).saturating_add(tokens));
        }
        if let Some(cost) = info.cost().and_then(|cost| cost.total()) {
            self.costs.add(cost);
            self.cost = Some(self.costs.total());
        }
        self.errors += usize::from(info.state == TraceState::Error);
        for assessment in &info.assessments {
            let is_feedback = matches!(assessment.kind, AssessmentKind::Feedback { .. });
            let Some(score) = score(assessment).filter(|_| is_feedback && assessment.valid) else {
                continue;
            };
            let known = self.worst_score();
            let is_worse = known.is_none_or(|known| score < known);
            let ties = known.is_some_and(|known| score.total_cmp(&known).is_eq());
            let name = self.worst.as_ref().map(|worst| worst.name.as_str());
            if is_worse || ties && name.is_some_and(|name| assessment.name.as_str() < name) {
                self.worst = Some(assessment.clone());
            }
        }
    }

    /// The value of the worst feedback.
    pub fn worst_score(&self) -> Option<f64> {
        self.worst.as_ref().and_then(score)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::metadata;

    fn turn(id: &str, session: &str, at: i64, state: TraceState) -> TraceInfo {
        let mut info = TraceInfo::new(id);
        info.metadata
            .insert(metadata::SESSION.to_owned(), session.to_owned());
        info.request_time = Some(Timestamp::from_nanos(at));
        info.execution_duration_ns = Some(10);
        info.state = state;
        info
    }

    fn said(name: &str, value: serde_json::Value) -> Assessment {
        let kind = AssessmentKind::Feedback { value, error: None };
        Assessment {
            name: name.to_owned(),
            kind,
            ..crate::analysis::sample::assessment()
        }
    }

    fn sample() -> Vec<TraceInfo> {
        let mut first = turn("tr-1", "a", 5, TraceState::Error);
        first.metadata.insert(
            metadata::TOKEN_USAGE.to_owned(),
            r#"{"input_tokens": 3, "output_tokens": 4}"#.to_owned(),
        );
        first
            .metadata
            .insert(metadata::USER.to_owned(), "old".to_owned());
        first.assessments = vec![said("good", json!(true)), said("score", json!(0.25))];
        let mut second = turn("tr-2", "a", 9, TraceState::Ok);
        second
            .metadata
            .insert(metadata::USER.to_owned(), "new".to_owned());
        second.assessments = vec![said("words", json!("fine")), said("worse", json!(0.25))];
        let other = turn("tr-3", "b", 7, TraceState::InProgress);
        vec![first, second, other, TraceInfo::new("tr-4")]
    }

    #[test]
    fn turns_add_up_in_whatever_order_they_come() {
        let mut ways = Vec::new();
        for reversed in [false, true] {
            let mut traces = sample();
            if reversed {
                traces.reverse();
            }
            let mut sessions = Sessions::default();
            for info in &traces {
                sessions.add(info);
            }
            ways.push(sessions.newest_first());
        }
        assert_eq!(ways[0], ways[1]);
        let [a, b] = ways[0].as_slice() else {
            panic!("{ways:?}");
        };
        assert_eq!((a.id.as_str(), a.turns, a.errors), ("a", 2, 1));
        assert_eq!((a.tokens, a.cost, a.duration_ns), (Some(7), None, Some(20)));
        assert_eq!(
            (a.user.as_deref(), &a.state),
            (Some("new"), &TraceState::Ok)
        );
        assert_eq!(a.trace_id, "tr-2");
        assert_eq!(a.worst.as_ref().unwrap().name, "score");
        assert_eq!((b.id.as_str(), b.turns, b.worst_score()), ("b", 1, None));
    }
}
