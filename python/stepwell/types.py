"""Types of what modules import and export. Value types are their names, as the text format has them: "i32", "i64", "f32", "f64",
"v128", "funcref", "externref", "exnref", "anyref", "(ref eq)". What modules have defined has a number, which is the same for the same
type in the whole process: "(ref null $type17)". Of structures and arrays such a name is a `StructType` or an
`ArrayType`, which is a str that knows the fields.

In annotations they are `i32`, `i64`, `f32`, `f64` and `v128`, which are int, float and bytes to a type checker."""
from __future__ import annotations

import inspect
import typing
import weakref
from ctypes import POINTER, byref, c_uint64
from operator import index as integer
from typing import (
    Annotated, Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, Type, TypeVar, Union,
)

from . import _bindings as c
from ._managed import _ending
from .errors import escaped, not_null, text_from

T = TypeVar("T")

i32 = Annotated[int, "i32"]
i64 = Annotated[int, "i64"]
f32 = Annotated[float, "f32"]
f64 = Annotated[float, "f64"]
v128 = Annotated[bytes, "v128"]

KINDS: Dict[str, int] = {
    "i32": c.WASM_I32, "i64": c.WASM_I64, "f32": c.WASM_F32, "f64": c.WASM_F64, "v128": c.STEPWELL_VALKIND_V128,
    "externref": c.WASM_EXTERNREF, "funcref": c.WASM_FUNCREF,
    "exnref": c.STEPWELL_VALKIND_EXNREF, "anyref": c.STEPWELL_VALKIND_ANYREF,
}
NAMES: Dict[int, str] = {kind: name for name, kind in KINDS.items()}


# The others that were met: of what kind they are does not change.
_kinds: Dict[str, int] = {}


def kind_of(name: str) -> int:
    """The number of a value type's kind."""
    try:
        return KINDS[name] if name in KINDS else _kinds[name]
    except (KeyError, TypeError):
        pass
    if isinstance(name, ObjectType):
        return KINDS["anyref"]
    ptr = _valtype(name)
    kind = _kinds[name] = int(c.wasm_valtype_kind(ptr))
    c.wasm_valtype_delete(ptr)
    return kind


def family_of(name: str) -> str:
    """The name of a value type's kind: of references, the type above all others."""
    return NAMES[kind_of(name)]


def _valtype(name: str) -> Any:
    """A value type as C has it, owned."""
    if isinstance(name, ObjectType):
        return not_null(c.wasm_valtype_copy(name._ptr), "wasm_valtype_copy")
    if name in KINDS:
        return not_null(c.wasm_valtype_new(KINDS[name]), "wasm_valtype_new")
    ptr = c.stepwell_valtype_parse(name.encode("utf-8", "replace")) if isinstance(name, str) and "\0" not in name else None
    if not ptr:
        c.stepwell_last_error_clear()
        raise ValueError(
            f"{name!r} is no value type, or that of a module that is gone; there are {', '.join(KINDS)}, and other references by "
            "their names in the text format")
    return ptr


def matches(type: str, wanted: str) -> bool:
    """Whether each value of a value type is one of another: they are the same, or `type` is below `wanted`, as "(ref func)" is below
    "funcref"."""
    one = _valtype(type)
    try:
        other = _valtype(wanted)
        try:
            return bool(c.stepwell_valtype_matches(one, other))
        finally:
            c.wasm_valtype_delete(other)
    finally:
        c.wasm_valtype_delete(one)


