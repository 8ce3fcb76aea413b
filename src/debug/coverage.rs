//! What of a store's modules has been reached: marks that are kept without calling anybody. Each basic block has one,
//! at the stop point that it begins with, and behind each call there is another; so debug code is to be of a kind in
//! which these have stop points of their own. A mark is armed until the guest comes to it. Those that it has come to
//! are taken back together, when there are many or the guest comes to one again; from then on they cost nothing.
//!
//! Of a branch, the side that leads to a block of its own is known by that block's mark. Where a side leads to what
//! others lead to as well, a mark stands on the side itself, in code whose regions are basic blocks: so one that is
//! never taken costs nothing either, however often the branch goes the other way.

use super::branches::{Branch, Witness, branches_of};
use super::layers;
use super::places::site_of;
use crate::base::{DefinedFuncIndex, Error, ErrorKind, FuncIndex, Result, WasmOffset};
use crate::code::{CodeRegistry, CodeSlot};
use crate::image::{ImageTables, SiteId};
use crate::runtime::{AsStore, DebugTier, Module, ModuleId, Side, StoreMut};
use crate::wasm::{Class, Instructions};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// So many marks that the guest has come to are taken back at once.
const AT_ONCE: usize = 256;

/// What has been reached of a module.
#[derive(Clone, Debug)]
pub struct Coverage {
    module: Module,
    blocks: Vec<CoveredBlock>,
    branches: Vec<CoveredBranch>,
}

/// Instructions that are reached together, but for traps among them: a basic block, or what is between two calls of
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoveredBlock {
    /// Its function.
    pub func: FuncIndex,
    /// The first instruction.
    pub start: WasmOffset,
    /// Where the next one begins, or the function ends. What is between the two and cannot be reached belongs to none.
    pub end: WasmOffset,
    /// Whether a guest has come to the first instruction.
    pub reached: bool,
}

/// An instruction from which control goes one of several ways: `if`, `br_if`, `br_on_null` and its kin, or a `br_table`
/// of more than one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoveredBranch {
    /// Its function.
    pub func: FuncIndex,
    /// Where it is.
    pub at: WasmOffset,
    /// Its sides: where the condition holds first, then where it does not; of a `br_table` each block that it names
    /// once, in the order in which they are named, the default last. If no guest has come to it, none is reached.
    pub sides: Vec<CoveredSide>,
}

/// A side of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoveredSide {
    /// The instruction that it leads to; where the function's body ends, if that is out of the function.
    pub to: WasmOffset,
    /// Whether a guest has taken it.
    pub reached: bool,
}

/// The marks of a store.
#[derive(Default)]
pub(super) struct Marks {
    /// Whether modules that come later get marks, too.
    all: bool,
    modules: Vec<Marked>,
    /// Marks that are armed, but reached: the module's place, and the mark's.
    reached: Vec<(usize, usize)>,
}

/// A module with marks.
struct Marked {
    module: Module,
    slot: CodeSlot,
    /// Ascending.
    marks: Vec<Mark>,
    /// By their offsets; none where marks on sides have no stop points.
    branches: Branches,
    /// Other code of its functions, in which marks are armed as well.
    also: Vec<(DefinedFuncIndex, CodeSlot)>,
}

/// The branches of a module, each with its function.
type Branches = Vec<(DefinedFuncIndex, Branch)>;

struct Mark {
    /// The instruction; of a mark on a side of a branch, the place there.
    at: WasmOffset,
    on_side: bool,
    func: DefinedFuncIndex,
    site: SiteId,
    state: MarkState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum MarkState {
    Armed,
    /// And armed still.
    Reached,
    Gone,
}

impl Marks {
    /// Sets the marks of a module, or of all that are there and come.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where debug code has no stop points for them, or the store not the module; those of arming,
    /// which leave all as it was.
    pub(super) fn add(&mut self, store: &mut StoreMut<'_>, module: Option<&Module>) -> Result<()> {
        if store.engine().config().debug_tier == DebugTier::Regions {
            let message = "coverage needs debug code with a stop point in each basic block; configure the engine with \
                           the debug tier `Blocks`";
            return Err(Error::new(ErrorKind::State, message));
        }
        let Some(module) = module else {
            let modules: Vec<Module> = store.modules().cloned().collect();
            modules.iter().try_for_each(|module| self.add_module(store, module))?;
            self.all = true;
            return Ok(());
        };
        if store.code_slot(module.id()).is_none() {
            let message = "the store has no instance of the module yet, whose coverage is asked for";
            return Err(Error::new(ErrorKind::State, message));
        }
        self.add_module(store, module)
    }

