//! What the session tells, as the client is told it.

use super::adapter::{Adapter, Phase};
use super::data::numbers;
use super::message::{compact, event};
use crate::debug::{Action, Reason};
use crate::remote::session::{Outcome, OutputStream, SessionEvent, Stopped, ThreadId};
use serde_json::json;

/// What ends guests that a client has terminated.
pub(super) const TERMINATED: &str = "it was terminated by the debugger";

impl Adapter {
    /// Something has happened; false where nothing more will.
    pub(super) fn happened(&mut self, told: SessionEvent) -> bool {
        match told {
            SessionEvent::Stopped(stopped) => self.stopped(stopped),
            SessionEvent::Continued(thread) => {
                // It was not the client who has let it go on.
                if self.told.remove(&thread).is_some() {
                    self.handles.forget(thread);
                    let body = json!({ "threadId": thread.get(), "allThreadsContinued": false });
                    self.send(event("continued", body));
                }
            }
            SessionEvent::Added(thread) => {
                if self.phase >= Phase::Begun {
                    self.start_thread(thread);
                }
            }
            SessionEvent::Instances(thread) => {
                if self.phase >= Phase::Begun {
                    self.tell_modules();
                    self.bring(thread);
                }
            }
            SessionEvent::Output(stream, bytes) => self.output(stream, &bytes),
            SessionEvent::Lost(bytes) => {
                let text = format!("({bytes} bytes of output were left out)\n");
                self.send(event("output", json!({ "category": "console", "output": text })));
            }
            SessionEvent::Ended(thread, outcome) => self.ended(thread, outcome),
            SessionEvent::Closed => {
                // Guests that stand go on when nobody is there any more, or has them do so.
                for thread in self.client.threads() {
                    _ = self.client.resume(thread.id, Action::Continue);
                }
                self.over();
                return false;
            }
        }
        true
    }

    /// Threads, modules and files that there are when a client begins.
    pub(super) fn tell_all(&mut self) {
        for thread in self.client.threads() {
            self.start_thread(thread.id);
        }
        self.tell_modules();
    }

    fn start_thread(&mut self, thread: ThreadId) {
        if self.threads.insert(thread) {
            self.send(event("thread", json!({ "reason": "started", "threadId": thread.get() })));
            self.bring(thread);
            if self.phase == Phase::Ending {
                _ = self.client.pause(thread);
            }
        }
    }

    fn stopped(&mut self, stopped: Stopped) {
        if self.phase == Phase::Ending {
            _ = self.client.resume(stopped.thread, Action::Trap(TERMINATED.to_owned()));
        } else if self.phase == Phase::Configured {
            self.tell_stop(stopped);
        }
        // Else it is looked at when the client has said what it wants.
    }

    /// The client has said all that it wants: guests that stand are told, or go on.
    pub(super) fn tell_standing(&mut self) {
        for thread in self.client.threads() {
            let Some(stopped) = thread.stopped else {
                if self.stop_on_entry {
                    _ = self.client.pause(thread.id);
                }
                continue;
            };
            self.tell_stop(stopped);
        }
    }

    fn tell_stop(&mut self, mut stopped: Stopped) {
        let thread = stopped.thread;
        // One that stood when the client was ready is told by then.
        if self.told.contains_key(&thread) {
            return;
        }
        // It may have been answered, and be told of once more.
        let Some(now) = self.client.stopped(thread) else { return };
        if now.depth != stopped.depth || now.reason != stopped.reason {
            return;
        }
        // One that stood until there was somebody who debugs it goes on, unless breakpoints were set where it stands.
        if matches!(stopped.reason, Reason::Pause) && !self.stop_on_entry && !self.pausing.contains(&thread) {
            match self.client.breakpoints_here(thread) {
                Ok(here) if !here.is_empty() => stopped.reach(here),
                _ => {
                    _ = self.go_on(thread, Action::Continue);
                    return;
                }
            }
        }
        let mut text = stopped.text.clone();
        let (reason, ids) = match &stopped.reason {
            // Breakpoints in what has come are set before any of it runs.
            Reason::Instance(_) | Reason::Module(_) => {
                self.tell_modules();
                self.bring(thread);
                _ = self.go_on(thread, Action::Continue);
                if self.pausing.contains(&thread) {
                    _ = self.client.pause(thread);
                }
                return;
            }
            Reason::Trap(_) if !self.traps => {
                _ = self.go_on(thread, Action::Continue);
                return;
            }
            Reason::Breakpoint(_) => {
                let (ids, reason) = self.lock().hits(thread, &stopped.breakpoints());
                (reason, ids)
            }
            Reason::Watchpoint(hits) => {
                let (ids, said) = self.watch_hits(thread, hits);
                text = said;
                ("data breakpoint", ids)
            }
            Reason::Step => ("step", Vec::new()),
            Reason::Pause if self.stop_on_entry => {
                self.stop_on_entry = false;
                ("entry", Vec::new())
            }
            Reason::Pause => ("pause", Vec::new()),
            Reason::Trap(_) | Reason::Exception => ("exception", Vec::new()),
            Reason::MemoryGrown(_) | Reason::HostCall(_) | Reason::HostReturn(_) => ("pause", Vec::new()),
        };
        // A guest stands anew, if it is told twice.
        self.handles.forget(thread);
        self.pausing.remove(&thread);
        let is_exception = reason == "exception";
        self.told.insert(thread, stopped);
        self.tell_modules();
        self.send(event(
            "stopped",
            compact(json!({
                "reason": reason,
                "description": (!text.is_empty()).then_some(&text),
                "text": is_exception.then_some(&text),
                "threadId": thread.get(),
                "allThreadsStopped": false,
                "hitBreakpointIds": numbers(ids),
            })),
        ));
    }

    fn output(&mut self, stream: OutputStream, bytes: &[u8]) {
        let (category, at) = match stream {
            OutputStream::Out => ("stdout", 0),
            OutputStream::Err => ("stderr", 1),
            OutputStream::Host => ("console", 2),
        };
        let mut all = std::mem::take(&mut self.rest[at]);
        all.extend_from_slice(bytes);
        // A letter may come in two parts.
        let whole = match std::str::from_utf8(&all) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => all.len(),
        };
        self.rest[at] = all.split_off(whole);
        if !all.is_empty() {
            let text = String::from_utf8_lossy(&all);
            self.send(event("output", json!({ "category": category, "output": text })));
        }
    }

    fn ended(&mut self, thread: ThreadId, outcome: Outcome) {
        self.told.remove(&thread);
        self.handles.forget(thread);
        self.pausing.remove(&thread);
        self.lock().forget(thread);
        if self.threads.remove(&thread) {
            self.send(event("thread", json!({ "reason": "exited", "threadId": thread.get() })));
        }
        let has_ended = match &outcome {
            Outcome::Exited(code) => {
                self.send(event("exited", json!({ "exitCode": code })));
                true
            }
            Outcome::Trapped(message) => {
                let text = format!("the program has trapped: {message}\n");
                self.send(event("output", json!({ "category": "important", "output": text })));
                true
            }
            Outcome::Gone => self.launched,
        };
        if has_ended && self.client.threads().is_empty() && self.phase >= Phase::Begun {
            self.over();
        }
    }

    /// Nothing is debugged any more.
    pub(super) fn over(&mut self) {
        if self.phase < Phase::Over {
            self.phase = Phase::Over;
            self.send(json!({ "type": "event", "event": "terminated" }));
        }
    }
}
