//! A function's machine code as data, in either tier: for whoever wants to see what the compiler has made of it. What
//! is told is a copy; nobody gets at what runs.

use crate::base::{Error, ErrorKind, FuncIndex, Result, TextOffset, WasmOffset};
use crate::image::{ImageTables, Packed, PackedRow, Tier};
use crate::isa::{Decoded, SITE_BYTES, disassemble};
use crate::runtime::compiled::module::Module;
use std::ops::Range;

/// A piece of a function's machine code: an instruction, or, in a library that was built without the feature
/// `disassembler`, all that follows each other and is of the same instruction of WebAssembly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineCode {
    /// Where it begins in the text of the module's tier.
    pub offset: TextOffset,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The instruction. Targets of jumps and addresses are offsets in the text. `(data)` for what is none: tables of
    /// jumps, constants, and what nothing leads to. None without the feature `disassembler`.
    pub text: Option<String>,
    /// The instruction of WebAssembly that it belongs to, where that is known. In production code it mostly is. In
    /// debug code it is of stop points and of calls of the runtime.
    pub wasm: Option<WasmOffset>,
}

impl Module {
    /// The machine code of a function that the module defines: that of production, or of debug code, which is compiled
    /// where it is not there yet. Breakpoints that a store has set are not in it.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the module defines no such function; for debug code as of [`Module::debug_code`].
    pub fn machine_code(&self, func: FuncIndex, debug: bool) -> Result<Vec<MachineCode>> {
        let defined = self.defined(func)?;
        let code = if debug { self.debug_code(&|_, _| true)? } else { self.production_code().clone() };
        let tables = code.tables();
        let entry = tables.function(defined).ok_or_else(|| {
            Error::new(ErrorKind::Panic, format!("fault of the engine: there is no code of function {func}"))
        })?;
        let start = entry.start.get();
        let bytes = code.copy_part(entry.start.index()..entry.start.index() + entry.len as usize)?;
        let places = Places::of(tables, start..start + entry.len, self.body_start(func));
        let piece = |part: Range<usize>, text, wasm| MachineCode {
            offset: TextOffset::new(start + part.start as u32),
            bytes: bytes[part].to_vec(),
            text,
            wasm,
        };
        if let Some(decoded) = disassemble(&bytes, start, &places.known) {
            let told = decoded.into_iter().map(|Decoded { bytes, text }| {
                let wasm = text.as_ref().and_then(|_| places.instruction(tables, start, &bytes));
                piece(bytes, Some(text.unwrap_or_else(|| "(data)".to_owned())), wasm)
            });
            return Ok(told.collect());
        }
        let ends = places.marks.iter().skip(1).map(|(at, _)| *at).chain([bytes.len()]);
        let parts = places.marks.iter().zip(ends).filter(|((at, _), end)| at < end);
        Ok(parts.map(|((at, wasm), end)| piece(*at..end, None, *wasm)).collect())
    }
}

/// What the tables say of places in a function, in bytes from its start.
struct Places {
    /// From each on, up to the next: the instruction of WebAssembly that the code is of, if it is known. The first is
    /// at the function's first byte.
    marks: Vec<(usize, Option<WasmOffset>)>,
    /// Where instructions of the machine begin.
    known: Vec<usize>,
    body_start: WasmOffset,
}

impl Places {
    /// What prologues are of is said to be where the function's body begins, which is no instruction.
    fn of(tables: &ImageTables, function: Range<u32>, body_start: WasmOffset) -> Places {
        let inside = |at: u32| (at.max(function.start) - function.start) as usize;
        let (mut marks, mut known) = (Vec::new(), Vec::new());
        match tables.tier {
            Tier::Production => {
                let before = tables.addresses.last_to(function.start).map(|row| row.row());
                let rows = before.into_iter().chain(rows_in(&tables.addresses, function.start + 1..function.end));
                marks.extend(rows.map(|row| (inside(row.text.get()), row.wasm)));
                // What belongs to none may be constants.
                known.extend(marks.iter().filter(|(_, wasm)| wasm.is_some()).map(|(at, _)| *at));
            }
            Tier::Debug => {
                for site in rows_in(&tables.sites, function.start..function.end + 1) {
                    let point = tables.point(site.point);
                    let after = site.after.get();
                    marks.push((inside(after - SITE_BYTES), (!point.is_on_side()).then_some(point.wasm)));
                    marks.push((inside(after), None));
                }
                known.extend(marks.iter().map(|(at, _)| *at));
                known.extend(rows_in(&tables.calls, function.clone()).map(|call| inside(call.last.get() + 1)));
            }
        }
        for (_, wasm) in &mut marks {
            *wasm = wasm.filter(|wasm| *wasm != body_start);
        }
        if marks.first().is_none_or(|(at, _)| *at > 0) {
            marks.insert(0, (0, None));
        }
        known.extend(rows_in(&tables.traps, function.clone()).map(|trap| inside(trap.at.get())));
        known.extend(rows_in(&tables.handlers, function.clone()).map(|handler| inside(handler.landing.get())));
        let len = function.len();
        known.retain(|at| *at < len);
        known.sort_unstable();
        known.dedup();
        Places { marks, known, body_start }
    }

