//! From a tracking URI, a path, or nothing at all to the place that is meant.

use std::path::{Path, PathBuf};

use super::SettingsError;
use super::disk::{Disk, Found};
use crate::store::Location;
use crate::uri::{file_uri_path, percent_decode, without_credentials};

/// Databases that MLflow can keep traces in and mlt has no driver for.
const DATABASES: [&str; 5] = ["postgresql", "postgres", "mysql", "mssql", "oracle"];

/// What MLflow's client would use where nothing is configured: `./mlruns` with
/// an experiment in it, else `./mlflow.db`. `None` where neither is there.
pub(super) fn default(disk: &dyn Disk) -> Option<Location> {
    let mlruns = Path::new("mlruns");
    let has_experiment = disk.folders(mlruns).iter().any(|name| {
        name.bytes().all(|b| b.is_ascii_digit())
            && disk.look(&mlruns.join(name).join("meta.yaml")) != Found::Nothing
    });
    if has_experiment {
        return Some(Location::Mlruns(mlruns.to_owned()));
    }
    let database = Path::new("mlflow.db");
    (disk.look(database) != Found::Nothing).then(|| Location::sqlite(database))
}

/// The place that a URI names which is neither a server's nor Databricks'.
///
/// # Errors
/// A scheme that no store here has, and a bare word that names nothing.
pub(super) fn of_uri(uri: &str, disk: &dyn Disk) -> Result<Location, SettingsError> {
    let unusable = || SettingsError::Scheme {
        uri: without_credentials(uri),
    };
    match uri.to_ascii_lowercase().as_str() {
        "-" => return Ok(Location::Stdin),
        "demo:" | "demo://" => return Ok(Location::Demo),
        _ => {}
    }
    let scheme = scheme(uri);
    if scheme == "file" {
        let path = file_uri_path(uri).ok_or_else(unusable)?;
        return Ok(of_file(&path, disk));
    }
    if scheme == "sqlite" || scheme.starts_with("sqlite+") {
        return sqlite(uri, disk).map(Location::sqlite);
    }
    if is_database(&scheme) {
        return Err(SettingsError::Database {
            uri: without_credentials(uri),
        });
    }
    if uri.contains("://") {
        return Err(unusable());
    }
    let path = Path::new(uri);
    if has_login(uri) && disk.look(path) == Found::Nothing {
        return Err(unusable());
    }
    if let Some(ending) = other_ending(path)
        && disk.look(path) != Found::Folder
    {
        return Err(SettingsError::Uri {
            uri: uri.to_owned(),
            reason: format!("traces are read from .json and .jsonl files, and not from .{ending}"),
        });
    }
    if let Some(location) = of_path(path, disk) {
        return Ok(location);
    }
    if looks_like_path(uri) {
        return Ok(Location::Mlruns(path.to_owned()));
    }
    Err(unusable())
}

/// The place at a path that nobody takes for a URI.
pub(super) fn of_file(path: &Path, disk: &dyn Disk) -> Location {
    of_path(path, disk).unwrap_or_else(|| Location::Mlruns(path.to_owned()))
}

/// The ending of files that hold something else, such as what exports write for
/// other programs.
fn other_ending(path: &Path) -> Option<String> {
    const OTHERS: [&str; 7] = ["csv", "tsv", "parquet", "folded", "html", "xml", "zip"];
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    OTHERS.contains(&ending.as_str()).then_some(ending)
}

/// By what stands at the path, else by its extension.
fn of_path(path: &Path, disk: &dyn Disk) -> Option<Location> {
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .map(str::to_ascii_lowercase);
    let found = disk.look(path);
    match (found, extension.as_deref()) {
        (Found::Folder, _) => Some(Location::Mlruns(path.to_owned())),
        (Found::Sqlite, _) | (_, Some("db" | "sqlite" | "sqlite3")) => Some(Location::sqlite(path)),
        (Found::Other, _) | (_, Some("json" | "jsonl" | "ndjson")) => {
            Some(Location::File(path.to_owned()))
        }
        (Found::Nothing, _) => None,
    }
}

