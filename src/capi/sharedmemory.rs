//! `stepwell_sharedmemory_t`: memories that stores on several threads have.

use super::bytes::byte_t;
use super::plumbing::guard::{or_abort, or_error, or_null};
use super::plumbing::handles::{
    stepwell_error_t, stepwell_sharedmemory_t, wasm_engine_t, wasm_memory_t, wasm_memorytype_t, wasm_store_t,
};
use super::plumbing::object::{Kind, Object};
use super::plumbing::own::{Out, Own, borrow, bytes, handle, room};
use super::type_object::TypeObject;
use crate::base::{Error, ErrorKind};
use crate::runtime::{Memory, SharedMemory};
use crate::wasm::ExternType;

handle!(stepwell_sharedmemory_t => SharedMemory);

/// A new shared memory of zeros, for stores of this engine. Its type must be shared, and have a maximum: all the
/// address space for that is reserved now. NULL if it cannot be made; `stepwell_last_error()` says why.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_sharedmemory_new(
    engine: *mut wasm_engine_t,
    r#type: *const wasm_memorytype_t,
) -> Own<stepwell_sharedmemory_t> {
    or_null("stepwell_sharedmemory_new", || {
        // SAFETY: C passes live objects or NULL.
        let (engine, ty) = unsafe { (borrow(engine, "engine")?, borrow(r#type, "type")?) };
        let ExternType::Memory(ty) = ty.to_rust() else { unreachable!("checked by `borrow`") };
        Ok(Own::new(SharedMemory::new(engine, ty)?))
    })
}

/// Another handle of the same memory. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_sharedmemory_clone(
    memory: *const stepwell_sharedmemory_t,
) -> Own<stepwell_sharedmemory_t> {
    // SAFETY: C passes a live memory or NULL.
    or_null("stepwell_sharedmemory_clone", || Ok(Own::new(unsafe { borrow(memory, "memory") }?.clone())))
}

/// Deletes a handle. The memory lives as long as another handle, or a store that has it. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_sharedmemory_delete(memory: Own<stepwell_sharedmemory_t>) {
    // SAFETY: C gives it back.
    unsafe { memory.delete("stepwell_sharedmemory_delete", "memory") }
}

/// The memory's type, with its size at this moment as the least.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_sharedmemory_type(memory: *const stepwell_sharedmemory_t) -> Own<wasm_memorytype_t> {
    or_null("stepwell_sharedmemory_type", || {
        // SAFETY: C passes a live memory or NULL.
        let ty = unsafe { borrow(memory, "memory") }?.ty();
        Ok(Own::new(TypeObject::from(&ExternType::Memory(ty))))
    })
}

/// The address of the memory's first byte, which never changes. Guests on other threads read and write there at any
/// time: use atomic accesses, or `stepwell_sharedmemory_read` and `stepwell_sharedmemory_write`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_sharedmemory_data(memory: *const stepwell_sharedmemory_t) -> *mut byte_t {
    // SAFETY: C passes a live memory or NULL.
    or_null("stepwell_sharedmemory_data", || Ok(unsafe { borrow(memory, "memory") }?.data_ptr().cast()))
}

/// How many bytes the memory has at this moment. They never become fewer.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_sharedmemory_data_size(memory: *const stepwell_sharedmemory_t) -> usize {
    // SAFETY: C passes a live memory or NULL.
    or_abort("stepwell_sharedmemory_data_size", || Ok(unsafe { borrow(memory, "memory") }?.len()))
}

/// How many pages the memory has at this moment.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_sharedmemory_size(memory: *const stepwell_sharedmemory_t) -> u64 {
    // SAFETY: C passes a live memory or NULL.
    or_abort("stepwell_sharedmemory_size", || Ok(unsafe { borrow(memory, "memory") }?.size()))
}

/// Grows the memory by `delta` pages, for all stores that have it; no store's limit is asked. `before_out` gets how
/// many it had; it may be NULL. An error, and nothing grown, beyond its maximum.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_sharedmemory_grow(
    memory: *const stepwell_sharedmemory_t,
    delta: u64,
    before_out: *mut u64,
) -> Own<stepwell_error_t> {
    or_error("stepwell_sharedmemory_grow", || {
        // SAFETY: C passes a live memory or NULL.
        let pages = unsafe { borrow(memory, "memory") }?.grow(delta)?;
        if let Some(before) = Out::plain(before_out).optional() {
            // SAFETY: C passes room for a number.
            unsafe { before.write(pages) };
        }
        Ok(())
    })
}

/// Copies `size` bytes at `offset` out. Guests may write in between. An error if they are not all inside.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_sharedmemory_read(
    memory: *const stepwell_sharedmemory_t,
    offset: usize,
    data: *mut byte_t,
    size: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_sharedmemory_read", || {
        // SAFETY: C passes a live memory or NULL.
        let memory = unsafe { borrow(memory, "memory") }?;
        // SAFETY: C passes room for so many bytes.
        memory.read(offset, unsafe { room(data.cast(), size, "data") }?)
    })
}

/// Copies `size` bytes in, at `offset`. Guests may read and write in between. An error, and nothing written, if they do
/// not all go in.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_sharedmemory_write(
    memory: *const stepwell_sharedmemory_t,
    offset: usize,
    data: *const byte_t,
    size: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_sharedmemory_write", || {
        // SAFETY: C passes a live memory or NULL.
        let memory = unsafe { borrow(memory, "memory") }?;
        // SAFETY: C passes so many bytes.
        memory.write(offset, unsafe { bytes(data.cast(), size, "data") }?)
    })
}

/// Wakes up to `count` guests that wait at `offset`, as `memory.atomic.notify`; how many they were.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_sharedmemory_notify(
    memory: *const stepwell_sharedmemory_t,
    offset: usize,
    count: u32,
) -> u32 {
    or_abort("stepwell_sharedmemory_notify", || {
        // SAFETY: C passes a live memory or NULL.
        Ok(unsafe { borrow(memory, "memory") }?.notify(offset, count))
    })
}

/// The shared memory as one of a store, for its instances to import. It counts for the store's limit on memory. NULL if
/// it was made for another engine, or is beyond that limit; `stepwell_last_error()` says which.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_memory_from_shared(
    store: *mut wasm_store_t,
    memory: *const stepwell_sharedmemory_t,
) -> Own<wasm_memory_t> {
    or_null("stepwell_memory_from_shared", || {
        // SAFETY: C passes live objects or NULL.
        let (cell, memory) = unsafe { (borrow(store, "store")?, borrow(memory, "memory")?) };
        let mut store = cell.enter()?;
        let memory = store.with_room(|store| Memory::from_shared(store, memory))?;
        Ok(Own::new(Object::new(cell, memory)))
    })
}

/// The memory apart from its store, for stores on other threads. NULL for a memory that is not shared.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_memory_shared(memory: *const wasm_memory_t) -> Own<stepwell_sharedmemory_t> {
    or_null("stepwell_memory_shared", || {
        // SAFETY: C passes a live memory or NULL.
        let object = unsafe { borrow(memory, "memory") }?;
        let Kind::Memory(memory) = object.kind else { unreachable!("checked by `borrow`") };
        let shared = memory.shared(&*object.cell.enter()?)?;
        let refused = || Error::new(ErrorKind::State, "the memory is not shared");
        Ok(Own::new(shared.ok_or_else(refused)?))
    })
}
