//! What the system was seen to refuse in this process: asked once, and done in another way from then on.

use std::sync::atomic::{AtomicBool, Ordering};

/// Set when the system turned out not to swap views (`MREMAP_DONTUNMAP` of a file mapping needs Linux 5.13).
static NO_SWAP: AtomicBool = AtomicBool::new(false);
/// Set when the system turned out not to make pages executable again that were writable (`PR_SET_MDWE`, a filter of a
/// service manager's): from then on, patched pages are made elsewhere and put in the place of the others.
static NO_FLIP: AtomicBool = AtomicBool::new(false);
/// Set when the system turned out not to tell what is behind pages (`PAGEMAP_SCAN` needs Linux 6.7, and `/proc`).
static NO_SCAN: AtomicBool = AtomicBool::new(false);
/// Set when the system turned out not to note who writes to pages (an asynchronous userfaultfd: Linux 6.7, and a
/// sandbox that lets us).
static NO_WATCH: AtomicBool = AtomicBool::new(false);

/// Whether the system was seen to refuse to swap views.
pub(super) fn swaps_refused() -> bool {
    NO_SWAP.load(Ordering::Relaxed)
}

/// It has refused it.
pub(super) fn note_swaps_refused() {
    NO_SWAP.store(true, Ordering::Relaxed);
}

/// Whether the system was seen to refuse to make written pages executable.
pub fn flips_refused() -> bool {
    NO_FLIP.load(Ordering::Relaxed)
}

/// It has refused it.
pub(super) fn note_flips_refused() {
    NO_FLIP.store(true, Ordering::Relaxed);
}

/// Takes it that the system allows it again.
pub(super) fn forget_flips_refused() {
    NO_FLIP.store(false, Ordering::Relaxed);
}

/// Whether the system was seen not to tell what is behind pages.
pub(super) fn scans_refused() -> bool {
    NO_SCAN.load(Ordering::Relaxed)
}

/// It does not tell.
pub(super) fn note_scans_refused() {
    NO_SCAN.store(true, Ordering::Relaxed);
}

/// Whether the system was seen not to note who writes to pages.
pub(super) fn watches_refused() -> bool {
    NO_WATCH.load(Ordering::Relaxed)
}

/// It does not.
pub(super) fn note_watches_refused() {
    NO_WATCH.store(true, Ordering::Relaxed);
}
