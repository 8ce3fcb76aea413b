//! From bytes to a validated [`ModuleInfo`]. wasmparser decides what is valid, with exactly the enabled features.

use super::defined::{Composite, DefinedType, Definition, in_group};
use super::elements::TableImages;
use super::features::{Features, everything, proposal_name};
use super::hints;
use super::js_limits;
use super::limits::{self, Arities, ImportNames, Measured};
use super::module::ModuleInfo;
use super::types::{
    ArrayType, ConstExpr, ConstOp, DataSegment, ElementItems, ElementSegment, EntityIndex, EntityType, Export,
    FieldType, FuncBody, FuncType, GlobalType, Import, IndexType, Limits, MemoryType, PageSize, RefType, SegmentMode,
    StorageType, StructType, TableType, ValType,
};
use crate::base::{
    Defined, DefinedFuncIndex, DefinedKind, Error, ErrorKind, Escaped, Foreign, FuncIndex, GlobalIndex, HeapType,
    MemoryIndex, Result, TableIndex, TagIndex, TypeIndex, WasmOffset,
};
use rayon::prelude::*;
use smallvec::SmallVec;
use std::ops::Range;
use wasmparser::CompositeInnerType as Inner;
use wasmparser::{
    DataKind, ElementKind, ExternalKind, FuncToValidate, FunctionBody, Operator, Parser, Payload, TypeRef,
    ValidPayload, Validator, ValidatorResources,
};

/// What a Wasm binary begins with, and how long that is together with its version.
const MAGIC: [u8; 4] = *b"\0asm";
const HEADER_BYTES: usize = 8;

/// Parses and validates `binary` with exactly `features`; with `parallel`, function bodies are validated on several
/// threads: those of the pool that the caller runs in, if it runs in one.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for a proposal that is not there or is switched off, naming it;
/// [`ErrorKind::Limit`] for a module beyond a limit, naming it; [`ErrorKind::InvalidModule`] for anything else; all
/// with the offset of the fault.
pub fn parse(binary: &[u8], features: Features, parallel: bool) -> Result<ModuleInfo> {
    let (module, bodies) = parse_outside(binary, features)?;
    let arities = Arities { types: &module.types, funcs: &module.funcs, tags: &module.tags };
    validate_bodies(&arities, bodies, parallel).map_err(|failure| explain(binary, features, failure))?;
    Ok(module)
}

/// Parses what [`parse`] has accepted with these features, or fewer, or what nobody will run: function bodies are not
/// validated.
///
/// # Errors
/// As [`parse`], for what is wrong outside function bodies.
pub fn parse_again(binary: &[u8], features: Features) -> Result<ModuleInfo> {
    Ok(parse_outside(binary, features)?.0)
}

/// Function bodies that are to be validated.
type Bodies<'a> = Vec<(FuncToValidate<ValidatorResources>, FunctionBody<'a>)>;

/// Parses and validates all but the function bodies.
fn parse_outside(binary: &[u8], features: Features) -> Result<(ModuleInfo, Bodies<'_>)> {
    js_limits::check_size(binary)?;
    if Parser::is_component(binary) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "this is a component, not a module; Stepwell runs core modules only (proposal: component-model): build for \
             wasm32-wasip1 instead of wasm32-wasip2, or take the module out of the component (`wasm-tools component \
             unbundle`)",
        )
        .at(WasmOffset::new(4)));
    }
    if binary.len() < HEADER_BYTES || !binary.starts_with(&MAGIC) {
        let message = format!("this is no Wasm module; {}", Foreign(binary));
        return Err(Error::new(ErrorKind::InvalidModule, message).at(WasmOffset::new(0)));
    }
    let mut module = ModuleInfo { legacy_exceptions: features.legacy_exceptions, ..ModuleInfo::default() };
    let mut validator = Validator::new_with_features(features.to_wasmparser());
    let mut bodies = Vec::new();
    read(binary, &mut validator, &mut module, &mut bodies).map_err(|error| explain(binary, features, error))?;
    module.table_images = TableImages::new(&module);
    module.export_names = module.exports.iter().enumerate().map(|(i, export)| (export.name.clone(), i)).collect();
    Ok((module, bodies))
}

/// Why reading stopped.
enum Failure {
    /// wasmparser refused it.
    Wasm(wasmparser::Error),
    /// It is valid but beyond what Stepwell has.
    Ours(Error),
}

