//! Files by their paths: opened without waiting, and written such that they appear whole or not at all.

use crate::base::{Error, ErrorKind, Escaped, Result};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind as IoKind, Write as _};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The path that these bytes name, as the system takes them.
pub fn path_of(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

/// Opens a file for reading, without waiting for somebody who writes to what turns out to be a pipe.
pub(in crate::sys) fn open_without_waiting(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// Reads from this place of a file on; how much there was.
pub(in crate::sys) fn read_at(file: &File, from: usize, to: &mut [u8]) -> std::io::Result<usize> {
    let mut done = 0;
    while done < to.len() {
        match file.read_at(&mut to[done..], (from + done) as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(error) if error.kind() == IoKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The error for what could not be done with a file.
#[cold]
pub(in crate::sys) fn file_error(doing: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::System, format!("{doing} `{}`: {error}", Escaped(&path.to_string_lossy())))
}

/// Writes a file: first under another name in the same folder, then renamed, so that whoever reads it finds the old
/// one, none, or the whole new one, which has the permissions of the old one. Links are followed. What is no regular
/// file (a device, a pipe) is opened and written, and stays what it is.
///
/// # Errors
/// [`ErrorKind::System`]; a file that was there stays.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: std::io::Error| file_error("writing", path, &error);
    let (path, old) = followed(path).map_err(failed)?;
    if old.as_ref().is_some_and(|old| !old.is_file()) {
        return OpenOptions::new().write(true).open(&path).and_then(|mut to| to.write_all(bytes)).map_err(failed);
    }
    let (mut file, temporary) = new_beside(&path).map_err(failed)?;
    let written = (|| {
        if let Some(old) = &old {
            // Whose it was is kept where the system lets us.
            let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
            file.set_permissions(old.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()
    })();
    drop(file);
    written.and_then(|()| std::fs::rename(&temporary, &path)).map_err(|error| {
        // It may be gone already; there is nothing better to do about it.
        let _ = std::fs::remove_file(&temporary);
        failed(error)
    })
}

/// Where a path leads by its last name's links, and what is there, if anything is.
fn followed(path: &Path) -> std::io::Result<(PathBuf, Option<Metadata>)> {
    /// As many as the system follows.
    const MAX_LINKS: usize = 40;
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let about = match std::fs::symlink_metadata(&path) {
            Ok(about) => about,
            Err(error) if error.kind() == IoKind::NotFound => return Ok((path, None)),
            Err(error) => return Err(error),
        };
        if !about.is_symlink() {
            return Ok((path, Some(about)));
        }
        // Links of the system's own, as those to open files, are more than the path that they tell.
        if let Ok(about) = std::fs::metadata(&path)
            && !about.is_file()
        {
            return Ok((path, Some(about)));
        }
        path = path.parent().unwrap_or(Path::new("")).join(std::fs::read_link(&path)?);
    }
    Err(std::io::Error::from_raw_os_error(libc::ELOOP))
}

/// A new file of a name that nobody has, in the folder of `path`.
pub(super) fn new_beside(path: &Path) -> std::io::Result<(File, PathBuf)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if path.file_name().is_none() {
        return Err(std::io::Error::new(IoKind::InvalidInput, "the path has no file name"));
    }
    loop {
        // Short, whatever the file's own name is: names have a longest.
        let name = format!(".stepwell-{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let temporary = folder.join(name);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((file, temporary)),
            // Of a process that had this number, and died.
            Err(error) if error.kind() == IoKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// A descriptor of ours for what the host has under this number.
///
/// # Errors
/// [`ErrorKind::System`](crate::base::ErrorKind::System) where nothing is open under it.
pub fn duplicate(number: i32) -> Result<OwnedFd> {
    // SAFETY: plain numbers; one that is not open is an error.
    let ours = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) };
    if ours < 0 {
        return Err(Error::last_os_error("duplicating a descriptor"));
    }
    // SAFETY: it was just made, for us.
    Ok(unsafe { OwnedFd::from_raw_fd(ours) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_replaced() {
        use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
        let folder = std::env::temp_dir().join(format!("stepwell-written-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("sub")).unwrap();
        let file = |name: &str| folder.join(name);
        let mode = |name: &str| std::fs::metadata(file(name)).unwrap().permissions().mode() & 0o7777;
        // A file keeps its mode, links lead to it, and stay links; what they lead to may be absent.
        std::fs::write(file("sub/plain"), b"old").unwrap();
        std::fs::set_permissions(file("sub/plain"), std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink("sub/plain", file("link")).unwrap();
        symlink("link", file("second")).unwrap();
        symlink("sub/absent", file("dangling")).unwrap();
        symlink("around", file("around")).unwrap();
        write_whole(&file("second"), b"new").unwrap();
        write_whole(&file("dangling"), b"new").unwrap();
        assert!(write_whole(&file("around"), b"new").unwrap_err().message().contains("around"));
        for (name, link) in [("sub/plain", "link"), ("sub/plain", "second"), ("sub/absent", "dangling")] {
            assert_eq!(std::fs::read(file(name)).unwrap(), b"new");
            assert!(std::fs::symlink_metadata(file(link)).unwrap().is_symlink(), "{link}");
        }
        assert_eq!(mode("sub/plain"), 0o640);
        // A pipe, by its name and by a link, and a device, where we may make one (the zero device's numbers).
        let path = std::ffi::CString::new(file("pipe").as_os_str().as_bytes()).unwrap();
        // SAFETY: the path is NUL-terminated.
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
        symlink("pipe", file("to-pipe")).unwrap();
        for name in ["pipe", "to-pipe"] {
            let reader = std::thread::spawn({
                let pipe = file("pipe");
                move || std::fs::read(pipe).unwrap()
            });
            write_whole(&file(name), b"through").unwrap();
            assert_eq!(reader.join().unwrap(), b"through");
            assert!(std::fs::metadata(file("pipe")).unwrap().file_type().is_fifo());
        }
        let path = std::ffi::CString::new(file("device").as_os_str().as_bytes()).unwrap();
        // SAFETY: as above.
        if unsafe { libc::mknod(path.as_ptr(), libc::S_IFCHR | 0o600, libc::makedev(1, 5)) } == 0 {
            // Where the folder's file system lets no device be opened, that is the error.
            let _ = write_whole(&file("device"), b"swallowed");
            assert!(std::fs::metadata(file("device")).unwrap().file_type().is_char_device());
        }
        assert!(write_whole(&file("sub"), b"x").is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
