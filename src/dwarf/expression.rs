//! Where a variable is: DWARF's expressions, evaluated in a stopped frame. An expression is a program of a stack
//! machine that nobody has validated: each step spends of the question's budget, its stack has a limit, and so have
//! expressions inside of expressions.

use super::frame::{Context, MemoryAddress, Missing, Piece, Place};
use super::inspect::{Attribute, EntryId, Inspector, Opened, damaged};
use super::map::Slice;
use crate::base::{Error, ErrorKind, GlobalIndex, LocalIndex, Result};
use gimli::{AttributeValue, DieReference, Operation, Reader as _, UnitOffset, Value, ValueType, constants as c};
use std::rc::Rc;

/// So many values stand on an expression's stack at most.
const MAX_STACK: usize = 256;
/// So many expressions are evaluated inside of each other.
const MAX_DEPTH: u32 = 8;
/// So many pieces a variable is in at most.
const MAX_PIECES: usize = 1024;

/// What has no place.
const LEFT_OUT: Place = Place::OptimisedOut(Missing::LeftOut);

/// Why an expression has no outcome.
enum Stop {
    /// What it needs is not known here.
    Unknown,
    /// The linker has left out what it is about.
    LeftOut,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Failed(error)
    }
}

impl From<gimli::Error> for Stop {
    fn from(error: gimli::Error) -> Stop {
        Stop::Failed(damaged(format!("an expression: {error}")))
    }
}

fn unsupported(what: &str) -> Stop {
    Stop::Failed(Error::new(
        ErrorKind::Unsupported,
        format!("the debug information uses {what}, which WebAssembly lacks"),
    ))
}

impl<'a> Inspector<'a> {
    /// Where a variable is in a frame.
    pub(super) fn place_of(&self, id: EntryId, at: &Context<'_>) -> Result<Place> {
        if let Some((opened, value)) = self.attribute(id, c::DW_AT_const_value)? {
            return Ok(constant(&opened, value).unwrap_or(LEFT_OUT));
        }
        let Some((opened, value)) = self.attribute(id, c::DW_AT_location)? else { return Ok(LEFT_OUT) };
        match self.expression(&opened, value, at)? {
            Some(bytes) => self.evaluate(&opened, bytes, at, &[]),
            None => Ok(Place::OptimisedOut(Missing::NotHere)),
        }
    }

