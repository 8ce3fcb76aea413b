//! Globals that the host has made. A global that an instance defines has no object: it stands inside the instance.

use crate::abi::{VMGlobal, ValRaw};
use crate::wasm::GlobalType;

/// A global that the host has made.
#[repr(C)]
pub(in crate::runtime) struct HostGlobal {
    /// What compiled code and handles point to. First, so that both have one address.
    pub(in crate::runtime) vm: VMGlobal,
    pub(in crate::runtime) ty: GlobalType,
    pub(in crate::runtime) marked: bool,
}

impl HostGlobal {
    pub(in crate::runtime) fn new(value: ValRaw, ty: GlobalType) -> HostGlobal {
        HostGlobal { vm: VMGlobal { value }, ty, marked: false }
    }
}
