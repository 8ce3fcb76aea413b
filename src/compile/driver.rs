//! Compiles the functions of a module, on several threads where allowed. Which thread compiles what has no influence on
//! the result.

use super::env::Env;
use super::function::{CompiledFunction, Scratch, compile};
use super::internal;
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Compiles every function, in the order of their indices in the result.
pub(super) fn compile_all(
    env: &Env<'_>,
    progress: &(dyn Fn(usize, usize) -> bool + Sync),
) -> Result<Vec<CompiledFunction>> {
    let bodies = &env.info.bodies;
    let total = bodies.len();
    // The largest first, so that no thread is left with one when all others are done.
    let mut order: Vec<usize> = (0..total).collect();
    order.sort_by_key(|index| std::cmp::Reverse(bodies[*index].bytes.len()));
    let results: Vec<OnceLock<Result<CompiledFunction>>> = (0..total).map(|_| OnceLock::new()).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (stop, cancelled) = (AtomicBool::new(false), AtomicBool::new(false));

    let work = || {
        let mut scratch = Scratch::new();
        while !stop.load(Ordering::Relaxed) {
            let Some(index) = order.get(next.fetch_add(1, Ordering::Relaxed)).copied() else { break };
            let result = compile_caught(env, DefinedFuncIndex::from_usize(index), &mut scratch);
            if result.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            // Each index is handed out once.
            let _ = results[index].set(result);
            if !progress(done.fetch_add(1, Ordering::Relaxed) + 1, total) {
                cancelled.store(true, Ordering::Relaxed);
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    // Threads are the caller's to provide: a program that compiles where there are none, a forked child, gets none.
    let threads = match rayon::current_thread_index() {
        Some(_) if env.options.parallel => rayon::current_num_threads().min(total),
        _ => 1,
    };
    if threads > 1 {
        rayon::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|_| work());
            }
        });
    } else {
        work();
    }

    if cancelled.into_inner() {
        return Err(Error::new(ErrorKind::Cancelled, "compilation was cancelled"));
    }
    let mut functions = Vec::with_capacity(total);
    let mut missing = false;
    for result in results {
        match result.into_inner() {
            Some(result) => functions.push(result?),
            None => missing = true,
        }
    }
    if missing { Err(internal("a function was not compiled")) } else { Ok(functions) }
}

/// Compiles a function; a panic of the code generator is an error that names the function.
fn compile_caught(env: &Env<'_>, func: DefinedFuncIndex, scratch: &mut Scratch) -> Result<CompiledFunction> {
    let result = caught(env, func, |env, func| compile(env, func, scratch));
    if result.is_err() {
        // What a failure leaves behind is in no known state.
        *scratch = Scratch::new();
    }
    result
}

/// What `work` makes of a function; a panic of the code generator is an error, and every error names the function.
pub(super) fn caught<T>(
    env: &Env<'_>,
    func: DefinedFuncIndex,
    work: impl FnOnce(&Env<'_>, DefinedFuncIndex) -> Result<T>,
) -> Result<T> {
    let result = catch_unwind(AssertUnwindSafe(|| work(env, func))).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(internal(format!("panic: {}", message.unwrap_or("without a message"))))
    });
    result.map_err(|error| error.context(format_args!("function {}", env.info.func_index(func))))
}
