//! Holds the house's floor plan: which room under `src/` may use which (the table in `ARCHITECTURE.md`), and which
//! rooms alone may use the operating system or a crate that belongs to one room's job. It reads the sources; test
//! modules (`#[cfg(test)]`, files named `tests.rs`) are exempt. The same inside of rooms that have a table of their
//! own; and that files do not use each other in circles; and that what is of the machine is in its room.

mod files;
mod machine;
mod source;

use files::{Files, shown};
use source::{mentions, names_after, rooms_used, rust_files, strip, without_tests};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A row of a table: a room, and those that it may use.
type Row = (&'static str, &'static [&'static str]);

/// Room, and the rooms it may use besides itself and `base`.
const ROOMS: &[Row] = &[
    ("capi", &["remote", "wasi", "debug", "runtime", "code", "compile", "image", "sys", "dwarf", "wasm", "isa", "abi"]),
    ("remote", &["debug", "runtime", "dwarf", "wasm"]),
    ("wasi", &["runtime"]),
    ("debug", &["runtime", "code", "image", "dwarf", "wasm"]),
    ("runtime", &["code", "compile", "image", "dwarf", "wasm", "isa", "abi", "sys"]),
    ("code", &["image", "isa", "abi", "sys"]),
    ("compile", &["image", "isa", "wasm", "abi"]),
    ("image", &["isa", "abi"]),
    ("sys", &["isa", "abi"]),
    ("dwarf", &["wasm"]),
    ("wasm", &[]),
    ("isa", &["abi"]),
    ("abi", &[]),
    ("base", &[]),
];

/// Rooms that are parted: a room inside, and those that it may use besides itself. Files that are in none of them are
/// above all.
const INSIDE: &[(&str, &[Row])] = &[
    ("capi", &[("plumbing", &[])]),
    (
        "runtime",
        &[
            ("handle", &["control", "store", "objects", "compiled"]),
            ("control", &["store", "objects", "compiled"]),
            ("store", &["objects", "compiled"]),
            ("objects", &["compiled"]),
            ("compiled", &[]),
        ],
    ),
];

/// The most files that may use each other in a circle.
const MAX_CIRCLE: usize = 3;

/// As in `rustfmt.toml`.
const WIDTH: usize = 120;

/// Paths that only some rooms may name.
const RESERVED: &[Row] = &[
    ("libc", &["sys", "isa", "wasi", "remote"]),
    ("region", &["sys"]),
    ("corosensei", &["sys"]),
    ("rustix", &["sys", "wasi", "remote"]),
    ("cap_std", &["wasi"]),
    ("cap_fs_ext", &["wasi"]),
    ("std::fs", &["sys", "wasi", "remote"]),
    ("std::net", &["sys", "wasi", "remote"]),
    ("std::os", &["sys", "wasi", "remote"]),
    ("std::env", &["sys", "wasi", "remote"]),
    ("cranelift_codegen", &["compile", "isa"]),
    ("cranelift_frontend", &["compile"]),
    ("cranelift_native", &["compile"]),
    ("wasmparser", &["dwarf", "wasm", "compile"]),
    ("object", &["image", "dwarf", "isa"]),
    ("wasm_encoder", &["runtime"]),
    ("wast", &["wasm"]),
    ("iced_x86", &["isa"]),
    ("gimli", &["dwarf"]),
    ("cpp_demangle", &["wasm"]),
    ("rustc_demangle", &["wasm"]),
    ("serde_json", &["remote"]),
];

/// Every breach of the floor plan in one file's source.
fn breaches(room: &str, depth: usize, source: &str) -> Vec<(usize, String)> {
    let table: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let source = without_tests(&strip(source));
    let mut found = Vec::new();
    for (line, used) in rooms_used(&source, depth) {
        if used == room || used == "base" {
            continue;
        }
        if !table.contains_key(used.as_str()) {
            found.push((line, format!("`{used}` is no room; say `crate::ROOM::...`")));
        } else if !table[room].contains(&used.as_str()) {
            found.push((line, format!("`{room}` may not use `{used}`")));
        }
    }
    for (path, rooms) in RESERVED {
        if rooms.contains(&room) {
            continue;
        }
        for at in mentions(&source, path) {
            // A crate's name counts where a path starts or a `use` names it, not as somebody's variable.
            let path_follows = source[at + path.len()..].starts_with("::");
            let used = source[..at].trim_end().ends_with("use");
            if path.contains("::") || path_follows || used {
                let line = source[..at].matches('\n').count() + 1;
                found.push((line, format!("`{room}` may not use `{path}`")));
            }
        }
        if let Some((parent, child)) = path.split_once("::") {
            for at in mentions(&source, parent) {
                if let Some(rest) = source[at + parent.len()..].strip_prefix("::{") {
                    let names = names_after(&source, source.len() - rest.len() - 1);
                    if names.iter().any(|name| name == child) {
                        let line = source[..at].matches('\n').count() + 1;
                        found.push((line, format!("`{room}` may not use `{path}`")));
                    }
                }
            }
        }
    }
    found
}

#[test]
fn rooms_use_only_what_is_below_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 10, "found only {} source files in {}", files.len(), src.display());
    let mut found = String::new();
    for file in files {
        let inside = file.strip_prefix(&src).unwrap();
        let parts: Vec<_> = inside.iter().map(|part| part.to_str().unwrap()).collect();
        if parts == ["lib.rs"] || parts == ["internals.rs"] || parts.contains(&"tests.rs") || parts.contains(&"tests") {
            continue;
        }
        let room = parts[0].trim_end_matches(".rs");
        if !ROOMS.iter().any(|(known, _)| *known == room) {
            found += &format!("src/{}: no room `{room}` in the table\n", inside.display());
            continue;
        }
        // How many `super::` lead from a module in this file to the crate's root.
        let depth = parts.len() - usize::from(parts.last() == Some(&"mod.rs"));
        for (line, what) in breaches(room, depth, &fs::read_to_string(&file).unwrap()) {
            found += &format!("src/{}:{line}: {what}\n", inside.display());
        }
    }
    assert!(found.is_empty(), "the floor plan (ARCHITECTURE.md) is broken:\n{found}");
}

