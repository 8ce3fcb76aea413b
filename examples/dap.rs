//! A debug adapter on standard input and output, for modules that need nothing of their host: an editor launches
//! `program` with `args`, of which the first is an export's name and the others are integers. Its result is the exit
//! status. `tests/dap/` drives it with a client of others.
//!
//! ```sh
//! cargo build --release --workspace --example dap     # then have an editor start target/release/examples/dap
//! ```

use std::io::{stdin, stdout};
use std::thread::{JoinHandle, spawn};
use stepwell::remote::dap::{Launch, LaunchArguments, Stream, serve};
use stepwell::remote::session::{Outcome, OutputStream, Session, SessionOptions, ThreadId};
use stepwell::{Config, Engine, Linker, Module, Store, Val};

/// A program that is ready to run.
struct Program {
    store: Store,
    module: Module,
    thread: ThreadId,
    export: String,
    args: Vec<Val>,
}

struct Host {
    session: Session,
    ready: Option<Program>,
    running: Option<JoinHandle<()>>,
}

impl Launch for Host {
    fn prepare(&mut self, arguments: &LaunchArguments) -> Result<(), String> {
        let path = arguments.program.as_deref().ok_or("`program` has to be the path of a module")?;
        let binary = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        let say = |error: stepwell::Error| format!("{path}: {error}");
        let engine = Engine::new(Config { debug: true, ..Config::default() }).map_err(say)?;
        let module = Module::new(&engine, &binary).map_err(say)?;
        let mut args = arguments.args.iter();
        let export = args.next().map_or("_start", String::as_str).to_owned();
        let number = |text: &String| text.parse().map(Val::I32).map_err(|_| format!("`{text}` is no integer"));
        let args = args.map(number).collect::<Result<Vec<Val>, String>>()?;
        let mut store = Store::new(&engine);
        let thread = self.session.add(&mut store, path).map_err(say)?;
        self.ready = Some(Program { store, module, thread, export, args });
        Ok(())
    }

    fn begin(&mut self) {
        let Some(mut program) = self.ready.take() else { return };
        let session = self.session.clone();
        self.running = Some(spawn(move || {
            let outcome = match run(&session, &mut program) {
                Ok(status) => Outcome::Exited(status),
                Err(error) => Outcome::Trapped(error.to_string()),
            };
            session.end(program.thread, outcome);
        }));
    }
}

/// Calls the export; its result.
fn run(session: &Session, program: &mut Program) -> stepwell::Result<i32> {
    let Program { store, module, export, args, .. } = program;
    let mut linker = Linker::new(store.engine());
    linker.fill_missing_with_defaults(&mut *store, module)?;
    let instance = linker.instantiate(&mut *store, module)?;
    let missing =
        || stepwell::Error::new(stepwell::base::ErrorKind::Argument, format!("there is no export `{export}`"));
    let func = instance.export(&mut *store, export).and_then(|item| item.func()).ok_or_else(missing)?;
    let mut results = vec![Val::I32(0); func.arity(&*store)?.1];
    func.call(&mut *store, args, &mut results)?;
    let text = format!("{export} has returned {results:?}\n");
    session.output(OutputStream::Out, text.as_bytes());
    match results.first() {
        Some(Val::I32(result)) => Ok(*result),
        _ => Ok(0),
    }
}

fn main() {
    let session = Session::new(SessionOptions::default());
    let host = Host { session: session.clone(), ready: None, running: None };
    let stream = Stream { input: Box::new(stdin()), output: Box::new(stdout()), close: Box::new(|| ()) };
    match session.connect() {
        Ok(client) => serve(client, stream, Some(Box::new(host))),
        Err(error) => eprintln!("{error}"),
    }
}
