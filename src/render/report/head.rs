//! The head of a trace: what it is called, how it ended, how long it took, and
//! what is known without its spans.

use std::io;

use super::{Section, latency, short};
use crate::field;
use crate::model::{Assessment, AssessmentKind, TraceState};
use crate::render::column::{assessment_value, marked_state};
use crate::render::{Glyphs, Layout, preview, summary, usage};
use crate::units::{self, Zone};

/// The class that gives a state its colour.
pub(super) const fn state_class(state: &TraceState) -> &'static str {
    match state {
        TraceState::Ok => "state ok",
        TraceState::Error => "state error",
        TraceState::InProgress => "state running",
        TraceState::Unspecified | TraceState::Other(_) => "state",
    }
}

impl Section<'_, '_> {
    /// Opens the section and writes everything above the waterfall.
    pub(super) fn write_head(&mut self) -> io::Result<()> {
        let (info, report) = (&self.report.trace.info, self.report);
        self.html.raw(match self.number {
            1 => "<details class=\"trace\" open>\n<summary>",
            _ => "<details class=\"trace\">\n<summary>",
        })?;
        let name = short(crate::text::named(info.name().unwrap_or_default()));
        self.html.element("h2", &[], &name)?;
        let state = marked_state(info, Glyphs::Unicode);
        if state != units::NONE {
            let class = state_class(&info.state);
            self.html.element("span", &[("class", class)], &state)?;
        }
        let total = if report.tree.is_empty() {
            info.execution_duration_ns.map(units::duration)
        } else {
            Some(summary::total_text(report))
        };
        if let Some(total) = total {
            self.html.element("strong", &[], &total)?;
        }
        self.html.element("code", &[], &info.trace_id)?;
        let anchor = format!("t{}", self.number);
        self.html.raw("</summary>\n")?;
        self.html
            .open("div", &[("class", "body"), ("id", &anchor)])?;
        self.write_failures()?;
        self.write_facts()?;
        self.write_pairs()?;
        if !info.assessments.is_empty() {
            self.html
                .raw("<section class=\"assessments\">\n<h3>Assessments</h3>\n<ul>\n")?;
            for assessment in &info.assessments {
                self.write_assessment(assessment)?;
            }
            self.html.raw("</ul>\n</section>\n")?;
        }
        if !report.warnings().is_empty() {
            self.html
                .raw("<ul class=\"warnings\" aria-label=\"Warnings\">\n")?;
            for warning in report.warnings() {
                self.html
                    .element("li", &[("class", "warning")], &warning.to_string())?;
            }
            self.html.raw("</ul>\n")?;
        }
        Ok(())
    }

    fn write_facts(&mut self) -> io::Result<()> {
        let (info, layout) = (&self.report.trace.info, Layout::piped());
        let report = (!self.report.tree.is_empty()).then_some(self.report);
        let usage = self.report.usage();
        let tokens = summary::figure(&usage.tokens, &layout, usage::usage);
        let cost = summary::figure(&usage.cost, &layout, |c| c.total().map(units::cost));
        let started = info
            .request_time
            .map(|time| units::time_with_millis(time, Zone::Utc));
        self.html.raw("<dl class=\"facts\">\n")?;
        for (term, text) in [
            ("started", started),
            ("duration", report.and_then(summary::duration_note)),
            ("spans", summary::spans(info, report)),
            ("time", report.map(latency::facts)),
            ("tokens", tokens.map(|cell| cell.plain().into_owned())),
            ("cost", cost.map(|cell| cell.plain().into_owned())),
            ("session", info.session().map(str::to_owned)),
            ("user", info.user().map(str::to_owned)),
            ("prompts", Some(field::prompts(info).join(", "))),
        ] {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                self.html.fact(term, &text)?;
            }
        }
        let place = info.place();
        for (term, id) in [
            ("experiment", place.as_deref()),
            ("run", info.run_id()),
            ("model", info.model_id()),
            ("client request", info.client_request_id.as_deref()),
        ] {
            if let Some(id) = id {
                self.html.id_fact(term, id)?;
            }
        }
        let texts = preview::of(info, Some(self.report));
        for (term, text) in ["request", "response"].into_iter().zip(texts) {
            if let Some(text) = text {
                self.html.element("dt", &[("class", "wide")], term)?;
                self.html.raw("<dd class=\"preview\">")?;
                self.write_line(&text)?;
                self.html.raw("</dd>")?;
            }
        }
        self.html.raw("</dl>\n")
    }

    /// Tags that people set are shown, the others and the metadata are folded.
    fn write_pairs(&mut self) -> io::Result<()> {
        let info = &self.report.trace.info;
        let (reserved, own): (Vec<_>, Vec<_>) = info
            .tags
            .iter()
            .partition(|(key, _)| key.starts_with("mlflow."));
        if !own.is_empty() {
            self.html.raw("<ul class=\"tags\" aria-label=\"Tags\">\n")?;
            for (key, value) in own {
                self.html.raw("<li><b>")?;
                self.html.text(key)?;
                self.html.raw("</b> ")?;
                self.write_line(value)?;
                self.html.raw("</li>")?;
            }
            self.html.raw("</ul>\n")?;
        }
        let folded = [
            ("Metadata", info.metadata.iter().collect()),
            ("MLflow’s own tags", reserved),
        ];
        for (title, pairs) in folded {
            if pairs.is_empty() {
                continue;
            }
            self.html.raw("<details class=\"fold\"><summary>")?;
            self.html.text(title)?;
            self.html.raw(" <small>")?;
            self.html.text(&pairs.len().to_string())?;
            self.html.raw("</small></summary>\n<dl class=\"pairs\">")?;
            for (key, value) in pairs {
                self.html.element("dt", &[], key)?;
                self.html.raw("<dd>")?;
                self.write_line(value)?;
                self.html.raw("</dd>")?;
            }
            self.html.raw("</dl>\n</details>\n")?;
        }
        Ok(())
    }

    fn write_assessment(&mut self, assessment: &Assessment) -> io::Result<()> {
        let failure = match &assessment.kind {
            AssessmentKind::Feedback { error, .. } => error.as_ref(),
            _ => None,
        };
        self.html.raw("<li><b>")?;
        self.html.text(assessment.title())?;
        self.html.raw(match failure {
            Some(_) => "</b> <span class=\"failure\">",
            None => "</b> <span class=\"value\">",
        })?;
        self.write_line(&assessment_value(assessment))?;
        self.html.raw("</span> ")?;
        self.html
            .element("small", &[], &summary::assessment_notes(assessment))?;
        let message = failure.and_then(|error| error.message.as_deref());
        for text in message.into_iter().chain(assessment.rationale.as_deref()) {
            self.html.raw("<p>")?;
            self.write_line(text)?;
            self.html.raw("</p>")?;
        }
        self.html.raw("</li>\n")
    }
}
