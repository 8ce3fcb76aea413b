//! What all functions of the C ABI stand on: pointers that carry ownership, the boundary that panics and errors do not
//! cross, stores as their handles share them, and the opaque types. Nothing here knows a noun's functions.

pub(in crate::capi) mod abort;
pub(in crate::capi) mod cell;
pub(in crate::capi) mod check;
pub(in crate::capi) mod ending;
pub(in crate::capi) mod env;
pub(in crate::capi) mod error_object;
pub(in crate::capi) mod guard;
pub(in crate::capi) mod handles;
pub(in crate::capi) mod host_info;
pub(in crate::capi) mod info;
pub(in crate::capi) mod last;
pub(in crate::capi) mod object;
pub(in crate::capi) mod own;
pub(in crate::capi) mod trap_object;
pub(in crate::capi) mod v128;
pub(in crate::capi) mod vec;
