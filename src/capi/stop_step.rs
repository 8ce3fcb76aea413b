//! What steps of a stop need besides their action: how many frames are left, where the guest is to run to.

use super::plumbing::guard::or_error;
use super::plumbing::handles::{stepwell_error_t, stepwell_stop_t};
use super::plumbing::own::Own;
use super::stop::{set_frames, set_offsets};
use crate::base::WasmOffset;

/// Says how many frames of the stop the action `STEPWELL_ACTION_STEP_OUT_OF` leaves: the guest then stops at the next
/// instruction of the frame of that index. 1 is what `STEPWELL_ACTION_STEP_OUT` leaves, 0 is
/// `STEPWELL_ACTION_STEP_OVER`. An error, and nothing changed, where there are not more frames than that.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_stop_step_out_of_set(
    stop: *mut stepwell_stop_t,
    frames: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_stop_step_out_of_set", || set_frames(stop, frames))
}

/// Says where the action `STEPWELL_ACTION_RUN_TO` ends: at an instruction of the innermost frame's function, by its
/// offset in bytes from the start of the module. It takes the place of what was said before. If the guest does not come
/// there, it stops at the next instruction of the caller. An error, and nothing changed, for an offset outside of the
/// function; one in the middle of an instruction is never come to.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_stop_run_to_offset_set(
    stop: *mut stepwell_stop_t,
    offset: usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_stop_run_to_offset_set", || {
        set_offsets(stop, |stop| {
            // What does not fit is no offset of any module.
            stop.offset_in_function(WasmOffset::new(u32::try_from(offset).unwrap_or(u32::MAX)))
        })
    })
}

/// Says where the action `STEPWELL_ACTION_RUN_TO` ends: wherever a statement of this line begins in the innermost
/// frame's function, of the file that its instruction is of. It takes the place of what was said before. An error, and
/// nothing changed, where the function has no code at that line.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_stop_run_to_line_set(stop: *mut stepwell_stop_t, line: u32) -> Own<stepwell_error_t> {
    or_error("stepwell_stop_run_to_line_set", || set_offsets(stop, |stop| stop.offsets_of_line(line)))
}
