//! The course of one stop: what is to be told where a guest stands, and at each instruction that rerun comes to from
//! there, and how the guest goes on behind it. The head of the module has an example. It looks and decides, with the
//! debugger's state in hand; whoever calls the callback does that with the state put back.

use super::State;
use super::breakpoint_id::{BreakpointId, Hits};
use super::stepping::Action;
use super::stop::Reason;
use super::watchpoint::WatchHit;
use crate::base::{Result, WasmOffset};
use crate::code::CodeSlot;
use crate::image::RerunEnd;
use crate::runtime::{
    Answer, AsStore, Looked, Room, StandingFrame, StopInfo, StoreMut, StoreRef, Trap, TrapCode, TrapInfo, VirtualFrame,
};

/// The most frames' worth of room kept.
const MAX_SPARE: usize = 4;

/// Where a guest is that stands at a stop point: there, or inside the region behind it.
pub(super) struct Place<'a> {
    info: &'a StopInfo,
    /// The instruction about to run.
    wasm: WasmOffset,
    /// What is known of it inside the region. While it is shown, the event has it.
    inside: Option<Box<VirtualFrame>>,
    /// Whether the callback has seen something inside the region, or has changed the frame.
    told_inside: bool,
    /// Whether a step ends here.
    stepped: bool,
    /// Whether the guest would not come here by itself, for what the callback has changed.
    diverged: bool,
    /// Whether a watchpoint is told here, and breakpoints have not been looked at.
    watched: bool,
    /// What is known where the guest is at an access of what is watched: it goes on from there.
    access: Option<Box<Access>>,
    /// Whether the guest is to go on quietly, since what it does then is known.
    quiet: bool,
    /// Why the callback is called. It is written where it stands: moving what was just written in parts is slow.
    pub(super) reason: Reason,
}

impl<'a> Place<'a> {
    #[inline]
    pub(super) fn new(info: &'a StopInfo) -> Self {
        Place {
            info,
            wasm: info.wasm,
            inside: None,
            told_inside: false,
            stepped: false,
            diverged: false,
            watched: false,
            access: None,
            quiet: false,
            reason: Reason::Step,
        }
    }

    /// At a stop point, where this was told.
    pub(super) fn told(info: &'a StopInfo, reason: Reason) -> Self {
        Place { reason, ..Place::new(info) }
    }
}

/// A guest that is inside a region, where it was stopped at an access. What it has read on the way, or ahead of its
/// turn, it does not read again.
struct Access {
    /// Where it comes to by itself, and with what locals and operands.
    end: (WasmOffset, Vec<[u64; 2]>),
}

/// Where a frame stands, and what is in it.
fn snapshot(inside: &VirtualFrame) -> (WasmOffset, Vec<[u64; 2]>) {
    (inside.wasm(), inside.locals().chain(inside.operands()).map(|(_, value)| value.words()).collect())
}

/// Whether the callback is to see an instruction.
enum Due {
    No,
    Yes,
    /// If the host says so.
    Ask,
}

/// What is to be done next at a stop.
pub(super) enum Next {
    /// The callback is called, for [`Place::reason`], and the answer handed to [`State::answered`].
    Tell,
    /// The host is asked about the conditions of the breakpoints of [`Place::reason`], and [`State::asked`] told.
    Ask,
    /// The host is asked which of the hits of [`Place::reason`] are told, and [`State::watch_asked`] told.
    AskWatched,
    /// The guest goes on.
    Done(Answer),
}

impl State {
    /// Whether breakpoints alone may stop a guest: no step is under way, nothing is watched, covered or paused.
    #[inline]
    fn has_breakpoints_alone(&self, store: StoreRef<'_>) -> bool {
        !self.asking
            && !self.stepping.is_always()
            && self.stepping.is_idle(&self.layers)
            && self.marks.is_empty()
            && self.callers.is_empty()
            && !self.watch.is_awake()
            && !store.registry().has_pause_to_end()
    }

