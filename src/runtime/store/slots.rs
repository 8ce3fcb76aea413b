//! Words in frames of guest code, read where the tables of the code say that they are. Nothing of a store is used here.

use crate::abi::VMContext;
use crate::image::{Place, Slot};
use crate::runtime::objects::handles::Instance;
use crate::runtime::objects::instance::InstanceData;
use crate::runtime::objects::owned::StoreId;
use std::ptr::NonNull;

/// The instance of a frame of this store that keeps its vmctx so many bytes from its frame pointer.
///
/// # Safety
/// The frame at `fp` is live, is set up, and is of debug code that keeps it there.
#[inline]
pub(in crate::runtime) unsafe fn instance_in(store: StoreId, fp: usize, offset: i32) -> Option<Instance> {
    // SAFETY: the caller's promise.
    let data = unsafe {
        let vmctx = *(fp.wrapping_add_signed(offset as isize) as *const *const VMContext);
        (*vmctx).instance.cast::<InstanceData>()
    };
    Some(Instance::from_parts(store, NonNull::new(data)?))
}

/// What a slot of a frame holds: its words, of which a narrow value has one.
///
/// # Safety
/// The frame at `fp` is live, and its tables place the slot in it.
#[inline(always)]
pub(in crate::runtime) unsafe fn read_slot(fp: usize, slot: Slot) -> [u64; 2] {
    let width = slot.ty.width();
    match slot.place {
        Place::Frame(offset) => {
            let at = fp.wrapping_add_signed(offset as isize) as *const u64;
            // SAFETY: the caller's promise; slots are whole words, one or two. No more is read than was written: a
            // processor waits for a read of which a part was written just now.
            unsafe {
                match width {
                    4 => [u64::from(at.cast::<u32>().read_unaligned()), 0],
                    16 => [at.read_unaligned(), at.add(1).read_unaligned()],
                    _ => [at.read_unaligned(), 0],
                }
            }
        }
        Place::Constant(value) => {
            let extended = i64::from(value);
            match width {
                4 => [u64::from(extended as u32), 0],
                16 => [extended as u64, (extended >> 63) as u64],
                _ => [extended as u64, 0],
            }
        }
    }
}
