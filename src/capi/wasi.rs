//! `stepwell_wasi_config_t`: what a program gets of the host by WASI preview 1.

use super::bytes::byte_t;
use super::plumbing::abort::watched_for_guest;
use super::plumbing::env::{Env, stepwell_finalizer_t};
use super::plumbing::guard::{or_abort, or_error};
use super::plumbing::handles::{
    stepwell_error_t, stepwell_linker_t, stepwell_wasi_buffer_t, stepwell_wasi_config_t, wasm_store_t,
};
use super::plumbing::own::{Out, Own, borrow, borrow_mut, handle, null, plain, string};
use super::vecs::wasm_byte_vec_t;
use crate::base::{Error, ErrorKind, Result};
use crate::wasi::{Access, OutputBuffer, WasiConfig, define};
use std::ffi::{CStr, c_char, c_void};

handle!(stepwell_wasi_config_t => WasiConfig);

/// Gets what a program writes to a standard stream, each write as it comes. `data` is borrowed, and not NUL-terminated.
/// While it runs, the program's writes to the same stream fail with `EDEADLK`.
pub type stepwell_wasi_output_callback_t =
    Option<unsafe extern "C" fn(env: *mut c_void, data: *const byte_t, size: usize)>;

/// Gives a program its standard input: writes up to `size` bytes to `data`, from its front, and returns how many they
/// are. 0 is the end of the input; more than `size` is a failure, which the program sees as `EIO`. While it runs, the
/// program's reads of its standard input fail with `EDEADLK`.
pub type stepwell_wasi_input_callback_t =
    Option<unsafe extern "C" fn(env: *mut c_void, data: *mut byte_t, size: usize) -> usize>;

handle!(stepwell_wasi_buffer_t => OutputBuffer);

/// A new buffer, which holds at most `limit` bytes (`SIZE_MAX`: as many as there is memory for).
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn stepwell_wasi_buffer_new(limit: usize) -> Own<stepwell_wasi_buffer_t> {
    Own::new(OutputBuffer::new(limit))
}

/// Deletes a handle of a buffer. Configurations and stores that write to it go on doing so. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_wasi_buffer_delete(buffer: Own<stepwell_wasi_buffer_t>) {
    // SAFETY: C gives it back.
    unsafe { buffer.delete("stepwell_wasi_buffer_delete", "buffer") }
}

/// How many bytes are in a buffer.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_wasi_buffer_size(buffer: *const stepwell_wasi_buffer_t) -> usize {
    or_abort("stepwell_wasi_buffer_size", || {
        // SAFETY: C passes a live buffer or NULL.
        Ok(unsafe { borrow(buffer, "buffer") }?.len())
    })
}

/// Copies what is in a buffer, or (`take`) takes it out, so that the buffer is empty afterwards and has its whole limit
/// again.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_buffer_read(
    buffer: *const stepwell_wasi_buffer_t,
    take: bool,
    out: Out<wasm_byte_vec_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_wasi_buffer_read", || {
        // SAFETY: C passes a live buffer or NULL.
        let buffer = unsafe { borrow(buffer, "buffer") }?;
        let out = out.check("out")?;
        let bytes = if take { buffer.take() } else { buffer.contents() };
        // SAFETY: C passes memory for a vector.
        unsafe { out.write(wasm_byte_vec_t::bytes(&bytes)) };
        Ok(())
    })
}

/// A new configuration, which gives a program nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub extern "C" fn stepwell_wasi_config_new() -> Own<stepwell_wasi_config_t> {
    Own::new(WasiConfig::new())
}

/// Deletes a configuration. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_wasi_config_delete(config: Own<stepwell_wasi_config_t>) {
    // SAFETY: C gives it back.
    unsafe { config.delete("stepwell_wasi_config_delete", "config") }
}

/// Sets one field.
///
/// # Safety
/// C passes a live configuration or NULL.
unsafe fn set(
    function: &str,
    config: *mut stepwell_wasi_config_t,
    change: impl FnOnce(&mut WasiConfig) -> &mut WasiConfig,
) {
    or_abort(function, || {
        // SAFETY: by the contract.
        change(unsafe { borrow_mut(config, "config") }?);
        Ok(())
    });
}

/// Sets a field by what may be refused.
///
/// # Safety
/// C passes a live configuration or NULL.
unsafe fn try_set(
    function: &str,
    config: *mut stepwell_wasi_config_t,
    change: impl FnOnce(&mut WasiConfig) -> Result<&mut WasiConfig>,
) -> Own<stepwell_error_t> {
    // SAFETY: by the contract.
    or_error(function, || change(unsafe { borrow_mut(config, "config") }?).map(drop))
}