    /// The guest has come to a stop point: which breakpoint there stops it, if only that is to be looked at. This and
    /// [`State::goes_on`] are a short way through what [`State::arrive`] and [`State::answered`] do: most need no more.
    #[inline]
    pub(super) fn hit_alone(&mut self, store: &StoreMut<'_>, info: &StopInfo) -> Option<BreakpointId> {
        if !self.has_breakpoints_alone(store.as_store()) {
            return None;
        }
        let found = self.breakpoints.at(info.slot, info.wasm)?;
        self.breakpoints.hit_plain(found)
    }

    /// The guest has come to a stop point: whether the breakpoint there lets it pass, if only that is to be looked at,
    /// and nothing up to the next. A shorter way still, for breakpoints that count and those whose condition is false.
    pub(super) fn passes(&mut self, frame: &StandingFrame<'_>) -> bool {
        let (store, info) = (frame.store(), frame.stop());
        self.has_breakpoints_alone(store)
            && !store.registry().is_pause_asked()
            && self.breakpoints.inside(info.slot, info.func).is_none()
            && self.breakpoints.at(info.slot, info.wasm).is_some_and(|found| self.breakpoints.passes(found, frame))
    }

    /// Such a breakpoint has been told: whether the guest goes on from there, with nothing more to be looked at.
    #[inline]
    pub(super) fn goes_on(&self, store: &StoreMut<'_>, info: &StopInfo, action: &Action) -> bool {
        matches!(action, Action::Continue)
            && self.has_breakpoints_alone(store.as_store())
            && !store.has_virtual()
            && self.breakpoints.inside(info.slot, info.func).is_none()
    }

    /// The guest has come to a stop point.
    #[inline]
    pub(super) fn arrive(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>) -> Result<Next> {
        if store.registry().has_pause_to_end() {
            // It was taken back.
            store.end_pause()?;
        }
        self.marks.reach(store, at.info.slot, at.wasm)?;
        if self.asking {
            return Ok(Next::Done(Answer::GoOn));
        }
        if !self.callers.is_empty() {
            let room = self.spare.pop();
            at.inside = self.callers.arrived(&mut self.breakpoints, &mut self.layers, store, at.info, room)?;
            if at.inside.is_some() {
                at.told_inside = true;
                self.was_told(store, at);
            }
        }
        if self.watch.is_awake() {
            let inside = at.inside.as_deref();
            let watched = self.watch.arrived(&mut self.breakpoints, &mut self.layers, store, at.info, inside)?;
            if !watched.is_empty() {
                show(store, at);
                return Ok(self.tell_watched(at, watched));
            }
        }
        self.go_on_unless_due(store, at)
    }

    /// Tells, or asks about, what is due where the guest stands; else it goes on.
    #[inline]
    fn go_on_unless_due(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>) -> Result<Next> {
        let inside = at.inside.take();
        let due = self.is_due(store, at, inside.as_deref())?;
        at.inside = inside;
        match due {
            Due::Yes => {
                show(store, at);
                return Ok(self.tell());
            }
            Due::Ask => {
                show(store, at);
                return Ok(Next::Ask);
            }
            Due::No => {}
        }
        self.stepping.forget_ended(&mut self.layers, store)?;
        self.go_on(store, at)
    }

    /// What has been shown inside of a region, and may have been changed meanwhile, is where the guest goes on from.
    fn shown_again(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>) {
        if let Some(mut inside) = store.take_virtual() {
            inside.take_back(store);
            at.wasm = inside.wasm();
            at.inside = Some(inside);
            at.told_inside = true;
        }
        self.was_told(store, at);
    }

    /// The callback is to be called. What it runs meanwhile is not stepped; how the guest goes on, its answer says.
    #[inline]
    fn tell(&mut self) -> Next {
        self.stepping.pause();
        Next::Tell
    }

