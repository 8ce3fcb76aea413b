//! Calls on stacks of their own, as their store has them: what is kept of one that does not run. How a thread comes to
//! the stack of a call and leaves it is in `leaving.rs`.

use crate::abi::{Activation, VMFuncRef, ValRaw};
use crate::base::{Result, ValType};
use crate::isa::HostToWasm;
use crate::runtime::objects::not_yet::WouldBlock;
use crate::runtime::objects::owned::Owned;
use crate::runtime::store::record::EventRecord;
use crate::sys::fiber::{Fiber, Switch};
use std::ops::Range;
use std::ptr::{NonNull, null, null_mut};

/// What a call is found by among those of its store, as long as it was not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::runtime) struct CallName {
    place: usize,
    number: u64,
}

/// The calls of a store.
#[derive(Default)]
pub(in crate::runtime) struct Calls {
    /// Each at its place.
    list: Vec<Option<Owned<CallState>>>,
    /// Places without one.
    free: Vec<usize>,
    /// How many there have ever been.
    made: u64,
}

impl Calls {
    /// How many there are.
    pub(in crate::runtime) fn len(&self) -> usize {
        self.list.len() - self.free.len()
    }

    /// Adds one.
    pub(in crate::runtime) fn add(&mut self, call: CallState) -> CallName {
        self.made += 1;
        let call = Some(Owned::new(Box::new(CallState { number: self.made, ..call })));
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.list.push(None);
                self.list.len() - 1
            }
        };
        self.list[place] = call;
        CallName { place, number: self.made }
    }

    /// The one of this number, if it is there still.
    pub(in crate::runtime) fn get(&self, name: CallName) -> Option<NonNull<CallState>> {
        let call = self.list.get(name.place)?.as_ref()?.ptr();
        // SAFETY: it is owned by this.
        (unsafe { call.as_ref() }.number == name.number).then_some(call)
    }

    /// What one of them is found by.
    pub(in crate::runtime) fn name_of(&self, call: NonNull<CallState>) -> Option<CallName> {
        let place = self.list.iter().position(|other| other.as_ref().is_some_and(|other| other.ptr() == call))?;
        // SAFETY: it is owned by this.
        Some(CallName { place, number: unsafe { call.as_ref() }.number })
    }

    /// Takes one out.
    pub(in crate::runtime) fn remove(&mut self, name: CallName) -> Option<Owned<CallState>> {
        self.get(name)?;
        let call = self.list.get_mut(name.place)?.take()?;
        self.free.push(name.place);
        Some(call)
    }

    /// All of them.
    pub(in crate::runtime) fn all(&self) -> impl Iterator<Item = NonNull<CallState>> {
        self.list.iter().flatten().map(Owned::ptr)
    }
}

/// Where a guest was left, and down to where it may go on its stack.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::runtime) struct LeftAt {
    pub(in crate::runtime) fp: usize,
    pub(in crate::runtime) pc: usize,
    pub(in crate::runtime) head: usize,
}

/// Down to where guests may be on a stack, and the floor below: see [`StoreInner::stack_floor`].
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::runtime) struct StackLimits {
    pub(in crate::runtime) limit: usize,
    pub(in crate::runtime) floor: usize,
}

/// What a call is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Phase {
    /// It has not begun: what is held are its parameters.
    New,
    /// Its guest runs, or waits for the host or for another guest.
    Runs,
    /// Its guest waits for this, and its stack was left.
    Waits(Awaited),
    /// It has returned, or failed: what is held are its results.
    Done,
}

/// What a guest waits for whose stack was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runtime) enum Awaited {
    /// What a host function is to return that has said that it is not known yet, with this number of the host's.
    Answer(u64),
    /// More fuel: a slice is used up.
    Slice,
    /// A later deadline.
    Deadline,
    /// What a debugger is to do at a stop.
    Stop,
    /// The system: what a host function of ours waits for is in [`CallState::blocked`].
    Io,
}

