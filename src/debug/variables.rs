//! Variables of the source in a stopped frame: what `p->x` is, and giving it another value. What debug information says
//! is read by `dwarf/`; here it gets the frame that it asks about, and what it says is to be written is written.

use super::Debugger;
use super::frame::Frame;
use super::stop::Stop;
use super::watchpoint::{WatchKind, WatchpointId};
use crate::base::{Error, ErrorKind, GlobalIndex, LocalIndex, MemoryIndex, Result, WasmOffset};
use crate::dwarf::{
    Context, FrameReader, Inspector, MemoryAddress, Missing, Scalar, SourceFrame, Storage, Value, ValueKind, Variable,
    VariableKind, WasmValue, Write,
};
use crate::runtime::{AsStore, AsStoreMut, Memory, ModuleId, Val};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// The name of its type, as the source has it.
    pub type_name: String,
    /// The value, in one line.
    pub text: String,
}

/// Which variables of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The function's parameters.
    Parameters,
    /// The variables of the blocks around the instruction: those of the innermost block first, of one block in the
    /// order of the source. Static variables of those blocks are among them.
    Locals,
    /// The static variables of the function's unit, which in C and C++ is its file with all that it includes.
    Statics,
    /// The static variables of the whole module.
    Module,
}

/// A variable of the source as a frame sees it, or something inside of one: a member, an element, what a pointer points
/// to. Nothing of it is kept but where it is found: each question reads the frame. So it is asked of the frame that it
/// was found in, which must stand where it stood then; otherwise there is an error.
#[derive(Clone, Debug)]
pub struct FrameVariable {
    name: String,
    found: Found,
    /// The function of the source that sees it.
    function: Option<Arc<SourceFrame>>,
    /// The frame it was found in.
    home: Home,
}

#[derive(Clone, Debug)]
enum Found {
    /// By its name: where it is has to be asked.
    Variable(Variable),
    /// On a way that begins with a name.
    Value(Value),
}

/// A frame and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Home {
    frame: usize,
    module: ModuleId,
    offset: WasmOffset,
}

