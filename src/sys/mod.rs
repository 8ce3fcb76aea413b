//! The operating system: pages, protection, mappings of code, signals, thread-local state. With `wasi/` and `remote/`
//! the only room that calls the system. It knows no module and no store, and of the machine what `isa/` says.
//!
//! There is a folder for each system, and one of them is compiled. What is the same on all of them stands beside the
//! folders, and uses of the system what is listed here, and the crate `region`: for the protection of pages, for their
//! size, and for plain memory. That list is what a port has to write: another folder with the same names.
//!
//! # For the rest of this room
//!
//! | name | what it must do |
//! |---|---|
//! | `map_anonymous` | reserves address space, or maps memory that is zero, without setting memory aside for it: 8 GiB at a time |
//! | `map_anonymous_at` | the same in the place of other pages |
//! | `discard` | gives the contents of pages back: they are zero again, or those of the file; says whether the system agreed |
//! | `unmap` | gives pages back, for good |
//! | `move_mapping` | puts a mapping in the place of another |
//! | `move_pages`, `Unmoved` | the same, leaving a mapping of the same file behind; or why not |
//! | `put_executable_at` | puts a copy of machine code in the place of other that may be running, in one step, from a signal handler too |
//! | `protect_failed` | the error for a change of protection that `region` has just said was refused |
//! | `SealedFile` | a file in memory that nobody can change once it is filled; mapped for reading, or executable and copy-on-write, or to be written with a copy of each page that is; or that there is none |
//! | `refused` | whether the last call failed because the system does not allow it, rather than for lack of memory |
//! | `touched`: `private_pages`, `filled_pages` | which pages of a memory hold something of their own, or something else than zeros, or that it is not known |
//! | `changes`: `Mark`, `set_writable` | which pages of a memory were changed since a moment; forbids writing to some |
//! | `set_last_error`, `NO_MEMORY`, `NOT_ALLOWED`, `IN_PIECES` | has the last call failed for this reason: for failures on demand |
//! | `stack_bounds` | where this thread's stack is |
//!
//! # For other rooms
//!
//! | name | what it must do | who uses it |
//! |---|---|---|
//! | `address_space_limit` | how much address space the process may have, where that is limited | `runtime/` |
//! | `symbol_at` | the symbol of the function that begins at an address, if that is exported for dynamic linking | `runtime/` |
//! | `thread_id` | the system's number of this thread, which is not 0 | `capi/` |
//! | [`signals`]: [`install`](signals::install), [`install_again`](signals::install_again) | has faults of guests go on where [`signals::Classify`] says, and all others to the host | `runtime/` |
//! | [`signals`]: [`prepare_thread`](signals::prepare_thread) | makes sure that this thread can be told of a fault with little stack left | `runtime/` |
//! | [`signals`]: [`without_pipe_signal`](signals::without_pipe_signal) | does work with the signal of a pipe that nobody reads kept from this thread, and from those that it starts meanwhile | `capi/` |
//! | [`watching`]: [`install`](watching::install), [`allow`](watching::allow) | has faults at pages that may not be accessed be stopped at, or done once; says what may be done with pages, from a signal handler too | `runtime/` |
//! | [`files`]: [`write_whole`](files::write_whole) | writes a file such that whoever reads it finds the old one, none, or the whole new one | `runtime/` |
//! | [`files`]: [`path_of`](files::path_of) | the path that bytes name | `capi/` |
//! | [`files`]: [`duplicate`](files::duplicate) | a descriptor of ours for what the host has under a number | `capi/` |
//! | [`cache`] | files by short names, in a folder that nobody else may write to, up to a size | `runtime/` |
//! | [`profile`]: [`open`](profile::open), [`write`](profile::write) | tells profilers of functions | `runtime/` |

pub mod activation;
pub mod environment;
#[doc(hidden)]
pub mod faults;
pub mod fiber;
pub mod floats;
#[cfg(target_os = "linux")]
mod linux;
pub mod mapping;
pub mod native_debug;
pub mod pages;
pub mod racy;
pub mod refusals;
mod replace;
pub mod sealed;
pub mod source;
pub mod stack;
pub mod text;
pub mod threads;
pub mod zeros;

#[cfg(target_os = "linux")]
use linux as system;

pub use system::{cache, files, profile, signals, symbol_at, watching};
