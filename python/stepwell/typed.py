"""Exports by the annotations of a class: what was looked at once, and found as expected, needs no look at each use."""
from __future__ import annotations

import difflib
import inspect
import typing
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Type, Union

from ._bindings import ErrorCode
from ._managed import Unique
from .errors import Error, escaped
from .types import (
    KINDS, FuncType, GlobalType, MemoryType, ObjectType, TableType, TagType, _annotated, _hints, family_of, matches,
)
from .values import Func, Global, Memory, Table, Tag

# What annotations may say that an export is, with what a module tells of one.
_EXTERNS: Dict[Any, Type[Any]] = {Func: FuncType, Global: GlobalType, Memory: MemoryType, Table: TableType, Tag: TagType}
# The classes of Python's that leave open which value type it is.
_OPEN: Dict[Any, Tuple[str, ...]] = {int: ("i32", "i64"), float: ("f32", "f64")}


class TypedExports(Unique):
    """The exports that a class has asked for, as its attributes: see `Instance.typed`."""

    def __init__(self, found: Dict[str, Any]) -> None:
        self.__dict__.update(found)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"exports cannot be set; a global has a `value`: {name}.value = ...")

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(sorted(self.__dict__))}>"


def typed(api: Any, exports: Mapping[str, Any], names: Mapping[str, str]) -> TypedExports:
    """The exports that `api` asks for. An `Error` says all that is otherwise than it is expected."""
    if not isinstance(api, type):
        raise TypeError(f"typed exports are told by a class, such as a typing.Protocol, not by {api!r}")
    wanted = _wanted(api)
    unknown = [name for name in names if name not in wanted]
    if unknown:
        raise TypeError(f"{api.__name__} has no {', '.join(unknown)}, which names says what they are exported as")
    found: Dict[str, Any] = {}
    faults: List[str] = []
    for attribute, ask in wanted.items():
        name = names.get(attribute, attribute)
        export = exports.get(name)
        if export is None:
            if _is_optional(ask):
                found[attribute] = None
                continue
            near = difflib.get_close_matches(name, exports, 1)
            hint = f"; did you mean {escaped(near[0])!r}?" if near else f"; there are {_list(exports)}"
            faults.append(f"{escaped(name)}: expected {_expected(ask)}, found no such export{hint}")
            continue
        where = f"{api.__name__}.{attribute}"
        fault = _method_fault(ask, export, where) if inspect.isfunction(ask) else _attribute_fault(ask, export, where)
        if fault:
            faults.append(f"{escaped(name)}: {fault}")
        else:
            found[attribute] = _method(ask, export) if inspect.isfunction(ask) else export
    if faults:
        raise Error("\n  ".join([f"the instance does not export what {api.__name__} asks for:", *faults]), ErrorCode.LINK)
    kind = type(api.__name__, (TypedExports,), {"__doc__": api.__doc__, "__module__": api.__module__})
    return kind(found)  # type: ignore[no-any-return]


def _wanted(api: type) -> Dict[str, Any]:
    """What a class asks for: by name, the function that stands for a method, or the annotation of an attribute."""
    wanted: Dict[str, Any] = {}
    for base in reversed(api.__mro__):
        if base is object or base.__module__ == "typing":
            continue
        try:
            hints = typing.get_type_hints(base, include_extras=True)
        except (NameError, TypeError) as error:
            raise TypeError(f"the annotations of {base.__name__} cannot be told: {error}") from error
        wanted.update((name, hints[name]) for name in base.__dict__.get("__annotations__", hints) if name in hints)
        for name, member in vars(base).items():
            if name.startswith("__") and name.endswith("__"):
                continue
            if inspect.isfunction(member):
                wanted[name] = member
            elif isinstance(member, (property, staticmethod, classmethod)):
                raise TypeError(f"{base.__name__}.{name} is a {type(member).__name__}: functions are methods, all else annotated attributes")
    if not wanted:
        raise TypeError(f"{api.__name__} asks for no export: it has no method and no annotated attribute")
    return wanted


def _is_optional(ask: Any) -> bool:
    return typing.get_origin(ask) is Union and type(None) in typing.get_args(ask)


def _plain(ask: Any) -> Tuple[Any, Tuple[Any, ...]]:
    """An annotation without `Optional`, and what `Annotated` adds to it."""
    if _is_optional(ask):
        rest = [one for one in typing.get_args(ask) if one is not type(None)]
        ask = rest[0] if len(rest) == 1 else ask
    extra = getattr(ask, "__metadata__", ())
    return (ask.__origin__ if extra else ask), extra


def _attribute_fault(ask: Any, export: Any, where: str) -> str:
    """What is otherwise of an export than an attribute's annotation says."""
    kind, extra = _plain(ask)
    if kind is not Any and kind not in _EXTERNS:
        raise TypeError(f"{where} is annotated {ask!r}; exports are Func, Global, Memory, Table, Tag of stepwell, or methods")
    if kind is not Any and not isinstance(export, kind):
        return f"expected {_expected(ask)}, found {_article(export)}"
    for one in extra:
        if isinstance(one, (FuncType, GlobalType, MemoryType, TableType, TagType)):
            if one != export.type:
                return f"expected {_type_text(one)}, found {_type_text(export.type)}"
        elif isinstance(one, str) and isinstance(export, Global) and export.type.value != one:
            return f"expected a Global of {one}, found one of {export.type.value}"
    return ""


