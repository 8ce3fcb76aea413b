//! Frames and their values as text, for what is printed while the guest runs. Names are shown as the source has them,
//! without what terminals take for commands.

use crate::values::text_of;
use std::fmt::Write;
use stepwell::base::LocalIndex;
use stepwell::debug::{Frame, Stop};
use stepwell::readable;

/// So many frames are printed at a stop.
const MOST_FRAMES: usize = 32;

/// The function's name; without one, `#` and its index.
pub fn func_name(frame: &Frame<'_>) -> String {
    match frame.func_name() {
        Some(name) => readable(name),
        None => format!("#{}", frame.func()),
    }
}

/// The frame's first `count` locals, by their names where they have some; else, if `numbered`, by their numbers.
pub fn locals(frame: &Frame<'_>, count: usize, between: &str, numbered: bool) -> String {
    let mut all = String::new();
    for (index, value) in frame.locals().iter().take(count).enumerate() {
        if index > 0 {
            all += between;
        }
        match frame.local_name(LocalIndex::new(index as u32)) {
            Some(name) => all += &format!("{}=", readable(name)),
            None if numbered => all += &format!("{index}="),
            None => {}
        }
        all += &text_of(value);
    }
    all
}

/// The frame's operands, the bottom one first.
pub fn operands(frame: &Frame<'_>) -> String {
    frame.operands().iter().map(text_of).collect::<Vec<_>>().join(" ")
}

/// The frames of a stop with their values, a few lines each.
pub fn frames(stop: &Stop<'_>) -> String {
    let mut all = String::new();
    let count = stop.frame_count();
    for (level, frame) in (0..count.min(MOST_FRAMES)).filter_map(|level| Some((level, stop.frame(level)?))) {
        // Writing to a string does not fail.
        let _ = writeln!(all, "  #{level} {}, offset {:#x}", func_name(&frame), frame.offset().get());
        let places = frame.locations();
        for (index, place) in places.iter().enumerate() {
            let _ = match place.function().filter(|_| index + 1 < places.len()) {
                Some(inlined) => writeln!(all, "      in {} at {place}, inlined", readable(inlined)),
                None => writeln!(all, "      at {place}"),
            };
        }
        if frame.local_count() > 0 {
            let _ = writeln!(all, "      locals: {}", locals(&frame, usize::MAX, " ", true));
        }
        if frame.operand_count() > 0 {
            let _ = writeln!(all, "      operands: {}", operands(&frame));
        }
    }
    if count > MOST_FRAMES {
        let _ = writeln!(all, "  ... and {} more", count - MOST_FRAMES);
    }
    all
}
