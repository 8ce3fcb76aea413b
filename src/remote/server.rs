//! Serving: a session, a place where clients come to it, and a protocol that they speak. One call for a host.

use super::dap;
use super::gdb;
use super::link::{Link, Listen, Listener};
use super::session::{Outcome, OutputStream, Session, SessionOptions, ThreadId};
use crate::base::{Error, ErrorKind, Result};
use crate::runtime::AsStoreMut;
use std::io::{self, PipeWriter};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// How many clients may be talked to at once, of which one is let in.
const MAX_CONNECTIONS: usize = 8;

/// How long a server that ends waits for its client to be told.
const FAREWELL: Duration = Duration::from_secs(2);

/// What clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Protocol {
    /// gdb's remote protocol with what LLDB adds for WebAssembly.
    #[default]
    Gdb,
    /// The Debug Adapter Protocol, which editors speak.
    Dap,
}

/// How a store is served.
#[derive(Debug, Default)]
pub struct ServeOptions {
    /// Where clients come.
    pub listen: Listen,
    /// What they speak.
    pub protocol: Protocol,
    /// What they have to send first, as a line `stepwell TOKEN`. Where others than this machine can come, one is
    /// needed; debuggers that speak gdb's protocol cannot send it themselves.
    pub token: Option<String>,
    /// What the session is like: who waits for whom.
    pub session: SessionOptions,
    /// The name of the store, for people.
    pub name: String,
}

/// A store that is served to debuggers. Dropping it ends that: see [`Server::stop`].
pub struct Server {
    session: Session,
    thread: ThreadId,
    address: String,
    connections: Arc<Connections>,
    /// Dropped, nobody is waited for any more.
    stop: Option<PipeWriter>,
    accepting: Option<JoinHandle<()>>,
    /// The process whose threads these are: a forked child has none of them.
    process: u32,
}

/// How many connections there are.
#[derive(Default)]
struct Connections {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Connections {
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them, until it is dropped.
struct Connection(Arc<Connections>);

impl Connection {
    /// None where there are too many.
    fn new(connections: &Arc<Connections>) -> Option<Connection> {
        let mut count = connections.lock();
        if *count >= MAX_CONNECTIONS {
            return None;
        }
        *count += 1;
        Some(Connection(connections.clone()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.changed.notify_all();
    }
}

/// Talks to a client that has come.
fn talk(mut link: Link, session: &Session, protocol: Protocol, token: Option<&str>) {
    // Whoever does not know it is told nothing.
    if token.is_some_and(|token| !link.check_token(token)) {
        return;
    }
    match (session.connect(), protocol) {
        (Ok(client), Protocol::Gdb) => gdb::serve(client, link),
        (Err(refused), Protocol::Gdb) => gdb::refuse(link, &refused.to_string()),
        (Ok(client), Protocol::Dap) => dap::serve(client, link.into(), None),
        (Err(refused), Protocol::Dap) => dap::refuse(link.into(), &refused.to_string()),
    }
}

/// Waits for clients.
fn accept(listener: &Listener, session: &Session, protocol: Protocol, connections: &Arc<Connections>) {
    while let Some(link) = listener.accept() {
        let Some(connection) = Connection::new(connections) else { continue };
        let (session, token) = (session.clone(), listener.token().map(str::to_owned));
        let work = move || {
            talk(link, &session, protocol, token.as_deref());
            drop(connection);
        };
        // Where there is no thread for it, it finds that nobody is there.
        _ = Builder::new().name("stepwell-client".to_owned()).spawn(work);
    }
}

/// Serves the one client of a pair of descriptors.
fn serve_pair(listener: &Listener, session: &Session, protocol: Protocol, connections: &Arc<Connections>) {
    if let (Some(link), Some(_connection)) = (listener.accept(), Connection::new(connections)) {
        talk(link, session, protocol, listener.token());
    }
    // Nobody else can come.
    session.close();
}

impl Server {
    /// Has a store served: a debugger is attached to it, and clients may come from now on. Guests may be running.
    ///
    /// # Errors
    /// As of [`Debugger::attach`](crate::debug::Debugger::attach); [`ErrorKind::Argument`] for an address that is none,
    /// and for one that others than this machine can reach, without a token; [`ErrorKind::System`] where the system
    /// refuses the address or a thread.
    pub fn serve(store: &mut impl AsStoreMut, options: ServeOptions) -> Result<Server> {
        let ServeOptions { listen, protocol, token, session, name } = options;
        let system = |what: &str, error: io::Error| Error::new(ErrorKind::System, format!("{what}: {error}"));
        let is_pair = matches!(listen, Listen::Pair(..));
        let (reader, stop) = io::pipe().map_err(|error| system("a pipe", error))?;
        let listener = Listener::bind(listen, token, reader)?;
        let address = listener.address().to_owned();
        let session = Session::new(session);
        let thread = session.add(store, if name.is_empty() { "main" } else { &name })?;
        let connections = Arc::<Connections>::default();
        let accepting = {
            let (session, connections) = (session.clone(), connections.clone());
            let serve = if is_pair { serve_pair } else { accept };
            Builder::new()
                .name("stepwell-serve".to_owned())
                .spawn(move || serve(&listener, &session, protocol, &connections))
                .map_err(|error| system("a thread", error))
        };
        let accepting = accepting.inspect_err(|_| _ = session.remove(store, thread))?;
        Ok(Server {
            session,
            thread,
            address,
            connections,
            stop: Some(stop),
            accepting: Some(accepting),
            process: std::process::id(),
        })
    }

    /// Where clients come: the address with its port, or the path of the socket.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The store's thread in it.
    pub fn thread(&self) -> ThreadId {
        self.thread
    }

    /// Waits until a client has come, for this long or as long as it takes; whether one is there.
    pub fn wait_for_client(&self, wait: Option<Duration>) -> bool {
        self.session.wait_for_client(wait)
    }

    /// Tells the client what the guest has written. It never waits.
    pub fn output(&self, stream: OutputStream, bytes: &[u8]) {
        self.session.output(stream, bytes);
    }

    /// Tells the client how the program has ended, which only the host knows.
    pub fn end(&self, outcome: Outcome) {
        self.session.end(self.thread, outcome);
    }

    /// Ends it: the client is told, what it has set goes, guests that stand go on, and nobody is waited for any more.
    /// It waits a moment for the client to be told. The store runs debug code until [`Session::remove`].
    pub fn stop(&mut self) {
        let Some(stop) = self.stop.take() else { return };
        self.session.close();
        drop(stop);
        if let Some(accepting) = self.accepting.take()
            && self.process == std::process::id()
        {
            let count = self.connections.lock();
            let wait = self.connections.changed.wait_timeout_while(count, FAREWELL, |count| *count > 0);
            drop(wait);
            // One of a pair of descriptors ends with its client.
            if *self.connections.lock() == 0 {
                _ = accepting.join();
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
