//! Where this thread's stack ends: the system knows of its own stacks, the host of those that it makes itself for
//! coroutines.

use super::activation;
use super::system::stack_bounds;
use crate::abi::Activation;
use crate::base::{Error, ErrorKind, Result};
use std::cell::{Cell, OnceCell, RefCell};
use std::ops::Range;
use std::panic::resume_unwind;
use std::ptr::null_mut;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

thread_local! {
    static LIMITS: OnceCell<Range<usize>> = const { OnceCell::new() };
    /// The bounds of the stack that the host says the thread is on.
    static STATED: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    static SWITCHED: RefCell<Switched> = const { RefCell::new(Switched { on: None, own: null_mut() }) };
}

/// The stack that this thread is on.
struct Switched {
    /// One that the host has made; the thread's own otherwise.
    on: Option<Arc<Inner>>,
    /// The newest entry on the thread's own stack, while the thread is on another.
    own: *mut Activation,
}

impl Drop for Switched {
    fn drop(&mut self) {
        if let Some(inner) = self.on.take() {
            inner.state().used_by = 0;
        }
    }
}

/// A stack of the host's own making, on which a coroutine runs. While a thread is on it, the thread says so by
/// [`HostStack::switch`]: guests then end where this stack does, and those that wait on other stacks of the thread,
/// inside a host function, are left alone.
///
/// A coroutine that has entered a guest goes on on the same thread, and is run to its end: the store that it has
/// entered remembers it.
#[derive(Debug)]
pub struct HostStack(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bounds: Range<usize>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The thread that is on it, or 0.
    used_by: usize,
    /// The newest entry on it, while no thread is on it; null if no guest waits there.
    waits: usize,
    /// The thread on which that was.
    home: usize,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        // Plain data, whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HostStack {
    /// The stack at these addresses, lowest first, guard pages excluded.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for less than 16 KiB.
    pub fn new(bounds: Range<usize>) -> Result<HostStack> {
        const LEAST: usize = 16 << 10;
        if bounds.start == 0 || bounds.end.checked_sub(bounds.start).is_none_or(|bytes| bytes < LEAST) {
            let what = format!("a stack from {:#x} to {:#x} has less than 16 KiB", bounds.start, bounds.end);
            return Err(Error::new(ErrorKind::Argument, what));
        }
        Ok(HostStack(Arc::new(Inner { bounds, state: Mutex::default() })))
    }

    /// Says that this thread is on `stack` from now on, or on its own again. To be called where the switch is made,
    /// before or after it, with no guest called in between.
    ///
    /// # Errors
    /// [`ErrorKind::State`] when another thread is on that stack, or a guest waits on it that was called on another
    /// thread.
    pub fn switch(stack: Option<&HostStack>) -> Result<()> {
        let me = this_thread();
        SWITCHED.with_borrow_mut(|switched| {
            let resumes = match stack {
                None if switched.on.is_none() => return Ok(()),
                None => std::mem::replace(&mut switched.own, null_mut()),
                Some(HostStack(inner)) => {
                    let mut state = inner.state();
                    if state.used_by == me {
                        return Ok(());
                    }
                    let refuse = |what: &str| Err(Error::new(ErrorKind::State, what));
                    if state.used_by != 0 {
                        return refuse("another thread is on this stack; it must say that it has left it first");
                    }
                    if state.waits != 0 && state.home != me {
                        return refuse(
                            "a guest waits on this stack, which must go on on the thread that has called it",
                        );
                    }
                    state.used_by = me;
                    std::mem::take(&mut state.waits) as *mut Activation
                }
            };
            let waits = activation::current();
            match &switched.on {
                None => switched.own = waits,
                Some(left) => *left.state() = State { used_by: 0, waits: waits as usize, home: me },
            }
            activation::set(resumes);
            switched.on = stack.map(|stack| stack.0.clone());
            STATED.set(switched.on.as_ref().map_or((0, 0), |on| (on.bounds.start, on.bounds.end)));
            Ok(())
        })
    }

    /// Whether a thread is on it, or a guest waits on it.
    pub fn in_use(&self) -> bool {
        let state = self.0.state();
        state.used_by != 0 || state.waits != 0
    }
}

/// A number for the thread, never 0.
fn this_thread() -> usize {
    STATED.with(|stated| std::ptr::from_ref(stated).addr())
}

/// The addresses of the stack that the current thread is on, lowest first, guard pages excluded: one that the host has
/// stated, if that is where the caller is, or the thread's own, asked for once per thread. Where the system does not
/// say, 512 KiB below the caller.
#[inline]
pub fn limits() -> Range<usize> {
    let here = 0u8;
    let at = std::ptr::from_ref(&here) as usize;
    let (start, end) = STATED.get();
    if start <= at && at < end {
        return start..end;
    }
    LIMITS.with(|limits| limits.get_or_init(|| stack_bounds().unwrap_or_else(guess)).clone())
}

