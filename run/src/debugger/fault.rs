//! Why a command was not done.

use std::fmt::Display;

/// Why a command was not done: what is said of it.
#[derive(Debug)]
pub struct Fault(pub String);

/// What may not be done.
pub type Outcome<T> = Result<T, Fault>;

impl Fault {
    /// A fault that says so.
    pub fn new(message: impl Display) -> Fault {
        Fault(message.to_string())
    }

    /// `Err` of one.
    pub fn err<T>(message: impl Display) -> Outcome<T> {
        Err(Fault::new(message))
    }
}

impl From<stepwell::Error> for Fault {
    fn from(error: stepwell::Error) -> Fault {
        Fault(error.to_string())
    }
}
