//! A descriptor that belongs to the memory of this process: asked for once, kept open, and never trusted after a fork
//! or after a host has closed it.
//!
//! What the system tells by such a descriptor it tells of the memory that it was opened in. A forked child has the
//! descriptor, but other memory. So where it is noted is a page that the system wipes in whatever gets a copy of our
//! memory, however the copy was made. To look there is a load, and needs no question who we are.

use super::memory::unmap;
use crate::isa::PAGE_SIZE;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering};

/// A descriptor of this memory's.
pub(super) struct OwnDescriptor {
    noted: AtomicPtr<Noted>,
    /// The same in memory that a fork keeps: the child closes what it has inherited. Used by who has
    /// [`Noted::opening`].
    last: Known,
    /// How it is told from another that a host has put in its place.
    told_by: ToldBy,
}

/// How a descriptor is known to be ours.
#[derive(Clone, Copy)]
pub(super) enum ToldBy {
    /// By which file it is.
    File,
    /// By where it stands in its file, which is never read: that is asked in less than half the time.
    Position,
}

/// Where no file is read. ("stepwell")
const POSITION: i64 = 0x7374_6570_7765_6c6c;

/// What stands in the page that a fork wipes. All zero: nothing.
struct Noted {
    known: Known,
    /// A thread opens it. Being wiped, it does not stay set in a child that was forked meanwhile.
    opening: AtomicBool,
}

/// A descriptor, and which file it was.
struct Known {
    /// The descriptor and one; zero: none.
    fd: AtomicI32,
    device: AtomicU64,
    inode: AtomicU64,
}

impl Known {
    const fn none() -> Known {
        Known { fd: AtomicI32::new(0), device: AtomicU64::new(0), inode: AtomicU64::new(0) }
    }

    /// The descriptor, if it is still that of the file. Whoever reads while another thread writes finds no such file.
    fn get(&self) -> Option<libc::c_int> {
        let fd = self.fd.load(Ordering::Acquire) - 1;
        let identity = (self.device.load(Ordering::Relaxed), self.inode.load(Ordering::Relaxed));
        (fd >= 0 && identity_of(fd) == Some(identity)).then_some(fd)
    }

    fn set(&self, fd: libc::c_int, (device, inode): (libc::dev_t, libc::ino_t)) {
        self.device.store(device, Ordering::Relaxed);
        self.inode.store(inode, Ordering::Relaxed);
        self.fd.store(fd + 1, Ordering::Release);
    }
}

/// Lets the next thread open.
struct Opening<'a>(&'a AtomicBool);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl OwnDescriptor {
    pub(super) const fn new(told_by: ToldBy) -> OwnDescriptor {
        OwnDescriptor { noted: AtomicPtr::new(null_mut()), last: Known::none(), told_by }
    }

    /// The descriptor, if it is open.
    pub(super) fn known(&self) -> Option<libc::c_int> {
        // SAFETY: what was published is a mapping that is never given back; all zero is a value.
        let known = &unsafe { self.noted.load(Ordering::Acquire).as_ref() }?.known;
        match self.told_by {
            ToldBy::File => known.get(),
            ToldBy::Position => {
                let fd = known.fd.load(Ordering::Acquire) - 1;
                // SAFETY: asks where a descriptor stands, whosever it is.
                (fd >= 0 && unsafe { libc::lseek(fd, 0, libc::SEEK_CUR) } == POSITION).then_some(fd)
            }
        }
    }

    /// The descriptor, opened now if it is not. `None` where it cannot be opened.
    pub(super) fn get(&self, open: impl FnOnce() -> Option<libc::c_int>) -> Option<libc::c_int> {
        self.known().or_else(|| self.open(open))
    }

    #[cold]
    fn open(&self, open: impl FnOnce() -> Option<libc::c_int>) -> Option<libc::c_int> {
        let noted = self.noted_here()?;
        while noted.opening.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        let _opening = Opening(&noted.opening);
        if let Some(fd) = self.known() {
            return Some(fd);
        }
        if let Some(fd) = self.last.get() {
            // SAFETY: it is what this process, or the one that it was forked from, has opened here.
            unsafe { libc::close(fd) };
        }
        self.last.fd.store(0, Ordering::Relaxed);
        let fd = open()?;
        let placed = match self.told_by {
            ToldBy::File => true,
            // SAFETY: opened above.
            ToldBy::Position => unsafe { libc::lseek(fd, POSITION, libc::SEEK_SET) == POSITION },
        };
        let Some(identity) = identity_of(fd).filter(|_| placed) else {
            // SAFETY: opened above, and nobody else knows it.
            unsafe { libc::close(fd) };
            return None;
        };
        self.last.set(fd, identity);
        noted.known.set(fd, identity);
        Some(fd)
    }

