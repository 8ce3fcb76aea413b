//! Function bodies, instruction by instruction, and the one walk over where control goes in them. Whoever goes over a
//! body (the translator, what is known of a function without compiling it, the limits of a module, the runner of the
//! specification's tests) is driven by these two, so that all agree on what can be reached.
//!
//! [`Instructions`] reads; [`Walk`] is told each instruction, keeps the open blocks, and answers with a [`Step`]. What
//! its owner knows of each block travels along with it, as `B`. Say:
//!
//! ```text
//! block            Open      two blocks are open: the function and this one
//!   local.get 0    Next
//!   br_if 0        Branch    the block is branched to; control also goes on to the next instruction
//!   br 1           Branch    the function is branched to; nothing leads to the next instruction
//!   i32.const 1    Unreached
//!   drop           Unreached
//! end              End       nothing falls out of the block, but it was branched to: the next instruction is reached
//! end              End       the function's: no block is open any more
//! ```

use super::operators::{Flow, OF_GUEST, Row, memory_of, of_shared, row};
use super::types::MemoryType;
use crate::base::{Error, ErrorKind, FuncIndex, Result, WasmOffset};
use std::fmt::Display;
use std::sync::Arc;
use wasmparser::{BinaryReader, BlockType, Catch, FunctionBody, Operator, OperatorsReader};

/// The opcodes of `else`, `end` and `try_table`, and of what ends a part of a `try`, or all of it.
const ELSE: u8 = 0x05;
const END: u8 = 0x0b;
const TRY_TABLE: u8 = 31;
const CATCH: u8 = 0x07;
const CATCH_ALL: u8 = 0x19;
const DELEGATE: u8 = 0x18;

/// The opcode of `return`.
const RETURN: u8 = 15;

/// The opcodes of tail calls: `return_call`, `return_call_indirect` and `return_call_ref`.
const TAIL_CALLS: [u8; 3] = [0x12, 0x13, 0x15];

/// Whether the instruction at an offset of a module hands its frame on to the function that it calls.
pub fn is_tail_call(binary: &[u8], at: WasmOffset) -> bool {
    binary.get(at.index()).is_some_and(|opcode| TAIL_CALLS.contains(opcode))
}

/// Whether the instruction at an offset of a module is `loop`.
pub fn is_loop(binary: &[u8], at: WasmOffset) -> bool {
    binary.get(at.index()) == Some(&LOOP)
}

/// Whether the instruction at an offset of a module is `return`.
pub fn is_return(binary: &[u8], at: WasmOffset) -> bool {
    binary.get(at.index()) == Some(&RETURN)
}

/// What an instruction calls, as far as it says so by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// This function.
    Func(FuncIndex),
    /// What the reference on top of the operands refers to.
    Reference,
}

/// What the instruction at an offset of a module calls: [`None`] for one that calls nothing, hands its frame on, or
/// takes the function from a table.
pub fn called(binary: &[u8], at: WasmOffset) -> Option<Called> {
    let mut reader = OperatorsReader::new(BinaryReader::new(binary.get(at.index()..)?, u64::from(at.get())));
    match reader.read().ok()? {
        Operator::Call { function_index } => Some(Called::Func(FuncIndex::new(function_index))),
        Operator::CallRef { .. } => Some(Called::Reference),
        _ => None,
    }
}

/// The opcodes of `block`, `loop` and `try`.
const LOOP: u8 = 0x03;
const OPEN_BLOCKS: [u8; 3] = [0x02, LOOP, 0x06];

/// What the types of references that are written out begin with.
const REF: u8 = 0x64;
const REF_NULL: u8 = 0x63;

