//! Handles: a store's name with a pointer into it. What can be done with one needs the store in hand, and is said where
//! stores are known.

use crate::abi::{EXTERN_OF_GUEST, HOST_SHIFT, HOST_TAG, I31_TAG, VMException, VMFuncRef, VMGlobal};
use crate::runtime::objects::exceptions::TagData;
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::objects::memory::MemoryData;
use crate::runtime::objects::owned::StoreId;
use crate::runtime::objects::table::TableData;
use crate::wasm::GlobalType;
use std::hash::{Hash, Hasher};
use std::ptr::NonNull;

/// A function of a store: a guest's or the host's. Equal handles are the same function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Func {
    pub(in crate::runtime) store: StoreId,
    /// Valid as long as the store of this id lives, which a check against a store in hand proves.
    pub(in crate::runtime) ptr: NonNull<VMFuncRef>,
}

// SAFETY: a handle is used only with its store in hand.
unsafe impl Send for Func {}

// SAFETY: as above.
unsafe impl Sync for Func {}

/// A memory of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    pub(in crate::runtime) store: StoreId,
    pub(in crate::runtime) ptr: NonNull<MemoryData>,
}

// SAFETY: a handle is used only with its store in hand.
unsafe impl Send for Memory {}

// SAFETY: as above.
unsafe impl Sync for Memory {}

/// A table of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Table {
    pub(in crate::runtime) store: StoreId,
    pub(in crate::runtime) ptr: NonNull<TableData>,
}

// SAFETY: a handle is used only with its store in hand.
unsafe impl Send for Table {}

// SAFETY: as above.
unsafe impl Sync for Table {}

/// A global of a store.
#[derive(Clone, Copy, Debug)]
pub struct Global {
    pub(in crate::runtime) store: StoreId,
    pub(in crate::runtime) ptr: NonNull<VMGlobal>,
    pub(in crate::runtime) ty: GlobalType,
}

// SAFETY: a handle is used only with its store in hand.
unsafe impl Send for Global {}

// SAFETY: as above.
unsafe impl Sync for Global {}

impl PartialEq for Global {
    fn eq(&self, other: &Global) -> bool {
        self.store == other.store && self.ptr == other.ptr
    }
}

impl Eq for Global {}

impl Hash for Global {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.store, self.ptr).hash(state);
    }
}

/// An instance of a module in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instance {
    pub(in crate::runtime) store: StoreId,
    pub(in crate::runtime) ptr: NonNull<InstanceData>,
}

// SAFETY: a handle is used only with its store in hand.
unsafe impl Send for Instance {}

// SAFETY: as above.
unsafe impl Sync for Instance {}

impl Instance {
    /// Its name.
    ///
    /// # Safety
    /// It has not been collected, and its store is alive.
    pub(in crate::runtime) unsafe fn id_unchecked(&self) -> InstanceId {
        // SAFETY: the caller's promise.
        InstanceId { store: self.store, number: unsafe { self.ptr.as_ref() }.number }
    }

    #[inline]
    pub(in crate::runtime) fn from_parts(store: StoreId, ptr: NonNull<InstanceData>) -> Instance {
        Instance { store, ptr }
    }

    pub(in crate::runtime) fn store(&self) -> StoreId {
        self.store
    }

    pub(in crate::runtime) fn data(&self) -> NonNull<InstanceData> {
        self.ptr
    }
}

/// Names an instance for as long as the process lives, whatever becomes of it, and never another one: what is kept
/// where the instance may be gone, or given to another store, has this ([`Instance::id`]) and not the instance, which
/// [`Store::find_instance`](crate::runtime::Store::find_instance) finds again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InstanceId {
    pub(in crate::runtime) store: StoreId,
    pub(in crate::runtime) number: u64,
}

/// A value of the host that guests can hold but not look into. The store keeps it until it is collected
/// ([`Store::collect`](crate::runtime::Store::collect)) or the store is dropped.
///
/// One that a guest has made of a reference of its own is held like that: see [`AnyRef`].
#[derive(Clone, Copy, Debug)]
pub struct ExternRef {
    pub(in crate::runtime) store: StoreId,
    pub(in crate::runtime) index: u32,
    /// Of one that a guest has made of a reference of its own, which stands in the place of the index.
    pub(in crate::runtime) of_guest: Option<HeldAt>,
}

impl PartialEq for ExternRef {
    fn eq(&self, other: &ExternRef) -> bool {
        (self.store, self.index, self.of_guest.is_some()) == (other.store, other.index, other.of_guest.is_some())
    }
}

impl Eq for ExternRef {}

impl Hash for ExternRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.store, self.index, self.of_guest.is_some()).hash(state);
    }
}

/// Where a store has written down that its host holds something that a guest has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) struct HeldAt(pub(in crate::runtime) u32);

impl HeldAt {
    /// Of what needs not be written down.
    pub(in crate::runtime) const NOWHERE: HeldAt = HeldAt(u32::MAX);
}

