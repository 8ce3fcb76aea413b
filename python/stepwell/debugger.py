"""Debugging one store: breakpoints, stops, frames."""
from __future__ import annotations

from ctypes import POINTER, byref, c_size_t, c_uint32, c_uint64
from functools import cached_property
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, NoReturn, Optional, Union

from . import _bindings as c
from . import _calls
from ._bindings import Action, ErrorCode, ExceptionStops, Scope, StopReason, TrapCode, VariableKind
from ._managed import Managed, StoreObject, Unique
from .errors import (
    Error, Source, Trap, check, escaped, known, last_error, name_from, name_to_show, not_null, sources_from, take_bytes, text_from,
)
from .instance import Instance
from .module import Module, c_string
from .store import Store
from .types import NAMES
from .values import ExnRef, all_to_c, from_c, to_c

StopReason.__doc__ = "Why a guest was stopped."
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
"""
Scope.__doc__ = """Which variables of the source a frame is asked for.

- `PARAMETERS`: the function's parameters.
- `LOCALS`: those of the blocks around the instruction, the innermost block first.
- `STATICS`: the static variables of the function's unit, which in C and C++ is its file with all that it includes.
- `MODULE`: those of the whole module.
"""
VariableKind.__doc__ = "What a variable of the source is made of; `SCOPE` is all variables of a scope."


class Breakpoint(NamedTuple):
    """A breakpoint where it was placed: `offset` is the byte offset of its instruction in the module."""

    id: int
    module: Module
    func_index: int
    offset: int

    @property
    def source(self) -> List[Source]:
        """Where it is in the source: the place itself, and then those that it was inlined into; empty where that is not known."""
        return self.module.source(self.offset)

    @property
    def line(self) -> Optional[int]:
        """The line of the source that it is at, or None where that is not known. A breakpoint that was asked for at a line without code
        is at the next line that has some."""
        return next((place.line for place in self.source[:1] if place.line), None)


class Debugger(StoreObject):
    """A debugger attached to one store; other stores never notice.

    `on_stop` is called at every stop, on the guest's thread, with a `Stop`. It may look and change, edit breakpoints, call
    exports (which may stop in turn), and says what the guest is to do: by returning an `Action`, or by calling `stop.step()`,
    `stop.step_over()` or `stop.step_out()`; the guest goes on if it does neither. What it raises ends the guest, and is raised by the
    call that ran it; a `Trap` that it returns does the same.

    Attaching compiles debug code where the store's modules have none. `progress` is told how many functions of how many are done, perhaps on
    another thread, and returns whether to go on. Where it does not, or raises, the store is as it was, and attaching can be begun again.

    It stays attached until it is closed, which is refused while a guest runs in the store.
    """

    _delete = c.stepwell_debugger_delete

    def __init__(self, store: Store, on_stop: Callable[[Stop], Any], *, progress: Optional[Callable[[int, int], Any]] = None) -> None:
        if not callable(on_stop):
            raise TypeError(f"on_stop must be callable, not {on_stop!r}")
        self._on_stop = on_stop
        self._breakpoints: Dict[int, Breakpoint] = {}
        out = POINTER(c.stepwell_debugger_t)()
        env = _calls.register(self)
        with store._lock:
            _calls.with_progress(progress, lambda tell: c.stepwell_debugger_attach_guarded(
                store._handle, _stopped, env, _calls.no_finalizer, tell, None, byref(out)))
            self._own_in(store, out)
            store._debugger = self

    def close(self) -> None:
        """Detaches: breakpoints are gone, and the store runs production code again."""
        if self._ptr is None:
            return
        with self._store._lock:
            if self._store._depth:
                raise Error("the debugger cannot be detached while a guest runs in its store", ErrorCode.STATE)
            super().close()
            self._store._debugger = None
            self._breakpoints.clear()

    @property
    def breakpoints(self) -> List[Breakpoint]:
        """The breakpoints there are, in the order they were set."""
        return list(self._breakpoints.values())

    def _placed(self, function: Any, module: Module, where: Any) -> Breakpoint:
        out = c_uint32()
        with self._store._lock:
            check(function(self._handle, self._store._module(module), where, byref(out)))
            number = out.value
            func = c.stepwell_breakpoint_func_index(self._handle, number)
            placed = Breakpoint(number, module, func, c.stepwell_breakpoint_offset(self._handle, number))
        self._breakpoints[number] = placed
        return placed

    def break_at(self, module: Module, offset: int) -> Breakpoint:
        """Sets a breakpoint at the instruction at this byte offset of the module, or the next one that can be reached in
        the same function. An offset in no function's body is an error. The module need not be instantiated yet."""
        if offset < 0:
            raise ValueError("an offset is not negative")
        return self._placed(c.stepwell_breakpoint_add, module, offset)

    def break_at_function(self, module: Module, function: Union[str, int]) -> Breakpoint:
        """Sets a breakpoint at the first instruction of a function, by its name (an export's, else one of the name
        section) or its index, imports counted."""
        if isinstance(function, str):
            return self._placed(c.stepwell_breakpoint_add_at_function, module, c_string(function))
        if not 0 <= function < 1 << 32:
            raise ValueError(f"{function} is no function index")
        return self._placed(c.stepwell_breakpoint_add_at_function_index, module, function)

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

    def _call(self, ptr: Any) -> int:
        stop = Stop(self, ptr)
        try:
            action = self._on_stop(stop)
            if isinstance(action, Trap):
                raise action
            return stop._answer if action is None else Action(action)
        except BaseException as exception:
            _calls.stash(exception)
            text = _calls.describe(exception)
            if not isinstance(exception, Trap):
                text = f"on_stop raised {text}"
            c.stepwell_stop_message_set(ptr, text.encode("utf-8", "replace").replace(b"\0", b" "))
            return Action.TRAP
        finally:
            stop._ptr = None


