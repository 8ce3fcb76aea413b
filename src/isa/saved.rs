//! Which of the registers that calls preserve a function has saved, in a word.

use super::PreservedRegister;

/// Bytes of a register.
const WORD: i32 = 8;

/// Where a function's prologue has saved its caller's registers. It saves some of them, one beside the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SavedRegisters {
    /// Which: a bit for each, by its number.
    which: u8,
    /// How many words below the frame pointer the first of them stands.
    below: u8,
}

impl SavedRegisters {
    /// None is saved.
    pub const NONE: SavedRegisters = SavedRegisters { which: 0, below: 0 };

    /// These registers, in the order of their numbers, the first one `below` words below the frame pointer, the others
    /// above it. `None` if they would reach beyond the frame pointer.
    pub fn new(registers: impl IntoIterator<Item = PreservedRegister>, below: u8) -> Option<SavedRegisters> {
        let which = registers.into_iter().fold(0, |which, register| which | 1 << register as u8);
        Self::from_parts(which, below)
    }

    /// From [`SavedRegisters::parts`]; `None` for what those never are.
    pub fn from_parts(which: u8, below: u8) -> Option<SavedRegisters> {
        let fits = which < 1 << PreservedRegister::ALL.len() && which.count_ones() <= u32::from(below);
        (fits || (which, below) == (0, 0)).then_some(SavedRegisters { which, below })
    }

    /// As two numbers.
    pub fn parts(self) -> (u8, u8) {
        (self.which, self.below)
    }

    /// How far from the frame pointer a register is saved; `None` if it is not, and still has its caller's value.
    pub fn offset_of(self, register: PreservedRegister) -> Option<i32> {
        let bit = 1 << register as u8;
        let before = (self.which & (bit - 1)).count_ones() as i32;
        (self.which & bit != 0).then(|| (before - i32::from(self.below)) * WORD)
    }

    /// How many bytes below the frame pointer they begin.
    pub fn bytes(self) -> u32 {
        u32::from(self.below) * WORD.unsigned_abs()
    }
}
