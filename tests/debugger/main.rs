//! What a debugger sees and does, from attaching to core dumps: one program, which is linked once.

mod attach;
mod break_options;
mod breakpoints;
mod change;
mod core_dump;
mod coverage;
mod debug;
mod dwarf;
mod events;
mod exceptions;
mod expressions;
mod fuel;
mod guests;
mod inside;
mod later;
#[path = "../support/lines.rs"]
mod lines;
mod listeners;
mod listing;
#[path = "../common/locations.rs"]
mod locations;
mod names;
#[path = "../../examples/wast/replace.rs"]
mod replace;
mod resume;
#[path = "../support/smith.rs"]
mod smith;
mod source;
mod split;
mod split_dwarf;
mod steps;
mod tail_calls;
mod variables;
mod watch;
