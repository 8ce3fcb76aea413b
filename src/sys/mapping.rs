//! The mapping of a linear memory, and the image it begins with. It knows what of it is the image, what is zero, and
//! what was made accessible since; it gives back what was written in one call. What the bytes mean, and when a memory
//! may grow, is for those above.

use super::pages::{PAGE_SIZE, Reservation};
use super::source::{Piece, Source};
use super::system::changes::{Mark, set_writable};
use super::system::touched::{filled_pages, private_pages};
use super::system::{SealedFile, unmap};
use crate::base::{Error, ErrorKind, Result};
use std::ops::Range;
use std::sync::Arc;

/// A piece of zeros, before the contents of an image or behind them, is made a part of its file if it is no longer than
/// this, or than a quarter of what is between the first byte that is not zero and the last.
///
/// A part of the file needs no mapping of its own, which costs some 2 us to make, and a process has few of those. It
/// takes no memory before a guest looks at it. Then it takes a page of the file, once for all instances, also where the
/// guest only reads: so these two pieces are what a module may make its engine hold, and no more. A program's stack,
/// which stands before its data, is 1 MiB at most by the defaults of today's linkers, and what stands behind its data
/// fills up the last Wasm page.
const ZEROS: usize = 1 << 20;

/// What memories begin with: bytes at an offset, zeros elsewhere, in a file that nobody can change. Memories map it and
/// copy a page when it is written.
#[derive(Debug)]
pub struct MemoryImage {
    /// What of a memory it is: whole pages.
    range: Range<usize>,
    file: SealedFile,
    /// Where the file is mapped for reading.
    source: usize,
}

impl MemoryImage {
    /// The image of a memory of `len` bytes with `chunks` in it, each at its offset, later ones over earlier ones;
    /// `None` where the system does not let us have a file for it, or where there is nothing in it.
    ///
    /// # Errors
    /// [`ErrorKind::System`] where there is no memory for it.
    ///
    /// # Panics
    /// When a chunk does not lie in the memory.
    pub fn new<'a>(len: usize, chunks: impl Iterator<Item = (usize, &'a [u8])> + Clone) -> Result<Option<MemoryImage>> {
        let filled = chunks.filter(|(_, bytes)| !bytes.is_empty());
        let Some(start) = filled.clone().map(|(at, _)| at).min() else { return Ok(None) };
        let end = filled.clone().map(|(at, bytes)| at + bytes.len()).max().unwrap_or(start);
        let range = MemoryImage::range_for(len, start..end);
        MemoryImage::filled(range.clone(), |file| {
            filled.clone().try_for_each(|(at, bytes)| file.write_at(at - range.start, bytes))
        })
    }

    /// The image that is this part of a memory, whole pages, with pieces of a source in it, each at its offset in the
    /// memory; `None` where the system does not let us have a file for it. It is made as it would be of chunks, but
    /// without the bytes going through this process's memory where they come from a file. What is missing there is
    /// zeros.
    ///
    /// # Errors
    /// [`ErrorKind::System`] where there is no memory for it, and for a file that cannot be read.
    ///
    /// # Panics
    /// When a piece does not lie in that part, or the part is empty.
    pub fn copied(
        range: Range<usize>,
        pieces: impl Iterator<Item = Piece>,
        source: &Source<'_>,
    ) -> Result<Option<MemoryImage>> {
        let pieces = pieces.map(|piece| {
            let inside = piece.to >= range.start && piece.to <= range.end && piece.len <= range.end - piece.to;
            assert!(inside, "contents beyond the ends of an image");
            Piece { to: piece.to - range.start, ..piece }
        });
        MemoryImage::filled(range.clone(), |file| source.copy(file, pieces).map(drop))
    }

    /// What of a memory of `len` bytes an image is whose contents are in `filled`.
    ///
    /// # Panics
    /// When that does not lie in the memory.
    pub fn range_for(len: usize, filled: Range<usize>) -> Range<usize> {
        let Range { start, end } = filled;
        assert!(start <= end && end <= len, "contents beyond the end of a memory");
        let zeros = ZEROS.max((end - start) / 4);
        let start = if start <= zeros { 0 } else { start / PAGE_SIZE * PAGE_SIZE };
        let end = if len - end <= zeros { len } else { end.next_multiple_of(PAGE_SIZE) };
        start..end
    }

    fn filled(range: Range<usize>, fill: impl FnOnce(&SealedFile) -> Result<()>) -> Result<Option<MemoryImage>> {
        let Some(file) = SealedFile::sparse(range.len(), fill)? else { return Ok(None) };
        let source = file.map_readable(range.len())?;
        Ok(Some(MemoryImage { range, file, source }))
    }

    /// What of a memory it is: whole pages.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The bytes of [`MemoryImage::range`]. Pages of zeros that nobody has read yet take memory once they are.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is readable, that long, and lives as long as this; the file behind it is sealed, so
        // nobody can change or shorten it.
        unsafe { std::slice::from_raw_parts(self.source as *const u8, self.range.len()) }
    }
}

