//! What a guest gets: set up before it runs.

use super::calls;
use super::files::{Entry, Table};
use super::program::{Program, Source};
use super::streams::{Callback, Input, Output, OutputBuffer, Stream};
use super::threads;
use crate::base::{Error, ErrorKind, Escaped, Result};
use crate::runtime::{AsStoreMut, Linker};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File};
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// The most descriptors that a guest has at once, unless the host says otherwise.
const DESCRIPTORS: u32 = 1024;

/// What a guest may do with a preopened directory, and with all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Look at it.
    ReadOnly,
    /// Create, change, rename, link and remove files and directories, too.
    ReadWrite,
}

/// What a guest gets of the host. At first it is nothing: no arguments, no environment, an empty standard input,
/// standard output and error that swallow everything, and no directory.
pub struct WasiConfig {
    pub(super) args: Vec<Vec<u8>>,
    pub(super) env: Vec<Vec<u8>>,
    stdin: Entry,
    stdout: Entry,
    stderr: Entry,
    descriptors: u32,
    threads: u32,
    directories: Vec<(Dir, String, Access)>,
}

fn input(input: Input) -> Entry {
    Entry::stream(Stream::Input(input))
}

fn output(output: Output) -> Entry {
    Entry::stream(Stream::Output(output))
}

/// Opens a file of the host's choice.
fn open(path: &Path, options: &OpenOptions) -> Result<File> {
    let file = options.open(path).map_err(|error| {
        Error::new(
            ErrorKind::System,
            format!("the file {} cannot be opened: {error}", Escaped(&path.to_string_lossy())),
        )
    })?;
    Ok(File::from_std(file))
}

fn output_file(path: &Path, append: bool) -> Result<Entry> {
    let file = open(path, OpenOptions::new().create(true).write(true).append(append).truncate(!append))?;
    Ok(Entry::stream_file(file, false))
}

impl Default for WasiConfig {
    fn default() -> WasiConfig {
        WasiConfig::new()
    }
}

impl std::fmt::Debug for WasiConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WasiConfig").field("args", &self.args.len()).finish_non_exhaustive()
    }
}

impl WasiConfig {
    /// Nothing of the host.
    pub fn new() -> WasiConfig {
        WasiConfig {
            args: Vec::new(),
            env: Vec::new(),
            stdin: input(Input::Empty),
            stdout: output(Output::Null),
            stderr: output(Output::Null),
            descriptors: DESCRIPTORS,
            threads: 0,
            directories: Vec::new(),
        }
    }

    /// The arguments, the program's name first.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for one with a NUL in it; then nothing is changed.
    pub fn set_args<T: Into<Vec<u8>>>(&mut self, args: impl IntoIterator<Item = T>) -> Result<&mut WasiConfig> {
        let args: Vec<Vec<u8>> = args.into_iter().map(Into::into).collect();
        if let Some(i) = args.iter().position(|arg| arg.contains(&0)) {
            return Err(Error::new(ErrorKind::Argument, format!("argument {i} contains a NUL")));
        }
        self.args = args;
        Ok(self)
    }

    /// The arguments of this process.
    pub fn inherit_args(&mut self) -> &mut WasiConfig {
        self.args = std::env::args_os().map(OsStringExt::into_vec).collect();
        self
    }

    /// The environment: names and values.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a name that is empty or contains `=`, and for a NUL; then nothing is changed.
    pub fn set_env<N: Into<Vec<u8>>, V: Into<Vec<u8>>>(
        &mut self,
        env: impl IntoIterator<Item = (N, V)>,
    ) -> Result<&mut WasiConfig> {
        let mut list = Vec::new();
        for (i, (name, value)) in env.into_iter().enumerate() {
            let (mut entry, value) = (name.into(), value.into());
            if entry.is_empty() || entry.contains(&b'=') {
                let message = format!("the name of environment variable {i} is empty or contains `=`");
                return Err(Error::new(ErrorKind::Argument, message));
            }
            entry.push(b'=');
            entry.extend(value);
            if entry.contains(&0) {
                return Err(Error::new(ErrorKind::Argument, format!("environment variable {i} contains a NUL")));
            }
            list.push(entry);
        }
        self.env = list;
        Ok(self)
    }

