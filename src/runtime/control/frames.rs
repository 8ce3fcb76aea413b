//! Walking the Wasm frames of a store by their frame pointers, over all its nested runs on this thread.

use crate::abi::{Activation, ValRaw};
use crate::base::{DefinedFuncIndex, FuncIndex, Pc, TextOffset, ValType, WasmOffset};
use crate::code::CodeSlot;
use crate::image::{ImageTables, Locals, Place, ShapeId, Slot, Tier};
use crate::isa;
use crate::runtime::compiled::module::Module;
use crate::runtime::control::frames;
use crate::runtime::objects::handles::Instance;
use crate::runtime::objects::owned::EventId;
use crate::runtime::objects::values::Val;
use crate::runtime::store::calls::{CallState, LeftAt};
use crate::runtime::store::events::{EventRecord, PcKind};
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::slots::{instance_in, read_slot};
use crate::runtime::store::views::StoreRef;
use crate::runtime::store::virtual_frame::VirtualFrame;
use std::ops::ControlFlow;
use std::ptr::null;

/// A live Wasm frame.
#[derive(Clone, Copy)]
pub struct RawFrame<'a> {
    /// The module.
    pub module: &'a Module,
    /// The function, imports counted.
    pub func: FuncIndex,
    /// The slot of the code that runs.
    pub slot: CodeSlot,
    /// Where in that code: the address that would be returned to, the byte behind the stop site, or the instruction
    /// that faulted.
    pub at: TextOffset,
    /// The Wasm instruction: about to run at a stop, else the one that trapped or the call the frame is in.
    pub wasm: WasmOffset,
    /// Whether the frame is really elsewhere, as its event says: `wasm` says so already. Or, if it was changed while it
    /// waits for a call, what is to be in it.
    pub virtual_frame: Option<&'a VirtualFrame>,
    /// The frame pointer.
    pub fp: usize,
    /// Whether no Wasm frame of this store is further in.
    pub innermost: bool,
    /// Whether `at` is a return address of a call that has not returned, and is not to be left.
    pub after_call: bool,
    /// Whether frames of the host stand between this and the Wasm frame visited before.
    pub host_boundary_before: bool,
    /// Whether it has all that its code's tables say of it. Not so the frame of a function that did not fit on the
    /// stack: it has not come farther than its prologue, and nothing in it may be read.
    pub set_up: bool,
    /// The entry into guests that it is of.
    pub(in crate::runtime) activation: *const Activation,
    store: &'a StoreInner,
}

impl std::fmt::Debug for RawFrame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawFrame").field("func", &self.func).field("wasm", &self.wasm).finish_non_exhaustive()
    }
}

impl RawFrame<'_> {
    /// Whether it runs in production code: it was entered before the store was attached to. What is in it is not known.
    pub fn is_production(&self) -> bool {
        self.store.registry.get(self.slot).is_some_and(|code| code.engine.tables().tier == Tier::Production)
    }

    /// The instance: read from the frame in debug code; in production code, which does not keep it there, and of a
    /// frame that is not set up, known only where the store has one instance of the module.
    pub fn instance(&self) -> Option<Instance> {
        let func = self.module.info().defined(self.func)?;
        let tables = self.store.registry.get(self.slot)?.engine.tables();
        if let (Some(Place::Frame(offset)), true) = (tables.function(func)?.vmctx, self.set_up) {
            // SAFETY: debug code keeps its vmctx in its frame, and this one is set up.
            return unsafe { instance_in(self.store.id, self.fp, offset) };
        }
        let mut of_module = self.store.instances.iter().filter(|instance| {
            // SAFETY: instances live as long as the store.
            Module::same(unsafe { &(*instance.ptr().as_ptr()).module }, self.module)
        });
        match (of_module.next(), of_module.next()) {
            (Some(only), None) => Some(Instance::from_parts(self.store.id, only.ptr())),
            _ => None,
        }
    }
}

