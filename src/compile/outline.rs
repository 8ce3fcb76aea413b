//! What replay needs to know of a whole body: its instructions, the operands before each, and the blocks that are open
//! where a run of instructions begins. Found by one walk that makes no code, so that code can be made for one run
//! alone. It must agree with what `translate` makes of the same body; a test compares them.

use super::debug::{NO_SHAPE, kind};
use super::env::null_type;
use super::fuel::Due;
use super::regions::RegionClasses;
use super::{internal, row};
use crate::base::{DefinedFuncIndex, FuncIndex, GlobalIndex, Result, TableIndex, WasmOffset, no_room};
use crate::image::{ReplayImage, ReplayInstruction, SlotKind};
use crate::wasm::{ModuleInfo, ValType, val_type};
use wasmparser::{BinaryReader, BlockType, FunctionBody, Operator, OperatorsReader, OperatorsReaderAllocations};

/// The opcode of `else`.
const ELSE: u8 = 0x05;
/// No position, no block.
pub(super) const NONE: u32 = u32::MAX;

/// What kind of block is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockKind {
    Block,
    Loop,
    If,
    Else,
}

/// A block that is open where a run begins.
#[derive(Debug)]
pub(super) struct OpenBlock {
    /// The one around it, or [`NONE`] for the function.
    pub(super) outer: u32,
    /// What it was opened as; `Else` is told by where a run begins.
    kind: BlockKind,
    /// Its type; the function's is not told.
    pub(super) ty: BlockType,
    /// The operands below its parameters.
    pub(super) height: u32,
    /// The first position behind its `else`, if it has one.
    pub(super) otherwise: u32,
    /// The first position behind its `end`, if that is reached.
    pub(super) follow: u32,
    followed: bool,
}

impl OpenBlock {
    /// What kind of block it is before the instruction at `position`.
    pub(super) fn kind_at(&self, position: u32) -> BlockKind {
        if self.otherwise <= position { BlockKind::Else } else { self.kind }
    }
}

/// What is known where a run begins.
#[derive(Debug)]
pub(super) struct Begin {
    /// The innermost open block, and how many are open.
    pub(super) block: u32,
    pub(super) depth: u32,
    pub(super) due: Due,
    pub(super) classes: RegionClasses,
}

/// The outline of a function.
#[derive(Debug)]
pub struct Outline {
    /// The instructions of a run.
    pub(super) run: u32,
    pub(super) begins: Vec<Begin>,
    pub(super) blocks: Vec<OpenBlock>,
}

impl Outline {
    /// The instructions for which code is made at a time, usually: each takes about 20 microseconds and 5 KB while it
    /// is compiled.
    pub const RUN: u32 = RegionClasses::MOST;

    /// The number of the run that a position is in.
    pub fn number(&self, position: u32) -> u32 {
        position / self.run
    }

    /// The bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        self.begins.capacity() * size_of::<Begin>() + self.blocks.capacity() * size_of::<OpenBlock>()
    }
}

/// Reads the operators of a validated body one by one, from anywhere in it.
pub(super) struct Operators<'a> {
    reader: BinaryReader<'a>,
    room: OperatorsReaderAllocations,
}

impl<'a> Operators<'a> {
    /// From where `reader` is.
    pub(super) fn new(reader: BinaryReader<'a>) -> Self {
        Operators { reader, room: OperatorsReaderAllocations::default() }
    }

    /// The next one and where it is; `None` behind the last.
    pub(super) fn next(&mut self) -> Result<Option<(Operator<'a>, u32)>> {
        if self.reader.eof() {
            return Ok(None);
        }
        let unreadable = |error| internal(format!("a validated body cannot be read: {error}"));
        // The reader takes an `else` only where it has read the `if`.
        let mut ahead = self.reader.clone();
        if ahead.read_u8().map_err(unreadable)? == ELSE {
            let at = self.reader.original_position() as u32;
            self.reader = ahead;
            return Ok(Some((Operator::Else, at)));
        }
        let room = std::mem::take(&mut self.room);
        let mut one = OperatorsReader::new_with_allocs(self.reader.clone(), room);
        let (operator, at) = one.read_with_offset().map_err(unreadable)?;
        self.reader = one.get_binary_reader();
        self.room = one.into_allocations();
        Ok(Some((operator, at as u32)))
    }
}

