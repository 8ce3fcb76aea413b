"""What people see of objects at a prompt, in logs, and by rich: short, never an error, and without waiting for a guest that another thread runs.

`shown` is given to all public classes, which say by their own `__repr__` and `_repr_html_` what they are; this is what holds for all of these.
"""
from __future__ import annotations

import functools
import html
from itertools import islice
from typing import Any, Callable, Dict, Iterable, Iterator, Tuple, Type

MOST = 1000  # letters of a repr
PART = 200  # letters of a part of one
FEW = 20  # of a list in rich's view


class Word(str):
    """A text that stands for itself in rich's view, without quotes."""

    def __repr__(self) -> str:
        return str(self)


def shortened(text: str, most: int = MOST) -> str:
    """A text without what is too much of it."""
    return text if len(text) <= most else f"{text[:most - 5]} ...{'>' if text.endswith('>') else ''}"


def brief(value: Any) -> str:
    """The repr of a value as part of another one."""
    if isinstance(value, (str, bytes, bytearray)):
        return repr(value) if len(value) <= PART else f"{value[:PART]!r}..."
    if isinstance(value, (list, tuple)) and type(value).__repr__ in (list.__repr__, tuple.__repr__):
        inside = ", ".join(brief(one) for one in value[:FEW]) + (", ..." if len(value) > FEW else "")
        return f"[{inside}]" if isinstance(value, list) else f"({inside}{',' if len(value) == 1 else ''})"
    return shortened(repr(value), PART)


def row(self: Any) -> str:
    """The repr of a named tuple, each field of which may be large."""
    return f"{type(self).__name__}({', '.join(f'{name}={brief(value)}' for name, value in zip(self._fields, self))})"


def _lock(item: Any) -> Any:
    """The lock of the store that must be in hand to look at it, or None."""
    for holder in ("_stop", "_frame", "_debugger", "_store"):
        there = item.__dict__.get(holder) if hasattr(item, "__dict__") else None
        if there is not None:
            return there.__dict__.get("_lock") or _lock(there)
    return getattr(item, "__dict__", {}).get("_lock")


def quietly(item: Any, otherwise: Callable[[str], Any], tell: Callable[[Any], Any], has_lock: bool = True) -> Any:
    """What `tell` says of it, or `otherwise(why)` where that fails, or would wait."""
    lock = None
    try:
        lock = _lock(item) if has_lock else None
        if lock is not None and not lock.acquire(blocking=False):
            lock = None
            return otherwise("in a store that another thread uses")
        return tell(item)
    except Exception as error:
        return otherwise(f"of which no more can be told: {type(error).__name__}")
    finally:
        if lock is not None:
            lock.release()


def _asked(item: Any, name: str) -> Any:
    """What a class has by a name. Objects that have exports of guests as attributes are not asked for any."""
    return getattr(item, name) if getattr(type(item), name, None) is not None else None


def _is_over(item: Any) -> bool:
    if any(_asked(item, name) is True for name in ("closed", "over", "removed")):
        return True
    frame = _asked(item, "frame") if type(item).__name__ == "Variable" else item
    live = _asked(frame, "_is_live")
    return live is not None and not live()


def few(items: Iterable[Any]) -> Any:
    """The first of them, and that there are more."""
    found = list(islice(items, FEW + 1))
    return found if len(found) <= FEW else [*found[:FEW], Word("...")]


def part(value: Any) -> Any:
    """A value for rich's view, which is cut where it is large."""
    if isinstance(value, (str, bytes)):
        return value if len(value) <= PART else Word(brief(value))
    return few(value) if isinstance(value, list) and len(value) > FEW else value