impl From<wasmparser::Error> for Failure {
    fn from(error: wasmparser::Error) -> Self {
        Failure::Wasm(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Ours(error)
    }
}

/// Turns wasmparser's refusal into an error that names the proposal, where one is behind it.
fn explain(binary: &[u8], features: Features, failure: Failure) -> Error {
    let error = match failure {
        Failure::Ours(error) => return error,
        Failure::Wasm(error) => error,
    };
    let offset = WasmOffset::new(u32::try_from(error.offset()).unwrap_or(u32::MAX));
    let unsupported = |name: String| {
        Error::new(ErrorKind::Unsupported, format!("{} (needs the proposal: {name})", Escaped(error.message())))
            .at(offset)
    };
    if let Some(flag) = error.missing_wasm_feature() {
        return unsupported(proposal_name(flag));
    }
    if let Some(limit) = js_limits::behind(error.message()) {
        return Error::new(ErrorKind::Limit, limit).at(offset);
    }
    // Some refusals carry no flag. If all features together accept the place, one of them is behind it:
    // the first whose absence from that set brings back an error at or before this place.
    let fails_at = |set| Validator::new_with_features(set).validate_all(binary).err().map(|e| e.offset());
    let moved = |at: Option<u64>| at.is_none_or(|at| at > error.offset());
    if moved(fails_at(everything())) {
        for flag in everything().difference(features.to_wasmparser()).iter() {
            if moved(fails_at(features.to_wasmparser() | flag)) {
                return unsupported(proposal_name(flag));
            }
        }
        for flag in everything().difference(features.to_wasmparser()).iter() {
            if !moved(fails_at(everything().difference(flag))) {
                return unsupported(proposal_name(flag));
            }
        }
    }
    Error::new(ErrorKind::InvalidModule, Escaped(error.message()).to_string()).at(offset)
}

/// Validates function bodies, and measures them; of several faults the first in the binary is reported.
fn validate_bodies<'a>(arities: &Arities<'_>, bodies: Bodies<'a>, parallel: bool) -> std::result::Result<(), Failure> {
    let validate = |(func, body): (FuncToValidate<ValidatorResources>, FunctionBody<'a>)| {
        let index = func.index;
        func.into_validator(Default::default()).validate(&body)?;
        let amount = limits::measure(arities, index, &body)?;
        Ok::<_, Failure>(Measured { func: index, body, amount })
    };
    let measured: Vec<_> = if parallel && bodies.len() > 16 && rayon::current_thread_index().is_some() {
        let results: Vec<_> = bodies.into_par_iter().map(validate).collect();
        results.into_iter().collect::<std::result::Result<_, _>>()?
    } else {
        bodies.into_iter().map(validate).collect::<std::result::Result<_, _>>()?
    };
    Ok(limits::check(arities, &measured)?)
}

fn our_type(module: &ModuleInfo, ty: wasmparser::ValType, at: u64) -> Result<ValType> {
    module.val_type(ty).ok_or_else(|| unsupported(&format!("the type {ty}"), "gc", at))
}

fn our_ref_type(module: &ModuleInfo, ty: wasmparser::RefType, at: u64) -> Result<RefType> {
    module.ref_type(ty).ok_or_else(|| unsupported(&format!("the type {ty}"), "gc", at))
}