/// The first of a run of instructions that does more than mark where a block begins or ends; the last one where none
/// does. A branch to the run comes out at one of those marks, or at this instruction. `run` begins at an instruction,
/// and is not empty.
pub fn behind_structure(binary: &[u8], run: std::ops::Range<WasmOffset>) -> WasmOffset {
    let mut at = run.start.index();
    loop {
        let next = match binary.get(at) {
            Some(&(ELSE | END)) => at + 1,
            Some(opcode) if OPEN_BLOCKS.contains(opcode) => {
                // The block's type is a number in LEB128 or a byte that looks like one, after `ref` two.
                let number = |at: usize| at + 1 + binary[at..].iter().take_while(|byte| **byte & 0x80 != 0).count();
                match binary.get(at + 1) {
                    Some(&(REF | REF_NULL)) => number(at + 2),
                    Some(_) => number(at + 1),
                    None => at + 1,
                }
            }
            _ => return WasmOffset::from_usize(at),
        };
        if next >= run.end.index() {
            return WasmOffset::from_usize(at);
        }
        at = next;
    }
}

/// A fault of our own: a body that was validated is not what it should be.
#[cold]
pub fn unreadable(what: impl Display) -> Error {
    Error::new(ErrorKind::Panic, format!("fault of the compiler: a validated body cannot be read: {what}"))
}

/// An instruction of a body.
pub struct Instruction<'a> {
    /// Where it is.
    pub at: WasmOffset,
    /// What it is here.
    pub operator: Operator<'a>,
    /// What it is anywhere.
    pub row: &'static Row,
}

/// Reads the instructions of a validated body one by one, from anywhere in it.
pub struct Instructions<'a> {
    reader: OperatorsReader<'a>,
    /// How many blocks are open whose beginning the reader has seen; the function is one.
    inside: u32,
}

impl<'a> Instructions<'a> {
    /// All of a body.
    ///
    /// # Errors
    /// [`ErrorKind::Panic`] for a fault of our own.
    pub fn of(body: &FunctionBody<'a>) -> Result<Self> {
        Ok(Instructions { reader: body.get_operators_reader().map_err(unreadable)?, inside: 1 })
    }

    /// Those of a body from the one at `at` on.
    ///
    /// # Errors
    /// [`ErrorKind::Panic`] for a fault of our own.
    pub fn starting_at(body: &FunctionBody<'a>, at: WasmOffset) -> Result<Self> {
        let skipped = u64::from(at.get()).checked_sub(body.range().start);
        let skipped = skipped.ok_or_else(|| unreadable("an instruction outside it"))?;
        let mut reader = body.get_binary_reader();
        reader.read_bytes(skipped as usize).map_err(unreadable)?;
        Ok(Instructions { reader: OperatorsReader::new(reader), inside: 0 })
    }

    /// Inlined where it is called, for an operator is large: handed over, it would be copied just after it was written,
    /// three times.
    #[inline(always)]
    fn read(&mut self) -> Result<Instruction<'a>> {
        let at = self.reader.original_position() as u32;
        let operator = match self.inside {
            0 => self.read_outside()?,
            _ => self.reader.read().map_err(unreadable)?,
        };
        let row = row(&operator).ok_or_else(|| unreadable(format_args!("no row of {operator:?}")))?;
        match row.flow {
            Flow::Block | Flow::Loop | Flow::If => self.inside += 1,
            Flow::End => self.inside = self.inside.saturating_sub(1),
            _ => {}
        }
        Ok(Instruction { at: WasmOffset::new(at), operator, row })
    }

    /// Reads one that is in no block whose beginning was seen. wasmparser's reader takes an `else` only where it has
    /// read the `if`, a clause only where it has read the `try`, and nothing behind the `end` of what it takes for the
    /// function.
    #[inline(never)]
    fn read_outside(&mut self) -> Result<Operator<'a>> {
        let mut ahead = self.reader.get_binary_reader();
        let operator = match ahead.read_u8().map_err(unreadable)? {
            ELSE => Operator::Else,
            END => Operator::End,
            CATCH => Operator::Catch { tag_index: ahead.read_var_u32().map_err(unreadable)? },
            CATCH_ALL => Operator::CatchAll,
            DELEGATE => Operator::Delegate { relative_depth: ahead.read_var_u32().map_err(unreadable)? },
            _ => return self.reader.read().map_err(unreadable),
        };
        self.reader = OperatorsReader::new(ahead);
        Ok(operator)
    }
}