impl FrameVariable {
    /// Its name; of a static variable outside of functions with its namespaces. A member's name, an element's number in
    /// brackets, `*` for what a pointer points to; what was found by a path has that.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn variable(&self) -> Option<&Variable> {
        match &self.found {
            Found::Variable(variable) => Some(variable),
            Found::Value(_) => None,
        }
    }

    /// What kind of variable it is; `None` for what is inside of one, or was found by a path.
    pub fn variable_kind(&self) -> Option<VariableKind> {
        self.variable().map(Variable::kind)
    }

    /// The line that it is declared in, from 1; 0 where that is not known, and for what is inside of a variable.
    pub fn line(&self) -> u32 {
        self.variable().map_or(0, Variable::line)
    }

    /// How many blocks of its function it is inside of.
    pub fn depth(&self) -> u32 {
        self.variable().map_or(0, Variable::depth)
    }

    /// Whether the source means another variable by its name here, one of a block further in.
    pub fn is_shadowed(&self) -> bool {
        self.variable().is_some_and(Variable::is_shadowed)
    }

    /// What the source calls its type.
    ///
    /// # Errors
    /// [`ErrorKind::State`] where the frame is not the one that it was found in, or has moved since;
    /// [`ErrorKind::InvalidModule`] where the debug information is damaged.
    pub fn type_name(&self, frame: &Frame<'_>) -> Result<String> {
        self.ask_type(frame, |inspector, value, _| Ok(inspector.type_name(value)))
    }

    /// What it is made of.
    ///
    /// # Errors
    /// As of [`type_name`](Self::type_name).
    pub fn kind(&self, frame: &Frame<'_>) -> Result<ValueKind> {
        self.ask_type(frame, |inspector, value, at| inspector.kind(value, at))
    }

    /// How many bytes it takes.
    ///
    /// # Errors
    /// As of [`type_name`](Self::type_name).
    pub fn size(&self, frame: &Frame<'_>) -> Result<u64> {
        self.ask_type(frame, |inspector, value, at| inspector.size(value, at))
    }

    /// Its value in one line, with what is inside of it as far as there is room. What cannot be read is said there.
    ///
    /// # Errors
    /// [`ErrorKind::State`] as of [`type_name`](Self::type_name).
    pub fn text(&self, frame: &Frame<'_>) -> Result<String> {
        self.check(frame)?;
        let told = self.ask(frame, |inspector, value, at| Ok(inspector.summary(value, at)));
        Ok(told.unwrap_or_else(|error| format!("<{}>", error.message())))
    }

    /// The number that it is, or that stands for it: of a pointer the address, of an enumeration the number.
    ///
    /// # Errors
    /// As of [`type_name`](Self::type_name); [`ErrorKind::Argument`] for what is no number, [`ErrorKind::State`] for
    /// what is [missing](Self::missing) or in memory that is not there.
    pub fn number(&self, frame: &Frame<'_>) -> Result<Scalar> {
        self.ask(frame, |inspector, value, at| inspector.scalar(value, at))
    }

    /// Where in the first memory of the frame's instance it is; `None` for what is in a local, a global or an operand,
    /// for bit fields, and for what is computed or [missing](Self::missing).
    ///
    /// # Errors
    /// As of [`type_name`](Self::type_name), and where it cannot be told where it is.
    pub fn address(&self, frame: &Frame<'_>) -> Result<Option<MemoryAddress>> {
        self.ask(frame, |_, value, _| Ok(value.address()))
    }

    /// Why it has no value, if the debug information says that it is not there.
    ///
    /// # Errors
    /// As of [`address`](Self::address).
    pub fn missing(&self, frame: &Frame<'_>) -> Result<Option<Missing>> {
        self.ask(frame, |_, value, _| Ok(value.missing()))
    }

    /// How many variables are inside of it: members, elements, what a pointer points to. None in what is missing.
    ///
    /// # Errors
    /// As of [`address`](Self::address).
    pub fn child_count(&self, frame: &Frame<'_>) -> Result<u64> {
        self.ask(frame, |inspector, value, at| match value.missing() {
            Some(_) => Ok(0),
            None => inspector.child_count(value, at),
        })
    }

    /// Those inside of it whose numbers are in `range`, as far as there are any. No others are looked at, however many
    /// there are.
    ///
    /// # Errors
    /// As of [`number`](Self::number).
    pub fn children(&self, frame: &Frame<'_>, range: Range<u64>) -> Result<Vec<FrameVariable>> {
        self.ask(frame, |inspector, value, at| {
            if value.missing().is_some() || range.is_empty() {
                return Ok(Vec::new());
            }
            let children = inspector.children(value, range.clone(), at)?.into_iter();
            let inside = |child: crate::dwarf::Child| FrameVariable {
                name: child.name,
                found: Found::Value(child.value),
                function: self.function.clone(),
                home: self.home,
            };
            Ok(children.map(inside).collect())
        })
    }

    fn assigned(&self, frame: &Frame<'_>, text: &str) -> Result<Write> {
        self.ask(frame, |inspector, value, at| inspector.assign(value, text, at))
    }

    /// Refuses a frame that it was not found in, or not here.
    fn check(&self, frame: &Frame<'_>) -> Result<()> {
        if self.home == Home::of(frame) {
            return Ok(());
        }
        let message = format!("the variable `{}` was found in another frame, or at another instruction", self.name);
        Err(Error::new(ErrorKind::State, message))
    }

    /// Asks about its value.
    fn ask<R>(
        &self,
        frame: &Frame<'_>,
        question: impl FnOnce(&Inspector<'_>, &Value, &Context<'_>) -> Result<R>,
    ) -> Result<R> {
        self.check(frame)?;
        let inspector = frame.module().inspector();
        read(frame, |reader| {
            let at = Context { frame: self.function.as_deref(), reader };
            match &self.found {
                Found::Variable(variable) => question(&inspector, &inspector.value(variable, &at)?, &at),
                Found::Value(value) => question(&inspector, value, &at),
            }
        })
    }

    /// Asks about its type, which it has wherever it is.
    fn ask_type<R>(
        &self,
        frame: &Frame<'_>,
        question: impl FnOnce(&Inspector<'_>, &Value, &Context<'_>) -> Result<R>,
    ) -> Result<R> {
        self.check(frame)?;
        let inspector = frame.module().inspector();
        read(frame, |reader| {
            let at = Context { frame: self.function.as_deref(), reader };
            match &self.found {
                Found::Variable(variable) => question(&inspector, &inspector.typed(variable)?, &at),
                Found::Value(value) => question(&inspector, value, &at),
            }
        })
    }
}

