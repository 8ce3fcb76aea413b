//! Frames of a debugger as expressions see them: one that can be read, and one of a stop, in which registers and memory
//! can be changed and exports called. And how what is of the machine, and not of the source, is shown.

use super::expr::number::Number;
use super::expr::source::{Machine, Thing, machine_number};
use super::expr::syntax::Register;
use super::expr::val;
use super::frame::Frame;
use super::stop::Stop;
use crate::base::{Error, ErrorKind, Escaped, GlobalIndex, LocalIndex, MemoryIndex, Result};
use crate::dwarf::{FrameReader, MemoryAddress, WasmValue, Write};
use crate::runtime::{AsStore, AsStoreMut, Memory, Val};
use crate::wasm::{IndexType, ValType};
use std::cell::RefCell;

/// Reads a frame for debug information.
struct Reader<'a, 'f> {
    frame: &'a Frame<'f>,
    /// Why something that was asked for is not known.
    unknown: RefCell<Option<Error>>,
}

/// Asks about what is in a frame. Where that takes something that production code does not keep, that is the error.
pub(super) fn read<R>(frame: &Frame<'_>, question: impl FnOnce(&dyn FrameReader) -> Result<R>) -> Result<R> {
    let reader = Reader { frame, unknown: RefCell::new(None) };
    let answer = question(&reader);
    match reader.unknown.into_inner() {
        Some(unknown) => Err(unknown),
        None => answer,
    }
}

impl Reader<'_, '_> {
    /// The frame, if it knows this.
    fn knows<T>(&self, known: Result<T>) -> Option<T> {
        known.map_err(|unknown| *self.unknown.borrow_mut() = Some(unknown)).ok()
    }
}

impl FrameReader for Reader<'_, '_> {
    fn local(&self, index: LocalIndex) -> Option<WasmValue> {
        self.knows(self.frame.check_values())?;
        number(self.frame.local(index.index())?)
    }

    fn global(&self, index: GlobalIndex) -> Option<WasmValue> {
        let store = self.frame.store();
        number(self.knows(self.frame.known_instance())?.global(store, index)?.get(store).ok()?)
    }

    fn operand(&self, index: u32) -> Option<WasmValue> {
        self.knows(self.frame.check_values())?;
        number(*self.frame.operands().get(index as usize)?)
    }

    fn memory(&self, address: MemoryAddress, bytes: &mut [u8]) -> bool {
        let store = self.frame.store();
        let Some(instance) = self.knows(self.frame.known_instance()) else { return false };
        let Some(memory) = instance.memory(store, MemoryIndex::new(0)) else { return false };
        let Ok(at) = usize::try_from(address.get()) else { return false };
        memory.read(store, at, bytes).is_ok()
    }
}

/// A number, as debug information knows it.
fn number(value: Val) -> Option<WasmValue> {
    match value {
        Val::I32(value) => Some(WasmValue::I32(value as u32)),
        Val::I64(value) => Some(WasmValue::I64(value as u64)),
        Val::F32(bits) => Some(WasmValue::F32(bits)),
        Val::F64(bits) => Some(WasmValue::F64(bits)),
        Val::V128(bytes) => Some(WasmValue::V128(u128::from_le_bytes(bytes))),
        Val::FuncRef(_) | Val::ExternRef(_) | Val::ExnRef(_) | Val::AnyRef(_) => None,
    }
}

#[cold]
pub(super) fn missing(what: &str) -> Error {
    Error::new(ErrorKind::Argument, format!("the frame's instance has no {what}"))
}

/// The memory that addresses of the source are in.
pub(super) fn first_memory(frame: &Frame<'_>) -> Result<Memory> {
    frame.known_instance()?.memory(frame.store(), MemoryIndex::new(0)).ok_or_else(|| missing("memory"))
}

/// A frame that is only looked at.
pub(super) struct OfFrame<'a, 'f>(pub(super) &'a Frame<'f>);

