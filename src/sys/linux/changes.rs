//! Which pages of a memory were changed since a mark, for those who keep copies of it or wait for writes.
//!
//! Where the system has it (Linux 6.7, and a sandbox that lets us), the pages that hold private contents are protected
//! at the mark by an asynchronous userfaultfd: the first write to each costs a fault inside the kernel, no signal, and
//! the page counts as written. Elsewhere what was private at the mark is copied, and compared later.
//!
//! Private contents come about by writing alone. So a page is changed if it is private and written, or if it was
//! private at the mark and is not any more: discarded, or another mapping has taken its place. What is private is asked
//! of the system as in `touched`, and what it says of protected pages that were discarded is looked into.

use super::descriptor::{OwnDescriptor, ToldBy};
use super::errors::last_error;
use super::memory::protect_failed;
use super::pagemap::{REGIONS, Region, is, pagemap, scan};
use crate::base::{Result, no_room};
use crate::isa::PAGE_SIZE;
use crate::sys::{faults, refusals};
use std::ops::Range;

/// Ranges of whole pages, by their addresses: lowest first, not adjacent.
pub type Ranges = Vec<Range<usize>>;

/// A moment of a memory's, and what is needed to tell which of its pages were changed since.
///
/// A forked child may use its copy: there, all that is private counts as changed, until the mark has moved on once.
#[derive(Debug)]
pub struct Mark {
    range: Range<usize>,
    image: Range<usize>,
    /// What held private contents then.
    private: Ranges,
    how: How,
    /// Some of its pages may be protected.
    registered: bool,
}

#[derive(Debug)]
enum How {
    /// The system notes who writes.
    Watched,
    /// The bytes of what was private, one page after the other.
    Copied(Vec<u8>),
    /// The system does not even tell what is private: `private` and the bytes are the pages that were not zero.
    NonZero(Vec<u8>),
    /// It was watched, and the system has stopped that, and there was no memory for a copy.
    Unknown,
}

/// What the system says of a range.
#[derive(Debug, Default)]
struct Now {
    private: Ranges,
    written: Ranges,
    /// Swapped out, or discarded while they were protected.
    unclear: Ranges,
}

impl Mark {
    /// Marks the pages of `range`, of which a file is mapped privately at `image`, and the rest is anonymous. The
    /// bounds are page multiples.
    ///
    /// # Errors
    /// Where there is no memory for a copy.
    ///
    /// # Safety
    /// The range belongs to the caller for as long as the mark lives, and is readable whenever a method is called. No
    /// other mark has a part of it. Where the mark is no [watched](Mark::is_watched) one, nobody writes to the range
    /// during a call of a method or of this.
    pub unsafe fn set(range: Range<usize>, image: Range<usize>) -> Result<Mark> {
        let mut mark = Mark { range, image, private: Ranges::new(), how: How::Watched, registered: false };
        mark.begin()?;
        Ok(mark)
    }

    /// Begins anew: what is now is what changes are told against.
    fn begin(&mut self) -> Result<()> {
        if let Some(now) = self.watch() {
            (self.private, self.how) = (now.private, How::Watched);
            return Ok(());
        }
        if let Some(now) = self.ask(false) {
            let mut bytes = Vec::new();
            for range in &now.private {
                // SAFETY: pages of the range, which is readable while nobody writes to it (the promise of `set`).
                unsafe { copy(range, &mut bytes)? };
            }
            (self.private, self.how) = (now.private, How::Copied(bytes));
            return Ok(());
        }
        let mut bytes = Vec::new();
        let mut private = Ranges::new();
        for page in pages(&self.range) {
            // SAFETY: as above.
            if unsafe { bytes_of(&page) }.iter().any(|byte| *byte != 0) {
                // SAFETY: as above.
                unsafe { copy(&page, &mut bytes)? };
                add(&mut private, page);
            }
        }
        (self.private, self.how) = (private, How::NonZero(bytes));
        Ok(())
    }

    /// Whether the system notes who writes. If not, a page that was written counts as changed only if its bytes are
    /// others than at the mark, or it held nothing of its own then.
    pub fn is_watched(&self) -> bool {
        matches!(self.how, How::Watched)
    }

    /// Takes the memory up to `end` in, if it has grown since. That what has come was inaccessible at the mark is taken
    /// for granted: all that is private there is changed.
    ///
    /// # Safety
    /// As [`Mark::set`], for the larger range.
    pub unsafe fn grow(&mut self, end: usize) {
        self.range.end = self.range.end.max(end);
    }

