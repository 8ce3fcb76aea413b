"""Values between Python and C, and the objects that can be values or imports: functions, globals, memories, tables."""
from __future__ import annotations

import ctypes
import functools
import reprlib
import struct
from ctypes import POINTER, byref, c_int32, c_uint32, c_uint64, c_void_p, cast
from operator import index as integer
from typing import (
    Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Type, TypeVar, Union, overload,
)

from . import _bindings as c
from . import _calls
from ._bindings import ErrorCode
from ._managed import Managed, StoreObject, Unique
from . import errors
from .errors import Error, bytes_at, check, last_error, not_null, text_from
from .engine import Engine
from .store import Store
from .types import (
    NAMES, ArrayType, FieldType, FuncType, GlobalType, MemoryType, ObjectType, StructType, TableType, TagType, _name,
    family_of, functype_from, globaltype_from, in_c, kind_of, memorytype_from, tabletype_from, tagtype_from, taken,
    wants_caller,
)

X = TypeVar("X", bound="Extern")
R = TypeVar("R", bound="_ObjectRef")


def to_c(store: Store, val: Any, name: str, value: Any, what: str, given_away: bool = False) -> None:
    """Writes a Python value of type `name`, or of a field, to a `wasm_val_t`. A reference is borrowed, unless it is
    given away, and so are the bytes of a v128, which live as long as `val`."""
    bits = _BITS.get(name)
    if bits is not None:
        try:
            number = integer(value)
        except TypeError:
            raise TypeError(f"{what} must be an int for {name}, not {type(value).__name__}") from None
        if not -(1 << bits - 1) <= number < 1 << bits:
            raise OverflowError(f"{what} is {number}, which does not fit {name}")
        if bits == 64:
            val.of.i64 = number
        else:
            val.of.i32 = number
    elif name in ("f32", "f64"):
        if isinstance(value, (str, bytes, bytearray)) or not hasattr(value, "__float__") and not hasattr(value, "__index__"):
            raise TypeError(f"{what} must be a number for {name}, not {type(value).__name__}")
        setattr(val.of, name, float(value))
    elif name == "v128":
        lanes = lanes_of(value, what)
        if given_away:
            c.stepwell_val_new_v128(lanes, byref(val))
        else:
            val.of.ref = cast(lanes, POINTER(c.wasm_ref_t))
    else:
        reference = ref_to_c(store, name, value, what)
        val.of.ref = c.wasm_ref_copy(reference) if given_away and reference else reference
    val.kind = c.WASM_I32 if name in ("i8", "i16") else kind_of(name)


_BITS = {"i32": 32, "i64": 64, "i8": 8, "i16": 16}


def all_to_c(
        store: Store, names: Sequence[str], values: Sequence[Any], what: str,
        numbers: Optional[Sequence[int]] = None) -> Any:
    """A `wasm_val_vec_t` of values of these types, borrowed; messages call them by `numbers`, or their places.
    References are last, so that none of them is closed by what a number's class does when it is asked for its value."""
    numbers = range(len(values)) if numbers is None else numbers
    given = (c.wasm_val_t * len(values))()
    late = []
    for i, name in enumerate(names):
        if name in _BITS or name in _FORMATS:
            to_c(store, given[i], name, values[i], f"{what} {numbers[i]}")
        else:
            late.append(i)
    for i in late:
        to_c(store, given[i], names[i], values[i], f"{what} {numbers[i]}")
    return c.wasm_val_vec_t(len(values), given)


def from_c(store: Store, val: Any, owned: bool) -> Any:
    """A `wasm_val_t` as a Python value. If it is owned, so is a reference in it, which is taken, or a v128, which is deleted."""
    name = NAMES.get(val.kind)
    if name in ("i32", "i64", "f32", "f64"):
        return getattr(val.of, name)
    if name == "v128":
        lanes = ctypes.string_at(c.stepwell_val_v128(byref(val)), 16)
        if owned:
            c.wasm_val_delete(byref(val))
        return lanes
    if name is not None:
        reference = val.of.ref
        if not reference:
            return None
        return ref_from_c(store, reference if owned else c.wasm_ref_copy(reference), name)
    if owned:
        c.wasm_val_delete(byref(val))
    raise Error(f"values of kind {val.kind} cannot be passed to Python", ErrorCode.UNSUPPORTED)


def lanes_of(value: Any, what: str) -> Any:
    """The 16 bytes of a v128, copied."""
    if isinstance(value, int):
        raise TypeError(f"{what} must be 16 bytes for v128, lane 0 first, not int: int.to_bytes(16, \"little\") gives them")
    try:
        data = bytes(memoryview(value))
    except TypeError:
        raise TypeError(f"{what} must be 16 bytes for v128, not {type(value).__name__}") from None
    if len(data) != 16:
        raise ValueError(f"{what} must be 16 bytes for v128, not {len(data)}")
    return (ctypes.c_uint8 * 16).from_buffer_copy(data)


def ref_to_c(store: Store, name: str, value: Any, what: str) -> Any:
    """A reference of type `name`, borrowed; None is null."""
    if value is None:
        return None
    wanted = _CLASSES[family_of(name)]
    if not isinstance(value, wanted):
        hint = ""
        if wanted is AnyRef and isinstance(value, ExternRef):
            hint = "; `to_any()` makes one of it"
        elif wanted is ExternRef:
            hint = "; ExternRef(store, value) stands for any object"
        raise TypeError(f"{what} must be {wanted.__name__} or None for {name}, not {type(value).__name__}{hint}")
    if value._store is not store:
        raise Error(f"{what} is an object of another store", ErrorCode.ARGUMENT)
    if isinstance(value, Func):
        return c.wasm_func_as_ref(value._handle)
    return c.stepwell_exception_as_ref(value._handle) if isinstance(value, ExnRef) else value._handle


