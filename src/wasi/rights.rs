//! What a descriptor may be used for. Preview 1 gives each two sets: what it may be used for, and what descriptors
//! opened through it may have at most.
//!
//! They say what the host allows, and how a file was opened: to read, to write, or both. What else a program asks for
//! when it opens something is not looked at: no other engine does, and programs ask for too little, or for anything.
//! Only `fd_fdstat_set_rights` takes rights away, as that is all it is for.

use std::ops::BitOr;

/// A set of rights, by the bits of preview 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rights(u64);

/// Names of single rights.
macro_rules! rights {
    ($($name:ident = $bit:literal),* $(,)?) => { $( pub(super) const $name: Rights = Rights(1 << $bit); )* };
}

impl Rights {
    pub(super) const NONE: Rights = Rights(0);
    rights! {
        FD_DATASYNC = 0,
        FD_READ = 1,
        FD_SEEK = 2,
        FD_FDSTAT_SET_FLAGS = 3,
        FD_SYNC = 4,
        FD_TELL = 5,
        FD_WRITE = 6,
        FD_ADVISE = 7,
        FD_ALLOCATE = 8,
        PATH_CREATE_DIRECTORY = 9,
        PATH_CREATE_FILE = 10,
        PATH_LINK_SOURCE = 11,
        PATH_LINK_TARGET = 12,
        PATH_OPEN = 13,
        FD_READDIR = 14,
        PATH_READLINK = 15,
        PATH_RENAME_SOURCE = 16,
        PATH_RENAME_TARGET = 17,
        PATH_FILESTAT_GET = 18,
        PATH_FILESTAT_SET_SIZE = 19,
        PATH_FILESTAT_SET_TIMES = 20,
        FD_FILESTAT_GET = 21,
        FD_FILESTAT_SET_SIZE = 22,
        FD_FILESTAT_SET_TIMES = 23,
        PATH_SYMLINK = 24,
        PATH_REMOVE_DIRECTORY = 25,
        PATH_UNLINK_FILE = 26,
        POLL_FD_READWRITE = 27,
    }
    /// All that preview 1 knows.
    const KNOWN: u64 = (1 << 30) - 1;

    /// What makes sense for a directory, changing what is in it left out.
    const DIRECTORY_LOOK: Rights = Rights(
        Self::PATH_OPEN.0
            | Self::FD_READDIR.0
            | Self::PATH_READLINK.0
            | Self::PATH_FILESTAT_GET.0
            | Self::FD_FILESTAT_GET.0,
    );
    /// What makes sense for a directory.
    const DIRECTORY: Rights = Rights(
        Self::DIRECTORY_LOOK.0
            | Self::PATH_CREATE_DIRECTORY.0
            | Self::PATH_CREATE_FILE.0
            | Self::PATH_LINK_SOURCE.0
            | Self::PATH_LINK_TARGET.0
            | Self::PATH_RENAME_SOURCE.0
            | Self::PATH_RENAME_TARGET.0
            | Self::PATH_FILESTAT_SET_SIZE.0
            | Self::PATH_FILESTAT_SET_TIMES.0
            | Self::FD_FILESTAT_SET_TIMES.0
            | Self::PATH_SYMLINK.0
            | Self::PATH_REMOVE_DIRECTORY.0
            | Self::PATH_UNLINK_FILE.0,
    );
    /// What makes sense for a file that is only read.
    const FILE_LOOK: Rights = Rights(
        Self::FD_READ.0
            | Self::FD_SEEK.0
            | Self::FD_TELL.0
            | Self::FD_ADVISE.0
            | Self::FD_SYNC.0
            | Self::FD_DATASYNC.0
            | Self::FD_FDSTAT_SET_FLAGS.0
            | Self::FD_FILESTAT_GET.0
            | Self::POLL_FD_READWRITE.0,
    );
    /// What makes sense for a file.
    const FILE: Rights = Rights(
        Self::FILE_LOOK.0
            | Self::FD_WRITE.0
            | Self::FD_ALLOCATE.0
            | Self::FD_FILESTAT_SET_SIZE.0
            | Self::FD_FILESTAT_SET_TIMES.0,
    );
    /// Those that a file has only if it was opened to write.
    const WRITING: Rights = Rights(Self::FD_WRITE.0 | Self::FD_ALLOCATE.0 | Self::FD_FILESTAT_SET_SIZE.0);
    /// Those by which a program says, when it opens a file, what it wants to do with it.
    pub(super) const ACCESS: Rights = Rights(Self::FD_READ.0 | Self::FD_WRITE.0);

    /// The rights of a preopened directory, and those it passes on.
    pub(super) fn preopened(read_write: bool) -> (Rights, Rights) {
        match read_write {
            true => (Self::DIRECTORY, Self::DIRECTORY | Self::FILE),
            false => (Self::DIRECTORY_LOOK, Self::DIRECTORY_LOOK | Self::FILE_LOOK),
        }
    }

    /// The rights of a standard stream that is a file of the host: to read, or else to write.
    pub(super) fn stream_file(read: bool) -> Rights {
        match read {
            true => Self::FILE_LOOK,
            false => Rights(Self::FILE.0 & !Self::FD_READ.0),
        }
    }

    /// The rights of these bits, and whether there were others that preview 1 does not know.
    pub(super) fn from_bits(bits: u64) -> (Rights, bool) {
        (Rights(bits & Self::KNOWN), bits & !Self::KNOWN != 0)
    }

    /// The bits.
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// Whether all of `other` are among these.
    pub(super) fn contains(self, other: Rights) -> bool {
        other.0 & !self.0 == 0
    }

    /// Those in both.
    pub(super) fn both(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }

    /// Those of these that a directory can have.
    pub(super) fn for_directory(self) -> Rights {
        self.both(Self::DIRECTORY)
    }

    /// Those of these that a file can have which was opened to read, to write, or both.
    pub(super) fn for_file(self, read: bool, write: bool) -> Rights {
        let without = Rights(if read { 0 } else { Self::FD_READ.0 } | if write { 0 } else { Self::WRITING.0 });
        Rights(self.both(Self::FILE).0 & !without.0)
    }
}

impl BitOr for Rights {
    type Output = Rights;
    fn bitor(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }
}
