//! `poll_oneoff`: waiting for times and for descriptors.

use super::{Outcome, State, clock_of, longest_wait, nanoseconds, timespec};
use crate::runtime::{Blocked, BlockedOn};
use crate::wasi::errno::{Errno, Failure};
use crate::wasi::files::{Entry, Kind, Table};
use crate::wasi::guest::Guest;
use crate::wasi::rights::Rights;
use crate::wasi::streams::{Input, Output, Stream};
use rustix::event::{PollFd, PollFlags};
use rustix::time::ClockId;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// The most subscriptions of one call. Linux allows as many as the process may have descriptors.
const MAX_SUBSCRIPTIONS: u32 = 1 << 14;
/// The size of a subscription, and of an event.
const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;
/// How long, in nanoseconds, a clock is trusted that can be set.
const SETTABLE: u64 = 1_000_000_000;
/// What is waited for.
enum Wait {
    /// A clock says so much or more.
    Time {
        clock: ClockId,
        until: u64,
    },
    Read(u32),
    Write(u32),
    /// Nothing: the guest asked for what there is not.
    Refused(Errno),
}

/// One thing that is waited for, and what the guest calls it.
struct Subscription {
    user: u64,
    ty: u8,
    wait: Wait,
}

/// What happened to one.
#[derive(Default)]
struct Event {
    errno: u16,
    bytes: u64,
    hangup: bool,
}

impl From<Errno> for Event {
    fn from(errno: Errno) -> Event {
        Event { errno: errno as u16, ..Event::default() }
    }
}

/// How it stands with a descriptor.
enum Standing<'a> {
    Ready(Event),
    /// The host has to be asked.
    Ask(BorrowedFd<'a>, PollFlags),
}

fn number<const N: usize>(from: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&from[at..at + N]);
    out
}

impl Subscription {
    /// One that was made at this time of the clock that nobody sets.
    fn read(from: &[u8], made: u64) -> Result<Subscription, Failure> {
        let fd = u32::from_le_bytes(number(from, 16));
        let (user, ty) = (u64::from_le_bytes(number(from, 0)), from[8]);
        let wait = match ty {
            0 => {
                let (time, flags) = (u64::from_le_bytes(number(from, 24)), u16::from_le_bytes(number(from, 40)));
                Wait::time(fd, time, flags, made)
            }
            1 => Wait::Read(fd),
            2 => Wait::Write(fd),
            _ => return Err(Errno::Invalid.into()),
        };
        Ok(Subscription { user, ty, wait })
    }
}

impl Wait {
    fn time(clock: u32, time: u64, flags: u16, made: u64) -> Wait {
        let clock = match clock_of(clock) {
            Ok(clock @ (ClockId::Realtime | ClockId::Monotonic)) => clock,
            Ok(_) => return Wait::Refused(Errno::NotSupported),
            Err(_) => return Wait::Refused(Errno::Invalid),
        };
        match flags {
            // A duration is one of the clock that nobody sets.
            0 => Wait::Time { clock: ClockId::Monotonic, until: made.saturating_add(time) },
            1 => Wait::Time { clock, until: time },
            _ => Wait::Refused(Errno::Invalid),
        }
    }

    /// Whether this is a descriptor that there is not.
    fn is_for_nothing(&self, table: &Table) -> bool {
        matches!(*self, Wait::Read(fd) | Wait::Write(fd) if table.entry(fd).is_err())
    }

    /// What is known without asking the host.
    fn standing<'a>(&self, table: &'a Table) -> Result<Standing<'a>, Failure> {
        Ok(match *self {
            Wait::Refused(errno) => Standing::Ready(errno.into()),
            Wait::Time { .. } => unreachable!("times are looked at by themselves"),
            Wait::Read(fd) => match table.entry(fd) {
                Err(_) => Standing::Ready(Errno::BadFd.into()),
                Ok(entry) => read(entry),
            },
            Wait::Write(fd) => match table.entry(fd) {
                Err(_) => Standing::Ready(Errno::BadFd.into()),
                Ok(entry) => write(entry),
            },
        })
    }
}

