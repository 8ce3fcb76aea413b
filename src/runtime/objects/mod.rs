//! What instances are made of, and the handles that hosts have of it: data. Which store it is in is a number here;
//! whoever has the store in hand changes it.

pub(in crate::runtime) mod attachers;
pub(in crate::runtime) mod deadline;
pub(in crate::runtime) mod dumped;
pub(in crate::runtime) mod elements;
pub(in crate::runtime) mod exceptions;
pub(in crate::runtime) mod externs;
pub(in crate::runtime) mod func_refs;
pub(in crate::runtime) mod global;
pub(in crate::runtime) mod handles;
pub(in crate::runtime) mod heap;
pub(in crate::runtime) mod host;
pub(in crate::runtime) mod instance;
pub(in crate::runtime) mod limiter;
pub(in crate::runtime) mod mapped;
pub(in crate::runtime) mod memory;
pub(in crate::runtime) mod not_yet;
pub(in crate::runtime) mod owned;
pub(in crate::runtime) mod roots;
pub(in crate::runtime) mod shared;
pub(in crate::runtime) mod table;
pub(in crate::runtime) mod trap;
pub(in crate::runtime) mod values;
pub(in crate::runtime) mod waiting;
pub(in crate::runtime) mod watched;

#[cfg(test)]
mod tests;