impl RawFrame<'_> {
    /// The type of a local and what is in it, parameters first; [`None`] beyond the last, in a frame that is not set
    /// up, and in production code.
    pub fn local(&self, index: usize) -> Option<(ValType, ValRaw)> {
        if let Some(shown) = self.virtual_frame {
            return shown.local(index);
        }
        let func = self.module.info().defined(self.func).filter(|_| self.set_up)?;
        let slot = self.store.registry.get(self.slot)?.engine.tables().declared_locals_of(func).get(index)?;
        // SAFETY: the frame is live and set up, the slot is of its code's tables, and debug code keeps it written
        // wherever the guest is left; other code has no such slots.
        Some((slot.ty, ValRaw::from_words(unsafe { read_slot(self.fp, slot) })))
    }
}

impl<'a> RawFrame<'a> {
    /// Its locals and operands, where they are known: not in production code, and not where it has trapped between
    /// points and nobody has found out with what.
    pub(in crate::runtime) fn state(&self) -> Option<FrameState<'a>> {
        let (store, tables) = (self.store, self.store.registry.get(self.slot)?.engine.tables());
        if tables.tier == Tier::Production || !self.set_up {
            return None;
        }
        if let Some(shown) = self.virtual_frame {
            return Some(FrameState { store, values: FrameValues::Shown(shown) });
        }
        let operands = tables.points.find(self.wasm.get())?.row().shape;
        let locals = tables.declared_locals_of(self.module.info().defined(self.func)?);
        Some(FrameState { store, values: FrameValues::Slots { fp: self.fp, tables, locals, operands } })
    }
}

/// Where a walk begins: at the frame by which the guest was left.
#[derive(Clone, Copy)]
struct From {
    activation: *const Activation,
    pc: usize,
    fp: usize,
}

impl From {
    /// Where the guest has been left now.
    fn now(store: &StoreInner) -> From {
        From { activation: store.vm.activation, pc: store.vm.exit_pc, fp: store.vm.exit_fp }
    }

    /// Where it was left when the event came. What runs within that, in the same store, is not in the way.
    fn event(event: &EventRecord) -> From {
        From { activation: event.activation, pc: event.pc, fp: event.fp }
    }
}

/// A frame as an event found it: it stays where it is for as long as the event is told, and can be read as long, by
/// [`StoreRef::state_of`].
#[derive(Clone, Copy, Debug)]
pub struct KeptFrame {
    event: EventId,
    /// The event that says where the frame really is, if one does.
    shown_by: Option<EventId>,
    func: FuncIndex,
    slot: CodeSlot,
    wasm: WasmOffset,
    fp: usize,
    /// Its operands, where the event knows them: else they are looked up when they are read.
    shape: Option<ShapeId>,
    instance: Option<Instance>,
    production: bool,
    in_call: bool,
    called_through_host: bool,
}

impl KeptFrame {
    /// The function, imports counted.
    #[inline]
    pub fn func(&self) -> FuncIndex {
        self.func
    }

    /// The slot of its code.
    #[inline]
    pub fn slot(&self) -> CodeSlot {
        self.slot
    }

    /// As [`RawFrame::wasm`].
    #[inline]
    pub fn wasm(&self) -> WasmOffset {
        self.wasm
    }

    /// As [`RawFrame::instance`].
    pub fn instance(&self) -> Option<Instance> {
        self.instance
    }

    /// The frame pointer.
    pub(in crate::runtime) fn fp(&self) -> usize {
        self.fp
    }

    /// The event that has shown it.
    pub(in crate::runtime) fn event(&self) -> EventId {
        self.event
    }

    /// As [`RawFrame::is_production`].
    pub fn is_production(&self) -> bool {
        self.production
    }

    /// Whether it waits for what its instruction calls.
    pub fn is_in_call(&self) -> bool {
        self.in_call
    }

    /// Whether the host was called from this frame and called the next inner one: host frames stand between.
    pub fn called_through_host(&self) -> bool {
        self.called_through_host
    }
}

/// The locals and operands of a frame.
#[derive(Clone, Copy)]
pub struct FrameState<'a> {
    store: &'a StoreInner,
    values: FrameValues<'a>,
}

/// Where they are.
#[derive(Clone, Copy)]
enum FrameValues<'a> {
    /// In what an event says.
    Shown(&'a VirtualFrame),
    /// In its slots: the frame is live for `'a`, and the tables are its code's.
    Slots { fp: usize, tables: &'a ImageTables, locals: Locals<'a>, operands: ShapeId },
}

