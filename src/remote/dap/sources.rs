//! Where code is, as a client sees it: files of the source, which it opens itself, and functions without one, of which
//! it is given the instructions as text. Modules, and addresses in them.

mod requests;

use super::message::{Answer, failure};
use crate::base::{FuncIndex, WasmOffset};
use crate::runtime::Module;
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
