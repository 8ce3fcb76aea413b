//! Linux: `mmap` and its like, `memfd`s, signals, threads, the files of perf. `sys/mod.rs` says what each name is for.

pub mod cache;
pub mod changes;
mod descriptor;
mod errors;
mod exhausted;
pub mod files;
mod memfd;
mod memory;
mod pagemap;
pub mod profile;
pub mod signals;
mod symbols;
mod threads;
pub mod touched;
pub mod watching;

pub(super) use errors::{IN_PIECES, NO_MEMORY, NOT_ALLOWED, refused, set_last_error};
pub(super) use memfd::SealedFile;
pub use memory::address_space_limit;
pub(super) use memory::{
    Unmoved, discard, map_anonymous, map_anonymous_at, move_mapping, move_pages, protect_failed, put_executable_at,
    unmap,
};
pub use symbols::symbol_at;
pub(super) use threads::stack_bounds;
pub use threads::thread_id;
