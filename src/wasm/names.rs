//! The `name` section, and names as people read them. Nobody has validated the section: a name that is damaged or badly
//! encoded is skipped, and hides no other.

use super::module::Names;
use crate::base::{
    DataIndex, ElemIndex, Escaped, FuncIndex, GlobalIndex, LocalIndex, MemoryIndex, TableIndex, TagIndex,
};
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::hash::Hash;
use wasmparser::BinaryReader;

/// The longest name that is demangled, and the longest that this may make.
const MAX_NAME: usize = 4096;
/// So deep a mangled name is nested at most.
const MAX_NESTING: u32 = 64;

/// Reads a name section.
pub(super) fn read(section: &[u8], names: &mut Names) {
    let mut section = BinaryReader::new(section, 0);
    while !section.eof() {
        let Ok(kind) = section.read_u8() else { return };
        let Some(mut part) = sized(&mut section).map(|bytes| BinaryReader::new(bytes, 0)) else { return };
        match kind {
            0 => names.module = sized(&mut part).and_then(text).or(names.module.take()),
            1 => read_map(&mut part, FuncIndex::new, &mut names.funcs),
            2 => read_locals(&mut part, &mut names.locals),
            5 => read_map(&mut part, TableIndex::new, &mut names.tables),
            6 => read_map(&mut part, MemoryIndex::new, &mut names.memories),
            7 => read_map(&mut part, GlobalIndex::new, &mut names.globals),
            8 => read_map(&mut part, ElemIndex::new, &mut names.elements),
            9 => read_map(&mut part, DataIndex::new, &mut names.data),
            11 => read_map(&mut part, TagIndex::new, &mut names.tags),
            _ => {}
        }
    }
}

/// Bytes behind their number.
fn sized<'a>(reader: &mut BinaryReader<'a>) -> Option<&'a [u8]> {
    let size = reader.read_var_u32().ok()?;
    reader.read_bytes(size as usize).ok()
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

/// Reads as many names as a map says it has, or as there are.
fn read_map<I: Eq + Hash>(reader: &mut BinaryReader<'_>, index: impl Fn(u32) -> I, names: &mut HashMap<I, String>) {
    let count = reader.read_var_u32().unwrap_or(0);
    for _ in 0..count {
        let Ok(of) = reader.read_var_u32() else { return };
        let Some(name) = sized(reader) else { return };
        if let Some(name) = text(name) {
            names.insert(index(of), name);
        }
    }
}

fn read_locals(reader: &mut BinaryReader<'_>, names: &mut HashMap<FuncIndex, HashMap<LocalIndex, String>>) {
    let count = reader.read_var_u32().unwrap_or(0);
    for _ in 0..count {
        let Ok(func) = reader.read_var_u32() else { return };
        read_map(reader, LocalIndex::new, names.entry(FuncIndex::new(func)).or_default());
    }
}

/// A name for people: as the source has it, if it is one that a compiler of Rust or C++ has mangled, and without
/// anything that a terminal takes for a command.
pub fn readable(name: &str) -> String {
    match demangled(name) {
        Some(name) => Escaped(&name).to_string(),
        None => Escaped(name).to_string(),
    }
}

/// The name that was mangled: by Rust, old and new, or by C++ (Itanium). `None` for any other, and for what would be
/// too long or is nested too deeply.
pub fn demangled(name: &str) -> Option<String> {
    // A compiler splits functions, and appends what for.
    let looks_mangled = ["_Z", "__Z", "_R", "__R", "ZN"].iter().any(|start| name.starts_with(start));
    if !looks_mangled || name.len() > MAX_NAME {
        return None;
    }
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        let mut out = Limited::default();
        // Without the hash.
        return write!(out, "{rust:#}").ok().map(|()| out.0).filter(|name| !name.contains("{recursion limit reached}"));
    }
    if !name.starts_with("_Z") && !name.starts_with("__Z") {
        return None;
    }
    let parse = cpp_demangle::ParseOptions::default().recursion_limit(MAX_NESTING);
    let symbol = cpp_demangle::BorrowedSymbol::with_tail_and_options(name.as_bytes(), &parse);
    let (symbol, tail) = symbol.ok().filter(|(_, tail)| tail.is_empty() || tail[0] == b'.')?;
    let mut out = Limited::default();
    let options = cpp_demangle::DemangleOptions::new().recursion_limit(MAX_NESTING * 4);
    symbol.structured_demangle(&mut out, &options).ok()?;
    if !tail.is_empty() {
        write!(out, " [{}]", String::from_utf8_lossy(tail)).ok()?;
    }
    Some(out.0)
}

