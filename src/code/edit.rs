//! Edits of the plan, and making the code follow.
//!
//! # How an edit goes
//!
//! An edit collects changes of the plan. Its commit tries to make the code follow, by six steps, each for all texts
//! before the next:
//!
//! 1. *Show*: a private text has two faces, the *own text*, whose sites are armed one by one, and the engine's *step
//!    image*, in which all are. Where everything is stepped, the step image takes the place of the own text.
//! 2. *Compare*: which sites are not as they are wanted, and what that means for pages.
//! 3. *Open* the pages to be written.
//! 4. *Give back* the pages that are left without an armed site.
//! 5. *Write* the sites, and the detours that functions get or lose. Nothing can fail here.
//! 6. *Close*: have the pages executed again.
//!
//! ```text
//!            the steps, for the new plan                        ok
//!   as it was ─────────────────────────────┬──────────────────────▶ as it is wanted: the plan takes the changes
//!       ▲                                  │ refused
//!       │ ok                               ▼
//!       └──────────────────────────── in between
//!          the steps, for the old plan,    │ refused
//!          every site compared             ▼
//!                                       broken: the store runs no more
//! ```
//!
//! There is no third end. Two refusals have another way, and the steps begin again: texts that the system does not swap
//! are stepped by patching each site, and pages that it does not take back are written.
//!
//! An example: a breakpoint on site 7, while another one is on site 9 of the same page. The edit holds `7 -> 1
//! reference`. Nothing is stepped, so nothing is to be shown. Site 7 is not armed and should be: one page to open, none
//! to give back. The call is written, the page closed, and the plan has both sites. Had closing failed, the own text
//! would have been left with site 7 either way; the old plan wants site 9 alone, so the sites are compared, and 7
//! cleared if it was armed. Had that been refused too, nobody could say what the code does at site 7:
//! [`CodeRegistry::is_broken`].

use super::plan::{PatchPlan, SiteRanges, StepScope, contains, covered};
use super::private::{Behind, PatchWork, PrivateText};
use super::registry::{CodeRegistry, CodeSlot, Slots, broken};
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Result, TextOffset};
use crate::image::{ImageTables, SiteId};
use crate::isa::{DETOUR_BYTES, SITE_BYTES};
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// A change of what is patched in a store. It happens as a whole, or (after an error) not at all. Dropping an edit
/// commits it, and leaves an error in [`CodeRegistry::last_error`].
#[derive(Debug)]
pub struct PatchEdit<'a> {
    registry: &'a mut CodeRegistry,
    changes: Changes,
    done: bool,
}

/// What an edit changes in the plan.
#[derive(Debug, Default)]
struct Changes {
    /// New reference counts.
    sites: BTreeMap<(CodeSlot, SiteId), u32>,
    step: Option<StepScope>,
    /// New detours, and those that are to go.
    detours: BTreeMap<(CodeSlot, DefinedFuncIndex), Option<CodeSlot>>,
}

impl Changes {
    fn sites_of(&self, slot: CodeSlot) -> impl Iterator<Item = u32> + '_ {
        self.sites.range((slot, SiteId(0))..=(slot, SiteId(u32::MAX))).map(|((_, site), _)| site.0)
    }
}

impl<'a> PatchEdit<'a> {
    pub(super) fn new(registry: &'a mut CodeRegistry) -> Self {
        PatchEdit { registry, changes: Changes::default(), done: false }
    }

    /// Adds a reference to a site: it is armed as long as it has one.
    pub fn add_site(&mut self, slot: CodeSlot, site: SiteId) -> Result<()> {
        let references = self.references(slot, site)?;
        self.changes.sites.insert((slot, site), references + 1);
        Ok(())
    }

    /// Takes a reference to a site away.
    pub fn remove_site(&mut self, slot: CodeSlot, site: SiteId) -> Result<()> {
        let references = self.references(slot, site)?;
        let fewer = references
            .checked_sub(1)
            .ok_or_else(|| Error::new(ErrorKind::Argument, format!("site {} has no breakpoint to remove", site.0)))?;
        self.changes.sites.insert((slot, site), fewer);
        Ok(())
    }

