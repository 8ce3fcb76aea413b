//! The vectors of the C ABI. Written by `cargo xtask headers` from the table in `xtask/src/vecs.rs`: do not edit.

use super::bytes::wasm_byte_t;
use super::plumbing::handles::{
    wasm_exporttype_t, wasm_extern_t, wasm_externtype_t, wasm_frame_t, wasm_functype_t, wasm_globaltype_t,
    wasm_importtype_t, wasm_memorytype_t, wasm_tabletype_t, wasm_tagtype_t, wasm_valtype_t,
};
use super::plumbing::own::{Out, Take};
use super::plumbing::vec::{self, CVec};
use super::val::{copy_val, delete_val, wasm_val_t};

/// A vector of bytes. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_byte_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut wasm_byte_t,
}

impl Default for wasm_byte_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_byte_vec_t {
    type Element = wasm_byte_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        *element
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        let _ = element;
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_byte_vec_new_empty(out: Out<wasm_byte_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_byte_vec_new_empty", out) }
}

/// Writes a vector of `size` bytes to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_byte_vec_new_uninitialized(out: Out<wasm_byte_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_byte_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` bytes at `data` to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_byte_vec_new(out: Out<wasm_byte_vec_t>, size: usize, data: *const wasm_byte_t) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_byte_vec_new", out, size, data) }
}

/// Writes a copy to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_byte_vec_copy(out: Out<wasm_byte_vec_t>, source: *const wasm_byte_vec_t) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_byte_vec_copy", out, source) }
}

/// Deletes a vector, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_byte_vec_delete(vec: Take<wasm_byte_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_byte_vec_delete", vec) }
}

/// A vector of value types. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_valtype_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut *mut wasm_valtype_t,
}

impl Default for wasm_valtype_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_valtype_vec_t {
    type Element = *mut wasm_valtype_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        // SAFETY: by the contract.
        unsafe { vec::copy_handle(*element) }
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        // SAFETY: by the contract.
        unsafe { vec::delete_handle(*element) }
    }
    fn handle_of(element: &Self::Element, param: &str) -> *const u8 {
        vec::look_at_handle(*element, param)
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_vec_new_empty(out: Out<wasm_valtype_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_valtype_vec_new_empty", out) }
}

/// Writes a vector of `size` value types to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_vec_new_uninitialized(out: Out<wasm_valtype_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_valtype_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` value types at `data` to `out`, which takes them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_vec_new(
    out: Out<wasm_valtype_vec_t>,
    size: usize,
    data: *const *mut wasm_valtype_t,
) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_valtype_vec_new", out, size, data) }
}

/// Writes a copy with copies of the elements to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_vec_copy(out: Out<wasm_valtype_vec_t>, source: *const wasm_valtype_vec_t) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_valtype_vec_copy", out, source) }
}

/// Deletes a vector and its elements, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_valtype_vec_delete(vec: Take<wasm_valtype_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_valtype_vec_delete", vec) }
}

/// A vector of function types. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_functype_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut *mut wasm_functype_t,
}

impl Default for wasm_functype_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_functype_vec_t {
    type Element = *mut wasm_functype_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        // SAFETY: by the contract.
        unsafe { vec::copy_handle(*element) }
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        // SAFETY: by the contract.
        unsafe { vec::delete_handle(*element) }
    }
    fn handle_of(element: &Self::Element, param: &str) -> *const u8 {
        vec::look_at_handle(*element, param)
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_vec_new_empty(out: Out<wasm_functype_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_functype_vec_new_empty", out) }
}

/// Writes a vector of `size` function types to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_vec_new_uninitialized(out: Out<wasm_functype_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_functype_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` function types at `data` to `out`, which takes them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_vec_new(
    out: Out<wasm_functype_vec_t>,
    size: usize,
    data: *const *mut wasm_functype_t,
) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_functype_vec_new", out, size, data) }
}

/// Writes a copy with copies of the elements to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_vec_copy(out: Out<wasm_functype_vec_t>, source: *const wasm_functype_vec_t) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_functype_vec_copy", out, source) }
}

/// Deletes a vector and its elements, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_functype_vec_delete(vec: Take<wasm_functype_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_functype_vec_delete", vec) }
}

/// A vector of global types. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_globaltype_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut *mut wasm_globaltype_t,
}

