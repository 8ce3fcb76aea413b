//! Which file uses which: the graph behind the rules inside the rooms. What a module hands on (`pub use`) is looked for
//! where it is defined.

use super::source::{mentions, rust_files, strip, without_tests};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module, by the names that lead to it from the crate's root.
pub type Module = Vec<String>;

/// All modules that are files, with those that each uses.
pub struct Files(pub BTreeMap<Module, BTreeSet<Module>>);

/// The module's names with `::` between them.
pub fn shown(module: &[String]) -> String {
    module.join("::")
}

impl Files {
    /// Those under `src`.
    pub fn read(src: &Path) -> Files {
        let mut paths = Vec::new();
        rust_files(src, &mut paths);
        let mut sources = BTreeMap::new();
        for path in paths {
            let inside = path.strip_prefix(src).unwrap().with_extension("");
            let mut module: Module = inside.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            if module.iter().any(|part| part == "tests") || module == ["lib"] {
                continue;
            }
            if module.last().is_some_and(|last| last == "mod") {
                module.pop();
            }
            sources.insert(module, without_tests(&strip(&fs::read_to_string(&path).unwrap())));
        }
        Files::of(&sources)
    }

    /// Those with these sources, which are stripped.
    pub fn of(sources: &BTreeMap<Module, String>) -> Files {
        let handed_on = sources.iter().flat_map(|(module, source)| handed_on(module, source)).collect();
        let used = |(module, source): (&Module, &String)| {
            let mut used: BTreeSet<Module> =
                paths_in(module, source).into_iter().filter_map(|path| definer(sources, &handed_on, path)).collect();
            used.remove(module);
            (module.clone(), used)
        };
        Files(sources.iter().map(used).collect())
    }

    /// The circles: sets of more than one file of which each reaches every other.
    pub fn circles(&self) -> Vec<Vec<&Module>> {
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            self.0.keys().map(|from| (from, self.reached(from))).collect();
        let mut circles = BTreeSet::new();
        for (from, there) in &reached {
            let circle: Vec<_> = there.iter().copied().filter(|other| reached[other].contains(from)).collect();
            if circle.len() > 1 {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }

    /// What a file uses, what that uses, and so on.
    fn reached(&self, from: &Module) -> BTreeSet<&Module> {
        let mut reached = BTreeSet::new();
        let mut due: Vec<&Module> = self.0[from].iter().collect();
        while let Some(next) = due.pop() {
            if let Some((next, used)) = self.0.get_key_value(next)
                && reached.insert(next)
            {
                due.extend(used);
            }
        }
        reached
    }
}

/// What a module hands on, or has by another name: its name and where it is.
fn handed_on(module: &Module, source: &str) -> Vec<((Module, String), Module)> {
    let mut found = Vec::new();
    for at in mentions(source, "use") {
        let before = source[..at].trim_end();
        let statement = source[at + 3..].split(';').next().unwrap_or_default();
        let alias =
            statement.split_once(" as ").filter(|(path, _)| !path.contains('{')).map(|(_, alias)| word(alias).0);
        if !before.ends_with("pub") && !before.ends_with(')') && alias.is_none() {
            continue;
        }
        for mut path in tree(statement) {
            match path.first().map(String::as_str) {
                Some("crate") => drop(path.remove(0)),
                Some("self" | "super") => path = resolve(module, path),
                _ => path = module.iter().cloned().chain(path).collect(),
            }
            if let Some(name) = alias.map(str::to_owned).or_else(|| path.last().cloned()) {
                found.push(((module.clone(), name), path));
            }
        }
    }
    found
}

/// All paths that a source names, from the crate's root, without what it only hands on.
fn paths_in(module: &Module, source: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for root in ["crate", "super", "self"] {
        for at in mentions(source, root) {
            let statement = source[..at].rsplit([';', '}', '{']).next().unwrap_or_default().trim();
            let handed_on = statement.starts_with("pub") && statement.contains(" use");
            if source[at + root.len()..].starts_with("::") && !handed_on && !statement.ends_with("(in") {
                found.extend(tree(&source[at..]).into_iter().map(|path| resolve(module, path)));
            }
        }
    }
    found
}

/// A path from the crate's root.
fn resolve(module: &Module, path: Vec<String>) -> Module {
    let mut base = module.clone();
    let mut rest = path.as_slice();
    loop {
        match rest.first().map(String::as_str) {
            Some("crate") => base.clear(),
            Some("super") => drop(base.pop()),
            Some("self") => {}
            _ => break,
        }
        rest = &rest[1..];
    }
    base.extend(rest.iter().cloned());
    base
}

/// The file that defines what a path leads to.
fn definer(
    sources: &BTreeMap<Module, String>,
    handed_on: &BTreeMap<(Module, String), Module>,
    mut path: Module,
) -> Option<Module> {
    // A name that is handed on in a circle would be no Rust.
    for _ in 0..8 {
        let length = (1..=path.len()).rev().find(|length| sources.contains_key(&path[..*length]))?;
        let module = path[..length].to_vec();
        let Some(name) = path.get(length) else { return Some(module) };
        match handed_on.get(&(module.clone(), name.clone())) {
            Some(further) => path = further.iter().chain(&path[length + 1..]).cloned().collect(),
            None => return Some(module),
        }
    }
    None
}

/// The paths of a `use` tree, or of a path in code: `a::{b, c::d}` is `a::b` and `a::c::d`.
pub fn tree(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    branch(text, &[], &mut found);
    found
}

/// Adds the paths of one branch of a tree; what is behind it.
fn branch<'a>(text: &'a str, above: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = above.to_vec();
    let mut rest = text;
    loop {
        let (name, after) = word(rest);
        if !name.is_empty() && (name != "self" || path.is_empty()) {
            path.push(name.to_owned());
        }
        let Some(below) = after.strip_prefix("::").map(str::trim_start) else {
            found.push(path);
            return match word(after) {
                ("as", alias) => word(alias).1,
                _ => after.strip_prefix('*').unwrap_or(after).trim_start(),
            };
        };
        rest = below;
        if let Some(mut inside) = below.strip_prefix('{').map(str::trim_start) {
            while !inside.is_empty() && !inside.starts_with('}') {
                let behind = branch(inside, &path, found);
                inside = behind.strip_prefix(',').unwrap_or(behind).trim_start();
                if inside.len() == behind.len() && !inside.starts_with('}') {
                    break; // no tree
                }
            }
            return inside.strip_prefix('}').unwrap_or(inside).trim_start();
        }
    }
}

/// The name at the start of a text, which may be empty, and what is behind it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}
