//! What a module's memories begin with, as a part of its file: which pages of a memory hold something, and those pages.
//! They are the last part of the file, one behind the other as the table has them; so where each stands need not be
//! said, and cannot be said wrongly. How a memory is made of them is for `runtime/` and `sys/`.

use super::elf::Hash;
use super::validate::damaged;
use crate::base::{DataIndex, MemoryIndex, Result};
use crate::isa::PAGE_SIZE;
use std::ops::Range;

/// The most bytes of a memory whose contents can be written: its pages are counted in 32 bits.
pub const MOST_MEMORY_BYTES: usize = (u32::MAX as usize) * PAGE_SIZE;

/// A page of a memory, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct MemoryPage(u32);

impl MemoryPage {
    /// Where it begins in the memory.
    fn offset(self) -> usize {
        self.0 as usize * PAGE_SIZE
    }

    /// The page that this byte of the memory is in.
    fn of(offset: usize) -> MemoryPage {
        MemoryPage(u32::try_from(offset / PAGE_SIZE).expect("a memory has fewer pages"))
    }
}

/// Where these pages are in the memory, in bytes.
fn offsets(pages: &Range<MemoryPage>) -> Range<usize> {
    pages.start.offset()..pages.end.offset()
}

/// A byte of a file, counted from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileOffset(usize);

impl FileOffset {
    /// How many bytes are before it.
    pub fn get(self) -> usize {
        self.0
    }
}

/// What the image of a memory is of: of which memory, which part of it, and which data segments are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageOf {
    /// The memory.
    pub memory: MemoryIndex,
    /// Which part of it: whole pages.
    pub range: Range<usize>,
    /// The data segments.
    pub segments: Vec<DataIndex>,
}

/// What a memory begins with, to be written.
#[derive(Clone, Debug)]
pub struct MemoryContents<'a> {
    of: ImageOf,
    /// The bytes of that part of the memory.
    bytes: &'a [u8],
    /// Which pages of the memory are written: ascending, with others between them.
    runs: Vec<Range<MemoryPage>>,
}

impl<'a> MemoryContents<'a> {
    /// Those of an image that has these bytes. All but zeros is in `filled`, ranges of the memory in bytes, in any
    /// order. Only pages that hold something else than zeros are written.
    ///
    /// # Panics
    /// When the bytes are not of that part, what is filled does not lie in it, or the part is not of whole pages.
    pub fn new(of: ImageOf, bytes: &'a [u8], filled: impl Iterator<Item = Range<usize>>) -> MemoryContents<'a> {
        let Range { start, end } = of.range;
        assert!(start.is_multiple_of(PAGE_SIZE) && bytes.len().is_multiple_of(PAGE_SIZE) && bytes.len() == end - start);
        let mut filled: Vec<_> = filled.filter(|range| !range.is_empty()).collect();
        filled.sort_unstable_by_key(|range| range.start);
        let mut runs: Vec<Range<MemoryPage>> = Vec::new();
        let mut next = start;
        for range in filled {
            assert!(range.start >= start && range.end <= end, "contents beyond the ends of an image");
            let first = (range.start / PAGE_SIZE * PAGE_SIZE).max(next);
            next = next.max(range.end.next_multiple_of(PAGE_SIZE));
            for at in (first..next).step_by(PAGE_SIZE) {
                if bytes[at - start..][..PAGE_SIZE].iter().all(|byte| *byte == 0) {
                    continue;
                }
                let page = MemoryPage::of(at)..MemoryPage::of(at + PAGE_SIZE);
                match runs.last_mut() {
                    Some(last) if last.end == page.start => last.end = page.end,
                    _ => runs.push(page),
                }
            }
        }
        MemoryContents { of, bytes, runs }
    }

    /// The pages, one run of them after the other.
    pub(super) fn pages(&self) -> impl Iterator<Item = &'a [u8]> {
        pieces(&self.of, self.bytes, self.runs.iter())
    }
}

/// The bytes of runs of pages, where `bytes` are those of the image.
fn pieces<'a, 'b>(
    of: &'b ImageOf,
    bytes: &'a [u8],
    runs: impl Iterator<Item = &'b Range<MemoryPage>>,
) -> impl Iterator<Item = &'a [u8]> {
    let start = of.range.start;
    runs.map(move |run| &bytes[run.start.offset() - start..run.end.offset() - start])
}

/// What a memory begins with, in a file.
#[derive(Clone, Debug)]
pub struct StoredMemory {
    /// What it is the image of.
    pub of: ImageOf,
    /// Its pages that are in the file, and where.
    runs: Vec<(Range<MemoryPage>, FileOffset)>,
    hash: Hash,
}

