//! What hosts can do with what they hold: the methods of all handles. Nothing in this room uses it.

pub(in crate::runtime) mod call;
mod change;
mod core_dump;
pub(in crate::runtime) mod engine;
pub(in crate::runtime) mod exception;
pub(in crate::runtime) mod external;
pub(in crate::runtime) mod func;
pub(in crate::runtime) mod global;
mod heap;
pub(in crate::runtime) mod host;
pub(in crate::runtime) mod instance;
pub(in crate::runtime) mod limits;
pub(in crate::runtime) mod linker;
pub(in crate::runtime) mod memory;
pub(in crate::runtime) mod shared;
pub(in crate::runtime) mod store;
pub(in crate::runtime) mod table;
pub(in crate::runtime) mod typed;
pub(in crate::runtime) mod values;
