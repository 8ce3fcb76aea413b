//! How guests go on, and how they are stopped.

use super::adapter::Adapter;
use super::message::{Answer, Args, compact, failure};
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