impl Machine for OfFrame<'_, '_> {
    fn read(&self, ask: &mut dyn FnMut(&dyn FrameReader)) -> Result<()> {
        read(self.0, |reader| {
            ask(reader);
            Ok(())
        })
    }

    fn register(&self, register: &Register) -> Result<Val> {
        let frame = self.0;
        let refuse = |what: String| Err(Error::new(ErrorKind::Argument, what));
        match register {
            Register::Local(index) => {
                frame.check_values()?;
                let found = frame.local(*index as usize);
                let (func, count) = (frame.func(), frame.local_count());
                found.map_or_else(|| refuse(format!("function {func} has no local {index}: it has {count}")), Ok)
            }
            Register::Operand(index) => {
                frame.check_values()?;
                let operands = frame.operands();
                let count = operands.len();
                let found = operands.get(*index as usize).copied();
                found.map_or_else(|| refuse(format!("the stack has no operand {index} here: it has {count}")), Ok)
            }
            Register::Global(index) => {
                let global = frame.known_instance()?.global(frame.store(), GlobalIndex::new(*index));
                let count = frame.module().info().globals.len();
                match global {
                    Some(global) => global.get(frame.store()),
                    None => refuse(format!("the module has no global {index}: it has {count}")),
                }
            }
            Register::Pc => Ok(Val::I32(frame.offset().get() as i32)),
            Register::Named(name) => refuse(format!("there is no register `${}`", Escaped(name))),
        }
    }

    fn named(&self, name: &str) -> Option<Register> {
        let names = &self.0.module().info().names;
        let locals = names.locals.get(&self.0.func());
        // Of several of one name, the first.
        let local =
            locals.and_then(|locals| locals.iter().filter(|(_, known)| **known == *name).map(|(at, _)| *at).min());
        let global = || names.globals.iter().filter(|(_, known)| **known == *name).map(|(at, _)| *at).min();
        match local {
            Some(index) => Some(Register::Local(index.get())),
            None => global().map(|index| Register::Global(index.get())),
        }
    }

    fn is_64(&self) -> bool {
        self.0.module().info().memories.first().is_some_and(|memory| memory.index == IndexType::I64)
    }
}

/// A frame of a stop, which may be changed.
pub(super) struct OfStop<'a, 's> {
    pub(super) stop: &'a mut Stop<'s>,
    pub(super) frame: usize,
}

impl OfStop<'_, '_> {
    fn frame(&self) -> Result<Frame<'_>> {
        self.stop.frame(self.frame).ok_or_else(|| no_frame(self.stop, self.frame))
    }
}

#[cold]
pub(super) fn no_frame(stop: &Stop<'_>, frame: usize) -> Error {
    Error::new(ErrorKind::Argument, format!("there is no frame {frame}: there are {}", stop.frame_count()))
}

impl Machine for OfStop<'_, '_> {
    fn read(&self, ask: &mut dyn FnMut(&dyn FrameReader)) -> Result<()> {
        OfFrame(&self.frame()?).read(ask)
    }

    fn register(&self, register: &Register) -> Result<Val> {
        OfFrame(&self.frame()?).register(register)
    }

    fn named(&self, name: &str) -> Option<Register> {
        OfFrame(&self.frame().ok()?).named(name)
    }

    fn is_64(&self) -> bool {
        self.frame().is_ok_and(|frame| OfFrame(&frame).is_64())
    }

    fn write(&mut self, write: Write) -> Result<()> {
        let shown = self.frame()?;
        match write {
            Write::Memory(address, bytes) => {
                let memory = first_memory(&shown)?;
                let at = usize::try_from(address.get()).map_err(|_| missing("such address"))?;
                memory.write(self.stop.as_store_mut(), at, &bytes)
            }
            Write::Global(index, value) => self.set_register(&Register::Global(index.get()), val(value)),
            Write::Local(index, value) => self.set_register(&Register::Local(index.get()), val(value)),
            Write::Operand(index, value) => self.set_register(&Register::Operand(index), val(value)),
        }
    }

