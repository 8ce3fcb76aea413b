//! The inside of a store: one heap object at a stable address, which owns everything its guests can reach. References
//! to it are made for short moments only and never held while a guest runs, since host functions reach the same object
//! again.

use crate::abi::{Activation, VMStoreContext};
use crate::base::{Error, ErrorKind, Result};
use crate::code::broken;
use crate::code::{CodeRegistry, CodeSlot, LoadedCode};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::compiled::module::Module;
use crate::runtime::objects::attachers::Attachers;
use crate::runtime::objects::deadline::Deadline;
use crate::runtime::objects::dumped::DumpedFrame;
use crate::runtime::objects::exceptions::{Exceptions, TagData};
use crate::runtime::objects::externs::ExternRefs;
use crate::runtime::objects::global::HostGlobal;
use crate::runtime::objects::handles::Root;
use crate::runtime::objects::heap::Heap;
use crate::runtime::objects::host::HostObject;
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::objects::limiter::Limiter;
use crate::runtime::objects::memory::MemoryData;
use crate::runtime::objects::owned::{EventIds, Owned, StoreId};
use crate::runtime::objects::roots::Roots;
use crate::runtime::objects::table::TableData;
use crate::runtime::objects::values::Giving;
use crate::runtime::objects::watched::MemoryWatch;
use crate::runtime::store::calls::Calls;
use crate::runtime::store::events::{Attachment, EventRecord, Resuming};
use crate::runtime::store::modules::Modules;
use crate::runtime::store::views::StoreRef;
use crate::runtime::store::virtual_frame::ChangedCaller;
use smallvec::SmallVec;
use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

/// What a store may take, over all its instances. The default is generous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLimits {
    /// Bytes of all memories together.
    pub memory_bytes: u64,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Instances, those that are dropped and not collected yet included.
    pub instances: usize,
    /// Calls on stacks of their own ([`Call`](crate::runtime::Call)) that were not deleted.
    pub calls: usize,
    /// Bytes of the heap on which guests make structures and arrays. Beyond about 4 GiB it makes no difference.
    pub heap_bytes: u64,
}

impl Default for StoreLimits {
    fn default() -> Self {
        StoreLimits {
            memory_bytes: u64::MAX,
            table_elements: 20_000_000,
            instances: usize::MAX,
            calls: usize::MAX,
            heap_bytes: u64::MAX,
        }
    }
}

/// What a store has taken.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::runtime) struct Usage {
    pub(in crate::runtime) memory_bytes: u64,
    pub(in crate::runtime) table_elements: u64,
}

/// With what guest frames are being left.
pub(in crate::runtime) enum Exit {
    /// A trap, or a host function's error.
    Error(Error),
    /// A host function's or callback's panic.
    Panic(Box<dyn Any + Send>),
}

