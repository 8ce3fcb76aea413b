//! What an adapter has at hand while it talks to a client, and what everything else here is built of: messages out,
//! work at a stop. What requests do is in the files of their kinds.

use super::breakpoints::Table;
use super::handles::{FrameHandle, Handles};
use super::launch::Launch;
use super::message::{Answer, failure};
use super::sources::Sources;
use super::wire;
use crate::debug::{Frame, Stop};
use crate::remote::session::{Client, Stopped, ThreadId};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far a session has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The client has said nothing.
    New,
    /// It has said who it is.
    Initialized,
    /// It has launched or attached, and says what it wants.
    Begun,
    /// It has said so: guests may run.
    Configured,
    /// Guests are to end.
    Ending,
    /// The client was told that nothing is debugged any more.
    Over,
}

pub(super) struct Adapter {
    pub(super) client: Client,
    output: Box<dyn Write + Send>,
    sequence: i64,
    /// The client takes nothing any more.
    pub(super) is_gone: bool,
    pub(super) phase: Phase,
    /// How the host begins a program, if it does.
    pub(super) launch: Option<Box<dyn Launch>>,
    pub(super) launched: bool,
    pub(super) stop_on_entry: bool,
    /// Lines and columns of the client begin with 1, as ours do.
    pub(super) lines_from_1: bool,
    pub(super) columns_from_1: bool,
    pub(super) handles: Handles,
    pub(super) sources: Sources,
    /// The stops that the client knows of.
    pub(super) told: BTreeMap<ThreadId, Stopped>,
    /// Threads that it wants to stop.
    pub(super) pausing: BTreeSet<ThreadId>,
    /// Threads that it was told have started.
    pub(super) threads: BTreeSet<ThreadId>,
    pub(super) table: Arc<Mutex<Table>>,
    /// Traps are told.
    pub(super) traps: bool,
    /// What is sent behind the response that is under way.
    pub(super) later: Vec<Value>,
    /// Bytes of each output that are no whole letter yet.
    pub(super) rest: [Vec<u8>; 3],
}

impl Adapter {
    pub(super) fn new(client: Client, output: Box<dyn Write + Send>, launch: Option<Box<dyn Launch>>) -> Adapter {
        let table = Arc::new(Mutex::new(Table::new(client.waker())));
        Adapter {
            client,
            output,
            sequence: 0,
            is_gone: false,
            phase: Phase::New,
            launch,
            launched: false,
            stop_on_entry: false,
            lines_from_1: true,
            columns_from_1: true,
            handles: Handles::default(),
            sources: Sources::default(),
            told: BTreeMap::new(),
            pausing: BTreeSet::new(),
            threads: BTreeSet::new(),
            table,
            traps: true,
            later: Vec::new(),
            rest: Default::default(),
        }
    }

    pub(super) fn send(&mut self, mut message: Value) {
        self.sequence += 1;
        message["seq"] = self.sequence.into();
        if !self.is_gone && wire::write(&mut *self.output, &message).is_err() {
            self.is_gone = true;
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line of the client's, as ours.
    pub(super) fn line_in(&self, line: i64) -> Answer<u32> {
        let line = if self.lines_from_1 { line } else { line.saturating_add(1) };
        u32::try_from(line).ok().filter(|line| *line > 0).ok_or_else(|| failure(format!("there is no line {line}")))
    }

    /// A line of ours, as the client's; 0 is none.
    pub(super) fn line_out(&self, line: u32) -> i64 {
        i64::from(line) - i64::from(!self.lines_from_1 && line > 0)
    }

    pub(super) fn column_in(&self, column: i64) -> Option<u32> {
        let column = if self.columns_from_1 { column } else { column.saturating_add(1) };
        u32::try_from(column).ok().filter(|column| *column > 0)
    }

    pub(super) fn column_out(&self, column: u32) -> i64 {
        i64::from(column) - i64::from(!self.columns_from_1 && column > 0)
    }

    /// The thread that a request names.
    pub(super) fn thread(&self, number: i64) -> Answer<ThreadId> {
        let thread = u32::try_from(number).ok().map(ThreadId::new);
        let known = thread.filter(|thread| self.client.threads().iter().any(|known| known.id == *thread));
        known.ok_or_else(|| failure(format!("there is no thread {number}")))
    }

    /// Has a frame looked at where its thread stands.
    pub(super) fn at_frame<R: Send + 'static>(
        &self,
        handle: FrameHandle,
        work: impl FnOnce(&Frame<'_>) -> Answer<R> + Send + 'static,
    ) -> Answer<R> {
        self.at_stop(handle.thread, move |stop| match stop.frame(handle.index) {
            Some(frame) => work(&frame),
            None => Err(failure("the frame is gone")),
        })
    }

    /// Has work done where a thread stands that the client knows to stand.
    pub(super) fn at_stop<R: Send + 'static>(
        &self,
        thread: ThreadId,
        work: impl FnOnce(&mut Stop<'_>) -> Answer<R> + Send + 'static,
    ) -> Answer<R> {
        self.client.at_stop(thread, work)?
    }

    /// The frame that is meant where none is named: the innermost of a thread that stands.
    pub(super) fn any_frame(&self) -> Answer<FrameHandle> {
        let thread = self.told.keys().next().copied();
        let thread = thread.ok_or(crate::remote::session::NotStopped::Running)?;
        Ok(FrameHandle { thread, index: 0, level: 0 })
    }
}
