//! What rerun needs to know of a whole body: its instructions, the operands before each, and the blocks that are open
//! where a run of instructions begins. Found by one walk that makes no code, so that code can be made for one run
//! alone. It must agree with what `translate` makes of the same body; a test compares them.

use super::debug::NO_SHAPE;
use super::env::null_type;
use super::fuel::Due;
use super::internal;
use super::regions::RegionClasses;
use crate::base::{
    DefinedFuncIndex, FuncIndex, GlobalIndex, MemoryIndex, Result, SlotLayout, TableIndex, TagIndex, no_room,
};
use crate::image::{RerunImage, RerunInstruction};
use crate::wasm::{BlockKind, Flow, Instruction, Instructions, ModuleInfo, Step, Surroundings, ValType, Walk};
use wasmparser::{BlockType, Operator};

/// No position, no block.
pub(super) const NONE: u32 = u32::MAX;

/// A block that is open where a run begins.
#[derive(Debug)]
pub(super) struct KnownBlock {
    /// The one around it, or [`NONE`] for the function.
    pub(super) outer: u32,
    /// What it was opened as; `Else` is told by where a run begins.
    kind: BlockKind,
    /// Its type; the function's is not told.
    pub(super) ty: BlockType,
    /// Whether exceptions lead behind its end.
    pub(super) caught: bool,
    /// The operands below its parameters.
    pub(super) height: u32,
    /// The first position behind its `else`, if it has one.
    pub(super) otherwise: u32,
    /// The first position behind its `end`, if that is reached.
    pub(super) follow: u32,
}

impl KnownBlock {
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
    pub(super) blocks: Vec<KnownBlock>,
    /// What the body is in: to know it, a body is walked through.
    pub(super) surroundings: Surroundings,
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
        self.begins.capacity() * size_of::<Begin>()
            + self.blocks.capacity() * size_of::<KnownBlock>()
            + self.surroundings.bytes()
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

/// What is found as a body is walked over.
struct Finder<'a> {
    info: &'a ModuleInfo,
    outline: Outline,
    locals: SlotLayout,
    /// How many of them are none of the guest's.
    kept: u32,
    instructions: Vec<RerunInstruction>,
    stacks: Vec<(u32, ValType)>,
    /// For each of `stacks`, the first that has it below, and the next that has the same below.
    above: Vec<(u32, u32)>,
    /// The first stack of one operand.
    lowest: u32,
    /// The operands: each with those below, as a row of `stacks`.
    operands: Vec<u32>,
    /// The words that they take, and the most that they have taken.
    words: u32,
    deepest: u32,
    /// The open blocks, as rows of the outline.
    walk: Walk<u32>,
    /// Blocks from here on are known to no beginning of a run.
    passing: usize,
    due: Due,
    classes: RegionClasses,
    /// The words of the function's results.
    results: u32,
}

/// The outline of a function, and what its rerun code is described by.
pub(super) fn outline(
    info: &ModuleInfo,
    binary: &[u8],
    func: DefinedFuncIndex,
    run: u32,
    blocks: bool,
) -> Result<(Outline, RerunImage)> {
    let body = info.body(func, binary)?;
    let surroundings = Surroundings::of(&info.memories, &body, blocks)?;
    let mut finder = Finder {
        info,
        outline: Outline { run: run.max(1), begins: Vec::new(), blocks: Vec::new(), surroundings },
        locals: info.frame_locals(func, binary).into_iter().collect(),
        instructions: Vec::new(),
        stacks: Vec::new(),
        above: Vec::new(),
        lowest: NONE,
        operands: Vec::new(),
        words: 0,
        deepest: 0,
        walk: Walk::new(NONE),
        passing: 0,
        due: Due::default(),
        classes: RegionClasses::new(),
        kept: info.kept_count(func, binary),
        results: info.func_type(info.func_index(func)).results.iter().map(|ty| ty.words()).sum(),
    };
    finder.walk.set_surroundings(finder.outline.surroundings.clone());
    finder.open(NONE, BlockType::Empty, 0)?;
    for instruction in Instructions::of(&body)? {
        finder.instruction(&instruction?)?;
    }
    let Finder { outline, locals, kept, instructions, stacks, deepest, .. } = finder;
    Ok((outline, RerunImage { code: Vec::new(), locals, kept, deepest, instructions, stacks }))
}

