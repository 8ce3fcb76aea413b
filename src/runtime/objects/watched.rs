//! The memories of a store that are watched: while its guests run, the pages of what is watched may not be accessed, or
//! not be written. Who watches, and what an access means, is decided above.
//!
//! # When pages are protected
//!
//! Only while guest code runs: [`MemoryWatch::protect`] is called where a guest is entered or goes on,
//! [`MemoryWatch::lift`] where it is left, by a call, a stop or a trap. So the host and the runtime find memories as
//! they always are, and a memory that moves or is given back is never protected.
//!
//! A guest whose access was stopped at goes on *quietly*, with nothing protected, up to the next stop: what it does up
//! to there is known.

use crate::base::{Error, Result};
use crate::isa::StopContext;
use crate::runtime::objects::memory::MemoryData;
use crate::sys::pages::PAGE_SIZE;
use crate::sys::watching::{self, Allowed, PageFault};
use std::ffi::c_void;
use std::ops::Range;
use std::ptr::NonNull;

/// What of a memory is watched.
#[derive(Clone, Debug)]
pub(in crate::runtime) struct WatchedRange {
    /// It is kept by who watches.
    pub(in crate::runtime) memory: NonNull<MemoryData>,
    pub(in crate::runtime) bytes: Range<usize>,
    /// Whether reads are looked for, too.
    pub(in crate::runtime) reads: bool,
}

/// The watched memories of a store.
#[repr(C)]
pub(in crate::runtime) struct MemoryWatch {
    /// What a guest finds that stops at a fault. First, so that both have one address.
    pub(in crate::runtime) head: StopContext,
    /// The inside of the store.
    pub(in crate::runtime) store: NonNull<c_void>,
    pub(in crate::runtime) ranges: Vec<WatchedRange>,
    /// What of the address space that is, while it is protected: bytes, and whether reads are looked for.
    bytes: Vec<(Range<usize>, bool)>,
    /// The pages of that, ascending, apart, and what may be done with them.
    pages: Vec<(Range<usize>, Allowed)>,
    /// Whether they are protected.
    protected: bool,
    /// Whether the guest goes on with nothing protected.
    pub(in crate::runtime) quiet: bool,
    /// The pages that are accessible for one instruction.
    stepped: [usize; MAX_STEPPED],
    stepped_count: usize,
    /// The fault that is stopped at.
    pub(in crate::runtime) fault: Option<PageFault>,
    /// How many faults at what is not watched have been passed since one was stopped at, and how many are to be.
    passed: u32,
    patience: u32,
}

/// The most faults at what is not watched that are passed before one is stopped at.
const MAX_PATIENCE: u32 = 64;

/// The bytes of what is protected as a whole: an access of none that has watched bytes is never told.
pub const WATCHED_PAGE: u64 = PAGE_SIZE as u64;

/// The most pages that an instruction can access.
const MAX_STEPPED: usize = 4;

/// The most bytes that an instruction accesses at once.
pub(in crate::runtime) const WIDEST: usize = 16;

/// What a fault at a protected page is.
pub(in crate::runtime) enum Found {
    /// None at one.
    Elsewhere,
    /// No watched byte can be concerned.
    Far,
    /// One may be.
    Near,
}

impl MemoryWatch {
    pub(in crate::runtime) fn new(head: StopContext, store: NonNull<c_void>) -> MemoryWatch {
        MemoryWatch {
            head,
            store,
            ranges: Vec::new(),
            bytes: Vec::new(),
            pages: Vec::new(),
            protected: false,
            quiet: false,
            stepped: [0; MAX_STEPPED],
            stepped_count: 0,
            fault: None,
            passed: 0,
            patience: 0,
        }
    }

    /// Whether a fault at what is not watched is passed, by a step of the instruction: else it is stopped at, so that
    /// who watches can look at what follows without faults. Async-signal-safe.
    pub(in crate::runtime) fn passes(&mut self) -> bool {
        self.passed += 1;
        let passes = self.passed <= self.patience;
        if !passes {
            self.passed = 0;
        }
        passes
    }

    /// What followed a fault that was stopped at has been looked at: whether there were accesses of these pages among
    /// it. Where there were none, the next such faults are passed: more of them each time.
    pub(in crate::runtime) fn looked(&mut self, found: bool) {
        self.patience = if found { 0 } else { (2 * self.patience + 1).min(MAX_PATIENCE) };
    }

