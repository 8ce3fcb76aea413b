//! What is done with paths. `cap-std` keeps them inside the directory that each starts in.

use super::fds::times;
use super::{Outcome, State};
use crate::wasi::errno::{Errno, Failure};
use crate::wasi::files::{self, Open};
use crate::wasi::guest::Guest;
use crate::wasi::rights::Rights;
use cap_fs_ext::{DirExt, SystemTimeSpec};
use cap_std::fs::Dir;
use cap_std::time::{Duration, SystemClock, SystemTime};
use rustix::fs::{UTIME_NOW, UTIME_OMIT};
use rustix::time::Timespec;
use std::os::unix::ffi::OsStrExt;

/// A time as `cap-fs-ext` wants it.
fn time_spec(time: Timespec) -> Option<SystemTimeSpec> {
    match time.tv_nsec {
        UTIME_OMIT => None,
        UTIME_NOW => Some(SystemTimeSpec::SymbolicNow),
        nanoseconds => {
            let since = Duration::new(time.tv_sec as u64, nanoseconds as u32);
            Some(SystemTimeSpec::Absolute(SystemTime::from_std(SystemClock::UNIX_EPOCH.into_std() + since)))
        }
    }
}

/// Whether what a path names, slashes behind it left out and a link not followed, is a directory: only those can be
/// named with a slash behind.
fn is_directory(dir: &Dir, path: &str) -> Result<bool, Failure> {
    match path.trim_end_matches('/') {
        // No more than the slash of an absolute path.
        "" => Ok(true),
        path => Ok(dir.symlink_metadata(path)?.is_dir()),
    }
}

impl State {
    pub(super) fn path_create_directory(&self, guest: &mut Guest<'_>, fd: u32, path: u32, path_len: u32) -> Outcome {
        let table = self.table();
        let dir = table.directory(fd, Rights::PATH_CREATE_DIRECTORY)?.dir()?;
        Ok(dir.create_dir(guest.path(path, path_len)?)?)
    }

    pub(super) fn path_filestat_get(
        &self,
        guest: &mut Guest<'_>,
        fd: u32,
        lookup: u32,
        path: u32,
        path_len: u32,
        out: u32,
    ) -> Outcome {
        let table = self.table();
        let dir = table.directory(fd, Rights::PATH_FILESTAT_GET)?.dir()?;
        let path = guest.path(path, path_len)?;
        // A path with a slash behind names a directory, so that a link is followed after all; `cap-std` drops the
        // slash.
        let follows = files::follows(lookup)? || path.ends_with('/') || path.ends_with("/.");
        let metadata = if follows { dir.metadata(&path)? } else { dir.symlink_metadata(&path)? };
        guest.write(out, &files::filestat(&metadata))
    }

    #[allow(clippy::too_many_arguments)] // as preview 1 has it
    pub(super) fn path_filestat_set_times(
        &self,
        guest: &mut Guest<'_>,
        fd: u32,
        lookup: u32,
        path: u32,
        path_len: u32,
        accessed: u64,
        modified: u64,
        flags: u32,
    ) -> Outcome {
        let table = self.table();
        let dir = table.directory(fd, Rights::PATH_FILESTAT_SET_TIMES)?.dir()?;
        let path = guest.path(path, path_len)?;
        let times = times(accessed, modified, flags)?;
        let (accessed, modified) = (time_spec(times.last_access), time_spec(times.last_modification));
        if files::follows(lookup)? {
            dir.set_times(path, accessed, modified)?;
        } else {
            dir.set_symlink_times(path, accessed, modified)?;
        }
        Ok(())
    }

    /// A link to a symbolic link is one to the link itself. What it leads to cannot be asked for, as in other engines.
    #[allow(clippy::too_many_arguments)] // as preview 1 has it
    pub(super) fn path_link(
        &self,
        guest: &mut Guest<'_>,
        old_fd: u32,
        lookup: u32,
        old: u32,
        old_len: u32,
        new_fd: u32,
        new: u32,
        new_len: u32,
    ) -> Outcome {
        let table = self.table();
        let from = table.directory(old_fd, Rights::PATH_LINK_SOURCE)?.dir()?;
        let to = table.directory(new_fd, Rights::PATH_LINK_TARGET)?.dir()?;
        if files::follows(lookup)? {
            return Err(Errno::Invalid.into());
        }
        Ok(from.hard_link(guest.path(old, old_len)?, to, guest.path(new, new_len)?)?)
    }

