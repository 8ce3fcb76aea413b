//! `stepwell_variable_t`: variables of the source in a frame of a stop, as objects.
//!
//! A variable is owned, and has the number of its frame: each question looks that up among the stops that are live, so
//! one that is left over is an error. All variables of a scope together are one as well, with them as its children:
//! so a list of thousands is made once and read page by page.

use super::plumbing::guard::{or_error, or_null, or_value};
use super::plumbing::handles::{stepwell_error_t, stepwell_frame_t, stepwell_variable_t};
use super::plumbing::own::{Out, Own, borrow, handle, null, string};
use super::stop::{with_frame, with_frame_of, with_frame_of_to_change, with_frame_to_call};
use super::trap::wasm_message_t;
use super::vecs::wasm_byte_vec_t;
use crate::base::{Error, ErrorKind, NulText, Result};
use crate::debug::{EvaluateOptions, Frame, FrameVariable, Scope, Stop};
use crate::dwarf::{Missing, Scalar, ValueKind, VariableKind};
use std::ffi::c_char;
use std::sync::Arc;

handle!(stepwell_variable_t => VariableObject);

/// Which variables of a frame, one of `enum stepwell_scope_enum`.
pub type stepwell_scope_t = i32;

/// Which variables of a frame, or which of them a variable is one of.
#[repr(C)]
pub enum stepwell_scope_enum {
    /// The function's parameters.
    STEPWELL_SCOPE_PARAMETERS = 1,
    /// The variables of the blocks around the instruction: those of the innermost block first, of one block in the
    /// order of the source. Static variables of those blocks are among them.
    STEPWELL_SCOPE_LOCALS = 2,
    /// The static variables of the function's unit, which in C and C++ is its file with all that it includes.
    STEPWELL_SCOPE_STATICS = 3,
    /// The static variables of the whole module.
    STEPWELL_SCOPE_MODULE = 4,
}

/// What a variable is made of, one of `enum stepwell_variable_enum`.
pub type stepwell_variable_kind_t = i32;

/// What a variable is made of. More may come.
#[repr(C)]
pub enum stepwell_variable_enum {
    /// An integer, a truth value, a letter or a floating-point number.
    STEPWELL_VARIABLE_NUMBER = 1,
    /// An address of something, which is its child.
    STEPWELL_VARIABLE_POINTER = 2,
    /// The same, but the source takes it for what it points to.
    STEPWELL_VARIABLE_REFERENCE = 3,
    /// Members: a structure, a class, what has variants.
    STEPWELL_VARIABLE_STRUCTURE = 4,
    /// Members that share their place.
    STEPWELL_VARIABLE_UNION = 5,
    /// Elements of one type.
    STEPWELL_VARIABLE_ARRAY = 6,
    /// A number with names.
    STEPWELL_VARIABLE_ENUMERATION = 7,
    /// Something that has no parts to be shown: code, `void`, a pointer to a member.
    STEPWELL_VARIABLE_OPAQUE = 8,
    /// No value: the variables of a scope.
    STEPWELL_VARIABLE_SCOPE = 9,
}

/// What a number is, one of `enum stepwell_number_enum`.
pub type stepwell_number_kind_t = i32;

/// What a number is.
#[repr(C)]
pub enum stepwell_number_enum {
    /// An integer that may be negative.
    STEPWELL_NUMBER_SIGNED = 1,
    /// An integer that may not; an address.
    STEPWELL_NUMBER_UNSIGNED = 2,
    /// A floating-point number.
    STEPWELL_NUMBER_FLOAT = 3,
    /// A truth value.
    STEPWELL_NUMBER_BOOL = 4,
    /// A letter, as its number in Unicode. C's `char` is an integer.
    STEPWELL_NUMBER_CHAR = 5,
}

/// A number of a variable.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct stepwell_number_t {
    /// What it is.
    pub kind: stepwell_number_kind_t,
    /// Of an integer, a truth value or a letter the lower 64 bits; 0 of a floating-point number.
    pub low: u64,
    /// The upper 64 bits: of a negative number all set, unless it has more than 64.
    pub high: u64,
    /// A floating-point number; of the others the one that is nearest.
    pub real: f64,
}