impl<'a> Iterator for Instructions<'a> {
    type Item = Result<Instruction<'a>>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.eof() { None } else { Some(self.read()) }
    }
}

/// What kind of block is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// `block`, `try_table`, `try`, or the function itself.
    Block,
    /// `loop`
    Loop,
    /// `if` before its `else`.
    If,
    /// `if` behind its `else`.
    Else,
}

/// An open block.
#[derive(Debug)]
pub struct OpenBlock<B> {
    /// What kind it is by now.
    pub kind: BlockKind,
    /// Whether anything led back to it, for a loop; behind its end, for another: a branch, or the way from before its
    /// `else` or a clause.
    pub branched: bool,
    /// Whether exceptions lead behind its end, as far as the walk knows where they lead: see [`Caught`]. Or a region is
    /// to begin there for another reason.
    pub caught: bool,
    /// What the walk's owner knows of it.
    pub known: B,
}

/// The blocks behind whose end exceptions lead that are caught in the function: where they begin. A loop is none of
/// them, nor is the function.
#[derive(Clone, Debug, Default)]
struct Caught(Option<Arc<[WasmOffset]>>);

impl Caught {
    /// Those of a body. Most bodies have none, and are not looked through.
    ///
    /// # Errors
    /// [`ErrorKind::Panic`] for a fault of our own.
    fn of(body: &FunctionBody<'_>) -> Result<Caught> {
        if !body.as_bytes().contains(&TRY_TABLE) {
            return Ok(Caught::default());
        }
        let mut caught = Vec::new();
        let mut walk = Walk::over_all(None);
        for instruction in Instructions::of(body)? {
            let instruction = instruction?;
            if let Step::Open(_) = walk.step(&instruction)? {
                for label in catch_labels(&instruction.operator) {
                    // The block that the instruction has opened is in between.
                    let target = walk.target(label + 1)?;
                    caught.extend(target.known.filter(|_| target.kind != BlockKind::Loop));
                }
                walk.innermost()?.known = Some(instruction.at);
            }
        }
        caught.sort_unstable();
        caught.dedup();
        Ok(Caught((!caught.is_empty()).then(|| caught.into())))
    }

    /// Whether the block is one of them that the instruction at `at` opens.
    fn has(&self, at: WasmOffset) -> bool {
        self.0.as_ref().is_some_and(|caught| caught.binary_search(&at).is_ok())
    }
}

/// The labels of the catch clauses of a `try_table`, counted from outside of it; of no other instruction.
pub fn catch_labels<'a>(operator: &'a Operator<'_>) -> impl Iterator<Item = u32> + 'a {
    let catches = match operator {
        Operator::TryTable { try_table } => &*try_table.catches,
        _ => &[],
    };
    catches.iter().map(|catch| match catch {
        Catch::One { label, .. } | Catch::OneRef { label, .. } | Catch::All { label } | Catch::AllRef { label } => {
            *label
        }
    })
}

/// What makes an instruction something else to a region than it is anywhere: where exceptions lead in its body, and
/// which memories of its module other threads may change; or that regions are not to go beyond a basic block.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    caught: Caught,
    /// Whether a region begins wherever ways of control part or meet.
    blocks: bool,
    /// For each memory of the module whether it is shared; nothing where none is.
    shared: Option<Arc<[bool]>>,
}

impl Surroundings {
    /// Those of a body of a module with these memories; with `blocks`, of regions that are basic blocks or less.
    ///
    /// # Errors
    /// [`ErrorKind::Panic`] for a fault of our own.
    pub fn of(memories: &[MemoryType], body: &FunctionBody<'_>, blocks: bool) -> Result<Surroundings> {
        let shared = memories.iter().any(|memory| memory.shared);
        let shared = shared.then(|| memories.iter().map(|memory| memory.shared).collect());
        Ok(Surroundings { caught: Caught::of(body)?, blocks, shared })
    }