# By class: what rich shows of one that is there.
_FACTS: Dict[str, Callable[[Any], Iterable[Tuple[str, Any]]]] = {
    "Engine": lambda engine: engine._settings.items(),
    "Module": lambda module: (("name", module.name), ("imports", few(one.name for one in module.imports)),
                              ("exports", few(one.name for one in module.exports)), ("functions", module.func_count)),
    "Store": lambda store: (("objects", store.object_count), ("debugger", store.debugger), ("poisoned", store.poisoned)),
    "Instance": lambda instance: (("module", instance.module), ("exports", few(instance.exports))),
    "Func": lambda func: (("params", list(func.type.params)), ("results", list(func.type.results))),
    "Memory": lambda memory: (("pages", memory.pages), ("bytes", len(memory)), ("type", memory.type)),
    "SharedMemory": lambda memory: (("pages", memory.pages), ("bytes", len(memory))),
    "Table": lambda table: (("size", len(table)), ("type", table.type)),
    "Global": lambda found: (("type", found.type), ("value", found.value)),
    "Tag": lambda tag: (("params", list(tag.type.params)),),
    "ExnRef": lambda exn: (("values", exn.values),),
    "ExternRef": lambda reference: (("value", Word(brief(reference.value))),),
    "Call": lambda call: (("func", call.func), ("status", call.status), ("token", call.token), ("stop", call.stop)),
    "Debugger": lambda debugger: (("breakpoints", few(debugger.breakpoints)), ("watchpoints", few(debugger.watchpoints))),
    "Breakpoint": lambda one: (("id", one.id), ("places", few(one.places)), ("hit_count", one.hit_count), ("enabled", one.enabled),
                               ("condition", one.condition), ("one_shot", one.one_shot)),
    "Watchpoint": lambda one: (("id", one.id), ("kind", one.kind), ("target", one.target), ("hit_count", one.hit_count), ("enabled", one.enabled)),
    "Stop": lambda stop: (("reason", stop.reason), ("breakpoints", few(stop.breakpoints)), ("watch_hits", few(stop.watch_hits)),
                          ("trap", stop.trap_message), ("frames", few(stop.frame(index) for index in range(stop.frame_count)))),
    "Frame": lambda frame: (("index", frame.index), ("function", frame.func_name), ("source", few(frame.source)), ("offset", Word(hex(frame.offset))),
                            *(() if frame.is_production else (("locals", frame.locals), ("operands", few(frame.operands))))),
    "Variable": lambda one: (("name", one.name), ("type", one.type_name), ("text", one.text), ("children", one.child_count))
    if getattr(one.kind, "name", "") != "SCOPE" else (("variables", few(child.name for child in one.children(0, FEW + 1))),),
    "Session": lambda session: (("stop", session.stop), ("result", session.result)),
    "TrapFrame": lambda frame: (("func_name", frame.func_name), ("func_index", frame.func_index), ("offset", Word(hex(frame.offset))), ("source", few(frame.source))),
    "Exports": lambda exports: [(name, exports[name]) for name in islice(exports, FEW)],
    "Error": lambda error: (("message", error.message), ("code", error.code), ("offset", error.offset)),
    "Trap": lambda trap: (("message", trap.message), ("trap_code", trap.trap_code), ("frames", few(trap.frames))),
    "Coverage": lambda coverage: (("module", coverage.module), *coverage.counts.items()),
}


def _rich(item: Any) -> Iterator[Any]:
    fields = getattr(type(item), "_fields", None)
    if fields is not None and isinstance(item, tuple):
        return iter([(name, part(value)) for name, value in zip(fields, item)])

    def tell(_: Any) -> Any:
        if _is_over(item):
            return [Word(repr(item)[1:-1].partition(" ")[2].lstrip(", "))]
        facts = next((_FACTS[kind.__name__] for kind in type(item).__mro__ if kind.__name__ in _FACTS), None)
        if facts is None:
            about = repr(item)
            return [Word(about[1:-1].partition(" ")[2])] if about.startswith("<") and " " in about else []
        return [(name, part(value)) for name, value in facts(item) if not (value is None or isinstance(value, list) and not value)]

    return iter(quietly(item, lambda why: [Word(why)], tell))


def shown(kind: Type[Any]) -> None:
    """Has what a class and those of ours that it stands on say of their objects be short, never fail and never wait, and be known to rich."""
    for one in kind.__mro__:
        if one.__module__.startswith("stepwell") and "_is_shown" not in vars(one):
            _wrap(one)
            setattr(one, "_is_shown", True)
    if issubclass(kind, (str, dict)) or "__rich_repr__" in vars(kind):
        return  # rich shows them as what they are

    def __rich_repr__(self: Any) -> Iterator[Any]:
        return _rich(self)

    setattr(__rich_repr__, "angular", not issubclass(kind, tuple))
    setattr(kind, "__rich_repr__", __rich_repr__)


def _wrap(kind: Type[Any]) -> None:
    own = vars(kind)
    has_lock = kind.__name__ not in ("Store", "Breakpoint", "Watchpoint")  # which do so themselves, and have more to say
    if "__repr__" in own:
        text: Callable[[Any], str] = own["__repr__"]
        if issubclass(kind, tuple) and text.__module__ == "collections":
            text = row

        @functools.wraps(own["__repr__"])
        def __repr__(self: Any) -> str:
            return shortened(quietly(self, lambda why: f"<{type(self).__name__}, {why}>", text, has_lock))

        setattr(kind, "__repr__", __repr__)
    if "_repr_html_" in own:
        page: Callable[[Any], Any] = own["_repr_html_"]

        @functools.wraps(page)
        def _repr_html_(self: Any) -> Any:
            return quietly(self, lambda why: html.escape(f"<{type(self).__name__}, {why}>"), page)

        setattr(kind, "_repr_html_", _repr_html_)
    if "_repr_pretty_" in own:
        pretty: Callable[..., Any] = own["_repr_pretty_"]

        @functools.wraps(pretty)
        def _repr_pretty_(self: Any, printer: Any, cycle: bool) -> None:
            if quietly(self, lambda why: why, lambda item: pretty(item, printer, cycle)) is not None:
                printer.text(repr(self))

        setattr(kind, "_repr_pretty_", _repr_pretty_)
