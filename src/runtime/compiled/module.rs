//! A compiled module: what it says, its layout, and its code in either tier.

use crate::abi::VmLayout;
use crate::base::{
    DataIndex, DefinedFuncIndex, Error, ErrorKind, Escaped, FuncIndex, GlobalIndex, LocalIndex, NulTexts, Result,
    Shared, TypeId, WasmOffset,
};
use crate::code::EngineCode;
use crate::compile::{Compiler, Outline, region_graph, vm_layout};
use crate::dwarf::{
    FunctionInfo, FunctionLines, FunctionPlace, Inspector, LinePlaces, LineRow, Location, SourceMap, SplitFile,
};
use crate::image::{RegionGraph, RerunImage, Tier};
use crate::runtime::compiled::binary::Binary;
use crate::runtime::compiled::cache::name_of;
use crate::runtime::compiled::engine::Engine;
use crate::runtime::compiled::initial::{Images, Initial};
use crate::runtime::compiled::log::{Fallbacks, LogLevel};
use crate::runtime::compiled::rerun::{RerunCode, RerunRun};
use crate::wasm::{self, DefinedType, ExternType, ModuleInfo};
use once_cell::sync::OnceCell;
use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

/// An instruction of a function, as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Where it is in the module.
    pub offset: WasmOffset,
    /// How many bytes it has.
    pub size: u32,
    /// What the text format calls it.
    pub text: String,
}

/// Names a [`Module`] for as long as the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleId(u64);

impl ModuleId {
    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// A compiled module of an engine. Cheap to clone: clones are the same module. It may be used by any number of stores
/// and threads at once.
#[derive(Clone)]
pub struct Module(Shared<ModuleInner>);

/// A module that may be gone.
#[derive(Clone)]
pub(in crate::runtime) struct WeakModule {
    id: ModuleId,
    inner: Weak<ModuleInner>,
}

impl std::fmt::Debug for WeakModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WeakModule").field(&self.id).finish()
    }
}

impl WeakModule {
    pub(in crate::runtime) fn id(&self) -> ModuleId {
        self.id
    }

    /// The rerun code of the run that `position` is in.
    pub(in crate::runtime) fn rerun_run(
        &self,
        func: DefinedFuncIndex,
        known: (&Outline, &RerunImage),
        position: u32,
    ) -> Result<Arc<RerunRun>> {
        let inner = self.inner.upgrade();
        let inner = inner.ok_or_else(|| Error::new(ErrorKind::State, "the module of this rerun code is gone"))?;
        inner.engine.reruns().run_or_make(inner.id, func, known.0.number(position), || {
            let compile =
                |compiler: &Compiler| compiler.rerun_run(&inner.info, inner.binary.but_data(), func, known, position);
            RerunRun::new(&inner.engine, (inner.id, func), inner.engine.compile(compile)?)
        })
    }
}

/// The most bytes of a body of which rerun code is made at once: about 10 ms and 3 MB.
const RERUN_WHOLE: usize = 1024;

struct ModuleInner {
    engine: Engine,
    id: ModuleId,
    info: ModuleInfo,
    binary: Binary,
    layout: VmLayout,
    initial: Initial,
    sigs: Box<[TypeId]>,
    production: Shared<EngineCode>,
    /// Whether that asks for more where the fuel is used up that was laid out.
    refuels: bool,
    debug: OnceCell<DebugCode>,
    resume: Mutex<HashMap<DefinedFuncIndex, Arc<ResumeCell>>>,
    /// Whether the function bodies of a binary that was loaded were found to be valid.
    valid: OnceCell<()>,
    sources: OnceCell<SourceMap>,
    /// Set for what the engine has compiled or found in its cache. What a host has loaded is not put there: its code is
    /// what that host trusts, and nobody else asked for it.
    may_be_kept: OnceCell<()>,
    /// Files of split DWARF that `sources` is to be given.
    given: Mutex<Vec<SplitFile>>,
    /// The graph that was asked for last: who sets breakpoints sets many in one function.
    graph: Mutex<Option<(DefinedFuncIndex, Arc<RegionGraph>)>>,
    /// Names that C was given.
    texts: NulTexts,
}

impl ModuleInner {
    /// The binary, to compile from. Bodies of one that was loaded are validated first: whoever has altered them shall
    /// not make the compiler take them for valid.
    fn valid_binary(&self) -> Result<&[u8]> {
        let binary = self.binary.but_data();
        if self.binary.is_loaded() {
            let config = self.engine.config();
            self.valid.get_or_try_init(|| wasm::parse(binary, config.features, false).map(drop))?;
        }
        Ok(binary)
    }

