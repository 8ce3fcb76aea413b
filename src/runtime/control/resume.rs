//! Resume code: a function compiled so that it can be entered before any of its instructions, with the state from a
//! buffer. It takes the place of a frame that stands at a stop: same caller, same return address, same arguments' area.
//! Here it is decided whether that is possible, and the way is prepared; when to do it is a listener's decision, and
//! the jump is `isa/`'s.

use crate::abi::{ResumeState, TrapCode};
use crate::base::{Error, ErrorKind, Pc, Result};
use crate::compile::{has_result_area, stack_arguments};
use crate::image::{ImageTables, Place};
use crate::isa::{self, PreservedRegister, ResumeJump};
use crate::runtime::control::stop::AfterStop;
use crate::runtime::control::trap;
use crate::runtime::store::events::{EventRecord, PcKind, Replacement, Resuming};
use crate::runtime::store::inner::StoreInner;
use std::ptr::{NonNull, null, null_mut};

/// Prepares the jump into resume code, which takes the place of the frame of `record`, or of one further out, for which
/// those within it are left. If the stack is too small for its frame, the guest traps where it stands, or goes on as it
/// is if it can.
///
/// # Safety
/// The record is that of a stop being told, the newest of its store; no reference to the store's inside is held.
#[cold]
#[inline(never)]
pub(in crate::runtime) unsafe fn replace(
    store: NonNull<StoreInner>,
    record: *mut EventRecord,
    with: Box<Replacement>,
) -> Result<AfterStop> {
    // SAFETY: the store and the record are alive; each reference to the store's inside ends before anybody is told.
    unsafe {
        let EventRecord { pc, fp, .. } = *record;
        if !with.optional {
            (*store.as_ptr()).set_fuel_left(with.fuel);
        }
        let Some(resuming) = (*store.as_ptr()).prepare(pc, fp, &with)? else {
            if with.optional {
                return Ok(AfterStop::Native);
            }
            let kind = PcKind::Stop(with.wasm);
            // The frame is still where it was said to be.
            let mut shown = (*record).shown.take();
            let id = (*store.as_ptr()).event_ids.next();
            let activation = (*record).activation;
            if let Some(shown) = &mut shown {
                shown.event = id;
            }
            let record = EventRecord {
                id,
                activation,
                pc,
                fp,
                kind,
                set_up: true,
                stop: null(),
                paid: 0,
                shown,
                previous: null_mut(),
            };
            trap::raise_at(store, TrapCode::StackOverflow, record);
            return Ok(AfterStop::Leave);
        };
        let inner = &mut *store.as_ptr();
        if let Some(outer) = with.outer {
            // With it: what is to be in it is.
            inner.forget_changed(inner.vm.activation, outer + 1);
        }
        let resuming = inner.resuming.insert(Box::new(resuming));
        resuming.state.values = resuming.values.as_ptr();
        inner.vm.resume = &raw const resuming.state;
        Ok(AfterStop::Replace(&raw const resuming.jump))
    }
}

impl StoreInner {
    /// What it takes to replace the frame at `fp`, which stands at `pc`, or the one further out that is meant; `None`
    /// if the new frame does not fit the stack.
    ///
    /// # Safety
    /// There is such a frame, at a stop.
    unsafe fn prepare(&self, mut pc: usize, mut fp: usize, with: &Replacement) -> Result<Option<Resuming>> {
        let refuse = |why: &str| Err(Error::new(ErrorKind::Argument, format!("a frame cannot be replaced: {why}")));
        // What a caller had in a register is where the outermost frame within it has saved it.
        let mut saved = [null(); PreservedRegister::ALL.len()];
        let (from, func) = loop {
            let Some((from, at)) = self.registry.lookup(Pc::new(pc - 1)) else {
                return refuse("it is not one of this store");
            };
            let tables = self.registry.entry(from).engine.tables();
            let Some(func) = tables.function_at(at) else { return refuse("it is of no function") };
            let Some(function) = tables.function(func) else { return refuse("it is of no function") };
            for (register, place) in PreservedRegister::ALL.into_iter().zip(&mut saved) {
                if let Some(offset) = function.saved.offset_of(register) {
                    *place = fp.wrapping_add_signed(offset as isize) as *const usize;
                }
            }
            if with.outer.is_none_or(|outer| outer == fp) {
                break (from, func);
            }
            // SAFETY: frames of guest code are chained by frame pointers down to the trampoline of their entry, whose
            // return address is in no guest code.
            (pc, fp) = unsafe { isa::caller_of(fp) };
        };
        let entry = self.modules.of_slot(from);
        let mut known = entry.resume.iter().chain(&entry.entered);
        let Some(resume) = known.find(|known| (known.func, known.slot) == (func, with.slot)) else {
            return refuse("the code is not resume code of its function");
        };
        let code = self.registry.entry(with.slot);
        let tables = code.engine.tables();
        if with.values.len() < tables.locals_of(func).words() as usize {
            return refuse("the new state is without some of its locals");
        }
        // All are read, those above the stack too.
        let mut values = with.values.to_vec();
        values.resize(resume.values, 0);
        let (Some(old), Some(new)) = (self.registry.entry(from).engine.tables().function(func), tables.function(func))
        else {
            return refuse("the code is not that of its function");
        };
        let Some(Place::Frame(vmctx)) = old.vmctx else {
            return refuse("it does not keep its vmctx");
        };
        let module = &self.modules.of_slot(with.slot).module;
        let ty = module.info().func_type(module.info().func_index(func));
        let Some(lowered) = old.arguments.checked_sub(stack_arguments(ty)) else {
            return refuse("it has less room for arguments than its function has arguments");
        };
        // Where its frame would be if nothing had made it lower: where that of the new function begins.
        let head = fp + lowered as usize;
        if head.checked_sub(new.frame_size as usize).is_none_or(|end| end <= self.vm.stack_limit) {
            return Ok(None);
        }
        // SAFETY: at a stop, and in a call, debug code has written its vmctx to its frame.
        let vmctx = unsafe { *(fp.wrapping_add_signed(vmctx as isize) as *const usize) };
        // The area for results is right behind the arguments.
        let (first, second) = if has_result_area(ty) { (old.frame_id(fp), vmctx) } else { (vmctx, 0) };
        let state = ResumeState { entry: with.entry, reserved: 0, values: null() };
        let jump = ResumeJump { pc: code.store.pc(new.start).get(), fp, head, first, second, saved };
        Ok(Some(Resuming { state, jump, values }))
    }
}

