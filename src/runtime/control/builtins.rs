//! The functions compiled code calls for what is not worth compiling. Each has a shim, which notes the guest's frame,
//! and a plain outer function without destructors, from which the guest can be left; the work is done in between.

use crate::abi::{Builtin, TrapCode, VMContext, VMException, ValRaw};
use crate::base::{DataIndex, ElemIndex, Error, FuncIndex, MemoryIndex, Result, TableIndex, TypeId};
use crate::code::broken;
use crate::isa::{self, builtin_shim, preserving_shim};
use crate::runtime::control::{announce, call, deadline, exceptions, heap, limiter, segments, trap, waits, watch};
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::objects::limiter::Growth;
use crate::runtime::objects::memory::MemoryData;
use crate::runtime::objects::shared::Word;
use crate::runtime::objects::table::{TableData, copy_elements, element_of, range};
use crate::runtime::objects::values::Val;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::watch as protection;
use crate::sys::floats::HostFloats;
use crate::sys::{activation, racy};
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

/// The table behind [`VMContext::builtins`].
struct Table([*const c_void; Builtin::ALL.len()]);

// SAFETY: addresses of functions.
unsafe impl Sync for Table {}

/// The shims in the order of [`Builtin::ALL`].
static TABLE: Table = Table([
    memory_grow_entry as *const c_void,
    memory_copy_entry as *const c_void,
    memory_fill_entry as *const c_void,
    memory_init_entry as *const c_void,
    data_drop_entry as *const c_void,
    table_grow_entry as *const c_void,
    table_fill_entry as *const c_void,
    table_copy_entry as *const c_void,
    table_init_entry as *const c_void,
    elem_drop_entry as *const c_void,
    table_resolve_entry as *const c_void,
    ref_func_entry as *const c_void,
    is_below_entry as *const c_void,
    heap_fill_entry as *const c_void,
    heap_move_entry as *const c_void,
    array_new_data_entry as *const c_void,
    array_new_elem_entry as *const c_void,
    array_init_data_entry as *const c_void,
    array_init_elem_entry as *const c_void,
    trap_with_entry as *const c_void,
    // The trampoline has noted its caller's frame, not its own.
    raise as *const c_void,
    host_overflow as *const c_void,
    throw_entry as *const c_void,
    throw_ref_entry as *const c_void,
    due_entry as *const c_void,
    atomic_notify_entry as *const c_void,
    atomic_wait32_entry as *const c_void,
    atomic_wait64_entry as *const c_void,
]);

/// What every vmctx points to.
pub(in crate::runtime) fn table() -> *const *const c_void {
    TABLE.0.as_ptr()
}

/// Runs a builtin's work; `None` if the guest is to be left, with the reason in the store.
///
/// # Safety
/// `vmctx` is that of a live instance whose frame called the builtin.
#[inline]
unsafe fn run(
    vmctx: *mut VMContext,
    work: impl FnOnce(&mut StoreInner, NonNull<InstanceData>) -> Result<u64, TrapCode>,
) -> Option<u64> {
    // SAFETY: handed on to the caller.
    unsafe {
        let store = NonNull::new_unchecked((*(*vmctx).store).store.cast::<StoreInner>());
        let instance = NonNull::new_unchecked((*vmctx).instance.cast::<InstanceData>());
        run_in(store, |store| work(store, instance))
    }
}

/// The same of what does not ask for the instance.
///
/// # Safety
/// The store is alive, and a frame of its guests has called.
#[inline]
unsafe fn run_in(
    store: NonNull<StoreInner>,
    work: impl FnOnce(&mut StoreInner) -> Result<u64, TrapCode>,
) -> Option<u64> {
    // SAFETY: the caller's promise; the guest is here, so nobody else uses the store's inside.
    unsafe {
        let watched = (*store.as_ptr()).watched;
        let was = watched && unprotect(store)?;
        let outcome = catch_unwind(AssertUnwindSafe(|| work(&mut *store.as_ptr())));
        if was {
            protect(store)?;
        }
        // What a builtin does may take long, for as little fuel as anything else.
        if (*store.as_ptr()).attachers.are_asked() {
            (*store.as_ptr()).take_fuel_in();
        }
        match outcome {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(code)) => trap::raise_from_builtin(store, code),
            Err(payload) => {
                call::leave_with_panic(store, payload);
            }
        }
        None
    }
}

