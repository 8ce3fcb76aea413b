//! Which instruction of a function can follow which without the guest: what replay can do, known from a walk over the
//! body, without compiling. It must agree with what `translate` makes of the same body; a test compares them.

use super::regions::RegionClasses;
use super::{internal, row};
use crate::base::{DefinedFuncIndex, Result, WasmOffset};
use crate::image::RegionGraph;
use crate::wasm::ModuleInfo;
use wasmparser::{BinaryReader, FunctionBody, Operator};

/// An open block.
#[derive(Default)]
struct Open {
    loops: bool,
    /// The instructions that lead to what follows it.
    from: Vec<u32>,
    /// The `if` whose `else` has not come yet.
    otherwise: Option<u32>,
    /// Whether anything leads behind it.
    followed: bool,
}

/// A walk over a body.
struct Walk {
    classes: RegionClasses,
    instructions: Vec<WasmOffset>,
    edges: Vec<(u32, u32)>,
    open: Vec<Open>,
    /// The instructions that lead to the next one.
    arriving: Vec<u32>,
    reachable: bool,
    /// Blocks opened since code became unreachable.
    skipped: u32,
}

/// The graph of a function.
pub(super) fn graph(info: &ModuleInfo, binary: &[u8], func: DefinedFuncIndex) -> Result<RegionGraph> {
    let range = info.bodies.get(func.index()).ok_or_else(|| internal("no such body"))?.bytes.clone();
    let start = range.start as u64;
    let bytes = binary.get(range).ok_or_else(|| internal("a body lies outside its binary"))?;
    let unreadable = |error| internal(format!("a validated body cannot be read: {error}"));
    let body = FunctionBody::new(BinaryReader::new(bytes, start));
    let mut reader = body.get_operators_reader().map_err(unreadable)?;
    let mut walk = Walk {
        classes: RegionClasses::new(),
        instructions: Vec::new(),
        edges: Vec::new(),
        open: vec![Open::default()],
        arriving: Vec::new(),
        reachable: true,
        skipped: 0,
    };
    while !reader.eof() {
        let (operator, at) = reader.read_with_offset().map_err(unreadable)?;
        walk.operator(&operator, WasmOffset::from_usize(at as usize))?;
    }
    walk.edges.sort_unstable();
    walk.edges.dedup();
    Ok(RegionGraph { instructions: walk.instructions, edges: walk.edges })
}

impl Walk {
    fn operator(&mut self, operator: &Operator<'_>, at: WasmOffset) -> Result<()> {
        if !self.reachable {
            return self.unreachable_operator(operator);
        }
        let here = self.instructions.len() as u32;
        self.instructions.push(at);
        self.edges.extend(self.arriving.drain(..).map(|from| (here, from)));
        let class = self.classes.next(row(operator)?);
        // Only the guest goes behind these, and into a loop.
        let mut falls = !class.ends_region();
        match operator {
            Operator::Block { .. } => self.open.push(Open::default()),
            Operator::Loop { .. } => {
                self.open.push(Open { loops: true, ..Open::default() });
                falls = false;
            }
            Operator::If { .. } => self.open.push(Open { otherwise: Some(here), ..Open::default() }),
            Operator::Else => {
                self.otherwise(Some(here))?;
                falls = false;
            }
            Operator::End => {
                self.close(Some(here))?;
                falls = false;
            }
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth, here)?;
                self.reachable = false;
            }
            Operator::BrIf { relative_depth } => self.branch(*relative_depth, here)?,
            Operator::BrTable { targets } => {
                for depth in targets.targets() {
                    self.branch(depth.map_err(internal)?, here)?;
                }
                self.branch(targets.default(), here)?;
                self.reachable = false;
            }
            Operator::Return | Operator::Unreachable => self.reachable = false,
            _ => {}
        }
        if falls && self.reachable {
            self.arriving.push(here);
        }
        Ok(())
    }

    fn unreachable_operator(&mut self, operator: &Operator<'_>) -> Result<()> {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => self.skipped += 1,
            Operator::End if self.skipped > 0 => self.skipped -= 1,
            Operator::Else if self.skipped == 0 => self.otherwise(None)?,
            Operator::End => self.close(None)?,
            _ => {}
        }
        Ok(())
    }

    fn branch(&mut self, depth: u32, from: u32) -> Result<()> {
        let outer = self.open.len().checked_sub(depth as usize + 1);
        let index = outer.ok_or_else(|| internal("a branch out of the function"))?;
        let target = &mut self.open[index];
        if !target.loops {
            target.followed = true;
            // Out of the function goes the guest alone.
            if index > 0 {
                target.from.push(from);
            }
        }
        Ok(())
    }

    /// An `else`, which `fallen` leads to.
    fn otherwise(&mut self, fallen: Option<u32>) -> Result<()> {
        let open = self.open.last_mut().ok_or_else(|| internal("no block is open"))?;
        open.followed |= fallen.is_some();
        open.from.extend(fallen);
        self.arriving.clear();
        self.arriving.extend(open.otherwise.take());
        self.reachable = true;
        Ok(())
    }

    /// An `end`, which `fallen` leads to.
    fn close(&mut self, fallen: Option<u32>) -> Result<()> {
        let open = self.open.pop().ok_or_else(|| internal("no block is open"))?;
        self.arriving = open.from;
        if !self.open.is_empty() {
            self.arriving.extend(fallen);
        }
        self.arriving.extend(open.otherwise);
        self.reachable = open.followed || fallen.is_some() || open.otherwise.is_some();
        Ok(())
    }
}
