//! How the program ends where the guest's own exit status does not say it, and how messages are written. It knows
//! nothing of guests.

use std::fmt::Display;
use std::io::Write;
use stepwell::base::printable;

/// The command line is wrong.
pub const USAGE: i32 = 2;
/// Something went wrong that is neither the guest's doing nor the command line's.
pub const FAILURE: i32 = 1;
/// The guest's time or its fuel is up: as of `timeout`.
pub const LIMIT: i32 = 124;
/// The module is there, and cannot be run: no module, not valid, imports missing.
pub const NOT_RUN: i32 = 126;
/// There is no such file.
pub const NOT_FOUND: i32 = 127;
/// The guest trapped: as of a program that aborts.
pub const TRAP: i32 = 134;

/// Why the program ends early, and with which exit status. All has been said but `message`.
pub struct Ending {
    /// The exit status.
    pub code: i32,
    /// What is still to be said.
    pub message: Option<String>,
}

/// What ends early.
pub type Run<T> = Result<T, Ending>;

impl Ending {
    /// An end with a message.
    pub fn new(code: i32, message: impl Display) -> Ending {
        Ending { code, message: Some(message.to_string()) }
    }

    /// An end of which everything has been said.
    pub fn silent(code: i32) -> Ending {
        Ending { code, message: None }
    }

    /// Says what is still to be said.
    pub fn say(&self) {
        if let Some(message) = &self.message {
            say(message);
        }
    }
}

/// Ends the program where something has failed.
pub trait OrEnd<T> {
    /// The value, or the end: `doing: what was wrong`.
    fn or_end(self, code: i32, doing: impl Display) -> Run<T>;
}

impl<T, E: Display> OrEnd<T> for Result<T, E> {
    fn or_end(self, code: i32, doing: impl Display) -> Run<T> {
        self.map_err(|error| Ending::new(code, format_args!("{doing}: {error}")))
    }
}

/// What the system says of an error, without its number.
pub fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Writes a line to standard error, behind the program's name. What terminals take for commands is escaped.
pub fn say(text: impl Display) {
    write_error(&format!("stepwell-run: {text}\n"));
}

/// Writes text to standard error, behind what was written to standard output so far.
pub fn write_error(text: &str) {
    // Where nobody listens there is nobody to tell.
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().write_all(printable(text.to_owned()).as_bytes());
}
