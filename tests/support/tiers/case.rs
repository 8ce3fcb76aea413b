//! A case: modules, what they import, and the calls that are made; and a run of it.

use super::drive::{Drive, instructions, on_stop};
use super::mutate::{self, DEEPEST};
use super::random::Random;
use super::record::{Observation, Seen, hash_bytes, show, step};
use std::any::Any;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stepwell::base::{Error, ErrorKind, FuncIndex, GlobalIndex, MemoryIndex, TableIndex, WasmOffset};
use stepwell::debug::Debugger;
use stepwell::runtime::{
    AsStoreMut, Caller, Engine, Extern, Func, Global, Instance, Linker, Memory, Module, Store, Table, Trap, TrapCode,
    Val,
};
use stepwell::{ExternType, FuncType, StoreLimits};
use wasmparser::{BinaryReader, FunctionBody};

/// What is run.
#[derive(Clone, Default)]
pub struct Case {
    pub name: String,
    /// Modules in the order of their instantiation, by the name that later ones import from.
    pub modules: Vec<(String, Vec<u8>)>,
    /// The global of the last module that says how long it may go on, and how much it is given for each call.
    pub fuel: Option<(u32, i32)>,
    /// Calls of each exported function with arguments of their own.
    pub calls: usize,
    /// It is a program, and runs in this folder.
    pub program: Option<PathBuf>,
}

/// A frame's place.
pub type Place = (FuncIndex, WasmOffset);

/// What a run showed.
#[derive(Default)]
pub struct Run {
    /// In the order of their ends.
    pub stops: Vec<Seen>,
    /// Results, traps, the state in the end: one line each.
    pub log: Vec<String>,
    /// The stop from which on nothing is compared, because the stack was used up, which is not at the same depth
    /// everywhere.
    pub overflow: Option<usize>,
    /// The stops that were asked for in words.
    pub shown: Vec<String>,
    pub shown_at: Vec<Place>,
}

impl Run {
    /// A run that did not come to its end.
    pub fn panicked(panic: &(dyn Any + Send)) -> Run {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
        Run { log: vec![format!("panicked: {text}")], ..Run::default() }
    }

    fn first_stop(&self, other: &Run, same: impl Fn(&Seen, &Seen) -> bool) -> Option<usize> {
        let until = [self.overflow, other.overflow].into_iter().flatten().min();
        let cut = |run: &Run| run.stops.len().min(until.unwrap_or(usize::MAX));
        let (a, b) = (cut(self), cut(other));
        (0..a.min(b)).find(|i| !same(&self.stops[*i], &other.stops[*i])).or((a != b).then_some(a.min(b)))
    }

    /// The first stop that differs; the number of stops where they are the same and the outcome is not.
    pub fn first_difference(&self, other: &Run) -> Option<usize> {
        self.first_stop(other, |a, b| a == b)
            .or_else(|| self.first_different_line(other).map(|_| self.stops.len().min(other.stops.len())))
    }

    /// The first that is at another place or has other values, for whatever reason it stopped.
    pub fn first_bare_difference(&self, other: &Run) -> Option<usize> {
        self.first_stop(other, |a, b| a.bare == b.bare)
    }

    pub fn first_different_line(&self, other: &Run) -> Option<usize> {
        let (a, b) = (self.log.len(), other.log.len());
        let overflow = [self, other].iter().any(|run| run.log.last().is_some_and(|line| line == OVERFLOW));
        let differs = |i: &usize| {
            self.log[*i] != other.log[*i] && ![&self.log[*i], &other.log[*i]].contains(&&OVERFLOW.to_owned())
        };
        (0..a.min(b)).find(differs).or((a != b && !overflow).then_some(a.min(b)))
    }
}

/// A case's modules, compiled.
pub struct Prepared {
    pub modules: Vec<Module>,
    places: Arc<Vec<Vec<u32>>>,
}

