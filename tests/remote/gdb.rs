//! gdb's protocol, spoken by a client of our own: what is answered to what, and clients that misbehave. What a real one
//! makes of it is tested by `tests/lldb.py`.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};
use stepwell::remote::session::{OnDisconnect, Outcome, OutputStream, SessionOptions};
use stepwell::remote::{Listen, ServeOptions, Server};
use stepwell::{Config, Engine, Instance, Module, Result, Store};

const GUEST: &str = r#"(module $guest
    (memory (export "memory") 1)
    (data (i32.const 16) "a#$}*b\03\ff")
    (global $g (export "g") (mut i64) (i64.const -2))
    (func $leaf (export "leaf") (param i32) (result i32)
        (i32.store (i32.const 64) (local.get 0))
        (i32.add (local.get 0) (i32.const 1)))
    (func $two (export "two") (param i32) (result i32)
        (drop (call $leaf (i32.const 1))) (i32.add (i32.const 5) (call $leaf (local.get 0))))
    (func (export "spin") (param i32) (result i32)
        (loop $turn (br_if $turn (i32.eqz (i32.load (i32.const 0)))))
        (i32.const 42))
    (func (export "crash") (param i32) (result i32) (unreachable)))"#;

const SOON: Duration = Duration::from_secs(20);

struct Host {
    store: Store,
    module: Module,
    instance: Instance,
}

fn host(options: ServeOptions) -> (Host, Server) {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &wat::parse_str(GUEST).unwrap()).unwrap();
    let mut store = Store::new(&engine);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let server = Server::serve(&mut store, options).unwrap();
    (Host { store, module, instance }, server)
}

fn waiting() -> ServeOptions {
    ServeOptions { session: SessionOptions { wait: true, ..SessionOptions::default() }, ..ServeOptions::default() }
}

impl Host {
    fn call(&mut self, name: &str, arg: i32) -> Result<i32> {
        self.instance.typed_func::<i32, i32>(&mut self.store, name)?.call(&mut self.store, arg)
    }

    fn begin(mut self, name: &'static str, arg: i32) -> JoinHandle<(Result<i32>, Host)> {
        spawn(move || (self.call(name, arg), self))
    }

    /// Where a function's first instruction is.
    fn start_of(&self, func: u32) -> u64 {
        let func = stepwell::base::FuncIndex::new(func);
        let start = self.module.instructions(func, stepwell::base::WasmOffset::new(0), 1).unwrap();
        u64::from(start[0].offset.get())
    }
}

/// A client.
struct Gdb {
    stream: TcpStream,
    acks: bool,
}

impl Gdb {
    fn raw(server: &Server) -> Gdb {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        Gdb { stream, acks: true }
    }

    /// One that has come, for which the guest stands or is nowhere.
    fn new(server: &Server) -> (Gdb, String) {
        let mut gdb = Gdb::raw(server);
        assert_eq!(gdb.ask("QStartNoAckMode"), "OK");
        gdb.acks = false;
        assert_eq!(gdb.ask("QEnableErrorStrings"), "OK");
        let why = gdb.ask("?");
        (gdb, why)
    }

    fn send(&mut self, said: &[u8]) {
        let mut packet = b"$".to_vec();
        for byte in said {
            match byte {
                b'$' | b'#' | b'}' | b'*' => packet.extend([b'}', byte ^ 0x20]),
                _ => packet.push(*byte),
            }
        }
        let sum = packet[1..].iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        packet.extend(format!("#{sum:02x}").bytes());
        self.stream.write_all(&packet).unwrap();
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        (self.stream.read(&mut byte).ok()? == 1).then_some(byte[0])
    }

