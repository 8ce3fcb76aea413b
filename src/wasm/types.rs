//! The types of WebAssembly (specification section 2.3), as the rooms above use them.

use super::defined::DefinedType;
use crate::base::{DefinedFuncIndex, FuncIndex, GlobalIndex, MemoryIndex, TableIndex, TagIndex, TypeIndex};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;

pub use crate::base::{HeapType, RefType, ValType};

/// A function's type. Two are equal where they take and return the same.
#[derive(Clone, Default)]
pub struct FuncType {
    /// The parameters.
    pub params: Box<[ValType]>,
    /// The results.
    pub results: Box<[ValType]>,
    defined: Option<DefinedType>,
}

impl FuncType {
    /// The type `params -> results`.
    pub fn new(params: impl IntoIterator<Item = ValType>, results: impl IntoIterator<Item = ValType>) -> Self {
        FuncType { params: params.into_iter().collect(), results: results.into_iter().collect(), defined: None }
    }

    /// Which one it is of those that look alike to who calls, if a module or a store has told the type: in a recursion
    /// group, or with types above it, types differ that take and return the same. Host functions and tags are of
    /// exactly that type, so that they fit where a module imports it. A type that was made anew stands alone, and is
    /// final.
    pub fn defined(&self) -> Option<&DefinedType> {
        self.defined.as_ref()
    }

    /// The function type that this defines, if it is one.
    pub(crate) fn of_defined(defined: &DefinedType) -> Option<FuncType> {
        Some(FuncType { defined: Some(defined.clone()), ..defined.as_func()?.clone() })
    }

    /// What it takes and returns.
    fn parts(&self) -> (&[ValType], &[ValType]) {
        (&self.params, &self.results)
    }
}

impl PartialEq for FuncType {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for FuncType {}

impl Hash for FuncType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl fmt::Debug for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FuncType").field("params", &self.params).field("results", &self.results).finish()
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

/// The type of what says a place in a memory or a table, and of their sizes there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IndexType {
    /// 32 bits.
    #[default]
    I32,
    /// 64 bits.
    I64,
}

impl IndexType {
    /// The type that has this many bits, as a module declares it.
    pub fn new(is_64: bool) -> IndexType {
        if is_64 { IndexType::I64 } else { IndexType::I32 }
    }

    /// Whether it has 64 bits.
    pub fn is_64(self) -> bool {
        self == IndexType::I64
    }

    /// The type of such values.
    pub fn val_type(self) -> ValType {
        if self.is_64() { ValType::I64 } else { ValType::I32 }
    }

    /// The place that a value says; of one of 32 bits nothing above those counts.
    pub fn place(self, value: i64) -> u64 {
        if self.is_64() { value as u64 } else { u64::from(value as u32) }
    }

    /// That of what two of these types have in common: of lengths that are copied between them.
    pub fn narrower(self, other: IndexType) -> IndexType {
        IndexType::new(self.is_64() && other.is_64())
    }
}

/// A table's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    /// The type of its elements.
    pub element: RefType,
    /// What says a place in it.
    pub index: IndexType,
    /// Its size, in elements.
    pub limits: Limits,
}

impl TableType {
    /// A table whose elements are counted in 32 bits.
    pub fn new(element: RefType, limits: Limits) -> TableType {
        TableType { element, index: IndexType::I32, limits }
    }
}

/// How large the pages of a memory are: 64 KiB, or, by the proposal custom-page-sizes, one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageSize {
    log2: u8,
}

impl PageSize {
    /// 64 KiB, as of every memory that does not say something else.
    pub const WASM: PageSize = PageSize { log2: 16 };
    /// One byte.
    pub const BYTE: PageSize = PageSize { log2: 0 };

    /// Pages of 2 to this power, if they are among those that the proposal allows.
    pub fn from_log2(log2: u32) -> Option<PageSize> {
        [PageSize::WASM, PageSize::BYTE].into_iter().find(|size| u32::from(size.log2) == log2)
    }

