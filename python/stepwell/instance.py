"""Instances: modules that run in a store."""
from __future__ import annotations

import difflib
import itertools
from ctypes import POINTER, byref
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Type, TypeVar, Union

from . import _bindings as c
from . import _calls
from ._bindings import ErrorCode
from ._managed import Managed, StoreObject
from ._shown import shortened
from .engine import Engine
from .errors import Error, Exit, c_string, check, escaped, not_null
from .module import Module, exports_of
from .store import Store
from .typed import typed
from .types import FuncType, ImportType
from .values import Extern, Func, Global, Memory, Table, extern_from

A = TypeVar("A")
X = TypeVar("X", bound=Extern)
Importable = Union[Extern, Callable[..., Any]]
Imports = Union[None, Sequence[Any], "Mapping[Any, Any]"]


class DefaultsLinker(Managed):
    """A linker for one instance, some of whose imports are missing."""

    _delete = c.stepwell_linker_delete

    def __init__(self, engine: Engine) -> None:
        self._own(not_null(c.stepwell_linker_new(engine._handle), "stepwell_linker_new"))


def _find(imports: Imports, item: ImportType) -> Any:
    """What is given for an import, or None."""
    if isinstance(imports, Mapping):
        found = imports.get((item.module, item.name))
        if found is None:
            inside = imports.get(item.module)
            if isinstance(inside, Instance):
                inside = inside.exports
            found = inside.get(item.name) if isinstance(inside, Mapping) else None
        return found
    raise TypeError("imports are a dict of dicts, {module: {name: object}}, or a list in the module's order")


class Exports(Mapping[str, Any]):
    """The exports of an instance by name: `exports["run"]`, or `exports.run`.

    By index any name is found. By attribute a mapping's own are found first: an export that is called `items` or `keys` is `exports["items"]`.
    Nor is a guest's export an attribute by a name that Python (`__len__`) and notebooks (`_repr_html_`) ask objects for.
    """

    def __init__(self, items: Dict[str, Extern]) -> None:
        self.__items = items

    def __getitem__(self, name: str) -> Any:
        try:
            return self.__items[name]
        except KeyError:
            raise KeyError(f"there is no export {escaped(name)!r}{_nearest(name, self.__items)}") from None

    def __getattr__(self, name: str) -> Any:
        items = self.__dict__.get("_Exports__items", {})
        if name not in items or _is_asked_for(name):
            raise AttributeError(f"there is no export {escaped(name)!r}{_nearest(name, items)}")
        return items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.__items)

    def __len__(self) -> int:
        return len(self.__items)

    def __dir__(self) -> List[str]:
        own = list(super().__dir__())
        return own + [name for name in self.__items if name.isidentifier() and name not in own and not _is_asked_for(name)]

    def _ipython_key_completions_(self) -> List[str]:
        """What notebooks complete `exports["` by."""
        return list(self.__items)

    def __repr__(self) -> str:
        shown = [f"{escaped(name)!r}: {item!r}" for name, item in itertools.islice(self.__items.items(), _SHOWN)]
        return f"Exports({{{', '.join(shown + ['...'] * (len(self.__items) > _SHOWN))}}})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What notebooks and IPython show of it: an export a line."""
        with printer.group(4, "Exports(", ")"):
            for name, item in itertools.islice(self.__items.items(), _LINES):
                printer.break_()
                printer.text(f"{shortened(escaped(name))}: {item!r}")
            if len(self.__items) > _LINES:
                printer.break_()
                printer.text(f"... of {len(self.__items)}")


_SHOWN = 20
_LINES = 200


def _is_asked_for(name: str) -> bool:
    """Whether Python or a notebook asks any object for it, and would call what it finds."""
    return name.startswith("__") and name.endswith("__") or name.startswith("_ipython_") or name.startswith("_repr_") and name.endswith("_")


def _nearest(name: Any, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, names, 1) if isinstance(name, str) else []
    return f"; did you mean {escaped(near[0])!r}?" if near else ""


