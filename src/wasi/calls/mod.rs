//! The functions that guests import, one file per kind, and the state they share. Each is a method of [`State`] with
//! the parameters that preview 1 gives it.

mod fds;
mod io;
mod paths;
mod poll;
mod process;

use super::MODULE;
use super::errno::{Errno, Failure};
use super::files::Table;
use super::guest::Guest;
use super::program::Source;
use super::threads;
use crate::base::Result;
use crate::runtime::{Caller, Func, HostOrigin, IntoFunc, Linker, StoreMut, Trap};
use rustix::time::{ClockId, Timespec};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// How long something is waited for at once, in nanoseconds: then it is looked whether a clock was set, or (where the
/// engine can do that) whether the guest is to end.
fn longest_wait(guest: &Guest<'_>) -> u64 {
    if guest.can_be_ended() { 20_000_000 } else { 1_000_000_000 }
}

/// What the guest gets: 0 or an error number; or the end of its call.
fn errno(outcome: Outcome) -> Result<i32> {
    match outcome {
        Ok(()) => Ok(0),
        Err(Failure::Errno(errno)) => Ok(errno as i32),
        Err(Failure::Fatal(error)) => Err(error),
    }
}

/// Defines a function in a linker: in a store, or for every store.
fn add<P, R>(
    linker: &mut Linker,
    store: Option<&mut StoreMut<'_>>,
    name: &str,
    origin: &'static str,
    body: impl IntoFunc<P, R>,
) -> Result<()> {
    let Some(store) = store else {
        linker.func_wrap(MODULE, name, body)?;
        linker.set_origin(MODULE, name, HostOrigin::Ours(origin));
        return Ok(());
    };
    let func = Func::wrap(&mut *store, body)?;
    func.set_origin(store, HostOrigin::Ours(origin))?;
    linker.define(MODULE, name, func)?;
    Ok(())
}

/// Defines all functions in a linker: in a store, or (without one) for every store.
pub(super) fn define(linker: &mut Linker, mut store: Option<StoreMut<'_>>, source: &Source) -> Result<()> {
    /// Defines functions: `name(parameters)` is the method of that name.
    macro_rules! functions {
        ($($name:ident($($param:ident: $ty:ty),* $(,)?);)*) => { $(
            let here = source.clone();
            let body = move |caller: Caller<'_>, $($param: $ty),*| -> Result<i32> {
                let program = here.find(&caller, stringify!($name))?;
                let mut guest = Guest::new(caller, stringify!($name))?;
                errno(program.$name(&mut guest, $($param),*))
            };
            let origin = concat!("wasi_snapshot_preview1.", stringify!($name));
            add(linker, store.as_mut(), stringify!($name), origin, body)?;
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
        proc_raise(signal: u32);
        sched_yield();
        poll_oneoff(subscriptions: u32, events: u32, count: u32, out: u32);
        fd_advise(fd: u32, offset: u64, len: u64, advice: u32);
        fd_allocate(fd: u32, offset: u64, len: u64);
        fd_close(fd: u32);
        fd_datasync(fd: u32);
        fd_fdstat_get(fd: u32, out: u32);
        fd_fdstat_set_flags(fd: u32, flags: u32);
        fd_fdstat_set_rights(fd: u32, rights: u64, inheriting: u64);
        fd_filestat_get(fd: u32, out: u32);
        fd_filestat_set_size(fd: u32, size: u64);
        fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32);
        fd_pread(fd: u32, list: u32, count: u32, offset: u64, out: u32);
        fd_prestat_get(fd: u32, out: u32);
        fd_prestat_dir_name(fd: u32, at: u32, len: u32);
        fd_pwrite(fd: u32, list: u32, count: u32, offset: u64, out: u32);
        fd_read(fd: u32, list: u32, count: u32, out: u32);
        fd_readdir(fd: u32, at: u32, len: u32, cookie: u64, out: u32);
        fd_renumber(from: u32, to: u32);
        fd_seek(fd: u32, offset: i64, whence: u32, out: u32);
        fd_sync(fd: u32);
        fd_tell(fd: u32, out: u32);
        fd_write(fd: u32, list: u32, count: u32, out: u32);
        path_create_directory(fd: u32, path: u32, path_len: u32);
        path_filestat_get(fd: u32, lookup: u32, path: u32, path_len: u32, out: u32);
        path_filestat_set_times(
            fd: u32, lookup: u32, path: u32, path_len: u32, accessed: u64, modified: u64, flags: u32,
        );
        path_link(old_fd: u32, lookup: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32);
        path_open(
            fd: u32, lookup: u32, path: u32, path_len: u32, oflags: u32, rights: u64, inheriting: u64, fdflags: u32, out: u32,
        );
        path_readlink(fd: u32, path: u32, path_len: u32, at: u32, len: u32, out: u32);
        path_remove_directory(fd: u32, path: u32, path_len: u32);
        path_rename(old_fd: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32);
        path_symlink(old: u32, old_len: u32, fd: u32, new: u32, new_len: u32);
        path_unlink_file(fd: u32, path: u32, path_len: u32);
        sock_accept(fd: u32, flags: u32, out: u32);
        sock_recv(fd: u32, list: u32, count: u32, flags: u32, out: u32, out_flags: u32);
        sock_send(fd: u32, list: u32, count: u32, flags: u32, out: u32);
        sock_shutdown(fd: u32, how: u32);
    }
    let here = source.clone();
    let exit = move |caller: Caller<'_>, status: i32| -> Result<()> {
        if let Some(threads) = here.find(&caller, "proc_exit")?.threads() {
            threads.end_others();
        }
        Err(Trap::exit(status).into())
    };
    add(linker, store.as_mut(), "proc_exit", "wasi_snapshot_preview1.proc_exit", exit)?;
    linker.explain_absence(threads::MODULE, "the program begins threads, and its WASI configuration lets it have none");
    linker.explain_absence(
        "wasi_unstable",
        &format!("the draft of WASI before preview 1 is not supported: build the program for {MODULE}"),
    );
    Ok(())
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

fn nanoseconds(time: Timespec) -> Result<u64, Failure> {
    let seconds = u64::try_from(time.tv_sec).map_err(|_| Errno::Overflow)?;
    let rest = u64::try_from(time.tv_nsec).map_err(|_| Errno::Overflow)?;
    Ok(seconds.checked_mul(1_000_000_000).and_then(|all| all.checked_add(rest)).ok_or(Errno::Overflow)?)
}

fn timespec(nanoseconds: u64) -> Timespec {
    Timespec { tv_sec: (nanoseconds / 1_000_000_000) as i64, tv_nsec: (nanoseconds % 1_000_000_000) as _ }
}
