//! A guest with which every function can be called with any arguments, and a folder to call them on.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use stepwell::wasi::{Access, MODULE, WasiConfig};
use stepwell::*;

/// All functions of preview 1 but `proc_exit`, with their parameters. Each returns an error number.
pub const FUNCTIONS: &[(&str, &str)] = &[
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "iIi"),
    ("random_get", "ii"),
    ("proc_raise", "i"),
    ("sched_yield", ""),
    ("poll_oneoff", "iiii"),
    ("fd_advise", "iIIi"),
    ("fd_allocate", "iII"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "iII"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "iI"),
    ("fd_filestat_set_times", "iIIi"),
    ("fd_pread", "iiiIi"),
    ("fd_prestat_get", "ii"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_pwrite", "iiiIi"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiiIi"),
    ("fd_renumber", "ii"),
    ("fd_seek", "iIii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiiIIi"),
    ("path_link", "iiiiiii"),
    ("path_open", "iiiiiIIii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_symlink", "iiiii"),
    ("path_unlink_file", "iii"),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

pub const SUCCESS: i32 = 0;
pub const EPERM: i32 = 63;
pub const ENOTSUP: i32 = 58;
pub const ENOTSOCK: i32 = 57;
pub const ENOTEMPTY: i32 = 55;
pub const EMFILE: i32 = 33;
pub const EIO: i32 = 29;
pub const ENOSPC: i32 = 51;
pub const EAGAIN: i32 = 6;
pub const EBADF: i32 = 8;
pub const EEXIST: i32 = 20;
pub const EFAULT: i32 = 21;
pub const EILSEQ: i32 = 25;
pub const EINVAL: i32 = 28;
pub const EISDIR: i32 = 31;
pub const ELOOP: i32 = 32;
pub const ENAMETOOLONG: i32 = 37;
pub const ENOENT: i32 = 44;
pub const ENOTDIR: i32 = 54;
pub const ESPIPE: i32 = 70;
pub const ENOTCAPABLE: i32 = 76;

pub const READ: i64 = 1 << 1 | 1 << 2 | 1 << 5 | 1 << 21;
pub const WRITE: i64 = 1 << 6;
pub const CREATE: i64 = 1;
pub const DIRECTORY: i64 = 2;
pub const EXCLUSIVE: i64 = 4;
pub const TRUNCATE: i64 = 8;

/// A module with a function for each of WASI's, which passes its parameters on.
fn text(pages: u32) -> String {
    let (mut imports, mut functions) = (String::new(), String::new());
    for (name, params) in FUNCTIONS {
        let types: String = params.chars().map(|c| if c == 'i' { " i32" } else { " i64" }).collect();
        let passed: String = (0..params.len()).map(|i| format!(" (local.get {i})")).collect();
        imports += &format!("(import \"{MODULE}\" \"{name}\" (func ${name} (param{types}) (result i32)))\n");
        functions += &format!("(func (export \"{name}\") (param{types}) (result i32) (call ${name}{passed}))\n");
    }
    format!(
        "(module {imports} (import \"{MODULE}\" \"proc_exit\" (func $exit (param i32))) (memory (export \"memory\") {pages})\n\
         {functions} (func (export \"exit\") (param i32) (call $exit (local.get 0)) unreachable))"
    )
}

/// An instance that passes every function on.
pub struct Guest {
    pub store: Store,
    pub instance: Instance,
    pub memory: Memory,
}

impl Guest {
    /// One with 4 pages of memory.
    pub fn new(config: WasiConfig) -> Guest {
        Guest::with_pages(config, 4)
    }

    pub fn with_pages(config: WasiConfig, pages: u32) -> Guest {
        Guest::on_engine(&Engine::new(Config::default()).unwrap(), config, pages)
    }

    pub fn on_engine(engine: &Engine, config: WasiConfig, pages: u32) -> Guest {
        let mut store = Store::new(engine);
        let mut linker = Linker::new(engine);
        config.add_to(&mut linker, &mut store).unwrap();
        let module = Module::new(engine, &wat::parse_str(text(pages)).unwrap()).unwrap();
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let memory = instance.export(&mut store, "memory").unwrap().memory().unwrap();
        Guest { store, instance, memory }
    }

    pub fn call(&mut self, name: &str, args: &[i64]) -> i32 {
        self.try_call(name, args).unwrap()
    }

