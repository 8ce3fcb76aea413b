//! An image as an ELF file: `.text`, a section for each table, and a head with a checksum over all of them. The file is
//! for our own later use (and for disassemblers); it is no object to link with. Numbers are little-endian, rows are words of 32
//! bits or packed. Reading never panics, whatever the bytes; it finds damage, not malice.

use super::validate::damaged;
use super::{CodeImage, FunctionEntry, ImageTables, Packed, PackedRow, Place, SavedRegisters, Shapes, SlotKind, Tier};
use crate::base::{DefinedFuncIndex, Result, TextOffset};
use object::read::elf::ElfFile64;
use object::{Architecture, BinaryFormat, Endianness, Object as _, ObjectSection as _, SectionKind};

/// The version of the tables' encoding: files of another are refused.
const VERSION: u32 = 4;
/// Stands for an offset that is not there.
const NONE: u32 = u32::MAX;
/// The alignment of the text, that of a page.
const TEXT_ALIGN: u64 = 4096;

const TEXT: &str = ".text";
const HEAD: &str = ".stepwell.head";
const FUNCTIONS: &str = ".stepwell.functions";
const TRAPS: &str = ".stepwell.traps";
const ADDRESSES: &str = ".stepwell.addresses";
const CALLS: &str = ".stepwell.calls";
const LOCALS: &str = ".stepwell.locals";
const SHAPES: &str = ".stepwell.shapes";
const SITES: &str = ".stepwell.sites";
const POINTS: &str = ".stepwell.points";

/// Which registers are saved, and how far below, share a word: the latter is shifted by this.
const SAVED_SHIFT: u32 = 8;

/// A place as a tag and a word.
fn place_words(place: Place) -> (u32, u32) {
    match place {
        Place::Frame(offset) => (0, offset as u32),
        Place::Constant(value) => (1, value as u32),
    }
}

fn place_from_words(tag: u32, word: u32) -> Option<Place> {
    match tag {
        0 => Some(Place::Frame(word as i32)),
        1 => Some(Place::Constant(word as i32)),
        _ => None,
    }
}

/// The words of a function's row.
const FUNCTION_WORDS: usize = 11;

impl FunctionEntry {
    fn to_words(self) -> [u32; FUNCTION_WORDS] {
        let (locals, points) = (self.locals, self.points);
        let vmctx = match self.vmctx {
            None => [0, 0],
            Some(place) => {
                let (tag, word) = place_words(place);
                [tag + 1, word]
            }
        };
        let [start, len, frame_size] = [self.start.get(), self.len, self.frame_size];
        let (which, below) = self.saved.parts();
        let saved = u32::from(which) | u32::from(below) << SAVED_SHIFT;
        let locals_at = self.locals_at as u32;
        [start, len, frame_size, locals.0, locals.1, points.0, points.1, locals_at, vmctx[0], vmctx[1], saved]
    }
    /// `None` when the words say something that does not exist.
    fn from_words(words: [u32; FUNCTION_WORDS]) -> Option<Self> {
        let [start, len, frame_size, ranges @ .., locals_at, vmctx, offset, saved] = words;
        let [locals, locals_end, points, points_end] = ranges;
        Some(FunctionEntry {
            start: TextOffset::new(start),
            len,
            frame_size,
            locals: (locals, locals_end),
            locals_at: locals_at as i32,
            points: (points, points_end),
            vmctx: match vmctx.checked_sub(1) {
                None => None,
                Some(tag) => Some(place_from_words(tag, offset)?),
            },
            saved: {
                let below = u8::try_from(saved >> SAVED_SHIFT).ok()?;
                SavedRegisters::from_parts(saved as u8, below)?
            },
        })
    }
}

fn encode(words: impl IntoIterator<Item = u32>) -> Vec<u8> {
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn decode(name: &str, data: &[u8]) -> Result<Vec<u32>> {
    let (words, []) = data.as_chunks::<4>() else {
        return Err(damaged(format_args!("{name} has {} bytes", data.len())));
    };
    Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
}

fn decode_functions(data: &[u8]) -> Result<Vec<FunctionEntry>> {
    let words = decode(FUNCTIONS, data)?;
    let (rows, []) = words.as_chunks::<FUNCTION_WORDS>() else {
        return Err(damaged(format_args!("{FUNCTIONS} has {} words", words.len())));
    };
    let row = |(i, words): (usize, &[u32; FUNCTION_WORDS])| {
        FunctionEntry::from_words(*words).ok_or_else(|| damaged(format_args!("row {i} of {FUNCTIONS}")))
    };
    rows.iter().enumerate().map(row).collect()
}

fn decode_locals(data: &[u8]) -> Result<Vec<SlotKind>> {
    let row =
        |(i, kind): (usize, &u8)| SlotKind::from_u8(*kind).ok_or_else(|| damaged(format_args!("row {i} of {LOCALS}")));
    data.iter().enumerate().map(row).collect()
}

fn decode_shapes(data: &[u8]) -> Result<Shapes> {
    Shapes::from_words(&decode(SHAPES, data)?).map_err(|row| damaged(format_args!("row {row} of {SHAPES}")))
}

/// How many rows there are, and their bytes.
fn encode_packed<R: PackedRow>(table: &Packed<R>) -> Vec<u8> {
    let len = u32::try_from(table.len()).expect("rows are counted by 32 bits");
    [&len.to_le_bytes(), table.stream()].concat()
}

fn decode_packed<R: PackedRow>(name: &str, data: &[u8]) -> Result<Packed<R>> {
    let (len, stream) = data.split_first_chunk::<4>().ok_or_else(|| damaged(format_args!("{name} is short")))?;
    Packed::from_stream(u32::from_le_bytes(*len), stream).map_err(|row| damaged(format_args!("row {row} of {name}")))
}

/// A 64-bit checksum: FNV-1a over words of eight bytes, the length of each section first.
struct Checksum(u64);

impl Checksum {
    fn new() -> Self {
        Checksum(0xcbf2_9ce4_8422_2325)
    }
    fn word(&mut self, word: u64) {
        // The rotation brings the high bits, which a multiplication never moves down, back into play.
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
    }
    fn section(&mut self, data: &[u8]) {
        self.word(data.len() as u64);
        let (words, rest) = data.as_chunks::<8>();
        words.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last));
    }
}

