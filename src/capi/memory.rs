//! `wasm_memory_t`: linear memories.

use super::bytes::byte_t;
use super::plumbing::guard::{or_abort, or_error, or_null};
use super::plumbing::handles::{stepwell_error_t, wasm_memory_t, wasm_memorytype_t, wasm_store_t};
use super::plumbing::object::{Kind, Object};
use super::plumbing::own::{Out, Own, borrow, bytes, handle, room};
use super::type_object::TypeObject;
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{AsStore, Memory};
use crate::wasm::ExternType;

handle!(wasm_memory_t => Object, |object| matches!(object.kind, Kind::Memory(_)));

/// A size of a memory, in pages: of 64 KiB, where its type says nothing else.
pub type wasm_memory_pages_t = u32;

/// What stands behind the handle.
///
/// # Safety
/// The pointer is NULL or a live memory.
pub(super) unsafe fn get<'a>(pointer: *const wasm_memory_t) -> Result<(&'a Object, Memory)> {
    // SAFETY: by the contract.
    let object = unsafe { borrow(pointer, "memory") }?;
    match object.kind {
        Kind::Memory(memory) => Ok((object, memory)),
        _ => unreachable!("checked by `borrow`"),
    }
}

/// A new memory of zeros. NULL if it is too large; `stepwell_last_error()` says so.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_new(
    store: *mut wasm_store_t,
    r#type: *const wasm_memorytype_t,
) -> Own<wasm_memory_t> {
    or_null("wasm_memory_new", || {
        // SAFETY: C passes live objects or NULL.
        let (cell, ty) = unsafe { (borrow(store, "store")?, borrow(r#type, "type")?) };
        let ExternType::Memory(ty) = ty.to_rust() else { unreachable!("checked by `borrow`") };
        let mut store = cell.enter()?;
        let memory = store.with_room(|store| Memory::new(store, ty))?;
        Ok(Own::new(Object::new(cell, memory)))
    })
}

/// The memory's type, with its current size as the least.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_type(memory: *const wasm_memory_t) -> Own<wasm_memorytype_t> {
    or_null("wasm_memory_type", || {
        // SAFETY: C passes a live memory or NULL.
        let (object, memory) = unsafe { get(memory) }?;
        let ty = memory.ty(&*object.cell.enter()?)?;
        Ok(Own::new(TypeObject::from(&ExternType::Memory(ty))))
    })
}

/// The address of the memory's first byte. Growing the memory may move it. Guests on other threads may read and write a
/// shared memory at any time.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_data(memory: *mut wasm_memory_t) -> *mut byte_t {
    or_null("wasm_memory_data", || {
        // SAFETY: C passes a live memory or NULL.
        let (object, memory) = unsafe { get(memory) }?;
        Ok(memory.data_ptr(&*object.cell.enter()?)?.cast())
    })
}

/// Whether the memory never moves, however it grows: then an address in it stays one for as long as a handle of it.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_memory_is_fixed(memory: *const wasm_memory_t) -> bool {
    or_null("stepwell_memory_is_fixed", || {
        // SAFETY: C passes a live memory or NULL.
        let (object, memory) = unsafe { get(memory) }?;
        memory.is_fixed(&*object.cell.enter()?)
    })
}

/// How many bytes the memory has.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_data_size(memory: *const wasm_memory_t) -> usize {
    or_abort("wasm_memory_data_size", || {
        // SAFETY: C passes a live memory or NULL.
        let (object, memory) = unsafe { get(memory) }?;
        let store = object.cell.enter()?;
        memory.data_size(&*store)
    })
}

/// How many pages the memory has: of 64 KiB, where its type says nothing else. A number that needs more than 32 bits is
/// the largest of 32; `stepwell_memory_size` has it.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_size(memory: *const wasm_memory_t) -> wasm_memory_pages_t {
    or_abort("wasm_memory_size", || {
        // SAFETY: C passes a live memory or NULL.
        let (object, memory) = unsafe { get(memory) }?;
        let pages = memory.size(&*object.cell.enter()?)?;
        Ok(wasm_memory_pages_t::try_from(pages).unwrap_or(wasm_memory_pages_t::MAX))
    })
}

/// Grows the memory by `delta` pages. False, and nothing grown, beyond its limits; `stepwell_last_error()` says so.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_memory_grow(memory: *mut wasm_memory_t, delta: wasm_memory_pages_t) -> bool {
    or_null("wasm_memory_grow", || {
        // SAFETY: C passes a live memory or NULL.
        let (object, memory) = unsafe { get(memory) }?;
        // A callback may delete the handle.
        let cell = object.cell.clone();
        memory.grow(&mut *cell.enter()?, delta.into())?;
        Ok(true)
    })
}

/// How many pages the memory has, whatever number that is.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_memory_size(memory: *const wasm_memory_t) -> u64 {
    or_abort("stepwell_memory_size", || {
        // SAFETY: C passes a live memory or NULL.
        let (object, memory) = unsafe { get(memory) }?;
        memory.size(&*object.cell.enter()?)
    })
}

/// Grows the memory by `delta` pages, whatever number that is. `before_out` gets how many it had; it may be NULL. An
/// error, and nothing grown, beyond its limits.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_memory_grow(
    memory: *mut wasm_memory_t,
    delta: u64,
    before_out: *mut u64,
) -> Own<stepwell_error_t> {
    or_error("stepwell_memory_grow", || {
        // SAFETY: C passes a live memory or NULL.
        let (object, memory) = unsafe { get(memory) }?;
        // A callback may delete the handle.
        let cell = object.cell.clone();
        let pages = memory.grow(&mut *cell.enter()?, delta)?;
        if let Some(before) = Out::plain(before_out).optional() {
            // SAFETY: C passes room for a number.
            unsafe { before.write(pages) };
        }
        Ok(())
    })
}

/// An offset as this machine has it; an error that says what does not fit, as everything beyond a memory's end is.
fn place(memory: Memory, store: impl AsStore, offset: u64, size: usize) -> Result<usize> {
    let len = memory.data_size(store)?;
    usize::try_from(offset).map_err(|_| {
        let message = format!("{size} bytes at {offset:#x} are beyond a memory of {len:#x} bytes");
        Error::new(ErrorKind::Argument, message)
    })
}

/// Copies `size` bytes at `offset` out of the memory. An error, and nothing copied, if they are not all inside: it says
/// offset, size and how large the memory is. Guests on other threads may write a shared memory in between.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_memory_read(
    memory: *const wasm_memory_t,
    offset: u64,
    data: *mut byte_t,
    size: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_memory_read", || {
        // SAFETY: C passes a live memory or NULL.
        let (object, memory) = unsafe { get(memory) }?;
        // SAFETY: C passes room for so many bytes.
        let to = unsafe { room(data.cast(), size, "data") }?;
        let store = object.cell.enter()?;
        memory.read(&*store, place(memory, &*store, offset, size)?, to)
    })
}

/// Copies `size` bytes into the memory, at `offset`. An error, and nothing written, if they do not all go in: it says
/// offset, size and how large the memory is. Guests on other threads may use a shared memory in between.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_memory_write(
    memory: *mut wasm_memory_t,
    offset: u64,
    data: *const byte_t,
    size: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_memory_write", || {
        // SAFETY: C passes a live memory or NULL.
        let (object, memory) = unsafe { get(memory) }?;
        // SAFETY: C passes so many bytes.
        let from = unsafe { bytes(data.cast(), size, "data") }?;
        let mut store = object.cell.enter()?;
        let at = place(memory, &*store, offset, size)?;
        memory.write(&mut *store, at, from)
    })
}
