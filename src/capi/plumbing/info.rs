//! What a host keeps with objects that no store owns, or with modules in one store.

use super::env::Env;
use crate::runtime::ModuleId;
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The host info of one object that no store owns, or of modules in one store.
pub(in crate::capi) struct HostInfo<K>(Mutex<HashMap<K, Env>>);

/// Of a trap.
pub(in crate::capi) type TrapInfo = HostInfo<()>;

/// Of a store.
pub(in crate::capi) type StoreInfo = HostInfo<()>;

/// Of the modules in a store; it stays as long as the store.
pub(in crate::capi) type ModuleInfo = HostInfo<ModuleId>;

impl<K> Default for HostInfo<K> {
    fn default() -> Self {
        HostInfo(Mutex::new(HashMap::new()))
    }
}

impl<K: std::hash::Hash + Eq> HostInfo<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Env>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::capi) fn get(&self, key: &K) -> *mut c_void {
        self.lock().get(key).map_or(std::ptr::null_mut(), Env::get)
    }

    /// What was there; it is dropped when no lock is held, since that runs a finalizer.
    pub(in crate::capi) fn set(&self, key: K, info: Env) -> Option<Env> {
        self.lock().insert(key, info)
    }
}