    /// The expression that an attribute has at a frame's address: its only one, or that of a list.
    fn expression(&self, opened: &Opened<'a>, value: Attribute<'a>, at: &Context<'_>) -> Result<Option<Slice<'a>>> {
        if let AttributeValue::Exprloc(expression) = value {
            return Ok(Some(expression.0));
        }
        let broken = |error: gimli::Error| damaged(format!("a list of locations: {error}"));
        let Some(mut list) = opened.dwarf().attr_locations(&opened.unit, value).map_err(broken)? else {
            return Ok(None);
        };
        let Some(frame) = at.frame else { return Ok(None) };
        let address = u64::from(frame.address.get());
        while let Some(raw) = list.next_raw().map_err(broken)? {
            self.spend(2)?;
            if let Some(entry) = list.convert_raw(raw).map_err(broken)?
                && entry.range.begin <= address
                && address < entry.range.end
            {
                return Ok(Some(entry.data.0));
            }
        }
        Ok(None)
    }

    /// Evaluates an expression. What it needs and nobody knows makes it "optimised out".
    pub(super) fn evaluate(
        &self,
        opened: &Rc<Opened<'a>>,
        bytes: Slice<'a>,
        at: &Context<'_>,
        stack: &[u64],
    ) -> Result<Place> {
        let stack = stack.iter().map(|value| Value::Generic(*value)).collect();
        let mut machine = Machine { inspector: self, opened: opened.clone(), at: *at, stack, wide: false, depth: 0 };
        match machine.run(bytes) {
            Ok(place) => Ok(place),
            Err(Stop::LeftOut) => Ok(LEFT_OUT),
            Err(Stop::Unknown) => Ok(Place::OptimisedOut(Missing::Unknown)),
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}

/// A constant that an attribute says.
fn constant(opened: &Opened<'_>, value: Attribute<'_>) -> Option<Place> {
    let bytes = match value {
        AttributeValue::Block(block) => block.slice().to_vec(),
        // Wide enough for any scalar: what a type is narrower than is its first bytes.
        AttributeValue::Sdata(value) => i128::from(value).to_le_bytes().to_vec(),
        AttributeValue::String(_) | AttributeValue::DebugStrRef(_) | AttributeValue::DebugStrOffsetsIndex(_) => {
            let mut text = opened.dwarf().attr_string(&opened.unit, value).ok()?.slice().to_vec();
            text.push(0);
            text
        }
        value => match value.udata_value() {
            Some(value) => u128::from(value).to_le_bytes().to_vec(),
            None => i128::from(value.sdata_value()?).to_le_bytes().to_vec(),
        },
    };
    Some(Place::Bytes(bytes.into()))
}

struct Machine<'i, 'a, 'f> {
    inspector: &'i Inspector<'a>,
    opened: Rc<Opened<'a>>,
    at: Context<'f>,
    stack: Vec<Value>,
    /// Whether a number of 64 bits is calculated with: compilers write that as they write it of 32.
    wide: bool,
    depth: u32,
}

impl<'a> Machine<'_, 'a, '_> {
    fn push(&mut self, value: Value) -> Result<(), Stop> {
        if self.stack.len() >= MAX_STACK {
            return Err(Stop::Failed(damaged("an expression fills its stack")));
        }
        self.stack.push(value);
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, Stop> {
        self.stack.pop().ok_or_else(|| Stop::Failed(damaged("an expression takes more than it has")))
    }

    fn pop_u64(&mut self) -> Result<u64, Stop> {
        let mask = self.mask();
        Ok(self.pop()?.to_u64(mask)?)
    }

    fn address_size(&self) -> u8 {
        self.opened.unit.encoding().address_size
    }

    /// Which bits a number that has no type is calculated with.
    fn number_mask(&self) -> u64 {
        if self.wide { u64::MAX } else { self.mask() }
    }

    /// Which bits an address has.
    fn mask(&self) -> u64 {
        if self.address_size() >= 8 { u64::MAX } else { (1 << (8 * u32::from(self.address_size()))) - 1 }
    }

    fn unary(&mut self, apply: fn(Value, u64) -> gimli::Result<Value>) -> Result<(), Stop> {
        let mask = self.number_mask();
        let value = apply(self.pop()?, mask)?;
        self.push(value)
    }

    fn binary(&mut self, apply: fn(Value, Value, u64) -> gimli::Result<Value>) -> Result<(), Stop> {
        let mask = self.number_mask();
        let (right, left) = (self.pop()?, self.pop()?);
        self.push(apply(left, right, mask)?)
    }

    /// The type of a number that an entry names; 0 is an address.
    fn number_type(&self, base: UnitOffset) -> Result<ValueType, Stop> {
        if base.0 == 0 {
            return Ok(ValueType::Generic);
        }
        let (_, entry) = self.inspector.entry(self.opened.id(base))?;
        ValueType::from_entry(&entry)?.ok_or_else(|| Stop::Failed(damaged("an expression calculates with no number")))
    }

    /// Runs to the end: where the variable is.
    fn run(&mut self, bytes: Slice<'a>) -> Result<Place, Stop> {
        let encoding = self.opened.unit.encoding();
        let mut rest = bytes;
        let mut pieces = Vec::new();
        // The local, global or operand that was pushed last, if nothing was done with it.
        let mut direct = None;
        // What `DW_OP_stack_value` and its like made of the top.
        let mut known = None;
        while !rest.is_empty() {
            self.inspector.spend(1)?;
            let operation = Operation::parse(&mut rest, encoding)?;
            let pushed = direct.take();
            match operation {
                Operation::WasmLocal { index } => direct = Some(self.push_wasm(Place::Local(LocalIndex::new(index)))?),
                Operation::WasmGlobal { index } => {
                    direct = Some(self.push_wasm(Place::Global(GlobalIndex::new(index)))?)
                }
                Operation::WasmStack { index } => direct = Some(self.push_wasm(Place::Operand(index))?),
                Operation::StackValue => {
                    known = Some(match pushed {
                        Some(place) if self.stack.len() == 1 => place,
                        _ => self.top_bytes()?,
                    });
                    continue;
                }
                Operation::ImplicitValue { data } => {
                    known = Some(Place::Bytes(data.slice().into()));
                    continue;
                }
                Operation::ImplicitPointer { .. } => {
                    known = Some(Place::OptimisedOut(Missing::Unknown));
                    continue;
                }
                Operation::Piece { size_in_bits, bit_offset } => {
                    if size_in_bits % 8 != 0 || bit_offset.unwrap_or(0) % 8 != 0 || pieces.len() >= MAX_PIECES {
                        return Err(unsupported("pieces that are no bytes"));
                    }
                    let place = match (known.take(), self.stack.pop()) {
                        (Some(place), _) => place,
                        (None, Some(address)) => Place::Memory(address.to_u64(self.mask())?),
                        (None, None) => LEFT_OUT,
                    };
                    self.stack.clear();
                    pieces.push(Piece { bytes: size_in_bits / 8, offset: bit_offset.unwrap_or(0) / 8, place });
                    continue;
                }
                Operation::Bra { target } => {
                    if self.pop_u64()? != 0 {
                        rest = jump(bytes, rest, target)?;
                    }
                }
                Operation::Skip { target } => rest = jump(bytes, rest, target)?,
                Operation::Nop => direct = pushed,
                operation => self.step(operation)?,
            }
        }
        if !pieces.is_empty() {
            return Ok(Place::Pieces(pieces.into()));
        }
        if let Some(place) = known {
            return Ok(place);
        }
        match self.stack.pop() {
            Some(address) => Ok(Place::Memory(address.to_u64(self.mask())?)),
            None => Ok(LEFT_OUT),
        }
    }

    /// The top of the stack as bytes.
    fn top_bytes(&mut self) -> Result<Place, Stop> {
        let bytes = match self.pop()? {
            // Not cut off: a constant of 64 bits is one where addresses have 32.
            Value::Generic(value) => value.to_le_bytes().to_vec(),
            Value::I8(value) => i128::from(value).to_le_bytes().to_vec(),
            Value::U8(value) => u128::from(value).to_le_bytes().to_vec(),
            Value::I16(value) => i128::from(value).to_le_bytes().to_vec(),
            Value::U16(value) => u128::from(value).to_le_bytes().to_vec(),
            Value::I32(value) => i128::from(value).to_le_bytes().to_vec(),
            Value::U32(value) => u128::from(value).to_le_bytes().to_vec(),
            Value::I64(value) => i128::from(value).to_le_bytes().to_vec(),
            Value::U64(value) => u128::from(value).to_le_bytes().to_vec(),
            Value::F32(value) => value.to_le_bytes().to_vec(),
            Value::F64(value) => value.to_le_bytes().to_vec(),
        };
        Ok(Place::Bytes(bytes.into()))
    }

    /// Pushes an address. The last two are what linkers put in place of what they have left out.
    fn push_address(&mut self, address: u64) -> Result<(), Stop> {
        if address >= self.mask().saturating_sub(1) { Err(Stop::LeftOut) } else { self.push(Value::Generic(address)) }
    }

    /// Pushes what a local, global or operand has.
    fn push_wasm(&mut self, place: Place) -> Result<Place, Stop> {
        let value = self.wasm_value(&place)?;
        self.push(value)?;
        Ok(place)
    }

    /// What a local, global or operand has.
    fn wasm_value(&mut self, place: &Place) -> Result<Value, Stop> {
        let value = match *place {
            Place::Local(index) => self.at.frame.and_then(|_| self.at.reader.local(index)),
            Place::Global(index) => self.at.reader.global(index),
            Place::Operand(index) => self.at.frame.and_then(|_| self.at.reader.operand(index)),
            _ => None,
        };
        // A vector is looked at where it is; nothing can be calculated with it.
        self.wide |= matches!(value, Some(super::frame::WasmValue::I64(_) | super::frame::WasmValue::F64(_)));
        let bits = value.map(|value| value.bits().unwrap_or(0));
        bits.map(Value::Generic).ok_or(Stop::Unknown)
    }

    /// A step that only works on the stack.
    fn step(&mut self, operation: Operation<Slice<'a>>) -> Result<(), Stop> {
        match operation {
            Operation::Deref { base_type, size, space } => {
                if space {
                    return Err(unsupported("several address spaces"));
                }
                let address = self.pop_u64()?;
                let mut bytes = [0; 8];
                let bytes = bytes.get_mut(..usize::from(size)).ok_or(gimli::Error::InvalidDerefSize(size))?;
                if !self.at.reader.memory(MemoryAddress::new(address), bytes) {
                    return Err(Stop::Failed(unreadable(address, bytes.len() as u64)));
                }
                let value = bytes.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte));
                let kind = self.number_type(base_type)?;
                // An address that is narrower than what is read of it keeps what was read.
                self.push(if kind == ValueType::Generic { Value::Generic(value) } else { parse(kind, value)? })
            }
            Operation::Drop => self.pop().map(drop),
            Operation::Pick { index } => {
                let at = self.stack.len().checked_sub(usize::from(index) + 1);
                let value = at.and_then(|at| self.stack.get(at).copied());
                self.push(value.ok_or_else(|| damaged("an expression takes more than it has"))?)
            }
            Operation::Swap => {
                let (a, b) = (self.pop()?, self.pop()?);
                self.push(a)?;
                self.push(b)
            }
            Operation::Rot => {
                let (a, b, c) = (self.pop()?, self.pop()?, self.pop()?);
                self.push(a)?;
                self.push(c)?;
                self.push(b)
            }
            Operation::Abs => self.unary(Value::abs),
            Operation::Neg => self.unary(Value::neg),
            Operation::Not => self.unary(Value::not),
            Operation::And => self.binary(Value::and),
            Operation::Div => self.binary(Value::div),
            Operation::Minus => self.binary(Value::sub),
            Operation::Mod => self.binary(Value::rem),
            Operation::Mul => self.binary(Value::mul),
            Operation::Or => self.binary(Value::or),
            Operation::Plus => self.binary(Value::add),
            Operation::Xor => self.binary(Value::xor),
            Operation::Shl => self.binary(Value::shl),
            Operation::Shr => self.binary(Value::shr),
            Operation::Shra => self.binary(Value::shra),
            Operation::Eq => self.binary(Value::eq),
            Operation::Ge => self.binary(Value::ge),
            Operation::Gt => self.binary(Value::gt),
            Operation::Le => self.binary(Value::le),
            Operation::Lt => self.binary(Value::lt),
            Operation::Ne => self.binary(Value::ne),
            Operation::PlusConstant { value } => {
                let mask = self.number_mask();
                let top = self.pop()?;
                let right = Value::from_u64(top.value_type(), value)?;
                self.push(top.add(right, mask)?)
            }
            Operation::UnsignedConstant { value } => self.push(Value::Generic(value)),
            Operation::SignedConstant { value } => self.push(Value::Generic(value as u64)),
            Operation::FrameOffset { offset } => {
                let base = self.frame_base()?;
                self.push(Value::Generic(base.wrapping_add(offset as u64) & self.mask()))
            }
            Operation::Address { address } => self.push_address(address),
            Operation::AddressIndex { index } => {
                let address = self.opened.dwarf().address(&self.opened.unit, index)?;
                self.push_address(address)
            }
            Operation::ConstantIndex { index } => {
                let constant = self.opened.dwarf().address(&self.opened.unit, index)?;
                self.push(Value::Generic(constant))
            }
            Operation::TypedLiteral { base_type, value } => {
                let kind = self.number_type(base_type)?;
                self.push(Value::parse(kind, value)?)
            }
            Operation::Convert { base_type } => {
                let (kind, mask) = (self.number_type(base_type)?, self.number_mask());
                let value = self.pop()?.convert(kind, mask)?;
                self.push(value)
            }
            Operation::Reinterpret { base_type } => {
                let (kind, mask) = (self.number_type(base_type)?, self.number_mask());
                let value = self.pop()?.reinterpret(kind, mask)?;
                self.push(value)
            }
            Operation::Call { offset } => self.call(offset),
            // What it was on entry may be overwritten by now, and what the caller passed is not this frame's.
            Operation::EntryValue { .. } | Operation::ParameterRef { .. } | Operation::VariableValue { .. } => {
                Err(Stop::Unknown)
            }
            Operation::Register { .. } | Operation::RegisterOffset { .. } => Err(unsupported("registers")),
            Operation::CallFrameCFA => Err(unsupported("a frame of the machine")),
            Operation::TLS => Err(unsupported("thread-local addresses of another system")),
            Operation::PushObjectAddress => Err(unsupported("the address of an object that is not said")),
            _ => Err(unsupported("an operation of expressions")),
        }
    }

    /// Runs the expression of another entry on the same stack.
    fn call(&mut self, offset: DieReference<usize>) -> Result<(), Stop> {
        let value = match offset {
            DieReference::UnitRef(offset) => AttributeValue::UnitRef(offset),
            DieReference::DebugInfoRef(offset) => AttributeValue::DebugInfoRef(offset),
        };
        let id = self.inspector.reference(&self.opened, value).ok_or_else(|| damaged("an expression calls nothing"))?;
        let Some((opened, value)) = self.inspector.attribute(id, c::DW_AT_location)? else { return Ok(()) };
        let Some(bytes) = self.inspector.expression(&opened, value, &self.at)? else { return Ok(()) };
        self.nested(opened, |machine| match machine.run(bytes)? {
            Place::Memory(address) => machine.push(Value::Generic(address)),
            _ => Err(Stop::Unknown),
        })
    }

    /// Does something in another unit, one deeper.
    fn nested<T>(
        &mut self,
        opened: Rc<Opened<'a>>,
        work: impl FnOnce(&mut Self) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        if self.depth >= MAX_DEPTH {
            return Err(Stop::Failed(damaged("expressions call each other without end")));
        }
        self.depth += 1;
        let before = std::mem::replace(&mut self.opened, opened);
        let outcome = work(self);
        self.opened = before;
        self.depth -= 1;
        outcome
    }

    /// What the function's frame base is.
    fn frame_base(&mut self) -> Result<u64, Stop> {
        let Some(frame) = self.at.frame else { return Err(Stop::Unknown) };
        let attribute = self.inspector.attribute(frame.function, c::DW_AT_frame_base)?;
        let Some((opened, value)) = attribute else { return Err(damaged("a function has no frame base").into()) };
        let Some(bytes) = self.inspector.expression(&opened, value, &self.at)? else { return Err(Stop::Unknown) };
        let stack = std::mem::take(&mut self.stack);
        let place = self.nested(opened, |machine| machine.run(bytes));
        self.stack = stack;
        match place? {
            Place::Memory(address) => Ok(address),
            // Its value is the base.
            place @ (Place::Local(_) | Place::Global(_) | Place::Operand(_)) => {
                let mask = self.mask();
                Ok(self.wasm_value(&place)?.to_u64(mask)?)
            }
            Place::Bytes(bytes) => Ok(bytes.iter().take(8).rev().fold(0, |all, byte| all << 8 | u64::from(*byte))),
            Place::Pieces(_) | Place::OptimisedOut(_) => Err(Stop::Unknown),
        }
    }
}

/// A number of a type, by the bits that it has in memory.
fn parse(kind: ValueType, bits: u64) -> Result<Value, Stop> {
    let bytes = bits.to_le_bytes();
    Ok(Value::parse(kind, gimli::EndianSlice::new(&bytes, gimli::LittleEndian))?)
}

/// Memory that is not there.
pub(super) fn unreadable(address: u64, size: u64) -> Error {
    Error::new(ErrorKind::State, format!("{size} bytes at {address:#x} are not all in the memory"))
}

/// The rest of an expression behind a jump.
fn jump<'a>(all: Slice<'a>, rest: Slice<'a>, target: i16) -> Result<Slice<'a>, Stop> {
    let here = all.len() - rest.len();
    let there = here.checked_add_signed(isize::from(target)).filter(|there| *there <= all.len());
    let mut rest = all;
    rest.skip(there.ok_or_else(|| damaged("an expression jumps out of itself"))?)?;
    Ok(rest)
}
