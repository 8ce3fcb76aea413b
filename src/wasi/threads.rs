//! Threads that programs begin, by `thread-spawn` of the module [`MODULE`]: each is a thread of the system, with a
//! store and an instance of its own, which shares with the others the memories that the module imports, and what WASI
//! gives.
//!
//! All threads of a program end together: when one traps, or asks for the program's end by `proc_exit`, and when the
//! store of the first is dropped. Who runs is ended as by an [`Interrupter`], so threads need `Config::epoch`.

use super::calls::{self, State};
use super::program::Source;
use crate::base::{Error, ErrorKind, Escaped, Result};
use crate::runtime::{
    AsStoreMut, Caller, Extern, Func, Instance, Interrupter, Linker, Memory, Module, SharedMemory, Store, StoreMut,
    TypedFunc,
};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// The module that guests import `thread-spawn` from.
pub(super) const MODULE: &str = "wasi";

/// What a new thread calls: with its number, and the argument that its maker gave.
const START: &str = "wasi_thread_start";

/// The largest number of a thread: the highest bits are kept for other uses.
const LARGEST: u32 = (1 << 29) - 1;

/// What `thread-spawn` gives where there may be no more threads: `EAGAIN`, below zero.
const NO_MORE: i32 = -6;

/// Of a thread's stack, what is the host's.
const HOST_STACK: usize = 512 << 10;

/// The threads of a program.
pub(super) struct Threads {
    /// As many there may be at once, the first not counted.
    most: u32,
    /// Ends the first.
    first: Interrupter,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    /// The number of the newest.
    last: u32,
    /// Whether all are to end.
    ending: bool,
    threads: HashMap<u32, Thread>,
}

struct Thread {
    interrupter: Interrupter,
    /// Set once it is there.
    handle: Option<JoinHandle<()>>,
}

/// Ends all threads but the first when it is dropped: with the first one's store.
pub(super) struct Owner(Arc<Threads>);

impl Owner {
    pub(super) fn threads(&self) -> &Threads {
        &self.0
    }

    /// The same, to keep.
    pub(super) fn shared(&self) -> &Arc<Threads> {
        &self.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.end_others();
    }
}

impl Threads {
    fn running(&self) -> MutexGuard<'_, Running> {
        // Nothing is ever left half-changed by a panic that could be survived.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all threads but the first, and waits for them. Whoever calls is none of them.
    pub(super) fn end_others(&self) {
        let handles: Vec<JoinHandle<()>> = {
            let mut running = self.running();
            running.ending = true;
            running
                .threads
                .values_mut()
                .filter_map(|thread| {
                    thread.interrupter.interrupt();
                    thread.handle.take()
                })
                .collect()
        };
        for handle in handles {
            // A thread's panic is that of its guest's host function, which the first is told of.
            let _ = handle.join();
        }
    }

    /// A thread has come to its end: with an error all others end too, and the first with that error.
    fn ended(&self, number: u32, outcome: Result<()>) {
        let mut running = self.running();
        running.threads.remove(&number);
        if let Err(error) = outcome
            && !std::mem::replace(&mut running.ending, true)
        {
            running.threads.values().for_each(|thread| thread.interrupter.interrupt());
            self.first.end_with(error);
        }
    }

    /// Room for another thread: its number.
    fn add(&self, interrupter: Interrupter) -> Option<u32> {
        let mut running = self.running();
        if running.ending || running.threads.len() >= self.most as usize {
            return None;
        }
        // There are fewer than numbers.
        loop {
            running.last = if running.last == LARGEST { 1 } else { running.last + 1 };
            if !running.threads.contains_key(&running.last) {
                break;
            }
        }
        let number = running.last;
        running.threads.insert(number, Thread { interrupter, handle: None });
        Some(number)
    }
}

/// The threads of a program that may have so many besides its first, which runs in this store: what ends them when it
/// is dropped.
///
/// # Errors
/// [`ErrorKind::State`] where guests cannot be ended from outside.
pub(super) fn of_first(store: &StoreMut<'_>, most: u32) -> Result<Owner> {
    let first = store.interrupter().map_err(|error| error.context("WASI threads, which end together"))?;
    Ok(Owner(Arc::new(Threads { most: most.min(LARGEST), first, running: Mutex::default() })))
}

/// Defines `thread-spawn` in a linker, for programs that have what they may in their store.
pub(super) fn define_for_stores(linker: &mut Linker) -> Result<()> {
    let begin = |caller: Caller<'_>, argument: i32| -> Result<i32> {
        let program = Source::Store.find(&caller, "thread-spawn")?;
        match program.shared_threads() {
            Some((threads, state)) => spawn(caller, threads, state, argument),
            None => Ok(NO_MORE),
        }
    };
    linker.func_wrap(MODULE, "thread-spawn", begin)?;
    Ok(())
}

