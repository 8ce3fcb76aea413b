//! The structures compiled code reads and writes, and where they are.

use super::heap::VMHeap;
use crate::base::{FuncIndex, GlobalIndex, MemoryIndex, TableIndex, TypeId};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, AtomicUsize};

/// The value of [`VMFuncRef::func`] for a function of the host.
pub const HOST_FUNC: u32 = u32::MAX;
/// Bytes of a table's element.
pub const TABLE_ELEMENT_SIZE: u32 = size_of::<TableElement>() as u32;

/// A value of any Wasm type as it crosses between host and guest. The bytes beyond its type's width are not
/// defined. It is aligned as a C compiler aligns such a union, so a `v128` is not aligned to its width.
#[derive(Clone, Copy)]
#[repr(C)]
pub union ValRaw {
    /// An `i32`.
    pub i32: i32,
    /// An `i64`.
    pub i64: i64,
    /// The bits of an `f32`.
    pub f32: u32,
    /// The bits of an `f64`.
    pub f64: u64,
    /// The bytes of a `v128`, lane 0 first.
    pub v128: [u8; 16],
    /// A `funcref`: null or a function of the same store.
    pub funcref: *mut VMFuncRef,
    /// An `externref`: see the module's page.
    pub externref: u64,
    /// An `exnref`: null or an exception of the same store.
    pub exnref: *mut VMException,
    /// A reference of the family of `anyref`: see the module's page.
    pub anyref: u32,
}

impl ValRaw {
    /// The value that a slot holds, by its words; a narrow one is in the first.
    #[inline]
    pub fn from_words(words: [u64; 2]) -> ValRaw {
        let mut v128 = [0; 16];
        v128[..8].copy_from_slice(&words[0].to_le_bytes());
        v128[8..].copy_from_slice(&words[1].to_le_bytes());
        ValRaw { v128 }
    }

    /// The same, as words: the lower half first.
    #[inline(always)]
    pub fn words(self) -> [u64; 2] {
        // SAFETY: all bytes of a raw value are defined.
        let value = u128::from_le_bytes(unsafe { self.v128 });
        [value as u64, (value >> 64) as u64]
    }
}

impl Default for ValRaw {
    fn default() -> Self {
        ValRaw { v128: [0; 16] }
    }
}

/// What a Wasm-to-host trampoline calls: the host function's own context (the callee vmctx), the caller's vmctx,
/// and the values, parameters first, results written over them. `false` means that an error is in the store.
/// It must not unwind.
pub type HostCall = unsafe extern "C" fn(callee: *mut c_void, caller: *mut VMContext, values: *mut ValRaw) -> bool;

/// A function as a reference: the only place where a code address lives.
#[derive(Debug)]
#[repr(C)]
pub struct VMFuncRef {
    /// The entry, in the Wasm convention.
    pub code: *const c_void,
    /// The callee's vmctx: a [`VMContext`], or for a host function the runtime's own structure,
    /// which starts with a [`HostCall`].
    pub vmctx: *mut c_void,
    /// The signature, canonical in the engine.
    pub sig: TypeId,
    /// The function's index in its module (imports counted), or [`HOST_FUNC`].
    pub func: u32,
    /// The types that the signature is below: how many, then the topmost first, and itself. It lives as long as the
    /// signature is known.
    pub above: *const u32,
}

/// The head of an exception. Behind it stand the values that it carries, one [`ValRaw`] each.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct VMException {
    /// Its tag, the runtime's: two tags are the same if their addresses are.
    pub tag: *const c_void,
    /// Its place among the exceptions of its store.
    pub place: u32,
    /// Not zero once anybody may have a reference to it.
    pub kept: u32,
}

impl VMException {
    /// Offset of [`VMException::kept`].
    pub const KEPT: i32 = std::mem::offset_of!(VMException, kept) as i32;
    /// Offset of its values.
    pub const VALUES: i32 = size_of::<VMException>() as i32;
}

