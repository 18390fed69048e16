//! The environment as it was when the program began.

use std::collections::HashMap;
use std::path::PathBuf;

use super::{SettingsError, URI};

/// The environment, read once.
#[derive(Debug, Clone, Default)]
pub struct Env {
    variables: HashMap<String, String>,
    /// The tracking URI, where it is a path that is not Unicode.
    pub(super) odd_uri: Option<PathBuf>,
}

impl Env {
    /// The process's environment. Variables that are not Unicode are left out.
    pub fn from_process() -> Self {
        Self {
            variables: std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
            odd_uri: std::env::var_os(URI)
                .filter(|uri| uri.to_str().is_none())
                .map(PathBuf::from),
        }
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The same without some variables.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        let mut rest = self.clone();
        rest.variables
            .retain(|name, _| !names.contains(&name.as_str()));
        rest
    }

    /// All variables with their values.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let variables = self.variables.iter();
        variables.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether a variable is set, be it to nothing.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// A variable that holds a truth value as MLflow spells them.
    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, SettingsError> {
        match self.get(name).map(str::to_ascii_lowercase).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(SettingsError::Variable {
                name,
                expected: "true or false",
                found: self.get(name).unwrap_or_default().to_owned(),
            }),
        }
    }

    pub(super) fn number(&self, name: &'static str) -> Result<Option<f64>, SettingsError> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.trim().parse::<f64>() {
            Ok(number) if number >= 0.0 && number.is_finite() => Ok(Some(number)),
            _ => Err(SettingsError::Variable {
                name,
                expected: "a number that is not negative",
                found: text.to_owned(),
            }),
        }
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self {
            variables: pairs
                .into_iter()
                .map(|(k, v)| (k.into(), v.into()))
                .collect(),
            odd_uri: None,
        }
    }
}
