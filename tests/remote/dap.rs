//! The Debug Adapter Protocol, by a scripted client, on guests of compilers and of our own.

use crate::dap_client::{Dap, Guest, Host, guest, line, path, support, wat};
use serde_json::{Value, json};
use std::sync::Arc;
use std::thread::{sleep, spawn};
use std::time::Duration;
use stepwell::remote::session::{OutputStream, Session, SessionOptions};
use stepwell::{Config, Engine, Instance, Module, Store};

const C: &str = "dwarf/shapes.c";

/// A guest of C at a line, which it has come to.
fn stopped_at(text: &str) -> Dap {
    let mut dap = Dap::launched(guest("dwarf/c0_5.wasm", "run", 5));
    let set = dap.set_lines(C, json!([{ "line": line(C, text) }]));
    assert_eq!(set.len(), 1);
    dap.ok("configurationDone", json!({}));
    let stopped = dap.stopped("breakpoint");
    assert_eq!(stopped["hitBreakpointIds"], json!([set[0]["id"]]));
    dap
}

#[test]
fn a_program_is_launched_stopped_looked_at_and_stepped() {
    let mut dap = stopped_at("look_at(&all);");
    // It was not there when it was asked for.
    let changed = dap.event("breakpoint");
    assert_eq!((&changed["reason"], &changed["breakpoint"]["verified"]), (&json!("changed"), &json!(true)));
    assert_eq!(changed["breakpoint"]["line"], 42);
    assert_eq!(dap.event("thread"), json!({ "reason": "started", "threadId": 1 }));
    assert_eq!(dap.event("module")["module"]["symbolStatus"], "DWARF");
    assert_eq!(dap.event("loadedSource")["source"]["path"], path(C));
    assert_eq!(dap.ok("threads", json!({})), json!({ "threads": [{ "id": 1, "name": "main" }] }));
    let frames = dap.frames();
    assert_eq!(frames.len(), 1);
    assert_eq!((&frames[0]["name"], &frames[0]["line"]), (&json!("run"), &json!(42)));
    assert_eq!(frames[0]["source"], json!({ "name": "shapes.c", "path": path(C) }));
    let frame = frames[0]["id"].as_i64().unwrap();
    let arguments = dap.scope(frame, "Arguments");
    let n = dap.variable(arguments, "n");
    assert_eq!((&n["value"], &n["type"], &n["variablesReference"]), (&json!("5"), &json!("int"), &json!(0)));
    let locals = dap.scope(frame, "Locals");
    let all = dap.variable(locals, "all");
    assert_eq!(all["type"], "all");
    let inside = all["variablesReference"].as_i64().unwrap();
    assert_eq!(dap.variable(inside, "us")["value"], "60000");
    // Through a pointer, and elements by pages.
    let list = dap.variable(inside, "list");
    let star = dap.variable(list["variablesReference"].as_i64().unwrap(), "*");
    assert_eq!(star["evaluateName"], "*all.list");
    let key = dap.variable(star["variablesReference"].as_i64().unwrap(), "key");
    assert_eq!((&key["value"], &key["evaluateName"]), (&json!("1"), &json!("(*all.list).key")));
    assert_eq!(dap.evaluate(frame, "(*all.list).key"), "1");
    let grid = dap.variable(inside, "grid");
    assert_eq!(grid["indexedVariables"], 2);
    let row = json!({ "variablesReference": grid["variablesReference"], "filter": "indexed", "start": 1, "count": 1 });
    let rows = dap.ok("variables", row)["variables"].clone();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["name"]), (1, &json!("[1]")));
    let named = json!({ "variablesReference": grid["variablesReference"], "filter": "named" });
    assert_eq!(dap.ok("variables", named)["variables"], json!([]));
    assert_eq!(dap.evaluate(frame, "all.grid[1][2]"), "6");
    assert!(dap.refused("evaluate", json!({ "expression": "nothing", "frameId": frame })).contains("nothing"));
    // What is inside of a result can be looked at as well.
    let body = dap.ok("evaluate", json!({ "expression": "all.word", "frameId": frame, "context": "hover" }));
    assert!(body["variablesReference"].as_i64().unwrap() > 0 && body["namedVariables"] == 3, "{body}");
    // The machine's side.
    let wasm = dap.scope(frame, "Wasm locals");
    assert_eq!(dap.variable(wasm, "local0")["type"], "i32");
    let globals = dap.scope(frame, "Wasm globals");
    assert!(dap.variables(globals).iter().any(|global| global["name"] == "global0 __stack_pointer"));
    let statics = dap.scope(frame, "Statics");
    assert_eq!(dap.variable(statics, "counter")["value"], "7");
    dap.go("next");
    dap.stopped("step");
    assert_eq!(dap.top(), ("run".to_owned(), 43));
    dap.go("next");
    dap.stopped("step");
    dap.go("stepIn");
    dap.stopped("step");
    assert_eq!(dap.top().0, "sum");
    dap.go("stepOut");
    dap.stopped("step");
    assert_eq!(dap.top(), ("run".to_owned(), 44));
    let old = dap.top_id();
    dap.ok("next", json!({ "threadId": 1, "granularity": "instruction" }));
    dap.stopped("step");
    // Numbers are of one stop.
    assert!(dap.refused("scopes", json!({ "frameId": old })).contains("gone on"));
    assert!(dap.refused("variables", json!({ "variablesReference": locals })).contains("gone on"));
    assert!(dap.refused("evaluate", json!({ "expression": "n", "frameId": frame })).contains("gone on"));
    dap.go("continue");
    let response = dap.request("stackTrace", json!({ "threadId": 1 }));
    assert_eq!(response["success"], false);
    // 8 + 15 + 24 of the list, `shadow`, `all.s`.
    assert_eq!(dap.exited(), 3 + 8 + 15 + 5 - 300);
    dap.disconnect();
}

