//! The one language of expressions: what conditions, watches, variables and whatever a person types at a stop are read
//! and evaluated by. `parse.rs` reads a text into the tree of `syntax.rs`; `eval.rs` walks it; `number.rs` computes as
//! C does; `source.rs` has variables, pointers, assignments and calls. `docs/debugging.md` tells the language.
//!
//! Texts are anybody's: whatever one is, reading and evaluating it ends, on a bounded stack, with a value or an error
//! that points into it. Nothing is written or called but where who asks has allowed it.

pub(super) mod eval;
pub(super) mod number;
mod parse;
pub(super) mod source;
pub(super) mod syntax;

use crate::base::{Error, ErrorKind, GlobalIndex, LocalIndex, Result};
use crate::dwarf::{Context, FrameReader, Inspector, SourceFrame, Value, WasmValue, Write};
use crate::runtime::Val;
use eval::{Item, eval};
use number::Number;
use source::{Machine, Source, Thing};
pub use syntax::error_columns;
use syntax::{Expr, Node, Register, Span, Type};

/// An expression that was read: C's operators on variables of the source, registers of Wasm, memory and constants.
///
/// It is read once and evaluated as often as one likes, in any frame: by
/// [`Frame::variable`](super::Frame::variable), which takes a text, in a breakpoint's
/// [`Condition`](super::Condition), or, without a debugger, by [`value`](Self::value).
#[derive(Debug)]
pub struct Expression {
    text: Box<str>,
    root: Expr,
    /// Where it assigns and calls, if it does.
    assigns: Option<Span>,
    calls: Option<Span>,
}

/// What an expression may do, and where names are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvaluateOptions {
    /// Where functions are inlined, whose variables are meant: 0 is the innermost, as in
    /// [`Frame::variables`](super::Frame::variables).
    pub level: usize,
    /// Whether `=`, `+=` and the others are allowed.
    pub assign: bool,
    /// Whether `name(1, 2.5)` calls an export of the frame's instance.
    pub call: bool,
}

impl Expression {
    /// Reads a text.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where it is no expression; [`error_columns`] tells where.
    pub fn new(text: &str) -> Result<Expression> {
        let root = parse::read(text)?;
        let (mut assigns, mut calls) = (None, None);
        root.each(&mut |part| match part.node {
            Node::Assign(..) => assigns = assigns.or(Some(part.at)),
            Node::Call(..) => calls = calls.or(Some(part.at)),
            _ => {}
        });
        Ok(Expression { text: text.into(), root, assigns, calls })
    }

    /// The text.
    pub fn as_text(&self) -> &str {
        &self.text
    }

    pub(super) fn root(&self) -> &Expr {
        &self.root
    }

    /// Whether it is of numbers that can be computed without debug information and without fail: locals, globals,
    /// memory and constants.
    pub(super) fn is_plain(&self) -> bool {
        let mut plain = true;
        self.root.each(&mut |part| {
            plain &= match &part.node {
                Node::Register(register) => matches!(register, Register::Local(_) | Register::Global(_)),
                Node::Cast(ty, _) => matches!(ty, Type::Number(_)),
                Node::Number(_)
                | Node::Memory(..)
                | Node::Unary(..)
                | Node::Not(_)
                | Node::Binary(..)
                | Node::Both(..)
                | Node::Either(..)
                | Node::Choose(_) => true,
                _ => false,
            };
        });
        plain
    }

    /// Refuses what is not allowed.
    pub(super) fn check(&self, options: EvaluateOptions) -> Result<()> {
        if let Some(at) = self.assigns.filter(|_| !options.assign) {
            let what = "assignments are not allowed here; to compare, write `==`";
            return Err(at.wrong(&self.text, what));
        }
        if let Some(at) = self.calls.filter(|_| !options.call) {
            let what = "calls are not allowed here; whoever evaluates this has to allow them";
            return Err(at.wrong(&self.text, what));
        }
        Ok(())
    }