/// Makes what is watched accessible to the runtime; whether it was not. [`None`] if the guest is to be left.
///
/// # Safety
/// The store is alive, and no reference to its inside is held.
#[cold]
unsafe fn unprotect(store: NonNull<StoreInner>) -> Option<bool> {
    // SAFETY: handed on to the caller.
    unsafe { protection::lift(store).map_err(|error| call::leave_with_error(store, error)).ok() }
}

/// Protects what is watched again. [`None`] if the guest is to be left.
///
/// # Safety
/// As [`unprotect`].
#[cold]
unsafe fn protect(store: NonNull<StoreInner>) -> Option<()> {
    // SAFETY: handed on to the caller.
    unsafe { protection::protect(store).map_err(|error| call::leave_with_error(store, error)).ok() }
}

/// Tells those who listen, if memories are watched, what an instruction is about to do to one, by its index: place and
/// length, and whether it writes. [`None`] if the guest is to be left.
///
/// # Safety
/// As [`run`], with validated indices.
#[cold]
#[inline(never)]
unsafe fn touch(vmctx: *mut VMContext, touched: &[(u32, (u64, u64), bool)]) -> Option<()> {
    // SAFETY: handed on to the caller.
    unsafe {
        let instance = NonNull::new_unchecked((*vmctx).instance.cast::<InstanceData>());
        tell(vmctx, |store| {
            touched.iter().try_for_each(|(index, place, is_write)| {
                watch::touch(store, memory_of(instance, *index), *place, *is_write)
            })
        })
    }
}

/// Tells those who listen of a memory that has grown. [`None`] if the guest is to be left.
///
/// # Safety
/// As [`run`], with a validated index.
#[cold]
#[inline(never)]
unsafe fn tell_grown(vmctx: *mut VMContext, index: u32, before: u64) -> Option<()> {
    // SAFETY: handed on to the caller.
    unsafe {
        let instance = NonNull::new_unchecked((*vmctx).instance.cast::<InstanceData>());
        tell(vmctx, |store| announce::grown(store, memory_of(instance, index), before))
    }
}

/// Does what tells those who listen. [`None`] if the guest is to be left.
///
/// # Safety
/// As [`run`].
unsafe fn tell(vmctx: *mut VMContext, work: impl FnOnce(NonNull<StoreInner>) -> Result<(), Error>) -> Option<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let store = NonNull::new_unchecked((*(*vmctx).store).store.cast::<StoreInner>());
        match catch_unwind(AssertUnwindSafe(|| work(store))) {
            Ok(Ok(())) => return Some(()),
            Ok(Err(error)) => call::leave_with_error(store, error),
            Err(payload) => call::leave_with_panic(store, payload),
        };
        None
    }
}

/// Leaves the guest.
///
/// # Safety
/// As [`run`], from a frame without destructors, with the reason in the store.
#[cold]
unsafe fn leave(vmctx: *mut VMContext) -> ! {
    // SAFETY: the guest's entry is the newest of its store.
    unsafe { isa::unwind((*(*vmctx).store).activation) }
}

