//! A watchpoint as its user sees it: what is watched, and what has happened to it. Plain data; nothing here looks at a
//! store.

use crate::base::{FuncIndex, LocalIndex, WasmOffset};
use crate::runtime::{Global, Memory};
use std::ops::Range;

/// A watchpoint's name: unique in its debugger, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchpointId(pub(super) u32);

impl WatchpointId {
    /// Its number, from 1 on. Breakpoints have numbers of their own.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The id of this number, whether or not there is such a watchpoint.
    pub fn new(number: u32) -> Self {
        WatchpointId(number)
    }
}

/// What of a place is a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchKind {
    /// Each write, also of the value that is there.
    Write,
    /// Each write by which the value becomes another one.
    Change,
    /// Each read. Of memories alone.
    Read,
    /// Each read and each write. Of memories alone.
    Access,
}

impl WatchKind {
    /// Whether reads are hits.
    pub(super) fn of_reads(self) -> bool {
        matches!(self, WatchKind::Read | WatchKind::Access)
    }

    /// Whether writes may be.
    pub(super) fn of_writes(self) -> bool {
        self != WatchKind::Read
    }
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchTarget {
    /// A global. It is kept from being collected.
    Global(Global),
    /// Bytes of a memory, which is kept from being collected.
    Memory {
        /// The memory.
        memory: Memory,
        /// The bytes.
        bytes: Range<u64>,
    },
    /// A local of the frame that the watchpoint is bound to.
    Local(LocalIndex),
}

/// A watchpoint as it was when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watchpoint {
    /// Its name.
    pub id: WatchpointId,
    /// What it watches.
    pub target: WatchTarget,
    /// What of it.
    pub kind: WatchKind,
    /// The frame with which it ends, by its [id](super::Frame::id); none where it stays until it is removed.
    pub frame: Option<usize>,
    /// Whether it stops anything. One that is not enabled arms nothing, and costs nothing, but that the end of its
    /// frame is looked for.
    pub enabled: bool,
    /// How often it was hit.
    pub hits: u64,
}

/// What a watchpoint has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchHit {
    /// The watchpoint.
    pub id: WatchpointId,
    /// The function of the instruction that did it, imports counted.
    pub func: FuncIndex,
    /// The instruction that did it: a write or a read, or the call of the host that has written. The guest stands
    /// behind it. Of an end, the call by which the frame came to be.
    pub offset: WasmOffset,
    /// Whether nothing was accessed: the frame that the watchpoint was bound to is gone, and the watchpoint with it.
    /// The guest stands where it goes on then, in the caller, or where an exception was caught. That is no hit.
    pub is_end: bool,
    /// Whether it has only read.
    pub is_read: bool,
    /// Of a memory, where the first byte of `old` and `new` is: what of the watched bytes was accessed, or, by the
    /// host, from the first to the last that have changed.
    pub address: Option<u64>,
    /// Whether the host did it, in a function that the instruction has called.
    pub by_host: bool,
    /// What was there before, in the order of bytes of a memory; nothing for a reference, since what it refers to may
    /// be gone.
    pub old: Vec<u8>,
    /// What is there now; nothing for a reference, which the global has, and nothing of an end.
    pub new: Vec<u8>,
}