/// The offsets at which both tiers place a breakpoint at the same instruction. They differ where code is found never to
/// be reached by computing what a branch depends on: the oracle slips over it, the other need not.
fn places(simple: &Module, regions: &Module) -> Vec<u32> {
    let [mut a, mut b] = [simple, regions].map(|module| {
        let mut store = Store::new(module.engine());
        let debugger = Debugger::attach(&mut store, |_| stepwell::debug::Action::Continue).unwrap();
        move |offset: u32| {
            let placed = debugger.break_at(&mut store, module, WasmOffset::new(offset)).ok()?;
            debugger.remove(&mut store, placed.id).unwrap();
            placed.offset().map(WasmOffset::get)
        }
    });
    let mut places = Vec::new();
    for (func, body) in simple.info().bodies.iter().enumerate() {
        let instructions = instructions(simple, func);
        for offset in body.bytes.start as u32..body.bytes.end as u32 {
            match (a(offset), b(offset)) {
                (Some(a), Some(b)) if a == b => places.push(offset),
                (None, None) => {}
                (a, Some(b)) => {
                    assert!(
                        instructions.contains(&b) && a.is_none_or(|a| a > b),
                        "a breakpoint asked for at {offset} is at {a:?} in the oracle, at {b} in regions"
                    );
                }
                (Some(a), None) => panic!("no breakpoint at {offset} in regions; the oracle has one at {a}"),
            }
        }
    }
    places
}

/// The engine's fuel for each call, where it counts any.
const UNITS: u64 = 2000;
const OVERFLOW: &str = "stack overflow: what follows is not compared";

/// What callbacks and host functions share.
pub struct Shared {
    state: Mutex<State>,
    modules: Vec<Module>,
    places: Arc<Vec<Vec<u32>>>,
    fuel: Option<u32>,
    /// Runs of the guest within each other, and calls of host functions.
    nesting: AtomicU32,
}

#[derive(Default)]
struct State {
    run: Run,
    wanted: Range<usize>,
    /// Stops that have begun; another may begin and end inside one.
    begun: usize,
    /// Stops in this call.
    in_call: usize,
    host_calls: u64,
    /// A hash of what host functions were called with.
    host: u64,
}

/// What a stop gets before it is looked at.
pub struct Seat {
    pub number: usize,
    pub in_call: usize,
    pub host: u64,
    pub shown: bool,
    pub nesting: usize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Offsets of each module at which breakpoints may be asked for, sorted.
    pub fn places(&self) -> &[Vec<u32>] {
        &self.places
    }

    pub fn is_fuel(&self, module: &Module, global: GlobalIndex) -> bool {
        self.fuel == Some(global.get()) && self.modules.last().is_some_and(|last| Module::same(last, module))
    }

    /// The fuel, and how much of it is left.
    pub fn fuel(&self, store: &mut impl AsStoreMut) -> Option<(Global, Val)> {
        let last = self.modules.last()?;
        let index = GlobalIndex::new(self.fuel?);
        let instances: Vec<Instance> = store.as_store_mut().instances().collect();
        let instance = instances.into_iter().find(|i| Module::same(i.module(&*store).unwrap(), last))?;
        let global = instance.global(&*store, index)?;
        let left = global.get(&*store).unwrap();
        Some((global, left))
    }

    /// A number for a stop; none after a stack overflow.
    pub fn take_seat(&self) -> Option<Seat> {
        let mut state = self.state();
        if state.run.overflow.is_some() {
            return None;
        }
        let number = state.begun;
        state.begun += 1;
        state.in_call += 1;
        let shown = !state.wanted.is_empty();
        let nesting = self.nesting.load(Ordering::Relaxed) as usize;
        Some(Seat { number, in_call: state.in_call, host: state.host, shown, nesting })
    }

    pub fn give_back(&self, seen: Observation, place: Option<Place>) {
        let (seen, text) = seen.finish();
        let mut state = self.state();
        let at = state.run.stops.len();
        state.run.stops.push(seen);
        if let Some(text) = text.filter(|_| state.wanted.contains(&at)) {
            state.run.shown.push(format!("{at}:{text}"));
            state.run.shown_at.extend(place);
        }
    }

    pub fn overflowed(&self) {
        let mut state = self.state();
        let stops = state.run.stops.len();
        state.run.overflow.get_or_insert(stops);
    }

    fn log(&self, line: String) {
        let mut state = self.state();
        if state.run.log.last().is_none_or(|line| line != OVERFLOW) {
            state.run.log.push(line);
        }
    }

    /// Runs `body` one level deeper.
    fn nested<T>(&self, body: impl FnOnce() -> T) -> T {
        self.nesting.fetch_add(1, Ordering::Relaxed);
        let result = body();
        self.nesting.fetch_sub(1, Ordering::Relaxed);
        result
    }
}

impl Case {
    pub fn new(name: impl Into<String>, modules: Vec<(String, Vec<u8>)>) -> Case {
        Case { name: name.into(), modules, calls: 6, ..Case::default() }
    }

