//! The pointers of the C ABI that carry ownership, and the one place where handles are made, looked at and freed.
//! In the headers all three are spelled `own T *`; `cargo xtask headers` does the spelling.

use super::check;
use crate::base::{Error, ErrorKind, Result};

/// An owned pointer crossing the ABI: a parameter gives it to us, a result gives it away. NULL is "nothing".
#[repr(transparent)]
pub struct Own<T>(*mut T);

/// An out-parameter: written on success, left alone otherwise; the caller then owns what was written.
#[repr(transparent)]
pub struct Out<T>(*mut T);

/// A parameter whose contents (not itself) are given to us: they are taken out, and what stays behind is empty.
#[repr(transparent)]
pub struct Take<T>(*mut T);

/// What stands behind an opaque C type.
///
/// # Safety
/// Every pointer of type `*mut Self` that C gets from us was made by [`Own::new`] from a `Self::Rust`
/// (or borrows one inside an owner that outlives it).
pub(in crate::capi) unsafe trait Handle {
    /// The Rust object.
    type Rust;
    /// Refuses an object of the wrong kind behind the pointer: several C types share one Rust type.
    fn check(_object: &Self::Rust) -> bool {
        true
    }
}

/// Binds an opaque C type to the Rust type behind it.
macro_rules! handle {
    ($c:ty => $rust:ty) => {
        // SAFETY: the only maker of such pointers is `Own::new`, with this Rust type.
        unsafe impl $crate::capi::plumbing::own::Handle for $c {
            type Rust = $rust;
        }
    };
    ($c:ty => $rust:ty, $check:expr) => {
        // SAFETY: as above.
        unsafe impl $crate::capi::plumbing::own::Handle for $c {
            type Rust = $rust;
            fn check(object: &$rust) -> bool {
                let check: fn(&$rust) -> bool = $check;
                check(object)
            }
        }
    };
}

pub(in crate::capi) use handle;

impl<T> Own<T> {
    /// NULL.
    pub(in crate::capi) const fn null() -> Self {
        Self(std::ptr::null_mut())
    }

    /// Whether this is NULL.
    pub(in crate::capi) fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// A pointer that C kept in its own structs.
    pub(in crate::capi) fn from_raw(pointer: *mut T) -> Self {
        Self(pointer)
    }

    /// The pointer, to look at what is not taken yet.
    pub(in crate::capi) fn as_ptr(&self) -> *const T {
        self.0
    }

    /// The pointer, for where C keeps owned pointers in its own structs.
    pub(in crate::capi) fn into_raw(self) -> *mut T {
        self.0
    }
}

impl<T: Handle> Own<T> {
    /// Gives `object` to C.
    pub(in crate::capi) fn new(object: T::Rust) -> Self {
        let object = Box::into_raw(Box::new(object));
        check::made::<T>(object);
        Self(object.cast())
    }

    /// Takes the object back; `None` for NULL. `how` says to who uses it once more what became of it.
    ///
    /// # Safety
    /// The pointer is NULL or was given out by [`Own::new`] and not taken back since.
    unsafe fn take(self, param: &str, how: &'static str) -> Option<Box<T::Rust>> {
        if self.0.is_null() {
            return None;
        }
        if check::on() {
            // SAFETY: by the contract of this function and of `Handle`.
            return Some(unsafe { check::given(self.0, param, how) });
        }
        // SAFETY: by the contract of this function and of `Handle`.
        Some(unsafe { Box::from_raw(self.0.cast::<T::Rust>()) })
    }

    /// Takes the object back for `function`, if it is not NULL.
    ///
    /// # Safety
    /// As [`Own::require`].
    pub(in crate::capi) unsafe fn optional(self, function: &str, param: &str) -> Option<Box<T::Rust>> {
        let _called = check::Called::new(function);
        // SAFETY: passed on.
        unsafe { self.take(param, "given away") }
    }