class ObjectType(str):
    """The type of references to structures or arrays whose fields are known: a name as "(ref $type17)", which is a str.
    It keeps what has been defined."""

    _ptr: Any = None
    _fields: Optional[Tuple[FieldType, ...]] = None

    @property
    def fields(self) -> Tuple[FieldType, ...]:
        """The fields of the structures, each a `FieldType`; of arrays what the elements are, alone."""
        if self._fields is None:
            found = []
            for index in range(c.stepwell_valtype_field_count(self._ptr)):
                out = c.stepwell_field_t()
                c.stepwell_valtype_field(self._ptr, index, byref(out))
                found.append(FieldType(_STORED.get(out.storage) or _name(out.type), out.is_mutable))
            self._fields = tuple(found)
        return self._fields

    @property
    def nullable(self: O) -> O:
        """The same with null among its values."""
        if self.startswith("(ref null "):
            return self
        made = c.stepwell_valtype_parse(self.replace("(ref ", "(ref null ", 1).encode())
        return taken(_name, made, c.wasm_valtype_delete)  # type: ignore[return-value]

    @classmethod
    def _known(cls: Type[O], type: Any) -> O:
        """The type that is meant, which is of this class."""
        if isinstance(type, str) and not isinstance(type, ObjectType):
            type = taken(_name, _valtype(type), c.wasm_valtype_delete)
        if isinstance(type, cls):
            return type
        what = escaped(type) if isinstance(type, str) else f"a {type.__class__.__name__}"
        raise TypeError(f"type must be a {cls.__name__}, not {what}")

    def __copy__(self: O) -> O:
        return self

    def __deepcopy__(self: O, _: Any) -> O:
        return self

    def __reduce_ex__(self, _: Any) -> Any:
        return str, (str(self),)  # elsewhere it is but a name

    def __del__(self, _ending: List[int] = _ending) -> None:
        if self._ptr is not None and not _ending:
            ptr, self._ptr = self._ptr, None
            c.wasm_valtype_delete(ptr)


class StructType(ObjectType):
    """The type of references to structures: of these fields, each a `FieldType`, its arguments as a tuple, or the name
    of a type alone. Null is not among them: see `nullable`. Where modules define the same, final and in no group with
    others, it is the same type."""

    def __new__(cls, fields: Iterable[Union[FieldType, str, Tuple[str, bool]]] = ()) -> StructType:
        if isinstance(fields, str):
            raise TypeError("fields is a sequence of fields, such as [\"i32\", FieldType(\"i8\", mutable=False)]")
        known = [_field(field, f"field {index}") for index, field in enumerate(fields)]
        given, kept = _fields_in_c(known)
        try:
            made = not_null(c.stepwell_valtype_new_struct(given, len(known)), "StructType")
        finally:
            _free(kept)
        return taken(_name, made, c.wasm_valtype_delete)  # type: ignore[return-value]


class ArrayType(ObjectType):
    """The type of references to arrays, whose elements are such a field; else as `StructType`."""

    def __new__(cls, element: Union[FieldType, str, Tuple[str, bool]]) -> ArrayType:
        given, kept = _fields_in_c([_field(element, "element")])
        try:
            made = not_null(c.stepwell_valtype_new_array(given), "ArrayType")
        finally:
            _free(kept)
        return taken(_name, made, c.wasm_valtype_delete)  # type: ignore[return-value]

    @property
    def element(self) -> FieldType:
        """What the elements are, a `FieldType`."""
        return self.fields[0]


O = TypeVar("O", bound=ObjectType)
_STORED: Dict[int, str] = {c.STEPWELL_STORAGE_I8: "i8", c.STEPWELL_STORAGE_I16: "i16"}
# By kind: the classes of types whose fields are known.
_OBJECT_TYPES: Dict[int, Type[ObjectType]] = {
    c.STEPWELL_HEAPKIND_DEFINED_STRUCT: StructType, c.STEPWELL_HEAPKIND_DEFINED_ARRAY: ArrayType,
}
# By name: those that somebody has.
_met: weakref.WeakValueDictionary[str, ObjectType] = weakref.WeakValueDictionary()


class _FieldType(NamedTuple):
    type: str
    mutable: bool = True


class FieldType(_FieldType):
    """A field of a structure, or what the elements of an array are: a value type, or "i8" or "i16", the lowest
    bits of an i32; and whether it can be written."""

    __slots__ = ()

    def __new__(cls, type: str, mutable: bool = True) -> FieldType:
        if type not in _STORED.values():
            kind_of(type)
        return super().__new__(cls, type, bool(mutable))


def _field(given: Any, what: str) -> FieldType:
    """The field that is meant."""
    if isinstance(given, FieldType):
        return given
    if not isinstance(given, (str, tuple)):
        raise TypeError(f"{what} must be a FieldType or the name of a type, not {type(given).__name__}")
    try:
        return FieldType(given) if isinstance(given, str) else FieldType(*given)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{what}: {error}") from None