def ref_from_c(store: Store, reference: Any, family: str) -> Reference:
    """The object of an owned reference that is not null, of this kind."""
    if family == "exnref":
        return ExnRef._of(store, c.stepwell_ref_as_exception(reference))
    if family == "anyref":
        return AnyRef._of(store, reference)
    func = c.wasm_ref_as_func(reference)
    if func:
        return Func._of(store, func)
    return ExternRef._of(store, reference)


def host_function(
        store: Optional[Store], function: Callable[..., Any],
        type: Optional[Tuple[Sequence[str], Sequence[str]]]) -> _calls.HostFunction:
    """A Python function as guests call it, of this type or of the one that its annotations say."""
    if type is None:
        type = FuncType.of(function)
    known = type if isinstance(type, FuncType) else FuncType(*type)
    return _calls.HostFunction(store, known, function, _values, wants_caller(function))


class Extern(StoreObject):
    """Something that modules import and export."""

    _as_extern: Any = None
    _same: Any = None
    _hash: Optional[int] = None  # kept for when it is closed

    @classmethod
    def _of(cls: Type[X], store: Store, ptr: Any) -> X:
        self = cls.__new__(cls)
        self._own_in(store, ptr)
        return self

    def __eq__(self, other: object) -> bool:
        """Whether both are handles of one object."""
        if not isinstance(other, type(self)):
            return NotImplemented
        return self is other or self._store is other._store and self._same_as(other, self._same)

    def __hash__(self) -> int:
        if self._hash is None:
            with self._store._lock:
                self._hash = hash(c.stepwell_ref_hash(c.wasm_extern_as_ref(self._as_extern(self._handle))))
        return self._hash


class Func(Extern):
    """A function, a guest's or the host's. Calling it runs it: with one value for each parameter, it returns None, the
    one result, or a tuple.

    What a host function raises that is called on the way is raised by the call.
    """

    _delete = c.wasm_func_delete
    _as_extern = c.wasm_func_as_extern
    _same = c.wasm_func_same
    _type: Optional[FuncType] = None

    def __init__(self, store: Store, function: Callable[..., Any], type: Optional[Tuple[Sequence[str], Sequence[str]]] = None):
        """Makes a host function: `function` is called with one value for each parameter, and returns None, the one
        result, or a sequence of results. Without `type`, its annotations say the type: see `FuncType.of`."""
        if not callable(function):
            raise TypeError(f"a host function must be callable, not {function!r}")
        host = host_function(store, function, type)
        known, env = host.type, _calls.register(host)
        out = POINTER(c.wasm_func_t)()
        with store._lock, in_c(known) as ptr:
            check(c.stepwell_guarded_func_new(
                store._handle, ptr, _calls.call_host, env, _calls.finished, byref(out)))
            self._own_in(store, out)
        store._keep_host(host)
        self._type = known

    @property
    def type(self) -> FuncType:
        """Its type, a `FuncType`."""
        if self._type is None:
            with self._store._lock:
                self._type = taken(functype_from, c.wasm_func_type(self._handle), c.wasm_functype_delete)
        return self._type

    def call(self, *args: Any, timeout: Optional[float] = None) -> Any:
        """Calls it, as `func(*args)` does. With a `timeout`, its guest is ended by `TimedOut`, a `TimeoutError`, if it is not done after so
        many seconds: when it next begins a function or a turn of a loop, or a program sleeps or reads by WASI. A host function that it is
        in comes to its end first. Guests that its host functions call are ended with it, and have timeouts of their own besides. The
        time at stops of a debugger is not counted. Needs `Engine(epoch=True)`, as it is at first."""
        if timeout is None:
            return self(*args)
        return _calls.bounded(_calls.Deadline(self._store, timeout), lambda: self(*args))

    def __call__(self, *args: Any) -> Any:
        params, results = self.type
        if len(args) != len(params):
            raise TypeError(f"the function has {len(params)} parameters, but {len(args)} arguments were given")
        store = self._store
        # Handles stay as they are from where they are read: what another thread closes meanwhile is given back later.
        with store._lock:
            args_vec = all_to_c(store, params, args, "argument")
            room = (c.wasm_val_t * len(results))()
            results_vec = c.wasm_val_vec_t(len(results), room)
            _calls.enter(store, c.stepwell_func_call, self._handle, byref(args_vec), byref(results_vec))
            if not results:
                return None
            if len(results) == 1:
                return from_c(store, room[0], owned=True)
            return tuple(from_c(store, val, owned=True) for val in room)

    async def call_async(self, *args: Any, slice: Optional[int] = None, timeout: Optional[float] = None) -> Any:
        """Calls it as a coroutine of asyncio: where a host function is asynchronous that the guest calls, or the debugger's `on_stop`, the guest
        waits, and other tasks run, which may call others of the store's functions. A task that is cancelled leaves the guest as by a trap, and
        what it waits for is cancelled.

        While the guest computes, no other task runs, unless `slice` says after how much fuel they are let: the engine is to be made with
        `fuel=True, fuel_slices=True`. `timeout` ends it as that of `call` does, what its guest waits for included, and also a guest that
        computes without `slice`, of which no `asyncio.wait_for` hears.
        """
        from .call import Call

        with Call(self, *args) as call:
            return await call.run_async(slice=slice, timeout=timeout)

    def _about(self) -> str:
        return self.type._shown()