impl Finder<'_> {
    fn instruction(&mut self, instruction: &Instruction<'_>) -> Result<()> {
        let reached = self.walk.reached();
        if reached {
            self.begin(instruction)?;
        }
        let outer = self.walk.innermost()?.known;
        match self.walk.step(instruction)? {
            Step::Next => self.compute(instruction)?,
            Step::Open(ty) => {
                if instruction.row.flow == Flow::If {
                    self.pop(1)?;
                }
                let params = match ty {
                    BlockType::FuncType(index) => self.info.func_type_at(index).map_or(0, |ty| ty.params.len()),
                    _ => 0,
                };
                let height = self.operands.len().checked_sub(params).ok_or_else(|| internal("too few operands"))?;
                self.open(outer, ty, height as u32)?;
            }
            Step::Else { .. } => {
                let block = &mut self.outline.blocks[outer as usize];
                block.otherwise = self.instructions.len() as u32;
                let (ty, height) = (block.ty, block.height);
                self.truncate(height as usize);
                self.push_of(ty, false)?;
            }
            Step::Catch { .. } => {
                let height = self.outline.blocks[outer as usize].height;
                self.truncate(height as usize);
                if let Operator::Catch { tag_index } = instruction.operator {
                    let info = self.info;
                    self.push_all(info.tag_values(TagIndex::new(tag_index)))?;
                }
            }
            Step::End { block, .. } => self.close(block.known as usize)?,
            // What a branch goes by is gone behind it, unless that is a reference: one that is not null is only not
            // there where the branch is taken, and one that is cast is there on both ways.
            Step::Branch
                if matches!(
                    instruction.operator,
                    Operator::BrOnNull { .. } | Operator::BrOnCast { .. } | Operator::BrOnCastFail { .. }
                ) => {}
            Step::Branch if instruction.row.flow == Flow::BranchIf => self.pop(1)?,
            Step::Branch | Step::Leave | Step::Unreached => {}
        }
        match reached {
            true => self.due.behind(instruction.row),
            false => self.due.behind_unreachable(),
        }
        Ok(())
    }

    /// Before an instruction that can be reached.
    fn begin(&mut self, instruction: &Instruction<'_>) -> Result<()> {
        if self.instructions.len().is_multiple_of(self.outline.run as usize) {
            let block = self.walk.innermost()?.known;
            self.passing = self.outline.blocks.len();
            let (depth, due, classes) = (self.walk.depth() as u32, self.due, self.classes);
            add(&mut self.outline.begins, Begin { block, depth, due, classes })?;
        }
        let stack = self.operands.last().copied().unwrap_or(NO_SHAPE);
        let stack = if stack == NO_SHAPE { RerunImage::EMPTY } else { stack };
        let of_guest = self.classes.next(self.walk.row(instruction)).ends_region();
        add(&mut self.instructions, RerunInstruction::new(instruction.at, stack, of_guest))?;
        self.due = Due::none();
        Ok(())
    }

    /// What an instruction that says nothing of where to go on does to the operands.
    fn compute(&mut self, Instruction { operator, row, .. }: &Instruction<'_>) -> Result<()> {
        let info = self.info;
        match operator {
            Operator::Call { function_index } => {
                let ty = info.func_type(FuncIndex::new(*function_index));
                self.pop(ty.params.len())?;
                self.push_all(&ty.results)
            }
            Operator::CallIndirect { type_index, .. } => {
                let ty = info.func_type_at(*type_index).ok_or_else(|| internal("no such type"))?;
                self.pop(ty.params.len() + 1)?;
                self.push_all(&ty.results)
            }
            Operator::CallRef { type_index } => {
                let ty = info.func_type_at(*type_index).ok_or_else(|| internal("no such type"))?;
                self.pop(ty.params.len() + 1)?;
                self.push_all(&ty.results)
            }
            // A cast leaves what it is given, which is of the same family.
            Operator::RefAsNonNull | Operator::RefCastNonNull { .. } | Operator::RefCastNullable { .. } => Ok(()),
            Operator::StructNew { struct_type_index } => {
                self.pop(
                    info.struct_type_at(*struct_type_index).ok_or_else(|| internal("no such type"))?.fields.len(),
                )?;
                self.push(ValType::ANYREF)
            }
            Operator::StructGet { struct_type_index, field_index } => {
                let ty = info.struct_type_at(*struct_type_index).ok_or_else(|| internal("no such type"))?;
                let field = ty.fields.get(*field_index as usize).ok_or_else(|| internal("no such field"))?;
                self.pop(1)?;
                self.push(field.storage.unpacked())
            }
            Operator::ArrayNewFixed { array_size, .. } => {
                self.pop(*array_size as usize)?;
                self.push(ValType::ANYREF)
            }
            Operator::ArrayGet { array_type_index } => {
                let ty = info.array_type_at(*array_type_index).ok_or_else(|| internal("no such type"))?;
                self.pop(2)?;
                self.push(ty.element.storage.unpacked())
            }
            Operator::LocalGet { local_index } => {
                let local = self.locals.all().get(*local_index as usize);
                self.push(local.ok_or_else(|| internal("no such local"))?.0)
            }
            Operator::LocalTee { .. } => Ok(()),
            Operator::GlobalGet { global_index } => self.push(info.global(GlobalIndex::new(*global_index)).content),
            Operator::TableGet { table } => {
                self.pop(1)?;
                self.push(info.table(TableIndex::new(*table)).element.into())
            }
            Operator::TableSize { table } => self.push(info.table(TableIndex::new(*table)).index.val_type()),
            Operator::TableGrow { table } => {
                self.pop(2)?;
                self.push(info.table(TableIndex::new(*table)).index.val_type())
            }
            Operator::MemorySize { mem } => self.push(info.memory(MemoryIndex::new(*mem)).index.val_type()),
            Operator::MemoryGrow { mem } => {
                self.pop(1)?;
                self.push(info.memory(MemoryIndex::new(*mem)).index.val_type())
            }
            Operator::RefNull { hty } => self.push(null_type(info, *hty)?),
            Operator::I64Add128 | Operator::I64Sub128 => self.pop(2),
            Operator::I64MulWideS | Operator::I64MulWideU => Ok(()),
            Operator::Select | Operator::TypedSelect { .. } => self.pop(2),
            _ => {
                let (takes, gives) = row.operands.ok_or_else(|| internal(format!("the operands of {operator:?}")))?;
                self.pop(takes)?;
                gives.map_or(Ok(()), |ty| self.push(ty))
            }
        }
    }

    fn pop(&mut self, count: usize) -> Result<()> {
        let left = self.operands.len().checked_sub(count).ok_or_else(|| internal("too few operands"))?;
        self.truncate(left);
        Ok(())
    }

    /// Leaves so many operands.
    fn truncate(&mut self, height: usize) {
        let gone = self.operands.get(height..).unwrap_or_default();
        self.words -= gone.iter().map(|stack| self.stacks[*stack as usize].1.words()).sum::<u32>();
        self.operands.truncate(height);
    }

    fn push(&mut self, ty: ValType) -> Result<()> {
        let ty = ty.in_slots();
        let below = self.operands.last().copied();
        let first = below.map_or(self.lowest, |below| self.above[below as usize].0);
        let mut at = first;
        while at != NONE && self.stacks[at as usize].1 != ty {
            at = self.above[at as usize].1;
        }
        if at == NONE {
            at = self.stacks.len() as u32;
            add(&mut self.stacks, (below.unwrap_or(NO_SHAPE), ty))?;
            add(&mut self.above, (NONE, first))?;
            match below {
                Some(below) => self.above[below as usize].0 = at,
                None => self.lowest = at,
            }
        }
        add(&mut self.operands, at)?;
        self.words += ty.words();
        self.deepest = self.deepest.max(self.words);
        Ok(())
    }

    fn push_all(&mut self, types: &[ValType]) -> Result<()> {
        types.iter().try_for_each(|ty| self.push(*ty))
    }

    /// A block's parameters, or its results.
    fn push_of(&mut self, ty: BlockType, results: bool) -> Result<()> {
        let info = self.info;
        match ty {
            BlockType::Empty => Ok(()),
            BlockType::Type(ty) if results => {
                self.push(info.val_type(ty).ok_or_else(|| internal("a block of unknown type"))?)
            }
            BlockType::Type(_) => Ok(()),
            BlockType::FuncType(index) => {
                let ty = info.func_type_at(index).ok_or_else(|| internal("a block of unknown type"))?;
                self.push_all(if results { &ty.results } else { &ty.params })
            }
        }
    }

    /// Opens the innermost block of the walk, inside `outer`.
    fn open(&mut self, outer: u32, ty: BlockType, height: u32) -> Result<()> {
        let block = self.walk.innermost()?;
        block.known = self.outline.blocks.len() as u32;
        let (kind, caught) = (block.kind, block.caught);
        let row = KnownBlock { outer, kind, ty, caught, height, otherwise: NONE, follow: NONE };
        add(&mut self.outline.blocks, row)
    }

    /// A block has ended.
    fn close(&mut self, id: usize) -> Result<()> {
        let next = self.instructions.len() as u32;
        let block = &mut self.outline.blocks[id];
        if self.walk.reached() {
            block.follow = next;
        }
        let (ty, height) = (block.ty, block.height);
        self.truncate(height as usize);
        if self.walk.depth() == 0 {
            self.deepest = self.deepest.max(self.results);
            return Ok(());
        }
        // No run begins in it.
        if id >= self.passing && id + 1 == self.outline.blocks.len() {
            self.outline.blocks.pop();
        }
        if self.walk.reached() { self.push_of(ty, true) } else { Ok(()) }
    }
}
