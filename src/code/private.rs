//! A text of one store, and the steps by which it is patched: which pages to open, which to give back, what to write.
//! In which order they are taken, what should be armed, and what follows from a refusal is the affair of
//! [`edit`](super::edit).

use crate::abi::StopCell;
use crate::base::{Error, ErrorKind, Result, TextOffset};
use crate::image::{Cursor, ImageTables, Site, SiteId};
use crate::isa::{ARMED_BYTE, SITE_BYTES, SITE_NOP, armed_site};
use crate::sys::pages::PAGE_SIZE;
use crate::sys::text::{PrivateView, SwapError, TextBacking};
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::ops::Range;

use super::EngineCode;
use super::detours::{Change, Detours};
use super::pause::Listed;

/// Pages to be opened with fewer untouched ones between them are opened together.
const JOIN_GAP: usize = 8 * PAGE_SIZE;
/// More regions than this are opened as one.
const MAX_REGIONS: usize = 128;

/// A text that one store owns and may patch. It alone has what it takes; the only way to it is an edit of the store's
/// [`CodeRegistry`](super::CodeRegistry).
#[derive(Debug)]
pub struct PrivateText {
    /// That others may cover it. Before what they would cover.
    pub(super) listed: Option<Listed>,
    /// `None` for an empty text.
    view: Option<PrivateView>,
    len: u32,
    /// The system does not swap this text: stepping patches every site. It never does again.
    steps_in_place: bool,
    /// The system does not take single pages back: sites are cleared by writing. It never does again.
    keeps_pages: bool,
    /// What is not known of the own text.
    pub(super) behind: Behind,
    /// The pages that an edit has opened and not closed yet.
    open: Vec<Range<usize>>,
    detours: Detours,
}

/// Sites of an own text that may be other than the plan has them. There are some in the middle of an edit, and while
/// the step image is shown; when the own text is executed next, it is looked at them.
#[derive(Debug)]
pub(super) enum Behind {
    Sites(BTreeSet<u32>),
    /// All that there are.
    All,
}

impl Default for Behind {
    fn default() -> Self {
        Behind::Sites(BTreeSet::new())
    }
}

impl Behind {
    pub(super) fn add(&mut self, more: impl IntoIterator<Item = u32>) {
        if let Behind::Sites(sites) = self {
            sites.extend(more);
        }
    }
}

/// Pages of a text.
type Regions = SmallVec<[Range<usize>; 2]>;

/// Sites to switch, in text order, and what that means for pages.
#[derive(Debug, Default)]
pub(super) struct PatchWork {
    toggles: SmallVec<[u32; 4]>,
    /// Functions that get a detour or lose it, in text order.
    detours: SmallVec<[Change; 1]>,
    /// Regions to open for writing.
    open: Regions,
    /// Pages that are left without an armed site, to be given back.
    discard: Regions,
}

impl PatchWork {
    pub(super) fn is_empty(&self) -> bool {
        self.toggles.is_empty() && self.detours.is_empty()
    }
}

impl PrivateText {
    /// A private copy of `code` with `cell` behind it. Nothing is armed.
    pub(super) fn new(code: &EngineCode, cell: StopCell) -> Result<PrivateText> {
        let view = match code.text_len() {
            0 => None,
            _ => Some(code.private_view()?),
        };
        let mut text = PrivateText {
            listed: None,
            view,
            len: code.text_len(),
            steps_in_place: false,
            keeps_pages: false,
            behind: Behind::default(),
            open: Vec::new(),
            detours: Detours::default(),
        };
        text.set_cell(cell);
        Ok(text)
    }

    /// The address of its first byte; 0 for an empty text.
    pub(super) fn base(&self) -> usize {
        self.view.as_ref().map_or(0, PrivateView::base)
    }

