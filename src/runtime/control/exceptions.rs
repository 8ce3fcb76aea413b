//! How exceptions go their way: from where one is thrown, frame by frame, to the first call that one is caught at. The
//! tables of the code say where that is; compiled code has nothing of it on its usual way. What nobody catches leaves
//! the guest, as a trap does, and is an error for the host, which may catch it, or hand it on to the guest that has
//! called it.

use crate::abi::{VMContext, VMException, ValRaw};
use crate::base::{DefinedFuncIndex, Escaped, Pc, TagIndex, TextOffset};
use crate::code::CodeSlot;
use crate::image::{ImageTables, Place};
use crate::isa;
use crate::runtime::control::{call, callers, dump, tell, trap};
use crate::runtime::objects::exceptions::{TagData, tag_of};
use crate::runtime::objects::handles::ExnRef;
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::objects::trap::{Thrown, Trap};
use crate::runtime::store::events::{Catcher, Event, EventRecord, ExceptionInfo, PcKind};
use crate::runtime::store::inner::{Exit, StoreInner};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{NonNull, null};
use std::sync::Arc;

/// Where a frame goes on that catches an exception.
#[derive(Clone, Copy, Debug)]
struct Landing {
    pc: usize,
    sp: usize,
    fp: usize,
    /// Its code, its function, and the last byte of the call that it is in.
    slot: CodeSlot,
    func: DefinedFuncIndex,
    last: TextOffset,
    /// The tag that its clause names.
    tag: Option<TagIndex>,
}

/// Throws a new exception: what compiled code calls.
///
/// # Safety
/// For compiled code alone, which passes its own vmctx, and values of the tag's types; the shim has noted its frame.
pub(in crate::runtime) unsafe extern "C" fn throw(vmctx: *mut VMContext, tag: u32, values: *const ValRaw) -> u64 {
    // SAFETY: the guest is here, so nobody else uses the store's inside. When the guest is left, nothing with a
    // destructor is left here.
    unsafe {
        let store = NonNull::new_unchecked((*(*vmctx).store).store.cast::<StoreInner>());
        let instance = (*vmctx).instance.cast::<InstanceData>();
        let work = || {
            let tag = (&(*instance).tags)[tag as usize];
            (*store.as_ptr()).exceptions.add(tag, values)
        };
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(Ok(exception)) => go_on(store, exception),
            Ok(Err(error)) => {
                call::leave_with_error(store, error);
            }
            Err(payload) => {
                call::leave_with_panic(store, payload);
            }
        }
        isa::unwind((*store.as_ptr()).vm.activation)
    }
}

/// Throws an exception again, which is not null: what compiled code calls.
///
/// # Safety
/// As [`throw`].
pub(in crate::runtime) unsafe fn throw_again(store: NonNull<StoreInner>, exception: NonNull<VMException>) -> ! {
    // SAFETY: as above.
    unsafe {
        go_on(store, exception);
        isa::unwind((*store.as_ptr()).vm.activation)
    }
}

/// A host function has returned an exception: it goes on from the frame that has called. Returns if it is none of this
/// store's, or nobody catches it: what it was stays left in the store.
///
/// # Safety
/// A guest has called the host, which has failed, and its frame is noted; nothing with a destructor is in the frames
/// further in.
pub(in crate::runtime) unsafe fn throw_from_host(store: NonNull<StoreInner>) {
    // SAFETY: the store is alive, and no reference to its inside is held.
    unsafe {
        let at = store.as_ptr();
        let Some(Exit::Error(error)) = &(*at).pending else { return };
        let Some(thrown) = error.payload::<Trap>().and_then(|trap| trap.exception.as_ref()) else { return };
        let exception = thrown.exception;
        if exception.store != (*at).id {
            return;
        }
        let exception = exception.ptr;
        let landing = find(&*at, tag_of(exception), (*at).vm.exit_pc, (*at).vm.exit_fp);
        // Who is told may call guests, which are left by the same way.
        let exit = (*at).pending.take();
        match (tell(store, exception, landing), landing) {
            (Err(exit), _) => {
                if let Exit::Error(error) = &exit {
                    dump::note(store, Some(error));
                }
                (*at).pending = Some(exit);
            }
            (Ok(()), Some(landing)) => {
                drop(exit);
                land(store, exception, landing)
            }
            (Ok(()), None) => {
                let placed = |exit| match exit {
                    Exit::Error(error) => Exit::Error(trap::add_frames_to_exception(&*at, error)),
                    panic => panic,
                };
                // Who was told may have left frames of other guests.
                dump::note(store, None);
                (*at).pending = exit.map(placed);
            }
        }
    }
}

