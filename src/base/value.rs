//! What kinds of values there are: how wide each is, which the collector has to see, and what a reference refers to.
//! Every room speaks of values by these types; nobody has an enum of their own for the same.
//!
//! A new kind of reference is a row of [`HeapType`] (what it refers to, and whether that is collected), and then
//! wherever the compiler says that a `match` does not know it.

use std::fmt;

/// Bytes of a word: slots in frames and in buffers of state are counted in these.
pub const WORD_BYTES: u32 = 8;

/// What a reference refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum HeapType {
    /// A function, of whatever type.
    Func = 0,
    /// Anything of the host's.
    Extern = 1,
    /// An exception.
    Exn = 2,
    /// No exception: only null is one.
    NoExn = 3,
}

impl HeapType {
    /// All of them, in the order of their numbers.
    pub const ALL: [HeapType; 4] = [HeapType::Func, HeapType::Extern, HeapType::Exn, HeapType::NoExn];

    /// Whether what is referred to goes when nobody refers to it any more, so that the collector has to see the
    /// reference. A function is kept with its instance, and goes with it.
    pub const fn is_collected(self) -> bool {
        match self {
            HeapType::Func | HeapType::Extern | HeapType::Exn => true,
            HeapType::NoExn => false,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            HeapType::Func => "func",
            HeapType::Extern => "extern",
            HeapType::Exn => "exn",
            HeapType::NoExn => "noexn",
        }
    }
}

/// A reference's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RefType {
    /// What it refers to.
    pub heap: HeapType,
    /// Whether it may be null.
    pub nullable: bool,
}

impl RefType {
    /// `funcref`
    pub const FUNCREF: RefType = RefType::nullable(HeapType::Func);
    /// `externref`
    pub const EXTERNREF: RefType = RefType::nullable(HeapType::Extern);
    /// `exnref`
    pub const EXNREF: RefType = RefType::nullable(HeapType::Exn);

    /// A reference to this, or null.
    pub const fn nullable(heap: HeapType) -> RefType {
        RefType { heap, nullable: true }
    }
}

/// A value's type (specification section 2.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ValType {
    I32,
    I64,
    F32,
    F64,
    V128,
    Ref(RefType),
}

/// Numbers of types: below this those that [`ValType::SHORT`] lists.
const FIRST_LONG: u32 = ValType::SHORT.len() as u32;

impl ValType {
    /// `funcref`
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNCREF);
    /// `externref`
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERNREF);
    /// `exnref`
    pub const EXNREF: ValType = ValType::Ref(RefType::EXNREF);

    /// The types whose [`ValType::number`] is their place in this list: those that tables are full of.
    pub const SHORT: [ValType; 7] =
        [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128, ValType::FUNCREF, ValType::EXTERNREF];

    /// Bytes of a value: 4, 8 or 16.
    #[inline]
    pub const fn width(self) -> u32 {
        match self {
            ValType::I32 | ValType::F32 => 4,
            ValType::I64 | ValType::F64 | ValType::Ref(_) => 8,
            ValType::V128 => 16,
        }
    }

    /// Whether a value takes two words.
    #[inline]
    pub const fn is_wide(self) -> bool {
        matches!(self, ValType::V128)
    }

    /// The words of a slot for a value: one or two.
    #[inline]
    pub const fn words(self) -> u32 {
        1 + self.is_wide() as u32
    }

    /// Whether values are references.
    pub const fn is_ref(self) -> bool {
        matches!(self, ValType::Ref(_))
    }

    /// Whether the collector has to see such a value wherever it is kept.
    pub const fn is_root(self) -> bool {
        match self {
            ValType::Ref(ty) => ty.heap.is_collected(),
            ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 | ValType::V128 => false,
        }
    }

    /// The type as a number, for tables: small for the usual ones.
    pub const fn number(self) -> u32 {
        match self {
            ValType::I32 => 0,
            ValType::I64 => 1,
            ValType::F32 => 2,
            ValType::F64 => 3,
            ValType::V128 => 4,
            ValType::Ref(RefType { heap: HeapType::Func, nullable: true }) => 5,
            ValType::Ref(RefType { heap: HeapType::Extern, nullable: true }) => 6,
            ValType::Ref(RefType { heap, nullable }) => FIRST_LONG + (heap as u32) * 2 + nullable as u32,
        }
    }

    /// The type of a [`ValType::number`]; `None` for what is none.
    #[inline]
    pub fn from_number(number: u32) -> Option<ValType> {
        if let Some(short) = Self::SHORT.get(number as usize) {
            return Some(*short);
        }
        Self::from_long(number - FIRST_LONG)
    }

    /// The type whose number is so much beyond the short ones'.
    #[cold]
    fn from_long(long: u32) -> Option<ValType> {
        let heap = *HeapType::ALL.get((long / 2) as usize)?;
        let ty = ValType::Ref(RefType { heap, nullable: !long.is_multiple_of(2) });
        // One of the short ones has no second number.
        (ty.number() == FIRST_LONG + long).then_some(ty)
    }
}

