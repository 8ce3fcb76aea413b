//! Files in memory that machine code and bytes from outside live in: written once, then sealed, so that nobody can
//! change them.

use super::errors::last_error;
use super::files::read_at;
use super::memory::{limit, map, unmap};
use crate::base::{Error, ErrorKind, Result};
use crate::isa::PAGE_SIZE;
use crate::sys::faults;
use region::Protection;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

/// A `memfd` that can no longer change.
#[derive(Debug)]
pub(in crate::sys) struct SealedFile {
    fd: libc::c_int,
    /// Where `fd` stands in its file, which is read and written at offsets alone: no other stands there. A host that
    /// closes descriptors that are not its own (as daemons do) must not make us execute, or show a guest, whatever file
    /// gets the number next. To ask for the position takes a third of the time that it takes to ask which file it is.
    /// `None` while nobody else knows of it.
    position: Option<i64>,
    /// That it is one of [`DATA_FILES`].
    counted: Option<Counted>,
}

/// How many files of data there are, each for as long as a module lives.
static DATA_FILES: AtomicUsize = AtomicUsize::new(0);

/// One of them.
#[derive(Debug)]
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        DATA_FILES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where the next file stands: where nobody reads. ("step", and a number)
static NEXT_POSITION: AtomicI64 = AtomicI64::new(0x7374_6570_0000_0000);

impl SealedFile {
    /// A sealed file of `bytes`, or `None` where the system does not let us have one.
    pub(in crate::sys) fn new(bytes: &[u8]) -> Result<Option<SealedFile>> {
        SealedFile::filled(|file| file.write(bytes))
    }

    /// A sealed file of what `fill` writes to it, or `None` where the system does not let us have one.
    pub(in crate::sys) fn filled(fill: impl FnOnce(&SealedFile) -> Result<()>) -> Result<Option<SealedFile>> {
        let Some(mut file) = SealedFile::create(Holds::Code)? else {
            return Ok(None);
        };
        fill(&file)?;
        if !file.seal() {
            return Ok(None);
        }
        file.take_position()?;
        match file.map(0, PAGE_SIZE, Protection::READ_EXECUTE) {
            // SAFETY: the mapping just made.
            Ok(probe) => unsafe { unmap(probe, PAGE_SIZE) },
            Err(error) if last_error() == libc::ENOMEM => return Err(error),
            Err(_) => return Ok(None),
        }
        Ok(Some(file))
    }

    /// A sealed file of `len` bytes that are not executed, zero where `fill` writes nothing: pages that nothing was
    /// written to take no memory before somebody looks at them. `None` where the system does not let us have one, and
    /// where there are as many as may be: a quarter of the descriptors of the process.
    pub(in crate::sys) fn sparse(
        len: usize,
        fill: impl FnOnce(&SealedFile) -> Result<()>,
    ) -> Result<Option<SealedFile>> {
        let most = limit(libc::RLIMIT_NOFILE).map_or(usize::MAX, |files| files as usize / 4);
        if DATA_FILES.fetch_add(1, Ordering::Relaxed) >= most {
            DATA_FILES.fetch_sub(1, Ordering::Relaxed);
            return Ok(None);
        }
        let counted = Counted;
        let Some(mut file) = SealedFile::create(Holds::Data)? else {
            return Ok(None);
        };
        file.counted = Some(counted);
        // SAFETY: a call on a descriptor of our own.
        if unsafe { libc::ftruncate(file.fd, len as libc::off_t) } != 0 {
            return Err(Error::last_os_error("ftruncate of a memfd"));
        }
        fill(&file)?;
        if !file.seal() {
            return Ok(None);
        }
        file.take_position()?;
        Ok(Some(file))
    }

    fn create(holds: Holds) -> Result<Option<SealedFile>> {
        Ok(create_memfd(holds)?.map(|fd| SealedFile { fd, position: None, counted: None }))
    }

    /// A file of `bytes` to be mapped and let go at once, or `None` where the system does not let us have one.
    pub(in crate::sys) fn passing(bytes: &[u8]) -> Result<Option<SealedFile>> {
        let Some(mut file) = SealedFile::create(Holds::Code)? else {
            return Ok(None);
        };
        file.write(bytes)?;
        file.take_position()?;
        Ok(Some(file))
    }

    /// Maps `len` bytes from `at` on, a page multiple, wherever the system likes; the address. Writes do not reach the
    /// file.
    fn map(&self, at: usize, len: usize, protection: Protection) -> Result<usize> {
        // SAFETY: without MAP_FIXED no existing mapping is touched.
        unsafe { map(0, len, protection, 0, (self.fd, at)) }
    }

    /// Maps `len` bytes from `at` on, a page multiple, executable; the address.
    pub(in crate::sys) fn map_executable(&self, at: usize, len: usize) -> Result<usize> {
        self.map(at, len, Protection::READ_EXECUTE)
    }

