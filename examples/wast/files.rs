//! Scripts from files and folders.

use super::script::Script;
use std::fs;
use std::path::Path;

/// The scripts at `path`: one file, or all `.wast` files below a folder, sorted.
pub fn at_path(path: &Path, scripts: &mut Vec<Script>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    if fs::metadata(path).map_err(failed)?.is_dir() {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            entries.push(entry.map_err(failed)?.path());
        }
        entries.sort();
        for entry in entries {
            if entry.is_dir() || entry.extension().is_some_and(|extension| extension == "wast") {
                at_path(&entry, scripts)?;
            }
        }
        return Ok(());
    }
    let bytes = fs::read(path).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{}: not UTF-8", path.display()))?;
    let absolute = fs::canonicalize(path).map_err(failed)?;
    let folder = absolute.parent().map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
    scripts.push(Script { name: path.to_string_lossy().into_owned(), folder, text });
    Ok(())
}