#[test]
fn variables_are_given_other_values() {
    let mut dap = stopped_at("look_at(&all);");
    let frame = dap.top_id();
    let locals = dap.scope(frame, "Locals");
    let set =
        |reference, name: &str, value: &str| json!({ "variablesReference": reference, "name": name, "value": value });
    let all = dap.variable(locals, "all")["variablesReference"].as_i64().unwrap();
    assert_eq!(dap.ok("setVariable", set(all, "s", "-299"))["value"], "-299");
    assert_eq!(dap.evaluate(frame, "all.s"), "-299");
    let body = dap.ok("setExpression", json!({ "expression": "all.grid[0][1]", "value": "77", "frameId": frame }));
    assert_eq!(body["value"], "77");
    assert_eq!(dap.evaluate(frame, "all.grid[0][1]"), "77");
    let typed = json!({ "expression": "shadow = 6", "frameId": frame, "context": "repl" });
    assert_eq!(dap.ok("evaluate", typed)["result"], "6");
    let hovered = json!({ "expression": "shadow = 9", "frameId": frame, "context": "hover" });
    dap.refused("evaluate", hovered);
    assert_eq!(dap.evaluate(frame, "shadow"), "6");
    assert!(!dap.refused("setVariable", set(all, "s", "what")).is_empty());
    assert!(dap.refused("setVariable", set(all, "missing", "1")).contains("missing"));
    // Registers.
    let globals = dap.scope(frame, "Wasm globals");
    let stack = dap.variable(globals, "global0 __stack_pointer")["value"].as_str().unwrap().to_owned();
    assert_eq!(dap.ok("setVariable", set(globals, "global0 __stack_pointer", &stack))["value"], stack.as_str());
    let wasm = dap.scope(frame, "Wasm locals");
    assert_eq!(dap.ok("setVariable", set(wasm, "local0", "0x11"))["value"], "17");
    assert_eq!(dap.variable(wasm, "local0")["value"], "17");
    assert!(dap.refused("setVariable", set(wasm, "local9999", "1")).contains("local9999"));
    let hex = json!({ "variablesReference": wasm, "format": { "hex": true } });
    assert_eq!(dap.ok("variables", hex)["variables"][0]["value"], "0x11");
    // Bytes.
    let counter = dap.ok("evaluate", json!({ "expression": "counter", "frameId": frame }));
    let at = counter["memoryReference"].as_str().unwrap().to_owned();
    let read = dap.ok("readMemory", json!({ "memoryReference": at, "count": 4 }));
    assert_eq!((&read["data"], &read["unreadableBytes"]), (&json!("BwAAAA=="), &Value::Null));
    let written = dap.ok("writeMemory", json!({ "memoryReference": at, "offset": 0, "data": "CAAAAA==" }));
    assert_eq!(written["bytesWritten"], 4);
    assert_eq!(dap.evaluate(frame, "counter"), "8");
    let end = dap.ok("readMemory", json!({ "memoryReference": "0xfffffff0", "count": 100 }));
    assert_eq!((&end["data"], &end["unreadableBytes"]), (&Value::Null, &json!(100)));
    let before = dap.ok("readMemory", json!({ "memoryReference": at, "offset": -100_000_000, "count": 8 }));
    assert_eq!(before["unreadableBytes"], 8);
    dap.refused("writeMemory", json!({ "memoryReference": "0xfffffff0", "data": "AAAA" }));
    dap.refused("readMemory", json!({ "memoryReference": "here", "count": 1 }));
    dap.go("continue");
    assert_eq!(dap.exited(), 3 + 8 + 15 + 6 - 299);
}

#[test]
fn breakpoints_have_conditions_counts_and_messages() {
    let mut dap = Dap::launched(guest("dwarf/c0_5.wasm", "run", 5));
    let at = line(C, "limit--;");
    let set = dap.set_lines(
        C,
        json!([
            { "line": at, "hitCondition": "2" },
            { "line": at + 1, "logMessage": "key {key}, total {total} \\{{nothing}" },
            { "line": 9000 },
            { "line": at, "hitCondition": "often" },
            { "line": line(C, "return total;"), "condition": "limit" },
        ]),
    );
    let refused = &set[3];
    assert!(refused["verified"] == false && refused["message"].as_str().unwrap().contains("often"), "{refused}");
    dap.ok("configurationDone", json!({}));
    let stopped = dap.stopped("breakpoint");
    assert_eq!(stopped["hitBreakpointIds"], json!([set[0]["id"]]));
    let frame = dap.top_id();
    assert_eq!(dap.evaluate(frame, "key"), "2", "the second time");
    let log = dap.event("output");
    assert_eq!(log["category"], "console");
    let text = log["output"].as_str().unwrap();
    assert!(text.starts_with("key 1, total 0 {<") && text.ends_with(">\n"), "{text}");
    // The same list once more, without the first: the others stay what they are.
    let again = dap.set_lines(C, json!([{ "line": line(C, "return total;"), "condition": "limit" }]));
    assert_eq!(again[0]["id"], set[4]["id"]);
    assert_eq!(again[0]["verified"], true);
    dap.go("continue");
    let stopped = dap.stopped("breakpoint");
    assert_eq!(stopped["hitBreakpointIds"], json!([set[4]["id"]]));
    let frame = dap.top_id();
    assert_eq!(dap.evaluate(frame, "limit"), "2", "the condition holds");
    dap.set_lines(C, json!([]));
    dap.go("continue");
    dap.exited();
    // A condition that does not hold.
    let mut dap = Dap::launched(guest("dwarf/c0_5.wasm", "run", 3));
    dap.set_lines(C, json!([{ "line": line(C, "return total;"), "condition": "limit" }]));
    dap.ok("configurationDone", json!({}));
    assert_eq!(dap.exited(), 3 + 8 + 15 + 3 - 300);
}

