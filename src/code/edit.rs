//! Edits of the plan, and making the code follow: the difference between what should be armed and what is, written
//! with one protection flip per region, or not at all. What the system refuses before anything was written leaves everything as it was; what
//! it refuses later is taken back.

use super::plan::{PatchPlan, SiteRanges, StepScope, contains, covered};
use super::private::{PatchWork, PrivateText};
use super::registry::{CodeRegistry, CodeSlot};
use crate::base::{Error, ErrorKind, Result};
use crate::image::{ImageTables, SiteId};
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
}

impl Changes {
    fn wants(&self, plan: &PatchPlan, slot: CodeSlot, site: SiteId) -> bool {
        match self.sites.get(&(slot, site)) {
            Some(references) => *references > 0,
            None => plan.references(slot, site) > 0,
        }
    }

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
    /// A text turned out not to do what was planned; it remembers. Everything else is as before.
    PlanAgain,
}

impl CodeRegistry {
    /// Applies the plan to a text that was just registered.
    pub(super) fn apply_plan_to(&mut self, slot: CodeSlot) -> Result<()> {
        let changes = Changes { sites: BTreeMap::new(), step: Some(self.plan.step.clone()) };
        self.write_changes(&[slot], &StepScope::Off, &changes)
    }

    fn reconcile(&mut self, mut changes: Changes) -> Result<()> {
        changes.step.take_if(|scope| *scope == self.plan.step);
        let mut slots: SmallVec<[CodeSlot; 2]> = match &changes.step {
            Some(_) => self.private_slots().collect(),
            None => changes.sites.keys().map(|(slot, _)| *slot).collect(),
        };
        slots.dedup();
        let old = std::mem::take(&mut self.plan.step);
        let result = self.write_changes(&slots, &old, &changes);
        self.plan.step = old;
        result?;
        if let Some(scope) = changes.step {
            self.plan.step = scope;
        }
        for (key, references) in changes.sites {
            match references {
                0 => self.plan.sites.remove(&key),
                _ => self.plan.sites.insert(key, references),
            };
        }
        Ok(())
    }

    fn write_changes(&mut self, slots: &[CodeSlot], old: &StepScope, changes: &Changes) -> Result<()> {
        // A text learns at most twice that something is not to be had.
        for _ in 0..=2 * slots.len() {
            match self.try_to_write(slots, old, changes) {
                Ok(Attempt::Done) => return Ok(()),
                Ok(Attempt::PlanAgain) => {}
                Err(error) => {
                    self.broken |= slots.iter().any(|slot| self.with(*slot, |text, _| text.is_broken()));
                    return Err(error);
                }
            }
        }
        Err(Error::new(ErrorKind::System, "the system refuses to patch code"))
    }

    fn try_to_write(&mut self, slots: &[CodeSlot], old: &StepScope, changes: &Changes) -> Result<Attempt> {
        let scope = changes.step.as_ref().unwrap_or(old);
        // What can fail comes first, in an order in which each thing can be taken back: swaps, then opening pages.
        let swapped = match self.swap_all(slots, *scope == StepScope::All) {
            Ok(Some(swapped)) => swapped,
            Ok(None) => return Ok(Attempt::PlanAgain),
            Err(error) => return Err(error),
        };
        let mut works: SmallVec<[(CodeSlot, PatchWork); 2]> = SmallVec::new();
        for &slot in slots {
            let toggles = self.toggles(slot, &swapped, old, scope, changes);
            let Some((text, code)) = self.private_mut(slot) else {
                continue;
            };
            let work = text.plan_work(code.tables(), toggles);
            if !work.is_empty() {
                let opened = text.open(&work);
                if let Err(error) = opened {
                    self.close_unwritten(&works);
                    self.swap_back(&swapped);
                    return Err(error);
                }
                works.push((slot, work));
            }
        }
        for i in 0..works.len() {
            let (slot, work) = &works[i];
            if self.with(*slot, |text, _| text.discard(work)) {
                continue;
            }
            // Nothing is lost yet but sites of pages given back before: they are looked at again.
            for (slot, work) in &works[..i] {
                self.with(*slot, |text, _| text.resync |= work.discards());
            }
            self.close_unwritten(&works);
            self.swap_back(&swapped);
            return Ok(Attempt::PlanAgain);
        }
        for (slot, work) in &works {
            self.with(*slot, |text, tables| text.patch(tables, work));
        }
        let mut outcome = Ok(());
        for (slot, work) in &works {
            let closed = self.with(*slot, |text, _| match outcome.is_ok() {
                true => text.close(work),
                false => {
                    text.close_unwritten(work);
                    Ok(())
                }
            });
            outcome = outcome.and(closed);
        }
        if let Err(error) = outcome {
            for (slot, work) in &works {
                self.with(*slot, |text, tables| text.undo(tables, work));
            }
            self.swap_back(&swapped);
            return Err(error.context("patching machine code"));
        }
        for &slot in slots {
            self.with(slot, |text, tables| {
                if text.shows_step_image() {
                    // The own text was put away as it was.
                    if changes.step.is_some() {
                        text.deferred.extend(covered(old, slot, tables, true).into_iter().flatten());
                    }
                    text.deferred.extend(changes.sites_of(slot));
                } else {
                    text.deferred.clear();
                    text.resync = false;
                }
            });
        }
        Ok(Attempt::Done)
    }