impl From<RefType> for ValType {
    fn from(ty: RefType) -> ValType {
        ValType::Ref(ty)
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.nullable {
            true if self.heap == HeapType::NoExn => f.write_str("nullexnref"),
            true => write!(f, "{}ref", self.heap.name()),
            false => write!(f, "(ref {})", self.heap.name()),
        }
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValType::I32 => "i32",
            ValType::I64 => "i64",
            ValType::F32 => "f32",
            ValType::F64 => "f64",
            ValType::V128 => "v128",
            ValType::Ref(ty) => return ty.fmt(f),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every type that there is.
    fn all() -> Vec<ValType> {
        let refs = HeapType::ALL.into_iter().flat_map(|heap| [false, true].map(|nullable| RefType { heap, nullable }));
        let numeric = [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128];
        numeric.into_iter().chain(refs.map(ValType::Ref)).collect()
    }

    #[test]
    fn numbers_and_types_are_one_to_one() {
        for (place, ty) in ValType::SHORT.into_iter().enumerate() {
            assert_eq!(ty.number(), place as u32);
        }
        let mut numbers: Vec<u32> = all().into_iter().map(ValType::number).collect();
        for ty in all() {
            assert_eq!(ValType::from_number(ty.number()), Some(ty));
        }
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), all().len());
        let meant: Vec<u32> = (0..1000).filter(|number| ValType::from_number(*number).is_some()).collect();
        assert_eq!(meant, numbers);
        assert_eq!(ValType::from_number(u32::MAX), None);
    }

    #[test]
    fn widths_words_and_roots() {
        for ty in all() {
            assert_eq!((ty.words(), ty.is_wide()), (ty.width().div_ceil(WORD_BYTES), ty.width() > WORD_BYTES));
        }
        let about = |ty: ValType| (ty.width(), ty.words(), ty.is_ref(), ty.is_root());
        assert_eq!(about(ValType::I32), (4, 1, false, false));
        assert_eq!(about(ValType::F64), (8, 1, false, false));
        assert_eq!(about(ValType::V128), (16, 2, false, false));
        assert_eq!(about(ValType::FUNCREF), (8, 1, true, true));
        assert_eq!(about(ValType::EXTERNREF), (8, 1, true, true));
        assert!(size_of::<ValType>() <= 4, "tables have one for each local");
    }

    #[test]
    fn they_are_named_as_in_the_text_format() {
        let names: Vec<String> = ValType::SHORT.iter().map(ValType::to_string).collect();
        assert_eq!(names, ["i32", "i64", "f32", "f64", "v128", "funcref", "externref"]);
        let never_null = RefType { heap: HeapType::Func, nullable: false };
        assert_eq!(ValType::from(never_null).to_string(), "(ref func)");
    }
}
