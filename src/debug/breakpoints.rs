//! The breakpoints of one debugger: which there are, where each was placed, which sites of which code it arms. At an
//! instruction inside a region no site stands: there a breakpoint arms those from which the instruction can be reached
//! without passing another, and rerun tells whether it is.
//!
//! However many breakpoints and places are set or removed at once, it is one edit of the plan, as a whole or not at
//! all.
//!
//! Watchpoints set some for themselves, the *own* breakpoints: they have the guest stop, or rerun come, where a
//! watchpoint has to look. Nobody is told of them, and they are not among those that hosts know of.

use super::breakpoint::{BreakOptions, BreakPlace, BreakRequest, Breakpoint};
use super::breakpoint_id::{BreakpointId, FIRST_OWN, Hits};
use super::condition::{Ask, Kind, OfSource, Reader};
use super::layers;
use super::places::{Target, sites_before, targets, targets_if_any};
use super::split::{SplitCodes, patience};
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Result, WasmOffset, filled};
use crate::code::CodeSlot;
use crate::image::SiteId;
use crate::runtime::{Engine, Module, ModuleId, StandingFrame, StoreMut, VirtualFrame};
use smallvec::SmallVec;
use std::sync::Arc;

/// Sites, and the code they are of.
type Sites = SmallVec<[(CodeSlot, SiteId); 4]>;

#[derive(Default)]
pub(super) struct Breakpoints {
    last: u32,
    /// How many own ones there have been.
    own: u32,
    /// In the order they were set, which is that of their ids; own ones last.
    entries: Vec<Entry>,
    /// Those in code that is there, sorted: a stop looks its instruction up here.
    active: Vec<(CodeSlot, WasmOffset, BreakpointId)>,
    /// The functions with breakpoints inside regions, sorted.
    inside: Vec<Function>,
    splits: SplitCodes,
}

struct Entry {
    id: BreakpointId,
    request: BreakRequest,
    places: Vec<Placed>,
    options: BreakOptions,
    hits: u64,
}

/// A breakpoint that may stop a guest, and what has to be asked for that.
pub(super) enum Asked {
    /// It is gone, or not enabled any more.
    Gone,
    /// Nothing more.
    Nobody,
    /// The host.
    Host(Arc<Ask>),
    /// An expression of the source is to be evaluated.
    Source(Arc<OfSource>),
}

/// A place of a breakpoint.
struct Placed {
    module: Module,
    target: Target,
    /// What is armed: in the module's code once the store has it, and in resume code of the function.
    armed: SmallVec<[(CodeSlot, SiteId); 1]>,
    /// The code in which a stop finds it.
    slots: SmallVec<[CodeSlot; 1]>,
    /// That in which it is inside a region.
    inside: SmallVec<[CodeSlot; 1]>,
}

/// A function with breakpoints inside its regions.
struct Function {
    slot: CodeSlot,
    func: DefinedFuncIndex,
    /// How many.
    count: usize,
    /// A byte for each instruction of its rerun code: whether any is there, or a split, at which rerun stops too.
    stops: Vec<u8>,
    /// How often rerun has come to none, and how often that is borne.
    passed: u32,
    patience: u32,
    /// Code that takes the place of its frames.
    entered: Option<CodeSlot>,
}

impl Entry {
    /// What it is to its user.
    fn shown(&self) -> Breakpoint {
        let place = |placed: &Placed| BreakPlace {
            module: placed.module.clone(),
            func: placed.module.info().func_index(placed.target.func),
            offset: placed.target.offset,
        };
        Breakpoint {
            id: self.id,
            request: self.request.clone(),
            places: self.places.iter().map(place).collect(),
            options: self.options.clone(),
            hits: self.hits,
        }
    }
}

impl Placed {
    fn new(module: &Module, target: Target) -> Placed {
        Placed {
            module: module.clone(),
            target,
            armed: SmallVec::new(),
            slots: SmallVec::new(),
            inside: SmallVec::new(),
        }
    }
}

impl Breakpoints {
    /// All, in the order they were set.
    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = Breakpoint> {
        self.entries[..self.first_own()].iter().map(Entry::shown)
    }

