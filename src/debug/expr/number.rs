//! Numbers of expressions: of which types they are, and what C's operators make of them. Nothing here allocates, and
//! what an operator refuses is a plain value; who evaluates says where in the text that is.

use crate::dwarf::{NumberType, Scalar};
use crate::runtime::Val;
use crate::wasm::ValType;
use std::cmp::Ordering;
use std::fmt;

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::debug) enum Class {
    Bool,
    Signed,
    Unsigned,
    Float,
}

/// In which words a type is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::debug) enum Style {
    /// `unsigned int`.
    C,
    /// C's `long`, which is as wide as an address.
    Long,
    /// C's `char`.
    Char,
    /// `u32`.
    Wasm,
}

/// The type of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::debug) struct Kind {
    pub(in crate::debug) class: Class,
    pub(in crate::debug) bits: u8,
    pub(in crate::debug) style: Style,
}

/// An operator of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::debug) enum Binary {
    Multiply,
    Divide,
    Remainder,
    Add,
    Subtract,
    Left,
    Right,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    Unequal,
    And,
    Xor,
    Or,
}

/// An operator of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::debug) enum Unary {
    Plus,
    Minus,
    Invert,
}

/// Why an operator has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::debug) enum Trouble {
    DivisionByZero,
    /// By how many bits, of how many.
    Shift(i128, u8),
    NoBits,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::DivisionByZero => f.write_str("a division by zero"),
            Trouble::Shift(by, bits) => {
                write!(f, "a shift by {by} of a number of {bits} bits; 0 to {} are possible", bits - 1)
            }
            Trouble::NoBits => f.write_str("this takes integers; make a float one by a cast, as in `(int)1.5`"),
        }
    }
}

impl Kind {
    pub(in crate::debug) const BOOL: Kind = Kind::of(Class::Bool, 8, Style::C);
    pub(in crate::debug) const INT: Kind = Kind::of(Class::Signed, 32, Style::C);
    pub(in crate::debug) const UINT: Kind = Kind::of(Class::Unsigned, 32, Style::C);
    pub(in crate::debug) const FLOAT: Kind = Kind::of(Class::Float, 32, Style::C);
    pub(in crate::debug) const DOUBLE: Kind = Kind::of(Class::Float, 64, Style::C);

    pub(in crate::debug) const fn of(class: Class, bits: u8, style: Style) -> Kind {
        Kind { class, bits, style }
    }

    /// A type by its name in Wasm and Rust.
    pub(in crate::debug) fn of_wasm(name: &str) -> Option<Kind> {
        let class = match name.as_bytes().first()? {
            b'i' => Class::Signed,
            b'u' => Class::Unsigned,
            b'f' => Class::Float,
            _ => return None,
        };
        let bits = match (&name[1..], class) {
            ("32", _) => 32,
            ("64", _) => 64,
            ("8", Class::Signed | Class::Unsigned) => 8,
            ("16", Class::Signed | Class::Unsigned) => 16,
            ("128", Class::Signed | Class::Unsigned) => 128,
            _ => return None,
        };
        Some(Kind::of(class, bits, Style::Wasm))
    }

    /// The type of a local, a global or an operand, if that is a number.
    pub(in crate::debug) fn of_value(ty: ValType) -> Option<Kind> {
        Some(match ty {
            ValType::I32 => Kind::of(Class::Signed, 32, Style::Wasm),
            ValType::I64 => Kind::of(Class::Signed, 64, Style::Wasm),
            ValType::F32 => Kind::of(Class::Float, 32, Style::Wasm),
            ValType::F64 => Kind::of(Class::Float, 64, Style::Wasm),
            _ => return None,
        })
    }

    /// The type of a number of the source. What is between two widths is of the wider one.
    pub(in crate::debug) fn of_source(ty: NumberType) -> Kind {
        let bits = match ty.bits {
            0..=8 => 8,
            9..=16 => 16,
            17..=31 if ty.is_part => return Kind::INT,
            17..=32 => 32,
            33..=64 => 64,
            _ => 128,
        };
        match ty {
            NumberType { is_float: true, .. } if bits <= 32 => Kind::FLOAT,
            NumberType { is_float: true, .. } => Kind::DOUBLE,
            NumberType { is_bool: true, .. } => Kind::BOOL,
            NumberType { is_signed: true, .. } => Kind::of(Class::Signed, bits, Style::C),
            _ => Kind::of(Class::Unsigned, bits, Style::C),
        }
    }

    pub(in crate::debug) fn is_float(self) -> bool {
        self.class == Class::Float
    }

