//! Locals as variables of the code generator, operands as its values: production code. Nothing is in memory, and what a
//! block is given it is given as arguments.

use super::{Here, Operand, Record, Storage, in_one_shape, words};
use crate::base::Result;
use crate::compile::debug::{OperandPlace, UNSHAPED};
use crate::compile::env::abi_type;
use crate::wasm::{Row, ValType};
use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::{FunctionBuilder, Variable};
use std::collections::HashMap;

/// Locals as variables.
#[derive(Default)]
pub(in super::super) struct Variables {
    variables: Vec<Variable>,
    /// The last block that each of them was used in, and the sum of how far they were apart.
    reach: Vec<u32>,
    spread: u64,
}

impl Variables {
    /// Those of a function with these locals, the first of which have the values of its parameters.
    pub(in super::super) fn new(
        builder: &mut FunctionBuilder<'_>,
        locals: &[ValType],
        params: &[Value],
    ) -> Result<Variables> {
        let mut zeros: HashMap<ValType, Value> = HashMap::new();
        let mut variables = Vec::with_capacity(locals.len());
        for (index, ty) in locals.iter().enumerate() {
            let variable = builder.declare_var(abi_type(*ty));
            let value = match (params.get(index), zeros.get(ty)) {
                (Some(value), _) | (None, Some(value)) => *value,
                (None, None) => {
                    let zero = zero(builder, *ty);
                    zeros.insert(*ty, zero);
                    zero
                }
            };
            builder.def_var(variable, value);
            variables.push(variable);
        }
        Ok(Variables { reach: vec![0; variables.len()], variables, spread: 0 })
    }

    /// A local is used in the block at hand.
    fn note_reach(&mut self, builder: &FunctionBuilder<'_>, local: u32) {
        if let (Some(block), Some(reach)) = (builder.current_block(), self.reach.get_mut(local as usize)) {
            let block = block.as_u32();
            self.spread += u64::from(block.saturating_sub(*reach));
            *reach = block.max(*reach);
        }
    }

    /// The value of a local.
    pub(super) fn read(&mut self, builder: &mut FunctionBuilder<'_>, local: u32) -> Value {
        self.note_reach(builder, local);
        builder.use_var(self.variables[local as usize])
    }

    /// Changes a local.
    pub(super) fn write(&mut self, builder: &mut FunctionBuilder<'_>, local: u32, value: Value) {
        self.note_reach(builder, local);
        builder.def_var(self.variables[local as usize], value);
    }

    /// See [`Storage::spread`].
    pub(super) fn spread(&self) -> u64 {
        self.spread
    }
}

/// The value that locals of this type start with.
fn zero(builder: &mut FunctionBuilder<'_>, ty: ValType) -> Value {
    match ty {
        ValType::I32 | ValType::I64 | ValType::Ref(_) => builder.ins().iconst(abi_type(ty), 0),
        ValType::F32 => builder.ins().f32const(0.0),
        ValType::F64 => builder.ins().f64const(0.0),
        ValType::V128 => {
            let zeros = builder.func.dfg.constants.insert([0u8; 16].as_slice().into());
            builder.ins().vconst(types::I8X16, zeros)
        }
    }
}

impl Storage for Variables {
    fn begin(&mut self, _: &mut Here<'_, '_>, _: &Row) -> Result<bool> {
        Ok(false)
    }

    fn push(&mut self, here: &mut Here<'_, '_>, ty: ValType, value: Value, _: Option<OperandPlace>) {
        let word = words(here.stack);
        here.stack.push(Operand { value, ty: ty.in_slots(), word, place: None, shape: UNSHAPED });
    }

    fn value_of(&mut self, here: &mut Here<'_, '_>, operand: &Operand) -> Value {
        in_one_shape(here.builder, operand.value, operand.ty)
    }

    fn local(&mut self, here: &mut Here<'_, '_>, local: u32, _: ValType) -> Value {
        self.read(here.builder, local)
    }

    fn set_local(&mut self, here: &mut Here<'_, '_>, local: u32, _: ValType, value: Value) {
        self.write(here.builder, local, value);
    }

    fn spread(&self) -> u64 {
        self.spread
    }

    fn finish(self: Box<Self>, _: &mut Here<'_, '_>) -> Result<Record> {
        Ok(Record::default())
    }
}
