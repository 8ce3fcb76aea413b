//! Bytes from outside that cannot change any more: copied once into a sealed `memfd` that is mapped for reading, or, where the
//! system refuses that, into plain memory. A mapped file could be truncated or rewritten under us; these cannot. Texts among
//! them are mapped executable from where they are. And the other way: files that appear whole or not at all. What the bytes mean is
//! not this room's concern.

use super::memfd::SealedFile;
use super::pages::{PAGE_SIZE, unmap};
use super::text::{TextBacking, TextImage};
use crate::base::{Error, ErrorKind, Escaped, Result};
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind as IoKind, Read as _, Write as _};
use std::ops::{Deref, Range};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that nobody can change.
#[derive(Debug)]
pub struct SealedBytes(Kept);

#[derive(Debug)]
enum Kept {
    /// Bytes of a sealed file, mapped for reading at this address; the file itself as long as texts are to come from it.
    Mapped { base: usize, len: usize, file: Option<Arc<SealedFile>> },
    /// A copy in plain memory.
    Plain(Vec<u8>),
}

impl SealedBytes {
    /// A copy of these bytes.
    ///
    /// # Errors
    /// [`ErrorKind::System`] where there is no memory for them.
    pub fn copy_of(bytes: &[u8], wanted: TextBacking) -> Result<SealedBytes> {
        if wanted == TextBacking::Memfd
            && !bytes.is_empty()
            && let Some(file) = SealedFile::filled(|file| file.write(bytes))?
        {
            return SealedBytes::map(file, bytes.len());
        }
        Ok(SealedBytes(Kept::Plain(bytes.to_vec())))
    }

    /// A copy of a file's contents, as they are now.
    ///
    /// # Errors
    /// [`ErrorKind::System`] for what cannot be read, or is no file.
    pub fn read(path: &Path, wanted: TextBacking) -> Result<SealedBytes> {
        let failed = |error: std::io::Error| file_error("reading", path, &error);
        // Not to wait for somebody who writes to what turns out to be a pipe.
        let mut file = open_without_waiting(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() {
            return Err(Error::new(ErrorKind::System, format!("reading `{}`: it is no regular file", path.display())));
        }
        if wanted == TextBacking::Memfd && about.len() > 0 {
            let mut len = 0;
            let sealed = SealedFile::filled(|sealed| {
                // Between two files, the kernel does the copying.
                len = std::io::copy(&mut file, &mut sealed.writer()?).map_err(failed)?;
                Ok(())
            })?;
            if let Some(sealed) = sealed.filter(|_| len > 0) {
                return SealedBytes::map(sealed, len as usize);
            }
            file = open_without_waiting(path).map_err(failed)?;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        Ok(SealedBytes(Kept::Plain(bytes)))
    }

    fn map(file: SealedFile, len: usize) -> Result<SealedBytes> {
        let base = file.map_readable(len)?;
        Ok(SealedBytes(Kept::Mapped { base, len, file: Some(Arc::new(file)) }))
    }

    /// Where they are.
    pub fn backing(&self) -> TextBacking {
        match self.0 {
            Kept::Mapped { .. } => TextBacking::Memfd,
            Kept::Plain(_) => TextBacking::Anonymous,
        }
    }

    /// A text among them, not empty. From a sealed file it is taken as it is if it begins at a page; else it is copied.
    ///
    /// # Panics
    /// When the range does not lie in the bytes.
    pub fn text(&self, range: Range<usize>) -> Result<TextImage> {
        match &self.0 {
            Kept::Mapped { file: Some(file), len, .. }
                if range.start.is_multiple_of(PAGE_SIZE) && !range.is_empty() =>
            {
                assert!(range.end <= *len, "a text beyond the bytes");
                Ok(TextImage::in_file(file.clone(), range.start, range.len()))
            }
            _ => TextImage::with_backing(&mut self[range].to_vec(), self.backing()),
        }
    }

    /// Lets the file go, of which a process has few. Texts that were taken from it hold it on.
    pub fn close(&mut self) {
        if let Kept::Mapped { file, .. } = &mut self.0 {
            *file = None;
        }
    }
}

impl Deref for SealedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            // SAFETY: the mapping is readable, that long, and lives as long as this; the file behind it is sealed, so nobody
            // can change or shorten it.
            Kept::Mapped { base, len, .. } => unsafe { std::slice::from_raw_parts(*base as *const u8, *len) },
            Kept::Plain(bytes) => bytes,
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Kept::Mapped { base, len, .. } = self {
            // SAFETY: the mapping is ours; its owner is gone.
            unsafe { unmap(*base, *len) };
        }
    }
}