    /// Takes the object back; NULL or an object of another kind is an error naming `param`.
    ///
    /// # Safety
    /// The pointer is NULL or was given out by [`Own::new`] and not taken back since.
    pub(in crate::capi) unsafe fn require(self, param: &str) -> Result<Box<T::Rust>> {
        // SAFETY: passed on.
        let object = unsafe { self.take(param, "given away") }.ok_or_else(|| null(param))?;
        if T::check(&object) { Ok(object) } else { Err(wrong_kind(param)) }
    }

    /// Frees the object within a function that is known already; NULL is nothing to do.
    ///
    /// # Safety
    /// As [`Own::require`].
    pub(in crate::capi) unsafe fn delete_inside(self, param: &str) {
        // SAFETY: passed on.
        drop(unsafe { self.take(param, "deleted") });
    }

    /// Frees the object for `function`; NULL is nothing to do.
    ///
    /// # Safety
    /// As [`Own::require`].
    pub(in crate::capi) unsafe fn delete(self, function: &str, param: &str) {
        let _called = check::Called::new(function);
        // SAFETY: passed on.
        drop(unsafe { self.take(param, "deleted") });
    }
}

impl<T> Out<T> {
    /// An out-parameter for a plain number, which is nobody's.
    pub(in crate::capi) fn plain(pointer: *mut T) -> Self {
        Self(pointer)
    }

    /// Refuses NULL, so that nothing is done when its result could not be given out.
    pub(in crate::capi) fn check(self, param: &str) -> Result<Checked<T>> {
        if self.0.is_null() { Err(null(param)) } else { Ok(Checked(self.0)) }
    }

    /// Whether this is NULL.
    pub(in crate::capi) fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// One of an array of them.
    ///
    /// # Safety
    /// This is not NULL, and C has room for more than `index` of them there.
    pub(in crate::capi) unsafe fn at(&self, index: usize) -> Checked<T> {
        // SAFETY: by the contract.
        Checked(unsafe { self.0.add(index) })
    }

    /// For an out-parameter that may be NULL.
    pub(in crate::capi) fn optional(self) -> Option<Checked<T>> {
        (!self.0.is_null()).then_some(Checked(self.0))
    }
}

/// An out-parameter that is not NULL.
pub(in crate::capi) struct Checked<T>(*mut T);

impl<T> Checked<T> {
    /// Writes the result.
    ///
    /// # Safety
    /// C passed a pointer to memory for a `T`.
    pub(in crate::capi) unsafe fn write(self, value: T) {
        // SAFETY: by the contract; the old contents are C's and are not dropped.
        unsafe { self.0.write(value) };
    }
}

impl<T: Default> Take<T> {
    /// The contents; what stays behind is empty.
    ///
    /// # Safety
    /// The pointer is NULL or points to an initialised `T` of the caller's.
    pub(in crate::capi) unsafe fn take(self, param: &str) -> Result<T> {
        if self.0.is_null() {
            return Err(null(param));
        }
        // SAFETY: by the contract.
        Ok(unsafe { self.0.replace(T::default()) })
    }

    /// The contents; NULL counts as empty.
    ///
    /// # Safety
    /// As [`Take::take`].
    pub(in crate::capi) unsafe fn take_or_empty(self) -> T {
        // SAFETY: passed on.
        unsafe { self.take("") }.unwrap_or_default()
    }
}

/// Looks at the object behind a pointer; NULL or an object of another kind is an error naming `param`.
///
/// # Safety
/// The pointer is NULL or a live handle, and nothing changes it exclusively during `'a`.
pub(in crate::capi) unsafe fn borrow<'a, T: Handle>(pointer: *const T, param: &str) -> Result<&'a T::Rust> {
    check::passed(pointer, param);
    // SAFETY: by the contract of this function and of `Handle`.
    let object = unsafe { pointer.cast::<T::Rust>().as_ref() }.ok_or_else(|| null(param))?;
    if T::check(object) { Ok(object) } else { Err(wrong_kind(param)) }
}