    fn check_debug(&self) -> Result<()> {
        if self.engine.config().debug {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::State,
            "this engine is not configured for debugging; set `debug` in its configuration",
        ))
    }
}

impl Drop for ModuleInner {
    fn drop(&mut self) {
        self.engine.reruns().forget(self.id);
        self.initial.made().iter().for_each(|image| self.engine.pool().forget(image));
    }
}

/// The resume code of a function, compiled by whoever needs it first.
type ResumeCell = OnceCell<Shared<EngineCode>>;

/// Above so many, resume code that no store has is forgotten.
const MAX_IDLE_RESUME: usize = 64;

/// The debug tier of a module.
struct DebugCode {
    code: Shared<EngineCode>,
    stack_ratio: StackRatio,
}

impl DebugCode {
    fn new(production: &EngineCode, code: Shared<EngineCode>) -> DebugCode {
        DebugCode { stack_ratio: StackRatio::worst(production, &code), code }
    }
}

/// How much more stack a function's debug code takes than its production code, at worst, in sixteenths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::runtime) struct StackRatio(u32);

impl StackRatio {
    /// As much.
    pub(in crate::runtime) const ONE: StackRatio = StackRatio(16);

    /// The worst over all functions of two images of one module.
    fn worst(production: &EngineCode, debug: &EngineCode) -> StackRatio {
        let pairs = production.tables().functions.iter().zip(&debug.tables().functions);
        let ratio = pairs.map(|(p, d)| (u64::from(d.frame_size) * 16).div_ceil(u64::from(p.frame_size.max(1)))).max();
        StackRatio(u32::try_from(ratio.unwrap_or(16)).unwrap_or(u32::MAX)).max(Self::ONE)
    }

    /// `bytes` of production stack as debug stack.
    pub(in crate::runtime) fn scale(self, bytes: usize) -> usize {
        bytes.saturating_mul(self.0 as usize) / 16
    }
}

impl Module {
    /// Validates and compiles a module.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] or [`ErrorKind::Unsupported`] with the offset of the fault; [`ErrorKind::Limit`]
    /// for one too large to compile.
    pub fn new(engine: &Engine, binary: &[u8]) -> Result<Module> {
        Module::with_progress(engine, binary, &|_, _| true)
    }

    /// The same, telling how far it is as (functions done, functions in all), from any thread; where that returns
    /// false, the work is given up. With [`Config::debug_eagerly`](crate::runtime::Config::debug_eagerly) it begins
    /// anew for the debug code. What comes from the cache is not compiled, and tells nothing.
    ///
    /// # Errors
    /// As [`Module::new`], and [`ErrorKind::Cancelled`].
    pub fn with_progress(
        engine: &Engine,
        binary: &[u8],
        progress: &(dyn Fn(usize, usize) -> bool + Sync),
    ) -> Result<Module> {
        let config = engine.config();
        let begin = Instant::now();
        if let Some(module) = Module::find(engine, binary) {
            module.0.may_be_kept.get_or_init(|| ());
            if config.debug && config.debug_eagerly {
                module.debug(progress)?;
            }
            return Ok(module);
        }
        let (info, layout, image) = engine.compile_large(binary, |compiler| {
            let info = wasm::parse(binary, config.features, config.parallel)?;
            let layout = vm_layout(&info)?;
            let image = compiler.module(&info, binary, Tier::Production, progress)?;
            Ok((info, layout, image))
        })?;
        let production = engine.new_code(image);
        let bytes = (Binary::own(binary), Initial::new(&info, engine.config().memory_images));
        let module = Module::of_parts(engine, (info, layout), bytes, (production, config.refuels()), None);
        engine.log(LogLevel::Info, || {
            let functions = module.info().bodies.len();
            format!("compiled module {} of {functions} functions in {:?}", module.shown_name(), begin.elapsed())
        });
        module.0.may_be_kept.get_or_init(|| ());
        // Compiling debug code keeps the module with it.
        match config.debug && config.debug_eagerly {
            true => drop(module.debug(progress)?),
            false => module.keep(),
        }
        Ok(module)
    }

