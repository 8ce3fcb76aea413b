//! What the threads of a session share: guests', the client's and the host's. One lock, which nobody holds while
//! somebody else is waited for, but by the condition that gives it back.

use super::event::{InstanceInfo, Outcome, OutputStream, SessionEvent, Stopped, ThreadId};
use super::options::{OnDisconnect, SessionOptions};
use super::unseen::Step;
use crate::debug::{Action, Pauser, Stop, WeakDebugger};
use crate::runtime::ModuleId;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many bytes of output wait for a client at most.
const MAX_OUTPUT: usize = 1 << 20;

/// Work for the guest's thread, at a stop.
pub(super) type Work = Box<dyn FnOnce(&mut Stop<'_>) + Send>;

/// Work that waits.
pub(super) struct Job {
    /// Its number, never used again.
    pub(super) number: u64,
    /// Whether guests that it calls are let pass where they would stop.
    pub(super) quiet: bool,
    pub(super) work: Work,
}

/// A store, and the guest that runs in it.
pub(super) struct Thread {
    pub(super) name: String,
    pub(super) pauser: Pauser,
    pub(super) instances: Vec<InstanceInfo>,
    /// How many there were when those were last left out that are gone.
    pub(super) pruned: usize,
    pub(super) jobs: VecDeque<Job>,
    /// The client has asked for a stop, or the first entry is to be one.
    pub(super) pause: bool,
    /// What the last client has set is to go.
    pub(super) stale: bool,
    /// The guest is to end, with a trap of this message.
    pub(super) ends: Option<String>,
    /// How many works run within each other.
    pub(super) at_work: usize,
    /// How many of these have their guests let pass.
    pub(super) quiet: usize,
    /// Nobody waits for the work that runs: the guests that it has called are to end.
    pub(super) abandoned: bool,
    /// The stops that its guests are in, the innermost last.
    pub(super) stops: Vec<Standing>,
    /// The step under way.
    pub(super) step: Option<Step>,
}

/// A stop that a client was told of, or will be.
pub(super) struct Standing {
    pub(super) stopped: Stopped,
    /// The client's answer, from when on the guest stands no more, though its thread may not have gone on yet.
    pub(super) answer: Option<Action>,
}

impl Thread {
    /// The innermost stop, if it is not answered.
    pub(super) fn stopped(&self) -> Option<&Stopped> {
        self.stops.last().filter(|standing| standing.answer.is_none()).map(|standing| &standing.stopped)
    }

    /// What the client has asked for is not done, and what it has set goes, when the guest's thread comes by: it is
    /// stopped for that.
    fn abandon(&mut self) {
        self.jobs.clear();
        self.pause = false;
        self.stale = true;
        self.abandoned = self.at_work > 0;
        self.pauser.pause();
    }

    /// Guests that stand go on, also where another client comes, or the last one stays, before their threads have done
    /// so.
    fn let_go(&mut self) {
        for standing in &mut self.stops {
            standing.answer.get_or_insert(Action::Continue);
        }
    }

    /// Whether somebody waits for the guest to stop, though no client may see it.
    pub(super) fn is_wanted(&self) -> bool {
        self.pause || self.stale || self.ends.is_some() || !self.jobs.is_empty()
    }
}

/// The client that there is.
pub(super) struct Connected {
    /// Which: the first is 1.
    pub(super) number: u64,
    events: VecDeque<SessionEvent>,
    /// Bytes of output among the events.
    output: usize,
    lost: u64,
    /// Who waits for an event is to look around.
    pub(super) woken: bool,
    pub(super) stops_at_instances: bool,
}

impl Connected {
    /// An event for it. Output that it does not take is left out, so that nobody waits for it and nothing grows.
    fn tell(&mut self, event: SessionEvent) {
        match &event {
            SessionEvent::Output(_, bytes) if self.output + bytes.len() > MAX_OUTPUT => {
                self.lost += bytes.len() as u64;
                return;
            }
            SessionEvent::Output(_, bytes) => self.output += bytes.len(),
            SessionEvent::Instances(thread) => {
                let known = |other: &SessionEvent| matches!(other, SessionEvent::Instances(one) if one == thread);
                if self.events.back().is_some_and(known) {
                    return;
                }
            }
            _ => {}
        }
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            self.events.push_back(SessionEvent::Lost(lost));
        }
        self.events.push_back(event);
    }

    /// The next event.
    pub(super) fn next(&mut self) -> Option<SessionEvent> {
        let event = self.events.pop_front();
        match &event {
            Some(SessionEvent::Output(_, bytes)) => self.output -= bytes.len(),
            None if self.lost > 0 => return Some(SessionEvent::Lost(std::mem::take(&mut self.lost))),
            _ => {}
        }
        event
    }
}

