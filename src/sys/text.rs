//! Mappings of machine code. A [`TextImage`] holds a text outside any executable mapping, in a sealed `memfd` or,
//! where the system refuses that, as plain bytes. From it come [`ExecView`]s, which never change, and
//! [`PrivateView`]s, which can be patched: copy-on-write views of the `memfd`, or copies. No page is ever writable and
//! executable at once. What is patched, and when that is allowed, is decided in `code/`.

use super::pages::{PAGE_SIZE, RW, RX, check_page_size, protect, round_up_to_page};
use super::refusals::{self, flips_refused};
use super::replace::replace_pages;
use super::system::{
    SealedFile, Unmoved, discard, map_anonymous, move_mapping, move_pages, put_executable_at, refused, unmap,
};
use crate::base::{Error, ErrorKind, Result};
use crate::isa::{FILL, PAGE_TABLE_SPAN};
use region::Protection;
use std::ops::Range;
use std::sync::Arc;

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
    /// Takes the text (not empty) out of `text`. When this fails, `text` is as before. A system that refuses `memfd`s,
    /// seals or executable mappings of them is no failure: [`TextImage::backing`] tells.
    pub fn new(text: &mut Vec<u8>) -> Result<TextImage> {
        TextImage::with_backing(text, TextBacking::Memfd)
    }

    /// The same, with a choice: in plain memory even where a `memfd` could be had.
    pub fn with_backing(text: &mut Vec<u8>, wanted: TextBacking) -> Result<TextImage> {
        let len = text.len();
        check_page_size()?;
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

    /// A text (not empty) that stands in a sealed file already, on whole pages of its own from `at` on, and ends within
    /// the file.
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
        self.read(0..self.len)
    }

    /// A copy of a part of it.
    ///
    /// # Panics
    /// Beyond its end.
    pub fn read(&self, part: Range<usize>) -> Result<Vec<u8>> {
        assert!(part.start <= part.end && part.end <= self.len, "{part:?} is no part of a text of {} bytes", self.len);
        match &self.source {
            Source::Anonymous(bytes) => Ok(bytes[part].to_vec()),
            Source::Memfd(file, at) => file.read(*at + part.start, part.len()),
        }
    }

    /// Maps the text executable, for good.
    pub fn map_exec(&self) -> Result<ExecView> {
        let view = Mapping::new(&self.source, self.padded_len(), 0)?;
        Ok(ExecView { mapping: view, len: self.len })
    }

    /// The same, with so many read-write bytes, at least, behind its last page.
    pub fn map_exec_with(&self, behind: usize) -> Result<ExecView> {
        let behind = round_up_to_page(behind)
            .ok_or_else(|| Error::new(ErrorKind::Limit, format!("{behind} bytes behind a text")))?;
        let view = Mapping::new(&self.source, self.padded_len(), behind)?;
        Ok(ExecView { mapping: view, len: self.len })
    }

    /// Puts the text, executable, in the place of another that is as long. Who runs there meanwhile finds, at each
    /// moment, the one or the other. No lock is taken and nothing allocated. False where the system refuses.
    ///
    /// # Safety
    /// The range is the text of a [`PrivateView`] as long as this, which is told of it before it is used again
    /// ([`PrivateView::restore_covered`]), and whose own patches are not needed.
    pub unsafe fn put_at(&self, base: usize) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            match &self.source {
                Source::Memfd(file, at) => file.put_executable_at(base, *at, self.padded_len()),
                Source::Anonymous(bytes) => put_executable_at(base, bytes),
            }
        }
    }

    /// Maps a private view of the text, executable, with a read-write page behind it.
    pub fn map_private(&self) -> Result<PrivateView> {
        Ok(PrivateView {
            mapping: Mapping::new(&self.source, self.padded_len(), PAGE_SIZE)?,
            text: self.padded_len(),
            image: match &self.source {
                Source::Memfd(file, at) => Some((file.clone(), *at)),
                Source::Anonymous(_) => None,
            },
            patched_before: false,
            written: Vec::new(),
            staged: Vec::new(),
            replaced: false,
            open: 0,
            spare: None,
            broken: false,
            in_pieces: false,
            parking: None,
        })
    }

    /// Finds out, once, whether pages of such a text can be made executable again after they were written. Where not,
    /// [`flips_refused`] says so from then on.
    pub fn try_flip(&self) -> Result<()> {
        if self.backing() == TextBacking::Memfd && !flips_refused() {
            let mut view = self.map_private()?;
            view.make_writable(0..PAGE_SIZE)?;
            view.make_executable(0..PAGE_SIZE).map_err(|refusal| refusal.error)?;
        }
        Ok(())
    }

    fn padded_len(&self) -> usize {
        // The sum was computed without overflow when the image was made.
        self.len.next_multiple_of(PAGE_SIZE)
    }
}