/// Defines `thread-spawn` in a linker, for a program that may have so many threads besides its first.
///
/// # Errors
/// As [`of_first`].
pub(super) fn define_first(
    linker: &mut Linker,
    mut store: impl AsStoreMut,
    most: u32,
    state: &Arc<State>,
) -> Result<Arc<Threads>> {
    let mut store = store.as_store_mut();
    let owner = of_first(&store, most)?;
    let threads = owner.0.clone();
    let state = state.clone();
    let spawn = Func::wrap(&mut store, move |caller: Caller<'_>, argument: i32| -> Result<i32> {
        spawn(caller, &owner.0, &state, argument)
    })?;
    linker.define(MODULE, "thread-spawn", spawn)?;
    Ok(threads)
}

/// The same for one that is not the first.
fn define_other(linker: &mut Linker, store: &mut Store, threads: &Arc<Threads>, state: &Arc<State>) -> Result<()> {
    let (threads, state) = (threads.clone(), state.clone());
    let spawn = Func::wrap(store, move |caller: Caller<'_>, argument: i32| -> Result<i32> {
        spawn(caller, &threads, &state, argument)
    })?;
    linker.define(MODULE, "thread-spawn", spawn)?;
    Ok(())
}

fn refused(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Host, format!("`thread-spawn`: {what}"))
}

/// The memories that an instance imports, which are to be shared, by their names.
fn memories_of(caller: &Caller<'_>, instance: Instance) -> Result<Vec<(String, String, SharedMemory)>> {
    let imported = instance.imported_memories(caller)?;
    if imported.is_empty() {
        return Err(refused("the module imports no memory, so that its threads would have nothing in common"));
    }
    let shared = |(from, name, memory): (String, String, Option<SharedMemory>)| match memory {
        Some(memory) => Ok((from, name, memory)),
        None => Err(refused(format_args!("the memory \"{}\".\"{}\" is not shared", Escaped(&from), Escaped(&name)))),
    };
    imported.into_iter().map(shared).collect()
}

/// Begins a thread: its number, or what says that there is none.
fn spawn(mut caller: Caller<'_>, threads: &Arc<Threads>, state: &Arc<State>, argument: i32) -> Result<i32> {
    let instance = caller.instance().ok_or_else(|| refused("it was called by the host"))?;
    let module = instance.module(&caller)?.clone();
    let memories = memories_of(&caller, instance)?;
    let mut store = Store::new(caller.engine());
    caller.share_limits(&mut store)?;
    store.set_core_dumps(caller.core_dumps());
    let Some(number) = threads.add(store.interrupter()?) else { return Ok(NO_MORE) };
    let forget = |error: Error| {
        threads.ended(number, Ok(()));
        refused(error)
    };
    let start = prepare(&mut store, &module, memories, threads, state).map_err(forget)?;
    let config = caller.engine().config();
    let stack = config.max_stack.saturating_add(config.stop_reserve).saturating_add(HOST_STACK);
    let (others, arguments) = (threads.clone(), (number as i32, argument));
    let body = move || {
        let outcome = catch_unwind(AssertUnwindSafe(|| start.call(&mut store, arguments))).unwrap_or_else(|_| {
            let message = format!("a host function or callback has panicked in the program's thread {number}");
            Err(Error::new(ErrorKind::Panic, message))
        });
        // What it holds goes before it is known to have ended.
        drop(store);
        others.ended(number, outcome);
    };
    match Builder::new().name(format!("wasi-{number}")).stack_size(stack).spawn(body) {
        Ok(handle) => {
            // It may have ended already.
            if let Some(thread) = threads.running().threads.get_mut(&number) {
                thread.handle = Some(handle);
            }
            Ok(number as i32)
        }
        Err(_) => {
            threads.ended(number, Ok(()));
            Ok(NO_MORE)
        }
    }
}

/// Makes the instance of a new thread: what it begins with.
fn prepare(
    store: &mut Store,
    module: &Module,
    memories: Vec<(String, String, SharedMemory)>,
    threads: &Arc<Threads>,
    state: &Arc<State>,
) -> Result<TypedFunc<(i32, i32), ()>> {
    let mut linker = Linker::new(store.engine());
    calls::define(&mut linker, Some(store.as_store_mut()), &Source::Own(state.clone(), None))?;
    define_other(&mut linker, store, threads, state)?;
    for (from, name, memory) in memories {
        let memory = Memory::from_shared(&mut *store, &memory)?;
        linker.define(&from, &name, Extern::Memory(memory))?;
    }
    let instance = linker.instantiate(&mut *store, module)?;
    instance.typed_func(store, START)
}
