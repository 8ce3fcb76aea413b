//! What stands behind a host function: a head that compiled code knows, and a closure.

use crate::abi::{HostCall, VMFuncRef, VMStoreContext};
use crate::runtime::objects::owned::Owned;
use std::ptr::NonNull;

/// What every host function's structure starts with; compiled code knows the first field.
#[repr(C)]
pub(in crate::runtime) struct HostHead {
    /// What trampolines call, with this structure as the callee.
    pub(in crate::runtime) call: HostCall,
    /// The store it belongs to.
    pub(in crate::runtime) store: NonNull<VMStoreContext>,
    /// What tables, imports and handles point to.
    pub(in crate::runtime) func_ref: VMFuncRef,
    /// Set during a collection, if it can be reached.
    pub(in crate::runtime) marked: bool,
    /// What it does, as far as that has a name.
    pub(in crate::runtime) origin: HostOrigin,
}

/// Where a host function comes from: what debuggers may find a name by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HostOrigin {
    /// A closure of Rust's: it has no name that the system would know.
    #[default]
    Closure,
    /// A function of the host's at this address.
    Callback(usize),
    /// A function of ours, with this name.
    Ours(&'static str),
}

/// A host function with its closure.
#[repr(C)]
pub(in crate::runtime) struct HostFunc<F> {
    pub(in crate::runtime) head: HostHead,
    pub(in crate::runtime) body: F,
}

/// A host function of whatever closure: always a [`HostFunc`], which starts with a [`HostHead`].
pub(in crate::runtime) trait HostObject: Send {}

// SAFETY: the closure is `Send` (the bound below); the pointers are the store's own.
unsafe impl<F: Send> Send for HostFunc<F> {}

impl<F: Send> HostObject for HostFunc<F> {}

impl<F: Send + 'static> Owned<HostFunc<F>> {
    pub(in crate::runtime) fn erase(self) -> Owned<dyn HostObject> {
        let ptr = std::mem::ManuallyDrop::new(self).ptr().as_ptr();
        // SAFETY: made from a box by `Owned::new`; ownership goes from one to the other.
        Owned::new(unsafe { Box::from_raw(ptr as *mut dyn HostObject) })
    }
}