    #[allow(clippy::too_many_arguments)] // as preview 1 has it
    pub(super) fn path_open(
        &self,
        guest: &mut Guest<'_>,
        fd: u32,
        lookup: u32,
        path: u32,
        path_len: u32,
        oflags: u32,
        rights: u64,
        _inheriting: u64,
        fdflags: u32,
        out: u32,
    ) -> Outcome {
        guest.check(out, 4)?;
        let mut table = self.table();
        let parent = table.directory(fd, Rights::PATH_OPEN)?;
        let open = Open::new(lookup, oflags, rights, fdflags)?;
        let path = guest.path(path, path_len)?;
        // Before anything is created.
        table.has_room()?;
        let entry = open.open(parent, &path)?;
        let fd = table.add(entry);
        guest.write_u32(out, fd)
    }

    /// What a symbolic link says, as far as there is room. An absolute path, which a guest cannot have made, is not
    /// told.
    #[allow(clippy::too_many_arguments)] // as preview 1 has it
    pub(super) fn path_readlink(
        &self,
        guest: &mut Guest<'_>,
        fd: u32,
        path: u32,
        path_len: u32,
        at: u32,
        len: u32,
        out: u32,
    ) -> Outcome {
        guest.check(out, 4)?;
        guest.check(at, len)?;
        let table = self.table();
        let dir = table.directory(fd, Rights::PATH_READLINK)?.dir()?;
        let target = dir.read_link(guest.path(path, path_len)?)?;
        let target = target.as_os_str().as_bytes();
        let said = &target[..target.len().min(len as usize)];
        guest.write(at, said)?;
        guest.write_u32(out, said.len() as u32)
    }

    pub(super) fn path_remove_directory(&self, guest: &mut Guest<'_>, fd: u32, path: u32, path_len: u32) -> Outcome {
        let table = self.table();
        let dir = table.directory(fd, Rights::PATH_REMOVE_DIRECTORY)?.dir()?;
        let path = guest.path(path, path_len)?;
        // Slashes behind say what this is about anyway; `cap-std` does not want them here.
        let named = match path.trim_end_matches('/') {
            "" => path.as_str(),
            named => named,
        };
        Ok(dir.remove_dir(named)?)
    }

    #[allow(clippy::too_many_arguments)] // as preview 1 has it
    pub(super) fn path_rename(
        &self,
        guest: &mut Guest<'_>,
        old_fd: u32,
        old: u32,
        old_len: u32,
        new_fd: u32,
        new: u32,
        new_len: u32,
    ) -> Outcome {
        let table = self.table();
        let from = table.directory(old_fd, Rights::PATH_RENAME_SOURCE)?.dir()?;
        let to = table.directory(new_fd, Rights::PATH_RENAME_TARGET)?.dir()?;
        let (old, new) = (guest.path(old, old_len)?, guest.path(new, new_len)?);
        let slash = old.ends_with('/') || new.ends_with('/');
        // An absolute path is refused for that.
        if slash && !new.starts_with('/') && !is_directory(from, &old)? {
            return Err(Errno::NotDirectory.into());
        }
        Ok(from.rename(old, to, new)?)
    }

    /// Makes a symbolic link to a relative path. Where that leads is checked when it is followed.
    pub(super) fn path_symlink(
        &self,
        guest: &mut Guest<'_>,
        old: u32,
        old_len: u32,
        fd: u32,
        new: u32,
        new_len: u32,
    ) -> Outcome {
        let table = self.table();
        let dir = table.directory(fd, Rights::PATH_SYMLINK)?.dir()?;
        let old = guest.path(old, old_len)?;
        if old.starts_with('/') {
            return Err(Errno::NotPermitted.into());
        }
        Ok(dir.symlink(old, guest.path(new, new_len)?)?)
    }

    pub(super) fn path_unlink_file(&self, guest: &mut Guest<'_>, fd: u32, path: u32, path_len: u32) -> Outcome {
        let table = self.table();
        let dir = table.directory(fd, Rights::PATH_UNLINK_FILE)?.dir()?;
        let path = guest.path(path, path_len)?;
        if path.ends_with('/') && !is_directory(dir, &path)? {
            return Err(Errno::NotDirectory.into());
        }
        Ok(dir.remove_file(path)?)
    }
}
