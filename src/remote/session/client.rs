//! The client's side: what a front end asks of the session. It runs on threads of the front end's.

use super::event::{InstanceInfo, SessionEvent, Stopped, ThreadId};
use super::guest::breakpoints_here;
use super::state::{Job, Leave, Shared};
use crate::debug::{Action, BreakpointId, Stop};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Why work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotStopped {
    /// The guest stands at no stop.
    Running,
    /// There is no such thread, or no longer.
    NoThread,
    /// The guest did not come to a stop in time: none runs, or it is in a host function.
    Late,
    /// The session is closed, or this client has left it.
    Closed,
    /// The work panicked, or the guest's store went before its turn came.
    Lost,
}

impl fmt::Display for NotStopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotStopped::Running => "the guest runs: pause it first",
            NotStopped::NoThread => "there is no such thread",
            NotStopped::Late => "the guest did not come to a stop in time: none runs, or it is in a host function",
            NotStopped::Closed => "the debugging session is over",
            NotStopped::Lost => "this could not be done: it failed inside, or the store has gone",
        })
    }
}

impl std::error::Error for NotStopped {}

/// A thread of the session, as it is now.
#[derive(Clone, Debug)]
pub struct ThreadInfo {
    /// Its number.
    pub id: ThreadId,
    /// The name that the host gave its store.
    pub name: String,
    /// Where it stands, if it does: the innermost stop.
    pub stopped: Option<Stopped>,
}

/// The one client of a session. Dropping it leaves: see [`OnDisconnect`](super::OnDisconnect).
///
/// All of it may be used on any thread, and by several at once.
pub struct Client {
    shared: Arc<Shared>,
    number: u64,
}

/// Has [`Client::next_event`] look around: it returns without an event.
#[derive(Clone)]
pub struct Waker {
    shared: Arc<Shared>,
    client: u64,
}

impl Waker {
    /// Does so once, now or the next time that somebody waits.
    pub fn wake(&self) {
        self.shared.change(|state| {
            if let Some(client) = state.client.as_mut().filter(|client| client.number == self.client) {
                client.woken = true;
            }
        });
    }
}

/// The result of work that the guest's thread does.
pub struct Pending<R> {
    result: Receiver<Done>,
    kind: PhantomData<fn() -> R>,
}

/// A result of whichever type: a channel for each of them would be much code.
type Done = Box<dyn Any + Send>;

