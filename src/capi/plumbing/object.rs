//! What stands behind every reference of the C ABI: functions, globals, tables, memories, instances, modules, traps,
//! foreign objects. One Rust type, so that the standard's `_as_ref` and `_as_extern` conversions can borrow; each
//! handle keeps its store alive, and its object from being collected.

use super::cell::StoreCell;
use super::guard::or_null;
use super::own::{Handle, Own, borrow};
use super::trap_object::TrapObject;
use crate::runtime::{
    AnyRef, ExnRef, Extern, ExternRef, Func, Global, Instance, Memory, Module, Root, Rooted, Table, Tag,
};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

/// A handle: an object and its store.
pub(in crate::capi) struct Object {
    /// The store, kept alive.
    pub(in crate::capi) cell: Arc<StoreCell>,
    /// The object.
    pub(in crate::capi) kind: Kind,
    /// Keeps the object from being collected; nothing for what no store owns.
    rooted: Option<Rooted>,
}

/// What a handle is of.
#[derive(Clone)]
pub(in crate::capi) enum Kind {
    /// A function.
    Func(Func),
    /// A global.
    Global(Global),
    /// A table.
    Table(Table),
    /// A memory.
    Memory(Memory),
    /// An instance.
    Instance(Instance),
    /// A module; it could be of any store of its engine.
    Module(Module),
    /// A trap.
    Trap(Arc<TrapObject>),
    /// A foreign object: an external reference with nothing but its identity.
    Foreign(ExternRef),
    /// A tag.
    Tag(Tag),
    /// An exception.
    Exception(ExnRef),
    /// A reference to what a guest has made.
    Any(AnyRef),
}

impl Object {
    /// A handle in a store.
    pub(in crate::capi) fn new(cell: &Arc<StoreCell>, kind: impl Into<Kind>) -> Object {
        let kind = kind.into();
        let rooted = kind.root().map(|root| cell.hold(root));
        Object::held(cell, kind, rooted)
    }

    /// The same, of what is held already. What a guest has made can be used as long as it is held there.
    fn held(cell: &Arc<StoreCell>, kind: Kind, rooted: Option<Rooted>) -> Object {
        let kind = match (kind, rooted.as_ref().map(Rooted::root)) {
            (Kind::Any(_), Some(Root::AnyRef(value))) => Kind::Any(value),
            (Kind::Foreign(_), Some(Root::ExternRef(value))) => Kind::Foreign(value),
            (kind, _) => kind,
        };
        Object { cell: cell.clone(), kind, rooted }
    }

    /// Whether two handles are of one object.
    fn same(&self, other: &Object) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Func(a), Kind::Func(b)) => a == b,
            (Kind::Global(a), Kind::Global(b)) => a == b,
            (Kind::Table(a), Kind::Table(b)) => a == b,
            (Kind::Memory(a), Kind::Memory(b)) => a == b,
            (Kind::Instance(a), Kind::Instance(b)) => a == b,
            (Kind::Module(a), Kind::Module(b)) => Module::same(a, b),
            (Kind::Trap(a), Kind::Trap(b)) => Arc::ptr_eq(a, b),
            (Kind::Foreign(a), Kind::Foreign(b)) => a == b,
            (Kind::Tag(a), Kind::Tag(b)) => a == b,
            (Kind::Exception(a), Kind::Exception(b)) => a == b,
            (Kind::Any(a), Kind::Any(b)) => a == b,
            _ => false,
        }
    }

    /// The same for all handles of one object.
    pub(in crate::capi) fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match &self.kind {
            Kind::Func(func) => func.hash(&mut hasher),
            Kind::Global(global) => global.hash(&mut hasher),
            Kind::Table(table) => table.hash(&mut hasher),
            Kind::Memory(memory) => memory.hash(&mut hasher),
            Kind::Instance(instance) => instance.hash(&mut hasher),
            Kind::Module(module) => module.identity().hash(&mut hasher),
            Kind::Trap(trap) => Arc::as_ptr(trap).hash(&mut hasher),
            Kind::Foreign(value) => value.hash(&mut hasher),
            Kind::Tag(tag) => tag.hash(&mut hasher),
            Kind::Exception(exception) => exception.hash(&mut hasher),
            Kind::Any(value) => value.hash(&mut hasher),
        }
        hasher.finish()
    }

    /// What instances import and export, if it is that.
    pub(in crate::capi) fn as_extern(&self) -> Option<Extern> {
        Some(match &self.kind {
            Kind::Func(func) => (*func).into(),
            Kind::Global(global) => (*global).into(),
            Kind::Table(table) => (*table).into(),
            Kind::Memory(memory) => (*memory).into(),
            Kind::Tag(tag) => (*tag).into(),
            Kind::Instance(_)
            | Kind::Module(_)
            | Kind::Trap(_)
            | Kind::Foreign(_)
            | Kind::Exception(_)
            | Kind::Any(_) => return None,
        })
    }
}

