//! The state of a store as a core dump: a module in the format that the tools of WebAssembly have agreed on
//! (tool-conventions, "Coredump"). It reads what is there and changes nothing. Which frames there are is said by who
//! has seen them: a debugger at a stop, or who has left a guest for a trap.
//!
//! Custom sections name the modules and instances of the store, and the frames with their locals and operands; the
//! memories and globals of all instances are those of the module, memories with what is in them. The format knows no
//! vectors and no references among locals and operands, which are told as missing, as all are of
//! frames in production code; globals with references are null.
//! Tables, and what references refer to, are left out.

use crate::base::{DefinedFuncIndex, Error, ErrorKind, GlobalIndex, MemoryIndex, Result, no_room};
use crate::image::RerunImage;
use crate::runtime::compiled::module::{Module, ModuleId};
use crate::runtime::objects::dumped::{DumpedFrame, MOST_NOTED};
use crate::runtime::objects::handles::{Global, Instance, Memory};
use crate::runtime::objects::values::Val;
use crate::runtime::store::inner::{Dumping, StoreInner};
use crate::runtime::store::views::StoreRef;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use wasm_encoder::{
    AbstractHeapType, ConstExpr, CoreDumpInstancesSection, CoreDumpModulesSection, CoreDumpSection,
    CoreDumpStackSection, CoreDumpValue, Encode, GlobalSection, GlobalType, HeapType, Ieee32, Ieee64, MemorySection,
    MemoryType, RefType, SectionId, ValType,
};

/// A core dump has no more bytes of memories than a module may have at all.
const MAX_BYTES: usize = 1 << 30;
/// Nor does it have more segments than a module may have.
const MAX_SEGMENTS: usize = 100_000;
/// So many bytes are looked at together: where all of them are zero, they are left out.
const BLOCK: usize = 4096;
/// So many blocks of zeros between others are written, so that there are not too many segments.
const MAX_GAP: usize = 16;

/// How a segment of data begins that is copied to the first memory, and to another one.
const ACTIVE: u8 = 0;
const ACTIVE_IN_MEMORY: u8 = 2;

impl StoreInner {
    /// Says whether traps that leave its guests are to have a core dump.
    pub(super) fn ask_for_core_dumps(&mut self, asked: bool) {
        self.dumping =
            asked.then(|| Box::new(Dumping { make: |store, frames| store.core_dump(frames), frames: Vec::new() }));
    }
}

impl StoreRef<'_> {
    /// The state of the store as a core dump: a WebAssembly module in the "Coredump" format. It has all instances of
    /// the store with their memories and globals, and these frames, the innermost first. Stretches of zeros in memories
    /// are left out. Of frames without values, all locals and operands are told as missing. Of very many frames, those
    /// are left out that are furthest out.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] where memories have more than 1 GiB that is not zero.
    pub fn core_dump(self, frames: Vec<DumpedFrame>) -> Result<Vec<u8>> {
        let mut contents = Contents::new();
        let inner = self.inner();
        for instance in &inner.instances {
            contents.add(self, Instance::from_parts(inner.id, instance.ptr()))?;
        }
        let mut stack = CoreDumpStackSection::new("main");
        let mut missing = Missing::default();
        let mut name = "";
        let mut left = MOST_NOTED;
        for frame in frames {
            let Some(module) = self.module_in(frame.slot) else { continue };
            let info = module.info();
            let defined = info.defined(frame.func);
            // An instance that a frame has is one of the store's.
            let instance = frame.instance.and_then(|instance| contents.instances.get(&instance).copied());
            let (locals, operands) = match &frame.values {
                Some((locals, operands)) => (locals.len(), operands.len()),
                None => defined.map_or((0, 0), |func| missing.of(module, func, &frame)),
            };
            let Some(still) = left.checked_sub(1 + locals + operands) else { break };
            left = still;
            let (locals, operands): (Vec<_>, Vec<_>) = match frame.values {
                Some((locals, operands)) => {
                    (locals.into_iter().map(value).collect(), operands.into_iter().map(value).collect())
                }
                None => (
                    (0..locals).map(|_| CoreDumpValue::Missing).collect(),
                    (0..operands).map(|_| CoreDumpValue::Missing).collect(),
                ),
            };
            let offset = frame.offset.get().saturating_sub(module.body_start(frame.func).get());
            stack.frame(instance.unwrap_or(u32::MAX), frame.func.get(), offset, locals, operands);
            name = module.name().unwrap_or_default();
        }
        let mut dump = wasm_encoder::Module::new();
        // The outermost frame's module is what was run.
        dump.section(&CoreDumpSection::new(name)).section(&contents.modules).section(&contents.listed).section(&stack);
        dump.section(&contents.memories).section(&contents.globals);
        let mut dump = dump.finish();
        contents.write_data(self, &mut dump)?;
        Ok(dump)
    }
}