#[test]
fn functions_and_instructions_are_stopped_at() {
    let mut dap = Dap::launched(guest("dwarf/c0_5.wasm", "run", 2));
    let set = dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "square" }, { "name": "nowhere" }] }));
    dap.ok("configurationDone", json!({}));
    let stopped = dap.stopped("function breakpoint");
    assert_eq!(stopped["hitBreakpointIds"], json!([set["breakpoints"][0]["id"]]));
    assert_eq!(dap.top().0, "square");
    let frames = dap.frames();
    let names: Vec<&str> = frames.iter().map(|frame| frame["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["square", "sum", "run"]);
    // Pages.
    let page = dap.ok("stackTrace", json!({ "threadId": 1, "startFrame": 1, "levels": 1 }));
    assert_eq!((page["stackFrames"].as_array().unwrap().len(), &page["totalFrames"]), (1, &Value::Null));
    assert_eq!(page["stackFrames"][0]["name"], "sum");
    let rest = dap.ok("stackTrace", json!({ "threadId": 1, "startFrame": 2, "levels": 5 }));
    assert_eq!((&rest["stackFrames"][0]["name"], &rest["totalFrames"]), (&json!("run"), &json!(3)));
    // The instructions around, and a breakpoint at the next but one.
    let here = frames[0]["instructionPointerReference"].as_str().unwrap().to_owned();
    let request =
        json!({ "memoryReference": here, "instructionOffset": -3, "instructionCount": 8, "resolveSymbols": true });
    let code = dap.ok("disassemble", request)["instructions"].as_array().unwrap().clone();
    assert_eq!(code.len(), 8);
    assert_eq!(code[3]["address"], here.as_str());
    assert_eq!(code[3]["symbol"], "square");
    let number = |value: &Value| u64::from_str_radix(&value.as_str().unwrap()[2..], 16).unwrap();
    assert!(code.windows(2).all(|two| number(&two[0]["address"]) < number(&two[1]["address"])));
    let bytes: usize = code[3..6].iter().map(|one| one["instructionBytes"].as_str().unwrap().split(' ').count()).sum();
    assert_eq!(number(&code[6]["address"]) - number(&code[3]["address"]), bytes as u64);
    let request = json!({ "memoryReference": here, "instructionOffset": -9000, "instructionCount": 5 });
    let code_before = dap.ok("disassemble", request);
    assert!(code_before["instructions"].as_array().unwrap().iter().all(|one| one["presentationHint"] == "invalid"));
    let set = json!({ "breakpoints": [{ "instructionReference": here, "offset": number(&code[5]["address"]) - number(&code[3]["address"]) }] });
    let set = dap.ok("setInstructionBreakpoints", set);
    assert_eq!(set["breakpoints"][0]["verified"], true);
    assert_eq!(set["breakpoints"][0]["instructionReference"], code[5]["address"]);
    dap.go("continue");
    let stopped = dap.stopped("instruction breakpoint");
    assert_eq!(stopped["hitBreakpointIds"], json!([set["breakpoints"][0]["id"]]));
    assert_eq!(dap.frames()[0]["instructionPointerReference"], code[5]["address"]);
    dap.ok("next", json!({ "threadId": 1, "granularity": "instruction" }));
    dap.stopped("step");
    assert_eq!(dap.frames()[0]["instructionPointerReference"], code[6]["address"]);
    dap.ok("setInstructionBreakpoints", json!({ "breakpoints": [] }));
    dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [] }));
    dap.go("continue");
    dap.exited();
}