impl Default for wasm_globaltype_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_globaltype_vec_t {
    type Element = *mut wasm_globaltype_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        // SAFETY: by the contract.
        unsafe { vec::copy_handle(*element) }
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        // SAFETY: by the contract.
        unsafe { vec::delete_handle(*element) }
    }
    fn handle_of(element: &Self::Element, param: &str) -> *const u8 {
        vec::look_at_handle(*element, param)
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_vec_new_empty(out: Out<wasm_globaltype_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_globaltype_vec_new_empty", out) }
}

/// Writes a vector of `size` global types to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_vec_new_uninitialized(out: Out<wasm_globaltype_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_globaltype_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` global types at `data` to `out`, which takes them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_vec_new(
    out: Out<wasm_globaltype_vec_t>,
    size: usize,
    data: *const *mut wasm_globaltype_t,
) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_globaltype_vec_new", out, size, data) }
}

/// Writes a copy with copies of the elements to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_vec_copy(
    out: Out<wasm_globaltype_vec_t>,
    source: *const wasm_globaltype_vec_t,
) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_globaltype_vec_copy", out, source) }
}

/// Deletes a vector and its elements, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_globaltype_vec_delete(vec: Take<wasm_globaltype_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_globaltype_vec_delete", vec) }
}

/// A vector of table types. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_tabletype_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut *mut wasm_tabletype_t,
}

impl Default for wasm_tabletype_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_tabletype_vec_t {
    type Element = *mut wasm_tabletype_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        // SAFETY: by the contract.
        unsafe { vec::copy_handle(*element) }
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        // SAFETY: by the contract.
        unsafe { vec::delete_handle(*element) }
    }
    fn handle_of(element: &Self::Element, param: &str) -> *const u8 {
        vec::look_at_handle(*element, param)
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_vec_new_empty(out: Out<wasm_tabletype_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_tabletype_vec_new_empty", out) }
}

/// Writes a vector of `size` table types to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_vec_new_uninitialized(out: Out<wasm_tabletype_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_tabletype_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` table types at `data` to `out`, which takes them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_vec_new(
    out: Out<wasm_tabletype_vec_t>,
    size: usize,
    data: *const *mut wasm_tabletype_t,
) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_tabletype_vec_new", out, size, data) }
}

/// Writes a copy with copies of the elements to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_vec_copy(out: Out<wasm_tabletype_vec_t>, source: *const wasm_tabletype_vec_t) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_tabletype_vec_copy", out, source) }
}

/// Deletes a vector and its elements, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tabletype_vec_delete(vec: Take<wasm_tabletype_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_tabletype_vec_delete", vec) }
}

/// A vector of memory types. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_memorytype_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut *mut wasm_memorytype_t,
}

impl Default for wasm_memorytype_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_memorytype_vec_t {
    type Element = *mut wasm_memorytype_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        // SAFETY: by the contract.
        unsafe { vec::copy_handle(*element) }
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        // SAFETY: by the contract.
        unsafe { vec::delete_handle(*element) }
    }
    fn handle_of(element: &Self::Element, param: &str) -> *const u8 {
        vec::look_at_handle(*element, param)
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_vec_new_empty(out: Out<wasm_memorytype_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_memorytype_vec_new_empty", out) }
}

/// Writes a vector of `size` memory types to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_vec_new_uninitialized(out: Out<wasm_memorytype_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_memorytype_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` memory types at `data` to `out`, which takes them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_vec_new(
    out: Out<wasm_memorytype_vec_t>,
    size: usize,
    data: *const *mut wasm_memorytype_t,
) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_memorytype_vec_new", out, size, data) }
}

/// Writes a copy with copies of the elements to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_vec_copy(
    out: Out<wasm_memorytype_vec_t>,
    source: *const wasm_memorytype_vec_t,
) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_memorytype_vec_copy", out, source) }
}

/// Deletes a vector and its elements, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memorytype_vec_delete(vec: Take<wasm_memorytype_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_memorytype_vec_delete", vec) }
}

/// A vector of tag types. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_tagtype_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut *mut wasm_tagtype_t,
}

impl Default for wasm_tagtype_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_tagtype_vec_t {
    type Element = *mut wasm_tagtype_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        // SAFETY: by the contract.
        unsafe { vec::copy_handle(*element) }
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        // SAFETY: by the contract.
        unsafe { vec::delete_handle(*element) }
    }
    fn handle_of(element: &Self::Element, param: &str) -> *const u8 {
        vec::look_at_handle(*element, param)
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_vec_new_empty(out: Out<wasm_tagtype_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_tagtype_vec_new_empty", out) }
}

/// Writes a vector of `size` tag types to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_vec_new_uninitialized(out: Out<wasm_tagtype_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_tagtype_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` tag types at `data` to `out`, which takes them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_vec_new(
    out: Out<wasm_tagtype_vec_t>,
    size: usize,
    data: *const *mut wasm_tagtype_t,
) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_tagtype_vec_new", out, size, data) }
}

