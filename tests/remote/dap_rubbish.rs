//! Clients of the Debug Adapter Protocol that do not keep to it: each is told what is wrong, or its session ends, and
//! the guest goes on.

use crate::dap_client::{Dap, Host, guest};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::thread::spawn;
use std::time::{Duration, Instant};
use stepwell::remote::dap::{Stream, refuse};
use stepwell::remote::session::{OnDisconnect, Session, SessionOptions};

/// A client of a guest that its host runs, which waits for it.
fn waiting() -> (Dap, std::thread::JoinHandle<stepwell::Result<i32>>) {
    let options = SessionOptions { wait: true, on_disconnect: OnDisconnect::GoOn };
    let session = Session::new(options);
    let mut host = Host::new(&session, guest("dwarf/c0_5.wasm", "run", 2));
    host.prepare_here();
    let running = spawn(move || host.run());
    (Dap::connect(&session, None), running)
}

fn result(running: std::thread::JoinHandle<stepwell::Result<i32>>) -> i32 {
    running.join().unwrap().unwrap()
}

const RESULT: i32 = 3 + 8 + 2 - 300;

#[test]
fn bytes_that_are_no_messages_end_the_session() {
    for sent in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"Content-Length: 10\r\n\r\n{\"seq\"",
        b"Content-Length: 3\r\n\r\n{x}",
        b"Content-Length: 2\r\n\r\n\xff\xff",
        b"Content-Length: 99999999999\r\n\r\n",
        b"Content-Length: 5",
        b"\r\n\r\n",
        b"",
        &[b'['; 10_000],
    ] {
        let (mut dap, running) = waiting();
        dap.stream.write_all(sent).unwrap();
        dap.stream.shutdown(Shutdown::Write).unwrap();
        while dap.receive().is_some() {}
        dap.adapter.take().unwrap().join().unwrap();
        assert_eq!(result(running), RESULT, "{sent:?}");
    }
    // So deep is no message.
    let (mut dap, running) = waiting();
    let deep = "[".repeat(100_000);
    dap.stream.write_all(format!("Content-Length: {}\r\n\r\n{deep}", deep.len()).as_bytes()).unwrap();
    while dap.receive().is_some() {}
    assert_eq!(result(running), RESULT);
}

#[test]
fn messages_that_make_no_sense_are_refused() {
    let (mut dap, running) = waiting();
    for message in [
        json!({}),
        json!([]),
        json!(5),
        json!(null),
        json!({ "seq": "x", "type": "request", "command": "threads" }),
        json!({ "seq": 1, "type": "request" }),
        json!({ "seq": 1, "type": "what", "command": "threads" }),
    ] {
        dap.send(&message);
        let answer = dap.receive().unwrap();
        assert_eq!((&answer["type"], &answer["success"]), (&json!("response"), &json!(false)), "{message}");
    }
    // A response to nothing is passed over.
    dap.send(&json!({ "seq": 1, "type": "response", "command": "runInTerminal", "request_seq": 1, "success": true }));
    for command in ["threads", "launch", "attach", "configurationDone", "setBreakpoints", "terminate", "nonsense"] {
        assert!(dap.refused(command, json!({})).contains("initialize"), "{command}");
    }
    dap.ok("initialize", json!({ "adapterID": "x" }));
    assert!(dap.refused("initialize", json!({ "adapterID": "x" })).contains("already"));
    assert!(dap.refused("configurationDone", json!({})).contains("before"));
    dap.ok("attach", json!({}));
    dap.refused("nonsense", json!({}));
    dap.refused("threads", json!([1]));
    dap.refused("threads", json!("x"));
    dap.ok("disconnect", json!({}));
    assert_eq!(result(running), RESULT);
}

/// Values that no argument should be.
fn odd() -> Vec<Value> {
    let mut all =
        vec![json!(null), json!(true), json!(-1), json!(0), json!(1), json!(1.5), json!(1e300), json!(u64::MAX)];
    all.extend([
        json!(i64::MIN),
        json!(i64::MAX),
        json!(2_147_483_648u64),
        json!(""),
        json!("x"),
        json!("0x10"),
        json!([]),
    ]);
    all.extend([
        json!([[]]),
        json!([{}]),
        json!([null]),
        json!({}),
        json!({ "path": "x" }),
        json!({ "sourceReference": 1 }),
    ]);
    all.extend([
        json!("\u{0}{}\\"),
        json!("a".repeat(100_000)),
        json!("0x4000000100000020"),
        json!("0x4fffffffffffffff"),
    ]);
    all
}

