//! The tables of an image, all sorted, all looked up by binary search. The long ones are packed, see `packed`.

use super::packed::{Cursor, Packed, Rows};
use super::shapes::Shapes;
use crate::abi::TrapCode;
use crate::base::{DefinedFuncIndex, SlotLayout, SlotRange, TagIndex, TextOffset, ValType, WORD_BYTES, WasmOffset};
use crate::isa::{FRAME_HEAD, SITE_BYTES, SavedRegisters};

/// Which of a module's two images this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Tier {
    /// Plain optimised code.
    Production = 0,
    /// The same functions with stop points and complete frames.
    Debug = 1,
}

/// Where a value is while its function is stopped. Described, not assumed: more ways are to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the function's frame, this many bytes from its frame pointer (negative: below).
    Frame(i32),
    /// Nowhere: it is always this one. A type of 32 bits has these bits, a wider one their sign extension.
    Constant(i32),
}

impl Place {
    /// The place in the frame that is this many words above `base`, which is in bytes from the frame pointer.
    #[inline]
    pub fn in_frame(base: i32, word: u32) -> Place {
        Place::Frame(base.wrapping_add(word.wrapping_mul(WORD_BYTES) as i32))
    }
}

/// A value that can be shown: what it is and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Its type.
    pub ty: ValType,
    /// Where it is; a wide value stands from there upwards.
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
    /// None: what has it stands on a side of a branch, see [`Point::is_on_side`].
    pub const SIDE: ShapeId = ShapeId(u32::MAX - 1);
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
    /// Debug: how many of them, the last ones, the guest does not declare: exceptions that are kept for `rethrow`.
    pub kept: u32,
    /// Debug: where the first of them is, from the frame pointer. The others stand above it, as [`SlotLayout`] says.
    pub locals_at: i32,
    /// Debug: its points as a range of [`ImageTables::points`].
    pub points: (u32, u32),
    /// Where its frame keeps the vmctx, and with it the instance: in debug code, and where exceptions are caught.
    pub vmctx: Option<Place>,
    /// Debug: where its frame keeps registers of its caller.
    pub saved: SavedRegisters,
    /// Debug: the bytes between its frame's head and where its caller's stack pointer was before there were arguments
    /// on it: those, and the room that tail calls with more of them need.
    pub arguments: u32,
    /// Where its frame has the references that [`ImageTables::safepoints`] tells of, from its frame pointer.
    pub references_at: i32,
}

impl FunctionEntry {
    /// What a frame is known by: where its caller's stack pointer was before the arguments. It is the same for as long
    /// as the frame is there, whatever code runs in it, and for those that take its place by tail calls; and lower than
    /// its caller's.
    #[inline]
    pub fn frame_id(&self, fp: usize) -> usize {
        fp.wrapping_add((FRAME_HEAD + self.arguments) as usize)
    }
}

/// The locals of a function, parameters first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Locals<'a> {
    values: SlotRange<'a>,
    at: i32,
}

impl<'a> Locals<'a> {
    /// How many there are.
    pub fn len(self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.values.is_empty()
    }

    /// Their types and where the first is, if each takes one word: mostly so, and then they can be read in a row.
    #[inline(always)]
    pub fn narrow(self) -> Option<(&'a [ValType], i32)> {
        (self.values.words() as usize == self.values.len()).then(|| (self.values.types(), self.at))
    }

    /// The words that they take.
    pub fn words(self) -> u32 {
        self.values.words()
    }

    /// What a local is and where.
    #[inline]
    pub fn get(self, index: usize) -> Option<Slot> {
        let (ty, word) = self.values.get(index)?;
        Some(Slot { ty, place: Place::in_frame(self.at, word) })
    }

    /// All of them.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Slot> + 'a {
        self.values.iter().map(move |(ty, word)| Slot { ty, place: Place::in_frame(self.at, word) })
    }

    /// Whether a place is in the slot of one of them.
    fn have(self, place: Place) -> bool {
        let Place::Frame(offset) = place else { return false };
        let above = i64::from(offset) - i64::from(self.at);
        (0..i64::from(self.words()) * i64::from(WORD_BYTES)).contains(&above)
    }
}

