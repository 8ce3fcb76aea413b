//! Compiled modules in a folder, to be found by whoever makes a module of the same bytes: in another engine of the same
//! configuration and version, in another process, after a restart. What is kept is what [`Module::serialize`] gives,
//! and it is taken as that is: damage is found, malice is not. So the folder is one that nobody else may write to; a
//! file is of the bytes that it is found by, or it is not used, whatever its name says. Nothing here fails: where
//! something is wrong, modules are compiled, and the engine says so.

use crate::base::{Error, ErrorKind, Escaped, Result};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::compiled::log::{Fallbacks, LogLevel};
use crate::runtime::compiled::module::Module;
use std::path::Path;
use std::time::Instant;
use xxhash_rust::xxh3::Xxh3;

/// The module of these bytes, if the engine's cache has it, whole.
pub(in crate::runtime) fn find(engine: &Engine, binary: &[u8]) -> Option<Module> {
    let begin = Instant::now();
    let path = engine.cache()?.find(&name(engine, binary))?;
    match load(engine, &path, binary) {
        Ok(module) => {
            engine.log(LogLevel::Info, || {
                format!("found module {} in the cache, in {:?}", module.shown_name(), begin.elapsed())
            });
            Some(module)
        }
        Err(error) => {
            engine.log(LogLevel::Warn, || format!("a file of the cache is not used, and made anew: {error}"));
            None
        }
    }
}

/// Keeps a module, with what has been compiled of it, where its engine has a cache.
pub(in crate::runtime) fn keep(module: &Module) {
    let engine = module.engine();
    let Some(cache) = engine.cache() else { return };
    let kept = module.serialize().and_then(|bytes| cache.put(&name(engine, &module.binary_to_write()), &bytes));
    match kept {
        Ok(0) => {}
        Ok(thrown) => engine.log(LogLevel::Debug, || format!("{thrown} modules were thrown out of the cache")),
        Err(error) => engine.fell_back(Fallbacks::NO_CACHE, || format!("{error}; the module is not kept")),
    }
}

/// Loads a file, if it is of these bytes: names are hashes, and a guest may have been made to have another's.
fn load(engine: &Engine, path: &Path, binary: &[u8]) -> Result<Module> {
    let module = Module::deserialize_from_file(engine, path)?;
    if module.binary_to_write() != binary {
        let message = format!("`{}` is of another module", Escaped(&path.to_string_lossy()));
        return Err(Error::new(ErrorKind::InvalidModule, message));
    }
    Ok(module)
}

/// What the file of a module is called: by its bytes, and by all that its code depends on besides.
fn name(engine: &Engine, binary: &[u8]) -> String {
    let mut hash = Xxh3::new();
    hash.update(engine.manifest().to_text().as_bytes());
    hash.update(&[0]);
    hash.update(binary);
    format!("{:032x}", hash.digest128())
}
