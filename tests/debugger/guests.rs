//! Guests by their text, and calls of their exports: what most of these tests begin with.

use stepwell::base::Error;
use stepwell::runtime::{AsStoreMut, Engine, Instance, Module, Val};

/// A module from its text.
pub fn module(engine: &Engine, text: &str) -> Module {
    Module::new(engine, &wat::parse_str(text).unwrap()).unwrap()
}

/// Calls an export: its results.
pub fn call(store: &mut impl AsStoreMut, instance: Instance, name: &str, args: &[Val]) -> Result<Vec<Val>, Error> {
    let func = instance.export(&mut *store, name).and_then(|item| item.func()).unwrap();
    let mut results = vec![Val::I32(0); func.ty(&*store)?.results.len()];
    func.call(&mut *store, args, &mut results)?;
    Ok(results)
}
