//! A client of the Debug Adapter Protocol, and hosts for it: what the tests of it have in common.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;
use stepwell::remote::dap::{Launch, LaunchArguments, Stream, serve};
use stepwell::remote::session::{Outcome, Session, SessionOptions, ThreadId};
use stepwell::{Config, Engine, Linker, Module, Store, Val};

pub fn support(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The path of a source as an editor has it.
pub fn path(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(name).to_str().unwrap().to_owned()
}

/// The first line that has this text.
pub fn line(file: &str, text: &str) -> u32 {
    let source = String::from_utf8(support(file)).unwrap();
    1 + source.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}")) as u32
}

/// What a host does with a guest: it calls an export, whose result is the exit status.
#[derive(Clone)]
pub struct Guest {
    pub binary: Vec<u8>,
    pub export: &'static str,
    pub args: Vec<i32>,
}

pub fn guest(file: &str, export: &'static str, arg: i32) -> Guest {
    Guest { binary: support(file), export, args: vec![arg] }
}

pub fn wat(text: &str, export: &'static str, args: &[i32]) -> Guest {
    Guest { binary: wat::parse_str(text).unwrap(), export, args: args.to_vec() }
}

pub struct Host {
    session: Session,
    guest: Guest,
    ready: Option<(Store, Engine, ThreadId)>,
    pub asked: Arc<Mutex<Option<LaunchArguments>>>,
}

impl Host {
    pub fn new(session: &Session, guest: Guest) -> Host {
        Host { session: session.clone(), guest, ready: None, asked: Arc::default() }
    }

    /// Runs it to its end, which the session is told.
    pub fn run(&mut self) -> stepwell::Result<i32> {
        let (mut store, engine, thread) = self.ready.take().unwrap();
        let module = Module::new(&engine, &self.guest.binary).unwrap();
        let mut linker = Linker::new(&engine);
        linker.fill_missing_with_defaults(&mut store, &module).unwrap();
        let mut run = || {
            let instance = linker.instantiate(&mut store, &module)?;
            let func = instance.export(&mut store, self.guest.export).unwrap().func().unwrap();
            let args: Vec<Val> = self.guest.args.iter().map(|arg| Val::I32(*arg)).collect();
            let mut results = [Val::I32(0)];
            func.call(&mut store, &args, &mut results)?;
            let [Val::I32(result)] = results else { panic!() };
            Ok(result)
        };
        let result: stepwell::Result<i32> = run();
        let outcome = match &result {
            Ok(code) => Outcome::Exited(*code),
            Err(error) => Outcome::Trapped(error.message().to_owned()),
        };
        self.session.end(thread, outcome);
        result
    }

    pub fn prepare_here(&mut self) {
        let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
        let mut store = Store::new(&engine);
        let thread = self.session.add(&mut store, "main").unwrap();
        self.ready = Some((store, engine, thread));
    }
}

impl Launch for Host {
    fn prepare(&mut self, arguments: &LaunchArguments) -> Result<(), String> {
        if arguments.program.as_deref() == Some("missing") {
            return Err("there is no program `missing`".to_owned());
        }
        *self.asked.lock().unwrap() = Some(arguments.clone());
        self.prepare_here();
        Ok(())
    }

    fn begin(&mut self) {
        let mut host = Host::new(&self.session, self.guest.clone());
        host.ready = self.ready.take();
        spawn(move || host.run());
    }
}

/// A client of an adapter.
pub struct Dap {
    pub stream: UnixStream,
    input: BufReader<UnixStream>,
    sequence: i64,
    pub events: VecDeque<Value>,
    pub adapter: Option<JoinHandle<()>>,
    pub session: Session,
}

impl Dap {
    /// Lets a client in to a session.
    pub fn connect(session: &Session, launch: Option<Box<dyn Launch>>) -> Dap {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let client = session.connect().unwrap();
        let (input, output, closed) =
            (theirs.try_clone().unwrap(), theirs.try_clone().unwrap(), theirs.try_clone().unwrap());
        let stream = Stream {
            input: Box::new(input),
            output: Box::new(output),
            close: Box::new(move || drop(closed.shutdown(Shutdown::Both))),
        };
        let adapter = spawn(move || serve(client, stream, launch));
        drop(theirs);
        let input = BufReader::new(ours.try_clone().unwrap());
        let session = session.clone();
        Dap { stream: ours, input, sequence: 0, events: VecDeque::new(), adapter: Some(adapter), session }
    }

    /// A client that may launch a guest, and has said who it is.
    pub fn for_guest(guest: Guest) -> Dap {
        let session = Session::new(SessionOptions::default());
        let host = Host::new(&session, guest);
        let mut dap = Dap::connect(&session, Some(Box::new(host)));
        dap.ok("initialize", json!({ "adapterID": "stepwell" }));
        dap
    }

    /// The same, and the guest is ready to run.
    pub fn launched(guest: Guest) -> Dap {
        let mut dap = Dap::for_guest(guest);
        dap.ok("launch", json!({ "program": "guest.wasm" }));
        dap.event("initialized");
        dap
    }

