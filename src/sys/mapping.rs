//! The mapping of a linear memory, and the image it begins with. It knows what of it is the image, what is zero, and
//! what was made accessible since; it gives back what was written in one call. What the bytes mean, and when a memory
//! may grow, is for those above.

use super::pages::{PAGE_SIZE, Reservation};
use super::system::SealedFile;
use crate::base::Result;
use std::ops::Range;
use std::sync::Arc;

/// A piece of zeros, before the contents of an image or behind them, is made a part of its file if it is no longer than
/// this, or than the contents.
///
/// A part of the file needs no mapping of its own, which costs some 2 us to make, and a process has few of those. It
/// takes no memory before a guest looks at it. Then it takes a page of the file, once for all instances, beside the
/// page that each has for itself: so the file takes three times its contents, or 2 MiB, more than it would, at most. A
/// program's stack, which stands before its data, is 1 MiB at most by the defaults of today's linkers, and what stands
/// behind its data fills up the last Wasm page.
const ZEROS: usize = 1 << 20;

/// What memories begin with: bytes at an offset, zeros elsewhere, in a file that nobody can change. Memories map it and
/// copy a page when it is written.
#[derive(Debug)]
pub struct MemoryImage {
    /// What of a memory it is: whole pages.
    range: Range<usize>,
    file: SealedFile,
}

impl MemoryImage {
    /// The image of a memory of `len` bytes with `chunks` in it, each at its offset, later ones over earlier ones;
    /// `None` where the system does not let us have a file for it, or where there is nothing in it.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::base::ErrorKind::System) where there is no memory for it.
    ///
    /// # Panics
    /// When a chunk does not lie in the memory.
    pub fn new<'a>(len: usize, chunks: impl Iterator<Item = (usize, &'a [u8])> + Clone) -> Result<Option<MemoryImage>> {
        let filled = chunks.filter(|(_, bytes)| !bytes.is_empty());
        let Some(start) = filled.clone().map(|(at, _)| at).min() else { return Ok(None) };
        let end = filled.clone().map(|(at, bytes)| at + bytes.len()).max().unwrap_or(start);
        assert!(end <= len, "contents beyond the end of a memory");
        let zeros = ZEROS.max(end - start);
        let start = if start <= zeros { 0 } else { start / PAGE_SIZE * PAGE_SIZE };
        let end = if len - end <= zeros { len } else { end.next_multiple_of(PAGE_SIZE) };
        let file = SealedFile::sparse(end - start, |file| {
            filled.clone().try_for_each(|(at, bytes)| file.write_at(at - start, bytes))
        })?;
        Ok(file.map(|file| MemoryImage { range: start..end, file }))
    }

    /// What of a memory it is: whole pages.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
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
}

impl MemoryMapping {
    /// Has the first `len` bytes, whole pages, of address space in which nothing can be accessed show an image, if
    /// there is one, and zeros for the rest.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::base::ErrorKind::System) where there is no room.
    pub fn new(mut space: Reservation, len: usize, image: Option<&Arc<MemoryImage>>) -> Result<MemoryMapping> {
        let inside = image.map_or(len..len, |image| image.range());
        if let Some(image) = image {
            space.map_copied(inside.clone(), &image.file, 0)?;
        }
        space.make_accessible(0..inside.start)?;
        space.make_accessible(inside.end..len)?;
        Ok(MemoryMapping { space, first: len, accessible: len, image: image.cloned() })
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

    /// The image it shows.
    pub fn image(&self) -> Option<&Arc<MemoryImage>> {
        self.image.as_ref()
    }

    /// Makes as many bytes accessible, whole pages: those beyond what was are zero. Never fewer.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::base::ErrorKind::System); nothing has changed then.
    pub fn grow(&mut self, len: usize) -> Result<()> {
        self.space.make_accessible(self.accessible..len)?;
        self.accessible = len;
        Ok(())
    }

    /// Gives back what was written and what it has grown by: it is as it was made. False where the system does not do
    /// that (with locked memory); then it is fit for nothing but to be dropped, as after an error.
    ///
    /// # Errors
    /// [`ErrorKind::System`](crate::base::ErrorKind::System).
    pub fn reset(&mut self) -> Result<bool> {
        self.space.forget(self.first..self.accessible)?;
        self.accessible = self.first;
        self.space.give_back(0..self.first)
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

    /// Images of memories of 64 pages and more: chunks at the start, at the end, across pages, over each other, far
    /// behind the start.
    fn images() -> Vec<(usize, Vec<(usize, Vec<u8>)>)> {
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

    fn expected(len: usize, chunks: &[(usize, Vec<u8>)]) -> Vec<u8> {
        let mut all = vec![0; len];
        chunks.iter().for_each(|(at, chunk)| all[*at..at + chunk.len()].copy_from_slice(chunk));
        all
    }

    fn image(len: usize, chunks: &[(usize, Vec<u8>)]) -> Option<Arc<MemoryImage>> {
        MemoryImage::new(len, chunks.iter().map(|(at, chunk)| (*at, &**chunk))).unwrap().map(Arc::new)
    }

    #[test]
    fn a_mapping_shows_its_image_again_after_all_was_written() {
        for (len, chunks) in images().into_iter().filter(|(len, _)| *len <= 1 << 24) {
            let (image, expected) = (image(len, &chunks), expected(len, &chunks));
            assert_eq!(image.is_some(), chunks.iter().any(|(_, chunk)| !chunk.is_empty()));
            let mut mapping = MemoryMapping::new(Reservation::new(1 << 32).unwrap(), len, image.as_ref()).unwrap();
            for _ in 0..3 {
                assert_eq!((mapping.reserved(), mapping.first()), (1 << 32, len));
                assert_eq!(mapping.accessible(), len);
                assert!(bytes(&mapping) == expected);
                for pages in [1, 16] {
                    mapping.grow(len + pages * PAGE_SIZE).unwrap();
                    assert!(bytes(&mapping)[..len] == expected);
                    assert!(bytes(&mapping)[len..].iter().all(|byte| *byte == 0));
                }
                fill(&mut mapping, 0xaa);
                assert!(mapping.reset().unwrap());
            }
            fill(&mut mapping, 0xbb);
            let second = MemoryMapping::new(Reservation::new(len).unwrap(), len, image.as_ref()).unwrap();
            assert!(bytes(&second) == expected);
        }
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
            assert!(!mapping.reset().unwrap() && guard.hit());
        }
    }
}