    /// How many bytes of memory it takes.
    pub(in crate::debug) fn bytes(self) -> usize {
        usize::from(self.bits / 8)
    }

    /// Its name.
    pub(in crate::debug) fn name(self) -> &'static str {
        match (self.style, self.class, self.bits) {
            (Style::Char, ..) => "char",
            (_, Class::Bool, _) => "bool",
            (Style::Long, Class::Unsigned, _) => "unsigned long",
            (Style::Long, ..) => "long",
            (Style::Wasm, Class::Signed, 8) => "i8",
            (Style::Wasm, Class::Signed, 16) => "i16",
            (Style::Wasm, Class::Signed, 32) => "i32",
            (Style::Wasm, Class::Signed, 64) => "i64",
            (Style::Wasm, Class::Signed, _) => "i128",
            (Style::Wasm, Class::Unsigned, 8) => "u8",
            (Style::Wasm, Class::Unsigned, 16) => "u16",
            (Style::Wasm, Class::Unsigned, 32) => "u32",
            (Style::Wasm, Class::Unsigned, 64) => "u64",
            (Style::Wasm, Class::Unsigned, _) => "u128",
            (Style::Wasm, Class::Float, 32) => "f32",
            (Style::Wasm, Class::Float, _) => "f64",
            (Style::C, Class::Signed, 8) => "signed char",
            (Style::C, Class::Signed, 16) => "short",
            (Style::C, Class::Signed, 32) => "int",
            (Style::C, Class::Signed, 64) => "long long",
            (Style::C, Class::Signed, _) => "__int128",
            (Style::C, Class::Unsigned, 8) => "unsigned char",
            (Style::C, Class::Unsigned, 16) => "unsigned short",
            (Style::C, Class::Unsigned, 32) => "unsigned int",
            (Style::C, Class::Unsigned, 64) => "unsigned long long",
            (Style::C, Class::Unsigned, _) => "unsigned __int128",
            (Style::C, Class::Float, 32) => "float",
            (Style::C, Class::Float, _) => "double",
        }
    }

    /// What C's integer promotions make of it: nothing narrower than `int` is computed with.
    pub(in crate::debug) fn promoted(self) -> Kind {
        match self.class {
            Class::Float => Kind { style: Style::C, ..self },
            Class::Bool => Kind::INT,
            _ if self.bits < 32 => Kind::INT,
            _ if self.style == Style::Long => self,
            _ => Kind { style: Style::C, ..self },
        }
    }

    /// What two become together: C's usual arithmetic conversions.
    pub(in crate::debug) fn common(self, other: Kind) -> Kind {
        match (self.is_float(), other.is_float()) {
            (true, true) if other.bits > self.bits => return other.promoted(),
            (true, _) => return self.promoted(),
            (false, true) => return other.promoted(),
            (false, false) => {}
        }
        let (a, b) = (self.promoted(), other.promoted());
        if a.bits != b.bits {
            return if a.bits > b.bits { a } else { b };
        }
        // Of two of one width, C's `long` is the higher one below 64 bits, and `long long` from there on.
        let rank = |kind: Kind| (kind.style == Style::Long) == (kind.bits == 32);
        let style = if rank(a) { a.style } else { b.style };
        let class = if a.class == b.class { a.class } else { Class::Unsigned };
        Kind { class, bits: a.bits, style }
    }

    /// What an operator makes of numbers of these types.
    pub(in crate::debug) fn of_binary(op: Binary, a: Kind, b: Kind) -> Result<Kind, Trouble> {
        if op.takes_bits() && (a.is_float() || b.is_float()) {
            return Err(Trouble::NoBits);
        }
        Ok(match op {
            Binary::Left | Binary::Right => a.promoted(),
            _ if op.compares() => Kind::BOOL,
            _ => a.common(b),
        })
    }
}

impl Binary {
    /// Whether it says something of two numbers, rather than making one.
    pub(in crate::debug) fn compares(self) -> bool {
        matches!(
            self,
            Binary::Less
                | Binary::LessOrEqual
                | Binary::Greater
                | Binary::GreaterOrEqual
                | Binary::Equal
                | Binary::Unequal
        )
    }

    /// Whether it is of integers alone.
    fn takes_bits(self) -> bool {
        matches!(self, Binary::Remainder | Binary::Left | Binary::Right | Binary::And | Binary::Xor | Binary::Or)
    }

    /// Whether a comparison holds of two that are in this order; there is none of what is not a number.
    #[inline]
    pub(in crate::debug) fn fits(self, order: Option<Ordering>) -> bool {
        match self {
            Binary::Equal => order == Some(Ordering::Equal),
            Binary::Unequal => order != Some(Ordering::Equal),
            Binary::Less => order == Some(Ordering::Less),
            Binary::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Binary::Greater => order == Some(Ordering::Greater),
            Binary::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            _ => false,
        }
    }
}