/// Declares a builtin: its outer function, around the work.
///
/// What it does to memories, in brackets, is told those who listen first, if any is watched.
macro_rules! builtin {
    ($name:ident($store:ident, $instance:ident $(, $arg:ident: $type:ty)*) $work:block) => {
        builtin!($name[]($store, $instance $(, $arg: $type)*) $work);
    };
    ($name:ident[$($touched:expr),*]($store:ident, $instance:ident $(, $arg:ident: $type:ty)*) $work:block) => {
        unsafe extern "C" fn $name(vmctx: *mut VMContext $(, $arg: $type)*) -> u64 {
            let touched = [$($touched),*];
            let work = |$store: &mut StoreInner, $instance: NonNull<InstanceData>| $work;
            // SAFETY: compiled code passes its own vmctx. When the guest is left, nothing with a destructor is left
            // here.
            unsafe {
                let watched = !touched.is_empty() && (*(*(*vmctx).store).store.cast::<StoreInner>()).watched;
                if watched && touch(vmctx, &touched).is_none() {
                    leave(vmctx);
                }
                match run(vmctx, work) {
                    Some(value) => value,
                    None => leave(vmctx),
                }
            }
        }
    };
}

/// A memory of an instance.
///
/// # Safety
/// The instance is live, nobody has a mutable reference to its inside, and the index is validated.
unsafe fn memory_of(instance: NonNull<InstanceData>, index: u32) -> NonNull<MemoryData> {
    // SAFETY: the caller's promise.
    unsafe { instance.as_ref() }.memories[index as usize]
}

/// A table of an instance.
///
/// # Safety
/// As [`memory_of`].
unsafe fn table_of(instance: NonNull<InstanceData>, index: u32) -> NonNull<TableData> {
    // SAFETY: the caller's promise.
    unsafe { instance.as_ref() }.tables[index as usize]
}

/// A reference, as compiled code passes it.
fn reference(word: u64) -> ValRaw {
    let mut raw = ValRaw::default();
    raw.externref = word;
    raw
}

/// Whether `len` bytes from `start` are inside of `of`.
fn fits(start: u64, len: u64, of: u64) -> bool {
    start.checked_add(len).is_some_and(|end| end <= of)
}

builtin!(grow(store, instance, index: u32, delta: u64) {
    // SAFETY: validated indices; objects of a store live as long as it.
    Ok(unsafe { store.grow_memory(memory_of(instance, index), delta) }.unwrap_or(u64::MAX))
});

/// Asks the store's limiter whether something may become larger, which nothing is without. [`None`] if the guest is to
/// be left.
///
/// # Safety
/// As [`run`], and a guest's frame is noted.
#[cold]
#[inline(never)]
unsafe fn ask(vmctx: *mut VMContext, growth: Option<Growth>) -> Option<bool> {
    let Some(growth) = growth else { return Some(true) };
    // SAFETY: the caller's promise; no reference to the store's inside is held while the host is asked, and what is
    // watched is accessible to it.
    unsafe {
        let store = NonNull::new_unchecked((*(*vmctx).store).store.cast::<StoreInner>());
        let was = (*store.as_ptr()).watched && unprotect(store)?;
        let floats = HostFloats::of((*store.as_ptr()).vm.activation);
        let answer = catch_unwind(AssertUnwindSafe(|| limiter::allows(store, &growth)));
        drop(floats);
        if was {
            protect(store)?;
        }
        match answer {
            Ok(Ok(_)) if (*store.as_ptr()).registry.is_broken() => call::leave_with_error(store, broken()),
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => call::leave_with_error(store, error),
            Err(payload) => call::leave_with_panic(store, payload),
        };
        None
    }
}

/// Grows a memory, and tells those who listen.
unsafe extern "C" fn memory_grow(vmctx: *mut VMContext, index: u32, delta: u64) -> u64 {
    // SAFETY: compiled code passes its own vmctx and a validated index. When the guest is left, nothing with a
    // destructor is left here.
    unsafe {
        let store = (*(*vmctx).store).store.cast::<StoreInner>();
        if (*store).limiter.is_some() {
            let instance = NonNull::new_unchecked((*vmctx).instance.cast::<InstanceData>());
            match ask(vmctx, Growth::of_memory(memory_of(instance, index).as_ref(), delta)) {
                Some(true) => {}
                Some(false) => return u64::MAX,
                None => leave(vmctx),
            }
        }
        let before = grow(vmctx, index, delta);
        if before != u64::MAX && (*store).attachment.is_some() && tell_grown(vmctx, index, before).is_none() {
            leave(vmctx);
        }
        before
    }
}