/// The words of the deepest operand stack that there is a shape of.
pub(in crate::runtime) fn deepest(tables: &ImageTables) -> usize {
    let mut words: Vec<u32> = Vec::with_capacity(tables.shapes.len());
    for shape in tables.shapes.iter() {
        // What is below comes before.
        let below = words.get(shape.below.0 as usize).copied().unwrap_or(0);
        words.push(below + shape.top.ty.words());
    }
    words.into_iter().max().unwrap_or(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Activation, VMFuncRef, ValRaw};
    use crate::isa;
    use crate::isa::FRAME_HEAD;
    use crate::isa::samples::{Spied, spied, spy, spy_in};
    use crate::runtime::{Config, Engine};
    use crate::wasm::{FuncType, ValType};

    /// Up to 20 types, by the numbers that `next` gives.
    fn types(next: &mut impl FnMut(u64) -> u64) -> Vec<ValType> {
        use ValType::{F32, F64, I32, I64, V128};
        const KINDS: [ValType; 8] = [I32, I64, F32, F64, ValType::FUNCREF, ValType::EXTERNREF, V128, ValType::ANYREF];
        let (count, kinds) = (next(21), next(8) + 1);
        (0..count).map(|_| KINDS[next(kinds) as usize]).collect()
    }

    #[test]
    fn compiled_callers_have_the_area_for_results_where_it_is_looked_for() {
        let engine = Engine::new(Config::default()).unwrap();
        let mut seed = 7u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            (seed >> 33) % below
        };
        let mut areas = 0;
        for _ in 0..400 {
            let ty = FuncType::new(types(&mut next), types(&mut next));
            let signature = engine.signature_of(&ty).unwrap();
            let sig = signature.id();
            let trampoline = signature.host_to_wasm(&engine).unwrap();
            let mut values = vec![ValRaw::default(); 20];
            let mut act = Activation {
                entry_sp: 0,
                previous: null_mut(),
                store: null_mut(),
                saved_exit_fp: 0,
                saved_exit_pc: 0,
                saved_exit_head: 0,
                host_floats: 0,
                call: null_mut(),
            };
            let at = &raw mut act;
            let vmctx = 0x7654_3210usize;
            let callee =
                VMFuncRef { code: spy as *const _, vmctx: vmctx as *mut _, sig, func: 0, above: std::ptr::null() };
            spy_in(at);
            // SAFETY: the trampoline is for this type, and the callee leaves by the activation.
            let returned = unsafe { isa::enter(at, trampoline, &raw const callee, null_mut(), values.as_mut_ptr()) };
            assert!(!returned);
            let Spied { first, second, fp } = spied();
            if has_result_area(&ty) {
                areas += 1;
                let area = fp + (FRAME_HEAD + stack_arguments(&ty)) as usize;
                assert_eq!((first, second), (area, vmctx), "{ty:?}");
            } else {
                assert_eq!(first, vmctx, "{ty:?}");
            }
        }
        assert!((100..300).contains(&areas), "{areas} of 400 types have an area");
    }
}
