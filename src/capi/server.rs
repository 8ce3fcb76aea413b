//! `stepwell_server_t`: a store that debuggers of other programs come to.

use super::bytes::byte_t;
use super::module;
use super::plumbing::cell::StoreCell;
use super::plumbing::guard::{or_abort, or_error, or_last_error, or_null};
use super::plumbing::handles::{
    stepwell_error_t, stepwell_serve_options_t, stepwell_server_t, wasm_module_t, wasm_store_t,
};
use super::plumbing::own::{Out, Own, borrow, borrow_mut, bytes, handle, string};
use crate::base::{Error, ErrorKind, Result};
use crate::remote::session::{OnDisconnect, Outcome, OutputStream};
use crate::remote::{Listen, Protocol, ServeOptions, Server};
use crate::sys::files::duplicate;
use crate::sys::signals::without_pipe_signal;
use std::ffi::{CString, c_char};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What debuggers speak, one of `enum stepwell_protocol_enum`.
pub type stepwell_protocol_t = i32;

/// What debuggers speak.
#[repr(C)]
pub enum stepwell_protocol_enum {
    /// gdb's remote protocol with what LLDB adds for WebAssembly.
    STEPWELL_PROTOCOL_GDB = 0,
    /// The Debug Adapter Protocol, which editors speak.
    STEPWELL_PROTOCOL_DAP = 1,
}

/// What becomes of guests when their debugger is gone without a word, one of `enum stepwell_on_disconnect_enum`.
pub type stepwell_on_disconnect_t = i32;

/// What becomes of guests when their debugger is gone without a word. What it has set goes in any case.
#[repr(C)]
pub enum stepwell_on_disconnect_enum {
    /// Those that stand go on.
    STEPWELL_ON_DISCONNECT_GO_ON = 0,
    /// Those that stand do so until another one comes; a trap is a stop meanwhile.
    STEPWELL_ON_DISCONNECT_WAIT = 1,
    /// Those that stand or run end with a trap; where none runs, the next one does.
    STEPWELL_ON_DISCONNECT_END_GUESTS = 2,
}

/// Where output went, one of `enum stepwell_output_enum`.
pub type stepwell_output_t = i32;

/// Where output went.
#[repr(C)]
pub enum stepwell_output_enum {
    /// The guest's standard output.
    STEPWELL_OUTPUT_OUT = 0,
    /// The guest's standard error.
    STEPWELL_OUTPUT_ERR = 1,
    /// It is what the host says.
    STEPWELL_OUTPUT_HOST = 2,
}

/// How a store is served, field by field.
#[derive(Default)]
pub(super) struct Options {
    listen: Where,
    protocol: Protocol,
    token: Option<String>,
    wait: bool,
    on_disconnect: OnDisconnect,
    name: String,
}

/// Where clients come, for any number of servers.
enum Where {
    Tcp(String),
    Unix(String),
    Descriptors(i32, i32),
}

impl Default for Where {
    fn default() -> Self {
        Where::Tcp("0".to_owned())
    }
}

handle!(stepwell_serve_options_t => Options);

/// A server, with its store.
pub(super) struct Served {
    cell: Arc<StoreCell>,
    server: Mutex<Server>,
    session: crate::remote::session::Session,
    thread: crate::remote::session::ThreadId,
    address: CString,
}

handle!(stepwell_server_t => Served);

/// New options: TCP, on a port of 127.0.0.1 that is free; gdb's protocol; nobody waits for anybody.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn stepwell_serve_options_new() -> Own<stepwell_serve_options_t> {
    Own::new(Options::default())
}

/// Deletes options. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_serve_options_delete(options: Own<stepwell_serve_options_t>) {
    // SAFETY: C gives it back.
    unsafe { options.delete("stepwell_serve_options_delete", "options") }
}

