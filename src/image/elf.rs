//! The images of a module as an ELF file, with what else a module needs: its Wasm bytes, and a manifest, the readable
//! list of what the code was compiled for and with. The file is for our own use (and for disassemblers); it is no
//! object to link with. Its head (`head`) is the first section. Reading never panics, whatever the bytes. What the
//! manifest says is for `runtime/` to compare.

use super::head::{FileHead, HEAD_AT, write_head};
use super::validate::damaged;
use super::{CodeImage, ImageTables, Tier};
use crate::base::Result;
use crate::isa::{ARCHITECTURE, FILL, PAGE_SIZE};
use object::read::elf::ElfFile64;
use object::{BinaryFormat, Endianness, Object as _, ObjectSection as _, SectionKind};
use std::ops::Range;

/// Texts begin at multiples of it and have its pages for themselves: whoever maps the file can execute them in place.
pub const TEXT_ALIGN: usize = PAGE_SIZE;

const HEAD: &str = ".stepwell.file";
const MANIFEST: &str = ".stepwell.manifest";
const WASM: &str = ".stepwell.wasm";

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

/// The images of a module, at most one of each tier, with its manifest and its Wasm bytes, as the bytes of an ELF file.
/// `left_out` are ranges of the Wasm, ascending: those that who loads it may leave out.
///
/// # Panics
/// When they are not, when one is empty, or when there are more of them than [`MOST_LEFT_OUT`](super::MOST_LEFT_OUT).
pub fn write_elf(manifest: &str, wasm: &[u8], images: &[ImageRef<'_>], left_out: &[Range<usize>]) -> Vec<u8> {
    let mut file = object::write::Object::new(BinaryFormat::Elf, ARCHITECTURE, Endianness::Little);
    let mut add = |name: String, kind: SectionKind, data: Vec<u8>, align: usize| {
        let section = file.add_section(Vec::new(), name.into_bytes(), kind);
        file.set_section_data(section, data, align as u64);
    };
    add(HEAD.into(), SectionKind::Other, vec![0; FileHead::bytes(left_out.len())], 8);
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
    let mut bytes = file.write().expect("sections without relocations or symbols can always be written");
    let written = ElfFile64::<Endianness>::parse(&*bytes).expect("it was just written");
    let place = |name| written.section_by_name(name).and_then(|section| section.file_range()).expect("it has it");
    assert_eq!(place(HEAD).0 as usize, HEAD_AT, "the first section stands behind the ELF header");
    let at = place(WASM).0 as usize;
    assert!(left_out.last().is_none_or(|last| last.end <= wasm.len()), "more than there is of the Wasm is left out");
    let left_out: Vec<_> = left_out.iter().map(|range| range.start + at..range.end + at).collect();
    write_head(&mut bytes, &left_out);
    bytes
}

/// A file of a module's images, of which all but what may be left out was found to be complete and undamaged.
pub struct ElfImages<'a> {
    bytes: &'a [u8],
    head: FileHead,
    file: ElfFile64<'a, Endianness>,
}

impl<'a> ElfImages<'a> {
    /// Reads what [`write_elf`] made. Whatever stands where something may be left out, it is not looked at.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`](crate::base::ErrorKind::InvalidModule) for bytes that are no such file or were
    /// damaged, [`ErrorKind::Unsupported`](crate::base::ErrorKind::Unsupported) for those of a version with another
    /// file format.
    pub fn open(bytes: &'a [u8]) -> Result<ElfImages<'a>> {
        let head = FileHead::read(bytes, bytes.len())?;
        head.check(bytes)?;
        let file = ElfFile64::parse(bytes).map_err(damaged)?;
        if file.architecture() != ARCHITECTURE || file.endianness() != Endianness::Little {
            return Err(damaged("a file for another machine"));
        }
        Ok(ElfImages { bytes, head, file })
    }

    /// What may be left out of a copy of the file.
    pub fn left_out(&self) -> &[Range<usize>] {
        self.head.left_out()
    }

    /// Whether these are the bytes that [`ElfImages::left_out`] stand for, in that order.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`](crate::base::ErrorKind::InvalidModule) if not.
    pub fn check_left_out<'b>(&self, pieces: impl Iterator<Item = &'b [u8]>) -> Result<()> {
        self.head.check_left_out(pieces)
    }

    /// The same, where nothing was left out of the bytes.
    ///
    /// # Errors
    /// As [`ElfImages::check_left_out`].
    pub fn check_nothing_left_out(&self) -> Result<()> {
        self.check_left_out(self.left_out().iter().map(|range| &self.bytes[range.clone()]))
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
    /// [`ErrorKind::InvalidModule`](crate::base::ErrorKind::InvalidModule) where there is none.
    pub fn manifest(&self) -> Result<&'a str> {
        std::str::from_utf8(&self.bytes[self.section(MANIFEST)?]).map_err(|_| damaged("the manifest is no text"))
    }

    /// Where the Wasm bytes are in the file.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`](crate::base::ErrorKind::InvalidModule) where there are none.
    pub fn wasm(&self) -> Result<Range<usize>> {
        self.section(WASM)
    }

    /// The tables of the image of a tier, if it is there, and where its text is in the file: on pages of its own.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`](crate::base::ErrorKind::InvalidModule) for tables that contradict
    /// themselves or the text.
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
        let file = ElfImages::open(bytes)?;
        file.check_nothing_left_out()?;
        for tier in [Tier::Production, Tier::Debug] {
            if let Some((tables, text)) = file.image(tier)? {
                return Ok(CodeImage { text: bytes[text].to_vec(), tables });
            }
        }
        Err(damaged("no text"))
    }
}
