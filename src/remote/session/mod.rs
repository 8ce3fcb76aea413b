//! A session: the stores that are debugged together, and the one client that debugs them, from other threads. Every
//! front end stands on it. It knows no protocol, and does nothing that a host could not do with a
//! [`Debugger`].
//!
//! # Whose thread is it
//!
//! A guest runs on its host's thread. At a stop that thread is in the debugger's callback, with the store in hand, and
//! a [`Stop`](crate::debug::Stop), which can be used nowhere else. The client is on a thread of its own. So all that
//! is done to a store is a closure that the guest's thread is asked to run:
//!
//! * [`Client::at_stop`] where the guest stands;
//! * [`Client::with_guest`] wherever it is: if it runs, it is stopped, and goes on unseen, a step under way included;
//! * [`Client::later`] where there may be no guest for a while;
//! * [`Client::start_at_stop`] for calls that may stop in turn.
//!
//! What needs no store is known to the session: [`Client::threads`], [`Client::instances`] and their modules, with
//! names, lines and bytes.
//!
//! # Building a front end
//!
//! ```
//! use std::time::Duration;
//! use stepwell::debug::{Action, BreakRequest};
//! use stepwell::remote::session::{Session, SessionEvent, SessionOptions};
//! # use stepwell::{Config, Engine, Instance, Module, Store};
//! # let engine = Engine::new(Config { debug: true, ..Config::default() })?;
//! # let text = r#"(module (func (export "f") (result i32) (i32.const 7)))"#;
//! # let module = Module::new(&engine, &wat::parse_str(text).unwrap())?;
//! # let mut store = Store::new(&engine);
//! // The host: its store takes part, and waits at the first instruction that a guest is about to run.
//! let session = Session::new(SessionOptions { wait: true, ..SessionOptions::default() });
//! let thread = session.add(&mut store, "main")?;
//! let instance = Instance::new(&mut store, &module, &[])?;
//!
//! // The front end, on a thread of its own.
//! let front_end = std::thread::spawn({
//!     let session = session.clone();
//!     move || {
//!         let client = session.connect().unwrap();
//!         loop {
//!             match client.next_event(Some(Duration::from_secs(10))) {
//!                 Some(SessionEvent::Stopped(stopped)) => {
//!                     let name = client.at_stop(stopped.thread, |stop| stop.top().map(|top| top.func())).unwrap();
//!                     assert!(name.is_some());
//!                     client.resume(stopped.thread, Action::Continue).unwrap();
//!                 }
//!                 Some(SessionEvent::Ended(..)) => break,
//!                 Some(_) => {}
//!                 None => panic!("nothing has happened"),
//!             }
//!         }
//!     }
//! });
//!
//! assert_eq!(instance.typed_func::<(), i32>(&mut store, "f")?.call(&mut store, ())?, 7);
//! drop(store);
//! front_end.join().unwrap();
//! # Ok::<(), stepwell::Error>(())
//! ```
//!
//! A front end has a loop over [`Client::next_event`], in which it also looks at what its peer has sent: the thread
//! that reads calls [`Waker::wake`]. When the peer is gone, it drops the [`Client`].
//!
//! # What a client cannot do
//!
//! Keep the host waiting. Events and output are kept for it within bounds; no lock is held while it is waited for; when
//! it is gone, its breakpoints go, the closures that it has sent are dropped, and guests do what
//! [`SessionOptions::on_disconnect`] says. A closure that panics is one that has no result.
//!
//! # Files
//!
//! `state.rs` has what the threads share, under one lock; `guest.rs` is what a guest's thread does at a stop;
//! `client.rs` what the client's may ask; `unseen.rs` goes on with a step that was interrupted unseen.

mod client;
mod event;
mod guest;
mod options;
mod state;
mod unseen;

pub use client::{Client, NotStopped, Pending, ThreadInfo, Waker};
pub use event::{InstanceInfo, Outcome, OutputStream, SessionEvent, Stopped, ThreadId};
pub use options::{OnDisconnect, SessionOptions};

use crate::base::{Error, ErrorKind, Result};
use crate::debug::Debugger;
use crate::runtime::{AsStoreMut, Module};
use guest::Guest;
use state::{Shared, State, Thread};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why a client was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is one.
    Busy,
    /// The session is closed.
    Closed,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Busy => "another debugger is connected: one at a time",
            Refused::Closed => "the debugging session is over",
        })
    }
}

impl std::error::Error for Refused {}

/// A debugging session. Clones stand for the same one; any thread may use it.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

impl Session {
    /// A session with no stores.
    pub fn new(options: SessionOptions) -> Session {
        Session { shared: Arc::new(Shared::new(options)) }
    }

