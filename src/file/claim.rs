//! The claim to a path while a long export goes there: a small file beside it, which
//! is locked as long as the program lives, and says what is being written. Two exports
//! to one path get to know of each other by it, and one that was stopped is gone on
//! with only by the same. Beside a claim, `NAME.part` is ours; anybody else's is left
//! alone.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::place::{Stamp, folder_of};
use super::target::{beside, rename_to_new};
use super::unfinished::{Leftover, Unfinished};
use super::{Existing, Place, Target, cannot, sync};
use crate::error::{CommandError, Exit};

const VERSION: u32 = 1;
/// No claim is longer.
const LONGEST: u64 = 1 << 24;
/// How often others may come and go between a look and a grasp.
const TRIES: usize = 100;
/// So much is shown of what was asked for.
const SHOWN: usize = 80;

/// What is to become of what was begun earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// There must be nothing.
    New,
    /// It is thrown away.
    Anew,
    /// It is gone on with.
    GoOn,
}

/// What is in the file of a claim.
#[derive(Serialize, Deserialize)]
struct State {
    mlt_export: u32,
    /// The file that is to be replaced.
    replaces: Option<Stamp>,
    /// What is written, in words of the command line.
    of: Map<String, Value>,
}

/// A path that nobody else writes to.
#[derive(Debug)]
pub(crate) struct Claim {
    part: PathBuf,
    existing: Existing,
    unfinished: Unfinished,
    /// Locked.
    _file: File,
}

/// What there is of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Nothing yet.
    None,
    /// An earlier export wrote it.
    Begun,
}