/// As [`borrow`], exclusively.
///
/// # Safety
/// The pointer is NULL or a live handle that nothing else uses during `'a`.
pub(in crate::capi) unsafe fn borrow_mut<'a, T: Handle>(pointer: *mut T, param: &str) -> Result<&'a mut T::Rust> {
    check::passed(pointer.cast_const(), param);
    // SAFETY: by the contract of this function and of `Handle`.
    let object = unsafe { pointer.cast::<T::Rust>().as_mut() }.ok_or_else(|| null(param))?;
    if T::check(object) { Ok(object) } else { Err(wrong_kind(param)) }
}

/// Shows C an object that belongs to another one, and lives as long as C is told that it does.
pub(in crate::capi) fn lend<T: Handle>(object: &T::Rust) -> *const T {
    check::lent::<T>(object);
    std::ptr::from_ref(object).cast()
}

/// A plain C struct behind a pointer; NULL is an error naming `param`.
///
/// # Safety
/// The pointer is NULL or points to an initialised `T` that is not changed during `'a`.
pub(in crate::capi) unsafe fn plain<'a, T>(pointer: *const T, param: &str) -> Result<&'a T> {
    // SAFETY: by the contract.
    unsafe { pointer.as_ref() }.ok_or_else(|| null(param))
}

/// So many bytes of C's to read; NULL is an error naming `param`, unless there are none.
///
/// # Safety
/// The pointer is NULL or points to so many bytes that are not changed during `'a`.
pub(in crate::capi) unsafe fn bytes<'a>(
    pointer: *const std::ffi::c_void,
    size: usize,
    param: &str,
) -> Result<&'a [u8]> {
    match (size, pointer.is_null()) {
        (0, _) => Ok(&[]),
        (_, true) => Err(null(param)),
        // SAFETY: by the contract.
        _ => Ok(unsafe { std::slice::from_raw_parts(pointer.cast(), size) }),
    }
}

/// Room of C's for so many bytes; NULL is an error naming `param`, unless there are none.
///
/// # Safety
/// The pointer is NULL or points to so many bytes that nothing else looks at during `'a`.
pub(in crate::capi) unsafe fn room<'a>(
    pointer: *mut std::ffi::c_void,
    size: usize,
    param: &str,
) -> Result<&'a mut [u8]> {
    match (size, pointer.is_null()) {
        (0, _) => Ok(&mut []),
        (_, true) => Err(null(param)),
        // SAFETY: by the contract.
        _ => Ok(unsafe { std::slice::from_raw_parts_mut(pointer.cast(), size) }),
    }
}

/// A C string; NULL or bytes that are no UTF-8 are an error naming `param`.
///
/// # Safety
/// The pointer is NULL or points to a NUL-terminated string that is not changed during `'a`.
pub(in crate::capi) unsafe fn string<'a>(pointer: *const std::ffi::c_char, param: &str) -> Result<&'a str> {
    if pointer.is_null() {
        return Err(null(param));
    }
    // SAFETY: by the contract.
    let bytes = unsafe { std::ffi::CStr::from_ptr(pointer) };
    bytes.to_str().map_err(|_| Error::new(ErrorKind::Argument, format!("`{param}` is no valid UTF-8")))
}

/// Marks the error of an argument that no host passes but by mistake.
struct Misuse;

/// Whether it is the error of an argument that no host passes but by mistake: NULL where none may be, or an object of
/// another kind.
pub(in crate::capi) fn is_misuse(error: &Error) -> bool {
    error.payload::<Misuse>().is_some()
}

/// The error for a NULL where none may be.
pub(in crate::capi) fn null(param: &str) -> Error {
    Error::new(ErrorKind::Argument, format!("`{param}` must not be NULL")).with_payload(Box::new(Misuse))
}

/// The error for an object of another kind than the parameter's type says.
fn wrong_kind(param: &str) -> Error {
    Error::new(ErrorKind::Argument, format!("`{param}` is an object of another kind")).with_payload(Box::new(Misuse))
}
