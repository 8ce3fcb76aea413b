//! Debugging from outside: the session, and the protocols on it. One program, which is linked once.

mod dap;
mod dap_client;
mod dap_rubbish;
mod gdb;
mod session;
