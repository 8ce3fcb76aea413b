//! What a module says, after validation.

use super::body::unreadable;
use super::defined::DefinedType;
use super::elements::TableImages;
use super::hints::BranchHint;
use super::legacy::Tries;
use super::types::{
    ArrayType, ConstExpr, DataSegment, ElementSegment, EntityIndex, EntityType, Export, ExternType, FuncBody, FuncType,
    GlobalType, HeapType, Import, MemoryType, RefType, StructType, TableType, ValType,
};
use crate::base::{
    DataIndex, DefinedFuncIndex, ElemIndex, FuncIndex, GlobalIndex, LocalIndex, MemoryIndex, Result, TableIndex,
    TagIndex, TypeIndex, WasmOffset,
};
use std::collections::HashMap;
use std::ops::Range;
use wasmparser::{BinaryReader, FunctionBody};

/// The most locals that a function may have, parameters included: validation allows no more.
const MAX_LOCALS: usize = 50_000;

/// A validated module's contents. Vectors are in index-space order, imports first.
#[derive(Debug, Default)]
pub struct ModuleInfo {
    /// The types of the type section.
    pub types: Vec<DefinedType>,
    /// The imports, in order.
    pub imports: Vec<Import>,
    /// The type of each function.
    pub funcs: Vec<TypeIndex>,
    /// The type of each table.
    pub tables: Vec<TableType>,
    /// The type of each memory.
    pub memories: Vec<MemoryType>,
    /// The type of each global.
    pub globals: Vec<GlobalType>,
    /// The type of each tag.
    pub tags: Vec<TypeIndex>,
    /// What the tables defined here are filled with, where that is not null.
    pub table_inits: Vec<Option<ConstExpr>>,
    /// The initial values of the globals defined here.
    pub global_inits: Vec<ConstExpr>,
    /// The exports, in order. Names are unique.
    pub exports: Vec<Export>,
    /// The start function.
    pub start: Option<FuncIndex>,
    /// The element segments.
    pub elements: Vec<ElementSegment>,
    /// What active element segments make of tables.
    pub table_images: TableImages,
    /// The data segments.
    pub data: Vec<DataSegment>,
    /// The bodies of the functions defined here.
    pub bodies: Vec<FuncBody>,
    /// The start of the code section's contents, from which DWARF counts its addresses.
    pub code_start: WasmOffset,
    /// The custom sections: name and contents, as a range of the binary.
    pub custom: Vec<(String, Range<usize>)>,
    /// What the `name` section says.
    pub names: Names,
    /// Which way branches mostly go, by offset.
    pub branch_hints: Vec<BranchHint>,
    /// Whether bodies may have exceptions as they were before `try_table`.
    pub legacy_exceptions: bool,
    /// Imported functions.
    pub imported_funcs: u32,
    /// Imported tables.
    pub imported_tables: u32,
    /// Imported memories.
    pub imported_memories: u32,
    /// Imported globals.
    pub imported_globals: u32,
    /// Imported tags.
    pub imported_tags: u32,
    /// Position of each export by its name.
    pub(super) export_names: HashMap<String, usize>,
}

/// The contents of the `name` section (specification appendix 7.4.1). A damaged section gives what could be read.
#[derive(Debug, Default)]
pub struct Names {
    /// The module's name.
    pub module: Option<String>,
    /// Functions' names.
    pub funcs: HashMap<FuncIndex, String>,
    /// Locals' names, by function.
    pub locals: HashMap<FuncIndex, HashMap<LocalIndex, String>>,
    /// Tables' names.
    pub tables: HashMap<TableIndex, String>,
    /// Memories' names.
    pub memories: HashMap<MemoryIndex, String>,
    /// Globals' names.
    pub globals: HashMap<GlobalIndex, String>,
    /// Element segments' names.
    pub elements: HashMap<ElemIndex, String>,
    /// Data segments' names.
    pub data: HashMap<DataIndex, String>,
    /// Tags' names.
    pub tags: HashMap<TagIndex, String>,
}

impl ModuleInfo {
    /// What it imports, in order: module, name, type.
    pub fn import_types(&self) -> impl ExactSizeIterator<Item = (&str, &str, ExternType)> {
        self.imports.iter().map(|import| (&*import.module, &*import.name, self.extern_type(import.ty)))
    }

    /// The type of a function.
    pub fn func_type(&self, func: FuncIndex) -> &FuncType {
        self.func_type_at(self.funcs[func.index()].get()).expect("validation has seen that it is one")
    }

    /// The function type of this index; `None` where there is another type, or none.
    pub fn func_type_at(&self, index: u32) -> Option<&FuncType> {
        self.types.get(index as usize)?.as_func()
    }

    /// The type of structures of this index; `None` where there is another type, or none.
    pub fn struct_type_at(&self, index: u32) -> Option<&StructType> {
        self.types.get(index as usize)?.as_struct()
    }

