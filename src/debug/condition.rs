//! Conditions of breakpoints: a callback of the host's, or an expression. It is read when it is set, and held against
//! the places of its breakpoint. One of registers and memory alone is evaluated where the guest stands, without calling
//! anybody: what is found at a stop allocates nothing and cannot fail.

use super::expr::eval::{Item, Types, World, kind, truth};
use super::expr::number::{Binary, Kind as NumberKind, Number, Trouble};
use super::expr::source::{Meaning, Names, Source, meaning};
use super::expr::syntax::{Expr, Node, Register, Span, Type};
use super::expr::{EvaluateOptions, Expression};
use super::frame::Frame;
use super::machine::OfFrame;
use super::stop::Stop;
use crate::base::{DefinedFuncIndex, Error, GlobalIndex, MemoryIndex, Result, WasmOffset};
use crate::dwarf::{Inspector, SourceFrame};
use crate::runtime::{Instance, Module, ModuleId, StandingFrame, ValRaw, VirtualFrame};
use crate::wasm::{IndexType, ValType};
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex};

/// A callback that is asked. An error ends the guest's call.
pub(super) type Ask = dyn Fn(&mut Stop<'_>) -> Result<bool> + Send + Sync;

/// When a breakpoint that is come to counts.
///
/// A text is an [`Expression`] in the innermost frame, which holds where it comes to another number than 0:
/// `local(0) > 10 && i32[local(1) + 8] == 3`, `at->key == limit`. Nothing can be assigned or called. What fails at a
/// stop, a read beyond the memory or a division by zero, makes the whole condition false.
#[derive(Clone)]
pub struct Condition(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    /// Of registers and memory alone.
    Plain(Arc<Expression>),
    /// Of anything else.
    Source(Arc<OfSource>),
    Callback(Arc<Ask>),
}

/// An expression of the source, and what its names were found to mean where it was evaluated last.
pub(super) struct OfSource {
    expression: Expression,
    known: Mutex<Option<Known>>,
}

/// What names mean at a place.
struct Known {
    module: ModuleId,
    offset: WasmOffset,
    /// The innermost function of the source there.
    function: Option<SourceFrame>,
    names: Names,
}

impl Condition {
    /// A condition from a text.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the text is no expression, or one that assigns or calls, with the column.
    pub fn text(text: &str) -> Result<Condition> {
        let expression = Expression::new(text)?;
        expression.check(EvaluateOptions::default())?;
        Ok(Condition(match expression.is_plain() {
            true => Kind::Plain(Arc::new(expression)),
            false => Kind::Source(Arc::new(OfSource { expression, known: Mutex::new(None) })),
        }))
    }

    /// A condition that `holds` is asked for, at the stop that would be told, on the guest's thread. Breakpoints, steps
    /// and traps within it are not told.
    pub fn callback(holds: impl Fn(&Stop<'_>) -> bool + Send + Sync + 'static) -> Condition {
        Condition::fallible(move |stop| Ok(holds(stop)))
    }

    /// The same, for callbacks of other languages, which may change the frame and fail: then the guest's call ends.
    pub(crate) fn fallible(holds: impl Fn(&mut Stop<'_>) -> Result<bool> + Send + Sync + 'static) -> Condition {
        Condition(Kind::Callback(Arc::new(holds)))
    }

    /// Its text, unless it is a callback.
    pub fn as_text(&self) -> Option<&str> {
        self.expression().map(Expression::as_text)
    }

    fn expression(&self) -> Option<&Expression> {
        match &self.0 {
            Kind::Plain(expression) => Some(expression),
            Kind::Source(source) => Some(&source.expression),
            Kind::Callback(_) => None,
        }
    }

    /// Refuses a condition that does not fit a place: variables, locals, globals or a memory that are not there, or
    /// that are no numbers.
    pub(super) fn check(&self, module: &Module, func: DefinedFuncIndex, offset: WasmOffset) -> Result<()> {
        let Some(expression) = self.expression() else { return Ok(()) };
        let code = module.debug_code(&|_, _| true)?;
        let locals = code.tables().declared_locals_of(func).iter().map(|slot| slot.ty).collect();
        let inspector = module.inspector();
        // Only what has names needs the source.
        let function = match &self.0 {
            Kind::Source(_) => inspector.frames(offset).into_iter().next(),
            _ => None,
        };
        let mut scope =
            Scope { module, func, locals, inspector, function: function.as_ref(), text: expression.as_text() };
        kind(expression.root(), &mut scope).map(drop)
    }
}

impl OfSource {
    /// Whether it holds in a frame. What cannot be evaluated makes it false.
    pub(super) fn holds(&self, frame: &Frame<'_>) -> bool {
        let (module, offset) = (frame.module().id(), frame.offset());
        let inspector = frame.module().inspector();
        // Whoever evaluates it meanwhile looks the names up once more.
        let known = self.known.try_lock().ok().and_then(|mut known| known.take());
        let known = known.filter(|known| known.module == module && known.offset == offset);
        let mut known = known.unwrap_or_else(|| {
            let function = inspector.frames(offset).into_iter().next();
            Known { module, offset, function, names: Names::default() }
        });
        let mut machine = OfFrame(frame);
        let text = self.expression.as_text();
        let mut source = Source::new(text, &inspector, known.function.as_ref(), &mut machine).with_names(known.names);
        let held = truth(self.expression.root(), &mut source).unwrap_or(false);
        known.names = source.into_names();
        if let Ok(mut place) = self.known.try_lock() {
            *place = Some(known);
        }
        held
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_text() {
            Some(text) => write!(f, "Condition({text:?})"),
            None => f.write_str("Condition(a callback)"),
        }
    }
}

/// What a frame has, where the guest stands. It is handed on by reference: a copy of what was just written in parts is
/// slow.
pub(super) struct Reader<'a> {
    frame: &'a StandingFrame<'a>,
    /// Where its locals are, if the guest is inside the region.
    inside: Option<&'a VirtualFrame>,
}

impl<'a> Reader<'a> {
    /// Of the frame at a stop, or of what is known of it `inside` the region.
    #[inline(always)]
    pub(super) fn new(frame: &'a StandingFrame<'a>, inside: Option<&'a VirtualFrame>) -> Reader<'a> {
        Reader { frame, inside }
    }

    /// Whether an expression of registers and memory alone holds of the frame. What cannot be read makes it false.
    #[inline]
    pub(super) fn holds(&mut self, expression: &Expression) -> bool {
        // Most compare a local with a constant.
        let root = expression.root();
        if let Node::Binary(op, a, b) = &root.node
            && op.compares()
            && let (Some(a), Some(b)) = (self.plain(a), self.plain(b))
        {
            return op.fits(Some(a.cmp(&b)));
        }
        truth(root, self).unwrap_or(false)
    }

    /// The frame's instance.
    fn instance(&self) -> Option<Instance> {
        self.frame.instance()
    }

    #[inline(always)]
    fn local(&self, index: u32) -> Option<(ValType, ValRaw)> {
        match self.inside {
            None => self.frame.local(index),
            Some(inside) => inside.local(index as usize),
        }
    }

    /// What is an integer with a sign, of 64 bits at most, without computing: any two are compared as C does.
    #[inline(always)]
    fn plain(&self, expr: &Expr) -> Option<i64> {
        match &expr.node {
            Node::Number(number) if number.kind.class == super::expr::number::Class::Signed => {
                i64::try_from(number.signed()).ok()
            }
            Node::Register(Register::Local(index)) => {
                let (ty, raw) = self.local(*index)?;
                let word = raw.words()[0];
                match ty {
                    ValType::I32 => Some(i64::from(word as i32)),
                    ValType::I64 => Some(word as i64),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn value(&self, register: &Register) -> Option<Number> {
        match register {
            Register::Local(index) => {
                let (ty, raw) = self.local(*index)?;
                Some(Number::new(NumberKind::of_value(ty)?, raw.words()[0].into()))
            }
            Register::Global(index) => {
                let store = self.frame.store();
                Number::of_val(&self.instance()?.global(store, GlobalIndex::new(*index))?.get(store).ok()?)
            }
            _ => None,
        }
    }

    fn read(&self, kind: NumberKind, address: Number) -> Option<Number> {
        let store = self.frame.store();
        let memory = self.instance()?.memory(store, MemoryIndex::new(0))?;
        let address = match memory.ty(store).ok()?.index {
            IndexType::I64 => address.signed() as u64,
            IndexType::I32 => u64::from(address.signed() as u32),
        };
        let mut bytes = [0; 16];
        memory.read(store, usize::try_from(address).ok()?, &mut bytes[..kind.bytes()]).ok()?;
        Some(Number::new(kind, u128::from_le_bytes(bytes)))
    }
}

/// That something cannot be read or computed: nobody asks what.
pub(super) struct Unknown;

impl Types for Reader<'_> {
    type Fault = Unknown;

    fn fault(&self, _: Span, _: Trouble) -> Unknown {
        Unknown
    }

    fn kind_of(&mut self, expr: &Expr) -> Result<Option<NumberKind>, Unknown> {
        match &expr.node {
            Node::Register(register) => Ok(self.value(register).map(|number| number.kind)),
            _ => Ok(None),
        }
    }
}

impl World for Reader<'_> {
    type Thing = Infallible;

    #[inline]
    fn register(&mut self, _: Span, register: &Register) -> Result<Item<Infallible>, Unknown> {
        self.value(register).map(Item::Number).ok_or(Unknown)
    }

    fn memory(&mut self, _: Span, kind: NumberKind, address: Number) -> Result<Item<Infallible>, Unknown> {
        self.read(kind, address).map(Item::Number).ok_or(Unknown)
    }

    fn load(&mut self, _: Span, thing: &Infallible) -> Result<Number, Unknown> {
        match *thing {}
    }

    fn binary(
        &mut self,
        _: Span,
        _: Binary,
        _: (&Expr, Item<Infallible>),
        _: (&Expr, Item<Infallible>),
    ) -> Result<Item<Infallible>, Unknown> {
        Err(Unknown)
    }

    fn special(&mut self, _: &Expr) -> Result<Item<Infallible>, Unknown> {
        Err(Unknown)
    }
}

/// What a condition is held against when it is set.
struct Scope<'a> {
    module: &'a Module,
    func: DefinedFuncIndex,
    locals: Vec<ValType>,
    inspector: Inspector<'a>,
    /// The innermost function of the source there.
    function: Option<&'a SourceFrame>,
    text: &'a str,
}

impl Scope<'_> {
    fn wrong<T>(&self, at: Span, what: impl fmt::Display) -> Result<T> {
        Err(at.wrong(self.text, what))
    }

    fn typed(&self, at: Span, what: impl fmt::Display, ty: ValType) -> Result<Option<NumberKind>> {
        match NumberKind::of_value(ty) {
            Some(kind) => Ok(Some(kind)),
            None => self.wrong(at, format_args!("{what} is of type {ty}, which is no number")),
        }
    }

    /// A name of the source; its type is known where it is a number.
    fn named(&self, at: Span, name: &str) -> Result<Option<NumberKind>> {
        let nowhere = Nowhere;
        let context = crate::dwarf::Context { frame: self.function, reader: &nowhere };
        let found = meaning(&self.inspector, name, &context).map_err(|error| at.failed(self.text, error))?;
        let value = match found {
            Meaning::Variable(variable) => self.inspector.typed(&variable)?,
            Meaning::Enumerator(value) => value,
            Meaning::Number(number) => return Ok(Some(number.kind)),
        };
        // What is to be read to know more is known at the stop.
        let is_pointer = self.inspector.is_pointer(&value, &context).unwrap_or(true);
        let ty = self.inspector.number_type(&value, &context).ok().flatten().filter(|_| !is_pointer);
        // Of a reference, what it refers to.
        let is_reference =
            self.inspector.kind(&value, &context).is_ok_and(|kind| kind == crate::dwarf::ValueKind::Reference);
        Ok(ty.filter(|_| !is_reference).map(NumberKind::of_source))
    }
}

impl Types for Scope<'_> {
    type Fault = Error;

    fn fault(&self, at: Span, trouble: Trouble) -> Error {
        at.wrong(self.text, trouble)
    }

    fn kind_of(&mut self, expr: &Expr) -> Result<Option<NumberKind>> {
        let info = self.module.info();
        let at = expr.at;
        match &expr.node {
            Node::Register(Register::Local(index)) => match self.locals.get(*index as usize) {
                Some(ty) => self.typed(at, format_args!("local {index}"), *ty),
                None => {
                    let (count, func) = (self.locals.len(), info.func_index(self.func));
                    self.wrong(at, format_args!("function {func} has no local {index}: it has {count}"))
                }
            },
            Node::Register(Register::Global(index)) => match info.globals.get(*index as usize) {
                Some(global) => self.typed(at, format_args!("global {index}"), global.content),
                None => {
                    let count = info.globals.len();
                    self.wrong(at, format_args!("the module has no global {index}: it has {count}"))
                }
            },
            Node::Register(_) => Ok(None),
            Node::Memory(..) if info.memories.is_empty() => self.wrong(at, "the module has no memory"),
            Node::Name(name) => self.named(at, name),
            Node::Member(of, _) | Node::Arrow(of, _) | Node::Dereference(of) | Node::AddressOf(of) => {
                kind(of, self).map(|_| None)
            }
            Node::Cast(ty, of) => {
                if let Type::Named(name, _) = ty {
                    let known = self.inspector.type_named(self.function, name);
                    known.map_err(|error| at.failed(self.text, error))?;
                }
                kind(of, self).map(|_| None)
            }
            Node::Index(a, b) => {
                kind(a, self)?;
                if kind(b, self)?.is_some_and(NumberKind::is_float) {
                    return Err(self.fault(b.at, Trouble::NoBits));
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}

/// A frame that is not there yet.
struct Nowhere;

impl crate::dwarf::FrameReader for Nowhere {
    fn local(&self, _: crate::base::LocalIndex) -> Option<crate::dwarf::WasmValue> {
        None
    }

    fn global(&self, _: GlobalIndex) -> Option<crate::dwarf::WasmValue> {
        None
    }

    fn operand(&self, _: u32) -> Option<crate::dwarf::WasmValue> {
        None
    }

    fn memory(&self, _: crate::dwarf::MemoryAddress, _: &mut [u8]) -> bool {
        false
    }
}