impl FrameState<'_> {
    /// How many locals the function has, parameters counted.
    pub fn local_count(&self) -> usize {
        match self.values {
            FrameValues::Shown(frame) => frame.locals().len(),
            FrameValues::Slots { locals, .. } => locals.len(),
        }
    }

    /// A local, parameters first.
    pub fn local(&self, index: usize) -> Option<Val> {
        match self.values {
            FrameValues::Shown(frame) => frame.local(index).map(|(ty, raw)| self.val(ty, raw)),
            FrameValues::Slots { locals, .. } => locals.get(index).map(|slot| self.read(slot)),
        }
    }

    /// All locals, parameters first.
    pub fn locals(&self) -> Vec<Val> {
        let mut vals = vec![Val::I32(0); self.local_count()];
        let mut to = vals.iter_mut();
        match self.values {
            FrameValues::Shown(frame) => match frame.narrow_locals() {
                Some((types, words)) => {
                    to.zip(types.iter().zip(words)).for_each(|(to, (ty, word))| self.put(to, *ty, [*word, 0]));
                }
                None => to.zip(frame.locals()).for_each(|(to, (ty, raw))| *to = self.val(ty, raw)),
            },
            FrameValues::Slots { locals, fp, .. } => match locals.narrow() {
                Some((types, at)) => {
                    let first = fp.wrapping_add_signed(at as isize) as *const u64;
                    for (index, ty) in types.iter().enumerate() {
                        let Some(to) = to.next() else { break };
                        // SAFETY: as in `read`; each is a word, and they stand one behind the other.
                        self.put(to, *ty, [unsafe { first.add(index).read_unaligned() }, 0]);
                    }
                }
                None => to.zip(locals.iter()).for_each(|(to, slot)| self.put(to, slot.ty, self.words(slot))),
            },
        }
        vals
    }

    /// How many operands are on the frame's stack. In a caller, the call's arguments are still counted.
    pub fn operand_count(&self) -> usize {
        match self.values {
            FrameValues::Shown(frame) => frame.operands().count(),
            FrameValues::Slots { tables, operands, .. } => tables.operands(operands).count(),
        }
    }

    /// All operands, bottom first.
    pub fn operands(&self) -> Vec<Val> {
        // They are found top first. Counting them is cheaper than turning them round, or than room that grows.
        match self.values {
            FrameValues::Shown(frame) => {
                let (count, operands) = frame.counted_operands();
                backwards(count, operands, |to, (ty, raw)| self.put(to, ty, raw.words()))
            }
            FrameValues::Slots { tables, operands, .. } => {
                let slots = || tables.operands(operands);
                backwards(slots().count(), slots(), |to, slot| self.put(to, slot.ty, self.words(slot)))
            }
        }
    }

    fn read(&self, slot: Slot) -> Val {
        self.val(slot.ty, ValRaw::from_words(self.words(slot)))
    }

    /// What is in a slot.
    #[inline(always)]
    fn words(&self, slot: Slot) -> [u64; 2] {
        let FrameValues::Slots { fp, .. } = self.values else { unreachable!("slots are those of a frame") };
        // SAFETY: the frame is live, it belongs to debug code whose tables place the slot inside it, and debug code
        // keeps the slot written at every place a frame is read at.
        unsafe { read_slot(fp, slot) }
    }

    /// Writes a value where it is to be. Numbers are written by their own width, once: made elsewhere and copied, they
    /// would be read again before they are all there, which processors wait for.
    #[inline(always)]
    fn put(&self, to: &mut Val, ty: ValType, words: [u64; 2]) {
        match ty {
            ValType::I32 => *to = Val::I32(words[0] as i32),
            ValType::I64 => *to = Val::I64(words[0] as i64),
            ValType::F32 => *to = Val::F32(words[0] as u32),
            ValType::F64 => *to = Val::F64(words[0]),
            ValType::V128 | ValType::Ref(_) => self.put_other(to, ty, words),
        }
    }

    #[inline(never)]
    fn put_other(&self, to: &mut Val, ty: ValType, words: [u64; 2]) {
        *to = self.val(ty, ValRaw::from_words(words));
    }

    #[inline]
    fn val(&self, ty: ValType, raw: ValRaw) -> Val {
        // SAFETY: the value is of that type, and of the frame's store.
        unsafe { Val::from_raw_in(self.store.giving(), raw, ty) }
    }
}

