//! The engine: configuration, compiler, and the signatures all its modules share, with their trampolines.

use crate::base::{Error, ErrorKind, Result, Shared, TypeId};
use crate::code::{EngineCode, FixedCode, Registration};
use crate::compile::{Compiler, Processor};
use crate::image::CodeImage;
use crate::isa::{FILL, HostToWasm};
use crate::runtime::compiled::cache::OpenCache;
use crate::runtime::compiled::config::Config;
use crate::runtime::compiled::kept_pages::KeptPages;
use crate::runtime::compiled::log::{Fallbacks, LogLevel};
use crate::runtime::compiled::manifest::Manifest;
use crate::runtime::compiled::pool::Pool;
use crate::runtime::compiled::profile::Publisher;
use crate::runtime::compiled::rerun::RerunCache;
use crate::runtime::compiled::stacks::Stacks;
use crate::sys::pages::{Reservation, address_space_limit};
use crate::sys::profile::Profiler;
use crate::sys::refusals::flips_refused;
use crate::sys::signals::{self, Classify};
use crate::sys::text::{TextBacking, TextImage};
use crate::sys::{stack, threads};
use crate::wasm::{DefinedType, FuncType, HeapType};
use once_cell::sync::OnceCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Bytes of stack for compiling.
const COMPILE_STACK: usize = 1 << 20;

/// With a limit below this on address space, memories get no reservations: it is that of hundreds of them.
const ENOUGH_ADDRESS_SPACE: u64 = 1 << 40;

/// Bytes of a module from which on it is worth other threads' while.
const LARGE_MODULE: usize = 2 << 10;

/// What modules are compiled by and stores belong to. Cheap to clone: clones are the same engine.
#[derive(Clone)]
pub struct Engine(Shared<EngineInner>);

struct EngineInner {
    config: Config,
    publisher: Publisher,
    compiler: Compiler,
    machine: Processor,
    /// What its code may use and this machine has not.
    lacking: Vec<String>,
    cache: Option<OpenCache>,
    signatures: Signatures,
    pool: Pool,
    kept_pages: KeptPages,
    stacks: Stacks,
    reruns: RerunCache,
    /// Code of all stores reads it, by its address.
    epoch: AtomicU64,
    fallbacks: AtomicU32,
}

impl Engine {
    /// See [`Engine::new`]: `classify` knows guests' faults from others.
    pub(in crate::runtime) fn with(mut config: Config, classify: Classify) -> Result<Engine> {
        config.check()?;
        let fallbacks = fall_back(&mut config, classify)?;
        let compiler = Compiler::for_processor(config.compile_options(), config.processor.as_ref())?;
        let machine = match (&config.force_machine, &config.processor) {
            (Some(machine), _) => machine.clone(),
            (None, None) => compiler.processor(),
            (None, Some(_)) => Processor::of_this_machine()?,
        };
        let lacking = match config.processor {
            None => Vec::new(),
            Some(_) => compiler.processor().beyond(&machine).into_iter().map(str::to_owned).collect(),
        };
        let publisher = Publisher::new(&config)?;
        let reruns = RerunCache::new(config.rerun_cache, config.log.clone());
        let (signatures, kept_pages) = Default::default();
        let stacks = Stacks::new(&config);
        let pool = Pool::new(config.kept_memories, config.memory_space());
        // A deadline of this very epoch is over at once; one of 0 would be an interrupt.
        let epoch = AtomicU64::new(1);
        let (cache, unusable) = OpenCache::open(config.cache.as_ref());
        let engine = Engine(Shared::new(EngineInner {
            config,
            publisher,
            compiler,
            machine,
            lacking,
            cache,
            signatures,
            pool,
            kept_pages,
            stacks,
            reruns,
            epoch,
            fallbacks,
        }));
        if let Some(error) = unusable {
            engine.fell_back(Fallbacks::NO_CACHE, || format!("{error}; compiled modules are not kept"));
        }
        Ok(engine)
    }

    /// Refuses to run code that may use what this machine has not.
    #[inline]
    pub(in crate::runtime) fn check_runs(&self) -> Result<()> {
        match self.0.lacking.as_slice() {
            [] => Ok(()),
            lacking => Err(runs_elsewhere(lacking)),
        }
    }