/// What makes a core dump of a store: these are the frames, innermost first.
pub(in crate::runtime) type MakeDump = fn(StoreRef<'_>, Vec<DumpedFrame>) -> Result<Vec<u8>>;

/// What a store has that is asked for core dumps.
pub(in crate::runtime) struct Dumping {
    pub(in crate::runtime) make: MakeDump,
    /// The frames of the guest that is being left, if that is for a trap.
    pub(in crate::runtime) frames: Vec<DumpedFrame>,
}

/// The inside of a store.
#[repr(C)]
pub(in crate::runtime) struct StoreInner {
    /// What compiled code sees. First, so that both have one address.
    pub(in crate::runtime) vm: VMStoreContext,
    pub(in crate::runtime) id: StoreId,
    pub(in crate::runtime) deadline: Deadline,
    pub(in crate::runtime) poisoned: bool,
    /// Whether those who listen are told when the host enters guests and returns to them, for one of the reasons below.
    pub(in crate::runtime) watched: bool,
    /// Who can ask for the host to be called.
    pub(in crate::runtime) attachers: Attachers,
    /// What is left of the guests' fuel besides what is laid out.
    pub(in crate::runtime) fuel_kept: i64,
    /// Whether there is code that traps where what is laid out is used up, and so is to have all: that of a serialized
    /// module which an engine has made that is not for debugging.
    pub(in crate::runtime) fuel_traps: bool,
    /// Whether they watch something that the host may change.
    pub(in crate::runtime) values_watched: bool,
    /// Whether who listens is asked at a stop if the guest passes.
    pub(in crate::runtime) passing: bool,
    /// Whether they are told of calls of host functions.
    pub(in crate::runtime) calls_told: bool,
    /// Whether frames that wait were changed, and those who listen have not seen the end of it.
    pub(in crate::runtime) callers_changed: bool,
    /// Those frames that are there and have not gone on.
    pub(in crate::runtime) changed: Vec<ChangedCaller>,
    /// What of memories is watched, once anything was.
    pub(in crate::runtime) memory_watch: Option<Box<MemoryWatch>>,
    pub(in crate::runtime) engine: Engine,
    /// Below this address no guest is entered, and nobody is told of a trap: what is left is for leaving the guest.
    pub(in crate::runtime) stack_floor: usize,
    /// How often the host has entered the guest with no frame of the store live, or gone on with a call.
    pub(in crate::runtime) runs: u64,
    /// A number for the call that is under way, or that was the last: the innermost on a stack of its own, or the
    /// outermost.
    pub(in crate::runtime) run: u64,
    /// The error or panic with which guest frames are being left.
    pub(in crate::runtime) pending: Option<Exit>,
    /// What core dumps of traps are made with, while they are asked for.
    pub(in crate::runtime) dumping: Option<Box<Dumping>>,
    /// The newest event being told.
    pub(in crate::runtime) events: *mut EventRecord,
    /// What they are named from.
    pub(in crate::runtime) event_ids: EventIds,
    /// What [`VMStoreContext::resume`] points to, with its values.
    pub(in crate::runtime) resuming: Option<Box<Resuming>>,
    pub(in crate::runtime) attachment: Option<Box<Attachment>>,
    pub(in crate::runtime) limits: StoreLimits,
    pub(in crate::runtime) usage: Usage,
    /// What is asked besides, before something becomes larger.
    pub(in crate::runtime) limiter: Option<Arc<Limiter>>,
    /// It is being asked.
    pub(in crate::runtime) limiting: bool,
    /// What WASI keeps with it.
    pub(in crate::runtime) wasi: Option<Arc<dyn Any + Send + Sync>>,
    pub(in crate::runtime) data: Option<Box<dyn Any + Send>>,
    /// Calls on stacks of their own that were not deleted.
    pub(in crate::runtime) calls: Calls,
    /// Whether the host has said that a guest is to wait whose deadline is over.
    pub(in crate::runtime) waits_at_deadline: bool,
    /// How often a guest has left its stack to wait.
    pub(in crate::runtime) waits: u64,
    /// What may still be laid out of the fuel for the slice that runs, if one does.
    pub(in crate::runtime) slice: Option<i64>,
    // Instances go before the code and objects they use.
    pub(in crate::runtime) instances: SmallVec<[Owned<InstanceData>; 1]>,
    /// How many there have ever been.
    pub(in crate::runtime) instances_made: u64,
    pub(in crate::runtime) modules: Modules,
    pub(in crate::runtime) registry: CodeRegistry,
    pub(in crate::runtime) memories: SmallVec<[Owned<MemoryData>; 1]>,
    pub(in crate::runtime) tables: SmallVec<[Owned<TableData>; 1]>,
    /// Those made by the host; others are in their instances.
    pub(in crate::runtime) globals: Vec<Owned<HostGlobal>>,
    pub(in crate::runtime) host: Vec<Owned<dyn HostObject>>,
    pub(in crate::runtime) externrefs: ExternRefs,
    // Exceptions go before their tags.
    pub(in crate::runtime) exceptions: Exceptions,
    pub(in crate::runtime) tags: Vec<Owned<TagData>>,
    /// What guests have made; there is none before a module that makes something.
    pub(in crate::runtime) heap: Option<Box<Heap>>,
    /// What the host holds.
    pub(in crate::runtime) roots: Arc<Roots>,
    /// What the host keeps with objects.
    pub(in crate::runtime) host_data: HashMap<Root, Box<dyn Any + Send>>,
    /// Whether an instantiation has failed for want of room, with nothing of it seen by anybody.
    pub(in crate::runtime) lacked_room: bool,
}

impl StoreInner {
    /// Tells whom the engine tells of code that was registered.
    pub(in crate::runtime) fn publish_code(&mut self, slot: CodeSlot, module: &Module) {
        let publisher = self.engine.publisher();
        if publisher.listens() {
            self.registry
                .keep_registration(slot, |code| publisher.tell(module.info(), code.engine.tables(), &code.store));
        }
    }

    /// The code that a module runs here now.
    pub(in crate::runtime) fn code_of(&self, module: usize) -> &LoadedCode {
        let entry = &self.modules[module];
        self.registry.entry(entry.debug.unwrap_or(entry.production))
    }

    /// Says anew whether those who listen are told when the host enters guests and returns to them.
    pub(in crate::runtime) fn say_watched(&mut self) {
        self.watched = self.values_watched || self.calls_told || self.callers_changed;
    }

    /// What was made of the frame that waits at this frame pointer, if it was changed.
    #[inline]
    pub(in crate::runtime) fn changed_caller(&self, fp: usize) -> Option<&ChangedCaller> {
        // Mostly there are none.
        if self.changed.is_empty() { None } else { self.changed.iter().find(|changed| changed.frame.fp == fp) }
    }

    /// Frames of an entry are gone: those below this frame pointer.
    pub(in crate::runtime) fn forget_changed(&mut self, activation: *const Activation, below: usize) {
        self.changed.retain(|changed| !std::ptr::eq(changed.activation, activation) || changed.frame.fp >= below);
    }

    /// The newest event being told, if there is one.
    #[inline]
    pub(in crate::runtime) fn newest_event(&self) -> Option<&EventRecord> {
        // SAFETY: records are linked while they are live, and changed by whoever has the store to change.
        unsafe { self.events.as_ref() }
    }

    /// All events being told, the newest first; then those in which guests wait whose stacks were left.
    pub(in crate::runtime) fn events(&self) -> impl Iterator<Item = &EventRecord> {
        // SAFETY: as above.
        let told = std::iter::successors(self.newest_event(), |event| unsafe { event.previous.as_ref() });
        told.chain(self.waiting_events())
    }

    /// What gives its host a value.
    #[inline(always)]
    pub(in crate::runtime) fn giving(&self) -> Giving<'_> {
        Giving { store: self.id, roots: &self.roots }
    }

    /// Refuses a handle of another store.
    #[inline]
    pub(in crate::runtime) fn check(&self, handle: StoreId) -> Result<()> {
        if handle == self.id { Ok(()) } else { Err(wrong_store()) }
    }

    #[inline]
    pub(in crate::runtime) fn check_poison(&self) -> Result<()> {
        match (self.registry.is_broken(), self.poisoned) {
            (false, false) => Ok(()),
            (true, _) => Err(broken()),
            (false, true) => Err(poisoned()),
        }
    }
}

#[cold]
fn wrong_store() -> Error {
    Error::new(ErrorKind::Argument, "the object belongs to another store")
}

#[cold]
fn poisoned() -> Error {
    Error::new(
        ErrorKind::Poisoned,
        "an earlier panic in a host function or callback left the store unusable; make another",
    )
}