/// The database of a SQLAlchemy URL: three slashes before a path below the
/// current directory, four before one from the root.
fn sqlite(uri: &str, disk: &dyn Disk) -> Result<PathBuf, SettingsError> {
    let wrong = |reason: &str| SettingsError::Uri {
        uri: without_credentials(uri),
        reason: reason.to_owned(),
    };
    let rest = uri.split_once(':').map_or("", |(_, rest)| rest);
    let Some(database) = rest.strip_prefix("///") else {
        return Err(wrong(
            "expected three slashes before a relative path, or four before an absolute one",
        ));
    };
    let database = database.split('?').next().unwrap_or_default();
    if database.is_empty() || database == ":memory:" {
        return Err(wrong("a database in memory holds no traces"));
    }
    // Asked with `?uri=true`, SQLite takes a file URI of its own here.
    let database = database.strip_prefix("file:").unwrap_or(database);
    let decoded = PathBuf::from(percent_decode(database));
    let literal = PathBuf::from(database);
    // SQLAlchemy decodes escapes only since 2.1, so both have been written.
    let older = disk.look(&decoded) == Found::Nothing && disk.look(&literal) != Found::Nothing;
    Ok(if older { literal } else { decoded })
}

/// The part before the first colon, in lower case, where it can be a scheme.
pub(super) fn scheme(uri: &str) -> String {
    let Some((scheme, _)) = uri.split_once(':') else {
        return String::new();
    };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if is_scheme {
        scheme.to_ascii_lowercase()
    } else {
        String::new()
    }
}

fn is_database(scheme: &str) -> bool {
    let dialect = scheme.split('+').next().unwrap_or_default();
    DATABASES.contains(&dialect)
}

/// `./x`, `a/b`, `C:\x` and `mlruns`: who writes that means a folder or file,
/// and wants to hear that it is not there.
fn looks_like_path(uri: &str) -> bool {
    uri == "mlruns"
        || uri.starts_with('.')
        || (uri.contains(['/', '\\']) && !uri.split('/').next().unwrap_or_default().contains(':'))
}