    fn add_module(&mut self, store: &mut StoreMut<'_>, module: &Module) -> Result<()> {
        let Some(slot) = store.code_slot(module.id()) else { return Ok(()) };
        if self.modules.iter().any(|marked| marked.module.id() == module.id()) {
            return Ok(());
        }
        let (marks, branches) = marks_of(module)?;
        let sites: Vec<(CodeSlot, SiteId)> = marks.iter().map(|mark| (slot, mark.site)).collect();
        layers::add_sites(store, &sites)?;
        let also: Vec<_> = store.as_store().other_slots(module.id()).collect();
        self.modules.push(Marked { module: module.clone(), slot, marks, branches, also: Vec::new() });
        also.into_iter().try_for_each(|(func, other)| self.arm_also(store, slot, other, func))
    }

    /// The store has the code of another module.
    pub(super) fn module_registered(&mut self, store: &mut StoreMut<'_>, module: ModuleId) -> Result<()> {
        if !self.all {
            return Ok(());
        }
        let module = store.modules().find(|known| known.id() == module).cloned();
        module.map_or(Ok(()), |module| self.add_module(store, &module))
    }

    /// A function is run in some other code as well: the marks that are left are armed there.
    pub(super) fn arm_also(
        &mut self,
        store: &mut StoreMut<'_>,
        slot: CodeSlot,
        also: CodeSlot,
        func: DefinedFuncIndex,
    ) -> Result<()> {
        let is_here = |marked: &&mut Marked| {
            marked.slot == slot || marked.also.iter().any(|(known, other)| (*known, *other) == (func, slot))
        };
        let Some(marked) = self.modules.iter_mut().find(is_here) else { return Ok(()) };
        if marked.slot == also || marked.also.contains(&(func, also)) {
            return Ok(());
        }
        let left = marked.marks.iter().filter(|mark| mark.func == func && mark.state != MarkState::Gone);
        let sites: Vec<_> = left.filter_map(|mark| Some((also, mark.site_in(store.registry(), also)?))).collect();
        layers::add_sites(store, &sites)?;
        marked.also.push((func, also));
        Ok(())
    }

    /// Whether there are none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// The guest has come to a stop point.
    #[inline]
    pub(super) fn reach(&mut self, store: &mut StoreMut<'_>, slot: CodeSlot, at: WasmOffset) -> Result<()> {
        if self.is_empty() || !self.mark(slot, at) {
            return Ok(());
        }
        let sites = self.reached_sites(store.registry());
        layers::remove_sites(store, &sites)?;
        self.forget_reached();
        Ok(())
    }

    /// The guest takes a side of a branch.
    pub(super) fn reach_side(&mut self, side: &mut Side<'_>) -> Result<()> {
        if !self.mark(side.slot(), side.at()) {
            return Ok(());
        }
        let sites = self.reached_sites(side.registry());
        layers::remove_sites_at_side(side, &sites)?;
        self.forget_reached();
        Ok(())
    }

    /// Notes it. Whether those that were reached are to be taken back now.
    fn mark(&mut self, slot: CodeSlot, at: WasmOffset) -> bool {
        let is_here = |marked: &Marked| marked.slot == slot || marked.also.iter().any(|also| also.1 == slot);
        let Some(place) = self.modules.iter().position(is_here) else { return false };
        let marks = &mut self.modules[place].marks;
        let Ok(index) = marks.binary_search_by_key(&at, |mark| mark.at) else { return false };
        match marks[index].state {
            MarkState::Armed => {
                marks[index].state = MarkState::Reached;
                self.reached.push((place, index));
                self.reached.len() >= AT_ONCE
            }
            MarkState::Reached => true,
            // Another wants it.
            MarkState::Gone => false,
        }
    }

