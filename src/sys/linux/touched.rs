//! Which pages of a memory hold something of their own: what a reset has to put back.
//!
//! To ask costs about 1 microsecond for 1 MiB. To copy or zero a page costs less than a tenth of the fault that the
//! next write to it takes after it was discarded. So a few pages are better put back by hand, and many are discarded.

use super::pagemap::{REGIONS, Region, is, pagemap, scan};
use crate::isa::PAGE_SIZE;
use std::ops::Range;

/// Ranges of whole pages, lowest first, not adjacent, in a place of fixed size.
#[derive(Debug)]
pub struct PageRanges {
    ranges: [(usize, usize); REGIONS],
    count: usize,
    pages: usize,
}

impl PageRanges {
    /// Each range, by its addresses.
    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        self.ranges[..self.count].iter().map(|(start, end)| *start..*end)
    }

    /// How many pages they are.
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// Adds one behind the others; false where there is no room.
    fn push(&mut self, range: Range<usize>) -> bool {
        self.pages += range.len() / PAGE_SIZE;
        if let Some((_, end)) = self.ranges[..self.count].last_mut()
            && *end == range.start
        {
            *end = range.end;
            return true;
        }
        let Some(place) = self.ranges.get_mut(self.count) else {
            return false;
        };
        *place = (range.start, range.end);
        self.count += 1;
        true
    }
}

/// How often the system is asked about one range. Pages of zeros that were read, between others, take room too.
const ROUNDS: usize = 4;
/// How many pages of zeros may be found each time. What is found first is looked through: all that was written, too.
const ZEROS: usize = 1024;

/// The pages of `range` that hold private contents: of `image`, the part that a file is mapped at, those that are not
/// the file's any more; of the rest, those that are not the page of zeros. Those that are not told are as they were
/// mapped. Some that are told may be, too.
///
/// `None` where there are more than `most`, or too many of anything to be found quickly, or where the system does not
/// tell. All bounds are page multiples.
pub fn private_pages(range: Range<usize>, image: Range<usize>, most: usize) -> Option<PageRanges> {
    let mut found = PageRanges { ranges: [(0, 0); REGIONS], count: 0, pages: 0 };
    if range.is_empty() {
        return Some(found);
    }
    let fd = pagemap()?;
    let mut regions = [Region::default(); REGIONS];
    let mut at = range.start;
    // A page of zeros in the place of a file's is private contents: the system may merge equal pages so.
    let zeros = image.start.max(range.start) < image.end.min(range.end);
    for _ in 0..ROUNDS {
        let limit = (most - found.pages).saturating_add(if zeros { ZEROS } else { 1 });
        let scanned = scan(fd, at..range.end, zeros, false, limit, &mut regions).ok()?;
        for region in &regions[..scanned.count] {
            let mut range = region.range();
            if region.is(is::ZERO) {
                range = range.start.max(image.start)..range.end.min(image.end);
                if range.is_empty() {
                    continue;
                }
            }
            if !found.push(range) || found.pages > most {
                return None;
            }
        }
        at = scanned.up_to;
        if at >= range.end {
            return Some(found);
        }
    }
    None
}

