"""Calls that can be left in the middle: where a host function has no answer yet, at a stop that is looked at later, and where a slice of fuel
ends. No frame of Python is ever left in the middle: host functions and `on_stop` run on the stack of whoever runs the call.

What is awaited is of asyncio, which is imported where the first call is awaited: whoever awaits none does not pay for it.
"""
from __future__ import annotations

import itertools
import os
import time
from ctypes import POINTER, byref, c_int32
from typing import TYPE_CHECKING, Any, List, NamedTuple, Optional, Tuple, Union

from . import _bindings as c
from . import _calls
from ._bindings import Action, CallStatus, ErrorCode
from ._managed import StoreObject, _ending
from .errors import Error, TimedOut, Trap, check, known, not_null
from .values import Func, all_to_c, from_c

if TYPE_CHECKING:
    from .debugger import Stop

CallStatus.__doc__ = """Up to where a `Call` has come.

- `NEW`: it has not been run.
- `RUNNING`: it runs: who asks is called by its guest.
- `FINISHED`: it has results, or has failed.
- `WAITING`: a host function that its guest has called has no answer yet; `call.token` says which, `call.answer()` gives it.
- `OUT_OF_SLICE`: the fuel that `call.run_slice()` was given is used up.
- `AT_DEADLINE`: the store's deadline is over: `call.wait_at_deadline()`.
- `STOPPED`: its guest stands at a stop that is looked at later: `call.stop`.
- `BLOCKED`: WASI was to sleep, or to read what is not there yet: `call.wait_at_io()`, `call.blocked`.
"""

_numbers = itertools.count(1)


class _Waiter:
    """A task that awaits what a call waits for. Where the call is closed meanwhile, or its time is up, it is told by being cancelled."""

    def __init__(self, loop: Any, task: Any) -> None:
        self.loop = loop
        self.task = task
        self.waits = True
        self.told = False
        self.is_late = False

    def expire(self) -> None:
        """The call's time is up."""
        if self.waits:
            self.is_late = True
            self._cancel()

    def tell(self) -> None:
        """The call was closed, perhaps on another thread."""
        try:
            self.loop.call_soon_threadsafe(self._cancel)
        except RuntimeError:
            pass  # the loop is closed, and no task of it runs any more

    def _cancel(self) -> None:
        if self.waits and not self.told:
            self.told = True
            self.task.cancel()

    def take_back(self) -> bool:
        """Takes the cancellation back; whether somebody else has cancelled the task, too."""
        self.told = False
        uncancel = getattr(self.task, "uncancel", None)  # from Python 3.11 on
        return uncancel is not None and uncancel() > 0


class Blocked(NamedTuple):
    """What a guest waits for where WASI would block."""

    timeout: Optional[float]
    """In how many seconds it is to go on; None if it waits for no time."""
    reads: Tuple[int, ...]
    """The descriptors of which something is to be there to read. They are the guest's: they are there until its call is run."""
    writes: Tuple[int, ...]
    """Those in which there is to be room to write."""

    async def ready(self) -> None:
        """Comes back at the time, or when one of the descriptors is ready. Of asyncio."""
        import asyncio

        if not self.reads and not self.writes:
            await asyncio.sleep(self.timeout or 0)
            return
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        copies: List[Tuple[Any, int]] = []
        try:
            for fds, add, remove in ((self.reads, loop.add_reader, loop.remove_reader), (self.writes, loop.add_writer, loop.remove_writer)):
                for fd in fds:
                    fd = os.dup(fd)  # the loop may wait for the same descriptor for somebody else
                    copies.append((remove, fd))
                    try:
                        add(fd, wake)
                    except PermissionError:
                        wake()  # what cannot be waited for is always ready
            await asyncio.wait((future,), timeout=self.timeout)
        finally:
            for remove, fd in copies:
                remove(fd)
                os.close(fd)


def _runs_asyncio() -> bool:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False  # another kind of loop runs this
    return True


