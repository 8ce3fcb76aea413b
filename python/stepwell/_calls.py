"""Calls between Python and guests, both ways.

C calls one function of each kind, made once at import; its environment is a number, looked up here. The numbers' owners
are kept by their stores (and linkers) alone, so that a store that nobody uses is found by the garbage collector, whatever its
host functions refer to. An exception never crosses C: it is kept for the innermost call of this thread, the guest is
ended by a trap, and the call raises it.

An exception can also leave a callback where no `except` sees it: a signal handler's may come at its first line and at its last one.
So a callback says by an outcome that it has come to its end, which C presets to "not done", and `_unraisable` finds what was lost.
"""
from __future__ import annotations

import atexit
import itertools
import os
import sys
import threading
import time
import weakref
from collections import deque
from ctypes import POINTER, ArgumentError, byref
from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, List, NoReturn, Optional, Sequence, Tuple

from . import _bindings as c
from . import _signals
from ._bindings import ErrorCode
from .errors import Error, Exit, GuestException, NotYet, TimedOut, Trap, check, take_error, take_trap

if TYPE_CHECKING:
    from .call import Call
    from .store import Store
    from .types import FuncType

LOST = "was left before it came to its end"  # what the library says of such a callback
# Without Python's global lock, two threads could be given one number by the counter alone. A signal's handler may come in between.
_numbers = itertools.count(1)
_numbering = threading.RLock()
# Of what C will never call again. Who kept it is told later: here, where no C function is under way.
_finished: Deque[int] = deque()
_owners: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


class _Thread(threading.local):
    """What a thread knows."""

    def __init__(self) -> None:
        self.stores: List[Store] = []  # of the calls into guests that are under way, outermost first
        self.call: Optional[Call] = None  # that the innermost of them runs: its guest can wait
        self.exception: Optional[BaseException] = None  # what the innermost of them is to raise
        self.ended = False  # its guest was interrupted for that
        self.guest: Optional[GuestException] = None  # what a host function has thrown in its guest last
        self.lost: Optional[BaseException] = None  # what left a callback and is being looked at
        self.deadline: Optional[Deadline] = None  # of the innermost call that has one


_thread = _Thread()


def _after_fork() -> None:
    """Who had the lock is not in the child."""
    global _numbering
    _numbering = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)


def register(owner: Any) -> int:
    """A number for `owner`, which somebody else has to keep."""
    while True:
        try:
            gone = _finished.popleft()
        except IndexError:  # another thread may have taken the last one
            break
        keeper = _owners.pop(gone, None)
        if keeper is not None:
            keeper._finished(gone)
    with _numbering:
        number = next(_numbers)
        _owners[number] = owner
    return number


def owner_of(number: int) -> Any:
    """Whom a number was given to."""
    return _owners[number]


def current_store() -> Store:
    """The store of the guest that called the host on this thread."""
    stores = _thread.stores
    if not stores:
        raise RuntimeError("no guest runs on this thread")
    return stores[-1]


def stash(exception: BaseException) -> None:
    """Keeps an exception for the innermost call of this thread to raise."""
    if not _thread.stores:
        raise exception  # nobody waits for it: ctypes reports it
    earlier = _thread.exception
    if earlier is not None and exception.__context__ is None and exception is not earlier:
        exception.__context__ = earlier
    _thread.exception = exception


def end_guest() -> None:
    """Ends the guest that runs on this thread soon, for an exception that is stashed."""
    stores = _thread.stores
    asker = stores[-1]._asker if stores else None
    if asker is not None:
        _thread.ended = True
        c.stepwell_interrupt_raise(asker._ptr)  # no call of Python's: there may be no room for one


def describe(exception: BaseException) -> str:
    """What a trap says of an exception, whose own words may fail in turn."""
    try:
        text = exception.message if isinstance(exception, Error) else f"{type(exception).__name__}: {exception}"
        return f"{text}"
    except BaseException as failed:
        return f"{type(exception).__name__}, whose text cannot be told: {type(failed).__name__}"


