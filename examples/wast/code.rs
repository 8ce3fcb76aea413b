//! The instructions of function bodies that can be reached, from a walk over the bodies, for the debugger to be held
//! against.

use std::collections::HashMap;
use stepwell::ValType;
use stepwell::base::FuncIndex;
use stepwell::internals::wasm::{Instructions, Walk};
use stepwell::runtime::{Module, ModuleId};
use wasmparser::Operator;

/// One function's body.
pub struct Body {
    /// The types of its locals, parameters first.
    pub locals: Vec<ValType>,
    /// The offset of each instruction that can be reached; for one that always runs on to the instruction behind it,
    /// that one's offset.
    pub instructions: HashMap<u32, Option<u32>>,
}

/// Bodies, read on first use.
#[derive(Default)]
pub struct Bodies(HashMap<(ModuleId, FuncIndex), Option<Body>>);

impl Bodies {
    /// The body of a function of `module`; `None` for an import.
    pub fn of(&mut self, module: &Module, func: FuncIndex) -> Option<&Body> {
        self.0.entry((module.id(), func)).or_insert_with(|| read(module, func)).as_ref()
    }
}

fn read(module: &Module, func: FuncIndex) -> Option<Body> {
    let info = module.info();
    let defined = info.defined(func)?;
    let mut walk = Walk::new(());
    let mut instructions: HashMap<u32, Option<u32>> = HashMap::new();
    // The last instruction, if it always runs on to the next one.
    let mut before = None;
    let mut catches = false;
    for instruction in Instructions::of(&info.body(defined, module.binary()).ok()?).ok()? {
        let instruction = instruction.ok()?;
        let at = instruction.at.get();
        if let Some(before) = before {
            instructions.insert(before, Some(at));
        }
        let reached = walk.reached();
        walk.step(&instruction).ok()?;
        // Nobody may stop where nothing leads.
        if reached {
            instructions.insert(at, None);
        }
        // What a call throws may be caught in the function.
        catches |= matches!(instruction.operator, Operator::TryTable { .. } | Operator::Try { .. });
        let caught = catches && matches!(instruction.operator, Operator::Call { .. } | Operator::CallIndirect { .. });
        before = (reached && instruction.row.flow.runs_on() && !caught).then_some(at);
    }
    Some(Body { locals: info.locals(defined, module.binary()), instructions })
}
