//! The types of a heap's objects: their descriptors, which compiled code reads in the heap itself, and what the
//! collector has to know of them, which nothing that is wrong in the heap can change.

use super::{damaged, too_many_types};
use crate::abi::{
    DESCRIBES_ARRAY, DESCRIBES_STRUCT, DESCRIPTOR_BYTES, DESCRIPTOR_CHAIN, DESCRIPTOR_DEPTH, DESCRIPTOR_KIND,
    DESCRIPTOR_LEAST, HEAP_OBJECTS, HEAP_TYPES, OBJECT_MARK, array_size,
};
use crate::base::{Family, Result, TypeId};
use crate::sys::pages::{PAGE_SIZE, Reservation};
use crate::wasm::{Composite, DefinedType, FieldType, StorageType, ValType};
use std::collections::HashMap;

/// A type of objects.
pub(super) struct HeapType {
    ty: DefinedType,
    /// Bytes of a structure, or of an element.
    bytes: u32,
    is_array: bool,
    /// Where a structure has references of the family of `anyref`, which are most. Of an array: one, if its elements
    /// are such.
    any: Box<[u32]>,
    /// The same of other references.
    others: Box<[Place]>,
}

/// Where a reference is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) at: u32,
    pub(super) family: Family,
}

impl HeapType {
    fn new(ty: &DefinedType) -> Option<HeapType> {
        let reference = |at: u32, field: &FieldType| match field.storage {
            StorageType::Val(ValType::Ref(ty)) => Some(Place { at, family: ty.heap.family() }),
            _ => None,
        };
        let (bytes, is_array, references): (u32, bool, Vec<Place>) = match &ty.composite {
            Composite::Func(_) => return None,
            Composite::Struct(fields) => {
                let places = ty.offsets().iter().zip(&fields.fields);
                (ty.size(), false, places.filter_map(|(at, field)| reference(*at, field)).collect())
            }
            Composite::Array(array) => {
                (array.element.storage.width(), true, reference(0, &array.element).into_iter().collect())
            }
        };
        let (any, others): (Vec<Place>, Vec<Place>) =
            references.into_iter().partition(|place| place.family == Family::Any);
        let any = any.into_iter().map(|place| place.at).collect();
        Some(HeapType { ty: ty.clone(), bytes, is_array, any, others: others.into() })
    }

    pub(super) fn ty(&self) -> &DefinedType {
        &self.ty
    }

    pub(super) fn is_array(&self) -> bool {
        self.is_array
    }

    pub(super) fn any(&self) -> &[u32] {
        &self.any
    }

    pub(super) fn others(&self) -> &[Place] {
        &self.others
    }

    /// The bytes of an element.
    pub(super) fn element(&self) -> u32 {
        self.bytes
    }

    /// The bytes of an object, which has this length if it is an array.
    pub(super) fn size(&self, length: u32) -> u64 {
        if self.is_array { array_size(self.bytes, length) } else { self.bytes.into() }
    }
}

/// All types of a heap.
#[derive(Default)]
pub(super) struct Types {
    /// By the slot of their descriptors; of those that take several, the first.
    by_slot: Vec<Option<HeapType>>,
    by_id: HashMap<TypeId, u32>,
    /// Bytes that are accessible.
    accessible: usize,
}

impl Types {
    /// The type whose descriptor an object's first word says.
    #[inline]
    pub(super) fn of(&self, header: u32) -> &HeapType {
        let slot = (header & !OBJECT_MARK).wrapping_sub(HEAP_TYPES) / DESCRIPTOR_BYTES;
        match self.by_slot.get(slot as usize) {
            Some(Some(ty)) if HEAP_TYPES + slot * DESCRIPTOR_BYTES == header & !OBJECT_MARK => ty,
            _ => damaged("no type is at", header),
        }
    }

    /// Makes a type known, if it is not, and those above it: its descriptor.
    pub(super) fn define(&mut self, space: &mut Reservation, ty: &DefinedType) -> Result<u32> {
        if let Some(descriptor) = self.by_id.get(&ty.id()) {
            return Ok(*descriptor);
        }
        // Those above first. All are held by the type.
        let mut chain = Vec::with_capacity(ty.chain().len());
        for above in ty.chain() {
            let descriptor = match self.by_id.get(above) {
                Some(descriptor) => *descriptor,
                None if *above == ty.id() => self.add(space, ty, &chain)?,
                None => match DefinedType::of(*above) {
                    Some(above) => self.add(space, &above, &chain)?,
                    None => damaged("no type has the number", above.get()),
                },
            };
            chain.push(descriptor);
        }
        Ok(chain.pop().unwrap_or_else(|| damaged("no list of the type", ty.id().get())))
    }

    fn add(&mut self, space: &mut Reservation, ty: &DefinedType, above: &[u32]) -> Result<u32> {
        let known = HeapType::new(ty).unwrap_or_else(|| damaged("no type of objects is", ty.id().get()));
        let kind = if known.is_array { DESCRIBES_ARRAY } else { DESCRIBES_STRUCT };
        let depth = above.len() as u32 + 1;
        let bytes = DESCRIPTOR_CHAIN as u32 + 4 * depth.max(DESCRIPTOR_LEAST);
        let slots = bytes.div_ceil(DESCRIPTOR_BYTES);
        let start = HEAP_TYPES as usize + self.by_slot.len() * DESCRIPTOR_BYTES as usize;
        let end = start + (slots * DESCRIPTOR_BYTES) as usize;
        if end > HEAP_OBJECTS as usize {
            return Err(too_many_types());
        }
        let needed = (end - HEAP_TYPES as usize).next_multiple_of(PAGE_SIZE);
        if needed > self.accessible {
            let from = HEAP_TYPES as usize;
            space.make_accessible(from + self.accessible..from + needed)?;
            self.accessible = needed;
        }
        let descriptor = start as u32;
        // SAFETY: the slots are accessible, and nothing else is there.
        unsafe {
            let words = space.base().add(start).cast::<u32>();
            words.byte_add(DESCRIPTOR_KIND as usize).write(kind);
            words.byte_add(DESCRIPTOR_DEPTH as usize).write(depth);
            let list = words.byte_add(DESCRIPTOR_CHAIN as usize);
            for (index, above) in above.iter().chain([&descriptor]).enumerate() {
                list.add(index).write(*above);
            }
        }
        self.by_slot.push(Some(known));
        self.by_slot.extend((1..slots).map(|_| None));
        self.by_id.insert(ty.id(), descriptor);
        Ok(descriptor)
    }
}