/// The path that these bytes name, as the system takes them.
pub fn path_of(bytes: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(bytes))
}

fn open_without_waiting(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

#[cold]
fn file_error(doing: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::System, format!("{doing} `{}`: {error}", Escaped(&path.to_string_lossy())))
}

/// Writes a file: first under another name in the same folder, then renamed, so that whoever reads it finds the old one, none, or
/// the whole new one, which has the permissions of the old one. Links are followed. What is no regular file (a device, a pipe) is opened
/// and written, and stays what it is.
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
fn new_beside(path: &Path) -> std::io::Result<(File, PathBuf)> {
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

#[cfg(test)]
mod tests {
    use super::super::faults;
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

    #[test]
    fn bytes_stay_what_they_were() {
        let folder = std::env::temp_dir().join(format!("stepwell-sealed-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("bytes");
        let bytes: Vec<u8> = (0..3 * PAGE_SIZE + 5).map(|i| (i * 7) as u8).collect();
        write_whole(&path, b"old").unwrap();
        write_whole(&path, &bytes).unwrap();
        for wanted in [TextBacking::Memfd, TextBacking::Anonymous] {
            let mut read = SealedBytes::read(&path, wanted).unwrap();
            let mut copied = SealedBytes::copy_of(&bytes, wanted).unwrap();
            assert_eq!((read.backing(), copied.backing()), (wanted, wanted));
            for range in [PAGE_SIZE..2 * PAGE_SIZE + 9, 5..77, 2 * PAGE_SIZE..bytes.len()] {
                let text = read.text(range.clone()).unwrap();
                assert_eq!(text.to_vec().unwrap(), bytes[range.clone()]);
                assert_eq!(text.map_exec().unwrap().to_vec(), bytes[range]);
            }
            let text = read.text(0..PAGE_SIZE).unwrap();
            [&mut read, &mut copied].into_iter().for_each(SealedBytes::close);
            std::fs::write(&path, b"other").unwrap();
            assert_eq!((&*read, &*copied), (&*bytes, &*bytes));
            drop((read, copied));
            assert_eq!(text.map_exec().unwrap().to_vec(), bytes[..PAGE_SIZE]);
            std::fs::write(&path, &bytes).unwrap();
        }
        {
            let _refused = faults::refuse_memfd();
            let read = SealedBytes::read(&path, TextBacking::Memfd).unwrap();
            assert_eq!((read.backing(), &*read), (TextBacking::Anonymous, &*bytes));
        }
        std::fs::write(&path, b"").unwrap();
        assert!(SealedBytes::read(&path, TextBacking::Memfd).unwrap().is_empty());
        assert!(SealedBytes::copy_of(b"", TextBacking::Memfd).unwrap().is_empty());
        for (wrong, says) in [(folder.as_path(), "no regular file"), (&folder.join("nobody"), "No such file")] {
            let error = SealedBytes::read(wrong, TextBacking::Memfd).unwrap_err();
            assert!(error.kind() == ErrorKind::System && error.message().contains(says), "{error}");
        }
        for wrong in [folder.as_path(), &folder.join("nowhere/file"), Path::new("/")] {
            assert_eq!(write_whole(wrong, b"x").unwrap_err().kind(), ErrorKind::System);
        }
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left lying about");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
