//! A live Wasm frame as it is shown: every local and every operand, read where the image's tables say they are.

use crate::base::{FuncIndex, LocalIndex, WasmOffset};
use crate::code::CodeSlot;
use crate::image::{ImageTables, Place, Slot, SlotKind};
use crate::runtime::{Instance, Module, RawFrame, StoreRef, Val, ValRaw};
use crate::wasm::ValType;

/// What a stop remembers of a frame: it stays where it is for as long as the guest stands.
#[derive(Clone, Copy)]
pub(super) struct FrameRecord {
    func: FuncIndex,
    slot: CodeSlot,
    wasm: WasmOffset,
    fp: usize,
    called_through_host: bool,
    instance: Option<Instance>,
}

impl FrameRecord {
    pub(super) fn new(frame: &RawFrame<'_>) -> Self {
        FrameRecord {
            func: frame.func,
            slot: frame.slot,
            wasm: frame.wasm,
            fp: frame.fp,
            called_through_host: frame.host_boundary_before,
            instance: frame.instance(),
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
        self.local_slots().get(index).map(|slot| self.read(*slot))
    }

    /// All locals, parameters first.
    pub fn locals(&self) -> Vec<Val> {
        self.local_slots().iter().map(|slot| self.read(*slot)).collect()
    }

    /// A local's name, if the module's name section has one.
    pub fn local_name(&self, index: LocalIndex) -> Option<&'a str> {
        self.module().info().names.locals.get(&self.raw.func)?.get(&index).map(String::as_str)
    }

    /// How many operands are on the frame's stack. In a caller, the call's arguments are still counted.
    pub fn operand_count(&self) -> usize {
        self.operand_slots().count()
    }

    /// All operands, bottom first.
    pub fn operands(&self) -> Vec<Val> {
        let mut operands: Vec<Val> = self.operand_slots().map(|slot| self.read(slot)).collect();
        operands.reverse();
        operands
    }

    fn tables(&self) -> &'a ImageTables {
        self.store.registry().entry(self.raw.slot).engine.tables()
    }

    fn local_slots(&self) -> &'a [Slot] {
        match self.module().info().defined(self.raw.func) {
            Some(func) => self.tables().locals_of(func),
            None => &[],
        }
    }

    /// The operands' slots, top first.
    fn operand_slots(&self) -> impl Iterator<Item = Slot> + 'a {
        let tables = self.tables();
        let shape = tables.points.find(self.raw.wasm.get()).map(|point| point.row().shape);
        shape.into_iter().flat_map(|shape| tables.operands(shape))
    }

    fn read(&self, slot: Slot) -> Val {
        let mut raw = ValRaw::default();
        match slot.place {
            Place::Frame(offset) => {
                let at = self.raw.fp.wrapping_add_signed(offset as isize) as *const u8;
                // SAFETY: the frame is live for as long as the stop it borrows, it belongs to debug code whose tables place
                // the slot inside it, and debug code keeps the slot written at every place a frame can be seen at.
                unsafe {
                    std::ptr::copy_nonoverlapping(at, (&raw mut raw).cast::<u8>(), slot.kind.width() as usize);
                }
            }
            // Of a narrow type, the lower half counts.
            Place::Constant(value) => raw.i64 = i64::from(value),
        }
        // SAFETY: the slot's kind is the value's type.
        unsafe { Val::from_raw(self.store, raw, val_type(slot.kind)) }
    }
}

fn val_type(kind: SlotKind) -> ValType {
    match kind {
        SlotKind::I32 => ValType::I32,
        SlotKind::I64 => ValType::I64,
        SlotKind::F32 => ValType::F32,
        SlotKind::F64 => ValType::F64,
        SlotKind::V128 => ValType::V128,
        SlotKind::FuncRef => ValType::FuncRef,
        SlotKind::ExternRef => ValType::ExternRef,
    }
}
