//! What kinds of values there are: how wide each is, which the collector has to see, and what a reference refers to.
//! Every room speaks of values by these types; nobody has an enum of their own for the same.
//!
//! A new kind of reference is a row of [`HeapType`] (what it refers to) and of [`Family`] (whether that is collected),
//! and then wherever the compiler says that a `match` does not know it. Which types that modules define are the same,
//! and which is above which, is known where modules are: here they have a number alone.

use super::index::TypeId;
use std::fmt;

/// Bytes of a word: slots in frames and in buffers of state are counted in these.
pub const WORD_BYTES: u32 = 8;

/// What a reference refers to (specification section 2.3.3). Types of references are ordered: what fits one fits those
/// above it. There are families that have nothing in common, each with one type above all others and one below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeapType {
    /// A function, of whatever type.
    Func,
    /// No function: null alone.
    NoFunc,
    /// Anything of the host's.
    Extern,
    /// Nothing of the host's: null alone.
    NoExtern,
    /// An exception.
    Exn,
    /// No exception: null alone.
    NoExn,
    /// Anything of a guest's, and what of the host's was made so.
    Any,
    /// What can be compared: an integer, a structure or an array.
    Eq,
    /// An integer of 31 bits, which is the reference itself.
    I31,
    /// A structure, of whatever type.
    Struct,
    /// An array, of whatever type.
    Array,
    /// Nothing of a guest's: null alone.
    None,
    /// What a module has defined.
    Defined(Defined),
}

/// A type that a module has defined, and what kind of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Defined {
    /// What kind of thing.
    pub kind: DefinedKind,
    /// Which type.
    pub id: TypeId,
}

/// What kind of thing a defined type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DefinedKind {
    /// A function.
    Func,
    /// A structure.
    Struct,
    /// An array.
    Array,
}

/// A family of references: all that are in it are represented alike, and null is the same in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Functions.
    Func,
    /// What is the host's.
    Extern,
    /// Exceptions.
    Exn,
    /// Anything else: what guests make.
    Any,
}

impl Family {
    /// Whether what is referred to goes when nobody refers to it any more, so that the collector has to see the
    /// reference. A function is kept with its instance, and goes with it.
    pub const fn is_collected(self) -> bool {
        match self {
            Family::Func | Family::Extern | Family::Exn | Family::Any => true,
        }
    }

    /// The type above all others.
    pub const fn top(self) -> HeapType {
        match self {
            Family::Func => HeapType::Func,
            Family::Extern => HeapType::Extern,
            Family::Exn => HeapType::Exn,
            Family::Any => HeapType::Any,
        }
    }
}

impl HeapType {
    /// Those that no module defines.
    pub(crate) const ABSTRACT: [HeapType; 12] = {
        use HeapType::{Any, Array, Eq, Exn, Extern, Func, I31, NoExn, NoExtern, NoFunc, None, Struct};
        [Func, Extern, Exn, NoFunc, NoExtern, NoExn, Any, Eq, I31, Struct, Array, None]
    };

    /// The family.
    pub const fn family(self) -> Family {
        match self {
            HeapType::Func | HeapType::NoFunc | HeapType::Defined(Defined { kind: DefinedKind::Func, .. }) => {
                Family::Func
            }
            HeapType::Extern | HeapType::NoExtern => Family::Extern,
            HeapType::Exn | HeapType::NoExn => Family::Exn,
            HeapType::Any
            | HeapType::Eq
            | HeapType::I31
            | HeapType::Struct
            | HeapType::Array
            | HeapType::None
            | HeapType::Defined(Defined { kind: DefinedKind::Struct | DefinedKind::Array, .. }) => Family::Any,
        }
    }
}

impl fmt::Display for HeapType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HeapType::Func => "func",
            HeapType::NoFunc => "nofunc",
            HeapType::Extern => "extern",
            HeapType::NoExtern => "noextern",
            HeapType::Exn => "exn",
            HeapType::NoExn => "noexn",
            HeapType::Any => "any",
            HeapType::Eq => "eq",
            HeapType::I31 => "i31",
            HeapType::Struct => "struct",
            HeapType::Array => "array",
            HeapType::None => "none",
            HeapType::Defined(Defined { id, .. }) => return write!(f, "$type{id}"),
        })
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
    /// `anyref`
    pub const ANYREF: RefType = RefType::nullable(HeapType::Any);

    /// A reference to this, or null.
    pub const fn nullable(heap: HeapType) -> RefType {
        RefType { heap, nullable: true }
    }

    /// A reference to this, never null.
    pub const fn non_null(heap: HeapType) -> RefType {
        RefType { heap, nullable: false }
    }

    /// The type above all others of its family, null included.
    pub const fn top(self) -> RefType {
        RefType::nullable(self.heap.family().top())
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

impl ValType {
    /// `funcref`
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNCREF);
    /// `externref`
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERNREF);
    /// `exnref`
    pub const EXNREF: ValType = ValType::Ref(RefType::EXNREF);
    /// `anyref`
    pub const ANYREF: ValType = ValType::Ref(RefType::ANYREF);

    /// The types of slots, each at the place of its [`ValType::number`].
    pub const SLOTS: [ValType; 9] = [
        ValType::I32,
        ValType::I64,
        ValType::F32,
        ValType::F64,
        ValType::V128,
        ValType::FUNCREF,
        ValType::EXTERNREF,
        ValType::EXNREF,
        ValType::ANYREF,
    ];

    /// Bytes of a value: 4, 8 or 16.
    #[inline]
    pub const fn width(self) -> u32 {
        match self {
            ValType::I32 | ValType::F32 => 4,
            ValType::I64 | ValType::F64 => 8,
            ValType::Ref(ty) => match ty.heap.family() {
                Family::Func | Family::Extern | Family::Exn => 8,
                Family::Any => 4,
            },
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
            ValType::Ref(ty) => ty.heap.family().is_collected(),
            ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64 | ValType::V128 => false,
        }
    }

    /// The type of a slot for such values: of a reference the family alone, since a local that is never null is null
    /// before it is set, and what modules define has no name outside a process. Where compiled code keeps values, and
    /// in tables that tell of them, no more is said.
    pub const fn in_slots(self) -> ValType {
        match self {
            ValType::Ref(ty) => ValType::Ref(ty.top()),
            _ => self,
        }
    }

    /// The type of a slot, [`ValType::in_slots`], as a number, for tables: its place in [`ValType::SLOTS`].
    pub const fn number(self) -> u32 {
        match self {
            ValType::I32 => 0,
            ValType::I64 => 1,
            ValType::F32 => 2,
            ValType::F64 => 3,
            ValType::V128 => 4,
            ValType::Ref(ty) => match ty.heap.family() {
                Family::Func => 5,
                Family::Extern => 6,
                Family::Exn => 7,
                Family::Any => 8,
            },
        }
    }

    /// The type of a [`ValType::number`]; `None` for what is none.
    #[inline]
    pub fn from_number(number: u32) -> Option<ValType> {
        Self::SLOTS.get(number as usize).copied()
    }
}

