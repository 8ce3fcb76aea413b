"""Types of what modules import and export. Value types are their names: "i32", "i64", "f32", "f64", "funcref",
"externref"."""
from collections import namedtuple
from ctypes import POINTER, byref

from . import _bindings as c
from .errors import not_null

KINDS = {
    "i32": c.WASM_I32, "i64": c.WASM_I64, "f32": c.WASM_F32, "f64": c.WASM_F64,
    "externref": c.WASM_EXTERNREF, "funcref": c.WASM_FUNCREF,
}
# `v128` has no kind in the standard's header; the library says 4.
NAMES = {**{kind: name for name, kind in KINDS.items()}, 4: "v128"}
NO_LIMIT = 0xFFFFFFFF


def kind_of(name):
    """The number of a value type."""
    try:
        return KINDS[name]
    except (KeyError, TypeError):
        raise ValueError(f"{name!r} is no value type; there are {', '.join(KINDS)}") from None


class FuncType(namedtuple("FuncType", "params results")):
    """A function's type: the value types of its parameters and results."""

    __slots__ = ()

    def __new__(cls, params=(), results=()):
        if isinstance(params, str) or isinstance(results, str):
            raise TypeError("params and results are sequences of value types, such as [\"i32\"]")
        self = super().__new__(cls, tuple(params), tuple(results))
        for name in self.params + self.results:
            kind_of(name)
        return self

    def _to_c(self):
        return not_null(c.wasm_functype_new(byref(_valtypes(self.params)), byref(_valtypes(self.results))), "FuncType")

    _free = c.wasm_functype_delete


class GlobalType(namedtuple("GlobalType", "value mutable", defaults=(False,))):
    """A global's type: its value type, and whether it can be written."""

    __slots__ = ()

    def _to_c(self):
        value = not_null(c.wasm_valtype_new(kind_of(self.value)), "GlobalType")
        return not_null(c.wasm_globaltype_new(value, c.WASM_VAR if self.mutable else c.WASM_CONST), "GlobalType")

    _free = c.wasm_globaltype_delete


class MemoryType(namedtuple("MemoryType", "min max", defaults=(0, None))):
    """A memory's type: its limits in pages of 64 KiB; `max` None is no limit."""

    __slots__ = ()

    def _to_c(self):
        return not_null(c.wasm_memorytype_new(byref(_limits(self))), "MemoryType")

    _free = c.wasm_memorytype_delete


class TableType(namedtuple("TableType", "element min max", defaults=("funcref", 0, None))):
    """A table's type: the type of its elements, and how many; `max` None is no limit."""

    __slots__ = ()

    def _to_c(self):
        element = not_null(c.wasm_valtype_new(kind_of(self.element)), "TableType")
        return not_null(c.wasm_tabletype_new(element, byref(_limits(self))), "TableType")

    _free = c.wasm_tabletype_delete


ImportType = namedtuple("ImportType", "module name type")
ImportType.__doc__ = "An import of a module: the two halves of its name, and its type."
ExportType = namedtuple("ExportType", "name type")
ExportType.__doc__ = "An export of a module: its name and its type."


class in_c:
    """A type as C has it, for as long as the `with` block."""

    def __init__(self, type):
        self.type = type

    def __enter__(self):
        self.ptr = self.type._to_c()
        return self.ptr

    def __exit__(self, *_):
        type(self.type)._free(self.ptr)


def _limits(type):
    for limit in (type.min, type.max):
        if limit is not None and not 0 <= limit < NO_LIMIT:
            raise ValueError(f"{limit} is no limit")
    return c.wasm_limits_t(type.min, NO_LIMIT if type.max is None else type.max)


def _valtypes(names):
    vec = c.wasm_valtype_vec_t()
    elements = (POINTER(c.wasm_valtype_t) * len(names))(*(c.wasm_valtype_new(kind_of(name)) for name in names))
    c.wasm_valtype_vec_new(byref(vec), len(names), elements)
    return vec


def _names(vec):
    vec = vec.contents
    return tuple(NAMES[c.wasm_valtype_kind(vec.data[i])] for i in range(vec.size))


def _limits_from(limits):
    limits = limits.contents
    return limits.min, None if limits.max == NO_LIMIT else limits.max


def functype_from(ptr):
    return FuncType(_names(c.wasm_functype_params(ptr)), _names(c.wasm_functype_results(ptr)))


def globaltype_from(ptr):
    value = NAMES[c.wasm_valtype_kind(c.wasm_globaltype_content(ptr))]
    return GlobalType(value, c.wasm_globaltype_mutability(ptr) == c.WASM_VAR)


def memorytype_from(ptr):
    return MemoryType(*_limits_from(c.wasm_memorytype_limits(ptr)))


def tabletype_from(ptr):
    element = NAMES[c.wasm_valtype_kind(c.wasm_tabletype_element(ptr))]
    return TableType(element, *_limits_from(c.wasm_tabletype_limits(ptr)))


def externtype_from(ptr):
    """The type behind a borrowed `wasm_externtype_t`."""
    kind = c.wasm_externtype_kind(ptr)
    if kind == c.WASM_EXTERN_FUNC:
        return functype_from(c.wasm_externtype_as_functype_const(ptr))
    if kind == c.WASM_EXTERN_GLOBAL:
        return globaltype_from(c.wasm_externtype_as_globaltype_const(ptr))
    if kind == c.WASM_EXTERN_MEMORY:
        return memorytype_from(c.wasm_externtype_as_memorytype_const(ptr))
    return tabletype_from(c.wasm_externtype_as_tabletype_const(ptr))


def taken(convert, ptr, free):
    """What `convert` makes of an owned type, which is deleted."""
    try:
        return convert(not_null(ptr, "asking for a type"))
    finally:
        free(ptr)