/// A memory as compiled code sees it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMMemory {
    /// The first byte.
    pub base: *mut u8,
    /// The accessible bytes.
    pub len: usize,
}

/// A shared memory as compiled code sees it: laid out as [`VMMemory`], but other threads make it longer. It lives
/// outside of instances; where an instance that defines it would have a [`VMMemory`] is the address of this one, as of
/// an import.
#[derive(Debug)]
#[repr(C)]
pub struct VMSharedMemory {
    /// The first byte, always.
    pub base: *mut u8,
    /// The accessible bytes.
    pub len: AtomicUsize,
}

const _: () = {
    assert!(std::mem::offset_of!(VMSharedMemory, base) == std::mem::offset_of!(VMMemory, base));
    assert!(std::mem::offset_of!(VMSharedMemory, len) == std::mem::offset_of!(VMMemory, len));
    assert!(size_of::<VMSharedMemory>() == size_of::<VMMemory>());
};

/// An element as it stands in a table. A table of functions is not written to when it is made: its elements are
/// [`TableElement::UNTOUCHED`] until somebody asks for one. Any other reference stands in a table as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct TableElement(u64);

/// What an element of a table of functions says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FuncElement {
    /// What the table's image says; null where that says nothing, or there is none.
    Untouched,
    /// Null.
    Null,
    /// This function.
    Func(NonNull<VMFuncRef>),
}

impl TableElement {
    /// What every element of a new table is. Of a function: what the table's image says, or null. Of any other
    /// reference: null.
    pub const UNTOUCHED: TableElement = TableElement(0);
    /// Null where it was put into a table of functions. No [`VMFuncRef`] is at this address, and to read from one there
    /// faults as from null.
    pub const NULL: TableElement = TableElement(1);

    /// A function, or null.
    pub fn of_func(reference: *mut VMFuncRef) -> TableElement {
        match reference.is_null() {
            true => TableElement::NULL,
            false => TableElement(reference as u64),
        }
    }

    /// An external reference.
    pub fn of_extern(reference: u64) -> TableElement {
        TableElement(reference)
    }

    /// A reference of the family of `anyref`.
    pub fn of_any(reference: u32) -> TableElement {
        TableElement(reference.into())
    }

    /// What it says in a table of functions.
    pub fn func(self) -> FuncElement {
        match self {
            TableElement::NULL => FuncElement::Null,
            TableElement(word) => {
                NonNull::new(word as *mut VMFuncRef).map_or(FuncElement::Untouched, FuncElement::Func)
            }
        }
    }

    /// The external reference that it is in a table of such.
    pub fn external(self) -> u64 {
        self.0
    }

    /// The reference that it is in a table of the family of `anyref`.
    pub fn any(self) -> u32 {
        self.0 as u32
    }

    /// The word.
    pub const fn word(self) -> u64 {
        self.0
    }
}

/// A table as compiled code sees it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct VMTable {
    /// The first element.
    pub base: *mut TableElement,
    /// The number of elements.
    pub len: usize,
    /// Not zero once anybody has written to it. What is only put in the place of [`TableElement::UNTOUCHED`], and means
    /// the same, does not count.
    pub written: u64,
}

/// A global's value.
#[derive(Clone, Copy, Default)]
#[repr(C, align(16))]
pub struct VMGlobal {
    /// The value.
    pub value: ValRaw,
}

/// What compiled code shares with its store: one per store.
#[derive(Debug)]
#[repr(C)]
pub struct VMStoreContext {
    /// A frame that would reach below this address traps with a stack overflow.
    pub stack_limit: usize,
    /// The frame pointer of the last Wasm frame that called out to the host or a builtin.
    pub exit_fp: usize,
    /// The return address into that frame.
    pub exit_pc: usize,
    /// The newest entry from the host into this store's guests, or null.
    pub activation: *mut Activation,
    /// The runtime's store.
    pub store: *mut c_void,
    /// What resume code goes on with: read by it as the first thing it does, and by nobody else.
    pub resume: *const ResumeState,
    /// What is laid out for the guests of their fuel; below zero it is used up.
    pub fuel: i64,
    /// The engine's epoch. Guests that find it at or beyond the deadline trap.
    pub epoch: *const AtomicU64,
    /// The epoch up to which guests may run; any thread may set it.
    pub deadline: *const AtomicU64,
    /// The heap of the guests.
    pub heap: VMHeap,
    /// Where the return address into the last frame that called out is: 8 bytes above this.
    pub exit_head: usize,
    /// What code calls that finds used up what was laid out of the fuel. It takes nothing, and comes back with every
    /// register as it was if more is laid out.
    pub refuel: *const c_void,
}