class Caller(Unique):
    """Who called a host function: what its first parameter is, if that is annotated so. Usable until the host function returns, and that of an
    `async def` one for as long as the instance that called."""

    def __init__(self, store: Store, ptr: Any) -> None:
        self._store = store
        self._ptr: Optional[Any] = ptr
        self._exports: Optional[Mapping[str, Extern]] = None  # once the host function has returned, and is to be awaited

    def _outlive(self) -> None:
        """The host function will be awaited: what called it is kept for that."""
        from .instance import Instance

        ptr = c.stepwell_caller_instance(self._handle)
        self._exports = Instance._of(self._store, None, ptr).exports if ptr else {}

    @property
    def _handle(self) -> Any:
        if self._ptr is None:
            raise ValueError("the call is over: the host function has returned")
        return self._ptr

    def __repr__(self) -> str:
        return "<Caller, which has its answer>" if self._ptr is None and self._exports is None else "<Caller>"

    @property
    def store(self) -> Store:
        """Its store."""
        return self._store

    def export(self, name: str) -> Optional[Extern]:
        """The export of this name of the instance that called, or None; None, too, if the host called directly."""
        if self._exports is not None:
            return self._exports.get(name)
        data = name.encode("utf-8")
        ptr = None if b"\0" in data else c.stepwell_caller_export(self._handle, data)
        return extern_from(self._store, ptr) if ptr else None

    @property
    def memory(self) -> Memory:
        """The export `memory` of the instance that called."""
        memory = self.export("memory")
        if not isinstance(memory, Memory):
            raise Error("the caller exports no memory by the name of `memory`", ErrorCode.ARGUMENT)
        return memory


class Global(Extern):
    """A global variable; `value` is what it holds."""

    _delete = c.wasm_global_delete
    _as_extern = c.wasm_global_as_extern
    _same = c.wasm_global_same

    def __init__(self, store: Store, type: Union[str, Tuple[str, bool]], value: Any) -> None:
        known = GlobalType(type) if isinstance(type, str) else GlobalType(*type)
        val = c.wasm_val_t()
        with store._lock, in_c(known) as ptr:
            to_c(store, val, known.value, value, "value")
            made = c.wasm_global_new(store._handle, ptr, byref(val))
            self._own_in(store, not_null(made, "wasm_global_new"))

    @property
    def type(self) -> GlobalType:
        """Its type, a `GlobalType`."""
        with self._store._lock:
            return taken(globaltype_from, c.wasm_global_type(self._handle), c.wasm_globaltype_delete)

    @property
    def value(self) -> Any:
        """What it holds."""
        val = c.wasm_val_t()
        with self._store._lock:
            c.wasm_global_get(self._handle, byref(val))
            return from_c(self._store, val, owned=True)

    @value.setter
    def value(self, value: Any) -> None:
        type = self.type
        if not type.mutable:
            raise Error("the global cannot be written: it is constant", ErrorCode.ARGUMENT)
        val = c.wasm_val_t()
        with self._store._lock:
            to_c(self._store, val, type.value, value, "value")
            c.wasm_global_set(self._handle, byref(val))

    def _about(self) -> str:
        type = self.type
        return f"{type.value}{', mutable' if type.mutable else ''}: {_short(self.value)}"


class SharedMemory(Managed):
    """A memory that stores of one engine, on several threads, have at once: `Memory.from_shared` gives it to one. Any thread may use
    it. `len()` is its size in bytes."""

    _delete = c.stepwell_sharedmemory_delete

    def __init__(self, engine: Engine, type: Union[MemoryType, Tuple[int, int]]) -> None:
        with in_c(MemoryType(*type)._replace(is_shared=True)) as ptr:
            self._own(not_null(c.stepwell_sharedmemory_new(engine._handle, ptr), "stepwell_sharedmemory_new"))

    @property
    def type(self) -> MemoryType:
        """Its type, a `MemoryType`."""
        return taken(memorytype_from, c.stepwell_sharedmemory_type(self._handle), c.wasm_memorytype_delete)

    @property
    def pages(self) -> int:
        """Its size in pages at this moment."""
        return int(c.stepwell_sharedmemory_size(self._handle))

    def __len__(self) -> int:
        return int(c.stepwell_sharedmemory_data_size(self._handle))

    def _about(self) -> str:
        return f"of {self.pages} pages, {len(self)} bytes"

    def grow(self, pages: int) -> int:
        """Makes it larger, for all that have it, and returns its former size in pages."""
        pages = integer(pages)
        if pages < 0:
            raise ValueError("a memory cannot shrink")
        if pages >= 1 << 64:
            raise Error(f"the memory of {self.pages} pages cannot grow by {pages}", ErrorCode.LIMIT)
        before = c_uint64()
        check(c.stepwell_sharedmemory_grow(self._handle, pages, byref(before)))
        return int(before.value)

    def _check(self, offset: int, count: int) -> Tuple[int, int]:
        offset, count = integer(offset), integer(count)
        size = len(self)
        if offset < 0 or count < 0 or offset + count > size:
            raise IndexError(f"{count} bytes at {offset} are beyond the memory, which has {size}")
        return offset, count

    def read(self, offset: int, count: int) -> bytes:
        """The `count` bytes at `offset`, copied, not all at once: guests may write in between."""
        offset, count = self._check(offset, count)
        data = ctypes.create_string_buffer(count or 1)
        check(c.stepwell_sharedmemory_read(self._handle, offset, data, count))
        return data.raw[:count]

    def write(self, offset: int, data: Any) -> None:
        """Writes bytes, or any other buffer, at `offset`, not all at once: guests may read and write in between."""
        data = _bytes(data)
        offset, count = self._check(offset, len(data))
        check(c.stepwell_sharedmemory_write(self._handle, offset, data, count))

    def notify(self, offset: int, count: int = 0xffff_ffff) -> int:
        """Wakes up to `count` guests that wait at `offset`; how many they were."""
        offset, count = integer(offset), integer(count)
        if offset < 0 or not 0 <= count < 1 << 32:
            raise ValueError("an offset and a count are not below zero, and a count is below 2**32")
        return int(c.stepwell_sharedmemory_notify(self._handle, offset, count))