    /// What is armed of what was reached.
    #[cold]
    fn reached_sites(&self, registry: &CodeRegistry) -> Vec<(CodeSlot, SiteId)> {
        let mut sites = Vec::with_capacity(self.reached.len());
        for &(place, index) in &self.reached {
            let marked = &self.modules[place];
            let mark = &marked.marks[index];
            sites.push((marked.slot, mark.site));
            let also = marked.also.iter().filter(|(func, _)| *func == mark.func);
            sites.extend(also.filter_map(|(_, slot)| Some((*slot, mark.site_in(registry, *slot)?))));
        }
        sites
    }

    /// It is armed no more.
    fn forget_reached(&mut self) {
        for (place, index) in self.reached.drain(..) {
            self.modules[place].marks[index].state = MarkState::Gone;
        }
    }

    /// What has been reached, of each module that has marks.
    pub(super) fn all(&self) -> Vec<Coverage> {
        self.modules.iter().map(Marked::coverage).collect()
    }
}

impl Mark {
    /// The site of a mark in other code of its function.
    fn site_in(&self, registry: &CodeRegistry, slot: CodeSlot) -> Option<SiteId> {
        let tables = registry.get(slot)?.engine.tables();
        if self.on_side { tables.side_at(self.at) } else { site_of(tables, self.at) }
    }

    fn is_reached(&self) -> bool {
        self.state != MarkState::Armed
    }
}

impl Marked {
    fn coverage(&self) -> Coverage {
        let info = self.module.info();
        let mut blocks = Vec::with_capacity(self.marks.len());
        let mut of_blocks = self.marks.iter().filter(|mark| !mark.on_side).peekable();
        while let Some(mark) = of_blocks.next() {
            let next = of_blocks.peek().filter(|next| next.func == mark.func);
            let end =
                next.map_or_else(|| WasmOffset::from_usize(info.bodies[mark.func.index()].bytes.end), |next| next.at);
            blocks.push(CoveredBlock {
                func: info.func_index(mark.func),
                start: mark.at,
                end,
                reached: mark.is_reached(),
            });
        }
        // Of what the compiler has found to be never reached there is no mark.
        let is_reached = |at: WasmOffset| {
            let mark = self.marks.binary_search_by_key(&at, |mark| mark.at);
            mark.is_ok_and(|mark| self.marks[mark].is_reached())
        };
        let branches = self.branches.iter().map(|(func, branch)| {
            let side = |side| {
                let (Witness::Instruction(at) | Witness::OnSide(at)) = branch.witness(side);
                CoveredSide { to: side.to, reached: is_reached(at) }
            };
            let sides = branch.sides.iter().map(side).collect();
            CoveredBranch { func: info.func_index(*func), at: branch.at, sides }
        });
        Coverage { module: self.module.clone(), blocks, branches: branches.collect() }
    }
}

/// The marks of a module's debug code: where basic blocks begin, behind calls, and on sides of branches; and those
/// branches.
fn marks_of(module: &Module) -> Result<(Vec<Mark>, Branches)> {
    let code = module.debug_code(&|_, _| true)?;
    let tables: &ImageTables = code.tables();
    let (mut marks, mut branches) = (Vec::new(), Vec::new());
    for body in &module.info().bodies {
        let mut begins = true;
        for instruction in Instructions::of(&module.info().body(body.func, module.binary())?)? {
            let instruction = instruction?;
            if begins && let Some(site) = site_of(tables, instruction.at) {
                marks.push(Mark { at: instruction.at, on_side: false, func: body.func, site, state: MarkState::Armed });
            }
            begins = !instruction.row.flow.is_straight() || instruction.row.class == Class::Call;
        }
        // Without regions, code has no stop points on sides.
        if tables.regions {
            for branch in branches_of(module.info(), module.binary(), body.func)? {
                for side in &branch.sides {
                    if let Witness::OnSide(at) = branch.witness(side)
                        && let Some(site) = tables.side_at(at)
                    {
                        marks.push(Mark { at, on_side: true, func: body.func, site, state: MarkState::Armed });
                    }
                }
                branches.push((body.func, branch));
            }
        }
    }
    marks.sort_unstable_by_key(|mark| mark.at);
    Ok((marks, branches))
}

impl Coverage {
    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Its blocks, by their offsets.
    pub fn blocks(&self) -> &[CoveredBlock] {
        &self.blocks
    }