    /// The modules as both tiers have them, and where breakpoints may be asked for.
    pub fn prepare(&self, engines: [&Engine; 2]) -> [Prepared; 2] {
        let [simple, regions] = engines.map(|engine| self.compile(engine));
        let places = simple.iter().zip(&regions).map(|(a, b)| places(a, b)).collect();
        let places = Arc::new(places);
        [simple, regions].map(|modules| Prepared { modules, places: Arc::clone(&places) })
    }

    pub fn compile(&self, engine: &Engine) -> Vec<Module> {
        let compile = |(name, binary): &(String, Vec<u8>)| {
            Module::new(engine, binary).unwrap_or_else(|error| panic!("{} {name}: {error}", self.name))
        };
        self.modules.iter().map(compile).collect()
    }

    /// Makes the calls in a new store, in production or under a debugger that does as `drive` says.
    pub fn run(&self, prepared: &Prepared, drive: Option<&Drive>, shown: Range<usize>) -> Run {
        let state = State { wanted: shown, ..State::default() };
        let modules = &prepared.modules;
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            modules: modules.clone(),
            places: prepared.places.clone(),
            fuel: self.fuel.map(|fuel| fuel.0),
            nesting: AtomicU32::new(0),
        });
        let mut store = Store::new(modules[0].engine());
        // Generated modules ask for arrays of any length.
        store.set_limits(StoreLimits { heap_bytes: 4 << 20, ..StoreLimits::default() });
        let debugger = drive.map(|drive| {
            let (drive, shared) = (*drive, shared.clone());
            Debugger::attach(&mut store, move |stop| on_stop(&drive, &shared, stop)).unwrap()
        });
        self.make_calls(&shared, &mut store, drive.zip(debugger.as_ref()));
        if let Some(debugger) = debugger {
            debugger.detach(&mut store).unwrap();
        }
        drop(store);
        std::mem::take(&mut shared.state().run)
    }

    fn make_calls(&self, shared: &Arc<Shared>, store: &mut Store, drive: Option<(&Drive, &Debugger)>) {
        let mut number = 0;
        let mut prepare = |store: &mut Store| {
            shared.state().in_call = 0;
            if store.engine().config().fuel {
                store.set_fuel(UNITS).unwrap();
            }
            if let Some((drive, debugger)) = drive {
                drive.prepare(debugger, store, shared, number);
            }
            number += 1;
        };
        let mut instances: HashMap<&str, Instance> = HashMap::new();
        let mut made = Vec::new();
        for ((name, _), module) in self.modules.iter().zip(shared.modules()) {
            let imports = self.imports(shared, store, module, &instances);
            prepare(store);
            match imports.and_then(|imports| Instance::new(&mut *store, module, &imports)) {
                Ok(instance) => {
                    instances.insert(name, instance);
                    made.push(instance);
                }
                Err(error) => {
                    note_error(shared, &format!("instantiating {name}"), &error);
                    break;
                }
            }
        }
        for (module, instance) in shared.modules().iter().zip(&made) {
            for (index, (export, ty)) in module.exports().enumerate() {
                let ExternType::Func(ty) = ty else { continue };
                if self.program.is_some() && export != "_start" {
                    continue;
                }
                let Some(Extern::Func(func)) = instance.export(&mut *store, export) else { continue };
                for call in 0..self.calls {
                    if let (Some((global, fuel)), Some(last)) = (self.fuel, made.get(self.modules.len() - 1)) {
                        let global = last.global(&*store, GlobalIndex::new(global)).unwrap();
                        global.set(&mut *store, Val::I32(fuel)).unwrap();
                    }
                    let mut random = Random::of(call as u64, index as u64);
                    let args = arguments(store, *instance, &ty, &mut random, call == 0);
                    let what = format!("{export}({})", show(&*store, &args));
                    prepare(store);
                    let mut results = defaults(&ty);
                    match func.call(&mut *store, &args, &mut results) {
                        Ok(()) => shared.log(format!("{what} ={}", show(&*store, &results))),
                        Err(error) => note_error(shared, &what, &error),
                    }
                    if shared.state().run.overflow.is_some() {
                        return;
                    }
                    if let Ok(left) = store.fuel() {
                        shared.log(format!("{left} units of fuel left"));
                    }
                }
            }
        }
        for (i, instance) in made.iter().enumerate() {
            shared.log(format!("in the end, instance {i}: {}", state_of(store, *instance)));
        }
        let host = {
            let state = shared.state();
            (state.host_calls, state.host)
        };
        shared.log(format!("host functions: {host:?}"));
    }

    fn imports(
        &self,
        shared: &Arc<Shared>,
        store: &mut Store,
        module: &Module,
        instances: &HashMap<&str, Instance>,
    ) -> Result<Vec<Extern>, Error> {
        if let Some(folder) = &self.program {
            return super::programs::imports(store, module, folder);
        }
        let mut linker = Linker::new(store.engine());
        let _ = linker.allow_shadowing(true);
        let mut found = Vec::new();
        let imports: Vec<_> = module.imports().map(|(from, name, ty)| (from.to_owned(), name.to_owned(), ty)).collect();
        for (from, name, ty) in imports {
            if let Some(instance) = instances.get(from.as_str()) {
                let missing = || Error::new(ErrorKind::Link, format!("{from} has no {name}"));
                found.push(instance.export(&mut *store, &name).ok_or_else(missing)?);
                continue;
            }
            found.push(match ty {
                ExternType::Func(ty) => Extern::Func(host_function(shared, store, name, ty)?),
                ExternType::Table(ty) => Extern::Table(Table::new(&mut *store, ty, Val::null(ty.element.heap))?),
                ExternType::Memory(ty) => Extern::Memory(Memory::new(&mut *store, ty)?),
                ExternType::Tag(ty) => Extern::Tag(stepwell::Tag::new(&mut *store, ty)?),
                ExternType::Global(ty) => Extern::Global(Global::new(&mut *store, ty, Val::default_for(ty.content))?),
            });
        }
        Ok(found)
    }

    /// Keeps the modules where `STEPWELL_KEEP` says, for a closer look.
    pub fn keep(&self) -> String {
        let Some(folder) = std::env::var_os("STEPWELL_KEEP") else { return String::new() };
        let mut said = String::new();
        for (name, binary) in &self.modules {
            let path = PathBuf::from(&folder).join(format!("{}-{name}.wasm", self.name.replace('/', "-")));
            std::fs::write(&path, binary).unwrap();
            let _ = write!(said, "\n kept as {}", path.display());
        }
        said
    }
}

