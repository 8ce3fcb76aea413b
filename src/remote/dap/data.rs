//! Breakpoints on data: what is watched of what the client sees.

use super::adapter::Adapter;
use super::handles::{Container, FrameHandle, Part};
use super::message::{Answer, Args, compact, failure};
use super::sources::Address;
use super::variables::{find, machine_index};
use crate::base::{GlobalIndex, MemoryIndex};
use crate::debug::{FrameVariable, Stop, WatchKind, WatchpointId};
use crate::remote::session::ThreadId;
use crate::runtime::{AsStore, Instance};
use serde_json::{Value, json};
use std::time::Duration;

/// So much may be known that could be watched.
const MAX_KNOWN: usize = 10_000;

/// How long a guest that runs is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// What can be watched.
#[derive(Clone)]
enum Data {
    /// Where it is now.
    Variable(FrameHandle, Box<FrameVariable>),
    Local(FrameHandle, usize),
    Global(ThreadId, Instance, usize),
    Memory(ThreadId, Instance, u64, u64),
}

impl Data {
    fn thread(&self) -> ThreadId {
        match self {
            Data::Variable(frame, _) | Data::Local(frame, _) => frame.thread,
            Data::Global(thread, ..) | Data::Memory(thread, ..) => *thread,
        }
    }

    fn watch(&self, stop: &mut Stop<'_>, kind: WatchKind) -> Answer<WatchpointId> {
        let debugger = stop.debugger();
        let missing = || failure("it is not there any more");
        Ok(match self {
            Data::Variable(frame, variable) => debugger.watch_variable(stop, frame.index, variable, kind)?,
            Data::Local(frame, index) => debugger.watch_local(stop, frame.index, *index, kind)?,
            Data::Global(_, instance, index) => {
                let global = instance.global(stop.as_store(), GlobalIndex::from_usize(*index)).ok_or_else(missing)?;
                debugger.watch_global(stop, global, kind)?
            }
            Data::Memory(_, instance, from, size) => {
                let memory = instance.memory(stop.as_store(), MemoryIndex::new(0)).ok_or_else(missing)?;
                debugger.watch_memory(stop, memory, *from..from.saturating_add(*size), kind)?
            }
        })
    }
}

/// Something that the client may have watched, or has.
pub(super) struct Watch {
    id: i64,
    name: String,
    data: Data,
    set: Option<(WatchKind, WatchpointId)>,
}

impl Watch {
    /// What the client calls it, if it is this one.
    pub(super) fn hit(&self, thread: ThreadId, id: u32) -> Option<(i64, &str)> {
        let (_, set) = self.set?;
        (self.data.thread() == thread && set.get() == id).then_some((self.id, &*self.name))
    }

    /// Whether it is something of a thread's.
    pub(super) fn is_of(&self, thread: ThreadId) -> bool {
        self.data.thread() == thread
    }

    /// Its frame is gone, and the watchpoint with it.
    pub(super) fn end(&mut self) {
        self.set = None;
    }
}

fn kind_of(access: Option<&str>) -> Answer<WatchKind> {
    Ok(match access {
        // What clients offer as "when the value changes".
        None | Some("write") => WatchKind::Change,
        Some("read") => WatchKind::Read,
        Some("readWrite") => WatchKind::Access,
        Some(other) => return Err(failure(format!("there is no kind of access `{other}`"))),
    })
}

impl Adapter {
    /// What a request for data means.
    fn data_of(&self, args: Args<'_>) -> Answer<(Data, bool)> {
        let name = args.str("name")?.to_owned();
        if args.flag("asAddress")? {
            let size = args.opt_count("bytes")?.unwrap_or(1).max(1) as u64;
            return match self.address(&name)? {
                Address::Memory(0, address) => {
                    let frame = self.any_frame()?;
                    let instance = self.at_frame(frame, |frame| Ok(frame.instance()))?;
                    let instance = instance.ok_or_else(|| failure("there is no memory"))?;
                    Ok((Data::Memory(frame.thread, instance, address, size), true))
                }
                Address::Memory(number, address) => {
                    let known = self.client.instances().into_iter().find(|known| known.number == number);
                    let known = known.ok_or_else(|| failure(format!("there is no instance {number}")))?;
                    Ok((Data::Memory(known.thread, known.instance, address, size), true))
                }
                Address::Code(..) => Err(failure("code cannot be watched: it does not change")),
            };
        }
        let Some(reference) = args.opt_int("variablesReference")?.filter(|reference| *reference > 0) else {
            let frame = match args.opt_int("frameId")? {
                Some(number) => self.handles.frame(number)?,
                None => self.any_frame()?,
            };
            let found = self.at_frame(frame, move |shown| {
                let variable = shown.variable(frame.level, &name)?;
                let in_memory = variable.address(shown)?.is_some();
                Ok((variable, in_memory))
            })?;
            return Ok((Data::Variable(frame, Box::new(found.0)), found.1));
        };
        let container = self.handles.container(reference)?;
        let frame = container.frame();
        match container {
            Container::Scope(_, Part::WasmLocals) => {
                Ok((Data::Local(frame, machine_index(Part::WasmLocals, &name)?), false))
            }
            Container::Scope(_, Part::Globals) => {
                let instance = self.at_frame(frame, |frame| Ok(frame.instance()))?;
                let instance = instance.ok_or_else(|| failure("its instance is not known"))?;
                Ok((Data::Global(frame.thread, instance, machine_index(Part::Globals, &name)?), false))
            }
            Container::Scope(_, Part::Operands) => Err(failure("operands cannot be watched: each is used once")),
            _ => {
                let found = self.at_stop(frame.thread, move |stop| {
                    let variable = find(stop, &container, &name)?;
                    let shown = stop.frame(frame.index).ok_or_else(|| failure("the frame is gone"))?;
                    let in_memory = variable.address(&shown)?.is_some();
                    Ok((variable, in_memory))
                })?;
                Ok((Data::Variable(frame, Box::new(found.0)), found.1))
            }
        }
    }