    /// Its branches, by their offsets, with which of their sides were taken. There are none where the engine's
    /// [`DebugTier`] is `Simple`: that is known in code of the kind `Blocks` alone.
    pub fn branches(&self) -> &[CoveredBranch] {
        &self.branches
    }

    /// What has been reached of the lines of its source, of its functions and of its branches, in the format of lcov's
    /// tracefiles: 1 for what was, 0 for what was not, `-` for the sides of a branch that was not come to. Nothing of a
    /// module without debug information.
    pub fn lcov(&self) -> String {
        #[derive(Default)]
        struct File<'a> {
            lines: BTreeMap<u32, bool>,
            functions: BTreeMap<(u32, String), bool>,
            /// By line.
            branches: BTreeMap<u32, Vec<&'a CoveredBranch>>,
        }
        let mut files: BTreeMap<&str, File<'_>> = BTreeMap::new();
        let mut rows = self.module.line_table();
        // An end says nothing where another sequence begins.
        rows.sort_by_key(|row| (row.offset, !row.end_of_sequence));
        for block in &self.blocks {
            // The line that it begins in the middle of, and those that begin in it.
            let first = rows.partition_point(|row| row.offset <= block.start).saturating_sub(1);
            for row in rows[first..].iter().take_while(|row| row.offset < block.end) {
                if let (Some(file), 1.., false) = (row.file, row.line, row.end_of_sequence) {
                    *files.entry(file).or_default().lines.entry(row.line).or_default() |= block.reached;
                }
            }
        }
        for branch in &self.branches {
            let row = rows.partition_point(|row| row.offset <= branch.at).checked_sub(1).map(|row| &rows[row]);
            if let Some(row) = row
                && let (Some(file), 1.., false) = (row.file, row.line, row.end_of_sequence)
            {
                files.entry(file).or_default().branches.entry(row.line).or_default().push(branch);
            }
        }
        let functions = self.module.function_list(0..u32::MAX);
        for function in &functions {
            let (Some(file), Some(name)) = (function.file, &function.name) else { continue };
            let first = self.blocks.partition_point(|block| Some(block.start) < function.entry);
            let Some(block) = self.blocks.get(first).filter(|block| block.func == function.function) else { continue };
            let known = &mut files.entry(file).or_default().functions;
            *known.entry((function.line, name.clone())).or_default() |= block.reached;
        }
        let mut text = String::new();
        for (name, File { lines, functions, branches }) in &files {
            // To write to a string fails never.
            let _ = write!(text, "TN:\nSF:{name}\n");
            for (line, name) in functions.keys() {
                let _ = writeln!(text, "FN:{line},{name}");
            }
            for ((_, name), reached) in functions {
                let _ = writeln!(text, "FNDA:{},{name}", u8::from(*reached));
            }
            let count = |reached: &mut dyn Iterator<Item = &bool>| reached.filter(|reached| **reached).count();
            let _ = write!(text, "FNF:{}\nFNH:{}\n", functions.len(), count(&mut functions.values()));
            let (mut found, mut taken) = (0usize, 0usize);
            for (line, branches) in branches {
                for (block, branch) in branches.iter().enumerate() {
                    let come_to = branch.sides.iter().any(|side| side.reached);
                    for (number, side) in branch.sides.iter().enumerate() {
                        let state = match side.reached {
                            true => "1",
                            false if come_to => "0",
                            false => "-",
                        };
                        let _ = writeln!(text, "BRDA:{line},{block},{number},{state}");
                        (found, taken) = (found + 1, taken + usize::from(side.reached));
                    }
                }
            }
            let _ = write!(text, "BRF:{found}\nBRH:{taken}\n");
            for (line, reached) in lines {
                let _ = writeln!(text, "DA:{line},{}", u8::from(*reached));
            }
            let _ = write!(text, "LF:{}\nLH:{}\nend_of_record\n", lines.len(), count(&mut lines.values()));
        }
        text
    }
}
