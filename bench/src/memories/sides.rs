//! A store with what is in it, in Stepwell and in another engine (wasmtime). Both do the same when told the same, and
//! say what came of it in the same words.

use super::guests::{CHANGING, FIXED, MEMORY, TABLE};
use super::words::{own_trap, own_value, their_trap, their_value};
use std::fmt::Write as _;
use stepwell::base::ErrorKind;

pub type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// What is said where something is refused that is no trap.
const REFUSED: &str = "refused";
/// The exports of an instance that are listed, in this order.
pub const LISTED: [&str; 4] = [MEMORY, TABLE, CHANGING, FIXED];

/// An argument of a call.
#[derive(Clone, Copy, Debug)]
pub enum Word {
    I32(i32),
    I64(i64),
}

/// A store, a list of memories, tables and globals in it, and a list of instances.
pub trait Side: Sized {
    type Engine;
    type Module;

    fn new(engine: &Self::Engine) -> Self;
    /// Lists a memory of the host's.
    fn memory(&mut self, pages: u64, max: Option<u64>) -> Result<()>;
    /// Lists a table of the host's.
    fn table(&mut self, elements: u64, max: Option<u64>) -> Result<()>;
    /// Lists a global of the host's, which cannot be changed.
    fn global(&mut self, value: i32) -> Result<()>;
    /// Makes an instance with these of the list, and lists it and its exports.
    fn instantiate(&mut self, module: &Self::Module, imports: &[usize]) -> Result<String>;
    /// Forgets all others.
    fn keep(&mut self, items: &[bool], instances: &[bool]);
    /// Calls an export.
    fn call(&mut self, instance: usize, name: &str, words: &[Word]) -> Result<String>;
    /// Writes to a memory of the list.
    fn write(&mut self, item: usize, at: usize, bytes: &[u8]) -> Result<String>;
    /// Makes a memory or a table of the list larger.
    fn grow(&mut self, item: usize, delta: u64) -> Result<String>;
    /// The sizes of memories and tables and the values of globals.
    fn sizes(&mut self) -> Result<String>;
    /// What is in a table: what its functions return.
    fn elements(&mut self, item: usize) -> Result<Option<String>>;
    /// What is in a memory.
    fn bytes(&self, item: usize) -> Result<Option<&[u8]>>;
}

/// Stepwell.
pub struct Ours {
    pub store: stepwell::Store,
    pub items: Vec<stepwell::Extern>,
    pub instances: Vec<stepwell::Instance>,
}

/// A trap in words; other errors only where the host asks for what cannot be.
fn own_words(error: stepwell::Error) -> Result<String> {
    match error.kind() {
        ErrorKind::Link | ErrorKind::Limit | ErrorKind::Argument => Ok(REFUSED.to_owned()),
        _ => Ok(own_trap(error)?),
    }
}

impl Side for Ours {
    type Engine = stepwell::Engine;
    type Module = stepwell::Module;

    fn new(engine: &stepwell::Engine) -> Ours {
        Ours { store: stepwell::Store::new(engine), items: Vec::new(), instances: Vec::new() }
    }

    fn memory(&mut self, min: u64, max: Option<u64>) -> Result<()> {
        let ty = stepwell::MemoryType::new(stepwell::Limits { min, max });
        self.items.push(stepwell::Memory::new(&mut self.store, ty)?.into());
        Ok(())
    }

    fn table(&mut self, min: u64, max: Option<u64>) -> Result<()> {
        let ty = stepwell::TableType::new(stepwell::RefType::FUNCREF, stepwell::Limits { min, max });
        self.items.push(stepwell::Table::new(&mut self.store, ty, stepwell::Val::FuncRef(None))?.into());
        Ok(())
    }

    fn global(&mut self, value: i32) -> Result<()> {
        let ty = stepwell::GlobalType { content: stepwell::ValType::I32, mutable: false };
        self.items.push(stepwell::Global::new(&mut self.store, ty, stepwell::Val::I32(value))?.into());
        Ok(())
    }

    fn instantiate(&mut self, module: &stepwell::Module, imports: &[usize]) -> Result<String> {
        let imports: Vec<_> = imports.iter().map(|item| self.items[*item]).collect();
        let instance = match stepwell::Instance::new(&mut self.store, module, &imports) {
            Ok(instance) => instance,
            Err(error) => return own_words(error),
        };
        for name in LISTED {
            self.items.push(instance.export(&mut self.store, name).ok_or("an export is missing")?);
        }
        self.instances.push(instance);
        Ok(String::from("made"))
    }

