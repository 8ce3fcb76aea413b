//! Who owns machine code, and where it is: code addresses are made here alone. [`EngineCode`] is a module's image,
//! shared by an engine's stores: it speaks offsets and metadata, and no address ever comes out of it. [`StoreCode`] is
//! the same code in one store, and the only maker of addresses; only its private form can be patched. A store's
//! [`CodeRegistry`] owns the pairs of both, together with the [`PatchPlan`](plan::PatchPlan): what should be patched,
//! as plain data, which an edit reconciles with what is. [`FixedCode`] is what belongs to no module and is never
//! patched. Nothing here knows what a stop means, what a module is, or when patching is wanted.
//!
//! # Rules
//!
//! * No method of `EngineCode` returns a [`Pc`](crate::base::Pc) or a pointer. Its text comes out as a copy, to be
//!   written to a file.
//! * An engine whose stores are all private never maps its text executable.
//! * `CodeRegistry::register` is the one place where sharing or a private copy is decided.
//! * A private text belongs to one store; patching it takes `&mut` of that store's registry, so that no guest of it
//!   runs. One thing alone is done to it while guests run: [`Pauser`] puts the step image in its place.
//! * A function can go on in code of its own from its first instruction on: a *detour*, which the plan has as it has
//!   armed sites.
//! * Frames of a shared text that are to call a private one go on in a copy of theirs, [`ForwardingText`], whose
//!   functions all begin with a jump there. It is made so, and never patched.
//! * No page is writable and executable at once.
//! * After a failed edit, plan and code are as they were, or the registry says that nothing may run any more. How an
//!   edit goes is told in `edit.rs`, with an example.

mod detours;
mod edit;
mod engine;
mod fixed;
mod forward;
mod pause;
mod plan;
mod private;
mod registry;

pub use edit::PatchEdit;
pub use engine::{EngineCode, EngineCodeId, Registration};
pub use fixed::FixedCode;
pub use forward::ForwardingText;
pub use pause::Pauser;
pub use plan::StepScope;
pub use registry::{CodeRegistry, CodeSlot, LoadedCode, Ownership, StoreCode, TextBase, broken};
