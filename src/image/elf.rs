//! The images of a module as an ELF file, with what else a module needs: its Wasm bytes, and a manifest, the readable
//! list of what the code was compiled for and with. The file is for our own use (and for disassemblers); it is no
//! object to link with. Its head says how long it is, and has a hash over all of it, which finds damage, not malice.
//! Reading never panics, whatever the bytes. What the manifest says is for `runtime/` to compare.
//!
//! The file has two parts. The front is all of that, and is hashed as one. Behind it, on pages of their own, stand
//! those that the module's memories begin with; the front has the table of them, and their hashes. So who loads a file
//! can take the front alone, and then have each page copied to where it is to be.

use super::memories::{MemoryContents, StoredMemory, read_table, write_table};
use super::validate::damaged;
use super::{CodeImage, ImageTables, Tier};
use crate::base::{Error, ErrorKind, Foreign, Result};
use crate::isa::{ARCHITECTURE, FILL, PAGE_SIZE};
use object::read::elf::ElfFile64;
use object::{BinaryFormat, Endianness, Object as _, ObjectSection as _, SectionFlags, SectionKind, elf};
use std::ops::Range;
use xxhash_rust::xxh3::Xxh3;

/// The version of this file format: files of another are refused.
const FORMAT: u32 = 8;
/// What the head begins with.
const MAGIC: [u8; 8] = *b"stepwell";
/// What an ELF file begins with.
const ELF_MAGIC: [u8; 4] = *b"\x7fELF";
/// What a Wasm binary begins with.
const WASM_MAGIC: [u8; 4] = *b"\0asm";
/// Where the head is: behind the ELF header.
const HEAD_AT: usize = 64;
/// The head: magic, format, zeros, length of the file, length of the front, hash of the front.
const HEAD_BYTES: usize = 8 + 4 + 4 + 8 + 8 + 16;
/// Where the length of the file is, that of the front, and the hash of everything else in the front.
const LEN_AT: usize = HEAD_AT + 16;
const FRONT_AT: usize = HEAD_AT + 24;
const HASH_AT: usize = HEAD_AT + 32;
const HEAD_END: usize = HEAD_AT + HEAD_BYTES;

/// As much of a file as tells what it is.
pub const BEGINNING: usize = PAGE_SIZE;

/// Texts begin at multiples of it and have its pages for themselves: whoever maps the file can execute them in place.
pub const TEXT_ALIGN: usize = PAGE_SIZE;

const HEAD: &str = ".stepwell.file";
const MANIFEST: &str = ".stepwell.manifest";
const WASM: &str = ".stepwell.wasm";
/// The table of what memories begin with, and the pages of that.
const MEMORIES: &str = ".stepwell.memories";
const PAGES: &str = ".stepwell.pages";

/// Where an ELF header says where the sections' headers are, how long each is, and where it says where its section is.
const SECTIONS_AT: usize = 40;
const SECTION_BYTES: usize = 64;
const SECTION_OFFSET: usize = 24;

/// The section of a text.
fn text_section(tier: Tier) -> &'static str {
    match tier {
        Tier::Production => ".text",
        Tier::Debug => ".text.debug",
    }
}

/// The section of a table.
fn table_section(tier: Tier, name: &str) -> String {
    match tier {
        Tier::Production => format!(".stepwell.production.{name}"),
        Tier::Debug => format!(".stepwell.debug.{name}"),
    }
}

/// What each image's tables do not say themselves: how long its text is without what fills its last page.
const TEXT_LEN: &str = "text";

/// An image whose parts live apart.
#[derive(Clone, Copy, Debug)]
pub struct ImageRef<'a> {
    /// The machine code.
    pub text: &'a [u8],
    /// What is where in it.
    pub tables: &'a ImageTables,
}

/// A hash, which finds damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hash(pub(super) [u8; 16]);

