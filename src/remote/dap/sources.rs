//! Where code is, as a client sees it: files of the source, which it opens itself, and functions without one, of which
//! it is given the instructions as text. Modules, and addresses in them.

use super::adapter::Adapter;
use super::message::{Answer, Args, compact, event, failure};
use crate::base::{FuncIndex, WasmOffset};
use crate::runtime::{Instance, Module};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

/// Of so many functions it is kept where their lines of instructions are.
const MAX_KEPT: usize = 64;

/// So many places of a file are told at most.
const MAX_PLACES: usize = 10_000;

/// An address of code has this bit: behind it the number of the module, and the offset in it. Others are addresses in a
/// memory: above them the number of the instance whose first memory it is.
const CODE: u64 = 1 << 62;
const INSTANCE_SHIFT: u32 = 48;

/// An address of the client's, which is text to it.
#[derive(Clone, Debug)]
pub(super) enum Address {
    /// In a module. It may be outside.
    Code(usize, i64),
    /// In the first memory of an instance, by its number; 0 is the one of the frame that is looked at.
    Memory(u32, u64),
}

/// The modules that were seen, and what was shown of them.
#[derive(Default)]
pub(super) struct Sources {
    modules: Vec<Module>,
    /// Those that the client was told of.
    told: BTreeSet<usize>,
    /// The functions whose instructions the client may ask for.
    shown: Vec<(usize, FuncIndex)>,
    /// Where the instructions of functions are.
    offsets: HashMap<(usize, FuncIndex), Vec<u32>>,
    /// The files that the client was told of.
    files: BTreeSet<String>,
    /// Where the client has files, by what modules call them: it has said so, or has set a breakpoint there.
    places: BTreeMap<String, String>,
    /// What the client has said of whole folders: how their paths begin in modules, and how on its machine.
    folders: Vec<(String, String)>,
}

impl Sources {
    /// The number of a module, from 0 on.
    fn number_of(&mut self, module: &Module) -> usize {
        self.modules.iter().position(|known| Module::same(known, module)).unwrap_or_else(|| {
            self.modules.push(module.clone());
            self.modules.len() - 1
        })
    }

    pub(super) fn module(&self, number: usize) -> Option<&Module> {
        self.modules.get(number)
    }

    /// The address of an instruction.
    pub(super) fn code_address(&mut self, module: &Module, offset: u32) -> String {
        let number = self.number_of(module) as u64 + 1;
        format!("{:#x}", CODE | number << 32 | u64::from(offset))
    }

    /// The line of an instruction in the text of its function, from 1.
    fn line_of(&mut self, module: usize, func: FuncIndex, offset: WasmOffset) -> u32 {
        self.offsets_of(module, func).partition_point(|known| *known <= offset.get()).max(1) as u32 + 1
    }

    fn offsets_of(&mut self, module: usize, func: FuncIndex) -> &[u32] {
        if self.offsets.len() >= MAX_KEPT && !self.offsets.contains_key(&(module, func)) {
            self.offsets.clear();
        }
        let code = &self.modules[module];
        self.offsets.entry((module, func)).or_insert_with(|| {
            let all = code.instructions(func, WasmOffset::new(0), usize::MAX).unwrap_or_default();
            all.iter().map(|instruction| instruction.offset.get()).collect()
        })
    }

    /// A function without lines as a source of its own, and the line of an instruction in it.
    pub(super) fn of_function(&mut self, module: &Module, func: FuncIndex, offset: WasmOffset) -> (Value, u32) {
        let number = self.number_of(module);
        let at = self.shown.iter().position(|known| *known == (number, func)).unwrap_or_else(|| {
            self.shown.push((number, func));
            self.shown.len() - 1
        });
        let name = format!("{}.wat", function_name(module, func));
        let line = self.line_of(number, func, offset);
        let source = json!({
            "name": name, "sourceReference": at + 1, "origin": "the function's instructions",
            "presentationHint": "normal"
        });
        (source, line)
    }

    /// A file of the source, as the client is told of it.
    pub(super) fn file(&self, file: &str) -> Value {
        let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
        let in_folder = || {
            let known = self.folders.iter().filter_map(|(from, to)| Some((from, to, file.strip_prefix(&**from)?)));
            let (_, to, rest) = known.max_by_key(|(from, ..)| from.len())?;
            Some(format!("{to}{rest}"))
        };
        let path = self.places.get(file).cloned().or_else(in_folder).unwrap_or_else(|| file.to_owned());
        json!({ "name": name, "path": path })
    }

    /// The client has a file there.
    fn learn(&mut self, file: String, path: &str) {
        self.places.insert(file, path.to_owned());
    }

    /// Takes what a client says of folders: an object, or pairs.
    pub(super) fn set_folders(&mut self, said: &Value) {
        let pair = |from: &Value, to: &Value| Some((from.as_str()?.to_owned(), to.as_str()?.to_owned()));
        self.folders = match said {
            Value::Object(members) => {
                members.iter().filter_map(|(from, to)| Some((from.clone(), to.as_str()?.to_owned()))).collect()
            }
            Value::Array(pairs) => pairs.iter().filter_map(|one| pair(one.get(0)?, one.get(1)?)).collect(),
            _ => Vec::new(),
        };
    }