    /// The same in the place of what is at `start`.
    ///
    /// # Safety
    /// The range belongs to the caller, and what is there is not needed.
    pub(in crate::sys) unsafe fn map_executable_at(&self, start: usize, at: usize, len: usize) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { map(start, len, Protection::READ_EXECUTE, libc::MAP_FIXED, (self.fd, at)).map(drop) }
    }

    /// The same, of pages that others may be executing: they find, at each moment, the old ones or these. No lock is
    /// taken and nothing allocated. False where the system refuses.
    ///
    /// # Safety
    /// As [`SealedFile::map_executable_at`].
    pub(in crate::sys) unsafe fn put_executable_at(&self, start: usize, at: usize, len: usize) -> bool {
        let protection = libc::PROT_READ | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE | libc::MAP_FIXED;
        // SAFETY: the caller's promise.
        let put =
            || unsafe { libc::mmap(start as *mut libc::c_void, len, protection, flags, self.fd, at as libc::off_t) };
        !faults::fails() && self.is_ours() && put() != libc::MAP_FAILED
    }

    /// Maps `len` bytes from `at` on, a page multiple, readable and writable in the place of what is at `start`. Writes
    /// do not reach the file: a page that is written becomes the mapping's own. False, and nothing done, where the host
    /// has closed the descriptor.
    ///
    /// # Safety
    /// The range belongs to the caller, and what is there is not needed.
    pub(in crate::sys) unsafe fn map_copied_at(&self, start: usize, at: usize, len: usize) -> Result<bool> {
        if !self.is_ours() {
            return Ok(false);
        }
        // SAFETY: the caller's promise.
        unsafe { map(start, len, Protection::READ_WRITE, libc::MAP_FIXED, (self.fd, at))? };
        Ok(true)
    }

    /// Makes it a file that nobody can change; false where the system refuses.
    fn seal(&self) -> bool {
        let others = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // `F_SEAL_WRITE` waits, milliseconds at times, until nothing in the kernel holds a page of the file. All that
        // can hold one here is reading: the file is ours alone, and was never mapped writable. So to forbid future
        // writes (Linux 5.1) is as much.
        [libc::F_SEAL_FUTURE_WRITE, libc::F_SEAL_WRITE].into_iter().any(|write| {
            // SAFETY: fcntl on a descriptor of our own, with an integer argument.
            unsafe { libc::fcntl(self.fd, libc::F_ADD_SEALS, others | write) == 0 }
        })
    }

    /// Writes its contents, before it is sealed.
    pub(in crate::sys) fn write(&self, bytes: &[u8]) -> Result<()> {
        self.write_at(0, bytes)
    }

    /// Writes a part of its contents, before it is sealed.
    pub(in crate::sys) fn write_at(&self, at: usize, bytes: &[u8]) -> Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let rest = &bytes[done..];
            // SAFETY: the pointer and length are those of a live slice.
            let n = unsafe { libc::pwrite(self.fd, rest.as_ptr().cast(), rest.len(), (at + done) as libc::off_t) };
            match n {
                1.. => done += n as usize,
                _ if n < 0 && last_error() == libc::EINTR => {}
                _ => return Err(Error::last_os_error("writing a memfd")),
            }
        }
        Ok(())
    }

    /// Writes a part of its contents, before it is sealed: `len` bytes of a file, from `from` on, or those that it has;
    /// how many. The system copies them from file to file.
    pub(in crate::sys) fn copy_at(&self, at: usize, file: &File, from: usize, len: usize) -> std::io::Result<usize> {
        // SAFETY: a call on a descriptor of our own, which nobody else writes by.
        if unsafe { libc::lseek(self.fd, at as libc::off_t, libc::SEEK_SET) } < 0 {
            return Err(std::io::Error::last_os_error());
        }
        let (mut from, mut done) = (from as libc::off_t, 0);
        while done < len {
            // SAFETY: two open descriptors, and a place that is read and written.
            let n = unsafe { libc::sendfile(self.fd, file.as_raw_fd(), &mut from, len - done) };
            match n {
                1.. => done += n as usize,
                0 => break,
                _ => match last_error() {
                    libc::EINTR => {}
                    // Some file systems, and sandboxes, have no such call.
                    libc::EINVAL | libc::ENOSYS | libc::EPERM => {
                        let (at, from) = (at + done, from as usize);
                        return Ok(done + self.copy_by_memory(at, file, from, len - done)?);
                    }
                    error => return Err(std::io::Error::from_raw_os_error(error)),
                },
            }
        }
        Ok(done)
    }

    /// The same, where the system does not copy.
    #[cold]
    fn copy_by_memory(&self, at: usize, file: &File, from: usize, len: usize) -> std::io::Result<usize> {
        let mut buffer = vec![0; len.min(64 << 10)];
        let mut done = 0;
        while done < len {
            let room = &mut buffer[..(64 << 10).min(len - done)];
            let there = read_at(file, from + done, room)?;
            self.write_at(at + done, &room[..there]).map_err(std::io::Error::other)?;
            done += there;
            if there == 0 {
                break;
            }
        }
        Ok(done)
    }

    /// Maps the first `len` bytes for reading.
    pub(in crate::sys) fn map_readable(&self, len: usize) -> Result<usize> {
        self.check()?;
        self.map(0, len, Protection::READ)
    }

    /// A copy of a part of it.
    pub(in crate::sys) fn read(&self, at: usize, len: usize) -> Result<Vec<u8>> {
        self.check()?;
        let mut bytes = vec![0; len];
        let mut done = 0;
        while done < len {
            let rest = &mut bytes[done..];
            // SAFETY: the pointer and length are those of a live, exclusive slice.
            let n = unsafe { libc::pread(self.fd, rest.as_mut_ptr().cast(), rest.len(), (at + done) as libc::off_t) };
            match n {
                1.. => done += n as usize,
                _ if n < 0 && last_error() == libc::EINTR => {}
                _ => return Err(Error::last_os_error("reading a memfd")),
            }
        }
        Ok(bytes)
    }

    /// Puts it where it is known by.
    fn take_position(&mut self) -> Result<()> {
        let position = NEXT_POSITION.fetch_add(1, Ordering::Relaxed);
        // SAFETY: a call on a descriptor of our own.
        if unsafe { libc::lseek(self.fd, position, libc::SEEK_SET) } != position {
            return Err(Error::last_os_error("lseek of a memfd"));
        }
        self.position = Some(position);
        Ok(())
    }

    fn is_ours(&self) -> bool {
        // SAFETY: asks where a descriptor stands, whosever it is.
        self.position.is_none_or(|position| unsafe { libc::lseek(self.fd, 0, libc::SEEK_CUR) } == position)
    }

    /// Whether the descriptor is still that of the file.
    pub(in crate::sys) fn check(&self) -> Result<()> {
        if self.is_ours() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::State,
            format!(
                "file descriptor {} holds machine code or data of this library, but the process has closed it; do not \
                 close descriptors that you did not open",
                self.fd
            ),
        ))
    }
}

