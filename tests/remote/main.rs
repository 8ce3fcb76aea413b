//! Debugging from outside: the session, and the protocols on it. One program, which is linked once.

mod gdb;
mod session;
