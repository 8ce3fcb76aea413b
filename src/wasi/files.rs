//! Descriptors: the standard streams, directories, and files.

use super::errno::{Errno, Failure};
use super::listing::Listing;
use super::rights::Rights;
use super::streams::Stream;
use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsMaybeDirExt};
use cap_std::fs::{Dir, File, FileTypeExt, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::{FileType, OFlags};
use std::collections::BTreeMap;

/// What a descriptor stands for.
pub(super) enum Kind {
    Stream(Stream),
    Dir { dir: Dir, preopened: Option<String>, listing: Listing },
    File(File),
}

/// A descriptor.
pub(super) struct Entry {
    pub(super) kind: Kind,
    pub(super) rights: Rights,
    pub(super) inheriting: Rights,
    pub(super) flags: FdFlags,
}

impl Entry {
    pub(super) fn stream(stream: Stream) -> Entry {
        let rights = match &stream {
            Stream::Input(_) => Rights::FD_READ,
            Stream::Output(_) => Rights::FD_WRITE,
        };
        let rights = rights | Rights::FD_FILESTAT_GET | Rights::POLL_FD_READWRITE | Rights::FD_FDSTAT_SET_FLAGS;
        Entry { kind: Kind::Stream(stream), rights, inheriting: Rights::NONE, flags: FdFlags::NONE }
    }

    /// A standard stream that is a file of the host.
    pub(super) fn stream_file(file: File, read: bool) -> Entry {
        let flags = match rustix::fs::fcntl_getfl(&file) {
            Ok(flags) if flags.contains(OFlags::APPEND) => FdFlags(FdFlags::APPEND),
            _ => FdFlags::NONE,
        };
        Entry { kind: Kind::File(file), rights: Rights::stream_file(read), inheriting: Rights::NONE, flags }
    }

    pub(super) fn preopened(dir: Dir, name: String, read_write: bool) -> Entry {
        let (rights, inheriting) = Rights::preopened(read_write);
        let kind = Kind::Dir { dir, preopened: Some(name), listing: Listing::default() };
        Entry { kind, rights, inheriting, flags: FdFlags::NONE }
    }

    /// This, if it has these rights. What was not opened to read, or to write, is told as POSIX has it.
    pub(super) fn with(&self, rights: Rights) -> Result<&Entry, Failure> {
        if self.rights.contains(rights) {
            Ok(self)
        } else if self.rights.contains(rights.both(Rights::ACCESS)) {
            Err(Errno::NotCapable.into())
        } else {
            Err(Errno::BadFd.into())
        }
    }

    /// The directory, if it is one.
    pub(super) fn dir(&self) -> Result<&Dir, Failure> {
        match &self.kind {
            Kind::Dir { dir, .. } => Ok(dir),
            _ => Err(Errno::NotDirectory.into()),
        }
    }

    /// What `fd_fdstat_get` says of its type.
    pub(super) fn filetype(&self) -> Result<u8, Failure> {
        Ok(match &self.kind {
            Kind::Stream(stream) if stream.is_terminal() => FILETYPE_CHARACTER_DEVICE,
            Kind::Stream(_) => FILETYPE_UNKNOWN,
            Kind::Dir { .. } => FILETYPE_DIRECTORY,
            Kind::File(file) => filetype_of(&file.metadata()?),
        })
    }

    /// What `fd_filestat_get` says.
    pub(super) fn filestat(&self) -> Result<[u8; 64], Failure> {
        match &self.kind {
            Kind::Stream(_) => {
                let mut stat = [0; 64];
                stat[16] = self.filetype()?;
                Ok(stat)
            }
            Kind::Dir { dir, .. } => Ok(filestat(&dir.dir_metadata()?)),
            Kind::File(file) => Ok(filestat(&file.metadata()?)),
        }
    }
}

/// The descriptors of a guest.
pub(super) struct Table {
    entries: BTreeMap<u32, Entry>,
    limit: usize,
}

impl Table {
    /// An empty table that guests can fill up to `limit` descriptors.
    pub(super) fn new(limit: u32) -> Table {
        Table { entries: BTreeMap::new(), limit: limit as usize }
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> Result<(), Failure> {
        if self.entries.len() < self.limit { Ok(()) } else { Err(Errno::TooManyFiles.into()) }
    }

    /// Adds a descriptor under the lowest free number.
    pub(super) fn add(&mut self, entry: Entry) -> u32 {
        let mut free = 0;
        for &used in self.entries.keys() {
            if used != free {
                break;
            }
            free += 1;
        }
        self.entries.insert(free, entry);
        free
    }

    /// The descriptor, whatever its rights.
    pub(super) fn entry(&self, fd: u32) -> Result<&Entry, Failure> {
        Ok(self.entries.get(&fd).ok_or(Errno::BadFd)?)
    }

    /// As [`Table::entry`], to change.
    pub(super) fn entry_mut(&mut self, fd: u32) -> Result<&mut Entry, Failure> {
        Ok(self.entries.get_mut(&fd).ok_or(Errno::BadFd)?)
    }

    /// The descriptor, if it has these rights.
    pub(super) fn get(&self, fd: u32, rights: Rights) -> Result<&Entry, Failure> {
        self.entry(fd)?.with(rights)
    }

    /// The directory, if it has these rights.
    pub(super) fn directory(&self, fd: u32, rights: Rights) -> Result<&Entry, Failure> {
        let entry = self.entry(fd)?;
        // What is no directory is told first.
        entry.dir()?;
        entry.with(rights)
    }

    /// Takes a descriptor out. The host may be told by its going, so it is dropped where the table is not locked.
    pub(super) fn remove(&mut self, fd: u32) -> Result<Entry, Failure> {
        Ok(self.entries.remove(&fd).ok_or(Errno::BadFd)?)
    }

    /// Gives `from` the number `to`; what was there before, to be dropped as in [`Table::remove`].
    pub(super) fn renumber(&mut self, from: u32, to: u32) -> Result<Option<Entry>, Failure> {
        self.entry(to)?;
        self.entry(from)?;
        if from == to {
            return Ok(None);
        }
        let entry = self.remove(from)?;
        Ok(self.entries.insert(to, entry))
    }
}

const FILETYPE_UNKNOWN: u8 = 0;
const FILETYPE_BLOCK_DEVICE: u8 = 1;
const FILETYPE_CHARACTER_DEVICE: u8 = 2;
const FILETYPE_DIRECTORY: u8 = 3;
const FILETYPE_REGULAR_FILE: u8 = 4;
const FILETYPE_SOCKET_STREAM: u8 = 6;
const FILETYPE_SYMBOLIC_LINK: u8 = 7;

fn filetype_of(metadata: &Metadata) -> u8 {
    let ty = metadata.file_type();
    if ty.is_dir() {
        FILETYPE_DIRECTORY
    } else if ty.is_file() {
        FILETYPE_REGULAR_FILE
    } else if ty.is_symlink() {
        FILETYPE_SYMBOLIC_LINK
    } else if ty.is_char_device() {
        FILETYPE_CHARACTER_DEVICE
    } else if ty.is_block_device() {
        FILETYPE_BLOCK_DEVICE
    } else if ty.is_socket() {
        FILETYPE_SOCKET_STREAM
    } else {
        FILETYPE_UNKNOWN
    }
}

/// The type of a directory's entry.
pub(super) fn filetype_of_entry(filetype: FileType) -> u8 {
    match filetype {
        FileType::Directory => FILETYPE_DIRECTORY,
        FileType::RegularFile => FILETYPE_REGULAR_FILE,
        FileType::Symlink => FILETYPE_SYMBOLIC_LINK,
        FileType::CharacterDevice => FILETYPE_CHARACTER_DEVICE,
        FileType::BlockDevice => FILETYPE_BLOCK_DEVICE,
        FileType::Socket => FILETYPE_SOCKET_STREAM,
        _ => FILETYPE_UNKNOWN,
    }
}

/// The structure `filestat` of preview 1.
pub(super) fn filestat(metadata: &Metadata) -> [u8; 64] {
    let mut stat = [0; 64];
    let mut put = |at: usize, value: u64| stat[at..at + 8].copy_from_slice(&value.to_le_bytes());
    // Times before 1970 cannot be said.
    let time = |seconds: i64, nanoseconds: i64| {
        u64::try_from(i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)).unwrap_or(0)
    };
    put(0, metadata.dev());
    put(8, metadata.ino());
    put(16, u64::from(filetype_of(metadata)));
    put(24, metadata.nlink());
    put(32, metadata.size());
    put(40, time(metadata.atime(), metadata.atime_nsec()));
    put(48, time(metadata.mtime(), metadata.mtime_nsec()));
    put(56, time(metadata.ctime(), metadata.ctime_nsec()));
    stat
}

/// The flags of an open file, by the bits of preview 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FdFlags(u16);

impl FdFlags {
    const APPEND: u16 = 1 << 0;
    const DSYNC: u16 = 1 << 1;
    const NONBLOCK: u16 = 1 << 2;
    const RSYNC: u16 = 1 << 3;
    const SYNC: u16 = 1 << 4;
    /// None.
    pub(super) const NONE: FdFlags = FdFlags(0);

    /// The bits.
    pub(super) fn bits(self) -> u16 {
        self.0
    }

    /// Whether reads and writes fail with `EAGAIN` instead of waiting.
    pub(super) fn nonblocking(self) -> bool {
        self.0 & Self::NONBLOCK != 0
    }

    /// Whether these are the same but for what an open file can be told.
    pub(super) fn same_when_open(self, other: FdFlags) -> bool {
        (self.0 ^ other.0) & !(Self::APPEND | Self::NONBLOCK) == 0
    }

    pub(super) fn from_bits(bits: u32) -> Result<FdFlags, Failure> {
        let known = Self::APPEND | Self::DSYNC | Self::NONBLOCK | Self::RSYNC | Self::SYNC;
        match u16::try_from(bits) {
            Ok(bits) if bits & !known == 0 => Ok(FdFlags(bits)),
            _ => Err(Errno::Invalid.into()),
        }
    }

    /// The host's.
    pub(super) fn to_host(self) -> i32 {
        [
            (Self::APPEND, libc::O_APPEND),
            (Self::DSYNC, libc::O_DSYNC),
            (Self::NONBLOCK, libc::O_NONBLOCK),
            (Self::RSYNC, libc::O_RSYNC),
            (Self::SYNC, libc::O_SYNC),
        ]
        .iter()
        .filter(|(bit, _)| self.0 & bit != 0)
        .fold(0, |flags, (_, host)| flags | host)
    }
}

/// Whether these lookup flags follow a symbolic link at a path's end.
pub(super) fn follows(lookup: u32) -> Result<bool, Failure> {
    match lookup {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::Invalid.into()),
    }
}