    /// The bytes of memory that they take.
    pub fn bytes(&self) -> usize {
        self.caught.0.as_deref().map_or(0, size_of_val) + self.shared.as_deref().map_or(0, size_of_val)
    }

    /// Whether a region begins behind the end of what is opened at `at`.
    fn ends_behind(&self, at: WasmOffset) -> bool {
        self.blocks || self.caught.has(at)
    }

    /// Whether an instruction is on a shared memory.
    fn is_on_shared(&self, operator: &Operator<'_>) -> bool {
        let shared = |shared: &Arc<[bool]>| memory_of(operator).is_some_and(|memory| shared[memory as usize]);
        self.shared.as_ref().is_some_and(shared)
    }
}

/// What an instruction does to the flow of control. The walk has taken the step when it says so.
#[derive(Debug)]
pub enum Step<B> {
    /// Nothing leads to it.
    Unreached,
    /// On to the next one.
    Next,
    /// The innermost block, of this type, has been opened by it; what its owner knows of it is still to be filled in.
    Open(BlockType),
    /// The innermost block goes on with its `else`.
    Else {
        /// Whether control falls out of what is before it.
        fallen: bool,
    },
    /// The innermost block, a `try`, goes on with a clause.
    Catch {
        /// Whether control falls out of what is before it.
        fallen: bool,
    },
    /// The innermost block ends.
    End {
        /// That block.
        block: OpenBlock<B>,
        /// Whether control falls out of it.
        fallen: bool,
    },
    /// To its [`targets`], or to the next instruction if that is still reached.
    Branch,
    /// Out of the function.
    Leave,
}

/// A walk over a body, or the part of one.
#[derive(Debug)]
pub struct Walk<B> {
    /// How many blocks are open around those in `open`.
    around: usize,
    open: Vec<OpenBlock<B>>,
    reached: bool,
    /// Whether all instructions are taken for reached.
    all: bool,
    /// Blocks that were opened since nothing is reached.
    skipped: u32,
    /// What it is in.
    surroundings: Surroundings,
}

impl<B: Default> Walk<B> {
    /// From the start of a function, of which its owner knows this.
    pub fn new(function: B) -> Self {
        let mut walk = Walk::inside(0);
        walk.open_known(BlockKind::Block, (false, false), function);
        walk
    }

    /// The same, but every instruction counts as reached.
    pub fn over_all(function: B) -> Self {
        Walk { all: true, ..Walk::new(function) }
    }

    /// From an instruction that is reached, inside so many blocks of which nothing has to be known.
    pub fn inside(around: usize) -> Self {
        let surroundings = Surroundings::default();
        Walk { around, open: Vec::new(), reached: true, all: false, skipped: 0, surroundings }
    }

    /// Says what the body is in: a walk that asks what a region is has to know.
    pub fn set_surroundings(&mut self, surroundings: Surroundings) {
        self.surroundings = surroundings;
    }

    /// Says of a block that was open where the walk begins, the innermost so far, whether anything led back to it or
    /// behind it, and whether exceptions do.
    pub fn open_known(&mut self, kind: BlockKind, (branched, caught): (bool, bool), known: B) {
        self.open.push(OpenBlock { kind, branched, caught, known });
    }

