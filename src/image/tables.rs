//! The tables of an image, all sorted, all looked up by binary search.

use crate::abi::TrapCode;
use crate::base::{DefinedFuncIndex, TextOffset, WasmOffset};

/// Which of a module's two images this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Tier {
    /// Plain optimised code.
    Production = 0,
    /// The same functions with stop points and complete frames.
    Debug = 1,
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SlotKind {
    /// `i32`
    I32 = 0,
    /// `i64`
    I64 = 1,
    /// `f32`
    F32 = 2,
    /// `f64`
    F64 = 3,
    /// `v128`
    V128 = 4,
    /// `funcref`: a `VMFuncRef` pointer. Its target lives as long as its store: no root.
    FuncRef = 5,
    /// `externref`: see `abi`.
    ExternRef = 6,
}

impl SlotKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [SlotKind; 7] = [
        SlotKind::I32,
        SlotKind::I64,
        SlotKind::F32,
        SlotKind::F64,
        SlotKind::V128,
        SlotKind::FuncRef,
        SlotKind::ExternRef,
    ];

    /// The kind with this number.
    pub fn from_u8(raw: u8) -> Option<SlotKind> {
        Self::ALL.get(usize::from(raw)).copied()
    }

    /// Bytes of the value.
    pub const fn width(self) -> u32 {
        match self {
            SlotKind::I32 | SlotKind::F32 => 4,
            SlotKind::I64 | SlotKind::F64 | SlotKind::FuncRef | SlotKind::ExternRef => 8,
            SlotKind::V128 => 16,
        }
    }

    /// Whether the slot keeps a value of the host or of a collector alive.
    pub const fn is_root(self) -> bool {
        matches!(self, SlotKind::ExternRef)
    }
}

/// Where a value is while its function is stopped. Described, not assumed: more ways are to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the function's frame, this many bytes from its frame pointer (negative: below).
    Frame(i32),
}

/// A value that can be shown: what it is and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Its type.
    pub kind: SlotKind,
    /// Where it is.
    pub place: Place,
}

/// Declares an id of a table's row.
macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);
    };
}

row_id!(
    /// A row of [`ImageTables::sites`].
    SiteId
);
row_id!(
    /// A row of [`ImageTables::points`].
    PointId
);
row_id!(
    /// An operand stack's shape: a row of [`ImageTables::shapes`], or [`ShapeId::EMPTY`].
    ShapeId
);

impl ShapeId {
    /// The empty operand stack.
    pub const EMPTY: ShapeId = ShapeId(u32::MAX);
}

/// An operand stack's shape: the value on top, on what is below it. Stacks that share a bottom share its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// What is below. Always an earlier row, or [`ShapeId::EMPTY`].
    pub below: ShapeId,
    /// The value on top.
    pub top: Slot,
}

/// A function defined in the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionEntry {
    /// Its first byte; also its entry.
    pub start: TextOffset,
    /// Its bytes.
    pub len: u32,
    /// Bytes of stack one activation takes, return address included, outgoing arguments included.
    pub frame_size: u32,
    /// Debug: its locals, parameters first, as a range of [`ImageTables::locals`].
    pub locals: (u32, u32),
    /// Debug: its points as a range of [`ImageTables::points`].
    pub points: (u32, u32),
    /// Debug: where its frame keeps the vmctx, and with it the instance.
    pub vmctx: Option<Place>,
}

/// From here to the next entry, the text belongs to the instruction at `wasm` (or to none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressEntry {
    /// Where this starts.
    pub text: TextOffset,
    /// The Wasm instruction.
    pub wasm: Option<WasmOffset>,
}

/// A patchable call in debug code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// The offset behind the site: its return address once armed. The site is the [`super::SITE_BYTES`] before.
    pub after: TextOffset,
    /// The first instruction it covers: the one about to run when it is hit.
    pub point: PointId,
}

/// A Wasm instruction at which debug code can be stopped, with the state it is stopped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The instruction.
    pub wasm: WasmOffset,
    /// The site to arm for it.
    pub site: SiteId,
    /// The operand stack before it.
    pub shape: ShapeId,
}

