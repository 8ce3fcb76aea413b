//! The error numbers of preview 1, and how failures of the host become one.

use crate::base::Error;
use std::io;

/// An error number, as the guest gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Errno {
    Access = 2,
    Again = 6,
    BadFd = 8,
    Busy = 10,
    WouldDeadlock = 16,
    DiskQuota = 19,
    Exists = 20,
    Fault = 21,
    FileTooBig = 22,
    IllegalBytes = 25,
    Interrupted = 27,
    Invalid = 28,
    Io = 29,
    IsDirectory = 31,
    TooManyLinks = 32,
    TooManyFiles = 33,
    NameTooLong = 37,
    TooManyFilesInSystem = 41,
    NoDevice = 43,
    NoEntry = 44,
    NoMemory = 48,
    NoSpace = 51,
    NotDirectory = 54,
    NotSupported = 58,
    NoSuchDevice = 60,
    Overflow = 61,
    NotPermitted = 63,
    Pipe = 64,
    ReadOnly = 69,
    NotSeekable = 70,
    TextBusy = 74,
    CrossDevice = 75,
    NotCapable = 76,
}

/// Why a function did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The guest is told by a number.
    Errno(Errno),
    /// The guest's call ends with this error.
    Fatal(Error),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Failure {
        Failure::Errno(errno)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Fatal(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Errno(errno_of(&error))
    }
}

impl From<rustix::io::Errno> for Failure {
    fn from(error: rustix::io::Errno) -> Failure {
        io::Error::from(error).into()
    }
}

fn errno_of(error: &io::Error) -> Errno {
    let Some(number) = error.raw_os_error() else {
        return match error.kind() {
            // So `cap-std` says that a path led out of its directory.
            io::ErrorKind::PermissionDenied => Errno::NotCapable,
            io::ErrorKind::NotFound => Errno::NoEntry,
            io::ErrorKind::AlreadyExists => Errno::Exists,
            io::ErrorKind::InvalidInput => Errno::Invalid,
            io::ErrorKind::Unsupported => Errno::NotSupported,
            _ => Errno::Io,
        };
    };
    match number {
        libc::EACCES => Errno::Access,
        libc::EAGAIN => Errno::Again,
        libc::EBADF => Errno::BadFd,
        libc::EBUSY => Errno::Busy,
        libc::EDQUOT => Errno::DiskQuota,
        libc::EEXIST => Errno::Exists,
        libc::EFBIG => Errno::FileTooBig,
        libc::EILSEQ => Errno::IllegalBytes,
        libc::EINTR => Errno::Interrupted,
        libc::EINVAL => Errno::Invalid,
        libc::EISDIR => Errno::IsDirectory,
        libc::ELOOP => Errno::TooManyLinks,
        libc::EMFILE => Errno::TooManyFiles,
        libc::ENAMETOOLONG => Errno::NameTooLong,
        libc::ENFILE => Errno::TooManyFilesInSystem,
        libc::ENODEV => Errno::NoDevice,
        libc::ENOENT => Errno::NoEntry,
        libc::ENOMEM => Errno::NoMemory,
        libc::ENOSPC => Errno::NoSpace,
        libc::ENOTDIR => Errno::NotDirectory,
        libc::EOPNOTSUPP => Errno::NotSupported,
        libc::ENXIO => Errno::NoSuchDevice,
        libc::EOVERFLOW => Errno::Overflow,
        libc::EPERM => Errno::NotPermitted,
        libc::EPIPE => Errno::Pipe,
        libc::EROFS => Errno::ReadOnly,
        libc::ESPIPE => Errno::NotSeekable,
        libc::ETXTBSY => Errno::TextBusy,
        libc::EXDEV => Errno::CrossDevice,
        _ => Errno::Io,
    }
}
