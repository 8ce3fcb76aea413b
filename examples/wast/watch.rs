//! How scripts are run.

use std::str::FromStr;

/// How scripts are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Optimised code, no debugger.
    Production,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Mode, String> {
        match text {
            "production" => Ok(Mode::Production),
            _ => Err(format!("unknown mode `{text}`")),
        }
    }
}