class Stop(Unique):
    """A guest that stands. Usable until `on_stop` returns."""

    def __init__(self, debugger: Debugger, ptr: Any) -> None:
        self._debugger = debugger
        self._ptr: Optional[Any] = ptr
        self._frames: Dict[int, Frame] = {}
        self._answer = Action.CONTINUE

    @property
    def _handle(self) -> Any:
        if self._ptr is None:
            raise ValueError("the stop is over: on_stop has returned")
        return self._ptr

    def resume(self) -> None:
        """Once `on_stop` returns None, the guest runs to the next breakpoint. So it does without being told."""
        self._answer = Action.CONTINUE

    def step(self) -> None:
        """Once `on_stop` returns None, the guest stops at the next instruction, whatever function it is in."""
        self._answer = Action.STEP

    def step_over(self) -> None:
        """Once `on_stop` returns None, the guest stops at the next instruction of this frame, or of its caller once it returns."""
        self._answer = Action.STEP_OVER

    def step_out(self) -> None:
        """Once `on_stop` returns None, the guest stops at the next instruction of the caller."""
        self._answer = Action.STEP_OUT

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
        return [self._debugger._breakpoints[c.stepwell_stop_breakpoint(self._handle, i)] for i in range(count)]

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

    def __str__(self) -> str:
        why = getattr(self.reason, "name", str(self.reason)).lower()
        if self.breakpoints:
            why += " " + ", ".join(str(b.id) for b in self.breakpoints)
        if self.trap_message is not None:
            why += f": {self.trap_message}"
        return "\n".join([f"stopped by {why}", *(f"  {frame}" for frame in self.frames)])


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

    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse  # type: ignore[assignment]

    def by_name(self) -> Dict[str, Any]:
        """Name to value, of the locals that have names."""
        return {name: self[index] for name, index in self.names.items()}


class Evaluated(NamedTuple):
    """What a variable of the source comes to: the name of its type, and its value in one line."""

    type_name: str
    text: str

    def __str__(self) -> str:
        return self.text


