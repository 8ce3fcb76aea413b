//! Detours: functions of a private text that go on, from their first instruction, in code of their own. The bytes there
//! become a jump to where a pointer in the text's cell page leads, so they are the same wherever texts are, and to
//! change where it leads takes a write to that page alone.
//!
//! A guest is never inside these bytes when they are written: no call returns there, and no site is among them. The
//! step image has none: while it is shown, functions are themselves.

use crate::abi::StopCell;
use crate::base::{Error, ErrorKind, Result, TextOffset};
use crate::isa::{DETOUR_BYTE, DETOUR_BYTES, PAGE_SIZE, detour};
use crate::sys::text::PrivateView;
use smallvec::SmallVec;

/// Where the pointers begin in the cell page, and how many there is room for.
const FIRST: usize = size_of::<StopCell>();
const MOST: usize = (PAGE_SIZE - FIRST) / size_of::<usize>();

/// The functions of a text that have, or had, a detour: each has its pointer for as long as the text is there.
#[derive(Debug, Default)]
pub(super) struct Detours(Vec<Known>);

#[derive(Debug)]
struct Known {
    /// Where the function begins.
    start: usize,
    /// What stands there otherwise.
    original: [u8; DETOUR_BYTES as usize],
    /// Whether it is to have one.
    wanted: bool,
}

/// A function at whose start something else is to stand.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) start: usize,
    pub(super) bytes: [u8; DETOUR_BYTES as usize],
}

impl Detours {
    /// What has to be written for these functions, by where they begin, to go on at these addresses, and for all others
    /// to be themselves. The pointers are written here.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for more functions than there is room for.
    pub(super) fn changes(
        &mut self,
        view: &PrivateView,
        wanted: impl Iterator<Item = (TextOffset, usize)>,
    ) -> Result<SmallVec<[Change; 1]>> {
        let mut changes: SmallVec<[Change; 1]> = SmallVec::new();
        self.0.iter_mut().for_each(|known| known.wanted = false);
        for (start, target) in wanted {
            let at = start.index();
            let index = match self.0.iter().position(|known| known.start == at) {
                Some(index) => index,
                None if self.0.len() == MOST => {
                    let message = format!("more than {MOST} functions of a module have code of their own");
                    return Err(Error::new(ErrorKind::Limit, message));
                }
                None => {
                    let original = std::array::from_fn(|byte| view.byte(at + byte));
                    self.0.push(Known { start: at, original, wanted: true });
                    self.0.len() - 1
                }
            };
            self.0[index].wanted = true;
            let pointer = FIRST + index * size_of::<usize>();
            // SAFETY: the page is mapped read-write and ours, and there is room for so many pointers behind the stop
            // cell. Only this thread, which owns the store, reads it: in a detour, and it is here instead.
            unsafe { view.cell_page().add(pointer).cast::<usize>().write(target) };
            if !stands(view, at) {
                changes.push(Change { start: at, bytes: detour(start, (view.padded_len() + pointer) as u32) });
            }
        }
        // After an edit that failed some may stand that the plan has never had.
        let gone = self.0.iter().filter(|known| !known.wanted && stands(view, known.start));
        changes.extend(gone.map(|known| Change { start: known.start, bytes: known.original }));
        changes.sort_unstable_by_key(|change| change.start);
        Ok(changes)
    }

    /// Whether a function that begins between these bytes has one now.
    pub(super) fn any_in(&self, view: &PrivateView, bytes: &std::ops::Range<usize>) -> bool {
        self.0.iter().any(|known| bytes.contains(&known.start) && stands(view, known.start))
    }
}

/// Whether a detour stands where a function begins.
fn stands(view: &PrivateView, start: usize) -> bool {
    view.may_differ(start) && view.byte(start) == DETOUR_BYTE
}