def _method_fault(ask: Any, export: Any, where: str) -> str:
    """What is otherwise of an export than a method's annotations say."""
    params, results = _signature(ask, where)
    if not isinstance(export, Func):
        return f"expected {_shown(params, results)}, found {_article(export)}"
    type = export.type
    fits = len(params) == len(type.params) and len(results) == len(type.results)
    fits = fits and all(_takes(one, other) for one, other in zip(params, type.params))
    fits = fits and all(_gives(one, other) for one, other in zip(results, type.results))
    return "" if fits else f"expected {_shown(params, results)}, found {type._shown()}"


def _signature(ask: Callable[..., Any], where: str) -> Tuple[List[Tuple[str, ...]], List[Tuple[str, ...]]]:
    """The value types that each parameter and each result may be, by a method's annotations; none of them for any."""
    try:
        hints = _hints(ask)
    except (NameError, TypeError) as error:
        raise TypeError(f"the type of {where} cannot be told from its annotations: {error}") from error
    params = []
    for parameter in list(inspect.signature(ask).parameters.values())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{where} takes {parameter}, which no guest has")
        if parameter.name not in hints:
            raise TypeError(f"parameter {parameter.name} of {where} has no annotation")
        params.append(_value_types(hints[parameter.name], f"parameter {parameter.name} of {where}"))
    if "return" not in hints:
        raise TypeError(f"the result of {where} has no annotation; without results it is None")
    result = hints["return"]
    if result is None or result is type(None):
        return params, []
    several = typing.get_args(result) if typing.get_origin(result) is tuple else (result,)
    return params, [_value_types(one, f"the result of {where}") for one in several if one != ()]


def _value_types(annotation: Any, what: str) -> Tuple[str, ...]:
    if annotation is Any:
        return ()
    return _OPEN.get(annotation) or (_annotated(annotation, what),)


def _is_reference(name: str) -> bool:
    return isinstance(name, ObjectType) or name not in KINDS or name.endswith("ref")


def _takes(wanted: Tuple[str, ...], found: str) -> bool:
    """Whether what is annotated so can be given for a parameter: of a reference's class, values that fit are enough."""
    if not wanted or found in wanted:
        return True
    return any(_is_reference(one) and _is_reference(found) and family_of(one) == family_of(found)
               and (matches(one, found) or matches(found, one)) for one in wanted)


def _gives(wanted: Tuple[str, ...], found: str) -> bool:
    """Whether what is annotated so is what a result is."""
    return not wanted or found in wanted or any(_is_reference(one) and matches(found, one) for one in wanted)


def _method(ask: Callable[..., Any], func: Func) -> Callable[..., Any]:
    """A guest's function that is called as the method is: its parameters have names and may have defaults."""
    signature = inspect.signature(ask)
    signature = signature.replace(parameters=list(signature.parameters.values())[1:])
    count = len(signature.parameters)

    def given(args: Tuple[Any, ...], named: Dict[str, Any]) -> Tuple[Any, ...]:
        if named or len(args) != count:
            bound = signature.bind(*args, **named)
            bound.apply_defaults()
            args = tuple(bound.arguments.values())
        return args

    def call_now(*args: Any, **named: Any) -> Any:
        return func(*given(args, named))

    def call_within(*args: Any, timeout: Optional[float] = None, **named: Any) -> Any:
        return func.call(*given(args, named), timeout=timeout)

    async def call_async(*args: Any, slice: Optional[int] = None, timeout: Optional[float] = None, **named: Any) -> Any:
        return await func.call_async(*given(args, named), slice=slice, timeout=timeout)

    async def await_it(*args: Any, **named: Any) -> Any:
        return await func.call_async(*given(args, named))

    call: Callable[..., Any] = await_it if inspect.iscoroutinefunction(ask) else call_now
    call.call = call_within  # type: ignore[attr-defined]
    call.call_async = call_async  # type: ignore[attr-defined]
    call.__name__, call.__qualname__, call.__doc__ = ask.__name__, ask.__qualname__, ask.__doc__
    call.__signature__ = signature  # type: ignore[attr-defined]
    call.func = func  # type: ignore[attr-defined]
    return call


def _shown(params: List[Tuple[str, ...]], results: List[Tuple[str, ...]]) -> str:
    def side(types: List[Tuple[str, ...]]) -> str:
        return " ".join("/".join(one) or "any" for one in types) or "()"

    return f"the function {side(params)} -> {side(results)}"


def _expected(ask: Any) -> str:
    """What is asked for, in words."""
    if inspect.isfunction(ask):
        return _shown(*_signature(ask, ask.__qualname__))
    kind, _ = _plain(ask)
    return "an export" if kind is Any else f"a {getattr(kind, '__name__', kind)}"


def _type_text(type: Any) -> str:
    return type._shown() if isinstance(type, FuncType) else repr(type)


def _article(export: Any) -> str:
    return f"a Func ({export.type._shown()})" if isinstance(export, Func) else f"a {type(export).__name__}"


def _list(names: Mapping[str, Any]) -> str:
    shown = [escaped(name) for name in list(names)[:10]]
    return ", ".join(shown + ["..."] * (len(names) > 10)) or "none"