builtin!(memory_copy[(from, (source, len), false), (to, (destination, len), true)](_store, instance, to: u32, destination: u64, from: u32, source: u64, len: u64) {
    // SAFETY: as above; both ranges are checked before the copy, and may overlap.
    unsafe {
        let (to, from) = (memory_of(instance, to).as_ref(), memory_of(instance, from).as_ref());
        let is_shared = to.shared().or(from.shared()).is_some();
        let (to, from) = (to.vm(), from.vm());
        if !fits(source, len, from.len as u64) || !fits(destination, len, to.len as u64) {
            return Err(TrapCode::MemoryOutOfBounds);
        }
        let (from, to) = (from.base.add(source as usize), to.base.add(destination as usize));
        match is_shared {
            true => racy::copy(from, to, len as usize),
            false => std::ptr::copy(from, to, len as usize),
        }
    }
    Ok(0)
});

builtin!(memory_fill[(index, (destination, len), true)](_store, instance, index: u32, destination: u64, byte: u32, len: u64) {
    // SAFETY: as above.
    unsafe {
        let memory = memory_of(instance, index).as_ref();
        let vm = memory.vm();
        if !fits(destination, len, vm.len as u64) {
            return Err(TrapCode::MemoryOutOfBounds);
        }
        let to = vm.base.add(destination as usize);
        match memory.shared() {
            Some(_) => racy::fill(to, byte as u8, len as usize),
            None => std::ptr::write_bytes(to, byte as u8, len as usize),
        }
    }
    Ok(0)
});

builtin!(memory_init[(index, (destination, len), true)](_store, instance, index: u32, segment: u32, destination: u64, source: u64, len: u64) {
    // SAFETY: validated indices.
    unsafe {
        segments::memory_init(instance, MemoryIndex::new(index), DataIndex::new(segment), destination, source, len)?;
    }
    Ok(0)
});

builtin!(data_drop(_store, instance, segment: u32) {
    // SAFETY: validated indices.
    unsafe { (&mut (*instance.as_ptr()).dropped_data)[segment as usize] = true };
    Ok(0)
});

builtin!(enlarge(store, instance, index: u32, init: u64, delta: u64) {
    // SAFETY: validated indices and types.
    Ok(unsafe { store.grow_table(table_of(instance, index), delta, reference(init)) }.unwrap_or(u64::MAX))
});

/// Grows a table.
unsafe extern "C" fn table_grow(vmctx: *mut VMContext, index: u32, init: u64, delta: u64) -> u64 {
    // SAFETY: compiled code passes its own vmctx, a validated index and a reference of the table's type. When the guest
    // is left, nothing with a destructor is left here.
    unsafe {
        let store = (*(*vmctx).store).store.cast::<StoreInner>();
        if (*store).limiter.is_some() {
            let instance = NonNull::new_unchecked((*vmctx).instance.cast::<InstanceData>());
            match ask_for_table(vmctx, table_of(instance, index), init, delta) {
                Some(true) => {}
                Some(false) => return u64::MAX,
                None => leave(vmctx),
            }
        }
        enlarge(vmctx, index, init, delta)
    }
}

/// The same as [`ask`] for a table; what it is to be filled with is kept from collection meanwhile.
///
/// # Safety
/// As [`ask`]; the reference is of the table's type.
#[cold]
#[inline(never)]
unsafe fn ask_for_table(vmctx: *mut VMContext, table: NonNull<TableData>, init: u64, delta: u64) -> Option<bool> {
    // SAFETY: the caller's promise; references to the inside of the store and of the table end before the host is
    // asked.
    unsafe {
        let store = (*(*vmctx).store).store.cast::<StoreInner>();
        let roots = (*store).roots.clone();
        let scope = roots.scope();
        let (growth, element) = (Growth::of_table(table.as_ref(), delta), table.as_ref().element);
        let _ = Val::from_raw_in((*store).giving(), reference(init), element.into());
        let answer = ask(vmctx, growth);
        roots.end_scope(scope);
        answer
    }
}

