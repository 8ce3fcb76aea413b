//! The modules of a store, in the order in which they came, and where each is found: by its name, or by a slot that
//! code of it is in.

use crate::abi::OBJECT_MARK;
use crate::base::DefinedFuncIndex;
use crate::code::CodeSlot;
use crate::runtime::compiled::module::{Module, ModuleId};
use smallvec::SmallVec;
use std::ops::{Deref, DerefMut};

/// A module of a store, with the slots of its code.
pub(in crate::runtime) struct ModuleEntry {
    pub(in crate::runtime) module: Module,
    pub(in crate::runtime) production: CodeSlot,
    /// Whether those who listen have been told of it, or nobody listened when it came.
    pub(in crate::runtime) told: bool,
    /// While a debugger is attached.
    pub(in crate::runtime) debug: Option<CodeSlot>,
    /// A copy of its production code, while a debugger is attached that was attached when frames of it were live.
    pub(in crate::runtime) left: Option<CodeSlot>,
    /// The resume code of its functions, while a debugger is attached.
    pub(in crate::runtime) resume: Vec<ResumeEntry>,
    /// The split code of its functions, while a debugger is attached; not that which is called.
    pub(in crate::runtime) entered: Vec<ResumeEntry>,
    /// That which is called.
    pub(in crate::runtime) split: Vec<(DefinedFuncIndex, CodeSlot)>,
    /// What new objects of its types begin with; empty if it has no such types.
    pub(in crate::runtime) heap_types: Box<[u32]>,
}

/// Resume code that a store has, or split code that is entered likewise.
pub(in crate::runtime) struct ResumeEntry {
    pub(in crate::runtime) func: DefinedFuncIndex,
    pub(in crate::runtime) slot: CodeSlot,
    /// How many values it reads.
    pub(in crate::runtime) values: usize,
}

/// As many are looked through faster than they are sorted.
const FEW: usize = 8;

/// The modules of a store. One needs no allocation, and many are found as fast.
#[derive(Default)]
pub(in crate::runtime) struct Modules {
    entries: SmallVec<[ModuleEntry; 1]>,
    /// The entry of each module, sorted by the module, which is mostly in the order of the entries. Empty while there
    /// are few.
    by_id: Vec<(ModuleId, u32)>,
    /// The entry for each slot of the registry.
    by_slot: SmallVec<[u32; 2]>,
}

impl Modules {
    /// Where a module stands, if it is here.
    pub(in crate::runtime) fn position(&self, module: ModuleId) -> Option<usize> {
        if self.by_id.is_empty() {
            return self.entries.iter().position(|entry| entry.module.id() == module);
        }
        let at = self.by_id.binary_search_by_key(&module, |(id, _)| *id).ok()?;
        Some(self.by_id[at].1 as usize)
    }

    /// Takes in a module that is not here, with the slot of its code; where it stands.
    pub(in crate::runtime) fn push(&mut self, module: Module, production: CodeSlot, heap_types: Box<[u32]>) -> usize {
        let (id, index) = (module.id(), self.entries.len());
        self.note_slot(production, index);
        if index == FEW {
            self.by_id.extend(self.entries.iter().zip(0..).map(|(entry, index)| (entry.module.id(), index)));
            self.by_id.sort_unstable();
        }
        if index >= FEW {
            let at = self.by_id.partition_point(|(other, _)| *other < id);
            self.by_id.insert(at, (id, index as u32));
        }
        self.entries.push(ModuleEntry {
            module,
            production,
            told: false,
            debug: None,
            left: None,
            resume: Vec::new(),
            entered: Vec::new(),
            split: Vec::new(),
            heap_types,
        });
        index
    }

    /// New objects begin with the other mark, as those do that were marked last.
    pub(in crate::runtime) fn flip_marks(&mut self) {
        let words = self.entries.iter_mut().flat_map(|entry| entry.heap_types.iter_mut());
        words.filter(|word| **word != 0).for_each(|word| *word ^= OBJECT_MARK);
    }

    /// Takes the last one out again.
    pub(in crate::runtime) fn pop(&mut self) {
        if let Some(entry) = self.entries.pop() {
            self.by_id.retain(|(id, _)| *id != entry.module.id());
            if self.entries.len() == FEW {
                self.by_id.clear();
            }
        }
    }

    /// Notes which module's code is in a slot.
    pub(in crate::runtime) fn note_slot(&mut self, slot: CodeSlot, module: usize) {
        if self.by_slot.len() <= slot.index() {
            self.by_slot.resize(slot.index() + 1, 0);
        }
        self.by_slot[slot.index()] = module as u32;
    }

    /// The module whose code is in a slot.
    pub(in crate::runtime) fn of_slot(&self, slot: CodeSlot) -> &ModuleEntry {
        &self.entries[self.in_slot(slot)]
    }

    /// Where it stands.
    pub(in crate::runtime) fn in_slot(&self, slot: CodeSlot) -> usize {
        self.by_slot[slot.index()] as usize
    }
}

impl Deref for Modules {
    type Target = [ModuleEntry];
    fn deref(&self) -> &[ModuleEntry] {
        &self.entries
    }
}

impl DerefMut for Modules {
    fn deref_mut(&mut self) -> &mut [ModuleEntry] {
        &mut self.entries
    }
}
