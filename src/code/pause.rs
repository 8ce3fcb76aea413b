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
    texts: Mutex<Texts>,
}

/// The texts of a store.
#[derive(Debug, Default)]
pub(super) struct Texts {
    list: Vec<Text>,
    /// The number of the one that came last.
    last: u64,
}

#[derive(Debug)]
struct Text {
    number: u64,
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
    number: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.pauser.hold(|texts| texts.list.retain(|text| text.number != self.number));
    }
}

impl Pauser {
    pub(super) fn new() -> Pauser {
        Pauser(Arc::default())
    }

    /// Has the guest that computes in the store stop at the next stop point, or once the host function that it has
    /// called returns, or where that waits for input or time, if it is of WASI; if none runs, the next one stops at its
    /// first instruction. Asked again before that, it is one stop. It takes no lock that another waits for and
    /// allocates nothing, so a signal handler may do it.
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
                for text in texts.list.iter_mut().filter(|text| !text.steps && !text.covered) {
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

    fn lock(&self) -> MutexGuard<'_, Texts> {
        // Nothing panics while a text is half covered.
        self.0.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has a text covered from now on, at whose place the step image may stand already. The image is made, if it was
    /// not.
    pub(super) fn list(&self, base: usize, code: &Shared<EngineCode>, steps: bool) -> Result<Listed> {
        code.step_image()?;
        let number = self.hold(|texts| {
            texts.last += 1;
            texts.list.push(Text { number: texts.last, base, code: code.clone(), steps, covered: false });
            texts.last
        });
        Ok(Listed { pauser: self.clone(), number })
    }

    /// Works on the texts, while nobody covers them. What is asked for meanwhile is done behind it.
    pub(super) fn hold<R>(&self, work: impl FnOnce(&mut Texts) -> R) -> R {
        let result = work(&mut self.lock());
        self.follow();
        result
    }

    /// No text is covered any more; whoever says so holds them.
    pub(super) fn all_uncovered(&self) {
        self.0.covered.store(false, Ordering::Relaxed);
    }
}

impl Texts {
    /// Whether a text was covered, which it is no longer: the caller shows what stands below.
    pub(super) fn take_covered(&mut self, listed: &Listed) -> bool {
        self.find(listed).is_some_and(|text| std::mem::take(&mut text.covered))
    }

    /// Takes note whether the step image stands at a text's place.
    pub(super) fn note(&mut self, listed: &Listed, steps: bool) {
        if let Some(text) = self.find(listed) {
            text.steps = steps;
        }
    }

    fn find(&mut self, listed: &Listed) -> Option<&mut Text> {
        self.list.iter_mut().find(|text| text.number == listed.number)
    }
}