    /// Where its compiled modules are kept, if it runs them here.
    pub(in crate::runtime) fn cache(&self) -> Option<&OpenCache> {
        self.0.cache.as_ref().filter(|_| self.0.lacking.is_empty())
    }

    /// Puts the signal handlers in front again of those that the host has installed since, if there are engines with
    /// signals. What was found in front gets every signal that is not a guest's.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::base::ErrorKind::System) where the system refuses it.
    pub fn renew_signal_handlers() -> Result<()> {
        signals::install_again()
    }

    /// What it was made with.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// What it does in another way than its configuration asks for, so far.
    pub fn fallbacks(&self) -> Fallbacks {
        // The system may have begun to refuse it after the engine was made.
        let replaced = if flips_refused() { Fallbacks::REPLACED_CODE.bits() } else { 0 };
        Fallbacks::from_bits(self.0.fallbacks.load(Ordering::Relaxed) | replaced)
    }

    /// Tells the host, if it listens.
    pub(in crate::runtime) fn log(&self, level: LogLevel, message: impl FnOnce() -> String) {
        if let Some(log) = &self.config().log {
            log.tell(level, message);
        }
    }

    /// Whether both are the same engine.
    pub fn same(a: &Engine, b: &Engine) -> bool {
        Shared::ptr_eq(&a.0, &b.0)
    }

    /// The same engine, for a store: see [`Shared::near`].
    pub(in crate::runtime) fn near(&self) -> Engine {
        Engine(self.0.near())
    }

    /// The epoch, at an address that lasts as long as the engine.
    pub(in crate::runtime) fn epoch_counter(&self) -> &AtomicU64 {
        &self.0.epoch
    }

    /// Compiles something, where there is stack for it: a guest may be at the end of its own when a module is made or
    /// looked into.
    pub(in crate::runtime) fn compile<T: Send>(&self, work: impl FnOnce(&Compiler) -> Result<T> + Send) -> Result<T> {
        stack::with_room(COMPILE_STACK, || work(&self.0.compiler))?
    }

    /// Compiles something large, on several threads if the configuration says so: what `work` calls finds them.
    pub(in crate::runtime) fn compile_large<T: Send>(
        &self,
        binary: &[u8],
        work: impl FnOnce(&Compiler) -> Result<T> + Send,
    ) -> Result<T> {
        if self.config().parallel && binary.len() >= LARGE_MODULE {
            match threads::pool() {
                Ok(Some(pool)) => return pool.install(|| work(&self.0.compiler)),
                Ok(None) => {}
                Err(error) => {
                    self.fell_back(Fallbacks::NO_THREADS, || format!("{error}; compiling on the thread that asks"))
                }
            }
        }
        self.compile(work)
    }

    /// Notes that it does something in another way than it is configured to, and tells the host the first time.
    pub(in crate::runtime) fn fell_back(&self, fallback: Fallbacks, message: impl FnOnce() -> String) {
        let before = self.0.fallbacks.fetch_or(fallback.bits(), Ordering::Relaxed);
        if !Fallbacks::from_bits(before).contains(fallback) {
            self.log(LogLevel::Warn, message);
        }
    }

    pub(in crate::runtime) fn backing(&self) -> TextBacking {
        // perf looks into its map for code in anonymous memory only.
        let anonymous = self.config().copied_code || self.config().profiler == Profiler::PerfMap;
        if anonymous { TextBacking::Anonymous } else { TextBacking::Memfd }
    }

    /// What its code is compiled for and with, in words.
    pub(in crate::runtime) fn manifest(&self) -> Manifest {
        Manifest::new(self.config(), &self.0.compiler, self.0.machine.clone())
    }

    /// Who is told where code is.
    pub(in crate::runtime) fn publisher(&self) -> &Publisher {
        &self.0.publisher
    }

    /// The mappings of memories that are gone.
    pub(in crate::runtime) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// Pages of large tables.
    pub(in crate::runtime) fn kept_pages(&self) -> &KeptPages {
        &self.0.kept_pages
    }