    /// Shows step images where `stepping` wants them and they are to be had, own texts elsewhere. Returns the slots in which that was a
    /// change; `None`: a text turned out to have no step image, nothing changed.
    fn swap_all(&mut self, slots: &[CodeSlot], stepping: bool) -> Result<Option<Swapped>> {
        let mut swapped = Swapped::new();
        for &slot in slots {
            let Some((text, code)) = self.private_mut(slot) else {
                continue;
            };
            let shown = text.shows_step_image();
            let wanted = stepping && (shown || text.has_step_image(code.tables()));
            if shown == wanted {
                continue;
            }
            let result = text.show_step_image(code, wanted);
            text.steps_in_place |= matches!(result, Ok(false)) && wanted;
            match result {
                Ok(true) => swapped.push(slot),
                Ok(false) if wanted => {
                    self.swap_back(&swapped);
                    return Ok(None);
                }
                Ok(false) => {
                    self.swap_back(&swapped);
                    return Err(Error::new(ErrorKind::System, "the system refuses to switch stepping off"));
                }
                Err(error) => {
                    self.swap_back(&swapped);
                    return Err(error);
                }
            }
        }
        Ok(Some(swapped))
    }

    fn swap_back(&mut self, swapped: &Swapped) {
        for &slot in swapped {
            if let Some((text, code)) = self.private_mut(slot) {
                let shown = text.shows_step_image();
                // Should it fail, the text stops at every site or at none, until the next edit.
                let back = text.show_step_image(code, !shown);
                drop(back);
            }
        }
    }

    fn close_unwritten(&mut self, works: &[(CodeSlot, PatchWork)]) {
        for (slot, work) in works {
            self.with(*slot, |text, _| text.close_unwritten(work));
        }
    }

    /// Calls `f` with a private text that is there.
    fn with<R>(&mut self, slot: CodeSlot, f: impl FnOnce(&mut PrivateText, &ImageTables) -> R) -> R {
        let (text, code) = self.private_mut(slot).expect("the slots of an edit are private and stay");
        f(text, code.tables())
    }

    /// The sites of a text whose state has to change, in text order.
    fn toggles(
        &mut self,
        slot: CodeSlot,
        swapped: &Swapped,
        old: &StepScope,
        new: &StepScope,
        changes: &Changes,
    ) -> SmallVec<[u32; 4]> {
        let mut toggles = SmallVec::new();
        let Some(loaded) = self.get(slot) else {
            return toggles;
        };
        let (super::StoreCode::Private(text), tables) = (&loaded.store, loaded.engine.tables()) else {
            return toggles;
        };
        let shown = text.shows_step_image();
        if shown {
            // Everything is armed. What changed below is looked at when the own text comes back.
            return toggles;
        }
        let new_cover = covered(new, slot, tables, shown);
        let armed = |site: u32| text.is_armed(tables, SiteId(site));
        let breakpoint = |site: u32| changes.wants(&self.plan, slot, SiteId(site));
        if changes.step.is_some() || text.resync {
            let missing = new_cover.iter().cloned().flatten();
            toggles.extend(missing.filter(|site| !armed(*site)));
        }
        if changes.step.is_some() {
            let was_shown = swapped.contains(&slot);
            let old_cover: SiteRanges = covered(old, slot, tables, was_shown);
            let left = old_cover.into_iter().flatten();
            toggles.extend(left.filter(|site| armed(*site) && !contains(&new_cover, *site) && !breakpoint(*site)));
        }
        let changed = changes.sites_of(slot).chain(text.deferred.iter().copied());
        // Some may be armed that no plan knows of, too.
        let all = if text.resync { 0..tables.sites.len() as u32 } else { 0..0 };
        toggles.extend(
            changed.chain(all).filter(|site| armed(*site) != (contains(&new_cover, *site) || breakpoint(*site))),
        );
        toggles.sort_unstable();
        toggles.dedup();
        toggles
    }
}

/// The slots in which an edit has swapped the texts.
type Swapped = SmallVec<[CodeSlot; 2]>;