    /// What the next instruction, which is reached, is where it stands.
    pub fn row(&self, instruction: &Instruction<'_>) -> &'static Row {
        let row = instruction.row;
        let caught = match row.flow {
            Flow::Next if self.surroundings.is_on_shared(&instruction.operator) => return of_shared(row),
            Flow::If => self.surroundings.ends_behind(instruction.at),
            Flow::BranchIf => self.surroundings.blocks,
            Flow::Else | Flow::Catch | Flow::End => self.open.last().is_some_and(|block| block.caught),
            _ => false,
        };
        if !caught {
            return row;
        }
        OF_GUEST.iter().find(|other| other.flow == row.flow).unwrap_or(row)
    }

    /// Whether control gets to the next instruction.
    pub fn reached(&self) -> bool {
        self.reached
    }

    /// How many blocks are open, the function among them. None: it has ended.
    pub fn depth(&self) -> usize {
        self.around + self.open.len()
    }

    /// Whether a branch to this depth leaves the function.
    pub fn leaves(&self, depth: u32) -> bool {
        depth as usize + 1 == self.depth()
    }

    /// The innermost block.
    ///
    /// # Errors
    /// [`ErrorKind::Panic`] for a fault of our own.
    pub fn innermost(&mut self) -> Result<&mut OpenBlock<B>> {
        self.target(0)
    }

    /// The block that a branch to this depth goes to.
    ///
    /// # Errors
    /// [`ErrorKind::Panic`] for a fault of our own.
    pub fn target(&mut self, depth: u32) -> Result<&mut OpenBlock<B>> {
        let index = self.open.len().checked_sub(depth as usize + 1);
        index.map(|index| &mut self.open[index]).ok_or_else(|| unreadable("no such block is open"))
    }

    /// Ends the walk: the blocks that are open, the innermost last.
    pub fn take_open(&mut self) -> Vec<OpenBlock<B>> {
        std::mem::take(&mut self.open)
    }

    /// Goes over the next instruction.
    ///
    /// # Errors
    /// [`ErrorKind::Panic`] for a fault of our own.
    #[inline]
    pub fn step(&mut self, Instruction { at, operator, row }: &Instruction<'_>) -> Result<Step<B>> {
        let flow = row.flow;
        if !self.reached && !self.comes_back(flow) {
            return Ok(Step::Unreached);
        }
        let fallen = self.reached;
        Ok(match (flow, operator) {
            (Flow::Next, _) => Step::Next,
            (Flow::Block, Operator::Block { blockty }) => self.open(*at, BlockKind::Block, *blockty),
            (Flow::Block, Operator::TryTable { try_table }) => {
                for depth in catch_labels(operator) {
                    self.branch_to(depth)?;
                }
                self.open(*at, BlockKind::Block, try_table.ty)
            }
            (Flow::Block, Operator::Try { blockty }) => self.open(*at, BlockKind::Block, *blockty),
            (Flow::Loop, Operator::Loop { blockty }) => self.open(*at, BlockKind::Loop, *blockty),
            (Flow::If, Operator::If { blockty }) => self.open(*at, BlockKind::If, *blockty),
            (Flow::Else, _) => {
                let block = self.innermost()?;
                block.kind = BlockKind::Else;
                block.branched |= fallen;
                self.reached = true;
                Step::Else { fallen }
            }
            (Flow::Catch, _) => {
                self.innermost()?.branched |= fallen;
                self.reached = true;
                Step::Catch { fallen }
            }
            (Flow::End, _) => {
                let block = self.open.pop().ok_or_else(|| unreadable("no block is open"))?;
                let joined = match block.kind {
                    BlockKind::Block | BlockKind::Else => block.branched,
                    BlockKind::If => true,
                    BlockKind::Loop => false,
                };
                self.reached = fallen || joined;
                Step::End { block, fallen }
            }
            (Flow::Branch | Flow::BranchIf, _) => {
                for depth in targets(operator) {
                    self.branch_to(depth?)?;
                }
                self.reached = self.all || flow == Flow::BranchIf;
                Step::Branch
            }
            (Flow::Leave, _) => {
                self.reached = self.all;
                Step::Leave
            }
            _ => return Err(unreadable(format_args!("{operator:?} opens no block"))),
        })
    }

    /// Nothing is reached: whether control may come back with this instruction.
    fn comes_back(&mut self, flow: Flow) -> bool {
        match flow {
            Flow::Block | Flow::Loop | Flow::If => self.skipped += 1,
            Flow::Else | Flow::Catch => return self.skipped == 0,
            Flow::End if self.skipped == 0 => return true,
            Flow::End => self.skipped -= 1,
            _ => {}
        }
        false
    }

    /// Something leads to the block at this depth.
    fn branch_to(&mut self, depth: u32) -> Result<()> {
        // The function may be one of those of which nothing is known.
        if (depth as usize) < self.open.len() || !self.leaves(depth) {
            self.target(depth)?.branched = true;
        }
        Ok(())
    }

    fn open(&mut self, at: WasmOffset, kind: BlockKind, ty: BlockType) -> Step<B> {
        let caught = kind != BlockKind::Loop && self.surroundings.ends_behind(at);
        self.open.push(OpenBlock { kind, branched: false, caught, known: B::default() });
        Step::Open(ty)
    }
}

/// The depths of the blocks that a branch goes to; of a `br_table` the default comes last.
pub fn targets<'a>(operator: &'a Operator<'_>) -> impl Iterator<Item = Result<u32>> + 'a {
    let (table, last) = match operator {
        Operator::Br { relative_depth }
        | Operator::BrIf { relative_depth }
        | Operator::BrOnNull { relative_depth }
        | Operator::BrOnNonNull { relative_depth }
        | Operator::BrOnCast { relative_depth, .. }
        | Operator::BrOnCastFail { relative_depth, .. } => (None, Some(*relative_depth)),
        Operator::BrTable { targets } => (Some(targets.targets()), Some(targets.default())),
        _ => (None, None),
    };
    let table = table.into_iter().flatten().map(|depth| depth.map_err(unreadable));
    table.chain(last.map(Ok))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::DefinedFuncIndex;
    use crate::wasm::{Features, ModuleInfo, parse};

    /// The only function of a module, whose type is `(func (param i32) (result i32))`.
    fn function(text: &str) -> (Vec<u8>, ModuleInfo) {
        // So many tags that the index of the last takes two bytes.
        let tags = "(tag)".repeat(301);
        let binary = wat::parse_str(format!("(module {tags} (func (param i32) (result i32) {text}))")).unwrap();
        let features = Features { legacy_exceptions: true, ..Features::default() };
        let info = parse(&binary, features, false).unwrap();
        (binary, info)
    }

    /// Each step of a walk in a word, with how many blocks are open behind it, and a `-` where nothing leads to what
    /// follows.
    fn steps(text: &str, mut walk: Walk<()>) -> Vec<String> {
        let (binary, info) = function(text);
        let instructions = Instructions::of(&info.body(DefinedFuncIndex::new(0), &binary).unwrap()).unwrap();
        let step = |instruction: Result<Instruction<'_>>| {
            let step = match walk.step(&instruction.unwrap()).unwrap() {
                Step::End { fallen, .. } => format!("end {fallen}"),
                Step::Else { fallen } => format!("else {fallen}"),
                Step::Catch { fallen } => format!("catch {fallen}"),
                step => format!("{step:?}").split('(').next().unwrap().to_lowercase(),
            };
            format!("{step} {}{}", walk.depth(), if walk.reached() { "" } else { "-" })
        };
        instructions.map(step).collect()
    }

