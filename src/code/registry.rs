//! The code of one store: what is registered, where it is, and what stands behind a program counter.

use super::plan::{PatchPlan, StepScope};
use super::private::PrivateText;
use super::{EngineCode, EngineCodeId, ForwardingText, PatchEdit, Pauser, Registration};
use crate::abi::StopCell;
use crate::base::{Error, ErrorKind, Pc, Result, Shared, TextOffset};
use crate::image::SiteId;
use smallvec::SmallVec;

/// The error of a store whose code is broken: see [`CodeRegistry::is_broken`].
#[cold]
pub fn broken() -> Error {
    let message =
        "the system has refused to change machine code of this store, and to put it back as it was; make another store";
    Error::new(ErrorKind::Poisoned, message)
}

/// Code registered in a store: a position in its [`CodeRegistry`]. It is free for other code only after it was
/// unregistered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeSlot(u32);

impl CodeSlot {
    /// The slot as a position in a vector.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How a store holds a module's code: the choice made when it is registered.
#[derive(Debug)]
pub enum Ownership {
    /// It runs the engine's mapping.
    Shared,
    /// It runs a private copy, which can be patched.
    Private {
        /// What armed sites find behind the copy.
        cell: StopCell,
    },
}

/// A text that all stores of an engine may run: a view, owned by the [`EngineCode`] that stands beside it.
#[derive(Debug)]
pub struct SharedText {
    base: usize,
    len: u32,
}

/// Where a text begins, for whoever keeps it beside the code: an address is one addition away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextBase(usize);

impl TextBase {
    /// The address of an offset in the text.
    #[inline]
    pub fn pc(self, offset: TextOffset) -> Pc {
        Pc::new(self.0.wrapping_add(offset.index()))
    }

    /// The offset of an address that is known to be in the text.
    #[inline]
    pub fn offset_of(self, pc: Pc) -> TextOffset {
        TextOffset::new(pc.get().wrapping_sub(self.0) as u32)
    }
}

/// A module's code in a store: the only maker of its addresses.
#[derive(Debug)]
pub enum StoreCode {
    /// The engine's mapping.
    Shared(SharedText),
    /// A mapping of this store's own. It alone can be patched.
    Private(Box<PrivateText>),
    /// A copy of the engine's mapping in which no function is called.
    Forwarding(Box<ForwardingText>),
}

impl StoreCode {
    /// The address of the text. That of an empty text is null.
    #[inline]
    pub fn base(&self) -> Pc {
        Pc::new(match self {
            StoreCode::Shared(text) => text.base,
            StoreCode::Private(text) => text.base(),
            StoreCode::Forwarding(text) => text.base(),
        })
    }

    /// The same, to be kept.
    #[inline]
    pub fn text_base(&self) -> TextBase {
        TextBase(self.base().get())
    }

    /// What is executed, armed sites and all.
    pub fn bytes(&self) -> &[u8] {
        if self.text_len() == 0 {
            return &[];
        }
        // SAFETY: the text is mapped and readable for as long as this is there. Only a private one is ever written, by
        // an edit, which holds this exclusively.
        unsafe { std::slice::from_raw_parts(self.base().get() as *const u8, self.text_len() as usize) }
    }

    /// Bytes of the text.
    #[inline]
    pub fn text_len(&self) -> u32 {
        match self {
            StoreCode::Shared(text) => text.len,
            StoreCode::Private(text) => text.len(),
            StoreCode::Forwarding(text) => text.len(),
        }
    }

    /// The address of an offset.
    ///
    /// # Panics
    /// When the offset is beyond the text (its end is allowed: a last call returns there).
    #[inline]
    pub fn pc(&self, offset: TextOffset) -> Pc {
        assert!(offset.get() <= self.text_len(), "offset beyond the text");
        Pc::new(self.base().get() + offset.index())
    }

    /// The offset of an address, if it is in this text.
    #[inline]
    pub fn offset_of(&self, pc: Pc) -> Option<TextOffset> {
        let offset = pc.get().checked_sub(self.base().get())?;
        (offset < self.text_len() as usize).then(|| TextOffset::new(offset as u32))
    }

