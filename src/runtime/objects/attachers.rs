//! What has a store call its host back, on the thread that uses the store, when another thread or a signal handler asks
//! for it: so that a debugger can be attached to guests that run. Where it is looked whether anybody has asked is
//! `control/`'s affair.

use crate::base::Result;
use crate::runtime::objects::deadline::Waker;
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

/// What is called, with the inside of the store.
pub(in crate::runtime) type OnAttach = dyn Fn(NonNull<c_void>) -> Result<()> + Send + Sync;

/// Has a store call its host back. It may outlive the store, and does nothing then. Clones stand for the same one; once
/// the last is dropped the store forgets what it was to call.
#[derive(Clone)]
pub struct Attacher(Arc<Request>);

impl std::fmt::Debug for Attacher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attacher").field("asked", &self.0.asked).finish_non_exhaustive()
    }
}

/// What an attacher asks for.
struct Request {
    /// It is asked for, and was not called for that yet.
    asked: AtomicBool,
    /// Whether any of the store's is. Written behind `asked`, and taken back before that is looked at.
    any: Arc<AtomicBool>,
    /// What has guests look that compute, where their code can.
    waker: Option<Waker>,
    call: Box<OnAttach>,
}

impl Attacher {
    /// Has the store call what it was made with, at the next of these: the host enters a guest; a host function returns
    /// to the guest that has called it; the guest begins a function or a turn of a loop, or waits for another thread,
    /// where the engine is configured with [`Config::epoch`](crate::runtime::Config::epoch) or
    /// [`Config::fuel`](crate::runtime::Config::fuel). With fuel alone it may be some thousand turns later. Asked again
    /// before that, it is called once. It takes no lock and allocates nothing: any thread may call it, and any signal
    /// handler.
    pub fn request(&self) {
        let Request { asked, any, waker, .. } = &*self.0;
        asked.store(true, Ordering::SeqCst);
        any.store(true, Ordering::SeqCst);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes a request back for which the store has not begun to call. As [`Attacher::request`], any thread may call
    /// it, and any signal handler.
    pub fn cancel(&self) {
        self.0.asked.store(false, Ordering::SeqCst);
    }
}

/// The attachers of a store.
#[derive(Default)]
pub(in crate::runtime) struct Attachers {
    /// Once there was one.
    any: Option<Arc<AtomicBool>>,
    made: Vec<Weak<Request>>,
}

/// What is to be called.
pub(in crate::runtime) struct Due(Arc<Request>);

impl Due {
    /// Calls it with the inside of its store.
    pub(in crate::runtime) fn call(&self, store: NonNull<c_void>) -> Result<()> {
        (self.0.call)(store)
    }
}

impl Attachers {
    /// A new one; the waker has guests look that compute.
    pub(in crate::runtime) fn make(&mut self, waker: Option<Waker>, call: Box<OnAttach>) -> Attacher {
        self.made.retain(|made| made.strong_count() > 0);
        let any = self.any.get_or_insert_default().clone();
        let request = Arc::new(Request { asked: AtomicBool::new(false), any, waker, call });
        self.made.push(Arc::downgrade(&request));
        Attacher(request)
    }

    /// Whether anybody has asked to be called.
    #[inline(always)]
    pub(in crate::runtime) fn are_asked(&self) -> bool {
        self.any.as_ref().is_some_and(|any| any.load(Ordering::Relaxed))
    }

    /// Whether there are any.
    pub(in crate::runtime) fn are_any(&self) -> bool {
        self.made.iter().any(|made| made.strong_count() > 0)
    }

    /// The next that is to be called, which is asked for no more.
    pub(in crate::runtime) fn next(&mut self) -> Option<Due> {
        let any = self.any.as_ref()?;
        any.store(false, Ordering::SeqCst);
        let mut live = self.made.iter().filter_map(Weak::upgrade);
        let due = live.find(|request| request.asked.swap(false, Ordering::SeqCst))?;
        // There may be another one.
        any.store(true, Ordering::SeqCst);
        Some(Due(due))
    }
}
