"""Debugging one store: breakpoints, stops, frames."""
from __future__ import annotations

import bisect
import functools
import html
import os
import threading
import time
from ctypes import POINTER, byref, c_size_t, c_uint32, c_uint64, create_string_buffer
from functools import cached_property
from itertools import islice
from types import FunctionType
from typing import IO, TYPE_CHECKING, Any, Callable, Dict, Iterator, List, NamedTuple, NoReturn, Optional, Sequence, Tuple, Type, TypeVar, Union

from . import _bindings as c
from . import _calls
from ._bindings import Action, ErrorCode, Events, ExceptionStops, Scope, StopReason, TrapCode, VariableKind, WatchKind
from ._managed import Managed, StoreObject, Unique, _ending
from ._notebook import FRAMES, ROOM, code, covered, line_of, table, text as shown_text, tree
from ._source import around, find, lines_of
from .errors import (
    c_string, Error, Source, Trap, check, escaped, known, last_error, name_from, name_to_show, not_null, sources_from, sources_until, take_bytes,
    text_from,
)
from .instance import Instance
from .module import Module, rows_of
from .store import Store
from .types import NAMES
from .values import ExnRef, Func, Global, Memory, all_to_c, from_c, to_c

if TYPE_CHECKING:
    from .session import Session

StopReason.__doc__ = "Why a guest was stopped."
Events.__doc__ = """Events that are stops where they are asked for, as a set: `Events.TRAP | Events.HOST_CALL`.

- `TRAP`: a guest traps; this alone is on at first.
- `MODULE`, `INSTANCE`: the store has a module that it had not; an instance has been made.
- `MEMORY_GROWN`: a memory has grown.
- `HOST_CALL`, `HOST_RETURN`: a guest calls a host function, which has not begun; a host function returns to a guest.
"""
ExceptionStops.__doc__ = """Which exceptions of guests are stops.

- `NONE`: none.
- `UNCAUGHT`: those that no frame catches, up to the last that the host has entered.
- `ALL`: all.
"""
Action.__doc__ = """What the guest is to do after a stop.

- `CONTINUE`: run to the next breakpoint.
- `STEP`: stop at the next instruction, whatever function it is in.
- `STEP_OVER`: stop at the next instruction of this frame, or of its caller once it returns.
- `STEP_OUT`: stop at the next instruction of the caller.
- `TRAP`: end the guest's call with a trap.
- `STEP_LINE`: stop where another line of the source begins, in this function or one with lines that it calls; once the frame returns, at
  once in the next one further out that has lines.
- `NEXT_LINE`: the same, but calls run through.
- `STEP_OUT_OF`: stop once so many frames are left as `stop.step_out_of` has said; without that, one.
- `RUN_TO`: stop where `stop.run_to` or `stop.run_to_line` has said.
- `LATER`: the guest waits, and `Call.run` returns: `call.stop` has the stop. An asynchronous `on_stop` needs none of this.
"""
Scope.__doc__ = """Which variables of the source a frame is asked for.

- `PARAMETERS`: the function's parameters.
- `LOCALS`: those of the blocks around the instruction, the innermost block first.
- `STATICS`: the static variables of the function's unit, which in C and C++ is its file with all that it includes.
- `MODULE`: those of the whole module.
"""
WatchKind.__doc__ = """What of a watched place is a hit.

- `WRITE`: each write, also of the value that is there.
- `CHANGE`: each write by which the value becomes another one.
- `READ`: each read, of memories alone.
- `ACCESS`: each read and each write, of memories alone.
"""
VariableKind.__doc__ = "What a variable of the source is made of; `SCOPE` is all variables of a scope."


class CoveredBlock(NamedTuple):
    """Instructions that are reached together, but for traps among them: from the one at `begin` on, before `end`."""

    begin: int
    end: int
    func_index: int
    is_reached: bool


class CoveredSide(NamedTuple):
    """One of the ways that control goes from the branch at `branch`: to the instruction at `to`, or where the function's body ends if that
    is out of the function. `side` is 0 where the condition holds and 1 where it does not; of a `br_table` each block that it names has one."""

    branch: int
    to: int
    func_index: int
    side: int
    is_reached: bool


class Coverage(List[CoveredBlock]):
    """What of a module was reached when it was asked for: a list of its blocks. Notebooks show it as the source with what was reached of it."""

    def __init__(self, module: Module, blocks: Sequence[CoveredBlock], folders: Sequence[str] = ()) -> None:
        super().__init__(blocks)
        self._module = module
        self._folders = folders

    @property
    def module(self) -> Module:
        """The module."""
        return self._module

    @cached_property
    def lines(self) -> Dict[str, Dict[int, int]]:
        """By file of the source, as the compiler knew it, and by line: 1 if any of its code was reached, else 0. Lines without code are not there, and
        nothing is without DWARF."""
        found: Dict[str, Dict[int, int]] = {}
        blocks = sorted(self)
        begins = [block.begin for block in blocks]
        table = self._module.line_table
        for row, behind in zip(table, table[1:]):
            if row.is_end or not row.line or row.file is None:
                continue
            at = bisect.bisect_right(begins, row.offset) - 1
            if at < 0 or row.offset >= blocks[at].end:
                at += 1  # the row of a function begins before its first instruction
                if at >= len(blocks) or blocks[at].begin >= behind.offset:
                    continue
            lines = found.setdefault(row.file, {})
            lines[row.line] = max(lines.get(row.line, 0), int(blocks[at].is_reached))
        return {file: dict(sorted(lines.items())) for file, lines in sorted(found.items())}

    @property
    def counts(self) -> Dict[str, Tuple[int, int]]:
        """How many `"lines"` and `"blocks"` were reached, each with how many there are."""
        lines = [count for file in self.lines.values() for count in file.values()]
        return {"lines": (sum(map(bool, lines)), len(lines)), "blocks": (sum(block.is_reached for block in self), len(self))}

    def __repr__(self) -> str:
        counts = ", ".join(f"{reached} of {there} {what}" for what, (reached, there) in self.counts.items())
        return f"<Coverage of {self._module._shown_name()}: {counts}>"

    def _repr_html_(self) -> str:
        """What notebooks show of it: each file of the source, to be unfolded."""
        files = []
        for file, lines in self.lines.items():
            path = find(file, self._folders)
            files.append((file, lines, lines_of(path) if path is not None else []))
        return f"<div>{shown_text(repr(self)[1:-1])}</div>" + covered(files)


class BreakPlace(NamedTuple):
    """An instruction at which a breakpoint stands: `offset` is its byte offset in the module, which is None if Python did not make it."""

    module: Optional[Module]
    func_index: int
    offset: int
    source: List[Source]

    @property
    def line(self) -> Optional[int]:
        """The line of the source that it is at, or None where that is not known."""
        return next((place.line for place in self.source[:1] if place.line), None)


class Breakpoint:
    """A breakpoint of a debugger: its number, and the places where it stands. Two are the same if they are of one debugger and have one `id`."""

    def __init__(self, debugger: Debugger, number: int) -> None:
        self._debugger = debugger
        self.id = number
        self._places: List[BreakPlace] = []
        self._condition: Optional[_Asked] = None
        self._once = False
        self._instance: Optional[Instance] = None

    @property
    def places(self) -> List[BreakPlace]:
        """Where it stands: as many instructions as the line or the name has. Of a breakpoint for any module there may be more later,
        and none yet. Of one that is gone, those that were known."""
        debugger = self._debugger
        if debugger._ptr is None or self.id not in debugger._breakpoints:
            return list(self._places)
        with debugger._store._lock:
            count = c.stepwell_breakpoint_place_count(debugger._handle, self.id)
            for index in range(len(self._places), count):
                at = debugger._handle, self.id, index
                handle = not_null(c.stepwell_breakpoint_place_module(*at), "stepwell_breakpoint_place_module")
                try:
                    module = debugger._store._module_of(handle)
                finally:
                    c.wasm_module_delete(handle)
                source = sources_until(c.stepwell_breakpoint_place_source, *at)
                offset = c.stepwell_breakpoint_place_offset(*at)
                self._places.append(BreakPlace(module, c.stepwell_breakpoint_place_func_index(*at), offset, source))
        return list(self._places)

    @property
    def _first(self) -> Optional[BreakPlace]:
        return next(iter(self._places or self.places), None)

    @property
    def module(self) -> Optional[Module]:
        """The module of its first place; None while it has none."""
        return self._first.module if self._first else None

    @property
    def func_index(self) -> Optional[int]:
        """The function of its first place, by its index; None while it has none."""
        return self._first.func_index if self._first else None

    @property
    def offset(self) -> Optional[int]:
        """The byte offset in the module of its first place; None while it has none."""
        return self._first.offset if self._first else None

    @property
    def source(self) -> List[Source]:
        """Where its first place is in the source: the place itself, and then those that it was inlined into; empty where that is not known."""
        return self._first.source if self._first else []

    @property
    def line(self) -> Optional[int]:
        """The line of the source that it is at, or None where that is not known. A breakpoint that was asked for at a line without code
        is at the next line that has some."""
        return self._first.line if self._first else None

    def _set(self, setter: Any, *values: Any) -> None:
        with self._debugger._store._lock:
            check(setter(self._debugger._handle, self.id, *values))

    def _get(self, getter: Any) -> Any:
        with self._debugger._store._lock:
            return getter(self._debugger._handle, self.id)

    @property
    def enabled(self) -> bool:
        """Whether it stops anything, as all do at first. One that is not enabled costs nothing. It can be set."""
        return bool(self._get(c.stepwell_breakpoint_enabled))

    @enabled.setter
    def enabled(self, on: bool) -> None:
        self._set(c.stepwell_breakpoint_enabled_set, bool(on))

    @property
    def hit_count(self) -> int:
        """How often it was come to while its condition held, those times counted that were ignored. It can be set."""
        return int(self._get(c.stepwell_breakpoint_hit_count))

    @hit_count.setter
    def hit_count(self, count: int) -> None:
        self._set(c.stepwell_breakpoint_hit_count_set, counted(count))

    @property
    def ignore_count(self) -> int:
        """How many times it is passed before it stops. It can be set, and counts down."""
        return int(self._get(c.stepwell_breakpoint_ignore_count))

    @ignore_count.setter
    def ignore_count(self, count: int) -> None:
        self._set(c.stepwell_breakpoint_ignore_count_set, counted(count))

    @property
    def one_shot(self) -> bool:
        """Whether it is removed the first time that it stops, before `on_stop` is called. It can be set."""
        return bool(self._get(c.stepwell_breakpoint_one_shot))

    @one_shot.setter
    def one_shot(self, on: bool) -> None:
        self._set(c.stepwell_breakpoint_one_shot_set, bool(on))
        self._once = bool(on)

    @property
    def condition(self) -> Union[str, Callable[[Stop], Any], None]:
        """What must hold for it to stop: a text that is compared with the frame (`"local(0) > 10 && i32[local(1) + 8] == 3"`), or something
        that is called with the `Stop` and returns whether. It can be set; None is no condition. What a callback raises ends the guest, and
        is raised by the call that ran it."""
        if self._condition is not None:
            return self._condition.holds
        text = c.wasm_byte_vec_t()
        if not self._get(lambda *at: c.stepwell_breakpoint_condition(*at, byref(text))):
            return None
        return take_bytes(text)[:-1].decode("utf-8", "replace")

    @condition.setter
    def condition(self, condition: Union[str, Callable[[Stop], Any], None]) -> None:
        asked: Optional[_Asked] = None
        if callable(condition):
            asked = _Asked(self._debugger, condition)
            self._set(c.stepwell_breakpoint_condition_guarded_set, _asked, _calls.register(asked), _calls.no_finalizer)
        else:
            self._set(c.stepwell_breakpoint_condition_set, None if condition is None else c_string(condition))
        self._condition = asked

    @property
    def instance(self) -> Optional[Instance]:
        """The one instance whose frames it stops; None for all. It can be set."""
        return self._instance

    @instance.setter
    def instance(self, instance: Optional[Instance]) -> None:
        self._set(c.stepwell_breakpoint_instance_set, None if instance is None else instance._handle)
        self._instance = instance

    def remove(self) -> None:
        """Removes it."""
        self._debugger.remove(self)

    @property
    def removed(self) -> bool:
        """Whether it is gone: it was removed, has stopped once as a `one_shot`, or its debugger is closed."""
        debugger = self._debugger
        return debugger._ptr is None or self.id not in debugger._breakpoints or self not in debugger.breakpoints

    def __enter__(self) -> Breakpoint:
        return self

    def __exit__(self, *_: object) -> None:
        """Removes it, if it is still there."""
        if not self.removed:
            self.remove()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Breakpoint) and (self._debugger is other._debugger and self.id == other.id)

    def __hash__(self) -> int:
        return hash((id(self._debugger), self.id))

    def __repr__(self) -> str:
        def shown() -> str:
            places = self.places
            at = ", ".join(f"{place.offset:#x}" + (f" ({place.source[0]})" if place.source else "") for place in places[:_SHOWN])
            notes = [f"{len(places) - _SHOWN} more"] * (len(places) > _SHOWN) + ["removed"] * self.removed
            if not notes and not self.enabled:
                notes = ["not enabled"]
            return f"<Breakpoint {self.id} at {', '.join([at or 'no place yet', *notes])}>"

        return _unless_in_use(self._debugger, f"<Breakpoint {self.id}>", shown)


