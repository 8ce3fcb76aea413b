//! Reading what is in the slots of a frame, where its image's tables say that they are.

use crate::base::DefinedFuncIndex;
use crate::image::{ImageTables, ShapeId, Slot};
use crate::runtime::store::slots::read_slot;

/// The state of a frame of `func` into `words`, as buffers of state have it: the locals, then the operands of a stack
/// of this shape, bottom first.
///
/// # Safety
/// The frame at `fp` is live, these are its tables, and its slots hold its state.
///
/// # Panics
/// If it takes more words.
pub(in crate::runtime) unsafe fn read_state(
    fp: usize,
    tables: &ImageTables,
    func: DefinedFuncIndex,
    shape: ShapeId,
    words: &mut [u64],
) {
    let locals = tables.locals_of(func);
    let mut end = 0;
    let narrow = locals.narrow();
    if let Some((types, at)) = narrow {
        let first = fp.wrapping_add_signed(at as isize) as *const u64;
        for (index, ty) in types.iter().enumerate() {
            // SAFETY: the caller's promise; each is a word, and they stand one behind the other.
            let word = unsafe { first.add(index).read_unaligned() };
            words[index] = if ty.width() == 4 { word & 0xffff_ffff } else { word };
        }
        end = types.len();
    }
    let mut put = |word: usize, slot: Slot| {
        // SAFETY: the caller's promise.
        let [low, high] = unsafe { read_slot(fp, slot) };
        words[word] = low;
        if slot.ty.is_wide() {
            words[word + 1] = high;
        }
    };
    if narrow.is_none() {
        for slot in locals.iter() {
            put(end, slot);
            end += slot.ty.words() as usize;
        }
    }
    for slot in tables.operands(shape) {
        end += slot.ty.words() as usize;
    }
    for slot in tables.operands(shape) {
        end -= slot.ty.words() as usize;
        put(end, slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{SlotLayout, TextOffset, ValType, WasmOffset};
    use crate::image::{FunctionEntry, Packed, Place, Point, Shape, Shapes, Tier};
    use crate::isa::SavedRegisters;

    const FUNC: DefinedFuncIndex = DefinedFuncIndex::new(0);

    /// A point of the only function of an image, with these locals from `locals_at` on and these operands, bottom
    /// first.
    fn image(locals: &[ValType], locals_at: i32, operands: &[Slot]) -> (ImageTables, Point) {
        let mut shapes = Shapes::new();
        let shape = operands
            .iter()
            .fold(ShapeId::EMPTY, |below, operand| shapes.push(Shape { below, top: *operand }).expect("few shapes"));
        let point = Point { wasm: WasmOffset::new(9), site: None, shape };
        let locals: SlotLayout = locals.iter().copied().collect();
        let function = FunctionEntry {
            start: TextOffset::new(0),
            len: 1,
            frame_size: 4096,
            locals: (0, locals.len() as u32),
            kept: 0,
            locals_at,
            points: (0, 1),
            vmctx: None,
            saved: SavedRegisters::NONE,
            arguments: 0,
            references_at: 0,
        };
        let tables = ImageTables {
            tier: Tier::Debug,
            regions: true,
            first: FUNC,
            functions: vec![function],
            traps: Packed::new(),
            addresses: Packed::new(),
            calls: Packed::new(),
            handlers: Packed::new(),
            safepoints: Packed::new(),
            locals,
            shapes,
            sites: Packed::new(),
            points: [point].into_iter().collect(),
            stop_stub: None,
        };
        (tables, point)
    }

    #[test]
    fn wide_slots_of_a_frame_are_read_whole() {
        let (i32, v128, reference) = (ValType::I32, ValType::V128, ValType::EXTERNREF);
        // The frame below its pointer, by words: operands, then locals, then something else.
        let frame: [u64; 9] = [0xb0, 0xb1, 0xb2, 0xa0, 0xa1_ffff_ffff, 0xa2, 0xa3, 0xa4, 0xff];
        let fp = (&raw const frame[8]).addr();
        let at = |word: i32| Place::Frame((word - 8) * 8);
        let operands = [
            Slot { ty: v128, place: at(0) },
            Slot { ty: reference, place: at(2) },
            // Told from the local.
            Slot { ty: v128, place: at(5) },
            Slot { ty: v128, place: Place::Constant(-2) },
            Slot { ty: i32, place: Place::Constant(-2) },
        ];
        let (tables, point) = image(&[reference, i32, v128, ValType::F64], -40, &operands);
        let local = |index| tables.locals_of(FUNC).get(index).unwrap();
        assert_eq!([0, 1, 2, 3].map(|index| local(index).place), [at(3), at(4), at(5), at(7)]);

        // SAFETY: all slots are in the array that stands for the frame.
        let read = |slot| unsafe { read_slot(fp, slot) };
        assert_eq!(read(local(1)), [0xffff_ffff, 0], "of a narrow value the rest is nothing");
        assert_eq!(read(local(2)), [0xa2, 0xa3]);
        let mut words = [7; 14];
        // SAFETY: as above.
        unsafe { read_state(fp, &tables, FUNC, point.shape, &mut words[1..]) };
        let minus_2 = -2_i64 as u64;
        let locals = [0xa0, 0xffff_ffff, 0xa2, 0xa3, 0xa4];
        let operands = [0xb0, 0xb1, 0xb2, 0xa2, 0xa3, minus_2, u64::MAX];
        assert_eq!(words, [&[7][..], &locals, &operands, &[0xffff_fffe]].concat()[..]);
        // SAFETY: as above.
        let roots: Vec<u64> = tables.roots(FUNC, point).map(|slot| unsafe { read_slot(fp, slot) }[0]).collect();
        assert_eq!(roots, [0xa0, 0xb2]);
    }

    #[test]
    fn each_root_is_told_once_and_nothing_else() {
        let (reference, function) = (ValType::EXTERNREF, ValType::FUNCREF);
        let operands = [
            // Told from the second local, twice.
            Slot { ty: reference, place: Place::Frame(-80) },
            Slot { ty: reference, place: Place::Frame(-80) },
            // Null.
            Slot { ty: reference, place: Place::Constant(0) },
            Slot { ty: ValType::I64, place: Place::Frame(-200) },
            Slot { ty: function, place: Place::Frame(-208) },
            Slot { ty: ValType::V128, place: Place::Frame(-224) },
            // Beside the locals, on either side.
            Slot { ty: reference, place: Place::Frame(-104) },
            Slot { ty: reference, place: Place::Frame(-64) },
        ];
        // At -96, -80 and -72.
        let (tables, point) = image(&[ValType::V128, reference, function], -96, &operands);
        let roots: Vec<(ValType, Place)> = tables.roots(FUNC, point).map(|slot| (slot.ty, slot.place)).collect();
        let at = Place::Frame;
        let locals = [(reference, at(-80)), (function, at(-72))];
        let operands = [(reference, at(-64)), (reference, at(-104)), (function, at(-208))];
        assert_eq!(roots, [&locals[..], &operands].concat());
        let nothing = Point { shape: ShapeId::EMPTY, ..point };
        assert_eq!(tables.roots(FUNC, nothing).count(), 2);
        assert_eq!(tables.roots(DefinedFuncIndex::new(1), nothing).count(), 0, "a function that is not there");
    }
}