impl StoredMemory {
    /// What stands in the file: where, and where it is to stand in the memory, in bytes.
    pub fn runs(&self) -> impl Iterator<Item = (FileOffset, Range<usize>)> {
        self.runs.iter().map(|(pages, from)| (*from, offsets(pages)))
    }

    /// Whether an image that was made of it has the bytes that were written.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`](crate::base::ErrorKind::InvalidModule) if not.
    pub fn verify(&self, bytes: &[u8]) -> Result<()> {
        let found = || Hash::of(pieces(&self.of, bytes, self.runs.iter().map(|(run, _)| run)));
        if bytes.len() == self.of.range.len() && found() == self.hash {
            return Ok(());
        }
        Err(damaged(format_args!("the hash of what memory {} begins with differs", self.of.memory)))
    }
}

/// The table: for each memory five words, the hash, the segments, and the ends of the runs.
pub(super) fn write_table(memories: &[MemoryContents<'_>]) -> Vec<u8> {
    let mut table = Vec::new();
    for memory in memories {
        let (start, end) = (MemoryPage::of(memory.of.range.start), MemoryPage::of(memory.of.range.end));
        let (segments, runs) = (memory.of.segments.len() as u32, memory.runs.len() as u32);
        let head = [memory.of.memory.get(), start.0, end.0, segments, runs];
        table.extend(head.iter().flat_map(|word| word.to_le_bytes()));
        table.extend(Hash::of(memory.pages()).0);
        table.extend(memory.of.segments.iter().flat_map(|segment| segment.get().to_le_bytes()));
        table.extend(memory.runs.iter().flat_map(|run| [run.start.0, run.end.0]).flat_map(u32::to_le_bytes));
    }
    table
}

/// What is left of a table.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(len).ok_or_else(|| table("is cut off"))?;
        self.0 = rest;
        Ok(first)
    }

    /// So many words. What is not there is found before room is made for it.
    fn words(&mut self, count: usize) -> Result<impl Iterator<Item = u32> + use<'a>> {
        let bytes = self.bytes(count.saturating_mul(4))?;
        Ok(bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().expect("four bytes"))))
    }
}

#[cold]
fn table(what: &str) -> crate::base::Error {
    damaged(format_args!("the table of what memories begin with {what}"))
}

