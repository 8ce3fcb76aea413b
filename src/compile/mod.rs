//! From Wasm to machine code by Cranelift: translation, instrumentation, trampolines. A pure function: it sees a
//! module's contents and gives position-independent code with tables. No store, no address, no system call.
//!
//! * `translate` turns one function body into Cranelift's IR: of production code, of either kind of debug code, of
//!   rerun and of resume code;
//! * `debug` is what debug code has besides: stop points, and slots that tell the complete Wasm state at its points;
//! * `regions` and `fuel` count the instructions of a body as they come: where a region has become long, and where fuel
//!   is taken;
//! * `graph` tells which instruction can follow which in rerun, without compiling;
//! * `outline` tells what rerun must know of a whole function, without compiling, so that code is made for a run of it
//!   at a time;
//! * `function` compiles one translated function, `driver` all of a module, `assemble` lays them out as an image;
//! * `safepoints` has code say where it keeps references while something may be collected;
//! * `trampoline` makes the code between host and Wasm, `convention` tells what frames look like to those who replace
//!   them, `target` what machine the code is for.

mod assemble;
mod convention;
mod debug;
mod driver;
mod env;
mod flags;
mod fuel;
mod function;
mod graph;
mod locate;
mod outline;
mod regions;
mod safepoints;
mod target;
mod trampoline;
mod translate;

pub use convention::{has_result_area, stack_arguments};
pub use fuel::fuel_begun;
pub use outline::Outline;
pub use target::Processor;

use crate::abi::{VmCounts, VmLayout};
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Result, WasmOffset};
use crate::image::{CodeImage, RegionGraph, RerunImage, Tier};
use crate::isa::{PAGE_SIZE, check_processor};
use crate::wasm::{FuncType, IndexType, MemoryType, ModuleInfo};
use cranelift_codegen::CodegenError;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use env::{Env, Mode};
use function::Scratch;
use std::ops::Range;

/// The reservation from which on a 32-bit memory cannot be left by a 32-bit index: 4 GiB.
const WHOLE_INDEX_SPACE: u64 = 1 << 32;

/// The largest bound of an index that a comparison has as its operand, and that is whole pages.
const SMALL_BOUND: u64 = (1 << 31) - (1 << 16);

/// Where debug code has its stop points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DebugTier {
    /// Before every instruction, with every value stored that is not known without: slower, larger, and simple.
    Simple,
    /// Where a region begins whose instructions can be run again with the same outcome, with the state stored there.
    /// What is inside a region is found by rerun.
    #[default]
    Regions,
    /// The same, where each basic block begins, and on sides of branches that lead to what others lead to as well: for
    /// coverage, which then reruns nothing.
    Blocks,
}

/// How code is compiled. Code and runtime must agree on these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Traps come as signals (by instructions for it, faults, division errors). Without, every trap is an explicit
    /// check and a call of [`Builtin::Trap`](crate::abi::Builtin::Trap), stack overflow too.
    pub signals: bool,
    /// Bytes reserved for a 32-bit memory. With [`Options::signals`] and at least 4 GiB, memories never move.
    pub memory_reservation: u64,
    /// Inaccessible bytes behind the reservation.
    pub memory_guard: u64,
    /// Makes every NaN that arithmetic yields the same one.
    pub nan_canonicalization: bool,
    /// Relaxed vector instructions do what the specification's deterministic profile says, the same on all machines.
    pub relaxed_simd_deterministic: bool,
    /// Optimises for speed; else compiles as fast as possible.
    pub optimize: bool,
    /// Compiles functions on several threads: those of the pool that the caller runs in, if it runs in one. The image
    /// is the same either way.
    pub parallel: bool,
    /// Counts the instructions that run, and traps where a function or a turn of a loop begins with none left to run.
    pub fuel: bool,
    /// With [`Options::fuel`]: the runtime lays fuel out in parts, and is asked for more where one is used up, by
    /// [`VMStoreContext::refuel`](crate::abi::VMStoreContext::refuel). Without, all is laid out at once, and code traps
    /// by itself.
    pub refuel: bool,
    /// Compares the engine's epoch with the store's deadline where a function or a turn of a loop begins.
    pub epoch: bool,
    /// Where debug code has its stop points.
    pub debug_tier: DebugTier,
}

