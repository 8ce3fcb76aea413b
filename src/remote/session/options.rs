//! What the host chooses for a session.

/// What becomes of guests when their client is gone without a word. Its breakpoints go in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OnDisconnect {
    /// Those that stand go on.
    #[default]
    GoOn,
    /// Those that stand do so until there is another client; a trap is a stop meanwhile.
    Wait,
    /// Those that stand or run end with a trap; where none runs, the next one does.
    EndGuests,
}

/// What a session is to be like.
#[derive(Clone, Debug, Default)]
pub struct SessionOptions {
    /// Whether the first guest that is entered stands at its first instruction until a client has come and has it go
    /// on. A client that has come before finds it there.
    pub wait: bool,
    /// When a client is gone.
    pub on_disconnect: OnDisconnect,
}