class Memory(Extern):
    """A memory: bytes, by `read`, `write`, index and slice, or without a copy by `view`. `len()` is its size in bytes."""

    _delete = c.wasm_memory_delete
    _as_extern = c.wasm_memory_as_extern
    _same = c.wasm_memory_same

    def __init__(self, store: Store, type: Union[MemoryType, Tuple[int, Optional[int]]]) -> None:
        with store._lock, in_c(MemoryType(*type)) as ptr:
            self._own_in(store, not_null(c.wasm_memory_new(store._handle, ptr), "wasm_memory_new"))

    @classmethod
    def from_shared(cls, store: Store, shared: SharedMemory) -> Memory:
        """A shared memory as one of a store, for its instances to import."""
        with store._lock:
            ptr = c.stepwell_memory_from_shared(store._handle, shared._handle)
            return cls._of(store, not_null(ptr, "stepwell_memory_from_shared"))

    def shared(self) -> SharedMemory:
        """The memory apart from its store, for stores on other threads. An error if it is not shared."""
        with self._store._lock:
            shared = SharedMemory.__new__(SharedMemory)
            shared._own(not_null(c.stepwell_memory_shared(self._handle), "stepwell_memory_shared"))
            return shared

    @property
    def type(self) -> MemoryType:
        """Its type, a `MemoryType`."""
        with self._store._lock:
            return taken(memorytype_from, c.wasm_memory_type(self._handle), c.wasm_memorytype_delete)

    @property
    def pages(self) -> int:
        """Its size in pages: of 64 KiB, where its type says nothing else."""
        with self._store._lock:
            return int(c.stepwell_memory_size(self._handle))

    def __len__(self) -> int:
        with self._store._lock:
            return int(c.wasm_memory_data_size(self._handle))

    def _about(self) -> str:
        return f"of {self.pages} pages, {len(self)} bytes"

    def grow(self, pages: int) -> int:
        """Makes it larger, and returns its former size in pages."""
        pages = integer(pages)
        if pages < 0:
            raise ValueError("a memory cannot shrink")
        with self._store._lock:
            before = c_uint64()
            if pages >= 1 << 64:
                raise Error(f"the memory of {self.pages} pages cannot grow by {pages}", ErrorCode.LIMIT)
            check(c.stepwell_memory_grow(self._handle, pages, byref(before)))
        return int(before.value)

    def _at(self, offset: int, count: int) -> int:
        offset, count = integer(offset), integer(count)
        size = c.wasm_memory_data_size(self._handle)
        if offset < 0 or count < 0 or offset + count > size:
            raise IndexError(f"{count} bytes at {offset} are beyond the memory, which has {size}")
        return (cast(c.wasm_memory_data(self._handle), c_void_p).value or 0) + offset

    def read(self, offset: int, count: int) -> bytes:
        """The `count` bytes at `offset`, copied."""
        with self._store._lock:
            at = self._at(offset, count)
            return bytes_at(at, count) if count else b""

    def write(self, offset: int, data: Any) -> None:
        """Writes bytes, or any other buffer, at `offset`."""
        data = _bytes(data)
        with self._store._lock:
            at = self._at(offset, len(data))
            if data:
                ctypes.memmove(at, data, len(data))

    def read_cstring(self, offset: int) -> bytes:
        """The bytes from `offset` to the first NUL, which is left out."""
        with self._store._lock:
            size = len(self)
            at = self._at(offset, 0)
            found = _strnlen(at, size - offset)
            if found == size - offset:
                raise IndexError(f"there is no NUL at {offset} or behind it; the memory has {size} bytes")
            return bytes_at(at, found)

    def unpack(self, format: str, offset: int) -> Tuple[Any, ...]:
        """Values at `offset`, as `struct.unpack` reads them. Guests are little-endian: begin with `<`."""
        return struct.unpack(format, self.read(offset, struct.calcsize(format)))

    def pack(self, format: str, offset: int, *values: Any) -> None:
        """Writes values at `offset`, as `struct.pack` has them. Guests are little-endian: begin with `<`."""
        self.write(offset, struct.pack(format, *values))

    def view(self) -> memoryview:
        """Its bytes without a copy, to read and write: a `memoryview` of the size it has now.

        It stays valid for as long as anybody has it, also when the memory grows (ask again for what was added) and when the store is
        closed. A memory that may move when it grows has no view: that is a `BufferError`. None does in an engine with signals and
        the memory reservation that engines have at first.
        """
        with self._store._lock:
            if not c.stepwell_memory_is_fixed(self._handle) and self.type.max != self.pages:
                raise BufferError(
                    "the memory may move when it grows: use read and write, or an engine with signals and a memory reservation "
                    "of 4 GiB, or give the memory a maximum within the reservation")
            size = len(self)
            at = self._at(0, size)
            kept = Memory._of(self._store, not_null(c.wasm_memory_copy(self._handle), "wasm_memory_copy"))
            del self._store._children[id(kept)]  # closing the store leaves it: the view needs its bytes
        if not size:
            return memoryview(bytearray())
        array = _array(size).from_address(at)
        array.kept = kept
        return memoryview(array).cast("B")

    def __buffer__(self, flags: int) -> memoryview:
        """The buffer protocol, from Python 3.12 on."""
        return self.view()

    @property
    def __array_interface__(self) -> Any:
        """For `numpy.asarray(memory)`, which copies nothing; see `view`."""
        data = self.view()
        return {"shape": (len(data),), "typestr": "|u1", "data": data, "version": 3}

    @overload
    def __getitem__(self, key: int) -> int: ...

    @overload
    def __getitem__(self, key: slice) -> bytes: ...

    def __getitem__(self, key: Union[int, slice]) -> Union[int, bytes]:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step != 1:
                raise ValueError("memory is sliced without steps")
            return self.read(start, max(stop - start, 0))
        key = integer(key)
        return self.read(key + len(self) if key < 0 else key, 1)[0]

    def __setitem__(self, key: Union[int, slice], value: Any) -> None:
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            value = _bytes(value)
            if step != 1 or len(value) != max(stop - start, 0):
                raise ValueError("a slice of memory is set to as many bytes, without steps")
            self.write(start, value)
        else:
            key = integer(key)
            self.write(key + len(self) if key < 0 else key, bytes([value]))

    def __iter__(self) -> Iterator[int]:
        return iter(self[:])


