//! Changing the frame that stands at a stop: a local, an operand, the instruction that it goes on with. What is changed
//! is what the event says of the frame ([`VirtualFrame`]), never the frame itself: the guest's registers may hold what
//! is in its slots. Whoever answers the stop compares the two and goes on in resume code ([`VirtualFrame::leave`]).
//!
//! A frame that waits for a call is changed likewise, for when it goes on (`control/callers.rs`). One that is to return
//! early becomes the one that the event shows: those within it are left when that is answered.
//!
//! # What may be written
//!
//! Compiled code believes the types of the module: a reference of another type than the one that is declared could be
//! followed anywhere. The types of locals are known. Of an operand only the family of its type is (`anyref`); so a
//! reference is written there if its type is one of the reference's that is there, which the declared type admits.

use crate::abi::ValRaw;
use crate::base::{Error, ErrorKind, Family, RefType, Result, ValType, WasmOffset};
use crate::runtime::compiled::module::Module;
use crate::runtime::control::frames::KeptFrame;
use crate::runtime::handle::values::{check_types, dynamic_type, fits};
use crate::runtime::objects::values::Val;
use crate::runtime::store::inner::StoreInner;
use crate::runtime::store::views::StoreMut;
use crate::runtime::store::virtual_frame::{ChangedCaller, FUEL, VirtualFrame};
use crate::wasm::is_return;

