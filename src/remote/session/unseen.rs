//! Going on with the step that a stop has interrupted which no client is told of. To the debugger a step is over where
//! the guest is paused, or an event is told; to the client it is under way.

use crate::debug::{Action, Reason, Stop};
use crate::runtime::ModuleId;

/// A step under way, as it was asked for.
pub(super) struct Step {
    action: Action,
    to: To,
    /// The guest is on its way back to the step's frame, from where the step goes on.
    returning: bool,
}

enum To {
    /// The next instruction, from this one of a frame of this id.
    Anywhere(Place),
    /// The frame of this id, or one further out.
    In(usize),
    /// The frame of this id is where it ends.
    Out(usize),
}

/// A frame's id, and where in its module it stands.
type Place = (usize, ModuleId, u32);

/// What is done at a stop that no client is told of.
pub(super) enum Unseen {
    /// The guest goes on.
    GoOn(Action),
    /// It has come to where the step ends: the client is told that.
    Ended,
}

fn place(stop: &Stop<'_>) -> Option<Place> {
    let top = stop.top()?;
    Some((top.id(), top.module().id(), top.offset().get()))
}

fn id_of(stop: &Stop<'_>, level: usize) -> Option<usize> {
    Some(stop.frame(level)?.id())
}

impl Step {
    /// The step that an answer begins.
    pub(super) fn new(stop: &Stop<'_>, action: &Action) -> Option<Step> {
        let to = match action {
            Action::StepInstruction => To::Anywhere(place(stop)?),
            Action::StepOver | Action::StepLine | Action::NextLine | Action::StepInto(_) | Action::RunTo(_) => {
                To::In(id_of(stop, 0)?)
            }
            Action::StepOut => To::Out(id_of(stop, 1)?),
            Action::StepOutOf(0) => To::In(id_of(stop, 0)?),
            Action::StepOutOf(level) => To::Out(id_of(stop, *level)?),
            Action::Continue | Action::Trap(_) | Action::Later => return None,
        };
        Some(Step { action: action.clone(), to, returning: false })
    }

    /// Whether a stop is only the way back to where the step goes on.
    pub(super) fn passes(&self, reason: &Reason) -> bool {
        self.returning && matches!(reason, Reason::Step)
    }

    /// How the guest goes on from a stop that no client is told of.
    pub(super) fn go_on(&mut self, stop: &Stop<'_>) -> Unseen {
        // In an event's call frames wait: what ends a step there is behind the call.
        let in_call = !matches!(stop.reason(), Reason::Pause | Reason::Step);
        let ended = if in_call { Unseen::GoOn(Action::StepOver) } else { Unseen::Ended };
        let level = |id: usize| (0..stop.frame_count()).find(|level| id_of(stop, *level) == Some(id));
        self.returning = false;
        match &self.to {
            To::Anywhere(from) if in_call || place(stop).as_ref() == Some(from) => {
                Unseen::GoOn(Action::StepInstruction)
            }
            To::Anywhere(_) => ended,
            To::In(frame) => match level(*frame) {
                Some(0) => Unseen::GoOn(self.action.clone()),
                Some(level) => {
                    self.returning = true;
                    Unseen::GoOn(Action::StepOutOf(level))
                }
                None => ended,
            },
            To::Out(frame) => match level(*frame) {
                Some(0) | None => ended,
                Some(level) => Unseen::GoOn(Action::StepOutOf(level)),
            },
        }
    }
}