    /// The pages that were changed since the mark. None is left out that was written, discarded or replaced, but as
    /// [`Mark::is_watched`] says.
    pub fn changed(&self) -> Ranges {
        match &self.how {
            How::Watched => match self.ask(false) {
                Some(now) => self.changed_of(&now),
                // All that may be.
                None => vec![self.range.clone()],
            },
            How::Unknown => vec![self.range.clone()],
            How::Copied(bytes) => match self.ask(false) {
                Some(now) => union(self.differing(bytes, &now.private), subtract(&now.private, &self.private)),
                None => vec![self.range.clone()],
            },
            How::NonZero(bytes) => {
                // All that was not kept was zero, or not there.
                let whole = [self.range.clone()];
                let mut changed = Ranges::new();
                for page in subtract(&whole, &self.private).iter().flat_map(pages) {
                    // SAFETY: the promise of `set`.
                    if unsafe { bytes_of(&page) }.iter().any(|byte| *byte != 0) {
                        add(&mut changed, page);
                    }
                }
                union(self.differing(bytes, &whole), changed)
            }
        }
    }

    /// The pages that were changed since the mark; and the mark is at this moment then. Where the mark is a watched
    /// one, a write by another thread during this call is in the list, or in the next.
    ///
    /// # Errors
    /// Where there is no memory for a copy. The mark stays where it was.
    pub fn advance(&mut self) -> Result<Ranges> {
        if !self.is_watched() {
            let changed = self.changed();
            self.begin()?;
            return Ok(changed);
        }
        if let Some(now) = self.watch() {
            let changed = self.changed_of(&now);
            self.private = now.private;
            return Ok(changed);
        }
        // What was found may be protected, and not have been told: all that can be is changed.
        let changed = match self.ask(false) {
            Some(now) => union(now.private, self.private.clone()),
            None => vec![self.range.clone()],
        };
        // Should this fail, nothing that was private counts as unchanged the next time either.
        self.how = How::Unknown;
        self.begin()?;
        Ok(changed)
    }

    fn changed_of(&self, now: &Now) -> Ranges {
        union(union(now.written.clone(), now.unclear.clone()), subtract(&self.private, &now.private))
    }

    /// Protects what is private, and tells what it was before. `None` where the system does not do that; then, what is
    /// private may count as written, or not, and no mark may be a watched one.
    fn watch(&mut self) -> Option<Now> {
        let fd = if watch_refused() { None } else { WATCHER.get(open_watcher) }?;
        if self.range.is_empty() {
            return Some(Now::default());
        }
        let mut registration = Registration { range: request_of(&self.range), mode: REGISTER_WRITES, ioctls: 0 };
        // SAFETY: the place is of the layout that the request has in it; protection against writes that the kernel
        // takes away itself changes nothing for who uses the memory, which is the caller's.
        if unsafe { libc::ioctl(fd, UFFDIO_REGISTER as libc::Ioctl, &mut registration) } != 0 {
            return None;
        }
        self.registered = true;
        self.ask(true)
    }

    /// What the system says of the range, and whether what is found is to be protected. `None` where it does not tell.
    fn ask(&self, protect: bool) -> Option<Now> {
        let fd = pagemap()?;
        let mut now = Now::default();
        self.ask_of(fd, &self.range, protect, &mut now)?;
        if now.unclear.is_empty() {
            return Some(now);
        }
        // Read in, what was discarded is a page of the file, and what was swapped out is private.
        let mut rest = Now::default();
        for range in &now.unclear {
            // SAFETY: reads pages of the caller's in; nothing else changes.
            unsafe { libc::madvise(range.start as *mut libc::c_void, range.len(), libc::MADV_POPULATE_READ) };
            self.ask_of(fd, range, false, &mut rest)?;
        }
        now.private = union(subtract(&now.private, &now.unclear), rest.private);
        now.written = union(now.written, rest.written);
        now.unclear = rest.unclear;
        Some(now)
    }