pub(super) struct State {
    pub(super) options: SessionOptions,
    pub(super) threads: BTreeMap<ThreadId, Thread>,
    /// The debuggers of the stores, of which threads may have ended.
    pub(super) debuggers: BTreeMap<ThreadId, WeakDebugger>,
    /// The files that modules are from.
    pub(super) files: BTreeMap<ModuleId, PathBuf>,
    pub(super) last_thread: u32,
    pub(super) last_instance: u32,
    pub(super) last_job: u64,
    pub(super) client: Option<Connected>,
    /// How many clients there have been.
    pub(super) clients: u64,
    /// The last client has said that guests are to go on without one, whatever the options say.
    pub(super) let_go: bool,
    pub(super) closed: bool,
}

impl State {
    /// Whether guests stand that no client looks at: the first one, or the next, is waited for.
    pub(super) fn holds(&self) -> bool {
        let awaited = match self.clients {
            0 => self.options.wait,
            _ => self.options.on_disconnect == OnDisconnect::Wait && !self.let_go,
        };
        !self.closed && self.client.is_none() && awaited
    }

    /// Tells the client, if there is one.
    pub(super) fn tell(&mut self, event: SessionEvent) {
        if let Some(client) = &mut self.client {
            client.tell(event);
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.last_job += 1;
        self.last_job
    }

    /// A new client, who is told which guests stand.
    pub(super) fn connect(&mut self) -> u64 {
        self.clients += 1;
        self.let_go = false;
        let standing = self.threads.values().filter_map(|thread| thread.stopped().cloned());
        self.client = Some(Connected {
            number: self.clients,
            events: standing.map(SessionEvent::Stopped).collect(),
            output: 0,
            lost: 0,
            woken: false,
            stops_at_instances: false,
        });
        self.clients
    }

    /// The client is gone.
    pub(super) fn disconnect(&mut self, leave: Leave) {
        self.client = None;
        let ends = match (leave, self.options.on_disconnect) {
            (Leave::End(message), _) => Some(message),
            (Leave::Lost, OnDisconnect::EndGuests) => Some("the debugger has gone".to_owned()),
            (Leave::Detach, _) => {
                self.let_go = true;
                None
            }
            (Leave::Lost, OnDisconnect::GoOn | OnDisconnect::Wait) => None,
        };
        let holds = self.holds();
        for thread in self.threads.values_mut() {
            thread.abandon();
            if !holds {
                thread.let_go();
            }
            if thread.ends.is_none() {
                thread.ends = ends.clone();
            }
        }
    }

    /// Nobody is let in any more, and who is there is heard no longer.
    pub(super) fn close(&mut self) {
        self.closed = true;
        for thread in self.threads.values_mut() {
            thread.abandon();
            thread.let_go();
        }
    }

    /// A store is gone, or its guest has ended.
    pub(super) fn end(&mut self, thread: ThreadId, outcome: Outcome) {
        if self.threads.remove(&thread).is_some() {
            self.tell(SessionEvent::Ended(thread, outcome));
        }
    }

    /// A guest has written.
    pub(super) fn output(&mut self, stream: OutputStream, bytes: &[u8]) {
        if self.client.is_some() {
            for part in bytes.chunks(MAX_OUTPUT / 4) {
                self.tell(SessionEvent::Output(stream, part.to_vec()));
            }
        }
    }
}

/// How a client leaves.
pub(super) enum Leave {
    /// It has gone, and said nothing.
    Lost,
    /// Guests are to go on.
    Detach,
    /// Guests are to end, with a trap of this message.
    End(String),
}

pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    pub(super) fn new(options: SessionOptions) -> Shared {
        let state = State {
            options,
            threads: BTreeMap::new(),
            debuggers: BTreeMap::new(),
            files: BTreeMap::new(),
            last_thread: 0,
            last_instance: 0,
            last_job: 0,
            client: None,
            clients: 0,
            let_go: false,
            closed: false,
        };
        Shared { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is done at once.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and has all look around who wait.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Has all look around who wait.
    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Gives the lock back until something has changed, or the time is over.
    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>, wait: Option<Duration>) -> MutexGuard<'a, State> {
        match wait {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(wait) => self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0,
        }
    }
}
