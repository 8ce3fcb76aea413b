"""Calls between Python and guests, both ways.

C calls one function of each kind, made once at import; its environment is a number, looked up here. The numbers' owners
are kept by their stores (and linkers) alone, so that a store that nobody uses is found by the garbage collector, whatever its
host functions refer to. An exception never crosses C: it is stashed in the innermost call of this thread, the guest is
ended by a trap, and the call raises it.
"""
from __future__ import annotations

import itertools
import threading
import weakref
from collections import deque
from ctypes import POINTER, byref, c_void_p, cast
from typing import TYPE_CHECKING, Any, Callable, Deque, List, NoReturn, Optional

from . import _bindings as c
from .errors import Error, Exit, Trap, check, take_error, take_trap

if TYPE_CHECKING:
    from .store import Store
    from .types import FuncType

_numbers = itertools.count(1)
# Of what C will never call again. Who kept it is told later: here, where no C function is under way.
_finished: Deque[int] = deque()
_owners: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


class _Thread(threading.local):
    """What a thread knows."""

    def __init__(self) -> None:
        self.calls: List[_Call] = []  # the calls into guests that are under way


class _Call:
    """A call into a guest that is under way."""

    __slots__ = ("exception", "store")

    def __init__(self, store: Store) -> None:
        self.store = store
        self.exception: Optional[BaseException] = None


_thread = _Thread()


def register(owner: Any) -> int:
    """A number for `owner`, which somebody else has to keep."""
    while _finished:
        gone = _finished.popleft()
        keeper = _owners.get(gone)
        if keeper is not None:
            keeper._finished(gone)
    number = next(_numbers)
    _owners[number] = owner
    return number


def owner_of(number: int) -> Any:
    """Whom a number was given to."""
    return _owners[number]


def address(ptr: Any) -> Optional[int]:
    """The address of a pointer, as callbacks return it."""
    return cast(ptr, c_void_p).value


def current_store() -> Store:
    """The store of the guest that called the host on this thread."""
    calls = _thread.calls
    if not calls:
        raise RuntimeError("no guest runs on this thread")
    return calls[-1].store


def stash(exception: BaseException) -> None:
    """Keeps an exception for the innermost call of this thread to raise."""
    calls = _thread.calls
    if not calls:
        raise exception  # nobody waits for it: ctypes reports it
    call = calls[-1]
    if call.exception is not None and exception.__context__ is None and exception is not call.exception:
        exception.__context__ = call.exception
    call.exception = exception


def trap_from(store: Store, exception: BaseException) -> Optional[int]:
    """An owned trap that ends the guest because of an exception, as an address."""
    if isinstance(exception, Error):
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


def _raise_stashed(exception: BaseException, trap: Any, error: Any) -> NoReturn:
    """Raises what a host function or stop callback raised, with the guest's frames."""
    if error:
        take_error(error)
    told = take_trap(trap) if trap else None
    if isinstance(told, Trap):
        if isinstance(exception, Trap):
            if not exception.frames:
                exception.frames, exception._text = told.frames, told._text
        elif told.frames and hasattr(exception, "add_note") and not isinstance(exception, Exit):
            exception.add_note(str(told).partition("\n")[2])
    try:
        raise exception
    finally:
        del exception  # its traceback holds this frame


def enter(store: Store, function: Any, *arguments: Any) -> None:
    """Calls a C function that may run a guest: `function(*arguments, trap_out)` returns an error. Raises what it failed by."""
    calls = _thread.calls
    call = _Call(store)
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
    """A Python function as a guest calls it. Kept by its store, or by its linker and the stores that this instantiated in."""

    def __init__(
            self, store: Optional[Store], type: FuncType, function: Callable[..., Any], values: Any,
            wants_caller: bool = False) -> None:
        self.wants_caller = wants_caller
        self.keepers: List[weakref.ref[Store]] = []
        self.store = store  # None for that of the guest
        self.type = type
        self.function = function
        self.values = values  # the module `values`, which needs this one

    def _finished(self, number: int) -> None:
        """C will never call it again."""
        for keeper in self.keepers:
            store = keeper()
            if store is not None:
                store._kept.pop(id(self), None)
        self.keepers.clear()

    def call(self, store: Store, args: Any, results: Any, caller: Optional[Any] = None) -> None:
        args = args.contents
        given = [self.values.from_c(store, args.data[i], owned=False) for i in range(args.size)]
        if caller is not None:
            given.insert(0, caller)
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
            self.values.to_c(store, data[i], name, value, f"result {i}", given_away=True)


def _call_host(env: int, args: Any, results: Any) -> Optional[int]:
    """What C calls for every host function."""
    store = None
    try:
        host = owner_of(env)
        store = host.store or current_store()
        host.call(store, args, results)
        return None
    except BaseException as exception:
        stash(exception)
        return trap_from(store, exception) if store is not None else None


def _call_host_with_caller(env: int, ptr: Any, args: Any, results: Any) -> Optional[int]:
    """What C calls for host functions that want to know who calls."""
    store, caller = None, None
    try:
        host = owner_of(env)
        store = host.store or current_store()
        caller = host.values.Caller(store, ptr)
        host.call(store, args, results, caller)
        return None
    except BaseException as exception:
        stash(exception)
        return trap_from(store, exception) if store is not None else None
    finally:
        if caller is not None:
            caller._ptr = None


call_host_with_caller = c.stepwell_func_callback_t(_call_host_with_caller)
call_host = c.wasm_func_callback_with_env_t(_call_host)
finished = c.stepwell_finalizer_t(_finished.append)
no_finalizer = c.stepwell_finalizer_t()
