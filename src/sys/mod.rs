//! The operating system and the processor: pages, protection, mappings of code, signals, thread-local state, the hand-written
//! machine code. With `wasi/` and `remote/` the only room that calls the system. It knows no module and no store.

pub mod activation;
pub mod arch;
pub mod environment;
#[doc(hidden)]
pub mod faults;
pub mod floats;
mod memfd;
pub mod native_debug;
pub mod pages;
pub mod profile;
pub mod refusals;
mod replace;
pub mod sealed;
pub mod signals;
pub mod stack;
pub mod text;
pub mod threads;