#[test]
fn inlined_functions_are_frames() {
    let mut dap = Dap::launched(guest("dwarf/c2_5.wasm", "run", 2));
    dap.set_lines(C, json!([{ "line": line(C, "int result = value * value") }]));
    dap.ok("configurationDone", json!({}));
    dap.stopped("breakpoint");
    let frames = dap.frames();
    let names: Vec<&str> = frames.iter().map(|frame| frame["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["square", "sum", "run"]);
    assert_eq!(frames[0]["instructionPointerReference"], frames[1]["instructionPointerReference"]);
    // Each has variables of its own.
    for (frame, name) in [(0, "value"), (1, "limit"), (2, "n")] {
        let arguments = dap.scope(frames[frame]["id"].as_i64().unwrap(), "Arguments");
        assert_eq!(dap.variables(arguments).len(), if frame == 1 { 2 } else { 1 });
        dap.variable(arguments, name);
    }
    let sum = frames[1]["id"].as_i64().unwrap();
    assert!(!dap.evaluate(sum, "limit").is_empty());
    dap.ok("disconnect", json!({ "terminateDebuggee": true }));
}

const PLAIN: &str = r#"(module $plain
    (memory (export "memory") 1) (global $count (mut i32) (i32.const 0)) (tag $oops (param i32))
    (func $leaf (export "leaf") (param $x i32) (result i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (i32.store (i32.const 16) (local.get $x))
        (i32.add (local.get $x) (i32.const 1)))
    (func (export "two") (param i32) (result i32) (i32.mul (call $leaf (local.get 0)) (call $leaf (i32.const 5))))
    (func $throw (param i32) (throw $oops (local.get 0)))
    (func (export "throws") (param i32) (result i32)
        (block $caught (result i32)
            (try_table (result i32) (catch $oops $caught) (call $throw (i32.const 3)) (i32.const 0)))
        (drop) (call $throw (local.get 0)) (i32.const 1))
    (func (export "crash") (param i32) (result i32) (i32.div_u (local.get 0) (i32.const 0)))
    (func $down (export "down") (param i32) (result i32)
        (if (result i32) (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 4))))
    (func (export "spin") (param i32) (result i32)
        (loop $turn (br_if $turn (i32.eqz (i32.load (i32.const 16))))) (i32.const 42)))"#;

#[test]
fn the_memory_of_an_instance_that_is_gone_is_nobodys() {
    let engine = Engine::new(Config { debug: true, ..Config::default() }).unwrap();
    let module = Module::new(&engine, &wat(PLAIN, "spin", &[]).binary).unwrap();
    let mut store = Store::new(&engine);
    let session = Session::new(SessionOptions::default());
    session.add(&mut store, "main").unwrap();
    Instance::new(&mut store, &module, &[]).unwrap();
    // SAFETY: no handle of what is given back is used any more.
    drop(unsafe { store.collect([]) }.unwrap());
    // It may stand where the other one has stood.
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let guest = spawn(move || {
        let spin = instance.typed_func::<i32, i32>(&mut store, "spin").unwrap();
        spin.call(&mut store, 0).unwrap()
    });
    let mut dap = Dap::connect(&session, None);
    dap.ok("initialize", json!({ "adapterID": "stepwell" }));
    dap.ok("attach", json!({}));
    dap.ok("configurationDone", json!({}));
    let at = |instance: u64| format!("{:#x}", instance << 48 | 16);
    let old = json!({ "memoryReference": at(1), "count": 1 });
    assert!(dap.refused("readMemory", old).contains("the instance is gone"));
    let old = json!({ "memoryReference": at(1), "data": "AQ==" });
    assert!(dap.refused("writeMemory", old).contains("the instance is gone"));
    let watched = json!({ "name": at(1), "asAddress": true, "bytes": 4 });
    let watched = dap.ok("dataBreakpointInfo", watched);
    let set = dap.ok("setDataBreakpoints", json!({ "breakpoints": [{ "dataId": watched["dataId"] }] }));
    assert_eq!(set["breakpoints"][0]["verified"], false, "{set}");
    dap.ok("writeMemory", json!({ "memoryReference": at(2), "data": "AQ==" }));
    assert_eq!(guest.join().unwrap(), 42);
    dap.disconnect();
}

#[test]
fn functions_without_a_source_have_their_instructions() {
    let mut dap = Dap::launched(wat(PLAIN, "two", &[7]));
    dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "leaf" }] }));
    dap.ok("configurationDone", json!({}));
    dap.stopped("function breakpoint");
    dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [] }));
    let frames = dap.frames();
    assert_eq!((frames.len(), &frames[0]["name"]), (2, &json!("leaf")));
    let source = frames[0]["source"].clone();
    let reference = source["sourceReference"].as_i64().unwrap();
    let text = dap.ok("source", json!({ "source": source, "sourceReference": reference }));
    let lines: Vec<&str> = text["content"].as_str().unwrap().lines().collect();
    let shown = frames[0]["line"].as_u64().unwrap() as usize;
    assert!(lines[shown - 1].contains("global.get 0"), "{}", lines[shown - 1]);
    // Lines of it are stepped, and stopped at.
    dap.go("next");
    dap.stopped("step");
    assert_eq!(dap.top(), ("leaf".to_owned(), shown as u64 + 1));
    let store = lines.iter().position(|line| line.contains("i32.store")).unwrap() + 1;
    let request = json!({ "source": source, "breakpoints": [{ "line": store }, { "line": 9999 }] });
    let set = dap.ok("setBreakpoints", request)["breakpoints"].clone();
    assert_eq!(
        (&set[0]["verified"], &set[0]["line"], &set[1]["verified"]),
        (&json!(true), &json!(store), &json!(false))
    );
    dap.go("continue");
    assert_eq!(dap.stopped("breakpoint")["hitBreakpointIds"], json!([set[0]["id"]]));
    assert_eq!(dap.top(), ("leaf".to_owned(), store as u64));
    let frame = dap.top_id();
    let operands = dap.scope(frame, "Operand stack");
    let values: Vec<Value> = dap.variables(operands).iter().map(|one| one["value"].clone()).collect();
    assert_eq!(values, [json!("16"), json!("7")]);
    let set = json!({ "variablesReference": operands, "name": "stack1", "value": "70" });
    dap.ok("setVariable", set);
    let locations = dap.ok("breakpointLocations", json!({ "source": source, "line": 1, "endLine": 4 }));
    assert_eq!(locations, json!({ "breakpoints": [{ "line": 2 }, { "line": 3 }, { "line": 4 }] }));
    dap.ok("setBreakpoints", json!({ "source": source, "breakpoints": [] }));
    dap.go("next");
    dap.stopped("step");
    let read = dap.ok("readMemory", json!({ "memoryReference": "16", "count": 1 }));
    assert_eq!(read["data"], "Rg==", "what was on the stack was written");
    assert!(dap.refused("source", json!({ "sourceReference": 77 })).contains("77"));
    dap.go("continue");
    assert_eq!(dap.exited(), 8 * 6);
}

