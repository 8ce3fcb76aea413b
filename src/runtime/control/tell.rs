//! Telling those who listen of an event, one after the other: what their answers come to.

use crate::base::{Error, ErrorKind, Family, Result, ValType};
use crate::runtime::objects::handles::any_of_extern;
use crate::runtime::objects::roots::Roots;
use crate::runtime::store::events::{Answer, Event, Listens, Side, StopInfo};
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::StoreMut;
use crate::runtime::store::virtual_frame::VirtualFrame;
use crate::runtime::store::watch;
use std::ptr::NonNull;
use std::rc::Rc;

/// Tells all who listen of an event: see [`EventSink`](crate::runtime::EventSink). What it says, and panics with, is
/// what one of them did.
///
/// # Safety
/// The store is alive, and no reference to its inside is held. If it is an event of a guest, its record is the newest.
#[inline]
pub(in crate::runtime) unsafe fn tell(store: NonNull<StoreInner>, event: &Event<'_>) -> Result<Answer> {
    // SAFETY: each reference to the store's inside ends before a listener is called.
    let Some(last) = (unsafe { &(*store.as_ptr()).attachment }).as_ref().map(|attachment| attachment.listeners.last())
    else {
        return Ok(Answer::GoOn);
    };
    // SAFETY: as above. What listeners are given of what guests have made, they hold as long as they are told.
    let (scope, waits) = unsafe { ((*store.as_ptr()).roots.scope(), (*store.as_ptr()).waits) };
    // SAFETY: handed on to the caller. Who is told finds memories accessible.
    let answer = unsafe {
        if (*store.as_ptr()).watched { tell_unprotected(store, event, last) } else { tell_all(store, event, last) }
    };
    // SAFETY: as above.
    unsafe {
        // Where the guest's stack was left meanwhile, that has ended the scope, and others have begun.
        if (*store.as_ptr()).waits == waits {
            (*store.as_ptr()).roots.end_scope(scope);
        }
    }
    answer
}

/// Tells all who listen that a guest takes a side of a branch. They have nothing of the store in hand by which they
/// could call a guest or look at a frame.
///
/// # Safety
/// The store is alive, and no reference to its inside is held.
pub(in crate::runtime) unsafe fn tell_side(store: NonNull<StoreInner>, info: &StopInfo) -> Result<()> {
    // SAFETY: the caller's promise; each reference to the store's inside ends before a listener is called, but that to
    // its code, which listeners are lent.
    unsafe {
        let attachment = &(*store.as_ptr()).attachment;
        let Some(last) = attachment.as_ref().map(|attachment| attachment.listeners.last()) else { return Ok(()) };
        let mut told = 0;
        while let Some((number, listener)) = next(store, told, last) {
            told = number;
            listener.tell_side(&mut Side::new(info, &mut (*store.as_ptr()).registry))?;
        }
        Ok(())
    }
}

/// Tells all who listen, with nothing protected meanwhile of what is watched.
///
/// # Safety
/// As [`tell`].
#[cold]
#[inline(never)]
unsafe fn tell_unprotected(store: NonNull<StoreInner>, event: &Event<'_>, last: u64) -> Result<Answer> {
    // SAFETY: handed on to the caller.
    unsafe {
        let was = watch::lift(store)?;
        let answer = tell_all(store, event, last);
        if was {
            watch::protect(store)?;
        }
        answer
    }
}

/// Tells all who listen, up to the last of this number.
///
/// # Safety
/// As [`tell`].
#[inline]
unsafe fn tell_all(store: NonNull<StoreInner>, event: &Event<'_>, last: u64) -> Result<Answer> {
    let mut replaced = None;
    let mut told = 0;
    while told < last
        // SAFETY: as above.
        && let Some((number, listener)) = unsafe { next(store, told, last) }
    {
        told = number;
        let answer = listener.tell(StoreMut::from_inner(store), event)?;
        if let Event::Stop(_) | Event::Access(_) = event {
            // SAFETY: as above; the record is the stop's.
            let shown = unsafe { shown(store) };
            match answer {
                // The next one finds the frame as the guest stands.
                Answer::GoOn => drop(shown),
                Answer::Replace(_) if replaced.is_some() => return Err(twice()),
                Answer::Replace(with) => {
                    // Who is told next may call guests, which collect.
                    if let Some(shown) = &shown {
                        // SAFETY: as above.
                        hold(unsafe { &(*store.as_ptr()).roots }, shown);
                    }
                    replaced = Some((with, shown));
                }
            }
        } else if let Answer::Replace(_) = answer {
            return Err(no_stop());
        }
    }
    let Some((with, shown)) = replaced else { return Ok(Answer::GoOn) };
    // SAFETY: as above.
    if let (Some(shown), Some(record)) = (shown, unsafe { (*store.as_ptr()).events.as_mut() }) {
        record.shown = Some(shown);
    }
    Ok(Answer::Replace(with))
}

/// Holds what a frame refers to that guests have made, until the event has been told.
fn hold(roots: &Roots, shown: &VirtualFrame) {
    for (ty, value) in shown.locals().chain(shown.operands()) {
        let ValType::Ref(ty) = ty else { continue };
        let word = match ty.heap.family() {
            // SAFETY: the field read is the one of the type.
            Family::Any => unsafe { value.anyref },
            // SAFETY: as above.
            Family::Extern => any_of_extern(unsafe { value.externref }),
            Family::Func | Family::Exn => continue,
        };
        roots.hand_out(word);
    }
}

/// Who comes behind the one of this number, and not behind the last, with his number.
///
/// # Safety
/// As [`tell`].
#[inline]
unsafe fn next(store: NonNull<StoreInner>, told: u64, last: u64) -> Option<(u64, Rc<dyn Listens>)> {
    // SAFETY: the caller's promise.
    let (number, listener) = unsafe { &(*store.as_ptr()).attachment }.as_ref()?.listeners.behind(told)?;
    (*number <= last).then(|| (*number, listener.clone()))
}

/// What the newest event says of where its frame really is, which it says no more.
///
/// # Safety
/// As [`tell`].
#[inline]
unsafe fn shown(store: NonNull<StoreInner>) -> Option<Box<VirtualFrame>> {
    // SAFETY: records are linked while they are live; the caller's promise.
    unsafe { (*(*store.as_ptr()).events).shown.take() }
}

#[cold]
fn twice() -> Error {
    Error::new(ErrorKind::State, "two listeners would replace the frame of one stop")
}

#[cold]
fn no_stop() -> Error {
    Error::new(ErrorKind::Argument, "a frame can be replaced at a stop only")
}