    /// Says where stepping stops, from now on.
    pub fn set_step(&mut self, scope: StepScope) -> Result<()> {
        if let StepScope::Functions(functions) = &scope {
            for (slot, func) in functions {
                self.registry.check_private(*slot)?;
                let tables = self.registry.entry(*slot).engine.tables();
                if tables.function(*func).is_none() {
                    let count = tables.functions.len();
                    let what =
                        format!("function {func} is not among the {count} of this code, from {} on", tables.first);
                    return Err(Error::new(ErrorKind::Argument, what));
                }
            }
        }
        self.changes.step = Some(scope);
        Ok(())
    }

    /// Has a function go on, from its next call on, where the function of the same index in another slot begins; or,
    /// with none, be itself again. Who runs in either goes on there.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where either is not there, or the function is too short for it.
    pub fn set_detour(&mut self, slot: CodeSlot, func: DefinedFuncIndex, to: Option<CodeSlot>) -> Result<()> {
        let refuse = |what: String| Err(Error::new(ErrorKind::Argument, what));
        for slot in [Some(slot), to].into_iter().flatten() {
            self.registry.check_private(slot)?;
            if self.registry.entry(slot).engine.tables().function(func).is_none() {
                return refuse(format!("function {func} is not in the code of slot {}", slot.index()));
            }
        }
        let tables = self.registry.entry(slot).engine.tables();
        if to.is_some() && !has_room_for_detour(tables, func) {
            return refuse(format!("function {func} has a stop site too near its start to go on elsewhere"));
        }
        self.changes.detours.insert((slot, func), to);
        Ok(())
    }

    /// Makes the code follow.
    pub fn commit(mut self) -> Result<()> {
        self.done = true;
        self.registry.reconcile(std::mem::take(&mut self.changes))
    }

    /// Forgets the edit.
    pub fn abort(mut self) {
        self.done = true;
    }

    /// The references to a site with this edit's changes, for a site that there is.
    fn references(&mut self, slot: CodeSlot, site: SiteId) -> Result<u32> {
        self.registry.check_private(slot)?;
        let count = self.registry.entry(slot).engine.tables().sites.len();
        if site.0 as usize >= count {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("stop site {} is beyond the {count} of its module", site.0),
            ));
        }
        Ok(match self.changes.sites.get(&(slot, site)) {
            Some(references) => *references,
            None => self.registry.plan.references(slot, site),
        })
    }
}

impl Drop for PatchEdit<'_> {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let changes = std::mem::take(&mut self.changes);
        if let Err(error) = self.registry.reconcile(changes) {
            self.registry.last_error = Some(error);
        }
    }
}

/// How an attempt ended, short of an error.
enum Attempt {
    Done,
    /// The system does not do what was planned. The text remembers, and there is another way.
    Refused,
}

/// What the code is to be: the plan with some changes.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    plan: &'a PatchPlan,
    changes: &'a Changes,
    /// Where stepping stops so far.
    before: &'a StepScope,
}

impl Wanted<'_> {
    /// Where stepping is to stop.
    fn step(&self) -> &StepScope {
        self.changes.step.as_ref().unwrap_or(&self.plan.step)
    }

    /// Whether that is a change.
    fn changes_step(&self) -> bool {
        self.step() != self.before
    }

    fn has_breakpoint(&self, slot: CodeSlot, site: u32) -> bool {
        let site = SiteId(site);
        match self.changes.sites.get(&(slot, site)) {
            Some(references) => *references > 0,
            None => self.plan.references(slot, site) > 0,
        }
    }
}

/// Whether no site of a function is where a detour would stand.
fn has_room_for_detour(tables: &ImageTables, func: DefinedFuncIndex) -> bool {
    let Some(function) = tables.function(func) else { return false };
    let end = function.start.add(DETOUR_BYTES);
    let site = tables.site_from(function.start).map(|site| tables.site(site).after.get() - SITE_BYTES);
    function.len >= DETOUR_BYTES && site.is_none_or(|start| start >= end.get())
}

