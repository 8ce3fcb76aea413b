//! Variables of the source in a stopped frame, and whatever else an expression comes to: what `p->x + 1` is, and giving
//! `p->x` another value. What debug information says is read by `dwarf/`, and expressions by `expr/`; here they get the
//! frame that they ask about.

use super::Debugger;
use super::expr::eval::Item;
use super::expr::number::Number;
use super::expr::source::{Machine, Source, Thing, machine_number, machine_type};
use super::expr::syntax::Register;
use super::expr::{EvaluateOptions, Expression};
use super::frame::Frame;
use super::machine::{OfFrame, OfStop, first_memory, missing, no_frame, read, size_of, text};
use super::stop::Stop;
use super::watchpoint::{WatchKind, WatchpointId};
use crate::base::{Error, ErrorKind, GlobalIndex, Result, WasmOffset};
use crate::dwarf::{
    Context, Inspector, MemoryAddress, Missing, Scalar, SourceFrame, Storage, Value, ValueKind, Variable, VariableKind,
};
use crate::runtime::ModuleId;
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
/// to; a register or a number in memory; or a number that an expression has come to. Nothing of it is kept but where it
/// is found: each question reads the frame. So it is asked of the frame that it was found in, which must stand where it
/// stood then; otherwise there is an error.
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
    /// On a way that begins with a name or a cast.
    Value(Value),
    /// Computed: it is nowhere.
    Number(Number),
    /// In a register, in memory without a type of the source, or what a call has given.
    Machine(Thing),
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
    /// brackets, `*` for what a pointer points to; what an expression has come to has that.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn variable(&self) -> Option<&Variable> {
        match &self.found {
            Found::Variable(variable) => Some(variable),
            _ => None,
        }
    }

    /// What kind of variable it is; `None` for what is inside of one, or what an expression has come to.
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
        self.check(frame)?;
        match &self.found {
            Found::Number(number) => return Ok(number.kind.name().to_owned()),
            Found::Machine(thing) => return machine_type(&OfFrame(frame), thing),
            Found::Variable(_) | Found::Value(_) => {}
        }
        self.ask_type(frame, |inspector, value, _| Ok(inspector.type_name(value)))
    }

    /// What it is made of.
    ///
    /// # Errors
    /// As of [`type_name`](Self::type_name).
    pub fn kind(&self, frame: &Frame<'_>) -> Result<ValueKind> {
        self.check(frame)?;
        match &self.found {
            Found::Number(_) | Found::Machine(Thing::Memory(..) | Thing::Register(Register::Pc)) => {
                return Ok(ValueKind::Number);
            }
            Found::Machine(Thing::Register(register)) => {
                let number = Number::of_val(&OfFrame(frame).register(register)?);
                return Ok(number.map_or(ValueKind::Opaque, |_| ValueKind::Number));
            }
            Found::Machine(_) => return Ok(ValueKind::Opaque),
            Found::Variable(_) | Found::Value(_) => {}
        }
        self.ask_type(frame, |inspector, value, at| inspector.kind(value, at))
    }

    /// How many bytes it takes.
    ///
    /// # Errors
    /// As of [`type_name`](Self::type_name).
    pub fn size(&self, frame: &Frame<'_>) -> Result<u64> {
        self.check(frame)?;
        match &self.found {
            Found::Number(number) => return Ok(number.kind.bytes() as u64),
            Found::Machine(Thing::Memory(kind, _)) => return Ok(kind.bytes() as u64),
            Found::Machine(Thing::Register(register)) => return Ok(size_of(OfFrame(frame).register(register)?.ty())),
            Found::Machine(Thing::Wasm(value)) => return Ok(size_of(value.ty())),
            Found::Machine(_) => return Ok(0),
            Found::Variable(_) | Found::Value(_) => {}
        }
        self.ask_type(frame, |inspector, value, at| inspector.size(value, at))
    }

    /// Its value in one line, with what is inside of it as far as there is room. What cannot be read is said there.
    ///
    /// # Errors
    /// [`ErrorKind::State`] as of [`type_name`](Self::type_name).
    pub fn text(&self, frame: &Frame<'_>) -> Result<String> {
        self.check(frame)?;
        let told = match &self.found {
            Found::Number(number) => Ok(number.to_string()),
            Found::Machine(thing) => text(frame, thing),
            _ => self.ask(frame, |inspector, value, at| Ok(inspector.summary(value, at))),
        };
        Ok(told.unwrap_or_else(|error| format!("<{}>", error.message())))
    }

    /// The number that it is, or that stands for it: of a pointer the address, of an enumeration the number.
    ///
    /// # Errors
    /// As of [`type_name`](Self::type_name); [`ErrorKind::Argument`] for what is no number, [`ErrorKind::State`] for
    /// what is [missing](Self::missing) or in memory that is not there.
    pub fn number(&self, frame: &Frame<'_>) -> Result<Scalar> {
        self.check(frame)?;
        match &self.found {
            Found::Number(number) => return Ok(number.scalar()),
            Found::Machine(thing) => return machine_number(&OfFrame(frame), thing).map(Number::scalar),
            Found::Variable(_) | Found::Value(_) => {}
        }
        self.ask(frame, |inspector, value, at| inspector.scalar(value, at))
    }

    /// Where in the first memory of the frame's instance it is; `None` for what is in a local, a global or an operand,
    /// for bit fields, and for what is computed or [missing](Self::missing).
    ///
    /// # Errors
    /// As of [`type_name`](Self::type_name), and where it cannot be told where it is.
    pub fn address(&self, frame: &Frame<'_>) -> Result<Option<MemoryAddress>> {
        self.check(frame)?;
        match &self.found {
            Found::Machine(Thing::Memory(_, address)) => return Ok(Some(MemoryAddress::new(*address))),
            Found::Number(_) | Found::Machine(_) => return Ok(None),
            Found::Variable(_) | Found::Value(_) => {}
        }
        self.ask(frame, |_, value, _| Ok(value.address()))
    }

    /// Why it has no value, if the debug information says that it is not there.
    ///
    /// # Errors
    /// As of [`address`](Self::address).
    pub fn missing(&self, frame: &Frame<'_>) -> Result<Option<Missing>> {
        if self.is_of_machine(frame)? {
            return Ok(None);
        }
        self.ask(frame, |_, value, _| Ok(value.missing()))
    }

    /// How many variables are inside of it: members, elements, what a pointer points to. None in what is missing.
    ///
    /// # Errors
    /// As of [`address`](Self::address).
    pub fn child_count(&self, frame: &Frame<'_>) -> Result<u64> {
        if self.is_of_machine(frame)? {
            return Ok(0);
        }
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
        if self.is_of_machine(frame)? {
            return Ok(Vec::new());
        }
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

    /// Whether it is no value of the source: nothing is inside of it.
    fn is_of_machine(&self, frame: &Frame<'_>) -> Result<bool> {
        self.check(frame)?;
        Ok(matches!(self.found, Found::Number(_) | Found::Machine(_)))
    }

    fn new(expression: &Expression, item: Item<Thing>, function: Option<SourceFrame>, frame: &Frame<'_>) -> Self {
        let found = match item {
            Item::Number(number) => Found::Number(number),
            Item::Thing(Thing::Value(value)) => Found::Value(value),
            Item::Thing(thing) => Found::Machine(thing),
        };
        let name = expression.as_text().trim().to_owned();
        FrameVariable { name, found, function: function.map(Arc::new), home: Home::of(frame) }
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
                Found::Number(_) | Found::Machine(_) => Err(nowhere()),
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
                Found::Number(_) | Found::Machine(_) => Err(nowhere()),
            }
        })
    }
}