    /// The instruction of WebAssembly that one of the machine is of.
    fn instruction(&self, tables: &ImageTables, start: u32, bytes: &Range<usize>) -> Option<WasmOffset> {
        let behind = self.marks.partition_point(|(at, _)| *at <= bytes.start);
        let marked = self.marks.get(behind.checked_sub(1)?)?.1;
        let told = |at: usize| tables.wasm_at(TextOffset::new(start + at as u32));
        match tables.tier {
            Tier::Production => marked,
            // What traps is known by its first byte, a call by its last.
            Tier::Debug => {
                let told = told(bytes.start).or_else(|| told(bytes.end - 1));
                marked.or(told.filter(|wasm| *wasm != self.body_start))
            }
        }
    }
}

/// The rows with keys in this range.
fn rows_in<R: PackedRow>(rows: &Packed<R>, keys: Range<u32>) -> impl Iterator<Item = R> + '_ {
    let mut next = if rows.is_empty() { None } else { rows.first_from(keys.start) };
    std::iter::from_fn(move || {
        let mut cursor = next.filter(|cursor| cursor.key() < keys.end)?;
        let row = cursor.row();
        next = rows.advance(&mut cursor).then_some(cursor);
        Some(row)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{Config, Engine};

    /// A table of jumps, constants behind the code, what traps, calls, a loop, and exceptions that are caught.
    const TEXT: &str = r#"(module
        (import "" "f" (func $host (param i32)))
        (tag $t)
        (memory 1)
        (func $switch (param i32) (result i32)
            (block (block (block (block (block (br_table 0 1 2 3 4 (local.get 0)))
                (return (i32.const 11))) (return (i32.const 22))) (return (i32.const 33))) (return (i32.const 44)))
            (i32.const 55))
        (func $constants (param f64 v128) (result f64)
            (v128.store (i32.const 0) (i8x16.swizzle (local.get 1) (v128.const i64x2 1 2)))
            (f64.add (local.get 0) (f64.const 1.2345)))
        (func $traps (param i32 i32) (result i32) (i32.div_s (local.get 0) (i32.load (local.get 1))))
        (func $calls (param i32) (loop (call $host (local.get 0))
            (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
        (func $catches (try_table (catch $t 0) (call $calls (i32.const 1))) (call $host (i32.const 9)))
        (func $empty))"#;

    fn module() -> Module {
        let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
        Module::new(&engine, &wat::parse_str(TEXT).unwrap()).unwrap()
    }

    fn texts(rows: &[MachineCode]) -> Vec<&str> {
        rows.iter().map(|row| row.text.as_deref().unwrap()).collect()
    }

    /// The text of an instruction of WebAssembly.
    fn wasm(module: &Module, func: u32, at: WasmOffset) -> String {
        module.instructions(FuncIndex::new(func), at, 1).unwrap().remove(0).text
    }

    #[test]
    fn all_of_a_function_is_told_and_what_the_tables_know_of_it() {
        let module = module();
        for debug in [false, true] {
            let code = if debug { module.debug_code(&|_, _| true).unwrap() } else { module.production_code().clone() };
            let tables = code.tables();
            let text = code.copy_text().unwrap();
            for index in 1..=6 {
                let func = FuncIndex::new(index);
                let rows = module.machine_code(func, debug).unwrap();
                let entry = tables.function(module.info().defined(func).unwrap()).unwrap();
                let range = entry.start.get()..entry.start.get() + entry.len;
                let mut next = range.start;
                for row in &rows {
                    assert_eq!(row.offset.get(), next);
                    assert_eq!(row.bytes, text[next as usize..next as usize + row.bytes.len()]);
                    next += row.bytes.len() as u32;
                }
                assert_eq!(next, range.end);
                // Whatever the tables know stands at an instruction that was found.
                let code: Vec<_> = rows.iter().filter(|row| row.text.as_deref() != Some("(data)")).collect();
                let begins = |at: u32| code.iter().any(|row| row.offset.get() == at);
                let ends = |at: u32| code.iter().any(|row| row.offset.get() + row.bytes.len() as u32 == at);
                for trap in rows_in(&tables.traps, range.clone()) {
                    assert!(begins(trap.at.get()), "{trap:?}");
                }
                for call in rows_in(&tables.calls, range.clone()) {
                    assert!(ends(call.last.get() + 1), "{call:?}");
                }
                for handler in rows_in(&tables.handlers, range.clone()) {
                    assert!(ends(handler.after.get()) && begins(handler.landing.get()), "{handler:?}");
                }
                for row in rows_in(&tables.addresses, range.clone()).filter(|row| row.wasm.is_some()) {
                    let found = code.iter().find(|found| found.offset == row.text).unwrap();
                    let is_of_one = |wasm: &WasmOffset| *wasm != module.body_start(func);
                    assert_eq!(found.wasm, row.wasm.filter(is_of_one));
                    if let Some(wasm) = found.wasm {
                        let places = module.instructions(func, wasm, 1).unwrap();
                        assert_eq!(places[0].offset, wasm);
                    }
                }
                for site in rows_in(&tables.sites, range) {
                    let found = code.iter().find(|found| found.offset.get() + SITE_BYTES == site.after.get()).unwrap();
                    assert_eq!(found.wasm, Some(tables.point(site.point).wasm));
                    assert!(found.text.as_deref().unwrap().starts_with("nop"), "{found:?}");
                }
            }
        }
    }

    #[test]
    fn instructions_are_told_of_what_they_are_for() {
        let module = module();
        for debug in [false, true] {
            let rows = |func| module.machine_code(FuncIndex::new(func), debug).unwrap();
            let of = |func, what: &str| {
                let rows = rows(func);
                let row = rows.iter().find(|row| row.text.as_deref().unwrap().starts_with(what));
                let row = row.unwrap_or_else(|| panic!("{what} in {:?}", texts(&rows)));
                wasm(&module, func, row.wasm.unwrap())
            };
            assert_eq!(of(3, "idiv"), "i32.div_s");
            assert_eq!(of(5, "call"), "call 4 (;calls;)");
            // All that a table of jumps leads to is code, and the table is none.
            let switch = rows(1);
            assert_eq!(texts(&switch).iter().filter(|text| **text == "(data)").count(), 1, "{:?}", texts(&switch));
            for number in ["0xb", "0x16", "0x21", "0x2c", "0x37"] {
                assert!(texts(&switch).iter().any(|text| text.ends_with(number)), "{number}: {:?}", texts(&switch));
            }
            assert!(switch.iter().all(|row| row.text.as_deref() != Some("(data)") || row.wasm.is_none()));
            // Constants are behind the code.
            let constants = rows(2);
            assert_eq!(texts(&constants).last(), Some(&"(data)"));
            assert!(texts(&rows(6)).contains(&"ret") && !texts(&rows(6)).contains(&"(data)"));
        }
    }

    #[test]
    fn what_has_no_code_is_refused() {
        let module = module();
        for (func, what) in [(0, "function 0 is imported"), (7, "function 7 is not there")] {
            let error = module.machine_code(FuncIndex::new(func), false).unwrap_err();
            assert!(error.kind() == ErrorKind::Argument && error.message().contains(what), "{error}");
        }
        let plain = Module::new(&Engine::new(Config::default()).unwrap(), &wat::parse_str("(module (func))").unwrap());
        let plain = plain.unwrap();
        assert!(!plain.machine_code(FuncIndex::new(0), false).unwrap().is_empty());
        assert_eq!(plain.machine_code(FuncIndex::new(0), true).unwrap_err().kind(), ErrorKind::State);
    }
}
