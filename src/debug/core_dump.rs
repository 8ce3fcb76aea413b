//! The state of a stopped store as a core dump: a module in the format that the tools of WebAssembly have agreed on
//! (tool-conventions, "Coredump"). It reads what the stop shows and changes nothing.
//!
//! Custom sections name the modules and instances of the store, and the frames with their locals and operands; the
//! memories and globals of all instances are those of the module, memories with what is in them. The format knows no
//! vectors and no references among locals and operands, which are told as missing, as all are of
//! frames in production code; globals with references are null.
//! Tables, and what references refer to, are left out.

use super::stop::Stop;
use crate::base::{Error, ErrorKind, GlobalIndex, MemoryIndex, Result};
use crate::runtime::{AsStore, Global, Instance, Memory, ModuleId, StoreRef, Val};
use std::collections::HashMap;
use wasm_encoder::{
    AbstractHeapType, ConstExpr, CoreDumpInstancesSection, CoreDumpModulesSection, CoreDumpSection,
    CoreDumpStackSection, CoreDumpValue, DataSection, GlobalSection, GlobalType, HeapType, Ieee32, Ieee64,
    MemorySection, MemoryType, RefType, ValType,
};

/// A core dump has no more bytes of memories than a module may have at all.
const MAX_BYTES: usize = 1 << 30;
/// So many bytes are looked at together: where all of them are zero, they are left out.
const BLOCK: usize = 4096;
/// So many blocks of zeros between others are written, so that there are not too many segments.
const MAX_GAP: usize = 16;

impl Stop<'_> {
    /// The state of the store as a core dump: a WebAssembly module in the "Coredump" format. It has all instances of
    /// the store with their memories and globals, and all frames with their locals and operands, the innermost first.
    /// Stretches of zeros in memories are left out.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] where memories have more than 1 GiB that is not zero.
    pub fn core_dump(&self) -> Result<Vec<u8>> {
        let store = self.as_store();
        let mut contents = Contents::new();
        for instance in self.instances() {
            contents.add(store, instance)?;
        }
        let mut stack = CoreDumpStackSection::new("main");
        let mut name = String::new();
        for frame in (0..self.frame_count()).filter_map(|index| self.frame(index)) {
            let module = frame.module();
            module.name().unwrap_or_default().clone_into(&mut name);
            let info = module.info();
            let body = info.defined(frame.func()).and_then(|defined| info.bodies.get(defined.index()));
            let start = body.map_or(0, |body| body.bytes.start);
            let offset = frame.offset().index().saturating_sub(start) as u32;
            // An instance that a frame has is one of the store's.
            let instance = frame.instance().and_then(|instance| contents.instances.get(&instance).copied());
            let instance = instance.unwrap_or(u32::MAX);
            let locals: Vec<_> = match frame.is_production() {
                true => (0..frame.local_count()).map(|_| CoreDumpValue::Missing).collect(),
                false => frame.locals().into_iter().map(value).collect(),
            };
            let operands: Vec<_> = frame.operands().into_iter().map(value).collect();
            stack.frame(instance, frame.func().get(), offset, locals, operands);
        }
        let mut dump = wasm_encoder::Module::new();
        // The outermost frame's module is what was run.
        dump.section(&CoreDumpSection::new(name)).section(&contents.modules).section(&contents.listed).section(&stack);
        dump.section(&contents.memories).section(&contents.globals).section(&contents.data);
        Ok(dump.finish())
    }
}

/// What the dump has of the store's instances.
struct Contents {
    modules: CoreDumpModulesSection,
    listed: CoreDumpInstancesSection,
    memories: MemorySection,
    globals: GlobalSection,
    data: DataSection,
    /// How many bytes of memories there are.
    bytes: usize,
    known_modules: HashMap<ModuleId, u32>,
    instances: HashMap<Instance, u32>,
    /// Several instances may have one.
    known_memories: HashMap<Memory, u32>,
    known_globals: HashMap<Global, u32>,
}

impl Contents {
    fn new() -> Contents {
        Contents {
            modules: CoreDumpModulesSection::new(),
            listed: CoreDumpInstancesSection::new(),
            memories: MemorySection::new(),
            globals: GlobalSection::new(),
            data: DataSection::new(),
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
        self.memories.memory(MemoryType {
            minimum: memory.size(store)?,
            maximum: ty.limits.max,
            memory64: is_64,
            shared: ty.shared,
            page_size_log2: (ty.page_size != crate::wasm::PageSize::WASM).then(|| ty.page_size.log2()),
        });
        self.known_memories.insert(memory, index);
        let size = memory.data_size(store)?;
        // The bytes from the first that is not zero on, where they begin, and how many blocks of zeros are at their
        // end.
        let (mut run, mut start, mut gap) = (Vec::new(), 0, 0);
        let mut block = vec![0; BLOCK];
        let mut at = 0;
        while at < size {
            let block = &mut block[..BLOCK.min(size - at)];
            memory.read(store, at, block)?;
            if block.iter().any(|byte| *byte != 0) {
                if run.is_empty() {
                    start = at;
                }
                if self.bytes.saturating_add(run.len()) > MAX_BYTES {
                    let message =
                        "the memories have more than 1 GiB that is not zero, which is too much for a core dump";
                    return Err(Error::new(ErrorKind::Limit, message));
                }
                run.extend_from_slice(block);
                gap = 0;
            } else if !run.is_empty() {
                run.extend_from_slice(block);
                gap += 1;
                if gap > MAX_GAP {
                    self.segment(index, is_64, start, &mut run);
                }
            }
            at += block.len();
        }
        self.segment(index, is_64, start, &mut run);
        Ok(index)
    }

    /// Writes what was found, without the zeros at both ends.
    fn segment(&mut self, memory: u32, is_64: bool, start: usize, run: &mut Vec<u8>) {
        let end = run.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if end > 0 {
            let first = run.iter().position(|byte| *byte != 0).unwrap_or(0);
            let start = start + first;
            let offset =
                if is_64 { ConstExpr::i64_const(start as i64) } else { ConstExpr::i32_const(start as u32 as i32) };
            self.data.active(memory, &offset, run[first..end].iter().copied());
            self.bytes += end - first;
        }
        run.clear();
    }
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
