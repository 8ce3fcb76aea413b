//! The sink of the mode `resume`: at every stop it puts resume code in the place of the frame, with the state that the frame had. So every
//! instruction is run by code that was entered just for it, and must do what it does otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stepwell::base::Result;
use stepwell::internals::code::StepScope;
use stepwell::internals::image::{Place, Slot};
use stepwell::runtime::{Answer, AsStoreMut, Event, EventSink, Replacement, StopInfo, StoreMut, Told};

fn read(fp: usize, slot: &Slot) -> u64 {
    let mut value = 0u64;
    match slot.place {
        Place::Constant(constant) => i64::from(constant) as u64,
        Place::Frame(offset) => {
            let from = fp.wrapping_add_signed(offset as isize) as *const u8;
            // SAFETY: the frame stands at a stop, where its slots are written; no value here is wider.
            unsafe { std::ptr::copy_nonoverlapping(from, (&raw mut value).cast(), slot.kind.width() as usize) };
            value
        }
    }
}

/// The state of the stopped frame, locals then operands.
pub fn state(store: &StoreMut<'_>, stop: &StopInfo) -> Vec<u64> {
    let tables = store.registry().entry(stop.slot).engine.tables();
    let mut values: Vec<u64> = tables.locals_of(stop.func).iter().map(|slot| read(stop.fp, &slot)).collect();
    let locals = values.len();
    values.extend(tables.operands(stop.shape).map(|slot| read(stop.fp, &slot)));
    values[locals..].reverse();
    values
}

/// The stopped frame's replacement by one that differs in nothing.
pub fn same(store: &mut StoreMut<'_>, stop: &StopInfo) -> Result<Replacement> {
    let module = store.module_in(stop.slot).unwrap().clone();
    let entry = module.rerun(stop.func)?.image().position(stop.wasm).expect("an instruction");
    let values = state(store, stop);
    Ok(Replacement {
        slot: store.resume_code(stop.slot, stop.func)?,
        entry,
        wasm: stop.wasm,
        values: values.into(),
        fuel: 0,
    })
}

/// How many frames the sink has replaced.
#[allow(dead_code, reason = "not all who share this file count")]
pub static REPLACED: AtomicU64 = AtomicU64::new(0);

struct Replacing;

impl EventSink for Replacing {
    type State = ();

    fn on_event(&self, told: &mut Told<'_, ()>, event: &Event<'_>) -> Result<Answer> {
        let Event::Stop(stop) = event else { return Ok(Answer::GoOn) };
        REPLACED.fetch_add(1, Ordering::Relaxed);
        Ok(Answer::Replace(Box::new(same(&mut told.as_store_mut(), stop)?)))
    }
}

/// Attaches the sink to a store, and has it stop everywhere.
#[allow(dead_code, reason = "one of those who share this file has sinks of its own")]
pub fn attach(store: &mut impl AsStoreMut) -> Result<()> {
    let mut store = store.as_store_mut();
    store.attach(Arc::new(Replacing), ())?;
    let mut edit = store.edit();
    edit.set_step(StepScope::All)?;
    edit.commit()
}
