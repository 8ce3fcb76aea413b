//! The bytes that a module was made from. Of one that was loaded the contents of large data segments may stand where
//! memories map them from, and nowhere else: in an image. Where they stand in the Wasm are zeros then, so that
//! everything else is at the offset that it has. Nobody gets the bytes without saying which of them he reads.

use crate::sys::mapping::MemoryImage;
use crate::sys::sealed::SealedBytes;
use once_cell::sync::OnceCell;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// The bytes of a module.
pub(in crate::runtime) struct Binary {
    kept: Kept,
    /// In ascending order.
    left_out: Box<[LeftOut]>,
    /// All of it, where somebody wanted that and something is left out.
    whole: OnceCell<Box<[u8]>>,
}

enum Kept {
    /// A copy of what the host passed.
    Own(Box<[u8]>),
    /// These of a serialized module.
    Loaded(SealedBytes, Range<usize>),
}

/// What stands in an image, and not in the Wasm.
pub(in crate::runtime) struct LeftOut {
    /// Where it would be in the Wasm.
    pub(in crate::runtime) wasm: Range<usize>,
    /// The image.
    pub(in crate::runtime) image: Arc<MemoryImage>,
    /// Where it is in the image, in bytes from its start.
    pub(in crate::runtime) at: usize,
}

impl LeftOut {
    /// The bytes.
    pub(in crate::runtime) fn bytes(&self) -> &[u8] {
        &self.image.bytes()[self.at..self.at + self.wasm.len()]
    }
}

impl Binary {
    /// A copy of what the host passed.
    pub(in crate::runtime) fn own(bytes: &[u8]) -> Binary {
        Binary { kept: Kept::Own(bytes.into()), left_out: Box::default(), whole: OnceCell::new() }
    }

    /// The bytes at `range` of a file, but for what is left out: data segments, in ascending order.
    pub(in crate::runtime) fn loaded(file: SealedBytes, range: Range<usize>, left_out: Vec<LeftOut>) -> Binary {
        Binary { kept: Kept::Loaded(file, range), left_out: left_out.into(), whole: OnceCell::new() }
    }

    /// Whether it comes from a file.
    pub(in crate::runtime) fn is_loaded(&self) -> bool {
        matches!(self.kept, Kept::Loaded(..))
    }

    /// All of it that is no data, at its offsets: code, names, custom sections. Of data nothing is certain.
    pub(in crate::runtime) fn but_data(&self) -> &[u8] {
        match &self.kept {
            Kept::Own(bytes) => bytes,
            Kept::Loaded(file, range) => &file[range.clone()],
        }
    }

    /// The contents of the data segment that is at `range`.
    pub(in crate::runtime) fn data(&self, range: Range<usize>) -> &[u8] {
        let found = self.left_out.binary_search_by_key(&range.start, |left_out| left_out.wasm.start);
        match found.ok().map(|i| &self.left_out[i]).filter(|left_out| left_out.wasm == range) {
            Some(left_out) => left_out.bytes(),
            None => &self.but_data()[range],
        }
    }

    /// All of it. Where something was left out it is put together, and kept as long as the module.
    pub(in crate::runtime) fn whole(&self) -> &[u8] {
        match self.left_out.is_empty() {
            true => self.but_data(),
            false => self.whole.get_or_init(|| self.put_together().into()),
        }
    }

    /// All of it, to be written: nothing is kept.
    pub(in crate::runtime) fn to_write(&self) -> Cow<'_, [u8]> {
        match (self.left_out.is_empty(), self.whole.get()) {
            (true, _) => Cow::Borrowed(self.but_data()),
            (false, Some(whole)) => Cow::Borrowed(whole),
            (false, None) => Cow::Owned(self.put_together()),
        }
    }

    fn put_together(&self) -> Vec<u8> {
        // Zeros that stand for something are not read: that would have the system set memory aside for them.
        let bytes = self.but_data();
        let mut whole = Vec::with_capacity(bytes.len());
        for left_out in &self.left_out {
            whole.extend_from_slice(&bytes[whole.len()..left_out.wasm.start]);
            whole.extend_from_slice(left_out.bytes());
        }
        whole.extend_from_slice(&bytes[whole.len()..]);
        whole
    }
}