/// How many locals and operands there are that nobody knows.
#[derive(Default)]
struct Missing {
    /// Of the functions that were asked for: how many locals, and what operands there are before each instruction,
    /// where that can be found.
    known: HashMap<(ModuleId, DefinedFuncIndex), (usize, Option<RerunImage>)>,
}

impl Missing {
    /// The locals and operands of a frame of this function.
    fn of(&mut self, module: &Module, func: DefinedFuncIndex, frame: &DumpedFrame) -> (usize, usize) {
        let (locals, outline) = match self.known.entry((module.id(), func)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let locals = module.info().locals_count(func, module.binary());
                place.insert((usize::try_from(locals).unwrap_or(usize::MAX / 4), module.outline(func).ok()))
            }
        };
        let operands = outline.as_ref().and_then(|outline| {
            let position = outline.position(frame.offset)?;
            Some(outline.operand_types(position).count())
        });
        (*locals, operands.unwrap_or(0))
    }
}

/// What the dump has of the store's instances.
struct Contents {
    modules: CoreDumpModulesSection,
    listed: CoreDumpInstancesSection,
    memories: MemorySection,
    globals: GlobalSection,
    data: Vec<Segment>,
    /// How many bytes of memories that is.
    bytes: usize,
    known_modules: HashMap<ModuleId, u32>,
    instances: HashMap<Instance, u32>,
    /// Several instances may have one.
    known_memories: HashMap<Memory, u32>,
    known_globals: HashMap<Global, u32>,
}

/// What is written of a memory.
struct Segment {
    /// All that stands in front of the bytes.
    head: Vec<u8>,
    memory: Memory,
    bytes: Range<usize>,
}

impl Contents {
    fn new() -> Contents {
        Contents {
            modules: CoreDumpModulesSection::new(),
            listed: CoreDumpInstancesSection::new(),
            memories: MemorySection::new(),
            globals: GlobalSection::new(),
            data: Vec::new(),
            bytes: 0,
            known_modules: HashMap::new(),
            instances: HashMap::new(),
            known_memories: HashMap::new(),
            known_globals: HashMap::new(),
        }
    }

    fn add(&mut self, store: StoreRef<'_>, instance: Instance) -> Result<()> {
        let module = instance.module(&store)?;
        let next = self.known_modules.len() as u32;
        let module_index = *self.known_modules.entry(module.id()).or_insert(next);
        if module_index == next {
            self.modules.module(module.name().unwrap_or_default());
        }
        let (mut memories, mut globals) = (Vec::new(), Vec::new());
        for index in 0..module.info().memories.len() {
            let Some(memory) = instance.memory(store, MemoryIndex::from_usize(index)) else { break };
            memories.push(match self.known_memories.get(&memory) {
                Some(known) => *known,
                None => self.add_memory(store, memory)?,
            });
        }
        for index in 0..module.info().globals.len() {
            let Some(global) = instance.global(store, GlobalIndex::from_usize(index)) else { break };
            globals.push(match self.known_globals.get(&global) {
                Some(known) => *known,
                None => self.add_global(store, global)?,
            });
        }
        self.instances.insert(instance, self.listed.len());
        self.listed.instance(module_index, memories, globals);
        Ok(())
    }

    fn add_global(&mut self, store: StoreRef<'_>, global: Global) -> Result<u32> {
        let (ty, init) = constant(global.get(store)?);
        let mutable = global.ty(store)?.mutable;
        let index = self.globals.len();
        self.globals.global(GlobalType { val_type: ty, mutable, shared: false }, &init);
        self.known_globals.insert(global, index);
        Ok(index)
    }

    fn add_memory(&mut self, store: StoreRef<'_>, memory: Memory) -> Result<u32> {
        let ty = memory.ty(store)?;
        let is_64 = ty.index == crate::wasm::IndexType::I64;
        let index = self.memories.len();
        // Looked at once: other threads may have a shared memory grow.
        let size = memory.data_size(store)?;
        self.memories.memory(MemoryType {
            minimum: size as u64 >> ty.page_size.log2(),
            maximum: ty.limits.max,
            memory64: is_64,
            shared: ty.shared,
            page_size_log2: (ty.page_size != crate::wasm::PageSize::WASM).then(|| ty.page_size.log2()),
        });
        self.known_memories.insert(memory, index);
        let whole = memory.data(&store).ok();
        let mut copy = [0; BLOCK];
        // Where the first block that is not zero is, and where the last of those ends.
        let (mut start, mut end) = (0, 0);
        // What nobody has written to is not looked at: that would have the system set memory aside for it.
        let all = || std::iter::once(0..size).collect();
        let parts: Vec<Range<usize>> = memory.get(store.inner())?.filled().unwrap_or_else(all);
        for at in parts.into_iter().flat_map(|part| (part.start..part.end.min(size)).step_by(BLOCK)) {
            let count = BLOCK.min(size - at);
            let block = match whole {
                Some(bytes) => &bytes[at..at + count],
                None => {
                    memory.read(store, at, &mut copy[..count])?;
                    &copy[..count]
                }
            };
            if is_zero(block) {
                continue;
            }
            if at > end + MAX_GAP * BLOCK {
                self.add_data(store, (memory, index, is_64), start..end)?;
                start = at;
            } else if start == end {
                start = at;
            }
            end = at + count;
        }
        self.add_data(store, (memory, index, is_64), start..end)?;
        Ok(index)
    }

