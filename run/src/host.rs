//! What the guest gets of this process: WASI with arguments, environment and directories; limits; and the end of its
//! time.

use crate::end::{FAILURE, LIMIT, OrEnd, Run, USAGE, say};
use crate::load::directory;
use crate::options::Options;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use stepwell::remote::session::OutputStream;
use stepwell::wasi::{Access, WasiConfig};
use stepwell::{Linker, Store, StoreLimits};

/// Between the interrupt and the end of the process, where the guest does not end by itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// The environment that the guest gets: names and values, each name once.
fn environment(options: &Options) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut set = |name: Vec<u8>, value: Vec<u8>| match all.iter_mut().find(|(known, _)| *known == name) {
        Some(known) => known.1 = value,
        None => all.push((name, value)),
    };
    if options.inherit_env {
        std::env::vars_os().for_each(|(name, value)| set(name.into_vec(), value.into_vec()));
    }
    for said in &options.environment {
        let bytes = said.as_bytes();
        let equals = bytes.iter().position(|byte| *byte == b'=');
        match equals {
            Some(at) => set(bytes[..at].to_vec(), bytes[at + 1..].to_vec()),
            // A variable that is not set here is not set there.
            None => {
                if let Some(value) = std::env::var_os(said) {
                    set(bytes.to_vec(), value.into_vec());
                }
            }
        }
    }
    all
}

/// Defines WASI.
pub fn define_wasi(options: &Options, linker: &mut Linker, store: &mut Store) -> Run<()> {
    let mut config = WasiConfig::new();
    match &options.told {
        None => {
            config.inherit_stdin().inherit_stdout().inherit_stderr();
        }
        Some(session) => {
            let (out, err) = (session.clone(), session.clone());
            config.set_stdout(move |bytes: &[u8]| out.output(OutputStream::Out, bytes));
            config.set_stderr(move |bytes: &[u8]| err.output(OutputStream::Err, bytes));
        }
    }
    // What `--invoke` calls is given them as values.
    let behind: &[_] = if options.invoke.is_some() { &[] } else { &options.arguments };
    let arguments = std::iter::once(&options.module).chain(behind);
    config.set_args(arguments.map(|argument| OsStr::as_bytes(argument).to_vec())).or_end(USAGE, "the arguments")?;
    config.set_env(environment(options)).or_end(USAGE, "--env")?;
    for said in &options.directories {
        let (host, guest, writable) = directory(said)?;
        let access = if writable { Access::ReadWrite } else { Access::ReadOnly };
        config.preopen_dir(host, &guest, access).or_end(USAGE, "--dir")?;
    }
    config.add_to(linker, store).or_end(FAILURE, "defining WASI")
}

/// Sets the limits of memory and fuel.
pub fn set_limits(options: &Options, store: &mut Store) -> Run<()> {
    if let Some(bytes) = options.max_memory {
        store.set_limits(StoreLimits { memory_bytes: bytes, ..store.limits() });
    }
    match options.fuel {
        Some(fuel) => store.set_fuel(fuel).or_end(FAILURE, "--fuel"),
        None => Ok(()),
    }
}

/// The end of the guest's time.
#[derive(Clone, Default)]
pub struct Clock(Arc<AtomicBool>);

impl Clock {
    /// Has the guest interrupted when its time is up, and the process ended where that does not end it.
    pub fn start(options: &Options, store: &Store) -> Run<Clock> {
        let clock = Clock::default();
        let Some(time) = options.timeout else { return Ok(clock) };
        let interrupter = store.interrupter().or_end(FAILURE, "--timeout")?;
        let is_up = clock.0.clone();
        let wait = move || {
            std::thread::sleep(time);
            is_up.store(true, Ordering::SeqCst);
            interrupter.interrupt();
            std::thread::sleep(PATIENCE);
            say(format_args!("the time is up, and the program does not end; exit status {LIMIT}"));
            // What the guest has begun to write is its own affair; nobody waits for it.
            // SAFETY: it ends the process, and runs nothing before that.
            unsafe { libc::_exit(LIMIT) }
        };
        std::thread::Builder::new().name("time".to_owned()).spawn(wait).or_end(FAILURE, "--timeout")?;
        Ok(clock)
    }

    /// Whether it is up.
    pub fn is_up(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
