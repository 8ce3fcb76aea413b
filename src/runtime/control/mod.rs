//! How guests are entered and left: calls, traps, frames, stops; instantiation; and what compiled code calls.

pub(in crate::runtime) mod announce;
pub(in crate::runtime) mod attach;
pub(in crate::runtime) mod attachers;
pub(in crate::runtime) mod builtins;
pub(in crate::runtime) mod call;
pub(in crate::runtime) mod callers;
mod collect;
pub(in crate::runtime) mod deadline;
mod dump;
pub(in crate::runtime) mod exceptions;
pub(in crate::runtime) mod frames;
pub(in crate::runtime) mod heap;
pub(in crate::runtime) mod instantiate;
mod left;
pub(in crate::runtime) mod limiter;
mod resume;
pub(in crate::runtime) mod segments;
pub(in crate::runtime) mod slot;
pub(in crate::runtime) mod stop;
pub(in crate::runtime) mod suspended;
pub(in crate::runtime) mod tell;
pub(in crate::runtime) mod trap;
pub(in crate::runtime) mod virtual_frame;
pub(in crate::runtime) mod waits;
pub(in crate::runtime) mod watch;
