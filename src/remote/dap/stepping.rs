//! How guests go on, and how they are stopped.

use super::adapter::Adapter;
use super::message::{Answer, Args, compact, event, failure};
use super::sources::function_name;
use crate::base::WasmOffset;
use crate::debug::{Action, Reason, Stop};
use crate::remote::session::{NotStopped, ThreadId};
use serde_json::{Value, json};

/// How far a step goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Over,
    Into,
}

/// Whether the innermost frame is shown as lines of its source.
fn has_line(stop: &Stop<'_>) -> bool {
    stop.top().is_some_and(|top| top.locations().iter().any(|at| at.line() > 0 && at.file().is_some()))
}

impl Adapter {
    /// Has a thread go on that stands.
    pub(super) fn go_on(&mut self, thread: ThreadId, action: Action) -> Answer<()> {
        // An instance that comes while a step is under way does not end the step.
        self.client.stop_at_instances(action == Action::Continue);
        if !self.client.resume(thread, action)? {
            return Err(NotStopped::Running.into());
        }
        self.told.remove(&thread);
        self.handles.forget(thread);
        Ok(())
    }

    pub(super) fn request_continue(&mut self, args: Args<'_>) -> Answer {
        let thread = self.thread(args.int("threadId")?)?;
        let is_single = args.flag("singleThread")?;
        if !self.told.contains_key(&thread) {
            return Err(NotStopped::Running.into());
        }
        self.go_on(thread, Action::Continue)?;
        if !is_single {
            let others: Vec<ThreadId> = self.told.keys().copied().collect();
            for other in others {
                // One that is gone meanwhile does not stand.
                _ = self.go_on(other, Action::Continue);
            }
        }
        Ok(json!({ "allThreadsContinued": !is_single }))
    }

    fn step(&mut self, args: Args<'_>, way: Way) -> Answer {
        let thread = self.thread(args.int("threadId")?)?;
        if !self.told.contains_key(&thread) {
            return Err(NotStopped::Running.into());
        }
        let by_instruction = match args.opt_str("granularity")? {
            Some("instruction") => true,
            // Where instructions are what is shown, they are the lines.
            None | Some("line" | "statement") => !self.at_stop(thread, |stop| Ok(has_line(stop)))?,
            Some(other) => return Err(failure(format!("there is no granularity `{other}`"))),
        };
        let target = if way == Way::Into { args.opt_int("targetId")? } else { None };
        if let Some(number) = target {
            let call = u32::try_from(number).ok().map(WasmOffset::new);
            let missing = || failure(format!("there is no call {number} in the line that the thread stands at"));
            let is_there = move |stop: &mut Stop<'_>| Ok(stop.calls_of_line()?.iter().any(|(at, _)| Some(*at) == call));
            let is_there = self.at_stop(thread, is_there)?;
            let call = call.filter(|_| is_there).ok_or_else(missing)?;
            return self.go_on(thread, Action::StepInto(call)).map(|()| Value::Null);
        }
        let action = match (way, by_instruction) {
            (Way::Over, true) => Action::StepOver,
            (Way::Over, false) => Action::NextLine,
            (Way::Into, true) => Action::StepInstruction,
            (Way::Into, false) => Action::StepLine,
        };
        self.go_on(thread, action).map(|()| Value::Null)
    }

    pub(super) fn request_next(&mut self, args: Args<'_>) -> Answer {
        self.step(args, Way::Over)
    }

    pub(super) fn request_step_in(&mut self, args: Args<'_>) -> Answer {
        self.step(args, Way::Into)
    }