#[test]
fn data_is_watched() {
    let mut dap = Dap::launched(wat(PLAIN, "two", &[7]));
    dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "leaf" }] }));
    dap.ok("configurationDone", json!({}));
    dap.stopped("function breakpoint");
    dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [] }));
    let frame = dap.top_id();
    let globals = dap.scope(frame, "Wasm globals");
    let global = dap.ok("dataBreakpointInfo", json!({ "variablesReference": globals, "name": "global0 count" }));
    assert_eq!(global["accessTypes"], json!(["write"]));
    let bytes = dap.ok("dataBreakpointInfo", json!({ "name": "0x10", "asAddress": true, "bytes": 4 }));
    let nothing = dap.ok("dataBreakpointInfo", json!({ "frameId": frame, "name": "missing" }));
    assert!(nothing["dataId"].is_null() && !nothing["description"].as_str().unwrap().is_empty());
    let request = json!({ "breakpoints": [
        { "dataId": global["dataId"], "accessType": "write" }, { "dataId": bytes["dataId"], "accessType": "write" },
        { "dataId": "99", "accessType": "write" }, { "dataId": global["dataId"], "accessType": "write", "condition": "1" },
    ] });
    let set = dap.ok("setDataBreakpoints", request)["breakpoints"].clone();
    let verified: Vec<&Value> = set.as_array().unwrap().iter().map(|one| &one["verified"]).collect();
    assert_eq!(verified, [true, true, false, false]);
    dap.go("continue");
    let stopped = dap.stopped("data breakpoint");
    assert_eq!(stopped["hitBreakpointIds"], json!([set[0]["id"]]));
    assert_eq!(stopped["description"], "`global0 count` was written");
    dap.go("continue");
    assert_eq!(dap.stopped("data breakpoint")["hitBreakpointIds"], json!([set[1]["id"]]));
    // One of them goes, the other stays.
    dap.ok("setDataBreakpoints", json!({ "breakpoints": [{ "dataId": bytes["dataId"], "accessType": "write" }] }));
    dap.go("continue");
    assert_eq!(dap.stopped("data breakpoint")["hitBreakpointIds"], json!([set[1]["id"]]));
    dap.go("continue");
    assert_eq!(dap.exited(), 8 * 6);
    // A variable of the source, which ends with its function.
    let mut dap = Dap::launched(guest("dwarf/c0_5.wasm", "run", 1));
    dap.set_lines(C, json!([{ "line": line(C, "int total = 0;") }]));
    dap.ok("configurationDone", json!({}));
    dap.stopped("breakpoint");
    let frame = dap.top_id();
    let total = dap.ok("dataBreakpointInfo", json!({ "frameId": frame, "name": "total" }));
    dap.ok("setDataBreakpoints", json!({ "breakpoints": [{ "dataId": total["dataId"] }] }));
    let mut said = Vec::new();
    loop {
        dap.go("continue");
        let stopped = dap.stopped("data breakpoint");
        said.push(stopped["description"].as_str().unwrap().to_owned());
        if said.last().unwrap().contains("gone") {
            break;
        }
    }
    assert!(said.contains(&"`total` was written".to_owned()), "{said:?}");
    dap.go("continue");
    dap.exited();
}

#[test]
fn traps_and_exceptions_are_told_as_they_are_asked_for() {
    let mut dap = Dap::launched(wat(PLAIN, "crash", &[7]));
    dap.ok("configurationDone", json!({}));
    let stopped = dap.stopped("exception");
    assert!(stopped["text"].as_str().unwrap().contains("divi"), "{stopped}");
    let info = dap.ok("exceptionInfo", json!({ "threadId": 1 }));
    assert_eq!((&info["exceptionId"], &info["breakMode"]), (&json!("trap"), &json!("always")));
    assert_eq!(dap.frames().len(), 1);
    dap.go("continue");
    assert!(dap.event("output")["output"].as_str().unwrap().contains("trapped"));
    dap.event("terminated");
    // Without the filter nobody is told.
    let mut dap = Dap::launched(wat(PLAIN, "crash", &[7]));
    dap.ok("setExceptionBreakpoints", json!({ "filters": [] }));
    assert!(dap.refused("setExceptionBreakpoints", json!({ "filters": ["what"] })).contains("what"));
    dap.ok("configurationDone", json!({}));
    dap.event("terminated");
    assert!(!dap.events.iter().any(|event| event["event"] == "stopped"));
    for (filters, stops) in [(json!(["all"]), 2), (json!(["uncaught"]), 1), (json!([]), 0)] {
        let mut dap = Dap::launched(wat(PLAIN, "throws", &[7]));
        dap.ok("setExceptionBreakpoints", json!({ "filters": filters }));
        dap.ok("configurationDone", json!({}));
        for stop in 0..stops {
            dap.stopped("exception");
            let info = dap.ok("exceptionInfo", json!({ "threadId": 1 }));
            let is_caught = stops == 2 && stop == 0;
            assert_eq!(info["breakMode"], if is_caught { "always" } else { "unhandled" });
            dap.go("continue");
        }
        dap.event("terminated");
        assert!(!dap.events.iter().any(|event| event["event"] == "stopped"), "{filters}");
    }
}

#[test]
fn a_program_stands_at_its_first_instruction_if_asked() {
    let mut dap = Dap::for_guest(wat(PLAIN, "two", &[7]));
    assert!(dap.refused("launch", json!({ "program": "missing" })).contains("missing"));
    dap.ok("launch", json!({ "program": "x", "args": ["a", "b"], "env": { "B": "2" }, "stopOnEntry": true }));
    dap.event("initialized");
    assert!(dap.refused("launch", json!({})).contains("already"));
    dap.ok("configurationDone", json!({}));
    dap.stopped("entry");
    assert_eq!(dap.frames().len(), 1);
    dap.go("stepIn");
    dap.stopped("step");
    dap.go("pause");
    assert!(dap.refused("configurationDone", json!({})).contains("already"));
    dap.go("continue");
    assert_eq!(dap.exited(), 8 * 6);
    assert!(dap.refused("threads", json!({})).contains("over"));
    dap.disconnect();
}

/// A host that runs a guest itself.
fn attached(guest: Guest, options: SessionOptions) -> (Dap, std::thread::JoinHandle<stepwell::Result<i32>>) {
    let session = Session::new(options);
    let mut host = Host::new(&session, guest);
    host.prepare_here();
    let running = spawn(move || host.run());
    let mut dap = Dap::connect(&session, None);
    dap.ok("initialize", json!({ "adapterID": "stepwell" }));
    assert!(dap.refused("launch", json!({})).contains("attach"));
    (dap, running)
}