    /// The environment of this process, as it is now.
    pub fn inherit_env(&mut self) -> &mut WasiConfig {
        self.env = std::env::vars_os().map(|(name, value)| [name.into_vec(), value.into_vec()].join(&b'=')).collect();
        self
    }

    /// The standard input of this process.
    pub fn inherit_stdin(&mut self) -> &mut WasiConfig {
        self.stdin = input(Input::Inherit);
        self
    }

    /// These bytes as standard input.
    pub fn set_stdin_bytes(&mut self, bytes: impl Into<Vec<u8>>) -> &mut WasiConfig {
        self.stdin = input(Input::Bytes { bytes: bytes.into(), at: 0 });
        self
    }

    /// What a function gives as standard input, piece by piece: see [`InputFn`](super::InputFn).
    pub fn set_stdin(&mut self, callback: impl FnMut(&mut [u8]) -> usize + Send + 'static) -> &mut WasiConfig {
        self.stdin = input(Input::Callback(Callback::new(Box::new(callback))));
        self
    }

    /// A file of the host as standard input. It is opened now.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if it cannot be opened.
    pub fn set_stdin_file(&mut self, path: impl AsRef<Path>) -> Result<&mut WasiConfig> {
        self.stdin = Entry::stream_file(open(path.as_ref(), OpenOptions::new().read(true))?, true);
        Ok(self)
    }

    /// The standard output of this process.
    pub fn inherit_stdout(&mut self) -> &mut WasiConfig {
        self.stdout = output(Output::Stdout);
        self
    }

    /// The standard error of this process.
    pub fn inherit_stderr(&mut self) -> &mut WasiConfig {
        self.stderr = output(Output::Stderr);
        self
    }

    /// Gives what is written to standard output to a function.
    pub fn set_stdout(&mut self, callback: impl FnMut(&[u8]) + Send + 'static) -> &mut WasiConfig {
        self.stdout = output(Output::Callback(Callback::new(Box::new(callback))));
        self
    }

    /// Gives what is written to standard error to a function.
    pub fn set_stderr(&mut self, callback: impl FnMut(&[u8]) + Send + 'static) -> &mut WasiConfig {
        self.stderr = output(Output::Callback(Callback::new(Box::new(callback))));
        self
    }

    /// Keeps what is written to standard output in a buffer, which may also be that of standard error.
    pub fn set_stdout_buffer(&mut self, buffer: &OutputBuffer) -> &mut WasiConfig {
        self.stdout = output(Output::Buffer(buffer.clone()));
        self
    }

    /// As [`WasiConfig::set_stdout_buffer`], for standard error.
    pub fn set_stderr_buffer(&mut self, buffer: &OutputBuffer) -> &mut WasiConfig {
        self.stderr = output(Output::Buffer(buffer.clone()));
        self
    }

    /// Writes standard output to a file of the host, behind what is in it or (`append` is false) instead of that. It is
    /// opened, and made or emptied, now. To send both streams to one file, append to it.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if it cannot be opened.
    pub fn set_stdout_file(&mut self, path: impl AsRef<Path>, append: bool) -> Result<&mut WasiConfig> {
        self.stdout = output_file(path.as_ref(), append)?;
        Ok(self)
    }

    /// As [`WasiConfig::set_stdout_file`], for standard error.
    ///
    /// # Errors
    /// As there.
    pub fn set_stderr_file(&mut self, path: impl AsRef<Path>, append: bool) -> Result<&mut WasiConfig> {
        self.stderr = output_file(path.as_ref(), append)?;
        Ok(self)
    }

