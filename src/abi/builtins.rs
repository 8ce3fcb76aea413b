//! The functions of the runtime that compiled code calls.

/// The type of a builtin's argument or result, besides the vmctx that every builtin takes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuiltinArg {
    /// 32 bits: an index or a small operand.
    I32,
    /// 64 bits: an address, a length, a reference.
    I64,
}

use BuiltinArg::{I32, I64};

/// A function of the runtime that compiled code calls; its discriminant is its position in the table behind
/// [`VMContext::builtins`](super::VMContext::builtins). Addresses and lengths are 64 bits wide (zero-extended), so that
/// they do not change with memory64. All but those marked "never returns" may raise a trap instead of returning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Builtin {
    /// `(memory, delta in pages) -> old size in pages`, or -1.
    MemoryGrow,
    /// `(destination memory, destination, source memory, source, length)`.
    MemoryCopy,
    /// `(memory, destination, byte, length)`.
    MemoryFill,
    /// `(memory, data segment, destination, source, length)`.
    MemoryInit,
    /// `(data segment)`.
    DataDrop,
    /// `(table, initial reference, delta) -> old size`, or -1.
    TableGrow,
    /// `(table, destination, reference, length)`.
    TableFill,
    /// `(destination table, source table, destination, source, length)`.
    TableCopy,
    /// `(table, element segment, destination, source, length)`.
    TableInit,
    /// `(element segment)`.
    ElemDrop,
    /// `(table, index) -> funcref`: what an element says that is [`TableElement::UNTOUCHED`](super::TableElement),
    /// which is written to the table. The index is inside of it. Raises no trap.
    TableResolve,
    /// `(function) -> funcref`: initialises the function's `VMFuncRef` on first use.
    RefFunc,
    /// `(type, wanted) -> 1 or 0`: whether a type is another, or below it; both are
    /// [`TypeId`](crate::base::TypeId)s. Raises no trap.
    IsBelow,
    /// `(offset, bytes of an element, elements, value's lower half, upper half)`: fills elements on the heap with the
    /// lowest bytes of a value. They are there. Raises no trap.
    HeapFill,
    /// `(destination offset, source offset, bytes)`: copies on the heap. Both are there. Raises no trap.
    HeapMove,
    /// `(type, data segment, source, length) -> reference`: a new array.
    ArrayNewData,
    /// `(type, element segment, source, length) -> reference`: a new array.
    ArrayNewElem,
    /// `(array, index, data segment, source, length)`. The array is not null.
    ArrayInitData,
    /// `(array, index, element segment, source, length)`. The array is not null.
    ArrayInitElem,
    /// `(trap code)`: raises that trap. Used where signals are off. Never returns.
    Trap,
    /// `()`: raises the error a host function left in the store. Never returns.
    Raise,
    /// `()`: there is too little stack for a call of the host; the frame that calls is noted as having left. Never
    /// returns.
    HostOverflow,
    /// `(tag, address of the values, one [`ValRaw`](super::ValRaw) each)`: throws a new exception. Never returns. In
    /// the Wasm convention, as all that may throw: no register is as it was where an exception is caught.
    Throw,
    /// `(exception)`: throws it again, or traps if it is null. Never returns. In the same convention.
    ThrowRef,
    /// `()`: the deadline is over, or somebody wants the host to be asked: returns if the guest is to go on.
    Due,
    /// `(memory, index, offset, count) -> how many were woken`: wakes who waits there.
    AtomicNotify,
    /// `(memory, index, offset, expected 32 bits, nanoseconds) -> 0, 1 or 2`: waits while a word is what is expected:
    /// woken, not what is expected, or too long. The frame is seen meanwhile.
    AtomicWait32,
    /// The same of 64 bits.
    AtomicWait64,
}

