"""Finds libstepwell, checks its version, and hands out its functions. Nothing here knows what they mean.

Looked at, in this order: the file that $STEPWELL_LIBRARY names; this package's folder; in a source tree, what CMake
and cargo built; the system's libraries.
"""
from __future__ import annotations

import ctypes
import ctypes.util
import os
from operator import index
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

SONAME = "libstepwell.so.0"


def candidates() -> Iterator[Tuple[str, bool]]:
    """Where the library may be: (path or name, whether it must be there)."""
    named = os.environ.get("STEPWELL_LIBRARY")
    if named:
        yield named, True
        return
    package = Path(__file__).resolve().parent
    folders = [package]
    tree = package.parent.parent
    if (tree / "include" / "stepwell.h").exists() and (tree / "Cargo.toml").exists():
        target = Path(os.environ.get("CARGO_TARGET_DIR", tree / "target"))
        folders += [tree / "build" / "lib", target / "release"]
    for folder in folders:
        for name in (SONAME, "libstepwell.so"):
            if (folder / name).exists():
                yield str(folder / name), True
                break
    yield SONAME, False
    found = ctypes.util.find_library("stepwell")
    if found:
        yield found, False


def load() -> Tuple[ctypes.CDLL, str]:
    """The library that is found first."""
    tried = []
    for name, certain in candidates():
        try:
            return ctypes.CDLL(name), name
        except OSError as error:
            if certain:
                raise ImportError(f"libstepwell could not be loaded: {error}") from error
            tried.append(str(error))
    raise ImportError(
        "libstepwell was not found: set STEPWELL_LIBRARY to its path, install it, or build it in this source tree by "
        f"`cargo build --release` ({'; '.join(tried)})")


_library, path = load()


def function(name: str, result: Any, parameters: List[Any]) -> Any:
    """The C function of this name, with its types."""
    try:
        found = getattr(_library, name)
    except AttributeError:
        raise ImportError(f"{path} has no function {name}: it is another build than these bindings are of") from None
    found.restype = result
    found.argtypes = parameters
    ranges = [(i, *RANGES[kind]) for i, kind in enumerate(parameters) if kind in RANGES]
    return _checked(found, ranges) if ranges else found


def _range(kind: Any, signed: bool) -> Tuple[int, int]:
    bits = ctypes.sizeof(kind) * 8
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)


# What fits each type of integer; ctypes would cut off the rest.
RANGES: Dict[Any, Tuple[int, int]] = {
    **{kind: _range(kind, True) for kind in (
        ctypes.c_int8, ctypes.c_int16, ctypes.c_int32, ctypes.c_int64, ctypes.c_int, ctypes.c_ssize_t)},
    **{kind: _range(kind, False) for kind in (
        ctypes.c_uint8, ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_size_t)},
}


def _checked(found: Any, ranges: List[Tuple[int, int, int]]) -> Any:
    """The C function, which refuses integers that do not fit."""
    def checked(*arguments: Any) -> Any:
        given = list(arguments)
        for i, least, most in ranges:
            try:
                given[i] = index(given[i])
            except TypeError:
                raise TypeError(f"an int is wanted, not {type(given[i]).__name__}") from None
            if not least <= given[i] <= most:
                raise ValueError(f"{given[i]} does not fit: it is from {least} to {most}")
        return found(*given)

    checked.__name__ = found.__name__
    checked.restype, checked.argtypes = found.restype, found.argtypes  # type: ignore[attr-defined]
    return checked


def check_version(wanted: int) -> None:
    """Refuses a library of another version than the headers the bindings were made from."""
    there = function("stepwell_version_number", ctypes.c_uint32, [])()
    if there != wanted:
        def text(number: int) -> str:
            return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"
        raise ImportError(f"{path} is version {text(there)}, but this package is for {text(wanted)}")
