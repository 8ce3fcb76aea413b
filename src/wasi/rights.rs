//! What may be done with a descriptor. Preview 1 gives each two sets: what it may be used for, and what descriptors opened
//! through it may have at most.

use std::ops::BitOr;

/// A set of rights, by the bits of preview 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rights(u64);

impl Rights {
    pub(super) const NONE: Rights = Rights(0);
    pub(super) const FD_DATASYNC: Rights = Rights(1 << 0);
    pub(super) const FD_READ: Rights = Rights(1 << 1);
    pub(super) const FD_SEEK: Rights = Rights(1 << 2);
    pub(super) const FD_FDSTAT_SET_FLAGS: Rights = Rights(1 << 3);
    pub(super) const FD_SYNC: Rights = Rights(1 << 4);
    pub(super) const FD_TELL: Rights = Rights(1 << 5);
    pub(super) const FD_WRITE: Rights = Rights(1 << 6);
    pub(super) const FD_ADVISE: Rights = Rights(1 << 7);
    pub(super) const FD_ALLOCATE: Rights = Rights(1 << 8);
    pub(super) const PATH_CREATE_FILE: Rights = Rights(1 << 10);
    pub(super) const PATH_OPEN: Rights = Rights(1 << 13);
    pub(super) const FD_READDIR: Rights = Rights(1 << 14);
    pub(super) const PATH_READLINK: Rights = Rights(1 << 15);
    pub(super) const PATH_FILESTAT_GET: Rights = Rights(1 << 18);
    pub(super) const PATH_FILESTAT_SET_SIZE: Rights = Rights(1 << 19);
    pub(super) const FD_FILESTAT_GET: Rights = Rights(1 << 21);
    pub(super) const FD_FILESTAT_SET_SIZE: Rights = Rights(1 << 22);
    pub(super) const POLL_FD_READWRITE: Rights = Rights(1 << 27);
    /// All that preview 1 knows.
    const KNOWN: u64 = (1 << 30) - 1;

    /// What makes sense for a directory, changing what is in it left out.
    const DIRECTORY_LOOK: Rights = Rights(
        Self::PATH_OPEN.0
            | Self::FD_READDIR.0
            | Self::PATH_READLINK.0
            | Self::PATH_FILESTAT_GET.0
            | Self::FD_FILESTAT_GET.0
            | Self::FD_FDSTAT_SET_FLAGS.0
            | Self::FD_SYNC.0,
    );
    /// What makes sense for a directory: all of the `path_*` ones.
    const DIRECTORY: Rights = Rights(Self::DIRECTORY_LOOK.0 | 0x7ff_fe00 & !Self::FILE_ONLY.0);
    /// What makes no sense for a directory, among the bits of the `path_*` ones.
    const FILE_ONLY: Rights = Rights(Self::FD_FILESTAT_SET_SIZE.0);
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
        Self::FILE_LOOK.0 | Self::FD_WRITE.0 | Self::FD_ALLOCATE.0 | Self::FD_FILESTAT_SET_SIZE.0 | 1 << 23, // fd_filestat_set_times
    );
    /// Those by which a program says that it opens a file to write.
    pub(super) const WRITING: Rights = Rights(Self::FD_WRITE.0 | Self::FD_ALLOCATE.0 | Self::FD_FILESTAT_SET_SIZE.0);
    /// Those by which it says that it opens to read.
    pub(super) const READING: Rights = Rights(Self::FD_READ.0 | Self::FD_READDIR.0);

    /// The rights of a preopened directory, and those it passes on.
    pub(super) fn preopened(read_write: bool) -> (Rights, Rights) {
        match read_write {
            true => (Self::DIRECTORY, Self::DIRECTORY | Self::FILE),
            false => (Self::DIRECTORY_LOOK, Self::DIRECTORY_LOOK | Self::FILE_LOOK),
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

    /// Whether any of `other` is among these.
    pub(super) fn any(self, other: Rights) -> bool {
        self.0 & other.0 != 0
    }

    /// Those in both.
    pub(super) fn both(self, other: Rights) -> Rights {
        Rights(self.0 & other.0)
    }

    /// Those of these that a directory, or else a file, can have.
    pub(super) fn for_kind(self, directory: bool) -> Rights {
        self.both(if directory { Self::DIRECTORY } else { Self::FILE })
    }
}

impl BitOr for Rights {
    type Output = Rights;
    fn bitor(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }
}
