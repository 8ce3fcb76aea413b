//! Mappings of machine code. A [`TextImage`] holds a text outside any executable mapping, in a sealed `memfd` or,
//! where the system refuses that, as plain bytes. From it come [`ExecView`]s, which never change, and
//! [`PrivateView`]s, which can be patched: copy-on-write views of the `memfd`, or copies. No page is ever writable and
//! executable at once. What is patched, and when that is allowed, is decided in `code/`.

use super::faults;
use super::pages::{PAGE_SIZE, discard, map, map_anonymous, map_from, protect, round_up_to_page, unmap};
use crate::base::{Error, ErrorKind, Result};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Read and execute: the protection of code.
const RX: libc::c_int = libc::PROT_READ | libc::PROT_EXEC;
/// Read and write: the protection of pages being patched, and of the cell page.
const RW: libc::c_int = libc::PROT_READ | libc::PROT_WRITE;
/// Fills the last page behind a text: `int3`.
const FILL: u8 = 0xcc;
/// What a page-table page covers. Views that are congruent modulo this are swapped a table at a time.
const TABLE_SPAN: usize = 2 << 20;

/// Set when the system turned out not to swap views (`MREMAP_DONTUNMAP` of a file mapping needs Linux 5.13).
static NO_SWAP: AtomicBool = AtomicBool::new(false);

/// Where the text of an image lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextBacking {
    /// In a sealed `memfd`: private views copy a page when it is patched.
    Memfd,
    /// In plain memory: every private view is a copy of the whole.
    Anonymous,
}

/// A text outside any executable mapping.
#[derive(Debug)]
pub struct TextImage {
    source: Source,
    /// Bytes of the text; the source is longer, by what fills the last page.
    len: usize,
}

#[derive(Debug)]
enum Source {
    /// In this file, from this offset on: a page multiple.
    Memfd(Arc<SealedFile>, usize),
    Anonymous(Vec<u8>),
}

impl TextImage {
    /// Takes the text (not empty) out of `text`. When this fails, `text` is as before. A system that refuses `memfd`s, seals or
    /// executable mappings of them is no failure: [`TextImage::backing`] tells.
    pub fn new(text: &mut Vec<u8>) -> Result<TextImage> {
        TextImage::with_backing(text, TextBacking::Memfd)
    }

    /// The same, with a choice: in plain memory even where a `memfd` could be had.
    pub fn with_backing(text: &mut Vec<u8>, wanted: TextBacking) -> Result<TextImage> {
        let len = text.len();
        let padded = round_up_to_page(len)
            .filter(|_| len > 0)
            .ok_or_else(|| Error::new(ErrorKind::Argument, format!("a text of {len} bytes")))?;
        text.resize(padded, FILL);
        let file = match wanted {
            TextBacking::Memfd => SealedFile::new(text),
            TextBacking::Anonymous => Ok(None),
        };
        let source = match file {
            Ok(Some(file)) => {
                *text = Vec::new();
                Source::Memfd(Arc::new(file), 0)
            }
            Ok(None) => Source::Anonymous(std::mem::take(text)),
            Err(error) => {
                text.truncate(len);
                return Err(error.context("keeping machine code in a memfd"));
            }
        };
        Ok(TextImage { source, len })
    }

    /// A text (not empty) that stands in a sealed file already, on whole pages of its own from `at` on, and ends within the file.
    pub(super) fn in_file(file: Arc<SealedFile>, at: usize, len: usize) -> TextImage {
        debug_assert!(len > 0 && at.is_multiple_of(PAGE_SIZE));
        TextImage { source: Source::Memfd(file, at), len }
    }

    /// Where the text lives.
    pub fn backing(&self) -> TextBacking {
        match self.source {
            Source::Memfd(..) => TextBacking::Memfd,
            Source::Anonymous(_) => TextBacking::Anonymous,
        }
    }