/// `http//user:password@host` and the like, which are no paths.
fn has_login(uri: &str) -> bool {
    let is_drive = uri.as_bytes().get(1) == Some(&b':');
    let before = uri.rsplit_once('@').map_or("", |(before, _)| before);
    before.contains(':') && !is_drive
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::io;

    struct Pretended(HashMap<&'static str, Found>);

    impl Disk for Pretended {
        fn look(&self, path: &Path) -> Found {
            self.0
                .get(path.to_str().unwrap())
                .copied()
                .unwrap_or(Found::Nothing)
        }

        fn folders(&self, path: &Path) -> Vec<String> {
            let below = format!("{}/", path.display());
            self.0
                .iter()
                .filter(|(_, found)| **found == Found::Folder)
                .filter_map(|(name, _)| Some(name.strip_prefix(&below)?.to_owned()))
                .collect()
        }

        fn read(&self, _path: &Path) -> io::Result<Option<String>> {
            Ok(None)
        }

        fn is_private(&self, _path: &Path) -> bool {
            true
        }
    }

    fn disk(entries: &[(&'static str, Found)]) -> Pretended {
        Pretended(entries.iter().copied().collect())
    }

    #[track_caller]
    fn place(uri: &str, on: &Pretended) -> String {
        match of_uri(uri, on) {
            Ok(Location::Sqlite { path, .. }) => format!("sqlite {}", path.display()),
            Ok(Location::Mlruns(path)) => format!("mlruns {}", path.display()),
            Ok(Location::File(path)) => format!("file {}", path.display()),
            Ok(other) => format!("{other:?}"),
            Err(error) => format!("error {error}"),
        }
    }

    #[test]
    fn sqlalchemy_urls_name_databases() {
        let on = disk(&[("b%41.db", Found::Other)]);
        for (uri, expected) in [
            ("sqlite:///mlflow.db", "sqlite mlflow.db"),
            ("sqlite:////var/mlflow.db", "sqlite /var/mlflow.db"),
            ("SQLITE:///A.db", "sqlite A.db"),
            ("sqlite+pysqlite:///a.db", "sqlite a.db"),
            ("sqlite:///a%20b.db?timeout=5", "sqlite a b.db"),
            ("sqlite:///b%41.db", "sqlite b%41.db"),
            ("sqlite:///file:/x/a.db?mode=ro&uri=true", "sqlite /x/a.db"),
            ("sqlite:///no-extension", "sqlite no-extension"),
        ] {
            assert_eq!(place(uri, &on), expected, "{uri}");
        }
        for uri in [
            "sqlite://",
            "sqlite:///",
            "sqlite:///:memory:",
            "sqlite://a.db",
            "sqlite:a.db",
        ] {
            assert!(place(uri, &on).starts_with("error cannot use"), "{uri}");
        }
    }

    #[test]
    fn a_login_in_what_is_almost_a_url_is_not_shown() {
        let on = disk(&[("a:b@c", Found::Folder)]);
        for uri in [
            "http//ann:s3cret@h",
            "http:/ann:s3cret@h/x",
            "http:ann:s3cret@h",
            "//ann:s3cret@h",
            "./ann:s3cret@h",
            "ann:s3cret@h:5000/x",
            "ann:s3/cret@h",
            "htp://ann:s3/cret@h",
        ] {
            let said = place(uri, &on);
            assert!(said.starts_with("error cannot use"), "{said}");
            assert!(!said.contains("s3") && !said.contains("cret"), "{said}");
        }
        assert_eq!(place("a:b@c", &on), "mlruns a:b@c");
        assert_eq!(place("./user@host", &on), "mlruns ./user@host");
    }

    #[test]
    fn paths_are_what_stands_there_and_else_what_their_extension_says() {
        let on = disk(&[
            ("odd.json", Found::Sqlite),
            ("store", Found::Sqlite),
            ("runs", Found::Folder),
            ("folder.json", Found::Folder),
            ("export", Found::Other),
            ("notes.txt", Found::Other),
            ("empty.db", Found::Other),
            ("a:b", Found::Other),
        ]);
        for (uri, expected) in [
            ("odd.json", "sqlite odd.json"),
            ("store", "sqlite store"),
            ("empty.db", "sqlite empty.db"),
            ("gone.sqlite3", "sqlite gone.sqlite3"),
            ("runs", "mlruns runs"),
            ("file:runs", "mlruns runs"),
            ("folder.json", "mlruns folder.json"),
            ("export", "file export"),
            ("file:export", "file export"),
            ("notes.txt", "file notes.txt"),
            ("a:b", "file a:b"),
            ("gone.JSONL", "file gone.JSONL"),
            ("./gone", "mlruns ./gone"),
            ("file:gone", "mlruns gone"),
            ("-", "Stdin"),
            ("Demo:", "Demo"),
        ] {
            assert_eq!(place(uri, &on), expected, "{uri}");
        }
        for uri in [
            "gone",
            "gone.txt",
            "localhost:5000",
            "localhost:5000/x",
            "s3://b/x",
            "file://host/x",
        ] {
            assert!(place(uri, &on).starts_with("error cannot use"), "{uri}");
        }
    }

    #[test]
    fn databases_that_need_a_server_are_refused_without_their_password() {
        for uri in [
            "postgresql://ann:secret@h/db",
            "mysql+pymysql://ann:secret@h/db",
        ] {
            let error = of_uri(uri, &disk(&[])).unwrap_err();
            assert!(matches!(error, SettingsError::Database { .. }), "{error:?}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn the_default_is_what_mlflow_would_pick() {
        let both = disk(&[
            ("mlruns/0", Found::Folder),
            ("mlruns/0/meta.yaml", Found::Other),
            ("mlflow.db", Found::Sqlite),
        ]);
        assert!(matches!(default(&both), Some(Location::Mlruns(_))));
        let without_meta = disk(&[
            ("mlruns/0", Found::Folder),
            ("mlruns/models", Found::Folder),
            ("mlruns/models/meta.yaml", Found::Other),
            ("mlflow.db", Found::Sqlite),
        ]);
        assert!(matches!(
            default(&without_meta),
            Some(Location::Sqlite { .. })
        ));
        assert!(default(&disk(&[("mlruns/0", Found::Folder)])).is_none());
    }
}
