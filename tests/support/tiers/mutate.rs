//! Changes of what a guest sees, by its host: from inside a stop, or from a host function.

use super::case::{Shared, call_export};
use super::drive::Drive;
use super::random::Random;
use super::record::Observation;
use std::sync::Arc;
use stepwell::base::{GlobalIndex, MemoryIndex, TableIndex};
use stepwell::debug::{Reason, Stop};
use stepwell::runtime::{AnyRef, AsStoreMut, Instance, Val};

/// Pages that memories are let grow to.
const MOST_PAGES: u64 = 12;
/// Elements that tables are let grow to.
const MOST_ELEMENTS: u64 = 200;
/// Runs of the guest within each other.
pub const DEEPEST: usize = 3;

/// One change, at a stop; the choice follows from `random` and from the guest's state alone.
pub fn at_stop(
    drive: &Drive,
    shared: &Arc<Shared>,
    stop: &mut Stop<'_>,
    seen: &mut Observation,
    random: &mut Random,
    may_call: &mut bool,
) {
    let Some(frame) = stop.top() else { return };
    let instance = frame.instance().unwrap();
    let values: Vec<Val> = frame.locals().into_iter().chain(frame.operands()).collect();
    let addresses: Vec<u64> = values.iter().filter_map(address).collect();
    let objects: Vec<AnyRef> = values.iter().filter_map(object).collect();
    if *may_call && random.one_in(6) {
        // A step that is under way when this run ends would go on in a next one.
        *may_call = false;
        // The guest may stand between a look at its fuel and taking some of it.
        let fuel = shared.fuel(stop);
        let said = call_export(shared, stop, instance, random);
        if let Some((global, left)) = fuel {
            global.set(&mut *stop, left).unwrap();
        }
        match said {
            Ok(said) => seen.put("called", said),
            Err(error) => seen.put_text("called", error.message()),
        }
        return;
    }
    let goes_on = matches!(stop.reason(), Reason::Breakpoint(_) | Reason::Step);
    if drive.change_frames && goes_on && !values.is_empty() && random.one_in(2) {
        return seen.put_text("changed the frame", &change_frame(stop, &values, random));
    }
    let outer = stop.frame_count() - 1;
    if drive.change_frames && goes_on && outer > 0 && random.one_in(3) {
        // Mostly one of those further in: the outermost do little.
        let among = if random.one_in(2) { outer.min(2) } else { outer };
        let frame = 1 + random.below(among);
        return seen.put_text("changed a caller", &change_caller(stop, frame, random));
    }
    if !objects.is_empty() && random.one_in(3) {
        let object = random.pick(&objects);
        return seen.put("changed an object", change_object(stop, instance, object, random));
    }
    seen.put("changed", change(shared, stop, instance, random, &addresses));
}

/// Gives a local or an operand another value; tells which, and what became of it.
fn change_frame(stop: &mut Stop<'_>, values: &[Val], random: &mut Random) -> String {
    let locals = stop.top().map_or(0, |frame| frame.local_count());
    let index = random.below(values.len());
    let instance = stop.top().and_then(|frame| frame.instance());
    let alike: Vec<Val> = values.iter().filter(|value| value.ty() == values[index].ty()).copied().collect();
    let value = match values[index] {
        _ if random.one_in(2) => random.pick(&alike),
        // Loops count on in small steps.
        Val::I32(_) => Val::I32(random.below(20) as i32),
        Val::I64(_) => Val::I64(random.below(20) as i64),
        other => random.value(stop, instance, other.ty()),
    };
    let outcome = match index.checked_sub(locals) {
        None => stop.set_local(0, index, value),
        Some(operand) => stop.set_operand(0, operand, value),
    };
    let outcome = outcome.map_or_else(|error| error.message().to_owned(), |()| format!("{:?}", value.ty()));
    format!("{index}: {outcome}")
}

/// Gives a local or an operand of a frame that waits another value, or has it return; tells what became of it.
fn change_caller(stop: &mut Stop<'_>, frame: usize, random: &mut Random) -> String {
    let Some(shown) = stop.frame(frame) else { return "no frame".to_owned() };
    let (locals, operands, instance) = (shown.locals(), shown.operands(), shown.instance());
    if random.one_in(8) {
        let results = shown.module().info().func_type(shown.func()).results.clone();
        let values: Vec<Val> = results.iter().map(|ty| random.value(stop, Some(instance), *ty)).collect();
        let outcome = stop.return_early_from(frame, &values);
        return outcome.map_or_else(|error| error.message().to_owned(), |()| format!("{frame} returns"));
    }
    let values: Vec<Val> = locals.iter().chain(&operands).copied().collect();
    if values.is_empty() {
        return "nothing there".to_owned();
    }
    let index = random.below(values.len());
    let value = match values[index] {
        same if random.one_in(3) => same,
        Val::I32(_) => Val::I32(random.below(20) as i32),
        Val::I64(_) => Val::I64(random.below(20) as i64),
        other => random.value(stop, Some(instance), other.ty()),
    };
    let outcome = match index.checked_sub(locals.len()) {
        None => stop.set_local(frame, index, value),
        Some(operand) => stop.set_operand(frame, operand, value),
    };
    let outcome = outcome.map_or_else(|error| error.message().to_owned(), |()| format!("{:?}", value.ty()));
    format!("{frame}, {index}: {outcome}")
}