/// Where functions go on: of each, its slot, where it begins, and the address.
type DetourTargets = SmallVec<[(CodeSlot, TextOffset, usize); 1]>;

impl Wanted<'_> {
    /// The functions that are to go on elsewhere.
    fn detours(&self, slots: &Slots) -> DetourTargets {
        let (planned, changed) = (&self.plan.detours, &self.changes.detours);
        let kept = planned.iter().filter(|(key, _)| !changed.contains_key(key)).map(|(key, to)| (*key, *to));
        let all = kept.chain(changed.iter().filter_map(|(key, to)| Some((*key, (*to)?))));
        let start = |slot: CodeSlot, func| {
            let loaded = slots.get(slot)?;
            Some((loaded, loaded.engine.tables().function(func)?.start))
        };
        let found = all.filter_map(|((slot, func), to)| {
            let (target, entry) = start(to, func)?;
            Some((slot, start(slot, func)?.1, target.store.pc(entry).get()))
        });
        found.collect()
    }
}

impl CodeRegistry {
    /// Applies the plan to a text that was just registered, of which nothing is armed. After an error it is good for
    /// nothing.
    pub(super) fn apply_plan_to(&mut self, slot: CodeSlot) -> Result<()> {
        let wanted = Wanted { plan: &self.plan, changes: &Changes::default(), before: &StepScope::Off };
        follow(&mut self.slots, &[slot], wanted)
    }

    /// Makes the code follow the plan with these changes, which it then takes. Nobody else changes texts meanwhile.
    fn reconcile(&mut self, changes: Changes) -> Result<()> {
        match self.pauser.clone() {
            None => self.reconcile_texts(changes, false),
            Some(pauser) => pauser.hold(|texts| {
                let all: SmallVec<[CodeSlot; 2]> = self.private_slots().collect();
                let mut uncovered = false;
                for (_, text, code) in self.slots.private(&all) {
                    if text.listed.as_ref().is_some_and(|listed| texts.take_covered(listed)) {
                        // Where that is refused, nobody knows what stands there.
                        text.uncover(code).inspect_err(|_| self.broken = true)?;
                        uncovered = true;
                    }
                }
                pauser.all_uncovered();
                let outcome = self.reconcile_texts(changes, uncovered);
                for (_, text, _) in self.slots.private(&all) {
                    let steps = text.shows_step_image();
                    if let Some(listed) = &text.listed {
                        texts.note(listed, steps);
                    }
                }
                outcome
            }),
        }
    }

    /// The same for texts that nobody else may change; all of them where they have just been uncovered.
    fn reconcile_texts(&mut self, mut changes: Changes, all: bool) -> Result<()> {
        if self.broken {
            return Err(broken());
        }
        changes.step.take_if(|scope| *scope == self.plan.step);
        let mut which: SmallVec<[CodeSlot; 2]> = match &changes.step {
            None if !all => {
                let sites = changes.sites.keys().map(|(slot, _)| *slot);
                sites.chain(changes.detours.keys().map(|(slot, _)| *slot)).collect()
            }
            _ => self.private_slots().collect(),
        };
        which.sort_unstable();
        which.dedup();
        let before = &self.plan.step;
        let wanted = Wanted { plan: &self.plan, changes: &changes, before };
        if let Err(error) = follow(&mut self.slots, &which, wanted) {
            let old = Wanted { changes: &Changes::default(), ..wanted };
            let back = follow(&mut self.slots, &which, old);
            self.broken |= back.is_err() || self.slots.private(&which).any(|(_, text, _)| text.is_broken());
            return Err(error.context("patching machine code"));
        }
        if let Some(scope) = changes.step {
            self.plan.step = scope;
        }
        for (key, to) in changes.detours {
            match to {
                None => self.plan.detours.remove(&key),
                Some(to) => self.plan.detours.insert(key, to),
            };
        }
        for (key, references) in changes.sites {
            match references {
                0 => self.plan.sites.remove(&key),
                _ => self.plan.sites.insert(key, references),
            };
        }
        Ok(())
    }
}

