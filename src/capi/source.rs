//! `stepwell_source_t`: where in the source an instruction is, from a module's DWARF.

use super::plumbing::own::Out;
use crate::base::Result;
use crate::dwarf::Location;
use std::ffi::{CStr, c_char};

/// A place in the source, as a module's DWARF sections have it (a compiler writes them with `-g`). The strings are
/// UTF-8, NUL-terminated and borrowed: they live as long as the module, that is, as any handle of it or of an instance
/// of it, and are never deleted.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct stepwell_source_t {
    /// The file's path as the compiler was given it, with the directory where that was relative; NULL where it is not
    /// known.
    pub file: *const c_char,
    /// The function as the source names it; NULL where that is not known. Of an inlined function, its own name.
    pub function: *const c_char,
    /// The line, from 1; 0 where it is not known.
    pub line: u32,
    /// The column, from 1; 0 where it is not known.
    pub column: u32,
}

impl stepwell_source_t {
    /// A place, or one of which nothing is known.
    pub(super) fn of(location: Option<&Location<'_>>) -> Self {
        let unknown = stepwell_source_t { file: std::ptr::null(), function: std::ptr::null(), line: 0, column: 0 };
        location.map_or(unknown, Self::new)
    }

    fn new(location: &Location<'_>) -> Self {
        let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
        stepwell_source_t {
            file: pointer(location.file_c()),
            function: pointer(location.function_c()),
            line: location.line(),
            column: location.column(),
        }
    }
}

/// Writes one of an instruction's places, if there is one.
///
/// # Safety
/// `out` is NULL or C's.
pub(super) unsafe fn write_source(
    locations: &[Location<'_>],
    index: usize,
    out: *mut stepwell_source_t,
) -> Result<bool> {
    let out = Out::plain(out).check("out")?;
    let Some(location) = locations.get(index) else { return Ok(false) };
    // SAFETY: by the contract.
    unsafe { out.write(stepwell_source_t::new(location)) };
    Ok(true)
}
