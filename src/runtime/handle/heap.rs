//! Structures and arrays in the host's hand: made, looked into, changed. What is at each place of one is asked for
//! alike: the fields of a structure and the elements of an array have numbers from 0 on.

use crate::abi::{ARRAY_ELEMENTS, ValRaw};
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::control::heap;
use crate::runtime::handle::values::fits;
use crate::runtime::objects::handles::AnyRef;
use crate::runtime::objects::values::{Val, any_from_raw};
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::{AsStore, AsStoreMut};
use crate::wasm::{ArrayType, Composite, DefinedType, FieldType, StorageType, ValType};

/// A place in an object.
struct Place {
    /// Its offset in the heap.
    at: u32,
    field: FieldType,
}

impl AnyRef {
    /// A new structure of this type, with these fields. Of a field that is an `i8` or `i16`, the lowest bits of an
    /// `i32` are taken.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where it is no type of structures, where the values are not those of its fields, and for
    /// references of another store; [`ErrorKind::Unsupported`] where garbage collection is switched off in the
    /// configuration; [`ErrorKind::Limit`] where the heap is full.
    pub fn new_struct(mut store: impl AsStoreMut, ty: &DefinedType, fields: &[Val]) -> Result<AnyRef> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let Some(known) = ty.as_struct() else { return Err(wrong_type("structures", ty)) };
        if fields.len() != known.fields.len() {
            let message = format!("{} fields given for a structure of {}", fields.len(), known.fields.len());
            return Err(Error::new(ErrorKind::Argument, message));
        }
        let mut raw = Vec::with_capacity(fields.len());
        for (index, (value, field)) in fields.iter().zip(&known.fields).enumerate() {
            raw.push(checked(inner, *value, field, index as u32)?);
        }
        // SAFETY: no reference to the inside of an object is held, and the host holds what the values refer to.
        let object = unsafe { heap::make_struct(inner, ty, &raw) }?;
        Ok(given(inner, object))
    }

    /// A new array of this type, with these elements. Of elements that are `i8` or `i16`, the lowest bits of an `i32`
    /// are taken.
    ///
    /// # Errors
    /// As [`AnyRef::new_struct`], of a type of arrays.
    pub fn new_array(mut store: impl AsStoreMut, ty: &DefinedType, elements: &[Val]) -> Result<AnyRef> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let Some(known) = ty.as_array() else { return Err(wrong_type("arrays", ty)) };
        let mut raw = Vec::with_capacity(elements.len());
        for (index, value) in elements.iter().enumerate() {
            raw.push(checked(inner, *value, &known.element, index as u32)?);
        }
        let length = u32::try_from(raw.len()).map_err(|_| heap::full(inner))?;
        // SAFETY: as above.
        let array = unsafe { heap::make_array(inner, ty, length) }?;
        heap::write_items(inner.heap_or_new()?, array + ARRAY_ELEMENTS, known.element.storage.width(), &raw);
        Ok(given(inner, array))
    }

    /// A new array of this type, of so many elements that are all the same.
    ///
    /// # Errors
    /// As [`AnyRef::new_array`].
    pub fn new_array_of(mut store: impl AsStoreMut, ty: &DefinedType, value: Val, length: u32) -> Result<AnyRef> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let Some(known) = ty.as_array() else { return Err(wrong_type("arrays", ty)) };
        let raw = checked(inner, value, &known.element, 0)?;
        // SAFETY: as above.
        let array = unsafe { heap::make_array(inner, ty, length) }?;
        let (first, width) = (array + ARRAY_ELEMENTS, known.element.storage.width());
        inner.heap_or_new()?.fill(first, width, length.into(), raw.words());
        Ok(given(inner, array))
    }

    /// The type of the structure or array that it refers to; [`None`] where it is something else.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] with another store, and where the host does not hold it any more: see [`AnyRef`]. So in
    /// all methods below.
    pub fn object_type(&self, store: impl AsStore) -> Result<Option<DefinedType>> {
        let store = store.as_store();
        let word = self.checked_word(store.inner())?;
        let heap = store.inner().heap.as_deref().filter(|_| self.is_object());
        Ok(heap.map(|heap| heap.type_of(word).clone()))
    }

    /// How many fields the structure has, or elements the array.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where it is neither.
    pub fn len(&self, store: impl AsStore) -> Result<u32> {
        let store = store.as_store();
        let ty = self.known_type(store.inner())?;
        Ok(self.count(store.inner(), &ty))
    }

    /// The field of this number, or the element. An `i8` or `i16` is an `i32` without sign.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is none.
    pub fn get(&self, store: impl AsStore, index: u32) -> Result<Val> {
        let store = store.as_store();
        let inner = store.inner();
        let Place { at, field } = self.place(inner, index)?;
        let mut bytes = [0; size_of::<ValRaw>()];
        if let Some(heap) = inner.heap.as_deref() {
            heap.read(at, &mut bytes[..field.storage.width() as usize]);
        }
        // SAFETY: the field has a value of its type.
        Ok(unsafe { Val::from_raw_in(inner.giving(), ValRaw { v128: bytes }, field.storage.unpacked()) })
    }

    /// Changes the field of this number, or the element.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is none, where it may not change, where the value is not of its type, and
    /// for a reference of another store.
    pub fn set(&self, mut store: impl AsStoreMut, index: u32, value: Val) -> Result<()> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let Place { at, field } = self.place(inner, index)?;
        if !field.mutable {
            let message = format!("field {index} may not change: its type is {field}");
            return Err(Error::new(ErrorKind::Argument, message));
        }
        let raw = checked(inner, value, &field, index)?;
        heap::write_items(inner.heap_or_new()?, at, field.storage.width(), &[raw]);
        Ok(())
    }

    /// The bytes of elements of an array of numbers, from this one on: as many as fill `out`, little-endian, one behind
    /// the other.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where it is no such array, where they are not all in it, and where `out` ends inside an
    /// element.
    pub fn read_elements(&self, store: impl AsStore, first: u32, out: &mut [u8]) -> Result<()> {
        let store = store.as_store();
        let (at, _) = self.elements(store.inner(), first, out.len())?;
        if let Some(heap) = store.inner().heap.as_deref() {
            heap.read(at, out);
        }
        Ok(())
    }

    /// Changes the bytes of elements of an array of numbers, from this one on: as many as there are bytes for.
    ///
    /// # Errors
    /// As [`AnyRef::read_elements`], and where the elements may not change.
    pub fn write_elements(&self, mut store: impl AsStoreMut, first: u32, bytes: &[u8]) -> Result<()> {
        let mut store = store.as_store_mut();
        let inner = store.inner();
        let (at, element) = self.elements(inner, first, bytes.len())?;
        if !element.mutable {
            let message = format!("the elements may not change: their type is {element}");
            return Err(Error::new(ErrorKind::Argument, message));
        }
        inner.heap_or_new()?.write(at, bytes);
        Ok(())
    }

    /// Where the elements from this one on are, of so many bytes, and what they are.
    fn elements(&self, store: &StoreInner, first: u32, bytes: usize) -> Result<(u32, FieldType)> {
        let ty = self.known_type(store)?;
        let refused = |message: String| Err(Error::new(ErrorKind::Argument, message));
        let Some(&ArrayType { element }) = ty.as_array() else {
            return refused("the reference is to a structure, not to an array".to_owned());
        };
        if let StorageType::Val(ValType::Ref(_)) = element.storage {
            return refused(format!("the array's elements are references, {element}: they have no bytes"));
        }
        let (width, length) = (element.storage.width(), self.count(store, &ty));
        if !bytes.is_multiple_of(width as usize) {
            return refused(format!("{bytes} bytes are no whole elements: those of {element} take {width} each"));
        }
        let count = bytes as u64 / u64::from(width);
        if u64::from(first) + count > u64::from(length) {
            return refused(format!("there are no {count} elements from {first} on: there are {length}"));
        }
        Ok((self.to_word() + ARRAY_ELEMENTS + first * width, element))
    }

    fn known_type(&self, store: &StoreInner) -> Result<DefinedType> {
        self.object_type(store.view())?
            .ok_or_else(|| Error::new(ErrorKind::Argument, "the reference is neither to a structure nor to an array"))
    }

    fn count(&self, store: &StoreInner, ty: &DefinedType) -> u32 {
        match &ty.composite {
            Composite::Struct(ty) => ty.fields.len() as u32,
            _ => store.heap.as_deref().map_or(0, |heap| heap.length(self.to_word())),
        }
    }

    fn place(&self, store: &StoreInner, index: u32) -> Result<Place> {
        let ty = self.known_type(store)?;
        let count = self.count(store, &ty);
        if index >= count {
            let message = format!("there is no field or element {index}: there are {count}");
            return Err(Error::new(ErrorKind::Argument, message));
        }
        let object = self.to_word();
        Ok(match &ty.composite {
            Composite::Array(ty) => {
                Place { at: object + ARRAY_ELEMENTS + index * ty.element.storage.width(), field: ty.element }
            }
            _ => {
                let fields = ty.as_struct().map(|ty| &*ty.fields).unwrap_or_default();
                Place { at: object + ty.offsets()[index as usize], field: fields[index as usize] }
            }
        })
    }
}

/// A value as an object has it, if it is of the type of a field.
fn checked(store: &StoreInner, value: Val, field: &FieldType, index: u32) -> Result<ValRaw> {
    let wanted = field.storage.unpacked();
    if !fits(store, value, wanted)? {
        let message = format!("value {index} is {}, where {wanted} is asked for", value.ty());
        return Err(Error::new(ErrorKind::Argument, message));
    }
    value.to_raw_in(store)
}

/// What was made, for the host.
fn given(store: &StoreInner, object: u32) -> AnyRef {
    let mut raw = ValRaw::default();
    raw.anyref = object;
    // SAFETY: it is an object of the store.
    unsafe { any_from_raw(store.giving(), raw) }.expect("an object is not null")
}

#[cold]
fn wrong_type(wanted: &str, ty: &DefinedType) -> Error {
    Error::new(ErrorKind::Argument, format!("{} is no type of {wanted}", ty.heap()))
}