/// Makes texts follow. After an error no page of them is open, and all of their sites are to be looked at.
fn follow(slots: &mut Slots, which: &[CodeSlot], wanted: Wanted<'_>) -> Result<()> {
    let mut outcome = Ok(Attempt::Refused);
    // A text learns at most twice that something is not to be had.
    for _ in 0..=2 * which.len() {
        outcome = attempt(slots, which, wanted);
        if let Ok(Attempt::Done) = outcome {
            return Ok(());
        }
        for (_, text, _) in slots.private(which) {
            text.shut();
            text.behind = Behind::All;
        }
        if outcome.is_err() {
            break;
        }
    }
    outcome.and(Err(Error::new(ErrorKind::System, "the system refuses to patch code")))
}

/// What there is to be done to texts, in the order of their slots.
type Works = SmallVec<[(CodeSlot, PatchWork); 2]>;

fn at(works: &Works) -> impl Iterator<Item = (CodeSlot, &PatchWork)> {
    works.iter().map(|(slot, work)| (*slot, work))
}

/// Takes the six steps. Where it ends short of the last, pages may be open, and sites in whatever state.
fn attempt(slots: &mut Slots, which: &[CodeSlot], wanted: Wanted<'_>) -> Result<Attempt> {
    let steps = *wanted.step() == StepScope::All;
    for (_, text, code) in slots.private(which) {
        if !text.show(code, steps)? {
            return Ok(Attempt::Refused);
        }
    }
    let mut works = Works::new();
    let detours = wanted.detours(slots);
    for (slot, text, code) in slots.private(which) {
        let toggles = toggles(text, code.tables(), slot, wanted);
        let detours = detours.iter().filter(|detour| detour.0 == slot).map(|(_, start, target)| (*start, *target));
        let work = text.plan_work(code.tables(), toggles, detours)?;
        if !work.is_empty() {
            works.push((slot, work));
        }
    }
    for (work, text, _) in slots.with(at(&works)) {
        text.open(work)?;
    }
    for (work, text, _) in slots.with(at(&works)) {
        if !text.discard(work) {
            return Ok(Attempt::Refused);
        }
    }
    for (work, text, code) in slots.with(at(&works)) {
        text.patch(code.tables(), work);
    }
    for (_, text, _) in slots.with(at(&works)) {
        text.close()?;
    }
    for (slot, text, code) in slots.private(which) {
        if text.shows_step_image() {
            // The own text was put away as it was.
            if wanted.changes_step() {
                let armed = covered(wanted.before, slot, code.tables(), true);
                text.behind.add(armed.into_iter().flatten());
            }
            text.behind.add(wanted.changes.sites_of(slot));
        } else {
            text.behind = Behind::default();
        }
    }
    Ok(Attempt::Done)
}

/// The sites of a text whose state has to change, in text order.
fn toggles(text: &PrivateText, tables: &ImageTables, slot: CodeSlot, wanted: Wanted<'_>) -> SmallVec<[u32; 4]> {
    let mut toggles = SmallVec::new();
    if text.shows_step_image() {
        // Everything is armed. What changes below is looked at when the own text comes back.
        return toggles;
    }
    let cover = covered(wanted.step(), slot, tables, false);
    let is_wrong = |site: &u32| {
        let armed = text.is_armed(tables, SiteId(*site));
        armed != (contains(&cover, *site) || wanted.has_breakpoint(slot, *site))
    };
    match &text.behind {
        Behind::All => toggles.extend((0..tables.sites.len() as u32).filter(is_wrong)),
        Behind::Sites(sites) => {
            if wanted.changes_step() {
                // Stepping as a whole armed the step image, not these.
                let had: SiteRanges = covered(wanted.before, slot, tables, text.has_step_image(tables));
                toggles.extend(cover.iter().cloned().flatten().filter(is_wrong));
                toggles.extend(had.into_iter().flatten().filter(is_wrong));
            }
            toggles.extend(wanted.changes.sites_of(slot).chain(sites.iter().copied()).filter(is_wrong));
            toggles.sort_unstable();
            toggles.dedup();
        }
    }
    toggles
}