    pub(super) fn request_data_breakpoint_info(&mut self, args: Args<'_>) -> Answer {
        let name = args.str("name")?.to_owned();
        let (data, in_memory) = match self.data_of(args) {
            Ok(found) => found,
            Err(error) => return Ok(json!({ "dataId": null, "description": error.text })),
        };
        let mut table = self.lock();
        // Those that are not set can be asked for again.
        if table.watches.len() >= MAX_KNOWN {
            table.watches.retain(|watch| watch.set.is_some());
        }
        let id = table.number();
        table.watches.push(Watch { id, name: name.clone(), data, set: None });
        let kinds: &[&str] = if in_memory { &["read", "write", "readWrite"] } else { &["write"] };
        Ok(json!({ "dataId": id.to_string(), "description": name, "accessTypes": kinds, "canPersist": false }))
    }

    pub(super) fn request_set_data_breakpoints(&mut self, args: Args<'_>) -> Answer {
        let wanted = args.list("breakpoints")?;
        let mut asked = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let wanted = Args(wanted);
            let id = wanted.str("dataId")?.parse::<i64>().ok();
            asked.push((id, kind_of(wanted.opt_str("accessType")?)?, wanted));
        }
        // Those that are not asked for any more, or for another kind of access.
        let mut ends = Vec::new();
        for watch in &mut self.lock().watches {
            if let Some((kind, set)) = watch.set
                && !asked.iter().any(|(id, asked, _)| *id == Some(watch.id) && *asked == kind)
            {
                watch.set = None;
                ends.push((watch.data.thread(), set));
            }
        }
        for (thread, id) in ends {
            let remove = move |stop: &mut Stop<'_>| _ = stop.debugger().remove_watchpoint(stop, id);
            let later = remove;
            if self.client.with_guest(thread, PATIENCE, remove).is_err() {
                _ = self.client.later(thread, later);
            }
        }
        let mut values = Vec::with_capacity(asked.len());
        for (id, kind, wanted) in asked {
            let told = self.set_watch(id, kind, wanted);
            let message = told.as_ref().err().map(|error| error.text.clone());
            values.push(compact(json!({ "id": id, "verified": told.is_ok(), "message": message })));
        }
        Ok(json!({ "breakpoints": values }))
    }

    fn set_watch(&mut self, id: Option<i64>, kind: WatchKind, wanted: Args<'_>) -> Answer<()> {
        if wanted.opt_str("condition")?.is_some() || wanted.opt_str("hitCondition")?.is_some() {
            return Err(failure("breakpoints on data have no conditions here"));
        }
        let known = self.lock().watches.iter().find(|watch| Some(watch.id) == id).map(|w| (w.data.clone(), w.set));
        let (data, set) = known.ok_or_else(|| failure("this is not known as something that can be watched"))?;
        if set.is_some() {
            return Ok(());
        }
        let thread = data.thread();
        let set = self.client.with_guest(thread, PATIENCE, move |stop| data.watch(stop, kind))??;
        if let Some(watch) = self.lock().watches.iter_mut().find(|watch| Some(watch.id) == id) {
            watch.set = Some((kind, set));
        }
        Ok(())
    }

    /// What the client calls watchpoints that a thread has stopped at, and the same for people.
    pub(super) fn watch_hits(&self, thread: ThreadId, hits: &[crate::debug::WatchHit]) -> (Vec<i64>, String) {
        let mut table = self.lock();
        let (mut ids, mut said) = (Vec::new(), Vec::new());
        for hit in hits {
            let Some(watch) = table.watches.iter_mut().find(|watch| watch.hit(thread, hit.id.get()).is_some()) else {
                continue;
            };
            ids.push(watch.id);
            let name = &watch.name;
            said.push(match (hit.is_end, hit.is_read) {
                (true, _) => format!("`{name}` is gone: its function has returned"),
                (_, true) => format!("`{name}` was read"),
                _ => format!("`{name}` was written"),
            });
            if hit.is_end {
                watch.end();
            }
        }
        (ids, said.join(", "))
    }
}

/// A list of numbers as the client is told it.
pub(super) fn numbers(ids: Vec<i64>) -> Value {
    if ids.is_empty() { Value::Null } else { ids.into() }
}
