//! `PAGEMAP_SCAN` of `/proc/self/pagemap` (Linux 6.7): what stands behind the pages of this process, range by range,
//! without looking at the pages.

use super::descriptor::{OwnDescriptor, ToldBy};
use super::errors::last_error;
use crate::isa::PAGE_SIZE;
use crate::sys::{faults, refusals};
use std::ops::Range;

/// What a page may be. The numbers are the kernel's.
pub(super) mod is {
    /// Written since it was protected for that, or never protected.
    pub(in super::super) const WRITTEN: u64 = 1 << 1;
    /// The file's own, or shared.
    pub(in super::super) const OF_FILE: u64 = 1 << 2;
    /// In memory.
    pub(in super::super) const PRESENT: u64 = 1 << 3;
    /// Swapped out. A page that was discarded while it was protected may look like one.
    pub(in super::super) const SWAPPED: u64 = 1 << 4;
    /// The page of zeros that all share.
    pub(in super::super) const ZERO: u64 = 1 << 5;
}

/// Protects the pages that are found, so that they are not [`is::WRITTEN`].
const PROTECT_FOUND: u64 = 1 << 0;
/// Fails with `EPERM` where a mapping is not one whose pages can be protected so.
const ONLY_PROTECTABLE: u64 = 1 << 1;

/// Pages in a row of which the same is true.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Region {
    start: u64,
    end: u64,
    is: u64,
}

impl Region {
    pub(super) fn range(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(super) fn is(&self, what: u64) -> bool {
        self.is & what != 0
    }
}

/// How many regions one call tells of.
pub(super) const REGIONS: usize = 64;
pub(super) type Regions = [Region; REGIONS];

#[repr(C)]
struct Question {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    regions: u64,
    regions_len: u64,
    max_pages: u64,
    inverted: u64,
    all_of: u64,
    any_of: u64,
    told: u64,
}

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: u64 = 3 << 30 | (size_of::<Question>() as u64) << 16 | (b'f' as u64) << 8 | 16;

static PAGEMAP: OwnDescriptor = OwnDescriptor::new(ToldBy::Position);

/// The descriptor to ask by. `None` where the system does not answer.
pub(super) fn pagemap() -> Option<libc::c_int> {
    if faults::scan_refused() || refusals::scans_refused() {
        return None;
    }
    PAGEMAP.get(open)
}

fn open() -> Option<libc::c_int> {
    // Not `self`: that is a process whose first thread may have ended, and then has no memory.
    let path = c"/proc/thread-self/pagemap";
    // SAFETY: a constant path.
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
    if fd < 0 {
        // With no descriptor left (EMFILE) it may go better the next time.
        if !matches!(last_error(), libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EINTR) {
            refusals::note_scans_refused();
        }
        return None;
    }
    // What claims to be Linux may answer without knowing. A page of the stack that is written here is private.
    let mut written = 1_u8;
    let page = std::hint::black_box(&raw mut written) as usize / PAGE_SIZE * PAGE_SIZE;
    let found = scan(fd, page..page + PAGE_SIZE, false, false, 0, &mut [Region::default(); REGIONS]);
    if found.is_ok_and(|found| (found.count, found.up_to) == (1, page + PAGE_SIZE)) {
        return Some(fd);
    }
    refusals::note_scans_refused();
    // SAFETY: opened above, and nobody else knows it.
    unsafe { libc::close(fd) };
    None
}

/// How far a scan has come.
pub(super) struct Found {
    /// How many regions were found.
    pub(super) count: usize,
    /// What is below was looked at. That is all, if the regions had room.
    pub(super) up_to: usize,
}

/// Finds the pages of a range that are not the file's own: private contents, in memory or swapped out, and the page of
/// zeros where `zeros` says so. With `protect` they are not [`is::WRITTEN`] from then on, until they are written; what
/// they were before is told. Ends early behind `most` pages (0: never). The error is `errno`.
pub(super) fn scan(
    fd: libc::c_int,
    range: Range<usize>,
    zeros: bool,
    protect: bool,
    most: usize,
    regions: &mut Regions,
) -> Result<Found, i32> {
    let not = if zeros { is::OF_FILE } else { is::OF_FILE | is::ZERO };
    let mut question = Question {
        size: size_of::<Question>() as u64,
        flags: if protect { PROTECT_FOUND | ONLY_PROTECTABLE } else { 0 },
        start: range.start as u64,
        end: range.end as u64,
        walk_end: 0,
        regions: regions.as_mut_ptr() as u64,
        regions_len: regions.len() as u64,
        max_pages: most as u64,
        inverted: not,
        all_of: not,
        any_of: is::PRESENT | is::SWAPPED,
        told: is::WRITTEN | is::SWAPPED | is::ZERO,
    };
    // SAFETY: the question is of the kernel's layout and size, and the regions are as many as it says. A descriptor of
    // another kind does not know the request, which has the size in it.
    let count = unsafe { libc::ioctl(fd, PAGEMAP_SCAN as libc::Ioctl, &mut question) };
    match usize::try_from(count) {
        Ok(count) => Ok(Found { count, up_to: question.walk_end as usize }),
        Err(_) => Err(last_error()),
    }
}

/// A memory to try things on.
#[cfg(test)]
pub(super) mod samples {
    use crate::isa::PAGE_SIZE;
    use crate::sys::linux::memory::{discard, map, map_anonymous, map_anonymous_at, unmap};
    use region::Protection;
    use std::io::Write as _;
    use std::ops::Range;
    use std::os::fd::{AsRawFd as _, FromRawFd as _};