/// Reads what [`write_table`] has made; the pages stand at `pages` in the file.
pub(super) fn read_table(bytes: &[u8], pages: Range<usize>) -> Result<Vec<StoredMemory>> {
    let (mut rest, mut memories) = (Words(bytes), Vec::<StoredMemory>::new());
    let mut from = pages.start;
    while !rest.0.is_empty() {
        let mut head = rest.words(5)?;
        let mut word = || head.next().unwrap_or_default();
        let (memory, start, end) = (MemoryIndex::new(word()), MemoryPage(word()), MemoryPage(word()));
        let (segments, runs) = (word() as usize, word() as usize);
        let hash = Hash(rest.bytes(size_of::<Hash>())?.try_into().expect("as many bytes"));
        let segments = rest.words(segments)?.map(DataIndex::new).collect();
        let mut ends = rest.words(runs.saturating_mul(2))?;
        let mut stored = Vec::with_capacity(runs);
        let mut free_from = start;
        while let (Some(first), Some(last)) = (ends.next().map(MemoryPage), ends.next().map(MemoryPage)) {
            if first < free_from || last <= first || last > end {
                return Err(table("has pages in disorder"));
            }
            let run = first..last;
            let len = offsets(&run).len();
            if len > pages.end - from {
                return Err(table("has pages beyond the file"));
            }
            stored.push((run, FileOffset(from)));
            (from, free_from) = (from + len, last);
        }
        if start >= end || memories.last().is_some_and(|before| before.of.memory >= memory) {
            return Err(table("has memories in disorder"));
        }
        let of = ImageOf { memory, range: offsets(&(start..end)), segments };
        memories.push(StoredMemory { of, runs: stored, hash });
    }
    if from != pages.end {
        return Err(table("has fewer pages than the file"));
    }
    Ok(memories)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ErrorKind;

    const PAGE: usize = PAGE_SIZE;

    fn image(memory: u32, pages: Range<usize>, segments: &[u32]) -> ImageOf {
        let segments = segments.iter().copied().map(DataIndex::new).collect();
        ImageOf { memory: MemoryIndex::new(memory), range: pages.start * PAGE..pages.end * PAGE, segments }
    }

    /// Two memories: one with pages 0, 2, 3 and 7 of 8, of which segments touch more; one of page 9 of 8 to 10.
    fn both() -> [(ImageOf, Vec<u8>); 2] {
        let mut first = vec![0; 8 * PAGE];
        [3, 2 * PAGE, 4 * PAGE - 1, 8 * PAGE - 1].into_iter().for_each(|at| first[at] = 0x11);
        let mut second = vec![0; 2 * PAGE];
        second[PAGE + 5] = 0x22;
        [(image(1, 0..8, &[0, 1, 5]), first), (image(3, 8..10, &[4]), second)]
    }

    fn contents(both: &[(ImageOf, Vec<u8>); 2]) -> [MemoryContents<'_>; 2] {
        let [first, second] = both;
        let filled = [7 * PAGE + 9..8 * PAGE, 0..1, 1..7, 5..5, PAGE - 1..5 * PAGE + 1, 2 * PAGE..3 * PAGE];
        [
            MemoryContents::new(first.0.clone(), &first.1, filled.into_iter()),
            MemoryContents::new(second.0.clone(), &second.1, std::iter::once(9 * PAGE..10 * PAGE)),
        ]
    }

    #[test]
    fn pages_with_something_are_written_and_read_back() {
        let both = both();
        let contents = contents(&both);
        let written: Vec<u8> = contents.iter().flat_map(|memory| memory.pages().collect::<Vec<_>>().concat()).collect();
        assert_eq!(written.len(), 5 * PAGE);
        let read = read_table(&write_table(&contents), 7 * PAGE..12 * PAGE).unwrap();
        assert_eq!(read.len(), 2);
        for (memory, (of, bytes)) in read.iter().zip(&both) {
            assert_eq!(memory.of, *of);
            let mut made = vec![0; bytes.len()];
            for (from, to) in memory.runs() {
                let to = to.start - of.range.start..to.end - of.range.start;
                let from = from.get() - 7 * PAGE;
                made[to.clone()].copy_from_slice(&written[from..from + to.len()]);
            }
            assert!(made == *bytes);
            memory.verify(&made).unwrap();
            let last = memory.runs().last().unwrap().1.end - of.range.start;
            made[last - 1] ^= 1;
            assert_eq!(memory.verify(&made).unwrap_err().kind(), ErrorKind::InvalidModule);
            assert!(memory.verify(&bytes[..last - 1]).is_err());
        }
        let runs: Vec<_> =
            read[0].runs().map(|(from, to)| (from.get() / PAGE, to.start / PAGE, to.end / PAGE)).collect();
        assert_eq!(runs, [(7, 0, 1), (8, 2, 4), (10, 7, 8)]);
        let zeros = MemoryContents::new(image(0, 0..2, &[0]), &both[0].1[4 * PAGE..6 * PAGE], std::iter::once(0..9));
        let read = read_table(&write_table(&[zeros]), 5..5).unwrap();
        assert!(read[0].runs().count() == 0);
        read[0].verify(&[0; 2 * PAGE]).unwrap();
        assert!(read_table(&[], 5..5).unwrap().is_empty());
    }

    /// Every word of the table, with other values; and every length.
    #[test]
    fn what_contradicts_itself_is_refused() {
        let both = both();
        let good = write_table(&contents(&both));
        let pages = 7 * PAGE..12 * PAGE;
        assert!(read_table(&good, pages.clone()).is_ok());
        for len in (0..good.len()).chain([good.len() + 1]) {
            let mut bytes = good.clone();
            bytes.resize(len, 0);
            assert_eq!(read_table(&bytes, pages.clone()).unwrap_err().kind(), ErrorKind::InvalidModule, "{len}");
        }
        for wrong in [7 * PAGE..11 * PAGE, 7 * PAGE..13 * PAGE, 7 * PAGE..7 * PAGE] {
            assert!(read_table(&good, wrong).is_err());
        }
        // Which words may be something else without contradicting anything: memories, ends, hashes, segments.
        let (mut accepted, words) = (Vec::new(), good.len() / 4);
        for word in 0..words {
            let at = word * 4..word * 4 + 4;
            let old = u32::from_le_bytes(good[at.clone()].try_into().unwrap());
            for new in [0, 1, old.wrapping_add(1), old.wrapping_sub(1), old ^ 0x8000_0000, u32::MAX, 1 << 20] {
                let mut bytes = good.clone();
                bytes[at.clone()].copy_from_slice(&new.to_le_bytes());
                if new != old && read_table(&bytes, pages.clone()).is_ok() {
                    accepted.push(word);
                }
            }
        }
        accepted.dedup();
        // The first memory's end, both hashes, and segments; a run of a page may not move.
        let expected = [0, 2, 5, 6, 7, 8, 9, 10, 11];
        assert_eq!(accepted[..9], expected, "{accepted:?}");
        assert!(accepted.iter().all(|word| *word < 12 || *word >= 18), "{accepted:?}");
    }
}
