//! Stacks for calls that can be left in the middle: those that calls are done with are kept for the next. What was on
//! one stays there, as on any stack: no guest can read it.

use crate::base::Result;
use crate::runtime::compiled::config::Config;
use crate::sys::fiber::FiberStack;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Debug code takes more stack than production code: so many times what guests may use is reserved. Address space is
/// all that it costs.
const DEBUG_FACTOR: usize = 4;

/// Stacks of an engine that nobody uses.
#[derive(Debug)]
pub(in crate::runtime) struct Stacks {
    bytes: usize,
    most: usize,
    kept: Mutex<Vec<FiberStack>>,
}

impl Stacks {
    /// Of the sizes that calls of an engine so configured need.
    pub(in crate::runtime) fn new(config: &Config) -> Stacks {
        let bytes = config.max_stack.saturating_mul(DEBUG_FACTOR).saturating_add(config.stack_reserve());
        Stacks { bytes, most: config.kept_stacks, kept: Mutex::default() }
    }

    /// One of them, or a new one.
    ///
    /// # Errors
    /// Those of the system.
    pub(in crate::runtime) fn take(&self) -> Result<FiberStack> {
        // A lock is held to take it off the list, and no longer.
        let kept = self.kept().pop();
        match kept {
            Some(stack) => Ok(stack),
            None => FiberStack::new(self.bytes).map_err(|error| error.context("a stack for a call")),
        }
    }

    /// Gives one back.
    pub(in crate::runtime) fn put_back(&self, stack: FiberStack) {
        let mut kept = self.kept();
        if kept.len() < self.most {
            kept.push(stack);
        } else {
            drop(kept);
            drop(stack);
        }
    }

    /// Gives those to the system that nobody uses.
    pub(in crate::runtime) fn trim(&self) {
        // The system is called with the lock given up.
        let kept = std::mem::take(&mut *self.kept());
        drop(kept);
    }

    fn kept(&self) -> MutexGuard<'_, Vec<FiberStack>> {
        // A list of stacks, whoever panicked.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
