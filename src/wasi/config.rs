//! What a guest gets: set up before it runs.

use super::calls;
use super::files::{Entry, Input, Output, Stream, Table};
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{AsStoreMut, Linker};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

/// A host's function that gets what a guest writes, each write as it comes. It may call into the store, but a guest that then
/// writes to the same stream gets `EDEADLK`.
pub type OutputFn = Box<dyn FnMut(&[u8]) + Send>;

/// What a guest may do with a preopened directory, and with all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Look at it.
    ReadOnly,
    /// Create, change and empty files, too.
    ReadWrite,
}

/// What a guest gets of the host. At first it is nothing: no arguments, no environment, an empty standard input, standard output
/// and error that swallow everything, and no directory.
pub struct WasiConfig {
    pub(super) args: Vec<Vec<u8>>,
    pub(super) env: Vec<Vec<u8>>,
    stdin: Input,
    stdout: Output,
    stderr: Output,
    directories: Vec<(Dir, String, Access)>,
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
            stdin: Input::Empty,
            stdout: Output::Null,
            stderr: Output::Null,
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
        self.stdin = Input::Inherit;
        self
    }

    /// These bytes as standard input.
    pub fn set_stdin_bytes(&mut self, bytes: impl Into<Vec<u8>>) -> &mut WasiConfig {
        self.stdin = Input::Bytes { bytes: bytes.into(), at: 0 };
        self
    }

    /// The standard output of this process.
    pub fn inherit_stdout(&mut self) -> &mut WasiConfig {
        self.stdout = Output::Stdout;
        self
    }

    /// The standard error of this process.
    pub fn inherit_stderr(&mut self) -> &mut WasiConfig {
        self.stderr = Output::Stderr;
        self
    }

    /// Gives what is written to standard output to a function.
    pub fn set_stdout(&mut self, callback: impl FnMut(&[u8]) + Send + 'static) -> &mut WasiConfig {
        self.stdout = Output::Callback(Some(Box::new(callback)));
        self
    }

    /// Gives what is written to standard error to a function.
    pub fn set_stderr(&mut self, callback: impl FnMut(&[u8]) + Send + 'static) -> &mut WasiConfig {
        self.stderr = Output::Callback(Some(Box::new(callback)));
        self
    }

    /// Gives the guest a directory of the host, under the name `guest` (`"."` is where relative paths start). It is opened now.
    ///
    /// # Errors
    /// [`ErrorKind::System`] if it cannot be opened, [`ErrorKind::Argument`] for a name that is empty or contains a NUL.
    pub fn preopen_dir(&mut self, host: impl AsRef<Path>, guest: &str, access: Access) -> Result<&mut WasiConfig> {
        let host = host.as_ref();
        if guest.is_empty() || guest.contains('\0') {
            return Err(Error::new(ErrorKind::Argument, "a preopened directory's name is empty or contains a NUL"));
        }
        let dir = Dir::open_ambient_dir(host, ambient_authority()).map_err(|error| {
            Error::new(ErrorKind::System, format!("the directory {} cannot be opened: {error}", host.display()))
        })?;
        self.directories.push((dir, guest.to_owned(), access));
        Ok(self)
    }

    /// Defines the functions of [`MODULE`](super::MODULE) in a linker, for instances of this store. They share one table of
    /// descriptors, which lives as long as the store.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where one is defined already, and errors of making host functions.
    pub fn add_to(self, linker: &mut Linker, store: impl AsStoreMut) -> Result<()> {
        let mut table = Table::new();
        table.add(Entry::stream(Stream::Input(self.stdin)));
        table.add(Entry::stream(Stream::Output(self.stdout)));
        table.add(Entry::stream(Stream::Output(self.stderr)));
        for (dir, name, access) in self.directories {
            table.add(Entry::preopened(dir, name, access == Access::ReadWrite));
        }
        calls::define(linker, store, calls::State::new(self.args, self.env, table))
    }
}
