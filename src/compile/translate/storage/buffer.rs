//! Rerun: the state is in a buffer, which is a parameter. What the code promises is said with [`RerunImage`].

use super::memory::{Area, InMemory};
use super::{Here, Record};
use crate::base::{Result, SlotLayout, WORD_BYTES, WasmOffset};
use crate::compile::debug::NO_SHAPE;
use crate::compile::flags::Flags;
use crate::compile::internal;
use crate::compile::regions::RegionClasses;
use crate::image::{RerunEnd, RerunImage, RerunInstruction};
use crate::wasm::ValType;
use cranelift_codegen::ir::{Block, InstBuilder, MemFlagsData, Value, types};
use cranelift_frontend::FunctionBuilder;
use std::collections::HashMap;

/// The buffer of a rerun.
pub(in super::super) struct Buffer {
    /// Its address.
    values: Value,
    /// The address of one byte per instruction: whether to stop there.
    stops: Value,
    stop_flags: MemFlagsData,
    /// The position to start from.
    from: Value,
    /// The position of the first instruction.
    first: u32,
    /// What becomes the image.
    locals: SlotLayout,
    deepest: u32,
    instructions: Vec<RerunInstruction>,
    stacks: Vec<(u32, ValType)>,
    interned: HashMap<(u32, ValType), u32>,
}

/// Begins rerun code, whose parameters these are, at the position `first`, where `classes` is known.
pub(in super::super) fn begin(
    builder: &mut FunctionBuilder<'_>,
    flags: Flags,
    locals: &[ValType],
    params: &[Value],
    (first, classes): (u32, RegionClasses),
) -> Result<InMemory<Buffer>> {
    let [_, values, stops, from] = *params else {
        return Err(internal("rerun code has four parameters"));
    };
    let locals = locals.iter().copied().collect();
    let (instructions, stacks, interned) = (Vec::new(), Vec::new(), HashMap::new());
    let buffer = Buffer {
        stop_flags: flags.header,
        values,
        stops,
        from,
        first,
        locals,
        deepest: 0,
        instructions,
        stacks,
        interned,
    };
    Ok(InMemory::begin(builder, flags.slot, buffer, classes))
}

/// Returns the end of rerun that these bits stand for.
pub(in super::super) fn return_raw(builder: &mut FunctionBuilder<'_>, raw: u64) {
    let raw = builder.ins().iconst(types::I64, raw as i64);
    builder.ins().return_(&[raw]);
}

impl Area for Buffer {
    fn local(&self, _: &mut FunctionBuilder<'_>, local: u32) -> (Value, i32) {
        let (_, word) = self.locals.all().get(local as usize).expect("a local of the function");
        (self.values, (word * WORD_BYTES) as i32)
    }

    fn operand(&self, _: &mut FunctionBuilder<'_>, word: u32) -> (Value, i32) {
        (self.values, ((self.locals.words() + word) * WORD_BYTES) as i32)
    }

    fn have_room_to(&mut self, word: u32) {
        self.deepest = self.deepest.max(word);
    }

    fn shape(&mut self, below: u32, ty: ValType, _: u32) -> u32 {
        let row = (below, ty);
        *self.interned.entry(row).or_insert_with(|| {
            self.stacks.push(row);
            self.stacks.len() as u32 - 1
        })
    }

    fn stop(&mut self, here: &mut Here<'_, '_>, index: u32, (shape, of_guest): (u32, bool), body: Block) -> Result<()> {
        let stack = if shape == NO_SHAPE { RerunImage::EMPTY } else { shape };
        self.instructions.push(RerunInstruction::new(WasmOffset::new(here.at), stack, of_guest));
        let position = self.first + index;
        let offset = i32::try_from(position).map_err(|_| internal("too many instructions"))?;
        let stop = here.builder.ins().load(types::I8, self.stop_flags, self.stops, offset);
        let stopped = here.builder.create_block();
        here.builder.set_cold_block(stopped);
        here.builder.ins().brif(stop, stopped, &[], body, &[]);
        here.builder.switch_to_block(stopped);
        return_raw(here.builder, u64::from(RerunEnd::STOPPED) << 32 | u64::from(position));
        Ok(())
    }

    fn end_of_rerun(&self, kind: u32, index: u32) -> Option<u64> {
        Some(u64::from(kind) << 32 | u64::from(self.first + index))
    }

    /// In front of the locals.
    fn fuel_of_rerun(&self) -> Option<(Value, i32)> {
        Some((self.values, -(WORD_BYTES as i32)))
    }

    fn enter(&self, builder: &mut FunctionBuilder<'_>) -> Value {
        builder.ins().iadd_imm_s(self.from, -i64::from(self.first))
    }

    fn finish(self, builder: &mut FunctionBuilder<'_>) -> Record {
        // No end that there is.
        return_raw(builder, u64::MAX);
        let Buffer { locals, deepest, instructions, stacks, .. } = self;
        let image = RerunImage { code: Vec::new(), locals, kept: 0, deepest, instructions, stacks };
        Record { rerun: Some(image), ..Record::default() }
    }
}
