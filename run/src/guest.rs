//! A store with the module in it, ready to be run, and running it. What is said at stops is said elsewhere.

use crate::end::{Ending, FAILURE, LIMIT, NOT_RUN, OrEnd, Run, TRAP, USAGE, say, write_error};
use crate::host::{self, Clock};
use crate::load::{self, Loaded};
use crate::options::Options;
use crate::split;
use crate::values;
use std::io::Write;
use std::time::{Duration, Instant};
use stepwell::debug::Debugger;
use stepwell::{
    Engine, Error, Extern, ExternType, Func, FuncType, Instance, Linker, Module, Store, Trap, TrapCode, Val, readable,
};

/// A store with what the guest gets.
pub struct Room {
    /// The store.
    pub store: Store,
    /// What the guest can import.
    pub linker: Linker,
    /// The debugger of the store, if there is one.
    pub debugger: Option<Debugger>,
}

impl Room {
    /// A store in which the guest can be run; `attach` attaches the debugger, where there is to be one.
    pub fn new(
        options: &Options,
        engine: &Engine,
        attach: impl FnOnce(&mut Store) -> Run<Option<Debugger>>,
    ) -> Run<Room> {
        let mut store = Store::new(engine);
        let mut linker = Linker::new(engine);
        let debugger = if options.precompile.is_some() {
            None
        } else {
            host::define_wasi(options, &mut linker, &mut store)?;
            let debugger = attach(&mut store)?;
            load::preload(options, engine, &mut linker, &mut store)?;
            debugger
        };
        Ok(Room { store, linker, debugger })
    }

    /// Loads the module that the options name. What it imports and nobody has is said before it is compiled.
    pub fn load(&mut self, options: &Options, engine: &Engine) -> Run<Loaded> {
        let Room { store, linker, .. } = self;
        load::load(engine, &options.module, options.precompiled, |imports| match options.precompile {
            Some(_) => Ok(()),
            None => load::check_imports(options, linker, store, imports),
        })
    }

    /// Gets the store ready for the module: limits, and stubs of what nobody provides.
    pub fn prepare(&mut self, options: &Options, module: &Module) -> Run<()> {
        host::set_limits(options, &mut self.store)?;
        load::define_stubs(options, &mut self.linker, &mut self.store, module)?;
        load::check_imports(options, &self.linker, &mut self.store, &module.imports().collect::<Vec<_>>())?;
        self.store.register(module).or_end(NOT_RUN, load::name_of(&options.module))
    }
}

/// How long things took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Making the instance, with its start function.
    pub instantiate: Duration,
    /// Calls.
    pub run: Duration,
}

/// A run of the guest: what it takes to end it well.
pub struct Running<'a> {
    /// What was asked for.
    pub options: &'a Options,
    /// Where it runs.
    pub room: &'a mut Room,
    /// What is run.
    pub module: &'a Module,
    /// How long it took.
    pub times: Times,
    /// What ends it when its time is up.
    pub clock: Clock,
    /// The instance, once there is one.
    pub instance: Option<Instance>,
}

