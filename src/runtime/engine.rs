//! The engine: configuration, compiler, and the signatures all its modules share, with their trampolines.

use super::config::Config;
use super::manifest::Manifest;
use super::pool::Pool;
use super::replay::ReplayCache;
use super::trap;
use crate::base::{Result, SigId};
use crate::code::EngineCode;
use crate::compile::Compiler;
use crate::image::CodeImage;
use crate::sys::arch::HostToWasm;
use crate::sys::text::{ExecView, TextBacking, TextImage};
use crate::sys::{signals, stack};
use crate::wasm::FuncType;
use once_cell::sync::OnceCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError, RwLock};

/// Bytes of stack for compiling.
const COMPILE_STACK: usize = 1 << 20;

/// What modules are compiled by and stores belong to. Cheap to clone: clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<EngineInner>);

struct EngineInner {
    config: Config,
    compiler: Compiler,
    signatures: Signatures,
    pool: Pool,
    replays: ReplayCache,
    /// Code of all stores reads it, by its address.
    epoch: AtomicU64,
}

impl Engine {
    /// An engine with this configuration. With `signals`, signal handlers are installed for the process, once, in front of
    /// those that are there.
    ///
    /// # Errors
    /// When the configuration contradicts itself, the machine is too old, or the system refuses the handlers.
    pub fn new(config: Config) -> Result<Engine> {
        config.check()?;
        let compiler = Compiler::new(config.compile_options())?;
        if config.signals {
            signals::install(trap::classify)?;
        }
        let replays = ReplayCache::new(config.replay_cache_bytes);
        let (signatures, pool) = Default::default();
        // A deadline of this very epoch is over at once; one of 0 would be an interrupt.
        let epoch = AtomicU64::new(1);
        Ok(Engine(Arc::new(EngineInner { config, compiler, signatures, pool, replays, epoch })))
    }

    /// What it was made with.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Whether both are the same engine.
    pub fn same(a: &Engine, b: &Engine) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }

    /// The epoch, at an address that lasts as long as the engine.
    pub(super) fn epoch_counter(&self) -> &AtomicU64 {
        &self.0.epoch
    }

    /// Compiles something, where there is stack for it: a guest may be at the end of its own when a module is made or looked into.
    pub(super) fn compile<T: Send>(&self, work: impl FnOnce(&Compiler) -> Result<T> + Send) -> Result<T> {
        stack::with_room(COMPILE_STACK, || work(&self.0.compiler))?
    }

    pub(super) fn backing(&self) -> TextBacking {
        if self.config().force_copied_code { TextBacking::Anonymous } else { TextBacking::Memfd }
    }

    /// What its code is compiled for and with, in words.
    pub(super) fn manifest(&self) -> Manifest {
        Manifest::new(self.config(), &self.0.compiler)
    }

    /// Reservations for memories that never move.
    pub(super) fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// The replay code of its modules.
    pub(super) fn replays(&self) -> &ReplayCache {
        &self.0.replays
    }

    /// Maps code that nobody patches.
    pub(super) fn map_code(&self, mut code: Vec<u8>) -> Result<ExecView> {
        TextImage::with_backing(&mut code, self.backing())?.map_exec()
    }

    /// Takes a compiled image in.
    pub(super) fn new_code(&self, image: CodeImage) -> Arc<EngineCode> {
        EngineCode::with_backing(image, self.backing())
    }

    /// Takes a compiled image in that is too small, and one of too many, to be worth a file descriptor.
    pub(super) fn new_small_code(&self, image: CodeImage) -> Arc<EngineCode> {
        EngineCode::with_backing(image, TextBacking::Anonymous)
    }

    /// The id of a signature: the same for equal types of all modules.
    pub(super) fn signature_id(&self, ty: &FuncType) -> SigId {
        self.0.signatures.id(ty)
    }

    /// The signature of an id.
    pub(super) fn signature(&self, id: SigId) -> Arc<Signature> {
        self.0.signatures.get(id)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", &self.0.config).finish_non_exhaustive()
    }
}

/// The signatures known to an engine. They only become more.
#[derive(Default)]
struct Signatures(RwLock<Known>);

#[derive(Default)]
struct Known {
    ids: HashMap<FuncType, SigId>,
    rows: Vec<Arc<Signature>>,
}

impl Signatures {
    fn id(&self, ty: &FuncType) -> SigId {
        // Neither map nor vector is ever left half-changed by a panic that could be survived.
        if let Some(id) = self.0.read().unwrap_or_else(PoisonError::into_inner).ids.get(ty) {
            return *id;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = known.ids.get(ty) {
            return *id;
        }
        let id = SigId::from_usize(known.rows.len());
        known.rows.push(Arc::new(Signature { ty: ty.clone(), to_wasm: OnceCell::new(), to_host: OnceCell::new() }));
        known.ids.insert(ty.clone(), id);
        id
    }

    fn get(&self, id: SigId) -> Arc<Signature> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).rows[id.index()].clone()
    }
}

/// A function type with its trampolines, made on first use. They call indirectly only, so every store uses the same.
pub(super) struct Signature {
    /// The type.
    pub(super) ty: FuncType,
    to_wasm: OnceCell<ExecView>,
    to_host: OnceCell<ExecView>,
}

impl Signature {
    /// How the host calls Wasm functions of this type.
    pub(super) fn host_to_wasm(&self, engine: &Engine) -> Result<HostToWasm> {
        let view = self
            .to_wasm
            .get_or_try_init(|| engine.map_code(engine.compile(|compiler| compiler.host_to_wasm(&self.ty))?))?;
        // SAFETY: the mapping holds a trampoline of this convention from its first byte on and lasts as long as the
        // signature, which the engine never drops.
        Ok(unsafe { std::mem::transmute::<usize, HostToWasm>(view.base()) })
    }

    /// The `code` of host functions of this type.
    pub(super) fn wasm_to_host(&self, engine: &Engine) -> Result<*const c_void> {
        let view = self
            .to_host
            .get_or_try_init(|| engine.map_code(engine.compile(|compiler| compiler.wasm_to_host(&self.ty))?))?;
        Ok(view.base() as *const c_void)
    }
}