impl Drop for MemoryImage {
    fn drop(&mut self) {
        // SAFETY: the mapping is the image's own.
        unsafe { unmap(self.source, self.range.len()) };
    }
}

/// The pages of a memory, in address space that is reserved for it. It shows an image, if it has one, and zeros else,
/// up to where it can be accessed; what is behind faults.
///
/// Of the mappings of which a process has some 65,000 it takes two where the image has what is before its contents and
/// behind them in its file, or where there is none; one more once it has grown; and one more each for zeros before and
/// behind that are not in the file.
#[derive(Debug)]
pub struct MemoryMapping {
    space: Reservation,
    /// How many bytes could be accessed at first.
    first: usize,
    /// How many can be.
    accessible: usize,
    image: Option<Arc<MemoryImage>>,
    /// How many pages of its own it had at least when it was last reset, with the contents that it began with.
    own_pages: usize,
    /// It has a copy of the image's bytes, because the host has closed the file that it should have mapped.
    copied: bool,
    /// The moment against which changes are told, if somebody wants to know.
    mark: Option<Box<Mark>>,
}

impl MemoryMapping {
    /// Has the first `len` bytes, whole pages, of address space in which nothing can be accessed show an image, if
    /// there is one, and zeros for the rest.
    ///
    /// # Errors
    /// [`ErrorKind::System`] where there is no room.
    pub fn new(mut space: Reservation, len: usize, image: Option<&Arc<MemoryImage>>) -> Result<MemoryMapping> {
        let mut inside = image.map_or(len..len, |image| image.range());
        let mut copied = None;
        if let Some(image) = image {
            // What the file held is still mapped, for reading.
            if !space.map_copied(inside.clone(), &image.file, 0)? {
                copied = Some(image);
                inside = len..len;
            }
        }
        space.make_accessible(0..inside.start)?;
        space.make_accessible(inside.end..len)?;
        if let Some(image) = copied {
            let (at, bytes) = (image.range.start, image.bytes());
            // SAFETY: the image lies in the memory, which is accessible and new.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), space.base().add(at), bytes.len()) };
        }
        Ok(MemoryMapping {
            space,
            first: len,
            accessible: len,
            image: image.cloned(),
            own_pages: 0,
            copied: copied.is_some(),
            mark: None,
        })
    }

    /// The first byte.
    pub fn base(&self) -> *mut u8 {
        self.space.base()
    }

    /// How many bytes can be accessed: whole pages.
    pub fn accessible(&self) -> usize {
        self.accessible
    }

    /// How many bytes of address space are reserved.
    pub fn reserved(&self) -> usize {
        self.space.len()
    }

    /// How many bytes could be accessed at first.
    pub fn first(&self) -> usize {
        self.first
    }

    /// Whether it has a copy of the image's bytes, because the host has closed the file that it should have mapped.
    pub fn is_copied(&self) -> bool {
        self.copied
    }

    /// The image it shows.
    pub fn image(&self) -> Option<&Arc<MemoryImage>> {
        self.image.as_ref()
    }