/// Has debuggers come by TCP: `ADDR:PORT`, or `PORT` alone for 127.0.0.1. Port 0 is any that is free:
/// `stepwell_server_address` tells which. An address that other machines can reach needs a token.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_serve_options_tcp_set(
    options: *mut stepwell_serve_options_t,
    address: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_serve_options_tcp_set", || {
        // SAFETY: C passes live options or NULL, and a C string or NULL.
        let (options, address) = unsafe { (borrow_mut(options, "options")?, string(address, "address")?) };
        options.listen = Where::Tcp(address.to_owned());
        Ok(())
    })
}

/// Has debuggers come by a Unix socket of this path, which only its owner may connect to.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_serve_options_unix_set(
    options: *mut stepwell_serve_options_t,
    path: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_serve_options_unix_set", || {
        // SAFETY: C passes live options or NULL, and a C string or NULL.
        let (options, path) = unsafe { (borrow_mut(options, "options")?, string(path, "path")?) };
        options.listen = Where::Unix(path.to_owned());
        Ok(())
    })
}

/// Has one debugger be at these descriptors, of which the first is read and the second written: a pipe's, a socket's,
/// standard input and output. They are duplicated when the store is served, and remain the caller's.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_serve_options_descriptors_set(
    options: *mut stepwell_serve_options_t,
    input: i32,
    output: i32,
) {
    or_abort("stepwell_serve_options_descriptors_set", || {
        // SAFETY: C passes live options or NULL.
        unsafe { borrow_mut(options, "options") }?.listen = Where::Descriptors(input, output);
        Ok(())
    });
}

/// Sets what debuggers speak; at first `STEPWELL_PROTOCOL_GDB`.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_serve_options_protocol_set(
    options: *mut stepwell_serve_options_t,
    protocol: stepwell_protocol_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_serve_options_protocol_set", || {
        use stepwell_protocol_enum as e;
        // SAFETY: C passes live options or NULL.
        let options = unsafe { borrow_mut(options, "options") }?;
        options.protocol = match protocol {
            _ if protocol == e::STEPWELL_PROTOCOL_GDB as i32 => Protocol::Gdb,
            _ if protocol == e::STEPWELL_PROTOCOL_DAP as i32 => Protocol::Dap,
            _ => return Err(Error::new(ErrorKind::Argument, format!("there is no protocol {protocol}"))),
        };
        Ok(())
    })
}

/// Sets a token, which debuggers have to send before anything else, as a line `stepwell TOKEN`; NULL for none, as at
/// first. Those that speak gdb's protocol cannot send it themselves: it is for what they are brought by.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_serve_options_token_set(
    options: *mut stepwell_serve_options_t,
    token: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_serve_options_token_set", || {
        // SAFETY: C passes live options or NULL.
        let options = unsafe { borrow_mut(options, "options") }?;
        // SAFETY: C passes a C string or NULL.
        let token = if token.is_null() { None } else { Some(unsafe { string(token, "token") }?) };
        options.token = token.map(str::to_owned);
        Ok(())
    })
}

/// Sets whether the first guest that is entered stands at its first instruction until a debugger has come and has it go
/// on. At first it does not.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_serve_options_wait_set(options: *mut stepwell_serve_options_t, wait: bool) {
    or_abort("stepwell_serve_options_wait_set", || {
        // SAFETY: C passes live options or NULL.
        unsafe { borrow_mut(options, "options") }?.wait = wait;
        Ok(())
    });
}

/// Sets what becomes of guests when their debugger is gone without a word; at first `STEPWELL_ON_DISCONNECT_GO_ON`.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_serve_options_on_disconnect_set(
    options: *mut stepwell_serve_options_t,
    on_disconnect: stepwell_on_disconnect_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_serve_options_on_disconnect_set", || {
        use stepwell_on_disconnect_enum as e;
        // SAFETY: C passes live options or NULL.
        let options = unsafe { borrow_mut(options, "options") }?;
        options.on_disconnect = match on_disconnect {
            _ if on_disconnect == e::STEPWELL_ON_DISCONNECT_GO_ON as i32 => OnDisconnect::GoOn,
            _ if on_disconnect == e::STEPWELL_ON_DISCONNECT_WAIT as i32 => OnDisconnect::Wait,
            _ if on_disconnect == e::STEPWELL_ON_DISCONNECT_END_GUESTS as i32 => OnDisconnect::EndGuests,
            _ => {
                let message = format!("{on_disconnect} says nothing of what becomes of guests");
                return Err(Error::new(ErrorKind::Argument, message));
            }
        };
        Ok(())
    })
}

