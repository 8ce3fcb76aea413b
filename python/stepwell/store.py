"""Stores: instances and all they own."""
from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from ctypes import POINTER, byref, c_uint64
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, List, Optional, Tuple

from . import _bindings as c
from . import _calls
from ._bindings import ErrorCode
from ._managed import Managed, StoreObject, _ending
from .engine import Engine
from .errors import Error, check, not_null
from .module import Module, ModuleHandle

if TYPE_CHECKING:
    from ._calls import HostFunction
    from .debugger import Debugger
    from .values import Box, ExternRef
    from .wasi import Wasi


class _LeftBehind:
    """The lock of a store in which another thread was when this process was forked: that thread is not in this process."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not blocking:
            return False
        raise Error(
            "the store cannot be used in this process: when it was forked, another thread was inside of the store. Make a store of its own "
            "here", ErrorCode.STATE)

    def release(self) -> None:
        """Nobody has it."""

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_left_behind: List[Store] = []  # these are never given back: what their threads did is half done


def _after_fork() -> None:
    """Only this thread is in the child."""
    for store in list(_stores):
        if store._lock.acquire(blocking=False):
            store._lock.release()
        else:
            store._lock = _LeftBehind()
            _left_behind.append(store)


os.register_at_fork(after_in_child=_after_fork)


class Store(Managed):
    """Instances and all they own. One thread at a time is inside: others wait.

    Everything made in a store keeps it alive, and is closed with it.
    """

    _delete = c.wasm_store_delete

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock: Any = threading.RLock()
        self._depth = 0  # calls into the store that are under way
        # Handles that were given back while another thread was inside, each with what deletes it.
        self._given_back: Deque[Tuple[Any, Any]] = deque()
        # By id: what is closed with the store.
        self._children: weakref.WeakValueDictionary[int, StoreObject] = weakref.WeakValueDictionary()
        self._modules: Dict[int, Tuple[Module, ModuleHandle]] = {}  # by id: modules that were used in it, with their handles here
        self._kept: Dict[int, Any] = {}  # by id: what the store's C side calls
        self._askers: Dict[str, Any] = {}  # by what it is asked: the functions that its C side asks
        self._boxes: Dict[int, Box] = {}  # by number: what the references that guests may hold stand for
        # By number: what guests hand back, if somebody still has it.
        self._references: weakref.WeakValueDictionary[int, ExternRef] = weakref.WeakValueDictionary()
        self._call_handles: Dict[int, Any] = {}  # by number: of the calls that are open
        self._debugger: Optional[Debugger] = None
        self._asker: Optional[Interrupt] = None  # has its guests ask whether they may go on
        self._own(not_null(c.wasm_store_new(engine._handle), "wasm_store_new"))
        _stores.add(self)
        if engine._epoch:
            check(c.stepwell_store_ask_set(self._handle, _calls.ask, None, _calls.no_finalizer))
            self._asker = Interrupt(self)

    @property
    def engine(self) -> Engine:
        """Its engine."""
        return self._engine

    @property
    def debugger(self) -> Optional[Debugger]:
        """The debugger that is attached, or None."""
        return self._debugger

    @property
    def poisoned(self) -> bool:
        """Whether an earlier failure left it unusable."""
        with self._lock:
            return bool(c.stepwell_store_is_poisoned(self._handle))

    def set_limits(
            self, *, memory_bytes: int = 2**64 - 1, table_elements: int = 2**64 - 1, instances: int = 2**64 - 1,
            heap_bytes: int = 2**64 - 1, calls: int = 2**64 - 1) -> None:
        """Sets what it may take: bytes of all memories and elements of all tables together, instances at a time, bytes of
        the structures and arrays that its guests make, each `Call` that is not closed, those of `call_async` too."""
        with self._lock:
            check(c.stepwell_store_limits_set(self._handle, memory_bytes, table_elements, instances))
            check(c.stepwell_store_heap_limit_set(self._handle, heap_bytes))
            check(c.stepwell_store_call_limit_set(self._handle, calls))

    def set_limiter(self, limiter: Callable[[str, int, int, Optional[int]], Any]) -> None:
        """Has `limiter(kind, current, desired, maximum)` say whether a memory or a table may be made, or grow, whoever wants that: a
        memory (`kind` is `"memory"`, sizes are bytes) or a table (`"table"`, elements); `maximum` is what its type says, or None.
        Where the answer is false, a guest's instruction yields -1, and all else is an error. `set_limits` holds besides. It may look
        at the store; guests are not called meanwhile, and nothing grows. What it raises ends the guest's call."""
        with self._lock:
            self._asked("limiter", c.stepwell_store_limiter_set, _calls.limiter, limiter)

    def set_at_deadline(self, over: Callable[[], Optional[int]]) -> None:
        """Has `over()` say what becomes of a guest whose deadline is over: for how many epochs more it goes on, or (None) that it traps,
        as without such a function. It may look at the store; guests are not called meanwhile. What it raises ends the guest's call.
        Needs `Engine(epoch=True)`."""
        with self._lock:
            self._asked("at_deadline", c.stepwell_store_at_deadline_set, _calls.at_deadline, over)

    def _asked(self, name: str, set_function: Any, callback: Any, function: Callable[..., Any]) -> None:
        """Has C ask a function, in the place of the one of this name before."""
        if not callable(function):
            raise TypeError(f"{name} is a callable, not {function!r}")
        asked = _calls.Asked(self, function)
        check(set_function(self._handle, callback, asked.number, _calls.no_finalizer))
        self._askers[name] = asked

    def set_wasi(self, wasi: Wasi) -> None:
        """Gives its programs what WASI has for them, by the functions that `Linker.define_wasi()` defines for all stores, in the place
        of what they had."""
        with self._lock:
            handle = self._handle
            config, outputs = wasi._config()
            for output in outputs:
                self._keep(output)
            check(c.stepwell_store_wasi_set(handle, config))

    def set_core_dumps(self, asked: bool) -> None:
        """Has each `Trap` that leaves a guest of it have a core dump, `trap.core_dump()`, or ends that. No debugger is needed."""
        with self._lock:
            check(c.stepwell_store_core_dumps_set(self._handle, asked))

    @property
    def heap_bytes(self) -> int:
        """The bytes of what its guests have made, as far as it was not collected yet."""
        with self._lock:
            return int(c.stepwell_store_heap_bytes(self._handle))

    @property
    def fuel(self) -> int:
        """The fuel that its guests have left: almost every instruction takes one unit, and without fuel they trap with
        `TrapCode.OUT_OF_FUEL`. Needs `Engine(fuel=True)`. A new store has none."""
        left = c_uint64()
        with self._lock:
            check(c.stepwell_store_fuel_get(self._handle, byref(left)))
        return left.value

    @fuel.setter
    def fuel(self, fuel: int) -> None:
        if not 0 <= fuel < 1 << 63:
            raise ValueError(f"fuel is from 0 to 2**63 - 1, not {fuel}")
        with self._lock:
            check(c.stepwell_store_fuel_set(self._handle, fuel))

    def set_epoch_deadline(self, epochs: int) -> None:
        """Lets its guests run until the engine's epoch is `epochs` more than it is now; then, and with 0 at once, they trap with
        `TrapCode.INTERRUPT`, until another deadline is set. Needs `Engine(epoch=True)`. A new store has no deadline."""
        if not 0 <= epochs < 1 << 64:
            raise ValueError(f"epochs is from 0 to 2**64 - 1, not {epochs}")
        with self._lock:
            check(c.stepwell_store_epoch_deadline_set(self._handle, epochs))

    def clear_interrupt(self) -> None:
        """Takes back an interrupt that no guest has found yet."""
        with self._lock:
            c.stepwell_store_interrupt_clear(self._handle)

    def collect(self) -> None:
        """Gives back what nothing holds any more: instances with their memories, host functions, external references. It is done
        from time to time without this. Inside a callback of the store, and while a guest waits (`Call`), it is an error."""
        with self._lock:
            handle = self._handle
            self._delete_given_back()
            check(c.stepwell_store_collect(handle))

    @property
    def object_count(self) -> int:
        """How many objects it has, those that are to be collected included."""
        with self._lock:
            return int(c.stepwell_store_object_count(self._handle))

    def close(self) -> None:
        """Closes everything in it, and the store. Refused while a guest runs in it."""
        with self._lock:
            if self._depth:
                raise Error("the store cannot be closed while a guest runs in it", ErrorCode.STATE)
            # All at once: other threads may add to them meanwhile.
            children = [there for there in (child() for child in self._children.valuerefs()) if there is not None]
            # No debugger is detached while a guest waits.
            for there in children:
                if there._is_call:
                    there.close()
            self._delete_calls()
            if self._debugger is not None:
                self._debugger.close()
            for there in children:
                there.close()
            del children
            for _, handle in self._modules.values():
                handle.close()
            self._modules.clear()
            self._kept.clear()
            self._askers.clear()
            self._boxes.clear()
            self._delete_given_back()
            super().close()

    def __repr__(self) -> str:
        if self._ptr is None or not self._lock.acquire(blocking=False):
            return "<Store, closed>" if self._ptr is None else "<Store, which another thread uses>"
        try:
            return super().__repr__()
        finally:
            self._lock.release()

    def _about(self) -> str:
        notes = [f"of {self.object_count} objects"]
        notes += [f"{len(self._call_handles)} calls"] * bool(self._call_handles) + ["poisoned"] * self.poisoned + ["a guest runs in it"] * bool(self._depth) + ["debugged"] * (self._debugger is not None)
        return ", ".join(notes)

    def __del__(self, _ending: List[int] = _ending) -> None:
        if not _ending and hasattr(self, "_given_back"):
            self._delete_given_back()
        super().__del__(_ending)

    def _give_back(self, delete: Any, ptr: Any) -> None:
        """Deletes a handle, which may enter the store: now, or, if another thread is inside, when the next one comes to
        it. It waits for nobody, as it runs wherever Python finds something unused."""
        self._given_back.append((delete, ptr))
        if self._lock.acquire(blocking=False):
            try:
                self._delete_given_back()
            finally:
                self._lock.release()

    def _delete_given_back(self) -> None:
        """Deletes the handles that were given back. Only with the lock."""
        running = []
        while self._given_back:
            delete, ptr = self._given_back.popleft()
            if delete is c.stepwell_call_delete and c.stepwell_call_status(ptr) == c.STEPWELL_CALL_RUNNING:
                running.append((delete, ptr))  # another thread has closed it: it is deleted when its guest waits, or is done
            else:
                delete(ptr)
        self._given_back.extend(running)

    def _delete_calls(self) -> None:
        """Gives up the guests that wait."""
        while self._call_handles:
            try:
                _, ptr = self._call_handles.popitem()
            except KeyError:  # another thread has taken the last one
                break
            self._give_back(c.stepwell_call_delete, ptr)

    def _keep(self, item: Any) -> None:
        """Keeps what C calls for as long as the store is open."""
        self._kept[id(item)] = item

    def _finished(self, number: int) -> None:
        """A reference is held by nobody any more."""
        self._boxes.pop(number, None)

    def _keep_host(self, host: HostFunction) -> None:
        """Keeps a host function until C will never call it again."""
        if id(host) not in self._kept:
            self._kept[id(host)] = host
            host.keepers.append(weakref.ref(self))

    def _module(self, module: Module) -> Any:
        """The handle of a module in this store. Only with the lock."""
        known = self._modules.get(id(module))
        if known is None:
            known = self._modules[id(module)] = (module, ModuleHandle(self._handle, module))
        return known[1]._handle

    def _module_of(self, handle: Any) -> Optional[Module]:
        """The module of a handle, if it is known here."""
        for module, known in self._modules.values():
            if c.wasm_module_same(known._handle, handle):
                return module
        return None


class Interrupt(Managed):
    """Ends the guests of a store from other threads. Needs `Engine(epoch=True)`. It may outlive the store; then it does nothing."""

    _delete = c.stepwell_interrupt_delete

    def __init__(self, store: Store) -> None:
        out = POINTER(c.stepwell_interrupt_t)()
        with store._lock:
            check(c.stepwell_interrupt_new(store._handle, byref(out)))
        self._own(out)

    def interrupt(self) -> None:
        """Ends the guest that runs, with a trap (`TrapCode.INTERRUPT`), when it next begins a function or a turn of a loop. If it is
        in a host function, that ends first. If none runs, the next one is ended, unless `Store.clear_interrupt` is called before.
        Any thread may call it."""
        c.stepwell_interrupt_raise(self._handle)

    def _ask(self) -> None:
        """Has the guest that runs look after signals, when it next begins a function or a turn of a loop. This package does so from time to
        time."""
        c.stepwell_interrupt_ask(self._handle)