/// Every use that the tables of rooms inside of rooms do not allow.
fn breaches_inside(files: &Files) -> Vec<String> {
    let mut found = Vec::new();
    for (room, table) in INSIDE {
        let part_of = |module: &[String]| {
            let inside = module.len() > 1 && module[0] == *room;
            inside.then(|| table.iter().position(|(part, _)| *part == module[1])).flatten()
        };
        for (module, used) in &files.0 {
            let Some(part) = part_of(module) else { continue };
            for other in used.iter().filter(|other| other[0] == *room) {
                let allowed =
                    part_of(other).is_some_and(|below| below == part || table[part].1.contains(&table[below].0));
                if !allowed {
                    found.push(format!("{} uses {}, which is above it", shown(module), shown(other)));
                }
            }
        }
    }
    found
}

#[test]
fn rooms_inside_of_rooms_use_only_what_is_below_them() {
    let found = breaches_inside(&Files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));
    assert!(found.is_empty(), "the floor plan (ARCHITECTURE.md) is broken:\n{}", found.join("\n"));
}

#[test]
fn files_use_each_other_in_small_circles_only() {
    let files = Files::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let circles = files.circles();
    assert!(!circles.is_empty(), "there are some of two or three");
    let large = circles.iter().filter(|circle| circle.len() > MAX_CIRCLE);
    let told: Vec<_> = large
        .map(|circle| {
            format!("{} files: {}", circle.len(), circle.iter().map(|m| shown(m)).collect::<Vec<_>>().join(", "))
        })
        .collect();
    assert!(told.is_empty(), "files use each other in circles of more than {MAX_CIRCLE}:\n{}", told.join("\n"));
}

/// The lines of a source that are wider than rustfmt makes them, and that it leaves alone: comments, but for tables.
fn wide(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = source.lines().enumerate().map(|(i, line)| (i + 1, line));
    lines.filter(|(_, line)| {
        let comment = line.trim_start();
        comment.starts_with("//") && !comment.contains(" | ") && line.chars().count() > WIDTH
    })
}

#[test]
fn comments_are_no_wider_than_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = String::new();
    let mut files = Vec::new();
    ["src", "tests", "examples", "run/src", "xtask", "bench/src", "fuzz/src", "fuzz/targets"]
        .iter()
        .for_each(|folder| rust_files(&root.join(folder), &mut files));
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        for (line, text) in wide(&source) {
            found += &format!("{}:{line}: {text}\n", file.strip_prefix(root).unwrap().display());
        }
    }
    assert!(found.is_empty(), "comments wider than {WIDTH} columns:\n{found}");
    assert_eq!(wide(&format!("    // {}\n//! {}", "x".repeat(110), "x".repeat(117))).count(), 1);
}

#[test]
fn the_table_points_down_only() {
    for (_, table) in INSIDE {
        for (i, (_, uses)) in table.iter().enumerate() {
            let below: Vec<_> = table[i + 1..].iter().map(|(room, _)| *room).collect();
            assert!(uses.iter().all(|used| below.contains(used)));
        }
    }
    let floor: BTreeMap<_, _> = ROOMS.iter().enumerate().map(|(i, (room, _))| (*room, i)).collect();
    for (i, (room, uses)) in ROOMS.iter().enumerate() {
        for used in *uses {
            assert!(floor[used] > i, "{room} -> {used} points up");
        }
    }
}

#[test]
fn the_document_has_the_same_table() {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    for (room, uses) in ROOMS {
        let row = document.lines().find(|line| line.starts_with(&format!("| `{room}/` |")));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for {room}"));
        let said = row.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        let below = ROOMS.iter().rev().skip(1).rev().filter(|(other, _)| other != room).count();
        let expected = match uses.len() {
            0 => "-".to_owned(),
            n if n == below => "all below".to_owned(),
            _ => uses.join(", "),
        };
        assert_eq!(said, expected, "what `{room}` may use, in ARCHITECTURE.md");
    }
    for (room, table) in INSIDE {
        for (part, uses) in *table {
            let row = document.lines().find(|line| line.starts_with(&format!("| `{room}/{part}/` |")));
            let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for {room}/{part}"));
            let said = row.trim_end_matches('|').rsplit('|').next().unwrap().trim();
            let expected = if uses.is_empty() { "-".to_owned() } else { uses.join(", ") };
            assert_eq!(said, expected, "what `{room}/{part}` may use, in ARCHITECTURE.md");
        }
    }
}

