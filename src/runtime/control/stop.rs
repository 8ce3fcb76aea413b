//! A stop on its way from the guest to those who listen and back. What a stop means is decided above; here it is made
//! sure that what is above can do no harm.

use crate::base::{Pc, Result, TextOffset, WasmOffset};
use crate::code::broken;
use crate::image::{FunctionEntry, ImageTables, ShapeId, SiteId};
use crate::isa::{self, ResumeJump, SITE_BYTES, StopContext};
use crate::runtime::control::{call, resume, tell};
use crate::runtime::store::events::{
    Answer, Event, EventRecord, KnownSite, PcKind, RECENT, StandingFrame, StopInfo, StopTarget,
};
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::watch;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{NonNull, null};

/// Called by the stop trampoline, on the guest's stack, with the guest's registers saved.
pub(in crate::runtime) unsafe extern "C" fn on_stop(
    context: *mut StopContext,
    pc: usize,
    fp: usize,
) -> *const ResumeJump {
    // SAFETY: the context of a stop cell is a `StopTarget`. When the guest is to end, nothing with a destructor is left
    // here.
    unsafe {
        let target = context.cast::<StopTarget>();
        match stop(target, pc, fp) {
            AfterStop::Native => null(),
            AfterStop::Leave => isa::unwind((*(*target).store.as_ptr()).vm.activation),
            AfterStop::Replace(jump) => jump,
        }
    }
}

/// How a stop ends.
pub(in crate::runtime) enum AfterStop {
    /// The guest goes on where it stands.
    Native,
    /// Its frames are left, with the reason in the store.
    Leave,
    /// Its innermost frame gives way to resume code. The store has the jump.
    Replace(*const ResumeJump),
}

/// Tells those who listen.
unsafe fn stop(target: *mut StopTarget, pc: usize, fp: usize) -> AfterStop {
    // SAFETY: the target lives as long as the code it belongs to is registered; each reference to the store's inside
    // ends before those who listen are told. The record is taken back before this returns.
    unsafe {
        let after = (*target).base.offset_of(Pc::new(pc));
        let tables = &*(*target).tables;
        // Sites are more than 4 bytes apart.
        let index = after.index() / 4 % RECENT;
        let recent = &mut (*target).recent;
        if recent[index].as_ref().is_none_or(|known| known.site.key() != after.get()) {
            // In place: what was just written in parts is slow to copy.
            recent[index] = recent[(*target).last];
            find_site(tables, &mut recent[index], after);
        }
        let Some(known) = &recent[index] else {
            // No site returns here: nothing that could be told.
            return AfterStop::Native;
        };
        let info = StopInfo {
            slot: (*target).slot,
            func: known.func,
            site: SiteId(known.site.id()),
            wasm: WasmOffset::new(known.point.key()),
            shape: known.shape,
            pc: Pc::new(pc),
            fp,
            regions: tables.regions,
        };
        (*target).last = index;
        let store = (*target).store;
        if info.shape == ShapeId::SIDE {
            return tell_side(store, &info);
        }
        if (*store.as_ptr()).passing {
            match catch_unwind(AssertUnwindSafe(|| passes(store, &info, tables))) {
                Ok(false) => {}
                Ok(true) => return AfterStop::Native,
                Err(payload) => {
                    call::leave_with_panic(store, payload);
                    return AfterStop::Leave;
                }
            }
        }
        tell_stop(store, &info, &Event::Stop(&info))
    }
}

/// Whether who listens lets a guest pass. Nothing is to be done for that: no event is made of the stop.
///
/// # Safety
/// The store is alive, its guest stands there on this thread, in code with these tables, and no reference to the
/// store's inside is held.
#[inline]
unsafe fn passes(store: NonNull<StoreInner>, info: &StopInfo, tables: &ImageTables) -> bool {
    // SAFETY: the caller's promise. Who is asked has the store for reading alone, so he stays as long as he is asked.
    unsafe {
        let inner = &*store.as_ptr();
        let alone = inner.attachment.as_ref().filter(|_| !inner.watched).and_then(|here| here.listeners.alone());
        alone.is_some_and(|listener| listener.passes(&StandingFrame::new(inner.view(), info, tables)))
    }
}

