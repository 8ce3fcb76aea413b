"""Linkers: names and what they stand for."""
from __future__ import annotations

import threading
from ctypes import POINTER, byref
from typing import Any, Callable, List, Optional, Sequence, Tuple, TypeVar, Union

from . import _bindings as c
from . import _calls
from ._managed import Managed
from .engine import Engine
from .errors import c_string, check, escaped, last_error, not_null
from .instance import Instance
from .module import Module
from .store import Store
from .types import in_c
from .values import Extern, extern_from, host_function
from .wasi import Wasi

F = TypeVar("F", bound=Callable[..., Any])
Signature = Optional[Tuple[Sequence[str], Sequence[str]]]


class Linker(Managed):
    """Names and what they stand for, from which a module's imports are found.

    Host functions are defined for every store of the engine. Other objects are of one store, and a linker that has some
    instantiates in that store only.
    """

    _delete = c.stepwell_linker_delete

    def __init__(self, engine: Engine, *, shadowing: bool = False) -> None:
        """A linker without names. With `shadowing` a name may be defined again."""
        self._engine = engine
        self._lock = threading.RLock()
        self._hosts: List[Any] = []  # what C calls; the stores that are instantiated in keep it, too
        self._stores: List[Store] = []  # of the objects that are defined
        self._own(not_null(c.stepwell_linker_new(engine._handle), "stepwell_linker_new"))
        if shadowing:
            check(c.stepwell_linker_shadowing_set(self._handle, True))

    @property
    def engine(self) -> Engine:
        """Its engine."""
        return self._engine

    def define(self, module: str, name: str, item: Union[Extern, Callable[..., Any]], type: Signature = None) -> None:
        """Defines `module`.`name`: as an object of a store, or as a host function for every store. Without `type`, the function's
        annotations say its type: see `FuncType.of`."""
        names = c_string(module), c_string(name)
        with self._lock:
            if isinstance(item, Extern):
                if type is not None:
                    raise TypeError("an object has its own type")
                with item.store._lock:
                    check(c.stepwell_linker_define(self._handle, *names, item._as_extern(item._handle)))
                self._of(item.store)
                return
            if not callable(item):
                raise TypeError(f"{escaped(module)}.{escaped(name)} cannot be {item!r}: objects of a store and callables can be defined")
            host = host_function(None, item, type)
            with in_c(host.type) as ptr:
                check(c.stepwell_linker_define_guarded_func(
                    self._handle, *names, ptr, _calls.call_host, _calls.register(host), _calls.finished))
            self._hosts.append(host)

    def func(self, module: str, name: Optional[str] = None, type: Signature = None) -> Callable[[F], F]:
        """Defines the function that follows, by default by its own name:

            @linker.func("env")
            def add(a: stepwell.i32, b: stepwell.i32) -> stepwell.i32:
                return a + b
        """
        def define(function: F) -> F:
            self.define(module, function.__name__ if name is None else name, function, type)
            return function

        return define

    def define_instance(self, module: str, instance: Instance) -> None:
        """Defines all exports of an instance as names of `module`."""
        with self._lock, instance.store._lock:
            check(c.stepwell_linker_define_instance(self._handle, c_string(module), instance._handle))
            self._of(instance.store)

    def define_wasi(self, store: Optional[Store] = None, wasi: Optional[Wasi] = None) -> None:
        """Defines the functions of WASI preview 1: once for all stores, each of which has of it what `Store.set_wasi` gives it; or for
        instances of one store, with what `wasi` gives them."""
        if store is None or wasi is None:
            if store is not None or wasi is not None:
                raise TypeError("define_wasi takes a store and what its programs get, or neither")
            with self._lock:
                check(c.stepwell_linker_define_wasi_for_stores(self._handle))
            return
        config, outputs = wasi._config()
        with self._lock, store._lock:
            check(c.stepwell_linker_define_wasi(self._handle, store._handle, config))
            self._of(store)
            for output in outputs:
                store._keep(output)

    def define_module(self, store: Store, name: str, module: Module) -> None:
        """Defines a module's exports as names of `name`, as WASI has it. The functions of a command, which exports `_start`, are made
        anew for each call, in the store that it comes from. Of everything else, a reactor, an instance is made now, in `store`: its
        `_initialize` is called, if it has one, and its other exports are defined."""
        with self._lock, store._lock:
            handle = store._module(module)
            self._used_in(store)
            _calls.enter(store, c.stepwell_linker_define_module, self._handle, store._handle, c_string(name), handle)
            self._of(store)

    def define_unknown_imports_as_traps(self, module: Module) -> None:
        """Defines the functions that the module imports and nobody has defined: each traps when it is called, and says its name."""
        with self._lock:
            check(c.stepwell_linker_define_unknown_imports_as_traps(self._handle, module._view._handle))

    def copy(self) -> Linker:
        """A new linker with the names that this one has now."""
        with self._lock:
            other = Linker.__new__(Linker)
            other._engine, other._lock = self._engine, threading.RLock()
            other._hosts, other._stores = list(self._hosts), list(self._stores)
            other._own(not_null(c.stepwell_linker_clone(self._handle), "stepwell_linker_clone"))
            return other

    def get(self, store: Store, module: str, name: str) -> Optional[Extern]:
        """What `module`.`name` stands for in a store, or None."""
        with self._lock, store._lock:
            ptr = c.stepwell_linker_get(self._handle, store._handle, c_string(module), c_string(name))
            self._used_in(store)
            if ptr:
                return extern_from(store, ptr)
            error = last_error("stepwell_linker_get")
        if error.message.endswith("is not defined"):
            return None
        raise error

    def fill_missing_with_defaults(self, store: Store, module: Module) -> None:
        """Defines what the module imports and nobody has defined: functions that return zeros and nulls, zero globals, empty
        memories and tables."""
        with self._lock, store._lock:
            check(c.stepwell_linker_fill_missing_with_defaults(self._handle, store._handle, store._module(module)))
            self._of(store)

    def instantiate(self, store: Store, module: Module) -> Instance:
        """Instantiates a module with imports by their names, and runs its start function."""
        out = POINTER(c.wasm_instance_t)()
        with self._lock, store._lock:
            handle = store._module(module)
            self._used_in(store)
            _calls.enter(store, c.stepwell_linker_instantiate, self._handle, store._handle, handle, byref(out))
            return Instance._of(store, module, out)

    def instantiate_pre(self, module: Module) -> InstancePre:
        """Looks the module's imports up, once for many instances. What is defined later does not change it."""
        out = POINTER(c.stepwell_instance_pre_t)()
        with self._lock:
            check(c.stepwell_linker_instantiate_pre(self._handle, module._view._handle, byref(out)))
            return InstancePre(self._engine, module, out, list(self._hosts), list(self._stores))

    def _of(self, store: Store) -> None:
        """What it has defined is of this store."""
        if all(known is not store for known in self._stores):
            self._stores.append(store)

    def _used_in(self, store: Store) -> None:
        """Its functions live in this store from now on."""
        for host in self._hosts:
            store._keep_host(host)

    def close(self) -> None:
        """Gives it back now; instances it made stay."""
        with self._lock:
            super().close()
            self._hosts.clear()
            self._stores.clear()


class InstancePre(Managed):
    """A module with its imports found by a linker. Where all of them are host functions of the linker, it makes instances in
    any store of the engine, on several threads at once."""

    _delete = c.stepwell_instance_pre_delete

    def __init__(self, engine: Engine, module: Module, ptr: Any, hosts: List[Any], stores: List[Store]) -> None:
        self._engine, self._module, self._hosts, self._stores = engine, module, hosts, stores
        self._own(ptr)

    @property
    def module(self) -> Module:
        """Its module."""
        return self._module

    def _about(self) -> str:
        return f"of {self._module!r}"

    def instantiate(self, store: Store) -> Instance:
        """Makes an instance, and runs its start function."""
        out = POINTER(c.wasm_instance_t)()
        with store._lock:
            store._module(self._module)
            for host in self._hosts:
                store._keep_host(host)
            _calls.enter(store, c.stepwell_instance_pre_instantiate, self._handle, store._handle, byref(out))
            return Instance._of(store, self._module, out)