    /// The calls that a step may go into: those of the line that is left to run, which have their offsets as numbers.
    pub(super) fn request_step_in_targets(&mut self, args: Args<'_>) -> Answer {
        let handle = self.handles.frame(args.int("frameId")?)?;
        if handle.index > 0 {
            return Err(failure("a step goes into calls of the innermost frame: choose that one"));
        }
        let found = self.at_stop(handle.thread, |stop| {
            let calls = stop.calls_of_line()?;
            let frame = stop.top().ok_or_else(|| failure("the frame is gone"))?;
            let (module, func) = (frame.module(), frame.func());
            let mut targets = Vec::with_capacity(calls.len());
            for (at, callee) in calls {
                let label = match callee {
                    Some(callee) => function_name(module, callee),
                    None => module.instructions(func, at, 1)?.pop().map_or_else(String::new, |one| one.text),
                };
                let place = module.locations(at).first().map(|place| (place.line(), place.column()));
                targets.push((at, label, place.unwrap_or((0, 0))));
            }
            Ok(targets)
        })?;
        let target = |(at, label, (line, column)): (WasmOffset, String, (u32, u32))| {
            compact(json!({
                "id": at.get(), "label": label,
                "line": (line > 0).then(|| self.line_out(line)),
                "column": (line > 0 && column > 0).then(|| self.column_out(column)),
            }))
        };
        Ok(json!({ "targets": found.into_iter().map(target).collect::<Vec<Value>>() }))
    }

    pub(super) fn request_restart_frame(&mut self, args: Args<'_>) -> Answer {
        let handle = self.handles.frame(args.int("frameId")?)?;
        let thread = handle.thread;
        self.at_stop(thread, move |stop| {
            let frame = stop.frame(handle.index).ok_or_else(|| failure("the frame is gone"))?;
            if handle.level + 1 < frame.locations().len() {
                return Err(failure("a function that is inlined cannot be begun anew: choose the one that it is in"));
            }
            Ok(stop.restart(handle.index)?)
        })?;
        self.handles.forget(thread);
        let body = json!({ "reason": "restart", "threadId": thread.get(), "allThreadsStopped": false });
        self.later.push(event("stopped", body));
        Ok(Value::Null)
    }

    pub(super) fn request_step_out(&mut self, args: Args<'_>) -> Answer {
        let thread = self.thread(args.int("threadId")?)?;
        if !self.told.contains_key(&thread) {
            return Err(NotStopped::Running.into());
        }
        self.go_on(thread, Action::StepOut).map(|()| Value::Null)
    }

    pub(super) fn request_pause(&mut self, args: Args<'_>) -> Answer {
        let thread = self.thread(args.int("threadId")?)?;
        self.client.pause(thread)?;
        if !self.told.contains_key(&thread) {
            self.pausing.insert(thread);
        }
        Ok(Value::Null)
    }

    pub(super) fn request_exception_info(&mut self, args: Args<'_>) -> Answer {
        let thread = self.thread(args.int("threadId")?)?;
        let stopped = self.client.stopped(thread).ok_or(NotStopped::Running)?;
        let (id, text, mode) = match &stopped.reason {
            Reason::Trap(code) => ("trap", code.message().to_owned(), "always"),
            Reason::Exception => {
                let caught = self.at_stop(thread, |stop| Ok(stop.catching_frame()))?;
                match caught {
                    Some(frame) => {
                        ("exception", format!("an exception is thrown, which frame {frame} catches"), "always")
                    }
                    None => ("exception", "an exception is thrown that no frame catches".to_owned(), "unhandled"),
                }
            }
            _ => return Err(failure("the thread has not stopped for a trap or an exception")),
        };
        let trace = self.at_stop(thread, |stop| {
            let mut lines = String::new();
            for index in 0..stop.frame_count().min(64) {
                let Some(frame) = stop.frame(index) else { break };
                let locations = frame.locations();
                let at = locations.first();
                let name = at.and_then(|at| at.function()).or(frame.func_name()).unwrap_or("?").to_owned();
                let place = match at.filter(|at| at.line() > 0) {
                    Some(at) => format!("{}:{}", at.file().unwrap_or("?"), at.line()),
                    None => format!("{:#x}", frame.offset().get()),
                };
                lines.push_str(&format!("{name} at {place}\n"));
            }
            Ok(lines)
        })?;
        Ok(compact(json!({
            "exceptionId": id, "description": text, "breakMode": mode,
            "details": { "message": text, "typeName": id, "stackTrace": trace }
        })))
    }
}
