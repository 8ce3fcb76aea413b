//! Marking what can be reached. Whoever collects begins it, says what the roots are, and ends it. References that lead
//! out of the heap are told to whoever wants them.

use super::types::HeapType;
use super::{Heap, damaged};
use crate::abi::{
    ARRAY_ELEMENTS, ARRAY_LENGTH, EXTERN_OF_GUEST, HOST_SHIFT, HOST_TAG, I31_TAG, OBJECT_ALIGN, OBJECT_MARK,
    VMException, VMFuncRef, VMHeap,
};
use crate::base::Family;
use crate::isa;
use std::ptr::NonNull;

/// How many objects are on their way to the cache while others are looked at.
const AHEAD: usize = 8;

/// Who is told of references that lead out of the heap.
pub(in crate::runtime) trait Beyond {
    /// To a function.
    fn func(&mut self, func: NonNull<VMFuncRef>);
    /// To the host's value of this index.
    fn external(&mut self, index: u32);
    /// To an exception.
    fn exception(&mut self, exception: NonNull<VMException>);
}

/// Nobody: all that is not in the heap is kept.
impl Beyond for () {
    fn func(&mut self, _: NonNull<VMFuncRef>) {}
    fn external(&mut self, _: u32) {}
    fn exception(&mut self, _: NonNull<VMException>) {}
}

/// A collection that has begun.
pub(in crate::runtime) struct Marking<'h> {
    heap: &'h mut Heap,
}

impl Heap {
    /// Begins a collection: nothing is marked.
    pub(in crate::runtime) fn begin(&mut self, vm: &mut VMHeap) -> Marking<'_> {
        self.mark ^= OBJECT_MARK;
        self.blocks.begin(vm);
        self.due.clear();
        Marking { heap: self }
    }
}

impl Marking<'_> {
    /// Something has a reference of the family of `anyref`.
    #[inline]
    pub(in crate::runtime) fn any(&mut self, word: u32, beyond: &mut impl Beyond) {
        if word == 0 || word & I31_TAG != 0 {
            return;
        }
        if word & HOST_TAG != 0 {
            return beyond.external(word >> HOST_SHIFT);
        }
        self.heap.due.push(word);
    }

    /// Something has an external reference.
    #[inline]
    pub(in crate::runtime) fn external(&mut self, word: u64, beyond: &mut impl Beyond) {
        if word & EXTERN_OF_GUEST != 0 {
            self.any(word as u32, beyond);
        } else if let Some(index) = word.checked_sub(1) {
            beyond.external(index as u32);
        }
    }

    /// Marks what can be reached from what was said so far.
    pub(in crate::runtime) fn follow(&mut self, beyond: &mut impl Beyond) {
        // Objects wait here until they are in the cache: looking at one at once would be waiting for memory.
        let mut coming = [0u32; AHEAD];
        let (mut at, mut waiting) = (0, 0);
        loop {
            let next = match self.heap.due.pop() {
                Some(object) => {
                    if !self.heap.blocks.contains(object) || !object.is_multiple_of(OBJECT_ALIGN) {
                        damaged("no object is at", object);
                    }
                    isa::prefetch(self.heap.space.base().wrapping_add(object as usize));
                    waiting += 1;
                    object
                }
                None if waiting == 0 => return,
                None => 0,
            };
            let object = std::mem::replace(&mut coming[at], next);
            at = (at + 1) % AHEAD;
            if object != 0 {
                waiting -= 1;
                self.object(object, beyond);
            }
        }
    }

    /// Marks an object, and says what it has references to.
    #[inline]
    fn object(&mut self, object: u32, beyond: &mut impl Beyond) {
        let header = self.heap.header(object);
        if header & OBJECT_MARK == self.heap.mark {
            return;
        }
        let base = self.heap.space.base();
        // SAFETY: the offset was checked to be in a block, all of which is accessible.
        unsafe { base.add(object as usize).cast::<u32>().write(header ^ OBJECT_MARK) };
        // Its list of references is read while the list of what is due is written: neither is a part of the other.
        let ty: *const HeapType = self.heap.types.of(header);
        // SAFETY: nothing is defined during a collection.
        let ty = unsafe { &*ty };
        let length = if ty.is_array() { self.heap.word(object + ARRAY_LENGTH as u32) } else { 0 };
        let bytes = ty.size(length);
        if u64::from(object) + bytes > crate::abi::HEAP_RANGE
            || !self.heap.blocks.contains((u64::from(object) + bytes - 1) as u32)
        {
            damaged("an object is too long at", object);
        }
        self.heap.blocks.mark(object, bytes);
        let (first, step, count) = match ty.is_array() {
            true if ty.any().is_empty() && ty.others().is_empty() => return,
            true => (object + ARRAY_ELEMENTS, ty.element(), length),
            false => (object, 0, 1),
        };
        for index in 0..count {
            let from = base.wrapping_add((first + index * step) as usize);
            for at in ty.any() {
                // SAFETY: inside of the object, which is accessible; a field of a reference has its width.
                self.any(unsafe { from.wrapping_add(*at as usize).cast::<u32>().read() }, beyond);
            }
            for place in ty.others() {
                // SAFETY: as above.
                unsafe { self.other(from.wrapping_add(place.at as usize), place.family, beyond) };
            }
        }
    }

    /// Something in the heap has a reference of this family there.
    ///
    /// # Safety
    /// The place is accessible, and as wide as such a reference.
    unsafe fn other(&mut self, at: *const u8, family: Family, beyond: &mut impl Beyond) {
        // SAFETY: the caller's promise.
        unsafe {
            match family {
                Family::Any => self.any(at.cast::<u32>().read(), beyond),
                Family::Extern => self.external(at.cast::<u64>().read_unaligned(), beyond),
                Family::Func => {
                    if let Some(func) = NonNull::new(at.cast::<*mut VMFuncRef>().read_unaligned()) {
                        beyond.func(func);
                    }
                }
                Family::Exn => {
                    if let Some(exception) = NonNull::new(at.cast::<*mut VMException>().read_unaligned()) {
                        beyond.exception(exception);
                    }
                }
            }
        }
    }

    /// Ends the collection: what is not marked is free.
    pub(in crate::runtime) fn end(self) {
        let Heap { space, blocks, mark, .. } = self.heap;
        let (base, mark) = (space.base(), *mark);
        // SAFETY: large objects begin where their blocks do, and are accessible.
        blocks.end(|object| unsafe { base.add(object as usize).cast::<u32>().read() } & OBJECT_MARK == mark);
    }
}