/// The types of a group, which is the next of the module. Until they are known, they refer to each other by their
/// places.
fn define(module: &mut ModuleInfo, group: wasmparser::RecGroup, at: u64) -> Result<()> {
    let first = module.types.len() as u32;
    let definitions = {
        let kinds: Vec<_> = group.types().map(|ty| kind_of(ty, at)).collect::<Result<_>>()?;
        let place = |ty: wasmparser::RefType| {
            let index = match ty.heap_type() {
                wasmparser::HeapType::Concrete(index) => index.as_module_index()?,
                _ => return None,
            };
            let place = index.checked_sub(first)?;
            let heap = HeapType::Defined(Defined { kind: *kinds.get(place as usize)?, id: in_group(place) });
            Some(ValType::Ref(RefType { heap, nullable: ty.is_nullable() }))
        };
        let val_type = |ty: &wasmparser::ValType| match ty {
            wasmparser::ValType::Ref(reference) => place(*reference).map_or_else(|| our_type(module, *ty, at), Ok),
            _ => our_type(module, *ty, at),
        };
        let define = |ty: &wasmparser::SubType| {
            let list = |types: &[wasmparser::ValType]| types.iter().map(val_type).collect::<Result<Box<[ValType]>>>();
            let field = |field: &wasmparser::FieldType| {
                let storage = match &field.element_type {
                    wasmparser::StorageType::I8 => StorageType::I8,
                    wasmparser::StorageType::I16 => StorageType::I16,
                    wasmparser::StorageType::Val(ty) => StorageType::Val(val_type(ty)?),
                };
                Ok::<_, Error>(FieldType { storage, mutable: field.mutable })
            };
            let composite = match &ty.composite_type.inner {
                Inner::Func(func) => Composite::Func(FuncType::new(list(func.params())?, list(func.results())?)),
                Inner::Struct(ty) => {
                    Composite::Struct(StructType { fields: ty.fields.iter().map(field).collect::<Result<_>>()? })
                }
                Inner::Array(ty) => Composite::Array(ArrayType { element: field(&ty.0)? }),
                Inner::Cont(_) => return Err(no_kind(at)),
            };
            let above = ty.supertype_idxs.first().and_then(|index| index.unpack().as_module_index());
            let supertype = above.map(|index| match index.checked_sub(first) {
                Some(place) => in_group(place),
                None => module.types[index as usize].id(),
            });
            Ok(Definition { composite, is_final: ty.is_final, supertype })
        };
        group.types().map(define).collect::<Result<Vec<_>>>()?
    };
    module.types.extend(DefinedType::group(definitions)?);
    Ok(())
}

/// What kind of thing a type is.
fn kind_of(ty: &wasmparser::SubType, at: u64) -> Result<DefinedKind> {
    match &ty.composite_type.inner {
        Inner::Func(_) => Ok(DefinedKind::Func),
        Inner::Struct(_) => Ok(DefinedKind::Struct),
        Inner::Array(_) => Ok(DefinedKind::Array),
        Inner::Cont(_) => Err(no_kind(at)),
    }
}

/// The error for a type that is of no kind that Stepwell has.
fn no_kind(at: u64) -> Error {
    unsupported("a type of continuations", "stack-switching", at)
}

fn unsupported(what: &str, proposal: &str, at: u64) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{what} is not supported (needs the proposal: {proposal})"))
        .at(WasmOffset::new(at as u32))
}

fn table_type(module: &ModuleInfo, ty: &wasmparser::TableType, at: u64) -> Result<TableType> {
    if ty.shared {
        return Err(unsupported("a shared table", "shared-everything-threads", at));
    }
    Ok(TableType {
        element: our_ref_type(module, ty.element_type, at)?,
        index: IndexType::new(ty.table64),
        limits: Limits { min: ty.initial, max: ty.maximum },
    })
}

fn memory_type(ty: &wasmparser::MemoryType, at: u64) -> Result<MemoryType> {
    let page_size = match ty.page_size_log2 {
        None => PageSize::WASM,
        Some(log2) => {
            let refused = || unsupported(&format!("a page size of 2^{log2} bytes"), "custom-page-sizes", at);
            PageSize::from_log2(log2).ok_or_else(refused)?
        }
    };
    let limits = Limits { min: ty.initial, max: ty.maximum };
    Ok(MemoryType { index: IndexType::new(ty.memory64), page_size, shared: ty.shared, limits })
}

fn global_type(module: &ModuleInfo, ty: &wasmparser::GlobalType, at: u64) -> Result<GlobalType> {
    Ok(GlobalType { content: our_type(module, ty.content_type, at)?, mutable: ty.mutable })
}