/// A call on a stack of its own.
pub(in crate::runtime) struct CallState {
    /// The entry into its guest: the only one on its stack.
    pub(in crate::runtime) activation: Activation,
    /// Names it for as long as the store lives.
    pub(in crate::runtime) number: u64,
    /// On how many stacks those stand that it was first run from.
    pub(in crate::runtime) depth: usize,
    /// What the store's run is while it runs; 0 before.
    pub(in crate::runtime) run: u64,
    pub(in crate::runtime) func: NonNull<VMFuncRef>,
    /// None where the function is the host's.
    pub(in crate::runtime) trampoline: Option<HostToWasm>,
    /// What trampolines read parameters from and write results to.
    pub(in crate::runtime) values: Vec<ValRaw>,
    /// Values that nothing but this holds: the parameters before the call, what it was answered, its results.
    pub(in crate::runtime) held: Vec<(ValType, ValRaw)>,
    pub(in crate::runtime) phase: Phase,
    /// Its stack, from when it first runs until it is done.
    pub(in crate::runtime) fiber: Option<Fiber>,
    /// The addresses of that.
    pub(in crate::runtime) stack: Range<usize>,
    /// By what its stack is left.
    pub(in crate::runtime) switch: *const Switch,
    /// Where its guest was left, while it does not run.
    pub(in crate::runtime) left: LeftAt,
    /// Whether its store is where it is.
    pub(in crate::runtime) gone_to: bool,
    /// What was before, while that is so.
    pub(in crate::runtime) outer: Outer,
    /// How often what runs has left its stack for that of whoever runs the call, and has not come back.
    pub(in crate::runtime) outside: u32,
    /// The events that its guest waits in, while it does not run: the newest.
    pub(in crate::runtime) events: *mut EventRecord,
    /// References to what guests have made that were given to who is told of those events.
    pub(in crate::runtime) handed_out: Vec<u32>,
    /// Its guest is to be left where it waits.
    pub(in crate::runtime) cancelled: bool,
    /// The host function that has no answer yet, while its guest waits for that.
    pub(in crate::runtime) asked: Option<NonNull<VMFuncRef>>,
    /// What a host function that its guest waits for has come to: its results are held.
    pub(in crate::runtime) answer: Option<Result<()>>,
    /// Its function, which is the host's, is about to begin.
    pub(in crate::runtime) calls_host: bool,
    /// Whether it is left where a host function of ours would block.
    pub(in crate::runtime) leaves_to_block: bool,
    /// Whether the host function that its guest has called may say so.
    pub(in crate::runtime) may_block: bool,
    /// What a host function of ours waits for, from when it has said so until it has done what it was called for.
    pub(in crate::runtime) blocked: Option<WouldBlock>,
    /// Whether its guest has returned.
    pub(in crate::runtime) returned: bool,
    /// Whether it is left where its store's deadline is over.
    pub(in crate::runtime) yields: bool,
    /// What was laid out of the fuel and did not do, where a slice ended.
    pub(in crate::runtime) carried: i64,
}

/// What a store was like before a call was gone on with.
#[derive(Clone, Copy)]
pub(in crate::runtime) struct Outer {
    pub(in crate::runtime) activation: *mut Activation,
    pub(in crate::runtime) events: *mut EventRecord,
    pub(in crate::runtime) limits: StackLimits,
    pub(in crate::runtime) run: u64,
}

impl CallState {
    pub(in crate::runtime) fn new(
        func: NonNull<VMFuncRef>,
        trampoline: Option<HostToWasm>,
        held: Vec<(ValType, ValRaw)>,
        room: usize,
    ) -> CallState {
        CallState {
            activation: Activation {
                entry_sp: 0,
                previous: null_mut(),
                store: null_mut(),
                saved_exit_fp: 0,
                saved_exit_pc: 0,
                saved_exit_head: 0,
                host_floats: 0,
                call: null_mut(),
            },
            number: 0,
            depth: 0,
            run: 0,
            func,
            trampoline,
            values: vec![ValRaw::default(); room],
            held,
            phase: Phase::New,
            fiber: None,
            stack: 0..0,
            switch: null(),
            left: LeftAt::default(),
            gone_to: false,
            outer: Outer { activation: null_mut(), events: null_mut(), limits: StackLimits::default(), run: 0 },
            outside: 0,
            events: null_mut(),
            handed_out: Vec::new(),
            cancelled: false,
            asked: None,
            answer: None,
            calls_host: false,
            leaves_to_block: false,
            may_block: false,
            blocked: None,
            returned: false,
            yields: false,
            carried: 0,
        }
    }

    /// Where its guest was left, if its stack was left with frames of it.
    pub(in crate::runtime) fn waits_at(&self) -> Option<LeftAt> {
        (matches!(self.phase, Phase::Waits(_)) && !self.gone_to).then_some(self.left)
    }

    /// The word that says where its guest goes on.
    pub(in crate::runtime) fn left_pc(&mut self) -> *mut usize {
        &raw mut self.left.pc
    }

    /// The events that its guest waits in, the newest first.
    pub(in crate::runtime) fn events(&self) -> impl Iterator<Item = &EventRecord> {
        // SAFETY: the records stand on its stack while it waits.
        std::iter::successors(unsafe { self.events.as_ref() }, |event| unsafe { event.previous.as_ref() })
    }
}