    /// The callback is to be told what watchpoints have seen, unless the host has to be asked first. The step under way
    /// is over where it is told.
    fn tell_watched(&mut self, at: &mut Place<'_>, hits: Vec<WatchHit>) -> Next {
        at.reason = Reason::Watchpoint(hits);
        at.watched = true;
        at.stepped = false;
        let is_asked = at.reason.watchpoints().iter().any(|hit| self.watch.asked(hit).is_some());
        if is_asked { Next::AskWatched } else { self.tell() }
    }

    /// The host has been asked: these hits are told, if any. Else all is as without them: a step goes on.
    pub(super) fn watch_asked(
        &mut self,
        store: &mut StoreMut<'_>,
        at: &mut Place<'_>,
        held: Vec<WatchHit>,
    ) -> Result<Next> {
        if !held.is_empty() {
            at.reason = Reason::Watchpoint(held);
            return Ok(self.tell());
        }
        at.watched = false;
        self.shown_again(store, at);
        self.go_on_unless_due(store, at)
    }

    /// The guest has accessed what is watched, or what is near it, behind a stop point.
    pub(super) fn accessed(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>) -> Result<Next> {
        self.watch.follow();
        if !at.info.regions {
            return self.expect_next(store, at);
        }
        let room = self.spare.pop();
        let room = store.note_paid(room)?;
        let mut ahead = store.look_inside(room)?;
        // Split code stops between.
        match self.breakpoints.splits(at.info.slot) {
            Some(splits) => ahead.run_to(store, splits),
            None => ahead.run_out(store),
        }?;
        at.access = Some(Box::new(Access { end: snapshot(&ahead) }));
        at.quiet = true;
        self.keep(ahead.into());
        at.inside = Some(store.look_inside(self.spare.pop())?);
        self.go_on(store, at)
    }

    /// In code without regions: a stop point is behind the next instruction, up to which what is watched may be
    /// accessed.
    fn expect_next(&mut self, store: &mut StoreMut<'_>, at: &Place<'_>) -> Result<Next> {
        let here = store.look_inside(self.spare.pop())?;
        if let Some(accessing) = self.watch.access_of(store, at.info, &here)? {
            self.watch.expect(store.as_store(), &accessing)?;
        }
        self.keep(here.into());
        self.watch.go_on_quietly(&mut self.layers, store)?;
        Ok(Next::Done(Answer::GoOn))
    }

    /// The host has been asked: these breakpoints are come to.
    pub(super) fn asked(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>, held: Hits) -> Result<Next> {
        self.shown_again(store, at);
        at.reason = Reason::Breakpoint(held);
        if self.settle(store, at)? {
            if let Some(mut inside) = at.inside.take() {
                inside.pay(store);
                store.set_virtual(inside);
            }
            return Ok(self.tell());
        }
        self.stepping.forget_ended(&mut self.layers, store)?;
        self.go_on(store, at)
    }

    /// The callback has been called and has answered.
    #[inline]
    pub(super) fn answered(
        &mut self,
        store: &mut StoreMut<'_>,
        at: &mut Place<'_>,
        action: &mut Action,
    ) -> Result<Next> {
        if self.watch.is_awake() {
            // What the callback and its guests have written was nobody's to tell.
            self.watch.refresh(store.as_store())?;
        }
        if let Action::Trap(message) = action {
            self.stepping.cancel(&mut self.layers, store)?;
            return Err(Trap::new(std::mem::take(message)).into());
        }
        // Shown inside the region, or changed by the callback.
        if let Some(mut inside) = store.take_virtual() {
            inside.take_back(store);
            if !inside.stands_at(at.info) {
                return self.leave_frames(store, at, action, inside).map(Next::Done);
            }
            // The callback may have had it jump.
            at.wasm = inside.wasm();
            at.inside = Some(inside);
            at.told_inside = true;
        }
        // Those of guests that the callback has called are gone, whatever has ended them.
        self.watch.look_at_frames(&mut self.breakpoints, store)?;
        self.was_told(store, at);
        self.stepping.start(&mut self.layers, store, action, at.info, at.wasm)?;
        // A watchpoint was told first: breakpoints at the instruction come behind it.
        if std::mem::take(&mut at.watched)
            && at.inside.as_ref().is_none_or(|inside| inside.wasm() == at.wasm)
            && let Some(found) = self.breakpoints.at(at.info.slot, at.wasm)
        {
            let mut inside = at.inside.take();
            let due = self.breakpoints_due(store, at, found, inside.as_deref())?;
            if !matches!(due, Due::No) {
                if let Some(mut inside) = inside {
                    inside.pay(store);
                    store.set_virtual(inside);
                }
                return Ok(if matches!(due, Due::Ask) { Next::Ask } else { self.tell() });
            }
            at.inside = inside.take();
        }
        self.go_on(store, at)
    }