#[test]
fn a_running_guest_is_attached_to_paused_and_left() {
    let (mut dap, running) = attached(wat(PLAIN, "spin", &[0]), SessionOptions::default());
    dap.ok("attach", json!({}));
    dap.event("initialized");
    dap.ok("configurationDone", json!({}));
    sleep(Duration::from_millis(50));
    assert!(dap.refused("stackTrace", json!({ "threadId": 1 })).contains("pause"));
    assert_eq!(dap.request("stackTrace", json!({ "threadId": 1 }))["message"], "notStopped");
    assert_eq!(dap.request("continue", json!({ "threadId": 1 }))["message"], "notStopped");
    assert!(dap.refused("pause", json!({ "threadId": 7 })).contains("no thread 7"));
    dap.go("pause");
    dap.stopped("pause");
    let name = dap.frames()[0]["name"].clone();
    assert_eq!(name, "spin");
    let modules = dap.ok("modules", json!({}));
    assert_eq!((&modules["totalModules"], &modules["modules"][0]["name"]), (&json!(1), &json!("plain")));
    // A breakpoint for a guest that runs is set at once.
    dap.go("continue");
    let set = dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "leaf" }] }));
    assert_eq!(set["breakpoints"][0]["verified"], true);
    dap.session.output(OutputStream::Out, "caf\u{e9}".as_bytes());
    assert_eq!(dap.event("output"), json!({ "category": "stdout", "output": "café" }));
    // A letter in two parts.
    dap.session.output(OutputStream::Err, &[b'x', 0xc3]);
    dap.session.output(OutputStream::Err, &[0xa9, b'\n', 0xff]);
    assert_eq!(dap.event("output"), json!({ "category": "stderr", "output": "x" }));
    assert_eq!(dap.event("output"), json!({ "category": "stderr", "output": "é\n\u{fffd}" }));
    dap.go("pause");
    dap.stopped("pause");
    dap.ok("writeMemory", json!({ "memoryReference": "16", "data": "AQ==" }));
    dap.disconnect();
    assert_eq!(running.join().unwrap().unwrap(), 42, "it goes on");
}

#[test]
fn a_host_that_waits_is_let_go_when_the_client_is_ready() {
    let wait = SessionOptions { wait: true, ..SessionOptions::default() };
    for stop in [false, true] {
        let (mut dap, running) = attached(guest("dwarf/c0_5.wasm", "run", 2), wait.clone());
        sleep(Duration::from_millis(100));
        dap.ok("attach", json!({ "stopOnEntry": stop, "sourceMap": { "shapes": "/elsewhere/shapes" } }));
        dap.event("initialized");
        dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "sum" }] }));
        let sources = dap.ok("loadedSources", json!({}));
        assert_eq!(sources["sources"][0]["path"], "/elsewhere/shapes.c");
        let source = json!({ "path": path(C) });
        let places = dap.ok("breakpointLocations", json!({ "source": source, "line": 25, "endLine": 26 }));
        let lines: Vec<u64> =
            places["breakpoints"].as_array().unwrap().iter().map(|one| one["line"].as_u64().unwrap()).collect();
        assert!(lines.len() > 2 && lines.contains(&25) && lines.contains(&26), "{places}");
        assert!(!running.is_finished());
        dap.ok("configurationDone", json!({}));
        if stop {
            dap.stopped("entry");
            dap.go("continue");
        }
        dap.stopped("function breakpoint");
        dap.ok("disconnect", json!({ "terminateDebuggee": false }));
        assert_eq!(running.join().unwrap().unwrap(), 3 + 8 + 2 - 300);
    }
}

#[test]
fn programs_are_ended() {
    // By `terminate`: running, and standing.
    for stands in [false, true] {
        let mut dap = Dap::launched(wat(PLAIN, "spin", &[0]));
        dap.ok("configurationDone", json!({}));
        if stands {
            dap.go("pause");
            dap.stopped("pause");
        }
        dap.ok("terminate", json!({}));
        assert!(dap.event("output")["output"].as_str().unwrap().contains("terminated by the debugger"));
        dap.event("terminated");
        dap.disconnect();
    }
    // By `disconnect`, which ends what was launched and nothing else.
    let (mut dap, running) = attached(wat(PLAIN, "spin", &[0]), SessionOptions::default());
    dap.ok("attach", json!({}));
    dap.ok("disconnect", json!({ "terminateDebuggee": true }));
    assert!(running.join().unwrap().unwrap_err().message().contains("ended"));
    // Of one that has not begun.
    let mut dap = Dap::launched(wat(PLAIN, "spin", &[0]));
    dap.ok("terminate", json!({}));
    dap.event("terminated");
    dap.disconnect();
}

#[test]
fn deep_stacks_are_told_in_pages() {
    let mut dap = Dap::launched(wat(PLAIN, "down", &[3000]));
    dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "down", "hitCondition": "== 3001" }] }));
    dap.ok("configurationDone", json!({}));
    dap.stopped("function breakpoint");
    let mut seen = 0;
    loop {
        let page = dap.ok("stackTrace", json!({ "threadId": 1, "startFrame": seen, "levels": 400 }));
        let count = page["stackFrames"].as_array().unwrap().len();
        seen += count;
        if let Some(total) = page["totalFrames"].as_u64() {
            assert_eq!(seen as u64, total);
            break;
        }
        assert_eq!(count, 400);
    }
    assert_eq!(seen, 3001);
    dap.go("continue");
    assert_eq!(dap.exited(), 4);
}

