//! What the debugger says and is answered: packets' contents, one after the other, and what of them is to be done. The
//! guest is the first thread of the session; others are not shown.

use super::packet::{hex, unhex};
use super::places::{self, Place, Region};
use crate::base::{Error, GlobalIndex};
use crate::debug::{Action, BreakRequest, BreakpointId, BreakpointSet, Reason, Stop, WatchKind, WatchpointId};
use crate::remote::session::{Client, InstanceInfo, NotStopped, Outcome, SessionEvent, Stopped, ThreadId};
use crate::runtime::{AsStoreMut, InstanceId, Val};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long packets may be that the debugger sends.
const PACKET_SIZE: usize = 0x8000;

/// How many bytes of memory are read at once at most.
const MAX_READ: u64 = 0x20000;

/// How many frames are told.
const MAX_FRAMES: usize = 4096;

/// How long a guest may take to stop before it is told that none is there to be stopped: the debugger waits a few
/// seconds.
const PAUSE_WAIT: Duration = Duration::from_millis(800);

/// SIGCHLD, as the debugger numbers signals of a machine that it knows no system of: it looks at the modules then, sets
/// the breakpoints that wait for them, and goes on by itself.
const GO_ON: u8 = 20;

/// The kind of machine.
const TRIPLE: &str = "wasm32-unknown-unknown-wasm";

/// What is said to a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// This.
    Say(Vec<u8>),
    /// It went wrong.
    Failed(String),
    /// Nobody here knows such a packet.
    Unknown,
    /// What is said comes later, when the guest stops.
    Later,
    /// The debugger leaves, and guests go on; behind this.
    Detach(Vec<u8>),
    /// The debugger leaves, and guests end.
    Kill,
}

impl Reply {
    fn text(text: impl Into<String>) -> Reply {
        Reply::Say(text.into().into_bytes())
    }

    fn ok() -> Reply {
        Reply::text("OK")
    }

    fn failed(what: impl ToString) -> Reply {
        Reply::Failed(what.to_string())
    }
}

impl From<NotStopped> for Reply {
    fn from(error: NotStopped) -> Reply {
        Reply::failed(error)
    }
}

/// What the debugger takes the guest for.
enum Guest {
    /// It runs. What is asked to stop by now and does not is told to be nowhere.
    Running { until: Option<Instant> },
    /// It stands there.
    Standing(Stopped),
    /// It was to stop, and none came by; so it has no frames. One that comes stands, and is told of when the debugger
    /// has it go on.
    Nowhere,
    /// It is no more.
    Ended,
}

/// A breakpoint of the debugger's: what was set for it. None yet, where no guest has come by.
#[derive(Clone, Default)]
struct Breakpoint(Arc<Mutex<Option<BreakpointId>>>);

impl Breakpoint {
    fn set(&self) -> Option<BreakpointId> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Talk {
    client: Client,
    thread: ThreadId,
    guest: Guest,
    /// Those of the session, as they were told last.
    instances: Arc<Vec<InstanceInfo>>,
    breakpoints: BTreeMap<u64, Breakpoint>,
    /// By kind, address and length.
    watchpoints: BTreeMap<(u8, u64, u64), WatchpointId>,
    /// Errors are told in words.
    words: bool,
}

/// `text` without what it begins with.
fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.strip_prefix(start)
}

