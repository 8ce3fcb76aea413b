//! The functions that guests import, and the state they share.

use super::MODULE;
use super::errno::{Errno, Failure};
use super::files::{self, Entry, FdFlags, Input, Kind, Open, Output, Stream, Table};
use super::guest::Guest;
use super::rights::Rights;
use crate::base::Result;
use crate::runtime::{AsStoreMut, Caller, Func, Linker, Trap};
use rustix::time::ClockId;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most buffers that one read or write may name, as on Linux.
const MAX_VECTORS: u32 = 1024;
/// The most bytes that one call reads or writes: what Linux allows. A program asks again for the rest.
const MAX_TRANSFER: u32 = 0x7fff_f000;
/// The most bytes that a callback gets at once.
const CHUNK: u32 = 1 << 16;

type Outcome = Result<(), Failure>;

/// What the functions of one guest share.
pub(super) struct State {
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    table: Mutex<Table>,
}

impl State {
    pub(super) fn new(args: Vec<Vec<u8>>, env: Vec<Vec<u8>>, table: Table) -> State {
        State { args, env, table: Mutex::new(table) }
    }

    /// The descriptors. A panic in between leaves a valid table.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the guest gets: 0 or an error number; or the end of its call.
fn errno(outcome: Outcome) -> Result<i32> {
    match outcome {
        Ok(()) => Ok(0),
        Err(Failure::Errno(errno)) => Ok(errno as i32),
        Err(Failure::Fatal(error)) => Err(error),
    }
}

/// Defines all functions in a linker.
pub(super) fn define(linker: &mut Linker, mut store: impl AsStoreMut, state: State) -> Result<()> {
    let state = Arc::new(state);
    let mut store = store.as_store_mut();
    /// Defines functions: `name(parameters)` is the method of that name.
    macro_rules! functions {
        ($($name:ident($($param:ident: $ty:ty),*);)*) => { $(
            let shared = state.clone();
            let body = move |caller: Caller<'_>, $($param: $ty),*| -> Result<i32> {
                let mut guest = Guest::new(caller, stringify!($name))?;
                errno(shared.$name(&mut guest, $($param),*))
            };
            let func = Func::wrap(&mut store, body)?;
            linker.define(MODULE, stringify!($name), func)?;
        )* };
    }
    functions! {
        args_get(list: u32, bytes: u32);
        args_sizes_get(count: u32, size: u32);
        environ_get(list: u32, bytes: u32);
        environ_sizes_get(count: u32, size: u32);
        clock_res_get(clock: u32, out: u32);
        clock_time_get(clock: u32, precision: u64, out: u32);
        random_get(at: u32, len: u32);
        fd_read(fd: u32, list: u32, count: u32, out: u32);
        fd_write(fd: u32, list: u32, count: u32, out: u32);
        fd_seek(fd: u32, offset: i64, whence: u32, out: u32);
        fd_tell(fd: u32, out: u32);
        fd_close(fd: u32);
        fd_fdstat_get(fd: u32, out: u32);
        fd_filestat_get(fd: u32, out: u32);
        fd_prestat_get(fd: u32, out: u32);
        fd_prestat_dir_name(fd: u32, at: u32, len: u32);
        path_open(
            fd: u32, lookup: u32, path: u32, path_len: u32, oflags: u32, rights: u64, inheriting: u64, fdflags: u32, out: u32
        );
        path_filestat_get(fd: u32, lookup: u32, path: u32, path_len: u32, out: u32);
    }
    let exit = Func::wrap(&mut store, |status: i32| -> Result<()> { Err(Trap::exit(status).into()) })?;
    linker.define(MODULE, "proc_exit", exit)?;
    Ok(())
}

/// Writes strings one after the other, each with a NUL, and a list of their addresses.
fn write_strings(guest: &mut Guest<'_>, strings: &[Vec<u8>], list: u32, bytes: u32) -> Outcome {
    let (mut at, mut slot) = (bytes, list);
    for string in strings {
        guest.write_u32(slot, at)?;
        guest.write(at, string)?;
        let end = u32::try_from(string.len()).ok().and_then(|len| at.checked_add(len)).ok_or(Errno::Fault)?;
        guest.write(end, &[0])?;
        at = end.checked_add(1).ok_or(Errno::Fault)?;
        slot = slot.checked_add(4).ok_or(Errno::Fault)?;
    }
    Ok(())
}

