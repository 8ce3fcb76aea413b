//! What the fuzz targets share: engines that bound what a guest may take, and driving an instance from bytes.
//!
//! A target decides everything from its input, so that an input that was found does the same again.

#[path = "../../tests/support/smith.rs"]
pub mod features;

use arbitrary::Unstructured;
use std::sync::atomic::{AtomicUsize, Ordering};
use stepwell::base::WasmOffset;
use stepwell::debug::{Action, Debugger, Reason, Stop};
use stepwell::internals::compile::DebugTier;
use stepwell::{Config, Engine, Extern, Features, Instance, Linker, Module, Store, StoreLimits, Val};

/// Instructions that a call may take.
const FUEL: u64 = 20_000;
/// Stops after which a debugger lets the guest run.
const STOPS: usize = 2_000;

/// An engine for each kind of debug code, with fuel.
pub fn engines() -> [Engine; 2] {
    [DebugTier::Regions, DebugTier::Simple].map(|debug_tier| {
        let features = Features { custom_page_sizes: true, legacy_exceptions: true, ..Features::default() };
        let config = Config { features, debug: true, debug_tier, fuel: true, parallel: false, ..Config::default() };
        Engine::new(config).expect("the fuzzer's engine")
    })
}

/// A store whose guests cannot take the fuzzer's memory.
pub fn store(engine: &Engine) -> Store {
    let mut store = Store::new(engine);
    store.set_limits(StoreLimits { memory_bytes: 64 << 20, table_elements: 100_000, instances: 100, heap_bytes: 16 << 20, ..StoreLimits::default() });
    store.set_fuel(FUEL).expect("fuel is on");
    store
}

/// Instantiates with default imports: nothing where it cannot be, or traps.
pub fn instantiate(store: &mut Store, module: &Module) -> Option<Instance> {
    let mut linker = Linker::new(store.engine());
    linker.fill_missing_with_defaults(&mut *store, module).ok()?;
    linker.instantiate(&mut *store, module).ok()
}

/// Calls every exported function with arguments from `data`; tells what became of each.
pub fn call_all(store: &mut Store, instance: Instance, data: &mut Unstructured<'_>) -> Vec<String> {
    let mut said = Vec::new();
    let Ok(exports) = instance.exports(&mut *store) else { return said };
    for (_, func) in exports.into_iter().filter_map(|(name, item)| item.func().map(|func| (name, func))).take(16) {
        let Ok(ty) = func.ty(&*store) else { continue };
        let params: Vec<Val> = ty.params.iter().map(|ty| value(*ty, data)).collect();
        let mut results: Vec<Val> = ty.results.iter().map(|ty| Val::default_for(*ty)).collect();
        let _ = store.set_fuel(FUEL);
        said.push(match func.call(&mut *store, &params, &mut results) {
            Ok(()) => format!("{:?}", results.iter().map(shown).collect::<Vec<_>>()),
            Err(error) => error.message().to_owned(),
        });
    }
    said
}

/// A value of a type.
fn value(ty: stepwell::ValType, data: &mut Unstructured<'_>) -> Val {
    use stepwell::ValType;
    let mut bits = || data.arbitrary::<u64>().unwrap_or_default();
    match ty {
        ValType::I32 => Val::I32(bits() as i32),
        ValType::I64 => Val::I64(bits() as i64),
        ValType::F32 => Val::F32(bits() as u32),
        ValType::F64 => Val::F64(bits()),
        other => Val::default_for(other),
    }
}

/// A value without what differs from store to store.
fn shown(value: &Val) -> String {
    match value {
        Val::FuncRef(func) => format!("func {}", func.is_some()),
        Val::ExternRef(item) => format!("extern {}", item.is_some()),
        Val::ExnRef(item) => format!("exn {}", item.is_some()),
        Val::AnyRef(item) => format!("any {}", item.is_some()),
        // Which NaN it is may differ between tiers.
        Val::F32(bits) if f32::from_bits(*bits).is_nan() => "nan".into(),
        Val::F64(bits) if f64::from_bits(*bits).is_nan() => "nan".into(),
        other => format!("{other:?}"),
    }
}

/// Attaches a debugger that steps, looks at everything, and sets breakpoints, as `data` has it.
pub fn attach(store: &mut Store, module: &Module, data: &mut Unstructured<'_>) -> Option<Debugger> {
    let stops = AtomicUsize::new(0);
    let debugger = Debugger::attach(store, move |stop| {
        look(stop);
        match stops.fetch_add(1, Ordering::Relaxed) {
            n if n >= STOPS => {
                let debugger = stop.debugger();
                let _ = debugger.step_always(stop, false);
                for breakpoint in debugger.breakpoints(stop).unwrap_or_default() {
                    let _ = debugger.remove(stop, breakpoint.id);
                }
                Action::Continue
            }
            n => [Action::StepInstruction, Action::StepOver, Action::Continue, Action::StepOut][n % 4].clone(),
        }
    })
    .ok()?;
    if data.arbitrary().unwrap_or(true) {
        debugger.step_always(store, true).ok()?;
    }
    for _ in 0..data.int_in_range(0..=6).unwrap_or(0) {
        let offset = data.int_in_range(0..=module.binary().len() as u32 + 8).unwrap_or(0);
        let _ = debugger.break_at(store, module, WasmOffset::new(offset));
    }
    Some(debugger)
}

/// Reads everything that a stop shows.
pub fn look(stop: &Stop<'_>) {
    let mut seen = usize::from(matches!(stop.reason(), Reason::Trap(_)));
    for index in 0..stop.frame_count().min(20) {
        let Some(frame) = stop.frame(index) else { break };
        seen += frame.locals().len() + frame.operands().len() + frame.locations().len();
        seen += frame.func_name().map_or(0, str::len) + frame.offset().index();
    }
    std::hint::black_box(seen);
}

/// The functions of an instance's exports.
pub fn functions(store: &mut Store, instance: Instance) -> Vec<stepwell::Func> {
    let exports = instance.exports(store).unwrap_or_default();
    exports.into_iter().filter_map(|(_, item)| Extern::func(item)).collect()
}