impl Claim {
    /// Claims a place for what is described. Only where it can be gone on with, a part
    /// of it stays.
    ///
    /// # Errors
    /// When somebody else is writing there; when there is something that this way does
    /// not allow for, or that is not ours; and those of the disk.
    pub(crate) fn lay(
        place: &Place,
        of: &Map<String, Value>,
        way: Way,
        is_kept: bool,
    ) -> Result<(Self, Part), CommandError> {
        let part = with_ending(&place.real, ".part");
        let path = with_ending(&part, ".state");
        let failed = |error: &io::Error| cannot("write", &place.named, error);
        let existing = if way == Way::Anew || place.is_file() {
            Existing::Replaced
        } else {
            Existing::Kept
        };
        let leftover = Leftover {
            path: path.clone(),
            part: is_kept.then(|| part.clone()),
        };
        let claim = |file, unfinished| Self {
            part: part.clone(),
            existing,
            unfinished,
            _file: file,
        };
        for _ in 0..TRIES {
            let Some(mut file) = open(&path)? else {
                if is_kept && is_there(&part) {
                    return Err(foreign(&part));
                }
                let state = State {
                    mlt_export: VERSION,
                    replaces: place.stamp(),
                    of: of.clone(),
                };
                let made = Unfinished::make(|| Ok((create(&path, &state)?, leftover.clone())));
                match made {
                    Ok((file, unfinished)) => return Ok((claim(file, unfinished), Part::None)),
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    Err(error) => return Err(failed(&error)),
                }
            };
            // Where files cannot be locked, nobody is asked.
            if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                return Err(busy(&place.named));
            }
            if !is_at(&file, &path) {
                continue;
            }
            let earlier = read(&mut file).ok_or_else(|| foreign(&path))?;
            match (is_there(&part), way) {
                (true, Way::New) => return Err(stopped(&part)),
                (true, Way::GoOn) => {
                    earlier.check(place, &part, of)?;
                    let known = Unfinished::make(|| Ok((file, leftover.clone())));
                    let (file, unfinished) = known.map_err(|error| failed(&error))?;
                    return Ok((claim(file, unfinished), Part::Begun));
                }
                (true, Way::Anew) => fs::remove_file(&part).map_err(|error| failed(&error))?,
                (false, _) => {}
            }
            // What it was laid to is gone.
            fs::remove_file(&path).map_err(|error| failed(&error))?;
        }
        Err(busy(&place.named))
    }

    /// Begins a part with the first bytes of the file that it will replace.
    ///
    /// # Errors
    /// Those of the disk.
    pub(crate) fn begin(&self, place: Place, bytes: u64) -> Result<Target, CommandError> {
        let begin = || -> io::Result<File> {
            let (mut file, unfinished) = beside(&place)?;
            if bytes > 0 {
                io::copy(&mut File::open(&place.real)?.take(bytes), &mut file)?;
            }
            let path = unfinished.path().to_owned();
            unfinished.finish(|| rename_to_new(&path, &self.part))?;
            Ok(file)
        };
        match begin() {
            Ok(file) => Ok(self.go_on(place, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(foreign(&self.part)),
            Err(error) => Err(cannot("write", &place.named, &error)),
        }
    }

    /// Goes on where the part's file stands.
    pub(crate) fn go_on(&self, place: Place, file: File) -> Target {
        Target::of_part(place, file, self.part.clone(), self.existing)
    }

    /// What becomes of the file that is there.
    pub(crate) fn existing(&self) -> Existing {
        self.existing
    }

    /// What there is until the file is whole.
    pub(crate) fn part(&self) -> &Path {
        &self.part
    }

    /// Opens the part for reading and writing.
    ///
    /// # Errors
    /// Anything but a file of ours, and those of the disk.
    pub(crate) fn open_part(&self) -> Result<File, CommandError> {
        open(&self.part)?.ok_or_else(|| {
            let gone = io::ErrorKind::NotFound.into();
            cannot("open", &self.part, &gone)
        })
    }

    /// Gives the file its place, and the place free.
    pub(super) fn finish(self, put: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let path = self.unfinished.path().to_owned();
        self.unfinished.finish(|| {
            put()?;
            let _ = fs::remove_file(path);
            Ok(())
        })
    }
}

impl State {
    /// Whether the part is one of this very export.
    fn check(
        &self,
        place: &Place,
        part: &Path,
        of: &Map<String, Value>,
    ) -> Result<(), CommandError> {
        if let Some((key, before, now)) = difference(&self.of, of) {
            let message = format!(
                "{} is of another export: its {key} was {before}, and this one's is {now}",
                part.display()
            );
            return Err(CommandError::usage(message)
                .hint("repeat the command that began it, or write anew with --force"));
        }
        if self.replaces != place.stamp() {
            let message = format!(
                "{} has changed since {} was begun",
                place.named.display(),
                part.display()
            );
            return Err(CommandError::new(Exit::Data, message)
                .hint("move the one or the other away, or write anew with --force"));
        }
        Ok(())
    }
}

/// The first of what was asked for otherwise, with both answers.
pub(super) fn difference(
    before: &Map<String, Value>,
    now: &Map<String, Value>,
) -> Option<(String, String, String)> {
    let key = now
        .keys()
        .chain(before.keys())
        .find(|key| before.get(*key) != now.get(*key))?;
    let shown = |of: &Map<String, Value>| match of.get(key) {
        None => "not given".to_owned(),
        Some(value) => {
            let text = value.to_string();
            match text.char_indices().nth(SHOWN) {
                Some((at, _)) => format!("{}…", &text[..at]),
                None => text,
            }
        }
    };
    Some((key.clone(), shown(before), shown(now)))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(ending);
    path.with_file_name(name)
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Opens a file, and nothing else that may have been laid there.
pub(super) fn open(path: &Path) -> Result<Option<File>, CommandError> {
    let opened = match fs::symlink_metadata(path) {
        Ok(found) if !found.is_file() => return Err(foreign(path)),
        Ok(_) => OpenOptions::new().read(true).write(true).open(path),
        Err(error) => Err(error),
    };
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot("open", path, &error)),
    }
}

/// A claim appears with all that it says, and locked.
fn create(path: &Path, state: &State) -> io::Result<File> {
    let mut builder = tempfile::Builder::new();
    let made = builder.prefix(".mlt-").tempfile_in(folder_of(path))?;
    let _ = made.as_file().try_lock();
    let mut file = made.as_file();
    file.write_all(&serde_json::to_vec_pretty(state)?)?;
    file.write_all(b"\n")?;
    sync(file)?;
    let (file, made) = made.keep().map_err(|failed| failed.error)?;
    match rename_to_new(&made, path) {
        Ok(()) => Ok(file),
        Err(error) => {
            let _ = fs::remove_file(made);
            Err(error)
        }
    }
}

fn read(file: &mut File) -> Option<State> {
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).ok()?;
    let state: State = serde_json::from_slice(&text).ok()?;
    (state.mlt_export == VERSION).then_some(state)
}

/// Whether a file still has its name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(opened), Ok(found)) => (opened.dev(), opened.ino()) == (found.dev(), found.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    is_there(path)
}

