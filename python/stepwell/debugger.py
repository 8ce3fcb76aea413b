"""Debugging one store: breakpoints, stops, frames."""
from collections import namedtuple
from ctypes import POINTER, byref, c_uint32
from enum import IntEnum
from functools import cached_property

from . import _bindings as c
from . import _calls
from ._managed import StoreObject
from .errors import Error, ErrorCode, Trap, TrapCode, _enum, _known, check, last_error, name_from, not_null, take_message
from .instance import Instance
from .module import c_string
from .values import from_c

StopReason = _enum("StopReason", "STEPWELL_STOP_")
StopReason.__doc__ = "Why a guest was stopped."


class Action(IntEnum):
    """What the guest is to do after a stop."""

    CONTINUE = c.STEPWELL_CONTINUE  #: run to the next breakpoint
    STEP = c.STEPWELL_STEP  #: stop at the next instruction, whatever function it is in
    STEP_OVER = c.STEPWELL_STEP_OVER  #: stop at the next instruction of this frame, or of its caller once it returns
    STEP_OUT = c.STEPWELL_STEP_OUT  #: stop at the next instruction of the caller


class Breakpoint(namedtuple("Breakpoint", "id module func_index offset")):
    """A breakpoint where it was placed: `offset` is the byte offset of its instruction in the module."""

    __slots__ = ()


class Debugger(StoreObject):
    """A debugger attached to one store; other stores never notice.

    `on_stop` is called at every stop, on the guest's thread, with a `Stop`. It may look and change, edit breakpoints, call
    exports (which may stop in turn), and returns an `Action`, or None to continue. What it raises ends the guest, and is
    raised by the call that ran it; a `Trap` that it returns does the same.

    It stays attached until it is closed, which is refused while a guest runs in the store.
    """

    _delete = c.stepwell_debugger_delete

    def __init__(self, store, on_stop):
        if not callable(on_stop):
            raise TypeError(f"on_stop must be callable, not {on_stop!r}")
        self._on_stop = on_stop
        self._breakpoints = {}
        out = POINTER(c.stepwell_debugger_t)()
        env = _calls.register(self)
        with store._lock:
            check(c.stepwell_debugger_attach(store._handle, _stopped, env, _no_finalizer, byref(out)))
            self._own_in(store, out)
            store._debugger = self

    def close(self):
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
    def breakpoints(self):
        """The breakpoints there are, in the order they were set."""
        return list(self._breakpoints.values())

    def _placed(self, function, module, where):
        number = c_uint32()
        with self._store._lock:
            check(function(self._handle, self._store._module(module), where, byref(number)))
            number = number.value
            func = c.stepwell_breakpoint_func_index(self._handle, number)
            placed = Breakpoint(number, module, func, c.stepwell_breakpoint_offset(self._handle, number))
        self._breakpoints[number] = placed
        return placed

    def break_at(self, module, offset):
        """Sets a breakpoint at the instruction at this byte offset of the module, or the next one that can be reached in
        the same function. The module need not be instantiated yet."""
        if offset < 0:
            raise ValueError("an offset is not negative")
        return self._placed(c.stepwell_debugger_break_at, module, offset)

    def break_at_function(self, module, function):
        """Sets a breakpoint at the first instruction of a function, by its name (an export's, else one of the name
        section) or its index, imports counted."""
        if isinstance(function, str):
            return self._placed(c.stepwell_debugger_break_at_function, module, c_string(function))
        if not 0 <= function < 1 << 32:
            raise ValueError(f"{function} is no function index")
        return self._placed(c.stepwell_debugger_break_at_function_index, module, function)

    def remove(self, breakpoint):
        """Removes a breakpoint."""
        number = breakpoint.id if isinstance(breakpoint, Breakpoint) else breakpoint
        with self._store._lock:
            check(c.stepwell_debugger_remove(self._handle, number))
        self._breakpoints.pop(number, None)

    def step_always(self, on=True):
        """Makes every instruction of every call stop, whatever `on_stop` answers, beginning with the first one; or ends
        that."""
        with self._store._lock:
            check(c.stepwell_debugger_step_always_set(self._handle, on))

    def _call(self, ptr):
        stop = Stop(self, ptr)
        try:
            action = self._on_stop(stop)
            if isinstance(action, Trap):
                raise action
            return Action.CONTINUE if action is None else Action(action)
        except BaseException as exception:
            text = f"{type(exception).__name__} in on_stop: {exception}"
            if isinstance(exception, Trap):
                text = exception.message
            c.stepwell_stop_message_set(ptr, text.encode("utf-8", "replace").replace(b"\0", b" "))
            raise
        finally:
            stop._ptr = None