/// Writes how many strings there are and how many bytes they have, NULs counted.
fn write_sizes(guest: &mut Guest<'_>, strings: &[Vec<u8>], count: u32, size: u32) -> Outcome {
    let number = u32::try_from(strings.len()).map_err(|_| Errno::Overflow)?;
    let bytes = u32::try_from(strings.iter().map(|s| s.len() + 1).sum::<usize>()).map_err(|_| Errno::Overflow)?;
    guest.write_u32(count, number)?;
    guest.write_u32(size, bytes)
}

fn clock_of(clock: u32) -> Result<ClockId, Failure> {
    match clock {
        0 => Ok(ClockId::Realtime),
        1 => Ok(ClockId::Monotonic),
        2 => Ok(ClockId::ProcessCPUTime),
        3 => Ok(ClockId::ThreadCPUTime),
        _ => Err(Errno::Invalid.into()),
    }
}

fn nanoseconds(time: rustix::time::Timespec) -> Result<u64, Failure> {
    let seconds = u64::try_from(time.tv_sec).map_err(|_| Errno::Overflow)?;
    let rest = u64::try_from(time.tv_nsec).map_err(|_| Errno::Overflow)?;
    Ok(seconds.checked_mul(1_000_000_000).and_then(|all| all.checked_add(rest)).ok_or(Errno::Overflow)?)
}