impl VMStoreContext {
    /// Offset of [`VMStoreContext::stack_limit`].
    pub const STACK_LIMIT: i32 = std::mem::offset_of!(VMStoreContext, stack_limit) as i32;
    /// Offset of [`VMStoreContext::exit_fp`].
    pub const EXIT_FP: i32 = std::mem::offset_of!(VMStoreContext, exit_fp) as i32;
    /// Offset of [`VMStoreContext::exit_pc`].
    pub const EXIT_PC: i32 = std::mem::offset_of!(VMStoreContext, exit_pc) as i32;
    /// Offset of [`VMStoreContext::exit_head`].
    pub const EXIT_HEAD: i32 = std::mem::offset_of!(VMStoreContext, exit_head) as i32;
    /// Offset of [`VMStoreContext::resume`].
    pub const RESUME: i32 = std::mem::offset_of!(VMStoreContext, resume) as i32;
    /// Offset of [`VMStoreContext::fuel`].
    pub const FUEL: i32 = std::mem::offset_of!(VMStoreContext, fuel) as i32;
    /// Offset of [`VMStoreContext::refuel`].
    pub const REFUEL: i32 = std::mem::offset_of!(VMStoreContext, refuel) as i32;
    /// Offset of [`VMStoreContext::epoch`].
    pub const EPOCH: i32 = std::mem::offset_of!(VMStoreContext, epoch) as i32;
    /// Offset of [`VMStoreContext::deadline`].
    pub const DEADLINE: i32 = std::mem::offset_of!(VMStoreContext, deadline) as i32;
    /// Offset of [`VMHeap::base`], which is set before a guest that uses it is entered, and never changes then.
    pub const HEAP_BASE: i32 = std::mem::offset_of!(VMStoreContext, heap.base) as i32;
    /// Offset of [`VMHeap::next`].
    pub const HEAP_NEXT: i32 = std::mem::offset_of!(VMStoreContext, heap.next) as i32;
    /// Offset of [`VMHeap::end`].
    pub const HEAP_END: i32 = std::mem::offset_of!(VMStoreContext, heap.end) as i32;
}

/// Where resume code begins, and with what. Resume code is a function in the Wasm convention of the one whose frame it
/// takes; of its arguments only its vmctx and the address of its results' area, if it has one, mean anything.
#[derive(Debug)]
#[repr(C)]
pub struct ResumeState {
    /// The position of the instruction among those of the function that can be reached, in the order of their offsets;
    /// in split code, the number of the way in.
    pub entry: u32,
    /// Zero.
    pub reserved: u32,
    /// The locals, then the operands, bottom first, one behind the other in words as
    /// [`SlotLayout`](crate::base::SlotLayout) says.
    pub values: *const u64,
}

impl ResumeState {
    /// Offset of [`ResumeState::entry`].
    pub const ENTRY: i32 = std::mem::offset_of!(ResumeState, entry) as i32;
    /// Offset of [`ResumeState::values`].
    pub const VALUES: i32 = std::mem::offset_of!(ResumeState, values) as i32;
}