/// A text that does not become too long.
#[derive(Default)]
struct Limited(String);

impl Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MAX_NAME {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rust_and_cpp_are_demangled() {
        for (mangled, plain) in [
            ("_ZN4core9panicking5panic17h1234567890abcdefE", "core::panicking::panic"),
            (
                "_ZN48_$LT$$u5b$T$u5d$$u20$as$u20$core..fmt..Debug$GT$3fmt17hdeadbeefdeadbeefE",
                "<[T] as core::fmt::Debug>::fmt",
            ),
            ("_RNvCskwGfYPst2Cb_3foo16example_function", "foo::example_function"),
            ("_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>"),
            ("_ZN3foo3barEi", "foo::bar(int)"),
            ("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector<int, std::allocator<int> >::push_back(int const&)"),
            ("_Z3addii.part.0", "add(int, int) [clone .part.0]"),
        ] {
            assert_eq!(demangled(mangled).as_deref(), Some(plain), "{mangled}");
        }
        for name in ["", "main", "_start", "_Z", "_ZZZZ", "_R", "_Rx", "ZN", "zone", "_ZN3fooE?", "_Znot mangled"] {
            assert_eq!(demangled(name), None, "{name}");
            assert_eq!(readable(name), name);
        }
    }

    #[test]
    fn hostile_names_take_little() {
        let begun = std::time::Instant::now();
        let mut hostile = vec![
            format!("_Z1f{}i", "P".repeat(4000)),
            format!("_Z{}", "N1a".repeat(1300)),
            format!("_Z1fI{}E", "Dp".repeat(1900)),
            format!("_Z1f{}v", "F".repeat(4000)),
            format!("_RN{}C1a1b", "v".repeat(4000)),
            format!("_RINvC1a1b{}E", "T".repeat(4000)),
            "_Z".repeat(2000),
            "_ZN".to_owned() + &"9".repeat(4000),
        ];
        // Each substitution doubles what it stands for.
        let mut doubling = "_Z1fSt4pairIiiE".to_owned();
        for i in 0..30u8 {
            let of = char::from_digit(u32::from(i), 36).unwrap().to_ascii_uppercase();
            doubling += &format!("St4pairIS{of}_S{of}_E");
        }
        hostile.push(doubling);
        for name in &hostile {
            if let Some(name) = demangled(name) {
                assert!(name.len() <= MAX_NAME);
            }
        }
        assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_name_that_is_badly_encoded_hides_no_other() {
        let function = |index: u8, name: &[u8]| [&[index, name.len() as u8], name].concat();
        let section = |kind: u8, body: Vec<u8>| [vec![kind, body.len() as u8], body].concat();
        let map = |names: &[Vec<u8>]| [vec![names.len() as u8], names.concat()].concat();
        let bytes = [
            section(0, b"\x02\xff\xfe".to_vec()),
            section(1, map(&[function(0, b"first"), function(1, b"\xc3\x28"), function(2, b"third")])),
            section(2, vec![1, 0, 2, 0, 1, 0xff, 1, 1, b'x']),
            // Damaged: it has fewer than it says.
            section(7, vec![3, 0, 1, b'g', 1, 9]),
            section(77, vec![1, 2, 3]),
            section(6, map(&[function(0, b"memory")])),
        ]
        .concat();
        let mut names = Names::default();
        read(&bytes, &mut names);
        assert_eq!(names.module, None);
        assert_eq!(names.funcs.len(), 2);
        assert_eq!(names.funcs[&FuncIndex::new(2)], "third");
        assert_eq!(names.locals[&FuncIndex::new(0)][&LocalIndex::new(1)], "x");
        assert_eq!(names.globals[&GlobalIndex::new(0)], "g");
        assert_eq!(names.memories[&MemoryIndex::new(0)], "memory");
        // Whatever is cut off, what is before it is there.
        for end in 0..bytes.len() {
            read(&bytes[..end], &mut Names::default());
        }
    }
}