/// Adds a row, or says that there is no memory for it.
fn add<T>(rows: &mut Vec<T>, row: T) -> Result<()> {
    if rows.len() == rows.capacity() {
        rows.try_reserve(1).map_err(|_| no_room(rows.len() * size_of::<T>(), "what is known of a function"))?;
    }
    rows.push(row);
    Ok(())
}

/// A walk over a body.
struct Walk<'a> {
    info: &'a ModuleInfo,
    outline: Outline,
    locals: Vec<SlotKind>,
    instructions: Vec<ReplayInstruction>,
    stacks: Vec<(u32, SlotKind)>,
    /// For each of `stacks`, the first that has it below, and the next that has the same below.
    above: Vec<(u32, u32)>,
    /// The first stack of one operand.
    lowest: u32,
    /// The operands: each with those below, as a row of `stacks`.
    operands: Vec<u32>,
    deepest: u32,
    open: Vec<u32>,
    /// Blocks from here on are known to no beginning of a run.
    passing: usize,
    due: Due,
    classes: RegionClasses,
    results: usize,
    reachable: bool,
    skipped: u32,
}

/// The outline of a function, and what its replay code is described by.
pub(super) fn outline(
    info: &ModuleInfo,
    binary: &[u8],
    func: DefinedFuncIndex,
    run: u32,
) -> Result<(Outline, ReplayImage)> {
    let range = info.bodies.get(func.index()).ok_or_else(|| internal("no such body"))?.bytes.clone();
    let start = range.start as u64;
    let bytes = binary.get(range).ok_or_else(|| internal("a body lies outside its binary"))?;
    let unreadable = |error| internal(format!("a validated body cannot be read: {error}"));
    let body = FunctionBody::new(BinaryReader::new(bytes, start));
    let ty = info.func_type(info.func_index(func));
    let mut locals: Vec<SlotKind> = ty.params.iter().map(|ty| kind(*ty)).collect();
    for group in body.get_locals_reader().map_err(unreadable)? {
        let (count, ty) = group.map_err(unreadable)?;
        let ty = val_type(ty).ok_or_else(|| internal("a local of unknown type"))?;
        locals.extend(std::iter::repeat_n(kind(ty), count as usize));
    }
    let mut operators = body.get_operators_reader().map_err(unreadable)?;
    let mut walk = Walk {
        info,
        outline: Outline { run: run.max(1), begins: Vec::new(), blocks: Vec::new() },
        locals,
        instructions: Vec::new(),
        stacks: Vec::new(),
        above: Vec::new(),
        lowest: NONE,
        operands: Vec::new(),
        deepest: 0,
        open: Vec::new(),
        passing: 0,
        due: Due::default(),
        classes: RegionClasses::new(),
        results: ty.results.len(),
        reachable: true,
        skipped: 0,
    };
    walk.open(BlockKind::Block, BlockType::Empty, 0)?;
    while !operators.eof() {
        let (operator, at) = operators.read_with_offset().map_err(unreadable)?;
        walk.operator(&operator, at as u32)?;
    }
    let Walk { outline, locals, instructions, stacks, deepest, .. } = walk;
    Ok((outline, ReplayImage { code: Vec::new(), locals, deepest, instructions, stacks }))
}