    /// How many descriptors guests have at most at once, the standard streams and the preopened directories counted;
    /// 1024 unless this is called. Beyond it they get `EMFILE`. Each takes about one of this process.
    pub fn set_max_descriptors(&mut self, max: u32) -> &mut WasiConfig {
        self.descriptors = max;
        self
    }

    /// How many threads a guest may have at once besides its first; none unless this is called. With some,
    /// `thread-spawn` of `wasi` is defined as well (the proposal wasi-threads): a thread of this process, which calls
    /// `wasi_thread_start` in a store and an instance of its own. That shares with the others the memories that the
    /// module imports, all of which must be shared, and what is configured here; the module may import nothing else.
    /// The engine needs [`Config::epoch`](crate::runtime::Config::epoch). Beyond so many, a guest gets `EAGAIN`.
    ///
    /// All threads of a guest end when one of them traps or calls `proc_exit`, in whichever way that one has ended; and
    /// when the store is dropped, which waits for them.
    pub fn set_max_threads(&mut self, max: u32) -> &mut WasiConfig {
        self.threads = max;
        self
    }

    /// Gives the guest a directory of the host, under the name `guest` (`"."` is where relative paths start). It is
    /// opened now.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if it cannot be opened, [`ErrorKind::Argument`] for a name that is empty or contains a
    /// NUL.
    pub fn preopen_dir(&mut self, host: impl AsRef<Path>, guest: &str, access: Access) -> Result<&mut WasiConfig> {
        let host = host.as_ref();
        if guest.is_empty() || guest.contains('\0') {
            return Err(Error::new(ErrorKind::Argument, "a preopened directory's name is empty or contains a NUL"));
        }
        // Opened so that it can be listed; one that may only be searched is of use, too.
        let readable = OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY).open(host).map(Dir::from_std_file);
        let dir = match readable {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Dir::open_ambient_dir(host, ambient_authority())
            }
            other => other,
        };
        let dir = dir.map_err(|error| {
            Error::new(
                ErrorKind::System,
                format!("the directory {} cannot be opened: {error}", Escaped(&host.to_string_lossy())),
            )
        })?;
        self.directories.push((dir, guest.to_owned(), access));
        Ok(self)
    }

    /// Defines the functions of [`MODULE`](super::MODULE) in a linker, for instances of this store. They share one
    /// table of descriptors, which lives as long as the store.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where one is defined already, [`ErrorKind::State`] where a guest is to have threads that
    /// cannot be ended, and errors of making host functions.
    pub fn add_to(self, linker: &mut Linker, mut store: impl AsStoreMut) -> Result<()> {
        let (most, state) = (self.threads, self.into_state());
        let mut store = store.as_store_mut();
        let threads = match most {
            0 => None,
            most => Some(threads::define_first(linker, &mut store, most, &state)?),
        };
        calls::define(linker, Some(store), &Source::Own(state, threads))
    }

    /// Gives a store what this says: the functions that [`define`](super::define) defined find it there, for all
    /// instances of the store together. What the store had before is given up: its threads are ended, its streams and
    /// directories closed.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where a guest is to have threads that cannot be ended.
    pub fn give_to(self, mut store: impl AsStoreMut) -> Result<()> {
        let mut store = store.as_store_mut();
        let threads = match self.threads {
            0 => None,
            most => Some(threads::of_first(&store, most)?),
        };
        let before = store.set_wasi(Arc::new(Program { state: self.into_state(), threads }));
        // Callbacks' environments go with it.
        drop(before);
        Ok(())
    }

    /// What a program begins with.
    fn into_state(self) -> Arc<calls::State> {
        let mut table = Table::new(self.descriptors);
        table.add(self.stdin);
        table.add(self.stdout);
        table.add(self.stderr);
        for (dir, name, access) in self.directories {
            table.add(Entry::preopened(dir, name, access == Access::ReadWrite));
        }
        Arc::new(calls::State::new(self.args, self.env, table))
    }
}
