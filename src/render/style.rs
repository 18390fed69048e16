//! Colour by meaning. A renderer asks for what a piece of text means, never for
//! a colour; with colour off every style is empty and prints nothing extra. Only
//! the terminal's own sixteen colours are used, so its theme stays in charge, and
//! of these only red and magenta for text: yellow, green and cyan can hardly be
//! read on a light ground, blue on a dark one. Faint is only what may be skipped.

use anstyle::{AnsiColor, Effects};

use crate::model::{StatusCode, TraceState};

/// What each kind of text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    coloured: bool,
}

impl Style {
    /// Plain text.
    pub const fn plain() -> Self {
        Self { coloured: false }
    }

    /// With colours and effects.
    pub const fn coloured() -> Self {
        Self { coloured: true }
    }

    /// Coloured or not.
    pub const fn new(coloured: bool) -> Self {
        Self { coloured }
    }

    const fn effect(self, effects: Effects) -> anstyle::Style {
        if self.coloured {
            anstyle::Style::new().effects(effects)
        } else {
            anstyle::Style::new()
        }
    }

    const fn colour(self, colour: AnsiColor) -> anstyle::Style {
        if self.coloured {
            anstyle::Style::new().fg_color(Some(anstyle::Color::Ansi(colour)))
        } else {
            anstyle::Style::new()
        }
    }

    /// Text without a special meaning.
    pub const fn text(self) -> anstyle::Style {
        anstyle::Style::new()
    }

    /// The title of a page.
    pub const fn title(self) -> anstyle::Style {
        self.effect(Effects::BOLD)
    }

    /// Heads of sections and columns.
    pub const fn heading(self) -> anstyle::Style {
        self.effect(Effects::BOLD)
    }

    /// What the reader may skip: guides, labels, notes.
    pub const fn muted(self) -> anstyle::Style {
        self.effect(Effects::DIMMED)
    }

    /// What failed.
    pub const fn error(self) -> anstyle::Style {
        self.colour(AnsiColor::Red)
    }

    /// What ended well.
    pub const fn ok(self) -> anstyle::Style {
        self.effect(Effects::BOLD)
    }

    /// What has not ended.
    pub const fn in_progress(self) -> anstyle::Style {
        self.colour(AnsiColor::Magenta)
    }

    /// What the reader should know about the data.
    pub const fn warning(self) -> anstyle::Style {
        self.colour(AnsiColor::Magenta)
    }

    /// Identifiers, to be copied.
    pub const fn id(self) -> anstyle::Style {
        self.text()
    }

    /// Names of traces and spans.
    pub const fn name(self) -> anstyle::Style {
        self.effect(Effects::BOLD)
    }

    /// The word for a kind of span: model calls stand out.
    pub fn span_type(self, span_type: &str) -> anstyle::Style {
        match span_type {
            "LLM" | "CHAT_MODEL" => self.colour(AnsiColor::Magenta),
            "UNKNOWN" => self.muted(),
            _ => self.text(),
        }
    }

    /// The bar of a kind of span: model calls, tools and look-ups each have their own,
    /// in colours that an area can have and text can not.
    pub fn bar(self, span_type: &str) -> anstyle::Style {
        match span_type {
            "TOOL" => self.colour(AnsiColor::Cyan),
            "RETRIEVER" | "EMBEDDING" | "RERANKER" | "MEMORY" => self.colour(AnsiColor::Blue),
            "UNKNOWN" => self.text(),
            word => self.span_type(word),
        }
    }

    /// How a trace ended.
    pub const fn state(self, state: &TraceState) -> anstyle::Style {
        match state {
            TraceState::Ok => self.text(),
            TraceState::Error => self.error(),
            TraceState::InProgress => self.in_progress(),
            TraceState::Unspecified | TraceState::Other(_) => self.muted(),
        }
    }

    /// How a span ended.
    pub const fn status(self, status: StatusCode) -> anstyle::Style {
        match status {
            StatusCode::Ok => self.text(),
            StatusCode::Error => self.error(),
            StatusCode::Unset => self.muted(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Clean;

    #[test]
    fn plain_styles_print_nothing_extra() {
        let plain = Style::plain();
        let styles = [
            plain.title(),
            plain.heading(),
            plain.muted(),
            plain.error(),
            plain.ok(),
            plain.in_progress(),
            plain.warning(),
            plain.id(),
            plain.name(),
            plain.span_type("LLM"),
            plain.bar("TOOL"),
            plain.state(&TraceState::Error),
            plain.status(StatusCode::Ok),
        ];
        for style in styles {
            assert_eq!(Clean::styled(style, "x").as_str(), "x");
        }
        assert_eq!(
            Clean::styled(Style::coloured().error(), "x").as_str(),
            "\x1b[31mx\x1b[0m"
        );
    }
}
