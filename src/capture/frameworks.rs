//! What there are lines for: the frameworks that MLflow 3.17 traces by itself, functions of
//! one's own, and clients of OpenTelemetry.

use super::lines::{self, Place};

/// Something that can be made to leave traces.
#[derive(Debug, Clone, Copy)]
pub struct Framework {
    /// What it is called here.
    pub name: &'static str,
    /// What it is called elsewhere.
    aliases: &'static [&'static str],
    /// One line about it.
    pub about: &'static str,
    /// How it is done.
    pub kind: Kind,
}

/// How it is done.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// MLflow's own integration: its module, and the packages that it goes with.
    Autolog {
        /// The module.
        module: &'static str,
        /// The packages.
        packages: &'static str,
    },
    /// Other lines with MLflow's client.
    Mlflow(fn(&Place) -> String),
    /// Lines that need no MLflow in the program.
    Otlp(fn(&Place) -> String),
}

impl Kind {
    /// The lines.
    pub fn lines(&self, place: &Place) -> String {
        match self {
            Self::Autolog { module, packages } => lines::autolog(place, module, packages),
            Self::Mlflow(lines) | Self::Otlp(lines) => lines(place),
        }
    }

    /// Whether an experiment can only be named by its id.
    pub fn needs_id(&self) -> bool {
        matches!(self, Self::Otlp(_))
    }
}

const fn autolog(
    name: &'static str,
    aliases: &'static [&'static str],
    about: &'static str,
    module: &'static str,
    packages: &'static str,
) -> Framework {
    Framework {
        name,
        aliases,
        about,
        kind: Kind::Autolog { module, packages },
    }
}

const fn by_hand(
    name: &'static str,
    about: &'static str,
    lines: fn(&Place) -> String,
) -> Framework {
    Framework {
        name,
        aliases: &[],
        about,
        kind: Kind::Mlflow(lines),
    }
}

const fn otlp(
    name: &'static str,
    aliases: &'static [&'static str],
    about: &'static str,
    lines: fn(&Place) -> String,
) -> Framework {
    Framework {
        name,
        aliases,
        about,
        kind: Kind::Otlp(lines),
    }
}

/// All of them.
pub static FRAMEWORKS: [Framework; 31] = [
    autolog("openai", &[], "OpenAI's client", "openai", "openai"),
    autolog(
        "openai-agents",
        &[],
        "OpenAI's Agents SDK",
        "openai",
        "openai-agents",
    ),
    autolog(
        "anthropic",
        &["claude"],
        "Anthropic's client",
        "anthropic",
        "anthropic",
    ),
    autolog(
        "claude-agent-sdk",
        &[],
        "Anthropic's Agent SDK",
        "anthropic",
        "claude-agent-sdk",
    ),
    by_hand(
        "claude-code",
        "Claude Code, by its hooks",
        lines::claude_code,
    ),
    autolog(
        "gemini",
        &["google-genai"],
        "Google's client for Gemini",
        "gemini",
        "google-genai",
    ),
    autolog(
        "bedrock",
        &["boto3"],
        "Amazon Bedrock by boto3",
        "bedrock",
        "boto3",
    ),
    autolog(
        "mistral",
        &["mistralai"],
        "Mistral's client",
        "mistral",
        "mistralai",
    ),
    autolog("groq", &[], "Groq's client", "groq", "groq"),
    autolog("litellm", &[], "LiteLLM", "litellm", "litellm"),
    autolog("langchain", &[], "LangChain", "langchain", "langchain"),
    autolog(
        "langgraph",
        &[],
        "LangGraph",
        "langchain",
        "langgraph langchain",
    ),
    autolog(
        "llama-index",
        &["llamaindex", "llama_index"],
        "LlamaIndex",
        "llama_index",
        "llama-index",
    ),
    autolog("dspy", &[], "DSPy", "dspy", "dspy"),
    autolog(
        "pydantic-ai",
        &["pydantic_ai"],
        "Pydantic AI",
        "pydantic_ai",
        "pydantic-ai",
    ),
    autolog("crewai", &[], "CrewAI", "crewai", "crewai"),
    autolog("autogen", &[], "AutoGen", "autogen", "autogen-agentchat"),
    autolog("ag2", &[], "AG2", "ag2", "ag2"),
    autolog("smolagents", &[], "smolagents", "smolagents", "smolagents"),
    autolog("haystack", &[], "Haystack", "haystack", "haystack-ai"),
    autolog(
        "semantic-kernel",
        &["semantic_kernel"],
        "Semantic Kernel",
        "semantic_kernel",
        "semantic-kernel",
    ),
    autolog(
        "strands",
        &[],
        "Strands Agents",
        "strands",
        "strands-agents",
    ),
    autolog("agno", &[], "Agno", "agno", "agno"),
    by_hand(
        "transformers",
        "pipelines of Transformers, by hand",
        lines::transformers,
    ),
    by_hand("decorator", "functions of your own", lines::decorator),
    by_hand(
        "context",
        "blocks of your own, by a context manager",
        lines::context,
    ),
    autolog(
        "otel",
        &[],
        "libraries with OpenTelemetry of their own, beside MLflow",
        "otel",
        "opentelemetry-exporter-otlp-proto-http",
    ),
    otlp(
        "otel-python",
        &["opentelemetry-python"],
        "OpenTelemetry in Python, without MLflow",
        lines::otel_python,
    ),
    otlp(
        "otel-typescript",
        &["otel-javascript", "otel-node", "opentelemetry-typescript"],
        "OpenTelemetry in TypeScript and JavaScript",
        lines::otel_typescript,
    ),
    otlp(
        "otel-go",
        &["opentelemetry-go"],
        "OpenTelemetry in Go",
        lines::otel_go,
    ),
    otlp(
        "otel-env",
        &["opentelemetry-env"],
        "any program with OpenTelemetry, by environment variables alone",
        lines::otel_env,
    ),
];

impl Framework {
    /// The one of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FRAMEWORKS
            .iter()
            .find(|one| one.name == name || one.aliases.contains(&name))
    }
}

/// The names that may be typed, for the command line.
pub fn names() -> clap::builder::PossibleValuesParser {
    FRAMEWORKS
        .iter()
        .map(|one| clap::builder::PossibleValue::new(one.name).aliases(one.aliases.iter().copied()))
        .collect::<Vec<_>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let mut seen = std::collections::HashSet::new();
        for one in &FRAMEWORKS {
            for name in [one.name].iter().chain(one.aliases) {
                assert!(seen.insert(*name), "{name}");
                assert_eq!(
                    Framework::named(name).map(|found| found.name),
                    Some(one.name)
                );
            }
        }
    }
}