    /// The host has been called, and may have changed the frame.
    #[inline]
    fn was_told(&mut self, store: &StoreMut<'_>, at: &mut Place<'_>) {
        if !self.watch.is_awake() {
            return;
        }
        self.watch.stand(store, at.info, at.wasm, at.inside.as_deref());
        self.saw_inside(at);
    }

    /// Something was told inside of a region, or looked at there. Where memories are watched, what the guest accesses
    /// up to the region's end is known as well: by itself it comes there without another look.
    fn saw_inside(&self, at: &mut Place<'_>) {
        at.quiet |= at.inside.is_some() && self.watch.memories() && at.info.regions;
    }

    /// Whether the callback is to see the instruction about to run; why is noted. A step that ends here is over.
    #[inline]
    fn is_due(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>, inside: Option<&VirtualFrame>) -> Result<Due> {
        let found = self.breakpoints.at(at.info.slot, at.wasm);
        let stepped = self.stepping.satisfied(&mut self.layers, store, at.info, at.wasm)?;
        at.stepped = stepped;
        let Some(found) = found else {
            return Ok(if without_breakpoint(store, at) { Due::Yes } else { Due::No });
        };
        self.breakpoints_due(store, at, found, inside)
    }

    /// The same, of breakpoints that were found at the instruction.
    fn breakpoints_due(
        &mut self,
        store: &mut StoreMut<'_>,
        at: &mut Place<'_>,
        found: usize,
        inside: Option<&VirtualFrame>,
    ) -> Result<Due> {
        if !matches!(at.reason, Reason::Breakpoint(_)) {
            at.reason = Reason::Breakpoint(Hits::new());
        }
        if let Reason::Breakpoint(hits) = &mut at.reason {
            hits.clear();
            if let Some(id) = self.breakpoints.hit_plain(found) {
                hits.push(id);
                return Ok(Due::Yes);
            }
            if self.breakpoints.reached(found, || store.as_store().standing_at(at.info), inside, hits) {
                return Ok(Due::Ask);
            }
        }
        Ok(if self.settle(store, at)? { Due::Yes } else { Due::No })
    }

    /// Counts the breakpoints that the guest has come to; whether the callback is to see it. Those that stop once are
    /// removed.
    #[inline]
    fn settle(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>) -> Result<bool> {
        let Reason::Breakpoint(hits) = &mut at.reason else { return Ok(at.stepped) };
        let once = self.breakpoints.count(hits);
        if !hits.is_empty() {
            if !once.is_empty() {
                self.breakpoints.remove(store, &once)?;
            }
            return Ok(true);
        }
        Ok(without_breakpoint(store, at))
    }

    /// Has the guest's frame go on in code of its own, if that is there and can be entered where it stands.
    #[inline]
    fn enter_split(&mut self, store: &mut StoreMut<'_>, at: &Place<'_>) -> Result<Option<Answer>> {
        let &StopInfo { slot, func, .. } = at.info;
        let Some((split, way)) = self.breakpoints.way_in(slot, func, at.wasm) else { return Ok(None) };
        let inside = store.look_inside(self.spare.pop())?;
        self.stepping.frame_replaced(&mut self.layers, store, split, func)?;
        let with = inside.enter(split, way);
        self.keep(inside.into());
        Ok(Some(Answer::Replace(Box::new(with))))
    }

