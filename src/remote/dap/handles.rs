//! The numbers by which a client calls frames and variables. They live as long as the stop that they were given at: a
//! number is never used again, and one of a stop that is over is an error.

use super::message::{Answer, failure};
use crate::debug::FrameVariable;
use crate::remote::session::ThreadId;
use std::collections::HashMap;

/// So many may be in use at once.
const MAX_LIVE: usize = 500_000;

/// A frame as the client sees it: one of a function of the source, of which one Wasm frame may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHandle {
    pub(super) thread: ThreadId,
    /// Which Wasm frame, 0 the innermost.
    pub(super) index: usize,
    /// Which function of the source at its instruction, 0 the innermost.
    pub(super) level: usize,
}

/// A list of variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Arguments,
    Locals,
    Statics,
    ModuleStatics,
    WasmLocals,
    Operands,
    Globals,
}

/// What has variables in it.
#[derive(Clone)]
pub(super) enum Container {
    Scope(FrameHandle, Part),
    /// A variable of the source, and the expression that leads to it.
    Variable(FrameHandle, Box<FrameVariable>, String),
}

impl Container {
    pub(super) fn frame(&self) -> FrameHandle {
        match self {
            Container::Scope(frame, _) | Container::Variable(frame, ..) => *frame,
        }
    }
}

#[derive(Default)]
pub(super) struct Handles {
    last: i64,
    frames: HashMap<i64, FrameHandle>,
    containers: HashMap<i64, Container>,
}

impl Handles {
    fn number(&mut self) -> Answer<i64> {
        if self.frames.len() + self.containers.len() >= MAX_LIVE || self.last >= i64::from(i32::MAX) - 1 {
            return Err(failure("too many variables were asked for at this stop: let the guest go on"));
        }
        self.last += 1;
        Ok(self.last)
    }

    pub(super) fn add_frame(&mut self, frame: FrameHandle) -> Answer<i64> {
        let number = self.number()?;
        self.frames.insert(number, frame);
        Ok(number)
    }

    pub(super) fn add(&mut self, container: Container) -> Answer<i64> {
        let number = self.number()?;
        self.containers.insert(number, container);
        Ok(number)
    }

    pub(super) fn frame(&self, number: i64) -> Answer<FrameHandle> {
        let known = self.frames.get(&number).copied();
        known
            .ok_or_else(|| failure(format!("there is no frame {number}: the guest has gone on since, or never had it")))
    }

    pub(super) fn container(&self, number: i64) -> Answer<Container> {
        let known = self.containers.get(&number).cloned();
        known.ok_or_else(|| {
            failure(format!("there are no variables {number}: the guest has gone on since, or never had them"))
        })
    }

    /// A thread has gone on.
    pub(super) fn forget(&mut self, thread: ThreadId) {
        self.frames.retain(|_, frame| frame.thread != thread);
        self.containers.retain(|_, container| container.frame().thread != thread);
    }
}
