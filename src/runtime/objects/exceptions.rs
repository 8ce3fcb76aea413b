//! Tags, and the exceptions of a store. An exception that nobody has a reference to when it has been caught gives its
//! memory to the next one; the others are kept until they are collected.

use crate::abi::{VMContext, VMException, ValRaw};
use crate::base::{Error, ErrorKind, Result, TagIndex, TypeId, no_room};
use std::alloc::Layout;
use std::ptr::NonNull;

/// A tag. Two are the same if they are at the same address.
pub(in crate::runtime) struct TagData {
    /// A function's type: its parameters are what exceptions carry.
    pub(in crate::runtime) sig: TypeId,
    /// How many that are.
    pub(in crate::runtime) values: usize,
    /// The instance that defines it, and its index there.
    pub(in crate::runtime) owner: Option<(NonNull<VMContext>, TagIndex)>,
    /// Set during a collection, if it can be reached.
    pub(in crate::runtime) marked: bool,
}

/// The most bytes that the exceptions of a store take. A guest that keeps references to more of them before it returns,
/// when they can be collected, is left with an error.
const MAX_BYTES: usize = 1 << 30;

/// The exceptions of a store.
#[derive(Default)]
pub(in crate::runtime) struct Exceptions {
    all: Vec<NonNull<VMException>>,
    bytes: usize,
    /// The one that was caught last. Its values have been read when the next one is thrown.
    caught: Option<NonNull<VMException>>,
}

fn layout(values: usize) -> Layout {
    let size = size_of::<VMException>() + values * size_of::<ValRaw>();
    Layout::from_size_align(size, align_of::<VMException>()).expect("a tag has at most a thousand values")
}

/// The tag of an exception.
///
/// # Safety
/// It is live.
#[inline]
pub(in crate::runtime) unsafe fn tag_of(exception: NonNull<VMException>) -> NonNull<TagData> {
    // SAFETY: the caller's promise; exceptions are made with a tag.
    unsafe { NonNull::new_unchecked(exception.as_ref().tag.cast::<TagData>().cast_mut()) }
}

/// Where its values are.
#[inline]
pub(in crate::runtime) fn values_of(exception: NonNull<VMException>) -> *mut ValRaw {
    exception.as_ptr().cast::<u8>().wrapping_add(VMException::VALUES as usize).cast()
}

impl Exceptions {
    /// Each of them.
    pub(in crate::runtime) fn all(&self) -> impl Iterator<Item = NonNull<VMException>> + '_ {
        self.all.iter().copied()
    }

    /// How many there are.
    pub(in crate::runtime) fn len(&self) -> usize {
        self.all.len()
    }

    /// A new one, with these values.
    ///
    /// # Safety
    /// The tag is live, and so many values are there, of its types.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] where they take too much memory.
    pub(in crate::runtime) unsafe fn add(
        &mut self,
        tag: NonNull<TagData>,
        values: *const ValRaw,
    ) -> Result<NonNull<VMException>> {
        // SAFETY: the caller's promise.
        unsafe {
            let count = tag.as_ref().values;
            let exception = match self.take_caught(count) {
                Some(exception) => exception,
                None => self.allocate(count)?,
            };
            (*exception.as_ptr()).tag = tag.as_ptr().cast();
            values_of(exception).copy_from_nonoverlapping(values, count);
            Ok(exception)
        }
    }

    /// The one that was caught last, if nobody has a reference to it, and it is for so many values; one that is for
    /// others is given back.
    #[inline]
    fn take_caught(&mut self, count: usize) -> Option<NonNull<VMException>> {
        let last = self.caught.take()?;
        // SAFETY: it is live, and so is its tag.
        unsafe {
            if last.as_ref().kept != 0 {
                return None;
            }
            if tag_of(last).as_ref().values == count {
                return Some(last);
            }
            self.give_back(last);
        }
        None
    }

    fn allocate(&mut self, count: usize) -> Result<NonNull<VMException>> {
        let layout = layout(count);
        if self.bytes + layout.size() > MAX_BYTES {
            let message = format!("exceptions to which there are references take more than {MAX_BYTES} bytes");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let place = u32::try_from(self.all.len()).expect("each takes 16 bytes");
        // SAFETY: the size is not zero.
        let at =
            NonNull::new(unsafe { std::alloc::alloc(layout) }).ok_or_else(|| no_room(layout.size(), "an exception"))?;
        let exception = at.cast::<VMException>();
        // SAFETY: it is ours, and large enough.
        unsafe { exception.write(VMException { tag: std::ptr::null(), place, kept: 0 }) };
        self.all.push(exception);
        self.bytes += layout.size();
        Ok(exception)
    }

    /// # Safety
    /// It is one of these, with a tag that is live, and nobody uses it any more.
    unsafe fn give_back(&mut self, exception: NonNull<VMException>) {
        // SAFETY: the caller's promise.
        unsafe {
            let layout = layout(tag_of(exception).as_ref().values);
            let place = exception.as_ref().place as usize;
            self.all.swap_remove(place);
            if let Some(moved) = self.all.get(place) {
                (*moved.as_ptr()).place = place as u32;
            }
            self.bytes -= layout.size();
            std::alloc::dealloc(exception.as_ptr().cast(), layout);
        }
    }

    /// This one has been caught: it is the next one's if nobody says until then that there is a reference to it.
    pub(in crate::runtime) fn note_caught(&mut self, exception: NonNull<VMException>) {
        if let Some(before) = self.caught.replace(exception)
            && before != exception
            // SAFETY: it is live.
            && unsafe { before.as_ref() }.kept == 0
        {
            // SAFETY: as above, with its tag; and nobody has a reference to it.
            unsafe { self.give_back(before) };
        }
    }

    /// Takes out those that are not marked.
    ///
    /// # Safety
    /// All their tags are live, and nobody uses those that are not marked any more.
    pub(in crate::runtime) unsafe fn sweep(&mut self, marked: &[bool]) {
        self.caught = None;
        let gone: Vec<_> = self.all.iter().zip(marked).filter(|(_, marked)| !**marked).map(|(of, _)| *of).collect();
        for exception in gone {
            // SAFETY: the caller's promise.
            unsafe { self.give_back(exception) };
        }
        self.all.shrink_to_fit();
    }
}

impl Drop for Exceptions {
    fn drop(&mut self) {
        while let Some(last) = self.all.last() {
            // SAFETY: a store drops its exceptions before its tags.
            unsafe { self.give_back(*last) };
        }
    }
}