/// Goes through the buffers of a read or a write, until one is not used up. The first failure counts only if nothing was
/// transferred before it.
fn each_buffer(
    guest: &mut Guest<'_>,
    list: u32,
    count: u32,
    mut transfer: impl FnMut(&mut Guest<'_>, u32, u32) -> Result<u32, Failure>,
) -> Result<u32, Failure> {
    if count > MAX_VECTORS {
        return Err(Errno::Invalid.into());
    }
    // Nothing is transferred if a buffer is not there.
    for index in 0..count {
        let (at, len) = guest.io_vector(list, index)?;
        guest.bytes(at, len)?;
    }
    let mut total = 0;
    for index in 0..count {
        let (at, len) = guest.io_vector(list, index)?;
        let len = len.min(MAX_TRANSFER - total);
        if len == 0 {
            continue;
        }
        let done = match transfer(guest, at, len) {
            Ok(done) => done,
            Err(Failure::Errno(_)) if total > 0 => break,
            Err(failure) => return Err(failure),
        };
        total += done;
        if done < len {
            break;
        }
    }
    Ok(total)
}

impl State {
    fn args_get(&self, guest: &mut Guest<'_>, list: u32, bytes: u32) -> Outcome {
        write_strings(guest, &self.args, list, bytes)
    }

    fn args_sizes_get(&self, guest: &mut Guest<'_>, count: u32, size: u32) -> Outcome {
        write_sizes(guest, &self.args, count, size)
    }

    fn environ_get(&self, guest: &mut Guest<'_>, list: u32, bytes: u32) -> Outcome {
        write_strings(guest, &self.env, list, bytes)
    }

    fn environ_sizes_get(&self, guest: &mut Guest<'_>, count: u32, size: u32) -> Outcome {
        write_sizes(guest, &self.env, count, size)
    }

    fn clock_res_get(&self, guest: &mut Guest<'_>, clock: u32, out: u32) -> Outcome {
        let resolution = nanoseconds(rustix::time::clock_getres(clock_of(clock)?))?;
        guest.write_u64(out, resolution)
    }

    fn clock_time_get(&self, guest: &mut Guest<'_>, clock: u32, _precision: u64, out: u32) -> Outcome {
        let time = nanoseconds(rustix::time::clock_gettime(clock_of(clock)?))?;
        guest.write_u64(out, time)
    }

    fn random_get(&self, guest: &mut Guest<'_>, at: u32, len: u32) -> Outcome {
        let mut rest = guest.bytes(at, len)?;
        while !rest.is_empty() {
            match rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty()) {
                Ok(done) => rest = &mut rest[done..],
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn fd_read(&self, guest: &mut Guest<'_>, fd: u32, list: u32, count: u32, out: u32) -> Outcome {
        guest.bytes(out, 4)?;
        let mut table = self.table();
        let entry = table.get(fd, Rights::FD_READ)?;
        let total = each_buffer(guest, list, count, |guest, at, len| {
            let to = guest.bytes(at, len)?;
            let done = match &mut entry.kind {
                Kind::Dir { .. } => return Err(Errno::IsDirectory.into()),
                Kind::File { file, .. } => file.read(to)?,
                Kind::Stream(Stream::Input(Input::Empty)) => 0,
                Kind::Stream(Stream::Input(Input::Inherit)) => rustix::io::read(rustix::stdio::stdin(), to)?,
                Kind::Stream(Stream::Input(Input::Bytes { bytes, at })) => {
                    let done = to.len().min(bytes.len() - *at);
                    to[..done].copy_from_slice(&bytes[*at..*at + done]);
                    *at += done;
                    done
                }
                Kind::Stream(Stream::Output(_)) => return Err(Errno::BadFd.into()),
            };
            Ok(done as u32)
        })?;
        guest.write_u32(out, total)
    }

    fn fd_write(&self, guest: &mut Guest<'_>, fd: u32, list: u32, count: u32, out: u32) -> Outcome {
        guest.bytes(out, 4)?;
        let total = each_buffer(guest, list, count, |guest, at, len| {
            let mut table = self.table();
            let done = match &mut table.get(fd, Rights::FD_WRITE)?.kind {
                Kind::Dir { .. } => return Err(Errno::IsDirectory.into()),
                Kind::File { file, .. } => file.write(guest.bytes(at, len)?)?,
                Kind::Stream(Stream::Output(Output::Null)) => guest.bytes(at, len)?.len(),
                Kind::Stream(Stream::Output(Output::Stdout)) => {
                    rustix::io::write(rustix::stdio::stdout(), guest.bytes(at, len)?)?
                }
                Kind::Stream(Stream::Output(Output::Stderr)) => {
                    rustix::io::write(rustix::stdio::stderr(), guest.bytes(at, len)?)?
                }
                Kind::Stream(Stream::Output(Output::Callback(slot))) => {
                    // It may call the guest, or grow its memory: it gets a copy, and nothing is locked meanwhile.
                    let mut callback = slot.take().ok_or(Errno::WouldDeadlock)?;
                    drop(table);
                    let written = self.call_back(guest, &mut callback, at, len);
                    if let Ok(Entry { kind: Kind::Stream(Stream::Output(Output::Callback(slot))), .. }) =
                        self.table().get(fd, Rights::NONE)
                    {
                        *slot = Some(callback);
                    }
                    written?
                }
                Kind::Stream(Stream::Input(_)) => return Err(Errno::BadFd.into()),
            };
            Ok(done as u32)
        })?;
        if count == 0 {
            self.table().get(fd, Rights::FD_WRITE)?;
        }
        guest.write_u32(out, total)
    }

    /// Gives a callback what a guest writes, piece by piece.
    fn call_back(
        &self,
        guest: &mut Guest<'_>,
        callback: &mut dyn FnMut(&[u8]),
        at: u32,
        len: u32,
    ) -> Result<usize, Failure> {
        let mut done = 0;
        while done < len {
            let piece = (len - done).min(CHUNK);
            let copy = guest.bytes(at + done, piece)?.to_vec();
            callback(&copy);
            done += piece;
        }
        Ok(done as usize)
    }

    fn seek(&self, guest: &mut Guest<'_>, fd: u32, to: SeekFrom, rights: Rights, out: u32) -> Outcome {
        guest.bytes(out, 8)?;
        let mut table = self.table();
        let position = match &mut table.get(fd, Rights::NONE)? {
            Entry { kind: Kind::Stream(_), .. } => return Err(Errno::NotSeekable.into()),
            Entry { kind: Kind::Dir { .. }, .. } => return Err(Errno::BadFd.into()),
            Entry { rights: given, .. } if !given.contains(rights) => return Err(Errno::NotCapable.into()),
            Entry { kind: Kind::File { file, .. }, .. } => file.seek(to)?,
        };
        guest.write_u64(out, position)
    }

    fn fd_seek(&self, guest: &mut Guest<'_>, fd: u32, offset: i64, whence: u32, out: u32) -> Outcome {
        let (to, rights) = match whence {
            0 => (SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::Invalid)?), Rights::FD_SEEK),
            1 if offset == 0 => (SeekFrom::Current(0), Rights::FD_TELL),
            1 => (SeekFrom::Current(offset), Rights::FD_SEEK),
            2 => (SeekFrom::End(offset), Rights::FD_SEEK),
            _ => return Err(Errno::Invalid.into()),
        };
        self.seek(guest, fd, to, rights, out)
    }

    fn fd_tell(&self, guest: &mut Guest<'_>, fd: u32, out: u32) -> Outcome {
        self.seek(guest, fd, SeekFrom::Current(0), Rights::FD_TELL, out)
    }

    fn fd_close(&self, _: &mut Guest<'_>, fd: u32) -> Outcome {
        self.table().close(fd)
    }

    fn fd_fdstat_get(&self, guest: &mut Guest<'_>, fd: u32, out: u32) -> Outcome {
        let mut table = self.table();
        let entry = table.get(fd, Rights::NONE)?;
        let flags = match entry.kind {
            Kind::File { flags, .. } => flags,
            _ => FdFlags::NONE,
        };
        let mut stat = [0; 24];
        stat[0] = entry.filetype()?;
        stat[2..4].copy_from_slice(&flags.bits().to_le_bytes());
        stat[8..16].copy_from_slice(&entry.rights.bits().to_le_bytes());
        stat[16..].copy_from_slice(&entry.inheriting.bits().to_le_bytes());
        guest.write(out, &stat)
    }

    fn fd_filestat_get(&self, guest: &mut Guest<'_>, fd: u32, out: u32) -> Outcome {
        let stat = self.table().get(fd, Rights::FD_FILESTAT_GET)?.filestat()?;
        guest.write(out, &stat)
    }

    /// The name of a preopened directory. Programs ask for one number after the other until `EBADF`.
    fn preopened(&self, fd: u32) -> Result<String, Failure> {
        match &self.table().get(fd, Rights::NONE)?.kind {
            Kind::Dir { preopened: Some(name), .. } => Ok(name.clone()),
            _ => Err(Errno::BadFd.into()),
        }
    }

    fn fd_prestat_get(&self, guest: &mut Guest<'_>, fd: u32, out: u32) -> Outcome {
        let len = u32::try_from(self.preopened(fd)?.len()).map_err(|_| Errno::Overflow)?;
        // The tag 0 is a directory, the only one there is.
        guest.write_u64(out, u64::from(len) << 32)
    }

    fn fd_prestat_dir_name(&self, guest: &mut Guest<'_>, fd: u32, at: u32, len: u32) -> Outcome {
        let name = self.preopened(fd)?;
        if name.len() > len as usize {
            return Err(Errno::NameTooLong.into());
        }
        guest.write(at, name.as_bytes())
    }

    #[allow(clippy::too_many_arguments)] // as preview 1 has it
    fn path_open(
        &self,
        guest: &mut Guest<'_>,
        fd: u32,
        lookup: u32,
        path: u32,
        path_len: u32,
        oflags: u32,
        rights: u64,
        inheriting: u64,
        fdflags: u32,
        out: u32,
    ) -> Outcome {
        guest.bytes(out, 4)?;
        let mut table = self.table();
        let parent = table.directory(fd, Rights::PATH_OPEN)?;
        let open = Open::new(lookup, oflags, rights, inheriting, fdflags)?;
        let entry = open.open(parent, &guest.path(path, path_len)?)?;
        let fd = table.add(entry);
        guest.write_u32(out, fd)
    }

    fn path_filestat_get(
        &self,
        guest: &mut Guest<'_>,
        fd: u32,
        lookup: u32,
        path: u32,
        path_len: u32,
        out: u32,
    ) -> Outcome {
        let mut table = self.table();
        let dir = table.directory(fd, Rights::PATH_FILESTAT_GET)?.dir()?;
        let path = guest.path(path, path_len)?;
        let metadata = if files::follows(lookup)? { dir.metadata(&path)? } else { dir.symlink_metadata(&path)? };
        guest.write(out, &files::filestat(&metadata))
    }
}