impl Home {
    fn of(frame: &Frame<'_>) -> Home {
        Home { frame: frame.id(), module: frame.module().id(), offset: frame.offset() }
    }
}

/// Reads a frame.
struct Reader<'a, 'f> {
    frame: &'a Frame<'f>,
    /// Why something that was asked for is not known.
    unknown: RefCell<Option<Error>>,
}

/// Asks about what is in a frame. Where that takes something that production code does not keep, that is the error.
fn read<R>(frame: &Frame<'_>, question: impl FnOnce(&dyn FrameReader) -> Result<R>) -> Result<R> {
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

impl Frame<'_> {
    /// What a variable of the source, or a path that leads on from one, comes to in this frame: names, `.`, `->`,
    /// `[1]`, `*`, `&`. Where functions are inlined, names are those of the innermost.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the module has no debug information for this place, where nothing has that name,
    /// and where the path does not fit its type.
    pub fn evaluate(&self, path: &str) -> Result<Evaluated> {
        let found = self.variable(0, path)?;
        Ok(Evaluated { type_name: found.type_name(self)?, text: found.text(self)? })
    }

    /// The variables of a scope. Where functions are inlined at the frame's instruction, `level` says of which: 0 is
    /// the innermost, as in [`Frame::locations`]. Nothing is read of them yet. Where the module has no debug
    /// information for this place there are none, but for those of the module.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where there is no such level; [`ErrorKind::InvalidModule`] where the debug information
    /// is damaged, [`ErrorKind::Limit`] where it takes too long to read.
    pub fn variables(&self, level: usize, scope: Scope) -> Result<Vec<FrameVariable>> {
        let inspector = self.module().inspector();
        let function = self.function(&inspector, level)?.map(Arc::new);
        let is_parameter = |variable: &Variable| variable.kind() == VariableKind::Parameter;
        let found = match (scope, function.as_deref()) {
            (Scope::Module, _) => inspector.statics(),
            (_, None) => Vec::new(),
            (Scope::Statics, Some(function)) => inspector.statics_around(function),
            (Scope::Parameters | Scope::Locals, Some(function)) => {
                let mut all = inspector.all_variables(function)?;
                all.retain(|variable| is_parameter(variable) == (scope == Scope::Parameters));
                all
            }
        };
        let home = Home::of(self);
        let seen = |variable: Variable| FrameVariable {
            name: variable.name().to_owned(),
            found: Found::Variable(variable),
            function: function.clone(),
            home,
        };
        Ok(found.into_iter().map(seen).collect())
    }

    /// What a path leads to, as of [`Frame::evaluate`]; `level` is as of [`Frame::variables`].
    ///
    /// # Errors
    /// As of [`Frame::evaluate`] and [`Frame::variables`].
    pub fn variable(&self, level: usize, path: &str) -> Result<FrameVariable> {
        let inspector = self.module().inspector();
        let function = self.function(&inspector, level)?;
        let value = read(self, |reader| inspector.evaluate_path(path, &Context { frame: function.as_ref(), reader }))?;
        let function = function.map(Arc::new);
        Ok(FrameVariable { name: path.trim().to_owned(), found: Found::Value(value), function, home: Home::of(self) })
    }

    /// A function of the source at the frame's instruction; `None` where the debug information knows none.
    fn function(&self, inspector: &Inspector<'_>, level: usize) -> Result<Option<SourceFrame>> {
        let mut frames = inspector.frames(self.offset());
        if level < frames.len() {
            return Ok(Some(frames.swap_remove(level)));
        }
        if level == 0 {
            return Ok(None);
        }
        let message = format!("there is no function {level} of the source here: there are {}", frames.len());
        Err(Error::new(ErrorKind::Argument, message))
    }
}