class Variable(Managed):
    """A variable of the source in a frame, what is inside of one, or all variables of a scope, which are its children.

    Its name, scope, line and depth are known as long as it is there; the rest is read when it is asked for, and is a ValueError once the
    stop is over.
    """

    _delete = c.stepwell_variable_delete

    def __init__(self, frame: Frame, ptr: Any) -> None:
        self._frame = frame
        self._own(ptr)

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
            check(c.stepwell_variable_children(self._live, first, size, page, byref(written)))
            got = [Variable(self._frame, page[i]) for i in range(written.value)]
            yield from got
            if len(got) < size:
                return
            first, left = first + size, left - size

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

    def assign(self, text: str) -> None:
        """Gives it another value, as text, with which the guest goes on."""
        check(c.stepwell_variable_assign(self._live, c_string(text)))
        self._frame._forget()

    def __str__(self) -> str:
        return f"{self.name} = {self.text}"


class Frame(Unique):
    """A Wasm frame of a stop. What was looked at stays known; the rest is an error once the stop is over."""

    def __init__(self, stop: Stop, ptr: Any, index: int) -> None:
        self._stop = stop
        self._ptr = ptr
        self.index = index

    @property
    def _handle(self) -> Any:
        self._stop._handle
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
        values = (c.wasm_val_t * count)()
        written = getter(self._handle, values, count)
        try:
            return [from_c(self._stop.store, values[i], owned=False) for i in range(written)]
        finally:
            for i in range(written):
                if values[i].kind >= c.STEPWELL_VALKIND_V128:
                    c.wasm_val_delete(byref(values[i]))

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
        """Gives a local of the innermost frame, by its index or its name, another value, with which the guest goes on."""
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
        """Gives an operand of the innermost frame, the bottom of the stack first, another value, with which the guest goes on."""
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

    def evaluate(self, path: str) -> Evaluated:
        """What a variable of the source, or a path such as `p->x[3]`, comes to in this frame: its type and its value, as text."""
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

    def variable(self, path: str, *, level: int = 0) -> Variable:
        """What a path such as `p->x[3]` leads to, as a `Variable`."""
        out = POINTER(c.stepwell_variable_t)()
        if level < 0:
            raise ValueError("levels are counted from 0, the innermost")
        check(c.stepwell_frame_variable(self._handle, level, c_string(path), byref(out)))
        return Variable(self, out)

    def assign(self, path: str, text: str) -> None:
        """Gives what a path leads to another value, as text, with which the guest goes on."""
        check(c.stepwell_frame_assign(self._handle, c_string(path), c_string(text)))
        self._forget()

    def _set(self, setter: Any, index: int, name: str, value: Any, what: str) -> None:
        val = c.wasm_val_t()
        to_c(self._stop.store, val, name, value, what)
        check(setter(self._handle, index, byref(val)))
        self._forget()

    def _forget(self) -> None:
        """What is known of where it stands and what it has is so no more."""
        for name in ("offset", "source", "locals", "operands"):
            self.__dict__.pop(name, None)

    def __str__(self) -> str:
        name = name_to_show(self.func_name) if self.func_name is not None else f"func {self.func_index}"
        named: Dict[Any, str] = {index: name_to_show(name) for name, index in self.locals.names.items()}
        shown = ", ".join(f"{named.get(index, index)}={value!r}" for index, value in self.locals.items())
        if self.source:
            name += f" ({self.source[0]})"
        host = " (through the host)" if self.called_through_host else ""
        return f"#{self.index} {name} at {self.offset:#x}{host}  locals: {shown or 'none'}  operands: {self.operands}"


def _call_stopped(env: int, ptr: Any, outcome: Any) -> None:
    """What C calls for every stop."""
    try:
        outcome[0].value = int(_calls.owner_of(env)._call(ptr))
        outcome[0].done = 1
    except BaseException as exception:
        _calls.stash(exception)


_stopped = _calls.callback(c.stepwell_guarded_stop_callback_t, _call_stopped)