impl ExternRef {
    /// What a reference of the family of `anyref` is as an external one, as `extern.convert_any` makes it. Of an
    /// integer, which is of no store, it is one of this store.
    pub(in crate::runtime) fn of_any(store: StoreId, value: AnyRef) -> ExternRef {
        let of_guest =
            || ExternRef { store: value.store.unwrap_or(store), index: value.word, of_guest: Some(value.held) };
        value.as_host().unwrap_or_else(of_guest)
    }

    /// A number that is the same for the same reference, and another for every other of its store.
    pub fn number(&self) -> u32 {
        self.index
    }
}

/// A tag of a store: what kind of exception it is, and what those carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tag {
    pub(in crate::runtime) store: StoreId,
    pub(in crate::runtime) ptr: NonNull<TagData>,
}

// SAFETY: a handle is used only with its store in hand.
unsafe impl Send for Tag {}

// SAFETY: as above.
unsafe impl Sync for Tag {}

/// An exception of a store. The store keeps it until it is collected
/// ([`Store::collect`](crate::runtime::Store::collect)) or the store is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExnRef {
    pub(in crate::runtime) store: StoreId,
    pub(in crate::runtime) ptr: NonNull<VMException>,
}

// SAFETY: a handle is used only with its store in hand.
unsafe impl Send for ExnRef {}

// SAFETY: as above.
unsafe impl Sync for ExnRef {}

/// What `any.convert_extern` makes of an external reference.
pub(in crate::runtime) fn any_of_extern(word: u64) -> u32 {
    match word {
        0 => 0,
        word if word & EXTERN_OF_GUEST != 0 => word as u32,
        word => (word as u32 - 1) << HOST_SHIFT | HOST_TAG,
    }
}

/// What `extern.convert_any` makes of a reference.
pub(in crate::runtime) fn extern_of_any(word: u32) -> u64 {
    match word {
        0 => 0,
        word if word & (I31_TAG | HOST_TAG) == HOST_TAG => u64::from(word >> HOST_SHIFT) + 1,
        word => EXTERN_OF_GUEST | u64::from(word),
    }
}

/// A reference of the family of `anyref` that is not null: a structure, an array, an integer of 31 bits, or what
/// `any.convert_extern` has made of an external reference.
///
/// A handle of a structure or an array that came out of the store while a host function or a callback ran, a parameter
/// above all, can be used until that returns; others until the store is next asked to collect, or until the end of the
/// [`Store::scope`](crate::runtime::Store::scope) that they came up in. So long it keeps what it refers to from being
/// collected. [`Store::root`](crate::runtime::Store::root) keeps it longer. Used afterwards, it is an error.
#[derive(Clone, Copy, Debug)]
pub struct AnyRef {
    /// The store, but for an integer, which is the same in all.
    pub(in crate::runtime) store: Option<StoreId>,
    /// As compiled code has it.
    word: u32,
    /// Where the store has written down that it is held.
    pub(in crate::runtime) held: HeldAt,
}

impl PartialEq for AnyRef {
    fn eq(&self, other: &AnyRef) -> bool {
        (self.store, self.word) == (other.store, other.word)
    }
}

impl Eq for AnyRef {}

impl Hash for AnyRef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.store, self.word).hash(state);
    }
}

/// Whether a reference of the family of `anyref` refers to a structure or an array.
pub(in crate::runtime) fn is_object(word: u32) -> bool {
    word != 0 && word & (I31_TAG | HOST_TAG) == 0
}

impl AnyRef {
    /// The lowest 31 bits of an integer, as `ref.i31` makes it.
    pub fn i31(value: i32) -> AnyRef {
        AnyRef { store: None, word: (value as u32) << 1 | I31_TAG, held: HeldAt::NOWHERE }
    }

    /// The integer, if it is one, with its sign, as `i31.get_s` gives it.
    pub fn as_i31(&self) -> Option<i32> {
        (self.word & I31_TAG != 0).then_some(self.word as i32 >> 1)
    }

    /// As compiled code has it.
    pub(in crate::runtime) fn to_word(self) -> u32 {
        self.word
    }

    /// From what compiled code of a store has, of which the host holds it there; `None` for null.
    pub(in crate::runtime) fn from_word(store: StoreId, word: u32, held: HeldAt) -> Option<AnyRef> {
        let store = (word & I31_TAG == 0).then_some(store);
        (word != 0).then_some(AnyRef { store, word, held })
    }

    /// Whether it refers to a structure or an array.
    pub fn is_object(&self) -> bool {
        is_object(self.word)
    }

    /// Held there now.
    pub(in crate::runtime) fn held_at(self, held: HeldAt) -> AnyRef {
        AnyRef { held, ..self }
    }

    /// What an external reference is as one of the family of `anyref`, as `any.convert_extern` makes it.
    pub fn of_extern(value: ExternRef) -> AnyRef {
        let ExternRef { store, index, of_guest } = value;
        match of_guest {
            None => AnyRef { store: Some(store), word: index << HOST_SHIFT | HOST_TAG, held: HeldAt::NOWHERE },
            Some(held) => AnyRef { store: (index & I31_TAG == 0).then_some(store), word: index, held },
        }
    }