#[test]
fn arguments_may_be_anything() {
    let (mut dap, running) = waiting();
    dap.ok("initialize", json!({}));
    dap.ok("attach", json!({ "stopOnEntry": true }));
    dap.ok("configurationDone", json!({}));
    dap.stopped("entry");
    let frame = dap.top_id();
    let scope = dap.scope(frame, "Locals");
    let commands: &[(&str, &[&str])] = &[
        ("setBreakpoints", &["source", "breakpoints", "lines"]),
        ("setFunctionBreakpoints", &["breakpoints"]),
        ("setInstructionBreakpoints", &["breakpoints"]),
        ("setDataBreakpoints", &["breakpoints"]),
        ("setExceptionBreakpoints", &["filters", "filterOptions"]),
        ("dataBreakpointInfo", &["name", "frameId", "variablesReference", "asAddress", "bytes"]),
        ("breakpointLocations", &["source", "line", "endLine", "column"]),
        ("exceptionInfo", &["threadId"]),
        ("stackTrace", &["threadId", "startFrame", "levels"]),
        ("scopes", &["frameId"]),
        ("variables", &["variablesReference", "start", "count", "filter", "format"]),
        ("setVariable", &["variablesReference", "name", "value"]),
        ("setExpression", &["expression", "value", "frameId"]),
        ("evaluate", &["expression", "frameId", "context"]),
        ("disassemble", &["memoryReference", "offset", "instructionOffset", "instructionCount"]),
        ("readMemory", &["memoryReference", "offset", "count"]),
        ("writeMemory", &["memoryReference", "offset"]),
        ("modules", &["startModule", "moduleCount"]),
        ("source", &["source", "sourceReference"]),
        ("cancel", &["requestId"]),
    ];
    let good = json!({
        "threadId": 1, "frameId": frame, "variablesReference": scope, "name": "n", "value": "2", "expression": "n",
        "memoryReference": "0x10", "count": 4, "line": 20, "data": "AA==", "source": { "path": "shapes.c" },
        "breakpoints": [], "filters": [], "instructionCount": 4
    });
    for (command, names) in commands {
        for name in *names {
            for value in odd() {
                let mut arguments = good.clone();
                // What is watched costs nothing here, and what is written changes nothing that counts.
                arguments[*name] = value.clone();
                let answer = dap.request(command, arguments);
                assert!(answer["success"].is_boolean());
                let inside = if *name == "breakpoints" { value } else { continue };
                for member in [
                    "line",
                    "name",
                    "instructionReference",
                    "offset",
                    "dataId",
                    "condition",
                    "hitCondition",
                    "logMessage",
                    "column",
                ] {
                    let mut breakpoint = json!({ "line": 1, "name": "run", "instructionReference": "0x4000000100000020", "dataId": "1" });
                    breakpoint[member] = inside.clone();
                    let mut arguments = good.clone();
                    arguments["breakpoints"] = json!([breakpoint]);
                    assert!(dap.request(command, arguments)["success"].is_boolean());
                }
            }
        }
        for list in ["setBreakpoints", "setFunctionBreakpoints", "setInstructionBreakpoints", "setDataBreakpoints"] {
            dap.ok(list, good.clone());
        }
    }
    dap.ok("setExceptionBreakpoints", json!({ "filters": [] }));
    dap.ok("evaluate", json!({ "expression": "n = 2", "frameId": frame, "context": "repl" }));
    dap.ok("disconnect", json!({}));
    assert_eq!(result(running), RESULT);
}

#[test]
fn a_client_that_goes_leaves_nothing() {
    // In the middle of everything, at any moment.
    for part in 0..6 {
        let (mut dap, running) = waiting();
        let requests = ["initialize", "attach", "configurationDone", "stackTrace", "next"];
        for command in requests.iter().take(part) {
            dap.ask(command, json!({ "threadId": 1, "stopOnEntry": true }));
        }
        drop(dap.stream.shutdown(Shutdown::Both));
        dap.adapter.take().unwrap().join().unwrap();
        assert_eq!(result(running), RESULT);
    }
    // What it has launched ends with it.
    let mut dap = Dap::launched(guest("steps/steps.wasm", "spin", 0));
    dap.ok("configurationDone", json!({}));
    drop(dap.stream.shutdown(Shutdown::Both));
    dap.adapter.take().unwrap().join().unwrap();
    let begun = Instant::now();
    while !dap.session.connect().unwrap().threads().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn requests_are_cancelled_before_their_turn() {
    let (mut dap, running) = waiting();
    dap.ok("initialize", json!({}));
    dap.ok("attach", json!({ "stopOnEntry": true }));
    dap.ok("configurationDone", json!({}));
    dap.stopped("entry");
    // A later one by its number.
    let cancel = dap.ask("cancel", json!({ "requestId": 6 }));
    assert_eq!(dap.response(cancel)["success"], true);
    let next = dap.ask("threads", json!({}));
    assert_eq!(next, 5);
    assert_eq!(dap.response(next)["success"], true);
    let cancelled = dap.request("next", json!({ "threadId": 1 }));
    assert_eq!((&cancelled["success"], &cancelled["message"]), (&json!(false), &json!("cancelled")));
    assert_eq!(dap.frames().len(), 1, "it was not done");
    dap.ok("disconnect", json!({}));
    assert_eq!(result(running), RESULT);
}

#[test]
fn who_is_not_let_in_is_told_why() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let body = json!({ "seq": 9, "type": "request", "command": "initialize" }).to_string();
    ours.write_all(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    let stream = Stream {
        input: Box::new(theirs.try_clone().unwrap()),
        output: Box::new(theirs.try_clone().unwrap()),
        close: Box::new(move || drop(theirs.shutdown(Shutdown::Both))),
    };
    refuse(stream, "another debugger is connected");
    let mut said = String::new();
    ours.read_to_string(&mut said).unwrap();
    assert!(said.contains("another debugger is connected") && said.contains("\"request_seq\":9"), "{said}");
}