    /// Bytes of the text.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn set_cell(&mut self, cell: StopCell) {
        if let Some(view) = &self.view {
            // SAFETY: the page behind the text is mapped read-write, aligned, and ours. Only this thread, which owns
            // the store, reads it: in a stop stub, and it is here instead.
            unsafe { view.cell_page().cast::<StopCell>().write(cell) };
        }
    }

    /// Whether the code that runs has this site armed.
    pub(super) fn is_armed(&self, tables: &ImageTables, site: SiteId) -> bool {
        let start = tables.site(site).after.get() - SITE_BYTES;
        self.view.as_ref().is_some_and(|view| is_armed_at(view, start as usize))
    }

    /// Whether the step image is shown.
    pub(super) fn shows_step_image(&self) -> bool {
        self.view.as_ref().is_some_and(PrivateView::shows_other)
    }

    /// Whether it can show a step image.
    pub(super) fn has_step_image(&self, tables: &ImageTables) -> bool {
        !tables.sites.is_empty() && !self.steps_in_place && self.view.as_ref().is_some_and(PrivateView::can_swap)
    }

    /// Has the step image executed, if it is to step and there is one to be had, and the own text otherwise. `false`:
    /// the system does not swap this text, which it now remembers; nothing changed. After an error nothing did, but
    /// that own sites may be lost.
    pub(super) fn show(&mut self, code: &EngineCode, steps: bool) -> Result<bool> {
        let shown = self.shows_step_image();
        let wanted = steps && (shown || self.has_step_image(code.tables()));
        let Some(view) = self.view.as_mut().filter(|_| shown != wanted) else {
            return Ok(true);
        };
        let mut done = true;
        if wanted && !view.has_other() {
            let image = code.step_image()?;
            done = image.backing() == TextBacking::Memfd;
            if done {
                view.map_other(image)?;
            }
        }
        done =
            done && view.show_other(wanted).map_err(|SwapError { error, .. }| error.context("switching stepping"))?;
        if !done && !wanted {
            return Err(Error::new(ErrorKind::System, "the system refuses to switch stepping off"));
        }
        self.steps_in_place |= !done;
        Ok(done)
    }

    /// What switching these sites (sorted) takes, and having these functions alone, by where they begin, go
    /// on at these addresses.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for too many detours.
    pub(super) fn plan_work(
        &mut self,
        tables: &ImageTables,
        toggles: SmallVec<[u32; 4]>,
        detours: impl Iterator<Item = (TextOffset, usize)>,
    ) -> Result<PatchWork> {
        let mut work = PatchWork::default();
        let Some(view) = &self.view else {
            return Ok(work);
        };
        if !view.shows_other() {
            work.detours = self.detours.changes(view, detours)?;
        }
        /// A page that toggles touch.
        struct Touched {
            page: usize,
            toggles: usize,
            arms: bool,
        }
        let mut touched: SmallVec<[Touched; 4]> = SmallVec::new();
        for site in rows(tables, &toggles) {
            let (start, end) = bounds(&site);
            let arms = !is_armed_at(view, start);
            for page in start / PAGE_SIZE..=(end - 1) / PAGE_SIZE {
                match touched.last_mut() {
                    Some(last) if last.page == page => {
                        last.toggles += 1;
                        last.arms |= arms;
                    }
                    _ => touched.push(Touched { page, toggles: 1, arms }),
                }
            }
        }
        // A detour is within a page, for it begins a function, and is never given back: few are ever made.
        for change in &work.detours {
            let page = change.start / PAGE_SIZE;
            match touched.binary_search_by_key(&page, |touched| touched.page) {
                Ok(at) => touched[at].arms = true,
                Err(at) => touched.insert(at, Touched { page, toggles: 0, arms: true }),
            }
        }
        let gives_back = view.can_discard() && !self.keeps_pages;
        for Touched { page, toggles, arms } in touched {
            let bytes = page * PAGE_SIZE..(page + 1) * PAGE_SIZE;
            // Sites do not overlap, so every armed one here is also in `toggles` if the numbers are the same.
            let given_back =
                gives_back && !arms && armed_in(view, tables, &bytes) == toggles && !self.detours.any_in(view, &bytes);
            if given_back {
                push(&mut work.discard, bytes, 0);
            } else {
                push(&mut work.open, bytes, JOIN_GAP);
            }
        }
        if work.open.len() > MAX_REGIONS {
            let all = work.open[0].start..work.open[work.open.len() - 1].end;
            work.open.clear();
            work.open.push(all);
        }
        work.toggles = toggles;
        Ok(work)
    }

    /// Opens what `work` writes to.
    pub(super) fn open(&mut self, work: &PatchWork) -> Result<()> {
        let Some(view) = &mut self.view else {
            return Ok(());
        };
        let context = |error: Error| error.context("opening machine code");
        if work.open.len() > 1 {
            let first = work.open[0].start;
            view.prepare_scattered_writes(first..first + PAGE_SIZE).map_err(context)?;
        }
        for region in &work.open {
            view.make_writable(region.clone()).map_err(context)?;
            self.open.push(region.clone());
        }
        Ok(())
    }

    /// Has what [`PrivateText::open`] opened executed as it was written. After an error some of it is, some shows what
    /// it did before, and some may be open.
    pub(super) fn close(&mut self) -> Result<()> {
        let Some(view) = &mut self.view else {
            return Ok(());
        };
        while let Some(region) = self.open.pop() {
            view.make_executable(region).map_err(|refusal| refusal.error)?;
        }
        Ok(())
    }

    /// Closes what is open, whatever was written to it. What stands elsewhere is let go.
    pub(super) fn shut(&mut self) {
        let Some(view) = &mut self.view else {
            return;
        };
        while let Some(region) = self.open.pop() {
            if !view.abandon(region.clone()) {
                // Should that be refused, the sites are those of the image, or the view is broken: both are looked at.
                view.make_executable(region).ok();
            }
        }
    }

    /// Puts the own text back, which was covered while a guest ran there: nothing of it is patched.
    pub(super) fn uncover(&mut self, code: &EngineCode) -> Result<()> {
        if let Some(view) = &mut self.view {
            view.restore_covered(code.image()?)?;
        }
        self.behind = Behind::All;
        Ok(())
    }

    /// Whether it has pages that the system does not let anybody execute any more.
    pub(super) fn is_broken(&self) -> bool {
        self.view.as_ref().is_some_and(PrivateView::is_broken)
    }

    /// Gives back the pages that are left without an armed site. `false`: the system does not take them
    /// all, which the text now remembers.
    pub(super) fn discard(&mut self, work: &PatchWork) -> bool {
        let Some(view) = &mut self.view else {
            return true;
        };
        let done = work.discard.iter().all(|region| view.discard(region.clone()));
        self.keeps_pages |= !done;
        done
    }

    /// Switches the sites and the detours of `work`, on the pages it opened. The others were given back.
    pub(super) fn patch(&mut self, tables: &ImageTables, work: &PatchWork) {
        let (Some(view), Some(stub)) = (&mut self.view, tables.stop_stub) else {
            return;
        };
        for change in &work.detours {
            // SAFETY: the pages of all detours in `work` were opened, each in one page.
            unsafe { view.write(change.start, &change.bytes) };
        }
        for site in rows(tables, &work.toggles) {
            let (start, end) = bounds(&site);
            // Which state it is in cannot be read from a page that was given back; but then it was armed.
            let arm = !is_discarded(work, start) && !is_armed_at(view, start);
            let bytes = match arm {
                true => armed_site(TextOffset::new(end as u32), stub),
                false => SITE_NOP,
            };
            // A site may straddle two pages, of which one is given back.
            let split = (start / PAGE_SIZE + 1) * PAGE_SIZE;
            for part in [start..end.min(split), end.min(split)..end] {
                if part.is_empty() || is_discarded(work, part.start) {
                    continue;
                }
                // SAFETY: the pages of all sites in `work` that are not given back were opened.
                unsafe {
                    view.write(part.start, &bytes[part.start - start..part.end - start]);
                }
            }
        }
    }
}