def trap_from(store: Store, text: str) -> Any:
    """An owned trap that ends the guest."""
    data = text.encode("utf-8", "replace")
    message = c.wasm_message_t()
    c.wasm_byte_vec_new(byref(message), len(data), data)
    try:
        return c.wasm_trap_new(store._ptr, byref(message))
    finally:
        c.wasm_byte_vec_delete(byref(message))


def _raise_stashed(exception: BaseException, trap: Any, error: Any, store: Store) -> NoReturn:
    """Raises what a host function or stop callback raised, with the guest's frames."""
    try:
        told: Optional[Error] = None
        try:
            told = take_trap(trap, store) if trap else take_error(error) if error else None
            if isinstance(told, Trap):
                if isinstance(exception, Trap):
                    if not exception.frames:
                        exception.frames, exception._text = told.frames, told._text
                elif told.frames and hasattr(exception, "add_note") and not isinstance(exception, Exit):
                    exception.add_note(str(told).partition("\n")[2])
        except BaseException:
            pass  # the exception's class may refuse all that; it is raised as it is
        raise exception
    finally:
        del exception  # its traceback holds this frame


def _unseen() -> BaseException:
    """What left a callback before anything could be done about it: there was no room for another call, or signals came one after the other."""
    depth = 0
    frame: Any = sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    if depth > sys.getrecursionlimit() // 2:
        return RecursionError("an exception left a callback where there was no room to look at it")
    return KeyboardInterrupt()


def waiting_call() -> Optional[Call]:
    """The call whose guest has called the host on this thread, if that can wait."""
    return _thread.call


def is_awaitable(value: Any) -> bool:
    """Whether it is to be awaited. Types that guests know have no such method, so this is quick for them."""
    return hasattr(type(value), "__await__")


def never_await(awaitable: Any) -> None:
    """Closes a coroutine that nobody has begun to await, before Python warns of it."""
    if isinstance(awaitable, CoroutineType) and getcoroutinestate(awaitable) == CORO_CREATED:
        awaitable.close()


class Deadline:
    """Until when a call may take. Its time begins at once."""

    def __init__(self, store: Store, timeout: float) -> None:
        seconds = float(timeout)
        if not seconds >= 0:
            raise ValueError(f"a timeout is in seconds, from 0 on, not {timeout!r}")
        if store._asker is None:
            raise Error("a call can have a timeout where guests can be ended from outside: the engine is to be made with epoch=True", ErrorCode.STATE)
        self.timeout = seconds
        self.at = time.monotonic() + seconds
        self.is_over = False  # its guests are asked at the next interval at the latest
        self.outer: Optional[Deadline] = None  # of a call that this one is within

    def extend(self, seconds: float) -> None:
        """Gives so much time more."""
        self.at += seconds
        self.is_over = False


def bounded(deadline: Optional[Deadline], call: Callable[[], Any]) -> Any:
    """What `call` returns, unless the guest that it runs is not done by the deadline: then that is ended, and `TimedOut` raised."""
    if deadline is None:
        return call()
    thread = _thread
    outer = thread.deadline
    try:
        deadline.outer = outer
        thread.deadline = deadline
        if not _signals.expect(id(deadline), deadline):
            raise Error("no thread can be started, by which calls end in time", ErrorCode.STATE)
        return call()
    finally:
        thread.deadline = outer
        _signals.forget(id(deadline))


def standing(call: Callable[[], Any]) -> Any:
    """What `call` returns, while the guests of this thread stand at a stop: that takes none of their time."""
    thread = _thread
    innermost = thread.deadline
    if innermost is None:
        return call()
    began = time.monotonic()
    try:
        thread.deadline = None  # guests that are called meanwhile have their own
        return call()
    finally:
        thread.deadline = innermost
        stood = time.monotonic() - began
        deadline: Optional[Deadline] = innermost
        while deadline is not None:
            deadline.extend(stood)
            deadline = deadline.outer


def _look() -> None:
    """Raises what the guest of this thread is to be ended for: the time of a call is up, or its task was cancelled."""
    deadline, late = _thread.deadline, None
    if deadline is not None:
        now = time.monotonic()
        while deadline is not None:
            if now >= deadline.at:
                late = deadline  # the outermost, which has those within it end as well
            deadline = deadline.outer
        if late is not None:
            raise TimedOut(late.timeout)
    if is_cancelled():
        raise sys.modules["asyncio"].CancelledError