class Stop:
    """A guest that stands. Usable until `on_stop` returns."""

    def __init__(self, debugger, ptr):
        self._debugger = debugger
        self._ptr = ptr
        self._frames = {}

    @property
    def _handle(self):
        if self._ptr is None:
            raise ValueError("the stop is over: on_stop has returned")
        return self._ptr

    @property
    def debugger(self):
        """The debugger."""
        return self._debugger

    @property
    def store(self):
        """The store."""
        return self._debugger.store

    @cached_property
    def reason(self):
        """Why it was stopped, a `StopReason`."""
        return _known(StopReason, c.stepwell_stop_reason(self._handle))

    @cached_property
    def breakpoints(self):
        """The breakpoints that were hit; empty if they are not the reason."""
        count = c.stepwell_stop_breakpoint_count(self._handle)
        return [self._debugger._breakpoints[c.stepwell_stop_breakpoint(self._handle, i)] for i in range(count)]

    @cached_property
    def trap_code(self):
        """The `TrapCode` if a trap is the reason, else None."""
        if self.reason != StopReason.TRAP:
            return None
        return _known(TrapCode, c.stepwell_stop_trap_code(self._handle))

    @cached_property
    def trap_message(self):
        """The trap's message if a trap is the reason, else None."""
        out = c.wasm_message_t()
        return take_message(out) if c.stepwell_stop_trap_message(self._handle, byref(out)) else None

    @property
    def frame_count(self):
        """How many Wasm frames of the store are live, in all nested runs."""
        return c.stepwell_stop_frame_count(self._handle)

    def frame(self, index=0):
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
    def frames(self):
        """All frames, innermost first."""
        return [self.frame(i) for i in range(self.frame_count)]

    def __str__(self):
        why = getattr(self.reason, "name", str(self.reason)).lower()
        if self.breakpoints:
            why += " " + ", ".join(str(b.id) for b in self.breakpoints)
        if self.trap_message is not None:
            why += f": {self.trap_message}"
        return "\n".join([f"stopped by {why}", *(f"  {frame}" for frame in self.frames)])


class Locals(dict):
    """The locals of a frame: index to value, parameters first; `locals["x"]` finds one by its name, if it has one."""

    def __init__(self, values, names):
        super().__init__(enumerate(values))
        self.names = names  # name to index

    def __missing__(self, key):
        if key in self.names:
            return self[self.names[key]]
        raise KeyError(key)


class Frame:
    """A Wasm frame of a stop. What was looked at stays known; the rest is an error once the stop is over."""

    def __init__(self, stop, ptr, index):
        self._stop = stop
        self._ptr = ptr
        self.index = index

    @property
    def _handle(self):
        self._stop._handle
        return self._ptr

    @property
    def stop(self):
        """The stop it is of."""
        return self._stop

    @cached_property
    def func_index(self):
        """The index of its function in the module, imports counted."""
        return c.stepwell_frame_func_index(self._handle)

    @cached_property
    def func_name(self):
        """The name of its function, or None."""
        return name_from(c.stepwell_frame_func_name, self._handle)

    @cached_property
    def offset(self):
        """The byte offset in the module of the instruction about to run; in a caller, of the call that is under way; after
        a trap, of the instruction that trapped."""
        return c.stepwell_frame_offset(self._handle)

    @cached_property
    def id(self):
        """A number that is the same for one activation at every stop."""
        return c.stepwell_frame_id(self._handle)

    @cached_property
    def called_through_host(self):
        """Whether it called the host, which called the next inner frame."""
        return c.stepwell_frame_called_through_host(self._handle)

    @cached_property
    def module(self):
        """Its module; None for one that Python did not make."""
        handle = not_null(c.stepwell_frame_module(self._handle), "stepwell_frame_module")
        try:
            return self._stop.store._module_of(handle)
        finally:
            c.wasm_module_delete(handle)

    @cached_property
    def instance(self):
        """Its instance: its exports, and its globals, memories and tables by index."""
        handle = not_null(c.stepwell_frame_instance(self._handle), "stepwell_frame_instance")
        return Instance._of(self._stop.store, self.module, handle)

    def _values(self, getter):
        vec = c.wasm_val_vec_t()
        if not getter(self._handle, byref(vec)):
            raise last_error(getter.__name__)
        try:
            return [from_c(self._stop.store, vec.data[i], owned=False) for i in range(vec.size)]
        finally:
            c.wasm_val_vec_delete(byref(vec))

    @cached_property
    def locals(self):
        """Its locals, parameters first: by index, and by name where names exist."""
        values = self._values(c.stepwell_frame_locals)
        names = {}
        for index in range(len(values)):
            name = name_from(c.stepwell_frame_local_name, self._handle, index)
            if name is not None:
                names.setdefault(name, index)
        return Locals(values, names)

    @cached_property
    def operands(self):
        """The values on its operand stack, bottom first."""
        return self._values(c.stepwell_frame_operands)

    def __str__(self):
        name = self.func_name if self.func_name is not None else f"func {self.func_index}"
        named = {index: name for name, index in self.locals.names.items()}
        shown = ", ".join(f"{named.get(index, index)}={value!r}" for index, value in self.locals.items())
        host = " (through the host)" if self.called_through_host else ""
        return f"#{self.index} {name} at {self.offset:#x}{host}  locals: {shown or 'none'}  operands: {self.operands}"


@c.stepwell_stop_callback_t
def _stopped(env, ptr):
    """What C calls for every stop."""
    try:
        return _calls.owner_of(env)._call(ptr)
    except BaseException as exception:
        _calls.stash(exception)
        return c.STEPWELL_TRAP


_no_finalizer = c.stepwell_finalizer_t()
