//! Variables of the source in a stopped frame: what `p->x` is, and giving it another value. What debug information says
//! is read by `dwarf/`; here it gets the frame that it asks about, and what it says is to be written is written.

use super::frame::Frame;
use super::stop::Stop;
use crate::base::{Error, ErrorKind, GlobalIndex, LocalIndex, MemoryIndex, Result};
use crate::dwarf::{Context, FrameReader, Inspector, MemoryAddress, Value, WasmValue, Write};
use crate::runtime::{AsStore, AsStoreMut, Memory, Val};

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// The name of its type, as the source has it.
    pub type_name: String,
    /// The value, in one line.
    pub text: String,
}

impl FrameReader for Frame<'_> {
    fn local(&self, index: LocalIndex) -> Option<WasmValue> {
        number(Frame::local(self, index.index())?)
    }

    fn global(&self, index: GlobalIndex) -> Option<WasmValue> {
        let store = self.store();
        number(self.instance().global(store, index)?.get(store).ok()?)
    }

    fn operand(&self, index: u32) -> Option<WasmValue> {
        number(*self.operands().get(index as usize)?)
    }

    fn memory(&self, address: MemoryAddress, bytes: &mut [u8]) -> bool {
        let Some(memory) = first_memory(self) else { return false };
        let Ok(at) = usize::try_from(address.get()) else { return false };
        memory.read(self.store(), at, bytes).is_ok()
    }
}

impl Frame<'_> {
    /// What a variable of the source, or a path that leads on from one, comes to in this frame: names, `.`, `->`,
    /// `[1]`, `*`, `&`. Where functions are inlined, names are those of the innermost.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the module has no debug information for this place, where nothing has that name,
    /// and where the path does not fit its type.
    pub fn evaluate(&self, path: &str) -> Result<Evaluated> {
        self.at_path(path, |inspector, value, at| {
            Ok(Evaluated { type_name: inspector.type_name(value), text: inspector.summary(value, at) })
        })
    }

    /// What is to be written where for that to be what `text` says.
    fn assigned(&self, path: &str, text: &str) -> Result<Write> {
        self.at_path(path, |inspector, value, at| inspector.assign(value, text, at))
    }

    /// Does something with the value that a path leads to.
    fn at_path<R>(
        &self,
        path: &str,
        work: impl FnOnce(&Inspector<'_>, &Value, &Context<'_>) -> Result<R>,
    ) -> Result<R> {
        let inspector = self.module().inspector();
        let frames = inspector.frames(self.offset());
        let at = Context { frame: frames.first(), reader: self };
        let value = inspector.evaluate_path(path, &at)?;
        work(&inspector, &value, &at)
    }
}

impl Stop<'_> {
    /// Gives a variable of the source, or what a path leads to, another value: [`Frame::evaluate`] tells of paths. It
    /// must be a number, a character, a truth value, a pointer or an enumerator.
    ///
    /// # Errors
    /// As of [`Frame::evaluate`]; [`ErrorKind::Argument`] for text that is no value of the type, and for what was
    /// optimised out or is only computed; as of [`Stop::set_local`] for what is in a local or an operand.
    pub fn assign(&mut self, frame: usize, path: &str, text: &str) -> Result<()> {
        let Some(shown) = self.frame(frame) else {
            let message = format!("there is no frame {frame}: there are {}", self.frame_count());
            return Err(Error::new(ErrorKind::Argument, message));
        };
        let instance = shown.instance();
        match shown.assigned(path, text)? {
            Write::Memory(address, bytes) => {
                let memory = first_memory(&shown).ok_or_else(|| missing("memory"))?;
                let at = usize::try_from(address.get()).map_err(|_| missing("such address"))?;
                memory.write(self.as_store_mut(), at, &bytes)
            }
            Write::Global(index, value) => {
                let global = instance.global(self.as_store(), index).ok_or_else(|| missing("such global"))?;
                global.set(self.as_store_mut(), val(value))
            }
            Write::Local(index, value) => self.set_local(frame, index.index(), val(value)),
            Write::Operand(index, value) => self.set_operand(frame, index as usize, val(value)),
        }
    }
}

/// The memory that addresses of the source are in.
fn first_memory(frame: &Frame<'_>) -> Option<Memory> {
    frame.instance().memory(frame.store(), MemoryIndex::new(0))
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

/// The same, the other way round.
fn val(value: WasmValue) -> Val {
    match value {
        WasmValue::I32(value) => Val::I32(value as i32),
        WasmValue::I64(value) => Val::I64(value as i64),
        WasmValue::F32(bits) => Val::F32(bits),
        WasmValue::F64(bits) => Val::F64(bits),
        WasmValue::V128(bits) => Val::V128(bits.to_le_bytes()),
    }
}

#[cold]
fn missing(what: &str) -> Error {
    Error::new(ErrorKind::Argument, format!("the frame's instance has no {what}"))
}
