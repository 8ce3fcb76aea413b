//! Whether the tables of an image that came from outside say what look-ups and patching rely on.

use super::{CodeImage, ImageTables, Place, ShapeId, Tier};
use crate::base::{Error, ErrorKind, Result, TextOffset, WORD_BYTES};
use crate::isa::{FRAME_HEAD, SITE_BYTES, SITE_NOP};

/// More bytes of arguments than any call has.
const MAX_ARGUMENTS: u32 = 1 << 16;

/// Checks a row of a table, and what of the row before it matters.
macro_rules! ensure {
    ($what:expr, $row:expr, $holds:expr) => {
        if !$holds {
            return Err(damaged(format_args!("row {} of {}", $row, $what)));
        }
    };
}

/// The error for an image that says what none does.
#[cold]
pub(super) fn damaged(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidModule, format!("the serialized module is damaged ({what}); compile the module again"))
}

impl CodeImage {
    /// Checks every order, range and index that look-ups in the tables and patching the text rely on. What the code
    /// does is not, and cannot be, checked: an image is as trusted as the compiler that made it.
    pub fn validate(&self) -> Result<()> {
        self.tables.validate(&self.text)
    }
}

impl ImageTables {
    /// As [`CodeImage::validate`], with the text these tables are of.
    pub(super) fn validate(&self, text: &[u8]) -> Result<()> {
        let tables = self;
        let text_len = u32::try_from(text.len())
            .ok()
            .filter(|len| *len <= i32::MAX as u32)
            .ok_or_else(|| damaged("a text beyond 2 GiB"))?;
        if tables.stop_stub.is_some_and(|stub| stub.get() >= text_len) {
            return Err(damaged("the stop stub lies outside the text"));
        }
        if tables.regions && tables.tier != Tier::Debug {
            return Err(damaged("regions outside the debug tier"));
        }
        self.validate_functions(text_len)?;
        let mut before = None;
        for (i, trap) in tables.traps.iter().enumerate() {
            ensure!("traps", i, before < Some(trap.at) && trap.at.get() < text_len);
            before = Some(trap.at);
        }
        let mut before = None;
        for (i, call) in tables.calls.iter().enumerate() {
            ensure!("calls", i, before < Some(call.last) && call.last.get() < text_len);
            before = Some(call.last);
        }
        let mut before = None;
        for (i, handler) in tables.handlers.iter().enumerate() {
            // What lands is in the function that calls.
            let func = handler.after.get().checked_sub(1).and_then(|last| tables.function_at(TextOffset::new(last)));
            let lands = func.is_some() && tables.function_at(handler.landing) == func;
            let function = func.and_then(|func| tables.function(func));
            let framed = function.is_some_and(|function| function.frame_size >= FRAME_HEAD);
            let known = handler.tag.is_none() || function.is_some_and(|function| function.vmctx.is_some());
            ensure!("handlers", i, before <= Some(handler.after) && lands && framed && known);
            before = Some(handler.after);
        }
        let mut before = None;
        for (i, row) in tables.safepoints.iter().enumerate() {
            // What is said to be in a frame is.
            let func = row.after.get().checked_sub(1).and_then(|last| tables.function_at(TextOffset::new(last)));
            let function = func.and_then(|func| tables.function(func));
            let inside = function.is_some_and(|function| {
                let first = i64::from(function.references_at);
                let end = first + (i64::from(row.any) + i64::from(row.external)) * i64::from(WORD_BYTES);
                first >= -i64::from(function.frame_size) && end <= 0
            });
            ensure!("safepoints", i, before < Some(row.after) && inside);
            before = Some(row.after);
        }
        let mut before = None;
        for (i, entry) in tables.addresses.iter().enumerate() {
            ensure!("addresses", i, before <= Some(entry.text) && entry.text.get() <= text_len);
            before = Some(entry.text);
        }
        for (i, shape) in tables.shapes.iter().enumerate() {
            ensure!("shapes", i, shape.below == ShapeId::EMPTY || (shape.below.0 as usize) < i);
        }
        self.validate_sites(text)
    }

    fn validate_functions(&self, text_len: u32) -> Result<()> {
        let ImageTables { first, functions, locals, points, .. } = self;
        if functions.len() as u64 + u64::from(first.get()) > u64::from(u32::MAX) {
            return Err(damaged(format_args!("function {first} and {} more", functions.len())));
        }
        let mut free_from = 0;
        for (i, function) in functions.iter().enumerate() {
            let end = function.start.get().checked_add(function.len).filter(|end| *end <= text_len);
            ensure!("functions", i, function.start.get() >= free_from && end.is_some());
            free_from = end.unwrap_or(text_len);
            let within = |(start, end): (u32, u32), len: usize| start <= end && end as usize <= len;
            ensure!("functions", i, within(function.locals, locals.len()) && within(function.points, points.len()));
            ensure!("functions", i, function.kept <= function.locals.1 - function.locals.0);
            let keeps_instance = !matches!(function.vmctx, Some(Place::Constant(_)));
            ensure!("functions", i, keeps_instance && function.saved.bytes() <= function.frame_size);
            ensure!("functions", i, function.arguments <= MAX_ARGUMENTS);
        }
        Ok(())
    }

    fn validate_sites(&self, text: &[u8]) -> Result<()> {
        let ImageTables { shapes, sites, points, stop_stub, .. } = self;
        if !sites.is_empty() && stop_stub.is_none() {
            return Err(damaged("stop sites without a stop stub"));
        }
        let mut free_from = 0;
        for (i, site) in sites.iter().enumerate() {
            let after = site.after.get();
            let start =
                after.checked_sub(SITE_BYTES).filter(|start| *start >= free_from && after as usize <= text.len());
            let is_nop = start.is_some_and(|start| text[start as usize..after as usize] == SITE_NOP);
            ensure!("sites", i, is_nop && (site.point.0 as usize) < points.len());
            free_from = after;
        }
        let mut before = None;
        for (i, point) in points.iter().enumerate() {
            let rises = before < Some(point.wasm);
            before = Some(point.wasm);
            let shape = match point.shape {
                ShapeId::EMPTY => true,
                ShapeId::SIDE => point.site.is_some(),
                shape => (shape.0 as usize) < shapes.len(),
            };
            let site = point.site.is_none_or(|site| (site.0 as usize) < sites.len());
            ensure!("points", i, rises && shape && site);
        }
        Ok(())
    }
}
