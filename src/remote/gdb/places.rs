//! Addresses, as LLDB has them for WebAssembly: 64 bits that say what is meant, of which instance, and where in it. The
//! code of an instance is its module's file from the first byte on; its memory is the first one that it has.

use crate::base::{MemoryIndex, WasmOffset};
use crate::debug::{BreakRequest, Frame, Stop};
use crate::remote::session::InstanceInfo;
use crate::runtime::{AsStoreMut, InstanceId, Memory};
use std::fmt::Write;

/// An address, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A byte of the memory of the instance of this number; 0: of the one in whose function the guest stands, which is
    /// what a debugger says that has lost the number.
    Memory(u32, u32),
    /// A byte of the module's file of the instance of this number.
    Code(u32, u32),
}

/// How many bits a number has on its way through the debugger: more are lost there.
const NUMBER_BITS: u32 = 24;

impl Place {
    pub(super) fn of(address: u64) -> Option<Place> {
        let (number, offset) = ((address >> 32) as u32 & ((1 << NUMBER_BITS) - 1), address as u32);
        match address >> 62 {
            0 => Some(Place::Memory(number, offset)),
            1 => Some(Place::Code(number, offset)),
            _ => None,
        }
    }

    pub(super) fn address(self) -> u64 {
        let (kind, number, offset) = match self {
            Place::Memory(number, offset) => (0u64, number, offset),
            Place::Code(number, offset) => (1, number, offset),
        };
        kind << 62 | u64::from(number & ((1 << NUMBER_BITS) - 1)) << 32 | u64::from(offset)
    }
}

/// The instance of a number.
pub(super) fn find(instances: &[InstanceInfo], number: u32) -> Option<&InstanceInfo> {
    instances.iter().find(|instance| instance.number == number)
}

/// What the debugger calls each instance's module: its name, or a made-up one; no two are the same. Those that are
/// loaded from a file say which, if the host has told.
pub(super) fn names(instances: &[InstanceInfo]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for instance in instances {
        let plain = match &instance.file {
            Some(file) => file.display().to_string(),
            None => instance.module.name().unwrap_or("module").to_owned(),
        };
        let name = if names.contains(&plain) { format!("{plain}#{}", instance.number) } else { plain };
        names.push(name);
    }
    names
}

/// The document that lists them.
pub(super) fn library_list(instances: &[InstanceInfo]) -> String {
    let mut list = "<library-list>".to_owned();
    for (instance, name) in instances.iter().zip(names(instances)) {
        let name: String = name
            .chars()
            .map(|c| match c {
                '&' => "&amp;".to_owned(),
                '<' => "&lt;".to_owned(),
                '>' => "&gt;".to_owned(),
                '"' => "&quot;".to_owned(),
                c if c.is_control() => "?".to_owned(),
                c => c.to_string(),
            })
            .collect();
        let address = Place::Code(instance.number, 0).address();
        _ = write!(list, "<library name=\"{name}\"><section address=\"{address:#x}\"/></library>");
    }
    list + "</library-list>"
}

/// The number of the instance that a frame is of. Of production code only the module is known.
fn number_of(instances: &[InstanceInfo], frame: &Frame<'_>) -> u32 {
    let of_instance = |wanted: InstanceId| instances.iter().find(|one| one.instance == wanted);
    let of_module = || instances.iter().find(|one| one.module.id() == frame.module().id());
    frame.instance_id().and_then(of_instance).or_else(of_module).map_or(0, |one| one.number)
}

/// Where a frame stands. At its function's first instruction that is where the function's body begins, with the types
/// of its locals: there functions begin to debug information, and a debugger that finds itself there goes on behind
/// what sets up the frame.
fn standing_at(frame: &Frame<'_>) -> WasmOffset {
    let (module, func, at) = (frame.module(), frame.func(), frame.offset());
    let first = module.instructions(func, WasmOffset::new(0), 1).ok();
    let is_first = first.and_then(|found| Some(found.first()?.offset == at)).unwrap_or(false);
    let body = module.info().defined(func).filter(|_| is_first).map(|defined| &module.info().bodies[defined.index()]);
    body.and_then(|body| u32::try_from(body.bytes.start).ok()).map_or(at, WasmOffset::new)
}

