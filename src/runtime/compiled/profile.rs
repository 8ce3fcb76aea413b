//! Making machine code known outside: to profilers, by the files they read, and to debuggers of the process, by an
//! interface of their own. Whatever an engine maps passes by here once for each mapping, with the names of its
//! functions; what is made of that is decided by the configuration. An engine that tells nobody pays one comparison.

use crate::base::{FuncIndex, Pc, Result, is_unseen};
use crate::code::{FixedCode, Registration, StoreCode};
use crate::image::{ImageTables, Tier, native_object};
use crate::runtime::compiled::config::Config;
use crate::sys::native_debug::Registered;
use crate::sys::profile::{self, Profiler, Symbol};
use crate::wasm::{FuncType, ModuleInfo};

/// To whom an engine's code is told.
#[derive(Debug)]
pub(in crate::runtime) struct Publisher {
    profiler: Profiler,
    native_debug: bool,
}

/// A function of a mapping.
struct Function {
    name: String,
    at: usize,
    len: usize,
}

impl Publisher {
    /// What the configuration asks for. The files are there when this returns.
    pub(in crate::runtime) fn new(config: &Config) -> Result<Publisher> {
        profile::open(config.profiler)?;
        Ok(Publisher { profiler: config.profiler, native_debug: config.native_debug_info })
    }

    /// Whether anybody is told.
    pub(in crate::runtime) fn listens(&self) -> bool {
        self.native_debug || self.profiler != Profiler::None
    }

    /// Tells of a module's code in a store.
    pub(in crate::runtime) fn tell(
        &self,
        module: &ModuleInfo,
        tables: &ImageTables,
        code: &StoreCode,
    ) -> Option<Registration> {
        if !self.listens() || code.text_len() == 0 {
            return None;
        }
        let text = code.bytes();
        self.tell_functions(code.base(), text, functions(module, tables, text.len()))
    }

    /// Tells of a trampoline.
    pub(in crate::runtime) fn tell_trampoline(
        &self,
        code: &FixedCode,
        direction: &str,
        ty: &FuncType,
    ) -> Option<Registration> {
        if !self.listens() {
            return None;
        }
        let name = format!("wasm-trampoline {direction} {ty}");
        let bytes = code.bytes();
        self.tell_functions(code.entry(), bytes, vec![Function { name, at: 0, len: bytes.len() }])
    }

    fn tell_functions(&self, base: Pc, text: &[u8], functions: Vec<Function>) -> Option<Registration> {
        let symbols: Vec<Symbol<'_>> = functions
            .iter()
            .filter_map(|function| {
                let code = text.get(function.at..function.at + function.len)?;
                Some(Symbol { name: &function.name, address: base.get() + function.at, code })
            })
            .collect();
        // A profile is not worth a guest: the file could be written when the engine was made.
        let _ = profile::write(self.profiler, &symbols);
        self.native_debug.then(|| {
            let functions: Vec<_> = functions.iter().map(|row| (row.name.as_str(), row.at..row.at + row.len)).collect();
            Box::new(Registered::new(native_object(base.get() as u64, text, &functions))) as Registration
        })
    }
}

/// The functions of a module's image.
fn functions(module: &ModuleInfo, tables: &ImageTables, text_len: usize) -> Vec<Function> {
    let first = module.func_index(tables.first).get();
    let row = |(i, row): (usize, &crate::image::FunctionEntry)| Function {
        name: name(module, FuncIndex::new(first + i as u32)),
        at: row.start.index(),
        len: row.len as usize,
    };
    let mut functions: Vec<Function> = tables.functions.iter().enumerate().map(row).collect();
    if let (Tier::Debug, Some(stub)) = (tables.tier, tables.stop_stub) {
        functions.push(Function { name: "wasm-stop-stub".to_owned(), at: stub.index(), len: text_len - stub.index() });
    }
    functions
}

/// What a function is called: as the name section says, else by its number. It has no control characters, which would
/// end a line or a string.
fn name(module: &ModuleInfo, func: FuncIndex) -> String {
    let name = match module.names.funcs.get(&func) {
        Some(name) if !name.is_empty() => name.clone(),
        _ => format!("{}!wasm-function[{func}]", module.names.module.as_deref().unwrap_or("wasm")),
    };
    if name.contains(is_unseen) { name.replace(is_unseen, "?") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{Answer, Engine, Event, EventSink, Instance, Module, Store};
    use crate::sys::native_debug::listed;
    use std::sync::Arc;

    struct Quiet;

    impl EventSink for Quiet {
        type State = ();
        fn on_event(&self, _: &mut crate::runtime::Told<'_, ()>, _: &Event<'_>) -> Result<Answer> {
            Ok(Answer::GoOn)
        }
    }

    #[test]
    fn what_is_unmapped_is_taken_back() {
        let engine = Engine::new(Config { debug: true, native_debug_info: true, ..Config::default() }).unwrap();
        let binary = wat::parse_str(r#"(module (func (export "f")))"#).unwrap();
        let module = Module::new(&engine, &binary).unwrap();
        let empty = Module::new(&engine, &wat::parse_str("(module)").unwrap()).unwrap();
        assert_eq!(listed(), 0);
        let store = || {
            let mut store = Store::new(&engine);
            Instance::new(&mut store, &empty, &[]).unwrap();
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            instance.typed_func::<(), ()>(&mut store, "f").unwrap().call(&mut store, ()).unwrap();
            store
        };
        // The production text, which is shared, and a trampoline.
        let mut stores = [store(), store(), store()];
        assert_eq!(listed(), 2);
        for (attached, store) in stores.iter_mut().enumerate() {
            store.attach(Arc::new(Quiet), ()).unwrap();
            // The stub is a text too.
            assert_eq!(listed(), 2 + 2 * (attached + 1), "a private text for each module");
        }
        stores[1].detach().unwrap();
        assert_eq!(listed(), 6);
        drop(stores);
        assert_eq!(listed(), 2);
        drop((module, empty));
        assert_eq!(listed(), 1);
        drop(engine);
        assert_eq!(listed(), 0);
    }
}
