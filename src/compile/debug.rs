//! What the debug tier adds to a function while it is translated: stop points, and slots in the frame from which every
//! local and every operand can be told where the state is *complete*: at every stop point and call, and where ways come
//! together. There a local is in its slot. An operand is in a slot of its own, unless it is known without: a constant, or
//! a copy of a local that has not changed since. In between nothing is stored. What is recorded here becomes the image's
//! sites, points, shapes and locals.

use super::env::{POINTER, abi_type};
use crate::image::SlotKind;
use crate::wasm::ValType;
use cranelift_codegen::ir::{
    ExtFuncData, ExternalName, FuncRef, InstBuilder, MemFlagsData, Signature, StackSlot, StackSlotData, StackSlotKind,
    UserExternalName, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;
use std::collections::HashMap;
use std::ops::Range;

/// Bytes of a slot. Every value of the types there are fits.
pub(super) const SLOT_BYTES: u32 = 8;
/// Namespace of the names of what generated code calls: functions of the module, by defined index.
pub(super) const NAMESPACE_FUNCTION: u32 = 0;
/// Namespace of the stop stub.
pub(super) const NAMESPACE_STOP: u32 = 1;
/// Namespace of the body behind an entry that checks the stack for it.
pub(super) const NAMESPACE_BODY: u32 = 2;

/// The bottom of every operand stack.
pub(super) const NO_SHAPE: u32 = u32::MAX;
/// The shape of an operand that has not been at a point yet.
pub(super) const UNSHAPED: u32 = u32::MAX - 1;

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum OperandPlace {
    /// In the operands' slot, at this position from the bottom.
    Slot(u32),
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
    pub(super) place: OperandPlace,
}

/// What is known of a function's frame at its points, with slots counted within the function.
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
    /// The locals whose slots are out of date, each once.
    dirty: Vec<u32>,
    is_dirty: Vec<bool>,
    /// The last point, if nothing has needed it yet: it is recorded when something does.
    pending: Option<RecordedPoint>,
}

/// A Wasm type as a slot's kind.
pub(super) fn kind(ty: ValType) -> SlotKind {
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
            dirty: Vec::new(),
            is_dirty: vec![false; locals.len()],
            pending: None,
        };
        instrument.store_local(builder, locals.len(), vmctx);
        instrument
    }

    /// Puts a stop point here, before the instruction at `wasm`, with an operand stack of `shape`.
    pub(super) fn stop_point(&mut self, builder: &mut FunctionBuilder<'_>, wasm: u32, shape: u32) {
        builder.ins().call(self.stop, &[]);
        self.pending = None;
        self.record.points.push(RecordedPoint { wasm, shape, stops: true });
    }

    /// The state is complete before the instruction at `wasm`, should anyone ask before the next point.
    pub(super) fn point(&mut self, wasm: u32, shape: u32) {
        self.pending = Some(RecordedPoint { wasm, shape, stops: false });
    }

    /// The instruction at hand can trap or is a call: the last point is needed to tell its state.
    pub(super) fn need_point(&mut self) {
        let same = |last: &RecordedPoint, point: &RecordedPoint| last.wasm == point.wasm;
        if let Some(point) = self.pending.take()
            && !self.record.points.last().is_some_and(|last| same(last, &point))
        {
            self.record.points.push(point);
        }
    }

    /// A local's slot is out of date.
    pub(super) fn mark_dirty(&mut self, local: u32) {
        if !std::mem::replace(&mut self.is_dirty[local as usize], true) {
            self.dirty.push(local);
        }
    }

    /// Whether any local's slot is out of date.
    pub(super) fn any_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// The locals whose slots are out of date: the caller stores them, or what they hold matters no more.
    pub(super) fn take_dirty(&mut self) -> Vec<u32> {
        let mut dirty = std::mem::take(&mut self.dirty);
        for local in &dirty {
            self.is_dirty[*local as usize] = false;
        }
        // In the order of the slots, whatever way they were changed in.
        dirty.sort_unstable();
        dirty
    }

    /// Writes a local's new value to its slot.
    pub(super) fn store_local(&self, builder: &mut FunctionBuilder<'_>, local: usize, value: Value) {
        let (base, offset) = self.local_address(builder, local as u32);
        builder.ins().store(self.flags, value, base, offset);
    }

    /// Writes zeros to the slots of these locals, whatever their types: two at a time.
    pub(super) fn zero_locals(&self, builder: &mut FunctionBuilder<'_>, locals: Range<usize>) {
        let mut at = locals.start;
        if locals.len() > 1 {
            let zeros = builder.func.dfg.constants.insert([0u8; 16].as_slice().into());
            let zeros = builder.ins().vconst(types::I8X16, zeros);
            // The slots are aligned to 8 bytes only.
            let flags = MemFlagsData::new().with_notrap().with_alias_region(self.flags.alias_region());
            while at + 2 <= locals.end {
                let (base, offset) = self.local_address(builder, at as u32);
                builder.ins().store(flags, zeros, base, offset);
                at += 2;
            }
        }
        if at < locals.end {
            let zero = builder.ins().iconst(types::I64, 0);
            self.store_local(builder, at, zero);
        }
    }

    /// Writes an operand that is at `depth` to its slot.
    pub(super) fn store_operand(&mut self, builder: &mut FunctionBuilder<'_>, depth: usize, ty: ValType, value: Value) {
        debug_assert_eq!(builder.func.dfg.value_type(value), abi_type(ty));
        self.have_room_for(depth as u32);
        let (base, offset) = self.operand_address(builder, depth as u32);
        builder.ins().store(self.flags, value, base, offset);
    }

    /// The operand at `depth`, from its slot.
    pub(super) fn load_operand(&self, builder: &mut FunctionBuilder<'_>, depth: usize, ty: ValType) -> Value {
        let (base, offset) = self.operand_address(builder, depth as u32);
        builder.ins().load(abi_type(ty), self.flags, base, offset)
    }

    /// Where a local's slot is: base and offset.
    pub(super) fn local_address(&self, builder: &mut FunctionBuilder<'_>, local: u32) -> (Value, i32) {
        (builder.ins().stack_addr(POINTER, self.record.locals_slot, 0), (local * SLOT_BYTES) as i32)
    }

    /// The frame has a slot for the operand at `depth`.
    pub(super) fn have_room_for(&mut self, depth: u32) {
        self.deepest = self.deepest.max(depth + 1);
    }

    /// Where the slot of the operand at `depth` is, for which there is room: base and offset.
    pub(super) fn operand_address(&self, builder: &mut FunctionBuilder<'_>, depth: u32) -> (Value, i32) {
        (builder.ins().stack_addr(POINTER, self.record.operands_slot, 0), (depth * SLOT_BYTES) as i32)
    }

    /// The shape with an operand that is at `place` on top of `below`.
    pub(super) fn shape(&mut self, below: u32, ty: ValType, place: OperandPlace) -> u32 {
        let shapes = &mut self.record.shapes;
        let shape = FrameShape { below, kind: kind(ty), place };
        *self.interned.entry(shape).or_insert_with(|| {
            shapes.push(shape);
            (shapes.len() - 1) as u32
        })
    }

    /// Ends the function: gives the slot of the operands its size.
    pub(super) fn finish(self, builder: &mut FunctionBuilder<'_>) -> FrameRecord {
        builder.func.sized_stack_slots[self.record.operands_slot].size = self.deepest * SLOT_BYTES;
        self.record
    }
}
