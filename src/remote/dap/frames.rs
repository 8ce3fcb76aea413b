//! Threads, which are stores, and their frames: of each Wasm frame one for every function of the source that its
//! instruction is in, the inlined ones first.

use super::adapter::Adapter;
use super::handles::{Container, FrameHandle, Part};
use super::message::{Answer, Args, compact};
use super::sources::function_name;
use crate::base::{FuncIndex, WasmOffset};
use crate::debug::{Scope, Stop};
use crate::runtime::{Module, ModuleId};
use serde_json::{Value, json};
use std::collections::HashMap;

/// So many frames are told at once.
const MAX_FRAMES: usize = 20_000;

/// A frame as it is found at a stop.
struct Found {
    index: usize,
    level: usize,
    /// The function of the source.
    name: Option<String>,
    file: Option<String>,
    line: u32,
    column: u32,
    module: Module,
    func: FuncIndex,
    offset: WasmOffset,
    is_production: bool,
    can_restart: bool,
}

/// The frames from one on, so many at most; and how many there are, if that is known then.
fn collect(stop: &Stop<'_>, from: usize, count: usize) -> (Vec<Found>, Option<usize>) {
    let (mut found, mut seen) = (Vec::new(), 0);
    let mut restarts: HashMap<(ModuleId, FuncIndex), bool> = HashMap::new();
    for index in 0..stop.frame_count() {
        let Some(frame) = stop.frame(index) else { break };
        let (module, offset) = (frame.module(), frame.offset());
        let locations = frame.locations();
        for level in 0..locations.len().max(1) {
            if seen >= from {
                if found.len() == count {
                    return (found, None);
                }
                let location = locations.get(level);
                let file = location.and_then(|at| at.file()).filter(|_| location.is_some_and(|at| at.line() > 0));
                found.push(Found {
                    index,
                    level,
                    name: location.and_then(|at| at.function()).map(str::to_owned),
                    file: file.map(str::to_owned),
                    line: location.map_or(0, |at| at.line()),
                    column: location.map_or(0, |at| at.column()),
                    module: module.clone(),
                    func: frame.func(),
                    offset,
                    is_production: frame.is_production(),
                    can_restart: level + 1 >= locations.len()
                        && *restarts
                            .entry((module.id(), frame.func()))
                            .or_insert_with(|| stop.check_restart(index).is_ok()),
                });
            }
            seen += 1;
        }
    }
    (found, Some(seen))
}

impl Adapter {
    pub(super) fn request_threads(&mut self) -> Answer {
        let thread =
            |thread: &crate::remote::session::ThreadInfo| json!({ "id": thread.id.get(), "name": thread.name });
        Ok(json!({ "threads": self.client.threads().iter().map(thread).collect::<Vec<Value>>() }))
    }

    pub(super) fn request_stack_trace(&mut self, args: Args<'_>) -> Answer {
        let thread = self.thread(args.int("threadId")?)?;
        let from = args.opt_count("startFrame")?.unwrap_or(0);
        let count = match args.opt_count("levels")? {
            None | Some(0) => MAX_FRAMES,
            Some(count) => count.min(MAX_FRAMES),
        };
        let (found, total) = self.at_stop(thread, move |stop| Ok(collect(stop, from, count)))?;
        let mut frames = Vec::with_capacity(found.len());
        for found in found {
            let id = self.handles.add_frame(FrameHandle { thread, index: found.index, level: found.level })?;
            let name = found.name.clone().unwrap_or_else(|| function_name(&found.module, found.func));
            let (source, line, column) = match &found.file {
                Some(file) => (self.sources.file(file), found.line, found.column.max(1)),
                None => {
                    let (source, line) = self.sources.of_function(&found.module, found.func, found.offset);
                    (source, line, 1)
                }
            };
            frames.push(compact(json!({
                "id": id,
                "name": if found.is_production { format!("{name} [production code]") } else { name },
                "source": source,
                "line": self.line_out(line),
                "column": self.column_out(column),
                "instructionPointerReference": self.sources.code_address(&found.module, found.offset.get()),
                "moduleId": self.module_id(&found.module),
                "canRestart": found.can_restart,
                "presentationHint": if found.file.is_none() { Value::from("subtle") } else { Value::Null },
            })));
        }
        Ok(compact(json!({ "stackFrames": frames, "totalFrames": total })))
    }

    pub(super) fn request_scopes(&mut self, args: Args<'_>) -> Answer {
        let handle = self.handles.frame(args.int("frameId")?)?;
        let found = self.at_frame(handle, move |frame| {
            let count = |scope| frame.variables(handle.level, scope).map_or(0, |all| all.len());
            let has_statics = !frame.module().source_files().is_empty();
            Ok((
                count(Scope::Parameters),
                count(Scope::Locals),
                has_statics,
                frame.local_count(),
                frame.operand_count(),
                frame.module().info().globals.len(),
                frame.is_production(),
            ))
        })?;
        let (arguments, locals, has_statics, wasm_locals, operands, globals, is_production) = found;
        let mut scopes = Vec::new();
        let mut add = |name: &str, part, hint: Option<&str>, count: Option<usize>, expensive: bool| -> Answer<()> {
            let reference = self.handles.add(Container::Scope(handle, part))?;
            scopes.push(compact(json!({
                "name": name, "variablesReference": reference, "expensive": expensive,
                "presentationHint": hint, "namedVariables": count
            })));
            Ok(())
        };
        if has_statics {
            if arguments > 0 {
                add("Arguments", Part::Arguments, Some("arguments"), Some(arguments), false)?;
            }
            add("Locals", Part::Locals, Some("locals"), Some(locals), false)?;
            add("Statics", Part::Statics, Some("globals"), None, true)?;
            add("Statics of the module", Part::ModuleStatics, Some("globals"), None, true)?;
        }
        if !is_production {
            let hint = if has_statics { "registers" } else { "locals" };
            add("Wasm locals", Part::WasmLocals, Some(hint), Some(wasm_locals), has_statics)?;
            add("Operand stack", Part::Operands, Some("registers"), Some(operands), has_statics)?;
        }
        if globals > 0 {
            add("Wasm globals", Part::Globals, Some("registers"), Some(globals), true)?;
        }
        Ok(json!({ "scopes": scopes }))
    }
}