/// What stands behind [`stepwell_variable_t`].
pub(super) struct VariableObject {
    /// The number of the frame that it was found in, never followed.
    frame: usize,
    name: NulText,
    kind: Kind,
}

enum Kind {
    Variable(FrameVariable),
    Scope(stepwell_scope_t, Arc<[FrameVariable]>),
}

impl VariableObject {
    fn new(frame: *const stepwell_frame_t, variable: FrameVariable) -> VariableObject {
        VariableObject { frame: frame.addr(), name: NulText::new(variable.name()), kind: Kind::Variable(variable) }
    }

    fn frame(&self) -> *const stepwell_frame_t {
        std::ptr::without_provenance(self.frame)
    }

    /// Asks something of a variable, and something else of a scope.
    fn ask<R>(
        &self,
        variable: impl FnOnce(&FrameVariable, &Frame<'_>) -> Result<R>,
        scope: impl FnOnce(&[FrameVariable]) -> Result<R>,
    ) -> Result<R> {
        with_frame_of("variable", self.frame(), |_, frame| match &self.kind {
            Kind::Variable(known) => variable(known, frame),
            Kind::Scope(_, list) => scope(list),
        })
    }

    /// Does something with its stop, the number of its frame, and the variable, which is no scope.
    fn change<R>(&self, change: impl FnOnce(&mut Stop<'_>, usize, &FrameVariable) -> Result<R>) -> Result<R> {
        with_frame_of_to_change("variable", self.frame(), |_, stop, number| match &self.kind {
            Kind::Variable(known) => change(stop, number, known),
            Kind::Scope(_, list) => no_value(list),
        })
    }
}

/// Does something with the stop that a variable is of, the number of its frame, and the variable.
///
/// # Safety
/// The pointer is NULL or live.
pub(super) unsafe fn with_to_change<R>(
    variable: *const stepwell_variable_t,
    change: impl FnOnce(&mut Stop<'_>, usize, &FrameVariable) -> Result<R>,
) -> Result<R> {
    // SAFETY: by the contract.
    unsafe { borrow(variable, "variable") }?.change(change)
}

/// What is said where only a value will do.
fn no_value<R>(_: &[FrameVariable]) -> Result<R> {
    Err(Error::new(ErrorKind::Argument, "`variable` is a scope, which has no value; ask one of its children"))
}

/// Finds the variables of a scope in a frame, as one variable whose children they are, and writes it to `out`. Where
/// functions are inlined at the frame's instruction, `level` says of which: 0 is the innermost, as by
/// `stepwell_frame_source`. Without DWARF for the place there are no children. None of them is read yet: what cannot be
/// read tells so itself.
///
/// An error with `STEPWELL_ERROR_ARGUMENT` for a level or a scope that there is not, and where the DWARF is damaged.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_frame_variables(
    frame: *const stepwell_frame_t,
    level: usize,
    scope: stepwell_scope_t,
    out: Out<Own<stepwell_variable_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_frame_variables", || {
        let out = out.check("out")?;
        let object = with_frame(frame, |_, shown| {
            use stepwell_scope_enum as s;
            let (wanted, name) = match scope {
                _ if scope == s::STEPWELL_SCOPE_PARAMETERS as i32 => (Scope::Parameters, "parameters"),
                _ if scope == s::STEPWELL_SCOPE_LOCALS as i32 => (Scope::Locals, "locals"),
                _ if scope == s::STEPWELL_SCOPE_STATICS as i32 => (Scope::Statics, "statics"),
                _ if scope == s::STEPWELL_SCOPE_MODULE as i32 => (Scope::Module, "statics of the module"),
                _ => return Err(Error::new(ErrorKind::Argument, format!("`scope` is {scope}, which is no scope"))),
            };
            let list = shown.variables(level, wanted)?.into();
            Ok(VariableObject { frame: frame.addr(), name: NulText::new(name), kind: Kind::Scope(scope, list) })
        })?;
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(object)) };
        Ok(())
    })
}