/// Whether a descriptor that was not opened for this is ready all the same: a regular file always is, as POSIX has it.
fn is_always_ready(entry: &Entry) -> bool {
    matches!(&entry.kind, Kind::File(file) if file.metadata().is_ok_and(|about| about.is_file()))
}

/// Whether there is something to read.
fn read(entry: &Entry) -> Standing<'_> {
    let bytes = match &entry.kind {
        Kind::Dir { .. } | Kind::Stream(Stream::Output(_)) => return Standing::Ready(Errno::BadFd.into()),
        _ if !entry.rights.contains(Rights::FD_READ) && !is_always_ready(entry) => {
            return Standing::Ready(Errno::BadFd.into());
        }
        _ if !entry.rights.contains(Rights::POLL_FD_READWRITE) => return Standing::Ready(Errno::NotCapable.into()),
        Kind::File(file) => return Standing::Ask(file.as_fd(), PollFlags::IN),
        Kind::Stream(Stream::Input(Input::Inherit)) => return Standing::Ask(rustix::stdio::stdin(), PollFlags::IN),
        Kind::Stream(Stream::Input(Input::Empty)) => 0,
        Kind::Stream(Stream::Input(Input::Bytes { bytes, at })) => bytes.len() - at,
        // It is there to be asked; how much it will give is not known.
        Kind::Stream(Stream::Input(Input::Callback(_))) => 1,
    };
    Standing::Ready(Event { bytes: bytes as u64, hangup: bytes == 0, ..Event::default() })
}

/// Whether there is room to write.
fn write(entry: &Entry) -> Standing<'_> {
    match &entry.kind {
        Kind::Dir { .. } | Kind::Stream(Stream::Input(_)) => Standing::Ready(Errno::BadFd.into()),
        _ if !entry.rights.contains(Rights::FD_WRITE) && !is_always_ready(entry) => {
            Standing::Ready(Errno::BadFd.into())
        }
        _ if !entry.rights.contains(Rights::POLL_FD_READWRITE) => Standing::Ready(Errno::NotCapable.into()),
        Kind::File(file) => Standing::Ask(file.as_fd(), PollFlags::OUT),
        Kind::Stream(Stream::Output(Output::Stdout)) => Standing::Ask(rustix::stdio::stdout(), PollFlags::OUT),
        Kind::Stream(Stream::Output(Output::Stderr)) => Standing::Ask(rustix::stdio::stderr(), PollFlags::OUT),
        Kind::Stream(Stream::Output(_)) => Standing::Ready(Event { bytes: 1 << 16, ..Event::default() }),
    }
}

/// What a descriptor of the host said.
fn answer(fd: &PollFd<'_>, asked: PollFlags) -> Option<Event> {
    let said = fd.revents();
    if said.is_empty() {
        return None;
    }
    if said.contains(PollFlags::NVAL) {
        return Some(Errno::BadFd.into());
    }
    let bytes = match asked.contains(PollFlags::IN) {
        true => rustix::io::ioctl_fionread(fd).unwrap_or(0),
        false => 0,
    };
    Some(Event { bytes, hangup: said.intersects(PollFlags::HUP | PollFlags::ERR), ..Event::default() })
}

fn now(clock: ClockId) -> Result<u64, Failure> {
    nanoseconds(rustix::time::clock_gettime(clock))
}