/// Where the frames stand, innermost first: the instruction that is about to run, and in callers the one behind the
/// call.
pub(super) fn call_stack(stop: &Stop<'_>, instances: &[InstanceInfo], most: usize) -> Vec<u64> {
    let frames = (0..stop.frame_count().min(most)).filter_map(|level| Some((level, stop.frame(level)?)));
    let address = |(level, frame): (usize, Frame<'_>)| {
        let at = frame.offset();
        let behind = || Some(frame.module().instructions(frame.func(), at, 2).ok()?.get(1)?.offset);
        let offset = if level == 0 { standing_at(&frame) } else { behind().unwrap_or(at) };
        Place::Code(number_of(instances, &frame), offset.get()).address()
    };
    frames.map(address).collect()
}

/// The breakpoint that is meant by a place in code.
pub(super) fn breakpoint(instances: &[InstanceInfo], number: u32, offset: u32) -> Option<(BreakRequest, InstanceId)> {
    let instance = find(instances, number)?;
    Some((BreakRequest::offset(&instance.module, WasmOffset::new(offset)), instance.instance))
}

/// The memory that is meant by a number.
pub(super) fn memory(stop: &mut Stop<'_>, instances: &[InstanceInfo], number: u32) -> Option<Memory> {
    let instance = match number {
        0 => stop.top()?.instance()?,
        // It may have been collected since it was told of.
        _ => stop.as_store_mut().find_instance(find(instances, number)?.instance)?,
    };
    instance.memory(stop.as_store_mut(), MemoryIndex::new(0))
}

/// A stretch of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) start: u64,
    pub(super) size: u64,
    /// What may be done there; nothing where nothing is.
    pub(super) permissions: &'static str,
    pub(super) name: String,
}

/// The files' stretches.
pub(super) fn code_regions(instances: &[InstanceInfo]) -> Vec<Region> {
    let region = |(instance, name): (&InstanceInfo, String)| Region {
        start: Place::Code(instance.number, 0).address(),
        size: instance.module.binary().len() as u64,
        permissions: "rx",
        name,
    };
    instances.iter().zip(names(instances)).map(region).collect()
}

/// The memories' stretches.
pub(super) fn memory_regions(stop: &mut Stop<'_>, instances: &[InstanceInfo]) -> Vec<Region> {
    let numbers = std::iter::once(0).chain(instances.iter().map(|instance| instance.number));
    let region = |number| {
        let memory = memory(stop, instances, number)?;
        let size = memory.data_size(stop.as_store_mut()).ok()?.min(1 << 32) as u64;
        let start = Place::Memory(number, 0).address();
        (size > 0).then(|| Region { start, size, permissions: "rw", name: format!("memory of instance {number}") })
    };
    numbers.filter_map(region).collect()
}

/// The stretch that an address is in; where nothing is, all of the gap.
pub(super) fn region_at(regions: &[Region], address: u64) -> Region {
    let within = regions.iter().find(|region| (region.start..region.start + region.size).contains(&address));
    within.cloned().unwrap_or_else(|| {
        let ends = regions.iter().map(|region| region.start + region.size);
        let start = ends.filter(|end| *end <= address).max().unwrap_or(0);
        let end = regions.iter().map(|region| region.start).filter(|start| *start > address).min().unwrap_or(u64::MAX);
        Region { start, size: end - start, permissions: "", name: String::new() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (address, place) in [
            (0x10, Place::Memory(0, 0x10)),
            (0x3_ffff_ffff, Place::Memory(3, u32::MAX)),
            (0x4000_0001_0000_0040, Place::Code(1, 0x40)),
        ] {
            assert_eq!(Place::of(address), Some(place));
            assert_eq!(place.address(), address);
        }
        assert_eq!(Place::of(1 << 63), None);
        assert_eq!(Place::of(u64::MAX), None);
    }

    #[test]
    fn gaps_reach_from_one_stretch_to_the_next() {
        let region = |start, size| Region { start, size, permissions: "r", name: String::new() };
        let all = [region(0x100, 0x10), region(0x1000, 0x100)];
        assert_eq!(region_at(&all, 0x10f), all[0]);
        let gap = |at| {
            let gap = region_at(&all, at);
            assert!(gap.permissions.is_empty());
            (gap.start, gap.start + gap.size)
        };
        assert_eq!(gap(0), (0, 0x100));
        assert_eq!(gap(0x110), (0x110, 0x1000));
        assert_eq!(gap(0x1100), (0x1100, u64::MAX));
        assert_eq!(gap(u64::MAX), (0x1100, u64::MAX));
        assert_eq!(region_at(&[], 5).size, u64::MAX);
    }
}