def _fields_in_c(fields: Sequence[FieldType]) -> Tuple[Any, List[Any]]:
    """Fields as C has them, and the types that are to be deleted after that."""
    given, kept = (c.stepwell_field_t * len(fields))(), []
    try:
        for field, out in zip(fields, given):
            out.is_mutable = field.mutable
            if field.type in _STORED.values():
                out.storage = c.STEPWELL_STORAGE_I8 if field.type == "i8" else c.STEPWELL_STORAGE_I16
            else:
                kept.append(_valtype(field.type))
                out.type = kept[-1]
    except BaseException:
        _free(kept)
        raise
    return given, kept


def _free(types: List[Any]) -> None:
    for ptr in types:
        c.wasm_valtype_delete(ptr)


class _FuncType(NamedTuple):
    params: Tuple[str, ...]
    results: Tuple[str, ...]


class _GlobalType(NamedTuple):
    value: str
    mutable: bool = False


class _MemoryType(NamedTuple):
    min: int = 0
    max: Optional[int] = None
    is_64: bool = False
    page_size: int = 65536
    is_shared: bool = False


class _TableType(NamedTuple):
    element: str = "funcref"
    min: int = 0
    max: Optional[int] = None
    is_64: bool = False


def _hints(function: Callable[..., Any]) -> Dict[str, Any]:
    """The resolved annotations of a callable."""
    called = function if inspect.isroutine(function) else getattr(function, "__call__", function)
    return typing.get_type_hints(called, include_extras=True)


def wants_caller(function: Callable[..., Any]) -> bool:
    """Whether the first parameter is annotated as a `Caller`."""
    from .values import Caller
    try:
        parameters = list(inspect.signature(function).parameters)
        return bool(parameters) and _hints(function).get(parameters[0]) is Caller
    except (AttributeError, NameError, TypeError, ValueError):
        return False


def _annotated(annotation: Any, what: str) -> str:
    """The value type of a resolved annotation."""
    for name in getattr(annotation, "__metadata__", ()):
        if isinstance(name, ObjectType) or isinstance(name, str) and name in KINDS:
            return name
    inside = typing.get_args(annotation)
    if typing.get_origin(annotation) is Union and len(inside) == 2 and inside[1] is type(None):
        annotation = inside[0]
    from .values import AnyRef, ArrayRef, ExnRef, ExternRef, Func, I31Ref, StructRef
    for known, name in (
            (bool, "i32"), (int, "i32"), (float, "f64"), (Func, "funcref"), (ExternRef, "externref"), (ExnRef, "exnref"),
            (AnyRef, "anyref"), (StructRef, "structref"), (ArrayRef, "arrayref"), (I31Ref, "i31ref")):
        if annotation is known:
            return name
    raise TypeError(
        f"{what} is annotated {annotation!r}, which is no value type; there are i32, i64, f32, f64, v128 of stepwell, int (an i32), "
        "float (an f64), Func, ExternRef, ExnRef, AnyRef, StructRef, ArrayRef, I31Ref")


class _Told:
    """What a type has that C has told: which one it is of those that look alike. Elsewhere it is but what it looks like."""

    _ptr: Any = None

    def __reduce_ex__(self, _: Any) -> Any:
        return type(self), tuple(self)  # type: ignore[arg-type]

    def __copy__(self: T) -> T:
        return self

    def __deepcopy__(self: T, _: Any) -> T:
        return self

    def __del__(self, _ending: List[int] = _ending) -> None:
        if self._ptr is not None and not _ending:
            ptr, self._ptr = self._ptr, None
            self._free(ptr)  # type: ignore[attr-defined]


