//! What bytes that are not what was asked for begin with, and what they probably are, for messages: somebody passed the
//! wrong file, and is to see which.

use std::fmt::{self, Write as _};

/// How many bytes are shown.
const SHOWN: usize = 8;
/// How far is looked for what a text says.
const LOOKED_AT: usize = 512;

/// What files begin with.
const MAGICS: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "it is compressed by gzip: unpack it first (`gunzip`)"),
    (b"\x28\xb5\x2f\xfd", "it is compressed by zstd: unpack it first (`unzstd`)"),
    (b"\xfd7zXZ\0", "it is compressed by xz: unpack it first (`unxz`)"),
    (b"BZh", "it is compressed by bzip2: unpack it first (`bunzip2`)"),
    (b"\x04\x22\x4d\x18", "it is compressed by lz4: unpack it first (`unlz4`)"),
    (b"PK\x03\x04", "it is a zip archive: unpack it first"),
    (b"!<arch>\n", "it is a static library: link it to a module first"),
    (b"!<thin>\n", "it is a static library: link it to a module first"),
    (b"BC\xc0\xde", "it is LLVM bitcode: compile it to a module first"),
    (b"MZ", "it is a Windows program or library"),
    (b"\xcf\xfa\xed\xfe", "it is a macOS program, library or object file"),
    (b"\xce\xfa\xed\xfe", "it is a macOS program, library or object file"),
    (b"\xca\xfe\xba\xbe", "it is a macOS program of several parts, or a Java class"),
    (b"msa\0", "its bytes are in the wrong order"),
    (b"\xef\xbb\xbf", "it is text with a byte order mark"),
    (b"\xff\xfe", "it is text in UTF-16"),
    (b"\xfe\xff", "it is text in UTF-16"),
    (b"\x89PNG", "it is a picture"),
    (b"\xff\xd8\xff", "it is a picture"),
    (b"%PDF", "it is a PDF document"),
    (b"SQLite format 3\0", "it is a database"),
];

/// What texts begin with, blanks left out, in small letters.
const TEXTS: &[(&str, &str)] = &[
    ("(", TEXT_FORMAT),
    (";;", TEXT_FORMAT),
    ("<!doctype html", HTML),
    ("<html", HTML),
    ("<", "it is XML or HTML, perhaps what a server said instead of the file"),
    ("{", "it is JSON"),
    ("[", "it is JSON"),
    ("#!", "it is a script"),
    ("version https://git-lfs", "it is a pointer of Git LFS: fetch the file itself (`git lfs pull`)"),
    ("agfzbq", "it is base64 of a module: decode it first"),
    ("0061736d", "it is a module written as hexadecimal digits: decode it first"),
];

const TEXT_FORMAT: &str =
    "it is WebAssembly's text format: make a module of it first, with `wat2wasm` or `wasm-tools parse`";
const HTML: &str = "it is an HTML page, perhaps what a server said instead of the file";

/// Says what bytes begin with and what they probably are: "it begins with 7f 45 4c 46 01 01 01 00: it is an ELF file
/// ...".
pub struct Foreign<'a>(pub &'a [u8]);

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Foreign(bytes) = *self;
        if bytes.is_empty() {
            return f.write_str("it is empty");
        }
        f.write_str("it begins with ")?;
        let shown = &bytes[..bytes.len().min(SHOWN)];
        if is_text(shown) {
            f.write_char('`')?;
            for &byte in shown {
                // Quotes are no reason to write backslashes; line ends are.
                if byte == b' ' || byte.is_ascii_graphic() {
                    f.write_char(byte.into())?;
                } else {
                    write!(f, "{}", byte.escape_ascii())?;
                }
            }
            f.write_char('`')?;
        } else {
            for (i, byte) in shown.iter().enumerate() {
                write!(f, "{}{byte:02x}", if i == 0 { "" } else { " " })?;
            }
        }
        match guess(bytes) {
            Some(what) => write!(f, ": {what}"),
            None => Ok(()),
        }
    }
}

/// Whether these can be shown as characters.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_graphic() || b" \t\r\n".contains(byte))
}

/// What the bytes probably are.
fn guess(bytes: &[u8]) -> Option<&'static str> {
    if b"\0asm\x01\0\0\0".starts_with(bytes) {
        return Some("it is cut off within a module's first bytes");
    }
    if bytes.starts_with(b"\x7fELF") {
        return Some(match (bytes.get(64..72), bytes.get(16)) {
            (Some(b"stepwell"), _) => {
                "it is a module that Stepwell has compiled already: load it with `wasm_module_deserialize` \
                 (`Module.deserialize`, `stepwell-run --precompiled`)"
            }
            (_, Some(1)) => "it is an object file of this machine (ELF), or what another engine has compiled",
            _ => "it is a program or a library of this machine (ELF), or what another engine has compiled",
        });
    }
    if let Some((_, what)) = MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(what);
    }
    let head = &bytes[..bytes.len().min(LOOKED_AT)];
    if head.iter().all(|&byte| byte == 0) {
        return Some("it is nothing but zeros");
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some("it is a tar archive: unpack it first");
    }
    let text = head.trim_ascii_start();
    let begins = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()));
    if let Some((_, what)) = TEXTS.iter().find(|(start, _)| begins(start)) {
        return Some(what);
    }
    is_text(head).then_some("it is text")
}

#[cfg(test)]
mod tests {
    use super::Foreign;

    #[test]
    fn what_it_is_is_guessed() {
        let mut compiled = [0; 80];
        compiled[..4].copy_from_slice(b"\x7fELF");
        compiled[64..72].copy_from_slice(b"stepwell");
        let mut tar = [b'a'; 600];
        tar[257..262].copy_from_slice(b"ustar");
        tar[3] = 0xff;
        for (bytes, start, what) in [
            (&b""[..], "it is empty", ""),
            (b"\0as", "it begins with 00 61 73", "cut off"),
            (b"(module)", "it begins with `(module)`", "text format"),
            (b"\n ;; text", "it begins with `\\n ;; tex`", "text format"),
            (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0", "it begins with 7f 45 4c 46 02 01 01 00", "object file"),
            (b"\x7fELF", "it begins with 7f 45 4c 46", "program or a library"),
            (&compiled, "it begins with 7f 45 4c 46", "wasm_module_deserialize"),
            (b"\x1f\x8b\x08", "it begins with 1f 8b 08", "gzip"),
            (b"<!DOCTYPE HTML><p>", "it begins with `<!DOCTYP`", "HTML page"),
            (b"  <html>", "it begins with `  <html>`", "HTML page"),
            (b"<?xml", "it begins with `<?xml`", "XML"),
            (b"{\"a\": 1}", "it begins with `{\"a\": 1}`", "JSON"),
            (b"AGFzbQEAAAA=", "it begins with `AGFzbQEA`", "base64"),
            (b"0061736d01000000", "it begins with `0061736d`", "hexadecimal"),
            (b"PK\x03\x04", "it begins with 50 4b 03 04", "zip"),
            (b"!<arch>\nfoo", "it begins with `!<arch>\\n`", "static library"),
            (&[0; 100], "it begins with 00 00 00 00 00 00 00 00", "zeros"),
            (&tar, "it begins with 61 61 61 ff", "tar"),
            (b"hello there", "it begins with `hello th`", "text"),
            (b"\x1b[31mred", "it begins with 1b 5b 33 31 6d 72 65 64", ""),
        ] {
            let said = Foreign(bytes).to_string();
            assert!(said.starts_with(start) && said.contains(what), "{said}");
            assert!(said.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{said}");
        }
    }
}
