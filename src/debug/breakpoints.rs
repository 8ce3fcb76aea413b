//! The breakpoints of one debugger: which there are, where each was placed, which site of which code it arms.

use crate::base::{DefinedFuncIndex, Error, ErrorKind, FuncIndex, Result, WasmOffset};
use crate::code::CodeSlot;
use crate::image::{ImageTables, SiteId};
use crate::runtime::{Module, ModuleId, StoreMut};
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

/// The ids of the breakpoints at one site.
pub(super) type Hits = SmallVec<[BreakpointId; 2]>;

#[derive(Default)]
pub(super) struct Breakpoints {
    last: u32,
    /// In the order they were set.
    entries: Vec<Entry>,
    /// What is armed, sorted: a stop looks its site up here.
    armed: Vec<(CodeSlot, SiteId, BreakpointId)>,
}

struct Entry {
    breakpoint: Breakpoint,
    site: SiteId,
    /// The module's code in this store, once it has some.
    slot: Option<CodeSlot>,
}

impl Breakpoints {
    pub(super) fn add(
        &mut self,
        store: &mut StoreMut<'_>,
        module: &Module,
        requested: WasmOffset,
    ) -> Result<Breakpoint> {
        let code = module.debug_code(&|_, _| true)?;
        let info = module.info();
        let behind = info.bodies.partition_point(|body| body.bytes.end <= requested.index());
        let body = info.bodies.get(behind).ok_or_else(|| {
            Error::new(ErrorKind::Argument, "no function of the module is at or after this offset").at(requested)
        })?;
        let (offset, site) = first_point(code.tables(), body.func, requested).ok_or_else(|| {
            Error::new(
                ErrorKind::Argument,
                format!(
                    "no instruction of function {} that can be reached is at or after this offset",
                    info.func_index(body.func)
                ),
            )
            .at(requested)
        })?;
        let func = info.func_index(body.func);
        self.insert(store, Breakpoint { id: BreakpointId(0), module: module.clone(), func, requested, offset }, site)
    }

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
        // Every function has a first instruction, if only its `end`.
        let requested = WasmOffset::from_usize(info.bodies[defined.index()].bytes.start);
        self.add(store, module, requested).map(|placed| Breakpoint { requested: placed.offset, ..placed })
    }

    fn insert(&mut self, store: &mut StoreMut<'_>, mut breakpoint: Breakpoint, site: SiteId) -> Result<Breakpoint> {
        let id = BreakpointId(self.last + 1);
        breakpoint.id = id;
        let slot = store.code_slot(breakpoint.module.id());
        if let Some(slot) = slot {
            let mut edit = store.edit();
            edit.add_site(slot, site)?;
            edit.commit()?;
            self.note_armed(slot, site, id);
        }
        self.last += 1;
        self.entries.push(Entry { breakpoint: breakpoint.clone(), site, slot });
        Ok(breakpoint)
    }

    fn note_armed(&mut self, slot: CodeSlot, site: SiteId, id: BreakpointId) {
        let at = self.armed.partition_point(|entry| *entry < (slot, site, id));
        self.armed.insert(at, (slot, site, id));
    }

    pub(super) fn remove(&mut self, store: &mut StoreMut<'_>, id: BreakpointId) -> Result<()> {
        let index = self.entries.iter().position(|entry| entry.breakpoint.id == id).ok_or_else(|| {
            Error::new(ErrorKind::Argument, format!("there is no breakpoint {}; it may have been removed", id.0))
        })?;
        let Entry { slot, site, .. } = self.entries[index];
        if let Some(slot) = slot {
            let mut edit = store.edit();
            edit.remove_site(slot, site)?;
            edit.commit()?;
            self.armed.retain(|entry| entry.2 != id);
        }
        self.entries.remove(index);
        Ok(())
    }

    /// The breakpoints at a site, in the order they were set.
    pub(super) fn at(&self, slot: CodeSlot, site: SiteId) -> Hits {
        let from = self.armed.partition_point(|entry| (entry.0, entry.1) < (slot, site));
        self.armed[from..].iter().take_while(|entry| (entry.0, entry.1) == (slot, site)).map(|entry| entry.2).collect()
    }

    /// Arms the breakpoints that were waiting for this module's code.
    pub(super) fn module_registered(&mut self, store: &mut StoreMut<'_>, module: ModuleId) -> Result<()> {
        let Some(slot) = store.code_slot(module) else { return Ok(()) };
        let waiting: Vec<usize> = (0..self.entries.len())
            .filter(|i| self.entries[*i].slot.is_none() && self.entries[*i].breakpoint.module.id() == module)
            .collect();
        if waiting.is_empty() {
            return Ok(());
        }
        let mut edit = store.edit();
        for i in &waiting {
            edit.add_site(slot, self.entries[*i].site)?;
        }
        edit.commit()?;
        for i in waiting {
            self.entries[i].slot = Some(slot);
            let (site, id) = (self.entries[i].site, self.entries[i].breakpoint.id);
            self.note_armed(slot, site, id);
        }
        Ok(())
    }
}

/// The first point of a function at or after an offset that has a site.
fn first_point(tables: &ImageTables, func: DefinedFuncIndex, from: WasmOffset) -> Option<(WasmOffset, SiteId)> {
    let (start, end) = tables.function(func)?.points;
    let id = tables.point_from(from)?.0.max(start);
    tables.points.range(id, end).find_map(|point| Some((point.wasm, point.site?)))
}