/// Goes on where the exception is caught; returns, with the reason left in the store, if nobody catches it.
///
/// # Safety
/// As [`throw_from_host`], of a guest's frame.
unsafe fn go_on(store: NonNull<StoreInner>, exception: NonNull<VMException>) {
    // SAFETY: as above.
    unsafe {
        let at = store.as_ptr();
        let landing = find(&*at, tag_of(exception), (*at).vm.exit_pc, (*at).vm.exit_fp);
        match (tell(store, exception, landing), landing) {
            (Err(exit), _) => {
                if let Exit::Error(error) = &exit {
                    dump::note(store, Some(error));
                }
                (*at).pending = Some(exit);
            }
            (Ok(()), Some(landing)) => land(store, exception, landing),
            (Ok(()), None) => leave(store, exception),
        }
    }
}

/// Tells those who listen of an exception, whose frames are intact.
///
/// # Safety
/// As [`throw_from_host`], and no reference to the store's inside is held.
#[inline]
unsafe fn tell(
    store: NonNull<StoreInner>,
    exception: NonNull<VMException>,
    landing: Option<Landing>,
) -> std::result::Result<(), Exit> {
    // SAFETY: the store is alive.
    match unsafe { &(*store.as_ptr()).attachment } {
        None => Ok(()),
        // SAFETY: handed on to the caller.
        Some(_) => unsafe { tell_all(store, exception, landing) },
    }
}

/// # Safety
/// As [`tell`].
#[cold]
#[inline(never)]
unsafe fn tell_all(
    store: NonNull<StoreInner>,
    exception: NonNull<VMException>,
    landing: Option<Landing>,
) -> std::result::Result<(), Exit> {
    // SAFETY: the store is alive; each reference to its inside ends before anybody is told, and the record is taken
    // back before this returns.
    unsafe {
        let at = store.as_ptr();
        let (pc, fp) = ((*at).vm.exit_pc, (*at).vm.exit_fp);
        // What is below the floor has come of telling of a trap already: nobody is told of more.
        if fp < (*at).stack_floor {
            return Ok(());
        }
        let info = ExceptionInfo {
            exception: ExnRef { store: (*at).id, ptr: exception },
            pc: Pc::new(pc),
            fp,
            caught: landing.map(|Landing { slot, func, fp, last, tag, .. }| {
                let wasm = (*at).registry.entry(slot).engine.tables().wasm_at(last);
                Catcher { slot, func, fp, wasm, tag }
            }),
        };
        let mut record = EventRecord {
            id: (*at).event_ids.next(),
            activation: (*at).vm.activation,
            pc,
            fp,
            kind: PcKind::Return,
            set_up: true,
            paid: 0,
            stop: null(),
            shown: None,
            previous: (*at).events,
        };
        let record_at = &raw mut record;
        (*at).events = record_at;
        let told = catch_unwind(AssertUnwindSafe(|| tell::tell(store, &Event::Exception(&info))));
        (*at).events = (*record_at).previous;
        match told {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Exit::Error(error)),
            Err(payload) => {
                (*at).poisoned = true;
                Err(Exit::Panic(payload))
            }
        }
    }
}

/// # Safety
/// As [`throw_from_host`], and the landing was found for it.
unsafe fn land(store: NonNull<StoreInner>, exception: NonNull<VMException>, landing: Landing) -> ! {
    // SAFETY: handed on to the caller; the landing is one of a frame of the newest activation.
    unsafe {
        (*store.as_ptr()).exceptions.note_caught(exception);
        if (*store.as_ptr()).watched {
            callers::left_for(&mut *store.as_ptr(), landing.fp);
        }
        isa::land(exception.as_ptr().cast(), landing.pc, landing.sp, landing.fp)
    }
}

