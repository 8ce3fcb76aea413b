//! What all vectors of the C ABI share: `{size_t size; T *data;}`, owning its elements, memory from C's allocator
//! (so that a host which shrinks `size` after filling a vector cannot make us free with a wrong size).

use super::abort::abort;
use super::last::set_last;
use super::own::{Handle, Out, Own, Take, borrow, null, plain};
use super::{check, guard};
use crate::base::Result;
use std::collections::HashSet;
use std::ffi::c_void;

// C's own allocator, by its C names: it is part of the ABI, and no business of the operating system's room.
unsafe extern "C" {
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn free(data: *mut c_void);
}

/// A vector of the C ABI.
///
/// # Safety
/// `parts` returns what `from_parts` was given, and the type is `#[repr(C)]`.
pub(in crate::capi) unsafe trait CVec: Sized {
    /// The element as it stands in `data`: a pointer to a handle, or a plain value. All zeros is valid.
    type Element;
    /// A vector of these parts.
    fn from_parts(size: usize, data: *mut Self::Element) -> Self;
    /// Its parts.
    fn parts(&self) -> (usize, *mut Self::Element);
    /// A copy of an element that is owned on its own.
    ///
    /// # Safety
    /// The element is as C must leave it: NULL or a live handle, or a valid value.
    unsafe fn copy_element(element: &Self::Element) -> Self::Element;
    /// Frees what an element owns.
    ///
    /// # Safety
    /// As [`CVec::copy_element`], and the element is not used again.
    unsafe fn delete_element(element: &mut Self::Element);
    /// The handle that an element is, or owns: NULL for none. While handles are checked, it is looked at when C gives
    /// the vector.
    fn handle_of(_element: &Self::Element, _param: &str) -> *const u8 {
        std::ptr::null()
    }
}

/// Looks at the handles in a vector that C gives: each is live, and there once.
///
/// # Safety
/// The vector is valid.
#[cold]
unsafe fn look_at_handles<V: CVec>(vec: &V, param: &str) {
    let mut seen = HashSet::new();
    // SAFETY: by the contract.
    for element in unsafe { elements(vec) } {
        let handle = V::handle_of(element, param);
        if !handle.is_null() && !seen.insert(handle) {
            check::misused(param, "has the same handle in it twice, which can be given once only");
        }
    }
}

/// An owned vector of `elements`.
pub(in crate::capi) fn from_elements<V: CVec>(
    elements: impl IntoIterator<Item = V::Element, IntoIter: ExactSizeIterator>,
) -> V {
    let elements = elements.into_iter();
    let size = elements.len();
    let data = allocate::<V::Element>(size);
    for (i, element) in elements.take(size).enumerate() {
        // SAFETY: `i` is below `size`.
        unsafe { data.add(i).write(element) };
    }
    V::from_parts(size, data)
}

/// The elements, borrowed.
///
/// # Safety
/// The vector is valid: `data` points to `size` elements, or `size` is 0.
pub(in crate::capi) unsafe fn elements<V: CVec>(vec: &V) -> &[V::Element] {
    let (size, data) = vec.parts();
    if size == 0 || data.is_null() {
        return &[];
    }
    check::vector_passed(data.cast());
    // SAFETY: by the contract.
    unsafe { std::slice::from_raw_parts(data, size) }
}

/// The elements, borrowed exclusively.
///
/// # Safety
/// As [`elements`], and nothing else uses them meanwhile.
#[allow(clippy::mut_from_ref)]
pub(in crate::capi) unsafe fn elements_mut<V: CVec>(vec: &V) -> &mut [V::Element] {
    let (size, data) = vec.parts();
    if size == 0 || data.is_null() {
        return &mut [];
    }
    // SAFETY: by the contract.
    unsafe { std::slice::from_raw_parts_mut(data, size) }
}

/// Frees the vector's elements and memory.
///
/// # Safety
/// The vector is valid, owned, and not used again.
pub(in crate::capi) unsafe fn free_vec<V: CVec>(vec: V) {
    // SAFETY: by the contract.
    for element in unsafe { elements_mut(&vec) } {
        // SAFETY: by the contract, each once.
        unsafe { V::delete_element(element) };
    }
    /// Gives memory back to C's allocator.
    unsafe fn give_back(address: usize) {
        // SAFETY: by the contract of `check::vector_free`.
        unsafe { free(std::ptr::with_exposed_provenance_mut(address)) };
    }
    // SAFETY: `data` came from `allocate` or is NULL.
    unsafe { check::vector_free(vec.parts().1.cast(), give_back) };
}

/// A deep copy.
///
/// # Safety
/// The vector is valid.
pub(in crate::capi) unsafe fn copied<V: CVec>(vec: &V) -> V {
    // SAFETY: by the contract.
    let source = unsafe { elements(vec) };
    // SAFETY: by the contract, for each element.
    from_elements(source.iter().map(|element| unsafe { V::copy_element(element) }))
}

/// A vector that frees itself. (The C structs do not: they are copied about freely.)
pub(in crate::capi) struct Owned<V: CVec + Default>(V);

impl<V: CVec + Default> Owned<V> {
    /// Owns the contents of a parameter; NULL counts as empty.
    ///
    /// # Safety
    /// The parameter is NULL or points to a valid, owned vector.
    pub(in crate::capi) unsafe fn take(param: Take<V>, name: &str) -> Self {
        // SAFETY: by the contract.
        let vec = unsafe { param.take_or_empty() };
        check::vector_given(vec.parts().1.cast(), name, "given away");
        if check::on() {
            // SAFETY: by the contract.
            unsafe { look_at_handles(&vec, name) };
        }
        Owned(vec)
    }