    /// Whether whatever comes next is stopped at for a step, and for nothing else: no breakpoint is set, nothing is
    /// watched, no pause asked for.
    #[inline]
    fn steps_alone(&self, store: &StoreMut<'_>, at: &Place<'_>) -> bool {
        self.breakpoints.is_empty()
            && !self.watch.is_awake()
            && self.stepping.goes_anywhere(&self.layers, store)
            && !at.diverged
            && !store.registry().is_pause_asked()
    }

    /// [`State::go_on`] where [`State::steps_alone`]: the short way to the next instruction.
    #[inline]
    fn step_alone(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>) -> Result<Next> {
        let mut inside = match at.inside.take() {
            Some(changed) if !at.info.regions => return self.leave(store, at, changed).map(Next::Done),
            Some(inside) => inside,
            None if !at.info.regions => return Ok(Next::Done(Answer::GoOn)),
            None => match enter(store, &mut self.spare)? {
                Some(inside) => inside,
                None => return Ok(Next::Done(Answer::GoOn)),
            },
        };
        if !matches!(inside.step(store)?, RerunEnd::Stopped(_)) {
            return self.leave(store, at, inside).map(Next::Done);
        }
        at.wasm = inside.wasm();
        at.stepped = true;
        // Mostly it was one before: then there is nothing to be dropped.
        if !matches!(at.reason, Reason::Step) {
            at.reason = Reason::Step;
        }
        inside.pay(store);
        store.set_virtual(inside);
        Ok(self.tell())
    }