impl Walk<'_> {
    fn operator(&mut self, operator: &Operator<'_>, at: u32) -> Result<()> {
        if !self.reachable {
            self.unreachable_operator(operator)?;
            self.due.behind_unreachable();
            return Ok(());
        }
        if self.instructions.len().is_multiple_of(self.outline.run as usize) {
            let block = self.open.last().copied().ok_or_else(|| internal("no block is open"))?;
            self.passing = self.outline.blocks.len();
            let (due, classes) = (self.due, self.classes);
            add(&mut self.outline.begins, Begin { block, depth: self.open.len() as u32, due, classes })?;
        }
        let stack = self.operands.last().copied().unwrap_or(NO_SHAPE);
        let stack = if stack == NO_SHAPE { ReplayImage::EMPTY } else { stack };
        add(&mut self.instructions, ReplayInstruction { wasm: WasmOffset::new(at), stack })?;
        let row = row(operator)?;
        self.classes.next(row);
        self.due = Due::none();
        match operator {
            Operator::Block { blockty } => self.open_typed(BlockKind::Block, *blockty)?,
            Operator::Loop { blockty } => self.open_typed(BlockKind::Loop, *blockty)?,
            Operator::If { blockty } => {
                self.pop(1)?;
                self.open_typed(BlockKind::If, *blockty)?;
            }
            Operator::Else => self.otherwise(true)?,
            Operator::End => self.close(true)?,
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth)?;
                self.reachable = false;
            }
            Operator::BrIf { relative_depth } => {
                self.pop(1)?;
                self.branch(*relative_depth)?;
            }
            Operator::BrTable { targets } => {
                for depth in targets.targets() {
                    self.branch(depth.map_err(internal)?)?;
                }
                self.branch(targets.default())?;
                self.reachable = false;
            }
            Operator::Return | Operator::Unreachable => self.reachable = false,
            Operator::Call { function_index } => {
                let ty = self.info.func_type(FuncIndex::new(*function_index));
                self.pop(ty.params.len())?;
                self.push_all(&ty.results)?;
            }
            Operator::CallIndirect { type_index, .. } => {
                let ty = self.info.types.get(*type_index as usize).ok_or_else(|| internal("no such type"))?;
                self.pop(ty.params.len() + 1)?;
                self.push_all(&ty.results)?;
            }
            Operator::LocalGet { local_index } => {
                let kind = self.locals.get(*local_index as usize).copied();
                self.push(kind.ok_or_else(|| internal("no such local"))?)?;
            }
            Operator::LocalTee { .. } => {}
            Operator::GlobalGet { global_index } => {
                self.push(kind(self.info.global(GlobalIndex::new(*global_index)).content))?;
            }
            Operator::TableGet { table } => {
                self.pop(1)?;
                self.push(kind(self.info.table(TableIndex::new(*table)).element))?;
            }
            Operator::RefNull { hty } => self.push(kind(null_type(*hty)?))?,
            Operator::Select | Operator::TypedSelect { .. } => self.pop(2)?,
            _ => {
                let (takes, gives) = row.operands.ok_or_else(|| internal(format!("the operands of {operator:?}")))?;
                self.pop(takes)?;
                if let Some(ty) = gives {
                    self.push(kind(ty))?;
                }
            }
        }
        self.due.behind(row);
        Ok(())
    }

    fn unreachable_operator(&mut self, operator: &Operator<'_>) -> Result<()> {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => self.skipped += 1,
            Operator::End if self.skipped > 0 => self.skipped -= 1,
            Operator::Else if self.skipped == 0 => self.otherwise(false)?,
            Operator::End => self.close(false)?,
            _ => {}
        }
        Ok(())
    }

    fn pop(&mut self, count: usize) -> Result<()> {
        let left = self.operands.len().checked_sub(count).ok_or_else(|| internal("too few operands"))?;
        self.operands.truncate(left);
        Ok(())
    }

    fn push(&mut self, kind: SlotKind) -> Result<()> {
        let below = self.operands.last().copied();
        let first = below.map_or(self.lowest, |below| self.above[below as usize].0);
        let mut at = first;
        while at != NONE && self.stacks[at as usize].1 != kind {
            at = self.above[at as usize].1;
        }
        if at == NONE {
            at = self.stacks.len() as u32;
            add(&mut self.stacks, (below.unwrap_or(NO_SHAPE), kind))?;
            add(&mut self.above, (NONE, first))?;
            match below {
                Some(below) => self.above[below as usize].0 = at,
                None => self.lowest = at,
            }
        }
        add(&mut self.operands, at)?;
        self.deepest = self.deepest.max(self.operands.len() as u32);
        Ok(())
    }

    fn push_all(&mut self, types: &[ValType]) -> Result<()> {
        types.iter().try_for_each(|ty| self.push(kind(*ty)))
    }

    /// A block's parameters, or its results.
    fn push_of(&mut self, ty: BlockType, results: bool) -> Result<()> {
        let info = self.info;
        match ty {
            BlockType::Empty => Ok(()),
            BlockType::Type(ty) if results => {
                self.push(kind(val_type(ty).ok_or_else(|| internal("a block of unknown type"))?))
            }
            BlockType::Type(_) => Ok(()),
            BlockType::FuncType(index) => {
                let ty = info.types.get(index as usize).ok_or_else(|| internal("a block of unknown type"))?;
                self.push_all(if results { &ty.results } else { &ty.params })
            }
        }
    }

    fn open_typed(&mut self, kind: BlockKind, ty: BlockType) -> Result<()> {
        let params = match ty {
            BlockType::FuncType(index) => self.info.types.get(index as usize).map_or(0, |ty| ty.params.len()),
            _ => 0,
        };
        let height = self.operands.len().checked_sub(params).ok_or_else(|| internal("too few operands"))?;
        self.open(kind, ty, height as u32)
    }

    fn open(&mut self, kind: BlockKind, ty: BlockType, height: u32) -> Result<()> {
        let outer = self.open.last().copied().unwrap_or(NONE);
        let block = OpenBlock { outer, kind, ty, height, otherwise: NONE, follow: NONE, followed: false };
        add(&mut self.open, self.outline.blocks.len() as u32)?;
        add(&mut self.outline.blocks, block)
    }

    fn branch(&mut self, depth: u32) -> Result<()> {
        let index = self.open.len().checked_sub(depth as usize + 1);
        let index = index.ok_or_else(|| internal("a branch out of the function"))?;
        let block = &mut self.outline.blocks[self.open[index] as usize];
        block.followed |= block.kind != BlockKind::Loop;
        Ok(())
    }

    /// An `else`, to which control falls or not.
    fn otherwise(&mut self, fallen: bool) -> Result<()> {
        let id = *self.open.last().ok_or_else(|| internal("no block is open"))?;
        let block = &mut self.outline.blocks[id as usize];
        block.followed |= fallen;
        block.otherwise = self.instructions.len() as u32;
        let (ty, height) = (block.ty, block.height);
        self.operands.truncate(height as usize);
        self.reachable = true;
        self.push_of(ty, false)
    }

    /// An `end`, to which control falls or not.
    fn close(&mut self, fallen: bool) -> Result<()> {
        let id = self.open.pop().ok_or_else(|| internal("no block is open"))? as usize;
        let next = self.instructions.len() as u32;
        let block = &mut self.outline.blocks[id];
        block.followed |= fallen || (block.kind == BlockKind::If && block.otherwise == NONE);
        self.reachable = block.followed;
        if block.followed {
            block.follow = next;
        }
        let (ty, height) = (block.ty, block.height);
        self.operands.truncate(height as usize);
        if self.open.is_empty() {
            self.deepest = self.deepest.max(self.results as u32);
            self.reachable = false;
            return Ok(());
        }
        // No run begins in it.
        if id >= self.passing && id + 1 == self.outline.blocks.len() {
            self.outline.blocks.pop();
        }
        if self.reachable { self.push_of(ty, true) } else { Ok(()) }
    }
}
