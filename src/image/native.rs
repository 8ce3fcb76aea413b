//! A mapped text as an ELF file in memory, for debuggers of the process: where the text is, what its functions are
//! called, and how their frames are unwound. The text itself is not in it.

use crate::isa::{ELF_MACHINE, eh_frame};
use std::ops::Range;

const HEADER_BYTES: usize = 64;
const SYMBOL_BYTES: usize = 24;
const SECTION_BYTES: usize = 64;
/// Where a section's row has its address.
const SECTION_ADDRESS: usize = 16;

/// The sections' names; the first is the empty one.
const NAMES: &[u8] = b"\0.text\0.eh_frame\0.symtab\0.strtab\0.shstrtab\0";
const SECTIONS: u16 = 6;
/// The section with the frames, and the one with the sections' names.
const FRAMES: usize = 2;
const SECTION_NAMES: u16 = 5;

const ET_EXEC: u16 = 2;
const SHT_PROGBITS: u32 = 1;
const SHT_SYMTAB: u32 = 2;
const SHT_STRTAB: u32 = 3;
const SHT_NOBITS: u32 = 8;
const SHF_ALLOC: u64 = 2;
const SHF_EXECINSTR: u64 = 4;
/// A function that is known everywhere.
const GLOBAL_FUNC: u8 = 0x12;

/// The file for a text at `base` with these functions: name, and place in the text. It says where its own parts are in
/// memory, which stays so while the box lives.
pub fn native_object(base: u64, text: &[u8], functions: &[(&str, Range<usize>)]) -> Box<[u8]> {
    // The first string is the empty one, the first symbol none.
    let (mut strings, mut symbols) = (vec![0], vec![0; SYMBOL_BYTES]);
    for (name, place) in functions {
        symbols.extend((strings.len() as u32).to_le_bytes());
        // The text is section 1.
        symbols.extend([GLOBAL_FUNC, 0, 1, 0]);
        symbols.extend((base + place.start as u64).to_le_bytes());
        symbols.extend((place.len() as u64).to_le_bytes());
        strings.extend(name.as_bytes());
        strings.push(0);
    }
    let frames = eh_frame(base, text, functions.iter().map(|(_, place)| place.clone()));

    let mut file = vec![0; HEADER_BYTES];
    let mut add = |bytes: &[u8]| {
        file.resize(file.len().next_multiple_of(16), 0);
        file.extend(bytes);
        (file.len() - bytes.len(), bytes.len())
    };
    let (frames, symbols, strings, names) = (add(&frames), add(&symbols), add(&strings), add(NAMES));
    let (table, _) = add(&[]);
    let name = |name: &str| {
        let at =
            NAMES.windows(name.len() + 1).position(|bytes| bytes.starts_with(name.as_bytes()) && bytes.ends_with(&[0]));
        at.expect("sections have names") as u32
    };
    let mut section = |name: u32, kind: u32, flags: u64, address: u64, place: (usize, usize), link: u32, info: u32| {
        let entry = if kind == SHT_SYMTAB { SYMBOL_BYTES as u64 } else { 0 };
        file.extend([name, kind].iter().flat_map(|word| word.to_le_bytes()));
        file.extend([flags, address, place.0 as u64, place.1 as u64].iter().flat_map(|word| word.to_le_bytes()));
        file.extend([link, info].iter().flat_map(|word| word.to_le_bytes()));
        file.extend([16, entry].iter().flat_map(|word| word.to_le_bytes()));
    };
    section(0, 0, 0, 0, (0, 0), 0, 0);
    section(name(".text"), SHT_NOBITS, SHF_ALLOC | SHF_EXECINSTR, base, (frames.0, text.len()), 0, 0);
    section(name(".eh_frame"), SHT_PROGBITS, SHF_ALLOC, 0, frames, 0, 0);
    // The strings are section 4; the first global symbol is 1.
    section(name(".symtab"), SHT_SYMTAB, 0, 0, symbols, 4, 1);
    section(name(".strtab"), SHT_STRTAB, 0, 0, strings, 0, 0);
    section(name(".shstrtab"), SHT_STRTAB, 0, 0, names, 0, 0);

    let mut header = Vec::with_capacity(HEADER_BYTES);
    // 64 bits, little-endian, version 1.
    header.extend([0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.extend([ET_EXEC, ELF_MACHINE].iter().flat_map(|word| word.to_le_bytes()));
    header.extend(1u32.to_le_bytes());
    // No entry, no segments, sections.
    header.extend([0, 0, table as u64].iter().flat_map(|word| word.to_le_bytes()));
    header.extend(0u32.to_le_bytes());
    let sizes = [HEADER_BYTES as u16, 0, 0, SECTION_BYTES as u16, SECTIONS, SECTION_NAMES];
    header.extend(sizes.iter().flat_map(|word| word.to_le_bytes()));
    file[..HEADER_BYTES].copy_from_slice(&header);

    let mut file = file.into_boxed_slice();
    let here = (file.as_ptr() as usize + frames.0) as u64;
    let at = table + FRAMES * SECTION_BYTES + SECTION_ADDRESS;
    file[at..at + 8].copy_from_slice(&here.to_le_bytes());
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

    #[test]
    fn it_is_an_elf_file_of_these_functions() {
        let text = [0; 100];
        let file = native_object(0x10_0000, &text, &[("one", 0..10), ("two two", 16..100)]);
        let read = object::File::parse(&*file).unwrap();
        let symbols: Vec<_> = read.symbols().map(|s| (s.name().unwrap().to_owned(), s.address(), s.size())).collect();
        assert_eq!(symbols, [("one".to_owned(), 0x10_0000, 10), ("two two".to_owned(), 0x10_0010, 84)]);
        let text = read.section_by_name(".text").unwrap();
        assert_eq!((text.address(), text.size()), (0x10_0000, 100));
        let frames = read.section_by_name(".eh_frame").unwrap();
        let (at, _) = frames.file_range().unwrap();
        assert_eq!(frames.address(), file.as_ptr() as u64 + at);
    }
}
