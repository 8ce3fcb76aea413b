//! What profilers read: `/tmp/perf-PID.map`, which names addresses, and a jitdump, which also has the machine code. One
//! file of each kind for the process, opened by whoever needs it first, and again by a forked child, whose files have
//! its own number. What is written, and when, is decided in `runtime/`.

use super::threads::thread_id;
use crate::base::{Error, ErrorKind, Escaped, Result};
use crate::isa::{ELF_MACHINE, PAGE_SIZE};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Which file profilers get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profiler {
    /// None.
    #[default]
    None,
    /// `/tmp/perf-PID.map`: where each function is, by lines of text. `perf report` reads it as it is, for code in
    /// anonymous memory only: so machine code is kept there, and copied for each debugged store.
    PerfMap,
    /// `jit-PID.dump` in the folder `$JITDUMPDIR`, or in the current one: the functions with their machine code. `perf
    /// record -k mono` notes where it is, and `perf inject --jit` puts it into the record.
    JitDump,
}

/// A function to be told of.
#[derive(Clone, Copy, Debug)]
pub struct Symbol<'a> {
    /// Its name, without control characters.
    pub name: &'a str,
    /// Where it is.
    pub address: usize,
    /// Its machine code.
    pub code: &'a [u8],
}

/// A file of the process that has this number: a forked child has none yet.
struct Opened<T> {
    pid: u32,
    file: T,
}

static PERF_MAP: Mutex<Option<Opened<File>>> = Mutex::new(None);
static JIT_DUMP: Mutex<Option<Opened<JitDump>>> = Mutex::new(None);

/// Opens the file of a profiler, if it is not open.
///
/// # Errors
/// When it cannot be made.
pub fn open(profiler: Profiler) -> Result<()> {
    write(profiler, &[])
}

/// Tells a profiler of functions.
///
/// # Errors
/// When the file cannot be made, or not be written to.
pub fn write(profiler: Profiler, symbols: &[Symbol<'_>]) -> Result<()> {
    match profiler {
        Profiler::None => Ok(()),
        Profiler::PerfMap => with(&PERF_MAP, open_perf_map, |file| write_perf_map(file, symbols)),
        Profiler::JitDump => with(&JIT_DUMP, JitDump::open, |file| file.write(symbols)),
    }
}

/// Does `work` with the file of this process.
fn with<T>(
    place: &Mutex<Option<Opened<T>>>,
    open: impl FnOnce(u32) -> Result<T>,
    work: impl FnOnce(&mut T) -> Result<()>,
) -> Result<()> {
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    let pid = std::process::id();
    if place.as_ref().is_none_or(|opened| opened.pid != pid) {
        *place = Some(Opened { pid, file: open(pid)? });
    }
    match &mut *place {
        Some(opened) => work(&mut opened.file),
        None => Ok(()),
    }
}

/// Opens a file that others may have put there: never through a link.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options
}

fn refused(path: &std::path::Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::System, format!("cannot write {} for profilers: {error}", Escaped(&path.to_string_lossy())))
}

/// Others in the process may have lines in it too: it is added to.
fn open_perf_map(pid: u32) -> Result<File> {
    let path = PathBuf::from(format!("/tmp/perf-{pid}.map"));
    options().append(true).open(&path).map_err(|error| refused(&path, &error))
}

/// All lines at once, so that those of others do not come between.
fn write_perf_map(file: &mut File, symbols: &[Symbol<'_>]) -> Result<()> {
    use std::fmt::Write as _;
    let mut lines = String::new();
    for symbol in symbols {
        // Writing to a string does not fail.
        let _ = writeln!(lines, "{:x} {:x} {}", symbol.address, symbol.code.len(), symbol.name);
    }
    file.write_all(lines.as_bytes())
        .map_err(|error| Error::new(ErrorKind::System, format!("writing the map for profilers: {error}")))
}

/// The file in the format of Linux's `tools/perf/Documentation/jitdump-specification.txt`, version 1.
struct JitDump {
    file: File,
    pid: u32,
    /// How many functions are in it.
    count: u64,
    marker: usize,
}

/// `JiTD`.
const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
const HEADER_BYTES: u32 = 40;
/// The record of a function.
const CODE_LOAD: u32 = 0;
/// Bytes of such a record without name and code.
const LOAD_BYTES: usize = 56;

impl JitDump {
    fn open(pid: u32) -> Result<JitDump> {
        let folder = std::env::var_os("JITDUMPDIR").map_or_else(|| PathBuf::from("."), PathBuf::from);
        let path = folder.join(format!("jit-{pid}.dump"));
        // Of an earlier process of this number nothing is kept.
        let file = options().read(true).write(true).truncate(true).open(&path);
        let mut file = file.map_err(|error| refused(&path, &error))?;
        let mut header = Vec::with_capacity(HEADER_BYTES as usize);
        for word in [MAGIC, VERSION, HEADER_BYTES, u32::from(ELF_MACHINE), 0, pid] {
            header.extend(word.to_le_bytes());
        }
        header.extend(now().to_le_bytes());
        header.extend(0u64.to_le_bytes());
        file.write_all(&header).map_err(|error| refused(&path, &error))?;
        // How `perf record` gets to know the file: somebody maps it executable. Nothing is ever read or run there.
        // SAFETY: a new mapping of a file of our own.
        let marker = unsafe {
            let protection = libc::PROT_READ | libc::PROT_EXEC;
            libc::mmap(std::ptr::null_mut(), PAGE_SIZE, protection, libc::MAP_PRIVATE, file.as_raw_fd(), 0)
        };
        if marker == libc::MAP_FAILED {
            let error = Error::last_os_error("mmap");
            return Err(error.context(format_args!("mapping {} for profilers", Escaped(&path.to_string_lossy()))));
        }
        Ok(JitDump { file, pid, count: 0, marker: marker as usize })
    }

    fn write(&mut self, symbols: &[Symbol<'_>]) -> Result<()> {
        let thread = thread_id();
        let mut records = Vec::new();
        for symbol in symbols {
            let bytes = LOAD_BYTES + symbol.name.len() + 1 + symbol.code.len();
            let bytes = u32::try_from(bytes)
                .map_err(|_| Error::new(ErrorKind::Limit, "a function of 4 GiB or more for profilers"))?;
            for word in [CODE_LOAD, bytes] {
                records.extend(word.to_le_bytes());
            }
            records.extend(now().to_le_bytes());
            for word in [self.pid, thread] {
                records.extend(word.to_le_bytes());
            }
            let address = symbol.address as u64;
            for word in [address, address, symbol.code.len() as u64, self.count] {
                records.extend(word.to_le_bytes());
            }
            records.extend(symbol.name.as_bytes());
            records.push(0);
            records.extend(symbol.code);
            self.count += 1;
        }
        self.file
            .write_all(&records)
            .map_err(|error| Error::new(ErrorKind::System, format!("writing the jitdump for profilers: {error}")))
    }
}

impl Drop for JitDump {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `open`; in a forked child, it is the child's copy.
        unsafe { libc::munmap(self.marker as *mut libc::c_void, PAGE_SIZE) };
    }
}

/// What `perf record -k mono` stamps its samples with.
fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the place is of the type that the call fills in; this clock is always there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
