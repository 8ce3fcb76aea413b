"""Values between Python and C, and the objects that can be values or imports: functions, globals, memories, tables."""
import ctypes
from ctypes import byref, c_void_p, cast
from operator import index as integer

from . import _bindings as c
from . import _calls
from ._managed import StoreObject
from .errors import Error, ErrorCode, last_error, not_null
from .types import (
    KINDS, NAMES, FuncType, GlobalType, MemoryType, TableType, functype_from, globaltype_from, in_c, memorytype_from,
    tabletype_from, taken,
)


def to_c(store, val, name, value, what, given_away=False):
    """Writes a Python value of type `name` to a `wasm_val_t`. A reference is borrowed, unless it is given away."""
    if name in ("i32", "i64"):
        bits = 32 if name == "i32" else 64
        try:
            number = integer(value)
        except TypeError:
            raise TypeError(f"{what} must be an int for {name}, not {type(value).__name__}") from None
        if not -(1 << bits - 1) <= number < 1 << bits:
            raise OverflowError(f"{what} is {number}, which does not fit {name}")
        setattr(val.of, name, number)
    elif name in ("f32", "f64"):
        if isinstance(value, (str, bytes, bytearray)) or not hasattr(value, "__float__") and not hasattr(value, "__index__"):
            raise TypeError(f"{what} must be a number for {name}, not {type(value).__name__}")
        setattr(val.of, name, float(value))
    else:
        reference = ref_to_c(store, name, value, what)
        val.of.ref = c.wasm_ref_copy(reference) if given_away and reference else reference
    val.kind = KINDS[name]


def from_c(store, val, owned):
    """A `wasm_val_t` as a Python value. If it is owned, so is a reference in it, which is taken."""
    name = NAMES.get(val.kind)
    if name in ("i32", "i64", "f32", "f64"):
        return getattr(val.of, name)
    if name in ("funcref", "externref"):
        reference = val.of.ref
        if not reference:
            return None
        return ref_from_c(store, reference if owned else c.wasm_ref_copy(reference))
    raise Error(f"values of type {name or val.kind} cannot be passed to Python", ErrorCode.UNSUPPORTED)


def ref_to_c(store, name, value, what):
    """A reference of type `name`, borrowed; None is null."""
    if value is None:
        return None
    wanted = Func if name == "funcref" else ExternRef
    if not isinstance(value, wanted):
        raise TypeError(f"{what} must be {wanted.__name__} or None for {name}, not {type(value).__name__}")
    if value._store is not store:
        raise Error(f"{what} is an object of another store", ErrorCode.ARGUMENT)
    return c.wasm_func_as_ref(value._handle) if wanted is Func else value._handle


def ref_from_c(store, reference):
    """The object of an owned reference that is not null."""
    func = c.wasm_ref_as_func(reference)
    if func:
        return Func._of(store, func)
    for known in store._kept:
        if isinstance(known, ExternRef) and known._ptr is not None and c.wasm_ref_same(known._ptr, reference):
            c.wasm_ref_delete(reference)
            return known
    return ExternRef._of(store, reference)


class Extern(StoreObject):
    """Something that modules import and export."""

    _as_extern = _same = None

    @classmethod
    def _of(cls, store, ptr):
        self = cls.__new__(cls)
        self._own_in(store, ptr)
        return self

    def __eq__(self, other):
        """Whether both are handles of one object."""
        if type(other) is not type(self):
            return NotImplemented
        return self is other or bool(self._same(self._handle, other._handle))

    def __hash__(self):
        return hash((type(self), id(self._store)))


