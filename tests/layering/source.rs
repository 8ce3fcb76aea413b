//! Reading Rust source as far as it takes to see what a file imports.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Replaces comments, strings and character literals by blanks, keeping line breaks.
pub fn strip(source: &str) -> String {
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
pub fn without_tests(source: &str) -> String {
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
pub fn mentions<'a>(source: &'a str, path: &'a str) -> impl Iterator<Item = usize> + 'a {
    source.match_indices(path).map(|(at, _)| at).filter(move |&at| {
        let after = source[at + path.len()..].chars().next();
        starts_word(source, at) && !matches!(after, Some(c) if c.is_alphanumeric() || c == '_')
    })
}

/// The names that follow directly after a `prefix::` (such as `crate::`): one, or those of a group in braces.
pub fn names_after(source: &str, at: usize) -> Vec<String> {
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
pub fn rooms_used(source: &str, depth: usize) -> BTreeSet<(usize, String)> {
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

pub fn rust_files(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}