/// An instruction that can trap by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Where it is.
    pub at: TextOffset,
    /// Why it traps.
    pub code: TrapCode,
    /// Debug: the Wasm instruction it belongs to.
    pub wasm: Option<WasmOffset>,
}

/// A call in debug code, stop sites not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its last byte: the one before its return address.
    pub last: TextOffset,
    /// The Wasm instruction it belongs to.
    pub wasm: WasmOffset,
}

/// A call of which exceptions are caught, and where those of a tag go on. Of several rows of a call, the first that has
/// the tag, or none, is the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handler {
    /// The call's return address.
    pub after: TextOffset,
    /// The tag; `None` for all.
    pub tag: Option<TagIndex>,
    /// Where the function goes on.
    pub landing: TextOffset,
}

/// A call during which something may be collected, and how many references its frame has written down for that: from
/// [`FunctionEntry::references_at`] on, a word each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Safepoint {
    /// The call's return address.
    pub after: TextOffset,
    /// How many of the family of `anyref` there are.
    pub any: u32,
    /// How many external ones there are behind.
    pub external: u32,
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
    /// The offset behind the site: its return address once armed. The site is the [`SITE_BYTES`] before.
    pub after: TextOffset,
    /// The first instruction it covers: the one about to run when it is hit.
    pub point: PointId,
}

/// A Wasm instruction before which the frame's slots hold the complete state, and that state's operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The instruction.
    pub wasm: WasmOffset,
    /// The site to arm for it. Without one, machine code cannot be stopped there: so at calls and where ways of control
    /// part or meet, in the images that have no site before every instruction.
    pub site: Option<SiteId>,
    /// The operand stack before it.
    pub shape: ShapeId,
}

impl Point {
    /// Whether it is none, but a place on a *side* of a branch: behind the branch, before where it leads. Machine code
    /// can be stopped there, to say that the side was taken; where locals and operands are, nobody knows. Its offset is
    /// one inside the branch, which is [`branch_side`] of it. There are such places only where a side leads to what
    /// others lead to as well, in code whose regions are basic blocks.
    #[inline]
    pub fn is_on_side(self) -> bool {
        self.shape == ShapeId::SIDE
    }
}

/// The offset of the place on a side of the branch at `branch`, the `number`-th of those that have one. A branch has a
/// byte for each: the opcode is one more, and so are what counts the targets of a `br_table`.
pub fn branch_side(branch: WasmOffset, number: u32) -> WasmOffset {
    WasmOffset::new(branch.get() + 1 + number)
}

/// The tables of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageTables {
    /// Which image this is.
    pub tier: Tier,
    /// Debug: stop points stand only where regions begin. If not, before every instruction.
    pub regions: bool,
    /// The index of the first of the functions: 0, but in an image of a single function.
    pub first: DefinedFuncIndex,
    /// The defined functions by [`DefinedFuncIndex`], from `first` on, which is also text order.
    pub functions: Vec<FunctionEntry>,
    /// Instructions that can trap by a signal, sorted.
    pub traps: Packed<Trap>,
    /// Production: from text to Wasm, sorted by text offset.
    pub addresses: Packed<AddressEntry>,
    /// Debug: the calls, sorted by text offset.
    pub calls: Packed<Call>,
    /// Where exceptions are caught, sorted by call.
    pub handlers: Packed<Handler>,
    /// Where references are during calls, sorted by call; not of those that have none.
    pub safepoints: Packed<Safepoint>,
    /// Debug: the locals of all functions.
    pub locals: SlotLayout,
    /// Debug: the shapes of operand stacks.
    pub shapes: Shapes,
    /// Debug: the sites, sorted by text offset.
    pub sites: Packed<Site>,
    /// Debug: the points, sorted by Wasm offset.
    pub points: Packed<Point>,
    /// Debug: what an armed site calls.
    pub stop_stub: Option<TextOffset>,
}

impl ImageTables {
    /// The bytes of memory that the tables take.
    pub fn bytes(&self) -> usize {
        self.functions.capacity() * size_of::<FunctionEntry>()
            + self.locals.bytes()
            + self.shapes.bytes()
            + self.traps.bytes()
            + self.addresses.bytes()
            + self.calls.bytes()
            + self.handlers.bytes()
            + self.safepoints.bytes()
            + self.sites.bytes()
            + self.points.bytes()
    }