fn const_expr(module: &ModuleInfo, expr: &wasmparser::ConstExpr<'_>) -> std::result::Result<ConstExpr, Failure> {
    // Most are short, and there may be millions.
    let mut ops = SmallVec::<[ConstOp; 4]>::new();
    let mut reader = expr.get_operators_reader();
    while !reader.eof() {
        let at = reader.original_position();
        let operator = reader.read()?;
        js_limits::check_operands(&operator, at)?;
        ops.push(match operator {
            Operator::I32Const { value } => ConstOp::I32Const(value),
            Operator::I64Const { value } => ConstOp::I64Const(value),
            Operator::F32Const { value } => ConstOp::F32Const(value.bits()),
            Operator::F64Const { value } => ConstOp::F64Const(value.bits()),
            Operator::V128Const { value } => ConstOp::V128Const(*value.bytes()),
            Operator::RefFunc { function_index } => ConstOp::RefFunc(FuncIndex::new(function_index)),
            Operator::GlobalGet { global_index } => ConstOp::GlobalGet(GlobalIndex::new(global_index)),
            Operator::RefNull { hty } => {
                let ty = module.heap_type(hty);
                ConstOp::RefNull(ty.ok_or_else(|| unsupported("this null reference", "gc", at))?)
            }
            Operator::RefI31 => ConstOp::RefI31,
            Operator::StructNew { struct_type_index } => ConstOp::StructNew(TypeIndex::new(struct_type_index)),
            Operator::StructNewDefault { struct_type_index } => {
                ConstOp::StructNewDefault(TypeIndex::new(struct_type_index))
            }
            Operator::ArrayNew { array_type_index } => ConstOp::ArrayNew(TypeIndex::new(array_type_index)),
            Operator::ArrayNewDefault { array_type_index } => {
                ConstOp::ArrayNewDefault(TypeIndex::new(array_type_index))
            }
            Operator::ArrayNewFixed { array_type_index, array_size } => {
                ConstOp::ArrayNewFixed(TypeIndex::new(array_type_index), array_size)
            }
            Operator::AnyConvertExtern => ConstOp::AnyConvertExtern,
            Operator::ExternConvertAny => ConstOp::ExternConvertAny,
            Operator::I32Add => ConstOp::I32Add,
            Operator::I32Sub => ConstOp::I32Sub,
            Operator::I32Mul => ConstOp::I32Mul,
            Operator::I64Add => ConstOp::I64Add,
            Operator::I64Sub => ConstOp::I64Sub,
            Operator::I64Mul => ConstOp::I64Mul,
            Operator::End => break,
            other => {
                return Err(unsupported(&format!("{other:?} in a constant expression"), "gc", at).into());
            }
        });
    }
    Ok(ops.as_slice().into())
}

fn range(range: Range<u64>) -> Range<usize> {
    range.start as usize..range.end as usize
}