    /// An owned vector of `elements`.
    pub(in crate::capi) fn of(elements: impl IntoIterator<Item = V::Element, IntoIter: ExactSizeIterator>) -> Self {
        Owned(from_elements(elements))
    }

    /// The elements.
    pub(in crate::capi) fn elements(&self) -> &[V::Element] {
        // SAFETY: an owned vector is valid.
        unsafe { elements(&self.0) }
    }

    /// The vector as C borrows it.
    pub(in crate::capi) fn as_ptr(&self) -> *const V {
        &self.0
    }
}

impl<V: CVec + Default> Drop for Owned<V> {
    fn drop(&mut self) {
        // SAFETY: owned, and not used again.
        unsafe { free_vec(std::mem::take(&mut self.0)) };
    }
}

impl<V: CVec + Default> Clone for Owned<V> {
    fn clone(&self) -> Self {
        // SAFETY: an owned vector is valid.
        Owned(unsafe { copied(&self.0) })
    }
}

/// Zeroed memory for `size` elements; NULL for none. Ends the process when there is none, as Rust's allocator does.
fn allocate<T>(size: usize) -> *mut T {
    if size == 0 {
        return std::ptr::null_mut();
    }
    // SAFETY: calloc checks the product for overflow.
    let data = unsafe { calloc(size, size_of::<T>()) };
    if data.is_null() {
        abort(&format!("out of memory for a vector of {size} elements"));
    }
    check::vector_made(data.cast());
    data.cast()
}

/// `wasm_X_vec_new_empty`.
///
/// # Safety
/// `out` is NULL or C's memory for a vector.
pub(in crate::capi) unsafe fn new_empty<V: CVec>(function: &str, out: Out<V>) {
    guard::or_abort(function, || {
        let out = out.check("out")?;
        // SAFETY: by the contract.
        unsafe { out.write(V::from_parts(0, std::ptr::null_mut())) };
        Ok(())
    });
}

/// `wasm_X_vec_new_uninitialized`.
///
/// # Safety
/// As [`new_empty`].
pub(in crate::capi) unsafe fn new_uninitialized<V: CVec>(function: &str, out: Out<V>, size: usize) {
    guard::or_abort(function, || {
        let out = out.check("out")?;
        // SAFETY: by the contract.
        unsafe { out.write(V::from_parts(size, allocate(size))) };
        Ok(())
    });
}

/// `wasm_X_vec_new`: the elements move into the vector.
///
/// # Safety
/// As [`new_empty`], and `data` is NULL or points to `size` elements.
pub(in crate::capi) unsafe fn new<V: CVec>(function: &str, out: Out<V>, size: usize, data: *const V::Element) {
    guard::or_abort(function, || {
        let out = out.check("out")?;
        if size > 0 && data.is_null() {
            return Err(null("data"));
        }
        let copy = allocate::<V::Element>(size);
        if size > 0 {
            // SAFETY: both have room for `size` elements, and `copy` is new.
            unsafe { std::ptr::copy_nonoverlapping(data, copy, size) };
        }
        // SAFETY: by the contract.
        unsafe { out.write(V::from_parts(size, copy)) };
        Ok(())
    });
}

/// `wasm_X_vec_copy`.
///
/// # Safety
/// As [`new_empty`], and `source` is NULL or a valid vector.
pub(in crate::capi) unsafe fn copy<V: CVec>(function: &str, out: Out<V>, source: *const V) {
    guard::or_abort(function, || -> Result<()> {
        let out = out.check("out")?;
        // SAFETY: by the contract.
        let copy = unsafe { copied(plain(source, "source")?) };
        // SAFETY: by the contract.
        unsafe { out.write(copy) };
        Ok(())
    });
}

/// `wasm_X_vec_delete`: leaves an empty vector behind, so that deleting twice does nothing.
///
/// # Safety
/// `vec` is NULL or points to a valid vector.
pub(in crate::capi) unsafe fn delete<V: CVec + Default>(function: &str, vec: Take<V>) {
    guard::or_abort(function, || {
        // SAFETY: by the contract.
        let vec = unsafe { vec.take_or_empty() };
        check::vector_given(vec.parts().1.cast(), "vec", "deleted");
        // SAFETY: by the contract.
        unsafe { free_vec(vec) };
        Ok(())
    });
}

/// Copies an element that is a handle; NULL stays NULL.
///
/// # Safety
/// It is NULL or live.
pub(in crate::capi) unsafe fn copy_handle<T>(element: *mut T) -> *mut T
where
    T: Handle<Rust: Clone>,
{
    if element.is_null() {
        return element;
    }
    // SAFETY: by the contract.
    match unsafe { borrow(element.cast_const(), "source") } {
        Ok(object) => Own::<T>::new(object.clone()).into_raw(),
        Err(error) => {
            set_last(error);
            std::ptr::null_mut()
        }
    }
}

/// Deletes an element that is a handle; NULL is nothing to do.
///
/// # Safety
/// It is NULL, or ours to delete.
pub(in crate::capi) unsafe fn delete_handle<T: Handle>(element: *mut T) {
    // SAFETY: by the contract.
    unsafe { Own::from_raw(element).delete_inside("vec") };
}

/// Looks at a handle in a vector.
pub(in crate::capi) fn look_at_handle<T: Handle>(handle: *const T, param: &str) -> *const u8 {
    check::passed(handle, param);
    handle.cast()
}