/// A range of address space of our own, unmapped when dropped.
#[derive(Debug)]
pub(super) struct Mapping {
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
                    return Ok(Mapping { base: file.map_executable(*at, text)?, len: text });
                }
                let mapping = Mapping { base: map_anonymous(text + extra, RW)?, len: text + extra };
                // SAFETY: the range is the front of the mapping just made.
                unsafe { file.map_executable_at(mapping.base, *at, text)? };
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
                let Err(error) = (unsafe { protect(mapping.base, text, RX) }) else {
                    return Ok(mapping);
                };
                // What was written may not be executed here. A file that nobody has mapped writable may.
                match SealedFile::passing(bytes) {
                    // SAFETY: as above.
                    Ok(Some(file)) => unsafe { file.map_executable_at(mapping.base, 0, text)? },
                    _ => return Err(error.context("making machine code executable")),
                }
                Ok(mapping)
            }
        }
    }
}

impl Mapping {
    /// Executable bytes of nobody's else: writable first, then executable.
    pub(super) fn of_code(bytes: &[u8]) -> Result<Mapping> {
        let mapping = Mapping { base: map_anonymous(bytes.len(), RW)?, len: bytes.len() };
        // SAFETY: the mapping is new, writable, and as long.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), mapping.base as *mut u8, bytes.len());
            protect(mapping.base, mapping.len, RX)?;
        }
        Ok(mapping)
    }

    /// Moves it to the place of what is at `to`. If the system refuses, it is gone, and `to` as it was.
    ///
    /// # Safety
    /// As much at `to` belongs to the caller, and what is there is not needed.
    pub(super) unsafe fn move_to(self, to: usize) -> Result<()> {
        // SAFETY: the caller's promise; this range is ours.
        unsafe { move_mapping(self.base, to, self.len)? };
        std::mem::forget(self);
        Ok(())
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

    /// The first byte behind its last page: read-write, where it was mapped with such bytes.
    pub fn behind(&self) -> *mut u8 {
        (self.mapping.base + self.len.next_multiple_of(PAGE_SIZE)) as *mut u8
    }

    /// Whether the text is empty; it never is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A copy of the text.
    pub fn to_vec(&self) -> Vec<u8> {
        self.read(0..self.len)
    }

    /// A copy of a part of it.
    ///
    /// # Panics
    /// Beyond its end.
    pub fn read(&self, part: Range<usize>) -> Vec<u8> {
        // SAFETY: the mapping is readable and as long, and nobody can write it.
        let text = unsafe { std::slice::from_raw_parts(self.base() as *const u8, self.len) };
        text[part].to_vec()
    }
}