/// Finds what an expression comes to, as `stepwell_frame_evaluate`, and writes it to `out`. `level` is as by
/// `stepwell_frame_variables`: names are those that this function of the source sees.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_frame_variable(
    frame: *const stepwell_frame_t,
    level: usize,
    path: *const c_char,
    out: Out<Own<stepwell_variable_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_frame_variable", || {
        let out = out.check("out")?;
        // SAFETY: C passes a C string or NULL.
        let path = unsafe { string(path, "path") }?;
        let found = with_frame(frame, |_, shown| shown.variable(level, path))?;
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(VariableObject::new(frame, found))) };
        Ok(())
    })
}

/// What an expression may do, of `enum stepwell_evaluate_enum`.
pub type stepwell_evaluate_flags_t = u32;

/// What an expression may do besides being computed.
#[repr(C)]
pub enum stepwell_evaluate_enum {
    /// Assign: `x = 3`, `$local0 += 1`, `i32[16] = x`.
    STEPWELL_EVALUATE_ASSIGN = 1,
    /// Call exports of the frame's instance: `name(1, 2.5)`.
    STEPWELL_EVALUATE_CALL = 2,
}

/// Evaluates an expression that may assign and call, as far as `flags` (of `enum stepwell_evaluate_enum`, or 0) allow
/// it, and writes what it comes to to `out`, as `stepwell_frame_variable`. What is assigned, and what calls have done,
/// stays where the expression fails behind that. A variable becomes what C makes of the number (`char c; c = 300` is
/// 44); `stepwell_frame_assign` refuses what does not fit. What is called may stop in turn; until it returns, this stop
/// and its frames cannot be used.
///
/// An error as of `stepwell_frame_evaluate`, with `STEPWELL_ERROR_ARGUMENT` for what is not allowed, where the instance
/// exports no such function or the arguments do not fit it, with `STEPWELL_ERROR_TRAP` where it trapped.
/// `stepwell_error_columns` tells where in the text.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_frame_expression(
    frame: *const stepwell_frame_t,
    level: usize,
    text: *const c_char,
    flags: stepwell_evaluate_flags_t,
    out: Out<Own<stepwell_variable_t>>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_frame_expression", || {
        let out = out.check("out")?;
        // SAFETY: C passes a C string or NULL. It is kept, as what is called may do with its own what it likes.
        let text = unsafe { string(text, "text") }?.to_owned();
        let (assign, call) = (
            stepwell_evaluate_enum::STEPWELL_EVALUATE_ASSIGN as u32,
            stepwell_evaluate_enum::STEPWELL_EVALUATE_CALL as u32,
        );
        if flags & !(assign | call) != 0 {
            return Err(Error::new(ErrorKind::Argument, format!("`flags` is {flags:#x}, which has unknown bits")));
        }
        let options = EvaluateOptions { level, assign: flags & assign != 0, call: flags & call != 0 };
        let found = with_frame_to_call(frame, |stop, number| stop.evaluate(number, &text, options))?;
        // SAFETY: `out` is C's.
        unsafe { out.write(Own::new(VariableObject::new(frame, found))) };
        Ok(())
    })
}

/// Deletes a variable, also when its stop is over. The guest's variable stays what it is. NULL does nothing.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_variable_delete(variable: Own<stepwell_variable_t>) {
    // SAFETY: C gives it back.
    unsafe { variable.delete("stepwell_variable_delete", "variable") }
}

/// A variable's name, as the source has it; of a static variable outside of functions with its namespaces. Of what is
/// inside of another: the member's name, the element's number as `[3]`, or `*` for what a pointer points to. What an
/// expression has come to has that, and a scope says what it is. `size_out` gets its length, unless it is NULL.
/// Borrowed: valid as long as the variable, also when the stop is over.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_variable_name(
    variable: *const stepwell_variable_t,
    size_out: *mut usize,
) -> *const c_char {
    or_null("stepwell_variable_name", || {
        // SAFETY: C passes a live variable or NULL.
        let object = unsafe { borrow(variable, "variable") }?;
        if let Some(out) = Out::plain(size_out).optional() {
            // SAFETY: `size_out` is C's.
            unsafe { out.write(object.name.text().len()) };
        }
        Ok(object.name.as_ptr())
    })
}

