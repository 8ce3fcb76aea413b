"""Stores: instances and all they own."""
from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from . import _bindings as c
from ._bindings import ErrorCode
from ._managed import Managed, StoreObject
from .engine import Engine
from .errors import Error, check, not_null
from .module import Module, ModuleHandle

if TYPE_CHECKING:
    from .debugger import Debugger
    from .values import ExternRef


class Store(Managed):
    """Instances and all they own. One thread at a time is inside: others wait.

    Everything made in a store keeps it alive, and is closed with it.
    """

    _delete = c.wasm_store_delete

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._depth = 0  # calls into the store that are under way
        # By id: what is closed with the store.
        self._children: weakref.WeakValueDictionary[int, StoreObject] = weakref.WeakValueDictionary()
        self._modules: Dict[int, Tuple[Module, ModuleHandle]] = {}  # by id: modules that were used in it, with their handles here
        self._kept: Dict[int, Any] = {}  # by id: what the store's C side calls
        self._references: List[ExternRef] = []  # what it may hand back
        self._debugger: Optional[Debugger] = None
        self._own(not_null(c.wasm_store_new(engine._handle), "wasm_store_new"))

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
            self, *, memory_bytes: int = 2**64 - 1, table_elements: int = 2**64 - 1, instances: int = 2**64 - 1) -> None:
        """Sets what it may take: bytes of all memories and elements of all tables together, instances ever made."""
        with self._lock:
            check(c.stepwell_store_limits_set(self._handle, memory_bytes, table_elements, instances))

    def close(self) -> None:
        """Closes everything in it, and the store. Refused while a guest runs in it."""
        with self._lock:
            if self._depth:
                raise Error("the store cannot be closed while a guest runs in it", ErrorCode.STATE)
            if self._debugger is not None:
                self._debugger.close()
            for child in list(self._children.values()):
                child.close()
            for _, handle in self._modules.values():
                handle.close()
            self._modules.clear()
            self._kept.clear()
            self._references.clear()
            super().close()

    def _keep(self, item: Any) -> None:
        """Keeps what C calls for as long as the store is open."""
        self._kept[id(item)] = item

    def _module(self, module: Module) -> Any:
        """The handle of a module in this store."""
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