    /// What a source that was told by a number is of.
    pub(super) fn function(&self, reference: i64) -> Answer<(usize, FuncIndex)> {
        let at = usize::try_from(reference).ok().and_then(|reference| reference.checked_sub(1));
        let known = at.and_then(|at| self.shown.get(at)).copied();
        known.ok_or_else(|| failure(format!("there is no source {reference}")))
    }

    /// The instruction of a line of such a source, or of the next one.
    pub(super) fn instruction_of(&mut self, reference: i64, line: u32) -> Answer<(Module, WasmOffset, u32)> {
        let (module, func) = self.function(reference)?;
        let at = line.saturating_sub(2) as usize;
        let offset = self.offsets_of(module, func).get(at).copied();
        let offset = offset.ok_or_else(|| failure(format!("the function has no instruction at line {line}")))?;
        Ok((self.modules[module].clone(), WasmOffset::new(offset), at as u32 + 2))
    }

    fn text(&self, reference: i64) -> Answer<String> {
        let (module, func) = self.function(reference)?;
        let module = &self.modules[module];
        let mut text = format!(";; function {}: {}\n", func, function_name(module, func));
        for instruction in module.instructions(func, WasmOffset::new(0), usize::MAX)? {
            _ = writeln!(text, "{:#08x}  {}", instruction.offset.get(), instruction.text);
        }
        Ok(text)
    }
}

/// What a function is called, without DWARF if need be.
pub(super) fn function_name(module: &Module, func: FuncIndex) -> String {
    let known = module.function_list(func.get()..func.get().saturating_add(1)).into_iter().next();
    known.and_then(|info| info.name).unwrap_or_else(|| format!("function {func}"))
}

/// How many of the last names of two paths are the same, and whether that is all of one of them.
fn common_end(a: &str, b: &str) -> (usize, bool) {
    let names = |path: &str| -> Vec<String> {
        let parts = path.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".");
        parts.rev().map(str::to_owned).collect()
    };
    let (a, b) = (names(a), names(b));
    let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    (same, same == a.len() || same == b.len())
}

/// The file of a module that a path of the client's machine means: that one, one that is the end of the other, or the
/// one that ends like it most.
pub(super) fn matching_file(module: &Module, path: &str) -> Option<String> {
    let files = module.source_files().into_iter();
    let rated = files.map(|file| (file == path, common_end(file, path), file)).filter(|(_, (same, _), _)| *same > 0);
    rated.max_by_key(|(equal, (same, whole), _)| (*equal, *whole, *same)).map(|(_, _, file)| file.to_owned())
}

/// A path as the client has sent it: some send URIs.
pub(super) fn path_of(sent: &str) -> &str {
    sent.strip_prefix("file://").unwrap_or(sent)
}

impl Adapter {
    /// The modules that there are now, those that are new at the end.
    pub(super) fn modules(&self) -> Vec<Module> {
        let mut modules: Vec<Module> = Vec::new();
        for instance in self.client.instances() {
            if !modules.iter().any(|known| Module::same(known, &instance.module)) {
                modules.push(instance.module);
            }
        }
        modules
    }

    fn module_value(&mut self, module: &Module) -> Value {
        let number = self.sources.number_of(module);
        let name = module.name().map_or_else(|| format!("module {}", number + 1), str::to_owned);
        let has_lines = !module.source_files().is_empty();
        json!({
            "id": number + 1, "name": name, "isUserCode": true,
            "symbolStatus": if has_lines { "DWARF" } else { "no debug information" }
        })
    }

    /// Tells of modules and files that are new.
    pub(super) fn tell_modules(&mut self) {
        let (modules, mut has_learnt) = (self.modules(), false);
        for module in modules {
            let number = self.sources.number_of(&module);
            if !self.sources.told.insert(number) {
                continue;
            }
            if !std::mem::replace(&mut has_learnt, true) {
                self.learn_files();
            }
            let value = self.module_value(&module);
            self.send(event("module", json!({ "reason": "new", "module": value })));
            for file in module.source_files() {
                if self.sources.files.insert(file.to_owned()) {
                    let source = self.sources.file(file);
                    self.send(event("loadedSource", json!({ "reason": "new", "source": source })));
                }
            }
        }
    }

    /// The number by which the client calls a module.
    pub(super) fn module_id(&mut self, module: &Module) -> usize {
        self.sources.number_of(module) + 1
    }

    /// The client has a file at this path: that is where it is shown from now on.
    pub(super) fn learn_file(&mut self, path: &str) {
        for module in self.modules() {
            if let Some(file) = matching_file(&module, path) {
                self.sources.learn(file, path);
            }
        }
    }