/// Which variables it is one of, one of `enum stepwell_scope_enum`: static variables of blocks and those outside of
/// functions are `STEPWELL_SCOPE_STATICS`. 0 for what is inside of another variable, or what an expression has come to;
/// of a scope, itself.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_variable_scope(variable: *const stepwell_variable_t) -> stepwell_scope_t {
    or_value("stepwell_variable_scope", 0, || {
        // SAFETY: C passes a live variable or NULL.
        Ok(match &unsafe { borrow(variable, "variable") }?.kind {
            Kind::Scope(scope, _) => *scope,
            Kind::Variable(known) => known.variable_kind().map_or(0, |kind| match kind {
                VariableKind::Parameter => stepwell_scope_enum::STEPWELL_SCOPE_PARAMETERS as i32,
                VariableKind::Local => stepwell_scope_enum::STEPWELL_SCOPE_LOCALS as i32,
                VariableKind::Static => stepwell_scope_enum::STEPWELL_SCOPE_STATICS as i32,
            }),
        })
    })
}

/// The line that a variable is declared in, from 1; 0 where that is not known, and for what is inside of a variable.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_variable_line(variable: *const stepwell_variable_t) -> u32 {
    or_value("stepwell_variable_line", 0, || {
        // SAFETY: C passes a live variable or NULL.
        Ok(match &unsafe { borrow(variable, "variable") }?.kind {
            Kind::Variable(known) => known.line(),
            Kind::Scope(..) => 0,
        })
    })
}

/// How many blocks of its function a variable is inside of: 0 for parameters, for those of the function's own block,
/// and for what is in no function.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_variable_depth(variable: *const stepwell_variable_t) -> u32 {
    or_value("stepwell_variable_depth", 0, || {
        // SAFETY: C passes a live variable or NULL.
        Ok(match &unsafe { borrow(variable, "variable") }?.kind {
            Kind::Variable(known) => known.depth(),
            Kind::Scope(..) => 0,
        })
    })
}

/// Whether the source means another variable by its name at the frame's instruction, one of a block further in.
///
/// Thread: any.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_variable_is_shadowed(variable: *const stepwell_variable_t) -> bool {
    or_null("stepwell_variable_is_shadowed", || {
        // SAFETY: C passes a live variable or NULL.
        Ok(match &unsafe { borrow(variable, "variable") }?.kind {
            Kind::Variable(known) => known.is_shadowed(),
            Kind::Scope(..) => false,
        })
    })
}

/// Writes the name of a variable's type to `out`, as the source has it: NUL-terminated (the NUL is counted), and the
/// caller's. Of a scope, nothing but the NUL.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_variable_type_name(
    variable: *const stepwell_variable_t,
    out: Out<wasm_message_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_variable_type_name", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live variable or NULL.
        let name = unsafe { borrow(variable, "variable") }?.ask(FrameVariable::type_name, |_| Ok(String::new()))?;
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_byte_vec_t::text_nul(&name)) };
        Ok(())
    })
}

/// Writes a variable's value to `out` in one line, with what is inside of it as far as there is room: `{x = 1, y = 2}`,
/// `0x400 "hello"`, `BLUE`. What is missing, or cannot be read, is said there. NUL-terminated (the NUL is counted), and
/// the caller's. Of a scope, nothing but the NUL.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_variable_text(
    variable: *const stepwell_variable_t,
    out: Out<wasm_message_t>,
) -> Own<stepwell_error_t> {
    or_error("stepwell_variable_text", || {
        let out = out.check("out")?;
        // SAFETY: C passes a live variable or NULL.
        let text = unsafe { borrow(variable, "variable") }?.ask(FrameVariable::text, |_| Ok(String::new()))?;
        // SAFETY: `out` is C's.
        unsafe { out.write(wasm_byte_vec_t::text_nul(&text)) };
        Ok(())
    })
}

