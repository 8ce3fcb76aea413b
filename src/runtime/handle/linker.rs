//! Finding imports by name.

use crate::abi::ValRaw;
use crate::base::{Error, ErrorKind, Escaped, Result};
use crate::runtime::compiled::engine::Engine;
use crate::runtime::compiled::module::Module;
use crate::runtime::handle::host::{IntoFunc, MakeFunc, SharedHost};
use crate::runtime::objects::handles::{Extern, Func, Global, Instance, Memory, Table, Tag};
use crate::runtime::objects::host::HostOrigin;
use crate::runtime::objects::roots::Rooted;
use crate::runtime::objects::trap::Trap;
use crate::runtime::objects::values::Val;
use crate::runtime::store::views::{AsStore, AsStoreMut, Caller, StoreMut};
use crate::wasm::{ExternType, FuncType};
use std::collections::HashMap;
use std::sync::Arc;

/// What a name stands for.
#[derive(Clone)]
enum Definition {
    /// An object of one store, kept from collection where the store was in hand.
    Extern(Extern, Option<Arc<Rooted>>),
    /// A function of the host, made anew for each instance.
    Func(Arc<MakeFunc>),
}

/// Names and what they stand for, from which a module's imports are found. Host functions defined here are of no store;
/// other objects are of one, and a linker that has some instantiates in that store only.
#[derive(Clone)]
pub struct Linker {
    engine: Engine,
    modules: HashMap<String, HashMap<String, Definition>>,
    shadowing: bool,
    /// What to say of modules of which nothing is defined.
    absent: HashMap<String, String>,
}

impl std::fmt::Debug for Linker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linker").field("modules", &self.modules.keys()).finish_non_exhaustive()
    }
}