impl Clone for Object {
    fn clone(&self) -> Object {
        Object::held(&self.cell, self.kind.clone(), self.rooted.clone())
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        if self.rooted.take().is_some() {
            self.cell.collect_if_due();
        }
    }
}

impl Kind {
    /// What of the store it is, if the store owns it.
    pub(in crate::capi) fn root(&self) -> Option<Root> {
        Some(match self {
            Kind::Func(func) => (*func).into(),
            Kind::Global(global) => (*global).into(),
            Kind::Table(table) => (*table).into(),
            Kind::Memory(memory) => (*memory).into(),
            Kind::Instance(instance) => (*instance).into(),
            Kind::Foreign(value) => (*value).into(),
            Kind::Tag(tag) => (*tag).into(),
            Kind::Exception(exception) => (*exception).into(),
            Kind::Any(value) => match value.as_host() {
                Some(value) => value.into(),
                None if value.is_object() => (*value).into(),
                None => return None,
            },
            Kind::Module(_) | Kind::Trap(_) => return None,
        })
    }
}

impl From<Extern> for Kind {
    fn from(item: Extern) -> Kind {
        match item {
            Extern::Func(func) => Kind::Func(func),
            Extern::Global(global) => Kind::Global(global),
            Extern::Table(table) => Kind::Table(table),
            Extern::Memory(memory) => Kind::Memory(memory),
            Extern::Tag(tag) => Kind::Tag(tag),
        }
    }
}

/// Implements `From` for the kinds.
macro_rules! kinds {
    ($($kind:ident: $type:ty),*) => {
        $(impl From<$type> for Kind {
            fn from(object: $type) -> Kind {
                Kind::$kind(object)
            }
        })*
    };
}

kinds!(Func: Func, Global: Global, Table: Table, Memory: Memory, Instance: Instance, Module: Module,
       Trap: Arc<TrapObject>, Foreign: ExternRef, Tag: Tag, Exception: ExnRef);

/// `wasm_X_copy`.
///
/// # Safety
/// The pointer is NULL or a live handle.
pub(in crate::capi) unsafe fn copy<T: Handle<Rust = Object>>(function: &str, object: *const T) -> Own<T> {
    // SAFETY: by the contract.
    or_null(function, || Ok(Own::new(unsafe { borrow(object, "object") }?.clone())))
}

/// `wasm_X_same`.
///
/// # Safety
/// The pointers are NULL or live handles.
pub(in crate::capi) unsafe fn same<T: Handle<Rust = Object>>(function: &str, a: *const T, b: *const T) -> bool {
    // SAFETY: by the contract.
    or_null(function, || Ok(unsafe { borrow(a, "a")?.same(borrow(b, "b")?) }))
}

/// `wasm_X_as_Y`: the same handle, borrowed; NULL for NULL and for an object of another kind.
///
/// # Safety
/// The pointer is NULL or a live handle.
pub(in crate::capi) unsafe fn convert<A, B>(function: &str, object: *const A) -> *mut B
where
    A: Handle<Rust = Object>,
    B: Handle<Rust = Object>,
{
    or_null(function, || {
        if object.is_null() {
            return Ok(std::ptr::null_mut());
        }
        // SAFETY: by the contract.
        let is = B::check(unsafe { borrow(object, "object") }?);
        // Another kind is an answer, not an error.
        Ok(if is { object.cast::<B>().cast_mut() } else { std::ptr::null_mut() })
    })
}
