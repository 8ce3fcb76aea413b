//! What debug information says: lines, functions, scopes, variables, types, values. It reads a module's DWARF (and the
//! name section, where there is none), and a stopped guest through a trait; it sets no breakpoint, knows no store, and
//! writes nothing.
//!
//! [`SourceMap`] has what is kept of a module: where the lines are ([`places_of`](SourceMap::places_of),
//! [`locations`](SourceMap::locations), [`line_table`](SourceMap::line_table)). [`Inspector`] answers what is asked at
//! a stop, and finds functions by their names:
//!
//! ```no_run
//! use stepwell::debug::{Action, Debugger, Expression};
//! use stepwell::dwarf::{Context, FrameReader, Scalar};
//! # type Reader = dyn Fn(&stepwell::debug::Frame<'_>) -> Box<dyn FrameReader> + Send + Sync;
//! # fn show(store: &mut stepwell::Store, module: stepwell::Module, reader: Box<Reader>) -> stepwell::Result<()> {
//! let stop_at = module.functions_named("area")?[0].offset; // `geo::Shape::area`, behind its prologue
//! let known = module.clone();
//! let debugger = Debugger::attach(store, move |stop| {
//!     let Some(frame) = stop.frame(0) else { return Action::Continue };
//!     let reader = reader(&frame); // locals, globals, operands and memory of the frame
//!     let inspector = known.inspector();
//!     for function in inspector.frames(frame.offset()) {
//!         let at = Context { frame: Some(&function), reader: &*reader };
//!         for variable in inspector.variables(&function).unwrap_or_default() {
//!             let Ok(value) = inspector.value(&variable, &at) else { continue };
//!             println!("{} {} = {}", inspector.type_name(&value), variable.name(), inspector.summary(&value, &at));
//!         }
//!         if let Ok(value) = Expression::new("this->corner.x").and_then(|text| text.value(&inspector, &at)) {
//!             println!("{:?}", inspector.assign(&value, Scalar::Signed(7), &at)); // what to write where
//!         }
//!     }
//!     Action::Continue
//! })?;
//! debugger.break_at(store, &module, stop_at)?;
//! # Ok(())
//! # }
//! ```
//!
//! Nobody has validated debug information: whatever it says, each question ends, within work in proportion to the
//! sections' size, and with an error where it cannot be answered. Three kinds of numbers are three types: offsets in
//! the module ([`WasmOffset`](crate::base::WasmOffset)), addresses of code as DWARF counts them, which stay inside, and
//! addresses in linear memory ([`MemoryAddress`]).

mod expression;
mod frame;
mod inspect;
mod lines;
mod map;
mod names;
mod names_of_unit;
mod places;
mod scopes;
mod show;
mod split;
mod steps;
mod types;
mod unit;
mod value;

pub use self::frame::{Context, FrameReader, MemoryAddress, Missing, SourceFrame, Storage, WasmValue, Write};
pub use self::inspect::Inspector;
pub(crate) use self::lines::{FunctionLines, RowLine, RowScope};
pub use self::map::{Location, SourceMap};
pub use self::places::{FunctionInfo, FunctionPlace, LinePlace, LinePlaces};
pub use self::scopes::{Variable, VariableKind};
pub use self::split::SplitFile;
pub(crate) use self::steps::NumberType;
pub use self::unit::LineRow;
pub use self::value::{Child, Scalar, Value, ValueKind};