    /// Bytes of the text.
    #[allow(clippy::len_without_is_empty, reason = "a text is never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// A copy of the text, for making another image from it.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        match &self.source {
            Source::Anonymous(bytes) => Ok(bytes[..self.len].to_vec()),
            Source::Memfd(file, at) => file.read(*at, self.len),
        }
    }

    /// Maps the text executable, for good.
    pub fn map_exec(&self) -> Result<ExecView> {
        let view = Mapping::new(&self.source, self.padded_len(), 0)?;
        Ok(ExecView { mapping: view, len: self.len })
    }

    /// Maps a private view of the text, executable, with a read-write page behind it.
    pub fn map_private(&self) -> Result<PrivateView> {
        Ok(PrivateView {
            mapping: Mapping::new(&self.source, self.padded_len(), PAGE_SIZE)?,
            text: self.padded_len(),
            copy_on_write: self.backing() == TextBacking::Memfd,
            patched_before: false,
            written: Vec::new(),
            in_pieces: false,
            parking: None,
        })
    }

    fn padded_len(&self) -> usize {
        // The sum was computed without overflow when the image was made.
        self.len.next_multiple_of(PAGE_SIZE)
    }
}

/// A `memfd` that can no longer change.
#[derive(Debug)]
pub(super) struct SealedFile {
    fd: libc::c_int,
    /// Which file `fd` was. A host that closes descriptors that are not its own (as daemons do) must not make us execute
    /// whatever file gets the number next.
    identity: (libc::dev_t, libc::ino_t),
}

impl SealedFile {
    /// A sealed file of `bytes`, or `None` where the system does not let us have one.
    fn new(bytes: &[u8]) -> Result<Option<SealedFile>> {
        SealedFile::filled(|file| file.write(bytes))
    }

    /// A sealed file of what `fill` writes to it, or `None` where the system does not let us have one.
    pub(super) fn filled(fill: impl FnOnce(&SealedFile) -> Result<()>) -> Result<Option<SealedFile>> {
        let Some(fd) = create_memfd()? else {
            return Ok(None);
        };
        let Some(identity) = identity_of(fd) else {
            let error = Error::last_os_error("fstat of a memfd");
            // SAFETY: the descriptor was made above and nobody else knows it.
            unsafe { libc::close(fd) };
            return Err(error);
        };
        let file = SealedFile { fd, identity };
        fill(&file)?;
        if !file.seal() {
            return Ok(None);
        }
        // SAFETY: a mapping without a fixed address touches nothing that exists.
        match unsafe { map(0, PAGE_SIZE, RX, 0, fd) } {
            // SAFETY: the mapping just made.
            Ok(probe) => unsafe { unmap(probe, PAGE_SIZE) },
            Err(error) if errno() == libc::ENOMEM => return Err(error),
            Err(_) => return Ok(None),
        }
        Ok(Some(file))
    }

    /// Makes it a file that nobody can change; false where the system refuses.
    fn seal(&self) -> bool {
        let others = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
        // `F_SEAL_WRITE` waits, milliseconds at times, until nothing in the kernel holds a page of the file. All that can hold one here
        // is reading: the file is ours alone, and was never mapped writable. So to forbid future writes (Linux 5.1) is as much.
        [libc::F_SEAL_FUTURE_WRITE, libc::F_SEAL_WRITE].into_iter().any(|write| {
            // SAFETY: fcntl on a descriptor of our own, with an integer argument.
            unsafe { libc::fcntl(self.fd, libc::F_ADD_SEALS, others | write) == 0 }
        })
    }