def _bytes(data: Any) -> bytes:
    """What is written to a memory, out of the hands of whoever may change it."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, Memory):
        return data[:]
    try:
        return memoryview(data).tobytes()
    except TypeError:
        raise TypeError(f"what is written is bytes, or another buffer, not {type(data).__name__}") from None


@functools.lru_cache(maxsize=32)
def _array(size: int) -> Any:
    """The type of the bytes behind a view, whose objects keep what they are of."""
    return type("_Bytes", (ctypes.c_ubyte * size,), {})


_strnlen = ctypes.CDLL(None).strnlen
_strnlen.restype = ctypes.c_size_t
_strnlen.argtypes = [c_void_p, ctypes.c_size_t]


class Table(Extern):
    """A table of references, by index. `len()` is its size."""

    _delete = c.wasm_table_delete
    _as_extern = c.wasm_table_as_extern
    _same = c.wasm_table_same

    def __init__(self, store: Store, type: Union[TableType, Tuple[str, int, Optional[int]]], init: Any = None) -> None:
        known = TableType(*type)
        with store._lock, in_c(known) as ptr:
            init = ref_to_c(store, known.element, init, "init")
            self._own_in(store, not_null(c.wasm_table_new(store._handle, ptr, init), "wasm_table_new"))

    @property
    def type(self) -> TableType:
        """Its type, a `TableType`."""
        with self._store._lock:
            return taken(tabletype_from, c.wasm_table_type(self._handle), c.wasm_tabletype_delete)

    def __len__(self) -> int:
        with self._store._lock:
            return int(c.wasm_table_size(self._handle))

    def _about(self) -> str:
        return f"of {len(self)} {self.type.element}"

    def _index(self, key: int) -> int:
        key = integer(key)
        size = len(self)
        if not -size <= key < size:
            raise IndexError(f"element {key} is beyond the table, which has {size}")
        return key % size

    def __getitem__(self, key: int) -> Optional[Reference]:
        with self._store._lock:
            family = family_of(self.type.element)
            reference = c.wasm_table_get(self._handle, self._index(key))
            return ref_from_c(self._store, reference, family) if reference else None

    def __setitem__(self, key: int, value: Optional[Reference]) -> None:
        with self._store._lock:
            index = self._index(key)
            reference = ref_to_c(self._store, self.type.element, value, "value")
            if not c.wasm_table_set(self._handle, index, reference):
                raise last_error("wasm_table_set")

    def grow(self, count: int, init: Optional[Reference] = None) -> int:
        """Makes it larger, and returns its former size."""
        count = integer(count)
        if count < 0:
            raise ValueError("a table cannot shrink")
        with self._store._lock:
            reference = ref_to_c(self._store, self.type.element, init, "init")
            before = len(self)
            if not 0 <= count < 1 << 32 or not c.wasm_table_grow(self._handle, count, reference):
                raise Error(f"the table of {before} elements cannot grow by {count}", ErrorCode.LIMIT)
        return before


class Tag(Extern):
    """What kind of exception it is: guests that are given one throw and catch the same."""

    _delete = c.stepwell_tag_delete
    _as_extern = c.stepwell_tag_as_extern
    _same = c.stepwell_tag_same

    def __init__(self, store: Store, type: Union[TagType, Sequence[str]] = ()) -> None:
        """Makes one, which is the same as no other: its type, or the value types of what its exceptions carry."""
        known = type if isinstance(type, TagType) else TagType(FuncType(type).params)
        with store._lock, in_c(known) as ptr:
            self._own_in(store, not_null(c.stepwell_tag_new(store._handle, ptr), "stepwell_tag_new"))

    @property
    def type(self) -> TagType:
        """Its type, a `TagType`."""
        with self._store._lock:
            return taken(tagtype_from, c.stepwell_tag_type(self._handle), c.wasm_tagtype_delete)

    def _about(self) -> str:
        return " ".join(self.type.params)


class _Reference(StoreObject):
    """What references refer to, as far as it can be compared alone."""

    _as_ref: Any = None
    _hash: Optional[int] = None  # kept for when it is closed

    def __eq__(self, other: object) -> bool:
        """Whether both are the same object."""
        if not isinstance(other, type(self)):
            return NotImplemented
        return self is other or self._store is other._store and self._same_as(
            other, lambda one, another: c.wasm_ref_same(self._as_ref(one), self._as_ref(another)))

    def __hash__(self) -> int:
        if self._hash is None:
            with self._store._lock:
                self._hash = hash(c.stepwell_ref_hash(self._as_ref(self._handle)))
        return self._hash


class ExnRef(_Reference):
    """An exception of WebAssembly, what an `exnref` refers to: `tag` says what kind it is, `values` are what it carries.

    A call of a guest that nobody catches it in raises it as a `GuestException`. A host function that raises such a one throws it in its
    guest: `raise GuestException(ExnRef(tag, 1))`.
    """

    _delete = c.stepwell_exception_delete
    _as_ref = c.stepwell_exception_as_ref

    def __init__(self, tag: Tag, *values: Any) -> None:
        store, params = tag._store, tag.type.params
        if len(values) != len(params):
            raise TypeError(f"exceptions of the tag carry {len(params)} values, not {len(values)}")
        out = POINTER(c.stepwell_exception_t)()
        with store._lock:
            vec = all_to_c(store, params, values, "value")
            check(c.stepwell_exception_new(tag._handle, byref(vec), byref(out)))
            self._own_in(store, out)

    @classmethod
    def _of(cls, store: Store, ptr: Any) -> ExnRef:
        """That of an owned handle."""
        self = cls.__new__(cls)
        self._own_in(store, ptr)
        return self

    @property
    def tag(self) -> Tag:
        """Its tag, a `Tag`."""
        with self._store._lock:
            return Tag._of(self._store, not_null(c.stepwell_exception_tag(self._handle), "stepwell_exception_tag"))

    @property
    def values(self) -> Tuple[Any, ...]:
        """What it carries: a value for each parameter of its tag's type."""
        vec = c.wasm_val_vec_t()
        with self._store._lock:
            check(c.stepwell_exception_values(self._handle, byref(vec)))
            try:
                return tuple(from_c(self._store, vec.data[i], owned=False) for i in range(vec.size))
            finally:
                c.wasm_val_vec_delete(byref(vec))

    def _message(self) -> str:
        """What a trap says that throws it."""
        with self._store._lock:
            trap = not_null(c.stepwell_exception_throw(self._handle), "stepwell_exception_throw")
        try:
            return text_from(c.stepwell_trap_message(trap))
        finally:
            c.wasm_trap_delete(trap)

    def _about(self) -> str:
        return f"{self.values}"