    fn ask_of(&self, fd: libc::c_int, range: &Range<usize>, protect: bool, now: &mut Now) -> Option<()> {
        let mut regions = [Region::default(); REGIONS];
        let mut at = range.start;
        while at < range.end {
            let found = scan(fd, at..range.end, true, protect, 0, &mut regions).ok()?;
            for region in &regions[..found.count] {
                let mut range = region.range();
                if region.is(is::ZERO) {
                    // Read, not written, but where a file's page was.
                    range = range.start.max(self.image.start)..range.end.min(self.image.end);
                    if range.is_empty() {
                        continue;
                    }
                }
                add(&mut now.private, range.clone());
                if region.is(is::WRITTEN) {
                    add(&mut now.written, range);
                } else if region.is(is::SWAPPED) {
                    add(&mut now.unclear, range);
                }
            }
            if found.up_to <= at {
                return None;
            }
            at = found.up_to;
        }
        Some(())
    }

    /// The pages kept that are not among `still`, or have other bytes.
    fn differing(&self, bytes: &[u8], still: &[Range<usize>]) -> Ranges {
        let gone = subtract(&self.private, still);
        let mut differing = Ranges::new();
        for (page, old) in self.private.iter().flat_map(pages).zip(bytes.chunks_exact(PAGE_SIZE)) {
            let at = gone.partition_point(|gone| gone.end <= page.start);
            let is_gone = gone.get(at).is_some_and(|gone| gone.start <= page.start);
            // SAFETY: the promise of `set`.
            if is_gone || unsafe { bytes_of(&page) } != old {
                add(&mut differing, page);
            }
        }
        differing
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // In a forked child there is nothing to end.
        if self.registered
            && let Some(fd) = WATCHER.known()
        {
            let mut range = request_of(&self.range);
            // SAFETY: the place is of the layout that the request has in it.
            unsafe { libc::ioctl(fd, UFFDIO_UNREGISTER as libc::Ioctl, &mut range) };
        }
    }
}

/// Forbids writing to pages, or allows it again, within a memory. That splits mappings: a range in the middle of one
/// costs two more, one at its end costs one, and all are merged again when it is undone. So whoever protects ranges far
/// apart pays two of `vm.max_map_count` for each.
///
/// # Errors
/// When the system refuses: for lack of mappings above all. Of more mappings than one, some may have changed.
///
/// # Safety
/// The range is of whole pages, readable, and belongs to the caller. Who writes to it meanwhile gets a signal.
pub unsafe fn set_writable(range: Range<usize>, writable: bool) -> Result<()> {
    let protection = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
    // SAFETY: the caller's promise.
    if faults::fails() || unsafe { libc::mprotect(range.start as *mut libc::c_void, range.len(), protection) } != 0 {
        return Err(protect_failed());
    }
    Ok(())
}

static WATCHER: OwnDescriptor = OwnDescriptor::new(ToldBy::File);

fn watch_refused() -> bool {
    faults::watch_refused() || refusals::watches_refused()
}

/// `UFFD_USER_MODE_ONLY`: for this nobody needs to be privileged.
const USER_MODE_ONLY: libc::c_int = 1;
const UFFD_API: u64 = 0xaa;
/// `UFFD_FEATURE_WP_ASYNC` and `UFFD_FEATURE_WP_UNPOPULATED`.
const FEATURES: u64 = 1 << 15 | 1 << 13;
/// `UFFDIO_REGISTER_MODE_WP`.
const REGISTER_WRITES: u64 = 1 << 1;

#[repr(C)]
struct Api {
    api: u64,
    features: u64,
    ioctls: u64,
}

#[repr(C)]
struct Request {
    start: u64,
    len: u64,
}

#[repr(C)]
struct Registration {
    range: Request,
    mode: u64,
    ioctls: u64,
}

/// The number of a userfaultfd's request; the kernel reads (1) and writes (2) its argument.
const fn request(direction: u64, size: usize, number: u64) -> u64 {
    direction << 30 | (size as u64) << 16 | UFFD_API << 8 | number
}
const UFFDIO_API: u64 = request(3, size_of::<Api>(), 0x3f);
const UFFDIO_REGISTER: u64 = request(3, size_of::<Registration>(), 0);
const UFFDIO_UNREGISTER: u64 = request(2, size_of::<Request>(), 1);

fn request_of(range: &Range<usize>) -> Request {
    Request { start: range.start as u64, len: range.len() as u64 }
}

