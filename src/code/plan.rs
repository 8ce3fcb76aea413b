//! What should be patched in a store: plain data. Edits change it, `reconcile` in `edit` makes the code follow.

use super::CodeSlot;
use crate::base::{DefinedFuncIndex, TextOffset};
use crate::image::{ImageTables, SiteId};
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::ops::Range;

/// Where stepping stops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StepScope {
    /// Nowhere: breakpoints alone.
    #[default]
    Off,
    /// At every site of every private text, those registered later included.
    All,
    /// At every site of these functions.
    Functions(Vec<(CodeSlot, DefinedFuncIndex)>),
}

/// What should be patched: step mode, breakpoint sites with reference counts, and detours.
#[derive(Debug, Default)]
pub struct PatchPlan {
    pub(super) step: StepScope,
    pub(super) sites: BTreeMap<(CodeSlot, SiteId), u32>,
    /// The functions that go on in code of their own, with the slots where that is.
    pub(super) detours: BTreeMap<(CodeSlot, DefinedFuncIndex), CodeSlot>,
}

impl PatchPlan {
    /// Where stepping stops.
    pub fn step(&self) -> &StepScope {
        &self.step
    }

    /// How often a site was added and not removed.
    pub fn references(&self, slot: CodeSlot, site: SiteId) -> u32 {
        self.sites.get(&(slot, site)).copied().unwrap_or(0)
    }

    /// The sites with breakpoints, in order.
    pub fn sites(&self) -> impl Iterator<Item = (CodeSlot, SiteId)> + '_ {
        self.sites.keys().copied()
    }

    /// Where a function goes on instead, if it does.
    pub fn detour(&self, slot: CodeSlot, func: DefinedFuncIndex) -> Option<CodeSlot> {
        self.detours.get(&(slot, func)).copied()
    }

    /// Forgets everything about a slot.
    pub(super) fn forget(&mut self, slot: CodeSlot) {
        self.sites.retain(|(s, _), _| *s != slot);
        self.detours.retain(|(s, _), to| *s != slot && *to != slot);
        if let StepScope::Functions(functions) = &mut self.step {
            functions.retain(|(s, _)| *s != slot);
        }
    }
}

/// Sites as sorted ranges of their ids that do not touch.
pub(super) type SiteRanges = SmallVec<[Range<u32>; 2]>;

/// The sites of `slot` that `scope` wants armed by patching. `All` wants none where the text shows its step image.
pub(super) fn covered(scope: &StepScope, slot: CodeSlot, tables: &ImageTables, shows_step_image: bool) -> SiteRanges {
    let mut ranges = SiteRanges::new();
    match scope {
        StepScope::Off => {}
        StepScope::All if shows_step_image => {}
        StepScope::All => ranges.push(0..tables.sites.len() as u32),
        StepScope::Functions(functions) => {
            for (_, func) in functions.iter().filter(|(s, _)| *s == slot) {
                ranges.push(sites_of_function(tables, *func));
            }
            ranges.sort_unstable_by_key(|range| range.start);
            ranges.dedup();
        }
    }
    ranges.retain(|range| range.start < range.end);
    ranges
}

/// Whether sorted ranges hold a site.
pub(super) fn contains(ranges: &[Range<u32>], site: u32) -> bool {
    let after = ranges.partition_point(|range| range.start <= site);
    after.checked_sub(1).is_some_and(|i| site < ranges[i].end)
}

/// The sites in the text of a function.
fn sites_of_function(tables: &ImageTables, func: DefinedFuncIndex) -> Range<u32> {
    let Some(function) = tables.function(func) else { return 0..0 };
    let start = function.start.get();
    let end = start + function.len;
    let from = |bound: u32| tables.site_from(TextOffset::new(bound)).map_or(tables.sites.len() as u32, |site| site.0);
    from(start)..from(end)
}