builtin!(table_fill(_store, instance, index: u32, destination: u64, value: u64, len: u64) {
    // SAFETY: validated indices and types.
    let table = unsafe { &mut *table_of(instance, index).as_ptr() };
    let range = range(destination, len, &table.elements)?;
    if !range.is_empty() {
        let element = element_of(table.element.heap, reference(value));
        table.write()[range].fill(element);
    }
    Ok(0)
});

builtin!(table_copy(_store, instance, to: u32, from: u32, destination: u64, source: u64, len: u64) {
    // SAFETY: validated indices and types.
    unsafe {
        copy_elements(table_of(instance, to), table_of(instance, from), destination, source, len)?;
    }
    Ok(0)
});

builtin!(table_init(_store, instance, index: u32, segment: u32, destination: u64, source: u64, len: u64) {
    // SAFETY: validated indices.
    unsafe {
        segments::table_init(instance, TableIndex::new(index), ElemIndex::new(segment), destination, source, len)?;
    }
    Ok(0)
});

builtin!(elem_drop(_store, instance, segment: u32) {
    // SAFETY: validated indices.
    unsafe { (&mut (*instance.as_ptr()).dropped_elements)[segment as usize] = true };
    Ok(0)
});

builtin!(table_resolve(_store, instance, index: u32, element: u64) {
    // SAFETY: validated indices; compiled code has found the element there. No reference to the inside of anything is
    // held.
    let found = unsafe { table_of(instance, index).as_ref().get(element) };
    // SAFETY: only tables of functions have elements to be resolved.
    Ok(found.map_or(0, |found| unsafe { found.funcref } as u64))
});

builtin!(ref_func(_store, instance, func: u32) {
    // SAFETY: validated indices.
    Ok(unsafe { instance.as_ref() }.func_ref(FuncIndex::new(func)).as_ptr() as u64)
});

builtin!(is_below(_store, _instance, id: u32, wanted: u32) {
    Ok(u64::from(crate::wasm::is_below(TypeId::new(id), TypeId::new(wanted))))
});

builtin!(heap_fill(store, _instance, first: u32, width: u32, count: u64, low: u64, high: u64) {
    heap::of(store)?.fill(first, width, count, [low, high]);
    Ok(0)
});

builtin!(heap_move(store, _instance, to: u32, from: u32, bytes: u64) {
    heap::of(store)?.copy(to, from, bytes);
    Ok(0)
});

builtin!(array_new_data(store, instance, ty: u32, segment: u32, from: u32, len: u32) {
    // SAFETY: validated indices; the instance is live.
    unsafe { heap::array_new_data(store, instance, ty, DataIndex::new(segment), (from, len)) }.map(u64::from)
});

builtin!(array_new_elem(store, instance, ty: u32, segment: u32, from: u32, len: u32) {
    // SAFETY: as above.
    unsafe { heap::array_new_elem(store, instance, ty, ElemIndex::new(segment), (from, len)) }.map(u64::from)
});

builtin!(array_init_data(store, instance, array: u32, index: u32, segment: u32, from: u32, len: u32) {
    // SAFETY: as above.
    unsafe { heap::array_init_data(store, instance, (array, index), DataIndex::new(segment), (from, len)) }?;
    Ok(0)
});

builtin!(array_init_elem(store, instance, array: u32, index: u32, segment: u32, from: u32, len: u32) {
    // SAFETY: as above.
    unsafe { heap::array_init_elem(store, instance, (array, index), ElemIndex::new(segment), (from, len)) }?;
    Ok(0)
});

