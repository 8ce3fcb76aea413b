//! Places as people type them: a function, `FILE:LINE`, a line, `*OFFSET`, `#INDEX`.

use super::expressions::integer;
use super::fault::{Fault, Outcome};
use stepwell::Module;
use stepwell::base::{FuncIndex, WasmOffset};
use stepwell::debug::BreakRequest;

/// What a place is relative to: the selected frame's module and place, or where the source was listed last.
pub struct Around<'a> {
    /// The module.
    pub module: &'a Module,
    /// The file and line, if there is one.
    pub source: Option<(String, u32)>,
    /// The instruction, if there is one.
    pub offset: Option<WasmOffset>,
}

/// A place that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A line of a file.
    Line(String, u32),
    /// A function by its name.
    Function(String),
    /// A function by its index.
    Index(u32),
    /// An instruction.
    Offset(WasmOffset),
}

/// What a place means.
pub fn read(text: &str, around: &Around<'_>) -> Outcome<Typed> {
    let text = text.trim();
    let line = |text: &str| text.parse::<u32>().ok().filter(|line| *line > 0);
    if text.is_empty() {
        let here = around.offset.ok_or_else(|| Fault::new("where? A function, FILE:LINE, *OFFSET or #INDEX"))?;
        return Ok(Typed::Offset(here));
    }
    if let Some(offset) = text.strip_prefix('*') {
        let offset = integer(offset).and_then(|offset| u32::try_from(offset).ok());
        let offset = offset.ok_or_else(|| Fault::new(format_args!("`{text}` is no offset: `*0x1234`")))?;
        return Ok(Typed::Offset(WasmOffset::new(offset)));
    }
    if let Some(index) = text.strip_prefix('#').and_then(|index| index.parse().ok()) {
        return Ok(Typed::Index(index));
    }
    let relative = |sign: char| text.strip_prefix(sign).and_then(|count| count.parse::<u32>().ok());
    let here = || around.source.clone().ok_or_else(|| Fault::new("there is no file here: FILE:LINE says which"));
    if let Some(more) = relative('+') {
        let (file, line) = here()?;
        return Ok(Typed::Line(file, line.saturating_add(more)));
    }
    if let Some(less) = relative('-') {
        let (file, line) = here()?;
        return Ok(Typed::Line(file, line.saturating_sub(less).max(1)));
    }
    if let Some(line) = line(text) {
        return Ok(Typed::Line(here()?.0, line));
    }
    if let Some((file, behind)) = text.rsplit_once(':').filter(|(file, _)| !file.is_empty() && !file.ends_with(':')) {
        match line(behind.trim()) {
            Some(line) => return Ok(Typed::Line(file.trim().to_owned(), line)),
            // `FILE:FUNCTION`
            None if file.contains('.') => return Ok(Typed::Function(behind.trim().to_owned())),
            None => {}
        }
    }
    Ok(Typed::Function(text.trim_end_matches("()").to_owned()))
}

impl Typed {
    /// The breakpoints of a place: of an offset and an index in `module`, else in all that there are. Of a function
    /// that has debug information they are behind what sets up its frame, where its parameters are there.
    pub fn requests(&self, module: &Module, all: &[Module]) -> Vec<BreakRequest> {
        match self {
            Typed::Line(file, line) => vec![BreakRequest::line(None, file, *line, None)],
            Typed::Index(index) => vec![BreakRequest::function_index(module, FuncIndex::new(*index))],
            Typed::Offset(offset) => vec![BreakRequest::offset(module, *offset)],
            Typed::Function(name) => {
                let of = |module: &Module| {
                    let found = module.functions_named(name).unwrap_or_default();
                    let offset = |place: &stepwell::dwarf::FunctionPlace| BreakRequest::offset(module, place.offset);
                    found.iter().map(offset).collect::<Vec<_>>()
                };
                let found: Vec<BreakRequest> = all.iter().flat_map(of).collect();
                // An import, which is stopped at where it is called; or nothing.
                if found.is_empty() { vec![BreakRequest::function(None, name)] } else { found }
            }
        }
    }

    /// Where it is in the source of `module`.
    pub fn source(&self, module: &Module) -> Outcome<(String, u32)> {
        let of_offset = |offset: WasmOffset| {
            let places = module.locations(offset);
            let place = places.last().and_then(|place| Some((place.file()?.to_owned(), place.line())));
            place.filter(|(_, line)| *line > 0)
        };
        let none = || Fault::new("there is no source there (the module has no DWARF: -g of its compiler)");
        match self {
            Typed::Line(file, line) => {
                let found = module.source_files().into_iter().find(|known| {
                    *known == file || known.strip_suffix(file.as_str()).is_some_and(|before| before.ends_with('/'))
                });
                Ok((found.unwrap_or(file).to_owned(), *line))
            }
            Typed::Offset(offset) => of_offset(*offset).ok_or_else(none),
            Typed::Index(index) => {
                let info = module.function_list(*index..index.saturating_add(1));
                let found = info.first().and_then(|info| Some((info.file?.to_owned(), info.line)));
                found.ok_or_else(none)
            }
            Typed::Function(name) => {
                let found = module.functions_named(name)?;
                let found = found.iter().find(|found| !found.inlined).or(found.first()).ok_or_else(none)?;
                let places = module.locations(found.offset);
                let place = if found.inlined { places.first() } else { places.last() };
                let place = place.and_then(|place| Some((place.file()?.to_owned(), place.line())));
                place.ok_or_else(none)
            }
        }
    }
}
