//! Other programs debug us: one session, and the protocols that stand on it.
//!
//! * [`session`] is what every front end stands on: guests that stand at stops, work that is done for a client on their
//!   threads, events. It knows no protocol.
//! * `link.rs` is how clients come: sockets, descriptors, tokens.
//! * `gdb/` is gdb's remote protocol, for LLDB.
//! * [`dap`] is the Debug Adapter Protocol, for editors.
//! * `server.rs` puts them together: [`Server::serve`].
//!
//! A front end is a folder beside `session/`, such as `dap/`: it takes a [`session::Client`] and a `Link`, and reads
//! and writes its protocol; `server.rs` calls it by its [`Protocol`]. It runs on threads of its own, never on a
//! guest's.
//!
//! Nothing in this room is unsafe, and nothing is done to a store but what [`Debugger`](crate::debug::Debugger) and
//! [`Stop`](crate::debug::Stop) offer every host.
#![forbid(unsafe_code)]

pub mod dap;
mod gdb;
mod link;
mod server;
pub mod session;

pub use link::Listen;
pub use server::{Protocol, ServeOptions, Server};
