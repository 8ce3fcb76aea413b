//! All that the debugger does with expressions of the source stands here, and nowhere else: values, addresses, giving
//! another value, watching, conditions. What an expression means is the library's affair.
//!
//! What a place without debug information has are Wasm's registers, which are read and written here by their names:
//! `$local0`, `$stack0` (the bottom operand), `$global0`.

use super::fault::{Fault, Outcome};
use super::target::Shown;
use crate::values;
use stepwell::base::{GlobalIndex, LocalIndex, MemoryIndex};
use stepwell::debug::{Condition, Frame, FrameVariable, Stop, WatchKind, WatchpointId};
use stepwell::dwarf::{Scalar, ValueKind};
use stepwell::{AsStoreMut, Memory, Val, ValType};

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

/// A register of Wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Register {
    Local(usize),
    Stack(usize),
    Global(u32),
}

/// The register that a text names: by `$`, or a local by its name in the module.
fn register(frame: &Frame<'_>, text: &str) -> Option<Register> {
    let text = text.trim();
    if let Some(name) = text.strip_prefix('$') {
        let number = |prefix: &str| name.strip_prefix(prefix)?.parse::<u32>().ok();
        return number("local")
            .map(|index| Register::Local(index as usize))
            .or_else(|| number("stack").map(|index| Register::Stack(index as usize)))
            .or_else(|| number("global").map(Register::Global));
    }
    let named = |index: &usize| frame.local_name(LocalIndex::new(*index as u32)) == Some(text);
    (0..frame.local_count()).find(named).map(Register::Local)
}

fn read_register(stop: &Stop<'_>, frame: &Frame<'_>, register: Register) -> Outcome<Val> {
    frame.check_values()?;
    match register {
        Register::Local(index) => frame.local(index).ok_or_else(|| {
            Fault::new(format_args!("there is no local {index}: this function has {}", frame.local_count()))
        }),
        Register::Stack(index) => frame.operands().get(index).copied().ok_or_else(|| {
            Fault::new(format_args!("there is no operand {index}: there are {}", frame.operand_count()))
        }),
        Register::Global(index) => {
            let global = frame.instance().and_then(|instance| instance.global(stop, GlobalIndex::new(index)));
            Ok(global.ok_or_else(|| Fault::new(format_args!("there is no global {index}")))?.get(stop)?)
        }
    }
}

/// A value of Wasm as that of an expression.
fn of_val(value: &Val) -> Value {
    let number = |scalar, size| Some(Number { scalar, size });
    let number = match value {
        Val::I32(value) => number(Scalar::Signed((*value).into()), 4),
        Val::I64(value) => number(Scalar::Signed((*value).into()), 8),
        Val::F32(bits) => number(Scalar::Float(f32::from_bits(*bits).into()), 4),
        Val::F64(bits) => number(Scalar::Float(f64::from_bits(*bits)), 8),
        _ => None,
    };
    Value { text: values::text_of(value), type_name: value.ty().to_string(), number, address: None, is_pointer: false }
}

fn frame_of<'a>(stop: &'a Stop<'_>, at: Shown) -> Outcome<Frame<'a>> {
    stop.frame(at.frame).ok_or_else(|| Fault::new("there is no frame"))
}

/// A variable, or what a path leads to.
fn variable(frame: &Frame<'_>, at: Shown, text: &str) -> Outcome<FrameVariable> {
    Ok(frame.variable(at.level, text)?)
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
    if text.trim_start().starts_with('$') {
        let named = register(&frame, text);
        let named = named
            .ok_or_else(|| Fault::new(format_args!("there is no `{}`: $localN, $stackN, $globalN", text.trim())))?;
        return Ok(of_val(&read_register(stop, &frame, named)?));
    }
    if let Some(number) = integer(text) {
        let scalar = Scalar::Signed(number);
        let size = if i32::try_from(number).is_ok() { 4 } else { 8 };
        let number = Some(Number { scalar, size });
        return Ok(Value {
            text: text.trim().to_owned(),
            type_name: "int".to_owned(),
            number,
            address: None,
            is_pointer: false,
        });
    }
    match variable(&frame, at, text) {
        Ok(found) => of_variable(&frame, &found),
        Err(fault) => match register(&frame, text) {
            Some(register) => Ok(of_val(&read_register(stop, &frame, register)?)),
            None => Err(fault),
        },
    }
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
    // `&a + 8`, `p + 4`: an address, and bytes.
    if let Some((base, offset)) = text.rsplit_once(" + ")
        && let Some(offset) = integer(offset)
    {
        return Ok(address(stop, at, base)?.wrapping_add(offset as u64));
    }
    let value = evaluate(stop, at, text)?;
    match (value.is_pointer, value.number, value.address) {
        (false, None, Some(address)) => Ok(address),
        (_, Some(number), _) => Ok(number.bits() as u64),
        _ => Fault::err(format_args!("`{text}` is no address and has none: `&` takes that of a variable in memory")),
    }
}