/// The tables of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageTables {
    /// Which image this is.
    pub tier: Tier,
    /// The defined functions by [`DefinedFuncIndex`], which is also text order.
    pub functions: Vec<FunctionEntry>,
    /// Instructions that can trap by a signal, sorted.
    pub traps: Vec<(TextOffset, TrapCode)>,
    /// From text to Wasm, sorted by text offset.
    pub addresses: Vec<AddressEntry>,
    /// Debug: the locals of all functions.
    pub locals: Vec<Slot>,
    /// Debug: the shapes of operand stacks.
    pub shapes: Vec<Shape>,
    /// Debug: the sites, sorted by text offset.
    pub sites: Vec<Site>,
    /// Debug: the points, sorted by Wasm offset.
    pub points: Vec<Point>,
    /// Debug: what an armed site calls.
    pub stop_stub: Option<TextOffset>,
}

impl ImageTables {
    /// The function whose text holds `at`.
    pub fn function_at(&self, at: TextOffset) -> Option<DefinedFuncIndex> {
        let after = self.functions.partition_point(|f| f.start <= at);
        let index = after.checked_sub(1)?;
        let function = &self.functions[index];
        (at.get() - function.start.get() < function.len).then(|| DefinedFuncIndex::from_usize(index))
    }

    /// Why the instruction at `at` traps, if it can.
    pub fn trap_at(&self, at: TextOffset) -> Option<TrapCode> {
        let index = self.traps.binary_search_by_key(&at, |trap| trap.0).ok()?;
        Some(self.traps[index].1)
    }

    /// The Wasm instruction that the text at `at` belongs to. For a return address, ask for the byte before it.
    pub fn wasm_at(&self, at: TextOffset) -> Option<WasmOffset> {
        let after = self.addresses.partition_point(|entry| entry.text <= at);
        self.addresses[after.checked_sub(1)?].wasm
    }

    /// The site that returns to `after`.
    pub fn site_returning_to(&self, after: TextOffset) -> Option<SiteId> {
        let index = self.sites.binary_search_by_key(&after, |site| site.after).ok()?;
        Some(SiteId(index as u32))
    }

    /// The point of exactly the instruction at `wasm`.
    pub fn point_at(&self, wasm: WasmOffset) -> Option<PointId> {
        let index = self.points.binary_search_by_key(&wasm, |point| point.wasm).ok()?;
        Some(PointId(index as u32))
    }

    /// The first point at or after `wasm`, in whatever function.
    pub fn point_from(&self, wasm: WasmOffset) -> Option<PointId> {
        let index = self.points.partition_point(|point| point.wasm < wasm);
        (index < self.points.len()).then_some(PointId(index as u32))
    }

    /// The row of a site.
    pub fn site(&self, id: SiteId) -> &Site {
        &self.sites[id.0 as usize]
    }

    /// The row of a point.
    pub fn point(&self, id: PointId) -> &Point {
        &self.points[id.0 as usize]
    }

    /// The row of a function.
    pub fn function(&self, func: DefinedFuncIndex) -> &FunctionEntry {
        &self.functions[func.index()]
    }

    /// The points of a function, by Wasm offset.
    pub fn points_of(&self, func: DefinedFuncIndex) -> &[Point] {
        let (start, end) = self.function(func).points;
        &self.points[start as usize..end as usize]
    }

    /// The locals of a function, parameters first.
    pub fn locals_of(&self, func: DefinedFuncIndex) -> &[Slot] {
        let (start, end) = self.function(func).locals;
        &self.locals[start as usize..end as usize]
    }

    /// The operands of a stack of this shape, top first.
    pub fn operands(&self, shape: ShapeId) -> impl Iterator<Item = Slot> + '_ {
        let mut at = shape;
        std::iter::from_fn(move || {
            let row = self.shapes.get(at.0 as usize)?;
            at = row.below;
            Some(row.top)
        })
    }
}