    /// Reruns from where the guest is to the next instruction that the callback is to see; or says how the guest goes
    /// on by itself.
    fn go_on(&mut self, store: &mut StoreMut<'_>, at: &mut Place<'_>) -> Result<Next> {
        if self.steps_alone(store, at) {
            return self.step_alone(store, at);
        }
        let &StopInfo { slot, func, .. } = at.info;
        loop {
            // What rerun goes over it is asked about one by one, where memories are watched.
            let watching = self.watch.memories();
            let follows = self.watch.follows();
            let steps = self.stepping.wants(&self.layers, store, at.info);
            if at.inside.is_none() && !steps && !follows && self.breakpoints.inside(slot, func).is_none() {
                return Ok(Next::Done(Answer::GoOn));
            }
            if at.inside.is_none()
                && !steps
                && !watching
                && let Some(answer) = self.enter_split(store, at)?
            {
                return Ok(Next::Done(answer));
            }
            let stops = self.breakpoints.inside(slot, func);
            let splits = self.breakpoints.splits(slot);
            if at.inside.is_none() && !at.info.regions {
                return if follows { self.expect_next(store, at) } else { Ok(Next::Done(Answer::GoOn)) };
            }
            if !at.info.regions
                && let Some(changed) = at.inside.take()
            {
                // Each instruction has a site, at which the guest itself stops.
                return self.leave(store, at, changed).map(Next::Done);
            }
            at.quiet |= follows;
            let mut inside = match at.inside.take() {
                Some(inside) => inside,
                // What only the guest may run is looked at, too.
                None if follows => store.look_inside(self.spare.pop())?,
                None => match enter(store, &mut self.spare)? {
                    Some(inside) => inside,
                    None => return Ok(Next::Done(Answer::GoOn)),
                },
            };
            let accessing = match watching {
                true => self.watch.access_of(store, at.info, &inside)?,
                false => None,
            };
            let before = inside.wasm();
            let end = match (steps || watching, stops.or(splits)) {
                (true, _) => inside.step(store),
                (false, Some(stops)) => inside.run_to(store, stops),
                (false, None) => inside.run_out(store),
            }?;
            let split = match (splits, end) {
                (Some(splits), RerunEnd::Stopped(position)) => splits[position as usize] != 0,
                _ => false,
            };
            if let Some(accessing) = accessing.filter(|_| inside.wasm() != before) {
                at.wasm = inside.wasm();
                at.quiet = true;
                let hits = self.watch.was_read(store.as_store(), &accessing)?;
                if !hits.is_empty() {
                    // What stops there is told at this position, too.
                    at.diverged |= split;
                    inside.pay(store);
                    store.set_virtual(inside);
                    return Ok(self.tell_watched(at, hits));
                }
            }
            if !matches!(end, RerunEnd::Stopped(_)) {
                if watching && let Some(accessing) = self.watch.access_of(store, at.info, &inside)? {
                    if matches!(end, RerunEnd::Native(_)) {
                        self.watch.expect(store.as_store(), &accessing)?;
                    }
                    at.quiet = true;
                }
                if stops.is_some()
                    && !steps
                    && !watching
                    && !at.told_inside
                    && let Some(split) = self.breakpoints.passed(store, slot, func)
                {
                    self.marks.arm_also(store, slot, split, func)?;
                    self.watch.code_registered(store)?;
                }
                return self.leave(store, at, inside).map(Next::Done);
            }
            if split
                && !at.diverged
                && let Some(splits) = splits
            {
                let stale = at.access.as_ref().is_some_and(|access| is_stale(store, access, &inside));
                if !at.told_inside || (!stale && inside.is_ahead(store, splits)?) {
                    // The guest comes here by itself, and stops if anything wants it to.
                    if at.quiet {
                        self.watch.go_on_quietly(&mut self.layers, store)?;
                    }
                    self.keep(inside.into());
                    return Ok(Next::Done(Answer::GoOn));
                }
                at.diverged = true;
            }
            at.wasm = inside.wasm();
            if self.watch.is_bound() {
                let (hits, looked) =
                    self.watch.in_frames(&mut self.breakpoints, store, at.info, at.wasm, Some(&*inside))?;
                if !hits.is_empty() {
                    inside.pay(store);
                    store.set_virtual(inside);
                    return Ok(self.tell_watched(at, hits));
                }
                at.quiet |= looked && self.watch.memories();
            }
            let due = self.is_due(store, at, Some(&*inside))?;
            // A breakpoint that was passed here has been counted. What is accessed up to the region's end is known as
            // well: the guest does it without another look, which would count once more.
            at.quiet |= watching && matches!(at.reason, Reason::Breakpoint(_));
            if !matches!(due, Due::No) {
                inside.pay(store);
                store.set_virtual(inside);
                return Ok(if matches!(due, Due::Ask) { Next::Ask } else { self.tell() });
            }
            at.inside = Some(inside);
            self.stepping.forget_ended(&mut self.layers, store)?;
        }
    }

    /// How the guest goes on from where rerun cannot.
    fn leave(&mut self, store: &mut StoreMut<'_>, at: &Place<'_>, mut inside: Box<VirtualFrame>) -> Result<Answer> {
        let mut with = match at.told_inside {
            false => None,
            true if at.diverged => Some(inside.replace(store)?),
            true => inside.leave(store, self.breakpoints.splits(at.info.slot))?,
        };
        if let Some(access) = &at.access
            && at.told_inside
            && with.is_none()
            && is_stale(store, access, &inside)
        {
            with = Some(inside.replace(store)?);
        }
        if let Some(with) = &with {
            self.frame_replaced(store, at.info, with.slot)?;
        }
        // Behind what says anew what is watched.
        if at.quiet {
            self.watch.go_on_quietly(&mut self.layers, store)?;
        }
        let Some(with) = with else {
            self.keep(inside.into());
            return Ok(Answer::GoOn);
        };
        // Should the new frame not fit the stack, the trap is shown there.
        store.set_virtual(inside);
        Ok(Answer::Replace(Box::new(with)))
    }

