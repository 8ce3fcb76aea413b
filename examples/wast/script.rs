//! Runs one `.wast` script, directive by directive, in one store. Each `thread` of it runs on a thread of the system,
//! with a store of its own.

use super::features;
use super::spectest;
use super::traps;
use super::values;
use super::watch::{Mode, Watch};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Scope, ScopedJoinHandle};
use stepwell::base::{Error, ErrorKind};
use stepwell::runtime::{Config, Engine, Extern, Instance, Memory, Module, SharedMemory, Store, Trap, TrapCode, Val};
use wast::parser::{ParseBuffer, parse};
use wast::token::Id;
use wast::{QuoteWat, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, WastThread, Wat};

/// A script to run.
pub struct Script {
    /// What failures are reported under: a path.
    pub name: String,
    /// The folder it stands in, which decides its features.
    pub folder: String,
    /// Its text.
    pub text: String,
}

/// How a script went.
#[derive(Default)]
pub struct Outcome {
    /// Directives that did as they should.
    pub passed: usize,
    /// One line for each that did not: `FILE:LINE: what`.
    pub failures: Vec<String>,
    /// Of everything that the debugger has shown, in the mode `step`. Zero where there are threads: what is shown then
    /// depends on which is faster.
    pub digest: u64,
    /// Every trap that was asked for, with the place of each frame: the same in all code. Those of threads stand where
    /// they are waited for.
    pub traps: Vec<String>,
}

/// What all threads of a script have in common.
#[derive(Clone)]
struct Setting<'env> {
    script: &'env Script,
    engine: Engine,
    /// Where modules are compiled and serialized, if they are to be.
    serializing: Option<Engine>,
    mode: Mode,
    seed: u64,
}

/// The shared memories that a thread was given, by their names as exports.
type Given = HashMap<String, SharedMemory>;

/// Runs all of `script`'s directives; a failing one does not end it.
pub fn run(script: &Script, config: &Config, mode: Mode, seed: u64) -> Outcome {
    let mut lexer = wast::lexer::Lexer::new(&script.text);
    lexer.allow_confusing_unicode(true);
    let unreadable = |error: wast::Error| {
        let line = error.span().linecol_in(&script.text).0 + 1;
        vec![format!("{}:{line}: not a script: {}", script.name, error.message())]
    };
    let buffer = match ParseBuffer::new_with_lexer(lexer) {
        Ok(buffer) => buffer,
        Err(error) => return Outcome { failures: unreadable(error), ..Outcome::default() },
    };
    let directives = match parse::<Wast<'_>>(&buffer) {
        Ok(wast) => wast.directives,
        Err(error) => return Outcome { failures: unreadable(error), ..Outcome::default() },
    };
    match Setting::new(script, config, mode, seed) {
        Ok(setting) => std::thread::scope(|scope| run_thread(scope, setting, None, directives)),
        Err(error) => Outcome::without_store(script, &error),
    }
}

impl Outcome {
    fn without_store(script: &Script, error: &Error) -> Outcome {
        Outcome { failures: vec![format!("{}:1: no store for it: {error}", script.name)], ..Outcome::default() }
    }
}

impl<'env> Setting<'env> {
    fn new(script: &'env Script, config: &Config, mode: Mode, seed: u64) -> Result<Setting<'env>, Error> {
        let features = features::of_folder(&script.folder);
        let config = Config { features, debug: mode != Mode::Production, ..config.clone() };
        let serializing = (mode == Mode::Serialized).then(|| Engine::new(config.clone())).transpose()?;
        Ok(Setting { script, engine: Engine::new(config)?, serializing, mode, seed })
    }
}

/// Runs a thread of a script, with the memories it was given under a name.
fn run_thread<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    setting: Setting<'env>,
    given: Option<(String, Given)>,
    directives: Vec<WastDirective<'env>>,
) -> Outcome {
    let script = setting.script;
    let mut outcome = Outcome::default();
    let mut runner = match Runner::new(scope, setting, given) {
        Ok(runner) => runner,
        Err(error) => return Outcome::without_store(script, &error),
    };
    for directive in directives {
        let line = directive.span().linecol_in(&script.text).0 + 1;
        let what = kind(&directive);
        let result =
            catch_unwind(AssertUnwindSafe(|| runner.directive(directive).and_then(|()| runner.watch.verdict())));
        match result {
            Ok(Ok(())) => outcome.passed += 1,
            Ok(Err(why)) => {
                outcome.failures.push(format!("{}:{line}: {what}: {}", script.name, why.replace('\n', " | ")));
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default();
                outcome.failures.push(format!("{}:{line}: {what}: panicked: {text}", script.name));
            }
        }
    }
    let names: Vec<String> = runner.threads.keys().cloned().collect();
    for name in names {
        outcome.failures.push(format!("{}: the thread ${name} is not waited for", script.name));
        let _ = runner.join(&name);
    }
    outcome.digest = if runner.had_threads { 0 } else { runner.watch.digest() };
    outcome.passed += runner.joined.passed;
    outcome.failures.append(&mut runner.joined.failures);
    outcome.traps = runner.traps;
    outcome
}

