//! A file on its way to its place, or a stream that is written into.

#[cfg(unix)]
use std::fs::Permissions;
use std::fs::{self, File, Metadata};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::place::folder_of;
use super::unfinished::{Leftover, Unfinished};
use super::{Claim, Place, cannot, sync, sync_folder, told};
use crate::error::CommandError;
use crate::parallel;

const BUFFER: usize = 1 << 16;
/// Files that are waited for at the same time.
const AT_ONCE: usize = 32;

/// What becomes of a file whose place is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It is replaced.
    Replaced,
    /// It stays, even one that came in the meantime.
    Kept,
}

/// A file that a command writes.
pub(crate) struct Target {
    place: Place,
    kind: Kind,
}

enum Kind {
    /// Takes its place at the end.
    Draft {
        out: BufWriter<File>,
        path: PathBuf,
        existing: Existing,
        /// What keeps it from being left behind. A part is kept by its claim.
        unfinished: Option<Unfinished>,
    },
    /// Nothing can take the place of it.
    Stream(BufWriter<File>),
}

impl Target {
    /// Begins to write, so that a path that cannot be written to is found out
    /// before the work is done. What is there will be replaced.
    ///
    /// # Errors
    /// When the path cannot be written to.
    pub(crate) fn create(path: &Path) -> Result<Self, CommandError> {
        Self::at(Place::find(path)?, Existing::Replaced)
    }

    /// Begins to write at a place.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub(crate) fn at(place: Place, existing: Existing) -> Result<Self, CommandError> {
        let begin = || {
            if place.is_stream() {
                let out = BufWriter::with_capacity(BUFFER, place.open()?);
                return Ok(Kind::Stream(out));
            }
            let (file, unfinished) = beside(&place)?;
            Ok(Kind::Draft {
                out: BufWriter::with_capacity(BUFFER, file),
                path: unfinished.path().to_owned(),
                existing,
                unfinished: Some(unfinished),
            })
        };
        match begin() {
            Ok(kind) => Ok(Self { place, kind }),
            Err(error) => Err(cannot("write", &place.named, &error)),
        }
    }

    /// Goes on at the end of a part, which stays if it is not finished.
    pub(super) fn of_part(place: Place, file: File, path: PathBuf, existing: Existing) -> Self {
        let kind = Kind::Draft {
            out: BufWriter::with_capacity(BUFFER, file),
            path,
            existing,
            unfinished: None,
        };
        Self { place, kind }
    }

    /// Puts what was written in its place.
    ///
    /// # Errors
    /// Those of writing; what was there before then stays.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.end(None)
    }

    /// The same for what was claimed, which is free again at the same moment.
    ///
    /// # Errors
    /// As for [`Target::finish`].
    pub(crate) fn finish_claimed(self, claim: Claim) -> io::Result<()> {
        self.end(Some(claim))
    }

    fn end(mut self, claim: Option<Claim>) -> io::Result<()> {
        self.flush()?;
        self.sync()?;
        let folder = folder_of(&self.place.real).to_owned();
        self.take_place(claim)?;
        sync_folder(&folder);
        Ok(())
    }

    /// The same for several in one folder, which reach the disk together: that is much
    /// quicker than one after the other. A file that came there in the meantime stays.
    ///
    /// # Errors
    /// As for [`Target::finish`].
    pub(crate) fn finish_all(mut targets: Vec<Self>) -> io::Result<()> {
        let Some(first) = targets.first() else {
            return Ok(());
        };
        let folder = folder_of(&first.place.real).to_owned();
        targets.iter_mut().try_for_each(Write::flush)?;
        parallel::for_each_in_order(AT_ONCE, &targets, Self::sync, |_, synced| synced)?;
        for target in targets {
            match target.take_place(None) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                taken => taken?,
            }
        }
        sync_folder(&folder);
        Ok(())
    }

    /// Waits until all is on the disk.
    fn sync(&self) -> io::Result<()> {
        match &self.kind {
            Kind::Draft { out, .. } => self.told(sync(out.get_ref())),
            Kind::Stream(_) => Ok(()),
        }
    }

    fn take_place(self, claim: Option<Claim>) -> io::Result<()> {
        let Kind::Draft {
            path,
            existing,
            unfinished,
            ..
        } = self.kind
        else {
            return Ok(());
        };
        let put = || put(&path, &self.place.real, existing);
        let taken = match (unfinished, claim) {
            (Some(unfinished), _) => unfinished.finish(put),
            (None, Some(claim)) => claim.finish(put),
            (None, None) => put(),
        };
        taken.map_err(|error| told("write", &self.place.named, &error))
    }

    fn out(&mut self) -> &mut BufWriter<File> {
        match &mut self.kind {
            Kind::Draft { out, .. } | Kind::Stream(out) => out,
        }
    }

    fn told<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        outcome.map_err(|error| told("write", &self.place.named, &error))
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out().write(bytes);
        self.told(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.out().flush();
        self.told(flushed)
    }
}

