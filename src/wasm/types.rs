//! The types of WebAssembly (specification section 2.3), as the rooms above use them.

use crate::base::{DefinedFuncIndex, FuncIndex, GlobalIndex, MemoryIndex, TableIndex, TypeIndex};
use std::fmt;
use std::ops::Range;

pub use crate::base::{HeapType, RefType, ValType};

/// A function's type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct FuncType {
    /// The parameters.
    pub params: Box<[ValType]>,
    /// The results.
    pub results: Box<[ValType]>,
}

impl FuncType {
    /// The type `params -> results`.
    pub fn new(params: impl IntoIterator<Item = ValType>, results: impl IntoIterator<Item = ValType>) -> Self {
        FuncType { params: params.into_iter().collect(), results: results.into_iter().collect() }
    }
}

/// A field of a structure, or what all elements of an array are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldType {
    /// What is kept.
    pub storage: StorageType,
    /// Whether it can be written.
    pub mutable: bool,
}

/// What a field keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StorageType {
    /// The lowest 8 bits of an `i32`.
    I8,
    /// The lowest 16 bits of an `i32`.
    I16,
    /// A value.
    Val(ValType),
}

impl StorageType {
    /// The type of the value that is read from it and written to it.
    pub const fn unpacked(self) -> ValType {
        match self {
            StorageType::I8 | StorageType::I16 => ValType::I32,
            StorageType::Val(ty) => ty,
        }
    }
}

impl StorageType {
    /// The bytes that it takes.
    pub const fn width(self) -> u32 {
        match self {
            StorageType::I8 => 1,
            StorageType::I16 => 2,
            StorageType::Val(ty) => ty.width(),
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mutable = if self.mutable { "mut " } else { "" };
        match self.storage {
            StorageType::I8 => write!(f, "{mutable}i8"),
            StorageType::I16 => write!(f, "{mutable}i16"),
            StorageType::Val(ty) => write!(f, "{mutable}{ty}"),
        }
    }
}

/// A structure's type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct StructType {
    /// The fields.
    pub fields: Box<[FieldType]>,
}

/// An array's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArrayType {
    /// What its elements are.
    pub element: FieldType,
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, types: &[ValType]| {
            f.write_str("(")?;
            for (i, ty) in types.iter().enumerate() {
                if i > 0 {
                    f.write_str(", ")?;
                }
                ty.fmt(f)?;
            }
            f.write_str(")")
        };
        list(f, &self.params)?;
        f.write_str(" -> ")?;
        list(f, &self.results)
    }
}

/// The size limits of a memory (in pages) or a table (in elements).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The initial size; for an object that exists, its current size.
    pub min: u64,
    /// The largest size it may grow to.
    pub max: Option<u64>,
}

impl Limits {
    /// Whether an object with these limits may be imported where `wanted` is asked for (specification section 4.5.2.2).
    pub fn fit(&self, wanted: &Limits) -> bool {
        self.min >= wanted.min
            && match (self.max, wanted.max) {
                (_, None) => true,
                (Some(max), Some(wanted)) => max <= wanted,
                (None, Some(_)) => false,
            }
    }
}

/// A table's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    /// The type of its elements.
    pub element: RefType,
    /// Its size, in elements.
    pub limits: Limits,
}

/// A memory's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType {
    /// Its size, in pages of [`PAGE_BYTES`].
    pub limits: Limits,
}

/// Bytes of a Wasm page.
pub const PAGE_BYTES: u64 = 65536;
/// The most pages a 32-bit memory can have.
pub const MAX_PAGES: u64 = 65536;

/// A global's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    /// The type of its value.
    pub content: ValType,
    /// Whether it can be written.
    pub mutable: bool,
}

/// The type of what a module imports or exports, functions by their type's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntityType {
    /// A function.
    Func(TypeIndex),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
    /// A global.
    Global(GlobalType),
}

/// The type of what a module imports or exports, on its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExternType {
    /// A function.
    Func(FuncType),
    /// A table.
    Table(TableType),
    /// A memory.
    Memory(MemoryType),
    /// A global.
    Global(GlobalType),
}

/// As error messages show it.
impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = |f: &mut fmt::Formatter<'_>, limits: &Limits| match limits.max {
            Some(max) => write!(f, "{}..={max}", limits.min),
            None => write!(f, "{}..", limits.min),
        };
        match self {
            ExternType::Func(ty) => write!(f, "func {ty}"),
            ExternType::Table(ty) => {
                write!(f, "table of {} with ", ty.element)?;
                limits(f, &ty.limits)?;
                f.write_str(" elements")
            }
            ExternType::Memory(ty) => {
                f.write_str("memory of ")?;
                limits(f, &ty.limits)?;
                f.write_str(" pages")
            }
            ExternType::Global(ty) => {
                write!(f, "{} global of {}", if ty.mutable { "mutable" } else { "immutable" }, ty.content)
            }
        }
    }
}

/// An import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The first half of its name.
    pub module: String,
    /// The second half.
    pub name: String,
    /// What is asked for.
    pub ty: EntityType,
}

/// What an export stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntityIndex {
    /// A function.
    Func(FuncIndex),
    /// A table.
    Table(TableIndex),
    /// A memory.
    Memory(MemoryIndex),
    /// A global.
    Global(GlobalIndex),
}

/// An export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub index: EntityIndex,
}

/// An instruction of a constant expression; with more than one, they run on a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ConstOp {
    I32Const(i32),
    I64Const(i64),
    F32Const(u32),
    F64Const(u64),
    V128Const([u8; 16]),
    RefNull(HeapType),
    RefFunc(FuncIndex),
    RefI31,
    GlobalGet(GlobalIndex),
    I32Add,
    I32Sub,
    I32Mul,
    I64Add,
    I64Sub,
    I64Mul,
}

/// A constant expression (specification section 3.3.10), without its `end`.
pub type ConstExpr = Box<[ConstOp]>;

/// When a segment is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentMode<Target> {
    /// By an instruction.
    Passive,
    /// At instantiation, to this offset of the target.
    Active(Target, ConstExpr),
    /// Never; it only declares functions that `ref.func` may name.
    Declared,
}

/// The references of an element segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ElementItems {
    /// Functions.
    Funcs(Box<[FuncIndex]>),
    /// One expression each.
    Exprs(Box<[ConstExpr]>),
}

impl ElementItems {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            ElementItems::Funcs(items) => items.len(),
            ElementItems::Exprs(items) => items.len(),
        }
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An element segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementSegment {
    /// When it is copied.
    pub mode: SegmentMode<TableIndex>,
    /// The type of its references.
    pub element: RefType,
    /// The references.
    pub items: ElementItems,
}

/// A data segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSegment {
    /// When it is copied.
    pub mode: SegmentMode<MemoryIndex>,
    /// Its bytes, as a range of the binary.
    pub bytes: Range<usize>,
}

/// The body of a function defined in the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FuncBody {
    /// Which function.
    pub func: DefinedFuncIndex,
    /// The body (local declarations and code, through its `end`), as a range of the binary.
    pub bytes: Range<usize>,
}