impl Hash {
    /// That of pieces, one behind the other.
    pub(super) fn of<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Hash {
        let mut state = Xxh3::new();
        pieces.for_each(|piece| state.update(piece));
        Hash(state.digest128().to_le_bytes())
    }

    /// That of a front, without the place where it stands.
    fn of_front(front: &[u8]) -> Hash {
        Hash::of([&front[..HASH_AT], &front[HEAD_END..]].into_iter())
    }
}

/// The images of a module, at most one of each tier, with its manifest, its Wasm bytes, and what its memories begin
/// with, in ascending order, as the bytes of an ELF file.
pub fn write_elf(manifest: &str, wasm: &[u8], images: &[ImageRef<'_>], memories: &[MemoryContents<'_>]) -> Vec<u8> {
    let mut file = object::write::Object::new(BinaryFormat::Elf, ARCHITECTURE, Endianness::Little);
    let mut add = |name: String, kind: SectionKind, data: Vec<u8>, align: usize| {
        let section = file.add_section(Vec::new(), name.into_bytes(), kind);
        file.set_section_data(section, data, align as u64);
    };
    let mut head = [0; HEAD_BYTES];
    head[..8].copy_from_slice(&MAGIC);
    head[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    add(HEAD.into(), SectionKind::Other, head.to_vec(), 8);
    add(MANIFEST.into(), SectionKind::Other, manifest.into(), 1);
    add(WASM.into(), SectionKind::Other, wasm.to_vec(), 8);
    for image in images {
        let tier = image.tables.tier;
        let mut text = Vec::with_capacity(image.text.len().next_multiple_of(TEXT_ALIGN));
        text.extend_from_slice(image.text);
        text.resize(text.capacity(), FILL);
        add(text_section(tier).into(), SectionKind::Text, text, TEXT_ALIGN);
        let len = (image.text.len() as u64).to_le_bytes();
        // It also keeps what follows off the text's last page where that is a whole one.
        add(table_section(tier, TEXT_LEN), SectionKind::Other, len.to_vec(), 8);
        for (name, data) in image.tables.sections() {
            add(table_section(tier, name), SectionKind::Other, data, 8);
        }
    }
    if !memories.is_empty() {
        add(MEMORIES.into(), SectionKind::Other, write_table(memories), 8);
    }
    let pages: usize = memories.iter().flat_map(MemoryContents::pages).map(<[u8]>::len).sum();
    if pages > 0 {
        // Room is made for it behind all else, where the sections' headers are by then.
        let section = file.add_section(Vec::new(), PAGES.into(), SectionKind::UninitializedData);
        *file.section_flags_mut(section) =
            SectionFlags::Elf { sh_type: elf::SHT_PROGBITS, sh_flags: elf::SectionFlags(0) };
        file.append_section_bss(section, pages as u64, 1);
    }
    let mut bytes = file.write().expect("sections without relocations or symbols can always be written");
    assert!(bytes[HEAD_AT..].starts_with(&MAGIC), "the first section stands behind the ELF header");
    if pages > 0 {
        let front = bytes.len().next_multiple_of(PAGE_SIZE);
        place_pages(&mut bytes, front);
        bytes.reserve_exact(front - bytes.len() + pages);
        bytes.resize(front, 0);
        memories.iter().flat_map(MemoryContents::pages).for_each(|piece| bytes.extend_from_slice(piece));
    }
    let front = (bytes.len() - pages) as u64;
    bytes[FRONT_AT..FRONT_AT + 8].copy_from_slice(&front.to_le_bytes());
    seal_elf(&mut bytes);
    bytes
}

/// Has the header of the section of pages say that they are there.
fn place_pages(file: &mut [u8], there: usize) {
    let read = ElfFile64::<Endianness>::parse(&*file).expect("it was just written");
    let section = read.section_by_name(PAGES).expect("it has that section").index().0;
    let headers = u64_at(file, SECTIONS_AT) as usize;
    let at = headers + section * SECTION_BYTES + SECTION_OFFSET;
    file[at..at + 8].copy_from_slice(&(there as u64).to_le_bytes());
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Writes the length and the hash of the front into the head: over what [`write_elf`] has made, or what a test has made
/// of that. Bytes that are too short for a head stay as they are; where the front is said to be longer than they are,
/// they are it.
pub fn seal_elf(bytes: &mut [u8]) {
    if bytes.len() < HEAD_END {
        return;
    }
    let len = (bytes.len() as u64).to_le_bytes();
    bytes[LEN_AT..LEN_AT + len.len()].copy_from_slice(&len);
    let front = usize::try_from(u64_at(bytes, FRONT_AT)).unwrap_or(usize::MAX).clamp(HEAD_END, bytes.len());
    let hash = Hash::of_front(&bytes[..front]);
    bytes[HASH_AT..HEAD_END].copy_from_slice(&hash.0);
}

/// The error for bytes that are something else altogether.
#[cold]
fn foreign(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidModule, format!("this is no serialized module; {what}"))
}

/// How long the front of a file of `len` bytes is that begins with `beginning`: with its first [`BEGINNING`] bytes, or
/// more, or all of them. Refuses what is no such file, has another length than it had, or another format.
///
/// # Errors
/// As [`ElfImages::open`].
pub fn elf_front(beginning: &[u8], len: usize) -> Result<usize> {
    if beginning.starts_with(&WASM_MAGIC) {
        let what = "it is WebAssembly, to be compiled: pass it to `wasm_module_new` (`Module`, `stepwell-run` \
                    without `--precompiled`)";
        return Err(foreign(what));
    }
    if !beginning.starts_with(&ELF_MAGIC) {
        return Err(foreign(Foreign(beginning)));
    }
    let Some(head) = beginning.get(HEAD_AT..HEAD_END) else {
        return Err(foreign(format_args!("it is an ELF file cut short after {} bytes", beginning.len())));
    };
    if !head.starts_with(&MAGIC) {
        return Err(foreign("it is another ELF file"));
    }
    let at = HEAD_AT + MAGIC.len();
    let format = u32::from_le_bytes(beginning[at..at + 4].try_into().expect("four bytes"));
    if format != FORMAT {
        let message = format!(
            "the serialized module has file format {format}, this version of Stepwell reads {FORMAT}; compile the \
             module again"
        );
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    let (said, there) = (u64_at(beginning, LEN_AT), len as u64);
    if there < said {
        return Err(damaged(format_args!("truncated: {there} bytes of {said} are there")));
    }
    if there > said {
        return Err(damaged(format_args!("it has {said} bytes, but {there} are there")));
    }
    let front = u64_at(beginning, FRONT_AT);
    // Where there are no pages, it ends where it ends.
    let whole = (front as usize).is_multiple_of(PAGE_SIZE) && (said - front.min(said)).is_multiple_of(PAGE_SIZE as u64);
    if front < HEAD_END as u64 || front > said || (front < said && !whole) {
        return Err(damaged(format_args!("pages from {front} on in a file of {said} bytes")));
    }
    Ok(front as usize)
}

/// A file of a module's images, of which the front was found to be complete and undamaged.
pub struct ElfImages<'a> {
    /// The front.
    bytes: &'a [u8],
    file: ElfFile64<'a, Endianness>,
    /// Where the pages are that memories begin with.
    pages: Range<usize>,
}

impl<'a> ElfImages<'a> {
    /// Reads what [`write_elf`] made, of a file of `len` bytes: all of it, or the front alone.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] for bytes that are no such file or were damaged, [`ErrorKind::Unsupported`] for
    /// those of a version with another file format.
    pub fn open(bytes: &'a [u8], len: usize) -> Result<ElfImages<'a>> {
        let front = elf_front(bytes, len)?;
        let there = bytes.len();
        let bytes = bytes.get(..front);
        let bytes = bytes.ok_or_else(|| damaged(format_args!("truncated: {there} bytes of {front} are there")))?;
        if Hash::of_front(bytes).0 != bytes[HASH_AT..HEAD_END] {
            return Err(damaged("its hash differs"));
        }
        let file = ElfFile64::parse(bytes).map_err(damaged)?;
        if file.architecture() != ARCHITECTURE || file.endianness() != Endianness::Little {
            return Err(damaged("a file for another machine"));
        }
        Ok(ElfImages { bytes, file, pages: front..len })
    }

    /// Where a section is in the file.
    fn find(&self, name: &str) -> Result<Option<Range<usize>>> {
        let Some(section) = self.file.section_by_name(name) else { return Ok(None) };
        let (start, len) = section.file_range().unwrap_or((0, 0));
        let range = start.checked_add(len).filter(|end| *end <= self.bytes.len() as u64);
        let end = range.ok_or_else(|| damaged(format_args!("section {name} lies outside the file")))?;
        Ok(Some(start as usize..end as usize))
    }

    fn section(&self, name: &str) -> Result<Range<usize>> {
        self.find(name)?.ok_or_else(|| damaged(format_args!("no section {name}")))
    }

    /// What the code was compiled for and with.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] where there is none.
    pub fn manifest(&self) -> Result<&'a str> {
        std::str::from_utf8(&self.bytes[self.section(MANIFEST)?]).map_err(|_| damaged("the manifest is no text"))
    }

    /// Where the Wasm bytes are in the file.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] where there are none.
    pub fn wasm(&self) -> Result<Range<usize>> {
        self.section(WASM)
    }

    /// What the module's memories begin with, as far as that is in the file, in ascending order. Whether the pages
    /// themselves are undamaged, [`StoredMemory::verify`] tells.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] for a table that contradicts itself or the file.
    pub fn memories(&self) -> Result<Vec<StoredMemory>> {
        let table = self.find(MEMORIES)?.unwrap_or_default();
        read_table(&self.bytes[table], self.pages.clone())
    }

    /// The tables of the image of a tier, if it is there, and where its text is in the file: on pages of its own.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] for tables that contradict themselves or the text.
    pub fn image(&self, tier: Tier) -> Result<Option<(ImageTables, Range<usize>)>> {
        let name = text_section(tier);
        let Some(padded) = self.find(name)? else { return Ok(None) };
        let data = |table: &str| Ok(&self.bytes[self.section(&table_section(tier, table))?]);
        let len = data(TEXT_LEN)?.try_into().map_err(|_| damaged("a text length of another length"))?;
        let len = usize::try_from(u64::from_le_bytes(len)).unwrap_or(usize::MAX);
        let whole = len.checked_next_multiple_of(TEXT_ALIGN) == Some(padded.len());
        if !whole || !padded.start.is_multiple_of(TEXT_ALIGN) {
            return Err(damaged(format_args!("section {name} is not of whole pages")));
        }
        let text = padded.start..padded.start + len;
        let tables = ImageTables::from_sections(data)?;
        if tables.tier != tier {
            return Err(damaged(format_args!("section {name} is of the other tier")));
        }
        tables.validate(&self.bytes[text.clone()])?;
        Ok(Some((tables, text)))
    }
}

impl CodeImage {
    /// The image alone as the bytes of an ELF file.
    pub fn to_elf(&self) -> Vec<u8> {
        write_elf("", &[], &[ImageRef { text: &self.text, tables: &self.tables }], &[])
    }

    /// Reads an image back from what [`CodeImage::to_elf`] made.
    ///
    /// # Errors
    /// As [`ElfImages::open`] and [`ElfImages::image`]. It never panics.
    pub fn from_elf(bytes: &[u8]) -> Result<CodeImage> {
        let file = ElfImages::open(bytes, bytes.len())?;
        for tier in [Tier::Production, Tier::Debug] {
            if let Some((tables, text)) = file.image(tier)? {
                return Ok(CodeImage { text: bytes[text].to_vec(), tables });
            }
        }
        Err(damaged("no text"))
    }
}