fn number(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// Two numbers, with a comma between.
fn two(text: &str) -> Option<(u64, u64)> {
    let (first, second) = text.split_once(',')?;
    Some((number(first)?, number(second)?))
}

/// A frame's number and another one, which are decimal.
fn frame_and_index(text: &str) -> Option<(usize, usize)> {
    let (frame, index) = text.trim_end_matches(';').split_once(';')?;
    Some((frame.parse().ok()?, index.parse().ok()?))
}

/// A value's bytes; none of references, which have none that mean something elsewhere.
fn bytes_of(value: &Val) -> Option<Vec<u8>> {
    match value {
        Val::I32(value) => Some(value.to_le_bytes().to_vec()),
        Val::I64(value) => Some(value.to_le_bytes().to_vec()),
        Val::F32(bits) => Some(bits.to_le_bytes().to_vec()),
        Val::F64(bits) => Some(bits.to_le_bytes().to_vec()),
        Val::V128(bytes) => Some(bytes.to_vec()),
        Val::FuncRef(_) | Val::ExternRef(_) | Val::ExnRef(_) | Val::AnyRef(_) => None,
    }
}

impl Talk {
    pub(super) fn new(client: Client) -> Talk {
        let thread = client.threads().first().map_or(ThreadId::new(1), |thread| thread.id);
        client.stop_at_instances(true);
        let instances = Arc::new(client.instances());
        Talk {
            client,
            thread,
            // Until it has asked.
            guest: Guest::Nowhere,
            instances,
            breakpoints: BTreeMap::new(),
            watchpoints: BTreeMap::new(),
            words: false,
        }
    }

    /// Whether errors are told in words.
    pub(super) fn speaks_words(&self) -> bool {
        self.words
    }

    /// Leaves.
    pub(super) fn leave(self, kill: bool) {
        if kill {
            self.client.end_guests("the debugger has ended the program");
        } else {
            self.client.detach();
        }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// When the debugger is to be told that the guest cannot be stopped.
    pub(super) fn until(&self) -> Option<Instant> {
        match self.guest {
            Guest::Running { until } => until,
            _ => None,
        }
    }

    /// The guest is to stop.
    pub(super) fn interrupt(&mut self) {
        if let Guest::Running { until } = &mut self.guest
            && until.is_none()
            && self.client.pause(self.thread).is_ok()
        {
            *until = Some(Instant::now() + PAUSE_WAIT);
        }
    }

    /// What the debugger is told where the time is over, in which the guest could have stopped.
    pub(super) fn time_is_over(&mut self) -> Option<Vec<u8>> {
        if self.until()? > Instant::now() {
            return None;
        }
        self.guest = Guest::Nowhere;
        Some(nowhere())
    }

    /// Something has happened. What the debugger is told of it, if it waits for something.
    pub(super) fn event(&mut self, event: SessionEvent) -> Option<Vec<u8>> {
        match event {
            SessionEvent::Instances(_) => {
                self.instances = Arc::new(self.client.instances());
                None
            }
            SessionEvent::Stopped(stopped) if stopped.thread != self.thread => {
                // It is not shown, so nobody else has it go on.
                _ = self.client.resume(stopped.thread, Action::Continue);
                None
            }
            SessionEvent::Stopped(stopped) => match self.guest {
                Guest::Running { until } => Some(self.stands(stopped, until.is_some())),
                _ => None,
            },
            SessionEvent::Ended(thread, outcome) if thread == self.thread => {
                let waits = matches!(self.guest, Guest::Running { .. });
                self.guest = Guest::Ended;
                waits.then(|| match outcome {
                    Outcome::Exited(status) => format!("W{:02x}", status as u8).into_bytes(),
                    // As by SIGABRT.
                    Outcome::Trapped(_) => b"X06".to_vec(),
                    Outcome::Gone => b"W00".to_vec(),
                })
            }
            SessionEvent::Output(_, bytes) if matches!(self.guest, Guest::Running { .. }) => {
                Some(format!("O{}", hex(&bytes)).into_bytes())
            }
            _ => None,
        }
    }

    /// The guest stands: what the debugger is told.
    fn stands(&mut self, stopped: Stopped, asked: bool) -> Vec<u8> {
        let reply = self.stop_reply(&stopped, asked);
        self.guest = Guest::Standing(stopped);
        reply
    }

    /// What is told of a stop; `asked`: the debugger has asked for one, so it does not go on by itself.
    fn stop_reply(&self, stopped: &Stopped, asked: bool) -> Vec<u8> {
        let mut signal = 5u8;
        let said = match &stopped.reason {
            Reason::Breakpoint(_) => "reason:breakpoint;".to_owned(),
            Reason::Step => "reason:trace;".to_owned(),
            Reason::Pause => {
                signal = 2;
                "reason:signal;".to_owned()
            }
            Reason::Watchpoint(hits) => {
                let hit = hits.iter().find_map(|hit| self.watched(hit.id));
                hit.map_or("reason:trace;".to_owned(), |(kind, address)| {
                    let key = ["watch", "rwatch", "awatch"][usize::from(kind - 2)];
                    format!("{key}:{address:x};")
                })
            }
            Reason::Instance(_) => {
                signal = if asked { 2 } else { GO_ON };
                "library:;".to_owned()
            }
            _ => format!("reason:exception;description:{};", hex(stopped.text.as_bytes())),
        };
        let at = self.call_stack(1).ok().and_then(|stack| stack.first().copied()).unwrap_or(0);
        // Else the debugger would not know its own breakpoint again.
        let at = self.asked_for(stopped).unwrap_or(at);
        format!("T{signal:02x}thread:1;00:{};{said}", hex(&at.to_le_bytes())).into_bytes()
    }

    /// The address that the debugger has asked for a breakpoint at which the guest stands: it may have been before it.
    fn asked_for(&self, stopped: &Stopped) -> Option<u64> {
        let hits = stopped.reason.breakpoints();
        self.breakpoints.iter().find_map(|(address, breakpoint)| {
            let set = breakpoint.set()?;
            hits.contains(&set).then_some(*address)
        })
    }

    /// The debugger's kind and address of a watchpoint.
    fn watched(&self, id: WatchpointId) -> Option<(u8, u64)> {
        let (kind, address, _) = self.watchpoints.iter().find(|(_, one)| **one == id)?.0;
        Some((*kind, *address))
    }

    fn at_stop<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Stop<'_>, &[InstanceInfo]) -> R + Send + 'static,
    ) -> Result<R, NotStopped> {
        let instances = self.instances.clone();
        self.client.at_stop(self.thread, move |stop| work(stop, &instances))
    }

    fn call_stack(&self, most: usize) -> Result<Vec<u64>, NotStopped> {
        let mut stack = self.at_stop(move |stop, instances| places::call_stack(stop, instances, most))?;
        if let (Some(first), Guest::Standing(stopped)) = (stack.first_mut(), &self.guest) {
            *first = self.asked_for(stopped).unwrap_or(*first);
        }
        Ok(stack)
    }

    /// Answers a packet.
    pub(super) fn packet(&mut self, packet: &[u8]) -> Reply {
        let Some(&kind) = packet.first() else { return Reply::Unknown };
        // What follows the colon is no text.
        if kind == b'X' {
            return self.write_raw(packet);
        }
        let Ok(text) = std::str::from_utf8(packet) else { return Reply::Unknown };
        let rest = text.get(1..).unwrap_or_default();
        match kind {
            b'?' => self.why(),
            b'g' => self.register(),
            b'p' if number(rest) == Some(0) => self.register(),
            b'p' => Reply::failed("there is no such register"),
            b'm' => self.read(rest, false),
            b'x' => self.read(rest, true),
            b'M' => self.write(rest),
            b'c' | b'C' => self.resume(Action::Continue),
            b's' | b'S' => self.resume(Action::StepInstruction),
            b'H' | b'T' => Reply::ok(),
            b'D' => Reply::Detach(b"OK".to_vec()),
            b'k' => Reply::Kill,
            b'Z' => self.insert(rest),
            b'z' => self.remove(rest),
            b'q' => self.query(text),
            b'Q' => match text {
                "QEnableErrorStrings" => {
                    self.words = true;
                    Reply::ok()
                }
                _ => Reply::Unknown,
            },
            b'v' => self.long(text),
            _ => Reply::Unknown,
        }
    }

    /// Packets that begin with `v`.
    fn long(&mut self, text: &str) -> Reply {
        if text == "vCont?" {
            return Reply::text("vCont;c;C;s;S");
        }
        if let Some(actions) = after(text, "vCont;") {
            return match actions.as_bytes().first() {
                Some(b'c' | b'C') => self.resume(Action::Continue),
                Some(b's' | b'S') => self.resume(Action::StepInstruction),
                _ => Reply::failed("a guest can go on or be stepped"),
            };
        }
        if text.starts_with("vKill") { Reply::Kill } else { Reply::Unknown }
    }

    /// Why the guest stands, which the debugger asks when it has come: it is stopped for that.
    fn why(&mut self) -> Reply {
        if let Guest::Ended = self.guest {
            return Reply::text("W00");
        }
        if let Some(stopped) = self.client.stopped(self.thread) {
            return Reply::Say(self.stands(stopped, true));
        }
        self.guest = Guest::Running { until: None };
        self.interrupt();
        match self.guest {
            Guest::Running { until: Some(_) } => Reply::Later,
            _ => Reply::text("W00"),
        }
    }

    /// The debugger's breakpoint at the very instruction that the guest stands at: set while it was taken to be
    /// nowhere, it would not stop a guest that goes on from there.
    fn breakpoint_here(&self) -> Option<BreakpointId> {
        let set: Vec<BreakpointId> = self.breakpoints.values().filter_map(Breakpoint::set).collect();
        let find = move |stop: &mut Stop<'_>, _: &[InstanceInfo]| {
            let all = stop.debugger().breakpoints(stop).ok()?;
            let top = stop.top()?;
            let here = all.iter().filter(|one| set.contains(&one.id) && one.options.instance == top.instance_id());
            let (module, at) = (top.module().id(), top.offset());
            let mut here =
                here.filter(|one| one.places.iter().any(|place| place.module.id() == module && place.offset == at));
            here.next().map(|one| one.id)
        };
        self.at_stop(find).ok().flatten()
    }

    fn resume(&mut self, action: Action) -> Reply {
        match &self.guest {
            Guest::Running { .. } => return Reply::failed("the guest runs"),
            Guest::Ended => return Reply::text("W00"),
            // It has come meanwhile, for something that the debugger has not been told of.
            Guest::Nowhere => {
                if let Some(mut stopped) = self.client.stopped(self.thread) {
                    let here = self.breakpoint_here();
                    if let (Reason::Pause, Some(id)) = (&stopped.reason, here) {
                        stopped.reason = Reason::Breakpoint([id].into_iter().collect());
                    }
                    if !matches!(stopped.reason, Reason::Pause) || action != Action::Continue {
                        return Reply::Say(self.stands(stopped, false));
                    }
                }
            }
            Guest::Standing(_) => {}
        }
        match self.client.resume(self.thread, action) {
            Ok(_) => {
                self.guest = Guest::Running { until: None };
                Reply::Later
            }
            Err(NotStopped::NoThread) => {
                self.guest = Guest::Ended;
                Reply::text("W00")
            }
            Err(error) => error.into(),
        }
    }

    /// The one register there is: where the guest stands.
    fn register(&self) -> Reply {
        let at = self.call_stack(1).ok().and_then(|stack| stack.first().copied()).unwrap_or(0);
        Reply::text(hex(&at.to_le_bytes()))
    }

    /// Bytes of a memory or of a module's file, as many as there are.
    fn bytes(&self, address: u64, length: u64) -> Result<Vec<u8>, String> {
        let length = length.min(MAX_READ) as usize;
        match Place::of(address) {
            Some(Place::Code(number, offset)) => {
                let instance = places::find(&self.instances, number);
                let instance = instance.ok_or_else(|| format!("there is no instance {number}"))?;
                let rest = instance.module.binary().get(offset as usize..).unwrap_or_default();
                match &rest[..length.min(rest.len())] {
                    [] if length > 0 => Err("this is behind the end of the module".to_owned()),
                    bytes => Ok(bytes.to_vec()),
                }
            }
            Some(Place::Memory(number, offset)) => {
                let read = self.at_stop(move |stop, instances| {
                    let memory = places::memory(stop, instances, number)?;
                    let store = stop.as_store_mut();
                    let left = memory.data_size(&store).ok()?.checked_sub(offset as usize)?;
                    let mut bytes = vec![0; length.min(left)];
                    memory.read(&store, offset as usize, &mut bytes).ok()?;
                    (length == 0 || !bytes.is_empty()).then_some(bytes)
                });
                let read = read.map_err(|error| error.to_string())?;
                read.ok_or_else(|| "there is no such memory, or it ends before this".to_owned())
            }
            None => Err("this is no address of a memory or of code".to_owned()),
        }
    }

    fn read(&self, rest: &str, raw: bool) -> Reply {
        match two(rest) {
            // So it finds out whether bytes can be sent as they are.
            Some((0, 0)) if raw => Reply::ok(),
            Some((address, length)) => match self.bytes(address, length) {
                Ok(bytes) if raw => Reply::Say(bytes),
                Ok(bytes) => Reply::text(hex(&bytes)),
                Err(what) => Reply::Failed(what),
            },
            None => Reply::failed("an address and a length are needed"),
        }
    }

    fn write(&self, rest: &str) -> Reply {
        let parts = rest.split_once(':').and_then(|(place, bytes)| Some((two(place)?, unhex(bytes.as_bytes())?)));
        match parts {
            Some(((address, length), bytes)) => self.write_bytes(address, length, bytes),
            None => Reply::failed("an address, a length and bytes are needed"),
        }
    }

    fn write_raw(&self, packet: &[u8]) -> Reply {
        let colon = packet.iter().position(|byte| *byte == b':');
        let place = colon.and_then(|colon| two(std::str::from_utf8(&packet[1..colon]).ok()?));
        match (colon, place) {
            (Some(colon), Some((address, length))) => self.write_bytes(address, length, packet[colon + 1..].to_vec()),
            _ => Reply::failed("an address, a length and bytes are needed"),
        }
    }

    fn write_bytes(&self, address: u64, length: u64, bytes: Vec<u8>) -> Reply {
        if bytes.len() as u64 != length {
            return Reply::failed("these are not as many bytes as it says");
        }
        let Some(Place::Memory(number, offset)) = Place::of(address) else {
            return Reply::failed("only memories can be written to");
        };
        let written = self.at_stop(move |stop, instances| {
            let memory = places::memory(stop, instances, number).ok_or("there is no such memory")?;
            memory.write(stop, offset as usize, &bytes).map_err(|error| error.message().to_owned())
        });
        match written {
            Ok(Ok(())) => Reply::ok(),
            Ok(Err(what)) => Reply::Failed(what),
            Err(error) => error.into(),
        }
    }

    /// Kind, address and length of a breakpoint or watchpoint.
    fn point(rest: &str) -> Option<(u8, u64, u64)> {
        let (kind, place) = rest.split_once(',')?;
        // Conditions may follow, which we have not said that we take.
        let (address, length) = two(place.split(';').next()?)?;
        Some((kind.parse().ok()?, address, length))
    }

    fn insert(&mut self, rest: &str) -> Reply {
        match Talk::point(rest) {
            Some((0 | 1, address, _)) => self.insert_breakpoint(address),
            Some((kind @ 2..=4, address, length)) => self.insert_watchpoint(kind, address, length),
            Some(_) => Reply::Unknown,
            None => Reply::failed("a kind, an address and a length are needed"),
        }
    }

    fn insert_breakpoint(&mut self, address: u64) -> Reply {
        let Some(Place::Code(number, offset)) = Place::of(address) else {
            return Reply::failed("breakpoints stand in code");
        };
        if self.breakpoints.contains_key(&address) {
            return Reply::ok();
        }
        let Some((request, instance)) = places::breakpoint(&self.instances, number, offset) else {
            return Reply::Failed(format!("there is no instance {number}"));
        };
        let slot = Breakpoint::default();
        let place = slot.clone();
        let check = request.clone();
        let work = move |stop: &mut Stop<'_>| {
            let debugger = stop.debugger();
            let set = debugger.add_breakpoint(stop, request)?;
            debugger.change_breakpoint(stop, set.id, |options| options.instance = Some(instance))?;
            *place.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(set.id);
            Ok(())
        };
        let done: Result<(), Error> = match self.client.at_stop(self.thread, work) {
            Ok(done) => done,
            Err(NotStopped::Running) => match self.insert_later(&slot, check, instance) {
                Ok(()) => Ok(()),
                Err(reply) => return reply,
            },
            Err(error) => return error.into(),
        };
        match done {
            Ok(()) => {
                self.breakpoints.insert(address, slot);
                Reply::ok()
            }
            Err(error) => Reply::failed(error.message()),
        }
    }

    /// No guest is there: the breakpoint is set before the next one's first instruction. Whether it can be is known
    /// now.
    fn insert_later(&self, slot: &Breakpoint, request: BreakRequest, instance: InstanceId) -> Result<(), Reply> {
        let mut prepared = BreakpointSet::new();
        prepared.add(request).map_err(|error| Reply::failed(error.message()))?;
        let place = slot.clone();
        let work = move |stop: &mut Stop<'_>| {
            let debugger = stop.debugger();
            let Ok(ids) = debugger.break_at_set(stop, &prepared) else { return };
            let Some(id) = ids.first().copied() else { return };
            _ = debugger.change_breakpoint(stop, id, |options| options.instance = Some(instance));
            *place.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
        };
        self.client.later(self.thread, work).map_err(Reply::from)
    }

    fn insert_watchpoint(&mut self, kind: u8, address: u64, length: u64) -> Reply {
        let Some(Place::Memory(number, offset)) = Place::of(address) else {
            return Reply::failed("only memories can be watched");
        };
        let what = [WatchKind::Write, WatchKind::Read, WatchKind::Access][usize::from(kind - 2)];
        let set = self.at_stop(move |stop, instances| {
            let memory = places::memory(stop, instances, number).ok_or("there is no such memory")?;
            let bytes = u64::from(offset)..u64::from(offset) + length;
            let set = stop.debugger().watch_memory(stop, memory, bytes, what);
            set.map_err(|error| error.message().to_owned())
        });
        match set {
            Ok(Ok(id)) => {
                self.watchpoints.insert((kind, address, length), id);
                Reply::ok()
            }
            Ok(Err(what)) => Reply::Failed(what),
            Err(error) => error.into(),
        }
    }

    fn remove(&mut self, rest: &str) -> Reply {
        let Some((kind, address, length)) = Talk::point(rest) else {
            return Reply::failed("a kind, an address and a length are needed");
        };
        // What was to be done before, where no guest was there, is done before this.
        let work: Box<dyn FnOnce(&mut Stop<'_>) + Send> = match kind {
            0 | 1 => match self.breakpoints.remove(&address) {
                None => return Reply::ok(),
                Some(slot) => Box::new(move |stop| {
                    if let Some(set) = slot.set() {
                        _ = stop.debugger().remove(stop, set);
                    }
                }),
            },
            2..=4 => match self.watchpoints.remove(&(kind, address, length)) {
                None => return Reply::ok(),
                Some(id) => Box::new(move |stop| _ = stop.debugger().remove_watchpoint(stop, id)),
            },
            _ => return Reply::Unknown,
        };
        let done = match self.client.stopped(self.thread) {
            Some(_) => self.client.at_stop(self.thread, work),
            None => self.client.later(self.thread, work),
        };
        done.map_or_else(Reply::from, |()| Reply::ok())
    }

    /// Packets that begin with `q`.
    fn query(&mut self, text: &str) -> Reply {
        match text {
            "qC" => return Reply::text("QC1"),
            "qAttached" => return Reply::text("1"),
            "qfThreadInfo" => return Reply::text("m1"),
            "qsThreadInfo" => return Reply::text("l"),
            "qRegisterInfo0" => {
                return Reply::text(
                    "name:pc;alt-name:pc;bitsize:64;offset:0;encoding:uint;format:hex;set:General Purpose \
                     Registers;gcc:16;dwarf:16;generic:pc;",
                );
            }
            "qHostInfo" => {
                let triple = hex(TRIPLE.as_bytes());
                return Reply::text(format!(
                    "triple:{triple};endian:little;ptrsize:4;watchpoint_exceptions_received:after;"
                ));
            }
            "qProcessInfo" => {
                let triple = hex(TRIPLE.as_bytes());
                return Reply::text(format!("pid:1;triple:{triple};endian:little;ptrsize:4;"));
            }
            "qWatchpointSupportInfo:" => return Reply::text("num:1024;"),
            _ => {}
        }
        if text.starts_with("qSupported") {
            return Reply::text(format!(
                "PacketSize={PACKET_SIZE:x};vContSupported+;QStartNoAckMode+;qXfer:libraries:read+;swbreak+;hwbreak+"
            ));
        }
        if text.starts_with("qRegisterInfo") {
            return Reply::failed("there is no such register");
        }
        if let Some(thread) = after(text, "qThreadStopInfo") {
            return match (&self.guest, number(thread)) {
                (Guest::Standing(stopped), Some(1)) => Reply::Say(self.stop_reply(stopped, true)),
                (Guest::Nowhere, Some(1)) => Reply::Say(nowhere()),
                _ => Reply::failed("there is no such thread"),
            };
        }
        if let Some(range) = after(text, "qXfer:libraries:read::") {
            return self.libraries(range);
        }
        if let Some(address) = after(text, "qMemoryRegionInfo:") {
            return match number(address) {
                Some(address) => self.region(address),
                None => Reply::failed("an address is needed"),
            };
        }
        if text.starts_with("qWasmCallStack:") {
            return match self.call_stack(MAX_FRAMES) {
                Ok(stack) => {
                    let bytes: Vec<u8> = stack.iter().flat_map(|at| at.to_le_bytes()).collect();
                    Reply::text(hex(&bytes))
                }
                // No frames.
                Err(_) => Reply::Say(Vec::new()),
            };
        }
        if let Some(what) = after(text, "qWasmLocal:") {
            return self.value(what, |stop, frame, index| stop.frame(frame)?.local(index));
        }
        if let Some(what) = after(text, "qWasmStackValue:") {
            // The bottom one is 0, as in the debug information that asks for it.
            return self.value(what, |stop, frame, index| stop.frame(frame)?.operands().get(index).cloned());
        }
        if let Some(what) = after(text, "qWasmGlobal:") {
            return self.value(what, |stop, frame, index| {
                let instance = stop.frame(frame)?.instance()?;
                let global = instance.global(&*stop, GlobalIndex::new(u32::try_from(index).ok()?))?;
                global.get(&*stop).ok()
            });
        }
        Reply::Unknown
    }

    /// A value of a frame.
    fn value(&self, what: &str, find: fn(&mut Stop<'_>, usize, usize) -> Option<Val>) -> Reply {
        let Some((frame, index)) = frame_and_index(what) else {
            return Reply::failed("a frame and a number are needed");
        };
        match self.at_stop(move |stop, _| find(stop, frame, index).as_ref().and_then(bytes_of)) {
            Ok(Some(bytes)) => Reply::text(hex(&bytes)),
            Ok(None) => Reply::failed("there is no such value"),
            Err(error) => error.into(),
        }
    }

    /// A part of the list of modules.
    fn libraries(&mut self, range: &str) -> Reply {
        let Some((offset, length)) = two(range) else { return Reply::failed("an offset and a length are needed") };
        if offset == 0 {
            self.instances = Arc::new(self.client.instances());
        }
        let list = places::library_list(&self.instances).into_bytes();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(list.len());
        let end = start.saturating_add(length.min(MAX_READ) as usize).min(list.len());
        let mark = if end < list.len() { b'm' } else { b'l' };
        Reply::Say([&[mark], &list[start..end]].concat())
    }

    fn region(&self, address: u64) -> Reply {
        let mut regions = places::code_regions(&self.instances);
        regions.extend(self.at_stop(places::memory_regions).unwrap_or_default());
        let Region { start, size, permissions, name } = places::region_at(&regions, address);
        let mut said = format!("start:{start:x};size:{size:x};");
        if !permissions.is_empty() {
            said += &format!("permissions:{permissions};name:{};", hex(name.as_bytes()));
        }
        Reply::text(said)
    }
}

/// What is told of a guest that is nowhere: it has no frames.
fn nowhere() -> Vec<u8> {
    format!("T02thread:1;00:{};reason:signal;", hex(&[0; 8])).into_bytes()
}
