//! What a session tells its client: plain data, which says what has happened and holds nothing up.

use crate::debug::{BreakpointId, Reason, WatchHit};
use crate::runtime::{InstanceId, Module};
use std::fmt;
use std::path::PathBuf;

/// A store of the session, as clients call it: a number from 1 on, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ThreadId(pub(super) u32);

impl ThreadId {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The thread of this number, whether or not there is one.
    pub fn new(number: u32) -> ThreadId {
        ThreadId(number)
    }
}

impl fmt::Display for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An instance that a store of the session has.
#[derive(Clone)]
pub struct InstanceInfo {
    /// Its number in the session, from 1 on, never used again.
    pub number: u32,
    /// The store it is of.
    pub thread: ThreadId,
    /// Its module.
    pub module: Module,
    /// The file that the module is from, where the host has [said so](super::Session::set_file).
    pub file: Option<PathBuf>,
    /// What names the instance, which may have been collected: with its store in hand,
    /// [`Store::find_instance`](crate::runtime::Store::find_instance) finds it.
    pub instance: InstanceId,
}

/// A guest stands, and waits for the client.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// Which.
    pub thread: ThreadId,
    /// Why.
    pub reason: Reason,
    /// The same for people, in a few words: `breakpoint 3`, `trap: out of bounds memory access`.
    pub text: String,
    /// How many stops of the thread stand, this one counted: more than 1 while work that a client has asked for at one
    /// of them calls a guest which has stopped.
    pub depth: usize,
    /// How many Wasm frames are live.
    pub frames: usize,
}

impl Stopped {
    /// The numbers of the breakpoints that it is at.
    pub fn breakpoints(&self) -> Vec<u32> {
        self.reason.breakpoints().iter().map(|id| id.get()).collect()
    }

    /// It is told as a stop at breakpoints, which stand where the guest does.
    pub(in crate::remote) fn reach(&mut self, breakpoints: Vec<BreakpointId>) {
        self.reason = Reason::Breakpoint(breakpoints.into_iter().collect());
        self.text = describe(&self.reason);
    }

    /// What watchpoints have seen.
    pub fn watchpoints(&self) -> &[WatchHit] {
        self.reason.watchpoints()
    }
}

/// How a guest has ended for good, as far as its host says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The program has ended with this exit status; a call that has returned may be told as 0.
    Exited(i32),
    /// It has trapped, with this message.
    Trapped(String),
    /// Its store is gone, or is debugged no longer.
    Gone,
}

/// Where output of a guest went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// Its standard output.
    Out,
    /// Its standard error.
    Err,
    /// What the host says of it.
    Host,
}

/// What has happened, in order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SessionEvent {
    /// A guest stands: [`Client::resume`](super::Client::resume) has it go on.
    Stopped(Stopped),
    /// A guest goes on that stood.
    Continued(ThreadId),
    /// The session has one more store.
    Added(ThreadId),
    /// A store has instances that it had not, one or more: [`Client::instances`](super::Client::instances).
    Instances(ThreadId),
    /// A guest has written.
    Output(OutputStream, Vec<u8>),
    /// A thread has ended. It is not told of again.
    Ended(ThreadId, Outcome),
    /// The client was slow, and so many bytes of output before this were left out.
    Lost(u64),
    /// The session is closed: guests go on, and nothing more comes.
    Closed,
}

/// What a stop is, in a few words.
pub(super) fn describe(reason: &Reason) -> String {
    let list = |name: &str, numbers: Vec<String>| {
        let plural = if numbers.len() == 1 { "" } else { "s" };
        format!("{name}{plural} {}", numbers.join(", "))
    };
    match reason {
        Reason::Breakpoint(ids) => list("breakpoint", ids.iter().map(|id| id.get().to_string()).collect()),
        Reason::Step => "step".to_owned(),
        Reason::Watchpoint(hits) => list("watchpoint", hits.iter().map(|hit| hit.id.get().to_string()).collect()),
        Reason::Pause => "paused".to_owned(),
        Reason::Trap(code) => format!("trap: {}", code.message()),
        Reason::Module(_) => "a module has come".to_owned(),
        Reason::Instance(_) => "an instance has come".to_owned(),
        Reason::MemoryGrown(_) => "a memory has grown".to_owned(),
        Reason::HostCall(_) => "a call of the host".to_owned(),
        Reason::HostReturn(_) => "the host returns".to_owned(),
        Reason::Exception => "an exception is thrown".to_owned(),
    }
}