class Instance(StoreObject):
    """A module that runs in a store."""

    _delete = c.wasm_instance_delete
    _exports: Optional[Exports] = None
    _hash: Optional[int] = None  # kept for when it is closed

    def __init__(self, store: Store, module: Module, imports: Imports = None, *, defaults: bool = False) -> None:
        """Instantiates `module`, and runs its start function.

        `imports` are `{module: {name: object}}`, or a list in the module's order; for a whole module an `Instance`
        will do, and for a function any Python callable. With `defaults`, what is missing does nothing and
        returns zeros.
        """
        given: List[Any] = []
        missing: List[str] = []
        if isinstance(imports, (list, tuple)):
            if len(imports) != len(module.imports):
                raise Error(
                    f"the module has {len(module.imports)} imports, but {len(imports)} were given", ErrorCode.LINK)
            found = list(imports)
        else:
            found = [_find(imports, item) if imports is not None else None for item in module.imports]
        for item, value in zip(module.imports, found):
            if value is None:
                missing.append(escaped(f"{item.module}.{item.name}"))
            elif not isinstance(value, Extern):
                if not isinstance(item.type, FuncType) or not callable(value):
                    raise TypeError(f"the import {escaped(item.module)}.{escaped(item.name)} cannot be {value!r}")
                value = Func(store, value, item.type)
            given.append(value)
        if missing and not defaults:
            raise Error(f"missing imports: {', '.join(missing)}", ErrorCode.LINK)
        out = POINTER(c.wasm_instance_t)()
        # Handles stay as they are from where they are read: what another thread closes meanwhile is given back later.
        with store._lock:
            handle = store._module(module)
            if missing:
                with DefaultsLinker(store.engine) as linker:
                    named = set()
                    for item, value in zip(module.imports, given):
                        if value is not None and (item.module, item.name) not in named:
                            named.add((item.module, item.name))
                            check(c.stepwell_linker_define(
                                linker._handle, c_string(item.module), c_string(item.name), value._as_extern(value._handle)))
                    check(c.stepwell_linker_fill_missing_with_defaults(linker._handle, store._handle, handle))
                    _calls.enter(
                        store, c.stepwell_linker_instantiate, linker._handle, store._handle, handle, byref(out))
            else:
                externs = (POINTER(c.wasm_extern_t) * len(given))(*(value._as_extern(value._handle) for value in given))
                vec = c.wasm_extern_vec_t(len(given), externs)
                _calls.enter(store, c.stepwell_instance_new, store._handle, handle, byref(vec), byref(out))
            self._own_in(store, out)
        self._module: Optional[Module] = module

    @classmethod
    def _of(cls, store: Store, module: Optional[Module], ptr: Any) -> Instance:
        self = cls.__new__(cls)
        self._own_in(store, ptr)
        self._module = module
        return self

    def __eq__(self, other: object) -> bool:
        """Whether both are handles of one instance."""
        if not isinstance(other, Instance):
            return NotImplemented
        return self is other or self._store is other._store and self._same_as(other, c.wasm_instance_same)

    def __hash__(self) -> int:
        if self._hash is None:
            with self._store._lock:
                self._hash = hash(c.stepwell_ref_hash(c.wasm_instance_as_ref(self._handle)))
        return self._hash

    def _about(self) -> str:
        of = f"of {self._module._shown_name()}: " if self._module is not None and not self._module.closed else ""
        names = [escaped(name) for name in self._export_names()] if self._module is None or not self._module.closed else list(self.exports)
        return f"{of}exports {', '.join(names[:_SHOWN] + ['...'] * (len(names) > _SHOWN)) or 'nothing'}"

    @property
    def module(self) -> Optional[Module]:
        """Its module; None for one that Python did not make."""
        return self._module

    def typed(self, api: Callable[..., A], *, names: Mapping[str, str] = {}) -> A:
        """Its exports as the attributes that a class asks for, mostly a `typing.Protocol`: a method stands for a function, whose annotations are
        its type, and an annotated attribute for a `Memory`, `Global`, `Table`, `Tag` or `Func`. `names` says what an attribute is exported as,
        where that is another name. What the instance has otherwise is an `Error` (`ErrorCode.LINK`), which says what was expected and found.
        """
        return typed(api, self.exports, names)  # type: ignore[return-value]

    @property
    def exports(self) -> Exports:
        """Its exports by name."""
        if self._exports is None:
            with self._store._lock:
                if self._exports is None:  # else another thread has looked meanwhile
                    vec = c.wasm_extern_vec_t()
                    c.wasm_instance_exports(self._handle, byref(vec))
                    try:
                        copies = [extern_from(self._store, c.wasm_extern_copy(vec.data[i])) for i in range(vec.size)]
                    finally:
                        c.wasm_extern_vec_delete(byref(vec))
                    self._exports = Exports(dict(zip(self._export_names(), copies)))
        return self._exports

    def _export_names(self) -> List[str]:
        if self._module is not None:
            return [item.name for item in self._module.exports]
        with self._store._lock:
            module = not_null(c.stepwell_instance_module(self._handle), "stepwell_instance_module")
        try:
            return [item.name for item in exports_of(module)]
        finally:
            c.wasm_module_delete(module)

    def run(self, *, timeout: Optional[float] = None) -> int:
        """Runs a program: calls its export `_start`. Returns its exit status: 0 if it returns, else what it passed to WASI's
        `proc_exit`. A trap is raised; `timeout` is that of `Func.call`."""
        start = self.exports.get("_start")
        if not isinstance(start, Func):
            raise Error("the module is no program: it has no function _start", ErrorCode.ARGUMENT)
        try:
            start.call(timeout=timeout)
        except Exit as exit:
            return exit.status
        return 0

    async def run_async(self, *, slice: Optional[int] = None, timeout: Optional[float] = None) -> int:
        """The same as a coroutine: see `Func.call_async`."""
        start = self.exports.get("_start")
        if not isinstance(start, Func):
            raise Error("the module is no program: it has no function _start", ErrorCode.ARGUMENT)
        try:
            await start.call_async(slice=slice, timeout=timeout)
        except Exit as exit:
            return exit.status
        return 0

    def _by_index(self, getter: Any, kind: Type[X], index: int) -> X:
        with self._store._lock:
            ptr = getter(self._handle, index)
            if not ptr:
                raise IndexError(f"the instance has no {kind.__name__.lower()} {index}")
            return kind._of(self._store, ptr)

    def func(self, index: int) -> Func:
        """A function by its index in the module, imports counted, exported or not."""
        return self._by_index(c.stepwell_instance_func, Func, index)

    def global_(self, index: int) -> Global:
        """A global by its index in the module, imports counted, exported or not."""
        return self._by_index(c.stepwell_instance_global, Global, index)

    def memory(self, index: int = 0) -> Memory:
        """A memory by its index in the module, imports counted, exported or not."""
        return self._by_index(c.stepwell_instance_memory, Memory, index)

    def table(self, index: int = 0) -> Table:
        """A table by its index in the module, imports counted, exported or not."""
        return self._by_index(c.stepwell_instance_table, Table, index)