class Func(Extern):
    """A function, a guest's or the host's. Calling it runs it: with one value for each parameter, it returns None, the
    one result, or a tuple.

    What a host function raises that is called on the way is raised by the call.
    """

    _delete = c.wasm_func_delete
    _as_extern = c.wasm_func_as_extern
    _same = c.wasm_func_same
    _type = None

    def __init__(self, store, type, function):
        """Makes a host function: `function` is called with one value for each parameter, and returns None, the one
        result, or a sequence of results."""
        if not callable(function):
            raise TypeError(f"a host function must be callable, not {function!r}")
        type = FuncType(*type)
        host = _calls.HostFunction(store, type, function, _values)
        env = _calls.register(host)
        with store._lock, in_c(type) as ptr:
            func = c.wasm_func_new_with_env(store._handle, ptr, _calls.call_host, env, _no_finalizer)
            self._own_in(store, not_null(func, "wasm_func_new_with_env"))
        store._kept.append(host)
        self._type = type

    @property
    def type(self):
        """Its type, a `FuncType`."""
        if self._type is None:
            with self._store._lock:
                self._type = taken(functype_from, c.wasm_func_type(self._handle), c.wasm_functype_delete)
        return self._type

    def __call__(self, *args):
        params, results = self.type
        if len(args) != len(params):
            raise TypeError(f"the function has {len(params)} parameters, but {len(args)} arguments were given")
        store = self._store
        given = (c.wasm_val_t * len(params))()
        for i, name in enumerate(params):
            to_c(store, given[i], name, args[i], f"argument {i}")
        room = (c.wasm_val_t * len(results))()
        args_vec = c.wasm_val_vec_t(len(params), given)
        results_vec = c.wasm_val_vec_t(len(results), room)
        _calls.enter(store, c.stepwell_func_call, self._handle, byref(args_vec), byref(results_vec))
        if not results:
            return None
        if len(results) == 1:
            return from_c(store, room[0], owned=True)
        return tuple(from_c(store, val, owned=True) for val in room)

    def __repr__(self):
        return "<Func, closed>" if self.closed else f"<Func {' '.join(self.type.params)} -> {' '.join(self.type.results)}>"


class Global(Extern):
    """A global variable; `value` is what it holds."""

    _delete = c.wasm_global_delete
    _as_extern = c.wasm_global_as_extern
    _same = c.wasm_global_same

    def __init__(self, store, type, value):
        type = GlobalType(*((type,) if isinstance(type, str) else type))
        val = c.wasm_val_t()
        kind = type.value
        with store._lock, in_c(type) as ptr:
            to_c(store, val, kind, value, "value")
            made = c.wasm_global_new(store._handle, ptr, byref(val))
            self._own_in(store, not_null(made, "wasm_global_new"))

    @property
    def type(self):
        """Its type, a `GlobalType`."""
        with self._store._lock:
            return taken(globaltype_from, c.wasm_global_type(self._handle), c.wasm_globaltype_delete)

    @property
    def value(self):
        """What it holds."""
        val = c.wasm_val_t()
        with self._store._lock:
            c.wasm_global_get(self._handle, byref(val))
        return from_c(self._store, val, owned=True)

    @value.setter
    def value(self, value):
        type = self.type
        if not type.mutable:
            raise Error("the global cannot be written: it is constant", ErrorCode.ARGUMENT)
        val = c.wasm_val_t()
        to_c(self._store, val, type.value, value, "value")
        with self._store._lock:
            c.wasm_global_set(self._handle, byref(val))


class Memory(Extern):
    """A memory: bytes, by `read`, `write`, index and slice. `len()` is its size in bytes."""

    _delete = c.wasm_memory_delete
    _as_extern = c.wasm_memory_as_extern
    _same = c.wasm_memory_same

    def __init__(self, store, type):
        with store._lock, in_c(MemoryType(*type)) as ptr:
            self._own_in(store, not_null(c.wasm_memory_new(store._handle, ptr), "wasm_memory_new"))

    @property
    def type(self):
        """Its type, a `MemoryType`."""
        with self._store._lock:
            return taken(memorytype_from, c.wasm_memory_type(self._handle), c.wasm_memorytype_delete)

    @property
    def pages(self):
        """Its size in pages of 64 KiB."""
        with self._store._lock:
            return c.wasm_memory_size(self._handle)

    def __len__(self):
        with self._store._lock:
            return c.wasm_memory_data_size(self._handle)

    def grow(self, pages):
        """Makes it larger, and returns its former size in pages."""
        if pages < 0:
            raise ValueError("a memory cannot shrink")
        with self._store._lock:
            before = c.wasm_memory_size(self._handle)
            if pages >= 1 << 32 or not c.wasm_memory_grow(self._handle, pages):
                raise Error(f"the memory of {before} pages cannot grow by {pages}", ErrorCode.LIMIT)
        return before

    def _at(self, offset, count):
        size = c.wasm_memory_data_size(self._handle)
        if offset < 0 or count < 0 or offset + count > size:
            raise IndexError(f"{count} bytes at {offset} are beyond the memory, which has {size}")
        return (cast(c.wasm_memory_data(self._handle), c_void_p).value or 0) + offset

    def read(self, offset, count):
        """The `count` bytes at `offset`."""
        with self._store._lock:
            at = self._at(offset, count)
            return ctypes.string_at(at, count) if count else b""

    def write(self, offset, data):
        """Writes bytes at `offset`."""
        data = bytes(data)
        with self._store._lock:
            at = self._at(offset, len(data))
            if data:
                ctypes.memmove(at, data, len(data))

    def __getitem__(self, key):
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step != 1:
                raise ValueError("memory is sliced without steps")
            return self.read(start, max(stop - start, 0))
        key = integer(key)
        return self.read(key + len(self) if key < 0 else key, 1)[0]

    def __setitem__(self, key, value):
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            value = bytes(value)
            if step != 1 or len(value) != max(stop - start, 0):
                raise ValueError("a slice of memory is set to as many bytes, without steps")
            self.write(start, value)
        else:
            key = integer(key)
            self.write(key + len(self) if key < 0 else key, bytes([value]))

    def __iter__(self):
        return iter(self[:])