impl StoreMut<'_> {
    /// Gives a local of the frame that stands at the stop being told another value; parameters are first. Whoever
    /// listens and has asked for it must answer with [`VirtualFrame::leave`] of what [`StoreMut::take_virtual`] gives:
    /// the frame itself is as it was.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is no such local, or the value is not of its type; [`ErrorKind::State`]
    /// where no stop is being told; those of compiling rerun code. Nothing is changed then.
    pub fn set_local(&mut self, index: usize, value: Val) -> Result<()> {
        self.change(|store, module, frame| write_local(store, module, frame, index, value))
    }

    /// Gives a local of a frame that waits for a call another value, with which it goes on: where it does, whoever
    /// listens and has asked for it must answer with [`VirtualFrame::leave`] of what [`StoreMut::take_changed`] gives.
    ///
    /// # Errors
    /// As of [`StoreMut::set_local`]; [`ErrorKind::State`] also where the frame was shown by another event, or waits
    /// for no call.
    pub fn set_caller_local(&mut self, caller: &KeptFrame, index: usize, value: Val) -> Result<()> {
        self.change_caller(caller, |store, module, caller| write_local(store, module, &mut caller.frame, index, value))
    }

    /// The same, of an operand that is still there behind the call.
    ///
    /// # Errors
    /// As of [`StoreMut::set_operand`] and [`StoreMut::set_caller_local`]; [`ErrorKind::Argument`] also for what the
    /// call takes from the stack.
    pub fn set_caller_operand(&mut self, caller: &KeptFrame, index: usize, value: Val) -> Result<()> {
        self.change_caller(caller, |store, _, caller| {
            let count = caller.frame.operands().count();
            if (caller.stays..count).contains(&index) {
                return refuse(format!("operand {index} is gone: the call that the frame waits for has taken it"));
            }
            write_operand(store, &mut caller.frame, index, value)
        })
    }

    /// Gives an operand of the frame that stands at the stop being told another value; the bottom one is the first. As
    /// [`StoreMut::set_local`].
    ///
    /// # Errors
    /// As of [`StoreMut::set_local`]; [`ErrorKind::Argument`] also for a reference whose type is not one of that of the
    /// reference which is there, or for null where none is.
    pub fn set_operand(&mut self, index: usize, value: Val) -> Result<()> {
        self.change(|store, _, frame| write_operand(store, frame, index, value))
    }

    /// Has the frame that stands at the stop being told go on with another instruction of its function: with the
    /// operands that are on its stack. As [`StoreMut::set_local`].
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where no instruction of the function that can be reached is at the offset, or one before
    /// which the operands are of other types, or where references are among them, or the function has locals that may
    /// not be null, or `catch` blocks as they were before 3.0: that they are set, and have an exception, is known of
    /// the ways that the function takes by itself.
    pub fn jump(&mut self, to: WasmOffset) -> Result<()> {
        self.change(|_, module, frame| {
            let image = frame.code.image();
            let Some(position) = image.position(to) else {
                return Err(argument("no instruction of the frame's function that can be reached is here").at(to));
            };
            let (here, there) = (image.operand_types(frame.position), image.operand_types(position));
            let (here, there): (Vec<ValType>, Vec<ValType>) = (here.collect(), there.collect());
            if here != there {
                let message =
                    format!("other operands are needed here: {}; on the stack are {}", listed(&there), listed(&here));
                return Err(argument(message).at(to));
            }
            if here.iter().any(|ty| is_typed(*ty)) {
                return Err(
                    argument("there are references on the operand stack, whose types may be others here").at(to)
                );
            }
            if image.kept > 0 {
                let message =
                    "the function has `catch` blocks of before 3.0, in which an exception is at hand that was caught";
                return Err(argument(message).at(to));
            }
            let locals = module.info().declared_locals(frame.func, module.binary());
            if locals.iter().any(|ty| matches!(ty, ValType::Ref(ty) if !ty.nullable)) {
                return Err(argument("the function has locals that may not be null, and might not be set here").at(to));
            }
            frame.position = position;
            Ok(())
        })
    }

    /// Has the frame that stands at the stop being told return these values, with the next instruction. As
    /// [`StoreMut::set_local`].
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the values are not of the function's types, or the function never returns:
    /// neither its end nor a `return` can be reached.
    pub fn return_early(&mut self, values: &[Val]) -> Result<()> {
        self.change(|store, module, frame| write_results(store, module, frame, values))
    }

    /// Has a frame that waits for a call return these values, with its next instruction, and those within it be left:
    /// it becomes what the event shows, and is the innermost from here on. Whoever listens and has asked for it must
    /// answer with [`VirtualFrame::replace`] of what [`StoreMut::take_virtual`] gives: no frame has been touched.
    ///
    /// # Errors
    /// As of [`StoreMut::return_early`] and [`StoreMut::set_caller_local`]; [`ErrorKind::State`] also where a host
    /// function is among what would be left.
    pub fn return_early_from(&mut self, caller: &KeptFrame, values: &[Val]) -> Result<()> {
        self.leave_for(caller, |store, module, frame| write_results(store, module, frame, values))
    }

    /// Has the frame that stands at the stop being told begin anew: at the first instruction, with the parameters as
    /// they are, and nothing else. As [`StoreMut::set_local`].
    ///
    /// # Errors
    /// As of [`StoreMut::set_local`].
    pub fn restart(&mut self) -> Result<()> {
        self.change(|_, module, frame| write_start(module, frame))
    }

    /// The same, of a frame that waits for a call, and those within it be left. As [`StoreMut::return_early_from`].
    ///
    /// # Errors
    /// As of [`StoreMut::return_early_from`].
    pub fn restart_from(&mut self, caller: &KeptFrame) -> Result<()> {
        self.leave_for(caller, |_, module, frame| write_start(module, frame))
    }

    /// Has those frames be left that are within one, which `change` puts where it goes on.
    fn leave_for(
        &mut self,
        caller: &KeptFrame,
        change: impl FnOnce(&StoreInner, &Module, &mut VirtualFrame) -> Result<()>,
    ) -> Result<()> {
        let inner = self.inner();
        let ChangedCaller { mut frame, activation, .. } = inner.caller(caller)?;
        let (Some(event), true) = (inner.newest_event(), std::ptr::eq(activation, inner.vm.activation)) else {
            let message = "a host function stands between this frame and the one that is stopped: it cannot be left";
            return Err(Error::new(ErrorKind::State, message));
        };
        let id = event.id;
        let module = inner.modules.of_slot(frame.slot).module.clone();
        change(inner, &module, &mut frame)?;
        // Where the guest is has been paid for, which may be inside of a region.
        let mut shown = self.take_virtual();
        if let Some(shown) = &mut shown {
            shown.take_back(self);
        }
        frame.event = id;
        frame.state[FUEL] = shown.map_or(self.inner().fuel_left() as u64, |shown| shown.state[FUEL]);
        frame.pay(self);
        self.set_virtual(frame);
        Ok(())
    }

    /// Has `change` work on what is to be in a frame that waits.
    fn change_caller(
        &mut self,
        caller: &KeptFrame,
        change: impl FnOnce(&StoreInner, &Module, &mut ChangedCaller) -> Result<()>,
    ) -> Result<()> {
        let inner = self.inner();
        let mut caller = inner.caller(caller)?;
        let module = inner.modules.of_slot(caller.frame.slot).module.clone();
        change(inner, &module, &mut caller)?;
        inner.keep_changed(caller);
        Ok(())
    }

    /// Has `change` work on what the newest event says of its frame, which is said first if it was not yet.
    fn change(&mut self, change: impl FnOnce(&StoreInner, &Module, &mut VirtualFrame) -> Result<()>) -> Result<()> {
        if self.inner().newest_event().is_none_or(|event| event.stop.is_null()) {
            return Err(Error::new(
                ErrorKind::State,
                "a frame can be changed where a guest stands at a stop: not at a trap, an exception, or in a host function",
            ));
        }
        let (mut frame, said) = match self.take_virtual() {
            Some(frame) => (frame, true),
            None => (self.look_inside(None)?, false),
        };
        let inner = self.inner();
        let module = inner.modules.of_slot(frame.slot).module.clone();
        let outcome = change(inner, &module, &mut frame);
        if said || outcome.is_ok() {
            if !said {
                frame.pay(self);
            }
            self.set_virtual(frame);
        }
        outcome
    }
}