/// The bytes of a site.
fn bounds(site: &Site) -> (usize, usize) {
    let after = site.after.index();
    (after - SITE_BYTES as usize, after)
}

/// The rows of these sites. Neighbours are read once.
fn rows<'a>(tables: &'a ImageTables, sites: &'a [u32]) -> impl Iterator<Item = Site> + 'a {
    let mut cursor: Option<Cursor<Site>> = None;
    sites.iter().map(move |site| {
        let found = cursor.as_mut().is_some_and(|cursor| tables.sites.go_to(cursor, *site));
        if !found {
            cursor = tables.sites.cursor(*site);
        }
        cursor.as_ref().expect("plans are of sites that there are").row()
    })
}

/// Whether the site that starts here is armed.
fn is_armed_at(view: &PrivateView, start: usize) -> bool {
    view.may_differ(start) && view.byte(start) == ARMED_BYTE
}

/// How many armed sites have bytes in `range`.
fn armed_in(view: &PrivateView, tables: &ImageTables, range: &Range<usize>) -> usize {
    let from = tables.sites.first_from(range.start as u32 + 1).map_or(u32::MAX, |site| site.id());
    tables
        .sites
        .range(from, u32::MAX)
        .map(|site| site.after.index() - SITE_BYTES as usize)
        .take_while(|start| *start < range.end)
        .filter(|start| is_armed_at(view, *start))
        .count()
}

fn is_discarded(work: &PatchWork, at: usize) -> bool {
    let after = work.discard.partition_point(|region| region.start <= at);
    after.checked_sub(1).is_some_and(|i| at < work.discard[i].end)
}

/// Adds pages behind the last region, joining it when fewer than `gap` bytes are between.
fn push(regions: &mut Regions, bytes: Range<usize>, gap: usize) {
    match regions.last_mut() {
        Some(last) if bytes.start - last.end <= gap => last.end = bytes.end,
        _ => regions.push(bytes),
    }
}
