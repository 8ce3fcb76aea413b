//! The mappings of memories, of one store or of several: how long they are, where they come from, and what is said
//! where there is none. What a memory is, nothing here knows.

use crate::base::{Error, ErrorKind, Result};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::compiled::log::Fallbacks;
use crate::sys::mapping::{MemoryImage, MemoryMapping};
use crate::sys::pages::round_up_to_page;
use crate::wasm::MemoryType;
use std::sync::Arc;

/// A mapping with room for `capacity` bytes and a guard, of which the first `len` show the image, if there is one, and
/// zeros.
pub(super) fn map(
    engine: &Engine,
    capacity: usize,
    len: usize,
    image: Option<&Arc<MemoryImage>>,
) -> Result<MemoryMapping> {
    let reserved = capacity.saturating_add(engine.config().memory_guard as usize);
    // What is too much to round up is too much to reserve, and refused there.
    let whole = |bytes: usize| round_up_to_page(bytes).unwrap_or(bytes);
    let mapping = engine.pool().take(whole(reserved), whole(len), image)?;
    if mapping.is_copied() {
        engine.fell_back(Fallbacks::COPIED_DATA, || {
            "the process has closed a file descriptor that holds a module's data; it is copied for each instance; do not \
             close descriptors that you did not open"
                .to_owned()
        });
    }
    Ok(mapping)
}

/// How many bytes so many pages are, if a process has address space for that.
pub(super) fn length(ty: &MemoryType, pages: u64) -> Option<usize> {
    let bytes = usize::try_from(ty.bytes(pages)?).ok()?;
    (bytes <= isize::MAX as usize).then_some(bytes)
}

#[cold]
pub(super) fn too_large(ty: &MemoryType) -> Error {
    let (pages, most) = (ty.limits.min, ty.possible_pages().min(isize::MAX as u64 / ty.page_size.bytes()));
    Error::new(ErrorKind::Limit, format!("a memory of {pages} pages is larger than the {most} that are possible"))
}

#[cold]
pub(super) fn no_room_for(ty: &MemoryType) -> String {
    format!("a memory of {} bytes", ty.least_bytes())
}