/// A value, as a structure or an array.
fn object(value: &Val) -> Option<AnyRef> {
    match value {
        Val::AnyRef(value) => value.filter(AnyRef::is_object),
        _ => None,
    }
}

/// Changes a field of a structure, or an element of an array; tells what became of it.
fn change_object(store: &mut impl AsStoreMut, instance: Instance, object: AnyRef, random: &mut Random) -> u64 {
    let count = object.len(&*store).unwrap();
    if count == 0 {
        return 0;
    }
    let index = random.below(count as usize);
    let ty = object.object_type(&*store).unwrap().unwrap();
    let field = match ty.as_struct() {
        Some(ty) => ty.fields[index],
        None => ty.as_array().unwrap().element,
    };
    if !field.mutable {
        return 1;
    }
    let value = random.value(store, Some(instance), field.storage.unpacked());
    // Where no value of the type can be made, both refuse it.
    match object.set(store, index as u32, value) {
        Ok(()) => 10 + index as u64,
        Err(_) => 9,
    }
}

/// A value, as an address.
fn address(value: &Val) -> Option<u64> {
    match value {
        Val::I32(value) => Some(u64::from(*value as u32)),
        _ => None,
    }
}

/// Changes a memory, a global or a table of `instance`; tells what became of it.
pub fn change(
    shared: &Shared,
    store: &mut impl AsStoreMut,
    instance: Instance,
    random: &mut Random,
    addresses: &[u64],
) -> u64 {
    let module = instance.module(&*store).unwrap().clone();
    let info = module.info();
    match random.below(10) {
        0..=3 => {
            let index = MemoryIndex::from_usize(random.below(info.memories.len()));
            let Some(memory) = instance.memory(&*store, index) else { return 0 };
            let size = memory.data_size(&*store).unwrap() as u64;
            let at = match random.below(4) {
                0..=1 => random.below(80) as u64,
                2 if !addresses.is_empty() => random.pick(addresses).wrapping_add(random.below(12) as u64),
                _ => random.next(),
            };
            if size < 8 {
                return 1;
            }
            let at = at % (size - 7);
            let length = 1 + random.below(8);
            let bytes = if random.one_in(4) { [0; 8] } else { random.next().to_le_bytes() };
            memory.write(store, at as usize, &bytes[..length]).unwrap();
            at
        }
        4..=6 => {
            let index = GlobalIndex::from_usize(random.below(info.globals.len()));
            let Some(ty) = info.globals.get(index.index()).copied().filter(|ty| ty.mutable) else { return 2 };
            if shared.is_fuel(&module, index) {
                return 3;
            }
            let Some(global) = instance.global(&*store, index) else { return 2 };
            let value = random.value(store, Some(instance), ty.content);
            // Where no value of the type can be made, both refuse it.
            if global.set(store, value).is_err() {
                return 9;
            }
            10 + u64::from(index.get())
        }
        7..=8 => {
            let index = TableIndex::from_usize(random.below(info.tables.len()));
            let Some(table) = instance.table(&*store, index) else { return 4 };
            let value = random.value(store, Some(instance), info.tables[index.index()].element.into());
            let size = table.size(&*store).unwrap();
            if random.one_in(4) && size < MOST_ELEMENTS {
                return 1000 + table.grow(store, 1 + random.below(3) as u64, value).unwrap_or(5);
            }
            if size == 0 {
                return 6;
            }
            let at = random.below(size as usize) as u64;
            if table.set(store, at, value).is_err() {
                return 9;
            }
            100_000 + at
        }
        _ => {
            let index = MemoryIndex::from_usize(random.below(info.memories.len()));
            let Some(memory) = instance.memory(&*store, index) else { return 7 };
            if memory.size(&*store).unwrap() >= MOST_PAGES {
                return 8;
            }
            memory.grow(store, random.below(2) as u64 + 1).unwrap_or(9)
        }
    }
}
