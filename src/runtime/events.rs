//! The debugger's side of a store: attaching and detaching, and telling of stops, traps and modules. What a stop means is
//! decided above; here it is made sure that what is above can do no harm.

use super::call;
use super::frames::{PcKind, VirtualFrame};
use super::module::{ModuleId, StackRatio};
use super::resume::{self, Resume};
use super::store::{self, Owned, StoreInner, StoreMut};
use crate::abi::{StopCell, TrapCode};
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Pc, Result, TextOffset, WasmOffset};
use crate::code::{CodeSlot, EngineCode, Ownership};
use crate::image::{Cursor, FunctionEntry, ImageTables, Point, SITE_BYTES, ShapeId, Site, SiteId};
use crate::sys::arch::{self, ResumeJump, StopContext};
use crate::sys::floats::HostFloats;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{NonNull, null};
use std::sync::Arc;

/// Where events go while a debugger is attached. Methods run on the guest's thread, with the store in hand; they may call into it.
/// A panic poisons the store and goes on at the call that entered the guest.
pub trait EventSink: Send + Sync {
    /// An armed site was reached. The answer says how the guest goes on; an error ends its call with it.
    ///
    /// # Errors
    /// What the sink likes.
    fn on_stop(&self, store: StoreMut<'_>, stop: &StopInfo) -> Result<Resume>;

    /// A guest has trapped; its frames are intact. An error takes the trap's place.
    ///
    /// # Errors
    /// What the sink likes.
    fn on_trap(&self, store: StoreMut<'_>, trap: &TrapInfo) -> Result<()>;

    /// A module was registered while attached. Its debug code is patched as the plan says already.
    ///
    /// # Errors
    /// What the sink likes; the instantiation that registered the module fails with it.
    fn on_module(&self, store: StoreMut<'_>, module: ModuleId) -> Result<()>;
}

/// A stop.
#[derive(Clone, Copy, Debug)]
pub struct StopInfo {
    /// The code.
    pub slot: CodeSlot,
    /// The function.
    pub func: DefinedFuncIndex,
    /// The site that was hit.
    pub site: SiteId,
    /// The instruction about to run.
    pub wasm: WasmOffset,
    /// The operand stack before it, a row of the code's tables.
    pub shape: ShapeId,
    /// The address behind it.
    pub pc: Pc,
    /// The guest's frame pointer.
    pub fp: usize,
}

/// A trap, before its frames are left.
#[derive(Clone, Copy, Debug)]
pub struct TrapInfo {
    /// Why.
    pub code: TrapCode,
    /// The instruction, or the return address where a function of the runtime raised it.
    pub pc: Pc,
    /// The guest's frame pointer.
    pub fp: usize,
    /// Whether `pc` is a return address.
    pub after_call: bool,
    /// Whether the guest stands at a stop: it was to go on in resume code, for which the stack is too small.
    pub at_stop: bool,
}

/// An event that is being told: where the guest stands. On the stack of whoever tells.
pub(super) struct EventRecord {
    pub(super) pc: usize,
    pub(super) fp: usize,
    pub(super) kind: PcKind,
    /// Whether the frame is set up: see [`RawFrame::set_up`](super::frames::RawFrame::set_up).
    pub(super) set_up: bool,
    /// Where the sink says that it is.
    pub(super) shown: Option<VirtualFrame>,
    pub(super) previous: *mut EventRecord,
}

/// What a store has while a debugger is attached.
pub(super) struct Attachment {
    sink: Arc<dyn EventSink>,
    /// The contexts that stop cells point to.
    contexts: Vec<Owned<StopTarget>>,
    /// How much more stack the debug code of the store's modules takes.
    pub(super) stack_ratio: StackRatio,
}

/// What an armed site of one text finds: the store and the slot.
#[repr(C)]
struct StopTarget {
    head: StopContext,
    store: NonNull<StoreInner>,
    slot: CodeSlot,
    /// The address of the text.
    base: usize,
    /// The tables of the code in the slot, which outlives this.
    tables: *const ImageTables,
    /// Where in `recent` the last site is: the next one mostly follows it.
    last: usize,
    /// Sites hit before, by the lower bits of where they return to: the turns of loops find theirs here, and nothing is unpacked.
    recent: [Option<KnownSite>; RECENT],
}

/// A site as it was found in the tables, with its point.
#[derive(Clone, Copy)]
struct KnownSite {
    site: Cursor<Site>,
    point: Cursor<Point>,
    shape: ShapeId,
    /// Its function.
    func: DefinedFuncIndex,
}

/// How many sites are remembered, a power of two.
const RECENT: usize = 64;

impl StoreInner {
    /// See [`Store::attach`](super::Store::attach).
    pub(super) fn attach(
        &mut self,
        sink: Arc<dyn EventSink>,
        progress: &(dyn Fn(usize, usize) -> bool + Sync),
    ) -> Result<()> {
        let refuse = |what: &str| Err(Error::new(ErrorKind::State, what));
        if !self.engine.config().debug {
            return refuse("this engine is not configured for debugging; set `debug` in its configuration");
        }
        if self.attachment.is_some() {
            return refuse("a debugger is attached to this store already; detach it first");
        }
        if !self.vm.activation.is_null() {
            return refuse(
                "a Wasm function of this store is running; attach before it is called or after it has returned",
            );
        }
        self.check_poison()?;
        self.compile_debug(progress)?;
        self.attachment = Some(Box::new(Attachment { sink, contexts: Vec::new(), stack_ratio: StackRatio::ONE }));
        for index in 0..self.modules.len() {
            if let Err(error) = self.register_debug(index) {
                self.remove_debug();
                return Err(error);
            }
        }
        self.repoint();
        Ok(())
    }

    /// See [`Store::detach`](super::Store::detach).
    pub(super) fn detach(&mut self) -> Result<()> {
        if self.attachment.is_none() {
            return Err(Error::new(ErrorKind::State, "no debugger is attached to this store"));
        }
        if !self.vm.activation.is_null() {
            return Err(Error::new(
                ErrorKind::State,
                "a Wasm function of this store is running; detach after it has returned",
            ));
        }
        let slots: Vec<_> = self.modules.iter_mut().map(|entry| entry.debug.take()).collect();
        self.repoint();
        for (entry, slot) in self.modules.iter_mut().zip(slots) {
            entry.debug = slot;
        }
        self.remove_debug();
        Ok(())
    }

    /// Compiles the debug code of every module that has none yet. Nothing of the store changes.
    fn compile_debug(&self, progress: &(dyn Fn(usize, usize) -> bool + Sync)) -> Result<()> {
        let modules = self.modules.iter().map(|entry| &entry.module);
        let due: Vec<_> = modules.filter(|module| module.debug_if_compiled().is_none()).collect();
        let total = due.iter().map(|module| module.info().bodies.len()).sum();
        let mut before = 0;
        for module in due {
            module.debug_code(&|done, _| progress(before + done, total))?;
            before += module.info().bodies.len();
        }
        Ok(())
    }

    /// Registers the debug code of a module, with a stop context of its own.
    pub(super) fn register_debug(&mut self, index: usize) -> Result<()> {
        let module = self.modules[index].module.clone();
        let code = module.debug_code(&|_, _| true)?;
        let slot = self.register_private(&code, index)?;
        self.modules[index].debug = Some(slot);
        let attachment = self.attachment.as_mut().expect("debug code is registered for a debugger");
        attachment.stack_ratio = attachment.stack_ratio.max(module.stack_ratio());
        Ok(())
    }

    /// Registers a private copy of code with stop points, with a stop context of its own. An error leaves everything as it was.
    pub(super) fn register_private(&mut self, code: &Arc<EngineCode>, module: usize) -> Result<CodeSlot> {
        let store = NonNull::from(&mut *self);
        let attachment = self.attachment.as_mut().expect("code with stop points is registered for a debugger");
        let target = Owned::new(Box::new(StopTarget {
            head: StopContext { on_stop },
            store,
            slot: self.modules[module].production,
            base: 0,
            tables: code.tables(),
            last: 0,
            recent: [None; RECENT],
        }));
        let at = target.ptr();
        let cell = StopCell { handler: arch::stop_handler(), context: at.as_ptr().cast() };
        let slot = self.registry.register(code, Ownership::Private { cell })?;
        // SAFETY: the target is ours, and no guest runs in the new code yet.
        unsafe {
            (*at.as_ptr()).slot = slot;
            (*at.as_ptr()).base = self.registry.entry(slot).store.base().get();
        }
        attachment.contexts.push(target);
        self.note_slot(slot, module);
        let told = self.modules[module].module.clone();
        self.tell_outside(slot, &told);
        Ok(slot)
    }

    /// Unregisters all debug code, which nothing points to, and forgets the sink.
    fn remove_debug(&mut self) {
        for entry in &mut self.modules {
            let resumed = entry.resume.drain(..).map(|resume| resume.slot);
            for slot in entry.debug.take().into_iter().chain(resumed) {
                self.registry.unregister(slot).expect("debug code stands in its slot");
            }
        }
        self.forget_resume_state();
        // Step mode is the debugger's: the next one starts without.
        let mut edit = self.registry.edit();
        let cleared = edit.set_step(crate::code::StepScope::Off);
        debug_assert!(cleared.is_ok());
        drop(edit);
        self.attachment = None;
    }

    /// Points every initialised function reference at the code its module runs now.
    fn repoint(&mut self) {
        for instance in &self.instances {
            // SAFETY: instances live as long as the store, and nobody else has a reference to their inside now.
            unsafe { (*instance.ptr().as_ptr()).use_code(self) };
        }
    }
}

impl StoreMut<'_> {
    /// Has floats computed with as the host does, until what this gives is dropped: for calling the host from an event, which is told, and
    /// whose regions are run again, the guest's way.
    ///
    /// # Safety
    /// An event is being told, and it is dropped before that ends.
    pub unsafe fn host_floats(&mut self) -> HostFloats {
        // SAFETY: while an event is told, the guest that it is of has been entered.
        unsafe { HostFloats::of(self.inner().vm.activation) }
    }

    /// Says where the frame of the event being told really is (of several that nest, the newest), from now to its end: [`None`] for
    /// where the guest stands. Frames are walked accordingly. False if no event is being told.
    pub fn set_virtual(&mut self, frame: Option<VirtualFrame>) -> bool {
        // SAFETY: records are linked while they are live.
        match unsafe { self.inner().events.as_mut() } {
            Some(record) => {
                record.shown = frame;
                true
            }
            None => false,
        }
    }
}

/// Called by the stop trampoline, on the guest's stack, with the guest's registers saved.
unsafe extern "C" fn on_stop(context: *mut StopContext, pc: usize, fp: usize) -> *const ResumeJump {
    // SAFETY: the context of a stop cell is a `StopTarget`. When the guest is to end, nothing with a destructor is left here.
    unsafe {
        let target = context.cast::<StopTarget>();
        match stop(target, pc, fp) {
            Onward::Native => null(),
            Onward::Leave => arch::unwind((*(*target).store.as_ptr()).vm.activation),
            Onward::Replace(jump) => jump,
        }
    }
}

/// How a stop ends.
pub(super) enum Onward {
    /// The guest goes on where it stands.
    Native,
    /// Its frames are left, with the reason in the store.
    Leave,
    /// Its innermost frame gives way to resume code. The store has the jump.
    Replace(*const ResumeJump),
}

/// Tells the sink.
unsafe fn stop(target: *mut StopTarget, pc: usize, fp: usize) -> Onward {
    // SAFETY: the target lives as long as the code it belongs to is registered; each reference to the store's inside ends before
    // the sink runs. The sink stays: detaching needs that no frame is live.
    unsafe {
        let store = (*target).store.as_ptr();
        let after = TextOffset::new(pc.wrapping_sub((*target).base) as u32);
        let tables = &*(*target).tables;
        // Sites are more than 4 bytes apart.
        let index = after.index() / 4 % RECENT;
        let recent = &mut (*target).recent;
        if recent[index].as_ref().is_none_or(|known| known.site.key() != after.get()) {
            // In place: what was just written in parts is slow to copy.
            recent[index] = recent[(*target).last];
            find_site(tables, &mut recent[index], after);
        }
        let Some(known) = &recent[index] else {
            // No site returns here: nothing that could be told.
            return Onward::Native;
        };
        let info = StopInfo {
            slot: (*target).slot,
            func: known.func,
            site: SiteId(known.site.id()),
            wasm: WasmOffset::new(known.point.key()),
            shape: known.shape,
            pc: Pc::new(pc),
            fp,
        };
        (*target).last = index;
        (*store).vm.exit_fp = fp;
        (*store).vm.exit_pc = pc;
        let Some(attachment) = &(*store).attachment else {
            return Onward::Native;
        };
        let sink: *const dyn EventSink = &*attachment.sink;
        let kind = PcKind::Stop(info.wasm);
        let mut record = EventRecord { pc, fp, kind, set_up: true, shown: None, previous: (*store).events };
        let record_at = &raw mut record;
        (*store).events = record_at;
        let store_at = (*target).store;
        let work = || match (*sink).on_stop(StoreMut::from_inner(store_at), &info)? {
            Resume::Native => Ok(Onward::Native),
            Resume::Replace(with) => resume::replace(store_at, record_at, info.func, with),
        };
        let onward = match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(_)) if (*store).registry.is_broken() => {
                (*store).poisoned = true;
                call::leave_with_error(store_at, store::broken());
                Onward::Leave
            }
            Ok(Ok(onward)) => onward,
            Ok(Err(error)) => {
                call::leave_with_error(store_at, error);
                Onward::Leave
            }
            Err(payload) => {
                call::leave_with_panic(store_at, payload);
                Onward::Leave
            }
        };
        (*store).events = (*record_at).previous;
        onward
    }
}

