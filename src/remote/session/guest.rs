//! The guest's side: what happens on the thread of a guest that has stopped. It does the work that waits, tells the
//! client, and waits for its answer. There is a store in hand here, so all that is done to one is done here.

use super::event::{InstanceInfo, Outcome, SessionEvent, Stopped, ThreadId, describe};
use super::state::{Job, Shared, Standing, State};
use super::unseen::{Step, Unseen};
use crate::debug::{Action, BreakpointId, Debugger, Events, ExceptionStops, Reason, Stop};
use crate::runtime::{AsStoreMut, Instance, StoreMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard};

/// What the debugger stops at for the session, whatever clients ask for.
pub(super) const EVENTS: fn() -> Events = || Events::TRAP | Events::INSTANCE;

/// A thread's debugger has this for its callback: dropped with the store, it says so.
pub(super) struct Guest {
    pub(super) shared: Arc<Shared>,
    pub(super) thread: ThreadId,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.debuggers.remove(&self.thread);
            state.end(self.thread, Outcome::Gone);
        });
    }
}

/// Notes an instance of a store.
pub(super) fn note_instance(state: &mut State, thread: ThreadId, store: &StoreMut<'_>, instance: Instance) {
    let (Ok(module), Ok(id)) = (instance.module(store), instance.id(store)) else { return };
    let number = state.last_instance + 1;
    let file = state.files.get(&module.id()).cloned();
    let Some(known) = state.threads.get_mut(&thread) else { return };
    known.instances.push(InstanceInfo { number, thread, module: module.clone(), file, instance: id });
    state.last_instance = number;
    // A host may make any number of instances, and collect them.
    if known.instances.len() > 2 * known.pruned + 256 {
        known.instances.retain(|one| store.find_instance(one.instance).is_some());
        known.pruned = known.instances.len();
    }
    state.tell(SessionEvent::Instances(thread));
}

/// Removes what a client has set.
fn clear(stop: &mut Stop<'_>) {
    let debugger = stop.debugger();
    let ids: Vec<BreakpointId> =
        debugger.breakpoints(stop).unwrap_or_default().iter().map(|breakpoint| breakpoint.id).collect();
    // Where the system refuses that, they stay, and stop nothing that anybody waits at.
    _ = debugger.remove_all(stop, &ids);
    for watchpoint in debugger.watchpoints(stop).unwrap_or_default() {
        _ = debugger.remove_watchpoint(stop, watchpoint.id);
    }
    _ = debugger.step_always(stop, false);
    _ = debugger.stop_at_exceptions(stop, ExceptionStops::None);
    _ = debugger.set_events(stop, EVENTS());
}

/// The breakpoints at the instruction that the guest is about to run, which stop whoever comes there.
pub(super) fn breakpoints_here(stop: &mut Stop<'_>) -> Vec<BreakpointId> {
    let debugger: Debugger = stop.debugger();
    let all = debugger.breakpoints(stop).unwrap_or_default();
    let Some(top) = stop.top() else { return Vec::new() };
    let (module, offset, instance) = (top.module().id(), top.offset(), top.instance_id());
    let here = all.iter().filter(|breakpoint| {
        let options = &breakpoint.options;
        let here = options.instance.is_none() || options.instance == instance;
        let stops = options.enabled && options.ignore == 0 && options.condition.is_none() && here;
        stops && breakpoint.places.iter().any(|place| place.module.id() == module && place.offset == offset)
    });
    here.map(|breakpoint| breakpoint.id).collect()
}

/// The answer to a stop of a guest for which nobody waits any more.
fn interrupted() -> Action {
    Action::Trap("it was interrupted".to_owned())
}