/// What `path_open` is asked for.
pub(super) struct Open {
    follow: bool,
    create: bool,
    directory: bool,
    exclusive: bool,
    truncate: bool,
    /// To read, to write, or both. All else that is asked for is there anyway, or is not to be had.
    access: Rights,
    flags: FdFlags,
}

impl Open {
    /// Checks the numbers that the guest passed.
    pub(super) fn new(lookup: u32, oflags: u32, rights: u64, fdflags: u32) -> Result<Open, Failure> {
        if oflags & !0xf != 0 {
            return Err(Errno::Invalid.into());
        }
        let open = Open {
            follow: follows(lookup)?,
            create: oflags & 1 != 0,
            directory: oflags & 2 != 0,
            // Where nothing is created it says nothing, as on Linux.
            exclusive: oflags & 5 == 5,
            truncate: oflags & 8 != 0,
            access: Rights::from_bits(rights).0.both(Rights::ACCESS),
            flags: FdFlags::from_bits(fdflags)?,
        };
        if open.directory && (open.create || open.truncate) {
            return Err(Errno::Invalid.into());
        }
        Ok(open)
    }

    /// Opens a path below a directory. What is opened may be used for all that `parent` passes on, as far as it is
    /// opened to read or to write.
    pub(super) fn open(&self, parent: &Entry, path: &str) -> Result<Entry, Failure> {
        let dir = parent.dir()?;
        // A directory is opened by who wants to read it as a file is, and listing it is another right. None is opened
        // to write: the host says so, or that there is no directory.
        let needed = if self.directory { Rights::NONE } else { self.access };
        let allowed = parent.inheriting.contains(needed)
            && (!self.create || parent.rights.contains(Rights::PATH_CREATE_FILE))
            && (!self.truncate || parent.rights.contains(Rights::PATH_FILESTAT_SET_SIZE));
        if !allowed {
            return Err(Errno::NotCapable.into());
        }
        // The host wants write access to create and to empty a file.
        let write = self.access.contains(Rights::FD_WRITE) || self.create || self.truncate;
        let read = !self.access.contains(Rights::FD_WRITE) || self.access.contains(Rights::FD_READ);
        let mut flags = self.flags.to_host();
        if self.directory {
            flags |= libc::O_DIRECTORY;
        }
        let mut options = OpenOptions::new();
        options
            .read(read)
            .write(write)
            .create(self.create && !self.exclusive)
            .create_new(self.exclusive)
            .truncate(self.truncate)
            .custom_flags(flags)
            .maybe_dir(true)
            .follow(if self.follow { FollowSymlinks::Yes } else { FollowSymlinks::No });
        let file = dir.open_with(path, &options)?;
        let (kind, rights, inheriting) = if file.metadata()?.is_dir() {
            let dir = Dir::from_std_file(file.into_std());
            let kind = Kind::Dir { dir, preopened: None, listing: Listing::default() };
            (kind, parent.inheriting.for_directory(), parent.inheriting)
        } else {
            (Kind::File(file), parent.inheriting.for_file(read, write), Rights::NONE)
        };
        Ok(Entry { kind, rights, inheriting, flags: self.flags })
    }
}
