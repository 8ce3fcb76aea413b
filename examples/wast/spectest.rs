//! The host module that the scripts import from.

use std::collections::HashMap;
use stepwell::base::Result;
use stepwell::runtime::{Extern, Func, Global, Memory, Store, Table, Val};
use stepwell::{FuncType, GlobalType, Limits, MemoryType, RefType, TableType, ValType};

/// The externs of `spectest`, made in `store`. Its functions print nothing.
pub fn externs(store: &mut Store) -> Result<HashMap<&'static str, Extern>> {
    use ValType::{F32, F64, I32, I64};
    let mut externs = HashMap::new();
    let prints: [(&str, &[ValType]); 7] = [
        ("print", &[]),
        ("print_i32", &[I32]),
        ("print_i64", &[I64]),
        ("print_f32", &[F32]),
        ("print_f64", &[F64]),
        ("print_i32_f32", &[I32, F32]),
        ("print_f64_f64", &[F64, F64]),
    ];
    for (name, params) in prints {
        let ty = FuncType::new(params.iter().copied(), []);
        externs.insert(name, Extern::Func(Func::new(&mut *store, ty, |_, _, _| Ok(()))?));
    }
    let globals = [
        ("global_i32", Val::I32(666)),
        ("global_i64", Val::I64(666)),
        ("global_f32", Val::F32(666.6f32.to_bits())),
        ("global_f64", Val::F64(666.6f64.to_bits())),
    ];
    for (name, value) in globals {
        let ty = GlobalType { content: value.ty(), mutable: false };
        externs.insert(name, Extern::Global(Global::new(&mut *store, ty, value)?));
    }
    let table = TableType::new(RefType::FUNCREF, Limits { min: 10, max: Some(20) });
    externs.insert("table", Extern::Table(Table::new(&mut *store, table, Val::FuncRef(None))?));
    let memory = MemoryType::new(Limits { min: 1, max: Some(2) });
    externs.insert("memory", Extern::Memory(Memory::new(&mut *store, memory)?));
    let shared = MemoryType { shared: true, ..memory };
    externs.insert("shared_memory", Extern::Memory(Memory::new(&mut *store, shared)?));
    Ok(externs)
}