class AnyRef(_Reference):
    """What an `anyref` refers to. It is a `StructRef`, an `ArrayRef` or an `I31Ref`, or, of this class itself, what is
    the host's: `to_extern` gives that. References to one object are equal."""

    _delete = c.wasm_ref_delete
    _type: Optional[str] = None  # it does not change

    @staticmethod
    def _as_ref(ptr: Any) -> Any:
        return ptr

    @classmethod
    def _of(cls, store: Store, ptr: Any) -> AnyRef:
        """That of an owned reference, of the class that is its."""
        with store._lock:
            kind, type = _class_of(ptr)
            self = kind.__new__(kind)
            self._own_in(store, ptr)
        self._type = type
        return self

    @property
    def type(self) -> str:
        """The lowest type that it is of: a `StructType`, an `ArrayType`, "(ref i31)", or "(ref any)"."""
        with self._store._lock:
            handle = self._handle
            if self._type is None:
                self._type = taken(_name, c.stepwell_ref_type(handle), c.wasm_valtype_delete)
            return self._type

    def to_extern(self) -> ExternRef:
        """The same as an external reference, as `extern.convert_any` makes it."""
        with self._store._lock:
            made = not_null(c.stepwell_ref_to_extern(self._handle), "stepwell_ref_to_extern")
            return ExternRef._of(self._store, made)

    def _shown(self) -> str:
        return f"{self.type}"

    def _about(self) -> str:
        return self._shown()


class I31Ref(AnyRef):
    """An integer of 31 bits as a reference, as `ref.i31` makes it: `int(reference)`, or `value`. Those of one integer
    are equal."""

    def __init__(self, store: Store, value: int) -> None:
        number = integer(value)
        if not -1 << 30 <= number < 1 << 31:
            raise OverflowError(f"value is {number}, which does not fit 31 bits")
        with store._lock:
            self._own_in(store, not_null(c.stepwell_i31_new(store._handle, number), "stepwell_i31_new"))

    @property
    def value(self) -> int:
        """The integer, with its sign."""
        out = c_int32()
        with self._store._lock:
            c.stepwell_ref_i31(self._handle, byref(out))
        return out.value

    def __int__(self) -> int:
        return self.value

    def _shown(self) -> str:
        return f"{self.value}"