    /// The callback has had frames be left, for one further out, which goes on in resume code.
    #[cold]
    #[inline(never)]
    fn leave_frames(
        &mut self,
        store: &mut StoreMut<'_>,
        at: &Place<'_>,
        action: &Action,
        inside: Box<VirtualFrame>,
    ) -> Result<Answer> {
        let info = inside.stop(at.info);
        self.watch.left_for(&mut self.breakpoints, &mut self.layers, store, &info)?;
        self.watch.stand(store, &info, info.wasm, Some(&*inside));
        let with = inside.replace(store)?;
        // From here on the frames are those that stay.
        store.set_virtual(inside);
        self.stepping.start(&mut self.layers, store, action, &info, info.wasm)?;
        self.frame_replaced(store, &info, with.slot)?;
        Ok(Answer::Replace(Box::new(with)))
    }

    /// Other code takes the place of a frame's that stands at a stop: it stops where that would.
    fn frame_replaced(&mut self, store: &mut StoreMut<'_>, stop: &StopInfo, with: CodeSlot) -> Result<()> {
        self.breakpoints.arm_also(store, stop.slot, with, stop.func)?;
        self.marks.arm_also(store, stop.slot, with, stop.func)?;
        self.watch.code_registered(store)?;
        self.stepping.frame_replaced(&mut self.layers, store, with, stop.func)
    }

    /// Keeps the room for the next.
    #[inline]
    fn keep(&mut self, room: Room) {
        if self.spare.len() < MAX_SPARE {
            self.spare.push(room);
        }
    }

    /// A guest has trapped: where it really is is shown, if that is inside a region.
    pub(super) fn trapped(&mut self, store: &mut StoreMut<'_>, trap: &TrapInfo) -> Result<()> {
        // At a stop, it has been said. A function that did not fit on the stack has no frame yet.
        if !trap.at_stop
            && trap.code != TrapCode::StackOverflow
            && let Some(inside) = store.look_at_trap(trap.code, self.spare.pop())?
        {
            store.set_virtual(inside);
        }
        self.stepping.pause();
        self.watch.trapped();
        Ok(())
    }
}

/// Has the event show what is known of the frame, if anything is.
#[inline]
fn show(store: &mut StoreMut<'_>, at: &mut Place<'_>) {
    if let Some(mut inside) = at.inside.take() {
        inside.pay(store);
        store.set_virtual(inside);
    }
}

/// Whether the callback is to see the instruction about to run although no breakpoint stops there: a pause is asked
/// for, or a step has ended.
#[inline]
fn without_breakpoint(store: &StoreMut<'_>, at: &mut Place<'_>) -> bool {
    if store.registry().is_pause_asked() {
        at.reason = Reason::Pause;
        return true;
    }
    // Mostly it was one before: then there is nothing to be dropped.
    if at.stepped && !matches!(at.reason, Reason::Step) {
        at.reason = Reason::Step;
    }
    at.stepped
}

/// Looks into the region behind the stop point, unless only the guest may run what comes next; then the room is spare
/// again. Once for a stop, and so kept out of the steps inside.
#[inline(never)]
fn enter(store: &mut StoreMut<'_>, spare: &mut Vec<Room>) -> Result<Option<Box<VirtualFrame>>> {
    match store.look_ahead(spare.pop())? {
        Looked::Inside(inside) => Ok(Some(inside)),
        Looked::OfGuest(room) => {
            spare.push(room);
            Ok(None)
        }
    }
}

/// Whether what was read ahead of its turn, or the fuel, may have been changed since; what is in registers keeps no
/// object, too.
fn is_stale(store: &StoreMut<'_>, access: &Access, inside: &VirtualFrame) -> bool {
    snapshot(inside) != access.end || inside.was_given_fuel() || store.as_store().usage().heap_bytes > 0
}
