//! What stands behind traps and their frames.

use super::cell::StoreCell;
use super::info::TrapInfo;
use super::object::Object;
use crate::base::{Error, ErrorKind, NulText};
use crate::runtime::{FrameInfo, Instance, NotYet, Rooted, Trap};
use std::sync::{Arc, OnceLock};

/// What stands behind a trap: any error that ended a call.
pub(in crate::capi) struct TrapObject {
    pub(in crate::capi) kind: ErrorKind,
    pub(in crate::capi) message: NulText,
    pub(in crate::capi) trap: Option<Trap>,
    /// It is none: a host function has no answer yet.
    pub(in crate::capi) not_yet: Option<NotYet>,
    /// Message and frames, once C has asked.
    backtrace: OnceLock<NulText>,
    /// The instance of each of its frames, where that is known and of the trap's store.
    instances: Vec<Option<Instance>>,
    /// Keeps them from being collected.
    _rooted: Vec<Rooted>,
    /// What C keeps with it.
    pub(in crate::capi) host_info: TrapInfo,
}

impl TrapObject {
    /// The trap that tells C of an error, which may have come from another store.
    pub(in crate::capi) fn from_error(cell: &StoreCell, error: &Error) -> TrapObject {
        let trap = error.payload::<Trap>().cloned();
        let message = match &trap {
            Some(trap) => NulText::new(trap.message()),
            None => NulText::new(&error.to_string()),
        };
        let frames = trap.as_ref().map_or(&[][..], Trap::frames);
        let mut instances = Vec::new();
        let mut rooted = Vec::new();
        // A store that is in use elsewhere has nothing to say of them.
        if !frames.is_empty()
            && let Ok(store) = cell.enter_to_look()
        {
            instances.extend(frames.iter().map(|frame| frame.instance(&store)));
            let mut distinct: Vec<Instance> = instances.iter().copied().flatten().collect();
            distinct.dedup();
            rooted.extend(distinct.into_iter().map(|instance| cell.hold(instance.into())));
        }
        TrapObject {
            kind: error.kind(),
            message,
            trap,
            not_yet: error.payload::<NotYet>().copied(),
            backtrace: OnceLock::new(),
            instances,
            _rooted: rooted,
            host_info: TrapInfo::default(),
        }
    }

    /// Its message and its frames, one a line.
    pub(in crate::capi) fn backtrace(&self) -> &NulText {
        self.backtrace.get_or_init(|| match &self.trap {
            Some(trap) => NulText::new(&trap.to_string()),
            None => NulText::new(self.message.text()),
        })
    }

    /// The frames, innermost first, as handles of the trap's store.
    pub(in crate::capi) fn frames<'a>(&'a self, cell: &'a Arc<StoreCell>) -> impl Iterator<Item = FrameObject> + 'a {
        let frames = self.trap.as_ref().map_or(&[][..], Trap::frames);
        frames.iter().enumerate().map(|(i, frame)| {
            let instance = self.instances.get(i).copied().flatten();
            FrameObject::new(cell, frame, instance)
        })
    }

    /// The error that ends a guest's call with this trap.
    pub(in crate::capi) fn to_error(&self) -> Error {
        match (&self.trap, self.not_yet) {
            (Some(trap), _) => trap.clone().into(),
            (None, Some(not_yet)) => not_yet.into(),
            (None, None) => Error::new(self.kind, self.message.text()),
        }
    }
}

/// What stands behind `wasm_frame_t`.
#[derive(Clone)]
pub(in crate::capi) struct FrameObject {
    pub(in crate::capi) info: FrameInfo,
    pub(in crate::capi) instance: Option<Box<Object>>,
}

impl FrameObject {
    /// A frame of a trap in a store, with its instance, if that is one of this store.
    pub(in crate::capi) fn new(cell: &Arc<StoreCell>, info: &FrameInfo, instance: Option<Instance>) -> FrameObject {
        let instance = instance.map(|instance| Box::new(Object::new(cell, instance)));
        FrameObject { info: info.clone(), instance }
    }
}