    /// The page that is wiped by a fork, made now if it is not there.
    fn noted_here(&self) -> Option<&'static Noted> {
        // SAFETY: as in `known`.
        if let Some(noted) = unsafe { self.noted.load(Ordering::Acquire).as_ref() } {
            return Some(noted);
        }
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: without MAP_FIXED no existing mapping is touched.
        let page = unsafe { libc::mmap(null_mut(), PAGE_SIZE, protection, flags, -1, 0) };
        if page == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: the page just made.
        let wiped = unsafe { libc::madvise(page, PAGE_SIZE, libc::MADV_WIPEONFORK) } == 0;
        let published = match wiped {
            true => self.noted.compare_exchange(null_mut(), page.cast(), Ordering::AcqRel, Ordering::Acquire),
            false => Err(null_mut()),
        };
        // SAFETY: what was published is page-aligned, zero or written as such, and never given back.
        unsafe {
            match published {
                Ok(_) => Some(&*page.cast::<Noted>()),
                Err(other) => {
                    // Nobody knows ours.
                    unmap(page as usize, PAGE_SIZE);
                    other.as_ref()
                }
            }
        }
    }
}

/// Which file a descriptor is of.
fn identity_of(fd: libc::c_int) -> Option<(libc::dev_t, libc::ino_t)> {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the buffer is of the type the call fills in.
    if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: a successful fstat has filled it in.
    let stat = unsafe { stat.assume_init() };
    Some((stat.st_dev, stat.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_one_is_opened_again_and_another_file_is_not_taken_for_it() {
        static BY_FILE: OwnDescriptor = OwnDescriptor::new(ToldBy::File);
        static BY_POSITION: OwnDescriptor = OwnDescriptor::new(ToldBy::Position);
        is_told_from_another(&BY_FILE, c"/proc/self/statm");
        is_told_from_another(&BY_POSITION, c"/proc/self/pagemap");
    }

    fn is_told_from_another(own: &OwnDescriptor, path: &std::ffi::CStr) {
        let opened = || {
            // SAFETY: a constant path.
            let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
            (fd >= 0).then_some(fd)
        };
        assert_eq!(own.known(), None);
        assert_eq!(own.get(|| None), None);
        let fd = own.get(opened).unwrap();
        assert_eq!((own.known(), own.get(|| panic!("it is open"))), (Some(fd), Some(fd)));
        // As a host does that takes the number for its own.
        let other = std::fs::File::open("/proc/self/maps").unwrap();
        // SAFETY: the descriptor is ours, and the number stays taken.
        assert!(unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&other), fd) } == fd);
        assert_eq!(own.known(), None);
        let new = own.get(opened).unwrap();
        assert_ne!(new, fd, "what the host has there stays open");
        assert_eq!(own.known(), Some(new));
        // SAFETY: the copy made above.
        unsafe { libc::close(fd) };
    }

    #[test]
    fn a_forked_child_has_none() {
        static OWN: OwnDescriptor = OwnDescriptor::new(ToldBy::File);
        let opened = || {
            // SAFETY: a constant path.
            let fd = unsafe { libc::open(c"/proc/self/statm".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) };
            (fd >= 0).then_some(fd)
        };
        let fd = OWN.get(opened).unwrap();
        // SAFETY: the child calls the system, and leaves.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let none = OWN.known().is_none();
            let again = OWN.get(opened);
            // The inherited one was closed, so the number is free for the new one.
            let good = none && again == Some(fd);
            // SAFETY: the child ends here.
            unsafe { libc::_exit(i32::from(!good)) };
        }
        let mut status = -1;
        // SAFETY: waits for the child just made.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0);
        assert_eq!(OWN.known(), Some(fd));
    }
}
