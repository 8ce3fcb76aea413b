//! The references of an instance's own functions: each is made when somebody first asks for it, and stays where it is.
//! An instance of thousands of functions has room for those that are used, and a few beside each.

use crate::abi::VMFuncRef;
use crate::base::{DefinedFuncIndex, TypeId};
use crate::runtime::objects::owned::Owned;
use smallvec::SmallVec;
use std::ptr::{NonNull, null, null_mut};

/// So many functions have their references side by side.
const CHUNK: usize = 64;

/// References, of which those are made that were asked for.
#[derive(Default)]
pub(in crate::runtime) struct FuncRefs {
    /// By the functions' indices, in their order, so many in each; empty as long as none was asked for.
    chunks: SmallVec<[Option<Owned<[VMFuncRef]>>; 1]>,
    /// Those that are made, and where.
    made: Vec<(DefinedFuncIndex, NonNull<VMFuncRef>)>,
}

impl FuncRefs {
    /// The reference of a function, one of so many; `make` makes it, if there is none yet.
    pub(in crate::runtime) fn get_or_make(
        &mut self,
        func: DefinedFuncIndex,
        of: usize,
        make: impl FnOnce() -> VMFuncRef,
    ) -> NonNull<VMFuncRef> {
        assert!(func.index() < of);
        if self.chunks.is_empty() {
            self.chunks.resize_with(of.div_ceil(CHUNK), || None);
        }
        let (chunk, at) = (func.index() / CHUNK, func.index() % CHUNK);
        let none = || VMFuncRef { code: null(), vmctx: null_mut(), sig: TypeId::new(0), func: 0, above: null() };
        let refs = self.chunks[chunk].get_or_insert_with(|| {
            let len = CHUNK.min(of - chunk * CHUNK);
            Owned::new((0..len).map(|_| none()).collect::<Box<[_]>>())
        });
        let place = element(refs, at);
        // SAFETY: the place is ours, and no reference to it is held.
        unsafe {
            if (*place.as_ptr()).code.is_null() {
                place.write(make());
                self.made.push((func, place));
            }
        }
        place
    }

    /// How many there are.
    #[cfg(test)]
    pub(in crate::runtime) fn len(&self) -> usize {
        self.made.len()
    }

    /// All that were made.
    pub(in crate::runtime) fn iter(&self) -> impl Iterator<Item = (DefinedFuncIndex, NonNull<VMFuncRef>)> {
        self.made.iter().copied()
    }
}

fn element(refs: &Owned<[VMFuncRef]>, index: usize) -> NonNull<VMFuncRef> {
    assert!(index < refs.ptr().len());
    // SAFETY: just checked.
    unsafe { refs.ptr().cast::<VMFuncRef>().add(index) }
}
