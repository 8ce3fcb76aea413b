//! Breakpoints on data: what is watched of what the client sees.

mod requests;

use super::handles::FrameHandle;
use super::message::{Answer, failure};
use super::when::When;
use crate::base::{GlobalIndex, MemoryIndex};
use crate::debug::{FrameVariable, Stop, WatchKind, WatchpointId};
use crate::remote::session::ThreadId;
use crate::runtime::{AsStore, InstanceId};
use serde_json::Value;
use std::time::Duration;

/// So much may be known that could be watched.
const MAX_KNOWN: usize = 10_000;

/// How long a guest that runs is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// What can be watched.
#[derive(Clone)]
enum Data {
    /// Where it is now.
    Variable(FrameHandle, Box<FrameVariable>),
    Local(FrameHandle, usize),
    Global(ThreadId, InstanceId, usize),
    Memory(ThreadId, InstanceId, u64, u64),
}

impl Data {
    fn thread(&self) -> ThreadId {
        match self {
            Data::Variable(frame, _) | Data::Local(frame, _) => frame.thread,
            Data::Global(thread, ..) | Data::Memory(thread, ..) => *thread,
        }
    }

    fn watch(&self, stop: &mut Stop<'_>, kind: WatchKind) -> Answer<WatchpointId> {
        let debugger = stop.debugger();
        let missing = || failure("it is not there any more");
        Ok(match self {
            Data::Variable(frame, variable) => debugger.watch_variable(stop, frame.index, variable, kind)?,
            Data::Local(frame, index) => debugger.watch_local(stop, frame.index, *index, kind)?,
            Data::Global(_, instance, index) => {
                let instance = stop.as_store().find_instance(*instance).ok_or_else(missing)?;
                let global = instance.global(stop.as_store(), GlobalIndex::from_usize(*index)).ok_or_else(missing)?;
                debugger.watch_global(stop, global, kind)?
            }
            Data::Memory(_, instance, from, size) => {
                let instance = stop.as_store().find_instance(*instance).ok_or_else(missing)?;
                let memory = instance.memory(stop.as_store(), MemoryIndex::new(0)).ok_or_else(missing)?;
                debugger.watch_memory(stop, memory, *from..from.saturating_add(*size), kind)?
            }
        })
    }
}

/// Something that the client may have watched, or has.
pub(super) struct Watch {
    id: i64,
    name: String,
    data: Data,
    /// How it is watched, and as what.
    set: Option<(WatchKind, When, WatchpointId)>,
}

impl Watch {
    /// What the client calls it, if it is this one.
    pub(super) fn hit(&self, thread: ThreadId, id: u32) -> Option<(i64, &str)> {
        let set = self.set.as_ref()?.2;
        (self.data.thread() == thread && set.get() == id).then_some((self.id, &*self.name))
    }

    /// Whether it is something of a thread's.
    pub(super) fn is_of(&self, thread: ThreadId) -> bool {
        self.data.thread() == thread
    }

    /// Its frame is gone, and the watchpoint with it.
    pub(super) fn end(&mut self) {
        self.set = None;
    }
}

fn kind_of(access: Option<&str>) -> Answer<WatchKind> {
    Ok(match access {
        // What clients offer as "when the value changes".
        None | Some("write") => WatchKind::Change,
        Some("read") => WatchKind::Read,
        Some("readWrite") => WatchKind::Access,
        Some(other) => return Err(failure(format!("there is no kind of access `{other}`"))),
    })
}

/// A list of numbers as the client is told it.
pub(super) fn numbers(ids: Vec<i64>) -> Value {
    if ids.is_empty() { Value::Null } else { ids.into() }
}