    /// The module of these bytes, if the engine's cache has it, whole.
    fn find(engine: &Engine, binary: &[u8]) -> Option<Module> {
        let begin = Instant::now();
        let path = engine.cache()?.find(&name_of(&engine.manifest().to_text(), binary))?;
        let found = Module::deserialize_from_file(engine, &path).and_then(|module| {
            // Names are hashes, and a guest may have been made to have another's.
            match *module.binary_to_write() == *binary {
                true => Ok(module),
                false => {
                    let message = format!("`{}` is of another module", Escaped(&path.to_string_lossy()));
                    Err(Error::new(ErrorKind::InvalidModule, message))
                }
            }
        });
        match &found {
            Ok(module) => engine.log(LogLevel::Info, || {
                format!("found module {} in the cache, in {:?}", module.shown_name(), begin.elapsed())
            }),
            Err(error) => {
                engine.log(LogLevel::Warn, || format!("a file of the cache is not used, and made anew: {error}"))
            }
        }
        found.ok()
    }

    /// Keeps the module, with what has been compiled of it, where its engine has a cache.
    fn keep(&self) {
        let engine = self.engine();
        let Some(cache) = engine.cache() else { return };
        let kept = self.serialize().and_then(|bytes| {
            let name = name_of(&engine.manifest().to_text(), &self.binary_to_write());
            cache.put(&name, &bytes)
        });
        match kept {
            Ok(0) => {}
            Ok(thrown) => engine.log(LogLevel::Debug, || format!("{thrown} modules were thrown out of the cache")),
            Err(error) => engine.fell_back(Fallbacks::NO_CACHE, || format!("{error}; the module is not kept")),
        }
    }

    /// A module of what it consists of. The code is that of the binary, for this engine; with its production code is
    /// said whether it asks for more fuel.
    pub(in crate::runtime) fn of_parts(
        engine: &Engine,
        (info, layout): (ModuleInfo, VmLayout),
        (binary, initial): (Binary, Initial),
        (production, refuels): (Shared<EngineCode>, bool),
        debug: Option<Shared<EngineCode>>,
    ) -> Module {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let sigs = info.types.iter().map(DefinedType::id).collect();
        let debug = debug.map(|code| OnceCell::with_value(DebugCode::new(&production, code)));
        Module(Shared::new(ModuleInner {
            engine: engine.clone(),
            id: ModuleId(NEXT.fetch_add(1, Ordering::Relaxed)),
            initial,
            info,
            binary,
            layout,
            sigs,
            production,
            refuels,
            debug: debug.unwrap_or_default(),
            resume: Mutex::default(),
            valid: OnceCell::new(),
            sources: OnceCell::new(),
            may_be_kept: OnceCell::new(),
            given: Mutex::default(),
            graph: Mutex::default(),
            texts: NulTexts::default(),
        }))
    }