class Call(StoreObject):
    """A call of a function, a guest's or the host's, that can be left in the middle, and gone on with later.

    `run()` runs it until it is done, or until its guest waits, and says which; then other calls, of this store and of others, may be run,
    and this one goes on where it was when it is run again, on any thread. A guest that was called as usual cannot wait, nor one that a host
    function calls as usual: each guest that is to wait has a `Call`.

    A guest that waits is left where it stands, as by a trap, when the call is closed, or nobody has it any more. Meanwhile no debugger is
    detached from the store. With asyncio, `await func.call_async(...)` does all this.
    """

    _is_call = True
    _number = 0  # by which the store knows the handle
    _awaited: Optional[Tuple[Any, Any]] = None  # the host function that has no answer yet, with its token
    _stands: Optional[Tuple[Stop, Any]] = None  # a stop that is looked at later, with what `on_stop` has returned
    _failure: Optional[BaseException] = None  # what its guest is about to be ended for
    _thrown: Any = None  # the last `GuestException` that was thrown in it
    _waiter: Optional[_Waiter] = None
    _is_awaited = False

    def __init__(self, func: Func, *args: Any) -> None:
        """A call of `func` with these arguments, which is not run yet."""
        if not isinstance(func, Func):
            raise TypeError(f"a Func is called, not {func!r}; that of a typed export is its `func`")
        params, results = func.type
        if len(args) != len(params):
            raise TypeError(f"the function has {len(params)} parameters, but {len(args)} arguments were given")
        store = func._store
        out = POINTER(c.stepwell_call_t)()
        with store._lock:
            if store._given_back:
                store._delete_given_back()
            given = all_to_c(store, params, args, "argument")
            check(c.stepwell_call_new(func._handle, byref(given), byref(out)))
            self._store = store
            self._number = next(_numbers)
            store._call_handles[self._number] = out
            self._own_in(store, out)
        self._func = func
        self._results = results

    @property
    def _handle(self) -> Any:
        """The handle; an error once it is closed. Where all is found unused at once, the debugger may have given it up."""
        if self._number not in self._store._call_handles:
            self._ptr = None
        return super()._handle

    @property
    def func(self) -> Func:
        """The function that is called."""
        return self._func

    @property
    def status(self) -> Union[CallStatus, int]:
        """Up to where it has come, a `CallStatus`."""
        with self._store._lock:
            return known(CallStatus, c.stepwell_call_status(self._handle))

    @property
    def token(self) -> Any:
        """What its guest waits for: what a host function has given `NotYet`, or the coroutine of an `async def` one; at a stop, what an
        asynchronous `on_stop` is awaited by. None where it waits for nothing."""
        with self._store._lock:
            status = self.status
            if status == CallStatus.WAITING and self._awaited is not None:
                return self._awaited[1]
            return self._stands[1] if status == CallStatus.STOPPED and self._stands is not None else None

    @property
    def stop(self) -> Optional[Stop]:
        """The `Stop` at which its guest stands, or None. It may be looked at, changed and told what comes next, as within `on_stop`, until the call
        is run."""
        return self._stands[0] if self._stands is not None and self.status == CallStatus.STOPPED else None

    def run(self, *, timeout: Optional[float] = None) -> Union[CallStatus, int]:
        """Runs it until it is done, or its guest waits. What the guest fails by, a trap or an exception of a host function, is raised, and
        ends the call. So does `TimedOut`, where it neither is done nor waits after so many seconds: see `Func.call`."""
        deadline = None if timeout is None else _calls.Deadline(self._store, timeout)
        return _calls.bounded(deadline, lambda: self._run(c.stepwell_call_run))  # type: ignore[no-any-return]

    def run_slice(self, fuel: int) -> Union[CallStatus, int]:
        """Runs it as `run()` does, for so much fuel of the store's: then its guest waits where it next begins a function or a turn of a loop. Needs
        `Engine(fuel=True, fuel_slices=True)`."""
        if not 0 < fuel < 1 << 63:
            raise ValueError(f"a slice of fuel is from 1 to 2**63 - 1, not {fuel}")
        return self._run(c.stepwell_call_run_slice, fuel)

    def wait_at_deadline(self, on: bool = True) -> None:
        """Has its guest wait where the store's deadline is over (`Store.set_epoch_deadline`), in the place of a trap. When it goes on with a
        deadline that is still over, it has until the next epoch."""
        with self._store._lock:
            c.stepwell_call_wait_at_deadline(self._handle, on)

    def wait_at_io(self, on: bool = True) -> None:
        """Has its guest wait where WASI would block: where it sleeps, or reads what is not there yet. Then `run()` returns `CallStatus.BLOCKED`, and
        `blocked` says what is waited for. `call_async` and `run_async` do this and wait for it. What is written always blocks, and so does WASI in
        a guest that a host function has called in turn."""
        with self._store._lock:
            c.stepwell_call_wait_at_io(self._handle, on)

    @property
    def blocked(self) -> Optional[Blocked]:
        """What its guest waits for where WASI would block, or None: the call is to be run at the time, or when one of the descriptors is ready; run
        before that, it waits again."""
        with self._store._lock:
            handle = self._handle
            if c.stepwell_call_status(handle) != CallStatus.BLOCKED:
                return None
            room = (c.stepwell_call_io_t * c.stepwell_call_io(handle, None, 0))()
            c.stepwell_call_io(handle, room, len(room))
            left = c.stepwell_call_io_timeout(handle)
            return Blocked(None if left == 2**64 - 1 else left / 1e9,
                           tuple(on.fd for on in room if not on.write), tuple(on.fd for on in room if on.write))

    def answer(self, value: Any = None) -> None:
        """Says what its guest goes on with when the call is run next: what the host function returns, or at a stop an `Action`, of which what is
        said last counts; None is what `call.stop` was told, and a `Trap` ends the guest."""
        with self._store._lock:
            handle = self._handle
            if self._stands is not None and self.status == CallStatus.STOPPED:
                if isinstance(value, Trap):
                    self.fail(value)
                    return
                stop = self._stands[0]
                action = stop._answer if value is None else Action(value)
                if action == Action.LATER:
                    raise ValueError("Action.LATER is no answer")
                self._failure, stop._answer = None, action
                return
            awaited = self._awaited
            if awaited is None or self.status != CallStatus.WAITING:
                raise Error("the call's guest waits for no answer", ErrorCode.STATE)
            host = awaited[0]
            given = all_to_c(self._store, host.type.results, host.results(value), "result")
            check(c.stepwell_call_answer(handle, byref(given)))

    def fail(self, exception: BaseException) -> None:
        """Has its guest end by an exception when the call is run next, as if the host function, or `on_stop`, had raised it: `run()` raises it. A
        `GuestException` is thrown in the guest."""
        if not isinstance(exception, BaseException):
            raise TypeError(f"an exception is wanted, not {exception!r}")
        store = self._store
        with store._lock:
            handle = self._handle
            text = _calls.describe(exception)
            if self._stands is not None and self.status == CallStatus.STOPPED:
                stop = self._stands[0]
                if not isinstance(exception, Trap):
                    text = f"on_stop raised {text}"
                c.stepwell_stop_message_set(stop._handle, text.encode("utf-8", "replace").replace(b"\0", b" "))
                self._failure, stop._answer = exception, Action.TRAP
                return
            trap = _calls.thrown(store, exception)
            if trap is None:
                check(c.stepwell_call_answer_trap(handle, _calls.trap_from(store, text)))
                self._failure = exception
            else:
                check(c.stepwell_call_answer_trap(handle, trap))
                self._thrown = exception

    def results(self) -> Any:
        """What it has returned, once it is finished, as a call of the function gives it: None, the one result, or a tuple. It may be asked
        again; an `Error` (`ErrorCode.STATE`) where it has failed or is not finished."""
        store, names = self._store, self._results
        with store._lock:
            room = (c.wasm_val_t * len(names))()
            vec = c.wasm_val_vec_t(len(names), room)
            check(c.stepwell_call_results(self._handle, byref(vec)))
            values = [from_c(store, val, owned=True) for val in room]
        return None if not names else values[0] if len(names) == 1 else tuple(values)

    async def run_async(self, *, slice: Optional[int] = None, timeout: Optional[float] = None) -> Any:
        """Runs it to its end as a coroutine of asyncio, awaits what its guest waits for, and returns its results: see `Func.call_async`. Where it
        fails or is cancelled, the call is closed."""
        if self._is_awaited:
            raise Error("the call is awaited already", ErrorCode.STATE)
        deadline = None if timeout is None else _calls.Deadline(self._store, timeout)
        self._is_awaited = True
        try:
            self.wait_at_io(_runs_asyncio())
            while True:
                try:
                    status = _calls.bounded(deadline, self.run if slice is None else lambda: self.run_slice(slice))
                except BaseException:
                    if _calls.is_cancelled():
                        import asyncio

                        await asyncio.sleep(0)  # here the task is told that it is cancelled, once
                    raise
                if status == CallStatus.FINISHED:
                    return self.results()
                await self._wait(status, deadline)
        except BaseException:
            self.close()
            raise
        finally:
            self._is_awaited = False

    async def _wait(self, status: int, deadline: Optional[_calls.Deadline] = None) -> None:
        """Awaits what its guest waits for, and gives it that."""
        import asyncio

        blocked = self.blocked if status == CallStatus.BLOCKED else None
        if blocked is None and status not in (CallStatus.WAITING, CallStatus.STOPPED):
            await asyncio.sleep(0)
            return
        token = self.token if blocked is None else blocked.ready()
        if not _calls.is_awaitable(token):
            what = f"a host function has raised NotYet({token!r})" if status == CallStatus.WAITING else "on_stop has returned Action.LATER"
            self.fail(Error(f"{what}, which cannot be awaited: use Call.run(), or make it `async def`", ErrorCode.STATE))
            return
        waiter: Optional[_Waiter] = None
        try:
            task = asyncio.current_task()
            waiter = None if task is None else _Waiter(asyncio.get_running_loop(), task)
        except RuntimeError:
            pass  # another kind of loop runs this
        self._waiter = waiter
        began, timer = time.monotonic(), None
        if waiter is not None and deadline is not None and status != CallStatus.STOPPED:
            timer = waiter.loop.call_later(max(deadline.at - began, 0), waiter.expire)
        try:
            value = await token
        except GeneratorExit:
            raise
        except asyncio.CancelledError:
            if waiter is None or not waiter.told or waiter.take_back():
                raise
        except BaseException as exception:
            if self.closed or blocked is not None:
                raise
            self.fail(exception)
            return
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()
            if deadline is not None and status == CallStatus.STOPPED:
                deadline.extend(time.monotonic() - began)  # who looks at a stop takes none of the call's time
            if waiter is not None:
                waiter.waits = False
                if waiter.told:
                    waiter.take_back()
        self._handle  # it may have been closed meanwhile
        if waiter is not None and waiter.is_late and deadline is not None:
            if blocked is not None:
                raise TimedOut(deadline.timeout)
            self.fail(TimedOut(deadline.timeout))
            return
        if blocked is not None:
            return
        stop = self.stop
        if value is None and stop is not None and stop.interrupt is not None and not stop._is_told:
            self.fail(stop.interrupt)
            return
        try:
            self.answer(value)
        except Exception as exception:
            if self.closed:
                raise
            self.fail(exception)

    def _run(self, function: Any, *fuel: int) -> Union[CallStatus, int]:
        store = self._store
        with store._lock:
            handle, status = self._handle, c_int32()
            stood = self._stands
            before = self._awaited
            is_running = c.stepwell_call_status(handle) == CallStatus.RUNNING  # this is refused
            if stood is not None and not is_running:
                self._tell(handle, stood[0])
            try:
                _calls.enter(store, function, handle, *fuel, call=self, behind=(byref(status),))
            finally:
                if not is_running:
                    self._left(handle, before, stood)
            return known(CallStatus, status.value)

    def _tell(self, handle: Any, stop: Stop) -> None:
        """Has its guest go on as the stop was told. The stop is over."""
        if stop._ptr is not None:
            debugger = stop._debugger
            if debugger._ptr is not None:
                check(c.stepwell_debugger_answer(debugger._ptr, handle, stop._answer))
            stop._ptr = None

    def _left(self, handle: Any, before: Any, stood: Any) -> None:
        """It has been run: what it does not wait for any more is forgotten."""
        status = c.stepwell_call_status(handle)
        if status != CallStatus.WAITING:
            self._forget("_awaited")
        elif before is not self._awaited:
            _never(before)
        if status != CallStatus.STOPPED:
            self._forget("_stands")
            if status == CallStatus.FINISHED:
                self._failure = self._thrown = None
            return
        stands = self._stands
        if stands is not stood:
            _never(stood)
        if stands is not None and self._ptr is not None:  # else another thread has closed it meanwhile
            stop = stands[0]
            stop._stand(not_null(c.stepwell_debugger_stop_of(stop._debugger._handle, handle), "stepwell_debugger_stop_of"))

    def _forget(self, name: str) -> None:
        gone = getattr(self, name)
        setattr(self, name, None)
        _never(gone)

    def close(self) -> None:
        """Gives it up: a guest that waits is left where it stands, as by a trap that no debugger is told of, and a task that awaits the call
        gets a `ValueError`. Refused while it runs. Closing twice is allowed."""
        lock = self._store._lock
        if lock.acquire(blocking=False):  # else another thread is inside: it is deleted when that has left
            try:
                ptr = self._store._call_handles.get(self._number)
                if ptr is not None and c.stepwell_call_status(ptr) == CallStatus.RUNNING:
                    raise Error("the call runs: it cannot be closed before its guest waits, or is done", ErrorCode.STATE)
            finally:
                lock.release()
        waiter = self._waiter
        self._give_up()
        if waiter is not None:
            waiter.tell()

    def _give_up(self) -> None:
        self._ptr = None
        stands = self._stands
        if stands is not None:
            stands[0]._ptr = None
        self._forget("_awaited")
        self._forget("_stands")
        ptr = self._store._call_handles.pop(self._number, None)
        self._number = 0
        if ptr is not None:
            self._store._give_back(c.stepwell_call_delete, ptr)

    def __del__(self, _ending: List[int] = _ending) -> None:
        if self._number and not _ending:
            self._give_up()

    def _about(self) -> str:
        status = self.status
        about = f"of {self._func.type._shown()}, {getattr(status, 'name', str(status)).lower().replace('_', ' ')}"
        if status == CallStatus.WAITING:
            about += f" for {self.token!r}"
        elif self.stop is not None:
            about += f" by {self.stop._why()}"
        return about


def _never(waited_for: Optional[Tuple[Any, Any]]) -> None:
    """Nobody will await it."""
    if waited_for is not None:
        _calls.never_await(waited_for[1])
