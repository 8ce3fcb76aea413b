//! What must hold of every image, whatever the module.

use crate::base::{DefinedFuncIndex, TextOffset, WasmOffset};
use crate::compile::stack_arguments;
use crate::image::{CodeImage, FunctionEntry, Place, ShapeId, SiteId, Slot, Tier};
use crate::isa::samples::{cell_of_stub, saved_by};
use crate::isa::{
    FILL, FRAME_HEAD, FUNCTION_ALIGN, PAGE_SIZE, PreservedRegister, SITE_BYTES, SITE_NOP, STACK_ALIGN, STUB_BYTES,
};
use crate::wasm::{ModuleInfo, ValType};
use std::collections::HashSet;
use std::ops::Range;

fn strictly_ascending<T: Ord + Copy>(what: &str, items: impl Iterator<Item = T>) {
    let items: Vec<T> = items.collect();
    assert!(items.windows(2).all(|pair| pair[0] < pair[1]), "{what} are not in order");
}

/// The bytes of a slot, from the frame pointer; inside the frame. None for a constant.
fn extent(slot: &Slot, frame_size: u32) -> Option<Range<i64>> {
    let Place::Frame(offset) = slot.place else { return None };
    let offset = i64::from(offset);
    let end = offset + i64::from(slot.ty.width());
    assert!(
        offset >= -(i64::from(frame_size - FRAME_HEAD)) && end <= 0,
        "{slot:?} lies outside a frame of {frame_size} bytes"
    );
    assert_eq!(offset % i64::from(slot.ty.width().min(8)), 0, "{slot:?} is not aligned");
    Some(offset..end)
}

/// Asserts that every call that is reached has a row, and that its caller can be shown.
fn check_calls(info: &ModuleInfo, binary: &[u8], image: &CodeImage) {
    use wasmparser::Operator::{Call, CallIndirect};
    let tables = &image.tables;
    let calling: HashSet<WasmOffset> = tables.calls.iter().map(|call| call.wasm).collect();
    for body in &info.bodies {
        let start = body.bytes.start as u64;
        let reader = wasmparser::BinaryReader::new(&binary[body.bytes.clone()], start);
        for operator in wasmparser::FunctionBody::new(reader).get_operators_reader().unwrap().into_iter_with_offsets() {
            let (operator, at) = operator.unwrap();
            let point = tables.points.find(at as u32).map(|point| point.row());
            if !matches!(operator, Call { .. } | CallIndirect { .. }) {
                continue;
            }
            let calls = calling.contains(&WasmOffset::new(at as u32));
            assert!(calls || point.is_none_or(|point| point.site.is_none()), "the call at {at:#x} has no row");
            assert!(!calls || point.is_some(), "the call at {at:#x} has no state");
        }
    }
}

/// Asserts that the table says what the prologue does.
fn check_saved(image: &CodeImage, function: &FunctionEntry, lowered: u32, tier: Tier) {
    let told = PreservedRegister::ALL.map(|register| Some((register, function.saved.offset_of(register)?)));
    let told: Vec<_> = told.into_iter().flatten().collect();
    let code = &image.text[function.start.index()..][..function.len as usize];
    match tier {
        Tier::Production => assert_eq!(told, []),
        Tier::Debug => assert_eq!(told, saved_by(code, function.frame_size - FRAME_HEAD - lowered)),
    }
}

#[test]
fn prologues_save_none_some_and_all() {
    // More and more values are alive at once.
    let busy = |count: usize| {
        let load = "(i32.load (local.get 0))";
        format!("(func (param i32) (result i32) {} {})", load.repeat(count), "i32.add ".repeat(count - 1))
    };
    let busy: String = (4..16).map(busy).collect();
    // What is alive over a call wants a register that is preserved.
    let kept = "(local.set 0 (i32.load (local.get 0)))(i32.load (local.get 0))".repeat(12);
    let kept = format!("(func (param i32) (result i32) {kept} (call 0) {})", "i32.add ".repeat(11));
    let binary = wat::parse_str(format!("(module (memory 1) (func) {kept} {busy})")).unwrap();
    let info = crate::wasm::parse(&binary, crate::wasm::Features::default(), false).unwrap();
    let compiler = crate::compile::Compiler::new(super::GUARDED).unwrap();
    let image = compiler.module(&info, &binary, Tier::Debug, &|_, _| true).unwrap();
    check(&info, &binary, &image, Tier::Debug);
    let offsets = |function: &FunctionEntry| PreservedRegister::ALL.map(|register| function.saved.offset_of(register));
    let saved: Vec<_> = image.tables.functions.iter().map(offsets).collect();
    assert_eq!(saved[0], [None; 5]);
    assert_eq!(saved[1], [-48, -40, -32, -24, -16].map(Some));
    assert!(saved.iter().any(|saved| (1..5).contains(&saved.iter().flatten().count())), "{saved:?}");
}

