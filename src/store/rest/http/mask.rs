//! Hides this program's own secrets in whatever a server or a proxy says: some
//! repeat the request that they did not like, login and all, as it is or encoded.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

use crate::store::{Connection, Credentials, Secret};
use crate::uri::percent_encoded;

/// What stands where a secret was.
const MASK: &str = "[hidden]";
/// Shorter ones are parts of ordinary words, and are hidden where they stand alone.
const LONG: usize = 6;

/// The spellings of the secrets of a connection, longest first.
#[derive(Default)]
pub(super) struct Masks {
    spellings: Vec<String>,
}

impl Masks {
    pub(super) fn of(connection: &Connection) -> Self {
        let mut masks = Self::default();
        match &connection.credentials {
            Some(Credentials::Basic { username, password }) => masks.add_login(username, password),
            Some(Credentials::Token(token)) => masks.add(token.expose()),
            None => {}
        }
        for proxy in connection.proxies.all() {
            if let Some((username, password)) = &proxy.login {
                masks.add_login(username, password);
            }
        }
        let spellings = &mut masks.spellings;
        spellings.retain(|text| !text.is_empty());
        spellings.sort_by(|a, b| b.len().cmp(&a.len()).then(a.cmp(b)));
        spellings.dedup();
        masks
    }

    fn add_login(&mut self, username: &str, password: &Secret) {
        self.add(password.expose());
        let both = format!("{username}:{}", password.expose());
        self.spellings.extend(in_base64(&both));
    }

    fn add(&mut self, secret: &str) {
        let percent = percent_encoded(secret);
        self.spellings.extend([
            percent.to_ascii_lowercase(),
            percent.replace("%20", "+"),
            percent,
            in_json(secret),
            in_html(secret),
            secret.to_owned(),
        ]);
        if secret.len() >= LONG {
            self.spellings.extend(in_base64(secret));
        }
    }

    /// The text without any of the secrets.
    pub(super) fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut shown = Cow::Borrowed(text);
        for spelling in &self.spellings {
            if shown.contains(spelling.as_str()) {
                shown = Cow::Owned(without(&shown, spelling));
            }
        }
        shown
    }
}

fn without(text: &str, spelling: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in text.match_indices(spelling) {
        let end = at + spelling.len();
        let touches = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let within_word =
            touches(text[..at].chars().next_back()) || touches(text[end..].chars().next());
        if spelling.len() < LONG && within_word {
            continue;
        }
        out.push_str(&text[done..at]);
        out.push_str(MASK);
        done = end;
    }
    out.push_str(&text[done..]);
    out
}

fn in_base64(text: &str) -> [String; 4] {
    [
        STANDARD.encode(text),
        STANDARD_NO_PAD.encode(text),
        URL_SAFE.encode(text),
        URL_SAFE_NO_PAD.encode(text),
    ]
}

/// As it stands between the quotes of JSON.
fn in_json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.trim_matches('"').to_owned()
}

fn in_html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(secret: &str) -> Masks {
        let mut masks = Masks::default();
        masks.add_login("ann", &Secret::new(secret));
        masks
    }

    #[test]
    fn a_secret_is_hidden_in_every_spelling() {
        let secret = "p&55 w/\"0";
        let masks = masks(secret);
        for text in [
            secret,
            "p%2655%20w%2F%220",
            "p%2655%20w%2f%220",
            "p%2655+w%2F%220",
            "p&55 w/\\\"0",
            "p&amp;55 w/&quot;0",
            &STANDARD.encode(format!("ann:{secret}")),
            &STANDARD_NO_PAD.encode(format!("ann:{secret}")),
            &STANDARD.encode(secret),
        ] {
            let said = format!("bad login <{text}> of ann");
            let shown = masks.hide(&said);
            assert!(!shown.contains(text), "{shown}");
            assert!(shown.starts_with("bad login <[hidden]"), "{shown}");
        }
    }

    #[test]
    fn a_short_secret_leaves_other_words_alone() {
        assert_eq!(
            masks("at").hide("at least that, at:at"),
            "[hidden] least that, [hidden]:[hidden]"
        );
    }
}
