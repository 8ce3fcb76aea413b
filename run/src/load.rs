//! From what was asked for to a module: the engine, and the bytes, which are a binary, text, or a compiled module.

use crate::end::{Ending, FAILURE, NOT_FOUND, NOT_RUN, OrEnd, Run, USAGE, reason, say};
use crate::options::{Options, Stubs};
use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::Duration;
use stepwell::runtime::DebugTier;
use stepwell::{Config, Engine, Extern, ExternType, Linker, Module, Store, wat2wasm};

/// The engine that the options ask for.
pub fn engine(options: &Options) -> Run<Engine> {
    let mut config = Config {
        debug: options.needs_debugger(),
        fuel: options.fuel.is_some(),
        // A guest is interrupted by what looks for epochs.
        epoch: options.timeout.is_some(),
        ..Config::default()
    };
    if options.simple {
        config.debug_tier = DebugTier::Simple;
    } else if options.coverage.is_some() {
        config.debug_tier = DebugTier::Blocks;
    }
    if let Some(bytes) = options.max_stack {
        config.max_stack = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    Engine::new(config).or_end(FAILURE, "making an engine")
}

/// A file as it was found.
enum Source {
    /// A binary, to be compiled.
    Binary(Vec<u8>),
    /// A compiled module.
    Compiled(Vec<u8>),
    /// A compiled module, which the library reads by itself, to where nobody can change it.
    CompiledFile,
}

/// A module, and what it took to have it.
pub struct Loaded {
    /// The module.
    pub module: Module,
    /// Bytes of the binary; none of what was compiled before.
    pub bytes: Option<usize>,
    /// How long compiling or loading it took.
    pub took: Duration,
}

/// What a path is called in messages.
pub fn name_of(path: &OsStr) -> String {
    if path == "-" { "standard input".to_owned() } else { path.to_string_lossy().into_owned() }
}

/// What a file begins with that tells what it is.
const BEGINNING: u64 = 128;

/// The end where a file cannot be read.
fn unread(path: &OsStr, error: &std::io::Error) -> Ending {
    let is_absent = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    let code = if is_absent { NOT_FOUND } else { NOT_RUN };
    Ending::new(code, format_args!("{}: {}", name_of(path), reason(error)))
}

/// Whether these bytes are meant to be a module in the text format: they begin as one does, or the file is called so.
fn is_text(path: &OsStr, bytes: &[u8]) -> bool {
    let begins = bytes.trim_ascii_start();
    let named = Path::new(path).extension().is_some_and(|ending| ending == "wat");
    !bytes.starts_with(b"\0asm") && (named || begins.starts_with(b"(") || begins.starts_with(b";;"))
}

/// Reads a module's file, as far as that is to be done here.
fn read(path: &OsStr, must_be_compiled: bool) -> Run<Source> {
    let wrong = |error| unread(path, &error);
    let mut bytes = Vec::new();
    if path == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(wrong)?;
    } else {
        let mut file = std::fs::File::open(path).map_err(wrong)?;
        file.by_ref().take(BEGINNING).read_to_end(&mut bytes).map_err(wrong)?;
        let is_regular = file.metadata().is_ok_and(|about| about.is_file());
        if is_regular && (must_be_compiled || Module::is_serialized(&bytes)) {
            return Ok(Source::CompiledFile);
        }
        file.read_to_end(&mut bytes).map_err(wrong)?;
    }
    if must_be_compiled || Module::is_serialized(&bytes) {
        return Ok(Source::Compiled(bytes));
    }
    match is_text(path, &bytes) {
        true => Ok(Source::Binary(wat2wasm(&bytes).or_end(NOT_RUN, name_of(path))?)),
        false => Ok(Source::Binary(bytes)),
    }
}

/// Makes a module of a file. `check` is asked about what a binary imports before that is compiled, which can take its
/// time.
pub fn load(
    engine: &Engine,
    path: &OsStr,
    must_be_compiled: bool,
    check: impl FnOnce(&[(&str, &str, ExternType)]) -> Run<()>,
) -> Run<Loaded> {
    let name = name_of(path);
    let source = read(path, must_be_compiled)?;
    let begin = std::time::Instant::now();
    let (module, bytes) = match source {
        Source::Binary(binary) => {
            let outside = Module::read_outside(engine, &binary).or_end(NOT_RUN, &name)?;
            check(&outside.import_types().collect::<Vec<_>>())?;
            (Module::new(engine, &binary).or_end(NOT_RUN, &name)?, Some(binary.len()))
        }
        Source::CompiledFile => (Module::deserialize_from_file(engine, path).or_end(NOT_RUN, &name)?, None),
        Source::Compiled(bytes) => (Module::deserialize(engine, &bytes).or_end(NOT_RUN, &name)?, None),
    };
    Ok(Loaded { module, bytes, took: begin.elapsed() })
}