    /// The next packet; none where the connection has ended.
    fn receive(&mut self) -> Option<Vec<u8>> {
        while self.byte()? != b'$' {}
        let (mut said, mut sum) = (Vec::new(), 0u8);
        loop {
            let mut byte = self.byte()?;
            if byte == b'#' {
                break;
            }
            sum = sum.wrapping_add(byte);
            if byte == b'}' {
                let escaped = self.byte()?;
                sum = sum.wrapping_add(escaped);
                byte = escaped ^ 0x20;
            }
            said.push(byte);
        }
        let digits = [self.byte()?, self.byte()?];
        assert_eq!(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16), Ok(sum));
        if self.acks {
            self.stream.write_all(b"+").unwrap();
        }
        Some(said)
    }

    fn ask(&mut self, said: &str) -> String {
        self.send(said.as_bytes());
        String::from_utf8(self.receive().expect("an answer")).unwrap()
    }

    /// Asks what is refused; what it says.
    fn refused(&mut self, said: &str) -> String {
        let answer = self.ask(said);
        let words = answer.strip_prefix("E01;").unwrap_or_else(|| panic!("{said}: {answer}"));
        let bytes: Vec<u8> =
            (0..words.len()).step_by(2).map(|i| u8::from_str_radix(&words[i..i + 2], 16).unwrap()).collect();
        String::from_utf8(bytes).unwrap()
    }

    /// Whether the connection ends.
    fn is_ended(&mut self) -> bool {
        std::iter::from_fn(|| self.byte()).count();
        let mut byte = [0];
        matches!(self.stream.read(&mut byte), Ok(0) | Err(_))
    }
}