impl Linker {
    /// A linker without names.
    pub fn new(engine: &Engine) -> Linker {
        Linker { engine: engine.clone(), modules: HashMap::new(), shadowing: false, absent: HashMap::new() }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Says whether a name may be defined again. At first it may not.
    pub fn allow_shadowing(&mut self, allow: bool) -> &mut Linker {
        self.shadowing = allow;
        self
    }

    /// Says why names of a module are not defined, for the error of a module that imports one.
    pub fn explain_absence(&mut self, module: &str, why: &str) -> &mut Linker {
        self.absent.insert(module.to_owned(), why.to_owned());
        self
    }

    fn insert(&mut self, module: &str, name: &str, definition: Definition) -> Result<&mut Linker> {
        let names = match self.modules.get_mut(module) {
            Some(names) => names,
            None => self.modules.entry(module.to_owned()).or_default(),
        };
        if !self.shadowing && names.contains_key(name) {
            return Err(Error::new(
                ErrorKind::Argument,
                format!("\"{}\".\"{}\" is defined already", Escaped(module), Escaped(name)),
            ));
        }
        names.insert(name.to_owned(), definition);
        Ok(self)
    }

    /// Defines a name as an object of a store.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] where it is defined already, as in all methods that define.
    pub fn define(&mut self, module: &str, name: &str, item: impl Into<Extern>) -> Result<&mut Linker> {
        self.insert(module, name, Definition::Extern(item.into(), None))
    }

    /// As [`Linker::define`], and the object is kept from being collected
    /// ([`Store::collect`](crate::runtime::Store::collect)) as long as the linker has it.
    ///
    /// # Errors
    /// As [`Linker::define`], and with another store than the object's.
    pub fn define_in(
        &mut self,
        store: impl AsStore,
        module: &str,
        name: &str,
        item: impl Into<Extern>,
    ) -> Result<&mut Linker> {
        let item = item.into();
        let rooted = store.as_store().root(item)?;
        self.insert(module, name, Definition::Extern(item, Some(rooted.into())))
    }

    /// Keeps all objects of this store that it has from being collected, as [`Linker::define_in`] does.
    pub fn root(&mut self, store: impl AsStore) {
        let store = store.as_store();
        for definition in self.modules.values_mut().flat_map(HashMap::values_mut) {
            if let Definition::Extern(item, rooted @ None) = definition {
                // Objects of other stores are not this one's concern.
                *rooted = store.root(*item).ok().map(Arc::new);
            }
        }
    }

    /// Defines a name as a host function with Rust's types: see [`Func::wrap`].
    ///
    /// # Errors
    /// As [`Linker::define`].
    pub fn func_wrap<P, R>(&mut self, module: &str, name: &str, body: impl IntoFunc<P, R>) -> Result<&mut Linker> {
        self.insert(module, name, Definition::Func(body.share().into()))
    }

    /// Defines a name as a host function on checked values: see [`Func::new`].
    ///
    /// # Errors
    /// As [`Linker::define`].
    pub fn func_new(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        body: impl Fn(Caller<'_>, &[Val], &mut [Val]) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Linker> {
        let host = SharedHost::new(ty, body);
        let make = move |store: &mut StoreMut<'_>| host.checked(store);
        self.insert(module, name, Definition::Func(Arc::new(make)))
    }

    /// Defines a name as a host function on raw values: see [`Func::new_raw`].
    ///
    /// # Safety
    /// As there.
    ///
    /// # Errors
    /// As [`Linker::define`].
    pub unsafe fn func_new_raw(
        &mut self,
        module: &str,
        name: &str,
        ty: FuncType,
        body: impl Fn(Caller<'_>, *mut ValRaw) -> Result<()> + Send + Sync + 'static,
    ) -> Result<&mut Linker> {
        let host = SharedHost::new(ty, body);
        // SAFETY: handed on to the caller.
        let make = move |store: &mut StoreMut<'_>| unsafe { host.raw(store) };
        self.insert(module, name, Definition::Func(Arc::new(make)))
    }

    /// Says where the host function comes from that a name was defined as, in every store: see [`Func::set_origin`].
    pub fn set_origin(&mut self, module: &str, name: &str, origin: HostOrigin) {
        let defined = self.modules.get_mut(module).and_then(|names| names.get_mut(name));
        if let Some(Definition::Func(make)) = defined {
            let unnamed = make.clone();
            *make = Arc::new(move |store: &mut StoreMut<'_>| {
                let func = unnamed(store)?;
                func.set_origin(&mut *store, origin)?;
                Ok(func)
            });
        }
    }

    /// Defines all exports of an instance as names of `module`.
    ///
    /// # Errors
    /// As [`Linker::define`], and with another store than the instance's.
    pub fn instance(&mut self, mut store: impl AsStoreMut, module: &str, instance: Instance) -> Result<&mut Linker> {
        for (name, item) in instance.exports(&mut store)? {
            self.define_in(&store, module, &name, item)?;
        }
        Ok(self)
    }

    /// What a name stands for, in this store.
    ///
    /// # Errors
    /// Errors of making a host function.
    pub fn get(&self, mut store: impl AsStoreMut, module: &str, name: &str) -> Result<Option<Extern>> {
        match self.modules.get(module).and_then(|names| names.get(name)) {
            None => Ok(None),
            Some(Definition::Extern(item, _)) => Ok(Some(*item)),
            Some(Definition::Func(make)) => Ok(Some(make(&mut store.as_store_mut())?.into())),
        }
    }

    /// Instantiates a module with imports by their names, and runs its start function.
    ///
    /// # Errors
    /// [`ErrorKind::Link`] where a name is not defined, and as [`Instance::new`].
    pub fn instantiate(&self, store: impl AsStoreMut, module: &Module) -> Result<Instance> {
        self.instantiate_pre(module)?.instantiate(store)
    }

    /// Looks a module's imports up, once for many instances.
    ///
    /// # Errors
    /// [`ErrorKind::Link`] where a name is not defined; [`ErrorKind::Argument`] for a module of another engine.
    pub fn instantiate_pre(&self, module: &Module) -> Result<InstancePre> {
        self.check_engine(module)?;
        let find = |(from, name, ty)| {
            let found = self.modules.get(from).and_then(|names| names.get(name));
            found.cloned().ok_or_else(|| {
                let why = self.absent.get(from).map(|why| format!("; {why}")).unwrap_or_default();
                let message = format!(
                    "unknown import: \"{}\".\"{}\" is not defined; expected {}{why}",
                    Escaped(from),
                    Escaped(name),
                    ty
                );
                Error::new(ErrorKind::Link, message)
            })
        };
        let imports = module.imports().map(find).collect::<Result<_>>()?;
        Ok(InstancePre { module: module.clone(), imports })
    }

    /// Defines what the module imports and nobody has defined: functions that return zeros and nulls, zero globals,
    /// empty tables and memories of the least size.
    ///
    /// # Errors
    /// Errors of making them.
    pub fn fill_missing_with_defaults(&mut self, mut store: impl AsStoreMut, module: &Module) -> Result<()> {
        let mut store = store.as_store_mut();
        for (from, name, ty) in module.imports() {
            if self.modules.get(from).is_some_and(|names| names.contains_key(name)) {
                continue;
            }
            let item = default_extern(&mut store, ty)?;
            self.define_in(&store, from, name, item)?;
        }
        Ok(())
    }
}

impl Linker {
    /// Defines the functions that the module imports and nobody has defined, for every store: each traps when it is
    /// called, and says its name. Imports that are no functions are left as they are.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a module of another engine.
    pub fn define_unknown_imports_as_traps(&mut self, module: &Module) -> Result<()> {
        self.check_engine(module)?;
        for (from, name, ty) in module.imports() {
            let is_defined = self.modules.get(from).is_some_and(|names| names.contains_key(name));
            let ExternType::Func(ty) = ty else { continue };
            if is_defined {
                continue;
            }
            let message =
                format!("the import \"{}\".\"{}\" was called, which is not defined", Escaped(from), Escaped(name));
            self.func_new(from, name, ty, move |_, _, _| Err(Trap::new(message.as_str()).into()))?;
        }
        Ok(())
    }

    /// Defines a module's exports as names of `name`, as WASI has it for the two kinds of modules.
    ///
    /// A *command* exports a function `_start`. Its functions are defined, for every store: each call makes an instance
    /// of its own in the store that it comes from, calls the export there, and leaves the instance to be collected. Its
    /// imports are found now. Other exports of a command are no names, since there is no one instance that they could
    /// be of. A program's end by `proc_exit` ends the call of whoever called it, too.
    ///
    /// Everything else is a *reactor*: it is instantiated now, in `store`, its function `_initialize` is called, if it
    /// exports one, and all other exports are defined, as by [`Linker::instance`].
    ///
    /// # Errors
    /// As [`Linker::instantiate`] and [`Linker::define`]; those of the reactor's start function and `_initialize`;
    /// [`ErrorKind::Link`] where `_start` or `_initialize` is a function with parameters or results.
    pub fn module(&mut self, mut store: impl AsStoreMut, name: &str, module: &Module) -> Result<()> {
        let mut store = store.as_store_mut();
        let pre = self.instantiate_pre(module)?;
        let exports_func = |wanted: &str| {
            let found = module.exports().find(|(name, _)| *name == wanted);
            match found {
                Some((_, ExternType::Func(ty))) if ty.params.is_empty() && ty.results.is_empty() => Ok(true),
                Some((_, ExternType::Func(ty))) => Err(Error::new(
                    ErrorKind::Link,
                    format!("the module's function `{wanted}` is of type {ty}; WASI has it take and return nothing"),
                )),
                _ => Ok(false),
            }
        };
        if exports_func("_start")? {
            return self.command(name, &pre);
        }
        let initialize = exports_func("_initialize")?;
        let instance = pre.instantiate(&mut store)?;
        if initialize {
            instance.typed_func::<(), ()>(&mut store, "_initialize")?.call(&mut store, ())?;
        }
        for (export, item) in instance.exports(&mut store)? {
            if !(initialize && export == "_initialize") {
                self.define_in(&store, name, &export, item)?;
            }
        }
        Ok(())
    }

    /// Defines the functions of a command.
    fn command(&mut self, module: &str, pre: &InstancePre) -> Result<()> {
        for (name, ty) in pre.module.exports() {
            let ExternType::Func(ty) = ty else { continue };
            let (pre, export) = (pre.clone(), name.to_owned());
            self.func_new(module, name, ty, move |mut caller, params, results| {
                let instance = pre.instantiate(&mut caller)?;
                let Some(Extern::Func(func)) = instance.export(&mut caller, &export) else {
                    return Err(Error::new(ErrorKind::Link, format!("the function \"{}\" is gone", Escaped(&export))));
                };
                let outcome = func.call(&mut caller, params, results);
                // Nobody has a handle of the instance.
                caller.as_store().roots().note_garbage();
                outcome
            })?;
        }
        Ok(())
    }

    /// Refuses a module of another engine.
    fn check_engine(&self, module: &Module) -> Result<()> {
        if Engine::same(&self.engine, module.engine()) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Argument, "the module was compiled by another engine than the linker's"))
    }
}

