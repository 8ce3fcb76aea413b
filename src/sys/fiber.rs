//! Stacks of our own, and work that runs on one: it can be left in the middle, and gone on with later, on any thread.
//! How one stack is left for another is the affair of the crate `corosensei`. It knows nothing of guests; what else
//! changes with the stack that a thread is on, as the newest entry into a guest, is seen to by who switches.
//!
//! Work on such a stack keeps to three rules, since nothing here can hold it to them: it never unwinds out of its
//! first function, it is run to its end, and what it holds while it is left may change threads.

use super::pages::{PAGE_SIZE, Reservation, round_up_to_page};
use crate::base::{Error, ErrorKind, Result};
use corosensei::stack::{Stack, StackPointer};
use corosensei::{Coroutine, CoroutineResult, Yielder};
use std::ops::Range;

/// Bytes below a stack that fault on access: whatever function is called there looks at a page as it begins, or takes
/// less than this.
const GUARD: usize = 4 * PAGE_SIZE;

/// A stack of our own. Dropping it gives it back.
#[derive(Debug)]
pub struct FiberStack(Reservation);

impl FiberStack {
    /// A stack of so many bytes, rounded up to whole pages. Memory is set aside for what is touched of it.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for more than there are addresses; those of the system.
    pub fn new(bytes: usize) -> Result<FiberStack> {
        let len = round_up_to_page(bytes).and_then(|bytes| bytes.checked_add(GUARD)).ok_or_else(|| {
            Error::new(ErrorKind::Limit, format!("a stack of {bytes} bytes is more than there are addresses"))
        })?;
        let mut pages = Reservation::new(len)?;
        pages.make_accessible(GUARD..len)?;
        Ok(FiberStack(pages))
    }

    /// The addresses that may be used, lowest first.
    pub fn bounds(&self) -> Range<usize> {
        let start = self.0.base() as usize;
        start + GUARD..start + self.0.len()
    }
}

// SAFETY: a mapping of its own, page-aligned at both ends, with a guard below that it counts among its addresses, and
// at least a page above that.
unsafe impl Stack for FiberStack {
    fn base(&self) -> StackPointer {
        StackPointer::new(self.bounds().end).expect("no mapping ends at 0")
    }

    fn limit(&self) -> StackPointer {
        StackPointer::new(self.0.base() as usize).expect("no mapping is at 0")
    }
}

/// Work on a stack of its own.
pub struct Fiber(Coroutine<(), (), (), FiberStack>);

/// By what work leaves its stack.
#[repr(transparent)]
pub struct Switch(Yielder<(), ()>);

impl Fiber {
    /// Work that is to begin.
    ///
    /// # Safety
    /// What `work` refers to is there until it has ended. It keeps to the rules at the head of this file.
    pub unsafe fn new(stack: FiberStack, work: impl FnOnce(&Switch)) -> Fiber {
        let first = move |yielder: &Yielder<(), ()>, ()| {
            // SAFETY: a switch is the same in another dress.
            work(unsafe { &*std::ptr::from_ref(yielder).cast::<Switch>() })
        };
        // SAFETY: the caller's promise.
        Fiber(unsafe { Coroutine::with_stack_unchecked(stack, first) })
    }

    /// Runs it until it leaves its stack, or has ended: says whether it has.
    ///
    /// # Panics
    /// Where it has ended before.
    #[inline]
    pub fn resume(&mut self) -> bool {
        matches!(self.0.resume(()), CoroutineResult::Return(()))
    }

    /// The stack, once the work has ended.
    ///
    /// # Panics
    /// Before that.
    pub fn into_stack(self) -> FiberStack {
        self.0.into_stack()
    }
}

impl Switch {
    /// Leaves the stack for the one on which [`Fiber::resume`] was called. Returns when that is called again.
    ///
    /// # Safety
    /// The work of this switch calls it, on its own stack; what it holds may change threads. The function that calls it
    /// is not inlined, and does nothing with what is a thread's: it might know where that is from before.
    // Behind a switch no return is where the processor expects it, so there are few of them.
    #[inline(always)]
    pub unsafe fn leave(&self) {
        self.0.suspend(());
    }

    /// Calls this on the stack on which [`Fiber::resume`] was called.
    ///
    /// # Safety
    /// As [`Switch::leave`]; and `call` does not unwind.
    #[inline]
    pub unsafe fn outside<R>(&self, call: impl FnOnce() -> R) -> R {
        /// What runs while its thread waits for it, so that it may have anything of that thread's.
        struct Same<F>(F);
        // SAFETY: it is called on the thread that makes it.
        unsafe impl<F> Send for Same<F> {}
        impl<F: FnOnce() -> R, R> Same<F> {
            fn call(self) -> R {
                (self.0)()
            }
        }
        let same = Same(call);
        self.0.on_parent_stack(move || same.call())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn here() -> usize {
        let here = 0u8;
        std::ptr::from_ref(&here) as usize
    }

    #[test]
    fn work_leaves_its_stack_and_goes_on() {
        let stack = FiberStack::new(1).unwrap();
        let bounds = stack.bounds();
        assert_eq!(bounds.len(), PAGE_SIZE);
        let seen = RefCell::new(Vec::new());
        let work = |switch: &Switch| {
            // SAFETY: called by the work.
            unsafe {
                assert!(bounds.contains(&here()));
                seen.borrow_mut().push(1);
                switch.leave();
                seen.borrow_mut().push(2);
                let outside = switch.outside(|| !bounds.contains(&here()));
                assert!(outside && bounds.contains(&here()));
                switch.leave();
            }
        };
        // SAFETY: the work is run to its end below.
        let mut fiber = unsafe { Fiber::new(stack, work) };
        assert!(seen.borrow().is_empty());
        assert!(!fiber.resume());
        assert_eq!(*seen.borrow(), [1]);
        assert!(!fiber.resume());
        assert_eq!(*seen.borrow(), [1, 2]);
        assert!(fiber.resume());
        assert_eq!(fiber.into_stack().bounds(), bounds);
    }

    #[test]
    fn a_stack_that_cannot_be_is_an_error() {
        assert_eq!(FiberStack::new(usize::MAX).unwrap_err().kind(), ErrorKind::Limit);
        assert!(FiberStack::new(1 << 60).is_err());
    }
}