fn open_watcher() -> Option<libc::c_int> {
    // Without it nobody could ask who has written.
    pagemap()?;
    let flags = libc::O_CLOEXEC | libc::O_NONBLOCK | USER_MODE_ONLY;
    // SAFETY: a system call with an integer argument.
    let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) } as libc::c_int;
    if fd < 0 {
        if !matches!(last_error(), libc::EMFILE | libc::ENFILE | libc::ENOMEM) {
            refusals::note_watches_refused();
        }
        return None;
    }
    let mut api = Api { api: UFFD_API, features: FEATURES, ioctls: 0 };
    // SAFETY: the place is of the layout that the request has in it.
    if unsafe { libc::ioctl(fd, UFFDIO_API as libc::Ioctl, &mut api) } == 0 {
        return Some(fd);
    }
    refusals::note_watches_refused();
    // SAFETY: opened above, and nobody else knows it.
    unsafe { libc::close(fd) };
    None
}

/// The pages of a range.
fn pages(range: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<> {
    range.clone().step_by(PAGE_SIZE).map(|start| start..start + PAGE_SIZE)
}

/// The bytes of a range.
///
/// # Safety
/// They are readable, and nobody writes to them while the slice is used.
unsafe fn bytes_of(range: &Range<usize>) -> &[u8] {
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(range.start as *const u8, range.len()) }
}

/// Copies the bytes of a range behind others.
///
/// # Safety
/// As [`bytes_of`].
unsafe fn copy(range: &Range<usize>, to: &mut Vec<u8>) -> Result<()> {
    to.try_reserve(range.len()).map_err(|_| no_room(range.len(), "a copy of a memory"))?;
    // SAFETY: the caller's promise.
    to.extend_from_slice(unsafe { bytes_of(range) });
    Ok(())
}

/// Adds a range that begins no lower than the last.
fn add(ranges: &mut Ranges, range: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
        _ => ranges.push(range),
    }
}

/// What is in one of them, or both.
fn union(mut ranges: Ranges, others: Ranges) -> Ranges {
    if others.is_empty() {
        return ranges;
    }
    ranges.extend(others);
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged = Ranges::with_capacity(ranges.len());
    ranges.into_iter().for_each(|range| add(&mut merged, range));
    merged
}