impl Options {
    /// Whether memories of this type never move: they have all their address space from the start.
    pub fn is_fixed(&self, ty: &MemoryType) -> bool {
        ty.shared || self.is_reserved(ty)
    }

    /// Whether memories of this type have the whole reservation, and so at least 4 GiB.
    pub fn is_reserved(&self, ty: &MemoryType) -> bool {
        self.signals && self.memory_reservation >= WHOLE_INDEX_SPACE && ty.most_bytes() <= self.memory_reservation
    }

    /// The pages that catch accesses beyond the end of memories of this type, if they do. A memory that does not end
    /// with a page of the system's has none.
    fn guard_of(&self, ty: &MemoryType) -> Option<Guard> {
        if !self.is_reserved(ty) || !ty.page_size.bytes().is_multiple_of(PAGE_SIZE as u64) {
            return None;
        }
        // What no index of 32 bits reaches is beyond every memory whose most bytes are no more; a smaller bound is
        // an operand of one instruction.
        let from = match ty.index {
            IndexType::I32 => None,
            IndexType::I64 if ty.most_bytes() <= SMALL_BOUND => Some(SMALL_BOUND),
            IndexType::I64 if ty.most_bytes() <= WHOLE_INDEX_SPACE => Some(WHOLE_INDEX_SPACE),
            IndexType::I64 => Some(ty.most_bytes()),
        };
        let behind = self.memory_reservation - from.unwrap_or(WHOLE_INDEX_SPACE);
        Some(Guard { from, bytes: self.memory_guard.saturating_add(behind) })
    }
}

/// How accesses beyond the end of a memory are caught by pages behind it.
struct Guard {
    /// An index of so much and more is to be compared; `None` where there is none.
    from: Option<u64>,
    /// How far behind all other indices there is nothing but the memory and those pages.
    bytes: u64,
}

impl Guard {
    /// Whether an access is inside of the memory or caught, at every index below the bound.
    fn catches(&self, offset: u64, bytes: u64) -> bool {
        offset.checked_add(bytes).is_some_and(|end| end <= self.bytes)
    }
}

/// Compiles modules and trampolines for this machine, or another processor.
pub struct Compiler {
    options: Options,
    isa: OwnedTargetIsa,
    /// The same without optimising.
    quick: OwnedTargetIsa,
}

impl Compiler {
    /// A compiler for the machine it runs on.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] on a processor that lacks what compiled code needs.
    pub fn new(options: Options) -> Result<Compiler> {
        Compiler::for_processor(options, None)
    }

    /// A compiler for this processor, which need not be that of the machine it runs on; without one, for that.
    ///
    /// # Errors
    /// As [`Compiler::new`].
    pub fn for_processor(options: Options, processor: Option<&Processor>) -> Result<Compiler> {
        check_processor()?;
        let isa = target(&options, processor)?;
        let quick = target(&Options { optimize: false, ..options }, processor)?;
        Ok(Compiler { options, isa, quick })
    }

    /// What it was made with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Compiles a module, which [`parse`](crate::wasm::parse) has read from `binary`. `progress` is told how many
    /// functions of how many are done, from whatever thread; `false` cancels.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for functions too large to compile, [`ErrorKind::Cancelled`] when `progress` said so,
    /// [`ErrorKind::Panic`] for a fault of the compiler itself.
    pub fn module(
        &self,
        info: &ModuleInfo,
        binary: &[u8],
        tier: Tier,
        progress: &(dyn Fn(usize, usize) -> bool + Sync),
    ) -> Result<CodeImage> {
        let mode = match (tier, self.options.debug_tier) {
            (Tier::Production, _) => Mode::Production,
            (Tier::Debug, DebugTier::Simple) => Mode::Simple,
            (Tier::Debug, DebugTier::Regions | DebugTier::Blocks) => Mode::Regions,
        };
        let env = Env::new(self, info, binary, mode)?;
        let functions = driver::compile_all(&env, progress)?;
        assemble::image(&env, DefinedFuncIndex::new(0), functions)
    }