/// Waits until something happens: what, by the index of the subscription. The table is locked while descriptors are
/// waited for, piece by piece. A guest that is left meanwhile has the subscriptions that it `made` at that time.
fn wait(guest: &mut Guest<'_>, state: &State, all: &[Subscription], made: u64) -> Result<Vec<(usize, Event)>, Failure> {
    loop {
        let leaves = guest.may_wait();
        // Who sleeps keeps nobody from it.
        let sleeps = all.iter().all(|one| matches!(one.wait, Wait::Time { .. }));
        let table = (!sleeps).then(|| state.table());
        let (mut events, mut indexes, mut fds) = (Vec::new(), Vec::new(), Vec::new());
        let mut next = None::<u64>;
        for (index, one) in all.iter().enumerate() {
            if let Wait::Time { clock, until } = one.wait {
                match until.saturating_sub(now(clock)?) {
                    0 => events.push((index, Event::default())),
                    // A clock that can be set is to be looked at now and then.
                    left if clock == ClockId::Realtime => next = Some(next.unwrap_or(u64::MAX).min(left).min(SETTABLE)),
                    left => next = Some(next.unwrap_or(u64::MAX).min(left)),
                }
                continue;
            }
            let Some(table) = &table else { continue };
            match one.wait.standing(table)? {
                Standing::Ready(event) => events.push((index, event)),
                Standing::Ask(fd, flags) => {
                    indexes.push((index, flags));
                    fds.push(PollFd::from_borrowed_fd(fd, flags));
                }
            }
        }
        let patience = match events.is_empty() && !leaves {
            true => longest_wait(guest).min(next.unwrap_or(u64::MAX)),
            false => 0,
        };
        match rustix::event::poll(&mut fds, Some(&timespec(patience))) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        for (fd, &(index, asked)) in fds.iter().zip(&indexes) {
            if let Some(event) = answer(fd, asked) {
                events.push((index, event));
            }
        }
        if !events.is_empty() {
            // In the order in which they were asked for.
            events.sort_by_key(|&(index, _)| index);
            return Ok(events);
        }
        if leaves {
            let on = fds.iter().zip(&indexes).map(|(fd, &(_, asked))| BlockedOn {
                descriptor: fd.as_fd().as_raw_fd(),
                write: asked.contains(PollFlags::OUT),
            });
            let until = next.and_then(|left| Instant::now().checked_add(Duration::from_nanos(left)));
            let on = Blocked { until, descriptors: on.collect() };
            drop(table);
            return Err(guest.leave_to_block(on, made));
        }
        guest.end_if_due()?;
    }
}

impl State {
    pub(super) fn poll_oneoff(
        &self,
        guest: &mut Guest<'_>,
        subscriptions: u32,
        events: u32,
        count: u32,
        out: u32,
    ) -> Outcome {
        if count == 0 || count > MAX_SUBSCRIPTIONS {
            return Err(Errno::Invalid.into());
        }
        guest.check(out, 4)?;
        guest.check(events, count * EVENT)?;
        let made = guest.memo().map_or_else(|| now(ClockId::Monotonic), Ok)?;
        let all = guest.bytes(subscriptions, count * SUBSCRIPTION)?;
        let all: Vec<Subscription> = all
            .chunks_exact(SUBSCRIPTION as usize)
            .map(|one| Subscription::read(one, made))
            .collect::<Result<_, _>>()?;
        let table = self.table();
        // One of several is told by its event; where there is nothing else, the call says so, as in other engines.
        if all.iter().all(|one| one.wait.is_for_nothing(&table)) {
            return Err(Errno::BadFd.into());
        }
        drop(table);
        let happened = wait(guest, self, &all, made)?;
        let mut at = events;
        for (index, event) in &happened {
            let one = &all[*index];
            let mut to = [0; EVENT as usize];
            to[..8].copy_from_slice(&one.user.to_le_bytes());
            to[8..10].copy_from_slice(&event.errno.to_le_bytes());
            to[10] = one.ty;
            to[16..24].copy_from_slice(&event.bytes.to_le_bytes());
            to[24] = u8::from(event.hangup);
            guest.write(at, &to)?;
            at += EVENT;
        }
        guest.write_u32(out, happened.len() as u32)
    }
}