/// Writes a copy with copies of the elements to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_vec_copy(out: Out<wasm_tagtype_vec_t>, source: *const wasm_tagtype_vec_t) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_tagtype_vec_copy", out, source) }
}

/// Deletes a vector and its elements, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_tagtype_vec_delete(vec: Take<wasm_tagtype_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_tagtype_vec_delete", vec) }
}

/// A vector of types of things imported or exported. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_externtype_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut *mut wasm_externtype_t,
}

impl Default for wasm_externtype_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_externtype_vec_t {
    type Element = *mut wasm_externtype_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        // SAFETY: by the contract.
        unsafe { vec::copy_handle(*element) }
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        // SAFETY: by the contract.
        unsafe { vec::delete_handle(*element) }
    }
    fn handle_of(element: &Self::Element, param: &str) -> *const u8 {
        vec::look_at_handle(*element, param)
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_vec_new_empty(out: Out<wasm_externtype_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_externtype_vec_new_empty", out) }
}

/// Writes a vector of `size` types of things imported or exported to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_vec_new_uninitialized(out: Out<wasm_externtype_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_externtype_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` types of things imported or exported at `data` to `out`, which takes them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_vec_new(
    out: Out<wasm_externtype_vec_t>,
    size: usize,
    data: *const *mut wasm_externtype_t,
) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_externtype_vec_new", out, size, data) }
}

/// Writes a copy with copies of the elements to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_vec_copy(
    out: Out<wasm_externtype_vec_t>,
    source: *const wasm_externtype_vec_t,
) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_externtype_vec_copy", out, source) }
}

/// Deletes a vector and its elements, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_externtype_vec_delete(vec: Take<wasm_externtype_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_externtype_vec_delete", vec) }
}

/// A vector of imports. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_importtype_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut *mut wasm_importtype_t,
}

impl Default for wasm_importtype_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_importtype_vec_t {
    type Element = *mut wasm_importtype_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        // SAFETY: by the contract.
        unsafe { vec::copy_handle(*element) }
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        // SAFETY: by the contract.
        unsafe { vec::delete_handle(*element) }
    }
    fn handle_of(element: &Self::Element, param: &str) -> *const u8 {
        vec::look_at_handle(*element, param)
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_vec_new_empty(out: Out<wasm_importtype_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_importtype_vec_new_empty", out) }
}

/// Writes a vector of `size` imports to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_vec_new_uninitialized(out: Out<wasm_importtype_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_importtype_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` imports at `data` to `out`, which takes them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_vec_new(
    out: Out<wasm_importtype_vec_t>,
    size: usize,
    data: *const *mut wasm_importtype_t,
) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_importtype_vec_new", out, size, data) }
}

/// Writes a copy with copies of the elements to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_vec_copy(
    out: Out<wasm_importtype_vec_t>,
    source: *const wasm_importtype_vec_t,
) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_importtype_vec_copy", out, source) }
}

/// Deletes a vector and its elements, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_importtype_vec_delete(vec: Take<wasm_importtype_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_importtype_vec_delete", vec) }
}

/// A vector of exports. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_exporttype_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut *mut wasm_exporttype_t,
}

impl Default for wasm_exporttype_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_exporttype_vec_t {
    type Element = *mut wasm_exporttype_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        // SAFETY: by the contract.
        unsafe { vec::copy_handle(*element) }
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        // SAFETY: by the contract.
        unsafe { vec::delete_handle(*element) }
    }
    fn handle_of(element: &Self::Element, param: &str) -> *const u8 {
        vec::look_at_handle(*element, param)
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_vec_new_empty(out: Out<wasm_exporttype_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_exporttype_vec_new_empty", out) }
}

/// Writes a vector of `size` exports to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_vec_new_uninitialized(out: Out<wasm_exporttype_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_exporttype_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` exports at `data` to `out`, which takes them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_vec_new(
    out: Out<wasm_exporttype_vec_t>,
    size: usize,
    data: *const *mut wasm_exporttype_t,
) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_exporttype_vec_new", out, size, data) }
}

/// Writes a copy with copies of the elements to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_vec_copy(
    out: Out<wasm_exporttype_vec_t>,
    source: *const wasm_exporttype_vec_t,
) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_exporttype_vec_copy", out, source) }
}

/// Deletes a vector and its elements, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_exporttype_vec_delete(vec: Take<wasm_exporttype_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_exporttype_vec_delete", vec) }
}

/// A vector of values. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_val_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut wasm_val_t,
}

