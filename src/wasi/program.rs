//! Where WASI's functions find what their guest has: with the functions, where those are of one program; or in the
//! store that they are called in, where they are of none.

use super::calls::State;
use super::threads::{Owner, Threads};
use crate::base::Error;
use crate::runtime::{Caller, Trap};
use std::ops::Deref;
use std::sync::Arc;

/// What a program has, as its store keeps it.
pub(super) struct Program {
    pub(super) state: Arc<State>,
    /// Those it may begin. They end with the store, or where it gets something else.
    pub(super) threads: Option<Owner>,
}

impl Program {
    /// That of the store of a call; a trap that says what to do where there is none.
    fn of(caller: &Caller<'_>, function: &str) -> Result<Arc<Program>, Error> {
        let kept = caller.wasi().and_then(|kept| kept.downcast().ok());
        kept.ok_or_else(|| {
            let message = format!(
                "WASI's `{function}` was called in a store that has no WASI: give it some \
                 first (`stepwell_store_wasi_set`)"
            );
            Trap::new(message).into()
        })
    }
}

/// Where the functions look.
#[derive(Clone)]
pub(super) enum Source {
    /// They are of this program. Its threads are here for its first one alone.
    Own(Arc<State>, Option<Arc<Threads>>),
    /// In the store of each call.
    Store,
}

impl Source {
    /// What the guest that calls has.
    pub(super) fn find(&self, caller: &Caller<'_>, function: &str) -> Result<Found<'_>, Error> {
        match self {
            Source::Own(state, threads) => Ok(Found::Own(state, threads.as_deref())),
            Source::Store => Program::of(caller, function).map(Found::Store),
        }
    }
}

/// What the guest that calls has.
pub(super) enum Found<'a> {
    Own(&'a Arc<State>, Option<&'a Threads>),
    /// Held for the call: a callback may give the store something else.
    Store(Arc<Program>),
}

impl Found<'_> {
    /// The threads of its program, where it may have some and is their first.
    pub(super) fn threads(&self) -> Option<&Threads> {
        match self {
            Found::Own(_, threads) => *threads,
            Found::Store(program) => program.threads.as_ref().map(Owner::threads),
        }
    }

    /// The same, to keep.
    pub(super) fn shared_threads(&self) -> Option<(&Arc<Threads>, &Arc<State>)> {
        match self {
            Found::Own(..) => None,
            Found::Store(program) => Some((program.threads.as_ref()?.shared(), &program.state)),
        }
    }
}

impl Deref for Found<'_> {
    type Target = State;
    fn deref(&self) -> &State {
        match self {
            Found::Own(state, _) => state,
            Found::Store(program) => &program.state,
        }
    }
}
