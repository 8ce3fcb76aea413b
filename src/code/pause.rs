//! Having a store that computes stop, from another thread or a signal handler, without a check in its code: the step
//! image is put over each of its private texts, in one system call for each, while guests run there. At whatever stop
//! point a guest comes to next, it stops; armed sites are as long as others, so it may stand anywhere meanwhile.
//!
//! A text that is *covered* has lost its own pages, with what was patched there. The thread that has the store makes
//! them anew, from the image and the plan, when it next edits the plan or ends the pause.
//!
//! # Who may touch the texts
//!
//! Whoever has locked the list of them: the thread of the store for each edit (`Pauser::hold`), and whoever covers
//! them. A signal handler may have come in between an edit of its own thread, so nobody who covers waits for the lock.
//! Where it is taken, the request stands, and who has taken it looks for one when he has given it back: so one of the
//! two sees the other.

use super::engine::EngineCode;
use super::private::PrivateText;
use super::registry::{CodeSlot, Slots};
use crate::base::{Result, Shared};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// Stops what a store computes. It may be used on any thread, and outlive the store, which it then does nothing to.
#[derive(Clone, Debug)]
pub struct Pauser(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Whether a stop is asked for that has not been told.
    asked: AtomicBool,
    /// Whether a text is covered.
    covered: AtomicBool,
    texts: Mutex<Vec<Text>>,
}

/// A text of the store.
#[derive(Debug)]
pub(super) struct Text {
    slot: CodeSlot,
    base: usize,
    code: Shared<EngineCode>,
    /// Whether the step image stands there anyway.
    steps: bool,
    covered: bool,
}

/// Keeps a private text on the list, until before it is unmapped.
#[derive(Debug)]
pub(super) struct Listed {
    pauser: Pauser,
    slot: CodeSlot,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.pauser.hold(|texts| texts.retain(|text| text.slot != self.slot));
    }
}

impl Pauser {
    pub(super) fn new() -> Pauser {
        Pauser(Arc::default())
    }

    /// Has the guest that computes in the store stop at the next stop point, or once the host function that it has
    /// called returns; if none runs, the next one stops at its first instruction. Asked again before that, it is one
    /// stop. It takes no lock that another waits for and allocates nothing, so a signal handler may do it.
    ///
    /// False where the system refuses to put other code in the place of what runs. The request stands: the guest stops
    /// when it next comes to a stop point that has a breakpoint, or is stepped.
    pub fn pause(&self) -> bool {
        self.0.asked.store(true, Ordering::Relaxed);
        self.follow()
    }

    /// Takes the request back, if the guest has not stopped yet.
    pub fn cancel(&self) {
        self.0.asked.store(false, Ordering::Relaxed);
    }

    /// Whether a stop is asked for that has not been told.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// Whether texts stand there that the store's thread has to put away: at each stop point of theirs guests stop.
    #[inline]
    pub(super) fn is_covered(&self) -> bool {
        self.0.covered.load(Ordering::Relaxed)
    }

    /// Covers what is not, if a stop is asked for.
    fn follow(&self) -> bool {
        loop {
            // The request was written before it is looked whether somebody has the lock, and who has it gives it back
            // before he looks for a request.
            fence(Ordering::SeqCst);
            let mut texts = match self.0.texts.try_lock() {
                Ok(texts) => texts,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return true,
            };
            let (asked, mut done) = (self.is_asked(), true);
            if asked {
                for text in texts.iter_mut().filter(|text| !text.steps && !text.covered) {
                    // SAFETY: it is on the list, so its mapping is there, as long as the text, and whoever else would
                    // change it waits for the lock.
                    text.covered = unsafe { text.code.cover(text.base) };
                    done &= text.covered;
                    if text.covered {
                        self.0.covered.store(true, Ordering::Relaxed);
                    }
                }
            }
            drop(texts);
            fence(Ordering::SeqCst);
            // Somebody may have asked while the lock was taken, and have gone.
            if asked || !self.is_asked() {
                return done;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Text>> {
        // Nothing panics while a text is half covered.
        self.0.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a text covered from now on. Its step image is made, if it was not.
    pub(super) fn list(&self, slot: CodeSlot, text: &PrivateText, code: &Shared<EngineCode>) -> Result<Listed> {
        code.step_image()?;
        let new = Text { slot, base: text.base(), code: code.clone(), steps: text.shows_step_image(), covered: false };
        self.hold(|texts| texts.push(new));
        Ok(Listed { pauser: self.clone(), slot })
    }

    /// Works on the texts, while nobody covers them. What is asked for meanwhile is done behind it.
    pub(super) fn hold<R>(&self, work: impl FnOnce(&mut Vec<Text>) -> R) -> R {
        let result = work(&mut self.lock());
        self.follow();
        result
    }

    /// Shows what stands below again, for whoever has the list; whether any text was covered. They are then to be
    /// compared with the plan. After an error nobody knows what stands there.
    pub(super) fn uncover(&self, texts: &mut [Text], slots: &mut Slots) -> Result<bool> {
        let mut any = false;
        for listed in texts.iter_mut().filter(|listed| listed.covered) {
            for (_, text, code) in slots.private(&[listed.slot]) {
                text.uncover(code)?;
            }
            listed.covered = false;
            any = true;
        }
        self.0.covered.store(false, Ordering::Relaxed);
        Ok(any)
    }
}

impl Text {
    /// Takes note of what stands there now.
    pub(super) fn note(&mut self, slots: &mut Slots) {
        for (_, text, _) in slots.private(&[self.slot]) {
            self.steps = text.shows_step_image();
        }
    }
}
