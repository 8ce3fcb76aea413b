//! What is done with open descriptors, reading and writing apart.

use super::{Outcome, State, timespec};
use crate::wasi::errno::{Errno, Failure};
use crate::wasi::files::{Entry, FdFlags, Kind};
use crate::wasi::guest::Guest;
use crate::wasi::rights::Rights;
use cap_std::fs::{Dir, File};
use rustix::fs::{Advice, FallocateFlags, OFlags, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::time::Timespec;
use std::io::{Seek, SeekFrom};
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};

/// The file behind a descriptor with these rights. What a standard stream, and what a directory is told instead comes
/// before what is told of rights.
fn file(entry: &Entry, rights: Rights, stream: Errno, directory: Errno) -> Result<&File, Failure> {
    match &entry.with(Rights::NONE)?.kind {
        Kind::Stream(_) => Err(stream.into()),
        Kind::Dir { .. } => Err(directory.into()),
        Kind::File(file) => entry.with(rights).map(|_| file),
    }
}

/// The host's descriptor of a file or a directory with these rights; a standard stream has none of its own.
fn on_disk(entry: &Entry, rights: Rights) -> Result<BorrowedFd<'_>, Failure> {
    let fd = match &entry.kind {
        Kind::Stream(_) => return Err(Errno::Invalid.into()),
        Kind::Dir { dir, .. } => Dir::as_fd(dir),
        Kind::File(file) => file.as_fd(),
    };
    entry.with(rights).map(|_| fd)
}

/// The file to be written through to the disk. A directory is none, as in other engines.
fn to_sync(entry: &Entry, rights: Rights) -> Result<&File, Failure> {
    file(entry, rights, Errno::Invalid, Errno::BadFd)
}

/// The file whose size is to be changed. One that was not opened to write is told as POSIX has it, by each call its own
/// way.
fn to_resize(entry: &Entry, rights: Rights, stream: Errno, not_to_write: Errno) -> Result<&File, Failure> {
    let file = file(entry, Rights::NONE, stream, Errno::BadFd)?;
    match entry.with(rights) {
        Err(_) if !entry.rights.contains(Rights::FD_WRITE) => Err(not_to_write.into()),
        other => other.map(|_| file),
    }
}

/// The times that a guest asks for, each left alone, given, or now.
pub(super) fn times(accessed: u64, modified: u64, flags: u32) -> Result<Timestamps, Failure> {
    let one = |given: u32, now: u32, time: u64| match (flags & given != 0, flags & now != 0) {
        (true, true) => Err(Errno::Invalid),
        (true, false) => Ok(timespec(time)),
        (false, true) => Ok(Timespec { tv_sec: 0, tv_nsec: UTIME_NOW }),
        (false, false) => Ok(Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }),
    };
    if flags & !0xf != 0 {
        return Err(Errno::Invalid.into());
    }
    Ok(Timestamps { last_access: one(1, 2, accessed)?, last_modification: one(4, 8, modified)? })
}

impl State {
    pub(super) fn fd_advise(&self, _: &mut Guest<'_>, fd: u32, offset: u64, len: u64, advice: u32) -> Outcome {
        let table = self.table();
        let file = file(table.entry(fd)?, Rights::FD_ADVISE, Errno::NotSeekable, Errno::BadFd)?;
        let advice = match advice {
            0 => Advice::Normal,
            1 => Advice::Sequential,
            2 => Advice::Random,
            3 => Advice::WillNeed,
            4 => Advice::DontNeed,
            5 => Advice::NoReuse,
            _ => return Err(Errno::Invalid.into()),
        };
        if i64::try_from(offset).is_err() || i64::try_from(len).is_err() {
            return Err(Errno::Invalid.into());
        }
        Ok(rustix::fs::fadvise(file, offset, NonZeroU64::new(len), advice)?)
    }

    pub(super) fn fd_allocate(&self, _: &mut Guest<'_>, fd: u32, offset: u64, len: u64) -> Outcome {
        let table = self.table();
        let file = to_resize(table.entry(fd)?, Rights::FD_ALLOCATE, Errno::NotSeekable, Errno::BadFd)?;
        if i64::try_from(offset).is_err() || i64::try_from(len).is_err() {
            return Err(Errno::Invalid.into());
        }
        Ok(rustix::io::retry_on_intr(|| rustix::fs::fallocate(file, FallocateFlags::empty(), offset, len))?)
    }

    pub(super) fn fd_close(&self, _: &mut Guest<'_>, fd: u32) -> Outcome {
        let closed = self.table().remove(fd);
        closed.map(drop)
    }

    pub(super) fn fd_renumber(&self, _: &mut Guest<'_>, from: u32, to: u32) -> Outcome {
        let replaced = self.table().renumber(from, to);
        replaced.map(drop)
    }

    pub(super) fn fd_datasync(&self, _: &mut Guest<'_>, fd: u32) -> Outcome {
        let table = self.table();
        Ok(rustix::fs::fdatasync(to_sync(table.entry(fd)?, Rights::FD_DATASYNC)?)?)
    }

    pub(super) fn fd_sync(&self, _: &mut Guest<'_>, fd: u32) -> Outcome {
        let table = self.table();
        Ok(rustix::fs::fsync(to_sync(table.entry(fd)?, Rights::FD_SYNC)?)?)
    }

    pub(super) fn fd_fdstat_get(&self, guest: &mut Guest<'_>, fd: u32, out: u32) -> Outcome {
        let table = self.table();
        let entry = table.entry(fd)?;
        let mut stat = [0; 24];
        stat[0] = entry.filetype()?;
        stat[2..4].copy_from_slice(&entry.flags.bits().to_le_bytes());
        stat[8..16].copy_from_slice(&entry.rights.bits().to_le_bytes());
        stat[16..].copy_from_slice(&entry.inheriting.bits().to_le_bytes());
        guest.write(out, &stat)
    }

