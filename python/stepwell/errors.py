"""What can go wrong: `Error`, `Trap` for what ended a guest, and `Exit` for a program that ended itself."""
from __future__ import annotations

import os
from ctypes import byref, c_int32, c_size_t, c_ssize_t, c_void_p, create_string_buffer, py_object, pythonapi
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Callable, List, NamedTuple, Optional, Sequence, Tuple, Type, TypeVar, Union

from . import _bindings as c
from ._bindings import ErrorCode, TrapCode
from ._shown import brief

if TYPE_CHECKING:
    from .store import Store
    from .values import ExnRef

E = TypeVar("E", bound=IntEnum)

ErrorCode.__doc__ = "What kind of failure an `Error` reports."
TrapCode.__doc__ = "Why a guest trapped."


def known(enum: Type[E], number: int) -> Union[E, int]:
    """The member of this number; a newer library's number stays a number."""
    try:
        return enum(number)
    except ValueError:
        return number


class Error(Exception):
    """Something was refused or failed. `code` is an `ErrorCode`, `offset` the place in the Wasm binary or None. Of an expression, `columns`
    is where in its text: the first column and the one behind the last, in characters, from 1; else None."""

    columns: Optional[Tuple[int, int]] = None

    def __init__(self, message: str, code: int = ErrorCode.HOST, offset: Optional[int] = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.offset = offset

    def __repr__(self) -> str:
        return f"{type(self).__name__}({brief(self.message)})" if "message" in self.__dict__ else super().__repr__()


class Source(NamedTuple):
    """A place in a guest's source, as the module's DWARF sections have it. What they do not say is None, or 0."""

    file: Optional[str]
    function: Optional[str]
    line: int
    column: int

    def __str__(self) -> str:
        return f"{name_to_show(self.file or '?')}:{self.line or '?'}"


def source_of(row: Any) -> Source:
    """What C says of a place."""
    file, function = (None if text is None else text_from(text) for text in (row.file, row.function))
    return Source(file, function, row.line, row.column)


def sources_from(count: Any, get: Any, *arguments: Any) -> List[Source]:
    """The places that `get(*arguments, index, out)` writes, innermost inlined function first."""
    return sources_until(get, *arguments) if count(*arguments) else []


def sources_until(get: Any, *arguments: Any) -> List[Source]:
    """The same where they are counted by asking for the next."""
    found: List[Source] = []
    out = c.stepwell_source_t()
    while get(*arguments, len(found), byref(out)):
        found.append(source_of(out))
    return found


class TrapFrame:
    """A Wasm frame that was live when a guest trapped.

    `module_name`, `func_index`, `func_name`: where; `offset`, `func_offset`: of the instruction, from the start of the module and of the
    function. `source` is a list of the `Source` of the instruction and of what it was inlined into; empty without DWARF.
    """

    __slots__ = ("module_name", "func_index", "func_name", "offset", "func_offset", "source")

    def __init__(
            self, module_name: Optional[str], func_index: int, func_name: Optional[str], offset: int, func_offset: int,
            source: Sequence[Source] = ()) -> None:
        self.module_name = module_name
        self.func_index = func_index
        self.func_name = func_name
        self.offset = offset
        self.func_offset = func_offset
        self.source = list(source)

    def __repr__(self) -> str:
        return f"<TrapFrame {name_to_show(self.func_name or str(self.func_index))} at {self.offset:#x}>"


class Trap(Error):
    """A guest was ended. `trap_code` is a `TrapCode`, `frames` are its Wasm frames, innermost first.

    A host function may raise one of its own.
    """

    def __init__(
            self, message: str, trap_code: int = TrapCode.HOST, frames: Sequence[TrapFrame] = (),
            text: Optional[str] = None) -> None:
        super().__init__(message, ErrorCode.TRAP)
        self.trap_code = trap_code
        self.frames = list(frames)
        self._text = text

    _core_dump: Union[bytes, Error, None] = None

    def core_dump(self) -> bytes:
        """The core dump that was made of it, a WebAssembly module in the format "Coredump": see `Store.set_core_dumps()`. An `Error`
        where there is none."""
        if isinstance(self._core_dump, bytes):
            return self._core_dump
        raise self._core_dump or Error("the trap has left no guest yet, and so has no core dump", ErrorCode.STATE)

    def __str__(self) -> str:
        return self._text or self.message


class GuestException(Trap):
    """An exception of WebAssembly that no guest has caught. `exception` is the `ExnRef`: its tag, and what it carries.

    A host function that raises one throws the exception in its guest.
    """

    def __init__(
            self, exception: ExnRef, message: Optional[str] = None, trap_code: int = TrapCode.HOST,
            frames: Sequence[TrapFrame] = (), text: Optional[str] = None) -> None:
        super().__init__(exception._message() if message is None else message, trap_code, frames, text)
        self.exception = exception


class Exit(Error):
    """A program ended itself by WASI's `proc_exit`. `status` is its exit status; 0 is success.

    A host function may raise one, to end the program the same way.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the program ended with exit status {status}", ErrorCode.TRAP)
        self.status = status


class TimedOut(Trap, TimeoutError):
    """A call was not done in time: its guest was ended. `timeout` is how many seconds it had. `TimeoutError` catches it, too."""

    def __init__(self, timeout: float) -> None:
        super().__init__(f"the call has taken longer than its timeout of {timeout:g} s", TrapCode.INTERRUPT)
        self.timeout = timeout


class NotYet(Exception):
    """Raised by a host function that has no answer yet: a guest that is run by a `Call` waits, `call.token` is what is given here, and
    `call.answer()` or `call.fail()` gives the answer later. An `async def` host function needs none of this."""

    def __init__(self, token: Any = None) -> None:
        super().__init__(token)
        self.token = token


# Of any size: `ctypes.string_at` takes an int of C.
bytes_at: Callable[[Any, int], bytes] = pythonapi["PyBytes_FromStringAndSize"]
bytes_at.restype, bytes_at.argtypes = py_object, [c_void_p, c_ssize_t]  # type: ignore[attr-defined]


def take_bytes(vec: Any) -> bytes:
    """The bytes of an owned vector, which is deleted."""
    data = bytes_at(vec.data, vec.size) if vec.size else b""
    c.wasm_byte_vec_delete(byref(vec))
    return data


def text_from(text: Optional[bytes]) -> str:
    """A text that C lends."""
    return (text or b"").decode("utf-8", "replace")


def name_to_show(name: str) -> str:
    """A name as people are to see it: demangled, and with what would do something to a terminal or a log escaped."""
    data = name.encode("utf-8", "replace")
    size, room = len(data), 0
    while size >= room:
        room = size + 1
        shown = create_string_buffer(room)
        size = c.stepwell_name_to_show(data, len(data), shown, room)
    return text_from(shown.raw[:size])


def escaped(text: Any) -> str:
    """A text for a message, with what would do something to a terminal or a log escaped."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(text))


def name_from(getter: Any, *arguments: Any) -> Optional[str]:
    """A name that `getter(*arguments, size_out)` lends, or None."""
    size = c_size_t()
    name = getter(*arguments, byref(size))
    return bytes_at(name, size.value).decode("utf-8", "replace") if name else None


def _error_from(error: Any) -> Error:
    status = c_int32()
    if c.stepwell_error_exit_status(error, byref(status)):
        return Exit(status.value)
    offset = c_size_t()
    at = offset.value if c.stepwell_error_offset(error, byref(offset)) else None
    found = Error(text_from(c.stepwell_error_message(error)), known(ErrorCode, c.stepwell_error_code(error)), at)
    first, behind = c_size_t(), c_size_t()
    if c.stepwell_error_columns(error, byref(first), byref(behind)):
        found.columns = (first.value, behind.value)
    return found


def take_error(error: Any) -> Error:
    """The exception for an owned C error, which is deleted."""
    try:
        return _error_from(error)
    finally:
        c.stepwell_error_delete(error)


def check(error: Any) -> None:
    """Raises an owned C error, unless it is NULL."""
    if error:
        raise take_error(error)


def last_error(what: str) -> Error:
    """The exception for a call that failed by NULL or false."""
    error = c.stepwell_last_error()
    if not error:
        return Error(f"{what} failed")
    found = _error_from(error)
    c.stepwell_last_error_clear()
    return found


def not_null(ptr: Any, what: str) -> Any:
    """`ptr`, unless it is NULL: then what the library says is raised."""
    if not ptr:
        raise last_error(what)
    return ptr


# Makes an `ExnRef` of a store and an owned handle: set by the module that has the class, and needs this one.
exn_of: Callable[[Store, Any], ExnRef]


def take_trap(trap: Any, store: Store) -> Error:
    """The exception for an owned C trap of a store, which is deleted: a `Trap`, a `GuestException`, or an `Exit`."""
    try:
        status = c_int32()
        if c.stepwell_trap_exit_status(trap, byref(status)):
            return Exit(status.value)
        message, text = text_from(c.stepwell_trap_message(trap)), text_from(c.stepwell_trap_backtrace(trap))
        trace = c.wasm_frame_vec_t()
        c.wasm_trap_trace(trap, byref(trace))
        frames: List[TrapFrame] = [
            TrapFrame(
                name_from(c.stepwell_trap_frame_module_name, frame), c.wasm_frame_func_index(frame),
                name_from(c.stepwell_trap_frame_func_name, frame), c.wasm_frame_module_offset(frame),
                c.wasm_frame_func_offset(frame),
                sources_from(c.stepwell_trap_frame_source_count, c.stepwell_trap_frame_source, frame))
            for frame in trace.data[:trace.size]
        ] if trace.size else []
        c.wasm_frame_vec_delete(byref(trace))
        code = known(TrapCode, c.stepwell_trap_code(trap))
        thrown = c.stepwell_trap_exception(trap)
        told: Trap
        if thrown:
            told = GuestException(exn_of(store, thrown), message, code, frames, text)
        else:
            told = Trap(message, code, frames, text)
        dump = c.wasm_byte_vec_t()
        none = c.stepwell_trap_core_dump(trap, byref(dump))
        told._core_dump = take_error(none) if none else take_bytes(dump)
        return told
    finally:
        c.wasm_trap_delete(trap)


def c_string(text: str) -> bytes:
    """A name as C takes it; one with a NUL inside would be cut."""
    data = text.encode("utf-8")
    if b"\0" in data:
        raise ValueError(f"the name {text!r} has a NUL inside")
    return data


def path_bytes(path: Union[str, os.PathLike[str]]) -> bytes:
    """A path as C takes it."""
    data = os.fsencode(path)
    if b"\0" in data:
        raise ValueError(f"the path {path!r} has a NUL inside")
    return data