    /// Writes its contents, before it is sealed.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let rest = &bytes[done..];
            // SAFETY: the pointer and length are those of a live slice.
            let n = unsafe { libc::pwrite(self.fd, rest.as_ptr().cast(), rest.len(), done as libc::off_t) };
            match n {
                1.. => done += n as usize,
                _ if n < 0 && errno() == libc::EINTR => {}
                _ => return Err(Error::last_os_error("writing a memfd")),
            }
        }
        Ok(())
    }

    /// Another descriptor of the file, to fill it by.
    pub(super) fn writer(&self) -> Result<std::fs::File> {
        // SAFETY: the descriptor is open: this is its owner, and nobody else was told of it yet.
        let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(self.fd) };
        let copy = fd.try_clone_to_owned();
        copy.map(std::fs::File::from).map_err(|error| Error::new(ErrorKind::System, format!("dup of a memfd: {error}")))
    }

    /// Maps the first `len` bytes for reading.
    pub(super) fn map_readable(&self, len: usize) -> Result<usize> {
        self.check()?;
        // SAFETY: without MAP_FIXED no existing mapping is touched.
        unsafe { map(0, len, libc::PROT_READ, 0, self.fd) }
    }

    fn read(&self, at: usize, len: usize) -> Result<Vec<u8>> {
        self.check()?;
        let mut bytes = vec![0; len];
        let mut done = 0;
        while done < len {
            let rest = &mut bytes[done..];
            // SAFETY: the pointer and length are those of a live, exclusive slice.
            let n = unsafe { libc::pread(self.fd, rest.as_mut_ptr().cast(), rest.len(), (at + done) as libc::off_t) };
            match n {
                1.. => done += n as usize,
                _ if n < 0 && errno() == libc::EINTR => {}
                _ => return Err(Error::last_os_error("reading a memfd")),
            }
        }
        Ok(bytes)
    }

    fn is_ours(&self) -> bool {
        identity_of(self.fd) == Some(self.identity)
    }

    fn check(&self) -> Result<()> {
        if self.is_ours() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::State,
            format!(
                "file descriptor {} holds machine code of this library, but the process has closed it; do not close \
                 descriptors that you did not open",
                self.fd
            ),
        ))
    }
}

impl Drop for SealedFile {
    fn drop(&mut self) {
        if self.is_ours() {
            // SAFETY: the descriptor is the one this file was made with.
            unsafe { libc::close(self.fd) };
        }
    }
}

/// A new `memfd` that may be sealed and executed, or `None` where that is refused.
fn create_memfd() -> Result<Option<libc::c_int>> {
    /// `MFD_EXEC`, Linux 6.3: executable, whatever the system's default is.
    const MFD_EXEC: libc::c_uint = 0x10;
    if faults::memfd_refused() {
        return Ok(None);
    }
    if faults::fails() {
        return Err(Error::last_os_error("memfd_create"));
    }
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    for flags in [flags | MFD_EXEC, flags] {
        // SAFETY: the name is a NUL-terminated constant.
        let fd = unsafe { libc::memfd_create(c"stepwell-text".as_ptr(), flags) };
        if fd >= 0 {
            return Ok(Some(fd));
        }
        match errno() {
            libc::EINVAL => {}
            libc::ENOMEM => return Err(Error::last_os_error("memfd_create")),
            // Refused (EPERM, EACCES, ENOSYS), or no descriptor left for us (EMFILE, ENFILE).
            _ => return Ok(None),
        }
    }
    Ok(None)
}

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

fn errno() -> libc::c_int {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}

/// A range of address space of our own, unmapped when dropped.
#[derive(Debug)]
struct Mapping {
    base: usize,
    len: usize,
}