/// Says which of these imports nobody provides, all of them, and ends; unless they are to be stubs.
pub fn check_imports(
    options: &Options,
    linker: &Linker,
    store: &mut Store,
    imports: &[(&str, &str, ExternType)],
) -> Run<()> {
    if options.stubs != Stubs::None {
        return Ok(());
    }
    let mut missing = Vec::new();
    for (from, name, ty) in imports {
        let found: Option<Extern> = linker.get(&mut *store, from, name).or_end(NOT_RUN, "imports")?;
        if found.is_none() {
            let kind = match ty {
                ExternType::Func(_) => "function",
                ExternType::Global(_) => "global",
                ExternType::Table(_) => "table",
                ExternType::Memory(_) => "memory",
                ExternType::Tag(_) => "tag",
            };
            let escaped = |text: &str| stepwell::readable(text);
            missing.push(format!("\n  {}.{}, a {kind}", escaped(from), escaped(name)));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let module = options.module.to_string_lossy();
    say(format_args!(
        "{module} imports what nobody provides (--stub-missing makes stubs, --preload NAME=FILE takes another module's \
         exports):{}",
        missing.concat()
    ));
    Err(Ending::silent(NOT_RUN))
}

/// Writes a compiled module to the file that was asked for.
pub fn write_compiled(module: &Module, to: &OsStr) -> Run<()> {
    module.serialize_to_file(to).or_end(FAILURE, to.to_string_lossy())
}

/// Makes stubs of what is missing, if they are asked for.
pub fn define_stubs(options: &Options, linker: &mut Linker, store: &mut Store, module: &Module) -> Run<()> {
    match options.stubs {
        Stubs::None => return Ok(()),
        Stubs::Zero => {}
        Stubs::Trap => linker.define_unknown_imports_as_traps(module).or_end(NOT_RUN, "--stub-missing")?,
    }
    linker.fill_missing_with_defaults(store, module).or_end(NOT_RUN, "--stub-missing")
}

/// Defines the exports of other modules, as they were asked for.
pub fn preload(options: &Options, engine: &Engine, linker: &mut Linker, store: &mut Store) -> Run<()> {
    for (name, file) in &options.preloads {
        let loaded = load(engine, file, false, |_| Ok(()))?;
        let file = name_of(file);
        linker.module(&mut *store, name, &loaded.module).or_end(NOT_RUN, format_args!("--preload {name}={file}"))?;
    }
    Ok(())
}

/// Splits `HOST[::GUEST][:ro]`: the directory, its name for the guest, whether it can be written.
pub fn directory(said: &OsStr) -> Run<(&OsStr, String, bool)> {
    use std::os::unix::ffi::OsStrExt;
    let shown = said.to_string_lossy();
    let bytes = said.as_bytes();
    let read_only = bytes.len() > 3 && bytes.ends_with(b":ro");
    let bytes = if read_only { &bytes[..bytes.len() - 3] } else { bytes };
    let colons = bytes.windows(2).position(|two| two == b"::");
    let (host, guest) = match colons {
        Some(at) => (&bytes[..at], Some(&bytes[at + 2..])),
        None => (bytes, None),
    };
    if host.is_empty() || guest.is_some_and(<[u8]>::is_empty) {
        return Err(Ending::new(USAGE, format_args!("--dir: `{shown}` is not HOST[::GUEST][:ro]")));
    }
    let guest = String::from_utf8(guest.unwrap_or(host).to_vec())
        .map_err(|_| Ending::new(USAGE, format_args!("--dir: the guest's name of `{shown}` is no UTF-8")))?;
    if let Some(at) = colons.and_then(|_| guest.find(':')) {
        let ending = &guest[at..];
        return Err(Ending::new(
            USAGE,
            format_args!("--dir: `{shown}` ends with `{ending}`; only `:ro` is known there"),
        ));
    }
    Ok((OsStr::from_bytes(host), guest, !read_only))
}
