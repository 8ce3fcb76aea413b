//! Frames of production code that are live when a store comes to run debug code. They stay as they are, for nothing
//! but the code that has made a frame knows what is in it; and what they call from then on is debug code. That is what
//! a [`ForwardingText`](crate::code::ForwardingText) is for: a copy of the text in which they run, whose functions all
//! begin with a jump to debug code. The shared text is never touched, so other stores go on in it.
//!
//! A frame that waits for a call goes on in the copy because the address to which that returns is made one of the
//! copy. There is such an address for each frame, and it stands in one place: in the frame further in; for the
//! innermost of an entry in that of the trampoline or the builtin which it has called. What is noted of it besides, for
//! walking over frames, is changed as well. Whatever else knows a frame's code finds it by that address: exception
//! handlers, stack maps, traps.

use crate::abi::Activation;
use crate::base::{Error, ErrorKind, Pc, Result, TextOffset};
use crate::code::CodeSlot;
use crate::isa;
use crate::runtime::store::calls::LeftAt;
use crate::runtime::store::inner::StoreInner;
use std::ptr::NonNull;

/// A word by which a frame goes on, or is found.
struct Return {
    place: *mut usize,
    /// What it says: in which code, and where.
    slot: CodeSlot,
    at: TextOffset,
}

/// All such words of a store. Good for as long as its guests do not go on.
pub(super) struct Returns(Vec<Return>);

impl StoreInner {
    /// Where the live frames of this store's guests go on.
    ///
    /// # Errors
    /// [`ErrorKind::Panic`] where something is not as compiled code and trampolines leave it. Nothing was changed.
    pub(super) fn returns(&mut self) -> Result<Returns> {
        let mut found = Vec::new();
        let vm = &raw mut self.vm;
        // SAFETY: the store is ours, so its guests wait, and their frames and activations are live. Each guest that has
        // been entered has been left by a trampoline or a builtin's shim, which have noted where. Frames of guest code
        // are chained by frame pointers down to the trampoline of the activation, whose return address is in no guest
        // code.
        unsafe {
            let exit = (&raw mut (*vm).exit_pc, (*vm).exit_fp, (*vm).exit_head);
            self.returns_of((*vm).activation, exit, &mut found)?;
            for call in self.calls.all().map(NonNull::as_ptr) {
                if let Some(LeftAt { fp, head, .. }) = (*call).waits_at() {
                    self.returns_of(&raw mut (*call).activation, ((*call).left_pc(), fp, head), &mut found)?;
                }
            }
        }
        Ok(Returns(found))
    }

    /// The same, of the frames of an entry and of those before it on the same stacks. The newest was left there.
    ///
    /// # Safety
    /// They are live.
    unsafe fn returns_of(
        &self,
        mut act: *mut Activation,
        (mut noted, mut fp, mut head): (*mut usize, usize, usize),
        found: &mut Vec<Return>,
    ) -> Result<()> {
        // SAFETY: the caller's promise, and as above.
        unsafe {
            while !act.is_null() {
                let mut place = isa::return_place(head);
                if *place != *noted {
                    return Err(damaged());
                }
                found.extend(self.return_at(noted));
                while let Some(row) = self.return_at(place) {
                    found.push(row);
                    place = isa::return_place(fp);
                    (_, fp) = isa::caller_of(fp);
                }
                noted = &raw mut (*act).saved_exit_pc;
                (fp, head) = ((*act).saved_exit_fp, (*act).saved_exit_head);
                act = (*act).previous;
                while !act.is_null() && !std::ptr::eq((*act).store, &raw const self.vm) {
                    act = (*act).previous;
                }
            }
        }
        Ok(())
    }

    /// What a word says, if that is an address in guest code to which a call returns.
    ///
    /// # Safety
    /// It can be read.
    unsafe fn return_at(&self, place: *mut usize) -> Option<Return> {
        // SAFETY: the caller's promise. A call may be the last instruction of a text.
        let (slot, last) = self.registry.lookup(Pc::new(unsafe { *place }.checked_sub(1)?))?;
        Some(Return { place, slot, at: last.add(1) })
    }

    /// Registers a copy for each module that has live frames. Its debug code is registered.
    ///
    /// # Errors
    /// Those of mapping it. Some may be registered then.
    pub(super) fn register_left(&mut self, returns: &Returns) -> Result<()> {
        for Return { slot, .. } in &returns.0 {
            let index = self.modules.in_slot(*slot);
            let entry = &self.modules[index];
            let Some(debug) = entry.debug.filter(|_| entry.left.is_none()) else { continue };
            let copy = self.registry.register_forwarding(entry.production, debug)?;
            self.modules[index].left = Some(copy);
            self.modules.note_slot(copy, index);
            let module = self.modules[index].module.clone();
            self.publish_code(copy, &module);
        }
        Ok(())
    }

    /// Has the frames go on in the copies, which are registered.
    pub(super) fn leave_frames(&mut self, returns: &Returns) {
        for Return { place, slot, at } in &returns.0 {
            let Some(copy) = self.modules.of_slot(*slot).left else { continue };
            let pc = self.registry.entry(copy).store.pc(*at);
            // SAFETY: the guests have not gone on since the words were found, and the store is ours. What they say is
            // the same instruction of the same code, which nothing but its address tells from the other.
            unsafe { **place = pc.get() };
        }
    }
}

#[cold]
fn damaged() -> Error {
    let message = "fault of the engine: a guest that waits does not go on where it is said to";
    Error::new(ErrorKind::Panic, message)
}
