//! Where a breakpoint goes: the instructions that an offset, a function or a line of the source means in a module, and
//! the sites that have to be armed for each. It reads modules, and knows no store.

use super::breakpoint::{BreakRequest, BreakTarget};
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Escaped, FuncIndex, Result, WasmOffset};
use crate::image::{ImageTables, RegionGraph, SiteId};
use crate::runtime::Module;
use crate::wasm::{EntityType, calls_of};
use smallvec::SmallVec;

/// A place of a breakpoint.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) func: DefinedFuncIndex,
    /// The instruction.
    pub(super) offset: WasmOffset,
    /// Its place in rerun code, if it is inside a region, and how many instructions that has.
    pub(super) position: Option<(u32, usize)>,
    /// The sites to arm in the module's code.
    pub(super) sites: SmallVec<[SiteId; 1]>,
}

/// The places of what was asked for in a module: at least one, ascending, each instruction once.
///
/// # Errors
/// [`ErrorKind::Argument`] where the module has none, which says why; those of compiling debug code.
pub(super) fn targets(module: &Module, target: &BreakTarget) -> Result<Vec<Target>> {
    let wanted = wanted(module, target)?;
    let code = module.debug_code(&|_, _| true)?;
    let mut found = Vec::with_capacity(wanted.len());
    let mut slipped = Vec::new();
    for &(func, from) in &wanted {
        let Some(place) = target_from(module, code.tables(), func, from)? else { continue };
        // Code of a line that cannot be reached is passed by where the line has some that can.
        let of_line = !matches!(target, BreakTarget::Line { .. }) || is_one_line(module, from, place.offset);
        if of_line { found.push(place) } else { slipped.push(place) }
    }
    if found.is_empty() {
        found = slipped;
    }
    if let (Some((func, from)), true) = (wanted.first(), found.is_empty()) {
        let func = module.info().func_index(*func);
        let message = format!("no instruction of function {func} that can be reached is at or after this offset");
        return Err(Error::new(ErrorKind::Argument, message).at(*from));
    }
    // What cannot be reached has slipped to an instruction that others may have.
    found.sort_by_key(|target| target.offset);
    found.dedup_by_key(|target| target.offset);
    Ok(found)
}

/// The same in any module: none where the module has no such thing.
pub(super) fn targets_if_any(module: &Module, request: &BreakRequest) -> Result<Vec<Target>> {
    match targets(module, &request.target) {
        Err(error) if error.kind() == ErrorKind::Argument => Ok(Vec::new()),
        found => found,
    }
}

/// The place of exactly this instruction of a function, which a walk over the body reaches. Where the compiler knows
/// better, no site is armed but in resume code: a callback may have the frame go where it does not go by itself.
///
/// # Errors
/// Those of compiling debug code, and of looking at the function.
pub(super) fn target_at(module: &Module, func: DefinedFuncIndex, at: WasmOffset) -> Result<Target> {
    let code = module.debug_code(&|_, _| true)?;
    let target = target_from(module, code.tables(), func, at)?.filter(|target| target.offset == at);
    Ok(target.unwrap_or(Target { func, offset: at, position: None, sites: SmallVec::new() }))
}

/// The functions and the offsets in them that are meant; at least one.
fn wanted(module: &Module, target: &BreakTarget) -> Result<Vec<(DefinedFuncIndex, WasmOffset)>> {
    match target {
        BreakTarget::Offset(offset) => Ok(vec![(function_at(module, *offset)?, *offset)]),
        BreakTarget::FunctionIndex(func) if is_imported(module, *func) => calls(module, *func),
        BreakTarget::FunctionIndex(func) => {
            let func = defined(module, *func)?;
            // Every function has a first instruction, if only its `end`.
            Ok(vec![(func, WasmOffset::from_usize(module.info().bodies[func.index()].bytes.start))])
        }
        BreakTarget::Function(name) => {
            let found = match module.functions_named(name) {
                Ok(found) => found,
                // An import has no code here, whatever it is exported as.
                Err(error) => {
                    return module.info().imported_func_named(name).map_or(Err(error), |func| calls(module, func));
                }
            };
            found.iter().map(|place| Ok((defined(module, place.function)?, place.entry))).collect()
        }
        BreakTarget::Line { file, line, column } => {
            let places = module.line_places(file, *line, *column).map(|found| found.places).unwrap_or_default();
            let inspector = module.inspector();
            let mut found = Vec::with_capacity(places.len());
            for place in places {
                let from = match place.inlined {
                    true => place.offset,
                    false => inspector.behind_entry(module.info(), place.offset),
                };
                // Damaged debug information has lines where no function is.
                found.extend(function_at(module, from).ok().map(|func| (func, from)));
            }
            if found.is_empty() { Err(no_line(module, file, *line)) } else { Ok(found) }
        }
    }
}

/// Whether two instructions are of the same line.
fn is_one_line(module: &Module, one: WasmOffset, other: WasmOffset) -> bool {
    let line = |offset| module.locations(offset).first().map(|location| (location.file_c(), location.line()));
    one == other || line(one) == line(other)
}