class _ObjectRef(AnyRef):
    """What structures and arrays have in common: their fields and elements have numbers."""

    _part = "field"

    def _make(self, store: Store, make: Any, *arguments: Any) -> None:
        out = POINTER(c.wasm_ref_t)()
        check(make(store._handle, *arguments, byref(out)))
        self._own_in(store, out)

    def _field(self, index: int) -> FieldType:
        """What is at this number."""
        raise NotImplementedError

    def __len__(self) -> int:
        out = c_uint32()
        with self._store._lock:
            check(c.stepwell_object_length(self._handle, byref(out)))
        return out.value

    def __bool__(self) -> bool:
        return True  # an empty one is no null

    def _index(self, key: Any) -> int:
        key, size = integer(key), len(self)
        if not -size <= key < size:
            raise IndexError(f"there is no {self._part} {key}: there are {size}")
        return int(key % size)

    def _slice(self, key: slice) -> List[Any]:
        return [self._get(index) for index in range(*key.indices(len(self)))]

    def _get(self, index: int) -> Any:
        val = c.wasm_val_t()
        with self._store._lock:
            check(c.stepwell_object_get(self._handle, index, byref(val)))
            return from_c(self._store, val, owned=True)

    def __getitem__(self, key: Union[int, slice]) -> Any:
        """A field or an element, by its number; for a slice a list of them."""
        with self._store._lock:
            return self._slice(key) if isinstance(key, slice) else self._get(self._index(key))

    def __setitem__(self, key: Union[int, slice], value: Any) -> None:
        """Changes a field or an element, or as many as a slice has. One that may not change is an `Error`."""
        if isinstance(key, slice):
            values = list(value)
            with self._store._lock:
                places = range(*key.indices(len(self)))
                if len(values) != len(places):
                    raise ValueError(f"{len(places)} values are to be set, but {len(values)} were given")
                self._set(places, values)
        else:
            with self._store._lock:
                index = self._index(key)
                self._set(range(index, index + 1), [value])

    def _set(self, places: range, values: Sequence[Any]) -> None:
        fields = [self._field(index) for index in places]
        for index, field in zip(places, fields):
            if not field.mutable:
                raise Error(f"{self._part} {index} cannot be written: it is constant", ErrorCode.ARGUMENT)
        vec = all_to_c(self._store, [field.type for field in fields], values, self._part, places)
        for index, val in zip(places, vec.data[:vec.size]):
            check(c.stepwell_object_set(self._handle, index, byref(val)))

    def __iter__(self) -> Iterator[Any]:
        return (self._get(index) for index in range(len(self)))


class StructRef(_ObjectRef):
    """A structure, what a `structref` refers to: its fields by number, `len()` of them. It is made of a value for each
    field of its type."""

    def __init__(self, store: Store, type: Union[StructType, str], fields: Iterable[Any] = ()) -> None:
        known, values = StructType._known(type), list(fields)
        if len(values) != len(known.fields):
            raise TypeError(f"structures of {known} have {len(known.fields)} fields, not {len(values)}")
        with store._lock:
            vec = all_to_c(store, [field.type for field in known.fields], values, self._part)
            self._make(store, c.stepwell_struct_new, known._ptr, byref(vec))

    def _field(self, index: int) -> FieldType:
        return _object_type(self).fields[index]

    def _shown(self) -> str:
        return f"{self.type} of {len(self)}"