/// Does `work` where it has at least `needed` bytes of stack: here, or where so much is not left, or is not known to be
/// left, on a thread of its own that this one waits for.
///
/// # Errors
/// When there is too little stack here and the system refuses the thread.
pub fn with_room<T: Send>(needed: usize, work: impl FnOnce() -> T + Send) -> Result<T> {
    let here = 0u8;
    let at = std::ptr::from_ref(&here) as usize;
    let limits = limits();
    if limits.contains(&at) && at - limits.start >= needed {
        return Ok(work());
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("stepwell".into()).stack_size(needed.next_power_of_two());
        let thread = thread.spawn_scoped(scope, work).map_err(|error| {
            Error::new(
                ErrorKind::System,
                format!("there is too little stack here to compile, and no thread can be made for it: {error}"),
            )
        })?;
        thread.join().or_else(|payload| resume_unwind(payload))
    })
}

fn guess() -> Range<usize> {
    let here = 0u8;
    let at = std::ptr::from_ref(&here) as usize;
    at.saturating_sub(512 << 10)..at
}

#[cfg(test)]
mod tests {
    #[test]
    fn work_gets_the_room_it_needs() {
        let here = || {
            let here = 0u8;
            std::ptr::from_ref(&here) as usize
        };
        let before = super::limits();
        assert!(before.contains(&super::with_room(1 << 10, here).unwrap()));
        assert!(!before.contains(&super::with_room(before.len() + 1, here).unwrap()));
        let value = 7;
        assert_eq!(super::with_room(before.len() + 1, || value + 1).unwrap(), 8);
        let panic = std::panic::catch_unwind(|| super::with_room(before.len() + 1, || panic!("as it should")));
        assert!(panic.is_err());
    }

    #[test]
    fn stated_stacks_change_places_with_what_waits_on_them() {
        use super::{Activation, HostStack, activation};
        let entry = |number: usize| number as *mut Activation;
        let stack = || HostStack::new(0x10_0000..0x20_0000).unwrap();
        std::thread::spawn(move || {
            let (a, b) = (stack(), stack());
            assert!(!a.in_use());
            activation::set(entry(1));
            HostStack::switch(Some(&a)).unwrap();
            assert!(activation::current().is_null() && a.in_use());
            activation::set(entry(2));
            HostStack::switch(Some(&b)).unwrap();
            assert!(activation::current().is_null() && a.in_use() && b.in_use());
            activation::set(entry(3));
            HostStack::switch(Some(&b)).unwrap();
            assert_eq!(activation::current(), entry(3));
            // What was entered first ends first.
            HostStack::switch(Some(&a)).unwrap();
            assert_eq!(activation::current(), entry(2));
            activation::set(entry(0));
            HostStack::switch(None).unwrap();
            assert_eq!(activation::current(), entry(1));
            assert!(!a.in_use() && b.in_use());
            std::thread::scope(|scope| {
                let thread = scope.spawn(|| {
                    assert!(HostStack::switch(Some(&b)).is_err(), "a guest waits there for its thread");
                    HostStack::switch(Some(&a)).unwrap();
                });
                // The end of the scope does not wait for what a thread drops at its end.
                thread.join().unwrap();
            });
            assert!(!a.in_use(), "the thread has ended");
            HostStack::switch(Some(&b)).unwrap();
            assert_eq!(activation::current(), entry(3));
            std::thread::scope(|scope| {
                scope.spawn(|| assert!(HostStack::switch(Some(&b)).is_err(), "another thread is on it"));
            });
            activation::set(entry(0));
            HostStack::switch(None).unwrap();
            HostStack::switch(None).unwrap();
            assert!(!b.in_use());
            assert_eq!(activation::current(), entry(1));
            activation::set(entry(0));
        })
        .join()
        .unwrap();
        assert!(HostStack::new(0..1 << 20).is_err());
        assert!(HostStack::new(std::ops::Range { start: 0x20_0000, end: 0x10_0000 }).is_err());
        assert!(HostStack::new(0x10_0000..0x10_1000).is_err());
    }

    #[test]
    fn a_local_is_inside() {
        let here = 0u8;
        let at = std::ptr::from_ref(&here) as usize;
        assert!(super::limits().contains(&at));
        std::thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(|| {
                let here = 0u8;
                let limits = super::limits();
                assert!(limits.contains(&(std::ptr::from_ref(&here) as usize)));
                assert!(limits.len() <= 512 << 10);
            })
            .unwrap()
            .join()
            .unwrap();
    }
}
