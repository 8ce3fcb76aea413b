//! The head of a serialized module's file, which stands behind the ELF header. It says how long the file is, and which
//! parts of it who loads it may *leave out* of a copy: data that goes to where memories map it from, instead. That, and
//! why, is for `runtime/`.
//!
//! The head has two hashes: one over what is left out, one over everything else. They find damage, not malice.

use super::validate::damaged;
use crate::base::{Error, ErrorKind, Foreign, Result, gaps};
use crate::isa::PAGE_SIZE;
use std::ops::Range;
use xxhash_rust::xxh3::Xxh3;

/// The version of this file format: files of another are refused.
const FORMAT: u32 = 11;
/// What the head begins with.
const MAGIC: [u8; 8] = *b"stepwell";
/// What an ELF file begins with.
const ELF_MAGIC: [u8; 4] = *b"\x7fELF";
/// What a Wasm binary begins with.
const WASM_MAGIC: [u8; 4] = *b"\0asm";
/// Where the head is: behind the ELF header.
pub(super) const HEAD_AT: usize = 64;
/// Where its parts are: magic, format, how many ranges are left out, length of the file, both hashes; then the ranges.
const FORMAT_AT: usize = HEAD_AT + MAGIC.len();
const COUNT_AT: usize = FORMAT_AT + 4;
const LEN_AT: usize = COUNT_AT + 4;
const HASHES_AT: usize = LEN_AT + 8;
const RANGES_AT: usize = HASHES_AT + 2 * size_of::<Hash>();
/// The bytes of a range: where it begins, and where it ends.
const RANGE_BYTES: usize = 16;

/// As much of a file as tells what it is, and what may be left out.
pub const BEGINNING: usize = PAGE_SIZE;

/// The most ranges that a head has room for. A copy with a range left out takes four calls of the system more than one
/// without; what is not left out is copied twice.
pub const MOST_LEFT_OUT: usize = 240;

const _: () = assert!(RANGES_AT + MOST_LEFT_OUT * RANGE_BYTES <= BEGINNING, "the head stands in the beginning");

/// A hash, which finds damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hash([u8; 16]);

impl Hash {
    /// That of pieces, one behind the other.
    fn of<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Hash {
        let mut state = Xxh3::new();
        pieces.for_each(|piece| state.update(piece));
        Hash(state.digest128().to_le_bytes())
    }

    /// That of a file without what is left out, and without the hashes.
    fn of_rest(file: &[u8], left_out: &[Range<usize>]) -> Hash {
        let skipped: Vec<_> = std::iter::once(HASHES_AT..RANGES_AT).chain(left_out.iter().cloned()).collect();
        Hash::of(gaps(&skipped, 0..file.len()).map(|range| &file[range]))
    }
}

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHead {
    left_out: Vec<Range<usize>>,
    rest: Hash,
    data: Hash,
}

impl FileHead {
    /// How long it is, with as many ranges left out.
    pub(super) fn bytes(left_out: usize) -> usize {
        RANGES_AT - HEAD_AT + left_out * RANGE_BYTES
    }

    /// Whether a file that begins so is one of these, of whatever format.
    pub fn is_of_ours(beginning: &[u8]) -> bool {
        beginning.starts_with(&ELF_MAGIC) && beginning.get(HEAD_AT..).is_some_and(|head| head.starts_with(&MAGIC))
    }

    /// Reads that of a file of `len` bytes that begins with `beginning`: with its first [`BEGINNING`] bytes, or more,
    /// or all of them. Refuses what is no such file, has another length than it had, or another format.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`]; [`ErrorKind::Unsupported`] for another format.
    pub fn read(beginning: &[u8], len: usize) -> Result<FileHead> {
        if beginning.starts_with(&WASM_MAGIC) {
            let what = "it is WebAssembly, to be compiled: pass it to `wasm_module_new` (`Module`, `stepwell-run` \
                        without `--precompiled`)";
            return Err(foreign(what));
        }
        if !beginning.starts_with(&ELF_MAGIC) {
            return Err(foreign(Foreign(beginning)));
        }
        if beginning.len() < RANGES_AT {
            return Err(foreign(format_args!("it is an ELF file cut short after {} bytes", beginning.len())));
        }
        if !FileHead::is_of_ours(beginning) {
            return Err(foreign("it is another ELF file"));
        }
        let format = u32_at(beginning, FORMAT_AT);
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
        let left_out = ranges(beginning, len).ok_or_else(|| damaged("its head contradicts itself"))?;
        let hash = |at| Hash(bytes_at(beginning, at));
        Ok(FileHead { left_out, data: hash(HASHES_AT), rest: hash(HASHES_AT + size_of::<Hash>()) })
    }

    /// What may be left out of a copy of the file: ascending, apart, none empty.
    pub fn left_out(&self) -> &[Range<usize>] {
        &self.left_out
    }

    /// Whether the file, or a copy of it with something left out, has the bytes that were written.
    pub(super) fn check(&self, file: &[u8]) -> Result<()> {
        if Hash::of_rest(file, &self.left_out) == self.rest {
            return Ok(());
        }
        Err(damaged("its hash differs"))
    }

    /// Whether these are the bytes that may be left out.
    pub(super) fn check_left_out<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        if Hash::of(pieces) == self.data {
            return Ok(());
        }
        Err(damaged("the hash of its data differs"))
    }
}

