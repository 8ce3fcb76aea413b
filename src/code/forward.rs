//! Texts whose functions are all called elsewhere: copies of shared texts, for frames that go on in them. The code in
//! a copy is what it was, at other addresses, but for the first bytes of each function. These are a jump, by a pointer
//! behind the text, to where the function of the same index begins in another text of the store. So who is in such a
//! copy calls nothing in it, and nobody else comes there.
//!
//! Nothing is patched: the copy is made with the jumps, once for all stores of an engine, and each store has pointers
//! of its own.
//!
//! No frame goes on inside of the bytes of a jump. It waits for a call, and a function that calls has a frame head and
//! a look at the stack in front, which are longer; no branch goes back there.

use super::engine::EngineCode;
use crate::base::{Error, ErrorKind, Pc, Result, TextOffset};
use crate::image::ImageTables;
use crate::isa::{DETOUR_BYTES, MAX_DISTANCE, PAGE_SIZE, detour};
use crate::sys::text::ExecView;

/// The copy of a text, in one store.
#[derive(Debug)]
pub struct ForwardingText {
    view: ExecView,
    len: u32,
}

impl ForwardingText {
    /// A copy of `code`, whose functions go on where `target` says.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for a text whose end its jumps do not reach; what mapping it said.
    pub(super) fn new(code: &EngineCode, target: impl Fn(usize) -> Pc) -> Result<ForwardingText> {
        let pointers = code.tables().functions.len();
        let view = code.forwarding_image()?.map_exec_with(pointers * size_of::<usize>())?;
        let text = ForwardingText { view, len: code.text_len() };
        for index in 0..pointers {
            // SAFETY: the pages behind the text are mapped read-write and ours, and there is room for so many.
            unsafe { text.view.behind().cast::<usize>().add(index).write(target(index).get()) };
        }
        Ok(text)
    }

    /// The address of its first byte.
    pub(super) fn base(&self) -> usize {
        self.view.base()
    }

    /// Bytes of the text that it is a copy of.
    pub(super) fn len(&self) -> u32 {
        self.len
    }
}

/// Puts the jumps into a text.
///
/// # Errors
/// [`ErrorKind::Limit`] for a text whose end they do not reach.
pub(super) fn put_jumps(text: &mut Vec<u8>, tables: &ImageTables) -> Result<()> {
    let end = |start: TextOffset| start.index() + DETOUR_BYTES as usize;
    // A last function may be shorter; what fills its page is not.
    let last = tables.functions.iter().map(|function| end(function.start)).max().unwrap_or(0);
    if text.len() < last {
        text.resize(last, crate::isa::FILL);
    }
    let padded = text.len().next_multiple_of(PAGE_SIZE);
    let pointers = tables.functions.len() * size_of::<usize>();
    if padded + pointers > MAX_DISTANCE as usize {
        return Err(Error::new(ErrorKind::Limit, "the module's code is too large to be left while guests run in it"));
    }
    for (index, function) in tables.functions.iter().enumerate() {
        let pointer = padded + index * size_of::<usize>();
        text[function.start.index()..end(function.start)].copy_from_slice(&detour(function.start, pointer as u32));
    }
    Ok(())
}