impl<R: 'static> Pending<R> {
    /// Waits for it.
    ///
    /// # Errors
    /// [`NotStopped::Lost`].
    pub fn wait(self) -> Result<R, NotStopped> {
        Self::known(self.result.recv().map_err(|_| NotStopped::Lost))
    }

    /// The result, if it comes in time; it may be asked for again.
    ///
    /// # Errors
    /// [`NotStopped::Late`] where it is not there yet; [`NotStopped::Lost`].
    pub fn wait_for(&self, wait: Duration) -> Result<R, NotStopped> {
        Self::known(self.result.recv_timeout(wait).map_err(|error| match error {
            RecvTimeoutError::Timeout => NotStopped::Late,
            RecvTimeoutError::Disconnected => NotStopped::Lost,
        }))
    }

    fn known(done: Result<Done, NotStopped>) -> Result<R, NotStopped> {
        done?.downcast().map(|result| *result).map_err(|_| NotStopped::Lost)
    }
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, number: u64) -> Client {
        Client { shared, number }
    }

    /// The threads that there are.
    pub fn threads(&self) -> Vec<ThreadInfo> {
        let state = self.shared.lock();
        let info = |(id, thread): (&ThreadId, &super::state::Thread)| ThreadInfo {
            id: *id,
            name: thread.name.clone(),
            stopped: thread.stopped().cloned(),
        };
        state.threads.iter().map(info).collect()
    }

    /// The instances that the stores are known to have, in the order in which they came. Some may have been collected.
    /// What their modules say needs no store: lines, places, names, bytes.
    pub fn instances(&self) -> Vec<InstanceInfo> {
        let state = self.shared.lock();
        let mut all: Vec<InstanceInfo> =
            state.threads.values().flat_map(|thread| thread.instances.iter().cloned()).collect();
        all.sort_by_key(|instance| instance.number);
        all
    }

    /// Where a thread stands, if it does.
    pub fn stopped(&self, thread: ThreadId) -> Option<Stopped> {
        self.shared.lock().threads.get(&thread)?.stopped().cloned()
    }

    /// Has the thread of a guest that stands do work, and waits for the result. Guests that the work calls are let pass
    /// where they would stop; [`Client::pause`] ends them with a trap.
    ///
    /// # Errors
    /// Where it stands at no stop, and as [`Pending::wait`].
    pub fn at_stop<R: Send + 'static>(
        &self,
        thread: ThreadId,
        work: impl FnOnce(&mut Stop<'_>) -> R + Send + 'static,
    ) -> Result<R, NotStopped> {
        self.enqueue(thread, true, true, work)?.1.wait()
    }

    /// The same, but it does not wait: guests that the work calls stop as usual, which is told, with a greater
    /// [depth](Stopped::depth). Work that is asked for meanwhile is done at the inner stop, and
    /// [`Client::resume`] has that go on.
    ///
    /// # Errors
    /// Where it stands at no stop.
    pub fn start_at_stop<R: Send + 'static>(
        &self,
        thread: ThreadId,
        work: impl FnOnce(&mut Stop<'_>) -> R + Send + 'static,
    ) -> Result<Pending<R>, NotStopped> {
        self.enqueue(thread, true, false, work).map(|(_, pending)| pending)
    }

    /// Has the guest's thread do work, and waits for the result, whether or not the guest stands: one that runs is
    /// stopped for it, and goes on unseen. Where that takes longer than `wait`, for none runs or it is in a host
    /// function, the work is not done.
    ///
    /// A breakpoint that the work sets at the very instruction that the guest was stopped at stops it there, if it has
    /// no condition and counts nothing.
    ///
    /// # Errors
    /// [`NotStopped::Late`], and as [`Client::at_stop`].
    pub fn with_guest<R: Send + 'static>(
        &self,
        thread: ThreadId,
        wait: Duration,
        work: impl FnOnce(&mut Stop<'_>) -> R + Send + 'static,
    ) -> Result<R, NotStopped> {
        let (number, pending) = self.enqueue(thread, false, true, work)?;
        match pending.wait_for(wait) {
            Err(NotStopped::Late) => {}
            done => return done,
        }
        let withdrawn = self.shared.change(|state| {
            let Some(known) = state.threads.get_mut(&thread) else { return false };
            let before = known.jobs.len();
            known.jobs.retain(|job| job.number != number);
            let withdrawn = known.jobs.len() < before;
            if withdrawn && !known.is_wanted() {
                known.pauser.cancel();
            }
            withdrawn
        });
        // It may have begun.
        if withdrawn { Err(NotStopped::Late) } else { pending.wait() }
    }

    /// Has the guest's thread do work when its store is in hand next: at once, where a guest stands or runs; else
    /// before the first instruction of the next one, or where an instance is made. Nobody waits for it.
    ///
    /// # Errors
    /// Where there is no such thread.
    pub fn later(&self, thread: ThreadId, work: impl FnOnce(&mut Stop<'_>) + Send + 'static) -> Result<(), NotStopped> {
        self.enqueue(thread, false, true, work).map(drop)
    }

    /// The breakpoints at the instruction that a guest stands at, which stop whoever comes there: those that have no
    /// condition and count nothing. A guest that goes on from there passes them.
    ///
    /// # Errors
    /// As [`Client::at_stop`].
    pub fn breakpoints_here(&self, thread: ThreadId) -> Result<Vec<BreakpointId>, NotStopped> {
        self.at_stop(thread, breakpoints_here)
    }

    fn enqueue<R: Send + 'static>(
        &self,
        thread: ThreadId,
        standing: bool,
        quiet: bool,
        work: impl FnOnce(&mut Stop<'_>) -> R + Send + 'static,
    ) -> Result<(u64, Pending<R>), NotStopped> {
        let work = Box::new(move |stop: &mut Stop<'_>| Box::new(work(stop)) as Done);
        let (number, result) = self.enqueue_any(thread, standing, quiet, work)?;
        Ok((number, Pending { result, kind: PhantomData }))
    }

    fn enqueue_any(
        &self,
        thread: ThreadId,
        standing: bool,
        quiet: bool,
        work: Box<dyn FnOnce(&mut Stop<'_>) -> Done + Send>,
    ) -> Result<(u64, Receiver<Done>), NotStopped> {
        let (sender, result) = sync_channel(1);
        // Who has asked may have gone.
        let work = Box::new(move |stop: &mut Stop<'_>| drop(sender.send(work(stop))));
        let number = self.shared.change(|state| {
            if state.closed || state.client.as_ref().is_none_or(|client| client.number != self.number) {
                return Err(NotStopped::Closed);
            }
            let number = state.number();
            let known = state.threads.get_mut(&thread).ok_or(NotStopped::NoThread)?;
            if known.stopped().is_none() {
                if standing {
                    return Err(NotStopped::Running);
                }
                known.pauser.pause();
            }
            known.jobs.push_back(Job { number, quiet, work });
            Ok(number)
        })?;
        Ok((number, result))
    }

    /// Answers the innermost stop of a thread. Where no guest stands, a pause that was asked for is taken back; false
    /// then.
    ///
    /// # Errors
    /// Where there is no such thread, or the session is closed.
    pub fn resume(&self, thread: ThreadId, action: Action) -> Result<bool, NotStopped> {
        self.shared.change(|state| {
            if state.client.as_ref().is_none_or(|client| client.number != self.number) {
                return Err(NotStopped::Closed);
            }
            let known = state.threads.get_mut(&thread).ok_or(NotStopped::NoThread)?;
            match known.stops.last_mut().filter(|standing| standing.answer.is_none()) {
                Some(standing) => {
                    standing.answer = Some(action);
                    Ok(true)
                }
                None => {
                    known.pause = false;
                    if !known.is_wanted() {
                        known.pauser.cancel();
                    }
                    Ok(false)
                }
            }
        })
    }

    /// Has a guest stop that runs, or the next one at its first instruction; it is told as any stop. What
    /// [`Client::at_stop`] has called is ended.
    ///
    /// # Errors
    /// Where there is no such thread, or the session is closed.
    pub fn pause(&self, thread: ThreadId) -> Result<(), NotStopped> {
        self.shared.change(|state| {
            if state.client.as_ref().is_none_or(|client| client.number != self.number) {
                return Err(NotStopped::Closed);
            }
            let known = state.threads.get_mut(&thread).ok_or(NotStopped::NoThread)?;
            if known.stopped().is_none() || known.quiet > 0 {
                known.pause = true;
                known.pauser.pause();
            }
            Ok(())
        })
    }

    /// Whether an instance that is made is a stop, before its start function runs: at first not.
    pub fn stop_at_instances(&self, on: bool) {
        self.shared.change(|state| {
            if let Some(client) = state.client.as_mut().filter(|client| client.number == self.number) {
                client.stops_at_instances = on;
            }
        });
    }

    /// The next event; waits for it for as long as it takes, or for this long. None where the time is over, or where
    /// [`Waker::wake`] was called.
    pub fn next_event(&self, wait: Option<Duration>) -> Option<SessionEvent> {
        let until = wait.map(|wait| Instant::now() + wait);
        let mut state = self.shared.lock();
        loop {
            let closed = state.closed;
            let Some(client) = state.client.as_mut().filter(|client| client.number == self.number) else {
                return Some(SessionEvent::Closed);
            };
            if let Some(event) = client.next() {
                return Some(event);
            }
            if closed {
                return Some(SessionEvent::Closed);
            }
            if std::mem::take(&mut client.woken) {
                return None;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            state = self.shared.wait(state, left);
        }
    }

    /// What has [`Client::next_event`] return, from other threads.
    pub fn waker(&self) -> Waker {
        Waker { shared: self.shared.clone(), client: self.number }
    }

    /// Leaves: what was set is gone, and guests go on, whatever the session's options say.
    pub fn detach(self) {
        self.leave(Leave::Detach);
    }

    /// Leaves: the guests that stand or run end with a trap of this message; where none runs, the next one does.
    pub fn end_guests(self, message: &str) {
        self.leave(Leave::End(message.to_owned()));
    }

    fn leave(&self, leave: Leave) {
        self.shared.change(|state| {
            if state.client.as_ref().is_some_and(|client| client.number == self.number) {
                state.disconnect(leave);
            }
        });
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.leave(Leave::Lost);
    }
}
