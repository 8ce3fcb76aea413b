"""Finds libstepwell, checks its version, and hands out its functions. Nothing here knows what they mean.

Looked at, in this order: the file that $STEPWELL_LIBRARY names; this package's folder; in a source tree, what CMake
and cargo built; the system's libraries.
"""
from __future__ import annotations

import ctypes
import ctypes.util
import os
from pathlib import Path
from typing import Any, Iterator, List, Tuple

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
    return found


def check_version(wanted: int) -> None:
    """Refuses a library of another version than the headers the bindings were made from."""
    there = function("stepwell_version_number", ctypes.c_uint32, [])()
    if there != wanted:
        def text(number: int) -> str:
            return f"{number // 1000000}.{number // 1000 % 1000}.{number % 1000}"
        raise ImportError(f"{path} is version {text(there)}, but this package is for {text(wanted)}")