class Watchpoint:
    """A watchpoint of a debugger, and what it watches. Two are the same if they are of one debugger and have one `id`."""

    def __init__(self, debugger: Debugger, number: int, target: Union[Global, Memory, int, None] = None) -> None:
        self._debugger = debugger
        self.id = number
        self._target = target

    @property
    def target(self) -> Union[Global, Memory, int, None]:
        """The `Global` or `Memory` that it watches, or the index of the local; None for a variable, and if Python did not set it."""
        return self._target

    @property
    def kind(self) -> Union[WatchKind, int, None]:
        """What of its place is a hit, a `WatchKind`; None if it is gone."""
        with self._debugger._store._lock:
            kind = c.stepwell_watchpoint_kind(self._debugger._handle, self.id)
        return known(WatchKind, kind) if kind else None

    @property
    def enabled(self) -> bool:
        """Whether it stops anything, as all do at first. One that is not enabled costs nothing, and what is written meanwhile is not told later.
        It can be set."""
        with self._debugger._store._lock:
            return bool(c.stepwell_watchpoint_enabled(self._debugger._handle, self.id))

    @enabled.setter
    def enabled(self, on: bool) -> None:
        with self._debugger._store._lock:
            check(c.stepwell_watchpoint_enabled_set(self._debugger._handle, self.id, bool(on)))

    @property
    def hit_count(self) -> int:
        """How often it was hit; 0 if it is gone."""
        with self._debugger._store._lock:
            return int(c.stepwell_watchpoint_hit_count(self._debugger._handle, self.id))

    def remove(self) -> None:
        """Removes it."""
        with self._debugger._store._lock:
            check(c.stepwell_watchpoint_remove(self._debugger._handle, self.id))
        self._debugger._watchpoints.pop(self.id, None)

    @property
    def removed(self) -> bool:
        """Whether it is gone: it was removed, its frame is over, or its debugger is closed."""
        return self._debugger._ptr is None or self.kind is None

    def __enter__(self) -> Watchpoint:
        return self

    def __exit__(self, *_: object) -> None:
        """Removes it, if it is still there."""
        if not self.removed:
            self.remove()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Watchpoint) and (self._debugger is other._debugger and self.id == other.id)

    def __hash__(self) -> int:
        return hash((id(self._debugger), self.id, "watch"))

    def __repr__(self) -> str:
        def shown() -> str:
            if self.removed:
                return f"<Watchpoint {self.id}, removed>"
            kind, target = getattr(self.kind, "name", str(self.kind)), self._target
            of = "" if target is None else f" of local {target}" if isinstance(target, int) else f" of {target!r}"
            return f"<Watchpoint {self.id}: {kind}{of}{'' if self.enabled else ', not enabled'}>"

        return _unless_in_use(self._debugger, f"<Watchpoint {self.id}>", shown)


class WatchHit(NamedTuple):
    """What a watchpoint has seen. `offset` is the byte offset in its module of the instruction that did it, which is in the function of `func_index`:
    one that accesses, or, with `by_host`, the call of the host function that has written. `is_read` says whether it has only read. `old` and `new`
    are the bytes that were there and are there now: of a global or a local its value, and none if that is a reference; of a memory what of it was
    accessed, or changed by the host, from `address` on, which is None for the others. `is_end` says that nothing was accessed: the frame that the
    watchpoint was bound to is gone, and the watchpoint is removed; `offset` is the call by which the frame came to be."""

    watchpoint: Watchpoint
    func_index: int
    offset: int
    by_host: bool
    is_read: bool
    address: Optional[int]
    old: bytes
    new: bytes
    is_end: bool = False


_SHOWN = 5  # of a list in a line
_MANY = 100  # frames, and locals of one
_AGAIN = 1.0  # seconds within which a second Ctrl-C means it


def _unless_in_use(debugger: Debugger, otherwise: str, shown: Callable[[], str]) -> str:
    """What `shown` says, unless another thread is inside of the store: who looks at a prompt does not wait for a guest."""
    lock = debugger._store._lock
    if not lock.acquire(blocking=False):
        return otherwise
    try:
        return shown()
    except (Error, ValueError):
        return otherwise
    finally:
        lock.release()


K = TypeVar("K", bound=Type[Any])


