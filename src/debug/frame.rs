//! A live Wasm frame as it is shown: every local and every operand, read where the image's tables say they are, or from what rerun
//! has come to.

use super::slot::read_slot;
use super::virtual_position::VirtualPosition;
use crate::base::{FuncIndex, LocalIndex, ValType, WasmOffset};
use crate::code::CodeSlot;
use crate::image::{ImageTables, Locals, Slot};
use crate::runtime::{Instance, Module, RawFrame, StoreRef, Val, ValRaw, VirtualFrame};
use crate::wasm::Location;

/// What a stop remembers of a frame: it stays where it is for as long as the guest stands.
#[derive(Clone, Copy)]
pub(super) struct FrameRecord {
    func: FuncIndex,
    slot: CodeSlot,
    wasm: WasmOffset,
    fp: usize,
    called_through_host: bool,
    instance: Option<Instance>,
    virtual_frame: Option<VirtualFrame>,
}

impl FrameRecord {
    pub(super) fn new(frame: &RawFrame<'_>, called_through_host: bool) -> Self {
        FrameRecord {
            func: frame.func,
            slot: frame.slot,
            wasm: frame.wasm,
            fp: frame.fp,
            called_through_host,
            instance: frame.instance(),
            virtual_frame: frame.virtual_frame,
        }
    }
}

/// A frame of a stop. It borrows the stop, so it cannot outlive it.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    store: StoreRef<'a>,
    raw: &'a FrameRecord,
}

impl<'a> Frame<'a> {
    pub(super) fn new(store: StoreRef<'a>, raw: &'a FrameRecord) -> Self {
        Frame { store, raw }
    }

    /// The instance whose function this is.
    ///
    /// # Panics
    /// Never: all frames of a store with a debugger run debug code, which keeps its instance in the frame.
    pub fn instance(&self) -> Instance {
        self.raw.instance.expect("debug code keeps its instance")
    }

    /// Its module.
    ///
    /// # Panics
    /// Never: code that runs is registered.
    pub fn module(&self) -> &'a Module {
        self.store.module_in(self.raw.slot).expect("code that runs is registered")
    }

    /// The function, imports counted.
    pub fn func(&self) -> FuncIndex {
        self.raw.func
    }

    /// The function's name, if the module knows one.
    pub fn func_name(&self) -> Option<&'a str> {
        self.module().info().func_name(self.raw.func)
    }

    /// The instruction about to run; in a caller, the call that is under way; after a trap, the one that trapped.
    pub fn offset(&self) -> WasmOffset {
        self.raw.wasm
    }

    /// Where in the source that is, if the module has DWARF: see [`Module::locations`].
    pub fn locations(&self) -> Vec<Location<'a>> {
        self.module().locations(self.raw.wasm)
    }

    /// Whether the host was called from this frame and called the next inner one: host frames stand between.
    pub fn called_through_host(&self) -> bool {
        self.raw.called_through_host
    }

    /// The frame pointer: the same for one activation at every stop.
    pub fn frame_pointer(&self) -> usize {
        self.raw.fp
    }

    /// How many locals the function has, parameters counted.
    pub fn local_count(&self) -> usize {
        self.local_slots().len()
    }

    /// A local, parameters first.
    pub fn local(&self, index: usize) -> Option<Val> {
        match self.inside() {
            Some(inside) => inside.local(index).map(|(ty, raw)| self.val(ty, raw)),
            None => self.local_slots().get(index).map(|slot| self.read(slot)),
        }
    }

    /// All locals, parameters first.
    pub fn locals(&self) -> Vec<Val> {
        match self.inside() {
            Some(inside) => inside.locals().map(|(ty, raw)| self.val(ty, raw)).collect(),
            None => self.local_slots().iter().map(|slot| self.read(slot)).collect(),
        }
    }

    /// A local's name, if the module's name section has one.
    pub fn local_name(&self, index: LocalIndex) -> Option<&'a str> {
        self.module().info().names.locals.get(&self.raw.func)?.get(&index).map(String::as_str)
    }

    /// How many operands are on the frame's stack. In a caller, the call's arguments are still counted.
    pub fn operand_count(&self) -> usize {
        match self.inside() {
            Some(inside) => inside.operands().count(),
            None => self.operand_slots().count(),
        }
    }

    /// All operands, bottom first.
    pub fn operands(&self) -> Vec<Val> {
        let mut operands: Vec<Val> = match self.inside() {
            Some(inside) => inside.operands().map(|(ty, raw)| self.val(ty, raw)).collect(),
            None => self.operand_slots().map(|slot| self.read(slot)).collect(),
        };
        operands.reverse();
        operands
    }

    /// Its state, if it stands inside a region.
    fn inside(&self) -> Option<&'a VirtualPosition> {
        // SAFETY: the frame borrows the stop whose event said so; the event keeps what it points to, unmoved and unchanged, until the
        // callback has returned. So do outer events, which last longer.
        self.raw.virtual_frame.map(|shown| unsafe { &*shown.about.cast::<VirtualPosition>() })
    }

    fn tables(&self) -> &'a ImageTables {
        self.store.registry().entry(self.raw.slot).engine.tables()
    }

    fn local_slots(&self) -> Locals<'a> {
        match self.module().info().defined(self.raw.func) {
            Some(func) => self.tables().locals_of(func),
            None => Locals::default(),
        }
    }

    /// The operands' slots, top first.
    fn operand_slots(&self) -> impl Iterator<Item = Slot> + 'a {
        let tables = self.tables();
        let shape = tables.points.find(self.raw.wasm.get()).map(|point| point.row().shape);
        shape.into_iter().flat_map(|shape| tables.operands(shape))
    }

    fn read(&self, slot: Slot) -> Val {
        // SAFETY: the frame is live for as long as the stop it borrows, it belongs to debug code whose tables place the slot inside
        // it, and debug code keeps the slot written at every place a frame is read at.
        self.val(slot.ty, ValRaw::from_words(unsafe { read_slot(self.raw.fp, slot) }))
    }

    fn val(&self, ty: ValType, raw: ValRaw) -> Val {
        // SAFETY: the value is of this type.
        unsafe { Val::from_raw(self.store, raw, ty) }
    }
}