/// One entry from the host into guest code; a record on the host's stack, linked from the newest to the oldest.
#[derive(Debug)]
#[repr(C)]
pub struct Activation {
    /// The stack pointer to which an unwinding entry returns; written by `isa::enter`.
    pub entry_sp: usize,
    /// The entry before this one on the same thread, or null.
    pub previous: *mut Activation,
    /// The store context this entry belongs to.
    pub store: *mut VMStoreContext,
    /// [`VMStoreContext::exit_fp`] as it was before this entry.
    pub saved_exit_fp: usize,
    /// [`VMStoreContext::exit_pc`] as it was before this entry.
    pub saved_exit_pc: usize,
    /// [`VMStoreContext::exit_head`] as it was before this entry.
    pub saved_exit_head: usize,
    /// How the host computes with floats, if that is not how guests do: its control and status word; else 0.
    pub host_floats: u32,
    /// The call on a stack of its own that this is the entry of; null if it is on the stack of whoever called.
    pub call: *mut c_void,
}

/// What an armed stop point finds behind its text. It stands at the start of the read-write *cell page*, which
/// follows the text's last page: as far from the text's start as the text is long, rounded up to whole pages.
#[derive(Debug)]
#[repr(C)]
pub struct StopCell {
    /// Where the stop stub jumps to, with `context` pushed above the return address into the guest.
    pub handler: *const c_void,
    /// What the handler is told.
    pub context: *mut c_void,
}

/// The head of an instance's structure; what follows it has the offsets of [`VmLayout`].
#[derive(Debug)]
#[repr(C, align(16))]
pub struct VMContext {
    /// The store's context.
    pub store: *mut VMStoreContext,
    /// The builtin functions, indexed by [`Builtin`](super::Builtin).
    pub builtins: *const *const c_void,
    /// The [`TypeId`] of each type of the module.
    pub sigs: *const TypeId,
    /// The runtime's instance.
    pub instance: *mut c_void,
    /// What new objects of each type of the module begin with; of a function's type it means nothing. Null where there
    /// are no types of objects.
    pub heap_types: *const u32,
}

impl VMContext {
    /// Offset of [`VMContext::store`].
    pub const STORE: i32 = std::mem::offset_of!(VMContext, store) as i32;
    /// Offset of [`VMContext::builtins`].
    pub const BUILTINS: i32 = std::mem::offset_of!(VMContext, builtins) as i32;
    /// Offset of [`VMContext::sigs`].
    pub const SIGS: i32 = std::mem::offset_of!(VMContext, sigs) as i32;
    /// Offset of [`VMContext::heap_types`].
    pub const HEAP_TYPES: i32 = std::mem::offset_of!(VMContext, heap_types) as i32;
}

/// How many of each a module has: what a [`VmLayout`] follows from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VmCounts {
    /// Imported functions.
    pub imported_funcs: u32,
    /// Imported tables.
    pub imported_tables: u32,
    /// Imported memories.
    pub imported_memories: u32,
    /// Imported globals.
    pub imported_globals: u32,
    /// Tables defined.
    pub defined_tables: u32,
    /// Memories defined.
    pub defined_memories: u32,
    /// Globals defined.
    pub defined_globals: u32,
}

/// Where the variable part of a module's [`VMContext`] is, in bytes from its start: defined globals (16 bytes each),
/// defined memories and tables in place, and pointers to what is imported. The [`VMFuncRef`]s of defined functions are
/// elsewhere: compiled code asks for them.
#[derive(Clone, Copy, Debug)]
pub struct VmLayout {
    counts: VmCounts,
    globals: u32,
    memories: u32,
    tables: u32,
    imported_memories: u32,
    imported_tables: u32,
    imported_globals: u32,
    imported_funcs: u32,
    size: u32,
}