    pub fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.stream.write_all(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    }

    /// The next message; none where the adapter has ended it.
    pub fn receive(&mut self) -> Option<Value> {
        let mut length = 0;
        loop {
            let mut line = String::new();
            match self.input.read_line(&mut line) {
                Ok(0) => return None,
                // It has not read all that was sent.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                read => drop(read.expect("a message in time")),
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            length = line.strip_prefix("Content-Length: ").expect("a length").parse().unwrap();
        }
        let mut body = vec![0; length];
        self.input.read_exact(&mut body).unwrap();
        Some(serde_json::from_slice(&body).unwrap())
    }

    /// Sends a request; its number.
    pub fn ask(&mut self, command: &str, arguments: Value) -> i64 {
        self.sequence += 1;
        let sequence = self.sequence;
        self.send(&json!({ "seq": sequence, "type": "request", "command": command, "arguments": arguments }));
        sequence
    }

    pub fn response(&mut self, request: i64) -> Value {
        loop {
            let message = self.receive().expect("a response");
            if message["type"] == "response" && message["request_seq"] == request {
                return message;
            }
            self.events.push_back(message);
        }
    }

    pub fn request(&mut self, command: &str, arguments: Value) -> Value {
        let request = self.ask(command, arguments);
        let response = self.response(request);
        assert_eq!(response["command"], command);
        response
    }

    /// The body of a request that has to succeed.
    pub fn ok(&mut self, command: &str, arguments: Value) -> Value {
        let response = self.request(command, arguments);
        assert_eq!(response["success"], true, "{response}");
        response["body"].clone()
    }

    /// What a request that has to fail says.
    pub fn refused(&mut self, command: &str, arguments: Value) -> String {
        let response = self.request(command, arguments);
        assert_eq!(response["success"], false, "{response}");
        response["body"]["error"]["format"].as_str().unwrap().to_owned()
    }

    /// The first event of a name that was not asked for yet.
    pub fn event(&mut self, name: &str) -> Value {
        loop {
            if let Some(at) = self.events.iter().position(|event| event["event"] == name) {
                return self.events.remove(at).unwrap()["body"].clone();
            }
            let message = self.receive().unwrap_or_else(|| panic!("no event {name}"));
            self.events.push_back(message);
        }
    }

    pub fn stopped(&mut self, reason: &str) -> Value {
        let stopped = self.event("stopped");
        assert_eq!(stopped["reason"], reason, "{stopped}");
        stopped
    }

    pub fn frames(&mut self) -> Vec<Value> {
        self.ok("stackTrace", json!({ "threadId": 1 }))["stackFrames"].as_array().unwrap().clone()
    }

    /// Function and line of the innermost frame.
    pub fn top(&mut self) -> (String, u64) {
        let top = self.frames().remove(0);
        (top["name"].as_str().unwrap().to_owned(), top["line"].as_u64().unwrap())
    }

    pub fn top_id(&mut self) -> i64 {
        self.frames()[0]["id"].as_i64().unwrap()
    }

    /// The number of a scope of a frame.
    pub fn scope(&mut self, frame: i64, name: &str) -> i64 {
        let scopes = self.ok("scopes", json!({ "frameId": frame }));
        let all = scopes["scopes"].as_array().unwrap();
        let found = all.iter().find(|scope| scope["name"] == name).unwrap_or_else(|| panic!("{name} in {scopes}"));
        found["variablesReference"].as_i64().unwrap()
    }

    pub fn variables(&mut self, reference: i64) -> Vec<Value> {
        let body = self.ok("variables", json!({ "variablesReference": reference }));
        body["variables"].as_array().unwrap().clone()
    }

    pub fn variable(&mut self, reference: i64, name: &str) -> Value {
        let all = self.variables(reference);
        let found = all.iter().find(|variable| variable["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {all:?}")).clone()
    }

    /// What an expression comes to in a frame.
    pub fn evaluate(&mut self, frame: i64, expression: &str) -> String {
        let body = self.ok("evaluate", json!({ "expression": expression, "frameId": frame, "context": "watch" }));
        body["result"].as_str().unwrap().to_owned()
    }

    pub fn set_lines(&mut self, file: &str, breakpoints: Value) -> Vec<Value> {
        let source = json!({ "path": path(file) });
        let body = self.ok("setBreakpoints", json!({ "source": source, "breakpoints": breakpoints }));
        body["breakpoints"].as_array().unwrap().clone()
    }

    pub fn go(&mut self, command: &str) {
        self.ok(command, json!({ "threadId": 1 }));
    }

    /// The end of a launched program, with its exit status.
    pub fn exited(&mut self) -> i64 {
        let code = self.event("exited")["exitCode"].as_i64().unwrap();
        self.event("terminated");
        code
    }

    pub fn disconnect(mut self) {
        self.ok("disconnect", json!({}));
        assert!(self.receive().is_none(), "nothing follows");
        self.adapter.take().unwrap().join().unwrap();
    }
}