    /// Stacks for calls that can be left in the middle.
    pub(in crate::runtime) fn stacks(&self) -> &Stacks {
        &self.0.stacks
    }

    /// The rerun code of its modules.
    pub(in crate::runtime) fn reruns(&self) -> &RerunCache {
        &self.0.reruns
    }

    /// Maps code that nobody patches.
    pub(in crate::runtime) fn fixed_code(&self, code: Vec<u8>) -> Result<FixedCode> {
        FixedCode::new(code, self.backing())
    }

    /// Takes a compiled image in.
    pub(in crate::runtime) fn new_code(&self, image: CodeImage) -> Shared<EngineCode> {
        EngineCode::with_backing(image, self.backing())
    }

    /// Takes a compiled image in that is too small, and one of too many, to be worth a file descriptor.
    pub(in crate::runtime) fn new_small_code(&self, image: CodeImage) -> Shared<EngineCode> {
        EngineCode::with_backing(image, TextBacking::Anonymous)
    }

    /// What goes with a type of functions: one that a function of this engine is of.
    pub(in crate::runtime) fn signature(&self, id: TypeId) -> Arc<Signature> {
        self.0.signatures.get(id)
    }

    /// The same for whatever type of functions.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) where it names a type that is gone.
    pub(in crate::runtime) fn signature_of(&self, ty: &FuncType) -> Result<Arc<Signature>> {
        Ok(self.0.signatures.of(DefinedType::func(ty)?))
    }
}

impl Engine {
    /// Makes the epoch one more: what has its deadline there ends. Guests find out when they next begin a function or a
    /// turn of a loop. It may be called from a signal handler.
    pub fn increment_epoch(&self) {
        self.epoch_counter().fetch_add(1, Ordering::Relaxed);
    }

    /// Lets go of what the engine keeps for instances to come: the address space of memories that are gone
    /// ([`Config::kept_memories`]), pages of tables, and stacks ([`Config::kept_stacks`]). What lives stays as it is,
    /// and what is given up later is kept again.
    pub fn trim(&self) {
        self.pool().trim();
        self.kept_pages().trim();
        self.stacks().trim();
    }

    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch_counter().load(Ordering::Relaxed)
    }
}

#[cold]
fn runs_elsewhere(lacking: &[String]) -> Error {
    let message = format!(
        "this engine compiles for a processor that has {}, which this one has not (`processor` in its configuration); \
         serialize its modules, and run them where that is",
        lacking.join(", ")
    );
    Error::new(ErrorKind::Unsupported, message)
}

/// Tries what the configuration relies on, and changes it where the system refuses.
fn fall_back(config: &mut Config, classify: Classify) -> Result<AtomicU32> {
    let mut fallbacks = 0;
    let mut warn = |config: &Config, fallback: Fallbacks, message: &str| {
        fallbacks |= fallback.bits();
        if let Some(log) = &config.log {
            log.tell(LogLevel::Warn, || message.to_owned());
        }
    };
    if config.signals
        && let Err(error) = signals::install(classify)
    {
        config.signals = false;
        let message = format!("no signal handlers: {error}; compiled code checks for traps by instructions");
        warn(config, Fallbacks::NO_SIGNALS, &message);
    }
    if !config.copied_code {
        let probe = TextImage::new(&mut vec![FILL])?;
        if probe.backing() == TextBacking::Anonymous {
            warn(
                config,
                Fallbacks::COPIED_CODE,
                "the system refuses a memfd for machine code; it is copied for each debugged store",
            );
        } else if config.debug {
            probe.try_flip()?;
            if flips_refused() {
                warn(
                    config,
                    Fallbacks::REPLACED_CODE,
                    "the system refuses to execute memory that was written; pages with breakpoints are made anew for each \
                     change",
                );
            }
        }
    }
    // Where address space is limited, the first memory would get its reservation and a later one none.
    if config.fixed_memories()
        && let Some(limit) = address_space_limit()
        && limit < ENOUGH_ADDRESS_SPACE
    {
        (config.memory_reservation, config.memory_guard) = (0, 0);
        let message = format!(
            "address space is limited to {limit} bytes (RLIMIT_AS); memories move as they grow, and \
             accesses are checked by instructions"
        );
        warn(config, Fallbacks::NO_RESERVATION, &message);
    }
    if config.fixed_memories()
        && let Err(error) = Reservation::new((config.memory_reservation + config.memory_guard) as usize)
    {
        (config.memory_reservation, config.memory_guard) = (0, 0);
        let message = format!("{error}; memories move as they grow, and accesses are checked by instructions");
        warn(config, Fallbacks::NO_RESERVATION, &message);
    }
    Ok(AtomicU32::new(fallbacks))
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", &self.0.config).finish_non_exhaustive()
    }
}