impl Mapping {
    /// Maps `text` bytes of `source` executable, with `extra` read-write bytes behind them.
    fn new(source: &Source, text: usize, extra: usize) -> Result<Mapping> {
        match source {
            Source::Memfd(file, at) => {
                file.check()?;
                if extra == 0 {
                    // SAFETY: without MAP_FIXED no existing mapping is touched.
                    let base = unsafe { map_from(0, text, RX, 0, file.fd, *at)? };
                    return Ok(Mapping { base, len: text });
                }
                let mapping = Mapping { base: map_anonymous(text + extra, RW)?, len: text + extra };
                // SAFETY: the range is the front of the mapping just made.
                unsafe { map_from(mapping.base, text, RX, libc::MAP_FIXED, file.fd, *at)? };
                Ok(mapping)
            }
            Source::Anonymous(bytes) => {
                debug_assert_eq!(bytes.len(), text);
                let mapping = Mapping { base: map_anonymous(text + extra, RW)?, len: text + extra };
                // SAFETY: the mapping is new, writable, and at least as long as the source.
                unsafe {
                    std::ptr::copy_nonoverlapping(bytes.as_ptr(), mapping.base as *mut u8, bytes.len());
                }
                // SAFETY: nobody else knows the mapping yet.
                unsafe { protect(mapping.base, text, RX)? };
                Ok(mapping)
            }
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is ours; its owner is gone.
        unsafe { unmap(self.base, self.len) };
    }
}

/// An executable mapping that never changes.
#[derive(Debug)]
pub struct ExecView {
    mapping: Mapping,
    len: usize,
}

impl ExecView {
    /// The address of the first byte.
    pub fn base(&self) -> usize {
        self.mapping.base
    }

    /// Bytes of the text.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the text is empty; it never is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A copy of the text.
    pub fn to_vec(&self) -> Vec<u8> {
        // SAFETY: the mapping is readable and as long, and nobody can write it.
        unsafe { std::slice::from_raw_parts(self.base() as *const u8, self.len) }.to_vec()
    }
}

/// A text that belongs to one owner, who may patch it, through [`PrivateView::make_writable`] and [`PrivateView::write`].
/// With [`PrivateView::show_other`] another text of the same length stands at its base, while its own pages are parked
/// elsewhere, patches and all; until they are back nothing can be patched.
#[derive(Debug)]
pub struct PrivateView {
    mapping: Mapping,
    /// Bytes of the text in whole pages; behind them is the read-write page.
    text: usize,
    copy_on_write: bool,
    /// Whether a page was ever written: from then on, ranges that were split merge again.
    patched_before: bool,
    /// The pages written and not given back since, in order.
    written: Vec<u32>,
    /// Whether the system took it for more than one mapping, which cannot be swapped.
    in_pieces: bool,
    parking: Option<Parking>,
}

/// Where the texts of a view that has two are while they are not at its base.
#[derive(Debug)]
struct Parking {
    _reservation: Mapping,
    /// Home of the view's own pages.
    own: usize,
    /// Home of the other text.
    other: usize,
    /// Whether the other text is at the base.
    shown: bool,
}

/// The page of a byte; texts are below 4 GiB.
fn page_of(at: usize) -> u32 {
    (at / PAGE_SIZE) as u32
}

impl PrivateView {
    /// The address at which it is executed.
    pub fn base(&self) -> usize {
        self.mapping.base
    }

    /// Bytes of the text, in whole pages.
    pub fn padded_len(&self) -> usize {
        self.text
    }

    /// Whether its unpatched pages are the image's, not copies.
    pub fn is_copy_on_write(&self) -> bool {
        self.copy_on_write
    }

    /// The first byte of the read-write page behind the text.
    pub fn cell_page(&self) -> *mut u8 {
        (self.mapping.base + self.text) as *mut u8
    }

    /// A byte of what is executed.
    pub fn byte(&self, at: usize) -> u8 {
        assert!(at < self.text, "byte {at:#x} is beyond the text");
        // SAFETY: the text is mapped, readable in every state, and `at` lies in it. Volatile, for it changes under us.
        unsafe { std::ptr::read_volatile((self.mapping.base + at) as *const u8) }
    }

    /// Whether the byte that is executed here may differ from the image's. Where not, it need not be read, which would bring
    /// pages of the image in that are replaced when they are written.
    pub fn may_differ(&self, at: usize) -> bool {
        !self.copy_on_write || self.shows_other() || self.written.binary_search(&page_of(at)).is_ok()
    }

    /// Makes own pages writable and not executable. The bounds are page multiples. After an error they are as before.
    pub fn make_writable(&mut self, range: Range<usize>) -> Result<()> {
        // SAFETY: the pages are ours (`protect` checks). The one owner is here, not in the text, so no guest runs in it.
        unsafe { self.protect_own(range, RW) }
    }