    /// Notes what is to be written of a memory, without the zeros at both ends.
    fn add_data(
        &mut self,
        store: StoreRef<'_>,
        (memory, index, is_64): (Memory, u32, bool),
        Range { mut start, mut end }: Range<usize>,
    ) -> Result<()> {
        // Whoever shares the memory may have made it zero meanwhile.
        let mut block = [0; BLOCK];
        if start < end {
            let first = &mut block[..BLOCK.min(end - start)];
            memory.read(store, start, first)?;
            start += first.iter().position(|byte| *byte != 0).unwrap_or(0);
        }
        if start < end {
            let last = &mut block[..BLOCK.min(end - start)];
            memory.read(store, end - last.len(), last)?;
            end -= last.iter().rev().position(|byte| *byte != 0).unwrap_or(0);
        }
        if start >= end {
            return Ok(());
        }
        self.bytes = self.bytes.saturating_add(end - start);
        if self.bytes > MAX_BYTES {
            let message = "the memories have more than 1 GiB that is not zero, which is too much for a core dump";
            return Err(Error::new(ErrorKind::Limit, message));
        }
        if self.data.len() == MAX_SEGMENTS {
            let message = format!(
                "what is not zero in the memories lies in more than {MAX_SEGMENTS} places, which is too much for a core dump"
            );
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let mut head = Vec::new();
        match index {
            0 => head.push(ACTIVE),
            _ => {
                head.push(ACTIVE_IN_MEMORY);
                index.encode(&mut head);
            }
        }
        match is_64 {
            true => ConstExpr::i64_const(start as i64).encode(&mut head),
            false => ConstExpr::i32_const(start as u32 as i32).encode(&mut head),
        }
        (end - start).encode(&mut head);
        self.data.push(Segment { head, memory, bytes: start..end });
        Ok(())
    }

    /// Writes the data section behind the others: what is in memories is copied once.
    fn write_data(&self, store: StoreRef<'_>, dump: &mut Vec<u8>) -> Result<()> {
        let mut count = Vec::new();
        self.data.len().encode(&mut count);
        let size = self.data.iter().fold(count.len(), |size, one| size + one.head.len() + one.bytes.len());
        let in_all = size + 2 * count.len().max(5);
        dump.try_reserve_exact(in_all).map_err(|_| no_room(in_all, "a core dump"))?;
        dump.push(SectionId::Data.into());
        size.encode(dump);
        dump.extend_from_slice(&count);
        for Segment { head, memory, bytes } in &self.data {
            dump.extend_from_slice(head);
            let start = dump.len();
            dump.resize(start + bytes.len(), 0);
            memory.read(store, bytes.start, &mut dump[start..])?;
        }
        Ok(())
    }
}

fn is_zero(block: &[u8]) -> bool {
    const ZEROS: [u8; 64] = [0; 64];
    let (parts, rest) = block.as_chunks::<64>();
    parts.iter().all(|part| *part == ZEROS) && rest.iter().all(|byte| *byte == 0)
}

/// A local or an operand.
fn value(value: Val) -> CoreDumpValue {
    match value {
        Val::I32(value) => CoreDumpValue::I32(value),
        Val::I64(value) => CoreDumpValue::I64(value),
        Val::F32(bits) => CoreDumpValue::F32(Ieee32::new(bits)),
        Val::F64(bits) => CoreDumpValue::F64(Ieee64::new(bits)),
        Val::V128(_) | Val::FuncRef(_) | Val::ExternRef(_) | Val::ExnRef(_) | Val::AnyRef(_) => CoreDumpValue::Missing,
    }
}

/// A global's value, and a type that it is of.
fn constant(value: Val) -> (ValType, ConstExpr) {
    let null = |heap| (ValType::Ref(RefType { nullable: true, heap_type: heap }), ConstExpr::ref_null(heap));
    match value {
        Val::I32(value) => (ValType::I32, ConstExpr::i32_const(value)),
        Val::I64(value) => (ValType::I64, ConstExpr::i64_const(value)),
        Val::F32(bits) => (ValType::F32, ConstExpr::f32_const(Ieee32::new(bits))),
        Val::F64(bits) => (ValType::F64, ConstExpr::f64_const(Ieee64::new(bits))),
        Val::V128(bytes) => (ValType::V128, ConstExpr::v128_const(i128::from_le_bytes(bytes))),
        Val::FuncRef(_) => null(HeapType::FUNC),
        Val::ExternRef(_) => null(HeapType::EXTERN),
        Val::ExnRef(_) => null(HeapType::Abstract { shared: false, ty: AbstractHeapType::Exn }),
        Val::AnyRef(_) => null(HeapType::ANY),
    }
}