pub(super) fn busy(path: &Path) -> CommandError {
    let message = format!(
        "cannot write {}: another mlt is writing there",
        path.display()
    );
    CommandError::new(Exit::Data, message)
}

fn stopped(part: &Path) -> CommandError {
    let message = format!("{} holds an export that was stopped", part.display());
    CommandError::usage(message).hint("go on with it with --resume, or write anew with --force")
}

pub(super) fn foreign(path: &Path) -> CommandError {
    let message = format!(
        "{} is in the way: `mlt export` did not leave it there",
        path.display()
    );
    CommandError::new(Exit::Data, message).hint("move it away, or choose another name with --to")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn place(&self) -> Place {
            Place::find(&self.at("out")).unwrap()
        }

        fn lay(&self, status: &str, way: Way) -> Result<(Claim, Part), String> {
            let of = json!({"store": "demo:", "status": [status]});
            Claim::lay(&self.place(), of.as_object().unwrap(), way, true).map_err(|error| {
                error
                    .to_string()
                    .replace(&format!("{}/", self.0.path().display()), "")
            })
        }

        /// Leaves a part as a program does that is ended.
        fn stop(&self, way: Way) {
            let (claim, part) = self.lay("OK", way).unwrap();
            assert_eq!(part, Part::None);
            let mut target = claim.begin(self.place(), 0).unwrap();
            target.write_all(b"half").unwrap();
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.0.path()).unwrap();
            let mut names: Vec<String> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_place_is_claimed_by_one_at_a_time() {
        let folder = Folder::new();
        let (claim, _) = folder.lay("OK", Way::New).unwrap();
        for way in [Way::New, Way::Anew, Way::GoOn] {
            let refused = folder.lay("OK", way).unwrap_err();
            assert_eq!(refused, "cannot write out: another mlt is writing there");
        }
        drop(claim);
        assert!(folder.names().is_empty(), "a claim to nothing is no use");
        let (claim, _) = folder.lay("OK", Way::New).unwrap();
        let mut target = claim.begin(folder.place(), 0).unwrap();
        target.write_all(b"whole").unwrap();
        assert_eq!(folder.names(), ["out.part", "out.part.state"]);
        target.finish_claimed(claim).unwrap();
        assert_eq!(folder.names(), ["out"]);
    }

    #[test]
    fn only_the_same_goes_on_with_what_was_stopped() {
        let folder = Folder::new();
        folder.stop(Way::New);
        assert_eq!(folder.names(), ["out.part", "out.part.state"]);
        let refused = folder.lay("OK", Way::New).unwrap_err();
        assert_eq!(refused, "out.part holds an export that was stopped");
        let refused = folder.lay("ERROR", Way::GoOn).unwrap_err();
        assert_eq!(
            refused,
            "out.part is of another export: its status was [\"OK\"], and this one's is [\"ERROR\"]"
        );
        let (claim, part) = folder.lay("OK", Way::GoOn).unwrap();
        assert_eq!(part, Part::Begun);
        drop(claim);
        fs::write(folder.at("out"), "another's").unwrap();
        let refused = folder.lay("OK", Way::GoOn).unwrap_err();
        assert_eq!(refused, "out has changed since out.part was begun");
        let (claim, part) = folder.lay("ERROR", Way::Anew).unwrap();
        assert_eq!(part, Part::None);
        drop(claim);
        assert_eq!(folder.names(), ["out"]);
    }

    #[test]
    fn what_is_not_ours_stays() {
        for name in ["out.part", "out.part.state"] {
            for way in [Way::New, Way::Anew, Way::GoOn] {
                let folder = Folder::new();
                fs::write(folder.at(name), "mine").unwrap();
                let refused = folder.lay("OK", way).unwrap_err();
                assert!(
                    refused.starts_with(&format!("{name} is in the way")),
                    "{refused}"
                );
                assert_eq!(fs::read_to_string(folder.at(name)).unwrap(), "mine");
                assert_eq!(folder.names(), [name]);
            }
        }
    }

    #[test]
    fn what_is_left_of_a_claim_alone_is_taken_over() {
        let folder = Folder::new();
        folder.stop(Way::New);
        fs::remove_file(folder.at("out.part")).unwrap();
        let (_claim, part) = folder.lay("ERROR", Way::New).unwrap();
        assert_eq!(part, Part::None);
    }
}
