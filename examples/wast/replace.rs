//! The sink of the mode `resume`: at every stop it puts resume code in the place of the frame, with the state that the
//! frame had. So every instruction is run by code that was entered just for it, and must do what it does otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use stepwell::base::Result;
use stepwell::internals::code::StepScope;
use stepwell::internals::image::{Place, Slot};
use stepwell::runtime::{Answer, AsStoreMut, Event, EventSink, Replacement, StopInfo, StoreMut, Told};

/// The words of a slot.
fn read(fp: usize, slot: &Slot) -> Vec<u64> {
    let words = slot.ty.words() as usize;
    match slot.place {
        Place::Constant(constant) => vec![i64::from(constant) as u64; words],
        Place::Frame(offset) => {
            let mut value = vec![0; words];
            let from = fp.wrapping_add_signed(offset as isize) as *const u8;
            let width = slot.ty.width() as usize;
            // SAFETY: the frame stands at a stop, where its slots are written.
            unsafe { std::ptr::copy_nonoverlapping(from, value.as_mut_ptr().cast(), width) };
            value
        }
    }
}

/// The state of the stopped frame, locals then operands.
pub fn state(store: &StoreMut<'_>, stop: &StopInfo) -> Vec<u64> {
    let tables = store.registry().entry(stop.slot).engine.tables();
    let mut operands: Vec<Slot> = tables.operands(stop.shape).collect();
    operands.reverse();
    tables.locals_of(stop.func).iter().chain(operands).flat_map(|slot| read(stop.fp, &slot)).collect()
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
        optional: false,
        outer: None,
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