builtin!(trap_with(_store, _instance, code: u32) {
    Err(u8::try_from(code).ok().and_then(TrapCode::from_u8).expect("compiled code passes a trap code"))
});

builtin!(atomic_notify(_store, instance, index: u32, place: u64, offset: u64, count: u32) {
    // SAFETY: validated indices; objects of a store live as long as it.
    unsafe { waits::notify(memory_of(instance, index), (place, offset), count) }.map(u64::from)
});

/// `memory.atomic.wait32`. Nothing of the store's inside is borrowed while the guest waits.
unsafe extern "C" fn atomic_wait32(
    vmctx: *mut VMContext,
    memory: u32,
    place: u64,
    offset: u64,
    expected: u32,
    timeout: i64,
) -> u64 {
    // SAFETY: handed on to the caller.
    unsafe { wait(vmctx, memory, (place, offset), Word::Narrow(expected), timeout) }
}

/// `memory.atomic.wait64`
unsafe extern "C" fn atomic_wait64(
    vmctx: *mut VMContext,
    memory: u32,
    place: u64,
    offset: u64,
    expected: u64,
    timeout: i64,
) -> u64 {
    // SAFETY: handed on to the caller.
    unsafe { wait(vmctx, memory, (place, offset), Word::Wide(expected), timeout) }
}

/// # Safety
/// Compiled code passes its own vmctx and a validated index. When the guest is left, nothing with a destructor is left
/// here.
unsafe fn wait(vmctx: *mut VMContext, memory: u32, place: (u64, u64), expected: Word, timeout: i64) -> u64 {
    // SAFETY: the caller's promise.
    unsafe {
        let store = NonNull::new_unchecked((*(*vmctx).store).store.cast::<StoreInner>());
        let instance = NonNull::new_unchecked((*vmctx).instance.cast::<InstanceData>());
        match waits::wait(store, memory_of(instance, memory), place, expected, timeout) {
            Some(outcome) => u64::from(outcome),
            None => leave(vmctx),
        }
    }
}

/// A host function has failed and left the reason in the store.
unsafe extern "C" fn raise(vmctx: *mut VMContext) -> u64 {
    // SAFETY: compiled code passes the vmctx of the frame that has called out; nothing with a destructor is here.
    unsafe {
        exceptions::throw_from_host(NonNull::new_unchecked((*(*vmctx).store).store.cast::<StoreInner>()));
        leave(vmctx)
    }
}

/// `throw_ref`
unsafe extern "C" fn throw_ref(vmctx: *mut VMContext, exception: *mut VMException) -> u64 {
    // SAFETY: compiled code passes its own vmctx, and a reference of its store; nothing with a destructor is here.
    unsafe {
        let store = NonNull::new_unchecked((*(*vmctx).store).store.cast::<StoreInner>());
        match NonNull::new(exception) {
            Some(exception) => exceptions::throw_again(store, exception),
            None => {
                trap::raise_from_builtin(store, TrapCode::NullReference);
                leave(vmctx)
            }
        }
    }
}

/// A trampoline has found too little stack for itself and the host function behind it.
unsafe extern "C" fn host_overflow(vmctx: *mut VMContext) -> u64 {
    // SAFETY: compiled code passes the vmctx of the frame that has called out; nothing with a destructor is here.
    unsafe {
        let store = NonNull::new_unchecked((*(*vmctx).store).store.cast::<StoreInner>());
        trap::raise_at_call(store, TrapCode::StackOverflow);
        leave(vmctx)
    }
}

/// The deadline is over, or the host is to be asked. It may look at the store meanwhile: nothing of its inside is
/// borrowed here.
unsafe extern "C" fn due(vmctx: *mut VMContext) -> u64 {
    // SAFETY: compiled code passes its own vmctx; when the guest is left, nothing with a destructor is left here.
    unsafe {
        let store = NonNull::new_unchecked((*(*vmctx).store).store.cast::<StoreInner>());
        // The host that is asked may look at memories.
        let was = (*store.as_ptr()).watched && unprotect(store).unwrap_or_else(|| leave(vmctx));
        let goes_on = deadline::due(store) && (!was || protect(store).is_some());
        if goes_on { 0 } else { leave(vmctx) }
    }
}