    pub(super) fn request_modules(&mut self, args: Args<'_>) -> Answer {
        let (from, count) = (args.opt_count("startModule")?.unwrap_or(0), args.opt_count("moduleCount")?.unwrap_or(0));
        let modules = self.modules();
        let count = if count == 0 { modules.len() } else { count };
        let values: Vec<Value> =
            modules.iter().skip(from).take(count).map(|module| self.module_value(module)).collect();
        Ok(json!({ "modules": values, "totalModules": modules.len() }))
    }

    pub(super) fn request_loaded_sources(&mut self) -> Answer {
        let modules = self.modules();
        let files: BTreeSet<&str> = modules.iter().flat_map(|module| module.source_files()).collect();
        Ok(json!({ "sources": files.into_iter().map(|file| self.sources.file(file)).collect::<Vec<Value>>() }))
    }

    pub(super) fn request_source(&mut self, args: Args<'_>) -> Answer {
        let source = args.object("source")?;
        let reference = match source.opt_int("sourceReference")? {
            Some(reference) if reference > 0 => reference,
            _ => args.int("sourceReference")?,
        };
        let text = self.sources.text(reference)?;
        Ok(json!({ "content": text, "mimeType": "text/x-wat" }))
    }

    pub(super) fn request_breakpoint_locations(&mut self, args: Args<'_>) -> Answer {
        let first = self.line_in(args.int("line")?)?;
        let last = args.opt_int("endLine")?.map_or(Ok(first), |line| self.line_in(line))?;
        let from = args.opt_int("column")?.and_then(|column| self.column_in(column)).unwrap_or(0);
        let to = args.opt_int("endColumn")?.and_then(|column| self.column_in(column)).unwrap_or(u32::MAX);
        let source = args.object("source")?;
        let mut found = BTreeSet::new();
        if let Some(reference) = source.opt_int("sourceReference")?.filter(|reference| *reference > 0) {
            let (module, func) = self.sources.function(reference)?;
            let lines = self.sources.offsets_of(module, func).len() as u32 + 1;
            let last = last.min(lines).min(first.saturating_add(MAX_PLACES as u32));
            found.extend((first.max(2)..=last).map(|line| (line, 0)));
        } else {
            let path = path_of(source.str("path")?);
            for module in self.modules() {
                let Some(file) = matching_file(&module, path) else { continue };
                let rows = module.line_table().into_iter();
                let rows = rows.filter(|row| row.is_statement && !row.end_of_sequence && row.file == Some(&file));
                let inside = |line: u32, column: u32| {
                    (first..=last).contains(&line) && (line > first || column >= from) && (line < last || column <= to)
                };
                found.extend(rows.map(|row| (row.line, row.column)).filter(|(line, column)| inside(*line, *column)));
            }
        }
        let place = |(line, column): &(u32, u32)| {
            let column = (*column > 0).then(|| self.column_out(*column));
            compact(json!({ "line": self.line_out(*line), "column": column }))
        };
        Ok(json!({ "breakpoints": found.iter().take(MAX_PLACES).map(place).collect::<Vec<Value>>() }))
    }

    /// The number of an instance in the session.
    pub(super) fn instance_number(&self, instance: Option<Instance>) -> u32 {
        let known = self.client.instances().into_iter().find(|known| Some(known.instance) == instance);
        known.map_or(0, |known| known.number)
    }

    /// An address in the first memory of an instance.
    pub(super) fn memory_address(&self, instance: u32, address: u64) -> Option<String> {
        let fits = address < 1 << INSTANCE_SHIFT && instance < 1 << (62 - INSTANCE_SHIFT);
        fits.then(|| format!("{:#x}", u64::from(instance) << INSTANCE_SHIFT | address))
    }

    /// What a text of the client's is the address of.
    pub(super) fn address(&self, text: &str) -> Answer<Address> {
        let text = text.trim();
        let number = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        let number = number.map_err(|_| failure(format!("`{text}` is no address")))?;
        if number & CODE == 0 {
            let instance = (number >> INSTANCE_SHIFT) as u32 & 0x7fff;
            return Ok(Address::Memory(instance, number & ((1 << INSTANCE_SHIFT) - 1)));
        }
        let module = ((number & !CODE) >> 32) as usize;
        let known = module.checked_sub(1).filter(|module| *module < self.sources.modules.len());
        let known = known.ok_or_else(|| failure(format!("`{text}` is in no module")))?;
        Ok(Address::Code(known, i64::from(number as u32)))
    }
}

#[cfg(test)]
mod tests {
    use super::common_end;

    #[test]
    fn paths_are_alike_from_their_ends() {
        assert_eq!(common_end("/src/a/b.c", "/src/a/b.c"), (3, true));
        assert_eq!(common_end("b.c", "/home/me/src/b.c"), (1, true));
        assert_eq!(common_end("./a/b.c", "/home/me/a/b.c"), (2, true));
        assert_eq!(common_end("/build/a/b.c", "/home/me/a/b.c"), (2, false));
        assert_eq!(common_end("/build/xb.c", "/home/me/b.c"), (0, false));
        assert_eq!(common_end("C:\\w\\b.c", "/home/w/b.c"), (2, false));
    }
}