    /// Makes as many bytes accessible, whole pages: those beyond what was are zero. Never fewer.
    ///
    /// # Errors
    /// [`ErrorKind::System`]; nothing has changed then.
    pub fn grow(&mut self, len: usize) -> Result<()> {
        self.space.make_accessible(self.accessible..len)?;
        self.accessible = len;
        if let Some(mark) = &mut self.mark {
            // SAFETY: the pages are this mapping's, which has one mark, and accessible.
            unsafe { mark.grow(self.space.base() as usize + len) };
        }
        Ok(())
    }

    /// Gives back what was written and what it has grown by: it is as it was made. Where no more than `most` pages were
    /// written, those get their contents back and stay, so that the next write to them is no fault. False where the
    /// system does not give pages back (with locked memory), and for a copy; then it is fit for nothing but to be
    /// dropped, as after an error.
    ///
    /// # Errors
    /// [`ErrorKind::System`].
    pub fn reset(&mut self, most: usize) -> Result<bool> {
        self.mark = None;
        if self.copied {
            return Ok(false);
        }
        self.space.forget(self.first..self.accessible)?;
        self.accessible = self.first;
        self.own_pages = 0;
        let (base, image) = (self.space.base() as usize, self.file_at());
        if most > 0
            && let Some(pages) = private_pages(base..base + self.first, image.clone(), most)
        {
            let source = self.image.as_ref().map_or(0, |image| image.source);
            for page in pages.iter().flat_map(|range| range.step_by(PAGE_SIZE)) {
                // SAFETY: a page of this mapping, of which nobody holds Rust references. What is in the range of the
                // image has its page in the file, as far from its start.
                unsafe {
                    match image.contains(&page) {
                        true => {
                            let from = (source + (page - image.start)) as *const u8;
                            std::ptr::copy_nonoverlapping(from, page as *mut u8, PAGE_SIZE);
                        }
                        false => std::ptr::write_bytes(page as *mut u8, 0, PAGE_SIZE),
                    }
                }
            }
            self.own_pages = pages.pages();
            return Ok(true);
        }
        self.space.give_back(0..self.first)
    }

    /// The parts of what is accessible that may hold something else than zeros, lowest first, in whole pages. Nothing
    /// is read for it. [`None`] where the system does not tell.
    pub fn filled(&self) -> Option<Vec<Range<usize>>> {
        let (base, image) = (self.space.base() as usize, self.file_at());
        let end = base + self.accessible;
        let image = if image.is_empty() { base..base } else { image };
        let mut found = Vec::new();
        let mut add = |range: Range<usize>| found.push(range.start - base..range.end - base);
        let told = filled_pages(base..image.start, &mut add) && {
            if !image.is_empty() {
                add(image.clone());
            }
            filled_pages(image.end..end, &mut add)
        };
        told.then_some(found)
    }

    /// The addresses at which the image's file is mapped; none without.
    fn file_at(&self) -> Range<usize> {
        let base = self.space.base() as usize;
        let mapped = self.image.as_ref().filter(|_| !self.copied);
        mapped.map_or(0..0, |image| base + image.range.start..base + image.range.end)
    }

    /// How many pages of its own it has at least, after it was [reset](MemoryMapping::reset).
    pub fn own_pages(&self) -> usize {
        self.own_pages
    }

    /// Has changes be told from now on.
    ///
    /// # Errors
    /// Where there is no memory for what it takes.
    pub fn set_mark(&mut self) -> Result<()> {
        self.mark = None;
        let (base, image) = (self.space.base() as usize, self.file_at());
        // SAFETY: the pages are this mapping's, which has one mark, and accessible, which they stay until the mark is
        // dropped. Who has the mapping to change lets no guest run.
        self.mark = Some(Box::new(unsafe { Mark::set(base..base + self.accessible, image)? }));
        Ok(())
    }

    /// Which pages were changed since the mark, as offsets from the start, lowest first; and the mark is at this moment
    /// then. See [`Mark::is_watched`] for what may be missing on systems that do not note who writes.
    ///
    /// # Errors
    /// [`ErrorKind::State`] without a mark, and where there is no memory for what it takes.
    pub fn changed(&mut self) -> Result<Vec<Range<usize>>> {
        let base = self.space.base() as usize;
        let mark = self.mark.as_mut().ok_or_else(|| Error::new(ErrorKind::State, "the memory has no mark"))?;
        Ok(mark.advance()?.into_iter().map(|range| range.start - base..range.end - base).collect())
    }