/// What a variable is made of, one of `enum stepwell_variable_enum`; 0 if the stop is over, or if the DWARF is damaged
/// there (`stepwell_last_error()` says which).
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_variable_kind(variable: *const stepwell_variable_t) -> stepwell_variable_kind_t {
    or_value("stepwell_variable_kind", 0, || {
        use stepwell_variable_enum as v;
        // SAFETY: C passes a live variable or NULL.
        let kind =
            unsafe { borrow(variable, "variable") }?.ask(|known, frame| known.kind(frame).map(Some), |_| Ok(None))?;
        Ok(match kind {
            Some(ValueKind::Number) => v::STEPWELL_VARIABLE_NUMBER,
            Some(ValueKind::Pointer) => v::STEPWELL_VARIABLE_POINTER,
            Some(ValueKind::Reference) => v::STEPWELL_VARIABLE_REFERENCE,
            Some(ValueKind::Structure) => v::STEPWELL_VARIABLE_STRUCTURE,
            Some(ValueKind::Union) => v::STEPWELL_VARIABLE_UNION,
            Some(ValueKind::Array) => v::STEPWELL_VARIABLE_ARRAY,
            Some(ValueKind::Enumeration) => v::STEPWELL_VARIABLE_ENUMERATION,
            Some(ValueKind::Opaque) => v::STEPWELL_VARIABLE_OPAQUE,
            None => v::STEPWELL_VARIABLE_SCOPE,
        } as i32)
    })
}

/// Writes the number that a variable is, or that stands for it, to `out`: of a pointer the address, of an enumeration
/// the number. An error for what is no number, for what is missing, and for what is in memory that is not there.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_variable_number(
    variable: *const stepwell_variable_t,
    out: *mut stepwell_number_t,
) -> Own<stepwell_error_t> {
    or_error("stepwell_variable_number", || {
        use stepwell_number_enum as n;
        let out = Out::plain(out).check("out")?;
        // SAFETY: C passes a live variable or NULL.
        let number = unsafe { borrow(variable, "variable") }?.ask(FrameVariable::number, no_value)?;
        let (kind, bits, real) = match number {
            Scalar::Signed(number) => (n::STEPWELL_NUMBER_SIGNED, number as u128, number as f64),
            Scalar::Unsigned(number) => (n::STEPWELL_NUMBER_UNSIGNED, number, number as f64),
            Scalar::Float(number) => (n::STEPWELL_NUMBER_FLOAT, 0, number),
            Scalar::Bool(yes) => (n::STEPWELL_NUMBER_BOOL, yes.into(), u8::from(yes).into()),
            Scalar::Char(letter) => (n::STEPWELL_NUMBER_CHAR, letter.into(), letter.into()),
        };
        let (low, high) = (bits as u64, (bits >> 64) as u64);
        // SAFETY: `out` is C's.
        unsafe { out.write(stepwell_number_t { kind: kind as i32, low, high, real }) };
        Ok(())
    })
}

/// Writes where a variable begins in the first memory of its frame's instance to `out`. False, and nothing written, for
/// what is not there: what is in a local, a global or an operand, bit fields, what is computed, missing or a scope.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_variable_address(variable: *const stepwell_variable_t, out: *mut u64) -> bool {
    or_null("stepwell_variable_address", || {
        let out = Out::plain(out).check("out")?;
        // SAFETY: C passes a live variable or NULL.
        let address = unsafe { borrow(variable, "variable") }?.ask(FrameVariable::address, |_| Ok(None))?;
        let Some(address) = address else { return Ok(false) };
        // SAFETY: `out` is C's.
        unsafe { out.write(address.get()) };
        Ok(true)
    })
}

/// Writes how many bytes a variable takes to `out`: by its type, wherever it is. Of a scope 0.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_variable_size(
    variable: *const stepwell_variable_t,
    out: *mut u64,
) -> Own<stepwell_error_t> {
    or_error("stepwell_variable_size", || {
        let out = Out::plain(out).check("out")?;
        // SAFETY: C passes a live variable or NULL.
        let size = unsafe { borrow(variable, "variable") }?.ask(FrameVariable::size, |_| Ok(0))?;
        // SAFETY: `out` is C's.
        unsafe { out.write(size) };
        Ok(())
    })
}

