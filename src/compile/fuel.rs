//! Where fuel is taken and where limits are checked, as far as it can be told without making code: what is due before
//! each instruction.

use crate::base::{DefinedFuncIndex, Result, WasmOffset};
use crate::wasm::{Flow, Instructions, ModuleInfo, Row};

/// What is due before the next instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    /// It begins a run.
    pub(super) run: bool,
    /// It begins a function or a turn of a loop.
    pub(super) check: bool,
}

impl Default for Due {
    fn default() -> Self {
        Due { run: true, check: true }
    }
}

impl Due {
    /// Nothing.
    pub(super) fn none() -> Due {
        Due { run: false, check: false }
    }

    /// Behind an instruction that could not be reached: whatever comes next is reached from elsewhere. It begins no
    /// turn of a loop: a `loop` that cannot be reached has none.
    pub(super) fn behind_unreachable(&mut self) {
        self.run = true;
    }

    /// Behind an instruction that could be reached: whether what follows is run as often as it was.
    pub(super) fn behind(&mut self, row: &Row) {
        self.run |= !row.flow.is_straight();
        self.check |= row.flow == Flow::Loop;
    }
}

/// What the run of instructions takes that begins at an instruction which is reached; nothing if none begins there.
///
/// # Errors
/// What reading the body said.
pub fn fuel_begun(info: &ModuleInfo, binary: &[u8], func: DefinedFuncIndex, at: WasmOffset) -> Result<i64> {
    let (mut begins, mut taken) = (true, None);
    for instruction in Instructions::of(&info.body(func, binary)?)? {
        let instruction = instruction?;
        if instruction.at == at && begins {
            taken = Some(0);
        }
        taken = taken.map(|taken| taken + instruction.row.fuel);
        begins = !instruction.row.flow.is_straight();
        if begins && taken.is_some() || instruction.at > at && taken.is_none() {
            break;
        }
    }
    Ok(taken.unwrap_or(0))
}