/// So many values, which come last first, each written by `put`.
#[inline(always)]
fn backwards<T>(count: usize, last_first: impl Iterator<Item = T>, put: impl Fn(&mut Val, T)) -> Vec<Val> {
    let mut vals = vec![Val::I32(0); count];
    vals.iter_mut().rev().zip(last_first).for_each(|(to, from)| put(to, from));
    vals
}

/// The operand stack before an instruction of this code.
pub(super) fn shape_at(tables: &ImageTables, wasm: WasmOffset) -> ShapeId {
    tables.points.find(wasm.get()).map_or(ShapeId::EMPTY, |point| point.row().shape)
}

/// Which frames are visited.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visited {
    /// Not those that a listener has said are to be left.
    Going,
    /// All.
    All,
}

/// Visits the live frames of a store, innermost first. The guest must have left its innermost frame by a call, a trap
/// or a stop, which is so whenever the host runs. Those are passed by that are to be left for one further out, as an
/// event says.
pub(in crate::runtime) fn walk<'a>(store: &'a StoreInner, visit: impl FnMut(&RawFrame<'a>) -> ControlFlow<()>) {
    // SAFETY: what the store says now is live.
    unsafe { walk_from(store, From::now(store), Visited::Going, visit) }
}

/// The same, with those that are to be left, as they stand: until that is done they may go on after all.
pub(in crate::runtime) fn walk_all<'a>(store: &'a StoreInner, visit: impl FnMut(&RawFrame<'a>) -> ControlFlow<()>) {
    // SAFETY: as above.
    unsafe { walk_from(store, From::now(store), Visited::All, visit) }
}

/// The same, and those of calls whose stacks were left.
pub(in crate::runtime) fn walk_waiting<'a>(
    store: &'a StoreInner,
    mut visit: impl FnMut(&RawFrame<'a>) -> ControlFlow<()>,
) {
    walk_all(store, &mut visit);
    for call in store.waiting_calls() {
        let Some(LeftAt { pc, fp, .. }) = call.waits_at() else { continue };
        // SAFETY: it has been left there.
        unsafe { walk_from(store, From { activation: &raw const call.activation, pc, fp }, Visited::All, &mut visit) };
    }
}

/// The same, from where the guest had been left at some time before.
///
/// # Safety
/// The guest has not gone on from there.
unsafe fn walk_from<'a>(
    store: &'a StoreInner,
    from: From,
    visited: Visited,
    mut visit: impl FnMut(&RawFrame<'a>) -> ControlFlow<()>,
) {
    let From { activation: mut act, mut pc, mut fp } = from;
    let mut innermost = true;
    while !act.is_null() {
        let mut boundary = !innermost;
        let event = event_at(store, pc, fp);
        let mut kind = event.map_or(PcKind::Return, |event| event.kind);
        let mut set_up = event.is_none_or(|event| event.set_up);
        let mut shown = event.and_then(|event| event.shown.as_deref());
        let outer = shown.map(|shown| shown.fp).filter(|outer| *outer != fp);
        if let (Some(_), Visited::All) = (outer, visited) {
            shown = None;
        }
        // SAFETY: frames of guest code are chained by frame pointers down to the trampoline of the activation, whose
        // return address is in no guest code.
        unsafe {
            let mut cut = false;
            while let Some(mut frame) = frame_at(store, (pc, fp, kind), innermost, boundary) {
                if let (Some(outer), Visited::Going, false) = (outer, visited, cut) {
                    if fp != outer {
                        (kind, set_up) = (PcKind::Return, true);
                        (pc, fp) = isa::caller_of(fp);
                        continue;
                    }
                    // It waits for nobody any more.
                    frame.after_call = false;
                    cut = true;
                }
                (frame.set_up, frame.activation) = (set_up, act);
                if let Some(shown) = shown.take() {
                    frame.wasm = shown.wasm();
                    frame.virtual_frame = Some(shown);
                } else if frame.after_call {
                    frame.virtual_frame = store.changed_caller(fp).map(|changed| &*changed.frame);
                }
                if visit(&frame).is_break() {
                    return;
                }
                (innermost, boundary, kind, set_up) = (false, false, PcKind::Return, true);
                (pc, fp) = isa::caller_of(fp);
            }
            (pc, fp) = ((*act).saved_exit_pc, (*act).saved_exit_fp);
            act = (*act).previous;
            while !act.is_null() && !std::ptr::eq((*act).store, &raw const store.vm) {
                act = (*act).previous;
            }
        }
    }
}

