//! Requests: which there are, when they may come, and what the adapter can do at all.

use super::adapter::{Adapter, Phase};
use super::events::TERMINATED;
use super::launch::LaunchArguments;
use super::message::{Answer, Args, Failure, event, failure, response};
use super::wire::Cancelled;
use crate::debug::Action;
use serde_json::{Value, json};

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Guests go on without a debugger.
    Detach,
    /// Guests end.
    EndGuests,
}

fn capabilities() -> Value {
    json!({
        "supportsConfigurationDoneRequest": true,
        "supportsFunctionBreakpoints": true,
        "supportsConditionalBreakpoints": true,
        "supportsHitConditionalBreakpoints": true,
        "supportsLogPoints": true,
        "supportsInstructionBreakpoints": true,
        "supportsDataBreakpoints": true,
        "supportsDataBreakpointBytes": true,
        "supportsBreakpointLocationsRequest": true,
        "supportsExceptionInfoRequest": true,
        "supportsExceptionFilterOptions": true,
        "exceptionBreakpointFilters": [
            { "filter": "traps", "label": "Traps", "default": true,
              "description": "Where the program traps, such as at an access outside of its memory" },
            { "filter": "uncaught", "label": "Uncaught exceptions", "default": true,
              "description": "Where an exception is thrown that no function of the program catches" },
            { "filter": "all", "label": "All exceptions", "default": false,
              "description": "Where any exception is thrown" },
        ],
        "supportsEvaluateForHovers": true,
        "supportsSetVariable": true,
        "supportsSetExpression": true,
        "supportsSteppingGranularity": true,
        "supportsStepInTargetsRequest": true,
        "supportsRestartFrame": true,
        "supportsSingleThreadExecutionRequests": true,
        "supportsDelayedStackTraceLoading": true,
        "supportsValueFormattingOptions": true,
        "supportsModulesRequest": true,
        "supportsLoadedSourcesRequest": true,
        "supportsDisassembleRequest": true,
        "supportsReadMemoryRequest": true,
        "supportsWriteMemoryRequest": true,
        "supportsCancelRequest": true,
        "supportsTerminateRequest": true,
        "supportTerminateDebuggee": true,
    })
}

impl Adapter {
    /// Does what a message asks for; how the session ends, if it does.
    pub(super) fn received(&mut self, message: &Value, cancelled: &Cancelled) -> Option<End> {
        let sequence = message["seq"].as_i64();
        let command = message["command"].as_str();
        let (Some(sequence), Some(command), "request") = (sequence, command, message["type"].as_str().unwrap_or(""))
        else {
            if message["type"] != "response" {
                let text = "a message has to be a request, with a number `seq` and a `command`";
                let answer = Err(failure(text));
                self.send(response(sequence.unwrap_or(0), command.unwrap_or("unknown"), answer));
            }
            return None;
        };
        let arguments = &message["arguments"];
        let mut end = None;
        let answer = match arguments {
            _ if cancelled.take(sequence) => Err(Failure { short: "cancelled", text: "it was cancelled".to_owned() }),
            Value::Null | Value::Object(_) => self.request(command, Args(arguments), &mut end),
            _ => Err(failure("the arguments have to be an object")),
        };
        let has_worked = answer.is_ok();
        self.send(response(sequence, command, answer));
        for message in std::mem::take(&mut self.later) {
            self.send(message);
        }
        match command {
            "launch" | "attach" if has_worked => self.tell_all(),
            "configurationDone" if has_worked => self.configured(),
            "terminate" if has_worked => self.terminate(),
            _ => {}
        }
        end
    }