    fn keep(&mut self, items: &[bool], instances: &[bool]) {
        retain(&mut self.items, items);
        retain(&mut self.instances, instances);
    }

    fn call(&mut self, instance: usize, name: &str, words: &[Word]) -> Result<String> {
        use stepwell::Val;
        let func = self.instances[instance].export(&mut self.store, name).and_then(stepwell::Extern::func);
        let func = func.ok_or("the function is missing")?;
        let params: Vec<Val> = words
            .iter()
            .map(|word| match word {
                Word::I32(value) => Val::I32(*value),
                Word::I64(value) => Val::I64(*value),
            })
            .collect();
        let ty = func.ty(&self.store)?;
        let mut results: Vec<Val> = ty.results.iter().map(|ty| Val::default_for(*ty)).collect();
        match func.call(&mut self.store, &params, &mut results) {
            Ok(()) => {
                let mut text = String::from("returned");
                results.iter().for_each(|value| own_value(&mut text, value));
                Ok(text)
            }
            Err(error) => own_words(error),
        }
    }

    fn write(&mut self, item: usize, at: usize, bytes: &[u8]) -> Result<String> {
        let stepwell::Extern::Memory(memory) = self.items[item] else { return Ok(String::new()) };
        match memory.write(&mut self.store, at, bytes) {
            Ok(()) => Ok(String::from("written")),
            Err(error) => own_words(error),
        }
    }

    fn grow(&mut self, item: usize, delta: u64) -> Result<String> {
        let grown = match self.items[item] {
            stepwell::Extern::Memory(memory) => memory.grow(&mut self.store, delta),
            stepwell::Extern::Table(table) => table.grow(&mut self.store, delta, stepwell::Val::FuncRef(None)),
            _ => return Ok(String::new()),
        };
        grown.map_or_else(own_words, |before| Ok(format!("grown from {before}")))
    }

    fn sizes(&mut self) -> Result<String> {
        let mut text = String::new();
        for item in &self.items {
            match item {
                stepwell::Extern::Memory(memory) => write!(text, " {}p", memory.size(&self.store)?)?,
                stepwell::Extern::Table(table) => write!(text, " {}e", table.size(&self.store)?)?,
                stepwell::Extern::Global(global) => own_value(&mut text, &global.get(&self.store)?),
                stepwell::Extern::Func(_) | stepwell::Extern::Tag(_) => {}
            }
        }
        Ok(text)
    }

    fn elements(&mut self, item: usize) -> Result<Option<String>> {
        let stepwell::Extern::Table(table) = self.items[item] else { return Ok(None) };
        let mut text = String::new();
        for index in 0..table.size(&self.store)? {
            let stepwell::Val::FuncRef(element) = table.get(&self.store, index)?.ok_or("an element is missing")? else {
                return Err("an element is no function".into());
            };
            let Some(func) = element else {
                text.push_str(" -");
                continue;
            };
            let mut results = [stepwell::Val::I32(0)];
            match func.call(&mut self.store, &[], &mut results) {
                Ok(()) => own_value(&mut text, &results[0]),
                Err(error) => write!(text, " ({})", own_words(error)?)?,
            }
        }
        Ok(Some(text))
    }

    fn bytes(&self, item: usize) -> Result<Option<&[u8]>> {
        match self.items[item] {
            stepwell::Extern::Memory(memory) => Ok(Some(memory.data(&self.store)?)),
            _ => Ok(None),
        }
    }
}

/// The other engine.
pub struct Theirs {
    store: wasmtime::Store<()>,
    items: Vec<wasmtime::Extern>,
    instances: Vec<wasmtime::Instance>,
}

/// A trap in words, or that something was refused.
fn their_words(error: &wasmtime::Error) -> Result<String> {
    match error.is::<wasmtime::Trap>() {
        true => Ok(their_trap(error, "")?),
        false => Ok(REFUSED.to_owned()),
    }
}

impl Side for Theirs {
    type Engine = wasmtime::Engine;
    type Module = wasmtime::Module;

    fn new(engine: &wasmtime::Engine) -> Theirs {
        Theirs { store: wasmtime::Store::new(engine, ()), items: Vec::new(), instances: Vec::new() }
    }

    fn memory(&mut self, min: u64, max: Option<u64>) -> Result<()> {
        let ty = wasmtime::MemoryType::new(u32::try_from(min)?, max.map(u32::try_from).transpose()?);
        self.items.push(wasmtime::Memory::new(&mut self.store, ty)?.into());
        Ok(())
    }