impl Guest {
    /// The callback of a stop.
    pub(super) fn stopped(&self, stop: &mut Stop<'_>) -> Action {
        let mut reason = stop.reason().clone();
        let mut state = self.shared.lock();
        if let Reason::Instance(instance) = reason {
            note_instance(&mut state, self.thread, &stop.as_store_mut(), instance);
            self.shared.notify();
        }
        match state.threads.get(&self.thread) {
            None => return Action::Continue,
            Some(thread) if thread.quiet > 0 || thread.abandoned => return self.stopped_quietly(state),
            Some(_) => {}
        }
        // What is set now at the instruction that a pause stands at stops the guest there.
        drop(state);
        let before = if matches!(reason, Reason::Pause) { breakpoints_here(stop) } else { Vec::new() };
        state = self.shared.lock();
        let mut told = false;
        loop {
            let Some(thread) = state.threads.get_mut(&self.thread) else { return Action::Continue };
            if thread.abandoned {
                return self.leave(state, told, interrupted());
            } else if std::mem::take(&mut thread.stale) {
                thread.step = None;
                drop(state);
                clear(stop);
                state = self.shared.lock();
            } else if let Some(message) = thread.ends.take() {
                return self.leave(state, told, Action::Trap(message));
            } else if let Some(action) = thread.stops.last_mut().filter(|_| told).and_then(|last| last.answer.take()) {
                thread.step = Step::new(stop, &action);
                return self.leave(state, told, action);
            } else if let Some(job) = thread.jobs.pop_front() {
                drop(state);
                state = self.run(job, stop);
            } else if told {
                if state.client.is_none() && !state.holds() {
                    return self.leave(state, told, Action::Continue);
                }
                state = self.shared.wait(state, None);
            } else {
                if matches!(reason, Reason::Pause) && !thread.pause {
                    drop(state);
                    let new = breakpoints_here(stop).into_iter().filter(|id| !before.contains(id));
                    let new: Vec<BreakpointId> = new.collect();
                    state = self.shared.lock();
                    if !new.is_empty() {
                        reason = Reason::Breakpoint(new.into_iter().collect());
                    }
                }
                if !self.is_told(&state, &reason) {
                    let Some(thread) = state.threads.get_mut(&self.thread) else { return Action::Continue };
                    match thread.step.as_mut().map(|step| step.go_on(stop)) {
                        None => return self.leave(state, told, Action::Continue),
                        Some(Unseen::GoOn(action)) => return self.leave(state, told, action),
                        Some(Unseen::Ended) => reason = Reason::Step,
                    }
                }
                self.tell(&mut state, stop, &reason);
                told = true;
            }
        }
    }

    /// A stop within work whose guests are let pass. Who has the thread paused meanwhile ends what the work has called.
    fn stopped_quietly(&self, mut state: MutexGuard<'_, State>) -> Action {
        let ended = state.threads.get_mut(&self.thread).is_some_and(|thread| {
            let ended = std::mem::take(&mut thread.pause) || thread.abandoned;
            if ended {
                thread.pauser.cancel();
            }
            ended
        });
        if ended { interrupted() } else { Action::Continue }
    }

    /// Whether a client is told of a stop, or will be.
    fn is_told(&self, state: &State, reason: &Reason) -> bool {
        let Some(thread) = state.threads.get(&self.thread) else { return false };
        let client = state.client.as_ref();
        match reason {
            Reason::Pause => thread.pause && (client.is_some() || state.holds()),
            Reason::Instance(_) => client.is_some_and(|client| client.stops_at_instances),
            Reason::Trap(_) => client.is_some() || state.holds(),
            Reason::Step if thread.step.as_ref().is_some_and(|step| step.passes(reason)) => false,
            _ => client.is_some(),
        }
    }

    /// Tells the client that the guest stands, or notes it for the next one.
    fn tell(&self, state: &mut State, stop: &Stop<'_>, reason: &Reason) {
        let Some(thread) = state.threads.get_mut(&self.thread) else { return };
        let stopped = Stopped {
            thread: self.thread,
            reason: reason.clone(),
            text: describe(reason),
            depth: thread.stops.len() + 1,
            frames: stop.frame_count(),
        };
        thread.stops.push(Standing { stopped: stopped.clone(), answer: None });
        thread.step = None;
        // It stands: nobody needs it to stop any more.
        thread.pause = false;
        thread.pauser.cancel();
        state.tell(SessionEvent::Stopped(stopped));
        self.shared.notify();
    }

    /// The guest goes on.
    fn leave(&self, mut state: MutexGuard<'_, State>, told: bool, action: Action) -> Action {
        if let Some(thread) = state.threads.get_mut(&self.thread) {
            if told {
                thread.stops.pop();
            }
            if !thread.is_wanted() {
                thread.pauser.cancel();
            }
            if told {
                state.tell(SessionEvent::Continued(self.thread));
                self.shared.notify();
            }
        }
        action
    }

    /// Does work that waited.
    fn run(&self, job: Job, stop: &mut Stop<'_>) -> MutexGuard<'_, State> {
        let quiet = usize::from(job.quiet);
        if let Some(thread) = self.shared.lock().threads.get_mut(&self.thread) {
            thread.at_work += 1;
            thread.quiet += quiet;
        }
        // Its owner finds that no result comes.
        _ = catch_unwind(AssertUnwindSafe(|| (job.work)(stop)));
        let mut state = self.shared.lock();
        if let Some(thread) = state.threads.get_mut(&self.thread) {
            thread.at_work -= 1;
            thread.quiet -= quiet;
            thread.abandoned &= thread.at_work > 0;
            if !job.quiet {
                // One that began within is over.
                thread.step = None;
            }
        }
        state
    }
}

/// With a store in hand that stands at no stop, before any guest runs in it: what it has already.
pub(super) fn note_all(state: &mut State, thread: ThreadId, store: &mut impl AsStoreMut) {
    let store = store.as_store_mut();
    let instances: Vec<Instance> = store.instances().collect();
    for instance in instances {
        note_instance(state, thread, &store, instance);
    }
}