    /// Changes whether writes go to the end and whether the guest waits. How far writes are waited for is fixed at
    /// opening, as Linux has it.
    pub(super) fn fd_fdstat_set_flags(&self, _: &mut Guest<'_>, fd: u32, flags: u32) -> Outcome {
        let flags = FdFlags::from_bits(flags)?;
        let mut table = self.table();
        let entry = table.entry_mut(fd)?;
        if let Kind::Dir { .. } = entry.kind {
            return Err(Errno::BadFd.into());
        }
        entry.with(Rights::FD_FDSTAT_SET_FLAGS)?;
        if !entry.flags.same_when_open(flags) {
            return Err(Errno::NotSupported.into());
        }
        // A standard stream is the host's, too, and its own flags are not touched.
        if let Kind::File(file) = &entry.kind {
            let changed = OFlags::APPEND | OFlags::NONBLOCK;
            let wanted = OFlags::from_bits_retain(flags.to_host() as u32) & changed;
            rustix::fs::fcntl_setfl(file, (rustix::fs::fcntl_getfl(file)? - changed) | wanted)?;
        }
        entry.flags = flags;
        Ok(())
    }

    /// Takes rights away. None can be added.
    pub(super) fn fd_fdstat_set_rights(&self, _: &mut Guest<'_>, fd: u32, rights: u64, inheriting: u64) -> Outcome {
        let mut table = self.table();
        let entry = table.entry_mut(fd)?;
        let ((rights, unknown), (inheriting, more)) = (Rights::from_bits(rights), Rights::from_bits(inheriting));
        if unknown || more || !entry.rights.contains(rights) || !entry.inheriting.contains(inheriting) {
            return Err(Errno::NotCapable.into());
        }
        (entry.rights, entry.inheriting) = (rights, inheriting);
        Ok(())
    }

    pub(super) fn fd_filestat_get(&self, guest: &mut Guest<'_>, fd: u32, out: u32) -> Outcome {
        let stat = self.table().get(fd, Rights::FD_FILESTAT_GET)?.filestat()?;
        guest.write(out, &stat)
    }

    pub(super) fn fd_filestat_set_size(&self, _: &mut Guest<'_>, fd: u32, size: u64) -> Outcome {
        let table = self.table();
        let file = to_resize(table.entry(fd)?, Rights::FD_FILESTAT_SET_SIZE, Errno::Invalid, Errno::Invalid)?;
        let size = i64::try_from(size).map_err(|_| Errno::Invalid)? as u64;
        Ok(rustix::io::retry_on_intr(|| rustix::fs::ftruncate(file, size))?)
    }

    pub(super) fn fd_filestat_set_times(
        &self,
        _: &mut Guest<'_>,
        fd: u32,
        accessed: u64,
        modified: u64,
        flags: u32,
    ) -> Outcome {
        let table = self.table();
        let on = on_disk(table.entry(fd)?, Rights::FD_FILESTAT_SET_TIMES)?;
        Ok(rustix::fs::futimens(on, &times(accessed, modified, flags)?)?)
    }

    /// What has no position is told before what is wrong with the one that is asked for.
    fn seek(&self, guest: &mut Guest<'_>, fd: u32, to: Result<SeekFrom, Errno>, rights: Rights, out: u32) -> Outcome {
        guest.check(out, 8)?;
        let table = self.table();
        let mut file = file(table.entry(fd)?, rights, Errno::NotSeekable, Errno::BadFd)?;
        let position = file.seek(to?)?;
        guest.write_u64(out, position)
    }

    pub(super) fn fd_seek(&self, guest: &mut Guest<'_>, fd: u32, offset: i64, whence: u32, out: u32) -> Outcome {
        let (to, rights) = match whence {
            0 => (u64::try_from(offset).map(SeekFrom::Start).map_err(|_| Errno::Invalid), Rights::FD_SEEK),
            1 if offset == 0 => (Ok(SeekFrom::Current(0)), Rights::FD_TELL),
            1 => (Ok(SeekFrom::Current(offset)), Rights::FD_SEEK),
            2 => (Ok(SeekFrom::End(offset)), Rights::FD_SEEK),
            _ => (Err(Errno::Invalid), Rights::FD_SEEK),
        };
        self.seek(guest, fd, to, rights, out)
    }

    pub(super) fn fd_tell(&self, guest: &mut Guest<'_>, fd: u32, out: u32) -> Outcome {
        self.seek(guest, fd, Ok(SeekFrom::Current(0)), Rights::FD_TELL, out)
    }

    /// The name of a preopened directory. Programs ask for one number after the other until `EBADF`.
    fn preopened(&self, fd: u32) -> Result<String, Failure> {
        match &self.table().entry(fd)?.kind {
            Kind::Dir { preopened: Some(name), .. } => Ok(name.clone()),
            _ => Err(Errno::BadFd.into()),
        }
    }

    pub(super) fn fd_prestat_get(&self, guest: &mut Guest<'_>, fd: u32, out: u32) -> Outcome {
        let len = u32::try_from(self.preopened(fd)?.len()).map_err(|_| Errno::Overflow)?;
        // The tag 0 is a directory, the only one there is.
        guest.write_u64(out, u64::from(len) << 32)
    }

    pub(super) fn fd_prestat_dir_name(&self, guest: &mut Guest<'_>, fd: u32, at: u32, len: u32) -> Outcome {
        let name = self.preopened(fd)?;
        if name.len() > len as usize {
            return Err(Errno::NameTooLong.into());
        }
        guest.write(at, name.as_bytes())
    }
}