/// The bytes of C strings; a NULL among them, or instead of all (unless there are none), is an error naming `param`.
///
/// # Safety
/// The pointer is NULL or points to `count` pointers, each NULL or a C string.
unsafe fn strings<'a>(pointer: *const *const c_char, count: usize, param: &str) -> Result<Vec<&'a [u8]>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if pointer.is_null() {
        return Err(null(param));
    }
    let one = |i: usize| {
        // SAFETY: by the contract.
        let text = unsafe { *pointer.add(i) };
        match text.is_null() {
            true => Err(Error::new(ErrorKind::Argument, format!("`{param}[{i}]` must not be NULL"))),
            // SAFETY: by the contract.
            false => Ok(unsafe { CStr::from_ptr(text) }.to_bytes()),
        }
    };
    (0..count).map(one).collect()
}

/// Sets the arguments: `argc` C strings, the program's name first. They are copied.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_args_set(
    config: *mut stepwell_wasi_config_t,
    argc: usize,
    argv: *const *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_wasi_config_args_set", || {
        // SAFETY: C passes a live configuration or NULL, and C strings.
        let (config, args) = unsafe { (borrow_mut(config, "config")?, strings(argv, argc, "argv")?) };
        config.set_args(args)?;
        Ok(())
    })
}

/// Gives the program the arguments of this process.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_wasi_config_args_inherit(config: *mut stepwell_wasi_config_t) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_wasi_config_args_inherit", config, WasiConfig::inherit_args) }
}

/// Sets the environment: `count` names, and as many values. They are copied. A name must not be empty nor contain `=`.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_env_set(
    config: *mut stepwell_wasi_config_t,
    count: usize,
    names: *const *const c_char,
    values: *const *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_wasi_config_env_set", || {
        // SAFETY: C passes a live configuration or NULL, and C strings.
        let (config, names) = unsafe { (borrow_mut(config, "config")?, strings(names, count, "names")?) };
        // SAFETY: as above.
        let values = unsafe { strings(values, count, "values") }?;
        config.set_env(names.into_iter().zip(values))?;
        Ok(())
    })
}

/// Gives the program the environment of this process, as it is now.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_wasi_config_env_inherit(config: *mut stepwell_wasi_config_t) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_wasi_config_env_inherit", config, WasiConfig::inherit_env) }
}

/// Gives the program the standard input of this process. What C's `stdin` has read ahead is not seen.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_wasi_config_stdin_inherit(config: *mut stepwell_wasi_config_t) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_wasi_config_stdin_inherit", config, WasiConfig::inherit_stdin) }
}

/// Gives the program these bytes as its standard input. They are copied.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_stdin_bytes_set(
    config: *mut stepwell_wasi_config_t,
    bytes: *const wasm_byte_vec_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_wasi_config_stdin_bytes_set", || {
        // SAFETY: C passes a live configuration and a valid vector, or NULL.
        let (config, bytes) = unsafe { (borrow_mut(config, "config")?, plain(bytes, "bytes")?.as_bytes()) };
        config.set_stdin_bytes(bytes);
        Ok(())
    })
}

/// Asks a callback for the program's standard input. `finalizer(env)` runs when nothing can call it any more: when it
/// is replaced, the configuration is deleted or the store is gone, the program closed the stream, or when this fails.
/// The finalizer may be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_stdin_callback_set(
    config: *mut stepwell_wasi_config_t,
    callback: stepwell_wasi_input_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    or_error("stepwell_wasi_config_stdin_callback_set", move || {
        // SAFETY: C passes a live configuration or NULL.
        let config = unsafe { borrow_mut(config, "config") }?;
        let callback = callback.ok_or_else(|| null("callback"))?;
        config.set_stdin(move |to| {
            let (data, size) = (to.as_mut_ptr().cast(), to.len());
            // SAFETY: C registered the callback with this environment.
            watched_for_guest("an input callback", || unsafe { callback(env.get(), data, size) })
        });
        Ok(())
    })
}

/// Gives the program a file as its standard input. It is opened now.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_stdin_file_set(
    config: *mut stepwell_wasi_config_t,
    path: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_wasi_config_stdin_file_set", || {
        // SAFETY: C passes a live configuration or NULL, and a C string.
        let (config, path) = unsafe { (borrow_mut(config, "config")?, string(path, "path")?) };
        config.set_stdin_file(path)?;
        Ok(())
    })
}