/// Walks the sections, validating each and noting what it says.
fn read<'a>(
    binary: &'a [u8],
    validator: &mut Validator,
    module: &mut ModuleInfo,
    bodies: &mut Bodies<'a>,
) -> std::result::Result<(), Failure> {
    let mut parser = Parser::new(0);
    parser.set_features(*validator.features());
    let mut branch_hints = None;
    for payload in parser.parse_all(binary) {
        let payload = payload?;
        if let ValidPayload::Func(func, body) = validator.payload(&payload)? {
            let bytes = range(body.range());
            let index = DefinedFuncIndex::from_usize(module.bodies.len());
            module.bodies.push(FuncBody { func: index, bytes });
            bodies.push((func, body));
        }
        match payload {
            Payload::TypeSection(reader) => {
                for group in reader.into_iter_with_offsets() {
                    let (at, group) = group?;
                    define(module, group, at)?;
                }
            }
            Payload::ImportSection(reader) => {
                let mut names = ImportNames::of(binary);
                for import in reader.into_imports_with_offsets() {
                    let (at, import) = import?;
                    names.take(import.module, import.name, at)?;
                    let ty = match import.ty {
                        TypeRef::Func(index) => {
                            module.imported_funcs += 1;
                            module.funcs.push(TypeIndex::new(index));
                            EntityType::Func(TypeIndex::new(index))
                        }
                        TypeRef::Table(ty) => {
                            let ty = table_type(module, &ty, at)?;
                            module.imported_tables += 1;
                            module.tables.push(ty);
                            EntityType::Table(ty)
                        }
                        TypeRef::Memory(ty) => {
                            let ty = memory_type(&ty, at)?;
                            module.imported_memories += 1;
                            module.memories.push(ty);
                            EntityType::Memory(ty)
                        }
                        TypeRef::Global(ty) => {
                            let ty = global_type(module, &ty, at)?;
                            module.imported_globals += 1;
                            module.globals.push(ty);
                            EntityType::Global(ty)
                        }
                        TypeRef::Tag(ty) => {
                            module.imported_tags += 1;
                            module.tags.push(TypeIndex::new(ty.func_type_idx));
                            EntityType::Tag(TypeIndex::new(ty.func_type_idx))
                        }
                        TypeRef::FuncExact(_) => {
                            return Err(unsupported("this kind of import", "custom-descriptors", at).into());
                        }
                    };
                    module.imports.push(Import { module: import.module.to_owned(), name: import.name.to_owned(), ty });
                }
            }
            Payload::FunctionSection(reader) => {
                for ty in reader {
                    module.funcs.push(TypeIndex::new(ty?));
                }
            }
            Payload::TableSection(reader) => {
                for table in reader.into_iter_with_offsets() {
                    let (at, table) = table?;
                    module.table_inits.push(match &table.init {
                        wasmparser::TableInit::RefNull => None,
                        wasmparser::TableInit::Expr(init) => Some(const_expr(module, init)?),
                    });
                    module.tables.push(table_type(module, &table.ty, at)?);
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader.into_iter_with_offsets() {
                    let (at, memory) = memory?;
                    module.memories.push(memory_type(&memory, at)?);
                }
            }
            Payload::TagSection(reader) => {
                for tag in reader {
                    module.tags.push(TypeIndex::new(tag?.func_type_idx));
                }
            }
            Payload::GlobalSection(reader) => {
                for global in reader.into_iter_with_offsets() {
                    let (at, global) = global?;
                    module.globals.push(global_type(module, &global.ty, at)?);
                    module.global_inits.push(const_expr(module, &global.init_expr)?);
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader.into_iter_with_offsets() {
                    let (at, export) = export?;
                    let index = match export.kind {
                        ExternalKind::Func => EntityIndex::Func(FuncIndex::new(export.index)),
                        ExternalKind::Table => EntityIndex::Table(TableIndex::new(export.index)),
                        ExternalKind::Memory => EntityIndex::Memory(MemoryIndex::new(export.index)),
                        ExternalKind::Global => EntityIndex::Global(GlobalIndex::new(export.index)),
                        ExternalKind::Tag => EntityIndex::Tag(TagIndex::new(export.index)),
                        ExternalKind::FuncExact => {
                            return Err(unsupported("this kind of export", "custom-descriptors", at).into());
                        }
                    };
                    module.exports.push(Export { name: export.name.to_owned(), index });
                }
            }
            Payload::StartSection { func, .. } => module.start = Some(FuncIndex::new(func)),
            Payload::ElementSection(reader) => {
                for element in reader.into_iter_with_offsets() {
                    let (at, element) = element?;
                    let mode = match element.kind {
                        ElementKind::Passive => SegmentMode::Passive,
                        ElementKind::Declared => SegmentMode::Declared,
                        ElementKind::Active { table_index, offset_expr } => SegmentMode::Active(
                            TableIndex::new(table_index.unwrap_or(0)),
                            const_expr(module, &offset_expr)?,
                        ),
                    };
                    let (ty, items) = match element.items {
                        wasmparser::ElementItems::Functions(funcs) => {
                            let funcs = funcs
                                .into_iter()
                                .map(|func| Ok(FuncIndex::new(func?)))
                                .collect::<std::result::Result<Box<[_]>, Failure>>()?;
                            (RefType::FUNCREF, ElementItems::Funcs(funcs))
                        }
                        wasmparser::ElementItems::Expressions(ty, exprs) => {
                            let exprs = exprs
                                .into_iter()
                                .map(|expr| const_expr(module, &expr?))
                                .collect::<std::result::Result<Box<[_]>, Failure>>()?;
                            (our_ref_type(module, ty, at)?, ElementItems::Exprs(exprs))
                        }
                    };
                    module.elements.push(ElementSegment { mode, element: ty, items });
                }
            }
            Payload::DataSection(reader) => {
                for data in reader {
                    let data = data?;
                    let mode = match data.kind {
                        DataKind::Passive => SegmentMode::Passive,
                        DataKind::Active { memory_index, offset_expr } => {
                            SegmentMode::Active(MemoryIndex::new(memory_index), const_expr(module, &offset_expr)?)
                        }
                    };
                    let end = data.range.end as usize;
                    module.data.push(DataSegment { mode, bytes: end - data.data.len()..end });
                }
            }
            Payload::CodeSectionStart { unchecked_range, .. } => {
                module.code_start = WasmOffset::new(unchecked_range.start as u32);
            }
            Payload::CustomSection(section) => {
                let start = section.data_offset() as usize;
                module.custom.push((section.name().to_owned(), start..start + section.data().len()));
                if section.name() == "name" {
                    super::names::read(section.data(), &mut module.names);
                }
                // Behind the code it comes too late.
                if section.name() == hints::SECTION && module.code_start == WasmOffset::default() {
                    branch_hints = branch_hints.or(hints::read(section.data(), section.data_offset()));
                }
            }
            _ => {}
        }
    }
    module.branch_hints = branch_hints.map_or(Vec::new(), |raw| hints::resolve(module, &raw));
    Ok(())
}