    /// Pages of a file, mapped privately, within anonymous ones; behind them, pages that are inaccessible.
    pub(in super::super) struct Sample {
        pub(in super::super) base: usize,
        pub(in super::super) file: std::fs::File,
    }

    /// Pages of the whole, with those that are inaccessible at first.
    pub(in super::super) const PAGES: usize = 48;
    /// Those that are accessible.
    pub(in super::super) const OPEN: usize = 32;
    /// Those of the file.
    pub(in super::super) const IMAGE: Range<usize> = 4..12;

    impl Sample {
        pub(in super::super) fn new() -> Sample {
            // SAFETY: a constant name; the descriptor is nobody else's.
            let mut file = unsafe {
                let fd = libc::memfd_create(c"sample".as_ptr(), libc::MFD_CLOEXEC);
                assert!(fd >= 0);
                std::fs::File::from_raw_fd(fd)
            };
            for page in IMAGE {
                file.write_all(&[page as u8; PAGE_SIZE]).unwrap();
            }
            let base = map_anonymous(PAGES * PAGE_SIZE, Protection::NONE).unwrap();
            let sample = Sample { base, file };
            let (image, open) = (sample.range(IMAGE), sample.range(0..OPEN));
            let (flags, from) = (libc::MAP_FIXED, (sample.file.as_raw_fd(), 0));
            // SAFETY: parts of the mapping just made.
            unsafe {
                map_anonymous_at(open.start, open.len(), Protection::READ_WRITE).unwrap();
                map(image.start, image.len(), Protection::READ_WRITE, flags, from).unwrap();
            }
            sample
        }

        pub(in super::super) fn range(&self, pages: Range<usize>) -> Range<usize> {
            self.base + pages.start * PAGE_SIZE..self.base + pages.end * PAGE_SIZE
        }

        pub(in super::super) fn byte(&self, page: usize) -> *mut u8 {
            (self.base + page * PAGE_SIZE + 77) as *mut u8
        }

        pub(in super::super) fn write(&self, page: usize, byte: u8) {
            // SAFETY: the tests write to accessible pages.
            unsafe { self.byte(page).write_volatile(byte) }
        }

        pub(in super::super) fn read(&self, page: usize) -> u8 {
            // SAFETY: the tests read accessible pages.
            unsafe { self.byte(page).read_volatile() }
        }

        pub(in super::super) fn discard(&self, pages: Range<usize>) {
            let range = self.range(pages);
            // SAFETY: a part of the mapping.
            assert!(unsafe { discard(range.start, range.len()) });
        }

        /// Ranges by their pages.
        pub(in super::super) fn pages(&self, ranges: impl IntoIterator<Item = Range<usize>>) -> Vec<usize> {
            let page = |address: usize| (address - self.base) / PAGE_SIZE;
            ranges.into_iter().flat_map(|range| page(range.start)..page(range.end)).collect()
        }
    }

    impl Drop for Sample {
        fn drop(&mut self) {
            // SAFETY: the mapping made by `new`.
            unsafe { unmap(self.base, PAGES * PAGE_SIZE) }
        }
    }
}