    /// The type of arrays of this index; `None` where there is another type, or none.
    pub fn array_type_at(&self, index: u32) -> Option<&ArrayType> {
        self.types.get(index as usize)?.as_array()
    }

    /// A value type of the binary; `None` for those of proposals that Stepwell does not have.
    pub fn val_type(&self, ty: wasmparser::ValType) -> Option<ValType> {
        Some(match ty {
            wasmparser::ValType::I32 => ValType::I32,
            wasmparser::ValType::I64 => ValType::I64,
            wasmparser::ValType::F32 => ValType::F32,
            wasmparser::ValType::F64 => ValType::F64,
            wasmparser::ValType::V128 => ValType::V128,
            wasmparser::ValType::Ref(ty) => ValType::Ref(self.ref_type(ty)?),
        })
    }

    /// The same of a reference type.
    pub fn ref_type(&self, ty: wasmparser::RefType) -> Option<RefType> {
        Some(RefType { heap: self.heap_type(ty.heap_type())?, nullable: ty.is_nullable() })
    }

    /// The same of what a reference refers to.
    pub fn heap_type(&self, ty: wasmparser::HeapType) -> Option<HeapType> {
        use wasmparser::AbstractHeapType as Abstract;
        match ty {
            wasmparser::HeapType::Abstract { shared: false, ty } => match ty {
                Abstract::Func => Some(HeapType::Func),
                Abstract::NoFunc => Some(HeapType::NoFunc),
                Abstract::Extern => Some(HeapType::Extern),
                Abstract::NoExtern => Some(HeapType::NoExtern),
                Abstract::Exn => Some(HeapType::Exn),
                Abstract::NoExn => Some(HeapType::NoExn),
                Abstract::Any => Some(HeapType::Any),
                Abstract::Eq => Some(HeapType::Eq),
                Abstract::I31 => Some(HeapType::I31),
                Abstract::Struct => Some(HeapType::Struct),
                Abstract::Array => Some(HeapType::Array),
                Abstract::None => Some(HeapType::None),
                _ => None,
            },
            wasmparser::HeapType::Concrete(index) => Some(self.types.get(index.as_module_index()? as usize)?.heap()),
            _ => None,
        }
    }

    /// The index of a function defined here, or `None` for an import.
    pub fn defined(&self, func: FuncIndex) -> Option<DefinedFuncIndex> {
        Some(DefinedFuncIndex::new(func.get().checked_sub(self.imported_funcs)?))
    }

    /// The function a defined index stands for.
    pub fn func_index(&self, func: DefinedFuncIndex) -> FuncIndex {
        FuncIndex::new(func.get() + self.imported_funcs)
    }

    /// The export of this name.
    pub fn export(&self, name: &str) -> Option<&Export> {
        Some(&self.exports[*self.export_names.get(name)?])
    }

    /// The type of an import or export, on its own.
    pub fn extern_type(&self, ty: EntityType) -> ExternType {
        let func = |index: TypeIndex| FuncType::of_defined(&self.types[index.index()]).unwrap_or_default();
        match ty {
            EntityType::Func(index) => ExternType::Func(func(index)),
            EntityType::Table(ty) => ExternType::Table(ty),
            EntityType::Memory(ty) => ExternType::Memory(ty),
            EntityType::Global(ty) => ExternType::Global(ty),
            EntityType::Tag(index) => ExternType::Tag(func(index)),
        }
    }

    /// The type of an entity.
    pub fn entity_type(&self, index: EntityIndex) -> EntityType {
        match index {
            EntityIndex::Func(i) => EntityType::Func(self.funcs[i.index()]),
            EntityIndex::Table(i) => EntityType::Table(self.table(i)),
            EntityIndex::Memory(i) => EntityType::Memory(self.memory(i)),
            EntityIndex::Global(i) => EntityType::Global(self.global(i)),
            EntityIndex::Tag(i) => EntityType::Tag(self.tags[i.index()]),
        }
    }

    /// The type of a table.
    pub fn table(&self, index: TableIndex) -> TableType {
        self.tables[index.index()]
    }

    /// The type of a memory.
    pub fn memory(&self, index: MemoryIndex) -> MemoryType {
        self.memories[index.index()]
    }

    /// The type of a global.
    pub fn global(&self, index: GlobalIndex) -> GlobalType {
        self.globals[index.index()]
    }

    /// What exceptions of a tag carry.
    pub fn tag_values(&self, tag: TagIndex) -> &[ValType] {
        self.func_type_at(self.tags[tag.index()].get()).map_or(&[], |ty| &ty.params)
    }

    /// A tag's name: of the name section, else of its first export.
    pub fn tag_name(&self, tag: TagIndex) -> Option<&str> {
        if let Some(name) = self.names.tags.get(&tag) {
            return Some(name);
        }
        self.exports.iter().find(|export| export.index == EntityIndex::Tag(tag)).map(|export| export.name.as_str())
    }