    fn set_register(&mut self, register: &Register, value: Val) -> Result<()> {
        match register {
            Register::Local(index) => self.stop.set_local(self.frame, *index as usize, value),
            Register::Operand(index) => self.stop.set_operand(self.frame, *index as usize, value),
            Register::Global(index) => {
                let global = self.frame()?.known_instance()?.global(self.stop.as_store(), GlobalIndex::new(*index));
                global.ok_or_else(|| missing("such global"))?.set(self.stop.as_store_mut(), value)
            }
            Register::Pc | Register::Named(_) => Err(missing("such register")),
        }
    }

    fn call(&mut self, name: &str, arguments: &[Number]) -> Result<Option<Val>> {
        let refuse = |what: String| Err(Error::new(ErrorKind::Argument, what));
        let instance = self.frame()?.known_instance()?;
        let item = instance.export(self.stop.as_store_mut(), name);
        let Some(func) = item.as_ref().and_then(|item| item.func()) else {
            let name = Escaped(name);
            return match item {
                Some(_) => refuse(format!("the export `{name}` is no function")),
                None => refuse(format!("the frame's instance exports no function `{name}`")),
            };
        };
        let ty = func.ty(self.stop.as_store())?;
        if ty.params.len() != arguments.len() {
            let (wanted, given) = (ty.params.len(), arguments.len());
            return refuse(format!("`{}` takes {wanted} arguments, and {given} are given", Escaped(name)));
        }
        if ty.results.len() > 1 {
            let count = ty.results.len();
            return refuse(format!("`{}` gives {count} values; only one can be used", Escaped(name)));
        }
        let mut values = Vec::with_capacity(arguments.len());
        for (index, (argument, ty)) in arguments.iter().zip(&ty.params).enumerate() {
            match argument.to_val(*ty) {
                Some(value) => values.push(value),
                None => return refuse(format!("parameter {index} is of type {ty}, which is no number")),
            }
        }
        let mut results = vec![Val::I32(0); ty.results.len()];
        func.call(self.stop.as_store_mut(), &values, &mut results)?;
        Ok(results.pop())
    }
}

/// What is in a register, in memory, or what a call has given, in one line.
pub(super) fn text(frame: &Frame<'_>, thing: &Thing) -> Result<String> {
    let machine = OfFrame(frame);
    let value = match thing {
        Thing::Nothing => return Ok(String::new()),
        Thing::Register(Register::Pc) => return Ok(format!("{}", frame.offset())),
        Thing::Register(register) => machine.register(register)?,
        Thing::Wasm(value) => *value,
        thing => return machine_number(&machine, thing).map(|number| number.to_string()),
    };
    if let Some(number) = Number::of_val(&value) {
        return Ok(number.to_string());
    }
    Ok(match value {
        Val::V128(bytes) => format!("{:#034x}", u128::from_le_bytes(bytes)),
        Val::FuncRef(Some(func)) => match func.module_function(frame.store())? {
            Some((instance, index)) => {
                let module = instance.module(&frame.store())?.clone();
                let name = module.info().func_name(index).map(|name| format!(" {}", Escaped(name)));
                format!("function {index}{}", name.unwrap_or_default())
            }
            None => {
                let name = func.host_symbol(frame.store()).map(|name| format!(" {}", Escaped(&name)));
                format!("host function{}", name.unwrap_or_default())
            }
        },
        Val::ExternRef(Some(_)) => "a value of the host".to_owned(),
        Val::ExnRef(Some(_)) => "an exception".to_owned(),
        Val::AnyRef(Some(_)) => "an object".to_owned(),
        _ => "null".to_owned(),
    })
}

/// How many bytes a value of a type takes in memory; 0 for references, which cannot be there.
pub(super) fn size_of(ty: ValType) -> u64 {
    match ty {
        ValType::I32 | ValType::F32 => 4,
        ValType::I64 | ValType::F64 => 8,
        ValType::V128 => 16,
        _ => 0,
    }
}
