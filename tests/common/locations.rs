//! Positions in the source as text, to compare with what another tool says.

use std::fmt::Write;
use stepwell::Location;

/// The places of one instruction, innermost first; `-` for none.
pub fn describe(locations: &[Location<'_>]) -> String {
    if locations.is_empty() {
        return "-".to_owned();
    }
    let mut text = String::new();
    for location in locations {
        let (function, file) = (location.function().unwrap_or("??"), location.file().unwrap_or("?"));
        write!(text, "{function} {file}:{}:{}; ", location.line(), location.column()).unwrap();
    }
    text.trim_end_matches("; ").to_owned()
}