/// Leaves an exception that nobody catches in the store, as an error.
///
/// # Safety
/// As [`throw_from_host`].
#[cold]
#[inline(never)]
unsafe fn leave(store: NonNull<StoreInner>, exception: NonNull<VMException>) {
    // SAFETY: the store is alive, and no reference to its inside is held.
    unsafe {
        let inner = &*store.as_ptr();
        let exception = ExnRef { store: inner.id, ptr: exception };
        let work = || trap::with_frames(inner, uncaught(inner, exception));
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(trap) => {
                dump::note(store, None);
                (*store.as_ptr()).pending = Some(Exit::Error(trap.into()));
            }
            Err(payload) => {
                call::leave_with_panic(store, payload);
            }
        }
    }
}

/// What the host is told of an exception.
///
/// # Safety
/// It is one of the store.
pub(in crate::runtime) unsafe fn uncaught(store: &StoreInner, exception: ExnRef) -> Trap {
    // SAFETY: the caller's promise; the host has a reference from here on.
    let tag = unsafe {
        (*exception.ptr.as_ptr()).kept = 1;
        tag_of(exception.ptr).as_ref()
    };
    let message = match tag.owner {
        Some((vmctx, index)) => {
            // SAFETY: a tag keeps the instance that defines it.
            let instance = unsafe { &*vmctx.as_ref().instance.cast::<InstanceData>() };
            match instance.module.info().tag_name(index) {
                Some(name) => format!("uncaught exception: {}", Escaped(name)),
                None => format!("uncaught exception: tag {index}"),
            }
        }
        None => "uncaught exception".to_owned(),
    };
    let rooted = store.roots.hold(exception.into());
    Trap { exception: Some(Arc::new(Thrown { exception, _rooted: rooted })), ..Trap::new(message) }
}

/// Where the first frame goes on that catches exceptions of this tag, from the one on that was left by a call that
/// returns to `pc`, up to the newest entry.
///
/// # Safety
/// Such a frame of the store is live on this thread; the tag is live.
unsafe fn find(store: &StoreInner, tag: NonNull<TagData>, mut pc: usize, mut fp: usize) -> Option<Landing> {
    loop {
        // A call may be the last instruction of a text.
        let (slot, last) = store.registry.lookup(Pc::new(pc.checked_sub(1)?))?;
        let code = store.registry.entry(slot);
        let tables = code.engine.tables();
        for handler in tables.handlers_of(last.add(1)) {
            let func = tables.function_at(last)?;
            // SAFETY: the frame is live, and of this function; it has called, and so is set up.
            if handler.tag.is_none_or(|index| unsafe { tag_in(tables, func, fp, index) } == Some(tag)) {
                let sp = fp - tables.stack_below(func)? as usize;
                let pc = code.store.pc(handler.landing).get();
                return Some(Landing { pc, sp, fp, slot, func, last, tag: handler.tag });
            }
        }
        // SAFETY: as above. Frames of guest code are chained by frame pointers down to the trampoline of the
        // activation, whose return address is in no guest code.
        (pc, fp) = unsafe { isa::caller_of(fp) };
    }
}

/// A tag, by its index, of the instance whose function this frame is of.
///
/// # Safety
/// The frame is live and set up, and of this function of this code.
unsafe fn tag_in(tables: &ImageTables, func: DefinedFuncIndex, fp: usize, index: TagIndex) -> Option<NonNull<TagData>> {
    let Some(Place::Frame(offset)) = tables.function(func)?.vmctx else { return None };
    // SAFETY: the caller's promise: code that catches exceptions of a tag keeps its vmctx in its frame.
    unsafe {
        let vmctx = *(fp.wrapping_add_signed(offset as isize) as *const *const VMContext);
        let instance = &*(*vmctx).instance.cast::<InstanceData>();
        instance.tags.get(index.index()).copied()
    }
}