/// The words of the head, without the checksum that follows them.
fn head(tables: &ImageTables) -> [u32; 5] {
    let stub = tables.stop_stub.map_or(NONE, TextOffset::get);
    [VERSION, u32::from(tables.tier as u8), u32::from(tables.regions), tables.first.get(), stub]
}

impl CodeImage {
    /// The image as the bytes of an ELF file.
    pub fn to_elf(&self) -> Vec<u8> {
        let tables = &self.tables;
        let sections = [
            (FUNCTIONS, encode(tables.functions.iter().copied().flat_map(FunctionEntry::to_words))),
            (TRAPS, encode_packed(&tables.traps)),
            (ADDRESSES, encode_packed(&tables.addresses)),
            (CALLS, encode_packed(&tables.calls)),
            (LOCALS, tables.locals.iter().map(|kind| *kind as u8).collect()),
            (SHAPES, encode(tables.shapes.to_words())),
            (SITES, encode_packed(&tables.sites)),
            (POINTS, encode_packed(&tables.points)),
        ];
        let mut head = encode(head(tables));
        let mut checksum = Checksum::new();
        checksum.section(&head);
        checksum.section(&self.text);
        sections.iter().for_each(|(_, data)| checksum.section(data));
        head.extend(checksum.0.to_le_bytes());

        let mut file = object::write::Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
        let text = file.add_section(Vec::new(), TEXT.into(), SectionKind::Text);
        file.set_section_data(text, self.text.as_slice(), TEXT_ALIGN);
        for (name, data) in [(HEAD, head)].into_iter().chain(sections) {
            let section = file.add_section(Vec::new(), name.into(), SectionKind::Other);
            file.set_section_data(section, data, 8);
        }
        file.write().expect("sections without relocations or symbols can always be written")
    }

    /// Reads an image back from what [`CodeImage::to_elf`] made.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`](crate::base::ErrorKind::Argument) for bytes that are no such file, were damaged, or were written by a
    /// version with another encoding. It never panics.
    pub fn from_elf(bytes: &[u8]) -> Result<CodeImage> {
        let file = ElfFile64::<Endianness>::parse(bytes).map_err(damaged)?;
        if file.architecture() != Architecture::X86_64 || file.endianness() != Endianness::Little {
            return Err(damaged("a file for another machine"));
        }
        let section = |name: &str| -> Result<&[u8]> {
            let section = file.section_by_name(name).ok_or_else(|| damaged(format_args!("no section {name}")))?;
            section.data().map_err(|error| damaged(format_args!("section {name}: {error}")))
        };

        let (head_bytes, sum) = section(HEAD)?.split_last_chunk::<8>().ok_or_else(|| damaged("a short head"))?;
        let words = decode(HEAD, head_bytes)?;
        let Some(version) = words.first().copied() else {
            return Err(damaged("an empty head"));
        };
        if version != VERSION {
            return Err(damaged(format_args!("written with encoding {version}, this library reads {VERSION}")));
        }
        let [_, tier, regions, first, stop_stub] = words[..] else {
            return Err(damaged("a head of another length"));
        };
        let names = [FUNCTIONS, TRAPS, ADDRESSES, CALLS, LOCALS, SHAPES, SITES, POINTS];
        let text = section(TEXT)?;
        let mut checksum = Checksum::new();
        checksum.section(head_bytes);
        checksum.section(text);
        for name in names {
            checksum.section(section(name)?);
        }
        if checksum.0 != u64::from_le_bytes(*sum) {
            return Err(damaged("the checksum differs"));
        }

        let tables = ImageTables {
            tier: match tier {
                0 => Tier::Production,
                1 => Tier::Debug,
                _ => return Err(damaged(format_args!("tier {tier}"))),
            },
            regions: match regions {
                0 => false,
                1 => true,
                _ => return Err(damaged(format_args!("regions {regions}"))),
            },
            first: DefinedFuncIndex::new(first),
            functions: decode_functions(section(FUNCTIONS)?)?,
            traps: decode_packed(TRAPS, section(TRAPS)?)?,
            addresses: decode_packed(ADDRESSES, section(ADDRESSES)?)?,
            calls: decode_packed(CALLS, section(CALLS)?)?,
            locals: decode_locals(section(LOCALS)?)?,
            shapes: decode_shapes(section(SHAPES)?)?,
            sites: decode_packed(SITES, section(SITES)?)?,
            points: decode_packed(POINTS, section(POINTS)?)?,
            stop_stub: (stop_stub != NONE).then(|| TextOffset::new(stop_stub)),
        };
        let image = CodeImage { text: text.to_vec(), tables };
        image.validate()?;
        Ok(image)
    }
}