/// A number: its type, and its bits, those beyond its width 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::debug) struct Number {
    pub(in crate::debug) kind: Kind,
    pub(in crate::debug) bits: u128,
}

impl Number {
    /// The number of a type that has these lowest bits.
    pub(in crate::debug) fn new(kind: Kind, bits: u128) -> Number {
        Number { kind, bits: bits & (u128::MAX >> (128 - u32::from(kind.bits))) }
    }

    pub(in crate::debug) fn bool(value: bool) -> Number {
        Number::new(Kind::BOOL, value.into())
    }

    pub(in crate::debug) fn int(value: i32) -> Number {
        Number::new(Kind::INT, value as u128)
    }

    pub(in crate::debug) fn double(value: f64) -> Number {
        Number::new(Kind::DOUBLE, value.to_bits().into())
    }

    /// A local, a global, an operand or a result, if it is a number.
    pub(in crate::debug) fn of_val(value: &Val) -> Option<Number> {
        let bits = match *value {
            Val::I32(value) => u128::from(value as u32),
            Val::I64(value) => u128::from(value as u64),
            Val::F32(bits) => bits.into(),
            Val::F64(bits) => bits.into(),
            _ => return None,
        };
        Some(Number::new(Kind::of_value(value.ty())?, bits))
    }

    /// As a value of a Wasm type, as C converts it; `None` for a type that is no number.
    pub(in crate::debug) fn to_val(self, ty: ValType) -> Option<Val> {
        let bits = self.cast(Kind::of_value(ty)?).bits;
        Some(match ty {
            ValType::I32 => Val::I32(bits as i32),
            ValType::I64 => Val::I64(bits as i64),
            ValType::F32 => Val::F32(bits as u32),
            _ => Val::F64(bits as u64),
        })
    }

    /// A number of the source.
    pub(in crate::debug) fn of_scalar(scalar: Scalar, ty: NumberType) -> Number {
        let kind = Kind::of_source(ty);
        match scalar {
            Scalar::Signed(value) => Number::new(kind, value as u128),
            Scalar::Unsigned(value) => Number::new(kind, value),
            Scalar::Char(value) => Number::new(kind, value.into()),
            Scalar::Bool(value) => Number::bool(value),
            Scalar::Float(value) if kind.bits == 32 => Number::new(kind, (value as f32).to_bits().into()),
            Scalar::Float(value) => Number::double(value),
        }
    }

    pub(in crate::debug) fn scalar(self) -> Scalar {
        match self.kind.class {
            Class::Bool => Scalar::Bool(self.bits != 0),
            Class::Signed => Scalar::Signed(self.signed()),
            Class::Unsigned => Scalar::Unsigned(self.bits),
            Class::Float => Scalar::Float(self.float()),
        }
    }

    /// An integer, with its sign; of those of 128 bits without one, the same bits.
    pub(in crate::debug) fn signed(self) -> i128 {
        let unused = 128 - u32::from(self.kind.bits);
        match self.kind.class {
            Class::Signed => ((self.bits << unused) as i128) >> unused,
            _ => self.bits as i128,
        }
    }

    /// As a float of 64 bits.
    fn float(self) -> f64 {
        match (self.kind.class, self.kind.bits) {
            (Class::Float, 32) => f32::from_bits(self.bits as u32).into(),
            (Class::Float, _) => f64::from_bits(self.bits as u64),
            (Class::Signed, _) => self.signed() as f64,
            _ => self.bits as f64,
        }
    }

    /// As one of 32: of an integer in one step, as C has it.
    fn single(self) -> f32 {
        match (self.kind.class, self.kind.bits) {
            (Class::Float, 32) => f32::from_bits(self.bits as u32),
            (Class::Float, _) => f64::from_bits(self.bits as u64) as f32,
            (Class::Signed, _) => self.signed() as f32,
            _ => self.bits as f32,
        }
    }

    /// Whether C takes it for true.
    #[inline]
    pub(in crate::debug) fn truth(self) -> bool {
        match self.kind.class {
            Class::Float => self.float() != 0.0,
            _ => self.bits != 0,
        }
    }