/// Sends the program's standard output to that of this process, past the buffer of C's `stdout`.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_wasi_config_stdout_inherit(config: *mut stepwell_wasi_config_t) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_wasi_config_stdout_inherit", config, WasiConfig::inherit_stdout) }
}

/// Sends the program's standard error to that of this process.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_wasi_config_stderr_inherit(config: *mut stepwell_wasi_config_t) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_wasi_config_stderr_inherit", config, WasiConfig::inherit_stderr) }
}

/// What calls a C callback.
fn output(callback: stepwell_wasi_output_callback_t, env: Env) -> Result<impl FnMut(&[u8]) + Send + 'static> {
    let callback = callback.ok_or_else(|| null("callback"))?;
    Ok(move |bytes: &[u8]| {
        let (data, size) = (bytes.as_ptr().cast(), bytes.len());
        // SAFETY: C registered the callback with this environment.
        watched_for_guest("an output callback", || unsafe { callback(env.get(), data, size) })
    })
}

/// Gives what the program writes to standard output to a callback. `finalizer(env)` runs when nothing can call it any
/// more: when it is replaced, the configuration is deleted, the store is gone or the program closed the stream, or when
/// this fails. The finalizer may be NULL.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_stdout_callback_set(
    config: *mut stepwell_wasi_config_t,
    callback: stepwell_wasi_output_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    // SAFETY: C passes a live configuration or NULL.
    unsafe {
        try_set("stepwell_wasi_config_stdout_callback_set", config, move |config| {
            Ok(config.set_stdout(output(callback, env)?))
        })
    }
}

/// As `stepwell_wasi_config_stdout_callback_set`, for standard error.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_stderr_callback_set(
    config: *mut stepwell_wasi_config_t,
    callback: stepwell_wasi_output_callback_t,
    env: *mut c_void,
    finalizer: stepwell_finalizer_t,
) -> Own<stepwell_error_t> {
    let env = Env::new(env, finalizer);
    // SAFETY: C passes a live configuration or NULL.
    unsafe {
        try_set("stepwell_wasi_config_stderr_callback_set", config, move |config| {
            Ok(config.set_stderr(output(callback, env)?))
        })
    }
}

/// Keeps what the program writes to standard output in a buffer of the host's.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_stdout_buffer_set(
    config: *mut stepwell_wasi_config_t,
    buffer: *const stepwell_wasi_buffer_t,
) -> Own<stepwell_error_t> {
    // SAFETY: C passes live objects or NULL.
    unsafe {
        try_set("stepwell_wasi_config_stdout_buffer_set", config, |config| {
            Ok(config.set_stdout_buffer(borrow(buffer, "buffer")?))
        })
    }
}

/// As `stepwell_wasi_config_stdout_buffer_set`, for standard error. It may be the same buffer.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_stderr_buffer_set(
    config: *mut stepwell_wasi_config_t,
    buffer: *const stepwell_wasi_buffer_t,
) -> Own<stepwell_error_t> {
    // SAFETY: C passes live objects or NULL.
    unsafe {
        try_set("stepwell_wasi_config_stderr_buffer_set", config, |config| {
            Ok(config.set_stderr_buffer(borrow(buffer, "buffer")?))
        })
    }
}

/// Writes the program's standard output to a file: behind what is in it (`append`), or instead of that. It is opened,
/// and made or emptied, now. To send both streams to one file, append to it.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_stdout_file_set(
    config: *mut stepwell_wasi_config_t,
    path: *const c_char,
    append: bool,
) -> Own<stepwell_error_t> {
    // SAFETY: C passes a live configuration and a C string, or NULL.
    unsafe {
        try_set("stepwell_wasi_config_stdout_file_set", config, |config| {
            config.set_stdout_file(string(path, "path")?, append)
        })
    }
}

/// As `stepwell_wasi_config_stdout_file_set`, for standard error.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_stderr_file_set(
    config: *mut stepwell_wasi_config_t,
    path: *const c_char,
    append: bool,
) -> Own<stepwell_error_t> {
    // SAFETY: C passes a live configuration and a C string, or NULL.
    unsafe {
        try_set("stepwell_wasi_config_stderr_file_set", config, |config| {
            config.set_stderr_file(string(path, "path")?, append)
        })
    }
}

/// How many descriptors the program has at most at once, the standard streams and the preopened directories counted;
/// 1024 unless this is called. Beyond it the program gets `EMFILE`. Each takes about one of this process.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_wasi_config_max_descriptors_set(config: *mut stepwell_wasi_config_t, max: u32) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_wasi_config_max_descriptors_set", config, |config| config.set_max_descriptors(max)) }
}

