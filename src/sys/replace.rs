//! Pages of machine code that take the place of others, without a page that was writable where it is executed: made in
//! a file of their own that is mapped over the old ones, or in a mapping of their own that is moved there. Until the
//! last step nothing has changed.

use super::system::SealedFile;
use super::text::{Mapping, TextBacking};
use crate::base::{Error, ErrorKind, Result};

/// Puts `bytes`, whole pages, executable in the place of those at `at`: in a `memfd` or in anonymous memory, whichever
/// is `wanted`, or in the other where that is refused. After an error the old ones stand.
///
/// # Safety
/// The range belongs to the caller, and no guest runs there.
pub(super) unsafe fn replace_pages(at: usize, bytes: &[u8], wanted: TextBacking) -> Result<()> {
    // SAFETY: the caller's promise.
    unsafe {
        let (first, second): (Way, Way) = match wanted {
            TextBacking::Memfd => (by_file, by_move),
            TextBacking::Anonymous => (by_move, by_file),
        };
        let Err(error) = first(at, bytes) else {
            return Ok(());
        };
        second(at, bytes).map_err(|_| error.context("putting machine code in the place of other"))
    }
}

type Way = unsafe fn(usize, &[u8]) -> Result<()>;

unsafe fn by_file(at: usize, bytes: &[u8]) -> Result<()> {
    let file = SealedFile::passing(bytes)?;
    let file = file.ok_or_else(|| Error::new(ErrorKind::System, "the system refuses a memfd"))?;
    // SAFETY: handed on to the caller of `replace_pages`.
    unsafe { file.map_executable_at(at, 0, bytes.len()) }
}

unsafe fn by_move(at: usize, bytes: &[u8]) -> Result<()> {
    let made = Mapping::of_code(bytes)?;
    // SAFETY: handed on to the caller of `replace_pages`.
    unsafe { made.move_to(at) }
}