/// Calls `visit` with the pages of `range`, lowest first, that may hold something else than zeros, if no file is mapped
/// there. To ask reads no page, and so sets none aside. False where the system does not tell: what was visited by then
/// is not all. The bounds are page multiples.
pub fn filled_pages(range: Range<usize>, visit: &mut dyn FnMut(Range<usize>)) -> bool {
    let mut at = range.start;
    let mut regions = [Region::default(); REGIONS];
    while at < range.end {
        let Some(fd) = pagemap() else { return false };
        let Ok(scanned) = scan(fd, at..range.end, false, false, 0, &mut regions) else { return false };
        regions[..scanned.count].iter().for_each(|region| visit(region.range()));
        if scanned.up_to <= at {
            return false;
        }
        at = scanned.up_to;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::memory::map_anonymous_at;
    use super::super::pagemap::samples::{IMAGE, OPEN, PAGES, Sample};
    use super::*;
    use crate::sys::faults;
    use region::Protection;

    fn touched(sample: &Sample, most: usize) -> Option<Vec<usize>> {
        let found = private_pages(sample.range(0..PAGES), sample.range(IMAGE), most)?;
        let pages = sample.pages(found.iter());
        assert_eq!(pages.len(), found.pages());
        Some(pages)
    }

    #[test]
    fn what_was_written_is_told_and_what_was_read_is_not() {
        let sample = Sample::new();
        if pagemap().is_none() {
            assert!(touched(&sample, 10).is_none(), "this system does not tell");
            return;
        }
        assert_eq!(touched(&sample, 0).unwrap(), [0; 0]);
        (0..OPEN).for_each(|page| assert_eq!(sample.read(page), if IMAGE.contains(&page) { page as u8 } else { 0 }));
        assert_eq!(touched(&sample, 0).unwrap(), [0; 0]);
        [0, 3, 4, 5, 11, 20, 31].into_iter().for_each(|page| sample.write(page, 9));
        assert_eq!(touched(&sample, 7).unwrap(), [0, 3, 4, 5, 11, 20, 31]);
        assert!(touched(&sample, 6).is_none());
        assert!(private_pages(sample.range(0..3), sample.range(IMAGE), 0).is_none(), "one is written");
        assert_eq!(private_pages(sample.range(1..3), 0..0, 0).unwrap().pages(), 0);
        assert_eq!(private_pages(sample.range(3..3), 0..0, 0).unwrap().pages(), 0);
        // Given back, they are as they were.
        sample.discard(0..OPEN);
        assert_eq!(touched(&sample, 0).unwrap(), [0; 0]);
        // A page of zeros in the place of one of the file's is none of the file's.
        let page = sample.range(6..7);
        // SAFETY: a part of the mapping.
        unsafe { map_anonymous_at(page.start, page.len(), Protection::READ_WRITE).unwrap() };
        assert_eq!(sample.read(6), 0);
        assert_eq!(touched(&sample, 1).unwrap(), [6]);
    }

    #[test]
    fn pages_that_are_filled_are_told_however_many_they_are() {
        let sample = Sample::new();
        if pagemap().is_none() {
            assert!(!filled_pages(sample.range(12..32), &mut |_| ()), "this system does not tell");
            return;
        }
        let filled = |pages: Range<usize>| {
            let mut found = Vec::new();
            assert!(filled_pages(sample.range(pages), &mut |range| found.push(range)));
            sample.pages(found)
        };
        assert_eq!(filled(12..32), [0; 0]);
        (12..32).for_each(|page| assert_eq!(sample.read(page), 0));
        assert_eq!(filled(12..32), [0; 0]);
        [12, 20, 21, 31].into_iter().for_each(|page| sample.write(page, 9));
        assert_eq!(filled(12..32), [12, 20, 21, 31]);
        assert_eq!((filled(13..21), filled(22..22)), (vec![20], vec![]));
        // More pieces than are told at once.
        let pages = 5 * REGIONS;
        let len = pages * PAGE_SIZE;
        let base = super::super::memory::map_anonymous(len, Protection::READ_WRITE).unwrap();
        for page in (0..pages).step_by(2) {
            // SAFETY: the mapping just made.
            unsafe { ((base + page * PAGE_SIZE) as *mut u8).write_volatile(1) };
        }
        let mut found = Vec::new();
        assert!(filled_pages(base..base + len, &mut |range| found.push((range.start - base) / PAGE_SIZE)));
        assert_eq!(found, (0..pages).step_by(2).collect::<Vec<_>>());
        // SAFETY: ours, and nobody uses it.
        unsafe { super::super::memory::unmap(base, len) };
    }

    #[test]
    fn many_are_given_up_at_once() {
        let len = 1024 * PAGE_SIZE;
        let base = super::super::memory::map_anonymous(len, Protection::READ_WRITE).unwrap();
        // Every second one is read, so that no two that were not touched, or were, are in a row.
        for page in (0..1024).step_by(2) {
            // SAFETY: the mapping just made.
            unsafe { ((base + page * PAGE_SIZE) as *const u8).read_volatile() };
        }
        let found = |most, image| private_pages(base..base + len, image, most);
        if pagemap().is_some() {
            assert_eq!(found(16, 0..0).unwrap().pages(), 0);
            // Where a file is mapped somewhere, these are seen one by one.
            assert!(found(16, base + len - PAGE_SIZE..base + len).is_none());
            for page in (0..1024).step_by(2) {
                // SAFETY: as above.
                unsafe { ((base + page * PAGE_SIZE) as *mut u8).write_volatile(1) };
            }
            assert!(found(16, 0..0).is_none());
            assert!(found(usize::MAX, 0..0).is_none(), "more ranges than there is room for");
        }
        // SAFETY: the mapping made above.
        unsafe { super::super::memory::unmap(base, len) };
    }

    #[test]
    fn a_system_that_does_not_tell_is_no_error() {
        let sample = Sample::new();
        {
            let _refused = faults::refuse_scan();
            assert!(touched(&sample, 99).is_none());
        }
        assert_eq!(touched(&sample, 99).is_some(), pagemap().is_some());
    }

    /// A child's pages are its own.
    #[test]
    fn a_forked_child_asks_for_itself() {
        let sample = Sample::new();
        if touched(&sample, 0).is_none() {
            return;
        }
        // SAFETY: the child calls the system, and leaves.
        let child = unsafe { libc::fork() };
        if child == 0 {
            sample.write(7, 1);
            let good = touched(&sample, 2).is_some_and(|pages| pages == [7]);
            // SAFETY: the child ends here.
            unsafe { libc::_exit(i32::from(!good)) };
        }
        let mut status = -1;
        // SAFETY: waits for the child just made.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0);
        assert_eq!(touched(&sample, 2).unwrap(), [0; 0]);
    }
}
