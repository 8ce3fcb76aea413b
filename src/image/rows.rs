//! The tables of an image as the sections of a file, and back. Numbers are little-endian, rows are words of 32 bits or
//! packed. Reading never panics, whatever the bytes. What the rows say is checked in `validate`.

use super::packed::{Reader, write_number};
use super::validate::damaged;
use super::{FunctionEntry, ImageTables, Packed, PackedRow, Place, Shapes, Tier};
use crate::base::{DefinedFuncIndex, Result, SlotLayout, TextOffset, ValType};
use crate::isa::SavedRegisters;

/// Stands for an offset that is not there.
const NONE: u32 = u32::MAX;

const HEAD: &str = "head";
const FUNCTIONS: &str = "functions";
const TRAPS: &str = "traps";
const ADDRESSES: &str = "addresses";
const CALLS: &str = "calls";
const HANDLERS: &str = "handlers";
const SAFEPOINTS: &str = "safepoints";
const LOCALS: &str = "locals";
const SHAPES: &str = "shapes";
const SITES: &str = "sites";
const POINTS: &str = "points";

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
const FUNCTION_WORDS: usize = 14;

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
        let (locals_at, arguments) = (self.locals_at as u32, self.arguments);
        [
            start,
            len,
            frame_size,
            locals.0,
            locals.1,
            points.0,
            points.1,
            locals_at,
            vmctx[0],
            vmctx[1],
            saved,
            arguments,
            self.references_at as u32,
            self.kept,
        ]
    }

    /// `None` when the words say something that does not exist.
    fn from_words(words: [u32; FUNCTION_WORDS]) -> Option<Self> {
        let [start, len, frame_size, ranges @ .., locals_at, vmctx, offset, saved, arguments, references_at, kept] =
            words;
        let [locals, locals_end, points, points_end] = ranges;
        Some(FunctionEntry {
            start: TextOffset::new(start),
            len,
            frame_size,
            locals: (locals, locals_end),
            kept,
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
            arguments,
            references_at: references_at as i32,
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

/// The types' numbers.
fn encode_locals(locals: &SlotLayout) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(locals.len());
    locals.all().types().iter().for_each(|ty| write_number(&mut bytes, u64::from(ty.number())));
    bytes
}

fn decode_locals(data: &[u8]) -> Result<SlotLayout> {
    let mut reader = Reader::new(data);
    let mut locals = SlotLayout::new();
    while !reader.is_done() {
        let number = reader.number().and_then(|number| u32::try_from(number).ok());
        let ty = number.and_then(ValType::from_number);
        locals.push(ty.ok_or_else(|| damaged(format_args!("row {} of {LOCALS}", locals.len())))?);
    }
    locals.shrink_to_fit();
    Ok(locals)
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

impl ImageTables {
    /// The sections of the tables: name, bytes.
    pub(super) fn sections(&self) -> [(&'static str, Vec<u8>); 11] {
        let stub = self.stop_stub.map_or(NONE, TextOffset::get);
        [
            (HEAD, encode([u32::from(self.tier as u8), u32::from(self.regions), self.first.get(), stub])),
            (FUNCTIONS, encode(self.functions.iter().copied().flat_map(FunctionEntry::to_words))),
            (TRAPS, encode_packed(&self.traps)),
            (ADDRESSES, encode_packed(&self.addresses)),
            (CALLS, encode_packed(&self.calls)),
            (HANDLERS, encode_packed(&self.handlers)),
            (SAFEPOINTS, encode_packed(&self.safepoints)),
            (LOCALS, encode_locals(&self.locals)),
            (SHAPES, encode(self.shapes.to_words())),
            (SITES, encode_packed(&self.sites)),
            (POINTS, encode_packed(&self.points)),
        ]
    }

    /// The tables of what [`ImageTables::sections`] gave, by `section`, from its name.
    pub(super) fn from_sections<'a>(section: impl Fn(&str) -> Result<&'a [u8]>) -> Result<ImageTables> {
        let [tier, regions, first, stop_stub] = decode(HEAD, section(HEAD)?)?[..] else {
            return Err(damaged("a head of another length"));
        };
        Ok(ImageTables {
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
            handlers: decode_packed(HANDLERS, section(HANDLERS)?)?,
            safepoints: decode_packed(SAFEPOINTS, section(SAFEPOINTS)?)?,
            locals: decode_locals(section(LOCALS)?)?,
            shapes: decode_shapes(section(SHAPES)?)?,
            sites: decode_packed(SITES, section(SITES)?)?,
            points: decode_packed(POINTS, section(POINTS)?)?,
            stop_stub: (stop_stub != NONE).then(|| TextOffset::new(stop_stub)),
        })
    }
}