    /// Whether it can be patched.
    pub fn is_private(&self) -> bool {
        matches!(self, StoreCode::Private(_))
    }

    /// Whether functions can be called in it: not in a copy whose functions all begin elsewhere.
    fn is_called(&self) -> bool {
        !matches!(self, StoreCode::Forwarding(_))
    }
}

/// A module's code together with its form in this store.
#[derive(Debug)]
pub struct LoadedCode {
    // The order matters: the store's view goes before the code it is a view of, and what goes with a view before that.
    registration: Option<Registration>,
    /// Its form in this store.
    pub store: StoreCode,
    /// The code in the engine.
    pub engine: Shared<EngineCode>,
}

/// As many slots are looked through faster than their code is sorted.
const FEW: usize = 8;

/// Where a registered text is. Sorted by start, the last first, for the system gives out addresses downwards; they
/// cannot overlap.
#[derive(Clone, Copy, Debug)]
struct TextRange {
    start: usize,
    end: usize,
    slot: CodeSlot,
}

/// What is registered, by [`CodeSlot`].
#[derive(Debug, Default)]
pub(super) struct Slots(SmallVec<[Option<LoadedCode>; 1]>);

impl Slots {
    /// What is registered in a slot.
    pub(super) fn get(&self, slot: CodeSlot) -> Option<&LoadedCode> {
        self.0.get(slot.index())?.as_ref()
    }

    /// Those of these slots that have a private text; they ascend.
    pub(super) fn private(
        &mut self,
        which: &[CodeSlot],
    ) -> impl Iterator<Item = (CodeSlot, &mut PrivateText, &EngineCode)> {
        self.with(which.iter().map(|slot| (*slot, *slot)))
    }

    /// The private texts of ascending slots, each with what stands beside its slot.
    pub(super) fn with<T>(
        &mut self,
        which: impl Iterator<Item = (CodeSlot, T)>,
    ) -> impl Iterator<Item = (T, &mut PrivateText, &EngineCode)> {
        let mut rest = self.0.as_mut_slice();
        let mut passed = 0;
        which.filter_map(move |(slot, beside)| {
            let ahead = slot.index().checked_sub(passed)?;
            let (loaded, behind) = std::mem::take(&mut rest).get_mut(ahead..)?.split_first_mut()?;
            (rest, passed) = (behind, slot.index() + 1);
            match loaded {
                Some(LoadedCode { store: StoreCode::Private(text), engine, .. }) => {
                    Some((beside, &mut **text, &**engine))
                }
                _ => None,
            }
        })
    }
}

/// All code of a store. It keeps the code alive, finds what stands behind an address, and holds the plan of what is
/// patched. A store with one module needs no allocation here.
#[derive(Debug, Default)]
pub struct CodeRegistry {
    pub(super) slots: Slots,
    /// Slots with nothing in them.
    free: Vec<CodeSlot>,
    /// The slot of each code, sorted by the code, which is mostly registered in the order in which it was made. Empty
    /// while there have never been more than a few.
    by_code: Vec<(EngineCodeId, CodeSlot)>,
    ranges: SmallVec<[TextRange; 1]>,
    pub(super) plan: PatchPlan,
    pub(super) last_error: Option<Error>,
    pub(super) broken: bool,
    /// What has guests stop that compute, once it was asked for.
    pub(super) pauser: Option<Pauser>,
}

impl CodeRegistry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers code, or finds it registered. This is where it is decided whether the store shares it or has a copy of
    /// its own. What the plan says about all code is applied: while stepping is on, a private text comes armed. Code
    /// registered already keeps its slot and gets the new cell; asking for the other ownership is an error.
    pub fn register(&mut self, code: &Shared<EngineCode>, ownership: Ownership) -> Result<CodeSlot> {
        if let Some(slot) = self.find(code) {
            return match (&mut self.loaded_mut(slot).store, ownership) {
                (StoreCode::Shared(_), Ownership::Shared) => Ok(slot),
                (StoreCode::Private(text), Ownership::Private { cell }) => {
                    text.set_cell(cell);
                    Ok(slot)
                }
                _ => Err(Error::new(
                    ErrorKind::State,
                    "this code is registered in this store already, with another ownership; unregister it first",
                )),
            };
        }
        let (store, engine) = match ownership {
            Ownership::Shared => (
                StoreCode::Shared(SharedText {
                    base: match code.text_len() {
                        0 => 0,
                        _ => code.shared_base()?,
                    },
                    len: code.text_len(),
                }),
                code.near(),
            ),
            Ownership::Private { cell } => (StoreCode::Private(Box::new(PrivateText::new(code, cell)?)), code.clone()),
        };
        let slot = self.free_slot()?;
        self.insert_range(&store, slot);
        if self.slots.0.len() > FEW {
            self.note_code(code.id(), slot);
        }
        self.slots.0[slot.index()] = Some(LoadedCode { registration: None, store, engine });
        if self.plan.step != StepScope::Off
            && self.entry(slot).store.is_private()
            && let Err(error) = self.apply_plan_to(slot)
        {
            self.remove(slot);
            return Err(error);
        }
        if let Some(pauser) = self.pauser.clone()
            && let Err(error) = self.list(slot, &pauser)
        {
            self.remove(slot);
            return Err(error);
        }
        Ok(slot)
    }