impl From<RefType> for ValType {
    fn from(ty: RefType) -> ValType {
        ValType::Ref(ty)
    }
}

impl fmt::Display for RefType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RefType { heap: HeapType::NoFunc, nullable: true } => f.write_str("nullfuncref"),
            RefType { heap: HeapType::NoExtern, nullable: true } => f.write_str("nullexternref"),
            RefType { heap: HeapType::NoExn, nullable: true } => f.write_str("nullexnref"),
            RefType { heap: HeapType::None, nullable: true } => f.write_str("nullref"),
            RefType { heap: heap @ HeapType::Defined(_), nullable: true } => write!(f, "(ref null {heap})"),
            RefType { heap, nullable: true } => write!(f, "{heap}ref"),
            RefType { heap, nullable: false } => write!(f, "(ref {heap})"),
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

    /// Every type that no module defines.
    fn all() -> Vec<ValType> {
        let refs =
            HeapType::ABSTRACT.into_iter().flat_map(|heap| [false, true].map(|nullable| RefType { heap, nullable }));
        let numeric = [ValType::I32, ValType::I64, ValType::F32, ValType::F64, ValType::V128];
        numeric.into_iter().chain(refs.map(ValType::Ref)).collect()
    }

    /// References to the type of this number.
    fn defined(kind: DefinedKind, id: u32) -> [ValType; 2] {
        let heap = HeapType::Defined(Defined { kind, id: TypeId::new(id) });
        [RefType::nullable(heap), RefType::non_null(heap)].map(ValType::Ref)
    }

    #[test]
    fn slots_know_families_alone() {
        use DefinedKind::{Array, Func, Struct};
        let kinds = [Func, Struct, Array].into_iter();
        let modules = kinds.flat_map(|kind| [7, u32::MAX].into_iter().flat_map(move |id| defined(kind, id)));
        for ty in modules.chain(all()) {
            let slot = ty.in_slots();
            assert_eq!((slot.in_slots(), slot.width(), slot.is_root()), (slot, ty.width(), ty.is_root()));
            assert_eq!(ValType::from_number(ty.number()), Some(slot));
            let references = [ValType::FUNCREF, ValType::EXTERNREF, ValType::EXNREF, ValType::ANYREF];
            assert_eq!(ty.is_ref(), references.contains(&slot));
        }
        for (kind, slot) in [(Func, ValType::FUNCREF), (Struct, ValType::ANYREF), (Array, ValType::ANYREF)] {
            assert!(defined(kind, 7).iter().all(|ty| ty.in_slots() == slot));
        }
        for (place, ty) in ValType::SLOTS.into_iter().enumerate() {
            assert_eq!((ty.number(), ty.in_slots()), (place as u32, ty));
        }
        assert_eq!(ValType::from_number(ValType::SLOTS.len() as u32), None);
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
        assert_eq!(about(ValType::ANYREF), (4, 1, true, true));
        assert!(size_of::<ValType>() <= 12, "tables have one for each local");
    }

    #[test]
    fn they_are_named_as_in_the_text_format() {
        let names: Vec<String> = ValType::SLOTS.iter().map(ValType::to_string).collect();
        assert_eq!(names, ["i32", "i64", "f32", "f64", "v128", "funcref", "externref", "exnref", "anyref"]);
        assert_eq!(ValType::from(RefType::non_null(HeapType::Func)).to_string(), "(ref func)");
        assert_eq!(ValType::from(RefType::nullable(HeapType::NoExtern)).to_string(), "nullexternref");
        assert_eq!(ValType::from(RefType::nullable(HeapType::None)).to_string(), "nullref");
        assert_eq!(ValType::from(RefType::nullable(HeapType::I31)).to_string(), "i31ref");
        assert_eq!(ValType::from(RefType::non_null(HeapType::Eq)).to_string(), "(ref eq)");
        assert_eq!(defined(DefinedKind::Func, 17).map(|ty| ty.to_string()), ["(ref null $type17)", "(ref $type17)"]);
    }
}
