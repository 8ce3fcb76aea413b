//! A folder of files that may be thrown away: each is written under another name and renamed, so that it is there whole
//! or not at all, whoever else writes to the folder; and what was used longest ago goes when there is too much. What
//! the files are is for `runtime/`. A machine that loses its power may leave a damaged one: who reads them must notice.

use super::files::{file_error, new_beside};
use crate::base::{Error, ErrorKind, Escaped, Result};
use std::fs::{DirBuilder, FileTimes, OpenOptions};
use std::io::{ErrorKind as IoKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How the names of such files end.
const ENDING: &str = ".stepwell";

/// What a file that is being written ends with: see [`new_beside`].
const UNFINISHED: &str = ".tmp";

/// After so long, who was writing a file is gone.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Others than the owner may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Such a folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    max_bytes: u64,
}

impl Folder {
    /// The folder of this path, which is made if there is none, for the user alone.
    ///
    /// # Errors
    /// [`ErrorKind::System`] where it cannot be made, is none, or where others than this user and root may have written
    /// to it.
    pub fn open(path: &Path, max_bytes: u64) -> Result<Folder> {
        let failed = |error: std::io::Error| file_error("opening the cache", path, &error);
        // One that is there keeps its mode.
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        // Another folder may become the working one.
        let path = std::fs::canonicalize(path).map_err(failed)?;
        let about = std::fs::metadata(&path).map_err(failed)?;
        // SAFETY: it only tells.
        let user = unsafe { libc::geteuid() };
        let refused = |what: &str| {
            let shown = path.to_string_lossy();
            let message = format!(
                "the cache `{}` {what}: what is in it is machine code, and trusted as a shared library is",
                Escaped(&shown)
            );
            Err(Error::new(ErrorKind::System, message))
        };
        if about.uid() != user && about.uid() != 0 {
            return refused("belongs to another user");
        }
        if about.mode() & WRITABLE_BY_OTHERS != 0 {
            return refused("may be written to by others (take that from its mode: `chmod go-w`)");
        }
        Ok(Folder { path, max_bytes })
    }

    /// Where a file of this name is, if it is there; it counts as used now.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        let path = self.file(name);
        let about = std::fs::symlink_metadata(&path).ok().filter(|about| about.is_file())?;
        // A folder that may only be read has nothing thrown away.
        let open = OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW).open(&path);
        if let Ok(file) = open
            && about.len() > 0
        {
            let _ = file.set_times(FileTimes::new().set_modified(SystemTime::now()));
        }
        Some(path)
    }

    /// Writes a file of this name, in the place of one that is there, and throws away what is too much, but not this.
    /// How many files that were; none, and nothing is written, where this alone is too much.
    ///
    /// # Errors
    /// [`ErrorKind::System`]; what was there stays.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<usize> {
        if bytes.len() as u64 > self.max_bytes {
            return Ok(0);
        }
        let path = self.file(name);
        let failed = |error: std::io::Error| file_error("writing", &path, &error);
        let (mut file, temporary) = new_beside(&path).map_err(failed)?;
        let written = file.write_all(bytes).and_then(|()| {
            file.set_times(FileTimes::new().set_modified(SystemTime::now()))?;
            std::fs::rename(&temporary, &path)
        });
        if let Err(error) = written {
            let _ = std::fs::remove_file(&temporary);
            return Err(failed(error));
        }
        self.trim(&path).map_err(|error| file_error("looking through the cache", &self.path, &error))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{ENDING}"))
    }

    /// Throws away what is too much, what was used longest ago first, but for `newest`. Other processes may do the same
    /// at the same time.
    fn trim(&self, newest: &Path) -> std::io::Result<usize> {
        let now = SystemTime::now();
        let (mut files, mut total) = (Vec::new(), 0u64);
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // It may have gone since.
            let Ok(about) = entry.metadata() else { continue };
            if !about.is_file() {
                continue;
            }
            let used = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if name.starts_with(".stepwell-") && name.ends_with(UNFINISHED) {
                if now.duration_since(used).is_ok_and(|age| age > ABANDONED) {
                    let _ = std::fs::remove_file(entry.path());
                }
            } else if name.ends_with(ENDING) {
                total += about.len();
                files.push((used, about.len(), entry.path()));
            }
        }
        files.sort();
        let mut thrown = 0;
        for (_, len, path) in files.iter().filter(|(_, _, path)| path != newest) {
            if total <= self.max_bytes {
                break;
            }
            match std::fs::remove_file(path) {
                Ok(()) => thrown += 1,
                // Somebody else has done it.
                Err(error) if error.kind() == IoKind::NotFound => {}
                Err(error) => return Err(error),
            }
            total -= len;
        }
        Ok(thrown)
    }
}

