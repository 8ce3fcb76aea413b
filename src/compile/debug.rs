//! What the debug tier adds to a function while it is translated: a stop point before every instruction, and slots in
//! the frame from which every local and every operand can be told whenever the function can be stopped. A local is always in
//! its slot. An operand is in a slot of its own, unless it is known without: a constant, or a copy of a local that has
//! not changed since. What is recorded here becomes the image's sites, points, shapes and locals.

use super::env::{POINTER, abi_type};
use crate::image::SlotKind;
use crate::wasm::ValType;
use cranelift_codegen::ir::{
    ExtFuncData, ExternalName, FuncRef, InstBuilder, MemFlagsData, Signature, StackSlot, StackSlotData, StackSlotKind,
    UserExternalName, Value,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;
use std::collections::HashMap;

/// Bytes of a slot. Every value of the types there are fits.
pub(super) const SLOT_BYTES: u32 = 8;
/// Namespace of the names of what generated code calls: functions of the module, by defined index.
pub(super) const NAMESPACE_FUNCTION: u32 = 0;
/// Namespace of the stop stub.
pub(super) const NAMESPACE_STOP: u32 = 1;

/// The bottom of every operand stack.
pub(super) const NO_SHAPE: u32 = u32::MAX;

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Held {
    /// In the operands' slot, at this position from the bottom.
    Operand(u32),
    /// It is what this local is.
    Local(u32),
    /// See [`Place::Constant`](crate::image::Place::Constant).
    Constant(i32),
}

/// A function's operand stack of some depth, by what is on top of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FrameShape {
    /// The shape below, or [`NO_SHAPE`].
    pub(super) below: u32,
    /// What is on top.
    pub(super) kind: SlotKind,
    /// Where that is.
    pub(super) held: Held,
}

/// What is known of a function's frame at its stop points, with slots counted within the function.
#[derive(Debug)]
pub(super) struct FrameRecord {
    /// The slot of the locals, parameters first, and behind them the vmctx, [`SLOT_BYTES`] each.
    pub(super) locals_slot: StackSlot,
    /// The kinds of the locals.
    pub(super) locals: Vec<SlotKind>,
    /// The slot of the operands, [`SLOT_BYTES`] each, bottom first.
    pub(super) operands_slot: StackSlot,
    /// Every operand stack that occurs.
    pub(super) shapes: Vec<FrameShape>,
    /// Where the state is complete, in the order of the instructions.
    pub(super) points: Vec<RecordedPoint>,
}

/// An instruction before which the slots hold the complete state.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordedPoint {
    /// Its Wasm offset.
    pub(super) wasm: u32,
    /// The operand stack.
    pub(super) shape: u32,
    /// Whether a stop point stands there.
    pub(super) stops: bool,
}

/// The instrumentation of a function being translated.
pub(super) struct Instrument {
    record: FrameRecord,
    interned: HashMap<FrameShape, u32>,
    flags: MemFlagsData,
    stop: FuncRef,
    deepest: u32,
}

/// A Wasm type as a slot's kind.
fn kind(ty: ValType) -> SlotKind {
    match ty {
        ValType::I32 => SlotKind::I32,
        ValType::I64 => SlotKind::I64,
        ValType::F32 => SlotKind::F32,
        ValType::F64 => SlotKind::F64,
        ValType::V128 => SlotKind::V128,
        ValType::FuncRef => SlotKind::FuncRef,
        ValType::ExternRef => SlotKind::ExternRef,
    }
}

impl Instrument {
    /// Prepares the frame of a function with these locals; slot stores use `flags`, an alias region of their own.
    pub(super) fn new(
        builder: &mut FunctionBuilder<'_>,
        locals: &[ValType],
        vmctx: Value,
        flags: MemFlagsData,
    ) -> Instrument {
        let slot = |count: usize| StackSlotData::new(StackSlotKind::ExplicitSlot, count as u32 * SLOT_BYTES, 3);
        let locals_slot = builder.create_sized_stack_slot(slot(locals.len() + 1));
        // Its size is known at the end.
        let operands_slot = builder.create_sized_stack_slot(slot(0));
        let name =
            builder.func.declare_imported_user_function(UserExternalName { namespace: NAMESPACE_STOP, index: 0 });
        let signature = builder.import_signature(Signature::new(CallConv::PreserveAll));
        let stop = builder.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature,
            colocated: true,
            patchable: true,
        });
        let instrument = Instrument {
            record: FrameRecord {
                locals_slot,
                locals: locals.iter().map(|ty| kind(*ty)).collect(),
                operands_slot,
                shapes: Vec::new(),
                points: Vec::new(),
            },
            interned: HashMap::new(),
            flags,
            stop,
            deepest: 0,
        };
        instrument.store_local(builder, locals.len(), vmctx);
        instrument
    }

    /// Puts a stop point here, before the instruction at `wasm`, with an operand stack of `shape`.
    pub(super) fn stop_point(&mut self, builder: &mut FunctionBuilder<'_>, wasm: u32, shape: u32) {
        builder.ins().call(self.stop, &[]);
        self.record.points.push(RecordedPoint { wasm, shape, stops: true });
    }

    /// Writes a local's new value to its slot.
    pub(super) fn store_local(&self, builder: &mut FunctionBuilder<'_>, local: usize, value: Value) {
        let base = builder.ins().stack_addr(POINTER, self.record.locals_slot, 0);
        builder.ins().store(self.flags, value, base, (local as u32 * SLOT_BYTES) as i32);
    }

    /// Writes an operand that now is at `depth` on a stack of shape `below`, and gives the shape with it.
    pub(super) fn store_operand(
        &mut self,
        builder: &mut FunctionBuilder<'_>,
        below: u32,
        depth: usize,
        ty: ValType,
        value: Value,
    ) -> u32 {
        debug_assert_eq!(builder.func.dfg.value_type(value), abi_type(ty));
        let depth = depth as u32;
        let base = builder.ins().stack_addr(POINTER, self.record.operands_slot, 0);
        builder.ins().store(self.flags, value, base, (depth * SLOT_BYTES) as i32);
        self.deepest = self.deepest.max(depth + 1);
        self.shape(below, ty, Held::Operand(depth))
    }

    /// The shape with an operand that is `held` somewhere on top of `below`.
    pub(super) fn shape(&mut self, below: u32, ty: ValType, held: Held) -> u32 {
        let shapes = &mut self.record.shapes;
        let shape = FrameShape { below, kind: kind(ty), held };
        *self.interned.entry(shape).or_insert_with(|| {
            shapes.push(shape);
            (shapes.len() - 1) as u32
        })
    }

    /// Where the topmost operand of a shape is.
    pub(super) fn held(&self, shape: u32) -> Held {
        self.record.shapes[shape as usize].held
    }

    /// Ends the function: gives the slot of the operands its size.
    pub(super) fn finish(self, builder: &mut FunctionBuilder<'_>) -> FrameRecord {
        builder.func.sized_stack_slots[self.record.operands_slot].size = self.deepest * SLOT_BYTES;
        self.record
    }
}
