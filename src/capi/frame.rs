//! `wasm_frame_t`: a Wasm frame of a trap.

use super::bytes::lend_name;
use super::plumbing::guard::{or_abort, or_null};
use super::plumbing::handles::{wasm_frame_t, wasm_instance_t};
use super::plumbing::own::{Own, borrow, handle, lend, null};
use super::plumbing::trap_object::FrameObject;
use super::source::{stepwell_source_t, write_source};
use std::ffi::c_char;

handle!(wasm_frame_t => FrameObject);

/// Deletes a frame. NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_delete(frame: Own<wasm_frame_t>) {
    // SAFETY: C gives it back.
    unsafe { frame.delete("wasm_frame_delete", "frame") }
}

/// A copy that is owned on its own. NULL for NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_copy(frame: *const wasm_frame_t) -> Own<wasm_frame_t> {
    // SAFETY: C passes a live frame or NULL.
    or_null("wasm_frame_copy", || Ok(Own::new(unsafe { borrow(frame, "frame") }?.clone())))
}

/// The frame's instance, borrowed from the frame; NULL where it is not known: production code does not keep it in
/// frames, so with several instances of one module it is not. NULL too where it is not one of the trap's store: a host
/// function may have returned a trap that another store's guest had come to.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_instance(frame: *const wasm_frame_t) -> *mut wasm_instance_t {
    or_null("wasm_frame_instance", || {
        // SAFETY: C passes a live frame or NULL.
        let instance = unsafe { borrow(frame, "frame") }?.instance.as_deref();
        Ok(instance.map_or(std::ptr::null_mut(), |object| lend::<wasm_instance_t>(object).cast_mut()))
    })
}

/// The index of the frame's function in its module, imports counted.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_func_index(frame: *const wasm_frame_t) -> u32 {
    // SAFETY: C passes a live frame or NULL.
    or_abort("wasm_frame_func_index", || Ok(unsafe { borrow(frame, "frame") }?.info.func().get()))
}

/// The byte offset of the instruction from the start of the function's body.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_func_offset(frame: *const wasm_frame_t) -> usize {
    // SAFETY: C passes a live frame or NULL.
    or_abort("wasm_frame_func_offset", || Ok(unsafe { borrow(frame, "frame") }?.info.func_offset() as usize))
}

/// The byte offset of the instruction from the start of the module: the one that trapped, or the call the frame is in.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_frame_module_offset(frame: *const wasm_frame_t) -> usize {
    // SAFETY: C passes a live frame or NULL.
    or_abort("wasm_frame_module_offset", || Ok(unsafe { borrow(frame, "frame") }?.info.offset().get() as usize))
}

/// The name of a trap frame's function; NULL if it has none. Borrowed: valid while the frame is, and as
/// `stepwell_module_name`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_trap_frame_func_name(
    frame: *const wasm_frame_t,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_trap_frame_func_name", || {
        // SAFETY: C passes a live frame or NULL.
        let info = &unsafe { borrow(frame, "frame") }?.info;
        // SAFETY: `size_out` is C's.
        Ok(unsafe { lend_name(info.module(), info.func_name(), size_out) })
    })
}

/// The name of a trap frame's module; NULL if it has none. Borrowed: valid while the frame is, and as
/// `stepwell_module_name`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_trap_frame_module_name(
    frame: *const wasm_frame_t,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_trap_frame_module_name", || {
        // SAFETY: C passes a live frame or NULL.
        let info = &unsafe { borrow(frame, "frame") }?.info;
        // SAFETY: `size_out` is C's.
        Ok(unsafe { lend_name(info.module(), info.module_name(), size_out) })
    })
}

/// How many places a trap frame's instruction has in the source: as `stepwell_module_source_count`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_trap_frame_source_count(frame: *const wasm_frame_t) -> usize {
    // SAFETY: C passes a live frame or NULL.
    or_abort("stepwell_trap_frame_source_count", || Ok(unsafe { borrow(frame, "frame") }?.info.locations().len()))
}

/// Writes where in the source a trap frame's instruction is to `out`: as `stepwell_module_source`. The strings live as
/// long as the frame at least.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_trap_frame_source(
    frame: *const wasm_frame_t,
    index: usize,
    out: *mut stepwell_source_t,
) -> bool {
    or_null("stepwell_trap_frame_source", || {
        // SAFETY: C passes a live frame or NULL, and `out` is C's.
        unsafe { write_source(&borrow(frame, "frame")?.info.locations(), index, out) }
    })
}

/// Writes a name as people are to see it to `out`, which has room for `capacity` bytes: demangled, if a compiler of
/// Rust or C++ has mangled it, and with control characters, line ends and marks of direction escaped, so that it does
/// nothing to a terminal or a log. `name` has `size` bytes, UTF-8 or not; functions that give names give them as the
/// module has them. Backtraces and messages are written so already.
///
/// Returns how long the whole is, without the NUL behind it: where that is not below `capacity`, what is written is cut
/// off between two characters, and still ends in a NUL. With a `capacity` of 0, nothing is written, and `out` may be
/// NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_name_to_show(
    name: *const c_char,
    size: usize,
    out: *mut c_char,
    capacity: usize,
) -> usize {
    or_abort("stepwell_name_to_show", || {
        let bytes = match (name.is_null(), size) {
            (true, 0) => &[][..],
            (true, _) => return Err(null("name")),
            // SAFETY: C passes this many bytes.
            (false, _) => unsafe { std::slice::from_raw_parts(name.cast::<u8>(), size) },
        };
        let shown = crate::wasm::readable(&String::from_utf8_lossy(bytes));
        if capacity > 0 {
            if out.is_null() {
                return Err(null("out"));
            }
            let cut = &shown[..shown.floor_char_boundary(capacity - 1)];
            // SAFETY: C has room for `capacity` bytes there, of which these are the first, and the NUL behind them the
            // last.
            unsafe {
                out.cast::<u8>().copy_from_nonoverlapping(cut.as_ptr(), cut.len());
                out.add(cut.len()).write(0);
            }
        }
        Ok(shown.len())
    })
}
