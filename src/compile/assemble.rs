//! Lays compiled functions out as one text, fills in the distances between them, and joins their tables.

use super::env::Env;
use super::function::{CompiledFunction, FunctionPoint, fill_distance, too_large};
use super::internal;
use crate::abi::TrapCode;
use crate::base::{DefinedFuncIndex, Result, SlotLayout, TagIndex, TextOffset, WasmOffset};
use crate::image::{
    AddressEntry, Call, CodeImage, FunctionEntry, Handler, ImageTables, Packed, Point, PointId, Safepoint, Shape,
    ShapeId, Shapes, Site, SiteId, Tier, Trap,
};
use crate::isa::{FILL, FUNCTION_ALIGN, MAX_DISTANCE, PAGE_SIZE, STUB_BYTES, stop_stub};

/// The most bytes of a text: every call in it reaches, and the stop stub the cell page that comes behind.
const MAX_TEXT: u64 = MAX_DISTANCE as u64 - 2 * PAGE_SIZE as u64;

/// The image of these functions, the first of which is `first`. They call no others directly.
pub(super) fn image(env: &Env<'_>, first: DefinedFuncIndex, functions: Vec<CompiledFunction>) -> Result<CodeImage> {
    let starts = lay_out(env, &functions)?;
    let text_len = starts.last().zip(functions.last()).map_or(0, |(start, last)| *start as usize + last.code.len());
    let mut text = Vec::with_capacity(text_len + (FUNCTION_ALIGN + STUB_BYTES) as usize);
    let mut tables = ImageTables {
        tier: env.tier,
        regions: env.mode.has_regions(),
        first,
        functions: Vec::with_capacity(functions.len()),
        traps: Packed::new(),
        addresses: Packed::new(),
        calls: Packed::new(),
        handlers: Packed::new(),
        safepoints: Packed::new(),
        locals: SlotLayout::new(),
        shapes: Shapes::new(),
        sites: Packed::new(),
        points: Packed::new(),
        stop_stub: None,
    };
    for (start, function) in starts.iter().zip(&functions) {
        text.resize(*start as usize, FILL);
        text.extend(&function.code);
        if env.tier == Tier::Production {
            // What is behind a function belongs to no instruction, unless the next one starts right there.
            let end = tables.functions.last().map(|last| last.start.add(last.len));
            tables
                .addresses
                .extend(end.filter(|end| end.get() != *start).map(|text| AddressEntry { text, wasm: None }));
        }
        add_tables(&mut tables, *start, function).ok_or_else(|| too_large(env.tier))?;
    }
    if env.tier == Tier::Production {
        let end = tables.functions.last().map(|last| last.start.add(last.len));
        tables.addresses.extend(end.map(|text| AddressEntry { text, wasm: None }));
    }
    tables.shrink_to_fit();
    for (start, function) in starts.iter().zip(&functions) {
        for (at, callee) in &function.calls {
            let callee = callee.index().checked_sub(first.index()).and_then(|callee| starts.get(callee));
            let callee = callee.ok_or_else(|| internal("a call of a function that is not there"))?;
            fill_distance(&mut text, start + at, *callee)?;
        }
    }
    if env.tier == Tier::Debug {
        tables.stop_stub = Some(add_stub(&mut text));
    }
    Ok(CodeImage { text, tables })
}

/// Where each function starts.
fn lay_out(env: &Env<'_>, functions: &[CompiledFunction]) -> Result<Vec<u32>> {
    let mut at = 0u64;
    let mut starts = Vec::with_capacity(functions.len());
    for function in functions {
        starts.push(at as u32);
        at = (at + function.code.len() as u64).next_multiple_of(u64::from(FUNCTION_ALIGN));
        if at > MAX_TEXT {
            return Err(too_large(env.tier));
        }
    }
    Ok(starts)
}

/// Adds the rows of a function that starts at `start`; `None` if there are too many.
fn add_tables(tables: &mut ImageTables, start: u32, function: &CompiledFunction) -> Option<()> {
    let text = |at: u32| TextOffset::new(start + at);
    let first_local = tables.locals.len() as u32;
    let first_point = tables.points.len() as u32;
    let first_shape = tables.shapes.len() as u32;
    let first_site = tables.sites.len() as u32;
    let rebase = |shape: ShapeId| match shape {
        ShapeId::EMPTY | ShapeId::SIDE => shape,
        shape => ShapeId(shape.0 + first_shape),
    };

    match tables.tier {
        Tier::Production => {
            let row = |(at, wasm): &(u32, Option<WasmOffset>)| AddressEntry { text: text(*at), wasm: *wasm };
            tables.addresses.extend(function.addresses.iter().map(row));
            tables.traps.extend(function.traps.iter().map(|(at, code)| Trap {
                at: text(*at),
                code: *code,
                wasm: None,
            }));
        }
        Tier::Debug => {
            let trap = |(at, code): &(u32, TrapCode)| Trap { at: text(*at), code: *code, wasm: function.wasm_at(*at) };
            tables.traps.extend(function.traps.iter().map(trap));
            let call = |last: &u32| Some(Call { last: text(*last), wasm: function.wasm_at(*last)? });
            tables.calls.extend(function.returns.iter().filter_map(call));
        }
    }
    let handler = |(after, tag, landing): &(u32, Option<TagIndex>, u32)| Handler {
        after: text(*after),
        tag: *tag,
        landing: text(*landing),
    };
    tables.handlers.extend(function.handlers.iter().map(handler));
    let references = function.references.iter();
    tables.safepoints.extend(references.map(|(after, any, external)| Safepoint {
        after: text(*after),
        any: *any,
        external: *external,
    }));
    tables.locals.extend(function.locals.all().types().iter().copied());
    for shape in &function.shapes {
        tables.shapes.push(Shape { below: rebase(shape.below), top: shape.top })?;
    }

    // Points are in the order of the instructions, sites in the order of the text.
    let after = |(point, row): (usize, &FunctionPoint)| Some((row.after?, point as u32));
    let mut by_text: Vec<(u32, u32)> = function.points.iter().enumerate().filter_map(after).collect();
    by_text.sort_unstable();
    let mut site_of = vec![None; function.points.len()];
    for (site, (after, point)) in by_text.into_iter().enumerate() {
        site_of[point as usize] = Some(SiteId(first_site + site as u32));
        tables.sites.push(Site { after: text(after), point: PointId(first_point + point) });
    }
    tables.points.extend(function.points.iter().zip(site_of).map(|(point, site)| Point {
        wasm: point.wasm,
        site,
        shape: rebase(point.shape),
    }));

    tables.functions.push(FunctionEntry {
        start: TextOffset::new(start),
        len: function.code.len() as u32,
        frame_size: function.frame_size,
        locals: (first_local, tables.locals.len() as u32),
        kept: function.kept,
        locals_at: function.locals_at,
        points: (first_point, tables.points.len() as u32),
        vmctx: function.vmctx,
        saved: function.saved,
        arguments: function.arguments,
        references_at: function.references_at,
    });
    Some(())
}

/// Ends the text with the stop stub, which finds the cell behind the text's last page.
fn add_stub(text: &mut Vec<u8>) -> TextOffset {
    text.resize(text.len().next_multiple_of(FUNCTION_ALIGN as usize), FILL);
    let stub = text.len() as u32;
    let cell = (stub + STUB_BYTES).next_multiple_of(PAGE_SIZE as u32);
    text.extend(stop_stub(cell - stub));
    TextOffset::new(stub)
}