    /// Has no changes told any more.
    pub fn drop_mark(&mut self) {
        self.mark = None;
    }

    /// Forbids writing to accessible pages, or allows it again. Bounds are page multiples. Each piece of pages that are
    /// not written to takes up to two mappings more. A guest that writes there gets a fault.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for what is not accessible; [`ErrorKind::System`].
    pub fn set_writable(&mut self, range: Range<usize>, writable: bool) -> Result<()> {
        let whole = range.start.is_multiple_of(PAGE_SIZE) && range.end.is_multiple_of(PAGE_SIZE);
        if !whole || range.start > range.end || range.end > self.accessible {
            let message = format!(
                "bytes {:#x}..{:#x} are no whole pages of a memory of {:#x} bytes",
                range.start, range.end, self.accessible
            );
            return Err(Error::new(ErrorKind::Argument, message));
        }
        if range.is_empty() {
            return Ok(());
        }
        let base = self.space.base() as usize;
        // SAFETY: pages of this mapping, accessible. Whoever writes to them meanwhile is to get a fault.
        unsafe { set_writable(base + range.start..base + range.end, writable) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::faults;

    fn bytes(mapping: &MemoryMapping) -> &[u8] {
        // SAFETY: that much of it can be accessed, and nothing writes to it meanwhile.
        unsafe { std::slice::from_raw_parts(mapping.base(), mapping.accessible()) }
    }

    fn fill(mapping: &mut MemoryMapping, byte: u8) {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(mapping.base(), mapping.accessible()) }.fill(byte);
    }

    /// Bytes at an offset.
    type Chunk = (usize, Vec<u8>);

    /// Images of memories of 64 pages and more: chunks at the start, at the end, across pages, over each other, far
    /// behind the start.
    fn images() -> Vec<(usize, Vec<Chunk>)> {
        let page = PAGE_SIZE;
        vec![
            (64 * page, vec![]),
            (64 * page, vec![(0, vec![])]),
            (64 * page, vec![(0, vec![1; 5])]),
            (64 * page, vec![(64 * page - 3, vec![2; 3])]),
            (64 * page, vec![(page - 7, vec![3; 3 * page]), (page, vec![4; 9]), (2 * page, vec![0; 17])]),
            (ZEROS + 64 * page, vec![(ZEROS, vec![5; 10])]),
            (ZEROS + 64 * page, vec![(ZEROS + 1, vec![6; 10])]),
            (3 * ZEROS, vec![(ZEROS + 2 * page + 1, vec![7; page])]),
            (5 * ZEROS, vec![(3 * ZEROS, vec![7; 2 * ZEROS - 1])]),
            (1 << 30, vec![(1 << 29, vec![8; 100]), ((1 << 29) + 5 * page, vec![9; 100])]),
        ]
    }

    fn expected(len: usize, chunks: &[Chunk]) -> Vec<u8> {
        let mut all = vec![0; len];
        chunks.iter().for_each(|(at, chunk)| all[*at..at + chunk.len()].copy_from_slice(chunk));
        all
    }

    fn image(len: usize, chunks: &[Chunk]) -> Option<Arc<MemoryImage>> {
        MemoryImage::new(len, chunks.iter().map(|(at, chunk)| (*at, &**chunk))).unwrap().map(Arc::new)
    }

    #[test]
    fn a_mapping_shows_its_image_again_after_all_was_written() {
        for (len, chunks) in images().into_iter().filter(|(len, _)| *len <= 1 << 24) {
            let (image, expected) = (image(len, &chunks), expected(len, &chunks));
            assert_eq!(image.is_some(), chunks.iter().any(|(_, chunk)| !chunk.is_empty()));
            let mut mapping = MemoryMapping::new(Reservation::new(1 << 32).unwrap(), len, image.as_ref()).unwrap();
            for most in [0, 16, usize::MAX] {
                assert_eq!((mapping.reserved(), mapping.first()), (1 << 32, len));
                assert_eq!(mapping.accessible(), len);
                assert!(bytes(&mapping) == expected);
                for pages in [1, 16] {
                    mapping.grow(len + pages * PAGE_SIZE).unwrap();
                    assert!(bytes(&mapping)[..len] == expected);
                    assert!(bytes(&mapping)[len..].iter().all(|byte| *byte == 0));
                }
                fill(&mut mapping, 0xaa);
                assert!(mapping.reset(most).unwrap());
            }
            fill(&mut mapping, 0xbb);
            let second = MemoryMapping::new(Reservation::new(len).unwrap(), len, image.as_ref()).unwrap();
            assert!(bytes(&second) == expected);
        }
    }

    #[test]
    fn a_copied_image_is_like_one_that_was_made() {
        let path = std::env::temp_dir().join(format!("stepwell-copied-image-{}", std::process::id()));
        for (len, chunks) in images().into_iter().filter(|(len, _)| *len <= 1 << 24) {
            let Some(made) = image(len, &chunks) else { continue };
            // The chunks behind each other, behind something else.
            let (mut stored, mut pieces) = (vec![0xdd; 77], Vec::new());
            for (at, chunk) in &chunks {
                pieces.push(Piece { from: stored.len(), to: *at, len: chunk.len() });
                stored.extend(chunk);
            }
            std::fs::write(&path, &stored).unwrap();
            for source in [Source::from(&*stored), Source::open(&path).unwrap()] {
                let copied = MemoryImage::copied(made.range(), pieces.iter().copied(), &source).unwrap().unwrap();
                assert_eq!(copied.range(), made.range());
                assert!(copied.bytes() == made.bytes());
                let _refused = faults::refuse_memfd();
                assert!(MemoryImage::copied(made.range(), pieces.iter().copied(), &source).unwrap().is_none());
            }
            // What has been cut off meanwhile is zeros.
            let source = Source::open(&path).unwrap();
            std::fs::write(&path, &stored[..77]).unwrap();
            let cut = MemoryImage::copied(made.range(), pieces.iter().copied(), &source).unwrap().unwrap();
            assert!(cut.bytes().iter().all(|byte| *byte == 0));
            let bytes = Source::from(&stored[..77]);
            let cut = MemoryImage::copied(made.range(), pieces.iter().copied(), &bytes).unwrap().unwrap();
            assert!(cut.bytes().iter().all(|byte| *byte == 0));
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_is_far_from_the_start_or_the_end_is_zeros_outside_of_the_file() {
        let (len, chunks) = images().pop().unwrap();
        let image = image(len, &chunks).unwrap();
        assert_eq!(image.range(), (1 << 29)..(1 << 29) + 6 * PAGE_SIZE);
        let mapping = MemoryMapping::new(Reservation::new(1 << 32).unwrap(), len, Some(&image)).unwrap();
        for (at, byte) in [(0, 0), ((1 << 29) - 1, 0), (1 << 29, 8), ((1 << 29) + 5 * PAGE_SIZE, 9), (len - 1, 0)] {
            assert_eq!(bytes(&mapping)[at], byte);
        }
    }

    #[test]
    fn a_refused_file_is_no_image_and_a_refused_call_an_error() {
        for (at, calls) in [(images().len() - 1, 5), (2, 3)] {
            let (len, chunks) = images().swap_remove(at);
            {
                let _refused = faults::refuse_memfd();
                assert!(image(len, &chunks).is_none());
            }
            let image = image(len, &chunks).unwrap();
            let mut failed = 0;
            let mut mapping = loop {
                let guard = faults::fail_nth(failed + 1);
                let outcome = Reservation::new(1 << 32).and_then(|space| {
                    let mut mapping = MemoryMapping::new(space, len, Some(&image))?;
                    mapping.grow(len + PAGE_SIZE)?;
                    Ok(mapping)
                });
                if !guard.hit() {
                    break outcome.unwrap();
                }
                outcome.unwrap_err();
                failed += 1;
            };
            assert_eq!(failed, calls, "the space, the image, what is before it, what is behind it, what is more");
            let guard = faults::fail_nth(1);
            assert!(mapping.grow(len + 2 * PAGE_SIZE).is_err() && mapping.accessible() == len + PAGE_SIZE);
            assert!(guard.hit());
            let guard = faults::fail_nth(2);
            assert!(!mapping.reset(0).unwrap() && guard.hit());
        }
    }

    fn write(mapping: &mut MemoryMapping, at: usize) {
        assert!(at < mapping.accessible());
        // SAFETY: it can be accessed.
        unsafe { *mapping.base().add(at) = 0xee };
    }

    #[test]
    fn few_pages_that_were_written_get_their_contents_back_and_stay() {
        for (len, chunks) in images().into_iter().filter(|(len, _)| *len <= 1 << 24) {
            let (image, expected) = (image(len, &chunks), expected(len, &chunks));
            let mut mapping = MemoryMapping::new(Reservation::new(1 << 32).unwrap(), len, image.as_ref()).unwrap();
            for (written, most, stay) in
                [(vec![], 3, 0), (vec![0, 1, len - 1], 2, 2), (vec![0, len / 2, len - 1], 3, 3)]
            {
                written.iter().for_each(|at| write(&mut mapping, *at));
                mapping.grow(len + PAGE_SIZE).unwrap();
                write(&mut mapping, len);
                assert!(mapping.reset(most).unwrap());
                // Where the system does not tell what was written, all is given back.
                assert!(mapping.own_pages() == stay || private_pages(1..1, 0..0, 0).is_none());
                assert!(bytes(&mapping) == expected);
                // As they were read, a chunk of the file may be mapped now; what was written is what counts.
                mapping.reset(0).unwrap();
                written.iter().for_each(|at| write(&mut mapping, *at));
                mapping.reset(most - 1).unwrap();
                assert!(bytes(&mapping) == expected);
            }
        }
    }

    #[test]
    fn changes_are_told_since_the_mark() {
        let (len, chunks) = images().swap_remove(5);
        let image = image(len, &chunks);
        let mut mapping = MemoryMapping::new(Reservation::new(1 << 32).unwrap(), len, image.as_ref()).unwrap();
        assert_eq!(mapping.changed().unwrap_err().kind(), ErrorKind::State);
        write(&mut mapping, 0);
        mapping.set_mark().unwrap();
        assert_eq!(mapping.changed().unwrap(), []);
        // SAFETY: it can be accessed.
        unsafe { *mapping.base() = 1 };
        write(&mut mapping, ZEROS);
        mapping.grow(len + 2 * PAGE_SIZE).unwrap();
        write(&mut mapping, len + PAGE_SIZE);
        let page = |page: usize| page * PAGE_SIZE..(page + 1) * PAGE_SIZE;
        let all = [page(0), page(ZEROS / PAGE_SIZE), page(len / PAGE_SIZE + 1)];
        assert_eq!(mapping.changed().unwrap(), all);
        assert_eq!(mapping.changed().unwrap(), []);
        mapping.drop_mark();
        assert!(mapping.changed().is_err());
        mapping.set_mark().unwrap();
        mapping.reset(16).unwrap();
        assert!(mapping.changed().is_err(), "another memory has no mark");
    }

    #[test]
    fn pages_can_be_made_read_only() {
        let (len, chunks) = images().swap_remove(2);
        let image = image(len, &chunks);
        let mut mapping = MemoryMapping::new(Reservation::new(1 << 32).unwrap(), len, image.as_ref()).unwrap();
        mapping.set_writable(PAGE_SIZE..3 * PAGE_SIZE, false).unwrap();
        write(&mut mapping, 0);
        write(&mut mapping, 3 * PAGE_SIZE);
        assert_eq!(bytes(&mapping)[PAGE_SIZE], 0);
        mapping.set_writable(0..len, true).unwrap();
        write(&mut mapping, PAGE_SIZE);
        mapping.set_writable(0..0, false).unwrap();
        for wrong in [0..len + PAGE_SIZE, 1..PAGE_SIZE, 0..1] {
            assert_eq!(mapping.set_writable(wrong, false).unwrap_err().kind(), ErrorKind::Argument);
        }
    }
}