/// An address of code, as it stands in a stop.
fn pc(address: u64) -> String {
    format!("00:{};", address.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

const CODE: u64 = 0x4000_0001_0000_0000;

#[test]
fn a_guest_is_debugged() {
    let (host, server) = host(waiting());
    let (leaf, two) = (CODE | host.start_of(0), CODE | host.start_of(1));
    let binary = host.module.binary().to_vec();
    let guest = host.begin("two", 7);
    let (mut gdb, why) = Gdb::new(&server);
    // Functions begin with the types of their locals, of which there are none.
    assert_eq!(why, format!("T02thread:1;{}reason:signal;", pc(two - 1)));
    assert!(gdb.ask("qSupported:xmlRegisters=i386").contains("qXfer:libraries:read+"));
    assert_eq!(gdb.ask("qC"), "QC1");
    assert_eq!(gdb.ask("qfThreadInfo") + &gdb.ask("qsThreadInfo"), "m1l");
    assert!(gdb.ask("qProcessInfo").contains("ptrsize:4;"));
    assert!(gdb.ask("qRegisterInfo0").starts_with("name:pc;"));
    gdb.refused("qRegisterInfo1");
    assert_eq!(gdb.ask("vCont?"), "vCont;c;C;s;S");
    assert_eq!(gdb.ask("qNobodyKnowsThis"), "");
    let list =
        r#"<library-list><library name="guest"><section address="0x4000000100000000"/></library></library-list>"#;
    assert_eq!(gdb.ask("qXfer:libraries:read::0,3fff"), format!("l{list}"));
    assert_eq!(gdb.ask("qXfer:libraries:read::0,8"), format!("m{}", &list[..8]));
    assert_eq!(gdb.ask("qXfer:libraries:read::ffff,8"), "l");
    // The module's file, in digits and as it is.
    assert_eq!(gdb.ask("m4000000100000000,8"), "0061736d01000000");
    assert_eq!(gdb.ask("x0,0"), "OK");
    gdb.send(b"x4000000100000000,ffffff");
    assert!(gdb.receive().unwrap() == binary);
    assert!(gdb.refused(&format!("m{:x},4", CODE + binary.len() as u64)).contains("behind the end"));
    assert!(gdb.refused("m4000000900000000,4").contains("no instance 9"));
    assert!(gdb.refused("m8000000000000000,4").contains("no address"));
    assert!(gdb.refused("mxyz").contains("an address"));
    // Its memory, by its number and without.
    for number in ["", "1000000"] {
        assert_eq!(gdb.ask(&format!("m{number}10,8")), "6123247d2a6203ff");
    }
    gdb.send(b"x10,8");
    assert_eq!(gdb.receive().unwrap(), b"a#$}*b\x03\xff");
    assert_eq!(gdb.ask("mfffe,8"), "0000");
    assert!(gdb.refused("m10000,8").contains("ends before"));
    assert_eq!(gdb.ask("M10,2:4142"), "OK");
    gdb.send(b"X12,2:#}");
    assert_eq!(gdb.receive().unwrap(), b"OK");
    assert_eq!(gdb.ask("m10,4"), "4142237d");
    assert!(gdb.refused("Mffff,2:0102").contains("memory"));
    assert!(gdb.refused("M10,3:0102").contains("not as many"));
    assert!(gdb.refused("M4000000100000000,1:00").contains("only memories"));
    let region = gdb.ask("qMemoryRegionInfo:4000000100000004");
    assert_eq!(region, format!("start:4000000100000000;size:{:x};permissions:rx;name:6775657374;", binary.len()));
    assert!(gdb.ask("qMemoryRegionInfo:100000010").starts_with("start:100000000;size:10000;permissions:rw;"));
    assert_eq!(gdb.ask("qMemoryRegionInfo:10000"), "start:10000;size:ffff0000;");
    // A breakpoint, asked for where the function's locals are declared.
    assert_eq!(gdb.ask(&format!("Z0,{:x},1", leaf - 1)), "OK");
    assert_eq!(gdb.ask(&format!("Z0,{:x},1", leaf - 1)), "OK");
    assert!(gdb.refused("Z0,4000000100000001,1").contains("function"));
    assert!(gdb.refused("Z0,10,1").contains("in code"));
    assert_eq!(gdb.ask("Z7,10,1"), "");
    assert_eq!(gdb.ask("c"), format!("T05thread:1;{}reason:breakpoint;", pc(leaf - 1)));
    let stack = gdb.ask("qWasmCallStack:1");
    assert_eq!(stack.len(), 32);
    assert!(stack.starts_with(pc(leaf - 1).trim_start_matches("00:").trim_end_matches(';')));
    assert_eq!(gdb.ask("p0"), stack[..16]);
    assert_eq!(gdb.ask("g"), stack[..16]);
    let caller = u64::from_str_radix(&stack[16..], 16).unwrap().swap_bytes();
    assert_eq!(caller, two + 4, "behind `i32.const` and `call`");
    assert_eq!(gdb.ask("qWasmLocal:0;0"), "01000000");
    assert_eq!(gdb.ask("qWasmLocal:1;0"), "07000000");
    assert!(gdb.refused("qWasmLocal:0;9").contains("no such value"));
    assert!(gdb.refused("qWasmLocal:7;0").contains("no such value"));
    assert_eq!(gdb.ask("qWasmGlobal:0;0"), "feffffffffffffff");
    gdb.refused("qWasmGlobal:0;1");
    // Steps, up to the store's operands.
    for _ in 0..2 {
        assert!(gdb.ask("vCont;s:1").contains("reason:trace;"));
    }
    assert_eq!(gdb.ask("qWasmStackValue:0;0"), "40000000", "the bottom one");
    assert_eq!(gdb.ask("qWasmStackValue:0;1"), "01000000");
    assert_eq!(gdb.ask(&format!("z0,{:x},1", leaf - 1)), "OK");
    assert_eq!(gdb.ask(&format!("z0,{:x},1", leaf - 1)), "OK");
    // A watchpoint: both calls write.
    assert_eq!(gdb.ask("qWatchpointSupportInfo:"), "num:1024;");
    assert_eq!(gdb.ask("Z2,40,4"), "OK");
    assert!(gdb.refused("Z2,20000,4").contains("memory"));
    for value in ["01", "07"] {
        assert!(gdb.ask("c").ends_with("watch:40;"));
        assert_eq!(gdb.ask("m40,4"), format!("{value}000000"));
    }
    assert_eq!(gdb.ask("z2,40,4"), "OK");
    gdb.send(b"c");
    let (result, host) = guest.join().unwrap();
    assert_eq!(result.unwrap(), 13);
    server.output(OutputStream::Out, b"hello");
    assert_eq!(gdb.receive().unwrap(), b"O68656c6c6f");
    server.end(Outcome::Exited(3));
    assert_eq!(gdb.receive().unwrap(), b"W03");
    assert_eq!(gdb.ask("?"), "W00");
    drop((server, host));
    assert!(gdb.is_ended());
}

#[test]
fn a_guest_that_runs_stops_and_goes_on() {
    let (host, server) = host(ServeOptions::default());
    let guest = host.begin("spin", 0);
    let (mut gdb, why) = Gdb::new(&server);
    assert!(why.starts_with("T02thread:1;00:") && why.ends_with("reason:signal;"), "{why}");
    for _ in 0..3 {
        gdb.send(b"c");
        gdb.stream.write_all(b"\x03").unwrap();
        assert!(gdb.receive().unwrap().starts_with(b"T02"));
    }
    gdb.refused("vCont;t");
    // The guest sees what was written.
    assert_eq!(gdb.ask("M0,1:01"), "OK");
    assert_eq!(gdb.ask("D"), "OK");
    assert!(gdb.is_ended());
    assert_eq!(guest.join().unwrap().0.unwrap(), 42);
}

#[test]
fn where_no_guest_runs_there_are_no_frames_and_what_is_set_waits() {
    let (host, server) = host(ServeOptions::default());
    let leaf = CODE | host.start_of(0);
    let (mut gdb, why) = Gdb::new(&server);
    assert_eq!(why, format!("T02thread:1;{}reason:signal;", pc(0)));
    assert_eq!(gdb.ask("qWasmCallStack:1"), "");
    assert_eq!(gdb.ask("qThreadStopInfo1"), why);
    gdb.refused("m10,4");
    assert_eq!(gdb.ask("m4000000100000000,4"), "0061736d");
    assert_eq!(gdb.ask(&format!("Z0,{leaf:x},1")), "OK");
    assert_eq!(gdb.ask(&format!("Z0,{:x},1", leaf + 2)), "OK");
    assert_eq!(gdb.ask(&format!("z0,{:x},1", leaf + 2)), "OK");
    assert!(gdb.refused("Z0,4000000100000001,1").contains("function"));
    gdb.send(b"c");
    let guest = host.begin("leaf", 1);
    let stopped = gdb.receive().unwrap();
    assert_eq!(String::from_utf8(stopped).unwrap(), format!("T05thread:1;{}reason:breakpoint;", pc(leaf)));
    gdb.send(b"c");
    let (result, host) = guest.join().unwrap();
    assert_eq!(result.unwrap(), 2);
    // A guest that comes while it is taken to be nowhere stands, and is told of then.
    gdb.stream.write_all(b"\x03").unwrap();
    assert_eq!(String::from_utf8(gdb.receive().unwrap()).unwrap(), why);
    let guest = host.begin("two", 1);
    while gdb.ask("qWasmCallStack:1").is_empty() {}
    gdb.send(b"c");
    assert!(gdb.receive().unwrap().ends_with(b"reason:breakpoint;"));
    assert_eq!(gdb.ask(&format!("z0,{leaf:x},1")), "OK");
    gdb.send(b"c");
    assert_eq!(guest.join().unwrap().0.unwrap(), 7);
}

#[test]
fn traps_and_killing() {
    let (host, server) = host(ServeOptions::default());
    let (mut gdb, _) = Gdb::new(&server);
    gdb.send(b"c");
    let guest = host.begin("crash", 1);
    let stopped = String::from_utf8(gdb.receive().unwrap()).unwrap();
    let text: String = "trap: unreachable".bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(stopped.contains("reason:exception;description:") && stopped.contains(&text[..12]), "{stopped}");
    gdb.send(b"c");
    let (result, host) = guest.join().unwrap();
    server.end(Outcome::Trapped(result.unwrap_err().message().to_owned()));
    assert_eq!(gdb.receive().unwrap(), b"X06");
    drop((server, host));
    let (host, server) = self::host(waiting());
    let guest = host.begin("spin", 0);
    let (mut gdb, _) = Gdb::new(&server);
    gdb.send(b"k");
    assert!(gdb.is_ended());
    let (result, _host) = guest.join().unwrap();
    assert_eq!(result.unwrap_err().message(), "the debugger has ended the program");
}

#[test]
fn instances_that_come_are_told_of_before_they_start() {
    let (mut host, server) = host(ServeOptions::default());
    let (mut gdb, _) = Gdb::new(&server);
    gdb.send(b"c");
    let module = host.module.clone();
    let guest = spawn(move || {
        let second = Instance::new(&mut host.store, &module, &[]).unwrap();
        let leaf = second.typed_func::<i32, i32>(&mut host.store, "leaf").unwrap();
        (leaf.call(&mut host.store, 1), host.call("leaf", 1))
    });
    let stopped = gdb.receive().unwrap();
    assert!(stopped.starts_with(b"T14") && stopped.ends_with(b"library:;"), "{}", String::from_utf8_lossy(&stopped));
    let list = gdb.ask("qXfer:libraries:read::0,3fff");
    assert!(list.contains(r#"name="guest""#) && list.contains(r##"name="guest#2""##), "{list}");
    let start = list.split("0x40000002").count();
    assert_eq!(start, 2, "{list}");
    // Only of the one instance.
    let leaf = 0x4000_0002_0000_0000 | host_start();
    assert_eq!(gdb.ask(&format!("Z0,{leaf:x},1")), "OK");
    gdb.send(b"c");
    assert!(String::from_utf8(gdb.receive().unwrap()).unwrap().contains(&pc(leaf)));
    gdb.send(b"c");
    let (second, first) = guest.join().unwrap();
    assert_eq!((second.unwrap(), first.unwrap()), (2, 2));
}

/// Where `leaf` begins.
fn host_start() -> u64 {
    let engine = Engine::new(Config::default()).unwrap();
    let module = Module::new(&engine, &wat::parse_str(GUEST).unwrap()).unwrap();
    let func = stepwell::base::FuncIndex::new(0);
    u64::from(module.instructions(func, stepwell::base::WasmOffset::new(0), 1).unwrap()[0].offset.get())
}

#[test]
fn only_one_at_a_time_and_only_who_knows_the_token() {
    let (mut host, server) = host(ServeOptions { token: Some("secret".to_owned()), ..ServeOptions::default() });
    let mut stranger = Gdb::raw(&server);
    stranger.stream.write_all(b"stepwell guess\n").unwrap();
    assert!(stranger.is_ended());
    let mut gdb = Gdb::raw(&server);
    gdb.stream.write_all(b"stepwell secret\n").unwrap();
    assert_eq!(gdb.ask("QStartNoAckMode"), "OK");
    let mut second = Gdb::raw(&server);
    second.stream.write_all(b"stepwell secret\n").unwrap();
    let said = String::from_utf8(second.receive().unwrap()).unwrap();
    assert!(said.starts_with("E.another debugger"), "{said}");
    assert!(second.is_ended());
    // More than are let in at all.
    let crowd: Vec<Gdb> = (0..30).map(|_| Gdb::raw(&server)).collect();
    drop(crowd);
    assert_eq!(host.call("two", 1).unwrap(), 7);
    gdb.acks = false;
    assert_eq!(gdb.ask("qC"), "QC1");
}

/// A guest that stands, whose client does this, goes on.
fn misbehave(what: &str, does: impl FnOnce(&mut Gdb)) {
    let (host, server) = host(waiting());
    let leaf = CODE | host.start_of(0);
    let guest = host.begin("two", 7);
    let (mut gdb, _) = Gdb::new(&server);
    assert_eq!(gdb.ask(&format!("Z0,{leaf:x},1")), "OK");
    assert!(gdb.ask("c").contains("breakpoint"));
    assert!(!guest.is_finished());
    does(&mut gdb);
    let begun = Instant::now();
    let (result, mut host) = guest.join().unwrap();
    assert_eq!(result.unwrap(), 13, "{what}");
    assert!(begun.elapsed() < SOON, "{what}");
    drop(gdb);
    // The next one is served.
    let (mut gdb, _) = Gdb::new(&server);
    gdb.send(b"c");
    assert_eq!(host.call("two", 1).unwrap(), 7, "{what}");
}

#[test]
fn clients_that_misbehave_hold_nobody() {
    misbehave("goes", |gdb| gdb.stream.shutdown(Shutdown::Both).unwrap());
    misbehave("goes in the middle of a packet", |gdb| {
        gdb.stream.write_all(b"$qWasmCallS").unwrap();
        gdb.stream.shutdown(Shutdown::Both).unwrap();
    });
    misbehave("goes in the middle of a checksum", |gdb| {
        gdb.stream.write_all(b"$?#3").unwrap();
        gdb.stream.shutdown(Shutdown::Write).unwrap();
    });
    misbehave("sends rubbish", |gdb| {
        let rubbish: Vec<u8> = (0..100_000u32).map(|i| (i * 7919 % 251) as u8 | 0x80).collect();
        _ = gdb.stream.write_all(&rubbish);
    });
    misbehave("sends 100 MB in one packet", |gdb| {
        let part = vec![b'x'; 1 << 20];
        let mut sent = gdb.stream.write_all(b"$");
        for _ in 0..100 {
            sent = sent.and_then(|()| gdb.stream.write_all(&part));
        }
        assert!(sent.is_err(), "nobody takes all of it");
    });
    misbehave("speaks HTTP", |gdb| _ = gdb.stream.write_all(&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100)));
    misbehave("asks and does not listen", |gdb| {
        // Until nobody listens to it either.
        gdb.stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
        let ask = b"$m4000000100000000,400#00".repeat(1000);
        let good = {
            let said = b"m4000000100000000,400";
            let sum = said.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            [&b"$"[..], said, format!("#{sum:02x}").as_bytes()].concat().repeat(1000)
        };
        assert_eq!(ask.len(), good.len());
        while gdb.stream.write_all(&good).is_ok() {}
    });
}

#[test]
fn packets_that_make_no_sense_are_answered() {
    let (host, server) = host(waiting());
    let guest = host.begin("two", 7);
    let (mut gdb, _) = Gdb::new(&server);
    for said in [
        "",
        "!",
        "m",
        "m,",
        "m1",
        "m1,",
        "mffffffffffffffff,ffffffffffffffff",
        "x1",
        "M",
        "M1,1",
        "M1,1:",
        "M1,1:0",
        "M1,1:zz",
        "X",
        "X1,1",
        "X1,1:",
        "Z",
        "Z0",
        "Z0,",
        "Z0,1",
        "Z2,ffffffff,ffffffffffffffff",
        "Z2,0,0",
        "z9,1,1",
        "Z99999999999,1,1",
        "z",
        "p",
        "p1",
        "pzz",
        "qXfer:libraries:read::",
        "qXfer:libraries:read::x,y",
        "qXfer:libraries:read::ffffffffffffffff,ffffffffffffffff",
        "qMemoryRegionInfo:",
        "qMemoryRegionInfo:zz",
        "qWasmLocal:",
        "qWasmLocal:0",
        "qWasmLocal:99999999999999999999;1",
        "qWasmLocal:-1;0",
        "qWasmGlobal:0;4294967296",
        "qWasmStackValue:0;18446744073709551615",
        "vCont;",
        "vCont;x",
        "vFile:open:2f",
        "vUnknown",
        "qThreadStopInfo",
        "qThreadStopInfo9",
        "Qx",
        "jThreadsInfo",
        "\u{e9}",
        "Hg-1",
        "T7",
    ] {
        gdb.send(said.as_bytes());
        let answer = gdb.receive().unwrap_or_else(|| panic!("no answer to {said}"));
        let known = answer.is_empty() || answer.starts_with(b"E01") || answer == b"OK" || answer.starts_with(b"l");
        assert!(known || said.starts_with("qMemory"), "{said}: {}", String::from_utf8_lossy(&answer));
    }
    for said in [&b"\xff\xfe"[..], b"X10,3:\x00\xff\x80", b"m\x00", b"X\xff,1:a"] {
        gdb.send(said);
        assert!(gdb.receive().is_some());
    }
    // Every byte as the first.
    for first in (0..=255u8).filter(|first| !b"cCsSDk".contains(first)) {
        gdb.send(&[first, b'0', b',', b'1']);
        assert!(gdb.receive().is_some(), "{first}");
    }
    assert_eq!(gdb.ask("m10,3"), "00ff80", "and what made sense was done");
    gdb.send(b"D");
    assert_eq!(guest.join().unwrap().0.unwrap(), 13);
}

#[test]
fn damaged_packets_are_asked_for_again_and_answers_are_sent_again() {
    let (_host, server) = host(ServeOptions::default());
    let mut gdb = Gdb::raw(&server);
    gdb.stream.write_all(b"+$qC#00").unwrap();
    assert_eq!(gdb.byte(), Some(b'-'));
    gdb.stream.write_all(b"$qC#b4").unwrap();
    assert_eq!(gdb.byte(), Some(b'+'));
    assert_eq!(gdb.receive().unwrap(), b"QC1");
    for _ in 0..8 {
        gdb.stream.write_all(b"-").unwrap();
        assert_eq!(gdb.receive().unwrap(), b"QC1");
    }
    gdb.stream.write_all(b"-").unwrap();
    assert!(gdb.is_ended(), "there is an end to it");
}

#[test]
fn unix_sockets_and_descriptors() {
    let path = std::env::temp_dir().join(format!("stepwell-gdb-{}", std::process::id()));
    let (_host, server) = host(ServeOptions { listen: Listen::Unix(path.clone()), ..ServeOptions::default() });
    assert_eq!(server.address(), path.display().to_string());
    let talk = |mut stream: UnixStream| {
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(b"+$qC#b4").unwrap();
        let mut said = [0; 8];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"+$QC1#c5");
    };
    talk(UnixStream::connect(&path).unwrap());
    drop(server);
    assert!(!path.exists());
    for wait in [false, true] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let session = SessionOptions { wait, on_disconnect: OnDisconnect::Wait };
        let listen = Listen::Pair(theirs.try_clone().unwrap().into(), theirs.into());
        let (mut host, server) = host(ServeOptions { listen, session, ..ServeOptions::default() });
        talk(ours);
        // It is gone, and nobody else can come, so nobody is waited for.
        assert_eq!(host.call("two", 7).unwrap(), 13);
        while server.session().has_client() {
            std::thread::yield_now();
        }
        assert!(!server.wait_for_client(None));
    }
}

#[test]
fn a_server_that_ends_lets_all_go() {
    for connected in [false, true] {
        let (host, mut server) = host(waiting());
        let gdb = connected.then(|| Gdb::new(&server).0);
        let guest = host.begin("two", 7);
        std::thread::sleep(Duration::from_millis(50));
        let begun = Instant::now();
        server.stop();
        assert_eq!(guest.join().unwrap().0.unwrap(), 13);
        assert!(begun.elapsed() < SOON);
        assert!(TcpStream::connect(server.address()).is_err());
        if let Some(mut gdb) = gdb {
            assert!(gdb.is_ended());
        }
    }
    // And so does one that nobody has stopped.
    let (mut host, server) = host(waiting());
    drop(server);
    assert_eq!(host.call("two", 7).unwrap(), 13);
}

#[test]
fn what_cannot_be_served_is_refused() {
    let engine = Engine::new(Config::default()).unwrap();
    let mut store = Store::new(&engine);
    assert!(Server::serve(&mut store, ServeOptions::default()).is_err(), "no debugging");
    let (mut host, server) = host(ServeOptions::default());
    assert!(Server::serve(&mut host.store, ServeOptions::default()).is_err(), "a debugger is attached");
    let taken = Listen::Tcp(server.address().to_owned());
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let mut store = Store::new(&engine);
    let error = Server::serve(&mut store, ServeOptions { listen: taken, ..ServeOptions::default() }).err().unwrap();
    assert!(error.message().contains("in use"), "{error}");
    assert!(Server::serve(&mut store, ServeOptions::default()).is_ok(), "nothing is left of it");
}