/// A directive's name.
fn kind(directive: &WastDirective<'_>) -> &'static str {
    match directive {
        WastDirective::Module(_) => "module",
        WastDirective::ModuleDefinition(_) => "module definition",
        WastDirective::ModuleInstance { .. } => "module instance",
        WastDirective::AssertMalformed { .. } => "assert_malformed",
        WastDirective::AssertInvalid { .. } => "assert_invalid",
        WastDirective::AssertInvalidCustom { .. } => "assert_invalid_custom",
        WastDirective::AssertMalformedCustom { .. } => "assert_malformed_custom",
        WastDirective::Register { .. } => "register",
        WastDirective::Invoke(_) => "invoke",
        WastDirective::AssertTrap { .. } => "assert_trap",
        WastDirective::AssertReturn { .. } => "assert_return",
        WastDirective::AssertExhaustion { .. } => "assert_exhaustion",
        WastDirective::AssertUnlinkable { .. } => "assert_unlinkable",
        WastDirective::AssertException { .. } => "assert_exception",
        WastDirective::AssertSuspension { .. } => "assert_suspension",
        WastDirective::Thread(_) => "thread",
        WastDirective::Wait { .. } => "wait",
    }
}

/// Why a module did not become an instance.
enum Refusal {
    /// It could not be encoded: the text is wrong.
    Text(String),
    /// The engine refused it or its instantiation.
    Engine(Error),
}

impl Refusal {
    fn text(self) -> String {
        match self {
            Refusal::Text(text) => text,
            Refusal::Engine(error) => error.to_string(),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Engine(error)
    }
}

struct Runner<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    setting: Setting<'env>,
    store: Store,
    watch: Watch,
    /// Instances that later modules import from, by the name they were registered under.
    registered: HashMap<String, Names>,
    /// Instances by their `$name`.
    named: HashMap<String, Instance>,
    /// The latest instance.
    current: Option<Instance>,
    /// Module definitions by their `$name`, and the latest.
    definitions: HashMap<String, Module>,
    latest_definition: Option<Module>,
    /// What was given to this thread, by the `$name` of the instance that it is of.
    given: HashMap<String, HashMap<String, Extern>>,
    /// Threads that were not waited for yet.
    threads: HashMap<String, ScopedJoinHandle<'scope, Outcome>>,
    had_threads: bool,
    /// What came of the others.
    joined: Outcome,
    /// See [`Outcome::traps`].
    traps: Vec<String>,
}

/// Where an import's module name leads.
enum Names {
    Externs(HashMap<String, Extern>),
    Instance(Instance),
}

impl<'scope, 'env> Runner<'scope, 'env> {
    fn new(
        scope: &'scope Scope<'scope, 'env>,
        setting: Setting<'env>,
        given: Option<(String, Given)>,
    ) -> Result<Runner<'scope, 'env>, Error> {
        let Setting { script, mode, seed, .. } = setting;
        let mut store = Store::new(&setting.engine);
        let mut registered = HashMap::new();
        let spectest = spectest::externs(&mut store)?.into_iter().map(|(name, item)| (name.to_owned(), item));
        registered.insert("spectest".to_owned(), Names::Externs(spectest.collect()));
        let mut known = HashMap::new();
        if let Some((name, memories)) = given {
            let mut externs = HashMap::new();
            for (name, memory) in memories {
                externs.insert(name, Extern::Memory(Memory::from_shared(&mut store, &memory)?));
            }
            known.insert(name, externs);
        }
        // The same script gets the same breakpoints wherever it is run from.
        let file = script.name.rsplit('/').next().unwrap_or_default();
        let seed = file
            .bytes()
            .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let watch = Watch::new(mode, seed, &mut store)?;
        Ok(Runner {
            scope,
            setting,
            store,
            watch,
            registered,
            named: HashMap::new(),
            current: None,
            definitions: HashMap::new(),
            latest_definition: None,
            given: known,
            threads: HashMap::new(),
            had_threads: false,
            joined: Outcome::default(),
            traps: Vec::new(),
        })
    }

    fn directive(&mut self, directive: WastDirective<'env>) -> Result<(), String> {
        match directive {
            WastDirective::Module(mut wat) => {
                let name = wat.name();
                let module = self.compile(&mut wat).map_err(Refusal::text)?;
                let instance = self.instantiate(&module).map_err(Refusal::text)?;
                self.became(name, instance);
                Ok(())
            }
            WastDirective::ModuleDefinition(mut wat) => {
                let name = wat.name();
                let module = self.compile(&mut wat).map_err(Refusal::text)?;
                if let Some(name) = name {
                    self.definitions.insert(name.name().to_owned(), module.clone());
                }
                self.latest_definition = Some(module);
                Ok(())
            }
            WastDirective::ModuleInstance { instance: name, module, .. } => {
                let module = match module {
                    Some(id) => self.definitions.get(id.name()).cloned(),
                    None => self.latest_definition.clone(),
                };
                let module = module.ok_or("no such module definition")?;
                let instance = self.instantiate(&module).map_err(Refusal::text)?;
                self.became(name, instance);
                Ok(())
            }
            WastDirective::AssertMalformed { module, message, .. }
            | WastDirective::AssertInvalid { module, message, .. }
            | WastDirective::AssertMalformedCustom { module, message, .. }
            | WastDirective::AssertInvalidCustom { module, message, .. } => self.refused(module, message),
            WastDirective::Register { name, module, .. } => {
                let given = module.and_then(|id| self.given.get(id.name()));
                let names = match given {
                    Some(externs) => Names::Externs(externs.clone()),
                    None => Names::Instance(self.instance(module)?),
                };
                self.registered.insert(name.to_owned(), names);
                Ok(())
            }
            WastDirective::Invoke(invoke) => {
                self.invoke(&invoke)?.map(drop).map_err(|error| format!("failed: {error}"))
            }
            WastDirective::AssertTrap { exec, message, .. } => {
                let error = match self.execute(exec)? {
                    Ok(values) => return Err(format!("expected trap {message:?}, got {}", list(&values))),
                    Err(error) => error,
                };
                self.expect_trap(&error, message)
            }
            WastDirective::AssertReturn { exec, results, .. } => {
                let values = self.execute(exec)?.map_err(|error| format!("failed: {error}"))?;
                let fits = values.len() == results.len()
                    && values.iter().zip(&results).all(|(value, expected)| match expected {
                        WastRet::Core(expected) => values::fits(&self.store, expected, value),
                        _ => false,
                    });
                if fits { Ok(()) } else { Err(format!("expected {results:?}, got {}", list(&values))) }
            }
            WastDirective::AssertExhaustion { call, message, .. } => match self.invoke(&call)? {
                Ok(values) => Err(format!("expected exhaustion {message:?}, got {}", list(&values))),
                Err(error) => self.expect_trap(&error, message),
            },
            WastDirective::AssertUnlinkable { module, message, .. } => {
                let module = match self.compile(&mut QuoteWat::Wat(module)) {
                    Ok(module) => module,
                    Err(refusal) => return Err(format!("was to fail at linking only: {}", refusal.text())),
                };
                match self.instantiate(&module) {
                    Ok(_) => Err(format!("was linked, but should be refused: {message:?}")),
                    Err(Refusal::Engine(error)) if error.kind() == ErrorKind::Link => Ok(()),
                    Err(refusal) => Err(format!("expected a link error {message:?}, got: {}", refusal.text())),
                }
            }
            WastDirective::AssertException { exec, .. } => match self.execute(exec)? {
                Ok(values) => Err(format!("expected an exception, got {}", list(&values))),
                Err(error) => match error.payload::<Trap>().and_then(Trap::exception) {
                    Some(_) => Ok(()),
                    None => Err(format!("expected an exception, got: {error}")),
                },
            },
            WastDirective::AssertSuspension { .. } => Err("Stepwell has no stack switching (proposal)".into()),
            WastDirective::Thread(thread) => self.begin(thread),
            WastDirective::Wait { thread, .. } => {
                let outcome = self.join(thread.name())?;
                let failed = outcome.failures.len();
                self.joined.passed += outcome.passed;
                self.joined.failures.extend(outcome.failures);
                self.traps.extend(outcome.traps);
                if failed == 0 { Ok(()) } else { Err(format!("{failed} directives of the thread failed")) }
            }
        }
    }

    /// Begins a thread, with the shared memories of the instance that it is given.
    fn begin(&mut self, thread: WastThread<'env>) -> Result<(), String> {
        let WastThread { name, shared_module, directives, .. } = thread;
        let given = match shared_module {
            Some(id) => Some((id.name().to_owned(), self.shared_of(id)?)),
            None => None,
        };
        self.had_threads = true;
        let (scope, setting) = (self.scope, self.setting.clone());
        let handle = scope.spawn(move || run_thread(scope, setting, given, directives));
        match self.threads.insert(name.name().to_owned(), handle) {
            Some(_) => Err(format!("there is a thread ${} already", name.name())),
            None => Ok(()),
        }
    }

    /// The shared memories that an instance exports.
    fn shared_of(&mut self, id: Id<'_>) -> Result<Given, String> {
        let instance = self.instance(Some(id))?;
        let mut given = Given::new();
        for (name, item) in instance.exports(&mut self.store).map_err(|error| error.to_string())? {
            if let Extern::Memory(memory) = item {
                let shared = memory.shared(&self.store).map_err(|error| error.to_string())?;
                given.extend(shared.map(|shared| (name, shared)));
            }
        }
        Ok(given)
    }

    /// Waits for a thread.
    fn join(&mut self, name: &str) -> Result<Outcome, String> {
        let handle = self.threads.remove(name).ok_or_else(|| format!("no thread ${name}"))?;
        handle.join().map_err(|_| format!("the thread ${name} was lost"))
    }

    /// Records a new instance as the current one, and under its name.
    fn became(&mut self, name: Option<Id<'_>>, instance: Instance) {
        if let Some(name) = name {
            self.named.insert(name.name().to_owned(), instance);
        }
        self.current = Some(instance);
    }

    /// The instance of a `$name`, or the current one.
    fn instance(&self, name: Option<Id<'_>>) -> Result<Instance, String> {
        match name {
            Some(id) => self.named.get(id.name()).copied().ok_or_else(|| format!("no instance ${}", id.name())),
            None => self.current.ok_or_else(|| "no instance yet".to_owned()),
        }
    }

    fn compile(&self, wat: &mut QuoteWat<'_>) -> Result<Module, Refusal> {
        let binary = wat.encode().map_err(|error| Refusal::Text(error.message()))?;
        let engine = &self.setting.engine;
        let Some(other) = &self.setting.serializing else { return Ok(Module::new(engine, &binary)?) };
        let module = Module::new(other, &binary)?;
        module.debug_code(&|_, _| true)?;
        Ok(Module::deserialize(engine, &module.serialize()?)?)
    }

    fn instantiate(&mut self, module: &Module) -> Result<Instance, Refusal> {
        let mut imports = Vec::new();
        for import in &module.info().imports {
            let found = match self.registered.get(&import.module) {
                Some(Names::Externs(externs)) => externs.get(import.name.as_str()).copied(),
                Some(Names::Instance(instance)) => instance.export(&mut self.store, &import.name),
                None => None,
            };
            let missing = || format!("unknown import {:?} {:?}", import.module, import.name);
            imports.push(found.ok_or_else(|| Error::new(ErrorKind::Link, missing()))?);
        }
        self.watch.before_instance(&mut self.store, module)?;
        let instance = Instance::new(&mut self.store, module, &imports);
        self.watch.after_call();
        Ok(instance?)
    }

    /// Checks that the engine (or the text format) refuses a module.
    fn refused(&self, mut module: QuoteWat<'_>, message: &str) -> Result<(), String> {
        let binary = match module.encode() {
            Ok(binary) => binary,
            Err(_) => return Ok(()),
        };
        let validated = Module::validate(&self.setting.engine, &binary);
        match Module::new(&self.setting.engine, &binary) {
            Ok(_) => Err(format!("was accepted, but should be refused: {message:?}")),
            Err(error) => match (error.kind(), validated) {
                (ErrorKind::InvalidModule | ErrorKind::Unsupported, Err(_)) => Ok(()),
                // More than there are numbers for is more than the limit, too.
                (ErrorKind::Limit, Err(_)) if message == "too many locals" => Ok(()),
                (_, Ok(())) => Err(format!("validate() accepted what new() refused: {error}")),
                (kind, _) => Err(format!("refused as {kind:?}, but should be {message:?}: {error}")),
            },
        }
    }

    fn execute(&mut self, exec: WastExecute<'_>) -> Result<Result<Vec<Val>, Error>, String> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(wat) => Ok(self.run_module(wat)?.map(|()| Vec::new())),
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module)?;
                match instance.export(&mut self.store, global) {
                    Some(Extern::Global(global)) => Ok(global.get(&self.store).map(|value| vec![value])),
                    _ => Err(format!("no exported global {global:?}")),
                }
            }
        }
    }

    /// Instantiates a module that is expected to trap while it starts.
    fn run_module(&mut self, wat: Wat<'_>) -> Result<Result<(), Error>, String> {
        let module = self.compile(&mut QuoteWat::Wat(wat)).map_err(Refusal::text)?;
        match self.instantiate(&module) {
            Ok(_) => Ok(Ok(())),
            Err(Refusal::Engine(error)) => Ok(Err(error)),
            Err(Refusal::Text(text)) => Err(text),
        }
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<Result<Vec<Val>, Error>, String> {
        let instance = self.instance(invoke.module)?;
        let Some(Extern::Func(func)) = instance.export(&mut self.store, invoke.name) else {
            return Err(format!("no exported function {:?}", invoke.name));
        };
        let mut args = Vec::new();
        for arg in &invoke.args {
            match arg {
                WastArg::Core(arg) => args.push(values::argument(&mut self.store, arg)?),
                other => return Err(format!("no core argument: {other:?}")),
            }
        }
        let ty = func.ty(&self.store).map_err(|error| error.to_string())?;
        let mut results: Vec<Val> = ty.results.iter().map(|&ty| Val::default_for(ty)).collect();
        self.watch.before_call(&mut self.store, func, &args).map_err(|error| format!("preparing the call: {error}"))?;
        let called = func.call(&mut self.store, &args, &mut results);
        self.watch.after_call();
        Ok(called.map(|()| results))
    }

    /// Demands that `error` is the trap that the script names, at an instruction that can cause it, and keeps where it
    /// was.
    fn expect_trap(&mut self, error: &Error, message: &str) -> Result<(), String> {
        let (trap, code) = the_trap(error, message)?;
        self.traps.push(format!("{message}: {}", traps::told(trap, code)?));
        Ok(())
    }
}

/// The trap in `error`, if it is the one that the script names. The scripts' messages are prefixes or have ours as a
/// prefix ("uninitialized element 7").
fn the_trap<'a>(error: &'a Error, message: &str) -> Result<(&'a Trap, TrapCode), String> {
    let Some(trap) = error.payload::<Trap>().filter(|_| error.kind() == ErrorKind::Trap) else {
        return Err(format!("expected trap {message:?}, got no trap: {error}"));
    };
    let Some(code) = trap.code() else {
        return Err(format!("expected trap {message:?}, got one without a code: {error}"));
    };
    let ours = code.message();
    // The scripts say of what is null what it should have been.
    let null = message.starts_with("null ") && message.ends_with(" reference");
    let message = if null { "null reference" } else { message };
    if ours.starts_with(message) || message.starts_with(ours) {
        return Ok((trap, code));
    }
    Err(format!("expected trap {message:?}, got {ours:?}"))
}

fn list(values: &[Val]) -> String {
    let values: Vec<_> = values.iter().map(values::show).collect();
    format!("[{}]", values.join(", "))
}
