//! The instructions of function bodies as the specification has them, read here anew, for the debugger to be held against.

use std::collections::HashMap;
use stepwell::base::FuncIndex;
use stepwell::runtime::{Module, ModuleId};
use stepwell::wasm::ValType;
use wasmparser::{BinaryReader, FunctionBody, Operator};

/// One function's body.
pub struct Body {
    /// The types of its locals, parameters first.
    pub locals: Vec<ValType>,
    /// Each instruction's offset; for one that always runs on to the instruction behind it, that one's offset.
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
    let range = info.bodies.get(defined.index())?.bytes.clone();
    let body = FunctionBody::new(BinaryReader::new(&module.binary()[range.clone()], range.start as u64));
    let mut locals = info.func_type(func).params.to_vec();
    for group in body.get_locals_reader().ok()? {
        let (count, ty) = group.ok()?;
        locals.extend(std::iter::repeat_n(stepwell::wasm::val_type(ty)?, count as usize));
    }
    let operators: Vec<(Operator<'_>, u64)> =
        body.get_operators_reader().ok()?.into_iter_with_offsets().collect::<Result<_, _>>().ok()?;
    let mut instructions = HashMap::new();
    for (i, (operator, offset)) in operators.iter().enumerate() {
        let next = operators.get(i + 1).map(|(_, offset)| *offset as u32);
        let flow = stepwell::wasm::row(operator)?.flow;
        instructions.insert(*offset as u32, next.filter(|_| flow.runs_on()));
    }
    Some(Body { locals, instructions })
}