    /// The same, of a call that may end the guest.
    pub fn try_call(&mut self, name: &str, args: &[i64]) -> stepwell::base::Result<i32> {
        let (_, params) = FUNCTIONS.iter().find(|(n, _)| *n == name).unwrap();
        assert_eq!(params.len(), args.len(), "{name}");
        let args: Vec<Val> = params
            .chars()
            .zip(args)
            .map(|(c, &arg)| if c == 'i' { Val::I32(arg as i32) } else { Val::I64(arg) })
            .collect();
        let func = self.instance.export(&mut self.store, name).unwrap().func().unwrap();
        let mut results = [Val::I32(-1)];
        func.call(&mut self.store, &args, &mut results)?;
        match results[0] {
            Val::I32(errno) => Ok(errno),
            _ => unreachable!(),
        }
    }

    /// Calls a function with a path between other arguments.
    pub fn path(&mut self, name: &str, front: &[i64], path: &str, back: &[i64]) -> i32 {
        self.path_bytes(name, front, path.as_bytes(), back)
    }

    pub fn path_bytes(&mut self, name: &str, front: &[i64], path: &[u8], back: &[i64]) -> i32 {
        self.put(0x4000, path);
        let args: Vec<i64> = [front, &[0x4000, path.len() as i64], back].concat();
        self.call(name, &args)
    }

    /// How many bytes of memory there are.
    pub fn get_len(&self) -> usize {
        self.memory.data(&self.store).unwrap().len()
    }

    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.memory.write(&mut self.store, at, bytes).unwrap();
    }

    pub fn get(&self, at: usize, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        self.memory.read(&self.store, at, &mut out).unwrap();
        out
    }

    pub fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.get(at, 4).try_into().unwrap())
    }

    pub fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.get(at, 8).try_into().unwrap())
    }

    /// Opens a path below descriptor 3: the new descriptor or the error.
    pub fn open(&mut self, path: &str, lookup: i64, oflags: i64, rights: i64) -> Result<i64, i32> {
        self.open_at(3, path.as_bytes(), lookup, oflags, rights, -1, 0)
    }

    #[allow(clippy::too_many_arguments)]
    pub fn open_at(
        &mut self,
        dir: i64,
        path: &[u8],
        lookup: i64,
        oflags: i64,
        rights: i64,
        inheriting: i64,
        fdflags: i64,
    ) -> Result<i64, i32> {
        self.put(0x1000, path);
        let args = [dir, lookup, 0x1000, path.len() as i64, oflags, rights, inheriting, fdflags, 0x800];
        match self.call("path_open", &args) {
            SUCCESS => Ok(i64::from(self.u32(0x800))),
            errno => Err(errno),
        }
    }

    /// Reads at most `len` bytes.
    pub fn read(&mut self, fd: i64, len: u32) -> Result<Vec<u8>, i32> {
        self.put(0x100, &[0x2000u32.to_le_bytes(), len.to_le_bytes()].concat());
        match self.call("fd_read", &[fd, 0x100, 1, 0x800]) {
            SUCCESS => Ok(self.get(0x2000, self.u32(0x800) as usize)),
            errno => Err(errno),
        }
    }

    pub fn write(&mut self, fd: i64, bytes: &[u8]) -> Result<u32, i32> {
        self.put(0x2000, bytes);
        self.put(0x100, &[0x2000u32.to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat());
        match self.call("fd_write", &[fd, 0x100, 1, 0x800]) {
            SUCCESS => Ok(self.u32(0x800)),
            errno => Err(errno),
        }
    }
}

/// A folder that goes when this is dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("stepwell-wasi-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `root/` with a file and a folder, and `secret` beside it; the guest gets `root` as descriptor 3.
pub fn with_folder(access: Access) -> (Folder, Guest) {
    let folder = Folder::new();
    let root = folder.0.join("root");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(root.join("file"), "hello, file").unwrap();
    fs::write(root.join("sub/inner"), "inner").unwrap();
    fs::write(folder.0.join("secret"), "secret").unwrap();
    symlink("file", root.join("link")).unwrap();
    symlink("../secret", root.join("out")).unwrap();
    symlink("..", root.join("up")).unwrap();
    symlink(folder.0.join("secret"), root.join("absolute")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    let mut config = WasiConfig::new();
    config.preopen_dir(&root, "/data", access).unwrap();
    (folder, Guest::new(config))
}
