//! All that the debugger does with expressions of the source stands here, and nowhere else: values, addresses, giving
//! another value, watching, conditions. What an expression means is the library's affair.

use super::fault::{Fault, Outcome};
use super::target::Shown;
use crate::values;
use stepwell::base::MemoryIndex;
use stepwell::debug::{Condition, EvaluateOptions, Frame, FrameVariable, Stop, WatchKind, WatchpointId};
use stepwell::dwarf::{Scalar, ValueKind};
use stepwell::{Memory, Val, ValType};

/// What an expression comes to.
pub struct Value {
    /// In one line.
    pub text: String,
    /// What the source calls its type.
    pub type_name: String,
    /// Its number, if it is one.
    pub number: Option<Number>,
    /// Where in memory it is.
    pub address: Option<u64>,
    /// Whether its number is an address.
    pub is_pointer: bool,
}

/// A number, and how wide it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number {
    /// The number.
    pub scalar: Scalar,
    /// Its bytes.
    pub size: u64,
}

impl Number {
    /// Its bits, as many as it has.
    pub fn bits(self) -> u128 {
        let bits = match self.scalar {
            Scalar::Signed(value) => value as u128,
            Scalar::Unsigned(value) => value,
            Scalar::Float(value) => value.trunc() as i128 as u128,
            Scalar::Bool(value) => value.into(),
            Scalar::Char(value) => value.into(),
        };
        if self.size >= 16 { bits } else { bits & ((1 << (self.size * 8)) - 1) }
    }

    /// The number, with its sign.
    pub fn signed(self) -> i128 {
        match self.scalar {
            Scalar::Signed(value) => value,
            _ => self.bits() as i128,
        }
    }
}

fn frame_of<'a>(stop: &'a Stop<'_>, at: Shown) -> Outcome<Frame<'a>> {
    stop.frame(at.frame).ok_or_else(|| Fault::new("there is no frame"))
}

/// What an expression leads to. Where there is no debug information, locals have the names that the module gives them,
/// which are `$name` to the library.
fn variable(frame: &Frame<'_>, at: Shown, text: &str) -> Outcome<FrameVariable> {
    match frame.variable(at.level, text) {
        Ok(found) => Ok(found),
        Err(error) => match as_register(text) {
            Some(register) => frame.variable(at.level, &register).map_err(|_| error.into()),
            None => Err(error.into()),
        },
    }
}

/// A name, as that of a register.
fn as_register(text: &str) -> Option<String> {
    let text = text.trim();
    let is_name = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| format!("${text}"))
}

fn of_variable(frame: &Frame<'_>, found: &FrameVariable) -> Outcome<Value> {
    let number = found.number(frame).ok();
    let size = found.size(frame).unwrap_or(8);
    Ok(Value {
        text: found.text(frame)?,
        type_name: found.type_name(frame)?,
        number: number.map(|scalar| Number { scalar, size }),
        address: found.address(frame).ok().flatten().map(|address| address.get()),
        is_pointer: matches!(found.kind(frame), Ok(ValueKind::Pointer | ValueKind::Reference)),
    })
}

/// The value of an expression in a shown frame.
pub fn evaluate(stop: &Stop<'_>, at: Shown, text: &str) -> Outcome<Value> {
    let frame = frame_of(stop, at)?;
    of_variable(&frame, &variable(&frame, at, text)?)
}

/// An integer, decimal or `0x` hexadecimal, with a sign or without.
pub fn integer(text: &str) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let magnitude = i128::try_from(values::digits_of(digits)?).ok()?;
    Some(if negative { -magnitude } else { magnitude })
}

/// The address that an expression means: of a pointer and of a number, itself; of what is in memory, where it is.
pub fn address(stop: &Stop<'_>, at: Shown, text: &str) -> Outcome<u64> {
    if let Some(number) = integer(text) {
        return u64::try_from(number).map_err(|_| Fault::new(format_args!("{text} is no address")));
    }
    let value = evaluate(stop, at, text)?;
    match (value.is_pointer, value.number, value.address) {
        (false, None, Some(address)) => Ok(address),
        (_, Some(number), _) => Ok(number.bits() as u64),
        _ => Fault::err(format_args!("`{text}` is no address and has none: `&` takes that of a variable in memory")),
    }
}

/// Gives a variable, a register of Wasm or memory another value.
pub fn assign(stop: &mut Stop<'_>, at: Shown, to: &str, text: &str) -> Outcome<()> {
    let options = EvaluateOptions { level: at.level, assign: true, call: false };
    match stop.evaluate(at.frame, &format!("{to} = {text}"), options) {
        Ok(_) => Ok(()),
        Err(error) => match as_register(to) {
            Some(register) => {
                let outcome = stop.evaluate(at.frame, &format!("{register} = {text}"), options);
                outcome.map(drop).map_err(|_| error.into())
            }
            None => Err(error.into()),
        },
    }
}

/// The value of an expression, as one of a type of Wasm: what a function returns.
pub fn result(stop: &Stop<'_>, at: Shown, text: &str, ty: ValType) -> Outcome<Val> {
    if let Some(value) = values::parse(text.trim(), ty) {
        return Ok(value);
    }
    let number = evaluate(stop, at, text)?.number;
    let number = number.ok_or_else(|| Fault::new(format_args!("`{text}` is no number, which a result of {ty} is")))?;
    Ok(match (ty, number.scalar) {
        (ValType::I32, _) => Val::I32(number.signed() as i32),
        (ValType::I64, _) => Val::I64(number.signed() as i64),
        (ValType::F32, Scalar::Float(value)) => Val::F32((value as f32).to_bits()),
        (ValType::F64, Scalar::Float(value)) => Val::F64(value.to_bits()),
        (ValType::F32, _) => Val::F32((number.signed() as f32).to_bits()),
        (ValType::F64, _) => Val::F64((number.signed() as f64).to_bits()),
        _ => return Fault::err(format_args!("a result of {ty} is typed as a number")),
    })
}

/// Watches what an expression means, where it is now.
pub fn watch(stop: &mut Stop<'_>, at: Shown, text: &str, kind: WatchKind) -> Outcome<WatchpointId> {
    let debugger = stop.debugger();
    // `*0x1234`: four bytes there.
    let there = text.strip_prefix('*').filter(|address| integer(address).is_some());
    let text = there.map_or_else(|| text.to_owned(), |address| format!("i32[{}]", address.trim()));
    let found = variable(&frame_of(stop, at)?, at, &text)?;
    Ok(debugger.watch_variable(stop, at.frame, &found, kind)?)
}

/// The memory that a shown frame's addresses are in.
pub fn memory(stop: &Stop<'_>, at: Shown) -> Outcome<Memory> {
    let instance = frame_of(stop, at)?.instance();
    let memory = instance.and_then(|instance| instance.memory(stop, MemoryIndex::new(0)));
    memory.ok_or_else(|| Fault::new("there is no memory here"))
}

/// The condition that a text means.
pub fn condition(text: &str) -> Outcome<Condition> {
    Ok(Condition::text(text)?)
}