    #[test]
    fn what_nothing_leads_to_is_not_reached() {
        let text = "block local.get 0 br_if 0 i32.const 1 br 1 i32.const 1 drop end i32.const 2";
        let expected = [
            "open 2",
            "next 2",
            "branch 2",
            "next 2",
            "branch 2-",
            "unreached 2-",
            "unreached 2-",
            "end false 1",
            "next 1",
            "end true 0",
        ];
        assert_eq!(steps(text, Walk::new(())), expected);
        let all = steps(text, Walk::over_all(()));
        assert!(all.iter().all(|step| !step.contains("unreached") && !step.contains('-')), "{all:?}");
        // Blocks in what is not reached are no blocks; `else` and `end` bring control back, or do not.
        let cases: [(&str, &[&str]); 10] = [
            (
                "unreachable block loop end end",
                &["leave 1-", "unreached 1-", "unreached 1-", "unreached 1-", "unreached 1-", "end false 0-"],
            ),
            (
                "local.get 0 if (result i32) i32.const 1 return else i32.const 2 end",
                &["next 1", "open 2", "next 2", "leave 2-", "else false 2", "next 2", "end true 1", "end true 0"],
            ),
            (
                "i32.const 1 local.get 0 if unreachable end",
                &["next 1", "next 1", "open 2", "leave 2-", "end false 1", "end true 0"],
            ),
            (
                "i32.const 1 local.get 0 if br 0 else unreachable end",
                &["next 1", "next 1", "open 2", "branch 2-", "else false 2", "leave 2-", "end false 1", "end true 0"],
            ),
            // A clause is come to from a call.
            (
                "try br 0 catch_all unreachable end i32.const 1",
                &["open 2", "branch 2-", "catch false 2", "leave 2-", "end false 1", "next 1", "end true 0"],
            ),
            (
                "try unreachable catch_all end i32.const 1",
                &["open 2", "leave 2-", "catch false 2", "end true 1", "next 1", "end true 0"],
            ),
            (
                "try nop catch_all unreachable end i32.const 1",
                &["open 2", "next 2", "catch true 2", "leave 2-", "end false 1", "next 1", "end true 0"],
            ),
            (
                "try unreachable delegate 0 i32.const 1",
                &["open 2", "leave 2-", "end false 1-", "unreached 1-", "end false 0-"],
            ),
            (
                "unreachable try catch_all end",
                &["leave 1-", "unreached 1-", "unreached 1-", "unreached 1-", "end false 0-"],
            ),
            // Nothing comes out of a loop by a branch to it.
            ("loop br 0 end i32.const 1", &["open 2", "branch 2-", "end false 1-", "unreached 1-", "end false 0-"]),
        ];
        for (text, expected) in cases {
            assert_eq!(steps(text, Walk::new(())), expected, "{text}");
        }
    }

