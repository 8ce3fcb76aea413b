//! What breakpoints are called: numbers, which know nothing of what they are of.

use smallvec::SmallVec;

/// A breakpoint's name: unique in its debugger, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BreakpointId(pub(super) u32);

impl BreakpointId {
    /// Its number, from 1 on.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The id of this number, whether or not there is such a breakpoint.
    pub fn new(number: u32) -> Self {
        BreakpointId(number)
    }
}

/// What debuggers set for themselves is numbered from here on, behind all that hosts set.
pub(super) const FIRST_OWN: BreakpointId = BreakpointId(1 << 31);

impl BreakpointId {
    /// Whether it is one that the debugger has set for itself, which no host knows of.
    #[inline]
    pub(super) fn is_own(self) -> bool {
        self >= FIRST_OWN
    }
}

/// The ids of the breakpoints at one instruction.
pub(super) type Hits = SmallVec<[BreakpointId; 2]>;