impl Home {
    fn of(frame: &Frame<'_>) -> Home {
        Home { frame: frame.id(), module: frame.module().id(), offset: frame.offset() }
    }
}

#[cold]
fn nowhere() -> Error {
    Error::new(ErrorKind::State, "the value is computed: there is no place that it is in")
}

impl Frame<'_> {
    /// What an expression comes to in this frame: C's operators on variables of the source (`p->x[1] + 1`), registers
    /// of Wasm (`$local0`, `$stack0`, `$global0`, `$pc`), memory (`i32[ADDRESS]`) and constants; see [`Expression`].
    /// Nothing can be assigned or called. Where functions are inlined, names are those of the innermost.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the text is no expression, where nothing has a name that is in it, and where an
    /// operator does not fit its types; [`ErrorKind::State`] where something that is computed with cannot be read.
    /// [`error_columns`](super::error_columns) tells where in the text.
    pub fn evaluate(&self, text: &str) -> Result<Evaluated> {
        let found = self.variable(0, text)?;
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

    /// What an expression comes to, as of [`Frame::evaluate`]; `level` is as of [`Frame::variables`].
    ///
    /// # Errors
    /// As of [`Frame::evaluate`] and [`Frame::variables`].
    pub fn variable(&self, level: usize, text: &str) -> Result<FrameVariable> {
        let expression = Expression::new(text)?;
        expression.check(EvaluateOptions::default())?;
        let inspector = self.module().inspector();
        let function = self.function(&inspector, level)?;
        let item = expression.item(&inspector, function.as_ref(), &mut OfFrame(self))?;
        Ok(FrameVariable::new(&expression, item, function, self))
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
    /// Watches a variable of a frame, 0 the innermost, or what is inside of one, or a local, a global or a number in
    /// memory that an expression has led to, where it is now: what is in memory as
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
        if variable.is_of_machine(&shown)? {
            return match &variable.found {
                Found::Machine(Thing::Register(Register::Local(local))) => {
                    self.watch_local(stop, frame, *local as usize, kind)
                }
                Found::Machine(Thing::Register(Register::Global(index))) => {
                    let global = shown.known_instance()?.global(shown.store(), GlobalIndex::new(*index));
                    self.watch_global(stop, global.ok_or_else(|| missing("such global"))?, kind)
                }
                Found::Machine(Thing::Memory(is, address)) => {
                    let bytes = *address..address.saturating_add(is.bytes() as u64);
                    let memory = first_memory(&shown)?;
                    self.watch_bytes(stop, (memory, bytes, Vec::new()), kind, None)
                }
                _ => Err(Error::new(ErrorKind::State, "what is computed, or is an operand, cannot be watched")),
            };
        }
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

impl Stop<'_> {
    /// What an expression comes to in a frame, 0 the innermost, as of [`Frame::variable`], where it may assign and call
    /// as far as the options allow it. What is assigned, and what calls have done, stays where the expression fails
    /// behind that. What is called may stop in turn.
    ///
    /// A variable becomes what C makes of the number (`char c; c = 300` is 44). See [`Stop::assign`] for what refuses
    /// what does not fit.
    ///
    /// # Errors
    /// As of [`Frame::variable`], of [`Stop::set_local`] and [`Stop::set_operand`] for what is in a local or an
    /// operand; [`ErrorKind::Argument`] for what the options do not allow, where the frame's instance exports no
    /// function of a name, or the arguments do not fit it; whatever what is called fails with.
    pub fn evaluate(&mut self, frame: usize, text: &str, options: EvaluateOptions) -> Result<FrameVariable> {
        let expression = Expression::new(text)?;
        expression.check(options)?;
        let shown = self.frame(frame).ok_or_else(|| no_frame(self, frame))?;
        let module = shown.module().clone();
        let inspector = module.inspector();
        let function = shown.function(&inspector, options.level)?;
        let item = expression.item(&inspector, function.as_ref(), &mut OfStop { stop: self, frame })?;
        let shown = self.frame(frame).ok_or_else(|| no_frame(self, frame))?;
        Ok(FrameVariable::new(&expression, item, function, &shown))
    }

    /// Gives what an expression leads to ([`Frame::variable`]: a variable of the source, a register, a number in
    /// memory) another value, which is what the expression `text` comes to, in the same frame; or the name of an
    /// enumerator of its type. It must be a number, a character, a truth value, a pointer or an enumerator that the
    /// variable can have.
    ///
    /// # Errors
    /// As of [`Frame::evaluate`]; [`ErrorKind::Argument`] for a value that the type does not have, and for what was
    /// optimised out or is only computed; as of [`Stop::set_local`] for what is in a local or an operand.
    pub fn assign(&mut self, frame: usize, target: &str, text: &str) -> Result<()> {
        let shown = self.frame(frame).ok_or_else(|| no_frame(self, frame))?;
        let variable = shown.variable(0, target)?;
        self.assign_variable(frame, &variable, text)
    }

    /// Gives a variable, or what is inside of one, another value, as [`Stop::assign`].
    ///
    /// # Errors
    /// As of [`Stop::assign`]; [`ErrorKind::State`] where the frame is not the one that it was found in, or has moved
    /// since.
    pub fn assign_variable(&mut self, frame: usize, variable: &FrameVariable, text: &str) -> Result<()> {
        let expression = Expression::new(text)?;
        expression.check(EvaluateOptions::default())?;
        let shown = self.frame(frame).ok_or_else(|| no_frame(self, frame))?;
        variable.check(&shown)?;
        let module = shown.module().clone();
        let inspector = module.inspector();
        let function = variable.function.as_deref();
        if let Found::Machine(thing) = &variable.found {
            let mut machine = OfStop { stop: self, frame };
            let mut source = Source::new(expression.as_text(), &inspector, function, &mut machine);
            return source.set(thing, expression.root());
        }
        let write = variable.ask(&shown, |_, value, at| {
            let number = expression.number_for(Some(value), &inspector, function, &mut OfFrame(&shown))?;
            inspector.assign(value, number.scalar(), at)
        })?;
        OfStop { stop: self, frame }.write(write)
    }
}
