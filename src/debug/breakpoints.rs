//! The breakpoints of one debugger: which there are, where each was placed, which sites of which code it arms. At an
//! instruction inside a region no site stands: there a breakpoint arms those from which the instruction can be reached
//! without passing another, and rerun tells whether it is.

use super::layers;
use crate::base::{DefinedFuncIndex, Error, ErrorKind, FuncIndex, Result, WasmOffset, filled};
use crate::code::CodeSlot;
use crate::image::{ImageTables, RegionGraph, SiteId};
use crate::runtime::{Engine, Module, ModuleId, StoreMut};
use smallvec::SmallVec;

/// A breakpoint's name: unique in its debugger, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BreakpointId(u32);

impl BreakpointId {
    /// Its number, from 1 on.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The id of this number, whether or not there is such a breakpoint.
    pub fn new(number: u32) -> Self {
        BreakpointId(number)
    }
}

/// A breakpoint as it was placed.
#[derive(Clone)]
pub struct Breakpoint {
    /// Its name.
    pub id: BreakpointId,
    /// The module it is in.
    pub module: Module,
    /// The function it is in.
    pub func: FuncIndex,
    /// The offset that was asked for.
    pub requested: WasmOffset,
    /// The instruction it stands at: the first reachable one at or after `requested`.
    pub offset: WasmOffset,
}

/// The ids of the breakpoints at one instruction.
pub(super) type Hits = SmallVec<[BreakpointId; 2]>;

#[derive(Default)]
pub(super) struct Breakpoints {
    last: u32,
    /// In the order they were set, which is that of their ids.
    entries: Vec<Entry>,
    /// Those in code that is there, sorted: a stop looks its instruction up here.
    active: Vec<(CodeSlot, WasmOffset, BreakpointId)>,
    /// The functions with breakpoints inside regions, sorted.
    inside: Vec<Function>,
}

struct Entry {
    breakpoint: Breakpoint,
    func: DefinedFuncIndex,
    /// Its place in rerun code, if it is inside a region, and how many instructions that has.
    position: Option<(u32, usize)>,
    /// The sites to arm in the module's code.
    sites: SmallVec<[SiteId; 1]>,
    /// What is armed: in the module's code once the store has it, and in resume code of the function.
    armed: SmallVec<[(CodeSlot, SiteId); 1]>,
}

/// A function with breakpoints inside its regions.
struct Function {
    slot: CodeSlot,
    func: DefinedFuncIndex,
    /// How many.
    count: usize,
    /// A byte for each instruction of its rerun code: whether any is there.
    stops: Vec<u8>,
}

/// Where a breakpoint goes.
struct Target {
    offset: WasmOffset,
    position: Option<(u32, usize)>,
    sites: SmallVec<[SiteId; 1]>,
}

impl Breakpoints {
    /// All, in the order they were set.
    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = &Breakpoint> {
        self.entries.iter().map(|entry| &entry.breakpoint)
    }

    /// The one of this id.
    pub(super) fn get(&self, id: BreakpointId) -> Option<&Breakpoint> {
        self.find(id).map(|index| &self.entries[index].breakpoint)
    }

    fn find(&self, id: BreakpointId) -> Option<usize> {
        self.entries.binary_search_by_key(&id, |entry| entry.breakpoint.id).ok()
    }

    /// Places one at the first instruction at or after an offset that can be reached.
    pub(super) fn add(
        &mut self,
        store: &mut StoreMut<'_>,
        module: &Module,
        requested: WasmOffset,
    ) -> Result<Breakpoint> {
        let bodies = &module.info().bodies;
        let behind = bodies.partition_point(|body| body.bytes.end <= requested.index());
        let body = bodies.get(behind).filter(|body| body.bytes.start <= requested.index());
        let body = body.ok_or_else(|| {
            let message = match (bodies.first(), bodies.last()) {
                (Some(first), Some(last)) => format!(
                    "this offset is in no function's body; the module's are from {:#x} to {:#x}",
                    first.bytes.start, last.bytes.end
                ),
                _ => "this offset is in no function's body; the module has no functions".to_owned(),
            };
            Error::new(ErrorKind::Argument, message).at(requested)
        })?;
        self.set(store, module, body.func, Some(requested))
    }