impl Builtin {
    /// Every builtin, in the order of the table.
    pub const ALL: [Builtin; 28] = [
        Builtin::MemoryGrow,
        Builtin::MemoryCopy,
        Builtin::MemoryFill,
        Builtin::MemoryInit,
        Builtin::DataDrop,
        Builtin::TableGrow,
        Builtin::TableFill,
        Builtin::TableCopy,
        Builtin::TableInit,
        Builtin::ElemDrop,
        Builtin::TableResolve,
        Builtin::RefFunc,
        Builtin::IsBelow,
        Builtin::HeapFill,
        Builtin::HeapMove,
        Builtin::ArrayNewData,
        Builtin::ArrayNewElem,
        Builtin::ArrayInitData,
        Builtin::ArrayInitElem,
        Builtin::Trap,
        Builtin::Raise,
        Builtin::HostOverflow,
        Builtin::Throw,
        Builtin::ThrowRef,
        Builtin::Due,
        Builtin::AtomicNotify,
        Builtin::AtomicWait32,
        Builtin::AtomicWait64,
    ];

    /// The types of its arguments behind the vmctx.
    pub const fn params(self) -> &'static [BuiltinArg] {
        match self {
            Builtin::MemoryGrow => &[I32, I64],
            Builtin::MemoryCopy => &[I32, I64, I32, I64, I64],
            Builtin::MemoryFill => &[I32, I64, I32, I64],
            Builtin::MemoryInit => &[I32, I32, I64, I64, I64],
            Builtin::DataDrop | Builtin::ElemDrop | Builtin::RefFunc | Builtin::Trap => &[I32],
            Builtin::TableGrow => &[I32, I64, I64],
            Builtin::TableResolve | Builtin::Throw => &[I32, I64],
            Builtin::ThrowRef => &[I64],
            Builtin::TableFill => &[I32, I64, I64, I64],
            Builtin::TableCopy | Builtin::TableInit => &[I32, I32, I64, I64, I64],
            Builtin::IsBelow => &[I32, I32],
            Builtin::HeapFill => &[I32, I32, I64, I64, I64],
            Builtin::HeapMove => &[I32, I32, I64],
            Builtin::ArrayNewData | Builtin::ArrayNewElem => &[I32, I32, I32, I32],
            Builtin::ArrayInitData | Builtin::ArrayInitElem => &[I32, I32, I32, I32, I32],
            Builtin::AtomicNotify => &[I32, I64, I64, I32],
            Builtin::AtomicWait32 => &[I32, I64, I64, I32, I64],
            Builtin::AtomicWait64 => &[I32, I64, I64, I64, I64],
            Builtin::Raise | Builtin::HostOverflow | Builtin::Due => &[],
        }
    }

    /// Whether something may be collected while it runs: it makes something, or asks the host, which may.
    pub const fn may_collect(self) -> bool {
        match self {
            Builtin::ArrayNewData
            | Builtin::ArrayNewElem
            | Builtin::Throw
            | Builtin::ThrowRef
            // Who waits asks the host now and then whether the guest may go on.
            | Builtin::AtomicWait32
            | Builtin::AtomicWait64
            | Builtin::Due
            // Debuggers are told of it, and may call guests then.
            | Builtin::MemoryGrow => true,
            Builtin::MemoryCopy
            | Builtin::MemoryFill
            | Builtin::MemoryInit
            | Builtin::DataDrop
            | Builtin::TableGrow
            | Builtin::TableFill
            | Builtin::TableCopy
            | Builtin::TableInit
            | Builtin::ElemDrop
            | Builtin::TableResolve
            | Builtin::RefFunc
            | Builtin::IsBelow
            | Builtin::HeapFill
            | Builtin::HeapMove
            | Builtin::ArrayInitData
            | Builtin::ArrayInitElem
            | Builtin::AtomicNotify
            // The guest does not come back from these.
            | Builtin::Trap
            | Builtin::Raise
            | Builtin::HostOverflow => false,
        }
    }

    /// The type of its result, if it has one.
    pub const fn result(self) -> Option<BuiltinArg> {
        match self {
            Builtin::MemoryGrow
            | Builtin::TableGrow
            | Builtin::TableResolve
            | Builtin::RefFunc
            | Builtin::IsBelow
            | Builtin::ArrayNewData
            | Builtin::ArrayNewElem
            | Builtin::AtomicNotify
            | Builtin::AtomicWait32
            | Builtin::AtomicWait64 => Some(I64),
            _ => None,
        }
    }
}