class FuncType(_Told, _FuncType):
    """A function's type: the value types of its parameters and results. What a module's imports and a function tell is in
    addition exactly that type, which matters where types stand in recursion groups: make host functions with it."""

    def __new__(cls, params: Sequence[str] = (), results: Sequence[str] = ()) -> FuncType:
        if isinstance(params, str) or isinstance(results, str):
            raise TypeError("params and results are sequences of value types, such as [\"i32\"]")
        self = super().__new__(cls, tuple(params), tuple(results))
        for name in self.params + self.results:
            kind_of(name)
        return self

    @classmethod
    def of(cls, function: Callable[..., Any]) -> FuncType:
        """The type that a function's annotations say: `stepwell.i32`, `i64`, `f32`, `f64`, `v128`; int is an i32, float
        an f64, `Func` a funcref, `ExternRef` an externref, `ExnRef` an exnref, `AnyRef` an anyref, `StructRef` a
        structref, `ArrayRef` an arrayref, `I31Ref` an i31ref, `Annotated[StructRef, type]` of a `StructType`. A tuple
        of them is for several results, None or nothing for none. A first parameter that is annotated `Caller` is told
        who calls, and no part of the type."""
        name = getattr(function, "__qualname__", repr(function))
        try:
            hints = _hints(function)
            parameters = list(inspect.signature(function).parameters.values())[wants_caller(function):]
        except (NameError, TypeError, ValueError) as error:
            raise TypeError(f"the type of {name} cannot be told from its annotations: {error}; give it a FuncType") from error
        params = []
        for parameter in parameters:
            if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                raise TypeError(f"{name} takes {parameter}, which no guest can give; give it a FuncType")
            if parameter.name not in hints:
                raise TypeError(f"parameter {parameter.name} of {name} has no annotation; annotate it, or give a FuncType")
            params.append(_annotated(hints[parameter.name], f"parameter {parameter.name} of {name}"))
        result = hints.get("return")
        if result is None or result is type(None):
            return cls(params)
        several = typing.get_args(result) if typing.get_origin(result) is tuple else (result,)
        return cls(params, [_annotated(one, f"the result of {name}") for one in several if one != ()])

    def _to_c(self) -> Any:
        if self._ptr is not None:
            return not_null(c.wasm_functype_copy(self._ptr), "FuncType")
        return not_null(c.wasm_functype_new(byref(_valtypes(self.params)), byref(_valtypes(self.results))), "FuncType")

    def _shown(self) -> str:
        """In a line of a message."""
        return f"{' '.join(self.params) or '()'} -> {' '.join(self.results) or '()'}"

    _free = c.wasm_functype_delete


class GlobalType(_GlobalType):
    """A global's type: its value type, and whether it can be written."""

    __slots__ = ()

    def _to_c(self) -> Any:
        value = _valtype(self.value)
        return not_null(c.wasm_globaltype_new(value, c.WASM_VAR if self.mutable else c.WASM_CONST), "GlobalType")

    _free = c.wasm_globaltype_delete


class MemoryType(_MemoryType):
    """A memory's type: its limits in pages; `max` None is no limit. Pages have 64 KiB, or one byte. Addresses have 32 bits, or 64.
    Several threads may use a shared memory at once, each with a store of its own; it has a `max`."""

    __slots__ = ()

    def _to_c(self) -> Any:
        size = integer(self.page_size)
        if size <= 0 or size & (size - 1):
            raise ValueError(f"{size} is no size of pages")
        made = c.stepwell_memorytype_new(*_limits(self), self.is_64, self.is_shared, size.bit_length() - 1)
        return not_null(made, "MemoryType")

    _free = c.wasm_memorytype_delete


class TableType(_TableType):
    """A table's type: the type of its elements, and how many; `max` None is no limit. Places have 32 bits, or 64."""

    __slots__ = ()

    def _to_c(self) -> Any:
        limits = _limits(self)
        element = _valtype(self.element)
        return not_null(c.stepwell_tabletype_new(element, *limits, self.is_64), "TableType")

    _free = c.wasm_tabletype_delete


class _TagType(NamedTuple):
    params: Tuple[str, ...]


class TagType(_Told, _TagType):
    """A tag's type: the types of the values that its exceptions carry. What a module's imports and a tag tell is in addition
    exactly that type, as with `FuncType`."""

    def _to_c(self) -> Any:
        if self._ptr is not None:
            return not_null(c.wasm_tagtype_copy(self._ptr), "TagType")
        return not_null(c.wasm_tagtype_new(FuncType(self.params)._to_c()), "TagType")

    _free = c.wasm_tagtype_delete


AnyType = Union[FuncType, GlobalType, MemoryType, TableType, TagType]


class ImportType(NamedTuple):
    """An import of a module: the two halves of its name, and its type."""

    module: str
    name: str
    type: AnyType


class ExportType(NamedTuple):
    """An export of a module: its name and its type."""

    name: str
    type: AnyType


class in_c:
    """A type as C has it, for as long as the `with` block."""

    def __init__(self, type: AnyType) -> None:
        self.type = type

    def __enter__(self) -> Any:
        self.ptr = self.type._to_c()
        return self.ptr

    def __exit__(self, *_: object) -> None:
        type(self.type)._free(self.ptr)