/// The event at which an activation was left, if there is one with this frame.
fn event_at(store: &StoreInner, pc: usize, fp: usize) -> Option<&EventRecord> {
    store.events().find(|event| event.pc == pc && event.fp == fp)
}

/// An event, if it is being told.
fn told(store: &StoreInner, id: EventId) -> Option<&EventRecord> {
    store.events().find(|event| event.id == id)
}

/// The frame, if the program counter is in guest code.
fn frame_at(
    store: &StoreInner,
    (pc, fp, kind): (usize, usize, PcKind),
    innermost: bool,
    host_boundary_before: bool,
) -> Option<RawFrame<'_>> {
    // A call may be the last instruction of a text.
    let back = usize::from(kind != PcKind::Exact);
    let (slot, inside) = store.registry.lookup(Pc::new(pc.checked_sub(back)?))?;
    let tables = store.registry.get(slot)?.engine.tables();
    let module = &store.modules.of_slot(slot).module;
    let func = module.info().func_index(tables.function_at(inside)?);
    let at = inside.add(back as u32);
    let stopped_at = match kind {
        PcKind::Stop(wasm) => Some(wasm),
        _ => tables.wasm_at(inside),
    };
    Some(RawFrame {
        module,
        func,
        slot,
        at,
        wasm: stopped_at.unwrap_or_else(|| module.body_start(func)),
        virtual_frame: None,
        fp,
        innermost,
        after_call: kind == PcKind::Return,
        host_boundary_before,
        set_up: true,
        activation: null(),
        store,
    })
}