    fn table(&mut self, min: u64, max: Option<u64>) -> Result<()> {
        let max = max.map(u32::try_from).transpose()?;
        let ty = wasmtime::TableType::new(wasmtime::RefType::FUNCREF, u32::try_from(min)?, max);
        self.items.push(wasmtime::Table::new(&mut self.store, ty, wasmtime::Ref::Func(None))?.into());
        Ok(())
    }

    fn global(&mut self, value: i32) -> Result<()> {
        let ty = wasmtime::GlobalType::new(wasmtime::ValType::I32, wasmtime::Mutability::Const);
        self.items.push(wasmtime::Global::new(&mut self.store, ty, wasmtime::Val::I32(value))?.into());
        Ok(())
    }

    fn instantiate(&mut self, module: &wasmtime::Module, imports: &[usize]) -> Result<String> {
        let imports: Vec<_> = imports.iter().map(|item| self.items[*item].clone()).collect();
        let instance = match wasmtime::Instance::new(&mut self.store, module, &imports) {
            Ok(instance) => instance,
            Err(error) => return their_words(&error),
        };
        for name in LISTED {
            self.items.push(instance.get_export(&mut self.store, name).ok_or("an export is missing")?);
        }
        self.instances.push(instance);
        Ok(String::from("made"))
    }

    fn keep(&mut self, items: &[bool], instances: &[bool]) {
        retain(&mut self.items, items);
        retain(&mut self.instances, instances);
    }

    fn call(&mut self, instance: usize, name: &str, words: &[Word]) -> Result<String> {
        use wasmtime::Val;
        let func = self.instances[instance].get_func(&mut self.store, name).ok_or("the function is missing")?;
        let params: Vec<Val> = words
            .iter()
            .map(|word| match word {
                Word::I32(value) => Val::I32(*value),
                Word::I64(value) => Val::I64(*value),
            })
            .collect();
        let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
        match func.call(&mut self.store, &params, &mut results) {
            Ok(()) => {
                let mut text = String::from("returned");
                results.iter().for_each(|value| their_value(&mut text, value));
                Ok(text)
            }
            Err(error) => their_words(&error),
        }
    }

    fn write(&mut self, item: usize, at: usize, bytes: &[u8]) -> Result<String> {
        let wasmtime::Extern::Memory(memory) = self.items[item] else { return Ok(String::new()) };
        Ok(memory.write(&mut self.store, at, bytes).map_or(REFUSED, |()| "written").to_owned())
    }

    fn grow(&mut self, item: usize, delta: u64) -> Result<String> {
        let grown = match self.items[item] {
            wasmtime::Extern::Memory(memory) => memory.grow(&mut self.store, delta),
            wasmtime::Extern::Table(table) => table.grow(&mut self.store, delta, wasmtime::Ref::Func(None)),
            _ => return Ok(String::new()),
        };
        grown.map_or_else(|error| their_words(&error), |before| Ok(format!("grown from {before}")))
    }

    fn sizes(&mut self) -> Result<String> {
        let mut text = String::new();
        for item in &self.items {
            match item {
                wasmtime::Extern::Memory(memory) => write!(text, " {}p", memory.size(&self.store))?,
                wasmtime::Extern::Table(table) => write!(text, " {}e", table.size(&self.store))?,
                wasmtime::Extern::Global(global) => their_value(&mut text, &global.get(&mut self.store)),
                _ => {}
            }
        }
        Ok(text)
    }

    fn elements(&mut self, item: usize) -> Result<Option<String>> {
        let wasmtime::Extern::Table(table) = self.items[item] else { return Ok(None) };
        let mut text = String::new();
        for index in 0..table.size(&self.store) {
            let wasmtime::Ref::Func(element) = table.get(&mut self.store, index).ok_or("an element is missing")? else {
                return Err("an element is no function".into());
            };
            let Some(func) = element else {
                text.push_str(" -");
                continue;
            };
            let mut results = [wasmtime::Val::I32(0)];
            match func.call(&mut self.store, &[], &mut results) {
                Ok(()) => their_value(&mut text, &results[0]),
                Err(error) => write!(text, " ({})", their_words(&error)?)?,
            }
        }
        Ok(Some(text))
    }

    fn bytes(&self, item: usize) -> Result<Option<&[u8]>> {
        match &self.items[item] {
            wasmtime::Extern::Memory(memory) => Ok(Some(memory.data(&self.store))),
            _ => Ok(None),
        }
    }
}

/// Keeps those that are marked.
fn retain<T>(list: &mut Vec<T>, marks: &[bool]) {
    let mut marks = marks.iter();
    list.retain(|_| *marks.next().unwrap_or(&true));
}