    /// The power of 2.
    pub fn log2(self) -> u32 {
        self.log2.into()
    }

    /// How many bytes a page has.
    pub fn bytes(self) -> u64 {
        1 << self.log2
    }
}

impl Default for PageSize {
    fn default() -> PageSize {
        PageSize::WASM
    }
}

/// A memory's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType {
    /// What says a place in it.
    pub index: IndexType,
    /// How large its pages are.
    pub page_size: PageSize,
    /// Whether several threads may use it at once, each with a store of its own. Then it has a largest size.
    pub shared: bool,
    /// Its size, in pages.
    pub limits: Limits,
}

impl MemoryType {
    /// A memory with addresses of 32 bits and pages of 64 KiB.
    pub fn new(limits: Limits) -> MemoryType {
        MemoryType { index: IndexType::I32, page_size: PageSize::WASM, shared: false, limits }
    }

    /// The most pages that any memory of this kind may have, by the specification.
    pub fn possible_pages(&self) -> u64 {
        match (self.index, self.page_size) {
            (IndexType::I32, PageSize::BYTE) => u64::from(u32::MAX),
            (IndexType::I64, PageSize::BYTE) => u64::MAX,
            (IndexType::I32, size) => 1 << (32 - size.log2()),
            (IndexType::I64, size) => 1 << (64 - size.log2()),
        }
    }

    /// The most pages that this one may have.
    pub fn most_pages(&self) -> u64 {
        self.limits.max.unwrap_or(u64::MAX).min(self.possible_pages())
    }

    /// How many bytes so many pages are; `None` where that is more than 64 bits tell.
    pub fn bytes(&self, pages: u64) -> Option<u64> {
        pages.checked_mul(self.page_size.bytes())
    }

    /// The most bytes that it may have; of one that may have 2^64, one less.
    pub fn most_bytes(&self) -> u64 {
        self.bytes(self.most_pages()).unwrap_or(u64::MAX)
    }

    /// The bytes that it has at least, ever.
    pub fn least_bytes(&self) -> u64 {
        self.bytes(self.limits.min).unwrap_or(u64::MAX)
    }
}

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
    /// A tag: the parameters are what its exceptions carry.
    Tag(TypeIndex),
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
    /// A tag: the parameters are what its exceptions carry.
    Tag(FuncType),
}