/// Writes a local.
fn write_local(store: &StoreInner, module: &Module, frame: &mut VirtualFrame, index: usize, value: Val) -> Result<()> {
    let types = module.info().declared_locals(frame.func, module.binary());
    let Some(&ty) = types.get(index) else {
        return refuse(format!("there is no local {index}: the function has {}", types.len()));
    };
    if !fits(store, value, ty)? {
        return refuse(format!("local {index} is of type {ty}, the value of type {}", value.ty()));
    }
    let word = types[..index].iter().map(|ty| ty.words()).sum();
    frame.write(word, ty, value.to_raw_in(store)?);
    Ok(())
}

/// Writes an operand, the bottom one the first.
fn write_operand(store: &StoreInner, frame: &mut VirtualFrame, index: usize, value: Val) -> Result<()> {
    let mut operands: Vec<(ValType, u32)> = frame.code.image().operands(frame.position).collect();
    operands.reverse();
    let Some(&(ty, word)) = operands.get(index) else {
        return refuse(format!("there is no operand {index}: the stack has {}", operands.len()));
    };
    if !fits(store, value, ty)? {
        return refuse(format!("operand {index} is of type {ty}, the value of type {}", value.ty()));
    }
    // SAFETY: the state has a value of this type there.
    let there = unsafe { Val::from_raw_in(store.giving(), frame.value_at(ty, word), ty) };
    if !takes_place_of(store, value, there)? {
        return refuse(format!(
            "operand {index} may be of another type than the reference: of its type only so much is known as the \
             reference says that is there"
        ));
    }
    frame.write(word, ty, value.to_raw_in(store)?);
    Ok(())
}

/// Puts a frame at an instruction by which it returns these values.
fn write_results(store: &StoreInner, module: &Module, frame: &mut VirtualFrame, values: &[Val]) -> Result<()> {
    let ty = module.info().func_type(module.info().func_index(frame.func));
    check_types(store, values, &ty.results, "result", ty)?;
    let Some(position) = way_out(module, frame) else {
        return refuse("the function never returns: neither its end nor a `return` can be reached".to_owned());
    };
    let words: Vec<(ValType, ValRaw)> = std::iter::zip(ty.results.iter(), values)
        .map(|(ty, value)| Ok((*ty, value.to_raw_in(store)?)))
        .collect::<Result<_>>()?;
    // What is below the results is dropped unread.
    let image = frame.code.image();
    let (locals, end) = (image.locals.words(), image.live_words(position));
    frame.position = position;
    frame.clear(locals..end);
    let mut word = end - ty.results.iter().map(|ty| ty.words()).sum::<u32>();
    for (ty, raw) in words {
        frame.write(word, ty, raw);
        word += ty.words();
    }
    Ok(())
}

/// Puts a frame at its function's first instruction, with its parameters and nothing else.
fn write_start(module: &Module, frame: &mut VirtualFrame) -> Result<()> {
    let info = module.info();
    let image = frame.code.image();
    let body = &info.bodies[frame.func.index()].bytes;
    let first = image.instructions.first().map(|row| row.wasm).filter(|first| body.contains(&first.index()));
    let Some(position) = first.and_then(|first| image.position(first)) else {
        return refuse("the function has no instruction that can be reached".to_owned());
    };
    let params: u32 = info.func_type(info.func_index(frame.func)).params.iter().map(|ty| ty.words()).sum();
    let end = image.live_words(frame.position).max(image.locals.words());
    frame.clear(params..end);
    frame.position = position;
    Ok(())
}

/// Whether more is known of such a reference than its family, and so of what may be in its place.
fn is_typed(ty: ValType) -> bool {
    matches!(ty, ValType::Ref(ty) if matches!(ty.heap.family(), Family::Any | Family::Func))
}

/// Whether a value may stand where another one does, whatever the type declared there.
fn takes_place_of(store: &StoreInner, value: Val, there: Val) -> Result<bool> {
    let ValType::Ref(ty) = there.ty() else { return Ok(true) };
    match dynamic_type(store, there)? {
        Some(heap) => fits(store, value, ValType::Ref(RefType { nullable: false, heap })),
        // Null is there, so it may be.
        None => fits(store, value, ValType::Ref(ty)).map(|fits| fits && value == Val::default_for(ValType::Ref(ty))),
    }
}

/// The position of an instruction by which the function returns what is on its operand stack: its end, or else a
/// `return`.
fn way_out(module: &Module, frame: &VirtualFrame) -> Option<u32> {
    let body = &module.info().bodies[frame.func.index()].bytes;
    let instructions = &frame.code.image().instructions;
    let last = instructions.len().checked_sub(1)?;
    if instructions[last].wasm.index() + 1 == body.end {
        return Some(last as u32);
    }
    instructions.iter().position(|row| is_return(module.binary(), row.wasm)).map(|at| at as u32)
}

fn listed(top_first: &[ValType]) -> String {
    let types: Vec<String> = top_first.iter().rev().map(ToString::to_string).collect();
    if types.is_empty() { "none".to_owned() } else { types.join(" ") }
}

fn argument(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Argument, message.into())
}

fn refuse<T>(message: String) -> Result<T> {
    Err(argument(message))
}
