//! Where an engine keeps compiled modules, to be found by whoever makes a module of the same bytes: in another engine
//! of the same configuration and version, in another process, after a restart. What is kept is serialized modules, and
//! taken as those are: damage is found, malice is not. So the folder is one that nobody else may write to. How they are
//! used is for `module.rs`. Nothing of it fails: where something is wrong, modules are compiled, and the engine says
//! so.

use crate::base::{Error, Result};
use crate::sys::cache::Folder;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use xxhash_rust::xxh3::Xxh3;

/// Where compiled modules are kept, and how much of them: see [`Config::cache`](crate::runtime::Config::cache).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
    max_bytes: u64,
}

impl Cache {
    /// A folder, which is made if there is none, for the user alone, and the most bytes that files in it may have:
    /// those that were used longest ago go first. One that others may write to is not used: what is in it is machine
    /// code.
    pub fn new(folder: impl Into<PathBuf>, max_bytes: u64) -> Cache {
        Cache { folder: folder.into(), max_bytes }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The most bytes.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }
}

/// A cache that an engine uses.
#[derive(Debug)]
pub(in crate::runtime) struct OpenCache {
    folder: Folder,
    /// One thread at a time throws away what is too much; other processes are not waited for.
    writing: Mutex<()>,
}

impl OpenCache {
    /// Opens it, or says why it cannot be used.
    pub(in crate::runtime) fn open(cache: Option<&Cache>) -> (Option<OpenCache>, Option<Error>) {
        match cache.map(|cache| Folder::open(&cache.folder, cache.max_bytes)) {
            None => (None, None),
            Some(Ok(folder)) => (Some(OpenCache { folder, writing: Mutex::default() }), None),
            Some(Err(error)) => (None, Some(error)),
        }
    }

    /// Where the file of this name is, if it is there.
    pub(in crate::runtime) fn find(&self, name: &str) -> Option<PathBuf> {
        self.folder.find(name)
    }

    /// Writes a file, and throws away what is too much; how many files that were.
    pub(in crate::runtime) fn put(&self, name: &str, bytes: &[u8]) -> Result<usize> {
        // Nothing is left half-done by a panic that could be survived.
        let _one = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.folder.put(name, bytes)
    }
}

/// What the file of a module is called: by all that its code depends on, in words, and by its bytes. Others may have
/// the same: a file is compared with what it is to be of.
pub(in crate::runtime) fn name_of(manifest: &str, binary: &[u8]) -> String {
    let mut hash = Xxh3::new();
    hash.update(manifest.as_bytes());
    hash.update(&[0]);
    hash.update(binary);
    format!("{:032x}", hash.digest128())
}
