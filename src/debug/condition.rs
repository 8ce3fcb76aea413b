//! Conditions of breakpoints: a callback of the host's, or a text that is compared with the frame without calling
//! anybody. A text is read when it is set, and held against the places of its breakpoint; what is found at a stop
//! allocates nothing and cannot fail.

use super::stop::Stop;
use crate::base::{DefinedFuncIndex, Error, ErrorKind, Escaped, GlobalIndex, MemoryIndex, Result};
use crate::runtime::{Instance, Module, StandingFrame, Val, ValRaw, VirtualFrame};
use crate::wasm::{IndexType, ValType};
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The longest text of a condition, in bytes.
const MAX_TEXT: usize = 4096;
/// How deep parentheses and signs may be nested.
const MAX_DEPTH: usize = 48;
/// So many operators may be in a text. What is read is a tree, which is walked on the guest's stack.
const MAX_OPERATORS: usize = 128;

/// A callback that is asked. An error ends the guest's call.
pub(super) type Ask = dyn Fn(&mut Stop<'_>) -> Result<bool> + Send + Sync;

/// When a breakpoint that is come to counts.
///
/// A text compares numbers of the innermost frame: `local(0) > 10 && i32[local(1) + 8] == 3`.
///
/// - `local(N)` and `global(N)`, by index, parameters first; integers have a sign.
/// - `i8[A]`, `u8`, `i16`, `u16`, `i32`, `u32`, `i64`, `u64`, `f32`, `f64`: what stands at an address of the first
///   memory. Addresses are taken modulo the size of the memory's address space. With `(X)` in place of `[A]`, the
///   number X as one of that type: `u32(local(0))`.
/// - Constants: `10`, `-1`, `0x400`, `1.5`.
/// - `*`, `&`, then `+`, `-`, `|`, `^`; of integers, without overflow up to 128 bits.
/// - `==`, `!=`, `<`, `<=`, `>`, `>=`; then `!`, `&&`, `||`, and parentheses.
///
/// Integers and floats are not mixed, constants aside. A read beyond the memory makes the whole condition false.
#[derive(Clone)]
pub struct Condition(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Text(Arc<Text>),
    Callback(Arc<Ask>),
}

/// A text that was read.
pub(super) struct Text {
    text: String,
    root: Truth,
}

impl Condition {
    /// A condition from a text.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where the text is no condition, with the position.
    pub fn text(text: &str) -> Result<Condition> {
        if text.len() > MAX_TEXT {
            let message = format!("a condition has {} bytes; the most is {MAX_TEXT}", text.len());
            return Err(Error::new(ErrorKind::Argument, message));
        }
        let mut parser = Parser { text, at: 0, depth: 0, operators: 0 };
        let root = parser.whole()?;
        Ok(Condition(Kind::Text(Arc::new(Text { text: text.to_owned(), root }))))
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
        match &self.0 {
            Kind::Text(text) => Some(&text.text),
            Kind::Callback(_) => None,
        }
    }

    /// Refuses a condition that does not fit a function: locals, globals or a memory that are not there, or that are no
    /// numbers.
    pub(super) fn check(&self, module: &Module, func: DefinedFuncIndex) -> Result<()> {
        let Kind::Text(text) = &self.0 else { return Ok(()) };
        let code = module.debug_code(&|_, _| true)?;
        let locals = code.tables().declared_locals_of(func).iter().map(|slot| slot.ty).collect();
        let scope = Scope { module, func, locals, text: &text.text };
        scope.truth(&text.root)
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

/// Something that holds or does not.
enum Truth {
    Compare(usize, Relation, Number, Number),
    Not(Box<Truth>),
    And(Box<Truth>, Box<Truth>),
    Or(Box<Truth>, Box<Truth>),
}

#[derive(Clone, Copy)]
enum Relation {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Something that is a number. Positions in the text are for messages.
enum Number {
    Integer(i128),
    Float(f64),
    Local(usize, u32),
    Global(usize, u32),
    Memory(usize, Width, Box<Number>),
    Cast(Width, Box<Number>),
    Two(usize, Operation, Box<Number>, Box<Number>),
}

#[derive(Clone, Copy)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    And,
    Or,
    Xor,
}

/// How a number is read from memory, or made from another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Signed(u32),
    Unsigned(u32),
    F32,
    F64,
}

impl Width {
    fn of(name: &str) -> Option<Width> {
        Some(match name {
            "i8" => Width::Signed(8),
            "i16" => Width::Signed(16),
            "i32" => Width::Signed(32),
            "i64" => Width::Signed(64),
            "u8" => Width::Unsigned(8),
            "u16" => Width::Unsigned(16),
            "u32" => Width::Unsigned(32),
            "u64" => Width::Unsigned(64),
            "f32" => Width::F32,
            "f64" => Width::F64,
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Width::Signed(bits) | Width::Unsigned(bits) => bits as usize / 8,
            Width::F32 => 4,
            Width::F64 => 8,
        }
    }

    /// The number that these bits are.
    fn read(self, bits: u64) -> Value {
        match self {
            Width::Signed(width) => Value::Integer(i128::from((bits << (64 - width)) as i64 >> (64 - width))),
            Width::Unsigned(width) => Value::Integer(i128::from(bits << (64 - width) >> (64 - width))),
            Width::F32 => Value::Float(f64::from(f32::from_bits(bits as u32))),
            Width::F64 => Value::Float(f64::from_bits(bits)),
        }
    }

    /// A number as one of this type.
    fn cast(self, value: Value) -> Value {
        match (self, value) {
            (Width::F64, value) => Value::Float(value.float()),
            (Width::F32, value) => Value::Float(f64::from(value.float() as f32)),
            (width, Value::Integer(value)) => width.read(value as u64),
            (width, Value::Float(value)) => width.read(value as i128 as u64),
        }
    }
}

/// A number.
#[derive(Clone, Copy, PartialEq)]
enum Value {
    Integer(i128),
    Float(f64),
}

impl Value {
    fn float(self) -> f64 {
        match self {
            Value::Integer(value) => value as f64,
            Value::Float(value) => value,
        }
    }

    /// A local's, of this type.
    #[inline]
    fn of_local((ty, raw): (ValType, ValRaw)) -> Option<Value> {
        let word = raw.words()[0];
        match ty {
            ValType::I32 => Some(Value::Integer(i128::from(word as i32))),
            ValType::I64 => Some(Value::Integer(i128::from(word as i64))),
            ValType::F32 => Some(Value::Float(f64::from(f32::from_bits(word as u32)))),
            ValType::F64 => Some(Value::Float(f64::from_bits(word))),
            _ => None,
        }
    }

    fn of(val: Val) -> Option<Value> {
        Some(match val {
            Val::I32(value) => Value::Integer(i128::from(value)),
            Val::I64(value) => Value::Integer(i128::from(value)),
            Val::F32(bits) => Value::Float(f64::from(f32::from_bits(bits))),
            Val::F64(bits) => Value::Float(f64::from_bits(bits)),
            _ => return None,
        })
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

    /// What is an integer of 64 bits without computing.
    #[inline(always)]
    fn plain(&self, number: &Number) -> Option<i64> {
        match number {
            Number::Integer(value) => i64::try_from(*value).ok(),
            Number::Local(_, index) => {
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

    fn memory(&self, width: Width, address: i128) -> Option<Value> {
        let store = self.frame.store();
        let memory = self.instance()?.memory(store, MemoryIndex::new(0))?;
        let address = match memory.ty(store).ok()?.index {
            IndexType::I64 => address as u64,
            IndexType::I32 => u64::from(address as u32),
        };
        let mut bytes = [0; 8];
        memory.read(store, usize::try_from(address).ok()?, &mut bytes[..width.bytes()]).ok()?;
        Some(width.read(u64::from_le_bytes(bytes)))
    }

    fn number(&self, number: &Number) -> Option<Value> {
        match number {
            Number::Integer(value) => Some(Value::Integer(*value)),
            Number::Float(value) => Some(Value::Float(*value)),
            Number::Local(_, index) => Value::of_local(self.local(*index)?),
            Number::Global(_, index) => {
                let store = self.frame.store();
                Value::of(self.instance()?.global(store, GlobalIndex::new(*index))?.get(store).ok()?)
            }
            Number::Memory(_, width, address) => match self.number(address)? {
                Value::Integer(address) => self.memory(*width, address),
                Value::Float(_) => None,
            },
            Number::Cast(width, of) => Some(width.cast(self.number(of)?)),
            Number::Two(_, operation, a, b) => Some(operation.of(self.number(a)?, self.number(b)?)),
        }
    }

    fn truth(&self, truth: &Truth) -> Option<bool> {
        Some(match truth {
            Truth::Compare(_, relation, a, b) => relation.holds(self.number(a)?, self.number(b)?),
            Truth::Not(of) => !self.truth(of)?,
            Truth::And(a, b) => self.truth(a)? && self.truth(b)?,
            Truth::Or(a, b) => self.truth(a)? || self.truth(b)?,
        })
    }
}

impl Text {
    /// Whether it holds of a frame. What cannot be read makes it false.
    #[inline]
    pub(super) fn holds(&self, reader: &Reader<'_>) -> bool {
        // Most compare a local with a constant.
        if let Truth::Compare(_, relation, a, b) = &self.root
            && let (Some(a), Some(b)) = (reader.plain(a), reader.plain(b))
        {
            return relation.fits(Some(a.cmp(&b)));
        }
        reader.truth(&self.root).unwrap_or(false)
    }
}

impl Operation {
    fn of(self, a: Value, b: Value) -> Value {
        let (Value::Integer(a), Value::Integer(b)) = (a, b) else {
            let (a, b) = (a.float(), b.float());
            return Value::Float(match self {
                Operation::Add => a + b,
                Operation::Subtract => a - b,
                // What is left are operations of integers, which `Scope` has refused.
                _ => a * b,
            });
        };
        Value::Integer(match self {
            Operation::Add => a.wrapping_add(b),
            Operation::Subtract => a.wrapping_sub(b),
            Operation::Multiply => a.wrapping_mul(b),
            Operation::And => a & b,
            Operation::Or => a | b,
            Operation::Xor => a ^ b,
        })
    }
}

impl Relation {
    fn holds(self, a: Value, b: Value) -> bool {
        let order = match (a, b) {
            (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(&b)),
            (a, b) => a.float().partial_cmp(&b.float()),
        };
        self.fits(order)
    }

    /// Whether it holds of two numbers in this order; there is none of what is not a number.
    #[inline]
    fn fits(self, order: Option<Ordering>) -> bool {
        use Ordering::{Equal, Greater, Less};
        match self {
            Relation::Equal => order == Some(Equal),
            Relation::Unequal => order != Some(Equal),
            Relation::Less => order == Some(Less),
            Relation::LessOrEqual => matches!(order, Some(Less | Equal)),
            Relation::Greater => order == Some(Greater),
            Relation::GreaterOrEqual => matches!(order, Some(Greater | Equal)),
        }
    }
}

/// What a condition is held against when it is set.
struct Scope<'a> {
    module: &'a Module,
    func: DefinedFuncIndex,
    locals: Vec<ValType>,
    text: &'a str,
}

/// What a number is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    /// A constant without a point, which goes with both.
    Constant,
    Integer,
    Float,
}

impl Scope<'_> {
    fn wrong<T>(&self, at: usize, what: impl fmt::Display) -> Result<T> {
        Err(wrong(self.text, at, what))
    }

    fn truth(&self, truth: &Truth) -> Result<()> {
        match truth {
            Truth::Compare(at, _, a, b) => self.together(*at, a, b).map(drop),
            Truth::Not(of) => self.truth(of),
            Truth::And(a, b) | Truth::Or(a, b) => self.truth(a).and_then(|()| self.truth(b)),
        }
    }

    fn together(&self, at: usize, a: &Number, b: &Number) -> Result<Type> {
        match (self.number(a)?, self.number(b)?) {
            (Type::Constant, other) | (other, Type::Constant) => Ok(other),
            (a, b) if a == b => Ok(a),
            _ => self.wrong(at, "an integer and a float do not go together; make one the other, as in `f64(local(0))`"),
        }
    }

    fn typed(&self, at: usize, what: impl fmt::Display, ty: ValType) -> Result<Type> {
        match ty {
            ValType::I32 | ValType::I64 => Ok(Type::Integer),
            ValType::F32 | ValType::F64 => Ok(Type::Float),
            ty => self.wrong(at, format_args!("{what} is of type {ty}, which is no number")),
        }
    }

    fn number(&self, number: &Number) -> Result<Type> {
        let info = self.module.info();
        match number {
            Number::Integer(_) => Ok(Type::Constant),
            Number::Float(_) => Ok(Type::Float),
            Number::Local(at, index) => {
                let Some(ty) = self.locals.get(*index as usize) else {
                    let (count, func) = (self.locals.len(), info.func_index(self.func));
                    return self.wrong(*at, format_args!("function {func} has no local {index}: it has {count}"));
                };
                self.typed(*at, format_args!("local {index}"), *ty)
            }
            Number::Global(at, index) => match info.globals.get(*index as usize) {
                Some(global) => self.typed(*at, format_args!("global {index}"), global.content),
                None => {
                    let count = info.globals.len();
                    self.wrong(*at, format_args!("the module has no global {index}: it has {count}"))
                }
            },
            Number::Memory(at, width, address) => {
                if info.memories.is_empty() {
                    return self.wrong(*at, "the module has no memory");
                }
                if self.number(address)? == Type::Float {
                    return self.wrong(*at, "an address is an integer");
                }
                Ok(if matches!(width, Width::F32 | Width::F64) { Type::Float } else { Type::Integer })
            }
            Number::Cast(width, of) => {
                self.number(of)?;
                Ok(if matches!(width, Width::F32 | Width::F64) { Type::Float } else { Type::Integer })
            }
            Number::Two(at, operation, a, b) => {
                let ty = self.together(*at, a, b)?;
                if ty == Type::Float && matches!(operation, Operation::And | Operation::Or | Operation::Xor) {
                    return self.wrong(*at, "only integers have bits");
                }
                Ok(ty)
            }
        }
    }
}

#[cold]
fn wrong(text: &str, at: usize, what: impl fmt::Display) -> Error {
    let shown = Escaped(text);
    Error::new(ErrorKind::Argument, format!("at byte {at} of the condition `{shown}`: {what}"))
}

/// Reads a text, by descent.
struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    operators: usize,
}

/// What an expression is.
enum Read {
    Truth(Truth),
    Number(Number),
}

/// Operators of two numbers or truths, by how tightly they bind.
#[derive(Clone, Copy)]
enum Operator {
    Or,
    And,
    Compare(Relation),
    Number(Operation),
}

const OPERATORS: &[(&str, u8, Operator)] = &[
    ("||", 1, Operator::Or),
    ("&&", 2, Operator::And),
    ("==", 3, Operator::Compare(Relation::Equal)),
    ("!=", 3, Operator::Compare(Relation::Unequal)),
    ("<=", 3, Operator::Compare(Relation::LessOrEqual)),
    (">=", 3, Operator::Compare(Relation::GreaterOrEqual)),
    ("<", 3, Operator::Compare(Relation::Less)),
    (">", 3, Operator::Compare(Relation::Greater)),
    ("+", 4, Operator::Number(Operation::Add)),
    ("-", 4, Operator::Number(Operation::Subtract)),
    ("|", 4, Operator::Number(Operation::Or)),
    ("^", 4, Operator::Number(Operation::Xor)),
    ("*", 5, Operator::Number(Operation::Multiply)),
    ("&", 5, Operator::Number(Operation::And)),
];

impl<'a> Parser<'a> {
    fn wrong<T>(&self, at: usize, what: impl fmt::Display) -> Result<T> {
        Err(wrong(self.text, at, what))
    }

    fn rest(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn takes(&mut self, what: &str) -> bool {
        let there = self.rest().starts_with(what);
        if there {
            self.at += what.len();
        }
        there
    }

    fn expect(&mut self, what: &str) -> Result<()> {
        if self.takes(what) { Ok(()) } else { self.wrong(self.at, format_args!("`{what}` is missing")) }
    }

    fn whole(&mut self) -> Result<Truth> {
        let begin = {
            self.rest();
            self.at
        };
        let read = self.expression(1)?;
        let root = self.truth(begin, read)?;
        if !self.rest().is_empty() {
            return self.wrong(self.at, "the condition should end here, or go on by `&&` or `||`");
        }
        Ok(root)
    }

    fn truth(&self, at: usize, read: Read) -> Result<Truth> {
        match read {
            Read::Truth(truth) => Ok(truth),
            Read::Number(_) => self.wrong(at, "this is a number; compare it with another, as in `local(0) == 1`"),
        }
    }

    fn number(&self, at: usize, read: Read) -> Result<Number> {
        match read {
            Read::Number(number) => Ok(number),
            Read::Truth(_) => self.wrong(at, "a number is wanted here, and this is a comparison"),
        }
    }

    /// What binds at least so tightly. Operators that bind alike go from left to right.
    fn expression(&mut self, least: u8) -> Result<Read> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.wrong(self.at, format_args!("this is nested more than {MAX_DEPTH} deep"));
        }
        self.rest();
        let begin = self.at;
        let mut left = self.one()?;
        loop {
            let rest = self.rest();
            let found = OPERATORS.iter().find(|(sign, ..)| rest.starts_with(sign));
            let Some(&(sign, tightness, operator)) = found.filter(|found| found.1 >= least) else { break };
            let at = self.at;
            self.at += sign.len();
            self.operators += 1;
            if self.operators > MAX_OPERATORS {
                return self.wrong(at, format_args!("a condition has {MAX_OPERATORS} operators at most"));
            }
            let right_at = {
                self.rest();
                self.at
            };
            let right = self.expression(tightness + 1)?;
            left = match operator {
                Operator::Or => {
                    Read::Truth(Truth::Or(Box::new(self.truth(begin, left)?), Box::new(self.truth(right_at, right)?)))
                }
                Operator::And => {
                    Read::Truth(Truth::And(Box::new(self.truth(begin, left)?), Box::new(self.truth(right_at, right)?)))
                }
                Operator::Compare(relation) => {
                    let (a, b) = (self.number(begin, left)?, self.number(right_at, right)?);
                    Read::Truth(Truth::Compare(at, relation, a, b))
                }
                Operator::Number(operation) => {
                    let (a, b) = (self.number(begin, left)?, self.number(right_at, right)?);
                    Read::Number(Number::Two(at, operation, Box::new(a), Box::new(b)))
                }
            };
        }
        self.depth -= 1;
        Ok(left)
    }

    /// What no operator of two stands in.
    fn one(&mut self) -> Result<Read> {
        let rest = self.rest();
        let at = self.at;
        let Some(first) = rest.chars().next() else {
            return self.wrong(at, "something is missing here: a number, `local(0)`, `i32[...]`");
        };
        match first {
            '(' => {
                self.at += 1;
                let inner = self.expression(1)?;
                self.expect(")")?;
                Ok(inner)
            }
            '!' => {
                self.at += 1;
                let inner_at = {
                    self.rest();
                    self.at
                };
                let inner = self.expression(6)?;
                Ok(Read::Truth(Truth::Not(Box::new(self.truth(inner_at, inner)?))))
            }
            '-' => {
                self.at += 1;
                let inner_at = {
                    self.rest();
                    self.at
                };
                let inner = self.expression(6)?;
                Ok(Read::Number(match self.number(inner_at, inner)? {
                    Number::Integer(value) => Number::Integer(-value),
                    Number::Float(value) => Number::Float(-value),
                    other => Number::Two(at, Operation::Subtract, Box::new(Number::Integer(0)), Box::new(other)),
                }))
            }
            '0'..='9' => self.constant().map(Read::Number),
            first if first.is_ascii_alphabetic() => self.named().map(Read::Number),
            other => self.wrong(at, format_args!("nothing begins with `{}`", Escaped(other.encode_utf8(&mut [0; 4])))),
        }
    }

    fn constant(&mut self) -> Result<Number> {
        let at = self.at;
        let rest = self.rest();
        let hexadecimal = rest.starts_with("0x") || rest.starts_with("0X");
        let end = rest
            .char_indices()
            .find(|(i, c)| {
                let exponent = !hexadecimal && *i > 0 && matches!(rest.as_bytes()[i - 1], b'e' | b'E');
                !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || (matches!(c, '+' | '-') && exponent))
            })
            .map_or(rest.len(), |(i, _)| i);
        let word = &rest[..end];
        self.at += end;
        let digits = word.replace('_', "");
        let read = match hexadecimal {
            true => u64::from_str_radix(&digits[2..], 16).ok().map(|value| Number::Integer(i128::from(value))),
            false if digits.contains(['.', 'e', 'E']) => digits.parse().ok().map(Number::Float),
            false => digits.parse::<u64>().ok().map(|value| Number::Integer(i128::from(value))),
        };
        match read {
            Some(number) => Ok(number),
            None => self.wrong(at, format_args!("`{}` is no number of 64 bits", Escaped(word))),
        }
    }

    fn named(&mut self) -> Result<Number> {
        let at = self.at;
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = &rest[..end];
        self.at += end;
        match name {
            "local" | "global" => {
                self.expect("(")?;
                self.rest();
                let index_at = self.at;
                let index = match self.rest().chars().next() {
                    Some('0'..='9') => self.constant()?,
                    _ => return self.wrong(index_at, format_args!("the index of a {name} is wanted here")),
                };
                let Number::Integer(index) = index else {
                    return self.wrong(index_at, format_args!("the index of a {name} is an integer"));
                };
                let Ok(index) = u32::try_from(index) else {
                    return self.wrong(index_at, format_args!("{index} is beyond all indices"));
                };
                self.expect(")")?;
                Ok(if name == "local" { Number::Local(at, index) } else { Number::Global(at, index) })
            }
            _ => {
                let Some(width) = Width::of(name) else {
                    let known = "`local`, `global`, `i32`, `u32` and other types are known";
                    return self.wrong(at, format_args!("`{}` means nothing here; {known}", Escaped(name)));
                };
                let load = self.takes("[");
                if !load {
                    self.expect("(")?;
                }
                let inner_at = {
                    self.rest();
                    self.at
                };
                let inner = self.expression(1)?;
                let inner = Box::new(self.number(inner_at, inner)?);
                self.expect(if load { "]" } else { ")" })?;
                Ok(if load { Number::Memory(at, width, inner) } else { Number::Cast(width, inner) })
            }
        }
    }
}
