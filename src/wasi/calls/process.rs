//! Arguments, environment, clocks, random bytes, and what there is of processes and sockets.

use super::{Outcome, State, clock_of, nanoseconds};
use crate::wasi::errno::Errno;
use crate::wasi::guest::Guest;
use rustix::io::retry_on_intr;

/// The highest signal that preview 1 knows.
const SIGSYS: u32 = 30;

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

impl State {
    pub(super) fn args_get(&self, guest: &mut Guest<'_>, list: u32, bytes: u32) -> Outcome {
        write_strings(guest, &self.args, list, bytes)
    }

    pub(super) fn args_sizes_get(&self, guest: &mut Guest<'_>, count: u32, size: u32) -> Outcome {
        write_sizes(guest, &self.args, count, size)
    }

    pub(super) fn environ_get(&self, guest: &mut Guest<'_>, list: u32, bytes: u32) -> Outcome {
        write_strings(guest, &self.env, list, bytes)
    }

    pub(super) fn environ_sizes_get(&self, guest: &mut Guest<'_>, count: u32, size: u32) -> Outcome {
        write_sizes(guest, &self.env, count, size)
    }

    pub(super) fn clock_res_get(&self, guest: &mut Guest<'_>, clock: u32, out: u32) -> Outcome {
        let resolution = nanoseconds(rustix::time::clock_getres(clock_of(clock)?))?;
        guest.write_u64(out, resolution)
    }

    pub(super) fn clock_time_get(&self, guest: &mut Guest<'_>, clock: u32, _precision: u64, out: u32) -> Outcome {
        let time = nanoseconds(rustix::time::clock_gettime(clock_of(clock)?))?;
        guest.write_u64(out, time)
    }

    pub(super) fn random_get(&self, guest: &mut Guest<'_>, at: u32, len: u32) -> Outcome {
        guest.check(at, len)?;
        let mut done = 0;
        while done < len {
            let piece = guest.fill(at + done, len - done, |rest| {
                Ok(retry_on_intr(|| rustix::rand::getrandom(&mut *rest, rustix::rand::GetRandomFlags::empty()))?)
            })?;
            done += piece as u32;
        }
        Ok(())
    }

    /// No signal is raised: it would be the host's.
    pub(super) fn proc_raise(&self, _: &mut Guest<'_>, signal: u32) -> Outcome {
        if signal > SIGSYS { Err(Errno::Invalid.into()) } else { Err(Errno::NotSupported.into()) }
    }

    pub(super) fn sched_yield(&self, _: &mut Guest<'_>) -> Outcome {
        std::thread::yield_now();
        Ok(())
    }

    /// What the functions for sockets say: no descriptor is one.
    fn no_socket(&self, fd: u32) -> Outcome {
        self.table().entry(fd)?;
        Err(Errno::NotSocket.into())
    }

    pub(super) fn sock_accept(&self, _: &mut Guest<'_>, fd: u32, _flags: u32, _out: u32) -> Outcome {
        self.no_socket(fd)
    }

    #[allow(clippy::too_many_arguments)] // as preview 1 has it
    pub(super) fn sock_recv(
        &self,
        _: &mut Guest<'_>,
        fd: u32,
        _list: u32,
        _count: u32,
        _flags: u32,
        _out: u32,
        _out_flags: u32,
    ) -> Outcome {
        self.no_socket(fd)
    }

    pub(super) fn sock_send(
        &self,
        _: &mut Guest<'_>,
        fd: u32,
        _list: u32,
        _count: u32,
        _flags: u32,
        _out: u32,
    ) -> Outcome {
        self.no_socket(fd)
    }

    pub(super) fn sock_shutdown(&self, _: &mut Guest<'_>, fd: u32, _how: u32) -> Outcome {
        self.no_socket(fd)
    }
}