    /// Makes own pages executable again. Should the system lack the memory for that, the whole text is made so, which splits no
    /// mapping and so needs none.
    pub fn make_executable(&mut self, range: Range<usize>) {
        // SAFETY: as above; nobody writes, for that takes `&mut self`.
        let done = unsafe { self.protect_own(range, RX).is_ok() || self.protect_own(0..self.text, RX).is_ok() };
        if !done {
            // The guest cannot run on, its owner cannot be told, and no state is left to return to.
            eprintln!("stepwell: the system refuses to make machine code executable again");
            std::process::abort();
        }
    }

    /// # Safety
    /// No access that the protection forbids can be going on.
    unsafe fn protect_own(&mut self, range: Range<usize>, protection: libc::c_int) -> Result<()> {
        self.check_pages(&range);
        // SAFETY: the pages are ours; the rest is the caller's promise.
        unsafe { protect(self.mapping.base + range.start, range.len(), protection) }
    }

    /// Writes bytes of its own pages.
    ///
    /// # Safety
    /// The pages were made writable with [`PrivateView::make_writable`] and not executable again since.
    pub unsafe fn write(&mut self, at: usize, bytes: &[u8]) {
        assert!(
            at <= self.text && bytes.len() <= self.text - at,
            "{} bytes at {at:#x} are beyond the text",
            bytes.len()
        );
        self.patched_before = true;
        if self.copy_on_write && !bytes.is_empty() {
            for page in page_of(at)..=page_of(at + bytes.len() - 1) {
                if let Err(place) = self.written.binary_search(&page) {
                    self.written.insert(place, page);
                }
            }
        }
        let to = (self.mapping.base + at) as *mut u8;
        // SAFETY: the bytes lie in the text, writable by the caller's promise, and `bytes` is no part of it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }

    /// Makes sure that pages split apart by [`PrivateView::make_writable`] become one mapping again: the system joins written
    /// pages only if they belong to one *anonymous mapping record*, which it makes at the first write. So the first write is done
    /// alone, to one page (of which nothing changes), before several are opened at once.
    pub fn prepare_scattered_writes(&mut self, page: Range<usize>) -> Result<()> {
        if self.patched_before || !self.copy_on_write {
            return Ok(());
        }
        self.make_writable(page.clone())?;
        let same = [self.byte(page.start)];
        // SAFETY: the page was made writable above.
        unsafe { self.write(page.start, &same) };
        self.make_executable(page);
        Ok(())
    }

    /// Gives own pages back: they show the image again. Only for a copy-on-write view. Says whether the system agreed; if
    /// not, nothing changed.
    pub fn discard(&mut self, range: Range<usize>) -> bool {
        self.check_pages(&range);
        assert!(self.copy_on_write, "a copy has no image below it");
        // SAFETY: the pages are ours, and what is private in them is what the caller gives up.
        let done = unsafe { discard(self.mapping.base + range.start, range.len()) };
        if done {
            let from = self.written.partition_point(|page| *page < page_of(range.start));
            let to = self.written.partition_point(|page| *page < page_of(range.end));
            self.written.drain(from..to);
        }
        done
    }

    /// Whether the other text stands at the base.
    pub fn shows_other(&self) -> bool {
        matches!(&self.parking, Some(parking) if parking.shown)
    }

    /// Whether a text to swap with was mapped by [`PrivateView::map_other`].
    pub fn has_other(&self) -> bool {
        self.parking.is_some()
    }

    /// Whether this view can be swapped with another text, as far as known.
    pub fn can_swap(&self) -> bool {
        self.copy_on_write && !self.in_pieces && !NO_SWAP.load(Ordering::Relaxed)
    }

    /// Maps the text to swap with; it must be as long. A second call does nothing.
    pub fn map_other(&mut self, other: &TextImage) -> Result<()> {
        if self.parking.is_some() {
            return Ok(());
        }
        let Source::Memfd(file, at) = &other.source else {
            return Err(Error::new(ErrorKind::State, "only texts in a memfd can be swapped"));
        };
        assert_eq!(self.text, other.padded_len(), "texts of different lengths");
        file.check()?;
        // Page tables move as a whole between addresses that are congruent modulo their span.
        let slack = if self.text >= TABLE_SPAN { TABLE_SPAN } else { 0 };
        let each = self.text + slack;
        let reservation = Mapping { base: map_anonymous(2 * each, libc::PROT_NONE)?, len: 2 * each };
        let place = |from: usize| match slack {
            0 => from,
            _ => from + (self.mapping.base.wrapping_sub(from)) % TABLE_SPAN,
        };
        let own = place(reservation.base);
        let other = place(reservation.base + each);
        // SAFETY: the range lies in the reservation just made.
        unsafe { map_from(other, self.text, RX, libc::MAP_FIXED, file.fd, *at)? };
        self.parking = Some(Parking { _reservation: reservation, own, other, shown: false });
        Ok(())
    }

    /// Puts the other text at the base, or the own one back. `Ok(false)`: the system does not do that, nothing changed. After
    /// an error, nothing changed either, or (`own_lost`) own pages with their patches are gone and show the image.
    pub fn show_other(&mut self, shown: bool) -> Result<bool, SwapError> {
        let base = self.mapping.base;
        let len = self.text;
        let Some(parking) = &mut self.parking else {
            return Ok(!shown);
        };
        if parking.shown == shown {
            return Ok(true);
        }
        let (leaving, coming) = if shown { (parking.own, parking.other) } else { (parking.other, parking.own) };
        // Each move leaves a fresh mapping of the same file behind (DONTUNMAP), so that at no moment the base is free for others
        // to map, nor the parking places.
        // SAFETY: all three ranges are ours, and no guest runs in them.
        if let Err(error) = unsafe { move_pages(base, leaving, len) } {
            match errno() {
                // Not done by this system.
                libc::EINVAL => NO_SWAP.store(true, Ordering::Relaxed),
                // Not done with this view: it is in pieces.
                libc::EFAULT => self.in_pieces = true,
                _ => {
                    return Err(SwapError { error, own_lost: false });
                }
            }
            return Ok(false);
        }
        // SAFETY: as above.
        if let Err(error) = unsafe { move_pages(coming, base, len) } {
            // SAFETY: as above; what stands at the base is the empty mapping the first move left.
            let back = unsafe { move_pages(leaving, base, len) };
            // Without the way back, the base shows the same image as before, unpatched.
            return Err(SwapError { error, own_lost: back.is_err() && shown });
        }
        parking.shown = shown;
        Ok(true)
    }
}

/// Why two texts were not swapped.
#[derive(Debug)]
pub struct SwapError {
    /// What the system said.
    pub error: Error,
    /// Whether the patches of the own pages are lost: they show the image.
    pub own_lost: bool,
}

impl PrivateView {
    fn check_pages(&self, range: &Range<usize>) {
        assert!(!self.shows_other(), "patching a text that is parked");
        assert!(
            range.start.is_multiple_of(PAGE_SIZE)
                && range.end.is_multiple_of(PAGE_SIZE)
                && range.start <= range.end
                && range.end <= self.text,
            "bytes {:#x}..{:#x} are no whole pages of the text",
            range.start,
            range.end
        );
    }
}

/// Moves the pages of one mapping to another place, leaving the mapping, without its pages, behind.
///
/// # Safety
/// Both ranges belong to the caller; what is at `to` is not needed.
unsafe fn move_pages(from: usize, to: usize, len: usize) -> Result<()> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | libc::MREMAP_DONTUNMAP;
    // SAFETY: the caller's promise.
    let moved = !faults::swap_refused()
        && !faults::fails()
        && unsafe { libc::mremap(from as *mut libc::c_void, len, len, flags, to as *mut libc::c_void) }
            != libc::MAP_FAILED;
    if !moved {
        return Err(Error::last_os_error("mremap"));
    }
    Ok(())
}