/// Sets the store's name, for people.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_serve_options_name_set(
    options: *mut stepwell_serve_options_t,
    name: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_serve_options_name_set", || {
        // SAFETY: C passes live options or NULL, and a C string or NULL.
        let (options, name) = unsafe { (borrow_mut(options, "options")?, string(name, "name")?) };
        options.name = name.to_owned();
        Ok(())
    })
}

/// Has a store served to debuggers of other programs: a debugger is attached to it, as by `stepwell_debugger_attach`,
/// and they may come from now on, one at a time, whether or not a guest runs. `options` are borrowed, and may be NULL
/// for those of `stepwell_serve_options_new`.
///
/// All goes on by itself, on threads of the library's. At a stop the guest's thread waits, inside of the call that has
/// entered the guest, until the debugger has it go on, leaves or is gone.
///
/// An error where a debugger is attached already, the engine is not configured for debugging, or the address is
/// refused.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_debugger_serve(
    store: *mut wasm_store_t,
    options: *const stepwell_serve_options_t,
    out: Out<Own<stepwell_server_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_debugger_serve", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live store or NULL.
        let cell = unsafe { borrow(store, "store") }?.clone();
        let plain = Options::default();
        // SAFETY: C passes live options or NULL.
        let options = if options.is_null() { &plain } else { unsafe { borrow(options, "options") }? };
        let listen = match &options.listen {
            Where::Tcp(address) => Listen::Tcp(address.clone()),
            Where::Unix(path) => Listen::Unix(path.into()),
            Where::Descriptors(input, output) => Listen::Pair(duplicate(*input)?, duplicate(*output)?),
        };
        let mut served = ServeOptions::default();
        (served.listen, served.protocol, served.token) = (listen, options.protocol, options.token.clone());
        (served.session.wait, served.session.on_disconnect) = (options.wait, options.on_disconnect);
        served.name = options.name.clone();
        // A debugger that goes is nothing that may end the host, which may have left SIGPIPE as the system has it.
        let mut store = cell.enter()?;
        let server = without_pipe_signal(|| Server::serve(&mut *store, served))?;
        drop(store);
        let address = CString::new(server.address()).unwrap_or_default();
        let (session, thread) = (server.session().clone(), server.thread());
        let served = Served { cell, server: Mutex::new(server), session, thread, address };
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(served)) };
        Ok(())
    })
}

/// Stops the server (`stepwell_server_stop`) and deletes it. Where no guest runs, the store runs production code again.
/// NULL does nothing.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_server_delete(server: Own<stepwell_server_t>) {
    or_last_error("stepwell_server_delete", || {
        if server.is_null() {
            return Ok(());
        }
        {
            // SAFETY: C passes a live server.
            let served = unsafe { borrow(server.as_ptr(), "server") }?;
            served.stop();
            if !served.cell.in_use() {
                // The store may have lost its debugger otherwise.
                _ = served.session.remove(&mut *served.cell.enter()?, served.thread);
            }
        }
        // SAFETY: C gives it back.
        unsafe { server.delete("stepwell_server_delete", "server") };
        Ok(())
    });
}

impl Served {
    fn stop(&self) {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).stop();
    }
}

/// Works on the session of a server.
///
/// # Safety
/// The pointer is NULL or live.
unsafe fn on(function: &str, server: *const stepwell_server_t, work: impl FnOnce(&Served) -> Result<()>) {
    // SAFETY: by the contract.
    or_abort(function, || work(unsafe { borrow(server, "server") }?));
}

