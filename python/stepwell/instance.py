"""Instances: modules that run in a store."""
from __future__ import annotations

from collections.abc import Mapping
from ctypes import POINTER, byref
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Type, TypeVar, Union

from . import _bindings as c
from . import _calls
from ._bindings import ErrorCode
from ._managed import Managed, StoreObject
from .engine import Engine
from .errors import Error, Exit, c_string, check, escaped, not_null
from .module import Module, exports_of
from .store import Store
from .types import FuncType, ImportType
from .values import Extern, Func, Global, Memory, Table, extern_from

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
    """The exports of an instance by name: `exports["run"]`, or `exports.run`."""

    def __init__(self, items: Dict[str, Extern]) -> None:
        self._items = items

    def __getitem__(self, name: str) -> Any:
        return self._items[name]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_items"][name]
        except KeyError:
            raise AttributeError(f"there is no export {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __dir__(self) -> List[str]:
        return [*super().__dir__(), *self._items]


class Instance(StoreObject):
    """A module that runs in a store."""

    _delete = c.wasm_instance_delete
    _exports: Optional[Exports] = None

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
        handle = store._module(module)
        out = POINTER(c.wasm_instance_t)()
        if missing:
            with DefaultsLinker(store.engine) as linker:
                named = set()
                for item, value in zip(module.imports, given):
                    if value is not None and (item.module, item.name) not in named:
                        named.add((item.module, item.name))
                        check(c.stepwell_linker_define(
                            linker._handle, c_string(item.module), c_string(item.name), value._as_extern(value._handle)))
                with store._lock:
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

    @property
    def module(self) -> Optional[Module]:
        """Its module; None for one that Python did not make."""
        return self._module

    @property
    def exports(self) -> Exports:
        """Its exports by name."""
        if self._exports is None:
            vec = c.wasm_extern_vec_t()
            with self._store._lock:
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

    def run(self) -> int:
        """Runs a program: calls its export `_start`. Returns its exit status: 0 if it returns, else what it passed to WASI's
        `proc_exit`. A trap is raised."""
        start = self.exports.get("_start")
        if not isinstance(start, Func):
            raise Error("the module is no program: it has no function _start", ErrorCode.ARGUMENT)
        try:
            start()
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
