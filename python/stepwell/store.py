"""Stores: instances and all they own."""
import threading
import weakref

from . import _bindings as c
from ._managed import Managed
from .errors import Error, ErrorCode, check, not_null
from .module import ModuleHandle


class Store(Managed):
    """Instances and all they own. One thread at a time is inside: others wait.

    Everything made in a store keeps it alive, and is closed with it.
    """

    _delete = c.wasm_store_delete

    def __init__(self, engine):
        self._engine = engine
        self._lock = threading.RLock()
        self._depth = 0  # calls into the store that are under way
        self._children = weakref.WeakValueDictionary()  # by id: what is closed with the store
        self._modules = {}  # by id: modules that were used in it, with their handles here
        self._kept = []  # what the store's C side calls or hands back: host functions, external references
        self._debugger = None
        self._own(not_null(c.wasm_store_new(engine._handle), "wasm_store_new"))

    @property
    def engine(self):
        """Its engine."""
        return self._engine

    @property
    def debugger(self):
        """The debugger that is attached, or None."""
        return self._debugger

    @property
    def poisoned(self):
        """Whether an earlier failure left it unusable."""
        with self._lock:
            return c.stepwell_store_is_poisoned(self._handle)

    def set_limits(self, *, memory_bytes=2**64 - 1, table_elements=2**64 - 1, instances=2**64 - 1):
        """Sets what it may take: bytes of all memories and elements of all tables together, instances ever made."""
        with self._lock:
            check(c.stepwell_store_limits_set(self._handle, memory_bytes, table_elements, instances))

    def close(self):
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
            super().close()

    def _module(self, module):
        """The handle of a module in this store."""
        known = self._modules.get(id(module))
        if known is None:
            known = self._modules[id(module)] = (module, ModuleHandle(self._handle, module))
        return known[1]._handle

    def _module_of(self, handle):
        """The module of a handle, if it is known here."""
        for module, known in self._modules.values():
            if c.wasm_module_same(known._handle, handle):
                return module
        return None