/// Where debuggers come: the address with its port, or the path of the socket. Borrowed: it is there as long as the
/// server is.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_server_address(server: *const stepwell_server_t) -> *const c_char {
    // SAFETY: C passes a live server or NULL.
    or_null("stepwell_server_address", || Ok(unsafe { borrow(server, "server") }?.address.as_ptr()))
}

/// Waits until a debugger has come, for at most so many milliseconds, with `UINT64_MAX` for as long as it takes.
/// Whether one is there; false too where the server was stopped.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_server_wait(server: *const stepwell_server_t, milliseconds: u64) -> bool {
    or_null("stepwell_server_wait", || {
        // SAFETY: C passes a live server or NULL.
        let served = unsafe { borrow(server, "server") }?;
        let wait = (milliseconds != u64::MAX).then(|| Duration::from_millis(milliseconds.min(1 << 50)));
        Ok(served.session.wait_for_client(wait))
    })
}

/// Ends it: the debugger is told, what it has set goes, a guest that stands goes on, and nobody is waited for any
/// more. It waits a moment for the debugger to be told. Called again it does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_server_stop(server: *mut stepwell_server_t) {
    // SAFETY: C passes a live server or NULL.
    unsafe {
        on("stepwell_server_stop", server, |served| {
            served.stop();
            Ok(())
        });
    }
}

/// Tells the debugger what the guest, or the host, has written: `stream` is one of `enum stepwell_output_enum`. It
/// never waits; what the debugger does not take is left out.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_server_output(
    server: *mut stepwell_server_t,
    stream: stepwell_output_t,
    data: *const byte_t,
    size: usize,
) {
    use stepwell_output_enum as e;
    // SAFETY: C passes a live server or NULL, and `size` bytes or NULL.
    unsafe {
        on("stepwell_server_output", server, |served| {
            let stream = match stream {
                _ if stream == e::STEPWELL_OUTPUT_OUT as i32 => OutputStream::Out,
                _ if stream == e::STEPWELL_OUTPUT_ERR as i32 => OutputStream::Err,
                _ if stream == e::STEPWELL_OUTPUT_HOST as i32 => OutputStream::Host,
                _ => return Err(Error::new(ErrorKind::Argument, format!("there is no stream {stream}"))),
            };
            served.session.output(stream, bytes(data.cast(), size, "data")?);
            Ok(())
        });
    }
}

/// Tells the debugger that the program has ended with this exit status, which only the host knows. From then on the
/// store's guests are not stopped.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_server_exited(server: *mut stepwell_server_t, status: i32) {
    // SAFETY: C passes a live server or NULL.
    unsafe {
        on("stepwell_server_exited", server, |served| {
            served.session.end(served.thread, Outcome::Exited(status));
            Ok(())
        });
    }
}

/// Tells the debugger that the program has ended with a trap of this message. From then on the store's guests are not
/// stopped.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_server_trapped(server: *mut stepwell_server_t, message: *const c_char) {
    // SAFETY: C passes a live server or NULL, and a C string or NULL.
    unsafe {
        on("stepwell_server_trapped", server, |served| {
            let message = string(message, "message")?;
            served.session.end(served.thread, Outcome::Trapped(message.to_owned()));
            Ok(())
        });
    }
}

/// Says which file a module is from: a debugger that can open it reads it there, with the debug information that stands
/// beside it.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_server_module_file_set(
    server: *mut stepwell_server_t,
    module: *const wasm_module_t,
    path: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_server_module_file_set", || {
        // SAFETY: C passes a live server or NULL.
        let served = unsafe { borrow(server, "server") }?;
        // SAFETY: C passes a live module or NULL, and a C string or NULL.
        let (module, path) = unsafe { (module::get(module)?, string(path, "path")?) };
        served.session.set_file(module, path);
        Ok(())
    })
}