/// Tells those who listen that a guest takes a side of a branch.
///
/// # Safety
/// As [`tell_stop`].
unsafe fn tell_side(store_at: NonNull<StoreInner>, info: &StopInfo) -> AfterStop {
    // SAFETY: the caller's promise.
    unsafe {
        recorded(store_at, info, |_| {
            tell::tell_side(store_at, info)?;
            Ok(AfterStop::Native)
        })
    }
}

/// Tells those who listen that a guest stands, by an event with this stop.
///
/// # Safety
/// The store is alive, its guest stands there on this thread, and no reference to the store's inside is held.
#[inline]
pub(in crate::runtime) unsafe fn tell_stop(
    store_at: NonNull<StoreInner>,
    info: &StopInfo,
    event: &Event<'_>,
) -> AfterStop {
    // SAFETY: the caller's promise.
    unsafe {
        let watched = (*store_at.as_ptr()).watched;
        recorded(store_at, info, |record_at| {
            if watched {
                watch::end_quiet(store_at);
            }
            let after = match tell::tell(store_at, event)? {
                Answer::GoOn => AfterStop::Native,
                Answer::Replace(with) => resume::replace(store_at, record_at, with)?,
            };
            if watched || (*store_at.as_ptr()).watched {
                watch::protect(store_at)?;
            }
            Ok(after)
        })
    }
}

/// Does this while the store has a record of where its guest stands, and sees to how it ends.
///
/// # Safety
/// As [`tell_stop`].
#[inline]
unsafe fn recorded(
    store_at: NonNull<StoreInner>,
    info: &StopInfo,
    work: impl FnOnce(*mut EventRecord) -> Result<AfterStop>,
) -> AfterStop {
    // SAFETY: the caller's promise. The record is taken back before this returns.
    unsafe {
        let store = store_at.as_ptr();
        let (pc, fp) = (info.pc.get(), info.fp);
        (*store).vm.exit_fp = fp;
        (*store).vm.exit_pc = pc;
        let (kind, previous) = (PcKind::Stop(info.wasm), (*store).events);
        let (id, activation) = ((*store).event_ids.next(), (*store).vm.activation);
        let stop = std::ptr::from_ref(info);
        let mut record =
            EventRecord { id, activation, pc, fp, kind, set_up: true, stop, paid: 0, shown: None, previous };
        let record_at = &raw mut record;
        (*store).events = record_at;
        let after = match catch_unwind(AssertUnwindSafe(|| work(record_at))) {
            Ok(Ok(_)) if (*store).registry.is_broken() => {
                (*store).poisoned = true;
                call::leave_with_error(store_at, broken());
                AfterStop::Leave
            }
            Ok(Ok(after)) => after,
            Ok(Err(error)) => {
                call::leave_with_error(store_at, error);
                AfterStop::Leave
            }
            Err(payload) => {
                call::leave_with_panic(store_at, payload);
                AfterStop::Leave
            }
        };
        (*store).events = (*record_at).previous;
        after
    }
}

/// Turns the last site into the one that returns to `after`: mostly the one behind it, which is near in the tables.
fn find_site(tables: &ImageTables, known: &mut Option<KnownSite>, after: TextOffset) {
    if let Some(KnownSite { site, point, shape, func }) = known
        && tables.sites.advance(site)
        && site.key() == after.get()
        && tables.points.go_to(point, site.row().point.0)
    {
        *shape = point.row().shape;
        let inside = |row: &FunctionEntry| after.get().wrapping_sub(row.start.get()) <= row.len;
        if tables.function(*func).is_some_and(inside) {
            return;
        }
    }
    *known = tables.site_before(after).and_then(|site| {
        let point = tables.points.cursor(site.row().point.0)?;
        let func = tables.function_at(start_of(after))?;
        Some(KnownSite { site, point, shape: point.row().shape, func })
    });
}

/// The first byte of the site that returns to `after`.
fn start_of(after: TextOffset) -> TextOffset {
    TextOffset::new(after.get().saturating_sub(SITE_BYTES))
}