    /// Gives back memory that was kept for further rows.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.functions.shrink_to_fit();
        self.locals.shrink_to_fit();
        self.shapes.shrink_to_fit();
        self.traps.shrink_to_fit();
        self.addresses.shrink_to_fit();
        self.calls.shrink_to_fit();
        self.handlers.shrink_to_fit();
        self.safepoints.shrink_to_fit();
        self.sites.shrink_to_fit();
        self.points.shrink_to_fit();
    }

    /// The function whose text holds `at`.
    pub fn function_at(&self, at: TextOffset) -> Option<DefinedFuncIndex> {
        let after = self.functions.partition_point(|f| f.start <= at);
        let index = after.checked_sub(1)?;
        let function = &self.functions[index];
        (at.get() - function.start.get() < function.len).then(|| DefinedFuncIndex::new(self.first.get() + index as u32))
    }

    /// Why the instruction at `at` traps, if it can.
    pub fn trap_at(&self, at: TextOffset) -> Option<TrapCode> {
        Some(self.traps.find(at.get())?.row().code)
    }

    /// The Wasm instruction that the text at `at` belongs to. For a return address, ask for the byte before it. Debug
    /// images know it of the places where a frame can be found outside a stop: returns of calls, and what traps.
    pub fn wasm_at(&self, at: TextOffset) -> Option<WasmOffset> {
        match self.tier {
            Tier::Production => self.addresses.last_to(at.get())?.row().wasm,
            Tier::Debug => match self.calls.find(at.get()) {
                Some(call) => Some(call.row().wasm),
                None => self.traps.find(at.get())?.row().wasm,
            },
        }
    }

    /// Where exceptions go on that come out of the call that returns to `after`, the first that catches one first.
    #[inline]
    pub fn handlers_of(&self, after: TextOffset) -> impl Iterator<Item = Handler> + '_ {
        let mut next = if self.handlers.is_empty() { None } else { self.handlers.find(after.get()) };
        std::iter::from_fn(move || {
            let mut cursor = next?;
            let row = cursor.row();
            let more = self.handlers.advance(&mut cursor) && cursor.key() == after.get();
            next = more.then_some(cursor);
            Some(row)
        })
    }

    /// The references that a frame of a function has written down where a call returns to `after`: where each is, as a
    /// slot of the type of its family.
    pub fn references_of(&self, func: DefinedFuncIndex, after: TextOffset) -> impl Iterator<Item = Slot> + '_ {
        let row = if self.safepoints.is_empty() { None } else { self.safepoints.find(after.get()) };
        let row = row.map(|row| row.row());
        let at = self.function(func).map_or(0, |function| function.references_at);
        let (any, external) = row.map_or((0, 0), |row| (row.any, row.external));
        let types = (0..any).map(|_| ValType::ANYREF).chain((0..external).map(|_| ValType::EXTERNREF));
        types.zip(0..).map(move |(ty, word)| Slot { ty, place: Place::in_frame(at, word) })
    }

    /// How far below its frame pointer the stack pointer is in a frame of a function.
    pub fn stack_below(&self, func: DefinedFuncIndex) -> Option<u32> {
        self.function(func)?.frame_size.checked_sub(FRAME_HEAD)
    }

    /// The site that returns to `after`.
    pub fn site_returning_to(&self, after: TextOffset) -> Option<SiteId> {
        Some(SiteId(self.site_before(after)?.id()))
    }

    /// The row of the site that returns to `after`.
    pub fn site_before(&self, after: TextOffset) -> Option<Cursor<Site>> {
        self.sites.find(after.get())
    }

    /// The first site whose first byte is at or after `start`.
    pub fn site_from(&self, start: TextOffset) -> Option<SiteId> {
        let after = start.get().checked_add(SITE_BYTES)?;
        Some(SiteId(self.sites.first_from(after)?.id()))
    }

    /// The point of exactly the instruction at `wasm`.
    pub fn point_at(&self, wasm: WasmOffset) -> Option<PointId> {
        let found = self.points.find(wasm.get())?;
        (!found.row().is_on_side()).then(|| PointId(found.id()))
    }

    /// The site on a side of a branch, by its [`branch_side`].
    pub fn side_at(&self, side: WasmOffset) -> Option<SiteId> {
        let found = self.points.find(side.get())?.row();
        found.site.filter(|_| found.is_on_side())
    }

    /// The last point of a function at or before an instruction. When the instruction traps, the frame's slots hold the
    /// state at that point, and rerun comes from there to the instruction.
    pub fn complete_before(&self, func: DefinedFuncIndex, wasm: WasmOffset) -> Option<Point> {
        let (start, _) = self.function(func)?.points;
        let last = self.points.last_to(wasm.get())?;
        let (id, last) = (last.id(), last.row());
        if !last.is_on_side() {
            return (id >= start).then_some(last);
        }
        let mut before = (start..id).rev().filter_map(|id| self.points.get(id));
        before.find(|point| !point.is_on_side())
    }

    /// The row of a site.
    ///
    /// # Panics
    /// If there is no such site.
    pub fn site(&self, id: SiteId) -> Site {
        self.sites.get(id.0).expect("a site of this image")
    }

    /// The row of a point.
    ///
    /// # Panics
    /// If there is no such point.
    pub fn point(&self, id: PointId) -> Point {
        self.points.get(id.0).expect("a point of this image")
    }

    /// The row of a function, if it is in this image.
    #[inline]
    pub fn function(&self, func: DefinedFuncIndex) -> Option<&FunctionEntry> {
        self.functions.get(func.index().checked_sub(self.first.index())?)
    }

    /// The points of a function, and places on sides, by Wasm offset.
    pub fn points_of(&self, func: DefinedFuncIndex) -> Rows<'_, Point> {
        let (start, end) = self.function(func).map_or((0, 0), |function| function.points);
        self.points.range(start, end)
    }

    /// Those of [`Self::locals_of`] that the guest declares: what is shown.
    #[inline(always)]
    pub fn declared_locals_of(&self, func: DefinedFuncIndex) -> Locals<'_> {
        let Some(function) = self.function(func) else { return Locals::default() };
        let (start, end) = function.locals;
        Locals { values: self.locals.range(start, end - function.kept), at: function.locals_at }
    }

    /// What a local of a function is and where: one of [`ImageTables::declared_locals_of`], found with less ado.
    #[inline(always)]
    pub fn declared_local(&self, func: DefinedFuncIndex, index: u32) -> Option<Slot> {
        let Some(types) = self.locals.narrow() else { return self.declared_locals_of(func).get(index as usize) };
        let function = self.function(func)?;
        let (start, end) = function.locals;
        let number = start.checked_add(index).filter(|number| *number < end - function.kept)?;
        Some(Slot { ty: *types.get(number as usize)?, place: Place::in_frame(function.locals_at, index) })
    }

    /// The locals of a function, parameters first, and those behind them that it does not declare.
    #[inline(always)]
    pub fn locals_of(&self, func: DefinedFuncIndex) -> Locals<'_> {
        let Some(function) = self.function(func) else { return Locals::default() };
        let (start, end) = function.locals;
        Locals { values: self.locals.range(start, end), at: function.locals_at }
    }

    /// The operands of a stack of this shape, top first.
    #[inline]
    pub fn operands(&self, shape: ShapeId) -> impl Iterator<Item = Slot> + '_ {
        let mut at = shape;
        std::iter::from_fn(move || {
            let row = self.shapes.get(at)?;
            at = row.below;
            Some(row.top)
        })
    }

    /// Where a frame of a function has what the collector has to see, when it stands at this point of it: locals, then
    /// operands, each place once. An operand that is told from a local is seen there; one that is a constant is null.
    pub fn roots(&self, func: DefinedFuncIndex, point: Point) -> impl Iterator<Item = Slot> + '_ {
        let locals = self.locals_of(func);
        let own = move |slot: &Slot| matches!(slot.place, Place::Frame(_)) && !locals.have(slot.place);
        locals.iter().chain(self.operands(point.shape).filter(own)).filter(|slot| slot.ty.is_root())
    }
}