    /// Compiles what runs single instructions of a function on a copy of its state.
    ///
    /// # Errors
    /// As [`Compiler::module`].
    pub fn rerun(&self, info: &ModuleInfo, binary: &[u8], func: DefinedFuncIndex) -> Result<RerunImage> {
        let env = Env::new(self, info, binary, Mode::Rerun)?;
        driver::caught(&env, func, function::compile_rerun)
    }

    /// What is known of a function's rerun code before any is made, `run` instructions at a time: linear in the body,
    /// a few nanoseconds for each byte.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] where there is no memory for it, [`ErrorKind::Panic`] for a fault of our own.
    pub fn outline(
        &self,
        info: &ModuleInfo,
        binary: &[u8],
        func: DefinedFuncIndex,
        run: u32,
    ) -> Result<(Outline, RerunImage)> {
        outline::outline(info, binary, func, run, self.options.debug_tier == DebugTier::Blocks)
    }

    /// Compiles rerun code for the run of instructions that `position` is in, of a function that is known so. Gives
    /// the code and the positions.
    ///
    /// # Errors
    /// As [`Compiler::module`].
    pub fn rerun_run(
        &self,
        info: &ModuleInfo,
        binary: &[u8],
        func: DefinedFuncIndex,
        known: (&Outline, &RerunImage),
        position: u32,
    ) -> Result<(Vec<u8>, Range<u32>)> {
        let env = Env::new(self, info, binary, Mode::Rerun)?;
        let (run, number) = (known.0.run, known.0.number(position));
        let code = driver::caught(&env, func, |env, func| function::compile_run(env, func, known, number))?;
        let first = number * run;
        Ok((code, first..first.saturating_add(run).min(known.1.instructions.len() as u32)))
    }

    /// Compiles a function so that it goes on at any instruction, in the place of a frame of its debug code: it takes
    /// its state from where [`VMStoreContext::resume`](crate::abi::VMStoreContext::resume) says. The image has this
    /// function alone, with a stop site before every instruction.
    ///
    /// # Errors
    /// As [`Compiler::module`].
    pub fn resume(&self, info: &ModuleInfo, binary: &[u8], func: DefinedFuncIndex) -> Result<CodeImage> {
        let env = Env::new(self, info, binary, Mode::Resume)?;
        let function = driver::caught(&env, func, function::compile_resume)?;
        assemble::image(&env, func, vec![function])
    }

    /// Compiles a function as it is in the debug image, but with a stop point before each of these instructions as
    /// well, which ascend. The image has this function alone.
    ///
    /// It is called as that is; or, `entered`, it takes the place of a frame as resume code does, but that the entry in
    /// [`VMStoreContext::resume`](crate::abi::VMStoreContext::resume) means: 0 the function's start, and each number
    /// from 1 on the next of these `loop`s, where a turn of it begins. Not all loops are among them.
    ///
    /// # Errors
    /// As [`Compiler::module`].
    pub fn split(
        &self,
        info: &ModuleInfo,
        binary: &[u8],
        func: DefinedFuncIndex,
        splits: &[WasmOffset],
        entered: bool,
    ) -> Result<(CodeImage, Vec<WasmOffset>)> {
        let env = Env { splits, ..Env::new(self, info, binary, Mode::Split { entered })? };
        let mut function = driver::caught(&env, func, |env, func| match entered {
            true => function::compile_resume(env, func),
            false => function::compile(env, func, &mut Scratch::new()),
        })?;
        let ways_in = std::mem::take(&mut function.ways_in);
        Ok((assemble::image(&env, func, vec![function])?, ways_in))
    }

