//! A breakpoint as its user sees it: what was asked for, and the places where that came to stand. Plain data; nothing
//! here looks at a store.

use super::breakpoint_id::BreakpointId;
use super::condition::Condition;
use crate::base::{FuncIndex, WasmOffset};
use crate::runtime::{InstanceId, Module};

/// What a breakpoint is to stop at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakTarget {
    /// The instruction at this offset, or the next one of the same function that can be reached.
    Offset(WasmOffset),
    /// The first instruction of a function, imports counted; of one that is imported, which has no code here, each
    /// `call` and `return_call` of it in the module.
    FunctionIndex(FuncIndex),
    /// The first instruction of every function that a name means, inlined copies too: see
    /// [`Inspector::functions`](crate::dwarf::Inspector::functions). Of a name of an import alone, each call of it.
    Function(String),
    /// Every place of a line of the source, or of the next one that has code.
    Line {
        /// A path as the compiler knew it, or the end of one, whole names only.
        file: String,
        /// From 1.
        line: u32,
        /// Only what begins at this column, or at the next one of the line.
        column: Option<u32>,
    },
}

/// What is asked for as a breakpoint.
#[derive(Clone)]
pub struct BreakRequest {
    /// The module; without one every module of the store is meant, those too that come later.
    pub module: Option<Module>,
    /// Where.
    pub target: BreakTarget,
}

impl BreakRequest {
    /// An instruction of a module: see [`BreakTarget::Offset`].
    pub fn offset(module: &Module, offset: WasmOffset) -> BreakRequest {
        BreakRequest { module: Some(module.clone()), target: BreakTarget::Offset(offset) }
    }

    /// A function of a module by its index: see [`BreakTarget::FunctionIndex`].
    pub fn function_index(module: &Module, func: FuncIndex) -> BreakRequest {
        BreakRequest { module: Some(module.clone()), target: BreakTarget::FunctionIndex(func) }
    }

    /// Functions by a name, in a module or in any: see [`BreakTarget::Function`].
    pub fn function<'m>(module: impl Into<Option<&'m Module>>, name: &str) -> BreakRequest {
        BreakRequest { module: module.into().cloned(), target: BreakTarget::Function(name.to_owned()) }
    }

    /// A line of the source, in a module or in any: see [`BreakTarget::Line`].
    pub fn line<'m>(module: impl Into<Option<&'m Module>>, file: &str, line: u32, column: Option<u32>) -> BreakRequest {
        let target = BreakTarget::Line { file: file.to_owned(), line, column };
        BreakRequest { module: module.into().cloned(), target }
    }
}

/// An instruction at which a breakpoint stands.
#[derive(Clone)]
pub struct BreakPlace {
    /// The module it is in.
    pub module: Module,
    /// The function it is in, imports counted.
    pub func: FuncIndex,
    /// The instruction.
    pub offset: WasmOffset,
}

impl BreakPlace {
    /// The line of the source that it is at, where that is known.
    pub fn line(&self) -> Option<u32> {
        self.module.locations(self.offset).first().map(|location| location.line()).filter(|line| *line > 0)
    }
}

/// What a breakpoint has that can be changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BreakOptions {
    /// Whether it stops anything. One that is not enabled arms nothing, and costs nothing.
    pub enabled: bool,
    /// How many times it is passed before it stops: it counts down, once each time that the breakpoint is come to and
    /// its condition holds.
    pub ignore: u64,
    /// Whether it is removed the first time that it stops, before the callback is called.
    pub one_shot: bool,
    /// What must hold.
    pub condition: Option<Condition>,
    /// The one instance whose frames it stops. It is not kept alive by that: once it is collected, the breakpoint stops
    /// nothing.
    pub instance: Option<InstanceId>,
}

impl Default for BreakOptions {
    fn default() -> Self {
        BreakOptions { enabled: true, ignore: 0, one_shot: false, condition: None, instance: None }
    }
}

/// A breakpoint as it was when it was asked for.
#[derive(Clone)]
pub struct Breakpoint {
    /// Its name.
    pub id: BreakpointId,
    /// What was asked for.
    pub request: BreakRequest,
    /// Where it stands: of one module ascending, the modules in the order in which they came. None yet where it is for
    /// any module, and none has had such a place so far.
    pub places: Vec<BreakPlace>,
    /// What else it has.
    pub options: BreakOptions,
    /// How often it was come to while its condition held, those times counted that were ignored.
    pub hits: u64,
}

impl Breakpoint {
    /// Where it stands first.
    pub fn offset(&self) -> Option<WasmOffset> {
        self.places.first().map(|place| place.offset)
    }

    /// The function it stands in first.
    pub fn func(&self) -> Option<FuncIndex> {
        self.places.first().map(|place| place.func)
    }

    /// The line of the source that it really is at, where it stands first: without code for the line that was asked
    /// for, the next one that has some.
    pub fn line(&self) -> Option<u32> {
        self.places.first().and_then(BreakPlace::line)
    }
}
