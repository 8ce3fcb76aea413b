//! A module whose instances are made again and again, in Stepwell and in another engine (wasmtime), there with and
//! without the allocator that keeps a pool of them. What is timed is written once, for all three.

use crate::Result;
use stepwell::runtime::{Config, Engine, Instance, InstancePre, Linker, Module, Store};

/// The most instances of the pool that are alive at once. Each takes address space, a little over 4 GiB.
const POOL: u32 = 10_100;

/// What `request` is called with: four pages from the first one on.
pub const REQUEST: (i32, i32) = (0, 4);

/// A module with its imports found, in one of the engines.
pub trait Side: Sync {
    /// A store with an instance in it.
    type Made: Send + 'static;

    /// A new store with an instance.
    fn make(&self) -> Result<Self::Made>;

    /// Calls an export that takes two numbers and returns one.
    fn call(&self, made: &mut Self::Made, name: &str, params: (i32, i32)) -> Result<i32>;

    /// One more instance beside another one of the module, of which `request` is called if so asked, and which is then
    /// given back: Stepwell collects what nothing holds; the other engine, which cannot, has it in a store of its own.
    fn again(&self, beside: &mut Self::Made, request: bool) -> Result<()>;
}

/// Stepwell.
pub struct Ours(InstancePre);

impl Ours {
    pub fn new(binary: &[u8]) -> Result<Ours> {
        let engine = Engine::new(Config::default())?;
        let module = Module::new(&engine, binary)?;
        let mut linker = Linker::new(&engine);
        linker.func_wrap("host", "log", |_: i32| {})?;
        Ok(Ours(linker.instantiate_pre(&module)?))
    }
}

impl Side for Ours {
    type Made = (Store, Instance);

    fn make(&self) -> Result<Self::Made> {
        let mut store = Store::new(self.0.module().engine());
        let instance = self.0.instantiate(&mut store)?;
        Ok((store, instance))
    }

    fn call(&self, (store, instance): &mut Self::Made, name: &str, params: (i32, i32)) -> Result<i32> {
        Ok(instance.typed_func::<(i32, i32), i32>(&mut *store, name)?.call(store, params)?)
    }

    fn again(&self, (store, instance): &mut Self::Made, request: bool) -> Result<()> {
        let another = self.0.instantiate(&mut *store)?;
        if request {
            another.typed_func::<(i32, i32), i32>(&mut *store, "request")?.call(&mut *store, REQUEST)?;
        }
        // SAFETY: of the objects of this store only the first instance is used on.
        drop(unsafe { store.collect([(*instance).into()]) }?);
        Ok(())
    }
}

/// The other engine.
pub struct Theirs {
    engine: wasmtime::Engine,
    pre: wasmtime::InstancePre<()>,
}

impl Theirs {
    pub fn new(binary: &[u8], pooled: bool) -> Result<Theirs> {
        let mut config = wasmtime::Config::new();
        config.collector(wasmtime::Collector::Null);
        if pooled {
            let mut pool = wasmtime::PoolingAllocationConfig::new();
            pool.total_core_instances(POOL).total_memories(POOL).total_tables(POOL);
            // What these modules do not use takes no room.
            pool.total_gc_heaps(1).total_stacks(1);
            config.allocation_strategy(wasmtime::InstanceAllocationStrategy::Pooling(pool));
        }
        let engine = wasmtime::Engine::new(&config)?;
        let module = wasmtime::Module::new(&engine, binary)?;
        let mut linker = wasmtime::Linker::new(&engine);
        linker.func_wrap("host", "log", |_: i32| {})?;
        Ok(Theirs { pre: linker.instantiate_pre(&module)?, engine })
    }
}

impl Side for Theirs {
    type Made = (wasmtime::Store<()>, wasmtime::Instance);

    fn make(&self) -> Result<Self::Made> {
        let mut store = wasmtime::Store::new(&self.engine, ());
        let instance = self.pre.instantiate(&mut store)?;
        Ok((store, instance))
    }

    fn call(&self, (store, instance): &mut Self::Made, name: &str, params: (i32, i32)) -> Result<i32> {
        Ok(instance.get_typed_func::<(i32, i32), i32>(&mut *store, name)?.call(store, params)?)
    }

    fn again(&self, _: &mut Self::Made, request: bool) -> Result<()> {
        let mut made = self.make()?;
        if request {
            self.call(&mut made, "request", REQUEST)?;
        }
        Ok(())
    }
}

/// All three.
pub struct Sides {
    pub ours: Ours,
    pub theirs: Theirs,
    pub pooled: Theirs,
}

impl Sides {
    pub fn new(binary: &[u8]) -> Result<Sides> {
        Ok(Sides { ours: Ours::new(binary)?, theirs: Theirs::new(binary, false)?, pooled: Theirs::new(binary, true)? })
    }
}
