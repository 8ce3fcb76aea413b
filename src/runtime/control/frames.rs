//! Walking the Wasm frames of a store by their frame pointers, over all its nested runs on this thread.

use crate::abi::{Activation, VMContext};
use crate::base::{FuncIndex, Pc, TextOffset, WasmOffset};
use crate::code::CodeSlot;
use crate::image::Place;
use crate::isa;
use crate::runtime::compiled::module::Module;
use crate::runtime::control::frames;
use crate::runtime::objects::handles::Instance;
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::store::events::{EventRecord, PcKind, VirtualFrame};
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::StoreRef;
use std::ops::ControlFlow;
use std::ptr::NonNull;

/// A live Wasm frame.
#[derive(Clone, Copy)]
pub struct RawFrame<'a> {
    /// The module.
    pub module: &'a Module,
    /// The function, imports counted.
    pub func: FuncIndex,
    /// The slot of the code that runs.
    pub slot: CodeSlot,
    /// Where in that code: the address that would be returned to, the byte behind the stop site, or the instruction that
    /// faulted.
    pub at: TextOffset,
    /// The Wasm instruction: about to run at a stop, else the one that trapped or the call the frame is in.
    pub wasm: WasmOffset,
    /// Whether the frame is that of an event, and really elsewhere: `wasm` says so already.
    pub virtual_frame: Option<VirtualFrame>,
    /// The frame pointer.
    pub fp: usize,
    /// Whether no Wasm frame of this store is further in.
    pub innermost: bool,
    /// Whether `at` is a return address of a call that has not returned.
    pub after_call: bool,
    /// Whether frames of the host stand between this and the Wasm frame visited before.
    pub host_boundary_before: bool,
    /// Whether it has all that its code's tables say of it. Not so the frame of a function that did not fit on the stack: it has
    /// not come farther than its prologue, and nothing in it may be read.
    pub set_up: bool,
    store: &'a StoreInner,
}

impl std::fmt::Debug for RawFrame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawFrame").field("func", &self.func).field("wasm", &self.wasm).finish_non_exhaustive()
    }
}

impl RawFrame<'_> {
    /// The instance: read from the frame in debug code; in production code, which does not keep it there, and of a frame that is not set
    /// up, known only where the store has one instance of the module.
    pub fn instance(&self) -> Option<Instance> {
        let func = self.module.info().defined(self.func)?;
        let tables = self.store.registry.get(self.slot)?.engine.tables();
        if let (Some(Place::Frame(offset)), true) = (tables.function(func)?.vmctx, self.set_up) {
            // SAFETY: debug code keeps its vmctx in its frame, and this one is set up.
            let data = unsafe {
                let vmctx = *(self.fp.wrapping_add_signed(offset as isize) as *const *const VMContext);
                (*vmctx).instance.cast::<InstanceData>()
            };
            return Some(Instance::from_parts(self.store.id, NonNull::new(data)?));
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

/// Where a walk begins: at the frame by which the guest was left when this was taken. What runs within that, in the same store, is not
/// in its way: an event that keeps it finds its own frames again, whenever it is asked for them.
#[derive(Clone, Copy, Debug)]
pub struct FramesFrom {
    activation: *const Activation,
    pc: usize,
    fp: usize,
}

impl FramesFrom {
    /// Where the guest has been left now.
    pub(in crate::runtime) fn here(store: &StoreInner) -> FramesFrom {
        FramesFrom { activation: store.vm.activation, pc: store.vm.exit_pc, fp: store.vm.exit_fp }
    }
}

/// Visits the live frames of a store, innermost first. The guest must have left its innermost frame by a call, a trap or a
/// stop, which is so whenever the host runs.
pub(in crate::runtime) fn walk<'a>(store: &'a StoreInner, visit: impl FnMut(&RawFrame<'a>) -> ControlFlow<()>) {
    // SAFETY: what the store says now is live.
    unsafe { walk_from(store, FramesFrom::here(store), visit) }
}

/// The same, from where the guest had been left at some time before.
///
/// # Safety
/// The guest has not gone on from there.
unsafe fn walk_from<'a>(
    store: &'a StoreInner,
    from: FramesFrom,
    mut visit: impl FnMut(&RawFrame<'a>) -> ControlFlow<()>,
) {
    let FramesFrom { activation: mut act, mut pc, mut fp } = from;
    let mut innermost = true;
    while !act.is_null() {
        let mut boundary = !innermost;
        let event = event_at(store, pc, fp);
        let mut kind = event.map_or(PcKind::Return, |event| event.kind);
        let mut set_up = event.is_none_or(|event| event.set_up);
        let mut shown = event.and_then(|event| event.shown);
        // SAFETY: frames of guest code are chained by frame pointers down to the trampoline of the activation, whose
        // return address is in no guest code.
        unsafe {
            while let Some(mut frame) = frame_at(store, (pc, fp, kind), innermost, boundary) {
                frame.set_up = set_up;
                if let Some(shown) = shown.take() {
                    frame.wasm = shown.wasm;
                    frame.virtual_frame = Some(shown);
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
    let mut event = store.events.cast_const();
    while !event.is_null() {
        // SAFETY: records are linked while they are live.
        let record = unsafe { &*event };
        if record.pc == pc && record.fp == fp {
            return Some(record);
        }
        event = record.previous;
    }
    None
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
        store,
    })
}

impl<'a> StoreRef<'a> {
    /// Calls `visit` with the live Wasm frames, innermost first, over all nested runs of this store, until it breaks.
    /// Inside a stop or trap event the first is the frame that was stopped.
    pub fn walk_frames(self, visit: impl FnMut(&RawFrame<'a>) -> ControlFlow<()>) {
        frames::walk(self.inner(), visit);
    }

    /// Where a walk over the frames begins now.
    pub fn frames_from(self) -> FramesFrom {
        FramesFrom::here(self.inner())
    }

    /// As [`StoreRef::walk_frames`], from where the guest had been left before: the frames within that one are passed over.
    ///
    /// # Safety
    /// `from` is of this store, and the guest has not gone on from there.
    pub unsafe fn walk_frames_from(self, from: FramesFrom, visit: impl FnMut(&RawFrame<'a>) -> ControlFlow<()>) {
        // SAFETY: handed on to the caller.
        unsafe { frames::walk_from(self.inner(), from, visit) }
    }
}