    /// Places one at the first instruction of a function.
    pub(super) fn add_at_function(
        &mut self,
        store: &mut StoreMut<'_>,
        module: &Module,
        func: FuncIndex,
    ) -> Result<Breakpoint> {
        let info = module.info();
        if func.index() >= info.funcs.len() {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("there is no function {func}: the module has {}", info.funcs.len()),
            ));
        }
        let defined = info.defined(func).ok_or_else(|| {
            Error::new(
                ErrorKind::Argument,
                format!("function {func} is imported; set the breakpoint in the module that defines it"),
            )
        })?;
        self.set(store, module, defined, None)
    }

    /// Places one in a function, at or after what was asked for, or at its first instruction.
    fn set(
        &mut self,
        store: &mut StoreMut<'_>,
        module: &Module,
        func: DefinedFuncIndex,
        requested: Option<WasmOffset>,
    ) -> Result<Breakpoint> {
        if !Engine::same(store.engine(), module.engine()) {
            return Err(Error::new(ErrorKind::Argument, "the module was compiled by another engine than the store's"));
        }
        let info = module.info();
        // Every function has a first instruction, if only its `end`.
        let from = requested.unwrap_or_else(|| WasmOffset::from_usize(info.bodies[func.index()].bytes.start));
        let code = module.debug_code(&|_, _| true)?;
        let place = target(module, code.tables(), func, from)?.ok_or_else(|| {
            let func = info.func_index(func);
            let message = format!("no instruction of function {func} that can be reached is at or after this offset");
            Error::new(ErrorKind::Argument, message).at(from)
        })?;
        let breakpoint = Breakpoint {
            id: BreakpointId(self.last + 1),
            module: module.clone(),
            func: info.func_index(func),
            requested: requested.unwrap_or(place.offset),
            offset: place.offset,
        };
        self.entries.push(Entry {
            breakpoint: breakpoint.clone(),
            func,
            position: place.position,
            sites: place.sites,
            armed: SmallVec::new(),
        });
        if let Some(slot) = store.code_slot(module.id())
            && let Err(error) = self.activate(store, self.entries.len() - 1, slot)
        {
            self.entries.pop();
            return Err(error);
        }
        self.last += 1;
        Ok(breakpoint)
    }

    /// Arms a breakpoint in the module's code, which the store has in `slot`, and in resume code of its function. On an
    /// error nothing is armed.
    fn activate(&mut self, store: &mut StoreMut<'_>, index: usize, slot: CodeSlot) -> Result<()> {
        let entry = &self.entries[index];
        let mut sites: SmallVec<[(CodeSlot, SiteId); 1]> = entry.sites.iter().map(|site| (slot, *site)).collect();
        let offset = entry.breakpoint.offset;
        let module = entry.breakpoint.module.id();
        let mut slots: SmallVec<[CodeSlot; 2]> = SmallVec::from_slice(&[slot]);
        let resumed = store.resume_slots(module).filter(|resumed| resumed.0 == entry.func).map(|resumed| resumed.1);
        slots.extend(resumed);
        for resume in &slots[1..] {
            sites.extend(site_at(store, *resume, offset).map(|site| (*resume, site)));
        }
        let (id, func, position) = (entry.breakpoint.id, entry.func, entry.position);
        if let Some((_, instructions)) = position {
            self.make_function(slot, func, instructions)?;
        }
        layers::add_sites(store, &sites)?;
        self.entries[index].armed = sites;
        for slot in &slots {
            self.note_active(*slot, offset, id);
        }
        if let (Some((position, _)), Some(function)) = (position, self.function(slot, func)) {
            function.count += 1;
            function.stops[position as usize] = 1;
        }
        Ok(())
    }

    /// Arms the function's breakpoints in its resume code, those that are not yet.
    pub(super) fn arm_resume_code(
        &mut self,
        store: &mut StoreMut<'_>,
        slot: CodeSlot,
        resume: CodeSlot,
        func: DefinedFuncIndex,
    ) -> Result<()> {
        let mut found: SmallVec<[(usize, SiteId); 4]> = SmallVec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let armed = |slot: CodeSlot| entry.armed.iter().any(|armed| armed.0 == slot);
            let here = entry.func == func && armed(slot) && !armed(resume);
            if here && let Some(site) = site_at(store, resume, entry.breakpoint.offset) {
                found.push((index, site));
            }
        }
        let sites: SmallVec<[(CodeSlot, SiteId); 4]> = found.iter().map(|found| (resume, found.1)).collect();
        layers::add_sites(store, &sites)?;
        for (index, site) in found {
            let entry = &mut self.entries[index];
            entry.armed.push((resume, site));
            let (offset, id) = (entry.breakpoint.offset, entry.breakpoint.id);
            self.note_active(resume, offset, id);
        }
        Ok(())
    }

    fn note_active(&mut self, slot: CodeSlot, offset: WasmOffset, id: BreakpointId) {
        let at = self.active.partition_point(|entry| *entry < (slot, offset, id));
        self.active.insert(at, (slot, offset, id));
    }

    /// Where a function is among those that have breakpoints inside regions, or where it would be.
    fn place(&self, slot: CodeSlot, func: DefinedFuncIndex) -> std::result::Result<usize, usize> {
        self.inside.binary_search_by_key(&(slot, func), |function| (function.slot, function.func))
    }

    fn make_function(&mut self, slot: CodeSlot, func: DefinedFuncIndex, instructions: usize) -> Result<()> {
        if let Err(at) = self.place(slot, func) {
            let stops = filled(0, instructions, "the stops of a function")?;
            self.inside.insert(at, Function { slot, func, count: 0, stops });
        }
        Ok(())
    }

    fn function(&mut self, slot: CodeSlot, func: DefinedFuncIndex) -> Option<&mut Function> {
        let at = self.place(slot, func).ok()?;
        Some(&mut self.inside[at])
    }

    pub(super) fn remove(&mut self, store: &mut StoreMut<'_>, id: BreakpointId) -> Result<()> {
        let index = self.find(id).ok_or_else(|| {
            Error::new(ErrorKind::Argument, format!("there is no breakpoint {}; it may have been removed", id.0))
        })?;
        layers::remove_sites(store, &self.entries[index].armed)?;
        let entry = self.entries.remove(index);
        let (slot, offset) = (store.code_slot(entry.breakpoint.module.id()), entry.breakpoint.offset);
        let was_active = slot.is_some_and(|slot| self.active.binary_search(&(slot, offset, id)).is_ok());
        self.active.retain(|active| active.2 != id);
        if let (Some((position, _)), Some(slot), true) = (entry.position, slot, was_active) {
            let left = self.at(slot, offset).is_some();
            if let Some(function) = self.function(slot, entry.func) {
                function.count -= 1;
                function.stops[position as usize] = u8::from(left);
            }
            self.inside.retain(|function| function.count > 0);
        }
        Ok(())
    }

    /// Where the breakpoints at an instruction are, if there are any; see [`Breakpoints::hits`].
    #[inline]
    pub(super) fn at(&self, slot: CodeSlot, wasm: WasmOffset) -> Option<usize> {
        if self.active.is_empty() {
            return None;
        }
        let from = self.active.partition_point(|entry| (entry.0, entry.1) < (slot, wasm));
        self.active.get(from).is_some_and(|entry| (entry.0, entry.1) == (slot, wasm)).then_some(from)
    }

    /// The breakpoints at the same instruction as this one and behind it, in the order they were set.
    #[inline]
    pub(super) fn hits(&self, from: usize) -> impl Iterator<Item = BreakpointId> + '_ {
        let (slot, wasm, _) = self.active[from];
        self.active[from..].iter().take_while(move |entry| (entry.0, entry.1) == (slot, wasm)).map(|entry| entry.2)
    }

    /// Where in a function rerun is to stop for breakpoints inside its regions, if there are any: a byte for each
    /// instruction.
    #[inline]
    pub(super) fn inside(&self, slot: CodeSlot, func: DefinedFuncIndex) -> Option<&[u8]> {
        if self.inside.is_empty() {
            return None;
        }
        Some(&self.inside[self.place(slot, func).ok()?].stops)
    }

    /// Arms the breakpoints that were waiting for this module's code.
    pub(super) fn module_registered(&mut self, store: &mut StoreMut<'_>, module: ModuleId) -> Result<()> {
        let Some(slot) = store.code_slot(module) else { return Ok(()) };
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            let (id, offset) = (entry.breakpoint.id, entry.breakpoint.offset);
            if entry.breakpoint.module.id() == module && self.active.binary_search(&(slot, offset, id)).is_err() {
                self.activate(store, index, slot)?;
            }
        }
        Ok(())
    }
}

