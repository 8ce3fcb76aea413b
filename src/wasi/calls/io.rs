//! Reading and writing: files, directories' entries, and standard streams.

use super::{Outcome, State, longest_wait, timespec};
use crate::runtime::{Blocked, BlockedOn};
use crate::wasi::errno::{Errno, Failure};
use crate::wasi::files::{FdFlags, Kind, filetype_of_entry};
use crate::wasi::guest::Guest;
use crate::wasi::rights::Rights;
use crate::wasi::streams::{Input, Output, Stream};
use cap_std::fs::File;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::retry_on_intr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// The most buffers that one read or write may name, as on Linux.
const MAX_VECTORS: u32 = 1024;
/// The most bytes that one call reads or writes: what Linux allows. A program asks again for the rest.
const MAX_TRANSFER: u32 = 0x7fff_f000;
/// The most bytes that a callback gets at once.
const CHUNK: u32 = 1 << 16;
/// How long the head of a directory's entry is, before its name.
const ENTRY_HEAD: usize = 24;

/// Goes through the buffers of a read or a write, until one is not used up. The first failure counts only if nothing
/// was transferred before it.
fn each_buffer(
    guest: &mut Guest<'_>,
    list: u32,
    count: u32,
    mut transfer: impl FnMut(&mut Guest<'_>, u32, u32) -> Result<usize, Failure>,
) -> Result<u32, Failure> {
    if count > MAX_VECTORS {
        return Err(Errno::Invalid.into());
    }
    // Nothing is transferred if a buffer is not there.
    for index in 0..count {
        let (at, len) = guest.io_vector(list, index)?;
        guest.check(at, len)?;
    }
    let mut total = 0;
    for index in 0..count {
        let (at, len) = guest.io_vector(list, index)?;
        let len = len.min(MAX_TRANSFER - total);
        if len == 0 {
            continue;
        }
        let done = match transfer(guest, at, len) {
            Ok(done) => done as u32,
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

/// Says `EAGAIN` where a stream of the process would block and the guest does not want that. Its own flags are not
/// touched: it is the host's.
fn ready(fd: BorrowedFd<'_>, flags: FdFlags, events: PollFlags) -> Outcome {
    if flags.nonblocking() {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        if retry_on_intr(|| rustix::event::poll(&mut [PollFd::new(&fd, events)], Some(&now)))? == 0 {
            return Err(Errno::Again.into());
        }
    }
    Ok(())
}

/// Waits until there is something to read, where the guest may be left or ended meanwhile; elsewhere the read itself
/// waits. Who has `begun` to read waits for no more.
fn wait_to_read(guest: &mut Guest<'_>, fd: BorrowedFd<'_>, begun: bool) -> Outcome {
    let is_there = |patience: u64| -> Result<bool, Failure> {
        let patience = timespec(patience);
        Ok(retry_on_intr(|| rustix::event::poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&patience)))? > 0)
    };
    if begun {
        return if is_there(0)? { Ok(()) } else { Err(Errno::Again.into()) };
    }
    if guest.may_wait() {
        if is_there(0)? {
            return Ok(());
        }
        let on = BlockedOn { descriptor: fd.as_raw_fd(), write: false };
        return Err(guest.leave_to_block(Blocked { until: None, descriptors: vec![on] }, 0));
    }
    while guest.can_be_ended() && !is_there(longest_wait(guest))? {
        guest.end_if_due()?;
    }
    Ok(())
}

/// Where a positioned read or write goes: only files have positions.
fn positioned(kind: &Kind) -> Result<&File, Failure> {
    match kind {
        Kind::File(file) => Ok(file),
        Kind::Dir { .. } => Err(Errno::BadFd.into()),
        Kind::Stream(_) => Err(Errno::NotSeekable.into()),
    }
}

impl State {
    pub(super) fn fd_read(&self, guest: &mut Guest<'_>, fd: u32, list: u32, count: u32, out: u32) -> Outcome {
        guest.check(out, 4)?;
        let mut table = self.table();
        table.get(fd, Rights::FD_READ)?;
        let entry = table.entry_mut(fd)?;
        let flags = entry.flags;
        let total = if let Kind::Stream(Stream::Input(Input::Callback(callback))) = &entry.kind {
            // It may call the guest, or grow its memory: it fills a buffer of ours, and nothing is locked meanwhile.
            let callback = callback.clone();
            drop(table);
            let mut callback = callback.get()?;
            each_buffer(guest, list, count, |guest, at, len| {
                let mut piece = vec![0; len.min(CHUNK) as usize];
                let done = callback(&mut piece);
                let read = piece.get(..done).ok_or(Errno::Io)?;
                guest.write(at, read)?;
                Ok(done)
            })?
        } else {
            let mut begun = false;
            each_buffer(guest, list, count, |guest, at, len| {
                match &entry.kind {
                    Kind::File(file) if !flags.nonblocking() => wait_to_read(guest, file.as_fd(), begun)?,
                    Kind::Stream(Stream::Input(Input::Inherit)) => {
                        ready(rustix::stdio::stdin(), flags, PollFlags::IN)?;
                        wait_to_read(guest, rustix::stdio::stdin(), begun)?;
                    }
                    _ => {}
                }
                begun = true;
                guest.fill(at, len, |to| {
                    Ok(match &mut entry.kind {
                        Kind::Dir { .. } => return Err(Errno::BadFd.into()),
                        Kind::File(file) => retry_on_intr(|| rustix::io::read(&*file, &mut *to))?,
                        Kind::Stream(Stream::Input(Input::Inherit)) => {
                            retry_on_intr(|| rustix::io::read(rustix::stdio::stdin(), &mut *to))?
                        }
                        Kind::Stream(Stream::Input(Input::Bytes { bytes, at })) => {
                            let done = to.len().min(bytes.len() - *at);
                            to[..done].copy_from_slice(&bytes[*at..*at + done]);
                            *at += done;
                            done
                        }
                        Kind::Stream(Stream::Input(Input::Empty | Input::Callback(_))) => 0,
                        Kind::Stream(Stream::Output(_)) => return Err(Errno::BadFd.into()),
                    })
                })
            })?
        };
        guest.write_u32(out, total)
    }

    pub(super) fn fd_write(&self, guest: &mut Guest<'_>, fd: u32, list: u32, count: u32, out: u32) -> Outcome {
        guest.check(out, 4)?;
        let table = self.table();
        let entry = table.get(fd, Rights::FD_WRITE)?;
        let total = if let Kind::Stream(Stream::Output(Output::Callback(callback))) = &entry.kind {
            // It may call the guest, or grow its memory: it gets a copy, and nothing is locked meanwhile.
            let callback = callback.clone();
            drop(table);
            let mut callback = callback.get()?;
            each_buffer(guest, list, count, |guest, at, len| {
                let mut done = 0;
                while done < len {
                    let piece = (len - done).min(CHUNK);
                    let copy = guest.bytes(at + done, piece)?.into_owned();
                    callback(&copy);
                    done += piece;
                }
                Ok(done as usize)
            })?
        } else {
            each_buffer(guest, list, count, |guest, at, len| {
                let from = &*guest.piece(at, len)?;
                Ok(match &entry.kind {
                    Kind::Dir { .. } => return Err(Errno::BadFd.into()),
                    Kind::File(file) => retry_on_intr(|| rustix::io::write(file, from))?,
                    Kind::Stream(Stream::Output(Output::Null | Output::Callback(_))) => from.len(),
                    Kind::Stream(Stream::Output(Output::Buffer(buffer))) => buffer.append(from)?,
                    Kind::Stream(Stream::Output(output @ (Output::Stdout | Output::Stderr))) => {
                        let to = match output {
                            Output::Stdout => rustix::stdio::stdout(),
                            _ => rustix::stdio::stderr(),
                        };
                        ready(to, entry.flags, PollFlags::OUT)?;
                        retry_on_intr(|| rustix::io::write(to, from))?
                    }
                    Kind::Stream(Stream::Input(_)) => return Err(Errno::BadFd.into()),
                })
            })?
        };
        guest.write_u32(out, total)
    }

    pub(super) fn fd_pread(
        &self,
        guest: &mut Guest<'_>,
        fd: u32,
        list: u32,
        count: u32,
        offset: u64,
        out: u32,
    ) -> Outcome {
        guest.check(out, 4)?;
        let table = self.table();
        let entry = table.entry(fd)?;
        let file = positioned(&entry.kind)?;
        entry.with(Rights::FD_READ | Rights::FD_SEEK)?;
        let mut offset = i64::try_from(offset).map_err(|_| Errno::Invalid)? as u64;
        let total = each_buffer(guest, list, count, |guest, at, len| {
            let done = guest.fill(at, len, |to| Ok(retry_on_intr(|| rustix::io::pread(file, &mut *to, offset))?))?;
            offset += done as u64;
            Ok(done)
        })?;
        guest.write_u32(out, total)
    }

    pub(super) fn fd_pwrite(
        &self,
        guest: &mut Guest<'_>,
        fd: u32,
        list: u32,
        count: u32,
        offset: u64,
        out: u32,
    ) -> Outcome {
        guest.check(out, 4)?;
        let table = self.table();
        let entry = table.entry(fd)?;
        let file = positioned(&entry.kind)?;
        entry.with(Rights::FD_WRITE | Rights::FD_SEEK)?;
        let mut offset = i64::try_from(offset).map_err(|_| Errno::Invalid)? as u64;
        let total = each_buffer(guest, list, count, |guest, at, len| {
            let from = &*guest.piece(at, len)?;
            let done = retry_on_intr(|| rustix::io::pwrite(file, from, offset))?;
            offset += done as u64;
            Ok(done)
        })?;
        guest.write_u32(out, total)
    }

    /// Fills a buffer with entries, the last one cut off where it does not fit. A buffer that is not full is the end.
    pub(super) fn fd_readdir(
        &self,
        guest: &mut Guest<'_>,
        fd: u32,
        at: u32,
        len: u32,
        cookie: u64,
        out: u32,
    ) -> Outcome {
        guest.check(out, 4)?;
        guest.check(at, len)?;
        let mut table = self.table();
        table.directory(fd, Rights::FD_READDIR)?;
        let Kind::Dir { dir, preopened, listing } = &mut table.entry_mut(fd)?.kind else {
            return Err(Errno::NotDirectory.into());
        };
        let Some(mut next) = listing.position(cookie) else { return guest.write_u32(out, 0) };
        let used = guest.fill_all(at, len, |to| {
            let mut used = 0;
            while used < to.len() {
                let Some(item) = listing.item(&*dir, next, next == 0)? else { break };
                let name = item.name.as_bytes();
                let mut inode = item.inode;
                if name == b".." && preopened.is_some() {
                    // What is above is nothing to the guest; at a root, as here, it is the directory itself.
                    inode = rustix::fs::fstat(&*dir)?.st_ino;
                }
                let mut head = [0; ENTRY_HEAD];
                head[..8].copy_from_slice(&item.cookie.to_le_bytes());
                head[8..16].copy_from_slice(&inode.to_le_bytes());
                head[16..20].copy_from_slice(&(name.len() as u32).to_le_bytes());
                head[20] = filetype_of_entry(item.filetype);
                for part in [&head, name] {
                    let len = part.len().min(to.len() - used);
                    to[used..used + len].copy_from_slice(&part[..len]);
                    used += len;
                }
                next = item.next;
            }
            Ok(used)
        })?;
        guest.write_u32(out, used as u32)
    }
}