/// For tests: has a file been used so long ago.
#[cfg(test)]
fn age(path: &Path, seconds: u64) {
    let then = SystemTime::now() - Duration::from_secs(seconds);
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_times(FileTimes::new().set_modified(then)).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// A path that nothing is at.
    fn fresh(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("stepwell-cache-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn what_was_used_longest_ago_goes() {
        let path = fresh("size");
        let folder = Folder::open(&path.join("a/b"), 100).unwrap();
        assert_eq!(std::fs::metadata(path.join("a/b")).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(folder.find("x").is_none());
        for (i, name) in ["x", "y", "z"].into_iter().enumerate() {
            assert_eq!(folder.put(name, &[7; 30]).unwrap(), 0);
            age(&folder.file(name), 100 - i as u64);
        }
        // Others' files are nobody's business; what somebody has not finished is thrown away when he must be gone.
        std::fs::write(folder.path.join("notes.txt"), [0; 1000]).unwrap();
        for (name, seconds) in [(".stepwell-1-1.tmp", 10), (".stepwell-1-2.tmp", 7200)] {
            std::fs::write(folder.path.join(name), [0; 1000]).unwrap();
            age(&folder.path.join(name), seconds);
        }
        assert!(folder.find("x").is_some(), "x is used again");
        assert_eq!(folder.put("v", &[1; 101]).unwrap(), 0);
        assert!(folder.find("v").is_none(), "more than all that is allowed");
        assert_eq!(folder.put("w", &[1; 40]).unwrap(), 1);
        let there = |name: &str| folder.file(name).exists();
        assert_eq!(["x", "y", "z", "w"].map(there), [true, false, true, true]);
        assert_eq!(folder.put("u", &[1; 100]).unwrap(), 3);
        assert_eq!(["x", "z", "w", "u"].map(there), [false, false, false, true]);
        let left = [".stepwell-1-1.tmp", ".stepwell-1-2.tmp", "notes.txt"].map(|name| folder.path.join(name).exists());
        assert_eq!(left, [true, false, true]);
        std::fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn a_folder_of_others_is_not_used() {
        let path = fresh("others");
        std::fs::create_dir(&path).unwrap();
        for (mode, used) in [(0o755, true), (0o775, false), (0o757, false), (0o700, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let opened = Folder::open(&path, 100);
            assert_eq!(opened.is_ok(), used, "{mode:o}");
            assert!(opened.err().is_none_or(|error| error.message().contains("chmod go-w")));
        }
        std::fs::write(path.join("file"), b"").unwrap();
        for wrong in [path.join("file"), path.join("file/inside")] {
            assert_eq!(Folder::open(&wrong, 100).unwrap_err().kind(), ErrorKind::System);
        }
        // What is no file is nothing that was kept.
        let folder = Folder::open(&path, 100).unwrap();
        std::fs::create_dir(folder.file("folder")).unwrap();
        std::os::unix::fs::symlink("file", folder.file("link")).unwrap();
        assert!(folder.find("folder").is_none() && folder.find("link").is_none());
        assert!(folder.put("folder", b"x").is_err());
        folder.put("link", b"x").unwrap();
        assert_eq!(std::fs::read(path.join("file")).unwrap(), b"", "links are replaced, not followed");
        assert!(!path.read_dir().unwrap().any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(".tmp")));
        std::fs::remove_dir_all(&path).unwrap();
        assert!(folder.put("gone", b"x").is_err());
    }
}