    /// Validates a module without compiling it.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn validate(engine: &Engine, binary: &[u8]) -> Result<()> {
        let config = engine.config();
        engine.compile_large(binary, |_| vm_layout(&wasm::parse(binary, config.features, config.parallel)?).map(drop))
    }

    /// What the bytes of a module say outside function bodies, which are not looked at.
    ///
    /// # Errors
    /// As [`Module::new`], but for what is wrong in function bodies.
    pub fn read_outside(engine: &Engine, binary: &[u8]) -> Result<ModuleInfo> {
        wasm::parse_again(binary, engine.config().features)
    }

    /// What the module says.
    pub fn info(&self) -> &ModuleInfo {
        &self.0.info
    }

    /// The bytes it was made from. Where data of a module that was loaded stands in its memories' images alone, they
    /// are put together at the first call, and kept.
    pub fn binary(&self) -> &[u8] {
        self.0.binary.whole()
    }

    /// The same, to be written.
    pub(in crate::runtime) fn binary_to_write(&self) -> Cow<'_, [u8]> {
        self.0.binary.to_write()
    }

    /// The contents of a data segment.
    pub(in crate::runtime) fn data(&self, segment: DataIndex) -> &[u8] {
        self.0.binary.data(self.0.info.data[segment.index()].bytes.clone())
    }

    /// Its name, if its name section has one.
    pub fn name(&self) -> Option<&str> {
        self.0.info.names.module.as_deref()
    }

    /// Where a copy of one of its names begins that has a NUL behind it. The copy lives as long as the module.
    pub(crate) fn name_with_nul(&self, name: &str) -> *const std::ffi::c_char {
        self.0.texts.get(name)
    }

    /// Its name for messages.
    fn shown_name(&self) -> Escaped<'_> {
        Escaped(self.name().unwrap_or("<unnamed>"))
    }

    /// What it imports, in order: module, name, type.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = (&str, &str, ExternType)> {
        self.info().import_types()
    }

    /// What it exports, in order: name, type.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = (&str, ExternType)> {
        let info = self.info();
        info.exports.iter().map(|export| (&*export.name, info.extern_type(info.entity_type(export.index))))
    }

    /// Where in the source the instruction at `offset` is, where the module has DWARF that says so: the innermost
    /// inlined function first, then those it is inlined into. The first call looks for that DWARF.
    pub fn locations(&self, offset: WasmOffset) -> Vec<Location<'_>> {
        self.sources().locations(self.0.binary.but_data(), offset)
    }

    /// The lines of a function, as a step through it needs them.
    pub(crate) fn function_lines(&self, func: DefinedFuncIndex) -> FunctionLines {
        self.sources().function_lines(&self.0.info, self.0.binary.but_data(), func)
    }

    /// The first line of the source from `line` on that has code. `file` is a path as the compiler knew it, or the end
    /// of one: `main.c`, `src/main.c`.
    pub fn line_with_code(&self, file: &str, line: u32) -> Option<u32> {
        self.sources().line_with_code(self.0.binary.but_data(), file, line)
    }

    /// Where the code of a line of the source starts, at each place that it is at, ascending: of `line`, or of the next
    /// one with code, which [`line_with_code`](Module::line_with_code) tells.
    pub fn offsets_of_line(&self, file: &str, line: u32) -> Vec<WasmOffset> {
        self.sources().offsets_of(self.0.binary.but_data(), file, line)
    }

    /// Every place of a line, or of the next one that has code, with the function that it is in; `None` where no file
    /// of that name has code from there on. With a column, only what begins there.
    pub fn line_places(&self, file: &str, line: u32, column: Option<u32>) -> Option<LinePlaces> {
        self.sources().places_of(self.0.binary.but_data(), file, line, column)
    }

    /// The files of its source that have code, in the order of their paths.
    pub fn source_files(&self) -> Vec<&str> {
        self.sources().files(self.0.binary.but_data())
    }

    /// The line table of its DWARF.
    pub fn line_table(&self) -> Vec<LineRow<'_>> {
        self.sources().line_table(self.0.binary.but_data())
    }

    /// Functions by their indices, imports counted, as far as there are any: names, code, and where they are declared.
    /// Without DWARF, what the name section and the exports say.
    pub fn function_list(&self, range: Range<u32>) -> Vec<FunctionInfo<'_>> {
        self.inspector().function_list(&self.0.info, range)
    }

    /// Where the contents of the code section begin, from which DWARF counts its addresses; 0 without one.
    pub fn code_start(&self) -> WasmOffset {
        self.0.info.code_start
    }

    /// A function that the module defines.
    pub(in crate::runtime) fn defined(&self, func: FuncIndex) -> Result<DefinedFuncIndex> {
        let info = &self.0.info;
        info.defined(func).filter(|defined| defined.index() < info.bodies.len()).ok_or_else(|| {
            let count = info.funcs.len();
            let what = if func.index() < count { "is imported" } else { "is not there" };
            let message = format!(
                "function {} {what}: the module has {count}, and only those that it defines have code",
                func.get()
            );
            Error::new(ErrorKind::Argument, message)
        })
    }

    /// Instructions of a function that the module defines, as the text format writes them: those from `from` on, which
    /// may be its start or any offset before them, at most `count`. Names of functions, globals and locals are told in
    /// comments, escaped.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the module defines no such function.
    pub fn instructions(&self, func: FuncIndex, from: WasmOffset, count: usize) -> Result<Vec<Instruction>> {
        let info = &self.0.info;
        let defined = self.defined(func)?;
        let named = |what, index| {
            let name = match what {
                wasm::Named::Func => info.func_name(FuncIndex::new(index)),
                wasm::Named::Global => info.names.globals.get(&GlobalIndex::new(index)).map(String::as_str),
                wasm::Named::Local => info
                    .names
                    .locals
                    .get(&func)
                    .and_then(|names| names.get(&LocalIndex::new(index)))
                    .map(String::as_str),
            };
            name.map(|name| Escaped(&wasm::readable(name)).to_string())
        };
        let body = info.body(defined, self.0.binary.but_data())?;
        let broken = |error| Error::new(ErrorKind::Panic, format!("a body that was validated cannot be read: {error}"));
        let mut reader = body.get_operators_reader().map_err(broken)?;
        let mut found = Vec::new();
        while found.len() < count && !reader.eof() {
            let at = reader.original_position();
            let operator = reader.read().map_err(broken)?;
            if at >= u64::from(from.get()) {
                let offset = WasmOffset::new(at as u32);
                let size = (reader.original_position() - at) as u32;
                found.push(Instruction { offset, size, text: wasm::instruction_text(&operator, &named) });
            }
        }
        Ok(found)
    }

    /// The functions that a name means, with where to stop in them: see [`Inspector::functions`].
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is none, with what is spelt like it.
    pub fn functions_named(&self, name: &str) -> Result<Vec<FunctionPlace>> {
        self.inspector().functions(&self.0.info, name)
    }

    /// Answers questions about the source's variables and types; see [`dwarf`](crate::dwarf).
    pub fn inspector(&self) -> Inspector<'_> {
        self.sources().inspector(self.0.binary.but_data())
    }

    /// Gives the module a file of its split DWARF: a package (`.dwp`), or what the compiler wrote for one unit
    /// (`.dwo`). Positions that are asked for from now on have names, and what is inlined, from there as well. Several
    /// may be given; of a file that belongs to another module nothing is used, and the engine's log says so when
    /// positions are next asked for. The bytes are copied. They are no part of a serialized module.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the bytes are no such file. What is damaged further inside is no error; it has no
    /// positions.
    pub fn add_split_dwarf(&self, file: &[u8]) -> Result<()> {
        let file = SplitFile::new(file.into())?;
        self.0.given.lock().unwrap_or_else(PoisonError::into_inner).push(file);
        Ok(())
    }

    /// How many compilation units of the module are split: their functions' names, and most of what is inlined, are in
    /// other files.
    pub fn split_units(&self) -> usize {
        self.sources().split_units()
    }

    /// Those of them that are in no file that was given: what the compiler called their files, where that is said. A
    /// module may say any path: a host opens only what it would open anyway.
    pub fn missing_split_units(&self) -> Vec<Option<&str>> {
        self.sources().missing_units(self.0.binary.but_data())
    }

    fn sources(&self) -> &SourceMap {
        let sources = self.0.sources.get_or_init(|| SourceMap::new(&self.0.info, self.0.binary.but_data()));
        let mut foreign = 0;
        for file in self.0.given.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if sources.units_in(&file, self.0.binary.but_data()) > 0 {
                sources.add(Arc::new(file));
            } else if !file.is_empty() {
                foreign += 1;
            }
        }
        for _ in 0..foreign {
            self.0.engine.log(LogLevel::Warn, || {
                let name = self.shown_name();
                format!("a file of split DWARF that was given for module {name} has none of its units; it is not used")
            });
        }
        sources
    }

    /// Its custom sections, in order: name, contents.
    pub fn custom_sections(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.info().custom.iter().map(|(name, range)| (name.as_str(), &self.0.binary.but_data()[range.clone()]))
    }

    /// The contents of its first custom section of this name.
    pub fn custom_section(&self, name: &str) -> Option<&[u8]> {
        self.custom_sections().find(|(known, _)| *known == name).map(|(_, data)| data)
    }

    /// Bytes of its production code.
    pub fn text_size(&self) -> usize {
        self.0.production.text_len() as usize
    }

    /// Bytes of its debug code, if it has been compiled.
    pub fn debug_text_size(&self) -> Option<usize> {
        self.debug_if_compiled().map(|code| code.text_len() as usize)
    }

    /// The code of its debug tier, if it has been compiled.
    pub(in crate::runtime) fn debug_if_compiled(&self) -> Option<&Shared<EngineCode>> {
        self.0.debug.get().map(|debug| &debug.code)
    }

    /// The engine it was compiled by.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Its name among all modules of the process.
    pub fn id(&self) -> ModuleId {
        self.0.id
    }

    /// Whether both are the same module (not merely equal bytes).
    pub fn same(a: &Module, b: &Module) -> bool {
        Shared::ptr_eq(&a.0, &b.0)
    }

    /// The same module, for a store: see [`Shared::near`].
    pub(in crate::runtime) fn near(&self) -> Module {
        Module(self.0.near())
    }

    /// A number that is another one for each module that lives.
    pub fn identity(&self) -> usize {
        Arc::as_ptr(Shared::arc(&self.0)).addr()
    }

    /// The code of its debug tier, compiled on first use: once, whoever asks.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where the engine is not configured for debugging, [`ErrorKind::Cancelled`] where `progress`
    /// returned false. A later call tries again.
    pub fn debug_code(&self, progress: &(dyn Fn(usize, usize) -> bool + Sync)) -> Result<Shared<EngineCode>> {
        Ok(self.debug(progress)?.code.clone())
    }

    fn debug(&self, progress: &(dyn Fn(usize, usize) -> bool + Sync)) -> Result<&DebugCode> {
        let inner = &*self.0;
        inner.check_debug()?;
        let mut is_new = false;
        let debug = inner.debug.get_or_try_init(|| {
            is_new = true;
            let begin = Instant::now();
            let binary = inner.valid_binary()?;
            let image = inner
                .engine
                .compile_large(binary, |compiler| compiler.module(&inner.info, binary, Tier::Debug, progress))?;
            inner.engine.log(LogLevel::Info, || {
                format!("compiled the debug code of module {} in {:?}", self.shown_name(), begin.elapsed())
            });
            Ok::<_, Error>(DebugCode::new(&inner.production, inner.engine.new_code(image)))
        })?;
        if is_new && inner.may_be_kept.get().is_some() {
            self.keep();
        }
        Ok(debug)
    }

    /// The resume code of a function, compiled on first use. It is kept while a store has it, and some longer.
    pub(in crate::runtime) fn resume_code(&self, func: DefinedFuncIndex) -> Result<Shared<EngineCode>> {
        let inner = &*self.0;
        if func.index() >= inner.info.bodies.len() {
            return Err(Error::new(ErrorKind::Argument, format!("the module has no body of function {func}")));
        }
        let cell = {
            // A map is never left half-changed by a panic that could be survived.
            let mut known = inner.resume.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= MAX_IDLE_RESUME && !known.contains_key(&func) {
                let used = |code: &Shared<EngineCode>| Shared::has_clones(code);
                known.retain(|_, cell| Arc::strong_count(cell) > 1 || cell.get().is_some_and(used));
            }
            known.entry(func).or_default().clone()
        };
        let code = cell.get_or_try_init(|| {
            let binary = inner.valid_binary()?;
            let image = inner.engine.compile(|compiler| compiler.resume(&inner.info, binary, func))?;
            Ok::<_, Error>(inner.engine.new_small_code(image))
        })?;
        Ok(code.clone())
    }

    /// A function as it is in the debug code, with a stop point before each of these instructions as well; compiled
    /// each time. Where it is to be entered, the `loop`s where it can be.
    pub(in crate::runtime) fn split_code(
        &self,
        func: DefinedFuncIndex,
        splits: &[WasmOffset],
        entered: bool,
    ) -> Result<(Shared<EngineCode>, Vec<WasmOffset>)> {
        let inner = &*self.0;
        let binary = inner.valid_binary()?;
        let (image, ways_in) =
            inner.engine.compile(|compiler| compiler.split(&inner.info, binary, func, splits, entered))?;
        Ok((inner.engine.new_small_code(image), ways_in))
    }

    /// Whether `debug_code` has its answer ready.
    pub(in crate::runtime) fn stack_ratio(&self) -> StackRatio {
        self.0.debug.get().map_or(StackRatio::ONE, |debug| debug.stack_ratio)
    }

    /// Which instruction of a function can follow which in rerun. Nothing is compiled for it.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a function that the module does not define.
    pub fn region_graph(&self, func: DefinedFuncIndex) -> Result<Arc<RegionGraph>> {
        if func.index() >= self.0.info.bodies.len() {
            return Err(Error::new(ErrorKind::Argument, format!("the module has no body of function {func}")));
        }
        let last = || self.0.graph.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, graph)) = last().as_ref().filter(|(known, _)| *known == func) {
            return Ok(graph.clone());
        }
        let graph =
            Arc::new(region_graph(&self.0.info, self.0.valid_binary()?, func, self.0.engine.config().debug_tier)?);
        *last() = Some((func, graph.clone()));
        Ok(graph)
    }

    /// The rerun code of a function, compiled where the engine does not keep it from an earlier call: see
    /// [`Config::rerun_cache`](crate::runtime::Config::rerun_cache).
    ///
    /// # Errors
    /// [`ErrorKind::State`] where the engine is not configured for debugging, [`ErrorKind::Argument`] for a function
    /// that the module does not define, and those of compiling.
    pub fn rerun(&self, func: DefinedFuncIndex) -> Result<Arc<RerunCode>> {
        let Module(inner) = self;
        let run = inner.engine.config().force_rerun_runs;
        let body = inner.info.bodies.get(func.index());
        if body.is_none_or(|body| run.is_none() && body.bytes.len() <= RERUN_WHOLE) {
            return self
                .rerun_by(func, |info, binary| inner.engine.compile(|compiler| compiler.rerun(info, binary, func)));
        }
        inner.check_debug()?;
        inner.engine.reruns().get_or_make(inner.id, func, || {
            let known = inner.engine.compile(|compiler| {
                compiler.outline(&inner.info, inner.binary.but_data(), func, run.unwrap_or(Outline::RUN))
            })?;
            let module = WeakModule { id: inner.id, inner: Arc::downgrade(Shared::arc(inner)) };
            RerunCode::in_runs(module, func, known)
        })
    }

    /// The rerun code of a function, as `compile` gives it where the engine does not keep it from an earlier call: see
    /// [`Config::rerun_cache`](crate::runtime::Config::rerun_cache).
    ///
    /// # Errors
    /// [`ErrorKind::State`] where the engine is not configured for debugging, [`ErrorKind::Argument`] for a function
    /// that the module does not define, and those of `compile`.
    pub(in crate::runtime) fn rerun_by(
        &self,
        func: DefinedFuncIndex,
        compile: impl FnOnce(&ModuleInfo, &[u8]) -> Result<RerunImage>,
    ) -> Result<Arc<RerunCode>> {
        let Module(inner) = self;
        inner.check_debug()?;
        if func.index() >= inner.info.bodies.len() {
            let message = format!("the module defines {} functions, not one of index {func}", inner.info.bodies.len());
            return Err(Error::new(ErrorKind::Argument, message));
        }
        inner
            .engine
            .reruns()
            .get_or_make(inner.id, func, || RerunCode::new(&inner.engine, compile(&inner.info, inner.valid_binary()?)?))
    }

    /// What operands there are before each instruction of a function that it defines: an image without code. Nothing is
    /// compiled for it.
    ///
    /// # Errors
    /// Where the function cannot be read, or there is no memory for it.
    pub(in crate::runtime) fn outline(&self, func: DefinedFuncIndex) -> Result<RerunImage> {
        let Module(inner) = self;
        let binary = inner.valid_binary()?;
        let outline = |compiler: &Compiler| compiler.outline(&inner.info, binary, func, Outline::RUN);
        Ok(inner.engine.compile(outline)?.1)
    }

    /// Whether its code asks for more where the fuel is used up that was laid out.
    pub(in crate::runtime) fn refuels(&self) -> bool {
        self.0.refuels
    }

    /// The code of its production tier.
    pub fn production_code(&self) -> &Shared<EngineCode> {
        &self.0.production
    }

    /// What the memories of an instance begin with whose imported globals hold what `global` says.
    pub(in crate::runtime) fn images(&self, global: impl Fn(GlobalIndex) -> i64) -> Images<'_> {
        let inner = &*self.0;
        inner.initial.images(&inner.info, &inner.binary, global, |why| {
            inner.engine.fell_back(Fallbacks::COPIED_DATA, || {
                let why = why
                    .map_or_else(|| "the system refuses it, or there are too many".to_owned(), |why| why.to_string());
                format!("no memfd for a module's data ({why}); it is copied for each instance")
            });
        })
    }

    pub(in crate::runtime) fn layout(&self) -> &VmLayout {
        &self.0.layout
    }

    /// The number of each of its types.
    pub(in crate::runtime) fn sigs(&self) -> &[TypeId] {
        &self.0.sigs
    }

    /// The number of a function's type.
    pub(in crate::runtime) fn func_sig(&self, func: FuncIndex) -> TypeId {
        self.0.sigs[self.0.info.funcs[func.index()].index()]
    }

    /// Where a function's body starts.
    pub(in crate::runtime) fn body_start(&self, func: FuncIndex) -> WasmOffset {
        let body = self.0.info.defined(func).and_then(|defined| self.0.info.bodies.get(defined.index()));
        WasmOffset::from_usize(body.map_or(0, |body| body.bytes.start))
    }
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Module").field("id", &self.0.id).field("name", &self.name()).finish_non_exhaustive()
    }
}