    /// The trampoline by which the host calls Wasm functions of type `ty`
    /// (see [`abi`](crate::abi)): position-independent code that starts at its first byte.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] or [`ErrorKind::Panic`] when it cannot be compiled.
    pub fn host_to_wasm(&self, ty: &FuncType) -> Result<Vec<u8>> {
        trampoline::host_to_wasm(self.isa.as_ref(), ty)
    }

    /// The trampoline by which Wasm calls a host function of type `ty` (see [`abi`](crate::abi)):
    /// position-independent code that starts at its first byte.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] or [`ErrorKind::Panic`] when it cannot be compiled.
    pub fn wasm_to_host(&self, ty: &FuncType) -> Result<Vec<u8>> {
        trampoline::wasm_to_host(self.isa.as_ref(), ty)
    }
}

/// A processor, or this machine's, as a target of these options.
fn target(options: &Options, processor: Option<&Processor>) -> Result<OwnedTargetIsa> {
    let unusable = |what: String| Error::new(ErrorKind::Unsupported, format!("the code generator refused: {what}"));
    let mut flags = settings::builder();
    let switches = [
        ("opt_level", if options.optimize { "speed" } else { "none" }),
        ("preserve_frame_pointers", "true"),
        ("enable_probestack", "false"),
        // Where prologues save registers is told only there.
        ("unwind_info", "true"),
        ("enable_multi_ret_implicit_sret", "true"),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
        ("enable_nan_canonicalization", if options.nan_canonicalization { "true" } else { "false" }),
        ("enable_heap_access_spectre_mitigation", "false"),
        ("enable_table_access_spectre_mitigation", "false"),
    ];
    for (name, value) in switches {
        flags.set(name, value).map_err(|error| unusable(format!("setting {name}={value}: {error}")))?;
    }
    let found = cranelift_native::builder_with_options(processor.is_none());
    let mut builder = found.map_err(|error| unusable(error.to_owned()))?;
    for feature in processor.map_or(&[][..], Processor::features) {
        builder.enable(&target::switch(feature)).map_err(|error| unusable(format!("{feature}: {error}")))?;
    }
    let isa = builder.finish(settings::Flags::new(flags)).map_err(|error| unusable(error.to_string()))?;
    Ok(isa)
}

/// Which instruction of a function can follow which in rerun, from a walk over its body, where its debug code is of
/// this kind.
///
/// # Errors
/// [`ErrorKind::Panic`] for a fault of our own.
pub fn region_graph(info: &ModuleInfo, binary: &[u8], func: DefinedFuncIndex, tier: DebugTier) -> Result<RegionGraph> {
    graph::graph(info, binary, func, tier == DebugTier::Blocks)
}

/// The layout of the `VMContext` of a module's instances.
///
/// # Errors
/// [`ErrorKind::Limit`] when it would be larger than 2 GiB.
pub fn vm_layout(info: &ModuleInfo) -> Result<VmLayout> {
    let count = |all: usize, imported: u32| all as u32 - imported;
    VmLayout::new(VmCounts {
        imported_funcs: info.imported_funcs,
        imported_tables: info.imported_tables,
        imported_memories: info.imported_memories,
        imported_globals: info.imported_globals,
        defined_tables: count(info.tables.len(), info.imported_tables),
        defined_memories: count(info.memories.len(), info.imported_memories),
        defined_globals: count(info.globals.len(), info.imported_globals),
    })
    .ok_or_else(|| {
        Error::new(ErrorKind::Limit, "the module has too many functions, globals and imports for one instance")
    })
}

/// A fault of the compiler, as an error: what a valid module never brings about.
#[cold]
fn internal(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Panic, format!("fault of the compiler: {what}"))
}

/// Cranelift's refusal as an error.
#[cold]
fn codegen_error(error: CodegenError) -> Error {
    match error {
        CodegenError::ImplLimitExceeded | CodegenError::CodeTooLarge => {
            Error::new(ErrorKind::Limit, "the function is too large to compile; split it")
        }
        CodegenError::Verifier(errors) => internal(format!("verifier: {errors}")),
        other => internal(other),
    }
}

#[cfg(test)]
mod tests;