fn defaults(ty: &FuncType) -> Vec<Val> {
    ty.results.iter().map(|ty| Val::default_for(*ty)).collect()
}

fn arguments(
    store: &mut impl AsStoreMut,
    instance: Instance,
    ty: &FuncType,
    random: &mut Random,
    zeros: bool,
) -> Vec<Val> {
    let argument = |ty: &_| if zeros { Val::default_for(*ty) } else { random.value(store, Some(instance), *ty) };
    ty.params.iter().map(argument).collect()
}

/// Logs an error: a trap with its frames.
fn note_error(shared: &Shared, what: &str, error: &Error) {
    let Some(trap) = error.payload::<Trap>() else {
        return shared.log(format!("{what}: {:?} {}", error.kind(), error.message()));
    };
    if trap.code() == Some(TrapCode::StackOverflow) || shared.state().run.overflow.is_some() {
        shared.log(OVERFLOW.to_owned());
        return shared.overflowed();
    }
    let mut text = format!("{what}: {:?} {:?}", trap.message(), trap.code());
    for frame in trap.frames() {
        let _ = write!(text, " < {} at {}", frame.func(), frame.offset());
    }
    shared.log(text);
}

/// Calls one of the exports; tells what became of it.
pub fn call_export(
    shared: &Arc<Shared>,
    store: &mut impl AsStoreMut,
    instance: Instance,
    random: &mut Random,
) -> Result<u64, Error> {
    let module = instance.module(&*store).unwrap().clone();
    let functions: Vec<String> =
        module.exports().filter(|(_, ty)| matches!(ty, ExternType::Func(_))).map(|(name, _)| name.to_owned()).collect();
    if functions.is_empty() {
        return Ok(0);
    }
    let name = &functions[random.below(functions.len())];
    let func = instance.export(&mut *store, name).and_then(Extern::func).expect("an exported function");
    let ty = func.ty(&*store).unwrap();
    let args = arguments(store, instance, &ty, random, false);
    let mut results = defaults(&ty);
    match shared.nested(|| func.call(&mut *store, &args, &mut results)) {
        Ok(()) => Ok(hash_bytes(show(&*store, &results).as_bytes())),
        Err(error) => {
            if error.payload::<Trap>().and_then(Trap::code) == Some(TrapCode::StackOverflow) {
                note_error(shared, "", &error);
            }
            Err(error)
        }
    }
}

