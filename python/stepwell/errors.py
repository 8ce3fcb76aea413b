"""What can go wrong: `Error`, and `Trap` for what ended a guest."""
from ctypes import byref, c_size_t
from enum import IntEnum

from . import _bindings as c


def _enum(name, prefix):
    """An enum of the C constants that start with `prefix`."""
    return IntEnum(name, {k[len(prefix):]: v for k, v in vars(c).items() if k.startswith(prefix) and isinstance(v, int)})


def _known(enum, number):
    """The member of this number; a newer library's number stays a number."""
    try:
        return enum(number)
    except ValueError:
        return number


ErrorCode = _enum("ErrorCode", "STEPWELL_ERROR_")
ErrorCode.__doc__ = "What kind of failure an `Error` reports."
TrapCode = _enum("TrapCode", "STEPWELL_TRAP_")
TrapCode.__doc__ = "Why a guest trapped."


class Error(Exception):
    """Something was refused or failed. `code` is an `ErrorCode`, `offset` the place in the Wasm binary or None."""

    def __init__(self, message, code=ErrorCode.HOST, offset=None):
        super().__init__(message)
        self.message = message
        self.code = code
        self.offset = offset


class TrapFrame:
    """A Wasm frame that was live when a guest trapped."""

    __slots__ = ("module_name", "func_index", "func_name", "offset", "func_offset")

    def __init__(self, module_name, func_index, func_name, offset, func_offset):
        self.module_name = module_name
        self.func_index = func_index
        self.func_name = func_name
        self.offset = offset
        self.func_offset = func_offset

    def __repr__(self):
        return f"<TrapFrame {self.func_name or self.func_index} at {self.offset:#x}>"


class Trap(Error):
    """A guest was ended. `trap_code` is a `TrapCode`, `frames` are its Wasm frames, innermost first.

    A host function may raise one of its own.
    """

    def __init__(self, message, trap_code=TrapCode.HOST, frames=(), text=None):
        super().__init__(message, ErrorCode.TRAP)
        self.trap_code = trap_code
        self.frames = list(frames)
        self._text = text

    def __str__(self):
        return self._text or self.message


def take_bytes(vec):
    """The bytes of an owned vector, which is deleted."""
    data = vec.data[:vec.size] if vec.size else b""
    c.wasm_byte_vec_delete(byref(vec))
    return data


def take_message(vec):
    """The text of an owned message, which is deleted."""
    return take_bytes(vec).rstrip(b"\0").decode("utf-8", "replace")


def name_from(getter, *arguments):
    """A name that `getter(*arguments, out)` writes, or None."""
    vec = c.wasm_name_t()
    return take_bytes(vec).decode("utf-8", "replace") if getter(*arguments, byref(vec)) else None


def _error_from(error):
    message, offset = c.wasm_name_t(), c_size_t()
    c.stepwell_error_message(error, byref(message))
    at = offset.value if c.stepwell_error_offset(error, byref(offset)) else None
    return Error(take_message(message), _known(ErrorCode, c.stepwell_error_code(error)), at)


def take_error(error):
    """The exception for an owned C error, which is deleted."""
    try:
        return _error_from(error)
    finally:
        c.stepwell_error_delete(error)


def check(error):
    """Raises an owned C error, unless it is NULL."""
    if error:
        raise take_error(error)


def last_error(what):
    """The exception for a call that failed by NULL or false."""
    error = c.stepwell_last_error()
    if not error:
        return Error(f"{what} failed")
    found = _error_from(error)
    c.stepwell_last_error_clear()
    return found


def not_null(ptr, what):
    """`ptr`, unless it is NULL: then what the library says is raised."""
    if not ptr:
        raise last_error(what)
    return ptr


def take_trap(trap):
    """The exception for an owned C trap, which is deleted."""
    try:
        message, text, trace = c.wasm_message_t(), c.wasm_message_t(), c.wasm_frame_vec_t()
        c.wasm_trap_message(trap, byref(message))
        c.stepwell_trap_backtrace(trap, byref(text))
        c.wasm_trap_trace(trap, byref(trace))
        frames = [
            TrapFrame(
                name_from(c.stepwell_trap_frame_module_name, frame), c.wasm_frame_func_index(frame),
                name_from(c.stepwell_trap_frame_func_name, frame), c.wasm_frame_module_offset(frame),
                c.wasm_frame_func_offset(frame))
            for frame in trace.data[:trace.size]
        ] if trace.size else []
        c.wasm_frame_vec_delete(byref(trace))
        code = _known(TrapCode, c.stepwell_trap_code(trap))
        return Trap(take_message(message), code, frames, take_message(text))
    finally:
        c.wasm_trap_delete(trap)