/// The ranges that are left out of a file of `len` bytes, where they are such.
fn ranges(beginning: &[u8], len: usize) -> Option<Vec<Range<usize>>> {
    let count = u32_at(beginning, COUNT_AT) as usize;
    let end = RANGES_AT + count.min(MOST_LEFT_OUT + 1) * RANGE_BYTES;
    let table = beginning.get(RANGES_AT..end).filter(|_| count <= MOST_LEFT_OUT)?;
    let mut free_from = end;
    let range = |bytes: &[u8]| {
        let [start, end] = [0, 8].map(|at| usize::try_from(u64_at(bytes, at)).unwrap_or(usize::MAX));
        let fits = start >= free_from && start < end && end <= len;
        free_from = end;
        fits.then_some(start..end)
    };
    table.chunks_exact(RANGE_BYTES).map(range).collect()
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("as many bytes")
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}

/// Writes the head of a complete file, over zeros.
///
/// # Panics
/// When these are no ranges of the file behind its head, ascending, none empty; or there are too many.
pub(super) fn write_head(file: &mut [u8], left_out: &[Range<usize>]) {
    file[HEAD_AT..FORMAT_AT].copy_from_slice(&MAGIC);
    file[FORMAT_AT..COUNT_AT].copy_from_slice(&FORMAT.to_le_bytes());
    file[COUNT_AT..LEN_AT].copy_from_slice(&(left_out.len() as u32).to_le_bytes());
    for (range, at) in left_out.iter().zip((RANGES_AT..).step_by(RANGE_BYTES)) {
        file[at..at + 8].copy_from_slice(&(range.start as u64).to_le_bytes());
        file[at + 8..at + RANGE_BYTES].copy_from_slice(&(range.end as u64).to_le_bytes());
    }
    assert!(
        ranges(file, file.len()).is_some_and(|read| read == left_out),
        "what is left out of a file is not in order"
    );
    seal_elf(file);
}

/// Writes the length and the hashes into the head of a file that [`write_elf`](super::write_elf) has made, or a test of
/// that. Bytes that are too short for a head stay as they are; where a head contradicts itself, nothing is left out.
pub fn seal_elf(file: &mut [u8]) {
    if file.len() < RANGES_AT {
        return;
    }
    let len = (file.len() as u64).to_le_bytes();
    file[LEN_AT..HASHES_AT].copy_from_slice(&len);
    let left_out = ranges(file, file.len()).unwrap_or_default();
    let data = Hash::of(left_out.iter().map(|range| &file[range.clone()]));
    let rest = Hash::of_rest(file, &left_out);
    file[HASHES_AT..RANGES_AT].copy_from_slice(&[data.0, rest.0].concat());
}

/// The error for bytes that are something else altogether.
#[cold]
fn foreign(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidModule, format!("this is no serialized module; {what}"))
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of ranges, and some have one")]
mod tests {
    use super::*;

    /// A file of zeros with a head.
    fn file(len: usize, left_out: &[Range<usize>]) -> Vec<u8> {
        let mut file = vec![0; len];
        file[..4].copy_from_slice(&ELF_MAGIC);
        write_head(&mut file, left_out);
        file
    }

    #[test]
    fn ranges_are_written_and_read_back() {
        let many: Vec<_> = (0..MOST_LEFT_OUT).map(|i| BEGINNING + 7 * i..BEGINNING + 7 * i + 5).collect();
        let behind = HEAD_AT + FileHead::bytes(1);
        for (len, left_out) in [(RANGES_AT, &[][..]), (9000, &[behind..9000]), (1 << 20, &many)] {
            let mut file = file(len, left_out);
            let head = FileHead::read(&file[..BEGINNING.min(len)], len).unwrap();
            assert_eq!(head.left_out(), left_out);
            head.check(&file).unwrap();
            fn data<'a>(file: &'a [u8], left_out: &'a [Range<usize>]) -> impl Iterator<Item = &'a [u8]> {
                left_out.iter().map(|range| &file[range.clone()])
            }
            head.check_left_out(data(&file, left_out)).unwrap();
            for range in left_out.iter().take(3) {
                file[range.end - 1] ^= 1;
                head.check(&file).unwrap();
                assert_eq!(head.check_left_out(data(&file, left_out)).unwrap_err().kind(), ErrorKind::InvalidModule);
                file[range.end - 1] ^= 1;
            }
            file[HEAD_AT + 3] ^= 1;
            assert_eq!(head.check(&file).unwrap_err().kind(), ErrorKind::InvalidModule);
        }
    }

    #[test]
    fn ranges_in_disorder_are_refused() {
        let good = file(9000, &[200..300, 300..301, 8000..9000]);
        let read = |at: usize, word: u64, bytes: usize| {
            let mut file = good.clone();
            file[at..at + bytes].copy_from_slice(&word.to_le_bytes()[..bytes]);
            seal_elf(&mut file);
            FileHead::read(&file, file.len()).map(|head| head.left_out).map_err(|error| error.kind())
        };
        assert_eq!(read(RANGES_AT, 170, 8).unwrap()[0], 170..300);
        assert_eq!(read(COUNT_AT, 2, 4).unwrap().len(), 2);
        for (at, word, bytes) in [
            (RANGES_AT, RANGES_AT as u64 + 47, 8),
            (RANGES_AT, 300, 8),
            (RANGES_AT, u64::MAX, 8),
            (RANGES_AT + 8, 301, 8),
            (RANGES_AT + 24, 300, 8),
            (RANGES_AT + 40, 9001, 8),
            (RANGES_AT + 40, u64::MAX, 8),
            (COUNT_AT, 4, 4),
            (COUNT_AT, MOST_LEFT_OUT as u64 + 1, 4),
            (COUNT_AT, u64::from(u32::MAX), 4),
        ] {
            assert_eq!(read(at, word, bytes), Err(ErrorKind::InvalidModule), "{word} at {at}");
        }
    }
}