/// How many threads the program may have at once besides its first; none unless this is called. With some,
/// `thread-spawn` of `wasi` is defined as well (the proposal wasi-threads): a thread of this process, which calls
/// `wasi_thread_start` in a store and an instance of its own. That shares with the others the memories that the module
/// imports, all of which must be shared, and what is configured here; the module may import nothing else. The engine
/// needs `stepwell_config_epoch_set`. Callbacks are called on the thread that reads or writes. Beyond so many, the
/// program gets `EAGAIN`.
///
/// All threads of a program end when one of them traps or calls `proc_exit`, in whichever way that one has ended; and
/// when the store goes, which waits for them.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_wasi_config_max_threads_set(config: *mut stepwell_wasi_config_t, max: u32) {
    // SAFETY: C passes a live configuration or NULL.
    unsafe { set("stepwell_wasi_config_max_threads_set", config, |config| config.set_max_threads(max)) }
}

/// Gives the program the directory `host` under the name `guest` (`"."` is where its relative paths start), to look at,
/// or with `read_write` to change as well: to create, write, rename, link and remove. It is opened now. No path, and no
/// symbolic link, leads the program out of it.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_wasi_config_preopen_dir(
    config: *mut stepwell_wasi_config_t,
    host: *const c_char,
    guest: *const c_char,
    read_write: bool,
) -> Own<stepwell_error_t> {
    or_error("stepwell_wasi_config_preopen_dir", || {
        // SAFETY: C passes a live configuration or NULL, and C strings.
        let (config, host) = unsafe { (borrow_mut(config, "config")?, string(host, "host")?) };
        // SAFETY: as above.
        let guest = unsafe { string(guest, "guest") }?;
        config.preopen_dir(host, guest, if read_write { Access::ReadWrite } else { Access::ReadOnly })?;
        Ok(())
    })
}

/// Defines the functions of `wasi_snapshot_preview1`, all of them, for instances of this store alone (for those of all
/// stores see `stepwell_linker_define_wasi_for_stores`). The instances share one
/// table of descriptors, which lives as long as the store. Sockets there are none, and `proc_raise` is refused
/// (`ENOTSUP`). A program's end by `proc_exit` is a trap with an exit status: see `stepwell_trap_exit_status`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_define_wasi(
    linker: *mut stepwell_linker_t,
    store: *mut wasm_store_t,
    config: Own<stepwell_wasi_config_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_linker_define_wasi", || {
        // SAFETY: C gives the configuration away.
        let config = unsafe { config.require("config") }?;
        // SAFETY: C passes live objects or NULL.
        let (linker, cell) = unsafe { (borrow_mut(linker, "linker")?, borrow(store, "store")?) };
        let mut store = cell.enter()?;
        let outcome = config.add_to(linker, &mut *store);
        linker.root(&*store);
        outcome
    })
}

/// Defines the functions of `wasi_snapshot_preview1`, all of them, once for instances of every store of the linker's
/// engine, and `thread-spawn` of `wasi`. What they give a program is that of the store it calls from: see
/// `stepwell_store_wasi_set`. So a `stepwell_instance_pre_t` of such a linker makes instances in any store, on several
/// threads at once. A call in a store that has no WASI is a trap that says so. `thread-spawn` yields `EAGAIN` where the
/// program may have no threads.
///
/// Thread: any.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_linker_define_wasi_for_stores(
    linker: *mut stepwell_linker_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_linker_define_wasi_for_stores", || {
        // SAFETY: C passes a live linker or NULL.
        define(unsafe { borrow_mut(linker, "linker") }?)
    })
}

/// Gives a store what the configuration says, for the functions that `stepwell_linker_define_wasi_for_stores` defines.
/// All instances of the store share it, with one table of descriptors. It lives as long as the store, or until it is
/// set again: then the threads of the program before are ended, and its streams and directories closed. An error where
/// it is to have threads, and the engine was not configured with `stepwell_config_epoch_set`.
///
/// Thread: one at a time per store.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_store_wasi_set(
    store: *mut wasm_store_t,
    config: Own<stepwell_wasi_config_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_store_wasi_set", || {
        // SAFETY: C gives the configuration away.
        let config = unsafe { config.require("config") }?;
        // SAFETY: C passes a live store or NULL.
        config.give_to(&mut *unsafe { borrow(store, "store") }?.enter()?)
    })
}