/// A text that belongs to one owner, who may patch it, through [`PrivateView::make_writable`] and
/// [`PrivateView::write`]. With [`PrivateView::show_other`] another text of the same length stands at its base, while
/// its own pages are parked elsewhere, patches and all; until they are back nothing can be patched.
#[derive(Debug)]
pub struct PrivateView {
    mapping: Mapping,
    /// Bytes of the text in whole pages; behind them is the read-write page.
    text: usize,
    /// What it is a copy-on-write view of; `None` for a copy.
    image: Option<(Arc<SealedFile>, usize)>,
    /// Whether a page was ever written: from then on, ranges that were split merge again.
    patched_before: bool,
    /// The pages written and not given back since, in order.
    written: Vec<u32>,
    /// Pages that are open for writing, but not where they are executed.
    staged: Vec<Staged>,
    /// Whether some pages were replaced by others: then not all that was written can be given back.
    replaced: bool,
    /// How many ranges are writable.
    open: usize,
    /// The image once more, while ranges are writable: to be moved here should the system let written pages neither be
    /// executed again nor be replaced. To move it takes no permission to make anything executable.
    spare: Option<Mapping>,
    /// Whether pages were left that cannot be executed.
    broken: bool,
    /// Whether the system took it for more than one mapping, which cannot be swapped.
    in_pieces: bool,
    parking: Option<Parking>,
}

/// Pages as they are to be, from this offset on.
#[derive(Debug)]
struct Staged {
    start: usize,
    bytes: Vec<u8>,
}

