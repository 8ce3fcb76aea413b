//! The operating system and the processor: pages, protection, signals, thread-local state, the hand-written machine
//! code. With `wasi/` and `remote/` the only room that calls the system. It knows no module and no store.

pub mod activation;
pub mod arch;
pub mod signals;
pub mod stack;