    /// The external reference that it was made of, if it was not made by a guest.
    pub fn as_host(&self) -> Option<ExternRef> {
        let is_host = self.word & (I31_TAG | HOST_TAG) == HOST_TAG;
        let store = self.store.filter(|_| is_host)?;
        Some(ExternRef { store, index: self.word >> HOST_SHIFT, of_guest: None })
    }
}

/// What instances import and export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extern {
    /// A function.
    Func(Func),
    /// A table.
    Table(Table),
    /// A memory.
    Memory(Memory),
    /// A global.
    Global(Global),
    /// A tag.
    Tag(Tag),
}

impl Extern {
    /// The function, if it is one.
    pub fn func(self) -> Option<Func> {
        if let Extern::Func(func) = self { Some(func) } else { None }
    }

    /// The table, if it is one.
    pub fn table(self) -> Option<Table> {
        if let Extern::Table(table) = self { Some(table) } else { None }
    }

    /// The memory, if it is one.
    pub fn memory(self) -> Option<Memory> {
        if let Extern::Memory(memory) = self { Some(memory) } else { None }
    }

    /// The global, if it is one.
    pub fn global(self) -> Option<Global> {
        if let Extern::Global(global) = self { Some(global) } else { None }
    }

    /// The tag, if it is one.
    pub fn tag(self) -> Option<Tag> {
        if let Extern::Tag(tag) = self { Some(tag) } else { None }
    }

    pub(in crate::runtime) fn store(&self) -> StoreId {
        match self {
            Extern::Tag(tag) => tag.store,
            Extern::Func(func) => func.store,
            Extern::Table(table) => table.store,
            Extern::Memory(memory) => memory.store,
            Extern::Global(global) => global.store,
        }
    }
}

impl From<Func> for Extern {
    fn from(func: Func) -> Extern {
        Extern::Func(func)
    }
}

impl From<Table> for Extern {
    fn from(table: Table) -> Extern {
        Extern::Table(table)
    }
}

impl From<Memory> for Extern {
    fn from(memory: Memory) -> Extern {
        Extern::Memory(memory)
    }
}

impl From<Global> for Extern {
    fn from(global: Global) -> Extern {
        Extern::Global(global)
    }
}

impl From<Tag> for Extern {
    fn from(tag: Tag) -> Extern {
        Extern::Tag(tag)
    }
}

/// Something of a store that a host can hold: where marking begins, and what can carry a host's own data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// A function, table, memory, global or tag.
    Extern(Extern),
    /// An instance.
    Instance(Instance),
    /// A value of the host's.
    ExternRef(ExternRef),
    /// An exception.
    ExnRef(ExnRef),
    /// A structure or an array; nothing, where it is neither.
    AnyRef(AnyRef),
}

impl Root {
    /// Its store; of an integer there is none.
    pub(in crate::runtime) fn store(&self) -> Option<StoreId> {
        match self {
            Root::Extern(item) => Some(item.store()),
            Root::Instance(instance) => Some(instance.store()),
            Root::ExternRef(value) => Some(value.store),
            Root::ExnRef(exception) => Some(exception.store),
            Root::AnyRef(value) => value.store,
        }
    }

    /// The reference of the family of `anyref` that it is, if it is one to what a guest has made.
    pub(in crate::runtime) fn made_by_guest(&self) -> Option<AnyRef> {
        let made = match self {
            Root::AnyRef(value) => *value,
            Root::ExternRef(value) if value.of_guest.is_some() => AnyRef::of_extern(*value),
            _ => return None,
        };
        made.is_object().then_some(made)
    }

    /// Held there now, if where matters.
    pub(in crate::runtime) fn held_at(self, held: HeldAt) -> Root {
        match self {
            Root::AnyRef(value) => Root::AnyRef(value.held_at(held)),
            Root::ExternRef(value) => Root::ExternRef(ExternRef { of_guest: value.of_guest.map(|_| held), ..value }),
            other => other,
        }
    }
}

/// Implements `From` for what can be a root.
macro_rules! roots {
    ($($type:ty),*) => {
        $(impl From<$type> for Root {
            fn from(item: $type) -> Root {
                Root::Extern(item.into())
            }
        })*
    };
}

roots!(Func, Table, Memory, Global, Tag, Extern);

impl From<Instance> for Root {
    fn from(instance: Instance) -> Root {
        Root::Instance(instance)
    }
}

impl From<ExternRef> for Root {
    fn from(value: ExternRef) -> Root {
        Root::ExternRef(value)
    }
}

impl From<AnyRef> for Root {
    fn from(value: AnyRef) -> Root {
        Root::AnyRef(value)
    }
}

impl From<ExnRef> for Root {
    fn from(exception: ExnRef) -> Root {
        Root::ExnRef(exception)
    }
}