/// Gives a file the name that it is to have.
fn put(from: &Path, to: &Path, existing: Existing) -> io::Result<()> {
    match existing {
        Existing::Replaced => fs::rename(from, to),
        Existing::Kept => rename_to_new(from, to),
    }
}

/// Renames a file, and replaces none.
pub(super) fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    let Err(failed) = TempPath::try_from_path(from)?.persist_noclobber(to) else {
        return Ok(());
    };
    let (error, from) = (failed.error, failed.path.keep());
    let is_impossible = matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput
    );
    // Not every file system can do that at once.
    match (from, fs::symlink_metadata(to)) {
        (Ok(from), Err(gone)) if is_impossible && gone.kind() == io::ErrorKind::NotFound => {
            fs::rename(from, to)
        }
        _ => Err(error),
    }
}

/// Makes a new file with the permissions that files have, and not those of a temporary one.
pub(super) fn open_to_others(builder: &mut tempfile::Builder<'_, '_>) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Less what the user's mask takes away.
        builder.permissions(Permissions::from_mode(0o666));
    }
}

/// A new file beside the place, since only within a folder one file can take
/// another's place at once.
pub(super) fn beside(place: &Place) -> io::Result<(File, Unfinished)> {
    Unfinished::make(|| {
        let replaced = place.file();
        let mut builder = tempfile::Builder::new();
        builder.prefix(".mlt-");
        if replaced.is_none() {
            open_to_others(&mut builder);
        }
        let made = builder.tempfile_in(folder_of(&place.real))?;
        if let Some(replaced) = replaced {
            dress(made.as_file(), replaced)?;
        }
        let (file, path) = made.keep().map_err(|failed| failed.error)?;
        Ok((file, Leftover { path, part: None }))
    })
}

/// Gives a file the owner and the permissions of the one that it will replace. Who
/// cannot be given the file does not get to read it as the owner's group either.
#[cfg(unix)]
fn dress(file: &File, like: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    let own = file.metadata()?;
    let mut mode = like.mode() & 0o777;
    if (own.uid(), own.gid()) != (like.uid(), like.gid())
        && fchown(file, Some(like.uid()), Some(like.gid())).is_err()
        && own.gid() != like.gid()
        && fchown(file, None, Some(like.gid())).is_err()
    {
        mode &= 0o707;
    }
    file.set_permissions(Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn dress(file: &File, like: &Metadata) -> io::Result<()> {
    file.set_permissions(like.permissions())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn replace(path: &Path) {
        let mut target = Target::create(path).unwrap();
        target.write_all(b"new").unwrap();
        target.finish().unwrap();
    }

    #[test]
    fn a_file_is_replaced_at_the_end_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        fs::write(&path, "old").unwrap();
        let mut target = Target::create(&path).unwrap();
        target.write_all(b"new").unwrap();
        target.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        target.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(folder.path()), ["page.html"]);
    }

    #[test]
    fn what_is_given_up_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mut target = Target::create(&folder.path().join("page.html")).unwrap();
        target.write_all(b"half").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        drop(target);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_file_that_came_in_the_meantime_stays_where_none_is_to_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        let place = Place::find(&path).unwrap();
        let mut target = Target::at(place, Existing::Kept).unwrap();
        target.write_all(b"new").unwrap();
        fs::write(&path, "another's").unwrap();
        let error = target.finish().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
        assert_eq!(names(folder.path()), ["page.html"]);
    }

    #[test]
    fn many_take_their_places_together() {
        let folder = tempfile::tempdir().unwrap();
        let begin = |number: usize| {
            let place = Place::find(&folder.path().join(number.to_string())).unwrap();
            let mut target = Target::at(place, Existing::Kept).unwrap();
            write!(target, "{number}").unwrap();
            target
        };
        let targets = (0..40).map(begin).collect();
        fs::write(folder.path().join("7"), "another's").unwrap();
        Target::finish_all(targets).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 40);
        let text = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(text("39"), "39");
        assert_eq!(text("7"), "another's");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "old").unwrap();
        for mode in [0o600, 0o640, 0o666] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let _ = symlink(&path, &link);
            let target = Target::create(&link).unwrap();
            for name in names(folder.path()) {
                let file = fs::metadata(folder.path().join(&name)).unwrap();
                let wider = file.permissions().mode() & 0o777 & !mode;
                assert_eq!(wider, 0, "{name} can be read by more than before");
            }
            drop(target);
            replace(&link);
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(&path).unwrap(), "new");
            let kept = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(kept, mode);
        }
    }

    #[cfg(unix)]
    #[test]
    fn devices_take_a_stream_and_stay() {
        replace(Path::new("/dev/null"));
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        replace(&link);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(names(folder.path()), ["link"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_told_of_in_one_sentence() {
        let mut target = Target::create(Path::new("/dev/full")).unwrap();
        target.write_all(b"new").unwrap();
        let error = target.finish().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot write /dev/full: the disk is full"
        );
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