class Table(Extern):
    """A table of references, by index. `len()` is its size."""

    _delete = c.wasm_table_delete
    _as_extern = c.wasm_table_as_extern
    _same = c.wasm_table_same

    def __init__(self, store, type, init=None):
        type = TableType(*type)
        with store._lock, in_c(type) as ptr:
            init = ref_to_c(store, type.element, init, "init")
            self._own_in(store, not_null(c.wasm_table_new(store._handle, ptr, init), "wasm_table_new"))

    @property
    def type(self):
        """Its type, a `TableType`."""
        with self._store._lock:
            return taken(tabletype_from, c.wasm_table_type(self._handle), c.wasm_tabletype_delete)

    def __len__(self):
        with self._store._lock:
            return c.wasm_table_size(self._handle)

    def _index(self, key):
        key = integer(key)
        size = len(self)
        if not -size <= key < size:
            raise IndexError(f"element {key} is beyond the table, which has {size}")
        return key % size

    def __getitem__(self, key):
        with self._store._lock:
            reference = c.wasm_table_get(self._handle, self._index(key))
        return ref_from_c(self._store, reference) if reference else None

    def __setitem__(self, key, value):
        reference = ref_to_c(self._store, self.type.element, value, "value")
        with self._store._lock:
            if not c.wasm_table_set(self._handle, self._index(key), reference):
                raise last_error("wasm_table_set")

    def grow(self, count, init=None):
        """Makes it larger, and returns its former size."""
        reference = ref_to_c(self._store, self.type.element, init, "init")
        with self._store._lock:
            before = len(self)
            if not 0 <= count < 1 << 32 or not c.wasm_table_grow(self._handle, count, reference):
                raise Error(f"the table of {before} elements cannot grow by {count}", ErrorCode.LIMIT)
        return before


class ExternRef(StoreObject):
    """An object of the host's that guests can hold as an `externref`; `value` is what it stands for."""

    _delete = c.wasm_ref_delete
    value = None

    def __init__(self, store, value=None):
        with store._lock:
            made = not_null(c.wasm_foreign_new(store._handle), "wasm_foreign_new")
        self._own_in(store, c.wasm_foreign_as_ref(made))
        self.value = value
        # A guest may hold it for as long as the store is there, and hand it back.
        store._kept.append(self)

    @classmethod
    def _of(cls, store, ptr):
        self = cls.__new__(cls)
        self._own_in(store, ptr)
        return self


def extern_from(store, ptr):
    """The object of an owned `wasm_extern_t`."""
    kind = c.wasm_extern_kind(ptr)
    if kind == c.WASM_EXTERN_FUNC:
        return Func._of(store, c.wasm_extern_as_func(ptr))
    if kind == c.WASM_EXTERN_GLOBAL:
        return Global._of(store, c.wasm_extern_as_global(ptr))
    if kind == c.WASM_EXTERN_MEMORY:
        return Memory._of(store, c.wasm_extern_as_memory(ptr))
    return Table._of(store, c.wasm_extern_as_table(ptr))


_no_finalizer = c.wasm_func_new_with_env.argtypes[4]()


class _values:
    """The two conversions, for `_calls`, which cannot import this module."""

    to_c = staticmethod(to_c)
    from_c = staticmethod(from_c)