/// Why pages do not show what was written to them.
#[derive(Debug)]
pub struct Refusal {
    /// What the system said.
    pub error: Error,
    /// Whether the patches of all pages are lost: they show the image. If not, these pages show what they have shown
    /// before.
    pub all_lost: bool,
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
        self.image.is_some()
    }

    /// Whether pages can be given back by [`PrivateView::discard`], to show the image again.
    pub fn can_discard(&self) -> bool {
        self.image.is_some() && !self.replaced
    }

    /// Whether it has pages that cannot be executed: the system has refused every way to make them so. No guest may run
    /// in it.
    pub fn is_broken(&self) -> bool {
        self.broken
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

    /// Whether the byte that is executed here may differ from the image's. Where not, it need not be read, which would
    /// bring pages of the image in that are replaced when they are written.
    pub fn may_differ(&self, at: usize) -> bool {
        self.image.is_none() || self.shows_other() || self.written.binary_search(&page_of(at)).is_ok()
    }

    /// Opens own pages for [`PrivateView::write`]. They are made writable and not executable; or, where the system
    /// would not make them executable again, and in a copy, for which there is no way back, others are made to take
    /// their place. The bounds are page multiples. After an error they are as before.
    pub fn make_writable(&mut self, range: Range<usize>) -> Result<()> {
        self.check_pages(&range);
        if self.image.is_none() || flips_refused() {
            self.stage(range);
            return Ok(());
        }
        // SAFETY: the pages are ours. The one owner is here, not in the text, so no guest runs in it.
        let opened = self.keep_spare().and_then(|()| unsafe { self.protect_own(range.clone(), RW) });
        match opened {
            Ok(()) => self.open += 1,
            Err(_) if refused() => self.stage(range),
            Err(error) => {
                self.let_spare_go();
                return Err(error);
            }
        }
        Ok(())
    }

    fn stage(&mut self, range: Range<usize>) {
        let bytes = self.copy_of(range.clone());
        self.staged.push(Staged { start: range.start, bytes });
    }

    /// Makes sure that there is a way back before pages are made writable; but not where the host has closed our file.
    fn keep_spare(&mut self) -> Result<()> {
        if let (Some((file, at)), None) = (&self.image, &self.spare)
            && file.check().is_ok()
        {
            self.spare = Some(Mapping { base: file.map_executable(*at, self.text)?, len: self.text });
        }
        Ok(())
    }

    /// Has own pages that were opened executed, as they were written.
    ///
    /// # Errors
    /// The system refuses that. They show what they have shown before, or all own pages the image.
    pub fn make_executable(&mut self, range: Range<usize>) -> Result<(), Refusal> {
        self.check_pages(&range);
        if let Some(i) = self.staged.iter().position(|staged| staged.start == range.start) {
            let Staged { bytes, .. } = self.staged.swap_remove(i);
            return self.replace(range.start, &bytes).map_err(|error| Refusal { error, all_lost: false });
        }
        // Those that were opened together were lost together.
        if self.open == 0 {
            return Ok(());
        }
        // Should the system lack the memory to split a mapping, the whole text is made executable, which splits none.
        for range in [range.clone(), 0..self.text] {
            // SAFETY: the pages are ours; nobody writes, for that takes `&mut self`.
            if unsafe { self.protect_own(range, RX) }.is_ok() {
                self.closed();
                return Ok(());
            }
            if refused() {
                refusals::note_flips_refused();
            }
        }
        let bytes = self.copy_of(range.clone());
        let Err(error) = self.replace(range.start, &bytes) else {
            self.closed();
            return Ok(());
        };
        Err(Refusal { error: self.restore(error), all_lost: true })
    }

    /// One range is no longer writable.
    fn closed(&mut self) {
        self.open -= 1;
        self.let_spare_go();
    }

    fn let_spare_go(&mut self) {
        if self.open == 0 {
            self.spare = None;
        }
    }

    /// Forgets what was written to pages that were opened elsewhere; `false` for others.
    pub fn abandon(&mut self, range: Range<usize>) -> bool {
        let before = self.staged.len();
        self.staged.retain(|staged| staged.start != range.start);
        self.staged.len() < before
    }

    /// Puts pages in the place of own ones.
    fn replace(&mut self, start: usize, bytes: &[u8]) -> Result<()> {
        let wanted = if self.image.is_some() { TextBacking::Memfd } else { TextBacking::Anonymous };
        // SAFETY: the pages are ours, and no guest runs in them.
        unsafe { replace_pages(self.mapping.base + start, bytes, wanted)? };
        (self.replaced, self.in_pieces) = (true, true);
        Ok(())
    }

    /// Shows the image, for it can still be executed; the error to tell.
    fn restore(&mut self, error: Error) -> Error {
        let moved = match self.spare.take() {
            // SAFETY: both ranges are ours, and no guest runs in them.
            Some(spare) => unsafe { spare.move_to(self.mapping.base).is_ok() },
            None => false,
        };
        self.broken |= !moved;
        self.open = 0;
        if moved {
            self.written.clear();
            self.replaced = false;
        }
        error.context("making machine code executable again")
    }

    fn copy_of(&self, range: Range<usize>) -> Vec<u8> {
        // SAFETY: the text is mapped, readable in every state, and the range lies in it; nobody writes meanwhile.
        unsafe { std::slice::from_raw_parts((self.mapping.base + range.start) as *const u8, range.len()) }.to_vec()
    }

    /// # Safety
    /// No access that the protection forbids can be going on.
    unsafe fn protect_own(&mut self, range: Range<usize>, protection: Protection) -> Result<()> {
        // SAFETY: the pages are ours; the rest is the caller's promise.
        unsafe { protect(self.mapping.base + range.start, range.len(), protection) }
    }

    /// Writes bytes of its own pages, all on pages that were opened together.
    ///
    /// # Safety
    /// The pages were opened with [`PrivateView::make_writable`] and not made executable again since.
    pub unsafe fn write(&mut self, at: usize, bytes: &[u8]) {
        assert!(
            at <= self.text && bytes.len() <= self.text - at,
            "{} bytes at {at:#x} are beyond the text",
            bytes.len()
        );
        self.patched_before = true;
        if self.image.is_some() && !bytes.is_empty() {
            for page in page_of(at)..=page_of(at + bytes.len() - 1) {
                if let Err(place) = self.written.binary_search(&page) {
                    self.written.insert(place, page);
                }
            }
        }
        let here = |staged: &&mut Staged| (staged.start..staged.start + staged.bytes.len()).contains(&at);
        if let Some(staged) = self.staged.iter_mut().find(here) {
            staged.bytes[at - staged.start..][..bytes.len()].copy_from_slice(bytes);
            return;
        }
        let to = (self.mapping.base + at) as *mut u8;
        // SAFETY: the bytes lie in the text, writable by the caller's promise, and `bytes` is no part of it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    }

    /// Makes sure that pages split apart by [`PrivateView::make_writable`] become one mapping again: the system joins
    /// written pages only if they belong to one *anonymous mapping record*, which it makes at the first write. So the
    /// first write is done alone, to one page (of which nothing changes), before several are opened at once.
    pub fn prepare_scattered_writes(&mut self, page: Range<usize>) -> Result<()> {
        if self.patched_before || self.image.is_none() || flips_refused() {
            return Ok(());
        }
        self.make_writable(page.clone())?;
        let same = [self.byte(page.start)];
        // SAFETY: the page was made writable above.
        unsafe { self.write(page.start, &same) };
        // Nothing is lost: nothing was patched.
        self.make_executable(page).map_err(|refusal| refusal.error)
    }

    /// Gives own pages back: they show the image again. Only where [`PrivateView::can_discard`] says so. Says whether
    /// the system agreed; if not, nothing changed.
    pub fn discard(&mut self, range: Range<usize>) -> bool {
        self.check_pages(&range);
        assert!(self.can_discard(), "there is no image below these pages");
        // SAFETY: the pages are ours, and what is private in them is what the caller gives up.
        let done = unsafe { discard(self.mapping.base + range.start, range.len()) };
        if done {
            let from = self.written.partition_point(|page| *page < page_of(range.start));
            let to = self.written.partition_point(|page| *page < page_of(range.end));
            self.written.drain(from..to);
        }
        done
    }

    /// Puts its own image back in the place of what [`TextImage::put_at`] has put there; what was patched is gone.
    ///
    /// # Errors
    /// The system refuses it. What stands there is not known.
    pub fn restore_covered(&mut self, own: &TextImage) -> Result<()> {
        assert!(!self.shows_other() && self.open == 0, "a text that is open, or parked, is covered by nobody");
        // SAFETY: the text is ours; the one owner is here, not in the text, so no guest runs in it.
        if !unsafe { own.put_at(self.mapping.base) } {
            return Err(Error::last_os_error("putting machine code back that was covered"));
        }
        self.written.clear();
        // It is one mapping again, as it was made.
        (self.patched_before, self.replaced, self.in_pieces) = (false, false, false);
        Ok(())
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
        self.image.is_some() && !self.in_pieces && !refusals::swaps_refused()
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
        let slack = if self.text >= PAGE_TABLE_SPAN { PAGE_TABLE_SPAN } else { 0 };
        let each = self.text + slack;
        let reservation = Mapping { base: map_anonymous(2 * each, Protection::NONE)?, len: 2 * each };
        let place = |from: usize| match slack {
            0 => from,
            _ => from + (self.mapping.base.wrapping_sub(from)) % PAGE_TABLE_SPAN,
        };
        let own = place(reservation.base);
        let other = place(reservation.base + each);
        // SAFETY: the range lies in the reservation just made.
        unsafe { file.map_executable_at(other, *at, self.text)? };
        self.parking = Some(Parking { _reservation: reservation, own, other, shown: false });
        Ok(())
    }

    /// Puts the other text at the base, or the own one back. `Ok(false)`: the system does not do that, nothing changed.
    /// After an error, nothing changed either, or (`own_lost`) own pages with their patches are gone and show the
    /// image.
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
        // Each move leaves a fresh mapping of the same file behind (DONTUNMAP), so that at no moment the base is free
        // for others to map, nor the parking places. SAFETY: all three ranges are ours, and no guest runs in them.
        if let Err(refusal) = unsafe { move_pages(base, leaving, len) } {
            match refusal {
                Unmoved::Never(_) => refusals::note_swaps_refused(),
                Unmoved::InPieces(_) => self.in_pieces = true,
                Unmoved::Failed(error) => return Err(SwapError { error, own_lost: false }),
            }
            return Ok(false);
        }
        // SAFETY: as above.
        if let Err(refusal) = unsafe { move_pages(coming, base, len) } {
            // SAFETY: as above; what stands at the base is the empty mapping the first move left.
            let back = unsafe { move_pages(leaving, base, len) };
            // Without the way back, the base shows the same image as before, unpatched.
            return Err(SwapError { error: refusal.into_error(), own_lost: back.is_err() && shown });
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