    fn request(&mut self, command: &str, args: Args<'_>, end: &mut Option<End>) -> Answer {
        match (command, self.phase) {
            ("initialize", Phase::New) => return self.initialize(args),
            ("disconnect", _) => {
                let ends = args.opt_flag("terminateDebuggee")?.unwrap_or(self.launched);
                *end = Some(if ends { End::EndGuests } else { End::Detach });
                return Ok(Value::Null);
            }
            // Those that it names are answered when it is their turn.
            ("cancel", _) => return Ok(Value::Null),
            (_, Phase::New) => return Err(failure("`initialize` has to be the first request")),
            (_, Phase::Over) => return Err(failure("the debugging session is over")),
            ("initialize", _) => return Err(failure("`initialize` was there already")),
            ("launch", Phase::Initialized) => return self.launch(args),
            ("attach", Phase::Initialized) => return self.attach(args),
            ("launch" | "attach", _) => return Err(failure("a program is being debugged already")),
            ("terminate", _) => return Ok(Value::Null),
            ("configurationDone", Phase::Begun) => return Ok(Value::Null),
            ("configurationDone", Phase::Initialized) => {
                return Err(failure("`launch` or `attach` has to come before it"));
            }
            ("configurationDone", _) => return Err(failure("`configurationDone` was there already")),
            _ => {}
        }
        match command {
            "setBreakpoints" => self.request_set_breakpoints(args),
            "setFunctionBreakpoints" => self.request_set_function_breakpoints(args),
            "setInstructionBreakpoints" => self.request_set_instruction_breakpoints(args),
            "setExceptionBreakpoints" => self.request_set_exception_breakpoints(args),
            "dataBreakpointInfo" => self.request_data_breakpoint_info(args),
            "setDataBreakpoints" => self.request_set_data_breakpoints(args),
            "breakpointLocations" => self.request_breakpoint_locations(args),
            "continue" => self.request_continue(args),
            "next" => self.request_next(args),
            "stepIn" => self.request_step_in(args),
            "stepInTargets" => self.request_step_in_targets(args),
            "restartFrame" => self.request_restart_frame(args),
            "stepOut" => self.request_step_out(args),
            "pause" => self.request_pause(args),
            "exceptionInfo" => self.request_exception_info(args),
            "threads" => self.request_threads(),
            "stackTrace" => self.request_stack_trace(args),
            "scopes" => self.request_scopes(args),
            "variables" => self.request_variables(args),
            "setVariable" => self.request_set_variable(args),
            "setExpression" => self.request_set_expression(args),
            "evaluate" => self.request_evaluate(args),
            "disassemble" => self.request_disassemble(args),
            "readMemory" => self.request_read_memory(args),
            "writeMemory" => self.request_write_memory(args),
            "modules" => self.request_modules(args),
            "loadedSources" => self.request_loaded_sources(),
            "source" => self.request_source(args),
            _ => Err(failure("there is no such request here")),
        }
    }

    fn initialize(&mut self, args: Args<'_>) -> Answer {
        self.lines_from_1 = args.opt_flag("linesStartAt1")?.unwrap_or(true);
        self.columns_from_1 = args.opt_flag("columnsStartAt1")?.unwrap_or(true);
        self.phase = Phase::Initialized;
        Ok(capabilities())
    }

    fn launch(&mut self, args: Args<'_>) -> Answer {
        let no_debug = args.flag("noDebug")?;
        let stop_on_entry = args.flag("stopOnEntry")? && !no_debug;
        let arguments = LaunchArguments::new(args.0);
        let launch = self.launch.as_mut();
        let launch = launch.ok_or_else(|| failure("this host runs its program itself: use `attach`"))?;
        launch.prepare(&arguments).map_err(failure)?;
        self.launched = true;
        self.sources.set_folders(&args.0["sourceMap"]);
        self.begin(stop_on_entry);
        Ok(Value::Null)
    }

    fn attach(&mut self, args: Args<'_>) -> Answer {
        if self.launch.is_some() && self.client.threads().is_empty() {
            return Err(failure("there is no program to attach to: use `launch`"));
        }
        let stop_on_entry = args.flag("stopOnEntry")?;
        self.sources.set_folders(&args.0["sourceMap"]);
        self.begin(stop_on_entry);
        Ok(Value::Null)
    }

    fn begin(&mut self, stop_on_entry: bool) {
        self.stop_on_entry = stop_on_entry;
        self.phase = Phase::Begun;
        self.later.push(json!({ "type": "event", "event": "initialized" }));
    }

    fn configured(&mut self) {
        self.phase = Phase::Configured;
        // One that stands at its first instruction has the breakpoints of all instances there.
        self.client.stop_at_instances(!self.stop_on_entry);
        self.tell_standing();
        if let Some(launch) = self.launch.as_mut().filter(|_| self.launched) {
            launch.begin();
        }
    }

    /// Has all guests end; what runs none of them says nothing.
    fn terminate(&mut self) {
        if self.phase >= Phase::Ending {
            return;
        }
        let is_launched = self.launched && self.phase >= Phase::Configured;
        self.phase = Phase::Ending;
        for thread in self.client.threads() {
            self.told.remove(&thread.id);
            self.handles.forget(thread.id);
            if thread.stopped.is_some() {
                _ = self.client.resume(thread.id, Action::Trap(TERMINATED.to_owned()));
            } else {
                _ = self.client.pause(thread.id);
            }
        }
        // A launched program tells when it has ended; others may live on.
        if !is_launched || self.client.threads().is_empty() {
            self.over();
        }
    }

    /// Says why nothing more is said.
    pub(super) fn complain(&mut self, why: &str) {
        let text = format!("the debug adapter cannot go on: {why}\n");
        self.send(event("output", json!({ "category": "important", "output": text })));
    }
}
