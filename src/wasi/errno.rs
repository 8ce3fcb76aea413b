//! The error numbers of preview 1, and how failures of the host become one.

use crate::base::Error;
use std::io;

/// An error number, as the guest gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Errno {
    TooBig = 1,
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
    SymlinkLoop = 32,
    TooManyFiles = 33,
    TooManyLinks = 34,
    NameTooLong = 37,
    TooManyFilesInSystem = 41,
    NoDevice = 43,
    NoEntry = 44,
    NoLock = 46,
    NoMemory = 48,
    NoSpace = 51,
    NotImplemented = 52,
    NotDirectory = 54,
    NotEmpty = 55,
    NotSocket = 57,
    NotSupported = 58,
    NotTerminal = 59,
    NoSuchDevice = 60,
    Overflow = 61,
    NotPermitted = 63,
    Pipe = 64,
    OutOfRange = 68,
    ReadOnly = 69,
    NotSeekable = 70,
    Stale = 72,
    TimedOut = 73,
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
        Failure::Errno(of_host(error.raw_os_error()))
    }
}

fn errno_of(error: &io::Error) -> Errno {
    if let Some(number) = error.raw_os_error() {
        return of_host(number);
    }
    match error.kind() {
        // So `cap-std` says that a path led out of its directory.
        io::ErrorKind::PermissionDenied => Errno::NotPermitted,
        io::ErrorKind::NotFound => Errno::NoEntry,
        io::ErrorKind::AlreadyExists => Errno::Exists,
        io::ErrorKind::InvalidInput => Errno::Invalid,
        io::ErrorKind::Unsupported => Errno::NotSupported,
        io::ErrorKind::IsADirectory => Errno::IsDirectory,
        io::ErrorKind::NotADirectory => Errno::NotDirectory,
        _ => Errno::Io,
    }
}

/// What an error number of the host is for the guest.
fn of_host(number: i32) -> Errno {
    match number {
        libc::E2BIG => Errno::TooBig,
        libc::EACCES => Errno::Access,
        libc::EAGAIN => Errno::Again,
        libc::EBADF => Errno::BadFd,
        libc::EBUSY => Errno::Busy,
        libc::EDEADLK => Errno::WouldDeadlock,
        libc::EDQUOT => Errno::DiskQuota,
        libc::EEXIST => Errno::Exists,
        libc::EFBIG => Errno::FileTooBig,
        libc::EILSEQ => Errno::IllegalBytes,
        libc::EINTR => Errno::Interrupted,
        libc::EINVAL => Errno::Invalid,
        libc::EISDIR => Errno::IsDirectory,
        libc::ELOOP => Errno::SymlinkLoop,
        libc::EMFILE => Errno::TooManyFiles,
        libc::EMLINK => Errno::TooManyLinks,
        libc::ENAMETOOLONG => Errno::NameTooLong,
        libc::ENFILE => Errno::TooManyFilesInSystem,
        libc::ENODEV => Errno::NoDevice,
        libc::ENOENT => Errno::NoEntry,
        libc::ENOLCK => Errno::NoLock,
        libc::ENOMEM => Errno::NoMemory,
        libc::ENOSPC => Errno::NoSpace,
        libc::ENOSYS => Errno::NotImplemented,
        libc::ENOTDIR => Errno::NotDirectory,
        libc::ENOTEMPTY => Errno::NotEmpty,
        libc::ENOTTY => Errno::NotTerminal,
        libc::EOPNOTSUPP => Errno::NotSupported,
        libc::ENXIO => Errno::NoSuchDevice,
        libc::EOVERFLOW => Errno::Overflow,
        libc::EPERM => Errno::NotPermitted,
        libc::EPIPE => Errno::Pipe,
        libc::ERANGE => Errno::OutOfRange,
        libc::EROFS => Errno::ReadOnly,
        libc::ESPIPE => Errno::NotSeekable,
        libc::ESTALE => Errno::Stale,
        libc::ETIMEDOUT => Errno::TimedOut,
        libc::ETXTBSY => Errno::TextBusy,
        libc::EXDEV => Errno::CrossDevice,
        _ => Errno::Io,
    }
}
