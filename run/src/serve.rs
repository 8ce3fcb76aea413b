//! `--gdb` and `--dap`: the guest is served to debuggers of other programs. The library does it; here are the program,
//! and what becomes of it.

use crate::end::{FAILURE, OrEnd, Run, say};
use crate::guest::{Failed, Room, Running};
use crate::load;
use crate::options::{Options, Served};
use crate::split;
use std::ffi::OsString;
use std::io::{stdin, stdout};
use std::path::PathBuf;
use stepwell::remote::dap::{Launch, LaunchArguments, Stream, serve as serve_editor};
use stepwell::remote::session::{Outcome, Session, SessionOptions, ThreadId};
use stepwell::remote::{Listen, Protocol, ServeOptions, Server};
use stepwell::{Engine, Module};

/// Runs the module with a server for debuggers: the first instruction waits for one, unless `--no-wait` was said.
pub fn run(options: &Options, served: &Served) -> Run<i32> {
    let (protocol, option, address) = match served {
        Served::Gdb(address) => (Protocol::Gdb, "--gdb", address),
        Served::Dap(address) => (Protocol::Dap, "--dap", address),
    };
    let engine = load::engine(options)?;
    let mut server = None;
    let mut room = Room::new(options, &engine, |store| {
        let serve = ServeOptions {
            listen: Listen::Tcp(address.clone()),
            protocol,
            session: SessionOptions { wait: !options.no_wait, ..SessionOptions::default() },
            name: load::name_of(&options.module),
            ..ServeOptions::default()
        };
        server = Some(Server::serve(store, serve).or_end(FAILURE, option)?);
        Ok(None)
    })?;
    let module = loaded(options, &engine, &mut room)?;
    let Some(mut server) = server else { return Ok(FAILURE) };
    server.session().set_file(&module, PathBuf::from(&options.module));
    let waits = if options.no_wait { "may come" } else { "is waited for" };
    say(format_args!("a debugger {waits} at {}", server.address()));
    let (code, outcome) = end_of(options, &mut room, &module)?;
    server.end(outcome);
    server.stop();
    Ok(code)
}

/// The module, in a store that is ready for it.
fn loaded(options: &Options, engine: &Engine, room: &mut Room) -> Run<Module> {
    let module = room.load(options, engine)?.module;
    split::give_asked(&module, options)?;
    room.prepare(options, &module)?;
    split::give_beside(&module, options);
    Ok(module)
}

/// Runs the guest to its end: the exit status, and what debuggers are told.
fn end_of(options: &Options, room: &mut Room, module: &Module) -> Run<(i32, Outcome)> {
    let mut running = Running::new(options, room, module);
    match running.run() {
        Ok(()) => Ok((0, Outcome::Exited(0))),
        Err(Failed::Trap(trap)) => {
            let code = running.end_with_trap(&trap);
            let outcome = match trap.exit_status() {
                Some(status) => Outcome::Exited(status),
                None => Outcome::Trapped(trap.to_string()),
            };
            Ok((code, outcome))
        }
        Err(Failed::End(ending)) => Err(ending),
    }
}

/// `--dap -`: an editor talks to us by standard input and output, and says which program it is.
pub fn adapter(options: Options) -> Run<i32> {
    let session = Session::new(SessionOptions::default());
    let client = session.connect().or_end(FAILURE, "--dap")?;
    let host = Host { options, session, ready: None };
    let stream = Stream { input: Box::new(stdin()), output: Box::new(stdout()), close: Box::new(|| ()) };
    serve_editor(client, stream, Some(Box::new(host)));
    Ok(0)
}

/// What begins the program of an editor.
struct Host {
    /// Those of the command line.
    options: Options,
    session: Session,
    ready: Option<Program>,
}

/// A program that is about to be run.
struct Program {
    options: Options,
    room: Room,
    module: Module,
    thread: ThreadId,
}

impl Host {
    fn ready(&self, arguments: &LaunchArguments, program: &str) -> Run<Program> {
        if let Some(folder) = &arguments.cwd {
            std::env::set_current_dir(folder).or_end(FAILURE, folder)?;
        }
        let mut options = self.options.clone();
        options.module = program.into();
        options.arguments = arguments.args.iter().map(OsString::from).collect();
        options.environment.extend(arguments.env.iter().map(|(name, value)| format!("{name}={value}").into()));
        // A program is debugged where its files are, unless it was said which it gets.
        if options.directories.is_empty() {
            options.directories.push(".".into());
        }
        options.told = Some(self.session.clone());
        let engine = load::engine(&options)?;
        let mut thread = None;
        let mut room = Room::new(&options, &engine, |store| {
            thread = Some(self.session.add(store, program).or_end(FAILURE, "attaching a debugger")?);
            Ok(None)
        })?;
        let module = loaded(&options, &engine, &mut room)?;
        self.session.set_file(&module, program);
        let thread = thread.ok_or("no store was made").or_end(FAILURE, program)?;
        Ok(Program { options, room, module, thread })
    }
}

impl Launch for Host {
    fn prepare(&mut self, arguments: &LaunchArguments) -> Result<(), String> {
        let program = arguments.program.as_deref().ok_or("`program` has to be the path of a module")?;
        let ready = self.ready(arguments, program);
        self.ready = Some(ready.map_err(|ending| ending.message.unwrap_or_else(|| "it cannot be run".to_owned()))?);
        Ok(())
    }

    fn begin(&mut self) {
        let Some(Program { options, mut room, module, thread }) = self.ready.take() else { return };
        let session = self.session.clone();
        std::thread::spawn(move || {
            let outcome = match end_of(&options, &mut room, &module) {
                Ok((_, outcome)) => outcome,
                Err(ending) => Outcome::Trapped(ending.message.unwrap_or_default()),
            };
            session.end(thread, outcome);
        });
    }
}