    /// Adds a store: a debugger is attached to it, as by [`Debugger::attach`], whatever guests run in it. The name is
    /// for people.
    ///
    /// # Errors
    /// As of [`Debugger::attach`]; [`ErrorKind::State`] where the session is closed.
    pub fn add(&self, store: &mut impl AsStoreMut, name: &str) -> Result<ThreadId> {
        let mut store = store.as_store_mut();
        let thread = self.shared.change(|state| {
            if state.closed {
                return Err(Error::new(ErrorKind::State, "the debugging session is closed"));
            }
            state.last_thread += 1;
            Ok(ThreadId(state.last_thread))
        })?;
        let guest = Guest { shared: self.shared.clone(), thread };
        let debugger = Debugger::attach(&mut store, move |stop| guest.stopped(stop))?;
        let pauser = debugger.set_events(&mut store, guest::EVENTS()).and_then(|()| debugger.pauser(&mut store));
        let pauser = pauser.inspect_err(|_| _ = debugger.detach(&mut store))?;
        self.shared.change(|state| {
            let pause = state.options.wait && state.clients == 0;
            if pause {
                pauser.pause();
            }
            let known = Thread {
                name: name.to_owned(),
                pauser,
                instances: Vec::new(),
                pruned: 0,
                jobs: Default::default(),
                pause,
                stale: false,
                ends: None,
                at_work: 0,
                quiet: 0,
                abandoned: false,
                stops: Vec::new(),
                step: None,
            };
            state.threads.insert(thread, known);
            state.debuggers.insert(thread, debugger.downgrade());
            state.tell(SessionEvent::Added(thread));
            guest::note_all(state, thread, &mut store);
        });
        Ok(thread)
    }

    /// Says which file a module is from: debuggers that can open it read it there, with the debug information that
    /// stands beside it.
    pub fn set_file(&self, module: &Module, path: impl Into<PathBuf>) {
        let path = path.into();
        self.shared.change(|state| {
            let instances = state.threads.values_mut().flat_map(|thread| &mut thread.instances);
            for instance in instances.filter(|instance| instance.module.id() == module.id()) {
                instance.file = Some(path.clone());
            }
            state.files.insert(module.id(), path);
        });
    }

    /// Detaches the debugger of a store again, with all that clients have set. To clients the thread has ended.
    ///
    /// # Errors
    /// As of [`Debugger::detach`]; [`ErrorKind::Argument`] where the session has no such thread, or the store is
    /// another one.
    pub fn remove(&self, store: &mut impl AsStoreMut, thread: ThreadId) -> Result<()> {
        let known = self.shared.lock().debuggers.get(&thread).cloned();
        let debugger = known.and_then(|debugger| debugger.upgrade());
        let Some(debugger) = debugger else {
            return Err(Error::new(ErrorKind::Argument, format!("the session has no thread {thread}")));
        };
        debugger.detach(store)?;
        self.shared.change(|state| {
            state.debuggers.remove(&thread);
            state.end(thread, Outcome::Gone);
        });
        Ok(())
    }

    /// Lets a client in.
    ///
    /// # Errors
    /// Where there is one already, or the session is closed.
    pub fn connect(&self) -> std::result::Result<Client, Refused> {
        let number = self.shared.change(|state| match (state.closed, &state.client) {
            (true, _) => Err(Refused::Closed),
            (_, Some(_)) => Err(Refused::Busy),
            (_, None) => Ok(state.connect()),
        })?;
        Ok(Client::new(self.shared.clone(), number))
    }

    /// Whether there is a client.
    pub fn has_client(&self) -> bool {
        self.shared.lock().client.is_some()
    }

    /// Waits until there is a client, for this long or as long as it takes; whether there is one. A session that is
    /// closed has none.
    pub fn wait_for_client(&self, wait: Option<Duration>) -> bool {
        let until = wait.map(|wait| Instant::now() + wait);
        let mut state = self.shared.lock();
        while state.client.is_none() && !state.closed {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            state = self.shared.wait(state, left);
        }
        state.client.is_some() && !state.closed
    }

    /// Tells the client what a guest, or the host, has written. It never waits: what the client does not take is left
    /// out, beyond 1 MiB.
    pub fn output(&self, stream: OutputStream, bytes: &[u8]) {
        self.shared.change(|state| state.output(stream, bytes));
    }

    /// Tells the client how a thread has ended, which only the host knows. It is none of the session's any more: its
    /// guests, if the host calls some nevertheless, are not stopped.
    pub fn end(&self, thread: ThreadId, outcome: Outcome) {
        self.shared.change(|state| state.end(thread, outcome));
    }

    /// Closes the session: the client is told, guests that stand go on, what was set is gone, and nobody is let in any
    /// more. Stores run debug code until [`Session::remove`].
    pub fn close(&self) {
        self.shared.change(State::close);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        let threads: Vec<u32> = state.threads.keys().map(|thread| thread.get()).collect();
        let client = state.client.is_some();
        f.debug_struct("Session").field("threads", &threads).field("client", &client).finish_non_exhaustive()
    }
}