impl Default for wasm_val_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_val_vec_t {
    type Element = wasm_val_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        // SAFETY: by the contract.
        unsafe { copy_val(element) }
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        // SAFETY: by the contract.
        unsafe { delete_val(element) }
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_vec_new_empty(out: Out<wasm_val_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_val_vec_new_empty", out) }
}

/// Writes a vector of `size` values to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_vec_new_uninitialized(out: Out<wasm_val_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_val_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` values at `data` to `out`, which takes them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_vec_new(out: Out<wasm_val_vec_t>, size: usize, data: *const wasm_val_t) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_val_vec_new", out, size, data) }
}

/// Writes a copy with copies of the elements to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_vec_copy(out: Out<wasm_val_vec_t>, source: *const wasm_val_vec_t) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_val_vec_copy", out, source) }
}

/// Deletes a vector and its elements, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_val_vec_delete(vec: Take<wasm_val_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_val_vec_delete", vec) }
}

/// A vector of frames. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_frame_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut *mut wasm_frame_t,
}

impl Default for wasm_frame_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_frame_vec_t {
    type Element = *mut wasm_frame_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        // SAFETY: by the contract.
        unsafe { vec::copy_handle(*element) }
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        // SAFETY: by the contract.
        unsafe { vec::delete_handle(*element) }
    }
    fn handle_of(element: &Self::Element, param: &str) -> *const u8 {
        vec::look_at_handle(*element, param)
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_vec_new_empty(out: Out<wasm_frame_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_frame_vec_new_empty", out) }
}

/// Writes a vector of `size` frames to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_vec_new_uninitialized(out: Out<wasm_frame_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_frame_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` frames at `data` to `out`, which takes them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_vec_new(out: Out<wasm_frame_vec_t>, size: usize, data: *const *mut wasm_frame_t) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_frame_vec_new", out, size, data) }
}

/// Writes a copy with copies of the elements to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_vec_copy(out: Out<wasm_frame_vec_t>, source: *const wasm_frame_vec_t) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_frame_vec_copy", out, source) }
}

/// Deletes a vector and its elements, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_vec_delete(vec: Take<wasm_frame_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_frame_vec_delete", vec) }
}

/// A vector of things imported or exported. An owned vector owns its elements; its memory comes from this
/// library.
#[repr(C)]
pub struct wasm_extern_vec_t {
    /// How many there are.
    pub size: usize,
    /// The elements; NULL if there is none.
    pub data: *mut *mut wasm_extern_t,
}

impl Default for wasm_extern_vec_t {
    fn default() -> Self {
        Self { size: 0, data: std::ptr::null_mut() }
    }
}

// SAFETY: the parts are the fields, and the struct is `#[repr(C)]`.
unsafe impl CVec for wasm_extern_vec_t {
    type Element = *mut wasm_extern_t;
    fn from_parts(size: usize, data: *mut Self::Element) -> Self {
        Self { size, data }
    }
    fn parts(&self) -> (usize, *mut Self::Element) {
        (self.size, self.data)
    }
    unsafe fn copy_element(element: &Self::Element) -> Self::Element {
        // SAFETY: by the contract.
        unsafe { vec::copy_handle(*element) }
    }
    unsafe fn delete_element(element: &mut Self::Element) {
        // SAFETY: by the contract.
        unsafe { vec::delete_handle(*element) }
    }
    fn handle_of(element: &Self::Element, param: &str) -> *const u8 {
        vec::look_at_handle(*element, param)
    }
}

/// Writes an empty vector to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_vec_new_empty(out: Out<wasm_extern_vec_t>) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_empty("wasm_extern_vec_new_empty", out) }
}

/// Writes a vector of `size` things imported or exported to `out`, for the caller to fill; all bits are zero.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_vec_new_uninitialized(out: Out<wasm_extern_vec_t>, size: usize) {
    // SAFETY: `out` is C's.
    unsafe { vec::new_uninitialized("wasm_extern_vec_new_uninitialized", out, size) }
}

/// Writes a vector of the `size` things imported or exported at `data` to `out`, which takes them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_vec_new(
    out: Out<wasm_extern_vec_t>,
    size: usize,
    data: *const *mut wasm_extern_t,
) {
    // SAFETY: `out` is C's, and `data` has `size` elements.
    unsafe { vec::new("wasm_extern_vec_new", out, size, data) }
}

/// Writes a copy with copies of the elements to `out`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_vec_copy(out: Out<wasm_extern_vec_t>, source: *const wasm_extern_vec_t) {
    // SAFETY: `out` is C's, `source` is valid or NULL.
    unsafe { vec::copy("wasm_extern_vec_copy", out, source) }
}

/// Deletes a vector and its elements, and leaves an empty one behind. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_extern_vec_delete(vec: Take<wasm_extern_vec_t>) {
    // SAFETY: the vector is valid or NULL.
    unsafe { vec::delete("wasm_extern_vec_delete", vec) }
}