/// As error messages show it.
impl fmt::Display for ExternType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = |f: &mut fmt::Formatter<'_>, limits: &Limits| match limits.max {
            Some(max) => write!(f, "{}..={max}", limits.min),
            None => write!(f, "{}..", limits.min),
        };
        let wide = |index: IndexType| if index.is_64() { "64-bit " } else { "" };
        match self {
            ExternType::Func(ty) => write!(f, "func {ty}"),
            ExternType::Tag(ty) => write!(f, "tag {ty}"),
            ExternType::Table(ty) => {
                write!(f, "{}table of {} with ", wide(ty.index), ty.element)?;
                limits(f, &ty.limits)?;
                f.write_str(" elements")
            }
            ExternType::Memory(ty) => {
                write!(f, "{}{}memory of ", if ty.shared { "shared " } else { "" }, wide(ty.index))?;
                limits(f, &ty.limits)?;
                f.write_str(" pages")?;
                if ty.page_size == PageSize::BYTE { f.write_str(" of one byte") } else { Ok(()) }
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
    /// A tag.
    Tag(TagIndex),
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
    StructNew(TypeIndex),
    StructNewDefault(TypeIndex),
    ArrayNew(TypeIndex),
    ArrayNewDefault(TypeIndex),
    ArrayNewFixed(TypeIndex, u32),
    AnyConvertExtern,
    ExternConvertAny,
    GlobalGet(GlobalIndex),
    I32Add,
    I32Sub,
    I32Mul,
    I64Add,
    I64Sub,
    I64Mul,
}

impl ConstOp {
    /// What an operation on two integers makes of them, of 32 bits with their sign extended; `None` for anything else.
    pub(super) fn of_two(self, left: i64, right: i64) -> Option<i64> {
        Some(match self {
            ConstOp::I32Add => i64::from((left as i32).wrapping_add(right as i32)),
            ConstOp::I32Sub => i64::from((left as i32).wrapping_sub(right as i32)),
            ConstOp::I32Mul => i64::from((left as i32).wrapping_mul(right as i32)),
            ConstOp::I64Add => left.wrapping_add(right),
            ConstOp::I64Sub => left.wrapping_sub(right),
            ConstOp::I64Mul => left.wrapping_mul(right),
            _ => return None,
        })
    }

    /// Whether it makes something, another thing each time.
    pub fn makes(&self) -> bool {
        use ConstOp::{ArrayNew, ArrayNewDefault, ArrayNewFixed, StructNew, StructNewDefault};
        matches!(self, StructNew(_) | StructNewDefault(_) | ArrayNew(_) | ArrayNewDefault(_) | ArrayNewFixed(..))
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::Subtype;

    fn memory(index: IndexType, log2: u32, min: u64, max: Option<u64>) -> MemoryType {
        let page_size = PageSize::from_log2(log2).unwrap();
        MemoryType { index, page_size, shared: false, limits: Limits { min, max } }
    }

    #[test]
    fn sizes_of_memories() {
        use IndexType::{I32, I64};
        for (ty, possible, most) in [
            (memory(I32, 16, 0, None), 1 << 16, 1 << 32),
            (memory(I32, 16, 0, Some(2)), 1 << 16, 2 << 16),
            (memory(I64, 16, 0, None), 1 << 48, u64::MAX),
            (memory(I64, 16, 0, Some(1 << 47)), 1 << 48, 1 << 63),
            (memory(I32, 0, 0, None), u64::from(u32::MAX), u64::from(u32::MAX)),
            (memory(I64, 0, 0, None), u64::MAX, u64::MAX),
            (memory(I64, 0, 0, Some(5)), u64::MAX, 5),
        ] {
            assert_eq!((ty.possible_pages(), ty.most_bytes()), (possible, most), "{ty:?}");
        }
        assert_eq!(memory(I64, 16, 1 << 48, None).least_bytes(), u64::MAX);
        assert_eq!(memory(I64, 0, 7, None).least_bytes(), 7);
        assert!([1, 12, 15, 17, 64].into_iter().all(|log2| PageSize::from_log2(log2).is_none()));
        assert_eq!([I32, I64].map(|index| index.place(-1)), [u64::from(u32::MAX), u64::MAX]);
    }

    #[test]
    fn memories_and_tables_fit_those_of_their_kind() {
        use IndexType::{I32, I64};
        let kinds =
            [memory(I32, 16, 1, None), memory(I64, 16, 1, None), memory(I32, 0, 1, None), memory(I64, 0, 1, None)];
        for (i, given) in kinds.iter().enumerate() {
            for (j, wanted) in kinds.iter().enumerate() {
                assert_eq!(given.fits(wanted), i == j);
            }
        }
        let table = TableType::new(RefType::FUNCREF, Limits { min: 1, max: None });
        assert!(table.fits(&table) && !TableType { index: I64, ..table }.fits(&table));
        let shown = |ty: ExternType| ty.to_string();
        assert_eq!(shown(ExternType::Memory(kinds[0])), "memory of 1.. pages");
        assert_eq!(shown(ExternType::Memory(kinds[3])), "64-bit memory of 1.. pages of one byte");
        let shared = MemoryType { shared: true, limits: Limits { min: 1, max: Some(2) }, ..kinds[1] };
        assert!(shared.fits(&shared) && !MemoryType { shared: false, ..shared }.fits(&shared));
        assert!(!shared.fits(&MemoryType { shared: false, ..shared }));
        assert_eq!(shown(ExternType::Memory(shared)), "shared 64-bit memory of 1..=2 pages");
        assert_eq!(
            shown(ExternType::Table(TableType { index: I64, ..table })),
            "64-bit table of funcref with 1.. elements"
        );
    }
}