impl<'a> StoreRef<'a> {
    /// Calls `visit` with the live Wasm frames, innermost first, over all nested runs of this store, until it breaks.
    /// Inside a stop or trap event the first is the frame that was stopped.
    pub fn walk_frames(self, visit: impl FnMut(&RawFrame<'a>) -> ControlFlow<()>) {
        frames::walk(self.inner(), visit);
    }

    /// The name of the event that is being told.
    #[inline]
    pub fn event(self) -> Option<EventId> {
        self.inner().newest_event().map(|event| event.id)
    }

    /// The innermost frames of an event, at most so many of them, whatever runs within it; none if it is told no more.
    /// The frame of a function that did not fit on the stack is not among them: nothing of it could be shown but the
    /// call in its caller.
    pub fn keep_frames(self, event: EventId, limit: usize) -> Vec<KeptFrame> {
        let mut kept = Vec::new();
        let Some(record) = told(self.inner(), event) else { return kept };
        let mut through_host = false;
        let visit = |frame: &RawFrame<'_>| {
            through_host |= frame.host_boundary_before;
            if frame.set_up {
                kept.push(KeptFrame {
                    event,
                    shown_by: frame.virtual_frame.map(|frame| frame.event),
                    func: frame.func,
                    slot: frame.slot,
                    wasm: frame.wasm,
                    fp: frame.fp,
                    shape: None,
                    instance: frame.instance(),
                    production: frame.is_production(),
                    in_call: frame.after_call,
                    called_through_host: std::mem::take(&mut through_host),
                });
            }
            if kept.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        // SAFETY: while the event is told the guest does not go on from there.
        unsafe { walk_from(self.inner(), From::event(record), Visited::Going, visit) };
        kept
    }

    /// The innermost frame of an event, as of [`StoreRef::keep_frames`]. Of a stop nothing is looked up.
    #[inline]
    pub fn keep_top(self, event: EventId) -> Option<KeptFrame> {
        let store = self.inner();
        let record = told(store, event)?;
        // SAFETY: the stop stands as long as its record.
        let stop = unsafe { record.stop.as_ref() };
        // Within a stop, a trap may be told of the same frame: what it says of the frame is what is shown.
        let Some(stop) = stop.filter(|_| event_at(store, record.pc, record.fp).is_some_and(|at| at.id == event)) else {
            return self.walk_to_top(event);
        };
        let shown = record.shown.as_deref();
        if shown.is_some_and(|shown| shown.fp != stop.fp) {
            return self.walk_to_top(event);
        }
        let place = store.registry.entry(stop.slot).engine.tables().function(stop.func)?.vmctx;
        let Some(Place::Frame(offset)) = place else { return self.walk_to_top(event) };
        Some(KeptFrame {
            event,
            shown_by: shown.map(|shown| shown.event),
            func: store.modules.of_slot(stop.slot).module.info().func_index(stop.func),
            slot: stop.slot,
            wasm: shown.map_or(stop.wasm, VirtualFrame::wasm),
            fp: stop.fp,
            shape: shown.is_none().then_some(stop.shape),
            // SAFETY: a frame at a stop is set up, and is of debug code, which keeps its vmctx there.
            instance: unsafe { instance_in(store.id, stop.fp, offset) },
            production: false,
            in_call: false,
            called_through_host: false,
        })
    }

    #[cold]
    #[inline(never)]
    fn walk_to_top(self, event: EventId) -> Option<KeptFrame> {
        self.keep_frames(event, 1).pop()
    }

    /// What a frame is known by: see [`FunctionEntry::frame_id`](crate::image::FunctionEntry::frame_id). The code in
    /// this slot runs this function in it.
    #[inline]
    pub fn frame_id(self, slot: CodeSlot, func: DefinedFuncIndex, fp: usize) -> usize {
        let code = self.inner().registry.get(slot);
        let id = code.and_then(|code| code.engine.tables().function(func)).map_or(fp, |function| function.frame_id(fp));
        // That of a frame further in is lower.
        let depth = if self.inner().calls.len() == 0 { 0 } else { self.inner().depth_of(fp) };
        id | ((MOST_DEPTH - depth.min(MOST_DEPTH)) << DEPTH_SHIFT)
    }

    /// The same, of a kept frame.
    pub fn id_of(self, frame: &KeptFrame) -> usize {
        let func = self.inner().modules.of_slot(frame.slot).module.info().defined(frame.func);
        func.map_or(frame.fp, |func| self.frame_id(frame.slot, func, frame.fp))
    }

    /// The locals and operands of a frame; [`None`] when the event that has found it is over, and in production code.
    #[inline]
    pub fn state_of(self, frame: &KeptFrame) -> Option<FrameState<'a>> {
        let store = self.inner();
        told(store, frame.event).filter(|_| !frame.production)?;
        if let Some(shown) = frame.shown_by.and_then(|event| told(store, event)?.shown.as_deref()) {
            return Some(FrameState { store, values: FrameValues::Shown(shown) });
        }
        if let Some(changed) = store.changed_caller(frame.fp) {
            return Some(FrameState { store, values: FrameValues::Shown(&changed.frame) });
        }
        let tables = store.registry.entry(frame.slot).engine.tables();
        let func = store.modules.of_slot(frame.slot).module.info().defined(frame.func);
        let locals = func.map_or(Locals::default(), |func| tables.declared_locals_of(func));
        let operands = frame.shape.unwrap_or_else(|| shape_at(tables, frame.wasm));
        let values = FrameValues::Slots { fp: frame.fp, tables, locals, operands };
        Some(FrameState { store, values })
    }
}

/// Above the bits of an address, what a frame is known by says on how many stacks frames further out are.
const DEPTH_SHIFT: u32 = usize::BITS - 16;

/// The most of them that are told apart.
const MOST_DEPTH: usize = (1 << 15) - 1;

impl StoreInner {
    /// On how many stacks those stand that the frame at this frame pointer was called from, as that was where its call
    /// began: a call keeps it wherever it is gone on with.
    #[cold]
    #[inline(never)]
    fn depth_of(&self, fp: usize) -> usize {
        // SAFETY: the store owns its calls.
        let mut calls = self.calls.all().map(|call| unsafe { call.as_ref() });
        if let Some(call) = calls.find(|call| call.stack.contains(&fp)) {
            return call.depth;
        }
        let mut found = false;
        for entry in self.entries() {
            // SAFETY: the call that a live entry is of is live.
            match unsafe { entry.call.cast::<CallState>().as_ref() } {
                Some(call) if found => return call.depth + 1,
                Some(_) => {}
                None => found = found || fp <= entry.entry_sp,
            }
        }
        0
    }
}
