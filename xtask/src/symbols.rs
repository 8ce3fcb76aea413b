//! `cargo xtask symbols`: the shared library exports what the headers declare, and what `tests/abi/symbols.txt`
//! lists. The diff of that file is the review of a change to the ABI.

use crate::{headers, read, root, write_or_check};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// What is exported for debuggers of the process, which look for these names; no header declares them.
const FOR_DEBUGGERS: [&str; 2] = ["__jit_debug_descriptor", "__jit_debug_register_code"];

/// Compares the symbols of `library` (or of one built now) with headers and list; or writes the list.
pub fn run(library: Option<&Path>, bless: bool) -> Result<(), String> {
    let built = root().join("target/release/libstepwell.so");
    let library = match library {
        Some(library) => library,
        None => {
            build()?;
            &built
        }
    };
    let exported = exported(library)?;
    let mut declared: BTreeSet<String> = FOR_DEBUGGERS.map(str::to_owned).into();
    for path in headers::paths() {
        declared.append(&mut prototypes(&read(&root().join("include").join(path))?));
    }
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>().join(", ");
    let (missing, leaked) = (only(&declared, &exported), only(&exported, &declared));
    if !missing.is_empty() || !leaked.is_empty() {
        return Err(format!(
            "the library's symbols are not the headers' prototypes\n  declared, not exported: {missing}\n  exported, not declared: {leaked}"
        ));
    }
    let mut list = exported.into_iter().collect::<Vec<_>>().join("\n");
    list.push('\n');
    write_or_check(&root().join("tests/abi/symbols.txt"), &list, !bless, "symbols --bless")
}

/// Builds the shared library, as the tests do: with other features Cranelift would be compiled once more.
fn build() -> Result<(), String> {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--workspace", "--lib", "--example", "wast"])
        .current_dir(root())
        .status()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if status.success() { Ok(()) } else { Err("the library does not build".to_owned()) }
}

/// The dynamic symbols a library defines.
fn exported(library: &Path) -> Result<BTreeSet<String>, String> {
    let output = Command::new("nm")
        .args(["-D", "--defined-only", "--format=posix"])
        .arg(library)
        .output()
        .map_err(|error| format!("cannot run nm: {error}"))?;
    if !output.status.success() {
        return Err(format!("nm {}: {}", library.display(), String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

/// The functions a header declares: the name in front of the first parenthesis behind each export macro.
fn prototypes(header: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let code: String =
        header.lines().filter(|line| !line.trim_start().starts_with(['#', '*', '/'])).collect::<Vec<_>>().join(" ");
    for part in code.split("WASM_API_EXTERN").flat_map(|part| part.split("STEPWELL_API")).skip(1) {
        if let Some((before, _)) = part.split_once('(')
            && let Some(name) = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()
            && (name.starts_with("wasm_") || name.starts_with("stepwell_"))
        {
            names.insert(name.to_owned());
        }
    }
    names
}
