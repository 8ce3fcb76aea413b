//! Types that modules define, and which of them are the same (specification sections 2.3.8 and 3.1.3): a type is
//! defined in a group of types that may refer to each other, and two groups that look alike define the same types,
//! whatever modules they stand in. So each has one number, a [`TypeId`], in the whole process, and two types are the
//! same if their numbers are.
//!
//! What is known of a type lives as long as somebody holds a [`DefinedType`] of its group: modules do, and whoever
//! needs it behind them. Numbers are held by everybody; a number whose type is gone fits nothing but itself.
//!
//! The table of them is the one thing that all engines of a process share. It is locked for as long as it takes to find
//! or add a group.

use super::types::{ArrayType, FieldType, FuncType, RefType, StorageType, StructType, ValType};
use crate::base::{Defined, DefinedKind, Error, ErrorKind, HeapType, Result, StructLayout, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::mem::take;
use std::ops::Deref;
use std::sync::{Arc, LazyLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

/// A type's definition (specification section 2.3.8). In a group that is being looked for, references to types of the
/// group itself are by their places in it: see [`Group`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Definition {
    /// What it is.
    pub composite: Composite,
    /// Whether no type may be below it.
    pub is_final: bool,
    /// The type that it is declared to be below.
    pub supertype: Option<TypeId>,
}

/// What a defined type is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Composite {
    /// A function.
    Func(FuncType),
    /// A structure.
    Struct(StructType),
    /// An array.
    Array(ArrayType),
}

impl Composite {
    /// What kind of thing it is.
    pub fn kind(&self) -> DefinedKind {
        match self {
            Composite::Func(_) => DefinedKind::Func,
            Composite::Struct(_) => DefinedKind::Struct,
            Composite::Array(_) => DefinedKind::Array,
        }
    }

    /// The types that it names.
    fn types(&self) -> impl Iterator<Item = &ValType> {
        let (params, results, fields): (&[ValType], &[ValType], &[FieldType]) = match self {
            Composite::Func(ty) => (&ty.params, &ty.results, &[]),
            Composite::Struct(ty) => (&[], &[], &ty.fields),
            Composite::Array(ty) => (&[], &[], std::slice::from_ref(&ty.element)),
        };
        let kept = fields.iter().filter_map(|field| match &field.storage {
            StorageType::Val(ty) => Some(ty),
            StorageType::I8 | StorageType::I16 => None,
        });
        params.iter().chain(results).chain(kept)
    }

    fn types_mut(&mut self) -> impl Iterator<Item = &mut ValType> {
        let (params, results, fields): (&mut [ValType], &mut [ValType], &mut [FieldType]) = match self {
            Composite::Func(ty) => (&mut ty.params, &mut ty.results, &mut []),
            Composite::Struct(ty) => (&mut [], &mut [], &mut ty.fields),
            Composite::Array(ty) => (&mut [], &mut [], std::slice::from_mut(&mut ty.element)),
        };
        let kept = fields.iter_mut().filter_map(|field| match &mut field.storage {
            StorageType::Val(ty) => Some(ty),
            StorageType::I8 | StorageType::I16 => None,
        });
        params.iter_mut().chain(results).chain(kept)
    }
}

/// A type that is known, and known for as long as this is held.
#[derive(Clone)]
pub struct DefinedType {
    group: Arc<Group>,
    place: u32,
}

/// A group of types.
struct Group {
    /// What it was found by: types of the group itself are those from [`FIRST_PLACE`] on.
    key: Arc<[Definition]>,
    /// The number of the first of them; those of the others follow.
    first: TypeId,
    types: Box<[Known]>,
    /// The groups of the types that these refer to.
    needs: Vec<Arc<Group>>,
}

/// What is known of one type.
struct Known {
    definition: Definition,
    /// All types that it is below, the topmost first, and itself.
    chain: Box<[TypeId]>,
    /// How many these are, and their numbers: for compiled code.
    list: Box<[u32]>,
    /// Of structures: where each field is, and the bytes of all.
    offsets: Box<[u32]>,
    size: u32,
}

/// In a group that is being looked for, its own types have these numbers, which no type has for good.
const FIRST_PLACE: u32 = 0xf000_0000;

