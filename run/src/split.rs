//! Files of split DWARF: those that were asked for, and those that are beside the module. A module may say any name:
//! what is opened by one is below the module's own folder, and is called `.dwo`.

use crate::end::{Ending, OrEnd, Run, USAGE, reason, say};
use crate::options::Options;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use stepwell::{Module, Result};

/// Gives the module a file, and complains if it is another module's. What is wrong with the file is for the caller.
fn give(module: &Module, path: &Path) -> io::Result<Result<()>> {
    let bytes = std::fs::read(path)?;
    let missing = module.missing_split_units().len();
    let given = module.add_split_dwarf(&bytes);
    if given.is_ok() && module.missing_split_units().len() == missing {
        say(format_args!("{}: it has nothing of this module's DWARF, and is not used", path.display()));
    }
    Ok(given)
}

/// The same for a file that nobody has asked for: whatever is wrong with it is said, and no reason not to run. False
/// if it is not there.
fn give_if_there(module: &Module, path: &Path) -> bool {
    match give(module, path) {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            say(format_args!("{}: {error}", path.display()));
            true
        }
        Err(_) => false,
    }
}

/// Gives the module a `.dwo` file by the name that it says.
fn give_dwo(module: &Module, folder: &Path, name: &str) {
    if name.len() < 5 || !name.ends_with(".dwo") {
        return;
    }
    let last = name.rsplit('/').next().unwrap_or(name);
    let is_outside = name.starts_with('/') || name.contains("..");
    let path = folder.join(if is_outside { last } else { name });
    if !give_if_there(module, &path) && !is_outside && last != name {
        give_if_there(module, &folder.join(last));
    }
}

/// Gives the module the files that were asked for.
pub fn give_asked(module: &Module, options: &Options) -> Run<()> {
    for file in &options.dwarf {
        let name = file.to_string_lossy();
        match give(module, Path::new(file)) {
            Ok(given) => given.or_end(USAGE, name)?,
            Err(error) => return Err(Ending::new(USAGE, format_args!("--dwarf: {name}: {}", reason(&error)))),
        }
    }
    Ok(())
}

/// Gives the module, if it is split, what is beside it: a package, `MODULE.dwp`, or for `MODULE.wasm` also the one of
/// the same name; and the `.dwo` files of units that are in none. To be called before the first place in the source is
/// asked for.
pub fn give_beside(module: &Module, options: &Options) {
    if !options.dwarf.is_empty() || options.module == "-" || module.missing_split_units().is_empty() {
        return;
    }
    let path = Path::new(&options.module);
    let mut package = OsString::from(path);
    package.push(".dwp");
    if !give_if_there(module, Path::new(&package)) && path.extension().is_some_and(|ending| ending != "dwp") {
        give_if_there(module, &path.with_extension("dwp"));
    }
    let folder = path.parent().map(PathBuf::from).unwrap_or_default();
    let mut before = String::new();
    let mut index = 0;
    loop {
        let missing = module.missing_split_units();
        let Some(name) = missing.get(index) else { return };
        let (name, count) = (name.unwrap_or_default().to_owned(), missing.len());
        if name != before {
            // Several units may be in one file.
            give_dwo(module, &folder, &name);
        }
        before = name;
        if module.missing_split_units().len() == count {
            index += 1; // else another one has this number now
        }
    }
}
