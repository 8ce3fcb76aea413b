//! Stops that are answered later: the guest of a call on a stack of its own stands, and its stack was left. What the
//! callback was told is kept here, for as long as the guest stands.

use super::stepping::Action;
use super::stop::{Reason, Stop};
use super::{Core, Debugger, State};
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::{AsStore, AsStoreMut, Call, ExceptionInfo, Told};
use std::sync::Arc;

/// The stops of a store that are to be answered.
#[derive(Default)]
pub(super) struct Standing(Vec<One>);

/// One of them: of what its callback was told a copy, which whoever looks at the stop shares.
struct One {
    call: Call,
    told: Arc<(Reason, Option<ExceptionInfo>)>,
    answer: Option<Action>,
}

impl Standing {
    fn find(&mut self, call: Call) -> Result<&mut One> {
        let message = "the call's guest does not stand at a stop that is to be answered";
        self.0.iter_mut().find(|one| one.call == call).ok_or_else(|| Error::new(ErrorKind::State, message))
    }

    /// The stop of a call is over: its answer.
    fn take(&mut self, call: Call) -> Option<Action> {
        let index = self.0.iter().position(|one| one.call == call)?;
        self.0.swap_remove(index).answer
    }
}

impl Core {
    /// Waits for the answer to a stop.
    #[cold]
    #[inline(never)]
    pub(super) fn wait(&self, told: &mut Told<'_, State>, reason: &Reason, thrown: Option<&ExceptionInfo>) -> Action {
        let Some(call) = told.as_store().current_call() else {
            let message = "a stop is to be answered later, and this guest cannot wait: it was called as usual, or by \
                           a host function; call it by a call on a stack of its own";
            return Action::Trap(message.to_owned());
        };
        let what = Arc::new((reason.clone(), thrown.cloned()));
        loop {
            let listed = told.with(|state, _| {
                state.standing.0.push(One { call, told: what.clone(), answer: None });
                Ok(())
            });
            let waited = listed.and_then(|()| told.wait());
            let answer = told.with(|state, _| Ok(state.standing.take(call)));
            match (waited, answer) {
                (Ok(()), Ok(Some(Action::Later))) => {}
                (Ok(()), Ok(answer)) => return answer.unwrap_or(Action::Continue),
                (Err(error), _) | (_, Err(error)) => return Action::Trap(error.message().to_owned()),
            }
        }
    }
}

impl Debugger {
    /// Looks at the stop at which a call's guest stands, whose callback has said [`Action::Later`], and changes what
    /// can be changed at a stop: as that callback could. On whichever thread has the store, as often as is wanted.
    ///
    /// ```
    /// use stepwell::debug::{Action, Debugger};
    /// use stepwell::runtime::{Call, CallStatus, Config, Engine, Func, Store};
    /// # use stepwell::runtime::{Extern, Instance, Module};
    /// # fn look(func: Func, store: &mut Store, debugger: &Debugger) -> stepwell::Result<()> {
    /// let call = Call::new(&mut *store, func, &[])?;
    /// while call.run(&mut *store)? == CallStatus::Stopped {
    ///     // Whenever the user has made up their mind:
    ///     debugger.with_stop(store, call, |stop| println!("{:?}", stop.reason()))?;
    ///     debugger.answer(store, call, Action::StepOver)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::State`] where it stands at none; [`ErrorKind::Argument`] where the call was deleted, or is another
    /// store's.
    pub fn with_stop<R>(
        &self,
        store: &mut impl AsStoreMut,
        call: Call,
        look: impl FnOnce(&mut Stop<'_>) -> R,
    ) -> Result<R> {
        let told = self.with(store, |state, _| Ok(state.standing.find(call)?.told.clone()))?;
        let (reason, thrown) = &*told;
        call.visit(store, |store| look(&mut Stop::new(store, &self.core, reason, thrown.as_ref())))
    }

    /// Says what the guest of a call that stands is to do when the call is run. Without an answer it goes on; what was
    /// said last counts.
    ///
    /// # Errors
    /// As [`Debugger::with_stop`].
    pub fn answer(&self, store: &mut impl AsStoreMut, call: Call, action: Action) -> Result<()> {
        self.with(store, |state, _| {
            state.standing.find(call)?.answer = Some(action);
            Ok(())
        })
    }
}