/// The site of exactly this instruction in the code of a slot.
fn site_at(store: &StoreMut<'_>, slot: CodeSlot, wasm: WasmOffset) -> Option<SiteId> {
    site_of(store.registry().get(slot)?.engine.tables(), wasm)
}

fn site_of(tables: &ImageTables, wasm: WasmOffset) -> Option<SiteId> {
    tables.point(tables.point_at(wasm)?).site
}

/// Where a breakpoint of a function goes: the first instruction at or after an offset that can be reached.
fn target(module: &Module, tables: &ImageTables, func: DefinedFuncIndex, from: WasmOffset) -> Result<Option<Target>> {
    if !tables.regions {
        return Ok(first_point(tables, func, from).map(|(offset, site)| Target {
            offset,
            position: None,
            sites: SmallVec::from_slice(&[site]),
        }));
    }
    // Where a site stands, the guest itself stops.
    if let Some(site) = site_of(tables, from) {
        return Ok(Some(Target { offset: from, position: None, sites: SmallVec::from_slice(&[site]) }));
    }
    let graph = module.region_graph(func)?;
    let position = graph.instructions.partition_point(|at| *at < from);
    let Some(&offset) = graph.instructions.get(position) else { return Ok(None) };
    if let Some(site) = site_of(tables, offset) {
        return Ok(Some(Target { offset, position: None, sites: SmallVec::from_slice(&[site]) }));
    }
    let sites = heads(&graph, tables, position as u32);
    Ok(Some(Target { offset, position: Some((position as u32, graph.instructions.len())), sites }))
}

/// The sites from which an instruction inside a region can be reached without passing another.
fn heads(graph: &RegionGraph, tables: &ImageTables, position: u32) -> SmallVec<[SiteId; 1]> {
    let mut heads = SmallVec::new();
    let mut seen = std::collections::HashSet::from([position]);
    let mut due = vec![position];
    while let Some(position) = due.pop() {
        heads.extend(site_of(tables, graph.instructions[position as usize]));
        due.extend(graph.before(position).filter(|before| seen.insert(*before)));
    }
    heads.sort_unstable();
    heads
}

/// The first point of a function at or after an offset that has a site.
fn first_point(tables: &ImageTables, func: DefinedFuncIndex, from: WasmOffset) -> Option<(WasmOffset, SiteId)> {
    let (start, end) = tables.function(func)?.points;
    let id = tables.point_from(from)?.0.max(start);
    tables.points.range(id, end).find_map(|point| Some((point.wasm, point.site?)))
}