/// A host function that does things: it counts, answers with what follows from the count, and now and then changes the
/// guest's state, calls back, or traps.
fn host_function(shared: &Arc<Shared>, store: &mut Store, name: String, ty: FuncType) -> Result<Func, Error> {
    let (shared, result_types) = (shared.clone(), ty.results.clone());
    Func::new(store, ty, move |mut caller: Caller<'_>, params, results| {
        let said = hash_bytes(show(&caller, params).as_bytes());
        let count = {
            let mut state = shared.state();
            state.host_calls += 1;
            state.host = step(step(state.host, said), hash_bytes(name.as_bytes()));
            state.host_calls
        };
        let mut random = Random::of(hash_bytes(name.as_bytes()), count);
        let instance = caller.instance();
        let nesting = shared.nesting.load(Ordering::Relaxed) as usize;
        if name.starts_with("trap") || random.one_in(60) {
            return Err(Trap::new("the host has had enough").into());
        }
        if let Some(instance) = instance {
            if (name.starts_with("call") || random.one_in(5)) && nesting < DEEPEST {
                // A step that is under way inside is over if nobody swallows the error.
                let said = call_export(&shared, &mut caller, instance, &mut random)?;
                let mut state = shared.state();
                state.host = step(state.host, said);
            }
            if name.starts_with("change") || random.one_in(3) {
                let addresses: Vec<u64> = params.iter().filter_map(Val::i32).map(|value| value as u32 as u64).collect();
                let said = mutate::change(&shared, &mut caller, instance, &mut random, &addresses);
                let mut state = shared.state();
                state.host = step(state.host, said);
            }
        }
        for (result, ty) in results.iter_mut().zip(result_types.iter()) {
            *result = random.value(&mut caller, instance, *ty);
        }
        Ok(())
    })
}

/// Everything of an instance that outlasts a call.
fn state_of(store: &Store, instance: Instance) -> String {
    let info = instance.module(store).unwrap().info();
    let mut text = String::new();
    for index in 0..info.memories.len() {
        let memory = instance.memory(store, MemoryIndex::from_usize(index)).unwrap();
        let mut bytes = vec![0; memory.data_size(store).unwrap()];
        memory.read(store, 0, &mut bytes).unwrap();
        let _ = write!(text, " memory of {} bytes {:x}", bytes.len(), hash_bytes(&bytes));
    }
    for index in 0..info.globals.len() {
        let global = instance.global(store, GlobalIndex::from_usize(index)).unwrap();
        let _ = write!(text, " global{}", show(store, &[global.get(store).unwrap()]));
    }
    for index in 0..info.tables.len() {
        let table = instance.table(store, TableIndex::from_usize(index)).unwrap();
        let values: Vec<Val> = (0..table.size(store).unwrap()).map(|i| table.get(store, i).unwrap().unwrap()).collect();
        let _ = write!(text, " table of {} {:x}", values.len(), hash_bytes(show(store, &values).as_bytes()));
    }
    text
}

/// Instructions of the function around a place.
pub fn disassemble(modules: &[Module], (func, offset): Place) -> String {
    let mut text = String::new();
    for module in modules {
        let info = module.info();
        let Some(defined) = info.defined(func) else { continue };
        let Some(body) = info.bodies.get(defined.index()) else { continue };
        if !body.bytes.contains(&offset.index()) {
            continue;
        }
        let range = body.bytes.clone();
        let body = FunctionBody::new(BinaryReader::new(&module.binary()[range.clone()], range.start as u64));
        let _ = write!(text, "\n function {func}, {}:", info.func_type(func));
        let operators: Vec<_> =
            body.get_operators_reader().unwrap().into_iter_with_offsets().map(Result::unwrap).collect();
        let here = operators.iter().position(|(_, at)| *at == u64::from(offset.get())).unwrap_or(0);
        for (operator, at) in &operators[here.saturating_sub(25)..(here + 8).min(operators.len())] {
            let mark = if *at == u64::from(offset.get()) { "->" } else { "  " };
            let _ = write!(text, "\n  {mark} {at} {operator:?}");
        }
    }
    text
}