/// A module with its imports found. What a [`Linker`] is told later does not change it.
#[derive(Clone)]
pub struct InstancePre {
    module: Module,
    imports: Vec<Definition>,
}

impl std::fmt::Debug for InstancePre {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InstancePre").field("module", &self.module).finish_non_exhaustive()
    }
}

impl InstancePre {
    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Makes an instance and runs its start function. Host functions that the linker defined are made anew in the
    /// store.
    ///
    /// # Errors
    /// As [`Instance::new`]; an import that is an object of another store is [`ErrorKind::Argument`].
    pub fn instantiate(&self, mut store: impl AsStoreMut) -> Result<Instance> {
        let mut store = store.as_store_mut();
        let mut imports = Vec::with_capacity(self.imports.len());
        for import in &self.imports {
            imports.push(match import {
                Definition::Extern(item, _) => *item,
                Definition::Func(make) => make(&mut store)?.into(),
            });
        }
        Instance::new(store, &self.module, &imports)
    }
}

/// The default object for an import: see
/// [`Linker::fill_missing_with_defaults`](crate::runtime::Linker::fill_missing_with_defaults).
fn default_extern(store: &mut StoreMut<'_>, ty: ExternType) -> Result<Extern> {
    Ok(match ty {
        // Results are preset to zero and null.
        ExternType::Func(ty) => Func::new(store, ty, |_, _, _| Ok(()))?.into(),
        ExternType::Global(ty) => Global::new(store, ty, Val::default_for(ty.content))?.into(),
        ExternType::Memory(ty) => Memory::new(store, ty)?.into(),
        ExternType::Tag(ty) => Tag::new(store, ty)?.into(),
        ExternType::Table(ty) => Table::new(store, ty, Val::null(ty.element.heap))?.into(),
    })
}