class ArrayRef(_ObjectRef):
    """An array, what an `arrayref` refers to: its elements by number, `len()` of them. Of an array of numbers
    `bytes(reference)` is a copy of all, little-endian."""

    _part = "element"

    def __init__(self, store: Store, type: Union[ArrayType, str], elements: Iterable[Any] = ()) -> None:
        known, values = ArrayType._known(type), list(elements)
        with store._lock:
            vec = all_to_c(store, [known.element.type] * len(values), values, self._part)
            self._make(store, c.stepwell_array_new, known._ptr, byref(vec))

    @classmethod
    def filled(cls: Type[R], store: Store, type: Union[ArrayType, str], value: Any, length: int) -> R:
        """A new array of so many elements that are all the same."""
        known, length = ArrayType._known(type), integer(length)
        if length < 0:
            raise ValueError("a length is not negative")
        if length >= 1 << 32:
            raise Error(f"there are no arrays of {length} elements", ErrorCode.LIMIT)
        self = cls.__new__(cls)
        val = c.wasm_val_t()
        with store._lock:
            to_c(store, val, known.element.type, value, "value")
            self._make(store, c.stepwell_array_new_of, known._ptr, byref(val), length)
        return self

    def _field(self, index: int) -> FieldType:
        return _object_type(self).fields[0]

    def _width(self) -> int:
        """The bytes of an element."""
        element = self._field(0).type
        if element not in _FORMATS:
            raise TypeError(f"the elements are references, {element}: they have no bytes")
        return struct.calcsize(f"<{_FORMATS[element]}")

    def _check(self, first: int, count: int) -> None:
        size = len(self)
        if first < 0 or count < 0 or first + count > size:
            raise IndexError(f"there are no {count} elements from {first} on: there are {size}")

    def read_elements(self, first: int = 0, count: Optional[int] = None) -> bytes:
        """The bytes of `count` elements from `first` on, or of all from there on, copied. For arrays of numbers."""
        first = integer(first)
        with self._store._lock:
            count = max(len(self) - first, 0) if count is None else integer(count)
            self._check(first, count)
            size = count * self._width()
            data = ctypes.create_string_buffer(size or 1)
            check(c.stepwell_array_read(self._handle, first, data, size))
        return data.raw[:size]

    def write_elements(self, first: int, data: Any) -> None:
        """Changes the elements from `first` on to those of these bytes, or any other buffer. For arrays of numbers."""
        first, data = integer(first), _bytes(data)
        with self._store._lock:
            width = self._width()
            if len(data) % width:
                raise ValueError(f"{len(data)} bytes are no whole elements: one has {width}")
            self._check(first, len(data) // width)
            check(c.stepwell_array_write(self._handle, first, data, len(data)))

    def __bytes__(self) -> bytes:
        return self.read_elements()

    def _slice(self, key: slice) -> List[Any]:
        format = _FORMATS.get(self._field(0).type)
        if format is None:
            return super()._slice(key)
        data = self.read_elements()
        return [value for value, in struct.iter_unpack(f"<{format}", data)][key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self[:]) if self._field(0).type in _FORMATS else super().__iter__()

    def _shown(self) -> str:
        return f"{self.type} of {len(self)}"


# How `struct` reads the elements of arrays of numbers.
_FORMATS = {"i8": "B", "i16": "H", "i32": "i", "i64": "q", "f32": "f", "f64": "d", "v128": "16s"}


def _object_type(ref: AnyRef) -> ObjectType:
    """The type of a structure or an array."""
    return ObjectType._known(ref.type)


def _class_of(ptr: Any) -> Tuple[Type[AnyRef], Optional[str]]:
    """Of what class a reference is, and its type if that is known."""
    if c.stepwell_ref_i31(ptr, byref(c_int32())):
        return I31Ref, "(ref i31)"
    found = c.stepwell_ref_type(ptr)
    if not found:
        c.stepwell_last_error_clear()
        return AnyRef, None  # of a store that can do nothing any more
    type = taken(_name, found, c.wasm_valtype_delete)
    return StructRef if isinstance(type, StructType) else ArrayRef if isinstance(type, ArrayType) else AnyRef, type


class Box:
    """What an external reference stands for."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class ExternRef(_Reference):
    """An object of the host's that guests can hold as an `externref`; `value` is what it stands for."""

    _delete = c.wasm_ref_delete
    _box: Box

    @staticmethod
    def _as_ref(ptr: Any) -> Any:
        return ptr

    def __init__(self, store: Store, value: Any = None) -> None:
        self._box = Box(value)
        number = _calls.register(store)
        with store._lock:
            made = c.wasm_foreign_as_ref(not_null(c.wasm_foreign_new(store._handle), "wasm_foreign_new"))
            self._own_in(store, made)
            # A guest may hold it when Python no longer does, and hand it back.
            store._boxes[number] = self._box
            store._references[number] = self
            c.wasm_ref_set_host_info_with_finalizer(made, number, _calls.finished)

    @classmethod
    def _of(cls, store: Store, ptr: Any) -> ExternRef:
        """That of an owned reference: the one there is, or a new one for the same value."""
        with store._lock:
            number = c.wasm_ref_get_host_info(ptr)
            known = store._references.get(number)
            if known is not None and known._ptr is not None:
                c.wasm_ref_delete(ptr)
                return known
        self = cls.__new__(cls)
        self._box = store._boxes.get(number) or Box(None)
        self._own_in(store, ptr)
        if number is not None:
            store._references[number] = self
        return self

    @property
    def value(self) -> Any:
        """What it stands for."""
        return self._box.value

    @value.setter
    def value(self, value: Any) -> None:
        self._box.value = value

    def _about(self) -> str:
        return _short(self.value)

    def to_any(self) -> AnyRef:
        """The same as one of the family of `anyref`, as `any.convert_extern` makes it."""
        with self._store._lock:
            return AnyRef._of(self._store, not_null(c.stepwell_ref_to_any(self._handle), "stepwell_ref_to_any"))


def _short(value: Any) -> str:
    """The `repr` of something of the host's or a guest's, as far as a line has room."""
    return value.hex() if isinstance(value, bytes) else reprlib.repr(value)


def extern_from(store: Store, ptr: Any) -> Extern:
    """The object of an owned `wasm_extern_t`."""
    kind = c.wasm_extern_kind(ptr)
    if kind == c.WASM_EXTERN_FUNC:
        return Func._of(store, c.wasm_extern_as_func(ptr))
    if kind == c.WASM_EXTERN_GLOBAL:
        return Global._of(store, c.wasm_extern_as_global(ptr))
    if kind == c.WASM_EXTERN_MEMORY:
        return Memory._of(store, c.wasm_extern_as_memory(ptr))
    if kind == c.WASM_EXTERN_TAG:
        return Tag._of(store, c.stepwell_extern_as_tag(ptr))
    return Table._of(store, c.wasm_extern_as_table(ptr))


Reference = Union[Func, ExternRef, ExnRef, AnyRef]
_CLASSES: Dict[str, Type[StoreObject]] = {"funcref": Func, "externref": ExternRef, "exnref": ExnRef, "anyref": AnyRef}
errors.exn_of = ExnRef._of


class _values:
    """What `_calls` needs of this module, which cannot import this module."""

    to_c = staticmethod(to_c)
    from_c = staticmethod(from_c)
    Caller = Caller