/// The number of a type by its place in the group that it stands in, while that is being looked for.
pub(super) fn in_group(place: u32) -> TypeId {
    TypeId::new(FIRST_PLACE + place)
}

#[derive(Default)]
struct Table {
    groups: HashMap<Arc<[Definition]>, Weak<Group>>,
    by_first: BTreeMap<TypeId, Weak<Group>>,
    next: u32,
}

static TABLE: LazyLock<RwLock<Table>> = LazyLock::new(RwLock::default);

// Nothing panics while the table is half-changed. No group is dropped while it is locked: the last to hold one locks
// it.

fn read() -> RwLockReadGuard<'static, Table> {
    TABLE.read().unwrap_or_else(PoisonError::into_inner)
}

fn write() -> RwLockWriteGuard<'static, Table> {
    TABLE.write().unwrap_or_else(PoisonError::into_inner)
}

impl DefinedType {
    /// The types of a group: those that are known, if there is one that looks alike. Types of the group itself are
    /// referred to by [`in_group`], others by their numbers.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where one of these is gone; [`ErrorKind::Limit`] when there are no numbers left.
    pub(super) fn group(definitions: Vec<Definition>) -> Result<impl Iterator<Item = DefinedType>> {
        let group = Group::of(definitions.into())?;
        let places = 0..group.types.len() as u32;
        Ok(places.map(move |place| DefinedType { group: group.clone(), place }))
    }

    /// The type of functions that the host defines: the one that the type [is](FuncType::defined), if a module has told
    /// it; else one that stands alone and has nothing above or below it.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where it names a type that is gone; [`ErrorKind::Limit`] when there are no numbers left.
    pub fn func(ty: &FuncType) -> Result<DefinedType> {
        if let Some(defined) = ty.defined() {
            return Ok(defined.clone());
        }
        let definition = Definition { composite: Composite::Func(ty.clone()), is_final: true, supertype: None };
        Ok(DefinedType { group: Group::of([definition].into())?, place: 0 })
    }

    /// A type of structures that stands alone, with nothing above or below it.
    ///
    /// # Errors
    /// As [`DefinedType::func`], and [`ErrorKind::Limit`] for more than 10,000 fields.
    pub fn structure(ty: StructType) -> Result<DefinedType> {
        if ty.fields.len() > StructLayout::MOST_FIELDS as usize {
            let message = format!("a structure has at most {} fields", StructLayout::MOST_FIELDS);
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let definition = Definition { composite: Composite::Struct(ty), is_final: true, supertype: None };
        Ok(DefinedType { group: Group::of([definition].into())?, place: 0 })
    }

    /// A type of arrays that stands alone, with nothing above or below it.
    ///
    /// # Errors
    /// As [`DefinedType::func`].
    pub fn array(ty: ArrayType) -> Result<DefinedType> {
        let definition = Definition { composite: Composite::Array(ty), is_final: true, supertype: None };
        Ok(DefinedType { group: Group::of([definition].into())?, place: 0 })
    }

    /// The type of this number, unless it is gone.
    pub fn of(id: TypeId) -> Option<DefinedType> {
        let group = read().by_first.range(..=id).next_back()?.1.upgrade()?;
        let place = id.get() - group.first.get();
        ((place as usize) < group.types.len()).then_some(DefinedType { group, place })
    }

    /// Its number.
    pub fn id(&self) -> TypeId {
        TypeId::new(self.group.first.get() + self.place)
    }

    /// As what a reference refers to.
    pub fn heap(&self) -> HeapType {
        HeapType::Defined(Defined { kind: self.composite.kind(), id: self.id() })
    }

    /// The function type, if it is one.
    pub fn as_func(&self) -> Option<&FuncType> {
        if let Composite::Func(ty) = &self.composite { Some(ty) } else { None }
    }

    /// The type of structures, if it is one.
    pub fn as_struct(&self) -> Option<&StructType> {
        if let Composite::Struct(ty) = &self.composite { Some(ty) } else { None }
    }

    /// Where each field of a structure of the type is, in bytes from its beginning.
    pub fn offsets(&self) -> &[u32] {
        &self.known().offsets
    }

    /// The bytes of a structure of the type.
    pub fn size(&self) -> u32 {
        self.known().size
    }

    /// The type of arrays, if it is one.
    pub fn as_array(&self) -> Option<&ArrayType> {
        if let Composite::Array(ty) = &self.composite { Some(ty) } else { None }
    }

    /// All types that it is below, the topmost first, and itself.
    pub fn chain(&self) -> &[TypeId] {
        &self.known().chain
    }

    /// How many types these are, and their numbers, as long as somebody holds the type.
    pub fn list(&self) -> &[u32] {
        &self.known().list
    }

    fn known(&self) -> &Known {
        &self.group.types[self.place as usize]
    }
}

impl Deref for DefinedType {
    type Target = Definition;

