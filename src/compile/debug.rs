//! What the debug tier adds to a function while it is translated: stop points, and slots in the frame from which every
//! local and every operand can be told where the state is *complete*: at every stop point and call, and where ways come
//! together. There a local is in its slot. An operand is in a slot of its own, unless it is known without: a constant,
//! or a copy of a local that has not changed since. In between nothing is stored. What is recorded here becomes the
//! image's sites, points, shapes and locals. Where regions are basic blocks there are stop points on sides of branches,
//! too, of which no more is known than that they were taken.
//!
//! The slots are two areas of the frame, each laid out as [`SlotLayout`] says: the locals and behind them the vmctx,
//! and the operands. Where a slot is, is said in words from its area's start.

use super::env::{POINTER, abi_type};
use crate::base::{SlotLayout, WORD_BYTES};
use crate::wasm::ValType;
use cranelift_codegen::ir::{
    ExtFuncData, ExternalName, FuncRef, InstBuilder, MemFlagsData, Signature, StackSlot, StackSlotData, StackSlotKind,
    UserExternalName, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;
use std::collections::HashMap;
use std::ops::Range;

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
/// What stands for the shape on a side of a branch, where nobody knows the operands.
pub(super) const ON_SIDE: u32 = u32::MAX - 2;

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum OperandPlace {
    /// In the operands' area, at this word.
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
    pub(super) ty: ValType,
    /// Where that is.
    pub(super) place: OperandPlace,
}

/// What is known of a function's frame at its points, with slots counted within the function.
#[derive(Debug)]
pub(super) struct FrameRecord {
    /// The area of the locals, parameters first, and behind them the vmctx.
    pub(super) locals_slot: StackSlot,
    /// The locals.
    pub(super) locals: SlotLayout,
    /// The area of the operands, bottom first.
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

/// Writes the state of a function being translated to the slots of its frame, and records where it is.
pub(super) struct FrameWriter {
    record: FrameRecord,
    interned: HashMap<FrameShape, u32>,
    flags: MemFlagsData,
    stop: FuncRef,
    /// The words of the operands' area.
    deepest: u32,
    /// The locals whose slots are out of date, each once.
    dirty: Vec<u32>,
    is_dirty: Vec<bool>,
    /// The last point, if nothing has needed it yet: it is recorded when something does.
    pending: Option<RecordedPoint>,
}

/// How a slot of a value of this type is accessed, where those of words are accessed by `flags`: a wide one is not
/// aligned to its width.
pub(super) fn slot_flags(flags: MemFlagsData, ty: ValType) -> MemFlagsData {
    match ty.words() {
        1 => flags,
        _ => MemFlagsData::new().with_notrap().with_alias_region(flags.alias_region()),
    }
}

impl FrameWriter {
    /// Prepares the frame of a function with these locals; slot stores use `flags`, an alias region of their own.
    pub(super) fn new(
        builder: &mut FunctionBuilder<'_>,
        locals: &[ValType],
        vmctx: Value,
        flags: MemFlagsData,
    ) -> FrameWriter {
        let is_dirty = vec![false; locals.len()];
        let locals: SlotLayout = locals.iter().copied().collect();
        let words = locals.words();
        let area = |words: u32| {
            let align_shift = WORD_BYTES.trailing_zeros() as u8;
            StackSlotData::new(StackSlotKind::ExplicitSlot, words * WORD_BYTES, align_shift)
        };
        let locals_slot = builder.create_sized_stack_slot(area(words + 1));
        // Its size is known at the end.
        let operands_slot = builder.create_sized_stack_slot(area(0));
        let name =
            builder.func.declare_imported_user_function(UserExternalName { namespace: NAMESPACE_STOP, index: 0 });
        let signature = builder.import_signature(Signature::new(CallConv::PreserveAll));
        let stop = builder.import_function(ExtFuncData {
            name: ExternalName::user(name),
            signature,
            colocated: true,
            patchable: true,
        });
        let writer = FrameWriter {
            record: FrameRecord { locals_slot, locals, operands_slot, shapes: Vec::new(), points: Vec::new() },
            interned: HashMap::new(),
            flags,
            stop,
            deepest: 0,
            dirty: Vec::new(),
            is_dirty,
            pending: None,
        };
        let (base, offset) = writer.locals_address(builder, words);
        builder.ins().store(flags, vmctx, base, offset);
        writer
    }

    /// Puts a stop point here, before the instruction at `wasm`, with an operand stack of `shape`.
    pub(super) fn stop_point(&mut self, builder: &mut FunctionBuilder<'_>, wasm: u32, shape: u32) {
        builder.ins().call(self.stop, &[]);
        self.pending = None;
        self.record.points.push(RecordedPoint { wasm, shape, stops: true });
    }

    /// Puts a stop point here, on a side of a branch; `wasm` is its offset there.
    pub(super) fn side(&mut self, builder: &mut FunctionBuilder<'_>, wasm: u32) {
        builder.ins().call(self.stop, &[]);
        self.record.points.push(RecordedPoint { wasm, shape: ON_SIDE, stops: true });
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

    /// How a slot of a value of this type is accessed: a wide one is not aligned to its width.
    fn flags_of(&self, ty: ValType) -> MemFlagsData {
        slot_flags(self.flags, ty)
    }

    /// Where a local's slot is: base and offset.
    pub(super) fn local_address(&self, builder: &mut FunctionBuilder<'_>, local: u32) -> (Value, i32) {
        let (_, word) = self.local(local as usize);
        self.locals_address(builder, word)
    }

    /// Writes a local's new value to its slot.
    pub(super) fn store_local(&self, builder: &mut FunctionBuilder<'_>, local: usize, value: Value) {
        let (ty, word) = self.local(local);
        let (base, offset) = self.locals_address(builder, word);
        builder.ins().store(self.flags_of(ty), value, base, offset);
    }

    /// Writes zeros to the slots of these locals, whatever their types: two words at a time.
    pub(super) fn zero_locals(&self, builder: &mut FunctionBuilder<'_>, locals: Range<usize>) {
        if locals.is_empty() {
            return;
        }
        let mut at = self.local(locals.start).1;
        let end = self.record.locals.range(0, locals.end as u32).words();
        if end - at > 1 {
            let zeros = builder.func.dfg.constants.insert([0u8; 16].as_slice().into());
            let zeros = builder.ins().vconst(types::I8X16, zeros);
            let flags = self.flags_of(ValType::V128);
            while at + 2 <= end {
                let (base, offset) = self.locals_address(builder, at);
                builder.ins().store(flags, zeros, base, offset);
                at += 2;
            }
        }
        if at < end {
            let zero = builder.ins().iconst(types::I64, 0);
            let (base, offset) = self.locals_address(builder, at);
            builder.ins().store(self.flags, zero, base, offset);
        }
    }

    /// Writes an operand to its slot at `word`.
    pub(super) fn store_operand(&mut self, builder: &mut FunctionBuilder<'_>, word: u32, ty: ValType, value: Value) {
        debug_assert_eq!(builder.func.dfg.value_type(value), abi_type(ty));
        self.have_room_to(word + ty.words());
        let (base, offset) = self.operands_address(builder, word);
        builder.ins().store(self.flags_of(ty), value, base, offset);
    }

    /// The operand at `word`, from its slot.
    pub(super) fn load_operand(&self, builder: &mut FunctionBuilder<'_>, word: u32, ty: ValType) -> Value {
        let (base, offset) = self.operands_address(builder, word);
        builder.ins().load(abi_type(ty), self.flags_of(ty), base, offset)
    }

    /// The locals.
    pub(super) fn locals(&self) -> &SlotLayout {
        &self.record.locals
    }

    /// A local's type, and the word of its slot.
    fn local(&self, local: usize) -> (ValType, u32) {
        self.record.locals.all().get(local).expect("a local of the function")
    }

    /// Where a word of the locals' area is: base and offset.
    pub(super) fn locals_address(&self, builder: &mut FunctionBuilder<'_>, word: u32) -> (Value, i32) {
        (builder.ins().stack_addr(POINTER, self.record.locals_slot, 0), (word * WORD_BYTES) as i32)
    }

    /// The frame has slots for operands up to this word.
    pub(super) fn have_room_to(&mut self, word: u32) {
        self.deepest = self.deepest.max(word);
    }

    /// Where a word of the operands' area is, for which there is room: base and offset.
    pub(super) fn operands_address(&self, builder: &mut FunctionBuilder<'_>, word: u32) -> (Value, i32) {
        (builder.ins().stack_addr(POINTER, self.record.operands_slot, 0), (word * WORD_BYTES) as i32)
    }

    /// The shape with an operand that is at `place` on top of `below`.
    pub(super) fn shape(&mut self, below: u32, ty: ValType, place: OperandPlace) -> u32 {
        let shapes = &mut self.record.shapes;
        let shape = FrameShape { below, ty, place };
        *self.interned.entry(shape).or_insert_with(|| {
            shapes.push(shape);
            (shapes.len() - 1) as u32
        })
    }

    /// Ends the function: gives the slot of the operands its size.
    pub(super) fn finish(self, builder: &mut FunctionBuilder<'_>) -> FrameRecord {
        builder.func.sized_stack_slots[self.record.operands_slot].size = self.deepest * WORD_BYTES;
        self.record
    }
}