/// Gives a variable, or a register of Wasm, another value.
pub fn assign(stop: &mut Stop<'_>, at: Shown, to: &str, text: &str) -> Outcome<()> {
    let to = to.trim();
    // What is on the right may be a variable.
    let text = match integer(text) {
        Some(_) => text.trim().to_owned(),
        None => match evaluate(stop, at, text) {
            Ok(value) => value.number.map_or(value.text, |number| match number.scalar {
                Scalar::Signed(value) => value.to_string(),
                Scalar::Unsigned(value) => value.to_string(),
                Scalar::Float(value) => value.to_string(),
                Scalar::Bool(value) => value.to_string(),
                Scalar::Char(value) => value.to_string(),
            }),
            Err(_) => text.trim().to_owned(),
        },
    };
    let found =
        {
            let frame = frame_of(stop, at)?;
            match variable(&frame, at, to).ok().filter(|_| !to.starts_with('$')) {
                Some(found) => Ok(found),
                None => Err(register(&frame, to)
                    .map(|register| read_register(stop, &frame, register).map(|old| (register, old)))),
            }
        };
    match found {
        Ok(found) => Ok(stop.assign_variable(at.frame, &found, &text)?),
        Err(None) => {
            let frame = frame_of(stop, at)?;
            variable(&frame, at, to).and_then(|_| Fault::err(format_args!("`{to}` cannot be given another value")))
        }
        Err(Some(old)) => {
            let (register, old) = old?;
            let value = val(&text, old.ty())?;
            match register {
                Register::Local(index) => stop.set_local(at.frame, index, value)?,
                Register::Stack(index) => stop.set_operand(at.frame, index, value)?,
                Register::Global(index) => {
                    let instance = frame_of(stop, at)?.instance();
                    let global = instance.and_then(|instance| instance.global(&*stop, GlobalIndex::new(index)));
                    let global = global.ok_or_else(|| Fault::new(format_args!("there is no global {index}")))?;
                    global.set(stop.as_store_mut(), value)?;
                }
            }
            Ok(())
        }
    }
}

/// A value of a type, as it is typed.
fn val(text: &str, ty: ValType) -> Outcome<Val> {
    values::parse(text, ty).ok_or_else(|| Fault::new(format_args!("`{text}` is no {ty}")))
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
    let found = {
        let frame = frame_of(stop, at)?;
        let found = variable(&frame, at, text).ok().filter(|_| !text.starts_with('$'));
        found.ok_or_else(|| (register(&frame, text), frame.instance()))
    };
    match found {
        Ok(found) => Ok(debugger.watch_variable(stop, at.frame, &found, kind)?),
        Err((Some(Register::Local(local)), _)) => Ok(debugger.watch_local(stop, at.frame, local, kind)?),
        Err((Some(Register::Global(index)), Some(instance))) => {
            let global = instance.global(&*stop, GlobalIndex::new(index));
            let global = global.ok_or_else(|| Fault::new(format_args!("there is no global {index}")))?;
            Ok(debugger.watch_global(stop, global, kind)?)
        }
        Err((Some(Register::Stack(_)), _)) => Fault::err("an operand cannot be watched: step instead"),
        // `*0x1234`: four bytes there.
        Err((_, Some(instance))) if text.starts_with('*') && integer(&text[1..]).is_some() => {
            let begin = address(stop, at, &text[1..])?;
            let memory =
                instance.memory(&*stop, MemoryIndex::new(0)).ok_or_else(|| Fault::new("there is no memory"))?;
            Ok(debugger.watch_memory(stop, memory, begin..begin.saturating_add(4), kind)?)
        }
        Err(_) => {
            let frame = frame_of(stop, at)?;
            variable(&frame, at, text).and_then(|_| Fault::err(format_args!("`{text}` cannot be watched")))
        }
    }
}

/// The memory that a shown frame's addresses are in.
pub fn memory(stop: &Stop<'_>, at: Shown) -> Outcome<Memory> {
    let instance = frame_of(stop, at)?.instance();
    let memory = instance.and_then(|instance| instance.memory(stop, MemoryIndex::new(0)));
    memory.ok_or_else(|| Fault::new("there is no memory here"))
}

/// The condition that a text means: one of the library's, or two expressions that are compared, or one that is not 0.
pub fn condition(text: &str) -> Outcome<Condition> {
    let given = match Condition::text(text) {
        Ok(condition) => return Ok(condition),
        Err(error) => error,
    };
    if text.contains("local(") || text.contains("global(") {
        return Err(given.into());
    }
    let relations = ["==", "!=", "<=", ">=", "<", ">"];
    let found = relations.iter().find_map(|relation| text.split_once(relation).map(|parts| (*relation, parts)));
    let (relation, left, right) = match found {
        Some((relation, (left, right))) => (relation, left.trim().to_owned(), right.trim().to_owned()),
        None => ("!=", text.trim().to_owned(), "0".to_owned()),
    };
    if left.is_empty() || right.is_empty() {
        return Err(given.into());
    }
    let number = |stop: &Stop<'_>, text: &str| -> Option<f64> {
        let number = evaluate(stop, Shown::default(), text).ok()?.number?;
        Some(match number.scalar {
            Scalar::Float(value) => value,
            _ => number.signed() as f64,
        })
    };
    Ok(Condition::callback(move |stop| {
        // What cannot be told stops: nobody wants to miss it.
        let (Some(left), Some(right)) = (number(stop, &left), number(stop, &right)) else { return true };
        match relation {
            "==" => left == right,
            "!=" => left != right,
            "<=" => left <= right,
            ">=" => left >= right,
            "<" => left < right,
            _ => left > right,
        }
    }))
}