#[test]
fn breaches_inside_and_circles_are_seen() {
    let files = |sources: &[(&str, &str)]| {
        let sources = sources
            .iter()
            .map(|(path, source)| (path.split("::").map(str::to_owned).collect(), without_tests(&strip(source))));
        Files::of(&sources.collect())
    };
    let room = "mod store; mod control; pub use control::call::enter;";
    let seen = |source: &str| {
        breaches_inside(&files(&[
            ("runtime", room),
            ("runtime::control", "pub mod call;"),
            ("runtime::control::call", "use crate::runtime::store::Store;"),
            ("runtime::store", source),
        ]))
        .len()
    };
    assert_eq!(seen("use crate::base::{Pc, x}; // crate::runtime::control::call::x"), 0);
    assert_eq!(seen("use crate::runtime::control::call::{self, x};"), 1);
    assert_eq!(seen("use crate::{base::Pc, runtime::{control::call::{x, y as z,},}};"), 1);
    assert_eq!(seen("fn f() { super::control::call::x(); }"), 1);
    assert_eq!(seen("use super::enter;"), 1, "what is handed on is where it is defined");
    assert_eq!(seen("pub(in crate::runtime) fn f() {}"), 0);
    assert_eq!(seen("#[cfg(test)]\nmod tests { use crate::runtime::control::call; }"), 0);
    let circles = |sources: &[(&str, &str)]| -> Vec<usize> { files(sources).circles().iter().map(Vec::len).collect() };
    assert_eq!(circles(&[("a", "use crate::b::x;"), ("b", "use crate::c::x;"), ("c", "")]), [] as [usize; 0]);
    assert_eq!(circles(&[("a", "use crate::b::x;"), ("b", "fn f() { crate::c::x() }"), ("c", "use super::a;")]), [3]);
    assert_eq!(circles(&[("a", "use self::b::x;"), ("a::b", "use super::y;"), ("c", "use crate::a::b;")]), [2]);
    let alias = ("a", "mod c; use c as d; pub use c::d;");
    assert_eq!(circles(&[alias, ("a::b", "use super::d::x;"), ("a::c", "use super::b::x;")]), [2], "by another name");
}

#[test]
fn breaches_are_seen() {
    let lines = |room: &str, depth, source: &str| -> Vec<usize> {
        let mut lines: Vec<_> = breaches(room, depth, source).into_iter().map(|(line, _)| line).collect();
        lines.dedup();
        lines
    };
    assert_eq!(lines("code", 2, "use crate::image::CodeImage;\nuse crate::base::Pc;\n"), [] as [usize; 0]);
    assert_eq!(lines("code", 2, "use crate::image::CodeImage;\nuse crate::runtime::Store;\n"), [2]);
    assert_eq!(lines("wasm", 2, "use crate::{base::Pc,\n  abi::{TrapCode, x}, wasm::Y};"), [1]);
    assert_eq!(lines("image", 2, "fn f() { let x = crate::debug::y(); }"), [1]);
    assert_eq!(lines("image", 1, "use super::debug::y;"), [1], "out of the room by super");
    assert_eq!(lines("image", 2, "use super::debug::y;"), [] as [usize; 0], "a module of the room itself");
    assert_eq!(lines("image", 2, "use super::super::debug::y;"), [1]);
    assert_eq!(lines("image", 2, "use crate::nowhere::y;"), [1]);
    assert_eq!(
        lines("image", 2, "// crate::debug\n/* crate::debug */ const X: &str = \"crate::debug\";"),
        [] as [usize; 0]
    );
    assert_eq!(lines("image", 2, "const X: char = '\"'; use crate::debug::y; const Y: char = '\\'';"), [1]);
    assert_eq!(lines("image", 2, "fn f<'a>(x: &'a u8) { crate::debug::y(r#\"\"crate::capi\"#) }"), [1]);
    assert_eq!(lines("image", 2, "#[cfg(test)]\nmod tests { use crate::debug::y; }\nuse libc::mmap;"), [3]);
    assert_eq!(lines("runtime", 2, "use std::{cell::Cell, fs};"), [1]);
    assert_eq!(lines("runtime", 2, "let x = std::fs::read(p);"), [1]);
    assert_eq!(lines("runtime", 2, "use libc;\nlet object = 1; object.y();"), [1]);
    assert_eq!(lines("sys", 2, "use libc::mmap; use crate::abi::X; crate::shim!(a => b);"), [] as [usize; 0]);
    assert_eq!(lines("debug", 2, "use cranelift_codegen::ir;"), [1]);
}