def is_cancelled() -> bool:
    """Whether this is run by a task of asyncio that has been cancelled meanwhile, as Ctrl-C does by asyncio's own handler."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        return bool(getattr(asyncio.current_task(), "_must_cancel", False))
    except RuntimeError:
        return False  # no loop runs here, or one of another kind


def enter(store: Store, function: Any, *arguments: Any, call: Optional[Call] = None, behind: Tuple[Any, ...] = ()) -> None:
    """Calls a C function that may run a guest: `function(*arguments, trap_out, *behind)` returns an error. Raises what it failed by.
    `call` is what is run, if its guest can wait."""
    _signals.prepare()
    trap = POINTER(c.wasm_trap_t)()
    error = None
    thread = _thread
    stores = thread.stores
    with store._lock:
        if store._given_back:
            store._delete_given_back()
        depth, outer, token, outer_call = len(stores), store._depth, object(), thread.call
        try:
            _watch_unraisable()
            _signals.begin(id(token), store._asker)
            store._depth = outer + 1
            stores.append(store)
            thread.call = call
            error = function(*arguments, byref(trap), *behind)
        finally:
            # An exception may come between any two lines: what is written here are states, not steps.
            del stores[depth:]
            thread.call = outer_call
            store._depth = outer
            _signals.running.pop(id(token), None)
            exception, thread.exception = thread.exception, None
            if outer == 0 and store._debugger is not None and store._debugger._interrupt is not None:
                # The guest was done before it stopped for that.
                exception, store._debugger._interrupt = exception or store._debugger._interrupt, None
                store._debugger._pauser.cancel()
            lost, thread.lost = thread.lost, None
            guest, thread.guest = thread.guest, None
            if thread.ended:
                # The guest may have come to its end before it noticed.
                thread.ended = False
                c.stepwell_store_interrupt_clear(store._ptr)
    if call is not None and trap:
        if exception is None:
            exception = call._failure
        if guest is None:
            guest = call._thrown
    if exception is not None:
        if isinstance(exception, ArgumentError) and "RecursionError" in str(exception):
            # ctypes says so where there was no room to look at an argument.
            exception = RecursionError(str(exception))
        try:
            _raise_stashed(exception, trap, error, store)
        finally:
            del exception
    if trap:
        ended = take_trap(trap, store)
        if LOST in ended.message and sys.unraisablehook is _unraisable:
            _raise_stashed(lost if lost is not None else _unseen(), None, None, store)
        try:
            if isinstance(ended, GuestException) and guest is not None and guest.exception == ended.exception:
                # Nobody has caught what a host function has thrown: its traceback says where.
                guest.frames, guest._text = ended.frames, ended._text
                raise guest
            raise ended
        finally:
            del guest, ended
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

    def call(self, store: Store, args: Any, results: Any, caller: Optional[Any] = None) -> bool:
        """Whether it has an answer, which is in `results` then."""
        args = args.contents
        given = [self.values.from_c(store, args.data[i], owned=False) for i in range(args.size)]
        if caller is not None:
            given.insert(0, caller)
        try:
            returned = self.function(*given)
        except NotYet as not_yet:
            waits = _thread.call
            if waits is None:
                raise Error(
                    f"the host function {self._name()} has no answer yet, and this guest cannot wait for it: it was called as usual. Run it by a "
                    "Call(func, ...), not from within a host function", ErrorCode.STATE) from not_yet
            waits._awaited = self, not_yet.token
            return False
        if hasattr(type(returned), "__await__"):
            waits = _thread.call
            if waits is None:
                never_await(returned)
                raise Error(
                    f"the host function {self._name()} is asynchronous, and this guest cannot wait for it: it was called as usual. Call the guest's "
                    "function by `await func.call_async(...)`, not from within a host function", ErrorCode.STATE)
            if caller is not None:
                caller._outlive()
            waits._awaited = self, returned
            return False
        data = results.contents.data
        for i, (name, value) in enumerate(zip(self.type.results, self.results(returned))):
            self.values.to_c(store, data[i], name, value, f"result {i}", given_away=True)
        return True

    def results(self, returned: Any) -> Sequence[Any]:
        """What the function has returned, as one value for each result."""
        wanted = self.type.results
        if not wanted:
            if returned is not None:
                raise TypeError(f"the host function returned {returned!r}; its type has no results")
            return ()
        if len(wanted) == 1:
            return (returned,)
        values = tuple(returned)
        if len(values) != len(wanted):
            raise TypeError(f"the host function returned {len(values)} values; its type has {len(wanted)} results")
        return values

    def _name(self) -> str:
        return str(getattr(self.function, "__qualname__", None) or repr(self.function))


def _call_host(env: int, ptr: Any, args: Any, results: Any, outcome: Any) -> None:
    """What C calls for every host function."""
    store, caller = None, None
    try:
        host = owner_of(env)
        store = host.store or current_store()
        if host.wants_caller:
            caller = host.values.Caller(store, ptr)
        answered = host.call(store, args, results, caller)
        if _thread.deadline is not None:
            _look()
        if answered:
            outcome[0].done = 1
        else:
            outcome[0].trap = c.stepwell_trap_not_yet(store._ptr, 1)
    except BaseException as exception:
        _thread.exception = exception  # first, and without a call: there may be no room for one
        if store is not None:
            trap = thrown(store, exception)
            if trap is None:
                trap = trap_from(store, describe(exception))
            elif isinstance(exception, GuestException):
                _thread.exception, _thread.guest = None, exception
            outcome[0].trap = trap
    finally:
        if caller is not None:
            caller._ptr = None


def thrown(store: Store, exception: BaseException) -> Any:
    """The owned trap that throws an exception of WebAssembly in the guest, if that is what a host function has raised: then it is not
    kept for the call, as the guest may catch it."""
    if not isinstance(exception, GuestException):
        return None
    exn = exception.exception
    if exn._store is not store or exn._ptr is None:
        return None
    return c.stepwell_exception_throw(exn._ptr) or None


def _call_ask(_: Optional[int], outcome: Any) -> None:
    """What C calls when a guest that computes asks whether it may go on. Python has run signal handlers by then, whose exceptions do
    not let this come to its end, or even to its beginning."""
    try:
        _look()
        outcome[0].done = 1
    except BaseException as exception:
        if not _stops_for(exception, outcome):
            stash(exception)
            outcome[0].trap = trap_from(_thread.stores[-1], describe(exception))


def _stops_for(exception: BaseException, outcome: Any) -> bool:
    """Whether the guest that asks stops for an exception, and is not ended by it: Ctrl-C, where a debugger is attached that takes it."""
    debugger = _thread.stores[-1]._debugger if _thread.stores else None
    if debugger is None or not debugger._takes(exception):
        return False
    outcome[0].done = 1
    return True


class Asked:
    """A Python function that a store is asked by. Kept by its store."""

    def __init__(self, store: Store, function: Callable[..., Any]) -> None:
        self.store = store
        self.function = function
        self.number = register(self)


def _answer(env: int, outcome: Any, answer: Callable[[Callable[..., Any]], int]) -> None:
    """Has a function of a store's answer. What it raises ends the guest, and is raised by the call that runs it; where none does, what
    the library raises says it."""
    asked = None
    try:
        asked = owner_of(env)
        outcome[0].value = answer(asked.function)
        outcome[0].done = 1
    except BaseException as exception:
        if _thread.stores:
            _thread.exception = exception  # first, and without a call: there may be no room for one
        if asked is not None:
            outcome[0].trap = trap_from(asked.store, describe(exception))


def _call_limiter(env: int, growth: Any, outcome: Any) -> None:
    """What C calls before a memory or a table grows."""
    def answer(limiter: Callable[..., Any]) -> int:
        of = growth[0]
        maximum = None if of.maximum == 2**64 - 1 else of.maximum
        return 1 if limiter("table" if of.what else "memory", of.current, of.desired, maximum) else 0

    _answer(env, outcome, answer)


def _call_at_deadline(env: int, epochs: Any, outcome: Any) -> None:
    """What C calls when a deadline is over."""
    def answer(over: Callable[..., Any]) -> int:
        more = over()
        if more is None:
            return 0
        if not 0 < more < 1 << 64:
            raise ValueError(f"a deadline is extended by 1 to 2**64 - 1 epochs, not {more}")
        epochs[0] = more
        return 1

    _answer(env, outcome, answer)


# What C calls. Other modules add theirs.
_callbacks: List[Any] = []


def callback(kind: Any, function: Callable[..., None]) -> Any:
    """A C function pointer, whose lost exceptions are found."""
    _callbacks.append(function)
    return kind(function)


# By id: the same for one call only, with where exceptions go. Threads come and go here: nothing takes more than one step.
_passing: Dict[int, Tuple[Any, List[BaseException]]] = {}


def with_lost(lost: List[BaseException], function: Any, call: Callable[[], Any]) -> Any:
    """What `call` returns, which has C call `function`: what leaves that is added to `lost`."""
    entry = function, lost
    try:
        _passing[id(entry)] = entry
        _watch_unraisable()
        return call()
    finally:
        _passing.pop(id(entry), None)


def with_progress(progress: Optional[Callable[[int, int], Any]], call: Callable[[Any], Any]) -> None:
    """Does `call` with a progress callback for C, which may be NULL. What `progress` raises ends it, and is raised here."""
    if progress is None:
        check(call(c.stepwell_guarded_progress_callback_t()))
        return
    if not callable(progress):
        raise TypeError(f"progress must be callable, not {progress!r}")
    failed: List[BaseException] = []

    def tell(_: Any, done: int, total: int, outcome: Any) -> None:
        try:
            outcome[0].value = bool(progress(done, total))
            outcome[0].done = 1
        except BaseException as exception:
            failed.append(exception)

    error = with_lost(failed, tell, lambda: call(c.stepwell_guarded_progress_callback_t(tell)))
    if failed:
        if error:
            take_error(error)
        raise failed[0]
    check(error)


def _left(unraisable: Any, function: Any) -> bool:
    """Whether an exception left this callback. From Python 3.13 on, the message alone says so."""
    if unraisable.object is not None:
        return unraisable.object is function
    text = unraisable.err_msg or ""
    return "ctypes callback" in text and repr(function) in text


def _unraisable(unraisable: Any) -> None:
    """Stashes an exception that left a callback. Others are for whom they were for before."""
    exception = unraisable.exc_value
    if exception is None:
        exception = unraisable.exc_type()
    _thread.lost = exception  # first: a signal's exception may come at any line here, and end this
    for function, lost in list(_passing.values()):
        if _left(unraisable, function):
            lost.append(exception)
            _thread.lost = None
            return
    if _left(unraisable, _call_ask):
        # Of a signal's handler, before the callback's first line: what it was called with is in its frame alone.
        frame = getattr(unraisable.exc_traceback, "tb_frame", None)
        outcome = frame.f_locals.get("outcome") if frame is not None and frame.f_code is _call_ask.__code__ else None
        if outcome is not None and _stops_for(exception, outcome):
            _thread.lost = None
            return
    if _thread.stores and any(_left(unraisable, function) for function in _callbacks):
        if _thread.exception is None or not isinstance(exception, Exception):
            stash(exception)  # else it came of what is kept already
        end_guest()
    else:
        _thread.lost = None
        _previous(unraisable)


_previous: Callable[[Any], Any] = sys.unraisablehook


def _watch_unraisable() -> None:
    """Puts `_unraisable` before whatever hook there is."""
    global _previous
    hook = sys.unraisablehook
    if hook is not _unraisable:
        _previous = hook
        sys.unraisablehook = _unraisable


call_host = callback(c.stepwell_guarded_func_callback_t, _call_host)
ask = callback(c.stepwell_ask_callback_t, _call_ask)
limiter = callback(c.stepwell_limiter_callback_t, _call_limiter)
at_deadline = callback(c.stepwell_at_deadline_callback_t, _call_at_deadline)
finished = c.stepwell_finalizer_t(_finished.append)
no_finalizer = c.stepwell_finalizer_t()
atexit.register(_signals.end_guests, finished)
