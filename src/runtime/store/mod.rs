//! Stores: their inside, which owns all objects, the views that hosts get of it, and what is done to a store as a
//! whole.

pub(in crate::runtime) mod calls;
pub(in crate::runtime) mod collect;
pub(in crate::runtime) mod events;
mod fuel;
pub(in crate::runtime) mod inner;
pub(in crate::runtime) mod leaving;
pub(in crate::runtime) mod modules;
pub(in crate::runtime) mod objects;
pub(in crate::runtime) mod record;
pub(in crate::runtime) mod slots;
pub(in crate::runtime) mod views;
pub(in crate::runtime) mod virtual_frame;
pub(in crate::runtime) mod watch;