/// Turns the last site into the one that returns to `after`: mostly the one behind it, which is near in the tables.
fn find_site(tables: &ImageTables, known: &mut Option<KnownSite>, after: TextOffset) {
    if let Some(KnownSite { site, point, shape, func }) = known
        && tables.sites.advance(site)
        && site.key() == after.get()
        && tables.points.go_to(point, site.row().point.0)
    {
        *shape = point.row().shape;
        let inside = |row: &FunctionEntry| after.get().wrapping_sub(row.start.get()) <= row.len;
        if tables.function(*func).is_some_and(inside) {
            return;
        }
    }
    *known = tables.site_before(after).and_then(|site| {
        let point = tables.points.cursor(site.row().point.0)?;
        let func = tables.function_at(start_of(after))?;
        Some(KnownSite { site, point, shape: point.row().shape, func })
    });
}

/// The first byte of the site that returns to `after`.
fn start_of(after: TextOffset) -> TextOffset {
    TextOffset::new(after.get().saturating_sub(SITE_BYTES))
}

/// Tells the sink of a trap, if there is one.
///
/// # Safety
/// The store is alive, no reference to its inside is held, and a frame of it is live.
pub(super) unsafe fn tell_trap(store: NonNull<StoreInner>, info: &TrapInfo) -> Result<()> {
    // SAFETY: the sink stays: detaching needs that no frame is live.
    unsafe {
        match &(*store.as_ptr()).attachment {
            None => Ok(()),
            Some(attachment) => {
                let sink: *const dyn EventSink = &*attachment.sink;
                (*sink).on_trap(StoreMut::from_inner(store), info)
            }
        }
    }
}

/// Tells the sink of a new module, if there is one.
pub(super) fn tell_module(store: &mut StoreMut<'_>, module: ModuleId) -> Result<()> {
    let Some(sink) = store.inner().attachment.as_ref().map(|attachment| attachment.sink.clone()) else {
        return Ok(());
    };
    let view = StoreMut::from_inner(store.ptr());
    catch_unwind(AssertUnwindSafe(|| sink.on_module(view, module))).unwrap_or_else(|payload| {
        store.inner().poisoned = true;
        resume_unwind(payload)
    })
}