/// What is in the first alone.
fn subtract(ranges: &[Range<usize>], others: &[Range<usize>]) -> Ranges {
    let mut left = Ranges::new();
    let mut others = others.iter().peekable();
    for range in ranges {
        let mut at = range.start;
        while others.next_if(|other| other.end <= at).is_some() {}
        let mut ahead = others.clone();
        while let Some(other) = ahead.next_if(|other| other.start < range.end) {
            if other.start > at {
                left.push(at..other.start);
            }
            at = at.max(other.end);
        }
        if at < range.end {
            left.push(at..range.end);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::super::memory::map_anonymous_at;
    use super::super::pagemap::samples::{IMAGE, OPEN, PAGES, Sample};
    use super::*;
    use crate::base::ErrorKind;
    use region::Protection;

    fn mark(sample: &Sample, pages: Range<usize>) -> Mark {
        // SAFETY: the tests use one mark at a time, of accessible pages, on one thread.
        unsafe { Mark::set(sample.range(pages), sample.range(IMAGE)).unwrap() }
    }

    /// Does it watched, where the system does that, by copies, and knowing nothing.
    fn in_every_way(test: impl Fn()) {
        test();
        {
            let _refused = faults::refuse_watch();
            test();
        }
        let _refused = faults::refuse_scan();
        test();
    }

    #[test]
    fn a_page_is_changed_that_was_written_discarded_or_replaced() {
        in_every_way(|| {
            let sample = Sample::new();
            [0, 5, 20].into_iter().for_each(|page| sample.write(page, 100));
            let mut mark = mark(&sample, 0..OPEN);
            assert!(!mark.is_watched() || pagemap().is_some());
            let changed = |mark: &Mark| sample.pages(mark.changed());
            let advance = |mark: &mut Mark| sample.pages(mark.advance().unwrap());
            let none: [usize; 0] = [];
            assert_eq!(changed(&mark), none);
            (0..OPEN).for_each(|page| _ = sample.read(page));
            assert_eq!(changed(&mark), none);
            // Pages that were private, the file's, and never touched.
            [0, 6, 20, 25].into_iter().for_each(|page| sample.write(page, 101));
            assert_eq!(changed(&mark), [0, 6, 20, 25]);
            assert_eq!(advance(&mut mark), [0, 6, 20, 25]);
            assert_eq!(changed(&mark), none);
            // All is given back: what was private is not any more.
            sample.discard(0..OPEN);
            assert_eq!(changed(&mark), [0, 5, 6, 20, 25]);
            (0..OPEN).for_each(|page| _ = sample.read(page));
            assert_eq!(changed(&mark), [0, 5, 6, 20, 25]);
            [5, 20].into_iter().for_each(|page| sample.write(page, 102));
            assert_eq!(advance(&mut mark), [0, 5, 6, 20, 25]);
            assert_eq!(changed(&mark), none);
            // Others are in their place.
            let (replaced, file) = (sample.range(19..22), sample.range(5..6));
            // SAFETY: parts of the mapping.
            unsafe {
                map_anonymous_at(replaced.start, replaced.len(), Protection::READ_WRITE).unwrap();
                map_anonymous_at(file.start, file.len(), Protection::READ_WRITE).unwrap();
            }
            assert_eq!(changed(&mark), [5, 20]);
            sample.write(21, 103);
            assert_eq!(changed(&mark), [5, 20, 21]);
            assert_eq!(advance(&mut mark), [5, 20, 21]);
            // They are watched as the others were.
            assert_eq!(changed(&mark), none);
            sample.write(21, 104);
            assert_eq!(advance(&mut mark), [21]);
        });
    }

    #[test]
    fn what_has_grown_is_changed_once_written() {
        in_every_way(|| {
            let sample = Sample::new();
            let mut mark = mark(&sample, 0..OPEN);
            let more = sample.range(OPEN..PAGES);
            // SAFETY: a part of the mapping.
            unsafe { set_writable(more.clone(), true).unwrap() };
            // SAFETY: accessible now.
            unsafe { mark.grow(more.end) };
            assert_eq!(mark.changed(), []);
            [3, OPEN, PAGES - 1].into_iter().for_each(|page| sample.write(page, 1));
            assert_eq!(sample.pages(mark.advance().unwrap()), [3, OPEN, PAGES - 1]);
            sample.write(PAGES - 1, 2);
            assert_eq!(sample.pages(mark.advance().unwrap()), [PAGES - 1]);
            assert_eq!(mark.changed(), []);
        });
    }

    /// Random histories against what is known of them.
    #[test]
    fn nothing_is_left_out_and_nothing_is_made_up() {
        in_every_way(|| {
            let sample = Sample::new();
            let mut mark = mark(&sample, 0..OPEN);
            let mut state = 7_u64;
            let mut random = |below: usize| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) as usize % below
            };
            let contents = || (0..OPEN).map(|page| sample.read(page)).collect::<Vec<_>>();
            let (mut old, mut written, mut touched) = (contents(), [false; OPEN], [false; OPEN]);
            for step in 0..3000 {
                let page = random(OPEN);
                match random(12) {
                    0..=4 => {
                        sample.write(page, sample.read(page).wrapping_add(1 + random(3) as u8));
                        (written[page], touched[page]) = (true, true);
                    }
                    5 => _ = sample.read(page),
                    6 => {
                        // Written by the system.
                        let (fd, at) = (std::os::fd::AsRawFd::as_raw_fd(&sample.file), step % 8 * PAGE_SIZE);
                        // SAFETY: nine bytes of an accessible page.
                        let read = unsafe { libc::pread(fd, sample.byte(page).cast(), 9, at as libc::off_t) };
                        assert_eq!(read, 9);
                        (written[page], touched[page]) = (true, true);
                    }
                    7 | 8 => {
                        let end = (page + 1 + random(6)).min(OPEN);
                        sample.discard(page..end);
                        (page..end).for_each(|page| (written[page], touched[page]) = (false, true));
                    }
                    9 => {
                        let range = sample.range(page..page + 1);
                        // SAFETY: a page of the mapping, readable throughout.
                        unsafe {
                            set_writable(range.clone(), false).unwrap();
                            set_writable(range, true).unwrap();
                        }
                    }
                    _ => {
                        let new = contents();
                        let is = sample.pages(if random(2) == 0 { mark.changed() } else { Ranges::new() });
                        let advanced = sample.pages(mark.advance().unwrap());
                        assert!(is.is_empty() || is == advanced, "{is:?} {advanced:?}");
                        for page in 0..OPEN {
                            let must = old[page] != new[page] || (written[page] && mark.is_watched());
                            let told = advanced.contains(&page);
                            assert!(!must || told, "step {step}: page {page} is left out");
                            assert!(!told || touched[page], "step {step}: page {page} is made up");
                        }
                        (old, written, touched) = (new, [false; OPEN], [false; OPEN]);
                    }
                }
            }
        });
    }

    /// What a child may rely on, and that its parent does not notice.
    #[test]
    fn after_a_fork_all_that_is_private_counts_as_changed() {
        in_every_way(|| {
            let sample = Sample::new();
            [1, 8].into_iter().for_each(|page| sample.write(page, 50));
            let mut mark = mark(&sample, 0..OPEN);
            sample.write(2, 51);
            // SAFETY: the child uses its own memory, and leaves.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let first = sample.pages(mark.changed());
                sample.write(9, 52);
                let second = sample.pages(mark.advance().unwrap());
                sample.write(1, 53);
                let third = sample.pages(mark.advance().unwrap());
                let whole = [vec![1, 2, 8], vec![1, 2, 8, 9], vec![1]];
                let exact = [vec![2], vec![2, 9], vec![1]];
                let said = [first, second, third];
                let good = said == whole || said == exact;
                drop(mark);
                // SAFETY: the child ends here.
                unsafe { libc::_exit(i32::from(!good)) };
            }
            let mut status = -1;
            // SAFETY: waits for the child just made.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert_eq!(status, 0);
            assert_eq!(sample.pages(mark.advance().unwrap()), [2]);
            sample.write(8, 54);
            assert_eq!(sample.pages(mark.changed()), [8]);
        });
    }

    #[test]
    fn a_mark_that_is_not_watched_any_more_leaves_nothing_out() {
        let sample = Sample::new();
        [1, 8].into_iter().for_each(|page| sample.write(page, 50));
        let mut mark = mark(&sample, 0..OPEN);
        if !mark.is_watched() {
            return;
        }
        sample.write(2, 51);
        {
            let _refused = faults::refuse_watch();
            assert_eq!(sample.pages(mark.advance().unwrap()), [1, 2, 8]);
            assert!(!mark.is_watched());
            sample.write(8, 52);
            assert_eq!(sample.pages(mark.advance().unwrap()), [8]);
        }
        {
            let _refused = faults::refuse_scan();
            assert_eq!(mark.changed(), [sample.range(0..OPEN)]);
        }
        assert_eq!(mark.advance().unwrap(), []);
        assert!(mark.is_watched());
        drop(mark);
        // Nothing is protected any more: all that is private counts as written to whoever asks next.
        let mut mark = self::mark(&sample, 0..OPEN);
        sample.write(1, 53);
        assert_eq!(sample.pages(mark.advance().unwrap()), [1]);
    }

    #[test]
    fn pages_are_protected_and_writable_again() {
        let sample = Sample::new();
        let mappings = || {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            let start = |line: &str| usize::from_str_radix(line.split('-').next().unwrap(), 16).unwrap();
            maps.lines().filter(|line| sample.range(0..PAGES).contains(&start(line))).count()
        };
        let before = mappings();
        let pages = sample.range(20..22);
        sample.write(21, 5);
        // SAFETY: pages of the mapping; nobody writes meanwhile.
        unsafe { set_writable(pages.clone(), false).unwrap() };
        assert_eq!((mappings(), sample.read(21)), (before + 2, 5));
        // What the system is asked to write there it does not.
        let zeros = std::fs::File::open("/dev/zero").unwrap();
        let fd = std::os::fd::AsRawFd::as_raw_fd(&zeros);
        // SAFETY: the call fails, or writes one byte of a page of the mapping.
        assert_eq!(unsafe { libc::read(fd, sample.byte(21).cast(), 1) }, -1);
        assert_eq!(last_error(), libc::EFAULT);
        {
            let _fails = faults::fail_nth(1);
            // SAFETY: as above.
            assert_eq!(unsafe { set_writable(pages.clone(), true) }.unwrap_err().kind(), ErrorKind::System);
        }
        // SAFETY: as above.
        unsafe { set_writable(pages, true).unwrap() };
        sample.write(21, 6);
        assert_eq!((mappings(), sample.read(21)), (before, 6));
    }

    #[test]
    fn ranges_are_sets() {
        let (a, b) = (vec![0..4, 6..8, 10..20], vec![2..7, 12..13, 15..16, 19..30]);
        let each = |ranges: &[Range<usize>]| ranges.iter().cloned().flatten().collect::<Vec<_>>();
        let left = subtract(&a, &b);
        assert_eq!(left, [0..2, 7..8, 10..12, 13..15, 16..19]);
        assert_eq!(subtract(&a, &[]), a);
        assert_eq!(subtract(&[], &b), []);
        assert_eq!(each(&union(a, b)), each(&[0..8, 10..30]));
    }
}
