"""Calls between Python and guests, both ways.

C calls one function of each kind, made once at import; its environment is a number, looked up here. The numbers' owners
are kept by their stores alone, so that a store that nobody uses is found by the garbage collector, whatever its
host functions refer to. An exception never crosses C: it is stashed in the innermost call of this thread, the guest is
ended by a trap, and the call raises it.
"""
import itertools
import threading
import weakref
from ctypes import POINTER, byref, c_void_p, cast

from . import _bindings as c
from .errors import Trap, check, take_error, take_trap

_numbers = itertools.count(1)
_owners = weakref.WeakValueDictionary()
_thread = threading.local()


def register(owner):
    """A number for `owner`, which somebody else has to keep."""
    number = next(_numbers)
    _owners[number] = owner
    return number


def owner_of(number):
    """Whom a number was given to."""
    return _owners[number]


def address(ptr):
    """The address of a pointer, as callbacks return it."""
    return cast(ptr, c_void_p).value


class _Call:
    """A call into a guest that is under way."""

    __slots__ = ("exception",)

    def __init__(self):
        self.exception = None


def stash(exception):
    """Keeps an exception for the innermost call of this thread to raise."""
    calls = getattr(_thread, "calls", None)
    if not calls:
        raise exception  # nobody waits for it: ctypes reports it
    call = calls[-1]
    if call.exception is not None and exception.__context__ is None and exception is not call.exception:
        exception.__context__ = call.exception
    call.exception = exception


def trap_from(store, exception):
    """An owned trap that ends the guest because of an exception, as an address."""
    if isinstance(exception, Trap):
        text = exception.message
    else:
        text = f"{type(exception).__name__}: {exception}"
    data = text.encode("utf-8", "replace")
    message = c.wasm_message_t()
    c.wasm_byte_vec_new(byref(message), len(data), data)
    try:
        return address(c.wasm_trap_new(store._ptr, byref(message)))
    finally:
        c.wasm_byte_vec_delete(byref(message))


def _raise_stashed(exception, trap, error):
    """Raises what a host function or stop callback raised, with the guest's frames."""
    if error:
        take_error(error)
    if trap:
        told = take_trap(trap)
        if isinstance(exception, Trap):
            if not exception.frames:
                exception.frames, exception._text = told.frames, told._text
        elif told.frames and hasattr(exception, "add_note"):
            exception.add_note(str(told).partition("\n")[2])
    try:
        raise exception
    finally:
        del exception  # its traceback holds this frame


def enter(store, function, *arguments):
    """Calls a C function that may run a guest: `function(*arguments, trap_out)` returns an error. Raises what it failed by."""
    calls = getattr(_thread, "calls", None)
    if calls is None:
        calls = _thread.calls = []
    call = _Call()
    trap = POINTER(c.wasm_trap_t)()
    with store._lock:
        store._depth += 1
        calls.append(call)
        try:
            error = function(*arguments, byref(trap))
        finally:
            calls.pop()
            store._depth -= 1
    if call.exception is not None:
        exception, call.exception = call.exception, None
        try:
            _raise_stashed(exception, trap, error)
        finally:
            del exception
    if trap:
        raise take_trap(trap)
    check(error)


class HostFunction:
    """A Python function as a guest calls it. Kept by its store."""

    def __init__(self, store, type, function, values):
        self.store = store
        self.type = type
        self.function = function
        self.values = values  # the module `values`, which needs this one

    def call(self, args, results):
        args = args.contents
        given = [self.values.from_c(self.store, args.data[i], owned=False) for i in range(args.size)]
        returned = self.function(*given)
        wanted = self.type.results
        if not wanted:
            if returned is not None:
                raise TypeError(f"the host function returned {returned!r}; its type has no results")
            return
        if len(wanted) == 1:
            returned = (returned,)
        else:
            returned = tuple(returned)
            if len(returned) != len(wanted):
                raise TypeError(f"the host function returned {len(returned)} values; its type has {len(wanted)} results")
        data = results.contents.data
        for i, (name, value) in enumerate(zip(wanted, returned)):
            self.values.to_c(self.store, data[i], name, value, f"result {i}", given_away=True)


@c.wasm_func_callback_with_env_t
def call_host(env, args, results):
    """What C calls for every host function."""
    store = None
    try:
        host = owner_of(env)
        store = host.store
        host.call(args, results)
        return None
    except BaseException as exception:
        stash(exception)
        return trap_from(store, exception) if store is not None else None