impl VmLayout {
    /// The layout for a module with these counts, or `None` when it would not fit 31 bits.
    pub fn new(counts: VmCounts) -> Option<Self> {
        let mut at = u64::try_from(size_of::<VMContext>()).ok()?;
        let mut take = |count: u32, size: usize| {
            let start = at;
            at += u64::from(count) * size as u64;
            start
        };
        let globals = take(counts.defined_globals, size_of::<VMGlobal>());
        let memories = take(counts.defined_memories, size_of::<VMMemory>());
        let tables = take(counts.defined_tables, size_of::<VMTable>());
        let imported_memories = take(counts.imported_memories, 8);
        let imported_tables = take(counts.imported_tables, 8);
        let imported_globals = take(counts.imported_globals, 8);
        let imported_funcs = take(counts.imported_funcs, 8);
        let size = take(0, 0);
        if size > i32::MAX as u64 {
            return None;
        }
        Some(VmLayout {
            counts,
            globals: globals as u32,
            memories: memories as u32,
            tables: tables as u32,
            imported_memories: imported_memories as u32,
            imported_tables: imported_tables as u32,
            imported_globals: imported_globals as u32,
            imported_funcs: imported_funcs as u32,
            size: size as u32,
        })
    }

    /// The counts it was made for.
    pub fn counts(&self) -> &VmCounts {
        &self.counts
    }
    /// Bytes of the whole structure.
    pub fn size(&self) -> u32 {
        self.size
    }
    /// The pointer to an imported function's [`VMFuncRef`].
    pub fn imported_func(&self, func: FuncIndex) -> u32 {
        debug_assert!(func.get() < self.counts.imported_funcs);
        self.imported_funcs + func.get() * 8
    }
    /// A memory: `(offset, true)` where the pointer to an imported one is, `(offset, false)` where the [`VMMemory`]
    /// itself is.
    pub fn memory(&self, memory: MemoryIndex) -> (u32, bool) {
        match memory.get().checked_sub(self.counts.imported_memories) {
            None => (self.imported_memories + memory.get() * 8, true),
            Some(defined) => (self.memories + defined * size_of::<VMMemory>() as u32, false),
        }
    }
    /// A table: `(offset, true)` where the pointer to an imported one is, `(offset, false)` where the [`VMTable`]
    /// itself is.
    pub fn table(&self, table: TableIndex) -> (u32, bool) {
        match table.get().checked_sub(self.counts.imported_tables) {
            None => (self.imported_tables + table.get() * 8, true),
            Some(defined) => (self.tables + defined * size_of::<VMTable>() as u32, false),
        }
    }
    /// A global: `(offset, true)` where the pointer to an imported one is, `(offset, false)` where the [`VMGlobal`]
    /// itself is.
    pub fn global(&self, global: GlobalIndex) -> (u32, bool) {
        match global.get().checked_sub(self.counts.imported_globals) {
            None => (self.imported_globals + global.get() * 8, true),
            Some(defined) => (self.globals + defined * size_of::<VMGlobal>() as u32, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_overlap() {
        let counts = VmCounts {
            imported_funcs: 3,
            imported_tables: 1,
            imported_memories: 1,
            imported_globals: 2,
            defined_tables: 2,
            defined_memories: 1,
            defined_globals: 3,
        };
        let layout = VmLayout::new(counts).unwrap();
        let mut parts = vec![(0, size_of::<VMContext>() as u32)];
        for i in 0..3 {
            parts.push((layout.imported_func(FuncIndex::new(i)), 8));
        }
        for i in 0..5 {
            let (at, imported) = layout.global(GlobalIndex::new(i));
            assert_eq!(imported, i < 2);
            assert!(imported || at % 16 == 0);
            parts.push((at, if imported { 8 } else { 16 }));
        }
        for i in 0..2 {
            let (at, imported) = layout.memory(MemoryIndex::new(i));
            parts.push((at, if imported { 8 } else { 16 }));
        }
        for i in 0..3 {
            let (at, imported) = layout.table(TableIndex::new(i));
            parts.push((at, if imported { 8 } else { 24 }));
        }
        parts.sort();
        for pair in parts.windows(2) {
            assert!(pair[0].0 + pair[0].1 <= pair[1].0, "{pair:?}");
        }
        let last = parts.last().unwrap();
        assert_eq!(last.0 + last.1, layout.size());
    }

    #[test]
    fn too_large_is_refused() {
        let counts = VmCounts { defined_globals: u32::MAX, ..VmCounts::default() };
        assert!(VmLayout::new(counts).is_none());
    }
}