    fn deref(&self) -> &Definition {
        &self.known().definition
    }
}

impl std::fmt::Debug for DefinedType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DefinedType").field("id", &self.id()).field("definition", &**self).finish_non_exhaustive()
    }
}

impl Group {
    /// The group that looks so.
    fn of(key: Arc<[Definition]>) -> Result<Arc<Group>> {
        let found = read().groups.get(&key).and_then(Weak::upgrade);
        if let Some(group) = found {
            return Ok(group);
        }
        let needs = needs(&key)?;
        let mut table = write();
        // Another thread may have been faster.
        if let Some(group) = table.groups.get(&key).and_then(Weak::upgrade) {
            drop(table);
            return Ok(group);
        }
        let first = table.next;
        // One without types has a number as well: whatever is found by its number has one of its own.
        let next = first.checked_add(key.len().max(1) as u32).filter(|next| *next < FIRST_PLACE);
        let Some(next) = next else {
            drop(table);
            return Err(Error::new(ErrorKind::Limit, "this process has seen too many types; start a new one"));
        };
        let group = Arc::new(Group::new(key.clone(), TypeId::new(first), needs));
        table.next = next;
        table.by_first.insert(group.first, Arc::downgrade(&group));
        table.groups.insert(key, Arc::downgrade(&group));
        Ok(group)
    }

    fn new(key: Arc<[Definition]>, first: TypeId, needs: Vec<Arc<Group>>) -> Group {
        let settle = |id: TypeId| match id.get().checked_sub(FIRST_PLACE) {
            Some(place) => TypeId::new(first.get() + place),
            None => id,
        };
        let mut types: Vec<Known> = Vec::with_capacity(key.len());
        for (place, definition) in key.iter().enumerate() {
            let mut definition = definition.clone();
            for ty in definition.composite.types_mut() {
                if let ValType::Ref(RefType { heap: HeapType::Defined(Defined { id, .. }), .. }) = ty {
                    *id = settle(*id);
                }
            }
            definition.supertype = definition.supertype.map(settle);
            let mut chain = Vec::new();
            if let Some(above) = definition.supertype {
                // It stands before this one.
                chain.extend_from_slice(match above.get().checked_sub(first.get()) {
                    Some(place) => types.get(place as usize).map_or(&[][..], |known| &known.chain),
                    None => needs.iter().find_map(|group| group.chain_of(above)).unwrap_or(&[]),
                });
            }
            chain.push(TypeId::new(first.get() + place as u32));
            let list = [chain.len() as u32].into_iter().chain(chain.iter().map(|id| id.get())).collect();
            let mut layout = StructLayout::new();
            let fields = if let Composite::Struct(ty) = &definition.composite { &*ty.fields } else { &[] };
            let offsets = fields.iter().map(|field| layout.push(field.storage.width())).collect();
            types.push(Known { definition, chain: chain.into(), list, offsets, size: layout.size() });
        }
        Group { key, first, types: types.into(), needs }
    }

    fn chain_of(&self, id: TypeId) -> Option<&[TypeId]> {
        let place = id.get().checked_sub(self.first.get())?;
        Some(&self.types.get(place as usize)?.chain)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        {
            let mut table = write();
            table.by_first.remove(&self.first);
            // Another that looks alike may have come since nobody held this one. (This one may have been moved.)
            if table.groups.get(&self.key).is_some_and(|there| there.strong_count() == 0) {
                table.groups.remove(&self.key);
            }
        }
        // One after the other: a module can make groups that need each other a million deep.
        let mut due = take(&mut self.needs);
        while let Some(group) = due.pop() {
            if let Some(mut last) = Arc::into_inner(group) {
                due.append(&mut last.needs);
            }
        }
    }
}