    /// As one of another type: integers keep their lowest bits, floats lose what is behind the point.
    pub(in crate::debug) fn cast(self, kind: Kind) -> Number {
        match kind.class {
            Class::Bool => Number { kind, bits: self.truth().into() },
            Class::Float if kind.bits == 32 => Number { kind, bits: self.single().to_bits().into() },
            Class::Float => Number { kind, bits: self.float().to_bits().into() },
            Class::Signed | Class::Unsigned => match self.kind.class {
                // What is beyond 128 bits with a sign may fit those without.
                Class::Float if kind.class == Class::Unsigned && self.float() > 0.0 => {
                    Number::new(kind, self.float() as u128)
                }
                Class::Float => Number::new(kind, self.float() as i128 as u128),
                _ => Number::new(kind, self.signed() as u128),
            },
        }
    }

    pub(in crate::debug) fn unary(self, op: Unary) -> Result<Number, Trouble> {
        let value = self.cast(self.kind.promoted());
        Ok(match (op, value.kind.class) {
            (Unary::Plus, _) => value,
            (Unary::Minus, Class::Float) if value.kind.bits == 32 => {
                Number { bits: (-value.single()).to_bits().into(), ..value }
            }
            (Unary::Minus, Class::Float) => Number { bits: (-value.float()).to_bits().into(), ..value },
            (Unary::Invert, Class::Float) => return Err(Trouble::NoBits),
            (Unary::Minus, _) => Number::new(value.kind, value.bits.wrapping_neg()),
            (Unary::Invert, _) => Number::new(value.kind, !value.bits),
        })
    }

    /// What an operator makes of two.
    pub(in crate::debug) fn binary(op: Binary, a: Number, b: Number) -> Result<Number, Trouble> {
        let result = Kind::of_binary(op, a.kind, b.kind)?;
        if let Binary::Left | Binary::Right = op {
            let value = a.cast(result);
            let by = b.cast(b.kind.promoted());
            let shift = u32::try_from(by.signed()).ok().filter(|shift| *shift < u32::from(result.bits));
            let shift = shift.ok_or(Trouble::Shift(by.signed(), result.bits))?;
            return Ok(Number::new(
                result,
                match (op, result.class) {
                    (Binary::Left, _) => value.bits << shift,
                    (_, Class::Signed) => (value.signed() >> shift) as u128,
                    _ => value.bits >> shift,
                },
            ));
        }
        let kind = if op.compares() { a.kind.common(b.kind) } else { result };
        let (a, b) = (a.cast(kind), b.cast(kind));
        if kind.is_float() {
            if op.compares() {
                return Ok(Number::bool(op.fits(a.float().partial_cmp(&b.float()))));
            }
            return Ok(match kind.bits {
                32 => {
                    let (a, b) = (a.single(), b.single());
                    let made = match op {
                        Binary::Add => a + b,
                        Binary::Subtract => a - b,
                        Binary::Multiply => a * b,
                        _ => a / b,
                    };
                    Number { kind, bits: made.to_bits().into() }
                }
                _ => {
                    let (a, b) = (a.float(), b.float());
                    let made = match op {
                        Binary::Add => a + b,
                        Binary::Subtract => a - b,
                        Binary::Multiply => a * b,
                        _ => a / b,
                    };
                    Number { kind, bits: made.to_bits().into() }
                }
            });
        }
        let is_signed = kind.class == Class::Signed;
        if op.compares() {
            let order = if is_signed { a.signed().cmp(&b.signed()) } else { a.bits.cmp(&b.bits) };
            return Ok(Number::bool(op.fits(Some(order))));
        }
        if matches!(op, Binary::Divide | Binary::Remainder) && b.bits == 0 {
            return Err(Trouble::DivisionByZero);
        }
        let bits = match op {
            Binary::Add => a.bits.wrapping_add(b.bits),
            Binary::Subtract => a.bits.wrapping_sub(b.bits),
            Binary::Multiply => a.bits.wrapping_mul(b.bits),
            Binary::Divide if is_signed => a.signed().wrapping_div(b.signed()) as u128,
            Binary::Divide => a.bits / b.bits,
            Binary::Remainder if is_signed => a.signed().wrapping_rem(b.signed()) as u128,
            Binary::Remainder => a.bits % b.bits,
            Binary::And => a.bits & b.bits,
            Binary::Xor => a.bits ^ b.bits,
            _ => a.bits | b.bits,
        };
        Ok(Number::new(kind, bits))
    }
}

/// In one line, as values of the source are shown.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind.class, self.kind.style) {
            (Class::Float, _) if self.kind.bits == 32 => write!(f, "{:?}", self.single()),
            (Class::Signed, Style::Char) => {
                write!(f, "{}", self.signed())?;
                match self.bits as u8 {
                    letter @ 0x20..=0x7e => write!(f, " {:?}", char::from(letter)),
                    _ => Ok(()),
                }
            }
            _ => write!(f, "{}", self.scalar()),
        }
    }
}