/// The types of functions that a host of this engine has called, or made. They only become more.
#[derive(Default)]
struct Signatures(RwLock<HashMap<TypeId, Arc<Signature>, BuildHasherDefault<TypeHasher>>>);

/// Numbers of types are as good as any hash but for their order.
#[derive(Default)]
struct TypeHasher(u64);

impl Hasher for TypeHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Signatures {
    fn get(&self, id: TypeId) -> Arc<Signature> {
        // A map is never left half-changed by a panic that could be survived.
        if let Some(signature) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return signature.clone();
        }
        self.of(DefinedType::of(id).expect("a function's module, or its signature, has its type"))
    }

    fn of(&self, ty: DefinedType) -> Arc<Signature> {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let new = |ty| Arc::new(Signature { ty, to_wasm: OnceCell::new(), to_host: OnceCell::new() });
        known.entry(ty.id()).or_insert_with(|| new(ty)).clone()
    }
}

/// A type of functions with its trampolines, made on first use. They call indirectly only, so every store uses the
/// same.
pub(in crate::runtime) struct Signature {
    ty: DefinedType,
    to_wasm: OnceCell<Trampoline>,
    to_host: OnceCell<Trampoline>,
}

/// A trampoline, and what goes with it.
struct Trampoline {
    _registration: Option<Registration>,
    code: FixedCode,
}

impl Signature {
    /// The type as what references refer to.
    pub(in crate::runtime) fn heap(&self) -> HeapType {
        self.ty.heap()
    }

    /// The type's number.
    pub(in crate::runtime) fn id(&self) -> TypeId {
        self.ty.id()
    }

    /// What compiled code knows of the types above it; it is there as long as the engine.
    pub(in crate::runtime) fn list(&self) -> *const u32 {
        self.ty.list().as_ptr()
    }

    /// The type, as the host is told it.
    pub(in crate::runtime) fn told(&self) -> FuncType {
        FuncType::of_defined(&self.ty).expect("functions are of types of functions")
    }

    /// The type.
    pub(in crate::runtime) fn func(&self) -> &FuncType {
        self.ty.as_func().expect("functions are of types of functions")
    }

    fn trampoline(
        &self,
        engine: &Engine,
        direction: &str,
        compile: impl FnOnce(&Compiler) -> Result<Vec<u8>> + Send,
    ) -> Result<Trampoline> {
        engine.check_runs()?;
        let code = engine.fixed_code(engine.compile(compile)?)?;
        Ok(Trampoline { _registration: engine.publisher().tell_trampoline(&code, direction, self.func()), code })
    }

    /// How the host calls Wasm functions of this type.
    pub(in crate::runtime) fn host_to_wasm(&self, engine: &Engine) -> Result<HostToWasm> {
        let trampoline = self
            .to_wasm
            .get_or_try_init(|| self.trampoline(engine, "to wasm", |compiler| compiler.host_to_wasm(self.func())))?;
        // SAFETY: the mapping holds a trampoline of this convention from its first byte on and lasts as long as the
        // signature, which the engine never drops.
        Ok(unsafe { std::mem::transmute::<usize, HostToWasm>(trampoline.code.entry().get()) })
    }

    /// The `code` of host functions of this type.
    pub(in crate::runtime) fn wasm_to_host(&self, engine: &Engine) -> Result<*const c_void> {
        let trampoline = self
            .to_host
            .get_or_try_init(|| self.trampoline(engine, "to host", |compiler| compiler.wasm_to_host(self.func())))?;
        Ok(trampoline.code.entry().get() as *const c_void)
    }
}