    /// A slot with nothing in it.
    fn free_slot(&mut self) -> Result<CodeSlot> {
        if let Some(slot) = self.free.pop() {
            return Ok(slot);
        }
        let index = u32::try_from(self.slots.0.len())
            .map_err(|_| Error::new(ErrorKind::Limit, "more than 2^32 modules in one store"))?;
        self.slots.0.push(None);
        Ok(CodeSlot(index))
    }

    /// Registers a copy of the shared text in a slot, whose functions go on where those of the same index begin in
    /// another text of the store: that is, in a slot with code of the same module, which stays at least as long.
    /// Instructions, tables and offsets are those of the shared text; whoever stands in it may go on in the copy. It is
    /// none of those that [`CodeRegistry::find`] finds.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where either slot is empty, or the code there has other functions; what mapping it said.
    pub fn register_forwarding(&mut self, from: CodeSlot, to: CodeSlot) -> Result<CodeSlot> {
        let (engine, target) = (self.check(from)?.engine.near(), self.check(to)?);
        let functions = &target.engine.tables().functions;
        if functions.len() != engine.tables().functions.len() {
            let message = format!("the code in slot {} has other functions than that in slot {}", to.0, from.0);
            return Err(Error::new(ErrorKind::Argument, message));
        }
        let text = ForwardingText::new(&engine, |index| target.store.pc(functions[index].start))?;
        let store = StoreCode::Forwarding(Box::new(text));
        let slot = self.free_slot()?;
        self.insert_range(&store, slot);
        if self.slots.0.len() > FEW && self.by_code.is_empty() {
            self.note_all();
        }
        self.slots.0[slot.index()] = Some(LoadedCode { registration: None, store, engine });
        Ok(slot)
    }

    /// What has guests stop that compute in private texts of this store, from other threads. The step images of all
    /// code are made for it, also of what is registered later.
    ///
    /// # Errors
    /// Those of making step images.
    pub fn pauser(&mut self) -> Result<Pauser> {
        if let Some(pauser) = &self.pauser {
            return Ok(pauser.clone());
        }
        let pauser = Pauser::new();
        let slots: Vec<CodeSlot> = self.private_slots().collect();
        let listed = slots.iter().try_for_each(|slot| self.list(*slot, &pauser));
        if let Err(error) = listed {
            self.slots.private(&slots).for_each(|(_, text, _)| text.listed = None);
            return Err(error);
        }
        self.pauser = Some(pauser.clone());
        Ok(pauser)
    }