    /// A function's name: of the name section, else of its first export.
    pub fn func_name(&self, func: FuncIndex) -> Option<&str> {
        if let Some(name) = self.names.funcs.get(&func) {
            return Some(name);
        }
        self.exports.iter().find(|export| export.index == EntityIndex::Func(func)).map(|export| export.name.as_str())
    }

    /// The function of this name: an export's, else one of the name section (the lowest index, if several have it).
    pub fn func_named(&self, name: &str) -> Option<FuncIndex> {
        if let Some(Export { index: EntityIndex::Func(func), .. }) = self.export(name) {
            return Some(*func);
        }
        self.names.funcs.iter().filter(|(_, known)| known.as_str() == name).map(|(func, _)| *func).min()
    }

    /// The imported function of this name: as [`ModuleInfo::func_named`], or as it is imported, by both halves with a
    /// dot between, or the second alone (the lowest index, if several have it).
    pub fn imported_func_named(&self, name: &str) -> Option<FuncIndex> {
        let is_import = |func: &FuncIndex| self.defined(*func).is_none();
        self.func_named(name).filter(is_import).or_else(|| {
            let funcs = self.imports.iter().filter(|import| matches!(import.ty, EntityType::Func(_)));
            let is_named = |import: &Import| {
                let both = name.strip_prefix(import.module.as_str()).and_then(|rest| rest.strip_prefix('.'));
                import.name == name || both == Some(&import.name)
            };
            funcs.enumerate().find(|(_, import)| is_named(import)).map(|(index, _)| FuncIndex::from_usize(index))
        })
    }

    /// The body of a function defined here, from the module's binary.
    ///
    /// # Errors
    /// [`ErrorKind::Panic`](crate::base::ErrorKind::Panic) for a fault of our own.
    pub fn body<'a>(&self, func: DefinedFuncIndex, binary: &'a [u8]) -> Result<FunctionBody<'a>> {
        let range = self.bodies.get(func.index()).ok_or_else(|| unreadable("no such body"))?.bytes.clone();
        let start = range.start as u64;
        let bytes = binary.get(range).ok_or_else(|| unreadable("it lies outside its binary"))?;
        Ok(FunctionBody::new(BinaryReader::new(bytes, start)))
    }

    /// What the `try`s of a body of this module do.
    ///
    /// # Errors
    /// [`ErrorKind::Panic`](crate::base::ErrorKind::Panic) for a fault of our own, or a body that was not validated.
    pub fn tries(&self, body: &FunctionBody<'_>) -> Result<Tries> {
        if self.legacy_exceptions { Tries::of(body) } else { Ok(Tries::default()) }
    }

    /// How many of the locals of a function's frame, the last ones, it does not declare: there clauses keep their
    /// exceptions.
    pub fn kept_count(&self, func: DefinedFuncIndex, binary: &[u8]) -> u32 {
        let tries = self.body(func, binary).and_then(|body| self.tries(&body));
        tries.map_or(0, |tries| tries.kept())
    }

    /// The locals of a function defined here, parameters first, from its body in `binary`, as they stand in slots. Of a
    /// body that was not validated, as many as a valid one may have.
    pub fn locals(&self, func: DefinedFuncIndex, binary: &[u8]) -> Vec<ValType> {
        let mut locals = self.declared_locals(func, binary);
        locals.iter_mut().for_each(|ty| *ty = ty.in_slots());
        locals
    }

    /// The same, of the types that are declared.
    pub fn declared_locals(&self, func: DefinedFuncIndex, binary: &[u8]) -> Vec<ValType> {
        let mut locals: Vec<ValType> = self.func_type(self.func_index(func)).params.to_vec();
        for (count, ty) in self.local_groups(func, binary) {
            let room = MAX_LOCALS.saturating_sub(locals.len());
            locals.extend(std::iter::repeat_n(ty, room.min(count as usize)));
        }
        locals
    }

    /// The same, and behind them those that it does not declare, which its frame has as well.
    pub fn frame_locals(&self, func: DefinedFuncIndex, binary: &[u8]) -> Vec<ValType> {
        let mut locals = self.locals(func, binary);
        locals.extend(std::iter::repeat_n(ValType::EXNREF.in_slots(), self.kept_count(func, binary) as usize));
        locals
    }

    /// How many locals a function defined here has, parameters included. Nothing is set aside for them.
    pub fn locals_count(&self, func: DefinedFuncIndex, binary: &[u8]) -> u64 {
        let params = self.func_type(self.func_index(func)).params.len() as u64;
        self.local_groups(func, binary).fold(params, |sum, (count, _)| sum.saturating_add(u64::from(count)))
    }

    fn local_groups(&self, func: DefinedFuncIndex, binary: &[u8]) -> impl Iterator<Item = (u32, ValType)> {
        let groups = self.body(func, binary).ok().and_then(|body| body.get_locals_reader().ok());
        let groups = groups.into_iter().flat_map(|groups| groups.into_iter().flatten());
        groups.filter_map(|(count, ty)| Some((count, self.val_type(ty)?)))
    }
}
