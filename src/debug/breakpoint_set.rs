//! Breakpoints that are prepared once and set in many stores: what names and lines mean is looked up here, so that a
//! store has only to patch its code.

use super::breakpoint::BreakRequest;
use super::places::{Target, targets};
use crate::base::{Error, ErrorKind, Result};

/// Breakpoints with their places in their modules: see [`Debugger::break_at_set`](super::Debugger::break_at_set).
///
/// ```
/// # use stepwell::debug::{Action, BreakRequest, BreakpointSet, Debugger};
/// # use stepwell::runtime::{Config, Engine, Instance, Module, Store};
/// let engine = Engine::new(Config { debug: true, ..Config::default() })?;
/// let module = Module::new(&engine, &wat::parse_str(r#"(module (func (export "f")))"#).unwrap())?;
/// let mut set = BreakpointSet::new();
/// set.add(BreakRequest::function(&module, "f"))?;
/// for _ in 0..3 {
///     let mut store = Store::new(&engine);
///     Instance::new(&mut store, &module, &[])?;
///     let debugger = Debugger::attach(&mut store, |_| Action::Continue)?;
///     assert_eq!(debugger.break_at_set(&mut store, &set)?.len(), 1);
/// }
/// # Ok::<(), stepwell::base::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct BreakpointSet {
    entries: Vec<(BreakRequest, Vec<Target>)>,
}

impl BreakpointSet {
    /// An empty set.
    pub fn new() -> BreakpointSet {
        BreakpointSet::default()
    }

    /// Adds a breakpoint, and looks up where it stands. The module's debug code is compiled for that, if it is not yet.
    ///
    /// # Errors
    /// [`ErrorKind::Argument`] for a request without a module, and where the module has no such place, as of
    /// [`Debugger::break_at`](super::Debugger::break_at) and its like; those of compiling. Nothing is added then.
    pub fn add(&mut self, request: BreakRequest) -> Result<()> {
        let Some(module) = &request.module else {
            let message = "a breakpoint for any module has no places yet that could be prepared; give its module";
            return Err(Error::new(ErrorKind::Argument, message));
        };
        let places = targets(module, &request.target)?;
        self.entries.push((request, places));
        Ok(())
    }

    /// How many breakpoints it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The breakpoints, with their places.
    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = (&BreakRequest, Option<&[Target]>)> {
        self.entries.iter().map(|(request, places)| (request, Some(&places[..])))
    }
}
