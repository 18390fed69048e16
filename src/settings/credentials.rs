//! How to log in, found where MLflow's Python client looks: the URL, the
//! environment, and `~/.mlflow/credentials` for what the environment lacks.

use std::path::{Path, PathBuf};

use ini::Ini;
use url::Url;

use super::disk::Disk;
use super::{Env, SettingsError};
use crate::io_words::plain_io_reason;
use crate::store::{Credentials, Secret};
use crate::uri::percent_decode;

/// User name and password of a URL.
pub(super) fn from_url(url: &Url) -> Option<Credentials> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    Some(Credentials::Basic {
        username: percent_decode(url.username()),
        password: Secret::new(percent_decode(url.password().unwrap_or_default())),
    })
}

/// A user name with a password wins over a token, as in MLflow's own client.
///
/// A file of credentials that cannot be read is told to `warnings`, and is as good
/// as none.
///
/// # Errors
/// A way to log in that mlt does not have.
pub(super) fn from_environment(
    env: &Env,
    disk: &dyn Disk,
    warnings: &mut Vec<String>,
) -> Result<Option<Credentials>, SettingsError> {
    if env.flag("MLFLOW_TRACKING_AWS_SIGV4")? == Some(true) {
        return Err(SettingsError::UnsupportedLogin {
            what: "MLFLOW_TRACKING_AWS_SIGV4",
        });
    }
    if env.get("MLFLOW_TRACKING_AUTH").is_some() {
        return Err(SettingsError::UnsupportedLogin {
            what: "MLFLOW_TRACKING_AUTH",
        });
    }
    let mut username = env.get("MLFLOW_TRACKING_USERNAME").map(str::to_owned);
    let mut password = env.get("MLFLOW_TRACKING_PASSWORD").map(Secret::new);
    if username.is_none() || password.is_none() {
        let (file_username, file_password) = from_file(env, disk).unwrap_or_else(|error| {
            warnings.push(format!("{error}; going on without it"));
            (None, None)
        });
        username = username.or(file_username);
        password = password.or(file_password);
    }
    if let (Some(username), Some(password)) = (username, password) {
        return Ok(Some(Credentials::Basic { username, password }));
    }
    Ok(env
        .get("MLFLOW_TRACKING_TOKEN")
        .map(|token| Credentials::Token(Secret::new(token))))
}

fn from_file(
    env: &Env,
    disk: &dyn Disk,
) -> Result<(Option<String>, Option<Secret>), SettingsError> {
    let Some(home) = env.get("HOME").or(env.get("USERPROFILE")) else {
        return Ok((None, None));
    };
    let path: PathBuf = [home, ".mlflow", "credentials"].iter().collect();
    let file = ini_file(&path, disk)?;
    let Some(section) = file.as_ref().and_then(|file| file.section(Some("mlflow"))) else {
        return Ok((None, None));
    };
    Ok((
        section.get("mlflow_tracking_username").map(str::to_owned),
        section.get("mlflow_tracking_password").map(Secret::new),
    ))
}

/// A file of credentials; `None` where there is none.
///
/// # Errors
/// When it cannot be read, or is not INI.
pub(super) fn ini_file(path: &Path, disk: &dyn Disk) -> Result<Option<Ini>, SettingsError> {
    // Passwords may hold backslashes and quotes; MLflow reads them literally.
    let options = ini::ParseOption {
        enabled_quote: false,
        enabled_escape: false,
        ..ini::ParseOption::default()
    };
    let unreadable = |reason: String| SettingsError::CredentialsFile {
        path: path.display().to_string(),
        reason,
    };
    let Some(text) = disk
        .read(path)
        .map_err(|e| unreadable(plain_io_reason(&e)))?
    else {
        return Ok(None);
    };
    // A syntax error's own text may quote the line, and the line may be a password.
    let file = Ini::load_from_str_opt(&text, options).map_err(|error| {
        unreadable(format!(
            "line {} is not INI (expected `key = value`)",
            error.line
        ))
    })?;
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use super::super::disk::RealDisk;
    use super::*;

    fn with_file(text: &str, variables: &[(&str, &str)]) -> Result<Option<Credentials>, String> {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".mlflow")).unwrap();
        std::fs::write(home.path().join(".mlflow/credentials"), text).unwrap();
        let env: Env = variables
            .iter()
            .copied()
            .chain([("HOME", home.path().to_str().unwrap())])
            .collect();
        let mut warnings = Vec::new();
        let found = from_environment(&env, &RealDisk, &mut warnings);
        match warnings.pop() {
            Some(warning) => Err(warning),
            None => Ok(found.unwrap()),
        }
    }

    #[test]
    fn the_file_gives_what_the_environment_lacks() {
        let file =
            "[mlflow]\nmlflow_tracking_username = ann\nmlflow_tracking_password = p\\w\"1%\n";
        let Some(Credentials::Basic { username, password }) =
            with_file(file, &[("MLFLOW_TRACKING_USERNAME", "bob")]).unwrap()
        else {
            panic!();
        };
        assert_eq!((username.as_str(), password.expose()), ("bob", "p\\w\"1%"));
    }

    #[test]
    fn a_broken_file_is_reported_without_its_contents() {
        let error = with_file("[mlflow]\nhunter2\n", &[]).unwrap_err();
        assert!(error.contains("line"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn ways_to_log_in_that_mlt_lacks_are_errors() {
        let env: Env = [("MLFLOW_TRACKING_AWS_SIGV4", "true")]
            .into_iter()
            .collect();
        assert!(from_environment(&env, &RealDisk, &mut Vec::new()).is_err());
    }
}