impl<'a> Running<'a> {
    /// A run that has not begun.
    pub fn new(options: &'a Options, room: &'a mut Room, module: &'a Module) -> Running<'a> {
        Running { options, room, module, times: Times::default(), clock: Clock::default(), instance: None }
    }

    /// Makes the instance and calls what is to be called; writes the results of `--invoke`. The end where the guest did
    /// not return.
    pub fn run(&mut self) -> Result<(), Failed> {
        self.clock = Clock::start(self.options, &self.room.store)?;
        let begin = Instant::now();
        let made = self.room.linker.instantiate(&mut self.room.store, self.module);
        self.times.instantiate = begin.elapsed();
        let instance = match made {
            Ok(instance) => instance,
            Err(error) => return Err(self.failed(error, NOT_RUN)),
        };
        self.instance = Some(instance);
        // A library of WASI's kind is to be set up before it is called; a program sets itself up. A library that
        // nothing is called of is set up, and that is all.
        let Some(name) = &self.options.invoke else {
            let func = self.find("_start").or_else(|| self.find("_initialize"));
            let why = "--invoke says what to call; this is no program and no library of WASI's kind, it has no";
            let func = func.ok_or_else(|| self.no_func(why, "_start", NOT_RUN))?;
            return self.call(func, "_start", false);
        };
        let invoked = self.find(name).ok_or_else(|| self.no_func("there is no function", name, USAGE))?;
        if let Some(func) = self.find("_initialize").filter(|_| name != "_initialize") {
            self.call(func, "_initialize", false)?;
        }
        self.call(invoked, name, true)
    }

    /// An exported function, or any by its name.
    fn find(&mut self, name: &str) -> Option<Func> {
        let instance = self.instance?;
        match instance.export(&mut self.room.store, name) {
            Some(Extern::Func(func)) => Some(func),
            _ => instance.func(&mut self.room.store, self.module.info().func_named(name)?),
        }
    }

    /// The end where there is no such function; says which there are.
    fn no_func(&self, why: &str, name: &str, code: i32) -> Failed {
        let functions = self.module.exports().filter(|(_, ty)| matches!(ty, ExternType::Func(_)));
        let names: Vec<String> = functions.map(|(name, _)| readable(name)).collect();
        let exports = match names.is_empty() {
            true => "no function".to_owned(),
            false => names.join(", "),
        };
        let module = self.options.module.to_string_lossy();
        Ending::new(code, format_args!("{module}: {why} `{}`; it exports {exports}", readable(name))).into()
    }

    /// The arguments of the command line as a function's.
    fn arguments(&self, name: &str, ty: &FuncType) -> Run<Vec<Val>> {
        let given = &self.options.arguments;
        let name = readable(name);
        if given.len() != ty.params.len() {
            let params: Vec<String> = ty.params.iter().map(ToString::to_string).collect();
            let message =
                format!("`{name}` takes ({}): {} arguments, {} given", params.join(", "), ty.params.len(), given.len());
            return Err(Ending::new(USAGE, message));
        }
        let value = |(index, (text, ty)): (usize, (&std::ffi::OsString, &stepwell::ValType))| {
            let text = text.to_string_lossy();
            values::parse(&text, *ty).ok_or_else(|| {
                Ending::new(USAGE, format_args!("`{text}` is no {ty}, which argument {} of `{name}` is", index + 1))
            })
        };
        given.iter().zip(&ty.params).enumerate().map(value).collect()
    }

    /// Calls a function, with the arguments of the command line or with none, and prints its results.
    fn call(&mut self, func: Func, name: &str, with_arguments: bool) -> Result<(), Failed> {
        let ty = func.ty(&self.room.store).or_end(FAILURE, name)?;
        let arguments = match with_arguments {
            true => self.arguments(name, &ty)?,
            false if ty.params.is_empty() => Vec::new(),
            false => {
                let params: Vec<String> = ty.params.iter().map(ToString::to_string).collect();
                let message = format!("`{name}` takes ({}): {} arguments, 0 given", params.join(", "), params.len());
                return Err(Ending::new(USAGE, message).into());
            }
        };
        let mut results: Vec<Val> = ty.results.iter().map(|ty| Val::default_for(*ty)).collect();
        let begin = Instant::now();
        let outcome = func.call(&mut self.room.store, &arguments, &mut results);
        self.times.run += begin.elapsed();
        if let Err(error) = outcome {
            return Err(self.failed(error, FAILURE));
        }
        if with_arguments {
            let lines: String = results.iter().map(|value| values::text_of(value) + "\n").collect();
            print(&lines)?;
        }
        Ok(())
    }

    /// What a failed call comes to; `code` is of what is no trap.
    fn failed(&self, error: Error, code: i32) -> Failed {
        match error.into_payload::<Trap>() {
            Ok(trap) => Failed::Trap(trap),
            Err(error) => Ending::new(code, format_args!("{}: {error}", load::name_of(&self.options.module))).into(),
        }
    }

    /// With which status the program ends that has trapped so.
    pub fn status_of(&self, trap: &Trap) -> i32 {
        match trap.code() {
            Some(TrapCode::OutOfFuel) => LIMIT,
            Some(TrapCode::Interrupt) if self.clock.is_up() => LIMIT,
            _ => TRAP,
        }
    }

    /// Says of a trap what is to be said, and with which status the program ends.
    pub fn end_with_trap(&self, trap: &Trap) -> i32 {
        if let Some(status) = trap.exit_status() {
            return status;
        }
        split::give_beside(self.module, self.options);
        write_error(&format!("stepwell-run: trap: {trap}\n"));
        match trap.code() {
            Some(TrapCode::OutOfFuel) => {
                let fuel = self.options.fuel.unwrap_or_default();
                say(format_args!("the fuel is used up (--fuel {fuel}); exit status {LIMIT}"));
            }
            Some(TrapCode::Interrupt) if self.clock.is_up() => {
                let time = self.options.timeout.unwrap_or_default().as_secs_f64();
                say(format_args!("the time is up (--timeout {time}); exit status {LIMIT}"));
            }
            _ => {}
        }
        self.status_of(trap)
    }
}

/// Why a guest did not return.
pub enum Failed {
    /// It trapped, or ended itself.
    Trap(Box<Trap>),
    /// It was not run, or the host failed.
    End(Ending),
}

impl From<Ending> for Failed {
    fn from(ending: Ending) -> Failed {
        Failed::End(ending)
    }
}

/// Writes text to standard output.
pub fn print(text: &str) -> Run<()> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Ending::new(FAILURE, format_args!("standard output: {}", crate::end::reason(&error))))
}