impl Debugger {
    /// Watches a variable of a frame, 0 the innermost, or what is inside of one, where it is now: what is in memory as
    /// [`Debugger::watch_memory`] does, by the size of its type, what is in a local as [`Debugger::watch_local`] does,
    /// what is in a global as [`Debugger::watch_global`] does. At `-O2` a local may be that of several variables, each
    /// at its time; what is told is what is written to the local.
    ///
    /// A parameter or a variable of a block ends with its frame, in memory too: see [`Debugger::watch_local`]. A static
    /// variable does not, nor does what a pointer points to, or a reference, which stands for what it refers to.
    ///
    /// Of a bit field, a change is one of its bits; writes and reads are those of the bytes that it is in.
    ///
    /// # Errors
    /// [`ErrorKind::State`] for what is optimised out, a constant, computed, an operand, or in several places, and
    /// where the frame is not the one that the variable was found in, or has moved since; [`ErrorKind::Argument`] where
    /// there is no such frame; as of those that watch.
    pub fn watch_variable(
        &self,
        stop: &mut Stop<'_>,
        frame: usize,
        variable: &FrameVariable,
        kind: WatchKind,
    ) -> Result<WatchpointId> {
        let shown = stop.frame(frame).ok_or_else(|| no_frame(stop, frame))?;
        let (storage, is_of_frame) = variable.ask(&shown, |inspector, value, at| inspector.storage(value, at))?;
        match storage {
            Storage::Local(local) => self.watch_local(stop, frame, local.index(), kind),
            Storage::Global(index) => {
                let global = shown.known_instance()?.global(shown.store(), index);
                let global = global.ok_or_else(|| missing("such global"))?;
                self.watch_global(stop, global, kind)
            }
            Storage::Memory(address, size, mask) => {
                let memory = first_memory(&shown)?;
                let bytes = address.get()..address.get().saturating_add(size);
                let bound = is_of_frame.then(|| shown.id());
                self.watch_bytes(stop, (memory, bytes, mask), kind, bound)
            }
        }
    }
}

#[cold]
fn no_frame(stop: &Stop<'_>, frame: usize) -> Error {
    Error::new(ErrorKind::Argument, format!("there is no frame {frame}: there are {}", stop.frame_count()))
}

impl Stop<'_> {
    /// Gives a variable of the source, or what a path leads to, another value: [`Frame::evaluate`] tells of paths. It
    /// must be a number, a character, a truth value, a pointer or an enumerator.
    ///
    /// # Errors
    /// As of [`Frame::evaluate`]; [`ErrorKind::Argument`] for text that is no value of the type, and for what was
    /// optimised out or is only computed; as of [`Stop::set_local`] for what is in a local or an operand.
    pub fn assign(&mut self, frame: usize, path: &str, text: &str) -> Result<()> {
        self.write(frame, |shown| shown.variable(0, path)?.assigned(shown, text))
    }

    /// Gives a variable, or what is inside of one, another value, as [`Stop::assign`].
    ///
    /// # Errors
    /// As of [`Stop::assign`]; [`ErrorKind::State`] where the frame is not the one that it was found in, or has moved
    /// since.
    pub fn assign_variable(&mut self, frame: usize, variable: &FrameVariable, text: &str) -> Result<()> {
        self.write(frame, |shown| variable.assigned(shown, text))
    }

    /// Writes what a frame says is to be written.
    fn write(&mut self, frame: usize, what: impl FnOnce(&Frame<'_>) -> Result<Write>) -> Result<()> {
        let Some(shown) = self.frame(frame) else { return Err(no_frame(self, frame)) };
        match what(&shown)? {
            Write::Memory(address, bytes) => {
                let memory = first_memory(&shown)?;
                let at = usize::try_from(address.get()).map_err(|_| missing("such address"))?;
                memory.write(self.as_store_mut(), at, &bytes)
            }
            Write::Global(index, value) => {
                let global = shown.known_instance()?.global(self.as_store(), index);
                let global = global.ok_or_else(|| missing("such global"))?;
                global.set(self.as_store_mut(), val(value))
            }
            Write::Local(index, value) => self.set_local(frame, index.index(), val(value)),
            Write::Operand(index, value) => self.set_operand(frame, index as usize, val(value)),
        }
    }
}

/// The memory that addresses of the source are in.
fn first_memory(frame: &Frame<'_>) -> Result<Memory> {
    frame.known_instance()?.memory(frame.store(), MemoryIndex::new(0)).ok_or_else(|| missing("memory"))
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