#[test]
fn modules_that_come_later_are_stopped_in() {
    let engine = stepwell::Engine::new(stepwell::Config { debug: true, ..Default::default() }).unwrap();
    let mut store = stepwell::Store::new(&engine);
    let session = Session::new(SessionOptions::default());
    session.add(&mut store, "main").unwrap();
    let mut dap = Dap::connect(&session, None);
    dap.ok("initialize", json!({ "adapterID": "stepwell", "linesStartAt1": false, "columnsStartAt1": false }));
    dap.ok("attach", json!({}));
    dap.event("initialized");
    let at = line(C, "counter += n;");
    // Nothing runs, and nobody waits for that.
    let set = dap.set_lines(C, json!([{ "line": at - 1 }]));
    assert_eq!((&set[0]["verified"], &set[0]["reason"]), (&json!(false), &json!("pending")));
    dap.ok("configurationDone", json!({}));
    let module = Arc::new(stepwell::Module::new(&engine, &support("dwarf/c0_5.wasm")).unwrap());
    let mut linker = stepwell::Linker::new(&engine);
    linker.fill_missing_with_defaults(&mut store, &module).unwrap();
    let guest = spawn(move || {
        let instance = linker.instantiate(&mut store, &module).unwrap();
        instance.typed_func::<i32, i32>(&mut store, "run").unwrap().call(&mut store, 4).unwrap()
    });
    assert_eq!(dap.stopped("breakpoint")["hitBreakpointIds"], json!([set[0]["id"]]));
    let changed = dap.event("breakpoint")["breakpoint"].clone();
    assert_eq!((&changed["id"], &changed["verified"], &changed["line"]), (&set[0]["id"], &json!(true), &json!(at - 1)));
    assert_eq!(dap.top(), ("run".to_owned(), u64::from(at) - 1));
    dap.go("continue");
    assert_eq!(guest.join().unwrap(), 3 + 8 + 15 + 4 - 300);
    dap.disconnect();
}

#[test]
fn a_session_that_is_closed_ends_the_dialogue() {
    let (mut dap, running) = attached(wat(PLAIN, "spin", &[0]), SessionOptions::default());
    dap.ok("attach", json!({}));
    dap.ok("configurationDone", json!({}));
    dap.go("pause");
    dap.stopped("pause");
    dap.ok("writeMemory", json!({ "memoryReference": "16", "data": "AQ==" }));
    dap.session.close();
    dap.event("terminated");
    assert_eq!(running.join().unwrap().unwrap(), 42);
    assert!(dap.refused("threads", json!({})).contains("over"));
    dap.disconnect();
}

/// Has what `counter` means watched, with a condition or a count.
fn watch_counter(dap: &mut Dap, frame: i64, with: Value) -> Value {
    let info = dap.ok("dataBreakpointInfo", json!({ "name": "$global0", "frameId": frame }));
    let mut wanted = json!({ "dataId": info["dataId"], "accessType": "write" });
    for (name, value) in with.as_object().unwrap() {
        wanted[name] = value.clone();
    }
    dap.ok("setDataBreakpoints", json!({ "breakpoints": [wanted] }))["breakpoints"][0].clone()
}

const COUNTER: &str = r#"(module
    (global $n (mut i32) (i32.const 0))
    (func $add (param $by i32) (global.set $n (i32.add (global.get $n) (local.get $by))))
    (func $writes (param $x i32) (result i32) (local.set $x (i32.const 3)) (call $add (i32.const 1)) (local.get $x))
    (func $calls (param $x i32) (result i32) (local $y i32)
        (local.set $y (i32.add (local.get $y) (i32.const 1)))
        (i32.add (local.get $x) (i32.add (local.get $y) (call $writes (i32.const 2)))))
    (func (export "run") (param $turns i32) (result i32) (local $i i32)
        (loop $again
            (call $add (i32.const 10))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (local.get $turns))))
        (i32.add (call $calls (i32.const 100)) (global.get $n))))"#;

#[test]
fn data_breakpoints_have_conditions_and_counts() {
    for (with, first) in [
        (json!({ "condition": "$global0 == 30" }), Some(30)),
        (json!({ "hitCondition": "4" }), Some(40)),
        (json!({ "condition": "$global0 > 20", "hitCondition": "== 2" }), Some(40)),
        (json!({ "condition": "$local0 == 11" }), None),
    ] {
        let mut dap = Dap::launched(wat(COUNTER, "run", &[6]));
        dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "add" }] }));
        dap.ok("configurationDone", json!({}));
        dap.stopped("function breakpoint");
        dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [] }));
        let frame = dap.top_id();
        let set = watch_counter(&mut dap, frame, with.clone());
        assert_eq!(set["verified"], true, "{with} {set}");
        // A step is not over where the condition does not hold.
        dap.go("stepOut");
        dap.stopped("step");
        assert_eq!(dap.top().0, "run", "{with}");
        dap.go("continue");
        if let Some(first) = first {
            let stopped = dap.stopped("data breakpoint");
            assert_eq!(stopped["hitBreakpointIds"], json!([set["id"]]), "{with}");
            let frame = dap.top_id();
            assert_eq!(dap.evaluate(frame, "$global0"), first.to_string(), "{with}");
            // Another condition is another breakpoint; none, each write.
            let set = watch_counter(&mut dap, frame, json!({ "condition": "" }));
            assert_eq!(set["verified"], true);
            dap.go("continue");
            dap.stopped("data breakpoint");
            let frame = dap.top_id();
            assert_eq!(dap.evaluate(frame, "$global0"), (first + 10).to_string(), "{with}");
            dap.ok("setDataBreakpoints", json!({ "breakpoints": [] }));
            dap.go("continue");
        }
        assert_eq!(dap.exited(), 100 + 1 + 3 + 61);
    }
    let mut dap = Dap::launched(wat(COUNTER, "run", &[6]));
    dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "add" }] }));
    dap.ok("configurationDone", json!({}));
    dap.stopped("function breakpoint");
    let frame = dap.top_id();
    for (with, said) in [(json!({ "condition": "1 +" }), "1 +"), (json!({ "hitCondition": "often" }), "often")] {
        let refused = watch_counter(&mut dap, frame, with);
        assert_eq!(refused["verified"], false);
        assert!(refused["message"].as_str().unwrap().contains(said) || said == "1 +", "{refused}");
    }
    dap.ok("disconnect", json!({ "terminateDebuggee": true }));
}

