//! Modules as bytes and as files, to be used again without compiling: by another engine of the same configuration,
//! another process, another machine of the same kind. Loading one copies it once, to where nobody can change it; there
//! it is checked, and from there its code is executed.
//!
//! Data stands in the file once, as a part of the Wasm. The file says where that which memories begin with is in large
//! pieces, and loading leaves those out of the copy: they go to the file in memory that memories map, and stand nowhere
//! else in the process. In the copy are zeros, which take no memory, so that everything else is at its offset. An
//! engine that can have no images copies all.
//!
//! Pages that are ready to be mapped, as a part of the file, would be no faster, for they have to be copied too. They
//! would be in the file a second time, or the Wasm would have to be put together from them by everybody who has the
//! file; and data in small pieces takes more pages than it has bytes.
//!
//! The checks find what is foreign, damaged, or does not fit this engine. They are no protection against somebody who
//! wants to be malicious: a serialized module is machine code, and as trusted as a shared library.

use crate::base::{DefinedFuncIndex, Error, ErrorKind, Escaped, Result, Shared};
use crate::code::EngineCode;
use crate::compile::{DebugTier, vm_layout};
use crate::image::{BEGINNING, CodeImage, ElfImages, FileHead, ImageRef, ImageTables, Tier, write_elf};
use crate::runtime::compiled::binary::{Binary, LeftOut};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::compiled::initial::{Initial, may_be_left_out};
use crate::runtime::compiled::manifest::Usable;
use crate::runtime::compiled::module::Module;
use crate::sys::files::write_whole;
use crate::sys::sealed::SealedBytes;
use crate::sys::source::Source;
use crate::wasm::{self, ModuleInfo};
use std::ops::Range;
use std::path::Path;

impl Module {
    /// The module as bytes: its Wasm, its production code, and its debug code where that has been compiled
    /// ([`Module::debug_code`]).
    ///
    /// # Errors
    /// [`ErrorKind::System`] where the code cannot be read back from where it lives.
    pub fn serialize(&self) -> Result<Vec<u8>> {
        let production = self.production_code();
        let debug = self.debug_if_compiled();
        let production_text = production.copy_text()?;
        let debug_text = debug.map(|code| code.copy_text()).transpose()?;
        let mut images = vec![ImageRef { text: &production_text, tables: production.tables() }];
        if let (Some(code), Some(text)) = (debug, &debug_text) {
            images.push(ImageRef { text, tables: code.tables() });
        }
        let left_out = may_be_left_out(self.info());
        Ok(write_elf(&self.engine().manifest().to_text(), &self.binary_to_write(), &images, &left_out))
    }

    /// Whether bytes begin as those of [`Module::serialize`] do, of whatever version: the first 128 of a file are
    /// enough. What is behind them is not looked at.
    pub fn is_serialized(beginning: &[u8]) -> bool {
        FileHead::is_of_ours(beginning)
    }

    /// Writes [`Module::serialize`]'s bytes to a file. Whoever reads it at the same time finds what was there before,
    /// or all of the new.
    ///
    /// # Errors
    /// [`ErrorKind::System`]; what was there stays.
    pub fn serialize_to_file(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), &self.serialize()?)
    }

    /// The module that [`Module::serialize`] gave these bytes of. Nothing is compiled, but debug code where the engine
    /// wants it and there is none of its kind: on first use, as ever.
    ///
    /// Load what you trust: it is machine code. Damage is found, malice is not.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidModule`] for bytes that are no serialized module or were damaged; [`ErrorKind::Unsupported`]
    /// for one of another version, another kind of machine, or another configuration, which the message names, and for
    /// one that uses proposals which this engine has not.
    pub fn deserialize(engine: &Engine, bytes: &[u8]) -> Result<Module> {
        load(engine, &Source::from(bytes))
    }

    /// The same from a file. What becomes of the file afterwards is nothing to the module.
    ///
    /// # Errors
    /// As [`Module::deserialize`], and [`ErrorKind::System`] for a file that cannot be read.
    pub fn deserialize_from_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
        let path = path.as_ref();
        load(engine, &Source::open(path)?)
            .map_err(|error| error.context(format_args!("`{}`", Escaped(&path.to_string_lossy()))))
    }
}

