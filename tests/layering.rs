//! Holds the house's floor plan: which room under `src/` may use which (the table in `ARCHITECTURE.md`), and which rooms
//! alone may use the operating system or a crate that belongs to one room's job. It reads the sources; test modules
//! (`#[cfg(test)]`, files named `tests.rs`) are exempt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Room, and the rooms it may use besides itself and `base`.
const ROOMS: &[(&str, &[&str])] = &[
    ("capi", &["remote", "wasi", "debug", "runtime", "code", "compile", "image", "wasm", "abi", "sys"]),
    ("remote", &["debug", "runtime", "wasm"]),
    ("wasi", &["runtime"]),
    ("debug", &["runtime", "code", "image", "wasm"]),
    ("runtime", &["code", "compile", "image", "wasm", "abi", "sys"]),
    ("code", &["image", "abi", "sys"]),
    ("compile", &["image", "wasm", "abi"]),
    ("image", &["abi"]),
    ("sys", &["abi"]),
    ("wasm", &[]),
    ("abi", &[]),
    ("base", &[]),
];

/// Paths that only some rooms may name.
const RESERVED: &[(&str, &[&str])] = &[
    ("libc", &["sys", "wasi", "remote"]),
    ("region", &["sys"]),
    ("rustix", &["sys", "wasi", "remote"]),
    ("cap_std", &["wasi"]),
    ("cap_fs_ext", &["wasi"]),
    ("std::fs", &["sys", "wasi", "remote"]),
    ("std::net", &["sys", "wasi", "remote"]),
    ("std::os", &["sys", "wasi", "remote"]),
    ("std::env", &["sys", "wasi", "remote"]),
    ("cranelift_codegen", &["compile"]),
    ("cranelift_frontend", &["compile"]),
    ("cranelift_native", &["compile"]),
    ("wasmparser", &["wasm", "compile"]),
    ("object", &["image", "wasm"]),
    ("gimli", &["wasm"]),
    ("cpp_demangle", &["wasm"]),
    ("rustc_demangle", &["wasm"]),
];

/// Replaces comments, strings and character literals by blanks, keeping line breaks.
fn strip(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = String::with_capacity(source.len());
    let mut i = 0;
    let blank = |out: &mut String, text: &[u8]| out.extend(text.iter().map(|&b| if b == b'\n' { '\n' } else { ' ' }));
    while i < bytes.len() {
        let rest = &bytes[i..];
        let word = i > 0 && (bytes[i - 1].is_ascii_alphanumeric() || bytes[i - 1] == b'_');
        let length = if rest.starts_with(b"//") {
            rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())
        } else if rest.starts_with(b"/*") {
            block_comment(rest)
        } else if rest[0] == b'"' {
            quoted(rest)
        } else if rest[0] == b'r' && !word && raw_string(rest).is_some() {
            raw_string(rest).unwrap_or(1)
        } else if rest[0] == b'\'' {
            // A character literal, or a lifetime, which is left alone.
            match rest.get(1) {
                Some(b'\\') => 2 + rest[2..].iter().skip(1).position(|&b| b == b'\'').map_or(0, |p| p + 2),
                Some(_) if rest.get(2) == Some(&b'\'') => 3,
                _ => 0,
            }
        } else {
            0
        };
        if length > 0 {
            blank(&mut out, &rest[..length]);
            i += length;
        } else {
            out.push(if rest[0].is_ascii() { char::from(rest[0]) } else { ' ' });
            i += 1;
        }
    }
    out
}

/// The length of the (nesting) block comment at the start of `text`.
fn block_comment(text: &[u8]) -> usize {
    let (mut depth, mut i) = (0, 0);
    while i < text.len() {
        if text[i..].starts_with(b"/*") {
            depth += 1;
            i += 2;
        } else if text[i..].starts_with(b"*/") {
            depth -= 1;
            i += 2;
            if depth == 0 {
                return i;
            }
        } else {
            i += 1;
        }
    }
    i
}

/// The length of the string literal at the start of `text`.
fn quoted(text: &[u8]) -> usize {
    let mut i = 1;
    while i < text.len() {
        match text[i] {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    text.len()
}

/// The length of the raw string literal at the start of `text`, if there is one.
fn raw_string(text: &[u8]) -> Option<usize> {
    let hashes = text[1..].iter().take_while(|&&b| b == b'#').count();
    if text.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let end: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = 2 + hashes;
    let at = text[body..].windows(end.len()).position(|window| window == end)?;
    Some(body + at + end.len())
}

/// Removes each `#[cfg(test)]` item with its body (of stripped source).
fn without_tests(source: &str) -> String {
    let mut out = source.to_owned();
    while let Some(start) = out.find("#[cfg(test)]") {
        let mut depth = 0usize;
        let mut end = out.len();
        for (i, b) in out.bytes().enumerate().skip(start) {
            match b {
                b'{' => depth += 1,
                b'}' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        end = i + 1;
                        break;
                    }
                }
                b';' if depth == 0 => {
                    end = i + 1;
                    break;
                }
                _ => {}
            }
        }
        let blanks: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        out.replace_range(start..end, &blanks);
    }
    out
}

/// Whether `source` has the identifier-like path `path` at byte `at`, not as part of a longer word or path.
fn starts_word(source: &str, at: usize) -> bool {
    let before = source[..at].chars().next_back();
    !matches!(before, Some(c) if c.is_alphanumeric() || c == '_' || c == ':')
}

/// All positions of the path `path` in `source`.
fn mentions<'a>(source: &'a str, path: &'a str) -> impl Iterator<Item = usize> + 'a {
    source.match_indices(path).map(|(at, _)| at).filter(move |&at| {
        let after = source[at + path.len()..].chars().next();
        starts_word(source, at) && !matches!(after, Some(c) if c.is_alphanumeric() || c == '_')
    })
}

/// The names that follow directly after a `prefix::` (such as `crate::`): one, or those of a group in braces.
fn names_after(source: &str, at: usize) -> Vec<String> {
    let rest = source[at..].trim_start();
    let ident = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '!').collect()
    };
    let Some(group) = rest.strip_prefix('{') else { return vec![ident(rest)] };
    let (mut depth, mut names, mut start) = (0, Vec::new(), 0);
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(ident(&group[start..i]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(ident(&group[start..i]));
                start = i + 1;
            }
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The rooms a file reaches: by `crate::room`, or by `super::room` chains that leave the room.
fn rooms_used(source: &str, depth: usize) -> BTreeSet<(usize, String)> {
    let mut used = BTreeSet::new();
    let mut add = |at: usize, after: usize| {
        let line = source[..at].matches('\n').count() + 1;
        // `crate::name!` is a macro: exported ones live at the crate's root whatever room defines them.
        used.extend(names_after(source, after).into_iter().filter(|n| !n.ends_with('!')).map(|n| (line, n)));
    };
    for at in mentions(source, "crate") {
        if let Some(rest) = source[at + 5..].strip_prefix("::") {
            add(at, source.len() - rest.len());
        }
    }
    for at in mentions(source, "super") {
        let mut rest = &source[at..];
        let mut climbed = 0;
        while let Some(further) = rest.strip_prefix("super::") {
            climbed += 1;
            rest = further;
        }
        if climbed >= depth {
            add(at, source.len() - rest.len());
        }
    }
    used
}

fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

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
        if parts == ["lib.rs"] || parts.contains(&"tests.rs") || parts.contains(&"tests") {
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

#[test]
fn the_table_points_down_only() {
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