    /// The one of this id.
    pub(super) fn get(&self, id: BreakpointId) -> Option<Breakpoint> {
        self.find(id).filter(|_| !id.is_own()).map(|index| self.entries[index].shown())
    }

    /// How many there are without own ones, which stand behind.
    fn first_own(&self) -> usize {
        self.entries.partition_point(|entry| !entry.id.is_own())
    }

    #[inline]
    fn find(&self, id: BreakpointId) -> Option<usize> {
        self.entries.binary_search_by_key(&id, |entry| entry.id).ok()
    }

    fn index(&self, id: BreakpointId) -> Result<usize> {
        self.find(id).filter(|_| !id.is_own()).ok_or_else(|| {
            Error::new(ErrorKind::Argument, format!("there is no breakpoint {}; it may have been removed", id.0))
        })
    }

    /// Sets breakpoints, all or none. Of some it is known where they stand in their module.
    pub(super) fn add<'a>(
        &mut self,
        store: &mut StoreMut<'_>,
        requests: impl ExactSizeIterator<Item = (&'a BreakRequest, Option<&'a [Target]>)>,
    ) -> Result<Vec<BreakpointId>> {
        let count = requests.len();
        let room = u32::try_from(count).ok().and_then(|count| self.last.checked_add(count));
        let room = room.filter(|last| *last < FIRST_OWN.0);
        let last = room.ok_or_else(|| Error::new(ErrorKind::Limit, "no numbers are left for more breakpoints"))?;
        let mut ids = self.last;
        let first = self.first_own();
        let mut entries = Vec::with_capacity(count);
        for (request, known) in requests {
            let places = match &request.module {
                Some(module) => {
                    if !Engine::same(store.engine(), module.engine()) {
                        let message = "the module was compiled by another engine than the store's";
                        return Err(Error::new(ErrorKind::Argument, message));
                    }
                    let found = known.map_or_else(|| targets(module, &request.target), |known| Ok(known.to_vec()))?;
                    found.into_iter().map(|target| Placed::new(module, target)).collect()
                }
                None => {
                    let mut places = Vec::new();
                    for module in store.modules() {
                        let found = targets_if_any(module, request)?;
                        places.extend(found.into_iter().map(|target| Placed::new(module, target)));
                    }
                    places
                }
            };
            ids += 1;
            let (request, options) = (request.clone(), BreakOptions::default());
            entries.push(Entry { id: BreakpointId(ids), request, places, options, hits: 0 });
        }
        let added = first..first + entries.len();
        self.entries.splice(first..first, entries);
        if let Err(error) = self.activate_all(store, added.clone()) {
            self.entries.drain(added);
            return Err(error);
        }
        self.last = last;
        Ok((last - count as u32 + 1..=last).map(BreakpointId).collect())
    }

    /// Sets an own breakpoint at all of these places, of which there is at least one of its `module`.
    pub(super) fn add_own(
        &mut self,
        store: &mut StoreMut<'_>,
        module: &Module,
        places: &[(Module, Target)],
    ) -> Result<BreakpointId> {
        let number = self.own.checked_add(1).and_then(|own| own.checked_add(FIRST_OWN.0));
        let number = number.ok_or_else(|| Error::new(ErrorKind::Limit, "no numbers are left for more watchpoints"))?;
        let id = BreakpointId(number);
        let request = BreakRequest::offset(module, places.first().map_or(WasmOffset::new(0), |place| place.1.offset));
        let places = places.iter().map(|(module, target)| Placed::new(module, target.clone())).collect();
        self.entries.push(Entry { id, request, places, options: BreakOptions::default(), hits: 0 });
        if let Err(error) = self.activate_all(store, self.entries.len() - 1..self.entries.len()) {
            self.entries.pop();
            return Err(error);
        }
        self.own += 1;
        Ok(id)
    }

    /// Removes own breakpoints, all or none; of what is gone already nothing is said.
    pub(super) fn remove_own(&mut self, store: &mut StoreMut<'_>, ids: &[BreakpointId]) -> Result<()> {
        let due = ids.iter().filter(|id| id.is_own()).filter_map(|id| self.find(*id)).collect();
        self.remove_at(store, due)
    }

    /// Arms all places of breakpoints, by their numbers. On an error nothing is armed.
    fn activate_all(&mut self, store: &mut StoreMut<'_>, breakpoints: std::ops::Range<usize>) -> Result<()> {
        let due: Vec<(usize, usize)> = breakpoints
            .flat_map(|index| (0..self.entries[index].places.len()).map(move |place| (index, place)))
            .collect();
        self.activate(store, &due)
    }

    /// Arms places, by the numbers of their breakpoints and their own, in the code of their modules, if the store has
    /// it, and in resume code of their functions. On an error nothing is armed.
    fn activate(&mut self, store: &mut StoreMut<'_>, due: &[(usize, usize)]) -> Result<()> {
        struct Due {
            at: (usize, usize),
            slots: SmallVec<[CodeSlot; 1]>,
            sites: SmallVec<[(CodeSlot, SiteId); 1]>,
            inside: SmallVec<[CodeSlot; 1]>,
        }
        let mut found = Vec::with_capacity(due.len());
        for &at in due {
            let placed = &self.entries[at.0].places[at.1];
            let (module, func, offset) = (placed.module.id(), placed.target.func, placed.target.offset);
            let Some(slot) = store.code_slot(module) else { continue };
            let mut slots = SmallVec::from_slice(&[slot]);
            let mut sites: SmallVec<[_; 1]> = placed.target.sites.iter().map(|site| (slot, *site)).collect();
            let resumed = store.resume_slots(module).filter(|resumed| resumed.0 == func).map(|resumed| resumed.1);
            for resume in resumed {
                slots.push(resume);
                sites.extend(layers::site_in(store, resume, offset).map(|site| (resume, site)));
            }
            let position = placed.target.position;
            let mut inside: SmallVec<[CodeSlot; 1]> = position.iter().map(|_| slot).collect();
            for split in self.splits.of(slot, func) {
                slots.push(split);
                match (layers::site_in(store, split, offset), position) {
                    (Some(site), _) => sites.push((split, site)),
                    (None, Some((position, _))) => {
                        let code = &store.registry().entry(split).engine;
                        let before = match sites_before(&placed.module, code.tables(), func, position) {
                            Ok(before) => before,
                            Err(error) => {
                                self.inside.retain(|function| function.count > 0);
                                return Err(error);
                            }
                        };
                        sites.extend(before.into_iter().map(|site| (split, site)));
                        inside.push(split);
                    }
                    (None, None) => {}
                }
            }
            let instructions = position.map_or(0, |(_, instructions)| instructions);
            let made = inside.iter().try_for_each(|slot| self.make_function(store, *slot, func, instructions));
            if let Err(error) = made {
                self.inside.retain(|function| function.count > 0);
                return Err(error);
            }
            found.push(Due { at, slots, sites, inside });
        }
        if found.is_empty() {
            return Ok(());
        }
        let sites: Sites = found.iter().flat_map(|due| due.sites.iter().copied()).collect();
        if let Err(error) = layers::add_sites(store, &sites) {
            self.inside.retain(|function| function.count > 0);
            return Err(error);
        }
        let mut changed: SmallVec<[(CodeSlot, DefinedFuncIndex); 4]> = SmallVec::new();
        for Due { at, slots, sites, inside } in found {
            let entry = &mut self.entries[at.0];
            let placed = &mut entry.places[at.1];
            let target = &placed.target;
            self.active.extend(slots.iter().map(|slot| (*slot, target.offset, entry.id)));
            let (func, position) = (target.func, target.position);
            (placed.armed, placed.slots, placed.inside) = (sites, slots, inside.clone());
            for slot in inside {
                if let (Some(function), Some((position, _))) = (self.function(slot, func), position) {
                    function.count += 1;
                    function.stops[position as usize] = 1;
                    // What code of its own it has may not have this one.
                    (function.passed, function.entered) = (0, None);
                    changed.push((slot, func));
                }
            }
        }
        self.active.sort_unstable();
        for (slot, func) in changed {
            self.use_known_split(store, slot, func);
        }
        Ok(())
    }

    /// Has a function go on in code of its own, if there is such from earlier with a stop point at each of its
    /// breakpoints.
    fn use_known_split(&mut self, store: &mut StoreMut<'_>, slot: CodeSlot, func: DefinedFuncIndex) {
        let base = self.splits.base(slot);
        if self.splits.of(base, func).next().is_none() {
            return;
        }
        let offsets = self.inside_offsets(base, func);
        if let Some(called) = self.splits.get((base, func), &offsets, false) {
            // Where it is refused, the function is itself.
            let _refused = layers::set_detour(store, (base, func), Some(called));
        }
        let entered = self.splits.get((base, func), &offsets, true);
        if let Some(function) = self.function(slot, func) {
            function.entered = entered;
        }
    }

    /// The instructions inside regions of a function that have breakpoints.
    fn inside_offsets(&self, base: CodeSlot, func: DefinedFuncIndex) -> Vec<WasmOffset> {
        let places = self.entries.iter().flat_map(|entry| &entry.places);
        let inside = places.filter(|placed| placed.target.func == func && placed.inside.contains(&base));
        let mut offsets: Vec<WasmOffset> = inside.map(|placed| placed.target.offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        offsets
    }

    /// Disarms all places of breakpoints, by their numbers. On an error all are armed as they were.
    fn deactivate(&mut self, store: &mut StoreMut<'_>, due: &[usize]) -> Result<()> {
        let places = due.iter().flat_map(|index| &self.entries[*index].places);
        let sites: Sites = places.flat_map(|placed| placed.armed.iter().copied()).collect();
        if !sites.is_empty() {
            layers::remove_sites(store, &sites)?;
        }
        match due {
            [one] => {
                let id = self.entries[*one].id;
                self.active.retain(|active| active.2 != id);
            }
            _ => {
                let mut ids: Vec<BreakpointId> = due.iter().map(|index| self.entries[*index].id).collect();
                ids.sort_unstable();
                self.active.retain(|active| ids.binary_search(&active.2).is_err());
            }
        }
        for index in due {
            for place in 0..self.entries[*index].places.len() {
                let placed = &mut self.entries[*index].places[place];
                placed.armed.clear();
                placed.slots.clear();
                let inside = std::mem::take(&mut placed.inside);
                let target = &placed.target;
                let (func, offset) = (target.func, target.offset);
                let Some((position, _)) = target.position else { continue };
                for slot in inside {
                    let left = self.at(slot, offset).is_some();
                    if let Some(function) = self.function(slot, func) {
                        function.count -= 1;
                        function.stops[position as usize] = u8::from(left);
                        if function.count == 0 {
                            // Nothing is left for which it would have code of its own. Where that is refused, it goes
                            // on there, which does no harm.
                            let _kept = layers::set_detour(store, (slot, func), None);
                        }
                    }
                }
            }
        }
        self.inside.retain(|function| function.count > 0);
        Ok(())
    }

    /// Rerun has come from a stop point of a function to none of its breakpoints inside regions: if that has happened
    /// often, the function gets code of its own, which is told. Where that cannot be had, all stays as it is.
    #[inline]
    pub(super) fn passed(
        &mut self,
        store: &mut StoreMut<'_>,
        slot: CodeSlot,
        func: DefinedFuncIndex,
    ) -> Option<CodeSlot> {
        let function = self.function(slot, func)?;
        function.passed = function.passed.saturating_add(1);
        let (passed, patience) = (function.passed, function.patience);
        // Nobody has asked for it, so nobody is told where it is refused.
        if passed == patience {
            let called = self.split(store, slot, func, false).ok()??;
            let _refused = layers::set_detour(store, (self.splits.base(slot), func), Some(called));
            return Some(called);
        }
        if passed == patience.saturating_mul(2) {
            let entered = self.split(store, slot, func, true).ok()?;
            self.function(slot, func)?.entered = entered;
            return entered;
        }
        None
    }

    /// Where and by which number a frame of a function is entered in code of its own, if it stands at a stop point from
    /// where that can be done, and if nothing stops there.
    #[inline]
    pub(super) fn way_in(&self, slot: CodeSlot, func: DefinedFuncIndex, at: WasmOffset) -> Option<(CodeSlot, u32)> {
        if self.inside.is_empty() {
            return None;
        }
        let entered = self.inside.get(self.place(slot, func).ok()?)?.entered?;
        let way = self.splits.way_in(entered, at)?;
        self.at(slot, at).is_none().then_some((entered, way))
    }

    /// Makes code of a function with a stop point at each of its breakpoints, and arms those.
    #[cold]
    fn split(
        &mut self,
        store: &mut StoreMut<'_>,
        slot: CodeSlot,
        func: DefinedFuncIndex,
        entered: bool,
    ) -> Result<Option<CodeSlot>> {
        let base = self.splits.base(slot);
        let offsets = self.inside_offsets(base, func);
        let found = self.splits.get_or_make(store, (base, func), &offsets, entered)?;
        if let Some(found) = found {
            self.arm_also(store, base, found, func)?;
        }
        Ok(found)
    }

    /// The splits of what is in a slot, if that is split code: see [`SplitCodes`].
    #[inline]
    pub(super) fn splits(&self, slot: CodeSlot) -> Option<&[u8]> {
        self.splits.splits(slot)
    }

    /// Arms the function's breakpoints, those of what is in `slot`, in its resume code or split code, where all of them
    /// have a site: those that are not yet.
    pub(super) fn arm_also(
        &mut self,
        store: &mut StoreMut<'_>,
        slot: CodeSlot,
        also: CodeSlot,
        func: DefinedFuncIndex,
    ) -> Result<()> {
        if slot == also {
            return Ok(());
        }
        let mut found: SmallVec<[(usize, usize, Option<SiteId>); 4]> = SmallVec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            for (place, placed) in entry.places.iter().enumerate() {
                let here = placed.target.func == func && placed.slots.contains(&slot);
                if here && !placed.slots.contains(&also) {
                    found.push((index, place, layers::site_in(store, also, placed.target.offset)));
                }
            }
        }
        let sites: Sites = found.iter().filter_map(|found| Some((also, found.2?))).collect();
        if sites.is_empty() {
            return Ok(());
        }
        layers::add_sites(store, &sites)?;
        for (index, place, site) in found {
            let entry = &mut self.entries[index];
            let placed = &mut entry.places[place];
            placed.slots.push(also);
            placed.armed.extend(site.map(|site| (also, site)));
            self.active.push((also, placed.target.offset, entry.id));
        }
        self.active.sort_unstable();
        Ok(())
    }

    /// Where a function is among those that have breakpoints inside regions, or where it would be.
    fn place(&self, slot: CodeSlot, func: DefinedFuncIndex) -> std::result::Result<usize, usize> {
        self.inside.binary_search_by_key(&(slot, func), |function| (function.slot, function.func))
    }

    fn make_function(
        &mut self,
        store: &StoreMut<'_>,
        slot: CodeSlot,
        func: DefinedFuncIndex,
        instructions: usize,
    ) -> Result<()> {
        if let Err(at) = self.place(slot, func) {
            let mut stops = filled(0, instructions, "the stops of a function")?;
            let patience = patience(store, slot, func);
            if let Some(splits) = self.splits.splits(slot) {
                stops.copy_from_slice(splits);
            }
            self.inside.insert(at, Function { slot, func, count: 0, stops, passed: 0, patience, entered: None });
        }
        Ok(())
    }

    fn function(&mut self, slot: CodeSlot, func: DefinedFuncIndex) -> Option<&mut Function> {
        let at = self.place(slot, func).ok()?;
        Some(&mut self.inside[at])
    }

    /// Removes breakpoints, all or none. One that is named twice is removed once.
    pub(super) fn remove(&mut self, store: &mut StoreMut<'_>, ids: &[BreakpointId]) -> Result<()> {
        let mut due: SmallVec<[usize; 1]> = SmallVec::with_capacity(ids.len());
        for id in ids {
            due.push(self.index(*id)?);
        }
        self.remove_at(store, due)
    }

    /// Removes breakpoints by where they are in the list, all or none.
    fn remove_at(&mut self, store: &mut StoreMut<'_>, mut due: SmallVec<[usize; 1]>) -> Result<()> {
        due.sort_unstable();
        due.dedup();
        self.deactivate(store, &due)?;
        match due[..] {
            [one] => _ = self.entries.remove(one),
            _ => {
                let mut index = 0;
                self.entries.retain(|_| {
                    index += 1;
                    due.binary_search(&(index - 1)).is_err()
                });
            }
        }
        if self.entries.is_empty() {
            store.set_passing(false);
        }
        Ok(())
    }

    /// Changes what a breakpoint has. What is refused changes nothing.
    pub(super) fn change(
        &mut self,
        store: &mut StoreMut<'_>,
        id: BreakpointId,
        change: impl FnOnce(&mut BreakOptions),
    ) -> Result<()> {
        let index = self.index(id)?;
        let entry = &self.entries[index];
        let mut options = entry.options.clone();
        change(&mut options);
        if let Some(condition) = &options.condition {
            for placed in &entry.places {
                condition.check(&placed.module, placed.target.func, placed.target.offset)?;
            }
        }
        // One that it has already may have been collected.
        if let Some(instance) = options.instance.filter(|_| options.instance != entry.options.instance)
            && store.find_instance(instance).is_none()
        {
            return Err(Error::new(ErrorKind::Argument, "the instance is another store's, or was collected"));
        }
        match (entry.options.enabled, options.enabled) {
            (false, true) => {
                let due: Vec<_> = (0..entry.places.len()).map(|place| (index, place)).collect();
                self.activate(store, &due)?;
            }
            (true, false) => self.deactivate(store, &[index])?,
            _ => {}
        }
        if options.ignore > 0 || options.condition.is_some() {
            store.set_passing(true);
        }
        self.entries[index].options = options;
        Ok(())
    }

    /// Sets how often a breakpoint was come to.
    pub(super) fn set_hits(&mut self, id: BreakpointId, hits: u64) -> Result<()> {
        let index = self.index(id)?;
        self.entries[index].hits = hits;
        Ok(())
    }

    /// The breakpoints at an instruction (see [`Breakpoints::at`]) whose instance and text the frame fits; whether some
    /// have to be asked about. The frame is looked at where that is needed.
    pub(super) fn reached<'a>(
        &self,
        from: usize,
        standing: impl FnOnce() -> Option<StandingFrame<'a>>,
        inside: Option<&VirtualFrame>,
        hits: &mut Hits,
    ) -> bool {
        let mut unused = Some(standing);
        let mut frame = None;
        let mut ask = false;
        for id in self.hits(from) {
            let Some(index) = self.find(id).filter(|_| !id.is_own()) else { continue };
            let options = &self.entries[index].options;
            if options.condition.is_none() && options.instance.is_none() {
                hits.push(id);
                continue;
            }
            if let Some(standing) = unused.take() {
                frame = standing();
            }
            let Some(frame) = &frame else { continue };
            if options.instance.is_some() && options.instance != frame.instance_id() {
                continue;
            }
            match options.condition.as_ref().map(|condition| &condition.0) {
                Some(Kind::Plain(text)) if !Reader::new(frame, inside).holds(text) => continue,
                Some(Kind::Source(_) | Kind::Callback(_)) => ask = true,
                _ => {}
            }
            hits.push(id);
        }
        ask
    }

    /// What has to be asked whether a breakpoint stops the guest.
    pub(super) fn asked(&self, id: BreakpointId) -> Asked {
        let Some(entry) = self.find(id).map(|index| &self.entries[index]).filter(|entry| entry.options.enabled) else {
            return Asked::Gone;
        };
        match entry.options.condition.as_ref().map(|condition| &condition.0) {
            Some(Kind::Callback(ask)) => Asked::Host(ask.clone()),
            Some(Kind::Source(source)) => Asked::Source(source.clone()),
            _ => Asked::Nobody,
        }
    }

    /// The breakpoint at an instruction (see [`Breakpoints::at`]), if it is the only one there.
    #[inline]
    fn only(&mut self, from: usize) -> Option<&mut Entry> {
        let (slot, wasm, id) = self.active[from];
        if id.is_own() || self.active.get(from + 1).is_some_and(|next| (next.0, next.1) == (slot, wasm)) {
            return None;
        }
        let index = self.find(id)?;
        Some(&mut self.entries[index])
    }

    /// The breakpoint at an instruction (see [`Breakpoints::at`]) that stops the guest, if it is the only one there and
    /// is plain: nothing has to be asked about it, and it stays. It is counted as come to. Most are such, so that this
    /// is all that is done for a hit.
    #[inline]
    pub(super) fn hit_plain(&mut self, from: usize) -> Option<BreakpointId> {
        let entry = self.only(from)?;
        let BreakOptions { enabled, ref condition, ignore, one_shot, instance } = entry.options;
        if !enabled || one_shot || ignore > 0 || condition.is_some() || instance.is_some() {
            return None;
        }
        entry.hits = entry.hits.saturating_add(1);
        Some(entry.id)
    }

    /// Whether the breakpoint at an instruction (see [`Breakpoints::at`]) lets the guest pass, if it is the only one
    /// there and nobody has to be asked about it. If it does because it is to be ignored, that is counted.
    #[inline]
    pub(super) fn passes(&mut self, from: usize, frame: &StandingFrame<'_>) -> bool {
        let Some(entry) = self.only(from) else { return false };
        let options = &mut entry.options;
        if options.instance.is_some() || !options.enabled {
            return false;
        }
        match options.condition.as_ref().map(|condition| &condition.0) {
            None => {}
            Some(Kind::Source(_) | Kind::Callback(_)) => return false,
            Some(Kind::Plain(text)) if !Reader::new(frame, None).holds(text) => return true,
            Some(Kind::Plain(_)) => {}
        }
        if options.ignore == 0 {
            return false;
        }
        options.ignore -= 1;
        entry.hits = entry.hits.saturating_add(1);
        true
    }

    /// Counts breakpoints as come to. Those that are passed this time are taken out; those that are to be removed are
    /// told.
    #[inline]
    pub(super) fn count(&mut self, hits: &mut Hits) -> SmallVec<[BreakpointId; 1]> {
        let mut once = SmallVec::new();
        hits.retain(|id| {
            let Some(index) = self.find(*id) else { return false };
            let entry = &mut self.entries[index];
            // Another's condition may have switched it off.
            if !entry.options.enabled {
                return false;
            }
            entry.hits = entry.hits.saturating_add(1);
            let ignored = entry.options.ignore > 0;
            entry.options.ignore -= u64::from(ignored);
            if !ignored && entry.options.one_shot {
                once.push(*id);
            }
            !ignored
        });
        once
    }

    /// Whether there are none, and no code that was made for some.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.splits.is_empty()
    }

    /// Where the breakpoints at an instruction are, if there are any; see [`Breakpoints::hits`].
    #[inline]
    pub(super) fn at(&self, slot: CodeSlot, wasm: WasmOffset) -> Option<usize> {
        let from = match &self.active[..] {
            [] => return None,
            // Often there is but one.
            [_] => 0,
            active => active.partition_point(|entry| (entry.0, entry.1) < (slot, wasm)),
        };
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

    /// The store has a module's code now: arms the breakpoints that were waiting for it, and places in it those that
    /// are for any module.
    pub(super) fn module_registered(&mut self, store: &mut StoreMut<'_>, module: ModuleId) -> Result<()> {
        let Some(slot) = store.code_slot(module) else { return Ok(()) };
        let Some(new) = store.module_in(slot).cloned() else { return Ok(()) };
        let mut due = Vec::new();
        let mut added = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let count = entry.places.len();
            let here = entry.places.iter().enumerate().filter(|(_, placed)| placed.module.id() == module);
            let mut known = false;
            for (place, placed) in here {
                known = true;
                if placed.slots.is_empty() && entry.options.enabled {
                    due.push((index, place));
                }
            }
            if !known && entry.request.module.is_none() {
                let found = targets_if_any(&new, &entry.request)?;
                if entry.options.enabled {
                    due.extend((0..found.len()).map(|place| (index, count + place)));
                }
                added.push((index, found));
            }
        }
        let counts: Vec<(usize, usize)> =
            added.iter().map(|(index, _)| (*index, self.entries[*index].places.len())).collect();
        for (index, found) in added {
            self.entries[index].places.extend(found.into_iter().map(|target| Placed::new(&new, target)));
        }
        let armed = self.activate(store, &due);
        if armed.is_err() {
            // It is told once more when it is next asked for.
            for (index, count) in counts {
                self.entries[index].places.truncate(count);
            }
        }
        armed
    }
}