/// Says why a line has no place.
fn no_line(module: &Module, file: &str, line: u32) -> Error {
    let files = module.source_files();
    let shown = Escaped(file);
    let message = if files.is_empty() {
        format!("the module has no debug information that tells lines (compile it with -g), so none of `{shown}`")
    } else if module.line_with_code(file, 0).is_some() {
        format!("no code of `{shown}` is at line {line} or behind it")
    } else {
        let hint = match near(file, &files) {
            Some(name) => format!("; did you mean `{}`?", Escaped(name)),
            None => format!("; there is code of {} files, `{}` among them", files.len(), Escaped(files[0])),
        };
        format!("the module has no code of a file `{shown}`{hint}")
    };
    Error::new(ErrorKind::Argument, message)
}

/// A file with the same last name, whatever folder it is in.
fn near<'f>(wanted: &str, files: &[&'f str]) -> Option<&'f str> {
    let last = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
    let wanted = last(wanted);
    files.iter().copied().find(|file| last(file) == wanted)
}

/// The function whose body an offset is in.
fn function_at(module: &Module, offset: WasmOffset) -> Result<DefinedFuncIndex> {
    let bodies = &module.info().bodies;
    let behind = bodies.partition_point(|body| body.bytes.end <= offset.index());
    let body = bodies.get(behind).filter(|body| body.bytes.start <= offset.index());
    body.map(|body| body.func).ok_or_else(|| {
        let message = match (bodies.first(), bodies.last()) {
            (Some(first), Some(last)) => format!(
                "this offset is in no function's body; the module's are from {:#x} to {:#x}",
                first.bytes.start, last.bytes.end
            ),
            _ => "this offset is in no function's body; the module has no functions".to_owned(),
        };
        Error::new(ErrorKind::Argument, message).at(offset)
    })
}

/// The function of this index, which the module defines.
fn defined(module: &Module, func: FuncIndex) -> Result<DefinedFuncIndex> {
    let info = module.info();
    info.defined(func).filter(|_| func.index() < info.funcs.len()).ok_or_else(|| {
        let message = format!("there is no function {func}: the module has {}", info.funcs.len());
        Error::new(ErrorKind::Argument, message)
    })
}

fn is_imported(module: &Module, func: FuncIndex) -> bool {
    module.info().defined(func).is_none()
}

/// Where a module calls a function that it imports.
fn calls(module: &Module, func: FuncIndex) -> Result<Vec<(DefinedFuncIndex, WasmOffset)>> {
    let found = calls_of(module.info(), module.binary(), func)?;
    if !found.is_empty() {
        return Ok(found);
    }
    let mut funcs = module.info().imports.iter().filter(|import| matches!(import.ty, EntityType::Func(_)));
    let (of, name) = funcs.nth(func.index()).map_or(("", ""), |import| (&import.module, &import.name));
    let message = format!(
        "function {func}, `{}.{}`, is imported, and nothing in the module calls it by its index; set the breakpoint in \
         the module that defines it",
        Escaped(of),
        Escaped(name)
    );
    Err(Error::new(ErrorKind::Argument, message))
}

/// The site of exactly this instruction.
pub(super) fn site_of(tables: &ImageTables, wasm: WasmOffset) -> Option<SiteId> {
    tables.point(tables.point_at(wasm)?).site
}

/// Where a breakpoint of a function goes: the first instruction at or after an offset that can be reached.
fn target_from(
    module: &Module,
    tables: &ImageTables,
    func: DefinedFuncIndex,
    from: WasmOffset,
) -> Result<Option<Target>> {
    let at_site = |offset, site| Some(Target { func, offset, position: None, sites: SmallVec::from_slice(&[site]) });
    // Where a site stands, the guest itself stops.
    if let Some(site) = site_of(tables, from) {
        return Ok(at_site(from, site));
    }
    let graph = module.region_graph(func)?;
    let position = graph.instructions.partition_point(|at| *at < from);
    let Some(&offset) = graph.instructions.get(position) else { return Ok(None) };
    if let Some(site) = site_of(tables, offset) {
        return Ok(at_site(offset, site));
    }
    if !tables.regions {
        // The compiler knows that the guest does not come here by itself. A callback may have it come here, in resume
        // code.
        return Ok(Some(Target { func, offset, position: None, sites: SmallVec::new() }));
    }
    let sites = heads(&graph, tables, position as u32);
    Ok(Some(Target { func, offset, position: Some((position as u32, graph.instructions.len())), sites }))
}

/// The sites to arm in some code of a function for an instruction at which none of its own stands.
///
/// # Errors
/// Those of looking at the function.
pub(super) fn sites_before(
    module: &Module,
    tables: &ImageTables,
    func: DefinedFuncIndex,
    position: u32,
) -> Result<SmallVec<[SiteId; 1]>> {
    Ok(heads(&*module.region_graph(func)?, tables, position))
}

/// The sites from which an instruction inside a region can be reached without passing another.
fn heads(graph: &RegionGraph, tables: &ImageTables, position: u32) -> SmallVec<[SiteId; 1]> {
    let mut heads = SmallVec::new();
    let mut seen = std::collections::HashSet::from([position]);
    let mut due = vec![position];
    while let Some(position) = due.pop() {
        heads.extend(site_of(tables, graph.instructions[position as usize]));
        due.extend(graph.before(position).filter(|before| seen.insert(*before)));
    }
    heads.sort_unstable();
    heads
}
