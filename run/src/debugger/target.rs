//! What a command works on: a guest that stands, or a store in which none runs; and the frames that it shows, where
//! each function that the compiler has inlined is one.

use super::fault::{Fault, Outcome};
use stepwell::debug::{Debugger, Frame, Scope, Stop};
use stepwell::{AsStore, AsStoreMut, Location, Store, StoreMut, StoreRef, readable};

/// What a command works on.
pub enum Target<'a, 's> {
    /// Nothing runs.
    Idle(&'a mut Store, &'a Debugger),
    /// A guest stands.
    Stopped(&'a mut Stop<'s>),
}

impl AsStore for Target<'_, '_> {
    fn as_store(&self) -> StoreRef<'_> {
        match self {
            Target::Idle(store, _) => store.as_store(),
            Target::Stopped(stop) => stop.as_store(),
        }
    }
}

impl AsStoreMut for Target<'_, '_> {
    fn as_store_mut(&mut self) -> StoreMut<'_> {
        match self {
            Target::Idle(store, _) => store.as_store_mut(),
            Target::Stopped(stop) => stop.as_store_mut(),
        }
    }
}

impl<'s> Target<'_, 's> {
    /// The debugger of the store.
    pub fn debugger(&self) -> Debugger {
        match self {
            Target::Idle(_, debugger) => (*debugger).clone(),
            Target::Stopped(stop) => stop.debugger(),
        }
    }

    /// The stop.
    pub fn stop(&mut self) -> Outcome<&mut Stop<'s>> {
        match self {
            Target::Stopped(stop) => Ok(stop),
            Target::Idle(..) => Err(Fault::new("the program is not running: `run` starts it")),
        }
    }
}

/// A frame as it is shown: one of the guest, and one of the functions that are inlined where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Shown {
    /// The frame of the guest, 0 the innermost.
    pub frame: usize,
    /// The function of the source there: 0 the innermost.
    pub level: usize,
}

/// The frames that are shown, from the innermost on.
pub fn shown<'a>(stop: &'a Stop<'_>) -> impl Iterator<Item = Shown> + 'a {
    let count = stop.frame_count();
    (0..count).flat_map(|frame| {
        let levels = stop.frame(frame).map_or(1, |frame| frame.locations().len().max(1));
        (0..levels).map(move |level| Shown { frame, level })
    })
}

/// The place of a shown frame in the source.
pub fn place<'f>(frame: &Frame<'f>, at: Shown) -> Option<Location<'f>> {
    frame.locations().get(at.level).copied()
}

/// What a shown frame's function is called.
pub fn function_name(frame: &Frame<'_>, at: Shown) -> String {
    match (place(frame, at).and_then(|place| place.function()), frame.func_name()) {
        (Some(name), _) | (None, Some(name)) => readable(name),
        (None, None) => format!("<function {}>", frame.func()),
    }
}

/// The longest text of a parameter in a line about a frame.
const LONGEST: usize = 60;

/// Text that is not longer than that.
pub fn shortened(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// The parameters of a shown frame: names and values.
pub fn parameters(frame: &Frame<'_>, at: Shown) -> Vec<(String, String)> {
    let found = frame.variables(at.level, Scope::Parameters).unwrap_or_default();
    if !found.is_empty() || place(frame, at).is_some() {
        let text = |variable: &stepwell::debug::FrameVariable| match variable.text(frame) {
            Ok(text) => shortened(text),
            Err(error) => format!("<{}>", error.message()),
        };
        return found.iter().map(|variable| (variable.name().to_owned(), text(variable))).collect();
    }
    let count = frame.module().info().func_type(frame.func()).params.len();
    let values = frame.locals().into_iter().take(count).enumerate();
    values
        .map(|(index, value)| {
            let name = frame.local_name(stepwell::base::LocalIndex::new(index as u32));
            (name.map_or(format!("$local{index}"), readable), crate::values::text_of(&value))
        })
        .collect()
}