/// Why a variable has no value, in words, if the DWARF says that it is not there ("optimised out"); NULL if it is
/// there. The text is the library's.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stepwell_variable_missing(variable: *const stepwell_variable_t) -> *const c_char {
    or_null("stepwell_variable_missing", || {
        // SAFETY: C passes a live variable or NULL.
        let missing = unsafe { borrow(variable, "variable") }?.ask(FrameVariable::missing, |_| Ok(None))?;
        Ok(missing.map_or(std::ptr::null(), |why| missing_text(why).as_ptr()))
    })
}

/// A reason for C.
fn missing_text(why: Missing) -> &'static NulText {
    static TEXTS: std::sync::OnceLock<[NulText; 3]> = std::sync::OnceLock::new();
    let all = [Missing::LeftOut, Missing::NotHere, Missing::Unknown];
    let texts = TEXTS.get_or_init(|| all.map(|why| NulText::new(why.message())));
    match why {
        Missing::LeftOut => &texts[0],
        Missing::NotHere => &texts[1],
        Missing::Unknown => &texts[2],
    }
}

/// Writes how many variables are inside of one to `out`: members, elements, what a pointer points to, the variables of
/// a scope. What is missing has none.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_variable_child_count(
    variable: *const stepwell_variable_t,
    out: *mut u64,
) -> Own<stepwell_error_t> {
    or_error("stepwell_variable_child_count", || {
        let out = Out::plain(out).check("out")?;
        // SAFETY: C passes a live variable or NULL.
        let object = unsafe { borrow(variable, "variable") }?;
        let count = object.ask(FrameVariable::child_count, |list| Ok(list.len() as u64))?;
        // SAFETY: `out` is C's.
        unsafe { out.write(count) };
        Ok(())
    })
}

/// Writes variables that are inside of one to `out`, which has room for `capacity` of them: from the one with the
/// number `first` (from 0) on, as many as there are and as fit. `count_out` gets how many were written; each is the
/// caller's, and lives for as long as it likes. No others are looked at: an array of millions costs no more than its
/// page. With a `capacity` of 0, `out` may be NULL.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_variable_children(
    variable: *const stepwell_variable_t,
    first: u64,
    capacity: usize,
    out: Out<Own<stepwell_variable_t>>,
    count_out: *mut usize,
) -> Own<stepwell_error_t> {
    or_error("stepwell_variable_children", || {
        let count_out = Out::plain(count_out).check("count_out")?;
        if capacity > 0 && out.is_null() {
            return Err(null("out"));
        }
        // SAFETY: C passes a live variable or NULL.
        let object = unsafe { borrow(variable, "variable") }?;
        let range = first..first.saturating_add(capacity as u64);
        let children = object.ask(
            |known, frame| known.children(frame, range),
            |list| {
                let list = list.get(usize::try_from(first).unwrap_or(usize::MAX)..).unwrap_or_default();
                Ok(list[..capacity.min(list.len())].to_vec())
            },
        )?;
        let count = children.len();
        for (i, child) in children.into_iter().enumerate() {
            // SAFETY: C has room for `capacity` there, and there are no more.
            unsafe { out.at(i).write(Own::new(VariableObject::new(object.frame(), child))) };
        }
        // SAFETY: `count_out` is C's.
        unsafe { count_out.write(count) };
        Ok(())
    })
}

/// Gives a variable another value, with which the guest goes on: as `stepwell_frame_assign`. A scope has none.
///
/// Thread: inside callback only.
#[unsafe(no_mangle)]
#[must_use = "an error that nobody deletes leaks"]
pub unsafe extern "C" fn stepwell_variable_assign(
    variable: *const stepwell_variable_t,
    text: *const c_char,
) -> Own<stepwell_error_t> {
    or_error("stepwell_variable_assign", || {
        // SAFETY: C passes a C string or NULL, and a live variable or NULL.
        let (text, object) = unsafe { (string(text, "text")?, borrow(variable, "variable")?) };
        object.change(|stop, number, known| stop.assign_variable(number, known, text))
    })
}
