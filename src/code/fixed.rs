//! Machine code that belongs to no module's text: trampolines, and what runs regions again. It is one piece, entered at
//! its first byte, and nobody ever patches it, so all stores run the same.

use crate::base::{Pc, Result};
use crate::sys::pages::PAGE_SIZE;
use crate::sys::text::{ExecView, TextBacking, TextImage};

/// A piece of code, executable for as long as this is there.
#[derive(Debug)]
pub struct FixedCode {
    view: ExecView,
}

impl FixedCode {
    /// Maps `code`, which is not empty.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(mut code: Vec<u8>, backing: TextBacking) -> Result<FixedCode> {
        Ok(FixedCode { view: TextImage::with_backing(&mut code, backing)?.map_exec()? })
    }

    /// Where it is entered.
    pub fn entry(&self) -> Pc {
        Pc::new(self.view.base())
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the view is mapped and readable for as long as it is there, and never changes.
        unsafe { std::slice::from_raw_parts(self.view.base() as *const u8, self.view.len()) }
    }

    /// The bytes of memory that it takes: whole pages.
    pub fn mapped_bytes(&self) -> usize {
        self.view.len().next_multiple_of(PAGE_SIZE)
    }
}