/// Where an object does not fit the hole, code calls what leaves every register as it was: a loop that makes objects
/// keeps what it needs in registers that no function saves.
#[test]
fn new_objects_take_no_register() {
    let text = "(module (type $node (struct (field i32) (field (ref null $node))))
        (func (param $n i32) (result i32) (local $list (ref null $node)) (local $sum i32)
            (loop $more
                (local.set $list (struct.new $node (local.get $n) (local.get $list)))
                (local.set $sum (i32.add (local.get $sum) (struct.get $node 0 (local.get $list))))
                (br_if $more (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (local.get $sum)))";
    let binary = wat::parse_str(text).unwrap();
    let info = crate::wasm::parse(&binary, crate::wasm::Features::default(), false).unwrap();
    let options = crate::compile::Options { debug_tier: crate::compile::DebugTier::Regions, ..super::GUARDED };
    let image = crate::compile::Compiler::new(options).unwrap().module(&info, &binary, Tier::Debug, &|_, _| true);
    let image = image.unwrap();
    check(&info, &binary, &image, Tier::Debug);
    let saved = image.tables.functions[0].saved;
    assert_eq!(PreservedRegister::ALL.map(|register| saved.offset_of(register)), [None; 5]);
}

/// Asserts everything that can be seen of an image of `info` without running it.
pub(super) fn check(info: &ModuleInfo, binary: &[u8], image: &CodeImage, tier: Tier) {
    let tables = &image.tables;
    assert_eq!(tables.tier, tier);
    assert_eq!(tables.functions.len(), info.bodies.len());
    assert_eq!(tables.first, DefinedFuncIndex::new(0));
    strictly_ascending("traps", tables.traps.iter().map(|trap| trap.at));
    strictly_ascending("calls", tables.calls.iter().map(|call| call.last));
    strictly_ascending("addresses", tables.addresses.iter().map(|row| row.text));
    strictly_ascending("sites", tables.sites.iter().map(|site| site.after));
    strictly_ascending("points", tables.points.iter().map(|point| point.wasm));
    let text_len = image.text.len() as u32;

    let mut end = 0;
    let mut points_end = 0;
    for (index, function) in tables.functions.iter().enumerate() {
        let defined = DefinedFuncIndex::from_usize(index);
        let start = function.start.get();
        assert!(start >= end && start % FUNCTION_ALIGN == 0 && function.len > 0);
        assert!(image.text[end as usize..start as usize].iter().all(|byte| *byte == FILL));
        end = start + function.len;
        assert!(end <= text_len);
        assert!(function.frame_size >= FRAME_HEAD && function.frame_size % STACK_ALIGN == 0);
        let least = stack_arguments(info.func_type(info.func_index(defined)));
        let lowered = match tier {
            Tier::Production => 0,
            Tier::Debug => function.arguments.checked_sub(least).expect("room for the function's own arguments"),
        };
        check_saved(image, function, lowered, tier);
        assert_eq!(tables.function(defined), Some(function));
        assert_eq!(tables.function_at(function.start), Some(defined));
        assert_eq!(tables.function_at(TextOffset::new(end - 1)), Some(defined));
        let body = &info.bodies[index].bytes;
        if tier == Tier::Production {
            assert_eq!(tables.wasm_at(function.start), Some(WasmOffset::new(body.start as u32)), "prologue");
        }
        for row in tables.addresses.iter().filter(|row| (start..end).contains(&row.text.get())) {
            assert!(row.wasm.is_none_or(|wasm| body.contains(&wasm.index())));
        }

        let locals: Vec<ValType> = tables.locals_of(defined).iter().map(|slot| slot.ty).collect();
        let points = tables.points_of(defined);
        if tier == Tier::Debug {
            assert_eq!(locals, info.frame_locals(defined, binary));
            assert!(points.len() > 0, "a function's first instruction is always a point");
            assert!(tables.points_of(defined).next().is_some_and(|point| point.site.is_some()));
            assert_eq!(function.points.0, points_end);
            points_end = function.points.1;
        } else {
            assert!(locals.is_empty() && points.len() == 0);
        }
        let in_frame = |slot: Slot| extent(&slot, function.frame_size).expect("a local is never a constant");
        let mut locals: Vec<Range<i64>> = tables.locals_of(defined).iter().map(in_frame).collect();
        locals.sort_by_key(|range| range.start);
        assert!(locals.windows(2).all(|pair| pair[0].end <= pair[1].start), "locals overlap");
        let (lowest, highest) =
            (locals.first().map_or(i64::MAX, |range| range.start), locals.last().map_or(i64::MIN, |range| range.end));
        for point in points {
            assert!(body.contains(&point.wasm.index()));
            match point.site {
                Some(id) => {
                    let site = tables.site(id);
                    assert_eq!(tables.point(site.point), point);
                    assert!((start + SITE_BYTES..=end).contains(&site.after.get()));
                    assert_eq!(tables.site_returning_to(site.after), Some(id));
                }
                None => assert!(tables.regions, "a point without site"),
            }
            if point.is_on_side() {
                assert!(tables.regions && tables.side_at(point.wasm) == point.site && point.site.is_some());
                assert_eq!(tables.point_at(point.wasm), None);
                assert!(tables.complete_before(defined, point.wasm).is_some_and(|before| before.wasm < point.wasm));
                continue;
            }
            assert_eq!(tables.side_at(point.wasm), None);
            assert_eq!(tables.complete_before(defined, point.wasm), Some(point));
            assert_eq!(tables.point_at(point.wasm).map(|id| tables.point(id)), Some(point));
            let mut above = i64::MAX;
            for slot in tables.operands(point.shape) {
                if tables.locals_of(defined).iter().any(|local| local == slot) {
                    continue;
                }
                let Some(range) = extent(&slot, function.frame_size) else { continue };
                assert!(range.end <= above, "operands overlap");
                above = range.start;
                assert!(range.end <= lowest || range.start >= highest, "an operand overlaps a local");
            }
        }
    }
    let debug = tier == Tier::Debug;
    assert!(if debug { tables.addresses.is_empty() } else { tables.calls.is_empty() });
    let calls = tables.calls.iter().map(|call| call.last);
    for at in tables.traps.iter().map(|trap| trap.at).chain(calls) {
        let function = tables.function_at(at).expect("a trap or call outside functions");
        let wasm = tables.wasm_at(at).expect("a trap or call without an instruction");
        assert!(info.bodies[function.index()].bytes.contains(&wasm.index()));
    }
    assert!(tables.traps.iter().all(|trap| trap.wasm.is_some() == debug));
    check_calls(info, binary, image);
    let mut shown = vec![false; tables.shapes.len()];
    for point in &tables.points {
        let mut at = point.shape;
        while let Some(seen @ false) = shown.get_mut(at.0 as usize) {
            *seen = true;
            at = tables.shapes.get(at).expect("a shape").below;
        }
    }
    assert!(shown.iter().all(|shown| *shown), "a shape that no point has");
    for (row, shape) in tables.shapes.iter().enumerate() {
        assert!(shape.below == ShapeId::EMPTY || (shape.below.0 as usize) < row);
    }
    assert_eq!(tables.sites.len(), tables.points.iter().filter(|point| point.site.is_some()).count());
    for (index, site) in tables.sites.iter().enumerate() {
        let at = site.after.get() as usize;
        assert_eq!(image.text[at - SITE_BYTES as usize..at], SITE_NOP);
        assert_eq!(tables.point(site.point).site, Some(SiteId(index as u32)));
    }
    match tables.stop_stub {
        Some(stub) => {
            assert_eq!(tier, Tier::Debug);
            assert!(stub.get() >= end);
            assert_eq!(stub.get() + STUB_BYTES, text_len);
            assert_eq!(cell_of_stub(&image.text, stub.index()), text_len.next_multiple_of(PAGE_SIZE as u32));
        }
        None => assert_eq!(tier, Tier::Production),
    }
}
