//! Why a guest trapped, as compiled code and image tables encode it.

/// The reasons for a trap. The numbers stand in image files: stable, never reused, never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum TrapCode {
    /// `unreachable` was executed.
    Unreachable = 1,
    /// A memory access or bulk operation went beyond the memory (or a data segment).
    MemoryOutOfBounds = 2,
    /// A table access or bulk operation went beyond the table (or an element segment).
    TableOutOfBounds = 3,
    /// `call_indirect` with an index beyond the table.
    UndefinedElement = 4,
    /// `call_indirect` met a null reference.
    UninitializedElement = 5,
    /// `call_indirect` met a function of another type.
    IndirectCallTypeMismatch = 6,
    /// An integer was divided by zero.
    IntegerDivisionByZero = 7,
    /// A division or a truncation overflowed.
    IntegerOverflow = 8,
    /// A NaN was truncated to an integer.
    InvalidConversion = 9,
    /// The guest's stack is used up.
    StackOverflow = 10,
    /// A null reference where the instruction needs one that is not.
    NullReference = 11,
    /// The guest was interrupted by its host or stopped for good by its debugger.
    Interrupt = 12,
    /// The fuel that the host gave the guest is used up.
    OutOfFuel = 13,
    /// `ref.cast` met a reference of another type.
    CastFailure = 14,
    /// An access or bulk operation went beyond an array.
    ArrayOutOfBounds = 15,
    /// The heap is full, or a new object is larger than it may be.
    HeapFull = 16,
    /// An atomic instruction met an address that is no multiple of its width.
    UnalignedAtomic = 17,
    /// A guest was to wait for a change of a memory that no other thread can have.
    ExpectedSharedMemory = 18,
}

impl TrapCode {
    /// Every code, in the order of their numbers.
    pub const ALL: [TrapCode; 18] = [
        TrapCode::Unreachable,
        TrapCode::MemoryOutOfBounds,
        TrapCode::TableOutOfBounds,
        TrapCode::UndefinedElement,
        TrapCode::UninitializedElement,
        TrapCode::IndirectCallTypeMismatch,
        TrapCode::IntegerDivisionByZero,
        TrapCode::IntegerOverflow,
        TrapCode::InvalidConversion,
        TrapCode::StackOverflow,
        TrapCode::NullReference,
        TrapCode::Interrupt,
        TrapCode::OutOfFuel,
        TrapCode::CastFailure,
        TrapCode::ArrayOutOfBounds,
        TrapCode::HeapFull,
        TrapCode::UnalignedAtomic,
        TrapCode::ExpectedSharedMemory,
    ];

    /// The code with this number, if there is one.
    pub fn from_u8(raw: u8) -> Option<TrapCode> {
        Self::ALL.get(usize::from(raw).checked_sub(1)?).copied()
    }

    /// The message, in the specification test suite's words where it has some.
    pub fn message(self) -> &'static str {
        match self {
            TrapCode::Unreachable => "unreachable",
            TrapCode::MemoryOutOfBounds => "out of bounds memory access",
            TrapCode::TableOutOfBounds => "out of bounds table access",
            TrapCode::UndefinedElement => "undefined element",
            TrapCode::UninitializedElement => "uninitialized element",
            TrapCode::IndirectCallTypeMismatch => "indirect call type mismatch",
            TrapCode::IntegerDivisionByZero => "integer divide by zero",
            TrapCode::IntegerOverflow => "integer overflow",
            TrapCode::InvalidConversion => "invalid conversion to integer",
            TrapCode::StackOverflow => "call stack exhausted",
            TrapCode::NullReference => "null reference",
            TrapCode::Interrupt => "interrupted",
            TrapCode::OutOfFuel => "out of fuel",
            TrapCode::CastFailure => "cast failure",
            TrapCode::ArrayOutOfBounds => "out of bounds array access",
            TrapCode::HeapFull => "allocation size too large: the heap is full",
            TrapCode::UnalignedAtomic => "unaligned atomic",
            TrapCode::ExpectedSharedMemory => "expected shared memory",
        }
    }
}

impl std::fmt::Display for TrapCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.message())
    }
}

#[cfg(test)]
mod tests {
    use super::TrapCode;

    #[test]
    fn numbers_round_trip() {
        for code in TrapCode::ALL {
            assert_eq!(TrapCode::from_u8(code as u8), Some(code));
        }
        assert_eq!(TrapCode::from_u8(0), None);
        assert_eq!(TrapCode::from_u8(TrapCode::ALL.len() as u8 + 1), None);
    }
}