    /// Evaluates it against a frame. What is not allowed was refused before.
    pub(super) fn item(
        &self,
        inspector: &Inspector<'_>,
        function: Option<&SourceFrame>,
        machine: &mut dyn Machine,
    ) -> Result<Item<Thing>> {
        eval(&self.root, &mut Source::new(&self.text, inspector, function, machine))
    }

    /// The number that it is, for a value of the source that is to become it: names of the value's type come first.
    pub(super) fn number_for(
        &self,
        target: Option<&Value>,
        inspector: &Inspector<'_>,
        function: Option<&SourceFrame>,
        machine: &mut dyn Machine,
    ) -> Result<Number> {
        if let (Node::Name(name), Some(target)) = (&self.root.node, target) {
            let mut named = Ok(None);
            machine.read(&mut |reader| {
                let at = Context { frame: function, reader };
                let found = inspector.enumerator_of(target, name, &at);
                named = found.and_then(|found| {
                    let Some(found) = found else { return Ok(None) };
                    let scalar = inspector.scalar(&found, &at)?;
                    Ok(inspector.number_type(&found, &at)?.map(|ty| Number::of_scalar(scalar, ty)))
                });
            })?;
            if let Some(number) = named? {
                return Ok(number);
            }
        }
        eval::number(&self.root, &mut Source::new(&self.text, inspector, function, machine))
    }

    /// The value of the source that it leads to, in a frame of whoever implements [`FrameReader`], without a debugger.
    /// Nothing can be assigned or called; there are no named registers, and addresses have 32 bits.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where nothing has a name, where an operator does not fit its types, and where it comes
    /// to a number that was computed, which is nowhere; else as of [`Inspector::scalar`].
    pub fn value(&self, inspector: &Inspector<'_>, at: &Context<'_>) -> Result<Value> {
        self.check(EvaluateOptions::default())?;
        match self.item(inspector, at.frame, &mut Alone(at.reader))? {
            Item::Thing(Thing::Value(value)) => Ok(value),
            _ => Err(self.root.at.wrong(&self.text, "this is a number, and no value of the source")),
        }
    }

    /// What is to be written where, so that a value of the source becomes what this comes to, without a debugger.
    ///
    /// # Errors
    /// As of [`value`](Self::value) and [`Inspector::assign`].
    pub fn write(&self, inspector: &Inspector<'_>, target: &Value, at: &Context<'_>) -> Result<Write> {
        self.check(EvaluateOptions::default())?;
        let number = self.number_for(Some(target), inspector, at.frame, &mut Alone(at.reader))?;
        inspector.assign(target, number.scalar(), at)
    }
}

/// A frame without a debugger.
struct Alone<'r>(&'r dyn FrameReader);

impl Machine for Alone<'_> {
    fn read(&self, ask: &mut dyn FnMut(&dyn FrameReader)) -> Result<()> {
        ask(self.0);
        Ok(())
    }

    fn register(&self, register: &Register) -> Result<Val> {
        let value = match register {
            Register::Local(index) => self.0.local(LocalIndex::new(*index)),
            Register::Operand(index) => self.0.operand(*index),
            Register::Global(index) => self.0.global(GlobalIndex::new(*index)),
            Register::Pc | Register::Named(_) => None,
        };
        value.map(val).ok_or_else(|| Error::new(ErrorKind::Argument, "the frame has no such number"))
    }

    fn named(&self, _: &str) -> Option<Register> {
        None
    }

    fn is_64(&self) -> bool {
        false
    }
}

/// A number of the guest, from what debug information knows of it.
pub(super) fn val(value: WasmValue) -> Val {
    match value {
        WasmValue::I32(value) => Val::I32(value as i32),
        WasmValue::I64(value) => Val::I64(value as i64),
        WasmValue::F32(bits) => Val::F32(bits),
        WasmValue::F64(bits) => Val::F64(bits),
        WasmValue::V128(bits) => Val::V128(bits.to_le_bytes()),
    }
}