/// The number of the defined type that references of this type refer to.
fn defined_id(ty: ValType) -> Option<TypeId> {
    match ty {
        ValType::Ref(RefType { heap: HeapType::Defined(Defined { id, .. }), .. }) => Some(id),
        _ => None,
    }
}

/// The groups of the types that a group refers to, each once.
fn needs(key: &[Definition]) -> Result<Vec<Arc<Group>>> {
    let named = |definition: &Definition| {
        let named = definition.composite.types().filter_map(|ty| defined_id(*ty)).chain(definition.supertype);
        named.filter(|id| id.get() < FIRST_PLACE).collect::<Vec<_>>()
    };
    let mut ids: Vec<TypeId> = key.iter().flat_map(named).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut groups = Vec::new();
    for id in ids {
        groups.push(DefinedType::of(id).ok_or_else(|| gone(id))?.group);
    }
    groups.dedup_by(|a, b| Arc::ptr_eq(a, b));
    Ok(groups)
}

/// The error for a type that nobody holds any more.
#[cold]
fn gone(id: TypeId) -> Error {
    Error::new(ErrorKind::Argument, format!("$type{id} is gone: the module that has defined it was deleted"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::{Features, ModuleInfo, Subtype, is_below, parse};

    fn info(text: &str) -> ModuleInfo {
        parse(&wat::parse_str(text).unwrap(), Features::default(), false).unwrap()
    }

    /// A group of types, of functions with these parameters; references of the group are to its places.
    fn group(params: &[&[ValType]], supertype: Option<TypeId>) -> Vec<DefinedType> {
        let define = |params: &&[ValType]| Definition {
            composite: Composite::Func(FuncType::new(params.iter().copied(), [])),
            is_final: false,
            supertype,
        };
        DefinedType::group(params.iter().map(define).collect()).unwrap().collect()
    }

    fn reference(id: TypeId) -> ValType {
        ValType::Ref(RefType::nullable(HeapType::Defined(Defined { kind: DefinedKind::Func, id })))
    }

    #[test]
    fn equal_types_of_all_modules_are_one() {
        let a = info("(module (type (func (param i64 i32))) (type $t (func)) (type (func (param (ref $t) i32))))");
        let b = info("(module (type (func (param i32))) (type $t (func)) (type (func (param (ref $t) i32))))");
        assert_eq!(a.types[1].id(), b.types[1].id());
        assert_eq!(a.types[2].id(), b.types[2].id());
        assert_ne!(a.types[0].id(), b.types[0].id());
        assert_eq!(DefinedType::func(&FuncType::new([], [])).unwrap().id(), a.types[1].id());
        let host = DefinedType::func(a.types[2].as_func().unwrap()).unwrap();
        assert_eq!(host.id(), b.types[2].id());
        assert!(a.types[2].as_func().unwrap().params[0].fits(&reference(b.types[1].id())));
    }

    #[test]
    fn groups_are_the_same_as_a_whole_only() {
        let own = |places: [u32; 2]| places.map(|place| [reference(in_group(place))]);
        let [a, b] = own([1, 0]);
        let first = group(&[&a, &b], None);
        let second = group(&[&a, &b], None);
        assert_eq!(first[0].id(), second[0].id());
        assert_eq!(first[1].id(), second[1].id());
        assert_ne!(first[0].id(), first[1].id());
        // Alike at both places, yet of groups that are not: one that refers to itself, and two that do.
        let [a, b] = own([0, 1]);
        let alone = group(&[&a], None);
        let both = group(&[&a, &b], None);
        let ids: Vec<TypeId> = [&first[0], &first[1], &alone[0], &both[0], &both[1]].map(DefinedType::id).into();
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 5);
        // Inside, they are numbers like all others.
        assert_eq!(both[1].as_func().unwrap().params[0], reference(both[1].id()));
    }

    #[test]
    fn a_type_is_below_those_that_it_names() {
        let top = group(&[&[ValType::F32, ValType::F64, ValType::F32]], None).remove(0);
        let middle = group(&[&[ValType::F32, ValType::F64, ValType::F32]], Some(top.id())).remove(0);
        let bottom = group(&[&[ValType::F32, ValType::F64, ValType::F32]], Some(middle.id())).remove(0);
        assert_eq!(bottom.chain(), [top.id(), middle.id(), bottom.id()]);
        assert!(is_below(bottom.id(), top.id()) && is_below(middle.id(), top.id()) && is_below(top.id(), top.id()));
        assert!(!is_below(top.id(), bottom.id()) && !is_below(middle.id(), bottom.id()));
        let heap = |ty: &DefinedType| ty.heap();
        assert!(heap(&bottom).fits(&heap(&top)) && heap(&bottom).fits(&HeapType::Func));
        assert!(HeapType::NoFunc.fits(&heap(&bottom)) && !HeapType::Func.fits(&heap(&bottom)));
        assert!(!HeapType::NoExtern.fits(&heap(&bottom)) && !heap(&bottom).fits(&HeapType::Extern));
        assert!(RefType::non_null(heap(&bottom)).fits(&RefType::nullable(heap(&top))));
        assert!(!RefType::nullable(heap(&bottom)).fits(&RefType::non_null(heap(&top))));
        // What was below something is forgotten with it, and nothing else gets its number.
        let (id, above) = (bottom.id(), middle.id());
        drop(bottom);
        assert!(!is_below(id, above) && is_below(id, id) && DefinedType::of(id).is_none());
        let again = group(&[&[ValType::F32, ValType::F64, ValType::F32]], Some(middle.id())).remove(0);
        assert!(again.id() > id);
    }

    #[test]
    fn what_a_type_refers_to_stays_with_it() {
        let inner = group(&[&[ValType::V128, ValType::I32, ValType::V128]], None).remove(0);
        let outer = group(&[&[reference(inner.id())]], None).remove(0);
        let (id, ty) = (inner.id(), outer.as_func().unwrap().clone());
        drop(inner);
        assert_eq!(DefinedType::of(id).map(|ty| ty.id()), Some(id));
        drop(outer);
        assert!(DefinedType::of(id).is_none());
        let error = DefinedType::func(&ty).unwrap_err();
        assert!(error.to_string().contains("is gone"), "{error}");
    }

    #[test]
    fn a_group_without_types_takes_nothing_with_it() {
        // It is held by whoever is reading it, while another thread adds a group.
        let none = DefinedType::group(Vec::new()).unwrap();
        let held = group(&[&[ValType::V128, ValType::I64, ValType::V128]], None).remove(0);
        drop(none);
        assert_eq!(DefinedType::of(held.id()).map(|ty| ty.id()), Some(held.id()));
    }

    #[test]
    fn nothing_is_left_of_groups_that_go_with_another() {
        let inner = group(&[&[ValType::F64, ValType::V128, ValType::F64]], None).remove(0);
        let outer = group(&[&[reference(inner.id()), ValType::V128]], None).remove(0);
        let keys = [&inner, &outer].map(|ty| ty.group.key.clone());
        drop(inner);
        drop(outer);
        assert!(keys.iter().all(|key| !read().groups.contains_key(key)));
    }

    #[test]
    fn a_million_groups_that_need_each_other_are_dropped_on_a_small_stack() {
        let work = || {
            let mut last = group(&[&[ValType::F64; 9]], None).remove(0);
            for _ in 0..1_000_000 {
                last = group(&[&[reference(last.id()), ValType::F64]], None).remove(0);
            }
            let id = last.id();
            drop(last);
            assert!(DefinedType::of(id).is_none());
        };
        std::thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap().join().unwrap();
    }

    #[test]
    fn threads_that_meet_at_one_type_agree() {
        for round in 0..50 {
            let params = vec![ValType::I64; 20 + round];
            let ids: Vec<TypeId> = std::thread::scope(|scope| {
                let work = || {
                    let held = group(&[&params], None).remove(0);
                    (held.id(), held)
                };
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
                let held: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
                held.iter().map(|held| held.0).collect()
            });
            assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        }
    }
}