    #[test]
    fn tail_calls_are_told_by_their_opcodes() {
        let text = "(module (type (func)) (table 1 funcref) (func (local i32)
            (block (block (block (br_table 0 1 2 (i32.const 18))) return_call 0)
            (return_call_indirect (type 0) (i32.const 19))) i32.const 18 drop (if (i32.const 21)
            (then (return_call_ref 0 (ref.null 0)))) local.get 0 drop call 0
            (call_indirect (type 0) (i32.const 0)) return))";
        let binary = wat::parse_str(text).unwrap();
        let info = parse(&binary, Features::default(), false).unwrap();
        let body = info.body(DefinedFuncIndex::new(0), &binary).unwrap();
        let mut told = Vec::new();
        for instruction in Instructions::of(&body).unwrap() {
            let Instruction { at, operator, .. } = instruction.unwrap();
            let name = format!("{operator:?}");
            assert_eq!(is_tail_call(&binary, at), name.starts_with("ReturnCall"), "{name}");
            told.extend(is_tail_call(&binary, at).then_some(operator));
        }
        assert_eq!(told.len(), 3, "{told:?}");
    }

    #[test]
    fn the_instructions_are_the_same_from_anywhere() {
        let (binary, info) = function(
            "local.get 0 if (result i32) block loop local.get 0 br_if 1 end end i32.const 1 else
             local.get 0 if nop else nop end
             try try nop catch 300 nop catch 0 catch_all nop end delegate 0 i32.const 2 end",
        );
        let body = info.body(DefinedFuncIndex::new(0), &binary).unwrap();
        let listed = |instructions: Instructions<'_>| -> Vec<(WasmOffset, String)> {
            let row = |instruction: Instruction<'_>| (instruction.at, format!("{:?}", instruction.operator));
            instructions.map(|instruction| row(instruction.unwrap())).collect()
        };
        let all = listed(Instructions::of(&body).unwrap());
        assert_eq!(all.len(), 29);
        for (i, (at, _)) in all.iter().enumerate() {
            assert_eq!(listed(Instructions::starting_at(&body, *at).unwrap()), all[i..], "from {i}");
        }
    }
}