def _limits(type: Union[MemoryType, TableType]) -> Tuple[int, bool, int]:
    for limit in (type.min, type.max):
        if limit is not None and not 0 <= limit < 1 << 64:
            raise ValueError(f"{limit} is no limit")
    return type.min, type.max is not None, type.max or 0


def _valtypes(names: Sequence[str]) -> Any:
    vec = c.wasm_valtype_vec_t()
    for name in names:
        kind_of(name)  # an error before anything is made
    elements = (POINTER(c.wasm_valtype_t) * len(names))(*(_valtype(name) for name in names))
    c.wasm_valtype_vec_new(byref(vec), len(names), elements)
    return vec


def _names(vec: Any) -> Tuple[str, ...]:
    vec = vec.contents
    return tuple(_name(vec.data[i]) for i in range(vec.size))


def _name(ptr: Any) -> str:
    """The name of a value type of C's: of structures and arrays one that knows their fields."""
    name = text_from(c.stepwell_valtype_text(ptr))
    if "$" not in name:
        return name
    known = _met.get(name)
    if known is not None:
        return known
    kind = _OBJECT_TYPES.get(c.stepwell_valtype_heapkind(ptr))
    if kind is None:
        return name
    made = str.__new__(kind, name)
    made._ptr = not_null(c.wasm_valtype_copy(ptr), "wasm_valtype_copy")
    _met[name] = made
    return made


def _limits_from(ptr: Any, min: Callable[..., Any], max: Callable[..., Any]) -> Tuple[int, Optional[int]]:
    out = c_uint64()
    return int(min(ptr)), int(out.value) if max(ptr, byref(out)) else None


def functype_from(ptr: Any) -> FuncType:
    made = FuncType(_names(c.wasm_functype_params(ptr)), _names(c.wasm_functype_results(ptr)))
    made._ptr = not_null(c.wasm_functype_copy(ptr), "wasm_functype_copy")
    return made


def globaltype_from(ptr: Any) -> GlobalType:
    value = _name(c.wasm_globaltype_content(ptr))
    return GlobalType(value, c.wasm_globaltype_mutability(ptr) == c.WASM_VAR)


def memorytype_from(ptr: Any) -> MemoryType:
    limits = _limits_from(ptr, c.stepwell_memorytype_min, c.stepwell_memorytype_max)
    page_size = 1 << c.stepwell_memorytype_page_size_log2(ptr)
    return MemoryType(*limits, bool(c.stepwell_memorytype_is_64(ptr)), page_size, bool(c.stepwell_memorytype_is_shared(ptr)))


def tabletype_from(ptr: Any) -> TableType:
    element = _name(c.wasm_tabletype_element(ptr))
    limits = _limits_from(ptr, c.stepwell_tabletype_min, c.stepwell_tabletype_max)
    return TableType(element, *limits, bool(c.stepwell_tabletype_is_64(ptr)))


def tagtype_from(ptr: Any) -> TagType:
    made = TagType(_names(c.wasm_functype_params(c.wasm_tagtype_functype(ptr))))
    made._ptr = not_null(c.wasm_tagtype_copy(ptr), "wasm_tagtype_copy")
    return made


def externtype_from(ptr: Any) -> AnyType:
    """The type behind a borrowed `wasm_externtype_t`."""
    kind = c.wasm_externtype_kind(ptr)
    if kind == c.WASM_EXTERN_FUNC:
        return functype_from(c.wasm_externtype_as_functype_const(ptr))
    if kind == c.WASM_EXTERN_GLOBAL:
        return globaltype_from(c.wasm_externtype_as_globaltype_const(ptr))
    if kind == c.WASM_EXTERN_MEMORY:
        return memorytype_from(c.wasm_externtype_as_memorytype_const(ptr))
    if kind == c.WASM_EXTERN_TAG:
        return tagtype_from(c.wasm_externtype_as_tagtype_const(ptr))
    return tabletype_from(c.wasm_externtype_as_tabletype_const(ptr))


def taken(convert: Callable[[Any], T], ptr: Any, free: Any) -> T:
    """What `convert` makes of an owned type, which is deleted."""
    try:
        return convert(not_null(ptr, "asking for a type"))
    finally:
        free(ptr)
