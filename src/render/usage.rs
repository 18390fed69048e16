//! Tokens in words.

use crate::model::TokenUsage;
use crate::units::count;

/// `15 (10 in, 5 out)`.
pub(crate) fn usage(usage: &TokenUsage) -> Option<String> {
    told(usage, "")
}

/// `15 tokens (10 in, 5 out)`.
pub(crate) fn tokens(usage: &TokenUsage) -> Option<String> {
    told(usage, " tokens")
}

fn told(usage: &TokenUsage, unit: &str) -> Option<String> {
    let total = format!("{}{unit}", count(usage.total()?));
    let parts: Vec<String> = [
        (usage.input_tokens, "in"),
        (usage.output_tokens, "out"),
        (usage.cache_read_input_tokens, "read from cache"),
        (usage.cache_creation_input_tokens, "written to cache"),
    ]
    .into_iter()
    .filter(|(tokens, what)| *tokens != Some(0) || !what.ends_with("cache"))
    .filter_map(|(tokens, what)| Some(format!("{} {what}", count(tokens?))))
    .collect();
    if parts.is_empty() {
        return Some(total);
    }
    Some(format!("{total} ({})", parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_lists_what_was_reported() {
        let reported = TokenUsage {
            input_tokens: Some(1200),
            output_tokens: Some(34),
            ..TokenUsage::default()
        };
        assert_eq!(usage(&reported).unwrap(), "1,234 (1,200 in, 34 out)");
        assert_eq!(
            tokens(&reported).unwrap(),
            "1,234 tokens (1,200 in, 34 out)"
        );
        assert_eq!(usage(&TokenUsage::default()), None);
    }
}