impl Drop for SealedFile {
    fn drop(&mut self) {
        if self.is_ours() {
            // SAFETY: the descriptor is the one this file was made with.
            unsafe { libc::close(self.fd) };
        }
    }
}

/// What a file is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Machine code, among other things.
    Code,
    /// What is never executed.
    Data,
}

/// A new `memfd` that may be sealed, and executed if it is for that, or `None` where that is refused.
fn create_memfd(holds: Holds) -> Result<Option<libc::c_int>> {
    /// `MFD_NOEXEC_SEAL`, Linux 6.3: never executable.
    const MFD_NOEXEC_SEAL: libc::c_uint = 0x8;
    /// `MFD_EXEC`, Linux 6.3: executable, whatever the system's default is.
    const MFD_EXEC: libc::c_uint = 0x10;
    if faults::memfd_refused() {
        return Ok(None);
    }
    if faults::fails() {
        return Err(Error::last_os_error("memfd_create"));
    }
    // The limit on the size of files is one on these, too, and to go beyond it is a signal that ends the process.
    if limit(libc::RLIMIT_FSIZE).is_some() {
        return Ok(None);
    }
    let (name, kind) = match holds {
        Holds::Code => (c"stepwell-text", MFD_EXEC),
        Holds::Data => (c"stepwell-data", MFD_NOEXEC_SEAL),
    };
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    for flags in [flags | kind, flags] {
        // SAFETY: the name is a NUL-terminated constant.
        let fd = unsafe { libc::memfd_create(name.as_ptr(), flags) };
        if fd >= 0 {
            return Ok(Some(fd));
        }
        match last_error() {
            libc::EINVAL => {}
            libc::ENOMEM => return Err(Error::last_os_error("memfd_create")),
            // Refused (EPERM, EACCES, ENOSYS), or no descriptor left for us (EMFILE, ENFILE).
            _ => return Ok(None),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_copied_by_the_system_and_by_memory() {
        let path = std::env::temp_dir().join(format!("stepwell-copied-{}", std::process::id()));
        let bytes: Vec<u8> = (0..300_000usize).map(|i| (i * 7 + i / 999) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = File::open(&path).unwrap();
        for (at, from, len) in [(0, 0, 300_000), (5, 4097, 200_000), (9, 299_999, 50), (1, 7, 0), (0, 400_000, 9)] {
            let there = len.min(bytes.len().saturating_sub(from));
            for by_memory in [false, true] {
                let mut copied = usize::MAX;
                let fill = |to: &SealedFile| {
                    copied = match by_memory {
                        false => to.copy_at(at, &file, from, len).unwrap(),
                        true => to.copy_by_memory(at, &file, from, len).unwrap(),
                    };
                    Ok(())
                };
                let sealed = SealedFile::sparse(at + len + 1, fill).unwrap().unwrap();
                assert_eq!(copied, there);
                let mut expected = vec![0; at + len + 1];
                expected[at..at + there].copy_from_slice(bytes.get(from..from + there).unwrap_or_default());
                assert!(sealed.read(0, at + len + 1).unwrap() == expected, "{at} {from} {len}");
            }
        }
        let folder = File::open(std::env::temp_dir()).unwrap();
        let refused = SealedFile::sparse(9, |to| {
            assert!(to.copy_at(0, &folder, 0, 9).is_err());
            Ok(())
        });
        drop(refused.unwrap());
        std::fs::remove_file(&path).unwrap();
    }
}
