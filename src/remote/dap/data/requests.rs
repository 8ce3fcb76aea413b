//! What requests do about data that is to be watched.

use super::{Data, MAX_KNOWN, PATIENCE, Watch, kind_of};
use crate::debug::{Stop, WatchKind, WatchpointId};
use crate::remote::dap::adapter::Adapter;
use crate::remote::dap::handles::{Container, Part};
use crate::remote::dap::message::{Answer, Args, compact, failure};
use crate::remote::dap::sources::Address;
use crate::remote::dap::variables::{find, machine_index};
use crate::remote::dap::when::When;
use crate::remote::session::ThreadId;
use serde_json::json;

impl Adapter {
    /// What a request for data means.
    fn data_of(&self, args: Args<'_>) -> Answer<(Data, bool)> {
        let name = args.str("name")?.to_owned();
        if args.flag("asAddress")? {
            let size = args.opt_count("bytes")?.unwrap_or(1).max(1) as u64;
            return match self.address(&name)? {
                Address::Memory(0, address) => {
                    let frame = self.any_frame()?;
                    let instance = self.at_frame(frame, |frame| Ok(frame.instance_id()))?;
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
                let instance = self.at_frame(frame, |frame| Ok(frame.instance_id()))?;
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

    pub(in crate::remote::dap) fn request_data_breakpoint_info(&mut self, args: Args<'_>) -> Answer {
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

    pub(in crate::remote::dap) fn request_set_data_breakpoints(&mut self, args: Args<'_>) -> Answer {
        let wanted = args.list("breakpoints")?;
        let mut asked = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let wanted = Args(wanted);
            let id = wanted.str("dataId")?.parse::<i64>().ok();
            asked.push((id, kind_of(wanted.opt_str("accessType")?)?, When::new(wanted)));
        }
        // Those that are not asked for any more, or for another kind of access.
        let mut ends = Vec::new();
        for watch in &mut self.lock().watches {
            let Some((kind, when, set)) = &watch.set else { continue };
            let (kind, set) = (*kind, *set);
            let same = |asked: &(Option<i64>, WatchKind, Answer<When>)| {
                asked.0 == Some(watch.id) && asked.1 == kind && asked.2.as_ref().is_ok_and(|asked| asked == when)
            };
            if !asked.iter().any(same) {
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
        for (id, kind, when) in asked {
            let told = when.and_then(|when| self.set_watch(id, kind, when));
            let message = told.as_ref().err().map(|error| error.text.clone());
            values.push(compact(json!({ "id": id, "verified": told.is_ok(), "message": message })));
        }
        Ok(json!({ "breakpoints": values }))
    }

    fn set_watch(&mut self, id: Option<i64>, kind: WatchKind, when: When) -> Answer<()> {
        when.check()?;
        let find = |watch: &&Watch| Some(watch.id) == id;
        let known = self.lock().watches.iter().find(find).map(|watch| (watch.data.clone(), watch.set.clone()));
        let (data, set) = known.ok_or_else(|| failure("this is not known as something that can be watched"))?;
        if let Some((_, other, _)) = set {
            let message = "it is watched already, and has one condition and one count";
            return if other == when { Ok(()) } else { Err(failure(message)) };
        }
        let thread = data.thread();
        let (asks, log) = (when.clone(), self.lock().log.clone());
        let watch = move |stop: &mut Stop<'_>| -> Answer<WatchpointId> {
            let id = data.watch(stop, kind)?;
            if !asks.is_always() {
                stop.debugger().watch_if(stop, id, asks.asker(log))?;
            }
            Ok(id)
        };
        let set = self.client.with_guest(thread, PATIENCE, watch)??;
        if let Some(watch) = self.lock().watches.iter_mut().find(|watch| Some(watch.id) == id) {
            watch.set = Some((kind, when, set));
        }
        Ok(())
    }

    /// What the client calls watchpoints that a thread has stopped at, and the same for people.
    pub(in crate::remote::dap) fn watch_hits(
        &self,
        thread: ThreadId,
        hits: &[crate::debug::WatchHit],
    ) -> (Vec<i64>, String) {
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