    /// Forbids guests what is to be noticed, unless one goes on quietly.
    pub(in crate::runtime) fn protect(&mut self) -> Result<()> {
        if self.protected || self.quiet || self.ranges.is_empty() {
            return Ok(());
        }
        watching::prepare_thread()?;
        self.bytes.clear();
        self.pages.clear();
        for range in &self.ranges {
            // SAFETY: who watches keeps the memory.
            let memory = unsafe { range.memory.as_ref() }.vm();
            let base = memory.base as usize;
            let bytes = base + range.bytes.start..base + range.bytes.end.min(memory.len);
            let pages = bytes.start / PAGE_SIZE * PAGE_SIZE..bytes.end.next_multiple_of(PAGE_SIZE);
            let allowed = if range.reads { Allowed::Nothing } else { Allowed::Reading };
            self.bytes.push((bytes, range.reads));
            self.pages.push((pages, allowed));
        }
        self.pages.sort_by_key(|pages| pages.0.start);
        let mut joined: Vec<(Range<usize>, Allowed)> = Vec::with_capacity(self.pages.len());
        for (pages, allowed) in self.pages.drain(..) {
            match joined.last_mut() {
                Some((last, known)) if pages.start < last.end => {
                    last.end = last.end.max(pages.end);
                    if allowed == Allowed::Nothing {
                        *known = allowed;
                    }
                }
                _ => joined.push((pages, allowed)),
            }
        }
        self.pages = joined;
        self.protected = true;
        for index in 0..self.pages.len() {
            let (pages, allowed) = self.pages[index].clone();
            // SAFETY: pages of memories of the store, accessible.
            if !unsafe { watching::allow(pages, allowed) } {
                let error = watching::not_allowed();
                self.lift()?;
                return Err(error.context("a watched memory cannot be protected"));
            }
        }
        Ok(())
    }

    /// Allows everything again. Whether it was protected.
    pub(in crate::runtime) fn lift(&mut self) -> Result<bool> {
        if !std::mem::take(&mut self.protected) {
            return Ok(false);
        }
        self.stepped_count = 0;
        let mut refused: Option<Error> = None;
        for (pages, _) in &self.pages {
            // SAFETY: as above.
            if !unsafe { watching::allow(pages.clone(), Allowed::Everything) } {
                refused = Some(watching::not_allowed());
            }
        }
        match refused {
            None => Ok(true),
            Some(error) => Err(error.context("a watched memory cannot be made accessible again")),
        }
    }

    /// What a fault is of an access of so many bytes at most. Async-signal-safe.
    pub(in crate::runtime) fn look(&self, fault: &PageFault, width: usize) -> Found {
        if !self.protected || self.page_of(fault.address).is_none() {
            return Found::Elsewhere;
        }
        // It may have begun before the page, where nothing is watched.
        let accessed = fault.address..fault.address + width;
        let near = self.bytes.iter().any(|(bytes, reads)| {
            (fault.is_write || *reads) && bytes.start < accessed.end && accessed.start < bytes.end
        });
        if near { Found::Near } else { Found::Far }
    }

    fn page_of(&self, address: usize) -> Option<(Range<usize>, Allowed)> {
        let pages = self.pages.iter().find(|(pages, _)| pages.contains(&address))?;
        let page = address / PAGE_SIZE * PAGE_SIZE;
        Some((page..page + PAGE_SIZE, pages.1))
    }

    /// Makes the page of a fault accessible for one instruction; false where that cannot be. Async-signal-safe.
    pub(in crate::runtime) fn begin_step(&mut self, fault: &PageFault) -> bool {
        let Some((page, _)) = self.page_of(fault.address) else { return false };
        let Some(place) = self.stepped.get_mut(self.stepped_count) else { return false };
        *place = page.start;
        self.stepped_count += 1;
        // SAFETY: a page of a memory of the store.
        unsafe { watching::allow(page, Allowed::Everything) }
    }

    /// Protects again what was accessible for one instruction; false if nothing was. Async-signal-safe.
    pub(in crate::runtime) fn end_step(&mut self) -> bool {
        if self.stepped_count == 0 {
            return false;
        }
        for index in 0..std::mem::take(&mut self.stepped_count) {
            if let Some((page, allowed)) = self.page_of(self.stepped[index]) {
                // Refused, accesses are not seen until the guest is next left.
                // SAFETY: as above.
                unsafe { watching::allow(page, allowed) };
            }
        }
        true
    }
}