#[test]
fn frames_begin_anew() {
    let mut dap = Dap::launched(wat(COUNTER, "run", &[1]));
    dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "add", "hitCondition": "== 2" }] }));
    dap.ok("configurationDone", json!({}));
    dap.stopped("function breakpoint");
    let frames = dap.frames();
    let can: Vec<(&str, bool)> =
        frames.iter().map(|one| (one["name"].as_str().unwrap(), one["canRestart"].as_bool().unwrap())).collect();
    assert_eq!(can, [("add", true), ("writes", false), ("calls", true), ("run", true)]);
    let said = dap.refused("restartFrame", json!({ "frameId": frames[1]["id"] }));
    assert!(said.contains("parameter 0"), "{said}");
    assert_eq!(dap.frames().len(), 4, "nothing has changed");
    // The innermost, behind its write.
    dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [] }));
    for _ in 0..4 {
        dap.go("next");
        dap.stopped("step");
    }
    let top = dap.frames().remove(0);
    assert_eq!(dap.evaluate(top["id"].as_i64().unwrap(), "$global0"), "11");
    dap.ok("restartFrame", json!({ "frameId": top["id"] }));
    dap.stopped("restart");
    assert_eq!(dap.frames()[0]["instructionPointerReference"], frames[0]["instructionPointerReference"]);
    dap.go("stepOut");
    dap.stopped("step");
    // One further out, whose locals are zero again.
    let outer = dap.frames();
    assert_eq!(outer[1]["name"], "calls");
    dap.ok("restartFrame", json!({ "frameId": outer[1]["id"] }));
    dap.stopped("restart");
    assert!(dap.refused("scopes", json!({ "frameId": outer[1]["id"] })).contains("gone on"));
    assert_eq!(dap.top().0, "calls");
    assert_eq!(dap.frames().len(), 2);
    let frame = dap.top_id();
    let locals = dap.scope(frame, "Wasm locals");
    let values: Vec<Value> = dap.variables(locals).iter().map(|one| one["value"].clone()).collect();
    assert_eq!(values, [json!("100"), json!("0")]);
    dap.go("continue");
    assert_eq!(dap.exited(), 100 + 1 + 3 + 10 + 3, "`add` has run thrice with 1");
}

#[test]
fn a_step_goes_into_the_call_that_is_chosen() {
    let mut dap = stopped_at("look_at(&all);");
    dap.go("next");
    dap.stopped("step");
    let (mut chosen, file) = (0, String::from_utf8(support(C)).unwrap());
    for _ in 0..12 {
        let (function, at) = dap.top();
        let frame = dap.top_id();
        let targets = dap.ok("stepInTargets", json!({ "frameId": frame }))["targets"].clone();
        for target in targets.as_array().unwrap() {
            let text = file.lines().nth(at as usize - 1).unwrap();
            assert!(text.contains(target["label"].as_str().unwrap()), "{target} {text}");
            assert_eq!(target["line"], at);
        }
        if let Some(last) = targets.as_array().unwrap().last() {
            chosen += 1;
            dap.ok("stepIn", json!({ "threadId": 1, "targetId": last["id"] }));
            dap.stopped("step");
            assert_eq!(dap.top().0, last["label"].as_str().unwrap(), "from {function}");
            dap.go("stepOut");
            dap.stopped("step");
        }
        if function == "run" && at >= 44 {
            break;
        }
        dap.go("next");
        dap.stopped("step");
    }
    assert!(chosen > 0);
    assert!(dap.refused("stepIn", json!({ "threadId": 1, "targetId": 4 })).contains("no call 4"));
    dap.ok("disconnect", json!({ "terminateDebuggee": true }));
}

#[test]
fn a_chosen_call_without_lines_is_gone_into() {
    let mut dap = Dap::launched(wat(COUNTER, "run", &[1]));
    dap.ok("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "calls" }] }));
    dap.ok("configurationDone", json!({}));
    dap.stopped("function breakpoint");
    for _ in 0..40 {
        let frame = dap.top_id();
        let targets = dap.ok("stepInTargets", json!({ "frameId": frame }))["targets"].clone();
        if let Some(target) = targets.as_array().unwrap().first() {
            assert_eq!(target["label"], "writes");
            dap.ok("stepIn", json!({ "threadId": 1, "targetId": target["id"] }));
            dap.stopped("step");
            assert_eq!(dap.top().0, "writes");
            let outer = dap.frames()[1]["id"].clone();
            assert!(dap.refused("stepInTargets", json!({ "frameId": outer })).contains("innermost"));
            dap.ok("disconnect", json!({ "terminateDebuggee": true }));
            return;
        }
        dap.go("next");
        dap.stopped("step");
    }
    panic!("no call was come to");
}

#[test]
fn one_of_the_calls_of_a_line_is_chosen() {
    const STEPS: &str = "steps/steps.c";
    let at = line(STEPS, "total = add(twice(1), twice(2));");
    for (chosen, name, argument) in [(0, "twice", "1"), (1, "twice", "2"), (2, "add", "2")] {
        let mut dap = Dap::launched(guest("steps/steps.wasm", "run", 3));
        dap.set_lines(STEPS, json!([{ "line": at }]));
        dap.ok("configurationDone", json!({}));
        dap.stopped("breakpoint");
        let frame = dap.top_id();
        let targets = dap.ok("stepInTargets", json!({ "frameId": frame }))["targets"].clone();
        let names: Vec<&str> = targets.as_array().unwrap().iter().map(|one| one["label"].as_str().unwrap()).collect();
        assert_eq!(names, ["twice", "twice", "add"]);
        dap.ok("stepIn", json!({ "threadId": 1, "targetId": targets[chosen]["id"] }));
        dap.stopped("step");
        assert_eq!(dap.top().0, name, "{chosen}");
        // The others were gone over, what they call included.
        assert_eq!(dap.frames().len(), 2);
        let frame = dap.top_id();
        let arguments = dap.scope(frame, "Arguments");
        assert_eq!(dap.variables(arguments)[0]["value"], argument);
        dap.ok("disconnect", json!({ "terminateDebuggee": true }));
    }
}