/// What was laid out of the fuel is used up. The host may look at the store, as above.
unsafe extern "C" fn refuel(pc: usize, fp: usize, head: usize) {
    // SAFETY: a guest has called, so its entry is the newest of this thread, and its store alive; when it is left,
    // nothing with a destructor is left here.
    unsafe {
        let act = activation::current();
        let vm = (*act).store;
        ((*vm).exit_pc, (*vm).exit_fp, (*vm).exit_head) = (pc, fp, head);
        let store = NonNull::new_unchecked((*vm).store.cast::<StoreInner>());
        let lifted = if (*store.as_ptr()).watched { unprotect(store) } else { Some(false) };
        let goes_on = lifted.is_some_and(|was| deadline::refuel(store) && (!was || protect(store).is_some()));
        if !goes_on {
            isa::unwind(act)
        }
    }
}

/// [`VMStoreContext::refuel`](crate::abi::VMStoreContext::refuel)
pub(in crate::runtime) fn refuel_address() -> *const c_void {
    refuel_entry as *const c_void
}

/// An object does not fit the hole of the heap: its bytes are in the store's context, where its offset goes.
unsafe extern "C" fn allocate(pc: usize, fp: usize, head: usize) {
    // SAFETY: as in `refuel`; the guest has left its frame, which holds what it needs, and nothing else is held.
    unsafe {
        let act = activation::current();
        let vm = (*act).store;
        ((*vm).exit_pc, (*vm).exit_fp, (*vm).exit_head) = (pc, fp, head);
        let store = NonNull::new_unchecked((*vm).store.cast::<StoreInner>());
        let bytes = (*vm).object;
        match run_in(store, |store| heap::allocate(store, bytes).map(u64::from)) {
            Some(offset) => (*vm).object = offset,
            None => isa::unwind(act),
        }
    }
}

/// [`VMStoreContext::allocate`](crate::abi::VMStoreContext::allocate)
pub(in crate::runtime) fn allocate_address() -> *const c_void {
    allocate_entry as *const c_void
}

builtin_shim!(memory_grow_entry => memory_grow);

builtin_shim!(memory_copy_entry => memory_copy);

builtin_shim!(memory_fill_entry => memory_fill);

builtin_shim!(memory_init_entry => memory_init);

builtin_shim!(data_drop_entry => data_drop);

builtin_shim!(table_grow_entry => table_grow);

builtin_shim!(table_fill_entry => table_fill);

builtin_shim!(table_copy_entry => table_copy);

builtin_shim!(table_init_entry => table_init);

builtin_shim!(elem_drop_entry => elem_drop);

builtin_shim!(table_resolve_entry => table_resolve);

builtin_shim!(ref_func_entry => ref_func);

builtin_shim!(is_below_entry => is_below);

builtin_shim!(heap_fill_entry => heap_fill);

builtin_shim!(heap_move_entry => heap_move);

builtin_shim!(array_new_data_entry => array_new_data);

builtin_shim!(array_new_elem_entry => array_new_elem);

builtin_shim!(array_init_data_entry => array_init_data);

builtin_shim!(array_init_elem_entry => array_init_elem);

builtin_shim!(trap_with_entry => trap_with);

builtin_shim!(throw_entry => exceptions::throw);

builtin_shim!(throw_ref_entry => throw_ref);

builtin_shim!(due_entry => due);

preserving_shim!(refuel_entry => refuel);

preserving_shim!(allocate_entry => allocate);

builtin_shim!(atomic_notify_entry => atomic_notify);

builtin_shim!(atomic_wait32_entry => atomic_wait32);

builtin_shim!(atomic_wait64_entry => atomic_wait64);
