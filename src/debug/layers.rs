//! What should be armed, in layers over the store's plan: each layer says what it wants, whatever the others want, and
//! here that is joined. No other file edits the plan.
//!
//! A layer wants sites, or all sites of some code. Sites are counted by the plan: one that two want is armed until both
//! have taken it back. Of what a layer wants stepped through, the plan has only what all want together, so each layer's
//! own is kept here.

use super::places::site_of;
use crate::base::{DefinedFuncIndex, Result, WasmOffset};
use crate::code::{CodeSlot, PatchEdit, StepScope};
use crate::image::SiteId;
use crate::runtime::{Side, StoreMut};

/// Who wants every site of some code armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    /// Stepping that goes on whatever the callback answers.
    Always,
    /// The step under way.
    Step,
    /// What the host has done to what is watched, to be told where the guest goes on.
    Host,
    /// A frame that was changed while it waited, in which an exception lands.
    Landing,
}

impl Layer {
    const COUNT: usize = Layer::Landing as usize + 1;
}

/// What the layers want armed.
#[derive(Default)]
pub(super) struct Layers {
    scopes: [StepScope; Layer::COUNT],
}

impl Layers {
    /// Where a layer wants every site.
    #[inline]
    pub(super) fn scope(&self, layer: Layer) -> &StepScope {
        &self.scopes[layer as usize]
    }

    /// Whether a layer wants every site of a function.
    #[inline]
    pub(super) fn covers(&self, layer: Layer, code: (CodeSlot, DefinedFuncIndex)) -> bool {
        match self.scope(layer) {
            StepScope::Off => false,
            StepScope::All => true,
            StepScope::Functions(functions) => functions.contains(&code),
        }
    }

    /// A layer wants every site of this from now on, and of nothing else. On an error all is as it was.
    #[inline]
    pub(super) fn set_scope(&mut self, store: &mut StoreMut<'_>, layer: Layer, scope: StepScope) -> Result<()> {
        if *self.scope(layer) == scope { Ok(()) } else { self.change_scope(store, layer, scope) }
    }

    #[inline(never)]
    fn change_scope(&mut self, store: &mut StoreMut<'_>, layer: Layer, scope: StepScope) -> Result<()> {
        let before = std::mem::replace(&mut self.scopes[layer as usize], scope);
        let joined = self.joined();
        if *store.registry().plan().step() == joined {
            return Ok(());
        }
        let edited = edit(store, &[], &[], Some(joined));
        if edited.is_err() {
            self.scopes[layer as usize] = before;
        }
        edited
    }

    /// What all layers want together.
    fn joined(&self) -> StepScope {
        let mut functions = Vec::new();
        for scope in &self.scopes {
            match scope {
                StepScope::Off => {}
                StepScope::All => return StepScope::All,
                StepScope::Functions(more) if functions.is_empty() => functions.clone_from(more),
                StepScope::Functions(more) => functions.extend_from_slice(more),
            }
        }
        if functions.is_empty() {
            return StepScope::Off;
        }
        functions.sort_unstable();
        functions.dedup();
        StepScope::Functions(functions)
    }
}

/// The site of exactly this instruction in the code of a slot.
pub(super) fn site_in(store: &StoreMut<'_>, slot: CodeSlot, wasm: WasmOffset) -> Option<SiteId> {
    site_of(store.registry().get(slot)?.engine.tables(), wasm)
}

/// A layer wants these sites, each once more than before. On an error all is as it was.
pub(super) fn add_sites(store: &mut StoreMut<'_>, sites: &[(CodeSlot, SiteId)]) -> Result<()> {
    edit(store, sites, &[], None)
}

/// A layer does not want these sites any more, which it has added. On an error all is as it was.
pub(super) fn remove_sites(store: &mut StoreMut<'_>, sites: &[(CodeSlot, SiteId)]) -> Result<()> {
    edit(store, &[], sites, None)
}

/// The same of sites that a guest comes to which takes a side of a branch.
pub(super) fn remove_sites_at_side(side: &mut Side<'_>, sites: &[(CodeSlot, SiteId)]) -> Result<()> {
    make(side.edit(), &[], sites, None)
}

/// Has a function go on in code of its own from its next call on, or be itself again.
pub(super) fn set_detour(
    store: &mut StoreMut<'_>,
    (slot, func): (CodeSlot, DefinedFuncIndex),
    to: Option<CodeSlot>,
) -> Result<()> {
    if store.registry().plan().detour(slot, func) == to {
        return Ok(());
    }
    let mut edit = store.edit();
    match edit.set_detour(slot, func, to) {
        Ok(()) => edit.commit(),
        Err(error) => {
            edit.abort();
            Err(error)
        }
    }
}

/// Edits the plan, as a whole or not at all.
fn edit(
    store: &mut StoreMut<'_>,
    add: &[(CodeSlot, SiteId)],
    remove: &[(CodeSlot, SiteId)],
    step: Option<StepScope>,
) -> Result<()> {
    make(store.edit(), add, remove, step)
}

fn make(
    mut edit: PatchEdit<'_>,
    add: &[(CodeSlot, SiteId)],
    remove: &[(CodeSlot, SiteId)],
    step: Option<StepScope>,
) -> Result<()> {
    let change = || {
        for (slot, site) in add {
            edit.add_site(*slot, *site)?;
        }
        for (slot, site) in remove {
            edit.remove_site(*slot, *site)?;
        }
        step.map_or(Ok(()), |scope| edit.set_step(scope))
    };
    match change() {
        Ok(()) => edit.commit(),
        Err(error) => {
            // Dropped, it would be made as far as it has come.
            edit.abort();
            Err(error)
        }
    }
}