fn load(engine: &Engine, source: &Source<'_>) -> Result<Module> {
    let head = FileHead::read(&source.beginning(BEGINNING)?, source.len())?;
    load_with(engine, source, engine.config().memory_images.then(|| head.left_out()))
}

/// Loads a module. Where it is to have images now, the file is copied without what is said to be left out. It may have
/// changed since that was read: then it does not fit any more.
fn load_with(engine: &Engine, source: &Source<'_>, images_without: Option<&[Range<usize>]>) -> Result<Module> {
    let left_out = images_without.unwrap_or_default();
    let mut file = SealedBytes::copy_of(source, left_out, engine.backing())?;
    let images = ElfImages::open(&file)?;
    let usable = engine.manifest().accept(images.manifest()?)?;
    let wasm = images.wasm()?;
    let binary = &file[wasm.clone()];
    let info = parse(engine, binary, usable)?;
    let layout = vm_layout(&info)?;
    let take = |tier: Tier| -> Result<Option<Shared<EngineCode>>> {
        let Some((tables, text)) = images.image(tier)? else { return Ok(None) };
        check_functions(&tables, &info, binary)?;
        if text.is_empty() {
            return Ok(Some(engine.new_code(CodeImage { text: Vec::new(), tables })));
        }
        Ok(Some(EngineCode::of_text(tables, file.text(text)?)?))
    };
    let production = take(Tier::Production)?.ok_or_else(|| other_code("it has none"))?;
    let debug = if usable.debug { take(Tier::Debug)? } else { None };
    let regions = engine.config().debug_tier != DebugTier::Simple;
    if debug.as_ref().is_some_and(|code| code.tables().regions != regions) {
        return Err(other_code("debug code of another kind than it says"));
    }
    let (initial, inside) = match images_without {
        Some(_) => {
            let copy = Source::from(&*file);
            let from = Source::copied(source, left_out, &copy);
            match Initial::loaded(&info, (&from, wasm.start), left_out)? {
                Some(loaded) => loaded,
                // The system has no file for an image: data has to be in the copy.
                None => return load_with(engine, source, None),
            }
        }
        None => (Initial::new(&info, engine.config().memory_images), Vec::new()),
    };
    match left_out.is_empty() {
        true => images.check_nothing_left_out()?,
        false => images.check_left_out(inside.iter().map(LeftOut::bytes))?,
    }
    file.close();
    let binary = Binary::loaded(file, wasm, inside);
    Ok(Module::of_parts(engine, (info, layout), (binary, initial), (production, usable.refuels), debug))
}

/// What the Wasm says. It was validated when it was compiled; again only if that engine allowed more than this one.
fn parse(engine: &Engine, binary: &[u8], usable: Usable) -> Result<ModuleInfo> {
    let config = engine.config();
    if usable.validated {
        return wasm::parse_again(binary, config.features);
    }
    wasm::parse(binary, config.features, config.parallel)
}

#[cold]
fn other_code(what: impl std::fmt::Display) -> Error {
    let message = format!("the serialized module's code is not that of its Wasm ({what}); compile the module again");
    Error::new(ErrorKind::InvalidModule, message)
}

/// Whether the tables are of the functions of this module: those, with those locals, and points within their bodies.
fn check_functions(tables: &ImageTables, info: &ModuleInfo, binary: &[u8]) -> Result<()> {
    if tables.first.get() != 0 || tables.functions.len() != info.bodies.len() {
        return Err(other_code(format_args!("{} functions of {}", tables.functions.len(), info.bodies.len())));
    }
    if tables.tier == Tier::Production {
        return Ok(());
    }
    for (i, (function, body)) in tables.functions.iter().zip(&info.bodies).enumerate() {
        let func = DefinedFuncIndex::from_usize(i);
        let (start, end) = function.points;
        // Points are sorted by where they are.
        let mut ends = [Some(start), end.checked_sub(1)].into_iter().flatten().filter(|_| start < end);
        let inside = ends.all(|id| tables.points.get(id).is_some_and(|point| body.bytes.contains(&point.wasm.index())));
        let locals = u64::from(function.locals.1 - function.locals.0);
        let kept = info.kept_count(func, binary);
        if !inside || function.kept != kept || locals != info.locals_count(func, binary) + u64::from(kept) {
            return Err(other_code(format_args!("function {}", info.func_index(func))));
        }
    }
    Ok(())
}