    /// Has what is private in a slot covered when a pause is asked for.
    fn list(&mut self, slot: CodeSlot, pauser: &Pauser) -> Result<()> {
        let LoadedCode { store, engine, .. } = self.loaded_mut(slot);
        match store {
            StoreCode::Private(text) if !engine.tables().sites.is_empty() => {
                text.listed = Some(pauser.list(text.base(), engine, text.shows_step_image())?);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a pause is asked for that has not been told.
    #[inline]
    pub fn is_pause_asked(&self) -> bool {
        self.pauser.as_ref().is_some_and(Pauser::is_asked)
    }

    /// Whether every stop point is one because of a pause that has been told, or taken back: see
    /// [`CodeRegistry::end_pause`].
    #[inline]
    pub fn has_pause_to_end(&self) -> bool {
        self.pauser.as_ref().is_some_and(|pauser| pauser.is_covered() && !pauser.is_asked())
    }

    /// Whether anybody has asked for what pauses guests.
    #[inline]
    pub fn can_be_paused(&self) -> bool {
        self.pauser.is_some()
    }

    /// A pause has been told: guests go on as the plan has it, until another is asked for.
    ///
    /// # Errors
    /// As of an edit of the plan.
    pub fn end_pause(&mut self) -> Result<()> {
        if let Some(pauser) = &self.pauser {
            pauser.cancel();
            self.edit().commit()?;
        }
        Ok(())
    }

    /// Nothing of this store is paused any more; there are no private texts.
    pub fn forget_pauser(&mut self) {
        self.pauser = None;
    }

    /// Removes code: its private copy is unmapped, and the plan forgets its sites. Nothing may run in it, and no
    /// address of it may be left where a guest finds it.
    pub fn unregister(&mut self, slot: CodeSlot) -> Result<()> {
        self.check(slot)?;
        self.plan.forget(slot);
        self.remove(slot);
        Ok(())
    }

    /// Has something go with the mapping of the code in a slot, until it is unmapped: what `make` gives, unless
    /// somebody has made it before. A shared mapping is asked for once, whatever stores it is in.
    pub fn keep_registration(&mut self, slot: CodeSlot, make: impl FnOnce(&LoadedCode) -> Option<Registration>) {
        let loaded = self.entry(slot);
        match &loaded.store {
            StoreCode::Shared(_) => loaded.engine.keep_registration(|| make(loaded)),
            StoreCode::Private(_) | StoreCode::Forwarding(_) if loaded.registration.is_none() => {
                let registration = make(loaded);
                self.loaded_mut(slot).registration = registration;
            }
            StoreCode::Private(_) | StoreCode::Forwarding(_) => {}
        }
    }

    fn remove(&mut self, slot: CodeSlot) {
        let Some(loaded) = self.slots.0[slot.index()].take() else { return };
        if let Ok(at) = self.place_of(loaded.engine.id())
            && self.by_code[at].1 == slot
        {
            self.by_code.remove(at);
        }
        let start = loaded.store.base().get();
        let at = self.ranges.partition_point(|range| range.start > start);
        if self.ranges.get(at).is_some_and(|range| range.slot == slot) {
            self.ranges.remove(at);
        }
        self.free.push(slot);
    }

    fn insert_range(&mut self, store: &StoreCode, slot: CodeSlot) {
        let start = store.base().get();
        let end = start + store.text_len() as usize;
        if start == end {
            return;
        }
        let at = self.ranges.partition_point(|range| range.start > start);
        let free_from = self.ranges.get(at).map_or(0, |range| range.end);
        let free_to = at.checked_sub(1).map_or(usize::MAX, |i| self.ranges[i].start);
        assert!(free_from <= start && end <= free_to, "two texts of one store overlap");
        self.ranges.insert(at, TextRange { start, end, slot });
    }

    /// Where code stands in `by_code`, or where it would.
    fn place_of(&self, code: EngineCodeId) -> std::result::Result<usize, usize> {
        self.by_code.binary_search_by_key(&code, |(code, _)| *code)
    }

    /// Notes where code is that has not been put there yet.
    fn note_code(&mut self, code: EngineCodeId, slot: CodeSlot) {
        if self.by_code.is_empty() {
            self.note_all();
        }
        if let Err(at) = self.place_of(code) {
            self.by_code.insert(at, (code, slot));
        }
    }

    /// Notes where all code is.
    fn note_all(&mut self) {
        let called = self.iter().filter(|(_, loaded)| loaded.store.is_called());
        let mut known: Vec<_> = called.map(|(slot, loaded)| (loaded.engine.id(), slot)).collect();
        known.sort_unstable();
        self.by_code = known;
    }

    /// The slot of code that is registered.
    pub fn find(&self, code: &EngineCode) -> Option<CodeSlot> {
        if self.slots.0.len() <= FEW {
            let mut called = self.iter().filter(|(_, loaded)| loaded.store.is_called());
            return called.find(|(_, loaded)| loaded.engine.id() == code.id()).map(|(slot, _)| slot);
        }
        Some(self.by_code[self.place_of(code.id()).ok()?].1)
    }

    /// The code in a slot, if there is any.
    pub fn get(&self, slot: CodeSlot) -> Option<&LoadedCode> {
        self.slots.get(slot)
    }

    /// The code in a slot.
    ///
    /// # Panics
    /// When nothing is registered there.
    pub fn entry(&self, slot: CodeSlot) -> &LoadedCode {
        self.get(slot).expect("no code is registered in this slot")
    }

    /// All registered code.
    pub fn iter(&self) -> impl Iterator<Item = (CodeSlot, &LoadedCode)> {
        self.slots.0.iter().enumerate().filter_map(|(i, loaded)| Some((CodeSlot(i as u32), loaded.as_ref()?)))
    }

    /// The code an address is in, and where there. It takes no lock and allocates nothing, so a signal handler may ask,
    /// on the thread that runs the store's guest.
    #[inline]
    pub fn lookup(&self, pc: Pc) -> Option<(CodeSlot, TextOffset)> {
        let range = self.ranges.get(self.ranges.partition_point(|range| range.start > pc.get()))?;
        (pc.get() < range.end).then(|| (range.slot, TextOffset::new((pc.get() - range.start) as u32)))
    }

    /// Says what armed sites of a private text find behind it.
    pub fn set_cell(&mut self, slot: CodeSlot, cell: StopCell) -> Result<()> {
        self.check_private(slot)?.set_cell(cell);
        Ok(())
    }

    /// Whether the code that runs in this store has the site armed.
    pub fn is_armed(&self, slot: CodeSlot, site: SiteId) -> bool {
        let Some(loaded) = self.get(slot) else {
            return false;
        };
        let tables = loaded.engine.tables();
        match &loaded.store {
            StoreCode::Private(text) if (site.0 as usize) < tables.sites.len() => text.is_armed(tables, site),
            _ => false,
        }
    }

    /// Whether an edit could neither be done nor be taken back, for the system refused both. What the code does is not
    /// known, if it can be executed at all: no guest may go on in this store.
    #[inline]
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// What should be patched.
    pub fn plan(&self) -> &PatchPlan {
        &self.plan
    }

    /// Starts an edit of the plan. The code follows when it is committed, or dropped.
    pub fn edit(&mut self) -> PatchEdit<'_> {
        PatchEdit::new(self)
    }

    /// Why the last edit that was dropped without [`PatchEdit::commit`] failed, if it did. Asking takes the error.
    pub fn last_error(&mut self) -> Option<Error> {
        self.last_error.take()
    }

    fn loaded_mut(&mut self, slot: CodeSlot) -> &mut LoadedCode {
        self.slots.0[slot.index()].as_mut().expect("no code is registered in this slot")
    }

    pub(super) fn private_slots(&self) -> impl Iterator<Item = CodeSlot> + '_ {
        self.iter().filter(|(_, loaded)| loaded.store.is_private()).map(|(slot, _)| slot)
    }

    pub(super) fn check(&self, slot: CodeSlot) -> Result<&LoadedCode> {
        self.get(slot)
            .ok_or_else(|| Error::new(ErrorKind::Argument, format!("no code is registered in slot {}", slot.0)))
    }

    pub(super) fn check_private(&mut self, slot: CodeSlot) -> Result<&mut PrivateText> {
        self.check(slot)?;
        match self.slots.private(&[slot]).next() {
            Some((_, text, _)) => Ok(text),
            None => Err(Error::new(
                ErrorKind::State,
                "this store runs shared code, which cannot be patched; attach a debugger to the store first",
            )),
        }
    }
}