def _with_store(kind: K) -> K:
    """What is asked of a stop whose guest waits is asked with the store in hand: other threads may run guests of it meanwhile."""
    def held(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def ask(self: Any, *args: Any, **named: Any) -> Any:
            lock = self._in_hand()
            if lock is None:
                return function(self, *args, **named)
            with lock:
                return function(self, *args, **named)

        return ask

    for name, member in list(vars(kind).items()):
        if name.startswith("__") or name in ("_in_hand", "_stand", "_is_live", "_handle", "_live", "serve", "interact", "over", "store", "debugger"):
            continue
        if isinstance(member, FunctionType):
            setattr(kind, name, held(member))
        elif isinstance(member, property) and member.fget is not None:
            setattr(kind, name, property(held(member.fget), member.fset, member.fdel, member.__doc__))
        elif isinstance(member, cached_property):
            member.func = held(member.func)
    return kind


class _Asked:
    """A condition that Python is asked for."""

    def __init__(self, debugger: Debugger, holds: Callable[[Stop], Any]) -> None:
        self.debugger = debugger
        self.holds = holds

    def _ask(self, ptr: Any) -> bool:
        stop = Stop(self.debugger, ptr)
        try:
            holds = self.holds(stop)
            if _calls.is_awaitable(holds):
                _calls.never_await(holds)
                raise TypeError("a condition cannot be asynchronous: it says at once whether it holds")
            return bool(holds)
        finally:
            stop._ptr = None


def counted(count: int) -> int:
    """A number of times."""
    if not 0 <= count < 1 << 64:
        raise ValueError(f"{count} is no number of times")
    return count


def values_of(store: Store, write: Callable[[Any], int], count: int) -> List[Any]:
    """What C has written to an array of `count` values."""
    values = (c.wasm_val_t * count)()
    written = min(write(values), count)
    try:
        return [from_c(store, values[i], owned=False) for i in range(written)]
    finally:
        for i in range(written):
            if values[i].kind >= c.STEPWELL_VALKIND_V128:
                c.wasm_val_delete(byref(values[i]))


class Debugger(StoreObject):
    """A debugger attached to one store; other stores never notice.

    `on_stop` is called at every stop, on the guest's thread, with a `Stop`. It may look and change, edit breakpoints, call
    exports (which may stop in turn), and says what the guest is to do: by returning an `Action`, or by calling `stop.step()`,
    `stop.step_over()`, `stop.next_line()` or their like; the guest goes on if it does neither. What it raises ends the guest, and is raised by the
    call that ran it; a `Trap` that it returns does the same.

    It may be asynchronous (`async def`), for guests that `func.call_async` has called: the guest stands while it is awaited, and other tasks
    run. Guests that were called as usual cannot wait for it, which is an `Error` that the call raises.

    Without an `on_stop`, each stop asks a person at a prompt: see `Stop.interact`. `source_folders` is a list of folders, to which may be added, where the
    files of the source are that are not where the compiler found them.

    Attaching compiles debug code where the store's modules have none. `progress` is told how many functions of how many are done, perhaps on
    another thread, and returns whether to go on. Where it does not, or raises, the store is as it was, and attaching can be begun again.

    It stays attached until it is closed, which is refused while a guest runs in the store.

    Ctrl-C (`KeyboardInterrupt`) has a guest that computes stop, with `StopReason.PAUSE` and `stop.interrupt`. Where `on_stop` says nothing then, it is
    raised by the call, as without a debugger; so is a second one within a second, whatever `on_stop` says. With `pause_on_interrupt`
    false, which can be set later, it is raised at once.
    """

    _delete = c.stepwell_debugger_delete

    def __init__(
            self, store: Store, on_stop: Optional[Callable[[Stop], Any]] = None, *,
            progress: Optional[Callable[[int, int], Any]] = None, pause_on_interrupt: bool = True) -> None:
        if on_stop is not None and not callable(on_stop):
            raise TypeError(f"on_stop must be callable, not {on_stop!r}")
        self._on_stop: Callable[[Stop], Any] = Stop.interact if on_stop is None else on_stop
        self.source_folders: List[str] = []
        self._at_prompt: Any = None  # what its prompts know of each other
        self.pause_on_interrupt = pause_on_interrupt
        self._interrupt: Optional[BaseException] = None  # a guest is about to stop for it
        self._interrupted_at = -_AGAIN
        self._breakpoints: Dict[int, Breakpoint] = {}
        self._watchpoints: Dict[int, Watchpoint] = {}
        out = POINTER(c.stepwell_debugger_t)()
        env = _calls.register(self)
        with store._lock:
            _calls.with_progress(progress, lambda tell: c.stepwell_debugger_attach_guarded(
                store._handle, _stopped, env, _calls.no_finalizer, tell, None, byref(out)))
            self._own_in(store, out)
            self._pauser = Pauser(self)
            store._debugger = self

    def session(self, *, stdin: Optional[IO[str]] = None, stdout: Optional[IO[str]] = None) -> Session:
        """Takes the stops from `on_stop` until it is closed, and hands them to whoever calls guests by it, from statement to statement; or to a
        prompt: see `Session`. `with` closes it. `stdin` and `stdout` are those of its prompts."""
        from .session import Session

        self._handle
        return Session(self, stdin, stdout)

    def _takes(self, exception: BaseException) -> bool:
        """Whether the guest that runs stops for an exception of a signal's handler."""
        if not self.pause_on_interrupt or not isinstance(exception, KeyboardInterrupt):
            return False
        now = time.monotonic()
        before, self._interrupted_at = self._interrupted_at, now
        if now - before < _AGAIN or self._interrupt is not None:
            return False
        self._interrupt = exception
        if self._pauser.pause():
            return True
        self._interrupt = None
        return False

    def close(self) -> None:
        """Detaches: breakpoints are gone, and the store runs production code again."""
        if self._ptr is None:
            return
        with self._store._lock:
            if self._store._depth:
                raise Error("the debugger cannot be detached while a guest runs in its store", ErrorCode.STATE)
            self._store._delete_given_back()
            c.stepwell_last_error_clear()
            c.stepwell_debugger_delete(self._ptr)
            if c.stepwell_last_error():
                raise last_error("stepwell_debugger_delete")  # a guest waits
            self._ptr = None
            self._store._debugger = None
            self._breakpoints.clear()
            self._watchpoints.clear()

    def __del__(self, _ending: List[int] = _ending) -> None:
        if self._ptr is not None and not _ending:
            self._store._delete_calls()  # which nobody has any more: they would keep it attached
            super().__del__(_ending)

    def _about(self) -> str:
        return f"of {len(self.breakpoints)} breakpoints, {len(self.watchpoints)} watchpoints"

    @property
    def breakpoints(self) -> List[Breakpoint]:
        """The breakpoints there are, in the order they were set."""
        with self._store._lock:
            for placed in [placed for placed in self._breakpoints.values() if placed._once]:
                if not c.stepwell_breakpoint_one_shot(self._handle, placed.id):
                    del self._breakpoints[placed.id]  # It has stopped the guest, and was removed.
        return list(self._breakpoints.values())

    def _placed(self, function: Any, module: Optional[Module], *where: Any) -> Breakpoint:
        out = c_uint32()
        with self._store._lock:
            handle = None if module is None else self._store._module(module)
            check(function(self._handle, handle, *where, byref(out)))
            placed = self._breakpoints[out.value] = Breakpoint(self, out.value)
            placed.places  # What is known now stays known once it is gone.
        return placed

    def break_at(self, module: Module, offset: int) -> Breakpoint:
        """Sets a breakpoint at the instruction at this byte offset of the module, or the next one that can be reached in
        the same function. An offset in no function's body is an error. The module need not be instantiated yet."""
        if offset < 0:
            raise ValueError("an offset is not negative")
        return self._placed(c.stepwell_breakpoint_add, module, offset)

    def break_at_function(self, module: Optional[Module], function: Union[str, int]) -> Breakpoint:
        """Sets a breakpoint at the first instruction of a function, by its index, imports counted, or by a name, and then of every function that
        it means: its name in the source, whole or from the start of any of its parts on, as the linker knew it, of the name section, or of an
        export. With `module` None a name is for all modules of the store, and for those that
        come later."""
        if isinstance(function, str):
            return self._placed(c.stepwell_breakpoint_add_at_function, module, c_string(function))
        if module is None:
            raise TypeError("a function's index is one of a module, which must be given")
        if not 0 <= function < 1 << 32:
            raise ValueError(f"{function} is no function index")
        return self._placed(c.stepwell_breakpoint_add_at_function_index, module, function)

    def break_at_line(self, module: Optional[Module], file: str, line: int, column: int = 0) -> Breakpoint:
        """Sets one breakpoint at every place of a line of the source: in each function that has it, inlined copies too; of a function's first
        line behind what sets up its frame. Without code for the line, the next line that has some is meant, which the breakpoint's
        `line` tells. `file` is a path as the compiler knew it, or the end of one. With a column, only what begins there, or at the next
        one of the line. With `module` None it is for all modules of the store, and for those that come later."""
        for number, what in ((line, "line"), (column, "column")):
            if not 0 <= number < 1 << 32:
                raise ValueError(f"{number} is no {what}")
        return self._placed(c.stepwell_breakpoint_add_at_line, module, c_string(file), line, column)

    def break_at_source(self, module: Module, file: str, line: int) -> List[Breakpoint]:
        """Sets breakpoints at the code of a line of the source, one at each place that it has code at: they stop wherever the line
        runs. `file` is a path as the compiler knew it, or the end of one. Without code for the line, the next line that has some is
        meant, which the breakpoints' `line` tells. Needs DWARF in the module."""
        offsets = module.find_source(file, line)
        if not offsets:
            raise Error(f"the module's DWARF has no code for {escaped(file)}:{line} or behind it", ErrorCode.ARGUMENT)
        return [self.break_at(module, offset) for offset in offsets]

    def remove(self, breakpoint: Union[Breakpoint, int]) -> None:
        """Removes a breakpoint."""
        number = breakpoint.id if isinstance(breakpoint, Breakpoint) else breakpoint
        with self._store._lock:
            check(c.stepwell_breakpoint_remove(self._handle, number))
        self._breakpoints.pop(number, None)

    def break_at_all(self, module: Module, offsets: Sequence[int]) -> List[Breakpoint]:
        """Sets breakpoints at instructions of a module, all or none, in one edit of the machine code: many are set as fast as one."""
        count = len(offsets)
        if any(offset < 0 for offset in offsets):
            raise ValueError("an offset is not negative")
        out = (c_uint32 * count)()
        with self._store._lock:
            check(c.stepwell_breakpoint_add_all(self._handle, self._store._module(module), (c_size_t * count)(*offsets), count, out))
            placed = [Breakpoint(self, number) for number in out]
            self._breakpoints.update((one.id, one) for one in placed)
            for one in placed:
                one.places
        return placed

    def break_at_set(self, breakpoints: BreakpointSet) -> List[Breakpoint]:
        """Sets all breakpoints of a `BreakpointSet`, or none, in one edit of the machine code. Nothing is looked up for it."""
        with self._store._lock:
            out = (c_uint32 * len(breakpoints))()
            check(c.stepwell_breakpoint_add_set(self._handle, breakpoints._handle, out))
            placed = [Breakpoint(self, number) for number in out]
            self._breakpoints.update((one.id, one) for one in placed)
            for one in placed:
                one.places
        return placed

    def remove_all(self, breakpoints: Sequence[Union[Breakpoint, int]]) -> None:
        """Removes breakpoints, all or none, in one edit of the machine code."""
        numbers = [one.id if isinstance(one, Breakpoint) else one for one in breakpoints]
        with self._store._lock:
            check(c.stepwell_breakpoint_remove_all(self._handle, (c_uint32 * len(numbers))(*numbers), len(numbers)))
        for number in numbers:
            self._breakpoints.pop(number, None)

    def watch_global(self, target: Global, kind: Union[WatchKind, int] = WatchKind.CHANGE) -> Watchpoint:
        """Has writes of a mutable global stop the guest, with the reason `StopReason.WATCHPOINT`, behind the instruction that writes, whichever
        instance it is of. What a host function writes while a guest waits for it is told behind the call, if the value is another one then."""
        out = c_uint32()
        with self._store._lock:
            check(c.stepwell_debugger_watch_global(self._handle, target._handle, WatchKind(kind), byref(out)))
            made = self._watchpoints[out.value] = Watchpoint(self, out.value, target)
        return made

    def watch_memory(self, target: Memory, offset: int, size: int, kind: Union[WatchKind, int] = WatchKind.CHANGE) -> Watchpoint:
        """Has accesses of `size` bytes of a memory from `offset` on stop the guest, with the reason `StopReason.WATCHPOINT`, behind the instruction that
        accesses any of them. What a host function writes while a guest waits for it is told behind the call, if a byte is another one then."""
        out = c_uint32()
        with self._store._lock:
            at = counted(offset), counted(size)
            check(c.stepwell_debugger_watch_memory(self._handle, target._handle, *at, WatchKind(kind), byref(out)))
            made = self._watchpoints[out.value] = Watchpoint(self, out.value, target)
        return made

    def watch_local(self, frame: Frame, local: Union[int, str], kind: Union[WatchKind, int] = WatchKind.CHANGE) -> Watchpoint:
        """Has writes of a local of a frame, by its index or its name, stop the guest, behind the instruction that writes. Other frames of the same
        function have locals of their own, and what a stop callback writes is told to nobody. Once the frame is gone, so is the watchpoint: where a
        guest goes on then, that is told by a `WatchHit` with `is_end`; where a trap has ended it, or the host is its caller, by nothing."""
        index = frame.locals.names.get(local) if isinstance(local, str) else local
        if index is None:
            raise KeyError(local)
        out = c_uint32()
        with self._store._lock:
            check(c.stepwell_debugger_watch_local(self._handle, frame._handle, counted(index), WatchKind(kind), byref(out)))
            made = self._watchpoints[out.value] = Watchpoint(self, out.value, index)
        return made

    def watch_variable(self, variable: Variable, kind: Union[WatchKind, int] = WatchKind.CHANGE) -> Watchpoint:
        """Watches a variable of the source where it is now: in memory, in a local or in a global. A parameter or a variable of a block ends with its
        frame, as by `watch_local`; a static variable does not, nor does what a pointer points to."""
        out = c_uint32()
        with self._store._lock:
            check(c.stepwell_debugger_watch_variable(self._handle, variable._live, WatchKind(kind), byref(out)))
            made = self._watchpoints[out.value] = Watchpoint(self, out.value)
        return made

    @property
    def watchpoints(self) -> List[Watchpoint]:
        """The watchpoints there are, in the order in which they were set."""
        with self._store._lock:
            count = c.stepwell_debugger_watchpoint_count(self._handle)
            return [self._watchpoint(c.stepwell_debugger_watchpoint(self._handle, i)) for i in range(count)]

    def _watchpoint(self, number: int) -> Watchpoint:
        return self._watchpoints.get(number) or Watchpoint(self, number)

    def step_always(self, on: bool = True) -> None:
        """Makes every instruction of every call stop, whatever `on_stop` answers, beginning with the first one; or ends
        that."""
        with self._store._lock:
            check(c.stepwell_debugger_step_always_set(self._handle, on))

    def stop_at_exceptions(self, which: Union[ExceptionStops, int] = ExceptionStops.ALL) -> None:
        """Says which exceptions of guests are stops from now on, with the reason `StopReason.EXCEPTION`; none are at first. Those that
        are none still end a step where they are caught."""
        with self._store._lock:
            check(c.stepwell_debugger_stop_at_exceptions_set(self._handle, ExceptionStops(which)))

    @property
    def events(self) -> Events:
        """Which events are stops, a set of `Events`, which can be set; at first traps alone. What runs within the callback is not told of
        by them, but for traps. `Action.TRAP` fails what is told of."""
        with self._store._lock:
            return Events(c.stepwell_debugger_events(self._handle))

    @events.setter
    def events(self, events: Union[Events, int]) -> None:
        with self._store._lock:
            check(c.stepwell_debugger_events_set(self._handle, int(events)))

    def cover(self, module: Optional[Module] = None) -> None:
        """Notes from now on what of a module is reached; without one, of all modules that the store has and will have. It needs an
        `Engine(debug_tier=DebugTier.BLOCKS)`; `coverage`, `coverage_branches` and `lcov` say what was noted."""
        with self._store._lock:
            check(c.stepwell_debugger_cover(self._handle, None if module is None else self._store._module(module)))

    def coverage(self, module: Module) -> Coverage:
        """The blocks of a module, by their offsets, with what has been reached; none where `cover` was not asked for it. It is a list, and knows
        the lines of the source: see `Coverage`."""
        with self._store._lock:
            handle = self._store._module(module)
            rows = rows_of(c.stepwell_covered_block_t, lambda out, room: c.stepwell_debugger_coverage(self._handle, handle, out, room))
        return Coverage(module, [CoveredBlock(row.begin, row.end, row.func_index, row.is_reached) for row in rows], self.source_folders)

    def coverage_branches(self, module: Module) -> List[CoveredSide]:
        """The sides of a module's branches, branch by branch, with which of them were taken; none where `cover` was not asked for it, and
        none in debug code of the kind `DebugTier.SIMPLE`."""
        with self._store._lock:
            handle = self._store._module(module)
            rows = rows_of(c.stepwell_covered_side_t, lambda out, room: c.stepwell_debugger_coverage_branches(self._handle, handle, out, room))
        return [CoveredSide(row.branch, row.to, row.func_index, row.side, row.is_reached) for row in rows]

    def lcov(self) -> str:
        """What has been reached of the lines, functions and branches of the sources, in the format of lcov's tracefiles."""
        text = c.wasm_byte_vec_t()
        with self._store._lock:
            check(c.stepwell_debugger_coverage_lcov(self._handle, byref(text)))
        return take_bytes(text).decode("utf-8", "replace")

    def _call(self, ptr: Any) -> int:
        stop = Stop(self, ptr)
        try:
            if self._interrupt is not None:
                stop.interrupt, self._interrupt = self._interrupt, None
                if stop.reason != StopReason.PAUSE:
                    self._pauser.cancel()  # it stands already
            action = _calls.standing(lambda: self._on_stop(stop))
            if isinstance(action, Trap):
                raise action
            if action is None and stop.interrupt is not None and not stop._is_told:
                raise stop.interrupt
            call = _calls.waiting_call()
            if _calls.is_awaitable(action):
                if call is None:
                    _calls.never_await(action)
                    raise Error(
                        "on_stop is asynchronous, and this guest cannot wait for it: it was called as usual. Call the guest's function by "
                        "`await func.call_async(...)`, not from within a host function", ErrorCode.STATE)
                call._stands = stop, action
                return Action.LATER
            answer = stop._answer if action is None else Action(action)
            if answer == Action.LATER and call is not None:
                call._stands = stop, None
            return answer
        except BaseException as exception:
            _calls.stash(exception)
            text = _calls.describe(exception)
            if not isinstance(exception, Trap):
                text = f"on_stop raised {text}"
            c.stepwell_stop_message_set(ptr, text.encode("utf-8", "replace").replace(b"\0", b" "))
            return Action.TRAP
        finally:
            stop._ptr = None


@_with_store
class Stop(Unique):
    """A guest that stands. Usable until `on_stop` returns; where that is asynchronous, until it is done.

    `interrupt` is the `KeyboardInterrupt` that it has stopped for, which the call raises if `on_stop` says nothing, or None.
    """

    def __init__(self, debugger: Debugger, ptr: Any) -> None:
        self._debugger = debugger
        self._ptr: Optional[Any] = ptr
        self._frames: Dict[int, Frame] = {}
        self._answer = Action.CONTINUE
        self._is_told = False  # that, or something else
        self.interrupt: Optional[BaseException] = None
        self._is_lent = False  # to whoever has the store, while its guest waits

    def _stand(self, ptr: Any) -> None:
        """Its guest waits from now on."""
        self._ptr, self._is_lent = ptr, True
        self._frames.clear()

    def _in_hand(self) -> Any:
        """The store, as long as it is looked at: on_stop has it, but not where it is asynchronous."""
        return self._debugger._store._lock if self._is_lent else None

    @property
    def _handle(self) -> Any:
        if self._ptr is None:
            raise ValueError("the stop is over: on_stop has returned")
        return self._ptr

    def _tell(self, action: Action) -> None:
        self._answer, self._is_told = action, True

    def resume(self) -> None:
        """Once `on_stop` returns None, the guest runs to the next breakpoint. So it does without being told."""
        self._tell(Action.CONTINUE)

    def step(self) -> None:
        """Once `on_stop` returns None, the guest stops at the next instruction, whatever function it is in."""
        self._tell(Action.STEP)

    def step_over(self) -> None:
        """Once `on_stop` returns None, the guest stops at the next instruction of this frame, or of its caller once it returns."""
        self._tell(Action.STEP_OVER)

    def step_out(self) -> None:
        """Once `on_stop` returns None, the guest stops at the next instruction of the caller."""
        self._tell(Action.STEP_OUT)

    def step_line(self) -> None:
        """Once `on_stop` returns None, the guest stops where another line of the source begins, in this function or in one with lines that
        it calls. Functions without lines run through. Once the frame returns, it stops at once in the next one further out that has lines."""
        self._tell(Action.STEP_LINE)

    def next_line(self) -> None:
        """Once `on_stop` returns None, the guest stops where another line of the source begins in this frame; calls run through. Once the
        frame returns, it stops at once in the next one further out that has lines."""
        self._tell(Action.NEXT_LINE)

    def step_out_of(self, frames: int) -> None:
        """Once `on_stop` returns None, the guest stops when so many frames are left: at the next instruction of `frame(frames)`."""
        if frames < 0:
            raise ValueError("frames are counted from 0")
        check(c.stepwell_stop_step_out_of_set(self._handle, frames))
        self._tell(Action.STEP_OUT_OF)

    def run_to(self, offset: int) -> None:
        """Once `on_stop` returns None, the guest stops at an instruction of the innermost frame's function, by its byte offset in the module,
        in that frame; or in its caller, once it returns."""
        if offset < 0:
            raise ValueError("an offset is not negative")
        check(c.stepwell_stop_run_to_offset_set(self._handle, offset))
        self._tell(Action.RUN_TO)

    def run_to_line(self, line: int) -> None:
        """The same for a line of the file that the frame is in: wherever a statement of it begins in the function."""
        if not 0 <= line < 1 << 32:
            raise ValueError(f"{line} is no line")
        check(c.stepwell_stop_run_to_line_set(self._handle, line))
        self._tell(Action.RUN_TO)

    def interact(self, stdin: Optional[IO[str]] = None, stdout: Optional[IO[str]] = None) -> Action:
        """Asks a person what to do, at a prompt with the commands of `pdb` and gdb, `help` among them, and returns what the guest is to do: what
        `on_stop` may return. In a notebook it asks below the cell. Commands are read from `stdin`, if that is given, and what is said is
        written to `stdout`. `quit`, or the end of the input, raises `Quit`."""
        from .prompt import interact

        return interact(self, stdin, stdout)

    def serve(self, wait: Callable[[], Any]) -> None:
        """Calls `wait()`, inside `on_stop`, and lends the stop to other threads until that returns: they may do with it, one at a time,
        what `on_stop` may, but call guests of the store. `StopQueue` stands on it."""
        failed: List[BaseException] = []

        def waited(_: Any) -> None:
            try:
                wait()
            except BaseException as exception:
                failed.append(exception)

        # However often this thread has taken it: as `threading.Condition` gives such a lock up while it waits.
        lock: Any = self.store._lock
        held = lock._release_save()
        try:
            check(c.stepwell_stop_serve(self._handle, c.stepwell_wait_callback_t(waited), None))
        finally:
            lock._acquire_restore(held)
        if failed:
            raise failed[0]

    @property
    def debugger(self) -> Debugger:
        """The debugger."""
        return self._debugger

    @property
    def store(self) -> Store:
        """The store."""
        return self._debugger.store

    @cached_property
    def reason(self) -> Union[StopReason, int]:
        """Why it was stopped, a `StopReason`."""
        return known(StopReason, c.stepwell_stop_reason(self._handle))

    @cached_property
    def breakpoints(self) -> List[Breakpoint]:
        """The breakpoints that were hit; empty if they are not the reason."""
        count = c.stepwell_stop_breakpoint_count(self._handle)
        numbers = [int(c.stepwell_stop_breakpoint(self._handle, i)) for i in range(count)]
        return [self._debugger._breakpoints.get(number) or Breakpoint(self._debugger, number) for number in numbers]

    @cached_property
    def watch_hits(self) -> List[WatchHit]:
        """What watchpoints have seen, each a `WatchHit`; empty if they are not the reason."""
        def taken(function: Any, index: int) -> bytes:
            found = c.wasm_byte_vec_t()
            function(self._handle, index, byref(found))
            return take_bytes(found)

        def address(index: int) -> Optional[int]:
            at = int(c.stepwell_stop_watchpoint_address(self._handle, index))
            return None if at == (1 << 64) - 1 else at

        hits = [
            WatchHit(
                self._debugger._watchpoint(c.stepwell_stop_watchpoint(self._handle, i)), c.stepwell_stop_watchpoint_func_index(self._handle, i),
                c.stepwell_stop_watchpoint_offset(self._handle, i), bool(c.stepwell_stop_watchpoint_by_host(self._handle, i)),
                bool(c.stepwell_stop_watchpoint_is_read(self._handle, i)), address(i),
                taken(c.stepwell_stop_watchpoint_old_value, i), taken(c.stepwell_stop_watchpoint_new_value, i),
                bool(c.stepwell_stop_watchpoint_is_end(self._handle, i)),
            )
            for i in range(c.stepwell_stop_watchpoint_count(self._handle))
        ]
        for hit in hits:
            if hit.is_end:
                self._debugger._watchpoints.pop(hit.watchpoint.id, None)
        return hits

    @cached_property
    def module(self) -> Optional[Module]:
        """The module that the store has now, or of which there is another instance, if that is the reason; None for one that Python did
        not make."""
        handle = c.stepwell_stop_module(self._handle)
        if not handle:
            return None
        try:
            return self.store._module_of(handle)
        finally:
            c.wasm_module_delete(handle)

    @cached_property
    def instance(self) -> Optional[Instance]:
        """The instance that has been made, if that is the reason, else None."""
        handle = c.stepwell_stop_instance(self._handle)
        return Instance._of(self.store, self.module, handle) if handle else None

    @cached_property
    def memory(self) -> Optional[Memory]:
        """The memory that has grown, if that is the reason, else None."""
        handle = c.stepwell_stop_memory(self._handle)
        return Memory._of(self.store, handle) if handle else None

    @cached_property
    def memory_old_size(self) -> int:
        """How many pages it had; 0 if that is not the reason."""
        return int(c.stepwell_stop_memory_old_size(self._handle))

    @cached_property
    def host_func(self) -> Optional[Func]:
        """The host function that is called, or returns, if that is the reason, else None."""
        handle = c.stepwell_stop_host_func(self._handle)
        return Func._of(self.store, handle) if handle else None

    @cached_property
    def host_import(self) -> Optional[Tuple[str, str]]:
        """The module and name by which the guest that calls imports it; None if it does not, or that is not the reason."""
        module = c.stepwell_stop_import_module(self._handle)
        if module is None:
            return None
        return text_from(module), text_from(c.stepwell_stop_import_name(self._handle))

    @cached_property
    def host_values(self) -> List[Any]:
        """What it is called with, or where it returns, its results."""
        count = c.stepwell_stop_host_values(self._handle, None, 0)
        return values_of(self.store, lambda values: c.stepwell_stop_host_values(self._handle, values, count), count)

    @cached_property
    def host_failed(self) -> bool:
        """Whether it has failed, so that it has no results."""
        return bool(c.stepwell_stop_host_failed(self._handle))

    @cached_property
    def trap_code(self) -> Union[TrapCode, int, None]:
        """The `TrapCode` if a trap is the reason, else None."""
        if self.reason != StopReason.TRAP:
            return None
        return known(TrapCode, c.stepwell_stop_trap_code(self._handle))

    @cached_property
    def trap_message(self) -> Optional[str]:
        """The trap's message if a trap is the reason, else None."""
        message = c.stepwell_stop_trap_message(self._handle)
        return None if message is None else text_from(message)

    @cached_property
    def exception(self) -> Optional[ExnRef]:
        """The exception that is thrown, an `ExnRef`, if that is the reason, else None. It may be kept."""
        ptr = c.stepwell_stop_exception(self._handle)
        return ExnRef._of(self.store, ptr) if ptr else None

    @cached_property
    def catching_frame(self) -> Optional[Frame]:
        """The frame that catches the exception that is thrown; None if no frame does, or if no exception is the reason."""
        ptr = c.stepwell_stop_catching_frame(self._handle)
        if not ptr:
            return None
        number = c.stepwell_frame_id(ptr)
        return next(frame for frame in self.frames if frame.id == number)

    @property
    def frame_count(self) -> int:
        """How many Wasm frames of the store are live, in all nested runs."""
        return int(c.stepwell_stop_frame_count(self._handle))

    def frame(self, index: int = 0) -> Frame:
        """A frame, 0 the innermost."""
        if index not in self._frames:
            if index < 0:
                raise IndexError("frames are counted from 0, the innermost")
            ptr = c.stepwell_stop_frame(self._handle, index)
            if not ptr:
                raise IndexError(f"there is no frame {index}; there are {self.frame_count}")
            self._frames[index] = Frame(self, ptr, index)
        return self._frames[index]

    @property
    def frames(self) -> List[Frame]:
        """All frames, innermost first."""
        return [self.frame(i) for i in range(self.frame_count)]

    def core_dump(self) -> bytes:
        """The state of the store as a core dump, a WebAssembly module in the format "Coredump": all instances with their memories and
        globals, all frames with their locals and operands. Stretches of zeros in memories are left out."""
        dump = c.wasm_byte_vec_t()
        check(c.stepwell_stop_core_dump(self._handle, byref(dump)))
        return take_bytes(dump)

    def jump(self, offset: int) -> None:
        """Has the innermost frame go on with the instruction at an offset of its function, with the locals and operands that it has.
        That instruction is not run yet."""
        check(c.stepwell_stop_jump(self._handle, offset))
        self.frame()._forget()

    def return_early(self, *values: Any) -> None:
        """Has the innermost frame return these values to its caller: it stands at the instruction by which it does so."""
        frame = self.frame()
        results = frame.instance.func(frame.func_index).type.results
        if len(values) != len(results):
            raise TypeError(f"the function returns {len(results)} values, {len(values)} given")
        check(c.stepwell_stop_return_early(self._handle, byref(all_to_c(self.store, results, values, "result"))))
        frame._forget()

    def _leave(self, count: int) -> None:
        """So many frames are left: those further out have other numbers now."""
        frames, self._frames = self._frames, {}
        for index, frame in frames.items():
            frame._forget()
            frame.index = index - count
            frame._ptr = c.stepwell_stop_frame(self._handle, frame.index) if frame.index >= 0 else None
            if frame._ptr:
                self._frames[frame.index] = frame

    @property
    def over(self) -> bool:
        """Whether the guest goes on: then it can be asked nothing more."""
        return self._ptr is None

    def _why(self) -> str:
        why = getattr(self.reason, "name", str(self.reason)).lower()
        if self.breakpoints:
            why += " " + ", ".join(str(b.id) for b in self.breakpoints)
        if self.watch_hits:
            why += " " + ", ".join(str(hit.watchpoint.id) for hit in self.watch_hits)
        if self.trap_message is not None:
            why += f": {self.trap_message}"
        return why

    def __str__(self) -> str:
        count = self.frame_count
        frames = [f"  {self.frame(index)}" for index in range(min(count, _MANY))]
        return "\n".join([f"stopped by {self._why()}", *frames, *[f"  ... of {count} frames"] * (count > _MANY)])

    def __repr__(self) -> str:
        if self._ptr is None:
            return "<Stop, over: the guest goes on>"
        return f"<Stop by {self._why()} in {self.frame()._where()}>" if self.frame_count else f"<Stop by {self._why()}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What notebooks and IPython show of it: each frame."""
        printer.text(repr(self) if self._ptr is None else str(self))

    def _repr_html_(self) -> str:
        """What notebooks show of it: why, and a table of the frames."""
        if self._ptr is None:
            return html.escape(repr(self))
        count = self.frame_count
        frames = [self.frame(index)._cells() for index in range(min(count, FRAMES))]
        rest = f"<div>... of {count} frames</div>" if count > len(frames) else ""
        inner = self.frame(0)._code() + self.frame(0)._tree() if count else ""
        return f"<div>stopped by {shown_text(self._why())}</div>{inner}" + table(("", "function", "source", "offset", "locals", "operands"), frames) + rest


class BreakpointSet(Managed):
    """Breakpoints that are prepared once and set in many stores, by `Debugger.break_at_set`: what names and lines mean is looked up
    when they are added."""

    _delete = c.stepwell_breakpoint_set_delete

    def __init__(self) -> None:
        self._own(not_null(c.stepwell_breakpoint_set_new(), "BreakpointSet"))

    def __len__(self) -> int:
        return int(c.stepwell_breakpoint_set_count(self._handle))

    def _about(self) -> str:
        return f"of {len(self)} breakpoints"

    def add(self, module: Module, offset: int) -> None:
        """Adds one at an instruction of a module, as `Debugger.break_at` sets one."""
        if offset < 0:
            raise ValueError("an offset is not negative")
        check(c.stepwell_breakpoint_set_add(self._handle, module._view._handle, offset))

    def add_at_function(self, module: Module, function: Union[str, int]) -> None:
        """Adds one at a function, as `Debugger.break_at_function` sets one."""
        if isinstance(function, str):
            check(c.stepwell_breakpoint_set_add_at_function(self._handle, module._view._handle, c_string(function)))
            return
        if not 0 <= function < 1 << 32:
            raise ValueError(f"{function} is no function index")
        check(c.stepwell_breakpoint_set_add_at_function_index(self._handle, module._view._handle, function))

    def add_at_line(self, module: Module, file: str, line: int, column: int = 0) -> None:
        """Adds one at every place of a line of the source, as `Debugger.break_at_line` sets one."""
        for number, what in ((line, "line"), (column, "column")):
            if not 0 <= number < 1 << 32:
                raise ValueError(f"{number} is no {what}")
        check(c.stepwell_breakpoint_set_add_at_line(self._handle, module._view._handle, c_string(file), line, column))


class Pauser(Managed):
    """Has guests that compute in a debugger's store stop, from other threads. It may outlive both; then it does nothing."""

    _delete = c.stepwell_pauser_delete

    def __init__(self, debugger: Debugger) -> None:
        out = POINTER(c.stepwell_pauser_t)()
        with debugger._store._lock:
            check(c.stepwell_pauser_new(debugger._handle, byref(out)))
        self._own(out)

    def pause(self) -> bool:
        """Has the guest that computes stop, with `StopReason.PAUSE`: mostly within microseconds, or once the host function that it is in
        has returned; but where it waits for input or time by WASI, it stops there, shown in its call, and its frames cannot be changed. If none runs, the next one stops at its first instruction. False where the system refuses: the guest then stops
        behind its next stop of another kind. Any thread may call it."""
        return bool(c.stepwell_pauser_pause(self._handle))

    def cancel(self) -> None:
        """Takes a pause back that no guest has stopped for yet."""
        c.stepwell_pauser_cancel(self._handle)


class Server(Managed):
    """A store that debuggers of other programs, such as LLDB, come to, one at a time, while this is open. All goes on by itself: at a stop
    the guest's thread waits, inside of the call that has entered the guest.

    They come to `listen`, a TCP address `ADDR:PORT`, or `PORT` alone for 127.0.0.1, of which 0 is any that is free; to a Unix socket with
    `unix`, a path; or one is at the two `descriptors`, of which the first is read and the second written. An address that other machines can
    reach needs a `token`, which they send first, as a line `stepwell TOKEN`. With `wait` the first guest stands at its first instruction
    until a debugger has come and has it go on. `on_disconnect` says what becomes of guests when it is gone without a word: "go_on", "wait"
    (those that stand do so until another one comes) or "end_guests" (with a trap).
    """

    _delete = c.stepwell_server_delete

    def __init__(self, store: Store, listen: str = "0", *, unix: Optional[Union[str, os.PathLike[str]]] = None,
                 descriptors: Optional[Tuple[int, int]] = None, protocol: str = "gdb", token: Optional[str] = None, wait: bool = False,
                 on_disconnect: str = "go_on", name: str = "") -> None:
        protocols = {"gdb": c.STEPWELL_PROTOCOL_GDB, "dap": c.STEPWELL_PROTOCOL_DAP}
        ends = {"go_on": c.STEPWELL_ON_DISCONNECT_GO_ON, "wait": c.STEPWELL_ON_DISCONNECT_WAIT,
                "end_guests": c.STEPWELL_ON_DISCONNECT_END_GUESTS}
        for value, known, what in ((protocol, protocols, "protocol"), (on_disconnect, ends, "on_disconnect")):
            if value not in known:
                raise ValueError(f"{what} must be one of {', '.join(map(repr, known))}, not {value!r}")
        options = c.stepwell_serve_options_new()
        try:
            check(c.stepwell_serve_options_tcp_set(options, c_string(str(listen))))
            if unix is not None:
                check(c.stepwell_serve_options_unix_set(options, c_string(os.fspath(unix))))
            if descriptors is not None:
                c.stepwell_serve_options_descriptors_set(options, *descriptors)
            check(c.stepwell_serve_options_protocol_set(options, protocols[protocol]))
            check(c.stepwell_serve_options_token_set(options, None if token is None else c_string(token)))
            check(c.stepwell_serve_options_on_disconnect_set(options, ends[on_disconnect]))
            check(c.stepwell_serve_options_name_set(options, c_string(name)))
            c.stepwell_serve_options_wait_set(options, wait)
            out = POINTER(c.stepwell_server_t)()
            with store._lock:
                check(c.stepwell_debugger_serve(store._handle, options, byref(out)))
        finally:
            c.stepwell_serve_options_delete(options)
        self._own(out)

    def _about(self) -> str:
        return f"at {self.address or 'descriptors'}"

    @property
    def address(self) -> str:
        """Where debuggers come: the address with its port, or the path of the socket."""
        return c.stepwell_server_address(self._handle).decode()

    def wait(self, timeout: Optional[float] = None) -> bool:
        """Waits until a debugger has come, for at most so many seconds; whether one is there. Any thread may call it."""
        milliseconds = 2**64 - 1 if timeout is None else max(0, int(timeout * 1000))
        return bool(c.stepwell_server_wait(self._handle, milliseconds))

    def stop(self) -> None:
        """Ends it: a guest that stands goes on, and nobody is waited for any more. Any thread may call it."""
        c.stepwell_server_stop(self._handle)

    def output(self, data: bytes, stream: str = "out") -> None:
        """Tells the debugger what the guest has written, to "out" or "err", or what the "host" says. Any thread may call it."""
        streams = {"out": c.STEPWELL_OUTPUT_OUT, "err": c.STEPWELL_OUTPUT_ERR, "host": c.STEPWELL_OUTPUT_HOST}
        if stream not in streams:
            raise ValueError(f"stream must be one of {', '.join(map(repr, streams))}, not {stream!r}")
        data = bytes(data)
        c.stepwell_server_output(self._handle, streams[stream], create_string_buffer(data, max(len(data), 1)), len(data))

    def exited(self, status: int) -> None:
        """Tells the debugger that the program has ended, which only the host knows. Any thread may call it."""
        c.stepwell_server_exited(self._handle, status)

    def trapped(self, message: str) -> None:
        """The same, with a trap of this message."""
        c.stepwell_server_trapped(self._handle, c_string(message))

    def module_file(self, module: Module, path: Union[str, os.PathLike[str]]) -> None:
        """Says which file a module is from: a debugger that can open it reads it there, with the debug information that stands beside it."""
        check(c.stepwell_server_module_file_set(self._handle, module._view._handle, c_string(os.fspath(path))))


class Attacher(Managed):
    """Has a store call `on_attach()`, on the thread that uses it, when another thread asks: there it makes a `Debugger`, whatever guests run.

    Where it is called in the middle of a guest, guests cannot be called. What it raises ends the guest, and is raised by the call that ran it.
    The attacher may outlive the store, and does nothing then. Keep it: once it is gone, nothing is called.
    """

    _delete = c.stepwell_attacher_delete

    def __init__(self, store: Store, on_attach: Callable[[], Any]) -> None:
        if not callable(on_attach):
            raise TypeError(f"on_attach must be callable, not {on_attach!r}")
        self._on_attach = on_attach
        out = POINTER(c.stepwell_attacher_t)()
        with store._lock:
            check(c.stepwell_attacher_new(store._handle, _asked_to_attach, _calls.register(self), _calls.no_finalizer, byref(out)))
        self._own(out)

    def request(self) -> None:
        """Has the store call, at the next of these: the host calls a guest; a host function returns to the guest; the guest begins a
        function or a turn of a loop, where the engine was made with `epoch=True`. Twice before that is once. Any thread may call it."""
        c.stepwell_attacher_request(self._handle)

    def cancel(self) -> None:
        """Takes a request back for which the store has not begun to call."""
        c.stepwell_attacher_cancel(self._handle)


class StopQueue:
    """Stops that wait for another thread, or another task, to look at them and answer: given to a `Debugger` in the place of `on_stop`.

    The guest runs on a thread of its own; `next()` waits for its stops. Until a stop is answered, its frames, the store and breakpoints
    may be used on other threads, one at a time; guests of the store cannot be called. One queue may serve any number of debuggers.

    A guest that `func.call_async` has called waits instead, and its thread does not: `await queue.next_async()`, or `async for stop in queue`,
    waits for its stops while it, and other tasks, run. Then guests may be called, too.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._sleepers: List[Tuple[Any, Any]] = []  # those that are awaited: each a loop and a future of it
        self._waiting: List[Stop] = []
        self._taken: List[Stop] = []
        self._answers: Dict[int, Any] = {}
        self._closed = False

    def __call__(self, stop: Stop) -> Any:
        """What a debugger calls: waits, on the guest's thread, until the stop is answered; of a guest that can wait, what is to be awaited."""
        if _calls.waiting_call() is not None:
            return self._wait_async(stop)
        stop.serve(lambda: self._wait(stop))
        return self._answers.pop(id(stop), None)

    def _wait(self, stop: Stop) -> None:
        with self._changed:
            if self._closed:
                return
            self._waiting.append(stop)
            self._wake()
            self._changed.wait_for(lambda: self._closed or id(stop) in self._answers)
            for where in (self._waiting, self._taken):
                if stop in where:
                    where.remove(stop)

    async def _wait_async(self, stop: Stop) -> Any:
        try:
            with self._changed:
                if not self._closed:
                    self._waiting.append(stop)
                    self._wake()
            await self._sleep_until(lambda: self._closed or id(stop) in self._answers)
        finally:
            with self._changed:
                for where in (self._waiting, self._taken):
                    if stop in where:
                        where.remove(stop)
                answer = self._answers.pop(id(stop), None)
        return answer

    async def _sleep_until(self, ready: Callable[[], bool]) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            with self._changed:
                if ready():
                    return
                sleeper = loop, loop.create_future()
                self._sleepers.append(sleeper)
            try:
                await sleeper[1]
            finally:
                with self._changed:
                    if sleeper in self._sleepers:
                        self._sleepers.remove(sleeper)

    def _wake(self) -> None:
        """Something has changed. Only with the condition."""
        self._changed.notify_all()
        sleepers, self._sleepers = self._sleepers, []
        for loop, future in sleepers:
            try:
                loop.call_soon_threadsafe(_woken, future)
            except RuntimeError:
                pass  # the loop is closed: nobody sleeps there any more

    async def next_async(self) -> Optional[Stop]:
        """The same as a coroutine: other tasks run meanwhile. None if the queue was closed; `asyncio.wait_for` bounds it."""
        while True:
            await self._sleep_until(lambda: self._closed or bool(self._waiting))
            with self._changed:
                if self._closed:
                    return None
                if self._waiting:  # else another was quicker
                    stop = self._waiting.pop(0)
                    self._taken.append(stop)
                    return stop

    def __aiter__(self) -> StopQueue:
        return self

    async def __anext__(self) -> Stop:
        """The next stop; the end once the queue is closed."""
        stop = await self.next_async()
        if stop is None:
            raise StopAsyncIteration
        return stop

    def next(self, timeout: Optional[float] = None) -> Optional[Stop]:
        """The stop that has waited longest, or the next one. `timeout` is in seconds, None for as long as it takes. None if none came in
        time, or the queue was closed."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._closed or bool(self._waiting), timeout) or self._closed:
                return None
            stop = self._waiting.pop(0)
            self._taken.append(stop)
            return stop

    def answer(self, stop: Stop, action: Union[Action, Trap, None] = None) -> None:
        """Has the guest of a stop go on: with an `Action`, as `stop.step()` and its like have said, or to the next breakpoint. A `Trap` ends
        it. The stop is over then."""
        with self._changed:
            if stop not in self._taken:
                raise ValueError("the stop does not wait for an answer of this queue")
            self._taken.remove(stop)
            self._answers[id(stop)] = action
            self._wake()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Who waits for a stop is told that none comes. Guests whose stops wait go on, and do so at each later stop. Closing twice is allowed."""
        with self._changed:
            self._closed = True
            self._wake()

    def __enter__(self) -> StopQueue:
        if self._closed:
            raise ValueError("this StopQueue is closed")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<StopQueue, closed>" if self._closed else f"<StopQueue: {len(self._waiting)} wait, {len(self._taken)} are looked at>"


def _woken(future: Any) -> None:
    if not future.done():
        future.set_result(None)


class Locals(Dict[Union[int, str], Any]):
    """The locals of a frame: index to value, parameters first; `locals["x"]` finds one by its name, if it has one.

    `names` are the names there are, with their indices; `by_name()` is a dict of what they stand for. It can be read only:
    `Frame.set_local` changes the frame.
    """

    def __init__(self, values: List[Any], names: Dict[str, int]) -> None:
        super().__init__(enumerate(values))
        self.names = names

    def __missing__(self, key: Union[int, str]) -> Any:
        if isinstance(key, str) and key in self.names:
            return self[self.names[key]]
        raise KeyError(key)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        """Not possible: what is written would be in no frame."""
        raise TypeError("this is what the locals of a frame were when they were read; Frame.set_local changes them")

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse

    def __repr__(self) -> str:
        named = {index: name_to_show(name) for name, index in self.names.items()}
        shown = [f"{index} {named[index]}: {value!r}" if index in named else f"{index}: {value!r}" for index, value in islice(self.items(), _MANY)]
        return "{" + ", ".join(shown + ["..."] * (len(self) > _MANY)) + "}"

    def _ipython_key_completions_(self) -> List[str]:
        """What notebooks complete `locals["` by."""
        return list(self.names)

    def by_name(self) -> Dict[str, Any]:
        """Name to value, of the locals that have names."""
        return {name: self[index] for name, index in self.names.items()}


class Evaluated(NamedTuple):
    """What an expression comes to: the name of its type, and its value in one line."""

    type_name: str
    text: str

    def __str__(self) -> str:
        return self.text


@_with_store
class Variable(Managed):
    """A variable of the source in a frame, what is inside of one, or all variables of a scope, which are its children.

    Its name, scope, line and depth are known as long as it is there; the rest is read when it is asked for, and is a ValueError once the
    stop is over.
    """

    _delete = c.stepwell_variable_delete

    def __init__(self, frame: Frame, ptr: Any) -> None:
        self._frame = frame
        self._own(ptr)

    def _in_hand(self) -> Any:
        return self._frame._stop._in_hand()

    @property
    def _live(self) -> Any:
        self._frame._handle
        return self._handle

    @property
    def frame(self) -> Frame:
        """The frame that it was found in."""
        return self._frame

    @property
    def name(self) -> str:
        """Its name as the source has it: a member's, an element's number as `[3]`, `*` for what a pointer points to."""
        return name_from(c.stepwell_variable_name, self._handle) or ""

    @property
    def scope(self) -> Optional[Scope]:
        """Which variables it is one of, a `Scope`; None for what is inside of another, or was found by a path."""
        scope = c.stepwell_variable_scope(self._handle)
        return Scope(scope) if scope else None

    @property
    def line(self) -> Optional[int]:
        """The line that it is declared in, or None where that is not known."""
        return c.stepwell_variable_line(self._handle) or None

    @property
    def depth(self) -> int:
        """How many blocks of its function it is inside of."""
        return int(c.stepwell_variable_depth(self._handle))

    @property
    def is_shadowed(self) -> bool:
        """Whether the source means another variable by its name here."""
        return bool(c.stepwell_variable_is_shadowed(self._handle))

    def _message(self, getter: Any) -> str:
        text = c.wasm_byte_vec_t()
        check(getter(self._live, byref(text)))
        return take_bytes(text)[:-1].decode("utf-8", "replace")

    @property
    def type_name(self) -> str:
        """What the source calls its type."""
        return self._message(c.stepwell_variable_type_name)

    @property
    def text(self) -> str:
        """Its value in one line, with what is inside of it as far as there is room."""
        return self._message(c.stepwell_variable_text)

    @property
    def kind(self) -> Union[VariableKind, int]:
        """What it is made of, a `VariableKind`."""
        kind = c.stepwell_variable_kind(self._live)
        if not kind:
            raise last_error("stepwell_variable_kind")
        return known(VariableKind, kind)

    @property
    def value(self) -> Union[int, float, bool, str, None]:
        """What it is, where it is a number: an int (also of a pointer its address, of an enumeration its number), a float, a bool, or a
        letter as a str. None for what is none, for what is missing, and for what is in memory that is not there."""
        number = c.stepwell_number_t()
        error = c.stepwell_variable_number(self._live, byref(number))
        if error:
            c.stepwell_error_delete(error)
            return None
        if number.kind == c.STEPWELL_NUMBER_FLOAT:
            return float(number.real)
        bits = int(number.high << 64 | number.low)
        if number.kind == c.STEPWELL_NUMBER_SIGNED and bits >> 127:
            return bits - (1 << 128)
        if number.kind == c.STEPWELL_NUMBER_BOOL:
            return bool(bits)
        if number.kind == c.STEPWELL_NUMBER_CHAR and bits < 0x110000:
            return chr(bits)
        return bits

    @property
    def address(self) -> Optional[int]:
        """Where it begins in the first memory of the frame's instance; None for what is not there."""
        out = c_uint64()
        c.stepwell_last_error_clear()
        if c.stepwell_variable_address(self._live, byref(out)):
            return out.value
        return self._none("stepwell_variable_address")

    def _number(self, getter: Any) -> int:
        out = c_uint64()
        check(getter(self._live, byref(out)))
        return out.value

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return self._number(c.stepwell_variable_size)

    @property
    def missing(self) -> Optional[str]:
        """Why it has no value, if the DWARF says that it is not there ("optimised out"), else None."""
        c.stepwell_last_error_clear()
        why = c.stepwell_variable_missing(self._live)
        return self._none("stepwell_variable_missing") if why is None else text_from(why)

    @staticmethod
    def _none(what: str) -> None:
        """What had no answer may have failed."""
        if c.stepwell_last_error():
            raise last_error(what)

    @property
    def child_count(self) -> int:
        """How many are inside of it: members, elements, what a pointer points to, the variables of a scope."""
        return self._number(c.stepwell_variable_child_count)

    def children(self, first: int = 0, count: Optional[int] = None) -> Iterator[Variable]:
        """Those inside of it from the number `first` on, `count` of them or all. They are fetched as the iterator goes on, so an array
        of millions costs no more than what is looked at."""
        if first < 0 or (count is not None and count < 0):
            raise ValueError("children are counted from 0")
        there = max(self.child_count - first, 0)
        return self._pages(first, there if count is None else min(there, count))

    def _pages(self, first: int, left: int) -> Iterator[Variable]:
        size = 16
        while left:
            size = min(size * 2, 256, left)
            page, written = (POINTER(c.stepwell_variable_t) * size)(), c_size_t()
            self._fetch(first, size, page, written)
            got = [Variable(self._frame, page[i]) for i in range(written.value)]
            yield from got
            if len(got) < size:
                return
            first, left = first + size, left - size

    def _fetch(self, first: int, size: int, page: Any, written: Any) -> None:
        check(c.stepwell_variable_children(self._live, first, size, page, byref(written)))

    def child(self, which: Union[int, str]) -> Variable:
        """One of those inside of it, by its number or its name."""
        if isinstance(which, str):
            found = next((child for child in self.children() if child.name == which), None)
            if found is None:
                raise KeyError(which)
            return found
        found = next(self.children(which, 1), None)
        if found is None:
            raise IndexError(f"there is no child {which} of {escaped(self.name)}; there are {self.child_count}")
        return found

    def __getitem__(self, which: Union[int, str]) -> Variable:
        """The same as `child`."""
        return self.child(which)

    def __iter__(self) -> Iterator[Variable]:
        return self.children()

    def assign(self, text: str) -> None:
        """Gives it another value, as text, with which the guest goes on."""
        check(c.stepwell_variable_assign(self._live, c_string(text)))
        self._frame._forget()

    def __str__(self) -> str:
        return f"{self.name} = {self.text}"

    def _about(self) -> str:
        name = escaped(self.name)
        if not self._frame._is_live():
            return f"{name}, of a stop that is over"
        if self.kind == VariableKind.SCOPE:
            return f"{name or 'scope'}: {self.child_count} variables"
        return f"{name}: {escaped(self.type_name)} = {escaped(self.text)}"

    def _repr_html_(self) -> str:
        """What notebooks show of it: what is inside of it, as far as there is room, to be folded and unfolded."""
        if self._ptr is None or not self._frame._is_live():
            return html.escape(repr(self))
        room = [ROOM]
        return tree(self, 0, room)

    def _ipython_key_completions_(self) -> List[str]:
        """The names of what is inside of it."""
        return [child.name for child in self.children(0, ROOM)] if self._frame._is_live() else []


@_with_store
class Frame(Unique):
    """A Wasm frame of a stop. What was looked at stays known; the rest is an error once the stop is over."""

    def __init__(self, stop: Stop, ptr: Any, index: int) -> None:
        self._stop = stop
        self._ptr = ptr
        self.index = index

    def _in_hand(self) -> Any:
        return self._stop._in_hand()

    @property
    def _handle(self) -> Any:
        self._stop._handle
        if not self._ptr:
            raise ValueError("the frame is over: one further out returns early")
        return self._ptr

    @property
    def stop(self) -> Stop:
        """The stop it is of."""
        return self._stop

    @cached_property
    def func_index(self) -> int:
        """The index of its function in the module, imports counted."""
        return int(c.stepwell_frame_func_index(self._handle))

    @cached_property
    def func_name(self) -> Optional[str]:
        """The name of its function, or None."""
        return name_from(c.stepwell_frame_func_name, self._handle)

    @cached_property
    def offset(self) -> int:
        """The byte offset in the module of the instruction about to run; in a caller, of the call that is under way; after
        a trap, of the instruction that trapped."""
        return int(c.stepwell_frame_offset(self._handle))

    @cached_property
    def source(self) -> List[Source]:
        """Where its instruction is in the source: the place itself, and then those that it was inlined into; empty without DWARF."""
        return sources_from(c.stepwell_frame_source_count, c.stepwell_frame_source, self._handle)

    @cached_property
    def id(self) -> int:
        """A number that is the same for one activation at every stop."""
        return int(c.stepwell_frame_id(self._handle))

    @cached_property
    def called_through_host(self) -> bool:
        """Whether it called the host, which called the next inner frame."""
        return bool(c.stepwell_frame_called_through_host(self._handle))

    @cached_property
    def host_symbol(self) -> Optional[str]:
        """The name of the host function that it waits for, as far as that has one: what WASI's functions are imported as, or the symbol of
        a callback of C's. None for functions of Python."""
        name = c.wasm_name_t()
        return take_bytes(name).decode("utf-8", "replace") if c.stepwell_frame_host_symbol(self._handle, byref(name)) else None

    @cached_property
    def is_production(self) -> bool:
        """Whether it runs in production code, for it was entered before the debugger was attached. What is in its locals and operands is
        not known: to ask is an error. Nor is its instance, where the store has several of its module."""
        return bool(c.stepwell_frame_is_production(self._handle))

    @cached_property
    def module(self) -> Optional[Module]:
        """Its module; None for one that Python did not make."""
        handle = not_null(c.stepwell_frame_module(self._handle), "stepwell_frame_module")
        try:
            return self._stop.store._module_of(handle)
        finally:
            c.wasm_module_delete(handle)

    @cached_property
    def instance(self) -> Instance:
        """Its instance: its exports, and its globals, memories and tables by index."""
        handle = not_null(c.stepwell_frame_instance(self._handle), "stepwell_frame_instance")
        return Instance._of(self._stop.store, self.module, handle)

    def _values(self, getter: Any, count: int) -> List[Any]:
        if self.is_production:
            getter(self._handle, None, 0)
            raise last_error("looking into a frame")
        return values_of(self._stop.store, lambda values: getter(self._handle, values, count), count)

    @cached_property
    def locals(self) -> Locals:
        """Its locals, parameters first: by index, and by name where names exist."""
        values = self._values(c.stepwell_frame_locals, c.stepwell_frame_local_count(self._handle))
        names: Dict[str, int] = {}
        for index in range(len(values)):
            name = name_from(c.stepwell_frame_local_name, self._handle, index)
            if name is not None:
                names.setdefault(name, index)
        return Locals(values, names)

    @cached_property
    def operands(self) -> List[Any]:
        """The values on its operand stack, bottom first."""
        return self._values(c.stepwell_frame_operands, c.stepwell_frame_operand_count(self._handle))

    def set_local(self, local: Union[int, str], value: Any) -> None:
        """Gives a local, by its index or its name, another value, with which the guest goes on: a frame that waits for a call, once
        that has returned, or where it catches an exception that has left it."""
        index = self.locals.names.get(local) if isinstance(local, str) else local
        if index is None:
            raise KeyError(local)
        val = c.wasm_val_t()
        if index < 0 or not c.stepwell_frame_local(self._handle, index, byref(val)):
            raise IndexError(f"there is no local {index}; the function has {len(self.locals)}")
        name = NAMES[val.kind]
        if val.kind >= c.STEPWELL_VALKIND_V128:
            c.wasm_val_delete(byref(val))
        self._set(c.stepwell_frame_local_set, index, name, value, f"local {local!r}")

    def set_operand(self, index: int, value: Any) -> None:
        """Gives an operand, the bottom of the stack first, another value, with which the guest goes on. What a call has taken that the
        frame waits for, which is on top, is refused."""
        count = c.stepwell_frame_operand_count(self._handle)
        if not 0 <= index < count:
            raise IndexError(f"there is no operand {index}; the stack has {count}")
        values = (c.wasm_val_t * count)()
        c.stepwell_frame_operands(self._handle, values, count)
        names = [NAMES[val.kind] for val in values]
        for val in values:
            if val.kind >= c.STEPWELL_VALKIND_V128:
                c.wasm_val_delete(byref(val))
        self._set(c.stepwell_frame_operand_set, index, names[index], value, f"operand {index}")

    def return_early(self, *values: Any) -> None:
        """Has the frame return these values to its caller. Those within it are left, and their `Frame` objects are over: this one is
        the innermost from here on, `stop.frame(0)`, and stands at the instruction by which it returns."""
        results = self.instance.func(self.func_index).type.results
        if len(values) != len(results):
            raise TypeError(f"the function returns {len(results)} values, {len(values)} given")
        given = all_to_c(self._stop.store, results, values, "result")
        check(c.stepwell_frame_return_early(self._handle, byref(given)))
        self._stop._leave(self.index)

    def evaluate(self, path: str) -> Evaluated:
        """What an expression such as `p->x[3] + 1` comes to in this frame: its type and its value, as text."""
        text, type_name = c.wasm_byte_vec_t(), c.wasm_byte_vec_t()
        check(c.stepwell_frame_evaluate(self._handle, c_string(path), byref(text), byref(type_name)))
        return Evaluated(*(take_bytes(vec)[:-1].decode("utf-8", "replace") for vec in (type_name, text)))

    def variables(self, scope: Union[Scope, int, None] = None, *, level: int = 0) -> List[Variable]:
        """The variables of a scope; without one, parameters and locals. Where functions are inlined, `level` says of which: 0 is the
        innermost, as in `source`. For the many of a whole module, `scope(Scope.MODULE)` fetches them as they are looked at."""
        scopes = (Scope.PARAMETERS, Scope.LOCALS) if scope is None else (scope,)
        return [variable for one in scopes for variable in self.scope(one, level=level).children()]

    def scope(self, scope: Union[Scope, int], *, level: int = 0) -> Variable:
        """The variables of a scope as one `Variable`, whose children they are."""
        out = POINTER(c.stepwell_variable_t)()
        if level < 0:
            raise ValueError("levels are counted from 0, the innermost")
        check(c.stepwell_frame_variables(self._handle, level, Scope(scope), byref(out)))
        return Variable(self, out)

    def variable(self, path: str, *, level: int = 0, assign: bool = False, call: bool = False) -> Variable:
        """What an expression such as `p->x[3] + 1` comes to, as a `Variable`. With `assign` it may assign (`x = 3`), with `call` it may
        call exports of the frame's instance (`name(1, 2.5)`)."""
        out = POINTER(c.stepwell_variable_t)()
        if level < 0:
            raise ValueError("levels are counted from 0, the innermost")
        flags = (c.STEPWELL_EVALUATE_ASSIGN if assign else 0) | (c.STEPWELL_EVALUATE_CALL if call else 0)
        if not flags:
            check(c.stepwell_frame_variable(self._handle, level, c_string(path), byref(out)))
            return Variable(self, out)
        try:
            check(c.stepwell_frame_expression(self._handle, level, c_string(path), flags, byref(out)))
        finally:
            self._forget()
        return Variable(self, out)

    def assign(self, path: str, text: str) -> None:
        """Gives what an expression leads to another value, which is that of the expression `text`, with which the guest goes on."""
        check(c.stepwell_frame_assign(self._handle, c_string(path), c_string(text)))
        self._forget()

    def _set(self, setter: Any, index: int, name: str, value: Any, what: str) -> None:
        val = c.wasm_val_t()
        to_c(self._stop.store, val, name, value, what)
        check(setter(self._handle, index, byref(val)))
        self._forget()

    def _is_live(self) -> bool:
        return self._stop._ptr is not None and bool(self._ptr)

    def _where(self) -> str:
        """Its function and its place."""
        name = name_to_show(self.func_name) if self.func_name is not None else f"func {self.func_index}"
        return f"{name} ({self.source[0]}) at {self.offset:#x}" if self.source else f"{name} at {self.offset:#x}"

    def _cells(self) -> List[str]:
        """A row of a table of frames."""
        where = name_to_show(self.func_name) if self.func_name is not None else f"func {self.func_index}"
        source = str(self.source[0]) if self.source else ""
        if self.is_production:
            return [f"#{self.index}", where, source, f"{self.offset:#x}", "in production code", ""]
        return [f"#{self.index}", where, source, f"{self.offset:#x}", repr(self.locals)[1:-1], ", ".join(map(repr, self.operands))]

    def __repr__(self) -> str:
        if not self._is_live():
            known = self.__dict__.get("func_name")
            return f"<Frame #{self.index}{f' of {name_to_show(known)}' if known else ''}, over>"
        return f"<Frame #{self.index} {self._where()}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What notebooks and IPython show of it: its locals and operands, too."""
        printer.text(str(self) if self._is_live() else repr(self))

    def _repr_html_(self) -> str:
        """What notebooks show of it: its place, and a table of its variables, or without DWARF of its locals."""
        if not self._is_live():
            return html.escape(repr(self))
        head = f"<div>{html.escape(repr(self)[1:-1])}</div>"
        if self.is_production:
            return head + "<div>in production code</div>"
        try:
            variables = [variable for scope in (Scope.PARAMETERS, Scope.LOCALS) for variable in self.scope(scope).children(0, ROOM)]
            rows = [[variable.name, variable.type_name, line_of(variable)] for variable in variables]
        except Error:
            rows = []
        if rows:
            return head + table(("name", "type", "value"), rows)
        named = {index: name_to_show(name) for name, index in self.locals.names.items()}
        return head + table(("local", "name", "value"), [
            [str(index), named.get(index, ""), repr(value)] for index, value in self.locals.items() if isinstance(index, int)])

    def _code(self) -> str:
        """The source around where it stands, or without that its instructions, in HTML."""
        for place in self.source[:1]:
            lines = around(place.file, place.line, 4, 5, self._stop.debugger.source_folders)
            if lines:
                return code([(str(number), "->" if number == place.line else "", said) for number, said in lines])
        if self.module is None:
            return ""
        shown = self.module.instructions(self.func_index, self.offset, 8)
        return code([(f"{one.offset:#x}", "->" if one.offset == self.offset else "", one.text) for one in shown])

    def _tree(self) -> str:
        """Its variables, to be unfolded, in HTML; none where it has none."""
        if self.is_production:
            return ""
        trees, room = [], [ROOM]
        for scope in (Scope.PARAMETERS, Scope.LOCALS):
            try:
                found = list(self.scope(scope).children(0, ROOM))
            except Error:
                continue
            trees += [tree(variable, 1, room) for variable in found]
        return "".join(trees)

    def _forget(self) -> None:
        """What is known of where it stands and what it has is so no more."""
        for name in ("offset", "source", "locals", "operands"):
            self.__dict__.pop(name, None)

    def __str__(self) -> str:
        name = name_to_show(self.func_name) if self.func_name is not None else f"func {self.func_index}"
        if self.source:
            name += f" ({self.source[0]})"
        host = f" (through the host{f': {self.host_symbol}' if self.host_symbol else ''})" if self.called_through_host else ""
        if self.is_production:
            return f"#{self.index} {name} at {self.offset:#x}{host}  in production code"
        named: Dict[Any, str] = {index: name_to_show(name) for name, index in self.locals.names.items()}
        shown = ", ".join(f"{named.get(index, index)}={value!r}" for index, value in islice(self.locals.items(), _MANY))
        shown += ", ..." * (len(self.locals) > _MANY)
        return f"#{self.index} {name} at {self.offset:#x}{host}  locals: {shown or 'none'}  operands: {self.operands}"


def _call_stopped(env: int, ptr: Any, outcome: Any) -> None:
    """What C calls for every stop."""
    try:
        outcome[0].value = int(_calls.owner_of(env)._call(ptr))
        outcome[0].done = 1
    except BaseException as exception:
        _calls.stash(exception)


def _call_asked(env: int, ptr: Any, outcome: Any) -> None:
    """What C calls for a condition."""
    try:
        outcome[0].value = int(_calls.owner_of(env)._ask(ptr))
        outcome[0].done = 1
    except BaseException as exception:
        _calls.stash(exception)


def _call_attach(env: int, outcome: Any) -> None:
    """What C calls for an attacher."""
    try:
        _calls.owner_of(env)._on_attach()
        outcome[0].done = 1
    except BaseException as exception:
        _calls.stash(exception)


_asked_to_attach = _calls.callback(c.stepwell_ask_callback_t, _call_attach)
_asked = _calls.callback(c.stepwell_guarded_stop_callback_t, _call_asked)
_stopped = _calls.callback(c.stepwell_guarded_stop_callback_t, _call_stopped)
